"""The commands and their options, and what each kind of failure prints and returns."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from glassformer._core._errors import GlassformerError
from glassformer.cli._interrupts import polite_termination, was_terminated

app = typer.Typer(
    name="glassformer",
    help="Statistical physics of transformers and sequence models: simulate, solve, compare.",
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", help="key=value; a TOML literal, a word, a file, or a range like 0.1:10:log25."),
]
Scale = Annotated[str | None, typer.Option("--scale", help="Settings to start from: quick (default) or paper.")]
Output = Annotated[Path | None, typer.Option("-o", "--output", help="Directory of the result.")]
Seed = Annotated[int | None, typer.Option("--seed", help="Root of all randomness; drawn and printed if left out.")]
Jobs = Annotated[int, typer.Option("--jobs", "-j", help="Number of local processes.")]
ExecutorName = Annotated[str | None, typer.Option("--executor", help="serial, process, dask or slurm.")]
Scheduler = Annotated[str | None, typer.Option("--scheduler", help="Address of a running Dask scheduler.")]
Directory = Annotated[Path, typer.Argument(help="A run or sweep directory.")]
Variables = Annotated[list[str] | None, typer.Option("--variable", help="Only this variable; may be repeated.")]


@app.command("list")
def list_command(as_json: Json = False) -> None:
    """List everything that can be run."""
    from glassformer.cli._describe_runs import list_runs

    list_runs(as_json)


@app.command()
def show(name: Annotated[str, typer.Argument(help="A name of `glassformer list`.")], as_json: Json = False) -> None:
    """Show the settings, scales, sources and expected numbers of a run."""
    from glassformer.cli._describe_runs import show_run

    show_run(name, as_json)


@app.command()
def run(
    name: Annotated[str, typer.Argument(help="A name of `glassformer list`, or a TOML file.", metavar="NAME|FILE")],
    scale: Scale = None,
    settings: Settings = None,
    output: Output = None,
    seed: Seed = None,
    jobs: Jobs = 1,
    figure: Annotated[bool, typer.Option("--figure/--no-figure", help="Draw the figure.")] = True,
    as_json: Json = False,
) -> int:
    """Compute a run, or load it if it is there already."""
    from glassformer.cli._compute import run_command

    return run_command(name, scale, settings or [], output, seed, jobs, figure, as_json)


@app.command()
def sweep(
    name: Annotated[str, typer.Argument(help="A name of `glassformer list`, or a study file.", metavar="NAME|FILE")],
    scale: Scale = None,
    settings: Settings = None,
    grid: Annotated[
        list[str] | None, typer.Option("--grid", help="key=values, for fields that also take lists.")
    ] = None,
    output: Output = None,
    seed: Seed = None,
    jobs: Jobs = 1,
    executor: ExecutorName = None,
    scheduler: Scheduler = None,
    time_limit: Annotated[str, typer.Option("--time", help="slurm: time limit of one task.")] = "01:00:00",
    partition: Annotated[str | None, typer.Option("--partition", help="slurm: partition.")] = None,
    chunk: Annotated[int | None, typer.Option("--chunk", help="slurm: points per task.")] = None,
    as_json: Json = False,
) -> int:
    """Compute a run over a grid of settings."""
    from glassformer.cli._compute import sweep_command

    slurm = {"time_limit": time_limit, "partition": partition, "chunk": chunk}
    return sweep_command(
        name, scale, settings or [], grid or [], output, seed, jobs, executor, scheduler, slurm, as_json
    )


@app.command()
def status(directory: Directory, as_json: Json = False) -> int:
    """Say what a directory holds, with every checksum verified."""
    from glassformer.cli._inspect import status_command

    return status_command(directory, as_json)


@app.command()
def resume(
    directory: Directory,
    point: Annotated[
        str | None, typer.Option("--point", help="Only point I, or I:J without J.", metavar="I|I:J")
    ] = None,
    jobs: Jobs = 1,
    executor: ExecutorName = None,
    scheduler: Scheduler = None,
    as_json: Json = False,
) -> int:
    """Finish or repair a run or a sweep."""
    from glassformer.cli._compute import resume_command

    return resume_command(directory, point, jobs, executor, scheduler, as_json)


@app.command()
def plot(
    directory: Directory,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="A .png, .svg or .pdf file.")] = None,
    variables: Variables = None,
    as_json: Json = False,
) -> int:
    """Draw the figure of a finished run or sweep."""
    from glassformer.cli._publish import plot_command

    return plot_command(directory, output, variables or [], as_json)


@app.command()
def report(
    directory: Directory,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="An .html file.")] = None,
    as_json: Json = False,
) -> int:
    """Write one HTML page with the figure, the numbers and the evidence."""
    from glassformer.cli._report import report_command

    return report_command(directory, output, as_json)


@app.command()
def export(
    directory: Directory,
    form: Annotated[str, typer.Option("--format", "-f", help="nc, csv, npz or json.")] = "csv",
    output: Annotated[Path | None, typer.Option("-o", "--output", help="The file to write.")] = None,
    variables: Variables = None,
    as_json: Json = False,
) -> int:
    """Write the numbers for another program."""
    from glassformer.cli._publish import export_command

    return export_command(directory, form, output, variables or [], as_json)


@app.command()
def cite(
    target: Annotated[str, typer.Argument(help="A run or sweep directory, or a name of `glassformer list`.")],
    as_json: Json = False,
) -> int:
    """Print the BibTeX entries of exactly what was used."""
    from glassformer.cli._publish import cite_command

    return cite_command(target, as_json)


@app.command()
def doctor(as_json: Json = False) -> int:
    """Check the installation, with a one-second self test."""
    from glassformer.cli._doctor import doctor_command

    return doctor_command(as_json)


def run_app(arguments: Sequence[str]) -> int:
    """Run the command line on `arguments` and return the exit code.

    0 for success, 1 for an answer that cannot be trusted, 2 for an input or a directory that cannot be used, 130 for
    Ctrl-C and 143 for a request to stop. A traceback means a bug.
    """
    as_json = "--json" in arguments
    if os.getcwd() not in sys.path:  # so that `glassformer run mymodule:MY_RUN` finds a file beside the user
        sys.path.append(os.getcwd())
    with polite_termination():
        try:
            code = app(args=list(arguments) or ["--help"], standalone_mode=False)
            sys.stdout.flush()
            return code if isinstance(code, int) else 0
        except typer.TyperException as error:
            _print_usage(error, arguments, as_json)
            return 2
        except GlassformerError as error:
            return fail(str(error), as_json, error.exit_code)
        except (KeyboardInterrupt, typer.Abort) as error:
            return fail("interrupted.", as_json, 143 if was_terminated(error) else 130)
        except BrokenPipeError:  # `glassformer list | head`
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 1
        except MemoryError:
            return fail("the computation needs more memory than there is; make it smaller.", as_json, 1)
        except OSError as error:
            from glassformer.sweeps._files import storage_error

            return fail(str(storage_error(error, Path(error.filename or "."))), as_json, 2)


def fail(sentence: str, as_json: bool, code: int) -> int:
    """Print one sentence as an error and return `code`."""
    sys.stdout.flush()
    print(f"Error: {sentence}", file=sys.stderr)
    if as_json:
        print(json.dumps({"error": sentence}))
    return code


def _print_usage(error: Any, arguments: Sequence[str], as_json: bool) -> None:
    message = error.format_message().rstrip(".")
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "glassformer"
    fail(f"{message[:1].lower()}{message[1:]}; `{path} --help` shows what is allowed.", as_json, 2)

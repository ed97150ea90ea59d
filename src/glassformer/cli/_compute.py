"""``run``, ``sweep`` and ``resume``."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glassformer._core._errors import GlassformerError, InvalidInputError
from glassformer._core._status import Status
from glassformer.cli._entries import entry_table
from glassformer.cli._expected import expected_lines
from glassformer.cli._interrupts import Terminated
from glassformer.cli._progress import Reporter, duration
from glassformer.cli._values import console, evidence_of, print_json, print_table, run_object, value_rows, values_of
from glassformer.sweeps._store import is_usable
from glassformer.sweeps._values import parse_settings, parse_value

if TYPE_CHECKING:
    import xarray as xr


WIDTH = 120  # of a table with a row per entry, at most


class InterruptedRunError(GlassformerError):
    """Ctrl-C, or a request to stop, in the middle of a computation."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def run_command(
    name: str,
    scale: str | None,
    settings: list[str],
    output: Path | None,
    seed: int | None,
    jobs: int,
    figure: bool,
    as_json: bool,
) -> int:
    """Compute a run and print it."""
    from glassformer.sweeps._prepare import prepare
    from glassformer.sweeps._run import Options, execute

    check_jobs(jobs)
    stored, path = prepare(name, scale=scale, seed=seed, settings=parse_settings(settings), directory=output)
    dataset = _interruptible(
        path, stored.name, lambda report: execute(stored, path, Options(jobs=jobs, progress=report, figure=figure))
    )
    return print_run(dataset, path, as_json)


def sweep_command(
    name: str,
    scale: str | None,
    settings: list[str],
    grid: list[str],
    output: Path | None,
    seed: int | None,
    jobs: int,
    executor: str | None,
    scheduler: str | None,
    slurm: dict[str, Any],
    as_json: bool,
) -> int:
    """Compute a sweep, or prepare it for a queue, and print what came of it."""
    from glassformer.sweeps._study import plan
    from glassformer.sweeps._sweep import default_directory, prepare_sweep, resume_sweep

    check_jobs(jobs)
    check_executor(executor, scheduler, allow_slurm=True)
    axes = _parse_grid(grid)
    study = plan(name, scale=scale, seed=seed, settings=parse_settings(settings), grid=axes, directory=output)
    path = output if output is not None else default_directory(study)
    if executor == "slurm":
        from glassformer.sweeps._slurm import write_script

        prepare_sweep(study, path)
        written = write_script(path, study.size, **slurm)
        if as_json:
            print_json({"name": study.name, "status": "prepared", **written, "directory": str(path)})
        else:
            print("\n".join(written["instructions"]))
        return 0
    prepare_sweep(study, path)
    _interruptible(
        path,
        study.name,
        lambda report: resume_sweep(path, jobs=jobs, executor=executor, scheduler=scheduler, progress=report),
    )
    return print_sweep(path, as_json)


def resume_command(
    directory: Path, point: str | None, jobs: int, executor: str | None, scheduler: str | None, as_json: bool
) -> int:
    """Finish or repair a directory and print what came of it."""
    from glassformer.sweeps._resume import is_sweep, resume

    check_jobs(jobs)
    check_executor(executor, scheduler, allow_slurm=False)
    points = parse_points(point) if point is not None else None
    dataset = _interruptible(
        directory,
        "resuming",
        lambda report: resume(
            directory, jobs=jobs, executor=executor, scheduler=scheduler, progress=report, points=points
        ),
    )
    if not is_sweep(directory):
        return print_run(dataset, directory, as_json)
    return print_sweep(directory, as_json, points)


def print_run(dataset: xr.Dataset, path: Path, as_json: bool) -> int:
    """Print a result, with its warnings; return 1 when there is no answer to use."""
    usable = is_usable(dataset.attrs["status"])
    if as_json:
        print_json(run_object(dataset, path))
    else:
        attrs = dataset.attrs
        time = f" in {duration(float(attrs['wall_time']))}" if float(attrs.get("wall_time", 0.0)) >= 1 else ""
        title = f"{attrs['run']}: {attrs['status']}{time}"
        if "table" in attrs:  # the run has laid out its numbers itself
            print(f"{title}\n\n{attrs['table']}\n")
        else:
            _print_numbers(title, dataset)
        for line in _expected(dataset):
            print(line)
        if "seed" in attrs:
            print(f"seed {int(attrs['seed'])}")
        if "note" in attrs:
            print(f"note: {attrs['note']}")
        print(f"stored in {path}")
        print(f"next: {_next(dataset, path)}")
    sentence = str(dataset.attrs["status_sentence"]).rstrip(".")
    if not usable:
        print(f"Error: {dataset.attrs['run']}: {sentence}; the result is stored in {path}.", file=sys.stderr)
    elif not Status(dataset.attrs["status"]).good:
        print(f"Warning: {dataset.attrs['run']}: {sentence}.", file=sys.stderr)
    return 0 if usable else 1


def print_sweep(path: Path, as_json: bool, points: list[int] | None = None) -> int:
    """Print the state of a sweep; return 1 when a point failed."""
    from glassformer.sweeps._sweep import inspect_sweep

    inspection = inspect_sweep(path)
    chosen = [point for point in inspection.points if points is None or point.index in points]
    failed = [point for point in chosen if point.state == "failed"]
    finished = points is None and inspection.complete
    if as_json:
        answer: dict[str, Any] = {
            "name": inspection.study.name,
            "status": inspection.state if points is None else ("failed" if failed else "done"),
            "parameters": {"grid": {key: list(values) for key, values in inspection.study.axes.items()}},
            "points": inspection.counts,
            "failed": [{"point": p.index, **p.values, "status": p.status, "sentence": p.sentence} for p in failed],
        }
        if finished:
            from glassformer.sweeps._load import load

            dataset = load(path)
            answer["values"], answer["evidence"] = values_of(dataset), evidence_of(dataset)
        print_json({**answer, "directory": str(path)})
    else:
        if failed:
            rows = [(str(p.index), _label(p.values), p.status, p.sentence) for p in failed]
            print_table("failed points", ["point", "values", "status", "why"], rows)
        print(
            inspection.sentence
            if points is None
            else f"{len(chosen) - len(failed)} of {len(chosen)} points of {path} done."
        )
        print(f"next: glassformer {'plot' if finished else 'status'} {path}")
    if failed:
        print(
            f"Error: {len(failed)} of {len(chosen)} points failed; the first is point {failed[0].index} "
            f"({_label(failed[0].values)}): {failed[0].sentence}",
            file=sys.stderr,
        )
    return 1 if failed else 0


def check_jobs(jobs: int) -> None:
    """Refuse less than one process."""
    if jobs < 1:
        raise InvalidInputError(f"--jobs is {jobs}, but must be an integer >= 1.")


def check_executor(executor: str | None, scheduler: str | None, *, allow_slurm: bool) -> None:
    """Refuse unknown executors before anything is written."""
    from glassformer.sweeps._executors import KINDS, check_extra

    known = (*KINDS, "slurm") if allow_slurm else KINDS
    if executor is not None and executor not in known:
        raise InvalidInputError(f"--executor is {executor!r}, but must be one of {', '.join(known)}.")
    if scheduler is not None and executor != "dask":
        raise InvalidInputError(f"--scheduler is {scheduler!r}, but only --executor dask takes one.")
    if executor == "dask":
        check_extra()


def parse_points(text: str) -> list[int]:
    """Return the points of ``3`` or ``3:10`` (without 10)."""
    first, colon, last = text.partition(":")
    try:
        start = int(first)
        stop = int(last) if colon else start + 1
    except ValueError:
        raise InvalidInputError(f"--point is {text!r}, but must be a number like 3 or a range like 3:10.") from None
    if start < 0 or stop <= start:
        raise InvalidInputError(f"--point is {text!r}, but must be a range like 3:10, whose second number is larger.")
    return list(range(start, stop))


def _print_numbers(title: str, dataset: xr.Dataset) -> None:
    """Print what shares a coordinate as a table with a row per entry, after a line for each of the others."""
    width = min(console().width, WIDTH)
    table = entry_table(dataset, width)
    shown = () if table is None else table.head
    rows: list[tuple[str, ...]] = [row for row in value_rows(dataset) if row[0] not in shown]
    if rows:
        print_table(title, ["quantity", "value", "unit"], rows)
    if table is None:
        return
    print_table("" if rows else title, table.head, table.rows)
    notes = []
    if table.units:
        notes.append("units: " + "; ".join(f"{name}: {unit}" for name, unit in table.units.items()))
    if table.left_out:
        notes.append(
            f"columns left out: {', '.join(table.left_out)}; `glassformer export` and `run --json` have all numbers"
        )
    for note in notes:
        print(textwrap.fill(note, width, break_long_words=False, break_on_hyphens=False))


def _expected(dataset: xr.Dataset) -> list[str]:
    from glassformer.sweeps._registry import find

    return expected_lines(find(str(dataset.attrs["run"])), dataset)


def _parse_grid(assignments: list[str]) -> dict[str, Any]:
    axes: dict[str, Any] = {}
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals or not key.strip() or not text.strip():
            raise InvalidInputError(f"the axis {assignment!r} is not of the form key=values, as in --grid n=[16,32].")
        axes[key.strip()] = parse_value(text)
    return axes


def _interruptible(path: Path, label: str, work: Any) -> Any:
    try:
        with Reporter(label) as report:
            return work(report)
    except KeyboardInterrupt as error:
        stopped = "asked to stop" if isinstance(error, Terminated) else "interrupted"
        raise InterruptedRunError(
            f"{stopped}; what was finished is kept: `glassformer resume {path}` continues it.",
            143 if isinstance(error, Terminated) else 130,
        ) from error


def _next(dataset: xr.Dataset, path: Path) -> str:
    if (path / "figure.png").exists():
        return f"open {path / 'figure.png'}, or glassformer report {path}"
    return f"glassformer report {path}, or glassformer export {path}"


def _label(values: dict[str, Any]) -> str:
    return ", ".join(f"{key} = {value}" for key, value in values.items())

"""``report``: one HTML page that needs nothing but itself."""

from __future__ import annotations

import base64
import html
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glassformer._core._errors import InvalidInputError
from glassformer.cli._expected import allowed, expected_lines, outcomes
from glassformer.cli._values import evidence_of, jsonable, print_json, value_rows
from glassformer.sweeps._files import write_atomic
from glassformer.sweeps._load import load
from glassformer.sweeps._store import CONFIG, STUDY

if TYPE_CHECKING:
    import xarray as xr

    from glassformer.sweeps._spec import RunSpec

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
table { border-collapse: collapse; } td, th { text-align: left; padding: .15rem .8rem .15rem 0; vertical-align: top; }
th { border-bottom: 1px solid #999; } code, pre { font-size: .9rem; background: #f5f5f5; }
pre { padding: .8rem; overflow: auto; } img { max-width: 100%; } .bad { color: #a00; } .good { color: #060; }
@media (prefers-color-scheme: dark) { body { background: #1b1b1b; color: #ddd; } code, pre { background: #2a2a2a; }
img { background: #fff; } .bad { color: #f77; } .good { color: #7c7; } }
"""


def report_command(directory: Path, output: Path | None, as_json: bool) -> int:
    """Write the page and say where."""
    if output is not None and output.suffix.lower() not in (".html", ".htm"):
        raise InvalidInputError(f"the output is {str(output)!r}, but must end in .html.")
    if output is not None and not output.absolute().parent.is_dir():
        raise InvalidInputError(
            f"the output is {str(output)!r}, but {output.absolute().parent} is not a directory; create it first."
        )
    dataset = load(directory)
    target = output if output is not None else Path(f"{directory.absolute().name}.html")
    page = render_page(dataset, directory)
    write_atomic(target, page.encode())
    if as_json:
        print_json({"file": str(target), "directory": str(directory)})
    else:
        from glassformer.sweeps._registry import find

        for line in expected_lines(find(str(dataset.attrs["run"])), dataset):
            print(line)
        print(f"written: {target}")
        print(f"next: open {target} in a browser, or glassformer cite {directory}")
    return 0


def render_page(dataset: xr.Dataset, directory: Path) -> str:
    """Return the page: figure, expected numbers, values, evidence, configuration, sources."""
    from glassformer._core._citations import cite
    from glassformer._core._status import Status, evidence
    from glassformer.sweeps._registry import find

    name = str(dataset.attrs["run"])
    spec = find(name)
    status = str(dataset.attrs["status"])
    mark = "good" if status in list(Status) and Status(status).good else "bad"
    found = evidence(dataset).get("citations", [])
    sources = cite([*(found if isinstance(found, list) else []), "glassformer"])
    pieces = [
        f"<h1>{_text(name)}</h1><p>{_text(spec.summary)}</p>",
        f'<p class="{mark}">{_text(status)}: {_text(dataset.attrs["status_sentence"])}</p>',
        _figure(dataset, directory),
        _expected(spec, dataset),
        "<h2>Numbers</h2>" + _table(["quantity", "value", "unit"], value_rows(dataset)),
        "<h2>Evidence</h2>"
        + _table(["key", "value"], [(key, _plain(value)) for key, value in evidence_of(dataset).items()]),
        f"<h2>Configuration</h2><pre>{_text(_configuration(directory))}</pre>",
        f"<h2>Notes</h2><p>{_text(spec.notes)}</p>" if spec.notes else "",
        "<h2>Sources</h2><ul>" + "".join(f"<li>{_text(source.text)}</li>" for source in sources) + "</ul>",
    ]
    body = "\n".join(piece for piece in pieces if piece)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>{_text(name)}</title>'
        f"<style>{_STYLE}</style></head><body>\n{body}\n</body></html>\n"
    )


def _figure(dataset: xr.Dataset, directory: Path) -> str:
    from glassformer.cli._publish import figure_of
    from glassformer.sweeps._figure import render

    stored = directory / "figure.png"
    if stored.exists():
        image = stored.read_bytes()
    else:
        try:
            image = render(figure_of(dataset, directory, []))["figure.png"]
        except InvalidInputError:  # scalars only: the table says it all
            return ""
    return f'<img alt="figure" src="data:image/png;base64,{base64.b64encode(image).decode()}">'


def _expected(spec: RunSpec, dataset: xr.Dataset) -> str:
    rows = [
        (
            outcome.expected.quantity,
            allowed(outcome),
            outcome.found,
            "met" if outcome.met else "not met",
            outcome.expected.source,
        )
        for outcome in outcomes(spec, dataset)
    ]
    if not rows:
        return ""
    return "<h2>Expected</h2>" + _table(["quantity", "expected", "observed", "verdict", "source"], rows)


def _configuration(directory: Path) -> str:
    for name in (CONFIG, STUDY):
        if (directory / name).exists():
            return (directory / name).read_text(encoding="utf-8")
    return ""


def _table(head: list[str], rows: list[Any]) -> str:
    top = "".join(f"<th>{_text(cell)}</th>" for cell in head)
    lines = "".join("<tr>" + "".join(f"<td>{_text(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{top}</tr>{lines}</table>"


def _plain(value: Any) -> str:
    value = jsonable(value)
    if isinstance(value, dict):
        return ", ".join(f"{key} {item}" for key, item in value.items())
    return ", ".join(str(item) for item in value) if isinstance(value, list) else str(value)


def _text(value: Any) -> str:
    return html.escape(str(value))

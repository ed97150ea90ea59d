"""``plot``, ``export`` and ``cite``: from a stored result to what others read."""

from __future__ import annotations

import csv
import io
import itertools
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glassformer._core._errors import InvalidInputError
from glassformer.cli._values import jsonable, print_json
from glassformer.sweeps._files import make_directory, write_atomic
from glassformer.sweeps._load import load

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

FORMATS = ("nc", "csv", "npz", "json")
IMAGES = (".png", ".svg", ".pdf")


def figure_of(dataset: xr.Dataset, path: Path, variables: list[str]) -> Figure:
    """Return the figure of a result: the run's own, or for a sweep (or chosen variables) plain curves."""
    import matplotlib as mpl

    mpl.use("Agg")
    from glassformer.cli._curves import curves
    from glassformer.sweeps._registry import find

    if variables or "grid" in dataset.attrs:
        return curves(dataset, variables)
    spec = find(str(dataset.attrs["run"]))
    if spec.plot is None:
        return curves(dataset, variables)
    return spec.draw(dataset)


def plot_command(directory: Path, output: Path | None, variables: list[str], as_json: bool) -> int:
    """Draw a figure into the directory, or into `output`."""
    from glassformer.sweeps._figure import render
    from glassformer.sweeps._recommit import add_figures

    if output is not None and output.suffix.lower() not in IMAGES:
        raise InvalidInputError(f"the output is {str(output)!r}, but must end in {', '.join(IMAGES)}.")
    dataset = load(directory)
    figure = figure_of(dataset, directory, variables)
    if output is None:
        add_figures(directory, render(figure))
        written = [str(directory / "figure.png"), str(directory / "figure.svg")]
    else:
        buffer = io.BytesIO()
        figure.savefig(buffer, format=output.suffix[1:].lower(), dpi=150, bbox_inches="tight")
        make_directory(output.absolute().parent)
        write_atomic(output, buffer.getvalue())
        written = [str(output)]
    if as_json:
        print_json({"figures": written, "directory": str(directory)})
    else:
        print(f"drawn: {' and '.join(written)}")
        print(f"next: glassformer report {directory}")
    return 0


def export_command(directory: Path, form: str, output: Path | None, variables: list[str], as_json: bool) -> int:
    """Write the numbers in another format."""
    if output is not None and form == "csv" and output.suffix.lower()[1:] in FORMATS:
        form = output.suffix.lower()[1:]  # the name says it
    if form not in FORMATS:
        raise InvalidInputError(f"--format is {form!r}, but must be one of {', '.join(FORMATS)}.")
    dataset = load(directory)
    dataset = _choose(dataset, variables)
    data = {"nc": _nc, "csv": _csv, "npz": _npz, "json": _json}[form](dataset)
    target = output if output is not None else Path(f"{directory.absolute().name}.{form}")
    make_directory(target.absolute().parent)
    write_atomic(target, data)
    if as_json:
        print_json({"file": str(target), "format": form, "variables": [str(name) for name in dataset.data_vars]})
    else:
        print(f"written: {target}")
        print(f"next: glassformer cite {directory}")
    return 0


def cite_command(target: str, as_json: bool) -> int:
    """Print the sources of a result, or of a run that has no result yet."""
    from glassformer._core._citations import cite
    from glassformer._core._status import evidence
    from glassformer.sweeps._registry import find, known

    if Path(target).is_dir() and not known(target):
        found = evidence(load(target)).get("citations", [])
        keys = list(found) if isinstance(found, list) else []
    else:
        keys = list(find(target).citations)
    sources = cite([*keys, "glassformer"])
    if as_json:
        print_json(
            {"citations": [{"key": source.key, "text": source.text, "bibtex": source.bibtex} for source in sources]}
        )
    else:
        print("\n\n".join(source.bibtex for source in sources))
    return 0


def _choose(dataset: xr.Dataset, variables: list[str]) -> xr.Dataset:
    unknown = [name for name in variables if name not in dataset.variables]
    if unknown:
        raise InvalidInputError(
            f"the variable is {unknown[0]!r}, but must be one of {', '.join(str(name) for name in dataset.data_vars)}."
        )
    return dataset[variables] if variables else dataset


def _nc(dataset: xr.Dataset) -> bytes:
    from glassformer.sweeps._netcdf import to_bytes

    return to_bytes(dataset)


def _npz(dataset: xr.Dataset) -> bytes:
    import numpy as np

    buffer = io.BytesIO()
    np.savez_compressed(buffer, **{str(name): dataset[name].values for name in dataset.variables})  # type: ignore[arg-type]
    return buffer.getvalue()


def _json(dataset: xr.Dataset) -> bytes:
    from glassformer._core._status import evidence

    content = {
        "variables": {
            str(name): {
                "dims": list(variable.dims),
                "values": variable.values,
                "units": variable.attrs.get("units", ""),
            }
            for name, variable in dataset.variables.items()
        },
        "evidence": evidence(dataset),
    }
    return (json.dumps(jsonable(content), ensure_ascii=False, allow_nan=False) + "\n").encode()


def _csv(dataset: xr.Dataset) -> bytes:
    """A wide table (one column per variable) where all variables share their dimensions, a long one elsewhere."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    grid = tuple(json.loads(dataset.attrs["grid"])) if "grid" in dataset.attrs else None
    names = [str(name) for name in dataset.data_vars]
    if grid is not None:  # of a sweep, the numbers that each point has one of; arrays have formats of their own
        names = [name for name in names if dataset[name].dims == grid] or names
    shapes = {dataset[name].dims for name in names}
    if len(shapes) == 1:
        dims = next(iter(shapes))
        writer.writerow([*dims, *names])
        columns = [dataset[name].values for name in names]
        for position in itertools.product(*(range(dataset.sizes[dim]) for dim in dims)):
            labels = [_label(dataset, str(dim), index) for dim, index in zip(dims, position)]
            writer.writerow([*labels, *(_cell(column[position]) for column in columns)])
    else:
        dims = tuple(dict.fromkeys(dim for name in names for dim in dataset[name].dims))
        writer.writerow(["variable", *dims, "value"])
        for name in names:
            variable = dataset[name]
            for position in itertools.product(*(range(size) for size in variable.shape)):
                at = dict(zip(variable.dims, position))
                labels = [_label(dataset, str(dim), at[dim]) if dim in at else "" for dim in dims]
                writer.writerow([name, *labels, _cell(variable.values[position])])
    return stream.getvalue().encode()


def _label(dataset: xr.Dataset, dim: str, index: int) -> Any:
    return _cell(dataset.coords[dim].values[index]) if dim in dataset.coords else index


def _cell(value: Any) -> Any:
    plain = value.item() if hasattr(value, "item") else value
    return repr(plain) if isinstance(plain, float) else plain

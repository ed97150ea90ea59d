"""Results as JSON and as tables."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import xarray as xr
    from rich.console import Console

    from glassformer.sweeps._config import RunConfig

SHORT = {1: 64, 2: 256}  # entries of a vector and of a matrix that are printed


def jsonable(value: Any) -> Any:
    """Return `value` as JSON knows it: NaN becomes null, infinity the words ``inf`` and ``-inf``."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [jsonable(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)


def print_json(value: Any) -> None:
    """Print one JSON object on standard output."""
    print(json.dumps(jsonable(value), indent=2, ensure_ascii=False, allow_nan=False))


def values_of(dataset: xr.Dataset) -> dict[str, Any]:
    """Return every scalar, every vector of at most 64 entries and every matrix of at most 256, by name."""
    return {
        str(name): jsonable(variable.values)
        for name, variable in dataset.variables.items()
        if variable.ndim == 0 or (variable.ndim <= 2 and variable.size <= SHORT[variable.ndim])
    }


def parameters_of(config: RunConfig) -> dict[str, Any]:
    """Return the resolved settings; arrays as shape and digest."""
    from glassformer.sweeps._arrays import array_digest
    from glassformer.sweeps._config import to_table

    def plain(value: Any) -> Any:
        if hasattr(value, "shape"):
            return {"shape": list(value.shape), "sha256": array_digest(value)}
        if isinstance(value, dict):
            return {key: plain(item) for key, item in value.items()}
        return value

    table: dict[str, Any] = plain(to_table(config))
    return {key: None if getattr(config, key) is None else value for key, value in table.items()}


def evidence_of(dataset: xr.Dataset) -> dict[str, Any]:
    """Return the evidence without what stands beside it."""
    from glassformer._core._status import evidence

    return {
        key: value for key, value in evidence(dataset).items() if key not in ("directory", "run", "status", "table")
    }


def run_object(dataset: xr.Dataset, path: Path) -> dict[str, Any]:
    """Return what ``run --json`` prints."""
    from glassformer.sweeps._store import read_config

    stored = read_config(path)
    return {
        "name": stored.name,
        "status": dataset.attrs["status"],
        "parameters": parameters_of(stored.config),
        "values": values_of(dataset),
        "evidence": evidence_of(dataset),
        "directory": str(path),
    }


def console() -> Console:
    """Return the console of standard output; lines are not broken when nobody looks."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 200, highlight=False, markup=False, emoji=False)


def number(value: Any) -> str:
    """Return a number for a table."""
    if isinstance(value, bool) or not isinstance(value, float):
        return str(value)
    return "undefined" if math.isnan(value) else f"{value:.6g}"


def value_rows(dataset: xr.Dataset) -> list[tuple[str, str, str]]:
    """Return name, value with error, and unit of every scalar, and a short form of every vector."""
    rows: list[tuple[str, str, str]] = []
    for name, variable in dataset.data_vars.items():
        label = str(name)
        if label.endswith("_error") and label.removesuffix("_error") in dataset:
            continue
        unit = str(variable.attrs.get("units", ""))
        if variable.ndim == 0:
            text = number(variable.values.tolist())
            error = dataset.get(f"{label}_error")
            if error is not None and error.ndim == 0 and math.isfinite(float(error)):
                text += f" ± {float(error):.2g}"
        else:
            shape = " x ".join(f"{dim} {size}" for dim, size in variable.sizes.items())
            text = f"({shape})"
            if variable.ndim == 1 and variable.size <= 6:
                text = "[" + ", ".join(number(entry) for entry in variable.values.tolist()) + f"]  {shape}"
        rows.append((label, text, unit))
    return rows


def print_table(title: str, head: list[str], rows: Sequence[tuple[str, ...]]) -> None:
    """Print a table on standard output."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(title), title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for column in head:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    console().print(table)

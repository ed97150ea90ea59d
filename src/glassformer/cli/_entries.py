"""Numbers along one coordinate as a table with one row per entry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from glassformer.cli._values import number

if TYPE_CHECKING:
    import xarray as xr

ENTRIES = 60  # rows of a table that is printed
_GAP, _EDGES = 3, 2  # spaces between two columns, and on both sides of the table


@dataclass(frozen=True)
class EntryTable:
    """The columns that fit, the coordinate first, as text; and the names of those that do not."""

    head: list[str]
    rows: list[tuple[str, ...]]
    left_out: list[str]
    units: dict[str, str]


def entry_table(dataset: xr.Dataset, width: int) -> EntryTable | None:
    """Return the numbers along the coordinate that most variables have to themselves, or None if there is none.

    Values come before standard errors, in the order of the Dataset, and as many as fit into `width` characters.
    """
    shared = {
        str(name): [str(key) for key, variable in dataset.data_vars.items() if variable.dims == (name,)]
        for name, coordinate in dataset.coords.items()
        if coordinate.dims == (name,) and 2 <= coordinate.size <= ENTRIES
    }
    axis = max(shared, key=lambda name: len(shared[name]), default=None)
    if axis is None or not shared[axis]:
        return None
    errors = [name for name in shared[axis] if _is_error(name, shared[axis])]
    names = [axis, *(name for name in shared[axis] if name not in errors), *errors]
    columns = {name: _column(dataset[name], name in errors) for name in names}
    kept: list[str] = []
    used = _EDGES
    for name in names:
        used += max(len(name), *map(len, columns[name])) + (_GAP if kept else 0)
        if used > width and len(kept) >= 2:
            break
        kept.append(name)
    units = {name: str(dataset[name].attrs.get("units", "")) for name in kept if name not in errors}
    return EntryTable(
        kept,
        list(zip(*(columns[name] for name in kept))),
        names[len(kept) :],
        {name: unit for name, unit in units.items() if unit not in ("", "1")},
    )


def _is_error(name: str, names: list[str]) -> bool:
    return name.endswith("_error") and name.removesuffix("_error") in names


def _column(variable: xr.DataArray, error: bool) -> list[str]:
    def cell(value: Any) -> str:
        return f"{value:.2g}" if error and isinstance(value, float) and value == value else number(value)

    return [cell(value) for value in variable.values.tolist()]

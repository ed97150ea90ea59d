"""Plain curves for results that have no figure of their own: every scalar of a sweep against its first axis."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from glassformer._core._errors import InvalidInputError

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST = 6  # panels that are drawn unless variables are chosen


def curves(dataset: xr.Dataset, variables: list[str]) -> Figure:
    """Return one panel per variable; one curve per value of the other dimensions, with error bars where there are any."""
    from matplotlib.figure import Figure

    candidates = _candidates(dataset)
    unknown = [name for name in variables if name not in candidates]
    if unknown or not candidates:
        wanted = f"the variable is {unknown[0]!r}" if unknown else "there is nothing to draw"
        raise InvalidInputError(
            f"{wanted}, but a curve needs numbers along an axis: {', '.join(candidates) or 'none here'}; "
            "`glassformer export` writes the rest."
        )
    names = variables or candidates[:MOST]
    columns = min(len(names), 2)
    rows = -(-len(names) // columns)
    figure = Figure(figsize=(4.5 * columns, 3.2 * rows), layout="constrained")
    for index, name in enumerate(names):
        axes = figure.add_subplot(rows, columns, index + 1)
        _panel(axes, dataset, name)
    return figure


def _candidates(dataset: xr.Dataset) -> list[str]:
    grid = tuple(json.loads(dataset.attrs["grid"])) if "grid" in dataset.attrs else None
    names = []
    for name, variable in dataset.data_vars.items():
        numeric = variable.dtype.kind in "fiu" and np.isfinite(variable.values).any()
        shown = variable.dims == grid if grid is not None else 1 <= variable.ndim <= 2
        if numeric and shown and not str(name).endswith(("_error", "_wall_time")):
            names.append(str(name))
    return names


def _panel(axes: Axes, dataset: xr.Dataset, name: str) -> None:
    variable = dataset[name]
    dims = [str(dim) for dim in variable.dims]
    along = next((dim for dim in dims if _numeric(dataset, dim)), dims[0])
    others = [dim for dim in dims if dim != along]
    order = [*others, along]
    values = variable.transpose(*order).values.reshape(-1, variable.sizes[along])
    errors = None
    if f"{name}_error" in dataset and dataset[f"{name}_error"].dims == variable.dims:
        errors = dataset[f"{name}_error"].transpose(*order).values.reshape(values.shape)
    place = dataset.coords[along].values if along in dataset.coords else np.arange(variable.sizes[along])
    if place.dtype.kind not in "fiu":
        place = place.astype(str)
    elif len(place) > 2 and (place > 0).all() and place.max() / place.min() > 50:
        axes.set_xscale("log")
    for row in range(min(len(values), 12)):
        label = _label(dataset, others, row) if others else None
        axes.errorbar(place, values[row], None if errors is None else errors[row], marker=".", capsize=2, label=label)
    axes.set_xlabel(along)
    axes.set_ylabel(name + (f" [{variable.attrs['units']}]" if "units" in variable.attrs else ""), fontsize="small")
    if others:
        axes.legend(fontsize="x-small")


def _numeric(dataset: xr.Dataset, dim: str) -> bool:
    return dim in dataset.coords and dataset.coords[dim].dtype.kind in "fiu" and dataset.sizes[dim] > 1


def _label(dataset: xr.Dataset, dims: list[str], row: int) -> str:
    position = np.unravel_index(row, [dataset.sizes[dim] for dim in dims])
    parts: list[str] = []
    for dim, index in zip(dims, position):
        value: Any = dataset.coords[dim].values[index] if dim in dataset.coords else int(index)
        parts.append(f"{dim} = {value:.4g}" if isinstance(value, float) else f"{dim} = {value}")
    return ", ".join(parts)

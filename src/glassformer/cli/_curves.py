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
MOST_CURVES = 8  # in one panel
# What a reader asks first is drawn first; the rest in the order of the result.
FIRST = ("alignment_of_mean", "mean_of_alignment", "magnetization_sum_of_squares", "energy", "entropy_production")


def curves(dataset: xr.Dataset, variables: list[str]) -> Figure:
    """Return one panel per variable; one curve per value of the other dimensions, with error bars where there are any."""
    from glassformer.plotting._style import panels, style

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
    with style():
        figure, places = panels(columns, rows=-(-len(names) // columns))
        for axes, name in zip(places, names):
            _panel(axes, dataset, name)
        for axes in places[len(names) :]:
            axes.remove()
    return figure


def _candidates(dataset: xr.Dataset) -> list[str]:
    grid = tuple(json.loads(dataset.attrs["grid"])) if "grid" in dataset.attrs else None
    names = []
    for name, variable in dataset.data_vars.items():
        numeric = variable.dtype.kind in "fiu" and np.isfinite(variable.values).any()
        shown = variable.dims == grid if grid is not None else 1 <= variable.ndim <= 2
        if numeric and shown and not str(name).endswith(("_error", "_wall_time")):
            names.append(str(name))
    return [*(name for name in FIRST if name in names), *(name for name in names if name not in FIRST)]


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
    elif along != "time" and len(place) > 2 and (place > 0).all() and place.max() / place.min() > 50:
        axes.set_xscale("log")
    for row in range(min(len(values), MOST_CURVES)):
        label = _label(dataset, others, row) if others else None
        axes.errorbar(place, values[row], None if errors is None else errors[row], marker=".", capsize=2, label=label)
    axes.set_xlabel("inverse temperature β" if along == "beta" else along.replace("_", " "))
    shown = f" ({MOST_CURVES} of {len(values)} curves)" if len(values) > MOST_CURVES else ""
    axes.set_title(name.replace("_", " ") + shown)
    if others:
        axes.legend()


def _numeric(dataset: xr.Dataset, dim: str) -> bool:
    return dim in dataset.coords and dataset.coords[dim].dtype.kind in "fiu" and dataset.sizes[dim] > 1


def _label(dataset: xr.Dataset, dims: list[str], row: int) -> str:
    position = np.unravel_index(row, [dataset.sizes[dim] for dim in dims])
    parts: list[str] = []
    for dim, index in zip(dims, position):
        value: Any = dataset.coords[dim].values[index] if dim in dataset.coords else int(index)
        parts.append(f"{dim} = {value:.4g}" if isinstance(value, float) else f"{dim} = {value}")
    return ", ".join(parts)

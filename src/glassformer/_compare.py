"""The verb `compare`: simulation and theories in one table, with deviations in standard errors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from glassformer._core._errors import invalid

if TYPE_CHECKING:
    import xarray as xr

# What a reader asks first comes first; anything else that both sides share is left to `variables`.
DEFAULT_VARIABLES = (
    "alignment_of_mean",
    "mean_of_alignment",
    "magnetization_sum_of_squares",
    "covariance_trace",
    "energy",
    "entropy_production",
)


@dataclass(frozen=True)
class Comparison:
    """What `compare` returns: print it for the table, or take ``dataset`` for the numbers.

    ``dataset`` has ``value``, ``error`` and ``deviation`` with dims ``(quantity, solver)``; ``deviation`` is
    (value - reference) / error of the reference, NaN where the reference has no error bar. For whole arrays
    (magnetisations, correlations) the ``quantity`` is the root-mean-square difference, relative to the
    root-mean-square of the reference.
    """

    dataset: xr.Dataset
    reference: str

    def __str__(self) -> str:
        data = self.dataset
        methods = [str(name) for name in data["solver"].values]
        others = [name for name in methods if name != self.reference]
        head = ["quantity", f"{self.reference} ± error", *others]
        rows = [head]
        for quantity in data["quantity"].values:
            line = data.sel(quantity=quantity)
            value = float(line["value"].sel(solver=self.reference))
            error = float(line["error"].sel(solver=self.reference))
            cells = [str(quantity), _value(value) + (f" ± {error:.1g}" if math.isfinite(error) else "")]
            for name in others:
                other = float(line["value"].sel(solver=name))
                deviation = float(line["deviation"].sel(solver=name))
                cells.append(_value(other) + (f" ({deviation:+.1f}σ)" if math.isfinite(deviation) else ""))
            rows.append(cells)
        widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]
        return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def compare(reference: xr.Dataset, /, *others: xr.Dataset, variables: Sequence[str] | None = None) -> Comparison:
    """Lay results side by side and measure each against the first.

    Parameters
    ----------
    reference : Dataset
        Usually a simulation: its error bars are the yardstick.
    *others : Dataset
        Results of `solve` or `simulate` for the same model.
    variables : sequence of str, optional
        Scalar variables to show; by default the common ones among the usual scalars.

    Returns
    -------
    Comparison
        Printable; ``.dataset`` holds ``value``, ``error``, ``deviation`` with dims ``(quantity, solver)``.

    Raises
    ------
    InvalidInputError
        When there is nothing to compare, or the results are of different systems.

    Examples
    --------
    >>> import glassformer as gf
    >>> model = gf.VectorSpin([[0.0]], [[1.0, 0.0, 0.0]], radius="unit")
    >>> sim = gf.simulate(model, gf.ParallelHeatBath(1.0), steps=200, replicas=4, seed=1)
    >>> table = gf.compare(sim, gf.solve(model, gf.NaiveMeanField(1.0)))
    >>> abs(float(table.dataset["deviation"].sel(quantity="mean_of_alignment")[1])) < 6
    True
    """
    import xarray as xr

    results = (reference, *others)
    if not others:
        raise invalid(
            "the number of results to compare", 1, "at least 2", "pass the simulation first, then the theories"
        )
    for result in others:
        for dim in ("site", "component"):
            if dim in reference.sizes and dim in result.sizes and reference.sizes[dim] != result.sizes[dim]:
                raise invalid(
                    f"the length of {dim!r}", result.sizes[dim], f"{reference.sizes[dim]} as in the first result"
                )
    names = _names(results)
    if variables is None:
        scalars = [v for v in DEFAULT_VARIABLES if all(v in r and r[v].ndim == 0 for r in results)]
    else:
        scalars = list(variables)
        for variable in scalars:
            for name, result in zip(names, results):
                if variable not in result or result[variable].ndim:
                    usable = ", ".join(sorted(str(v) for v in result if result[v].ndim == 0))
                    raise invalid("the variable to compare", variable, f"a scalar of {name}: {usable}")
    arrays = [
        v
        for v in ("magnetization", "correlation", "delayed_correlation")
        if variables is None and all(v in r and r[v].dims == reference[v].dims for r in results)
    ]
    rows, quantities = [], []
    for variable in scalars:
        value = np.array([float(r[variable]) for r in results])
        error = np.array([float(r[f"{variable}_error"]) if f"{variable}_error" in r else np.nan for r in results])
        with np.errstate(divide="ignore", invalid="ignore"):
            deviation = np.where(error[0] > 0, (value - value[0]) / error[0], np.nan)
        rows.append((value, error, deviation))
        quantities.append(variable)
    for variable in arrays:
        base = np.asarray(reference[variable])
        if variable == "correlation":  # the diagonal is fixed by the sphere; the physics is off it
            base = base - np.diag(np.diag(base))
        scale = math.sqrt(float(np.mean(base**2)))
        if scale == 0.0:
            continue
        differences = []
        for result in results:
            other = np.asarray(result[variable])
            if variable == "correlation":
                other = other - np.diag(np.diag(other))
            differences.append(math.sqrt(float(np.mean((other - base) ** 2))) / scale)
        error = np.full(len(results), np.nan)
        if f"{variable}_error" in reference:
            # The part of the difference that the noise of the reference alone explains.
            noise = np.asarray(reference[f"{variable}_error"])
            if variable == "correlation":
                noise = noise - np.diag(np.diag(noise))
            error[0] = math.sqrt(float(np.mean(noise**2))) / scale
        rows.append((np.array(differences), error, np.full(len(results), np.nan)))
        quantities.append(f"{variable}_rms_difference")
    if not rows:
        raise invalid("the variables that all results share", [], "at least one scalar or array of the same dims")
    stacked = [np.stack([row[k] for row in rows]) for k in range(3)]
    dims = ("quantity", "solver")
    dataset = xr.Dataset(
        {name: (dims, array) for name, array in zip(("value", "error", "deviation"), stacked)},
        coords={"quantity": quantities, "solver": names},
        attrs={"reference": names[0], "averages_over": reference.attrs.get("averages_over", "")},
    )
    return Comparison(dataset=dataset, reference=names[0])


def _names(results: Sequence[xr.Dataset]) -> list[str]:
    names: list[str] = []
    for result in results:
        name = str(result.attrs.get("method", "result"))
        count = sum(existing.split(" #")[0] == name for existing in names)
        names.append(name if count == 0 else f"{name} #{count + 1}")
    return names


def _value(value: float) -> str:
    return f"{value:.5g}" if math.isfinite(value) else "undefined"

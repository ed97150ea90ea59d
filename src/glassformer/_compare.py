"""The verb `compare`: simulation and theories in one table, with deviations in standard errors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from glassformer._core._errors import invalid
from glassformer._core._status import Status
from glassformer._core._validation import FloatArray

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
    "q0",
    "entropy_rate",
)
DEFAULT_ARRAYS = ("magnetization", "correlation", "delayed_correlation", "autocorrelation")
_ROUNDING = 1e-13
_RESOLVED = 3.0  # times its noise that an array must measure before anything is compared with it
# Different stationary laws may share their means, but nothing else.
_ONE_POINT = ("alignment_of_mean", "mean_of_alignment", "magnetization_sum_of_squares", "covariance_trace")
_LIMITS = ("StationaryDMFT", "TransientDMFT")  # for infinitely many sites
_PROCESSES = {
    "parallel": "the parallel process",
    "sequential": "the sequential process",
    "boltzmann": "the Boltzmann law",
}


@dataclass(frozen=True)
class Comparison:
    """What `compare` returns: print it for the table, or take ``dataset`` for the numbers.

    ``dataset`` has ``value``, ``error`` and ``deviation`` with dims ``(quantity, solver)``; ``deviation`` is
    (value - reference) over the standard error of the difference, NaN where neither side has an error bar. For whole
    arrays (magnetisations, correlations off the diagonal) the ``quantity`` is the root-mean-square difference over all
    entries, relative to the root-mean-square of the reference, and ``error`` is what noise alone would make of it; it is
    NaN for a theory that says nothing (naive mean field and TAP have no equal-time correlations), and an array that the
    reference does not resolve from zero is left out. ``status`` has dim ``(solver,)``. Below the table stand the statuses
    that are not good, and the theories that describe another process than the reference; these get no deviation for
    anything but means.
    """

    dataset: xr.Dataset
    reference: str

    def __str__(self) -> str:
        data = self.dataset
        names = [str(name) for name in data["solver"].values]
        rows = [["quantity", *names]]
        for quantity in data["quantity"].values:
            line = data.sel(quantity=quantity)
            cells = [str(quantity)]
            for name in names:
                value, error, deviation = (float(line[key].sel(solver=name)) for key in ("value", "error", "deviation"))
                cell = f"{value:.5g}" if math.isfinite(value) else "undefined"
                cell += f" ± {error:.1g}" if math.isfinite(error) else ""
                cells.append(cell + (f" ({deviation:+.1f}σ)" if math.isfinite(deviation) else ""))
            rows.append(cells)
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]
        warnings = [
            f"{name}: {status}. {Status(status).sentence}"
            for name, status in zip(names, data["status"].values)
            if status in list(Status) and not Status(status).good
        ]
        return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:], *warnings, *data.attrs["notes"]])


def compare(reference: xr.Dataset, /, *others: xr.Dataset, variables: Sequence[str] | None = None) -> Comparison:
    """Lay results side by side and measure each against the first.

    Parameters
    ----------
    reference : Dataset
        Usually a simulation: its error bars are the yardstick.
    *others : Dataset
        Results of `solve` or `simulate` for the same model at the same temperature.
    variables : sequence of str, optional
        Scalar variables to show; by default the common ones among the usual scalars.

    Returns
    -------
    Comparison
        Printable; ``.dataset`` holds ``value``, ``error``, ``deviation`` with dims ``(quantity, solver)``.

    Raises
    ------
    InvalidInputError
        When there is nothing to compare, or the results are of different systems or temperatures.

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
    _require_same_system(results)
    names = _names(results)
    scalars = _scalars(results, names, variables)
    arrays = [
        v
        for v in DEFAULT_ARRAYS
        if variables is None and all(v in r and r[v].dims == reference[v].dims for r in results)
    ]
    rows = {variable: _scalar_row(results, variable) for variable in scalars}
    notes = _other_processes(results, names)
    limits = _finite_size(results, names)
    for variable, (_, _, deviation) in rows.items():
        if variable not in _ONE_POINT:
            deviation[[name in notes for name in names]] = np.nan
    for variable in arrays:
        row = _array_row(results, variable)
        if row is not None:
            rows[f"{variable}_rms_difference"] = row
    if not rows:
        raise invalid("the variables that all results share", [], "at least one scalar or array of the same dims")
    dims = ("quantity", "solver")
    dataset = xr.Dataset(
        {
            **{name: (dims, np.stack([row[k] for row in rows.values()])) for k, name in enumerate(_COLUMNS)},
            "status": ("solver", [str(result.attrs.get("status", Status.OK.value)) for result in results]),
        },
        coords={"quantity": list(rows), "solver": names},
        attrs={
            "reference": names[0],
            "averages_over": reference.attrs.get("averages_over", ""),
            "notes": [*notes.values(), *limits],
        },
    )
    return Comparison(dataset=dataset, reference=names[0])


_COLUMNS = ("value", "error", "deviation")
Row = tuple[FloatArray, FloatArray, FloatArray]


def _require_same_system(results: Sequence[xr.Dataset]) -> None:
    """Raise when two results are of different couplings, fields, radius or temperature, as far as they say."""
    reference = results[0]
    for result in results[1:]:
        for dim in ("site", "component", "beta"):
            sized = (reference.sizes.get(dim, 0), result.sizes.get(dim, 0))
            if dim == "site" and 0 in sized and reference.attrs.get("process") == "extended_context":
                continue  # the infinite-size limit, and averages over draws, have no sites
            if reference.sizes.get(dim, 0) != result.sizes.get(dim, 0):
                raise invalid(
                    f"the length of {dim!r}", result.sizes.get(dim, 0), f"{reference.sizes.get(dim, 0)} as in the first"
                )
        name = result.attrs.get("method", "the result")
        for what, first, other in (
            ("the model", reference.attrs.get("model"), result.attrs.get("model")),
            ("beta", _temperature(reference), _temperature(result)),
        ):
            if first is not None and other is not None and first != other:
                raise invalid(f"{what} of {name}", other, f"{first} as in the first", "compare results of one system")


def _temperature(result: xr.Dataset) -> object:
    """Return what a result says of its temperature; one level of a ladder says it in its coordinate."""
    chosen = result.coords.get("beta")
    return float(chosen) if chosen is not None and chosen.ndim == 0 else result.attrs.get("beta")


def _other_processes(results: Sequence[xr.Dataset], names: list[str]) -> dict[str, str]:
    """Return a note for every result whose stationary law is another one than that of the reference."""
    process = str(results[0].attrs.get("process"))
    return {
        name: f"{name} describes {_PROCESSES[other]}, {names[0]} {_PROCESSES[process]}: means may agree, energies, "
        "correlations and entropy production need not."
        for name, result in zip(names, results)
        if (other := result.attrs.get("process", process)) != process and process in _PROCESSES
    }


def _finite_size(results: Sequence[xr.Dataset], names: list[str]) -> list[str]:
    """Say how far the limit of infinite size may lie from a simulation of sequences, beyond all error bars."""
    n = results[0].attrs.get("n")
    limits = [name for name, result in zip(names, results) if result.attrs.get("method") in _LIMITS]
    if results[0].attrs.get("process") != "extended_context" or n is None or not limits:
        return []
    verb = "is" if len(limits) == 1 else "are"
    return [
        f"{' and '.join(limits)} {verb} of infinite size: time averages of one draw of the couplings lie about 2/N = "
        f"{2.0 / float(n):.2g} from it, more near criticality; σ counts sampling errors of {names[0]} alone"
        + (", over draws." if results[0].attrs.get("draws", 1) > 1 else ", which do not contain that.")
    ]


def _scalars(results: Sequence[xr.Dataset], names: list[str], variables: Sequence[str] | None) -> list[str]:
    if variables is None:
        shared = [v for v in DEFAULT_VARIABLES if all(v in r and r[v].ndim == 0 for r in results)]
        if "entropy_production" in shared and len({r["entropy_production"].attrs.get("units") for r in results}) > 1:
            shared[shared.index("entropy_production")] = "entropy_production_per_spin"  # whole system beside a limit
        return shared
    for variable in variables:
        for name, result in zip(names, results):
            if variable not in result or result[variable].ndim:
                usable = ", ".join(sorted(str(v) for v in result if result[v].ndim == 0))
                raise invalid("the variable to compare", variable, f"a scalar of {name}: {usable}")
    return list(variables)


def _scalar_row(results: Sequence[xr.Dataset], variable: str) -> Row:
    value = np.array([float(r[variable]) for r in results])
    error = np.array([float(r.get(f"{variable}_error", np.nan)) for r in results])
    error[error <= _ROUNDING * np.abs(value)] = 0.0  # a constant has no error bar, only rounding
    noise = np.hypot(np.nan_to_num(error[0]), np.nan_to_num(error))  # results are independent of each other
    deviation = np.full(len(results), np.nan)
    np.divide(value - value[0], noise, out=deviation, where=noise > 0)
    deviation[0] = np.nan
    return value, np.where(error > 0.0, error, np.nan), deviation


def _array_row(results: Sequence[xr.Dataset], variable: str) -> Row | None:
    def off_site(matrix: FloatArray) -> FloatArray:  # the diagonal is fixed by the sphere; the physics is off it
        return matrix - np.diag(np.diag(matrix)) if variable == "correlation" else matrix

    def size(array: FloatArray) -> float:
        return math.sqrt(float(np.mean(array**2)))

    if "lag" in results[0][variable].dims:  # as far as all go
        common = min(r.sizes["lag"] for r in results)
        results = [r.isel(lag=slice(common)) for r in results]
    base = off_site(np.asarray(results[0][variable]))
    noise = size(off_site(np.asarray(results[0][f"{variable}_error"]))) if f"{variable}_error" in results[0] else 0.0
    if (scale := size(base)) <= _RESOLVED * noise:
        return None
    given = [off_site(np.asarray(r[variable])) for r in results]
    silent = [variable != "magnetization" and not array.any() for array in given]
    value = np.array([np.nan if nothing else size(array - base) / scale for array, nothing in zip(given, silent)])
    error = np.array(
        [
            size(off_site(np.asarray(r[f"{variable}_error"]))) / scale if f"{variable}_error" in r else np.nan
            for r in results
        ]
    )
    return value, error, np.full(len(results), np.nan)


def _names(results: Sequence[xr.Dataset]) -> list[str]:
    names: list[str] = []
    for result in results:
        name = str(result.attrs.get("method", "result"))
        count = sum(existing.split(" #")[0] == name for existing in names)
        names.append(name if count == 0 else f"{name} #{count + 1}")
    return names

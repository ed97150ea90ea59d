"""`vector/relaxation`: how the user's own couplings relax, by Gram closure, simulation, and exactly where that is possible."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import Field

from glassformer._core._errors import InvalidInputError, invalid
from glassformer.dynamics._motion import one_blas_thread
from glassformer.runs.vector import ParallelConfig
from glassformer.sweeps import RunContext, RunSpec

if TYPE_CHECKING:
    import xarray as xr

    from glassformer.models import VectorSpin

_LARGEST = 10  # spins by enumeration
_MATRICES = 256  # spins
_STORED = 2**27  # numbers of a stored path: a gigabyte


class RelaxationConfig(ParallelConfig):
    """Modes, lagged correlations and response of one steady state."""

    lags: Annotated[int, Field(ge=1, description="largest lag")] = 16
    steps: Annotated[int, Field(ge=2, description="measured parallel steps of the simulation")] = 400


def _relax(config: RelaxationConfig, part: dict[str, Any], context: RunContext) -> xr.Dataset:
    import glassformer as gf

    model = config.build()
    if config.steps <= config.lags:
        raise invalid("steps", config.steps, f"more than lags = {config.lags}")
    size = config.steps * config.replicas * model.n * model.dim
    if size > _STORED:
        raise invalid(
            "the stored paths, steps x replicas x sites x components", size, f"at most {_STORED}", "lower steps"
        )
    solved, unresolved = {"gram": _solve(config, model, gf.GramClosure(config.beta))}, ""
    if model.dim == 1 and model.n <= _LARGEST:
        try:
            solved["enumeration"] = _solve(config, model, gf.Enumeration(config.beta))
        except InvalidInputError as error:  # at low temperature; the others still have an answer
            unresolved = f" Enumeration is left out: {error}"
    simulation = gf.simulate(
        model, gf.ParallelHeatBath(config.beta), steps=config.steps, burn_in=config.burn_in, replicas=config.replicas,
        seed=config.seed, measure=gf.Measure(snapshots=config.steps), progress=context.progress,
        checkpoint=context.checkpoint, throw=False,
    )  # fmt: skip
    paths = simulation["snapshots"].values.transpose(1, 0, 2, 3)
    with one_blas_thread():  # the same bits whatever the number of threads
        variables = _measured(config, simulation, paths)
    for name, found in solved.items():
        for quantity in found.data_vars:
            variables[f"{quantity}_{name}"] = (found[quantity].dims, found[quantity].values)
    dataset = _labelled(config, simulation, solved, variables)
    dataset.attrs["note"] += unresolved
    return dataset


def _solve(config: RelaxationConfig, model: VectorSpin, method: Any) -> xr.Dataset:
    import glassformer as gf

    return gf.solve(model, gf.Relaxation(method), steps=config.lags, throw=False)


def _measured(config: RelaxationConfig, simulation: xr.Dataset, paths: np.ndarray) -> dict[str, Any]:
    """Return what the simulation says; spins that do not fluctuate have no modes."""
    from glassformer.observables import lagged_correlation, relaxation_modes, spin_autocorrelation

    variables: dict[str, Any] = {}
    try:
        own = spin_autocorrelation(paths, config.lags)
        variables["autocorrelation"], variables["autocorrelation_error"] = ("lag", own.value), ("lag", own.error)
        modes = relaxation_modes(simulation["correlation"], simulation["delayed_correlation"])
        variables |= {"mode_rate": ("mode", modes.rate), "mode_angle": ("mode", modes.angle)}
        variables |= {"relaxation_rate": float(modes.rate[0]), "relaxation_angle": abs(float(modes.angle[0]))}
    except InvalidInputError:
        variables |= {"relaxation_rate": math.nan, "relaxation_angle": math.nan}
    if paths.shape[2] <= _MATRICES:
        lagged = lagged_correlation(paths, config.lags)
        dims = ("lag", "site", "site_")
        variables["lagged_correlation"], variables["lagged_correlation_error"] = (
            (dims, lagged.value),
            (dims, lagged.error),
        )
    return variables


def _labelled(
    config: RelaxationConfig, simulation: xr.Dataset, solved: dict[str, xr.Dataset], variables: dict[str, Any]
) -> xr.Dataset:
    import xarray as xr

    import glassformer as gf

    dataset = xr.Dataset(variables, coords={"lag": np.arange(config.lags + 1)}, attrs=simulation.attrs)
    citations = list(gf.evidence(simulation)["citations"])
    failed = [found for found in solved.values() if gf.Status(found.attrs["status"]).failed]
    for found in solved.values():
        citations += [key for key in gf.evidence(found)["citations"] if key not in citations]
    for found in failed[:1]:
        dataset.attrs.update({key: found.attrs[key] for key in ("status", "status_sentence")})
    dataset.attrs["citations"] = citations
    dataset.attrs["table"] = _table(dataset, ("", *(f"_{name}" for name in solved)))
    dataset.attrs["note"] = (
        "Rates are -log|eigenvalue| per step. Those of the simulation belong to L C^-1, the regression of a step on the step "
        "before, and noise makes them somewhat smaller; those of the Gram closure to diag(a) J; those of enumeration "
        "to the transition matrix, whose slowest modes need not show in pair correlations."
    )
    return dataset


def _table(dataset: xr.Dataset, ends: tuple[str, ...]) -> str:
    heads = ["simulation", *(end[1:] for end in ends[1:])]
    lines = [f"{'':24}" + "".join(f"{head:>22}" for head in heads)]
    for name in ("relaxation_rate", "relaxation_angle"):
        cells = [float(dataset[f"{name}{end}"]) for end in ends]
        lines.append(f"{name:24}" + "".join(f"{value:22.5g}" for value in cells))
    if "autocorrelation" not in dataset:
        return "\n".join(lines)
    for lag in range(dataset.sizes["lag"]):
        error = float(dataset["autocorrelation_error"][lag])
        first = f"{float(dataset['autocorrelation'][lag]):.5f} ± {error:.1g}"
        cells = [float(dataset[f"autocorrelation{end}"][lag]) for end in ends[1:]]
        label = f"autocorrelation, lag {lag}"
        lines.append(f"{label:24}{first:>22}" + "".join(f"{value:22.5f}" for value in cells))
    return "\n".join(lines)


RELAXATION = RunSpec(
    name="vector/relaxation",
    summary="Relaxation modes and correlations over many lags of your couplings, by theory and simulation.",
    config=RelaxationConfig,
    compute=_relax,
    plot="glassformer.plotting.thermodynamics:relaxation_figure",
    citations=("hasselmann1988", "glassformer"),
)

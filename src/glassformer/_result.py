"""Label what a simulation has summed: every variable with its error, and the evidence."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from glassformer._core._citations import cite
from glassformer._core._status import Status, attach_evidence, raise_if_failed
from glassformer._core._validation import FloatArray
from glassformer._simulate import boundary
from glassformer.dynamics._motion import AbstractMotion, Dynamics, SpinState
from glassformer.observables._accumulators import Accumulators
from glassformer.observables._estimates import (
    Estimate,
    Units,
    alignment_of_mean,
    correlations,
    jackknife_error,
    squared_means,
    stationarity,
    units_of,
    variance,
)
from glassformer.observables._statistics import AutocorrelationTime, integrated_autocorrelation_time
from glassformer.observables._summary import label

_SITE = ("site", "component")
_PAIR = ("site", "site_")


def result_of(
    sums: Accumulators,
    motion: AbstractMotion,
    dynamics: Dynamics,
    *,
    state: SpinState,
    start_boundary: FloatArray,
    burn_in: int,
    seed: int,
    finite: bool,
    wall_time: float,
    throw: bool,
) -> xr.Dataset:
    """Return the Dataset of a finished run, or of one whose values stopped being finite."""
    layout = sums.layout
    evidence: dict[str, Any] = {
        "dynamics": repr(dynamics),
        "beta": motion.beta,
        "steps": layout.steps,
        "burn_in": burn_in,
        "replicas": layout.replicas,
        "seed": seed,
    }
    citations = [*dynamics.citations, *sums.model.citations, "sokal1997"]
    cite(citations)  # an unknown key is our mistake, to be found in tests
    method = type(dynamics).__name__
    if not finite:
        dataset = xr.Dataset({"spins": (("replica", *_SITE), state.spins)})
        attach_evidence(
            dataset, status=Status.NONFINITE, method=method, wall_time=wall_time, citations=citations, **evidence
        )
        return raise_if_failed(dataset, throw=throw)
    units = units_of(sums)
    table = _Table()
    status = _fill(table, sums, units, motion, boundary(motion, state.spins) - start_boundary)
    table.variables["spins"] = (("replica", *_SITE), state.spins)
    _add_stored(table, sums)
    dataset = label(xr.Dataset(table.variables, coords=table.coordinates))
    dataset["entropy_production"].attrs["units"] = f"nats per {motion.step_name} of the whole system"
    dataset["entropy_production_per_spin"].attrs["units"] = f"nats per {motion.step_name} and spin"
    dataset["autocorrelation_time"].attrs["units"] = f"{motion.step_name}s; 1/2 for independent values"
    for name in ("correlation_error", "delayed_correlation_error"):
        if name in dataset:  # a matrix per unit would cost too much
            dataset[name].attrs["averages_over"] = f"{units.what} in {table.groups} groups"
    if "alignment_of_mean" in dataset:
        dataset["alignment_of_mean"].attrs["unresolved_sites"] = table.unresolved
        evidence["unresolved_sites"] = table.unresolved
    return attach_evidence(
        dataset,
        status=status,
        method=method,
        wall_time=wall_time,
        citations=citations,
        residual=float(dataset["residual"]),
        averages_over=units.what
        if layout.replicas > 1 or layout.time_blocks > 2
        else "nothing: too few steps for errors",
        **evidence,
    )


class _Table:
    """Variables under construction: a value and, where there is one, its error under the same name."""

    def __init__(self) -> None:
        self.variables: dict[str, Any] = {}
        self.coordinates: dict[str, Any] = {}
        self.unresolved = 0
        self.groups = 0

    def add(self, name: str, estimate: Estimate, dims: tuple[str, ...] = ()) -> None:
        self.variables[name] = (dims, estimate.value)
        if estimate.error is not None:
            self.variables[f"{name}_error"] = (dims, estimate.error)


def _fill(table: _Table, sums: Accumulators, units: Units, motion: AbstractMotion, ends: FloatArray) -> Status:
    model, layout, beta = sums.model, sums.layout, motion.beta
    table.add("magnetization", units.linear(units.spins), _SITE)
    _add_square(table, units, layout.n * model.r**2)
    _add_alignment(table, units, model.fields)
    diagonal = float(np.trace(model.couplings)) * model.r**2
    energy = units.scalars["energy"] + sums.energy_offset
    external = units.scalars["external"]
    table.add("energy", units.linear(energy))
    # The internal part counts twice, the field once, and the self-coupling is kept.
    table.add("energy_full", units.linear(2.0 * energy + (external - diagonal) / layout.n))
    table.add("specific_heat", variance(units, "energy", beta**2 * layout.n))
    production = units.linear(beta * units.scalars["exchange"])
    table.add("entropy_production", production)
    table.add("entropy_production_per_spin", _scaled(production, 1.0 / layout.n))
    if motion.synchronous:
        if layout.replicas > 1:
            path = units.linear(beta * units.scalars["exchange"] + ends / layout.steps)
        else:
            path = Estimate(np.asarray(production.value + ends[0] / layout.steps), production.error)
        table.add("entropy_production_path", path)
    if sums.measure.correlations:
        found = correlations(sums, units)
        table.add("correlation", found.equal, _PAIR)
        table.add("delayed_correlation", found.delayed, _PAIR)
        table.groups = found.groups
    table.add("residual", stationarity(sums))
    return _add_times(table, sums)


def _scaled(estimate: Estimate, factor: float) -> Estimate:
    return Estimate(estimate.value * factor, None if estimate.error is None else estimate.error * factor)


def _add_square(table: _Table, units: Units, whole: float) -> None:
    """Add the noise-free sum of squared means, and what it leaves of the sphere."""
    flat = units.spins.reshape(units.count, -1)
    halves = None if units.halves is None else units.halves.reshape(2, units.count, -1)
    square, left = squared_means(flat, halves)
    error = None if left is None else jackknife_error(left)
    table.add("magnetization_sum_of_squares", Estimate(square, error))
    table.add("covariance_trace", Estimate(np.asarray(whole - square), error))


def _add_alignment(table: _Table, units: Units, fields: FloatArray) -> None:
    norms = np.linalg.norm(fields, axis=1)
    kept = norms > 0
    if not kept.any():
        return
    directions = fields / np.where(kept, norms, 1.0)[:, None]
    of_mean = alignment_of_mean(units, directions, kept)
    table.unresolved = of_mean.unresolved
    table.add("alignment_of_mean", of_mean.estimate)
    table.add("mean_of_alignment", units.linear(units.scalars["alignment"]))
    table.add("alignment_variance", variance(units, "alignment", 1.0))


def _add_times(table: _Table, sums: Accumulators) -> Status:
    """Add the autocorrelation times and say whether the run is long enough."""
    layout = sums.layout
    stride = layout.series_stride
    series = sums.arrays["series"]
    names = ["energy", "alignment"] if "mean_of_alignment" in table.variables else ["energy"]
    found: dict[str, AutocorrelationTime] = {}
    if series.shape[2] >= 2:
        for k, name in enumerate(("energy", "alignment")):
            if name in names:
                found[name] = integrated_autocorrelation_time(series[k])
    moving = {name: time for name, time in found.items() if time.status is not Status.DEGENERATE}
    slowest = max(moving.values(), key=lambda time: time.tau) if moving else AutocorrelationTime(0.5, 0.0, False)
    for name, time in (
        ("autocorrelation_time", slowest),
        *((f"autocorrelation_time_{k}", v) for k, v in found.items()),
    ):
        table.add(name, Estimate(np.asarray(time.tau * stride), np.asarray(time.error * stride)))
    if not moving:
        return Status.DEGENERATE if found else Status.TOO_SHORT
    long_enough = layout.steps >= 50 * slowest.tau * stride and slowest.reliable
    return Status.OK if long_enough else Status.TOO_SHORT


def _add_stored(table: _Table, sums: Accumulators) -> None:
    layout = sums.layout
    if sums.measure.series:
        table.variables["energy_series"] = (("replica", "time"), sums.arrays["series"][0])
        if "mean_of_alignment" in table.variables:
            table.variables["alignment_series"] = (("replica", "time"), sums.arrays["series"][1])
        table.coordinates["time"] = np.arange(1, layout.steps + 1, layout.series_stride)
    if sums.measure.trajectory:
        total, square = sums.arrays["trajectory"]
        mean = total / layout.replicas
        dims = ("trajectory_time", *_SITE)
        table.variables["magnetization_trajectory"] = (dims, mean)
        if layout.replicas > 1:
            spread = np.maximum(square / layout.replicas - mean**2, 0.0) / (layout.replicas - 1)
            table.variables["magnetization_trajectory_error"] = (dims, np.sqrt(spread))
        table.coordinates["trajectory_time"] = np.arange(layout.steps + 1)
    if sums.measure.snapshots:
        table.variables["snapshots"] = (("snapshot", "replica", *_SITE), sums.arrays["snapshots"])
        table.coordinates["snapshot"] = sums.snapshot_times

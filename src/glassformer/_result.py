"""Label what a simulation has summed: every variable with its error, and the evidence."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from glassformer._core._citations import cite
from glassformer._core._status import Status, attach_evidence, raise_if_failed
from glassformer._core._validation import FloatArray
from glassformer.dynamics._motion import AbstractMotion, Dynamics, SpinState
from glassformer.observables._accumulators import Accumulators
from glassformer.observables._estimates import (
    Estimate,
    alignment_of_mean,
    correlations,
    jackknife_error,
    squared_means,
    stationarity,
    units_of,
    variance,
)
from glassformer.observables._overlaps import invariant_overlaps, raw_overlaps
from glassformer.observables._statistics import AutocorrelationTime, integrated_autocorrelation_time
from glassformer.observables._summary import label

_SITE = ("site", "component")
_PAIR = ("site", "site_")
_MAX_OVERLAP_REPLICAS = 256
_MAX_OVERLAP_SIZE = 2**28  # numbers that the overlaps may need on the way


def result_of(
    all_sums: list[Accumulators],
    motion: AbstractMotion,
    dynamics: Dynamics,
    *,
    state: SpinState,
    ends: FloatArray,
    burn_in: int,
    seed: int,
    finite: bool,
    wall_time: float,
    throw: bool,
) -> xr.Dataset:
    """Return the Dataset of a finished run, or of one whose values stopped being finite.

    ``ends (replica,)`` is what the two ends of the path add to its entropy.
    """
    layout, model = all_sums[0].layout, motion.model
    evidence: dict[str, Any] = {
        "model": model.digest,
        "process": motion.process,
        "dynamics": repr(dynamics),
        "beta": float(motion.betas[0]) if motion.levels == 1 else motion.betas.tolist(),
        "steps": layout.steps,
        "burn_in": burn_in,
        "replicas": layout.replicas,
        "seed": seed,
    }
    citations = [*dynamics.citations, *model.citations, "sokal1997"]
    cite(citations)  # an unknown key is our mistake, to be found in tests
    method = type(dynamics).__name__
    if not finite:
        dataset = xr.Dataset({"spins": (("replica", *_SITE), state.spins)})
        attach_evidence(
            dataset, status=Status.NONFINITE, method=method, wall_time=wall_time, citations=citations, **evidence
        )
        return raise_if_failed(dataset, throw=throw)
    levels = [_Level(sums, motion, float(beta), ends) for sums, beta in zip(all_sums, motion.betas)]
    dataset = levels[0].dataset()
    if motion.levels > 1:
        whole = [level.dataset() for level in levels]
        dataset = xr.concat(whole, dim=xr.Variable("beta", motion.betas), data_vars="all", combine_attrs="override")
    for name, variable in motion.extra_results(state).items():
        dataset[name] = variable
    _add_spins(dataset, motion, state, layout.replicas)
    _describe(dataset, motion, levels)
    if "unresolved_sites" in dataset:
        evidence["unresolved_sites"] = int(dataset["unresolved_sites"].max())
    # A level that is worse than the others speaks for all.
    statuses = [level.status for level in levels]
    status = next((bad for bad in (Status.TOO_SHORT, Status.DEGENERATE) if bad in statuses), Status.OK)
    return attach_evidence(
        dataset,
        status=status,
        method=method,
        wall_time=wall_time,
        citations=citations,
        residual=float(dataset["residual"].max()),
        note=motion.note(state) or None,
        averages_over=levels[0].units.what
        if layout.replicas > 1 or layout.time_blocks > 2
        else "nothing: too few steps for errors",
        **evidence,
    )


def _add_spins(dataset: xr.Dataset, motion: AbstractMotion, state: SpinState, replicas: int) -> None:
    """Add the last configurations, and how alike those of different replicas are."""
    spins = motion.by_level(state)  # (level, replica, site, component)
    outer: tuple[str, ...] = () if motion.levels == 1 else ("beta",)
    kept = spins[0] if motion.levels == 1 else spins
    dataset["spins"] = ((*outer, "replica", *_SITE), kept)
    n, dim = motion.model.n, motion.model.dim
    if (
        not 2 <= replicas <= _MAX_OVERLAP_REPLICAS
        or replicas * min(n, dim * replicas) * max(n, dim) > _MAX_OVERLAP_SIZE
    ):
        return
    for name, function in (
        ("overlap", lambda own: raw_overlaps(own, radius=motion.model.r)),
        ("overlap_invariant", invariant_overlaps),
    ):
        values = np.stack([function(own) for own in spins])
        dataset[name] = ((*outer, "replica", "replica_"), values[0] if motion.levels == 1 else values)
        dataset[name].attrs["averages_over"] = "nothing: the last configurations"


def _describe(dataset: xr.Dataset, motion: AbstractMotion, levels: list[_Level]) -> None:
    """Write units, and what the errors of matrices average over."""
    label(dataset)
    dataset["entropy_production"].attrs["units"] = f"nats per {motion.step_name} of the whole system"
    dataset["entropy_production_per_spin"].attrs["units"] = f"nats per {motion.step_name} and spin"
    dataset["autocorrelation_time"].attrs["units"] = f"{motion.step_name}s; 1/2 for independent values"
    for name in ("correlation_error", "delayed_correlation_error"):
        if name in dataset:  # a matrix per unit would cost too much
            dataset[name].attrs["averages_over"] = f"{levels[0].units.what} in {levels[0].groups} groups"


class _Level:
    """What one temperature has measured, as variables: a value and, where there is one, its error."""

    def __init__(self, sums: Accumulators, motion: AbstractMotion, beta: float, ends: FloatArray) -> None:
        self.sums, self.motion, self.beta, self.ends = sums, motion, beta, ends
        self.units = units_of(sums)
        self.variables: dict[str, Any] = {}
        self.coordinates: dict[str, Any] = {}
        self.groups = 0
        self.status = self._fill()

    def dataset(self) -> xr.Dataset:
        """Return all variables, without evidence."""
        return xr.Dataset(self.variables, coords=self.coordinates)

    def _add(self, name: str, estimate: Estimate, dims: tuple[str, ...] = ()) -> None:
        self.variables[name] = (dims, estimate.value)
        if estimate.error is not None:
            self.variables[f"{name}_error"] = (dims, estimate.error)

    def _fill(self) -> Status:
        model, layout, beta, units, sums = self.sums.model, self.sums.layout, self.beta, self.units, self.sums
        self._add("magnetization", units.linear(units.spins), _SITE)
        self._add_square(layout.n * model.r**2)
        self._add_alignment(model.fields)
        diagonal = float(np.trace(model.couplings)) * model.r**2
        energy = units.scalars["energy"] + sums.energy_offset
        external = units.scalars["external"]
        self._add("energy", units.linear(energy))
        # The internal part counts twice, the field once, and the self-coupling is kept.
        self._add("energy_full", units.linear(2.0 * energy + (external - diagonal) / layout.n))
        self._add("specific_heat", variance(units, "energy", beta**2 * layout.n))
        production = units.linear(beta * units.scalars["exchange"])
        self._add("entropy_production", production)
        self._add("entropy_production_per_spin", _scaled(production, 1.0 / layout.n))
        if self.motion.synchronous:
            if layout.replicas > 1:
                path = units.linear(beta * units.scalars["exchange"] + self.ends / layout.steps)
            else:
                path = Estimate(np.asarray(production.value + self.ends[0] / layout.steps), production.error)
            self._add("entropy_production_path", path)
        if sums.measure.correlations:
            found = correlations(sums, units)
            self._add("correlation", found.equal, _PAIR)
            if found.delayed is not None:
                self._add("delayed_correlation", found.delayed, _PAIR)
            self.groups = found.groups
        self._add("residual", stationarity(sums))
        self._add_stored()
        return self._add_times()

    def _add_square(self, whole: float) -> None:
        """Add the noise-free sum of squared means, and what it leaves of the sphere."""
        units = self.units
        flat = units.spins.reshape(units.count, -1)
        halves = None if units.halves is None else units.halves.reshape(2, units.count, -1)
        square, left = squared_means(flat, halves)
        error = None if left is None else jackknife_error(left)
        self._add("magnetization_sum_of_squares", Estimate(square, error))
        self._add("covariance_trace", Estimate(np.asarray(whole - square), error))

    def _add_alignment(self, fields: FloatArray) -> None:
        """Add both alignments with the field; undefined, as for the theories, when there is no field."""
        norms = np.linalg.norm(fields, axis=1)
        kept = norms > 0
        if not kept.any():
            nothing = Estimate(np.asarray(np.nan), np.asarray(np.nan))
            self._add("alignment_of_mean", nothing)
            self._add("mean_of_alignment", nothing)
            return
        directions = fields / np.where(kept, norms, 1.0)[:, None]
        of_mean = alignment_of_mean(self.units, directions, kept)
        self.variables["unresolved_sites"] = ((), of_mean.unresolved)
        self._add("alignment_of_mean", of_mean.estimate)
        self._add("mean_of_alignment", self.units.linear(self.units.scalars["alignment"]))
        self._add("alignment_variance", variance(self.units, "alignment", 1.0))

    def _add_times(self) -> Status:
        """Add the autocorrelation times and say whether the run is long enough."""
        layout = self.sums.layout
        stride = layout.series_stride
        series = self.sums.arrays["series"]
        names = ["energy", "alignment"] if "alignment_variance" in self.variables else ["energy"]
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
            self._add(name, Estimate(np.asarray(time.tau * stride), np.asarray(time.error * stride)))
        if not moving:
            return Status.DEGENERATE if found else Status.TOO_SHORT
        long_enough = layout.steps >= 50 * slowest.tau * stride and slowest.reliable
        return Status.OK if long_enough else Status.TOO_SHORT

    def _add_stored(self) -> None:
        layout, sums = self.sums.layout, self.sums
        if sums.measure.series:
            self.variables["energy_series"] = (("replica", "time"), sums.arrays["series"][0])
            if "alignment_variance" in self.variables:
                self.variables["alignment_series"] = (("replica", "time"), sums.arrays["series"][1])
            self.coordinates["time"] = np.arange(1, layout.steps + 1, layout.series_stride)
        if sums.measure.trajectory:
            total, square = sums.arrays["trajectory"]
            mean = total / layout.replicas
            dims = ("trajectory_time", *_SITE)
            self.variables["magnetization_trajectory"] = (dims, mean)
            if layout.replicas > 1:
                spread = np.maximum(square / layout.replicas - mean**2, 0.0) / (layout.replicas - 1)
                self.variables["magnetization_trajectory_error"] = (dims, np.sqrt(spread))
            self.coordinates["trajectory_time"] = np.arange(layout.steps + 1)
        if sums.measure.snapshots:
            self.variables["snapshots"] = (("snapshot", "replica", *_SITE), sums.arrays["snapshots"])
            self.coordinates["snapshot"] = sums.snapshot_times


def _scaled(estimate: Estimate, factor: float) -> Estimate:
    return Estimate(estimate.value * factor, None if estimate.error is None else estimate.error * factor)

"""Label what a simulation of sequences has summed: every variable with its error."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from glassformer._context_run import ContextRun
from glassformer.observables._context import (
    BACKWARD_LOSS,
    ENTROPY,
    FIELD_SQUARE,
    LOSS,
    PAIRED_LOSS,
    TOTAL,
    estimate,
)

if TYPE_CHECKING:
    import xarray as xr


def dataset_of(run: ContextRun) -> xr.Dataset:
    """Return everything that was measured, labelled."""
    import xarray as xr

    n, sums, arrays = run.motion.n, run.sums, run.sums.arrays
    variables: dict[str, Any] = {}

    def add(name: str, value: Any, error: Any, dims: tuple[str, ...] = (), **attrs: Any) -> None:
        variables[name] = (dims, value, attrs)
        if error is not None:
            variables[f"{name}_error"] = (dims, error, {"averages_over": run.averages_over})

    value, error = estimate(arrays["overlap"] / n, arrays["pairs"])
    add("autocorrelation", value, error, ("lag",), units="s.s / n, means not subtracted", finite_size_error=2.0 / n)
    mean = arrays["site"] / (run.replicas * run.steps)
    site_error: np.ndarray | None = None
    if sums.units > 1:
        spread = np.maximum(arrays["site_square"] / sums.units - mean**2, 0.0)
        site_error = np.sqrt(spread / (sums.units - 1))
    add("magnetization", mean, site_error, ("site",))

    def scalar(which: int) -> tuple[Any, Any]:
        return estimate(arrays["scalars"][:, which] / n, arrays["counts"][:, which])

    add("magnetization_mean", *scalar(TOTAL))
    add("q0", *scalar(FIELD_SQUARE), units="mean square of h - theta - (part from the mean couplings)")
    if arrays["counts"][:, LOSS].any():
        units = "nats per step and spin" + ("" if run.motion.dtype == np.int8 else ", differential")
        add("loss", *scalar(LOSS), units=units)
        add("entropy_rate", *scalar(ENTROPY), units=units)
    if arrays["counts"][:, BACKWARD_LOSS].any():
        kept = arrays["counts"][:, BACKWARD_LOSS]
        difference = (arrays["scalars"][:, BACKWARD_LOSS] - arrays["scalars"][:, PAIRED_LOSS]) / n
        value, error = estimate(difference, kept)
        add(
            "entropy_production",
            n * value,
            None if error is None else n * error,
            units="nats per step of the whole system",
        )
        add("entropy_production_per_spin", value, error, units="nats per step and spin")
    coordinates: dict[str, Any] = {"lag": np.arange(run.lags + 1)}
    if run.measure.two_time:
        times = np.arange(run.burn_in + 1 - run.motion.context, run.burn_in + run.steps + 1)
        coordinates |= {"time": times, "time_": times}
        snapshot = {"finite_size_error": 1.0 / math.sqrt(n)}
        for name, key, dims in (
            ("two_time_correlation", "two_time", ("time", "time_")),
            ("magnetization_trajectory", "trajectory", ("time",)),
        ):
            total, square = arrays[key]
            mean = total / run.replicas
            deviation: np.ndarray | None = None
            if run.replicas > 1:
                deviation = np.sqrt(np.maximum(square / run.replicas - mean**2, 0.0) / (run.replicas - 1))
            add(name, mean, deviation, dims, **snapshot)
    if run.tokens is not None:
        variables["tokens"] = (("replica", "step", "site"), run.tokens)
        coordinates["step"] = np.arange(run.burn_in + 1, run.burn_in + run.steps + 1)
    return xr.Dataset(variables, coords=coordinates)

"""A design against simulation."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from glassformer._core._status import Status, attach_evidence

if TYPE_CHECKING:
    import xarray as xr

    from glassformer.theory.design._result import Design


def verify_design(
    found: Design, *, n: int, draws: int, steps: int, seed: int | None, replicas: int, progress: Any = None
) -> xr.Dataset:
    """Simulate draws of `found.ensemble` and put target, theory and simulation side by side.

    The burn-in is 10 K or 20 correlation times, whichever is longer. ``autocorrelation_tolerance`` is four standard errors
    together with the finite-size bias 2/n; ``largest_deviation`` is the largest |simulation - theory| in units of it.
    """
    import xarray as xr

    from glassformer._simulate import simulate

    clock = time.perf_counter()
    lags = min(len(found.target) - 1, max(1, steps // 4))
    burn_in = math.ceil(max(10 * found.context, 20.0 * found.solution.correlation_time, 10.0))
    run = simulate(
        found.ensemble,
        found.rule,
        steps=steps,
        n=n,
        draws=draws,
        replicas=replicas,
        burn_in=burn_in,
        lags=lags,
        seed=seed,
        progress=progress,
    )
    theory = found.achieved[: lags + 1]
    simulated = run["autocorrelation"].values
    tolerance = run["autocorrelation_tolerance"].values
    gap = np.abs(simulated - theory)
    deviation = float(np.max(gap / tolerance))
    units = {"units": "s.s / N"}
    dataset = xr.Dataset(
        {
            "target": ("lag", found.target[: lags + 1], units),
            "autocorrelation": ("lag", theory, {"units": "s.s / N, infinite size"}),
            "autocorrelation_simulated": ("lag", simulated, units),
            "autocorrelation_simulated_error": ("lag", run["autocorrelation_error"].values, units),
            "autocorrelation_tolerance": ("lag", tolerance, {"units": "s.s / N, what n sites may deviate by"}),
            "largest_deviation": ((), deviation, {"units": "of the tolerance"}),
            "simulation_agrees": ((), bool(deviation <= 1.0), {"units": "whether no lag deviates by more"}),
        },
        coords={"lag": np.arange(lags + 1)},
    )
    evidence = {key: run.attrs[key] for key in ("seed", "averages_over", "note") if key in run.attrs}
    return attach_evidence(
        dataset,
        status=Status(run.attrs["status"]),
        method="design, simulated",
        wall_time=time.perf_counter() - clock,
        citations=found.citations,
        n=n,
        draws=draws,
        steps=steps,
        burn_in=burn_in,
        feasible=found.feasible,
        target_text=found.text,
        **evidence,
    )

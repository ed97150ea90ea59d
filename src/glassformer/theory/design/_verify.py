"""A design against simulation."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from glassformer._core._random import check_seed, derived_seed
from glassformer._core._status import Status, attach_evidence
from glassformer._core._validation import as_count

if TYPE_CHECKING:
    import xarray as xr

    from glassformer.theory.design._result import Design

_LARGEST = 500  # size of the matrices whose eigenvalues are found
_SPREAD = 0.5  # of c_0, between draws: as much as there is to measure


def verify_design(
    found: Design, *, n: int, draws: int, steps: int, seed: int | None, replicas: int, progress: Any = None
) -> xr.Dataset:
    """Simulate draws of `found.ensemble` and put target, theory and simulation side by side.

    The burn-in is 10 K or 20 correlation times, whichever is longer. ``autocorrelation_tolerance`` is four standard errors
    together with the finite-size bias 2/n; ``largest_deviation`` is the largest |simulation - theory| in units of it, or inf
    where the simulation does not settle and there is nothing to compare: ``verdict`` and ``note`` say so, and the status is
    ``not_equilibrated`` if draws grow. (Error bars of a simulation that explodes are as large as its numbers, and include any theory.)
    """
    import xarray as xr

    from glassformer._simulate import simulate

    clock = time.perf_counter()
    seed = check_seed(seed)
    as_count("draws", draws, minimum=2, next_step="error bars are over draws")
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
        throw=False,
    )
    theory = found.achieved[: lags + 1]
    status = Status(run.attrs["status"])
    if status is Status.TOO_SHORT:  # concerns errors from one sequence; these are over draws
        status = Status.OK
    if status.failed:  # one draw, which overflowed
        simulated = error = tolerance = np.full(lags + 1, np.nan)
    else:
        simulated, error, tolerance = (run[f"autocorrelation{end}"].values for end in ("", "_error", "_tolerance"))
    why = _unsettled(status, simulated, error * math.sqrt(draws), tolerance, float(theory[0]))
    deviation = math.inf if why else float(np.max(np.abs(simulated - theory) / tolerance))
    unstable = _unstable(found, n, draws, seed) if found.rule.variant == "gaussian" else 0
    if unstable:
        why, deviation = f"{unstable} of {draws} draws are unstable and have no stationary state", math.inf
    verdict = "does not settle" if why else "agrees" if deviation <= 1.0 else "deviates"
    units = {"units": "s.s / N"}
    dataset = xr.Dataset(
        {
            "target": ("lag", found.target[: lags + 1], units),
            "autocorrelation": ("lag", theory, {"units": "s.s / N, infinite size"}),
            "autocorrelation_simulated": ("lag", simulated, units),
            "autocorrelation_simulated_error": ("lag", error, units),
            "autocorrelation_tolerance": ("lag", tolerance, {"units": "s.s / N, what n sites may deviate by"}),
            "largest_deviation": (
                (),
                deviation,
                {"units": "of the tolerance; inf where the simulation does not settle"},
            ),
            "simulation_agrees": ((), verdict == "agrees", {"units": "whether it settles and no lag deviates by more"}),
            "verdict": ((), verdict, {"units": "agrees, deviates, or does not settle"}),
        },
        coords={"lag": np.arange(lags + 1)},
    )
    evidence = {key: run.attrs[key] for key in ("averages_over",) if key in run.attrs}
    return attach_evidence(
        dataset,
        status=Status.NOT_EQUILIBRATED if unstable or status.failed else status,
        method="design, simulated",
        wall_time=time.perf_counter() - clock,
        citations=found.citations,
        seed=seed,
        n=n,
        draws=draws,
        steps=steps,
        burn_in=burn_in,
        feasible=found.feasible,
        target_text=found.text,
        note=f"The simulation does not settle: {why}." if why else None,
        **evidence,
    )


def _unstable(found: Design, n: int, draws: int, seed: int) -> int:
    """Return how many draws of linear couplings grow, however slowly: eigenvalues say what a short run may not show."""
    from glassformer.theory.exact._context_gaussian import companion

    law = found.law
    if n * (1 if law.rank <= 1 else found.context) > _LARGEST:
        return 0
    count = 0
    for draw in range(draws):
        matrices = law.sample(n=n, seed=derived_seed(seed, f"draw/{draw}/couplings")).matrices
        if law.rank == 1:  # an eigenvalue w of the one matrix gives K, z^K = w (gamma_1 z^(K-1) + ... + gamma_K)
            gamma = law.factors[:, 0]
            first = int(np.abs(gamma).argmax())
            w = np.linalg.eigvals(matrices[first] / gamma[first])
            motion = np.zeros((n, found.context, found.context), dtype=np.complex128)
            motion[:] = np.eye(found.context, k=-1)
            motion[:, 0] = w[:, None] * gamma
        else:
            motion = companion(matrices).astype(np.complex128)
        count += bool(np.abs(np.linalg.eigvals(motion)).max() >= 1.0)
    return count


def _unsettled(status: Status, simulated: Any, spread: Any, tolerance: Any, variance: float) -> str:
    """Return why a simulation cannot be compared with theory, or nothing."""
    if status.failed or not np.isfinite(simulated).all():
        return "a draw grew until its numbers overflowed, so it has no stationary state"
    if not status.good:
        return f"a draw is not stationary, its tokens grow through the run (mean c_0 = {simulated[0]:.3g}, theory {variance:.3g})"
    lag = int(np.argmax(spread))
    if not spread[lag] < _SPREAD * variance:
        return (
            f"at lag {lag} the draws spread by {spread[lag]:.3g} about {simulated[lag]:.3g}, which is of the order of "
            f"c_0 = {variance:.3g} itself"
        )
    if not tolerance.max() < variance:
        return f"the tolerance, {tolerance.max():.3g}, is as large as c_0 = {variance:.3g}; take more draws or sites"
    return ""

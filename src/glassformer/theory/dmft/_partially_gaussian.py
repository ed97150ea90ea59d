"""What `StationaryDMFT` returns for gaussian tokens when J_ij and J_ji are correlated; other rules go on from here."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from glassformer._core._errors import MethodNotApplicableError
from glassformer.models import ContextEnsemble
from glassformer.theory.dmft._partially_labelled import FREQUENCIES, labelled_result
from glassformer.theory.dmft._partially_symmetric import (
    gaussian_entropy_production,
    response_spectrum,
    solve_partially_symmetric_gaussian,
)

if TYPE_CHECKING:
    import xarray as xr


def partially_symmetric_result(method: Any, ensemble: ContextEnsemble) -> xr.Dataset:
    """Return the closed form of gaussian tokens when J_ij and J_ji are correlated."""
    clock = time.perf_counter()
    law, rule = ensemble.law, method.rule
    if rule.variant == "spherical":
        from glassformer.theory.dmft._partially_spherical import spherical_result

        return spherical_result(method, ensemble)
    if rule.variant != "gaussian":
        raise MethodNotApplicableError(
            "StationaryDMFT solves partially symmetric couplings for variant='gaussian' and 'spherical' only, not "
            f"{rule.variant!r}: a site remembers its own past; TransientDMFT follows it for every rule."
        )
    if np.any(law.mean):
        raise MethodNotApplicableError(
            "StationaryDMFT solves partially symmetric couplings of mean 0; leave out mean, or use TransientDMFT."
        )
    found = solve_partially_symmetric_gaussian(law, float(rule.sigma), method.lags)
    frequency = np.linspace(0.0, math.pi, FREQUENCIES)
    response = response_spectrum(law, frequency)
    enhanced = law.spectrum(frequency) * np.abs(response) ** 2
    grid = 2.0 * math.pi * np.arange(1 << 15) / (1 << 15)
    whole = law.spectrum(grid) * np.abs(response_spectrum(law, grid)) ** 2
    entropy = 0.5 * math.log(2.0 * math.pi * math.e * rule.sigma**2)
    mean = float(response[0].real) * float(ensemble.field)
    persistent = mean * mean / (1.0 - float(enhanced[0]))
    memory = mean - float(ensemble.field)  # the mean of a field from the couplings, which a site's own past makes
    production, units = gaussian_entropy_production(law), "nats per step and site"
    kind = "nats per site, differential"
    variables: dict[str, Any] = {
        "q0": ((), found.field_variance + persistent - mean * mean + memory * memory, {"units": "energy^2"}),
        "criticality": ((), found.criticality, {"units": "max G |R|^2; memory diverges at 1"}),
        "entropy_rate": ((), entropy, {"units": kind}),
        "loss_floor": ((), entropy, {"units": kind}),
        "entropy_production": ((), production, {"units": units}),
        "entropy_production_per_spin": ((), production, {"units": units}),
        "own_past_error": (
            (),
            rule.sigma**2 * math.exp(-float(np.log1p(-whole).mean())),
            {"units": "squared error of a site predicted from its own past"},
        ),
        "autocorrelation": ("lag", found.autocorrelation + persistent, {"units": "s.s / N, means not subtracted"}),
        "diagonal_sums": ("distance", law.diagonal_sums, {"units": "energy^2"}),
        "coupling_spectrum": ("frequency", law.spectrum(frequency), {"units": "energy^2"}),
        "token_spectrum": (
            "frequency",
            rule.sigma**2 * np.abs(response) ** 2 / (1.0 - enhanced),
            {"units": "s.s / N, without c_infinity"},
        ),
    }
    if ensemble.field:
        variables["magnetization"] = ((), mean, {"units": "mean of a token"})
        variables["persistent_correlation"] = ((), persistent, {"units": "s.s / N at long lags"})
    return labelled_result(variables, frequency, method, ensemble, residual=found.residual, clock=clock)

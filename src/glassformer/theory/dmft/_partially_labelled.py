"""The labels that stationary results of partially symmetric couplings share, whatever the rule."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from glassformer._core._status import Status, attach_evidence
from glassformer._core._validation import FloatArray
from glassformer.models import ContextEnsemble

if TYPE_CHECKING:
    import xarray as xr

FREQUENCIES = 257
_SOLVED = 1e-9  # of the residual


def labelled_result(
    variables: dict[str, Any],
    frequency: FloatArray,
    method: Any,
    ensemble: ContextEnsemble,
    *,
    residual: float,
    clock: float,
) -> xr.Dataset:
    """Return `variables` along lag, distance and frequency, with the evidence."""
    import xarray as xr

    rule = method.rule
    strength = {"sigma": float(rule.sigma)} if rule.variant == "gaussian" else {"beta": float(rule.beta)}
    coordinates = {
        "lag": np.arange(method.lags + 1),
        "distance": np.arange(ensemble.law.context),
        "frequency": ("frequency", frequency, {"units": "radians per step"}),
    }
    return attach_evidence(
        xr.Dataset(variables, coords=coordinates),
        status=Status.CONVERGED if residual < _SOLVED else Status.NOT_CONVERGED,
        method="StationaryDMFT",
        wall_time=time.perf_counter() - clock,
        citations=tuple(dict.fromkeys((*method.citations, *ensemble.citations))),
        variant=rule.variant,
        residual=residual,
        note="Partially symmetric couplings leave a memory: the tail is no power of one root.",
        **strength,
    )

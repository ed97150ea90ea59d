r"""How many steps a start needs to be forgotten at infinite size, from the transient itself.

A small deviation of correlations decays as :math:`\rho^{2t}`, :math:`\rho` being the largest modulus at which
:math:`\chi\,\Gamma(z)=\chi\sum_{kk'}\Gamma_{kk'}z^{-k}\bar z^{-k'}=1` (:math:`\chi` is 1 for gaussian tokens, x for
spherical ones, the slope of the bivariate average for signs). That is the spectral radius of the linearised dynamics and
can be far closer to 1 than the decay of stationary correlations.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from glassformer._core._status import Status
from glassformer.models import ContextEnsemble, TokenRule

if TYPE_CHECKING:
    import xarray as xr

TOLERANCE = 1e-3  # of c_0: how far correlations may be from their stationary values when a corpus begins
_LONGEST = 2000  # steps of the transient that is followed
_WORK = 5e8  # multiplications of the same


class Relaxation(NamedTuple):
    """Steps after which correlations are stationary to `TOLERANCE`; whether the transient itself was followed to there."""

    steps: int = 0
    followed: bool = False


def decay_steps(radius: float, variance: float = 1.0) -> float:
    r"""Return t with :math:`\rho^{2t}\max(1,|1-c_0|/c_0)` at the tolerance, for starts of variance 1.

    >>> round(decay_steps(0.9932, 1.0))
    506
    """
    if radius <= 0.0:
        return 0.0
    if radius >= 1.0:
        return math.inf
    excess = max(1.0, abs(1.0 - variance) / variance) if variance > 0.0 else 1.0
    return math.log(excess / TOLERANCE) / (-2.0 * math.log(radius))


def relaxation(ensemble: ContextEnsemble, rule: TokenRule, found: xr.Dataset, start: str, *, n: int) -> Relaxation:
    """Return when the transient from `start` has reached the stationary state `found`, in a sample of `n` sites."""
    law = ensemble.law
    variance = float(found["autocorrelation"][0])
    estimate = decay_steps(_radius(ensemble, found), variance)
    if math.isinf(estimate):  # at a transition: what is known is the correlation time
        return Relaxation(0, False)
    mean = float(found["magnetization"]) if "magnetization" in found else 0.0
    if mean != 0.0:  # means decay as a power of their own root, and an order of its own must first break the symmetry
        root = float(found["order_root"])
        estimate = max(estimate, -math.log(TOLERANCE) / -math.log(root)) if 0.0 < root < 1.0 else estimate
        growth = float(found["order_root_at_zero"]) if "order_root_at_zero" in found else 1.0
        if ensemble.field == 0.0 and growth > 1.0:  # from N^(-1/2) on, with a wide margin for small starts
            estimate += math.log(max(n, 10)) / math.log(growth)
    guess = Relaxation(math.ceil(estimate), False)
    if law.transpose_covariance is not None or (mean != 0.0 and ensemble.field == 0.0):
        return guess
    longest = int(min(_LONGEST, math.sqrt(_WORK / (max(1, law.rank) * law.context))))
    steps = min(longest, math.ceil(1.5 * estimate) + 20 + 4 * law.context)
    own = _followed(ensemble, rule, found, start, steps)
    return guess if own is None else Relaxation(own, True)


def _radius(ensemble: ContextEnsemble, found: xr.Dataset) -> float:
    """Return the spectral radius of the linearised dynamics."""
    from glassformer.couplings._lag_covariance import extreme_spectrum
    from glassformer.theory.dmft._tail import spectral_radius

    covariance = np.asarray(ensemble.law.covariance)
    top = extreme_spectrum(ensemble.law.diagonal_sums).maximum
    slope = float(found["criticality"]) / top if top > 0.0 else 0.0
    return spectral_radius(slope * covariance) if slope > 0.0 else 0.0


def _followed(ensemble: ContextEnsemble, rule: TokenRule, found: xr.Dataset, start: str, steps: int) -> int | None:
    """Return the step from which on the transient stays within the tolerance, None if it does not before its end."""
    from glassformer.theory.dmft import TransientDMFT

    transient = TransientDMFT(rule, steps=steps, start=start).solve(ensemble)
    if Status(transient.attrs["status"]).failed:
        return None
    context = ensemble.law.context
    pairs = transient["two_time_correlation"].values
    wanted = found["autocorrelation"].values
    allowed = TOLERANCE * max(float(wanted[0]), 1e-300)
    times = np.arange(context, pairs.shape[0])  # of steps 1, 2, ...
    gap = np.zeros(times.size)
    for lag in range(min(context + 1, wanted.size)):
        late = times >= lag
        gap[late] = np.maximum(gap[late], np.abs(pairs[times[late], times[late] - lag] - wanted[lag]))
    outside = np.flatnonzero(gap > allowed)
    last = int(outside[-1]) + 1 if outside.size else 0  # the last step that is outside
    return None if last >= 0.95 * steps else last

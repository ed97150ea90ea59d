r"""Information of the stationary process, per site and step: the entropy of the next token, and the entropy production.

Logistic, gaussian and spherical rules score paths by :math:`\beta s\cdot h` (:math:`s\cdot h/\sigma^2`), so that by Stein's lemma

.. math:: \dot\Sigma=\beta a\sum_{kk'}\Gamma_{kk'}(c_{k-k'}-c_{k+k'})
                    =2\beta a\int\frac{d\omega}{2\pi}c(\omega)\,\mathbf s^T\Gamma\mathbf s\ge0,\qquad \mathbf s_k=\sin k\omega,

because the field of the reversed path has variance Q_0 too and covariance :math:`\tilde Q=\sum\Gamma_{kk'}c_{k+k'}` with h. It
depends on all of :math:`\Gamma`, not on the diagonal sums alone. The probit rule has no such form, but a token depends on the
reversed field :math:`\tilde h` through h alone, so that :math:`P(s=\pm1|\tilde h)` is a normal integral again and one integral is left.
"""

from __future__ import annotations

import math

import numpy as np

from glassformer._core._validation import FloatArray
from glassformer.theory.dmft._solution import Stationary


def entropy_rate(found: Stationary) -> float | None:
    """Return the entropy of the next token given the past, nats per site: the least loss; None where there is no density."""
    from glassformer.theory.dmft._path_information import loss_floor

    if found.rule.variant == "spherical":
        return None if math.isinf(found.multiplier) else 0.5 * math.log(2.0 * math.pi * math.e / found.multiplier)
    if found.rule.variant in ("ising", "probit") and found.rule.beta * math.sqrt(found.field_variance) > _COLDEST:
        return 0.0
    value = loss_floor(found.rule, np.array(found.field_mean), np.array(found.field_variance))
    return None if value is None else float(value)


def reversed_covariance(covariance: FloatArray, found: Stationary) -> float:
    r"""Return :math:`\tilde Q=\sum\Gamma_{kk'}c_{k+k'}`, the covariance of the field with that of the reversed path."""
    context = covariance.shape[0]
    correlation = found.lags(2 * context)
    lag = np.arange(1, context + 1)
    return float((covariance * correlation[lag[:, None] + lag[None, :]]).sum())


def entropy_production(covariance: FloatArray, found: Stationary) -> float | None:
    """Return the entropy production, nats per step and site; None where it is infinite (no noise)."""
    rule = found.rule
    if rule.deterministic:
        return None
    crossed = reversed_covariance(covariance, found)
    if rule.variant == "gaussian":
        return (found.field_variance - crossed) / rule.sigma**2
    if rule.variant == "probit":
        if rule.beta * math.sqrt(found.field_variance) > _COLDEST:
            return None
        return _probit_production(rule.beta, found.field_mean, found.field_variance, crossed)
    return rule.beta * found.gain * (found.field_variance - crossed)


_COLDEST = 1e140  # beta sqrt(Q_0) whose square leaves the range of numbers

_POINTS, _WEIGHTS = np.polynomial.legendre.leggauss(40)


def _probit_production(beta: float, mean: float, variance: float, crossed: float) -> float:
    r"""Return :math:`E\log\frac{\Phi(\beta sh)}{\Phi(\beta s\tilde h)}` for normal fields of one variance and covariance `crossed`."""
    from scipy.special import log_ndtr, ndtr

    if variance == 0.0 or beta == 0.0:
        return 0.0
    u, v = beta * mean, beta**2 * variance
    deviation = math.sqrt(v)
    ratio = crossed / variance
    if v + u * u < 1e-10:  # differences of the law drown in rounding; its expansion is exact to their square
        return 2.0 / math.pi * v * (1.0 - ratio)
    width = math.sqrt(1.0 + max(v * (1.0 - ratio) * (1.0 + ratio), 0.0))
    # panels that double away from 0, where the integrand bends on the scale 1, and end 10 deviations from the mean
    low, high = u - 10.0 * deviation, u + 10.0 * deviation
    inner = np.concatenate([[0.0], 0.5 * 2.0 ** np.arange(0, 60)])
    edges = np.concatenate([-inner[:0:-1], inner, u + deviation * np.arange(-10.0, 11.0)])
    edges = np.unique(np.clip(edges, low, high))
    half = 0.5 * np.diff(edges)[:, None]
    x = half * (_POINTS + 1.0) + edges[:-1, None]
    density = np.exp(-0.5 * ((x - u) / deviation) ** 2) / (math.sqrt(2.0 * math.pi) * deviation)
    given = (u + ratio * (x - u)) / width
    value = np.zeros_like(x)
    for sign in (1.0, -1.0):  # the law of s given h against its law given the reversed field
        value += (ndtr(sign * x) - ndtr(sign * given)) * log_ndtr(sign * x)
    return float((half * _WEIGHTS * density * value).sum())

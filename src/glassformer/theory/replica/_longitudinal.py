r"""One spin along a uniform field, with the quadrupolar term that the field brings, while the transverse part is free.

The law of :math:`x=S_L/R=\cos\theta` is

.. math:: p(\theta)\propto\sin^{D-2}\theta\;e^{\kappa\cos\theta-a\cos^2\theta},\qquad a\ge0,

which has one maximum: :math:`\log p` is concave in x for D >= 3 and has one extremum inside at most for D = 2.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from glassformer._core._validation import FloatArray
from glassformer.theory.replica._site import nodes

_X, _W = np.polynomial.legendre.leggauss(40)
_DEPTH = 42.0  # what lies this far below the maximum of log p is left out
_HALVINGS = 60


class Longitudinal(NamedTuple):
    r"""Averages over the random field: :math:`E\langle x\rangle^2`, :math:`E[1-\langle x^2\rangle]`,
    :math:`E[\langle x^2\rangle-\langle x\rangle^2]`, :math:`E[(1-\langle x^2\rangle)^2]/(D-1)^2`
    :math:`E\langle x\rangle` and the mean logarithm of the normaliser."""

    overlap: float
    rest: float
    variance: float
    transverse: float
    mean: float
    log_normalizer: float


def _log_density(theta: FloatArray, kappa: FloatArray, a: float, dim: int) -> FloatArray:
    cosine = np.cos(theta)
    bulk = kappa * cosine - a * cosine**2
    if dim == 2:
        return bulk
    with np.errstate(divide="ignore"):
        return bulk + (dim - 2) * np.log(np.sin(theta))


def _mode(kappa: FloatArray, a: float, dim: int) -> FloatArray:
    """Return the angle of the maximum, in [0, pi/2] since kappa >= 0."""
    if dim == 2:
        return np.arccos(np.minimum(kappa / max(2.0 * a, 1e-300), 1.0))
    low, high = np.zeros_like(kappa), np.full_like(kappa, 0.5 * np.pi)
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        cosine, sine = np.cos(middle), np.sin(middle)
        rising = (dim - 2) * cosine > (kappa - 2.0 * a * cosine) * sine**2
        low, high = np.where(rising, middle, low), np.where(rising, high, middle)
    return 0.5 * (low + high)


class SpinMoments(NamedTuple):
    r""":math:`\langle x\rangle`, :math:`1-\langle x^2\rangle`, variance of x, and the logarithm of the normaliser relative
    to the uniform law on the sphere."""

    mean: FloatArray
    rest: FloatArray
    variance: FloatArray
    log_normalizer: FloatArray


def spin_moments(kappa: FloatArray, a: float, dim: int) -> SpinMoments:
    r"""Return the moments of one spin for each :math:`\kappa\ge0`.

    They keep their relative accuracy in the cold, where two of them vanish.

    >>> mean, rest, _, _ = spin_moments(np.array([2.0]), 0.0, 3)
    >>> mean.round(6).tolist(), rest.round(6).tolist()  # A_3(2) and 2 A_3(2) / 2
    ([0.537315], [0.537315])
    """
    peak = _mode(kappa, a, dim)
    top = _log_density(peak, kappa, a, dim)
    total, first, second, rest = (np.zeros_like(kappa) for _ in range(4))
    for end in (0.0, np.pi):
        inside, outside = peak, np.full_like(kappa, end)
        keep = _log_density(outside, kappa, a, dim) > top - _DEPTH
        for _ in range(_HALVINGS):
            middle = 0.5 * (inside + outside)
            near = _log_density(middle, kappa, a, dim) > top - _DEPTH
            inside, outside = np.where(near, middle, inside), np.where(near, outside, middle)
        edge = np.where(keep, end, outside)
        half = 0.5 * (edge - peak)
        theta = peak[:, None] + half[:, None] * (1.0 + _X)
        weight = np.exp(_log_density(theta, kappa[:, None], a, dim) - top[:, None]) * (np.abs(half)[:, None] * _W)
        total += weight.sum(axis=1)
        shift = (
            -2.0 * np.sin(0.5 * (theta + peak[:, None])) * np.sin(0.5 * (theta - peak[:, None]))
        )  # from x at the peak
        first += (weight * shift).sum(axis=1)
        second += (weight * shift**2).sum(axis=1)
        rest += (weight * np.sin(theta) ** 2).sum(axis=1)
    shifted = first / total
    uniform = 0.5 * math.log(math.pi) + math.lgamma(0.5 * (dim - 1)) - math.lgamma(0.5 * dim)
    variance = second / total - shifted**2
    return SpinMoments(np.cos(peak) + shifted, rest / total, variance, top + np.log(total) - uniform)


def longitudinal(dim: int, mean: float, variance: float, a: float) -> Longitudinal:
    r"""Return the averages over :math:`\kappa=|\mathrm{mean}+\sqrt{\mathrm{variance}}\,z|`; all but one are even in it."""
    kappa, weight, sign = nodes(1, mean, variance)
    along, rest, spread, log_normalizer = spin_moments(kappa, a, dim)
    transverse = rest / (dim - 1)
    return Longitudinal(
        float(weight @ along**2),
        float(weight @ rest),
        float(weight @ spread),
        float(weight @ transverse**2),
        float(weight @ (along * sign)),
        float(weight @ log_normalizer),
    )

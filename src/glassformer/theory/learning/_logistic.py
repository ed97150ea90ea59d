r"""Test error of logistic students with Gaussian fields: the likelihood at any ratio of windows to couplings, and its limits.

Everything depends on one number, the standard deviation :math:`\gamma=\beta\sqrt{Q_0}` of :math:`\beta h`.
"""

from __future__ import annotations

import functools
import itertools
import math
from typing import NamedTuple

import numpy as np

from glassformer._core._arcsine_mixture import REFERENCE_NODES, logistic_noise, mean_response, mean_slope
from glassformer._core._errors import NotConvergedError
from glassformer._core._validation import FloatArray, as_number


@functools.cache
def _legendre(count: int) -> tuple[FloatArray, FloatArray]:
    return np.polynomial.legendre.leggauss(count)


def gain(variance: float) -> float:
    r"""Return :math:`\alpha=E[1-\tanh^2\sqrt yz]`."""
    return float(mean_slope(variance, logistic_noise(1.0, REFERENCE_NODES)))


def mean_log_cosh(variance: float) -> float:
    r"""Return :math:`E\log2\cosh\sqrt vz=\sqrt{2v/\pi}+E\log(1+e^{-2|\sqrt vz|})`; the last term decays, and is integrated there."""
    if variance == 0.0:
        return math.log(2.0)
    size = math.sqrt(variance)
    points, weights = _legendre(80)
    u = 0.5 * min(10.0 * size, 20.0) * (points + 1.0)
    density = np.exp(-0.5 * (u / size) ** 2) / (math.sqrt(2.0 * math.pi) * size)
    rest = min(10.0 * size, 20.0) * float(weights @ (np.log1p(np.exp(-2.0 * u)) * density))
    return math.sqrt(2.0 * variance / math.pi) + rest


def loss_floor(variance: float) -> float:
    r"""Return the entropy of the next token :math:`E[\log2\cosh u-u\tanh u]`, nats per site.

    >>> round(loss_floor(1.0), 12)
    0.462008878449
    """
    return max(0.0, mean_log_cosh(variance) - variance * gain(variance))


def logistic_excess(signal: float, slope: float, noise: float) -> float:
    r"""Return the excess log loss when the student's field is :math:`a\,\beta h+` Gaussian noise of variance `noise`.

    By Stein's lemma :math:`E[\hat u\tanh u]=a\gamma^2\alpha`, so that one-dimensional averages are enough.
    """
    variance = signal**2
    student = mean_log_cosh(slope**2 * variance + noise) - slope * variance * gain(variance)
    return max(0.0, student - mean_log_cosh(variance) + variance * gain(variance))


def separability_threshold(signal: float) -> float:
    r"""Return the smallest P/d at which logistic maximum likelihood exists, for Gaussian inputs and many of them.

    .. math:: \frac dP<h=\min_tE[(tV-Z)_+^2],\qquad V\sim2\operatorname{expit}(2\gamma v)\phi(v),\ Z\sim N(0,1)

    Parameters
    ----------
    signal : float
        :math:`\gamma=\beta\sqrt{Q_0}`, the standard deviation of :math:`\beta h`; it may be infinite, and is 0 without couplings.

    Returns
    -------
    float
        2 for labels without signal, infinite for labels without noise.

    References
    ----------
    Candes and Sur 2020, Ann. Statist. 48, 27.

    Examples
    --------
    >>> [round(separability_threshold(signal), 3) for signal in (0.0, 0.5, 1.0, 2.0)]
    [2.0, 2.278, 2.899, 4.515]
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import expit, ndtr

    gamma = as_number("signal", signal, minimum=0.0, allow_infinity=True)
    if math.isinf(gamma):
        return math.inf
    v, weights = _split_rule(1.0 / max(gamma, 1e-300))
    density = 2.0 * expit(2.0 * gamma * v) * weights

    def value(logarithm: float) -> float:  # t <= 0: the best direction leans on the signal
        a = -math.exp(logarithm) * v
        return float(density @ ((1.0 + a**2) * ndtr(a) + a * np.exp(-0.5 * a**2) / math.sqrt(2.0 * math.pi)))

    grid = np.arange(-20.0, 8.0 + max(0.0, math.log(max(gamma, 1.0))), 0.25)  # the best t grows with the signal
    best = grid[int(np.argmin([value(x) for x in grid]))]
    found = minimize_scalar(value, bounds=(best - 0.5, best + 0.5), method="bounded", options={"xatol": 1e-9})
    return 1.0 / min(float(found.fun), 0.5)


def _split_rule(bend: float) -> tuple[FloatArray, FloatArray]:
    """Return a rule for averages over a normal number of what bends over a width `bend` around zero."""
    points, weights = _legendre(80)
    edges = [0.0, *(edge for edge in (4.0 * bend, 40.0 * bend, 3.0) if edge <= 3.0), 9.0]
    pieces = list(itertools.pairwise(edges))
    v = np.concatenate([low + 0.5 * (high - low) * (points + 1.0) for low, high in pieces])
    w = np.concatenate([0.5 * (high - low) * weights for low, high in pieces])
    v, w = np.concatenate([-v[::-1], v]), np.concatenate([w[::-1], w])
    return v, w * np.exp(-0.5 * v**2) / math.sqrt(2.0 * math.pi)


class Likelihood(NamedTuple):
    r"""Slope a and noise :math:`\tau^2` of the student's field :math:`a\beta h+\tau z` at one ratio of windows to couplings."""

    slope: float
    noise: float


def likelihood_limit(signal: float, ratios: FloatArray) -> list[Likelihood | None]:
    r"""Return slope and noise of the maximum-likelihood student at growing `ratios` d/P; None where it does not exist.

    With :math:`\kappa=d/P`, logits :math:`(Q_1,Q_2)` of variances :math:`g^2=4\gamma^2` and :math:`a^2g^2+\kappa\sigma^2` and
    covariance :math:`-ag^2`, :math:`\rho=\log(1+e^t)` and :math:`p+l\rho'(p)=Q_2` (Sur and Candes 2019):

    .. math:: \kappa^2\sigma^2=E[2\rho'(Q_1)l^2\rho'(p)^2],\quad 0=E[\rho'(Q_1)Q_1\rho'(p)],\quad
              1-\kappa=E\Big[\frac{2\rho'(Q_1)}{1+l\rho''(p)}\Big].

    The average over :math:`Q_1` at fixed :math:`Q_2` is that of a logistic function over a Gaussian, hence a mixture of error
    functions; p itself is the variable of the integral that remains, so that the proximal equation is never solved.

    Raises
    ------
    NotConvergedError
        When the solution cannot be followed to a ratio below the threshold.
    """
    if math.isinf(signal):
        return [None] * len(ratios)
    largest = 1.0 / separability_threshold(signal)
    curvature = 0.25 * gain(signal**2)  # E rho'' of the true logit, 2 beta h
    # From where the classical theory holds, in steps that shrink when Newton's method loses the way.
    place = min(float(ratios[0]), 0.02 * largest)
    here = _follow(np.array([0.0, -0.5 * math.log(curvature), math.log(place / curvature)]), signal, place)
    found: list[Likelihood | None] = []
    for ratio in ratios:
        if ratio >= largest:
            found.append(None)
            continue
        stride = 0.3
        while here is not None and place < ratio:
            # steps in the distance to the threshold, where the solution diverges
            goal = min(float(ratio), largest - (largest - place) * (1.0 - stride), place * (1.0 + stride))
            ahead = _follow(here, signal, goal)
            if ahead is not None:
                here, place = ahead, goal
            elif stride > 1e-3:
                stride *= 0.5
            else:
                here = None
        if here is None:
            raise NotConvergedError(
                f"The equations of the logistic likelihood lost their solution at d/P = {place:.6g}, below the threshold "
                f"{largest:.6g}; ask for more windows."
            )
        slope = math.exp(here[0]) if signal > 0.0 else 1.0
        found.append(Likelihood(slope, place * math.exp(2.0 * here[1]) / 4.0))  # logits are twice beta h
    return found


def _follow(start: FloatArray, signal: float, ratio: float) -> FloatArray | None:
    from scipy.optimize import root

    answer = root(_equations, start, args=(2.0 * signal, ratio), tol=1e-12)
    good = np.abs(_equations(answer.x, 2.0 * signal, ratio)).max() < 1e-8 and np.abs(answer.x - start).max() < 2.0
    return np.asarray(answer.x) if good else None


def _equations(unknown: FloatArray, strength: float, ratio: float) -> FloatArray:
    """Return the three equations at log slope, log sigma and log l."""
    from scipy.special import expit

    slope, sigma, length = np.exp(np.clip(unknown, -50.0, 50.0))
    variance = (slope * strength) ** 2 + ratio * sigma**2
    point, weights = _proximal_rule(float(length), math.sqrt(variance))
    target = point + length * expit(point)
    density = np.exp(-0.5 * target**2 / variance) / math.sqrt(2.0 * math.pi * variance)
    value, bend = expit(point), expit(point) * expit(-point)
    weights = weights * density * (1.0 + length * bend)  # d Q_2 = (1 + l rho'') dp
    mean, rest = -slope * strength**2 / variance * target, strength**2 * ratio * sigma**2 / variance
    noise = logistic_noise(1.0)
    tilt = 1.0 + mean_response(0.5 * mean, rest / 4.0, noise)  # 2 E[rho'(Q_1) | Q_2]
    one = float(weights @ (tilt * (length * value) ** 2)) / (ratio * sigma) ** 2 - 1.0
    three = (float(weights @ (tilt / (1.0 + length * bend))) - 1.0 + ratio) / ratio
    if strength == 0.0:
        return np.array([one, unknown[0], three])  # no direction to be wrong about
    # Stein: E[Q rho'(Q)] = mean E rho' + variance E rho''
    crossed = 0.5 * mean * tilt + 0.25 * rest * mean_slope(np.full_like(mean, rest / 4.0), noise, 0.5 * mean)
    return np.array([one, float(weights @ (crossed * value)) / strength, three])


def _proximal_rule(length: float, spread: float) -> tuple[FloatArray, FloatArray]:
    """Return a rule for p where Q_2 is within nine standard deviations, dense where the logistic function bends."""
    points, weights = _legendre(40)
    low, high = _proximal(-9.0 * spread, length), _proximal(9.0 * spread, length)
    inner = [edge for edge in (0.5 * (low - 6.0), -6.0, 0.0, 6.0, 0.5 * (high + 6.0)) if low < edge < high]
    middle = [] if inner else [0.5 * (low + high)]
    pairs = list(itertools.pairwise([low, *inner, *middle, high]))
    p = np.concatenate([a + 0.5 * (b - a) * (points + 1.0) for a, b in pairs])
    return p, np.concatenate([0.5 * (b - a) * weights for a, b in pairs])


def _proximal(target: float, length: float) -> float:
    """Solve p + length * expit(p) = target; to three digits, which is enough for the end of an integral."""
    from scipy.special import expit

    low, high = target - length, target
    while high - low > 1e-3 * (1.0 + abs(target) + length) * min(1.0, length + abs(target)):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if middle + length * expit(middle) < target else (low, middle)
    return 0.5 * (low + high)

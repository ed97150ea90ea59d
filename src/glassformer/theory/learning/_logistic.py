r"""Test error of logistic students with Gaussian fields: the likelihood at any ratio of windows to couplings, and its limits.

Everything depends on one number, the standard deviation :math:`\gamma=\beta\sqrt{Q_0}` of :math:`\beta h`.
"""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import numpy as np

from glassformer._core._arcsine_mixture import REFERENCE_NODES, logistic_noise, mean_slope
from glassformer._core._validation import FloatArray, as_number


@functools.cache
def _legendre(count: int) -> tuple[FloatArray, FloatArray]:
    return np.polynomial.legendre.leggauss(count)


def _normal_rule(count: int, end: float = 9.0) -> tuple[FloatArray, FloatArray]:
    points, weights = _legendre(count)
    z = end * points
    return z, end * weights * np.exp(-0.5 * z**2) / math.sqrt(2.0 * math.pi)


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
    # the density bends over 1 / gamma around zero: two rules that meet there, dense on that scale
    v, weights = _split_rule(min(1.0, 4.0 / max(gamma, 1e-300)))
    density = 2.0 * expit(2.0 * gamma * v) * weights

    def value(logarithm: float) -> float:  # t <= 0: the best direction leans on the signal
        a = -math.exp(logarithm) * v
        return float(density @ ((1.0 + a**2) * ndtr(a) + a * np.exp(-0.5 * a**2) / math.sqrt(2.0 * math.pi)))

    grid = np.linspace(-20.0, 12.0, 129)
    best = grid[int(np.argmin([value(x) for x in grid]))]
    found = minimize_scalar(value, bounds=(best - 0.5, best + 0.5), method="bounded", options={"xatol": 1e-9})
    return 1.0 / min(float(found.fun), 0.5)


def _split_rule(bend: float) -> tuple[FloatArray, FloatArray]:
    points, weights = _legendre(80)
    pieces = [(0.0, bend), (bend, 3.0), (3.0, 9.0)] if bend < 3.0 else [(0.0, 9.0)]
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
    """
    from scipy.optimize import root

    if math.isinf(signal):
        return [None] * len(ratios)
    largest = 1.0 / separability_threshold(signal)
    found: list[Likelihood | None] = []
    guess: FloatArray | None = None
    last = 0.0
    for ratio in ratios:
        if not 0.0 < ratio < 0.999 * largest or (found and found[-1] is None):
            found.append(None)
            continue
        if guess is None:
            last = min(ratio, 0.02 * largest)
            curvature = 0.25 * gain(signal**2)  # E rho'' of the true logit, 2 beta h
            guess = np.array([1.0, -0.5 * math.log(curvature), math.log(last / curvature)])
        while True:  # in small steps from where the classical theory holds
            answer = root(_equations, guess, args=(2.0 * signal, last), tol=1e-10)
            if not answer.success and np.abs(_equations(answer.x, 2.0 * signal, last)).max() > 1e-7:
                found.append(None)
                break
            guess = answer.x
            if last == ratio:
                noise = last * math.exp(2.0 * guess[1]) / 4.0  # logits are twice beta h
                found.append(Likelihood(float(guess[0]), float(noise)))
                break
            last = min(ratio, last * 1.3)
    return found


def _equations(unknown: FloatArray, strength: float, ratio: float) -> FloatArray:
    from scipy.special import expit

    slope, sigma, length = unknown[0], math.exp(min(unknown[1], 50.0)), math.exp(min(unknown[2], 50.0))
    z, weights = _normal_rule(60)
    first = strength * z[:, None]
    second = -slope * first + math.sqrt(ratio) * sigma * z[None, :]
    tilt = 2.0 * expit(first) * weights[:, None] * weights[None, :]
    point = _proximal(second, length)
    slope_at, bend = expit(point), expit(point) * expit(-point)
    one = np.sum(tilt * (length * slope_at) ** 2) / (ratio * sigma) ** 2 - 1.0
    two = np.sum(tilt * (first if strength > 0.0 else 0.0) * slope_at)
    three = (np.sum(tilt / (1.0 + length * bend)) - 1.0 + ratio) / ratio
    if strength == 0.0:
        two = slope - 1.0  # no direction to be wrong about
    return np.array([one, two, three])


def _proximal(target: FloatArray, length: float) -> FloatArray:
    """Solve p + length * expit(p) = target: the left side is increasing, with a slope of at least 1."""
    from scipy.special import expit

    low, high = target - length, target
    point = np.where(target > 0.5 * length, target - length, np.minimum(target, 0.0))
    point = np.clip(point, low, high)
    for _ in range(60):
        value = expit(point)
        gap = point + length * value - target
        low, high = np.where(gap < 0.0, point, low), np.where(gap < 0.0, high, point)
        step = gap / (1.0 + length * value * (1.0 - value))
        moved = point - step
        point = np.where((moved < low) | (moved > high), 0.5 * (low + high), moved)
        if np.abs(step).max() < 1e-13 * (1.0 + length):
            break
    return point

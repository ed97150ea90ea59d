r"""Entropies of single steps of a transient: the loss floor, and the log-ratio of a step to its reverse."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy.special import erf, log_ndtr, ndtr

from glassformer._core._arcsine_mixture import mean_response, mean_slope
from glassformer._core._validation import FloatArray
from glassformer.couplings import LaggedGaussian
from glassformer.models import TokenRule

_POINTS, _WEIGHTS = np.polynomial.legendre.leggauss(80)
_FAR = 25.0  # beyond it every integrand here is below 1e-20


def log_cosh_entropy(u: FloatArray) -> FloatArray:
    r"""Return :math:`\log2\cosh u-u\tanh u`, the entropy of a sign with log-odds 2u.

    >>> bool(log_cosh_entropy(np.array(0.0)) == math.log(2.0))
    True
    """
    size = np.abs(u)
    tail = np.exp(-2.0 * size)
    return np.asarray(np.log1p(tail) + 2.0 * size * tail / (1.0 + tail))


def probit_entropy(u: FloatArray) -> FloatArray:
    """Return the entropy of a sign that is 1 with the probability that a normal variable is below u."""
    return -(ndtr(u) * log_ndtr(u) + ndtr(-u) * log_ndtr(-u))


def gaussian_average(
    function: Callable[[FloatArray], FloatArray], mean: FloatArray, variance: FloatArray
) -> FloatArray:
    """Return the average of a function that is even, smooth away from 0 and negligible beyond 25, over normal laws."""
    deviation = np.sqrt(np.maximum(variance, 0.0))
    total = np.zeros(np.broadcast_shapes(np.shape(mean), np.shape(variance)))
    spread = np.where(deviation > 0.0, deviation, 1.0)
    for low_end, high_end in ((-_FAR, 0.0), (0.0, _FAR)):
        low = np.clip(mean - 10.0 * spread, low_end, high_end)
        high = np.clip(mean + 10.0 * spread, low_end, high_end)
        half = 0.5 * (high - low)
        u = half[..., None] * (_POINTS + 1.0) + low[..., None]
        density = np.exp(-0.5 * ((u - mean[..., None]) / spread[..., None]) ** 2) / (
            math.sqrt(2.0 * math.pi) * spread[..., None]
        )
        total += half * ((function(u) * density) @ _WEIGHTS)
    return np.where(deviation > 0.0, total, function(mean))


def loss_floor(rule: TokenRule, field_mean: FloatArray, variance: FloatArray) -> FloatArray | None:
    r"""Return the entropy of the next token given the past, per site, for fields :math:`N(\mu_t,Q_{tt})`; None if it has none.

    Signs: :math:`E[\log2\cosh u-u\tanh u]` with :math:`u=\beta h`; continuous tokens: the differential entropy
    :math:`\frac12\log2\pi ev` with the variance v that the rule adds. Deterministic signs have 0.
    """
    if rule.variant == "graded" or (rule.variant == "spherical" and math.isinf(rule.beta)):
        return None  # a continuous token without noise has no density
    if rule.variant == "gaussian":
        return np.full_like(variance, 0.5 * math.log(2.0 * math.pi * math.e * rule.sigma**2))
    if rule.variant == "spherical":
        multiplier = 0.5 * (1.0 + np.sqrt(1.0 + 4.0 * rule.beta**2 * (variance + field_mean**2)))
        return np.asarray(0.5 * np.log(2.0 * math.pi * math.e / multiplier))
    if math.isinf(rule.beta):
        return np.where(variance + field_mean**2 > 0.0, 0.0, math.log(2.0))
    entropy = log_cosh_entropy if rule.variant == "ising" else probit_entropy
    return gaussian_average(entropy, rule.beta * field_mean, rule.beta**2 * variance)


def _mean_log_cosh(mean: FloatArray, variance: FloatArray) -> FloatArray:
    r"""Return :math:`E\log2\cosh u` for normal u."""
    deviation = np.sqrt(np.where(variance > 0.0, variance, 1.0))
    folded = deviation * math.sqrt(2.0 / math.pi) * np.exp(-0.5 * (mean / deviation) ** 2)
    folded += mean * erf(mean / (math.sqrt(2.0) * deviation))
    folded = np.where(variance > 0.0, folded, np.abs(mean))
    return folded + gaussian_average(lambda u: np.log1p(np.exp(-2.0 * np.abs(u))), mean, variance)


def sphere_normalizer(square: FloatArray) -> FloatArray:
    r"""Return :math:`\frac1N\log\int e^{\beta s\cdot h}` on the sphere for large N, with :math:`square=\beta^2h\cdot h/N`."""
    root = np.sqrt(1.0 + 4.0 * square)
    return np.asarray(0.5 * (root - 1.0 - np.log(0.5 * (1.0 + root))))


def _probit_production(
    mean: FloatArray, variance: FloatArray, mean_back: FloatArray, variance_back: FloatArray, crossed: FloatArray
) -> FloatArray:
    r"""Return :math:`E\log\frac{\Phi(su)}{\Phi(s\tilde u)}` for normal fields :math:`u=\beta h` and :math:`\tilde u`, each step."""
    out = -gaussian_average(probit_entropy, mean, variance)
    points, weights = np.polynomial.legendre.leggauss(24)
    for t in range(out.size):
        deviation = math.sqrt(max(variance_back[t], 0.0))
        slope = crossed[t] / variance_back[t] if deviation > 0.0 else 0.0
        width = math.sqrt(1.0 + max(variance[t] - slope * crossed[t], 0.0))
        if deviation == 0.0:
            x, density = mean_back[t : t + 1], np.ones(1)
        else:  # panels of one deviation, and finer ones around 0, where the integrand bends on the scale 1
            near = np.concatenate([[0.0], 2.0 ** np.arange(-1.0, 6.0)])
            edges = np.concatenate([mean_back[t] + deviation * np.arange(-10.0, 11.0), near, -near])
            edges = np.unique(np.clip(edges, mean_back[t] - 10.0 * deviation, mean_back[t] + 10.0 * deviation))
            half = 0.5 * np.diff(edges)[:, None]
            x = (half * (points + 1.0) + edges[:-1, None]).ravel()
            density = (half * weights).ravel() * np.exp(-0.5 * ((x - mean_back[t]) / deviation) ** 2)
            density /= math.sqrt(2.0 * math.pi) * deviation
        given = (mean[t] + slope * (x - mean_back[t])) / width
        out[t] -= float(density @ (ndtr(given) * log_ndtr(x) + ndtr(-given) * log_ndtr(-x)))
    return out


def step_entropy_production(
    law: LaggedGaussian, field: float, rule: TokenRule, correlation: FloatArray, mean: FloatArray
) -> FloatArray | None:
    r"""Return the mean log-ratio of each step to its reverse, :math:`E\log\frac{p(s_t|s_{t-1}..s_{t-K})}{p(s_t|s_{t+1}..s_{t+K})}`.

    `correlation` is given by lag. In nats per site for t = 1..T-K; its stationary value is the entropy production. The backward field
    :math:`\tilde h_t=\sum_kJ_ks_{t+k}+\theta` is Gaussian with the forward one, with
    :math:`\operatorname{Var}\tilde h_t=\sum\Gamma_{kk'}C_{t+k,t+k'}` and
    :math:`\operatorname{Cov}(h_t,\tilde h_t)=\sum\Gamma_{kk'}C_{t-k,t+k'}`. Logistic signs:
    :math:`\beta E[s(h-\tilde h)]-E\log\frac{\cosh\beta h}{\cosh\beta\tilde h}` with
    :math:`E[s\tilde h]=m\tilde\mu+a\operatorname{Cov}`. For probit signs :math:`P(s|\tilde h)` is a normal integral, and one
    integral is left. None for rules without noise, where it is infinite, and for runs of no more than K steps.
    """
    if rule.deterministic or rule.beta == 0.0:
        return None if rule.deterministic else np.zeros(max(correlation.shape[0] - 2 * law.context, 0))
    from glassformer.theory.dmft._transient_kernels import around

    gamma, context = law.covariance, law.context
    count = correlation.shape[0] - 2 * context  # steps whose K successors are known
    if count < 1:
        return None
    here = np.arange(context, context + count)
    forward, backward, crossed = (
        around(np.asarray(gamma), correlation, context, count, *signs) for signs in ((-1, -1), (1, 1), (-1, 1))
    )
    mu, mu_back = np.full(count, field), np.full(count, field)
    for k in range(1, context + 1):
        mu += law.mean[k - 1] * mean[here - k]  # type: ignore[index]
        mu_back += law.mean[k - 1] * mean[here + k]  # type: ignore[index]
    if rule.variant == "gaussian":
        # (s - h~)^2 - (s - h)^2, with s = h + noise and the noise not in h~
        away = forward - 2.0 * crossed + backward + (mu - mu_back) ** 2
        return np.asarray(away / (2.0 * rule.sigma**2))
    beta = rule.beta
    if rule.variant == "spherical":
        square = beta**2 * (forward + mu**2)
        gain = 2.0 * beta / (1.0 + np.sqrt(1.0 + 4.0 * square))
        drift = beta * gain * (forward + mu**2 - crossed - mu * mu_back)
        return drift - sphere_normalizer(square) + sphere_normalizer(beta**2 * (backward + mu_back**2))
    if rule.variant == "probit":
        ahead, behind = (beta * mu, beta**2 * forward), (beta * mu_back, beta**2 * backward)
        return _probit_production(*ahead, *behind, beta**2 * crossed)
    gain, response = mean_slope(forward, rule.noise, mu), mean_response(mu, forward, rule.noise)
    drift = beta * (response * (mu - mu_back) + gain * (forward - crossed))
    before, after = (beta * mu, beta**2 * forward), (beta * mu_back, beta**2 * backward)
    return np.asarray(drift - _mean_log_cosh(*before) + _mean_log_cosh(*after))

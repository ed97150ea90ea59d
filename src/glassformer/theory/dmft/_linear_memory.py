r"""Transients of Gaussian and spherical tokens with partially symmetric couplings: exact recursion of C and R.

A site acts on itself through the others,

.. math:: h_t=\mu_t+\eta_t+\sum_wM_{tw}s_w,\qquad M_{tw}=\sum_{kk'}\tilde\Gamma_{kk'}R_{t-k,w+k'},\qquad
          s_t=a_th_t+\text{noise},

with :math:`R_{tu}=\partial\langle s_t\rangle/\partial\theta_u`. Then :math:`R_{tu}=a_t(\delta_{tu}+\sum_wM_{tw}R_{wu})`,
:math:`\langle\eta_ts_w\rangle=\sum_uQ_{tu}R_{wu}` (Novikov), and C closes in causal order.
"""

from __future__ import annotations

import math

import numpy as np

from glassformer._core._validation import FloatArray
from glassformer.couplings import LaggedGaussian
from glassformer.models import ContextEnsemble, TokenRule
from glassformer.theory.dmft._two_time import LARGEST_SQUARE, TwoTime


def memory_row(partner: FloatArray, response: FloatArray, t: int) -> FloatArray:
    r"""Return :math:`M_{tw}` for the K + t tokens before step t (0 is the first step), earliest first."""
    context = partner.shape[0]
    row = np.zeros(context + t)
    for k in range(1, min(context, t) + 1):
        past = response[t - k, : t - k + 1]
        for l in range(1, context + 1):
            row[context - l : context - l + past.size] += partner[k - 1, l - 1] * past
    return row


def covariance_row(law: LaggedGaussian, correlation: FloatArray, t: int) -> FloatArray:
    r"""Return :math:`Q_{tu}` for u up to step t, from the K + t tokens before."""
    context = law.context
    row = np.zeros(t + 1)
    for k in range(1, context + 1):
        past = correlation[context + t - k]
        for l in range(1, context + 1):
            row += law.covariance[k - 1, l - 1] * past[context - l : context - l + t + 1]
    return row


def mean_field_row(ensemble: ContextEnsemble, mean: FloatArray, t: int) -> float:
    r"""Return :math:`\mu_t=\sum_kJ^0_km_{t-k}+\theta`."""
    context = ensemble.law.context
    return float(np.asarray(ensemble.law.mean) @ mean[t : context + t][::-1]) + float(ensemble.field)


def linear_memory(
    ensemble: ContextEnsemble, rule: TokenRule, steps: int, overlaps: FloatArray, means: FloatArray
) -> TwoTime:
    """Return the transient; `overlaps` and `means` of the initial tokens, most recent first."""
    law = ensemble.law
    partner, context = np.asarray(law.transpose_covariance), law.context
    size = context + steps
    correlation, mean = np.zeros((size, size)), np.zeros(size)
    correlation[:context, :context], mean[:context] = overlaps[::-1, ::-1], means[::-1]
    covariance, response = np.zeros((steps, steps)), np.zeros((steps, steps))
    field_mean, power = np.zeros(steps), np.zeros(steps)
    for t in range(steps):
        i = context + t
        memory = memory_row(partner, response, t)
        row = covariance_row(law, correlation, t)
        covariance[t, : t + 1] = covariance[: t + 1, t] = row
        mu = field_mean[t] = mean_field_row(ensemble, mean, t)
        noise = np.concatenate([np.zeros(context), response[:t, :t] @ row[:t]])  # <eta_t s_w>
        field_mean_whole = mu + memory @ mean[:i]
        with_tokens = mu * mean[:i] + noise + memory @ correlation[:i, :i]  # <h_t s_w>
        power[t] = mu * field_mean_whole + row[t] + memory @ noise + memory @ with_tokens  # <h_t^2>
        gain = _gain(rule, power[t])
        correlation[i, :i] = correlation[:i, i] = gain * with_tokens
        correlation[i, i] = power[t] + rule.sigma**2 if rule.variant == "gaussian" else 1.0
        mean[i] = gain * field_mean_whole
        response[t, :t] = gain * (memory[context:] @ response[:t, :t])
        response[t, t] = gain
        if not correlation[i, i] < LARGEST_SQUARE:
            return TwoTime(
                correlation[:i, :i], mean[:i], covariance[:t, :t], field_mean[:t], response[:t, :t],
                entropy=_entropy(rule, power[:t]),
            )  # fmt: skip
    return TwoTime(correlation, mean, covariance, field_mean, response, entropy=_entropy(rule, power))


def _gain(rule: TokenRule, power: float) -> float:
    if rule.variant == "gaussian":
        return 1.0
    if math.isinf(rule.beta):
        return 1.0 / math.sqrt(power) if power > 0.0 else 0.0
    return 2.0 * rule.beta / (1.0 + math.sqrt(1.0 + 4.0 * rule.beta**2 * max(power, 0.0)))


def _entropy(rule: TokenRule, power: FloatArray) -> FloatArray | None:
    """Return the differential entropy of the next token given the past."""
    if rule.variant == "gaussian":
        return np.full(power.size, 0.5 * math.log(2.0 * math.pi * math.e * rule.sigma**2))
    if math.isinf(rule.beta):
        return None
    multiplier = 0.5 * (1.0 + np.sqrt(1.0 + 4.0 * rule.beta**2 * power))
    return np.asarray(0.5 * np.log(2.0 * math.pi * math.e / multiplier))

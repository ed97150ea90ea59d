r"""The compiled recursion of the two-time correlation; `_transient` states the equations.

With :math:`\Gamma=LL^T` a row of the field covariance is :math:`Q_{tt'}=\sum_{a,k'}L_{k'a}B_{a,t'-k'}`,
:math:`B_{a,t'}=\sum_kL_{ka}C_{t-k,t'}`: of the order of :math:`rKT^2` operations in all.

The average of two sigmoids is a sum over pairs of nodes of a mixture. Here the sum is taken last. Both factors of

.. math:: E[f(x)f(y)]=\sum_nh_n(x)h_n(y)\rho^n,\qquad h_n=\frac1{\sqrt{n!}}E[f(\mu+\sqrt Qz)\,\mathrm{He}_n(z)]

(Mehler's formula) belong to one time each, so they are tabulated once per time, and an entry costs a short polynomial in
:math:`\rho` instead of hundreds of arcsines. What is left out after n terms is at most
:math:`|\rho|^n\sqrt{T_nT'_n}`, with :math:`T_n=Ef^2-\sum_{m<n}h_m^2`; entries for which the table is too short are summed
pair by pair.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from glassformer._core._arcsine_kernels import centred_average, shifted_average
from glassformer.theory.dmft._two_time import LARGEST_SQUARE

SIGMOID, GAUSSIAN, SPHERICAL = 0, 1, 2
TERMS_CENTRED, TERMS_SHIFTED = 64, 256
_LEFT_OUT = 1e-15
_SHORT = 0.76  # below it either table is long enough: 0.76^128 < 1e-15
_NO_FIELD = 1e-14  # a field variance below this fraction of what its terms could add up to is rounding


@njit(cache=True, nogil=True, error_model="numpy")
def centred_moments(variance, variances, weights, square, values, tails):
    """Write the odd moments h_1, h_3, ... of a centred field, and the roots of what is left before each."""
    total = 0.0
    values[:] = 0.0
    for j in range(variances.size):
        ratio = variance / (variance + variances[j])
        power = weights[j] * math.sqrt(ratio)
        for n in range(values.size):
            values[n] += power
            power *= ratio
    coefficient = 1.0  # of the series of the arcsine
    for n in range(values.size):
        tails[n] = math.sqrt(max(square - total, 0.0) + 4e-16)
        values[n] *= math.sqrt(2.0 / math.pi * coefficient / (2 * n + 1))
        coefficient *= (2 * n + 1) / (2 * n + 2)
        total += values[n] ** 2
    tails[values.size] = math.sqrt(max(square - total, 0.0) + 4e-16)


@njit(cache=True, nogil=True, error_model="numpy")
def shifted_moments(mean, variance, variances, weights, square, values, tails):
    """Write the moments h_0, h_1, ... of a field with a mean (up to signs that cancel in pairs)."""
    values[:] = 0.0
    for j in range(variances.size):
        total = variance + variances[j]
        if total == 0.0:  # no noise at all
            values[0] += weights[j] * np.sign(mean)
            continue
        m = mean / math.sqrt(total)
        values[0] += weights[j] * math.erf(m * math.sqrt(0.5))
        if m * m > 1400.0:
            continue
        root = math.sqrt(variance / total)
        power = weights[j] * math.sqrt(2.0 / math.pi) * math.exp(-0.5 * m * m)
        before, here = 0.0, 1.0  # normalised Hermite polynomials
        for n in range(1, values.size):
            power *= root
            values[n] += power * here / math.sqrt(n)
            before, here = here, (m * here - math.sqrt(n - 1.0) * before) / math.sqrt(n)
    left = square
    for n in range(values.size):
        tails[n] = math.sqrt(max(left, 0.0) + 4e-16)
        left -= values[n] ** 2
    tails[values.size] = math.sqrt(max(left, 0.0) + 4e-16)


@njit(cache=True, nogil=True, error_model="numpy")
def _series(rho, moments, tails, t, u, step):
    """Return the sum of Mehler's series and whether the table was long enough; `step` is 2 for odd terms only."""
    terms = moments.shape[1]
    size = abs(rho)
    ratio = rho * rho if step == 2 else rho
    if size > _SHORT and size ** (step * terms) * tails[t, terms] * tails[u, terms] > _LEFT_OUT:
        return 0.0, False
    power = rho if step == 2 else 1.0
    total = 0.0
    for n in range(terms):
        if abs(power) * tails[t, n] * tails[u, n] <= _LEFT_OUT * size:
            break
        total += moments[t, n] * moments[u, n] * power
        power *= ratio
    return total, True


@njit(cache=True, nogil=True, error_model="numpy")
def recursion(
    correlation, mean, covariance, field_mean, factors, coupling_mean, field, kind, graded, beta, sigma,
    variances, weights, points, angle_weights,
):  # fmt: skip
    """Fill `correlation` and `mean` (K initial rows are given), `covariance`, `field_mean`; return the steps that are finite."""
    context, rank = factors.shape
    steps = covariance.shape[0]
    centred = field == 0.0 and not np.any(coupling_mean)
    mixture = kind == SIGMOID and variances.size > 1
    terms = TERMS_CENTRED if centred else TERMS_SHIFTED
    rows = steps if mixture else 0
    moments, tails = np.zeros((rows, terms)), np.zeros((rows, terms + 1))
    gain, deviation = np.zeros(steps), np.zeros(steps)
    filtered = np.zeros((rank, context + steps))
    one, average, places = np.ones(1), np.zeros(1), np.zeros(steps, dtype=np.int64)
    for t in range(steps):
        i = t + context
        mu, bound = field, 0.0
        for k in range(context):
            mu += coupling_mean[k] * mean[i - 1 - k]
            norm = 0.0
            for a in range(rank):
                norm += factors[k, a] ** 2
            bound += math.sqrt(norm * correlation[i - 1 - k, i - 1 - k])
        field_mean[t] = mu
        row = covariance[t]
        for a in range(rank):
            line = filtered[a]
            line[:i] = 0.0
            for k in range(context):
                c = factors[k, a]
                if c != 0.0:
                    line[:i] += c * correlation[i - 1 - k, :i]
            for k in range(context):
                c = factors[k, a]
                if c != 0.0:
                    row[: t + 1] += c * line[context - 1 - k : context - k + t]
        if row[t] <= _NO_FIELD * bound * bound:
            row[: t + 1] = 0.0
        covariance[: t + 1, t] = row[: t + 1]
        variance = row[t]
        deviation[t] = math.sqrt(variance)

        # the token's own mean and square, and what its correlations with earlier tokens need
        if kind == GAUSSIAN:
            mean[i] = mu
            correlation[i, i] = variance + mu * mu + sigma * sigma
            if not correlation[i, i] < LARGEST_SQUARE:
                return t
            correlation[i, context:i] = row[:t] + mu * field_mean[:t]
        elif kind == SPHERICAL:
            power = variance + mu * mu
            if math.isinf(beta):
                gain[t] = 1.0 / math.sqrt(power) if power > 0.0 else 0.0
            else:
                gain[t] = 2.0 * beta / (1.0 + math.sqrt(1.0 + 4.0 * beta * beta * power))
            mean[i] = gain[t] * mu
            correlation[i, i] = 1.0
            correlation[i, context:i] = gain[t] * gain[:t] * (row[:t] + mu * field_mean[:t])
        else:
            if centred:
                mean[i] = 0.0
            else:
                shifted_moments(mu, variance, variances, weights, 0.0, average, np.zeros(2))
                mean[i] = average[0]
            if graded or mixture:
                if centred:
                    square = centred_average(variance * one, variance * one, variance * one, variances, weights)[0]
                elif graded or not mixture:
                    square = shifted_average(
                        variance * one, variance * one, variance * one, mu * one, mu * one, variances, weights,
                        points, angle_weights,
                    )[0]  # fmt: skip
                else:
                    square = 1.0
                    for j in range(variances.size):
                        total = variance + variances[j]
                        square -= (
                            weights[j] * math.sqrt(2.0 / (math.pi * total)) * math.exp(-0.5 * mu * mu / total) / beta
                        )
            else:
                square = 1.0
            correlation[i, i] = square if graded else 1.0
            if mixture:
                if centred:
                    centred_moments(variance, variances, weights, square, moments[t], tails[t])
                else:
                    shifted_moments(mu, variance, variances, weights, square, moments[t], tails[t])
                count = 0
                for u in range(t):
                    scale = deviation[t] * deviation[u]
                    rho = min(1.0, max(-1.0, row[u] / scale)) if scale > 0.0 else 0.0
                    value, enough = _series(rho, moments, tails, t, u, 2 if centred else 1)
                    if enough:
                        correlation[i, context + u] = value
                    else:
                        places[count] = u
                        count += 1
            else:
                count = t
                for u in range(t):
                    places[u] = u
            if count > 0:
                q, qb, mb = np.empty(count), np.empty(count), np.empty(count)
                for n in range(count):
                    u = places[n]
                    q[n], qb[n], mb[n] = row[u], covariance[u, u], field_mean[u]
                qa = np.full(count, variance)
                if centred:
                    pairs = centred_average(q, qa, qb, variances, weights)
                else:
                    pairs = shifted_average(
                        q, qa, qb, np.full(count, mu), mb, variances, weights, points, angle_weights
                    )
                for n in range(count):
                    correlation[i, context + places[n]] = pairs[n]
        correlation[i, :context] = mean[i] * mean[:context]
        correlation[:i, i] = correlation[i, :i]
    return steps

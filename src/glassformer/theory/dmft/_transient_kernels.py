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
def _field_row(t, correlation, factors, filtered, row):
    """Write Q_{t,t-l} for the lags of `row`; the K + t tokens before are known."""
    context, rank = factors.shape
    i = t + context
    width = correlation.shape[1]
    lags = min(t + 1, row.size)
    for a in range(rank):
        line = filtered[a]
        line[: lags + context] = 0.0
        for k in range(1, context + 1):
            c = factors[k - 1, a]
            if c != 0.0:
                for l in range(1, k):  # the earlier of the two is the row: C is symmetric
                    if k - l < width:
                        line[l] += c * correlation[i - l, k - l]
                last = min(min(i, lags + context - 1), width - 1 + k)
                line[k : last + 1] += c * correlation[i - k, : last + 1 - k]
        for k in range(1, context + 1):
            c = factors[k - 1, a]
            if c != 0.0:
                row[:lags] += c * line[k : k + lags]


@njit(cache=True, nogil=True, error_model="numpy")
def _second_moment(mu, variance, centred, graded, beta, variances, weights, points, angle_weights):
    """Return the mean square of the sigmoid; of the logistic one with a mean, which only bounds a rest, the short way."""
    one = np.ones(1)
    if centred:
        return centred_average(variance * one, variance * one, variance * one, variances, weights)[0]
    if graded:
        v, m = variance * one, mu * one
        return shifted_average(v, v, v, m, m, variances, weights, points, angle_weights)[0]
    square = 1.0
    for j in range(variances.size):
        total = variance + variances[j]
        square -= weights[j] * math.sqrt(2.0 / (math.pi * total)) * math.exp(-0.5 * mu * mu / total) / beta
    return square


@njit(cache=True, nogil=True, error_model="numpy")
def recursion(
    correlation, mean, covariance, field_mean, factors, coupling_mean, field, kind, graded, beta, sigma,
    variances, weights, points, angle_weights,
):  # fmt: skip
    """Fill the rows by lag: ``correlation[K + t, l]`` is C between step t and l earlier, ``covariance[t, l]`` is Q.

    K initial rows of `correlation` and `mean` are given; lags beyond the width count as uncorrelated. Returns the number of
    steps that are finite.
    """
    context, rank = factors.shape
    steps, depth = covariance.shape
    width = correlation.shape[1]
    centred = field == 0.0 and not np.any(coupling_mean)
    mixture = kind == SIGMOID and variances.size > 1
    terms = TERMS_CENTRED if centred else TERMS_SHIFTED
    kept = depth if mixture else 1  # rows of the tables, used in turn
    moments, tails = np.zeros((kept, terms)), np.zeros((kept, terms + 1))
    gain, deviation = np.zeros(steps), np.zeros(steps)
    filtered = np.zeros((rank, depth + context))
    average, nothing, places = np.zeros(1), np.zeros(2), np.zeros(depth, dtype=np.int64)
    norms = np.zeros(context)
    for k in range(context):
        for a in range(rank):
            norms[k] += factors[k, a] ** 2
    for t in range(steps):
        i = t + context
        mu, bound = field, 0.0
        for k in range(context):
            mu += coupling_mean[k] * mean[i - 1 - k]
            bound += math.sqrt(norms[k] * correlation[i - 1 - k, 0])
        field_mean[t] = mu
        row, out = covariance[t], correlation[i]
        _field_row(t, correlation, factors, filtered, row)
        if row[0] <= _NO_FIELD * bound * bound:
            row[:] = 0.0
        variance = row[0]
        deviation[t] = math.sqrt(variance)
        lags = min(t, depth - 1)

        # the token's own mean and square, and its correlations with earlier tokens
        if kind == GAUSSIAN:
            mean[i] = mu
            out[0] = variance + mu * mu + sigma * sigma
            if not out[0] < LARGEST_SQUARE:
                return t
            for l in range(1, lags + 1):
                out[l] = row[l] + mu * field_mean[t - l]
        elif kind == SPHERICAL:
            power = variance + mu * mu
            if math.isinf(beta):
                gain[t] = 1.0 / math.sqrt(power) if power > 0.0 else 0.0
            else:
                gain[t] = 2.0 * beta / (1.0 + math.sqrt(1.0 + 4.0 * beta * beta * power))
            mean[i] = gain[t] * mu
            out[0] = 1.0
            for l in range(1, lags + 1):
                out[l] = gain[t] * gain[t - l] * (row[l] + mu * field_mean[t - l])
        else:
            if not centred:
                shifted_moments(mu, variance, variances, weights, 0.0, average, nothing)
                mean[i] = average[0]
            square = 1.0
            if graded or mixture:
                square = _second_moment(mu, variance, centred, graded, beta, variances, weights, points, angle_weights)
            out[0] = square if graded else 1.0
            count = 0
            if mixture:
                if centred:
                    centred_moments(variance, variances, weights, square, moments[t % kept], tails[t % kept])
                else:
                    shifted_moments(mu, variance, variances, weights, square, moments[t % kept], tails[t % kept])
                for l in range(1, lags + 1):
                    scale = deviation[t] * deviation[t - l]
                    rho = min(1.0, max(-1.0, row[l] / scale)) if scale > 0.0 else 0.0
                    out[l], enough = _series(rho, moments, tails, t % kept, (t - l) % kept, 2 if centred else 1)
                    if not enough:
                        places[count] = l
                        count += 1
            else:
                count = lags
                for l in range(1, lags + 1):
                    places[l - 1] = l
            if count > 0:
                q, qb, mb = np.empty(count), np.empty(count), np.empty(count)
                for n in range(count):
                    l = places[n]
                    q[n], qb[n], mb[n] = row[l], covariance[t - l, 0], field_mean[t - l]
                qa = np.full(count, variance)
                if centred:
                    pairs = centred_average(q, qa, qb, variances, weights)
                else:
                    pairs = shifted_average(
                        q, qa, qb, np.full(count, mu), mb, variances, weights, points, angle_weights
                    )
                for n in range(count):
                    out[places[n]] = pairs[n]
        for l in range(t + 1, min(i + 1, width)):
            out[l] = mean[i] * mean[i - l]
    return steps


@njit(cache=True, nogil=True, error_model="numpy")
def around(gamma, band, start, count, first, second):
    r"""Return :math:`\sum\Gamma_{kk'}C_{t\pm k,t\pm k'}` for `count` rows from `start` on of a correlation by lag."""
    out = np.zeros(count)
    context = gamma.shape[0]
    for t in range(count):
        for k in range(context):
            one = start + t + first * (k + 1)
            for l in range(context):
                other = start + t + second * (l + 1)
                lag = abs(one - other)
                if lag < band.shape[1]:
                    out[t] += gamma[k, l] * band[max(one, other), lag]
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def square_matrix(band):
    """Return the symmetric matrix whose rows by lag are given."""
    size = band.shape[0]
    out = np.zeros((size, size))
    for i in range(size):
        for l in range(min(i + 1, band.shape[1])):
            out[i, i - l] = band[i, l]
            out[i - l, i] = band[i, l]
    return out

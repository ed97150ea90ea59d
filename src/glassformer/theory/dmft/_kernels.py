"""Compiled sums of stationary dynamical mean-field theory: the bivariate average at equal variances, with its slopes."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

_TWO_OVER_PI = 2.0 / math.pi
_NEAR = 0.3  # below this ratio of covariance to the least variance the power series of the arcsine is short
_LEGENDRE = np.polynomial.legendre.leggauss(10)
_SHORT_POINTS, _SHORT_WEIGHTS = 0.5 * (_LEGENDRE[0] + 1.0), 0.5 * _LEGENDRE[1]
_TERMS = 16  # 0.3^33 is below rounding


@njit(cache=True, nogil=True, error_model="numpy")
def _moments(q0, variances, weights, least):
    r"""Return :math:`\sum_jw_j(A_{min}/A_j)^{n/2}` for n = 1, 3, 5, ..."""
    out = np.zeros(_TERMS + 1)
    for j in range(variances.size):
        ratio = least / (q0 + variances[j])
        power = math.sqrt(ratio)
        for n in range(_TERMS + 1):
            out[n] += weights[j] * power
            power *= ratio
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def centred(q, q0, variances, weights, average, by_q, by_q0):
    r"""Fill in Phi(q; q0, q0), its slope by q, and its slope by q0 (both variances at once), for fields of mean zero.

    Where q is small the sum over pairs of nodes factorises term by term: with
    :math:`\mu_n=\sum_jw_jA_j^{-n/2}`, :math:`\Phi=\frac2\pi\sum_{n\,odd}c_nq^n\mu_n^2`, c_n of the arcsine.
    """
    nodes = variances.size
    least = q0 + variances.min()
    moments = _moments(q0, variances, weights, least)
    for k in range(q.size):
        x = q[k] / least
        if abs(x) < _NEAR:
            total = slope = other = 0.0
            coefficient, power = 1.0, 1.0  # (2n - 1)!! / (2n)!! and x^{2n}
            for n in range(_TERMS):
                square = coefficient * power * moments[n]
                total += square * moments[n] / (2 * n + 1)
                slope += square * moments[n]
                other += square * moments[n + 1]
                power *= x * x
                coefficient *= (2.0 * n + 1.0) / (2.0 * n + 2.0)
            average[k] = _TWO_OVER_PI * total * x
            by_q[k] = _TWO_OVER_PI * slope / least
            by_q0[k] = -_TWO_OVER_PI * other * x / least
            continue
        total = slope = other = 0.0
        for j in range(nodes):
            a = q0 + variances[j]
            for l in range(j + 1):
                b = q0 + variances[l]
                weight = weights[j] * weights[l] * (1.0 if l == j else 2.0)
                # A B - q^2 without cancellation as q tends to q0 and the noise to 0
                rest = (q0 - q[k]) * (q0 + q[k]) + q0 * (variances[j] + variances[l]) + variances[j] * variances[l]
                root = math.sqrt(max(rest, 1e-30 * a * b))
                density = weight / root
                total += weight * math.atan2(q[k], root)
                slope += density
                other += density * (1.0 / a + 1.0 / b)
        average[k] = _TWO_OVER_PI * total
        by_q[k] = _TWO_OVER_PI * slope
        by_q0[k] = -0.5 * _TWO_OVER_PI * q[k] * other


@njit(cache=True, nogil=True, error_model="numpy")
def shifted(q, q0, mean, variances, weights, points, angle_weights, average, by_q, by_q0, by_mean):
    r"""Fill in Phi for two fields of variance q0 and mean `mean`, and its slopes by q, q0 (both) and the mean (both).

    The average is an integral over an angle for each pair of nodes; its slopes are closed, by
    :math:`\partial_Q=\partial_{\mu_a}\partial_{\mu_b}` and :math:`\partial_{Q_{aa}}=\frac12\partial^2_{\mu_a}`.
    """
    nodes = variances.size
    erfs = np.empty(nodes)
    for j in range(nodes):
        erfs[j] = math.erf(mean / math.sqrt(2.0 * (q0 + variances[j])))
    for k in range(q.size):
        total = slope = other = lift = 0.0
        for j in range(nodes):
            a = q0 + variances[j]
            ma = mean / math.sqrt(a)
            for l in range(nodes):
                b = q0 + variances[l]
                mb = mean / math.sqrt(b)
                weight = weights[j] * weights[l]
                ratio = min(1.0, max(-1.0, q[k] / math.sqrt(a * b)))
                if l <= j:
                    angle = math.asin(ratio)
                    integral = 0.0
                    flat = (1.0 + ma * ma + mb * mb) * abs(angle) < 2.0  # then ten points have all digits
                    count = _SHORT_POINTS.size if flat else points.size
                    for i in range(count):
                        phi = angle * (_SHORT_POINTS[i] if flat else points[i])
                        cosine = math.cos(phi)
                        gap = 2.0 * math.sin(0.25 * math.pi - 0.5 * phi) ** 2  # 1 - sin(phi), without cancellation
                        exponent = 0.5 * ((ma - mb) ** 2 + 2.0 * ma * mb * gap) / (cosine * cosine)
                        integral += (_SHORT_WEIGHTS[i] if flat else angle_weights[i]) * math.exp(-exponent)
                    part = erfs[j] * erfs[l] + _TWO_OVER_PI * angle * integral
                    total += weight * part * (1.0 if l == j else 2.0)
                # slopes: f_a' is 2 / sqrt(2 pi A) times a Gaussian; given that x = 0 there, y is Gaussian again
                rest = (q0 - q[k]) * (q0 + q[k]) + q0 * (variances[j] + variances[l]) + variances[j] * variances[l]
                rest = max(rest / a, 1e-30 * b)
                front = 2.0 / math.sqrt(2.0 * math.pi * a) * math.exp(-0.5 * ma * ma)
                u = mean * ((1.0 - ratio) if l == j else (1.0 - q[k] / a)) / math.sqrt(2.0 * rest)
                density = 2.0 / math.sqrt(2.0 * math.pi * rest) * math.exp(-u * u)
                error = math.erf(u)
                slope += weight * front * density
                lift += 2.0 * weight * front * error
                other += weight * front * (-mean / a * error - q[k] / a * density)
        average[k], by_q[k], by_q0[k], by_mean[k] = total, slope, other, lift


@njit(cache=True, nogil=True, error_model="numpy")
def extend(head, recursion, length):
    r"""Continue c by :math:`c_\tau=-\sum_{j\ge1}a_jc_{\tau-j}` up to `length` entries; `head` holds the first ones."""
    out = np.empty(length)
    known = min(head.size, length)
    out[:known] = head[:known]
    for tau in range(known, length):
        total = 0.0
        for j in range(1, recursion.size):
            total -= recursion[j] * out[tau - j]
        out[tau] = total
    return out

"""Compiled sums of the arcsine mixture; `_arcsine_mixture` states the equations."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

_TWO_OVER_PI = 2.0 / math.pi


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _arcsine(q, product):
    """Return arcsin(q / sqrt(product)) with the argument clipped; 0 where there is no field at all."""
    if product == 0.0:
        return 0.0
    ratio = q / math.sqrt(product)
    return math.asin(min(1.0, max(-1.0, ratio)))


@njit(cache=True, nogil=True, error_model="numpy")
def centred_average(q, qa, qb, variances, weights):
    """Return Phi for fields of mean zero; vectors of one length."""
    out = np.empty(q.size)
    nodes = variances.size
    for k in range(q.size):
        total = 0.0
        if qa[k] == qb[k]:  # half of the sum is enough
            for j in range(nodes):
                a = qa[k] + variances[j]
                row = 0.5 * weights[j] * _arcsine(q[k], a * a)
                for l in range(j):
                    row += weights[l] * _arcsine(q[k], a * (qb[k] + variances[l]))
                total += 2.0 * weights[j] * row
        else:
            for j in range(nodes):
                a = qa[k] + variances[j]
                row = 0.0
                for l in range(nodes):
                    row += weights[l] * _arcsine(q[k], a * (qb[k] + variances[l]))
                total += weights[j] * row
        out[k] = _TWO_OVER_PI * total
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def centred_slopes(q, qa, qb, variances, weights):
    """Return the derivatives of Phi by q, qa and qb."""
    by_q, by_qa, by_qb = np.zeros(q.size), np.zeros(q.size), np.zeros(q.size)
    nodes = variances.size
    for k in range(q.size):
        for j in range(nodes):
            a = qa[k] + variances[j]
            for l in range(nodes):
                b = qb[k] + variances[l]
                density = _TWO_OVER_PI * weights[j] * weights[l] / math.sqrt(a * b - q[k] * q[k])
                by_q[k] += density
                by_qa[k] -= 0.5 * density * q[k] / a
                by_qb[k] -= 0.5 * density * q[k] / b
    return by_q, by_qa, by_qb


@njit(cache=True, nogil=True, error_model="numpy")
def _standard(mean, variance):
    if mean == 0.0:
        return 0.0
    return mean / math.sqrt(variance)


_STRONG = 0.9
_STRONG_ANGLE = math.asin(_STRONG)


@njit(cache=True, nogil=True, error_model="numpy")
def _exponent(ma, mb, sine, half_cosine):
    """Return the exponent in terms of the angle that is left to a right one, which loses no digits there."""
    return -0.5 * ((ma - mb) / sine) ** 2 - 0.5 * ma * mb / (half_cosine * half_cosine)


@njit(cache=True, nogil=True, error_model="numpy")
def _shifted_arcsine(rho, ma, mb, points, angle_weights):
    r"""Return the integral that takes the place of arcsin rho.

    Near a right angle the integrand falls to 0 within about :math:`|m_a-m_b|`, which may be much less than the distance of
    two points, so that from rho = 0.9 on the logarithm of the angle that is left is the variable.
    """
    if rho < 0.0:
        return -_shifted_arcsine_positive(-rho, ma, -mb, points, angle_weights)
    return _shifted_arcsine_positive(rho, ma, mb, points, angle_weights)


@njit(cache=True, nogil=True, error_model="numpy")
def _shifted_arcsine_positive(rho, ma, mb, points, angle_weights):
    angle = math.asin(min(rho, _STRONG))
    total = 0.0
    for i in range(points.size):
        left = 0.5 * math.pi - angle * points[i]
        total += angle * angle_weights[i] * math.exp(_exponent(ma, mb, math.sin(left), math.cos(0.5 * left)))
    if rho <= _STRONG:
        return total
    high, low = 0.5 * math.pi - _STRONG_ANGLE, math.acos(rho)
    gap = abs(ma - mb)
    if gap < 1e-12:
        for i in range(points.size):
            left = low + (high - low) * points[i]
            total += (high - low) * angle_weights[i] * math.exp(-0.5 * ma * mb / math.cos(0.5 * left) ** 2)
        return total
    low = max(low, gap / 9.0)  # below it the integrand is less than exp(-40)
    if low >= high:
        return total
    start, width = math.log(low), math.log(high / low)
    for i in range(points.size):
        left = math.exp(start + width * points[i])
        total += width * angle_weights[i] * left * math.exp(_exponent(ma, mb, math.sin(left), math.cos(0.5 * left)))
    return total


@njit(cache=True, nogil=True, error_model="numpy")
def shifted_average(q, qa, qb, mean_a, mean_b, variances, weights, points, angle_weights):
    """Return Phi for fields with means."""
    out = np.empty(q.size)
    nodes = variances.size
    for k in range(q.size):
        total = 0.0
        for j in range(nodes):
            a = qa[k] + variances[j]
            ma = _standard(mean_a[k], a)
            for l in range(nodes):
                b = qb[k] + variances[l]
                mb = _standard(mean_b[k], b)
                part = math.erf(ma * math.sqrt(0.5)) * math.erf(mb * math.sqrt(0.5))
                product = a * b
                if q[k] != 0.0 and product != 0.0 and not (math.isinf(ma) or math.isinf(mb)):
                    rho = min(1.0, max(-1.0, q[k] / math.sqrt(product)))
                    part += _TWO_OVER_PI * _shifted_arcsine(rho, ma, mb, points, angle_weights)
                total += weights[j] * weights[l] * part
        out[k] = total
    return out

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
                angle = _arcsine(q[k], a * b)
                if angle != 0.0 and not (math.isinf(ma) or math.isinf(mb)):
                    integral = 0.0
                    for i in range(points.size):
                        phi = angle * points[i]
                        cosine = math.cos(phi)
                        # (ma - mb)^2 + 2 ma mb (1 - sin) keeps its digits as the angle tends to a right one
                        rest = 2.0 * math.sin(0.25 * math.pi - 0.5 * phi) ** 2  # 1 - sin(phi)
                        exponent = 0.5 * ((ma - mb) ** 2 + 2.0 * ma * mb * rest) / (cosine * cosine)
                        integral += angle_weights[i] * math.exp(-exponent)
                    part += _TWO_OVER_PI * angle * integral
                total += weights[j] * weights[l] * part
        out[k] = total
    return out

r"""The convolution with the diagonal sums, :math:`Q_\tau=\sum_dg_dc_{\tau-d}`, and linear systems built on it."""

from __future__ import annotations

import numpy as np

from glassformer._core._validation import FloatArray


def convolve(sums: FloatArray, correlation: FloatArray, beyond: float = 0.0) -> FloatArray:
    r"""Return Q_0..Q_M for c_0..c_M (even in the lag), which continues with the constant `beyond`.

    >>> convolve(np.array([1.5, 0.5]), np.array([1.0, 0.2, 0.1]))
    array([1.7 , 0.85, 0.25])
    """
    connected = correlation - beyond
    whole = np.concatenate([connected[:0:-1], connected])
    kernel = np.concatenate([sums[:0:-1], sums])
    start = correlation.size - 1 + sums.size - 1
    found = np.convolve(whole, kernel)[start : start + correlation.size]
    return np.asarray(found + beyond * kernel.sum())


def solve_banded(sums: FloatArray, slopes: FloatArray, right: FloatArray) -> FloatArray:
    r"""Solve :math:`(1-\operatorname{diag}(\varphi)T)y=b` for lags 1..M with :math:`T_{\tau\sigma}=g_{|\tau-\sigma|}+g_{\tau+\sigma}`.

    A band of half-width K - 1: ``M K^2`` operations for `right` of shape (M, n).
    """
    from scipy import linalg

    width, size = min(sums.size - 1, right.shape[0] - 1), right.shape[0]
    band = np.zeros((2 * width + 1, size))
    for d in range(-width, width + 1):  # entry (tau, sigma) with tau - sigma = d
        first, last = max(0, -d), size - max(0, d)
        band[width + d, first:last] = -slopes[first + d : last + d] * sums[abs(d)]
    band[width] += 1.0
    for total in range(2, sums.size):  # tau + sigma
        tau = np.arange(1, total)
        inside = (tau <= size) & (total - tau <= size)
        tau = tau[inside]
        sigma = total - tau
        band[width + tau - sigma, sigma - 1] -= slopes[tau - 1] * sums[total]
    if width == 0:
        return np.asarray(right / band[0][:, None])
    return np.asarray(linalg.solve_banded((width, width), band, right, overwrite_ab=True, check_finite=False))

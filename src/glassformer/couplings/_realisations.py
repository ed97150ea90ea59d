r"""Covariances across lags with given diagonal sums: rank one, largest determinant, Toeplitz, diagonal.

The set of all covariances with the sums g is convex; each member gives the same stationary correlations but its own
transient, entropy production and difficulty for a learner.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from glassformer._core._errors import GlassformerError, MethodNotApplicableError, NotConvergedError, invalid
from glassformer._core._validation import FloatArray, as_float_array
from glassformer.couplings._factorisation import rank_one as rank_one
from glassformer.couplings._lag_covariance import check_diagonal_sums, diagonal_sums, extreme_spectrum

if TYPE_CHECKING:
    from collections.abc import Sequence

_STRICT = 1e-9  # G per g_0 below which the largest determinant is lost in rounding


def max_det(g: Sequence[float] | FloatArray) -> FloatArray:
    r"""Return the covariance of largest determinant with diagonal sums `g`.

    Its inverse is the Toeplitz matrix T(y) that minimises the convex
    :math:`y_0g_0+2\sum_{d\ge1}y_dg_d-\log\det T(y)`, found by damped Newton steps (self-concordant, so each is safe);
    the Hessian :math:`\operatorname{tr}T^{-1}E_aT^{-1}E_b` is read off the two-dimensional autocorrelation of
    :math:`T^{-1}`, so that a step costs :math:`O(K^3)`.

    Raises
    ------
    InvalidInputError
        When G is negative somewhere, or so close to zero (below :math:`10^{-9}g_0`) that every covariance with these
        sums is singular; `rank_one` exists then.

    References
    ----------
    Derived here; the method is that of Vandenberghe, Boyd and Wu 1998, SIAM J. Matrix Anal. Appl. 19, 499.

    Examples
    --------
    >>> max_det([1.5, 0.5, -0.1]).round(6).tolist()
    [[0.462132, 0.25, -0.1], [0.25, 0.575736, 0.25], [-0.1, 0.25, 0.462132]]
    """
    sums = check_diagonal_sums(g)
    size = len(sums)
    if not sums.any():
        return np.zeros((size, size))
    low, where, *_ = extreme_spectrum(sums)
    if not low > _STRICT * sums[0]:
        raise invalid(
            "the smallest value of G(omega)",
            low,
            f"above {_STRICT:g} g_0 = {_STRICT * sums[0]:.3g} for the largest determinant (it is at omega = {where:.6g}; every "
            "covariance with these diagonal sums is singular or nearly so)",
            f"use rank_one, or add {2 * _STRICT * sums[0] - low:.3g} to g_0",
        )
    target = sums / sums[0]
    weights = np.where(np.arange(size) == 0, 1.0, 2.0)
    y = np.zeros(size)
    y[0] = size
    best, least = np.eye(size) / size, math.inf
    for _ in range(500):
        inverse = np.linalg.inv(_toeplitz_matrix(y))
        inverse = 0.5 * (inverse + inverse.T)
        gap = target - diagonal_sums(inverse)
        error = float(np.abs(gap).max())
        if error < least:
            best, least = inverse, error
        elif least < 1e-11:
            break
        gradient = weights * gap
        step = np.linalg.solve(_hessian(inverse), -gradient)
        decrement = math.sqrt(max(0.0, -float(gradient @ step)))
        length = 1.0 if decrement < 0.25 else 1.0 / (1.0 + decrement)
        while not _positive(_toeplitz_matrix(y + length * step)):  # only rounding can lead out of the cone
            length *= 0.5
            if length < 1e-8:
                break
        y = y + length * step
        if error < 2e-16 * size:
            break
    rest = (target - diagonal_sums(best)) / np.arange(size, 0, -1)  # what rounding left, spread over each diagonal
    whole = (best + _toeplitz_matrix(rest)) * sums[0]
    if not least < 1e-9:
        raise NotConvergedError(
            f"the largest determinant stopped at an error of {least:.3g} g_0 in the diagonal sums; G(omega) comes down to "
            f"{low / sums[0]:.3g} g_0, too close to zero: use rank_one, or raise g_0."
        )
    return whole


def toeplitz(g: Sequence[float] | FloatArray) -> FloatArray:
    r"""Return :math:`\Gamma_{kk'}=g_{|k-k'|}/(K-|k-k'|)`, each diagonal sum spread evenly, where that is a covariance.

    >>> toeplitz([1.0, 0.25]).tolist()
    [[0.5, 0.25], [0.25, 0.5]]
    """
    sums = check_diagonal_sums(g)
    matrix = _toeplitz_matrix(sums / np.arange(len(sums), 0, -1))
    lowest = float(np.linalg.eigvalsh(matrix)[0])
    if lowest < -1e-12 * max(float(sums[0]), 0.0):
        raise MethodNotApplicableError(
            f"the Toeplitz matrix with these diagonal sums has the eigenvalue {lowest:.6g} < 0, so it is not a covariance, "
            "although others with the same sums are: use rank_one or max_det."
        )
    return matrix


def diagonal(g: Sequence[float] | FloatArray) -> FloatArray:
    r"""Return :math:`(g_0/K)\,\mathbb 1`, independent couplings at each lag; needs :math:`g_d=0` for all d >= 1.

    >>> diagonal([1.0, 0.0]).tolist()
    [[0.5, 0.0], [0.0, 0.5]]
    """
    sums = check_diagonal_sums(g)
    worst = 1 + int(np.argmax(np.abs(sums[1:]))) if len(sums) > 1 else 0
    if worst and abs(sums[worst]) > 1e-14 * sums[0]:
        raise invalid(
            f"the diagonal sum g_{worst}", float(sums[worst]), "0 for a diagonal covariance", "use rank_one or max_det"
        )
    return np.eye(len(sums)) * (sums[0] / len(sums))


def _toeplitz_matrix(row: FloatArray) -> FloatArray:
    index = np.arange(len(row))
    return row[np.abs(index[:, None] - index)]


def _positive(matrix: FloatArray) -> bool:
    try:
        np.linalg.cholesky(matrix)
    except np.linalg.LinAlgError:
        return False
    return True


def _hessian(inverse: FloatArray) -> FloatArray:
    size = len(inverse)
    padded = np.fft.rfft2(inverse, (2 * size, 2 * size))
    overlap = np.fft.irfft2(np.abs(padded) ** 2, (2 * size, 2 * size))  # sum of S[l + p, m + q] S[l, m]
    mirror = np.concatenate([overlap[:size, :1], overlap[:size, :-size:-1]], axis=1)
    hessian = 2.0 * (overlap[:size, :size] + mirror)
    hessian[0, :] *= 0.5
    hessian[:, 0] *= 0.5
    return 0.5 * (hessian + hessian.T)


def nearest(g: Sequence[float] | FloatArray, matrix: FloatArray) -> FloatArray:
    r"""Return the covariance with diagonal sums `g` that is nearest to `matrix` (least sum of squared differences).

    Dykstra's alternating projections on the matrices with these sums and on the positive semidefinite ones; what is left
    after 2000 rounds is closed with a little of `max_det` (or `rank_one`).

    >>> nearest([1.5, 0.5, -0.1], np.eye(3)).round(4).tolist()
    [[0.5, 0.25, -0.1], [0.25, 0.5, 0.25], [-0.1, 0.25, 0.5]]
    """
    sums = check_diagonal_sums(g)
    size = len(sums)
    wanted = as_float_array("shape", matrix, ndim=2)
    if wanted.shape != (size, size):
        raise invalid("the shape of the matrix", wanted.shape, f"({size}, {size}), the context of the diagonal sums")
    point = 0.5 * (wanted + wanted.T)
    count = np.arange(size, 0, -1)
    correction = np.zeros_like(point)
    low = -math.inf
    for _ in range(2000):
        flat = point + _toeplitz_matrix((sums - diagonal_sums(point)) / count)
        values, vectors = np.linalg.eigh(flat)
        low = float(values[0])
        if low >= -1e-12 * sums[0]:
            return flat
        values, vectors = np.linalg.eigh(flat + correction)
        point = (vectors * np.maximum(values, 0.0)) @ vectors.T
        correction = flat + correction - point
    try:
        inner = max_det(sums)
    except GlassformerError:
        gamma = rank_one(sums)
        inner = np.outer(gamma, gamma)
    share = 0.0
    while share < 1.0 and float(np.linalg.eigvalsh((1.0 - share) * flat + share * inner)[0]) < -1e-12 * sums[0]:
        share = min(1.0, max(2.0 * share, 1e-9))
    return (1.0 - share) * flat + share * inner

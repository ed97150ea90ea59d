r"""The covariance of couplings across lags: its diagonal sums, its spectrum, its rank factors.

:math:`\Gamma_{kk'}` (lags k = 1..K) enters stationary correlations only through
:math:`g_d=\sum_k\Gamma_{k,k+d}`, or :math:`G(\omega)=\sum_dg_de^{-i\omega d}=v^\dagger\Gamma v\ge0`.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from glassformer._core._errors import invalid
from glassformer._core._validation import FloatArray, as_float_array, check_scale

ROUNDING = 1e-10  # how far below 0, in units of the largest value, rounding may push what is positive


class Extremes(NamedTuple):
    """The least and the largest value of a spectrum, and where (frequencies in [0, pi])."""

    minimum: float
    minimum_at: float
    maximum: float
    maximum_at: float


def diagonal_sums(covariance: FloatArray) -> FloatArray:
    """Return g_0..g_{K-1} of a (lag, lag_) matrix.

    >>> diagonal_sums(np.array([[0.6, 0.3], [0.3, 0.5]]))
    array([1.1, 0.3])
    """
    return np.array([np.trace(covariance, offset=d) for d in range(covariance.shape[0])])


def spectrum(sums: FloatArray, frequencies: npt.ArrayLike) -> FloatArray:
    r"""Return :math:`G(\omega)=g_0+2\sum_{d\ge1}g_d\cos\omega d` for `frequencies` of any shape."""
    omega = np.asarray(frequencies, dtype=np.float64)
    lags = np.arange(1, sums.size)
    return np.asarray(sums[0] + 2.0 * np.cos(omega[..., None] * lags) @ sums[1:])


def extreme_spectrum(sums: FloatArray) -> Extremes:
    """Return the extremes of G: the best points of a grid of 32 per period of the highest harmonic, polished by Newton."""
    size = 1 << max(9, math.ceil(math.log2(32 * sums.size)))
    padded = np.zeros(size)
    padded[: sums.size] = sums
    grid = 2.0 * np.fft.rfft(padded).real - sums[0]
    step = 2.0 * math.pi / size
    low, high = _polish(sums, grid, step, -1.0), _polish(sums, grid, step, 1.0)
    return Extremes(low[0], low[1], high[0], high[1])


def _polish(sums: FloatArray, grid: FloatArray, step: float, sign: float) -> tuple[float, float]:
    lags = np.arange(1, sums.size)
    best_value, best_at = -math.inf, 0.0
    values = sign * grid
    # Only points that are at least as high as their neighbours can hide the extreme; a few of the best are enough.
    inner = np.concatenate([[values[1]], values, [values[-2]]])
    peaks = np.flatnonzero((values >= inner[:-2]) & (values >= inner[2:]))
    for index in peaks[np.argsort(-values[peaks], kind="stable")][:8]:
        omega = index * step
        for _ in range(20):
            slope = -2.0 * np.sin(omega * lags) @ (lags * sums[1:])
            curvature = -2.0 * np.cos(omega * lags) @ (lags**2 * sums[1:])
            if sign * curvature >= 0.0:
                break
            change = -slope / curvature
            if abs(change) > step or abs(change) < 1e-16:
                break
            omega += change
        omega = min(max(abs(omega), 0.0), math.pi)
        for candidate in (omega, index * step):
            value = sign * float(spectrum(sums, candidate))
            if value > best_value:
                best_value, best_at = value, candidate
    return sign * best_value, float(best_at)


def check_diagonal_sums(sums: npt.ArrayLike) -> FloatArray:
    """Return `sums` as a vector whose spectrum is nowhere negative (that of some covariance), or raise."""
    array = as_float_array("diagonal_sums", sums, ndim=1)
    if array.size == 0 or array[0] < 0.0:
        raise invalid("diagonal_sums", array, "g_0 >= 0, g_1, ...", "g_0 is the trace of the covariance")
    check_scale("diagonal_sums", array, power=2)
    found = extreme_spectrum(array)
    if found.minimum < -ROUNDING * max(float(np.abs(array).sum()), 1e-300):
        raise invalid(
            "the smallest value of G(omega) = g_0 + 2 sum g_d cos(omega d)",
            found.minimum,
            f">= 0, since no covariance has these diagonal sums otherwise (it is at omega = {found.minimum_at:.6g})",
            f"add at least {-found.minimum:.6g} to g_0",
        )
    return array


def check_covariance(name: str, covariance: npt.ArrayLike) -> FloatArray:
    """Return `covariance` as a symmetric positive semidefinite matrix, or raise and say by how much it fails."""
    matrix = as_float_array(name, covariance, ndim=2)
    if matrix.shape[0] != matrix.shape[1] or matrix.size == 0:
        raise invalid(f"the shape of {name}", matrix.shape, "square (lag, lag_)")
    check_scale(name, matrix, power=2)
    scale = float(np.abs(matrix).max())
    gap = float(np.abs(matrix - matrix.T).max())
    if gap > ROUNDING * scale:
        raise invalid(f"the largest |{name} - transpose|", gap, "0: a covariance is symmetric", "symmetrise it")
    matrix = 0.5 * (matrix + matrix.T)
    lowest = float(np.linalg.eigvalsh(matrix)[0])
    if lowest < -ROUNDING * scale * matrix.shape[0]:
        feasible = extreme_spectrum(diagonal_sums(matrix)).minimum >= 0.0
        raise invalid(
            f"the lowest eigenvalue of {name}",
            lowest,
            ">= 0: a covariance is positive semidefinite",
            "its diagonal sums are those of a covariance, so LaggedGaussian.from_diagonal_sums(g, "
            "shape='rank_one' or 'max_det') gives the same stationary correlation"
            if feasible
            else f"add at least {-lowest:.6g} to its diagonal",
        )
    return matrix


def rank_factors(covariance: FloatArray) -> FloatArray:
    r"""Return L (lag, factor) with :math:`LL^T=\Gamma` and as many columns as the rank: pivoted Cholesky.

    Unlike the plain form it takes singular matrices, and unlike eigenvectors it is unique when eigenvalues coincide.
    """
    rest = covariance.copy()
    scale = float(np.diag(covariance).max(initial=0.0))
    columns: list[FloatArray] = []
    for _ in range(covariance.shape[0]):
        pivot = int(np.argmax(np.diag(rest)))
        if rest[pivot, pivot] <= 1e-13 * scale * covariance.shape[0]:
            break
        column = rest[:, pivot] / math.sqrt(rest[pivot, pivot])
        rest = rest - np.outer(column, column)
        columns.append(column)
    return np.stack(columns, axis=1) if columns else np.zeros((covariance.shape[0], 0))

r"""Linear rules: :math:`c(\omega)=v/(1-H(\omega))` as an autoregressive process, to machine precision near instability.

:math:`1-H=\alpha|A(e^{i\omega})|^2` with A monic and of minimum phase: one site is an autoregressive process of order
K - 1 whose innovations have variance :math:`v/\alpha`.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from glassformer._core._validation import FloatArray
from glassformer.theory.dmft._tail import slowest_root, tail_roots

_LONGEST_PRODUCT = 48  # lags
_LARGEST_GRID = 1 << 22
_CLOSE = 1e-5  # a margin below which the roots near the unit circle are found from the margin itself


class Autoregression(NamedTuple):
    r"""One site as :math:`\sum_ja_js_{t-j}=\sqrt{v/\alpha}\,\xi_t`, for v = 1."""

    recursion: FloatArray  # a_0 = 1, a_1, ...
    innovation: float  # 1 / alpha
    head: FloatArray  # c_0..c_{K-1}
    root: complex  # the slowest
    residual: float = 0.0  # what the method of solution leaves undecided, relative to c_0

    def correlation(self, lags: int) -> FloatArray:
        """Return c_0..c_lags."""
        from glassformer.theory.dmft._kernels import extend

        return np.asarray(extend(self.head, self.recursion, lags + 1))


class SpectralGrid(NamedTuple):
    """The same on a grid of frequencies, for contexts so long that products of roots lose their digits."""

    sums: FloatArray
    whole: FloatArray  # c_0..c_{n/2}
    innovation: float
    residual: float

    @property
    def head(self) -> FloatArray:
        """c_0..c_{K-1}."""
        return self.whole[: self.sums.size]

    @property
    def root(self) -> complex:
        """The slowest."""
        return slowest_root(self.sums, 1.0)

    def correlation(self, lags: int) -> FloatArray:
        """Return c_0..c_lags."""
        out = np.zeros(lags + 1)
        known = self.whole[: lags + 1]
        out[: known.size] = known
        return out


def process(sums: FloatArray, margin: float | None = None) -> Autoregression | SpectralGrid:
    """Return one site as a process: by roots for usual contexts, on a grid for long ones."""
    return autoregression(sums, margin) if sums.size <= _LONGEST_PRODUCT else spectral_grid(sums)


def spectral_grid(sums: FloatArray) -> SpectralGrid:
    r"""Return c from :math:`1/(1-H)` on a grid that is doubled until c_0 stops changing: the error falls as |r|^n."""
    size = 1 << max(12, (8 * sums.size).bit_length())
    before = 0.0
    while True:
        padded = np.zeros(size)
        padded[: sums.size] = sums
        values = 1.0 - (2.0 * np.fft.rfft(padded).real - sums[0])
        values = np.maximum(values, 1e-15)  # rounding at the edge
        weights = np.full(values.size, 2.0 / size)
        weights[[0, -1]] = 1.0 / size
        equal = float(weights @ (1.0 / values))
        residual = abs(equal - before) / equal
        if residual <= 1e-14 or size >= _LARGEST_GRID:
            break
        before, size = equal, 2 * size
    whole = np.fft.irfft(1.0 / values, size)[: size // 2]
    return SpectralGrid(sums, whole, math.exp(-float(weights @ np.log(values))), residual)


def autoregression(sums: FloatArray, margin: float | None = None) -> Autoregression:
    r"""Factor :math:`1-H`, :math:`H=\sum_dh_de^{-i\omega d}`, which must be positive.

    `margin`, :math:`1-\max H` where the caller knows it to more digits than H has, fixes the roots near the unit circle.

    >>> process = autoregression(np.array([0.55, 0.15]))
    >>> round(float(process.head[0]), 8), round(process.root.real, 8)
    (2.98142397, 0.38196601)
    """
    target = -sums
    target[0] = 1.0 - sums[0]
    roots = tail_roots(sums, 1.0)
    if margin is not None and margin < _CLOSE:
        roots = _near_the_circle(sums, margin, roots)
    monic = np.real(np.poly(roots[::-1])) if roots.size else np.ones(1)
    factor = np.zeros(sums.size)
    factor[: monic.size] = monic
    factor *= np.sqrt(target[0] / (monic @ monic))
    if margin is None or margin >= _CLOSE:
        factor = _wilson(factor, target)
    recursion = factor / factor[0]
    innovation = 1.0 / factor[0] ** 2
    head = _yule_walker(recursion, innovation)
    root = complex(roots[0].real, abs(roots[0].imag)) if roots.size else 0j
    return Autoregression(recursion, float(innovation), head, root)


def _near_the_circle(sums: FloatArray, margin: float, roots: np.ndarray) -> np.ndarray:
    r"""Return the roots with those near a maximum of H solved from the distance to the maximum, without cancellation.

    At a maximum :math:`\omega_m`, :math:`1-H(\omega_m+u)=\epsilon_m+2\sum_dh_d[\cos d\omega_m(1-\cos du)
    +\sin d\omega_m(\sin du-du)]`.
    """
    lags, weights = np.arange(1, sums.size), 2.0 * sums[1:]
    top = 1.0 - margin
    out = roots.copy()
    for index in np.flatnonzero(np.abs(roots) > 0.9):
        start = complex(-1j * np.log(roots[index]))
        at = start.real
        for _ in range(30):
            slope, curvature = -np.sin(at * lags) @ (lags * weights), -np.cos(at * lags) @ (lags**2 * weights)
            if curvature >= 0.0 or abs(slope) <= 1e-16 * abs(curvature):
                break
            at -= slope / curvature
        if curvature >= 0.0 or abs(at - start.real) > 0.1:
            continue
        even, odd = weights * np.cos(at * lags), weights * np.sin(at * lags)
        height = float(sums[0] + even.sum())
        distance = margin + max(top - height, 0.0) if top - height > 1e-14 else margin
        u = 1j * np.sqrt(-2.0 * distance / curvature)
        if abs(u) > 0.02:
            continue
        for _ in range(12):
            angle = u * lags
            cubic = np.where(
                np.abs(angle) < 0.1,
                -(angle**3) / 6.0 * (1.0 - angle**2 / 20.0 * (1.0 - angle**2 / 42.0)),
                np.sin(angle) - angle,
            )
            value = distance + even @ (2.0 * np.sin(0.5 * angle) ** 2) + odd @ cubic
            change = value / (even @ (lags * np.sin(angle)) - odd @ (lags * 2.0 * np.sin(0.5 * angle) ** 2))
            u -= change
            if abs(change) < 1e-16 * abs(u):
                break
        out[index] = np.exp(1j * (at + u))
    return out


def _autocorrelate(factor: FloatArray) -> FloatArray:
    return np.convolve(factor, factor[::-1])[factor.size - 1 :]


def _wilson(factor: FloatArray, target: FloatArray) -> FloatArray:
    """Polish a spectral factor by Newton's method (Wilson 1969), as long as the misfit shrinks."""
    misfit = target - _autocorrelate(factor)
    for _ in range(8):
        size = float(np.abs(misfit).max())
        if size == 0.0:
            break
        try:
            trial = factor + np.linalg.solve(_shifts(factor), misfit)
        except np.linalg.LinAlgError:  # roots on the circle, to rounding
            break
        rest = target - _autocorrelate(trial)
        if not float(np.abs(rest).max()) < size:
            break
        factor, misfit = trial, rest
    return factor


def _shifts(factor: FloatArray) -> FloatArray:
    """Return the matrix (lag, index) of ``b_{i+d} + b_{i-d}``: how the autocorrelation moves with the factor."""
    size = factor.size
    index, lag = np.arange(size)[None, :], np.arange(size)[:, None]
    ahead, behind = index + lag, index - lag
    out = np.where(ahead < size, factor[np.minimum(ahead, size - 1)], 0.0)
    return np.asarray(out + np.where(behind >= 0, factor[np.maximum(behind, 0)], 0.0))


def _yule_walker(recursion: FloatArray, innovation: float) -> FloatArray:
    r"""Solve :math:`\sum_ja_jc_{|i-j|}=v\delta_{i0}` for c_0..c_{K-1}, with one step of refinement."""
    size = recursion.size
    matrix = np.zeros((size, size))
    rows = np.arange(size)
    for j in range(size):
        np.add.at(matrix, (rows, np.abs(rows - j)), recursion[j])
    right = np.zeros(size)
    right[0] = innovation
    found = np.linalg.solve(matrix, right)
    return np.asarray(found + np.linalg.solve(matrix, right - matrix @ found))

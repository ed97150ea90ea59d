"""Positive-definite sequences: spectra, the extension of largest entropy, and the nearest one that exists."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from glassformer._core._validation import FloatArray
from glassformer.couplings._lag_covariance import extreme_spectrum

if TYPE_CHECKING:
    from collections.abc import Callable

SHORTEST_GRID, LONGEST_GRID = 4096, 1 << 17
_SHORT = 1024


def taper(count: int) -> FloatArray:
    """Return the Parzen window at lags 0..count: it keeps positive-definite sequences positive definite, as they end.

    At lag x it is below 1 by :math:`6(x/count)^2`: 5e-6 at lag 30 of 32768.
    """
    x = np.arange(count + 1) / (count + 1)
    return np.where(x < 0.5, 1.0 - 6.0 * x**2 * (1.0 - x), 2.0 * (1.0 - x) ** 3)


def lowest(values: FloatArray) -> tuple[float, float]:
    """Return the minimum of the spectrum of an even sequence given from lag 0, and where."""
    if len(values) > _SHORT:  # four points a period of the highest harmonic, which carries next to nothing
        grid = on_grid(values, 1 << math.ceil(math.log2(4 * len(values))))
        index = int(np.argmin(grid))
        return float(grid[index]), math.pi * index / (len(grid) - 1)
    found = extreme_spectrum(values)
    return found.minimum, found.minimum_at


def lowest_eigenvalue(values: FloatArray) -> float:
    """Return the lowest eigenvalue of the Toeplitz matrix of c_0..c_L: whether some continuation is positive definite."""
    from scipy.linalg import eigvalsh, toeplitz

    return float(eigvalsh(toeplitz(values), subset_by_index=(0, 0))[0])


def positive_definite(values: FloatArray) -> bool:
    """Whether the Toeplitz matrix of `values` is: whether every error of prediction is positive, in a square of the time."""
    a, error = np.ones(1), float(values[0])
    for lag in range(1, len(values)):
        reflection = -float(a @ values[lag:0:-1]) / error
        if not abs(reflection) < 1.0:
            return False
        a = np.concatenate([a, [0.0]]) + reflection * np.concatenate([[0.0], a[::-1]])
        error *= 1.0 - reflection**2
    return error > 0.0


def on_grid(values: FloatArray, size: int) -> FloatArray:
    """Return the spectrum at frequencies 0..pi, ``size // 2 + 1`` of them."""
    padded = np.zeros(size)
    padded[: len(values)] = values
    return np.asarray(2.0 * np.fft.rfft(padded).real - values[0])


def grid_for(length: int) -> int:
    """Return a power of two that resolves a sequence of that length and what is divided by it."""
    return int(min(max(SHORTEST_GRID, 1 << math.ceil(math.log2(16 * length))), 8 * LONGEST_GRID))


def predictor(values: FloatArray) -> tuple[FloatArray, float]:
    """Return A = (1, a_1, ..., a_L) and the error of the best linear prediction from L values (Levinson and Durbin)."""
    a, error = np.ones(1), float(values[0])
    for lag in range(1, len(values)):
        reflection = -float(a @ values[lag:0:-1]) / error
        a = np.concatenate([a, [0.0]]) + reflection * np.concatenate([[0.0], a[::-1]])
        error *= 1.0 - reflection**2
    return a, error


def longest_entropy(values: FloatArray) -> FloatArray | None:
    """Return the continuation of largest entropy (autoregressive), as far as it is above 1e-16, at least the given lags.

    None where the Toeplitz matrix of `values` is not positive definite, or so nearly singular that the continuation does not
    decay within `LONGEST_GRID` / 2 lags.
    """
    a, error = predictor(values)
    if not error > 0.0 or not np.isfinite(a).all():
        return None
    size = SHORTEST_GRID
    while True:
        half = np.fft.rfft(a, size)
        found = np.fft.irfft(error / np.abs(half) ** 2, size)[: size // 2]
        decayed = size > 8 * len(a) and abs(found[-(size // 16) :]).max() < 1e-14 * found[0]
        if size >= LONGEST_GRID or decayed:
            break
        size *= 2
    if not decayed or np.abs(found[: len(values)] - values).max() > 1e-11 * values[0]:
        return None
    found[: len(values)] = values
    last = int(np.flatnonzero(np.abs(found) > 1e-16 * found[0])[-1])
    return found[: max(last + 1, len(values))]


def nearest_positive(values: FloatArray) -> FloatArray:
    """Return the sequence with the negative part of the spectrum cut off, at the same value at lag 0."""
    size = grid_for(len(values))
    cut = np.maximum(on_grid(values, size), 0.0)
    found = np.fft.irfft(cut, size)[: size // 4]
    found *= taper(len(found) - 1)
    return np.asarray(found * (values[0] / found[0]))


def bisect(feasible: Callable[[float], bool], low: float, high: float) -> float:
    """Return the smallest argument above which `feasible` holds, between `low` (no) and `high` (yes), both positive."""
    while high / low > 1.0 + 1e-10:
        middle = math.sqrt(low * high)
        if feasible(middle):
            high = middle
        else:
            low = middle
    return high

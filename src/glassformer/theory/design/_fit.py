"""Step two and three: the diagonal sums of a finite context, read off the exact solution or fitted."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from glassformer._core._errors import InvalidInputError
from glassformer._core._random import normals
from glassformer._core._validation import FloatArray
from glassformer.couplings._factorisation import autocorrelation, rank_one
from glassformer.theory.design._forward import Achieved, Forward, until
from glassformer.theory.design._sequences import grid_for, on_grid

LONGEST_CONTEXT = 64
"""Where the search for the smallest sufficient context ends."""
_FITTED = 32  # lags up to which several starts are fitted, for twice as many one; beyond, the series is cut
_SHORT = 100  # lags of a fit from many starts
_EXACT = 1e-10
_FOUND = 1e-11  # no further start can be better
_BETTER = 0.995  # a longer context that leaves more of the error than this is not worth it
_OUTSIDE = 10.0  # residual where no stationary state exists


class Fit(NamedTuple):
    """Diagonal sums of a finite context and what they give."""

    sums: FloatArray
    correlation: FloatArray
    fitted: bool


def deconvolve(tokens: FloatArray, fields: FloatArray) -> FloatArray:
    r"""Return the diagonal sums of :math:`G=Q(\omega)/c(\omega)`, as many as are above rounding."""
    size = grid_for(max(len(tokens), len(fields)))
    below = on_grid(tokens, size)
    sums = np.fft.irfft(on_grid(fields, size) / np.maximum(below, 1e-13 * tokens[0]), size)[: size // 2]
    last = int(np.flatnonzero(np.abs(sums) > 1e-15 * max(abs(sums[0]), 1e-300))[-1]) if sums.any() else 0
    return np.asarray(sums[: last + 1])


def smallest_context(forward: Forward, sums: FloatArray, tokens: FloatArray, lags: int, tolerance: float) -> Fit:
    """Return the shortest context whose direct solution is within `tolerance` of `tokens`, or the longest tried."""

    tried: dict[int, tuple[float, Fit]] = {}

    def error(context: int) -> float:
        found = _direct(forward, sums, tokens, context)
        tried[context] = distance(found.correlation, tokens, lags), found
        return tried[context][0]

    low, high = 0, 1
    while error(high) > tolerance and high < LONGEST_CONTEXT:
        low, high = high, 2 * high
    if tried[high][0] > tolerance:
        return min(tried.values(), key=lambda pair: pair[0])[1]
    while high - low > 1:
        middle = (low + high) // 2
        if error(middle) <= tolerance:
            high = middle
        else:
            low = middle
    return tried[high][1]


def nearest_context(forward: Forward, sums: FloatArray, tokens: FloatArray, wanted: FloatArray, cut: Fit) -> Fit:
    """Return the shortest fit of 4, 8, ... lags as good as the longer ones, for what cannot be met; or `cut` if none is."""
    fits: list[tuple[float, Fit]] = []
    error = _rms(cut.correlation, wanted)
    warm: FloatArray | None = None
    context = 4
    while context <= LONGEST_CONTEXT:
        found = fixed_context(forward, sums, tokens, wanted, context, warm)
        fits.append((_rms(found.correlation, wanted), found))
        if len(fits) > 1 and fits[-1][0] >= _BETTER * fits[-2][0] and fits[-1][0] <= error / _BETTER:
            break
        warm = rank_one(found.sums)
        context *= 2
    fits.append((error, cut))
    least = min(size for size, _ in fits)
    return next(found for size, found in fits if size <= least / _BETTER)


def fixed_context(
    forward: Forward,
    sums: FloatArray,
    tokens: FloatArray,
    wanted: FloatArray,
    context: int,
    warm: FloatArray | None = None,
) -> Fit:
    """Return the best sums of K lags: the direct ones if they are exact, else those of least squares over `wanted`.

    `warm`, a filter of fewer lags, is the only start if given.
    """
    lags = len(wanted) - 1
    best = _direct(forward, sums, tokens, context)
    error = _rms(best.correlation, wanted)
    if context == 1 or distance(best.correlation, wanted, lags) <= _EXACT or context > 2 * _FITTED:
        return best
    starts = _starts(best.sums, wanted) if warm is None else [np.pad(warm, (0, context - len(warm)))]
    for start in starts:
        found = _least_squares(forward, start, wanted)
        if found is not None and (size := _rms(found.correlation, wanted)) < error:
            best, error = Fit(found.sums, found.correlation, True), size
        if error <= _FOUND:
            break
    return best


def distance(correlation: FloatArray, wanted: FloatArray, lags: int) -> float:
    """Return the largest difference at lags 0..lags; beyond their ends both are zero."""
    return float(np.abs(until(correlation, lags) - until(wanted, lags)).max())


def _direct(forward: Forward, sums: FloatArray, tokens: FloatArray, context: int) -> Fit:
    shape = forward.direct(sums, tokens, context)
    found = forward.achieve(shape)
    factor = 0.9 ** np.minimum(np.arange(context) + 1, 2)
    for _ in range(300):  # a cut that is unstable: less memory is always possible
        if found is not None:
            break
        shape = shape * factor
        found = forward.achieve(shape)
    if found is None:
        raise InvalidInputError(
            "the noise of the rule is too small for its memory to be resolved; lower beta, or raise sigma, or shorten the target."
        )
    return Fit(found.sums, found.correlation, False)


def _starts(sums: FloatArray, wanted: FloatArray) -> list[FloatArray]:
    context = len(sums)
    first = rank_one(sums)
    if context > _FITTED:
        return [first]
    scale = float(np.linalg.norm(first))
    sign = np.where(np.arange(context) % 2 == 0, 1.0, -1.0 if len(wanted) > 1 and wanted[1] < 0.0 else 1.0)
    starts = [first, first + first[::-1], first - first[::-1], sign, *normals(1, "design/starts", (3, context))]
    if context > 8 or len(wanted) > _SHORT:
        starts = starts[:2]
    return [start * (scale / np.linalg.norm(start)) for start in starts if np.linalg.norm(start) > 1e-8 * scale]


def _least_squares(forward: Forward, start: FloatArray, wanted: FloatArray) -> Achieved | None:
    from scipy.optimize import least_squares

    lags, context = len(wanted) - 1, len(start)
    first = 0 if forward.free_variance else 1
    cache: dict[bytes, Achieved | None] = {}
    last: list[FloatArray | None] = [None]

    def achieved(gamma: FloatArray) -> Achieved | None:
        key = gamma.tobytes()
        if key not in cache:
            cache.clear()
            found = cache[key] = forward.achieve(autocorrelation(gamma), last[0])
            if found is not None:
                last[0] = found.correlation
        return cache[key]

    def residual(gamma: FloatArray) -> FloatArray:
        found = achieved(gamma)
        if found is None:
            return np.full(lags + 1 - first, _OUTSIDE)
        return (until(found.correlation, lags) - wanted)[first:]

    def jacobian(gamma: FloatArray) -> FloatArray:
        found = achieved(gamma)
        slopes = None if found is None else forward.derivative(autocorrelation(gamma), found)
        if slopes is None:
            return np.zeros((lags + 1 - first, context))
        both = np.concatenate([gamma, np.zeros(context)])
        index = np.arange(context)
        lag = index - index[:, None]
        by_gamma = both[index + index[:, None]] + np.where(lag >= 0, both[np.maximum(lag, 0)], 0.0)
        by_gamma[0] = 2.0 * gamma
        padded = np.zeros((lags + 1, context))
        kept = min(lags + 1, len(slopes))
        padded[:kept] = slopes[:kept]
        return (padded @ by_gamma)[first:]

    begun = achieved(start)
    if begun is None:
        return None
    known = forward.derivative(autocorrelation(start), begun) is not None
    found = least_squares(
        residual,
        start,
        jac=jacobian if known else "2-point",
        method="trf",
        xtol=1e-10,
        ftol=1e-10,
        gtol=1e-14,
        max_nfev=60,
    )
    return achieved(found.x)


def _rms(correlation: FloatArray, wanted: FloatArray) -> float:
    """Return the root mean square difference at lags 1, 2, ... of `wanted`."""
    gap = until(correlation, len(wanted) - 1)[1:] - wanted[1:]
    return float(np.sqrt(np.mean(gap**2))) if gap.size else 0.0

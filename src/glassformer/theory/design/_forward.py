"""From a shape of the diagonal sums to the correlation it gives, for the two families of rules."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, Protocol

import numpy as np

from glassformer._core._validation import FloatArray
from glassformer.couplings._lag_covariance import extreme_spectrum
from glassformer.theory.design._link import Link
from glassformer.theory.design._normalised import shape_correlation, shape_derivative, shifted
from glassformer.theory.design._sequences import grid_for, on_grid, predictor
from glassformer.theory.dmft._convolve import convolve

_LONGEST = 4096
_TAIL = 1e-11


class Achieved(NamedTuple):
    """What a shape gives: the correlation from lag 0, and the diagonal sums at the right scale."""

    correlation: FloatArray
    sums: FloatArray


class Forward(Protocol):
    """A map from shapes to correlations."""

    @property
    def scale(self) -> float:
        """Return what turns G = Q / c in the units of `Fields` into the G of the model."""

    @property
    def free_variance(self) -> bool:
        """Whether c_0 depends on the shape."""

    def achieve(self, shape: FloatArray, start: FloatArray | None = None) -> Achieved | None:
        """Return what `shape` gives, or None where no stationary state exists; `start` is a neighbouring correlation."""

    def derivative(self, shape: FloatArray, achieved: Achieved) -> FloatArray | None:
        """Return the slopes of the correlation by the shape (lag, K); None where there are none."""

    def direct(self, sums: FloatArray, tokens: FloatArray, context: int) -> FloatArray:
        """Return the shape of K sums that is read off the exact solution, feasible."""


def until(correlation: FloatArray, lags: int) -> FloatArray:
    """Return lags 0..lags of a sequence that has decayed at its end."""
    return np.concatenate([correlation[: lags + 1], np.zeros(max(0, lags + 1 - len(correlation)))])


def feasible_cut(sums: FloatArray, context: int) -> FloatArray:
    """Return g_0..g_{K-1} with g_0 lifted as far as the cut has put G below zero."""
    cut = np.zeros(context)
    cut[: len(sums)] = sums[:context]
    low = extreme_spectrum(cut).minimum
    if low < 0.0:
        cut[0] -= low
    return cut


@dataclass(frozen=True)
class SigmoidForward:
    """Ising, probit and graded rules at the field variance `variance`; `start` is a correlation near the expected one."""

    link: Link
    variance: float
    lags: int
    start: FloatArray

    free_variance: ClassVar[bool] = False

    @property
    def scale(self) -> float:
        """Return the field variance."""
        return self.variance

    def achieve(self, shape: FloatArray, start: FloatArray | None = None) -> Achieved | None:
        """Return what `shape` gives."""
        if not shape[0] > 0.0:
            return None
        size = max(self.lags, 2 * len(shape), 64)
        near = self.start if start is None else start
        while True:
            c, residual = shape_correlation(shape, self.link, until(near, size))
            if size >= _LONGEST or np.abs(c[-len(shape) :]).max() < _TAIL:
                break
            near, size = c, 2 * size
        total = convolve(shape, c)[0]
        if not (residual < 1e-9 and total > 0.0):
            return None
        if float(self.link.slope(np.zeros(1))[0]) * extreme_spectrum(shape).maximum >= (1.0 - 1e-9) * total:
            return None  # a state that persists: it solves the equations but is unstable
        return Achieved(c, shape * (self.variance / total))

    def derivative(self, shape: FloatArray, achieved: Achieved) -> FloatArray | None:
        """Return the slopes by implicit differentiation."""
        return shape_derivative(shape, self.link, achieved.correlation)

    def direct(self, sums: FloatArray, tokens: FloatArray, context: int) -> FloatArray:
        """Return the first K diagonal sums."""
        return feasible_cut(sums, context)


@dataclass(frozen=True)
class LinearForward:
    """Gaussian and spherical rules: noise over 1 - G, with c_0 = 1 kept by the scale of the shape for ``spherical``.

    The diagonal sums are those of the slope times the couplings' (``slope`` is 1, or x of the spherical rule).
    """

    noise: float
    slope: float
    unit: bool
    lags: int

    @property
    def scale(self) -> float:
        """Return one over the slope."""
        return 1.0 / self.slope

    @property
    def free_variance(self) -> bool:
        """Whether c_0 depends on the shape."""
        return not self.unit

    def achieve(self, shape: FloatArray, start: FloatArray | None = None) -> Achieved | None:
        """Return what `shape` gives."""
        high = extreme_spectrum(shape).maximum
        scale = self._scale(shape, high) if self.unit else 1.0
        room = 1.0 - scale * high
        if not room > 1e-14:
            return None
        time = len(shape) * math.sqrt(1.0 / room)  # lags of memory, roughly
        size = grid_for(int(min(max(self.lags, 2 * time), 4096)))
        c = np.fft.irfft(self.noise / (1.0 - scale * on_grid(shape, size)), size)[: size // 2]
        return Achieved(c, shape * (scale / self.slope))

    def derivative(self, shape: FloatArray, achieved: Achieved) -> FloatArray | None:
        r"""Return the slopes: c^2 / noise is that of :math:`c(\omega)` by the scaled G, at c_0 = 1 if the rule keeps it."""
        if not shape[0] > 0.0:
            return None
        c, context = achieved.correlation, len(shape)
        square = np.fft.irfft(on_grid(c, 2 * len(c)) ** 2)[: len(c)] / self.noise
        scale = achieved.sums[0] * self.slope / shape[0]
        slopes = scale * shifted(square[: self.lags + context + 1], context)[: self.lags + 1]
        if not self.unit:
            return slopes
        by_scale = slopes @ shape  # of the logarithm of the scale
        return slopes - np.outer(by_scale, slopes[0] / by_scale[0]) if by_scale[0] > 0.0 else None

    def direct(self, sums: FloatArray, tokens: FloatArray, context: int) -> FloatArray:
        """Return the sums whose autoregression has the tokens' c_0..c_{K-1}, or the cut where those are infeasible."""
        known = np.zeros(context)
        known[: len(tokens)] = tokens[:context]
        a, error = predictor(known)
        shape = np.eye(1, context)[0] - self.noise / error * np.correlate(a, a, mode="full")[context - 1 :]
        if extreme_spectrum(shape).minimum >= -1e-12:
            return shape
        shape = feasible_cut(sums, context)
        return shape / max(1.0, 1.001 * extreme_spectrum(shape).maximum)

    def _scale(self, shape: FloatArray, high: float) -> float:
        """Return the factor of `shape` at which c_0 = 1."""
        from scipy.optimize import brentq

        if high <= 0.0 or self.noise >= 1.0:
            return 0.0
        grid = on_grid(shape, grid_for(8 * len(shape))) / high

        def gap(y: float) -> float:  # 1 - scale * high = exp(-y)
            return float(self.noise * _mean(1.0 / (1.0 - (1.0 - math.exp(-y)) * grid)) - 1.0)

        if gap(34.0) <= 0.0:
            return math.nan
        return (1.0 - math.exp(-float(brentq(gap, 0.0, 34.0, xtol=1e-14)))) / high


def _mean(half: FloatArray) -> float:
    """Return the mean over the circle of what is given at frequencies 0..pi."""
    return float((half[0] + half[-1] + 2.0 * half[1:-1].sum()) / (2.0 * (len(half) - 1)))

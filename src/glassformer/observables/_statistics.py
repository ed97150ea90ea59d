r"""Error bars of correlated series: autocorrelation time, blocking, jackknife, convergence of chains, moments.

Series have time last and chains in front: ``(..., time)``. Chains are pooled around *one* common mean, so chains that
sit in different valleys show up as a long autocorrelation time instead of as a small error. Everything raises on NaN.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from glassformer._core._errors import invalid
from glassformer._core._status import Status
from glassformer._core._validation import FloatArray, as_choice, as_count

CITATIONS = ("sokal1997", "flyvbjerg1989")


class AutocorrelationTime(NamedTuple):
    """The integrated autocorrelation time, its standard error, and whether the series is long enough to trust them."""

    tau: float
    error: float
    reliable: bool

    @property
    def status(self) -> Status:
        """``ok``, ``too_short``, or ``degenerate`` (a series that does not vary has error exactly 0)."""
        if self.reliable:
            return Status.OK
        return Status.DEGENERATE if self.error == 0.0 else Status.TOO_SHORT


class ErrorEstimate(NamedTuple):
    """A standard error, whether it can be trusted, and the length of the blocks that gave it."""

    error: float
    reliable: bool
    block_length: int


def _as_chains(name: str, series: npt.ArrayLike, *, minimum: int) -> FloatArray:
    """Return the series as a finite ``(chain, time)`` array, or raise."""
    array = np.asarray(series, dtype=np.float64)
    if array.ndim == 0 or array.shape[-1] < minimum or array.size == 0:
        raise invalid(f"the shape of {name}", array.shape, f"(..., time) with at least {minimum} times")
    if not np.isfinite(array).all():
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise invalid(f"{name}{list(where)}", float(array[where]), "finite", "find out where the run broke down")
    return array.reshape(-1, array.shape[-1])


def _constant(chains: FloatArray) -> bool:
    """Whether nothing but rounding varies."""
    return bool(np.ptp(chains) <= 8 * np.finfo(float).eps * np.abs(chains).max())


def autocorrelation_function(series: npt.ArrayLike, *, max_lag: int | None = None) -> FloatArray:
    r"""Return :math:`\rho(t)=\langle\delta x(0)\,\delta x(t)\rangle/\langle\delta x^2\rangle` for lags 0..max_lag.

    Parameters
    ----------
    series : array (..., time)
        Chains in front are pooled around their common mean.
    max_lag : int, optional
        Half the length of a chain if left out: beyond it the estimate is noise.

    Raises
    ------
    InvalidInputError
        On NaN, on a series shorter than 2, and on a series that does not vary (it has no autocorrelation).

    Notes
    -----
    Fast Fourier transform of the zero-padded chains, :math:`O(T\log T)`.

    Examples
    --------
    >>> [round(float(rho), 2) for rho in autocorrelation_function([1.0, -1.0] * 50, max_lag=2)]
    [1.0, -1.0, 1.0]
    """
    chains = _as_chains("series", series, minimum=2)
    if _constant(chains):
        raise invalid("the variance of series", 0.0, "> 0", "a constant has no autocorrelation")
    length = chains.shape[1]
    lags = length // 2 if max_lag is None else as_count("max_lag", max_lag, minimum=0)
    if lags > length - 1:
        raise invalid("max_lag", lags, f"below the length {length} of a chain")
    return _autocorrelation(chains, lags)


def _autocorrelation(chains: FloatArray, lags: int) -> FloatArray:
    from scipy.fft import irfft, next_fast_len, rfft

    length = chains.shape[1]
    size = next_fast_len(length + lags, real=True)  # padding beyond the largest lag: no wrap-around
    mean, total = chains.mean(), np.zeros(lags + 1)
    for chain in chains:  # one at a time keeps memory at O(T)
        spectrum = rfft(chain - mean, size)
        total += irfft(spectrum.real**2 + spectrum.imag**2, size)[: lags + 1]
    # Each lag has its own number of pairs, so a short chain is not biased towards zero.
    covariance = total / (chains.shape[0] * (length - np.arange(lags + 1)))
    return np.asarray(covariance / covariance[0])


def integrated_autocorrelation_time(
    series: npt.ArrayLike, *, until: str = "window", window_factor: float = 6.0
) -> AutocorrelationTime:
    r"""Estimate :math:`\tau_{\rm int}=\frac12+\sum_{t\ge1}\rho(t)` and say whether the series is long enough.

    The sum stops at the first window :math:`W\ge6\,\tau(W)` (Sokal), and the standard error is
    :math:`\tau\sqrt{2(2W+1)/T}`. The variance of a mean over T values is :math:`2\tau\,\mathrm{Var}/T`.

    Parameters
    ----------
    series : array (..., time)
        One series, or chains in front that are pooled (T counts them all).
    until : {"window", "first_negative"}
        ``"first_negative"`` stops before the first negative :math:`\rho`, as in Honkoop 2025.
    window_factor : float
        The 6 in the window condition.

    Returns
    -------
    AutocorrelationTime
        ``(tau, error, reliable)`` in units of one step of the series; ``.status`` puts it in a word. Unreliable when
        :math:`T<50\tau` or when the window does not close within half a chain. A series that does not vary gives
        ``(0.5, 0.0, False)``, status ``degenerate``.

    Raises
    ------
    InvalidInputError
        On NaN or infinity and on a series shorter than 2.

    Notes
    -----
    The window also has to exceed :math:`6(\frac12+\sum\rho^2)`. This changes nothing where :math:`\rho\ge0`, and
    keeps an oscillating series (the two-cycles of parallel dynamics) from stopping inside its first swing.

    References
    ----------
    Sokal 1997, Monte Carlo methods in statistical mechanics, section 3.

    Examples
    --------
    >>> import numpy as np
    >>> noise = np.random.default_rng(1).normal(size=20000)
    >>> tau, error, reliable = integrated_autocorrelation_time(noise)
    >>> abs(tau - 0.5) < 5 * error, reliable
    (True, True)
    >>> integrated_autocorrelation_time(np.ones(100)).status.value
    'degenerate'
    """
    as_choice("until", until, ("window", "first_negative"))
    chains = _as_chains("series", series, minimum=2)
    if _constant(chains):
        return AutocorrelationTime(0.5, 0.0, False)
    length, total = chains.shape[1], chains.size
    longest = max(1, length // 2)
    rho = _autocorrelation(chains, longest)
    sums = np.cumsum(rho) - 0.5
    if until == "first_negative":
        negative = np.flatnonzero(rho < 0)
        closed = negative.size > 0
        window = int(negative[0]) - 1 if closed else longest
        tau = float(sums[window])
    else:
        envelope = np.cumsum(rho**2) - 0.5
        widths = np.arange(longest + 1)
        wide = np.flatnonzero((widths >= window_factor * sums) & (widths >= window_factor * envelope) & (widths >= 1))
        closed = wide.size > 0
        window = int(wide[0]) if closed else longest
        # The mean of two neighbouring partial sums: nothing for slow decay, but alternating tails cancel.
        tau = float(0.5 * (sums[window] + sums[window - 1]))
    if tau <= 0:  # noise has eaten an anticorrelated sum; independence is the cautious answer
        return AutocorrelationTime(0.5, 0.5 * math.sqrt(2 * (2 * window + 1) / total), False)
    error = tau * math.sqrt(2 * (2 * window + 1) / total)
    return AutocorrelationTime(tau, error, bool(closed and total >= 50 * tau))


def effective_sample_size(series: npt.ArrayLike) -> float:
    r"""Return the number of independent values that give the same error of the mean, :math:`T/(2\tau_{\rm int})`.

    A series that does not vary counts as one value.

    >>> import numpy as np
    >>> 900 < effective_sample_size(np.random.default_rng(0).normal(size=1000)) < 1100
    True
    """
    chains = _as_chains("series", series, minimum=2)
    estimate = integrated_autocorrelation_time(chains)
    return 1.0 if estimate.status is Status.DEGENERATE else chains.size / (2 * estimate.tau)


def blocking_error(series: npt.ArrayLike, *, min_blocks: int = 32) -> ErrorEstimate:
    r"""Estimate the standard error of the mean by averaging over blocks of length 1, 2, 4, ...

    Once blocks are longer than the correlations, the naive error of the block means,
    :math:`\epsilon_B=\sqrt{\mathrm{Var}(\bar x_B)/n_B}`, stops growing. The shortest block length with
    :math:`B^3>2\,T\,(\epsilon_B/\epsilon_1)^4` balances its systematic and its statistical error.

    Parameters
    ----------
    series : array (..., time)
        Blocks never cross the end of a chain; a remainder at the beginning of each chain is left out.
    min_blocks : int
        Estimates from fewer blocks are not trusted.

    Returns
    -------
    ErrorEstimate
        ``(error, reliable, block_length)``; ``(0.0, False, 1)`` for a series that does not vary. When no block length
        fulfils the condition with `min_blocks` blocks, the largest error of all lengths is returned, unreliable.

    References
    ----------
    Flyvbjerg and Petersen 1989, J. Chem. Phys. 91, 461.

    Examples
    --------
    >>> import numpy as np
    >>> estimate = blocking_error(np.random.default_rng(0).normal(size=10000))
    >>> 0.009 < estimate.error < 0.011, estimate.reliable
    (True, True)
    """
    chains = _as_chains("series", series, minimum=2)
    if _constant(chains):
        return ErrorEstimate(0.0, False, 1)
    first, largest, block, mean = 0.0, ErrorEstimate(0.0, False, 1), 1, float(chains.mean())
    while (number := chains.shape[0] * (chains.shape[1] // block)) >= 2 and block <= chains.shape[1]:
        means = block_means(chains, block)
        error = math.sqrt(float(np.mean((means - mean) ** 2)) / (number - 1))
        first = first or error
        if number >= min_blocks and first > 0 and block**3 > 2 * chains.size * (error / first) ** 4:
            return ErrorEstimate(error, True, block)
        if error > largest.error:
            largest = ErrorEstimate(error, False, block)
        block *= 2
    return largest


def block_means(series: npt.ArrayLike, length: int) -> FloatArray:
    """Return the means over consecutive blocks of `length`, shape ``(..., block)``; the remainder in front is dropped.

    >>> block_means([0.0, 1.0, 3.0, 5.0, 7.0], 2)
    array([2., 6.])
    """
    array = np.asarray(series, dtype=np.float64)
    number = array.shape[-1] // length
    return np.asarray(
        array[..., array.shape[-1] - number * length :].reshape(*array.shape[:-1], number, length).mean(-1)
    )


def jackknife(
    function: Callable[..., npt.ArrayLike], samples: npt.ArrayLike | tuple[npt.ArrayLike, ...]
) -> tuple[FloatArray, FloatArray]:
    r"""Return `function` of all samples and its standard error from leaving out one replica at a time.

    .. math:: \epsilon^2=\frac{n-1}n\sum_k\big(f_{(k)}-\bar f_{(\cdot)}\big)^2

    Parameters
    ----------
    function : callable
        Takes samples ``(replica, ...)`` and returns a scalar or an array, usually of a mean over replicas.
    samples : array (replica, ...) or tuple of such arrays
        Independent replicas (or blocks). With a tuple, `function` takes that many arguments.

    Returns
    -------
    value, error : array
        Shaped like the result of `function` (zero-dimensional arrays for a scalar).

    Raises
    ------
    InvalidInputError
        On NaN, on fewer than 2 replicas, and on arrays with different numbers of them.

    References
    ----------
    Efron 1982, The Jackknife, the Bootstrap and Other Resampling Plans.

    Examples
    --------
    >>> import numpy as np
    >>> samples = np.array([1.0, 2.0, 3.0, 4.0])
    >>> value, error = jackknife(np.mean, samples)
    >>> bool(np.isclose(error, samples.std(ddof=1) / 2))
    True
    """
    arrays = [np.asarray(part, dtype=np.float64) for part in (samples if isinstance(samples, tuple) else (samples,))]
    count = arrays[0].shape[0] if arrays and arrays[0].ndim else 0
    for array in arrays:
        if array.ndim == 0 or array.shape[0] != count or count < 2:
            raise invalid("the shape of samples", array.shape, "(replica, ...) with the same 2 or more replicas")
        if not np.isfinite(array).all():
            raise invalid("samples", "not finite", "finite", "find out where the run broke down")
    value = np.asarray(function(*arrays), dtype=np.float64)
    mean = np.zeros_like(value)
    square = np.zeros_like(value)
    for k in range(count):
        left = np.asarray(function(*(np.delete(array, k, axis=0) for array in arrays)), dtype=np.float64)
        delta = left - mean
        mean = mean + delta / (k + 1)
        square = square + delta * (left - mean)
    return value, np.asarray(np.sqrt((count - 1) / count * square))


def split_r_hat(series: npt.ArrayLike) -> float:
    r"""Return the split potential scale reduction :math:`\hat R`: near 1 when every half of every chain agrees.

    .. math:: \hat R^2=\frac{n-1}n+\frac{\mathrm{Var}_{\rm chains}[\bar x]}{\langle\mathrm{Var}_{\rm time}[x]\rangle}

    Parameters
    ----------
    series : array (..., time)
        At least 4 times; each chain counts as two.

    Returns
    -------
    float
        1 for a series that does not vary at all, infinity for chains that stand still at different values.

    References
    ----------
    Gelman et al. 2013, Bayesian Data Analysis, section 11.4.

    Examples
    --------
    >>> import numpy as np
    >>> 0.99 < split_r_hat(np.random.default_rng(0).normal(size=(4, 1000))) < 1.01
    True
    """
    chains = _as_chains("series", series, minimum=4)
    if _constant(chains):
        return 1.0
    half = chains.shape[1] // 2
    halves = np.concatenate([chains[:, :half], chains[:, -half:]])
    within = float(halves.var(axis=1, ddof=1).mean())
    between = float(halves.mean(axis=1).var(ddof=1))
    if within <= (8 * np.finfo(float).eps * float(np.abs(chains).max())) ** 2:
        return math.inf
    return math.sqrt((half - 1) / half + between / within)


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """Count, mean and summed squared deviation of a batch: what can be merged without loss.

    >>> import numpy as np
    >>> data = np.arange(10.0)
    >>> both = merge_moments([Moments.of(data[:3]), Moments.of(data[3:])])
    >>> bool(np.isclose(both.variance, data.var(ddof=1))), both.count
    (True, 10)
    """

    count: int
    mean: FloatArray
    square: FloatArray

    @classmethod
    def of(cls, samples: npt.ArrayLike) -> Moments:
        """Return the moments of samples ``(sample, ...)``."""
        array = np.asarray(samples, dtype=np.float64)
        if array.ndim == 0 or array.shape[0] == 0:
            raise invalid("the shape of samples", array.shape, "(sample, ...) with at least 1 sample")
        if not np.isfinite(array).all():
            raise invalid("samples", "not finite", "finite", "find out where the run broke down")
        mean = np.asarray(array.mean(axis=0))
        return cls(array.shape[0], mean, np.asarray(((array - mean) ** 2).sum(axis=0)))

    @property
    def variance(self) -> FloatArray:
        """The unbiased variance; needs two samples."""
        if self.count < 2:
            raise invalid("the number of samples", self.count, "at least 2 for a variance")
        return np.asarray(self.square / (self.count - 1))

    @property
    def standard_error(self) -> FloatArray:
        """The standard error of the mean of *independent* samples."""
        return np.asarray(np.sqrt(self.variance / self.count))


def merge_moments(parts: Iterable[Moments]) -> Moments:
    """Return the moments of all parts together (Chan, Golub and LeVeque 1983); the order matters to rounding only."""
    merged: Moments | None = None
    for part in parts:
        if merged is None:
            merged = part
            continue
        count = merged.count + part.count
        delta = part.mean - merged.mean
        merged = Moments(
            count,
            np.asarray(merged.mean + delta * (part.count / count)),
            np.asarray(merged.square + part.square + delta**2 * (merged.count * part.count / count)),
        )
    if merged is None:
        raise invalid("the number of parts", 0, "at least 1")
    return merged


def standard_error(samples: npt.ArrayLike, axis: int = 0) -> FloatArray:
    """Return the standard error of the mean of independent samples along `axis` (needs two)."""
    array = np.asarray(samples, dtype=np.float64)
    if array.shape[axis] < 2:
        raise invalid("the number of samples", array.shape[axis], "at least 2 for a standard error")
    if not np.isfinite(array).all():
        raise invalid("samples", "not finite", "finite", "find out where the run broke down")
    return np.asarray(array.std(axis=axis, ddof=1) / math.sqrt(array.shape[axis]))

"""What simulations of extended-context models add up while they run, and the estimates they make of it.

A *unit* is what error bars average over: a replica, or one of up to 16 blocks of time when there is only one replica.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from glassformer._core._errors import invalid
from glassformer._core._sphere_normalizer import log_normalizer_any_dim, log_sphere_area
from glassformer._core._validation import FloatArray

TIME_BLOCKS = 16
_SCALARS = 6
FIELD_SQUARE, LOSS, ENTROPY, TOTAL, PAIRED_LOSS, BACKWARD_LOSS = range(_SCALARS)
FLUSH = 32  # steps after which spherical tokens are scored together


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextMeasure:
    """Choose what `simulate` keeps of an extended-context model beside its averages.

    Parameters
    ----------
    two_time : bool
        ``two_time_correlation (time, time_)`` and ``magnetization_trajectory (time)``, averaged over replicas, from the
        K tokens before the first measured step on: for transients of up to some thousand steps.
    tokens : bool
        ``tokens (replica, time, site)``, int8 for two-valued tokens.

    Raises
    ------
    InvalidInputError
        For a switch that is not a bool.

    Examples
    --------
    >>> ContextMeasure(tokens=True)
    ContextMeasure(two_time=False, tokens=True)
    """

    two_time: bool = False
    tokens: bool = False

    def __post_init__(self) -> None:
        for name in ("two_time", "tokens"):
            if not isinstance(getattr(self, name), bool):
                raise invalid(name, getattr(self, name), "True or False")


class ContextSums:
    """Sums of a whole run, as plain arrays that a checkpoint can hold."""

    def __init__(
        self, *, n: int, context: int, delay: int, replicas: int, steps: int, lags: int, measure: ContextMeasure
    ) -> None:
        self.n, self.context, self.replicas, self.steps, self.lags = n, context, replicas, steps, lags
        self.delay = delay
        self.units = replicas if replicas > 1 else min(TIME_BLOCKS, steps)
        self.arrays: dict[str, np.ndarray] = {
            "overlap": np.zeros((self.units, lags + 1)),
            "pairs": np.zeros((self.units, lags + 1)),
            "scalars": np.zeros((self.units, _SCALARS)),
            "counts": np.zeros((self.units, _SCALARS)),
            "site": np.zeros(n),
            "site_square": np.zeros(n),
            "halves": np.zeros(2),
        }
        if measure.two_time:
            times = steps + context
            self.arrays["two_time"] = np.zeros((2, times, times))
            self.arrays["trajectory"] = np.zeros((2, times))

    @property
    def paired_steps(self) -> int:
        """Number of measured steps that lie `delay` before another one, when their reversed law is scored."""
        return max(0, self.steps - self.delay)

    def unit(self, time: int, first_replica: int, count: int) -> slice:
        """Return the units to which measured step `time` of some replicas adds."""
        if self.replicas > 1:
            return slice(first_replica, first_replica + count)
        block = time * self.units // self.steps
        return slice(block, block + 1)

    def ends_unit(self, time: int) -> bool:
        """Whether a unit is complete after measured step `time`."""
        last = time + 1 == self.steps
        return last or (self.replicas == 1 and self.unit(time + 1, 0, 1) != self.unit(time, 0, 1))

    def unit_length(self, time: int) -> int:
        """Return the number of steps of the unit of time that ends with measured step `time`."""
        block = self.unit(time, 0, 1).start
        return time + 1 - -(-block * self.steps // self.units)

    def add(self, which: int, units: slice, values: FloatArray) -> None:
        """Add one value for each replica."""
        self.arrays["scalars"][units, which] += values
        self.arrays["counts"][units, which] += 1

    def add_overlaps(self, time: int, units: slice, overlaps: FloatArray) -> None:
        """Add the sums over sites (replica, lag) for the lags that reach back to the first measured step."""
        known = overlaps.shape[1]
        self.arrays["overlap"][units, :known] += overlaps
        self.arrays["pairs"][units, :known] += 1
        self.arrays["halves"][2 * time // self.steps] += float(overlaps[:, 0].sum())

    def add_sites(self, sums: FloatArray, length: int) -> None:
        """Add the sums over time ``(replica, site)`` of whole units of `length` steps."""
        self.arrays["site"] += sums.sum(axis=0)
        self.arrays["site_square"] += ((sums / length) ** 2).sum(axis=0)

    def add_two_time(self, path: npt.NDArray[Any]) -> None:
        """Add the overlaps of all pairs of times of one replica, ``path (time, site)``."""
        numbers = path.astype(np.float64)
        square = numbers @ numbers.T / self.n
        mean = numbers.mean(axis=1)
        for name, values in (("two_time", square), ("trajectory", mean)):
            self.arrays[name][0] += values
            self.arrays[name][1] += values**2

    def load(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Take the arrays of a checkpoint."""
        for name in self.arrays:
            self.arrays[name] = np.array(arrays[name])

    @property
    def growing(self) -> bool:
        """Whether tokens were ten times larger (squared) in the second half of the run than in the first."""
        first, second = self.arrays["halves"]
        return self.steps >= 4 and bool(second > 10.0 * first > 0.0)


class SphereScores:
    """Losses of tokens on a sphere, from projections and squared fields of `FLUSH` steps at a time."""

    def __init__(self, sums: ContextSums, beta: float, first_replica: int, count: int) -> None:
        self.sums, self.beta, self.first, self.count = sums, beta, first_replica, count
        self.waiting: list[tuple[int, bool, FloatArray, FloatArray]] = []

    def add(self, time: int, *, backward: bool, projection: FloatArray, square: FloatArray) -> None:
        """Keep s.h and h.h (replica,) of the token of measured step `time`."""
        self.waiting.append((time, backward, projection.copy(), square.copy()))

    def flush(self) -> None:
        """Score what is waiting."""
        if not self.waiting:
            return
        from glassformer._core._bessel import bessel_ratio

        n, sums = self.sums.n, self.sums
        projection = np.stack([entry[2] for entry in self.waiting])
        norms = np.sqrt(np.stack([entry[3] for entry in self.waiting]))
        kappa = self.beta * math.sqrt(n) * norms
        log_area = log_sphere_area(n)
        log_norm = log_normalizer_any_dim(kappa, n) + log_area
        loss = log_norm - self.beta * projection
        entropy = log_norm - kappa * bessel_ratio(kappa, n)
        for (time, backward, _, _), own, rate in zip(self.waiting, loss, entropy):
            units = sums.unit(time, self.first, self.count)
            if backward:
                sums.add(BACKWARD_LOSS, units, own)
                continue
            sums.add(LOSS, units, own)
            sums.add(ENTROPY, units, rate)
            if time < sums.paired_steps:
                sums.add(PAIRED_LOSS, units, own)
        self.waiting.clear()


def estimate(values: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray | None]:
    """Return the mean over units (first axis) of ``values / weights``, and its standard error if there are two units."""
    kept = (weights > 0).reshape(weights.shape[0], -1).all(axis=1)
    total = values.sum(axis=0) / weights.sum(axis=0)
    if kept.sum() < 2:
        return total, None
    means = values[kept] / weights[kept]
    scale = max(1.0, float(np.abs(means).max()))  # entropies at enormous beta have squares that overflow
    if math.isinf(scale):  # or overflow themselves: probit tokens lose beta^2
        return total, np.full_like(total, np.inf)
    spread = scale * (means / scale).std(axis=0, ddof=1)
    spread = np.where(spread <= 1e-14 * np.abs(total), 0.0, spread)  # of a constant nothing but rounding
    return total, spread / math.sqrt(int(kept.sum()))


def memory(correlation: FloatArray, persistent: float) -> float:
    r"""Return :math:`1+2\sum_\tau\lvert\rho_\tau\rvert` of measured tokens, their `persistent` correlation taken away.

    The sum ends at five times itself, or, where too few lags were measured, goes on as a geometric series.
    """
    connected = correlation - max(0.0, persistent)
    if not connected[0] > 0.0:
        return 1.0
    rho = np.minimum(np.abs(connected / connected[0]), 1.0)
    sums = 1.0 + 2.0 * np.cumsum(rho[1:])
    enough = np.flatnonzero(np.arange(1, rho.size) >= 5.0 * sums)
    if enough.size:
        return float(sums[enough[0]])
    last = rho.size - 1
    ratio = float(rho[last]) ** (1.0 / last) if last else 0.0
    tail = float(rho[last]) * ratio / (1.0 - ratio) if ratio < 1.0 else math.inf
    return (float(sums[-1]) if last else 1.0) + 2.0 * tail

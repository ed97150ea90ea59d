r"""From the sums of a run to numbers with error bars.

Everything quadratic in a mean, :math:`\mathbf m_i\cdot\mathbf m_j`, is estimated from products of *distinct* units (replicas, or
blocks of time when there is one replica): the square of a noisy mean is too large by the noise, products of independent
means are not. Errors come from leaving out one unit at a time (jackknife); for what is linear this is the usual standard
error over units.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from glassformer._core._validation import FloatArray
from glassformer.observables._accumulators import SCALARS, Accumulators

RESOLVED = 3.0  # standard errors by which the squared mean of a site must exceed zero to have a direction


@dataclass(frozen=True)
class Estimate:
    """A value and its standard error (None when there are too few units for one)."""

    value: FloatArray
    error: FloatArray | None


@dataclass(frozen=True)
class Units:
    """Means of independent parts of a run.

    Parameters
    ----------
    spins : array (unit, site, component)
    halves : array (2, unit, site, component) or None
        The same for the two halves of time; used when leaving one unit out leaves a single one.
    scalars : dict of array (unit,)
    scalar_halves : dict of array (2, unit) or None
    what : str
        What the units are, for ``averages_over``.
    weights : array (unit,) or None
        Relative lengths of blocks of time, which differ by a step; None for equal ones.
    """

    spins: FloatArray
    halves: FloatArray | None
    scalars: dict[str, FloatArray]
    scalar_halves: dict[str, FloatArray] | None
    what: str
    weights: FloatArray | None = None

    @property
    def count(self) -> int:
        """Number of units."""
        return int(self.spins.shape[0])

    def linear(self, values: FloatArray) -> Estimate:
        """Return the mean over units (unit, ...), weighted by their lengths, and its standard error."""
        error = values.std(axis=0, ddof=1) / math.sqrt(self.count) if self.count > 1 else None
        mean = values.mean(axis=0) if self.weights is None else np.average(values, axis=0, weights=self.weights)
        return Estimate(np.asarray(mean), None if error is None else np.asarray(error))


def units_of(sums: Accumulators) -> Units:
    """Return the units of a finished run."""
    layout = sums.layout
    lengths = np.diff(layout.edges).astype(np.float64)
    spins, scalars = sums.arrays["spins"], sums.arrays["scalars"]
    if layout.replicas == 1:  # (block, 1, site, component)
        means = spins[:, 0] / lengths[:, None, None]
        values = {name: scalars[k, :, 0] / lengths for k, name in enumerate(SCALARS)}
        return Units(means, None, values, None, f"{layout.time_blocks} blocks of time of 1 replica", lengths)
    total = float(layout.steps)
    values = {name: scalars[k].sum(axis=0) / total for k, name in enumerate(SCALARS)}
    halves, scalar_halves = None, None
    if layout.time_blocks == 2:
        halves = spins / lengths[:, None, None, None]
        scalar_halves = {name: scalars[k] / lengths[:, None] for k, name in enumerate(SCALARS)}
    return Units(spins.sum(axis=0) / total, halves, values, scalar_halves, f"{layout.replicas} replicas")


def jackknife_error(left_out: FloatArray) -> FloatArray:
    """Return the standard error from the values with one unit left out, (unit, ...)."""
    count = left_out.shape[0]
    return np.asarray(np.sqrt((count - 1) / count * ((left_out - left_out.mean(axis=0)) ** 2).sum(axis=0)))


def squared_means(values: FloatArray, halves: FloatArray | None) -> tuple[FloatArray, FloatArray | None]:
    """Return the noise-free :math:`|\\mathbf m|^2` of ``values (unit, ..., component)``, and with one unit left out (unit, ...).

    A single unit cannot be corrected: its plain square is returned.
    """
    count = values.shape[0]
    total, square = values.sum(axis=0), (values**2).sum(axis=-1)
    if count == 1:
        return square[0], None
    summed = square.sum(axis=0)
    full = ((total**2).sum(axis=-1) - summed) / (count * (count - 1))
    if count >= 3:
        left = (((total - values) ** 2).sum(axis=-1) - (summed - square)) / ((count - 1) * (count - 2))
        return full, left
    if halves is None:
        return full, None
    return full, (halves[0] * halves[1]).sum(axis=-1)[::-1]  # the one that stays


def variance(units: Units, name: str, scale: float) -> Estimate:
    """Return `scale` times the variance over time and units of the scalar `name` around the common mean."""
    mean, square = units.scalars[name][:, None], units.scalars[f"{name}_square"]
    halves = None if units.scalar_halves is None else units.scalar_halves[name][..., None]
    squared, left = squared_means(mean, halves)
    value = scale * (float(units.linear(square).value) - squared)
    error = None
    if left is not None:
        others = (square.sum() - square) / (units.count - 1)
        error = scale * jackknife_error(others - left)
    # A variance is not negative; below zero there is only noise.
    return Estimate(np.asarray(max(0.0, float(value))), error)


@dataclass(frozen=True)
class Alignment:
    """`alignment_of_mean`, and how many sites were too noisy to have a direction."""

    estimate: Estimate
    unresolved: int


def alignment_of_mean(units: Units, unit_fields: FloatArray, kept: FloatArray) -> Alignment:
    r"""Return :math:`\frac1N\sum_i\mathbf m_i\cdot\hat{\mathbf x}_i/\sqrt{[m_i^2]}` with the noise-free :math:`[m_i^2]`.

    The plain cosine of the mean is biased towards 0 at order (noise / signal), because noise lengthens the mean; the
    noise-free square removes it, and the jackknife removes the next order. Sites whose square is less than three
    standard errors above zero have no direction: their square is raised to its standard error, which pulls their cosine
    towards 0, and they are counted.
    """
    values = units.spins[:, kept]
    halves = None if units.halves is None else units.halves[:, :, kept]
    directions = unit_fields[kept]
    along = np.einsum("uia,ia->ui", values, directions)
    square, left_square = squared_means(values, halves)
    if left_square is None:
        floor = np.zeros_like(square)
        resolved = square > 0
    else:
        floor = jackknife_error(left_square)
        resolved = square > RESOLVED * floor

    def mean_cosine(dot: FloatArray, squares: FloatArray) -> FloatArray:
        lengths = np.sqrt(np.where(resolved, np.maximum(squares, 1e-300), np.maximum(squares, floor)))
        safe = np.where(lengths > 0, lengths, 1.0)
        cosines = np.where(lengths > 0, dot / safe, 0.0)
        return np.asarray(
            np.clip(cosines, -2.0, 2.0).mean(axis=-1)
        )  # one site cannot run away in one replica's absence

    value = mean_cosine(along.mean(axis=0), square)
    error = None
    if left_square is not None:
        left = mean_cosine((along.sum(axis=0) - along) / (units.count - 1), left_square)
        error = jackknife_error(left)
        if units.count >= 3:
            value = units.count * value - (units.count - 1) * left.mean(axis=0)
    return Alignment(Estimate(np.clip(value, -1.0, 1.0), error), int((~resolved).sum()))


def stationarity(sums: Accumulators) -> Estimate:
    r"""Return the root-mean-square over sites of :math:`|\mathbf m_i({\rm first\ half})-\mathbf m_i({\rm second})|/R`, and what noise alone gives."""
    layout, model = sums.layout, sums.model
    lengths = np.diff(layout.edges).astype(np.float64)
    means = sums.arrays["spins"] / lengths[:, None, None, None]
    if layout.time_blocks < 2:
        return Estimate(np.asarray(0.0), None)
    middle = layout.time_blocks // 2
    if layout.replicas > 1:
        change = means[0] - means[1]
        noise = (change.var(axis=0, ddof=1) / layout.replicas).sum(axis=-1)
        drift = change.mean(axis=0)
    else:
        first, second = means[:middle, 0], means[middle:, 0]
        drift = first.mean(axis=0) - second.mean(axis=0)
        if middle < 2:
            return Estimate(np.asarray(math.sqrt(float(np.mean((drift**2).sum(axis=-1)))) / model.r), None)
        noise = sum(half.var(axis=0, ddof=1).sum(axis=-1) / half.shape[0] for half in (first, second))
    return Estimate(
        np.asarray(math.sqrt(float(np.mean((drift**2).sum(axis=-1)))) / model.r),
        np.asarray(math.sqrt(float(np.mean(noise))) / model.r),
    )


@dataclass(frozen=True)
class Correlations:
    """Connected correlations (site, site_), equal-time and, where they were summed, delayed."""

    equal: Estimate
    delayed: Estimate | None
    groups: int


def correlations(sums: Accumulators, units: Units) -> Correlations:
    """Return the connected correlations: averages of products minus noise-free products of means."""
    counts = sums.pair_counts()
    layout = sums.layout
    bounds = layout.group_bounds

    def gram(rows: FloatArray) -> FloatArray:  # sum over units of m_i . m_j
        flat = rows.transpose(1, 0, 2).reshape(rows.shape[1], -1)
        return np.asarray(flat @ flat.T)

    total = units.spins.sum(axis=0)
    squares = gram(units.spins)

    def products(total: FloatArray, squares: FloatArray, count: int) -> FloatArray:
        if count < 2:
            return squares / max(count, 1)
        return np.asarray((total @ total.T - squares) / (count * (count - 1)))

    subtracted = products(total, squares, units.count)
    estimates = []
    for name in ("pairs", "delayed_pairs") if sums.delayed else ("pairs",):
        raw = sums.arrays[name]
        value = raw.sum(axis=0) / counts.sum() - subtracted
        estimates.append((raw, raw.sum(axis=0), value))
    left = [_Spread() for _ in estimates]
    usable = layout.groups >= 2 and (units.count - int(np.diff(bounds).max()) >= 2 or units.halves is not None)
    usable = usable and bool((counts.sum() > counts).all())
    if usable:
        for g in range(layout.groups):
            mine = slice(bounds[g], bounds[g + 1])
            rest = units.count - (mine.stop - mine.start)
            if rest >= 2:
                without = products(total - units.spins[mine].sum(axis=0), squares - gram(units.spins[mine]), rest)
            else:
                assert units.halves is not None
                a, b = units.halves[:, 1 - g]
                without = 0.5 * (a @ b.T + b @ a.T)
            for spread, (raw, everything, _) in zip(left, estimates):
                spread.add((everything - raw[g]) / (counts.sum() - counts[g]) - without)
    found = [
        Estimate(value, spread.jackknife_error() if usable else None) for spread, (_, _, value) in zip(left, estimates)
    ]
    return Correlations(found[0], found[1] if sums.delayed else None, layout.groups)


class _Spread:
    """Running mean and squared deviation of arrays, one at a time."""

    def __init__(self) -> None:
        self.count = 0
        self.mean: FloatArray = np.zeros(())
        self.square: FloatArray = np.zeros(())

    def add(self, value: FloatArray) -> None:
        self.count += 1
        delta = value - self.mean
        self.mean = self.mean + delta / self.count
        self.square = self.square + delta * (value - self.mean)

    def jackknife_error(self) -> FloatArray:
        return np.asarray(np.sqrt((self.count - 1) / self.count * self.square))

"""What is added up of a block of sequences while it is drawn, as plain arrays that a checkpoint can hold.

A *unit* is what error bars average over: a sequence, or one of 16 blocks of time when there is only one sequence.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from glassformer._core._sphere_normalizer import log_normalizer_any_dim, log_sphere_area
from glassformer._core._validation import FloatArray

TIME_BLOCKS = 16
SCALARS = 4
TOTAL, FIELD_SQUARE, LOSS, BACKWARD_LOSS = range(SCALARS)
KEPT = ("overlap", "pairs", "early_overlap", "early_pairs", "scalars", "counts")


class BlockSums:
    """Sums of the sequences of a block: overlaps by lag, and scalars; with the number of terms of each."""

    def __init__(self, *, sequences: int, steps: int, lags: int, by_time: bool) -> None:
        self.steps, self.by_time = steps, by_time
        self.units = min(TIME_BLOCKS, steps) if by_time else sequences
        self.arrays: dict[str, FloatArray] = {
            "overlap": np.zeros((self.units, lags + 1)),
            "pairs": np.zeros((self.units, lags + 1)),
            "early_overlap": np.zeros((self.units, lags + 1)),  # of the first half of the times
            "early_pairs": np.zeros((self.units, lags + 1)),
            "scalars": np.zeros((self.units, SCALARS)),
            "counts": np.zeros((self.units, SCALARS)),
        }

    def unit(self, time: int, first: int, count: int) -> slice:
        """Return the units to which the tokens of `time` of some sequences add."""
        if not self.by_time:
            return slice(first, first + count)
        block = time * self.units // self.steps
        return slice(block, block + 1)

    def add(self, which: int, units: slice, values: FloatArray) -> None:
        """Add one value for each sequence."""
        self.arrays["scalars"][units, which] += values
        self.arrays["counts"][units, which] += 1

    def add_overlaps(self, time: int, units: slice, overlaps: FloatArray) -> None:
        """Add the sums over sites (sequence, lag) for the lags that reach back to the first token."""
        known = overlaps.shape[1]
        self.arrays["overlap"][units, :known] += overlaps
        self.arrays["pairs"][units, :known] += 1
        if 2 * time < self.steps:
            self.arrays["early_overlap"][units, :known] += overlaps
            self.arrays["early_pairs"][units, :known] += 1

    def load(self, arrays: Mapping[str, npt.NDArray[np.float64]]) -> None:
        """Take the arrays of a checkpoint."""
        for name in KEPT:
            self.arrays[name] = np.array(arrays[name])


class SphereScores:
    """Losses of tokens on a sphere, from s.h and h.h of many steps at a time."""

    def __init__(self, sums: BlockSums, beta: float, n: int) -> None:
        self.sums, self.beta, self.n = sums, beta, n
        self.waiting: list[tuple[int, slice, FloatArray, FloatArray]] = []

    def add(self, which: int, units: slice, projection: FloatArray, square: FloatArray) -> None:
        """Keep s.h and h.h (sequence,) of one token of each sequence."""
        self.waiting.append((which, units, projection.copy(), square.copy()))

    def flush(self) -> None:
        """Score what is waiting."""
        if not self.waiting:
            return
        projection = np.stack([entry[2] for entry in self.waiting])
        norms = np.sqrt(np.stack([entry[3] for entry in self.waiting]))
        kappa = self.beta * math.sqrt(self.n) * norms
        loss = log_normalizer_any_dim(kappa, self.n) + log_sphere_area(self.n) - self.beta * projection
        for (which, units, _, _), own in zip(self.waiting, loss):
            self.sums.add(which, units, own)
        self.waiting.clear()

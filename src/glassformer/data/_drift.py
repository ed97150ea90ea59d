"""Whether a corpus drifts: its first half beside its second, where no theory says how long it takes to forget a start."""

from __future__ import annotations

from typing import Any

import numpy as np

from glassformer._core._validation import FloatArray
from glassformer.data._plan import CorpusPlan
from glassformer.data._relaxation import TOLERANCE

_LEVEL = 1e-4  # chance of a false alarm, all lags together
_FEWEST = 4  # units on either side


def halves_differ(plan: CorpusPlan, sums: dict[str, np.ndarray[Any, Any]], theory: dict[str, Any]) -> str:
    """Return a sentence if autocorrelations of the second half of the times are not those of the first, else nothing.

    Means over sequences are compared by Student's law (blocks of time of a single sequence only where no theory knows how
    long they are correlated); differences below the tolerance of a burn-in are let pass.
    """
    from scipy.special import stdtr

    early, early_pairs = sums["early_overlap"], sums["early_pairs"]
    late, late_pairs = sums["overlap"] - early, sums["pairs"] - early_pairs
    n = plan.model.n
    if plan.sequences > 1:
        known = (early_pairs > 0).all(axis=0) & (late_pairs > 0).all(axis=0)
        lags = _leading(known)
        if plan.sequences < _FEWEST or lags == 0:
            return ""
        one, two = _means(early, early_pairs, n, lags), _means(late, late_pairs, n, lags)
        error = (two - one).std(axis=0, ddof=1) / np.sqrt(plan.sequences)
        freedom = plan.sequences - 1
    else:  # the block in the middle may be in both halves
        first, second = late_pairs[:, 0] == 0, early_pairs[:, 0] == 0
        lags = _leading((early_pairs[first] > 0).all(axis=0))
        if not theory["unknown"] or min(first.sum(), second.sum()) < _FEWEST or lags == 0:
            return ""
        one, two = _means(early[first], early_pairs[first], n, lags), _means(late[second], late_pairs[second], n, lags)
        error = np.sqrt(sum(half.var(axis=0, ddof=1) / half.shape[0] for half in (one, two)))
        freedom = min(one.shape[0], two.shape[0]) - 1
    before, after = one.mean(axis=0), two.mean(axis=0)
    square = theory["infinite"].get("autocorrelation", [np.inf])[0]
    if plan.rule.variant == "gaussian" and theory["spectral_radius"] is None and after[0] > 2.0 * square:
        return (
            f"c_0 of the second half of the sequences is {after[0]:.4g}, not {square:.4g} as at infinite size, and the "
            "spectral radius of this sample could not be computed: it may be unstable."
        )
    gap = after - before
    with np.errstate(divide="ignore", invalid="ignore"):
        chance = 2.0 * stdtr(freedom, -np.abs(gap) / error)
    large = np.abs(gap) > TOLERANCE * abs(float(before[0]))
    found = np.flatnonzero(large & (chance * lags < _LEVEL))
    if not found.size:
        return ""
    lag = int(found[np.argmax(np.abs(gap[found]))])
    why = "No theory says how long this system needs. " if theory["unknown"] else ""
    return (
        f"{why}The autocorrelation at lag {lag} is {before[lag]:.5g} in the first half of the sequences and {after[lag]:.5g} "
        f"in the second: the system is still relaxing, or ages; take a burn_in longer than {plan.burn_in}."
    )


def _leading(known: np.ndarray[Any, Any]) -> int:
    """Return how many lags from 0 on are known."""
    return int(known.size if known.all() else known.argmin())


def _means(sums: FloatArray, pairs: FloatArray, n: int, lags: int) -> FloatArray:
    return np.asarray(sums[:, :lags] / pairs[:, :lags] / n)

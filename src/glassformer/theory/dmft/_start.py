"""The initial tokens of a transient: their overlaps and means."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from glassformer._core._errors import invalid
from glassformer._core._validation import FloatArray, as_float_array
from glassformer.models import TokenRule

_ROUNDING = 1e-10
STARTS = ("independent", "repeated")


def initial_overlaps(rule: TokenRule, context: int, start: Any, magnetization: Any) -> tuple[FloatArray, FloatArray]:
    r"""Return the overlaps (lag, lag_) and the means (lag,) of :math:`s_0,s_{-1},\dots,s_{1-K}`, most recent first.

    Raises
    ------
    InvalidInputError
        For overlaps that no tokens of the rule have.
    """
    means = as_float_array("start_magnetization", magnetization, ndim=(0, 1))
    if means.ndim == 1 and means.size not in (1, context):
        raise invalid("the length of start_magnetization", means.size, f"1 or the context length {context}")
    means = np.broadcast_to(means.reshape(-1), (context,)).copy()
    if isinstance(start, str):
        if start not in STARTS:
            raise invalid("start", start, "'independent', 'repeated' or an array (lag, lag_) of overlaps")
        if start == "repeated" and np.ptp(means) > 0.0:
            raise invalid(
                "start_magnetization", means, "one number for start='repeated'", "it is the same token K times"
            )
        overlaps = np.outer(means, means) if start == "independent" else np.ones((context, context))
        np.fill_diagonal(overlaps, 1.0)
        if np.abs(means).max() > 1.0:
            raise invalid(
                "start_magnetization", float(np.abs(means).max()), "from -1 to 1", "tokens start with s.s = N"
            )
        return overlaps, means
    overlaps = as_float_array("start", start, ndim=2).copy()
    if overlaps.shape != (context, context):
        raise invalid("the shape of start", overlaps.shape, f"({context}, {context}): one row and column a lag")
    if np.abs(overlaps - overlaps.T).max() > _ROUNDING:
        raise invalid("the largest |start - transpose|", float(np.abs(overlaps - overlaps.T).max()), "0")
    overlaps = 0.5 * (overlaps + overlaps.T)
    squares = np.diag(overlaps)
    if rule.fixed_norm and np.abs(squares - 1.0).max() > _ROUNDING:
        raise invalid("the diagonal of start", squares, f"1 for variant={rule.variant!r}", "every token has s.s = N")
    if rule.variant == "graded" and squares.max() > 1.0 + _ROUNDING:
        raise invalid("the diagonal of start", squares, "at most 1 for variant='graded'", "tokens lie in (-1, 1)")
    lowest = float(np.linalg.eigvalsh(overlaps - np.outer(means, means))[0])
    if lowest < -_ROUNDING * max(1.0, float(squares.max())):
        raise invalid(
            "the lowest eigenvalue of start - m m^T",
            lowest,
            ">= 0: overlaps less the product of the means are a covariance",
            "start[k, l] is the mean over sites of s_{1-k} s_{1-l}",
        )
    if rule.variant in ("ising", "probit"):
        _check_signs(overlaps, means)
    return overlaps, means


def _check_signs(overlaps: FloatArray, means: FloatArray) -> None:
    """Refuse overlaps that no tokens of signs have: of three signs, a b + b c + c a is at least -1."""
    whole = np.block([[np.ones((1, 1)), means[None, :]], [means[:, None], overlaps]])  # a mean is an overlap with 1
    size = whole.shape[0]
    for i, j, k in itertools.combinations(range(size), 3) if size <= 65 else ():
        a, b, c = whole[i, j], whole[j, k], whole[i, k]
        least = 1.0 + min(a + b + c, a - b - c, b - a - c, c - a - b)
        if least < -1e-9:
            names = [("mean" if n == 0 else f"s_{1 - n}") for n in (i, j, k)]
            raise invalid(
                f"the overlaps of {', '.join(names)}",
                [float(a), float(b), float(c)],
                "those of tokens of signs, 1 + ab + bc + ca >= 0 for every choice of two minus signs or none",
                f"it is short by {-least:.3g}",
            )

"""How stationary correlations move with the diagonal sums: implicit differentiation of the equations."""

from __future__ import annotations

import math

import numpy as np

from glassformer._core._errors import InvalidInputError
from glassformer._core._validation import FloatArray
from glassformer.theory.dmft._convolve import solve_banded
from glassformer.theory.dmft._nonlinear import averages
from glassformer.theory.dmft._state import Stationary
from glassformer.theory.dmft._tail import lags_needed


def derivative(found: Stationary) -> FloatArray:
    r"""Return :math:`\partial c_\tau/\partial g_d`, shape (M + 1, K); means are zero."""
    sums, rule, correlation = found.diagonal_sums, found.rule, found.correlation
    lags, context = correlation.size - 1, sums.size
    by_sums = _shifted(correlation, context)  # of Q_tau, at fixed c
    if correlation[0] == 0.0 or found.slope == 0.0:
        return np.zeros((lags + 1, context))
    if abs(found.root) ** lags > 1e-10:
        raise InvalidInputError(
            f"The memory ends after {lags_needed(found.root, 1e-13):.3g} lags, but only {lags} are known; "
            "the derivative needs all of them."
        )
    tail = np.zeros(lags)
    tail[: min(lags, context - 1)] = sums[1 : lags + 1]
    row = np.zeros(lags)
    row[: min(lags, context - 1)] = 2.0 * sums[1 : lags + 1]
    q = found.field_covariance()
    if rule.variant in ("gaussian", "spherical"):
        slope = found.slope
        # c_0 (gaussian) or x (spherical) is the one unknown beside the lags
        column = -slope * tail if rule.variant == "gaussian" else -q[1:]
        solved = solve_banded(sums, np.full(lags, slope), np.column_stack([column, -slope * by_sums[1:]]))
        if rule.variant == "gaussian":
            corner, right = 1.0 - sums[0], -by_sums[0]
            row = -row
        else:
            corner, right = -(q[0] + 0.5 / (rule.beta * math.sqrt(slope))), -slope * by_sums[0]
            row = -slope * row
    else:
        noise = rule.noise
        inner = averages(q[1:], q[0], 0.0, noise)
        graded = rule.variant == "graded" and not math.isinf(rule.beta)
        at = averages(np.array([q[0]]), q[0], 0.0, noise) if graded else None
        by_equal = float(at.by_q[0] + at.by_variance[0]) if at is not None else 0.0
        # unknown beside the lags: Q_0, with c_0 = Phi(Q_0; Q_0, Q_0) or 1
        column = -inner.by_variance - inner.by_q * tail * by_equal
        right_lags = -inner.by_q[:, None] * by_sums[1:]
        solved = solve_banded(sums, inner.by_q, np.column_stack([column, right_lags]))
        corner, right = 1.0 - sums[0] * by_equal, -by_sums[0]
        row = -row
    scalar = -(right - row @ solved[:, 1:]) / (corner - row @ solved[:, 0])
    out = np.zeros((lags + 1, context))
    out[1:] = -solved[:, 1:] - np.outer(solved[:, 0], scalar)
    if rule.variant == "gaussian":
        out[0] = scalar
    elif rule.variant != "spherical":
        out[0] = by_equal * scalar
    return out


def _shifted(correlation: FloatArray, context: int) -> FloatArray:
    r"""Return :math:`c_{\tau-d}+c_{\tau+d}` (c for d = 0), shape (M + 1, K)."""
    lags = correlation.size
    padded = np.concatenate([correlation, np.zeros(context)])
    tau, d = np.arange(lags)[:, None], np.arange(context)[None, :]
    out = padded[np.abs(tau - d)] + padded[tau + d]
    out[:, 0] = correlation
    return np.asarray(out)

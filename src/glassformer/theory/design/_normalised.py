r"""The stationary correlation at a given field variance: only the shape of the diagonal sums matters.

.. math:: R=\hat g*c,\qquad c_\tau=\varphi(R_\tau/R_0),\ \tau\ne0 .

Scaling :math:`\hat g` by :math:`Q_0/R_0` gives the diagonal sums g of the model. A fit over the shape therefore keeps
:math:`\beta\sqrt{Q_0}`, and with it the loss floor, where it was asked to be.
"""

from __future__ import annotations

import numpy as np

from glassformer._core._validation import FloatArray
from glassformer.theory.design._link import Link
from glassformer.theory.dmft._convolve import convolve, solve_banded

_STEPS = 25
_SWEEPS = (10, 40, 350)
_ACCURACY = 1e-13
_SHIFT = 1e-3


def shape_correlation(shape: FloatArray, link: Link, start: FloatArray) -> tuple[FloatArray, float]:
    """Return c_0..c_M for a shape of the diagonal sums, from a start of M + 1 lags, and the residual.

    Newton's method from `start`; if that fails, or ends at an unstable state, plain sweeps from no memory, which find the
    stable one, with Newton's method at their end.
    """
    c, residual = _newton(shape, link, start)
    if residual <= 1e-10 and not _unstable(shape, link, c):
        return c, residual
    c = np.eye(1, len(start))[0] * link.variance
    for sweeps in _SWEEPS:
        for _ in range(sweeps):
            _, gap = _gap(shape, link, c)
            if not np.isfinite(gap).all():
                return c, np.inf
            c = c - gap
        found, residual = _newton(shape, link, c)
        if residual <= 1e-10 and not _unstable(shape, link, found):
            return found, residual
    return c, float(np.abs(_gap(shape, link, c)[1]).max(initial=0.0))


def _newton(shape: FloatArray, link: Link, start: FloatArray) -> tuple[FloatArray, float]:
    c = start.copy()
    c[0] = link.variance
    least, best = np.inf, c
    for _ in range(_STEPS):
        rho, gap = _gap(shape, link, c)
        size = float(np.abs(gap).max(initial=0.0))
        stalled = least < 1e-10 and size > 0.5 * least
        if size < least:
            least, best = size, c
        if size <= _ACCURACY or stalled or not size < 10.0 * max(least, 1e-12):
            break
        c = c.copy()
        c[1:] -= _solve(shape, link, c, rho, gap[1:, None])[:, 0]
        c[1:] = np.clip(c[1:], -link.top, link.top)
    return best, least


def shape_derivative(shape: FloatArray, link: Link, c: FloatArray) -> FloatArray:
    r"""Return :math:`\partial c_\tau/\partial\hat g_d`, shape (M + 1, K), at a solution c."""
    rho, _ = _gap(shape, link, c)
    slope, total = _slopes(link, rho), _field(shape, c)[0]
    by_shape = shifted(c, len(shape))
    right = slope[:, None] / total * (by_shape[1:] - rho[1:, None] * by_shape[0])
    out = np.zeros((len(c), len(shape)))
    out[1:] = _solve(shape, link, c, rho, right)
    return out


def shifted(c: FloatArray, context: int) -> FloatArray:
    r"""Return :math:`\partial Q_\tau/\partial g_d=c_{\tau-d}+c_{\tau+d}` (c for d = 0), shape (M + 1, K)."""
    padded = np.concatenate([c, np.zeros(context)])
    tau, d = np.arange(len(c))[:, None], np.arange(context)
    found = padded[np.abs(tau - d)] + padded[tau + d]
    found[:, 0] = c
    return np.asarray(found)


def _unstable(shape: FloatArray, link: Link, c: FloatArray) -> bool:
    """Whether a state slightly below c moves away from it: such states solve the equations, but do not decay."""
    near = c * (1.0 - _SHIFT)
    near[0] = c[0]
    away = near - _gap(shape, link, near)[1] - c
    return not float(np.sum(away**2)) <= 1.2 * float(np.sum((near - c) ** 2))


def _field(shape: FloatArray, c: FloatArray) -> FloatArray:
    return convolve(shape, c)


def _gap(shape: FloatArray, link: Link, c: FloatArray) -> tuple[FloatArray, FloatArray]:
    field = _field(shape, c)
    if not field[0] > 1e-12 * shape[0] * c[0]:  # no field at all: not a state, whatever the shape
        return np.zeros_like(c), np.full_like(c, np.inf)
    rho = np.clip(field / field[0], -1.0, 1.0)
    gap = np.zeros_like(c)
    gap[1:] = c[1:] - link.forward(rho[1:])
    return rho, gap


def _slopes(link: Link, rho: FloatArray) -> FloatArray:
    inside = np.clip(rho[1:], -1.0 + 1e-12, 1.0 - 1e-12)  # the slope of the sign rule is infinite at 1
    return link.slope(inside)


def _solve(shape: FloatArray, link: Link, c: FloatArray, rho: FloatArray, right: FloatArray) -> FloatArray:
    r"""Solve :math:`(1-w(T-\rho\,T_0))y=b`, :math:`w=\varphi'/R_0`: a band plus a border of rank one."""
    weights = _slopes(link, rho) / _field(shape, c)[0]
    both = solve_banded(shape, weights, np.column_stack([weights * rho[1:], right]))
    row = np.zeros(len(c) - 1)
    used = min(len(shape), len(c)) - 1
    row[:used] = 2.0 * shape[1 : used + 1]
    return both[:, 1:] - np.outer(both[:, 0], row @ both[:, 1:]) / (1.0 + row @ both[:, 0])

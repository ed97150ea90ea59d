"""Newton's method for many logistic regressions that share their features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from glassformer._core._validation import FloatArray

TOLERANCE = 1e-14  # squared Newton decrement: a step of 1e-7 standard errors
_SETTLED = 1e-3  # change of a field below which an iteration may end; a separated site moves by order 1 for ever
_FLAT, _FAR = 1e-8, 0.1
_NEWTON, _CONJUGATE, _HALVINGS = 100, 200, 40


class Optimum(NamedTuple):
    """Weights (feature, site) and how the search ended, site by site."""

    weights: FloatArray
    converged: npt.NDArray[np.bool_]
    separated: npt.NDArray[np.bool_]
    iterations: int
    unique: bool

    @staticmethod
    def concatenate(parts: Sequence[Optimum]) -> Optimum:
        """Join the sites of several searches."""
        return Optimum(
            np.concatenate([part.weights for part in parts], axis=1),
            np.concatenate([part.converged for part in parts]),
            np.concatenate([part.separated for part in parts]),
            max(part.iterations for part in parts),
            all(part.unique for part in parts),
        )


class Preconditioner:
    """The factorisation of XX^T + penalty that all sites share; a small shift keeps it regular."""

    def __init__(self, features: FloatArray, penalty: FloatArray) -> None:
        from scipy.linalg import cho_factor, eigh

        gram = features.T @ features + np.diag(penalty)
        scale = float(np.trace(gram)) / gram.shape[0]
        shift = 1e-10 * scale if scale > 0.0 else 1.0
        lowest = eigh(gram, eigvals_only=True, subset_by_index=[0, 0])[0]
        self.unique = bool(lowest > 1e-12 * scale)
        self.factor = cho_factor(gram + shift * np.eye(gram.shape[0]), lower=True)

    def solve(self, right: FloatArray) -> FloatArray:
        """Apply the inverse to every column."""
        from scipy.linalg import cho_solve

        return np.asarray(cho_solve(self.factor, right, check_finite=False))


def loss_and_mean(fields: FloatArray, targets: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the loss of every site, summed over windows, and tanh of the fields; one exponential each."""
    size = np.abs(fields)
    small = np.exp(-2.0 * size)
    # log(2 cosh h) - s h = |h| - s h + log(1 + e^(-2|h|))
    loss = np.sum(size - targets * fields + np.log1p(small), axis=0)
    return loss, np.copysign((1.0 - small) / (1.0 + small), fields)


def maximise(features: FloatArray, targets: FloatArray, start: FloatArray, penalty: FloatArray) -> Optimum:
    """Return the maxima of the penalised likelihoods; penalty (feature,) weighs half the squared weights."""
    precondition = Preconditioner(features, penalty)
    count = targets.shape[1]
    weights = np.array(start)
    fields = features @ weights
    zero = loss_and_mean(np.zeros_like(fields[:1]), targets[:1])[0] * fields.shape[0]
    worse = _objective(loss_and_mean(fields, targets)[0], weights, penalty) > zero
    weights[:, worse], fields[:, worse] = 0.0, 0.0  # a bad start is worse than none
    converged, separated = np.zeros(count, dtype=bool), np.zeros(count, dtype=bool)
    active = np.arange(count)
    iteration = 0
    while active.size and iteration < _NEWTON:
        iteration += 1
        goal, h, w = targets[:, active], fields[:, active], weights[:, active]
        loss, mean = loss_and_mean(h, goal)
        gradient = penalty[:, None] * w - features.T @ (goal - mean)
        step = _newton_step(features, 1.0 - mean**2, penalty, gradient, precondition)
        change = features @ step
        decrement = -np.sum(gradient * step, axis=0)
        scale = _line_search(goal, h, change, w, step, penalty, _objective(loss, w, penalty), decrement)
        weights[:, active], fields[:, active] = w + scale * step, h + scale * change
        moved = np.abs(change).max(axis=0)
        done = (decrement <= TOLERANCE) & (moved < _SETTLED)
        apart = np.zeros_like(done)
        if not penalty.any():
            apart = (goal * fields[:, active] > 0.0).all(axis=0)
            # Or a direction in which fields move on and nothing is gained: tokens beside it keep their boundary.
            apart |= (decrement < _FLAT) & (moved > _FAR)
        converged[active[done & ~apart]] = True
        separated[active[apart]] = True
        active = active[~(done | apart)]
    return Optimum(weights, converged, separated, iteration, precondition.unique)


def _objective(loss: FloatArray, weights: FloatArray, penalty: FloatArray) -> FloatArray:
    return np.asarray(loss + 0.5 * (penalty @ weights**2))


def _newton_step(
    features: FloatArray, stiffness: FloatArray, penalty: FloatArray, gradient: FloatArray, precondition: Preconditioner
) -> FloatArray:
    """Solve (X v X^T + penalty) step = -gradient for every site by preconditioned conjugate gradients."""
    step = np.zeros_like(gradient)
    residual = -gradient
    solved = precondition.solve(residual)
    direction = solved.copy()
    product = np.sum(residual * solved, axis=0)
    # The decrement falls as the square of the tolerance; a tight one when the end is near makes the last step exact.
    goal = product * np.clip(product, 1e-8, 1e-2) ** 2
    for _ in range(_CONJUGATE):
        image = features.T @ (stiffness * (features @ direction)) + penalty[:, None] * direction
        curvature = np.sum(direction * image, axis=0)
        going = (product > goal) & (curvature > 0.0)
        if not going.any():
            break
        length = np.divide(product, curvature, out=np.zeros_like(product), where=going)
        step += length * direction
        residual -= length * image
        solved = precondition.solve(residual)
        following = np.sum(residual * solved, axis=0)
        direction = solved + np.divide(following, product, out=np.zeros_like(product), where=going) * direction
        product = np.where(going, following, product)
        if not (going & (product > goal)).any():
            break
    return step


def _line_search(
    goal: FloatArray,
    fields: FloatArray,
    change: FloatArray,
    weights: FloatArray,
    step: FloatArray,
    penalty: FloatArray,
    before: FloatArray,
    decrement: FloatArray,
) -> FloatArray:
    """Return the scale of every step: 1, halved until the loss falls by a fair part of what the slope promises."""
    scale = np.ones(before.size)
    open_ = np.arange(before.size)
    rounding = 1e-12 * np.abs(before)
    for _ in range(_HALVINGS):
        trial = fields[:, open_] + scale[open_] * change[:, open_]
        moved = weights[:, open_] + scale[open_] * step[:, open_]
        after = _objective(loss_and_mean(trial, goal[:, open_])[0], moved, penalty)
        bad = after > before[open_] - 1e-4 * scale[open_] * decrement[open_] + rounding[open_]
        open_ = open_[bad]
        if not open_.size:
            break
        scale[open_] *= 0.5
    return scale


def fisher_inverse(
    features: FloatArray, found: Optimum, penalty: FloatArray, shape: tuple[int, int]
) -> tuple[FloatArray, FloatArray]:
    """Return standard errors (site, feature) and the traces (site, lag, lag_) of the inverse information."""
    from scipy.linalg import blas, lapack

    lags, n = shape
    count, size = found.weights.shape[1], found.weights.shape[0]
    errors, own = np.full((count, size), np.inf), np.full((count, lags, lags), np.inf)
    for site in np.flatnonzero(~found.separated):
        weight = 1.0 / np.cosh(np.clip(features @ found.weights[:, site], -350.0, 350.0))
        scaled: Any = (features * weight[:, None]).T  # (feature, pair) in Fortran order
        information = blas.dsyrk(1.0, scaled, lower=1) + np.diag(penalty)
        factor, failed = lapack.dpotrf(information, lower=1, clean=1, overwrite_a=1)
        if failed:
            continue  # what is undetermined has no error
        lower, _ = lapack.dpotri(factor, lower=1, overwrite_c=1)
        errors[site] = np.sqrt(np.diag(lower))
        inverse = (lower + np.tril(lower, -1).T)[: lags * n, : lags * n].reshape(lags, n, lags, n)
        own[site] = np.einsum("kjlj->kl", inverse)
    return errors, own

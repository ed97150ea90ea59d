"""Least squares with a penalty for many targets at once: one factorisation, and a second when the first is not safe."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from glassformer._core._validation import FloatArray

SAFE = 1e-8  # reciprocal condition number below which normal equations lose half of the digits


class Solution(NamedTuple):
    """Weights (feature, target), the inverse of XX^T + penalty (the pseudo-inverse without penalty), and what was used."""

    weights: FloatArray
    inverse: FloatArray
    freedom: float  # tr XX^T (XX^T + penalty)^-1
    unique: bool


class Means(NamedTuple):
    """What was subtracted from features and targets."""

    features: FloatArray
    targets: FloatArray

    def fields(self, weights: FloatArray) -> FloatArray:
        """Return the fields (target,) that give the subtracted means back, for weights (target, feature)."""
        return np.asarray(self.targets - weights @ self.features)


def centred(features: FloatArray, targets: FloatArray, centre: bool) -> tuple[FloatArray, FloatArray, Means]:
    """Subtract the means if `centre`: the same as fitting a field that no penalty touches."""
    if not centre:
        return features, targets, Means(np.zeros(features.shape[1]), np.zeros(targets.shape[1]))
    means = Means(features.mean(axis=0), targets.mean(axis=0))
    return features - means.features, targets - means.targets, means


def solve_penalised(features: FloatArray, targets: FloatArray, penalty: float) -> Solution:
    """Minimise ``|targets - features @ weights|^2 + penalty |weights|^2``; without penalty the least norm if undetermined."""
    from scipy.linalg import lapack

    size = features.shape[1]
    gram = features.T @ features
    regular = gram + penalty * np.eye(size)
    factor, failed = lapack.dpotrf(regular, lower=1, clean=1)
    if not failed:
        condition, failed = lapack.dpocon(factor, np.abs(regular).sum(axis=0).max(), uplo="L")
    if not failed and condition > SAFE:
        lower, _ = lapack.dpotri(factor, lower=1)
        inverse = np.tril(lower) + np.tril(lower, -1).T
        weights, _ = lapack.dpotrs(factor, features.T @ targets, lower=1)
        return Solution(np.asarray(weights), inverse, size - penalty * float(np.trace(inverse)), True)
    left, values, right = np.linalg.svd(features, full_matrices=False)
    kept = values > max(features.shape) * np.finfo(float).eps * values.max(initial=0.0)
    unique = bool(kept.sum() == size) or penalty > 0.0
    left, values, right = left[:, kept], values[kept], right[kept]
    square = values**2 + penalty
    weights = (right.T * (values / square)) @ (left.T @ targets)
    inverse = (right.T / square) @ right
    if penalty > 0.0:  # what the data never excite is held by the penalty alone
        inverse = inverse + (np.eye(size) - right.T @ right) / penalty
    return Solution(weights, inverse, float(np.sum(values**2 / square)), unique)

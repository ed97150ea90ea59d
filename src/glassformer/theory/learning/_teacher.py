"""What a student of Gaussian tokens has to learn: a linear regression with the exact covariance of the teacher's states."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from glassformer._core._validation import FloatArray
from glassformer.theory.exact._context_gaussian import LinearContext


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    r"""Regression on features z of a Gaussian teacher: :math:`s=Bz+` noise that is independent of z.

    Parameters
    ----------
    eigenvalues : array (mode,)
        :math:`e_j` of the covariance of z.
    signal : array (mode,)
        :math:`b_j=\frac1N\sum_i(BV)_{ij}^2` with V the eigenvectors.
    noise : float
        Mean variance of the noise over sites, that of the teacher and `mismatch`.
    mismatch : float
        What the features cannot express: the error of the best linear student less that of the teacher.
    """

    eigenvalues: FloatArray
    signal: FloatArray
    noise: float
    mismatch: float

    @property
    def size(self) -> int:
        """Number of features that vary, d."""
        return int(np.sum(self.eigenvalues > 1e-12 * self.eigenvalues.max(initial=0.0)))

    @property
    def power(self) -> float:
        """Variance per site of what there is to learn."""
        return float(self.signal @ self.eigenvalues)


def stationary_covariance(matrices: FloatArray, sigma: float, context: int) -> FloatArray:
    """Return the covariance (lag * site, lag * site) of `context` successive tokens, most recent first.

    Couplings of lag zero beyond those of the teacher make a longer history out of the same process.
    """
    lags, n = matrices.shape[:2]
    padded = np.concatenate([matrices, np.zeros((max(0, context - lags), n, n))])
    whole = LinearContext.of(padded, np.zeros(n), sigma).covariance
    return np.ascontiguousarray(whole[:context, :, :context]).reshape(context * n, context * n)


def gaussian_task(matrices: FloatArray, sigma: float, context: int, factors: FloatArray | None = None) -> Task:
    r"""Return the task of a student with `context` lags, or with the features :math:`\sum_kL_{ka}s_{t-k}` of `factors`.

    The best predictor from features z = Fx is the block Yule-Walker solution :math:`B=\langle sz^T\rangle\Sigma_z^{-1}`; for
    Gaussian tokens what it leaves is independent of z, so that a student without the full context sees a linear teacher with
    more noise.
    """
    lags, n = matrices.shape[:2]
    longest = max(lags, context)
    covariance = stationary_covariance(matrices, sigma, longest)
    teacher = np.zeros((n, longest * n))
    teacher[:, : lags * n] = matrices.transpose(1, 0, 2).reshape(n, lags * n)
    seen = np.eye(context) if factors is None else factors
    padded = np.zeros((longest, seen.shape[1]))
    padded[:context] = seen
    features = np.kron(padded, np.eye(n))  # x -> z
    crossed = covariance @ features
    eigenvalues, vectors = np.linalg.eigh(features.T @ crossed)
    eigenvalues = np.where(eigenvalues > 1e-13 * eigenvalues.max(initial=0.0), eigenvalues, 0.0)
    projected = teacher @ crossed @ vectors  # <s z^T> V
    coefficients = np.divide(projected, eigenvalues, out=np.zeros_like(projected), where=eigenvalues > 0.0)
    total = float(np.sum((teacher @ covariance) * teacher)) / n
    learnable = float(np.sum(coefficients * projected)) / n
    mismatch = max(0.0, total - learnable)
    if mismatch < 1e-11 * max(total, sigma**2):  # rounding
        mismatch = 0.0
    return Task(eigenvalues, np.mean(coefficients**2, axis=0), sigma**2 + mismatch, mismatch)


def model_matrices(model: Any) -> FloatArray:
    """Return J (lag, site, site_) of a model."""
    return np.asarray(model.couplings.matrices, dtype=np.float64)

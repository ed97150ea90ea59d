r"""The stationary covariance of the linear rule :math:`s_t=\sum_kJ_ks_{t-k}+\theta+\sigma\xi_t`, exactly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from glassformer._core._errors import InvalidInputError, NotConvergedError
from glassformer._core._validation import FloatArray

_DOUBLINGS = 60
_DENSE = 512  # K N up to which all eigenvalues are found
_LEADING, _BASIS, _RESTARTS = 6, 60, 60  # eigenvalues, vectors and restarts of the Arnoldi iteration


def companion(couplings: FloatArray) -> FloatArray:
    r"""Return the matrix of :math:`x_{t+1}=Ax_t`, with :math:`x=(s_{t-1};\dots;s_{t-K})`."""
    context, n = couplings.shape[:2]
    matrix = np.eye(context * n, k=-n)
    matrix[:n] = couplings.transpose(1, 0, 2).reshape(n, context * n)
    return matrix


def spectral_radius(couplings: Any) -> float | None:
    """Return the largest modulus of an eigenvalue of the companion matrix of `LaggedCouplings` of any size.

    Above a few hundred rows from products alone (Arnoldi iteration, to about four digits); None if that does not converge.

    >>> import glassformer as gf
    >>> round(spectral_radius(gf.couplings.LaggedCouplings.from_matrices([[[0.5]], [[0.24]]])), 6)
    0.8
    """
    context, n = couplings.context, couplings.n
    if context * n <= _DENSE:
        return float(np.abs(np.linalg.eigvals(companion(np.asarray(couplings.matrices)))).max())
    from scipy.sparse.linalg import ArpackError, ArpackNoConvergence, LinearOperator, eigs

    factors, blocks, mean = couplings.factors, couplings.blocks, couplings.mean
    dense = getattr(blocks, "matrices", None)

    def advance(state: FloatArray) -> FloatArray:
        past = state.reshape(context, n)
        filtered = factors.T @ past
        field = np.full(n, float(past.mean(axis=1) @ mean))
        for a in range(filtered.shape[0]):
            field += blocks.apply(filtered[a])[a] if dense is None else dense[a] @ filtered[a].astype(dense.dtype)
        return np.concatenate([field, state[: (context - 1) * n]])

    size = context * n
    operator = LinearOperator((size, size), matvec=advance, dtype=np.float64)
    first = np.cos(np.arange(1.0, size + 1.0) ** 2)  # a fixed start, without structure
    try:
        found = eigs(
            operator, k=_LEADING, which="LM", v0=first, ncv=_BASIS, maxiter=_RESTARTS, tol=1e-4,
            return_eigenvectors=False,
        )  # fmt: skip
    except ArpackNoConvergence as error:  # what has converged is a lower bound
        found = error.eigenvalues
        return float(np.abs(found).max()) if found.size and np.abs(found).max() >= 1.0 else None
    except ArpackError:
        return None
    return float(np.abs(found).max())


@dataclass(frozen=True, slots=True, eq=False)
class LinearContext:
    r"""A stable linear rule with its stationary moments.

    ``covariance[a, :, b]`` is the connected :math:`\langle s_{t-a}s_{t-b}^T\rangle`, shape ``(lag, site, lag, site)``
    from lag 0 to K - 1; ``residual`` is the relative error with which it solves the Lyapunov equation.
    """

    couplings: FloatArray
    mean: FloatArray
    covariance: FloatArray
    spectral_radius: float
    residual: float

    @staticmethod
    def of(couplings: FloatArray, fields: FloatArray, sigma: float) -> LinearContext:
        """Solve for the stationary state of couplings ``(lag, site, site_)``, or refuse."""
        context, n = couplings.shape[:2]
        matrix = companion(couplings)
        radius = float(np.abs(np.linalg.eigvals(matrix)).max())
        if radius >= 1.0:
            raise InvalidInputError(
                f"the spectral radius of the couplings is {radius:.6g}, so the gaussian tokens grow without bound and no "
                "stationary state exists; it must be below 1: scale the couplings down, or draw others (another seed, more sites)."
            )
        mean = np.linalg.solve(np.eye(n) - couplings.sum(axis=0), fields)
        noise = np.zeros(context * n)
        noise[:n] = sigma**2
        total, power = np.diag(noise), matrix
        for _ in range(_DOUBLINGS):  # the sum of A^j Q (A^j)^T, twice as many terms each time
            added = power @ total @ power.T
            total = total + 0.5 * (added + added.T)
            if np.abs(added).max() <= np.finfo(np.float64).eps * 0.1 * np.abs(total).max():
                break
            power = power @ power
        else:
            raise NotConvergedError("the Lyapunov equation did not converge; the spectral radius is too close to 1.")
        gap = total - matrix @ total @ matrix.T - np.diag(noise)
        residual = float(np.abs(gap).max() / max(np.abs(total).max(), 1e-300))
        return LinearContext(couplings, mean, total.reshape(context, n, context, n), radius, residual)

    def lagged(self, lags: int) -> FloatArray:
        r"""Return the connected :math:`\langle s_{t+\tau}s_t^T\rangle` for :math:`\tau=0..` `lags`, ``(lag, site, site_)``."""
        context, n = self.couplings.shape[:2]
        found = np.empty((max(lags + 1, context), n, n))
        for lag in range(found.shape[0]):
            if lag < context:
                found[lag] = self.covariance[0, :, lag]
            else:
                found[lag] = sum(self.couplings[k] @ found[lag - k - 1] for k in range(context))
        return found[: lags + 1]

    def field_variance(self, mean: FloatArray) -> FloatArray:
        """Return the variance of the field from the couplings less ``mean (lag)`` over n, ``(site,)``."""
        context, n = self.couplings.shape[:2]
        flat = (self.couplings - mean[:, None, None] / n).transpose(1, 0, 2).reshape(n, context * n)
        return np.asarray(np.einsum("ia,ia->i", flat @ self.covariance.reshape(context * n, -1), flat))

    def entropy_production(self, sigma: float) -> float:
        r"""Return :math:`\frac1{2\sigma^2}\langle|s_t-\tilde h_t|^2\rangle-\frac N2`, the future in place of the past."""
        context, n = self.couplings.shape[:2]
        flat = self.couplings.transpose(1, 0, 2).reshape(n, context * n)
        # read backwards in time, <s_{t+k} s_{t+l}^T> is the block (l, k) transposed: lags a and b trade places
        ahead = self.covariance.transpose(2, 1, 0, 3).reshape(context * n, context * n)
        lagged = self.lagged(context)
        squared = float(np.trace(lagged[0])) + float(np.sum((flat @ ahead) * flat))
        squared -= 2.0 * float(np.einsum("kij,kji->", self.couplings, lagged[1:]))
        return max(0.0, 0.5 * squared / sigma**2 - 0.5 * n)

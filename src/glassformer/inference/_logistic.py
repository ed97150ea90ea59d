"""Maximum likelihood of logistic tokens: all sites at once by Newton's method with conjugate gradients."""

from __future__ import annotations

import math
from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar

import numpy as np

from glassformer._core._status import Status
from glassformer._core._validation import FloatArray, as_number
from glassformer.inference._fit import Fit
from glassformer.inference._mean_field import invert_mean_field, require_binary
from glassformer.inference._newton import Optimum, fisher_inverse, maximise
from glassformer.inference._windows import Windows

_BLOCK = 8_000_000  # numbers (pair, site) of a block of sites


@dataclass(frozen=True, slots=True)
class LogisticLikelihood:
    r"""Maximum likelihood of tokens :math:`\pm1` with :math:`P(s_t=\pm1)\propto e^{\pm\beta h}`, a logistic regression per site.

    .. math:: \max_{\mathbf J_i}\ \sum_t\big[\beta s_{t,i}h_{t,i}-\log2\cosh\beta h_{t,i}\big]
              -\frac\lambda2\lVert\beta\mathbf J_i\rVert^2,\qquad h_t=\mathbf Jx_t+\theta .

    The gradient is :math:`\sum_t(s-\tanh\beta h)x`. Newton's method starts from `MeanFieldInversion`; its equations are
    solved for all sites at once by conjugate gradients, preconditioned by the one factorisation of :math:`XX^T`, so that an
    iteration costs two matrix products instead of a factorisation per site. It stops when the step is below
    :math:`10^{-7}` standard errors.

    **Separation**: when some couplings give every token of a site its sign, the likelihood has no maximum. The site is
    reported in ``separated (site)`` with the couplings that separate it, and the status is ``degenerate``. It always
    happens with fewer windows than couplings, and at zero temperature. A penalty gives a maximum everywhere.

    The result adds ``separated (site)``, and with `errors` ``couplings_error`` from the Fisher information (infinite for
    separated sites; posterior standard deviations with a penalty) and ``lag_covariance (lag, lag_)`` with its error: as for
    `LeastSquares`, and unbiased for many windows only.

    Parameters
    ----------
    beta : float
        The inverse temperature that the couplings are given at. The data determine :math:`\beta J` alone, which is what 1
        returns.
    penalty : float
        :math:`\lambda`, in the units of a sum over windows; Gaussian couplings have
        :math:`\lambda=N/\beta^2\Gamma_{kk}`.
    errors : bool
        Whether to form the Fisher information of every site, which takes longer than the estimate.

    References
    ----------
    Roudi and Hertz 2011, Phys. Rev. Lett. 106, 048702 (kinetic Ising likelihood); Candes and Sur 2020, Ann. Statist. 48, 27
    (when it has a maximum).

    Examples
    --------
    >>> import glassformer as gf
    >>> import numpy as np
    >>> history = np.array([1, 1, 1, 1, -1]).reshape(5, 1, 1)
    >>> data = gf.Windows(history, np.array([[1], [1], [1], [-1], [-1]]))  # 4 of 5 tokens agree with the last one
    >>> round(gf.infer(data, gf.LogisticLikelihood()).couplings.item(), 6), round(float(np.arctanh(3 / 5)), 6)
    (0.693147, 0.693147)
    """

    _: KW_ONLY
    beta: float = 1.0
    penalty: float = 0.0
    errors: bool = True

    citations: ClassVar[tuple[str, ...]] = ("roudi2011", "candes2020", "glassformer")

    def __post_init__(self) -> None:
        as_number("beta", self.beta, minimum=0.0, exclusive_minimum=True)
        as_number("penalty", self.penalty, minimum=0.0)

    def fit(self, windows: Windows, *, fields: bool) -> Fit:
        """Return the estimate; see `infer`."""
        require_binary(windows, "LogisticLikelihood")
        n, beta = windows.n, float(self.beta)
        features, targets = windows.features, windows.targets
        start = invert_mean_field(features, targets, fields)
        weights = start.weights
        if fields:
            features = np.concatenate([features, np.ones((windows.pairs, 1))], axis=1)
            weights = np.concatenate([weights, start.fields[:, None]], axis=1)
        penalty = np.full(features.shape[1], float(self.penalty))
        if fields:
            penalty[-1] = 0.0
        size = max(16, min(n, _BLOCK // windows.pairs))
        parts = [
            maximise(features, targets[:, low : low + size], weights[low : low + size].T, penalty)
            for low in range(0, n, size)
        ]
        found = Optimum.concatenate(parts)
        sites = found.weights.T / beta
        couplings, field = (sites[:, :-1], sites[:, -1]) if fields else (sites, np.zeros(n))
        variables: dict[str, Any] = {"separated": ("site", found.separated)}
        couplings_error = field_error = None
        if self.errors:
            errors, own = fisher_inverse(features, found, penalty, (windows.context, n))
            couplings_error = errors[:, : couplings.shape[1]] / beta
            field_error = errors[:, -1] / beta if fields else None
            variables |= _lag_covariance(couplings.reshape(n, windows.context, n), own / beta**2, found.separated)
        status, sentence = _status(found, windows, fields)
        return Fit(
            couplings,
            field,
            "logistic",
            beta,
            couplings_error,
            field_error,
            variables,
            status,
            sentence,
            note=""
            if self.penalty == 0.0
            else "Errors are posterior standard deviations of the Laplace approximation.",
            iterations=found.iterations,
        )


def _lag_covariance(rows: FloatArray, own: FloatArray, separated: Any) -> dict[str, Any]:
    if separated.any():
        return {}
    per_site = np.einsum("ikj,ilj->ikl", rows, rows) - own
    found: dict[str, Any] = {"lag_covariance": (("lag", "lag_"), per_site.mean(axis=0))}
    if rows.shape[0] > 1:
        spread = per_site.std(axis=0, ddof=1) / math.sqrt(rows.shape[0])
        found["lag_covariance_error"] = (("lag", "lag_"), spread)
    return found


def _status(found: Optimum, windows: Windows, fields: bool) -> tuple[Status, str]:
    count = int(found.separated.sum())
    if count:
        return Status.DEGENERATE, (
            f"{count} of {windows.n} sites are separated by some couplings, so their likelihood has no maximum; pass a "
            "penalty > 0, or more windows."
        )
    if not found.converged.all():
        return Status.NOT_CONVERGED, ""
    if not found.unique:
        return Status.DEGENERATE, (
            f"{windows.pairs} windows do not determine {windows.context * windows.n + fields} numbers per site, so one "
            "of many maxima is returned; pass a penalty > 0, or more windows."
        )
    return Status.CONVERGED, ""

"""Linear prediction of the next token: least squares, ridge, and the estimate that is optimal for Gaussian couplings."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from glassformer._core._errors import invalid
from glassformer._core._status import Status
from glassformer._core._validation import FloatArray, as_number
from glassformer.couplings._lag_covariance import check_covariance, rank_factors
from glassformer.inference._fit import Fit
from glassformer.inference._penalised import Solution, centred, solve_penalised
from glassformer.inference._windows import Windows


@dataclass(frozen=True, slots=True)
class LeastSquares:
    r"""Least squares: the couplings that predict the next token best, with unbiased errors and lag covariance.

    .. math:: \hat{\mathbf J}=SX^T(XX^T)^{-1},\qquad
              \hat\Gamma_{kk'}=\frac1N\operatorname{tr}\hat J_k\hat J_{k'}^T-\hat\sigma^2\operatorname{tr}[(XX^T)^{-1}]_{kk'}

    with the windows in the columns of X (lag, site; window) and S, and :math:`\hat\sigma^2` from the residuals over
    P - d degrees of freedom, :math:`d=KN`. For Gaussian tokens the couplings are unbiased with the expected excess
    error :math:`\sigma^2d/(P-d-1)`. With at most d windows the solution is not unique: the one of least norm is
    returned, without errors and with the status ``degenerate``.

    The result adds ``noise_variance (site)``, ``lag_covariance (lag, lag_)`` and its standard error over sites.

    References
    ----------
    Zavatone-Veth and Pehlevan 2025, arXiv:2507.18461 (the law of couplings); unbiased lag covariance derived here.

    Examples
    --------
    >>> import glassformer as gf
    >>> import numpy as np
    >>> t = np.arange(60)[None, :, None]
    >>> fit = gf.infer(np.cos(0.3 * t), gf.LeastSquares(), context=2)  # cos obeys s_t = 2 cos(0.3) s_{t-1} - s_{t-2}
    >>> fit.couplings.values.ravel().round(6), round(float(2 * np.cos(0.3)), 6)
    (array([ 1.910673, -1.      ]), 1.910673)
    """

    citations: ClassVar[tuple[str, ...]] = ("zavatone2025", "glassformer")

    def fit(self, windows: Windows, *, fields: bool) -> Fit:
        """Return the estimate; see `infer`."""
        return _least_squares(windows, fields)


@dataclass(frozen=True, slots=True)
class Ridge:
    r"""Ridge regression: least squares with a penalty on the size of the couplings.

    .. math:: \hat{\mathbf J}=SX^T(XX^T+\lambda)^{-1}

    Errors are not given, since the estimate is biased. ``noise_variance (site)`` comes from the residuals over
    :math:`P-\operatorname{tr}[XX^T(XX^T+\lambda)^{-1}]` degrees of freedom.

    Parameters
    ----------
    penalty : float
        :math:`\lambda`, in the units of a sum (not a mean) over windows; 0 is `LeastSquares`.

    References
    ----------
    Hoerl and Kennard 1970, Technometrics 12, 55.

    Examples
    --------
    >>> import glassformer as gf
    >>> import numpy as np
    >>> round(gf.infer(np.ones((1, 11, 1)), gf.Ridge(penalty=10.0), context=1).couplings.item(), 6)
    0.5
    """

    penalty: float

    citations: ClassVar[tuple[str, ...]] = ("hoerl1970", "glassformer")

    def __post_init__(self) -> None:
        as_number("penalty", self.penalty, minimum=0.0, next_step="it is lambda of the ridge")

    def fit(self, windows: Windows, *, fields: bool) -> Fit:
        """Return the estimate; see `infer`."""
        if self.penalty == 0.0:
            return _least_squares(windows, fields)
        features, targets, means = centred(windows.features, windows.targets, fields)
        found = solve_penalised(features, targets, float(self.penalty))
        weights = found.weights.T
        variance = _noise(features, targets, found, fields)
        variables = {} if variance is None else {"noise_variance": ("site", variance)}
        return Fit(weights, means.fields(weights), "gaussian", variance, variables=variables)


@dataclass(frozen=True, slots=True, eq=False)
class BayesRidge:
    r"""The posterior mean under Gaussian couplings of known covariance across lags and Gaussian noise: no estimate is better.

    .. math:: \hat{\mathbf J}=SX^T(XX^T+\sigma^2N\,\Gamma^{-1}\otimes1_N)^{-1}

    In terms of the filtered tokens :math:`z_a=\sum_kL_{ka}s_{t-k}` with :math:`\Gamma=LL^T` it is a ridge of penalty
    :math:`\sigma^2N`, and this is how it is computed: it holds for singular covariances as well, where a student that knows
    the rank r regresses on rN features instead of KN.

    The result adds ``couplings_error`` (posterior standard deviation) and ``lag_covariance (lag, lag_)``, the posterior
    mean of :math:`\frac1N\operatorname{tr}J_kJ_{k'}^T`: passing it on as `covariance` again and again is the
    expectation-maximisation of the likelihood of :math:`\Gamma`.

    Parameters
    ----------
    covariance : array (lag, lag_)
        :math:`\Gamma`, that of the prior: symmetric, positive semidefinite, possibly singular.
    sigma : float
        Standard deviation of the noise of a token.

    References
    ----------
    Zavatone-Veth and Pehlevan 2025, arXiv:2507.18461 (the law of couplings); posterior derived here.

    Examples
    --------
    >>> import glassformer as gf
    >>> import numpy as np
    >>> tokens = np.ones((1, 12, 1))
    >>> fit = gf.infer(tokens, gf.BayesRidge([[1.0, 1.0], [1.0, 1.0]], sigma=1.0), context=2)
    >>> fit.couplings.values.ravel().round(6)  # one feature, the sum of two tokens; 10 windows: 20 / 41
    array([0.487805, 0.487805])
    """

    covariance: FloatArray
    sigma: float

    citations: ClassVar[tuple[str, ...]] = ("zavatone2025", "glassformer")

    def __post_init__(self) -> None:
        as_number("sigma", self.sigma, minimum=0.0, exclusive_minimum=True)
        covariance = check_covariance("covariance", self.covariance).copy()
        covariance.flags.writeable = False
        object.__setattr__(self, "covariance", covariance)

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple[Any, ...]:
        return self.covariance.shape, self.covariance.tobytes(), float(self.sigma)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (np.array(self.covariance), self.sigma)

    @property
    def factors(self) -> FloatArray:
        """L (lag, factor), with as many columns as the covariance has rank."""
        return rank_factors(self.covariance)

    def fit(self, windows: Windows, *, fields: bool) -> Fit:
        """Return the estimate; see `infer`."""
        factors, n = self.factors, windows.n
        if factors.shape[0] != windows.context:
            size = (windows.context, windows.context)
            raise invalid("the shape of covariance", self.covariance.shape, f"{size}, one row per lag of the data")
        rank, noise = factors.shape[1], float(self.sigma) ** 2
        variance = np.full(n, noise)
        if rank == 0:  # the prior allows no couplings
            nothing = np.zeros((n, windows.context * n))
            field = windows.targets.mean(axis=0) if fields else np.zeros(n)
            return Fit(nothing, field, "gaussian", variance, np.zeros_like(nothing))
        filtered = np.einsum("ka,pkj->paj", factors, windows.history).reshape(windows.pairs, rank * n)
        features, targets, means = centred(filtered, windows.targets, fields)
        found = solve_penalised(features, targets, noise * n)
        blocks = found.weights.T.reshape(n, rank, n)
        weights = np.einsum("ka,iaj->ikj", factors, blocks).reshape(n, -1)
        # The posterior covariance of a row of W is sigma^2 (ZZ^T + sigma^2 N)^-1, the same for all sites.
        spread = noise * found.inverse.reshape(rank, n, rank, n)
        own = np.einsum("ajbj->abj", spread)
        errors = np.sqrt(np.einsum("ka,kb,abj->kj", factors, factors, own)).reshape(-1)
        second = np.einsum("iaj,ibj->ab", blocks, blocks) / n + own.sum(axis=-1)
        variables = {"lag_covariance": (("lag", "lag_"), factors @ second @ factors.T)}
        note = "Errors are posterior standard deviations, and lag_covariance is a posterior mean."
        return Fit(
            weights,
            means.fields(found.weights.T),
            "gaussian",
            variance,
            np.broadcast_to(errors, weights.shape),
            variables=variables,
            note=note,
        )


def _least_squares(windows: Windows, fields: bool) -> Fit:
    n, lags = windows.n, windows.context
    features, targets, means = centred(windows.features, windows.targets, fields)
    found = solve_penalised(features, targets, 0.0)
    weights = found.weights.T
    freedom = windows.pairs - fields - features.shape[1]
    if not found.unique:
        sentence = (
            f"{windows.pairs} windows do not determine {features.shape[1]} couplings per site, so the solution of least "
            "norm is returned without errors; pass more windows, or use Ridge."
        )
        return Fit(weights, means.fields(weights), "gaussian", None, status=Status.DEGENERATE, sentence=sentence)
    variance = _noise(features, targets, found, fields)
    if variance is None:
        sentence = (
            f"{windows.pairs} windows fit {features.shape[1]} couplings per site without residual, so there is no "
            "estimate of the noise and no error; pass more windows, or use Ridge."
        )
        return Fit(weights, means.fields(weights), "gaussian", None, status=Status.DEGENERATE, sentence=sentence)
    own = np.einsum("kjlj->kl", found.inverse.reshape(lags, n, lags, n))
    rows = weights.reshape(n, lags, n)
    per_site = np.einsum("ikj,ilj->ikl", rows, rows) - variance[:, None, None] * own
    variables: dict[str, Any] = {
        "noise_variance": ("site", variance),
        "lag_covariance": (("lag", "lag_"), per_site.mean(axis=0)),
    }
    if n > 1:
        variables["lag_covariance_error"] = (("lag", "lag_"), per_site.std(axis=0, ddof=1) / math.sqrt(n))
    errors = np.sqrt(np.outer(variance, np.diag(found.inverse)))
    shift = np.einsum("i,ij,j->", means.features, found.inverse, means.features)
    field_errors = np.sqrt(variance * (1.0 / windows.pairs + shift)) if fields else None
    return Fit(
        weights,
        means.fields(weights),
        "gaussian",
        variance,
        errors,
        field_errors,
        variables,
        note=f"{freedom} degrees of freedom of the residuals.",
    )


def _noise(features: FloatArray, targets: FloatArray, found: Solution, fields: bool) -> FloatArray | None:
    """Return the variance of the noise of every site from the residuals, None when nothing is left."""
    freedom = features.shape[0] - int(fields) - found.freedom
    if freedom < 1e-6 * features.shape[0]:
        return None
    residuals = np.sum((targets - features @ found.weights) ** 2, axis=0)
    return np.asarray(residuals / freedom) if (residuals > 0.0).all() else None

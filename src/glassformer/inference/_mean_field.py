"""Mean-field inversion: the couplings of logistic tokens from two correlation matrices."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from glassformer._core._arcsine_mixture import logistic_noise, mean_response, mean_slope
from glassformer._core._errors import MethodNotApplicableError
from glassformer._core._status import Status
from glassformer._core._validation import FloatArray
from glassformer.inference._fit import Fit
from glassformer.inference._penalised import centred, solve_penalised
from glassformer.inference._windows import Windows

_LARGEST = 1e8  # variance of beta h


@dataclass(frozen=True, slots=True)
class MeanFieldInversion:
    r"""Mean-field inversion of tokens :math:`\pm1`: exact for large asymmetric systems, and one linear solve.

    The field of a site is Gaussian when many sites act on it. Then linear regression, :math:`\mathbf b=DC_x^{-1}` with
    :math:`D=\langle sx^T\rangle` and :math:`C_x=\langle xx^T\rangle`, gives :math:`\alpha_i\beta\mathbf J_i` with

    .. math:: \alpha_i=E[1-\tanh^2\sqrt{y_i}z],\qquad V_i=\mathbf b_iC_x\mathbf b_i^T=\alpha_i^2y_i,

    :math:`y_i` being the variance of :math:`\beta h_i`. The right side grows with :math:`y_i` from 0 to
    :math:`2/\pi` (derived here), so that there is one solution as long as :math:`V_i<2/\pi`, and none beyond; sites that are
    beyond, or within one standard error of it, get :math:`\alpha=1` and are flagged. :math:`V_i` is taken as one minus the residual variance over P - d degrees of
    freedom: the plain average is too large by :math:`(1-V_i)d/P`. With `fields` the mean token enters too:
    :math:`m_i=E\tanh(g_i+\sqrt{y_i}z)`. A token of mean :math:`m_j` is skew (third cumulant :math:`-2m_j(1-m_j^2)`), which
    moves each :math:`b_{ij}` by 1/N only but all of them the same way, so that
    :math:`\theta_i=g_i-\mathbf J_i\cdot\mathbf m-\frac{E\tanh''}{\alpha_i}\sum_jJ_{ij}^2m_j^2` (derived here, in units
    of 1/beta).

    The result is :math:`\beta\mathbf J` and adds ``gain (site)`` :math:`\alpha`, ``fallback (site)`` and
    ``couplings_error``, :math:`\sqrt{(1-V_i)[(XX^T)^{-1}]_{jj}}/\alpha_i`. Its variance is :math:`(1-V)/\alpha` times that
    of `LogisticLikelihood`: 1 for weak couplings, 1.05 at :math:`y=1`, 1.28 at :math:`y=4`.

    References
    ----------
    Mezard and Sakellariou 2011, J. Stat. Mech. L07001 (one lag).

    Examples
    --------
    >>> import glassformer as gf
    >>> import numpy as np
    >>> history = np.array([1, 1, 1, 1, -1]).reshape(5, 1, 1)
    >>> data = gf.Windows(history, np.array([[1], [1], [1], [-1], [-1]]))
    >>> fit = gf.infer(data, gf.MeanFieldInversion())  # one site is far from a Gaussian field; exact is 0.693
    >>> round((fit.couplings * fit.gain).item(), 6), fit.fallback.item()
    (0.6, False)
    """

    citations: ClassVar[tuple[str, ...]] = ("mezard2011", "glassformer")

    def fit(self, windows: Windows, *, fields: bool) -> Fit:
        """Return the estimate; see `infer`."""
        require_binary(windows, "MeanFieldInversion")
        found = invert_mean_field(windows.features, windows.targets, fields)
        variables = {"gain": ("site", found.gain), "fallback": ("site", found.fallback)}
        status, sentence = Status.OK, ""
        if found.errors is None:
            status = Status.DEGENERATE
            sentence = (
                f"{windows.pairs} windows do not determine {windows.context * windows.n} couplings per site with an error; "
                "pass more windows."
            )
        elif found.fallback.any():
            status = Status.OUT_OF_RANGE
            sentence = (
                f"{int(found.fallback.sum())} of {windows.n} sites are better predicted than any Gaussian field allows, so "
                "their gain is set to 1; pass more windows, or use LogisticLikelihood."
            )
        return Fit(
            found.weights,
            found.fields,
            "logistic",
            1.0,
            found.errors,
            None,
            variables,
            status=status,
            sentence=sentence,
        )


class MeanField(NamedTuple):
    """Rows of beta J (site, feature), beta theta, gains, flags, and standard errors if there are degrees of freedom."""

    weights: FloatArray
    fields: FloatArray
    gain: FloatArray
    fallback: npt.NDArray[np.bool_]
    errors: FloatArray | None


def invert_mean_field(features: FloatArray, targets: FloatArray, fields: bool) -> MeanField:
    """Return the mean-field inversion of binary targets, also as the start of other methods."""
    x, s, means = centred(features, targets, fields)
    found = solve_penalised(x, s, 0.0)
    total = np.mean(s**2, axis=0)
    freedom = x.shape[0] - int(fields) - found.freedom
    if freedom >= 1.0 and found.unique:
        residual = np.sum((s - x @ found.weights) ** 2, axis=0) / freedom
    else:
        residual = np.mean((s - x @ found.weights) ** 2, axis=0)
    explained = np.maximum(total - residual, 0.0)
    spread = 2.0 * np.sqrt(explained) * (1.0 - explained) / np.sqrt(x.shape[0])  # standard error of a share of variance
    gain, shift, fallback = solve_gain(explained, means.targets, spread)
    weights = found.weights.T / gain[:, None]
    errors = None
    if freedom >= 1.0 and found.unique:
        errors = np.sqrt(np.outer(residual, np.diag(found.inverse))) / gain[:, None]
    own = shift - weights @ means.features
    if fields:
        squares = np.maximum(weights**2 - (0.0 if errors is None else errors**2), 0.0)
        own = own - _curvature(explained / gain**2, shift) / gain * (squares @ means.features**2)
    return MeanField(weights, own, gain, fallback, errors)


def _curvature(variance: FloatArray, mean: FloatArray) -> FloatArray:
    r"""Return :math:`E\tanh''(g+\sqrt yz)`, the derivative of the gain by the mean."""
    noise = logistic_noise(1.0)
    total = variance[:, None] + noise.variances
    density = np.exp(-0.5 * mean[:, None] ** 2 / total) * total**-1.5
    return -math.sqrt(2.0 / math.pi) * mean * (density @ noise.weights)


def solve_gain(
    explained: FloatArray, mean: FloatArray, spread: FloatArray | float = 0.0
) -> tuple[FloatArray, FloatArray, npt.NDArray[np.bool_]]:
    r"""Solve :math:`V=y\alpha^2,\ m=E\tanh(g+\sqrt yz)` for the gain and g.

    The gain is 1 where there is no solution, or none within `spread`, the standard error of V: close to the bound the gain
    falls to zero, and couplings divided by it are noise.
    """
    noise = logistic_noise(1.0)

    def shift(y: FloatArray) -> FloatArray:
        if not mean.any():
            return np.zeros_like(y)
        width = 40.0 + 40.0 * np.sqrt(y)
        low, high = -width, width
        for _ in range(60):
            middle = 0.5 * (low + high)
            below = mean_response(middle, y, noise) < mean
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        return 0.5 * (low + high)

    def value(y: FloatArray) -> FloatArray:
        return y * mean_slope(y, noise, shift(y)) ** 2

    none = explained + spread >= value(np.full_like(explained, _LARGEST))
    low, high = np.full_like(explained, -60.0), np.full_like(explained, np.log(_LARGEST))
    for _ in range(60):
        middle = 0.5 * (low + high)
        below = value(np.exp(middle)) < explained
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    y = np.where(none, 0.0, np.exp(0.5 * (low + high)))
    g = np.where(none, np.arctanh(np.clip(mean, -1 + 1e-12, 1 - 1e-12)), shift(y))
    return np.where(none, 1.0, mean_slope(y, noise, g)), g, none


def require_binary(windows: Windows, method: str) -> None:
    """Refuse tokens that the logistic law cannot have written."""
    if not windows.binary:
        raise MethodNotApplicableError(
            f"{method} needs tokens of -1 and 1, but the data have other values; LeastSquares, Ridge, BayesRidge and "
            "OnlineSGD take real tokens."
        )

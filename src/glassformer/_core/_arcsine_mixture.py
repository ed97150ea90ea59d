r"""Averages of a sigmoid over Gaussian fields by the arcsine mixture: exact at every temperature and correlation.

A logistic spin is the sign of its field plus Gaussian noise of random variance,

.. math:: \tanh\beta x=E_\kappa\Big[\operatorname{erf}\frac{\beta x}{\sqrt2\,\kappa}\Big],

with :math:`\kappa` of the Kolmogorov law (Andrews and Mallows 1974; :math:`E\kappa^2=\pi^2/12`). So every average over
jointly Gaussian fields is a sum of averages of signs, which are closed: with :math:`A_j=Q_{aa}+v_j`,
:math:`B_l=Q_{bb}+v_l`,

.. math:: E[f(x)f(y)]=\frac2\pi\sum_{jl}w_jw_l\arcsin\frac{Q}{\sqrt{A_jB_l}} .

The error does not grow at low temperature or at correlation 1, where product rules of Gauss type fail. The sign rule
(zero temperature) and the probit rule are mixtures of one variance.
"""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from glassformer._core._validation import FloatArray

NODES = 20  # relative error 4e-11 over beta sqrt(Q) from 0.03 to 300
REFERENCE_NODES = 26  # double precision


class NoiseMixture(NamedTuple):
    r"""A rule :math:`s=\operatorname{sign}(h+\sqrt{v_j}\,\xi)` with probability :math:`w_j` and :math:`\xi` normal."""

    variances: FloatArray
    weights: FloatArray


@functools.cache
def kolmogorov_rule(nodes: int = NODES) -> tuple[FloatArray, FloatArray]:
    r"""Return nodes :math:`\kappa^2` and weights of the Kolmogorov law: the trapezoid rule in :math:`\ln\kappa`.

    >>> squares, weights = kolmogorov_rule()
    >>> bool(abs(weights @ squares - math.pi**2 / 12) < 1e-10)
    True
    """
    kappa = np.exp(np.linspace(math.log(0.17), math.log(3.6), nodes))
    j = np.arange(1, 6)[:, None]
    far = 8.0 * kappa * np.sum((-1.0) ** (j - 1) * j**2 * np.exp(-2.0 * (j * kappa) ** 2), axis=0)
    c = (2.0 * j - 1.0) ** 2 * math.pi**2 / 8.0
    near = math.sqrt(2.0 * math.pi) * np.sum(np.exp(-c / kappa**2) * (2.0 * c / kappa**4 - kappa**-2.0), axis=0)
    weights = np.where(kappa >= 1.0, far, near) * kappa  # the series for small and for large arguments
    squares, weights = kappa**2, weights / weights.sum()
    squares.flags.writeable = weights.flags.writeable = False
    return squares, weights


def logistic_noise(beta: float, nodes: int = NODES) -> NoiseMixture:
    r"""Return the mixture of :math:`f(x)=\tanh\beta x`; the sign for infinite `beta`."""
    if math.isinf(beta):
        return NoiseMixture(np.zeros(1), np.ones(1))
    squares, weights = kolmogorov_rule(nodes)
    if beta == 0.0:
        return NoiseMixture(np.full(1, np.inf), np.ones(1))
    return NoiseMixture(squares / beta**2, weights)


def probit_noise(beta: float) -> NoiseMixture:
    r"""Return the mixture of :math:`f(x)=\operatorname{erf}(\beta x/\sqrt2)`: one variance :math:`1/\beta^2`."""
    variance = 0.0 if math.isinf(beta) else (math.inf if beta == 0.0 else beta**-2.0)
    return NoiseMixture(np.full(1, variance), np.ones(1))


def bivariate_average(
    q: npt.ArrayLike,
    qa: npt.ArrayLike,
    qb: npt.ArrayLike,
    noise: NoiseMixture,
    *,
    mean_a: npt.ArrayLike = 0.0,
    mean_b: npt.ArrayLike = 0.0,
) -> FloatArray:
    r"""Return :math:`\Phi=E[f(x)f(y)]` for Gaussian x, y of covariance `q` and variances `qa`, `qb`.

    All arguments broadcast. With means, the arcsine becomes
    :math:`\int_0^{\arcsin\rho}\exp[-\frac{m_a^2+m_b^2-2m_am_b\sin\phi}{2\cos^2\phi}]d\phi`,
    :math:`m_a=\mu_a/\sqrt{A}`, and the product of the two means is added.

    >>> round(float(bivariate_average(0.5, 1.0, 1.0, logistic_noise(1.0))), 9)
    0.186324413
    """
    from glassformer._core._arcsine_kernels import centred_average, shifted_average

    if np.any(mean_a) or np.any(mean_b):
        covariance, first, second, left, right = _broadcast(q, qa, qb, mean_a, mean_b)
        out = shifted_average(
            covariance.ravel(), first.ravel(), second.ravel(), left.ravel(), right.ravel(), *noise, *_angles()
        )
    else:
        covariance, first, second = _broadcast(q, qa, qb)
        out = centred_average(covariance.ravel(), first.ravel(), second.ravel(), *noise)
    return out.reshape(covariance.shape)


def bivariate_slopes(
    q: npt.ArrayLike, qa: npt.ArrayLike, qb: npt.ArrayLike, noise: NoiseMixture
) -> tuple[FloatArray, FloatArray, FloatArray]:
    r"""Return :math:`\partial\Phi/\partial Q`, :math:`\partial\Phi/\partial Q_{aa}`, :math:`\partial\Phi/\partial Q_{bb}`
    for fields of mean zero.

    .. math:: \partial_Q\Phi=\frac2\pi\sum\frac{w_jw_l}{\sqrt{A_jB_l-Q^2}},\qquad
              \partial_{Q_{aa}}\Phi=-\frac1\pi\sum\frac{w_jw_l\,Q}{A_j\sqrt{A_jB_l-Q^2}} .
    """
    from glassformer._core._arcsine_kernels import centred_slopes

    covariance, first, second = _broadcast(q, qa, qb)
    slopes = centred_slopes(covariance.ravel(), first.ravel(), second.ravel(), *noise)
    by_q, by_qa, by_qb = (slope.reshape(covariance.shape) for slope in slopes)
    return by_q, by_qa, by_qb


def mean_response(mean: npt.ArrayLike, variance: npt.ArrayLike, noise: NoiseMixture) -> FloatArray:
    r"""Return :math:`E f(\mu+\sqrt Qz)`, the mean of a spin in a Gaussian field.

    >>> float(mean_response(0.0, 1.0, logistic_noise(1.0)))
    0.0
    """
    from scipy.special import erf

    mean, variance = np.asarray(mean, dtype=np.float64), np.asarray(variance, dtype=np.float64)
    total = variance[..., None] + noise.variances
    with np.errstate(divide="ignore", invalid="ignore"):
        argument = np.where(total > 0.0, mean[..., None] / np.sqrt(2.0 * total), np.sign(mean)[..., None] * np.inf)
    return np.asarray(erf(np.where(np.isnan(argument), 0.0, argument)) @ noise.weights)  # NaN: no field at all


def mean_slope(variance: npt.ArrayLike, noise: NoiseMixture, mean: npt.ArrayLike = 0.0) -> FloatArray:
    r"""Return the gain :math:`a=E f'(\mu+\sqrt Qz)=\sqrt{2/\pi}\sum_jw_jA_j^{-1/2}e^{-\mu^2/2A_j}`.

    For the sign rule without noise and field variance it is infinite.
    """
    mean, variance = np.asarray(mean, dtype=np.float64), np.asarray(variance, dtype=np.float64)
    total = variance[..., None] + noise.variances
    with np.errstate(divide="ignore", invalid="ignore"):
        exponent = np.where(mean[..., None] == 0.0, 0.0, 0.5 * mean[..., None] ** 2 / total)
        density = np.where(np.isinf(exponent), 0.0, np.exp(-exponent) / np.sqrt(total))
    return np.asarray(math.sqrt(2.0 / math.pi) * (density @ noise.weights))


def _broadcast(*arrays: npt.ArrayLike) -> list[FloatArray]:
    whole = np.broadcast_arrays(*(np.asarray(array, dtype=np.float64) for array in arrays))
    return [np.array(array, order="C") for array in whole]  # copies: Numba warns of broadcast views


@functools.cache
def _angles() -> tuple[FloatArray, FloatArray]:
    """Return the Gauss-Legendre rule on [0, 1] for the integral over the angle."""
    points, weights = np.polynomial.legendre.leggauss(40)
    return 0.5 * (points + 1.0), 0.5 * weights

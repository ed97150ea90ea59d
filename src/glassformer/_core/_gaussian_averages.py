r"""Averages of the response of one spin over a Gaussian field, as a one-dimensional integral at every D.

The field is :math:`\mathbf h=\mathbf g+\sqrt w\,\boldsymbol\xi` with :math:`\boldsymbol\xi\sim N(0,1_D)`. In polar
coordinates around :math:`\mathbf h=0` every function of interest is a function of :math:`\rho=h/\sqrt w` times 1,
:math:`c` or :math:`c^2` with :math:`c=\cos\angle(\mathbf h,\mathbf g)`; given :math:`\rho`, c has the von Mises-Fisher
law of concentration :math:`t=z\rho`, :math:`z=g/\sqrt w`, so the angular average is exact,

.. math:: E[c\,|\,\rho]=A_D(t),\qquad E[c^2\,|\,\rho]=1-(D-1)A_D(t)/t,\qquad
          p(\rho)\propto\rho^{D-1}e^{-\frac12(\rho^2+z^2)+\ell_D(t)},

and what is left is one smooth integral over :math:`\rho`. A product rule of Gauss type converges slowly here for small D
and strong fields because :math:`\hat h` is singular at :math:`\mathbf h=0`; these coordinates put that point on an edge.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy.special import gammaln, hyp0f1, ive

from glassformer._core._bessel import (
    _log_normalizer_minus_kappa_far,
    bessel_ratio,
    bessel_ratio_over_kappa,
    series_start,
)
from glassformer._core._responses import Response
from glassformer._core._validation import FloatArray

_PANELS = 8  # linear panels across the bulk of the law of rho, which is at most 20 wide
_RANGE = 10.0  # rho is a 1-Lipschitz function of a normal vector: beyond this lies a probability of 1e-22
_WITHOUT_NOISE = 1e8  # from this ratio of mean field to noise on, the noise is below rounding


class FieldAverages(NamedTuple):
    r"""Moments of one spin in a Gaussian field, per site: along and across the mean field :math:`\hat g`."""

    mean: FloatArray  # F = E[R A c]
    slope_parallel: FloatArray  # dF/dg
    slope_perp: FloatArray  # F/g, finite at g = 0
    second_parallel: FloatArray  # E[s_parallel^2]


def _log_weight(t: FloatArray, dim: int) -> FloatArray:
    r"""Return :math:`\ell_D(t)-t` without cancellation."""
    if dim == 1:
        return np.log1p(np.exp(-2.0 * t)) - math.log(2.0)
    nu = 0.5 * dim - 1.0
    out = np.empty_like(t)
    far = t >= series_start(dim)
    near = t < max(30.0, nu)
    middle = ~far & ~near
    out[near] = np.log(hyp0f1(nu + 1.0, 0.25 * t[near] ** 2)) - t[near]
    k = t[middle]
    out[middle] = gammaln(nu + 1.0) + nu * np.log(2.0 / k) + np.log(ive(nu, k))
    out[far] = _log_normalizer_minus_kappa_far(t[far], dim)
    return out


def radial_rule(
    ratio: FloatArray, sharpness: FloatArray, dim: int, *, nodes: int = 16
) -> tuple[FloatArray, FloatArray]:
    r"""Return nodes and weights, ``(site, node)``, for averages over :math:`\rho=\lVert z\hat g+\boldsymbol\xi\rVert`.

    Gauss-Legendre panels: linear across the bulk, and geometric towards :math:`\rho=0` until they resolve
    :math:`1/c`, the distance over which the response saturates.

    Parameters
    ----------
    ratio : array (site,)
        :math:`z=g/\sqrt w`.
    sharpness : array (site,)
        :math:`c=\beta R\sqrt w`.
    dim : int
        Number of components D.
    nodes : int
        Nodes per panel; 16 reach 1e-13.

    Examples
    --------
    >>> import numpy as np
    >>> rho, weight = radial_rule(np.array([0.0, 3.0]), np.array([1.0, 100.0]), 5)
    >>> np.sum(weight * rho**2, axis=1).round(10).tolist()
    [5.0, 14.0]
    """
    typical = np.sqrt(ratio**2 + dim)
    high, low = typical + _RANGE, np.maximum(typical - _RANGE - 1.0, 0.0)
    touching = low == 0.0
    finest = float(np.max(np.where(touching, sharpness * high, 0.0), initial=0.0))
    levels = max(0, math.ceil(math.log(max(finest / _PANELS, 1.0), 4.0)))
    edges = np.concatenate(([0.0], 4.0 ** -np.arange(levels, 0.0, -1.0) / _PANELS, np.arange(1, _PANELS + 1) / _PANELS))
    x, w = np.polynomial.legendre.leggauss(nodes)
    half = 0.5 * np.diff(edges)
    unit = (edges[:-1, None] + half[:, None] * (1.0 + x)).ravel()
    unit_weight = (half[:, None] * w).ravel()
    width = (high - low)[:, None]
    rho = low[:, None] + width * unit
    log_density = (dim - 1) * np.log(rho) - 0.5 * (rho - ratio[:, None]) ** 2 + _log_weight(ratio[:, None] * rho, dim)
    weight = np.exp(log_density - log_density.max(axis=1, keepdims=True)) * unit_weight
    return rho, weight / weight.sum(axis=1, keepdims=True)


def average_over_gaussian_field(
    respond: Response, strength: FloatArray, variance: FloatArray, *, beta: float, radius: float, nodes: int = 16
) -> FieldAverages:
    r"""Return the moments of a spin in the field :math:`g\hat g+\sqrt w\,\boldsymbol\xi`.

    .. math:: F=E[RAc],\quad \partial_gF=\beta E[V_\parallel c^2+V_\perp(1-c^2)],\quad
              \frac Fg=\beta E\Big[V_\perp+(V_\parallel-V_\perp)\frac{1-c^2}{D-1}\Big],

    .. math:: E[s_\parallel^2]=R^2E\Big[\Big(1-(D-1)\frac A\kappa\Big)c^2+\frac A\kappa(1-c^2)\Big].

    Parameters
    ----------
    respond : Response
        Its ``dim`` is D.
    strength, variance : arrays (site,)
        g and w (variance per component), both >= 0.
    beta, radius : float

    Examples
    --------
    >>> import numpy as np
    >>> from glassformer._core._responses import response
    >>> found = average_over_gaussian_field(response("exact", 3), np.array([1.0]), np.array([0.0]), beta=2.0, radius=1.0)
    >>> found.mean.round(6).tolist()
    [0.537315]
    """
    dim = respond.dim
    noisy = (variance > 0) & (strength < _WITHOUT_NOISE * np.sqrt(variance))
    fields = [np.empty_like(strength) for _ in range(4)]
    for chosen, with_noise in ((~noisy, False), (noisy, True)):
        if not chosen.any():
            continue
        g, w = strength[chosen], variance[chosen]
        if with_noise:
            z, c = g / np.sqrt(w), beta * radius * np.sqrt(w)
            rho, weight = radial_rule(z, c, dim, nodes=nodes)
            kappa, t = c[:, None] * rho, z[:, None] * rho
            cosine = bessel_ratio(t, dim)
            across = bessel_ratio_over_kappa(t, dim)  # E[(1 - c^2) / (D - 1)]
        else:
            kappa, weight = (beta * radius * g)[:, None], np.ones((g.size, 1))
            cosine, across = np.ones_like(kappa), np.zeros_like(kappa)
        values = respond.evaluate(kappa)
        # What a fixed length leaves along the field, whatever the response: for the exact one it equals A' + A^2.
        square = 1.0 - (dim - 1) * values.over_kappa
        along = 1.0 - (dim - 1) * across
        scale = beta * radius**2
        for array, integrand in zip(
            fields,
            (
                radius * values.ratio * cosine,
                scale * (values.derivative * along + values.over_kappa * ((dim - 1) * across)),
                scale * (values.derivative * across + values.over_kappa * (1.0 - across)),
                radius**2 * (square * along + values.over_kappa * ((dim - 1) * across)),
            ),
        ):
            array[chosen] = np.sum(weight * integrand, axis=1)
    return FieldAverages(*fields)

r"""The normaliser of :math:`e^{\kappa w}` on spheres of many dimensions."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln

from glassformer._core._bessel import log_normalizer
from glassformer._core._validation import FloatArray

_LARGE_ORDER = 100.0  # from here three terms of the expansion leave less than 1e-9, absolute


def log_normalizer_any_dim(kappa: npt.ArrayLike, dim: int) -> FloatArray:
    r"""Return :math:`\log[\Gamma(\nu+1)(2/\kappa)^\nu I_\nu(\kappa)]`, :math:`\nu=D/2-1`, at a cost that does not grow with D.

    Debye's uniform expansion of :math:`I_\nu` at large order (DLMF 10.41.3), rearranged so that nothing diverges at
    :math:`\kappa\to0`; integration of the Bessel ratio below.

    >>> gap = log_normalizer_any_dim(150.0, 300) - log_normalizer(150.0, 300)
    >>> bool(abs(gap) < 1e-9)
    True
    """
    nu = 0.5 * dim - 1.0
    if nu < _LARGE_ORDER:
        return log_normalizer(kappa, dim)
    z = np.asarray(kappa, dtype=np.float64) / nu
    root = np.hypot(1.0, z)
    p = 1.0 / root
    q = p * p
    first = p * (3.0 - 5.0 * q) / 24.0
    second = q * (81.0 + q * (-462.0 + 385.0 * q)) / 1152.0
    third = p * q * (30375.0 + q * (-369603.0 + q * (765765.0 - 425425.0 * q))) / 414720.0
    leading = float(gammaln(nu + 1.0)) + nu * (root - np.log1p(root) + math.log(2.0 / nu))
    series = np.log1p((first + (second + third / nu) / nu) / nu)
    return np.asarray(leading - 0.5 * math.log(2.0 * math.pi * nu) - 0.5 * np.log(root) + series)


def log_sphere_area(dim: int) -> float:
    r"""Return the logarithm of the area of the sphere of radius :math:`\sqrt D` in D dimensions."""
    return math.log(2.0) + 0.5 * dim * math.log(math.pi) + 0.5 * (dim - 1) * math.log(dim) - math.lgamma(0.5 * dim)

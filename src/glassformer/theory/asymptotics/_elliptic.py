"""The Gram closure of infinitely many spins with Gaussian couplings of any asymmetry."""

from __future__ import annotations

import cmath
import math
from functools import cache
from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq

from glassformer._core._validation import FloatArray

_NODES = 200


def resolvent(z: complex, symmetry: float) -> complex:
    r"""Return :math:`g(z)=\frac1N\mathrm{Tr}(z-J)^{-1}` of the elliptic law of unit variance, outside its support.

    It solves :math:`g=1/(z-\eta g)` with :math:`g\to1/z` far away.

    >>> abs(resolvent(3.0, 0.5) * (3.0 - 0.5 * resolvent(3.0, 0.5)) - 1.0) < 1e-15
    True
    """
    # the root of smaller modulus, in the form that has no cancellation
    root = cmath.sqrt(z * z - 4.0 * symmetry)
    return 2.0 / (z + root if abs(z + root) >= abs(z - root) else z - root)


@cache
def _rule() -> tuple[FloatArray, FloatArray]:
    return np.polynomial.legendre.leggauss(_NODES)


def _correlator(gain: float, symmetry: float) -> tuple[float, float]:
    r"""Return :math:`T=\sum_n\alpha^{2n}\frac1N\mathrm{Tr}J^nJ^{nT}` and :math:`U=\sum_n\alpha^{2n+2}\frac1N\mathrm{Tr}J^{n+2}J^{nT}`.

    They are Fourier coefficients of :math:`\frac1N\mathrm{Tr}(1-\alpha e^{i\phi}J)^{-1}(1-\alpha e^{-i\phi}J^T)^{-1}`,
    which is :math:`|g|^2/[\alpha^2(1-|g|^2)]` at :math:`z=e^{-i\phi}/\alpha` (ladder sum).
    """
    # All four quarters are alike. Near the edge the integrand peaks at the tips of the ellipse, on all scales from
    # `room` upwards: phi = room sinh(t) from a tip, with Gauss nodes in t, resolves them.
    room = max(1.0 - gain * (1.0 + abs(symmetry)), 1e-9)
    nodes, weights = _rule()
    t = 0.5 * (nodes + 1.0) * np.arcsinh(0.5 * np.pi / room)
    from_tip, weights = room * np.sinh(t), weights * np.cosh(t)
    weights /= weights.sum()
    phi: FloatArray = from_tip if symmetry > 0.0 else 0.5 * np.pi - from_tip
    z = np.exp(-1j * phi) / gain
    root = np.sqrt(z * z - 4.0 * symmetry)
    largest = np.where(np.abs(z + root) >= np.abs(z - root), z + root, z - root)
    modulus = np.abs(2.0 / largest) ** 2
    value = modulus / (gain**2 * (1.0 - modulus))
    return float(weights @ value), float(weights @ (value * np.cos(2.0 * phi)))


class EllipticState(NamedTuple):
    r"""A homogeneous steady state: :math:`\hat q`, :math:`\sigma/(ND)` and the gain :math:`\alpha=aJ`."""

    square: float
    production: float
    gain: float

    def slowest_mode(self, symmetry: float) -> tuple[float, float]:
        r"""Return rate and angle of the slowest modes, at the tips of the ellipse of eigenvalues of aJ.

        The ellipse has the half axes :math:`\alpha(1\pm\eta)` along the real and the imaginary axis; of a disc every angle is
        slowest, and none is returned (NaN).
        """
        reach = self.gain * (1.0 + abs(symmetry))
        rate = -math.log(reach) if reach > 0.0 else math.inf
        return rate, math.nan if symmetry == 0.0 or reach == 0.0 else (0.0 if symmetry > 0.0 else 0.5 * math.pi)


def elliptic_steady_state(b: float, scale: float, strength: float, symmetry: float) -> EllipticState | None:
    r"""Return the steady state, or None when no homogeneous one exists.

    The gain a is the same at all sites. From :math:`\mathbf m=(1-aJ)^{-1}a\mathbf x` and
    :math:`C=\lambda\sum_na^{2n}J^nJ^{nT}`, with :math:`\alpha=aJ`, :math:`g=g(1/\alpha)` of the elliptic law and T, U of
    `_correlator`,

    .. math:: \hat q=\frac{h^2}{J^2}\frac{g^2}{1-g^2},\qquad \frac{1-\hat q}T=\frac{2a}b,\qquad
              \frac\sigma{ND}=\frac b{2a}(1-\hat q)\Big[1-\frac{1+U}T\Big] .

    The second equation is the response :math:`a=b/(1+\sqrt{1+b^2\bar h^2/R^2})` at the mean square field
    :math:`\bar h^2`. For :math:`\eta=0`, :math:`T=1/(1-\alpha^2)` and U = 0.
    """
    if b == 0.0:
        return EllipticState(0.0, 0.0, 0.0)
    if scale == 0.0 or symmetry == 0.0:
        stretch = 1.0 + math.hypot(1.0, b * strength, b * scale)
        a = b / stretch
        # a^2 h^2 / (1 - a^2 J^2) without the difference of nearly equal numbers
        square = (b * strength) ** 2 / (2.0 * stretch + (b * strength) ** 2)
        return EllipticState(square, 0.5 * b * a * scale**2 * (1.0 - square), a * scale)

    def square_at(alpha: float) -> float:
        g = resolvent(1.0 / alpha, symmetry).real
        return (strength / scale) ** 2 * g * g / ((1.0 - g) * (1.0 + g))

    def gap(alpha: float) -> float:
        square = square_at(alpha)
        if square >= 1.0:
            return 1.0 - square - 2.0 * alpha / (b * scale)
        return (1.0 - square) / _correlator(alpha, symmetry)[0] - 2.0 * alpha / (b * scale)

    edge = (1.0 - 1e-9) / (1.0 + abs(symmetry))  # beyond it J^n a^n grows
    if gap(edge) > 0.0:
        return None
    alpha = float(brentq(gap, 1e-12, edge, xtol=1e-15, rtol=1e-14))
    square = square_at(alpha)
    total, skew = _correlator(alpha, symmetry)
    production = 0.5 * b * scale / alpha * (1.0 - square) * (1.0 - (1.0 + skew) / total)
    return EllipticState(square, production, alpha)

r"""How stationary correlations end: the roots of :math:`\chi\sum_dg_dz^{-d}=1` inside the unit circle."""

from __future__ import annotations

import math

import numpy as np

from glassformer._core._validation import FloatArray
from glassformer.couplings._lag_covariance import diagonal_sums, extreme_spectrum

_NEGLIGIBLE = 1e-17  # the last sums below this part of the largest do not change a root that matters


def tail_roots(sums: FloatArray, slope: float) -> np.ndarray:
    r"""Return the roots of :math:`\chi\sum_dg_dz^{-d}=1` inside the unit circle, the slowest (largest) first.

    The equation is a polynomial of degree K - 1 in :math:`x=(z+1/z)/2`, with Chebyshev coefficients
    :math:`\chi g_0-1,2\chi g_1,\dots`: their companion matrix is well conditioned where roots are slow, near [-1, 1].

    >>> tail_roots(np.array([0.55, 0.15]), 1.0)
    array([0.38196601+0.j])
    """
    largest = float(np.abs(sums).max(initial=0.0))
    used = np.flatnonzero(np.abs(sums[1:]) > _NEGLIGIBLE * largest)
    if slope == 0.0 or used.size == 0:
        return np.zeros(0, dtype=complex)
    series = 2.0 * slope * sums[: used[-1] + 2]
    series[0] = slope * sums[0] - 1.0
    found = np.polynomial.chebyshev.chebroots(series).astype(complex)
    found = _polish(series, found)
    root = np.sqrt(found - 1.0) * np.sqrt(found + 1.0)
    outside = np.where(np.abs(found + root) >= np.abs(found - root), found + root, found - root)
    z = 1.0 / outside
    return z[np.argsort(-np.abs(z), kind="stable")]


def _polish(series: FloatArray, roots: np.ndarray) -> np.ndarray:
    """Take the Newton steps that lower the value: roots near the unit circle are needed to all digits."""
    derivative = np.polynomial.chebyshev.chebder(series)
    near = np.abs(roots) < 2.0
    for _ in range(2):
        here = roots[near]
        value = np.polynomial.chebyshev.chebval(here, series)
        slope = np.polynomial.chebyshev.chebval(here, derivative)
        with np.errstate(all="ignore"):
            there = here - value / slope
            better = np.abs(np.polynomial.chebyshev.chebval(there, series)) < np.abs(value)
        roots[near] = np.where(better, there, here)
    return roots


def slowest_root(sums: FloatArray, slope: float) -> complex:
    """Return the root of largest modulus inside the unit circle; 0 if there is none (no memory at all)."""
    roots = tail_roots(sums, slope)
    if not roots.size:
        return 0j
    best = complex(roots[0])
    return complex(best.real, abs(best.imag))


def correlation_time(root: complex) -> float:
    r"""Return :math:`-1/\ln|r|`."""
    modulus = abs(root)
    if modulus == 0.0:
        return 0.0
    return math.inf if modulus >= 1.0 else -1.0 / math.log(modulus)


def lags_needed(root: complex, tolerance: float) -> float:
    r"""Return the number of lags after which :math:`|r|^\tau` is below `tolerance`."""
    modulus = abs(root)
    if modulus == 0.0:
        return 0.0
    return math.inf if modulus >= 1.0 else math.ceil(math.log(tolerance) / math.log(modulus))


def order_root(mean: FloatArray, gain: float) -> complex:
    r"""Return the largest root of :math:`1=a\sum_kJ^0_kz^{-k}`; the mean grows if its modulus exceeds 1."""
    if not np.any(mean) or gain == 0.0:
        return 0j
    roots = np.roots(np.concatenate([[1.0], -gain * mean]))
    best = complex(roots[np.argmax(np.abs(roots))]) if roots.size else 0j
    return complex(best.real, abs(best.imag))


def spectral_radius(covariance: FloatArray) -> float:
    r"""Return the largest modulus of an eigenvalue of the linear dynamics as N grows: :math:`\max_\phi\Gamma(\rho e^{i\phi})=1`.

    >>> round(spectral_radius(np.array([[0.3, 0.15], [0.15, 0.25]])), 4)
    0.9466
    """
    from scipy.optimize import brentq

    if not np.any(covariance):
        return 0.0
    lag = np.arange(1, covariance.shape[0] + 1)

    def excess(log_modulus: float) -> float:
        scale = np.exp(-log_modulus * lag)
        maximum = extreme_spectrum(diagonal_sums(covariance * np.outer(scale, scale))).maximum
        return math.log(max(maximum, 1e-300))

    low = high = 0.0
    while excess(low) < 0.0:
        low -= 1.0
    while excess(high) > 0.0:
        high += 1.0
    return math.exp(brentq(excess, low, high, xtol=1e-15))

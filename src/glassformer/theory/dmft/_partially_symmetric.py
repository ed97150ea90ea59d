"""Stationary Gaussian tokens with partially symmetric couplings, in closed form."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from glassformer._core._errors import MethodNotApplicableError
from glassformer._core._validation import FloatArray
from glassformer.couplings import LaggedGaussian
from glassformer.couplings._lag_covariance import diagonal_sums, spectrum

_MARGIN = 1e-9  # fully symmetric couplings sit at 1 all the way beyond their transition
_LONGEST = 1 << 22


class PartiallySymmetric(NamedTuple):
    """The stationary state: see `solve_partially_symmetric_gaussian`."""

    autocorrelation: FloatArray  # (lag,), from lag 0
    response: FloatArray  # (lag,), from lag 0, which is the same step
    field_variance: float  # c_0 - sigma^2, of the whole field
    criticality: float  # max G |R|^2
    criticality_at: float  # its frequency
    residual: float  # change of the correlation when the grid of frequencies was last doubled


def response_spectrum(law: LaggedGaussian, frequencies: FloatArray) -> FloatArray:
    r"""Return :math:`R(e^{i\omega})`, the root of :math:`R=1+\tilde\Gamma R^2` that tends to 1 without couplings.

    :math:`\tilde\Gamma(z)=\sum\tilde\Gamma_{kk'}z^{-k-k'}`; written as :math:`2/(1+\sqrt{1-4\tilde\Gamma})`, which has no
    cancellation and, with the principal root, is the root of smaller modulus.
    """
    partner = np.asarray(law.transpose_covariance)
    context = law.context
    sums = np.array([np.trace(partner[::-1], offset=d) for d in range(1 - context, context)])  # k + k' = 2..2K
    z = np.exp(-1j * np.asarray(frequencies))
    coupling = z**2 * np.polynomial.polynomial.polyval(z, sums)
    return np.asarray(2.0 / (1.0 + np.sqrt(1.0 - 4.0 * coupling)))


def gaussian_criticality(law: LaggedGaussian) -> tuple[float, float]:
    r"""Return :math:`\max_\omega G|R|^2` and its frequency; Gaussian tokens are stable when it is below 1.

    For K = 1 this is the elliptic law, :math:`\sqrt g(1+|\kappa|)<1` with :math:`\tilde\Gamma=\kappa g`.
    """
    from scipy.optimize import minimize_scalar

    def measure(omega: FloatArray) -> FloatArray:
        return np.asarray(law.spectrum(omega) * np.abs(response_spectrum(law, omega)) ** 2)

    grid = np.linspace(0.0, math.pi, 512 * law.context + 1)
    values = measure(grid)
    step = grid[1]
    best, where = float(values.max()), float(grid[values.argmax()])
    for start in grid[np.argsort(-values)[:6]]:
        low, high = max(0.0, start - step), min(math.pi, start + step)
        found = minimize_scalar(lambda w: -float(measure(np.array(w))), bounds=(low, high), options={"xatol": 1e-12})
        if -found.fun > best:
            best, where = float(-found.fun), float(found.x)
    return best, where


def solve_partially_symmetric_gaussian(
    law: LaggedGaussian, sigma: float = 1.0, lags: int | None = None
) -> PartiallySymmetric:
    r"""Return the stationary correlation of Gaussian tokens when :math:`J_{ij}` and :math:`J_{ji}` are correlated.

    .. math:: R=1+\tilde\Gamma(\omega)R^2,\qquad c(\omega)=\frac{\sigma^2|R|^2}{1-G|R|^2},\qquad
              \tilde\Gamma(\omega)=\sum_{kk'}\tilde\Gamma_{kk'}e^{-i\omega(k+k')} .

    `lags` left out: up to where the correlation is below :math:`10^{-13}c_0`.

    Raises
    ------
    MethodNotApplicableError
        When :math:`\max_\omega G|R|^2\ge1`: tokens grow and there is no stationary state.
    """
    critical, where = gaussian_criticality(law)
    if critical >= 1.0 - _MARGIN:
        raise MethodNotApplicableError(
            f"Gaussian tokens have no stationary state here: max G |R|^2 = {critical:.6g} at omega = {where:.6g} is not below 1, "
            "so they grow; lower the couplings, or follow the growth with TransientDMFT."
        )
    size = 1 << max(10, math.ceil(math.log2(8 * (law.context + (lags or 0)))))
    before, change = None, math.inf
    while True:
        omega = 2.0 * math.pi * np.arange(size // 2 + 1) / size
        root = response_spectrum(law, omega)
        gain = np.abs(root) ** 2
        correlation = np.fft.irfft(sigma**2 * gain / (1.0 - law.spectrum(omega) * gain), size)[: size // 2]
        if before is not None:
            change = float(np.abs(correlation[: before.size] - before).max()) / correlation[0]
        if change < 1e-14 or size >= _LONGEST:
            break
        before, size = correlation, 2 * size
    response = np.fft.irfft(root, size)[: size // 2]  # causal: lags beyond half of the grid are negligible
    if lags is None:
        above = np.flatnonzero(np.abs(correlation) > 1e-13 * correlation[0])
        lags = min(int(above[-1]) + 1, size // 2 - 1)
    whole = slice(0, lags + 1)
    return PartiallySymmetric(
        correlation[whole].copy(), response[whole].copy(), float(correlation[0]) - sigma**2, critical, where, change
    )


def gaussian_entropy_production(law: LaggedGaussian) -> float:
    r"""Return the entropy production of stationary Gaussian tokens, nats per step and site.

    The field of the reversed path is :math:`\tilde h=\tilde\eta+\tilde G(\omega)Rs` with
    :math:`\tilde G=\sum\tilde\Gamma_{kk'}e^{i\omega(k-k')}`, and :math:`\tilde\eta` has the spectrum Gc and the cross spectrum
    :math:`G_2c`, :math:`G_2=\sum\Gamma_{kk'}e^{i\omega(k+k')}`, with :math:`\eta`. Hence

    .. math:: \dot\Sigma=\frac{\langle(s-\tilde h)^2\rangle}{2\sigma^2}-\frac12,\qquad
              \langle s\tilde h\rangle=\int\frac{d\omega}{2\pi}c\,\mathrm{Re}(G_2R^*+\tilde GR),\qquad
              \langle\tilde h^2\rangle=\int\frac{d\omega}{2\pi}c\,[G+2\tilde G\,\mathrm{Re}(G_2R^{*2})+\tilde G^2|R|^2] .

    It vanishes for symmetric couplings of one lag, whose parallel updates are reversible.
    """
    c, product, square = reversed_moments(law)
    return 0.5 * (c - 2.0 * product + square) - 0.5


def reversed_moments(law: LaggedGaussian) -> tuple[float, float, float]:
    r"""Return :math:`\langle s^2\rangle,\langle s\tilde h\rangle,\langle\tilde h^2\rangle` of Gaussian tokens with unit noise."""
    context = law.context
    sums = np.array([np.trace(law.covariance[::-1], offset=d) for d in range(1 - context, context)])
    cross = diagonal_sums(np.asarray(law.transpose_covariance))
    before, size = np.full(3, math.inf), 1 << max(10, math.ceil(math.log2(64 * context)))
    while True:
        omega = math.pi * np.arange(size // 2 + 1) / (size // 2)  # every integrand is even
        weight = np.full(omega.size, 2.0 / size)
        weight[[0, -1]] = 1.0 / size
        root, spectral = response_spectrum(law, omega), law.spectrum(omega)
        z = np.exp(1j * omega)
        both, across = z**2 * np.polynomial.polynomial.polyval(z, sums), spectrum(cross, omega)
        c = np.abs(root) ** 2 / (1.0 - spectral * np.abs(root) ** 2)
        product = c * (both * root.conj() + across * root).real
        square = c * (spectral + 2.0 * across * (both * root.conj() ** 2).real + (across * np.abs(root)) ** 2)
        found = np.array([weight @ c, weight @ product, weight @ square])
        if np.abs(found - before).max() <= 1e-13 * found[0] or size >= _LONGEST:
            return float(found[0]), float(found[1]), float(found[2])
        before, size = found, 2 * size

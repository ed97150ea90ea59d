"""Stationary spherical tokens with partially symmetric couplings: Gaussian ones whose gain keeps their length."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from glassformer._core._errors import MethodNotApplicableError
from glassformer._core._validation import FloatArray
from glassformer.couplings import LaggedGaussian
from glassformer.models import ContextEnsemble
from glassformer.theory.dmft._partially_labelled import FREQUENCIES, labelled_result
from glassformer.theory.dmft._partially_symmetric import (
    gaussian_criticality,
    response_spectrum,
    reversed_moments,
    solve_partially_symmetric_gaussian,
)
from glassformer.theory.dmft._path_information import sphere_normalizer

if TYPE_CHECKING:
    import xarray as xr

_COLDEST = 12.0  # -log of the distance from criticality, down to which every memory is resolved


class SphericalSymmetric(NamedTuple):
    """Stationary spherical tokens: see `solve_partially_symmetric_spherical`."""

    autocorrelation: FloatArray  # (lag,), from lag 0, which is 1
    response: FloatArray  # (lag,), to the field
    gain: float  # a = beta / multiplier
    multiplier: float
    field_variance: float
    criticality: float
    residual: float
    entropy_production: float


def solve_partially_symmetric_spherical(law: LaggedGaussian, beta: float, lags: int) -> SphericalSymmetric:
    r"""Return the stationary state of spherical tokens when :math:`J_{ij}` and :math:`J_{ji}` are correlated.

    They are Gaussian tokens of couplings aJ and noise :math:`1/\lambda`, :math:`a=\beta/\lambda`, with :math:`c_0=1`:
    one equation for a, below the :math:`a_c` at which :math:`\max G|R|^2=1`. With :math:`\hat c_0(a)` the square of tokens with
    unit noise it reads :math:`a\,\hat c_0(a)=\beta`. Fully symmetric couplings of one lag have a finite
    :math:`\hat c_0(a_c)=2` and freeze at :math:`\beta_c=1/\sqrt g`.

    Raises
    ------
    MethodNotApplicableError
        Beyond :math:`\beta_c=a_c\hat c_0(a_c)` where that is finite, and where memory is too long to resolve.
    """
    from scipy.optimize import brentq

    def scaled(gain: float) -> LaggedGaussian:
        return _scaled(law, gain)

    if beta == 0.0 or not law.covariance.any():
        gain, moments = beta, (1.0, 0.0, 0.0)
    else:
        edge = _critical_gain(scaled, 1.0 / math.sqrt(float(law.diagonal_sums[0])))

        def excess(y: float) -> float:
            gain = edge * math.sqrt(-math.expm1(-y))
            return math.log(gain * reversed_moments(scaled(gain))[0] / beta)

        high = 0.5
        while high < _COLDEST and excess(high) < 0.0:
            high = min(2.0 * high, _COLDEST)
        if high == _COLDEST and (last := excess(high)) < 0.0:
            if last - excess(high - 2.0) > 0.05:  # c_0 grows without bound, and its peak is broad enough to go on
                high = 2.0 * _COLDEST
                last = excess(high)
            if last < 0.0:
                raise MethodNotApplicableError(_frozen(beta, last, excess(high - 2.0)))
        low = 0.5 * high
        while excess(low) > 0.0:
            low *= 0.25
        y = float(brentq(excess, low, high, xtol=1e-15, rtol=1e-14))
        gain = edge * math.sqrt(-math.expm1(-y))
        moments = reversed_moments(scaled(gain))
    multiplier = beta / gain if gain else 1.0
    found = solve_partially_symmetric_gaussian(scaled(gain), 1.0 / math.sqrt(multiplier), lags)
    square, product, reverse = (value / multiplier for value in moments)
    field, back = (square - 1.0 / multiplier) / gain**2 if gain else 0.0, reverse / gain**2 if gain else 0.0
    drift = beta * (gain * field - product / gain) if gain else 0.0
    production = drift - float(
        sphere_normalizer(np.array(beta**2 * field)) - sphere_normalizer(np.array(beta**2 * back))
    )
    return SphericalSymmetric(
        found.autocorrelation,
        gain * found.response,
        gain,
        multiplier,
        field,
        found.criticality,
        max(found.residual, abs(square - 1.0)),
        production,
    )


def _scaled(law: LaggedGaussian, gain: float) -> LaggedGaussian:
    partner = np.asarray(law.transpose_covariance)
    return LaggedGaussian(gain**2 * law.covariance, transpose_covariance=gain**2 * partner)


def _frozen(beta: float, last: float, before: float) -> str:
    """Say why there is no answer, from the logarithm of a c_0 / beta at the last two distances from criticality."""
    if last - before > 0.05:  # c_0 grows without bound
        return (
            f"The memory of spherical tokens at beta = {beta:g} is too long to resolve (beta up to {beta * math.exp(last):.3g} "
            "is possible); use TransientDMFT."
        )
    end = beta * math.exp((math.e * last - before) / (math.e - 1.0))  # it is linear in the root of the distance
    if beta < end:
        return (
            f"beta = {beta:g} is too close to the end of the stationary state of spherical tokens, at beta = {end:.6g}; use "
            "TransientDMFT."
        )
    return (
        f"Spherical tokens are frozen at beta = {beta:g}: with these partially symmetric couplings the stationary state ends at "
        f"beta = {end:.6g}; follow the aging with TransientDMFT."
    )


def _critical_gain(scaled: Callable[[float], LaggedGaussian], start: float) -> float:
    r"""Return the gain at which :math:`\max G|R|^2=1`, by bisection (beyond it the maximum may stay at 1)."""
    low, high = 0.0, start
    while gaussian_criticality(scaled(high))[0] < 1.0 - 1e-12:
        low, high = high, 2.0 * high
    for _ in range(45):
        middle = 0.5 * (low + high)
        if gaussian_criticality(scaled(middle))[0] < 1.0 - 1e-12:
            low = middle
        else:
            high = middle
    return low


def spherical_result(method: Any, ensemble: ContextEnsemble) -> xr.Dataset:
    """Return what `StationaryDMFT` returns for spherical tokens and partially symmetric couplings."""
    clock = time.perf_counter()
    law, rule = ensemble.law, method.rule
    if np.any(law.mean) or ensemble.field or math.isinf(rule.beta):
        raise MethodNotApplicableError(
            "StationaryDMFT solves partially symmetric couplings of spherical tokens for mean 0, no field and finite beta; "
            "TransientDMFT follows the others."
        )
    found = solve_partially_symmetric_spherical(law, float(rule.beta), method.lags)
    entropy = 0.5 * math.log(2.0 * math.pi * math.e / found.multiplier)
    kind, units = "nats per site, differential", "nats per step and site"
    values = {
        "q0": (found.field_variance, "energy^2"),
        "gain": (found.gain, "1 / energy"),
        "multiplier": (found.multiplier, "1"),
        "criticality": (found.criticality, "max G |R|^2; memory diverges at 1"),
        "entropy_rate": (entropy, kind),
        "loss_floor": (entropy, kind),
        "entropy_production": (found.entropy_production, units),
        "entropy_production_per_spin": (found.entropy_production, units),
    }
    variables: dict[str, Any] = {name: ((), value, {"units": unit}) for name, (value, unit) in values.items()}
    variables["autocorrelation"] = ("lag", found.autocorrelation, {"units": "s.s / N, means not subtracted"})
    variables["response"] = ("lag", found.response, {"units": "mean of ds_t / dtheta_(t - lag)"})
    variables["diagonal_sums"] = ("distance", law.diagonal_sums, {"units": "energy^2"})
    frequency = np.linspace(0.0, math.pi, FREQUENCIES)
    root = np.abs(response_spectrum(_scaled(law, found.gain), frequency)) ** 2
    spectral = law.spectrum(frequency)
    tokens = root / (found.multiplier * (1.0 - found.gain**2 * spectral * root))
    variables["coupling_spectrum"] = ("frequency", spectral, {"units": "energy^2"})
    variables["token_spectrum"] = ("frequency", tokens, {"units": "s.s / N"})
    return labelled_result(variables, frequency, method, ensemble, residual=found.residual, clock=clock)

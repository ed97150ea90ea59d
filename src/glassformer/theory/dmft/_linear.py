"""Stationary states of the rules that are linear in the field: gaussian and spherical."""

from __future__ import annotations

import math

import numpy as np

from glassformer._core._errors import invalid
from glassformer._core._status import Status
from glassformer._core._validation import FloatArray
from glassformer.couplings._lag_covariance import extreme_spectrum
from glassformer.models import TokenRule
from glassformer.theory.dmft._convolve import convolve
from glassformer.theory.dmft._gaussian import process as solve_process
from glassformer.theory.dmft._spherical import spherical_point
from glassformer.theory.dmft._state import RINGING, Stationary
from glassformer.theory.dmft._tail import lags_needed, order_root

_LONGEST_LINEAR = 1 << 16  # entries that are kept; the rest follows from the recursion
_LOOSEST = 1e-8  # the residual beyond which a state counts as not solved
_TOO_LONG = "The memory is too long for a context of this length."


def _length(sums: FloatArray, lags: int | None, root: complex) -> int:
    whole = min(lags_needed(root, 1e-16), _LONGEST_LINEAR)
    return int(max(lags or 0, 2 * sums.size + 2, 32, whole))


def solve_gaussian(sums: FloatArray, rule: TokenRule, lags: int | None, drift: FloatArray, theta: float) -> Stationary:
    found = extreme_spectrum(sums)
    if found.maximum >= 1.0:
        raise invalid(
            "max G(omega)",
            found.maximum,
            f"below 1 for variant='gaussian', since tokens grow without bound otherwise (omega = {found.maximum_at:.6g})",
            f"divide the covariance by more than {found.maximum:.6g}, or look at the growth with TransientDMFT",
        )
    growth = order_root(drift, 1.0)
    if abs(growth) >= 1.0:
        raise invalid(
            "the largest root of 1 = sum_k J0_k z^-k",
            abs(growth),
            "below 1 in modulus for variant='gaussian', since the mean grows without bound otherwise",
            "lower the mean of the couplings",
        )
    process = solve_process(sums, 1.0 - found.maximum)
    power = rule.sigma**2
    mean = theta / (1.0 - float(drift.sum()))
    total = float(sums[0] + 2.0 * sums[1:].sum())
    persistent = mean * mean / (1.0 - total)
    correlation = power * process.correlation(_length(sums, lags, process.root)) + persistent
    residual = max(process.residual, _linear_residual(sums, correlation - persistent, power, 1.0))
    return Stationary(
        rule,
        sums,
        correlation,
        float(convolve(sums, correlation, persistent)[0]),
        1.0,
        1.0,
        process.root,
        magnetization=mean,
        persistent=persistent,
        field_mean=mean,
        own_past_error=power * process.innovation,
        residual=residual,
        status=Status.CONVERGED if residual < _LOOSEST else Status.NOT_CONVERGED,
        note="" if residual < _LOOSEST else _TOO_LONG,
        growth=growth,
    )


def solve_spherical(sums: FloatArray, rule: TokenRule, lags: int | None, drift: FloatArray, theta: float) -> Stationary:
    beta = float(rule.beta)
    if math.isinf(beta) and not np.any(sums[1:]) and sums[0] > 0.0 and not np.any(drift) and theta == 0.0:
        # a flat G has no frequency to condense at: tokens stay uncorrelated down to zero temperature
        correlation = np.zeros(_length(sums, lags, 0j) + 1)
        correlation[0] = 1.0
        x = 1.0 / float(sums[0])
        start = "From independent tokens; at zero temperature a flat G keeps whatever correlation another start has."
        note = start if sums.size > 1 else ""
        return Stationary(rule, sums, correlation, float(sums[0]), x, math.sqrt(x), 0j, multiplier=math.inf, note=note)
    if math.isinf(beta):
        raise invalid(
            "beta",
            beta,
            "finite for variant='spherical': at zero temperature correlations never become stationary, they age as "
            "sqrt(t)",
            "Aging gives their form at late times, TransientDMFT (context/transient) the correlation of any two times",
        )
    point = spherical_point(sums, beta, feedback=float(drift.sum()), field=theta)
    process = point.process
    gain = math.sqrt(point.x)
    scale = (1.0 - point.persistent) / float(process.head[0])
    correlation = scale * process.correlation(_length(sums, lags, process.root)) + point.persistent
    growth = order_root(drift, gain)
    mean = float(drift.sum()) * point.magnetization + theta
    status, note = (Status.CONVERGED, "") if point.residual < _LOOSEST else (Status.NOT_CONVERGED, _TOO_LONG)
    condensed = theta == 0.0 and point.magnetization != 0.0
    if abs(growth) >= 1.0 + (1e-9 if condensed else 0.0):
        status = Status.OUT_OF_RANGE
        note = RINGING.format(abs(growth))
    return Stationary(
        rule,
        sums,
        correlation,
        float(convolve(sums, correlation, point.persistent)[0]),
        point.x,
        gain,
        process.root,
        magnetization=point.magnetization,
        persistent=point.persistent,
        field_mean=mean,
        multiplier=point.multiplier,
        own_past_error=process.innovation * scale,
        residual=point.residual,
        status=status,
        note=note,
        growth=growth,
    )


def _linear_residual(sums: FloatArray, connected: FloatArray, power: float, slope: float) -> float:
    size = connected.size - sums.size  # the last ones reach beyond the end
    right = slope * convolve(sums, connected)
    right[0] += power
    return float(np.abs(connected - right)[:size].max()) / float(connected[0])

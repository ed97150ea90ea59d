"""Spectral factorisation: a filter gamma whose autocorrelation is a given sequence of diagonal sums."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from glassformer._core._errors import NotConvergedError, invalid
from glassformer._core._validation import FloatArray
from glassformer.couplings._lag_covariance import check_diagonal_sums, extreme_spectrum, spectrum

if TYPE_CHECKING:
    from collections.abc import Sequence

_ACCURACY = 1e-12
_TOUCHING = 1e-13
"""Where G, per g_0, counts as zero: there gamma has zeros on the unit circle."""
_ROOTS = 40
"""The longest filter whose roots are trusted; min and max phase need no roots."""


def rank_one(g: Sequence[float] | FloatArray, *, phase: str | Sequence[bool] = "min") -> FloatArray:
    r"""Return the filter :math:`\gamma` of a rank-one covariance :math:`\Gamma=\gamma\gamma^\top` with diagonal sums `g`.

    .. math:: \sum_k\gamma_k\gamma_{k+d}=g_d,\qquad G(\omega)=g_0+2\sum_{d\ge1}g_d\cos d\omega
              =\Bigl|\sum_k\gamma_k e^{i\omega k}\Bigr|^2 .

    One exists for every `g` with :math:`G\ge0` (Fejer and Riesz). The zeros of :math:`\sum_k\gamma_kz^{K-k}` may be
    chosen inside or outside the unit circle one by one. ``phase="min"`` puts all inside (or on) it, by Newton's
    iteration on the equations above (Wilson), which costs :math:`O(K^3)` and needs no roots; ``"max"`` is its lag
    reversal. The result is checked against `g` to :math:`10^{-12}g_0`, also where G touches zero (where rounding has put
    G below zero, :math:`g_0` counts as lifted by that much).

    Parameters
    ----------
    g : array_like, shape (K,)
        :math:`g_0,\dots,g_{K-1}`.
    phase : {"min", "max"} or sequence of bool
        With a sequence (K up to 40), the zeros of the minimum-phase filter are sorted by angle, then by modulus,
        complex pairs counted once; each True moves one of them (or a pair) from z to 1/z*.

    Returns
    -------
    ndarray, shape (K,)
        :math:`\gamma`, with :math:`\gamma_1\ge0` for minimum and :math:`\gamma_K\ge0` for maximum phase.

    Raises
    ------
    InvalidInputError
        When G is negative somewhere: no covariance has these diagonal sums.

    References
    ----------
    Wilson 1969, SIAM J. Numer. Anal. 6, 1.

    Examples
    --------
    >>> rank_one([1.5, 0.5, -0.1]).round(6).tolist()
    [1.121329, 0.484426, -0.08918]
    """
    sums = check_diagonal_sums(g)
    if isinstance(phase, str) and phase not in ("min", "max"):
        raise invalid("phase", phase, "'min', 'max' or a list of True and False, one for each zero (or complex pair)")
    degree = int(np.flatnonzero(sums)[-1]) if sums.any() else 0
    size = len(sums)
    if degree == 0:
        gamma = np.zeros(size)
        gamma[0] = math.sqrt(max(sums[0], 0.0))
    else:
        gamma = np.concatenate([_minimum_phase(sums[: degree + 1]), np.zeros(size - degree - 1)])
    if isinstance(phase, str):
        return gamma if phase == "min" else gamma[::-1].copy()
    return _chosen_phase(sums, gamma[: degree + 1], [bool(flag) for flag in phase])


def _minima(sums: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return omega and G at 0, at pi, and at the local minima between, refined by Newton's iteration."""
    count = 1 << max(12, math.ceil(math.log2(16 * len(sums))))
    grid = 2.0 * np.fft.rfft(sums, 2 * count).real - sums[0]
    inner = np.flatnonzero((grid[1:-1] <= grid[:-2]) & (grid[1:-1] <= grid[2:])) + 1
    inner = inner[np.argsort(grid[inner])[: len(sums)]]
    places = math.pi * inner / count
    order = np.arange(len(sums))
    for _ in range(4):
        angle = np.multiply.outer(places, order)
        slope, bend = -2.0 * np.sin(angle) @ (sums * order), -2.0 * np.cos(angle) @ (sums * order**2)
        step = np.divide(slope, bend, out=np.zeros_like(slope), where=bend > 0.0)
        places = places - np.where(np.abs(step) <= math.pi / count, step, 0.0)
    places = np.concatenate([[0.0, math.pi], np.clip(places, 0.0, math.pi)])
    return places, spectrum(sums, places)


def _minimum_phase(sums: FloatArray) -> FloatArray:
    """Return the minimum-phase factor of `sums`, which ends with a number that is not zero."""
    target = autocorrelation_target(sums)
    gamma, error = _newton(target, np.eye(1, len(target))[0])
    if extreme_spectrum(target).minimum < _TOUCHING:  # Newton's iteration has only half of the digits of gamma
        other = _without_zeros(target)
        if other is not None and (gap := float(np.abs(autocorrelation(other) - target).max())) <= max(error, _ACCURACY):
            gamma, error = other, gap
    if not error <= _ACCURACY:  # a zero of high order: lift it by what is not visible
        lift = 0.8 * _ACCURACY
        gamma, error = _newton(target + lift * np.eye(1, len(target))[0], np.eye(1, len(target))[0])
        error = float(np.abs(autocorrelation(gamma) - target).max())
    if not error <= _ACCURACY:
        raise NotConvergedError(
            f"the factorisation of {_short(target)} (per g_0) stopped at an error of {error:.3g} g_0, above 1e-12; "
            "raise g_0 by a small amount so that G(omega) stays away from zero."
        )
    return gamma * math.copysign(math.sqrt(sums[0]), gamma[0])


def _without_zeros(target: FloatArray) -> FloatArray | None:
    """Return the factor of a `target` whose G has zeros: divide them out, factorise the rest, multiply them in again."""
    rest, circle = target, np.ones(1)
    while len(rest) > 1:
        found = _zeros(rest)
        if not found:
            break
        phases = np.array([sign * omega for omega in found for sign in (1, -1)[: 1 + (0.0 < omega < math.pi)]])
        if len(phases) >= len(rest):
            return None
        part = _from_zeros(np.exp(1j * phases))
        rest, circle = _divide(rest, autocorrelation(part)), np.convolve(circle, part)
        if not rest[0] > 0.0:
            return None
    scale = float(rest[0])
    core, error = _newton(autocorrelation_target(rest), np.eye(1, len(rest))[0])
    return np.convolve(core, circle) * math.sqrt(scale) if error <= _ACCURACY else None


def _zeros(sums: FloatArray) -> list[float]:
    """Return the omega at which G vanishes, each once: minima with nothing but zeros between them are one."""
    places, values = _minima(sums)
    chosen: list[float] = []
    for omega in places[values < _TOUCHING * sums[0]]:
        near = min(chosen, key=lambda one: abs(one - omega), default=None)
        between = () if near is None else spectrum(sums, near + (omega - near) * np.array([0.23, 0.37, 0.5, 0.66]))
        if near is None or max(between) > _TOUCHING * sums[0]:
            chosen.append(float(omega))
    return chosen


def _from_zeros(zeros: FloatArray) -> FloatArray:
    """Return the real coefficients, highest power first, of the polynomial with these zeros, from its values on the circle."""
    circle = np.exp(2j * math.pi * np.arange(len(zeros) + 1) / (len(zeros) + 1))
    return np.fft.fft(np.prod(1.0 - np.multiply.outer(circle, zeros), axis=1)).real / len(circle)


def _divide(sums: FloatArray, factor: FloatArray) -> FloatArray:
    """Return the sequence whose product with `factor` (of both, lags 0, 1, ...) is `sums`, by least squares."""
    size = len(sums) - len(factor) + 1
    both = np.concatenate([factor[:0:-1], factor])
    matrix = np.zeros((len(sums), size))
    for lag in range(size):
        unit = np.zeros(2 * size - 1)
        unit[size - 1 + lag] = unit[size - 1 - lag] = 1.0
        matrix[:, lag] = np.convolve(unit, both)[len(sums) - 1 :]
    return np.asarray(np.linalg.lstsq(matrix, sums)[0], dtype=np.float64)


def _newton(target: FloatArray, start: FloatArray, most: int = 200) -> tuple[FloatArray, float]:
    """Return the solution of ``autocorrelation(gamma) = target`` that Newton's iteration reaches from `start`, its error.

    From a minimum-phase start every iterate is minimum phase. Zeros of G on the unit circle make the convergence
    linear (halving the error, quartering the residual), so the best iterate before rounding takes over is kept.
    """
    gamma, best, least = start, start, math.inf
    size = len(target)
    shift = np.arange(size)[:, None] + np.arange(size)
    lag = np.arange(size) - np.arange(size)[:, None]
    padded = np.zeros(2 * size)
    idle = 0
    for _ in range(most):
        padded[:size] = gamma
        matrix = padded[shift] + np.where(lag >= 0, padded[np.maximum(lag, 0)], 0.0)
        found = autocorrelation(gamma)
        residual = float(np.abs(found - target).max())
        if residual < 0.5 * least:
            idle = 0
        else:
            idle += 1
        if residual < least:
            best, least = gamma, residual
        if least <= 4e-16 or (idle >= 3 and least < _ACCURACY) or idle >= 12:
            break
        try:
            gamma = np.linalg.solve(matrix, target + found)
        except np.linalg.LinAlgError:
            gamma = gamma + np.linalg.lstsq(matrix, target - found)[0]
        if not np.isfinite(gamma).all():
            break
    return best, least


def autocorrelation(gamma: FloatArray) -> FloatArray:
    """Return the diagonal sums of the outer product of `gamma` with itself."""
    return np.correlate(gamma, gamma, mode="full")[len(gamma) - 1 :]


def _chosen_phase(sums: FloatArray, least: FloatArray, flags: list[bool]) -> FloatArray:
    if len(sums) > _ROOTS:
        raise invalid("the number of lags", len(sums), f"at most {_ROOTS} to choose zeros one by one", "use min or max")
    roots = np.roots(least)
    upper = roots[roots.imag >= 0.0]
    upper = upper[np.lexsort((np.abs(upper), np.abs(np.angle(upper).round(9))))]
    if len(flags) != len(upper):
        listed = ", ".join(f"{z.real:.4g}{f' +- {z.imag:.4g}i' if z.imag > 0.0 else ''}" for z in upper) or "none"
        raise invalid("the length of phase", len(flags), f"{len(upper)}, one for each zero: {listed}")
    moved = [1.0 / z.conjugate() if flag else z for z, flag in zip(upper, flags)]
    whole = [w for z in moved for w in ((z, z.conjugate()) if z.imag > 0.0 else (z,))]
    if any(abs(z) == 0.0 for z, flag in zip(upper, flags) if flag):
        raise invalid("phase", flags, "False at a zero at the origin, which cannot leave it")
    filled = _from_zeros(np.array(whole))
    filled *= math.sqrt(sums[0] / np.sum(filled**2))
    gamma = np.concatenate([filled, np.zeros(len(sums) - len(filled))])
    polished, error = _newton(autocorrelation_target(sums)[: len(filled)], filled / math.sqrt(sums[0]), 30)
    if error > _ACCURACY:
        raise NotConvergedError(
            f"the zeros of the filter of {_short(sums)} are too close to each other to move them at 1e-12 (error "
            f"{error:.3g} g_0); use phase='min' or 'max'."
        )
    gamma[: len(filled)] = polished * math.sqrt(sums[0])
    return gamma


def autocorrelation_target(sums: FloatArray) -> FloatArray:
    """Return `sums` per g_0, lifted so that rounding does not leave G below zero."""
    target = sums / sums[0]
    target[0] += max(0.0, -extreme_spectrum(target).minimum)
    return target


def _short(sums: FloatArray) -> str:
    shown = ", ".join(f"{value:.6g}" for value in sums[:6])
    return f"[{shown}{', ...' if len(sums) > 6 else ''}]"

r"""Step one of a design: the correlation of the fields behind that of the tokens, and whether it can exist.

Sigmoid variants: :math:`\rho=\varphi^{-1}(c)` must be positive definite with 1 at lag 0. Linear variants (gaussian, and
spherical with noise :math:`1/\lambda`): :math:`Q=c-\sigma^2\delta` must be.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from glassformer._core._validation import FloatArray
from glassformer.models import TokenRule
from glassformer.theory.design._link import Link
from glassformer.theory.design._sequences import (
    bisect,
    longest_entropy,
    lowest,
    lowest_eigenvalue,
    nearest_positive,
    positive_definite,
    taper,
)
from glassformer.theory.design._target import Target

if TYPE_CHECKING:
    from collections.abc import Callable

_ROUNDING = 1e-12
_LARGEST = 1e6  # beta sqrt(Q_0) above which the logistic law is the sign for every purpose
_SMALLEST = 1e-6


@dataclass(frozen=True)
class Fields:
    r"""Correlations of tokens and fields for all lags (the target's, or the nearest that exist), and the certificate.

    ``margins`` are all positive or zero exactly if the target is feasible; ``tokens`` and ``fields`` then reproduce it.
    ``inverted`` is what the inversion of the rule asks for at the lags of the target, possible or not.
    """

    tokens: FloatArray
    fields: FloatArray
    margins: dict[str, float]
    reason: str
    inverted: FloatArray

    @property
    def feasible(self) -> bool:
        """Whether some covariance of the couplings, of whatever context, has the target as its stationary correlation."""
        return all(margin >= -_ROUNDING for margin in self.margins.values())


def sigmoid_fields(target: Target, wanted: FloatArray, link: Link) -> Fields:
    """Return the fields of a target (`wanted` is its sequence in the variance of the rule) under a sigmoid rule."""
    window = taper(len(wanted) - 1) if target.tapered else np.ones(1)
    c = wanted
    rho = link.inverse(c)
    rho[0] = 1.0
    asked = rho = rho * window  # of the fields: that of the tokens would make feasible targets infeasible
    largest = 1 + int(np.argmax(np.abs(c[1:]))) if len(c) > 1 else 0
    peak = abs(float(c[largest])) if largest else 0.0
    margins = {"correlation": link.top - peak}
    words = [] if margins["correlation"] >= -_ROUNDING else [_too_large(largest, c, link)]
    words += _lasting(target, margins)
    where = ""
    if target.complete:
        margins["spectrum"], at_c = lowest(c * window)
        if abs(margins["spectrum"]) < 1e-13 * float(np.abs(c).sum()):  # rounding beside a line of the spectrum
            margins["spectrum"] = 0.0
        margins["fields"], at_q = lowest(rho)
        if abs(margins["fields"]) < 1e-13 * float(np.abs(rho).sum()):
            margins["fields"] = 0.0
        where = f" at omega = {at_q:.6g}"
        if margins["spectrum"] < -_ROUNDING:
            words.append(
                f"it is no autocorrelation at all: its spectrum comes down to {margins['spectrum']:.6g} at omega = {at_c:.6g}"
            )
    else:
        margins["spectrum"], margins["fields"] = lowest_eigenvalue(c), lowest_eigenvalue(rho)
        if margins["spectrum"] < -_ROUNDING:
            words.append(
                "the list is no autocorrelation at all: its Toeplitz matrix has the eigenvalue "
                f"{margins['spectrum']:.6g}"
            )
    if margins["fields"] < -_ROUNDING:
        what = "spectrum comes down to" if target.complete else "Toeplitz matrix has the eigenvalue"
        words.append(
            "the correlation of the fields that would give it is not positive definite: its "
            f"{what} {margins['fields']:.6g} Q_0{where}"
        )
    if not words:
        continued = rho if target.complete else _continue(rho)
        tokens = link.forward(continued)
        tokens[0] = link.variance
        if target.complete and not target.tapered:
            tokens = c
        return Fields(tokens, continued, margins, _all_hold(margins), asked)
    shape = np.clip(rho, -1.0 + 1e-9, 1.0 - 1e-9)
    shape[0] = 1.0
    near = nearest_positive(shape) if target.complete else _continue(shape)
    tokens = link.forward(near)
    tokens[0] = link.variance
    return Fields(tokens, near, margins, "; ".join(words), asked)


def linear_fields(target: Target, noise: float) -> Fields:
    r"""Return the fields of a target under :math:`c(\omega)=\text{noise}/(1-G(\omega))`."""
    c = target.values * taper(len(target.values) - 1) if target.tapered else target.values
    if target.complete:
        low, at = lowest(c)
        where = f"its spectrum comes down to {low:.6g} at omega = {at:.6g}"
    else:
        low = lowest_eigenvalue(c)
        where = f"its Toeplitz matrix has the eigenvalue {low:.6g}"
    margins = {"spectrum": low, "noise": low - noise}
    words = _lasting(target, margins)
    asked = c - noise * _unit(len(c))
    if low <= 0.0:
        words.append(f"the target is no autocorrelation with a positive spectrum: {where}")
    elif margins["noise"] < -_ROUNDING:
        words.append(f"the noise of the rule, {noise:.6g}, is larger than the spectrum of the target allows: {where}")
    if not words:
        if not target.complete:
            c = _continue(c)
            if lowest(c)[0] < noise:  # the continuation that is exact at finite context asks for less noise
                c = _continue(target.values - noise * _unit(len(target.values)))
                c[0] += noise
        return Fields(c, c - noise * _unit(len(c)), margins, _all_hold(margins), asked)
    room = float(c[0]) - noise
    if room <= 0.0:  # nothing but noise fits
        tokens = c[0] * _unit(len(c))
        return Fields(tokens, np.zeros(len(c)), margins, "; ".join(words), asked)
    shape = (c - noise * _unit(len(c))) / room
    near = nearest_positive(shape) if target.complete else _continue(shape)
    tokens = room * near
    tokens[0] += noise
    return Fields(tokens, room * near, margins, "; ".join(words), asked)


def smallest_strength(target: Target, shape: FloatArray, rule: TokenRule) -> float | None:
    r"""Return the smallest :math:`\beta\sqrt{Q_0}` at which spins have the correlation `shape` (c_0 = 1), or None.

    Less noise can imitate more, so feasibility is monotone.
    """
    if not np.any(shape[1:]):
        return 0.0
    feasible = _decider(target, shape, rule)
    if not feasible(math.inf):
        return None
    if not feasible(_LARGEST):
        return math.inf
    low, high = 1.0, 1.0
    while not feasible(high):
        low, high = high, min(high * 2.0, _LARGEST)
    while low > _SMALLEST and feasible(low):
        low, high = low / 2.0, low
    return bisect(feasible, low, high) if low > _SMALLEST else 0.0


def largest_strength(target: Target, shape: FloatArray, rule: TokenRule) -> float | None:
    r"""Return the largest :math:`\beta\sqrt{Q_0}` at which graded units have the correlation `shape` (c_0 = 1), or None.

    Graded units of a weak field are linear, and have the correlation of the field; a strong field clips it.
    """
    feasible = _decider(target, shape, rule)
    if not np.any(shape[1:]) or feasible(math.inf):
        return math.inf
    low = high = 1.0
    while feasible(high) and high < _LARGEST:
        low, high = high, 2.0 * high
    while low > _SMALLEST and not feasible(low):
        low, high = low / 2.0, low
    return bisect(lambda beta: not feasible(beta), low, high) if low > _SMALLEST else None


def _decider(target: Target, shape: FloatArray, rule: TokenRule) -> Callable[[float], bool]:
    window = taper(len(shape) - 1) if target.tapered else np.ones(1)

    def feasible(beta: float) -> bool:
        link = Link(replace(rule, beta=beta))
        c = shape * link.variance
        if len(c) > 1 and np.abs(c[1:]).max() > link.top:
            return False
        rho = link.inverse(c)
        rho[0] = 1.0
        rho *= window
        return lowest(rho)[0] >= 0.0 if target.complete else positive_definite(rho)

    return (lambda beta: False) if target.lasting else feasible


def _continue(values: FloatArray) -> FloatArray:
    """Return the continuation of a list, of which one on the boundary of what exists (or beyond) is moved inside first."""
    size = float(values[0])
    low = min(lowest_eigenvalue(values) / size, 0.0)
    for inside in (0.0, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1):
        if low < 0.0 and inside == 0.0:
            continue
        found = longest_entropy(_shrink(values, (low - inside) * size))
        if found is not None:
            return found
    return size * _unit(len(values))


def _lasting(target: Target, margins: dict[str, float]) -> list[str]:
    """Return the sentence for a target that does not decay, and note the margin."""
    if not target.lasting:
        return []
    margins["decay"] = -target.lasting
    return [
        f"it does not decay (|c| is still {target.lasting:.6g} at the end), and no stable state of mean zero remembers for ever"
    ]


def _shrink(rho: FloatArray, low: float) -> FloatArray:
    """Return `rho` with `low` < 0 taken from lag 0 and all scaled back, which lifts the lowest eigenvalue `low` to zero."""
    found = rho * (rho[0] / (rho[0] - low))
    found[0] = rho[0]
    return found


def _unit(size: int) -> FloatArray:
    return np.eye(1, size)[0]


def _all_hold(margins: dict[str, float]) -> str:
    name = min(margins, key=lambda key: margins[key])
    return f"Every condition holds; the tightest is margin_{name} = {margins[name]:.6g}"


def _too_large(lag: int, c: FloatArray, link: Link) -> str:
    return (
        f"|c_{lag}| = {abs(float(c[lag])):.6g} is larger than any correlation at this temperature, "
        f"{link.top:.6g}" + (" (the mean square of the response)" if link.top < 1.0 else "")
    )

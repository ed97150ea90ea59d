"""The line of de Almeida and Thouless: the field at which replica symmetry breaks."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
from scipy.optimize import brentq

from glassformer._core._bessel import bessel_ratio
from glassformer._core._errors import invalid
from glassformer._core._gaussian_averages import radial_rule
from glassformer._core._status import Status, attach_evidence
from glassformer._core._validation import FloatArray, as_number
from glassformer.theory.replica._site import _TOLERANCE, Moments, Site, moments

if TYPE_CHECKING:
    import xarray as xr

    from glassformer.models import VectorGlass

LEAST = 1e-20
"""Temperatures below this part of the critical one are refused (zero is not): exponents leave the double range."""
_NEAREST = 1e-7  # closer to T_c than this the field is below rounding


@dataclass(frozen=True, slots=True)
class AlmeidaThouless:
    r"""The de Almeida-Thouless line of a `VectorGlass`, at any D and in any convention of the radius.

    On the line the replicon of the replica-symmetric solution vanishes,

    .. math:: 1=\frac{J^2}DE\big[(\beta V_\parallel)^2+(D-1)(\beta V_\perp)^2\big],

    with fields that are random in direction (for D = 1 also uniform: the line of de Almeida and Thouless 1978). Below it
    replica symmetry is broken. Close to :math:`T_c` a Gaussian field obeys
    :math:`h^2=\frac4{D+2}(1-T/T_c)^3J^2R^2/D`; at T = 0 it is :math:`h=JR/\sqrt{D(D-2)}`, infinite for :math:`D\le2`.

    With a temperature the answer is the ``field`` (per component) on the line; without one it is the ``temperature`` at
    the field of the glass. For D = 1 in a uniform field the couplings may have a mean, which acts as the field
    :math:`J_0m`: without external field this is the line inside the ferromagnet, and ``coupling_mean`` is the
    :math:`J_0` at which it passes.

    Parameters
    ----------
    temperature : float, optional
        From 0 to :math:`T_c=JR^2/D`; the glass must then have ``field=0``, and its ``field_law`` says which field is
        asked for.

    Raises
    ------
    InvalidInputError
        Above :math:`T_c`, at T = 0 for :math:`D\le2`, and for a field in which replica symmetry never breaks.

    References
    ----------
    de Almeida and Thouless 1978, J. Phys. A 11, 983; Sharma and Young 2010, Phys. Rev. E 81, 061115.

    Examples
    --------
    >>> import glassformer as gf
    >>> line = gf.solve(gf.VectorGlass(dim=3, radius="sqrt_d"), gf.AlmeidaThouless(0.5))
    >>> round(float(line.field), 4)
    0.3177
    >>> back = gf.VectorGlass(dim=3, radius="sqrt_d", field=float(line.field))
    >>> round(float(gf.solve(back, gf.AlmeidaThouless()).temperature), 9)
    0.5
    """

    temperature: float | None = None

    citations: ClassVar[tuple[str, ...]] = ("almeida1978", "sharma2010")

    def __post_init__(self) -> None:
        if self.temperature is not None:
            as_number("temperature", self.temperature, minimum=0.0)

    def solve_glass(self, glass: VectorGlass) -> xr.Dataset:
        """Return the point of the line as scalars; `glassformer.solve` calls this."""
        import xarray as xr

        clock = time.perf_counter()
        critical, dim, r = glass.critical_temperature, glass.dim, glass.r
        mean = float(glass.law.mean)
        if critical == 0.0:
            raise invalid("the scale of the couplings", 0.0, "> 0 for a glass")
        if self.temperature is None:
            reduced = _temperature_in_field(glass)
        else:
            reduced = reduced_temperature(float(self.temperature), critical)
            if glass.field:
                raise invalid(
                    "the field of the glass",
                    glass.field,
                    "0 when a temperature is given, since the field is the answer",
                    "leave the temperature out to get the one on the line in this field",
                )
        point = _line(glass, reduced)
        per_site = glass.field_unit * math.sqrt(dim) * (point.field - mean / float(glass.law.scale) * point.mean)
        if per_site < -1e-12 * glass.field_unit:
            raise invalid(
                "the mean of the couplings",
                mean,
                f"at most {float(glass.law.scale) * point.field / point.mean:.6g} at this temperature",
                "beyond it the ferromagnet is stable in any field",
            )
        temperature = reduced * critical if self.temperature is None else float(self.temperature)
        per_site = max(per_site, 0.0) if self.temperature is not None else glass.field_per_site
        values = {
            "temperature": (temperature, "energy"),
            "field": (per_site / math.sqrt(dim), "energy / length, per component"),
            "field_per_site": (per_site, "energy / length"),
            "overlap": (point.overlap * (r * r / dim), "length^2"),
            "overlap_normalized": (point.overlap, "1"),
            "critical_temperature": (critical, "energy"),
        }
        if dim == 1 and glass.field_law == "uniform":
            ratio = point.field / point.mean if point.mean > 0.0 else 1.0  # at T_c both vanish, their ratio does not
            values["magnetization"] = (r * point.mean, "length")
            values["coupling_mean"] = (float(glass.law.scale) * ratio, "energy / length^2")
        values["residual"] = (point.residual, "1")
        return attach_evidence(
            xr.Dataset({name: ((), value, {"units": unit}) for name, (value, unit) in values.items()}),
            status=Status.CONVERGED if point.residual < 1e-8 else Status.NOT_CONVERGED,
            method="AlmeidaThouless",
            wall_time=time.perf_counter() - clock,
            citations=tuple(dict.fromkeys((*glass.citations, *self.citations))),
            residual=point.residual,
        )


class _Point(NamedTuple):
    r"""Whole field on the line in units of :math:`JR/\sqrt D` per component, :math:`\hat q`, :math:`m/R`, residual."""

    field: float
    overlap: float
    mean: float
    residual: float


def reduced_temperature(temperature: float, critical: float) -> float:
    """Return :math:`T/T_c`, or raise for a temperature without a glass."""
    reduced = temperature / critical
    if reduced > 1.0 + 1e-14:
        raise invalid(
            "temperature",
            float(temperature),
            f"at most T_c = J R^2 / D = {critical:.6g}",
            "above it there is no glass in any field",
        )
    if 0.0 < reduced < LEAST:
        raise invalid("temperature", float(temperature), f"0 or at least {LEAST:g} T_c = {LEAST * critical:.3g}")
    return min(reduced, 1.0)


def _line(glass: VectorGlass, reduced: float) -> _Point:
    if reduced == 0.0 and glass.dim <= 2:
        raise invalid("temperature", 0.0, f"> 0 for dim={glass.dim}", "the line tends to an infinite field for D <= 2")
    return (_gaussian_line if glass.field_law == "gaussian" else _fixed_line)(glass.dim, reduced)


def _temperature_in_field(glass: VectorGlass) -> float:
    r"""Return :math:`T/T_c` on the line in the field and at the mean of the couplings of `glass`."""
    field, ratio = float(glass.field) / glass.field_unit, float(glass.law.mean) / float(glass.law.scale)

    def gap(x: float) -> float:  # rises as it gets colder
        if ratio:  # part of the field is made by the spins
            point = _line(glass, math.exp(-x))
            return point.field / point.mean - ratio if field == 0.0 else point.field - ratio * point.mean - field
        tau, root = math.exp(x), math.sqrt(glass.dim)
        noise, pull = (root * tau * field, 0.0) if glass.field_law == "gaussian" else (0.0, glass.dim * tau * field)
        site = Site(glass.dim, tau, noise=noise, pulls=((1.0, pull),))
        return -site.replicon(site.moments(site.overlap())) / tau**2

    if field == 0.0 and ratio <= 1.0:
        return 1.0  # the glass borders the paramagnet
    if glass.dim > 2 and field >= _line(glass, 0.0).field:
        raise invalid(
            "the field of the glass",
            glass.field,
            f"below {_line(glass, 0.0).field * glass.field_unit:.6g} per component",
            "in stronger ones replica symmetry never breaks",
        )
    if glass.dim <= 2 and gap(-math.log(LEAST)) <= 0.0:
        what, value = (
            ("the field of the glass", glass.field) if field else ("the mean of the couplings", glass.law.mean)
        )
        raise invalid(what, value, f"weaker: the line is below {LEAST:g} T_c here")
    if gap(_NEAREST) >= 0.0:  # the field is that of T_c to rounding
        return 1.0 - min(_NEAREST, (0.25 * (glass.dim + 2.0) * field**2) ** (1.0 / 3.0))
    y = increasing_root(lambda y: gap(max(math.exp(min(y, 6.0)), _NEAREST)), 0.0, 0.5)
    return math.exp(-math.exp(y))


def _gaussian_line(dim: int, reduced: float) -> _Point:
    """Return the line of Gaussian fields: the replicon alone fixes the variance of the whole field."""
    if reduced == 0.0:
        return _Point(1.0 / math.sqrt(dim - 2.0), 1.0, 0.0, 0.0)
    if reduced == 1.0:
        return _Point(0.0, 0.0, 0.0, 0.0)
    site = Site(dim, 1.0 / reduced)

    def gap(x: float) -> float:
        return -math.log(dim * site.tau**2 * moments(dim, 0.0, math.exp(x)).stiffness)

    x = increasing_root(gap, math.log(2.0 * dim * (1.0 - reduced)))
    variance = math.exp(x)
    overlap = moments(dim, 0.0, variance).square
    noise = max(variance - dim * site.tau**2 * overlap, 0.0)
    return _Point(math.sqrt(noise / dim) * reduced, overlap, 0.0, abs(gap(x)))


def _fixed_line(dim: int, reduced: float) -> _Point:
    """Return the line of fields of one length."""
    if reduced == 0.0:
        return _cold_fixed_line(dim)
    if reduced == 1.0:
        return _Point(0.0, 0.0, 0.0, 0.0)
    tau = 1.0 / reduced

    def solve(x: float) -> tuple[float, Moments]:
        site = Site(dim, tau, pulls=((1.0, math.exp(x)),))
        overlap = site.overlap()
        return overlap, site.moments(overlap)

    def gap(x: float) -> float:
        return -math.log(max(dim * tau**2 * solve(x)[1].stiffness, 1e-300))

    guess, overlap, step = math.sqrt(4.0 / (dim + 2.0)) * (1.0 - reduced) ** 1.5, 1.0 - reduced, 0.25
    if reduced < 0.999:  # the two laws of the field become one as D grows and as it weakens
        gaussian = _gaussian_line(dim, reduced)
        overlap = gaussian.overlap
        if dim > 2 or reduced > 0.2:
            guess, step = gaussian.field, 0.5 / dim
    near = _newton_fixed(dim, tau, math.log(guess * dim * tau), overlap)
    x = increasing_root(gap, math.log(guess * dim * tau), step) if near is None else near
    overlap, found = solve(x)
    residual = max(abs(gap(x)), abs(found.square - overlap))
    return _Point(math.exp(x) / (dim * tau), overlap, found.mean, residual)


def _newton_fixed(dim: int, tau: float, x: float, overlap: float) -> float | None:
    r"""Return log k of the line by Newton's method in (log k, log q/(1-q)), or None when it does not settle to rounding.

    Three times faster than the roots inside roots, which need no start and always arrive.
    """

    def gaps(at: FloatArray) -> FloatArray:
        q = 1.0 / (1.0 + math.exp(-at[1]))
        found = Site(dim, tau, pulls=((1.0, math.exp(at[0])),)).moments(q)
        right = (dim * tau**2 * found.stiffness, found.square / max(found.complement, 1e-300))
        return np.log(np.maximum(right, 1e-300)) - np.array([0.0, at[1]])

    if tau > 1e6:  # q is 1 to rounding
        return None
    unknowns = np.array([x, math.log(overlap / (1.0 - overlap))])
    here = gaps(unknowns)
    for _ in range(12):
        columns = [(gaps(unknowns + 1e-7 * unit) - here) / 1e-7 for unit in np.eye(2)]
        jacobian = np.stack(columns, axis=1)
        if np.linalg.det(jacobian) == 0.0:
            return None
        move = -np.linalg.solve(jacobian, here)
        if not np.abs(move).max() < 2.0:  # far away, or not a number
            return None
        fresh = gaps(unknowns + move)
        if np.abs(fresh).max() >= np.abs(here).max():
            break
        unknowns, here = unknowns + move, fresh
    return float(unknowns[0]) if np.abs(here).max() < 3e-15 else None


def _cold_fixed_line(dim: int) -> _Point:
    r"""Return the line at T = 0: :math:`1=J^2R^2\frac{D-1}DE[H^{-2}]` with :math:`\mathbf H=\frac{JR}{\sqrt D}\mathbf z+\mathbf h`."""

    def gap(x: float) -> float:
        rho, weight = radial_rule(np.array([math.exp(x)]), np.ones(1), dim)
        return -math.log((dim - 1) * float(weight[0] @ rho[0] ** -2.0))

    x = increasing_root(gap, 0.5 * math.log(dim / (dim - 2.0)))
    rho, weight = radial_rule(np.array([math.exp(x)]), np.ones(1), dim)
    mean = float(weight[0] @ bessel_ratio(math.exp(x) * rho[0], dim))
    return _Point(math.exp(x) / math.sqrt(dim), 1.0, mean, abs(gap(x)))


def increasing_root(function: Any, guess: float, step: float = 0.25) -> float:
    """Return the root of an increasing function, bracketed by steps that grow from `guess`."""
    low = high = guess
    value = function(guess)
    while (value > 0.0) == (function(low if value > 0.0 else high) > 0.0):
        low, high = (low - step, high) if value > 0.0 else (low, high + step)
        step *= 2.0
        if step > 1e4:
            raise ArithmeticError("no root")  # cannot happen for the lines of this module
    return float(brentq(function, low, high, **_TOLERANCE))

"""The line of de Almeida and Thouless: the field at which replica symmetry breaks."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from scipy.optimize import brentq

from glassformer._core._errors import invalid
from glassformer._core._gaussian_averages import radial_rule
from glassformer._core._status import Status, attach_evidence
from glassformer._core._validation import as_number
from glassformer.theory.replica._site import _TOLERANCE, Moments, Site, moments

if TYPE_CHECKING:
    import xarray as xr

    from glassformer.models import VectorGlass

LEAST = 1e-20
"""Temperatures below this part of the critical one are refused (zero is not): exponents leave the double range."""


@dataclass(frozen=True, slots=True)
class AlmeidaThouless:
    r"""The field on the de Almeida-Thouless line of a `VectorGlass`, at any D and in any convention of the radius.

    On the line the replicon of the replica-symmetric solution vanishes,

    .. math:: 1=\frac{J^2}DE\big[(\beta V_\parallel)^2+(D-1)(\beta V_\perp)^2\big],

    with fields that are random in direction (for D = 1 also uniform: the line of de Almeida and Thouless 1978). Below it
    replica symmetry is broken. Close to :math:`T_c` a Gaussian field obeys
    :math:`h^2=\frac4{D+2}(1-T/T_c)^3J^2R^2/D`; at T = 0 it is :math:`h=JR/\sqrt{D(D-2)}`, infinite for :math:`D\le2`.
    For D = 1 the same point is also one of the line inside the ferromagnet without field: ``coupling_mean`` is the
    :math:`J_0` with :math:`J_0m=H`.

    Parameters
    ----------
    temperature : float
        From 0 to :math:`T_c=JR^2/D`. The glass must have ``field=0``: its ``field_law`` says which field is asked for.

    Raises
    ------
    InvalidInputError
        Above :math:`T_c`, and at T = 0 for :math:`D\le2`.

    References
    ----------
    de Almeida and Thouless 1978, J. Phys. A 11, 983; Sharma and Young 2010, Phys. Rev. E 81, 061115.

    Examples
    --------
    >>> import glassformer as gf
    >>> line = gf.solve(gf.VectorGlass(dim=3, radius="sqrt_d"), gf.AlmeidaThouless(0.5))
    >>> round(float(line.field), 4)
    0.3177
    """

    temperature: float

    citations: ClassVar[tuple[str, ...]] = ("almeida1978", "sharma2010")

    def __post_init__(self) -> None:
        as_number("temperature", self.temperature, minimum=0.0)

    def solve_glass(self, glass: VectorGlass) -> xr.Dataset:
        """Return the point of the line as scalars; `glassformer.solve` calls this."""
        import xarray as xr

        clock = time.perf_counter()
        critical, dim, r = glass.critical_temperature, glass.dim, glass.r
        reduced = reduced_temperature(self.temperature, critical)
        if reduced == 0.0 and dim <= 2:
            raise invalid(
                "temperature",
                0.0,
                f"> 0 for dim={dim}",
                "at zero temperature the line is at an infinite field for D <= 2",
            )
        if glass.field_law == "gaussian":
            point = _gaussian_line(dim, reduced)
        else:
            point = _fixed_line(dim, reduced)
        root = math.sqrt(dim)
        per_site = point["field"] * root * glass.field_unit
        mean = point.get("mean", 0.0)
        values: dict[str, tuple[float, str]] = {
            "field": (per_site / root, "energy / length, per component"),
            "field_per_site": (per_site, "energy / length"),
            "overlap": (point["overlap"] * (r * r / dim), "length^2"),
            "overlap_normalized": (point["overlap"], "1"),
            "critical_temperature": (critical, "energy"),
        }
        if dim == 1 and glass.field_law != "gaussian":
            values["magnetization"] = (r * mean, "length")
            # near T_c both vanish and the ratio tends to J
            ratio = per_site / (r * mean) if mean > 0 else float(glass.law.scale)
            values["coupling_mean"] = (ratio, "energy / length^2")
            if glass.law.mean:
                values |= _shifted_by_mean(glass, values)
        residual = abs(point["residual"])
        values["residual"] = (residual, "1")
        return attach_evidence(
            xr.Dataset({name: ((), value, {"units": unit}) for name, (value, unit) in values.items()}),
            status=Status.CONVERGED if residual < 1e-8 else Status.NOT_CONVERGED,
            method="AlmeidaThouless",
            wall_time=time.perf_counter() - clock,
            citations=tuple(dict.fromkeys((*glass.citations, *self.citations))),
            temperature=float(self.temperature),
            residual=residual,
        )


def reduced_temperature(temperature: float, critical: float) -> float:
    """Return :math:`T/T_c`, or raise for a temperature without a glass."""
    if critical == 0.0:
        raise invalid("the scale of the couplings", 0.0, "> 0 for a glass")
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


def _shifted_by_mean(glass: VectorGlass, values: dict[str, tuple[float, str]]) -> dict[str, tuple[float, str]]:
    r"""Return the external field when part of the field is :math:`J_0m`."""
    field = values["field"][0] - float(glass.law.mean) * values["magnetization"][0]
    if field < 0.0:
        raise invalid(
            "the mean of the couplings",
            float(glass.law.mean),
            f"at most {values['coupling_mean'][0]:.6g} at this temperature",
            "the ferromagnet is stable in any field there",
        )
    return {"field": (field, values["field"][1]), "field_per_site": (field, values["field_per_site"][1])}


def _gaussian_line(dim: int, reduced: float) -> dict[str, float]:
    r"""Return field (in units of :math:`JR/\sqrt D`) and overlap: the replicon fixes the variance of the whole field."""
    if reduced == 0.0:
        return {"field": 1.0 / math.sqrt(dim - 2.0), "overlap": 1.0, "residual": 0.0}
    if reduced == 1.0:
        return {"field": 0.0, "overlap": 0.0, "residual": 0.0}
    site = Site(dim, 1.0 / reduced)

    def gap(x: float) -> float:
        return -math.log(dim * site.tau**2 * moments(dim, 0.0, math.exp(x)).stiffness)

    x = increasing_root(gap, math.log(2.0 * dim * (1.0 - reduced)))
    variance = math.exp(x)
    overlap = moments(dim, 0.0, variance).square
    noise = max(variance - dim * site.tau**2 * overlap, 0.0)
    return {"field": math.sqrt(noise / dim) * reduced, "overlap": overlap, "residual": gap(x)}


def _fixed_line(dim: int, reduced: float) -> dict[str, float]:
    """Return the same for a field of fixed length, over the root of D, and the mean along it."""
    if reduced == 0.0:
        return _cold_fixed_line(dim)
    if reduced == 1.0:
        return {"field": 0.0, "overlap": 0.0, "mean": 0.0, "residual": 0.0}
    tau = 1.0 / reduced

    def solve(x: float) -> tuple[float, Moments]:
        site = Site(dim, tau, pulls=((1.0, math.exp(x)),))
        overlap = site.overlap()
        return overlap, site.moments(overlap)

    def gap(x: float) -> float:
        return -math.log(max(dim * tau**2 * solve(x)[1].stiffness, 1e-300))

    if dim > 2:  # the two laws of the field become one as D grows
        guess, step = _gaussian_line(dim, reduced)["field"], 0.5 / dim
    else:
        guess, step = math.sqrt(4.0 / (dim + 2.0)) * (1.0 - reduced) ** 1.5, 0.25
    x = increasing_root(gap, math.log(guess * dim * tau), step)
    overlap, found = solve(x)
    return {
        "field": math.exp(x) / (dim * tau),
        "overlap": overlap,
        "mean": found.mean,
        "residual": max(abs(gap(x)), abs(found.square - overlap)),
    }


def _cold_fixed_line(dim: int) -> dict[str, float]:
    r"""Return the line at T = 0: :math:`1=J^2R^2\frac{D-1}DE[H^{-2}]` with :math:`\mathbf H=\frac{JR}{\sqrt D}\mathbf z+\mathbf h`."""

    def gap(x: float) -> float:
        rho, weight = radial_rule(np.array([math.exp(x)]), np.ones(1), dim)
        return -math.log((dim - 1) * float(weight[0] @ rho[0] ** -2.0))

    x = increasing_root(gap, 0.5 * math.log(dim / (dim - 2.0)))
    return {"field": math.exp(x) / math.sqrt(dim), "overlap": 1.0, "mean": 1.0, "residual": gap(x)}


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

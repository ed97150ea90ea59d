"""The line of Gabay and Toulouse: the temperature at which the transverse components freeze in a uniform field."""

from __future__ import annotations

import contextlib
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from glassformer._core._errors import invalid
from glassformer._core._status import Status, attach_evidence
from glassformer._core._validation import FloatArray, as_number
from glassformer.theory.replica._longitudinal import Longitudinal, longitudinal

if TYPE_CHECKING:
    import xarray as xr

    from glassformer.models import VectorGlass

STRONGEST = 7.0
"""Fields above this multiple of J R are refused: the line falls as exp(-h^2 / 4 J^2 R^2), and rounding grows as its inverse."""
_ROUGH, _TIGHT = 1e-6, 1e-12  # residuals on the way and at the end


@dataclass(frozen=True, slots=True)
class GabayToulouse:
    r"""The temperature on the Gabay-Toulouse line of a `VectorGlass` in a uniform field, for :math:`D\ge2`.

    Above the line only the component L along the field has an overlap; on it the transverse ones freeze,

    .. math:: 1=\beta^2J^2E\big[\langle S_T^2\rangle^2\big],\qquad
              p(\mathbf S)\propto\exp\Big[\beta(J\sqrt{q_L}z+h)S_L+\tfrac{\beta^2J^2}2(p_L-q_L-p_T)S_L^2\Big],

    :math:`q_L=E\langle S_L\rangle^2`, :math:`p_L=E\langle S_L^2\rangle`, :math:`p_T=(R^2-p_L)/(D-1)`. The quadrupolar term
    changes the line at lowest order, :math:`1-T/T_c=\frac{D^2+4D+2}{4(D+2)^2}\frac{Dh^2}{J^2R^2}`. No stable
    replica-symmetric solution exists below the line.

    Parameters
    ----------
    field : float
        The length h of the uniform field (not per component). The glass must have ``field=0, field_law="uniform"``.

    References
    ----------
    Gabay and Toulouse 1981, Phys. Rev. Lett. 47, 201; the expansion is derived here.

    Examples
    --------
    >>> import glassformer as gf
    >>> glass = gf.VectorGlass(dim=3, radius="sqrt_d", field_law="uniform")
    >>> round(float(gf.solve(glass, gf.GabayToulouse(0.5)).temperature), 4)
    0.9657
    """

    field: float

    citations: ClassVar[tuple[str, ...]] = ("gabay1981", "glassformer")

    def __post_init__(self) -> None:
        as_number("field", self.field, minimum=0.0)

    def solve_glass(self, glass: VectorGlass) -> xr.Dataset:
        """Return the point of the line as scalars; `glassformer.solve` calls this."""
        import xarray as xr

        clock = time.perf_counter()
        unit, dim, r = float(glass.law.scale) * glass.r, glass.dim, glass.r
        if unit == 0.0:
            raise invalid("the scale of the couplings", 0.0, "> 0 for a glass")
        if self.field > STRONGEST * unit:
            raise invalid("field", float(self.field), f"at most {STRONGEST:g} J R = {STRONGEST * unit:.6g}")
        reduced, found, residual = _line(dim, self.field / unit)
        values = {
            "temperature": (reduced * glass.critical_temperature, "energy"),
            "field_per_site": (float(self.field), "energy / length"),
            "magnetization": (r * found.mean, "length, along the field"),
            "overlap_longitudinal": (r * r * found.overlap, "length^2"),
            "square_longitudinal": (r * r * (found.overlap + found.variance), "length^2"),
            "square_transverse": (r * r * found.rest / (dim - 1), "length^2"),
            "critical_temperature": (glass.critical_temperature, "energy"),
            "residual": (residual, "1"),
        }
        return attach_evidence(
            xr.Dataset({name: ((), value, {"units": units}) for name, (value, units) in values.items()}),
            status=Status.CONVERGED if residual < 1e-8 else Status.NOT_CONVERGED,
            method="GabayToulouse",
            wall_time=time.perf_counter() - clock,
            citations=tuple(dict.fromkeys((*glass.citations, *self.citations))),
            field=float(self.field),
            residual=residual,
        )


def _averages(dim: int, field: float, unknowns: FloatArray) -> tuple[Longitudinal, FloatArray]:
    r"""Return the averages at (log tau, log y/(1-y), log c), and by how much the three equations fail.

    :math:`\tau=T_c/T`, :math:`y=q_L/R^2`, :math:`c=(p_L-q_L)/R^2`, and the field in units of JR. The quadrupolar term is
    a small difference of c and :math:`p_T`, and y tends to 1 in strong fields: hence these unknowns.
    """
    tau, odds, c = np.exp(unknowns)
    scale = (dim * tau) ** 2
    quadrupole = 0.5 * scale * ((1.0 / (1.0 + odds) - c) / (dim - 1) - c)
    found = longitudinal(dim, dim * tau * field, scale * odds / (1.0 + odds), max(quadrupole, 0.0))
    right = (1.0 / (dim * math.sqrt(found.transverse)), found.overlap / (found.rest + found.variance), found.variance)
    return found, np.log(right) - unknowns


def _line(dim: int, field: float) -> tuple[float, Longitudinal, float]:
    """Return T / T_c, the averages there, and the residual, by Newton's method along growing fields."""
    if field == 0.0:
        return 1.0, Longitudinal(0.0, 1.0 - 1.0 / dim, 1.0 / dim, 1.0 / dim**2, 0.0, 0.0), 0.0
    at = min(field, 0.3 / math.sqrt(dim))
    unknowns = np.array(
        [at**2, math.log(at / math.sqrt(dim)), -math.log(dim)]
    )  # right at small fields up to factors of order 1
    with contextlib.suppress(ArithmeticError):  # the residual says that there is no solution
        unknowns = _newton(dim, at, unknowns, _ROUGH)
        unknowns = _newton(dim, field, _follow(dim, at, field, unknowns), _TIGHT)
    found, gaps = _averages(dim, field, unknowns)
    return math.exp(-unknowns[0]), found, float(np.abs(gaps).max())


def _follow(dim: int, at: float, field: float, unknowns: FloatArray) -> FloatArray:
    """Return the solution at `field`, roughly, from the one at the weaker field `at`."""
    step, slope = 2.0, np.zeros(3)
    while at < field:
        ahead = min(field, at * step)
        try:
            fresh = _newton(dim, ahead, unknowns + slope * math.log(ahead / at), _ROUGH)
        except ArithmeticError:
            step = math.sqrt(step)
            if step < 1.001:
                raise
            continue
        slope = (fresh - unknowns) / math.log(ahead / at)
        unknowns, at, step = fresh, ahead, min(2.0, step**1.5)
    return unknowns


def _newton(dim: int, field: float, unknowns: FloatArray, tolerance: float) -> FloatArray:
    """Return the solution near `unknowns`; raise ArithmeticError when it is not found."""
    x = unknowns.copy()
    gaps = _averages(dim, field, x)[1]
    central = False  # differences; the others are enough until the steps stop to help
    for _ in range(60):
        size = float(np.abs(gaps).max())
        if size < tolerance:
            return x
        move = -np.linalg.solve(_jacobian(dim, field, x, gaps, central), gaps)
        factor = min(1.0, 1.0 / float(np.abs(move).max()))
        for _ in range(3 if size < _ROUGH else 12):
            fresh = x + factor * move
            if math.exp(fresh[2]) < 1.0 / (1.0 + math.exp(fresh[1])):  # 1 - <x^2> is positive
                trial = _averages(dim, field, fresh)[1]
                if float(np.abs(trial).max()) < size:
                    x, gaps = fresh, trial
                    break
            factor *= 0.5
        else:
            if central and size < 1e-8:  # rounding: the caller sees the residual
                return x
            if central:
                raise ArithmeticError("Newton's method is stuck")
            central = True
    raise ArithmeticError("too many steps")


def _jacobian(dim: int, field: float, x: FloatArray, gaps: FloatArray, central: bool) -> FloatArray:
    columns = []
    for k in range(3):
        shift = np.zeros(3)
        shift[k] = 1e-5 if central else 1e-7
        ahead = _averages(dim, field, x + shift)[1]
        behind = _averages(dim, field, x - shift)[1] if central else gaps
        columns.append((ahead - behind) / (shift[k] * (2.0 if central else 1.0)))
    return np.stack(columns, axis=1)

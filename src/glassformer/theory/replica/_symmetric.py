"""The replica-symmetric solution of the vector glass at any number of components."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from scipy.optimize import brentq

from glassformer._core._status import Status, attach_evidence
from glassformer._core._validation import FloatArray, as_number
from glassformer.theory.replica._site import _TOLERANCE, Site
from glassformer.theory.replica._uniform import UniformSite

if TYPE_CHECKING:
    import xarray as xr

    from glassformer.models import VectorGlass

_STABLE = -1e-9  # a replicon above it is not negative beyond rounding
_UNSTABLE = "Replica symmetry is broken here (the replicon is negative): this is an approximation."
_FROZEN = "The transverse components are frozen here (the replicon is negative), which this solution leaves out."
_STEP = 2e-3  # of the differences that give the specific heat


@dataclass(frozen=True, slots=True)
class ReplicaSymmetric:
    r"""The replica-symmetric solution of a `VectorGlass`, for any D.

    A site feels the field :math:`\mathbf H=J\sqrt q\,\mathbf z+\mathbf x` (and :math:`J_0m` for D = 1), :math:`\mathbf z`
    normal, and with :math:`\kappa=\beta RH`

    .. math:: q=\frac{R^2}DE[A^2(\kappa)],\qquad
              -\beta f=\frac{\beta^2J^2D}4\Big(\frac{R^2}D-q\Big)^2+E[\ell_D(\kappa)]-\tfrac12\beta J_0m^2,

    .. math:: u=-\frac{\beta J^2D}2\Big[\Big(\frac{R^2}D\Big)^2-q^2\Big]-\tfrac12J_0m^2-E[\mathbf x\cdot\mathbf m],
              \qquad \mathrm{replicon}=1-\frac{J^2}DE\big[(\beta V_\parallel)^2+(D-1)(\beta V_\perp)^2\big].

    Where the replicon is negative the solution is unstable and only an approximation (energy and entropy are off by a few
    per cent, the entropy of few components is negative when cold): the status is ``out_of_range``. With several
    solutions (a ferromagnetic mean) the one of lowest free energy is returned. A mean needs D = 1. In a uniform field and
    for D > 1 only the component along the field has an overlap (with the quadrupolar term of `GabayToulouse`), and the
    replicon is that of the transverse ones, :math:`1-\beta^2J^2E[\langle S_T^2\rangle^2]`.

    Parameters
    ----------
    beta : float
        Inverse temperature.

    References
    ----------
    Sherrington and Kirkpatrick 1975, Phys. Rev. Lett. 35, 1792 (D = 1); de Almeida and Thouless 1978, J. Phys. A 11, 983;
    Sharma and Young 2010, Phys. Rev. E 81, 061115.

    Examples
    --------
    >>> import glassformer as gf
    >>> found = gf.solve(gf.VectorGlass(dim=3, radius="sqrt_d", field=1.0), gf.ReplicaSymmetric(2.0))
    >>> round(float(found.overlap), 4), bool(found.replicon > 0)
    (0.695, True)
    """

    beta: float

    citations: ClassVar[tuple[str, ...]] = ("sherrington1975", "almeida1978", "sharma2010")

    def __post_init__(self) -> None:
        as_number("beta", self.beta, minimum=0.0, next_step="for zero temperature pass a large one, such as 1e6")

    def solve_glass(self, glass: VectorGlass) -> xr.Dataset:
        """Return the solution as scalars; `glassformer.solve` calls this."""
        clock = time.perf_counter()
        beta, r, dim = float(self.beta), glass.r, glass.dim
        if dim > 1 and glass.field_law == "uniform" and beta * glass.field > 0.0:
            return self._solve_uniform(glass)
        site = site_of(glass, beta)
        q, mu = order_parameters(site)
        found = site.moments(q, mu)
        residual = max(abs(found.square - q), abs(found.mean - mu) if site.drive else 0.0)
        energy = site.scaled_energy(q, mu, found)
        free = site.scaled_free_energy(q, mu, found.complement)
        heat = _specific_heat(site, q, mu)
        along = site.drive or glass.field_law == "uniform"  # other fields have no common direction
        values = {
            "overlap": (q * (r * r / dim), "length^2"),
            "overlap_normalized": (q, "1"),
            "magnetization": (r * (found.mean if along else 0.0), "length"),
        }
        thermal = (energy, free, site.entropy(q, mu, found.complement), heat)
        return self._result(glass, values, thermal, site.replicon(found), residual, clock)

    def _solve_uniform(self, glass: VectorGlass) -> xr.Dataset:
        clock = time.perf_counter()
        beta, r, dim = float(self.beta), glass.r, glass.dim
        site = UniformSite(dim, beta * glass.critical_temperature, beta * r * glass.field_per_site)
        solution = site.solve()
        heat = implicit_heat(site.evaluate, np.array([solution.overlap, solution.variance]))
        values = {
            "overlap": (solution.overlap * (r * r / dim), "length^2"),
            "overlap_normalized": (solution.overlap, "1"),
            "magnetization": (r * solution.found.mean, "length, along the field"),
            "square_longitudinal": (r * r * (solution.overlap + solution.variance), "length^2"),
            "square_transverse": (r * r * solution.found.rest / (dim - 1), "length^2"),
        }
        thermal = (solution.energy, solution.free_energy, solution.energy - solution.free_energy, heat)
        return self._result(glass, values, thermal, solution.replicon, solution.residual, clock)

    def _result(
        self,
        glass: VectorGlass,
        values: dict[str, tuple[float, str]],
        thermal: tuple[float, float, float, float],
        replicon: float,
        residual: float,
        clock: float,
    ) -> xr.Dataset:
        import xarray as xr

        energy, free, entropy, heat = thermal
        over = 1.0 / self.beta if self.beta > 0 else 0.0  # u and f vanish at infinite temperature
        values |= {
            "energy": (over * energy, "energy per spin"),
            "free_energy": (over * free, "energy per spin, relative to independent spins"),
            "entropy": (entropy, "nats per spin, relative to independent spins"),
            "specific_heat": (heat, "nats per spin"),
            "replicon": (replicon, "1"),
            "critical_temperature": (glass.critical_temperature, "energy"),
            "residual": (residual, "1"),
        }
        stable = replicon >= _STABLE
        note = "" if stable else _UNSTABLE
        if not stable and "square_transverse" in values:
            note = _FROZEN
        return attach_evidence(
            xr.Dataset({name: ((), value + 0.0, {"units": unit}) for name, (value, unit) in values.items()}),
            status=Status.NOT_CONVERGED if residual > 1e-9 else Status.CONVERGED if stable else Status.OUT_OF_RANGE,
            method="ReplicaSymmetric",
            wall_time=time.perf_counter() - clock,
            citations=tuple(dict.fromkeys((*glass.citations, *self.citations))),
            beta=float(self.beta),
            residual=residual,
            note=note or None,
        )


def site_of(glass: VectorGlass, beta: float) -> Site:
    """Return the single-site problem of `glass` at one temperature, without dimensions."""
    pull = beta * glass.r * glass.field_per_site
    tau, drive = beta * glass.critical_temperature, beta * float(glass.law.mean) * glass.r**2 if glass.dim == 1 else 0.0
    noise = 0.0
    pulls: tuple[tuple[float, float], ...] = ((1.0, pull),)
    if glass.field_law == "gaussian":
        noise, pulls = pull / math.sqrt(glass.dim), ((1.0, 0.0),)
    elif glass.field_law == "sphere" and drive and pull:
        pulls = ((0.5, pull), (0.5, -pull))  # without a mean both signs are alike
    return Site(glass.dim, tau, drive, noise, pulls)


def order_parameters(site: Site) -> tuple[float, float]:
    r"""Return :math:`\hat q` and :math:`\mu` of lowest free energy."""
    if not site.drive:
        return site.overlap(), 0.0

    def gap(x: float) -> float:
        mu = math.exp(x)
        return site.moments(site.overlap(mu), mu).mean / mu - 1.0

    grid = np.concatenate((np.linspace(math.log(1e-9), math.log(0.2), 24), np.log(np.linspace(0.2, 1.0, 25)[1:])))
    values = [gap(float(x)) for x in grid]
    candidates = [] if any(pull > 0.0 and weight == 1.0 for weight, pull in site.pulls) else [0.0]
    candidates += [
        math.exp(brentq(gap, grid[k], grid[k + 1], **_TOLERANCE))
        for k in range(len(grid) - 1)
        if (values[k] > 0.0) != (values[k + 1] > 0.0)
    ]
    if not candidates:  # saturated to rounding
        candidates = [1.0]
    solutions = []
    for mu in candidates:
        q = site.overlap(mu)
        solutions.append((site.scaled_free_energy(q, mu, site.moments(q, mu).complement), q, mu))
    return min(solutions)[1:]


def _specific_heat(site: Site, q: float, mu: float) -> float:
    """Return du/dT; order parameters that vanish stay zero."""
    present = [k for k, value in enumerate((q, mu)) if value != 0.0]

    def evaluate(factor: float, at: FloatArray) -> FloatArray:
        orders = [0.0, 0.0]
        for k, value in zip(present, at):
            orders[k] = float(value)
        here = site.scaled(factor)
        found = here.moments(orders[0], orders[1])
        right = (found.square, found.mean)
        return np.array([here.scaled_energy(orders[0], orders[1], found), *(right[k] for k in present)])

    return implicit_heat(evaluate, np.array([(q, mu)[k] for k in present]))


def implicit_heat(evaluate: Callable[[float, FloatArray], FloatArray], x: FloatArray) -> float:
    r"""Return :math:`du/dT` by the implicit function theorem, at order parameters x > 0 that solve x = G(x).

    ``evaluate(factor, x)`` returns :math:`B=\beta u` and G at `factor` times the inverse temperature. With
    :math:`s=\log\beta`, :math:`du/dT=B-B_s-B_x\cdot x_s` and :math:`(1-G_x)x_s=G_s`. B and G are smooth where the solution is
    not (at :math:`T_c`), so their differences are safe.
    """

    def difference(along: int) -> FloatArray:
        def at(step: float) -> FloatArray:
            scale = np.ones(1 + x.size)
            scale[along] += step
            return evaluate(float(scale[0]), scale[1:] * x)

        return (8.0 * (at(_STEP) - at(-_STEP)) - (at(2 * _STEP) - at(-2 * _STEP))) / (12.0 * _STEP)

    by_beta = difference(0)
    heat = evaluate(1.0, x)[0] - by_beta[0]
    if x.size:
        by_order = np.stack([difference(1 + k) for k in range(x.size)], axis=1)  # logarithmic: x d/dx
        slope = by_order[1:] / x[:, None]
        heat -= by_order[0] @ np.linalg.solve(np.eye(x.size) - slope, by_beta[1:] / x)
    return float(heat)

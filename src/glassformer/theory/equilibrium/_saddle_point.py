"""The Boltzmann law of one sample as the number of components goes to infinity."""

from __future__ import annotations

import math
import time
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve, eigvalsh

from glassformer._core._errors import invalid
from glassformer._core._status import Status
from glassformer._core._validation import FloatArray
from glassformer.models import VectorSpin
from glassformer.theory.equilibrium._common import (
    check_parameters,
    equilibrium_dataset,
    inverse_and_log_det,
    symmetric_couplings,
)

if TYPE_CHECKING:
    import xarray as xr


_STAGE = 4.0  # ratio of successive temperatures on the way down


class _Point(NamedTuple):
    tau: FloatArray
    inverse: FloatArray  # (tau - beta J)^-1, the covariance of one component
    mean: FloatArray
    value: float
    gradient: FloatArray

    def residual(self, model: VectorSpin) -> float:
        return 2.0 * float(np.abs(self.gradient).max()) / model.r**2


@dataclass(frozen=True, slots=True)
class SaddlePoint:
    r"""Stanley's saddle point for one sample: minimise over :math:`t` with :math:`T-J\succ0` the convex function

    .. math:: \Phi(t)=\frac{\beta R^2}2\sum_it_i-\frac D2\log\det(T-J)+\frac\beta2\mathrm{Tr}\,\mathbf x^T(T-J)^{-1}\mathbf x .

    With :math:`M=(T-J)^{-1}`

    .. math:: \mathbf m=M\mathbf x,\quad \langle\mathbf s_i\cdot\mathbf s_j\rangle_c=\frac D\beta M_{ij},\quad
              \log Z=\Phi-\frac{ND}2\Big[1+\log\frac{\beta R^2}D\Big],\quad
              c=\frac{\beta^2}N\,\partial_\beta^2\log Z,

    :math:`\log Z` being relative to the uniform law (0 at :math:`\beta=0`). It is exact for :math:`D\to\infty` at fixed
    N, with an error of order 1/D; it needs symmetric couplings and ignores their diagonal.

    Parameters
    ----------
    beta : float
        Inverse temperature, at least 0.
    tolerance : float
        Largest departure of :math:`\langle\mathbf s_i^2\rangle` from :math:`R^2`, in units of :math:`R^2`.
    max_iterations : int
        Newton steps; about 10 are needed.

    Notes
    -----
    The code works with :math:`\tau=\beta t`, which stays finite at :math:`\beta=0`. Cost :math:`O(N^3+N^2D)` per step.
    Without fields the mean is 0 at every temperature: the rotation of all spins is averaged over.

    References
    ----------
    Stanley 1968, Phys. Rev. 176, 718.

    Examples
    --------
    >>> import glassformer as gf
    >>> model = gf.VectorSpin(gf.SherringtonKirkpatrick().sample(n=20, seed=1), gf.sphere_fields(20, dim=64, seed=2))
    >>> answer = gf.solve(model, SaddlePoint(beta=2.0))
    >>> answer.attrs["status"], bool(answer.attrs["iterations"] < 12)
    ('converged', True)
    """

    beta: float
    _: KW_ONLY
    tolerance: float = 1e-10
    max_iterations: int = 100

    citations: ClassVar[tuple[str, ...]] = ("stanley1968",)

    def __post_init__(self) -> None:
        check_parameters(self.beta, self.tolerance, self.max_iterations)

    def solve(self, model: VectorSpin, *, start: Any = None, steps: int | None = None) -> xr.Dataset:
        """Return the moments and the thermodynamics; the answer is unique, so `start` and `steps` are refused."""
        couplings = symmetric_couplings(model, self, steps)
        if start is not None:
            raise invalid("start", start, "left out for SaddlePoint, whose solution is unique")
        clock = time.perf_counter()
        point, residual, iterations, status = self._minimise(model, couplings)
        n, dim, radius = model.n, model.dim, model.r
        log_z = point.value - 0.5 * n * dim * (1.0 + math.log(radius**2 / dim))
        return equilibrium_dataset(
            model,
            self,
            magnetization=point.mean,
            correlation=dim * point.inverse,
            log_z=log_z,
            specific_heat=self._specific_heat(model, point),
            status=status,
            residual=residual,
            iterations=iterations,
            wall_time=time.perf_counter() - clock,
            note="Exact as the number of components grows; the error is of order 1/D.",
        )

    def _minimise(self, model: VectorSpin, couplings: FloatArray) -> tuple[_Point, float, int, Status]:
        n, scale = model.n, model.dim / model.r**2
        edge = float(eigvalsh(couplings, subset_by_index=[n - 1, n - 1])[0])
        strongest = float(np.linalg.norm(model.fields, axis=1).max()) / model.r
        # -log det is a barrier whose weight falls as beta grows: follow the minimum down in temperature, as interior
        # point methods do, from where the start below is good; each stage then needs a few Newton steps only.
        stages = [self.beta]
        while stages[-1] * (edge + strongest) > 2.0 * scale:
            stages.append(stages[-1] / _STAGE)
        t = edge + strongest + scale / stages[-1] if stages[-1] > 0 else 0.0
        tau = np.full(n, stages[-1] * t if stages[-1] > 0 else scale)
        point, total, status, residual = None, 0, Status.NOT_CONVERGED, math.inf
        for previous, beta in zip([None, *stages[::-1]], stages[::-1]):
            if previous is not None and point is not None:
                tau = point.tau * (beta / previous)
            last = beta == self.beta
            point = _evaluate(model, beta, couplings, tau)
            assert point is not None  # T - J is positive definite at the start, and scaling keeps it so
            for _ in range(self.max_iterations):
                residual = point.residual(model)
                rounding = (
                    4.0 * np.finfo(np.float64).eps * float(np.abs(point.tau).max() * np.diag(point.inverse).max())
                )
                if residual <= (max(self.tolerance, rounding) if last else 0.1):
                    status = Status.CONVERGED if last else status
                    break
                fresh = _newton_step(model, beta, couplings, point)
                if fresh is None:
                    break
                point, total = fresh, total + 1
        assert point is not None
        return point, point.residual(model), total, status

    def _specific_heat(self, model: VectorSpin, point: _Point) -> float:
        r"""Return :math:`c=\frac1N[\frac{ND}2-\beta^2\mathbf g^TH^{-1}\mathbf g]` at constant fields.

        In the variables t, :math:`g_i=\partial_\beta\partial_{t_i}\Phi=\frac12(R^2-m_i^2)` and the Hessian is that of
        :math:`\tau` times :math:`\beta^2`.
        """
        g = 0.5 * (model.r**2 - np.einsum("ia,ia->i", point.mean, point.mean))
        try:
            solved = cho_solve(cho_factor(_hessian(model, point)), g)
        except LinAlgError:  # so cold that the Hessian is singular to rounding; the status says so
            return math.nan
        return 0.5 * model.dim - float(g @ solved) / model.n


def _evaluate(model: VectorSpin, beta: float, couplings: FloatArray, tau: FloatArray) -> _Point | None:
    found = inverse_and_log_det(np.diag(tau) - beta * couplings)
    if found is None:
        return None
    inverse, log_det = found
    drive = beta * model.fields
    mean = inverse @ drive
    value = 0.5 * model.r**2 * tau.sum() - 0.5 * model.dim * log_det + 0.5 * float(np.sum(drive * mean))
    gradient = 0.5 * (model.r**2 - model.dim * np.diag(inverse) - np.einsum("ia,ia->i", mean, mean))
    return _Point(tau, inverse, mean, value, gradient)


def _hessian(model: VectorSpin, point: _Point) -> FloatArray:
    return point.inverse * (0.5 * model.dim * point.inverse + point.mean @ point.mean.T)


def _newton_step(model: VectorSpin, beta: float, couplings: FloatArray, point: _Point) -> _Point | None:
    """Return the first point along the Newton direction that is inside the domain and lower, or nearer to stationary."""
    try:
        direction = -cho_solve(cho_factor(_hessian(model, point)), point.gradient)
    except LinAlgError:
        return None
    slope = float(point.gradient @ direction)
    size = 1.0
    while size > 1e-12:
        fresh = _evaluate(model, beta, couplings, point.tau + size * direction)
        if fresh is not None:
            # close to the minimum the value no longer resolves the step, the gradient does
            nearer = np.abs(fresh.gradient).max() < 0.5 * np.abs(point.gradient).max()
            if nearer or fresh.value <= point.value + 1e-4 * size * slope:
                return fresh
        size *= 0.5
    return None

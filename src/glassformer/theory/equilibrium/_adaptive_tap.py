"""Adaptive TAP: the reaction of each spin's surroundings fixed by self-consistency instead of an assumed law of J."""

from __future__ import annotations

import math
import time
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from glassformer._core._errors import invalid
from glassformer._core._responses import RESPONSES, Response, field_of_mean
from glassformer._core._responses import response as make_response
from glassformer._core._status import Status
from glassformer._core._validation import FloatArray, as_choice, as_float_array
from glassformer.models import VectorSpin
from glassformer.theory.closures._common import symmetry_note
from glassformer.theory.equilibrium._common import (
    check_parameters,
    equilibrium_dataset,
    inverse_and_log_det,
    symmetric_couplings,
)

if TYPE_CHECKING:
    import xarray as xr

_PATIENCE = 25
_SMALLEST_MIXING = 1.0 / 128.0


class _Point(NamedTuple):
    """One iterate. ``b`` and ``a`` determine the rest; everything is scaled by beta."""

    b: FloatArray  # (site, component): theta + a m = beta (x + J m) at the solution
    a: FloatArray  # (site,): beta^2 lambda
    kappa: FloatArray
    mean: FloatArray
    root: FloatArray  # sqrt(V)
    kernel: FloatArray  # (1 + sqrt(V) (a - beta J) sqrt(V))^-1
    log_det: float  # of the inverse of the kernel


class _Anderson:
    """Anderson's extrapolation of a fixed-point iteration from its last few steps."""

    def __init__(self, memory: int = 8) -> None:
        self.memory = memory
        self.states: list[FloatArray] = []
        self.steps: list[FloatArray] = []

    def propose(self, state: FloatArray, step: FloatArray, mixing: float) -> FloatArray:
        self.states = [*self.states[-self.memory :], state]
        self.steps = [*self.steps[-self.memory :], step]
        if len(self.states) == 1:
            return state + mixing * step
        d_state, d_step = np.diff(self.states, axis=0), np.diff(self.steps, axis=0)
        gram = d_step @ d_step.T
        gram[np.diag_indices_from(gram)] *= 1.0 + 1e-10
        weights = np.linalg.lstsq(gram, d_step @ step, rcond=None)[0]
        return state + mixing * step - weights @ (d_state + mixing * d_step)


@dataclass(frozen=True, slots=True)
class AdaptiveTAP:
    r"""Opper and Winther's adaptive TAP equations for vector spins of any dimension, with symmetric couplings:

    .. math:: \mathbf m_i=\varphi\Big(\mathbf x_i+\sum_jJ_{ij}\mathbf m_j-\beta\lambda_i\mathbf m_i\Big),\qquad
              V_i=\frac{R^2-m_i^2}D=\frac1\beta\big[(\Lambda-J)^{-1}\big]_{ii},\qquad
              \Lambda_i=\beta\lambda_i+\frac1{\beta V_i} .

    Then :math:`\langle\mathbf s_i\cdot\mathbf s_j\rangle_c=\frac D\beta[(\Lambda-J)^{-1}]_{ij}` and, relative to the
    uniform law,

    .. math:: \log Z=\sum_i\Big[\tfrac{\beta^2}2\lambda_iR^2+\ell(\kappa_i)\Big]
              -\tfrac D2\log\det\big[V^{1/2}(\beta\Lambda-\beta J)V^{1/2}\big]
              +\tfrac\beta2\mathrm{Tr}\,\mathbf m^T(\beta\lambda-J)\mathbf m ,

    which is stationary at the solution, so that the energy is its derivative. No law of the couplings is assumed; every
    spin is assumed to see many others, and its fluctuations to be isotropic (:math:`V=\mathrm{Tr}V/D`).

    Parameters
    ----------
    beta : float
        Inverse temperature, at least 0.
    response : {"exact", "amos", "large_d"}
        The function A in :math:`\varphi`.
    tolerance : float
        Largest defect of the two equations, in units of R and :math:`R^2`.
    max_iterations : int

    Notes
    -----
    The first equation is solved by Newton steps, the second by the cavity form
    :math:`\beta\lambda_i\leftarrow\beta[JGJ-(JG)_{ii}^2/G_{ii}]_{ii}` with :math:`G=\beta^{-1}(\Lambda-J)^{-1}` kept
    positive definite; both together are extrapolated by Anderson's method, and damped when they do not progress. Cost :math:`O(N^3+N^2D)` per iteration. Deep in a
    glass (D = 1, :math:`T\ll T_c`) there may be many solutions or none that is found; the status says so.

    References
    ----------
    Opper and Winther 2001, Phys. Rev. E 64, 056131.

    Examples
    --------
    >>> import glassformer as gf
    >>> model = gf.VectorSpin(gf.SherringtonKirkpatrick().sample(n=16, seed=1), gf.sphere_fields(16, dim=3, seed=2))
    >>> answer = gf.solve(model, AdaptiveTAP(beta=2.0))
    >>> answer.attrs["status"], bool(answer["residual"] < 1e-10)
    ('converged', True)
    """

    beta: float
    _: KW_ONLY
    response: str = "exact"
    tolerance: float = 1e-10
    max_iterations: int = 2000

    citations: ClassVar[tuple[str, ...]] = ("opper2001", "anderson1965")

    def __post_init__(self) -> None:
        check_parameters(self.beta, self.tolerance, self.max_iterations)
        as_choice("response", self.response, RESPONSES)

    def solve(
        self, model: VectorSpin, *, start: str | npt.ArrayLike | None = None, steps: int | None = None
    ) -> xr.Dataset:
        r"""Return the moments and the thermodynamics, from :math:`\mathbf m=0`, ``"fields"`` or given means."""
        couplings = self.beta * symmetric_couplings(model, self, steps)
        respond = make_response(self.response, model.dim)
        clock = time.perf_counter()
        point, residual, iterations, status, mixing = self._iterate(model, couplings, respond, start)
        dim, radius = model.dim, model.r
        excess = np.diag(point.a) - couplings
        log_z = float(np.sum(0.5 * point.a * radius**2 + respond.log_normalizer(point.kappa)))
        log_z += -0.5 * dim * point.log_det + 0.5 * float(np.sum(point.mean * (excess @ point.mean)))
        covariance = dim * point.kernel * np.outer(point.root, point.root)
        np.fill_diagonal(covariance, radius**2 - np.einsum("ia,ia->i", point.mean, point.mean))
        return equilibrium_dataset(
            model,
            self,
            magnetization=point.mean,
            correlation=covariance,
            log_z=log_z,
            specific_heat=None,
            status=status,
            residual=residual,
            iterations=iterations,
            wall_time=time.perf_counter() - clock,
            note=symmetry_note(model, point.mean),
            mixing=mixing,
            response=self.response,
        )

    def _starting_point(
        self, model: VectorSpin, couplings: FloatArray, respond: Response, start: str | npt.ArrayLike | None
    ) -> _Point:
        n, dim, radius = model.n, model.dim, model.r
        drive = self.beta * model.fields
        theta = drive  # the field of an isolated spin, also when `start` is None: means follow within one step
        if isinstance(start, str):
            as_choice("start", start, ("fields",))
        elif start is not None:
            means = as_float_array("start", start, ndim=(1, 2))
            means = means[:, None] if means.ndim == 1 else means
            if means.shape != (n, dim):
                raise invalid("the shape of start", np.shape(start), f"{(n, dim)} (site, component)")
            longest = float(np.linalg.norm(means, axis=1).max())
            if longest > radius * (1 + 1e-9):
                raise invalid("the largest length of start", longest, f"at most R = {radius:g}")
            shorten = 1.0 - 1e-6  # a definite state has no finite field
            theta = field_of_mean(respond, shorten * means / max(1.0, longest / radius), 1.0, radius)
        values = respond.evaluate(radius * np.linalg.norm(theta, axis=1))
        variance = radius**2 * (values.derivative + (dim - 1) * values.over_kappa) / dim
        mean = radius**2 * values.over_kappa[:, None] * theta
        # the TAP value; diagonal dominance where that is not positive definite
        for a in (couplings**2 @ variance, np.abs(couplings).sum(axis=1)):
            point = self._evaluate(model, couplings, respond, theta + a[:, None] * mean, a)
            if point is not None:
                return point
        raise AssertionError("a diagonally dominant matrix is positive definite")

    def _evaluate(
        self, model: VectorSpin, couplings: FloatArray, respond: Response, b: FloatArray, a: FloatArray
    ) -> _Point | None:
        radius = model.r
        length = np.linalg.norm(b, axis=1)
        kappa = _solve_site(respond, radius * length, radius**2 * a)
        values = respond.evaluate(kappa)
        gain = radius**2 * values.over_kappa
        mean = (gain / (1.0 + a * gain))[:, None] * b  # m = gain theta and theta = b - a m
        if self.response == "exact":
            variance = radius**2 * (values.derivative + (model.dim - 1) * values.over_kappa) / model.dim
        else:  # a closed form need not satisfy A' + (D-1) A / kappa = 1 - A^2, but the sphere does
            variance = radius**2 * (1.0 - values.ratio) * (1.0 + values.ratio) / model.dim
        root = np.sqrt(np.maximum(variance, 1e-200))
        found = inverse_and_log_det(np.eye(model.n) + np.outer(root, root) * (np.diag(a) - couplings))
        if found is None or not np.isfinite(mean).all():
            return None
        return _Point(b, a, kappa, mean, root, *found)

    def _iterate(
        self, model: VectorSpin, couplings: FloatArray, respond: Response, start: str | npt.ArrayLike | None
    ) -> tuple[_Point, float, int, Status, float]:
        drive = self.beta * model.fields
        point = self._starting_point(model, couplings, respond, start)
        history = _Anderson()
        accelerate, mixing, best, since = True, 1.0, math.inf, 0
        status = Status.NOT_CONVERGED
        iteration, best_point, best_residual = 0, point, math.inf
        for iteration in range(1, self.max_iterations + 1):  # noqa: B007
            defect = drive + couplings @ point.mean - point.b
            residual = self._residual(model, respond, point, defect)
            if residual < best_residual:
                best_point, best_residual = point, residual
            if residual <= self.tolerance:
                status = Status.CONVERGED
                break
            best, since = (residual, 0) if residual < 0.9 * best else (best, since + 1)
            if since == (_PATIENCE if accelerate else 4 * _PATIENCE) or residual > 1e3 * best_residual:
                # first a shorter extrapolated step, then plain damped iteration from the best point
                if mixing <= _SMALLEST_MIXING:
                    break
                accelerate, mixing = (
                    accelerate and mixing > 0.25,
                    0.5 * mixing if mixing > 0.25 or not accelerate else 0.5,
                )
                best, since, point, history = math.inf, 0, best_point, _Anderson()
                defect = drive + couplings @ point.mean - point.b
            change, move = self._changes(couplings, point, defect)
            # b is an inverse length and a its square: one vector needs one unit
            state = np.concatenate([point.b.ravel(), point.a * model.r])
            step = np.concatenate([change.ravel(), move * model.r])
            proposals = [state + mixing * 0.5**k * step for k in range(20)]
            if accelerate:
                proposals.insert(0, history.propose(state, step, mixing))
            for proposal in proposals:
                b = proposal[: point.b.size].reshape(point.b.shape)
                fresh = self._evaluate(
                    model, couplings, respond, b, np.maximum(proposal[point.b.size :] / model.r, 0.0)
                )
                if fresh is not None:
                    break
            if fresh is None:
                break
            point = fresh
        return best_point, best_residual, iteration, status, mixing

    @staticmethod
    def _changes(couplings: FloatArray, point: _Point, defect: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the changes of b and a that solve each equation, the other held fixed."""
        covariance = point.kernel * np.outer(point.root, point.root)
        # Newton for the means: (1/V + a - beta J) dm = defect and db = (1/V + a) dm
        change = point.kernel @ (point.root[:, None] * defect) / point.root[:, None]
        change += point.a[:, None] * (covariance @ defect)
        first = couplings @ covariance
        cavity = np.einsum("ij,ji->i", first, couplings) - np.diag(first) ** 2 / np.diag(covariance)
        return change, np.maximum(cavity, 0.0) - point.a

    def _residual(self, model: VectorSpin, respond: Response, point: _Point, defect: FloatArray) -> float:
        """Return the largest defect of the two equations for exactly the means of `point`."""
        theta = point.b + defect - point.a[:, None] * point.mean
        ratio = respond.ratio_over_kappa(model.r * np.linalg.norm(theta, axis=1))
        first = np.linalg.norm(model.r**2 * ratio[:, None] * theta - point.mean, axis=1).max() / model.r
        second = (point.root**2 * np.abs(np.diag(point.kernel) - 1.0)).max() * model.dim / model.r**2
        return float(max(first, second))


def _solve_site(respond: Response, target: FloatArray, strength: FloatArray) -> FloatArray:
    r"""Return :math:`\kappa\ge0` with :math:`\kappa+cA(\kappa)=` `target`, for `strength` c >= 0.

    The left side is increasing and concave, so Newton's method rises monotonically from any point below the root.
    """
    slope = float(respond.ratio_derivative(0.0))
    kappa = np.maximum(target / (1.0 + slope * strength), target - strength)
    kappa = np.maximum(kappa, 0.0)
    for _ in range(100):
        values = respond.evaluate(kappa)
        step = (target - kappa - strength * values.ratio) / (1.0 + strength * values.derivative)
        kappa = np.maximum(kappa + step, 0.0)
        if np.all(np.abs(step) <= 4e-16 * (kappa + strength)):
            break
    return kappa

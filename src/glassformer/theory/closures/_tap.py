"""The TAP equation at any number of components: second order of the Plefka expansion of the parallel process."""

from __future__ import annotations

import time
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import numpy as np

from glassformer._core._errors import invalid
from glassformer._core._responses import Response
from glassformer._core._responses import response as make_response
from glassformer._core._status import Status
from glassformer._core._validation import FloatArray, as_choice, as_count
from glassformer.models import VectorSpin
from glassformer.theory._fixed_point import FixedPoint, State, picard
from glassformer.theory.closures._common import (
    Recorder,
    SiteLaw,
    Start,
    check_parameters,
    directions_of,
    expansion_parameter,
    first_order_delayed,
    fixed_point_dataset,
    free_variance,
    law_in_fields,
    law_of_means,
    require_vector_spin,
    starting_means,
    symmetry_note,
)

if TYPE_CHECKING:
    import xarray as xr

    from glassformer.theory.closures._tap_bal2023 import PublishedTAP

VARIANTS = ("expanded", "bal2023")


@dataclass(frozen=True, slots=True)
class TAP:
    r"""The Thouless-Anderson-Palmer equation of the parallel process, expanded, for any number of components.

    .. math:: \boldsymbol\theta_i=\mathbf x_i+\sum_jJ_{ij}\mathbf m_j-\beta w_{\parallel,i}\mathbf m_i-\beta R\,\delta_i
              \Big[\mathbf u_i+\frac{\mathrm{Tr}W_i-Dw_{\parallel,i}}{2(1-\kappa_i\delta_i)}\hat h_i\Big],\qquad
              \mathbf m_i=\varphi(\boldsymbol\theta_i),

    with :math:`W_i=\sum_jJ_{ij}^2V_j`, :math:`w_\parallel=\hat h^TW\hat h`, :math:`\mathbf u=W\hat h-w_\parallel\hat h`.
    :math:`\mathbf m_j,V_j` belong to the time before; in the fixed point all times are one. For D = 1 this is
    :math:`\theta_i=x_i+\sum_jJ_{ij}m_j-\beta m_i\sum_jJ_{ij}^2(1-m_j^2)`.

    The error is of order :math:`J^3`. The series is truncated: above :math:`\beta\approx3` (couplings and fields of order
    one) the means shrink again instead of growing, while the equation is still solved to rounding. The result carries the
    ``expansion_parameter`` :math:`\frac{\beta^2}{ND}\sum_{ij}J_{ij}^2\mathrm{Tr}(V_iV_j)`; from 1 on the status is
    ``out_of_range``, a warning (Plefka 1982).

    Parameters
    ----------
    beta : float
        Inverse temperature, at least 0.
    response : {"exact", "amos", "large_d"}
        The function A; ``"exact"`` if left out.
    variant : {"expanded", "bal2023"}
        ``"bal2023"`` is the published form, for reproduction only: see the page of the method. It implies
        ``response="large_d"``.
    tolerance : float
        Largest change per iteration at which an equation counts as solved, relative to the field
        (``"bal2023"``: of a mean, in units of R).
    max_iterations : int
        Of a fixed point; the equation of one step of a transient gets at most 1000 (``"bal2023"``: 200).

    References
    ----------
    Thouless, Anderson and Palmer 1977, Phil. Mag. 35, 593; Plefka 1982, J. Phys. A 15, 1971; Roudi and Hertz 2011,
    arXiv:1103.1044; Bal 2023, Spin-Model Transformers.

    Examples
    --------
    >>> import glassformer as gf
    >>> model = gf.VectorSpin([[0.0, 0.5], [-0.5, 0.0]], [0.3, 0.1], dim=1, radius="unit")
    >>> gf.solve(model, gf.TAP(beta=1.0))["magnetization"].values.ravel().round(4).tolist()
    [0.2315, -0.0127]
    """

    beta: float
    _: KW_ONLY
    response: str = None  # type: ignore[assignment]  # a name once __post_init__ has run
    variant: str = "expanded"
    tolerance: float = 1e-12
    max_iterations: int = 20_000

    citations: ClassVar[tuple[str, ...]] = ("thouless1977", "plefka1982", "roudi2011", "bal2023")

    def __post_init__(self) -> None:
        as_choice("variant", self.variant, VARIANTS)
        published = self.variant == "bal2023"
        if self.response is None:
            object.__setattr__(self, "response", "large_d" if published else "exact")
        check_parameters(self.beta, self.response, self.tolerance, self.max_iterations)
        if published and self.response != "large_d":
            raise invalid(
                "response", self.response, "'large_d' for variant='bal2023'", "leave it out, or use variant='expanded'"
            )

    def solve(self, model: VectorSpin, *, start: Start = None, steps: int | None = None) -> xr.Dataset:
        """Return the fixed point reached from `start`, or the transient of `steps` steps."""
        from glassformer.theory.closures._tap_bal2023 import PublishedTAP

        model = require_vector_spin(model, self)
        respond = make_response(self.response, model.dim)
        means = starting_means(model, start, respond, self.beta)
        clock = time.perf_counter()
        equations: ExpandedTAP | PublishedTAP
        if self.variant == "bal2023":
            equations = PublishedTAP(model, self.beta)
        else:
            equations = ExpandedTAP(model, respond, self.beta)
        if steps is not None:
            return self._transient(model, equations, means, as_count("steps", steps, minimum=0), clock)
        found, law = equations.stationary(means, tolerance=self.tolerance, max_iterations=self.max_iterations)
        delayed = first_order_delayed(self.beta, model.couplings, law, law)
        parameter = expansion_parameter(self.beta, model.couplings, delayed, model.dim)
        dataset = fixed_point_dataset(
            model,
            self,
            found,
            magnetization=law.mean,
            correlation=np.diag(model.dim * free_variance(model, law.mean)),
            delayed=delayed,
            wall_time=time.perf_counter() - clock,
            note=(_warning(parameter), symmetry_note(model, law.mean)),
            variant=self.variant,
        )
        dataset["expansion_parameter"] = parameter
        return _mark(dataset, parameter)

    def _transient(
        self,
        model: VectorSpin,
        equations: ExpandedTAP | PublishedTAP,
        means: FloatArray,
        steps: int,
        clock: float,
    ) -> xr.Dataset:
        law = equations.law_of(means)
        recorder = Recorder(model, self.beta)
        worst, failed, status = 0.0, [], Status.OK
        parameters: list[float] = []
        for now in range(steps + 1):
            found, later = equations.next(law, tolerance=self.tolerance, max_iterations=equations.inner_iterations)
            worst = max(worst, found.residual)
            if not found.status.good:
                failed.append(now + 1)
                status = found.status if status is Status.OK else status
            correlation = np.diag(model.dim * free_variance(model, law.mean)) if recorder.matrices else None
            delayed = first_order_delayed(self.beta, model.couplings, later, law)
            parameters.append(expansion_parameter(self.beta, model.couplings, delayed, model.dim))
            recorder.add(law.mean, correlation, delayed)
            law = later
        note = (
            f"The equation had no solution within reach at {len(failed)} of {steps + 1} steps, first at step {failed[0]}."
            if failed
            else ""
        )
        dataset = recorder.dataset(
            self,
            status=status,
            wall_time=time.perf_counter() - clock,
            note=(note, _warning(max(parameters))),
            residual=worst,
            variant=self.variant,
            tolerance=self.tolerance,
        )
        dataset["expansion_parameter"] = ("time", np.array(parameters))
        return _mark(dataset, max(parameters))


def _warning(parameter: float) -> str:
    if parameter < 1.0:
        return ""
    return (
        f"The expansion parameter reaches {parameter:.3g}, and the series converges below 1 only: the equation is solved, "
        "but what it leaves out is not small. Compare with GramClosure, GaussianClosure or a simulation."
    )


def _mark(dataset: xr.Dataset, parameter: float) -> xr.Dataset:
    """Say in the status when the series has left its range; a truncated series fails without any other sign."""
    if parameter >= 1.0 and Status(dataset.attrs["status"]).good:
        dataset.attrs["status"] = Status.OUT_OF_RANGE.value
        dataset.attrs["status_sentence"] = Status.OUT_OF_RANGE.sentence
    return dataset


class NeighbourVariance(NamedTuple):
    r"""What the equation needs of :math:`W_i`, per site, seen along given unit vectors."""

    parallel: FloatArray  # (site,)
    trace: FloatArray  # (site,)
    across: FloatArray  # (site, component): W h - (h W h) h


def neighbour_variance(squares: FloatArray, law: SiteLaw, along: FloatArray) -> NeighbourVariance:
    r"""Contract :math:`W_i=\sum_jJ_{ij}^2[V_{\perp j}+\Delta_j\hat h_j\hat h_j^T]` with the unit vectors `along`.

    Costs :math:`O(N^2D)` through :math:`G_{ij}=\hat h_i\cdot\hat h_j`; no array with two component axes is built.
    """
    gram = along @ law.direction.T
    extra = law.parallel - law.perp
    weight = squares * (gram * extra)
    parallel = squares @ law.perp + np.einsum("ij,ij->i", weight, gram)
    trace = squares @ (law.parallel + (along.shape[1] - 1) * law.perp)
    pulled = weight @ law.direction
    across = pulled - np.einsum("ij,ij->i", weight, gram)[:, None] * along
    return NeighbourVariance(parallel, trace, across)


def anisotropic_reaction(
    respond: Response, kappa: FloatArray, along: FloatArray, around: NeighbourVariance, *, beta: float, radius: float
) -> FloatArray:
    r"""Return :math:`-\beta R\delta[\mathbf u+\frac{\mathrm{Tr}W-Dw_\parallel}{2(1-\kappa\delta)}\hat h]`; zero if D = 1."""
    dim = along.shape[1]
    if dim == 1:
        return np.zeros_like(along)
    values = respond.evaluate(kappa)
    # delta / (1 - kappa delta) = delta (A/kappa) / A', whose parts stay positive however large kappa is
    gain = 0.5 * values.delta * values.over_kappa / np.maximum(values.derivative, 1e-300)
    excess = around.trace - dim * around.parallel
    return -(beta * radius) * (values.delta[:, None] * around.across + (gain * excess)[:, None] * along)


def isotropic_field(
    respond: Response, drive: FloatArray, variance: FloatArray, *, beta: float, radius: float
) -> FloatArray:
    r"""Solve :math:`\theta+\beta wRA(\beta R\theta)=b` for :math:`\theta\ge0` at every site.

    The left side is concave and increasing, so Newton's method from a lower bound rises to the only solution; a step
    that rounding sends out of the bracket is replaced by bisection.
    """
    pull, scale = beta * radius * variance, beta * radius
    slope0 = respond.ratio_over_kappa(0.0)
    # A <= 1 and A <= A'(0) kappa bound the solution from below
    low = np.maximum(drive - pull, drive / (1.0 + pull * scale * slope0))
    high = drive.copy()
    theta = low.copy()
    for _ in range(200):
        values = respond.evaluate(scale * theta)
        excess = theta + pull * values.ratio - drive
        low, high = np.where(excess <= 0, theta, low), np.where(excess > 0, theta, high)
        slope = 1.0 + pull * scale * values.derivative
        fresh = theta - excess / slope
        fresh = np.where((fresh >= low) & (fresh <= high), fresh, 0.5 * (low + high))
        done = np.abs(fresh - theta) <= 4e-16 * (theta + drive / slope)  # the second is rounding of the excess
        theta = fresh
        if done.all():
            break
    return theta


class ExpandedTAP:
    r"""The boxed equation, with :math:`\boldsymbol\theta` as the unknown.

    The map :math:`\mathbf m\mapsto\boldsymbol\theta` diverges at the surface of the ball; its inverse does not.
    """

    inner_iterations = 1000

    def __init__(self, model: VectorSpin, respond: Response, beta: float) -> None:
        self.model, self.respond, self.beta = model, respond, beta
        self.squares = model.couplings**2
        # Below this field a spin responds linearly; relative changes are measured against at least this much.
        scale = beta * model.r
        self._floor = model.dim / scale if scale > 0 else np.inf

    def law_of(self, means: FloatArray) -> SiteLaw:
        """Return the law of independent spins with these means."""
        return law_of_means(self.respond, means, self.model.r)

    def law_at(self, theta: FloatArray) -> SiteLaw:
        """Return the law of independent spins in the fields `theta`."""
        return law_in_fields(self.respond, theta, self.beta, self.model.r)

    def _sweep(self, theta: FloatArray, before: SiteLaw) -> FloatArray:
        """Return the next iterate of theta when the neighbours have the law `before`."""
        model, beta, radius = self.model, self.beta, self.model.r
        along = directions_of(theta)
        around = neighbour_variance(self.squares, before, along)
        kappa = beta * radius * np.linalg.norm(theta, axis=-1)
        drive = model.fields + model.couplings @ before.mean
        drive += anisotropic_reaction(self.respond, kappa, along, around, beta=beta, radius=radius)
        strength = np.linalg.norm(drive, axis=-1)
        length = isotropic_field(self.respond, strength, around.parallel, beta=beta, radius=radius)
        return length[:, None] * directions_of(drive)

    def _distance(self, new: State, old: State) -> float:
        """Return the largest change of a field; bounds the change of the mean in units of R."""
        change = np.linalg.norm(new[0] - old[0], axis=-1)
        return float((change / (np.linalg.norm(old[0], axis=-1) + self._floor)).max())

    def stationary(self, means: FloatArray, *, tolerance: float, max_iterations: int) -> tuple[FixedPoint, SiteLaw]:
        """Solve the equation with all times equal, from the fields that `means` make."""
        theta = self.model.fields + self.model.couplings @ means
        found = picard(
            lambda state: (self._sweep(state[0], self.law_at(state[0])),),
            (theta,),
            distance=self._distance,
            tolerance=tolerance,
            max_iterations=max_iterations,
        )
        return found, self.law_at(found.state[0])

    def next(self, before: SiteLaw, *, tolerance: float, max_iterations: int) -> tuple[FixedPoint, SiteLaw]:
        """Solve the equation of one step, given the law of the step before."""
        drive = self.model.fields + self.model.couplings @ before.mean
        found = picard(
            lambda state: (self._sweep(state[0], before),),
            (drive,),
            distance=self._distance,
            tolerance=tolerance,
            max_iterations=max_iterations,
        )
        return found, self.law_at(found.state[0])

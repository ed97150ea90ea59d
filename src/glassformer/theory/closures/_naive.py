"""Naive mean field: every spin sees the means of the others."""

from __future__ import annotations

import time
from dataclasses import KW_ONLY, dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from glassformer._core._errors import invalid
from glassformer._core._responses import response as make_response
from glassformer._core._status import Status
from glassformer._core._validation import FloatArray, as_choice, as_count
from glassformer.models import VectorSpin
from glassformer.theory._fixed_point import FixedPoint, State, anderson, picard
from glassformer.theory.closures._common import (
    Recorder,
    SiteLaw,
    Start,
    check_parameters,
    first_order_delayed,
    fixed_point_dataset,
    free_variance,
    inside_sphere,
    largest_change,
    law_in_fields,
    law_of_means,
    require_vector_spin,
    starting_means,
    symmetry_note,
)
from glassformer.theory.closures._forward import forward_substitution
from glassformer.theory.closures._stability import MARGINAL, jacobian_eigenvalue

if TYPE_CHECKING:
    import xarray as xr

_RELAXED = 32  # steps of relaxation before acceleration, lest it go to a fixed point that relaxation avoids
SOLVERS = ("picard", "anderson", "forward")


@dataclass(frozen=True, slots=True)
class NaiveMeanField:
    r"""Naive mean field, the first order of the Plefka expansion of the parallel process.

    .. math:: \mathbf m_i(t)=\varphi\Big(\mathbf x_i+\sum_jJ_{ij}\mathbf m_j(t-1)\Big),\qquad
              L_{ij}=\beta J_{ij}\,\mathrm{Tr}(V_iV_j),

    with :math:`\varphi(\mathbf h)=RA(\beta R\lVert\mathbf h\rVert)\hat h` and V the covariance of a spin in its
    mean-field. To this order spins at equal times are independent. The error is of order :math:`J^2`; the cost of a
    step is :math:`O(N^2D)`.

    Parameters
    ----------
    beta : float
        Inverse temperature, at least 0.
    response : {"exact", "amos", "large_d"}
        The function A.
    tolerance : float
        Largest change of a mean per step, in units of R, at which a fixed point counts as found.
    max_iterations : int
    solver : {"picard", "anderson", "forward"}
        How to find the fixed point. ``"picard"`` repeats the step, with damping where that helps: a relaxation path, and the
        only solver of transients. ``"anderson"`` extrapolates from the last steps, after 32 of relaxation: faster where that
        is slow, and no path; should it end at a fixed point that relaxation leaves, a note says so. ``"forward"`` goes once over the sites: exact, for couplings
        without loops only (strictly causal masks; causal ones, whose diagonal costs a scalar equation a site).

    Raises
    ------
    MethodNotApplicableError
        For ``"forward"`` and couplings with a loop.

    References
    ----------
    Plefka 1982, J. Phys. A 15, 1971; Bal 2023, Spin-Model Transformers; Anderson 1965, J. ACM 12, 547.

    Examples
    --------
    >>> import glassformer as gf
    >>> model = gf.VectorSpin([[0.0, 0.5], [-0.5, 0.0]], [0.3, 0.1], dim=1, radius="unit")
    >>> gf.solve(model, gf.NaiveMeanField(beta=1.0))["magnetization"].values.ravel().round(4).tolist()
    [0.2742, -0.0371]
    """

    beta: float
    _: KW_ONLY
    response: str = "exact"
    tolerance: float = 1e-12
    max_iterations: int = 20_000
    solver: str = "picard"

    citations: ClassVar[tuple[str, ...]] = ("plefka1982", "bal2023")

    def __post_init__(self) -> None:
        check_parameters(self.beta, self.response, self.tolerance, self.max_iterations)
        as_choice("solver", self.solver, SOLVERS)

    def solve(self, model: VectorSpin, *, start: Start = None, steps: int | None = None) -> xr.Dataset:
        """Return the fixed point reached from `start`, or the transient of `steps` steps."""
        model = require_vector_spin(model, self)
        respond = make_response(self.response, model.dim)
        means = starting_means(model, start, respond, self.beta)
        clock = time.perf_counter()
        if steps is not None:
            if self.solver != "picard":
                raise invalid(
                    "solver", self.solver, "'picard' for a transient of steps", "the iterates of others are no path"
                )
            return self._transient(model, means, as_count("steps", steps, minimum=0), clock)
        if self.solver == "forward" and start is not None:
            raise invalid("start", start, "left out for solver='forward'", "it goes once over the sites")
        found = self.fixed_point(model, means)
        means = found.state[0]
        law = law_in_fields(respond, model.fields + model.couplings @ means, self.beta, model.r)
        return fixed_point_dataset(
            model,
            self,
            found,
            magnetization=means,
            correlation=np.diag(model.dim * free_variance(model, means)),
            delayed=first_order_delayed(self.beta, model.couplings, law, law),
            wall_time=time.perf_counter() - clock,
            note=(symmetry_note(model, means), self._stability_note(model, law)),
            cite=("anderson1965",) if self.solver == "anderson" else (),
            solver=self.solver,
        )

    def _stability_note(self, model: VectorSpin, law: SiteLaw) -> str:
        """Return a warning when acceleration has found what relaxation would have left."""
        if self.solver != "anderson":
            return ""
        radius = jacobian_eigenvalue(model, self.beta, law, without_loops=False).radius
        if not radius > MARGINAL:
            return ""
        return f"Relaxation leaves this fixed point (local radius {radius:.3g} > 1); solver='picard' follows it."

    def fixed_point(self, model: VectorSpin, means: FloatArray) -> FixedPoint:
        """Return the fixed point that `solver` finds from the means `means` (site, component)."""
        respond = make_response(self.response, model.dim)

        def step(state: State) -> State:
            fields = model.fields + model.couplings @ state[0]
            return (law_in_fields(respond, fields, self.beta, model.r).mean,)

        def distance(new: State, old: State) -> float:
            return largest_change(model.r, new[0], old[0])

        if self.solver == "forward":
            state = (forward_substitution(model, respond, self.beta),)
            residual = distance(step(state), state)
            status = Status.CONVERGED if residual <= self.tolerance else Status.NOT_CONVERGED
            return FixedPoint(state, status, residual, 1, note="Exact: every site acts on later ones only.")
        relaxed = self.max_iterations if self.solver == "picard" else min(_RELAXED, self.max_iterations)
        found = picard(step, (means,), distance=distance, tolerance=self.tolerance, max_iterations=relaxed)
        left = self.max_iterations - found.iterations
        if self.solver == "picard" or left == 0 or found.status is not Status.NOT_CONVERGED:
            return found
        quick = anderson(
            lambda now: step((now,))[0],
            found.state[0],
            distance=distance,
            tolerance=self.tolerance,
            max_iterations=left,
            keep_inside=lambda now: inside_sphere(now, model.r),
        )
        return replace(quick, iterations=found.iterations + quick.iterations)

    def _transient(self, model: VectorSpin, means: np.ndarray, steps: int, clock: float) -> xr.Dataset:
        respond = make_response(self.response, model.dim)
        law = law_of_means(respond, means, model.r)
        recorder = Recorder(model, self.beta)
        for _ in range(steps + 1):
            later = law_in_fields(respond, model.fields + model.couplings @ law.mean, self.beta, model.r)
            correlation = np.diag(model.dim * free_variance(model, law.mean)) if recorder.matrices else None
            recorder.add(law.mean, correlation, first_order_delayed(self.beta, model.couplings, later, law))
            law = later
        return recorder.dataset(self, status=Status.OK, wall_time=time.perf_counter() - clock)

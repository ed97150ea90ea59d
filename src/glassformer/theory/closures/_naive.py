"""Naive mean field: every spin sees the means of the others."""

from __future__ import annotations

import time
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from glassformer._core._responses import response as make_response
from glassformer._core._status import Status
from glassformer._core._validation import as_count
from glassformer.models import VectorSpin
from glassformer.theory._fixed_point import State, picard
from glassformer.theory.closures._common import (
    Recorder,
    Start,
    check_parameters,
    first_order_delayed,
    fixed_point_dataset,
    free_variance,
    largest_change,
    law_in_fields,
    law_of_means,
    require_vector_spin,
    starting_means,
    symmetry_note,
)

if TYPE_CHECKING:
    import xarray as xr


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

    References
    ----------
    Plefka 1982, J. Phys. A 15, 1971; Bal 2023, Spin-Model Transformers.

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

    citations: ClassVar[tuple[str, ...]] = ("plefka1982", "bal2023")

    def __post_init__(self) -> None:
        check_parameters(self.beta, self.response, self.tolerance, self.max_iterations)

    def solve(self, model: VectorSpin, *, start: Start = None, steps: int | None = None) -> xr.Dataset:
        """Return the fixed point reached from `start`, or the transient of `steps` steps."""
        model = require_vector_spin(model, self)
        respond = make_response(self.response, model.dim)
        means = starting_means(model, start, respond, self.beta)
        clock = time.perf_counter()
        if steps is not None:
            return self._transient(model, means, as_count("steps", steps, minimum=0), clock)

        def step(state: State) -> State:
            fields = model.fields + model.couplings @ state[0]
            return (law_in_fields(respond, fields, self.beta, model.r).mean,)

        found = picard(
            step,
            (means,),
            distance=lambda new, old: largest_change(model.r, new[0], old[0]),
            tolerance=self.tolerance,
            max_iterations=self.max_iterations,
        )
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
            note=(symmetry_note(model, means),),
        )

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

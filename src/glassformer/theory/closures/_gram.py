"""The Gram closure: exact kinetic theory of one sample as the number of components grows."""

from __future__ import annotations

import time
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from glassformer._core._responses import Response
from glassformer._core._responses import response as make_response
from glassformer._core._status import Status
from glassformer._core._validation import FloatArray, as_count
from glassformer.models import VectorSpin
from glassformer.theory._fixed_point import State, picard
from glassformer.theory._products import product, symmetric_product
from glassformer.theory.closures._common import (
    Recorder,
    Start,
    check_parameters,
    fixed_point_dataset,
    free_variance,
    largest_change,
    require_vector_spin,
    starting_means,
)

if TYPE_CHECKING:
    import xarray as xr

_MANY = 16  # components from which on the Gaussian closure is not worth its cost


@dataclass(frozen=True, slots=True)
class GramClosure:
    r"""Exact large-D kinetic theory at any N, any couplings and any temperature.

    As :math:`D\to\infty` the lengths of the local fields and all :math:`\mathbf s_i\cdot\mathbf s_j` concentrate, so
    means and covariances (C, per component) close:

    .. math:: \mathbf g=\mathbf x+J\mathbf m,\quad S=JCJ^T,\quad\bar h_i=\sqrt{g_i^2+DS_{ii}},\quad
              a_i=\frac{RA(\beta R\bar h_i)}{\bar h_i},

    .. math:: \mathbf m_i'=a_i\mathbf g_i,\quad C'_{ik}=a_ia_kS_{ik}\ (i\ne k),\quad C'_{ii}=\frac{R^2-m_i'^2}D,\quad
              L_{ik}=\langle\mathbf s_i'\cdot\mathbf s_k\rangle_c=Da_i(JC)_{ik}.

    Errors fall as 1/D. The cost of a step is :math:`O(N^3+N^2D)` with no inner solve; C stays positive semidefinite.

    Parameters
    ----------
    beta : float
        Inverse temperature, at least 0.
    response : {"exact", "amos", "large_d"}
        The function A.
    tolerance : float
        Largest change of a mean (units of R) or a covariance (units of :math:`R^2/D`) per step at which a fixed point
        counts as found.
    max_iterations : int

    Notes
    -----
    ``start=None`` is the paramagnet, :math:`\mathbf m=0,\ C=\frac{R^2}D1`; an array of spins of length R is a definite
    state, C = 0; shorter vectors are means of independent spins. Without fields the mean vanishes in the end, because a
    finite sample turns as a whole over a time proportional to N; order shows in C, and in transients shorter than that.

    For symmetric couplings ``response="large_d"`` obeys detailed balance to rounding (L is symmetric); the exact response
    breaks it in the order 1/D in which the closure is wrong anyway.

    References
    ----------
    Glassformer 2026; the derivation is on the page of the method.

    Examples
    --------
    >>> import glassformer as gf
    >>> model = gf.VectorSpin(gf.Asymmetric().sample(n=32, seed=1), gf.sphere_fields(32, dim=64, seed=2))
    >>> transient = gf.solve(model, gf.GramClosure(beta=2.0), steps=3)
    >>> dict(transient["magnetization"].sizes)
    {'time': 4, 'site': 32, 'component': 64}
    """

    beta: float
    _: KW_ONLY
    response: str = "exact"
    tolerance: float = 1e-12
    max_iterations: int = 20_000

    citations: ClassVar[tuple[str, ...]] = ("glassformer",)

    def __post_init__(self) -> None:
        check_parameters(self.beta, self.response, self.tolerance, self.max_iterations)

    def solve(self, model: VectorSpin, *, start: Start = None, steps: int | None = None) -> xr.Dataset:
        """Return the steady state reached from `start`, or the transient of `steps` steps."""
        model = require_vector_spin(model, self)
        respond = make_response(self.response, model.dim)
        means = starting_means(model, start, respond, self.beta)
        covariance = np.diag(free_variance(model, means))
        clock = time.perf_counter()
        update = GramStep(model, respond, self.beta)
        if steps is not None:
            recorder = Recorder(model, self.beta)
            for now in range(as_count("steps", steps, minimum=0) + 1):
                after = update(means, covariance, last=now == steps)
                recorder.add(means, model.dim * covariance if recorder.matrices else None, update.delayed)
                means, covariance = after
            clock = time.perf_counter() - clock
            return recorder.dataset(self, status=Status.OK, wall_time=clock, note=(_few_components(model.dim),))

        def distance(new: State, old: State) -> float:
            spread = float(np.abs(new[1] - old[1]).max()) * model.dim / model.r**2
            return max(largest_change(model.r, new[0], old[0]), spread)

        found = picard(
            lambda state: update(*state),
            (means, covariance),
            distance=distance,
            tolerance=self.tolerance,
            max_iterations=self.max_iterations,
            mix=mix_laws,
        )
        means, covariance = found.state
        update(means, covariance, last=True)  # the delayed correlation of exactly this state
        dataset = fixed_point_dataset(
            model,
            self,
            found,
            magnetization=means,
            correlation=model.dim * covariance,
            delayed=update.delayed,
            wall_time=time.perf_counter() - clock,
            note=(_few_components(model.dim),),
        )
        dataset["gain"] = ("site", update.gain)
        return dataset


def _few_components(dim: int) -> str:
    """Return a warning where the closure is off by more than a few percent and a better one is within reach."""
    if dim >= _MANY:
        return ""
    return f"Errors of the Gram closure are of order 1/D, and D = {dim}; the Gaussian closure is better for so few components."


def mix_laws(old: State, new: State, mixing: float) -> State:
    r"""Return (m, C) of the mixture of two laws: :math:`\bar C+\alpha(1-\alpha)\,\delta\mathbf m_i\cdot\delta\mathbf m_k/D`.

    Unlike a straight line it keeps :math:`C_{ii}=(R^2-m_i^2)/D`.
    """
    change = new[0] - old[0]
    means, spread = (a + mixing * (b - a) for a, b in zip(old, new))
    return means, spread + (mixing * (1.0 - mixing) / change.shape[1]) * (change @ change.T)


class GramStep:
    """One step on (m, C). Keeps the N x N buffers, and in ``delayed`` and ``gain`` the L and the a of the last step.

    The covariance that a step returns is overwritten by the step after the next.
    """

    def __init__(self, model: VectorSpin, respond: Response, beta: float) -> None:
        self.model, self.respond, self.beta = model, respond, beta
        self.delayed, self._scaled, self._first, self._second = (np.empty((model.n, model.n)) for _ in range(4))
        self.gain = np.empty(model.n)

    def __call__(
        self, means: FloatArray, covariance: FloatArray, *, last: bool = False
    ) -> tuple[FloatArray, FloatArray]:
        """Return the next (m, C); with `last`, only ``delayed`` and the next m are wanted and C stays as it is."""
        model, couplings = self.model, self.model.couplings
        drive = model.fields + couplings @ means
        product(couplings, covariance, out=self.delayed)
        variance = np.maximum(np.einsum("ij,ij->i", self.delayed, couplings), 0.0)  # S_ii; rounding only
        strength = np.sqrt(np.einsum("ia,ia->i", drive, drive) + model.dim * variance)
        # R A / h = beta R^2 (A / kappa), which needs no field
        gain = (self.beta * model.r**2) * self.respond.ratio_over_kappa(self.beta * model.r * strength)
        after, self.gain = gain[:, None] * drive, gain
        self.delayed *= (model.dim * gain)[:, None]
        if last:
            return after, covariance
        np.multiply(couplings, (gain / model.dim)[:, None], out=self._scaled)
        spread = self._second if covariance is self._first else self._first
        symmetric_product(self.delayed, self._scaled, out=spread)
        np.fill_diagonal(spread, free_variance(model, after))
        return after, spread

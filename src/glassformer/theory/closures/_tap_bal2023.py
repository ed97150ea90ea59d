"""The TAP equation as published in 2023, kept for reproduction; `_tap.py` holds the consistent second order."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from glassformer._core._responses import response as make_response
from glassformer._core._validation import FloatArray
from glassformer.models import VectorSpin
from glassformer.theory._fixed_point import FixedPoint, anderson
from glassformer.theory.closures._common import SiteLaw, largest_change, law_in_fields, law_of_means

# Iterates near or beyond the surface of the ball, where the map m -> theta diverges, are put back to this length (in
# units of R), or halfway between naive mean field and the surface if that is longer. Anderson acceleration does not
# recover from there: this is what makes the published solver scatter, and with no limit at all it fails from beta = 1 on.
_INSIDE = 0.9
_SURFACE = 1.0 - 1e-9
_MAX_ITERATIONS = 2000  # where it converges it needs a few hundred


class PublishedTAP:
    r"""The published second order, unknown :math:`\mathbf m`, large-D response.

    .. math:: \beta V_i\mathbf v_i+\tfrac12\varphi''_i:\big(\mathbf v_i\mathbf v_i^T+\tilde W_i\big)=0,\quad
              \mathbf v_i=-\boldsymbol\theta_i+\mathbf x_i+\sum_jJ_{ij}\mathbf m_j,\quad
              \tilde W_i=\sum_jJ_{ij}^2\Big[\frac1{1+\gamma_i}1-\frac{\mathbf m_j\mathbf m_j^T}{R^2\gamma_i}\Big]

    with :math:`\gamma_i` of the time before (written for :math:`R^2=D/2-1`). It differs from the consistent second order
    in the terms :math:`\mathbf v\mathbf v^T`, which are of higher order, and in :math:`\gamma_i` where :math:`\gamma_j`
    belongs. The unknown is found by Anderson acceleration of :math:`\mathbf m\leftarrow\mathbf m+` (left side).
    """

    inner_iterations = 200

    def __init__(self, model: VectorSpin, beta: float) -> None:
        self.model, self.beta = model, beta
        self.respond = make_response("large_d", model.dim)
        self.order = 0.5 * model.dim - 1.0  # the Bessel order, which is R^2 in the published convention
        self.squares = model.couplings**2

    def law_of(self, means: FloatArray) -> SiteLaw:
        """Return the law of independent spins with these means."""
        return law_of_means(self.respond, means, self.model.r)

    def _stiffness(self, means: FloatArray) -> FloatArray:
        r"""Return :math:`\gamma=(1+m^2/R^2)/(1-m^2/R^2)`."""
        square = np.minimum(np.einsum("ia,ia->i", means, means) / self.model.r**2, _SURFACE**2)
        return (1.0 + square) / (1.0 - square)

    def defect(self, means: FloatArray, before: FloatArray) -> FloatArray:
        """Return the left side of the equation at the mean `means`, with neighbours of mean `before`."""
        model, nu, radius = self.model, self.order, self.model.r
        length = np.linalg.norm(means, axis=-1)
        ratio = np.minimum(length / radius, _SURFACE)  # a neighbour, or a start, may lie on the surface
        # theta = phi^{-1}(m) = 2 nu m / (beta R^2 (1 - m^2/R^2))
        theta_over_m = 2.0 * nu / (self.beta * radius**2 * (1.0 - ratio) * (1.0 + ratio))
        gamma = self._stiffness(means)
        along = means / np.where(length > 0, length, 1.0)[:, None]
        perp = radius**2 / nu / (1.0 + gamma)
        parallel = perp / gamma
        velocity = model.fields + model.couplings @ before - theta_over_m[:, None] * means
        forward = np.einsum("ia,ia->i", velocity, along)

        old = self._stiffness(before)  # of site i, where the sum over j needs that of site j
        projection = along @ before.T
        weight = self.squares * projection / (nu * old)[:, None]
        row = self.squares.sum(axis=1) * (radius**2 / nu) / (1.0 + old)
        pulled = weight @ before
        w_parallel = row - np.einsum("ij,ij->i", weight, projection)
        trace = model.dim * row - self.squares @ np.einsum("ja,ja->j", before, before) / (nu * old)
        across = np.einsum("ij,ij->i", weight, projection)[:, None] * along - pulled

        along_velocity = forward[:, None] * along
        total_parallel = w_parallel + forward**2
        total_trace = trace + np.einsum("ia,ia->i", velocity, velocity)
        total_across = across + forward[:, None] * (velocity - along_velocity)
        # phi'' : W = [phi_3 w_par + bend (Tr W - w_par)] h + 2 bend u, with phi_3 = d^2 phi / dtheta^2
        curve, bend = self._curvature(gamma)
        second = (curve * total_parallel + bend * (total_trace - total_parallel))[:, None] * along
        second += 2.0 * bend[:, None] * total_across
        first = perp[:, None] * velocity + ((parallel - perp) * forward)[:, None] * along
        return self.beta * first + 0.5 * second

    def _curvature(self, gamma: FloatArray) -> tuple[FloatArray, FloatArray]:
        r"""Return :math:`\beta^2R^3A''` and :math:`\beta^2R^3\frac1\kappa(A'-\frac A\kappa)` at :math:`\kappa=\nu\sqrt{\gamma^2-1}`."""
        scale = self.beta**2 * self.model.r**3 / self.order**2
        kappa = np.sqrt((gamma - 1.0) * (gamma + 1.0))
        bend = -scale * kappa / (gamma * (1.0 + gamma) ** 2)
        return bend * (1.0 + 2.0 * gamma) / gamma**2, bend

    def _keeper(self, means: FloatArray) -> Callable[[FloatArray], FloatArray]:
        """Return the map that keeps iterates away from the surface, for a search that starts at `means`."""
        radius = self.model.r
        naive = law_in_fields(self.respond, self.model.fields + self.model.couplings @ means, self.beta, radius).mean
        limit = np.maximum(_INSIDE, 0.5 + 0.5 * np.linalg.norm(naive, axis=-1, keepdims=True) / radius)
        limit = np.minimum(limit, _SURFACE)

        def keep(iterate: FloatArray) -> FloatArray:
            length = np.linalg.norm(iterate, axis=-1, keepdims=True) / radius
            return iterate * np.minimum(1.0, limit / np.maximum(length, limit))

        return keep

    def _solve(
        self, means: FloatArray, before: FloatArray | None, *, tolerance: float, max_iterations: int
    ) -> tuple[FixedPoint, SiteLaw]:
        if self.beta == 0.0:  # no field has a mean other than zero
            start = np.zeros_like(means)
            found = anderson(lambda m: m, start, distance=self._distance, tolerance=1.0, max_iterations=1)
            return found, self.law_of(start)

        def step(state: FloatArray) -> FloatArray:
            return state + self.defect(state, state if before is None else before)

        keep = self._keeper(means)
        # Iterates beyond the region where the series means anything may overflow; the status then says so.
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            found = anderson(
                step,
                keep(means),
                distance=self._distance,
                tolerance=tolerance,
                max_iterations=min(max_iterations, _MAX_ITERATIONS),
                keep_inside=keep,
            )
        return found, self.law_of(found.state[0])

    def _distance(self, new: tuple[FloatArray, ...], old: tuple[FloatArray, ...]) -> float:
        return largest_change(self.model.r, new[0], old[0])

    def stationary(self, means: FloatArray, *, tolerance: float, max_iterations: int) -> tuple[FixedPoint, SiteLaw]:
        """Solve the equation with all times equal, from `means`."""
        return self._solve(means, None, tolerance=tolerance, max_iterations=max_iterations)

    def next(self, before: SiteLaw, *, tolerance: float, max_iterations: int) -> tuple[FixedPoint, SiteLaw]:
        """Solve the equation of one step from the means of the step before."""
        return self._solve(before.mean, before.mean, tolerance=tolerance, max_iterations=max_iterations)

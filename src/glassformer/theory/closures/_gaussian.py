"""The Gaussian closure: local fields are Gaussian, spins respond exactly; for few components."""

from __future__ import annotations

import math
import time
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from glassformer._core._errors import invalid
from glassformer._core._gaussian_averages import average_over_gaussian_field
from glassformer._core._responses import Response
from glassformer._core._responses import response as make_response
from glassformer._core._status import Status
from glassformer._core._validation import FloatArray, as_count, as_number
from glassformer.models import VectorSpin
from glassformer.theory._fixed_point import FixedPoint, State, picard
from glassformer.theory._products import product
from glassformer.theory.closures._common import (
    Recorder,
    Start,
    check_parameters,
    directions_of,
    fixed_point_dataset,
    free_variance,
    largest_change,
    require_vector_spin,
    starting_means,
)

if TYPE_CHECKING:
    import xarray as xr

_ARRAYS_IN_FLIGHT = 6


@dataclass(frozen=True, slots=True)
class GaussianClosure:
    r"""Second-moment closure of the parallel process in which every local field is Gaussian.

    The field of site i is :math:`\mathbf g_i+\sqrt{w_i}\boldsymbol\xi`, :math:`\mathbf g=\mathbf x+J\mathbf m`,
    :math:`w_i=\mathrm{Tr}S_{ii}/D`, :math:`S=JCJ^T`, with covariance blocks :math:`C_{ik}` of D x D components. With the
    averages F, :math:`K_\parallel`, :math:`K_\perp` of `average_over_gaussian_field`,

    .. math:: \mathbf m_i'=F_i\hat g_i,\quad C'_{ik}=K_iS_{ik}K_k^T\ (i\ne k),\quad L_{ik}=\mathrm{Tr}[K_i(JC)_{ik}],\quad
              K=K_\perp+(K_\parallel-K_\perp)\hat g\hat g^T .

    On site, :math:`E[s_\parallel^2]-F^2` along :math:`\hat g` and the rest of :math:`R^2` shared by the other directions.
    For D = 1 it is the Gaussian mean-field theory of the kinetic Ising model, exact for independent couplings as
    :math:`N\to\infty`; as D grows it becomes the Gram closure. A step costs :math:`O(N^3D^2)`, the memory is
    :math:`O(N^2D^2)`: meant for D up to about 16.

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
    memory_limit : float
        Bytes that the covariance blocks may take; above it the method refuses.

    References
    ----------
    Mezard and Sakellariou 2011, J. Stat. Mech. L07001; Aguilera, Moosavi and Shimazaki 2021, arXiv:2002.04309.

    Examples
    --------
    >>> import glassformer as gf
    >>> model = gf.VectorSpin([[0.0, 0.5], [-0.5, 0.0]], [0.3, 0.1], dim=1, radius="unit")
    >>> gf.solve(model, gf.GaussianClosure(beta=1.0))["magnetization"].values.ravel().round(4).tolist()
    [0.2374, -0.0156]
    """

    beta: float
    _: KW_ONLY
    response: str = "exact"
    tolerance: float = 1e-12
    max_iterations: int = 20_000
    memory_limit: float = 4e9

    citations: ClassVar[tuple[str, ...]] = ("mezard2011", "aguilera2021")

    def __post_init__(self) -> None:
        check_parameters(self.beta, self.response, self.tolerance, self.max_iterations)
        as_number("memory_limit", self.memory_limit, minimum=0.0)

    def memory(self, model: VectorSpin) -> float:
        """Return the bytes that the covariance blocks of `model` take, with the copies of one step."""
        return 8.0 * _ARRAYS_IN_FLIGHT * float(model.n * model.dim) ** 2

    def check_memory(self, model: VectorSpin) -> None:
        """Raise when the covariance blocks of `model` would not fit into `memory_limit`."""
        if self.memory(model) > self.memory_limit:
            raise invalid(
                f"the memory for covariance blocks at N = {model.n}, D = {model.dim}",
                f"{self.memory(model) / 1e9:.1f} GB",
                f"at most memory_limit = {self.memory_limit / 1e9:g} GB",
                "use GramClosure, which needs N^2 numbers and is the more accurate the larger D",
            )

    def solve(self, model: VectorSpin, *, start: Start = None, steps: int | None = None) -> xr.Dataset:
        """Return the steady state reached from `start`, or the transient of `steps` steps."""
        model = require_vector_spin(model, self)
        self.check_memory(model)
        respond = make_response(self.response, model.dim)
        means = starting_means(model, start, respond, self.beta)
        blocks = independent_blocks(model, means)
        clock = time.perf_counter()
        update = GaussianStep(model, respond, self.beta)
        if steps is not None:
            recorder = Recorder(model, self.beta)
            status, note = Status.OK, ""
            for now in range(as_count("steps", steps, minimum=0) + 1):
                if unphysical(model, blocks):
                    status, note = (
                        Status.NONFINITE,
                        f"The closure broke down at step {now}; the steps before are returned.",
                    )
                    break
                after = update(means, blocks)
                recorder.add(means, _trace(blocks) if recorder.matrices else None, update.delayed)
                means, blocks = after
            return recorder.dataset(
                self, status=status, wall_time=time.perf_counter() - clock, note=(note,), memory=self.memory(model)
            )

        found = self.steady_state(update, means, blocks)
        means, blocks = found.state
        update(means, blocks)  # the delayed correlation of exactly this state
        return fixed_point_dataset(
            model,
            self,
            found,
            magnetization=means,
            correlation=_trace(blocks),
            delayed=update.delayed,
            wall_time=time.perf_counter() - clock,
            memory=self.memory(model),
        )

    def steady_state(self, update: GaussianStep, means: FloatArray, blocks: FloatArray) -> FixedPoint:
        """Return the fixed point (m, C) that `update` reaches from (`means`, `blocks`)."""
        model = update.model

        def distance(new: State, old: State) -> float:
            if unphysical(model, new[1]):
                return math.inf
            spread = float(np.abs(new[1] - old[1]).max()) * model.dim / model.r**2
            return max(largest_change(model.r, new[0], old[0]), spread)

        return picard(
            lambda state: update(*state),
            (means, blocks),
            distance=distance,
            tolerance=self.tolerance,
            max_iterations=self.max_iterations,
            mix=mix_laws,
        )


def mix_laws(old: State, new: State, mixing: float) -> State:
    r"""Return (m, C) of the mixture of two laws, :math:`\bar C_{ik}+\alpha(1-\alpha)\,\delta\mathbf m_i\delta\mathbf m_k^T`."""
    change = (new[0] - old[0]).T
    means, blocks = (a + mixing * (b - a) for a, b in zip(old, new))
    blocks += mixing * (1.0 - mixing) * change[:, None, :, None] * change[None, :, None, :]
    return means, blocks


def independent_blocks(model: VectorSpin, means: FloatArray) -> FloatArray:
    """Return the covariance blocks of independent spins with these means."""
    blocks = np.zeros((model.dim, model.dim, model.n, model.n))
    for a in range(model.dim):
        np.fill_diagonal(blocks[a, a], free_variance(model, means))
    return blocks


def unphysical(model: VectorSpin, blocks: FloatArray) -> bool:
    """Whether a covariance is far above the R^2 that the sphere allows: the closure does not keep C positive."""
    return not float(np.abs(blocks).max()) <= 10.0 * model.r**2


def _trace(blocks: FloatArray) -> FloatArray:
    return np.einsum("aaik->ik", blocks)


class GaussianStep:
    """One step on (m, C), C as (component, component, site, site) so that every product is one of N x N matrices."""

    def __init__(self, model: VectorSpin, respond: Response, beta: float) -> None:
        self.model, self.respond, self.beta = model, respond, beta
        self.delayed = np.empty((model.n, model.n))

    def __call__(self, means: FloatArray, blocks: FloatArray) -> tuple[FloatArray, FloatArray]:
        model, couplings, dim = self.model, self.model.couplings, self.model.dim
        drive = model.fields + couplings @ means
        pulled = np.empty_like(blocks)  # (JC)
        for a in range(dim):
            for b in range(dim):
                product(couplings, blocks[a, b], out=pulled[a, b])
        spread = np.empty_like(blocks)  # S = J C J^T, with S^{ba} = (S^{ab})^T
        for a in range(dim):
            for b in range(a + 1):
                product(pulled[a, b], couplings.T, out=spread[a, b])
                if a == b:
                    spread[a, a] = 0.5 * (spread[a, a] + spread[a, a].T)
                else:
                    spread[b, a] = spread[a, b].T
        variance = np.maximum(np.einsum("aaii->i", spread), 0.0) / dim
        strength = np.linalg.norm(drive, axis=-1)
        averages = average_over_gaussian_field(self.respond, strength, variance, beta=self.beta, radius=model.r)
        unit = directions_of(drive)
        if dim > 1:
            # Where the mean field vanishes every direction is the same; the unit vector is then zero and K = K_perp.
            across, extra = averages.slope_perp, averages.slope_parallel - averages.slope_perp
        else:
            across, extra = averages.slope_parallel, np.zeros(model.n)
        columns = np.ascontiguousarray(unit.T)  # (component, site)
        along_rows = np.einsum("ai,bi,baik->ik", columns, columns, pulled, optimize=True)
        self.delayed = across[:, None] * np.einsum("aaik->ik", pulled) + extra[:, None] * along_rows

        # K_i S_ik K_k^T with K = K_perp + extra g g^T: one rank-one update per side
        projected = np.einsum("ci,cdik->dik", columns, spread)
        spread *= across[:, None]
        spread += (extra * columns)[:, None, :, None] * projected
        projected = np.einsum("cdik,dk->cik", spread, columns)
        spread *= across
        spread += projected[:, None] * (extra * columns)[None, :, None, :]

        after = averages.mean[:, None] * unit
        along = averages.second_parallel - averages.mean**2
        rest = (model.r**2 - averages.second_parallel) / max(dim - 1, 1)
        if dim > 1:
            still = strength == 0.0  # no direction is distinguished
            rest = np.where(still, model.r**2 / dim, rest)
            along = np.where(still, rest, along)
        sites = np.arange(model.n)
        for a in range(dim):
            for b in range(dim):
                isotropic = rest if a == b else 0.0
                if dim == 1:
                    spread[0, 0, sites, sites] = along
                else:
                    spread[a, b, sites, sites] = isotropic + (along - rest) * columns[a] * columns[b]
        return after, spread

"""Sums that a simulation streams into: nothing grows with the number of steps except what was asked to be stored.

Sums are kept per *unit*: per replica when there are several, per block of time when there is one. Units are what error
bars are made of. Correlations are kept per group of replicas, because a matrix per replica would cost too much.

Time is cut into fixed pieces: the ends of the time blocks, and runs of ``piece`` steps inside them. A piece is what one
call adds, so the rounding of every sum is the same however the run was chunked or interrupted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from glassformer._core._validation import FloatArray
from glassformer.models import VectorSpin
from glassformer.observables._measure import Measure

TIME_BLOCKS = 16  # units of a run with one replica
_MAX_GROUPS = 32
_MAX_GROUP_BYTES = 2**28
_PIECE_NUMBERS = 2**16  # half a megabyte of path per piece: stays in the second cache
_MAX_SERIES = 4_000_000
SCALARS = ("energy", "energy_square", "alignment", "alignment_square", "exchange", "external")


@dataclass(frozen=True)
class Layout:
    """How replicas and time are cut, a pure function of the sizes.

    Parameters
    ----------
    n, dim, replicas, steps, lanes : int
        Sites, components, replicas, measured steps, and replicas per tile of the dynamics.
    levels : int
        Temperatures that are measured side by side and share the memory.
    """

    n: int
    dim: int
    replicas: int
    steps: int
    lanes: int
    levels: int = 1

    @cached_property
    def time_blocks(self) -> int:
        """Blocks of time with sums of their own: halves, or `TIME_BLOCKS` when there is one replica."""
        return min(self.steps, TIME_BLOCKS if self.replicas == 1 else 2)

    @cached_property
    def edges(self) -> list[int]:
        """Steps at which the time blocks begin, and the last step."""
        return [self.steps * k // self.time_blocks for k in range(self.time_blocks + 1)]

    @cached_property
    def group_size(self) -> int:
        """Units per group: replicas (a power of two that divides a tile, or whole tiles), or blocks of a single one."""
        affordable = max(4, min(_MAX_GROUPS, _MAX_GROUP_BYTES // (16 * self.n**2 * self.levels)))
        wanted = -(-self.units // affordable)
        if self.replicas == 1:
            return wanted
        if wanted > self.lanes:
            return self.lanes * -(-wanted // self.lanes)
        size = 1
        while size < wanted:
            size *= 2
        return size

    @cached_property
    def groups(self) -> int:
        """Number of groups of correlations."""
        return -(-self.units // self.group_size)

    @property
    def units(self) -> int:
        """Independent parts of the run: replicas, or the blocks of time of a single one."""
        return self.time_blocks if self.replicas == 1 else self.replicas

    @property
    def group_bounds(self) -> list[int]:
        """Units at which the groups begin, and their number."""
        return [min(k * self.group_size, self.units) for k in range(self.groups + 1)]

    @cached_property
    def tiles_per_job(self) -> int:
        """Tiles that add to the same group and hence must be worked through in order."""
        return 1 if self.replicas == 1 else max(1, self.group_size // self.lanes)

    @cached_property
    def piece(self) -> int:
        """Steps that one call adds at most."""
        return int(np.clip(_PIECE_NUMBERS // (self.n * self.lanes * self.dim * self.levels), 4, 1024))

    @cached_property
    def series_stride(self) -> int:
        """Steps between two entries of a series."""
        return -(-self.steps * self.replicas * self.levels // _MAX_SERIES)

    def pieces(self, done: int) -> Iterator[tuple[int, int, int]]:
        """Yield (time block, steps done before, length) of the pieces from step `done` (the end of a piece) on."""
        edges = self.edges
        for block in range(self.time_blocks):
            for start in range(max(edges[block], done), edges[block + 1], self.piece):
                yield block, start, min(self.piece, edges[block + 1] - start)


@dataclass
class Accumulators:
    """The sums of one run. Different replicas write to different places, so that threads need no lock."""

    model: VectorSpin
    measure: Measure
    layout: Layout
    self_coupling: bool
    energy_offset: float
    delayed: bool = True  # whether two successive steps have anything to do with each other
    arrays: dict[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.arrays:
            return
        size, n, dim = self.layout, self.layout.n, self.layout.dim
        entries = -(-size.steps // size.series_stride)
        self.arrays = {
            "spins": np.zeros((size.time_blocks, size.replicas, n, dim)),
            "scalars": np.zeros((len(SCALARS), size.time_blocks, size.replicas)),
            "series": np.zeros((2, size.replicas, entries)),
        }
        if self.measure.correlations:
            self.arrays["pairs"] = np.zeros((size.groups, n, n))
            if self.delayed:
                self.arrays["delayed_pairs"] = np.zeros((size.groups, n, n))
        if self.measure.snapshots:
            self.arrays["snapshots"] = np.zeros((self.measure.snapshots, size.replicas, n, dim))
        if self.measure.trajectory:
            self.arrays["trajectory"] = np.zeros((2, size.steps + 1, n, dim))

    def load(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Continue from the arrays of a checkpoint."""
        for name in self.arrays:
            self.arrays[name] = np.array(arrays[name])

    @cached_property
    def snapshot_times(self) -> np.ndarray:
        """Steps at which configurations are kept."""
        count = self.measure.snapshots
        return np.array([self.layout.steps * (k + 1) // count for k in range(count)], dtype=np.int64)

    @cached_property
    def _diagonal(self) -> float:
        return float(np.trace(self.model.couplings)) * self.model.r**2

    def add(self, piece: tuple[int, int, int], first: int, active: int, path: FloatArray, scalars: FloatArray) -> None:
        """Add one piece of one tile: ``path (site, time, lane * component)``, ``scalars (4, time, lane)``."""
        block, done, length = piece
        n, dim = self.layout.n, self.layout.dim
        lanes = path.shape[2] // dim
        mine = slice(first, first + active)
        sums = path[:, 1 : length + 1].sum(axis=1).reshape(n, lanes, dim)[:, :active].transpose(1, 0, 2)
        self.arrays["spins"][block, mine] += sums
        self._add_scalars(block, done, length, mine, scalars[:, 1 : length + 1, :active])
        if self.measure.correlations:
            self._add_pairs(block, done, length, first, active, path)
        if self.measure.snapshots:
            for k in np.flatnonzero((self.snapshot_times > done) & (self.snapshot_times <= done + length)):
                spins = path[:, self.snapshot_times[k] - done].reshape(n, lanes, dim)[:, :active]
                self.arrays["snapshots"][k, mine] = spins.transpose(1, 0, 2)

    def _add_scalars(self, block: int, done: int, length: int, mine: slice, scalars: FloatArray) -> None:
        internal, external, alignment, exchange = scalars
        if self.self_coupling:
            internal = internal - self._diagonal
        energy = -(0.5 * internal + external) / self.layout.n
        shifted = energy - self.energy_offset  # so that squares cost no digits
        values = np.stack([shifted, shifted**2, alignment, alignment**2, exchange, external])
        self.arrays["scalars"][:, block, mine] += values.sum(axis=1)
        stride = self.layout.series_stride
        first = -done % stride
        kept = slice((done + first) // stride, (done + first) // stride + len(range(first, length, stride)))
        self.arrays["series"][0, mine, kept] = energy[first::stride].T
        self.arrays["series"][1, mine, kept] = alignment[first::stride].T

    def _add_pairs(self, block: int, done: int, length: int, first: int, active: int, path: FloatArray) -> None:
        every = self.measure.every
        if every == 1:
            later, earlier = path[:, 1 : length + 1], path[:, :length]
        else:
            chosen = np.arange(1, length + 1)
            chosen = chosen[(done + chosen) % every == 0]
            if not chosen.size:
                return
            later, earlier = path[:, chosen], path[:, chosen - 1]
        n, dim, size = self.layout.n, self.layout.dim, self.layout.group_size
        lanes = path.shape[2] // dim
        if self.layout.replicas == 1 or size >= lanes:  # padding lanes hold zeros and add nothing
            group = (block if self.layout.replicas == 1 else first) // size
            groups = slice(group, group + 1)
            a, b = later.reshape(1, n, -1), earlier.reshape(1, n, -1)
        else:
            inside = lanes // size
            used = -(-active // size)
            groups = slice(first // size, first // size + used)
            a, b = (
                np.ascontiguousarray(x.reshape(n, -1, inside, size * dim)[:, :, :used].transpose(2, 0, 1, 3)).reshape(
                    used, n, -1
                )
                for x in (later, earlier)
            )
        self.arrays["pairs"][groups] += a @ a.transpose(0, 2, 1)
        if self.delayed:
            self.arrays["delayed_pairs"][groups] += a @ b.transpose(0, 2, 1)

    def piece_moments(
        self, piece: tuple[int, int, int], active: int, path: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Return the sums over the replicas of a tile of s and of s squared at every step: (time, site, component)."""
        n, dim = self.layout.n, self.layout.dim
        spins = path[:, 1 : piece[2] + 1].reshape(n, piece[2], -1, dim)[:, :, :active]
        return spins.sum(axis=2).transpose(1, 0, 2), (spins**2).sum(axis=2).transpose(1, 0, 2)

    def add_moments(self, first_time: int, sums: FloatArray, squares: FloatArray) -> None:
        """Add replica sums (time, site, component) to the trajectory; callers keep the order of tiles."""
        times = slice(first_time, first_time + sums.shape[0])
        self.arrays["trajectory"][0, times] += sums
        self.arrays["trajectory"][1, times] += squares

    def pair_counts(self) -> FloatArray:
        """Return how many pairs every group of correlations has summed."""
        every, edges, bounds = self.measure.every, self.layout.edges, self.layout.group_bounds
        if self.layout.replicas == 1:
            return np.diff([edges[k] // every for k in bounds]).astype(np.float64)
        return np.diff(bounds).astype(np.float64) * (self.layout.steps // every)

    @property
    def finite(self) -> bool:
        """Whether everything so far is finite."""
        return bool(np.isfinite(self.arrays["scalars"]).all())

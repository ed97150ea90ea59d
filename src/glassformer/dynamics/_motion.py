"""What a dynamics offers to the driver: a motion of one model, its state, and tiles of replicas that move together."""

from __future__ import annotations

import contextlib
import functools
import math
import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from glassformer._core._errors import invalid
from glassformer._core._validation import FloatArray, as_count, as_float_array, as_number
from glassformer.models import VectorSpin

MAX_STEPS = 2**32 - 1  # a step is one 32-bit word of the address of a draw


@dataclass(frozen=True, slots=True, eq=False)
class SpinState:
    """Everything that a motion carries from one step to the next.

    Parameters
    ----------
    spins : array (replica, site, component)
    fields : array (replica, site, component)
        The local fields of these spins as the motion knows them (sequential motions add up changes, so their last
        bits depend on the past).
    step : int
        Steps taken since the start; part of the address of every random draw.
    extra : mapping of str to array
        What one kind of motion carries beside them, such as the temperatures of a ladder.
    """

    spins: FloatArray
    fields: FloatArray
    step: int = 0
    extra: Mapping[str, np.ndarray] = field(default_factory=dict)

    @property
    def replicas(self) -> int:
        """Number of replicas."""
        return int(self.spins.shape[0])

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return the state as plain arrays, for a checkpoint."""
        extra = {f"extra_{name}": array for name, array in self.extra.items()}
        return {"spins": self.spins, "fields": self.fields, "step": np.asarray(self.step), **extra}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> SpinState:
        """Build the state from what `to_arrays` returned."""
        extra = {name.removeprefix("extra_"): array for name, array in arrays.items() if name.startswith("extra_")}
        return cls(np.asarray(arrays["spins"]), np.asarray(arrays["fields"]), int(arrays["step"]), extra)


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """Buffers into which a tile writes the steps that it takes; time 0 holds the state before the first of them.

    Parameters
    ----------
    path : array (level, site, time, lane * component)
        One level for each temperature that the motion moves at.
    scalars : array (level, 4, time, lane)
        Sums over sites, from time 1 on: ``internal`` s.(h-x), ``external`` s.x, ``alignment`` (mean cosine with x), and
        ``exchange``, the heat of the step into the bath that couplings account for (times beta: entropy).
    """

    path: FloatArray
    scalars: FloatArray

    @classmethod
    def empty(cls, n: int, lanes: int, dim: int, steps: int, levels: int = 1) -> Recording:
        """Return buffers for `steps` steps."""
        return cls(np.zeros((levels, n, steps + 1, lanes * dim)), np.zeros((levels, 4, steps + 1, lanes)))


class PerThread:
    """Work space that is made once per thread and whose contents do not outlive a call."""

    def __init__(self, make: Callable[[], tuple[np.ndarray, ...]]) -> None:
        self._make = make
        self._local = threading.local()

    def __call__(self) -> tuple[np.ndarray, ...]:
        if not hasattr(self._local, "arrays"):
            self._local.arrays = self._make()
        arrays: tuple[np.ndarray, ...] = self._local.arrays
        return arrays


class AbstractTile(ABC):
    """A few replicas that always move together, as a mutable working copy; its bits depend on nothing outside it."""

    first_replica: int
    active: int  # lanes that hold a replica; the others are padding

    @abstractmethod
    def advance(self, steps: int, recording: Recording | None = None) -> None:
        """Take `steps` steps in place, without the interpreter lock; record them if asked."""

    @abstractmethod
    def read(self) -> tuple[FloatArray, FloatArray]:
        """Return (spins, fields) of the active lanes, each (replica, site, component)."""


class AbstractMotion(ABC):
    """One dynamics bound to one model and one seed.

    Subclasses say how many replicas make a tile (``lanes``), whether the carried fields hold the self-coupling
    (``self_coupling``), whether all spins move at once (``synchronous``: the entropy of a path then has a boundary term
    from the normalisers), what a step is called (``step_name``), and how to open a tile. A replica holds as many
    configurations as the motion has temperatures, ``betas``; a state lists those of the first replica first.
    """

    model: VectorSpin
    betas: FloatArray
    lanes: int
    self_coupling: bool
    synchronous: bool
    step_name: str

    @abstractmethod
    def open(self, spins: FloatArray, fields: FloatArray | None, first_replica: int, step: int) -> AbstractTile:
        """Return a tile of ``spins (replica, site, component)``, at most ``lanes`` of them; None computes the fields."""

    @property
    def levels(self) -> int:
        """Number of temperatures, and of configurations per replica."""
        return int(self.betas.size)

    @property
    def process(self) -> str:
        """Whose stationary law is sampled: ``parallel``, ``sequential``, or ``boltzmann`` where there is an energy."""
        if self.synchronous:
            return "parallel"
        return "boltzmann" if self.model.symmetric else "sequential"

    def pauses(self, burn_in: int) -> Sequence[int]:
        """Return the steps, up to the end of burn-in, at which `pause` wants to see all tiles."""
        return ()

    def pause(self, tiles: Sequence[AbstractTile], step: int, burn_in: int) -> None:
        """Look at all tiles together, and change what they are about to do; most motions have nothing to change."""
        return

    def by_level(self, state: SpinState) -> FloatArray:
        """Return the spins of a state as (level, replica, site, component)."""
        return state.spins[None]

    def extra_results(self, state: SpinState) -> Mapping[str, tuple[tuple[str, ...], np.ndarray]]:
        """Return what this motion can tell beside the measurements: name to (dims, values)."""
        return {}

    def note(self, state: SpinState) -> str:
        """Return what a reader of the result should be warned of, or nothing."""
        return ""

    def tiles(self, state: SpinState) -> list[AbstractTile]:
        """Open all tiles of a state."""
        return [
            self.open(
                state.spins[first : first + self.lanes], state.fields[first : first + self.lanes], first, state.step
            )
            for first in range(0, state.replicas, self.lanes)
        ]

    def close(self, tiles: Sequence[AbstractTile], step: int) -> SpinState:
        """Return the state that the tiles have reached."""
        parts = [tile.read() for tile in tiles]
        return SpinState(np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts]), step)

    def start(self, spins: FloatArray, step: int = 0) -> SpinState:
        """Return the state of given spins (replica, site, component)."""
        with one_blas_thread():
            tiles = [
                self.open(spins[first : first + self.lanes], None, first, step)
                for first in range(0, spins.shape[0], self.lanes)
            ]
            return self.close(tiles, step)

    def advance(self, state: SpinState, steps: int, *, threads: int | None = None) -> SpinState:
        """Return the state `steps` steps later; `state` is not touched, and the bits do not depend on `threads`."""
        steps = as_count("steps", steps, minimum=0)
        check_steps(state.step + steps)
        tiles = self.tiles(state)
        with one_blas_thread(), ThreadPoolExecutor(thread_count(threads)) as pool:
            for done in [pool.submit(tile.advance, steps) for tile in tiles]:
                done.result()
        return self.close(tiles, state.step + steps)


class Dynamics(Protocol):
    """The noun that a user writes: parameters only."""

    citations: ClassVar[tuple[str, ...]]

    def prepare(self, model: VectorSpin, *, seed: int) -> AbstractMotion:
        """Check that the dynamics can move the model, and bind both to the stream of random numbers."""
        ...


def check_beta(beta: float) -> float:
    """Return beta as a float, or raise."""
    # Infinity is refused: the law of a spin in zero field would be undefined.
    cold = "for zero temperature take a large finite number such as 1e6" if beta == math.inf else ""
    return as_number("beta", beta, minimum=0.0, next_step=cold or "pass a temperature T as beta = 1 / T")


def check_steps(total: int) -> None:
    """Raise when the step counter would leave its word."""
    if total > MAX_STEPS:
        raise invalid("the number of steps", total, f"at most {MAX_STEPS}", "split the run and use another seed")


def check_spins(name: str, spins: npt.ArrayLike, model: VectorSpin, replicas: int) -> FloatArray:
    """Return start spins as (replica, site, component) of length R; (site, component) is given to every replica."""
    array = as_float_array(name, spins, ndim=(2, 3))
    if array.ndim == 2:
        array = np.broadcast_to(array, (replicas, *array.shape))
    wanted = (replicas, model.n, model.dim)
    if array.shape != wanted:
        raise invalid(f"the shape of {name}", np.shape(spins), f"{wanted} or {wanted[1:]}")
    norms = np.linalg.norm(array, axis=-1)
    worst = float(norms.flat[np.abs(norms - model.r).argmax()])
    if abs(worst - model.r) > 1e-6 * model.r:
        raise invalid(f"a spin length in {name}", worst, f"R = {model.r:.12g}", "scale every spin to the radius")
    return np.ascontiguousarray(array * (model.r / norms)[..., None])


def unit_drive(model: VectorSpin) -> FloatArray:
    """Return weights whose product with the spins, summed, is the mean cosine with x; zero where x vanishes."""
    norms = np.linalg.norm(model.fields, axis=1)
    kept = norms > 0
    weights = np.zeros_like(model.fields)
    if kept.any():
        weights[kept] = model.fields[kept] / norms[kept, None] / (model.r * kept.sum())
    return weights


def thread_count(threads: int | None) -> int:
    """Return the number of threads to use: `threads`, or what this process may run on (OMP_NUM_THREADS at most)."""
    if threads is not None:
        return as_count("threads", threads)
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    return min(allowed, int(wanted)) if wanted.isdigit() and int(wanted) > 0 else allowed


@functools.cache  # looking through the loaded libraries takes ten milliseconds; those of our products do not change
def _blas() -> Any:
    import scipy.linalg  # noqa: F401  # compiled products call its BLAS, which must be loaded to be found
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


@contextlib.contextmanager
def one_blas_thread() -> Iterator[None]:
    """Let every matrix product use one thread while our own threads run over tiles; restored on leaving."""
    with _blas().limit(limits=1, user_api="blas"):
        yield

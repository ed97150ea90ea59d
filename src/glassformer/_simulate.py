"""The verb `simulate`: move replicas of a model, measure while they move, return one labelled result."""

from __future__ import annotations

import hashlib
import os
import queue
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from glassformer._checkpoint import CheckpointFiles, peek_seed
from glassformer._core._errors import invalid
from glassformer._core._random import check_seed
from glassformer._core._validation import as_count
from glassformer.couplings import LaggedGaussian
from glassformer.dynamics._motion import (
    AbstractMotion,
    AbstractTile,
    Dynamics,
    Recording,
    SpinState,
    check_spins,
    check_steps,
    one_blas_thread,
    thread_count,
)
from glassformer.models import ContextEnsemble, ExtendedContext, TokenRule, VectorSpin
from glassformer.observables._accumulators import Accumulators, Layout
from glassformer.observables._context import ContextMeasure
from glassformer.observables._measure import Measure

if TYPE_CHECKING:
    import xarray as xr

Progress = Callable[[float, float], None]

_CHUNK_SECONDS = 0.25  # between two reports of progress
CHECKPOINT_SECONDS = 30.0
_FORMAT = "simulate-2"  # changes whenever the bits of a run would


def simulate(
    model: Any,
    dynamics: Any,
    *,
    steps: int,
    replicas: int = 1,
    burn_in: int = 0,
    seed: int | None = None,
    start: str | npt.ArrayLike | None = None,
    measure: Measure | ContextMeasure | None = None,
    lags: int | None = None,
    n: int | None = None,
    draws: int | None = None,
    precision: str = "double",
    threads: int | None = None,
    progress: Progress | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    throw: bool = True,
) -> xr.Dataset:
    r"""Move independent replicas of a model and measure while they move.

    Parameters
    ----------
    model : VectorSpin, ExtendedContext or ContextEnsemble
        An ensemble is sampled ``draws`` times at ``n`` sites.
    dynamics : object
        `ParallelHeatBath`, `SequentialHeatBath`, `ParallelTempering`, ... of a VectorSpin; a `TokenRule` of the others.
    steps : int
        Measured steps (sweeps for sequential dynamics).
    replicas : int
        Independent copies; error bars come from them. With one replica they come from blocks of time.
    burn_in : int
        Steps before measuring.
    seed : int, optional
        Root seed; a fresh one if left out, stored in the evidence.
    start : array (site, component) or (replica, site, component), optional
        Spins of length R; independent uniform directions if left out. For tokens: ``"independent"`` (the default),
        ``"repeated"``, or an initial history (lag, site) or (replica, lag, site), most recent first.
    measure : Measure or ContextMeasure, optional
        What to measure beside means, energies and entropy production.
    lags : int, optional
        Tokens only: the largest lag of ``autocorrelation``; max(10, 2 K) if left out.
    n, draws : int, optional
        Ensembles only: sites, and independent draws of the couplings (8 if left out).
    precision : {"double", "single"}
        Tokens only: arithmetic of the matrix products of couplings that are written out.
    threads : int, optional
        All processors of this process if left out. Never changes a bit of the result.
    progress : callable, optional
        ``progress(done, total)``, called from the calling thread a few times per second.
    checkpoint : path, optional
        Directory for two rotating checkpoints. A run that finds its own checkpoint there continues it, to the same bits
        as an uninterrupted one. They stay when the run is done; delete the directory when the result is safe.
    throw : bool
        Whether values that stop being finite raise.

    Returns
    -------
    Dataset
        The variables of `solve` (``magnetization``, ``correlation``, ``delayed_correlation`` with the first index later,
        ``energy``, ``entropy_production``, ``alignment_of_mean``, ...), each with its ``_error``; further
        ``overlap`` and ``overlap_invariant (replica, replica_)`` of the last spins, ``energy_full``, ``entropy_production_path``, ``specific_heat``, ``alignment_variance``,
        ``autocorrelation_time``, ``residual`` (drift of the means between the two halves of the run, over R, beside what
        noise alone gives), the series, and the last ``spins (replica, site, component)``. Of tokens:
        ``autocorrelation (lag)``, ``magnetization (site)``, ``magnetization_mean``, ``q0``, ``loss`` (mean -log p of
        these tokens under the couplings that drew them), ``entropy_rate`` (its expectation given the past), and
        ``entropy_production`` where the rule has one (see docs/methods/context-simulation.md). Alignments are NaN
        without a field to align with. Status ``too_short`` is a warning, not an error: the run is shorter than 50
        autocorrelation times, so the error bars of a single replica, and the stationarity of many, are in doubt.

    Raises
    ------
    InvalidInputError
        For inputs that cannot be used, and for a checkpoint of another run.
    NotConvergedError
        When a value stops being finite (the last finite spins are in ``.result``).

    References
    ----------
    The sources of the dynamics are in ``citations`` of the evidence; Sokal 1997 for the autocorrelation time.

    Examples
    --------
    >>> import glassformer as gf
    >>> model = gf.VectorSpin(gf.Asymmetric().sample(n=8, seed=1), gf.sphere_fields(8, dim=4, seed=2))
    >>> sim = gf.simulate(model, gf.ParallelHeatBath(beta=1.0), steps=200, replicas=4, burn_in=20, seed=3)
    >>> sim.magnetization.dims, sim.spins.shape
    (('site', 'component'), (4, 8, 4))
    >>> bool(sim.entropy_production > 0)
    True
    """
    if isinstance(dynamics, TokenRule) or isinstance(model, ExtendedContext | ContextEnsemble | LaggedGaussian):
        from glassformer._simulate_context import simulate_context

        return simulate_context(
            model, dynamics, steps=steps, replicas=replicas, burn_in=burn_in, seed=seed, start=start, measure=measure,
            lags=lags, n=n, draws=draws, precision=precision, threads=threads, progress=progress,
            checkpoint=checkpoint, throw=throw,
        )  # fmt: skip
    if not isinstance(model, VectorSpin):
        raise invalid("the model", type(model).__name__, "a VectorSpin", "build one from couplings and fields")
    for name, value, absent in (
        ("lags", lags, None),
        ("n", n, None),
        ("draws", draws, None),
        ("precision", precision, "double"),
    ):
        if value != absent:
            raise invalid(name, value, "left out for a VectorSpin", "it is for models of tokens")
    if isinstance(start, str):
        raise invalid("start", start, "an array of spins, or left out, for a VectorSpin")
    steps, replicas = as_count("steps", steps), as_count("replicas", replicas)
    burn_in = as_count("burn_in", burn_in, minimum=0)
    measure = Measure() if measure is None else measure
    if not isinstance(measure, Measure):
        raise invalid("measure", measure, "a Measure", "for example gf.Measure(correlations=False)")
    if measure.correlations and measure.every > steps:
        raise invalid("every", measure.every, f"at most the number of steps, {steps}")
    if seed is None and checkpoint is not None:
        seed = peek_seed(checkpoint)
    seed = check_seed(seed)
    if not hasattr(dynamics, "prepare"):
        raise invalid(
            "the dynamics",
            dynamics,
            "ParallelHeatBath, SequentialHeatBath, ParallelTempering or another dynamics",
            "theories go to solve",
        )
    check_steps(burn_in + steps)
    motion = dynamics.prepare(model, seed=seed)
    motion.pauses(burn_in)  # refuses a burn-in that is too short for it
    if motion.levels > 1 and measure.trajectory:
        raise invalid("trajectory", True, "False when temperatures are swapped", "use a dynamics at one temperature")
    spins = (
        model.random_spins(replicas=replicas * motion.levels, seed=seed)
        if start is None
        else np.repeat(check_spins("start", start, model, replicas), motion.levels, axis=0)
    )
    files = None
    if checkpoint is not None:
        files = CheckpointFiles(checkpoint, _identity(model, dynamics, steps, burn_in, seed, spins, measure))
    layout = Layout(model.n, model.dim, replicas, steps, motion.lanes, motion.levels)
    run = _Run(motion, measure, layout, burn_in=burn_in, seed=seed, start=spins, files=files)
    began = time.perf_counter()
    run.go(threads=thread_count(threads), progress=progress)
    from glassformer._result import result_of  # labelled arrays are slow to import

    return result_of(
        run.sums,
        motion,
        dynamics,
        state=run.state,
        ends=boundary(motion, run.state.spins) - run.start_boundary,
        burn_in=burn_in,
        seed=seed,
        finite=run.finite,
        wall_time=time.perf_counter() - began,
        throw=throw,
    )


class _Run:
    """One simulation under way: the tiles, the sums, and how far it has come."""

    def __init__(
        self,
        motion: AbstractMotion,
        measure: Measure,
        layout: Layout,
        *,
        burn_in: int,
        seed: int,
        start: np.ndarray,
        files: CheckpointFiles | None,
    ) -> None:
        model = motion.model
        self.motion, self.burn_in, self.seed, self.files = motion, burn_in, seed, files
        self.measure, self.layout = measure, layout
        self.finite = True
        self.whole = True  # all tiles have taken the same steps
        offset = float(model.energy(start[0]))
        single = motion.levels == 1  # with several temperatures the state before belongs to another one
        self.sums = [
            Accumulators(model, measure, layout, motion.self_coupling, offset, delayed=single)
            for _ in range(motion.levels)
        ]
        saved = files.load() if files is not None else None
        if saved is None:
            self.done = 0  # burn-in included
            self.state = motion.start(start)
            self.start_boundary = np.zeros(start.shape[0])
        else:
            self.done = int(saved["done"])
            self.state = SpinState.from_arrays(saved)
            self.start_boundary = saved["start_boundary"]
            for level, sums in enumerate(self.sums):
                sums.load({name: saved[f"sum_{level}_{name}"] for name in sums.arrays})

    @property
    def total(self) -> int:
        return self.burn_in + self.layout.steps

    def go(self, *, threads: int, progress: Progress | None) -> None:
        """Run to the end, or to the first value that is not finite; an interrupt leaves a checkpoint."""
        tiles = self.motion.tiles(self.state)
        size = self.layout.tiles_per_job
        jobs = [tiles[k : k + size] for k in range(0, len(tiles), size)]
        buffers: queue.SimpleQueue[Recording] = queue.SimpleQueue()
        model = self.motion.model
        for _ in range(min(threads, len(jobs))):
            buffers.put(Recording.empty(model.n, self.motion.lanes, model.dim, self.layout.piece, self.motion.levels))
        with one_blas_thread(), ThreadPoolExecutor(max_workers=min(threads, len(jobs))) as pool:
            try:
                self._loop(pool, tiles, jobs, buffers, progress)
            except KeyboardInterrupt:
                if self.whole:  # otherwise some tiles are ahead of others; the checkpoint before is still good
                    self._save(tiles)
                raise
        state = self.motion.close(tiles, self.done)
        self.finite = self.finite and bool(np.isfinite(state.spins).all())
        if self.finite:
            self.state = state

    def _loop(
        self,
        pool: ThreadPoolExecutor,
        tiles: list[AbstractTile],
        jobs: list[list[AbstractTile]],
        buffers: queue.SimpleQueue[Recording],
        progress: Progress | None,
    ) -> None:
        saved_at = time.monotonic()
        pieces_per_chunk = 1
        if self.done == self.burn_in and not self._begin_measuring(tiles):
            return
        while self.done < self.total:
            began = time.monotonic()
            self.whole = False
            interrupted = self._chunk(pool, tiles, jobs, buffers, pieces_per_chunk)
            self.finite = all(sums.finite for sums in self.sums)
            if not self.finite or (self.done == self.burn_in and not self._begin_measuring(tiles)):
                return
            self.whole = True
            if interrupted:
                raise KeyboardInterrupt
            seconds = time.monotonic() - began
            if seconds < 0.5 * _CHUNK_SECONDS:
                pieces_per_chunk *= 2
            elif seconds > 2 * _CHUNK_SECONDS:
                pieces_per_chunk = max(1, pieces_per_chunk // 2)
            if self.done == self.total or time.monotonic() - saved_at >= CHECKPOINT_SECONDS:
                self._save(tiles)
                saved_at = time.monotonic()
            if progress is not None:
                progress(self.done, self.total)

    def _chunk(
        self,
        pool: ThreadPoolExecutor,
        tiles: list[AbstractTile],
        jobs: list[list[AbstractTile]],
        buffers: queue.SimpleQueue[Recording],
        pieces_per_chunk: int,
    ) -> bool:
        """Advance every tile by the same steps; return whether the user asked to stop meanwhile."""
        if self.done < self.burn_in:
            pauses = self.motion.pauses(self.burn_in)
            stop = min([step for step in pauses if step > self.done], default=self.burn_in)
            length = min(pieces_per_chunk * self.layout.piece, stop - self.done)
            interrupted = _finish([pool.submit(_burn, job, length) for job in jobs])
            self.done += length
            if self.done in pauses:
                self.motion.pause(tiles, self.done, self.burn_in)
            return interrupted
        if self.measure.trajectory:
            pieces_per_chunk = 1  # the replica sums of every tile are held until they are merged
        pieces = []
        for piece in self.layout.pieces(self.done - self.burn_in):
            pieces.append(piece)
            if len(pieces) == pieces_per_chunk:
                break
        futures = [pool.submit(_measure, job, pieces, self.sums, buffers) for job in jobs]
        interrupted = _finish(futures)
        for future in futures:  # in the order of tiles, so that sums over replicas have one rounding
            for first_time, sums, squares in future.result():
                self.sums[0].add_moments(first_time, sums, squares)
        self.done += sum(length for _, _, length in pieces)
        return interrupted

    def _begin_measuring(self, tiles: list[AbstractTile]) -> bool:
        """Note where the measured path starts; return whether that is finite."""
        state = self.motion.close(tiles, self.done)
        self.finite = bool(np.isfinite(state.spins).all() and np.isfinite(state.fields).all())
        if not self.finite:
            return False
        self.start_boundary = boundary(self.motion, state.spins)
        if self.measure.trajectory:
            self.sums[0].arrays["trajectory"][0, 0] = state.spins.sum(axis=0)
            self.sums[0].arrays["trajectory"][1, 0] = (state.spins**2).sum(axis=0)
        return True

    def _save(self, tiles: list[AbstractTile]) -> None:
        self.state = self.motion.close(tiles, self.done)
        if self.files is None:
            return
        arrays = {
            **self.state.to_arrays(),
            "start_boundary": self.start_boundary,
            "seed": np.asarray(self.seed),
            **{
                f"sum_{level}_{name}": array
                for level, sums in enumerate(self.sums)
                for name, array in sums.arrays.items()
            },
        }
        self.files.save(arrays, self.done)


def boundary(motion: AbstractMotion, spins: np.ndarray) -> np.ndarray:
    """Return the log weight whose change over a path completes its entropy, per replica; zero unless all move at once."""
    from glassformer.observables._entropy_production import path_boundary

    if not motion.synchronous:
        return np.zeros(spins.shape[0])
    return path_boundary(motion.model, float(motion.betas[0]), spins)


def _burn(tiles: list[AbstractTile], length: int) -> None:
    for tile in tiles:
        tile.advance(length)


def _measure(
    tiles: list[AbstractTile],
    pieces: list[tuple[int, int, int]],
    all_sums: list[Accumulators],
    buffers: queue.SimpleQueue[Recording],
) -> list[tuple[int, np.ndarray, np.ndarray]]:
    """Advance tiles that share a group of correlations, piece by piece, and add what they recorded."""
    recording = buffers.get()
    moments = []
    try:
        for piece in pieces:
            for tile in tiles:
                tile.advance(piece[2], recording)
                for sums, path, scalars in zip(all_sums, recording.path, recording.scalars):
                    sums.add(piece, tile.first_replica, tile.active, path, scalars)
                    if sums.measure.trajectory:
                        moments.append((piece[1] + 1, *sums.piece_moments(piece, tile.active, path)))
    finally:
        buffers.put(recording)
    return moments


def _finish(futures: list[Future[Any]]) -> bool:
    """Wait for all futures, through one interrupt, and raise what any of them raised."""
    interrupted = False
    try:
        wait(futures)
    except KeyboardInterrupt:
        interrupted = True
        wait(futures)
    for future in futures:
        future.result()
    return interrupted


def _identity(
    model: VectorSpin,
    dynamics: Dynamics,
    steps: int,
    burn_in: int,
    seed: int,
    start: np.ndarray,
    measure: Measure,
) -> str:
    digest = hashlib.blake2b(digest_size=16)
    digest.update(repr((_FORMAT, model.r, dynamics, steps, burn_in, seed, start.shape, measure)).encode())
    for array in (model.couplings, model.fields, start):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()

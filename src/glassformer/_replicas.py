"""The verb `compare_replicas`: temper independent replicas until they pass a test of equilibrium, then compare them."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from glassformer._checkpoint import CheckpointFiles, peek_seed
from glassformer._core._errors import invalid
from glassformer._core._random import check_seed
from glassformer._core._status import Status, attach_evidence
from glassformer._core._validation import FloatArray, as_count, as_float_array
from glassformer._simulate import CHECKPOINT_SECONDS
from glassformer.dynamics._motion import AbstractTile, SpinState, one_blas_thread, thread_count
from glassformer.dynamics._tempering import ParallelTempering, TemperingMotion, tempering_ladder
from glassformer.models import VectorSpin
from glassformer.observables._replica_statistics import SMALLEST_REPLICAS, EquilibrationTest, equilibration_test

if TYPE_CHECKING:
    import xarray as xr

_FORMAT = "replicas-1"  # changes whenever the bits of a run would
CITATIONS = ("swendsen1986", "hukushima1996", "bhatt1988")


def compare_replicas(
    model: VectorSpin,
    betas: npt.ArrayLike,
    *,
    replicas: int = 8,
    sweeps: int = 200,
    max_sweeps: int = 20_000,
    snapshots: int = 40,
    overrelaxation: int = 1,
    hottest: float | None = None,
    seed: int | None = None,
    threads: int | None = None,
    progress: Callable[[float, float], None] | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
) -> xr.Dataset:
    r"""Temper independent replicas of a symmetric model until they are in equilibrium, and say how they differ.

    Every replica is a ladder of temperatures of its own, with its own random stream and its own random start
    (`ParallelTempering`; the ladder is made by `tempering_ladder`). The run is cut into stages, each twice as long as the
    one before. After each stage the replicas are tested at every temperature (`equilibration_test`: nothing drifts, and
    replicas are as alike as one of them and its own past). It ends when all temperatures pass, or when the next stage would
    exceed `max_sweeps`. The last stage is what is measured.

    Parameters
    ----------
    model : VectorSpin
        With symmetric couplings.
    betas : float or array
        Inverse temperatures to compare at, any order; more are put between them for the ladder.
    replicas : int
        Independent ladders, at least 4; error bars are made of them.
    sweeps, max_sweeps : int
        Length of the first stage, and of the whole run at most.
    snapshots : int
        Configurations kept per stage, at least 4, evenly spaced.
    overrelaxation : int
        Overrelaxation sweeps after each heat-bath sweep (nothing for D = 1).
    hottest : float, optional
        The hot end of the ladder.
    seed, threads, progress, checkpoint
        As in `simulate`.

    Returns
    -------
    Dataset
        Per ``beta``: ``verdict`` (``not equilibrated``, ``replica symmetric``, ``broken``, ``global rotation only``; see
        `glassformer.observables.classify`), ``equilibrated``; ``overlap``, ``overlap_invariant``, ``overlap_aligned
        (replica, replica_)`` of the last snapshot and ``cluster_order (replica)`` for display; ``overlap_mean``,
        ``overlap_invariant_mean``, ``overlap_aligned_mean`` over pairs and snapshots, each with its ``_error`` and its
        ``_spread`` (standard deviation); ``overlap_density`` and ``overlap_aligned_density``, P(q);
        ``spin_glass_susceptibility``, ``replicon_susceptibility``, ``binder_ratio``, ``ultrametricity``; ``energy``,
        ``internal_energy`` (without the field), ``overlap_squared`` and ``self_overlap_squared`` (squared Frobenius norms,
        for `equilibrium_identity`); the differences of the test with their errors; ``swap_rate``, ``round_trips``.
        Status ``not_equilibrated`` is a warning: overlaps then tell about the run rather than the system.

    Raises
    ------
    InvalidInputError
        For couplings that are not symmetric, and numbers that cannot be used.

    References
    ----------
    Bhatt and Young 1988, Phys. Rev. B 37, 5606 (the test); Hukushima and Nemoto 1996 (tempering).

    Examples
    --------
    >>> import glassformer as gf
    >>> model = gf.VectorSpin(gf.SherringtonKirkpatrick().sample(n=48, seed=1), dim=1, radius="unit")
    >>> hot = gf.compare_replicas(model, 0.5, replicas=8, seed=2)
    >>> str(hot.verdict[0].item())
    'replica symmetric'
    """
    wanted = np.unique(as_float_array("betas", np.atleast_1d(np.asarray(betas, dtype=np.float64)), ndim=1))
    replicas = as_count("replicas", replicas, minimum=SMALLEST_REPLICAS)
    sweeps, snapshots = as_count("sweeps", sweeps), as_count("snapshots", snapshots, minimum=4)
    max_sweeps = as_count("max_sweeps", max_sweeps)
    if max_sweeps < 3 * sweeps:
        raise invalid("max_sweeps", max_sweeps, f"at least 3 * sweeps = {3 * sweeps}", "the test compares two stages")
    if sweeps < snapshots:
        raise invalid("sweeps", sweeps, f"at least snapshots = {snapshots}", "a stage keeps that many configurations")
    if seed is None and checkpoint is not None:
        seed = peek_seed(checkpoint)
    seed = check_seed(seed)
    if not isinstance(model, VectorSpin):
        raise invalid("the model", type(model).__name__, "a VectorSpin", "build one from couplings and fields")
    ladder = ParallelTempering(tempering_ladder(model, wanted, hottest=hottest), overrelaxation)
    motion = ladder.prepare(model, seed=seed)
    files = None
    if checkpoint is not None:
        parts = (_FORMAT, model.digest, ladder, wanted.tolist(), replicas, sweeps, max_sweeps, snapshots, seed)
        files = CheckpointFiles(checkpoint, hashlib.blake2b(repr(parts).encode(), digest_size=16).hexdigest())
    from glassformer._replica_result import replica_dataset  # labelled arrays are slow to import

    began = time.perf_counter()
    study = _Study(
        motion,
        wanted,
        replicas=replicas,
        sweeps=sweeps,
        max_sweeps=max_sweeps,
        snapshots=snapshots,
        seed=seed,
        files=files,
    )
    tests = study.go(threads, progress)
    with one_blas_thread():
        dataset = replica_dataset(model, wanted, study.now, tests)
    for name, variable in motion.extra_results(study.state).items():
        dataset[name] = variable
    passed = all(test.passed for test in tests)
    failing = [f"beta = {beta:g}" for beta, test in zip(wanted, tests) if not test.passed]
    return attach_evidence(
        dataset,
        status=Status.OK if passed else Status.NOT_EQUILIBRATED,
        method="ParallelTempering",
        wall_time=time.perf_counter() - began,
        citations=[*CITATIONS, *model.citations, "wood1994", "salmon2011"],
        model=model.digest,
        process="boltzmann",
        replicas=replicas,
        sweeps=study.state.step,
        ladder=list(ladder.betas),
        seed=seed,
        averages_over="independent replicas (jackknife); snapshots of the last stage",
        note=None
        if passed
        else f"Not equilibrated at {', '.join(failing)} after {study.state.step} sweeps: raise max_sweeps.",
    )


class _Study:
    """The stages under way: a state, and the snapshots of this stage and of the one before, at the temperatures asked for."""

    def __init__(
        self,
        motion: TemperingMotion,
        betas: FloatArray,
        *,
        replicas: int,
        sweeps: int,
        max_sweeps: int,
        snapshots: int,
        seed: int,
        files: CheckpointFiles | None,
    ) -> None:
        self.motion, self.model, self.betas, self.files = motion, motion.model, betas, files
        self.sweeps, self.max_sweeps, self.seed = sweeps, max_sweeps, seed
        self.levels = np.searchsorted(motion.betas, betas)
        saved = files.load() if files is not None else None
        if saved is None:
            self.state = motion.start(self.model.random_spins(replicas=replicas * motion.levels, seed=seed))
            self.stage = self.taken = 0  # this stage, and the snapshots taken in it
            self.now = np.zeros((betas.size, snapshots, replicas, self.model.n, self.model.dim))
            self.before = np.zeros_like(self.now)
        else:
            self.state = SpinState.from_arrays(saved)
            self.stage, self.taken = int(saved["stage"]), int(saved["taken"])
            self.now, self.before = saved["now"], saved["before"]

    def go(self, threads: int | None, progress: Callable[[float, float], None] | None) -> list[EquilibrationTest]:
        """Run stages until all temperatures pass the test or there is no room for another stage; return the last tests."""
        with one_blas_thread(), ThreadPoolExecutor(thread_count(threads)) as pool:
            tiles = self.motion.tiles(self.state)
            while True:
                self._run_stage(tiles, pool, progress)
                if self.stage:
                    tests = [self._test(k) for k in range(self.betas.size)]
                    next_end = self.sweeps * (2 ** (self.stage + 2) - 1)
                    if all(test.passed for test in tests) or next_end > self.max_sweeps:
                        if progress is not None:
                            progress(self.max_sweeps, self.max_sweeps)
                        return tests
                self.stage, self.taken = self.stage + 1, 0
                self.before, self.now = self.now, np.zeros_like(self.now)

    def _run_stage(
        self, tiles: list[AbstractTile], pool: ThreadPoolExecutor, progress: Callable[[float, float], None] | None
    ) -> None:
        begin = self.sweeps * (2**self.stage - 1)
        length = self.sweeps * 2**self.stage
        snapshots = self.now.shape[1]
        saved_at = time.monotonic()
        for k in range(self.taken, snapshots):
            goal = begin + length * (k + 1) // snapshots
            try:
                for done in [pool.submit(tile.advance, goal - self.state.step) for tile in tiles]:
                    done.result()
                self.state = self.motion.close(tiles, goal)
                self.now[:, k] = self.motion.by_level(self.state)[self.levels]
                self.taken = k + 1
                if progress is not None:
                    progress(self.state.step, self.max_sweeps)
            except KeyboardInterrupt:  # the state is that of the last snapshot, or of the next one
                self._save()
                raise
            if time.monotonic() - saved_at > CHECKPOINT_SECONDS:
                self._save()
                saved_at = time.monotonic()

    def _save(self) -> None:
        if self.files is not None:
            own = {"stage": self.stage, "taken": self.taken, "now": self.now, "before": self.before, "seed": self.seed}
            arrays = {name: np.asarray(value) for name, value in own.items()}
            self.files.save({**self.state.to_arrays(), **arrays}, done=self.state.step)

    def _test(self, k: int) -> EquilibrationTest:
        model = self.model
        off_diagonal = model.couplings - np.diag(np.diag(model.couplings))
        # Shares of the largest first: squares must neither overflow nor vanish, whatever the units.
        strongest, farthest = float(np.abs(off_diagonal).max()), float(np.abs(model.fields).max())
        scale = 0.0
        if strongest > 0:
            scale += model.r**2 * strongest * float(np.sqrt(np.sum((off_diagonal / strongest) ** 2) / model.n))
        if farthest > 0:
            scale += model.r * farthest * float(np.linalg.norm(model.fields / farthest, axis=1).mean())
        unit = scale if scale > 0 else 1.0
        return equilibration_test(
            model.energy(self.now[k]) / unit,
            model.energy(self.before[k]) / unit,
            self.now[k],
            self.before[k],
            radius=model.r,
            fields=bool(np.any(model.fields)),
        )

"""Drawing a block of sequences into the files of a corpus, piece by piece, and measuring it on the way."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from glassformer._checkpoint import CheckpointFiles
from glassformer._core._errors import InvalidInputError
from glassformer.data._files import Draft, digest_of, matching_array
from glassformer.data._plan import TOKEN_IDS, TOKENS, CorpusPlan
from glassformer.data._sums import BACKWARD_LOSS, FIELD_SQUARE, LOSS, TOTAL, BlockSums, SphereScores
from glassformer.dynamics._motion import one_blas_thread, thread_count
from glassformer.dynamics.context._motion import ContextMotion, ContextTile, tile_ranges
from glassformer.dynamics.context._workers import Workers

Progress = Callable[[float, float], None]
_PROGRESS_SECONDS, CHECKPOINT_SECONDS = 0.1, 30.0
_FLUSH = 32  # steps after which tokens on a sphere are scored together


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """What is known of a block of sequences: sums of its units, and the checksum of every piece of every tile."""

    numbers: range
    sums: dict[str, npt.NDArray[np.float64]]
    digests: list[str]


def write_block(
    plan: CorpusPlan,
    folder: Path,
    numbers: range,
    *,
    progress: Progress | None = None,
    checkpoint: Path | None = None,
    threads: int | None = None,
) -> Block:
    """Draw the sequences `numbers` into ``tokens.npy`` of `folder`; continue from `checkpoint` if there is one."""
    with one_blas_thread(), Workers(thread_count(threads)) as workers:
        return _Writer(plan, folder, numbers, progress, checkpoint, workers).go()


def block_pieces(plan: CorpusPlan, numbers: range) -> list[tuple[slice, slice]]:
    """Return sequences and times of every piece of a block, in the order in which they are drawn."""
    times = [slice(low, min(low + plan.chunk, plan.length)) for low in range(0, plan.length, plan.chunk)]
    return [(slice(low, low + count), span) for low, count in tile_ranges(numbers) for span in times]


def damaged_pieces(plan: CorpusPlan, folder: Path, numbers: range, digests: list[str]) -> bool:
    """Whether some piece of the block does not hold what was drawn."""
    tokens = matching_array(folder / TOKENS, plan.shape, plan.dtype)
    ids = matching_array(folder / TOKEN_IDS, plan.shape[:2], np.uint16) if plan.has_ids else None
    if tokens is None or (plan.has_ids and ids is None):
        return True
    for (rows, span), digest in zip(block_pieces(plan, numbers), digests):
        piece = tokens[rows, span]
        if digest_of(piece) != digest or (ids is not None and not np.array_equal(ids[rows, span], token_ids(piece))):
            return True
    return False


def token_ids(tokens: npt.NDArray[np.int8]) -> npt.NDArray[np.uint16]:
    """Return the id of every token: bit i is site i.

    >>> token_ids(np.array([[-1, -1], [1, -1], [-1, 1]], dtype=np.int8)).tolist()
    [0, 1, 2]
    """
    weights = 1 << np.arange(tokens.shape[-1])
    return np.asarray((tokens > 0) @ weights, dtype=np.uint16)


class _Writer:
    def __init__(
        self,
        plan: CorpusPlan,
        folder: Path,
        numbers: range,
        progress: Progress | None,
        checkpoint: Path | None,
        workers: Workers,
    ) -> None:
        self.plan, self.folder, self.numbers, self.progress, self.workers = plan, folder, numbers, progress, workers
        self.motion = ContextMotion(plan.model, plan.rule, seed=plan.seed, precision=plan.precision)
        alone = plan.sequences == 1
        self.sums = BlockSums(sequences=len(numbers), steps=plan.length, lags=plan.lags, by_time=alone)
        self.tiles = tile_ranges(numbers)
        self.digests: list[str] = []
        self.done_tiles = 0
        facts = (
            plan.model.digest,
            plan.rule,
            plan.shape,
            plan.burn_in,
            plan.start,
            plan.seed,
            str(plan.dtype),
            plan.lags,
        )
        self.files = None
        if checkpoint is not None:
            self.files = CheckpointFiles(checkpoint, repr(("corpus-2", *facts, plan.precision, numbers)))
        self.told_at = self.saved_at = time.monotonic()
        self.total = plan.burn_in + plan.length

    def go(self) -> Block:
        plan = self.plan
        saved = self.files.load() if self.files is not None else None
        history = None
        step = 0
        if saved is not None:
            digests = [str(one) for one in saved["digests"]]
            if not damaged_pieces(plan, self.folder, self.numbers, digests):
                self.digests, self.done_tiles, step = digests, int(saved["tiles"]), int(saved["tile_steps"])
                self.sums.load(saved)
                history = saved["history"] if step else None
        self.tokens = Draft(self.folder / TOKENS, plan.shape, plan.dtype)
        self.ids = Draft(self.folder / TOKEN_IDS, plan.shape[:2], np.uint16) if plan.has_ids else None
        try:
            self._run(history, step)
        finally:
            for draft in (self.tokens, self.ids):
                if draft is not None:
                    draft.close()
        return Block(self.numbers, self.sums.arrays, self.digests)

    def _run(self, history: Any, step: int) -> None:
        plan, motion = self.plan, self.motion
        while self.done_tiles < len(self.tiles):
            first, count = self.tiles[self.done_tiles]
            if history is None:
                history, step = motion.history(plan.start, first, count), 0
            depth = max(plan.lags, motion.context + 1)
            tile = motion.open(history, first, self.workers, step=step, depth=depth)
            history = None
            self._run_tile(tile)
            self.done_tiles += 1
            self._save(None)
        self._flush()

    def _run_tile(self, tile: ContextTile) -> None:
        from glassformer.dynamics._kernels import _context as kernels

        plan, motion, sums, context = self.plan, self.motion, self.sums, self.motion.context
        own = tile.first_replica - self.numbers.start
        vector, linear = plan.rule.variant == "spherical", plan.rule.variant == "gaussian"
        scored = not vector and (plan.rule.variant != "graded" or motion.code == kernels.SIGN)
        sphere = SphereScores(sums, motion.beta, motion.n) if vector and motion.has_reversal else None
        overlaps = np.zeros((tile.replicas, kernels.block_count(motion.n), plan.lags + 1))
        whole = np.zeros((tile.replicas, plan.lags + 1))
        sites = np.zeros((tile.replicas, motion.n))
        piece = self._new_piece(tile)
        while tile.step < self.total:
            now = tile.step - plan.burn_in  # of the token that is about to be drawn, from 0
            # what is scored can be scored again from the file: tokens with all their K predecessors in it
            recording, backward = now >= context, motion.has_reversal and now >= motion.delay
            tile.advance(recording=recording, backward=backward)
            self._require_finite(tile, tile.sums if linear else tile.sums[:, kernels.TOTAL])
            if backward:
                self._score_backward(tile, now, own, sphere)
            if now >= 0:
                units = sums.unit(now, own, tile.replicas)
                sums.add(TOTAL, units, tile.sums[:, kernels.TOTAL])
                if recording:
                    sums.add(FIELD_SQUARE, units, tile.sums[:, kernels.FIELD_SQUARE])
                if recording and scored:
                    sums.add(LOSS, units, tile.sums[:, kernels.LOSS])
                if recording and sphere is not None:
                    sphere.add(LOSS, units, tile.vectors[0], tile.vectors[1])
                known = min(plan.lags, now) + 1
                kernels.overlap_cells(
                    tile.store, tile.slots(known), overlaps[:, :, :known], sites, not plan.two_valued, 0, tile.cells
                )
                kernels.add_blocks(overlaps[:, :, :known], whole[:, :known])
                self._require_finite(tile, whole)
                sums.add_overlaps(now, units, whole[:, :known])
                piece[:, now % plan.chunk] = tile.tokens
                if sphere is not None and (now + 1) % _FLUSH == 0:
                    sphere.flush()
                if (now + 1) % plan.chunk == 0 or now + 1 == plan.length:
                    if sphere is not None:
                        sphere.flush()
                    self._keep(tile, now + 1, piece)
                    if now + 1 < plan.length:
                        self._save(tile)
                        piece = self._new_piece(tile)
            elif (now + 1) % plan.chunk == 0:
                self._save(tile)
            self._tell(tile)
        if not motion.has_reversal:
            return
        for now in range(
            plan.length, plan.length + motion.delay - context
        ):  # tells the reversed law of the last windows
            tile.advance(backward=now >= motion.delay)
            if now >= motion.delay:
                self._score_backward(tile, now, own, sphere)
        if sphere is not None:
            sphere.flush()

    def _score_backward(self, tile: ContextTile, now: int, own: int, sphere: SphereScores | None) -> None:
        """Add the loss of the token ``delay`` before `now`, told from the K tokens after it, to the window these make."""
        from glassformer.dynamics._kernels import _context as kernels

        units = self.sums.unit(now - self.motion.delay + self.motion.context, own, tile.replicas)
        if sphere is not None:
            sphere.add(BACKWARD_LOSS, units, tile.sums[:, kernels.LOSS], tile.sums[:, kernels.BACKWARD_LOSS])
        else:
            self.sums.add(BACKWARD_LOSS, units, tile.sums[:, kernels.BACKWARD_LOSS])

    def _require_finite(self, tile: ContextTile, sums: npt.NDArray[np.float64]) -> None:
        if not np.isfinite(sums).all():
            raise InvalidInputError(
                f"tokens overflow at step {tile.step}: the linear dynamics is unstable; scale the couplings down, or take "
                "fewer steps."
            )

    def _new_piece(self, tile: ContextTile) -> npt.NDArray[Any]:
        return np.zeros((tile.replicas, self.plan.chunk, self.plan.model.n), self.plan.dtype)

    def _keep(self, tile: ContextTile, stop: int, piece: npt.NDArray[Any]) -> None:
        first = (stop - 1) // self.plan.chunk * self.plan.chunk
        rows, part = slice(tile.first_replica, tile.first_replica + tile.replicas), piece[:, : stop - first]
        self.tokens.write(rows, slice(first, stop), part)
        if self.ids is not None:
            self.ids.write(rows, slice(first, stop), token_ids(part))
        self.digests.append(digest_of(part))

    def _flush(self) -> None:
        self.tokens.flush()
        if self.ids is not None:
            self.ids.flush()

    def _save(self, tile: ContextTile | None) -> None:
        if self.files is None or time.monotonic() - self.saved_at < CHECKPOINT_SECONDS:
            return
        self._flush()
        arrays = {
            **self.sums.arrays,
            "digests": np.array(self.digests, dtype="U32"),
            "tiles": np.asarray(self.done_tiles),
            "tile_steps": np.asarray(0 if tile is None else tile.step),
        }
        if tile is not None:
            arrays["history"] = tile.past(min(tile.depth, max(tile.step, self.motion.context)))
        self.files.save(arrays, self.done_tiles * (self.total + 1) + (0 if tile is None else tile.step))
        self.saved_at = time.monotonic()

    def _tell(self, tile: ContextTile) -> None:
        now = time.monotonic()
        if self.progress is not None and (now - self.told_at >= _PROGRESS_SECONDS or tile.step == self.total):
            self.told_at = now
            self.progress(self.done_tiles * self.total + tile.step, len(self.tiles) * self.total)

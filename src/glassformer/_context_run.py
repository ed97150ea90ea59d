"""One simulation of sequences under way: tile after tile of replicas, with checkpoints between steps."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from glassformer._checkpoint import CheckpointFiles
from glassformer._context_record import TileRecord
from glassformer._core._errors import invalid
from glassformer._core._memory import require_memory
from glassformer.dynamics._motion import one_blas_thread, thread_count
from glassformer.dynamics.context._motion import ContextMotion, ContextTile, tile_ranges
from glassformer.dynamics.context._workers import Workers
from glassformer.models import ExtendedContext, TokenRule
from glassformer.observables._context import FLUSH, ContextMeasure, ContextSums

Progress = Callable[[float, float], None]
_FORMAT = "context-2"  # changes whenever the bits of a run would
_PROGRESS_SECONDS, _CHECKPOINT_SECONDS = 0.1, 30.0
_LARGEST_PATH = 2**31  # bytes of tokens that may be kept
_LARGEST_TIMES = 4096


class ContextRun:
    """One simulation under way."""

    def __init__(
        self,
        model: ExtendedContext,
        rule: TokenRule,
        *,
        steps: int,
        replicas: int,
        burn_in: int,
        seed: int,
        start: str | npt.ArrayLike | None,
        measure: ContextMeasure,
        lags: int,
        precision: str,
        threads: int | None,
        checkpoint: str | os.PathLike[str] | None,
    ) -> None:
        self.motion = ContextMotion(model, rule, seed=seed, precision=precision)
        self.steps, self.replicas, self.burn_in, self.seed = steps, replicas, burn_in, seed
        self.measure, self.lags, self.threads = measure, lags, thread_count(threads)
        self.start = self.motion.check_start(start)
        if not isinstance(self.start, str) and self.start.ndim == 3 and self.start.shape[0] != replicas:
            raise invalid(
                "the number of initial histories in start", self.start.shape[0], f"{replicas} replicas or one"
            )
        self.files = None
        if checkpoint is not None:
            self.files = CheckpointFiles(checkpoint, self._identity(model, rule))
        require_memory(f"the sums of {replicas} replicas", 16.0 * replicas * (lags + 20), "take fewer replicas")
        self.tiles = tile_ranges(range(replicas), self.motion.tile_width(lags))
        self.sums = ContextSums(
            n=model.n,
            context=model.context,
            delay=self.motion.delay,
            replicas=replicas,
            steps=steps,
            lags=lags,
            measure=measure,
        )
        self._check_memory()
        self.tokens = np.zeros((replicas, steps, model.n), self.motion.dtype) if measure.tokens else None
        self.done_tiles, self.done_steps = 0, 0
        self.last_finite = burn_in + steps
        self.saved_at = self.told_at = time.monotonic()

    def _check_memory(self) -> None:
        keeps = self.measure.two_time or self.measure.tokens
        times = self.steps + self.motion.context
        size = times * self.motion.n * self.motion.dtype.itemsize * min(self.replicas, self.tiles[0][1])
        if self.measure.tokens:
            size += self.steps * self.motion.n * self.motion.dtype.itemsize * self.replicas
        if keeps and size > _LARGEST_PATH:
            raise invalid(
                "the size of the tokens to keep", f"{size:.2g} bytes", f"at most {_LARGEST_PATH:.2g}",
                "take fewer steps, or stream them with token_stream",
            )  # fmt: skip
        if self.measure.two_time and times > _LARGEST_TIMES:
            raise invalid("the number of times for two_time", times, f"at most {_LARGEST_TIMES}", "measure fewer steps")

    def _identity(self, model: ExtendedContext, rule: TokenRule) -> str:
        digest = hashlib.blake2b(digest_size=16)
        facts = (
            _FORMAT,
            model.digest,
            rule,
            self.steps,
            self.replicas,
            self.burn_in,
            self.seed,
            self.measure,
            self.lags,
        )
        digest.update(repr((*facts, self.motion.operator.precision)).encode())
        digest.update(self.start.encode() if isinstance(self.start, str) else self.start.tobytes())
        return digest.hexdigest()

    @property
    def averages_over(self) -> str:
        """What the error bars average over."""
        if self.replicas > 1:
            return f"{self.replicas} replicas of one draw of the couplings"
        blocks = self.sums.units
        return f"{blocks} blocks of time of one sequence" if blocks > 1 else "nothing: one step of one sequence"

    def note(self, *, growing: bool, finite: bool) -> str | None:
        """Return what a reader should be warned of."""
        if not finite:
            return (
                f"tokens grew beyond what can be squared after step {self.last_finite}: the linear dynamics is unstable"
            )
        if self.motion.rule.variant == "spherical" and not self.motion.has_reversal:
            return "tokens on the sphere age at zero temperature: averages over time depend on burn_in and steps"
        if growing:
            return "tokens kept growing: the dynamics is unstable or has not forgotten its start"
        if self.burn_in < 10 * self.motion.context and not self.measure.two_time:
            return "burn_in is below 10 K steps, so averages contain the transient"
        return None

    def go(self, progress: Progress | None) -> bool:
        """Run to the end; return whether everything stayed finite."""
        history, sites = self._resume()
        with one_blas_thread(), Workers(self.threads) as workers:
            while self.done_tiles < len(self.tiles):
                first, count = self.tiles[self.done_tiles]
                if history is None:
                    history = self.motion.history(self.start, first, count)
                depth = max(self.lags, self.motion.needs)
                tile = self.motion.open(history, first, workers, step=self.done_steps, depth=depth)
                record = TileRecord(self.sums, self.measure, tile, sites)
                if tile.step == self.burn_in:
                    record.note_past(tile)
                if not self._run_tile(tile, record, progress):
                    return False
                history = sites = None
                self.done_tiles += 1
                self.done_steps = 0
                self._save(None, record.sites, force=self.done_tiles == len(self.tiles))
        return True

    def _resume(self) -> tuple[np.ndarray | None, np.ndarray | None]:
        """Take over a checkpoint; return the last tokens and the site sums of a tile that it left half-way."""
        saved = self.files.load() if self.files is not None else None
        if saved is None:
            return None, None
        self.done_tiles, self.done_steps = int(saved["tiles"]), int(saved["tile_steps"])
        self.sums.load(saved)
        if self.tokens is not None:
            self.tokens = saved["tokens"]
        return (saved["history"], saved["sites"]) if self.done_steps else (None, None)

    def _run_tile(self, tile: ContextTile, record: TileRecord, progress: Progress | None) -> bool:
        motion, total = self.motion, self.burn_in + self.steps
        while tile.step < total:
            time_now = tile.step - self.burn_in  # of the token that is about to be drawn, from 0
            scored = time_now - motion.delay
            backward = motion.has_reversal and scored >= 0
            tile.advance(recording=time_now >= 0, backward=backward)
            self.done_steps = tile.step
            if not tile.bounded:
                self.last_finite = tile.step - 1
                return False
            if time_now >= 0:
                record.add(tile, time_now, scored if backward else None)
            elif time_now == -1:
                record.note_past(tile)
            self._tell(progress)
            whole = time_now < 0 or (time_now + 1) % FLUSH == 0  # nothing waits to be scored
            if whole and record.path is None and tile.step < total:
                self._save(tile, record.sites)
        record.close()
        if self.tokens is not None and record.path is not None:
            own = slice(tile.first_replica, tile.first_replica + tile.replicas)
            self.tokens[own] = record.path[:, motion.context :]
        self._tell(progress, force=tile.first_replica + tile.replicas == self.replicas)
        return True

    def _tell(self, progress: Progress | None, *, force: bool = False) -> None:
        if progress is None:
            return
        now = time.monotonic()
        if force or now - self.told_at >= _PROGRESS_SECONDS:
            self.told_at = now
            total = self.burn_in + self.steps
            progress(self.done_tiles * total + self.done_steps, len(self.tiles) * total)

    def _save(self, tile: ContextTile | None, sites: np.ndarray, *, force: bool = False) -> None:
        if self.files is None or not (force or time.monotonic() - self.saved_at >= _CHECKPOINT_SECONDS):
            return
        arrays = {
            **self.sums.arrays,
            "seed": np.asarray(self.seed),
            "tiles": np.asarray(self.done_tiles),
            "tile_steps": np.asarray(self.done_steps),
            "sites": sites,
        }
        if tile is not None:
            arrays["history"] = tile.past(min(tile.depth, tile.step + self.motion.context))
        if self.tokens is not None:
            arrays["tokens"] = self.tokens
        self.files.save(arrays, self.done_tiles * (self.burn_in + self.steps) + self.done_steps)
        self.saved_at = time.monotonic()

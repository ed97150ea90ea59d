"""What one tile of sequences adds to the sums of a run, step by step."""

from __future__ import annotations

import numpy as np

from glassformer.dynamics.context._motion import ContextTile
from glassformer.observables._context import (
    BACKWARD_LOSS,
    ENTROPY,
    FIELD_SQUARE,
    FLUSH,
    LOSS,
    PAIRED_LOSS,
    TOTAL,
    ContextMeasure,
    ContextSums,
    SphereScores,
)


class TileRecord:
    """The working arrays of one tile; ``sites (replica, site)`` sums tokens over the unit of time under way."""

    def __init__(self, sums: ContextSums, measure: ContextMeasure, tile: ContextTile, sites: np.ndarray | None) -> None:
        motion, replicas = tile.motion, tile.replicas
        self.sums, self.measure, self.motion = sums, measure, motion
        self.sites = np.zeros((replicas, motion.n)) if sites is None else sites
        self.overlaps = np.zeros((replicas, tile.block_sums.shape[1], sums.lags + 1))
        self.whole_overlaps = np.zeros((replicas, sums.lags + 1))
        vector = motion.rule.variant == "spherical" and motion.has_reversal
        self.sphere = SphereScores(sums, motion.beta, tile.first_replica, replicas) if vector else None
        self.path: np.ndarray | None = None
        if measure.two_time or measure.tokens:
            self.path = np.zeros((replicas, motion.context + sums.steps, motion.n), motion.dtype)

    def note_past(self, tile: ContextTile) -> None:
        """Keep the K tokens before the first measured step."""
        if self.path is not None:
            context = self.motion.context
            self.path[:, :context] = tile.past(context)[:, ::-1]

    def add(self, tile: ContextTile, time: int, scored: int | None) -> None:
        """Add the token of measured step `time`, and the reversed loss of that of step `scored`."""
        from glassformer.dynamics._kernels import _context as kernels

        sums, first, count = self.sums, tile.first_replica, tile.replicas
        units = sums.unit(time, first, count)
        sums.add(FIELD_SQUARE, units, tile.sums[:, kernels.FIELD_SQUARE])
        sums.add(TOTAL, units, tile.sums[:, kernels.TOTAL])
        if self.sphere is not None:
            self._add_vectors(tile, time, scored)
        elif self.motion.scores_tokens:
            sums.add(LOSS, units, tile.sums[:, kernels.LOSS])
            sums.add(ENTROPY, units, tile.sums[:, kernels.ENTROPY])
            if self.motion.has_reversal and time < sums.paired_steps:
                sums.add(PAIRED_LOSS, units, tile.sums[:, kernels.LOSS])
            if scored is not None:
                sums.add(BACKWARD_LOSS, sums.unit(scored, first, count), tile.sums[:, kernels.BACKWARD_LOSS])
        self._add_overlaps(tile, time, units)
        if self.path is not None:
            self.path[:, self.motion.context + time] = tile.tokens
        if sums.replicas == 1 and sums.ends_unit(time):
            sums.add_sites(self.sites, sums.unit_length(time))
            self.sites[:] = 0.0

    def _add_vectors(self, tile: ContextTile, time: int, scored: int | None) -> None:
        from glassformer.dynamics._kernels import _context as kernels

        assert self.sphere is not None
        self.sphere.add(time, backward=False, projection=tile.vectors[0], square=tile.vectors[1])
        if scored is not None:  # where the pass wrote no loss there are a projection and a square
            projection, square = tile.sums[:, kernels.LOSS], tile.sums[:, kernels.BACKWARD_LOSS]
            self.sphere.add(scored, backward=True, projection=projection, square=square)
        if (time + 1) % FLUSH == 0 or time + 1 == self.sums.steps:
            self.sphere.flush()

    def _add_overlaps(self, tile: ContextTile, time: int, units: slice) -> None:
        from glassformer.dynamics._kernels._context import add_blocks, overlap_cells

        known = min(self.sums.lags, time) + 1
        slots, real = tile.slots(known), self.motion.dtype != np.int8
        overlaps, whole = self.overlaps[:, :, :known], self.whole_overlaps[:, :known]
        tile.over_cells(lambda first, last: overlap_cells(tile.store, slots, overlaps, self.sites, real, first, last))
        add_blocks(overlaps, whole)
        self.sums.add_overlaps(time, units, whole)

    def close(self) -> None:
        """Add what is added once a tile has taken all its steps."""
        if self.sums.replicas > 1:
            self.sums.add_sites(self.sites, self.sums.steps)
        if self.measure.two_time and self.path is not None:
            for own in self.path:
                self.sums.add_two_time(own)

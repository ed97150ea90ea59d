"""Parallel heat bath of one tile: one matrix product for all its replicas, then one draw per spin."""

from __future__ import annotations

import numpy as np
from numba import njit

from glassformer._core._philox import philox_words, unit_uniform, vector_exp
from glassformer.dynamics._kernels._vmf import FIRST_UNIFORM_BLOCK, draw_lane

_SUMS = {"reassoc", "contract", "nsz"}


@njit(cache=True, nogil=True, error_model="numpy")
def local_fields(couplings, drive, spins, out, lanes, dim):
    """Write x + J s for spins (site, lane * component); one BLAS call, so its bits depend on the tile only."""
    np.dot(couplings, spins, out)
    for i in range(spins.shape[0]):
        x, row = drive[i], out[i]
        for lane in range(lanes):
            own = row[lane * dim : (lane + 1) * dim]
            for k in range(dim):
                own[k] += x[k]


@njit(cache=True, nogil=True, error_model="numpy")
def draw_signs(h, out, active, beta, radius, step, first_replica, key0, key1):
    """Draw all spins of a tile for D = 1, where replicas are neighbours in memory; one vector loop per site."""
    scale = -2.0 * beta * radius
    for i in range(h.shape[0]):
        fields, spins, site = h[i], out[i], np.uint64(i)
        for lane in range(active):
            replica = first_replica + np.uint64(lane)
            w0, w1, _, _ = philox_words(FIRST_UNIFORM_BLOCK, step, site, replica, key0, key1)
            up = 1.0 / (1.0 + vector_exp(scale * fields[lane]))
            spins[lane] = radius if unit_uniform(w0, w1) < up else -radius


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_SUMS)
def _lane_scalars(before, fields_before, after, fields_after, drive, unit_drive, lane, dim):
    """Return the sums over sites of s'.(h'-x), s'.x, s'.unit drive, and s'.(h-x) - s.(h'-x)."""
    internal = 0.0
    external = 0.0
    alignment = 0.0
    exchange = 0.0
    mine = slice(lane * dim, (lane + 1) * dim)
    for i in range(drive.shape[0]):
        x, unit = drive[i], unit_drive[i]
        old, old_field, new, new_field = before[i, mine], fields_before[i, mine], after[i, mine], fields_after[i, mine]
        for k in range(dim):
            now = new_field[k] - x[k]
            internal += new[k] * now
            external += new[k] * x[k]
            alignment += new[k] * unit[k]
            exchange += new[k] * (old_field[k] - x[k]) - old[k] * now
    return internal, external, alignment, exchange


@njit(cache=True, nogil=True, error_model="numpy")
def _sign_scalars(before, fields_before, after, fields_after, drive, unit_drive, active, out):
    """Write what `_lane_scalars` returns for all lanes to ``out (4, lane)`` at D = 1; the inner loop runs over lanes."""
    internal, external, alignment, exchange = out[0], out[1], out[2], out[3]
    out[:, :active] = 0.0
    for i in range(drive.shape[0]):
        x, unit = drive[i, 0], unit_drive[i, 0]
        old, old_field, new, new_field = before[i], fields_before[i], after[i], fields_after[i]
        for lane in range(active):
            internal[lane] += new[lane] * (new_field[lane] - x)
            external[lane] += new[lane] * x
            alignment[lane] += new[lane] * unit
            exchange[lane] += new[lane] * (old_field[lane] - x) - old[lane] * (new_field[lane] - x)


@njit(cache=True, nogil=True, error_model="numpy")
def advance(
    couplings, drive, unit_drive, spins, fields, spare_spins, spare_fields, steps, first_step, first_replica, active,
    lanes, dim, beta, radius, key0, key1, uniforms, normals, blocks, sites, recording, path, scalars,
):  # fmt: skip
    """Advance a tile by `steps` in place; with `recording`, write the path (site, time, ...) and scalars (4, time, lane)."""
    n, width = spins.shape
    s, h, next_s, next_h = spins, fields, spare_spins, spare_fields
    if recording:
        for i in range(n):
            for k in range(width):
                path[i, 0, k] = s[i, k]
    for t in range(steps):
        flat_h = h.reshape(n * width)
        flat_s = next_s.reshape(n * width)
        now = np.uint64(first_step + t + 1)
        if dim == 1:
            draw_signs(h, next_s, active, beta, radius, now, np.uint64(first_replica), key0, key1)
        for lane in range(active if dim > 1 else 0):
            draw_lane(
                flat_h, width, lane * dim, flat_s, n, dim, beta, radius,
                now, np.uint64(first_replica + lane), key0, key1,
                uniforms, normals, blocks, sites,
            )  # fmt: skip
        local_fields(couplings, drive, next_s, next_h, lanes, dim)
        if recording:
            if dim == 1:
                _sign_scalars(s, h, next_s, next_h, drive, unit_drive, active, scalars[:, t + 1])
            for lane in range(active if dim > 1 else 0):
                values = _lane_scalars(s, h, next_s, next_h, drive, unit_drive, lane, dim)
                for which in range(4):
                    scalars[which, t + 1, lane] = values[which]
            for i in range(n):
                for k in range(width):
                    path[i, t + 1, k] = next_s[i, k]
        s, next_s = next_s, s
        h, next_h = next_h, h
    if steps % 2:  # the result sits in the spare buffers
        spare_spins, spare_fields = s, h
        for i in range(n):
            for k in range(width):
                spins[i, k] = spare_spins[i, k]
                fields[i, k] = spare_fields[i, k]

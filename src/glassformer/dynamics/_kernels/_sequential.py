"""Sequential heat bath of one replica: local fields are carried along, each move adds one row of couplings to them.

Arrays are (component, site), so that the update of the fields runs over sites whatever D is.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from glassformer._core._philox import fill_normals, fill_uniforms
from glassformer.dynamics._kernels._vmf import FIRST_UNIFORM_BLOCK, draw_site, workspace

ORDER_BLOCK = np.uint64(3 << 30)  # chooses the site in random order; proposals never get that far
REFRESH = 1000  # sweeps between two computations of the fields from scratch
_SUMS = {"reassoc", "contract", "nsz"}


@njit(cache=True, nogil=True, error_model="numpy")
def _shift_fields(fields, rows, site, change):
    """Add J_{j,site} times the change of one spin to the fields of all sites j."""
    row = rows[site]  # slices tell the compiler that the two arrays do not overlap
    for k in range(fields.shape[0]):
        component = fields[k]
        step = change[k]
        for j in range(row.size):
            component[j] += row[j] * step


@njit(cache=True, nogil=True, error_model="numpy")
def fields_from_scratch(rows, drive, spins):
    """Return x + J s with spins (component, site) and ``rows[i, j]`` the coupling from i to j, zero on the diagonal."""
    return drive + np.dot(spins, rows)


@njit(cache=True, nogil=True, error_model="numpy")
def refresh(rows, drive, spins, fields):
    """Compute the fields from scratch, in place; return by how much they had drifted, relative to the largest."""
    fresh = fields_from_scratch(rows, drive, spins)
    size = 1e-300
    gap = 0.0
    for k in range(fields.shape[0]):
        for i in range(fields.shape[1]):
            size = max(size, abs(fresh[k, i]))
            gap = max(gap, abs(fresh[k, i] - fields[k, i]))
            fields[k, i] = fresh[k, i]
    return gap / size


@njit(cache=True, nogil=True, error_model="numpy")
def heat_bath_sweep(
    rows, spins, fields, random_order, beta, radius, step, replica, key0, key1,
    uniforms, normals, blocks, sites, order, old, new, change,
):  # fmt: skip
    """Draw n sites from their conditional laws; return the sum of (s' - s).h over the moves."""
    dim, n = spins.shape
    d = 0.5 * (dim - 1.0) - 1.0 / 3.0
    c = 1.0 / math.sqrt(9.0 * d) if d > 0.0 else 0.0
    fill_uniforms(uniforms, n, FIRST_UNIFORM_BLOCK, np.uint64(0), step, replica, key0, key1)
    if random_order:
        fill_uniforms(order, n, ORDER_BLOCK, np.uint64(0), step, replica, key0, key1)
    per_site = (dim + 1) // 2
    run = max(1, blocks.size // per_site)
    exchange = 0.0
    for start in range(0, n, run):
        count = min(run, n - start)
        if dim >= 4:
            fill_normals(normals, count * per_site, blocks, sites, np.uint64(start), step, replica, key0, key1)
        for slot in range(count):
            m = start + slot
            i = min(n - 1, int(order[2 * m] * n)) if random_order else m
            for k in range(dim):
                old[k] = fields[k, i]
            draw_site(
                old, 0, new, 0, normals, 2 * slot * per_site, uniforms[2 * m], uniforms[2 * m + 1],
                dim, beta, radius, d, c, step, np.uint64(m), replica, key0, key1,
            )  # fmt: skip
            moved = False
            for k in range(dim):
                change[k] = new[k] - spins[k, i]
                moved |= change[k] != 0.0
                exchange += change[k] * old[k]
                spins[k, i] = new[k]
            if moved:
                _shift_fields(fields, rows, i, change)
    return exchange


@njit(cache=True, nogil=True, error_model="numpy")
def overrelaxation_sweep(rows, spins, fields, radius, new, change):
    """Reflect every spin about its field: the energy stays, the length is restored to R each time."""
    dim, n = spins.shape
    for i in range(n):
        along = 0.0
        square = 0.0
        for k in range(dim):
            along += spins[k, i] * fields[k, i]
            square += fields[k, i] * fields[k, i]
        if square < 1e-300:  # every direction has the same energy; stay
            continue
        factor = 2.0 * along / square
        length = 0.0
        for k in range(dim):
            new[k] = factor * fields[k, i] - spins[k, i]
            length += new[k] * new[k]
        scale = radius / math.sqrt(length)
        for k in range(dim):
            new[k] *= scale
            change[k] = new[k] - spins[k, i]
            spins[k, i] = new[k]
        _shift_fields(fields, rows, i, change)


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_SUMS)
def site_sums(spins, fields, drive, unit_drive):
    """Return the sums over sites of s.(h-x), s.x and s.unit drive."""
    internal = 0.0
    external = 0.0
    alignment = 0.0
    for k in range(spins.shape[0]):
        s, h, x, unit = spins[k], fields[k], drive[k], unit_drive[k]
        for i in range(s.size):
            internal += s[i] * (h[i] - x[i])
            external += s[i] * x[i]
            alignment += s[i] * unit[i]
    return internal, external, alignment


@njit(cache=True, nogil=True, error_model="numpy")
def advance(
    rows, drive, unit_drive, spins, fields, steps, first_step, replica, heat_baths, overrelaxations, random_order,
    beta, radius, key0, key1, uniforms, normals, blocks, sites, order, old, new, change, recording, path, scalars,
):  # fmt: skip
    """Advance one replica by `steps` sweeps in place; return the largest relative drift of the carried fields."""
    dim, n = spins.shape
    drift = 0.0
    if recording:
        for i in range(n):
            for k in range(dim):
                path[i, 0, k] = spins[k, i]
    for t in range(steps):
        step = first_step + t + 1
        exchange = 0.0
        if heat_baths:
            exchange = heat_bath_sweep(
                rows, spins, fields, random_order, beta, radius, np.uint64(step), np.uint64(replica), key0, key1,
                uniforms, normals, blocks, sites, order, old, new, change,
            )  # fmt: skip
        if dim > 1:  # with one component the reflection is the identity
            for _ in range(overrelaxations):
                overrelaxation_sweep(rows, spins, fields, radius, new, change)
        if step % REFRESH == 0:
            drift = max(drift, refresh(rows, drive, spins, fields))
        if recording:
            values = site_sums(spins, fields, drive, unit_drive)
            for which in range(3):
                scalars[which, t + 1, 0] = values[which]
            scalars[3, t + 1, 0] = exchange
            for i in range(n):
                for k in range(dim):
                    path[i, t + 1, k] = spins[k, i]
    return drift


def sweep_buffers(n: int, dim: int):
    """Return the buffers of `heat_bath_sweep` and `overrelaxation_sweep`, in the order of their arguments."""
    return (*workspace(n, dim), np.empty(2 * n), np.empty(dim), np.empty(dim), np.empty(dim))

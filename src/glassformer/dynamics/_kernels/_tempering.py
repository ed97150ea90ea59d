"""Parallel tempering of one replica: all its configurations sweep, then neighbours in temperature may change places.

What moves in a swap is the temperature, not the spins: ``level[chain]`` says where in the ladder a configuration is.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from glassformer._core._philox import uniforms_at
from glassformer.dynamics._kernels._sequential import (
    REFRESH,
    heat_bath_sweep,
    overrelaxation_sweep,
    refresh,
    site_sums,
)


@njit(cache=True, nogil=True, error_model="numpy")
def _swap(level, chain_at, energies, betas, lowest, step, replica, key0, key1, accepted):
    """Offer a swap to the pairs of levels ``lowest, lowest + 2, ...``; add the probabilities to `accepted`."""
    for low in range(lowest, betas.size - 1, 2):
        hot, cold = chain_at[low], chain_at[low + 1]
        gain = (betas[low + 1] - betas[low]) * (energies[cold] - energies[hot])
        probability = 1.0 if gain >= 0.0 else math.exp(gain)
        accepted[0, low] += 1.0
        accepted[1, low] += probability
        u, _ = uniforms_at(np.uint64(low), step, np.uint64(0), replica, key0, key1)
        if u < probability:
            chain_at[low], chain_at[low + 1] = cold, hot
            level[hot], level[cold] = low + 1, low


@njit(cache=True, nogil=True, error_model="numpy")
def _count_round_trips(chain_at, heading, round_trips):
    """Note who is at an end of the ladder: a round trip is hottest, coldest, hottest again."""
    hottest, coldest = chain_at[0], chain_at[chain_at.size - 1]
    if heading[coldest] == 1:
        heading[coldest] = -1
    if heading[hottest] == -1:
        round_trips[hottest] += 1
    heading[hottest] = 1


@njit(cache=True, nogil=True, error_model="numpy")
def advance(
    rows, drive, unit_drive, spins, fields, level, betas, steps, first_step, replica, overrelaxations, radius,
    key0, key1, swap_key0, swap_key1, accepted, heading, round_trips,
    uniforms, normals, blocks, sites, order, old, new, change, recording, path, scalars,
):  # fmt: skip
    """Advance one replica in place: a sweep of each configuration, then one round of swaps, `steps` times.

    ``spins, fields (chain, component, site)``. With `recording`, level l of the ladder writes ``path[l]`` and
    ``scalars[l]`` after the swaps. Returns the largest relative drift of the carried fields.
    """
    chains, dim, n = spins.shape
    drift = 0.0
    chain_at = np.empty(chains, np.int64)
    for chain in range(chains):
        chain_at[level[chain]] = chain
    sums = np.zeros((chains, 3))
    energies = np.zeros(chains)
    for t in range(steps):
        step = first_step + t + 1
        for chain in range(chains):
            own_spins, own_fields = spins[chain], fields[chain]
            heat_bath_sweep(
                rows, own_spins, own_fields, False, betas[level[chain]], radius, np.uint64(step),
                np.uint64(replica * chains + chain), key0, key1, uniforms, normals, blocks, sites, order, old, new,
                change,
            )  # fmt: skip
            if dim > 1:
                for _ in range(overrelaxations):
                    overrelaxation_sweep(rows, own_spins, own_fields, radius, new, change)
            if step % REFRESH == 0:
                drift = max(drift, refresh(rows, drive, own_spins, own_fields))
            internal, external, alignment = site_sums(own_spins, own_fields, drive, unit_drive)
            sums[chain, 0], sums[chain, 1], sums[chain, 2] = internal, external, alignment
            energies[chain] = -(0.5 * internal + external)
        _swap(
            level, chain_at, energies, betas, step % 2, np.uint64(step), np.uint64(replica), swap_key0, swap_key1,
            accepted,
        )  # fmt: skip
        if chains > 1:
            _count_round_trips(chain_at, heading, round_trips)
        if recording:
            for place in range(chains):
                chain = chain_at[place]
                for which in range(3):
                    scalars[place, which, t + 1, 0] = sums[chain, which]
                for i in range(n):
                    for k in range(dim):
                        path[place, i, t + 1, k] = spins[chain, k, i]
    return drift

r"""The compiled moves of the legacy sampler: one site at a time, with everything that the cost needs kept up to date.

Arrays have the component first and the site last, so that the loops over sites are vector loops: ``state`` is
``(component, 2 * site)``, the local fields in the left half and the spins in the right.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from glassformer._core._philox import normals_at, uniforms_at

STATIONARY, KINETIC_PREVIOUS, KINETIC_REVERSED = 0, 1, 2
_WORD = np.uint64(32)
_MASK = np.uint64(0xFFFFFFFF)


@njit(cache=True, nogil=True, error_model="numpy")
def refresh(state, couplings_t, fields_t, square, product, cosine):
    """Recompute the local fields, |h|^2, s.h and s.h/|h| of every site from the spins."""
    dim, n = fields_t.shape
    for d in range(dim):
        for i in range(n):
            state[d, i] = fields_t[d, i]
        for j in range(n):
            s = state[d, n + j]
            for i in range(n):
                state[d, i] += couplings_t[j, i] * s
    for i in range(n):
        square[i] = 0.0
        product[i] = 0.0
    for d in range(dim):
        for i in range(n):
            square[i] += state[d, i] * state[d, i]
            product[i] += state[d, i] * state[d, n + i]
    for i in range(n):
        # Where there is no field there is no target, and the site has none of its cost from an angle.
        cosine[i] = product[i] / math.sqrt(square[i]) if square[i] > 0.0 else 0.0


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz"})
def advance(
    state,
    couplings_t,
    fields_t,
    square,
    product,
    cosine,
    gap,
    first_move,
    count,
    refresh_every,
    beta,
    radius,
    step_size,
    ratio,
    replica,
    key0,
    key1,
):
    """Make `count` moves in place, the first being number `first_move`; return how many were accepted, and the new gap.

    ``couplings_t[k]`` is the column J[:, k]. `gap` is E(s_t | s_t) - E(s_t | s_{t-1}), used by the ratio
    ``kinetic_previous`` only.
    """
    dim, n = fields_t.shape
    delta = np.empty(dim + 1)  # one more: normals come in pairs
    along = np.empty(2 * n)  # h_i . delta, then s_i . delta
    new_square = np.empty(n)
    new_product = np.empty(n)
    new_cosine = np.empty(n)
    accepted = 0
    for move in range(first_move, first_move + count):
        if move % refresh_every == 0:
            refresh(state, couplings_t, fields_t, square, product, cosine)
        low = np.uint64(move) & _MASK
        high = np.uint64(move) >> _WORD
        choice, threshold = uniforms_at(np.uint64(0), low, high, replica, key0, key1)
        k = int(choice * n)
        length2 = 0.0
        for b in range((dim + 1) // 2):
            first, second = normals_at(np.uint64(b + 1), low, high, replica, key0, key1)
            delta[2 * b] = step_size * first
            delta[2 * b + 1] = step_size * second
        for d in range(dim):
            length2 += delta[d] * delta[d]

        for i in range(2 * n):
            along[i] = 0.0
        d = 0
        while d + 3 < dim:  # four components at once: a quarter of the traffic of the sums
            d0, d1, d2, d3 = delta[d], delta[d + 1], delta[d + 2], delta[d + 3]
            for i in range(2 * n):
                along[i] += (state[d, i] * d0 + state[d + 1, i] * d1) + (state[d + 2, i] * d2 + state[d + 3, i] * d3)
            d += 4
        while d < dim:
            d0 = delta[d]
            for i in range(2 * n):
                along[i] += state[d, i] * d0
            d += 1

        # With the spin of site k still the old one in s_i . h_i(s'):
        old_in_new = 0.0
        for i in range(n):
            c = couplings_t[k, i]
            h2 = square[i] + c * (2.0 * along[i] + c * length2)
            sh = product[i] + c * along[n + i]
            inverse = 1.0 / math.sqrt(h2) if h2 > 0.0 else 0.0
            new_square[i] = h2
            new_product[i] = sh
            new_cosine[i] = sh * inverse
            old_in_new += new_cosine[i] - cosine[i]
        extra = along[k] + couplings_t[k, k] * length2  # delta . h_k(s')
        turn = extra / math.sqrt(new_square[k]) if new_square[k] > 0.0 else 0.0
        length_change = along[n + k] + 0.5 * length2
        old_target = along[k] / math.sqrt(square[k]) if square[k] > 0.0 else 0.0
        # E(s'|s') - E(s|s), and E(s'|s) - E(s|s): targets moved and targets held.
        full = length_change - radius * (old_in_new + turn)
        held = length_change - radius * old_target
        if ratio == STATIONARY:
            change = full
        elif ratio == KINETIC_PREVIOUS:
            change = held + gap
        else:
            change = held + radius * old_in_new

        if change <= 0.0 or threshold < math.exp(-beta * change):
            accepted += 1
            gap = full - held
            for d in range(dim):
                step = delta[d]
                for i in range(n):
                    state[d, i] += couplings_t[k, i] * step
                state[d, n + k] += step
            new_product[k] += extra
            new_cosine[k] += turn
            for i in range(n):
                square[i] = new_square[i]
                product[i] = new_product[i]
                cosine[i] = new_cosine[i]
        else:
            gap = 0.0
    return accepted, gap

"""Descent at zero temperature: one spin after another is turned into its local field, until nothing moves.

Arrays are (component, site); spins have length 1 and couplings and fields are in units in which the largest is about 1.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from glassformer.dynamics._kernels._sequential import REFRESH, _shift_fields, fields_from_scratch, refresh

WINDOW = 24  # sweeps between two looks at the rate of convergence
SETTLED = 1e-2  # moves below this are steps within one basin, which may then be lengthened
_CANCELLED = 1e-10  # of the sum of its terms: below this a carried field is computed afresh ...
_ZERO = 1e-14  # ... and below this it is rounding, and has no direction
_LONGEST = 1.85  # with dense couplings the slowest moves shrink more slowly again beyond (measured)


@njit(cache=True, nogil=True, error_model="numpy")
def _field_afresh(rows, drive, spins, fields, site):
    """Compute the field of one site from scratch, in place (the couplings are symmetric); return its square."""
    row = rows[site]
    square = 0.0
    for k in range(fields.shape[0]):
        total = drive[k, site]
        for j in range(row.size):
            total += row[j] * spins[k, j]
        fields[k, site] = total
        square += total * total
    return square


@njit(cache=True, nogil=True, error_model="numpy")
def descent_sweep(rows, drive, spins, fields, scale, stretch, new, change):
    """Move every spin `stretch` times the way to its field; return the largest way of a component, and how many stayed.

    A stretch of 1 turns the spin into its field. Between 1 and 2 the spin overshoots but ends nearer to the field than it
    was, so that the energy never rises. A spin whose field vanishes has the same energy in every direction, and stays.
    """
    dim, n = spins.shape
    largest = 0.0
    free = 0
    for i in range(n):
        square = 0.0
        for k in range(dim):
            square += fields[k, i] * fields[k, i]
        if square <= (_CANCELLED * scale[i]) ** 2:
            square = _field_afresh(rows, drive, spins, fields, i)
            if square <= (_ZERO * scale[i]) ** 2:
                free += 1
                continue
        inverse = 1.0 / math.sqrt(square)
        length = 0.0
        for k in range(dim):
            way = inverse * fields[k, i] - spins[k, i]
            largest = max(largest, abs(way))
            new[k] = spins[k, i] + stretch * way
            length += new[k] * new[k]
        inverse = 1.0 / math.sqrt(length)
        moved = False
        for k in range(dim):
            new[k] *= inverse
            change[k] = new[k] - spins[k, i]
            moved |= change[k] != 0.0
            spins[k, i] = new[k]
        if moved:
            _shift_fields(fields, rows, i, change)
    return largest, free


@njit(cache=True, nogil=True, error_model="numpy")
def _longer(stretch, rate):
    """Return a better stretch, given the rate at which moves shrink under the present one (Young 1954).

    Relaxation with stretch w shrinks errors by the root l of (l + w - 1)^2 = l w^2 r per sweep, r being the rate of
    plain sweeps, and does so fastest at w = 2 / (1 + sqrt(1 - r)). That is exact for couplings between two sets of sites
    only, and a guide for others.
    """
    if rate <= stretch - 1.0:  # the best one, or beyond
        return stretch
    plain = min(1.0, (rate + stretch - 1.0) ** 2 / (rate * stretch * stretch))
    return max(stretch, min(_LONGEST, 2.0 / (1.0 + math.sqrt(1.0 - plain))))


@njit(cache=True, nogil=True, error_model="numpy")
def descend(rows, drive, spins, scale, tolerance, max_sweeps):
    """Descend in place; return the sweeps, the largest move of the last one (a plain one), and the spins without field."""
    dim = spins.shape[0]
    new, change = np.empty(dim), np.empty(dim)
    fields = fields_from_scratch(rows, drive, spins)
    stretch, since, confirm = 1.0, 0, False
    first, second = 0.0, 0.0  # the largest moves in the two halves of a window
    move, free = 0.0, 0
    for sweep in range(1, max_sweeps + 1):
        step = 1.0 if confirm or sweep == max_sweeps else stretch
        move, free = descent_sweep(rows, drive, spins, fields, scale, step, new, change)
        if confirm and move <= tolerance:
            return sweep, move, free
        confirm = move <= tolerance  # one more sweep, plain and from fresh fields, decides
        if confirm or sweep % REFRESH == 0:
            refresh(rows, drive, spins, fields)
        since += 1
        if 2 * since <= WINDOW:
            first = max(first, move)
        else:
            second = max(second, move)
        if since == WINDOW:
            if first < SETTLED and 0.0 < second < first:
                stretch = _longer(stretch, (second / first) ** (2.0 / WINDOW))
            first, second, since = 0.0, 0.0, 0
    return max_sweeps, move, free

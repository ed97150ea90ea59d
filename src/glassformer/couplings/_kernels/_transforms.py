r"""The fast Walsh-Hadamard transform in place, and the sign and permutation passes around it."""

from __future__ import annotations

from numba import njit


@njit(cache=True, nogil=True, error_model="numpy")
def walsh_hadamard(x):
    """Replace x, whose length is a power of two, by H x with entries +-1 (not normalised)."""
    n = x.size
    h = 1
    if n >= 8:  # three levels in registers
        for i in range(0, n, 8):
            a0, a1, a2, a3 = x[i] + x[i + 1], x[i] - x[i + 1], x[i + 2] + x[i + 3], x[i + 2] - x[i + 3]
            a4, a5, a6, a7 = x[i + 4] + x[i + 5], x[i + 4] - x[i + 5], x[i + 6] + x[i + 7], x[i + 6] - x[i + 7]
            b0, b1, b2, b3 = a0 + a2, a1 + a3, a0 - a2, a1 - a3
            b4, b5, b6, b7 = a4 + a6, a5 + a7, a4 - a6, a5 - a7
            x[i], x[i + 1], x[i + 2], x[i + 3] = b0 + b4, b1 + b5, b2 + b6, b3 + b7
            x[i + 4], x[i + 5], x[i + 6], x[i + 7] = b0 - b4, b1 - b5, b2 - b6, b3 - b7
        h = 8
    while 4 * h <= n:  # two levels in one pass over memory
        for i in range(0, n, 4 * h):
            first, second = x[i : i + h], x[i + h : i + 2 * h]
            third, fourth = x[i + 2 * h : i + 3 * h], x[i + 3 * h : i + 4 * h]
            for j in range(h):
                p, q = first[j] + second[j], first[j] - second[j]
                r, s = third[j] + fourth[j], third[j] - fourth[j]
                first[j], second[j], third[j], fourth[j] = p + r, q + s, p - r, q - s
        h *= 4
    while 2 * h <= n:
        for i in range(0, n, 2 * h):
            first, second = x[i : i + h], x[i + h : i + 2 * h]
            for j in range(h):
                first[j], second[j] = first[j] + second[j], first[j] - second[j]
        h *= 2


@njit(cache=True, nogil=True, error_model="numpy")
def flip(signs, x, out, scale):
    """Write ``scale * signs * x``."""
    for i in range(out.size):
        out[i] = scale * (signs[i] * x[i])


@njit(cache=True, nogil=True, error_model="numpy")
def flip_permuted(signs, order, x, out):
    """Write ``signs * x[order]``."""
    for i in range(out.size):
        out[i] = signs[i] * x[order[i]]

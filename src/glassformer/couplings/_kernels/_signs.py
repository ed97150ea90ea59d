"""Matrices of random signs, one bit an entry: drawing them, and their products with two-valued and real vectors."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, types
from numba.extending import intrinsic

from glassformer._core._philox import philox_words

_ONE, _SIX, _S32, _BITS = np.uint64(1), np.uint64(6), np.uint64(32), np.uint64(63)


@intrinsic
def _ones_of_intrinsic(typing_context, word):
    """Return the number of ones in a 64-bit word."""

    def codegen(context, builder, signature, args):
        return builder.ctpop(args[0])

    return types.uint64(types.uint64), codegen


_ones_of: Any = _ones_of_intrinsic  # type checkers see the signature of the definition, not of the call


@njit(cache=True, nogil=True, error_model="numpy")
def draw_bits(bits, n, key0, key1):
    """Fill ``bits (site, word)``; 128 entries come from one address (pair of words, -, site, -); spare bits are 0."""
    words = bits.shape[1]
    spare = np.uint64(n) & _BITS
    for i in range(n):
        for pair in range((words + 1) // 2):
            w0, w1, w2, w3 = philox_words(np.uint64(pair), np.uint64(0), np.uint64(i), np.uint64(0), key0, key1)
            bits[i, 2 * pair] = (w0 << _S32) | w1
            if 2 * pair + 1 < words:
                bits[i, 2 * pair + 1] = (w2 << _S32) | w3
        if spare > 0:
            bits[i, words - 1] &= (_ONE << spare) - _ONE


@njit(cache=True, nogil=True, error_model="numpy")
def pack(tokens, out):
    """Write the signs of ``tokens (replica, site)`` to ``out (replica, word)``: a one for each positive entry."""
    for b in range(tokens.shape[0]):
        out[b, :] = np.uint64(0)
        for j in range(tokens.shape[1]):
            if tokens[b, j] > 0:
                out[b, j >> 6] |= _ONE << (np.uint64(j) & _BITS)


@njit(cache=True, nogil=True, error_model="numpy")
def _sign_at(bits, i, j):
    return 1.0 if (bits[i, j >> 6] >> (np.uint64(j) & _BITS)) & _ONE else -1.0


@njit(cache=True, nogil=True, error_model="numpy")
def sign_products(bits, packed, n, scale, without_diagonal, out, low, high):
    """Write rows `low` to `high` of the products with packed tokens: agreements minus disagreements, times `scale`."""
    for i in range(low, high):
        row = bits[i]
        for b in range(packed.shape[0]):
            token = packed[b]
            different = np.uint64(0)
            for w in range(row.size):
                different += _ones_of(row[w] ^ token[w])
            total = np.float64(n - 2 * np.int64(different))
            if without_diagonal:
                total -= _sign_at(bits, i, i) * (
                    2.0 * np.float64((token[i >> 6] >> (np.uint64(i) & _BITS)) & _ONE) - 1.0
                )
            out[b, i] = total * scale


@njit(cache=True, nogil=True, error_model="numpy")
def unpack_rows(bits, n, scale, without_diagonal, out, low):
    """Write rows from `low` on as numbers ``+-scale`` to ``out (row, site)``."""
    for k in range(out.shape[0]):
        for j in range(n):
            out[k, j] = scale * _sign_at(bits, low + k, j)
        if without_diagonal:
            out[k, low + k] = 0.0

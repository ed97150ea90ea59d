r"""Addressed randomness: a draw is a pure function of (seed, stream, replica, step, site, block).

Philox-4x32-10 (Salmon et al. 2011) turns a 128-bit counter and a 64-bit key into four 32-bit words. The key is a
hash of the seed and the name of the stream; the counter words are ``(block, step, site, replica)``. Nothing is
consumed, so the bits do not depend on threads, batches, processes or interruptions. Different purposes (disorder,
initial state, dynamics, ...) use different stream names, so more replicas never change the disorder.

This module is the array form for drawing couplings, fields and initial states; the compiled form for kernels is
`glassformer._core._philox`. Both give the same words.
"""

from __future__ import annotations

import hashlib
import math
import secrets
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from glassformer._core._errors import invalid
from glassformer._core._validation import FloatArray

_M0, _M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_W0, _W1 = 0x9E3779B9, 0xBB67AE85
_MASK = np.uint64(0xFFFFFFFF)
_SHIFT = np.uint64(32)


def new_seed() -> int:
    """Return a fresh root seed from the operating system; callers print and store it."""
    return secrets.randbits(53)  # exact in a double, so that it survives every file format


def check_seed(seed: int | None) -> int:
    """Return `seed`, a fresh one for None, or raise."""
    if seed is None:
        return new_seed()
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or not 0 <= int(seed) < 2**63:
        raise invalid("seed", seed, "an integer from 0 to 2**63 - 1")
    return int(seed)


def stream_key(seed: int, stream: str) -> int:
    """Return the 64-bit Philox key of the named `stream` under the root `seed`."""
    digest = hashlib.blake2b(f"{seed}\x00{stream}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little")


def derived_seed(seed: int, stream: str) -> int:
    """Return a root seed of its own for the named part of a computation, below 2**53 like a fresh one.

    >>> derived_seed(1, "part/0") == derived_seed(1, "part/0") != derived_seed(1, "part/1")
    True
    """
    return stream_key(seed, stream) >> 11


def philox(counter: Sequence[npt.ArrayLike], key: int) -> tuple[npt.NDArray[np.uint64], ...]:
    """Return the four output words (as uint64 arrays below 2**32) of Philox-4x32-10.

    `counter` holds four broadcastable arrays of words below 2**32; the low word of `key` is the first key word.
    """
    c0, c1, c2, c3 = (np.asarray(word, dtype=np.uint64) for word in counter)
    k0, k1 = key & 0xFFFFFFFF, key >> 32
    for _ in range(10):
        p0, p1 = _M0 * c0, _M1 * c2
        c0, c1, c2, c3 = (
            (p1 >> _SHIFT) ^ c1 ^ np.uint64(k0),
            p1 & _MASK,
            (p0 >> _SHIFT) ^ c3 ^ np.uint64(k1),
            p0 & _MASK,
        )
        k0, k1 = (k0 + _W0) & 0xFFFFFFFF, (k1 + _W1) & 0xFFFFFFFF
    return c0, c1, c2, c3


def uniforms(seed: int, stream: str, shape: int | tuple[int, ...]) -> FloatArray:
    """Return uniforms in [0, 1) with 53 bits, ``shape`` in C order; a longer array begins with the shorter one."""
    size = int(np.prod(shape))
    index = np.arange((size + 1) // 2, dtype=np.uint64)
    words = philox((index & _MASK, index >> _SHIFT, 0, 0), stream_key(seed, stream))
    pairs = np.stack([_to_uniform(words[0], words[1]), _to_uniform(words[2], words[3])], axis=-1)
    return pairs.reshape(-1)[:size].reshape(shape)


def normals(seed: int, stream: str, shape: int | tuple[int, ...]) -> FloatArray:
    """Return standard normals (Box-Muller), ``shape`` in C order; a longer array begins with the shorter one."""
    size = int(np.prod(shape))
    pairs = uniforms(seed, stream, 2 * ((size + 1) // 2)).reshape(-1, 2)
    radius = np.sqrt(-2.0 * np.log1p(-pairs[:, 0]))
    angle = 2.0 * math.pi * pairs[:, 1]
    both = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=-1)
    return both.reshape(-1)[:size].reshape(shape)


def directions(seed: int, stream: str, shape: tuple[int, ...]) -> FloatArray:
    """Return vectors uniform on the unit sphere in the last axis of `shape` (signs when it has length 1)."""
    vectors = normals(seed, stream, shape)
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def _to_uniform(w0: npt.NDArray[np.uint64], w1: npt.NDArray[np.uint64]) -> FloatArray:
    bits = (w0 << np.uint64(21)) ^ (w1 >> np.uint64(11))
    return bits.astype(np.float64) * 2.0**-53

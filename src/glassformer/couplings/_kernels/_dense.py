"""The uniform numbers of `glassformer._core._random`, compiled."""

from __future__ import annotations

import numpy as np
from numba import njit

from glassformer._core._philox import philox_words, unit_uniform

_LOW, _S32, _ZERO = np.uint64(0xFFFFFFFF), np.uint64(32), np.uint64(0)


@njit(cache=True, nogil=True, error_model="numpy")
def uniform_pairs(first, u, v, key0, key1):
    """Write the pairs of uniforms from number `first` on to u and v."""
    for k in range(u.size):
        index = np.uint64(first + k)
        w0, w1, w2, w3 = philox_words(index & _LOW, index >> _S32, _ZERO, _ZERO, key0, key1)
        u[k] = unit_uniform(w0, w1)
        v[k] = unit_uniform(w2, w3)

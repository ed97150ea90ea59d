"""Large matrices of normal numbers, drawn in pieces that stay in the cache."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from glassformer._core._random import stream_key
from glassformer._core._validation import as_choice

PRECISIONS = ("double", "single")
_PIECE = 2**15  # pairs


def dense_normals(seed: int, stream: str, n: int, *, precision: str = "double") -> npt.NDArray[Any]:
    """Return what ``normals(seed, stream, (n, n))`` does, in the memory of the result; float32 for ``"single"``.

    >>> from glassformer._core._random import normals
    >>> bool((dense_normals(1, "example", 5) == normals(1, "example", (5, 5))).all())
    True
    """
    from glassformer._core._philox import split_key
    from glassformer.couplings._kernels._dense import uniform_pairs

    out = np.empty(n * n, np.float32 if as_choice("precision", precision, PRECISIONS) == "single" else np.float64)
    key = split_key(stream_key(seed, stream))
    u, v, both = np.empty(_PIECE), np.empty(_PIECE), np.empty((_PIECE, 2))
    for first in range(0, (n * n + 1) // 2, _PIECE):
        uniform_pairs(first, u, v, *key)
        radius = np.sqrt(-2.0 * np.log1p(-u))
        angle = 2.0 * math.pi * v
        both[:, 0], both[:, 1] = radius * np.cos(angle), radius * np.sin(angle)
        low = 2 * first
        high = min(low + 2 * _PIECE, n * n)
        out[low:high] = both.reshape(-1)[: high - low]
    return out.reshape(n, n)

"""Large matrix products in fixed strips: the bits depend on the shapes only, not on how many threads there are.

A BLAS library splits a product among its threads as it likes, and the last bits follow the split. `solve` gives every
product one BLAS thread; here our own threads run over strips that are cut by the number of rows alone.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np

from glassformer._core._validation import FloatArray
from glassformer.dynamics._motion import thread_count

_SMALL = 256  # rows below which threads cost more than they save


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(thread_count(None), thread_name_prefix="glassformer-product")


def _strips(rows: int) -> list[tuple[int, int]]:
    width = max(128, -(-rows // 8))
    return [(low, min(low + width, rows)) for low in range(0, rows, width)]


def _run(strip: Callable[[int, int], None], rows: int) -> None:
    """Call `strip` for all strips, the last first (it may be the longest); in threads when there is enough to do."""
    strips = _strips(rows)[::-1]
    if rows < _SMALL or thread_count(None) == 1:
        for low, high in strips:
            strip(low, high)
        return
    for done in [_pool().submit(strip, low, high) for low, high in strips]:
        done.result()


def product(left: FloatArray, right: FloatArray, *, out: FloatArray) -> FloatArray:
    """Write the product of two matrices to `out` and return it."""

    def strip(low: int, high: int) -> None:
        np.matmul(left[low:high], right, out=out[low:high])

    _run(strip, left.shape[0])
    return out


def symmetric_product(left: FloatArray, right: FloatArray, *, out: FloatArray) -> None:
    r"""Write :math:`AB^T` when it is known to be symmetric, for little over half the cost; `out` is exactly symmetric.

    Only the blocks on and below the diagonal are multiplied out.
    """

    def strip(low: int, high: int) -> None:  # writes rows up to the diagonal and their mirror: no two strips overlap
        np.matmul(left[low:high], right[:high].T, out=out[low:high, :high])
        out[:low, low:high] = out[low:high, :low].T
        block = out[low:high, low:high]
        block[:] = 0.5 * (block + block.T)

    _run(strip, left.shape[0])

"""Couplings from a few sites only: fixed in-degree, normal weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from glassformer._core._errors import invalid
from glassformer._core._validation import FloatArray, as_count
from glassformer.couplings._operators import Operator, Piece, strips


class SparseOperator(Operator):
    r"""Each site listens to ``degree`` distinct sites with normal weights of variance 1/degree; 12 bytes an edge.

    Fields of finite degree c differ from those of dense couplings by O(1/c).

    >>> operator = SparseOperator(9, [7], degree=3)
    >>> (operator.dense() != 0).sum(axis=2).tolist()
    [[3, 3, 3, 3, 3, 3, 3, 3, 3]]
    """

    structure = "sparse"

    def __init__(self, n: int, keys: Sequence[int], *, degree: int, self_coupling: bool = True) -> None:
        from glassformer._core._philox import split_key
        from glassformer.couplings._kernels._sparse import draw_graph

        self.n, self.factors = n, len(keys)
        self.degree = as_count("degree", degree, next_step="structure='sparse' needs the in-degree of a site")
        others = n if self_coupling else n - 1
        if self.degree > others:
            raise invalid("degree", degree, f"at most {others} at n = {n}", "use structure='gaussian' for few sites")
        self.sources = np.empty((self.factors, n, self.degree), np.int32)
        self.weights = np.empty((self.factors, n, self.degree))
        for a, key in enumerate(keys):
            draw_graph(self.sources[a], self.weights[a], n, self_coupling, *split_key(key))

    @property
    def nbytes(self) -> int:
        """Bytes that the matrices keep in memory."""
        return self.sources.nbytes + self.weights.nbytes

    def pieces(self, tokens: npt.NDArray[Any], out: FloatArray, *, lane: int = 0) -> list[Piece]:
        """Return one piece per factor and strip of rows."""
        from glassformer.couplings._kernels._sparse import graph_products

        by_site = np.ascontiguousarray(tokens.T, dtype=np.float64)

        def piece(a: int, low: int, high: int) -> Piece:
            return lambda: graph_products(self.sources[a], self.weights[a], by_site, out[a], low, high)

        return [piece(a, low, high) for a in range(self.factors) for low, high in strips(self.n)]

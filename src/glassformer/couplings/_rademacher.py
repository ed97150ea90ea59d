"""Random signs over the square root of n, one bit an entry."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from glassformer._core._validation import FloatArray
from glassformer.couplings._operators import Operator, PaddedTile, Piece, padded_tiles, strips

_UNPACKED_ROWS = 128


class RademacherOperator(Operator):
    r"""Independent :math:`W_{ij}=\pm N^{-1/2}`: n^2/8 bytes a matrix, products with signs by exclusive or and counting.

    Products with two-valued tokens are sums of integers, hence exact in any order. Real tokens are multiplied with strips
    of rows that are unpacked on the way, at the price of a dense product.

    >>> operator = RademacherOperator(70, [7])
    >>> tokens = np.ones((1, 70), dtype=np.int8)
    >>> bool(np.allclose(operator.apply(tokens), operator.dense().sum(axis=2)[:, None]))
    True
    """

    structure = "rademacher"
    bits: ClassVar[bool] = True

    def __init__(self, n: int, keys: Sequence[int], *, self_coupling: bool = True) -> None:
        from glassformer._core._philox import split_key
        from glassformer.couplings._kernels._signs import draw_bits

        self.n, self.factors, self.self_coupling = n, len(keys), self_coupling
        self.scale = n**-0.5
        self.words = np.zeros((self.factors, n, -(-n // 64)), np.uint64)
        for words, key in zip(self.words, keys):
            draw_bits(words, n, *split_key(key))

    @property
    def nbytes(self) -> int:
        """Bytes that the matrices keep in memory."""
        return self.words.nbytes

    def pieces(self, tokens: npt.NDArray[Any], out: FloatArray, *, lane: int = 0) -> list[Piece]:
        """Return one piece per factor and strip of rows."""
        if tokens.dtype == np.int8:
            return self._counted(tokens, out)
        return [
            self._unpacked(tile, a, low, min(low + _UNPACKED_ROWS, self.n), out[a, tile.replicas])
            for tile in padded_tiles(tokens, np.float64, lane)
            for a in range(self.factors)
            for low in range(0, self.n, _UNPACKED_ROWS)
        ]

    def _counted(self, tokens: npt.NDArray[Any], out: FloatArray) -> list[Piece]:
        from glassformer.couplings._kernels._signs import pack, sign_products

        packed = np.empty((tokens.shape[0], self.words.shape[2]), np.uint64)
        pack(tokens, packed)

        def piece(a: int, low: int, high: int) -> Piece:
            return lambda: sign_products(
                self.words[a], packed, self.n, self.scale, not self.self_coupling, out[a], low, high
            )

        return [piece(a, low, high) for a in range(self.factors) for low, high in strips(self.n)]

    def _unpacked(self, tile: PaddedTile, a: int, low: int, high: int, out: FloatArray) -> Piece:
        from glassformer.couplings._kernels._signs import unpack_rows

        def piece() -> None:
            rows = np.empty((high - low, self.n))
            unpack_rows(self.words[a], self.n, self.scale, not self.self_coupling, rows, low)
            tile.multiply(rows, out[:, low:high])

        return piece

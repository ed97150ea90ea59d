r"""Products with the independent matrices :math:`W_a` of extended-context couplings, one class for each structure.

An operator turns ``tokens (replica, site)`` into ``u (factor, replica, site)``, :math:`u_a=W_as`. It cuts the work into
pieces whose shapes depend on its size only; a driver may run them in any order on any number of threads and gets the same
bits, which do not depend on the number of replicas either (matrix products are padded to whole tiles).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from glassformer._core._errors import invalid
from glassformer._core._random import check_seed, normals, stream_key
from glassformer._core._validation import FloatArray, as_choice, as_count
from glassformer.couplings._dense_draw import PRECISIONS

TILE = 64  # replicas in one matrix product
_NARROW = (4, 8, 16, 32)
STRUCTURES = ("gaussian", "rademacher", "sparse", "fast_transform")
Piece = Callable[[], None]


class Operator(ABC):
    """The matrices W_a, by what they do.

    ``structure`` names the law of their entries (``given`` for a user's own), ``precision`` that of the arithmetic, and
    ``nbytes`` is what they keep in memory.
    """

    n: int
    factors: int
    structure: str
    precision: str = "double"
    bits: ClassVar[bool] = False  # whether two-valued tokens (int8) take a way of their own

    @property
    @abstractmethod
    def nbytes(self) -> int:
        """Bytes that the matrices keep in memory."""

    @abstractmethod
    def pieces(self, tokens: npt.NDArray[Any], out: FloatArray, *, lane: int = 0) -> list[Piece]:
        """Return the independent parts of writing the products to ``out (factor, replica, site)``.

        The first replica takes column `lane` of its tile: a replica that always names its own gets the same bits with any
        company.
        """

    @property
    def count(self) -> int:
        """Number of matrices r."""
        return self.factors

    def apply(self, tokens: npt.ArrayLike) -> FloatArray:
        """Return the products (factor, ..., site) with tokens (..., site): int8 signs, or real numbers."""
        array = np.asarray(tokens)
        if array.ndim == 0 or array.shape[-1] != self.n:
            raise invalid("the shape of tokens", array.shape, f"(..., {self.n})")
        if array.dtype != np.int8:
            array = array.astype(np.float64, copy=False)
        flat = np.ascontiguousarray(array.reshape(-1, self.n))
        out = np.empty((self.factors, *flat.shape))
        for piece in self.pieces(flat, out):
            piece()
        return out.reshape(self.factors, *array.shape)

    def dense(self) -> FloatArray:
        """Return the matrices ``(factor, site, site_)``, column by column; n^2 numbers each, for small n."""
        return np.ascontiguousarray(self.apply(np.eye(self.n)).transpose(0, 2, 1))


def strips(rows: int, count: int = 8) -> list[tuple[int, int]]:
    """Cut rows into at most `count` strips of at least 128."""
    width = max(128, -(-rows // count))
    return [(low, min(low + width, rows)) for low in range(0, rows, width)]


class DenseOperator(Operator):
    """Matrices that are written out: one BLAS product for each factor, strip of rows and tile of replicas.

    The caller limits BLAS to one thread, as `simulate` does, or the last bits may follow its threads.

    >>> DenseOperator(np.ones((1, 2, 2))).apply(np.array([[1.0, 2.0]])).tolist()
    [[[3.0, 3.0]]]
    """

    def __init__(self, blocks: FloatArray, *, structure: str = "gaussian", precision: str = "double") -> None:
        self.factors, self.n = blocks.shape[:2]
        self.structure, self.precision = structure, as_choice("precision", precision, PRECISIONS)
        self.dtype = np.float64 if precision == "double" else np.float32
        self.blocks = np.ascontiguousarray(blocks, dtype=self.dtype)
        self._equal_widths: tuple[int, ...] | None = None

    @property
    def nbytes(self) -> int:
        """Bytes that the matrices keep in memory."""
        return self.blocks.nbytes

    def pieces(self, tokens: npt.NDArray[Any], out: FloatArray, *, lane: int = 0) -> list[Piece]:
        """Return one product per factor, strip and tile."""
        return [
            _product_piece(tile, self.blocks[a, low:high], out[a, tile.replicas, low:high])
            for tile in padded_tiles(tokens, self.dtype, lane, self._widths(tokens.shape[0]))
            for a in range(self.factors)
            for low, high in strips(self.n)
        ]

    def _widths(self, replicas: int) -> tuple[int, ...]:
        if replicas % TILE == 0:
            return (TILE,)
        if self._equal_widths is None:  # found out when it is first wanted
            self._equal_widths = equal_widths(self.blocks[0]) if self.factors else (TILE,)
        return self._equal_widths


class PaddedTile(NamedTuple):
    """Tokens as numbers, padded with zeros: which replicas they are, and which columns of the product they take."""

    inputs: npt.NDArray[Any]
    replicas: slice
    lanes: slice

    def multiply(self, rows: npt.NDArray[Any], out: FloatArray) -> None:
        """Write the products with `rows` for the replicas of this tile; the product itself always has the full width."""
        if out.shape[0] == self.inputs.shape[0] and out.dtype == self.inputs.dtype:
            np.matmul(self.inputs, rows.T, out=out)
        else:
            out[:] = (self.inputs @ rows.T)[self.lanes]


def padded_tiles(
    tokens: npt.NDArray[Any], dtype: Any, lane: int, widths: tuple[int, ...] = (TILE,)
) -> list[PaddedTile]:
    """Cut tokens (replica, site) into tiles; the first replica takes column `lane` of a tile of full width.

    A tile that is not full takes the narrowest of `widths`, where columns do not matter, that it fits into.
    """
    tiles = []
    low = 0
    while low < tokens.shape[0]:
        high = min(tokens.shape[0], low + TILE - lane)
        width = next(width for width in widths if width >= high - low)
        first = lane if width == TILE else 0
        lanes = slice(first, first + high - low)
        inputs = np.zeros((width, tokens.shape[1]), dtype)
        inputs[lanes] = tokens[low:high]
        tiles.append(PaddedTile(inputs, slice(low, high), lanes))
        low, lane = high, 0
    return tiles


def equal_widths(rows: npt.NDArray[Any]) -> tuple[int, ...]:
    """Return the widths of a product with strips of `rows` that give every replica the bits of the full width.

    Whether a BLAS library adds up a narrow product in the order of a wide one depends on its kernels, not on the numbers:
    a few products with random numbers, shifted against each other, tell.
    """
    inputs = normals(0, "couplings/probe", (TILE, rows.shape[1])).astype(rows.dtype)
    ends = [rows[low:high] for low, high in (strips(rows.shape[0])[0], strips(rows.shape[0])[-1])]
    wide = [inputs @ strip.T for strip in ends]

    def equal(width: int) -> bool:
        shifts = {0, 5, TILE - width}
        return all(
            np.array_equal(inputs[shift : shift + width] @ strip.T, whole[shift : shift + width])
            for strip, whole in zip(ends, wide)
            for shift in shifts
            if shift + width <= TILE
        )

    return (*(width for width in _NARROW if equal(width)), TILE)


def _product_piece(tile: PaddedTile, rows: npt.NDArray[Any], out: FloatArray) -> Piece:
    return lambda: tile.multiply(rows, out)


def operator_of(couplings: Any, *, precision: str = "double") -> Operator:
    """Return the operator of `LaggedCouplings`.

    Single precision is for matrices that are written out; those that were drawn in it are multiplied in it.
    """
    blocks, precision = couplings.blocks, as_choice("precision", precision, PRECISIONS)
    if isinstance(blocks, Operator):
        if precision != blocks.precision:
            raise invalid("precision", precision, f"'double' for structure={blocks.structure!r}", "leave it out")
        return blocks
    if blocks.dense().dtype == np.float32:
        precision = "single"
    structure = "given" if couplings.law is None else "gaussian"
    return DenseOperator(blocks.dense(), structure=structure, precision=precision)


def build_operator(law: Any, n: int, seed: int | None) -> Operator:
    """Draw the matrices of a law whose ``structure`` is not dense, from addressed random numbers.

    ``law`` has ``structure``, ``factors (lag, factor)``, ``degree`` (of ``sparse``) and ``self_coupling``.
    """
    n, seed = as_count("n", n), check_seed(seed)
    structure = as_choice("structure", law.structure, STRUCTURES[1:])
    factors = int(law.factors.shape[1])
    keys = [stream_key(seed, f"couplings/lagged/{structure}/{a}") for a in range(factors)]
    self_coupling = bool(law.self_coupling)
    if structure == "rademacher":
        from glassformer.couplings._rademacher import RademacherOperator

        return RademacherOperator(n, keys, self_coupling=self_coupling)
    if structure == "sparse":
        from glassformer.couplings._sparse import SparseOperator

        return SparseOperator(n, keys, degree=law.degree, self_coupling=self_coupling)
    from glassformer.couplings._fast_transform import FastTransformOperator

    if not self_coupling:
        raise invalid(
            "self_coupling",
            False,
            "True for fast_transform, whose diagonal is never known",
            "use structure gaussian, rademacher or sparse, or keep the diagonal (it changes results by O(1/n))",
        )
    return FastTransformOperator(n, keys)

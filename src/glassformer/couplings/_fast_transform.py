"""Orthogonal couplings from fast transforms: no matrix at all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from glassformer._core._random import derived_seed, uniforms
from glassformer._core._validation import FloatArray
from glassformer.couplings._operators import Operator, Piece


class FastTransformOperator(Operator):
    r"""Orthogonal :math:`W=S_1F\,P\,S_2\,F\,S_3`: random signs S, a random permutation P, an orthonormal transform F.

    F is the Walsh-Hadamard transform when n is a power of two and the discrete cosine transform (type II) otherwise;
    :math:`O(n\log n)` operations, 7 bytes a site. Since :math:`\lVert W\rVert_F^2=n`, fields have the same large-n law
    as with independent entries of variance 1/n, but the eigenvalues do not: statistics may be compared with theory for
    Gaussian couplings, learning may not.

    >>> w = FastTransformOperator(12, [7]).dense()[0]
    >>> bool(np.allclose(w @ w.T, np.eye(12)))
    True
    """

    structure = "fast_transform"

    def __init__(self, n: int, keys: Sequence[int]) -> None:
        self.n, self.factors = n, len(keys)
        self.power_of_two = n & (n - 1) == 0
        shape = (self.factors, 3, n)
        self.signs = np.empty(shape, np.int8)
        self.order = np.empty((self.factors, n), np.int32)
        for a, key in enumerate(keys):
            seed = derived_seed(key >> 1, "transform")
            for which in range(3):
                self.signs[a, which] = np.where(uniforms(seed, f"signs/{which}", n) < 0.5, -1, 1)
            self.order[a] = np.argsort(uniforms(seed, "order", n), kind="stable")

    @property
    def nbytes(self) -> int:
        """Bytes that the matrices keep in memory."""
        return self.signs.nbytes + self.order.nbytes

    def pieces(self, tokens: npt.NDArray[Any], out: FloatArray, *, lane: int = 0) -> list[Piece]:
        """Return one piece per factor and replica."""

        def piece(a: int, b: int) -> Piece:
            return lambda: self._transform(a, tokens[b], out[a, b])

        return [piece(a, b) for b in range(tokens.shape[0]) for a in range(self.factors)]

    def _transform(self, a: int, token: npt.NDArray[Any], out: FloatArray) -> None:
        from glassformer.couplings._kernels._transforms import flip, flip_permuted, walsh_hadamard

        last, middle, first = self.signs[a]
        work = np.empty(self.n)
        flip(first, token, work, 1.0)
        if self.power_of_two:
            walsh_hadamard(work)
            flip_permuted(middle, self.order[a], work, out)
            walsh_hadamard(out)
            flip(last, out, out, 1.0 / self.n)
            return
        from scipy.fft import dct  # one vector at a time: transforms of many may differ in their last bits

        work = dct(work, norm="ortho", overwrite_x=True)
        middle_values = np.empty(self.n)
        flip_permuted(middle, self.order[a], work, middle_values)
        flip(last, dct(middle_values, norm="ortho", overwrite_x=True), out, 1.0)

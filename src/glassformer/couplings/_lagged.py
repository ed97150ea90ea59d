"""Gaussian couplings to the last K states, correlated across lags; and one draw of them."""

from __future__ import annotations

import math
from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from glassformer._core._errors import invalid
from glassformer._core._memory import require_memory
from glassformer._core._random import check_seed, normals
from glassformer._core._validation import FloatArray, as_choice, as_count, as_float_array, check_scale
from glassformer.couplings._dense_draw import PRECISIONS, dense_normals
from glassformer.couplings._lag_covariance import (
    ROUNDING,
    check_covariance,
    check_diagonal_sums,
    diagonal_sums,
    rank_factors,
    spectrum,
)

STRUCTURES = ("gaussian", "rademacher", "sparse", "fast_transform")
SHAPES = ("rank_one", "max_det", "toeplitz", "diagonal")


@dataclass(frozen=True, slots=True, eq=False)
class DenseBlocks:
    """Random matrices as they are: ``matrices (factor, site, site_)``."""

    matrices: FloatArray

    @property
    def n(self) -> int:
        """Number of sites N."""
        return int(self.matrices.shape[1])

    @property
    def count(self) -> int:
        """Number of matrices r."""
        return int(self.matrices.shape[0])

    def apply(self, tokens: npt.ArrayLike) -> FloatArray:
        """Return the products (factor, ..., site) with tokens (..., site)."""
        s = np.asarray(tokens, dtype=self.matrices.dtype)
        return np.stack([s @ matrix.T for matrix in self.matrices]) if self.count else np.zeros((0, *s.shape))

    def dense(self) -> FloatArray:
        """Return the matrices (factor, site, site_)."""
        return self.matrices


@dataclass(frozen=True, slots=True, eq=False)
class LaggedCouplings:
    r"""One draw of couplings to the last K states, :math:`J_k=\sum_aL_{ka}W_a+J^0_k\mathbf1\mathbf1^T/N`.

    Parameters
    ----------
    factors : array (lag, factor)
        L, row k - 1 for lag k.
    blocks : DenseBlocks or a structured operator
        The r random matrices W; the light structures never hold N x N numbers.
    mean : array (lag,)
        :math:`J^0_k`.
    law : LaggedGaussian or None
        The law it was drawn from, with ``seed``; None for couplings of your own.

    Examples
    --------
    >>> import glassformer as gf
    >>> couplings = gf.LaggedGaussian([[0.5, 0.4], [0.4, 0.5]]).sample(n=6, seed=1)
    >>> couplings.context, couplings.n, couplings.matrices.shape
    (2, 6, (2, 6, 6))
    """

    factors: FloatArray
    blocks: Any
    mean: FloatArray
    law: LaggedGaussian | None = None
    seed: int | None = None

    @classmethod
    def from_matrices(cls, matrices: npt.ArrayLike) -> LaggedCouplings:
        """Return couplings of your own, ``matrices (lag, site, site_)``: row i acts on site i; lag 1 comes first."""
        array = as_float_array("couplings", matrices, ndim=3).copy()
        if array.shape[1] != array.shape[2] or 0 in array.shape:
            raise invalid("the shape of couplings", array.shape, "(lag, site, site_) with equal numbers of sites")
        check_scale("couplings", array)
        array.flags.writeable = False
        return cls(np.eye(array.shape[0]), DenseBlocks(array), np.zeros(array.shape[0]))

    @property
    def n(self) -> int:
        """Number of sites N."""
        return int(self.blocks.n)

    @property
    def context(self) -> int:
        """Context length K."""
        return int(self.factors.shape[0])

    @property
    def matrices(self) -> FloatArray:
        """The couplings J (lag, site, site_), formed anew at each call; K N^2 numbers."""
        whole = np.tensordot(self.factors, np.asarray(self.blocks.dense(), dtype=np.float64), axes=(1, 0))
        return whole + (self.mean / self.n)[:, None, None]

    def fields(self, history: npt.ArrayLike) -> FloatArray:
        r"""Return :math:`\sum_kJ_ks_{t-k}` (..., site) for a history (..., lag, site), most recent state first."""
        past = np.asarray(history, dtype=np.float64)
        filtered = np.einsum("ka,...ki->a...i", self.factors, past)
        products = [self.blocks.apply(filtered[a])[a] for a in range(self.factors.shape[1])]
        total = np.sum(products, axis=0) if products else np.zeros((*past.shape[:-2], self.n))
        return np.asarray(total + (past.mean(axis=-1) @ self.mean)[..., None])


@dataclass(frozen=True, slots=True, eq=False)
class LaggedGaussian:
    r"""Gaussian couplings to the last K states, independent over pairs of sites and correlated across lags.

    .. math:: \operatorname{Cov}(J_{k,ij},J_{k',i'j'})=\frac1N\Gamma_{kk'}\delta_{ii'}\delta_{jj'},\qquad
              [J_{k,ij}]=\frac{J^0_k}N .

    With ``transpose_covariance`` also :math:`\operatorname{Cov}(J_{k,ij},J_{k',ji})=\tilde\Gamma_{kk'}/N` for
    :math:`i\ne j` (partially symmetric couplings; the diagonal keeps :math:`\Gamma/N`).

    Parameters
    ----------
    covariance : array (lag, lag_)
        :math:`\Gamma`, symmetric and positive semidefinite; row k - 1 for lag k.
    mean : array (lag,), optional
        :math:`J^0_k`, zero if left out.
    transpose_covariance : array (lag, lag_), optional
        :math:`\tilde\Gamma`, symmetric, with :math:`\Gamma\pm\tilde\Gamma` positive semidefinite.
    self_coupling : bool
        Whether :math:`J_{k,ii}` is drawn too instead of being 0; it changes results by 1/N.
    structure : {"gaussian", "rademacher", "sparse", "fast_transform"}
        How samples are drawn: independent normal entries; signs :math:`\pm N^{-1/2}` kept as bits; ``degree`` entries a
        row; products with fast transforms. All have the same infinite-size limit (for ``sparse`` as the degree grows);
        only the first two are independent entries.
    degree : int, optional
        Entries a row of ``sparse``.

    Raises
    ------
    InvalidInputError
        For a matrix that is no covariance (the sentence says by how much), or options that exclude each other.

    References
    ----------
    Zavatone-Veth and Pehlevan 2025, arXiv:2507.18461.

    Examples
    --------
    >>> law = LaggedGaussian([[0.6, 0.3, -0.1], [0.3, 0.5, 0.2], [-0.1, 0.2, 0.4]])
    >>> law.context, law.rank, law.diagonal_sums.round(9)
    (3, 3, array([ 1.5,  0.5, -0.1]))
    """

    covariance: FloatArray
    _: KW_ONLY
    mean: FloatArray | None = None
    transpose_covariance: FloatArray | None = None
    self_coupling: bool = True
    structure: str = "gaussian"
    degree: int | None = None

    citations: ClassVar[tuple[str, ...]] = ("zavatone2025",)

    def __post_init__(self) -> None:
        gamma = check_covariance("covariance", self.covariance)
        size = gamma.shape[0]
        mean = np.zeros(size) if self.mean is None else as_float_array("mean", self.mean, ndim=1).copy()
        if mean.size != size:
            raise invalid("the length of mean", mean.size, f"the context length {size}")
        check_scale("mean", mean)
        as_choice("structure", self.structure, STRUCTURES)
        if not isinstance(self.self_coupling, bool | np.bool_):
            raise invalid("self_coupling", self.self_coupling, "True or False")
        if (self.degree is not None) != (self.structure == "sparse"):
            raise invalid("degree", self.degree, "given exactly when structure='sparse'", "it is the entries a row")
        if self.degree is not None:
            as_count("degree", self.degree)
        partner = None
        if self.transpose_covariance is not None:
            partner = as_float_array("transpose_covariance", self.transpose_covariance, ndim=2)
            if partner.shape != gamma.shape:
                raise invalid("the shape of transpose_covariance", partner.shape, f"that of covariance, {gamma.shape}")
            gap, scale = float(np.abs(partner - partner.T).max()), float(np.abs(gamma).max())
            if gap > ROUNDING * scale:
                raise invalid("the largest |transpose_covariance - transpose|", gap, "0", "symmetrise it")
            partner = 0.5 * (partner + partner.T)
            for sign, word in ((1.0, "covariance + transpose_covariance"), (-1.0, "covariance - transpose_covariance")):
                check_covariance(word, _without_rounding(gamma + sign * partner, scale))
            if self.structure != "gaussian":
                raise invalid("structure", self.structure, "'gaussian' with a transpose_covariance")
        if not self.self_coupling and self.structure == "fast_transform":
            raise invalid("self_coupling", False, "True for structure='fast_transform', which has no entries to clear")
        for name, array in (("covariance", gamma), ("mean", mean), ("transpose_covariance", partner)):
            if array is not None:
                array.flags.writeable = False
            object.__setattr__(self, name, array)

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple[Any, ...]:
        partner = None if self.transpose_covariance is None else self.transpose_covariance.tobytes()
        arrays = (self.context, self.covariance.tobytes(), np.asarray(self.mean).tobytes(), partner)
        return (*arrays, self.self_coupling, self.structure, self.degree)

    @classmethod
    def from_factors(cls, factors: npt.ArrayLike, **options: Any) -> LaggedGaussian:
        r"""Return the law of :math:`\Gamma=LL^T` for ``factors (lag, factor)``; a vector is a law of rank one.

        >>> LaggedGaussian.from_factors([0.6, 0.8]).rank
        1
        """
        array = as_float_array("factors", factors, ndim=(1, 2))
        matrix = array[:, None] if np.ndim(factors) == 1 else array
        return cls(matrix @ matrix.T, **options)

    @classmethod
    def from_diagonal_sums(cls, sums: npt.ArrayLike, *, shape: str = "rank_one", **options: Any) -> LaggedGaussian:
        r"""Return a law whose covariance has the diagonal sums :math:`g_0..g_{K-1}`.

        Every `shape` gives the same stationary correlation: ``rank_one`` is the cheapest to simulate, ``max_det`` has the
        largest determinant, ``toeplitz`` spreads each sum evenly (where that is a covariance), ``diagonal`` needs
        :math:`g_d=0` for all d >= 1.
        """
        from glassformer.couplings import _realisations

        as_choice("shape", shape, SHAPES)
        array = check_diagonal_sums(sums)
        if shape == "rank_one":
            return cls.from_factors(_realisations.rank_one(array), **options)
        return cls(getattr(_realisations, shape)(array), **options)

    @property
    def context(self) -> int:
        """Context length K."""
        return int(self.covariance.shape[0])

    @property
    def factors(self) -> FloatArray:
        """L (lag, factor), as many columns as the rank."""
        return rank_factors(self.covariance)

    @property
    def rank(self) -> int:
        """Rank of the covariance: the number of random matrices that a sample holds."""
        return int(self.factors.shape[1])

    @property
    def diagonal_sums(self) -> FloatArray:
        """g_0..g_{K-1}, all that stationary correlations depend on."""
        return diagonal_sums(self.covariance)

    def spectrum(self, frequencies: npt.ArrayLike) -> FloatArray:
        r"""Return :math:`G(\omega)` for `frequencies` of any shape."""
        return spectrum(self.diagonal_sums, frequencies)

    def sample(self, *, n: int, seed: int | None = None, precision: str = "double") -> LaggedCouplings:
        """Draw the couplings of n sites; ``precision="single"`` keeps dense ones in float32, half the memory."""
        n, seed = as_count("n", n), check_seed(seed)
        mean = np.asarray(self.mean)
        as_choice("precision", precision, PRECISIONS)
        if precision == "single" and (self.transpose_covariance is not None or self.structure != "gaussian"):
            raise invalid("precision", precision, "'double' unless structure='gaussian' without transpose_covariance")
        require_memory(
            f"the couplings of {n} sites", self._bytes(n, precision), "take fewer sites or a lighter structure"
        )
        if self.transpose_covariance is not None:
            return LaggedCouplings(np.eye(self.context), DenseBlocks(self._pairs(n, seed)), mean, self, seed)
        if self.structure != "gaussian":
            from glassformer.couplings._operators import build_operator

            return LaggedCouplings(self.factors, build_operator(self, n, seed), mean, self, seed)
        blocks = np.empty((self.rank, n, n), np.float32 if precision == "single" else np.float64)
        for a in range(self.rank):
            blocks[a] = dense_normals(seed, f"couplings/lagged/{a}", n, precision=precision)
        blocks /= math.sqrt(n)
        return LaggedCouplings(self.factors, DenseBlocks(self._finish(blocks)), mean, self, seed)

    def _bytes(self, n: int, precision: str) -> float:
        """Return about how much memory a draw takes."""
        pairs = float(n) * n
        if self.transpose_covariance is not None:
            return 16.0 * self.context * pairs
        each = {"gaussian": pairs * (4.0 if precision == "single" else 8.0), "rademacher": pairs / 8.0}
        return self.rank * each.get(self.structure, 16.0 * n * (self.degree or 1))

    def _pairs(self, n: int, seed: int) -> FloatArray:
        r"""Return J (lag, site, site_) whose symmetric and antisymmetric parts have covariance :math:`\Gamma\pm\tilde\Gamma`."""
        partner = np.asarray(self.transpose_covariance)
        whole = np.zeros((self.context, n, n))
        for sign, word in ((1.0, "symmetric"), (-1.0, "antisymmetric")):
            both = _without_rounding(self.covariance + sign * partner, float(np.abs(self.covariance).max()))
            factors = rank_factors(check_covariance("covariance", both))
            for a in range(factors.shape[1]):
                upper = np.triu(normals(seed, f"couplings/lagged/{word}/{a}", (n, n)), 1) / math.sqrt(2.0 * n)
                whole += factors[:, a, None, None] * (upper + sign * upper.T)
        diagonal = normals(seed, "couplings/lagged/diagonal", (self.rank, n)) / math.sqrt(n)
        sites = np.arange(n)
        whole[:, sites, sites] = self.factors @ diagonal
        return self._finish(whole)

    def _finish(self, blocks: npt.NDArray[Any]) -> npt.NDArray[Any]:
        if not self.self_coupling:
            sites = np.arange(blocks.shape[1])
            blocks[:, sites, sites] = 0.0
        blocks.flags.writeable = False
        return blocks


def _without_rounding(matrix: FloatArray, scale: float) -> FloatArray:
    """Return `matrix`, a difference of numbers of size `scale`, with what only their rounding has left set to 0."""
    return np.where(np.abs(matrix) <= 1e-14 * scale, 0.0, matrix)

"""Gaussian couplings: symmetric, independent, antisymmetric and everything between, at constant variance."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from glassformer._core._random import check_seed, normals
from glassformer._core._validation import FloatArray, as_count, as_number


@dataclass(frozen=True, slots=True, kw_only=True)
class Asymmetric:
    r"""Gaussian couplings of constant variance and any degree of asymmetry.

    .. math:: J = \frac{J_0}{N} + \frac{S + kB}{\sqrt{1+k^2}}, \qquad S=S^T,\; B=-B^T,

    every off-diagonal entry of S and B having variance ``scale**2 / n``. The variance of :math:`J_{ij}` does not
    depend on k, and :math:`[J_{ij}J_{ji}]_c/[J_{ij}^2]_c=\eta=(1-k^2)/(1+k^2)`: ``asymmetry=0`` is symmetric, 1 makes
    :math:`J_{ij}` and :math:`J_{ji}` independent, ``inf`` is antisymmetric.

    Parameters
    ----------
    scale : float
        Standard deviation times :math:`\sqrt N` (an energy).
    asymmetry : float
        The parameter k, from 0 to infinity.
    mean : float
        :math:`J_0`; every off-diagonal coupling has mean ``mean / n``.
    self_coupling : bool
        Whether :math:`J_{ii}` is drawn too (mean ``mean / n``, variance ``scale**2 / n``) instead of being 0.

    References
    ----------
    Crisanti and Sompolinsky 1987, Phys. Rev. A 36, 4922.

    Examples
    --------
    >>> couplings = Asymmetric(asymmetry=0.0).sample(n=5, seed=1)
    >>> bool((couplings == couplings.T).all())
    True
    """

    scale: float = 1.0
    asymmetry: float = 1.0
    mean: float = 0.0
    self_coupling: bool = False

    citations: ClassVar[tuple[str, ...]] = ("crisanti1987",)

    def __post_init__(self) -> None:
        as_number("scale", self.scale, minimum=0.0)
        as_number("asymmetry", self.asymmetry, minimum=0.0, allow_infinity=True)
        as_number("mean", self.mean)

    @property
    def symmetry(self) -> float:
        r"""The correlation :math:`\eta` of :math:`J_{ij}` with :math:`J_{ji}`, from 1 to -1."""
        if math.isinf(self.asymmetry):
            return -1.0
        k2 = self.asymmetry**2
        return (1.0 - k2) / (1.0 + k2)

    def sample(self, *, n: int, seed: int | None = None) -> FloatArray:
        """Draw one matrix ``(site, site_)``: row i holds the couplings that act on site i."""
        n = as_count("n", n)
        draw = normals(check_seed(seed), "couplings/gaussian", (n, n)) * (self.scale / math.sqrt(n))
        lower, upper = np.tril(draw, -1), np.triu(draw, 1)
        symmetric, antisymmetric = lower + lower.T, upper - upper.T
        weight = 1.0 / math.hypot(1.0, self.asymmetry)  # 0 for infinite asymmetry
        antiweight = 1.0 if math.isinf(self.asymmetry) else self.asymmetry * weight
        couplings = weight * symmetric + antiweight * antisymmetric + self.mean / n
        np.fill_diagonal(couplings, np.diag(draw) + self.mean / n if self.self_coupling else 0.0)
        return couplings


@dataclass(frozen=True, slots=True, kw_only=True)
class SherringtonKirkpatrick:
    r"""Symmetric Gaussian couplings :math:`J_{ij}=J_{ji}` of mean ``mean / n`` and variance ``scale**2 / n``.

    References
    ----------
    Sherrington and Kirkpatrick 1975, Phys. Rev. Lett. 35, 1792.

    Examples
    --------
    >>> SherringtonKirkpatrick().sample(n=3, seed=1).shape
    (3, 3)
    """

    scale: float = 1.0
    mean: float = 0.0

    citations: ClassVar[tuple[str, ...]] = ("sherrington1975",)

    def __post_init__(self) -> None:
        as_number("scale", self.scale, minimum=0.0)
        as_number("mean", self.mean)

    @property
    def symmetry(self) -> float:
        r"""The correlation :math:`\eta` of :math:`J_{ij}` with :math:`J_{ji}`."""
        return 1.0

    def sample(self, *, n: int, seed: int | None = None) -> FloatArray:
        """Draw one symmetric matrix ``(site, site_)`` with zero diagonal."""
        return Asymmetric(scale=self.scale, mean=self.mean, asymmetry=0.0).sample(n=n, seed=seed)

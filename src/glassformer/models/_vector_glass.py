"""The law of a whole vector glass: couplings, number of components, radius and fields."""

from __future__ import annotations

import math
from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar

import numpy as np

from glassformer._core._errors import invalid
from glassformer._core._random import check_seed
from glassformer._core._validation import FloatArray, as_choice, as_count, as_number
from glassformer.couplings import SherringtonKirkpatrick, gaussian_fields, sphere_fields
from glassformer.couplings._radius import Radius, resolve_radius
from glassformer.models._vector_spin import VectorSpin

FIELD_LAWS = ("gaussian", "sphere", "uniform")
_STANDARD = SherringtonKirkpatrick()


@dataclass(frozen=True, slots=True)
class VectorGlass:
    r"""The law of a glass of D-component spins of length R,

    .. math:: E=-\tfrac12\sum_{i\ne j}J_{ij}\,\mathbf s_i\cdot\mathbf s_j-\sum_i\mathbf x_i\cdot\mathbf s_i,\qquad
              J_{ij}=J_{ji}\sim N(J_0/N,\,J^2/N),

    with fields of root mean square :math:`h` per component. ``sample`` draws one system; `solve` treats
    :math:`N\to\infty` at the actual D. Without field it freezes at :math:`T_c=JR^2/D`.

    Parameters
    ----------
    law : SherringtonKirkpatrick
        The law of the couplings: its ``scale`` is J, its ``mean`` :math:`J_0`.
    dim : int
        Number of components D; with ``dim=1, radius="unit"`` this is the Sherrington-Kirkpatrick model.
    radius : {"bal", "sqrt_d", "unit"} or float
        :math:`R^2=D/2-1` (needs D >= 3), :math:`R^2=D`, :math:`R=1`, or the number R.
    field_law : {"gaussian", "sphere", "uniform"}
        Fields with independent normal components of variance :math:`h^2`; of random direction and exact length
        :math:`\sqrt Dh`; or the same vector of length :math:`\sqrt Dh` at all sites (for D = 1 the field h itself).
    field : float
        h, an energy over a length; 0 for no fields.

    Raises
    ------
    InvalidInputError
        For another law, a radius that the convention forbids, or a negative field.

    References
    ----------
    Sherrington and Kirkpatrick 1975, Phys. Rev. Lett. 35, 1792; Sharma and Young 2010, Phys. Rev. E 81, 061115.

    Examples
    --------
    >>> glass = VectorGlass(dim=3, radius="sqrt_d", field=0.2)
    >>> round(glass.critical_temperature, 9), glass.sample(n=8, seed=1).fields.shape
    (1.0, (8, 3))
    """

    law: Any = _STANDARD
    _: KW_ONLY
    dim: int
    radius: Radius = "bal"
    field_law: str = "gaussian"
    field: float = 0.0

    citations: ClassVar[tuple[str, ...]] = ("sherrington1975", "sharma2010")

    def __post_init__(self) -> None:
        if not isinstance(self.law, SherringtonKirkpatrick):
            raise invalid("law", self.law, "SherringtonKirkpatrick, since an equilibrium needs symmetric couplings")
        as_count("dim", self.dim)
        resolve_radius(self.radius, self.dim)
        as_choice("field_law", self.field_law, FIELD_LAWS)
        as_number("field", self.field, minimum=0.0)

    @property
    def r(self) -> float:
        """The radius R as a number."""
        return resolve_radius(self.radius, self.dim)

    @property
    def critical_temperature(self) -> float:
        r""":math:`T_c=JR^2/D`, where the glass begins without field and without mean of the couplings."""
        return float(self.law.scale) * (self.r * self.r / self.dim)

    @property
    def field_unit(self) -> float:
        r""":math:`JR/\sqrt D`: in units of it (and of :math:`T_c`) all radius conventions are one."""
        return float(self.law.scale) * self.r / math.sqrt(self.dim)

    @property
    def field_per_site(self) -> float:
        r"""The length :math:`\sqrt Dh` of the field at a site (its root mean square)."""
        return math.sqrt(self.dim) * float(self.field)

    def sample(self, *, n: int, seed: int | None = None) -> VectorSpin:
        """Draw the couplings and fields of n spins; a uniform field points along the first component."""
        n, dim, seed = as_count("n", n), self.dim, check_seed(seed)
        couplings = self.law.sample(n=n, seed=seed)
        return VectorSpin(couplings, self._draw_fields(n, seed), dim, radius=self.radius)

    def _draw_fields(self, n: int, seed: int) -> FloatArray:
        if self.field_law == "uniform":
            fields = np.zeros((n, self.dim))
            fields[:, 0] = self.field_per_site
            return fields
        draw = gaussian_fields if self.field_law == "gaussian" else sphere_fields
        return draw(n, dim=self.dim, seed=seed, radius=math.sqrt(self.dim), strength=float(self.field))

"""The vector-spin glass: N spins on a sphere in D dimensions, coupled by one matrix, driven by fields."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from glassformer._core._errors import invalid
from glassformer._core._random import check_seed, directions
from glassformer._core._validation import FloatArray, as_choice, as_count, as_float_array, as_square_matrix
from glassformer.couplings._radius import LARGEST, Radius, resolve_radius


@dataclass(frozen=True, slots=True, eq=False)
class VectorSpin:
    r"""N vector spins :math:`\mathbf s_i\in\mathbb R^D` of length R in the local fields

    .. math:: \mathbf h_i(\mathbf s)=\mathbf x_i+\sum_jJ_{ij}\mathbf s_j .

    With ``dim=1, radius="unit"`` this *is* the kinetic Ising / Sherrington-Kirkpatrick model.

    Parameters
    ----------
    couplings : array (site, site_)
        :math:`J_{ij}` acts from site_ j on site i, on all components alike. The diagonal acts in parallel dynamics
        only.
    fields : array (site, component), optional
        :math:`\mathbf x_i`; zero if left out. A vector ``(site,)`` is allowed when ``dim`` is 1.
    dim : int, optional
        Number of components D; taken from `fields` if left out.
    radius : {"bal", "sqrt_d", "unit"} or float
        :math:`R^2=D/2-1`, :math:`R^2=D`, :math:`R=1`, or the number R.

    Raises
    ------
    InvalidInputError
        For shapes that do not fit, values that are not finite, or a radius that the convention forbids.

    References
    ----------
    Bal 2023, Spin-Model Transformers; Honkoop 2025, Statistical Physics of Transformers.

    Examples
    --------
    >>> import numpy as np
    >>> model = VectorSpin(np.zeros((4, 4)), dim=3, radius="unit")
    >>> model.n, model.dim, model.r, model.symmetric
    (4, 3, 1.0, True)
    """

    couplings: FloatArray
    fields: FloatArray = None  # type: ignore[assignment]  # an array once __post_init__ has run
    dim: int = None  # type: ignore[assignment]
    radius: Radius = field(default="bal", kw_only=True)

    citations: ClassVar[tuple[str, ...]] = ("bal2023", "honkoop2025")

    def __post_init__(self) -> None:
        couplings = as_square_matrix("couplings", self.couplings).copy()
        n = couplings.shape[0]
        dim = None if self.dim is None else as_count("dim", self.dim)
        if self.fields is None:
            if dim is None:
                raise invalid("dim", None, "a number of components when there are no fields")
            fields = np.zeros((n, dim))
        else:
            fields = as_float_array("fields", self.fields, ndim=(1, 2)).copy()
            if fields.ndim == 1:
                fields = fields[:, None]
            if fields.shape[0] != n or (dim is not None and fields.shape[1] != dim) or fields.shape[1] == 0:
                wanted = f"({n}, {'D' if dim is None else dim}) to fit couplings{'' if dim is None else ' and dim'}"
                raise invalid("the shape of fields", np.shape(self.fields), wanted)
            dim = fields.shape[1]
        resolve_radius(self.radius, dim)
        for name, array in (("couplings", couplings), ("fields", fields)):
            largest = float(np.abs(array).max())
            if largest > LARGEST:
                raise invalid(f"the largest |{name}|", largest, f"at most {LARGEST:g}", "choose another unit of energy")
        couplings.flags.writeable = fields.flags.writeable = False
        for name, value in (("couplings", couplings), ("fields", fields), ("dim", dim)):
            object.__setattr__(self, name, value)

    @property
    def n(self) -> int:
        """Number of spins N."""
        return int(self.couplings.shape[0])

    @property
    def r(self) -> float:
        """The radius R as a number."""
        return resolve_radius(self.radius, self.dim)

    @property
    def digest(self) -> str:
        """A checksum of couplings, fields and radius: equal for equal systems."""
        found = hashlib.blake2b(f"{self.n} {self.dim} {self.r!r}".encode(), digest_size=8)
        found.update(self.couplings.tobytes() + self.fields.tobytes())
        return found.hexdigest()

    @property
    def symmetric(self) -> bool:
        """Whether the couplings are symmetric to rounding."""
        scale = float(np.abs(self.couplings).max())
        return float(np.abs(self.couplings - self.couplings.T).max()) <= 1e-10 * scale

    def random_spins(self, *, replicas: int, seed: int | None = None) -> FloatArray:
        """Draw independent uniform spins ``(replica, site, component)``; more replicas leave the first unchanged."""
        replicas = as_count("replicas", replicas)
        return self.r * directions(check_seed(seed), "spins/start", (replicas, self.n, self.dim))

    def local_fields(self, spins: npt.ArrayLike, *, self_coupling: bool = True) -> FloatArray:
        """Return :math:`\\mathbf h_i`, shape ``(..., site, component)`` like `spins`; without :math:`J_{ii}` on request."""
        s = np.asarray(spins, dtype=np.float64)
        h = self.fields + self.couplings @ s
        return h if self_coupling else h - np.diag(self.couplings)[:, None] * s

    def energy(self, spins: npt.ArrayLike, *, convention: str = "half") -> FloatArray:
        r"""Return the energy per spin, shape ``(...)`` for spins ``(..., site, component)``.

        ``"half"``: :math:`-\frac1{2N}\sum_{i\ne j}J_{ij}\mathbf s_i\cdot\mathbf s_j-\frac1N\sum_i\mathbf x_i\cdot\mathbf s_i`.
        ``"full"`` (H25 Eq. 2.14): the couplings count twice, and the diagonal is kept. Only the symmetric part of J
        enters.
        """
        as_choice("convention", convention, ("half", "full"))
        s = np.asarray(spins, dtype=np.float64)
        drive = np.einsum("...ia,ia->...", s, self.fields)
        internal = np.einsum("...ia,...ia->...", s, self.couplings @ s)
        if convention == "half":
            internal = 0.5 * (internal - np.einsum("...ia,...ia,i->...", s, s, np.diag(self.couplings)))
        return -(internal + drive) / self.n

"""Models whose next state depends on the last K states: one sample, and the law of a whole model."""

from __future__ import annotations

import hashlib
from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from glassformer._core._errors import invalid
from glassformer._core._random import check_seed
from glassformer._core._validation import FloatArray, as_float_array, as_number, check_scale
from glassformer.couplings import LaggedCouplings, LaggedGaussian


@dataclass(frozen=True, slots=True, eq=False)
class ExtendedContext:
    r"""One model with the field :math:`h_t=\sum_{k=1}^KJ_ks_{t-k}+\theta`; a `TokenRule` draws the next token from it.

    Parameters
    ----------
    couplings : LaggedCouplings or array (lag, site, site_)
        J; row i acts on site i, lag 1 comes first.
    fields : float or array (site,)
        :math:`\theta`.

    References
    ----------
    Zavatone-Veth and Pehlevan 2025, arXiv:2507.18461.

    Examples
    --------
    >>> import glassformer as gf
    >>> model = gf.ExtendedContext(gf.LaggedGaussian([[0.5, 0.4], [0.4, 0.5]]).sample(n=8, seed=1))
    >>> model.n, model.context, model.local_fields(np.ones((2, 8))).shape
    (8, 2, (8,))
    """

    couplings: Any
    _: KW_ONLY
    fields: Any = 0.0

    citations: ClassVar[tuple[str, ...]] = ("zavatone2025",)

    def __post_init__(self) -> None:
        couplings = self.couplings
        if not isinstance(couplings, LaggedCouplings):
            couplings = LaggedCouplings.from_matrices(couplings)
        fields = as_float_array("fields", self.fields, ndim=(0, 1))
        if np.ndim(self.fields) == 1 and fields.size != couplings.n:
            raise invalid("the length of fields", fields.size, f"the number of sites, {couplings.n}")
        check_scale("fields", fields)
        fields = np.broadcast_to(fields.reshape(-1), (couplings.n,)).copy()
        fields.flags.writeable = False
        object.__setattr__(self, "couplings", couplings)
        object.__setattr__(self, "fields", fields)

    @property
    def n(self) -> int:
        """Number of sites N."""
        return int(self.couplings.n)

    @property
    def context(self) -> int:
        """Context length K."""
        return int(self.couplings.context)

    @property
    def digest(self) -> str:
        """A checksum of what defines the model: equal for equal systems."""
        found = hashlib.blake2b(f"{self.n} {self.context}".encode(), digest_size=8)
        law = self.couplings.law
        if law is None:
            found.update(self.couplings.blocks.dense().tobytes())
        else:
            key = (law.structure, law.degree, law.self_coupling, self.couplings.seed, law.transpose_covariance is None)
            found.update(repr(key).encode() + law.covariance.tobytes() + np.asarray(law.mean).tobytes())
            if law.transpose_covariance is not None:
                found.update(law.transpose_covariance.tobytes())
        found.update(self.fields.tobytes())
        return found.hexdigest()

    def local_fields(self, history: npt.ArrayLike) -> FloatArray:
        """Return h (..., site) for a history (..., lag, site), most recent state first."""
        try:
            past = np.asarray(history, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise invalid("history", history, "an array (..., lag, site) of real numbers") from error
        if past.shape[-2:] != (self.context, self.n):
            raise invalid("the shape of history", past.shape, f"(..., {self.context}, {self.n}): (..., lag, site)")
        return np.asarray(self.couplings.fields(past) + self.fields)


@dataclass(frozen=True, slots=True)
class ContextEnsemble:
    r"""The law of a whole extended-context model: couplings from `law` and the same field at every site.

    Parameters
    ----------
    law : LaggedGaussian
    field : float
        :math:`\theta`.

    References
    ----------
    Zavatone-Veth and Pehlevan 2025, arXiv:2507.18461.

    Examples
    --------
    >>> import glassformer as gf
    >>> ensemble = gf.ContextEnsemble(gf.LaggedGaussian([[0.5, 0.2], [0.2, 0.3]], mean=[0.8, 0.6]), field=0.1)
    >>> ensemble.sample(n=5, seed=1).fields
    array([0.1, 0.1, 0.1, 0.1, 0.1])
    """

    law: LaggedGaussian
    _: KW_ONLY
    field: float = 0.0

    citations: ClassVar[tuple[str, ...]] = ("zavatone2025",)

    def __post_init__(self) -> None:
        if not isinstance(self.law, LaggedGaussian):
            raise invalid("law", type(self.law).__name__, "a LaggedGaussian", "it is the law of couplings to K states")
        check_scale("field", as_number("field", self.field))

    def sample(self, *, n: int, seed: int | None = None) -> ExtendedContext:
        """Draw one model of n sites."""
        return ExtendedContext(self.law.sample(n=n, seed=check_seed(seed)), fields=float(self.field))

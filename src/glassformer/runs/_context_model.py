"""Settings of the runs that need one sample of an extended-context model: couplings of your own, or a draw from the law."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import Field

from glassformer._core._errors import invalid
from glassformer.runs.context import LawConfig, Vector
from glassformer.sweeps._arrays import ArrayRule

if TYPE_CHECKING:
    from glassformer.models import ExtendedContext

Lagged = Annotated[np.ndarray, ArrayRule(3)]
_LAW = ("gamma", "rank_one", "diagonal_sums", "factors", "mean", "transpose_gamma", "n")


class ContextModelConfig(LawConfig):
    """One sample."""

    couplings: Annotated[
        Lagged | None, Field(description="couplings (lag, site, site_), lag 1 first; instead of the law and n")
    ] = None
    fields: Annotated[
        Vector | None, Field(description="external field of every site (site), instead of one field for all")
    ] = None
    n: Annotated[int | None, Field(ge=1, description="sites of a draw from the law")] = None
    seed: Annotated[int, Field(ge=0, description="root seed of everything random; generated and stored if left out")]

    def sample(self, n: int, *, precision: str = "double", **options: Any) -> ExtendedContext:
        """Return the sample; a draw has `n` sites unless told otherwise, and `options` go to the law."""
        import glassformer as gf

        fields = self.field if self.fields is None else self.fields
        if self.fields is not None and self.field:
            raise invalid("field", self.field, "left out beside fields", "fields has one for every site")
        if self.couplings is None:
            couplings = self.law(**options).sample(n=self.n or n, seed=self.seed, precision=precision)
            return gf.ExtendedContext(couplings, fields=fields)
        for name in _LAW:
            if getattr(self, name) is not None:
                raise invalid(name, getattr(self, name), "left out beside couplings", "couplings are the whole model")
        return gf.ExtendedContext(self.couplings, fields=fields)

    @property
    def context(self) -> int:
        """Context length K."""
        return int(self.law().context if self.couplings is None else self.couplings.shape[0])

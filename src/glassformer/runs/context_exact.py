"""`context/exact`: a small extended-context model, solved exactly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import Field

from glassformer._core._errors import invalid
from glassformer.runs.context import LawConfig, Vector
from glassformer.sweeps import RunContext, RunSpec
from glassformer.sweeps._arrays import ArrayRule

if TYPE_CHECKING:
    import xarray as xr

    from glassformer.models import ExtendedContext

Lagged = Annotated[np.ndarray, ArrayRule(3)]
History = Annotated[np.ndarray, ArrayRule(2)]
_LAW = ("gamma", "rank_one", "diagonal_sums", "factors", "mean", "transpose_gamma", "n")


class ExactConfig(LawConfig):
    """One sample: couplings of your own, or a draw from the law."""

    couplings: Annotated[
        Lagged | None, Field(description="couplings (lag, site, site_), lag 1 first; instead of the law, n and seed")
    ] = None
    fields: Annotated[
        Vector | None, Field(description="external field of every site (site), instead of one field for all")
    ] = None
    n: Annotated[
        int | None, Field(ge=1, description="sites of a draw from the law (12 / K, rounded down, if left out)")
    ] = None
    lags: Annotated[int, Field(ge=0, description="largest lag")] = 16
    steps: Annotated[int | None, Field(ge=1, description="none: stationary state; a number: transient")] = None
    start: Annotated[
        Literal["independent", "repeated"] | History | None,
        Field(description="with steps: the history, or an array (lag, site) with the most recent token first"),
    ] = None
    seed: Annotated[int, Field(ge=0, description="root seed of the couplings; generated and stored if left out")]

    def model(self) -> ExtendedContext:
        """Return the sample."""
        import glassformer as gf

        fields = self.field if self.fields is None else self.fields
        if self.fields is not None and self.field:
            raise invalid("field", self.field, "left out beside fields", "fields has one for every site")
        if self.couplings is None:
            law = self.law()
            n = self.n or max(1, 12 // law.context)
            return gf.ExtendedContext(law.sample(n=n, seed=self.seed), fields=fields)
        for name in _LAW:
            if getattr(self, name) is not None:
                raise invalid(name, getattr(self, name), "left out beside couplings", "couplings are the whole model")
        return gf.ExtendedContext(self.couplings, fields=fields)


def _exact(config: ExactConfig, part: dict[str, Any], context: RunContext) -> xr.Dataset:
    import glassformer as gf

    method = gf.ExactContext(config.rule(), lags=config.lags)
    return gf.solve(config.model(), method, start=config.start, steps=config.steps, throw=False)


EXACT = RunSpec(
    name="context/exact",
    summary="Solve a small extended-context model exactly: correlations, entropy rate, entropy production.",
    config=ExactConfig,
    compute=_exact,
    plot="glassformer.plotting.corpora:exact_figure",
    citations=("zavatone2025", "glassformer"),
    long_help="Two-valued tokens need K N <= 12, gaussian ones K N <= 4096. A file of couplings is an array "
    "(lag, site, site_); without one, n sites are drawn from the law of gamma (or rank_one, diagonal_sums, factors).",
)

"""`context/exact`: a small extended-context model, solved exactly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import Field

from glassformer.runs._context_model import ContextModelConfig
from glassformer.sweeps import RunContext, RunSpec
from glassformer.sweeps._arrays import ArrayRule

if TYPE_CHECKING:
    import xarray as xr

History = Annotated[np.ndarray, ArrayRule(2)]


class ExactConfig(ContextModelConfig):
    """One sample, solved exactly."""

    n: Annotated[
        int | None, Field(ge=1, description="sites of a draw from the law (12 / K, rounded down, if left out)")
    ] = None
    lags: Annotated[int, Field(ge=0, description="largest lag")] = 16
    steps: Annotated[int | None, Field(ge=1, description="none: stationary state; a number: transient")] = None
    start: Annotated[
        Literal["independent", "repeated"] | History | None,
        Field(description="with steps: the history, or an array (lag, site) with the most recent token first"),
    ] = None


def _exact(config: ExactConfig, part: dict[str, Any], context: RunContext) -> xr.Dataset:
    import glassformer as gf

    model = config.sample(max(1, 12 // config.context))
    method = gf.ExactContext(config.rule(), lags=config.lags)
    return gf.solve(model, method, start=config.start, steps=config.steps, throw=False)


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

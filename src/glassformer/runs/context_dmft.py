"""`context/dmft`: the stationary state of an extended-context model of infinite size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from glassformer.runs.context import LawConfig
from glassformer.sweeps import RunContext, RunSpec

if TYPE_CHECKING:
    import xarray as xr


class DmftConfig(LawConfig):
    """A law of couplings, a rule, and how many lags to print."""

    lags: Annotated[
        int, Field(ge=1, description="largest lag in the result; the solution takes as many as its tail needs")
    ] = 32


def _dmft(config: DmftConfig, part: dict[str, Any], context: RunContext) -> xr.Dataset:
    import glassformer as gf

    return gf.solve(config.ensemble(), gf.StationaryDMFT(config.rule(), lags=config.lags), throw=False)


DMFT = RunSpec(
    name="context/dmft",
    summary="Stationary correlations of an extended-context model by dynamical mean-field theory, with its loss floor.",
    config=DmftConfig,
    compute=_dmft,
    plot="glassformer.plotting.context:dmft_figure",
    citations=("zavatone2025", "glassformer"),
    long_help="Exact as the number of sites grows. The law is gamma (lag, lag_), or rank_one, diagonal_sums or factors; "
    "a mean of the couplings and a field add a magnetization and a persistent correlation. Gaussian tokens need "
    "max G < 1 and spherical ones a finite beta: otherwise there is no stationary state, and context/transient "
    "follows what happens instead.",
)

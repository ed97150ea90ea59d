"""Extended-context kinetic models: how far one draw of N sites is from infinite size."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import Field

from glassformer.papers.zavatone2025._common import example
from glassformer.sweeps import Expected, RunConfig, RunContext, RunSpec

if TYPE_CHECKING:
    import xarray as xr

_LAGS = (1, 2, 3)
_BURN_IN = 40
_SNAPSHOTS = 16


class FiniteSizeConfig(RunConfig):
    """Three lags, Ising rule."""

    sizes: tuple[Annotated[int, Field(ge=10)], ...] = Field(
        (60, 120, 240), min_length=2, description="numbers of sites"
    )
    beta: float = Field(1.0, gt=0, description="inverse temperature")
    draws: int = Field(48, ge=4, description="draws of the couplings at each size")
    steps: int = Field(120, ge=20, description="measured steps")
    replicas: int = Field(8, ge=2, description="sequences of each draw; their scatter is taken out")
    seed: int = Field(1, ge=0, description="root seed of couplings and tokens")


def _parts(config: FiniteSizeConfig) -> list[dict[str, Any]]:
    return [{"n": n} for n in config.sizes]


def _part(config: FiniteSizeConfig, part: dict[str, Any], context: RunContext) -> xr.Dataset:
    import xarray as xr

    import glassformer as gf
    from glassformer._core._random import derived_seed

    n, law, rule = int(part["n"]), example(), gf.TokenRule("ising", beta=config.beta)
    theory = gf.solve(law, gf.StationaryDMFT(rule))["autocorrelation"].sel(lag=list(_LAGS)).values
    found = np.empty((2, config.draws, len(_LAGS)))
    for draw in range(config.draws):
        model = gf.ExtendedContext(law.sample(n=n, seed=derived_seed(config.seed, f"couplings/{n}/{draw}")))
        one = gf.simulate(
            model, rule, steps=config.steps, replicas=config.replicas, burn_in=_BURN_IN, lags=max(_LAGS),
            seed=derived_seed(config.seed, f"tokens/{n}/{draw}"), threads=1,
        )  # fmt: skip
        for row, name in zip(found, ("autocorrelation", "autocorrelation_error")):
            row[draw] = one[name].sel(lag=list(_LAGS)).values
        context.progress(draw, config.draws + 1)
    moment = found[0].var(axis=0, ddof=1) - np.mean(found[1] ** 2, axis=0)
    spread = np.sqrt(np.maximum(moment, 1e-12))
    # the scatter of a variance from as many normal numbers as there are draws, and what the subtraction leaves of it
    spread_error = found[0].var(axis=0, ddof=1) / spread / math.sqrt(2.0 * (config.draws - 1))
    early = gf.simulate(
        law, rule, n=n, draws=config.draws, steps=_SNAPSHOTS, burn_in=_BURN_IN, seed=config.seed,
        measure=gf.ContextMeasure(two_time=True),
    )["two_time_correlation_error"]  # fmt: skip
    squares = config.draws * np.diagonal(early.values, offset=1) ** 2
    snapshot = math.sqrt(squares.mean())
    return xr.Dataset(
        {
            "spread": ("lag", spread),
            "spread_error": ("lag", spread_error),
            "bias": ("lag", found[0].mean(axis=0) - theory),
            "bias_error": ("lag", found[0].std(axis=0, ddof=1) / math.sqrt(config.draws)),
            "snapshot_spread": snapshot,
            "snapshot_spread_error": snapshot / math.sqrt(2.0 * config.draws * squares.size),
        },
        coords={"lag": list(_LAGS)},
    )


def _combine(config: FiniteSizeConfig, parts: list[xr.Dataset]) -> xr.Dataset:
    import xarray as xr

    dataset = xr.concat(parts, dim=xr.DataArray(list(config.sizes), dims="n", name="n"))
    log_n = np.log(np.array(config.sizes, dtype=float))
    logs = np.log(dataset["spread"].values)
    dataset["slope"] = ("lag", np.polyfit(log_n, logs, 1)[0])
    dataset["slope_mean"] = dataset["slope"].mean()
    dataset["snapshot_slope"] = float(np.polyfit(log_n, np.log(dataset["snapshot_spread"].values), 1)[0])
    dataset["scaled_spread"] = (dataset["spread"] * dataset["n"]).mean("n")
    dataset["scaled_snapshot"] = (dataset["snapshot_spread"] * dataset["n"] ** 0.5).mean("n")
    dataset["scaled_bias"] = (dataset["bias"] * dataset["n"]).mean("n")
    for name in ("spread", "bias", "snapshot_spread"):
        dataset[name].attrs["units"] = dataset[f"{name}_error"].attrs["units"] = "s.s / N"
    return dataset.assign_attrs(beta=config.beta, averages_over=f"{config.draws} draws of the couplings")


_LAW = "finite-size law"


def _per_lag(name: str, values: tuple[float, ...], tolerance: float) -> tuple[Expected, ...]:
    return tuple(
        Expected(name, value, tolerance, _LAW, select={"lag": lag}, when={"beta": 1.0})
        for lag, value in zip(_LAGS, values)
    )


FINITE_SIZE = RunSpec(
    name="zavatone2025/finite-size",
    summary="Spread over draws of time-averaged and of single correlations against the number of sites",
    config=FiniteSizeConfig,
    compute=_part,
    parts=_parts,
    combine=_combine,
    scales={"quick": {}, "paper": {"sizes": (50, 100, 200, 400, 800), "draws": 96}},
    plot="glassformer.plotting.zavatone:finite_size_figure",
    citations=("zavatone2025", "glassformer"),
    expected=(
        # 48 draws at three sizes give a slope to 0.1, averaged over three lags 0.06; small sizes are below the law
        Expected("slope_mean", -0.95, 0.3, _LAW, when={"beta": 1.0}),
        Expected("slope_mean", -1.0, 0.15, _LAW, when={"beta": 1.0}, scale="paper"),
        Expected("snapshot_slope", -0.5, 0.08, _LAW, when={"beta": 1.0}),
        Expected("scaled_snapshot", 1.05, 0.12, _LAW, when={"beta": 1.0}),
        *_per_lag("scaled_spread", (1.0, 1.3, 1.4), 0.4),
        *_per_lag("scaled_bias", (0.0, 0.0, 0.0), 1.2),
    ),
    notes=(
        "Derived here: a snapshot of one draw fluctuates as N^-1/2, but its average over time is within O(1/N) of infinite "
        "size, in the mean and in the spread over draws."
    ),
)

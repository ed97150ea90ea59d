"""`context/transient`: correlations of any two times from any start, as the number of sites goes to infinity."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import Field

from glassformer._core._errors import InvalidInputError, MethodNotApplicableError, NotConvergedError, invalid
from glassformer.runs.context import LawConfig, Matrix
from glassformer.sweeps import RunContext, RunSpec
from glassformer.sweeps._arrays import ArrayRule

if TYPE_CHECKING:
    import xarray as xr

Means = float | Annotated[np.ndarray, ArrayRule(1)]
_LAGS = 32


class TransientConfig(LawConfig):
    """The law of the model, and where its tokens start."""

    steps: Annotated[int, Field(ge=1, description="steps after the initial tokens")] = 40
    start: Annotated[
        Literal["independent", "repeated"] | Matrix,
        Field(description="the K initial tokens: independent, one token K times, or their overlaps (lag, lag_)"),
    ] = "independent"
    start_magnetization: Annotated[
        Means, Field(description="mean of the initial tokens, or one mean a token (lag), most recent first")
    ] = 0.0
    lags: Annotated[int | None, Field(ge=0, description="largest lag of autocorrelation; 32, or what there is")] = None
    paths: Annotated[
        int | None,
        Field(
            ge=64, description="sampled paths of partially symmetric signs (20000 if left out), or to check the theory"
        ),
    ] = None
    band: Annotated[
        int | None,
        Field(ge=1, description="largest lag that is kept, for runs too long for all pairs of times (means zero)"),
    ] = None
    seed: Annotated[int, Field(ge=0, description="root seed of the paths; not used without them")]

    def method(self) -> Any:
        """Return the theory as a noun."""
        import glassformer as gf

        return gf.TransientDMFT(
            self.rule(), steps=self.steps, start=self.start, start_magnetization=self.start_magnetization,
            paths=self.paths, seed=self.seed, band=self.band,
        )  # fmt: skip


def _transient(config: TransientConfig, part: dict[str, Any], context: RunContext) -> xr.Dataset:
    import glassformer as gf

    ensemble = config.ensemble()
    if config.lags is not None and config.lags >= config.steps:
        raise invalid("lags", config.lags, f"below steps = {config.steps}", "the last row goes back to step 1")
    dataset = gf.solve(ensemble, config.method(), throw=False)
    lags = min(config.lags if config.lags is not None else _LAGS, dataset.sizes["lag"] - 1)
    if "banded_correlation" in dataset:
        dataset = dataset.assign_coords(kept_lag=("kept_lag", dataset["lag"].values))
        dataset["banded_correlation"] = (
            ("time", "kept_lag"),
            dataset["banded_correlation"].values,
            dataset["banded_correlation"].attrs,
        )
    dataset = dataset.isel(lag=slice(0, lags + 1))
    if "two_time_correlation_error" in dataset:
        last = int(dataset["time"][-1])
        row = dataset["two_time_correlation_error"].sel(time=last).sel(time_=last - np.arange(lags + 1)).values
        dataset["autocorrelation_error"] = ("lag", row, {"units": "standard error over batches"})
    limit, sentence = _limit(config, ensemble, dataset, lags)
    for name, values in limit.items():
        dataset[name] = values
    dataset.attrs["note"] = f"{dataset.attrs['note']} {sentence}".strip()
    dataset.attrs["context"] = ensemble.law.context
    dataset.attrs["table"] = _table(dataset)
    return dataset


def _limit(config: TransientConfig, ensemble: Any, dataset: xr.Dataset, lags: int) -> tuple[dict[str, Any], str]:
    """Return what the last row tends to: the stationary correlation, or the form of aging; or why there is neither."""
    import glassformer as gf

    rule = config.rule()
    if ensemble.law.transpose_covariance is not None and rule.variant not in ("gaussian", "spherical"):
        return (
            {},
            "The stationary state of partially symmetric couplings is known for gaussian and spherical tokens only.",
        )
    try:
        found = gf.solve(ensemble, gf.StationaryDMFT(rule, lags=max(lags, 1)))
        values = ("lag", found["autocorrelation"].values[: lags + 1], {"units": "s.s / N of the stationary state"})
        return {"autocorrelation_stationary": values}, ""
    except NotConvergedError:
        return {}, "The stationary state was not found."
    except InvalidInputError as error:
        why = str(error)
    last = int(dataset["time"][-1])
    if lags >= last:
        return {}, ""
    try:
        found = gf.solve(ensemble, gf.Aging(rule, waiting_times=range(last - lags, last + 1), lags=max(lags, 1)))
    except MethodNotApplicableError as error:
        return {}, str(error) if ensemble.law.transpose_covariance is None else why
    form = [float(found["two_time_correlation"].sel(waiting_time=last - lag, lag=lag)) for lag in range(lags + 1)]
    square = dataset["square"].sel(time=last - np.arange(lags + 1)).values
    raw = np.array(form) * np.sqrt(square) * np.sqrt(square[0])
    return {
        "autocorrelation_aging": ("lag", raw, {"units": "s.s / N in the scaling form of aging, at the same times"}),
        "aging_constant": found["aging_constant"],
        "frequency": found["frequency"],
        "growth_factor": found["growth_factor"],
    }, "There is no stationary state; the scaling form of aging stands beside the last row."


def _number(dataset: xr.Dataset, name: str, time: int) -> str:
    """Return the number at a time, with its standard error if it was sampled."""
    error = float(dataset[f"{name}_error"].sel(time=time)) if f"{name}_error" in dataset else 0.0
    return f"{float(dataset[name].sel(time=time)):.8g}" + (f" +- {error:.2g}" if error > 0.0 else "")


def _table(dataset: xr.Dataset) -> str:
    last = int(dataset["time"][-1])
    names = [
        name for name in ("autocorrelation", "autocorrelation_stationary", "autocorrelation_aging") if name in dataset
    ]
    heads = {
        "autocorrelation": f"C({last}, {last} - lag)",
        "autocorrelation_stationary": "stationary",
        "autocorrelation_aging": "aging form",
    }
    columns = [(heads[name], dataset[name]) for name in names]
    if "autocorrelation_error" in dataset:
        columns.insert(1, ("error", dataset["autocorrelation_error"]))
    lines = ["lag " + "".join(f"{head:>20}" for head, _ in columns)]
    for lag in range(min(8, dataset.sizes["lag"])):
        lines.append(f"{lag:<4}" + "".join(f"{float(values[lag]):20.8g}" for _, values in columns))
    rows = {"loss_floor": last, "entropy_production": last - int(dataset.attrs["context"])}
    for name, when in rows.items():
        if name in dataset and when >= 1:
            lines.append(f"{name} at time {when}: {_number(dataset, name, when)} nats per site")
    if np.abs(dataset["magnetization"].values).max() > 0.0:
        lines.append(f"magnetization at time {last}: {_number(dataset, 'magnetization', last)}")
    return "\n".join(lines)


TRANSIENT = RunSpec(
    name="context/transient",
    summary="Two-time correlations of an extended-context model of infinite size, from any start.",
    config=TransientConfig,
    compute=_transient,
    plot="glassformer.plotting.context_transient:transient_figure",
    citations=("zavatone2025", "glassformer"),
    long_help="two_time_correlation (time, time_) holds every pair of times from the first initial token, 1 - K, to steps; "
    "autocorrelation (lag) is its last row, C(steps, steps - lag). Partially symmetric signs (transpose_gamma) are sampled "
    "path by path and have errors; everything else is exact as the number of sites grows.",
)

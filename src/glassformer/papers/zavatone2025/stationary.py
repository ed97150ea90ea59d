"""Extended-context kinetic models: stationary correlations of Ising tokens, theory beside simulation, and two controls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from glassformer.papers.zavatone2025._common import beta_label, scaled_deviation
from glassformer.runs.context import EXAMPLE
from glassformer.sweeps import Expected, FloatOrInfinityGrid, RunConfig, RunContext, RunSpec

if TYPE_CHECKING:
    import xarray as xr

_TRACE = float(np.trace(EXAMPLE))
LAWS = {
    "example": EXAMPLE,
    "diagonal": tuple(tuple(row) for row in (np.eye(3) * _TRACE / 3).tolist()),
    "zero_sum": ((0.5, 0.2, 0.0), (0.2, 0.5, -0.2), (0.0, -0.2, 0.5)),  # not diagonal, but g_1 = g_2 = 0
}
_THEORY = ("q0", "loss_floor", "entropy_production", "criticality", "correlation_time")


class StationaryConfig(RunConfig):
    """Three lags, Ising rule."""

    betas: FloatOrInfinityGrid = Field((0.5, 1.0, 3.0, float("inf")), description="inverse temperatures")
    n: int = Field(200, ge=10, description="sites")
    draws: int = Field(8, ge=2, description="draws of the couplings; error bars are over them")
    steps: int = Field(200, ge=20, description="measured steps of each sequence")
    replicas: int = Field(3, ge=1, description="sequences of each draw")
    lags: int = Field(10, ge=2, description="largest lag")
    seed: int = Field(1, ge=0, description="root seed of couplings and tokens")


def _parts(config: StationaryConfig) -> list[dict[str, Any]]:
    return [{"law": law, "beta": beta} for law in LAWS for beta in config.betas]


def _part(config: StationaryConfig, part: dict[str, Any], context: RunContext) -> xr.Dataset:
    import xarray as xr

    import glassformer as gf

    law = gf.LaggedGaussian(np.array(LAWS[str(part["law"])]))
    rule = gf.TokenRule("ising", beta=float(part["beta"]))
    theory = gf.solve(law, gf.StationaryDMFT(rule))
    simulation = gf.simulate(
        law, rule, n=config.n, draws=config.draws, steps=config.steps, replicas=config.replicas, burn_in=60,
        lags=config.lags, seed=config.seed, progress=context.progress, checkpoint=context.checkpoint,
    )  # fmt: skip
    curve = theory["autocorrelation"].sel(lag=simulation["lag"])
    measured, error = simulation["autocorrelation"], simulation["autocorrelation_error"]
    return xr.Dataset(
        {
            "autocorrelation": curve,
            "autocorrelation_simulation": measured,
            "autocorrelation_simulation_error": error,
            "deviation": scaled_deviation(measured - curve, error, config.n),
            **{name: theory[name] for name in _THEORY if name in theory},
        }
    )


def _combine(config: StationaryConfig, parts: list[xr.Dataset]) -> xr.Dataset:
    import xarray as xr

    cases = xr.DataArray([beta_label(beta) for beta in config.betas], dims="case", name="case")
    rows = [xr.concat(parts[k : k + cases.size], dim=cases) for k in range(0, len(parts), cases.size)]
    dataset = xr.concat(rows, dim=xr.DataArray(list(LAWS), dims="law", name="law"))
    dataset["deviation_largest"] = dataset["deviation"].max()
    controls = dataset.sel(law=["diagonal", "zero_sum"]).isel(lag=slice(1, None))
    dataset["control_largest"] = np.abs(controls["autocorrelation"]).max()
    return dataset.assign_attrs(n=config.n, averages_over=f"{config.draws} draws of the couplings")


_TABLE = {  # Q_0, c_1..c_4, criticality, loss floor, entropy production
    "0.5": (1.5927528728, (0.0906745199, -0.0103917643, -0.0026527908, -0.0000492141), 0.33392717, 0.5613566732, 0.3049353680),
    "1": (1.7086668637, (0.2086600411, -0.0000341130, -0.0092107102, -0.0019438870), 0.59387392, 0.3952428106, 0.8713401966),
    "3": (1.8439978141, (0.3534475807, 0.0472488328, -0.0097083455, -0.0067388043), 0.75704166, 0.1558563215, 3.1396176806),
    "inf": (1.8767105614, (0.3894284835, 0.0635896104, -0.0074490157, -0.0077201010), 0.78020847, 0.0, None),
}  # fmt: skip


def _expected() -> tuple[Expected, ...]:
    found = []
    for beta, (q0, lags, critical, floor, production) in _TABLE.items():
        at: dict[str, Any] = {"law": "example", "case": f"beta={beta}"}
        numbers = {"q0": q0, "criticality": critical, "loss_floor": floor, "entropy_production": production}
        for name, value in numbers.items():
            if value is not None:
                found.append(Expected(name, value, 6e-9 if name == "criticality" else 1e-9, _DERIVED, select=at))
        found += [
            Expected("autocorrelation", value, 1e-9, _DERIVED, select={**at, "lag": lag})
            for lag, value in enumerate(lags, start=1)
        ]
    return tuple(found)


_DERIVED = "derived here, 26 nodes"
STATIONARY = RunSpec(
    name="zavatone2025/stationary",
    summary="Stationary correlations of Ising tokens, theory beside simulation, with two laws without memory",
    config=StationaryConfig,
    compute=_part,
    parts=_parts,
    combine=_combine,
    scales={"quick": {}, "paper": {"n": 600, "draws": 16, "steps": 400, "replicas": 4}},
    plot="glassformer.plotting.zavatone:stationary_figure",
    citations=("zavatone2025", "glassformer"),
    expected=(
        *_expected(),
        Expected("control_largest", 0.0, 1e-12, "no memory without diagonal sums"),
        # in units of sqrt(var / draws + (2 / N)^2)
        Expected("deviation_largest", 0.0, 4.0, "finite-size law"),
    ),
    notes=(
        "Derived here. Stationary correlations depend on the diagonal sums of the covariance alone; a covariance that is not "
        "diagonal may have none."
    ),
)

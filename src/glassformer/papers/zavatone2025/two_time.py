"""Extended-context kinetic models: the correlation of any two times, theory beside simulation, for every update rule."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from glassformer.papers.zavatone2025._common import case_law, case_rule
from glassformer.sweeps import Expected, RunConfig, RunContext, RunSpec

if TYPE_CHECKING:
    import xarray as xr

STARTS = ("independent", "repeated")
CASES = {
    "Ising": ("ising", False),
    "Ising, T = 0": ("ising", True),
    "probit": ("probit", False),
    "graded": ("graded", False),
    "Gaussian": ("gaussian", False),
    "spherical": ("spherical", False),
    "spherical, T = 0": ("spherical", True),
}


_UNIT = ("Ising", "Ising, T = 0", "probit", "spherical")  # tokens of unit variance with a finite memory


class TwoTimeConfig(RunConfig):
    """Transients from two starts."""

    n: int = Field(1000, ge=10, description="sites")
    steps: int = Field(30, ge=4, description="steps after the initial tokens")
    draws: int = Field(1, ge=1, description="draws of the couplings that are averaged")
    beta: float = Field(1.5, gt=0, description="inverse temperature where it is neither infinite nor absent")
    seed: int = Field(1, ge=0, description="root seed of couplings and tokens")


def _parts(config: TwoTimeConfig) -> list[dict[str, Any]]:
    return [{"case": case, "start": start} for case in CASES for start in STARTS]


def _part(config: TwoTimeConfig, part: dict[str, Any], context: RunContext) -> xr.Dataset:
    import xarray as xr

    import glassformer as gf

    variant, cold = CASES[str(part["case"])]
    rule = case_rule(variant, math.inf if cold else config.beta)
    law, start = case_law(variant), str(part["start"])
    theory = gf.solve(law, gf.TransientDMFT(rule, steps=config.steps, start=start))["two_time_correlation"]
    simulation = gf.simulate(
        law, rule, n=config.n, draws=config.draws, steps=config.steps, start=start, seed=config.seed,
        measure=gf.ContextMeasure(two_time=True), progress=context.progress, checkpoint=context.checkpoint,
    )["two_time_correlation"]  # fmt: skip
    scaled = math.sqrt(config.n * config.draws) * (simulation - theory)
    later = (theory["time"] >= 1) & (theory["time"] > theory["time_"])  # every pair once, not the K given tokens
    found = scaled.where(later)
    return xr.Dataset(
        {
            "two_time_correlation": theory,
            "two_time_correlation_simulation": simulation,
            "difference_scaled": scaled,
            "difference_rms": np.sqrt((found**2).mean()),
            "difference_mean": found.mean(),
            "difference_largest": np.abs(found).max(),
        }
    )


def _combine(config: TwoTimeConfig, parts: list[xr.Dataset]) -> xr.Dataset:
    import xarray as xr

    rows = [
        xr.concat(parts[k : k + len(STARTS)], dim=xr.DataArray(list(STARTS), dims="start", name="start"))
        for k in range(0, len(parts), len(STARTS))
    ]
    dataset = xr.concat(rows, dim=xr.DataArray(list(CASES), dims="case", name="case"))
    own = dataset.sel(case=list(_UNIT))
    dataset["difference_rms_unit"] = np.sqrt((own["difference_rms"] ** 2).mean())
    dataset["difference_peak"] = (own["difference_largest"] / own["difference_rms"]).max()
    dataset["difference_tilt"] = np.abs(own["difference_mean"] / own["difference_rms"]).max()
    for name in dataset.data_vars:
        units = "sqrt(N draws) times s.s / N" if str(name).startswith("difference") else "s.s / N, means not subtracted"
        dataset[name].attrs = {"units": units}
    for name in ("difference_peak", "difference_tilt"):
        dataset[name].attrs = {"units": "of the root mean square"}
    return dataset.assign_attrs(n=config.n, draws=config.draws, averages_over=f"{config.draws} draws of the couplings")


_LAW = "finite-size law"


TWO_TIME = RunSpec(
    name="zavatone2025/two-time",
    summary="Correlations of any two times, theory beside simulation, for every rule and two starts",
    config=TwoTimeConfig,
    compute=_part,
    parts=_parts,
    combine=_combine,
    scales={"quick": {"n": 500}, "paper": {"n": 1000, "draws": 16}},
    plot="glassformer.plotting.zavatone:two_time_figure",
    citations=("zavatone2025", "glassformer"),
    expected=(
        # overlaps of independent signs have 1; a memory c adds about the sum of c_tau^2 over all lags
        Expected("difference_rms_unit", 1.2, 0.3, _LAW),
        Expected("difference_peak", 3.7, 1.3, "the largest of some 500 normal numbers"),
        Expected("difference_tilt", 0.0, 0.6, _LAW),
    ),
    notes=(
        "Derived here. A single draw differs from infinite size by about 1 / sqrt(N) in a snapshot of tokens of unit variance; "
        "the difference has bands as wide as the memory. Spherical tokens at T = 0 are at their critical point: theirs grows."
    ),
)

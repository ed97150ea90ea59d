"""`vector/temper`: parallel tempering of the user's own symmetric couplings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from glassformer.runs.vector import ModelConfig, run_simulation
from glassformer.sweeps import FloatGrid, RunContext, RunSpec

if TYPE_CHECKING:
    import xarray as xr


class TemperConfig(ModelConfig):
    """Simulate one sample at a ladder of temperatures that exchange configurations."""

    betas: FloatGrid = Field(description="inverse temperatures, hottest first: a list or a range such as 0.2:4:log12")
    tune: Annotated[bool, Field(description="move the inner temperatures until all swap rates are equal")] = False
    overrelaxation: Annotated[int, Field(ge=0, description="overrelaxation sweeps after each heat-bath sweep")] = 0
    steps: Annotated[int, Field(ge=2, description="measured sweeps, each with one round of swaps")] = 2000
    burn_in: Annotated[int, Field(ge=0, description="sweeps before measuring")] = 1000
    replicas: Annotated[int, Field(ge=1, description="independent ladders; error bars need at least 2")] = 8
    seed: Annotated[int, Field(ge=0, description="root seed; generated and stored if left out")]


def _temper(config: TemperConfig, part: dict[str, Any], context: RunContext) -> xr.Dataset:
    import glassformer as gf

    ladder = gf.ParallelTempering(config.betas, config.overrelaxation, config.tune)
    dataset = run_simulation(config, ladder, context)
    dataset.attrs["table"] = _table(dataset)
    return dataset


def _table(dataset: xr.Dataset) -> str:
    """Return one line per temperature: what most readers want, with its error."""

    def cell(name: str, level: int) -> str:
        error = f" ± {float(dataset[f'{name}_error'][level]):.1g}" if f"{name}_error" in dataset else ""
        return f"{float(dataset[name][level]):.5g}{error}"

    rates = [f"{rate:.2f}" for rate in dataset["swap_rate"].values]
    lines = [f"{'beta':>10}  {'energy':22}{'specific heat':22}{'swap rate to the next'}"]
    for level, rate in enumerate([*rates, ""]):
        beta = float(dataset["beta"][level])
        lines.append(f"{beta:10.5g}  {cell('energy', level):22}{cell('specific_heat', level):22}{rate}".rstrip())
    trips = dataset["round_trips"].values
    return "\n".join([*lines, f"round trips per ladder: {trips.min()} to {trips.max()}"])


TEMPER = RunSpec(
    name="vector/temper",
    summary="Parallel tempering of your symmetric couplings: the Boltzmann law at many temperatures.",
    config=TemperConfig,
    compute=_temper,
    plot="glassformer.plotting.vector:temper_figure",
    citations=("glassformer",),
)

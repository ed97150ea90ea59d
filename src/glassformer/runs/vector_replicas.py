"""`vector/replicas`: do the user's own symmetric couplings freeze, and into how many states?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from glassformer.runs.vector import ModelConfig
from glassformer.sweeps import FloatGrid, RunContext, RunSpec

if TYPE_CHECKING:
    import xarray as xr


class ReplicasConfig(ModelConfig):
    """Temper independent replicas of one sample until they are in equilibrium, and compare them."""

    betas: FloatGrid = Field(description="inverse temperatures to compare at: a number, a list or a range")
    replicas: Annotated[int, Field(ge=4, description="independent ladders of temperatures")] = 8
    sweeps: Annotated[int, Field(ge=4, description="sweeps of the first stage; each stage is twice as long")] = 200
    max_sweeps: Annotated[int, Field(ge=12, description="sweeps at most, if the test of equilibrium does not pass")] = (
        20_000
    )
    snapshots: Annotated[int, Field(ge=4, description="configurations kept per stage")] = 40
    overrelaxation: Annotated[int, Field(ge=0, description="overrelaxation sweeps after each heat-bath sweep")] = 1
    hottest: Annotated[float | None, Field(gt=0, description="hot end of the ladder (chosen if left out)")] = None
    seed: Annotated[int, Field(ge=0, description="root seed; generated and stored if left out")]


def _replicas(config: ReplicasConfig, part: dict[str, Any], context: RunContext) -> xr.Dataset:
    import glassformer as gf

    model = config.build()
    dataset = gf.compare_replicas(
        model,
        config.betas,
        replicas=config.replicas,
        sweeps=config.sweeps,
        max_sweeps=config.max_sweeps,
        snapshots=config.snapshots,
        overrelaxation=config.overrelaxation,
        hottest=config.hottest,
        seed=config.seed,
        progress=context.progress,
        checkpoint=context.checkpoint,
    )
    dataset.attrs["radius"] = model.r
    dataset.attrs["table"] = verdict_table(dataset)
    return dataset


def verdict_table(dataset: xr.Dataset) -> str:
    """Return one line per temperature: the three overlaps and the verdict."""
    kinds = ("overlap", "overlap_invariant", "overlap_aligned")
    lines = [f"{'beta':>10}  {'raw overlap':16}{'invariant':16}{'aligned':16}verdict (mean ± spread over pairs)"]
    for level in range(dataset.sizes["beta"]):
        own = dataset.isel(beta=level)
        cells = "".join(f"{float(own[f'{kind}_mean']):6.3f} ± {float(own[f'{kind}_spread']):.3f} " for kind in kinds)
        lines.append(f"{float(own['beta']):10.5g}  {cells} {own['verdict_sentence'].item()}")
    return "\n".join(lines)


REPLICAS = RunSpec(
    name="vector/replicas",
    summary="Does your symmetric glass freeze, and into how many states? Overlaps of equilibrated replicas.",
    config=ReplicasConfig,
    compute=_replicas,
    plot="glassformer.plotting.overlaps:replicas_figure",
    citations=("glassformer",),
)

"""`vector/ground-state`: states of least energy of the user's own symmetric couplings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from glassformer.runs.vector import ModelConfig
from glassformer.sweeps import RunContext, RunSpec

if TYPE_CHECKING:
    import xarray as xr


class GroundStateConfig(ModelConfig):
    """Descend from random starts."""

    descents: Annotated[int, Field(ge=1, description="number of random starts")] = 8
    max_sweeps: Annotated[int, Field(ge=1, description="a descent that is longer has not converged")] = 50_000
    seed: Annotated[int, Field(ge=0, description="root seed of the starts; generated and stored if left out")]


def _ground_state(config: GroundStateConfig, part: dict[str, Any], context: RunContext) -> xr.Dataset:
    import glassformer as gf

    model = config.build()
    method = gf.GroundState(config.descents, seed=config.seed, max_sweeps=config.max_sweeps)
    dataset = gf.solve(model, method, throw=False)
    dataset.attrs["radius"] = model.r
    dataset.attrs["table"] = _table(dataset)
    return dataset


def _table(dataset: xr.Dataset) -> str:
    """Return what most readers want, and one line per descent, the best first, at most twelve."""
    energies = dataset["energies"].values
    order = energies.argsort(kind="stable")
    lines = [
        f"energy per spin over R^2   {float(dataset['energy_per_site_r2']):.8f}",
        f"no state is below          {float(dataset['energy_lower_bound_per_site_r2']):.8f}, in the same units",
        f"certified                  {'yes, it is the global minimum' if dataset.attrs['certified'] else 'no'}",
        f"rank of the Gram matrix    {int(dataset['gram_rank'])}, at most {int(dataset['gram_rank_bound'])} expected "
        "without fields",
        f"descents that agree        {int(dataset['descents_agreeing'])} of {energies.size}",
        "",
        f"{'descent':>7}  {'above the best':>14}  {'rank':>4}  {'sweeps':>6}  {'last move':>9}",
    ]
    for k in order[:12]:
        above = energies[k] - energies[order[0]]
        lines.append(
            f"{k:7d}  {above:14.3e}  {int(dataset['gram_ranks'][k]):4d}  {int(dataset['sweeps'][k]):6d}  "
            f"{float(dataset['last_move'][k]):9.1e}"
        )
    return "\n".join(lines)


GROUND_STATE = RunSpec(
    name="vector/ground-state",
    summary="The states of least energy of your symmetric couplings, their rank, and whether all descents agree.",
    config=GroundStateConfig,
    compute=_ground_state,
    plot="glassformer.plotting.ground_state:ground_state_figure",
    citations=("glassformer",),
)

"""`vector/compare`: a simulation and several theories of the user's own arrays in one table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from glassformer.runs.vector import THEORIES, MethodName, SimulateConfig, run_simulation
from glassformer.sweeps import RunContext, RunSpec

if TYPE_CHECKING:
    import xarray as xr


class CompareConfig(SimulateConfig):
    """Simulate one sample, solve it by several theories, and measure each theory against the simulation."""

    methods: Annotated[tuple[MethodName, ...], Field(min_length=1, description="the theories to compare with")] = (
        "nmf",
        "tap",
        "gram",
    )


def _compare(config: CompareConfig, part: dict[str, Any], context: RunContext) -> xr.Dataset:
    import xarray as xr

    import glassformer as gf

    model = config.build()
    own: dict[str, dict[str, Any]] = {"enumeration": {"update": config.dynamics}}  # exact for what is simulated
    theories = [
        gf.solve(model, THEORIES[name][0](config.beta, **own.get(name, {})), throw=False)
        for name in dict.fromkeys(config.methods)
    ]
    simulation = run_simulation(config, config.motion(), context)
    table = gf.compare(simulation, *theories)
    rows = table.dataset
    variables: dict[str, Any] = {}
    for quantity in rows["quantity"].values:
        line = rows.sel(quantity=quantity, drop=True)
        variables[str(quantity)] = line["value"]
        variables[f"{quantity}_error"] = line["error"]
        if quantity.endswith("_rms_difference"):
            continue
        variables[f"{quantity}_deviation"] = line["deviation"]
        variables[f"{quantity}_deviation"].attrs["units"] = "standard errors of the difference from the simulation"
    variables["solver_status"] = rows["status"]
    dataset = xr.Dataset(variables, attrs=simulation.attrs)
    citations = gf.evidence(simulation)["citations"]
    for theory in theories:
        citations += [key for key in gf.evidence(theory)["citations"] if key not in citations]
    dataset.attrs["citations"] = citations
    dataset.attrs["table"] = str(table)
    return dataset


COMPARE = RunSpec(
    name="vector/compare",
    summary="Simulate your couplings and fields, and measure several theories against the simulation.",
    config=CompareConfig,
    compute=_compare,
    plot="glassformer.plotting.vector:compare_figure",
    citations=("glassformer",),
)

"""`vector/solve` and `vector/simulate`: theories and dynamics on the user's own couplings and fields."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import Field

from glassformer._core._errors import invalid
from glassformer.sweeps import RunConfig, RunContext, RunSpec
from glassformer.sweeps._arrays import ArrayRule

if TYPE_CHECKING:
    import xarray as xr

    from glassformer.models import VectorSpin


Matrix = Annotated[np.ndarray, ArrayRule(2)]
Vectors = Annotated[np.ndarray, ArrayRule((1, 2))]


class VectorConfig(RunConfig):
    """A vector-spin model from arrays."""

    couplings: Annotated[Matrix, Field(description="matrix (site, site_): row i acts on site i")]
    fields: Annotated[Vectors | None, Field(description="external fields (site, component); none for zero fields")] = (
        None
    )
    dim: Annotated[int | None, Field(ge=1, description="components per spin; taken from fields if left out")] = None
    beta: Annotated[float, Field(ge=0, description="inverse temperature")]
    radius: Annotated[
        Literal["bal", "sqrt_d", "unit"] | float,
        Field(description="R^2 = D/2 - 1 (bal), R^2 = D (sqrt_d), R = 1 (unit), or the number R"),
    ] = "bal"

    def build(self) -> VectorSpin:
        """Bind the arrays to the model."""
        import glassformer as gf

        return gf.VectorSpin(self.couplings, self.fields, self.dim, radius=self.radius)  # type: ignore[arg-type]


class SolveConfig(VectorConfig):
    """Solve one sample by one theory."""

    method: Annotated[
        Literal["nmf", "tap", "gram", "gaussian", "saddle-point", "adaptive-tap", "enumeration"],
        Field(description="the theory"),
    ] = "gram"
    response: Annotated[
        Literal["exact", "amos", "large_d"], Field(description="response of one spin; closures and adaptive-tap only")
    ] = "exact"
    variant: Annotated[Literal["expanded", "bal2023"], Field(description="tap only: corrected, or as published")] = (
        "expanded"
    )
    update: Annotated[Literal["parallel", "sequential"], Field(description="enumeration only: which dynamics")] = (
        "parallel"
    )
    start: Annotated[
        Literal["paramagnet", "fields"] | Vectors,
        Field(description="start: no magnetisation, independent spins in their fields, or an array (site, component)"),
    ] = "paramagnet"
    steps: Annotated[int | None, Field(ge=0, description="none: steady state; a number: transient")] = None

    def theory(self) -> Any:
        """Return the method as a noun."""
        import glassformer as gf

        closures = {"nmf": gf.NaiveMeanField, "gram": gf.GramClosure}
        if self.method in closures:
            return closures[self.method](self.beta, response=self.response)
        if self.method == "tap":
            return gf.TAP(self.beta, response=self.response, variant=self.variant)
        if self.method == "adaptive-tap":
            return gf.AdaptiveTAP(self.beta, response=self.response)
        if self.response != "exact":
            raise invalid("response", self.response, f"exact for method={self.method}", "leave response out")
        if self.method == "enumeration":
            return gf.Enumeration(self.beta, update=self.update)
        return {"gaussian": gf.GaussianClosure, "saddle-point": gf.SaddlePoint}[self.method](self.beta)


def _solve(config: SolveConfig, part: dict[str, Any], context: RunContext) -> xr.Dataset:
    import glassformer as gf

    start: Any = config.start
    if isinstance(start, str):
        start = None if start == "paramagnet" else start
    model = config.build()
    dataset = gf.solve(model, config.theory(), start=start, steps=config.steps, throw=False)
    dataset.attrs["radius"] = model.r
    return dataset


class SimulateConfig(VectorConfig):
    """Simulate one sample by one dynamics."""

    dynamics: Annotated[
        Literal["parallel", "sequential"],
        Field(description="all spins at once (the process of the theories), or one by one (Boltzmann if J = J^T)"),
    ] = "parallel"
    steps: Annotated[int, Field(ge=2, description="measured steps (sweeps for sequential)")] = 1000
    burn_in: Annotated[int, Field(ge=0, description="steps before measuring")] = 200
    replicas: Annotated[int, Field(ge=1, description="independent copies; error bars need at least 2")] = 16
    overrelaxation: Annotated[int, Field(ge=0, description="sequential only: overrelaxation sweeps per sweep")] = 0
    seed: Annotated[int, Field(ge=0, description="root seed; generated and stored if left out")]


def _simulate(config: SimulateConfig, part: dict[str, Any], context: RunContext) -> xr.Dataset:
    import glassformer as gf

    model = config.build()
    if config.dynamics == "parallel":
        if config.overrelaxation:
            raise invalid("overrelaxation", config.overrelaxation, "0 for dynamics=parallel", "use dynamics=sequential")
        dynamics: Any = gf.ParallelHeatBath(config.beta)
    else:
        dynamics = gf.SequentialHeatBath(config.beta, overrelaxation=config.overrelaxation)
    dataset = gf.simulate(
        model,
        dynamics,
        steps=config.steps,
        burn_in=config.burn_in,
        replicas=config.replicas,
        seed=config.seed,
        progress=context.progress,
        checkpoint=context.checkpoint,
        throw=False,
    )
    dataset.attrs["radius"] = model.r
    return dataset


SOLVE = RunSpec(
    name="vector/solve",
    summary="Solve your couplings and fields by a mean-field theory, or exactly where that is possible.",
    config=SolveConfig,
    compute=_solve,
    plot="glassformer.plotting.vector:vector_figure",
    citations=("glassformer",),
)
SIMULATE = RunSpec(
    name="vector/simulate",
    summary="Simulate your couplings and fields, with error bars.",
    config=SimulateConfig,
    compute=_simulate,
    plot="glassformer.plotting.vector:vector_figure",
    citations=("glassformer",),
)

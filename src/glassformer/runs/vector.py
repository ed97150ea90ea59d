"""`vector/solve` and `vector/simulate`: theories and dynamics on the user's own couplings and fields."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import Field

from glassformer import theory
from glassformer._core._errors import invalid
from glassformer.sweeps import RunConfig, RunContext, RunSpec
from glassformer.sweeps._arrays import ArrayRule

if TYPE_CHECKING:
    import xarray as xr

    from glassformer.models import VectorSpin


Matrix = Annotated[np.ndarray, ArrayRule(2)]
Vectors = Annotated[np.ndarray, ArrayRule((1, 2))]


class ModelConfig(RunConfig):
    """A vector-spin model from arrays."""

    couplings: Annotated[Matrix, Field(description="matrix (site, site_): row i acts on site i")]
    fields: Annotated[Vectors | None, Field(description="external fields (site, component); none for zero fields")] = (
        None
    )
    dim: Annotated[int | None, Field(ge=1, description="components per spin; taken from fields if left out")] = None
    radius: Annotated[
        Literal["bal", "sqrt_d", "unit"] | float,
        Field(description="R^2 = D/2 - 1 (bal), R^2 = D (sqrt_d), R = 1 (unit), or the number R"),
    ] = "bal"

    def build(self) -> VectorSpin:
        """Bind the arrays to the model."""
        import glassformer as gf

        return gf.VectorSpin(self.couplings, self.fields, self.dim, radius=self.radius)  # type: ignore[arg-type]


class VectorConfig(ModelConfig):
    """The same at one temperature."""

    beta: Annotated[float, Field(ge=0, description="inverse temperature")]


class ParallelConfig(VectorConfig):
    """The same, with a simulation of the parallel process beside the theories."""

    steps: Annotated[int, Field(ge=2, description="measured parallel steps")] = 1000
    burn_in: Annotated[int, Field(ge=0, description="steps before measuring")] = 200
    replicas: Annotated[int, Field(ge=2, description="independent copies; error bars come from them")] = 16
    seed: Annotated[int, Field(ge=0, description="root seed; generated and stored if left out")]


THEORIES: dict[str, tuple[Any, tuple[str, ...]]] = {
    "nmf": (theory.NaiveMeanField, ("response", "solver")),
    "tap": (theory.TAP, ("response", "variant")),
    "gram": (theory.GramClosure, ("response",)),
    "gaussian": (theory.GaussianClosure, ("response",)),
    "saddle-point": (theory.SaddlePoint, ()),
    "adaptive-tap": (theory.AdaptiveTAP, ("response",)),
    "enumeration": (theory.Enumeration, ("update",)),
}


MethodName = Literal["nmf", "tap", "gram", "gaussian", "saddle-point", "adaptive-tap", "enumeration"]


class SolveConfig(VectorConfig):
    """Solve one sample by one theory."""

    method: Annotated[MethodName, Field(description="the theory")] = "gram"
    response: Annotated[
        Literal["exact", "amos", "large_d"] | None,
        Field(description="response of one spin (exact if left out); not for saddle-point and enumeration"),
    ] = None
    variant: Annotated[
        Literal["expanded", "bal2023"] | None,
        Field(description="tap only: consistent second order (expanded, if left out), or as published"),
    ] = None
    update: Annotated[
        Literal["parallel", "sequential"] | None,
        Field(description="enumeration only: which dynamics (parallel if left out)"),
    ] = None
    solver: Annotated[
        Literal["picard", "anderson", "forward"] | None,
        Field(description="nmf only: relaxation (picard, if left out), accelerated, or one pass if J has no loops"),
    ] = None
    start: Annotated[
        Literal["paramagnet", "fields"] | Vectors,
        Field(description="start: no magnetisation, independent spins in their fields, or an array (site, component)"),
    ] = "paramagnet"
    steps: Annotated[int | None, Field(ge=0, description="none: steady state; a number: transient")] = None

    def theory(self) -> Any:
        """Return the method as a noun; an option that it does not have is refused, not ignored."""
        kind, options = THEORIES[self.method]
        given = {
            name: value
            for name in ("response", "variant", "update", "solver")
            if (value := getattr(self, name)) is not None
        }
        for name, value in given.items():
            if name not in options:
                fitting = [method for method, (_, known) in THEORIES.items() if name in known]
                raise invalid(
                    name, value, f"left out for method={self.method}", f"it belongs to method={'|'.join(fitting)}"
                )
        return kind(self.beta, **given)


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
    replicas: Annotated[
        int, Field(ge=1, description="independent copies; with 1, error bars come from blocks of time")
    ] = 16
    overrelaxation: Annotated[int, Field(ge=0, description="sequential only: overrelaxation sweeps per sweep")] = 0
    seed: Annotated[int, Field(ge=0, description="root seed; generated and stored if left out")]

    def motion(self) -> Any:
        """Return the dynamics as a noun."""
        import glassformer as gf

        if self.dynamics == "sequential":
            return gf.SequentialHeatBath(self.beta, overrelaxation=self.overrelaxation)
        if self.overrelaxation:
            raise invalid("overrelaxation", self.overrelaxation, "0 for dynamics=parallel", "use dynamics=sequential")
        return gf.ParallelHeatBath(self.beta)


def run_simulation(config: Any, dynamics: Any, context: RunContext) -> xr.Dataset:
    """Simulate the model of a configuration with its steps, burn_in, replicas and seed."""
    import glassformer as gf

    model = config.build()
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


def _simulate(config: SimulateConfig, part: dict[str, Any], context: RunContext) -> xr.Dataset:
    return run_simulation(config, config.motion(), context)


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

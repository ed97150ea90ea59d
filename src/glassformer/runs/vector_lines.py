"""`vector/at-line`, `vector/gabay-toulouse`, `vector/replica-symmetric`: where a vector glass freezes, at any D."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import Field

from glassformer._core._errors import invalid
from glassformer._core._status import Status
from glassformer.sweeps import FloatGrid, RunConfig, RunContext, RunSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import xarray as xr

    from glassformer.models import VectorGlass

Values = float | FloatGrid


class GlassConfig(RunConfig):
    """A law of vector spins with symmetric Gaussian couplings."""

    dim: Annotated[int, Field(ge=1, description="components per spin, D")]
    radius: Annotated[
        Literal["bal", "sqrt_d", "unit"] | float,
        Field(description="R^2 = D/2 - 1 (bal, needs D >= 3), R^2 = D (sqrt_d), R = 1 (unit), or the number R"),
    ] = "bal"
    coupling: Annotated[
        float,
        Field(gt=0, description="J: couplings have variance J^2 / N (with every bond counted once in the energy)"),
    ] = 1.0

    def glass(self, field_law: str, field: float = 0.0, coupling_mean: float = 0.0) -> VectorGlass:
        """Return the law."""
        import glassformer as gf

        law = gf.SherringtonKirkpatrick(scale=self.coupling, mean=coupling_mean)
        return gf.VectorGlass(law, dim=self.dim, radius=self.radius, field_law=field_law, field=field)


def solve_along(name: str, values: float | Sequence[float], solve: Callable[[float], xr.Dataset]) -> xr.Dataset:
    """Solve at one value (a result without dimension) or at several (along the dimension `name`); keep the worst status."""
    import xarray as xr

    if isinstance(values, int | float):
        found = solve(float(values))
        return found if name in found else found.assign({name: float(values)})
    results = [solve(float(value)) for value in values]
    coordinate = xr.DataArray(list(values), dims=name, name=name, attrs=results[0].get(name, xr.DataArray()).attrs)
    dropped = [one.drop_vars(name, errors="ignore") for one in results]
    dataset = xr.concat(dropped, dim=coordinate, combine_attrs="override", join="override")
    worst = max(results, key=lambda one: (Status(one.attrs["status"]).failed, not Status(one.attrs["status"]).good))
    dataset["critical_temperature"] = results[0]["critical_temperature"]  # the same for all
    dataset.attrs = dict(worst.attrs)
    if "residual" in dataset:
        dataset.attrs["residual"] = float(dataset["residual"].max())
    return dataset


class AtLineConfig(GlassConfig):
    """The de Almeida-Thouless line in a random field."""

    field: Annotated[
        Literal["gaussian", "sphere", "fixed"],
        Field(
            description="law of the field: gaussian (normal components) or sphere (random directions of one length, "
            "sqrt(D) field; fixed means the same)"
        ),
    ] = "gaussian"
    temperature: Annotated[
        Values | None,
        Field(description="T, a list or a range such as 0:1:lin50, up to T_c = J R^2 / D; left out, the whole line"),
    ] = None


def _at_line(config: AtLineConfig, part: dict[str, Any], context: RunContext) -> xr.Dataset:
    import glassformer as gf

    law = law_of(config.field)
    glass = config.glass(law)
    asked = config.temperature
    if asked is None:
        coldest = 0.0 if config.dim > 2 else 0.02  # the line goes to infinity for two components
        asked = tuple(float(t) * glass.critical_temperature for t in np.linspace(coldest, 1.0, 50))
    check_temperatures(asked, glass)
    dataset = solve_along("temperature", asked, lambda value: gf.solve(glass, gf.AlmeidaThouless(value), throw=False))
    return dataset.assign_attrs(describe(config, glass), field_law=law)


def law_of(word: str) -> str:
    """Return the name that `VectorGlass` has for a law of the field; ``fixed`` is an older word for ``sphere``."""
    return "sphere" if word == "fixed" else word


def check_temperatures(asked: float | Sequence[float], glass: VectorGlass) -> None:
    """Refuse a negative temperature by the name that the user typed."""
    for value in [asked] if isinstance(asked, int | float) else asked:
        if value < 0.0:
            raise invalid("temperature", value, f"a number from 0 to T_c = {glass.critical_temperature:.6g}")


def describe(config: GlassConfig, glass: VectorGlass) -> dict[str, Any]:
    """Return the settings that figures and expected numbers read."""
    radius = config.radius if isinstance(config.radius, str) else f"{config.radius:g}"
    return {"dim": config.dim, "radius": glass.r, "radius_convention": radius, "coupling": config.coupling}


class GabayToulouseConfig(GlassConfig):
    """The Gabay-Toulouse line in a uniform field."""

    dim: Annotated[int, Field(ge=2, description="components per spin, D")]
    field: Annotated[
        Values,
        Field(description="length of the uniform field (not per component), a list or a range such as 0:2:lin40"),
    ]


def _gabay_toulouse(config: GabayToulouseConfig, part: dict[str, Any], context: RunContext) -> xr.Dataset:
    import glassformer as gf

    glass = config.glass("uniform")

    def solve(value: float) -> xr.Dataset:
        found = gf.solve(glass, gf.GabayToulouse(value), throw=False).rename(field_per_site="field")
        found["field_per_component"] = found["field"] / math.sqrt(config.dim)
        found["field_per_component"].attrs["units"] = "energy / length, root mean square"
        return found

    return solve_along("field", config.field, solve).assign_attrs(describe(config, glass))


class ReplicaSymmetricConfig(GlassConfig):
    """The replica-symmetric solution at one or several temperatures."""

    temperature: Annotated[
        Values | None, Field(description="T > 0, a list or a range such as 0.1:2:lin40; or give beta")
    ] = None
    beta: Annotated[Values | None, Field(description="inverse temperature in place of temperature")] = None
    field_law: Annotated[
        Literal["gaussian", "sphere", "fixed", "uniform"],
        Field(
            description="gaussian (normal components), sphere (random directions of one length; fixed means the same) or "
            "uniform (one vector for all spins)"
        ),
    ] = "gaussian"
    field: Annotated[
        float, Field(ge=0, description="root mean square of the field per component; its length is sqrt(D) times that")
    ] = 0.0
    coupling_mean: Annotated[float, Field(description="J_0: couplings have mean J_0 / N (dim=1 only)")] = 0.0


def _replica_symmetric(config: ReplicaSymmetricConfig, part: dict[str, Any], context: RunContext) -> xr.Dataset:
    import glassformer as gf

    glass = config.glass(law_of(config.field_law), config.field, config.coupling_mean)
    if (config.temperature is None) == (config.beta is None):
        raise invalid("temperature", config.temperature, "given, unless beta is", "pass one of temperature=, beta=")

    def at_beta(beta: float) -> xr.Dataset:
        return gf.solve(glass, gf.ReplicaSymmetric(beta), throw=False)

    def at_temperature(value: float) -> xr.Dataset:
        if value <= 0.0:
            raise invalid("temperature", value, "a number > 0", "for zero temperature pass a small one, such as 1e-6")
        return at_beta(1.0 / value)

    if config.beta is not None:
        dataset = solve_along("beta", config.beta, at_beta)
    else:
        assert config.temperature is not None
        dataset = solve_along("temperature", config.temperature, at_temperature)
    dataset["field"] = config.field
    dataset["field_per_site"] = glass.field_per_site
    return dataset.assign_attrs(describe(config, glass))


AT_LINE = RunSpec(
    name="vector/at-line",
    summary="The de Almeida-Thouless line of D-component spins: the random field below which replica symmetry breaks.",
    config=AtLineConfig,
    compute=_at_line,
    plot="glassformer.plotting.phases:at_line_figure",
    citations=("almeida1978", "sharma2010", "glassformer"),
    long_help=(
        "field is the root mean square per component, field_per_site the length sqrt(D) field. Couplings whose bonds are "
        "counted twice in the energy (J_ij and J_ji independent, of variance J0^2 / N) have coupling = sqrt(2) J0."
    ),
)
GABAY_TOULOUSE = RunSpec(
    name="vector/gabay-toulouse",
    summary="The Gabay-Toulouse line: the temperature at which the transverse components freeze in a uniform field.",
    config=GabayToulouseConfig,
    compute=_gabay_toulouse,
    plot="glassformer.plotting.phases:gabay_toulouse_figure",
    citations=("gabay1981", "glassformer"),
    long_help="field is the length of the uniform field vector; the component of the spins along it is ordered anyway.",
)
REPLICA_SYMMETRIC = RunSpec(
    name="vector/replica-symmetric",
    summary="The replica-symmetric solution of D-component spins: overlap, energy, entropy, stability.",
    config=ReplicaSymmetricConfig,
    compute=_replica_symmetric,
    plot="glassformer.plotting.phases:replica_symmetric_figure",
    citations=("sherrington1975", "almeida1978", "glassformer"),
    long_help="Where the replicon is negative replica symmetry is broken, and the status says out_of_range.",
)

"""`sk/at-line`: where replica symmetry breaks in the Sherrington-Kirkpatrick model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import Field

from glassformer._core._errors import invalid
from glassformer.runs.vector_lines import Values, check_temperatures, solve_along
from glassformer.sweeps import RunConfig, RunContext, RunSpec

if TYPE_CHECKING:
    import xarray as xr


class SkLineConfig(RunConfig):
    """Ising spins, uniform field H or ferromagnetic mean J_0 of the couplings."""

    temperature: Annotated[
        Values | None,
        Field(
            description="T, a list or a range such as 0.1:1:lin19, up to J; gives field and coupling_mean on the line"
        ),
    ] = None
    coupling_mean: Annotated[
        Values | None, Field(description="J_0 >= J in place of temperature; gives the temperature on the line at H = 0")
    ] = None
    field: Annotated[
        Values | None, Field(description="H in place of temperature; gives the temperature on the line in this field")
    ] = None
    coupling: Annotated[float, Field(gt=0, description="J: couplings have variance J^2 / N and mean J_0 / N")] = 1.0


def _at_line(config: SkLineConfig, part: dict[str, Any], context: RunContext) -> xr.Dataset:
    import glassformer as gf

    def glass(mean: float = 0.0, field: float = 0.0) -> gf.VectorGlass:
        law = gf.SherringtonKirkpatrick(scale=config.coupling, mean=mean)
        return gf.VectorGlass(law, dim=1, radius="unit", field_law="uniform", field=field)

    def at_temperature(value: float) -> xr.Dataset:
        return gf.solve(glass(), gf.AlmeidaThouless(value), throw=False)

    def at_mean(value: float) -> xr.Dataset:
        if value < config.coupling:
            raise invalid(
                "coupling_mean",
                value,
                f"at least J = {config.coupling:g}",
                "below it there is no ferromagnet, and the glass borders the paramagnet at T = J",
            )
        found = gf.solve(glass(value), gf.AlmeidaThouless(), throw=False)
        internal = (found["coupling_mean"] * found["magnetization"]).assign_attrs(found["field"].attrs)
        return found.assign(field=internal)  # J_0 m, the field that would do the same without a mean

    def in_field(value: float) -> xr.Dataset:
        if value < 0.0:
            raise invalid("field", value, "a number >= 0")
        return gf.solve(glass(field=value), gf.AlmeidaThouless(), throw=False)

    given = {name: getattr(config, name) for name in ("temperature", "coupling_mean", "field")}
    first, *others = [name for name, value in given.items() if value is not None] or ["temperature"]
    if others:
        raise invalid(others[0], given[others[0]], f"left out when {first} is given", "each follows from the other")
    if config.field is not None:
        dataset = solve_along("field", config.field, in_field)
    elif config.coupling_mean is not None:
        dataset = solve_along("coupling_mean", config.coupling_mean, at_mean)
    else:
        asked = config.temperature
        if asked is None:
            asked = tuple(config.coupling * np.linspace(0.02, 1.0, 50))
        check_temperatures(asked, glass())
        dataset = solve_along("temperature", asked, at_temperature)
    return dataset.drop_vars("field_per_site").assign_attrs(coupling=config.coupling)


AT_LINE = RunSpec(
    name="sk/at-line",
    summary="The de Almeida-Thouless line of the Sherrington-Kirkpatrick model, in a field or inside the ferromagnet.",
    config=SkLineConfig,
    compute=_at_line,
    plot="glassformer.plotting.phases:sk_line_figure",
    citations=("almeida1978", "glassformer"),
    long_help=(
        "One point of the line is both: replica symmetry breaks in the field H, and, without field, in a ferromagnet of "
        "mean coupling J_0 with J_0 m = H. So each of temperature, field and coupling_mean gives the two others."
    ),
)

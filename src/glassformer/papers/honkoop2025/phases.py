"""B. Honkoop, Statistical Physics of Transformers, MSc thesis, Leiden 2025: the phase diagrams of Figs. 2.3 and 2.4."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from glassformer.sweeps import Expected, FloatGrid, RunConfig, RunContext, RunSpec

if TYPE_CHECKING:
    import xarray as xr


class PhasesConfig(RunConfig):
    """The Sherrington-Kirkpatrick model, energies in units of J."""

    temperatures: FloatGrid = Field(
        tuple(float(t) for t in np.linspace(0.05, 1.0, 20).round(12)), description="T / J, above 0 and up to 1"
    )


def _phases(config: PhasesConfig, part: dict[str, Any], context: RunContext) -> xr.Dataset:
    import glassformer as gf
    from glassformer.runs.vector_lines import check_temperatures, solve_along

    def glass(mean: float = 0.0) -> gf.VectorGlass:
        return gf.VectorGlass(gf.SherringtonKirkpatrick(mean=mean), dim=1, radius="unit", field_law="uniform")

    def point(temperature: float) -> xr.Dataset:
        line = gf.solve(glass(), gf.AlmeidaThouless(temperature))
        mean = float(line["coupling_mean"])
        # the same point by another route: the ferromagnet without a field
        ferromagnet = gf.solve(glass(mean), gf.ReplicaSymmetric(1.0 / temperature), throw=False)
        line["identity_gap"] = abs(mean * ferromagnet["magnetization"] - line["field"])
        line["overlap_gap"] = abs(ferromagnet["overlap"] - line["overlap"])
        # the replica-symmetric border of ferromagnet and glass: the susceptibility (1 - q) / T times J_0 is 1
        cold = gf.solve(glass(), gf.ReplicaSymmetric(1.0 / temperature), throw=False)
        line["coupling_mean_symmetric"] = temperature / (1.0 - cold["overlap"])
        return line.drop_vars("field_per_site")

    check_temperatures(config.temperatures, glass())
    dataset = solve_along("temperature", config.temperatures, point)
    for name in ("identity_gap", "overlap_gap"):
        dataset[name] = dataset[name].max()
    return dataset


_AT = "de Almeida and Thouless 1978, computed here"
_IDENTITY = "J_0 m = H on the line"

SK_PHASE_DIAGRAMS = RunSpec(
    name="honkoop2025/sk-phase-diagrams",
    summary="Figs. 2.3, 2.4: phases of the Sherrington-Kirkpatrick model against ferromagnetic mean and field",
    config=PhasesConfig,
    compute=_phases,
    scales={
        "quick": {},
        "paper": {"temperatures": tuple(float(t) for t in np.linspace(0.0125, 1.0, 80).round(12))},
    },
    plot="glassformer.plotting.phases:phase_diagrams_figure",
    citations=("honkoop2025", "sherrington1975", "almeida1978", "glassformer"),
    expected=(
        *(
            Expected("field", value, 6e-5, _AT, select={"temperature": temperature})
            for temperature, value in (
                (0.2, 1.3819),
                (0.4, 0.7945),
                (0.5, 0.5699),
                (0.6, 0.3827),
                (0.8, 0.1176),
                (0.9, 0.0388),
            )
        ),
        Expected("coupling_mean", 1.2204, 6e-5, _AT, select={"temperature": 0.5}),
        Expected("coupling_mean", 1.0094, 6e-5, _AT, select={"temperature": 0.9}),
        Expected("magnetization", 0.467, 6e-4, _AT, select={"temperature": 0.5}),
        Expected("overlap", 0.641, 6e-4, _AT, select={"temperature": 0.5}),
        Expected("identity_gap", 0.0, 1e-8, _IDENTITY),
        Expected("overlap_gap", 0.0, 1e-8, _IDENTITY),
    ),
    notes=(
        "The replica-symmetric border of ferromagnet and glass bends to J_0 = sqrt(pi/2) J at T = 0; with replica symmetry "
        "broken it is the vertical line J_0 = J (Toulouse 1980), and both are drawn."
    ),
)

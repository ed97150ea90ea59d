"""Extended-context kinetic models: entropy production over all covariances that give one stationary correlation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from glassformer.papers.zavatone2025._common import example, scaled_deviation
from glassformer.sweeps import Expected, FloatGrid, RunConfig, RunContext, RunSpec

if TYPE_CHECKING:
    import xarray as xr

_SUMS = {"example": (1.5, 0.5, -0.1), "long memory": (1.5, 0.9, 0.35)}
_SIMULATED = (0.5, 1.0, 2.0, 3.0)
_MEMBERS = ("minimum phase", "maximum phase", "largest determinant", "Toeplitz")


class IrreversibilityConfig(RunConfig):
    """Three lags, Ising rule."""

    betas: FloatGrid = Field((0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.5, 6.0, 8.0), description="inverse temperatures")
    beta: float = Field(1.0, gt=0, description="inverse temperature of the maps")
    points: int = Field(121, ge=11, description="values of each diagonal entry on the maps")
    n: int = Field(300, ge=10, description="sites of the simulations")
    draws: int = Field(8, ge=2, description="draws of the couplings; error bars are over them")
    steps: int = Field(200, ge=20, description="measured steps")
    seed: int = Field(1, ge=0, description="root seed of couplings and tokens")


def _irreversibility(config: IrreversibilityConfig, part: dict[str, Any], context: RunContext) -> xr.Dataset:
    import xarray as xr

    import glassformer as gf
    from glassformer.theory.dmft._solution import solve_stationary

    first = np.linspace(0.0, 1.0, config.points)  # in units of g_0, the trace
    maps: list[Any] = []
    correlation: list[Any] = []
    member: list[Any] = []
    place: list[Any] = []
    lowest, highest = np.empty((2, len(_SUMS), len(config.betas)))
    for i, sums in enumerate(np.array(list(_SUMS.values()))):
        ends = _interval(sums, sums[0] * first[:, None], sums[0] * first[None, :])
        members = [_member(sums, name) for name in _MEMBERS]
        place.append([[gamma[0, 0] / sums[0], gamma[2, 2] / sums[0]] for gamma in members])
        rows = []
        for j, beta in enumerate((config.beta, *config.betas)):
            found = solve_stationary(sums, gf.TokenRule("ising", beta=beta))
            # affine in the covariance, so that four of them give all
            offset = _production(_covariance(sums, 0.0, 0.0, 0.0), found)
            rates = [_production(_covariance(sums, *unit), found) - offset for unit in np.eye(3)]
            plane = offset + sums[0] * (rates[0] * first[:, None] + rates[1] * first[None, :])
            if j == 0:
                maps.append(plane + rates[2] * 0.5 * (ends[0] + ends[1]))
                correlation.append(found.lags(6))
                continue
            edges = np.stack([plane + rates[2] * end for end in ends])
            rows.append([_production(gamma, found) for gamma in members])
            lowest[i, j - 1] = min(np.nanmin(edges), *rows[-1])  # the corners are members
            highest[i, j - 1] = max(np.nanmax(edges), *rows[-1])
        member.append(np.transpose(rows))
    at_example = [
        gf.solve(example(), gf.StationaryDMFT(gf.TokenRule("ising", beta=beta)))["entropy_production"].item()
        for beta in config.betas
    ]
    simulated = _simulations(config, context)
    dataset = xr.Dataset(
        {
            "entropy_production": (("law", "first", "last"), np.array(maps)),
            "autocorrelation": (("law", "lag"), np.array(correlation)),
            "entropy_production_lowest": (("law", "beta"), lowest),
            "entropy_production_highest": (("law", "beta"), highest),
            "entropy_production_member": (("law", "member", "beta"), np.array(member)),
            "entropy_production_example": ("beta", at_example),
            "entropy_production_simulation": (("phase", "beta_simulated"), simulated[0]),
            "entropy_production_simulation_error": (("phase", "beta_simulated"), simulated[1]),
            "entropy_production_simulation_unit": (("phase", "beta_simulated"), simulated[3]),
            "member_first": (("law", "member"), np.array(place)[:, :, 0]),
            "member_last": (("law", "member"), np.array(place)[:, :, 1]),
        },
        coords={"law": list(_SUMS), "member": list(_MEMBERS), "beta": list(config.betas)},
        attrs={
            "averages_over": "infinitely many sites; simulations: draws of the couplings",
            "beta": config.beta,
            "n": config.n,
        },
    ).assign_coords(
        first=first, last=first, lag=np.arange(7), phase=list(_MEMBERS[:2]), beta_simulated=list(_SIMULATED)
    )
    for name in dataset.variables:
        if str(name).startswith("entropy"):
            dataset[name].attrs["units"] = "nats per step and site"
    width = dataset["entropy_production_highest"] - dataset["entropy_production_lowest"]
    deviation = scaled_deviation(simulated[0] / simulated[2] - 1.0, simulated[1] / simulated[2], config.n)
    dataset["simulation_deviation"] = ((), deviation.max(), {"units": "standard errors, with the shift of finite size"})
    unit = dataset["entropy_production_member"].sel(member="largest determinant", drop=True)
    dataset["relative_range"] = (width / unit).max("beta").assign_attrs(units="of that of the largest determinant")
    return dataset


def _simulations(config: IrreversibilityConfig, context: RunContext) -> Any:
    """Return mean, standard error, theory and that of the largest determinant for two members: (which, phase, beta)."""
    import glassformer as gf

    sums = np.array(_SUMS["long memory"])
    central = gf.LaggedGaussian(_member(sums, "largest determinant"))
    found = np.empty((4, 2, len(_SIMULATED)))
    for i, name in enumerate(_MEMBERS[:2]):
        law = gf.LaggedGaussian(_member(sums, name))
        for j, beta in enumerate(_SIMULATED):
            rule = gf.TokenRule("ising", beta=beta)
            measured = gf.simulate(
                law, rule, n=config.n, draws=config.draws, steps=config.steps, replicas=2, burn_in=60, seed=config.seed
            )
            theory, unit = (gf.solve(one, gf.StationaryDMFT(rule)) for one in (law, central))
            rows = (measured["entropy_production_per_spin"], measured["entropy_production_per_spin_error"])
            found[:, i, j] = [
                float(x) for x in (*rows, *(one["entropy_production_per_spin"] for one in (theory, unit)))
            ]
            context.progress(i * len(_SIMULATED) + j + 1, 2 * len(_SIMULATED))
    return found


def _production(covariance: Any, found: Any) -> float:
    from glassformer.theory.dmft._information import entropy_production

    value = entropy_production(covariance, found)
    assert value is not None  # the temperature is finite
    return value


def _covariance(sums: Any, first: float, last: float, beside: float) -> Any:
    """Return the matrix with these diagonal sums, diagonal ends, and entry (1, 2)."""
    middle, other = sums[0] - first - last, sums[1] - beside
    return np.array([[first, beside, sums[2]], [beside, middle, other], [sums[2], other, last]])


def _interval(sums: Any, first: Any, last: Any) -> Any:
    """Return the ends of the interval of entries (1, 2) for which the matrix is a covariance; NaN where there is none.

    The outer lags alone must be a covariance; then the rest is the sign of the determinant, which is concave in the entry.
    """
    g0, g1, g2 = sums
    bend = first + last + 2.0 * g2
    centre = g1 * (first + g2)
    height = first * last * (g0 - first - last) - first * g1**2 - (g0 - first - last) * g2**2
    inner = centre**2 + bend * height
    good = (first * last > g2**2 + 1e-9 * g0**2) & (first + last <= g0) & (bend > 0.0) & (inner >= 0.0)
    root = np.sqrt(np.where(good, inner, np.nan))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.stack([(centre - root) / bend, (centre + root) / bend])


def _member(sums: Any, name: str) -> Any:
    from glassformer.couplings import _realisations

    if name == "largest determinant":
        return _realisations.max_det(sums)
    if name == "Toeplitz":
        return _realisations.toeplitz(sums)
    gamma = _realisations.rank_one(sums, phase=name[:3])
    return np.outer(gamma, gamma)


_DERIVED = "derived here"


def _produced(value: float, beta: float) -> Expected:
    return Expected("entropy_production_example", value, 1e-9, _DERIVED, select={"beta": beta})


def _of(member: str, value: float) -> Expected:
    return Expected(
        "entropy_production_member", value, 6e-6, _DERIVED, select={"law": "example", "member": member, "beta": 1.0}
    )


def _end(end: str, law: str, value: float) -> Expected:
    """Return an extreme over all covariances, found by semidefinite optimisation instead of the grid."""
    return Expected(f"entropy_production_{end}", value, 5e-4, "optimised here", select={"law": law, "beta": 1.0})


IRREVERSIBILITY = RunSpec(
    name="zavatone2025/irreversibility",
    summary="Entropy production over all covariances of three lags with one and the same stationary correlation",
    config=IrreversibilityConfig,
    compute=_irreversibility,
    scales={"quick": {}, "paper": {"betas": tuple(np.linspace(0.25, 8.0, 32).tolist()), "points": 601, "n": 1000}},
    plot="glassformer.plotting.zavatone_memory:irreversibility_figure",
    citations=("zavatone2025", "glassformer"),
    expected=(
        _produced(0.3049353680, 0.5),
        _produced(0.8713401966, 1.0),
        _produced(3.1396176806, 3.0),
        _of("minimum phase", 0.87338),
        _of("maximum phase", 0.86782),
        # the largest of eight, in units of sqrt(var / draws + (2 x / N)^2); of eight draws, so with heavy tails
        Expected("simulation_deviation", 0.0, 5.0, "simulation"),
        _end("lowest", "example", 0.867131),
        _end("highest", "example", 0.875295),
        _end("lowest", "long memory", 0.861570),
        _end("highest", "long memory", 0.974190),
    ),
    notes="An extension: stationary correlations depend on the diagonal sums alone, entropy production does not.",
)

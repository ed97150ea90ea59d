"""Extended-context kinetic models: where the Gaussian rule with two lags is stable, and the eigenvalues of one draw."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from glassformer.sweeps import Expected, RunConfig, RunContext, RunSpec

if TYPE_CHECKING:
    import xarray as xr

_GAMMA = np.array([[0.30, 0.15], [0.15, 0.25]])  # of the draw whose eigenvalues are shown
_EDGE = 1.1  # half width of the picture of the eigenvalues


class StabilityConfig(RunConfig):
    """Two lags, Gaussian rule."""

    points: int = Field(101, ge=5, description="diagonal sums g_0 on the map, and g_1")
    g0_max: float = Field(1.25, gt=0, description="largest g_0 on the map")
    n: int = Field(200, ge=2, description="sites of that draw")
    seed: int = Field(1, ge=0, description="root seed of that draw")


def _stability(config: StabilityConfig, part: dict[str, Any], context: RunContext) -> xr.Dataset:
    import xarray as xr

    import glassformer as gf
    from glassformer.theory.dmft._aging import growth_factor
    from glassformer.theory.dmft._solution import solve_stationary
    from glassformer.theory.exact._context_gaussian import companion

    rule = gf.TokenRule("gaussian")
    g0 = np.linspace(0.0, config.g0_max, config.points)
    g1 = np.linspace(-0.5 * config.g0_max, 0.5 * config.g0_max, config.points)
    largest = g0[:, None] + 2.0 * np.abs(g1)  # max G
    feasible = 2.0 * np.abs(g1) <= g0[:, None] + 1e-12
    stable = feasible & (largest < 1.0 - 1e-9)
    time, root = np.full(stable.shape, np.nan), np.zeros(stable.shape)
    for i, j in zip(*np.nonzero(stable)):
        solved = solve_stationary([g0[i], g1[j]], rule)
        time[i, j], root[i, j] = solved.correlation_time, solved.root.real

    law = gf.LaggedGaussian(_GAMMA)
    solved = solve_stationary(law.diagonal_sums, rule)
    values = np.linalg.eigvals(companion(law.sample(n=config.n, seed=config.seed).matrices))
    axis = np.linspace(-_EDGE, _EDGE, 221)
    z = axis[None, :] + 1j * axis[:, None]
    return xr.Dataset(
        {
            "correlation_time": (("g0", "g1"), time, {"units": "steps; NaN where there is no stationary state"}),
            "feasible": (("g0", "g1"), feasible),
            "stable": (("g0", "g1"), stable),
            "closed_form_gap": np.abs(root - np.where(stable, _closed_form(g0[:, None], g1, stable), 0.0)).max(),
            "example_g0": law.diagonal_sums[0],
            "example_g1": law.diagonal_sums[1],
            "slowest_root": solved.root.real,
            "criticality": solved.criticality,
            "square": solved.correlation[0],
            "support": (("imaginary", "real"), _support(law.covariance, z)),
            "eigenvalue_real": ("eigenvalue", values.real),
            "eigenvalue_imaginary": ("eigenvalue", values.imag),
            "spectral_radius": growth_factor(law),
            "negative_edge": -_negative_edge(law.covariance),
            "largest_modulus": np.abs(values).max(),
            "most_negative_real": values.real.min(),
            "fraction_outside": np.mean(_support(law.covariance, values) < 1.0),
        },
        coords={"g0": g0, "g1": g1, "real": axis, "imaginary": axis},
        attrs={"averages_over": "one draw", "n": config.n},
    )


def _closed_form(g0: Any, g1: Any, stable: Any) -> Any:
    r"""Return :math:`r=(1-g_0-\Delta)/2g_1`, :math:`\Delta^2=(1-g_0)^2-4g_1^2`, without its cancellation."""
    rest = np.where(stable, 1.0 - g0, 2.0)
    both = np.where(stable, 2.0 * g1, 0.0)
    return both / (rest + np.sqrt(rest**2 - both**2))


def _support(gamma: Any, z: Any) -> Any:
    r"""Return :math:`\Gamma(z)=\sum_{kk'}\Gamma_{kk'}z^{-k}\bar z^{-k'}`; eigenvalues lie where it is at least 1."""
    powers = np.maximum(np.abs(z), 1e-3) * np.exp(1j * np.angle(z))
    lagged = powers[..., None] ** -np.arange(1.0, gamma.shape[0] + 1)
    return np.einsum("...k,kl,...l->...", lagged, gamma, lagged.conj()).real


def _negative_edge(gamma: Any) -> float:
    """Return how far the edge reaches on the negative axis: the function decreases with the distance from 0."""
    from scipy.optimize import brentq

    return float(brentq(lambda radius: float(_support(gamma, np.array(-radius))) - 1.0, 1e-2, 10.0, xtol=1e-13))


_DRAW = "edge of infinite size"
_CLOSED = "closed form of two lags"
STABILITY = RunSpec(
    name="zavatone2025/stability",
    summary="Two lags, Gaussian rule: feasible wedge, stable triangle, correlation time, eigenvalues of one draw",
    config=StabilityConfig,
    compute=_stability,
    scales={"quick": {}, "paper": {"points": 241, "n": 1000}},
    plot="glassformer.plotting.zavatone:stability_figure",
    citations=("zavatone2025", "glassformer"),
    expected=(
        Expected("closed_form_gap", 0.0, 1e-10, _CLOSED),
        Expected("slowest_root", (3.0 - np.sqrt(5.0)) / 2.0, 1e-10, _CLOSED),
        Expected("spectral_radius", 0.9466, 5e-5, "derived here"),
        Expected("negative_edge", -0.6532, 5e-5, "derived here"),
        # eight draws of 200 sites: 0.950 ± 0.014 and -0.656 ± 0.013; a fiftieth to a thirtieth of them is outside
        Expected("largest_modulus", 0.9466, 0.06, _DRAW, when={"n": 200}),
        Expected("most_negative_real", -0.6532, 0.06, _DRAW, when={"n": 200}),
        Expected("fraction_outside", 0.0, 0.06, _DRAW, when={"n": 200}),
        Expected("largest_modulus", 0.9466, 0.025, _DRAW, when={"n": 1000}, scale="paper"),
        Expected("fraction_outside", 0.0, 0.03, _DRAW, when={"n": 1000}, scale="paper"),
        Expected("square", 1.0 / np.sqrt(0.45**2 - 0.3**2), 1e-8, _CLOSED),
    ),
    notes="Derived here; the spectral edge of the unnormalised linear rule is where Gamma(z) = 1.",
)

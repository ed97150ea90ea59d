"""Extended-context kinetic models: the spherical rule, whose memory grows as beta and which ages at zero temperature."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from glassformer.runs.context import EXAMPLE
from glassformer.sweeps import Expected, FloatGrid, RunConfig, RunContext, RunSpec

if TYPE_CHECKING:
    import xarray as xr

_SUMS = {"two lags": (1.2, 0.3), "three lags": tuple(float(np.trace(EXAMPLE, offset=d)) for d in range(3))}
_AGING = np.array([[0.7, 0.3], [0.3, 0.5]])
_REACH = 1.8  # delays up to this many square roots of the waiting time


class SphericalConfig(RunConfig):
    """Tokens on a sphere."""

    betas: FloatGrid = Field((0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0), description="inverse temperatures")
    waiting_times: tuple[int, ...] = Field((40, 80, 160, 320), min_length=2, description="ages of the aging curves")


def _spherical(config: SphericalConfig, part: dict[str, Any], context: RunContext) -> xr.Dataset:
    import xarray as xr

    import glassformer as gf
    from glassformer.theory.dmft._solution import solve_stationary

    time = np.empty((len(_SUMS), len(config.betas)))
    for i, sums in enumerate(_SUMS.values()):
        for j, beta in enumerate(config.betas):
            time[i, j] = solve_stationary(sums, gf.TokenRule("spherical", beta=beta)).correlation_time
            context.progress(i * len(config.betas) + j, 2 * len(_SUMS) * len(config.betas))

    law = gf.LaggedGaussian(_AGING)
    last = max(config.waiting_times)
    points = np.arange(41) / 40.0
    delay = np.array([np.round(points * _REACH * math.sqrt(age)) for age in config.waiting_times]).astype(int)
    rule = gf.TokenRule("spherical", beta=math.inf)
    steps = max(170, last + int(delay.max()))
    whole = gf.solve(law, gf.TransientDMFT(rule, steps=steps, start="independent"))["two_time_correlation"]
    late = gf.solve(law, gf.Aging(rule, waiting_times=config.waiting_times, lags=int(delay.max())))
    age = np.array(config.waiting_times)
    later = xr.DataArray(age[:, None] + delay, dims=("waiting_time", "point"))
    curve = whole.sel(time=later, time_=xr.DataArray(age, dims="waiting_time")).values
    form = late["two_time_correlation"].sel(lag=xr.DataArray(delay, dims=("waiting_time", "point"))).values
    dataset = xr.Dataset(
        {
            "correlation_time": (("law", "beta"), time),
            "slope": ("law", time[:, -1] / config.betas[-1]),
            "slope_limit": ("law", [_slope(np.array(sums)) for sums in _SUMS.values()]),
            "delay": (("waiting_time", "point"), delay),
            "two_time_correlation": (("waiting_time", "point"), curve),
            "aging_form": (("waiting_time", "point"), form),
            "aging_constant": float(late["aging_constant"]),
            "correlation_170_160": float(whole.sel(time=170, time_=160)),
        },
        coords={"law": list(_SUMS), "beta": list(config.betas), "waiting_time": list(config.waiting_times)},
        attrs={"averages_over": "infinitely many sites"},
    )
    dataset["aging_gap"] = abs(dataset["two_time_correlation"] - dataset["aging_form"]).max("point")
    dataset["aging_gap_latest"] = dataset["aging_gap"].sel(waiting_time=last)
    for name in ("correlation_time", "slope", "slope_limit", "delay", "aging_constant"):
        dataset[name].attrs["units"] = "steps"
    for name in ("two_time_correlation", "aging_form", "correlation_170_160", "aging_gap", "aging_gap_latest"):
        dataset[name].attrs["units"] = "s.s / N"
    return dataset


def _slope(sums: Any) -> float:
    r"""Return the limit of :math:`\tau_c/\beta` for a spectrum with its maximum at frequency 0.

    Near it :math:`1-xG=\epsilon+\frac12x|G''|\omega^2`, so that :math:`\lambda=1/\sqrt{2\epsilon x|G''|}`, the rate of decay
    is :math:`\sqrt{2\epsilon/x|G''|}=1/(\lambda x|G''|)`, and :math:`\lambda=\beta/\sqrt x` with :math:`x\to1/\max G`.
    """
    maximum = sums[0] + 2.0 * np.sum(sums[1:])
    curvature = 2.0 * np.sum(np.arange(len(sums)) ** 2 * sums)
    return float(curvature / math.sqrt(maximum))


_CLOSED = "closed form of two lags"
_DERIVED = "derived here"
_MANY = tuple(sorted({*np.geomspace(0.1, 1000.0, 49).tolist(), 1.0, 2.0, 5.0, 20.0}))
SPHERICAL = RunSpec(
    name="zavatone2025/spherical",
    summary="Spherical rule: correlation time against inverse temperature, and aging at zero temperature",
    config=SphericalConfig,
    compute=_spherical,
    scales={
        "quick": {},
        "paper": {"betas": _MANY, "waiting_times": (40, 160, 640, 2560)},
    },
    plot="glassformer.plotting.zavatone_memory:spherical_figure",
    citations=("zavatone2025", "glassformer"),
    expected=(
        *(
            Expected("correlation_time", value, 6e-4, _CLOSED, select={"law": "two lags", "beta": beta})
            for beta, value in ((1.0, 0.559), (2.0, 0.971), (5.0, 2.272), (20.0, 8.954))
        ),
        Expected("slope", 0.6 / math.sqrt(1.8), 1e-3, _DERIVED, select={"law": "two lags"}),
        Expected("correlation_170_160", 0.26941, 6e-6, _DERIVED),
        Expected("aging_constant", 0.2307692, 6e-8, _DERIVED),
        Expected("aging_gap_latest", 0.0, 6e-4, _DERIVED),
    ),
    notes="Derived here: the linear growth of the correlation time and the form of the aging curves.",
)

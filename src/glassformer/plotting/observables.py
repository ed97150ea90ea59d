"""Specific heat and autocorrelation time against inverse temperature: H25, text of B.3."""

from __future__ import annotations

from typing import Any

import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from glassformer.plotting._style import COLORS, panels, style


def observables_figure(dataset: xr.Dataset) -> Figure:
    """Draw the figure of `honkoop2025/observables` in the mode in which it was run."""
    with style():
        figure, axes = panels(2)
        (_legacy if dataset.attrs["mode"] == "legacy" else _correct)(axes[0], axes[1], dataset)
        for ax in axes:
            ax.set(xscale="log", xlabel="inverse temperature β")
        attrs = dataset.attrs
        text = f"N = {attrs['n']}, D = {attrs['dim']}, field strength {attrs['strength']:g}"
        figure.suptitle(text, fontsize=9, x=0.01, ha="left")
        return figure


def _points(ax: Axes, dataset: xr.Dataset, name: str, **look: Any) -> None:
    values, errors = dataset[name].values, dataset[f"{name}_error"].values
    ax.errorbar(dataset["beta"].values, values, yerr=errors, ms=4, mfc="none", lw=1, capsize=2, **look)


def _correct(heat: Axes, times: Axes, dataset: xr.Dataset) -> None:
    beta = dataset["beta"].values
    color = COLORS["saddle_point"]
    heat.plot(beta, dataset["specific_heat_large_d"], color=color, lw=2, label="saddle point, D → ∞", zorder=1)
    _points(heat, dataset, "specific_heat_derivative", fmt="s", color="#D55E00", label="dU/dT")
    _points(heat, dataset, "specific_heat_reweighted", fmt="x", color="#0072B2", label="reweighted")
    _points(heat, dataset, "specific_heat", fmt="o", color="black", label="β² Var(E) / N")
    for name, dash, label in (("spherical", ":", "D / 2"), ("cold", "--", "(D − 1) / 2")):
        heat.axhline(float(dataset[f"specific_heat_{name}"]), color="0.6", lw=1, ls=dash, label=label, zorder=0)
    heat.set(title="(a) specific heat per spin", ylim=(0, None))
    heat.legend(fontsize=7)
    _points(times, dataset, "autocorrelation_time", fmt="o-", color="black")
    times.set(title="(b) autocorrelation time of the energy, sweeps", ylim=(0, None))
    times.axhline(0.5, color="0.6", lw=1, ls=":")


def _legacy(variances: Axes, times: Axes, dataset: xr.Dataset) -> None:
    looks = (
        ("", "o-", "black", "published step, all records"),
        ("_quarter", "s-", "#D55E00", "the same, first quarter"),
        ("_equilibrium", "x-", "#0072B2", "the same law, wide steps"),
    )
    for suffix, mark, color, label in looks:
        _points(variances, dataset, f"alignment_variance{suffix}", fmt=mark, color=color, label=label)
        _points(times, dataset, f"autocorrelation_time{suffix}", fmt=mark, color=color)
    variances.set(yscale="log", title="(a) variance of the alignment")
    variances.legend(fontsize=7)
    times.set(yscale="log", title="(b) its autocorrelation time, moves")

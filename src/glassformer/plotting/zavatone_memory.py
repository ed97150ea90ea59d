"""Figures of extended-context models: memory of the spherical rule, entropy production at one correlation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from glassformer.plotting._style import panels, series_colors, style

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

_BLUE, _RED, _GREEN, _PINK = "#0072B2", "#D55E00", "#009E73", "#CC79A7"


def spherical_figure(dataset: xr.Dataset) -> Figure:
    """Draw the correlation time against inverse temperature, and aging curves against scaled delay."""
    with style():
        figure, axes = panels(2, width=4.5, height=3.5)
        ax, aging = axes
        beta = dataset["beta"].values
        for color, law in zip((_BLUE, _RED), dataset["law"].values):
            time = dataset["correlation_time"].sel(law=law)
            ax.plot(beta, time, color=color, label=str(law))
            slope = float(dataset["slope_limit"].sel(law=law))
            ax.plot(beta, slope * beta, color=color, lw=0.9, ls="--", label=f"{slope:.3f} β")
        ax.set(xscale="log", yscale="log", xlabel="inverse temperature β", ylabel="correlation time")
        ax.set_title("finite temperature: memory grows as β")
        ax.legend()
        ages = dataset["waiting_time"].values
        for color, age in zip(series_colors(len(ages)), ages):
            own = dataset.sel(waiting_time=age)
            scaled = own["delay"] / np.sqrt(age)
            aging.plot(scaled, own["two_time_correlation"], color=color, label=f"$t_w$ = {age}")
        x = np.linspace(0.0, float((dataset["delay"] / np.sqrt(dataset["waiting_time"])).max()), 200)
        spread = float(dataset["spread"])
        aging.plot(x, np.exp(-(x**2) / (2 * spread)), "k:", lw=1.3, label="exp(−x²/2D), $t_w$ → ∞")
        aging.set(xlabel="x = τ / √$t_w$", ylabel="$C(t_w + τ, t_w)$", ylim=(-0.03, 1.03))
        aging.set_title("zero temperature: aging")
        aging.legend(loc="upper right")
        return figure

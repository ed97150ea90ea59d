"""Figures of exact small extended-context models and of corpora."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from glassformer.plotting._style import COLORS, panels, style


def exact_figure(dataset: xr.Dataset) -> Figure:
    """Draw autocorrelation against lag and the mean of every site, or the two-time correlation of a transient."""
    if "two_time_correlation" in dataset:
        return _transient_figure(dataset)
    attrs = dataset.attrs
    with style():
        figure, axes = panels(2)
        lag, value = dataset["lag"].values, dataset["autocorrelation"].values
        _zero(axes[0])
        axes[0].plot(lag, value, "o-", ms=3.5, lw=1, color=COLORS["enumeration"], mfc="white")
        axes[0].set(
            xlabel="lag τ", ylabel="autocorrelation c(τ)", title=f"exact, N = {attrs['n']}, K = {attrs['context']}"
        )
        axes[0].xaxis.set_major_locator(MaxNLocator(integer=True))
        delayed = dataset["lagged_correlation"].isel(lag=min(1, lag.size - 1)).values
        bound = max(float(np.abs(delayed).max()), 1e-12)
        image = axes[1].imshow(delayed, cmap="RdBu_r", vmin=-bound, vmax=bound)
        axes[1].set(xlabel="site j at t", ylabel=f"site i at t + {min(1, lag.size - 1)}", title="connected ⟨s_i s_j⟩")
        for axis in (axes[1].xaxis, axes[1].yaxis):
            axis.set_major_locator(MaxNLocator(integer=True))
        figure.colorbar(image, ax=axes[1], shrink=0.85)
        return figure


def _transient_figure(dataset: xr.Dataset) -> Figure:
    with style():
        figure, (ax,) = panels(1, width=4.6, height=3.8)
        value, time = dataset["two_time_correlation"].values, dataset["time"].values
        bound = float(np.abs(value).max())
        edges = (time[0] - 0.5, time[-1] + 0.5, time[-1] + 0.5, time[0] - 0.5)
        image = ax.imshow(value, cmap="RdBu_r", vmin=-bound, vmax=bound, extent=edges)
        ax.axhline(0.5, color="0.3", lw=0.6)
        ax.axvline(0.5, color="0.3", lw=0.6)
        ax.set(xlabel="t′", ylabel="t", title="exact C(t, t′); times up to 0 are the start")
        figure.colorbar(image, ax=ax, shrink=0.85)
        return figure


def _zero(ax: Axes) -> None:
    ax.axhline(0, color="0.7", lw=0.8, zorder=0)

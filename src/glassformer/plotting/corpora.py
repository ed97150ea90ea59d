"""Figures of exact small extended-context models and of corpora."""

from __future__ import annotations

from typing import Any

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
        axes[0].set(xlabel="lag τ", ylabel="autocorrelation c(τ)", title=f"exact, {_what(attrs)}")
        axes[0].xaxis.set_major_locator(MaxNLocator(integer=True))
        delayed = dataset["lagged_correlation"].isel(lag=min(1, lag.size - 1)).values
        bound = max(float(np.abs(delayed).max()), 1e-12)
        image = axes[1].imshow(delayed, cmap="RdBu_r", vmin=-bound, vmax=bound)
        axes[1].set(
            xlabel="site j at t", ylabel=f"site i at t + {min(1, lag.size - 1)}", title="connected correlation, delayed"
        )
        for axis in (axes[1].xaxis, axes[1].yaxis):
            axis.set_major_locator(MaxNLocator(integer=True))
        figure.colorbar(image, ax=axes[1], shrink=0.85, label="⟨s_i s_j⟩ − ⟨s_i⟩⟨s_j⟩")
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
        ax.set(xlabel="t′ (times up to 0 are the start)", ylabel="t", title=f"exact, {_what(dataset.attrs)}")
        figure.colorbar(image, ax=ax, shrink=0.85, label="two-time correlation C(t, t′)")
        return figure


def corpus_figure(dataset: xr.Dataset) -> Figure:
    """Draw the autocorrelation of a corpus beside theory, and the loss of its teacher beside the floor."""
    attrs, lag = dataset.attrs, dataset["lag"].values
    with style():
        figure, axes = panels(2)
        _zero(axes[0])
        if "autocorrelation_theory" in dataset:
            axes[0].plot(lag, dataset["autocorrelation_theory"], color=COLORS["gram"], label="N → ∞")
        if "autocorrelation_of_sample" in dataset:
            exact = dataset["autocorrelation_of_sample"]
            axes[0].plot(lag, exact, "--", color=COLORS["enumeration"], label="this sample, exact")
        error = dataset.get("autocorrelation_error")
        axes[0].errorbar(
            lag, dataset["autocorrelation"], yerr=error, fmt="o", ms=4, mfc="white", lw=1, color="black", label="corpus"
        )
        axes[0].set(xlabel="lag τ", ylabel="autocorrelation c(τ)")
        axes[0].set_title(_what(attrs))
        axes[0].xaxis.set_major_locator(MaxNLocator(integer=True))
        axes[0].legend()
        rows = [
            ("N → ∞", "entropy_rate_theory", "entropy_production_per_spin_theory"),
            ("this sample, exact", "entropy_rate_of_sample", "entropy_production_per_spin_of_sample"),
            ("corpus", "entropy_rate_exact", "entropy_production_per_spin"),
        ]
        looks = {"N → ∞": (COLORS["gram"], "_", 26), "this sample, exact": (COLORS["enumeration"], "_", 18)}
        drawn = 0
        for label, *names in rows:
            color, marker, size = looks.get(label, ("black", "o", 5))
            for place, name in enumerate(names):
                if name in dataset and np.isfinite(dataset[name]):
                    drawn += 1
                    error = dataset.get(f"{name}_error")
                    spread = None if error is None else float(error)
                    axes[1].errorbar(
                        place, float(dataset[name]), yerr=spread, fmt=marker, ms=size, mew=1.6, mfc="white", color=color
                    )
        axes[1].set_xticks([0, 1], ["loss of\nthe teacher", "entropy\nproduction"])
        axes[1].set(xlim=(-0.5, 1.5), ylabel="nats per spin and step")
        axes[1].set_ylim(bottom=min(0.0, axes[1].get_ylim()[0]))
        if not drawn:
            axes[1].set_yticks([])
            axes[1].text(0.5, 0.5, "no noise, hence no density to score", ha="center", transform=axes[1].transAxes)
        count = int(dataset["sequences"].sum())
        axes[1].set_title(f"{count} sequence{'s' if count > 1 else ''} of {attrs['length']} tokens")
        return figure


def _what(attrs: dict[Any, Any]) -> str:
    """Say which model a figure is of; fields of older results may be missing."""
    rule = [str(attrs["variant"])]
    for name, letter in (("beta", "β"), ("sigma", "σ")):
        if attrs.get(name) is not None:
            rule.append(f"{letter} = {float(attrs[name]):.4g}".replace("inf", "∞"))
    return ", ".join([*rule, f"N = {attrs['n']}", f"K = {attrs['context']}"])


def _zero(ax: Axes) -> None:
    ax.axhline(0, color="0.7", lw=0.8, zorder=0)

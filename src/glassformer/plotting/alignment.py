"""Alignment with the drive against inverse temperature: H25 Fig. 4.1 and its variants."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from glassformer.plotting._style import COLORS, LABELS, panels, style


def alignment_figure(dataset: xr.Dataset) -> Figure:
    """Draw the figure of `honkoop2025/alignment` in the mode in which it was run."""
    with style():
        return _legacy(dataset) if dataset.attrs["mode"] == "legacy" else _correct(dataset)


def _correct(dataset: xr.Dataset) -> Figure:
    figure, axes = panels(2)
    titles = {
        "alignment_of_mean": "(a) alignment of the mean, cos(⟨s⟩, x)",
        "mean_of_alignment": "(b) mean of the alignment, ⟨cos(s, x)⟩",
    }
    beta = dataset["beta"].values
    for ax, (name, title) in zip(axes, titles.items()):
        for method in ("nmf", "tap", "gram"):
            values = dataset[name].sel(solver=method).values
            ax.plot(beta, values, color=COLORS[method], label=LABELS[method], zorder=3 if method == "gram" else 2)
        limit = dataset.get(f"{name}_limit")
        if limit is not None:
            ax.plot(beta, limit, color="0.6", lw=1, ls="--", label="N, D → ∞ (exact)", zorder=1)
        ax.errorbar(
            beta,
            dataset[name].sel(solver="simulation").values,
            yerr=dataset[f"{name}_error"].sel(solver="simulation").values,
            fmt="o",
            ms=3.5,
            mfc="white",
            color=COLORS["simulation"],
            capsize=2,
            lw=1,
            label="simulation ± s.e.",
            zorder=4,
        )
        _beta_axis(ax, title)
    axes[0].legend(loc="lower left")
    attrs = dataset.attrs
    figure.suptitle(
        f"N = {attrs['n']}, D = {attrs['dim']}, field strength {attrs['strength']:g}, "
        f"{'symmetrised' if attrs['symmetrize'] else 'iid'} couplings",
        fontsize=9,
        x=0.01,
        ha="left",
    )
    return figure


def _legacy(dataset: xr.Dataset) -> Figure:
    figure, (ax,) = panels(1, width=5.2, height=3.8)
    beta = dataset["beta"].values
    for method in [str(m) for m in dataset["solver"].values]:
        values = dataset["alignment"].sel(solver=method)
        kept = np.isfinite(values)
        ax.plot(
            beta[kept],
            values[kept],
            color=COLORS[method],
            marker="." if method == "simulation" else None,
            label={"simulation": "Metropolis on the loss"}.get(method, LABELS[method]),
        )
        ax.fill_between(
            beta,
            dataset["alignment_low"].sel(solver=method),
            dataset["alignment_high"].sel(solver=method),
            color=COLORS[method],
            alpha=0.2,
            lw=0,
        )
    _beta_axis(ax, "legacy: alignment with x, bands from least to greatest over time")
    ax.legend()
    return figure


def _beta_axis(ax: Axes, title: str) -> None:
    ax.set(xscale="log", xlabel="inverse temperature β", ylim=(-0.08, 1.05), title=title)
    ax.axhline(0, color="0.85", lw=0.8, zorder=0)

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
    looks = {"gram": ("-", 2.6), "nmf": ("-", 1.5), "tap": ("--", 1.5)}  # the widest first: all may lie on one line
    beta = dataset["beta"].values
    shown = np.arange(len(beta)) % max(1, round(len(beta) / 33)) == 0  # so that the lines are seen between the markers
    for ax, (name, title) in zip(axes, titles.items()):
        for method, (dash, width) in looks.items():
            one = dataset.sel(solver=method)
            ax.plot(beta, one[name], dash, lw=width, color=COLORS[method], label=LABELS[method])
            doubtful = (one["solver_status"].values != "converged") & shown  # the method itself says so
            if doubtful.any():
                label = f"{LABELS[method]}, with a warning"
                ax.plot(beta[doubtful], one[name].values[doubtful], "x", ms=4, color=COLORS[method], label=label)
        ax.plot(beta, dataset[f"{name}_limit"], color="0.6", lw=1, ls=":", label="N, D → ∞ (exact)", zorder=1)
        ax.errorbar(
            beta[shown],
            dataset[name].sel(solver="simulation").values[shown],
            yerr=dataset[f"{name}_error"].sel(solver="simulation").values[shown],
            fmt="o",
            ms=3.5,
            mfc="white",
            mew=0.9,
            color=COLORS["simulation"],
            capsize=2,
            lw=1,
            label="simulation ± s.e.",
            zorder=4,
        )
        _beta_axis(ax, title)
    axes[0].legend(loc="lower left", bbox_to_anchor=(0.0, 0.08))
    figure.suptitle(_system(dataset), fontsize=9, x=0.01, ha="left")
    return figure


def _legacy(dataset: xr.Dataset) -> Figure:
    figure, (ax,) = panels(1, width=5.2, height=3.8)
    beta = dataset["beta"].values
    labels = {**LABELS, "simulation": "Metropolis on the loss", "tap": "TAP (as published)"}
    for method in [str(m) for m in dataset["solver"].values]:
        one, color = dataset.sel(solver=method), COLORS[method]
        sampled = method == "simulation"
        ax.plot(
            beta,
            one["alignment"],
            color=color,
            ls="--" if method == "tap_absolute" else "-",  # it lies on the line of TAP until that scatters
            lw=0.8 if sampled else 1.5,
            marker="o" if sampled else None,
            ms=3 if len(beta) <= 40 else 2,
            mfc="white",
            mew=0.8,
            label=labels[method],
            zorder=3 if sampled else 2,
        )
        ax.fill_between(beta, one["alignment_low"], one["alignment_high"], color=color, alpha=0.2, lw=0)
    _beta_axis(ax, _system(dataset))
    ax.set_ylim(bottom=min(-0.08, 1.1 * float(dataset["alignment_low"].min())))
    ax.set_ylabel("alignment with x; bands: least to greatest over time", fontsize=8)
    ax.legend(loc="center left", bbox_to_anchor=(0.0, 0.63))
    return figure


def _system(dataset: xr.Dataset) -> str:
    attrs = dataset.attrs
    couplings = "symmetrised" if attrs["symmetrize"] else "iid"
    return f"N = {attrs['n']}, D = {attrs['dim']}, field strength {attrs['strength']:g}, {couplings} couplings"


def _beta_axis(ax: Axes, title: str) -> None:
    ax.set(xscale="log", xlabel="inverse temperature β", ylim=(-0.08, 1.05), title=title)
    ax.axhline(0, color="0.85", lw=0.8, zorder=0)

"""The kinetic Ising model of B23: relaxation, random starts, and the size of the magnetisation over samples."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from glassformer.plotting._style import COLORS, LABELS, panels, style

_PHASES = {"paramagnetic": "β = β$_c$ / 2", "critical": "β = β$_c$", "ordered": "β = 3β$_c$ / 2"}


def binary_figure(dataset: xr.Dataset) -> Figure:
    """Draw three rows: relaxation from all up, random starts, and mean and spread over samples."""
    with style():
        figure, axes = panels(3, rows=3, width=3.4, height=2.6)
        for column, (phase, title) in enumerate(_PHASES.items()):
            part = dataset.sel(phase=phase)
            _relaxation(axes[column], part, f"{phase}, {title}")
            _starts(axes[3 + column], part, "random starts")
        _sizes(axes[6], dataset)
        _spreads(axes[7], dataset)
        _last(axes[8], dataset)
        figure.suptitle(f"N = {dataset.attrs['n']}", fontsize=9, x=0.01, ha="left")
        return figure


def _relaxation(ax: Axes, part: xr.Dataset, title: str) -> None:
    looks = {"gaussian": ("-", 3.0), "gram": ("-", 1.8), "nmf": ("-", 1.3), "tap": ("--", 1.3)}
    time = part["time"].values
    for method, (dash, width) in looks.items():
        ax.plot(time, part["relaxation"].sel(curve=method), dash, lw=width, color=COLORS[method], label=LABELS[method])
    one = part.sel(curve="simulation")
    shown = np.unique(np.geomspace(1, time[-1], 16).astype(int))
    ax.errorbar(
        time[shown],
        one["relaxation"].values[shown],
        yerr=one["relaxation_error"].values[shown],
        fmt="o",
        ms=3,
        mfc="white",
        lw=0.8,
        color=COLORS["simulation"],
        label="simulation ± s.e.",
        zorder=4,
    )
    ax.set_xscale("symlog", linthresh=1)
    ax.set(xlabel="step", title=title, xlim=(0, time[-1]))
    ax.set_ylim(min(0.0, 1.1 * float(part["relaxation"].min())), 1.05)
    ax.axhline(0, color="0.85", lw=0.8, zorder=0)
    if title.startswith("para"):
        ax.set_ylabel("mean over sites, from all up")
        ax.legend(fontsize=7, loc="upper right")


def _starts(ax: Axes, part: xr.Dataset, title: str) -> None:
    time = part["time"].values
    ax.plot(time, part["path"].values, color="0.35", lw=0.4, alpha=0.4)
    for solver, marker in (("nmf", "<"), ("tap", "x")):
        final = part["start_final"].sel(solver=solver).values
        where = np.full(final.shape, time[-1] * (1.02 if solver == "nmf" else 1.07))
        ax.plot(where, final, marker, ms=4, mfc="none", color=COLORS[solver], clip_on=False)
    ax.set(xlabel="step", ylim=(-1.02, 1.02), xlim=(0, time[-1]))
    ax.set_title(f"{title}, simulated; right edge: where nMF (<) and TAP (x) end", fontsize=8)


def _sizes(ax: Axes, dataset: xr.Dataset) -> None:
    ratio = dataset["beta"].values / float(dataset["critical_beta"].sel(solver="simulation"))
    for solver in ("nmf", "tap", "simulation"):
        one = dataset.sel(solver=solver)
        dash = "--" if solver == "tap" else "-"  # on the line of the simulation
        ax.plot(dataset["beta_ratio"], one["size_limit"], dash, lw=1, color=COLORS[solver])
        ax.errorbar(
            ratio, one["size_mean"], yerr=one["size_mean_error"], fmt="o", ms=3, mfc="white", lw=0.8,
            color=COLORS[solver], label=LABELS[solver],
        )  # fmt: skip
    ax.axvline(1.0, color="0.8", lw=0.8, zorder=0)
    ax.set(xlabel="β / β$_c$", ylabel="|⟨m⟩|, mean over samples", title="lines: N → ∞")
    ax.legend(fontsize=7, loc="lower right")


def _spreads(ax: Axes, dataset: xr.Dataset) -> None:
    ratio = dataset["beta"].values / float(dataset["critical_beta"].sel(solver="simulation"))
    for solver in ("nmf", "tap", "simulation"):
        one = dataset.sel(solver=solver)
        ax.errorbar(
            ratio, one["size_spread"], yerr=one["size_spread_error"], fmt="o-", ms=3, mfc="white", lw=0.8,
            color=COLORS[solver],
        )  # fmt: skip
    ax.axvline(1.0, color="0.8", lw=0.8, zorder=0)
    ax.set(xlabel="β / β$_c$", ylabel="|⟨m⟩|, spread over samples", title="largest near β$_c$", ylim=(0, None))


def _last(ax: Axes, dataset: xr.Dataset) -> None:
    ratio = dataset["beta"].values / float(dataset["critical_beta"].sel(solver="simulation"))
    truth = dataset["size"].sel(solver="simulation")
    for solver in ("nmf", "tap"):
        gap = dataset["size"].sel(solver=solver) - truth
        error = gap.std("sample", ddof=1) / dataset.sizes["sample"] ** 0.5
        ax.errorbar(ratio, gap.mean("sample"), yerr=error, fmt="o-", ms=3, mfc="white", lw=0.8, color=COLORS[solver])
    ax.axhline(0, color="0.6", lw=0.8)
    ax.axvline(1.0, color="0.8", lw=0.8, zorder=0)
    ax.set(xlabel="β / β$_c$", title="theory minus simulation, |⟨m⟩|")

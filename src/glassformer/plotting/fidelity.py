"""Figures of Bal 2026: fidelity of the theories over drive and temperature, and the closed-form response."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from glassformer.plotting._style import COLORS, LABELS, panels, style

_NAMES = {
    "magnetization": "magnetisation",
    "delayed_correlation": "delayed correlation",
    "entropy_production": "entropy production σ",
}


def fidelity_figure(dataset: xr.Dataset) -> Figure:
    """Draw the error of naive mean field and Gram closure over drive and temperature, a column for each dimension."""
    dims = dataset["dim"].values
    rows = [(name, solver) for name in _NAMES for solver in ("nmf", "gram")]
    with style():
        figure, axes = panels(len(dims), rows=len(rows), width=2.6, height=2.0)
        image: Any = None
        for row, (name, solver) in enumerate(rows):
            for column, dim in enumerate(dims):
                ax = axes[row * len(dims) + column]
                part = dataset.sel(dim=dim)
                image = _error_map(ax, part, name, solver)
                if row == 0:
                    ax.set_title(f"D = {dim}")
                if column == 0:
                    ax.set_ylabel(f"{_NAMES[name]}\n{LABELS[solver]}\nβ", fontsize=8)
                if row == len(rows) - 1:
                    ax.set_xlabel("u = β|x|/R")
        figure.colorbar(image, ax=list(axes), shrink=0.5, aspect=40, label="relative error, noise taken out")
        figure.suptitle(
            "relative error in percent; < a bound, where the error is below two standard errors\n"
            "white line: ρ = 1 in between, at β = 2D/(D−2)\ndashes: local radius 1; crosses: several fixed points",
            fontsize=8,
        )
        return figure


def _error_map(ax: Axes, part: xr.Dataset, name: str, solver: str) -> Any:
    drives, betas = part["drive"].values, part["beta"].values
    error = part[f"{name}_rms_difference"].sel(solver=solver).transpose("beta", "drive").values
    spread = part[f"{name}_rms_difference_error"].sel(solver=solver).transpose("beta", "drive").values
    resolved = error > 2 * spread
    shown = np.where(resolved, error, error + 2 * spread)  # what is not resolved is at most that
    image = ax.imshow(shown, origin="lower", cmap="cividis", norm=LogNorm(1e-3, 1.0), aspect="auto")
    for (j, i), value in np.ndenumerate(shown):
        percent = 100 * value
        number = f"{percent:.0f}" if percent >= 9.95 else f"{percent:.1f}"
        text = "?" if np.isnan(value) else number if resolved[j, i] else f"<{number}"
        ax.text(
            i, j, text, ha="center", va="center", fontsize=5.5, zorder=3, color="white" if value <= 0.1 else "black"
        )
    certified = int((betas < float(part["critical_beta"])).sum())
    if 0 < certified < len(betas):  # between the last cell below the threshold and the first above
        ax.axhline(certified - 0.5, color="white", lw=1.4)
    radius = part["jacobian_spectral_radius"].transpose("beta", "drive").values
    if np.isfinite(radius).all() and radius.min() < 1 < radius.max() and min(radius.shape) > 1:
        ax.contour(radius, levels=[1.0], colors="white", linewidths=1, linestyles="--")
    several = np.argwhere(part["branches"].transpose("beta", "drive").values > 1)
    ax.plot(several[:, 1] + 0.32, several[:, 0] + 0.3, "x", ms=3.5, color="red")
    ax.set_xticks(np.arange(len(drives)), [f"{value:g}" for value in drives], fontsize=6.5)
    ax.set_yticks(np.arange(len(betas)), [f"{value:g}" for value in betas], fontsize=6.5)
    return image


def large_d_figure(dataset: xr.Dataset) -> Figure:
    """Draw the error of the closed forms against D, over drive and temperature, and the response at the smallest D."""
    looks = {"large_d": (COLORS["nmf"], "large D"), "amos": (COLORS["gram"], "Amos' bound")}
    dims = dataset["dim"].values
    with style():
        figure, axes = panels(3, width=3.7, height=3.3)
        for kind, (color, label) in looks.items():
            one = dataset.sel(kind=kind)
            worst, median = one["response_rms_difference_worst"], one["magnetization_rms_difference_median"]
            axes[0].plot(dims, worst, "o-", ms=4, color=color, label=f"{label}: one spin, worst")
            axes[0].plot(dims, median, "s--", ms=3.5, mfc="white", color=color, label=f"{label}: coupled, median")
        fine = np.geomspace(dims[0], dims[-1], 100)
        axes[0].plot(fine, 2 / (fine - 2), ":", color="0.4", label="2 / (D − 2)")
        axes[0].set(xscale="log", yscale="log", xlabel="D", title="(a) relative error of the closed forms")
        axes[0].legend(fontsize=6.5, loc="upper right")
        axes[0].set_ylim(top=30)
        chosen = dims[np.argmin(np.abs(np.log(dims / 128)))]
        grid = dataset["magnetization_rms_difference"].sel(kind="large_d", dim=chosen).transpose("beta", "drive")
        drives, betas = dataset["drive"].values, dataset["beta"].values
        image = axes[1].imshow(100 * grid.values, origin="lower", cmap="cividis", norm=LogNorm(), aspect="auto")
        for values, set_ticks in ((drives, axes[1].set_xticks), (betas, axes[1].set_yticks)):
            places = np.arange(len(values))[:: max(1, len(values) // 6)]
            set_ticks(places, [f"{values[place]:.2g}" for place in places])
        axes[1].set(xlabel="u = β|x|/R", ylabel="β")
        axes[1].set_title(f"(b) large D at D = {chosen}: error of m, percent")
        bar = figure.colorbar(image, ax=axes[1])
        ticks = _plain_ticks(*image.get_clim())
        bar.set_ticks(ticks, labels=[f"{tick:.3g}" for tick in ticks])
        bar.ax.minorticks_off()
        _responses(axes[2], int(dims[0]))
        return figure


def _plain_ticks(low: float, high: float) -> list[float]:
    """Return round numbers for a logarithmic scale, or evenly spaced ones where fewer than three are in the range."""
    powers = range(math.floor(math.log10(low)), math.floor(math.log10(high)) + 1)
    ticks = [digit * 10.0**power for power in powers for digit in (1, 2, 5)]
    inside = [tick for tick in ticks if low <= tick <= high]
    return inside if len(inside) > 2 else [float(tick) for tick in np.geomspace(low, high, 4)]


def _responses(ax: Axes, dim: int) -> None:
    from glassformer._core._responses import response

    kappa = np.linspace(0, 6 * max(1.0, dim / 2), 200)
    for kind, color, label, dash in (
        ("exact", "black", "exact", "-"),
        ("large_d", COLORS["nmf"], "large D", "-"),
        ("amos", COLORS["gram"], "Amos' bound", "--"),
    ):
        ax.plot(kappa, response(kind, dim).ratio(kappa), dash, color=color, label=label)
    ax.set(xlabel="κ = βR|h|", ylabel="A(κ) = |m| / R", ylim=(0, 1.02), title=f"(c) response at D = {dim}")
    ax.legend(loc="lower right")

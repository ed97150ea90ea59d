"""Figures of extended-context models of infinite size."""

from __future__ import annotations

import math

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from glassformer.plotting._style import COLORS, panels, style

_ROWS = (
    ("q0", "field variance $Q_0$"),
    ("gain", "gain $a$"),
    ("criticality", "criticality"),
    ("slowest_root", "slowest root $|r|$"),
    ("slowest_root_angle", "its angle (radians)"),
    ("correlation_time", "correlation time (steps)"),
    ("magnetization", "magnetization $m$"),
    ("persistent_correlation", r"$c_\infty$"),
    ("order_root", "root of the mean"),
    ("loss_floor", "loss floor (nats per site)"),
    ("entropy_production", "entropy production (nats/step/site)"),
    ("own_past_error", "error from own past"),
    ("spectral_radius", "spectral radius"),
    ("multiplier", r"multiplier $\lambda$"),
)
_SLOPE = {"gaussian": "G(ω)", "spherical": "x G(ω)"}


def dmft_figure(dataset: xr.Dataset) -> Figure:
    """Draw the autocorrelation with its tail, the spectra against frequency, and the numbers beside them."""
    with style():
        figure, axes = panels(3, width=3.6)
        _correlation(axes[0], dataset)
        _spectra(*_halves(axes[1]), dataset)
        _numbers(axes[2], dataset)
        return figure


def _correlation(ax: Axes, dataset: xr.Dataset) -> None:
    lag, value = dataset["lag"].values, dataset["autocorrelation"].values
    last = min(lag.size - 1, _shown(dataset))
    lag, value = lag[: last + 1], value[: last + 1]
    limit = float(dataset["persistent_correlation"]) if "persistent_correlation" in dataset else 0.0
    ax.axhline(0.0, color="0.7", lw=0.8, zorder=0)
    if limit:
        ax.axhline(limit, color="0.5", lw=0.8, ls="--", zorder=0, label="$c_\\infty$")
    stems = ax.vlines(lag, limit, value, color=COLORS["gram"], lw=1.2)
    stems.set_alpha(0.6)
    ax.plot(lag, value, "o", ms=3.5, color=COLORS["gram"])
    root = float(dataset["slowest_root"]) if "slowest_root" in dataset else 0.0
    if root > 0.0 and last > 1:
        start = max(1, last // 3)
        fine = np.linspace(start, last, 200)
        near = np.abs(value - limit)[start:] / root ** lag[start:]
        amplitude = float(near[np.isfinite(near)].max(initial=0.0))
        if 0.0 < amplitude < math.inf:
            ax.plot(fine, limit + amplitude * root**fine, ":", color=COLORS["nmf"], lw=1.4, label="$|r|^\\tau$")
    ax.set(xlabel="lag τ", ylabel="autocorrelation c(τ)", title=_title(dataset))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    if ax.get_legend_handles_labels()[0]:
        ax.legend()


def _shown(dataset: xr.Dataset) -> int:
    """Return the last lag that is worth drawing."""
    value = dataset["autocorrelation"].values
    limit = float(dataset["persistent_correlation"]) if "persistent_correlation" in dataset else 0.0
    above = np.flatnonzero(np.abs(value - limit) > 1e-3 * max(abs(value[0] - limit), 1e-300))
    return max(8, int(above[-1]) + 3 if above.size else 8)


def _halves(ax: Axes) -> tuple[Axes, Axes]:
    """Return two panels, one above the other, in the place of one."""
    grid = ax.get_subplotspec().subgridspec(2, 1, hspace=0.08)  # type: ignore[union-attr]
    figure = ax.get_figure()
    ax.remove()
    above = figure.add_subplot(grid[0])  # type: ignore[union-attr]
    return above, figure.add_subplot(grid[1], sharex=above)  # type: ignore[union-attr]


def _spectra(ax: Axes, below: Axes, dataset: xr.Dataset) -> None:
    """Draw the spectrum of the couplings, which diverges at 1, apart from that of the tokens, for which 1 is the mean."""
    frequency = dataset["frequency"].values
    coupling = dataset["coupling_spectrum"].values
    variant = str(dataset.attrs.get("variant", "ising"))
    top = float(coupling.max())
    scale = 1.0
    label = "G(ω)"
    limit = "slowest_root" in dataset and top > 0.0
    if limit:  # the criticality is the largest value of the product
        scale = float(dataset["criticality"]) / top
        label = _SLOPE.get(variant, "χ G(ω)")
        ax.axhline(1.0, color="0.5", lw=0.8, ls="--", label="memory diverges")
    ax.plot(frequency, scale * coupling, color=COLORS["nmf"], label=label)
    ax.set(xlim=(0.0, math.pi), title="spectra of couplings and tokens")
    ax.set_ylim(0.0, 1.35 * (max(scale * top, 1.0 if limit else 0.0) or 1.0))  # room for the legend
    ax.tick_params(labelbottom=False)
    ax.legend(loc="upper right", ncols=2)
    tokens = dataset["token_spectrum"].values
    shape = tokens / max(float(tokens.mean()), 1e-300)
    below.plot(frequency, shape, color=COLORS["gram"], label="c(ω) / mean")
    below.set(xlabel="frequency ω")
    if float(shape.max()) > 5.0:  # a long memory is a narrow peak
        below.set_yscale("log")
        below.set_ylim(bottom=0.5 * max(1e-3, float(shape.min())))
    else:
        below.set_ylim(0.0, 1.3 * float(shape.max()) or 1.0)
    below.set_xticks([0.0, math.pi / 2, math.pi], ["0", "π/2", "π"])
    below.legend(loc="upper right")


def _numbers(ax: Axes, dataset: xr.Dataset) -> None:
    rows = [(label, f"{float(dataset[name]):.6g}") for name, label in _ROWS if name in dataset]
    ax.axis("off")
    for index, (label, number) in enumerate(rows):
        height = 1.0 - (index + 0.5) / max(len(rows), 10)
        ax.text(0.0, height, label, transform=ax.transAxes, va="center")
        ax.text(1.0, height, number, transform=ax.transAxes, va="center", ha="right", family="monospace")


def _title(dataset: xr.Dataset) -> str:
    attrs = dataset.attrs
    parts = [str(attrs.get("variant", ""))]
    if "beta" in attrs:
        beta = float(attrs["beta"])
        parts.append("β = ∞" if math.isinf(beta) else f"β = {beta:g}")
    if "sigma" in attrs:
        parts.append(f"σ = {float(attrs['sigma']):g}")
    return ", ".join([*parts, f"K = {dataset.sizes['distance']}"])

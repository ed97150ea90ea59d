"""The figure of a transient: a heat map of two-time correlations, its last row, and what happens step by step."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from glassformer.plotting._style import panels, series_colors, style

_ROWS = 4


def transient_figure(dataset: xr.Dataset) -> Figure:
    """Draw C over both times, some of its rows against the lag, and loss floor, entropy production and mean per step."""
    with style():
        figure, axes = panels(3, width=4.2, height=3.4)
        growing = _heat_map(figure, axes[0], dataset)
        _rows(axes[1], dataset, growing)
        _steps(axes[2], dataset)
        return figure


def _heat_map(figure: Figure, ax: Axes, dataset: xr.Dataset) -> bool:
    """Draw the matrix; tokens that grow are shown normalised."""
    time, square = dataset["time"].values, dataset["square"].values
    banded = "banded_correlation" in dataset
    values = dataset["banded_correlation" if banded else "two_time_correlation"].values
    growing = bool(square.max() > 10.0 * max(square[square > 0.0].min(initial=1.0), 1e-300))
    root = np.sqrt(np.where(square > 0.0, square, 1.0))
    if banded:
        return _band(figure, ax, dataset, values, root if growing else np.ones(root.size))
    if growing:
        values = values / root[:, None] / root
    later = values[time >= 1][:, time >= 1]
    apart = np.abs(later - np.diag(np.diag(later))).max()
    bound = max(float(apart), 0.05 * float(np.abs(values).max()), 1e-12)  # the diagonal and the start may be beyond
    edges = (time[0] - 0.5, time[-1] + 0.5)
    image = ax.imshow(
        values, origin="lower", extent=(*edges, *edges), cmap="RdBu_r", vmin=-bound, vmax=bound, interpolation="nearest"
    )
    ax.axhline(0.5, color="0.3", lw=0.6, ls=":")
    ax.axvline(0.5, color="0.3", lw=0.6, ls=":")
    figure.colorbar(image, ax=ax, shrink=0.85, extend="both")
    title = "correlation of two times" + (" (normalised)" if growing else "")
    ax.set(xlabel="time t′", ylabel="time t", title=title)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    return growing


def _band(figure: Figure, ax: Axes, dataset: xr.Dataset, values: np.ndarray, root: np.ndarray) -> bool:
    """Draw C(t, t - tau) over time and lag, down to where it has vanished."""
    time = dataset["time"].values
    places = np.maximum(np.arange(time.size)[:, None] - np.arange(values.shape[1]), 0)
    shown = values / root[:, None] / root[places]
    reach = np.flatnonzero(np.nanmax(np.abs(shown), axis=0, initial=0.0) > 1e-3)
    depth = min(values.shape[1], 2 + (int(reach[-1]) if reach.size else 0))
    thin = max(1, time.size // 2000)
    image = ax.imshow(
        shown[::thin, :depth].T, origin="lower", extent=(time[0] - 0.5, time[-1] + 0.5, -0.5, depth - 0.5), cmap="RdBu_r",
        vmin=-1.0, vmax=1.0, aspect="auto", interpolation="nearest",
    )  # fmt: skip
    figure.colorbar(image, ax=ax, shrink=0.85)
    ax.set(xlabel="time t", ylabel="lag τ", title="C(t, t − τ)")
    return bool(root.max() > 1.0 and np.ptp(root) > 0.0)


def _row(dataset: xr.Dataset, time: int, lag: np.ndarray) -> np.ndarray:
    """Return C(time, time - lag)."""
    if "banded_correlation" in dataset:
        return np.asarray(dataset["banded_correlation"].sel(time=time).values[lag])
    return np.asarray(dataset["two_time_correlation"].sel(time=time).sel(time_=time - lag).values)


def _rows(ax: Axes, dataset: xr.Dataset, growing: bool) -> None:
    last, lags = int(dataset["time"][-1]), dataset.sizes["lag"] - 1
    square = dataset["square"]
    chosen = sorted({max(1, round(last * part)) for part in np.linspace(1.0 / _ROWS, 1.0, _ROWS)})
    for color, t in zip(series_colors(len(chosen)), chosen):
        lag = np.arange(min(lags, t - 1) + 1)
        row = _row(dataset, t, lag)
        if growing:
            row = row / np.sqrt(square.sel(time=t).item()) / np.sqrt(square.sel(time=t - lag).values)
        ax.plot(lag, row, _mark("o", lag.size), ms=2.5, lw=1.0, color=color, label=f"t = {t}")
    scale = np.sqrt(square.sel(time=last).item()) * np.sqrt(square.sel(time=last - np.arange(lags + 1)).values)
    for name, label in (
        ("autocorrelation_stationary", "stationary"),
        ("autocorrelation_aging", f"aging form, t = {last}"),
    ):
        if name in dataset:
            ax.plot(dataset["lag"], dataset[name] / scale if growing else dataset[name], "k--", lw=1.0, label=label)
    ax.axhline(0.0, color="0.7", lw=0.6, zorder=0)
    ax.set(xlabel="lag τ", title="C(t, t − τ)" + (" (normalised)" if growing else ""))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    ax.legend()


def _mark(marker: str, points: int) -> str:
    """Return the look of a line: with markers while they can be told apart."""
    return f"{marker}-" if points <= 60 else "-"


def _steps(ax: Axes, dataset: xr.Dataset) -> None:
    looks = {
        "loss_floor": ("#0072B2", "loss floor (nats per site)"),
        "entropy_production": ("#D55E00", "entropy production (nats per step and site)"),
        "magnetization": ("#009E73", "mean of a token"),
    }
    square = dataset["square"].values
    growing = square.max() > 1e3
    drawn = 0
    for name, (color, label) in looks.items():
        values = dataset[name].values if name in dataset else np.zeros(1)
        size = np.nanmax(np.abs(values), initial=0.0)
        if name not in dataset or (name == "magnetization" and size <= 1e-12) or (growing and name != "loss_floor"):
            continue
        ax.plot(dataset["time"], values, _mark("o", values.size), ms=2.5, lw=1.0, color=color, label=label)
        if f"{name}_error" in dataset:
            error = dataset[f"{name}_error"].values
            ax.fill_between(dataset["time"], values - error, values + error, color=color, alpha=0.25, lw=0)
        drawn += 1
    if growing:  # by hand: a log axis cannot hold 1e290
        ax.plot(
            dataset["time"],
            np.log10(np.maximum(square, 1e-300)),
            _mark("s", square.size),
            ms=2.5,
            lw=1.0,
            color="0.4",
            label="log10 C(t, t)",
        )
    elif not drawn or np.ptp(square) > 1e-9:
        ax.plot(dataset["time"], square, _mark("s", square.size), ms=2.5, lw=1.0, color="0.4", label="C(t, t)")
    ax.set(xlabel="time t", title="step by step")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    ax.legend()

"""Overlaps between replicas: matrices in clustered order, and their distribution."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from glassformer.plotting._style import panels, series_colors, style

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_KINDS = (("overlap", "raw"), ("overlap_invariant", "rotation-invariant"), ("overlap_aligned", "aligned"))
_MOST = 8  # temperatures in one figure

MARKS = {
    "replica symmetric": "RS",
    "broken": "broken",
    "global rotation only": "rotation",
    "undecided": "?",
    "not equilibrated": "not eq.",
}


def overlap_image(ax: Axes, matrix: Any, *, signed: bool, order: Any = None) -> Any:
    """Draw one overlap matrix (replica, replica_) into `ax`, in the given order; return the image."""
    values = np.asarray(matrix)
    if order is not None:
        values = values[np.ix_(order, order)]
    image = ax.imshow(
        values, cmap="RdBu_r" if signed else "viridis", vmin=-1 if signed else 0, vmax=1, interpolation="nearest"
    )
    ax.set_xticks([])
    ax.set_yticks([])
    return image


def replicas_figure(dataset: xr.Dataset) -> Figure:
    """Draw, per temperature, the three overlap matrices in clustered order and P(q) before and after alignment."""
    with style():
        levels = np.unique(np.linspace(0, dataset.sizes["beta"] - 1, _MOST).round().astype(int))
        figure, axes = panels(4, rows=len(levels), width=2.3, height=2.1)
        for row, level in enumerate(levels):
            own = dataset.isel(beta=level)
            line = axes[4 * row : 4 * row + 4]
            for ax, (name, label) in zip(line, _KINDS):
                signed = name == "overlap"
                image = overlap_image(ax, own[name], signed=signed, order=own["cluster_order"].values)
                if row == 0:
                    ax.set_title(f"{label} overlap")
                if row == len(levels) - 1:
                    figure.colorbar(image, ax=ax, shrink=0.8, location="bottom")
            line[0].set_ylabel(f"β = {float(own['beta']):.3g}\n{own['verdict'].item()}", fontsize=8)
            density(line[3], own)
        axes[-1].set_xlabel("overlap q")
        axes[3].set_title("P(q)")
        axes[3].legend(loc="upper left", fontsize=6)
        return figure


def density(ax: Axes, own: xr.Dataset) -> None:
    """Draw the distribution of raw and of aligned overlaps at one temperature."""
    centres = own["overlap_bin"].values
    colors = series_colors(2)
    for name, label, color in (("overlap", "raw", colors[0]), ("overlap_aligned", "aligned", colors[1])):
        ax.step(centres, own[f"{name}_density"].values, where="mid", color=color, lw=1, label=label)
    ax.set(xlim=(-1.02, 1.02), yticks=[])
    ax.set_ylim(bottom=0)

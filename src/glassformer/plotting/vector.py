"""Figures of the general runs `vector/solve` and `vector/simulate`."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from glassformer.plotting._style import COLORS, panels, style


def vector_figure(dataset: xr.Dataset) -> Figure:
    """Draw what a run on user arrays found: steady state or transient."""
    with style():
        return _transient(dataset) if "time" in dataset["magnetization"].dims else _steady(dataset)


def _steady(dataset: xr.Dataset) -> Figure:
    figure, axes = panels(2)
    length = np.linalg.norm(dataset["magnetization"].values, axis=-1)
    site = np.arange(len(length))
    axes[0].plot(site, length, "o", ms=3.5, color=COLORS["gram"])
    axes[0].axhline(dataset.attrs["radius"], color="0.7", lw=0.8)
    axes[0].set(xlabel="site", ylabel="|m|", ylim=(0, None), title="length of the mean spin; line: radius")
    name = "delayed_correlation" if "delayed_correlation" in dataset else "correlation"
    matrix = dataset[name].values
    if name == "correlation":
        matrix = matrix - np.diag(np.diag(matrix))
    bound = max(float(np.abs(matrix).max()), 1e-300)
    image = axes[1].imshow(matrix, cmap="RdBu_r", vmin=-bound, vmax=bound, interpolation="nearest")
    title = {
        "delayed_correlation": "delayed correlation ⟨s_i(t+1)·s_j(t)⟩c",
        "correlation": "correlation off the diagonal",
    }
    axes[1].set(xlabel="site j", ylabel="site i", title=title[name])
    figure.colorbar(image, ax=axes[1], shrink=0.85)
    return figure


def _transient(dataset: xr.Dataset) -> Figure:
    figure, axes = panels(2)
    axes[0].plot(dataset["time"], dataset["magnetization_sum_of_squares"], color=COLORS["gram"])
    axes[0].set(xlabel="step", ylabel="Σ |m|²", title="sum of squares of the means")
    axes[1].plot(dataset["time"], dataset["alignment_of_mean"], color=COLORS["gram"], label="of the mean")
    axes[1].plot(dataset["time"], dataset["mean_of_alignment"], color=COLORS["nmf"], label="mean of")
    axes[1].set(xlabel="step", title="alignment with the drive")
    axes[1].legend()
    return figure

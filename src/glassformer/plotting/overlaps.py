"""Overlaps between replicas: matrices in clustered order, and their distribution."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from glassformer.observables import overlap_density
from glassformer.plotting._style import panels, series_colors, style

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_KINDS = (("overlap", "raw"), ("overlap_invariant", "rotation-invariant"), ("overlap_aligned", "aligned"))
_MOST = 8  # temperatures in one figure


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
            densities = [own[f"{name}_density"].values for name in ("overlap", "overlap_aligned")]
            density(line[3], own["overlap_bin"].values, *densities)
        axes[-1].set_xlabel("overlap q")
        axes[3].set_title("P(q)")
        axes[3].legend(loc="upper left", fontsize=6)
        return figure


def density(ax: Axes, centres: Any, raw: Any, aligned: Any) -> None:
    """Draw the distribution of raw and of aligned overlaps at one temperature."""
    for values, label, color in zip((raw, aligned), ("raw", "aligned"), series_colors(2)):
        ax.step(centres, values, where="mid", color=color, lw=1, label=label)
    ax.set(xlim=(-1.02, 1.02), yticks=[])
    ax.set_ylim(bottom=0)


_VERDICT_COLORS = {
    "replica symmetric": "#0072B2",
    "broken": "#D55E00",
    "global rotation only": "#009E73",
    "undecided": "#E69F00",
    "not equilibrated": "#777777",
}


def _mosaic(matrices: Any) -> Any:
    """Lay matrices (row, column, replica, replica_) side by side in one image, a gap of NaN between them."""
    values = np.asarray(matrices)
    rows, columns, size, _ = values.shape
    image = np.full((rows * (size + 1) - 1, columns * (size + 1) - 1), np.nan)
    for row in range(rows):
        for column in range(columns):
            a, b = row * (size + 1), column * (size + 1)
            image[a : a + size, b : b + size] = values[row, column]
    return image


def _draw_mosaic(ax: Axes, dataset: xr.Dataset, name: str, *, signed: bool) -> Any:
    ordered = dataset[name].transpose("strength", "beta", "replica", "replica_")
    size = dataset.sizes["replica"] + 1
    image = overlap_image(ax, _mosaic(ordered), signed=signed)
    middle = (size - 2) / 2
    ax.set_xticks(middle + size * np.arange(dataset.sizes["beta"]), [f"{b:g}" for b in dataset["beta"].values])
    ax.set_yticks(
        middle + size * np.arange(dataset.sizes["strength"]), [f"{h:.3g}" for h in dataset["strength"].values]
    )
    ax.tick_params(length=0)
    ax.set(xlabel="inverse temperature β", ylabel="field strength |x| / R")
    return image


def _verdict_map(ax: Axes, dataset: xr.Dataset, line: Any) -> None:
    """Draw one point per cell, coloured by its verdict, and the line of infinite size."""
    temperature = 1.0 / dataset["beta"].values
    verdicts = dataset["verdict"].transpose("strength", "beta", ...).values
    if verdicts.ndim == 2:
        verdicts = verdicts[..., None]
    shift = 0.012 * (np.arange(verdicts.shape[2]) - 0.5 * (verdicts.shape[2] - 1)) * temperature.max()
    for kind, color in _VERDICT_COLORS.items():
        row, column, sample = np.nonzero(verdicts == kind)
        if row.size:
            x = temperature[column] + shift[sample]
            ax.plot(x, dataset["strength"].values[row], "o", ms=4.5, color=color, label=kind)
    ax.plot(dataset["line_temperature"].values, line, "k-", lw=1.2, label="de Almeida-Thouless, N = ∞")
    ax.set(xlabel="temperature T")
    ax.set_ylim(bottom=-0.06 * max(float(dataset["strength"].max()), 1.0))


def phase_diagram_figure(dataset: xr.Dataset) -> Figure:
    """Draw Fig. 4.2: overlap matrices over field strength and inverse temperature, and the verdicts beside the line."""
    with style():
        if dataset.attrs["mode"] == "few-components":
            return _few_components_figure(dataset)
        legacy = dataset.attrs["mode"] == "legacy"
        figure, axes = panels(2 if legacy else 3, width=4.3, height=4.4)
        for ax, name, title, signed in (
            (axes[0], "overlap", "cosine, published sampler" if legacy else "raw overlap", True),
            (axes[1], "overlap_invariant", "rotation-invariant overlap", False),
        ):
            image = _draw_mosaic(ax, dataset, name, signed=signed)
            ax.set_title(title)
            figure.colorbar(image, ax=ax, shrink=0.7, location="bottom")
        if not legacy:
            _verdict_map(axes[2], dataset, dataset["line_strength"].values)
            axes[2].set(ylabel="field strength |x| / R", title="verdict")
            axes[2].set_ylim(top=1.25 * max(float(dataset["strength"].max()), 0.1))  # room for the legend
            axes[2].legend(loc="upper right", fontsize=7)
        return figure


def _few_components_figure(dataset: xr.Dataset) -> Figure:
    dims = dataset["dim"].values
    figure, axes = panels(len(dims), rows=2, width=3.9, height=3.6)
    for k, dim in enumerate(dims):
        own = dataset.sel(dim=dim)
        image = _draw_mosaic(axes[k], own.isel(sample=0), "overlap_aligned", signed=False)
        axes[k].set(title=f"D = {dim}: aligned overlap", xlabel="inverse temperature, in units of $1/T_c$")
        axes[k].set_ylabel("field per component / J" if k == 0 else "")
        below = axes[len(dims) + k]
        _verdict_map(below, own, own["line_strength"].values)
        below.set(xlabel="$T/T_c$", ylabel="field per component / J" if k == 0 else "")
    figure.colorbar(image, ax=list(axes[: len(dims)]), shrink=0.7)
    handles: dict[str, Any] = {}
    for ax in axes[len(dims) :]:
        handles |= {label: handle for handle, label in zip(*ax.get_legend_handles_labels())}
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=3)
    return figure


def overlap_matrices_figure(dataset: xr.Dataset) -> Figure:
    """Draw Fig. 2.5: one overlap matrix per panel in clustered order, and P(q) below."""
    with style():
        labels = [str(label) for label in dataset["panel"].values]
        figure, axes = panels(len(labels), rows=2, width=3.4, height=2.9)
        for k, label in enumerate(labels):
            own = dataset.isel(panel=k)
            image = overlap_image(axes[k], own["overlap_aligned"], signed=False, order=own["cluster_order"].values)
            axes[k].set_title(f"{label}: {own['verdict'].item()}")
            quantum = 2.0 / int(own["spins_in_panel"]) if label.endswith("D = 1") else None
            raw, aligned = (
                overlap_density(own[f"{name}_values"].values, quantum=quantum)
                for name in ("overlap", "overlap_aligned")
            )
            density(axes[len(labels) + k], raw[0], raw[1], aligned[1])
            axes[len(labels) + k].set_xlabel("overlap q")
        figure.colorbar(image, ax=list(axes[: len(labels)]), shrink=0.8, label="aligned overlap")
        axes[len(labels)].set_ylabel("P(q)")
        axes[len(labels)].legend(loc="upper left")
        return figure

"""Ground states: energies of the descents, eigenvalues of the Gram matrix, overlaps between descents."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from glassformer.plotting._style import COLORS, panels, style

_THRESHOLD = 1e-4  # of the rank


def ground_state_figure(dataset: xr.Dataset) -> Figure:
    """Draw how far each descent ends above the best, the eigenvalues of the best, and the invariant overlaps."""
    with style():
        figure, axes = panels(3 if "overlap" in dataset else 2, width=3.3)
        energies = np.sort(dataset["energies"].values)
        scale = max(abs(float(energies[0])), 1e-300)
        number = np.arange(1, energies.size + 1)
        above = (energies - energies[0]) / scale
        axes[0].plot(number, above, "o", ms=4, color=COLORS["gram"])
        axes[0].set_yscale("symlog", linthresh=1e-8)
        axes[0].set_ylim(-2e-9, max(1e-6, 3 * float(above[-1])))
        axes[0].set(xlabel="descent, the best first", ylabel="energy above the best, relative")
        axes[0].set_title(f"(a) {int(dataset['descents_agreeing'])} of {energies.size} agree")
        values = np.maximum(dataset["gram_eigenvalues"].values, 1e-12)
        axes[1].plot(np.arange(1, values.size + 1), values, "o", ms=4, color=COLORS["gram"])
        axes[1].axhline(_THRESHOLD, color="0.6", lw=1, ls="--")
        axes[1].set(yscale="log", ylim=(3e-13, 2), xlabel="mode", ylabel="eigenvalue of the Gram matrix / NR²")
        axes[1].set_title(f"(b) rank {int(dataset['gram_rank'])}, bound {int(dataset['gram_rank_bound'])} (no fields)")
        for ax, count in zip(axes, (energies.size, values.size)):
            margin = max(0.5, 0.03 * count)
            ax.set_xlim(1 - margin, count + margin)
            ax.xaxis.set_major_locator(MaxNLocator(6, integer=True, min_n_ticks=1))
        if "overlap" in dataset:
            _overlaps(figure, axes[2], dataset)
        return figure


def _overlaps(figure: Figure, ax: object, dataset: xr.Dataset) -> None:
    """Draw each pair of descents as one point: raw against invariant overlap."""
    from matplotlib.axes import Axes

    assert isinstance(ax, Axes)
    pairs = np.triu_indices(dataset.sizes["replica"], 1)
    raw = dataset["overlap"].values[pairs]
    looks = (("overlap_invariant", "o", "invariant", "gram"), ("overlap_aligned", "x", "aligned", "nmf"))
    for name, marker, label, color in looks:
        ax.plot(raw, dataset[name].values[pairs], marker, ms=4, mfc="none", color=COLORS[color], label=label)
    ax.set(xlim=(-1.05, 1.05), ylim=(-0.05, 1.05), xlabel="raw overlap", title="(c) overlaps of pairs of descents")
    figure.legend(loc="outside lower right", ncols=2)

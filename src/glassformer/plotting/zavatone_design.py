"""Figure of designed couplings: target, fields, diagonal sums, spectrum with feasibility, simulation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from glassformer.plotting._style import panels, style
from glassformer.plotting.zavatone import BLUE, RED, points

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure


def design_figure(dataset: xr.Dataset) -> Figure:
    """Draw one row for each target: correlations, field correlation, diagonal sums, spectrum of the couplings."""
    cases = [str(case) for case in dataset["case"].values]
    with style():
        figure, axes = panels(4, rows=len(cases), width=3.3, height=2.5)
        lag, distance, omega = (dataset[name].values for name in ("lag", "distance", "frequency"))
        for row, case in enumerate(cases):
            own = dataset.sel(case=case)
            tokens, fields, sums, spectrum = axes[4 * row : 4 * row + 4]
            good = bool(own["feasible"])
            tokens.plot(lag, own["target"], color="0.6", lw=3.5, label="target")
            tokens.plot(lag, own["autocorrelation"], color=BLUE, lw=1.3, label="achieved, N → ∞")
            measured, error = own["autocorrelation_simulation"], own["autocorrelation_simulation_error"]
            points(
                tokens, lag[1:], measured[1:], error[1:], color="k", ms=3, label=f"simulation, N = {dataset.attrs['n']}"
            )
            tokens.set_title(f"{case}: {'feasible' if good else 'not feasible'}", color="k" if good else RED)
            fields.plot(lag, own["inverted_field"], color="0.6", lw=3.5, label="inverted target")
            fields.plot(
                lag, own["field_target"] / own["field_target"][0], ".-", ms=4, lw=0.9, color=BLUE, label="feasible"
            )
            sums.bar(distance, own["diagonal_sums"], width=0.7, color=BLUE, label=f"K = {dataset.attrs['context']}")
            sums.plot(distance, own["first_diagonal_sums"], "_", ms=9, mew=1.6, color="k", label="K → ∞")
            spectrum.plot(omega, own["inverted_coupling_spectrum"], color="0.6", lw=3.5, label="inverted target")
            spectrum.plot(
                omega, own["coupling_spectrum"], color=BLUE, lw=1.3, label=f"achieved, K = {dataset.attrs['context']}"
            )
            low, high = float(own["inverted_coupling_spectrum"].min()), float(own["coupling_spectrum"].max())
            floor = min(1.25 * low, -0.15 * high)
            spectrum.axhspan(floor, 0.0, color=RED, alpha=0.15, lw=0, label="G < 0: no couplings")
            spectrum.set(ylim=(floor, 1.3 * high), xlim=(0, np.pi), xticks=[0, np.pi / 2, np.pi])
            spectrum.set_xticklabels(["0", "π/2", "π"])
            sums.set_xticks(distance[:: max(1, len(distance) // 4)])
            for ax in (tokens, fields, sums):
                ax.axhline(0.0, color="0.7", lw=0.8, zorder=0)
        for ax, title in zip(axes[1:4], ("fields, $Q_τ/Q_0$", "diagonal sums $g_d$", "spectrum $G(ω)$")):
            ax.set_title(title)
        for ax, label in zip(axes[-4:], ("lag τ", "lag τ", "distance d", "frequency ω")):
            ax.set_xlabel(label)
        axes[0].legend(loc="upper right", fontsize=7)
        axes[1].legend(loc="upper right", fontsize=7)
        axes[2].legend(loc="upper right", fontsize=7)
        axes[3].legend(loc="upper right", fontsize=7)
        return figure

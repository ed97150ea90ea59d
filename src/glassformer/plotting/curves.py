"""Small figures of curves: convergence of samplers, single-site response, Bessel ratios, iterated theories."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from glassformer.plotting._style import COLORS, LABELS, panels, series_colors, style


def convergence_figure(dataset: xr.Dataset) -> Figure:
    """Draw minus the global cosine with the target against the number of moves, one line per temperature (B.3.1)."""
    with style():
        figure, (ax,) = panels(1, width=5.2, height=3.8)
        betas = dataset["beta"].values
        for color, beta in zip(series_colors(len(betas)), sorted(betas, reverse=True)):
            ax.plot(dataset["move"], -dataset["target_cosine"].sel(beta=beta), color=color, label=f"{beta:g}")
        ax.set(xscale="log", xlabel="single-site moves", ylabel="−cos(s, target)", ylim=(-1.05, 0.2))
        ax.set_title("legacy sampler: convergence to the attention target")
        ax.legend(title="β", ncols=2, fontsize=7)
        return figure


def kinetic_ratios_figure(dataset: xr.Dataset) -> Figure:
    """Draw the alignment with the attention target against the number of moves for the three ratios (A.2.1)."""
    labels = {
        "stationary": "stationary: E(s′, s′) − E(s, s)",
        "kinetic_previous": "kinetic: E(s′, s) − E(s, previous)",
        "kinetic_reversed": "kinetic: E(s′, s) − E(s, s′)",
    }
    with style():
        figure, (ax,) = panels(1, width=5.2, height=3.8)
        for color, ratio in zip(("#0072B2", "#D55E00", "#009E73"), dataset["ratio"].values):
            ax.plot(dataset["move"], dataset["target_cosine"].sel(ratio=ratio), color=color, label=labels[str(ratio)])
        ax.set(xscale="log", xlabel="single-site moves", ylabel="cos(s, target)", ylim=(-0.2, 1.05))
        ax.set_title(f"three acceptance ratios at β = {dataset.attrs['beta']:g}")
        ax.legend()
        return figure


def vector_dynamics_figure(dataset: xr.Dataset) -> Figure:
    """Draw norm and alignment of the mean against time for every theory, one row per case (B23 vector 2-5)."""
    cases = [str(case) for case in dataset["case"].values]
    with style():
        figure, axes = panels(2, rows=len(cases), height=2.4)
        for row, case in enumerate(cases):
            part = dataset.sel(case=case)
            for ax, name in zip(axes[2 * row : 2 * row + 2], ("magnetization_norm", "alignment_of_mean")):
                for method in [str(m) for m in dataset["solver"].values]:
                    key, published = method.removesuffix("_bal2023"), method.endswith("_bal2023")
                    ax.plot(
                        dataset["time"],
                        part[name].sel(solver=method),
                        color=COLORS[key],
                        ls=":" if published else "-",
                        label=LABELS[key] + (" (as published)" if published else ""),
                    )
                limit = float(part[f"{name}_limit"])
                if np.isfinite(limit):
                    ax.axhline(limit, color="0.6", lw=1, ls="--", label="N, D → ∞ (exact)")
                ax.set(xlabel="step", title=f"{case}: {name.replace('_', ' ')}")
        axes[0].legend(fontsize=7)
        return figure


def response_figure(dataset: xr.Dataset) -> Figure:
    """Draw the length of the mean against the length of the field (B23 vector 6)."""
    with style():
        figure, (ax,) = panels(1, width=4.8, height=3.5)
        betas = dataset["beta"].values
        for color, beta in zip(series_colors(len(betas)), betas):
            part = dataset["response"].sel(beta=beta)
            ax.plot(dataset["field"], part.sel(kind="exact"), color=color, label=f"β = {beta:g}")
            ax.plot(dataset["field"], part.sel(kind="large_d"), color="0.3", lw=0.7, ls="--")
        ax.axhline(dataset.attrs["radius"], color="0.7", lw=0.8)
        ax.set(xlabel="|θ|", ylabel="|φ(θ)|", title=f"D = {dataset.attrs['dim']}; dashed: large-D form")
        ax.legend()
        return figure


def bessel_figure(dataset: xr.Dataset) -> Figure:
    """Draw the Bessel ratio against its order at three scalings of the argument (B23)."""
    with style():
        figure, (ax,) = panels(1, width=4.8, height=3.5)
        for color, scaling in zip(("#0072B2", "#009E73", "#D55E00"), dataset["scaling"].values):
            part = dataset.sel(scaling=scaling)
            ax.plot(dataset["order"], part["ratio"], "o", ms=4, color=color, label=f"x = {scaling}")
            ax.plot(dataset["order"], part["ratio_large_order"], color=color, lw=1)
        ax.set(xscale="log", xlabel="order ν", ylabel="I(ν+1, x) / I(ν, x)", ylim=(0, 1.02))
        ax.set_title("markers: exact; lines: leading uniform expansion")
        ax.legend()
        return figure

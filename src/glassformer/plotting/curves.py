"""Small figures of curves: convergence of samplers, single-site response, Bessel ratios, iterated theories."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from glassformer.plotting._style import COLORS, LABELS, panels, series_colors, style


def convergence_figure(dataset: xr.Dataset) -> Figure:
    """Draw minus the global cosine with the target against the number of moves, one line per temperature (B.3.1)."""
    with style():
        figure, (ax,) = panels(1, width=5.6, height=3.8)
        betas = sorted(dataset["beta"].values, reverse=True)
        move = dataset["move"].values
        for color, beta in zip(series_colors(len(betas)), betas):
            one = dataset.sel(beta=beta)
            ax.plot(move, -one["target_cosine"], color=color, label=f"{beta:g}")
            error = one["target_cosine_error"].fillna(0.0)
            low, high = -one["target_cosine"] - error, -one["target_cosine"] + error
            ax.fill_between(move, low, high, color=color, alpha=0.25, lw=0)
            ax.plot(1.6 * move[-1], -one["target_cosine_limit"], "<", ms=5, color=color, clip_on=False)
        ax.set(xscale="log", xlabel="single-site moves", ylabel="−⟨cos(s, target)⟩, as published", ylim=(-1.05, 0.15))
        ax.set_title("legacy sampler; triangles: stationary value, reaction left out")
        ax.legend(title="β", fontsize=7, loc="center left", bbox_to_anchor=(1.02, 0.5))
        return figure


def kinetic_ratios_figure(dataset: xr.Dataset) -> Figure:
    """Draw the alignment with the attention target against the number of moves for the three ratios (A.2.1)."""
    labels = {
        "stationary": "stationary: E(s′, s′) − E(s, s)",
        "kinetic_previous": "kinetic: E(s′, s) − E(s, previous)",
        "kinetic_reversed": "kinetic: E(s′, s) − E(s, s′)",
    }
    with style():
        figure, axes = panels(2)
        move = dataset["move"]
        limit = float(dataset["target_cosine_limit"].sel(ratio="stationary"))
        looks = {"stationary": ("#0072B2", "-", 2.6), "kinetic_previous": ("#D55E00", "--", 1.5)}
        for ratio in [str(name) for name in dataset["ratio"].values]:
            color, dash, width = looks.get(ratio, ("#009E73", "-", 1.5))
            cosine = dataset["target_cosine"].sel(ratio=ratio)
            error = dataset["target_cosine_error"].sel(ratio=ratio).fillna(0.0)
            axes[0].plot(move, cosine, dash, lw=width, color=color, label=labels[ratio])
            axes[0].fill_between(move, cosine - error, cosine + error, color=color, alpha=0.25, lw=0)
            axes[1].errorbar(move, 1 - cosine, yerr=error, fmt="o", ms=3, mfc="white", lw=0.8, color=color)
        axes[1].axhline(1 - limit, color="0.5", lw=1, ls="--", label="stationary value, reaction left out")
        axes[0].set(xlabel="single-site moves", title=f"(a) cos(s, target) at β = {dataset.attrs['beta']:g}")
        axes[0].set(xscale="log", ylim=(-0.05, 1.05))
        late = max(1.0, float(move[-1]) * 1e-3)
        axes[1].set(xscale="log", yscale="log", xlabel="single-site moves", xlim=(late, float(move[-1]) * 1.5))
        axes[1].set_title("(b) what is missing, 1 − cos(s, target)")
        handles = [*axes[0].get_lines(), *axes[1].get_lines()[-1:]]
        figure.legend(handles=handles, loc="outside lower center", ncols=2)
        return figure


def vector_dynamics_figure(dataset: xr.Dataset) -> Figure:
    """Draw norm and alignment of the mean against time for every theory, one row per case (B23 vector 2-5)."""
    cases = [str(case) for case in dataset["case"].values]
    titles = {"magnetization_norm": "length of the mean, |m|", "alignment_of_mean": "alignment, cos(m, x)"}
    looks = {"gram": ("-", 2.6), "nmf": ("-", 1.5), "tap": ("-", 1.5), "tap_bal2023": (":", 1.8)}
    with style():
        figure, axes = panels(2, rows=len(cases), height=2.4)
        for row, case in enumerate(cases):
            part = dataset.sel(case=case)
            for ax, (name, title) in zip(axes[2 * row : 2 * row + 2], titles.items()):
                for method, (dash, width) in looks.items():
                    key = method.removesuffix("_bal2023")
                    label = LABELS[key] + (" (as published)" if key != method else "")
                    ax.plot(
                        dataset["time"], part[name].sel(solver=method), dash, lw=width, color=COLORS[key], label=label
                    )
                limit = float(part[f"{name}_limit"])
                if np.isfinite(limit):
                    ax.axhline(limit, color="0.4", lw=1, ls="--", label="N, D → ∞ (exact)", zorder=1)
                ax.set(xlabel="step", title=f"{_case(case)}: {title}")
                ax.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
            axes[2 * row].set_ylim(bottom=0)
        axes[0].legend(fontsize=7, loc="lower right")
        return figure


def _case(name: str) -> str:
    return name.replace("beta", "β").replace("=", " = ").replace("2J", "couplings × 2")


def response_figure(dataset: xr.Dataset) -> Figure:
    """Draw the length of the mean against the length of the field (B23 vector 6)."""
    with style():
        figure, (ax,) = panels(1, width=4.8, height=3.5)
        betas, field, radius = dataset["beta"].values, dataset["field"].values, float(dataset.attrs["radius"])
        for color, beta in zip(series_colors(len(betas)), betas):
            part = dataset["response"].sel(beta=beta)
            ax.plot(field, part.sel(kind="exact"), color=color, lw=2)
            ax.plot(field, part.sel(kind="large_d"), color="0.2", lw=0.8, ls="--")
            end = float(part.sel(kind="exact")[-1])
            ax.annotate(f"β = {beta:g}", (field[-1], end), (4, 0), textcoords="offset points", va="center", color=color)
        ax.axhline(radius, color="0.7", lw=0.8)
        ax.annotate("R", (0, radius), (4, -2), textcoords="offset points", va="top", color="0.5")
        at_radius = float(dataset["response_at_radius"].sel(kind="large_d"))
        ax.plot(radius, at_radius, "o", ms=5, mfc="white", color="0.2", label="R / (1 + √2) at |θ| = R, β = 1")
        ax.plot([], [], color="0.2", lw=0.8, ls="--", label="leading form at large D")
        ax.set(xlabel="length of the field, |θ|", ylabel="length of the mean, |φ(θ)|", xlim=(0, field[-1]))
        ax.set(ylim=(0, 1.05 * radius), title=f"D = {dataset.attrs['dim']}; lines: exact")
        figure.legend(loc="outside lower center", ncols=2)
        return figure


def bessel_figure(dataset: xr.Dataset) -> Figure:
    """Draw the Bessel ratio against its order at three scalings of the argument (B23)."""
    names = {"sqrt(nu)": "x = √ν, tends to 0", "nu": "x = ν, tends to √2 − 1", "nu^2": "x = ν², tends to 1"}
    with style():
        figure, (ax,) = panels(1, width=4.8, height=3.5)
        looks = (("#0072B2", "o", 8), ("#009E73", "s", 5.5), ("#D55E00", "x", 4))  # all three meet at ν = 1
        for (color, marker, size), scaling in zip(looks, dataset["scaling"].values):
            part = dataset.sel(scaling=scaling)
            ax.plot(dataset["order"], part["ratio_large_order"], color=color, lw=1)
            ax.plot(
                dataset["order"], part["ratio"], marker, ms=size, mfc="none", color=color, label=names[str(scaling)]
            )
        ax.set(xscale="log", xlabel="order ν", ylabel="I(ν+1, x) / I(ν, x)", ylim=(-0.02, 1.02))
        ax.set_title("markers: exact; lines: leading uniform expansion")
        ax.legend(loc="center right", bbox_to_anchor=(1.0, 0.66))
        return figure

"""Figures of extended-context models: memory of the spherical rule, entropy production at one correlation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from glassformer.plotting._style import panels, series_colors, style
from glassformer.plotting.zavatone import points

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

_BLUE, _RED, _GREEN, _PINK = "#0072B2", "#D55E00", "#009E73", "#CC79A7"


def spherical_figure(dataset: xr.Dataset) -> Figure:
    """Draw the correlation time against inverse temperature, and aging curves against scaled delay."""
    with style():
        figure, axes = panels(2, width=4.5, height=3.5)
        ax, aging = axes
        beta = dataset["beta"].values
        for color, law in zip((_BLUE, _RED), dataset["law"].values):
            time = dataset["correlation_time"].sel(law=law)
            ax.plot(beta, time, color=color, label=str(law))
            slope = float(dataset["slope_limit"].sel(law=law))
            ax.plot(beta, slope * beta, color=color, lw=0.9, ls="--", label=f"{slope:.3f} β")
        ax.set(xscale="log", yscale="log", xlabel="inverse temperature β", ylabel="correlation time")
        ax.set_title("finite temperature: memory grows as β")
        ax.legend()
        ages = dataset["waiting_time"].values
        for color, age in zip(series_colors(len(ages)), ages):
            own = dataset.sel(waiting_time=age)
            scaled = own["delay"] / np.sqrt(age)
            aging.plot(scaled, own["two_time_correlation"], color=color, label=f"$t_w$ = {age}")
        x = np.linspace(0.0, float((dataset["delay"] / np.sqrt(dataset["waiting_time"])).max()), 200)
        spread = float(dataset["aging_constant"])
        aging.plot(x, np.exp(-(x**2) / (2 * spread)), "k:", lw=1.3, label="exp(−x²/2D), $t_w$ → ∞")
        aging.set(xlabel="x = τ / √$t_w$", ylabel="$C(t_w + τ, t_w)$", ylim=(-0.03, 1.03))
        aging.set_title("zero temperature: aging")
        aging.legend(loc="upper right")
        return figure


_MARKS = {
    "minimum phase": ("v", _RED),
    "maximum phase": ("^", _BLUE),
    "largest determinant": ("o", "k"),
    "Toeplitz": ("s", _PINK),
}


def irreversibility_figure(dataset: xr.Dataset) -> Figure:
    """Draw the entropy production of covariances with the same diagonal sums, and its range against temperature."""
    laws = [str(law) for law in dataset["law"].values]
    with style():
        figure, axes = panels(1 + len(laws), width=3.9, height=3.6)
        ratio = axes[-1]
        beta = dataset["beta"].values
        for ax, law, color in zip(axes, laws, (_GREEN, "#E69F00")):
            own = dataset.sel(law=law)
            image = ax.pcolormesh(
                own["first"], own["last"], own["entropy_production"].transpose("last", "first"), cmap="viridis",
                shading="nearest", rasterized=True,
            )  # fmt: skip
            figure.colorbar(image, ax=ax, shrink=0.8, label="nats per step and site")
            for name, (marker, edge) in _MARKS.items():
                here = own.sel(member=name)
                ax.plot(
                    here["member_first"], here["member_last"], marker, ms=7, mfc="white", mec=edge, mew=1.6, label=name
                )
            ax.set(xlabel="$Γ_{11}/g_0$", ylabel="$Γ_{33}/g_0$", xlim=(-0.04, 1.04), ylim=(-0.04, 1.04), aspect="equal")
            ax.set_title(f"{law}, β = {dataset.attrs['beta']:g}")
            unit = own["entropy_production_member"].sel(member="largest determinant")
            low, high = (own[f"entropy_production_{end}"] / unit for end in ("lowest", "highest"))
            ratio.fill_between(beta, low, high, color=color, alpha=0.35, lw=0, label=f"{law}: all covariances")
            for name, dash in (("minimum phase", "--"), ("maximum phase", ":")):
                ratio.plot(
                    beta,
                    own["entropy_production_member"].sel(member=name) / unit,
                    dash,
                    color=color,
                    label=f"{law}: {name}",
                )
        axes[0].legend(loc="upper right", fontsize=7)
        for name, marker in (("minimum phase", "v"), ("maximum phase", "^")):
            own = dataset.sel(phase=name)
            scale = own["entropy_production_simulation_unit"]
            measured, error = (own[f"entropy_production_simulation{end}"] / scale for end in ("", "_error"))
            points(
                ratio, own["beta_simulated"], measured, error, fmt=marker, color="k", ms=5,
                label=f"simulation, {name}",
            )  # fmt: skip
        ratio.axhline(1.0, color="0.4", lw=0.8)
        ratio.set(xlabel="inverse temperature β", title="over that of the largest determinant")
        ratio.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=7.5)
        return figure

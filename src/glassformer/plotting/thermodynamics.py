"""Figures of asymmetry, entropy production, quenches and relaxation."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from glassformer.plotting._style import COLORS, LABELS, panels, style

_MARKS: dict[str, Any] = {"fmt": "o", "ms": 4, "mfc": "white", "capsize": 2, "lw": 1, "color": COLORS["simulation"]}
_ROUNDING = 1e-14  # mismatch below it, relative to the largest or to 1 nat, is rounding


def _errors(dataset: xr.Dataset, name: str) -> xr.DataArray:
    return dataset.get(f"{name}_error", xr.full_like(dataset[name], np.nan))


def asymmetry_figure(dataset: xr.Dataset) -> Figure:
    """Draw every quantity against the symmetry of the couplings: markers simulation, lines theories, dashes infinite size."""
    shown = {
        "alignment_of_mean": "alignment of the mean",
        "mean_of_alignment": "mean of the alignment",
        "delayed_correlation_rms": "rms delayed correlation / R²",
        "correlation_rms": "rms equal-time correlation / R²",
        "relaxation_rate": "slowest relaxation rate per step",
        "entropy_production_per_spin_and_component": "entropy production / (N D)",
    }
    with style():
        figure, axes = panels(3, rows=2, width=3.5, height=2.9)
        k2 = dataset["asymmetry"].values ** 2
        symmetry = np.where(np.isinf(k2), -1.0, (1 - k2) / (1 + np.where(np.isinf(k2), 1.0, k2)))
        for ax, (name, title) in zip(axes, shown.items()):
            for solver in [str(value) for value in dataset["solver"].values]:
                values, error = dataset[name].sel(solver=solver), _errors(dataset, name).sel(solver=solver)
                if solver == "simulation":
                    ax.errorbar(symmetry, values, yerr=error, label=LABELS[solver], zorder=3, **_MARKS)
                else:
                    ax.plot(symmetry, values, ".-", ms=3, color=COLORS[solver], label=LABELS[solver])
            if f"{name}_limit" in dataset:
                ax.plot(symmetry, dataset[f"{name}_limit"], "--", lw=1, color="0.4", label="N, D → ∞")
            ax.set(title=title, xlabel="symmetry η (1: symmetric, −1: antisymmetric)", xlim=(1.06, -1.06))
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
        return figure


def entropy_production_figure(dataset: xr.Dataset) -> Figure:
    """Draw every estimate beside the simulated one and its error, the circulation as a map, and what each site produces."""
    colors = {"correlations": COLORS["simulation"], "path": COLORS["saddle_point"], "plefka": COLORS["nmf"]}
    with style():
        figure, axes = panels(3, width=3.7)
        names = [str(name) for name in dataset["estimator"].values]
        values, error = dataset["entropy_production"].values, dataset["entropy_production_error"].values
        # Points rather than bars from 0, beside which the errors could not be seen.
        for row, name in enumerate(names):
            color = colors.get(name) or COLORS[name]
            error_bar = error[row] if np.isfinite(error[row]) else None
            axes[0].errorbar(values[row], row, xerr=error_bar, fmt="o", ms=5, capsize=5, lw=1.8, color=color)
        axes[0].axvline(values[0], color="0.4", lw=0.8, ls="--", zorder=0)
        axes[0].set_yticks(range(len(names)), names)
        axes[0].margins(x=0.1, y=0.12)
        axes[0].invert_yaxis()
        axes[0].set(xlabel="nats per step; bars: 1 standard error", title="entropy production")
        flow = dataset["circulation"].values
        bound = max(float(np.abs(flow).max()), 1e-300)
        image = axes[1].imshow(flow, cmap="RdBu_r", vmin=-bound, vmax=bound, interpolation="nearest")
        axes[1].set(xlabel="site j", ylabel="site i", title="circulation: red where i follows j")
        figure.colorbar(image, ax=axes[1], shrink=0.85)
        site = np.arange(dataset.sizes["site"])
        axes[2].bar(site, dataset["site_entropy_production"], 0.8, color="0.75", label=LABELS["simulation"])
        axes[2].plot(
            site, dataset["site_entropy_production_gram"], ".", ms=4, color=COLORS["gram"], label=LABELS["gram"]
        )
        axes[2].set(xlabel="site", title="entropy production per site")
        axes[2].margins(y=0.25)
        axes[2].xaxis.set_major_locator(MaxNLocator(integer=True))
        axes[2].legend(loc="upper right", ncols=2)
        return figure


def quench_figure(dataset: xr.Dataset) -> Figure:
    """Draw the mismatch, the parts of the entropy of every step, and the alignment, cycle after cycle."""
    with style():
        figure, axes = panels(3, width=3.7)
        cycles = dataset if "cycle" in dataset.dims else dataset.expand_dims("cycle")
        length = dataset.sizes["step"]
        parts = {
            "housekeeping_entropy_production": ("housekeeping", COLORS["gram"]),
            "nonadiabatic_entropy_production": ("nonadiabatic", COLORS["nmf"]),
            "environment_entropy_production": ("environment", COLORS["enumeration"]),
        }
        size = cycles["mismatch"].transpose("cycle", ...).values
        largest = float(np.max(size, where=np.isfinite(size), initial=0.0))
        kept = np.isfinite(size) & (size > _ROUNDING * max(largest, 1.0))
        for number in range(cycles.sizes["cycle"]):
            cycle = cycles.isel(cycle=number)
            time, first = number * length + np.arange(length + 1), number == 0
            mismatch = np.where(kept[number], cycle["mismatch"], np.nan)
            axes[0].plot(time, mismatch, "o-", ms=3, color=COLORS["gram"])
            for name, (label, color) in parts.items():
                axes[1].plot(time[:-1], cycle[name], "o-", ms=3, color=color, label=label if first else None)
            if dataset.sizes["component"] > 1:  # that of one component is an average of signs
                axes[2].plot(
                    time, cycle["alignment_of_mean"], color=COLORS["gram"], label="of the mean" if first else None
                )
            axes[2].plot(time, cycle["mean_of_alignment"], color=COLORS["nmf"], label="mean of" if first else None)
            for ax in axes if not first else ():
                ax.axvline(time[0], color="0.85", lw=0.8, zorder=0)
        axes[0].set(xlabel="step", title="mismatch Δ, nats", yscale="log" if kept.any() else "linear")
        axes[1].set(xlabel="step", title="entropy of a step, nats")
        for ax in axes:
            ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes[1].axhline(0.0, color="0.7", lw=0.8, zorder=0)
        axes[1].legend()
        if dataset.sizes["component"] > 1:
            axes[2].legend()
            axes[2].set(title="alignment with the new drive")
        else:
            axes[2].set(title="mean of the alignment with the new drive")
        axes[2].set(xlabel="step")
        axes[0].set_xlim(axes[2].get_xlim())
        return figure


def relaxation_figure(dataset: xr.Dataset) -> Figure:
    """Draw the autocorrelation against the lag, and the modes in the complex plane."""
    with style():
        figure, axes = panels(2, width=4.0, height=3.4)
        lag = dataset["lag"].values[1:]
        if "autocorrelation" in dataset:
            axes[0].errorbar(
                lag,
                dataset["autocorrelation"][1:],
                yerr=dataset["autocorrelation_error"][1:],
                label=LABELS["simulation"],
                **_MARKS,
            )
        turn = np.linspace(0, 2 * np.pi, 200)
        axes[1].plot(np.cos(turn), np.sin(turn), color="0.8", lw=0.8)
        for name, end, look in (("gram", "_gram", "+"), ("enumeration", "_enumeration", "x"), ("simulation", "", "o")):
            if f"mode_rate{end}" not in dataset:
                continue
            if end:
                axes[0].plot(lag, dataset[f"autocorrelation{end}"][1:], color=COLORS[name], label=LABELS[name])
            mode = np.exp(-dataset[f"mode_rate{end}"].values + 1j * dataset[f"mode_angle{end}"].values)
            axes[1].plot(mode.real, mode.imag, look, ms=4, mfc="none", color=COLORS[name], label=LABELS[name])
        axes[0].axhline(0.0, color="0.7", lw=0.8, zorder=0)
        axes[0].xaxis.set_major_locator(MaxNLocator(integer=True))
        axes[0].set(xlabel="lag in steps", title="autocorrelation of the spins; 1 at lag 0")
        axes[0].legend()
        axes[1].set(xlabel="Re λ", ylabel="Im λ", title="relaxation modes; circle: |λ| = 1", aspect="equal")
        axes[1].legend(loc="upper right", fontsize=7)
        return figure

"""Figures of the general runs `vector/...`."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from glassformer.plotting._style import COLORS, LABELS, panels, style


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


def temper_figure(dataset: xr.Dataset) -> Figure:
    """Draw energy and specific heat against temperature, and how well the ladder exchanged."""
    with style():
        figure, axes = panels(3, width=3.4)
        beta = dataset["beta"].values
        for ax, name, title in (
            (axes[0], "energy", "energy per spin"),
            (axes[1], "specific_heat", "specific heat per spin"),
        ):
            error = dataset[f"{name}_error"].values if f"{name}_error" in dataset else None
            marks: dict[str, Any] = {
                "fmt": "o",
                "ms": 3.5,
                "mfc": "white",
                "capsize": 2,
                "lw": 1,
                "color": COLORS["simulation"],
            }
            ax.errorbar(beta, dataset[name].values, yerr=error, **marks)
            ax.set(title=title)
        middle = np.sqrt(beta[1:] * beta[:-1]) if beta[0] > 0 else 0.5 * (beta[1:] + beta[:-1])
        axes[2].plot(middle, dataset["swap_rate"].values, "o-", ms=3.5, color=COLORS["gram"])
        trips = dataset["round_trips"].values
        axes[2].set(ylim=(0, 1), title=f"swap rate; round trips per ladder: {trips.min()} to {trips.max()}")
        for ax in axes:
            ax.set(xlabel="inverse temperature β", xscale="log" if beta[0] > 0 else "linear")
            shown = beta[:: max(1, len(beta) // 5)]
            ax.set_xticks(shown, [f"{value:.2g}" for value in shown])
            ax.minorticks_off()
        return figure


_METHODS = {
    "NaiveMeanField": "nmf",
    "TAP": "tap",
    "GramClosure": "gram",
    "GaussianClosure": "gaussian",
    "SaddlePoint": "saddle_point",
    "AdaptiveTAP": "adaptive_tap",
    "Enumeration": "enumeration",
}


def compare_figure(dataset: xr.Dataset) -> Figure:
    """Draw how far every theory is from the simulation, relative to it, beside the noise of the simulation.

    Quantities that the simulation does not resolve from zero have no relative difference and are left out.
    """
    with style():
        solvers = [str(name) for name in dataset["solver"].values]
        resolved = [
            str(name)
            for name in dataset
            if f"{name}_deviation" in dataset and abs(dataset[name][0]) > 3 * dataset[f"{name}_error"][0]
        ]
        arrays = [str(name) for name in dataset if str(name).endswith("_rms_difference")]
        figure, axes = panels(2, width=4.4, height=0.9 + 0.45 * max(len(resolved), 4))
        rows, bars = np.arange(len(resolved)), np.arange(len(arrays))
        size = np.array([abs(float(dataset[name][0])) for name in resolved])
        noise = np.array([float(dataset[f"{name}_error"][0]) for name in resolved]) / size
        axes[0].errorbar(
            np.zeros(len(resolved)), rows, xerr=noise, fmt="|", color="0.4", capsize=4, label="simulation ± s.e."
        )
        for k, solver in enumerate(solvers[1:]):
            shift = k - 0.5 * (len(solvers) - 2)
            color, label = COLORS[_METHODS[solver]], LABELS[_METHODS[solver]]
            values = np.array([float(dataset[name].sel(solver=solver) - dataset[name][0]) for name in resolved])
            axes[0].plot(values / size, rows + 0.13 * shift, "o", ms=4, color=color, label=label)
            lengths = [float(dataset[name].sel(solver=solver)) for name in arrays]
            axes[1].barh(bars + 0.8 / (len(solvers) - 1) * shift, lengths, 0.7 / (len(solvers) - 1), color=color)
        axes[0].set_yticks(rows, [name.replace("_", " ") for name in resolved])
        axes[1].set_yticks(bars, [name.removesuffix("_rms_difference").replace("_", " ") for name in arrays])
        axes[0].set(xlabel="relative difference from the simulation")
        axes[1].set(xlabel="rms difference over all entries, relative to the simulation")
        for ax in axes[:2]:
            ax.invert_yaxis()
        figure.legend(loc="outside upper center", ncols=len(solvers))
        return figure


def couplings_figure(dataset: xr.Dataset) -> Figure:
    """Draw the matrix of couplings and the couplings of each pair in both directions; of several heads, the matrices."""
    with style():
        if "head" in dataset["couplings"].dims:
            return _heads(dataset)
        figure, axes = panels(2, width=3.6)
        matrix = dataset["couplings"].values
        image = axes[0].imshow(matrix, interpolation="nearest", **_scale(matrix))
        axes[0].set(xlabel="site j", ylabel="site i", title="couplings, j acts on i")
        figure.colorbar(image, ax=axes[0], shrink=0.85)
        upper = np.triu_indices(len(matrix), 1)
        axes[1].plot(matrix[upper], matrix.T[upper], ".", ms=2, color=COLORS["gram"])
        axes[1].set(xlabel="$J_{ij}$", ylabel="$J_{ji}$", title=f"symmetry {float(dataset['symmetry']):.3f}")
        return figure


def _scale(matrix: np.ndarray) -> dict[str, Any]:
    """Return the colours of couplings: about 0 where they have both signs, upwards from 0 where none is negative."""
    bound = max(float(np.abs(matrix).max()), 1e-300)
    if matrix.min() >= 0.0:
        return {"cmap": "viridis", "vmin": 0.0, "vmax": bound}
    return {"cmap": "RdBu_r", "vmin": -bound, "vmax": bound}


def _heads(dataset: xr.Dataset) -> Figure:
    matrices = dataset["couplings"].values
    columns = min(len(matrices), 4)
    figure, axes = panels(columns, rows=-(-len(matrices) // columns), width=2.4, height=2.3)
    scale = _scale(matrices)
    for head, ax in enumerate(axes):
        if head >= len(matrices):
            ax.set_axis_off()
            continue
        image = ax.imshow(matrices[head], interpolation="nearest", **scale)
        symmetry = float(dataset["symmetry"][head])
        ax.set(xticks=[], yticks=[], xlabel="site j", ylabel="site i", title=f"head {head}, symmetry {symmetry:.3f}")
    figure.colorbar(image, ax=list(axes), shrink=0.85)
    return figure


def contraction_figure(dataset: xr.Dataset) -> Figure:
    """Draw the eigenvalues of the couplings in units of the instability, and the lengths of the means at the fixed point."""
    with style():
        figure, axes = panels(2, width=3.9)
        turn = np.linspace(0, 2 * np.pi, 200)
        axes[0].plot(np.cos(turn), np.sin(turn), color="0.6", lw=1)
        limit = float(dataset["instability_beta"])
        scale = float(dataset.attrs["beta"]) / limit / max(float(dataset["spectral_radius"]), 1e-300)
        if "eigenvalue_real" in dataset and np.isfinite(scale):
            x, y = (scale * dataset[f"eigenvalue_{part}"].values for part in ("real", "imag"))
            axes[0].plot(x, y, ".", ms=4, color=COLORS["gram"], label="no field: $(\\beta R^2/D)\\,\\lambda(J)$")
        real, imag = (float(dataset[f"jacobian_eigenvalue_{part}"]) for part in ("real", "imag"))
        axes[0].plot(
            [real, real], [imag, -imag], "*", ms=9, color=COLORS["nmf"], label="at the fixed point, the largest"
        )
        axes[0].set(xlabel="real part", ylabel="imaginary part", title="relaxation returns from inside the circle")
        axes[0].set_aspect("equal", adjustable="datalim")
        figure.legend(loc="outside lower left", ncols=2)
        length = np.linalg.norm(dataset["magnetization"].values, axis=-1) / dataset.attrs["radius"]
        axes[1].plot(np.arange(len(length)), length, "o", ms=3.5, color=COLORS["nmf"])
        axes[1].set(xlabel="site", ylabel="|m| / R", ylim=(0, 1.02))
        told = f"ρ = {float(dataset['contraction_bound']):.3g}, branches: {int(dataset['branches'])}"
        if float(dataset["jacobian_spectral_radius"]) > 1 + 1e-6:
            told += "; relaxation leaves this point"
        axes[1].set_title(told)
        return figure

"""A design from target to couplings, and beside its simulation."""

from __future__ import annotations

import math
from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.ticker import MaxNLocator

from glassformer.plotting._style import COLORS, panels, style

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_TARGET, _ACHIEVED, _WRONG = "#D55E00", COLORS["gram"], "#CC79A7"


def design_figure(dataset: xr.Dataset) -> Figure:
    """Draw target and achieved correlation, the field correlation, the diagonal sums and the spectrum of the couplings."""
    with style():
        figure, (top, field, sums, spectrum) = panels(2, rows=2, width=4.4, height=3.0)
        _correlation(top, dataset)
        lag = dataset["lag"].values
        field.axhline(0.0, color="0.8", lw=0.8)
        if "inverted_field" in dataset:
            field.plot(lag, dataset["inverted_field"], color=_TARGET, lw=2.5, alpha=0.5, label="asked for by the rule")
        field.plot(
            lag, dataset["field_target"], color=_ACHIEVED, label="positive definite" if _failed(dataset) else "design"
        )
        field.set(xlabel="lag τ", ylabel="Q(τ)", title="(b) correlation of the fields behind it")
        field.legend()
        for ax in (top, field):
            ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        _sums(sums, dataset)
        _spectrum(spectrum, dataset)
        feasible = bool(dataset["feasible"])
        words = f"{dataset.attrs['target_text']}, {dataset.attrs['variant']}{_temperature(dataset)}: "
        figure.suptitle(words + ("feasible" if feasible else "infeasible; the nearest feasible design"), fontsize=10)
        return figure


def verify_figure(dataset: xr.Dataset) -> Figure:
    """Draw what `Design.verify` returns: target, theory, simulation with error bars, and the deviation."""
    with style():
        figure, (left, right) = panels(2, width=4.4, height=3.1)
        _correlation(left, dataset)
        lag = dataset["lag"].values
        words = f"n = {dataset.attrs['n']}, {dataset.attrs['draws']} draws"
        if not _settled(dataset):
            right.set(title=f"(b) {words}: the simulation does not settle")
            right.axis("off")
            right.text(0.0, 0.5, fill(str(dataset.attrs["note"]), 52), transform=right.transAxes, va="center")
            return figure
        gap = dataset["autocorrelation_simulated"] - dataset["autocorrelation"]
        tolerance = dataset["autocorrelation_tolerance"]
        right.fill_between(lag, -tolerance, tolerance, color="0.9", label="tolerance: 4 errors and 2/n")
        error = dataset["autocorrelation_simulated_error"]
        right.errorbar(lag, gap, yerr=error, fmt="o", ms=3.5, mfc="white", color=COLORS["simulation"], lw=0.9)
        right.axhline(0.0, color=_ACHIEVED)
        right.set(
            xlabel="lag τ",
            title=f"(b) simulation less theory, {words}",
        )
        high = 1.35 * float(tolerance.max())
        right.set_ylim(-high, high)
        right.legend()
        return figure


def _correlation(ax: Axes, dataset: xr.Dataset) -> None:
    lag = dataset["lag"].values
    ax.axhline(0.0, color="0.8", lw=0.8)
    ax.plot(lag, dataset["target"], color=_TARGET, lw=2.5, alpha=0.5, label="target")
    ax.plot(lag, dataset["autocorrelation"], color=_ACHIEVED, label="theory of the design")
    if "autocorrelation_simulated" in dataset and not _settled(dataset):  # its numbers would flatten everything else
        ax.plot([], [], "o", ms=3.5, mfc="white", color=COLORS["simulation"], label="simulation does not settle")
    elif "autocorrelation_simulated" in dataset:
        error = dataset["autocorrelation_simulated_error"]
        ax.errorbar(
            lag, dataset["autocorrelation_simulated"], yerr=error, fmt="o", ms=3.5, mfc="white", lw=0.9,
            color=COLORS["simulation"], label=f"simulation, n = {dataset.attrs['n']}",
        )  # fmt: skip
    gap = float(np.abs(dataset["target"] - dataset["autocorrelation"]).max())
    ax.set(xlabel="lag τ", ylabel="c(τ)", title=f"(a) autocorrelation; largest error {gap:.2g}")
    ax.legend()


def _sums(ax: Axes, dataset: xr.Dataset) -> None:
    ax.axhline(0.0, color="0.8", lw=0.8)
    context = dataset.sizes["distance"]
    whole = dataset["whole_diagonal_sums"].values[: max(context + 8, 12)]
    ax.plot(np.arange(len(whole)), whole, "o", ms=6, mfc="none", color=_TARGET, alpha=0.6, label="without a limit of K")
    ax.plot(dataset["distance"], dataset["diagonal_sums"], ".", ms=5, color=_ACHIEVED, label=f"K = {context}")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set(xlabel="d", ylabel="g(d)", title="(c) diagonal sums of the covariance")
    ax.legend()


def _spectrum(ax: Axes, dataset: xr.Dataset) -> None:
    omega = dataset["frequency"].values
    ax.plot(omega, dataset["coupling_spectrum"], color=_ACHIEVED, label="G of the design")
    name = "inverted_coupling_spectrum" if "inverted_coupling_spectrum" in dataset else "whole_coupling_spectrum"
    asked = dataset[name].values
    high = max(float(dataset["coupling_spectrum"].max()), float(dataset["whole_coupling_spectrum"].max()), 1e-300)
    low = max(min(0.0, float(asked.min())), -high)
    ax.plot(
        omega, asked, color=_TARGET, lw=2.5, alpha=0.5, label="asked for" if "inv" in name else "without a limit of K"
    )
    ax.axhspan(low - 0.15 * high, 0.0, color=_WRONG, alpha=0.18, lw=0, label="no covariance")
    ax.set(xlabel="ω", ylabel="G(ω)", xlim=(0.0, math.pi), ylim=(low - 0.15 * high, 1.15 * high))
    ax.set_title("(d) spectrum of the couplings")
    ax.legend()


def _settled(dataset: xr.Dataset) -> bool:
    return str(dataset["verdict"].values) != "does not settle"


def _failed(dataset: xr.Dataset) -> bool:
    return not bool(dataset["feasible"])


def _temperature(dataset: xr.Dataset) -> str:
    if "sigma" in dataset.attrs:
        return f", σ = {dataset.attrs['sigma']:.4g}"
    beta = float(dataset.attrs["beta"])
    return ", β = ∞" if math.isinf(beta) else f", β = {beta:.4g}"

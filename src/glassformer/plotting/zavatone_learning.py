"""Figure of learning curves: linear students, online descent, logistic students, and the floor of their loss."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.ticker import NullLocator

from glassformer.plotting._style import panels, style
from glassformer.plotting.zavatone import BLUE, GREEN, PINK, RED, points

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def learning_figure(dataset: xr.Dataset) -> Figure:
    """Draw test errors against the number of windows: lines for theory, markers for runs."""
    with style():
        figure, axes = panels(2, rows=2, width=4.7, height=3.5)
        _linear(axes[0], dataset)
        _online(axes[1], dataset)
        _logistic(axes[2], dataset)
        _loss(axes[3], dataset)
        return figure


def _linear(ax: Axes, dataset: xr.Dataset) -> None:
    rows = (
        ("max_det", "least squares", RED, "least squares"),
        ("max_det", "ridge", PINK, f"ridge, λ = {dataset.attrs['penalty']:g}"),
        ("max_det", "Bayes", BLUE, "Bayes, covariance of full rank"),
        ("rank_one", "Bayes", GREEN, "Bayes, covariance of rank one"),
    )
    ratio = dataset["ratio"].values
    for task, student, color, label in rows:
        curve = dataset[f"{task}_excess_curve"].sel(student=student)
        measured, error = (dataset[f"{task}_excess{end}"].sel(student=student) for end in ("", "_error"))
        ax.plot(dataset["curve_ratio"], np.where(np.isfinite(curve), curve, 1e6), color=color, label=label)
        points(ax, ratio, measured, np.minimum(error, 0.9 * measured), color=color)
    ax.set(
        xscale="log", yscale="log", ylim=(0.03, 60), xlabel="windows per coupling, P / d", ylabel="excess squared error"
    )
    _ticks(ax, np.array([0.25, 0.5, 1.0, 2.0, 5.0, 10.0]))
    ax.set_title(f"Gaussian teachers, two lags, N = {dataset.attrs['n']}")
    ax.legend(loc="upper right", fontsize=7)


def _online(ax: Axes, dataset: xr.Dataset) -> None:
    step = dataset["step"].values
    for task, color, label in (("max_det", BLUE, "full rank"), ("rank_one", GREEN, "rank one")):
        ax.plot(step, dataset[f"{task}_excess_online_theory"], color=color, label=label)
        points(ax, step, dataset[f"{task}_excess_online"], dataset[f"{task}_excess_online_error"], color=color)
    ax.set(
        xscale="log",
        xlabel="step",
        ylabel="excess squared error",
        title=f"online descent, rate {dataset.attrs['rate']:g}",
    )
    ax.set_ylim(bottom=0)
    ax.legend()


def _logistic(ax: Axes, dataset: xr.Dataset) -> None:
    ratio = dataset["ising_ratio"].values
    for student, color in (("likelihood", RED), ("mean field", BLUE)):
        own = dataset.sel(ising_student=student)
        ax.plot(dataset["ising_curve_ratio"], own["ising_excess_curve"], color=color, label=f"{student}, theory")
        measured = own["ising_excess"].where(own["ising_separated"] == 0.0)
        points(ax, ratio, measured, np.minimum(own["ising_excess_error"], 0.9 * measured), color=color)
    ax.plot(ratio, dataset["ising_excess_asymptote"], "k--", lw=1, label="d / 2P")
    threshold = float(dataset["ising_separability_threshold"])
    ax.axvline(threshold, color="0.6", lw=1, ls=":")
    ax.annotate("separable", (threshold, 1.0), (-3, -3), xycoords=("data", "axes fraction"), textcoords="offset points",
                rotation=90, ha="right", va="top", color="0.4", fontsize=8)  # fmt: skip
    ax.set(xscale="log", yscale="log", xlabel="windows per coupling, P / d", ylabel="excess log loss, nats per site")
    ax.set(
        ylim=(0.5 * float(dataset["ising_excess_asymptote"].min()), 3.0),
        xlim=(0.85 * threshold, 1.2 * ratio[-1]),
        title=f"Ising teachers, β = {dataset.attrs['beta']:g}",
    )
    _ticks(ax, ratio)
    ax.legend(loc="upper right", fontsize=7)


def _ticks(ax: Axes, ratio: Any) -> None:
    """Label the measured ratios, as far as there is room."""
    shown = [ratio[0]]
    for value in ratio[1:]:
        if value > 1.25 * shown[-1]:
            shown.append(value)
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xticks(shown, [f"{value:g}" for value in shown])


def _loss(ax: Axes, dataset: xr.Dataset) -> None:
    ratio, floor = dataset["ising_ratio"].values, float(dataset["ising_loss_floor"])
    for student, color in (("likelihood", RED), ("mean field", BLUE)):
        own = dataset.sel(ising_student=student)
        ax.plot(
            dataset["ising_curve_ratio"], floor + own["ising_excess_curve"], color=color, label=f"{student}, theory"
        )
        points(
            ax,
            ratio,
            own["ising_test_loss"].where(own["ising_separated"] == 0.0),
            own["ising_excess_error"],
            color=color,
        )
    ax.axhline(math.log(2.0), color="0.6", lw=1, ls="--", label="coin, log 2")
    ax.axhline(floor, color="k", lw=1, label="loss floor S")
    ax.set(
        xscale="log", xlabel="windows per coupling, P / d", ylabel="test loss, nats per site", title="down to the floor"
    )
    _ticks(ax, ratio)
    ax.set_xlim(0.85 * float(dataset["ising_separability_threshold"]), 1.2 * ratio[-1])
    ax.set_ylim(floor - 0.05, math.log(2.0) + 0.25)
    ax.legend(loc="upper right", fontsize=7)

"""Learning curves: measured test error beside the theory."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullFormatter, StrMethodFormatter

from glassformer.plotting._style import COLORS, panels, style

_NAMES = {
    "least_squares": "least squares",
    "ridge": "ridge",
    "bayes": "Bayes",
    "sgd": "online gradient descent",
    "logistic": "logistic likelihood",
    "mean_field": "mean-field inversion",
}


def learning_figure(dataset: xr.Dataset) -> Figure:
    """Draw excess test error against the number of windows: markers measured, line theory."""
    with style():
        figure, (ax,) = panels(1, width=5.2, height=3.6)
        size = dataset["size"].values
        value, error = dataset["excess"].values, dataset["excess_error"].values
        finite = np.isfinite(value) & (value > 0)
        drawn = list(value[finite])
        if "excess_curve" in dataset:
            curve = dataset["excess_curve"].values
            good = np.isfinite(curve) & (curve > 0)
            if good.any():
                broken = np.where(good, curve, np.nan)
                ax.plot(dataset["curve_size"], broken, color=COLORS["gram"], label="theory", zorder=1)
            drawn += list(curve[good])
        if "excess_asymptote" in dataset and np.isfinite(dataset["excess_asymptote"]).all():
            ax.plot(size, dataset["excess_asymptote"], color="0.5", lw=1, ls="--", label="many windows", zorder=1)
        bars = np.minimum(error[finite], 0.9 * value[finite])
        if finite.any():
            ax.errorbar(
                size[finite], value[finite], yerr=bars, fmt="o", ms=4, mfc="white", color="k", lw=1, label="measured"
            )
        if (~finite).any():
            ax.plot(size[~finite], np.full((~finite).sum(), 0.97), "^", ms=5, color="k", transform=ax.get_xaxis_transform(),
                    clip_on=False, label="infinite")  # fmt: skip
        mismatch = float(dataset["mismatch"]) if "mismatch" in dataset else 0.0
        if mismatch > 0:
            ax.axhline(mismatch, color=COLORS["nmf"], lw=1, ls=":", label="missing context")
        threshold = float(dataset.get("separability_threshold", np.nan)) * float(dataset.get("parameters", np.nan))
        if dataset.attrs["estimator"] == "logistic" and size[0] < threshold < size[-1]:
            ax.axvline(threshold, color="0.7", lw=1, ls="--")
            ax.annotate("separable", (threshold, 0.03), (-3, 0), xycoords=("data", "axes fraction"), rotation=90,
                        textcoords="offset points", ha="right", va="bottom", color="0.5", fontsize=7)  # fmt: skip
        # what diverges, as descent at too large a rate, may leave the range of a logarithmic axis
        limits = (max(0.5 * min(drawn), 1e-300), min(2.0 * max(drawn), 1e300)) if drawn else (0.01, 1.0)
        ax.set(xscale="log", yscale="log", xlabel="windows P", ylim=limits)
        _label_sizes(ax, size)
        ax.set_ylabel(f"excess over the teacher ({dataset['excess'].attrs.get('units', '')})")
        kind = _NAMES.get(dataset.attrs["estimator"], dataset.attrs["estimator"])
        where = "" if dataset.attrs["mode"] == "windows" else ", one sequence"
        ax.set_title(f"{kind}, {dataset.attrs['variant']} teacher of {int(dataset.attrs['n'])} sites{where}")
        figure.legend(loc="outside lower center", ncols=3)
        return figure


def _label_sizes(ax: Axes, size: np.ndarray) -> None:
    """Write the sizes that were measured at the axis, as long as they leave room for each other."""
    kept: list[float] = []
    room = (np.log(size[-1]) - np.log(size[0])) / 9
    for value in size:
        if not kept or np.log(value / kept[-1]) > room:
            kept.append(float(value))
    ax.xaxis.set_major_locator(FixedLocator(kept))
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:.0f}"))
    ax.xaxis.set_minor_formatter(NullFormatter())

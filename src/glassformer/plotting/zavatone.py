"""Figures of extended-context models: two-time correlations, stationary correlations, finite size, stability."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from glassformer.plotting._style import panels, series_colors, style

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, RED, GREEN, PINK = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
_DATA: dict[str, Any] = {"fmt": "o", "ms": 4, "mfc": "white", "lw": 1, "capsize": 2}


def pretty(label: str) -> str:
    """Return a label with its Greek letters."""
    return label.replace("beta=", "β = ").replace("inf", "∞")


def points(ax: Axes, x: Any, y: Any, error: Any, **look: Any) -> Any:
    """Draw a simulation: markers with error bars."""
    return ax.errorbar(np.asarray(x), np.asarray(y), yerr=np.asarray(error), **{**_DATA, **look})


def two_time_figure(dataset: xr.Dataset) -> Figure:
    """Draw C(t, t') of theory and simulation, and their difference times the root of N, for each rule and start."""
    cases = [str(case) for case in dataset["case"].values]
    starts = [str(start) for start in dataset["start"].values]
    with style():
        figure, axes = panels(3 * len(starts), rows=len(cases), width=1.9, height=1.75)
        time = dataset["time"].values
        root = "√N" if dataset.attrs["draws"] == 1 else f"√(N × {dataset.attrs['draws']} draws)"
        box = (time[0] - 0.5, time[-1] + 0.5, time[0] - 0.5, time[-1] + 0.5)
        for row, case in enumerate(cases):
            line = axes[row * 3 * len(starts) : (row + 1) * 3 * len(starts)]
            own = dataset.sel(case=case)
            top = float(np.abs(own["two_time_correlation"]).max())
            for column, start in enumerate(starts):
                here = own.sel(start=start)
                maps = (
                    here["two_time_correlation"],
                    here["two_time_correlation_simulation"],
                    here["difference_scaled"],
                )
                images = []
                for k, values in enumerate(maps):
                    ax = line[3 * column + k]
                    limit = top if k < 2 else 3.5 * max(float(here["difference_rms"]), 1.0)
                    look: dict[str, Any] = {"cmap": "RdBu_r", "vmin": -limit, "vmax": limit}
                    images.append(ax.imshow(values, origin="lower", extent=box, interpolation="nearest", **look))
                    if row == 0:
                        word = ("theory", "simulation", f"difference × {root}")[k]
                        ax.set_title(f"{start} start\n{word}" if k == 0 else word, fontsize=8)
                    if row == len(cases) - 1:
                        ax.set_xlabel("t′")
                    if k:
                        ax.set_yticklabels([])
                figure.colorbar(images[1], ax=line[3 * column + 1], shrink=0.85)
                figure.colorbar(images[2], ax=line[3 * column + 2], shrink=0.85)
            line[0].set_ylabel(f"{pretty(case)}\nt")
        return figure


def stationary_figure(dataset: xr.Dataset) -> Figure:
    """Draw the stationary autocorrelation: lines for theory, markers for simulation, and two controls without memory."""
    cases = [str(case) for case in dataset["case"].values]
    titles = {
        "example": "three lags, g = (1.5, 0.5, −0.1)",
        "diagonal": "diagonal, equal trace",
        "zero_sum": "zero diagonal sums",
    }
    with style():
        figure, axes = panels(3, width=3.9, height=3.2)
        lag = dataset["lag"].values[1:]
        for ax, law in zip(axes, dataset["law"].values):
            own = dataset.sel(law=law)
            for k, (color, case) in enumerate(zip(series_colors(len(cases)), cases)):
                here = own.sel(case=case).isel(lag=slice(1, None))
                ax.plot(lag, here["autocorrelation"], color=color, label=pretty(case))
                shift = 0.12 * (k - 0.5 * (len(cases) - 1)) if str(law) != "example" else 0.0
                error = here["autocorrelation_simulation_error"]
                points(ax, lag + shift, here["autocorrelation_simulation"], error, color=color)
            ax.axhline(0.0, color="0.7", lw=0.8, zorder=0)
            ax.set(xlabel="lag τ", title=titles[str(law)], xticks=lag[lag % 2 == 0])
        axes[0].set(ylabel="autocorrelation $c_τ$")
        axes[0].legend(loc="upper right", title=f"lines: theory\nmarkers: N = {dataset.attrs['n']}", title_fontsize=8)
        controls = dataset.isel(law=slice(1, None), lag=slice(1, None))
        bars = np.abs(controls["autocorrelation_simulation"]) + controls["autocorrelation_simulation_error"]
        half = 1.1 * max(float(bars.max()), 1e-3)
        for ax in axes[1:]:
            ax.set_ylim(-half, half)
        return figure


def finite_size_figure(dataset: xr.Dataset) -> Figure:
    """Draw the spread over draws of a time average and of a snapshot against the number of sites."""
    with style():
        figure, (ax,) = panels(1, width=6.4, height=3.7)
        n = dataset["n"].values.astype(float)
        average = dataset[["spread", "spread_error", "slope"]]
        rows = [(dataset["snapshot_spread"], dataset["snapshot_spread_error"], RED, "one snapshot, $C_{t,t-1}$", -0.5)]
        for color, lag in zip((BLUE, GREEN, PINK), dataset["lag"].values):
            own = average.sel(lag=lag)
            rows.append((own["spread"], own["spread_error"], color, f"average over time, $\\hat c_{lag}$", -1.0))
        slopes = [float(dataset["snapshot_slope"]), *dataset["slope"].values]
        for k, (values, error, color, label, _) in enumerate(rows):
            shifted = n * 1.03 ** (k - 2) if k else n
            points(ax, shifted, values, error, color=color, label=f"{label}: slope {slopes[k]:.2f}".replace("-", "−"))
        for row, power, dash in ((0, -0.5, "--"), (1, -1.0, ":")):
            level = np.exp(np.mean(np.log(rows[row][0].values * n**-power)))
            ax.plot(n, level * n**power, color="0.3", ls=dash, lw=1.2, label=f"$N^{{{power:g}}}$".replace("-", "−"))
        ax.set(xscale="log", yscale="log", xlabel="number of sites N", ylabel="standard deviation over draws")
        ax.set_xticks(n, [f"{value:g}" for value in n])
        ax.minorticks_off()
        ax.set_title(f"Ising rule, {pretty('beta=')}{dataset.attrs['beta']:g}")
        ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
        return figure


def stability_figure(dataset: xr.Dataset) -> Figure:
    """Draw the (g_0, g_1) plane of two lags, and the eigenvalues of one draw with the edge of infinite size."""
    from matplotlib.colors import LogNorm

    with style():
        figure, axes = panels(2, width=4.7, height=3.9)
        ax, cloud = axes
        g0, g1 = dataset["g0"].values, dataset["g1"].values
        time = dataset["correlation_time"].transpose("g1", "g0").values
        shown = np.ma.masked_invalid(np.where(time > 0.05, time, np.where(np.isnan(time), np.nan, 0.05)))
        norm = LogNorm(vmin=0.3, vmax=max(10.0, float(np.nanmax(time))))
        image = ax.pcolormesh(g0, g1, shown, cmap="viridis", norm=norm, shading="nearest", rasterized=True)
        figure.colorbar(image, ax=ax, label="correlation time", extend="min")
        top = float(g0[-1])
        ax.fill_between([0, top], [0, top / 2], top / 2, color="0.88", lw=0)
        ax.fill_between([0, top], [0, -top / 2], -top / 2, color="0.88", lw=0)
        ax.plot([0, top], [0, top / 2], "0.3", lw=1)
        ax.plot([0, top], [0, -top / 2], "0.3", lw=1, label="feasible: $|g_1| ≤ g_0/2$")
        ax.plot([0.5, 1, 0.5], [0.25, 0, -0.25], color=RED, label="stable: $g_0 + 2|g_1| < 1$")
        ax.plot(
            float(dataset["example_g0"]),
            float(dataset["example_g1"]),
            "*",
            ms=9,
            mfc="white",
            mec="k",
            label="draw on the right",
        )
        for height in (0.42, -0.42):
            ax.text(0.25 * top, height * top, "no covariance", color="0.4", ha="center", va="center")
        ax.text(0.93 * top, 0.0, "grows\nwithout\nbound", color="0.4", ha="center", va="center")
        ax.set(xlabel="$g_0$", ylabel="$g_1$", xlim=(0, top), ylim=(-top / 2, top / 2), title="two lags, Gaussian rule")
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=1)
        cloud.plot(
            dataset["eigenvalue_real"], dataset["eigenvalue_imaginary"], ".", ms=2.5, color="k", label="eigenvalues"
        )
        axis = dataset["real"].values
        cloud.contour(axis, axis, dataset["support"], levels=[1.0], colors=[BLUE], linewidths=1.5)
        cloud.plot([], [], color=BLUE, label="edge as N → ∞, Γ(z) = 1")
        angle = np.linspace(0, 2 * np.pi, 200)
        cloud.plot(np.cos(angle), np.sin(angle), color="0.6", lw=0.8, ls="--", label="|z| = 1")
        cloud.set(
            xlabel="Re z",
            ylabel="Im z",
            aspect="equal",
            title=f"companion matrix of one draw, N = {dataset.attrs['n']}",
        )
        cloud.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=3)
        return figure

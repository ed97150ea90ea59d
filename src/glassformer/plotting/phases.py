"""Figures of phase boundaries and of replica theory."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from glassformer.plotting._style import panels, style

_LINE, _OTHER, _GREEN = "#0072B2", "#D55E00", "#009E73"


def _curve(ax: Axes, x: Any, y: Any, **look: Any) -> None:
    """Draw a line, or a marker where there is one point only."""
    single = np.size(x) == 1
    ax.plot(np.atleast_1d(x), np.atleast_1d(y), "o" if single else "-", **look)


def _radius(attrs: Any) -> str:
    return f"R = {attrs['radius']:.4g}, J = {attrs['coupling']:g}"


def at_line_figure(dataset: xr.Dataset) -> Figure:
    """Draw the field on the de Almeida-Thouless line, and the overlap there, against temperature."""
    with style():
        figure, axes = panels(2)
        temperature, critical = dataset["temperature"].values, float(dataset["critical_temperature"])
        _curve(axes[0], temperature, dataset["field"].values, color=_LINE, label="per component")
        _curve(axes[0], temperature, dataset["field_per_site"].values, color=_OTHER, label="per site, √D times that")
        laws = {"gaussian": "Gaussian field", "sphere": "field of fixed length"}
        law = laws.get(dataset.attrs.get("field_law", ""), "random field")
        axes[0].set(ylabel="field")
        axes[0].set_title(f"de Almeida–Thouless line, {law}\nD = {dataset.attrs['dim']}, {_radius(dataset.attrs)}")
        axes[0].annotate("replica symmetry broken\nbelow the line", (0.04, 0.05), xycoords="axes fraction", color="0.4")
        axes[0].legend(loc="upper right")
        _curve(axes[1], temperature, dataset["overlap_normalized"].values, color=_LINE)
        axes[1].set(ylabel="q D / R²", title="overlap on the line", ylim=(0, 1.02))
        for ax in axes:
            ax.set(xlabel="temperature", xlim=(0, 1.03 * critical))
            ax.set_ylim(bottom=0)
        return figure


def gabay_toulouse_figure(dataset: xr.Dataset) -> Figure:
    """Draw the temperature on the Gabay-Toulouse line, and the moments there, against the field."""
    with style():
        figure, axes = panels(2)
        field, radius2 = dataset["field"].values, float(dataset.attrs["radius"]) ** 2
        _curve(axes[0], field, dataset["temperature"].values, color=_LINE)
        critical = float(dataset["critical_temperature"])
        axes[0].axhline(critical, color="0.7", lw=0.8)
        axes[0].annotate(
            "$T_c$ without field",
            (1.0, critical),
            (0, 3),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            ha="right",
            color="0.4",
        )
        axes[0].set(ylabel="temperature", ylim=(0, 1.12 * critical))
        axes[0].set_title(f"Gabay–Toulouse line, D = {dataset.attrs['dim']}, {_radius(dataset.attrs)}")
        axes[0].annotate(
            "transverse components frozen\nbelow the line", (0.04, 0.05), xycoords="axes fraction", color="0.4"
        )
        for name, color, label in (
            ("overlap_longitudinal", _LINE, "overlap along the field"),
            ("square_longitudinal", _OTHER, "mean square along the field"),
            ("square_transverse", _GREEN, "mean square of a transverse component"),
        ):
            _curve(axes[1], field, dataset[name].values / radius2, color=color, label=label)
        axes[1].set(title="moments on the line, over R²", ylim=(0, 1.02))
        axes[1].legend()
        for ax in axes:
            ax.set(xlabel="length of the uniform field")
        return figure


def replica_symmetric_figure(dataset: xr.Dataset) -> Figure:
    """Draw overlap, energy with free energy, entropy with specific heat, and the replicon."""
    with style():
        figure, axes = panels(4, width=2.9)
        name = "beta" if "beta" in dataset.coords or "temperature" not in dataset else "temperature"
        x = dataset[name].values
        groups = (
            (("overlap_normalized", "q D / R²"),),
            (("energy", "energy"), ("free_energy", "free energy")),
            (("entropy", "entropy"), ("specific_heat", "specific heat")),
            (("replicon", "replicon; unstable below 0"),),
        )
        for ax, group in zip(axes, groups):
            for (key, label), color in zip(group, (_LINE, _OTHER)):
                _curve(ax, x, dataset[key].values, color=color, label=label)
            ax.set_title(group[0][1] if len(group) == 1 else "per spin")
            ax.set(xlabel="inverse temperature β" if name == "beta" else "temperature")
            if len(group) > 1:
                ax.legend()
        axes[3].axhline(0.0, color="0.7", lw=0.8)
        return figure


def sk_line_figure(dataset: xr.Dataset) -> Figure:
    """Draw the line of the Ising model against field and against ferromagnetic mean."""
    with style():
        figure, axes = panels(2)
        unit, temperature = float(dataset.attrs["coupling"]), dataset["temperature"].values
        _curve(axes[0], dataset["field"].values / unit, temperature / unit, color=_LINE)
        _curve(axes[1], dataset["coupling_mean"].values / unit, temperature / unit, color=_LINE)
        axes[0].set(xlabel="H / J", ylabel="T / J", title="in a uniform field")
        axes[1].set(xlabel="J₀ / J", title="inside the ferromagnet, without field")
        for ax in axes:
            ax.set_ylim(0, 1.05)
        return figure


def phase_diagrams_figure(dataset: xr.Dataset) -> Figure:
    """Draw the phases of the Sherrington-Kirkpatrick model in (J_0/J, T/J) and (H/J, T/J) (H25 2.3, 2.4)."""
    with style():
        figure, axes = panels(2, width=4.3, height=3.6)
        temperature = dataset["temperature"].values
        ferromagnet = axes[0]
        top = 1.75
        ferromagnet.plot([0, 1], [1, 1], color="0.1")
        ferromagnet.plot([1, top], [1, top], color="0.1", label="edge of the paramagnet")
        ferromagnet.plot(dataset["coupling_mean"], temperature, color=_LINE, label="de Almeida–Thouless line")
        ferromagnet.plot([1, 1], [0, 1], color=_GREEN, label="glass to mixed, J₀ = J")
        ferromagnet.plot(
            dataset["coupling_mean_symmetric"],
            temperature,
            "--",
            lw=1,
            color=_OTHER,
            label="the same, replica symmetric",
        )
        for text, x, y in (
            ("paramagnet", 0.3, 1.12),
            ("glass", 0.4, 0.45),
            ("ferromagnet", 1.35, 0.85),
            ("mixed", 1.3, 0.1),
        ):
            ferromagnet.text(x, y, text, color="0.35")
        ferromagnet.set(xlabel="J₀ / J", ylabel="T / J", xlim=(0, top), ylim=(0, top), title="Fig. 2.3: no field")
        ferromagnet.legend(loc="upper left", fontsize=7)
        in_field = axes[1]
        in_field.plot(dataset["field"], temperature, color=_LINE, label="de Almeida–Thouless line")
        in_field.text(0.15, 0.15, "replica symmetry broken", color="0.35")
        in_field.text(0.9, 0.8, "replica symmetric", color="0.35")
        in_field.set(xlabel="H / J", xlim=(0, 2.0), ylim=(0, 1.2), title="Fig. 2.4: J₀ = 0")
        in_field.legend(loc="upper right", fontsize=7)
        return figure

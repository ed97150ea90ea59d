"""Details of figures without which they cannot be read."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import glassformer as gf
from glassformer.plotting.curves import bessel_figure, convergence_figure
from glassformer.plotting.fidelity import _plain_ticks
from glassformer.plotting.vector import couplings_figure


def test_three_ratios_that_meet_have_different_markers():
    ax = bessel_figure(gf.run("bal2023/bessel")).axes[0]
    marked = [line for line in ax.get_lines() if line.get_marker() not in ("None", None, "")]
    assert len({line.get_marker() for line in marked}) == len(marked) == 3
    assert len({line.get_markersize() for line in marked}) == 3


@pytest.mark.parametrize("law", ["softmax", "gaussian"])
def test_couplings_without_negative_entries_have_a_scale_from_zero(law):
    image = couplings_figure(gf.run("vector/couplings", law=law, n=8, seed=1)).axes[0].get_images()[0]
    low, high = image.get_clim()
    assert low == (0.0 if law == "softmax" else -high)
    assert image.get_cmap().name == ("viridis" if law == "softmax" else "RdBu_r")


@pytest.mark.parametrize(("low", "high"), [(0.3, 40.0), (6.1, 6.9), (1e-4, 2.0), (1.0, 1.0), (5.0, 120.0)])
def test_ticks_of_a_logarithmic_colour_bar_are_inside_and_at_least_three(low, high):
    ticks = _plain_ticks(low, high)
    assert len(ticks) >= 3
    assert all(low * (1 - 1e-12) <= tick <= high * (1 + 1e-12) for tick in ticks)
    assert np.all(np.diff(ticks) >= 0)


def test_the_convergence_axis_says_that_it_is_minus_the_cosine():
    move = np.array([1.0, 10.0])
    curves = {
        name: (("beta", "move"), np.full((1, 2), value))
        for name, value in (("target_cosine", 0.5), ("target_cosine_error", 0.1))
    }
    dataset = xr.Dataset({**curves, "target_cosine_limit": ("beta", [0.6])}, {"beta": [1.0], "move": move})
    ax = convergence_figure(dataset).axes[0]
    assert ax.get_ylabel() == "−⟨cos(s, target)⟩, as published"
    assert np.all(ax.get_lines()[0].get_ydata() == -0.5)

"""Aging: the scaling form against the exact recursion, and what has none."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import glassformer as gf
from glassformer._core._errors import InvalidInputError, MethodNotApplicableError
from glassformer.theory.dmft._aging import growth_factor

COLD = gf.TokenRule("spherical", beta=math.inf)
PAIR = np.array([[0.7, 0.3], [0.3, 0.5]])


def exact(law: gf.LaggedGaussian, rule: gf.TokenRule, age: int, lags: int) -> np.ndarray:
    found = gf.solve(law, gf.TransientDMFT(rule, steps=age + lags))
    later = age + np.arange(lags + 1)
    row = found["two_time_correlation"].sel(time_=age).sel(time=later).values
    square = found["square"]
    return np.asarray(row / np.sqrt(square.sel(time=age).item()) / np.sqrt(square.sel(time=later).values))


def test_the_published_check() -> None:
    law = gf.LaggedGaussian(PAIR)
    found = gf.solve(law, gf.Aging(COLD, waiting_times=(160,), lags=10))
    assert float(found["aging_constant"]) == pytest.approx(0.2307692, abs=1e-7)
    assert float(found["two_time_correlation"][0, 10]) == pytest.approx(0.26898, abs=5e-6)
    assert exact(law, COLD, 160, 10)[10] == pytest.approx(0.26941, abs=5e-6)


@pytest.mark.parametrize(
    ("gamma", "rule", "omega"),
    [
        (PAIR, COLD, 0.0),
        (PAIR * [[1, -1], [-1, 1]], COLD, math.pi),
        ([[0.5, 0.3, 0.1], [0.3, 0.6, 0.2], [0.1, 0.2, 0.4]], COLD, 0.0),
        ([[0.6, 0.0, -0.2], [0.0, 0.0, 0.0], [-0.2, 0.0, 0.3]], COLD, math.pi / 2),
        ([[0.9, 0.5], [0.5, 0.8]], gf.TokenRule("gaussian", sigma=0.5), 0.0),
        ([[0.9, -0.4], [-0.4, 1.1]], gf.TokenRule("gaussian"), math.pi),
    ],
)
def test_corrections_fall_as_one_over_the_age(gamma: Any, rule: gf.TokenRule, omega: float) -> None:
    law, gaps = gf.LaggedGaussian(gamma), []
    ages = (75, 300)
    for age in ages:
        lags = 2 * int(math.sqrt(age))
        found = gf.solve(law, gf.Aging(rule, waiting_times=(age,), lags=lags))
        gaps.append(np.abs(exact(law, rule, age, lags) - found["two_time_correlation"][0].values).max())
    assert float(found["frequency"]) == pytest.approx(omega, abs=1e-6)
    assert gaps[1] < 6e-3
    assert 2.0 < gaps[0] / gaps[1] < 8.0  # 4


def test_growth_of_gaussian_tokens() -> None:
    for gamma in (np.array([[0.9, 0.5], [0.5, 0.8]]), np.array([[0.4, -0.5], [-0.5, 1.6]]), np.array([[1.3]])):
        law = gf.LaggedGaussian(gamma)
        found = gf.solve(law, gf.TransientDMFT(gf.TokenRule("gaussian"), steps=400))
        rise = np.log(float(found["square"].sel(time=400))) - np.log(float(found["square"].sel(time=200)))
        power = 0.0 if gamma.size == 1 else 0.5 * math.log(2.0)
        assert rise == pytest.approx(400 * math.log(growth_factor(law)) - power, abs=0.01)
    assert growth_factor(gf.LaggedGaussian([[0.30, 0.15], [0.15, 0.25]])) == pytest.approx(0.9466, abs=5e-5)
    assert growth_factor(gf.LaggedGaussian([[2.25]])) == pytest.approx(1.5, rel=1e-12)
    assert growth_factor(gf.LaggedGaussian([[0.0]])) == 0.0
    below = gf.LaggedGaussian(0.1 * PAIR)
    assert growth_factor(below) < 1.0
    with pytest.raises(MethodNotApplicableError, match="StationaryDMFT"):
        gf.solve(below, gf.Aging(gf.TokenRule("gaussian")))


@pytest.mark.parametrize(
    ("gamma", "words"),
    [
        ([[1.0]], "G is constant"),
        ([[0.5, 0.2, 0], [0.2, 0.5, -0.2], [0, -0.2, 0.5]], "kept for ever"),
        ([[0.5, 0, 0.3], [0, 0.1, 0], [0.3, 0, 0.4]], "all of them stay"),
        ([[0.5, 0.1, 0.3], [0.1, 0.3, -0.1], [0.3, -0.1, 0.4]], "omega = 0 wins"),
        ([[1, 0.4, -0.2], [0.4, 1, 0.4], [-0.2, 0.4, 1]], "flatter than a parabola"),
        ([[0.0]], "nothing that ages"),
    ],
)
def test_spectra_without_one_sharp_maximum_are_refused_with_what_happens(gamma: Any, words: str) -> None:
    with pytest.raises(MethodNotApplicableError, match=words):
        gf.solve(gf.LaggedGaussian(gamma), gf.Aging(COLD))


def test_of_two_equal_maxima_the_quicker_one_wins_as_a_power_of_time() -> None:
    r"""The weight of maximum i changes as :math:`t^{-1/2+\kappa/m_i}` with its clock m_i, hence their ratio as a power."""
    gamma = np.array([[0.5, 0.1, 0.3], [0.1, 0.3, -0.1], [0.3, -0.1, 0.4]])
    found = gf.solve(gf.LaggedGaussian(gamma), gf.TransientDMFT(COLD, steps=1600))["two_time_correlation"]
    odd = np.array([float(found.sel(time=t, time_=t - 1)) for t in (400, 1600)])
    ratio = (1 + odd) / (1 - odd)  # of the weights at 0 and at pi
    slow, quick = 3.7, 3.3  # sum of Gamma cos(omega (k - k')) (k + k') / 2 at pi and at 0
    exponent = 0.5 * 0.5 * (slow + quick) * (1 / quick - 1 / slow)
    assert math.log(ratio[1] / ratio[0]) / math.log(4) == pytest.approx(exponent, rel=0.05)


def test_a_maximum_elsewhere_comes_with_a_warning_and_the_rest_is_refused() -> None:
    law = gf.LaggedGaussian([[0.5, 0.1, -0.2], [0.1, 0.5, 0], [-0.2, 0, 0.5]])
    assert "not symmetric" in gf.solve(law, gf.Aging(COLD)).attrs["note"]
    assert "not symmetric" not in gf.solve(gf.LaggedGaussian(PAIR), gf.Aging(COLD)).attrs["note"]
    with pytest.raises(MethodNotApplicableError, match="StationaryDMFT"):
        gf.solve(law, gf.Aging(gf.TokenRule("spherical", beta=4.0)))
    with pytest.raises(MethodNotApplicableError, match="mean zero"):
        gf.solve(gf.ContextEnsemble(law, field=0.1), gf.Aging(COLD))
    with pytest.raises(InvalidInputError, match="waiting_times"):
        gf.Aging(COLD, waiting_times=(0.5,))

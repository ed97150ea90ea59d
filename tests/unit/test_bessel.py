"""The Bessel ratio and its relatives against decimal power series, scipy, and their limits."""

from __future__ import annotations

import numpy as np
import pytest
from naive import bessel_by_power_series
from scipy.integrate import quad
from scipy.special import ive

from glassformer._core import _bessel as bessel
from glassformer._core._errors import InvalidInputError

DIMS = (1, 2, 3, 4, 5, 7, 8, 16, 33, 64, 128, 301, 512)


def grid(dim):
    """Concentrations that fall in every regime and on both sides of every switch."""
    start = bessel.series_start(dim)
    edges = [dim, 2.0, 10.0 * dim, 100.0]
    return np.array(
        sorted({1e-12, 1e-3, 0.4, 1.7, 0.3 * dim, *edges, *(0.999 * e for e in edges), min(0.999 * start, 3e3)})
    )


@pytest.mark.parametrize("dim", DIMS)
def test_everything_agrees_with_hundred_digit_power_series(dim):
    kappa = grid(dim)
    exact = np.array([bessel_by_power_series(k, dim) for k in kappa]).T
    values = bessel.ratio_values(kappa, dim)
    np.testing.assert_allclose(bessel.bessel_ratio(kappa, dim), exact[0], rtol=3e-15)
    np.testing.assert_allclose(values.ratio, exact[0], rtol=3e-15)
    np.testing.assert_allclose(values.over_kappa, exact[0] / kappa, rtol=3e-15)
    # one part in 1e13 although kappa^2 eps / D would allow 1e-9 only
    np.testing.assert_allclose(values.derivative, exact[1], rtol=1e-13)
    np.testing.assert_allclose(values.delta, exact[2], rtol=1e-13)
    np.testing.assert_allclose(bessel.log_normalizer(kappa, dim), exact[3], rtol=1e-14)
    # the entropy is a difference: absolute error of the two terms
    assert np.all(np.abs(bessel.entropy(kappa, dim) - exact[4]) <= 1e-15 * kappa + 1e-13 * np.abs(exact[4]))


@pytest.mark.parametrize("dim", [2, 5, 24, 90, 250])
def test_series_and_recurrence_meet(dim):
    below, above = bessel.series_start(dim) * (1 - 1e-12), bessel.series_start(dim)
    low, high = bessel.ratio_values(below, dim), bessel.ratio_values(above, dim)
    np.testing.assert_allclose(low.ratio, high.ratio, rtol=1e-13)
    np.testing.assert_allclose(low.derivative, high.derivative, rtol=1e-11)
    np.testing.assert_allclose(low.delta, high.delta, rtol=1e-11)
    np.testing.assert_allclose(bessel.log_normalizer(below, dim), bessel.log_normalizer(above, dim), rtol=3e-12)
    np.testing.assert_allclose(bessel.entropy(below, dim), bessel.entropy(above, dim), rtol=1e-11)


@pytest.mark.parametrize("dim", DIMS)
def test_ratio_lies_between_the_amos_bounds_and_inside_its_certificate(dim):
    kappa = np.logspace(-8, 12, 81)
    value, width = bessel.bessel_ratio_with_error(kappa, dim)
    assert np.all(width <= 2e-15 * np.maximum(value, 1e-300))
    assert np.all(np.abs(bessel.bessel_ratio(kappa, dim) - value) <= width)
    lower = kappa / ((dim - 1) / 2 + np.sqrt((dim + 1) ** 2 / 4 + kappa**2))
    upper = kappa / ((dim - 1) / 2 + np.sqrt((dim - 1) ** 2 / 4 + kappa**2))
    assert np.all(lower * (1 - 1e-15) <= value + width)
    assert np.all(value - width <= upper * (1 + 1e-15))


def test_too_short_a_ladder_is_caught_by_the_certificate(monkeypatch):
    """The injected bug: a quarter of the levels. The bracket then opens, and says so."""
    monkeypatch.setattr(bessel, "_levels", lambda kappa, dim: np.full(np.shape(kappa), 8, dtype=np.int64))
    value, width = bessel.bessel_ratio_with_error(90.0, 6)
    assert width > 1e-9
    assert abs(value - bessel_by_power_series(90.0, 6)[0]) <= width


@pytest.mark.parametrize("dim", [1, 2, 3, 6, 21])
def test_ratio_agrees_with_scaled_bessel_functions_where_these_are_safe(dim):
    kappa = np.linspace(0.5, 600.0, 50)
    np.testing.assert_allclose(
        bessel.bessel_ratio(kappa, dim), ive(dim / 2, kappa) / ive(dim / 2 - 1, kappa), rtol=1e-12
    )


@pytest.mark.parametrize("dim", DIMS)
def test_limits_at_zero_and_infinity(dim):
    values = bessel.ratio_values([0.0, 1e-9, np.inf], dim)
    np.testing.assert_allclose(values.over_kappa, [1 / dim, 1 / dim, 0.0], rtol=1e-15)
    np.testing.assert_allclose(values.derivative, [1 / dim, 1 / dim, 0.0], rtol=1e-15)
    np.testing.assert_allclose(values.delta, [0.0, 2e-9 / (dim * (dim + 2)), 0.0], rtol=1e-13)
    np.testing.assert_allclose(values.ratio, [0.0, 1e-9 / dim, 1.0], rtol=1e-15)
    assert bessel.bessel_ratio([0.0, np.inf], dim).tolist() == [0.0, 1.0]
    assert bessel.log_normalizer([0.0, np.inf], dim).tolist() == [0.0, np.inf]
    assert bessel.entropy(0.0, dim) == 0.0


@pytest.mark.parametrize("dim", [2, 3, 17, 200])
def test_stiffness_keeps_its_relative_accuracy_at_a_million_millions(dim):
    kappa = 1e12
    # A' = (D-1)/(2 kappa^2) (1 + (D-3)/(2 kappa) + ...); 1 - A^2 - (D-1) A / kappa has no digit left here
    np.testing.assert_allclose(bessel.bessel_ratio_derivative(kappa, dim), (dim - 1) / (2 * kappa**2), rtol=1e-9)
    np.testing.assert_allclose(bessel.bessel_ratio_gap(kappa, dim), 1 / kappa, rtol=1e-9)


@pytest.mark.parametrize("dim", [1, 2, 9, 65])
def test_log_normalizer_is_the_integral_of_the_ratio(dim):
    for kappa in (0.01, 3.0, 47.0):
        integral = quad(lambda k: float(bessel.bessel_ratio(k, dim)), 0.0, kappa, epsrel=1e-12, epsabs=0, limit=200)[0]
        np.testing.assert_allclose(bessel.log_normalizer(kappa, dim), integral, rtol=1e-11)


@pytest.mark.parametrize("dim", DIMS)
def test_inverse_undoes_the_ratio_as_well_as_rounding_allows(dim):
    kappa = np.concatenate([[0.0], np.logspace(-10, 6, 60)])
    ratio = bessel.bessel_ratio(kappa, dim)
    kept = ratio < 1.0
    back = bessel.inverse_bessel_ratio(ratio[kept], dim)
    slope = bessel.bessel_ratio_derivative(kappa[kept], dim)
    tolerance = 1e-14 * kappa[kept] + 8 * np.finfo(float).eps * ratio[kept] / slope
    assert np.all(np.abs(back - kappa[kept]) <= tolerance)


def test_a_value_does_not_depend_on_its_company():
    kappa = np.logspace(-3, 4, 50)
    together = bessel.ratio_values(kappa, 40)
    alone = [bessel.ratio_values(k, 40) for k in kappa]
    for name in together._fields:
        assert getattr(together, name).tolist() == [float(getattr(v, name)) for v in alone]


def test_shapes_are_kept():
    kappa = np.ones((2, 0, 3))
    assert bessel.bessel_ratio(kappa, 4).shape == bessel.log_normalizer(kappa, 4).shape == (2, 0, 3)
    assert bessel.inverse_bessel_ratio(np.full((2, 2), 0.3), 4).shape == (2, 2)
    assert np.shape(bessel.bessel_ratio(0.5, 4)) == ()


def test_one_huge_concentration_does_not_slow_the_others():
    """Work is the sum of the levels each value needs, not their maximum times the number of values."""
    kappa = np.full(1000, 3.0)
    kappa[0] = 2e5
    ladder = bessel._Ladder(kappa, 512)
    assert ladder.active.sum() < 1.2 * (ladder.top + 40 * kappa.size)


@pytest.mark.parametrize("bad", [-1e-9, np.nan, [1.0, -2.0]])
def test_impossible_concentrations_are_refused_in_a_sentence(bad):
    with pytest.raises(InvalidInputError, match=r"kappa is .*, but must be a number >= 0"):
        bessel.ratio_values(bad, 3)


@pytest.mark.parametrize("bad", [1.0, -0.1, np.nan])
def test_impossible_ratios_are_refused_in_a_sentence(bad):
    with pytest.raises(InvalidInputError, match="at least 0 and below 1"):
        bessel.inverse_bessel_ratio(bad, 3)


@pytest.mark.parametrize("dim", [0, -1, 2.0, True])
def test_impossible_dimensions_are_refused(dim):
    with pytest.raises(InvalidInputError, match="dim is"):
        bessel.ratio_values(1.0, dim)

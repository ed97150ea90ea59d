"""Averages of a sigmoid over Gaussian fields: the arcsine mixture against quadrature, limits and derivatives."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import erf

from glassformer._core._arcsine_mixture import (
    NoiseMixture,
    bivariate_average,
    bivariate_slopes,
    kolmogorov_rule,
    logistic_noise,
    mean_response,
    mean_slope,
    probit_noise,
)


def smooth(function, *, at: float = 0.0) -> float:
    """Average over a standard normal; the kink of a cold sigmoid is named so that the rule sees it."""
    edges = sorted({-12.0, 12.0, min(12.0, max(-12.0, at))})
    pieces = [
        quad(lambda z: function(z) * math.exp(-0.5 * z * z), a, b, epsabs=1e-13, epsrel=1e-12, limit=400)[0]
        for a, b in itertools.pairwise(edges)
    ]
    return sum(pieces) / math.sqrt(2.0 * math.pi)


def by_quadrature(q, qa, qb, f, mean_a=0.0, mean_b=0.0) -> float:
    """Two nested integrals: y given x is Gaussian."""
    slope, rest = q / qa, math.sqrt(max(qb - q * q / qa, 0.0))

    def inner(z):
        x = math.sqrt(qa) * z
        centre = mean_b + slope * x
        if rest == 0.0:
            return f(mean_a + x) * f(centre)
        return f(mean_a + x) * smooth(lambda u: f(centre + rest * u), at=-centre / rest)

    return smooth(inner, at=-mean_a / math.sqrt(qa))


@pytest.mark.parametrize(
    ("beta", "correlation", "value"),
    [
        (0.3, 0.5, 0.038374095988),
        (1.0, 0.5, 0.186324413203),
        (1.0, 0.9, 0.349203350582),
        (1.0, 1.0, 0.394294490398),
        (3.0, 0.5, 0.303662222395),
        (3.0, 1.0, 0.745166707993),
        (2.0, 1.0, 0.6352612343),
        (4.0, 1.0, 0.8053992795),
        (8.0, 1.0, 0.9008968068),
    ],
)
def test_reference_values(beta, correlation, value):
    assert float(bivariate_average(correlation, 1.0, 1.0, logistic_noise(beta))) == pytest.approx(value, abs=1e-10)


@pytest.mark.parametrize(
    ("beta", "q", "qa", "qb"), [(0.7, 0.4, 1.3, 0.5), (2.3, -0.6, 0.9, 0.8), (5.0, 0.69, 0.7, 0.7)]
)
def test_unequal_variances_against_quadrature(beta, q, qa, qb):
    expected = by_quadrature(q, qa, qb, lambda x: math.tanh(beta * x))
    assert float(bivariate_average(q, qa, qb, logistic_noise(beta))) == pytest.approx(expected, abs=2e-10)


@pytest.mark.parametrize(
    ("mean_a", "mean_b", "q"),
    [(0.4, 0.4, 0.3), (0.9, -0.7, -0.5), (2.5, 0.1, 0.79), (-3.0, -2.0, 0.2), (0.0, 0.6, 0.4)],
)
def test_means_against_quadrature(mean_a, mean_b, q):
    qa, qb, beta = 0.9, 0.8, 1.6
    expected = by_quadrature(q, qa, qb, lambda x: math.tanh(beta * x), mean_a, mean_b)
    found = float(bivariate_average(q, qa, qb, logistic_noise(beta), mean_a=mean_a, mean_b=mean_b))
    assert found == pytest.approx(expected, abs=5e-10)


def test_probit_with_means_against_quadrature():
    beta = 1.4
    expected = by_quadrature(0.3, 1.1, 0.6, lambda x: erf(beta * x / math.sqrt(2.0)), 0.5, -0.2)
    found = bivariate_average(0.3, 1.1, 0.6, probit_noise(beta), mean_a=0.5, mean_b=-0.2)
    assert float(found) == pytest.approx(expected, abs=1e-11)


@pytest.mark.parametrize("noise", [logistic_noise(1.7), probit_noise(0.8), logistic_noise(math.inf)])
def test_perfect_correlation_of_equal_fields_is_the_second_moment(noise: NoiseMixture):
    mean, variance = 0.6, 0.9
    found = float(bivariate_average(variance, variance, variance, noise, mean_a=mean, mean_b=mean))

    def square(z):
        f = float(mean_response(mean + math.sqrt(variance) * z, 0.0, noise))
        return f * f

    assert found == pytest.approx(smooth(square, at=-mean / math.sqrt(variance)), abs=1e-9)


def test_one_site_averages_against_quadrature():
    beta, mean, variance = 1.7, 0.7, 1.3
    noise = logistic_noise(beta)
    width = math.sqrt(variance)
    assert float(mean_response(mean, variance, noise)) == pytest.approx(
        smooth(lambda z: math.tanh(beta * (mean + width * z)), at=-mean / width), abs=1e-10
    )
    assert float(mean_slope(variance, noise, mean)) == pytest.approx(
        smooth(lambda z: beta / math.cosh(beta * (mean + width * z)) ** 2, at=-mean / width), abs=1e-9
    )


def test_second_moment_and_slope_obey_stein():
    # E tanh^2 = 1 - a / beta for the logistic law, at any temperature
    for beta in (0.03, 0.4, 2.0, 30.0, 300.0):
        noise = logistic_noise(beta)
        left = float(bivariate_average(1.0, 1.0, 1.0, noise))
        assert left == pytest.approx(1.0 - float(mean_slope(1.0, noise)) / beta, abs=5e-10)


def test_slopes_are_derivatives():
    noise, point, step = logistic_noise(2.0), np.array([0.5, 1.2, 0.9]), 1e-5
    slopes = bivariate_slopes(*point, noise)
    for k in range(3):
        shift = step * np.eye(3)[k]
        difference = (bivariate_average(*(point + shift), noise) - bivariate_average(*(point - shift), noise)) / (
            2 * step
        )
        assert float(slopes[k]) == pytest.approx(float(difference), rel=1e-8)


def test_limits_of_temperature():
    q = np.array([-0.9, 0.0, 0.3, 1.0])
    cold = bivariate_average(q, 1.0, 1.0, logistic_noise(math.inf))
    np.testing.assert_allclose(cold, 2.0 / math.pi * np.arcsin(q), atol=1e-15)
    np.testing.assert_allclose(bivariate_average(q, 1.0, 1.0, logistic_noise(1e7)), cold, atol=2e-4)
    hot = bivariate_average(q, 1.0, 1.0, logistic_noise(1e-4))
    np.testing.assert_allclose(hot, 1e-8 * q, atol=1e-15)
    assert np.all(bivariate_average(q, 1.0, 1.0, logistic_noise(0.0)) == 0.0)


def test_no_field_at_all_gives_zero_and_not_nan():
    noise = logistic_noise(math.inf)
    assert float(bivariate_average(0.0, 0.0, 0.0, noise)) == 0.0
    assert float(mean_response(0.0, 0.0, noise)) == 0.0
    assert float(mean_response(0.3, 0.0, noise)) == 1.0
    assert float(bivariate_average(0.0, 0.0, 0.0, noise, mean_a=0.3, mean_b=-0.2)) == -1.0


def test_moments_of_the_kolmogorov_law():
    squares, weights = kolmogorov_rule(26)
    assert weights @ squares == pytest.approx(math.pi**2 / 12, abs=3e-12)  # the law is cut at 3.6
    assert weights @ squares**2 == pytest.approx(7 * math.pi**4 / 720, abs=3e-11)


@pytest.mark.parametrize(("ma", "mb"), [(0.5, 0.5), (0.5, 0.51), (0.5, 0.6), (-0.3, 0.4), (2.0, 2.0001), (0.0, 0.3)])
@pytest.mark.parametrize("rho", [0.5, 0.9, 0.999, 0.9999, 0.999999, 1.0 - 1e-9, -0.9999, -0.9999999])
def test_means_at_correlations_near_one(ma: float, mb: float, rho: float) -> None:
    """The sign rule is the hardest: two fields that hardly differ, with means that hardly differ."""
    width = math.sqrt(2.0 * (1.0 - rho * rho))

    def integrand(z: float) -> float:
        inner = math.erf((mb + rho * z) / width)
        return math.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi) * math.copysign(1.0, ma + z) * inner

    steep = [-mb / rho + width * k for k in (-10, -5, -3, -1, 0, 1, 3, 5, 10)]
    edges = [-12.0, *sorted(x for x in (-ma, *steep) if -12.0 < x < 12.0), 12.0]
    expected = sum(quad(integrand, a, b, epsabs=1e-14, epsrel=1e-11)[0] for a, b in itertools.pairwise(edges))
    found = float(bivariate_average(rho, 1.0, 1.0, logistic_noise(math.inf), mean_a=ma, mean_b=mb))
    assert found == pytest.approx(expected, abs=1e-13)

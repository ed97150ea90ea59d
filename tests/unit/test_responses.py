"""The three responses: identities between their methods, error laws, divergence between fields."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad

from glassformer._core._errors import InvalidInputError
from glassformer._core._responses import field_of_mean, kl_divergence, mean_and_stiffness, response

CASES = [("exact", 1), ("exact", 2), ("exact", 3), ("exact", 6), ("exact", 41)]
CASES += [("amos", 1), ("amos", 2), ("amos", 3), ("amos", 19), ("large_d", 3), ("large_d", 4), ("large_d", 57)]
each_response = pytest.mark.parametrize(("name", "dim"), CASES)
KAPPA = np.array([1e-4, 0.07, 0.9, 3.3, 11.0, 76.0, 900.0])


@each_response
def test_derivative_is_the_slope_of_the_ratio(name, dim):
    r = response(name, dim)
    kappa = KAPPA[KAPPA < 30] if dim == 1 else KAPPA  # the slope of tanh falls below rounding
    h = 1e-5 * np.maximum(kappa, 1e-3)
    slope = (r.ratio(kappa + h) - r.ratio(kappa - h)) / (2 * h)
    tolerance = 1e-9 * r.ratio_derivative(kappa) + 2e-16 / h
    assert np.all(np.abs(slope - r.ratio_derivative(kappa)) <= tolerance)


@each_response
def test_methods_satisfy_their_identities(name, dim):
    r = response(name, dim)
    values = r.evaluate(KAPPA)
    for method, field in (
        ("ratio", "ratio"),
        ("ratio_over_kappa", "over_kappa"),
        ("ratio_derivative", "derivative"),
        ("delta", "delta"),
    ):
        np.testing.assert_allclose(getattr(r, method)(KAPPA), getattr(values, field), rtol=5e-15)
    np.testing.assert_allclose(values.over_kappa * KAPPA, values.ratio, rtol=5e-15)
    # delta = 1/kappa - A'/A up to the cancellation of the right side
    assert np.all(np.abs(1 / KAPPA - values.derivative / values.ratio - values.delta) <= 2e-15 / KAPPA)
    np.testing.assert_allclose(
        r.entropy(KAPPA), r.log_normalizer(KAPPA) - KAPPA * values.ratio, atol=1e-15 * KAPPA.max(), rtol=1e-10
    )
    assert np.all(r.entropy(KAPPA) < 0)
    assert np.all(values.derivative <= values.over_kappa)


@each_response
def test_log_normalizer_is_the_integral_of_the_ratio(name, dim):
    r = response(name, dim)
    for kappa in KAPPA[1:]:
        integral = quad(lambda k: float(r.ratio(k)), 0, kappa, epsrel=1e-12, epsabs=0, limit=300)[0]
        np.testing.assert_allclose(r.log_normalizer(kappa), integral, rtol=1e-10)


@each_response
def test_inverse_undoes_the_ratio(name, dim):
    r = response(name, dim)
    ratio = np.array([0.0, 1e-9, 0.2, 0.71, 0.97, 0.9995])
    np.testing.assert_allclose(r.ratio(r.inverse(ratio)), ratio, rtol=3e-15)


@each_response
def test_everything_is_finite_from_zero_to_a_million_millions(name, dim):
    r = response(name, dim)
    kappa = np.concatenate([[0.0], np.logspace(-300, 12, 105)])
    for method in (r.ratio, r.ratio_over_kappa, r.ratio_derivative, r.delta, r.log_normalizer, r.entropy):
        assert np.isfinite(method(kappa)).all()
    at_zero = r.evaluate(0.0)
    slope = 1.0 / (dim - 2) if name == "large_d" else 1.0 / dim
    assert at_zero.derivative == pytest.approx(slope, rel=1e-15)
    assert at_zero.over_kappa == pytest.approx(slope, rel=1e-15)
    assert at_zero.ratio == at_zero.delta == 0.0
    assert r.ratio(np.inf) == 1.0


@pytest.mark.parametrize(("dim", "published"), [(3, 0.030), (32, 0.0028), (128, 0.0007), (10, 0.009), (500, 0.00018)])
def test_amos_response_is_off_by_nine_per_cent_over_the_dimension(dim, published):
    kappa = np.logspace(-2, 5, 2000) * np.sqrt(dim)
    exact = response("exact", dim).ratio(kappa)
    error = 1 - response("amos", dim).ratio(kappa) / exact
    assert error.min() > -1e-13
    assert error.max() == pytest.approx(published, rel=0.08)


@pytest.mark.parametrize("dim", [3, 5, 32, 128])
def test_large_d_response_is_off_by_two_over_d_minus_two(dim):
    kappa = np.logspace(-4, 5, 800)
    error = response("large_d", dim).ratio(kappa) / response("exact", dim).ratio(kappa) - 1
    assert np.abs(error).max() == pytest.approx(2 / (dim - 2), rel=1e-6)


@each_response
def test_stiffness_is_the_derivative_of_the_mean(name, dim):
    r, beta, radius = response(name, dim), 1.7, 0.8
    theta = np.linspace(0.3, -1.1, dim) + 0.4
    h = 1e-5
    jacobian = np.stack(
        [
            (mean_and_stiffness(r, theta + e, beta, radius)[0] - mean_and_stiffness(r, theta - e, beta, radius)[0])
            / (2 * h)
            for e in h * np.eye(dim)
        ],
        axis=1,
    )
    _, along, across = mean_and_stiffness(r, theta, beta, radius)
    unit = theta / np.linalg.norm(theta)
    projector = np.outer(unit, unit)
    np.testing.assert_allclose(jacobian, beta * (along * projector + across * (np.eye(dim) - projector)), atol=1e-9)


@each_response
def test_field_of_mean_undoes_the_mean(name, dim):
    r = response(name, dim)
    theta = np.random.default_rng(5).normal(size=(4, 3, dim)) * np.array([0.0, 0.1, 1.0, 3.0])[:, None, None]
    mean = mean_and_stiffness(r, theta, 0.9, 1.4)[0]
    np.testing.assert_allclose(field_of_mean(r, mean, 0.9, 1.4), theta, rtol=1e-11)


@each_response
def test_divergence_equals_the_difference_of_normalizers(name, dim):
    r, rng = response(name, dim), np.random.default_rng(dim)
    a, b = rng.normal(size=(2, 20, dim))
    for beta, radius in ((0.3, 1.0), (2.0, 1.9), (40.0, 0.7)):
        ell_a, ell_b = (r.log_normalizer(beta * radius * np.linalg.norm(x, axis=-1)) for x in (a, b))
        mean = mean_and_stiffness(r, a, beta, radius)[0]
        expected = ell_b - ell_a + beta * np.sum((a - b) * mean, axis=-1)
        np.testing.assert_allclose(
            kl_divergence(r, a, b, beta=beta, radius=radius), expected, rtol=1e-11, atol=1e-12 * beta
        )


@each_response
def test_divergence_of_close_fields_is_the_fisher_metric(name, dim):
    r, beta, radius = response(name, dim), 1.3, 1.1
    theta = np.linspace(0.2, 1.0, dim)
    step = 1e-7 * np.cos(np.arange(dim) + 0.5)
    _, along, across = mean_and_stiffness(r, theta, beta, radius)
    unit = theta / np.linalg.norm(theta)
    parallel = step @ unit
    fisher = 0.5 * beta**2 * (along * parallel**2 + across * (step @ step - parallel**2))
    # about 1e-14: a difference of normalizers would have lost every digit
    assert kl_divergence(r, theta, theta + step, beta=beta, radius=radius) == pytest.approx(fisher, rel=3e-6)


@pytest.mark.parametrize("dim", [5, 30])
def test_large_d_divergence_has_the_closed_form_in_the_means(dim):
    r, beta, nu = response("large_d", dim), 1.6, dim / 2 - 1
    radius = np.sqrt(nu)
    a, b = np.random.default_rng(2).normal(size=(2, 7, dim))
    mean_a, mean_b = (mean_and_stiffness(r, x, beta, radius)[0] for x in (a, b))
    square_a, square_b = np.sum(mean_a**2, -1), np.sum(mean_b**2, -1)
    closed = nu * np.log((nu - square_b) / (nu - square_a))
    closed += 2 * nu * (square_b - np.sum(mean_a * mean_b, -1)) / (nu - square_b)
    np.testing.assert_allclose(kl_divergence(r, a, b, beta=beta, radius=radius), closed, rtol=1e-12)


def test_divergence_with_a_vanishing_field():
    r, theta = response("exact", 4), np.array([0.0, 2.0, 0.0, 0.0])
    kappa = 1.5 * 2.0
    from_zero = kl_divergence(r, 0 * theta, theta, beta=1.5, radius=1.0)
    to_zero = kl_divergence(r, theta, 0 * theta, beta=1.5, radius=1.0)
    assert from_zero == pytest.approx(float(r.log_normalizer(kappa)), rel=1e-13)
    assert to_zero == pytest.approx(-float(r.entropy(kappa)), rel=1e-13)


@pytest.mark.parametrize(
    ("name", "dim", "message"),
    [
        ("bessel", 4, "response is 'bessel', but must be one of exact, amos, large_d"),
        ("large_d", 2, "dim is 2, but must be at least 3 for the response 'large_d'; use 'exact' or 'amos'"),
        ("exact", 0, "dim is 0, but must be an integer >= 1"),
    ],
)
def test_impossible_responses_are_refused_in_a_sentence(name, dim, message):
    with pytest.raises(InvalidInputError, match=message):
        response(name, dim)

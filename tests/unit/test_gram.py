"""The Gram closure: loops, positivity, its exact limits and its order in 1/D."""

from __future__ import annotations

import numpy as np
import pytest
from naive import bessel_ratio_by_quotient, gram_step_by_loops, mean_of_spin

import glassformer as gf
from glassformer.theory._products import symmetric_product
from glassformer.theory.exact import SelfCoupledSpin


@pytest.mark.parametrize("size", [1, 2, 127, 128, 129, 300, 1030])
def test_half_a_product_is_the_whole_product_and_exactly_symmetric(size):
    rng = np.random.default_rng(size)
    left, middle = rng.normal(size=(size, size)), rng.normal(size=(size, 3))
    first, second = left @ (middle @ middle.T), left
    out = np.full((size, size), np.nan)
    symmetric_product(first, second, out=out)
    assert (out == out.T).all()
    np.testing.assert_allclose(out, first @ second.T, rtol=1e-10, atol=1e-10 * np.abs(out).max())


@pytest.mark.parametrize("dim", [1, 2, 5, 24])
@pytest.mark.parametrize("start", ["paramagnet", "definite", "partial"])
def test_the_transient_is_that_of_the_loops(dim, start):
    rng, n, beta, radius = np.random.default_rng(dim), 4, 1.7, 1.3
    model = gf.VectorSpin(rng.normal(size=(n, n)) / 2, rng.normal(size=(n, dim)), radius=radius)
    spins = model.random_spins(replicas=1, seed=1)[0]
    means = {"paramagnet": np.zeros((n, dim)), "definite": spins, "partial": 0.4 * spins}[start]
    path = gf.solve(model, gf.GramClosure(beta), start=None if start == "paramagnet" else means, steps=4)
    covariance = np.diag((radius**2 - np.sum(means**2, axis=1)) / dim)
    antisymmetric = model.couplings - model.couplings.T
    for time in range(5):
        after, new, delayed = gram_step_by_loops(model.couplings, model.fields, beta, radius, means, covariance)
        np.testing.assert_allclose(path["magnetization"][time], means, atol=1e-12)
        np.testing.assert_allclose(path["correlation"][time], dim * covariance, atol=1e-12)
        np.testing.assert_allclose(path["delayed_correlation"][time], delayed, atol=1e-12)
        sigma = beta * np.sum(antisymmetric * delayed)
        np.testing.assert_allclose(float(path["entropy_production"][time]), sigma, atol=1e-11)
        means, covariance = after, new


def test_the_steady_state_is_a_fixed_point_of_the_loops():
    rng, n, dim, beta = np.random.default_rng(5), 4, 6, 2.5
    model = gf.VectorSpin(rng.normal(size=(n, n)) / 2, rng.normal(size=(n, dim)))
    answer = gf.solve(model, gf.GramClosure(beta))
    means, covariance = answer["magnetization"].values, answer["correlation"].values / dim
    after, new, delayed = gram_step_by_loops(model.couplings, model.fields, beta, model.r, means, covariance)
    np.testing.assert_allclose(after, means, atol=1e-11)
    np.testing.assert_allclose(new, covariance, atol=1e-11)
    np.testing.assert_allclose(answer["delayed_correlation"], delayed, atol=1e-12)


@pytest.mark.parametrize("asymmetry", [0.0, 1.0, np.inf])
@pytest.mark.parametrize("beta", [0.5, 4.0, 1e3])
def test_the_covariance_stays_positive_on_every_path(asymmetry, beta):
    n = 24
    law = gf.Asymmetric(scale=1.5, asymmetry=asymmetry, self_coupling=True)
    model = gf.VectorSpin(law.sample(n=n, seed=1), gf.sphere_fields(n, dim=5, seed=2, strength=0.3))
    for start in (None, "fields", model.random_spins(replicas=1, seed=3)[0]):
        path = gf.solve(model, gf.GramClosure(beta), start=start, steps=30)
        correlation = path["correlation"].values
        assert (correlation == correlation.transpose(0, 2, 1)).all()
        assert np.linalg.eigvalsh(correlation).min() > -1e-12 * model.r**2
        assert (np.linalg.norm(path["magnetization"].values[1:], axis=-1) < model.r).all()


def asymmetry_of(matrix):
    return np.abs(matrix - matrix.T).max() / np.abs(matrix).max()


@pytest.mark.parametrize("beta", [0.7, 3.0])
def test_symmetric_couplings_produce_no_entropy_and_a_symmetric_delayed_correlation(beta):
    """The second is detailed balance, which no line of the code puts in by hand.

    With the response of infinite dimension it holds to rounding; with the exact one it is broken in order 1/D.
    """
    couplings = gf.SherringtonKirkpatrick().sample(n=20, seed=1)
    gaps = []
    for dim, response in ((12, "large_d"), (12, "exact"), (48, "exact"), (192, "exact")):
        model = gf.VectorSpin(couplings, gf.sphere_fields(20, dim=dim, seed=2, strength=0.4))
        answer = gf.solve(model, gf.GramClosure(beta, response=response))
        assert float(answer["entropy_production"]) == 0.0
        gaps.append(asymmetry_of(answer["delayed_correlation"].values))
    assert gaps[0] < 1e-11
    assert gaps[2] < 0.4 * gaps[1]
    assert gaps[3] < 0.4 * gaps[2] < 2e-3
    driven = gf.VectorSpin(gf.Asymmetric().sample(n=20, seed=1), model.fields)
    answer = gf.solve(driven, gf.GramClosure(beta))
    assert float(answer["entropy_production"]) > 0.01
    assert asymmetry_of(answer["delayed_correlation"].values) > 0.05


def test_the_steady_error_falls_as_one_over_the_dimension():
    """One spin that sees its own past, against quadrature."""
    errors = []
    for dim in (16, 64, 256):
        radius = np.sqrt(dim / 2 - 1)
        field = np.zeros((1, dim))
        field[0, 0] = 0.7 * radius
        model = gf.VectorSpin([[0.9]], field)
        exact = gf.solve(model, SelfCoupledSpin(beta=2.0))
        gram = gf.solve(model, gf.GramClosure(2.0))
        errors.append(
            [
                abs(float(gram[name][0, 0]) - float(exact[name][0, 0])) / scale
                for name, scale in (("magnetization", radius), ("delayed_correlation", radius**2))
            ]
        )
    slopes = np.diff(np.log(errors), axis=0) / np.log(4)
    np.testing.assert_allclose(slopes, -1.0, atol=0.2)


def test_the_transient_error_falls_as_one_over_the_dimension():
    """Second step from a definite state along the field, against quadrature over the angle of the first."""
    beta, coupling = 2.5, -1.2
    errors = []
    for dim in (16, 64, 256):
        radius = np.sqrt(dim / 2 - 1)
        field, start = np.zeros((1, dim)), np.zeros((1, dim))
        field[0, 0], start[0, 0] = 0.8 * radius, radius
        first = beta * radius * abs(field[0, 0] + coupling * radius)
        sign = np.sign(field[0, 0] + coupling * radius)
        w = np.linspace(-1, 1, 20_001)[1:-1]
        weight = np.exp(first * (w - 1) + (dim - 3) / 2 * np.log1p(-(w**2)))
        along = field[0, 0] + coupling * radius * sign * w
        length = np.sqrt(along**2 + (coupling * radius) ** 2 * (1 - w**2))
        table = np.linspace(length.min(), length.max(), 2000)
        ratio = np.interp(length, table, [bessel_ratio_by_quotient(beta * radius * h, dim)[0] for h in table])
        exact = radius * np.sum(weight * ratio * along / length) / weight.sum()
        path = gf.solve(gf.VectorSpin([[coupling]], field), gf.GramClosure(beta), start=start, steps=2)
        once = mean_of_spin(field[0] + coupling * start[0], beta, radius)
        np.testing.assert_allclose(path["magnetization"][1, 0], once, atol=1e-11)
        errors.append(abs(float(path["magnetization"][2, 0, 0]) - exact) / radius)
    np.testing.assert_allclose(np.diff(np.log(errors)) / np.log(4), -1.0, atol=0.2)


def test_a_ferromagnet_without_field_forgets_its_direction_over_a_time_proportional_to_its_size():
    """The whole sample turns: the decay rate of the mean is 1/(2N) here, so order is spontaneous for N to infinity only."""
    dim, beta, rates = 100, 4.0, []
    for n in (10, 20, 40):
        model = gf.VectorSpin(np.full((n, n), 1.0 / n), dim=dim)
        start = np.zeros((n, dim))
        start[:, 3] = model.r
        path = gf.solve(model, gf.GramClosure(beta, response="large_d"), start=start, steps=15 * n)
        along = path["magnetization"].values[:, 0, 3]
        rates.append(n * np.log(along[-2] / along[-1]))
        assert along[n // 2] > 0.5 * model.r  # and until then it keeps the direction of its start
    np.testing.assert_allclose(rates, 0.5, atol=0.08)
    assert np.ptp(rates) < 0.1
    assert float(gf.solve(model, gf.GramClosure(beta))["magnetization_sum_of_squares"]) == 0.0


def test_independent_couplings_do_not_order_without_a_field_where_naive_mean_field_does():
    """Exact gain beta / (1 + sqrt(1 + beta^2)) < 1 at every temperature; nMF is unstable beyond beta = 2."""
    n, dim, beta = 100, 128, 3.5
    model = gf.VectorSpin(gf.Asymmetric().sample(n=n, seed=1), dim=dim)
    start = 0.3 * model.random_spins(replicas=1, seed=2)[0]
    gram = gf.solve(model, gf.GramClosure(beta, response="large_d", tolerance=1e-6), start=start)
    assert float(gram["magnetization_sum_of_squares"]) < 1e-8
    delayed, correlation = gram["delayed_correlation"].values, gram["correlation"].values
    # L = a J C site by site
    gains = np.sum(delayed * (model.couplings @ correlation), axis=1) / np.sum(
        (model.couplings @ correlation) ** 2, axis=1
    )
    assert abs(np.mean(gains) / (beta / (1 + np.sqrt(1 + beta**2))) - 1) < 0.02
    naive = gf.solve(model, gf.NaiveMeanField(beta, response="large_d"), start=start, steps=30)
    assert float(naive["magnetization_sum_of_squares"][-1]) > 0.1 * n * model.r**2


@pytest.mark.parametrize(("asymmetry", "expected"), [(0.0, 0.832), (1.0, 0.866), (np.inf, 0.914)])
def test_alignment_grows_with_asymmetry_at_constant_variance(asymmetry, expected):
    n, dim = 160, 200
    model = gf.VectorSpin(gf.Asymmetric(asymmetry=asymmetry).sample(n=n, seed=4), gf.sphere_fields(n, dim=dim, seed=5))
    answer = gf.solve(model, gf.GramClosure(2.0, response="large_d", tolerance=1e-5))
    assert abs(float(answer["alignment_of_mean"]) - expected) < 0.015


@pytest.mark.parametrize("steps", [None, 2])
def test_few_components_are_told_and_many_are_not(steps):
    notes = {}
    for dim in (1, 15, 16, 40):
        fields = gf.sphere_fields(5, dim=dim, seed=2, radius="unit")
        model = gf.VectorSpin(gf.Asymmetric().sample(n=5, seed=1), fields, radius="unit")
        notes[dim] = gf.solve(model, gf.GramClosure(0.5), steps=steps).attrs.get("note", "")
    for dim, note in notes.items():
        assert (f"order 1/D, and D = {dim}; the Gaussian closure is better" in note) == (dim < 16)

"""Adaptive TAP against its own equations, enumeration, one spin, thermodynamics and the saddle point."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from glassformer._core._errors import InvalidInputError
from glassformer._core._responses import mean_and_stiffness, response
from glassformer.couplings import SherringtonKirkpatrick, gaussian_fields, sphere_fields
from glassformer.models import VectorSpin
from glassformer.theory.equilibrium import AdaptiveTAP, SaddlePoint
from glassformer.theory.equilibrium._adaptive_tap import _solve_site
from glassformer.theory.exact import Enumeration, SelfCoupledSpin


def sample(n, dim, *, seed, strength=1.0, radius="sqrt_d", scale=1.0):
    couplings = SherringtonKirkpatrick(scale=scale).sample(n=n, seed=seed)
    fields = gaussian_fields(n, dim=dim, seed=seed, strength=strength, radius=radius)
    return VectorSpin(couplings, fields, radius=radius)


@pytest.mark.parametrize(
    ("n", "dim", "beta", "name"),
    [
        (12, 1, 0.7, "exact"),
        (20, 2, 2.0, "exact"),
        (16, 3, 4.0, "exact"),
        (16, 5, 1.5, "amos"),
        (10, 9, 2.0, "large_d"),
    ],
)
def test_solution_satisfies_the_printed_equations(n, dim, beta, name):
    model = sample(n, dim, seed=dim)
    answer = AdaptiveTAP(beta, response=name).solve(model)
    assert answer.attrs["status"] == "converged"
    m = answer["magnetization"].values
    variance = (model.r**2 - np.sum(m**2, axis=1)) / dim
    covariance = answer["correlation"].values / dim
    np.testing.assert_allclose(np.diag(covariance), variance, rtol=1e-9)
    # Lambda from the inverse of the covariance, lambda from Lambda
    big = np.linalg.inv(beta * covariance)
    off = big + model.couplings
    np.testing.assert_allclose(off - np.diag(np.diag(off)), 0.0, atol=1e-7)
    small = (np.diag(big) - 1 / (beta * variance)) / beta
    theta = model.fields + model.couplings @ m - beta * small[:, None] * m
    np.testing.assert_allclose(mean_and_stiffness(response(name, dim), theta, beta, model.r)[0], m, atol=1e-7 * model.r)
    assert np.all(small > 0)


def test_one_spin_is_exact_in_every_dimension():
    for dim in (1, 2, 6):
        model = VectorSpin([[0.0]], np.full((1, dim), 0.4), radius=1.3)
        ours, exact = AdaptiveTAP(1.9).solve(model), SelfCoupledSpin(1.9).solve(model)
        np.testing.assert_allclose(ours["magnetization"], exact["magnetization"], atol=1e-12)
        ell = float(response("exact", dim).log_normalizer(1.9 * 1.3 * np.linalg.norm(model.fields)))
        assert float(ours["free_energy"]) == pytest.approx(-ell / 1.9, rel=1e-12)


def test_errors_fall_with_the_couplings_against_enumeration():
    """Means to second order, connected correlations to first, free energy to second: the next order is the error."""
    fields = gaussian_fields(8, dim=1, seed=2, radius=0.9)
    for seed in (3, 4):
        couplings = SherringtonKirkpatrick().sample(n=8, seed=seed)
        errors = []
        for scale in (0.2, 0.1, 0.05):
            model = VectorSpin(scale * couplings, fields, radius=0.9)
            ours, exact = AdaptiveTAP(1.1).solve(model), Enumeration(1.1, update="sequential").solve(model)
            names = ("magnetization", "correlation", "free_energy", "energy")
            errors.append([np.abs(ours[name] - exact[name]).values.max() for name in names])
        order = np.log2(np.array(errors[1]) / errors[2])
        assert order[0] > 2.5
        assert order[1] > 1.8
        assert order[2] > 2.5
        assert order[3] > 2.5


def test_weak_field_ising_glass_is_within_a_few_per_cent_of_enumeration():
    """N = 12 above the transition; naive mean field, the negative control, is not."""
    worst, naive = [], []
    for seed in range(6):
        model = sample(12, 1, seed=seed, strength=0.5, radius="unit")
        exact = Enumeration(0.6, update="sequential").solve(model)["magnetization"].values
        ours = AdaptiveTAP(0.6).solve(model)["magnetization"].values
        mean = np.zeros_like(exact)
        for _ in range(2000):
            mean = np.tanh(0.6 * (model.fields + model.couplings @ mean))
        size = np.sqrt(np.mean(exact**2))
        worst.append(np.sqrt(np.mean((ours - exact) ** 2)) / size)
        naive.append(np.sqrt(np.mean((mean - exact) ** 2)) / size)
    assert np.median(worst) < 0.05
    assert np.median(naive) > 4 * np.median(worst)


@pytest.mark.parametrize(("dim", "beta", "strength"), [(1, 0.8, 0.7), (3, 2.0, 0.3), (12, 3.0, 1.0), (4, 3.0, 0.0)])
def test_energy_is_the_derivative_of_the_free_energy(dim, beta, strength):
    model, step = sample(14, dim, seed=6, strength=strength), 1e-4 * beta
    here, below, above = (AdaptiveTAP(b, tolerance=1e-12).solve(model) for b in (beta, beta - step, beta + step))
    slope = ((beta + step) * above["free_energy"] - (beta - step) * below["free_energy"]) / (2 * step)
    assert float(slope) == pytest.approx(float(here["energy"]), rel=1e-6)


def test_it_becomes_the_saddle_point_as_one_over_the_dimension():
    errors = []
    for dim in (16, 64, 256):
        couplings = SherringtonKirkpatrick().sample(n=12, seed=3)
        fields = sphere_fields(12, dim=dim, seed=2, strength=0.5, radius="sqrt_d")
        model = VectorSpin(couplings, fields, radius="sqrt_d")
        ours, limit = AdaptiveTAP(1.5).solve(model), SaddlePoint(1.5).solve(model)
        errors.append([abs(float(ours[name] - limit[name])) / dim for name in ("energy", "free_energy")])
    for one, next_one in itertools.pairwise(errors):
        np.testing.assert_allclose(np.array(next_one) / one, 0.25, atol=0.04)


def test_without_fields_it_is_the_saddle_point():
    """With m = 0 both fix the same diagonal of the same inverse."""
    model = sample(16, 3, seed=1, strength=0.0)
    ours, other = AdaptiveTAP(3.0).solve(model), SaddlePoint(3.0).solve(model)
    np.testing.assert_allclose(ours["correlation"], other["correlation"], atol=1e-7)
    assert float(ours["free_energy"]) == pytest.approx(float(other["free_energy"]), rel=1e-9)


def test_ferromagnet_below_its_transition_keeps_the_order_it_starts_from():
    n = 40
    model = VectorSpin((np.ones((n, n)) - np.eye(n)) / n, dim=1, radius="unit")
    up = AdaptiveTAP(2.0).solve(model, start=np.full(n, 0.9))
    down = AdaptiveTAP(2.0).solve(model, start=-np.full((n, 1), 0.9))
    np.testing.assert_allclose(up["magnetization"], 0.957, atol=0.02)  # m = tanh(2m), up to 1/N
    np.testing.assert_allclose(down["magnetization"], -up["magnetization"].values, atol=1e-8)


@pytest.mark.parametrize("strength", [0.0, 1e-6, 3.0, 1e5])
@pytest.mark.parametrize(("name", "dim"), [("exact", 1), ("exact", 40), ("amos", 2), ("large_d", 3)])
def test_site_equation_is_solved_at_every_strength(strength, name, dim):
    respond, target = response(name, dim), np.array([0.0, 1e-8, 0.3, 7.0, 1e3, 1e6])
    kappa = _solve_site(respond, target, np.full(6, strength))
    np.testing.assert_allclose(kappa + strength * respond.ratio(kappa), target, rtol=1e-12, atol=1e-15)


def test_deep_glass_that_defeats_the_iteration_is_reported_with_its_residual():
    model = sample(60, 1, seed=1, strength=0.05, radius="unit")
    answer = AdaptiveTAP(6.0, max_iterations=40).solve(model)
    assert answer.attrs["status"] in ("converged", "not_converged")
    assert (answer.attrs["residual"] <= 1e-10) == (answer.attrs["status"] == "converged")
    assert np.isfinite(answer["magnetization"]).all()


def test_bad_input_is_refused_in_a_sentence():
    model = sample(4, 3, seed=1)
    with pytest.raises(InvalidInputError, match="needs an equilibrium"):
        AdaptiveTAP(1.0).solve(VectorSpin(np.triu(np.ones((3, 3))), dim=3))
    with pytest.raises(InvalidInputError, match="the largest length of start is"):
        AdaptiveTAP(1.0).solve(model, start=np.full((4, 3), 10.0))
    with pytest.raises(InvalidInputError, match="the shape of start"):
        AdaptiveTAP(1.0).solve(model, start=np.zeros((3, 3)))
    with pytest.raises(InvalidInputError, match="response is 'bessel'"):
        AdaptiveTAP(1.0, response="bessel")

"""The large-D saddle point against finite differences, closed forms and the spherical limit."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import brentq

from glassformer._core._errors import InvalidInputError
from glassformer.couplings import SherringtonKirkpatrick, sphere_fields
from glassformer.models import VectorSpin
from glassformer.theory.equilibrium import SaddlePoint
from glassformer.theory.equilibrium import _saddle_point as saddle


def sample(n, dim, *, seed, strength=1.0, radius="sqrt_d", scale=1.0):
    couplings = SherringtonKirkpatrick(scale=scale).sample(n=n, seed=seed)
    return VectorSpin(couplings, sphere_fields(n, dim=dim, seed=seed, strength=strength, radius=radius), radius=radius)


def test_gradient_and_hessian_are_finite_differences_of_the_function():
    model, beta = sample(5, 4, seed=1, strength=0.8, radius=1.3), 1.7
    tau = beta * 2.5 + np.linspace(0.0, 1.0, 5)
    point = saddle._evaluate(model, beta, model.couplings, tau)
    hessian = saddle._hessian(model, point)
    h = 1e-5
    for i, unit in enumerate(np.eye(5)):
        above, below = (saddle._evaluate(model, beta, model.couplings, tau + sign * h * unit) for sign in (1, -1))
        assert (above.value - below.value) / (2 * h) == pytest.approx(point.gradient[i], rel=1e-8)
        np.testing.assert_allclose((above.gradient - below.gradient) / (2 * h), hessian[i], rtol=1e-7, atol=1e-9)
    # the printed function, in t = tau / beta
    t = np.diag(tau / beta)
    phi = 0.5 * beta * 1.3**2 * np.trace(t) - 2.0 * np.linalg.slogdet(t - model.couplings)[1]
    phi += 0.5 * beta * np.trace(model.fields.T @ np.linalg.solve(t - model.couplings, model.fields))
    assert point.value == pytest.approx(phi - 2.0 * 5 * np.log(beta), rel=1e-12)


@pytest.mark.parametrize(("dim", "beta", "strength"), [(2, 0.4, 1.0), (7, 3.0, 0.2), (50, 12.0, 2.0)])
def test_one_spin_solves_its_quadratic_equation(dim, beta, strength):
    radius = 1.1
    model = VectorSpin([[0.0]], sphere_fields(1, dim=dim, seed=3, strength=strength, radius=radius), radius=radius)
    x = np.linalg.norm(model.fields)
    t = brentq(lambda t: dim / (beta * t) + x**2 / t**2 - radius**2, 1e-6, 1e6, xtol=1e-14)
    answer = SaddlePoint(beta).solve(model)
    np.testing.assert_allclose(answer["magnetization"], model.fields / t, rtol=1e-10)


@pytest.mark.parametrize(("beta", "strength", "dim"), [(0.5, 1.0, 6), (2.0, 0.3, 20), (5.0, 0.0, 8)])
def test_energy_and_heat_are_derivatives_of_one_free_energy(beta, strength, dim):
    model, step = sample(30, dim, seed=4, strength=strength), 1e-4 * beta

    def solve(b):
        return SaddlePoint(b, tolerance=1e-13).solve(model)

    here, below, above = solve(beta), solve(beta - step), solve(beta + step)
    slope = ((beta + step) * above["free_energy"] - (beta - step) * below["free_energy"]) / (2 * step)
    assert float(slope) == pytest.approx(float(here["energy"]), rel=1e-7)
    heat = -(beta**2) * (above["energy"] - below["energy"]) / (2 * step)
    assert float(heat) == pytest.approx(float(here["specific_heat"]), rel=1e-6)
    assert float(here["entropy"]) == pytest.approx(beta * float(here["energy"] - here["free_energy"]), rel=1e-10)
    np.testing.assert_allclose(
        np.diag(here["correlation"]) + np.sum(here["magnetization"].values ** 2, axis=1), model.r**2, rtol=1e-12
    )


def test_everything_vanishes_at_infinite_temperature():
    model = sample(9, 5, seed=2)
    answer = SaddlePoint(0.0).solve(model)
    for name in ("free_energy", "energy", "specific_heat", "entropy"):
        assert float(answer[name]) == pytest.approx(0.0, abs=1e-12)
    np.testing.assert_allclose(answer["correlation"], model.r**2 * np.eye(9), atol=1e-12)
    cold = SaddlePoint(1e-3).solve(model)  # log Z = beta^2 <E^2> / 2 to leading order
    second = 0.5 * np.sum(model.couplings**2) * model.r**4 / 5 + np.sum(model.fields**2) * model.r**2 / 5
    assert float(cold["free_energy"]) == pytest.approx(-0.5 * 1e-3 * second / 9, rel=5e-3)


@pytest.mark.parametrize("radius", ["bal", "sqrt_d", 0.7])
def test_high_temperature_phase_has_the_energy_of_the_spherical_limit(radius):
    dim, n = 5, 300
    model = VectorSpin(SherringtonKirkpatrick(scale=1.4).sample(n=n, seed=1), dim=dim, radius=radius)
    critical = 1.4 * model.r**2 / dim
    temperature = 2.0 * critical
    answer = SaddlePoint(1 / temperature).solve(model)
    expected = -(1.4**2) * model.r**4 / (2 * dim * temperature)
    # fluctuations and finite-size corrections of the trace of J^2 are of order 1/N
    assert float(answer["energy"]) == pytest.approx(expected, rel=10 / n)
    assert float(answer["specific_heat"]) == pytest.approx(dim / 2 * (critical / temperature) ** 2, rel=20 / n)


def test_glass_phase_approaches_the_spherical_limit_as_the_sample_grows():
    dim, temperature = 6, 0.5
    expected = -dim + dim * temperature / 2  # -J R^2 + D T / 2
    errors = []
    for n in (64, 512):
        energies = [
            float(SaddlePoint(1 / temperature).solve(VectorSpin(SherringtonKirkpatrick().sample(n=n, seed=s), dim=dim, radius="sqrt_d"))["energy"])
            for s in range(512 // n)
        ]  # fmt: skip
        errors.append(np.mean(energies) - expected)
    # N modes cannot all condense into one and keep every spin's length: the approach is slow, about N^(-0.3)
    assert 0.3 < errors[1] / errors[0] < 0.65
    assert 0 < errors[1] < 0.12 * abs(expected)


@pytest.mark.parametrize(("beta", "strength"), [(1.5, 1.0), (4.0, 1.0), (2.5, 1.7)])
def test_sample_in_a_field_has_the_replica_symmetric_overlap(beta, strength):
    def equation(q):  # sqrt(D=inf) response: m/R = (1 - q) beta H, H^2 = h^2 + q, temperatures in units of R^2/D
        return np.sqrt(q) / (beta * (1 - q)) - np.sqrt(strength**2 + q)

    q = brentq(equation, 1e-12, 1 - 1e-12)
    n, found = 150, []
    for seed in range(12):
        model = sample(n, 200, seed=seed, strength=strength)
        answer = SaddlePoint(beta).solve(model)
        square = float(answer["magnetization_sum_of_squares"]) / (n * model.r**2)
        found.append([square, float(answer["mean_of_alignment"])])
    error = np.std(found, axis=0, ddof=1) / np.sqrt(12)
    expected = [q, np.sqrt(q) * strength / np.sqrt(strength**2 + q)]
    assert np.all(error < 0.005)
    # measured from N = 75 to 600 at beta = 4: the finite-size shift is 0.53 N^(-2/3) in the alignment, less in q
    assert np.all(np.abs(np.mean(found, axis=0) - expected) < 5 * error + 0.6 * n ** (-2 / 3))


@pytest.mark.parametrize("beta", [30.0, 1e4])
@pytest.mark.parametrize("strength", [0.0, 0.05])
def test_cold_samples_converge_in_few_steps(beta, strength):
    answer = SaddlePoint(beta).solve(sample(60, 4, seed=5, strength=strength))
    assert answer.attrs["status"] == "converged"
    assert answer.attrs["iterations"] < 50
    assert answer.attrs["residual"] < 1e-9


def test_diagonal_is_ignored_and_asymmetry_refused():
    model = sample(6, 4, seed=8)
    with_diagonal = VectorSpin(model.couplings + 3.0 * np.eye(6), model.fields, radius="sqrt_d")
    ours, theirs = SaddlePoint(1.0).solve(model), SaddlePoint(1.0).solve(with_diagonal)
    np.testing.assert_array_equal(ours["magnetization"], theirs["magnetization"])
    assert float(ours["energy"]) == pytest.approx(float(theirs["energy"]), rel=1e-13)
    with pytest.raises(InvalidInputError, match=r"needs an equilibrium.*use GramClosure"):
        SaddlePoint(1.0).solve(VectorSpin(np.triu(np.ones((3, 3))), dim=3))
    with pytest.raises(InvalidInputError, match="has no dynamics; use GramClosure"):
        SaddlePoint(1.0).solve(model, steps=3)
    with pytest.raises(InvalidInputError, match="beta is -1.0"):
        SaddlePoint(-1.0)


def test_too_few_iterations_are_reported():
    answer = SaddlePoint(3.0, max_iterations=1).solve(sample(20, 8, seed=1))
    assert answer.attrs["status"] == "not_converged"
    assert answer.attrs["residual"] > 1e-10


@pytest.mark.parametrize("beta", [1e4, 1e8, 1e11, 1e13])
@pytest.mark.parametrize("dim", [1, 3])
def test_extreme_cold_gives_an_answer_or_a_status_never_a_traceback(beta, dim):
    rng = np.random.default_rng(1)
    couplings = rng.normal(size=(5, 5))
    model = VectorSpin((couplings + couplings.T) / np.sqrt(5), rng.normal(size=(5, dim)), radius="unit")
    found = SaddlePoint(beta).solve(model)
    assert np.isfinite(found["magnetization"]).all()
    if found.attrs["status"] == "converged":
        square = (found["magnetization"] ** 2).sum("component") + np.diag(found["correlation"])
        assert np.allclose(square, 1.0, atol=1e-6)

"""The Gaussian closure and the averages over Gaussian fields that it stands on."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from naive import gaussian_averages_by_grid, gaussian_step_by_loops
from scipy import integrate
from scipy.special import roots_genlaguerre

import glassformer as gf
from glassformer._core._gaussian_averages import average_over_gaussian_field, radial_rule
from glassformer._core._responses import response as make_response

# --- averages ---------------------------------------------------------------------------------------------------------


def averages(dim, strength, variance, *, beta, radius, response="exact", nodes=16):
    strength, variance = np.broadcast_arrays(np.atleast_1d(np.asarray(strength, dtype=float)), variance)
    found = average_over_gaussian_field(
        gf.response(response, dim),
        strength,
        variance,
        beta=beta,
        radius=radius,
        nodes=nodes,
    )
    return np.array(found)


@pytest.mark.parametrize("dim", [1, 2, 4])
@pytest.mark.parametrize(("ratio", "sharpness"), [(0.0, 0.7), (0.4, 3.0), (2.5, 3.0)])
def test_averages_equal_a_dense_grid(dim, ratio, sharpness):
    """Even powers of the radial variable, for which the midpoint rule converges beyond all orders."""
    beta, radius = 1.3, 0.8
    variance = (sharpness / (beta * radius)) ** 2
    strength = ratio * np.sqrt(variance)
    expected = gaussian_averages_by_grid(strength, variance, dim, beta, radius)
    found = averages(dim, strength, variance, beta=beta, radius=radius)[:, 0]
    wanted = [0, 1, 3] if dim == 1 else [0, 1, 2, 3]  # there is no direction across in one dimension
    np.testing.assert_allclose(found[wanted], expected[wanted], rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("dim", [1, 2, 3, 4, 8, 33, 200])
@pytest.mark.parametrize("sharpness", [1e-3, 0.5, 2.0, 8.0, 32.0, 1e3, 1e6])
def test_the_rule_is_converged_for_every_dimension_and_field(dim, sharpness):
    """Refinement leaves the averages alone, and F/g (which the rule must get right) equals its expectation form."""
    beta, radius = 0.9, 1.3
    ratios = np.array([0.3, 1.0, 3.0, 9.0, 30.0, 1e5])
    width = sharpness / (beta * radius)
    args = (dim, ratios * width, np.full(6, width**2))
    coarse = averages(*args, beta=beta, radius=radius)
    fine = averages(*args, beta=beta, radius=radius, nodes=40)
    # dF/dg becomes exponentially small against the others at D = 1: compare it on their scale
    np.testing.assert_allclose(coarse[[0, 2, 3]], fine[[0, 2, 3]], rtol=1e-12)
    np.testing.assert_allclose(coarse[1], fine[1], rtol=1e-10, atol=1e-13 * np.abs(fine[2]).max())
    if dim > 1:
        np.testing.assert_allclose(fine[0] / (ratios * width), fine[2], rtol=1e-10)


def test_a_gauss_product_rule_is_right_where_it_is_known_to_be_and_wrong_where_it_is_not():
    """24 x 24 Hermite x Laguerre: about 2e-5 at D = 8 up to c = 32, of order 1 % at D = 3, c = 8."""

    def product_rule(dim, ratio, sharpness):
        x, wx = np.polynomial.hermite_e.hermegauss(24)
        y, wy = roots_genlaguerre(24, (dim - 3) / 2)
        forward, square = ratio + x[:, None], 2 * y
        length = np.sqrt(forward**2 + square)
        values = gf.response("exact", dim).evaluate(sharpness * length)
        c2 = (forward / length) ** 2
        integrand = values.derivative * c2 + values.over_kappa * (1 - c2)
        return float(wx @ integrand @ wy / (wx.sum() * wy.sum()))

    errors = {}
    for dim, sharpness in ((8, 4.0), (8, 32.0), (3, 8.0)):
        exact = averages(dim, sharpness, sharpness**2, beta=1.0, radius=1.0)[1, 0]
        errors[dim, sharpness] = abs(product_rule(dim, 1.0, sharpness) / exact - 1)
    assert errors[8, 4.0] < 1e-6
    assert errors[8, 32.0] < 3e-5
    assert 2e-3 < errors[3, 8.0] < 0.05


@pytest.mark.parametrize("response", ["exact", "amos", "large_d"])
@pytest.mark.parametrize("dim", [3, 7])
def test_the_slope_along_the_field_is_the_derivative_of_the_mean(response, dim):
    strength, variance, step = np.array([0.2, 1.0, 4.0]), np.array([0.5, 2.0, 0.1]), 1e-4
    kwargs = {"beta": 1.7, "radius": 1.2, "response": response}
    up, down = (averages(dim, strength + s, variance, **kwargs)[0] for s in (step, -step))
    here = averages(dim, strength, variance, **kwargs)
    np.testing.assert_allclose(here[1], (up - down) / (2 * step), rtol=1e-6)
    np.testing.assert_allclose(here[2], here[0] / strength, rtol=1e-10)


@pytest.mark.parametrize("dim", [1, 2, 9])
def test_without_mean_field_or_noise_the_averages_have_their_limits(dim):
    beta, radius = 2.0, 1.5
    response = gf.response("exact", dim)
    silent = averages(dim, [0.0, 0.7], [0.0, 0.0], beta=beta, radius=radius)
    values = response.evaluate(beta * radius * np.array([0.0, 0.7]))
    np.testing.assert_allclose(silent[0], radius * values.ratio, rtol=1e-14)
    np.testing.assert_allclose(silent[1], beta * radius**2 * values.derivative, rtol=1e-14)
    noisy = averages(dim, 0.0, 0.8, beta=beta, radius=radius)[:, 0]
    assert noisy[0] == 0.0
    np.testing.assert_allclose(noisy[3], radius**2 / dim, rtol=1e-12)
    if dim > 1:
        np.testing.assert_allclose(noisy[1], noisy[2], rtol=1e-12)
    # noise that fades away joins the limit without a step
    faint = averages(dim, 0.7, np.array([1e-20, 1e-15, 1e-8]) * 0.49, beta=beta, radius=radius)
    np.testing.assert_allclose(faint[0], silent[0, 1], rtol=3e-8)
    np.testing.assert_allclose(faint[1], silent[1, 1], rtol=3e-7)


@pytest.mark.parametrize("dim", [1, 2, 5, 64])
def test_the_radial_rule_has_the_moments_of_the_noncentral_chi_square(dim):
    ratio = np.array([0.0, 0.5, 4.0, 40.0, 1e6])
    rho, weight = radial_rule(ratio, np.array([0.1, 1e5, 1.0, 1.0, 1.0]), dim)
    second = np.sum(weight * rho**2, axis=1)
    np.testing.assert_allclose(second, dim + ratio**2, rtol=1e-12)
    variance = np.sum(weight * (rho**2 - second[:, None]) ** 2, axis=1)
    np.testing.assert_allclose(variance[:4], (2 * dim + 4 * ratio**2)[:4], rtol=1e-10)


# --- the closure ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dim", [1, 2, 3, 5])
@pytest.mark.parametrize("start", ["paramagnet", "definite"])
def test_the_transient_is_that_of_the_loops(dim, start):
    rng, n, beta, radius = np.random.default_rng(dim), 4, 1.7, 1.3
    model = gf.VectorSpin(rng.normal(size=(n, n)) / 2, rng.normal(size=(n, dim)), radius=radius)
    means = np.zeros((n, dim)) if start == "paramagnet" else model.random_spins(replicas=1, seed=1)[0]
    path = gf.solve(model, gf.GaussianClosure(beta), start=None if start == "paramagnet" else means, steps=4)
    room = 0.0 if start == "definite" else radius**2 / dim
    blocks = [[room * (i == k) * np.eye(dim) for k in range(n)] for i in range(n)]
    for time in range(5):
        after, new, delayed = gaussian_step_by_loops(
            model.couplings,
            model.fields,
            beta,
            radius,
            means,
            blocks,
            lambda g, w: averages(dim, g, w, beta=beta, radius=radius)[:, 0],
        )
        np.testing.assert_allclose(path["magnetization"][time], means, atol=1e-12)
        traces = [[np.trace(block) for block in row] for row in blocks]
        np.testing.assert_allclose(path["correlation"][time], traces, atol=1e-11)
        np.testing.assert_allclose(path["delayed_correlation"][time], delayed, atol=1e-11)
        means, blocks = after, new


@pytest.mark.parametrize("beta", [0.6, 2.0, 7.0])
def test_one_component_is_the_gaussian_theory_of_the_kinetic_ising_model(beta):
    """m and the slope are one-dimensional Gaussian integrals; D = A J C (Mezard and Sakellariou)."""
    rng = np.random.default_rng(4)
    couplings, fields = rng.normal(size=(5, 5)) / np.sqrt(5), 0.5 * rng.normal(size=5)
    model = gf.VectorSpin(couplings, fields, dim=1, radius="unit")
    answer = gf.solve(model, gf.GaussianClosure(beta))
    m, c = answer["magnetization"].values[:, 0], answer["correlation"].values
    drive, width = fields + couplings @ m, np.sqrt(np.diag(couplings @ c @ couplings.T))
    slopes = np.empty(5)
    for i in range(5):

        def gaussian(function, i=i):
            def integrand(x):
                return np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi) * function(beta * (drive[i] + width[i] * x))

            return integrate.quad(integrand, -10, 10, points=[-drive[i] / width[i]], epsabs=1e-13, limit=400)[0]

        np.testing.assert_allclose(m[i], gaussian(np.tanh), atol=1e-10)
        slopes[i] = beta * gaussian(lambda y: 1 / np.cosh(y) ** 2)
    np.testing.assert_allclose(answer["delayed_correlation"], slopes[:, None] * (couplings @ c), atol=1e-10)
    spread = np.outer(slopes, slopes) * (couplings @ c @ couplings.T)
    np.fill_diagonal(spread, 1 - m**2)
    np.testing.assert_allclose(c, spread, atol=1e-9)


def test_it_becomes_the_gram_closure_as_the_dimension_grows():
    rng, n = np.random.default_rng(6), 5
    couplings, directions = rng.normal(size=(n, n)) / np.sqrt(n), rng.normal(size=(n, 4))
    gaps = []
    for dim in (8, 24, 72):
        radius = np.sqrt(dim / 2 - 1)
        fields = np.zeros((n, dim))
        fields[:, :4] = radius * directions / np.linalg.norm(directions, axis=1, keepdims=True)
        model = gf.VectorSpin(couplings, fields)
        gaussian, gram = (gf.solve(model, closure(2.0)) for closure in (gf.GaussianClosure, gf.GramClosure))
        gaps.append(
            [
                np.linalg.norm(gaussian[name].values - gram[name].values) / np.linalg.norm(gram[name].values)
                for name in ("magnetization", "correlation", "delayed_correlation")
            ]
        )
    slopes = np.diff(np.log(gaps), axis=0) / np.log(3)
    assert (slopes < -0.7).all()
    assert max(gaps[-1]) < 0.05


def test_few_components_are_described_better_than_by_the_gram_closure():
    """D = 1, independent couplings, N = 9: against enumeration; the Gram closure is a theory of many components."""
    model = gf.VectorSpin(
        gf.Asymmetric().sample(n=9, seed=3),
        gf.sphere_fields(9, dim=1, seed=4, radius="unit", strength=0.5),
        radius="unit",
    )
    exact = gf.solve(model, gf.Enumeration(1.5))

    def error(closure):
        answer = gf.solve(model, closure(1.5))
        return float(np.linalg.norm(answer["magnetization"].values - exact["magnetization"].values))

    assert error(gf.GaussianClosure) < 0.4 * error(gf.GramClosure)
    assert error(gf.GaussianClosure) < 0.4 * error(gf.NaiveMeanField)


def test_too_much_memory_is_refused_before_it_is_taken():
    model = gf.VectorSpin(np.zeros((512, 512)), dim=64)
    with pytest.raises(
        gf.InvalidInputError, match=r"51\.5 GB', but must be at most memory_limit = 4 GB; use GramClosure"
    ):
        gf.solve(model, gf.GaussianClosure(1.0))
    small = gf.VectorSpin(np.zeros((4, 4)), dim=3, radius="unit")
    with pytest.raises(gf.InvalidInputError, match="GramClosure"):
        gf.solve(small, gf.GaussianClosure(1.0, memory_limit=1000))
    answer = gf.solve(small, gf.GaussianClosure(1.0))
    assert answer.attrs["memory"] == gf.GaussianClosure(1.0).memory(small) == 8 * 6 * 144


def test_a_closure_that_leaves_the_sphere_says_so_without_a_warning(monkeypatch):
    """Deep in a glass and without a field C becomes anisotropic and loses positivity: a defect of the theory."""
    model = gf.VectorSpin(gf.SherringtonKirkpatrick().sample(n=24, seed=0), dim=3, radius="unit")
    start = model.random_spins(replicas=1, seed=1)[0]
    method = gf.GaussianClosure(48.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        answer = gf.solve(model, method, start=start, throw=False)
    assert answer.attrs["status"] == "nonfinite"
    assert np.abs(answer["correlation"].values).max() < 30 * model.r**2
    with pytest.raises(gf.NotConvergedError):
        gf.solve(model, method, start=start)
    # A transient keeps what came before; none that we know breaks down, so the criterion is moved.
    monkeypatch.setattr(
        "glassformer.theory.closures._gaussian.unphysical", lambda model, blocks: abs(blocks[0, 1]).max() > 0.05
    )
    path = gf.solve(model, method, start=start, steps=60, throw=False)
    assert path.attrs["status"] == "nonfinite"
    assert 1 < path.sizes["time"] < 60
    assert f"broke down at step {path.sizes['time']}" in path.attrs["note"]


@pytest.mark.parametrize("closure", [gf.GaussianClosure, gf.GramClosure])
def test_damping_mixes_laws_so_that_spins_stay_on_the_sphere(closure):
    """At every mixing the diagonal is R^2 - m^2 and C stays positive, although the means move on a straight line."""
    from glassformer.theory.closures import _gaussian, _gram

    rng, n, dim, radius = np.random.default_rng(1), 5, 3, 1.2
    model = gf.VectorSpin(rng.normal(size=(n, n)), rng.normal(size=(n, dim)), radius=radius)
    spins = model.random_spins(replicas=2, seed=1)
    if closure is gf.GramClosure:
        states = [(s, np.zeros((n, n))) for s in spins]
        means, covariance = _gram.mix_laws(*states, 0.25)
        correlation = dim * covariance
    else:
        states = [(s, np.zeros((dim, dim, n, n))) for s in spins]
        means, blocks = _gaussian.mix_laws(*states, 0.25)
        correlation = np.einsum("aaik->ik", blocks)
        full = blocks.transpose(2, 0, 3, 1).reshape(n * dim, n * dim)
        assert np.linalg.eigvalsh(full).min() > -1e-12
    np.testing.assert_allclose(means, 0.75 * spins[0] + 0.25 * spins[1], atol=1e-14)
    np.testing.assert_allclose(np.diag(correlation), radius**2 - np.sum(means**2, axis=1), atol=1e-13)
    assert np.linalg.eigvalsh(correlation).min() > -1e-12


@pytest.mark.parametrize("response", ["amos", "large_d"])
def test_a_spin_keeps_its_length_whatever_the_response(response: str) -> None:
    """On site the sphere decides: <s^2> = R^2, and for one component m^2 + C = R^2."""
    for dim in (1, 3, 6) if response == "amos" else (3, 6):
        rng = np.random.default_rng(dim)
        model = gf.VectorSpin(rng.normal(size=(5, 5)) / 2, rng.normal(size=(5, dim)), radius=0.9)
        found = gf.solve(model, gf.GaussianClosure(1.7, response=response))
        square = (found["magnetization"] ** 2).sum("component") + np.diag(found["correlation"])
        assert np.allclose(square, model.r**2, rtol=1e-10)
        assert float(found["covariance_trace"]) == pytest.approx(float(np.trace(found["correlation"])), rel=1e-10)


@pytest.mark.parametrize(("dim", "strength", "variance"), [(3, 1.0, 0.8), (5, 0.0, 2.0), (4, 2.5, 0.3)])
@pytest.mark.parametrize("response", ["exact", "amos", "large_d"])
def test_the_second_moment_is_the_average_of_the_conditional_one(dim, strength, variance, response) -> None:
    beta, radius = 3.0, 1.2
    respond = make_response(response, dim)
    found = average_over_gaussian_field(
        respond, np.array([strength]), np.array([variance]), beta=beta, radius=radius
    )  # fmt: skip
    h = np.sqrt(variance) * np.random.default_rng(1).normal(size=(400_000, dim))
    h[:, 0] += strength
    length = np.linalg.norm(h, axis=1)
    over = respond.ratio_over_kappa(beta * radius * length)
    cosine = (h[:, 0] / length) ** 2
    sample = radius**2 * ((1 - (dim - 1) * over) * cosine + over * (1 - cosine))
    z = (sample.mean() - found.second_parallel[0]) / (sample.std() / np.sqrt(sample.size))
    assert abs(z) < 4.9

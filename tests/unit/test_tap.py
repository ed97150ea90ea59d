"""The TAP equation: its terms against finite differences, its solver, and the published variant."""

from __future__ import annotations

import itertools
import warnings

import numpy as np
import pytest
from naive import covariance_of_spin, mean_of_spin, second_derivative_by_differences

import glassformer as gf
from glassformer._core._responses import mean_and_stiffness
from glassformer.theory.closures._common import law_in_fields
from glassformer.theory.closures._tap import (
    NeighbourVariance,
    anisotropic_reaction,
    isotropic_field,
    neighbour_variance,
)
from glassformer.theory.closures._tap_bal2023 import PublishedTAP


def seen_along(weights, along):
    """Contract full D x D matrices with unit vectors."""
    pulled = np.einsum("iab,ib->ia", weights, along)
    parallel = np.einsum("ia,ia->i", pulled, along)
    return NeighbourVariance(parallel, np.einsum("iaa->i", weights), pulled - parallel[:, None] * along)


def random_weights(rng, n, dim):
    factors = rng.normal(size=(n, dim, dim))
    return factors @ factors.transpose(0, 2, 1)


def reaction(response, theta, weights, beta, radius):
    """The whole Onsager term of the equation: isotropic part and remainder."""
    lengths = np.linalg.norm(theta, axis=1)
    around = seen_along(weights, theta / lengths[:, None])
    rest = anisotropic_reaction(
        response, beta * radius * lengths, theta / lengths[:, None], around, beta=beta, radius=radius
    )
    means = mean_and_stiffness(response, theta, beta, radius)[0]
    return rest - beta * around.parallel[:, None] * means


@pytest.mark.parametrize("dim", range(1, 9))
def test_the_reaction_solves_the_second_order_equation(dim):
    r"""beta V v + phi'':W / 2 = 0 with v = -(reaction), for random W, phi'' by finite differences."""
    rng, beta, radius = np.random.default_rng(dim), 1.3, 0.9
    for scale in (0.2, 1.0, 4.0):
        theta = scale * rng.normal(size=(3, dim)) / np.sqrt(dim)
        weights = random_weights(rng, 3, dim)
        found = reaction(gf.response("exact", dim), theta, weights, beta, radius)
        for t, w, r in zip(theta, weights, found):
            curvature = second_derivative_by_differences(lambda y: mean_of_spin(y, beta, radius), t, w, step=0.02)
            left = beta * covariance_of_spin(t, beta, radius) @ -r + 0.5 * curvature
            np.testing.assert_allclose(left, 0.0, atol=3e-5 * np.abs(curvature).max())
            # a wrong factor in front of the anisotropic part would show
            if dim > 1:
                bent = r + 0.05 * (r + beta * mean_of_spin(t, beta, radius) * (t @ w @ t) / (t @ t))
                off = beta * covariance_of_spin(t, beta, radius) @ -bent + 0.5 * curvature
                assert np.abs(off).max() > 10 * np.abs(left).max()


@pytest.mark.parametrize("dim", [1, 2, 3, 5, 8, 40])
@pytest.mark.parametrize("scale", [1e-6, 0.3, 3.0, 50.0])
def test_an_isotropic_neighbourhood_reacts_exactly_against_the_mean(dim, scale):
    rng, beta, radius = np.random.default_rng(dim), 1.3, 1.6
    theta = scale * rng.normal(size=(4, dim))
    strengths = rng.uniform(0.1, 3.0, size=4)
    response = gf.response("exact", dim)
    found = reaction(response, theta, strengths[:, None, None] * np.eye(dim), beta, radius)
    means = mean_and_stiffness(response, theta, beta, radius)[0]
    np.testing.assert_allclose(found, -beta * strengths[:, None] * means, rtol=1e-12, atol=1e-12 * np.abs(means).max())


@pytest.mark.parametrize("dim", [1, 2, 6])
def test_the_neighbourhood_is_the_sum_of_full_covariance_matrices(dim):
    rng, beta, radius = np.random.default_rng(3), 1.1, 1.2
    theta, couplings = rng.normal(size=(5, dim)), rng.normal(size=(5, 5))
    along = rng.normal(size=(5, dim))
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    law = law_in_fields(gf.response("exact", dim), theta, beta, radius)
    covariances = np.array([covariance_of_spin(t, beta, radius) for t in theta])
    weights = np.einsum("ij,jab->iab", couplings**2, covariances)
    for found, expected in zip(neighbour_variance(couplings**2, law, along), seen_along(weights, along)):
        np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize(("name", "dim"), [("exact", 1), ("exact", 2), ("exact", 32), ("amos", 4), ("large_d", 7)])
def test_the_scalar_equation_is_solved_to_rounding_at_every_scale(name, dim):
    response, radius = gf.response(name, dim), 1.4
    drive = np.concatenate(([0.0], np.logspace(-12, 6, 37)))
    for beta in (1e-6, 1.0, 1e3, 1e6):
        for variance in (0.0, 1e-9, 0.4, 30.0):
            theta = isotropic_field(response, drive, np.full(38, variance), beta=beta, radius=radius)
            assert (theta >= 0).all()
            assert (theta <= drive).all()
            left = theta + beta * variance * radius * response.ratio(beta * radius * theta)
            # near a kink of the response rounding of theta is multiplied by the slope
            slope = 1 + beta**2 * radius**2 * variance * response.ratio_derivative(beta * radius * theta)
            assert (np.abs(left - drive) <= 1e-14 * (drive + slope * theta)).all()


def boxed_residual(model, means, beta):
    """The boxed equation with full matrices, at a stationary point with means `means`; response exact."""
    response = gf.response("exact", model.dim)
    lengths = np.linalg.norm(means, axis=1)
    theta = means * (response.inverse(lengths / model.r) / (beta * model.r * lengths))[:, None]
    covariances = np.array([covariance_of_spin(t, beta, model.r) for t in theta])
    weights = np.einsum("ij,jab->iab", model.couplings**2, covariances)
    right = model.fields + model.couplings @ means + reaction(response, theta, weights, beta, model.r)
    return np.abs(theta - right).max()


@pytest.mark.parametrize("dim", [2, 3, 8])
@pytest.mark.parametrize("beta", [0.5, 2.0, 6.0])
def test_the_fixed_point_solves_the_boxed_equation(dim, beta):
    n = 12
    model = gf.VectorSpin(
        gf.Asymmetric(asymmetry=0.7, self_coupling=True).sample(n=n, seed=dim),
        gf.sphere_fields(n, dim=dim, seed=5, radius="unit"),
        radius="unit",
    )
    answer = gf.solve(model, gf.TAP(beta))
    assert boxed_residual(model, answer["magnetization"].values, beta) < 1e-9
    naive = gf.solve(model, gf.NaiveMeanField(beta))
    assert boxed_residual(model, naive["magnetization"].values, beta) > 1e-3


def test_one_step_takes_the_neighbours_from_the_time_before():
    """theta_i and its direction belong to t; m_j, V_j and their directions to t - 1."""
    rng, beta = np.random.default_rng(8), 1.4
    model = gf.VectorSpin(0.4 * rng.normal(size=(6, 6)), rng.normal(size=(6, 3)), radius="unit")
    path = gf.solve(model, gf.TAP(beta), start="fields", steps=2)["magnetization"].values
    response = gf.response("exact", 3)

    def fields_of(means):
        lengths = np.linalg.norm(means, axis=1)
        return means * (response.inverse(lengths) / (beta * lengths))[:, None]

    for before, after in itertools.pairwise(path):
        covariances = np.array([covariance_of_spin(t, beta, 1.0) for t in fields_of(before)])
        weights = np.einsum("ij,jab->iab", model.couplings**2, covariances)
        theta = fields_of(after)
        right = model.fields + model.couplings @ before + reaction(response, theta, weights, beta, 1.0)
        np.testing.assert_allclose(theta, right, atol=1e-9)


@pytest.mark.parametrize("dim", [8, 32])
def test_few_undamped_sweeps_solve_the_equation_where_the_sheet_measured_them(dim):
    model = gf.VectorSpin(gf.Asymmetric().sample(n=64, seed=1), gf.sphere_fields(64, dim=dim, seed=2))
    for beta in (1.0, 3.0, 8.0):
        answer = gf.solve(model, gf.TAP(beta))
        assert answer.attrs["iterations"] < 70
        assert answer.attrs["mixing"] == 1.0


def test_the_means_shrink_again_beyond_beta_three():
    """The truncated series turns around: this is a property of the equation, not of the solver."""
    model = gf.VectorSpin(gf.Asymmetric().sample(n=64, seed=1), gf.sphere_fields(64, dim=32, seed=2))
    squares = [float(gf.solve(model, gf.TAP(b))["magnetization_sum_of_squares"]) for b in (1.0, 3.0, 8.0, 16.0)]
    assert squares[0] < squares[1] > squares[2] > squares[3]


# --- the published variant --------------------------------------------------------------------------------------------


def large_d_mean(theta, beta, radius, nu):
    """phi_infinity for any radius."""
    kappa = beta * radius * np.linalg.norm(theta)
    return beta * radius**2 * theta / (nu + np.hypot(nu, kappa))


@pytest.mark.parametrize("radius", ["bal", 1.7])
@pytest.mark.parametrize("dim", [4, 7, 16])
def test_the_published_left_side_is_the_second_derivative_of_the_closed_form(dim, radius):
    rng, n, beta, nu = np.random.default_rng(dim), 4, 1.2, dim / 2 - 1
    model = gf.VectorSpin(rng.normal(size=(n, n)) / 2, rng.normal(size=(n, dim)), radius=radius)
    means = 0.5 * model.random_spins(replicas=1, seed=1)[0] * rng.uniform(0.3, 1.2, size=(n, 1))
    before = 0.4 * model.random_spins(replicas=1, seed=2)[0]
    found = PublishedTAP(model, beta).defect(means, before)
    for i in range(n):
        square = means[i] @ means[i] / model.r**2
        theta = 2 * nu * means[i] / (beta * model.r**2 * (1 - square))
        np.testing.assert_allclose(large_d_mean(theta, beta, model.r, nu), means[i], atol=1e-12)
        velocity = -theta + model.fields[i] + model.couplings[i] @ before
        old = before[i] @ before[i] / model.r**2
        gamma = (1 + old) / (1 - old)  # of site i: where the sum over j needs that of site j
        weight = np.outer(velocity, velocity)
        for j in range(n):
            own = model.r**2 / nu / (1 + gamma) * np.eye(dim) - np.outer(before[j], before[j]) / (nu * gamma)
            weight += model.couplings[i, j] ** 2 * own

        def phi(t):
            return large_d_mean(t, beta, model.r, nu)

        step = 1e-5
        slope = np.array([(phi(theta + step * e) - phi(theta - step * e)) / (2 * step) for e in np.eye(dim)])
        curvature = second_derivative_by_differences(phi, theta, weight, step=0.02)
        np.testing.assert_allclose(found[i], slope @ velocity + 0.5 * curvature, rtol=1e-5, atol=1e-6)


def test_the_published_equation_dips_rises_and_then_has_no_solution_within_reach():
    """N = 64, D = 32: alignment about 0.91 near beta = 1.6 and 0.98 near 2.9; scatter beyond, with a bad status."""
    model = gf.VectorSpin(gf.Asymmetric().sample(n=64, seed=3), gf.sphere_fields(64, dim=32, seed=4))
    aligned = {b: gf.solve(model, gf.TAP(b, variant="bal2023")) for b in (0.5, 1.6, 2.0, 2.9)}
    values = {b: float(answer["alignment_of_mean"]) for b, answer in aligned.items()}
    assert abs(values[1.6] - 0.91) < 0.02  # finite N lies above the limit 0.9101
    assert abs(values[2.9] - 0.9807) < 0.005
    assert values[0.5] > values[1.6] < values[2.0] < values[2.9]
    assert float(gf.solve(model, gf.TAP(1.6))["alignment_of_mean"]) < values[1.6] - 0.01
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        lost = gf.solve(model, gf.TAP(8.0, variant="bal2023"), throw=False)
        path = gf.solve(model, gf.TAP(8.0, variant="bal2023"), steps=5, throw=False)
    assert lost.attrs["status"] == path.attrs["status"] == "not_converged"
    assert float(lost["residual"]) > 0.01
    assert "no solution within reach at" in path.attrs["note"]
    with pytest.raises(gf.NotConvergedError) as caught:
        gf.solve(model, gf.TAP(8.0, variant="bal2023"))
    assert caught.value.result.attrs["variant"] == "bal2023"


def test_the_published_norm_at_beta_two_is_no_larger_than_at_one():
    model = gf.VectorSpin(gf.Asymmetric().sample(n=300, seed=5), gf.sphere_fields(300, dim=128, seed=6))
    one, two = (gf.solve(model, gf.TAP(b, variant="bal2023", tolerance=1e-8)) for b in (1.0, 2.0))
    assert float(two["magnetization_sum_of_squares"]) < float(one["magnetization_sum_of_squares"])
    assert abs(np.sqrt(float(one["magnetization_sum_of_squares"]) / 300) / model.r - 0.3823) < 0.01


def test_the_published_variant_comes_with_its_own_response():
    assert gf.TAP(1.0).response == "exact"
    assert gf.TAP(1.0, variant="bal2023").response == "large_d"
    with pytest.raises(gf.InvalidInputError, match="'large_d' for variant='bal2023'"):
        gf.TAP(1.0, variant="bal2023", response="amos")
    with pytest.raises(gf.InvalidInputError, match="one of expanded, bal2023"):
        gf.TAP(1.0, variant="other")


@pytest.mark.parametrize(("asymmetry", "limit"), [(0.0, 6.0), (1.0, 3.5)])
def test_the_status_says_when_the_series_has_left_its_range(asymmetry, limit):
    """The Gram closure, which is within two percent at this D, tells where TAP has failed."""
    model = gf.VectorSpin(gf.Asymmetric(asymmetry=asymmetry).sample(n=64, seed=1), gf.sphere_fields(64, dim=32, seed=2))
    for beta in (0.5, 2.0, 8.0, 30.0):
        found, gram = gf.solve(model, gf.TAP(beta)), gf.solve(model, gf.GramClosure(beta))
        status = "converged" if beta < limit else "out_of_range"
        assert found.attrs["status"] == status
        ratio = float(found["magnetization_sum_of_squares"] / gram["magnetization_sum_of_squares"])
        assert (ratio < 0.5) == (status == "out_of_range")
        assert ("expansion parameter" in str(found.attrs.get("note"))) == (status == "out_of_range")
        assert (float(found["expansion_parameter"]) >= 1.0) == (status == "out_of_range")


def test_the_expansion_parameter_is_plefkas_for_one_component():
    model = gf.VectorSpin(gf.Asymmetric().sample(n=9, seed=1), 0.4 * np.ones(9), dim=1, radius="unit")
    found = gf.solve(model, gf.TAP(0.9))
    stiffness = 1 - found["magnetization"].values.ravel() ** 2
    expected = 0.9**2 * np.einsum("ij,i,j->", model.couplings**2, stiffness, stiffness) / 9
    assert float(found["expansion_parameter"]) == pytest.approx(expected, rel=1e-12)


def test_a_transient_that_leaves_the_range_says_so():
    model = gf.VectorSpin(gf.Asymmetric().sample(n=64, seed=1), gf.sphere_fields(64, dim=32, seed=2))
    found = gf.solve(model, gf.TAP(6.0), steps=20, throw=False)
    assert found.attrs["status"] == "out_of_range"
    assert found["expansion_parameter"].dims == ("time",)

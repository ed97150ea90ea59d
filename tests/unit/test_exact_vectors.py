"""Trees, one self-coupled spin and collinear pairs against direct integrals."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import dblquad, quad

from glassformer._core._bessel import bessel_ratio, log_normalizer
from glassformer._core._errors import InvalidInputError, MethodNotApplicableError
from glassformer._core._responses import mean_and_stiffness, response
from glassformer.models import VectorSpin
from glassformer.theory.exact import CollinearPair, Enumeration, SelfCoupledSpin, ZeroFieldTree


def random_tree(n, seed):
    rng = np.random.default_rng(seed)
    couplings = np.zeros((n, n))
    for i in rng.permutation(n)[1:]:
        j = rng.choice(np.setdiff1d(np.arange(n), [i]))
        trial = couplings.copy()
        trial[i, j] = trial[j, i] = rng.normal()
        if np.linalg.matrix_rank(np.diag((trial != 0).sum(1)) - (trial != 0)) == np.count_nonzero(np.triu(trial)):
            couplings = trial  # the Laplacian of a forest has one rank per bond
    return couplings


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_tree_of_two_valued_spins_equals_enumeration(seed):
    model = VectorSpin(random_tree(7, seed), dim=1, radius=1.2)
    tree, exact = ZeroFieldTree(0.8).solve(model), Enumeration(0.8, update="sequential").solve(model)
    for name in ("correlation", "energy", "free_energy", "entropy", "specific_heat"):
        np.testing.assert_allclose(tree[name], exact[name], atol=1e-13)


@pytest.mark.parametrize("dim", [1, 2, 3, 9])
def test_open_chain_multiplies_ratios_along_the_path(dim):
    bonds, radius, beta = np.array([1.0, -0.4, 2.0, 0.7]), 1.4, 0.6
    model = VectorSpin(np.diag(bonds, 1) + np.diag(bonds, -1), dim=dim, radius=radius)
    exact = ZeroFieldTree(beta).solve(model)
    ratios = np.sign(bonds) * bessel_ratio(beta * radius**2 * np.abs(bonds), dim)
    np.testing.assert_allclose(exact["correlation"][0, 4], radius**2 * np.prod(ratios), rtol=1e-13)
    np.testing.assert_allclose(exact["correlation"][3, 1], radius**2 * ratios[1] * ratios[2], rtol=1e-13)
    np.testing.assert_allclose(exact["energy"], -(radius**2) * np.sum(bonds * ratios) / 5, rtol=1e-13)
    free = -np.sum(log_normalizer(beta * radius**2 * np.abs(bonds), dim)) / (5 * beta)
    np.testing.assert_allclose(exact["free_energy"], free, rtol=1e-13)


def test_loops_and_fields_and_asymmetry_are_refused():
    ring = np.roll(np.eye(4), 1, axis=0)
    with pytest.raises(MethodNotApplicableError, match="without loops and without fields"):
        ZeroFieldTree(1.0).solve(VectorSpin(ring + ring.T, dim=3))
    with pytest.raises(MethodNotApplicableError, match="without loops and without fields"):
        ZeroFieldTree(1.0).solve(VectorSpin(np.zeros((2, 2)), np.ones((2, 3))))
    with pytest.raises(InvalidInputError, match="needs an equilibrium"):
        ZeroFieldTree(1.0).solve(VectorSpin([[0.0, 1.0], [0.0, 0.0]], dim=3))


def spherical_average(dim, function):
    """Average over the unit sphere of a function of the cosine with a fixed axis, D >= 2."""
    if dim == 1:
        return 0.5 * (function(1.0) + function(-1.0))
    weight = quad(lambda t: np.sin(t) ** (dim - 2), 0, np.pi)[0]
    return quad(lambda t: np.sin(t) ** (dim - 2) * function(np.cos(t)), 0, np.pi, epsabs=0, epsrel=1e-11)[0] / weight


@pytest.mark.parametrize("dim", [1, 2, 3, 7])
@pytest.mark.parametrize("coupling", [0.7, -1.1])
def test_self_coupled_spin_equals_direct_integrals_over_the_peretto_law(dim, coupling):
    beta, radius, strength = 1.3, 1.2, 0.8
    field = np.zeros(dim)
    field[-1] = -strength

    def kappa(w):
        return beta * radius * np.sqrt(strength**2 + (coupling * radius) ** 2 + 2 * strength * coupling * radius * w)

    def weight(w):
        return np.exp(beta * radius * strength * w + float(log_normalizer(kappa(w), dim)))

    total = spherical_average(dim, weight)
    mean = radius * spherical_average(dim, lambda w: w * weight(w)) / total
    exact = SelfCoupledSpin(beta).solve(VectorSpin([[coupling]], [field], radius=radius))
    assert exact.attrs["status"] == "converged"
    np.testing.assert_allclose(exact["magnetization"][0], mean * field / strength, atol=1e-10)
    delayed = spherical_average(
        dim,
        lambda w: (
            weight(w) * radius * float(bessel_ratio(kappa(w), dim)) * beta * radius
            * (strength * radius * w + coupling * radius**2) / kappa(w)
        ),
    )  # fmt: skip
    np.testing.assert_allclose(exact["delayed_correlation"], [[delayed / total - mean**2]], atol=1e-10)


def test_self_coupled_spin_of_one_component_equals_enumeration():
    model = VectorSpin([[-0.6]], [[0.9]], radius=1.3)
    ours, exact = SelfCoupledSpin(1.1).solve(model), Enumeration(1.1).solve(model)
    for name in ("magnetization", "correlation", "delayed_correlation", "energy"):
        np.testing.assert_allclose(ours[name], exact[name], atol=1e-14)


def pair(dim, j12, j21, f1, f2, radius):
    axis = np.zeros(dim)
    axis[0] = 1.0
    return VectorSpin([[0.0, j12], [j21, 0.0]], np.outer([f1, f2], axis), radius=radius)


@pytest.mark.parametrize("dim", [2, 3, 5, 40])
def test_directed_pair_equals_the_average_response_over_the_leader(dim):
    beta, radius, j, f1, f2 = 1.4, 1.3, 0.9, -0.5, 1.1
    exact = CollinearPair(beta).solve(pair(dim, j, 0.0, f1, f2, radius))
    leader = radius * float(bessel_ratio(beta * radius * f2, dim))
    kappa_leader = beta * radius * f2

    def average(function):
        normalizer = np.exp(float(log_normalizer(kappa_leader, dim)))
        return spherical_average(dim, lambda w: np.exp(kappa_leader * w) * function(w)) / normalizer

    def gain(w):
        norm = np.sqrt(f1**2 + (j * radius) ** 2 + 2 * f1 * j * radius * w)
        return radius * float(bessel_ratio(beta * radius * norm, dim)) / norm

    follower = average(lambda w: gain(w) * (f1 + j * radius * w))
    delayed = average(lambda w: gain(w) * (f1 * radius * w + j * radius**2)) - follower * leader
    np.testing.assert_allclose(exact["magnetization"][:, 0], [follower, leader], atol=1e-10)
    np.testing.assert_allclose(exact["delayed_correlation"], [[0.0, delayed], [0.0, 0.0]], atol=1e-9)
    assert float(exact["entropy_production"]) == pytest.approx(beta * j * delayed, rel=1e-9)


@pytest.mark.parametrize("dim", [2, 3, 6])
def test_symmetric_pair_has_the_peretto_marginals_and_the_boltzmann_correlation(dim):
    beta, radius, j, f1, f2 = 0.9, 1.1, -1.3, 0.6, 0.8
    model = pair(dim, j, j, f1, f2, radius)
    parallel, boltzmann = CollinearPair(beta).solve(model), CollinearPair(beta, update="sequential").solve(model)
    assert abs(float(parallel["entropy_production"])) < 1e-12
    np.testing.assert_allclose(parallel["magnetization"], boltzmann["magnetization"], atol=1e-14)

    # Boltzmann by a double integral over the two angles, the azimuth averaged in closed form
    def weight(t1, t2):
        bend = beta * abs(j) * radius**2 * np.sin(t1) * np.sin(t2)
        energy = beta * radius * (f1 * np.cos(t1) + f2 * np.cos(t2)) + beta * j * radius**2 * np.cos(t1) * np.cos(t2)
        return (np.sin(t1) * np.sin(t2)) ** (dim - 2) * np.exp(energy + float(log_normalizer(bend, dim - 1)))

    def transverse(t1, t2):
        both = radius**2 * np.sin(t1) * np.sin(t2)
        return np.sign(j) * both * float(bessel_ratio(beta * abs(j) * both, dim - 1))

    def integral(function):
        return dblquad(lambda a, b: weight(a, b) * function(a, b), 0, np.pi, 0, np.pi, epsrel=1e-8, epsabs=1e-10)[0]

    total = integral(lambda a, b: 1.0)
    m1, m2 = (integral(lambda a, b, k=k: radius * np.cos((a, b)[k])) / total for k in (0, 1))
    together = integral(lambda a, b: radius**2 * np.cos(a) * np.cos(b) + transverse(a, b)) / total
    np.testing.assert_allclose(boltzmann["magnetization"][:, 0], [m1, m2], atol=1e-8)
    np.testing.assert_allclose(boltzmann["correlation"][0, 1], together - m1 * m2, atol=1e-8)


@pytest.mark.parametrize("dim", [2, 4, 30])
def test_weakly_coupled_pair_produces_entropy_at_second_order(dim):
    beta, radius, f1, f2 = 1.2, 1.0, 0.7, -0.4
    exact_response = response("exact", dim)
    axis = np.eye(dim)[0]
    (_, a1, p1), (_, a2, p2) = (mean_and_stiffness(exact_response, f * axis, beta, radius) for f in (f1, f2))
    scale = 1e-3
    exact = CollinearPair(beta).solve(pair(dim, 1.5 * scale, -0.5 * scale, f1, f2, radius))
    leading = (beta * 2.0 * scale) ** 2 * (a1 * a2 + (dim - 1) * p1 * p2)
    assert float(exact["entropy_production"]) == pytest.approx(float(leading), rel=5e-3)


def test_pair_without_fields_relaxes_to_the_uniform_law():
    exact = CollinearPair(2.0).solve(pair(3, 1.0, -2.0, 0.0, 0.0, 1.0))
    np.testing.assert_allclose(exact["magnetization"], 0.0, atol=1e-13)
    expected = bessel_ratio([2.0, 4.0], 3) * [1, -1]
    np.testing.assert_allclose(
        [exact["delayed_correlation"][0, 1], exact["delayed_correlation"][1, 0]], expected, rtol=1e-12
    )


def test_a_grid_too_coarse_for_the_concentration_is_reported():
    model = pair(3, 1.0, 0.5, 1.0, 1.0, 30.0)
    assert CollinearPair(5.0, nodes=16).solve(model).attrs["status"] == "not_converged"
    assert CollinearPair(5.0, nodes=400).solve(model).attrs["status"] == "converged"


def test_pairs_that_the_quadrature_cannot_treat_are_refused():
    skew = VectorSpin([[0.0, 1.0], [1.0, 0.0]], [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    with pytest.raises(MethodNotApplicableError, match="two spins of at least 2 components with collinear fields"):
        CollinearPair(1.0).solve(skew)
    with pytest.raises(MethodNotApplicableError, match="no self-coupling"):
        CollinearPair(1.0).solve(VectorSpin(np.ones((2, 2)), dim=3))
    with pytest.raises(InvalidInputError, match="steady state only"):
        CollinearPair(1.0).solve(pair(3, 1.0, 1.0, 0.0, 1.0, 1.0), steps=4)

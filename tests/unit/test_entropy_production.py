"""Entropy production: the estimators against each other, path by path, and against exact enumeration."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from glassformer import VectorSpin
from glassformer._core._errors import InvalidInputError
from glassformer.couplings import Asymmetric, sphere_fields
from glassformer.observables import (
    circulation,
    entropy_production,
    log_transition_density,
    pair_entropy_production,
    path_boundary,
    path_entropy_production,
    plefka_entropy_production,
    site_entropy_production,
)
from glassformer.observables._summary import antisymmetric_entropy_production


def asymmetric_model(n: int, dim: int, radius: float, seed: int = 1) -> VectorSpin:
    law = Asymmetric(scale=1.3, asymmetry=0.8, self_coupling=True)
    return VectorSpin(law.sample(n=n, seed=seed), sphere_fields(n, dim=dim, radius=radius, seed=seed), radius=radius)


@pytest.mark.parametrize(
    ("n", "dim", "radius", "beta"), [(6, 1, 1.0, 0.7), (5, 2, 1.5, 2.0), (9, 3, 0.8, 3.0), (7, 20, 4.0, 5.0)]
)
def test_correlations_and_path_ratio_agree_on_every_path_up_to_its_ends(
    n: int, dim: int, radius: float, beta: float
) -> None:
    model = asymmetric_model(n, dim, radius)
    paths = model.random_spins(replicas=3 * 12, seed=2).reshape(3, 12, n, dim)
    before, after = paths[:, :-1], paths[:, 1:]
    by_ratio = path_entropy_production(model, beta, before, after).mean(1)
    delayed = np.einsum("ctia,ctja->cij", after, before) / 11
    by_correlation = np.array([entropy_production(beta, model.couplings, d) for d in delayed])
    ends = (path_boundary(model, beta, paths[:, -1]) - path_boundary(model, beta, paths[:, 0])) / 11
    assert np.allclose(by_ratio, by_correlation + ends, rtol=1e-9, atol=1e-9)
    # The injected bug: without the normalisers the two would differ.
    assert not np.allclose(by_ratio, by_correlation, rtol=1e-3)


def test_only_the_antisymmetric_part_of_the_delayed_correlation_counts() -> None:
    rng = np.random.default_rng(3)
    j, delayed, extra = rng.normal(size=(3, 8, 8))
    extra = extra + extra.T
    assert np.isclose(entropy_production(1.4, j, delayed), entropy_production(1.4, j, delayed + extra), rtol=1e-12)
    assert np.allclose(pair_entropy_production(1.4, j, delayed), pair_entropy_production(1.4, j, delayed + extra))
    assert np.isclose(entropy_production(1.4, j, delayed), antisymmetric_entropy_production(1.4, j, delayed))
    assert np.isclose(entropy_production(1.4, j + extra, delayed), entropy_production(1.4, j, delayed), rtol=1e-12)


def test_pairs_and_sites_add_up_to_the_total() -> None:
    rng = np.random.default_rng(4)
    j, delayed = rng.normal(size=(2, 7, 7))
    total = entropy_production(0.9, j, delayed)
    pairs = pair_entropy_production(0.9, j, delayed)
    naive = sum(
        0.9 * (j[a, b] - j[b, a]) * (delayed[a, b] - delayed[b, a]) for a, b in itertools.combinations(range(7), 2)
    )
    assert np.isclose(total, naive)
    assert np.isclose(np.triu(pairs, 1).sum(), total)
    assert np.isclose(site_entropy_production(0.9, j, delayed).sum(), total)
    assert np.allclose(pairs, pairs.T)
    assert np.allclose(circulation(delayed), -circulation(delayed).T)


def test_transition_density_of_ising_spins_is_a_probability() -> None:
    model, beta = asymmetric_model(4, 1, 1.0), 1.2
    states = np.array(list(itertools.product([-1.0, 1.0], repeat=4)))[:, :, None]
    density = log_transition_density(model, beta, states[:, None], np.broadcast_to(states, (16, 16, 4, 1)).copy())
    # Relative to the uniform law of 16 states.
    assert np.allclose(np.exp(density).mean(axis=1), 1.0, rtol=1e-12)


def test_entropy_production_of_the_exact_stationary_law_is_non_negative_and_the_same_both_ways() -> None:
    model, beta = asymmetric_model(5, 1, 1.0, seed=3), 0.9
    states = np.array(list(itertools.product([-1.0, 1.0], repeat=5)))[:, :, None]
    number = len(states)
    after = np.broadcast_to(states, (number, number, 5, 1)).copy()
    before = np.broadcast_to(states[:, None], (number, number, 5, 1)).copy()
    w = np.exp(log_transition_density(model, beta, before, after)) / number
    vector = np.linalg.matrix_power(w, 4096)[0]
    joint = vector[:, None] * w
    by_ratio = float((joint * path_entropy_production(model, beta, before, after)).sum())
    delayed = np.einsum("ab,bi,aj->ij", joint, states[..., 0], states[..., 0])
    assert by_ratio > 0.01
    assert math.isclose(by_ratio, entropy_production(beta, model.couplings, delayed), rel_tol=1e-9)


def test_symmetric_couplings_obey_detailed_balance_with_the_boundary_weight() -> None:
    j = Asymmetric(asymmetry=0.0, self_coupling=True).sample(n=6, seed=1)
    model = VectorSpin(j, sphere_fields(6, dim=4, radius=1.2, seed=1), radius=1.2)
    spins = model.random_spins(replicas=20, seed=5)
    ratio = path_entropy_production(model, 2.5, spins[:10], spins[10:])
    weight = path_boundary(model, 2.5, spins[10:]) - path_boundary(model, 2.5, spins[:10])
    assert np.allclose(ratio, weight, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("dim", [1, 3, 8])
@pytest.mark.parametrize("name", ["exact", "amos"])
def test_first_order_plefka_is_the_sum_over_dense_covariances(dim: int, name: str) -> None:
    from glassformer._core._responses import mean_and_stiffness, response

    model, beta = asymmetric_model(5, dim, 1.4), 1.7
    theta = model.local_fields(model.random_spins(replicas=1, seed=8)[0])
    theta[2] = 0.0  # where there is no direction, the covariance is isotropic
    _, parallel, transverse = mean_and_stiffness(response(name, dim), theta, beta, model.r)
    dense = []
    for i in range(5):
        size = np.linalg.norm(theta[i])
        hat = theta[i] / size if size else theta[i]
        projector = np.outer(hat, hat)
        along = parallel[i] if size else transverse[i]
        dense.append(along * projector + transverse[i] * (np.eye(dim) - projector))
    j = model.couplings
    expected = sum(
        0.5 * beta**2 * (j[a, b] - j[b, a]) ** 2 * np.trace(dense[a] @ dense[b]) for a in range(5) for b in range(5)
    )
    assert math.isclose(plefka_entropy_production(model, beta, theta, response=name), expected, rel_tol=1e-10)


def test_first_order_plefka_is_exact_to_second_order_in_weak_couplings() -> None:
    beta, errors = 1.0, []
    law = Asymmetric(asymmetry=1.0)
    states = np.array(list(itertools.product([-1.0, 1.0], repeat=5)))[:, :, None]
    after = np.broadcast_to(states, (32, 32, 5, 1)).copy()
    before = np.broadcast_to(states[:, None], (32, 32, 5, 1)).copy()
    for scale in (0.2, 0.1):
        model = VectorSpin(scale * law.sample(n=5, seed=2), np.linspace(-0.5, 0.8, 5), radius="unit")
        w = np.exp(log_transition_density(model, beta, before, after)) / 32
        joint = np.linalg.matrix_power(w, 1024)[0][:, None] * w
        delayed = np.einsum("ab,bi,aj->ij", joint, states[..., 0], states[..., 0])
        exact = entropy_production(beta, model.couplings, delayed)
        m = np.zeros((5, 1))
        for _ in range(200):
            m = np.tanh(beta * model.local_fields(m))
        errors.append(abs(plefka_entropy_production(model, beta, model.local_fields(m)) / exact - 1))
    assert errors[1] < 0.6 * errors[0] < 0.1


def test_wrong_input_is_named() -> None:
    with pytest.raises(InvalidInputError, match="shape of delayed"):
        entropy_production(1.0, np.eye(3), np.eye(4))
    model = asymmetric_model(4, 2, 1.0)
    with pytest.raises(InvalidInputError, match="shape of before"):
        path_entropy_production(model, 1.0, np.ones((3, 2)), np.ones((4, 2)))
    with pytest.raises(InvalidInputError, match="beta"):
        pair_entropy_production(math.nan, np.eye(3), np.eye(3))

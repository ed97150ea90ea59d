"""Enumeration against loops over states, closed stationary laws, fluctuation theorem, and refusals."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from naive import ising_steady_state_by_loops

from glassformer._core._errors import InvalidInputError, MethodNotApplicableError
from glassformer.models import VectorSpin
from glassformer.theory.exact import Enumeration, stationary_law


def sample(n, *, seed, symmetric=False, radius=1.0, diagonal=True):
    rng = np.random.default_rng(seed)
    couplings = rng.normal(size=(n, n))
    if symmetric:
        couplings = couplings + couplings.T
    if not diagonal:
        np.fill_diagonal(couplings, 0.0)
    return VectorSpin(couplings, rng.normal(size=(n, 1)), radius=radius)


CASES = [
    pytest.param({"update": "parallel"}, None, id="parallel"),
    pytest.param({"update": "sequential"}, "sweep", id="fixed-order"),
]


@pytest.mark.parametrize(("arguments", "sites"), CASES)
@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize(("n", "beta", "radius"), [(1, 1.4, 0.9), (3, 0.6, 1.0), (4, 0.35, 1.7)])
def test_steady_state_equals_the_loops_over_states(arguments, sites, symmetric, n, beta, radius):
    model = sample(n, seed=n, symmetric=symmetric, radius=radius)
    states, transition, law, production = ising_steady_state_by_loops(
        model.couplings, model.fields[:, 0], beta, radius, sites=range(n) if sites else None
    )
    method = Enumeration(beta, **arguments)
    np.testing.assert_allclose(method.states(model), states)
    np.testing.assert_allclose(method.transition_matrix(model), transition, atol=1e-13)
    np.testing.assert_allclose(method.stationary_law(model), law, atol=1e-12)
    exact = method.solve(model)
    mean = law @ states
    np.testing.assert_allclose(exact["magnetization"].values[:, 0], mean, atol=1e-12)
    covariance = np.einsum("s,si,sj->ij", law, states, states) - np.outer(mean, mean)
    np.testing.assert_allclose(exact["correlation"], covariance, atol=1e-12)
    delayed = np.einsum("s,st,ti,sj->ij", law, transition, states, states) - np.outer(mean, mean)
    np.testing.assert_allclose(exact["delayed_correlation"], delayed, atol=1e-12)
    assert float(exact["entropy_production"]) == pytest.approx(production, abs=1e-11)
    energy = law @ model.energy(states[..., None])
    assert float(exact["energy"]) == pytest.approx(energy, abs=1e-12)
    assert float(exact["entropy"]) == pytest.approx(-np.sum(law * np.log(law * 2**n)) / n, abs=1e-11)


@pytest.mark.parametrize("n", [2, 4])
def test_random_order_averages_the_single_updates(n):
    model, beta = sample(n, seed=40 + n), 0.8
    rows = [ising_steady_state_by_loops(model.couplings, model.fields[:, 0], beta, 1.0, sites=[i])[1] for i in range(n)]
    single = sum(rows) / n
    exact = Enumeration(beta, update="sequential", order="random")
    np.testing.assert_allclose(exact.transition_matrix(model), np.linalg.matrix_power(single, n), atol=1e-13)
    law = exact.stationary_law(model)
    np.testing.assert_allclose(law @ single, law, atol=1e-14)
    held = single > 0
    ratio = np.log(np.where(held, single, 1) / np.where(held, single.T, 1))
    production = n * np.sum(law[:, None] * single * ratio)
    result = exact.solve(model)
    assert float(result["entropy_production"]) == pytest.approx(production, rel=1e-11)
    states = exact.states(model)
    mean = law @ states
    delayed = np.einsum("s,st,ti,sj->ij", law, exact.transition_matrix(model), states, states) - np.outer(mean, mean)
    np.testing.assert_allclose(result["delayed_correlation"], delayed, atol=1e-13)


def test_entropy_production_of_the_parallel_process_is_the_antisymmetric_delayed_correlation():
    for seed, beta, radius in itertools.product((1, 2), (0.3, 2.0), (1.0, 0.6)):
        model = sample(5, seed=seed, radius=radius)
        exact = Enumeration(beta).solve(model)
        j, delayed = model.couplings, exact["delayed_correlation"].values
        assert float(exact["entropy_production"]) == pytest.approx(beta * np.sum((j - j.T) * delayed), rel=1e-11)
        assert float(exact["entropy_production"]) > 0


@pytest.mark.parametrize("update", ["parallel", "sequential"])
def test_symmetric_couplings_obey_detailed_balance_to_machine_precision(update):
    model = sample(5, seed=9, symmetric=True, radius=0.8)
    exact = Enumeration(0.7, update=update)
    law = exact.stationary_law(model)
    if update == "parallel":
        flow = law[:, None] * exact.transition_matrix(model)
        np.testing.assert_allclose(flow, flow.T, rtol=1e-12)
    else:  # a fixed sweep is not reversible: its reversal is the sweep in opposite order
        order = np.arange(5)[::-1]
        backwards = VectorSpin(model.couplings[np.ix_(order, order)], model.fields[order], radius=0.8)
        states, mirrored = exact.states(model), exact.states(backwards)[:, ::-1]
        match = [int(np.flatnonzero((mirrored == s).all(axis=1))[0]) for s in states]
        forward, backward = exact.transition_matrix(model), exact.transition_matrix(backwards)[np.ix_(match, match)]
        np.testing.assert_allclose(law[:, None] * forward, (law[:, None] * backward).T, rtol=1e-11)
        assert np.abs(law[:, None] * forward - (law[:, None] * forward).T).max() > 1e-4
    assert float(exact.solve(model)["entropy_production"]) == 0.0


def test_boltzmann_thermodynamics_follow_from_one_partition_function():
    model = sample(6, seed=3, symmetric=True)

    def solve(beta):
        return Enumeration(beta, update="sequential").solve(model)

    beta, step = 0.9, 1e-4
    here, below, above = solve(beta), solve(beta - step), solve(beta + step)
    slope = ((beta + step) * above["free_energy"] - (beta - step) * below["free_energy"]) / (2 * step)
    assert float(slope) == pytest.approx(float(here["energy"]), rel=1e-7)
    heat = -(beta**2) * (above["energy"] - below["energy"]) / (2 * step)
    assert float(heat) == pytest.approx(float(here["specific_heat"]), rel=1e-6)
    assert float(here["entropy"]) == pytest.approx(beta * float(here["energy"] - here["free_energy"]), rel=1e-12)


def test_weak_couplings_leave_one_tanh_per_site():
    model = VectorSpin(np.zeros((4, 4)), [0.3, -1.0, 0.0, 2.0], radius=1.3)
    for update in ("parallel", "sequential"):
        exact = Enumeration(1.1, update=update).solve(model)
        np.testing.assert_allclose(
            exact["magnetization"][:, 0], 1.3 * np.tanh(1.1 * 1.3 * model.fields[:, 0]), atol=1e-13
        )


@pytest.mark.parametrize("arguments", [{}, {"update": "sequential"}, {"update": "sequential", "order": "random"}])
def test_transients_follow_the_transition_matrix(arguments):
    model, method = sample(4, seed=6, radius=1.2), Enumeration(0.8, **arguments)
    start = np.array([1.2, -1.2, 0.3, 0.0])
    path = method.solve(model, start=start, steps=5)
    states, transition = method.states(model), method.transition_matrix(model)
    law = np.prod(0.5 * (1 + states * start / 1.2**2), axis=1)
    stationary = method.stationary_law(model)
    for step in range(6):
        frame = path.sel(time=step)
        mean, later = law @ states, law @ transition @ states
        np.testing.assert_allclose(frame["magnetization"][:, 0], mean, atol=1e-13)
        np.testing.assert_allclose(
            frame["correlation"], np.einsum("s,si,sj->ij", law, states, states) - np.outer(mean, mean), atol=1e-13
        )
        expected = np.einsum("s,st,ti,sj->ij", law, transition, states, states) - np.outer(later, mean)
        np.testing.assert_allclose(frame["delayed_correlation"], expected, atol=1e-13)
        held = law > 0
        divergence = np.sum(law[held] * np.log(law[held] / stationary[held]))
        assert float(frame["divergence_from_stationary"]) == pytest.approx(divergence, abs=1e-12)
        law = law @ transition
    assert np.all(np.diff(path["divergence_from_stationary"]) <= 1e-14)
    assert np.all(path["entropy_production"] >= 0)


def test_total_entropy_production_of_a_transient_obeys_the_integral_fluctuation_theorem():
    """The average of exp(-Sigma) over one step is 1, and the average of Sigma is what is reported."""
    model, method = sample(4, seed=16), Enumeration(1.3)
    path = method.solve(model, start="fields", steps=3)
    transition, states = method.transition_matrix(model), method.states(model)
    law = np.prod(0.5 * (1 + states * np.tanh(1.3 * model.fields[:, 0])), axis=1)
    for step in range(4):
        later = law @ transition
        joint = law[:, None] * transition
        total = np.log(joint / (later[:, None] * transition).T)
        assert np.sum(joint * np.exp(-total)) == pytest.approx(1.0, rel=1e-12)
        assert float(path["entropy_production"][step]) == pytest.approx(np.sum(joint * total), rel=1e-11)
        law = later


def test_stationary_law_keeps_every_digit_of_a_chain_that_never_mixes():
    """Birth and death with escape rates of 1e-30: ratios of neighbours are known exactly."""
    size, up, down = 150, 1e-30, 1e-29
    chain = np.zeros((size, size))
    chain[np.arange(size - 1), np.arange(1, size)] = up
    chain[np.arange(1, size), np.arange(size - 1)] = down
    np.fill_diagonal(chain, 1 - chain.sum(axis=1))
    law = stationary_law(chain)
    np.testing.assert_allclose(law[1:] / law[:-1], 0.1, rtol=1e-12)


def test_stationary_law_of_a_random_chain_across_several_blocks():
    chain = np.random.default_rng(0).random((201, 201)) ** 8
    chain /= chain.sum(axis=1, keepdims=True)
    law = stationary_law(chain)
    np.testing.assert_allclose(law @ chain, law, rtol=1e-12)


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        ([[0.5, 0.6], [0.5, 0.5]], "the sum of row 0 of transition is 1.1"),
        ([[1.1, -0.1], [0.5, 0.5]], "the smallest entry of transition is -0.1"),
        ([[1.0, 0.0], [0.0, 1.0]], "not unique"),
    ],
)
def test_impossible_chains_are_refused_in_a_sentence(matrix, message):
    with pytest.raises(InvalidInputError, match=message):
        stationary_law(matrix)


def test_what_cannot_be_enumerated_is_refused_with_alternatives():
    with pytest.raises(MethodNotApplicableError, match=r"not of VectorSpin with N = 2, D = 3; use GramClosure"):
        Enumeration(1.0).solve(VectorSpin(np.zeros((2, 2)), dim=3))
    asymmetric = np.triu(np.ones((13, 13)))
    with pytest.raises(MethodNotApplicableError, match="N = 13, D = 1"):
        Enumeration(1.0).solve(VectorSpin(asymmetric, dim=1, radius="unit"))
    with pytest.raises(InvalidInputError, match=r"start is .* left out for the stationary law"):
        Enumeration(1.0).solve(sample(2, seed=1), start="fields")
    with pytest.raises(InvalidInputError, match="update is 'glauber', but must be one of parallel, sequential"):
        Enumeration(1.0, update="glauber")


def test_symmetric_couplings_allow_sixteen_sites_and_cold_ones_stay_finite():
    model = sample(16, seed=1, symmetric=True)
    exact = Enumeration(300.0, update="sequential").solve(model)
    energies = model.energy(Enumeration(1.0).states(model)[..., None])
    assert float(exact["energy"]) == pytest.approx(energies.min(), rel=1e-12)
    assert float(exact["entropy"]) == pytest.approx(-np.log(2), rel=1e-6)

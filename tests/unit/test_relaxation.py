"""Relaxation: modes, lagged correlations and response, against powers of matrices, finite differences and simulation."""

from __future__ import annotations

import numpy as np
import pytest

import glassformer as gf
from glassformer.observables import lagged_correlation, relaxation_modes, spin_autocorrelation
from glassformer.theory.exact import stationary_law


def ising(n: int, seed: int, *, beta: float = 1.0, self_coupling: bool = True) -> gf.VectorSpin:
    rng = np.random.default_rng(seed)
    couplings = rng.normal(size=(n, n)) / np.sqrt(n)
    if not self_coupling:
        np.fill_diagonal(couplings, 0.0)
    return gf.VectorSpin(couplings, 0.5 * rng.normal(size=(n, 1)), radius=0.9)


def vectors(n: int, dim: int, *, asymmetry: float = 1.0, seed: int = 1) -> gf.VectorSpin:
    couplings = gf.Asymmetric(asymmetry=asymmetry, self_coupling=True).sample(n=n, seed=seed)
    return gf.VectorSpin(couplings, gf.sphere_fields(n, dim=dim, seed=seed, strength=0.6))


# ---------------------------------------------------------------- Gram closure


@pytest.mark.parametrize("asymmetry", [0.0, 0.7, 1.0, np.inf])
@pytest.mark.parametrize("dim", [3, 17])
def test_lagged_correlations_continue_the_ones_of_the_closure(asymmetry: float, dim: int) -> None:
    model, method = vectors(9, dim, asymmetry=asymmetry), gf.GramClosure(2.3)
    steady, found = gf.solve(model, method), gf.solve(model, gf.Relaxation(method), steps=5)
    np.testing.assert_allclose(found["lagged_correlation"][0], steady["correlation"], atol=1e-13)
    np.testing.assert_allclose(found["lagged_correlation"][1], steady["delayed_correlation"], atol=1e-12)
    propagator = steady["gain"].values[:, None] * model.couplings
    for lag in range(6):
        power = np.linalg.matrix_power(propagator, lag)
        np.testing.assert_allclose(found["lagged_correlation"][lag], power @ steady["correlation"].values, atol=1e-12)
        np.testing.assert_allclose(found["response"][lag], power @ np.diag(steady["gain"].values), atol=1e-12)
    trace = np.trace(found["lagged_correlation"].values, axis1=1, axis2=2)
    np.testing.assert_allclose(found["autocorrelation"], trace / trace[0], atol=1e-13)


@pytest.mark.parametrize("asymmetry", [0.0, 1.0, np.inf])
def test_the_modes_are_those_that_the_pair_correlations_show(asymmetry: float) -> None:
    model, method = vectors(8, 6, asymmetry=asymmetry), gf.GramClosure(1.7)
    steady, found = gf.solve(model, method), gf.solve(model, gf.Relaxation(method))
    modes = relaxation_modes(steady["correlation"], steady["delayed_correlation"])
    np.testing.assert_allclose(found["mode_rate"], modes.rate, atol=1e-8)
    assert (np.diff(found["mode_rate"]) > -1e-9).all()
    assert (found["mode_rate"] > 0).all()  # nothing grows in a steady state
    values = np.exp(-found["mode_rate"].values + 1j * found["mode_angle"].values)
    expected = np.linalg.eigvals(steady["gain"].values[:, None] * model.couplings)
    np.testing.assert_allclose(np.sort_complex(np.round(values, 9)), np.sort_complex(np.round(expected, 9)), atol=2e-9)


def test_antisymmetric_couplings_turn_by_a_quarter_and_symmetric_ones_do_not_turn() -> None:
    for asymmetry, angles in ((np.inf, (0.5,)), (0.0, (0.0, 1.0))):
        couplings = gf.Asymmetric(asymmetry=asymmetry).sample(n=6, seed=3)
        # equal gains: fields of one length are not enough, so none
        model = gf.VectorSpin(couplings, dim=5)
        found = gf.solve(model, gf.Relaxation(gf.GramClosure(1.1)))
        turned = np.abs(found["mode_angle"].values) / np.pi
        assert all(min(abs(angle - allowed) for allowed in angles) < 1e-9 for angle in turned)


def test_a_strictly_causal_system_is_over_after_as_many_steps_as_it_has_sites() -> None:
    rng = np.random.default_rng(4)
    order = rng.permutation(7)
    couplings = np.tril(rng.normal(size=(7, 7)), -1)[np.ix_(order, order)]
    model = gf.VectorSpin(couplings, rng.normal(size=(7, 4)))
    found = gf.solve(model, gf.Relaxation(gf.GramClosure(1.5)), steps=8)
    assert np.isposinf(found["mode_rate"]).all()
    assert np.abs(found["lagged_correlation"][7:]).max() < 1e-15 < np.abs(found["lagged_correlation"][3]).max()


def test_without_couplings_or_temperature_nothing_is_remembered() -> None:
    for model, beta in ((gf.VectorSpin(np.zeros((3, 3)), np.ones((3, 3))), 2.0), (vectors(4, 3), 0.0)):
        found = gf.solve(model, gf.Relaxation(gf.GramClosure(beta)), steps=3)
        assert found["autocorrelation"].values.tolist() == [1.0, 0.0, 0.0, 0.0]
        assert np.isposinf(float(found["relaxation_rate"]))


def test_permuting_sites_and_rotating_components_permutes_the_answer() -> None:
    model, rng = vectors(6, 4), np.random.default_rng(2)
    order, rotation = rng.permutation(6), np.linalg.qr(rng.normal(size=(4, 4)))[0]
    turned = gf.VectorSpin(model.couplings[np.ix_(order, order)], model.fields[order] @ rotation.T)
    one, other = (gf.solve(m, gf.Relaxation(gf.GramClosure(2.0)), steps=3) for m in (model, turned))
    for name in ("mode_rate", "autocorrelation"):
        np.testing.assert_allclose(one[name], other[name], atol=1e-9)
    for name in ("lagged_correlation", "response"):
        np.testing.assert_allclose(one[name].values[:, order][:, :, order], other[name], atol=1e-10)


@pytest.mark.parametrize("asymmetry", [0.0, 1.0, np.inf])
def test_the_response_is_that_of_the_closure_to_a_pulse_across_all_means(asymmetry: float) -> None:
    model = vectors(5, 6, asymmetry=asymmetry)
    flat = model.fields.copy()
    flat[:, -1] = 0.0  # nothing points along the last component
    model, method, pulse = gf.VectorSpin(model.couplings, flat), gf.GramClosure(1.8), 1e-4
    expected = gf.solve(model, gf.Relaxation(method), steps=4)["response"].values
    for site in range(5):
        kicked = flat.copy()
        kicked[site, -1] = pulse
        # the fields are changed for one step, and the covariances are carried on
        first = gf.solve(model, gf.Quench(method, np.stack([kicked, flat, flat, flat, flat])), steps=1)
        moved = first["magnetization"].values[:, 1, :, -1] / pulse
        np.testing.assert_allclose(moved, expected[:, :, site], atol=1e-6)


def test_symmetric_couplings_obey_the_fluctuation_dissipation_theorem_of_parallel_dynamics() -> None:
    # R(tau) = beta [C(tau) - C(tau + 2)] per component, because P is self-adjoint
    rng = np.random.default_rng(5)
    couplings = rng.normal(size=(4, 4))
    couplings = 0.4 * (couplings + couplings.T)
    model = gf.VectorSpin(couplings, 0.3 * rng.normal(size=(4, 1)), radius=1.2)
    exact = gf.solve(model, gf.Relaxation(gf.Enumeration(0.9)), steps=5)
    lagged, response = exact["lagged_correlation"].values, exact["response"].values
    np.testing.assert_allclose(response[:4], 0.9 * (lagged[:4] - lagged[2:]), atol=1e-12)
    model = vectors(6, 7, asymmetry=0.0)
    closed = gf.solve(model, gf.Relaxation(gf.GramClosure(1.6, response="large_d")), steps=5)
    lagged, response = closed["lagged_correlation"].values, closed["response"].values
    np.testing.assert_allclose(response[:4], 1.6 / (7 - 2) * (lagged[:4] - lagged[2:]), atol=1e-10)
    driven = gf.solve(vectors(6, 7), gf.Relaxation(gf.GramClosure(1.6, response="large_d")), steps=5)
    lagged, response = driven["lagged_correlation"].values, driven["response"].values
    assert np.abs(response[:4] - 1.6 / 5 * (lagged[:4] - lagged[2:])).max() > 0.02  # and only they


# ---------------------------------------------------------------- enumeration


@pytest.mark.parametrize("update", ["parallel", "sequential"])
@pytest.mark.parametrize(("n", "beta"), [(1, 0.8), (3, 1.4), (5, 0.6)])
def test_exact_lagged_correlations_are_sums_over_all_pairs_of_states(update: str, n: int, beta: float) -> None:
    model, method = ising(n, n), gf.Enumeration(beta, update=update)
    found = gf.solve(model, gf.Relaxation(method), steps=4)
    transition, states = method.transition_matrix(model), method.states(model)
    law = stationary_law(transition)
    mean = law @ states
    for lag in range(5):
        joint = law[:, None] * np.linalg.matrix_power(transition, lag)  # earlier, later
        expected = np.einsum("st,ti,sj->ij", joint, states, states) - np.outer(mean, mean)
        np.testing.assert_allclose(found["lagged_correlation"][lag], expected, atol=1e-13)
    eigenvalues = np.sort(np.abs(np.linalg.eigvals(transition)))[::-1][1 : n + 1]
    np.testing.assert_allclose(np.exp(-found["mode_rate"]), eigenvalues, atol=1e-10)
    assert ("response" in found) == (update == "parallel")


def test_the_exact_response_is_that_to_a_small_pulse() -> None:
    model, beta, pulse = ising(4, 6), 1.2, 1e-5
    method = gf.Enumeration(beta)
    found = gf.solve(model, gf.Relaxation(method), steps=3)
    transition, states, law = method.transition_matrix(model), method.states(model), method.stationary_law(model)
    for site in range(4):
        after = []
        for sign in (1, -1):
            fields = model.fields.copy()
            fields[site] += sign * pulse
            kicked = method.transition_matrix(gf.VectorSpin(model.couplings, fields, radius=model.r))
            laws = [law @ kicked]
            for _ in range(3):
                laws.append(laws[-1] @ transition)
            after.append(np.stack(laws) @ states)
        np.testing.assert_allclose(found["response"][:, :, site], (after[0] - after[1]) / (2 * pulse), atol=1e-8)


def test_large_chains_give_the_same_leading_modes(monkeypatch: pytest.MonkeyPatch) -> None:
    model, method = ising(7, 3), gf.Relaxation(gf.Enumeration(1.1))
    whole = gf.solve(model, method)
    monkeypatch.setattr("glassformer.theory.driven._relaxation._DENSE", 4)
    np.testing.assert_allclose(gf.solve(model, method)["mode_rate"], whole["mode_rate"], rtol=1e-8)


def test_weak_couplings_relax_alike_in_the_closure_and_exactly() -> None:
    for scale in (0.1, 0.02):  # the closure is wrong in the second order
        couplings = scale * np.random.default_rng(8).normal(size=(4, 4))
        model = gf.VectorSpin(couplings, dim=1, radius="unit")
        exact, closed = (gf.solve(model, gf.Relaxation(m(1.0)), steps=2) for m in (gf.Enumeration, gf.GramClosure))
        np.testing.assert_allclose(closed["lagged_correlation"][1], exact["lagged_correlation"][1], atol=scale**2)
        np.testing.assert_allclose(closed["response"][:2], exact["response"][:2], atol=8 * scale**2)


# ---------------------------------------------------------------- simulation


def test_simulated_lagged_correlations_agree_with_enumeration() -> None:
    model, beta, lags = ising(5, 9), 1.0, 4
    exact = gf.solve(model, gf.Relaxation(gf.Enumeration(beta)), steps=lags)
    sim = gf.simulate(
        model, gf.ParallelHeatBath(beta), steps=400, burn_in=50, replicas=64, seed=4,
        measure=gf.Measure(snapshots=400),
    )  # fmt: skip
    paths = sim["snapshots"].values.transpose(1, 0, 2, 3)
    found, own = lagged_correlation(paths, lags), spin_autocorrelation(paths, lags)
    assert found.error is not None
    assert own.error is not None
    z = (found.value - exact["lagged_correlation"].values) / np.where(found.error > 0, found.error, np.inf)
    assert np.abs(z).max() < 6
    assert 0.6 < np.sqrt(np.mean(z**2)) < 1.7  # errors are neither too large nor too small
    shift = np.abs(own.value - exact["autocorrelation"].values)
    assert (shift[1:] < 5 * own.error[1:] + 1e-12).all()
    # injected bug: an off-by-one lag, and the indices the wrong way round
    for wrong in (
        exact["lagged_correlation"].values[[1, 2, 3, 4, 4]],
        exact["lagged_correlation"].values.swapaxes(1, 2),
    ):
        bad = (found.value - wrong) / np.where(found.error > 0, found.error, np.inf)
        assert np.abs(bad).max() > 12
    # what a regression of one step on the step before shows
    modes = relaxation_modes(sim["correlation"], sim["delayed_correlation"])
    closed = relaxation_modes(exact["lagged_correlation"][0], exact["lagged_correlation"][1])
    np.testing.assert_allclose(np.exp(-modes.rate), np.exp(-closed.rate), atol=0.03)


def test_the_closure_agrees_with_simulated_modes_and_lags_at_many_components() -> None:
    model, beta = vectors(12, 48), 3.0
    closed = gf.solve(model, gf.Relaxation(gf.GramClosure(beta)), steps=3)
    sim = gf.simulate(
        model, gf.ParallelHeatBath(beta), steps=150, burn_in=50, replicas=16, seed=5,
        measure=gf.Measure(snapshots=150),
    )  # fmt: skip
    found = lagged_correlation(sim["snapshots"].values.transpose(1, 0, 2, 3), 3)
    scale = np.sqrt(np.mean(closed["lagged_correlation"][1].values ** 2))
    for lag in (1, 2, 3):
        gap = found.value[lag] - closed["lagged_correlation"][lag].values
        assert np.sqrt(np.mean(gap**2)) < 0.1 * scale
    modes = relaxation_modes(sim["correlation"], sim["delayed_correlation"])
    assert modes.rate[0] == pytest.approx(float(closed["relaxation_rate"]), abs=0.05)


def test_lagged_correlations_are_the_loops_and_centre_on_distinct_replicas() -> None:
    rng = np.random.default_rng(1)
    paths = rng.normal(size=(3, 6, 2, 2)) + 1.0
    found = lagged_correlation(paths, 2)
    means = paths.mean(axis=1)
    for lag in range(3):
        for i in range(2):
            for j in range(2):
                raw = [np.mean([paths[r, t + lag, i] @ paths[r, t, j] for t in range(6 - lag)]) for r in range(3)]
                crossed = [means[p, i] @ means[q, j] for p in range(3) for q in range(3) if p != q]
                assert found.value[lag, i, j] == pytest.approx(np.mean(raw) - np.mean(crossed))
    assert spin_autocorrelation(paths, 2).value[1] == pytest.approx(np.trace(found.value[1]) / np.trace(found.value[0]))
    assert lagged_correlation(paths[:1], 1).error is None


# ---------------------------------------------------------------- what is refused


def test_what_cannot_relax_is_refused_in_one_sentence() -> None:
    with pytest.raises(gf.InvalidInputError, match="Relaxation needs GramClosure"):
        gf.Relaxation(gf.NaiveMeanField(1.0))
    with pytest.raises(gf.InvalidInputError, match="Relaxation needs GramClosure"):
        gf.Relaxation(2.0)
    with pytest.raises(gf.InvalidInputError, match="dim=1"):
        gf.solve(vectors(3, 3), gf.Relaxation(gf.Enumeration(1.0)))
    with pytest.raises(gf.InvalidInputError, match="no closed form"):
        gf.solve(gf.Asymmetric(), gf.Relaxation(gf.GramClosure(1.0)))
    with pytest.raises(gf.InvalidInputError, match="smallest eigenvalue"):
        relaxation_modes(np.zeros((2, 2)), np.eye(2))
    with pytest.raises(gf.InvalidInputError, match="max_lag"):
        lagged_correlation(np.zeros((2, 3, 1, 1)), 3)
    with pytest.raises(gf.InvalidInputError, match="shape of delayed"):
        relaxation_modes(np.eye(2), np.eye(3))

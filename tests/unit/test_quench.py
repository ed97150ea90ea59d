"""Quench and relax: entropies against sums over all paths, inequalities, identities, closures and simulation."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from naive import ising_steady_state_by_loops

import glassformer as gf
from glassformer._core._random import uniforms
from glassformer._core._responses import kl_divergence
from glassformer._core._responses import response as make_response
from glassformer.observables import path_entropy_production
from glassformer.theory.driven._chain import KINDS, DrivenCycle, fluctuation_theorem, state_numbers

CLOSURES = (gf.NaiveMeanField, gf.TAP, gf.GramClosure, gf.GaussianClosure)


def ising(n: int, seed: int, *, symmetric: bool = False, radius: float = 1.1) -> tuple[gf.VectorSpin, np.ndarray]:
    """Return a model with self-couplings, and other fields for it."""
    rng = np.random.default_rng(seed)
    couplings = rng.normal(size=(n, n)) / np.sqrt(n)
    if symmetric:
        couplings = (couplings + couplings.T) / np.sqrt(2)
    model = gf.VectorSpin(couplings, 0.6 * rng.normal(size=(n, 1)), radius=radius)
    return model, 0.6 * rng.normal(size=(n, 1))


def vectors(n: int, dim: int, seed: int = 1, *, asymmetry: float = 1.0) -> tuple[gf.VectorSpin, np.ndarray]:
    couplings = gf.Asymmetric(asymmetry=asymmetry, self_coupling=True).sample(n=n, seed=seed)
    fields = gf.sphere_fields(n, dim=dim, seed=seed, radius=1.3)
    return gf.VectorSpin(couplings, fields, radius=1.3), gf.sphere_fields(n, dim=dim, seed=seed + 50, radius=1.3)


# ---------------------------------------------------------------- enumeration


@pytest.mark.parametrize(("n", "steps", "beta"), [(1, 4, 0.7), (2, 3, 1.3), (3, 2, 0.9)])
@pytest.mark.parametrize("start", [None, "means"])
def test_every_entropy_is_a_sum_over_all_paths(n: int, steps: int, beta: float, start: Any) -> None:
    model, drive = ising(n, 10 * n + steps)
    means = None if start is None else 0.5 * model.r * np.linspace(-1, 1, n)[:, None]
    found = gf.solve(model, gf.Quench(gf.Enumeration(beta), drive), start=means, steps=steps)

    couplings = model.couplings.tolist()
    states, _, before, _ = ising_steady_state_by_loops(couplings, model.fields[:, 0].tolist(), beta, model.r)
    _, move, law, sigma = ising_steady_state_by_loops(couplings, drive[:, 0].tolist(), beta, model.r)
    if means is not None:
        ups = 0.5 * (1 + means[:, 0] / model.r)
        before = [np.prod([u if s > 0 else 1 - u for s, u in zip(state, ups)]) for state in states]
    move, law, laws = np.asarray(move), np.asarray(law), [np.asarray(before)]
    for _ in range(steps):
        laws.append(laws[-1] @ move)
    means_of = dict.fromkeys(KINDS, 0.0)
    theorem = dict.fromkeys(KINDS, 0.0)
    for path in itertools.product(range(len(states)), repeat=steps + 1):
        weight = laws[0][path[0]] * np.prod([move[a, b] for a, b in itertools.pairwise(path)])
        back = np.log(np.prod([move[a, b] / move[b, a] for a, b in itertools.pairwise(path)]))
        first, last = path[0], path[-1]
        entropy = {
            "total": back + np.log(laws[0][first] / laws[-1][last]),
            "housekeeping": back + np.log(law[first] / law[last]),
            "nonadiabatic": np.log(laws[0][first] * law[last] / (laws[-1][last] * law[first])),
        }
        for kind in KINDS:
            means_of[kind] += weight * entropy[kind]
            theorem[kind] += weight * np.exp(-entropy[kind])
    names = {"total": "entropy_production", **{k: f"{k}_entropy_production" for k in KINDS[1:]}}
    for kind in KINDS:
        assert float(found[names[kind]].sum()) == pytest.approx(means_of[kind], abs=1e-10)
        assert theorem[kind] == pytest.approx(1.0, abs=1e-9)
        name = "fluctuation_theorem" + ("" if kind == "total" else f"_{kind}")
        assert float(found[name]) == pytest.approx(1.0, abs=1e-12)
    assert float(found["steady_entropy_production"]) == pytest.approx(sigma, abs=1e-9)
    for k in range(steps + 1):
        assert float(found["mismatch"][k]) == pytest.approx(np.sum(laws[k] * np.log(laws[k] / law)), abs=1e-10)
    for k in range(steps):
        heat = np.sum(laws[k][:, None] * move * np.log(move / move.T))
        assert float(found["environment_entropy_production"][k]) == pytest.approx(heat, abs=1e-9)


@pytest.mark.parametrize("beta", [0.0, 0.3, 1.0, 2.5])
@pytest.mark.parametrize("n", [2, 4, 6])
@pytest.mark.parametrize("symmetric", [False, True])
def test_exact_inequalities_hold_and_symmetric_couplings_need_no_housekeeping(
    beta: float, n: int, symmetric: bool
) -> None:
    model, drive = ising(n, n, symmetric=symmetric)
    drives = np.stack([drive, -drive, 2 * drive])
    found = gf.solve(model, gf.Quench(gf.Enumeration(beta), drives), steps=6)
    assert found["mismatch"].dims == ("cycle", "time")
    assert (found["mismatch"].diff("time") <= 1e-13).all()
    assert (found["housekeeping_entropy_production"] >= -1e-12).all()
    assert (found["nonadiabatic_entropy_production"] >= -1e-13).all()
    if symmetric or beta == 0.0:
        assert np.abs(found["housekeeping_entropy_production"]).max() < 1e-11
    else:
        assert (found["housekeeping_entropy_production"] > 0).all()
    budget = found["housekeeping_entropy_production"].sum("step") + found["mismatch"][:, 0] - found["mismatch"][:, -1]
    np.testing.assert_allclose(found["entropy_budget"], budget, atol=1e-12)
    np.testing.assert_allclose(found["entropy_budget"], found["entropy_production"].sum("step"), atol=1e-12)
    if beta == 0.0:
        np.testing.assert_allclose(found["mismatch"], 0.0, atol=1e-12)


def test_the_total_is_that_of_the_transient_of_enumeration() -> None:
    model, drive = ising(5, 4)
    method, start = gf.Enumeration(1.2), np.linspace(-0.9, 0.9, 5)[:, None]
    after = gf.VectorSpin(model.couplings, drive, radius=model.r)
    path = gf.solve(after, method, start=start, steps=5)
    found = gf.solve(model, gf.Quench(method, drive), start=start, steps=5)
    same = gf.solve(after, gf.Quench(method), start=start, steps=5)  # no drive: the fields of the model
    for other in (found, same):
        np.testing.assert_allclose(other["mismatch"], path["divergence_from_stationary"], atol=1e-12)
        np.testing.assert_allclose(other["entropy_production"], path["entropy_production"][:-1], atol=1e-11)
        np.testing.assert_allclose(other["magnetization"], path["magnetization"], atol=1e-13)
        np.testing.assert_allclose(other["entropy"], path["entropy"], atol=1e-13)


def test_a_start_that_leaves_states_out_weakens_the_fluctuation_theorem_by_what_ends_there() -> None:
    model, drive = ising(3, 8)
    start = np.full((3, 1), model.r)
    found = gf.solve(model, gf.Quench(gf.Enumeration(0.8), drive), start=start, steps=2)
    after = gf.Enumeration(0.8).transition_matrix(gf.VectorSpin(model.couplings, drive, radius=model.r))
    first = np.zeros(8)
    first[-1] = 1.0
    reversed_ends = first @ after @ after @ after @ after  # back from the law it has reached
    assert float(found["fluctuation_theorem"]) == pytest.approx(reversed_ends[-1], abs=1e-12)
    assert float(found["fluctuation_theorem_housekeeping"]) == pytest.approx(1.0)


def test_a_cold_start_in_the_fields_leaves_no_state_out() -> None:
    model, _ = ising(4, 8)
    model = gf.VectorSpin(model.couplings, np.sign(model.fields) * (0.5 + np.abs(model.fields)), radius=model.r)
    law = gf.Enumeration(30.0).start_law(model, "fields")
    assert np.log(law.max() / law.min()) == pytest.approx(2 * 30.0 * model.r * np.abs(model.fields).sum(), rel=1e-12)
    found = gf.solve(model, gf.Quench(gf.Enumeration(30.0)), start="fields", steps=2)
    assert float(found["fluctuation_theorem"]) == pytest.approx(1.0, abs=1e-9)
    assert float(found["fluctuation_theorem_nonadiabatic"]) == pytest.approx(1.0, abs=1e-9)


def test_an_injected_wrong_sign_breaks_the_fluctuation_theorem(monkeypatch: pytest.MonkeyPatch) -> None:
    model, drive = ising(4, 2)
    chain = gf.Quench(gf.Enumeration(1.0), drive).cycles(model, steps=3)
    assert abs(fluctuation_theorem(chain, "total") - 1) < 1e-12
    right = DrivenCycle.step_entropy
    for wrong in (
        lambda self, kind, step, p: -right(self, kind, step, p),
        lambda self, kind, step, p: right(self, kind, step, p.T),  # forward and backward exchanged
        lambda self, kind, step, p: 1.02 * right(self, kind, step, p),
    ):
        monkeypatch.setattr(DrivenCycle, "step_entropy", wrong)
        assert abs(fluctuation_theorem(chain, "total") - 1) > 1e-3
        assert abs(fluctuation_theorem(chain, "housekeeping") - 1) > 1e-3


def test_simulated_paths_obey_the_fluctuation_theorems_and_a_wrong_entropy_does_not() -> None:
    model, drive = ising(4, 21, radius=0.45)
    beta, steps, replicas = 0.8, 2, 20_000
    quench = gf.Quench(gf.Enumeration(beta), np.stack([drive, -drive]))
    chain = quench.cycles(model, steps=steps)
    pick = np.searchsorted(np.cumsum(chain[0].laws[0]), uniforms(3, "test/start", replicas))
    spins = chain[0].space.states[np.minimum(pick, 15)][..., None]
    totals = {kind: np.zeros(replicas) for kind in KINDS}
    for seed, (after, cycle) in enumerate(zip(quench.models(model), chain)):
        sim = gf.simulate(
            after, gf.ParallelHeatBath(beta), steps=steps, replicas=replicas, seed=seed + 5, start=spins,
            measure=gf.Measure(correlations=False, series=False, snapshots=steps),
        )  # fmt: skip
        path = np.concatenate([spins[None], sim["snapshots"].values])
        spins = path[-1]
        for kind in KINDS:
            totals[kind] += cycle.path_entropy(kind, state_numbers(path).T)
    found = gf.solve(model, quench, steps=steps)
    means = {"total": "entropy_production", **{k: f"{k}_entropy_production" for k in KINDS[1:]}}

    def deviation(values: np.ndarray, expected: float) -> float:
        return float((values.mean() - expected) / (values.std(ddof=1) / np.sqrt(replicas)))

    for kind, values in totals.items():
        assert abs(deviation(np.exp(-values), 1.0)) < 5
        assert abs(deviation(values, float(found[means[kind]].sum()))) < 5
        assert abs(deviation(np.exp(-1.5 * values), 1.0)) > 6  # injected bug: a factor in beta


def test_fields_of_one_component_may_be_a_vector() -> None:
    model, drive = ising(3, 3)
    one, two = (gf.Quench(gf.Enumeration(1.0), d) for d in (drive, drive[:, 0]))
    assert one == two
    assert hash(one) == hash(two)
    assert one != gf.Quench(gf.Enumeration(1.0), -drive)
    assert float(gf.solve(model, one).entropy_budget) == float(gf.solve(model, two).entropy_budget)


def test_relabelling_sites_changes_nothing() -> None:
    model, drive = ising(5, 3)
    order = np.random.default_rng(0).permutation(5)
    other = gf.VectorSpin(model.couplings[np.ix_(order, order)], model.fields[order], radius=model.r)
    one = gf.solve(model, gf.Quench(gf.Enumeration(1.4), drive), steps=4)
    two = gf.solve(other, gf.Quench(gf.Enumeration(1.4), drive[order]), steps=4)
    for name in ("mismatch", "housekeeping_entropy_production", "environment_entropy_production", "entropy_budget"):
        np.testing.assert_allclose(one[name], two[name], atol=1e-11)


# ---------------------------------------------------------------- closures


@pytest.mark.parametrize("kind", CLOSURES)
@pytest.mark.parametrize("dim", [1, 2, 7])
def test_free_spins_have_their_new_law_after_one_step(kind: Any, dim: int) -> None:
    rng = np.random.default_rng(dim)
    fields, drive, beta, radius = rng.normal(size=(3, dim)), rng.normal(size=(3, dim)), 1.6, 0.8
    model = gf.VectorSpin(np.zeros((3, 3)), fields, radius=radius)
    found = gf.solve(model, gf.Quench(kind(beta), drive), steps=3)
    exact = kl_divergence(make_response("exact", dim), fields, drive, beta=beta, radius=radius).sum()
    loose = 1e-6 if kind is gf.GaussianClosure else 1e-9
    assert float(found["mismatch"][0]) == pytest.approx(exact, rel=loose)
    assert np.abs(found["mismatch"][1:]).max() < 1e-9
    assert np.abs(found["housekeeping_entropy_production"]).max() < 1e-9
    assert float(found["entropy_budget"]) == pytest.approx(exact, rel=loose)
    # the heat: minus beta times the change of the energy of the drive
    work = beta * np.sum(drive * (found["magnetization"][1].values - found["magnetization"][0].values))
    assert float(found["environment_entropy_production"][0]) == pytest.approx(work, rel=loose)


@pytest.mark.parametrize("kind", CLOSURES)
@pytest.mark.parametrize("dim", [1, 3])
def test_what_a_closure_knows_is_carried_from_cycle_to_cycle(kind: Any, dim: int) -> None:
    model, drive = vectors(6, dim)
    method = kind(0.5)
    whole = gf.solve(model, gf.Quench(method, drive), steps=6)
    cut = gf.solve(model, gf.Quench(method, np.stack([drive, drive])), steps=3)
    for name in ("mismatch", "field_mismatch", "magnetization"):
        np.testing.assert_allclose(cut[name].values[1], whole[name].values[3:], atol=1e-10)
    for name in ("housekeeping_entropy_production", "environment_entropy_production"):
        np.testing.assert_allclose(cut[name].values.ravel(), whole[name].values, atol=1e-10)
    assert float(cut["entropy_budget"].sum()) == pytest.approx(float(whole["entropy_budget"]), abs=1e-10)
    steady = gf.solve(gf.VectorSpin(model.couplings, drive, radius=model.r), method)
    np.testing.assert_allclose(whole["steady_magnetization"], steady["magnetization"], atol=1e-9)
    assert float(whole["steady_entropy_production"]) == pytest.approx(float(steady["entropy_production"]), abs=1e-9)


@pytest.mark.parametrize("kind", CLOSURES)
def test_nothing_happens_when_nothing_changes(kind: Any) -> None:
    model, _ = vectors(5, 3)
    found = gf.solve(model, gf.Quench(kind(0.6), model.fields), steps=3)
    assert np.abs(found["mismatch"]).max() < 1e-15
    steady = float(gf.solve(model, kind(0.6))["entropy_production"])
    np.testing.assert_allclose(found["housekeeping_entropy_production"], steady, atol=1e-9)
    np.testing.assert_allclose(found["environment_entropy_production"], steady, atol=1e-9)


def test_the_mean_fields_run_one_step_ahead_in_naive_mean_field() -> None:
    model, drive = vectors(7, 4)
    found = gf.solve(model, gf.Quench(gf.NaiveMeanField(1.2), drive), steps=5)
    np.testing.assert_allclose(found["field_mismatch"][:-1], found["mismatch"][1:], rtol=1e-6, atol=1e-13)


@pytest.mark.parametrize("kind", [gf.NaiveMeanField, gf.TAP])
def test_symmetric_couplings_need_no_housekeeping_in_mean_field(kind: Any) -> None:
    model, drive = vectors(6, 3, asymmetry=0.0)
    found = gf.solve(model, gf.Quench(kind(0.5), drive), steps=4)
    assert (found["housekeeping_entropy_production"] == 0.0).all()


def test_the_gaussian_closure_is_close_to_enumeration_and_better_than_the_connected_correlation_alone() -> None:
    gaps, naive = [], []
    for seed in range(4):
        model, drive = ising(8, seed, radius=1.0)
        exact, closed = (
            gf.solve(model, gf.Quench(m(0.6), drive), steps=5) for m in (gf.Enumeration, gf.GaussianClosure)
        )
        np.testing.assert_allclose(closed["mismatch"], exact["mismatch"], atol=0.08 * float(exact["mismatch"][0]))
        assert float(closed["entropy_budget"]) == pytest.approx(float(exact["entropy_budget"]), rel=0.08)
        gaps.append(closed["housekeeping_entropy_production"].values - exact["housekeeping_entropy_production"].values)
        after = gf.VectorSpin(model.couplings, drive, radius=1.0)
        path = gf.solve(after, gf.Enumeration(0.6), start=exact["magnetization"].values[0], steps=5)
        antisymmetric = model.couplings - model.couplings.T
        connected = 0.6 * np.einsum("ij,tij->t", antisymmetric, path["delayed_correlation"].values[:-1])
        naive.append(connected - exact["housekeeping_entropy_production"].values)
    assert np.abs(gaps)[:, 0].mean() < np.abs(naive)[:, 0].mean()


def test_rotating_and_relabelling_changes_no_entropy() -> None:
    model, drive = vectors(6, 4)
    rng = np.random.default_rng(2)
    order, rotation = rng.permutation(6), np.linalg.qr(rng.normal(size=(4, 4)))[0]
    other = gf.VectorSpin(model.couplings[np.ix_(order, order)], model.fields[order] @ rotation.T, radius=model.r)
    for kind in CLOSURES:
        one = gf.solve(model, gf.Quench(kind(0.7), drive), steps=4)
        two = gf.solve(other, gf.Quench(kind(0.7), drive[order] @ rotation.T), steps=4)
        for name in ("mismatch", "field_mismatch", "entropy_production", "environment_entropy_production"):
            np.testing.assert_allclose(one[name], two[name], atol=1e-8)


def test_transient_means_agree_with_simulated_ones() -> None:
    model, drive = vectors(8, 24)
    beta, replicas = 1.5, 400
    before = gf.simulate(model, gf.ParallelHeatBath(beta), steps=2, burn_in=80, replicas=replicas, seed=1)
    after = gf.VectorSpin(model.couplings, drive, radius=model.r)
    sim = gf.simulate(
        after, gf.ParallelHeatBath(beta), steps=4, replicas=replicas, seed=2, start=before["spins"].values,
        measure=gf.Measure(trajectory=True),
    )  # fmt: skip
    found = gf.solve(model, gf.Quench(gf.GramClosure(beta), drive), steps=4)
    gap = np.linalg.norm(sim["magnetization_trajectory"].values - found["magnetization"].values, axis=-1)
    assert np.sqrt(np.mean(gap**2, axis=1)).max() < 0.06 * model.r  # sampling noise is 0.045 R


# ---------------------------------------------------------------- definite spins, hot and cold, and what is refused


def test_a_definite_start_costs_minus_its_log_probability_or_infinity() -> None:
    rng = np.random.default_rng(3)
    fields = rng.normal(size=(4, 1))
    model = gf.VectorSpin(np.zeros((4, 4)), fields, radius="unit")
    start = np.sign(rng.normal(size=(4, 1)))
    for method in (gf.Enumeration(0.7), *(kind(0.7) for kind in CLOSURES)):
        found = gf.solve(model, gf.Quench(method), start=start, steps=2)
        expected = -np.log(1 / (1 + np.exp(-2 * 0.7 * start * fields))).sum()
        assert float(found["mismatch"][0]) == pytest.approx(expected, rel=1e-6)
        assert float(found["entropy"][0]) == pytest.approx(-np.log(2))
    model, _ = vectors(3, 3)
    spins = model.random_spins(replicas=1, seed=1)[0]
    found = gf.solve(model, gf.Quench(gf.GramClosure(1.0)), start=spins, steps=2)
    assert np.isposinf(found["mismatch"][0])
    assert np.isfinite(found["mismatch"][1:]).all()


@pytest.mark.parametrize("beta", [0.0, 1e-6, 50.0])
@pytest.mark.parametrize("dim", [1, 2, 9])
def test_extreme_temperatures_stay_finite(beta: float, dim: int) -> None:
    model, drive = vectors(5, dim)
    found = gf.solve(model, gf.Quench(gf.GramClosure(beta), drive), steps=4)
    for name in ("mismatch", "entropy_production", "environment_entropy_production"):
        assert np.isfinite(found[name]).all()
    if beta == 0.0:
        assert np.abs(found["mismatch"]).max() == 0.0


def test_a_closure_that_finds_no_steady_state_says_so() -> None:
    model, drive = vectors(6, 3)
    method = gf.NaiveMeanField(2.0, max_iterations=2)
    with pytest.raises(gf.NotConvergedError):
        gf.solve(model, gf.Quench(method, drive), steps=2)
    found = gf.solve(model, gf.Quench(method, drive), steps=2, throw=False)
    assert found.attrs["status"] == "not_converged"
    assert float(found["residual"]) > 0


def test_what_cannot_be_quenched_is_refused_in_one_sentence() -> None:
    model, drive = ising(3, 1)
    with pytest.raises(gf.InvalidInputError, match="drive is None"):
        gf.solve(model, gf.Quench(gf.GramClosure(1.0)))
    with pytest.raises(gf.InvalidInputError, match="shape of drive"):
        gf.solve(model, gf.Quench(gf.GramClosure(1.0), np.ones((4, 1))))
    with pytest.raises(gf.InvalidInputError, match="drive"):
        gf.Quench(gf.GramClosure(1.0), [[np.nan]])
    with pytest.raises(gf.InvalidInputError, match="steps"):
        gf.solve(model, gf.Quench(gf.GramClosure(1.0), drive), steps=0)
    with pytest.raises(gf.InvalidInputError, match="Quench needs a theory"):
        gf.Quench(1.0, drive)
    with pytest.raises(gf.InvalidInputError, match="Quench needs NaiveMeanField"):
        gf.solve(model, gf.Quench(gf.SaddlePoint(1.0), drive))
    with pytest.raises(gf.InvalidInputError, match="parallel"):
        gf.solve(model, gf.Quench(gf.Enumeration(1.0, update="sequential"), drive))
    large, drive = ising(11, 1)
    with pytest.raises(gf.InvalidInputError, match="at most 10 spins"):
        gf.solve(large, gf.Quench(gf.Enumeration(1.0), drive))
    with pytest.raises(gf.InvalidInputError, match="lower beta"):
        gf.solve(*_cold())


def _cold() -> tuple[gf.VectorSpin, gf.Quench]:
    model = gf.VectorSpin(np.zeros((4, 4)), np.full((4, 1), 9.0), radius="unit")
    return model, gf.Quench(gf.Enumeration(100.0), -model.fields)


def test_the_heat_of_a_quench_is_that_of_simulated_paths() -> None:
    model, drive = vectors(8, 6)
    beta, steps, replicas = 1.2, 3, 1200
    few = gf.Measure(correlations=False, series=False, snapshots=steps)
    before = gf.simulate(
        model, gf.ParallelHeatBath(beta), steps=steps, burn_in=40, replicas=replicas, seed=1, measure=few
    )
    after = gf.VectorSpin(model.couplings, drive, radius=model.r)
    start = before["spins"].values
    sim = gf.simulate(
        after, gf.ParallelHeatBath(beta), steps=steps, replicas=replicas, seed=2, start=start, measure=few
    )  # fmt: skip
    path = np.concatenate([start[None], sim["snapshots"].values])
    heat = path_entropy_production(after, beta, path[:-1], path[1:])
    error = heat.std(axis=1, ddof=1) / np.sqrt(replicas)
    found = gf.solve(model, gf.Quench(gf.GaussianClosure(beta), drive), steps=steps)
    values = found["environment_entropy_production"].values
    assert (np.abs(values - heat.mean(axis=1)) < 4 * error + 0.03 * values).all()
    wrong = values - 2 * found["nonadiabatic_entropy_production"].values  # injected bug: the sign of the mismatch
    assert abs(wrong[0] - heat[0].mean()) > 4 * error[0] + 0.2 * values[0]

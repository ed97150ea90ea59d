"""`simulate`: bits that depend on nothing but the seed, sums that equal stored paths, checkpoints, honest refusals."""

from __future__ import annotations

import itertools
import math
import os
import pickle
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from naive import heat_bath_spin_by_hand

import glassformer as gf
from glassformer import _simulate
from glassformer._core._errors import InvalidInputError, NotConvergedError
from glassformer.dynamics import Overrelaxation, ParallelHeatBath, SequentialHeatBath, SpinState
from glassformer.observables import path_boundary, path_entropy_production

DYNAMICS = [
    ParallelHeatBath(1.3),
    SequentialHeatBath(1.3),
    SequentialHeatBath(1.3, order="random"),
]


def system(n: int, dim: int, *, asymmetry: float = 1.0, radius: float | str = 0.9) -> gf.VectorSpin:
    couplings = gf.Asymmetric(asymmetry=asymmetry, self_coupling=True).sample(n=n, seed=n)
    return gf.VectorSpin(couplings, gf.gaussian_fields(n, dim=dim, seed=1, radius=1.0), radius=radius)


def same(a, b) -> bool:
    assert set(a) == set(b)
    return all(np.array_equal(np.asarray(a[name]), np.asarray(b[name])) for name in a)


# --- bits -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dynamics", DYNAMICS)
@pytest.mark.parametrize(("n", "dim", "replicas"), [(5, 1, 150), (4, 3, 70), (3, 40, 7), (2, 70, 100)])
def test_threads_never_change_a_bit(dynamics, n, dim, replicas) -> None:
    measure = gf.Measure(trajectory=True, snapshots=3)
    one, two, three = (
        gf.simulate(
            system(n, dim), dynamics, steps=90, burn_in=7, replicas=replicas, seed=3, measure=measure, threads=t
        )
        for t in (1, 2, 3)
    )
    assert same(one, two)
    assert same(one, three)


@pytest.mark.parametrize("dynamics", [*DYNAMICS, SequentialHeatBath(1.3, overrelaxation=2)])
@pytest.mark.parametrize(("n", "dim"), [(6, 1), (5, 3), (9, 12)])
def test_more_replicas_leave_the_first_unchanged(dynamics, n, dim) -> None:
    model = system(n, dim, asymmetry=0.0)
    few = gf.simulate(model, dynamics, steps=30, replicas=5, seed=3)
    many = gf.simulate(model, dynamics, steps=30, replicas=37, seed=3)
    assert np.array_equal(few.spins, many.spins[:5])
    assert np.array_equal(few.energy_series, many.energy_series[:5])


@pytest.mark.parametrize("dynamics", DYNAMICS)
def test_steps_can_be_taken_in_any_portions(dynamics) -> None:
    motion = dynamics.prepare(system(5, 4), seed=1)
    start = motion.start(motion.model.random_spins(replicas=21, seed=2))
    whole = motion.advance(start, 1203, threads=2)
    parts = start
    for portion in (1, 2, 997, 203):
        parts = type(parts).from_arrays(parts.to_arrays())
        parts = motion.advance(parts, portion, threads=1)
    assert parts.step == whole.step == 1203
    assert np.array_equal(parts.spins, whole.spins)
    assert np.array_equal(parts.fields, whole.fields)


def test_burn_in_is_steps_that_are_not_measured() -> None:
    model = system(5, 3)
    motion = ParallelHeatBath(1.0).prepare(model, seed=4)
    state = motion.advance(motion.start(model.random_spins(replicas=3, seed=4)), 60)
    sim = gf.simulate(model, ParallelHeatBath(1.0), steps=40, burn_in=20, replicas=3, seed=4)
    assert np.array_equal(sim.spins, state.spins)


def test_seeds_and_dynamics_give_different_paths() -> None:
    model = system(5, 3)
    a = gf.simulate(model, ParallelHeatBath(1.0), steps=5, seed=1, start=model.random_spins(replicas=1, seed=9)[0])
    b = gf.simulate(model, ParallelHeatBath(1.0), steps=5, seed=2, start=model.random_spins(replicas=1, seed=9)[0])
    assert not np.array_equal(a.spins, b.spins)


def test_the_threads_of_blas_are_restored() -> None:
    from threadpoolctl import threadpool_info

    def counts() -> list[int]:
        return [lib["num_threads"] for lib in threadpool_info() if lib["user_api"] == "blas"]

    gf.simulate(system(4, 2), ParallelHeatBath(1.0), steps=3, seed=1)  # loads every library first
    before = counts()
    gf.simulate(system(4, 2), ParallelHeatBath(1.0), steps=3, seed=1)
    assert counts() == before


# --- streamed against stored ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dynamics", DYNAMICS)
@pytest.mark.parametrize(
    ("dim", "replicas", "every"), [(1, 1, 1), (1, 80, 1), (3, 5, 1), (3, 5, 4), (70, 3, 1), (2, 1, 3)]
)
def test_streamed_sums_equal_those_of_the_stored_path(dynamics, dim, replicas, every) -> None:
    model, steps, beta = system(4, dim), 150, dynamics.beta
    start = model.random_spins(replicas=replicas, seed=11)
    sim = gf.simulate(
        model, dynamics, steps=steps, replicas=replicas, seed=2, start=start,
        measure=gf.Measure(snapshots=steps, trajectory=True, every=every),
    )  # fmt: skip
    path = np.concatenate([start[None], sim.snapshots])  # (time, replica, site, component)
    later, before = path[1:], path[:-1]
    mean = later.mean(axis=(0, 1))
    np.testing.assert_allclose(sim.magnetization, mean, atol=1e-12)
    np.testing.assert_allclose(sim.magnetization_trajectory, path.mean(axis=1), atol=1e-13)
    assert np.array_equal(sim.spins, path[-1])
    energies = model.energy(later)
    np.testing.assert_allclose(sim.energy_series, energies.T, atol=1e-12)
    np.testing.assert_allclose(sim.energy, energies.mean(), atol=1e-12)
    np.testing.assert_allclose(sim.energy_full, model.energy(later, convention="full").mean(), atol=1e-12)
    norms = np.linalg.norm(model.fields, axis=1)
    cosines = ((later * model.fields).sum(-1) / norms / model.r).mean(-1)
    np.testing.assert_allclose(sim.alignment_series, cosines.T, atol=1e-12)
    np.testing.assert_allclose(sim.mean_of_alignment, cosines.mean(), atol=1e-12)
    if replicas > 1:
        error = path.std(axis=1, ddof=1) / math.sqrt(replicas)
        np.testing.assert_allclose(sim.magnetization_trajectory_error, error, atol=1e-7)
        np.testing.assert_allclose(
            sim.magnetization_error, later.mean(0).std(axis=0, ddof=1) / math.sqrt(replicas), atol=1e-12
        )
    # Products of means are taken between distinct replicas, or distinct blocks of time.
    if replicas > 1:
        units = later.mean(axis=0)
    else:
        edges = [steps * k // 16 for k in range(17)]
        units = np.stack([later[a:b, 0].mean(0) for a, b in itertools.pairwise(edges)])
    u = len(units)
    pairs = [np.einsum("ia,ja->ij", units[a], units[b]) for a in range(u) for b in range(u) if a != b]
    products = np.mean(pairs, axis=0)
    kept = slice(every - 1, None, every)
    equal = np.einsum("tria,trja->ij", later[kept], later[kept]) / (len(later[kept]) * replicas) - products
    delayed = np.einsum("tria,trja->ij", later[kept], before[kept]) / (len(later[kept]) * replicas) - products
    np.testing.assert_allclose(sim.correlation, equal, atol=1e-11)
    np.testing.assert_allclose(sim.delayed_correlation, delayed, atol=1e-11)
    np.testing.assert_allclose(sim.magnetization_sum_of_squares, np.trace(products), atol=1e-11)
    np.testing.assert_allclose(
        sim.covariance_trace + sim.magnetization_sum_of_squares, model.n * model.r**2, rtol=1e-13
    )
    half = steps // 2
    drift = later[:half].mean((0, 1)) - later[half:].mean((0, 1))
    if replicas > 1:
        np.testing.assert_allclose(sim.residual, np.sqrt((drift**2).sum(-1).mean()) / model.r, rtol=1e-10)
    if isinstance(dynamics, ParallelHeatBath):
        steps_entropy = path_entropy_production(model, beta, before, later)
        np.testing.assert_allclose(sim.entropy_production_path, steps_entropy.mean(), atol=1e-10)
        ends = (path_boundary(model, beta, path[-1]) - path_boundary(model, beta, path[0])) / steps
        # Path by path the two estimators differ by the ends only.
        np.testing.assert_allclose(sim.entropy_production_path - sim.entropy_production, ends.mean(), atol=1e-10)
        if every == 1:
            j = model.couplings
            np.testing.assert_allclose(
                sim.entropy_production, beta * np.sum((j - j.T) * sim.delayed_correlation.values), atol=1e-10
            )


@pytest.mark.parametrize(("dim", "replicas"), [(1, 1), (1, 300), (20, 1), (20, 41), (70, 9)])
def test_coarser_groups_of_correlations_change_errors_only(dim, replicas, monkeypatch) -> None:
    from glassformer.observables import _accumulators

    fine = gf.simulate(system(4, dim), ParallelHeatBath(1.0), steps=600, replicas=replicas, seed=1)
    monkeypatch.setattr(_accumulators, "_MAX_GROUPS", 4)
    coarse = gf.simulate(system(4, dim), ParallelHeatBath(1.0), steps=600, replicas=replicas, seed=1)
    for name in ("correlation", "delayed_correlation"):
        np.testing.assert_allclose(coarse[name], fine[name], atol=1e-11)
        ratio = np.asarray(coarse[f"{name}_error"]).mean() / np.asarray(fine[f"{name}_error"]).mean()
        assert 0.5 < ratio < 2
    groups = [int(x.correlation_error.attrs["averages_over"].split()[-2]) for x in (fine, coarse)]
    assert groups[0] > 4 >= groups[1] >= 3


def test_the_entropy_of_a_sweep_is_that_of_its_moves() -> None:
    """In fixed order, site i of a sweep is drawn in the field of the new spins before it and the old ones after it."""
    model, beta, steps = system(5, 3), 1.3, 60
    start = model.random_spins(replicas=2, seed=11)
    sim = gf.simulate(
        model, SequentialHeatBath(beta), steps=steps, replicas=2, seed=2, start=start,
        measure=gf.Measure(snapshots=steps),
    )  # fmt: skip
    path = np.concatenate([start[None], sim.snapshots])
    bonds = model.couplings - np.diag(np.diag(model.couplings))
    total = 0.0
    for old, new in itertools.pairwise(path):
        for i in range(model.n):
            mixed = np.concatenate([new[:, :i], old[:, i:]], axis=1)
            field = model.fields[i] + np.einsum("j,rja->ra", bonds[i], mixed)
            total += beta * np.sum((new[:, i] - old[:, i]) * field)
    np.testing.assert_allclose(sim.entropy_production, total / steps / 2, atol=1e-11)
    assert "entropy_production_path" not in sim


def test_signs_follow_the_obvious_loop_over_addressed_words() -> None:
    """One component: every spin compares the uniform of its address (block 2^31, step, site, replica) with tanh's coin."""
    from glassformer._core._random import _to_uniform, philox, stream_key

    model, beta = system(6, 1), 0.8
    for dynamics, name in ((ParallelHeatBath(beta), "parallel"), (SequentialHeatBath(beta), "sequential")):
        start = model.random_spins(replicas=3, seed=5)
        spins = start.copy()
        for step in (1, 2, 3):
            before = spins.copy()
            for r in range(3):
                for i in range(6):
                    words = philox([1 << 31, step, i, r], stream_key(5, f"dynamics/{name}"))
                    current = before[r] if name == "parallel" else spins[r]
                    h = model.local_fields(current, self_coupling=name == "parallel")[i, 0]
                    up = float(_to_uniform(words[0], words[1])) < 1 / (1 + math.exp(-2 * beta * model.r * h))
                    spins[r, i, 0] = model.r if up else -model.r
        sim = gf.simulate(model, dynamics, steps=3, replicas=3, seed=5, start=start)
        assert np.array_equal(sim.spins, spins)


@pytest.mark.parametrize("dim", [1, 2, 3, 4, 5, 16, 33])
@pytest.mark.parametrize("strength", [0.05, 1.5, 40.0])
def test_compiled_spins_equal_those_made_by_hand(dim: int, strength: float) -> None:
    """Hundreds of addresses, so that every branch of the rejections is taken."""
    fields = strength * np.random.default_rng(dim).normal(size=(11, dim))
    spins = gf.sample_von_mises_fisher(fields, 0.9, radius=1.3, draws=12, seed=4)
    for r in range(12):
        for i in range(11):
            expected = heat_bath_spin_by_hand(
                fields[i], 0.9, 1.3, seed=4, stream="dynamics/sample", step=0, site=i, replica=r
            )
            np.testing.assert_allclose(spins[r, i], expected, atol=1e-10)


@pytest.mark.parametrize("dim", [2, 3, 6])
def test_both_heat_baths_equal_the_obvious_loop_of_spins_made_by_hand(dim: int) -> None:
    model, beta = system(4, dim), 1.7
    for dynamics, name in ((ParallelHeatBath(beta), "parallel"), (SequentialHeatBath(beta), "sequential")):
        start = model.random_spins(replicas=2, seed=5)
        spins = start.copy()
        for step in (1, 2):
            before = spins.copy()
            for r in range(2):
                for i in range(4):
                    current = before[r] if name == "parallel" else spins[r]
                    h = model.local_fields(current, self_coupling=name == "parallel")[i]
                    spins[r, i] = heat_bath_spin_by_hand(
                        h, beta, model.r, seed=5, stream=f"dynamics/{name}", step=step, site=i, replica=r
                    )
        sim = gf.simulate(model, dynamics, steps=2, replicas=2, seed=5, start=start)
        np.testing.assert_allclose(sim.spins, spins, atol=1e-10)


# --- what is conserved ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dim", [2, 3, 8])
def test_overrelaxation_conserves_the_energy(dim: int) -> None:
    model = system(10, dim, asymmetry=0.0)
    start = model.random_spins(replicas=2, seed=1)
    motion = Overrelaxation().prepare(model, seed=1)
    state = motion.advance(motion.start(start), 2000)
    assert not np.allclose(state.spins, start, atol=0.1)
    np.testing.assert_allclose(model.energy(state.spins), model.energy(start), rtol=0, atol=1e-12)


def test_overrelaxation_of_signs_does_nothing() -> None:
    model = system(5, 1, asymmetry=0.0)
    start = model.random_spins(replicas=1, seed=1)
    assert np.array_equal(gf.simulate(model, Overrelaxation(), steps=20, seed=1, start=start).spins, start)


@pytest.mark.parametrize("dynamics", [ParallelHeatBath(3.0), SequentialHeatBath(3.0), Overrelaxation()])
def test_lengths_do_not_drift_in_a_hundred_thousand_steps(dynamics) -> None:
    model = gf.VectorSpin(gf.SherringtonKirkpatrick().sample(n=3, seed=1), dim=5, radius="sqrt_d")
    motion = dynamics.prepare(model, seed=1)
    state = motion.advance(motion.start(model.random_spins(replicas=2, seed=1)), 100_000)
    assert np.abs(np.linalg.norm(state.spins, axis=-1) / model.r - 1).max() < 1e-12


def test_carried_fields_stay_true() -> None:
    model = system(12, 4)
    motion = SequentialHeatBath(2.0).prepare(model, seed=1)
    state = motion.advance(motion.start(model.random_spins(replicas=2, seed=1)), 999)
    np.testing.assert_allclose(state.fields, model.local_fields(state.spins, self_coupling=False), atol=1e-12)


def test_a_drift_of_the_carried_fields_is_found() -> None:
    model = system(12, 4)
    motion = SequentialHeatBath(2.0).prepare(model, seed=1)
    state = motion.start(model.random_spins(replicas=1, seed=1))
    wrong = type(state)(state.spins, state.fields + 1e-6, state.step)
    motion.advance(wrong, 500)  # nobody looks before sweep 1000
    with pytest.raises(NotConvergedError, match="carried local fields have drifted"):
        motion.advance(wrong, 1000)


# --- extremes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [ParallelHeatBath, SequentialHeatBath])
@pytest.mark.parametrize("dim", [1, 2, 3, 4, 33])
def test_every_temperature_is_finite_and_cold_spins_follow_their_fields(make, dim: int) -> None:
    model = gf.VectorSpin(np.zeros((3, 3)), gf.gaussian_fields(3, dim=dim, seed=1, radius=1.0), radius=1.0)
    for beta in (0.0, 1e-12, 1e6, 1e30):
        sim = gf.simulate(model, make(beta), steps=20, replicas=3, seed=1)
        for name in sim:
            assert np.isfinite(sim[name]).all(), name
        if beta >= 1e6:
            assert float(sim.mean_of_alignment) > 1 - 1e-4


@pytest.mark.parametrize(
    ("n", "dim", "steps", "replicas"), [(1, 1, 1, 1), (1, 2, 1, 2), (2, 3, 2, 1), (3, 1, 3, 3), (1, 5, 17, 1)]
)
@pytest.mark.parametrize("dynamics", DYNAMICS)
def test_the_smallest_runs_have_no_undefined_numbers(dynamics, n, dim, steps, replicas) -> None:
    sim = gf.simulate(system(n, dim), dynamics, steps=steps, replicas=replicas, seed=1)
    for name in sim:
        assert np.isfinite(sim[name]).all(), name
    if steps * replicas == 1:
        assert not [name for name in sim if str(name).endswith("_error") and sim[name].ndim and np.any(sim[name] > 0)]
        assert sim.attrs["averages_over"].startswith("nothing")


def test_without_fields_the_alignments_are_undefined_as_for_the_theories() -> None:
    model = gf.VectorSpin(np.zeros((3, 3)), dim=2, radius=1.0)
    sim = gf.simulate(model, ParallelHeatBath(1.0), steps=30, seed=1)
    theory = gf.solve(model, gf.GramClosure(1.0))
    for name in ("alignment_of_mean", "mean_of_alignment"):
        assert np.isnan(sim[name])
        assert np.isnan(theory[name])
    assert np.isfinite(sim.energy)


def test_short_runs_warn_and_frozen_runs_say_so() -> None:
    model = gf.VectorSpin(gf.SherringtonKirkpatrick().sample(n=16, seed=1), dim=3, radius="sqrt_d")
    short = gf.simulate(model, SequentialHeatBath(20.0), steps=20, seed=1)
    assert short.attrs["status"] == "too_short"
    frozen = gf.simulate(system(4, 1), SequentialHeatBath(1e9), steps=100, burn_in=50, seed=1)
    assert frozen.attrs["status"] == "degenerate"
    long = gf.simulate(system(4, 2), ParallelHeatBath(0.5), steps=2000, seed=1)
    assert long.attrs["status"] == "ok"


@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning", "ignore:invalid:RuntimeWarning")
@pytest.mark.parametrize("make", [ParallelHeatBath, SequentialHeatBath])
def test_values_that_stop_being_finite_raise_and_leave_the_last_finite_spins(make) -> None:
    # each number is allowed, the square of a local field is not finite
    model = gf.VectorSpin(np.full((4, 4), 1e150), np.ones((4, 3)), radius=1e8)
    with np.errstate(all="ignore"):
        with pytest.raises(NotConvergedError, match="stopped being finite") as caught:
            gf.simulate(model, make(1.0), steps=10, seed=1)
        assert np.isfinite(caught.value.result.spins).all()
        result = gf.simulate(model, make(1.0), steps=10, burn_in=5, seed=1, throw=False)
    assert result.attrs["status"] == "nonfinite"


# --- estimators -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("replicas", [1, 2, 3, 12])
def test_the_alignment_of_the_mean_has_no_bias_from_noise(replicas: int) -> None:
    """Independent spins in fields that are turned away from the target by 60 degrees: the cosine of the mean is 1/2."""
    from glassformer.observables._estimates import Units, alignment_of_mean

    rng = np.random.default_rng(replicas)
    n, dim, repetitions, noise = 30, 6, 600, 0.2
    units = 16 if replicas == 1 else replicas
    targets = np.eye(dim)[rng.integers(0, dim, size=n)]
    across = np.roll(targets, 1, axis=1)
    mean = 0.5 * targets + math.sqrt(0.75) * across
    ours, plain = [], []
    for _ in range(repetitions):
        halves = mean + noise * rng.normal(size=(2, units, n, dim)) * math.sqrt(2)
        spins = halves.mean(axis=0)
        found = alignment_of_mean(Units(spins, halves, {}, None, ""), targets, np.ones(n, dtype=bool))
        ours.append((float(found.estimate.value), float(found.estimate.error)))
        pooled = spins.mean(axis=0)
        plain.append(np.mean((pooled * targets).sum(1) / np.linalg.norm(pooled, axis=1)))
    values, errors = np.array(ours).T
    sigma = values.std() / math.sqrt(repetitions)
    bias, plain_bias = values.mean() - 0.5, np.mean(plain) - 0.5
    assert abs(bias) < max(5 * sigma, abs(plain_bias) / 3)
    assert plain_bias < -5 * sigma  # what the correction is for
    if replicas >= 3 or replicas == 1:
        assert errors.mean() == pytest.approx(values.std(), rel=0.35)


def test_sites_without_a_direction_are_counted_not_undefined() -> None:
    model = gf.VectorSpin(np.zeros((20, 20)), 1e-9 * gf.gaussian_fields(20, dim=4, seed=1), radius=1.0)
    sim = gf.simulate(model, ParallelHeatBath(1.0), steps=40, replicas=6, seed=1)
    assert sim.unresolved_sites > 15
    assert abs(float(sim.alignment_of_mean)) <= 1


@pytest.mark.parametrize("replicas", [1, 6])
def test_error_bars_cover_the_truth_as_often_as_they_should(replicas: int) -> None:
    model = gf.VectorSpin([[0.0]], [[1.0, 0.0, 0.0]], radius="unit")
    kappa = 1.5
    truth = 1 / math.tanh(kappa) - 1 / kappa
    t = []
    for seed in range(120):
        sim = gf.simulate(model, ParallelHeatBath(kappa), steps=160, replicas=replicas, seed=seed)
        t.append((float(sim.mean_of_alignment) - truth) / float(sim.mean_of_alignment_error))
    from scipy import stats

    units = 16 if replicas == 1 else replicas
    assert stats.kstest(t, stats.t(units - 1).cdf).pvalue > 1e-6


# --- checkpoints ------------------------------------------------------------------------------------------------------


def options(tmp_path=None, **more):
    measure = gf.Measure(trajectory=True, snapshots=7)
    return {"steps": 6000, "burn_in": 900, "replicas": 33, "seed": 6, "measure": measure, "checkpoint": tmp_path} | more


class StopAt:
    def __init__(self, fraction: float) -> None:
        self.fraction = fraction

    def __call__(self, done: float, total: float) -> None:
        assert 0 < done <= total
        if done >= self.fraction * total:
            raise KeyboardInterrupt


@pytest.mark.parametrize("dynamics", DYNAMICS)
def test_an_interrupted_run_continues_to_the_same_bits(dynamics, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(_simulate, "_CHUNK_SECONDS", 0.001)
    monkeypatch.setattr(_simulate, "CHECKPOINT_SECONDS", 0.02)
    model = system(5, 3)
    whole = gf.simulate(model, dynamics, **options())
    stops = 0
    for fraction in (0.01, 0.05, 0.2, 0.4, 0.6):
        try:
            gf.simulate(model, dynamics, progress=StopAt(fraction), threads=2, **options(tmp_path))
        except KeyboardInterrupt:
            stops += 1
    assert stops == 5
    assert sorted(p.name for p in tmp_path.iterdir()) == ["checkpoint-0.npz", "checkpoint-1.npz"]
    calls = []
    resumed = gf.simulate(model, dynamics, progress=lambda *a: calls.append(a), threads=1, **options(tmp_path))
    assert calls[0][0] > 0.6 * calls[0][1]  # it did continue
    assert same(whole, resumed)
    assert same(whole, gf.simulate(model, dynamics, **options(tmp_path)))  # done: read back


def test_a_damaged_checkpoint_is_passed_over(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(_simulate, "_CHUNK_SECONDS", 0.001)
    monkeypatch.setattr(_simulate, "CHECKPOINT_SECONDS", 0.0)
    model, dynamics = system(5, 3), ParallelHeatBath(1.0)
    whole = gf.simulate(model, dynamics, **options())
    with pytest.raises(KeyboardInterrupt):
        gf.simulate(model, dynamics, progress=StopAt(0.5), **options(tmp_path))
    files = sorted(tmp_path.iterdir(), key=lambda p: p.stat().st_mtime_ns)
    assert len(files) == 2
    content = bytearray(files[1].read_bytes())
    content[len(content) // 2] ^= 0xFF
    files[1].write_bytes(content)  # one flipped byte in the newer one
    assert same(whole, gf.simulate(model, dynamics, **options(tmp_path)))
    for file in tmp_path.iterdir():
        file.write_bytes(file.read_bytes()[:1000])  # both cut off: from the beginning
    assert same(whole, gf.simulate(model, dynamics, **options(tmp_path)))


def test_a_checkpoint_of_another_run_is_refused(tmp_path) -> None:
    model = system(4, 2)
    gf.simulate(model, ParallelHeatBath(1.0), steps=30, seed=1, checkpoint=tmp_path)
    for other in (
        {"seed": 2},
        {"steps": 31},
        {"replicas": 2},
        {"burn_in": 1},
        {"measure": gf.Measure(snapshots=1)},
        {"start": model.random_spins(replicas=1, seed=77)[0]},
    ):
        with pytest.raises(InvalidInputError, match="checkpoints of this very run"):
            gf.simulate(model, ParallelHeatBath(1.0), checkpoint=tmp_path, **({"steps": 30, "seed": 1} | other))
    with pytest.raises(InvalidInputError, match="very run"):
        gf.simulate(model, ParallelHeatBath(1.1), steps=30, seed=1, checkpoint=tmp_path)


def test_a_run_without_a_seed_continues_with_the_seed_it_drew(tmp_path) -> None:
    first = gf.simulate(system(4, 2), ParallelHeatBath(1.0), steps=30, checkpoint=tmp_path)
    again = gf.simulate(system(4, 2), ParallelHeatBath(1.0), steps=30, checkpoint=tmp_path)
    assert first.attrs["seed"] == again.attrs["seed"]
    assert same(first, again)


def test_an_interrupt_from_the_keyboard_leaves_a_checkpoint(tmp_path) -> None:
    model, dynamics = system(8, 3), ParallelHeatBath(1.0)
    more = {"steps": 400_000, "measure": gf.Measure(correlations=False, series=False), "replicas": 16, "burn_in": 0}
    timer = threading.Timer(0.6, lambda: os.kill(os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        gf.simulate(model, dynamics, **options(tmp_path, **more))
    timer.join()
    assert len(list(tmp_path.iterdir())) == 1
    with np.load(next(tmp_path.iterdir())) as file:
        assert 0 < int(file["done"]) < 400_000


def test_a_killed_run_leaves_a_checkpoint_with_the_right_bits(tmp_path) -> None:
    code = (
        "import sys, glassformer as gf; from glassformer import _simulate as s; s.CHECKPOINT_SECONDS = 0.0\n"
        "s._CHUNK_SECONDS = 0.01\n"
        "model = gf.VectorSpin(gf.Asymmetric().sample(n=12, seed=1), gf.sphere_fields(12, dim=6, seed=2))\n"
        "gf.simulate(model, gf.ParallelHeatBath(1.0), steps=200000, replicas=24, seed=3, checkpoint=sys.argv[1])"
    )
    for delay in (0.05, 0.2):
        process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)])
        for _ in range(600):
            if any(tmp_path.glob("checkpoint-*.npz")):
                break
            time.sleep(0.05)
        time.sleep(delay)
        process.kill()
        process.wait()
    for file in tmp_path.glob(".checkpoint-*.tmp"):
        file.unlink()  # what was being written; it has no final name
    with np.load(max(tmp_path.iterdir(), key=lambda p: p.stat().st_mtime_ns)) as file:
        state = SpinState.from_arrays({k: file[k] for k in ("spins", "fields", "step")})
    model = gf.VectorSpin(gf.Asymmetric().sample(n=12, seed=1), gf.sphere_fields(12, dim=6, seed=2))
    motion = ParallelHeatBath(1.0).prepare(model, seed=3)
    fresh = motion.advance(motion.start(model.random_spins(replicas=24, seed=3)), state.step)
    assert 0 < state.step < 200_000
    assert np.array_equal(fresh.spins, state.spins)


# --- the boundary -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"steps": 0}, "steps is 0, but must be an integer >= 1"),
        ({"replicas": 0}, "replicas is 0"),
        ({"burn_in": -1}, "burn_in is -1"),
        ({"seed": -1}, "seed is -1"),
        ({"threads": 0}, "threads is 0"),
        ({"measure": "all"}, "a Measure"),
        ({"measure": gf.Measure(every=11)}, "every is 11, but must be at most the number of steps, 10"),
        ({"steps": 2**32}, "at most 4294967295"),
        ({"start": np.ones((4, 2))}, "a spin length in start is"),
        ({"start": np.ones((3, 2))}, r"the shape of start is \(3, 2\)"),
        ({"start": np.full((4, 2), np.nan)}, "finite"),
    ],
)
def test_bad_inputs_get_one_clear_sentence(change, message) -> None:
    with pytest.raises(InvalidInputError, match=message):
        gf.simulate(system(4, 2), ParallelHeatBath(1.0), **({"steps": 10, "seed": 1} | change))


@pytest.mark.parametrize("beta", [-1.0, math.inf, math.nan, True, "cold"])
@pytest.mark.parametrize("make", [ParallelHeatBath, SequentialHeatBath])
def test_bad_temperatures_are_refused(make, beta) -> None:
    hint = "zero temperature" if beta == math.inf else "beta = 1 / T"
    with pytest.raises(InvalidInputError, match=f"beta is .*{hint}"):
        make(beta)


def test_things_that_do_not_move_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="theories go to solve"):
        gf.simulate(system(4, 2), object(), steps=10)
    with pytest.raises(InvalidInputError, match="a VectorSpin"):
        gf.simulate(np.zeros((3, 3)), ParallelHeatBath(1.0), steps=10)


@pytest.mark.parametrize("dynamics", [Overrelaxation(), SequentialHeatBath(1.0, overrelaxation=1)])
def test_overrelaxation_needs_an_energy(dynamics) -> None:
    with pytest.raises(InvalidInputError, match="symmetric"):
        gf.simulate(system(4, 2), dynamics, steps=10)
    with pytest.raises(InvalidInputError, match="order is"):
        SequentialHeatBath(1.0, order="sideways")
    with pytest.raises(InvalidInputError, match="overrelaxation is -1"):
        SequentialHeatBath(1.0, overrelaxation=-1)


@pytest.mark.parametrize("dynamics", [*DYNAMICS, Overrelaxation()])
def test_dynamics_are_values(dynamics) -> None:
    assert pickle.loads(pickle.dumps(dynamics)) == dynamics
    assert hash(dynamics) == hash(pickle.loads(pickle.dumps(dynamics)))
    with pytest.raises((AttributeError, TypeError)):
        dynamics.beta = 2.0
    assert dynamics.citations
    gf_doc = type(dynamics).__doc__ or ""
    assert "math" in gf_doc
    assert "References" in gf_doc


def test_the_evidence_is_complete() -> None:
    sim = gf.simulate(system(4, 2), ParallelHeatBath(1.0), steps=200, replicas=3, burn_in=10, seed=5)
    evidence = gf.evidence(sim)
    assert evidence["seed"] == 5
    assert evidence["method"] == "ParallelHeatBath"
    assert (evidence["steps"], evidence["burn_in"], evidence["replicas"], evidence["beta"]) == (200, 10, 3, 1.0)
    assert evidence["averages_over"] == "3 replicas"
    assert "peretto1984" in evidence["citations"]
    assert evidence["wall_time"] > 0
    assert "residual" in evidence


def test_measures_check_themselves() -> None:
    for bad in ({"every": 0}, {"snapshots": -1}, {"correlations": 1}, {"trajectory": "yes"}):
        with pytest.raises(InvalidInputError):
            gf.Measure(**bad)


def test_the_noun_does_not_import_the_compiler() -> None:
    code = "import sys, glassformer as gf; gf.ParallelHeatBath(1.0), gf.Measure(); assert 'numba' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)

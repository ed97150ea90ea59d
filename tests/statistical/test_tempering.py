"""Parallel tempering leaves every Boltzmann law of its ladder invariant, swaps at the exact rate, and learns from it.

Level 1e-6 per test, two-sided; injected bugs show what that level catches.
"""

from __future__ import annotations

import threading

import numpy as np
import pytest
from scipy import stats
from test_heat_bath import LEVEL, agrees, codes, g_test

import glassformer as gf
from glassformer import _simulate
from glassformer._core._bessel import bessel_ratio, bessel_ratio_derivative
from glassformer._core._errors import InvalidInputError
from glassformer.dynamics import equalised_ladder
from glassformer.observables import multi_histogram

LADDER = (0.3, 0.8, 1.7)


def ising_glass(n: int, seed: int) -> gf.VectorSpin:
    fields = 0.4 * np.random.default_rng(seed).normal(size=n)
    return gf.VectorSpin(gf.SherringtonKirkpatrick(scale=1.4).sample(n=n, seed=seed), fields, dim=1, radius=0.9)


def all_states(model: gf.VectorSpin) -> tuple[np.ndarray, np.ndarray]:
    """Return every state (state, site, 1), in the order of `codes`, and its total energy."""
    n = model.n
    bits = (np.arange(2**n)[:, None] >> np.arange(n)[::-1]) & 1
    states = model.r * (2.0 * bits - 1.0)[..., None]
    return states, n * model.energy(states)


def boltzmann(energy: np.ndarray, beta: float) -> np.ndarray:
    weight = np.exp(-beta * (energy - energy.min()))
    return weight / weight.sum()


def joint_codes(motion, state) -> np.ndarray:
    """Return the number of the joint state of all levels, per replica."""
    own = np.stack([codes(spins) for spins in motion.by_level(state)])
    number = np.zeros(own.shape[1], dtype=int)
    for level in own:
        number = number * 2**motion.model.n + level
    return number


def steps_from_equilibrium(model: gf.VectorSpin, betas, *, replicas: int, seed: int) -> np.ndarray:
    """Start every level in an exact draw of the laws at LADDER, move with a ladder `betas`, return joint states."""
    states, energy = all_states(model)
    rng = np.random.default_rng(seed)
    draws = [rng.choice(len(states), size=replicas, p=boltzmann(energy, beta)) for beta in LADDER]
    motion = gf.ParallelTempering(betas).prepare(model, seed=seed)
    start = motion.start(states[np.stack(draws, axis=1)].reshape(-1, model.n, 1))
    return joint_codes(motion, motion.advance(start, 8))


def product_law(model: gf.VectorSpin) -> np.ndarray:
    _, energy = all_states(model)
    law = np.ones(1)
    for beta in LADDER:
        law = np.outer(law, boltzmann(energy, beta)).ravel()
    return law


def test_sweeps_and_swaps_leave_the_product_of_the_boltzmann_laws_invariant() -> None:
    model = ising_glass(3, seed=5)
    law = product_law(model)
    assert g_test(steps_from_equilibrium(model, LADDER, replicas=60_000, seed=1), law) > LEVEL
    # Ten percent in one temperature of the ladder are seen.
    wrong = (LADDER[0], LADDER[1], 1.1 * LADDER[2])
    assert g_test(steps_from_equilibrium(model, wrong, replicas=60_000, seed=1), law) < LEVEL


@pytest.mark.parametrize("n", [2, 5])
def test_every_level_has_the_moments_of_enumeration_and_swaps_at_the_exact_rate(n: int) -> None:
    model = ising_glass(n, seed=n)
    sim = gf.simulate(model, gf.ParallelTempering(LADDER), steps=3000, replicas=40, burn_in=100, seed=n)
    states, energy = all_states(model)
    laws = [boltzmann(energy, beta) for beta in LADDER]
    assert agrees(sim, "energy", [law @ energy / n for law in laws], units=40)
    assert agrees(sim, "magnetization", [np.einsum("s,sia->ia", law, states) for law in laws], units=40)
    heat = [beta**2 * (law @ energy**2 - (law @ energy) ** 2) / n for law, beta in zip(laws, LADDER)]
    assert agrees(sim, "specific_heat", heat, units=40)
    connected = []
    for law in laws:
        mean = law @ states[..., 0]
        connected.append(np.einsum("s,si,sj->ij", law, states[..., 0], states[..., 0]) - np.outer(mean, mean))
    assert agrees(sim, "correlation", connected, units=20)

    # The rate of swaps: E[min(1, exp(dbeta dE))] over the product of the two laws; 40 replicas of 1500 offers each.
    def rate(factor: float) -> np.ndarray:
        gain = energy[None, :] - energy[:, None]  # cold minus hot, indices (hot, cold)
        return np.array(
            [
                hot @ np.minimum(1.0, np.exp(factor * (b - a) * gain)) @ cold
                for a, b, hot, cold in zip(LADDER, LADDER[1:], laws, laws[1:])
            ]
        )

    seen = np.stack(
        [
            gf.simulate(model, gf.ParallelTempering(LADDER), steps=3000, burn_in=100, seed=seed)["swap_rate"].values
            for seed in range(12)
        ]
    )
    z = (seen.mean(axis=0) - rate(1.0)) / (seen.std(axis=0, ddof=1) / np.sqrt(12))
    assert (np.abs(z) < stats.t.isf(LEVEL / 4, 11)).all()
    wrong = (seen.mean(axis=0) - rate(0.5)) / (seen.std(axis=0, ddof=1) / np.sqrt(12))
    assert (np.abs(wrong) > stats.t.isf(LEVEL / 4, 11)).any()  # an exponent that is half as large is seen


@pytest.mark.parametrize(("dim", "overrelaxation"), [(1, 0), (3, 2), (8, 0)])
def test_an_open_chain_has_its_closed_form_at_every_temperature(dim: int, overrelaxation: int) -> None:
    bonds = np.array([0.9, -0.7, 1.4])
    model = gf.VectorSpin(np.diag(bonds, 1) + np.diag(bonds, -1), dim=dim, radius=0.8)
    betas = np.array([0.5, 1.5, 4.0])
    sim = gf.simulate(
        model, gf.ParallelTempering(betas, overrelaxation), steps=3000, replicas=30, burn_in=100, seed=dim
    )
    kappas = betas[:, None] * np.abs(bonds) * model.r**2
    ratios = np.sign(bonds) * bessel_ratio(kappas, dim)
    assert agrees(sim, "energy", -(bonds * ratios).sum(axis=1) * model.r**2 / 4, units=30)
    slope = bessel_ratio_derivative(kappas, dim)
    heat = ((betas[:, None] * bonds * model.r**2) ** 2 * slope).sum(axis=1) / 4
    assert agrees(sim, "specific_heat", heat, units=30)
    expected = np.array(
        [[[np.prod(r[min(i, j) : max(i, j)]) for j in range(4)] for i in range(4)] for r in ratios]
    ) * model.r**2  # fmt: skip
    assert agrees(sim, "correlation", expected, units=15)


def test_a_level_that_was_left_out_is_predicted_by_reweighting_the_others() -> None:
    model = gf.VectorSpin(gf.SherringtonKirkpatrick().sample(n=20, seed=3), dim=3, radius="sqrt_d")
    ladder = gf.geometric_ladder(0.4, 1.6, 7)
    sim = gf.simulate(model, gf.ParallelTempering(ladder, 1), steps=1500, replicas=24, burn_in=200, seed=4)
    kept = [0, 1, 2, 4, 5, 6]
    predicted = np.empty((24, 2))
    for replica in range(24):  # replicas are independent, so their scatter is the error of the difference
        series = sim["energy_series"].values[:, replica]
        found = multi_histogram(series[kept], np.array(ladder)[kept], n=20)
        predicted[replica] = (
            found.energy(ladder[3]) - series[3].mean(),
            found.energy(ladder[3] * 1.1) - series[3].mean(),
        )
    t = predicted.mean(axis=0) / (predicted.std(axis=0, ddof=1) / np.sqrt(24))
    assert abs(t[0]) < stats.t.isf(LEVEL / 2, 23)
    assert abs(t[1]) > stats.t.isf(LEVEL / 2, 23)  # ten percent in beta are seen


def test_tuning_makes_the_swap_rates_equal_and_keeps_the_ends() -> None:
    model = gf.VectorSpin(gf.SherringtonKirkpatrick().sample(n=32, seed=3), dim=3, radius="sqrt_d")
    uneven = (0.2, 0.25, 0.3, 0.9, 1.4, 3.0)
    options = {"steps": 1000, "replicas": 8, "burn_in": 800, "seed": 1}
    raw = gf.simulate(model, gf.ParallelTempering(uneven), **options)
    tuned = gf.simulate(model, gf.ParallelTempering(uneven, tune=True), **options)
    assert tuple(raw["beta"].values) == uneven
    assert (tuned["beta"].values[0], tuned["beta"].values[-1]) == (0.2, 3.0)
    assert raw["swap_rate"].values.max() - raw["swap_rate"].values.min() > 0.5
    assert tuned["swap_rate"].values.max() - tuned["swap_rate"].values.min() < 0.1
    assert tuned["round_trips"].sum() > raw["round_trips"].sum()


def test_a_ladder_with_equal_rates_stays_and_a_gap_is_filled() -> None:
    assert np.allclose(equalised_ladder([0.0, 0.5, 2.0], [0.4, 0.4]), [0.0, 0.5, 2.0])
    filled = equalised_ladder([0.0, 1.0, 2.0, 6.0], [0.9, 0.9, 0.001])
    assert (np.diff(filled) > 0).all()
    assert (filled[0], filled[-1]) == (0.0, 6.0)
    assert filled[1] > 1.0  # levels move into the gap


def test_a_cold_glass_is_reached_through_the_ladder_where_a_quench_gets_stuck() -> None:
    model = gf.VectorSpin(gf.SherringtonKirkpatrick().sample(n=24, seed=8), dim=1, radius="unit")
    ladder = gf.geometric_ladder(0.3, 5.0, 12)
    sim = gf.simulate(model, gf.ParallelTempering(ladder), steps=1500, replicas=12, burn_in=500, seed=2)
    quench = gf.simulate(model, gf.SequentialHeatBath(5.0), steps=1500, replicas=12, burn_in=500, seed=2)
    cold = sim.isel(beta=-1)
    assert (sim["round_trips"] > 0).all()
    assert "note" not in sim.attrs
    spread = [float(s["energy_series"].mean("time").std("replica")) for s in (cold, quench)]
    assert spread[0] < 0.2 * spread[1]  # all replicas agree; after a quench they do not


# --- the same bits ----------------------------------------------------------------------------------------------------


def small() -> gf.VectorSpin:
    return gf.VectorSpin(gf.SherringtonKirkpatrick().sample(n=6, seed=1), gf.sphere_fields(6, dim=3, seed=2))


def same(a, b) -> bool:
    return all(np.array_equal(a[name], b[name], equal_nan=True) for name in a.variables)


def test_threads_never_change_a_bit_and_more_replicas_leave_the_first_unchanged() -> None:
    options = {"steps": 60, "burn_in": 40, "seed": 9}
    ladder = gf.ParallelTempering((0.5, 1.0, 2.0), 1)
    one = gf.simulate(small(), ladder, replicas=7, threads=1, **options)
    two = gf.simulate(small(), ladder, replicas=7, threads=2, **options)
    assert same(one, two)
    assert one.spins.dims == ("beta", "replica", "site", "component")
    fewer = gf.simulate(small(), ladder, replicas=3, **options)
    assert np.array_equal(fewer.spins, one.spins[:, :3])


@pytest.mark.parametrize("tune", [False, True])
def test_an_interrupted_ladder_continues_to_the_same_bits(tune: bool, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(_simulate, "_CHUNK_SECONDS", 0.001)
    monkeypatch.setattr(_simulate, "CHECKPOINT_SECONDS", 0.0)
    ladder = gf.ParallelTempering((0.5, 0.7, 2.0), tune=tune)
    options = {"steps": 3000, "burn_in": 1500, "replicas": 5, "seed": 6}
    whole = gf.simulate(small(), ladder, **options)

    def stop_at(fraction: float):
        def progress(done: float, total: float) -> None:
            if done >= fraction * total:
                raise KeyboardInterrupt

        return progress

    for fraction in (0.02, 0.1, 0.25, 0.5, 0.8):
        with pytest.raises(KeyboardInterrupt):
            gf.simulate(small(), ladder, checkpoint=tmp_path, progress=stop_at(fraction), **options)
    assert threading.active_count() < 10
    assert same(whole, gf.simulate(small(), ladder, checkpoint=tmp_path, **options))


# --- the boundary -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("betas", "piece"),
    [
        ((1.0,), "at least two"),
        ((1.0, 0.5), "increasing"),
        ((1.0, 1.0), "increasing"),
        ((-1.0, 1.0), "beta is -1.0"),
        ((0.5, np.inf), "must be finite"),
    ],
)
def test_a_ladder_that_is_none_gets_one_sentence(betas, piece: str) -> None:
    with pytest.raises(InvalidInputError, match=piece):
        gf.ParallelTempering(betas)


def test_what_tempering_cannot_do_is_refused_with_the_next_step() -> None:
    asymmetric = gf.VectorSpin(gf.Asymmetric().sample(n=6, seed=1), dim=3)
    with pytest.raises(InvalidInputError, match="symmetric"):
        gf.simulate(asymmetric, gf.ParallelTempering((0.5, 1.0)), steps=10)
    assert "ParallelTempering" not in gf.methods(asymmetric)
    assert "ParallelTempering" in gf.methods(small())
    with pytest.raises(InvalidInputError, match="burn_in is 100, but must be at least 320"):
        gf.simulate(small(), gf.ParallelTempering((0.5, 1.0), tune=True), steps=10, burn_in=100)
    with pytest.raises(InvalidInputError, match="trajectory"):
        gf.simulate(small(), gf.ParallelTempering((0.5, 1.0)), steps=10, measure=gf.Measure(trajectory=True))
    with pytest.raises(InvalidInputError, match="0 < hottest < coldest"):
        gf.geometric_ladder(2.0, 1.0, 4)


def test_a_ladder_with_a_hole_says_that_nothing_went_through() -> None:
    model = gf.VectorSpin(gf.SherringtonKirkpatrick().sample(n=64, seed=3), dim=8)
    sim = gf.simulate(model, gf.ParallelTempering((0.1, 30.0)), steps=100, replicas=3, seed=1)
    assert (sim["round_trips"] == 0).all()
    assert "no configuration went" in sim.attrs["note"]

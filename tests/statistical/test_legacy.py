"""The published sampler: equal to the naive loop move by move, and right where its law is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import gamma, hyp1f1

import glassformer as gf
from glassformer._core._errors import InvalidInputError
from glassformer._core._philox import normals_at, split_key, uniforms_at
from glassformer._core._random import stream_key
from glassformer.dynamics._legacy import wide_step


def loss(model, spins, targets_from):
    h = model.fields + model.couplings @ targets_from
    return 0.5 * np.sum((spins - model.r * h / np.linalg.norm(h, axis=1, keepdims=True)) ** 2)


def naive(model, beta, step_size, ratio, moves, seed):
    """The same moves with everything recomputed from the definition."""
    n, dim = model.n, model.dim
    key = stream_key(seed, f"dynamics/legacy/{ratio}")
    words = split_key(key)
    spins = np.full((n, dim), 1 / math.sqrt(dim))
    previous = spins.copy()
    for move in range(moves):
        address = (np.uint64(move), np.uint64(0), np.uint64(0), *words)
        choice, threshold = uniforms_at(np.uint64(0), *address)
        site = int(choice * n)
        delta = []
        for block in range((dim + 1) // 2):
            delta += list(normals_at(np.uint64(block + 1), *address))
        proposed = spins.copy()
        proposed[site] += step_size * np.array(delta[:dim])
        change = {
            "stationary": lambda: loss(model, proposed, proposed) - loss(model, spins, spins),  # noqa: B023
            "kinetic_previous": lambda: loss(model, proposed, spins) - loss(model, spins, previous),  # noqa: B023
            "kinetic_reversed": lambda: loss(model, proposed, spins) - loss(model, spins, proposed),  # noqa: B023
        }[ratio]()
        previous = spins
        if change <= 0 or threshold < math.exp(-beta * change):
            spins = proposed
    return spins


@pytest.mark.parametrize("ratio", ["stationary", "kinetic_previous", "kinetic_reversed"])
@pytest.mark.parametrize(("n", "dim"), [(6, 5), (3, 8)])
def test_the_compiled_moves_equal_the_naive_loop(ratio, n, dim):
    model = gf.VectorSpin(gf.Asymmetric(self_coupling=True).sample(n=n, seed=1), gf.sphere_fields(n, dim=dim, seed=2))
    moves, beta, step = 400, 4.0, 0.2
    expected = naive(model, beta, step, ratio, moves, seed=7)
    found = gf.legacy_run(model, gf.LegacyLossMetropolis(beta, step, ratio), moves=moves, records=1, seed=7)
    # Normals of the two implementations agree to rounding, and acceptance does not sit on a knife's edge here.
    assert np.allclose(found["magnetization"].values, expected, atol=1e-9)


@pytest.mark.parametrize(("dim", "beta"), [(3, 1.0), (5, 3.0), (12, 0.7)])
def test_without_couplings_cosine_and_length_have_their_closed_forms(dim, beta):
    model = gf.VectorSpin(np.zeros((6, 6)), gf.sphere_fields(6, dim=dim, seed=1))

    def chains(method):
        run = gf.legacy_run(model, method, moves=300_000, records=1000, replicas=16, seed=4)
        cosine = run["field_cosine"].values[:, 100:].mean(axis=1)
        return cosine.mean(), cosine.std(ddof=1) / 4.0

    lam = model.r * math.sqrt(beta)
    exact = lam / math.sqrt(2) * gamma((dim + 1) / 2) / gamma(dim / 2 + 1) * hyp1f1(0.5, dim / 2 + 1, -(lam**2) / 2)
    mean, error = chains(gf.LegacyLossMetropolis(beta, step_size=0.6))
    assert abs(mean - exact) < 6 * error
    wrong, error = chains(gf.LegacyLossMetropolis(1.15 * beta, step_size=0.6))
    assert abs(wrong - exact) > 6 * error  # a wrong factor in beta would be seen


def test_at_low_temperature_the_sampler_finds_a_fixed_point_of_naive_mean_field():
    model = gf.VectorSpin(gf.Asymmetric().sample(n=16, seed=1), gf.sphere_fields(16, dim=8, seed=2))
    run = gf.legacy_run(model, gf.LegacyLossMetropolis(1e5, step_size=0.02), moves=400_000, records=5, seed=1)
    assert float(run["cost"][0, -1]) < 0.01
    nmf = gf.solve(model, gf.NaiveMeanField(1e5), start="fields")
    assert float(run["field_cosine"][0, -1]) == pytest.approx(float(nmf["alignment_of_mean"]), abs=0.01)


def test_a_spin_relaxes_in_n_cubed_d_over_beta_moves():
    """Small steps: the loss decays as an Ornstein-Uhlenbeck process of width 1/beta, one site in N at a time."""
    n, dim, beta = 16, 6, 0.5
    model = gf.VectorSpin(np.zeros((n, n)), gf.sphere_fields(n, dim=dim, seed=1))
    start = -3 * model.fields
    moves = round(n**3 * dim / beta)
    run = gf.legacy_run(
        model, gf.LegacyLossMetropolis(beta), moves=2 * moves, records=2, replicas=64, seed=2, start=start
    )
    first, rest = 0.5 * (4 * model.r) ** 2, 0.5 * dim / beta
    expected = rest + (first - rest) * np.exp([-1.0, -2.0])
    cost = run["cost"].values
    error = cost.std(axis=0, ddof=1) / 8.0
    assert (
        np.abs(cost.mean(axis=0) - expected) < 6 * error + 0.01 * expected
    ).all()  # 1 %: the steps are not infinitesimal
    assert (np.abs(cost.mean(axis=0) - first) > 30 * error).all()


def test_a_burn_in_is_moves_that_are_not_recorded():
    model = gf.VectorSpin(gf.Asymmetric().sample(n=6, seed=1), gf.sphere_fields(6, dim=5, seed=2))
    method = gf.LegacyLossMetropolis(3.0, 0.1)
    split = gf.legacy_run(model, method, burn_in=150, moves=250, records=1, seed=1)
    whole = gf.legacy_run(model, method, moves=400, records=1, seed=1)
    assert np.array_equal(split["magnetization"], whole["magnetization"])
    assert split["move"].values.tolist() == [250]
    assert float(split["acceptance"][0]) <= 1.0
    wide = gf.legacy_run(model, method, burn_in=150, burn_in_step=0.5, moves=250, records=1, seed=1)
    assert not np.allclose(wide["magnetization"], whole["magnetization"])


def test_wide_steps_reach_the_law_that_the_published_step_does_not():
    dim, beta = 8, 0.3
    model = gf.VectorSpin(np.zeros((16, 16)), gf.sphere_fields(16, dim=dim, seed=1))
    lam = model.r * math.sqrt(beta)
    exact = lam / math.sqrt(2) * gamma((dim + 1) / 2) / gamma(dim / 2 + 1) * hyp1f1(0.5, dim / 2 + 1, -(lam**2) / 2)
    method, short = gf.LegacyLossMetropolis(beta), {"moves": 1000, "records": 1, "replicas": 64, "seed": 3}
    for burn_in, agrees in ((0, False), (20_000, True)):
        run = gf.legacy_run(model, method, burn_in=burn_in, burn_in_step=wide_step(beta, dim), **short)
        cosine = run["field_cosine"].values[:, 0]
        assert (abs(cosine.mean() - exact) < 6 * cosine.std(ddof=1) / 8.0) == agrees


def test_a_start_of_the_wrong_shape_is_refused():
    model = gf.VectorSpin(np.zeros((4, 4)), gf.sphere_fields(4, dim=3, seed=1))
    with pytest.raises(InvalidInputError, match=r"the shape of start is \(3, 4\), but must be \(4, 3\)"):
        gf.legacy_run(model, gf.LegacyLossMetropolis(1.0), moves=1, records=1, seed=1, start=np.zeros((3, 4)))
    with pytest.raises(InvalidInputError, match="start"):
        gf.legacy_run(model, gf.LegacyLossMetropolis(1.0), moves=1, records=1, seed=1, start=np.full((4, 3), np.nan))


def test_bad_parameters_get_one_sentence():
    with pytest.raises(InvalidInputError, match="ratio is 'other'"):
        gf.LegacyLossMetropolis(1.0, ratio="other")
    with pytest.raises(InvalidInputError, match="beta is -1.0"):
        gf.LegacyLossMetropolis(-1.0)

"""What every closure of the parallel process must satisfy."""

from __future__ import annotations

import numpy as np
import pytest
from naive import (
    covariance_of_spin,
    delayed_first_order_by_loops,
    ising_steady_state_by_loops,
    mean_of_spin,
    two_rotors_by_quadrature,
)

import glassformer as gf
from glassformer._core._status import Status
from glassformer.theory._fixed_point import anderson, picard

CLOSURES = (gf.NaiveMeanField, gf.TAP, gf.GramClosure, gf.GaussianClosure)


def random_model(n, dim, *, seed, radius="unit", scale=0.7, strength=1.0):
    """Couplings with a diagonal, no symmetry, and fields of unequal length."""
    rng = np.random.default_rng(seed)
    couplings = scale * rng.normal(size=(n, n)) / np.sqrt(n)
    return gf.VectorSpin(couplings, strength * rng.normal(size=(n, dim)) / np.sqrt(dim), radius=radius)


def moments(dataset):
    return {name: dataset[name].values for name in dataset if dataset[name].dtype.kind == "f"}


# --- limits that are exact ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("closure", CLOSURES)
@pytest.mark.parametrize("dim", [1, 2, 3, 8])
def test_without_couplings_every_closure_is_the_single_spin(closure, dim):
    model = gf.VectorSpin(np.zeros((3, 3)), np.random.default_rng(1).normal(size=(3, dim)), radius=1.3)
    answer = gf.solve(model, closure(1.7))
    expected = [mean_of_spin(x, 1.7, 1.3) for x in model.fields]
    np.testing.assert_allclose(answer["magnetization"], expected, atol=1e-13)
    np.testing.assert_allclose(answer["delayed_correlation"], 0.0, atol=1e-15)
    np.testing.assert_allclose(np.diag(answer["correlation"]), 1.69 - np.sum(np.square(expected), axis=1), atol=1e-12)


@pytest.mark.parametrize("closure", CLOSURES)
def test_one_component_gives_the_tanh_forms(closure):
    model = random_model(6, 1, seed=3, strength=0.5)
    beta, j, x = 1.1, model.couplings, model.fields[:, 0]
    answer = gf.solve(model, closure(beta))
    m = answer["magnetization"].values[:, 0]
    if closure is gf.NaiveMeanField:
        expected = np.tanh(beta * (x + j @ m))
    elif closure is gf.TAP:
        onsager = np.array([sum(j[i, k] ** 2 * (1 - m[k] ** 2) for k in range(6)) for i in range(6)])
        expected = np.tanh(beta * (x + j @ m - beta * m * onsager))
    else:
        covariance = answer["correlation"].values
        drive, width = x + j @ m, np.sqrt(np.diag(j @ covariance @ j.T))
        if closure is gf.GramClosure:
            length = np.hypot(drive, width)
            expected = np.tanh(beta * length) * drive / length
        else:
            xi = np.linspace(-9, 9, 4001)
            weight = np.exp(-(xi**2) / 2) / np.exp(-(xi**2) / 2).sum()
            expected = np.tanh(beta * (drive[:, None] + width[:, None] * xi)) @ weight
    np.testing.assert_allclose(m, expected, atol=5e-12)


@pytest.mark.parametrize(("closure", "order"), [(gf.NaiveMeanField, 2), (gf.TAP, 3), (gf.GaussianClosure, 3)])
def test_the_error_of_the_mean_vanishes_with_the_right_power_of_the_couplings(closure, order):
    """One component, against enumeration."""
    rng = np.random.default_rng(5)
    j, x, beta = rng.normal(size=(4, 4)), rng.normal(size=4), 0.9

    def error(scale):
        states, _, law, _ = ising_steady_state_by_loops(scale * j, x, beta, 1.0)
        model = gf.VectorSpin(scale * j, x, dim=1, radius="unit")
        return np.linalg.norm(law @ states - gf.solve(model, closure(beta))["magnetization"].values[:, 0])

    slope = np.log2(error(0.08) / error(0.04))
    assert abs(slope - order) < 0.2


@pytest.mark.parametrize(("closure", "order"), [(gf.NaiveMeanField, 2), (gf.TAP, 3)])
def test_the_same_powers_hold_for_two_planar_spins(closure, order):
    """Two components, asymmetric pair, against quadrature over both angles."""
    fields = np.array([[0.6, 0.2], [-0.3, 0.8]])
    beta, radius = 1.4, 1.1

    def error(scale):
        couplings = scale * np.array([[0.0, 1.0], [-0.6, 0.0]])
        exact = two_rotors_by_quadrature(couplings, fields, beta, radius)
        answer = gf.solve(gf.VectorSpin(couplings, fields, radius=radius), closure(beta))
        return np.linalg.norm(exact - answer["magnetization"].values)

    slope = np.log2(error(0.1) / error(0.05))
    assert abs(slope - order) < 0.2


@pytest.mark.parametrize("closure", CLOSURES)
def test_weak_couplings_give_the_exact_entropy_production(closure):
    rng = np.random.default_rng(6)
    j, x, beta = rng.normal(size=(4, 4)), rng.normal(size=4), 1.2

    def relative_error(scale):
        *_, exact = ising_steady_state_by_loops(scale * j, x, beta, 1.0)
        model = gf.VectorSpin(scale * j, x, dim=1, radius="unit")
        return abs(float(gf.solve(model, closure(beta))["entropy_production"]) / exact - 1)

    if closure is gf.GramClosure:  # exact for many components only: tanh(h)/h is not 1/cosh^2
        assert relative_error(0.01) > 0.05
    else:
        assert relative_error(0.01) < 0.02
        assert relative_error(0.001) < 0.5 * relative_error(0.004)


@pytest.mark.parametrize("closure", [gf.NaiveMeanField, gf.TAP])
@pytest.mark.parametrize("dim", [1, 2, 5])
def test_the_delayed_correlation_is_the_trace_of_full_covariance_matrices(closure, dim):
    model, beta = random_model(5, dim, seed=7, radius=1.2), 1.6
    answer = gf.solve(model, closure(beta))
    m = answer["magnetization"].values
    if closure is gf.NaiveMeanField:
        theta = model.fields + model.couplings @ m
    else:  # V belongs to the field whose mean m is
        response = gf.response("exact", dim)
        lengths = np.linalg.norm(m, axis=1)
        theta = m * (response.inverse(lengths / model.r) / (beta * model.r * lengths))[:, None]
    covariances = [covariance_of_spin(t, beta, model.r) for t in theta]
    expected = delayed_first_order_by_loops(model.couplings, covariances, covariances, beta)
    np.testing.assert_allclose(answer["delayed_correlation"], expected, atol=1e-11)
    sigma = beta * np.sum((model.couplings - model.couplings.T) * expected)
    np.testing.assert_allclose(float(answer["entropy_production"]), sigma, rtol=1e-10)


# --- the table of closed forms for N, D to infinity -------------------------------------------------------------------


@pytest.mark.parametrize(("beta", "scale"), [(0.7, 1.0), (1.3, 1.6), (2.4, 0.6)])
def test_a_large_sample_agrees_with_the_limit_of_infinite_size(beta, scale):
    n, dim = 300, 256
    law = gf.Asymmetric(scale=scale)
    model = gf.VectorSpin(law.sample(n=n, seed=11), gf.sphere_fields(n, dim=dim, seed=12))
    for closure in (gf.NaiveMeanField, gf.TAP, gf.GramClosure):
        answer = gf.solve(model, closure(beta, response="large_d", tolerance=1e-6))
        limit = gf.solve(gf.LargeLimit(law), closure(beta))
        norm = np.sqrt(float(answer["magnetization_sum_of_squares"]) / n) / model.r
        # the zero diagonal takes 1/N off the variance of J, and its own fluctuation is of order 1/N too
        assert abs(norm - float(limit["magnetization_norm"])) < 0.012
        assert abs(float(answer["alignment_of_mean"]) - float(limit["alignment_of_mean"])) < 0.012
        if closure is gf.GramClosure:
            assert abs(float(answer["mean_of_alignment"]) - float(limit["mean_of_alignment"])) < 0.012
            sigma = float(answer["entropy_production_per_spin"]) / dim
            expected = float(limit["entropy_production_per_spin_and_component"])
            assert abs(sigma / expected - 1) < 0.025


@pytest.mark.parametrize(
    ("beta", "gram", "naive", "tap"),
    [
        (2.0, (0.5774, 0.8660, 0.5000), (0.6671, 0.8319), (0.5362, 0.8813)),
        (8.0, (0.8494, 0.7622, 0.6474), (0.9119, 0.7389), (0.2581, 0.9683)),
    ],
)
def test_a_large_sample_gives_the_numbers_of_the_table(beta, gram, naive, tap):
    n, dim = 400, 256
    model = gf.VectorSpin(gf.Asymmetric().sample(n=n, seed=21), gf.sphere_fields(n, dim=dim, seed=22))
    for closure, expected in ((gf.GramClosure, gram), (gf.NaiveMeanField, naive), (gf.TAP, tap)):
        answer = gf.solve(model, closure(beta, response="large_d", tolerance=1e-6))
        norm = np.sqrt(float(answer["magnetization_sum_of_squares"]) / n) / model.r
        found = [norm, float(answer["alignment_of_mean"]), float(answer["mean_of_alignment"])]
        np.testing.assert_allclose(found[: len(expected)], expected, atol=0.008)


# --- symmetries -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("closure", [*CLOSURES, "bal2023"])
@pytest.mark.parametrize("steps", [None, 3])
def test_rotations_rotate_and_permutations_permute_every_answer(closure, steps):
    dim, n, beta = 4, 5, 1.5
    method = gf.TAP(beta, variant="bal2023") if closure == "bal2023" else closure(beta)
    model = random_model(n, dim, seed=8, radius="bal", scale=0.5)
    start = 0.6 * model.random_spins(replicas=1, seed=4)[0]
    rng = np.random.default_rng(9)
    rotation = np.linalg.qr(rng.normal(size=(dim, dim)))[0]
    order = rng.permutation(n)
    moved = gf.VectorSpin(model.couplings[np.ix_(order, order)], (model.fields @ rotation.T)[order])
    first = gf.solve(model, method, start=start, steps=steps)
    second = gf.solve(moved, method, start=(start @ rotation.T)[order], steps=steps)
    for name in first:
        before, after = first[name].values, second[name].values
        if name == "magnetization":
            before = (before @ rotation.T)[..., order, :]
        elif first[name].ndim >= 2:
            before = before[..., order, :][..., order]
        elif "site" in first[name].dims:
            before = before[..., order]
        if name != "residual":
            np.testing.assert_allclose(after, before, atol=1e-9, err_msg=name)


# --- starts, transients, hostile input --------------------------------------------------------------------------------


@pytest.mark.parametrize("closure", CLOSURES)
def test_a_transient_begins_at_its_start_and_ends_at_the_fixed_point(closure):
    model, beta = random_model(6, 3, seed=13, scale=0.4), 1.5
    method, fixed = closure(beta), gf.solve(model, closure(beta))
    spins = model.random_spins(replicas=1, seed=2)[0]
    alone = np.array([mean_of_spin(x, beta, 1.0) for x in model.fields])
    for start, expected in ((None, np.zeros((6, 3))), ("fields", alone), (spins, spins), (0.5 * spins, 0.5 * spins)):
        path = gf.solve(model, method, start=start, steps=70)
        assert path.sizes["time"] == 71
        assert path.attrs["status"] == "ok"
        np.testing.assert_allclose(path["magnetization"][0], expected, atol=1e-13)
        for name in (
            "magnetization",
            "correlation",
            "delayed_correlation",
            "entropy_production",
            "covariance_trace",
            "mean_of_alignment",
        ):
            np.testing.assert_allclose(path[name][-1], fixed[name], atol=1e-9, err_msg=name)


@pytest.mark.parametrize("closure", CLOSURES)
def test_the_first_step_from_a_definite_state_is_exact(closure):
    """From one configuration the fields are certain, so every closure gives the mean of the true one-step law."""
    model, beta = random_model(6, 3, seed=14, radius=1.4), 2.5
    spins = model.random_spins(replicas=1, seed=3)[0]
    path = gf.solve(model, closure(beta), start=spins, steps=1)
    expected = [mean_of_spin(h, beta, model.r) for h in model.local_fields(spins)]
    np.testing.assert_allclose(path["magnetization"][1], expected, atol=1e-11)
    np.testing.assert_allclose(path["delayed_correlation"][0], 0.0, atol=1e-13)
    np.testing.assert_allclose(path["correlation"][0], 0.0, atol=1e-13)


def test_large_systems_leave_the_matrices_out_of_a_transient():
    model = random_model(257, 2, seed=15)
    path = gf.solve(model, gf.NaiveMeanField(0.5), steps=1)
    assert "correlation" not in path
    assert "delayed_correlation" not in path
    assert "not the total" in path.attrs["note"]


@pytest.mark.parametrize("closure", [*CLOSURES, "bal2023"])
@pytest.mark.parametrize(
    ("response", "dim"),
    [("exact", 1), ("exact", 2), ("exact", 5), ("amos", 1), ("amos", 3), ("large_d", 3), ("large_d", 6)],
)
@pytest.mark.parametrize("beta", [0.0, 1e-9, 1.0, 1e6])
def test_degenerate_input_gives_finite_answers(closure, response, dim, beta):
    if closure == "bal2023":
        method = gf.TAP(beta, variant="bal2023", max_iterations=40)
        dim = max(dim, 3)
    else:
        method = closure(beta, response=response, max_iterations=40)
    rng = np.random.default_rng(16)
    models = [
        gf.VectorSpin([[0.0]], dim=dim, radius="unit"),
        gf.VectorSpin([[0.8]], rng.normal(size=(1, dim)), radius="unit"),
        gf.VectorSpin(rng.normal(size=(3, 3)), dim=dim, radius="unit"),
        gf.VectorSpin(np.ones((2, 2)), [[0.0] * dim, [1.0] + [0.0] * (dim - 1)], radius="unit"),
    ]
    undefined = {"alignment_of_mean", "mean_of_alignment"}  # no angle to a vector that vanishes
    for model in models:
        definite = model.random_spins(replicas=1, seed=1)[0]
        for options in ({}, {"steps": 1, "start": definite}, {"start": definite}):
            answer = gf.solve(model, method, throw=False, **options)
            for name, values in moments(answer).items():
                if name not in undefined and not (name == "residual" and answer.attrs["status"] == "nonfinite"):
                    assert np.isfinite(values).all(), (name, model, options)
            if beta == 0.0:
                np.testing.assert_array_equal(answer["magnetization"].values[..., -1:, :][-1:], 0.0)


@pytest.mark.parametrize("closure", CLOSURES)
def test_bad_parameters_and_starts_are_refused_with_a_sentence(closure):
    model = random_model(3, 2, seed=17)
    for options, words in (
        ({"beta": -1.0}, "beta is -1.0"),
        ({"beta": np.inf}, "beta is inf"),
        ({"beta": 1.0, "response": "cosine"}, "one of exact, amos, large_d"),
        ({"beta": 1.0, "tolerance": 0.0}, "tolerance is 0.0"),
        ({"beta": 1.0, "max_iterations": 0}, "max_iterations is 0"),
    ):
        with pytest.raises(gf.InvalidInputError, match=words):
            closure(**options)
    method = closure(1.0)
    for start, words in (
        (np.zeros((2, 2)), "the shape of start"),
        (np.full((3, 2), 2.0), "at most R = 1"),
        (np.full((3, 2), np.nan), "finite"),
        ("spins", "one of fields"),
    ):
        with pytest.raises(gf.InvalidInputError, match=words):
            gf.solve(model, method, start=start)
    with pytest.raises(gf.InvalidInputError, match="steps is -1"):
        gf.solve(model, method, steps=-1)
    with pytest.raises(gf.InvalidInputError, match="at least 3"):
        gf.solve(model, closure(1.0, response="large_d"))


# --- the driver -------------------------------------------------------------------------------------------------------


def test_naive_mean_field_on_symmetric_couplings_cycles_and_damping_says_so():
    """The undamped parallel map sits in a 2-cycle; the answer is its unstable fixed point, and the note tells."""
    model = gf.VectorSpin(
        gf.SherringtonKirkpatrick().sample(n=48, seed=1),
        gf.sphere_fields(48, dim=64, seed=2, strength=1 / np.sqrt(31.0)),
    )
    path = gf.solve(model, gf.NaiveMeanField(3.0), steps=601)["magnetization"].values
    assert np.abs(path[-1] - path[-2]).max() > 0.1 * model.r
    assert np.abs(path[-1] - path[-3]).max() < 1e-3 * np.abs(path[-1] - path[-2]).max()
    answer = gf.solve(model, gf.NaiveMeanField(3.0))
    assert answer.attrs["status"] == "converged"
    assert "alternates between two states" in answer.attrs["note"]
    assert answer.attrs["mixing"] < 1.0
    m = answer["magnetization"].values
    again = gf.solve(model, gf.NaiveMeanField(3.0), start=m, steps=1)["magnetization"].values[1]
    change = np.linalg.norm(again - m, axis=1).max() / model.r
    np.testing.assert_allclose(change, float(answer["residual"]), atol=1e-14)


def test_the_residual_belongs_to_the_state_that_is_returned_even_without_convergence():
    model = random_model(8, 3, seed=18, scale=2.0)
    for closure in (gf.NaiveMeanField, gf.GramClosure):
        answer = gf.solve(model, closure(4.0, max_iterations=5), throw=False)
        assert answer.attrs["status"] == "not_converged"
        start = answer["magnetization"].values
        if closure is gf.NaiveMeanField:
            after = gf.solve(model, closure(4.0), start=start, steps=1)["magnetization"].values[1]
            change = np.linalg.norm(after - start, axis=1).max() / model.r
            np.testing.assert_allclose(float(answer["residual"]), change, rtol=1e-12)


def largest(new, old):
    return float(np.abs(new[0] - old[0]).max())


def test_picard_returns_the_last_finite_iterate_of_a_map_that_blows_up():
    def step(state):
        return (np.where(state[0] < 1e3, 10.0 * state[0], np.nan),)

    found = picard(step, (np.ones(2),), distance=largest, tolerance=1e-12, max_iterations=50)
    assert found.status is Status.NONFINITE
    np.testing.assert_array_equal(found.state[0], 1e3)


def test_picard_does_not_damp_an_escape_from_an_unstable_point():
    """Steps that grow but point the same way lead to the stable point; damping would only slow them."""
    found = picard(
        lambda s: (np.tanh(1.05 * s[0]),), (np.array([1e-9]),), distance=largest, tolerance=1e-13, max_iterations=20_000
    )
    assert found.status is Status.CONVERGED
    assert found.mixing == 1.0
    assert found.state[0][0] > 0.3


@pytest.mark.parametrize("slope", [-1.5, -30.0, -400.0])
def test_picard_damps_until_a_steep_map_converges(slope):
    found = picard(
        lambda s: (0.5 + slope * np.tanh(s[0]),),
        (np.ones(3),),
        distance=largest,
        tolerance=1e-12,
        max_iterations=20_000,
    )
    assert found.status is Status.CONVERGED
    np.testing.assert_allclose(0.5 + slope * np.tanh(found.state[0]), found.state[0], atol=1e-11)
    assert found.mixing < 2 / (1 - slope)


def test_anderson_solves_a_linear_system_in_as_many_steps_as_it_has_dimensions():
    rng = np.random.default_rng(1)
    matrix = 0.5 * rng.normal(size=(4, 4))
    found = anderson(
        lambda y: matrix @ y + 1.0, np.zeros(4), distance=largest, tolerance=1e-10, max_iterations=12, ridge=1e-14
    )
    assert found.status is Status.CONVERGED
    np.testing.assert_allclose(found.state[0], np.linalg.solve(np.eye(4) - matrix, np.ones(4)), rtol=1e-8)

"""Three ways to the fixed point of naive mean field: they agree where all apply, and say so where they do not."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import brentq

import glassformer as gf
from glassformer._core._errors import InvalidInputError, MethodNotApplicableError
from glassformer.theory._causality import causal_order

SYSTEMS = [(9, 1, "unit"), (12, 2, 0.7), (20, 5, "bal"), (15, 8, "sqrt_d")]


def model_of(n, dim, radius, *, mask="strictly_causal", scale=1.0, seed=1):
    couplings = scale * gf.SoftmaxGaussian(mask=mask, empty_rows="zero").sample(n=n, seed=seed)
    return gf.VectorSpin(couplings, gf.sphere_fields(n, dim=dim, seed=seed + 1, radius=radius), radius=radius)


def solve(model, solver, beta, **options):
    return gf.solve(model, gf.NaiveMeanField(beta, solver=solver, **options))


@pytest.mark.parametrize(("n", "dim", "radius"), SYSTEMS)
@pytest.mark.parametrize("mask", ["causal", "strictly_causal"])
@pytest.mark.parametrize("scale", [1.0, -2.0])
@pytest.mark.parametrize("response", ["exact", "amos"])
def test_the_three_solvers_agree_where_all_apply(n, dim, radius, mask, scale, response):
    model = model_of(n, dim, radius, mask=mask, scale=scale)
    found = {
        solver: solve(model, solver, 2.5, response=response) for solver in ("picard", "anderson", "forward")
    }  # fmt: skip
    for solver, dataset in found.items():
        assert dataset.attrs["solver"] == solver
        assert dataset.attrs["status"] == "converged"
        assert float(dataset["residual"]) <= 1e-12
        for name in ("magnetization", "delayed_correlation", "entropy_production", "energy"):
            assert np.allclose(dataset[name], found["picard"][name], rtol=1e-8, atol=1e-9), name
    assert float(found["forward"]["residual"]) < 1e-14
    assert found["forward"].attrs["iterations"] == 1


@pytest.mark.parametrize(("n", "dim", "radius"), SYSTEMS)
def test_relaxation_is_exact_after_as_many_steps_as_sites_when_strictly_causal(n, dim, radius):
    model = model_of(n, dim, radius)
    exact = solve(model, "forward", 6.0)["magnetization"].values
    start = 0.9 * model.random_spins(replicas=1, seed=3)[0]  # from anywhere, at any temperature
    path = gf.solve(model, gf.NaiveMeanField(6.0), start=start, steps=n)["magnetization"].values
    assert np.abs(path[n] - exact).max() < 1e-13 * model.r
    for time in range(1, n + 1):  # site k is right from time k + 1 on
        assert np.abs(path[time, :time] - exact[:time]).max() < 1e-13 * model.r
    assert np.abs(path[1] - exact).max() > 1e-3 * model.r


def test_one_step_from_nothing_is_the_response_to_the_fields():
    model = model_of(8, 4, "bal", mask="none")
    path = gf.solve(model, gf.NaiveMeanField(1.5), steps=1)["magnetization"].values
    free = gf.VectorSpin(np.zeros((8, 8)), model.fields)
    assert np.array_equal(path[1], solve(free, "picard", 1.5)["magnetization"].values)


def test_a_site_that_acts_on_itself_solves_its_scalar_equation():
    for coupling in (-3.0, -0.2, 0.7, 4.0):
        for drive in (1e-9, 0.3, 2.0):
            model = gf.VectorSpin([[coupling]], [[drive]], radius="unit")
            found = float(solve(model, "forward", 1.3)["magnetization"].values[0, 0])
            field = brentq(
                lambda h, j=coupling, b=drive: h - j * np.tanh(1.3 * h) - b,
                1e-12,
                drive + abs(coupling) + 1,
                xtol=1e-15,
            )
            assert found == pytest.approx(np.tanh(1.3 * field), rel=1e-9)


def test_any_order_without_loops_will_do():
    model = model_of(10, 3, "bal", mask="causal")
    order = np.random.default_rng(2).permutation(10)
    shuffled = gf.VectorSpin(model.couplings[np.ix_(order, order)], model.fields[order])
    usual, other = (solve(one, "forward", 3.0)["magnetization"].values for one in (model, shuffled))
    assert np.allclose(other, usual[order], atol=1e-13)
    found = causal_order(shuffled.couplings)
    assert sorted(found) == list(range(10))
    assert not np.triu(shuffled.couplings[np.ix_(found, found)], 1).any()


def test_anderson_is_quick_where_relaxation_is_slow():
    model = gf.VectorSpin(
        gf.SoftmaxGaussian().sample(n=40, seed=1), gf.sphere_fields(40, dim=16, seed=2, strength=0.02)
    )
    slow, quick = (solve(model, solver, 2.28) for solver in ("picard", "anderson"))
    assert np.allclose(slow["magnetization"], quick["magnetization"], atol=1e-9)
    assert slow.attrs["iterations"] > 4 * quick.attrs["iterations"]
    assert "anderson1965" in gf.evidence(quick)["citations"]
    assert "anderson1965" not in gf.evidence(slow)["citations"]


def test_anderson_says_when_it_has_not_arrived():
    model = model_of(20, 4, "bal", mask="none")
    with pytest.raises(gf.NotConvergedError, match="residual"):
        solve(model, "anderson", 3.0, max_iterations=3)
    dataset = gf.solve(model, gf.NaiveMeanField(3.0, solver="anderson", max_iterations=3), throw=False)
    assert dataset.attrs["status"] == "not_converged"
    assert float(dataset["residual"]) > 1e-12


def test_without_a_drive_forward_substitution_stays_at_nothing_and_says_so():
    model = gf.VectorSpin(5.0 * np.eye(3), dim=4)
    dataset = solve(model, "forward", 3.0)
    assert not dataset["magnetization"].any()
    assert "pass start" in dataset.attrs["note"]


def test_what_a_solver_cannot_do_is_refused():
    model = model_of(6, 3, "bal", mask="none")
    with pytest.raises(MethodNotApplicableError, match="have a loop"):
        solve(model, "forward", 1.0)
    with pytest.raises(InvalidInputError, match="one of picard, anderson, forward"):
        gf.NaiveMeanField(1.0, solver="newton")
    for solver in ("anderson", "forward"):
        with pytest.raises(InvalidInputError, match="'picard' for a transient"):
            gf.solve(model, gf.NaiveMeanField(1.0, solver=solver), steps=3)
    with pytest.raises(InvalidInputError, match="start"):
        gf.solve(model_of(6, 3, "bal"), gf.NaiveMeanField(1.0, solver="forward"), start="fields")


def test_anderson_ends_where_relaxation_does_and_says_so_if_not():
    """Above the threshold acceleration alone is drawn to states that relaxation leaves."""
    model = gf.VectorSpin(
        gf.SoftmaxGaussian().sample(n=32, seed=1), gf.sphere_fields(32, dim=16, seed=1, strength=0.5 / 4)
    )
    theories = [gf.NaiveMeanField(4.0, solver=solver) for solver in ("picard", "anderson")]
    slow, quick = (gf.solve(model, theory, start="fields") for theory in theories)
    assert np.allclose(slow["magnetization"], quick["magnetization"], atol=1e-8)
    assert quick.attrs["iterations"] < 0.5 * slow.attrs["iterations"]
    assert "leaves" not in quick.attrs.get("note", "")
    nothing = gf.solve(gf.VectorSpin(model.couplings, dim=16), gf.NaiveMeanField(4.0, solver="anderson"))
    assert not nothing["magnetization"].any()  # nothing breaks the symmetry of this start
    assert "Relaxation leaves this fixed point (local radius 1.75 > 1)" in nothing.attrs["note"]

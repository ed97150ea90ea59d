"""Asymmetry at constant strength: known limits, finite samples beside them, and what the run does with its samples."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

import glassformer as gf
from glassformer.observables import relaxation_modes
from glassformer.runs.vector_asymmetry import ASYMMETRY, AsymmetryConfig
from glassformer.sweeps import RunContext
from glassformer.theory.asymptotics._elliptic import EllipticState


def compute(**settings: object):
    """Return the result of the run without a directory."""
    config = AsymmetryConfig(seed=1, **settings)
    assert ASYMMETRY.combine is not None
    parts = [ASYMMETRY.compute(config, part, RunContext()) for part in ASYMMETRY.part_list(config)]
    return ASYMMETRY.combine(config, parts)


def limit(beta: float, asymmetry: float, *, scale: float = 1.0, strength: float = 1.0):
    law = gf.LargeLimit(gf.Asymmetric(scale=scale, asymmetry=asymmetry), strength=strength)
    return gf.solve(law, gf.GramClosure(beta))


@pytest.mark.parametrize("scale", [0.3, 1.0, 2.0])
def test_at_zero_temperature_symmetric_and_independent_couplings_align_alike(scale: float) -> None:
    for asymmetry in (0.0, 1.0):
        found = float(limit(1e7, asymmetry, scale=scale)["alignment_of_mean"])
        assert found == pytest.approx(1 / math.hypot(1, scale), abs=1e-5)


def test_symmetrising_by_half_the_sum_halves_the_variance() -> None:
    law = gf.SherringtonKirkpatrick(scale=math.sqrt(0.5))
    found = gf.solve(gf.LargeLimit(law), gf.GramClosure(1e7))
    assert float(found["alignment_of_mean"]) == pytest.approx(math.sqrt(2 / 3), abs=1e-5)
    couplings = gf.Asymmetric().sample(n=400, seed=1)
    upper = np.triu_indices(400, 1)
    assert np.var(0.5 * (couplings + couplings.T)[upper]) * 400 == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize(
    ("asymmetry", "value", "tolerance"), [(0, 0.832, 5e-4), (1, 0.866, 5e-4), (math.inf, 0.914, 1e-3)]
)
def test_alignments_at_beta_two(asymmetry: float, value: float, tolerance: float) -> None:
    assert float(limit(2.0, asymmetry)["alignment_of_mean"]) == pytest.approx(value, abs=tolerance)


@pytest.mark.parametrize("asymmetry", [0.0, 0.6, 1.0, 1.7, math.inf])
def test_a_large_sample_has_the_alignment_the_entropy_and_the_slowest_mode_of_the_limit(asymmetry: float) -> None:
    n, dim, beta = 240, 400, 1.2
    model = gf.VectorSpin(
        gf.Asymmetric(asymmetry=asymmetry).sample(n=n, seed=4), gf.sphere_fields(n, dim=dim, seed=5, radius="bal")
    )
    method, expected = gf.GramClosure(beta), limit(beta, asymmetry)
    found, relaxation = gf.solve(model, method), gf.solve(model, gf.Relaxation(method), steps=1)
    assert float(found["alignment_of_mean"]) == pytest.approx(float(expected["alignment_of_mean"]), abs=0.012)
    per = float(found["entropy_production_per_spin"]) / dim
    assert per == pytest.approx(float(expected["entropy_production_per_spin_and_component"]), rel=0.06, abs=2e-3)
    slowest = math.exp(-float(relaxation["relaxation_rate"]))
    assert slowest == pytest.approx(math.exp(-float(expected["relaxation_rate"])), rel=0.09)
    angle = float(relaxation["relaxation_angle"])
    if asymmetry != 1.0:
        assert min(angle, math.pi - angle) == pytest.approx(float(expected["relaxation_angle"]), abs=0.35)
    else:
        assert math.isnan(float(expected["relaxation_angle"]))


def test_the_slowest_mode_of_independent_couplings_is_the_gain_itself() -> None:
    for beta in (0.5, 2.0, 8.0):
        gain = beta / (1 + math.sqrt(1 + 2 * beta**2))
        assert float(limit(beta, 1.0)["relaxation_rate"]) == pytest.approx(-math.log(gain))
    assert EllipticState(0.0, 0.0, 0.0).slowest_mode(0.5)[0] == math.inf


def test_without_field_naive_mean_field_orders_falsely_and_the_exact_gain_stays_below_one() -> None:
    for beta in (0.5, 2.0, 50.0, 1e4):
        found = limit(beta, 1.0, strength=0.0)
        gain = beta / (1 + math.sqrt(1 + beta**2))
        assert math.exp(-float(found["relaxation_rate"])) == pytest.approx(gain)
        assert gain < 1
        assert float(found["magnetization_norm"]) == 0.0
    n, dim = 48, 64
    couplings = gf.Asymmetric().sample(n=n, seed=2)
    model = gf.VectorSpin(couplings, dim=dim)
    critical = dim / (model.r**2 * np.abs(np.linalg.eigvals(couplings)).max())
    start = 0.01 * model.random_spins(replicas=1, seed=1)[0]
    for factor, grows in ((0.85, False), (1.2, True)):
        path = gf.solve(model, gf.NaiveMeanField(factor * critical), start=start, steps=150)
        size = path["magnetization_sum_of_squares"].values
        assert (size[-1] > 100 * size[0]) == grows
        assert size[-1] < 1e-3 * size[0] or grows
    exact = gf.solve(model, gf.GramClosure(4 * critical), start=start, steps=150)
    assert float(exact["magnetization_sum_of_squares"][-1]) < 1e-3 * float(exact["magnetization_sum_of_squares"][0])


def test_a_sample_keeps_its_parts_and_its_fields_at_every_asymmetry() -> None:
    config = AsymmetryConfig(n=12, dim=4, seed=3)
    symmetric, mixed, antisymmetric = (config.sample(k, 1) for k in (0.0, 1.0, math.inf))
    np.testing.assert_allclose(mixed.couplings, (symmetric.couplings + antisymmetric.couplings) / math.sqrt(2))
    assert (symmetric.fields == antisymmetric.fields).all()
    assert symmetric.symmetric
    assert (antisymmetric.couplings == -antisymmetric.couplings.T).all()
    assert not np.allclose(config.sample(0.0, 0).couplings, symmetric.couplings)
    again = AsymmetryConfig(n=12, dim=4, seed=3, samples=9, asymmetries=(2.0,))
    assert (again.sample(1.0, 1).couplings == mixed.couplings).all()  # more samples leave the first ones unchanged


def test_any_radius_has_the_limit_of_its_own_temperature_scale() -> None:
    common = {
        "n": 10, "dim": 9, "asymmetries": (1.0,), "samples": 1, "steps": 10, "burn_in": 5, "replicas": 2, "lags": 1,
        "methods": ("gram",),
    }  # fmt: skip
    number = compute(radius=3.0, beta=1.4, **common)  # R^2 = D, as a number
    named = compute(radius="sqrt_d", beta=1.4, **common)
    unit = compute(radius="unit", beta=1.4 * 9, **common)
    for name in ("alignment_of_mean_limit", "relaxation_rate_limit", "entropy_production_per_spin_and_component_limit"):
        assert float(number[name][0]) == float(named[name][0]) == pytest.approx(float(unit[name][0]))
    gram = [float(run["alignment_of_mean_gram"][0]) for run in (number, named, unit)]
    assert gram == pytest.approx([gram[0]] * 3)  # the same system in other units of length


def test_low_temperature_antisymmetric_couplings_condense_and_the_limit_says_so() -> None:
    common = {
        "n": 8, "dim": 6, "asymmetries": (math.inf,), "samples": 1, "steps": 10, "burn_in": 5, "replicas": 2, "lags": 1,
        "methods": ("gram",),
    }  # fmt: skip
    found = compute(beta=30.0, **common)
    assert np.isnan(found["alignment_of_mean_limit"]).all()
    assert np.isfinite(found["alignment_of_mean_gram"]).all()


def test_modes_of_a_simulation_turn_with_the_asymmetry() -> None:
    for asymmetry, turned in ((0.0, (0.0, math.pi)), (math.inf, (math.pi / 2,))):
        couplings = gf.Asymmetric(asymmetry=asymmetry).sample(n=8, seed=3)
        model = gf.VectorSpin(couplings, dim=12)
        sim = gf.simulate(model, gf.ParallelHeatBath(1.5), steps=400, burn_in=50, replicas=16, seed=1)
        modes = relaxation_modes(sim["correlation"], sim["delayed_correlation"])
        assert min(abs(abs(modes.angle[0]) - angle) for angle in turned) < 0.15


def test_a_single_part_has_the_dimensions_of_several(tmp_path: Path) -> None:
    common = {
        "n": 8, "dim": 6, "steps": 10, "burn_in": 5, "replicas": 2, "lags": 1, "methods": ("gram",), "seed": 1,
        "figure": False, "throw": False,
    }  # fmt: skip
    one = gf.run("vector/asymmetry", directory=tmp_path / "one", asymmetries=(1.0,), samples=1, **common)
    two = gf.run("vector/asymmetry", directory=tmp_path / "two", asymmetries=(1.0, 0.0), samples=1, **common)
    assert one["alignment_of_mean"].dims == two["alignment_of_mean"].dims == ("asymmetry", "solver")
    np.testing.assert_array_equal(one["alignment_of_mean"][0], two["alignment_of_mean"][0])


def test_samples_have_noise_of_their_own() -> None:
    free = {"coupling_scale": 0.0, "strength": 0.0, "asymmetries": (1.0,), "methods": ("gram",)}
    size = {"n": 8, "dim": 3, "samples": 6, "steps": 40, "burn_in": 5, "replicas": 4, "lags": 2}
    found = compute(**free, **size)
    noise = 1 / math.sqrt(3 * 8 * 4 * 40 * 6)  # of free spins: as many independent products of unit variance
    for lag in (1, 2):
        value, error = (
            found[name].sel(solver="simulation")[0, lag] for name in ("autocorrelation", "autocorrelation_error")
        )
        assert abs(float(value)) < 5 * noise
        assert 0.3 * noise < float(error) < 3 * noise


@pytest.mark.parametrize(
    "settings",
    [{"beta": 0.0}, {"coupling_scale": 0.0}, {"strength": 0.0}, {"beta": 1e5}, {"dim": 1, "radius": "unit"}],
    ids=str,
)
def test_extreme_settings_give_numbers_or_say_undefined(settings: dict[str, object]) -> None:
    common = {
        "n": 5, "dim": 4, "asymmetries": (0.5,), "samples": 2, "steps": 10, "burn_in": 5, "replicas": 2, "lags": 1,
        "methods": ("gram",),
    }  # fmt: skip
    found = compute(**{**common, **settings})
    assert np.isfinite(found["magnetization_norm"]).all()
    assert np.isfinite(found["entropy_production"]).all()
    if settings.get("beta") == 0.0 or settings.get("coupling_scale") == 0.0:
        assert np.isposinf(found["relaxation_rate_gram"]).all()
        assert np.isposinf(found["relaxation_rate_limit"]).all()
    assert np.isnan(found["alignment_of_mean_gram"]).all() == (
        settings.get("strength") == 0.0 or settings.get("beta") == 0.0
    )

"""Specific heat and multi-histogram reweighting against densities of states that are known; the noise-free model error."""

from __future__ import annotations

import math

import numpy as np
import pytest

from glassformer._core._errors import InvalidInputError, NotConvergedError
from glassformer.observables import alignment_variance, model_error, multi_histogram, reweight, specific_heat

N = 20  # independent two-level units of energy -1 and +1: U = -tanh(beta), C = beta^2 / cosh^2(beta) per unit


def two_level_energies(betas: np.ndarray, length: int, seed: int) -> np.ndarray:
    """Return energies per unit of independent samples, shape (beta, time)."""
    rng = np.random.default_rng(seed)
    up = rng.binomial(N, 1 / (1 + np.exp(-2 * betas))[:, None], size=(betas.size, length))
    return (N - 2 * up) / N


def test_reweighting_finds_energy_specific_heat_and_free_energy_between_the_temperatures() -> None:
    betas = np.array([1.4, 0.2, 0.9, 0.55])  # in no order
    at = np.array([0.2, 0.3, 0.75, 1.1, 1.4])
    found = reweight(two_level_energies(betas, 20_000, seed=1), betas, at, n=N)
    exact = {
        "energy": -np.tanh(at),
        "specific_heat": (at / np.cosh(at)) ** 2,
        "log_partition": N * (np.log(np.cosh(at)) - math.log(math.cosh(betas[0]))),
    }
    for name, truth in exact.items():
        value, error = found[name]
        assert (error < 0.05 * np.abs(truth) + 0.02).all()
        assert (np.abs(value - truth) < 6 * error).all(), name


def test_a_wrong_temperature_is_caught_by_reweighting() -> None:
    betas = np.array([0.2, 0.55, 0.9, 1.4])
    energies = two_level_energies(betas, 20_000, seed=2)
    value, error = reweight(energies, betas * np.array([1, 1, 1.06, 1]), np.array([0.7]), n=N)["energy"]
    assert abs(value[0] + math.tanh(0.7)) > 6 * error[0]


def test_free_energies_solve_their_equation() -> None:
    betas = np.array([0.4, 0.7, 1.0])
    energies = two_level_energies(betas, 500, seed=3)
    combined = multi_histogram(energies, betas, n=N, autocorrelation_times=np.full(3, 0.5))
    total = (N * energies).reshape(-1)
    denominator = sum(500 * np.exp(f - b * total) for f, b in zip(combined.free_energies, betas))
    sums = np.array([np.sum(np.exp(-b * total) / denominator) for b in betas])
    assert np.allclose(-np.log(sums / sums[0]), combined.free_energies, atol=1e-8)
    assert np.allclose([-combined.log_partition(b) for b in betas], combined.free_energies, atol=1e-8)
    assert 500 < combined.effective_samples(0.7) <= 1500


def test_one_temperature_reproduces_its_own_average() -> None:
    energies = two_level_energies(np.array([0.8]), 1000, seed=4)
    combined = multi_histogram(energies, np.array([0.8]), n=N)
    assert math.isclose(combined.energy(0.8), energies.mean(), rel_tol=1e-12)
    assert math.isclose(combined.specific_heat(0.8), 0.64 * N * energies.var(), rel_tol=1e-10)


def test_adding_a_constant_to_the_energy_shifts_the_free_energy_only() -> None:
    betas = np.array([0.4, 0.7, 1.0])
    energies = two_level_energies(betas, 2000, seed=5)
    plain, shifted = (multi_histogram(energies + shift, betas, n=N) for shift in (0.0, 1000.0))
    assert math.isclose(shifted.energy(0.6) - 1000, plain.energy(0.6), abs_tol=1e-8)
    assert math.isclose(shifted.specific_heat(0.6), plain.specific_heat(0.6), rel_tol=1e-6)
    assert math.isclose(shifted.log_partition(0.6) + 1000 * N * 0.2, plain.log_partition(0.6), abs_tol=1e-6)


def test_extrapolation_is_refused() -> None:
    combined = multi_histogram(two_level_energies(np.array([0.5, 1.0]), 100, seed=6), np.array([0.5, 1.0]), n=N)
    with pytest.raises(InvalidInputError, match="within the simulated range"):
        combined.energy(1.2)
    with pytest.raises(InvalidInputError, match="to fit betas"):
        multi_histogram(np.zeros((3, 10)), np.array([0.5, 1.0]), n=N)


def test_ladders_with_a_gap_are_refused() -> None:
    betas = np.array([0.01, 8.0])
    energies = np.random.default_rng(1).normal(scale=0.01, size=(2, 400)) + np.array([[0.0], [-5.0]])
    with pytest.raises(NotConvergedError, match="denser ladder"):
        multi_histogram(energies, betas, n=50)


@pytest.mark.parametrize("phi", [0.0, 0.9])
def test_stated_error_of_the_specific_heat_is_its_scatter(phi: float) -> None:
    from scipy.signal import lfilter

    rng = np.random.default_rng(2)
    noise = rng.normal(size=(150, 2, 8000))
    noise[..., 1:] *= math.sqrt(1 - phi**2)
    series = 0.3 + 0.05 * lfilter([1.0], [1.0, -phi], noise)
    results = [specific_heat(chains, beta=1.5, n=40) for chains in series]
    values = np.array([value for value, _ in results])
    stated = np.mean([estimate.error for _, estimate in results])
    exact = 1.5**2 * 40 * 0.05**2
    assert abs(values.mean() / exact - 1) < 0.02
    assert 0.7 < values.std(ddof=1) / stated < 1.3
    assert np.mean([estimate.reliable for _, estimate in results]) > 0.9


def test_short_runs_give_an_unreliable_specific_heat() -> None:
    series = np.cumsum(np.random.default_rng(5).normal(size=500))
    assert not specific_heat(series, beta=1.0, n=10)[1].reliable


def test_alignment_variance_has_no_temperature_in_it() -> None:
    series = np.random.default_rng(6).normal(0.4, 0.1, size=(2, 4000))
    value, estimate = alignment_variance(series)
    assert abs(value - 0.01) < 6 * estimate.error


def test_model_error_removes_the_noise_of_the_replicates() -> None:
    rng = np.random.default_rng(7)
    truth = rng.normal(size=(30, 4))
    noisy = truth + 2.0 * rng.normal(size=(10, 30, 4))
    for size in (0.0, 0.5, 2.0):
        prediction = truth * (1 + size)
        naive = sum(
            np.sum((prediction - noisy[p]) * (prediction - noisy[q])) for p in range(10) for q in range(p)
        ) / sum(np.sum(noisy[p] * noisy[q]) for p in range(10) for q in range(p))
        error, floor = model_error(prediction, noisy)
        assert math.isclose(error, math.sqrt(max(naive, 0.0)), rel_tol=1e-9, abs_tol=1e-12)
        assert abs(error**2 - size**2) < floor**2 * 2 + 0.3 * size
    uncorrected = math.sqrt(np.sum((truth - noisy[0]) ** 2) / np.sum(truth**2))
    assert model_error(truth, noisy).reported < 0.5 * uncorrected


def test_floor_of_the_model_error_falls_as_one_over_the_root_of_the_replicates() -> None:
    rng = np.random.default_rng(8)
    truth = np.ones(2000)
    floors = [model_error(truth, truth + rng.normal(size=(r, 2000))).floor for r in (4, 16)]
    assert math.isclose(floors[0] / floors[1], 2.0, rel_tol=0.1)
    assert math.isclose(floors[0], 0.5, rel_tol=0.1)
    with pytest.raises(InvalidInputError, match="at least 2 replicates"):
        model_error(truth, truth[None])

"""Error bars against processes whose correlations are known, and against obvious loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.signal import lfilter

from glassformer._core._errors import InvalidInputError
from glassformer._core._status import Status
from glassformer.observables import (
    Moments,
    autocorrelation_function,
    block_means,
    blocking_error,
    effective_sample_size,
    integrated_autocorrelation_time,
    jackknife,
    merge_moments,
    split_r_hat,
    standard_error,
)


def autoregressive(phi: float, shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Return stationary AR(1) chains of unit variance."""
    noise = np.random.default_rng(seed).normal(size=shape)
    noise[..., 1:] *= math.sqrt(1 - phi**2)
    return lfilter([1.0], [1.0, -phi], noise, axis=-1)


def exact_time(phi: float) -> float:
    return 0.5 * (1 + phi) / (1 - phi)


@pytest.mark.parametrize("phi", [-0.6, -0.3, 0.0, 0.4, 0.8, 0.95])
@pytest.mark.parametrize("shape", [(200_000,), (8, 25_000)])
def test_autocorrelation_time_of_an_autoregressive_chain_is_known(phi: float, shape: tuple[int, ...]) -> None:
    tau, error, reliable = integrated_autocorrelation_time(autoregressive(phi, shape, seed=3))
    assert reliable
    assert error < 0.1 * exact_time(phi)
    # 5 standard errors, and what the window leaves out: exp(-6) of the sum.
    assert abs(tau - exact_time(phi)) < 5 * error + 0.003 * exact_time(phi)


def test_stated_error_of_the_autocorrelation_time_is_its_scatter() -> None:
    estimates = [integrated_autocorrelation_time(autoregressive(0.7, (20_000,), seed)) for seed in range(200)]
    scatter = np.std([estimate.tau for estimate in estimates], ddof=1)
    stated = np.mean([estimate.error for estimate in estimates])
    assert 0.7 < scatter / stated < 1.3


def test_standard_error_from_the_autocorrelation_time_and_from_blocking_is_the_scatter_of_means() -> None:
    phi, length, runs = 0.9, 20_000, 200
    chains = autoregressive(phi, (runs, length), seed=11)
    scatter = chains.mean(-1).std(ddof=1)
    by_time = np.mean([math.sqrt(2 * integrated_autocorrelation_time(c).tau * c.var() / length) for c in chains])
    blocked = [blocking_error(c) for c in chains]
    by_blocks = np.mean([b.error for b in blocked])
    assert np.mean([b.reliable for b in blocked]) > 0.9
    exact = math.sqrt(2 * exact_time(phi) / length)
    assert abs(scatter / exact - 1) < 5 / math.sqrt(2 * runs)
    assert abs(by_time / exact - 1) < 0.05
    assert abs(by_blocks / exact - 1) < 0.1
    # The injected bug, an error that ignores correlations, is off by sqrt(2 tau) = 4.4 and would be caught.
    assert scatter > 3 * chains[0].std() / math.sqrt(length)


def test_short_series_are_refused() -> None:
    estimate = integrated_autocorrelation_time(autoregressive(0.99, (2000,), seed=5))
    assert not estimate.reliable
    assert estimate.status is Status.TOO_SHORT


def test_chains_that_disagree_are_refused_although_each_looks_well() -> None:
    chains = autoregressive(0.3, (2, 5000), seed=8) + np.array([[-3.0], [3.0]])
    assert all(integrated_autocorrelation_time(chain).reliable for chain in chains)
    assert not integrated_autocorrelation_time(chains).reliable


def test_a_constant_is_degenerate_not_nan() -> None:
    for series in (np.ones(100), np.full((3, 50), 0.1), np.zeros(10)):
        estimate = integrated_autocorrelation_time(series)
        assert tuple(estimate) == (0.5, 0.0, False)
        assert estimate.status is Status.DEGENERATE
        assert tuple(blocking_error(series)) == (0.0, False, 1)
        assert effective_sample_size(series) == 1.0
        assert split_r_hat(series) == 1.0


def test_a_perfect_two_cycle_is_refused() -> None:
    estimate = integrated_autocorrelation_time(np.tile([1.0, -1.0], 500))
    assert not estimate.reliable
    assert estimate.tau > 0


@pytest.mark.parametrize("shape", [(57,), (3, 40), (2, 2, 31)])
def test_fourier_and_naive_autocorrelation_agree(shape: tuple[int, ...]) -> None:
    series = np.random.default_rng(4).normal(size=shape).cumsum(-1)
    chains = series.reshape(-1, shape[-1]) - series.mean()
    naive = []
    for lag in range(shape[-1]):
        products = [chain[t] * chain[t + lag] for chain in chains for t in range(shape[-1] - lag)]
        naive.append(np.mean(products))
    expected = np.array(naive) / naive[0]
    assert np.allclose(autocorrelation_function(series, max_lag=shape[-1] - 1), expected, rtol=0, atol=1e-12)


def test_sum_until_first_negative_is_the_obvious_loop() -> None:
    series = autoregressive(0.6, (4000,), seed=2)
    rho = autocorrelation_function(series)
    expected = 0.5
    for value in rho[1:]:
        if value < 0:
            break
        expected += value
    assert math.isclose(integrated_autocorrelation_time(series, until="first_negative").tau, expected, rel_tol=1e-12)


def test_units_do_not_matter() -> None:
    series = autoregressive(0.5, (3, 3000), seed=6)
    first, second = integrated_autocorrelation_time(series), integrated_autocorrelation_time(1e9 - 1e-3 * series)
    assert math.isclose(first.tau, second.tau, rel_tol=1e-3)


def test_jackknife_of_a_mean_is_the_standard_error_and_of_a_ratio_its_scatter() -> None:
    rng = np.random.default_rng(9)
    samples = rng.normal(size=(12, 5))
    value, error = jackknife(lambda a: a.mean(0), samples)
    assert np.allclose(value, samples.mean(0), rtol=1e-14)
    assert np.allclose(error, standard_error(samples), rtol=1e-12)

    def ratio(a: np.ndarray, b: np.ndarray) -> float:
        return float(a.mean() / b.mean())

    draws = [(rng.normal(2, 1, 100), rng.normal(5, 1, 100)) for _ in range(400)]
    results = [jackknife(ratio, draw) for draw in draws]
    scatter = np.std([float(r[0]) for r in results], ddof=1)
    assert abs(np.mean([float(r[1]) for r in results]) / scatter - 1) < 6 / math.sqrt(2 * 400)


def test_split_r_hat_sees_drift_and_disagreement() -> None:
    steady = autoregressive(0.5, (4, 2000), seed=1)
    assert split_r_hat(steady) < 1.02
    assert split_r_hat(steady + np.linspace(0, 3, 2000)) > 1.2
    assert split_r_hat(steady + np.array([[0.0], [0.0], [0.0], [2.0]])) > 1.2
    assert split_r_hat(np.repeat([[0.0], [1.0]], 10, axis=1)) == math.inf


def test_merged_moments_do_not_depend_on_the_cut() -> None:
    data = np.random.default_rng(7).normal(1e6, 1.0, size=(50, 3))
    for cuts in ([10, 20], [1, 49], [25]):
        merged = merge_moments([Moments.of(part) for part in np.split(data, cuts)])
        assert merged.count == 50
        assert np.allclose(merged.mean, data.mean(0), rtol=1e-14)
        assert np.allclose(merged.variance, data.var(0, ddof=1), rtol=1e-8)
        assert np.allclose(merged.standard_error, standard_error(data), rtol=1e-8)


def test_blocks_keep_the_latest_data() -> None:
    assert np.allclose(block_means(np.arange(14.0).reshape(2, 7), 3), [[2, 5], [9, 12]])


@pytest.mark.parametrize(
    "statistic",
    [
        integrated_autocorrelation_time,
        autocorrelation_function,
        blocking_error,
        effective_sample_size,
        split_r_hat,
        Moments.of,
        standard_error,
        lambda x: jackknife(np.mean, x),
    ],
)
@pytest.mark.parametrize("poison", [np.nan, np.inf])
def test_statistics_raise_on_what_is_not_finite(statistic, poison: float) -> None:  # type: ignore[no-untyped-def]
    series = np.arange(10.0)
    series[3] = poison
    with pytest.raises(InvalidInputError, match="finite"):
        statistic(series)


def test_too_little_data_is_named() -> None:
    with pytest.raises(InvalidInputError, match="at least 2 times"):
        integrated_autocorrelation_time([1.0])
    with pytest.raises(InvalidInputError, match="2 or more replicas"):
        jackknife(np.mean, [1.0])
    with pytest.raises(InvalidInputError, match="no autocorrelation"):
        autocorrelation_function(np.ones(5))
    with pytest.raises(InvalidInputError, match="first_negative"):
        integrated_autocorrelation_time(np.arange(5.0), until="never")

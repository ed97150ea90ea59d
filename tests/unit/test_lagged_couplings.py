"""The law of couplings to the last K states: moments of samples, factors, refusals; models and rules bound to it."""

from __future__ import annotations

import math

import numpy as np
import pytest

import glassformer as gf
from glassformer._core._errors import InvalidInputError
from glassformer.couplings._lag_covariance import diagonal_sums, extreme_spectrum, rank_factors, spectrum

LEVEL = 5.5  # standard errors; a two-sided level below 1e-7


def random_covariance(size: int, rank: int, seed: int) -> np.ndarray:
    factors = np.random.default_rng(seed).normal(size=(size, rank))
    return factors @ factors.T / size


@pytest.mark.parametrize(("size", "rank"), [(1, 1), (2, 1), (3, 3), (5, 2), (6, 4)])
def test_samples_have_the_covariance_across_lags(size, rank):
    gamma, n = random_covariance(size, rank, size), 300
    law = gf.LaggedGaussian(gamma, mean=np.linspace(0.5, -1.0, size))
    couplings = law.sample(n=n, seed=3)
    assert couplings.factors.shape == (size, rank)
    matrices = couplings.matrices
    centred = matrices - np.asarray(law.mean)[:, None, None] / n
    found = np.einsum("kij,lij->kl", centred, centred) / n
    # N^2 independent entries: the variance of the sample covariance is (G_kk G_ll + G_kl^2) / N^2
    error = np.sqrt(np.outer(np.diag(gamma), np.diag(gamma)) + gamma**2) / n
    assert np.all(np.abs(found - gamma) < LEVEL * error)
    transposed = np.einsum("kij,lji->kl", centred, centred) / n
    assert np.all(
        np.abs(transposed) < LEVEL * np.sqrt(2.0) * error + 2.0 * np.sqrt(np.outer(*2 * [np.diag(gamma)])) / n
    )
    grand = matrices.sum(axis=(1, 2)) / n
    assert np.all(np.abs(grand - np.asarray(law.mean)) < LEVEL * np.sqrt(np.diag(gamma) / n))


def test_partially_symmetric_samples_have_both_covariances():
    gamma, partner, n = np.array([[0.5, 0.2], [0.2, 0.3]]), np.array([[0.2, 0.1], [0.1, -0.1]]), 400
    matrices = gf.LaggedGaussian(gamma, transpose_covariance=partner).sample(n=n, seed=2).matrices
    error = LEVEL * np.sqrt(2.0) * np.sqrt(np.outer(np.diag(gamma), np.diag(gamma)) + gamma**2) / n
    assert np.all(np.abs(np.einsum("kij,lij->kl", matrices, matrices) / n - gamma) < error)
    off = matrices.copy()
    off[:, np.arange(n), np.arange(n)] = 0.0
    assert np.all(np.abs(np.einsum("kij,lji->kl", off, off) / (n - 1) - partner) < error)
    diagonal = np.einsum("kii,lii->kl", matrices, matrices)
    assert np.all(np.abs(diagonal - gamma) < LEVEL * np.sqrt(n) * error)


def test_a_fully_symmetric_law_draws_symmetric_matrices():
    gamma = np.array([[0.5, 0.2], [0.2, 0.3]])
    matrices = gf.LaggedGaussian(gamma, transpose_covariance=gamma).sample(n=9, seed=2).matrices
    assert np.array_equal(matrices, matrices.transpose(0, 2, 1))
    opposite = gf.LaggedGaussian(gamma, transpose_covariance=-gamma, self_coupling=False).sample(n=9, seed=2).matrices
    assert np.array_equal(opposite, -opposite.transpose(0, 2, 1))


@pytest.mark.parametrize("self_coupling", [True, False])
def test_the_field_is_the_sum_over_lags_with_the_latest_state_first(self_coupling):
    law = gf.LaggedGaussian(random_covariance(4, 2, 1), mean=[0.1, 0.0, -2.0, 0.5], self_coupling=self_coupling)
    model = gf.ContextEnsemble(law, field=0.3).sample(n=7, seed=5)
    history = np.random.default_rng(0).normal(size=(2, 3, 4, 7))
    matrices = model.couplings.matrices
    expected = 0.3 + sum(history[..., k, :] @ matrices[k].T for k in range(4))
    np.testing.assert_allclose(model.local_fields(history), expected, atol=1e-13)
    if not self_coupling:
        np.testing.assert_allclose(matrices[:, 0, 0], np.asarray(law.mean) / 7, atol=1e-15)


def test_couplings_of_ones_own_are_bound_as_they_are():
    matrices = np.random.default_rng(0).normal(size=(3, 5, 5))
    model = gf.ExtendedContext(matrices, fields=np.arange(5.0))
    assert np.array_equal(model.couplings.matrices, matrices)
    history = np.zeros((3, 5))
    history[1, 4] = 1.0  # the state two steps ago at the last site acts through the last column of J_2
    np.testing.assert_allclose(model.local_fields(history), matrices[1, :, 4] + np.arange(5.0), atol=1e-15)
    other = gf.ExtendedContext(matrices + 1e-9, fields=np.arange(5.0))
    assert other.digest != model.digest == gf.ExtendedContext(matrices, fields=np.arange(5.0)).digest


def test_a_seed_fixes_the_sample_and_its_digest():
    law = gf.LaggedGaussian(random_covariance(3, 2, 2))
    first, again, other = (gf.ContextEnsemble(law).sample(n=6, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(first.couplings.matrices, again.couplings.matrices)
    assert first.digest == again.digest != other.digest


@pytest.mark.parametrize(("size", "rank"), [(1, 1), (4, 1), (6, 3), (8, 8)])
def test_rank_factors_rebuild_the_covariance_with_as_many_columns_as_the_rank(size, rank):
    gamma = random_covariance(size, rank, 7)
    factors = rank_factors(gamma)
    assert factors.shape == (size, rank)
    np.testing.assert_allclose(factors @ factors.T, gamma, atol=1e-12)


def test_no_couplings_at_all_is_a_law_of_rank_zero():
    law = gf.LaggedGaussian(np.zeros((2, 2)))
    assert law.rank == 0
    couplings = law.sample(n=4, seed=1)
    assert np.array_equal(couplings.matrices, np.zeros((2, 4, 4)))
    assert np.array_equal(couplings.fields(np.ones((2, 4))), np.zeros(4))


def test_the_spectrum_is_the_quadratic_form_of_the_covariance():
    gamma = random_covariance(5, 3, 4)
    omega = np.linspace(0.0, math.pi, 17)
    wave = np.exp(1j * omega[:, None] * np.arange(1, 6))
    expected = np.einsum("wk,kl,wl->w", wave.conj(), gamma, wave).real
    np.testing.assert_allclose(gf.LaggedGaussian(gamma).spectrum(omega), expected, atol=1e-12)


@pytest.mark.parametrize("seed", range(8))
def test_extremes_of_the_spectrum_are_found_between_the_points_of_a_grid(seed):
    sums = diagonal_sums(random_covariance(2 + 5 * seed, 2, seed))
    fine = spectrum(sums, np.linspace(0.0, math.pi, 200_001))
    found = extreme_spectrum(sums)
    assert fine.max() - 1e-13 <= found.maximum <= fine.max() + 1e-6 * abs(sums[0]) * sums.size
    assert fine.min() - 1e-6 * abs(sums[0]) * sums.size <= found.minimum <= fine.min() + 1e-13
    assert float(spectrum(sums, found.maximum_at)) == pytest.approx(found.maximum, abs=1e-12)


def test_laws_of_equal_diagonal_sums_differ_but_share_them():
    sums = [1.5, 0.5, -0.1]
    laws = [gf.LaggedGaussian.from_diagonal_sums(sums, shape=shape) for shape in ("rank_one", "max_det", "toeplitz")]
    for law in laws:
        np.testing.assert_allclose(law.diagonal_sums, sums, atol=1e-12)
    assert [law.rank for law in laws] == [1, 3, 3]
    assert len(set(laws)) == 3


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"covariance": [[1.0, 2.0], [2.0, 1.0]]}, ["lowest eigenvalue of covariance", "-1", "add at least 1"]),
        ({"covariance": [[1.0, 0.2], [0.1, 1.0]]}, ["transpose", "0.1", "symmetric"]),
        ({"covariance": [[1.0, 2.0, 3.0]]}, ["shape of covariance", "(1, 3)"]),
        ({"covariance": [[1.0, 2.0], [3.0]]}, ["covariance", "an array of real numbers"]),
        ({"covariance": [[1j]]}, ["covariance", "take the real part"]),
        ({"covariance": [[math.nan]]}, ["covariance[0, 0]", "finite"]),
        (
            {"covariance": [[0.5, 0.6, 0.0], [0.6, 0.5, -0.1], [0.0, -0.1, 0.5]]},
            ["lowest eigenvalue", "from_diagonal_sums"],
        ),
        ({"covariance": np.eye(2), "mean": [1.0]}, ["length of mean", "context length 2"]),
        ({"covariance": np.eye(2), "transpose_covariance": np.eye(3)}, ["shape of transpose_covariance", "(3, 3)"]),
        ({"covariance": np.eye(2), "transpose_covariance": 2 * np.eye(2)}, ["covariance - transpose_covariance", "-1"]),
        ({"covariance": np.eye(2), "structure": "hadamard"}, ["structure", "hadamard", "fast_transform"]),
        ({"covariance": np.eye(2), "structure": "sparse"}, ["degree", "None", "sparse"]),
        ({"covariance": np.eye(2), "degree": 3}, ["degree", "3", "sparse"]),
    ],
)
def test_what_is_no_law_is_refused_in_one_sentence(arguments, words):
    with pytest.raises(InvalidInputError) as caught:
        gf.LaggedGaussian(**arguments)
    for word in words:
        assert word in str(caught.value)


def test_diagonal_sums_of_no_covariance_are_refused_with_the_gap():
    with pytest.raises(InvalidInputError, match=r"-0\.(4|399).*3\.14159.*add at least 0\.4 to g_0"):
        gf.LaggedGaussian.from_diagonal_sums([1.0, 0.7])


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"variant": "potts"}, "variant"),
        ({"beta": -1.0}, "beta"),
        ({"beta": math.nan}, "beta"),
        ({"variant": "gaussian", "beta": 2.0}, "beta"),
        ({"variant": "gaussian", "sigma": 0.0}, "sigma"),
        ({"variant": "ising", "sigma": 2.0}, "sigma"),
    ],
)
def test_a_rule_that_means_nothing_is_refused(arguments, word):
    with pytest.raises(InvalidInputError, match=word):
        gf.TokenRule(**arguments)


def test_numbers_whose_products_overflow_are_refused_and_the_largest_allowed_are_not():
    for build in (
        lambda: gf.LaggedGaussian([[1e101]]),
        lambda: gf.LaggedGaussian([[1.0]], mean=[-1e51]),
        lambda: gf.ExtendedContext(np.full((1, 2, 2), 1e51)),
        lambda: gf.ContextEnsemble(gf.LaggedGaussian([[1.0]]), field=1e51),
        lambda: gf.TokenRule(beta=1e151),
        lambda: gf.TokenRule(beta=1e-151),
        lambda: gf.TokenRule("gaussian", sigma=1e51),
    ):
        with pytest.raises(InvalidInputError, match="1e\\+"):
            build()
    big = gf.ContextEnsemble(gf.LaggedGaussian([[5e99, 4e99], [4e99, 5e99]]), field=0.0)
    small = gf.ContextEnsemble(gf.LaggedGaussian([[0.5, 0.4], [0.4, 0.5]]))
    for rule in (gf.TokenRule(beta=math.inf), gf.TokenRule("probit", beta=1e50)):
        one, other = (
            gf.solve(big, gf.StationaryDMFT(rule)),
            gf.solve(small, gf.StationaryDMFT(gf.TokenRule(beta=math.inf))),
        )
        np.testing.assert_allclose(one.autocorrelation[:5], other.autocorrelation[:5], atol=1e-9)
        assert np.isfinite(gf.solve(big, gf.TransientDMFT(rule, steps=5)).two_time_correlation).all()


def test_fields_and_histories_of_the_wrong_shape_are_refused():
    matrices = np.zeros((2, 3, 3))
    with pytest.raises(InvalidInputError, match="length of fields"):
        gf.ExtendedContext(matrices, fields=[1.0, 2.0])
    with pytest.raises(InvalidInputError, match="shape of history"):
        gf.ExtendedContext(matrices).local_fields(np.zeros((3, 2)))
    with pytest.raises(InvalidInputError, match="history is 'a'"):
        gf.ExtendedContext(matrices).local_fields("a")
    with pytest.raises(InvalidInputError, match="tokens is"):
        gf.infer([[1, 2], [3]], gf.LeastSquares(), context=1)
    with pytest.raises(InvalidInputError, match="shape of couplings"):
        gf.ExtendedContext(np.zeros((2, 3, 4)))


def test_what_does_not_fit_the_memory_is_refused_before_it_is_begun():
    law = gf.LaggedGaussian(np.eye(2))
    model = gf.ExtendedContext(law.sample(n=4, seed=1))
    for begin in (
        lambda: law.sample(n=10**8, seed=1),
        lambda: gf.LaggedGaussian(np.eye(2), structure="rademacher").sample(n=10**8, seed=1),
        lambda: gf.LaggedGaussian(np.eye(2), transpose_covariance=np.zeros((2, 2))).sample(n=10**8, seed=1),
        lambda: gf.LaggedGaussian(np.eye(2), structure="fast_transform").sample(n=10**14, seed=1),
        lambda: gf.simulate(law, gf.TokenRule(), n=10**9, draws=1, steps=5, seed=1),
        lambda: gf.simulate(model, gf.TokenRule(), steps=20, replicas=10**12, seed=1),
    ):
        with pytest.raises(InvalidInputError, match="the memory of"):
            begin()


def test_self_coupling_is_true_or_false():
    with pytest.raises(InvalidInputError, match="self_coupling is 'no'"):
        gf.LaggedGaussian([[1.0]], self_coupling="no")

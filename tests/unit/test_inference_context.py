"""Couplings from windows: orientation, naive solutions, gradients, limits, errors that are errors, and honest refusals."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest

import glassformer as gf
from glassformer._core._errors import InvalidInputError, MethodNotApplicableError, NotConvergedError
from glassformer._core._random import normals, uniforms
from glassformer.inference._infer import METHODS
from glassformer.inference._mean_field import solve_gain

SINGULAR = np.outer([0.5, -0.3, 0.2], [0.5, -0.3, 0.2])


def gaussian_windows(pairs: int, lags: int, n: int, seed: int, sigma: float = 0.7) -> tuple[gf.Windows, np.ndarray]:
    """Correlated histories and the couplings (lag, site, site_) that wrote the next tokens."""
    size = lags * n
    mixing = np.eye(size) + 0.4 * normals(seed, "mix", (size, size)) / math.sqrt(size)
    x = normals(seed, "x", (pairs, size)) @ mixing
    couplings = normals(seed, "J", (lags, n, n)) / math.sqrt(size)
    s = x @ rows(couplings).T + sigma * normals(seed, "noise", (pairs, n))
    return gf.Windows(x.reshape(pairs, lags, n), s), couplings


def rows(couplings: Any) -> np.ndarray:
    """(lag, site, site_) -> (site, lag * site_)."""
    array = np.asarray(couplings)
    return array.swapaxes(0, 1).reshape(array.shape[1], -1)


def ising_windows(
    pairs: int, couplings: np.ndarray, beta: float, seed: int, fields: float | np.ndarray = 0.0
) -> gf.Windows:
    """Windows of independent chains that have forgotten a random start."""
    lags, n = couplings.shape[:2]
    history = np.where(uniforms(seed, "start", (pairs, lags, n)) < 0.5, -1.0, 1.0)
    for step in range(31):
        h = history.reshape(pairs, -1) @ rows(couplings).T + fields
        s = np.where(uniforms(seed, f"step/{step}", (pairs, n)) < 0.5 * (1.0 + np.tanh(beta * h)), 1.0, -1.0)
        if step < 30:
            history = np.concatenate([s[:, None], history[:, :-1]], axis=1)
    return gf.Windows(history.astype(np.int8), s.astype(np.int8))


def newton_by_hand(x: np.ndarray, s: np.ndarray, penalty: float = 0.0) -> np.ndarray:
    """The textbook: one site at a time, a Hessian and a solve each time."""
    out = []
    for site in range(s.shape[1]):
        w = np.zeros(x.shape[1])
        for _ in range(40):
            mean = np.tanh(x @ w)
            hessian = (x * (1 - mean**2)[:, None]).T @ x + penalty * np.eye(w.size)
            w = w + np.linalg.solve(hessian, x.T @ (s[:, site] - mean) - penalty * w)
        out.append(w)
    return np.array(out)


def test_windows_are_cut_most_recent_first_and_never_across_sequences() -> None:
    tokens = np.arange(2 * 6 * 3).reshape(2, 6, 3)
    data = gf.windows(tokens, context=2)
    naive = [(np.stack([tokens[b, t - 1], tokens[b, t - 2]]), tokens[b, t]) for b in range(2) for t in range(2, 6)]
    assert data.pairs == len(naive) == 8
    assert np.array_equal(data.history, np.stack([history for history, _ in naive]))
    assert np.array_equal(data.next, np.stack([following for _, following in naive]))
    assert data.history.dtype == tokens.dtype  # small integers stay small
    assert np.array_equal(gf.windows(tokens[0], context=3).history[0, :, 0], [6, 3, 0])
    assert np.array_equal(data.recent(1).history, data.history[:, :1])

    class Corpus:
        def __init__(self, tokens: np.ndarray) -> None:
            self.tokens = tokens

    assert np.array_equal(gf.windows(Corpus(tokens), context=2).next, data.next)


@pytest.mark.parametrize("method", [gf.LeastSquares(), gf.Ridge(1e-9), gf.BayesRidge(np.eye(2), 1e-6)])
def test_a_one_way_chain_has_its_arrow_and_its_lag(method: Any) -> None:
    """Site 1 copies site 0 of two steps before: the only coupling is J_2[1, 0]."""
    tokens = normals(3, "chain", (1, 200, 3))
    tokens[0, 2:, 1] = 0.8 * tokens[0, :-2, 0]
    found = gf.infer(tokens, method, context=2, throw=False).couplings
    assert float(found.sel(lag=2)[1, 0]) == pytest.approx(0.8, abs=1e-6)
    assert np.abs(found.values[:, 1]).sum() == pytest.approx(0.8, abs=1e-4)


@pytest.mark.parametrize("method", [gf.LogisticLikelihood(penalty=0.1), gf.MeanFieldInversion()])
def test_a_one_way_chain_of_signs(method: Any) -> None:
    tokens = np.where(uniforms(3, "chain", (1, 800, 3)) < 0.5, -1, 1)
    flipped = uniforms(3, "flip", (798,)) < 0.2
    tokens[0, 2:, 1] = np.where(flipped, -1, 1) * tokens[0, :-2, 0]
    found = gf.infer(tokens, method, context=2).couplings.values
    assert np.unravel_index(np.abs(found).argmax(), found.shape) == (1, 1, 0)


@pytest.mark.parametrize(("pairs", "lags", "n", "fields"), [(40, 1, 5, False), (60, 3, 4, True), (200, 2, 1, True)])
def test_least_squares_are_the_normal_equations(pairs: int, lags: int, n: int, fields: bool) -> None:
    data, _ = gaussian_windows(pairs, lags, n, seed=pairs)
    x, s = data.features, data.targets
    if fields:
        x = np.concatenate([x, np.ones((pairs, 1))], axis=1)
    gram = x.T @ x
    weights = np.linalg.solve(gram, x.T @ s).T
    residual = np.sum((s - x @ weights.T) ** 2, axis=0) / (pairs - x.shape[1])
    errors = np.sqrt(np.outer(residual, np.diag(np.linalg.inv(gram))))
    found = gf.infer(data, gf.LeastSquares(), fields=fields)
    assert np.allclose(rows(found.couplings), weights[:, : lags * n], rtol=1e-9, atol=1e-12)
    assert np.allclose(rows(found.couplings_error), errors[:, : lags * n], rtol=1e-9)
    assert np.allclose(found.noise_variance, residual, rtol=1e-9)
    assert found.attrs["status"] == "ok"
    if fields:
        assert np.allclose(found.fields, weights[:, -1], rtol=1e-9, atol=1e-12)
        assert np.allclose(found.fields_error, errors[:, -1], rtol=1e-9)
    else:
        assert not found.fields.any()
    inverse = np.linalg.inv(gram)
    for k in range(lags):
        for l in range(lags):
            own = np.trace(inverse[k * n : (k + 1) * n, l * n : (l + 1) * n])
            product = np.sum(found.couplings.values[k] * found.couplings.values[l], axis=1)
            gamma = np.mean(product - residual * own)
            assert float(found.lag_covariance[k, l]) == pytest.approx(gamma, rel=1e-8, abs=1e-12)
    mean = data.features @ rows(found.couplings).T + found.fields.values
    gaussian = -0.5 * np.mean((s - mean) ** 2 / residual + np.log(2 * np.pi * residual))
    assert float(found.log_likelihood) == pytest.approx(gaussian, rel=1e-12)


@pytest.mark.parametrize("penalty", [1e-3, 2.0, 300.0])
@pytest.mark.parametrize("pairs", [7, 24, 90])
def test_ridge_is_its_normal_equations_on_both_sides_of_the_square(penalty: float, pairs: int) -> None:
    data, _ = gaussian_windows(pairs, 2, 12, seed=5)
    x, s = data.features, data.targets
    expected = np.linalg.solve(x.T @ x + penalty * np.eye(24), x.T @ s).T
    found = gf.infer(data, gf.Ridge(penalty))
    assert np.allclose(rows(found.couplings), expected, rtol=1e-7, atol=1e-10)
    centred = gf.infer(data, gf.Ridge(penalty), fields=True)
    ones = np.concatenate([x, np.ones((pairs, 1))], axis=1)
    free = np.diag([penalty] * 24 + [0.0])
    whole = np.linalg.solve(ones.T @ ones + free, ones.T @ s).T
    assert np.allclose(rows(centred.couplings), whole[:, :-1], rtol=1e-6, atol=1e-9)
    assert np.allclose(centred.fields, whole[:, -1], rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("pairs", [15, 80])
def test_ridge_without_penalty_is_least_squares(pairs: int) -> None:
    data, _ = gaussian_windows(pairs, 2, 10, seed=8)
    least = gf.infer(data, gf.LeastSquares())
    for penalty in (0.0, 1e-14):
        assert np.allclose(gf.infer(data, gf.Ridge(penalty)).couplings, least.couplings, atol=1e-8)
    assert np.allclose(rows(least.couplings), np.linalg.pinv(data.features).dot(data.targets).T, atol=1e-9)
    assert least.attrs["status"] == ("degenerate" if pairs < 20 else "ok")
    if pairs < 20:
        assert "15 windows do not determine 20 couplings" in least.attrs["status_sentence"]
        assert "couplings_error" not in least
        assert "log_likelihood" not in least


def test_collinear_histories_are_seen() -> None:
    data, _ = gaussian_windows(50, 1, 4, seed=2)
    history = data.history.copy()
    history[:, :, 3] = history[:, :, 1]  # two sites that never differ
    found = gf.infer(gf.Windows(history, data.next), gf.LeastSquares())
    assert found.attrs["status"] == "degenerate"
    assert np.allclose(found.couplings.values[0, :, 1], found.couplings.values[0, :, 3], atol=1e-9)


@pytest.mark.parametrize(
    "covariance", [[[0.5, 0.2], [0.2, 0.4]], [[0.9]], [[0.5, -0.3, 0.1], [-0.3, 0.6, 0.2], [0.1, 0.2, 0.4]]]
)
@pytest.mark.parametrize("pairs", [9, 70])
def test_bayes_is_the_penalty_of_the_inverse_covariance(covariance: list[list[float]], pairs: int) -> None:
    gamma = np.array(covariance)
    lags, n, sigma = gamma.shape[0], 6, 0.8
    data, _ = gaussian_windows(pairs, lags, n, seed=4)
    x, s = data.features, data.targets
    penalty = sigma**2 * n * np.kron(np.linalg.inv(gamma), np.eye(n))
    inverse = np.linalg.inv(x.T @ x + penalty)
    found = gf.infer(data, gf.BayesRidge(gamma, sigma))
    assert np.allclose(rows(found.couplings), (inverse @ x.T @ s).T, rtol=1e-8, atol=1e-11)
    assert np.allclose(rows(found.couplings_error), sigma * np.sqrt(np.diag(inverse)), rtol=1e-8)
    second = np.einsum("kij,lij->kl", found.couplings, found.couplings) / n
    second += sigma**2 * np.einsum("kjlj->kl", inverse.reshape(lags, n, lags, n))
    assert np.allclose(found.lag_covariance, second, rtol=1e-8, atol=1e-12)


def test_bayes_with_a_singular_covariance_is_the_limit_of_regular_ones() -> None:
    data, _ = gaussian_windows(30, 3, 5, seed=6)
    singular = gf.infer(data, gf.BayesRidge(SINGULAR, 0.7))
    near = gf.infer(data, gf.BayesRidge(SINGULAR + 1e-10 * np.eye(3), 0.7))
    assert np.allclose(singular.couplings, near.couplings, atol=1e-6)
    ratio = singular.couplings.values / singular.couplings.values[:1]
    assert np.allclose(ratio[1], -0.6)  # all lags are one matrix
    assert np.allclose(ratio[2], 0.4)
    nothing = gf.infer(data, gf.BayesRidge(np.zeros((3, 3)), 0.7))
    assert not nothing.couplings.any()


def test_bayes_is_the_best_on_average_and_its_errors_are_right() -> None:
    gamma, n, sigma = np.array([[0.5, 0.3], [0.3, 0.4]]), 8, 0.6
    law, scores, z = gf.LaggedGaussian(gamma), {"bayes": [], "ridge": [], "least": []}, []
    for seed in range(40):
        couplings = law.sample(n=n, seed=seed).matrices
        x = normals(seed, "x", (30, 2 * n))
        data = gf.Windows(x.reshape(30, 2, n), x @ rows(couplings).T + sigma * normals(seed, "e", (30, n)))
        fits = {
            "bayes": gf.BayesRidge(gamma, sigma),
            "ridge": gf.Ridge(sigma**2 * n / 0.45),
            "least": gf.LeastSquares(),
        }
        for name, method in fits.items():
            found = gf.infer(data, method)
            scores[name].append(float(np.sum((found.couplings.values - couplings) ** 2)))
            if name == "bayes":
                z.append((found.couplings.values - couplings) / found.couplings_error.values)
    better = np.array(scores["ridge"]) - np.array(scores["bayes"])
    assert better.mean() > 4 * better.std(ddof=1) / math.sqrt(40)
    assert np.mean(scores["ridge"]) < np.mean(scores["least"])
    square = np.mean(np.square(z), axis=(1, 2, 3))
    assert abs(square.mean() - 1.0) < 4 * square.std(ddof=1) / math.sqrt(40)


def test_errors_and_lag_covariance_of_least_squares_are_unbiased() -> None:
    """Over data sets: z of variance 1, and an estimate of Gamma whose mean is that of the sample."""
    n, gamma = 10, np.array([[0.5, -0.2], [-0.2, 0.3]])
    couplings = gf.LaggedGaussian(gamma).sample(n=n, seed=3).matrices
    own = np.einsum("kij,lij->kl", couplings, couplings) / n
    z, gammas, naive = [], [], []
    for seed in range(60):
        x = normals(seed, "x", (45, 2 * n))
        data = gf.Windows(x.reshape(45, 2, n), x @ rows(couplings).T + 0.7 * normals(seed, "e", (45, n)))
        found = gf.infer(data, gf.LeastSquares())
        z.append(np.mean(((found.couplings - couplings) / found.couplings_error) ** 2))
        gammas.append(found.lag_covariance.values)
        naive.append(np.einsum("kij,lij->kl", found.couplings, found.couplings) / n)
    freedom = 45 - 2 * n  # Student's law
    assert abs(np.mean(z) - freedom / (freedom - 2)) < 4 * np.std(z) / math.sqrt(60)
    error = np.std(gammas, axis=0, ddof=1) / math.sqrt(60)
    assert (np.abs(np.mean(gammas, axis=0) - own) < 4 * error).all()
    assert (
        np.abs(np.mean(naive, axis=0) - own)[[0, 1], [0, 1]] > 6 * error[[0, 1], [0, 1]]
    ).all()  # caught without the term


@pytest.mark.parametrize("penalty", [0.0, 0.5, 20.0])
@pytest.mark.parametrize("fields", [False, True])
def test_likelihood_is_that_of_the_textbook(penalty: float, fields: bool) -> None:
    couplings = gf.LaggedGaussian([[0.7, 0.3], [0.3, 0.5]]).sample(n=6, seed=1).matrices
    theta = 0.5 * normals(2, "theta", (6,)) if fields else 0.0
    data = ising_windows(400, couplings, 1.3, seed=2, fields=theta)
    found = gf.infer(data, gf.LogisticLikelihood(penalty=penalty), fields=fields)
    x = data.features
    if fields:
        x = np.concatenate([x, np.ones((400, 1))], axis=1)
    if penalty and fields:  # the field has no penalty: check that the gradient vanishes
        weights = np.concatenate([rows(found.couplings), found.fields.values[:, None]], axis=1)
        slope = x.T @ (data.targets - np.tanh(x @ weights.T))
        assert np.abs(slope[-1]).max() < 1e-8
        assert np.allclose(slope[:-1], penalty * rows(found.couplings).T, atol=1e-8)
    else:
        expected = newton_by_hand(x, data.targets, penalty)
        assert np.allclose(rows(found.couplings), expected[:, :12], atol=1e-8)
        if fields:
            assert np.allclose(found.fields, expected[:, -1], atol=1e-8)
    assert found.attrs["status"] == "converged"
    warm = gf.infer(data, gf.LogisticLikelihood(beta=1.3, penalty=penalty), fields=fields)
    assert np.allclose(1.3 * warm.couplings, found.couplings, rtol=1e-9, atol=1e-12)
    assert float(warm.log_likelihood) == pytest.approx(float(found.log_likelihood), rel=1e-12)


def test_likelihood_gradient_and_fisher_errors_by_finite_differences() -> None:
    couplings = gf.LaggedGaussian([[0.8]]).sample(n=4, seed=5).matrices
    data = ising_windows(200, couplings, 1.0, seed=6)
    found = gf.infer(data, gf.LogisticLikelihood())
    x, s, at = data.features, data.targets, rows(found.couplings)

    def total(weights: np.ndarray, site: int) -> float:
        h = x @ weights
        return float(np.sum(s[:, site] * h - np.log(2 * np.cosh(h))))

    assert total(at[0], 0) / 200 + total(at[1], 1) / 200 + total(at[2], 2) / 200 + total(
        at[3], 3
    ) / 200 == pytest.approx(4 * float(found.log_likelihood), rel=1e-12)
    step = 1e-4 * np.eye(4)
    for site in range(4):
        slope = [(total(at[site] + e, site) - total(at[site] - e, site)) / 2e-4 for e in step]
        assert np.abs(slope).max() < 1e-5
        hessian = np.array(
            [
                [
                    (total(at[site] + a + b, site) - total(at[site] + a - b, site))
                    - (total(at[site] - a + b, site) - total(at[site] - a - b, site))
                    for b in step
                ]
                for a in step
            ]
        ) / 4e-8  # fmt: skip
        errors = np.sqrt(np.diag(np.linalg.inv(-hessian)))
        assert np.allclose(rows(found.couplings_error)[site], errors, rtol=1e-4)
        off = at[site] + 0.1
        numeric = [(total(off + e, site) - total(off - e, site)) / 2e-4 for e in step]
        assert np.allclose(numeric, x.T @ (s[:, site] - np.tanh(x @ off)), rtol=1e-5, atol=1e-5)


def test_likelihood_finds_couplings_within_its_errors() -> None:
    beta = 0.9
    couplings = gf.LaggedGaussian([[0.6, 0.2], [0.2, 0.4]]).sample(n=20, seed=7).matrices
    theta = 0.3 * normals(9, "theta", (20,))
    data = ising_windows(5000, couplings, beta, seed=8, fields=theta)
    found = gf.infer(data, gf.LogisticLikelihood(beta=beta), fields=True)
    z = (found.couplings.values - couplings) / found.couplings_error.values
    assert abs(np.mean(z**2) - 1.0) < 5 * math.sqrt(2.0 / z.size)
    assert np.abs((found.fields - theta) / found.fields_error).max() < 4.5
    own = np.einsum("kij,lij->kl", couplings, couplings) / 20
    assert np.abs(found.lag_covariance - own).max() < 0.02
    reverse = (found.couplings.values.swapaxes(1, 2) - couplings) / found.couplings_error.values
    assert np.mean(reverse**2) > 10.0  # a transposed estimate is caught
    inverted = gf.infer(data, gf.MeanFieldInversion(), fields=True)
    away = (inverted.couplings.values - beta * couplings) / inverted.couplings_error.values
    assert abs(np.mean(away**2) - 1.0) < 0.15  # with the bias of 20 sites
    assert np.abs(inverted.fields - beta * theta).max() < 0.15


@pytest.mark.parametrize("pairs", [20, 45, 70])
def test_separation_is_reported_where_a_linear_program_finds_it(pairs: int) -> None:
    from scipy.optimize import linprog

    couplings = gf.LaggedGaussian([[1.0]]).sample(n=20, seed=1).matrices
    data = ising_windows(pairs, couplings, 1.0, seed=3)
    found = gf.infer(data, gf.LogisticLikelihood())
    x, s = data.features, data.targets
    separable = []
    for site in range(20):  # some weights give every token its sign
        margins = -s[:, site : site + 1] * x
        answer = linprog(np.zeros(20), A_ub=margins, b_ub=-np.ones(pairs), bounds=[(None, None)] * 20)
        separable.append(answer.status == 0)
    assert np.array_equal(found.separated, separable)
    assert found.attrs["status"] == ("degenerate" if any(separable) else "converged")
    if any(separable):
        assert "have some couplings" in found.attrs["status_sentence"] or "separated" in found.attrs["status_sentence"]
        assert np.isinf(found.couplings_error.values[:, np.array(separable)]).all()
        assert "lag_covariance" not in found
    assert np.isfinite(found.couplings).all()
    held = gf.infer(data, gf.LogisticLikelihood(penalty=0.5))
    assert held.attrs["status"] == "converged"
    assert not held.separated.any()


def test_half_separated_tokens_are_reported_too() -> None:
    """Site 1 decides whenever it is on; where it is off, site 0 says nothing: the weight of site 1 has no bound."""
    history = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]]).reshape(4, 1, 2)
    following = np.repeat([[1.0], [-1.0], [1.0], [1.0]], 2, axis=1)
    data = gf.Windows(np.concatenate([history] * 3), np.tile(following, (3, 1)))
    found = gf.infer(data, gf.LogisticLikelihood())
    assert found.separated.all()
    assert found.attrs["status"] == "degenerate"


def test_zero_temperature_is_separable_and_a_penalty_gives_the_direction() -> None:
    couplings = gf.LaggedGaussian([[0.5, 0.3], [0.3, 0.4]]).sample(n=5, seed=2).matrices
    history = np.where(uniforms(1, "h", (300, 2, 5)) < 0.5, -1, 1)
    data = gf.Windows(history, np.sign(history.reshape(300, -1) @ rows(couplings).T))
    assert gf.infer(data, gf.LogisticLikelihood()).separated.all()
    found = rows(gf.infer(data, gf.LogisticLikelihood(penalty=0.01)).couplings)
    sizes = np.linalg.norm(found, axis=1) * np.linalg.norm(rows(couplings), axis=1)
    assert (np.sum(found * rows(couplings), axis=1) / sizes > 0.95).all()


@pytest.mark.parametrize("variance", [1e-6, 0.05, 1.0, 9.0, 400.0])
@pytest.mark.parametrize("mean", [0.0, 0.4, -0.8])
def test_mean_field_gain_solves_its_equation(variance: float, mean: float) -> None:
    from scipy.integrate import quad

    def average(function: Any) -> float:
        width = 1.0 / math.sqrt(1.0 + variance)
        pieces = [-9.0, -5 * width, 0.0, 5 * width, 9.0]
        return sum(
            quad(
                lambda z: function(shift + math.sqrt(variance) * z) * math.exp(-z * z / 2),
                a,
                b,
                epsabs=1e-13,
                limit=200,
            )[0]
            for a, b in itertools.pairwise(pieces)
        ) / math.sqrt(2 * math.pi)

    shift = mean * math.sqrt(1.0 + variance)
    target_mean, gain = average(math.tanh), average(lambda u: 1.0 - math.tanh(u) ** 2)
    gains, shifts, fallback = solve_gain(np.array([variance * gain**2]), np.array([target_mean]))
    assert not fallback.any()
    assert gains[0] == pytest.approx(gain, rel=2e-6)
    assert shifts[0] == pytest.approx(shift, abs=1e-4 * (1 + abs(shift)))


def test_mean_field_falls_back_beyond_two_over_pi() -> None:
    bound = 2.0 / math.pi
    gains, _, fallback = solve_gain(np.array([0.999 * bound, 1.001 * bound]), np.zeros(2))
    assert fallback.tolist() == [False, True]
    assert gains[1] == 1.0
    history = np.where(uniforms(1, "h", (60, 1, 3)) < 0.5, -1, 1)
    found = gf.infer(gf.Windows(history, history[:, 0]), gf.MeanFieldInversion())  # tokens that repeat themselves
    assert found.fallback.all()
    assert found.attrs["status"] == "out_of_range"
    assert np.allclose(found.couplings.values[0], np.eye(3), atol=1e-9)


@pytest.mark.parametrize("fields", [False, True])
def test_online_descent_is_the_loop(fields: bool) -> None:
    data, _ = gaussian_windows(50, 2, 3, seed=9)
    weights, bias, errors = np.zeros((3, 6)), np.zeros(3), []
    for x, s in zip(data.features, data.targets):
        wrong = s - weights @ x - bias
        errors.append(np.mean(wrong**2))
        weights = weights + 0.02 * wrong[:, None] * x[None, :]
        bias = bias + 0.02 * wrong * fields
    found = gf.infer(data, gf.OnlineSGD(0.02), fields=fields)
    assert np.allclose(rows(found.couplings), weights, atol=1e-13)
    assert np.allclose(found.fields, bias, atol=1e-13)
    assert float(found.online_error) == pytest.approx(np.mean(errors), rel=1e-12)
    with pytest.raises(NotConvergedError, match="unstable"):
        gf.infer(gaussian_windows(2000, 2, 3, seed=9)[0], gf.OnlineSGD(5.0))


def test_held_out_scores_are_those_of_the_held_out_windows() -> None:
    data, _ = gaussian_windows(120, 2, 4, seed=11)
    train, test = data.first(80), gf.Windows(data.history[80:], data.next[80:])
    found = gf.infer(train, gf.LeastSquares(), held_out=test)
    error = np.mean((test.targets - test.features @ rows(found.couplings).T) ** 2)
    assert float(found.mean_squared_error_held_out) == pytest.approx(error, rel=1e-12)
    assert float(found.log_likelihood_held_out) < float(found.log_likelihood)
    longer = gf.infer(data, gf.LeastSquares(), context=1)
    assert longer.sizes["lag"] == 1


def test_sites_may_be_renamed_and_signs_flipped() -> None:
    couplings = gf.LaggedGaussian([[0.6, 0.1], [0.1, 0.4]]).sample(n=6, seed=4).matrices
    data = ising_windows(600, couplings, 1.0, seed=5)
    order, signs = np.array([3, 0, 5, 1, 4, 2]), np.array([1, -1, 1, 1, -1, -1])
    moved = gf.Windows(data.history[:, :, order] * signs, data.next[:, order] * signs)
    for method in (gf.LogisticLikelihood(), gf.MeanFieldInversion(), gf.Ridge(2.0)):
        plain, other = gf.infer(data, method).couplings.values, gf.infer(moved, method).couplings.values
        assert np.allclose(other, plain[:, order][:, :, order] * np.outer(signs, signs), atol=1e-7)


@pytest.mark.parametrize(
    ("call", "piece"),
    [
        (lambda: gf.windows(np.zeros((1, 3, 2)), context=3), "the length of the sequences is 3"),
        (lambda: gf.windows(np.zeros(4), context=1), "the shape of tokens"),
        (lambda: gf.windows(np.full((1, 5, 2), np.nan), context=1), "not finite"),
        (lambda: gf.windows(np.array([["a"], ["b"]]), context=1), "real numbers"),
        (lambda: gf.Windows(np.zeros((4, 2, 3)), np.zeros((4, 2))), r"the shape of next is \(4, 2\)"),
        (lambda: gf.Windows(np.zeros((0, 2, 3)), np.zeros((0, 3))), "none of them empty"),
        (lambda: gf.infer(np.zeros((1, 5, 2)), gf.LeastSquares()), "context is None"),
        (lambda: gf.infer((np.zeros((4, 2, 3)), np.zeros((4, 3))), gf.LeastSquares()), r"gf.Windows\(history, next\)"),
        (lambda: gf.infer(gf.Windows(np.zeros((4, 2, 3)), np.zeros((4, 3))), gf.LeastSquares(), context=3), "from 1 to 2"),
        (lambda: gf.infer(np.ones((1, 9, 2)), gf.BayesRidge(np.eye(3), 1.0), context=2), "the shape of covariance"),
        (lambda: gf.BayesRidge([[1.0, 2.0], [2.0, 1.0]], 1.0), "the lowest eigenvalue of covariance"),
        (lambda: gf.BayesRidge(np.eye(2), 0.0), "sigma is 0.0"),
        (lambda: gf.Ridge(-1.0), "penalty is -1.0"),
        (lambda: gf.OnlineSGD(0.0), "rate is 0.0"),
        (lambda: gf.LogisticLikelihood(beta=math.inf), "beta is inf"),
        (
            lambda: gf.infer(np.ones((1, 9, 2)), gf.LeastSquares(), context=2, held_out=np.ones((1, 9, 3))),
            "the number of sites of held_out",
        ),
    ],
)  # fmt: skip
def test_bad_data_get_one_sentence(call: Any, piece: str) -> None:
    with pytest.raises(InvalidInputError, match=piece):
        call()


def test_what_cannot_infer_is_refused_with_what_can() -> None:
    for method in (gf.LeastSquares, gf.TokenRule(), 3):
        with pytest.raises(MethodNotApplicableError, match="LeastSquares, Ridge, BayesRidge"):
            gf.infer(np.ones((1, 5, 2)), method, context=1)
    for method in (gf.LogisticLikelihood(), gf.MeanFieldInversion()):
        with pytest.raises(MethodNotApplicableError, match="tokens of -1 and 1"):
            gf.infer(0.5 * np.ones((1, 5, 2)), method, context=1)


def test_the_table_of_methods_names_estimators_and_solve_sends_them_to_infer() -> None:
    model = gf.ExtendedContext(np.zeros((1, 3, 3)))
    table = gf.methods(model)
    assert [row.name for row in table if row.verb == "infer"] == list(METHODS)
    assert "LeastSquares" not in table.solvers
    with pytest.raises(MethodNotApplicableError, match=r"use gf\.infer; these do: "):
        gf.solve(model, gf.LeastSquares())


def test_a_corpus_is_fitted_on_its_train_split_and_scored_on_its_test_split() -> None:
    tokens = np.where(uniforms(1, "tokens", (5, 400, 4)) < 0.5, -1, 1).astype(np.int8)
    corpus = SimpleCorpus(tokens)
    fit = gf.infer(corpus, gf.LogisticLikelihood(), held_out=corpus)
    assert fit.attrs["pairs"] == 3 * 398
    assert np.abs(fit.couplings / fit.couplings_error).max() < 4.5
    plain = gf.infer(tokens[:3], gf.LogisticLikelihood(), context=2, held_out=tokens[3:])
    assert float(plain.log_likelihood_held_out) == float(fit.log_likelihood_held_out)
    assert gf.infer(corpus, gf.MeanFieldInversion(), context=1).sizes["lag"] == 1


class SimpleCorpus:
    """What a corpus is to a student."""

    context = 2

    def __init__(self, tokens: np.ndarray) -> None:
        self.tokens = tokens

    def split(self, name: str) -> np.ndarray:
        return {"train": self.tokens[:3], "test": self.tokens[3:]}[name]


@pytest.mark.parametrize(("gamma", "n", "pairs"), [([[0.6]], 60, 20_000), ([[0.6, 0.3], [0.3, 0.5]], 40, 20_000)])
def test_mean_field_fields_are_not_biased_by_skew_tokens(gamma, n, pairs):
    # Without the correction the slope of the fields on those of the teacher is .86 to .93.
    fields = 0.5 * np.random.default_rng(n).normal(size=n)
    model = gf.ExtendedContext(gf.LaggedGaussian(gamma).sample(n=n, seed=n), fields=fields)
    run = gf.simulate(
        model,
        gf.TokenRule(),
        steps=pairs // 64,
        replicas=64,
        burn_in=50,
        seed=1,
        measure=gf.ContextMeasure(tokens=True),
    )
    fit = gf.infer(run, gf.MeanFieldInversion(), context=len(gamma), fields=True)
    slope = float(fields @ fit.fields.values / (fields @ fields))
    # errors of the fields are about those of the couplings, sqrt(d / P) / gain; what is left besides is O(1/N)
    noise = np.sqrt(n * len(gamma) / pairs) / np.linalg.norm(fields)
    assert abs(slope - 1.0) < 5.0 * noise / float(fit.gain.mean()) + 1.0 / n

"""Exact small extended-context models: against plain loops, closed forms, and routes that share no line of code."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest

import glassformer as gf
from glassformer._core._errors import InvalidInputError, MethodNotApplicableError


def cosines(context: int, n: int) -> np.ndarray:
    """Couplings without random numbers, J_k,ij = cos(i + 2j + 3k) / sqrt(N) with i, j, k from 1."""
    lag, site, other = np.meshgrid(*[np.arange(1, m + 1) for m in (context, n, n)], indexing="ij")
    return np.asarray(np.cos(site + 2 * other + 3 * lag) / math.sqrt(n))


def normal_cdf(x: float) -> float:
    return 0.5 * math.erfc(-x / math.sqrt(2.0))


def by_loops(couplings: np.ndarray, fields: np.ndarray, beta: float, variant: str, lags: int) -> dict[str, Any]:
    """Return moments from dictionaries of windows (newest token first), iterated until nothing moves."""
    context, n = couplings.shape[:2]
    tokens = list(itertools.product((-1, 1), repeat=n))

    def probability(token: tuple[int, ...], past: tuple[tuple[int, ...], ...]) -> float:
        product = 1.0
        for i in range(n):
            h = fields[i]
            for k in range(context):
                for j in range(n):
                    h += couplings[k][i][j] * past[k][j]
            if variant == "ising":
                product *= math.exp(beta * token[i] * h) / (2 * math.cosh(beta * h))
            else:
                product *= normal_cdf(beta * token[i] * h)
        return product

    windows = list(itertools.product(tokens, repeat=context))
    move = {w: {t: probability(t, w) for t in tokens} for w in windows}

    def step(law: dict[Any, float]) -> dict[Any, float]:
        later = dict.fromkeys(windows, 0.0)
        for w, weight in law.items():
            for t, p in move[w].items():
                later[(t, *w[:-1])] += weight * p
        return later

    law = dict.fromkeys(windows, 1.0 / len(windows))
    for _ in range(5000):
        later = step(law)
        gap = max(abs(later[w] - law[w]) for w in windows)
        law = later
        if gap < 1e-16:
            break
    correlation = []
    for lag in range(lags + 1):
        total = 0.0
        for j in range(n):  # the signed measure of windows weighted with a token of the past
            measure = {w: law[w] * w[0][j] for w in windows}
            for _ in range(lag):
                measure = step(measure)
            total += sum(weight * w[0][j] for w, weight in measure.items())
        correlation.append(total / n)
    entropy = -sum(law[w] * p * math.log(p) for w in windows for p in move[w].values()) / n
    production = 0.0
    for w in windows:
        for t, p in move[w].items():
            path = (t, *w)  # newest first, one token longer than a window
            production += law[w] * p * math.log(p / probability(path[-1], tuple(reversed(path[:-1]))))
    mean = [sum(weight * w[0][i] for w, weight in law.items()) for i in range(n)]
    return {
        "autocorrelation": correlation,
        "entropy_rate": entropy,
        "entropy_production": production,
        "magnetization": mean,
    }


def exact(couplings: Any, *, fields: Any = 0.0, lags: int = 6, variant: str = "ising", **rule: float) -> Any:
    model = gf.ExtendedContext(couplings, fields=fields)
    return gf.solve(model, gf.ExactContext(gf.TokenRule(variant, **rule), lags=lags))


# ---------------------------------------------------------------- two-valued tokens


def test_the_reference_couplings_give_the_reference_numbers() -> None:
    found = exact(cosines(2, 3), beta=1.0, lags=4)
    assert np.allclose(
        found["autocorrelation"][1:], [-0.0791171265, 0.0108770838, -0.2166065489, 0.0472167122], atol=5e-11
    )
    assert float(found["entropy_rate"]) == pytest.approx(0.4801778330, abs=5e-11)
    assert float(found["entropy_production_per_spin"]) == pytest.approx(0.2149369800, abs=5e-11)
    assert float(found["entropy_production"]) == pytest.approx(3 * float(found["entropy_production_per_spin"]))
    assert float(found["loss_floor"]) == float(found["entropy_rate"])


@pytest.mark.parametrize(
    ("context", "n", "beta", "variant", "field"),
    [(1, 3, 0.7, "ising", 0.4), (2, 2, 1.9, "ising", 0.0), (3, 2, 0.8, "ising", -0.3), (4, 1, 1.3, "ising", 0.2),
     (2, 2, 1.1, "probit", 0.0), (3, 1, 0.6, "probit", 0.5), (1, 1, 0.0, "ising", 0.7)],
)  # fmt: skip
def test_every_number_is_that_of_plain_loops(context: int, n: int, beta: float, variant: str, field: float) -> None:
    couplings = 1.7 * cosines(context, n) + 0.1
    fields = field * np.arange(1, n + 1)
    found = exact(couplings, fields=fields, variant=variant, beta=beta)
    for name, value in by_loops(couplings, fields, beta, variant, 6).items():
        assert np.allclose(found[name], value, atol=1e-12), name


@pytest.mark.parametrize("symmetric", [True, False])
def test_one_lag_is_the_parallel_process_of_enumeration(symmetric: bool) -> None:
    matrix = cosines(1, 4)[0]
    matrix = matrix + matrix.T if symmetric else matrix
    fields = np.array([0.3, -0.2, 0.0, 0.5])
    found = exact(matrix[None], fields=fields, beta=1.4)
    other = gf.solve(gf.VectorSpin(matrix, fields[:, None], dim=1, radius="unit"), gf.Enumeration(1.4))
    assert np.allclose(found["magnetization"], other["magnetization"].values[:, 0], atol=1e-12)
    assert np.allclose(found["lagged_correlation"][0], other["correlation"], atol=1e-12)
    assert np.allclose(found["lagged_correlation"][1], other["delayed_correlation"], atol=1e-12)
    assert float(found["entropy_production"]) == pytest.approx(float(other["entropy_production"]), abs=1e-12)
    if symmetric:  # detailed balance
        assert float(found["entropy_production"]) < 1e-13


def test_a_one_way_ring_has_closed_forms() -> None:
    n, strength, beta = 4, 0.9, 1.3
    found = exact(strength * np.roll(np.eye(n), 1, axis=0)[None], beta=beta, lags=2 * n)
    follow = math.tanh(beta * strength)
    expected = [follow**lag if lag % n == 0 else 0.0 for lag in range(2 * n + 1)]
    assert np.allclose(found["autocorrelation"], expected, atol=1e-13)
    assert float(found["entropy_production"]) == pytest.approx(n * beta * strength * follow, rel=1e-12)
    up = 0.5 * (1 + follow)
    assert float(found["entropy_rate"]) == pytest.approx(-up * math.log(up) - (1 - up) * math.log(1 - up), rel=1e-12)
    assert float(found["q0"]) == pytest.approx(strength**2, rel=1e-12)


def test_couplings_at_every_other_lag_are_two_interleaved_processes() -> None:
    matrix = 1.2 * cosines(1, 3)
    once = exact(matrix, beta=1.1, lags=3)
    twice = exact(np.stack([np.zeros((3, 3)), matrix[0]]), beta=1.1, lags=6)
    assert np.allclose(twice["autocorrelation"][::2], once["autocorrelation"], atol=1e-12)
    assert np.allclose(twice["autocorrelation"][1::2], 0.0, atol=1e-12)
    assert float(twice["entropy_rate"]) == pytest.approx(float(once["entropy_rate"]), rel=1e-12)


def test_gauge_and_alternation_leave_what_they_must() -> None:
    couplings = 1.4 * cosines(3, 3)
    signs = np.array([1.0, -1.0, -1.0])
    base, gauged = exact(couplings, beta=0.9), exact(couplings * np.outer(signs, signs), beta=0.9)
    assert np.allclose(base["autocorrelation"], gauged["autocorrelation"], atol=1e-12)
    # s_t -> (-1)^t s_t turns J_k into (-1)^k J_k
    turned = exact(couplings * np.array([-1.0, 1.0, -1.0])[:, None, None], beta=0.9)
    assert np.allclose(turned["autocorrelation"] * (-1.0) ** np.arange(7), base["autocorrelation"], atol=1e-12)
    for name in ("entropy_rate", "entropy_production", "q0"):
        assert float(gauged[name]) == pytest.approx(float(base[name]), abs=1e-12)
        assert float(turned[name]) == pytest.approx(float(base[name]), abs=1e-12)


def test_free_spins_and_infinite_temperature() -> None:
    free = exact(np.zeros((2, 3, 3)), fields=0.6, beta=1.5)
    assert np.allclose(free["magnetization"], math.tanh(0.9), atol=1e-13)
    assert np.allclose(free["autocorrelation"][1:], math.tanh(0.9) ** 2, atol=1e-13)
    assert float(free["q0"]) == pytest.approx(0.0, abs=1e-14)
    hot = exact(cosines(2, 3), beta=0.0)
    assert float(hot["entropy_rate"]) == pytest.approx(math.log(2.0), rel=1e-14)
    assert float(hot["entropy_production"]) < 1e-13


@pytest.mark.parametrize("context", [1, 3])
def test_infinite_beta_is_the_map_followed_from_every_state(context: int) -> None:
    n = 3
    couplings = cosines(context, n)
    found = exact(couplings, beta=math.inf, lags=5)
    cycles: dict[frozenset[Any], int] = {}
    total = np.zeros(6)
    starts = list(itertools.product(itertools.product((-1, 1), repeat=n), repeat=context))
    for start in starts:
        window, seen = start, {}
        path = [start]
        while window not in seen:
            seen[window] = len(seen)
            token = np.sign(sum(couplings[k] @ np.array(window[k]) for k in range(context))).astype(int)
            window = (tuple(int(s) for s in token), *window[:-1])
            path.append(window)
        cycle = path[seen[window] : -1]
        cycles[frozenset(cycle)] = cycles.get(frozenset(cycle), 0) + 1
        line = np.array([w[0] for w in cycle] * 7)
        for lag in range(6):
            total[lag] += np.mean([line[t] @ line[t + lag] / n for t in range(len(cycle))])
    assert int(found["attractors"]) == len(cycles)
    wanted = sorted(
        ((count / len(starts), len(cycle)) for cycle, count in cycles.items()), key=lambda one: (-one[0], one[1])
    )
    assert np.allclose(found["basin"], [basin for basin, _ in wanted], atol=1e-12)
    assert found["attractor_size"].values.tolist() == [size for _, size in wanted]
    assert np.allclose(found["autocorrelation"], total / len(starts), atol=1e-12)
    assert float(found["entropy_rate"]) == 0.0
    assert (found.attrs["status"] == "out_of_range") == (len(cycles) > 1)
    if len(cycles) > 1:
        assert "not ergodic" in found.attrs["status_sentence"]


def test_a_field_that_cancels_at_infinite_beta_is_a_fair_coin() -> None:
    coins = exact(np.zeros((1, 2, 2)), beta=math.inf)
    assert coins.attrs["status"] == "ok"
    assert int(coins["attractors"]) == 1
    assert float(coins["entropy_rate"]) == pytest.approx(math.log(2.0))
    # 0.1 + 0.2 - 0.3 is not 0 in floating point
    rounding = exact([[[0.0, 0.1, 0.2, -0.3]] + [[0.0] * 4] * 3], beta=math.inf)
    assert float(rounding["entropy_rate"]) > 0.75 * math.log(2.0)


def test_the_law_without_a_field_is_that_of_the_whole_chain() -> None:
    from glassformer.theory.exact import stationary_law
    from glassformer.theory.exact._context_chain import TokenChain

    rule = gf.TokenRule(beta=1.7)
    chain = TokenChain.of(cosines(2, 3), np.zeros(3), rule)
    assert chain.symmetric
    law = gf.ExactContext(rule).stationary_law(gf.ExtendedContext(cosines(2, 3)))
    assert np.allclose(law, stationary_law(chain.transition()), rtol=1e-12, atol=0)
    assert np.array_equal(law, law[::-1])
    assert not TokenChain.of(cosines(2, 3), np.full(3, 1e-9), rule).symmetric
    # so cold that a sequence never leaves one half of the states
    cold = exact(np.eye(1)[None], beta=20.0)
    assert cold["stationary_law"].values.tolist() == [0.5, 0.5]


def test_a_temperature_too_low_to_tell_the_law_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="not unique to rounding; lower beta"):
        exact(np.eye(3)[None], fields=0.1, beta=1e4)


def test_the_law_is_the_one_that_stays_and_states_are_numbered_as_documented() -> None:
    model = gf.ExtendedContext(np.array([[[0.0, 0.0], [0.0, 0.0]], [[0.9, 0.0], [0.0, -0.4]]]), fields=[0.2, 0.0])
    law = gf.ExactContext(gf.TokenRule(beta=1.0)).stationary_law(model)
    assert law.shape == (16,)
    assert law.sum() == pytest.approx(1.0)
    newest = law.reshape(4, 4).sum(axis=1)
    mean = gf.solve(model, gf.ExactContext(gf.TokenRule(beta=1.0)))["magnetization"].values
    assert newest[1] + newest[3] - newest[0] - newest[2] == pytest.approx(mean[0])  # bit 0 is site 0


# ---------------------------------------------------------------- gaussian tokens


def test_scalar_autoregressions_have_closed_forms() -> None:
    a, sigma = -0.7, 1.3
    found = exact([[[a]]], variant="gaussian", sigma=sigma)
    assert np.allclose(found["autocorrelation"], sigma**2 / (1 - a * a) * a ** np.arange(7), rtol=1e-13)
    assert float(found["spectral_radius"]) == pytest.approx(0.7)
    p, q = 0.5, -0.3
    second = exact([[[p]], [[q]]], variant="gaussian", fields=0.4)
    variance = (1 - q) / ((1 + q) * ((1 - q) ** 2 - p**2))
    mean = 0.4 / (1 - p - q)
    assert float(second["autocorrelation"][0]) == pytest.approx(variance + mean**2, rel=1e-13)
    assert float(second["autocorrelation"][1]) == pytest.approx(variance * p / (1 - q) + mean**2, rel=1e-13)
    assert np.allclose(second["magnetization"], mean)
    assert float(second["entropy_production"]) < 1e-13  # a scalar gaussian process looks the same backwards


@pytest.mark.parametrize(("context", "n", "sigma"), [(1, 4, 1.0), (3, 5, 0.4), (2, 9, 2.0)])
def test_gaussian_moments_solve_the_lyapunov_equation(context: int, n: int, sigma: float) -> None:
    from scipy.linalg import solve_discrete_lyapunov

    couplings = 0.3 * cosines(context, n)
    found = exact(couplings, variant="gaussian", sigma=sigma, lags=context + 3)
    size = context * n
    matrix = np.zeros((size, size))
    matrix[:n] = np.concatenate(list(couplings), axis=1)
    matrix[n:, :-n] = np.eye(size - n)
    noise = np.zeros((size, size))
    noise[:n, :n] = sigma**2 * np.eye(n)
    whole = solve_discrete_lyapunov(matrix, noise)
    assert np.allclose(found["lagged_correlation"][0], whole[:n, :n], rtol=1e-10, atol=1e-12)
    power = whole
    for lag in range(context + 4):  # <x_{t+lag} x_t^T> = A^lag Sigma
        assert np.allclose(found["lagged_correlation"][lag], power[:n, :n], rtol=1e-10, atol=1e-12), lag
        power = matrix @ power
    assert float(found["q0"]) == pytest.approx(np.trace(whole[:n, :n]) / n - sigma**2, rel=1e-9)
    # entropy production as the growth of the divergence between a path of T tokens and its reversal
    steps = 2 * context + 2
    lagged = exact(couplings, variant="gaussian", sigma=sigma, lags=steps)["lagged_correlation"].values
    divergences = []
    for length in (steps - 1, steps):
        cov = np.block([[lagged[a - b] if a >= b else lagged[b - a].T for b in range(length)] for a in range(length)])
        order = np.arange(length * n).reshape(length, n)[::-1].ravel()
        back = cov[np.ix_(order, order)]
        divergences.append(0.5 * (np.trace(np.linalg.solve(back, cov)) - length * n))
    assert float(found["entropy_production"]) == pytest.approx(divergences[1] - divergences[0], rel=1e-7, abs=1e-12)


def test_symmetric_gaussian_couplings_at_one_lag_are_reversible() -> None:
    matrix = 0.2 * (cosines(1, 6)[0] + cosines(1, 6)[0].T)
    assert float(exact(matrix[None], variant="gaussian")["entropy_production"]) < 1e-12
    assert float(exact(0.4 * cosines(1, 6), variant="gaussian")["entropy_production"]) > 1e-3


def test_gaussian_tokens_that_grow_are_refused_with_a_way_out() -> None:
    with pytest.raises(InvalidInputError, match="no stationary state exists.*draw others"):
        exact([[[1.0]]], variant="gaussian")
    model = gf.ExtendedContext([[[1.1]]])
    grown = gf.solve(model, gf.ExactContext(gf.TokenRule("gaussian")), steps=5)
    variance = 1.1**10 + sum(1.1 ** (2 * k) for k in range(5))
    assert float(grown["two_time_correlation"][-1, -1]) == pytest.approx(variance)


def test_a_large_draw_agrees_with_the_infinite_limit() -> None:
    law = gf.LaggedGaussian([[0.3, 0.15], [0.15, 0.25]])
    found = [exact(law.sample(n=150, seed=seed), variant="gaussian", lags=2) for seed in range(4)]
    c0 = np.array([float(one["autocorrelation"][0]) for one in found])
    assert abs(c0.mean() - 2.98142397) < 4 * math.hypot(c0.std(ddof=1) / 2, 2 / 150 * 3)
    production = np.array([float(one["entropy_production_per_spin"]) for one in found])
    assert abs(production.mean() - 1.78521826) < 4 * math.hypot(production.std(ddof=1) / 2, 2 / 150 * 2)


# ---------------------------------------------------------------- transients


@pytest.mark.parametrize("variant", ["ising", "gaussian"])
def test_a_transient_ends_in_the_stationary_state(variant: str) -> None:
    couplings = (0.8 if variant == "ising" else 0.4) * cosines(2, 3)
    model = gf.ExtendedContext(couplings, fields=[0.1, 0.0, -0.3])
    method = gf.ExactContext(gf.TokenRule(variant), lags=4)
    for start in ("independent", "repeated", np.array([[1.0, -1.0, 1.0], [1.0, 1.0, -1.0]])):
        late = gf.solve(model, method, start=start, steps=90)
        steady = gf.solve(model, method)
        assert np.allclose(late["two_time_correlation"][-1, -5:][::-1], steady["autocorrelation"], atol=1e-9)
        assert np.allclose(late["magnetization"][-1], steady["magnetization"], atol=1e-9)
        assert late["time"].values.tolist() == list(range(-1, 91))


def test_a_transient_is_the_average_over_all_paths() -> None:
    context, n, steps, beta = 2, 2, 3, 1.2
    couplings, history = 1.5 * cosines(context, n), np.array([[1.0, -1.0], [-1.0, -1.0]])
    model = gf.ExtendedContext(couplings)
    tokens = [np.array(t) for t in itertools.product((-1.0, 1.0), repeat=n)]
    wanted = np.zeros((context + steps, context + steps))
    for drawn in itertools.product(tokens, repeat=steps):
        path = [*history[::-1], *drawn]
        weight = 1.0
        for t in range(context, len(path)):
            h = sum(couplings[k] @ path[t - k - 1] for k in range(context))
            weight *= float(np.prod(1.0 / (1.0 + np.exp(-2.0 * beta * path[t] * h))))
        wanted += weight * np.array([[a @ b / n for b in path] for a in path])
    found = gf.solve(model, gf.ExactContext(gf.TokenRule(beta=beta)), start=history, steps=steps)
    assert np.allclose(found["two_time_correlation"], wanted, atol=1e-13)
    repeated = gf.solve(model, gf.ExactContext(gf.TokenRule(beta=beta)), start="repeated", steps=1)
    assert np.allclose(repeated["two_time_correlation"][:2, :2], 1.0)


# ---------------------------------------------------------------- refusals


def test_what_cannot_be_listed_is_refused_with_a_way_out() -> None:
    for rule in (gf.TokenRule("graded"), gf.TokenRule("spherical")):
        with pytest.raises(MethodNotApplicableError, match=rule.variant):
            gf.solve(gf.ExtendedContext(cosines(1, 2)), gf.ExactContext(rule))
    with pytest.raises(MethodNotApplicableError, match="K N <= 12 for ising tokens, not 14"):
        gf.solve(gf.ExtendedContext(cosines(2, 7)), gf.ExactContext(gf.TokenRule()))
    with pytest.raises(MethodNotApplicableError):
        gf.solve(gf.VectorSpin(np.eye(3), dim=3), gf.ExactContext(gf.TokenRule()))
    with pytest.raises(InvalidInputError, match="rule"):
        gf.ExactContext(1.0)  # type: ignore[arg-type]
    model = gf.ExtendedContext(cosines(2, 2))
    with pytest.raises(InvalidInputError, match="start is 'repeated', but must be left out"):
        gf.solve(model, gf.ExactContext(gf.TokenRule()), start="repeated")
    with pytest.raises(InvalidInputError, match=r"\(2, 2\): \(lag, site\)"):
        gf.solve(model, gf.ExactContext(gf.TokenRule()), start=np.ones((3, 2)), steps=2)
    with pytest.raises(InvalidInputError, match="two-valued"):
        gf.solve(model, gf.ExactContext(gf.TokenRule()), start=0.5 * np.ones((2, 2)), steps=2)

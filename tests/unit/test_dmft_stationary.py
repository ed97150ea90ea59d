"""Stationary dynamical mean-field theory: reference numbers, closed forms, symmetries, slow versions, simulation."""

from __future__ import annotations

import math
from decimal import Decimal, localcontext

import naive
import numpy as np
import pytest

import glassformer as gf
from glassformer._core._arcsine_mixture import REFERENCE_NODES, bivariate_average, logistic_noise
from glassformer.couplings._lag_covariance import diagonal_sums, spectrum
from glassformer.theory.dmft._gaussian import autoregression, spectral_grid
from glassformer.theory.dmft._information import entropy_production, entropy_rate
from glassformer.theory.dmft._nonlinear import averages
from glassformer.theory.dmft._solution import Stationary, solve_stationary
from glassformer.theory.dmft._tail import spectral_radius, tail_roots

INF = math.inf
GAMMA = np.array([[0.6, 0.3, -0.1], [0.3, 0.5, 0.2], [-0.1, 0.2, 0.4]])
SUMS = diagonal_sums(GAMMA)
FLAT = np.array([[0.5, 0.2, 0.0], [0.2, 0.5, -0.2], [0.0, -0.2, 0.5]])  # no sum beside g_0
SIGMOID_RULES = [
    gf.TokenRule("ising", beta=1.7),
    gf.TokenRule("ising", beta=INF),
    gf.TokenRule("probit", beta=2.3),
    gf.TokenRule("graded", beta=2.6),
]


def sums_of(context: int, seed: int, scale: float = 1.0) -> np.ndarray:
    return scale * diagonal_sums(naive.random_covariance(context, seed=seed))


def exact(sums: np.ndarray, beta: float, **options: object) -> Stationary:
    noise = logistic_noise(beta, REFERENCE_NODES)
    return solve_stationary(sums, gf.TokenRule("ising", beta=beta), noise=noise, **options)  # type: ignore[arg-type]


# --- reference numbers --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("beta", "q0", "c", "criticality", "entropy", "production"),
    [
        (0.5, 1.5927528728, (0.0906745199, -0.0103917643, -0.0026527908, -0.0000492141), 0.33392717, 0.5613566732, 0.3049353680),
        (1.0, 1.7086668637, (0.2086600411, -0.0000341130, -0.0092107102, -0.0019438870), 0.59387392, 0.3952428106, 0.8713401966),
        (3.0, 1.8439978141, (0.3534475807, 0.0472488328, -0.0097083455, -0.0067388043), 0.75704166, 0.1558563215, 3.1396176806),
        (INF, 1.8767105614, (0.3894284835, 0.0635896104, -0.0074490157, -0.0077201010), 0.78020847, 0.0, None),
    ],
)  # fmt: skip
def test_the_three_lag_example(
    beta: float, q0: float, c: tuple[float, ...], criticality: float, entropy: float, production: float | None
) -> None:
    found = exact(SUMS, beta)
    assert np.allclose(found.correlation[1:5], c, rtol=0, atol=6e-11)
    assert found.field_variance == pytest.approx(q0, abs=6e-11)
    assert found.criticality == pytest.approx(criticality, abs=6e-9)
    assert entropy_rate(found) == pytest.approx(entropy, abs=6e-11)
    observed = entropy_production(GAMMA, found)
    assert observed is None if production is None else observed == pytest.approx(production, abs=6e-11)


def test_two_equal_lags_and_one_lag() -> None:
    gamma = np.full((2, 2), 0.5)
    found = exact(diagonal_sums(gamma), 1.0)
    assert np.allclose(found.correlation[1:4], [0.2589092595, 0.0641471570, 0.0158510372], rtol=0, atol=6e-11)
    assert entropy_rate(found) == pytest.approx(0.4336861477, abs=6e-11)
    assert entropy_production(gamma, found) == pytest.approx(0.6814996778, abs=6e-11)
    cold = exact(diagonal_sums(gamma), INF)
    assert np.allclose(cold.correlation[1:4], [0.5411070309, 0.2333297765, 0.0967840727], rtol=0, atol=6e-11)
    for beta, entropy, production in (
        (0.5, 0.599438219206, 0.206620964142),
        (1.0, 0.462008878449, 0.605705509603),
        (2.0, 0.290851683821, 1.458955062973),
    ):
        one = exact(np.ones(1), beta)
        assert not one.correlation[1:].any()
        assert one.root == 0
        assert one.correlation_time == 0
        assert entropy_rate(one) == pytest.approx(entropy, abs=1e-12)
        assert entropy_production(np.ones((1, 1)), one) == pytest.approx(production, abs=1e-12)


def test_one_sequence_of_sums_and_two_entropy_productions() -> None:
    rule, gamma = gf.TokenRule(), np.array([1.12132874, 0.48442627, -0.08917991])
    forward = gf.solve(gf.LaggedGaussian.from_factors(gamma), gf.StationaryDMFT(rule))
    backward = gf.solve(gf.LaggedGaussian.from_factors(gamma[::-1]), gf.StationaryDMFT(rule))
    assert float(forward["entropy_production"]) == pytest.approx(0.87338, abs=6e-6)
    assert float(backward["entropy_production"]) == pytest.approx(0.86782, abs=6e-6)
    assert np.allclose(forward["autocorrelation"], backward["autocorrelation"], rtol=0, atol=1e-13)


def test_linear_rules() -> None:
    found = gf.solve(gf.LaggedGaussian([[0.3, 0.15], [0.15, 0.25]]), gf.StationaryDMFT(gf.TokenRule("gaussian")))
    assert float(found["autocorrelation"][0]) == pytest.approx(2.98142397, abs=6e-9)
    assert float(found["slowest_root"]) == pytest.approx(0.38196601, abs=6e-9)
    assert float(found["entropy_production"]) == pytest.approx(1.78521826, abs=6e-9)
    assert float(found["spectral_radius"]) == pytest.approx(0.9466, abs=6e-5)
    found = gf.solve(gf.LaggedGaussian(0.4 * GAMMA), gf.StationaryDMFT(gf.TokenRule("gaussian")))
    wanted = [4.9891316866, 2.6775424571, 0.9420538524, 0.2029606668]
    assert np.allclose(found["autocorrelation"][:4], wanted, rtol=0, atol=6e-11)
    assert float(found["own_past_error"]) == pytest.approx(3.4832056578, abs=1e-10)
    assert float(found["spectral_radius"]) == pytest.approx(0.9780827, abs=6e-8)
    assert float(found["criticality"]) == pytest.approx(0.92, abs=1e-12)
    for beta, multiplier, c in (
        (2.0, 3.2980172203, [0.4121484267, 0.0871166773, -0.0015998150]),
        (10.0, 15.2663339893, [0.7812984578, 0.5167613149, 0.3129686313]),
    ):
        point = solve_stationary(SUMS, gf.TokenRule("spherical", beta=beta))
        assert point.multiplier == pytest.approx(multiplier, abs=6e-11)
        assert np.allclose(point.correlation[1:4], c, rtol=0, atol=6e-11)
    for beta, time in ((1, 0.559), (2, 0.971), (5, 2.272), (20, 8.954)):
        assert solve_stationary([1.2, 0.3], gf.TokenRule("spherical", beta=beta)).correlation_time == pytest.approx(
            time, abs=6e-4
        )


def test_graded_units_and_a_mean() -> None:
    graded = solve_stationary(SUMS, gf.TokenRule("graded", beta=1.0))
    assert np.allclose(graded.correlation[:3], [0.35087347, 0.29763456, 0.19131785], rtol=0, atol=6e-9)
    biased = solve_stationary([0.8, 0.2], gf.TokenRule(beta=1.2), mean=[0.8, 0.6], field=0.1)
    assert biased.magnetization == pytest.approx(0.45462, abs=6e-6)
    assert np.allclose(biased.correlation[1:4], [0.3956, 0.3369, 0.3315], atol=6e-5)
    assert biased.persistent == pytest.approx(0.33099, abs=6e-6)


# --- the averages ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mean", [0.0, 0.7, -2.1])
@pytest.mark.parametrize("beta", [0.4, 1.9])
def test_averages_are_those_of_a_grid_and_slopes_those_of_differences(mean: float, beta: float) -> None:
    noise, variance = logistic_noise(beta, REFERENCE_NODES), 1.3
    q = np.array([-1.1, -0.3, 0.02, 0.5, 1.2])
    found = averages(q, variance, mean, noise)
    for k in range(q.size):
        wanted = naive.pair_average_by_grid(lambda h: np.tanh(beta * h), mean, mean, variance, variance, q[k])
        assert found.value[k] == pytest.approx(wanted, abs=1e-11)
    step = 1e-5

    def difference(**change: float) -> np.ndarray:
        up, down = (
            averages(
                q + s * change.get("q", 0), variance + s * change.get("v", 0), mean + s * change.get("m", 0), noise
            )
            for s in (step, -step)
        )
        return np.asarray((up.value - down.value) / (2 * step))

    assert np.allclose(found.by_q, difference(q=1.0), atol=1e-9)
    assert np.allclose(found.by_variance, difference(v=1.0), atol=1e-9)
    if mean:
        assert np.allclose(found.by_mean, difference(m=1.0), atol=1e-9)


def test_the_short_series_joins_the_sum_over_pairs() -> None:
    for beta in (0.05, 1.0, 40.0, INF):
        noise = logistic_noise(beta)
        q = np.linspace(-0.99, 0.99, 57) * 1.7
        assert np.allclose(
            averages(q, 1.7, 0.0, noise).value, bivariate_average(q, 1.7, 1.7, noise), rtol=1e-13, atol=0
        )


# --- slow versions ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("variant", ["ising", "probit", "graded"])
def test_the_solution_of_plain_loops(variant: str) -> None:
    from scipy.special import erf

    beta = 3.2 if variant == "graded" else 1.3
    gamma = 1.5 * naive.random_covariance(3, seed=11)
    sums = [sum(gamma[k][k + d] for k in range(3 - d)) for d in range(3)]
    f = {"probit": lambda h: erf(beta * h / math.sqrt(2.0))}.get(variant, lambda h: np.tanh(beta * h))
    found = solve_stationary(sums, gf.TokenRule(variant, beta=beta))
    c = {tau: float(tau == 0) for tau in range(42)}
    if variant == "graded":  # hundreds of sweeps from there
        c = {tau: float(value) for tau, value in enumerate(found.lags(80))}
    for _ in range(400 if variant != "graded" else 2):
        q = {t: sum(sums[abs(d)] * c.get(abs(t - d), 0.0) for d in range(-2, 3)) for t in c}
        new = {
            t: 1.0
            if t == 0 and variant != "graded"
            else naive.pair_average_by_grid(f, 0, 0, q[0], q[0], q[t], points=241 if variant == "graded" else 121)
            for t in c
        }
        change = max(abs(new[t] - c[t]) for t in c)
        c = new
        if change < 1e-10:
            break
    assert np.allclose(found.lags(25)[:20], [c[t] for t in range(20)], rtol=0, atol=1e-9)


def test_graded_units_near_their_onset() -> None:
    sums = sums_of(3, seed=5, scale=1.4)
    top = float(spectrum(sums, np.linspace(0, math.pi, 20001)).max())
    rule = gf.TokenRule("graded", beta=math.sqrt(1.4 / top))
    found = solve_stationary(sums, rule)
    kernel = np.concatenate([sums[:0:-1], sums])

    def sweep(c: np.ndarray) -> np.ndarray:
        size = c.size
        q = np.convolve(np.concatenate([c[:0:-1], c]), kernel)[size + 1 : 2 * size + 1]
        return np.asarray(bivariate_average(q, q[0], q[0], rule.noise))

    solved = found.lags(400)
    assert np.allclose(sweep(solved), solved, rtol=0, atol=1e-15)
    c = np.eye(1, 201)[0]
    for _ in range(2000):
        c = sweep(c)
    assert np.allclose(solved[:100], c[:100], rtol=0, atol=1e-6)
    near = solve_stationary(sums, gf.TokenRule("graded", beta=math.sqrt(1.004 / top)))
    assert near.status.good
    assert 0 < near.correlation[0] < 0.01
    assert abs(near.correlation[-1]) < 1e-12 * near.correlation[0]
    below = solve_stationary(sums, gf.TokenRule("graded", beta=math.sqrt(0.999 / top)))
    assert not below.correlation.any()
    assert below.criticality == pytest.approx(0.999)


def test_competing_peaks_of_the_spectrum() -> None:
    # two maxima of G of nearly one height: Newton from a few sweeps leaves the basin of what plain sweeps reach
    near = np.array([0.8145873, 0.0158751, 0.0172412, 0.0853707, 0.1386195, 0.1118457, 0.0048183, -0.0379521, 0.0988448, 0.0491992, -0.1586603, 0.0056667])  # fmt: skip
    far = np.array([824.07274, -81.05741, 86.73661, 67.76401, -34.12395, -0.66465, 5.39058, -130.02957, 47.58116, -115.64536, 39.43144, -27.78643])  # fmt: skip
    for sums, beta in ((near, 0.904236), (far, 0.0371015)):
        rule = gf.TokenRule("graded", beta=beta)
        found = solve_stationary(sums, rule)
        assert found.status.good
        assert (found.spectrum(np.linspace(0, math.pi, 2001)) > -1e-9).all()
        c = np.eye(1, 401)[0]
        kernel = np.concatenate([sums[:0:-1], sums])
        for _ in range(1500):
            q = np.convolve(np.concatenate([c[:0:-1], c]), kernel)[400 + sums.size - 1 :][:401]
            c = bivariate_average(q, q[0], q[0], rule.noise)
        assert np.allclose(found.lags(20), c[:21], rtol=0, atol=1e-3)


def test_a_mean_that_saturates_at_zero_temperature() -> None:
    found = solve_stationary([0.03], gf.TokenRule(beta=INF), mean=[1.304], field=-0.0018)
    assert found.status.good
    assert found.magnetization == pytest.approx(-1.0, abs=1e-9)
    assert found.persistent == pytest.approx(1.0, abs=1e-9)


# --- general facts, at random covariances ---------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", SIGMOID_RULES, ids=str)
@pytest.mark.parametrize(("context", "seed"), [(2, 1), (3, 2), (5, 3), (8, 4)])
def test_positive_stable_and_solved(rule: gf.TokenRule, context: int, seed: int) -> None:
    sums = sums_of(context, seed)
    found = solve_stationary(sums, rule)
    assert found.status.good
    assert found.residual <= 1e-13
    if found.correlation[0] == 0.0:
        assert rule.beta**2 * float(spectrum(sums, np.linspace(0, math.pi, 4001)).max()) <= 1.0
        return
    assert 0 < found.criticality < 1
    omega = np.linspace(0, math.pi, 301)
    assert (found.spectrum(omega) > 0).all()
    # c(w) (1 - chi G) is at least 1 - E f^2 (0 for graded units)
    square = float(bivariate_average(found.field_variance, found.field_variance, found.field_variance, rule.noise))
    bound = 0.0 if rule.variant == "graded" else 1.0 - square
    assert (found.spectrum(omega) * (1 - found.slope * spectrum(sums, omega)) >= bound - 1e-12).all()
    again = solve_stationary(sums, rule, start=0.9 * np.cos(0.3 * np.arange(200)) * 0.99 ** np.arange(200))
    assert np.allclose(again.lags(40), found.lags(40), rtol=0, atol=1e-11)


@pytest.mark.parametrize(
    "rule", [*SIGMOID_RULES, gf.TokenRule("spherical", beta=3.0), gf.TokenRule("gaussian")], ids=str
)
def test_symmetries(rule: gf.TokenRule) -> None:
    gamma = 0.9 * naive.random_covariance(4, seed=21)
    gamma = gamma * min(1.0, 0.9 / float(spectrum(diagonal_sums(gamma), np.linspace(0, math.pi, 999)).max()))
    lag = np.arange(4)
    plain = solve_stationary(diagonal_sums(gamma), rule).lags(30)

    def correlation(matrix: np.ndarray, same: gf.TokenRule = rule) -> np.ndarray:
        return solve_stationary(diagonal_sums(matrix), same).lags(30)

    signs = (-1.0) ** lag
    assert np.allclose(correlation(gamma * np.outer(signs, signs)), plain * (-1.0) ** np.arange(31), rtol=0, atol=1e-11)
    assert np.allclose(correlation(gamma[::-1, ::-1]), plain, rtol=0, atol=1e-12)
    shifted = np.zeros((6, 6))
    shifted[2:, 2:] = gamma
    assert np.allclose(correlation(shifted), plain, rtol=0, atol=1e-11)
    spread = np.zeros((12, 12))
    spread[2::3, 2::3] = gamma
    stretched = np.zeros(31)
    stretched[::3] = plain[:11]
    assert np.allclose(correlation(spread), stretched, rtol=0, atol=1e-11)
    if rule.variant != "gaussian" and rule.beta < INF:
        assert np.allclose(
            correlation(gamma / 6.25, gf.TokenRule(rule.variant, beta=2.5 * rule.beta)), plain, rtol=0, atol=1e-11
        )


@pytest.mark.parametrize(
    "rule", [*SIGMOID_RULES[:3], gf.TokenRule("spherical", beta=2.0), gf.TokenRule("gaussian")], ids=str
)
@pytest.mark.parametrize(
    "gamma", [FLAT, np.diag([0.1, 0.5, 0.2]), np.array([[0.7]])], ids=["flat", "diagonal", "one lag"]
)
def test_no_memory_without_sums_across_lags(rule: gf.TokenRule, gamma: np.ndarray) -> None:
    gamma = gamma * (0.5 if rule.variant == "gaussian" else 1.0)
    found = gf.solve(gf.LaggedGaussian(gamma), gf.StationaryDMFT(rule))
    assert np.abs(found["autocorrelation"][1:]).max() < 1e-15
    assert found["slowest_root"] == found["correlation_time"] == 0 or abs(found["slowest_root"]) < 1e-15
    if gamma is FLAT:
        repeated = gf.solve(gf.LaggedGaussian(gamma), gf.TransientDMFT(rule, steps=2, start="repeated"))
        assert abs(float(repeated["two_time_correlation"].sel(time=2, time_=1))) > 0.01  # only the transient remembers


@pytest.mark.parametrize("seed", range(4))
def test_the_tail_is_that_of_the_slowest_root(seed: int) -> None:
    sums = sums_of(3, seed=30 + seed, scale=2.0)
    for rule in (gf.TokenRule(beta=1.4), gf.TokenRule("spherical", beta=2.5)):
        found = solve_stationary(sums, rule, lags=400)
        roots = tail_roots(sums, found.slope)
        assert np.allclose(
            found.slope * np.sum([s * (roots**-d + roots**d) for d, s in enumerate(sums)], axis=0)
            - found.slope * sums[0],
            1.0,
        )
        pair = np.real(np.poly(roots))  # the recursion that both roots obey
        c = found.correlation
        far = next(t for t in range(3, 400) if abs(c[t]) < 1e-6)
        rest = abs(c[far] + pair[1] * c[far - 1] + pair[2] * c[far - 2])
        assert rest < (1e-14 if rule.variant == "spherical" else 1e-3 * np.abs(c[far - 2 : far + 1]).max())


def test_the_bound_of_two_lags_and_weak_coupling() -> None:
    # |g_1| <= g_0 / 2 for two lags: beyond it there is no covariance
    with pytest.raises(gf.InvalidInputError, match="no covariance has these diagonal sums"):
        solve_stationary([1.0, 0.50001], gf.TokenRule())
    assert solve_stationary([1.0, 0.5], gf.TokenRule(beta=INF)).correlation[1] == pytest.approx(0.5411070309, abs=6e-11)
    beta, sums = 0.05, sums_of(4, seed=8)
    found = exact(sums, beta)

    def g(d: int) -> float:
        return float(sums[abs(d)]) if abs(d) < 4 else 0.0

    for tau in range(1, 5):
        second = sum(g(d) * g(tau - d) for d in range(-9, 10) if d not in (0, tau)) - g(0) * g(tau)
        assert found.correlation[tau] == pytest.approx(beta**2 * g(tau) + beta**4 * second, abs=10 * beta**6)


def test_long_memory_is_not_cut() -> None:
    rule, sums = gf.TokenRule(beta=INF), np.arange(40.0, 0.0, -1.0) / 40.0  # forty equal lags
    found = solve_stationary(sums, rule)
    assert found.correlation_time > 25
    assert abs(found.correlation[-1]) < 1e-12
    double = solve_stationary(sums, rule, lags=2 * found.correlation.size)
    assert np.allclose(double.correlation[: found.correlation.size], found.correlation, rtol=0, atol=2e-12)


# --- closed forms -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("g0", "g1"), [(0.2, 0.1), (0.5, -0.2), (0.9, 0.04), (0.5, 0.25 - 1e-9), (0.6, -0.2 + 1e-10)])
def test_two_lags_of_gaussian_tokens(g0: float, g1: float) -> None:
    found = solve_stationary([g0, g1], gf.TokenRule("gaussian", sigma=0.7))
    with localcontext() as context:
        context.prec = 50
        a, b = 1 - Decimal(g0), Decimal(g1)
        delta = (a * a - 4 * b * b).sqrt()
        c0, r = float(Decimal("0.7") ** 2 / delta), float((a - delta) / (2 * b))
        error = float(2 * Decimal("0.7") ** 2 / (a + delta))
    margin = 1 - g0 - 2 * abs(g1)
    assert found.correlation[0] == pytest.approx(c0, rel=1e-15 / margin + 1e-13)
    assert found.root.real == pytest.approx(r, rel=1e-15 / math.sqrt(margin) + 1e-13)
    assert found.correlation[7] == pytest.approx(c0 * r**7, rel=1e-15 / margin + 1e-12)
    assert found.own_past_error == pytest.approx(error, rel=1e-15 / math.sqrt(margin) + 1e-12)


@pytest.mark.parametrize("beta", [1e-6, 0.3, 4.0, 1e3, 1e6])
def test_two_lags_of_spherical_tokens_up_to_very_low_temperature(beta: float) -> None:
    g0, g1 = 1.3, -0.45
    found = solve_stationary([g0, g1], gf.TokenRule("spherical", beta=beta))
    with localcontext() as context:
        context.prec = 60
        a, b, low = Decimal(g0), Decimal(g1), Decimal(0)
        high = 1 / (a + 2 * abs(b))
        for _ in range(220):
            x = (low + high) / 2
            d = ((1 - x * a) ** 2 - 4 * x * x * b * b).sqrt()
            low, high = (x, high) if x.sqrt() < Decimal(beta) * d else (low, x)
        r, multiplier = float(((1 - x * a) - d) / (2 * x * b)), float(1 / d)
    assert found.multiplier == pytest.approx(multiplier, rel=1e-9)
    assert found.correlation[0] == pytest.approx(1.0, abs=1e-14)
    assert found.correlation[5] == pytest.approx(r**5, rel=1e-9)
    assert math.log(abs(found.root)) == pytest.approx(math.log(abs(r)), rel=1e-9)


def test_roots_and_a_grid_of_frequencies_agree() -> None:
    sums = sums_of(30, seed=3)
    sums *= 0.97 / float(spectrum(sums, np.linspace(0, math.pi, 20001)).max())
    one, two = autoregression(sums), spectral_grid(sums)
    assert np.allclose(one.correlation(200), two.correlation(200), rtol=0, atol=1e-12)
    assert one.innovation == pytest.approx(two.innovation, rel=1e-12)
    long = solve_stationary(np.concatenate([sums, np.zeros(30)]), gf.TokenRule("gaussian"))
    assert np.allclose(long.lags(200), one.correlation(200), rtol=0, atol=1e-12)


def test_spectral_radius() -> None:
    assert spectral_radius(np.array([[0.49]])) == pytest.approx(0.7, abs=1e-12)
    gamma = 0.8 * naive.random_covariance(4, seed=2)
    radius = spectral_radius(gamma)
    z = radius * np.exp(1j * np.linspace(-math.pi, math.pi, 4001))[:, None]
    powers = z ** -np.arange(1, 5)
    values = np.einsum("zk,kl,zl->z", powers, gamma, powers.conj()).real
    assert values.max() == pytest.approx(1.0, abs=1e-5)
    law = gf.LaggedGaussian(gamma).sample(n=120, seed=4)
    companion = np.zeros((480, 480))
    companion[:120] = np.concatenate(law.matrices, axis=1)
    companion[120:, :360] = np.eye(360)
    assert np.abs(np.linalg.eigvals(companion)).max() == pytest.approx(radius, abs=0.06)


# --- derivatives --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "rule", [*SIGMOID_RULES, gf.TokenRule("spherical", beta=3.0), gf.TokenRule("gaussian", sigma=1.4)], ids=str
)
@pytest.mark.parametrize(("context", "seed"), [(1, 4), (2, 5), (5, 6)])
def test_derivatives_are_those_of_differences(rule: gf.TokenRule, context: int, seed: int) -> None:
    sums = sums_of(context, seed)
    sums[0] += 0.02  # away from the edge of what is a covariance
    if rule.variant == "gaussian":
        sums *= 0.7 / float(spectrum(sums, np.linspace(0, math.pi, 999)).max())
    found = solve_stationary(sums, rule)
    slopes = found.derivative()
    assert slopes.shape == (found.correlation.size, context)
    step = 1e-4

    def at(d: int, shift: float) -> np.ndarray:
        moved = sums.copy()
        moved[d] += shift
        return solve_stationary(moved, rule).lags(25)

    for d in range(context):
        five = (8 * (at(d, step) - at(d, -step)) - (at(d, 2 * step) - at(d, -2 * step))) / (12 * step)
        assert np.allclose(slopes[:26, d], five, rtol=1e-7, atol=1e-9)


# --- information ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "rule", [gf.TokenRule(beta=0.8), gf.TokenRule("spherical", beta=2.0), gf.TokenRule("gaussian")], ids=str
)
def test_entropy_production_is_its_spectral_form(rule: gf.TokenRule) -> None:
    gamma = 0.6 * naive.random_covariance(4, seed=17)
    found = solve_stationary(diagonal_sums(gamma), rule)
    omega = 2 * math.pi * np.arange(4096) / 4096
    sines = np.sin(omega[:, None] * np.arange(1, 5))
    density = found.spectrum(omega) * np.einsum("wk,kl,wl->w", sines, gamma, sines)
    scale = found.gain * (1.0 if rule.variant == "gaussian" else rule.beta)
    assert entropy_production(gamma, found) == pytest.approx(2 * scale * density.mean(), rel=1e-11)
    assert density.min() >= -1e-15


@pytest.mark.parametrize(("field", "beta"), [(0.0, 0.6), (0.5, 2.0), (0.0, 30.0)])
def test_probit_entropies_are_those_of_a_grid(field: float, beta: float) -> None:
    from scipy.integrate import quad
    from scipy.special import log_ndtr, ndtr

    gamma = naive.random_covariance(3, seed=9)
    found = solve_stationary(diagonal_sums(gamma), gf.TokenRule("probit", beta=beta), field=field)
    deviation = math.sqrt(found.field_variance)

    def entropy(h: float) -> float:
        return -sum(ndtr(s * beta * h) * log_ndtr(s * beta * h) for s in (1, -1))

    def weighted(h: float) -> float:
        return (
            entropy(h) * math.exp(-0.5 * ((h - found.field_mean) / deviation) ** 2) / deviation / math.sqrt(2 * math.pi)
        )

    breaks = [-12 / beta, 0.0, 12 / beta]
    wanted = quad(weighted, -12 * deviation, 12 * deviation, points=breaks, epsabs=1e-12, limit=400)[0]
    assert entropy_rate(found) == pytest.approx(wanted, abs=1e-10)
    lag = np.arange(1, 4)
    crossed = float((gamma * found.lags(6)[lag[:, None] + lag]).sum())
    z = np.linspace(-8, 8, 2001)
    weight = np.exp(-0.5 * z**2) / np.exp(-0.5 * z**2).sum()
    rho = crossed / found.field_variance
    forward = found.field_mean + deviation * z
    total = 0.0
    for y, w in zip(z, weight):
        reverse = found.field_mean + deviation * (rho * z + math.sqrt(1 - rho**2) * y)
        for s in (1, -1):
            ratio = log_ndtr(s * beta * forward) - log_ndtr(s * beta * reverse)
            total += w * float(weight @ (ndtr(s * beta * forward) * ratio))
    assert entropy_production(gamma, found) == pytest.approx(total, rel=1e-7)
    assert total > 0


@pytest.mark.parametrize("variant", ["ising", "probit", "spherical", "gaussian"])
def test_simulation_has_these_correlations_and_entropies(variant: str) -> None:
    from scipy.special import log_ndtr

    n, steps, burn, draws = 400, 260, 60, 3
    gamma = (0.4 if variant == "gaussian" else 1.3) * naive.random_covariance(2, seed=40)
    law = gf.LaggedGaussian(gamma)
    beta = 1.0 if variant == "gaussian" else 1.6
    rule = gf.TokenRule(variant, beta=beta)
    found = gf.solve(law, gf.StationaryDMFT(rule))
    correlations, losses, productions = [], [], []
    for draw in range(draws):
        couplings = law.sample(n=n, seed=50 + draw).matrices
        history = np.where(np.random.default_rng(draw).random((2, n)) < 0.5, 1.0, -1.0)
        path = naive.context_path_by_hand(couplings, 0.0, history, burn + steps, variant=variant, beta=beta, seed=draw)[
            burn:
        ]
        correlations.append([np.mean(path[tau:] * path[: len(path) - tau]) for tau in range(5)])
        here = path[2:-2]
        forward = path[1:-3] @ couplings[0].T + path[:-4] @ couplings[1].T
        reverse = path[3:-1] @ couplings[0].T + path[4:] @ couplings[1].T
        scores = {
            "ising": lambda h, s: beta * s * h - np.logaddexp(beta * h, -beta * h),
            "probit": lambda h, s: log_ndtr(beta * s * h),
            "gaussian": lambda h, s: -0.5 * (s - h) ** 2 - 0.5 * math.log(2 * math.pi),
            "spherical": lambda h, s: beta * s * h,  # the normalisers of both directions are the same on average
        }
        before, after = scores[variant](forward, here), scores[variant](reverse, here)
        if variant != "spherical":
            losses.append(-np.mean(before))
        productions.append(np.mean(before - after))

    def spread(values: list[float]) -> float:  # corrections of order 1 / n, beside what the draws show
        return 4 * math.sqrt(np.var(values, ddof=1) / draws + (4 / n) ** 2)

    wanted = found["autocorrelation"].values[:5]
    for tau in range(5):
        observed = [one[tau] for one in correlations]
        assert abs(np.mean(observed) - wanted[tau]) < spread(observed)
    if losses:
        assert abs(np.mean(losses) - float(found["loss_floor"])) < spread(losses)
    production = float(found["entropy_production"])
    assert production > 0.2
    assert abs(np.mean(productions) - production) < 2 * spread(productions)


# --- means and fields -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "field"),
    [
        (gf.TokenRule(beta=1.5), 0.3),
        (gf.TokenRule(beta=1.5), 0.0),
        (gf.TokenRule(beta=INF), -0.7),
        (gf.TokenRule(beta=INF), 0.0),
        (gf.TokenRule("probit", beta=1.8), 0.0),
        (gf.TokenRule("graded", beta=3.0), -0.7),
        (gf.TokenRule("spherical", beta=3.0), 0.3),
        (gf.TokenRule("spherical", beta=3.0), 0.0),
    ],
    ids=str,
)
def test_a_ferromagnet_is_the_end_of_its_transient(rule: gf.TokenRule, field: float) -> None:
    law = gf.LaggedGaussian(0.7 * naive.random_covariance(2, seed=6), mean=[0.9, 0.7])
    whole = gf.ContextEnsemble(law, field=field)
    found = gf.solve(whole, gf.StationaryDMFT(rule))
    start = -0.5 if field < 0 else 0.5
    late = gf.solve(
        whole, gf.TransientDMFT(rule, steps=60 if rule.variant == "graded" else 150, start_magnetization=start)
    )
    assert float(found["magnetization"]) == pytest.approx(float(late["magnetization"][-1]), abs=1e-7)
    assert abs(float(found["magnetization"])) > 0.3
    assert np.allclose(found["autocorrelation"][:20], late["autocorrelation"][:20], rtol=0, atol=1e-6)
    assert float(found["persistent_correlation"]) == pytest.approx(float(late["autocorrelation"][30]), abs=1e-6)
    assert float(found["order_root"]) < 1 + 1e-12  # 1 where the length of spherical tokens holds the mean
    if not field:
        assert float(found["order_root_at_zero"]) > 1
    if "entropy_production" in found and "entropy_production" in late:
        production = late["entropy_production"].values
        assert float(found["entropy_production"]) == pytest.approx(production[np.isfinite(production)][-1], abs=1e-6)


def test_gaussian_tokens_with_a_mean() -> None:
    law = gf.LaggedGaussian([[0.3, 0.1], [0.1, 0.2]], mean=[0.4, -0.6])
    found = gf.solve(gf.ContextEnsemble(law, field=0.7), gf.StationaryDMFT(gf.TokenRule("gaussian", sigma=1.3)))
    mean = 0.7 / 1.2
    assert float(found["magnetization"]) == pytest.approx(mean)
    assert float(found["persistent_correlation"]) == pytest.approx(mean**2 / (1 - 0.7))
    late = gf.solve(
        gf.ContextEnsemble(law, field=0.7), gf.TransientDMFT(gf.TokenRule("gaussian", sigma=1.3), steps=160)
    )
    assert np.allclose(found["autocorrelation"][:20], late["autocorrelation"][:20], rtol=0, atol=1e-9)


def test_the_transition_to_a_ferromagnet() -> None:
    sums = np.array([0.5, 0.2])
    for rule in (gf.TokenRule(beta=1.3), gf.TokenRule("spherical", beta=1.3)):
        at_rest = solve_stationary(sums, rule)
        critical = 1 / at_rest.gain
        below = solve_stationary(sums, rule, mean=[0.5 * critical, 0.499 * critical])
        above = solve_stationary(sums, rule, mean=[0.5 * critical, 0.501 * critical])
        assert below.magnetization == 0
        assert abs(below.growth) < 1
        assert 0 < above.magnetization < 0.2
        assert above.status.good
        mirrored = solve_stationary(sums, rule, mean=[0.5 * critical, 0.501 * critical], field=-1e-3)
        assert mirrored.magnetization < -above.magnetization


def test_order_that_oscillates_is_no_stationary_state() -> None:
    for rule in (gf.TokenRule(beta=2.0), gf.TokenRule("spherical", beta=2.0)):
        law = gf.LaggedGaussian([[0.5, 0.1], [0.1, 0.2]], mean=[-3.0, 0.0])
        for field in (0.0, 0.7):
            found = gf.solve(gf.ContextEnsemble(law, field=field), gf.StationaryDMFT(rule))
            assert found.attrs["status"] == "out_of_range"
            assert "oscillates" in found.attrs["note"]
            assert float(found["order_root"]) > 1
    with pytest.raises(gf.InvalidInputError, match="the mean grows without bound"):
        solve_stationary([0.2], gf.TokenRule("gaussian"), mean=[-1.1])


# --- partial symmetry, refusals, the noun ----------------------------------------------------------------------------------


def test_partially_symmetric_gaussian_tokens() -> None:
    law = gf.LaggedGaussian([[0.4]], transpose_covariance=[[0.2]])
    found = gf.solve(law, gf.StationaryDMFT(gf.TokenRule("gaussian"), lags=4))
    assert np.allclose(found["autocorrelation"], [2.20269, 0, 0.92909, 0, 0.56887], atol=6e-6)
    symmetric = gf.LaggedGaussian([[0.2]], transpose_covariance=[[0.2]])
    found = gf.solve(gf.ContextEnsemble(symmetric, field=0.3), gf.StationaryDMFT(gf.TokenRule("gaussian"), lags=4))
    root = (1 - math.sqrt(1 - 0.8)) / 0.4
    mean = 0.3 * root
    persistent = mean**2 / (1 - 0.2 * root**2)
    assert float(found["magnetization"]) == pytest.approx(mean)
    assert float(found["autocorrelation"][0]) == pytest.approx(1.38196601 + persistent, abs=1e-8)
    couplings = symmetric.sample(n=600, seed=2).matrices[0]
    sites = np.linalg.solve(np.eye(600) - couplings, np.full(600, 0.3))  # the mean of every site
    assert sites.mean() == pytest.approx(mean, abs=0.02)
    assert np.mean(sites**2) == pytest.approx(persistent, abs=0.02)
    with pytest.raises(gf.InvalidInputError, match="TransientDMFT follows it"):
        gf.solve(law, gf.StationaryDMFT(gf.TokenRule()))


@pytest.mark.parametrize(
    ("sums", "rule", "piece"),
    [
        ([1.0, 0.3], gf.TokenRule("gaussian"), "max G.omega. is 1.6, but must be below 1"),
        ([1.0, 0.3], gf.TokenRule("spherical", beta=INF), "they age as sqrt.t."),
        ([1.0, -0.9], gf.TokenRule(), "no covariance has these"),
        ([1.0, -0.9], gf.TokenRule("spherical"), "no covariance has these"),
        ([0.1, -0.09], gf.TokenRule("gaussian"), "no covariance has these"),
        ([0.0], gf.TokenRule(beta=INF), "undecided"),
        ([1.0, math.nan], gf.TokenRule(), "finite"),
        ([], gf.TokenRule(), "diagonal_sums"),
    ],
)
def test_refusals(sums: list[float], rule: gf.TokenRule, piece: str) -> None:
    with pytest.raises(gf.InvalidInputError, match=piece):
        solve_stationary(sums, rule)


def test_ends_of_temperature() -> None:
    for variant in ("ising", "probit", "spherical"):
        hot = gf.solve(gf.LaggedGaussian(GAMMA), gf.StationaryDMFT(gf.TokenRule(variant, beta=0.0)))
        assert not hot["autocorrelation"][1:].any()
        if variant != "spherical":
            assert float(hot["loss_floor"]) == pytest.approx(math.log(2))
        assert float(hot["entropy_production"]) == 0
    rest = gf.solve(gf.LaggedGaussian(GAMMA), gf.StationaryDMFT(gf.TokenRule("graded", beta=0.0)))
    assert not rest["autocorrelation"].any()
    cold, sign = (solve_stationary(SUMS, gf.TokenRule(beta=b)).lags(9) for b in (1e7, INF))
    assert np.allclose(cold, sign, rtol=0, atol=1e-6)
    probit = solve_stationary(SUMS, gf.TokenRule("probit", beta=INF)).lags(9)
    graded = solve_stationary(SUMS, gf.TokenRule("graded", beta=INF)).lags(9)
    assert np.array_equal(probit, sign)
    assert np.array_equal(graded, sign)
    empty = gf.solve(gf.LaggedGaussian(np.zeros((2, 2))), gf.StationaryDMFT(gf.TokenRule("gaussian", sigma=2.0)))
    assert float(empty["autocorrelation"][0]) == 4.0
    flat = gf.solve(gf.LaggedGaussian(FLAT), gf.StationaryDMFT(gf.TokenRule("spherical", beta=INF)))
    assert not flat["autocorrelation"][1:].any()


@pytest.mark.parametrize("scale", [1e-200, 1e-9, 1e9, 1e99])
def test_only_beta_squared_times_the_covariance_matters_at_any_scale(scale: float) -> None:
    for variant in ("ising", "probit", "graded", "spherical"):
        rule = gf.TokenRule(variant, beta=1.8 / math.sqrt(scale))
        scaled = gf.solve(gf.LaggedGaussian(scale * GAMMA), gf.StationaryDMFT(rule))
        plain = gf.solve(gf.LaggedGaussian(GAMMA), gf.StationaryDMFT(gf.TokenRule(variant, beta=1.8)))
        assert np.allclose(scaled["autocorrelation"], plain["autocorrelation"], rtol=0, atol=1e-12)
        for name in set(plain) & {"loss_floor", "entropy_production", "criticality", "correlation_time"}:
            assert float(scaled[name]) == pytest.approx(float(plain[name]), rel=1e-10)
        assert float(scaled["q0"]) == pytest.approx(scale * float(plain["q0"]), rel=1e-10)


@pytest.mark.parametrize("beta", [0.3, 3.0, INF])
@pytest.mark.parametrize("field", [0.0, 0.2, -1.0])
def test_couplings_that_have_a_mean_but_no_spread(beta: float, field: float) -> None:
    for variant in ("ising", "graded"):
        law = gf.LaggedGaussian(np.zeros((2, 2)), mean=[0.5, 0.9])
        found = gf.solve(gf.ContextEnsemble(law, field=field), gf.StationaryDMFT(gf.TokenRule(variant, beta=beta)))
        m = math.copysign(1.0, field)
        for _ in range(3000):
            m = math.tanh(beta * (1.4 * m + field)) if beta < INF else math.copysign(1.0, 1.4 * m + field)
        assert float(found["magnetization"]) == pytest.approx(m, abs=1e-9)
        assert np.allclose(found["autocorrelation"][1:], m * m, atol=1e-9)
        assert float(found["autocorrelation"][0]) == pytest.approx(1.0 if variant == "ising" else m * m, abs=1e-9)


def test_what_a_rule_has_no_number_for_is_left_out_and_said() -> None:
    law = gf.LaggedGaussian(GAMMA)
    graded = gf.solve(law, gf.StationaryDMFT(gf.TokenRule("graded", beta=2.0)))
    assert not {"loss_floor", "entropy_rate", "entropy_production"} & set(graded)
    assert "deterministic" in graded.attrs["note"]
    cold = gf.solve(law, gf.StationaryDMFT(gf.TokenRule(beta=INF)))
    assert float(cold["loss_floor"]) == 0
    assert "entropy_production" not in cold
    assert "infinite" in cold.attrs["note"]
    for found in (graded, cold):
        assert all(np.isfinite(found[name]).all() for name in found.data_vars)


def test_the_noun_beside_the_others() -> None:
    law = gf.LaggedGaussian(GAMMA)
    assert "StationaryDMFT" in gf.methods(law)
    with pytest.raises(gf.InvalidInputError):
        gf.solve(gf.ExtendedContext(law.sample(n=3, seed=1)), gf.StationaryDMFT(gf.TokenRule()))
    with pytest.raises(gf.InvalidInputError, match="rule"):
        gf.StationaryDMFT("ising")  # type: ignore[arg-type]
    found = gf.solve(law, gf.StationaryDMFT(gf.TokenRule(), lags=200))
    late = gf.solve(law, gf.TransientDMFT(gf.TokenRule(), steps=230))
    assert np.allclose(found["autocorrelation"], late["autocorrelation"][:201], rtol=0, atol=1e-10)


def test_graded_units_that_move_about_a_mean_are_found_close_to_the_onset_of_motion() -> None:
    # The state at rest solves the equations too, but it is unstable at omega = pi. The reference is a transient.
    gamma = [[0.3897532, -0.37485768], [-0.37485768, 0.36053144]]
    ensemble = gf.ContextEnsemble(gf.LaggedGaussian(gamma), field=-0.41)
    rule = gf.TokenRule("graded", beta=1.0)
    found = gf.solve(ensemble, gf.StationaryDMFT(rule, lags=8))
    assert found.attrs["status"] == "converged"
    assert 0.999 < float(found["criticality"]) < 1.0  # nearly marginal: a memory of hundreds of tokens
    late = [gf.solve(ensemble, gf.TransientDMFT(rule, steps=steps)) for steps in (500, 1000)]
    first, second = (np.abs(one["autocorrelation"].values[:9] - found["autocorrelation"].values).max() for one in late)
    assert second < 0.5 * first  # the state is marginal, and transients approach it as slowly as that
    assert second < 0.004


def test_lags_beyond_any_memory_are_refused() -> None:
    with pytest.raises(gf.InvalidInputError, match="lags is 1000000000, but must be at most 131072"):
        gf.StationaryDMFT(gf.TokenRule(), lags=10**9)

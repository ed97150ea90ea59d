"""Partially symmetric couplings: closed forms, the elliptic law, exact recursions against sampled paths and simulation."""

from __future__ import annotations

import math
from typing import Any

import naive
import numpy as np
import pytest

import glassformer as gf
from glassformer._core._errors import InvalidInputError, MethodNotApplicableError
from glassformer.theory.dmft._partially_symmetric import (
    gaussian_criticality,
    response_spectrum,
    solve_partially_symmetric_gaussian,
)

COLD = math.inf
TWO = np.array([[0.22, 0.08], [0.08, 0.15]]), np.array([[0.11, -0.04], [-0.04, -0.08]])


def law_of(gamma: Any, partner: Any, **options: Any) -> gf.LaggedGaussian:
    return gf.LaggedGaussian(gamma, transpose_covariance=partner, **options)


def transient(law: Any, rule: gf.TokenRule, steps: int, **options: Any) -> Any:
    return gf.solve(law, gf.TransientDMFT(rule, steps=steps, **options))


def test_the_stationary_correlation_in_closed_form() -> None:
    found = solve_partially_symmetric_gaussian(law_of([[0.4]], [[0.2]]))
    assert np.allclose(found.autocorrelation[:5], [2.20269, 0, 0.92909, 0, 0.56887], atol=5e-6)
    for g in (0.05, 0.2, 0.249):
        symmetric = solve_partially_symmetric_gaussian(law_of([[g]], [[g]]), sigma=1.4)
        assert symmetric.autocorrelation[0] == pytest.approx(1.96 * (1 - math.sqrt(1 - 4 * g)) / (2 * g), rel=1e-12)
    plain = law_of(0.6 * TWO[0], np.zeros((2, 2)))
    without = gf.solve(gf.LaggedGaussian(0.6 * TWO[0]), gf.StationaryDMFT(gf.TokenRule("gaussian"), lags=12))
    same = solve_partially_symmetric_gaussian(plain, lags=12).autocorrelation
    assert np.allclose(same, without["autocorrelation"], rtol=0, atol=1e-12)


@pytest.mark.parametrize("kappa", [1.0, 0.6, 0.0, -0.3, -1.0])
def test_one_lag_is_stable_inside_the_ellipse(kappa: float) -> None:
    edge = 1.0 / (1.0 + abs(kappa)) ** 2  # sqrt(g) (1 + |kappa|) = 1
    for g, stable in ((0.995 * edge, True), (1.005 * edge, False)):
        law = law_of([[g]], [[kappa * g]])
        critical, _ = gaussian_criticality(law)
        assert (critical < 1.0 - 1e-9) == stable
        if not stable:
            with pytest.raises(MethodNotApplicableError, match="no stationary state"):
                solve_partially_symmetric_gaussian(law)
    # eigenvalues of a sample reach the tip of the ellipse
    couplings = law_of([[0.9 * edge]], [[0.9 * kappa * edge]]).sample(n=400, seed=1).matrices[0]
    assert np.abs(np.linalg.eigvals(couplings)).max() == pytest.approx(math.sqrt(0.9), abs=0.08)


def test_the_response_solves_its_equation_on_the_branch_that_starts_at_one() -> None:
    law = law_of(*TWO)
    omega = np.linspace(0, math.pi, 50)
    z = np.exp(1j * omega)
    partner = sum(TWO[1][k, l] * z ** -(k + l + 2.0) for k in range(2) for l in range(2))
    root = response_spectrum(law, omega)
    assert np.allclose(root, 1 + partner * root**2, atol=1e-13)
    found = solve_partially_symmetric_gaussian(law)
    assert found.response[0] == pytest.approx(1.0, abs=1e-13)
    assert np.allclose(
        found.response[2:5], [TWO[1][0, 0], 2 * TWO[1][0, 1], TWO[1][1, 1] + 2 * TWO[1][0, 0] ** 2], atol=1e-13
    )


@pytest.mark.parametrize("start", ["independent", "repeated"])
def test_the_gaussian_transient_ends_in_the_closed_form(start: str) -> None:
    law = law_of(*TWO)
    stationary = solve_partially_symmetric_gaussian(law, sigma=0.6, lags=20)
    found = transient(law, gf.TokenRule("gaussian", sigma=0.6), 300, start=start)
    assert np.allclose(found["autocorrelation"][:21], stationary.autocorrelation, rtol=0, atol=1e-10)
    assert np.allclose(found["response"].values[-1, :-22:-1], stationary.response[:21], rtol=0, atol=1e-12)
    whole = gf.solve(law, gf.StationaryDMFT(gf.TokenRule("gaussian", sigma=0.6), lags=20))
    assert np.allclose(whole["autocorrelation"], stationary.autocorrelation, rtol=0, atol=1e-13)


@pytest.mark.parametrize("rule", [gf.TokenRule("gaussian", sigma=0.9), gf.TokenRule("spherical", beta=1.7),
                                  gf.TokenRule("spherical", beta=COLD)], ids=lambda r: f"{r.variant}-{r.beta:g}")  # fmt: skip
def test_the_exact_recursion_without_symmetry_is_the_one_without_memory(rule: gf.TokenRule) -> None:
    gamma, drift = 0.8 * TWO[0], [0.4, -0.3]
    options: dict[str, Any] = {"start": "repeated", "start_magnetization": 0.3}
    with_memory, without = (
        transient(gf.ContextEnsemble(law, field=0.2), rule, 25, **options)
        for law in (law_of(gamma, np.zeros((2, 2)), mean=drift), gf.LaggedGaussian(gamma, mean=drift))
    )
    for name in ("two_time_correlation", "magnetization", "field_covariance"):
        assert np.allclose(with_memory[name], without[name], rtol=0, atol=1e-12, equal_nan=True)


@pytest.mark.parametrize(
    ("rule", "gamma", "partner"),
    [
        (gf.TokenRule("gaussian", sigma=0.8), TWO[0], TWO[1]),
        (gf.TokenRule("spherical", beta=2.0), [[0.8]], [[-0.5]]),
        (gf.TokenRule("spherical", beta=COLD), TWO[0], TWO[1]),
        (gf.TokenRule("ising", beta=1.2), [[1.0]], [[0.5]]),
        (gf.TokenRule("ising", beta=1.2), [[1.0]], [[-0.5]]),
        (gf.TokenRule("ising", beta=1.5), [[0.6, 0.2], [0.2, 0.5]], [[0.3, 0.1], [0.1, -0.25]]),
        (gf.TokenRule("ising", beta=COLD), [[1.0]], [[0.6]]),
        (gf.TokenRule("probit", beta=2.0), [[0.7]], [[0.7]]),
        (gf.TokenRule("graded", beta=2.5), [[0.5, -0.1], [-0.1, 0.4]], [[0.3, 0.0], [0.0, 0.2]]),
    ],
    ids=lambda x: f"{x.variant}-{x.beta:g}" if isinstance(x, gf.TokenRule) else "",
)
def test_a_simulation_of_the_rule_as_it_is_written(rule: gf.TokenRule, gamma: Any, partner: Any) -> None:
    law, context = law_of(gamma, partner), len(gamma)
    n, draws, steps = 500, 8, 10
    theory = transient(
        law,
        rule,
        steps,
        start="repeated",
        **({"paths": 16000, "seed": 4} if rule.variant in ("ising", "probit", "graded") else {}),
    )
    found = []
    for seed in range(draws):
        first = np.where(np.random.default_rng(seed).random(n) < 0.5, 1.0, -1.0)
        path = naive.context_path_by_hand(
            law.sample(n=n, seed=seed).matrices, 0.0, [first] * context, steps, variant=rule.variant, beta=rule.beta,
            sigma=rule.sigma, seed=seed + 100,
        )  # fmt: skip
        found.append(path @ path.T / n)
    gap = np.mean(found, axis=0) - theory["two_time_correlation"].values
    scale = float(theory["square"].max())
    error = scale / math.sqrt(n * draws)
    if "two_time_correlation_error" in theory:
        error = math.hypot(error, float(theory["two_time_correlation_error"].max()))
    assert np.abs(gap).max() < 5.0 * error + 4.0 * scale / n
    plain = transient(gf.LaggedGaussian(gamma), rule, steps, start="repeated")  # the memory is seen
    assert np.abs(np.mean(found, axis=0) - plain["two_time_correlation"].values).max() > 6.0 * error


def test_the_response_of_signs_in_three_steps() -> None:
    r"""With K = 1, R_31 is an integral over two Gaussian fields, since only the sign s_1 carries the change."""
    g, partner, beta = 1.1, 0.8, 1.4
    found = transient(
        law_of([[g]], [[partner]]), gf.TokenRule("ising", beta=beta), 3, start="repeated", paths=60000, seed=1
    )
    response, error = found["response"].sel(time=slice(1, 3), time_=slice(1, 3)).values, found["response_error"].values
    q = found["field_covariance"].sel(time=slice(1, 3), time_=slice(1, 3)).values
    memory = partner * response[1, 1]  # of s_1 in h_3

    def slope(h: np.ndarray) -> np.ndarray:
        return beta / np.cosh(beta * h) ** 2

    z = np.linspace(-8, 8, 401)
    weight = np.exp(-0.5 * z**2) / np.exp(-0.5 * z**2).sum()
    one = math.sqrt(q[0, 0]) * z[:, None]
    three = q[0, 2] / q[0, 0] * one + math.sqrt(q[2, 2] - q[0, 2] ** 2 / q[0, 0]) * z[None, :]
    change = 0.5 * (np.tanh(beta * (three + memory)) - np.tanh(beta * (three - memory)))
    expected = weight @ (slope(one) * change) @ weight
    assert response[2, 0] == pytest.approx(float(expected), abs=5.0 * float(error[3, 1]))
    assert abs(response[2, 0]) > 20.0 * float(error[3, 1])
    assert abs(response[1, 0]) < 5.0 * float(error[2, 1])  # s_0 was there before the field


@pytest.mark.parametrize("kappa", [1.0, 0.4, -0.7])
def test_two_steps_without_noise_in_closed_form(kappa: float) -> None:
    r"""With K = 1 the memory of the second step is :math:`\kappa gR_{11}s_0`, :math:`R_{11}=\sqrt{2/\pi g}`."""
    law = law_of([[1.7]], [[1.7 * kappa]])
    found = transient(law, gf.TokenRule("ising", beta=COLD), 2, start="repeated", paths=64, seed=1)
    assert float(found["two_time_correlation"].sel(time=2, time_=0)) == pytest.approx(
        math.erf(kappa / math.sqrt(math.pi)), abs=1e-13
    )


@pytest.mark.parametrize(
    "rule", [gf.TokenRule("ising", beta=0.7), gf.TokenRule("gaussian", sigma=1.3)], ids=lambda r: r.variant
)
def test_fluctuation_and_dissipation_of_symmetric_couplings(rule: gf.TokenRule) -> None:
    r"""Parallel updates with J = J^T are reversible, hence :math:`R_\tau=\beta(C_\tau-C_{\tau+2})` in the stationary state.

    The mean of a redrawn s_u given s_{u-1} is two reversible steps from s_u, so the score of s_u becomes this difference.
    """
    signs = rule.variant == "ising"
    g = 1.0 if signs else 0.2
    options: dict[str, Any] = {"paths": 40000, "seed": 3} if signs else {}
    steps = 24 if signs else 80
    found = transient(law_of([[g]], [[g]]), rule, steps, **options)
    c, r = (found[name].sel(time=steps).values[::-1] for name in ("two_time_correlation", "response"))
    strength = rule.beta if signs else rule.sigma**-2
    gap = r[:8] - strength * (c[:8] - c[2:10])
    assert np.abs(gap).max() < (0.02 if signs else 1e-9)  # 40000^(-1/2) = 0.005
    assert np.abs(r[:5:2]).min() > 0.03
    assert np.abs(r[1:8:2]).max() < 0.02


def test_two_estimators_of_the_response_agree() -> None:
    law = law_of([[0.9]], [[0.6]])
    warm = transient(law, gf.TokenRule("probit", beta=6.0), 8, start="repeated", paths=40000, seed=1)  # by the score
    cold = transient(
        law, gf.TokenRule("probit", beta=COLD), 8, start="repeated", paths=40000, seed=2
    )  # by Stein's lemma
    lower = np.tril_indices(8)
    first, second = (x["response"].values[1:, 1:][lower] for x in (warm, cold))
    error = np.hypot(*(x["response_error"].values[1:, 1:][lower] for x in (warm, cold)))
    assert np.abs(first - second).max() < 0.03 + 5.0 * float(error.max())  # 1/beta^2 and noise


def test_paths_are_addressed_and_their_errors_shrink() -> None:
    law = law_of([[0.6, 0.2], [0.2, 0.5]], [[0.3, 0.1], [0.1, -0.25]])
    rule = gf.TokenRule("ising", beta=1.5)
    few, again, many = (transient(law, rule, 12, paths=paths, seed=9) for paths in (2000, 2000, 32000))
    assert np.array_equal(few["response"], again["response"], equal_nan=True)
    ratio = float(few["two_time_correlation_error"].mean() / many["two_time_correlation_error"].mean())
    assert 2.8 < ratio < 5.6  # 4
    assert {"seed", "paths", "averages_over"} <= set(few.attrs)
    assert not few["magnetization"].any()
    other = transient(law, rule, 12, paths=2000, seed=10)
    assert not np.array_equal(few["two_time_correlation"], other["two_time_correlation"])
    moved = transient(
        gf.ContextEnsemble(law_of(*TWO, mean=[1.5, 0.5]), field=0.1),
        rule,
        12,
        paths=4000,
        seed=1,
        start_magnetization=0.5,
    )
    assert 0.2 < float(moved["magnetization"][-1]) < 1.0
    overlaps = transient(law, rule, 6, paths=8000, seed=1, start=[[1.0, 0.3], [0.3, 1.0]])
    assert np.isfinite(overlaps["two_time_correlation"]).all()


def test_entropy_production_of_gaussian_tokens() -> None:
    def of(gamma: Any, partner: Any) -> float:
        found = gf.solve(law_of(gamma, partner), gf.StationaryDMFT(gf.TokenRule("gaussian", sigma=1.7)))
        assert float(found["entropy_production"]) == float(found["entropy_production_per_spin"])
        return float(found["entropy_production"])

    assert of([[0.2]], [[0.2]]) == pytest.approx(0.0, abs=1e-12)  # reversible
    assert of([[0.3]], [[0.0]]) == pytest.approx(0.3 / 0.7, rel=1e-12)
    plain = gf.solve(gf.LaggedGaussian(TWO[0]), gf.StationaryDMFT(gf.TokenRule("gaussian")))
    assert of(TWO[0], np.zeros((2, 2))) == pytest.approx(float(plain["entropy_production"]), rel=1e-10)
    # exact samples: the mean over draws, within its error and the 1/N of a finite sample
    for law in (law_of(0.9 * TWO[0], 0.9 * TWO[1]), law_of([[0.25]], [[-0.2]])):
        n = 120
        draws = [
            float(
                gf.solve(gf.ExtendedContext(law.sample(n=n, seed=s)), gf.ExactContext(gf.TokenRule("gaussian")))[
                    "entropy_production_per_spin"
                ]
            )
            for s in range(8)
        ]
        error = float(np.std(draws, ddof=1)) / math.sqrt(len(draws))
        assert np.mean(draws) == pytest.approx(of(law.covariance, law.transpose_covariance), abs=4.0 * error + 3.0 / n)


@pytest.mark.parametrize(
    ("gamma", "partner", "beta"),
    [(*TWO, 2.0), ([[0.8]], [[-0.5]], 1.5), ([[1.0]], [[1.0]], 0.6), ([[0.7]], [[0.3]], 0.0), ([[0.0]], [[0.0]], 3.0)],
)
def test_the_spherical_transient_ends_in_the_stationary_state(gamma: Any, partner: Any, beta: float) -> None:
    law, rule = law_of(gamma, partner), gf.TokenRule("spherical", beta=beta)
    stationary = gf.solve(law, gf.StationaryDMFT(rule, lags=12))
    late = transient(law, rule, 400)
    assert np.allclose(late["autocorrelation"][:13], stationary["autocorrelation"], rtol=0, atol=1e-8)
    assert np.allclose(late["response"].values[-1, :-14:-1], stationary["response"], rtol=0, atol=1e-8)
    assert float(stationary["token_spectrum"].integrate("frequency")) == pytest.approx(math.pi, rel=1e-6)
    assert float(late["loss_floor"][-1]) == pytest.approx(float(stationary["loss_floor"]), abs=1e-8)


def test_stationary_spherical_tokens() -> None:
    rule = gf.TokenRule("spherical", beta=2.0)
    gamma = np.array([[0.6, 0.3, -0.1], [0.3, 0.5, 0.2], [-0.1, 0.2, 0.4]])
    without = gf.solve(law_of(gamma, np.zeros((3, 3))), gf.StationaryDMFT(rule))
    plain = gf.solve(gf.LaggedGaussian(gamma), gf.StationaryDMFT(rule))
    for name in ("multiplier", "q0", "gain", "loss_floor", "entropy_production"):
        assert float(without[name]) == pytest.approx(float(plain[name]), rel=1e-9)
    assert np.allclose(without["autocorrelation"], plain["autocorrelation"], atol=1e-10)
    reversible = gf.solve(law_of([[1.0]], [[1.0]]), gf.StationaryDMFT(gf.TokenRule("spherical", beta=0.9)))
    assert float(reversible["multiplier"]) == pytest.approx(1.81, rel=1e-10)  # 1 + beta^2 g
    assert float(reversible["entropy_production"]) == pytest.approx(0.0, abs=1e-12)
    with pytest.raises(MethodNotApplicableError, match=r"frozen at beta = 1.5.* ends at beta = 1[;.]"):
        gf.solve(law_of([[1.0]], [[1.0]]), gf.StationaryDMFT(gf.TokenRule("spherical", beta=1.5)))
    with pytest.raises(MethodNotApplicableError, match="finite beta"):
        gf.solve(law_of(*TWO), gf.StationaryDMFT(gf.TokenRule("spherical", beta=COLD)))


def test_fully_symmetric_couplings_may_carry_rounding() -> None:
    root = np.array([[0.31, 0.17], [0.23, 0.41]])
    gamma = 0.3 * root @ root.T
    law = law_of(gamma, 0.1 * root @ (3.0 * root.T))  # equal but for the last digit
    matrices = law.sample(n=20, seed=1).matrices
    assert np.allclose(matrices, matrices.transpose(0, 2, 1), atol=1e-7)
    assert np.isfinite(transient(law, gf.TokenRule("gaussian"), 20)["response"].values[2:, 2:]).all()
    with pytest.raises(InvalidInputError, match="symmetrise"):
        law_of(gamma, [[0.01, 0.02], [0.0, 0.01]])


def test_what_is_not_solved_is_said() -> None:
    law = law_of(*TWO)
    with pytest.raises(MethodNotApplicableError, match="TransientDMFT"):
        gf.solve(law, gf.StationaryDMFT(gf.TokenRule("ising")))
    with pytest.raises(MethodNotApplicableError, match="grow"):
        solve_partially_symmetric_gaussian(law_of([[0.5]], [[0.5]]))
    with pytest.raises(InvalidInputError, match="sampled paths"):
        transient(law, gf.TokenRule("ising"), 3, start=[[1.0, 0.3], [0.3, 1.0]], start_magnetization=0.1)
    growing = gf.solve(law_of([[20.0]], [[19.0]]), gf.TransientDMFT(gf.TokenRule("gaussian"), steps=400), throw=False)
    assert growing.attrs["status"] == "nonfinite"
    assert np.isfinite(growing["two_time_correlation"]).all()

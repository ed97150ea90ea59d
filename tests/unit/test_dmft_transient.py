"""Transients of extended-context models: against double sums, the stationary solution, closed forms and simulation."""

from __future__ import annotations

import math
from typing import Any

import naive
import numpy as np
import pytest

import glassformer as gf
from glassformer._core._arcsine_mixture import bivariate_average
from glassformer._core._errors import InvalidInputError, NotConvergedError

THREE = np.array([[0.6, 0.3, -0.1], [0.3, 0.5, 0.2], [-0.1, 0.2, 0.4]])
SINGULAR = np.outer([0.7, -0.5, 0.3], [0.7, -0.5, 0.3])  # of rank one, with negative correlations
ZERO_SUMS = np.array([[0.5, 0.2, 0.0], [0.2, 0.5, -0.2], [0.0, -0.2, 0.5]])
OVERLAPS = np.array([[1.0, 0.4, -0.1], [0.4, 1.0, 0.2], [-0.1, 0.2, 1.0]])
COLD = math.inf
RULES = [
    gf.TokenRule("ising", beta=0.8),
    gf.TokenRule("ising", beta=2.3),
    gf.TokenRule("probit", beta=1.7),
    gf.TokenRule("graded", beta=1.9),
    gf.TokenRule("gaussian", sigma=0.7),
    gf.TokenRule("spherical", beta=1.4),
    gf.TokenRule("spherical", beta=COLD),
]


def name_of(rule: Any) -> str:
    return f"{rule.variant}-{rule.beta:g}"


def transient(law: Any, rule: gf.TokenRule, steps: int, **options: Any) -> Any:
    return gf.solve(law, gf.TransientDMFT(rule, steps=steps, **options))


@pytest.mark.parametrize("rule", RULES, ids=name_of)
@pytest.mark.parametrize("gamma", [0.8 * THREE, SINGULAR], ids=["full", "rank-one"])
def test_every_rule_obeys_the_equations_entry_by_entry(rule: gf.TokenRule, gamma: np.ndarray) -> None:
    found = transient(gf.LaggedGaussian(gamma), rule, 5, start=OVERLAPS)
    expected, _ = naive.context_transient_by_loops(
        gamma, 5, OVERLAPS, variant=rule.variant, beta=rule.beta, sigma=rule.sigma
    )
    assert np.allclose(found["two_time_correlation"], expected, rtol=0, atol=1e-11)
    assert found["time"].values.tolist() == [-2, -1, 0, 1, 2, 3, 4, 5]
    assert not found["magnetization"].any()


@pytest.mark.parametrize("rule", RULES, ids=name_of)
def test_means_and_a_field(rule: gf.TokenRule) -> None:
    drift, means = [0.8, -0.3, 0.5], np.array([0.4, -0.2, 0.1])
    ensemble = gf.ContextEnsemble(gf.LaggedGaussian(0.5 * THREE, mean=drift), field=0.15)
    start = np.outer(means, means) + np.diag(1.0 - means**2)
    found = transient(ensemble, rule, 4, start="independent", start_magnetization=means)
    expected, magnetization = naive.context_transient_by_loops(
        0.5 * THREE, 4, start, variant=rule.variant, beta=rule.beta, sigma=rule.sigma, mean=drift, field=0.15,
        means=means,
    )  # fmt: skip
    assert np.allclose(found["magnetization"], magnetization, rtol=0, atol=1e-11)
    assert np.allclose(found["two_time_correlation"], expected, rtol=0, atol=1e-11)


@pytest.mark.parametrize("beta", [0.02, 1.0, 7.0, 40.0, COLD])
@pytest.mark.parametrize(("drift", "field"), [(0.0, 0.0), (0.9, 0.2), (-1.1, 0.05)])
def test_every_pair_obeys_the_closure_however_strong_the_correlation(beta: float, drift: float, field: float) -> None:
    gamma = np.outer([0.5, 0.4, 0.45], [0.5, 0.4, 0.45]) + 0.01 * np.eye(3)  # rho up to 0.99 from one token
    rule = gf.TokenRule("ising", beta=beta)
    ensemble = gf.ContextEnsemble(gf.LaggedGaussian(gamma, mean=[drift, 0.1, 0.0]), field=field)
    found = transient(ensemble, rule, 25, start="repeated", start_magnetization=0.3 if drift else 0.0)
    c = found["two_time_correlation"].values
    inner = slice(3, None)
    q, m = found["field_covariance"].values[inner, inner], found["magnetization"].values
    mu = field + drift * m[2:-1] + 0.1 * m[1:-2]
    lower = np.tril_indices(25, -1)
    variance = np.diagonal(q)
    pairs = bivariate_average(
        q[lower], variance[lower[0]], variance[lower[1]], rule.noise_with(26), mean_a=mu[lower[0]], mean_b=mu[lower[1]]
    )
    assert np.allclose(c[inner, inner][lower], pairs, rtol=0, atol=2e-12)


@pytest.mark.parametrize(
    "rule", [*RULES, gf.TokenRule("ising", beta=COLD), gf.TokenRule("probit", beta=9.0)], ids=name_of
)
@pytest.mark.parametrize("start", ["independent", "repeated", OVERLAPS], ids=["independent", "repeated", "array"])
def test_late_rows_are_the_stationary_state(rule: gf.TokenRule, start: Any) -> None:
    if rule.variant == "spherical" and math.isinf(rule.beta):
        return  # ages
    gamma = {"gaussian": 0.25, "graded": 4.0}.get(rule.variant, 1.0) * THREE
    found = transient(gf.LaggedGaussian(gamma), rule, 250, start=start)
    stationary = gf.solve(gf.LaggedGaussian(gamma), gf.StationaryDMFT(rule, lags=20))
    assert np.allclose(found["autocorrelation"][:21], stationary["autocorrelation"], rtol=0, atol=1e-9)
    for name in ("loss_floor", "entropy_production"):
        assert (name in found) == (name in stationary)
        if name in found:
            assert float(found[name].sel(time=240)) == pytest.approx(float(stationary[name]), abs=1e-9)


def test_published_digits() -> None:
    law = gf.LaggedGaussian(THREE)
    expected = {
        0.5: (0.0906745199, -0.0103917643, -0.0026527908, -0.0000492141),
        1.0: (0.2086600411, -0.0000341130, -0.0092107102, -0.0019438870),
        3.0: (0.3534475807, 0.0472488328, -0.0097083455, -0.0067388043),
        COLD: (0.3894284835, 0.0635896104, -0.0074490157, -0.0077201010),
    }
    for beta, values in expected.items():
        found = transient(law, gf.TokenRule("ising", beta=beta), 200, start="repeated")
        assert np.allclose(found["autocorrelation"][1:5], values, rtol=0, atol=6e-11)
    warm = transient(law, gf.TokenRule("ising", beta=1.0), 100)
    assert float(warm["loss_floor"].sel(time=90)) == pytest.approx(0.3952428106, abs=1e-10)
    assert float(warm["entropy_production"].sel(time=90)) == pytest.approx(0.8713401966, abs=1e-10)


def test_zero_diagonal_sums_forget_whatever_the_start_was() -> None:
    law = gf.LaggedGaussian(ZERO_SUMS)
    for rule in (
        gf.TokenRule("ising", beta=2.0),
        gf.TokenRule("ising", beta=COLD),
        gf.TokenRule("spherical", beta=3.0),
    ):
        found = transient(law, rule, 300, start="repeated")
        assert float(abs(found["two_time_correlation"].sel(time=2, time_=1))) > 0.05
        assert np.abs(found["autocorrelation"][1:40]).max() < 1e-10
    kept = transient(law, gf.TokenRule("spherical", beta=COLD), 400, start="repeated")  # a flat G selects nothing
    late = kept["two_time_correlation"].sel(time=400, time_=[399, 398]).values
    assert late[0] > 0.4
    assert np.allclose(late, kept["two_time_correlation"].sel(time=200, time_=[199, 198]), rtol=0, atol=1e-12)
    free = transient(law, gf.TokenRule("spherical", beta=COLD), 50)
    assert np.abs(free["autocorrelation"][1:]).max() < 1e-12


@pytest.mark.parametrize("g", [0.3, 0.97, 1.2])
def test_one_lag_in_closed_form(g: float) -> None:
    law, steps = gf.LaggedGaussian([[g]]), 60
    found = transient(law, gf.TokenRule("gaussian", sigma=1.3), steps, start=[[2.0]])
    t = np.arange(steps + 1)
    assert np.allclose(found["square"], g**t * 2.0 + 1.69 * (1 - g**t) / (1 - g), rtol=1e-12)
    apart = found["two_time_correlation"].values - np.diag(found["square"].values)
    assert not apart.any()
    assert not transient(law, gf.TokenRule("ising", beta=2.0), 9, start="repeated")["autocorrelation"][1:].any()


@pytest.mark.parametrize("rule", [gf.TokenRule("ising", beta=1.3), gf.TokenRule("spherical", beta=COLD)], ids=name_of)
def test_symmetries(rule: gf.TokenRule) -> None:
    signs = (-1.0) ** np.add.outer(np.arange(3), np.arange(3))
    plain = transient(gf.LaggedGaussian(THREE), rule, 20)["two_time_correlation"].values
    flipped = transient(gf.LaggedGaussian(signs * THREE), rule, 20)["two_time_correlation"].values
    turns = (-1.0) ** np.arange(23)
    assert np.allclose(flipped, plain * np.outer(turns, turns), rtol=0, atol=1e-13)
    scaled = gf.TokenRule(rule.variant, beta=2.5 * rule.beta)
    same = transient(gf.LaggedGaussian(THREE / 6.25), scaled, 20)["two_time_correlation"].values
    assert np.allclose(same, plain, rtol=0, atol=1e-12)
    assert np.linalg.eigvalsh(plain)[0] > -1e-12


@pytest.mark.parametrize(
    "rule",
    [
        gf.TokenRule("ising", beta=1.1),
        gf.TokenRule("ising", beta=COLD),
        gf.TokenRule("probit", beta=1.4),
        gf.TokenRule("graded", beta=2.2),
        gf.TokenRule("gaussian", sigma=0.8),
        gf.TokenRule("spherical", beta=2.7),
        gf.TokenRule("spherical", beta=COLD),
    ],
    ids=name_of,
)
def test_a_simulation_of_the_rule_as_it_is_written(rule: gf.TokenRule) -> None:
    gamma = np.array([[0.42, -0.16], [-0.16, 0.31]])
    law = gf.LaggedGaussian(gamma, mean=[0.3, -0.2])
    n, draws, steps, m0 = 500, 6, 9, 0.4
    theory = transient(gf.ContextEnsemble(law, field=0.1), rule, steps, start="repeated", start_magnetization=m0)
    random = np.random.default_rng(5)
    gaps, means = [], []
    for seed in range(draws):
        first = np.where(random.permutation(n) < 0.5 * (1 + m0) * n, 1.0, -1.0)
        path = naive.context_path_by_hand(
            law.sample(n=n, seed=seed).matrices, 0.1, [first, first], steps, variant=rule.variant, beta=rule.beta,
            sigma=rule.sigma, seed=seed,
        )  # fmt: skip
        gaps.append(path @ path.T / n - theory["two_time_correlation"].values)
        means.append(path.mean(axis=1) - theory["magnetization"].values)
    scale = float(theory["square"].max())
    # one snapshot has a standard deviation of about N^(-1/2), in units of the squared length of tokens
    error = scale / math.sqrt(n * draws)
    assert np.abs(np.mean(gaps, axis=0)).max() < 5.0 * error + 2.0 * scale / n
    assert np.abs(np.mean(means, axis=0)).max() < 5.0 * math.sqrt(scale / (n * draws)) + 2.0 / n
    wrong = transient(gf.ContextEnsemble(gf.LaggedGaussian(gamma[::-1, ::-1], mean=[0.3, -0.2]), field=0.1), rule, steps,
                      start="repeated", start_magnetization=m0)  # fmt: skip
    assert np.abs(wrong["two_time_correlation"] - theory["two_time_correlation"]).max() > 1e-3


def test_the_entropy_production_of_single_steps_is_that_of_a_simulation() -> None:
    gamma, beta, n, draws, steps = np.array([[0.7, 0.3], [0.3, 0.4]]), 1.6, 600, 6, 8
    law = gf.LaggedGaussian(gamma)
    theory = transient(law, gf.TokenRule("ising", beta=beta), steps, start="repeated")
    ratios = []
    for seed in range(draws):
        first = np.where(np.random.default_rng(seed).random(n) < 0.5, 1.0, -1.0)
        couplings = law.sample(n=n, seed=seed).matrices
        s = naive.context_path_by_hand(
            couplings, 0.0, [first, first], steps, variant="ising", beta=beta, seed=seed + 100
        )
        row = []
        for i in range(2, steps):  # time i - 1
            ahead = couplings[0] @ s[i - 1] + couplings[1] @ s[i - 2]
            back = couplings[0] @ s[i + 1] + couplings[1] @ s[i + 2]
            logs = np.log(np.cosh(beta * back)) - np.log(np.cosh(beta * ahead))
            row.append(float(np.mean(beta * s[i] * (ahead - back) + logs)))
        ratios.append(row)
    mean, error = np.mean(ratios, axis=0), np.std(ratios, axis=0, ddof=1) / math.sqrt(draws)
    expected = theory["entropy_production"].values[2:steps]
    assert np.abs(mean - expected).max() < 5.0 * float(error.mean()) + 3.0 / n
    assert theory["entropy_production"].isnull().sum() == 4


@pytest.mark.parametrize("rule", RULES, ids=name_of)
def test_a_band_keeps_the_rows_and_says_when_it_is_too_narrow(rule: gf.TokenRule) -> None:
    law = gf.LaggedGaussian(0.3 * THREE if rule.variant == "gaussian" else THREE)
    steps, band = 150, 90
    whole = transient(law, rule, steps, start=OVERLAPS)
    kept = transient(law, rule, steps, start=OVERLAPS, band=band)
    time = np.arange(steps + 1)
    for lag in (0, 1, 2, 7, 40):
        expected = whole["two_time_correlation"].values[time + 2, time + 2 - lag][max(0, lag - 2) :]
        found = kept["banded_correlation"].sel(lag=lag).values[2:][max(0, lag - 2) :]
        assert np.allclose(found, expected, rtol=0, atol=1e-10)
    for name in ("square", "magnetization", "loss_floor", "entropy_production"):
        if name in whole:
            assert np.allclose(kept[name], whole[name], rtol=0, atol=1e-9, equal_nan=True)
    variance = np.diagonal(whole["field_covariance"])
    assert np.allclose(kept["field_variance"], variance, rtol=0, atol=1e-10, equal_nan=True)
    assert kept.attrs["status"] == "ok"
    narrow = transient(law, rule, steps, start=OVERLAPS, band=6)
    assert narrow.attrs["status"] == "out_of_range"
    assert "wider band" in narrow.attrs["note"]
    assert float(narrow["band_edge"]) > 1e-10


def test_bands_are_for_correlations_that_end() -> None:
    law, rule = gf.LaggedGaussian(THREE), gf.TokenRule()
    long = transient(law, rule, 7000, band=60)
    assert float(long["autocorrelation"][1]) == pytest.approx(0.2086600411, abs=1e-10)
    for model in (gf.ContextEnsemble(law, field=0.1), gf.LaggedGaussian(THREE, mean=[0.1, 0.0, 0.0])):
        with pytest.raises(InvalidInputError, match="band"):
            transient(model, rule, 20, band=10)
    with pytest.raises(InvalidInputError, match="twice the context"):
        transient(law, rule, 20, band=5)
    with pytest.raises(InvalidInputError, match="pass band="):
        transient(law, rule, 7000)


def test_tokens_that_grow_end_with_the_rows_that_are_finite() -> None:
    law = gf.LaggedGaussian([[9.0, 5.0], [5.0, 8.0]])
    with pytest.raises(NotConvergedError, match="TransientDMFT"):
        transient(law, gf.TokenRule("gaussian"), 900)
    found = gf.solve(law, gf.TransientDMFT(gf.TokenRule("gaussian"), steps=900), throw=False)
    assert found.attrs["status"] == "nonfinite"
    assert 200 < found.sizes["time"] < 400
    assert np.isfinite(found["two_time_correlation"]).all()
    assert np.isfinite(found["entropy_production"].sel(time=slice(1, int(found["time"][-1]) - 2))).all()
    mild = transient(gf.LaggedGaussian([[0.9, 0.5], [0.5, 0.8]]), gf.TokenRule("gaussian"), 300)
    assert mild.attrs["status"] == "ok"


def test_fields_that_cancel_leave_a_coin() -> None:
    law = gf.LaggedGaussian.from_factors([0.1, 0.2, -0.3])  # one token three times has no field, but for rounding
    for rule in (gf.TokenRule("ising", beta=COLD), gf.TokenRule("spherical", beta=COLD)):
        found = transient(law, rule, 6, start="repeated")
        assert float(found["field_covariance"].sel(time=1, time_=1)) == 0.0
        assert not found["two_time_correlation"].sel(time=1, time_=slice(-2, 0)).any()
        assert np.isfinite(found["two_time_correlation"]).all()
    nothing = gf.LaggedGaussian([[0.0, 0.0], [0.0, 0.0]])
    for rule in [*RULES, gf.TokenRule("ising", beta=0.0)]:
        found = transient(nothing, rule, 4, start="repeated")
        assert not found["autocorrelation"][1:].any()
        assert np.isfinite(found["two_time_correlation"]).all()


def test_graded_units_fall_asleep_below_their_threshold() -> None:
    found = transient(gf.LaggedGaussian(THREE), gf.TokenRule("graded", beta=0.3), 700)
    assert 0.0 <= float(found["square"][-1]) < 1e-100
    assert np.isfinite(found["two_time_correlation"]).all()


def test_a_longer_run_begins_with_the_shorter_one() -> None:
    rule, law = gf.TokenRule("ising", beta=1.2), gf.LaggedGaussian(THREE)
    short, whole = (transient(law, rule, steps)["two_time_correlation"] for steps in (30, 60))
    assert np.array_equal(short, whole[:33, :33])


@pytest.mark.parametrize("rule", [gf.TokenRule("ising", beta=1.5), gf.TokenRule("ising", beta=COLD), gf.TokenRule("probit", beta=1.5),
                                  gf.TokenRule("graded", beta=1.5)], ids=name_of)  # fmt: skip
def test_sampled_paths_agree_with_the_recursion(rule: gf.TokenRule) -> None:
    law = gf.LaggedGaussian(THREE)
    exact = transient(law, rule, 15, start="repeated")
    sampled = transient(law, rule, 15, start="repeated", paths=8000, seed=2)
    lower = np.tril_indices(18, -1)
    gap = (sampled["two_time_correlation"] - exact["two_time_correlation"]).values[lower]
    error = sampled["two_time_correlation_error"].values[lower]
    scores = gap[error > 0] / error[error > 0]  # of Student's law with seven degrees of freedom: variance 7/5
    assert 0.7 < float(np.mean(scores**2)) < 2.6
    assert np.abs(gap).max() < 6.0 / math.sqrt(8000)
    again = transient(law, rule, 15, start="repeated", paths=8000, seed=2)
    assert np.array_equal(sampled["two_time_correlation"], again["two_time_correlation"])
    assert gf.evidence(sampled)["paths"] == 8000


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"start": "random"}, "'independent', 'repeated' or an array"),
        ({"start": np.eye(2)}, "one row and column a lag"),
        ({"start": 2.0 * np.eye(3)}, "every token has s.s = N"),
        ({"start": [[1, 0.9, 0.9], [0.9, 1, -0.9], [0.9, -0.9, 1]]}, "lowest eigenvalue of start"),
        ({"start": np.eye(3) * 1.5 - 0.5}, "tokens of signs"),  # three signs cannot all disagree by half
        ({"start_magnetization": 1.2}, "from -1 to 1"),
        ({"start_magnetization": [0.1, 0.2]}, "the context length 3"),
        ({"start": "repeated", "start_magnetization": [0.1, 0.2, 0.1]}, "one number"),
        ({"steps": 0}, "steps"),
        ({"steps": 10**6}, "steps"),
        ({"paths": 10}, "paths"),
    ],
)
def test_what_cannot_be_is_refused_in_words(options: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidInputError, match=words):
        transient(gf.LaggedGaussian(THREE), gf.TokenRule("ising"), **{"steps": 5, **options})
    with pytest.raises(InvalidInputError, match="exact"):
        gf.TransientDMFT(gf.TokenRule("gaussian"), paths=1000)

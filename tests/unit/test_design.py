"""Designs: closed forms, thresholds found independently, and the forward solution of what was designed."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import glassformer as gf
from glassformer._core._random import derived_seed, normals
from glassformer._core._status import Status
from glassformer.couplings._lag_covariance import diagonal_sums, extreme_spectrum, spectrum
from glassformer.plotting.context_design import verify_figure
from glassformer.theory.design._formula import parse_formula
from glassformer.theory.design._forward import LinearForward
from glassformer.theory.design._link import Link, strength_of_variance
from glassformer.theory.design._normalised import shape_correlation, shape_derivative
from glassformer.theory.design._sequences import longest_entropy, predictor, taper
from glassformer.theory.design._target import read_target
from glassformer.theory.design._verify import _unsettled, _unstable
from glassformer.theory.dmft._solution import solve_stationary

INF = math.inf


def resolved(found: gf.Design) -> np.ndarray:
    """The correlation of the covariance, by the general solver."""
    return solve_stationary(diagonal_sums(found.covariance), found.rule).lags(len(found.target) - 1)


# --- formulas ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "function"),
    [
        ("0.8^tau", lambda t: 0.8**t),
        ("-tau**2 + 2*tau - -1", lambda t: -(t**2) + 2 * t + 1),
        ("(1+tau)^-0.5*exp(-tau/20)", lambda t: (1 + t) ** -0.5 * np.exp(-t / 20)),
        ("2/pi*asin(0.85^tau*cos(0.9*tau))", lambda t: 2 / np.pi * np.arcsin(0.85**t * np.cos(0.9 * t))),
        ("max(1 - tau/5, 0) + min(tau, 2)*abs(-1)", lambda t: np.maximum(1 - t / 5, 0) + np.minimum(t, 2)),
        ("e^(-tau) + sqrt(4)*tanh(0)+log(1)+atan(0)+acos(1)+sin(0)+tan(0)", lambda t: np.exp(-t)),
        ("2^-tau^2", lambda t: 2.0 ** -(t**2)),
        ("7", lambda t: 7.0 + 0 * t),
    ],
)
def test_formulas_mean_what_they_say(text: str, function) -> None:  # type: ignore[no-untyped-def]
    tau = np.arange(12.0)
    assert np.allclose(parse_formula(text)(tau), function(tau), rtol=1e-14)


@pytest.mark.parametrize(
    ("text", "piece"),
    [
        ("__import__('os').system('ls')", "import"),
        ("0.8^t", "'t'"),
        ("tau.real", "tau.real"),
        ("[tau][0]", "tau"),
        ("foo(tau)", "'foo'"),
        ("exp", "needs its argument"),
        ("exp(tau, 2)", "2 arguments instead of 1"),
        ("max(tau)", "1 arguments instead of 2"),
        ("0.8^", "cannot be read"),
        ("", "cannot be read"),
        ("'a'", "not understood"),
        ("tau if tau else 1", "not understood"),
        ("tau < 3", "not understood"),
        ("lambda: 1", "not understood"),
        ("True", "not understood"),
        ("1j*tau", "not understood"),
        ("tau // 2", "not understood"),
        ("exp(x=tau)", "arguments"),
        ("(" * 400 + "1" + ")" * 400, "cannot be read|nested"),
        ("1+" * 600 + "1", "characters"),
    ],
)
def test_what_is_not_a_formula_is_named(text: str, piece: str) -> None:
    with pytest.raises(gf.InvalidInputError, match=piece):
        gf.design(text)


def test_large_powers_stay_numbers() -> None:
    with pytest.raises(gf.InvalidInputError, match="finite"):
        gf.design("9^9^9^9^tau")


# --- targets ----------------------------------------------------------------------------------------------------------


def test_where_lists_begin(tmp_path: Path) -> None:
    assert read_target([1.0, 0.5], "ising").values.tolist() == [1.0, 0.5]
    assert read_target([0.5, 0.2], "spherical").values.tolist() == [1.0, 0.5, 0.2]
    assert read_target([2.5, 0.5], "gaussian").values.tolist() == [2.5, 0.5]
    assert read_target([0.5, 0.2], "graded").values.tolist() == [0.5, 0.2]
    for name in ("a.csv", "a.txt", "a.npy"):
        path = tmp_path / name
        np.save(path, [0.5, 0.2]) if name.endswith("npy") else path.write_text("0.5\n0.2\n")
        assert read_target(path, "ising").values.tolist() == [1.0, 0.5, 0.2]
        assert read_target(str(path), "gaussian").values.tolist() == [0.5, 0.2]
    assert read_target(lambda tau: 0.3**tau, "ising").until(2).tolist() == pytest.approx([1.0, 0.3, 0.09])
    assert read_target(lambda tau: 0.3**tau if tau < 2 else 0.0, "ising").values.tolist() == [1.0, 0.3]


@pytest.mark.parametrize(
    ("target", "options", "words"),
    [
        ("2*0.5^tau", {}, "divide it by its value at 0"),
        ("-0.8^tau", {}, "parentheses"),
        ("1/tau", {}, "tau = 0"),
        ([], {}, "length of target"),
        (["a"], {}, "real numbers"),
        (0.5, {}, "dimensions"),
        ([-1.0, 0.5], {"variant": "gaussian"}, "variance > 0"),
        ([1.5, 0.5], {"variant": "graded"}, r"in \(0, 1\]"),
        ("nowhere.csv", {}, "does not exist"),
        ("0.5^tau", {"variant": "potts"}, "one of"),
        ("0.5^tau", {"beta": 0.0}, "beta"),
        ("0.5^tau", {"beta": -1.0}, "beta"),
        ("0.5^tau", {"sigma": 1.0}, "sigma"),
        ("0.5^tau", {"variant": "gaussian", "beta": 2.0}, "sigma sets the noise"),
        ("0.5^tau", {"variant": "gaussian", "sigma": 0.0}, "sigma"),
        ("0.5^tau", {"variant": "spherical", "beta": INF}, "ages at zero temperature"),
        ([0.5, 0.3, 0.1], {"variant": "graded", "beta": INF}, "beta"),
        ("0.5^tau", {"context": 0}, "context"),
        ("0.5^tau", {"context": 1025}, "from 1 to 1024"),
        ("0.8^tau-1.2", {}, r"is -0\.2, but"),
        ("0.5^tau", {"lags": 0}, "lags"),
        ([0.5, 0.2], {"lags": 3}, "at most 2"),
        ("0.5^tau", {"shape": "square"}, "shape"),
        ("0.5^tau", {"shape": np.eye(3), "context": 2}, "K the context"),
        ("0.5^tau", {"tolerance": 0.0}, "tolerance"),
    ],
)
def test_bad_input_is_one_sentence(target: object, options: dict[str, object], words: str) -> None:
    with pytest.raises(gf.InvalidInputError, match=words):
        gf.design(target, **options)  # type: ignore[arg-type]


# --- the pieces -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variant", "beta"), [("ising", 0.02), ("ising", 3.0), ("ising", 200.0), ("probit", 0.4), ("ising", INF)]
)
def test_the_link_is_inverted(variant: str, beta: float) -> None:
    link = Link(gf.TokenRule(variant, beta=beta))
    rho = np.linspace(-1.0, 1.0, 41)
    assert np.abs(link.inverse(link.forward(rho)) - rho).max() < 3e-14  # of which 1.5e-14 is the table
    assert link.inverse(np.array([2.0, -2.0])).tolist() == [1.0, -1.0]


def test_the_strength_of_graded_units() -> None:
    for variance in (1e-4, 0.2, 0.6352612343, 0.99):
        assert Link(gf.TokenRule("graded", beta=strength_of_variance(variance))).top == pytest.approx(
            variance, rel=1e-12
        )
    assert strength_of_variance(0.6352612343) == pytest.approx(2.0, rel=1e-9)


@pytest.mark.parametrize("rule", [gf.TokenRule(beta=1.5), gf.TokenRule(beta=INF), gf.TokenRule("graded", beta=3.0)])
@pytest.mark.parametrize("gamma", [[1.0], [0.8, -0.3], [0.9, 0.3, 0.4, -0.2]])
def test_the_correlation_of_a_shape_and_its_slopes(rule: gf.TokenRule, gamma: list[float]) -> None:
    link = Link(rule)
    shape = np.correlate(gamma, gamma, "full")[len(gamma) - 1 :]
    start = np.eye(1, 200)[0]
    c, residual = shape_correlation(shape, link, start)
    assert residual < 1e-12
    scale = 1.0 / (shape[0] * c[0] + 2.0 * shape[1:] @ c[1 : len(shape)])
    found = solve_stationary(scale * shape, rule, lags=199)
    assert found.field_variance == pytest.approx(1.0, abs=1e-11)
    assert np.abs(found.lags(199) - c).max() < 1e-11
    slopes = shape_derivative(shape, link, c)
    for d in range(len(shape)):
        step = 1e-5 * np.eye(1, len(shape), d)[0]
        up, down = (shape_correlation(shape + sign * step, link, c)[0] for sign in (1.0, -1.0))
        assert np.abs((up - down) / 2e-5 - slopes[:, d]).max() < 1e-7


def test_a_persistent_state_is_not_taken_for_the_solution() -> None:
    # c = 1 at all lags solves the equations of one lag at beta = infinity, but it is unstable
    c, _ = shape_correlation(np.ones(1), Link(gf.TokenRule(beta=INF)), 0.99 ** np.arange(100))
    assert np.abs(c[1:]).max() < 1e-10


def test_the_continuation_of_largest_entropy() -> None:
    values = np.array([1.0, 0.5, 0.1])
    found = longest_entropy(values)
    assert found is not None
    a, error = predictor(values)
    assert np.allclose(found[:3], values)
    for lag in range(3, 20):  # Yule and Walker
        assert found[lag] == pytest.approx(-a[1] * found[lag - 1] - a[2] * found[lag - 2], abs=1e-13)
    omega = np.linspace(0.0, np.pi, 50)
    power = error / np.abs(1.0 + a[1] * np.exp(-1j * omega) + a[2] * np.exp(-2j * omega)) ** 2
    assert np.allclose(spectrum(found, omega), power)
    assert longest_entropy(np.array([1.0, 0.9, -0.9])) is None


def test_the_taper_keeps_spectra_positive() -> None:
    window = taper(400)
    assert window[0] == 1.0
    assert (np.diff(window) <= 0.0).all()
    assert extreme_spectrum(window).minimum > -1e-12


# --- closed forms and reference numbers ---------------------------------------------------------------------------------


@pytest.mark.parametrize("a", [0.8, -0.55, 0.3])
def test_exponentials_at_zero_temperature(a: float) -> None:
    found = gf.design(f"({a})^tau")
    d = np.arange(-1, 40)
    q = np.sin(0.5 * np.pi * a ** np.abs(d))
    expected = ((1 + a * a) * q[1:-1] - a * (q[:-2] + q[2:])) / (1 - a * a)
    kept = min(len(found.whole_sums), 30)
    assert np.abs(found.whole_sums[:kept] - expected[:kept]).max() < 1e-13
    assert found.feasible
    assert found.exact
    assert np.abs(resolved(found) - a ** np.arange(len(found.target), dtype=float)).max() < 1e-8


def test_reference_numbers_of_the_exponential() -> None:
    found = gf.design("0.8^tau")
    sums = [0.328638, 0.234084, 0.132237, 0.071973, 0.038294, 0.020089, 0.010446, 0.005401]
    assert np.abs(found.whole_sums[:8] - sums).max() < 6e-7
    low, _, high, _ = extreme_spectrum(found.whole_sums)
    assert low == pytest.approx(0.03117, abs=5e-6)
    assert high == pytest.approx(1.36513, abs=5e-6)
    assert found.smallest_feasible_beta == pytest.approx(15.3362, abs=5e-5)
    assert gf.design("0.5^tau").smallest_feasible_beta == pytest.approx(2.8019, abs=5e-5)


@pytest.mark.parametrize("a", [0.8, 0.5, -0.7, 0.95])
def test_the_threshold_of_probit_has_a_closed_form(a: float) -> None:
    rest = np.sin(0.5 * np.pi * a ** np.arange(800.0))
    rest[0] = 0.0
    lowest = -extreme_spectrum(rest).minimum  # 1 + 1/beta^2 = 1 / lowest
    found = gf.design(f"({a})^tau", variant="probit", beta=5.0, context=1)
    assert found.smallest_feasible_beta == pytest.approx(math.sqrt(lowest / (1.0 - lowest)), rel=1e-8)
    assert found.feasible == (found.smallest_feasible_beta <= 5.0)


@pytest.mark.parametrize(
    ("target", "variant"), [("0.5^tau", "ising"), ("0.5^tau*cos(0.5*tau)", "ising"), ("0.6^tau", "spherical")]
)
def test_feasibility_turns_at_the_smallest_beta(target: str, variant: str) -> None:
    least = gf.design(target, variant=variant, context=1).smallest_feasible_beta
    assert least is not None
    above, below = (gf.design(target, variant=variant, beta=least * (1.0 + sign * 1e-6), context=1) for sign in (1, -1))
    assert above.feasible
    assert not below.feasible
    assert f"beta >= {least:.6g}" in below.reason


def test_less_noise_can_imitate_more() -> None:
    # the fields at a lower temperature behind what positive-definite fields give are positive definite: one threshold
    draw = np.random.default_rng(3)
    for _ in range(20):
        waves, weights = draw.uniform(0.0, np.pi, 3), draw.dirichlet(np.ones(3))
        rho = (weights @ np.cos(np.outer(waves, np.arange(400)))) * 0.9 ** np.arange(400)
        warm = Link(gf.TokenRule(beta=float(draw.uniform(0.2, 5.0))))
        cold = Link(gf.TokenRule(beta=warm.rule.beta * float(draw.uniform(1.05, 5.0))))
        fields = cold.inverse(warm.forward(rho))
        fields[0] = 1.0
        assert extreme_spectrum(fields).minimum > 0.0


def test_the_spherical_threshold_is_that_of_the_noise() -> None:
    # lambda = 1 / min c(omega) = (1 + a) / (1 - a), and beta^2 = lambda (lambda - 1) where Q_0 = 1
    found = gf.design("0.5^tau", variant="spherical", context=2)
    assert found.smallest_feasible_beta == pytest.approx(math.sqrt(6.0))
    assert found.exact
    assert found.solution.field_variance == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize(("a", "sigma"), [(0.5, 0.5), (-0.8, 0.3), (0.9, 0.2)])
def test_gaussian_exponentials_need_two_lags(a: float, sigma: float) -> None:
    found = gf.design(f"({a})^tau", variant="gaussian", sigma=sigma)
    s = sigma**2
    assert found.context == 2
    assert np.allclose(found.diagonal_sums, [1 - s * (1 + a * a) / (1 - a * a), s * a / (1 - a * a)], atol=1e-13)
    assert found.exact
    assert found.max_error < 1e-12
    assert found.largest_feasible_sigma == pytest.approx(math.sqrt((1 - abs(a)) / (1 + abs(a))))


def test_gaussian_infeasible_says_which_sigma() -> None:
    found = gf.design("0.5^tau", variant="gaussian", sigma=0.6, context=3)
    assert not found.feasible
    assert "sigma <= 0.57735" in found.reason
    assert found.certificate["noise"] == pytest.approx(1 / 3 - 0.36)
    assert found.max_error > 1e-3


def test_a_clipped_process_may_not_exist() -> None:
    found = gf.design("0.85^tau*cos(0.9*tau)", context=6)
    assert not found.feasible
    assert found.smallest_feasible_beta is None
    assert found.certificate["spectrum"] == pytest.approx(0.0998, abs=5e-5)
    assert found.certificate["fields"] == pytest.approx(-0.335, abs=5e-4)
    assert "no beta makes it feasible" in found.reason
    assert "nearest feasible design" in found.note
    assert 0.05 < found.max_error < 0.2  # and there is a design all the same
    assert np.linalg.eigvalsh(found.covariance)[0] > -1e-12
    assert gf.design("2/pi*asin(0.85^tau*cos(0.9*tau))").exact
    assert gf.design("max(1-tau/5,0)", context=3).feasible is False  # triangles are autocorrelations, not of signs


def test_two_lags_reach_no_further() -> None:
    # |g_1| <= g_0 / 2 with two lags
    limit = 0.5411070309
    assert gf.design([limit - 1e-6], context=2).max_error < 1e-8
    above = gf.design([0.6], context=2)
    assert above.feasible  # with more lags
    assert above.achieved[1] == pytest.approx(limit, abs=1e-8)
    assert np.allclose(above.diagonal_sums[1], 0.5 * above.diagonal_sums[0])


def test_cutting_and_fitting() -> None:
    four = gf.design("0.8^tau", context=4, lags=30)
    assert four.rms_error == pytest.approx(0.02635, abs=5e-6)
    assert four.rank_one is not None
    shape = np.abs(four.rank_one) / np.linalg.norm(four.rank_one)
    assert np.allclose(shape, [0.66311, 0.24553, 0.24553, 0.66311], atol=2e-4)
    from glassformer.theory.design._fit import _direct
    from glassformer.theory.design._forward import SigmoidForward

    forward = SigmoidForward(Link(four.rule), 1.0, 60, 0.8 ** np.arange(166.0))
    cut = _direct(forward, four.whole_sums, 0.8 ** np.arange(166.0), 12)
    assert np.abs(cut.correlation[:60] - 0.8 ** np.arange(60.0)).max() == pytest.approx(9.6e-4, abs=5e-6)
    assert gf.design("0.8^tau", context=12).max_error < 3e-4


def test_no_neighbour_of_a_fit_is_better() -> None:
    found = gf.design("(1+tau)^-0.7*exp(-tau/15)", beta=6.0, context=3, lags=20)
    assert found.fitted
    assert found.rank_one is not None
    link = Link(found.rule)
    for direction in np.eye(3):
        for step in (1e-3, -1e-3):
            gamma = found.rank_one + step * direction
            c, _ = shape_correlation(np.correlate(gamma, gamma, "full")[2:], link, np.eye(1, 400)[0])
            rms = np.sqrt(np.mean((c[1:21] - found.target[1:]) ** 2))
            assert rms >= found.rms_error - 1e-12


# --- design and forward solution ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "options"),
    [
        ("0.5^tau", {"beta": 3.0}),
        ("0.6^tau*cos(0.4*tau)", {"beta": 40.0}),
        ("0.7^tau", {"variant": "probit", "beta": 12.0}),
        ("0.7^tau", {"variant": "graded", "beta": 0.5}),
        ("0.6^tau*cos(2*tau)", {"variant": "graded", "beta": 1.0}),
        ([0.3, 0.15, 0.09, 0.02], {"variant": "graded"}),
        ([0.3, 0.15], {"variant": "graded", "beta": 4.0}),
        ("2.5*0.7^tau*cos(tau)", {"variant": "gaussian"}),
        ([3.0, 1.0, -0.5, 0.2], {"variant": "gaussian", "sigma": 0.9}),
        ([0.6, 0.5], {"variant": "spherical"}),
        ("0.7^tau", {"variant": "spherical", "beta": 30.0}),
        ([0.5, 0.2, 0.05], {"beta": 5.0}),
        ([-0.2, 0.3], {}),
        ([0.1] * 4, {"variant": "probit"}),
        ("max(1-tau,0)", {"beta": 0.3}),
        ([1.0], {}),
    ],
)
def test_what_is_called_exact_is_reproduced(target: object, options: dict[str, object]) -> None:
    found = gf.design(target, **options)  # type: ignore[arg-type]
    assert found.feasible
    assert found.exact
    assert np.abs(resolved(found) - found.target).max() <= 1e-8
    solved = gf.solve(found.law, gf.StationaryDMFT(found.rule, lags=len(found.target) - 1))
    assert np.abs(solved["autocorrelation"].values - found.achieved).max() <= 1e-8
    if found.rule.variant not in ("gaussian", "graded"):
        assert float(solved["q0"]) == pytest.approx(1.0, abs=1e-8)
    assert extreme_spectrum(found.diagonal_sums).minimum >= -1e-12


def test_graded_variance_fixes_the_strength() -> None:
    rule = gf.TokenRule("graded", beta=1.0)
    known = solve_stationary([1.5, 0.5, -0.1], rule)
    found = gf.design(known.correlation[:40], variant="graded", beta=1.0, context=3)
    assert found.solution.field_variance == pytest.approx(known.field_variance, rel=1e-6)
    assert np.abs(found.diagonal_sums - [1.5, 0.5, -0.1]).max() < 1e-5
    assert gf.design("0.85^tau*cos(0.9*tau)", variant="graded", context=1).largest_feasible_beta == pytest.approx(
        1.46696, abs=1e-4
    )


@pytest.mark.parametrize(
    ("target", "variant"),
    [
        ("0.6^tau", "gaussian"),
        ("0.6^tau", "spherical"),
        ("3*0.5^tau*cos(tau)", "gaussian"),
        ([2.0, 0.6, 0.3, -0.1], "gaussian"),
        ([0.6, 0.5], "spherical"),
        ([-0.3, 0.2, 0.1], "spherical"),
    ],
)
def test_the_noise_that_is_chosen_is_the_least_critical_that_is_safe(target: object, variant: str) -> None:
    found = gf.design(target, variant=variant)
    assert found.feasible
    assert found.exact
    chosen = found.solution.criticality
    assert extreme_spectrum(found.diagonal_sums).minimum > 0.0  # so that max_det exists
    for factor in (0.5, 0.8):  # less noise (a larger beta) is more critical
        options = {"sigma": factor * found.noise} if variant == "gaussian" else {"beta": found.noise / factor}
        assert gf.design(target, variant=variant, **options).solution.criticality > chosen  # type: ignore[arg-type]
    if isinstance(target, str):
        low = extreme_spectrum(read_target(target, variant).values)
        assert chosen == pytest.approx(1.0 - 0.9 * low.minimum / low.maximum, rel=1e-9)
        assert ("finite-size effects" in found.note) == (chosen >= 0.93)


@pytest.mark.parametrize("unit", [False, True])
@pytest.mark.parametrize("gamma", [[0.8], [0.6, 0.3, -0.1], [0.3, 0.2, 0.2, 0.4, -0.3]])
def test_the_slopes_of_linear_rules(unit: bool, gamma: list[float]) -> None:
    shape = 0.5 * np.correlate(gamma, gamma, "full")[len(gamma) - 1 :]
    forward = LinearForward(0.3, 0.7 if unit else 1.0, unit, 20)
    found = forward.achieve(shape)
    assert found is not None
    slopes = forward.derivative(shape, found)
    assert slopes is not None
    assert slopes.shape == (21, len(shape))
    for lag, step in enumerate(1e-6 * np.eye(len(shape))):
        more, less = forward.achieve(shape + step), forward.achieve(shape - step)
        assert more is not None
        assert less is not None
        assert np.abs((more.correlation - less.correlation)[:21] / 2e-6 - slopes[:, lag]).max() < 1e-7


@pytest.mark.parametrize(
    ("target", "options"),
    [
        ("0.7^tau", {"beta": 4.0}),
        ("0.7^tau", {"variant": "spherical", "beta": 2.0}),
        ("0.85^tau*cos(0.9*tau)", {}),
        ([0.0] * 9 + [0.9], {"beta": 1.0}),
    ],
)
def test_the_nearest_design_is_no_worse_than_a_context_that_is_asked_for(
    target: object, options: dict[str, object]
) -> None:
    found = gf.design(target, **options)  # type: ignore[arg-type]
    assert not found.feasible
    for context in (3, 6, 12):
        other = gf.design(target, context=context, **options)  # type: ignore[arg-type]
        assert found.rms_error <= other.rms_error / 0.994
    assert np.abs(resolved(found) - found.achieved).max() < 1e-8


def test_shapes_share_the_sums() -> None:
    options = {"variant": "gaussian", "sigma": 0.4, "context": 4}
    one = gf.design("0.5^tau", **options)  # type: ignore[arg-type]
    matrix = np.diag([1.0, 1.0, 2.0, 3.0])
    for shape in ("max_det", "toeplitz", matrix):
        other = gf.design("0.5^tau", shape=shape, **options)  # type: ignore[arg-type]
        assert np.abs(diagonal_sums(other.covariance) - one.diagonal_sums).max() < 1e-9
        assert np.linalg.eigvalsh(other.covariance)[0] > -1e-10
        assert other.rank_one is None
    assert one.law.rank == 1
    assert np.sum((other.covariance - matrix) ** 2) < np.sum((one.covariance - matrix) ** 2)


def test_memory_without_end_is_reported() -> None:
    found = gf.design("(1+tau)^-0.5", context=2, lags=30)
    assert found.feasible
    assert not found.exact
    assert "tapered" in found.note
    assert f"{found.solution.correlation_time:.4g} steps" in found.note
    assert found.max_error > 0.01


@pytest.mark.parametrize("variant", ["ising", "gaussian", "spherical"])
@pytest.mark.parametrize("target", ["0.5+0.5*0.8^tau", "cos(0.7*tau)", "1"])
def test_what_never_decays_is_infeasible(target: str, variant: str) -> None:
    found = gf.design(target, variant=variant, context=2, lags=10)
    assert not found.feasible
    assert "does not decay" in found.reason
    assert found.certificate["decay"] < 0.0
    assert np.isfinite(found.achieved).all()


def test_a_slow_clipped_process_is_feasible() -> None:
    # feasible by construction: the arcsine of a convex sequence, which is positive definite (Polya)
    found = gf.design("2/pi*asin((1+tau)^-0.1)", context=2, lags=10)
    assert found.feasible
    assert "tapered" in found.note


def test_feasibility_does_not_depend_on_the_context() -> None:
    for context in (1, 2, 3):
        found = gf.design("0.7^tau", context=context)
        assert found.feasible
        assert not found.exact


# --- results ------------------------------------------------------------------------------------------------------------


def test_the_dataset_survives_a_file(tmp_path: Path) -> None:
    found = gf.design("0.7^tau", beta=3.0, context=3)
    dataset = found.to_dataset()
    path = tmp_path / "design.nc"
    dataset.to_netcdf(path)
    with xr.open_dataset(path) as read:
        assert bool(read["feasible"]) is False
        assert str(read["reason"].values) == found.reason
        assert np.array_equal(read["gamma"], found.covariance)
        assert float(read["smallest_feasible_beta"]) == found.smallest_feasible_beta
    assert float(dataset["rms_error"]) == found.rms_error


def test_a_design_is_a_frozen_result() -> None:
    found = gf.design("0.5^tau", context=2)
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.feasible = False  # type: ignore[misc]
    model = found.sample(n=12, seed=3)
    assert (model.n, model.context) == (12, 2)
    assert np.array_equal(model.couplings.matrices, found.sample(n=12, seed=3).couplings.matrices)


def test_a_design_is_printed_in_a_line() -> None:
    text = str(gf.design("0.5^tau", beta=2.0, context=3))
    for piece in ("feasible=False", "beta=2", "context=3", "max_error=", "smallest_feasible_beta=2.80", "reason='The"):
        assert piece in text
    assert "array" not in text
    assert len(text) < 500
    assert "sigma=" in repr(gf.design([2.0, 0.5], variant="gaussian"))


def test_a_simulation_that_explodes_agrees_with_nothing(tmp_path: Path) -> None:
    found = gf.design("0.7^tau", variant="gaussian", sigma=0.297)  # criticality 0.984: half of the draws are unstable
    for steps in (300, 6000):  # 6000 steps overflow
        check = found.verify(n=60, draws=4, steps=steps, seed=1)
        assert str(check["verdict"].values) == "does not settle"
        assert not bool(check["simulation_agrees"])
        assert math.isinf(float(check["largest_deviation"]))
        assert check.attrs["status"] == "not_equilibrated"
        assert "unstable" in check.attrs["note"]
        verify_figure(check)
        check.to_netcdf(tmp_path / f"{steps}.nc")
    with pytest.raises(gf.InvalidInputError, match="draws"):
        found.verify(n=60, draws=1, steps=100, seed=1)


@pytest.mark.parametrize("shape", ["rank_one", "max_det"])
def test_unstable_draws_are_counted(shape: str) -> None:
    found = gf.design("0.7^tau", variant="gaussian", sigma=0.35, shape=shape)
    count = 0
    for draw in range(6):
        model = found.ensemble.sample(n=40, seed=derived_seed(2, f"draw/{draw}/couplings"))
        matrices = model.couplings.matrices
        state = normals(1, "test/start", (2, 40))
        size = 0.0
        for _ in range(2000):  # free motion, whose growth is the spectral radius
            token = np.einsum("kij,kj->i", matrices, state)
            state = np.stack([token, state[0]])
            norm = float(np.linalg.norm(state))
            state, size = state / norm, size + math.log(norm)
        count += size > 0.0
    assert 0 < count < 6
    assert _unstable(found, 40, 6, 2) == count


def test_draws_that_spread_as_widely_as_the_variance_agree_with_nothing() -> None:
    ones = np.ones(3)
    assert "of the order of" in _unsettled(Status.OK, ones, 0.7 * ones, 0.9 * ones, 1.0)
    assert "more draws or sites" in _unsettled(Status.OK, ones, 0.1 * ones, 1.1 * ones, 1.0)
    assert "grow" in _unsettled(Status.NOT_EQUILIBRATED, ones, 0.1 * ones, 0.1 * ones, 1.0)
    assert "overflowed" in _unsettled(Status.OK, math.nan * ones, ones, ones, 1.0)
    assert _unsettled(Status.OK, ones, 0.1 * ones, 0.1 * ones, 1.0) == ""


def test_a_simulation_agrees_and_a_wrong_one_does_not() -> None:
    found = gf.design("0.5^tau", beta=6.0)
    check = found.verify(n=200, draws=8, steps=400, seed=3)
    assert check.attrs["status"] == "ok"
    assert bool(check["simulation_agrees"])
    assert float(check["largest_deviation"]) < 1.0
    assert str(check["verdict"].values) == "agrees"
    wrong = dataclasses.replace(found, achieved=0.55 ** np.arange(len(found.target)))
    assert not bool(wrong.verify(n=200, draws=8, steps=400, seed=3)["simulation_agrees"])


@pytest.mark.parametrize("answer", ["x", None])
def test_a_function_that_gives_no_numbers_is_refused(answer):
    with pytest.raises(gf.InvalidInputError, match="the target at tau = 0"):
        gf.design(lambda tau: answer)

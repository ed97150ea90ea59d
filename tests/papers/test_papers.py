"""Every paper run gives the numbers that it declares, and the claims of the docs pages hold.

Quick scale, with fewer temperatures, records and replicas where that changes no claim; the published size is `deep`.
"""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import xarray as xr
from filelock import FileLock
from scipy import special, stats

import glassformer as gf
from glassformer.sweeps import Expected
from glassformer.sweeps._registry import NAMES, find

LEVEL = 1e-6
D = 32

_LEGACY = {"mode": "legacy", "betas": [0.1, 0.5, 1.6, 2.9, 10.0, 100.0, 1000.0], "tap_iterations": 30, "records": 40}
_CORRECT = {"mode": "correct", "betas": [0.1, 1.0, 3.0, 10.0, 1000.0]}
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "alignment-legacy": ("honkoop2025/alignment", {**_LEGACY, "seed": 1}),
    "alignment-correct": ("honkoop2025/alignment", {**_CORRECT, "seed": 1}),
    "alignment-legacy-half-field": (
        "honkoop2025/alignment",
        {**_LEGACY, "betas": [3.0, 1000.0], "strength": 0.5, "seed": 1},
    ),
    "alignment-correct-half-field": (
        "honkoop2025/alignment",
        {**_CORRECT, "betas": [3.0, 1000.0], "strength": 0.5, "seed": 1},
    ),
    "symmetric-legacy": (
        "honkoop2025/alignment-symmetric",
        {**_LEGACY, "betas": [1.0, 2.15, 2.9, 10.0, 1e3], "seed": 1},
    ),
    "symmetric-correct": ("honkoop2025/alignment-symmetric", {**_CORRECT, "seed": 1}),
    "convergence": (
        "honkoop2025/convergence",
        {"betas": [1e3, 100.0, 30.0, 10.0, 4.0, 1.0, 0.01], "replicas": 1, "seed": 1},
    ),
    "kinetic-ratios": ("honkoop2025/kinetic-ratios", {"replicas": 3, "seed": 1}),
    "vector-dynamics": ("bal2023/vector-dynamics", {"seed": 1}),
    "response": ("bal2023/response", {}),
    "bessel": ("bal2023/bessel", {}),
    "sk-phase-diagrams": ("honkoop2025/sk-phase-diagrams", {}),
    "binary": ("bal2023/binary", {"samples": 8, "starts": 16, "steps": 64, "seed": 1}),
    "observables-legacy": (
        "honkoop2025/observables",
        {"mode": "legacy", "betas": [0.1, 10.0, 1000.0], "moves": 1_000_000, "equilibration": 200_000, "seed": 1},
    ),
    "observables-correct": (
        "honkoop2025/observables",
        {"mode": "correct", "betas": [0.1, 1.0, 10.0, 1000.0], "steps": 500, "burn_in": 100, "seed": 1},
    ),
    "fidelity": ("bal2026/fidelity", {"drives": (0.5, 1.0), "betas": (1.0, 2.0), "starts": 2, "seed": 1}),
    "large-d": ("bal2026/large-d", {"seed": 1}),
    "phase-diagram": ("honkoop2025/phase-diagram", {"strengths": [2.5, 0.0], "sweeps": 40, "seed": 1}),
    "phase-diagram-legacy": (
        "honkoop2025/phase-diagram",
        {"mode": "legacy", "strengths": [2.5, 0.0], "betas": [1000.0, 1.0], "seed": 1},
    ),
    "phase-diagram-few-components": (
        "honkoop2025/phase-diagram",
        {"mode": "few-components", "dims": (1, 3), "strengths": [0.0], "betas": [3.0, 0.8], "replicas": 8, "seed": 2}
        | {"sweeps": 200, "max_sweeps": 6200},
    ),
    "overlap-matrices": ("honkoop2025/overlap-matrices", {"seed": 1}),
    "two-time": ("zavatone2025/two-time", {"n": 200, "seed": 1}),
    "stationary": ("zavatone2025/stationary", {"n": 120, "steps": 150, "seed": 1}),
    "stability": ("zavatone2025/stability", {"seed": 1}),
    "finite-size": ("zavatone2025/finite-size", {"sizes": (40, 120), "seed": 1}),
    "spherical": ("zavatone2025/spherical", {}),
    "design": ("zavatone2025/design", {"n": 60, "steps": 60, "seed": 1}),
    "irreversibility": ("zavatone2025/irreversibility", {"seed": 1}),
    "learning": (
        "zavatone2025/learning",
        {"n": 24, "logistic_ratios": (8.0, 12.0, 20.0, 40.0), "steps": 300, "seed": 1},
    ),
}
PAPERS = [name for name in NAMES if not name.startswith(("vector/", "sk/", "context/"))]


Result = Callable[[str], xr.Dataset]


@pytest.fixture(scope="session")
def result(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """Return what gives the result of a case: each is run once, with its figure, and found on disk by other workers."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent

    @functools.cache
    def find_or_run(case: str) -> xr.Dataset:
        name, settings = CASES[case]
        with FileLock(folder / f"{case}.lock"):
            found = gf.run(name, scale="quick", directory=folder / "papers" / case, **settings)
        assert (folder / "papers" / case / "figure.png").stat().st_size > 10_000
        return found.load()

    return find_or_run


def verdicts(name: str, dataset: xr.Dataset) -> list[str]:
    """Return a line for every expected number that applies and is not met, and check that some apply."""
    outcomes = [entry.check(dataset) for entry in find(name).expected if entry.applies(dataset)]
    assert outcomes
    return [
        f"{o.expected.label}: {o.observed:.6g}, not {o.expected.value:.6g} ± {o.expected.tolerance:.2g}"
        for o in outcomes
        if not o.met
    ]


def within(gap: np.ndarray, error: np.ndarray, replicas: int, allowance: float = 0.0) -> np.ndarray:
    """Whether each gap is within its error bar at the common level, beyond a stated systematic allowance."""
    quantile = stats.t.ppf(1 - LEVEL / (2 * np.size(gap)), df=replicas - 1)
    return np.abs(gap) <= allowance + quantile * error


@pytest.mark.parametrize("case", CASES)
def test_every_expected_number_comes_out(result, case):
    assert verdicts(CASES[case][0], result(case)) == []


def test_the_cases_cover_every_paper_run_and_every_expected_number():
    assert {name for name, _ in CASES.values()} == set(PAPERS)
    for name in PAPERS:
        spec = find(name)
        settings = [spec.config(**{**spec.scales["quick"], **own}) for run, own in CASES.values() if run == name]
        attributes = [{k: v for k, v in config if isinstance(v, int | float | str)} for config in settings]
        stubs = [xr.Dataset(attrs={**found, "scale": "quick"}) for found in attributes]
        for entry in spec.expected:
            assert entry.scale == "paper" or any(entry.applies(stub) for stub in stubs), entry.label


def test_every_cell_of_the_phase_diagram_is_one_state(result):
    found = result("phase-diagram")
    assert set(found.verdict.sel(strength=2.5).values.tolist()) == {"replica symmetric"}
    cold = found.verdict.sel(strength=0.0).where(found.beta >= 2.5, drop=True)
    assert set(cold.values.tolist()) == {"global rotation only"}
    # T_c = sqrt(2) R^2 / D = 0.663: the line ends between beta = 1.67 and 1.25
    assert (found.almeida_thouless_strength.sel(beta=[1.25, 1.0]) == 0).all()
    assert 0 < float(found.almeida_thouless_strength.sel(beta=1.67)) < 0.05


def test_breaking_is_real_for_ising_spins_and_the_overlaps_say_so(result):
    found = result("phase-diagram-few-components").isel(sample=0, strength=0)
    assert found.verdict.sel(dim=1).values.tolist() == ["broken", "replica symmetric"]
    assert found.verdict.sel(dim=3, beta=0.8) == "replica symmetric"
    matrices = result("overlap-matrices")
    assert matrices.verdict.sel(panel="no field, D = 1") == "broken"


def test_an_expected_number_applies_only_to_the_settings_it_is_published_for(result):
    legacy, correct = result("alignment-legacy"), result("alignment-correct")
    entry = Expected("alignment", 0.71, 0.05, select={"solver": "nmf", "beta": 1000.0}, when={"mode": "legacy"})
    assert entry.applies(legacy)
    assert not entry.applies(correct)
    assert not dataclasses.replace(entry, scale="paper").applies(legacy)
    assert not dataclasses.replace(entry, when={"no such setting": 1}).applies(legacy)
    assert entry.check(legacy).met
    assert not dataclasses.replace(entry, value=0.84).check(legacy).met
    assert entry.quantity == "alignment[solver=nmf, beta=1000]"
    assert entry.label == "alignment[solver=nmf, beta=1000] if mode=legacy"


# Figure 4.1


def test_the_published_tap_has_its_bump_and_then_scatters(result):
    alignment = result("alignment-legacy")["alignment"]
    tap, absolute = alignment.sel(solver="tap"), alignment.sel(solver="tap_absolute")
    assert float(tap.sel(beta=2.9)) > float(tap.sel(beta=1.6)) + 0.04
    assert float(tap.sel(beta=10.0)) < 0.6
    band = result("alignment-legacy").sel(solver="tap", beta=1000.0)
    assert float(band["alignment_high"] - band["alignment_low"]) > 0.1
    cold = alignment["beta"] >= 10
    assert (absolute - tap).where(cold, drop=True).min() > 0.2
    nmf = alignment.sel(solver="nmf").values
    assert (np.diff(nmf) < 0).all()  # the theory that is not truncated has no bump


def test_the_bump_of_tap_persists_with_symmetrised_couplings_in_the_publication_only(result):
    published = result("symmetric-legacy")["alignment"].sel(solver="tap")
    assert float(published.sel(beta=2.9)) > float(published.sel(beta=2.15)) + 0.04
    assert float(published.sel(beta=10.0)) < 0.75
    dataset = result("symmetric-correct")
    consistent = dataset["alignment_of_mean"].sel(solver="tap", beta=[0.1, 1.0, 3.0, 10.0]).values
    assert (np.diff(consistent) < 0).all()
    # For symmetric couplings the consistent second order is the exact answer up to finite size, 0.06 / D here.
    gap = dataset["alignment_of_mean"].sel(solver="tap") - dataset["alignment_of_mean"].sel(solver="simulation")
    error = dataset["alignment_of_mean_error"].sel(solver="simulation")
    assert within(gap.values[:4], error.values[:4], 16, 0.06 / D).all()


def test_the_legacy_sampler_has_the_cosine_of_its_own_law(result):
    """cos(s, x) is cos(s, target) times cos(target, x), with y = D / (beta R^2); the reaction of the target left out."""
    for case, strength in (("alignment-legacy", 1.0), ("alignment-legacy-half-field", 0.5)):
        alignment = result(case)["alignment"].sel(solver="simulation")
        y = D / (alignment["beta"].values * (D / 2 - 1))
        law = strength / np.sqrt((1 + y) * (strength**2 + 1 + y))
        # Spread between seeds at N = 64 (0.011, and 0.023 at half the field), and of one state, 1 / sqrt(N D) = 0.022.
        spread = np.hypot(0.011 / strength, 0.022)
        assert np.abs(alignment.values - law).max() < 4 * spread
        assert np.abs(alignment.values - strength / np.hypot(1.0, strength)).max() > 4 * spread


def test_legacy_and_correct_differ_when_hot_and_agree_when_cold(result):
    legacy, correct = result("alignment-legacy")["alignment"].sel(solver="simulation"), result("alignment-correct")
    simulated = correct.sel(solver="simulation")
    assert float(legacy.sel(beta=0.1)) < 0.1  # the mean of the alignment, shown beside ...
    assert float(simulated["alignment_of_mean"].sel(beta=0.1)) > 0.99  # ... what the text defines
    # At beta = 3 the mean of the alignment differs too, because the spins of the legacy sampler have free length.
    gap = float(simulated["mean_of_alignment"].sel(beta=3.0)) - float(legacy.sel(beta=2.9))
    assert gap > 0.05
    assert gap > 20 * float(simulated["mean_of_alignment_error"].sel(beta=3.0))
    # States of zero loss are the fixed points of naive mean field at zero temperature.
    cold = float(correct["alignment_of_mean"].sel(solver="nmf", beta=1000.0))
    assert float(legacy.sel(beta=1000.0)) == pytest.approx(cold, abs=0.01)


@pytest.mark.parametrize("case", ["alignment-correct", "symmetric-correct"])
def test_the_gram_closure_runs_through_the_data_and_naive_mean_field_does_not(result, case):
    dataset = result(case)
    names = ("alignment_of_mean", "mean_of_alignment")
    error = np.stack([dataset[f"{name}_error"].sel(solver="simulation") for name in names])

    def gaps(solver: str) -> np.ndarray:
        return np.stack([dataset[n].sel(solver=solver) - dataset[n].sel(solver="simulation") for n in names])

    allowance = 0.03 / D  # the closure is exact for D to infinity; the next test checks the 1/D
    assert within(gaps("gram"), error, 16, allowance).all()
    assert not within(gaps("nmf"), error, 16, allowance)[:, 1:4].any()
    if case == "alignment-correct":
        assert not within(gaps("tap"), error, 16, allowance)[:, 2:].any()
        assert np.abs(gaps("tap")).max() > 0.5


def test_what_the_gram_closure_misses_falls_as_one_over_the_dimension():
    scaled, errors = [], []
    for dim in (D, 4 * D):
        couplings = gf.Asymmetric(self_coupling=True).sample(n=64, seed=1)
        model = gf.VectorSpin(couplings, gf.sphere_fields(64, dim=dim, seed=1))
        simulation = gf.simulate(
            model,
            gf.ParallelHeatBath(8.0),
            steps=400,
            burn_in=100,
            replicas=32,
            seed=1,
            measure=gf.Measure(correlations=False),
        )
        closure = gf.solve(model, gf.GramClosure(8.0))
        scaled.append(dim * float(simulation["mean_of_alignment"] - closure["mean_of_alignment"]))
        errors.append(dim * float(simulation["mean_of_alignment_error"]))
    error = np.hypot(*errors)
    assert within(np.array([scaled[1] - scaled[0]]), np.array([error]), 32).all()
    assert scaled[0] > 5 * errors[0]  # there is something to fall,
    assert 3 * scaled[0] > 6 * error  # and if it did not, the comparison would show it


def test_symmetrising_raises_the_cold_alignment_because_it_weakens_the_couplings(result):
    for mode in ("legacy", "correct"):
        name = "alignment" if mode == "legacy" else "alignment_of_mean"
        pair = [
            float(result(f"{kind}-{mode}")[name].sel(solver="nmf", beta=1000.0)) for kind in ("symmetric", "alignment")
        ]
        assert pair[0] > pair[1] + 0.05


# Figures B.3.1 and A.2.1


def test_the_legacy_sampler_converges_more_slowly_the_hotter_it_is(result):
    dataset = result("convergence")
    warm = dataset["target_cosine_final"].sel(beta=[1000.0, 100.0, 30.0, 10.0, 4.0, 1.0]).values
    assert (np.diff(warm) < -4e-3).all()
    half = [int((dataset["target_cosine"].sel(beta=beta) < 0.5).sum()) for beta in (1000.0, 100.0, 30.0, 10.0)]
    assert (np.diff(half) > 0).all()  # records before half of the way
    # Far from its law even at the end: this is diffusion by steps of 1/N, and not a property of the temperature.
    assert float(dataset["target_cosine_limit"].sel(beta=4.0)) - float(warm[4]) > 0.2


def test_the_stationary_ratio_ends_highest(result):
    dataset = result("kinetic-ratios")
    final, error = dataset["target_cosine_final"], dataset["target_cosine_final_error"]
    gap = final.sel(ratio="stationary") - final
    assert float(gap.sel(ratio="kinetic_previous")) > 5 * float(np.hypot(*error.values[:2]))
    assert float(gap.sel(ratio="kinetic_reversed")) > 0.02
    peak = dataset["target_cosine"].sel(ratio="kinetic_reversed").max()
    assert float(peak) > float(final.sel(ratio="kinetic_reversed")) + 0.01  # it leaves what it had reached


def test_the_stationary_ratio_starts_fastest_on_the_average_over_systems():
    found = {}
    for ratio in ("stationary", "kinetic_previous", "kinetic_reversed"):
        found[ratio] = [
            gf.legacy_run(
                gf.VectorSpin(
                    gf.Asymmetric(self_coupling=True).sample(n=64, seed=seed), gf.sphere_fields(64, dim=D, seed=seed)
                ),
                gf.LegacyLossMetropolis(1000.0, ratio=ratio),
                moves=25_000,
                records=1,
                seed=100 + seed,
            )["target_cosine"].values[0, 0]
            for seed in range(24)
        ]
    for ratio in ("kinetic_previous", "kinetic_reversed"):
        assert stats.ttest_rel(found["stationary"], found[ratio], alternative="greater").pvalue < LEVEL


# Figures 2.3 and 2.4


def test_the_lines_of_the_ising_glass_meet_where_they_must(result):
    dataset = result("sk-phase-diagrams")
    assert (dataset["field"].diff("temperature") < 0).all()
    assert float(dataset["field"].sel(temperature=1.0)) == 0.0
    line, symmetric = dataset["coupling_mean"], dataset["coupling_mean_symmetric"]
    assert (line >= symmetric - 1e-12).all()  # the mixed phase lies between the line and J_0 = J
    assert (symmetric >= 1.0 - 1e-12).all()
    assert float(line.sel(temperature=1.0)) == float(symmetric.sel(temperature=1.0)) == 1.0
    assert float(symmetric.sel(temperature=0.05)) == pytest.approx((np.pi / 2) ** 0.5, abs=0.03)


# Bal 2023


def test_the_theories_settle_in_about_four_steps_except_where_naive_mean_field_never_does(result):
    dataset = result("vector-dynamics")
    usual = dataset["magnetization_norm"].sel(case=["beta=1", "beta=2"])
    assert (np.abs(usual.isel(time=4) / usual.isel(time=-1) - 1) < 0.01).all()
    assert (np.abs(usual.isel(time=1) / usual.isel(time=-1) - 1) > 0.02).all()
    weak = dataset["relative_change_final"].sel(case="beta=1, 2J, |x|=1")
    assert float(weak.sel(solver="nmf")) > 0.1
    assert float(weak.drop_sel(solver="nmf").max()) < 0.01
    norm = dataset["magnetization_norm_final"].sel(case="beta=1, 2J, |x|=1")
    assert float(norm.sel(solver="tap")) < float(norm.sel(solver="gram")) < float(norm.sel(solver="nmf"))


def test_cooling_shortens_the_mean_of_the_published_tap_and_lengthens_every_other(result):
    norm = result("vector-dynamics")["magnetization_norm_final"]
    growth = norm.sel(case="beta=2") / norm.sel(case="beta=1")
    assert float(growth.sel(solver="tap_bal2023")) <= 1.0
    assert (growth.drop_sel(solver="tap_bal2023") > 1.3).all()
    gap = norm.sel(solver="nmf") - norm.sel(solver="tap")
    assert float(gap.sel(case="beta=2") / gap.sel(case="beta=1")) > 2.0


def test_the_response_rises_and_stays_below_the_radius(result):
    dataset = result("response")
    assert (dataset["response"].diff("field") > 0).all()
    assert (dataset["response"] < dataset.attrs["radius"]).all()
    assert float(dataset["response"].max()) > 0.95 * dataset.attrs["radius"]
    exact = dataset["response"].sel(kind="exact")
    assert (np.abs(dataset["response"].sel(kind="large_d") / exact - 1).sel(field=slice(1, None)) < 2 / 510).all()
    assert (np.abs(dataset["response"].sel(kind="amos") / exact - 1).sel(field=slice(1, None)) < 0.091 / 512).all()


def test_the_bessel_ratios_are_those_of_the_scaled_bessel_functions(result):
    dataset = result("bessel")
    nu = dataset["order"].values
    for scaling, x in (("sqrt(nu)", np.sqrt(nu)), ("nu", nu), ("nu^2", nu**2)):
        upper, lower = special.ive(nu + 1, x), special.ive(nu, x)
        usable = upper > 1e-290  # both functions underflow at large order and small argument
        reference = upper / np.where(usable, lower, 1.0)
        assert usable.sum() >= 6
        assert np.allclose(dataset["ratio"].sel(scaling=scaling).values[usable], reference[usable], rtol=1e-10)
    ratio = dataset["ratio"]
    assert (ratio.sel(scaling="sqrt(nu)").diff("order") < 0).all()
    assert (ratio.sel(scaling="nu^2").diff("order") > 0).all()


# Bal 2026


def test_the_gram_closure_stays_on_the_simulation_where_first_order_theory_leaves_it(result):
    dataset = result("fidelity").sel(dim=64)
    for name in ("magnetization", "delayed_correlation", "entropy_production"):
        error = dataset[f"{name}_rms_difference"]
        spread = dataset[f"{name}_rms_difference_error"]
        gram = error.sel(solver="gram")
        # 1/D of the closure, on top of the noise that is left
        assert (gram < 2 / 64 + 4 * spread.sel(solver="gram")).all(), name
        cold = {"beta": 2.0, "drive": [0.5, 1.0]}
        gap = error.sel(solver="nmf", **cold) - gram.sel(**cold)
        assert (gap > 4 * spread.sel(solver="nmf", **cold)).all(), name
        assert (dataset[f"{name}_reported"] >= error).all()
        assert (dataset[f"{name}_reported"] >= dataset[f"{name}_floor"]).all()
    delayed = dataset["delayed_correlation_rms_difference"].sel(solver="nmf")
    for drive in (0.5, 1.0):  # the error grows on cooling, whatever the drive
        assert (np.diff(delayed.sel(drive=drive, beta=[1.0, 2.0])) > 0.1).all()


def test_the_closed_form_of_many_components_is_useless_at_three(result):
    dataset = result("fidelity").sel(dim=3)
    magnetization = dataset["magnetization_rms_difference"]
    assert (magnetization.sel(solver="nmf_large_d") > 0.5).all()
    assert (magnetization.sel(solver="nmf") < 0.15).all()


def test_softmax_couplings_are_certified_below_the_threshold_and_have_one_fixed_point(result):
    dataset = result("fidelity")
    bound = dataset["contraction_bound"].transpose("dim", "drive", "beta").values
    expected = dataset["beta"].values / dataset["critical_beta"].values[:, None]
    assert np.allclose(bound, expected[:, None, :], rtol=1e-12)
    radius = dataset["jacobian_spectral_radius"].transpose("dim", "drive", "beta").values
    assert (radius < bound).all()
    assert int(dataset["multistable_cells"]) == 0
    assert int(dataset["doubtful_solutions"]) == 0


def test_the_noise_is_taken_out_of_an_error(result):
    """Replicates with a known error beside more noise than error: unbiased, and covered by the standard error."""
    from glassformer.papers.bal2026 import deviation

    rng = np.random.default_rng(1)
    found = []
    for _ in range(200):
        truth = rng.normal(size=4000)
        replicates = truth + 0.5 * rng.normal(size=(5, 4000))
        found.append(deviation(1.1 * truth, replicates))
    errors, spreads, floors = np.array(found).T
    assert errors.mean() == pytest.approx(0.1, abs=0.003)
    assert spreads.mean() == pytest.approx(errors.std(), rel=0.5)
    assert floors.mean() == pytest.approx(0.5 / np.sqrt(5), rel=0.02)
    assert (np.abs(errors - 0.1) < 6 * spreads).all()


def test_the_closed_form_misses_two_over_d_and_amos_a_tenth_over_d(result):
    dataset = result("large-d")
    for dim in dataset["dim"].values:
        one = dataset["response_rms_difference_worst"].sel(dim=dim)
        assert 0.9 * 2 / (dim - 2) < float(one.sel(kind="large_d")) < 2 / (dim - 2)
        assert float(one.sel(kind="amos")) < 0.095 / dim
    median = dataset["magnetization_rms_difference_median"]
    assert (median.sel(kind="large_d") > 5 * median.sel(kind="amos")).all()
    assert int(dataset["doubtful_solutions"]) == 0


# Extended-context models


def test_two_starts_end_in_one_stationary_state_but_do_not_age_alike(result):
    theory = result("two-time")["two_time_correlation"]
    gap = np.abs(theory.sel(start="independent") - theory.sel(start="repeated"))
    assert (gap.sel(case=["Ising", "probit"], time=30, time_=[28, 29, 30]) < 1e-3).all()
    assert (gap.sel(case="Ising", time=2, time_=1) > 1e-3).all()
    late = theory.sel(case="spherical, T = 0", start="repeated")
    assert float(late.sel(time=30, time_=26) - late.sel(time=15, time_=11)) > 0.02  # memory grows with age


def test_a_covariance_that_is_not_diagonal_may_have_no_memory(result):
    dataset = result("stationary").isel(lag=slice(1, None))
    assert not np.any(dataset["autocorrelation"].sel(law=["diagonal", "zero_sum"]))
    assert (np.abs(dataset["autocorrelation"].sel(law="example", lag=1)) > 0.05).all()
    law = gf.LaggedGaussian([[0.5, 0.2, 0.0], [0.2, 0.5, -0.2], [0.0, -0.2, 0.5]])  # and yet its transient has
    transient = gf.solve(law, gf.TransientDMFT(gf.TokenRule(beta=1.0), steps=3, start="repeated"))
    assert float(transient["two_time_correlation"].sel(time=2, time_=1)) > 0.05


def test_memory_of_two_lags_grows_towards_the_edge_of_the_stable_region(result):
    dataset = result("stability")
    assert not (dataset["stable"] & ~dataset["feasible"]).any()
    time = dataset["correlation_time"]
    upper = time.isel(g1=slice(time.sizes["g1"] // 2, None)).values
    steps = np.diff(upper, axis=1)
    assert (steps[np.isfinite(steps)] > 0).all()
    assert np.isnan(time.values[~dataset["stable"].values]).all()


def test_only_the_infeasible_target_asks_for_a_negative_spectrum(result):
    dataset = result("design")
    asked = dataset["inverted_coupling_spectrum"].min("frequency")
    assert ((asked > 0.0) == dataset["feasible"]).all()
    assert (dataset["coupling_spectrum"] > -1e-9).all()
    assert "not positive definite" in dataset["reason"].sel(case="damped cosine").item()


def test_spherical_memory_grows_with_beta_and_the_aging_form_becomes_exact(result):
    dataset = result("spherical")
    assert (dataset["correlation_time"].diff("beta") > 0).all()
    assert (dataset["aging_gap"].diff("waiting_time") < 0).all()


def test_members_with_one_correlation_lie_within_the_range_of_entropy_production(result):
    dataset = result("irreversibility")
    member = dataset["entropy_production_member"]
    assert (member <= dataset["entropy_production_highest"] + 1e-12).all()
    assert (member >= dataset["entropy_production_lowest"] - 1e-12).all()
    example = dataset["entropy_production_example"]
    assert (example <= dataset["entropy_production_highest"].sel(law="example") + 1e-3 * example).all()
    gap = member.sel(member="maximum phase") - member.sel(member="minimum phase")
    assert (gap.sel(law="long memory") > 0).all()
    assert (np.sign(gap.sel(law="example", beta=[0.5, 3.0])) == [-1, 1]).all()


def test_a_student_who_knows_the_law_is_best_and_the_likelihood_is_above_its_asymptote(result):
    dataset = result("learning")
    for task in ("max_det", "rank_one"):
        theory = dataset[f"{task}_excess_curve"]
        assert (theory.sel(student="Bayes") <= theory.drop_sel(student="Bayes")).all()
        assert (theory.sel(student="ridge") <= theory.sel(student="least squares") * (1 + 1e-9)).all()
        assert (dataset[f"{task}_excess"].sel(student="Bayes", ratio=[0.9, 1.0, 1.1]) < 0.7).all()
    likelihood = dataset["ising_excess_theory"].sel(ising_student="likelihood")
    assert (likelihood > dataset["ising_excess_asymptote"]).all()


# All of them


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        (
            "honkoop2025/alignment",
            {"mode": "legacy", "betas": [0.3, 3.0, 30.0], "tap_iterations": 6, "equilibration": 5000},
        ),
        ("honkoop2025/alignment", {"mode": "correct", "betas": [0.3, 3.0, 30.0], "steps": 50, "replicas": 4}),
        ("honkoop2025/kinetic-ratios", {"moves": 5000, "replicas": 2}),
        ("bal2023/vector-dynamics", {"n": 160, "dim": 48, "steps": 2}),
        ("bal2026/fidelity", {"n": 12, "dims": (3, 8), "drives": (1.0,), "betas": (1.0, 2.0), "steps": 40}),
    ],
)
def test_one_and_two_processes_give_the_same_bits(name, settings, tmp_path):
    one, two = (
        gf.run(name, seed=3, jobs=jobs, directory=tmp_path / str(jobs), figure=False, throw=False, **settings)
        for jobs in (1, 2)
    )
    for variable in one.variables:
        assert one[variable].equals(two[variable]), variable
    assert (tmp_path / "1" / "result.nc").read_bytes() == (tmp_path / "2" / "result.nc").read_bytes()


def test_naive_mean_field_orders_too_early_and_tap_follows_the_kinetic_ising_model(result):
    dataset = result("binary")
    sizes = dataset["size_mean"]
    near = sizes.sel(beta=1.11084, method="nearest")
    assert float(near.sel(solver="nmf")) > float(near.sel(solver="tap")) > float(near.sel(solver="simulation"))
    cold = sizes.isel(beta=-1)
    assert np.ptp(cold.values) < 0.01
    final = dataset["relaxation_final"].sel(phase="critical")
    error = dataset["relaxation_final_error"].sel(phase="critical", curve="simulation")
    closure = float(final.sel(curve="gaussian") - final.sel(curve="simulation"))
    naive = float(final.sel(curve="nmf") - final.sel(curve="simulation"))
    assert abs(closure) < 6 * float(error) + 0.01  # the field of a site is Gaussian up to 1/N
    assert naive > 3 * abs(closure)
    ends = dataset["start_final"].sel(phase="ordered")
    assert (np.abs(ends) > 0.6).all()
    limit = dataset["size_limit"]
    assert float(limit.sel(solver="nmf").sel(beta_ratio=1.0, method="nearest")) > 0.1
    assert float(limit.sel(solver="tap").sel(beta_ratio=1.0, method="nearest")) == 0.0
    assert np.abs(limit.sel(solver="tap") - limit.sel(solver="simulation")).max() < 0.02


def test_the_published_specific_heat_is_a_property_of_the_run_and_the_real_one_has_no_peak(result):
    legacy, correct = result("observables-legacy"), result("observables-correct")
    for beta in (0.1, 10.0):  # far from the variance of its own law, and growing with the run
        ratio = legacy["alignment_variance_equilibrium"].sel(beta=beta) / legacy["alignment_variance"].sel(beta=beta)
        assert float(ratio) > 4
    assert float(legacy["rise_to_ten"]) > 0.3
    assert float(legacy["rise_to_ten_equilibrium"]) < -0.3
    heat, error = correct["specific_heat_reweighted"].values, correct["specific_heat_reweighted_error"].values
    assert (np.diff(heat) > -6 * np.hypot(error[1:], error[:-1])).all()
    # at finite D below the saddle point by half a degree of freedom when cold
    gap = float((correct["specific_heat_large_d"] - correct["specific_heat_derivative"]).sel(beta=1000.0))
    assert gap == pytest.approx(0.5, abs=6 * float(correct["specific_heat_derivative_error"].sel(beta=1000.0)))
    assert (correct["autocorrelation_time"] < 1.0).all()


def test_the_observables_without_a_field_exist_for_the_energy_only(tmp_path):
    with pytest.raises(gf.InvalidInputError, match="strength"):
        gf.run("honkoop2025/observables", mode="legacy", strength=0.0, directory=tmp_path / "a")
    found = gf.run(
        "honkoop2025/observables", strength=0.0, n=24, dim=8, betas=[0.5, 4.0], steps=300, directory=tmp_path / "b"
    )
    assert np.isfinite(found["specific_heat"]).all()
    # hot, without a field: C = beta^2 R^4 / (N D) sum_{i<j} J_ij^2, next order beta^4
    couplings = gf.Asymmetric(self_coupling=True).sample(n=24, seed=1)
    pairs = np.triu(0.5 * (couplings + couplings.T), 1)
    hot = 0.5**2 * 3.0**2 / 8 / 24 * np.sum(pairs**2)
    value, error = (float(found[name].sel(beta=0.5)) for name in ("specific_heat", "specific_heat_error"))
    assert value == pytest.approx(hot, abs=5 * error + 0.1 * hot)


@pytest.mark.deep
@pytest.mark.parametrize(
    ("name", "settings"),
    [(name, {}) for name in PAPERS]
    + [
        ("honkoop2025/alignment", {"mode": "legacy"}),
        ("honkoop2025/alignment", {"strength": 0.5}),
        ("honkoop2025/alignment-symmetric", {"mode": "legacy"}),
        ("honkoop2025/observables", {"mode": "legacy"}),
    ],
)
@pytest.mark.parametrize("seed", [1, 2])
def test_every_expected_number_comes_out_at_the_published_size(name, settings, seed, tmp_path):
    seeded = {"seed": seed} if "seed" in find(name).config.model_fields else {}
    dataset = gf.run(name, scale="paper", jobs=2, directory=tmp_path / "run", **settings, **seeded)
    assert verdicts(name, dataset) == []

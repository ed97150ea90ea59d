"""`vector/asymmetry`, `vector/entropy-production`, `vector/quench`, `vector/relaxation` from the shell."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import ask, call, refuse, settings, succeed

import glassformer as gf
from glassformer.cli._values import jsonable
from glassformer.plotting.thermodynamics import entropy_production_figure, quench_figure

N, BETA = 5, 0.7


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    draw = np.random.default_rng(11)
    np.save("J.npy", draw.normal(size=(N, N)) / np.sqrt(N))
    np.save("x.npy", 0.5 * draw.normal(size=(N, 1)))
    np.save("drive.npy", 0.5 * draw.normal(size=(N, 1)))
    np.save("drives.npy", 0.5 * draw.normal(size=(2, N, 1)))
    np.save("x3.npy", draw.normal(size=(N, 3)))
    np.save("causal.npy", np.tril(draw.normal(size=(N, N)), -1))


def ising() -> dict[str, Any]:
    return {"couplings": "J.npy", "fields": "x.npy", "beta": BETA, "radius": "unit"}


def model() -> gf.VectorSpin:
    return gf.VectorSpin(np.load("J.npy"), np.load("x.npy"), radius="unit")


# ---------------------------------------------------------------- quench


@pytest.mark.parametrize("method", ["nmf", "tap", "gram", "gaussian"])
def test_a_quench_from_the_shell_is_the_one_of_solve(method: str) -> None:
    kinds = {"nmf": gf.NaiveMeanField, "tap": gf.TAP, "gram": gf.GramClosure, "gaussian": gf.GaussianClosure}
    given = {**ising(), "drive": "drive.npy", "method": method, "steps": 4, "seed": 1}
    values = ask("run", "vector/quench", *settings(**given), "--no-figure")["values"]
    direct = gf.solve(model(), gf.Quench(kinds[method](BETA), np.load("drive.npy")), steps=4)
    for name in ("mismatch", "housekeeping_entropy_production", "environment_entropy_production", "entropy_budget"):
        assert values[name] == jsonable(direct[name].values)
    total = sum(values["housekeeping_entropy_production"]) + values["mismatch"][0] - values["mismatch"][-1]
    assert values["entropy_budget"] == pytest.approx(total)


def test_the_fluctuation_theorem_is_checked_exactly_and_by_simulated_paths() -> None:
    given = {**ising(), "beta": 0.25, "drive": "drives.npy", "method": "enumeration", "steps": 2, "replicas": 3000}
    answer = ask("run", "vector/quench", *settings(**given), "--seed", "4", "-o", "out")
    values = answer["values"]
    for end in ("", "_housekeeping", "_nonadiabatic"):
        assert values[f"fluctuation_theorem{end}"] == pytest.approx(1.0, abs=1e-12)
        assert abs(values[f"fluctuation_theorem{end}_sampled_deviation"]) < 5
        assert abs(values[f"entropy_sampled{end}_deviation"]) < 5
    assert len(values["entropy_budget"]) == 2
    assert "3000 simulated paths" in answer["evidence"]["averages_over"]
    assert Path("out/figure.png").stat().st_size > 5000
    text = succeed("run", "vector/quench", *settings(**given), "--seed", "4", "--no-figure")
    assert "cycle 1" in text.out
    assert "<exp(-entropy)>: 1 exactly" in text.out


def test_rare_paths_are_told() -> None:
    given = {**ising(), "beta": 3.0, "drive": "drive.npy", "method": "enumeration", "steps": 8, "replicas": 50}
    answer = ask("run", "vector/quench", *settings(**given), "--seed", "4", "--no-figure")
    assert "not reliable" in answer["evidence"]["note"]
    assert answer["values"]["fluctuation_theorem_sampled_deviation"] is None
    text = succeed("run", "vector/quench", *settings(**given), "--seed", "4", "--no-figure").out
    line = next(line for line in text.splitlines() if line.startswith("<exp(-entropy)>: "))
    assert line.endswith("sampled (not reliable: rare paths decide)")


@pytest.mark.parametrize("fields", ["x.npy", "x3.npy"])
def test_the_mismatch_is_drawn_on_a_logarithmic_axis_without_rounding(fields: str) -> None:
    given = {"couplings": "J.npy", "fields": fields, "beta": 0.3, "steps": 80, "radius": "unit", "method": "gram"}
    ask("run", "vector/quench", *settings(**given, start="paramagnet"), "--seed", "1", "--no-figure", "-o", "q")
    dataset = gf.load("q")
    left, _, right = quench_figure(dataset).axes
    assert left.get_yscale() == "log"
    drawn = np.asarray(left.lines[0].get_ydata())
    kept = drawn[np.isfinite(drawn)]
    assert float(dataset["mismatch"].min()) < 1e-14 <= kept.min()
    assert kept.max() == float(dataset["mismatch"].max())
    assert len(right.lines) == (1 if fields == "x.npy" else 2)  # of one component, the mean has but a sign
    still = dataset.assign(mismatch=0 * dataset["mismatch"])
    assert quench_figure(still).axes[0].get_yscale() == "linear"


def test_a_relaxation_without_a_change_needs_a_start() -> None:
    given = {**ising(), "method": "gram", "steps": 3}
    assert "drive is None" in refuse("run", "vector/quench", *settings(**given))
    values = ask("run", "vector/quench", *settings(**given, start="paramagnet"), "--no-figure")["values"]
    assert values["mismatch"][0] > values["mismatch"][-1] > 0
    assert "response" in refuse(
        "run", "vector/quench", *settings(**{**given, "method": "enumeration", "response": "amos"})
    )
    assert "replicas" in refuse("run", "vector/quench", *settings(**given, start="fields", replicas=10))
    assert "shape of drive" in refuse("run", "vector/quench", *settings(**given, drive="x3.npy"))


# ---------------------------------------------------------------- entropy production


def test_every_estimator_stands_in_one_table() -> None:
    answer = ask("run", "vector/entropy-production", *settings(**ising(), steps=400), "--seed", "2", "-o", "out")
    values = answer["values"]
    names = ["correlations", "path", "plefka", "gram", "gaussian", "enumeration"]
    assert values["estimator"] == names
    found = dict(zip(names, values["entropy_production"]))
    deviation = dict(zip(names, values["deviation"]))
    exact = gf.solve(model(), gf.Enumeration(BETA))
    assert found["enumeration"] == float(exact["entropy_production"])
    assert found["plefka"] == float(gf.solve(model(), gf.NaiveMeanField(BETA))["entropy_production"])
    assert abs(deviation["enumeration"]) < 5
    assert abs(deviation["path"]) < 1
    assert deviation["correlations"] is None
    assert sum(values["site_entropy_production"]) == pytest.approx(found["correlations"])
    assert sum(values["site_entropy_production_enumeration"]) == pytest.approx(found["enumeration"])
    stored = gf.load("out")
    pairs = stored["pair_entropy_production"].values
    np.testing.assert_allclose(pairs.sum() / 2, found["correlations"])
    np.testing.assert_allclose(stored["circulation"], -stored["circulation"].T)
    assert "sequential updates have another" in answer["evidence"]["note"]
    assert "strictly causal" not in answer["evidence"]["note"]  # these couplings have loops
    assert Path("out/figure.png").stat().st_size > 5000
    panel = entropy_production_figure(stored).axes[0]
    assert [label.get_text() for label in panel.get_yticklabels()] == names  # as in the table
    marks = [container.lines for container in panel.containers]
    assert len({line.get_color() for line, _, _ in marks}) == len(names)
    assert [len(caps) for _, caps, _ in marks] == [2, 2, 0, 0, 0, 0]  # errors of what was simulated


def test_one_way_couplings_are_called_by_their_name_and_many_components_leave_estimators_out() -> None:
    given = {"couplings": "causal.npy", "fields": "x3.npy", "beta": 1.0}
    answer = ask("run", "vector/entropy-production", *settings(**given, steps=200), "--seed", "2", "--no-figure")
    assert "concentrated" in answer["evidence"]["note"]
    assert answer["values"]["one_way"] == 1.0
    assert answer["values"]["estimator"] == ["correlations", "path", "plefka", "gram", "gaussian"]
    np.save("x20.npy", np.ones((N, 20)))
    given["fields"] = "x20.npy"
    answer = ask("run", "vector/entropy-production", *settings(**given, steps=50), "--seed", "2", "--no-figure")
    assert answer["values"]["estimator"] == ["correlations", "path", "plefka", "gram"]


def test_symmetric_couplings_produce_nothing_by_any_estimator() -> None:
    couplings = np.load("J.npy")
    np.save("S.npy", couplings + couplings.T)
    given = {**ising(), "couplings": "S.npy", "beta": 0.3}
    values = ask("run", "vector/entropy-production", *settings(**given, steps=200), "--seed", "2", "--no-figure")[
        "values"
    ]
    for name, value in zip(values["estimator"], values["entropy_production"]):
        assert abs(value) < (0.05 if name == "path" else 1e-12)  # a path keeps its two ends


@pytest.mark.parametrize("run", ["vector/entropy-production", "vector/relaxation"])
def test_where_cold_states_never_part_enumeration_is_left_out_and_the_rest_is_told(run: str) -> None:
    np.save("strong.npy", 40 * (np.ones((N, N)) + np.triu(np.ones((N, N)))))
    given = {**ising(), "couplings": "strong.npy", "beta": 50.0, "steps": 60}
    outcome = call("run", run, *settings(**given), "--seed", "2", "--no-figure", "--json")
    assert outcome.code == 0  # too short, which is a warning
    answer = outcome.json
    assert "Enumeration is left out" in answer["evidence"]["note"]
    assert "enumeration" not in answer["values"].get("estimator", [])
    assert "relaxation_rate_enumeration" not in answer["values"]


# ---------------------------------------------------------------- relaxation and asymmetry


def test_relaxation_stands_beside_simulation_and_enumeration() -> None:
    answer = ask("run", "vector/relaxation", *settings(**ising(), lags=3, replicas=32), "--seed", "2", "-o", "out")
    values = answer["values"]
    exact = gf.solve(model(), gf.Relaxation(gf.Enumeration(BETA)), steps=3)
    assert values["autocorrelation_enumeration"] == jsonable(exact["autocorrelation"].values)
    for lag in (1, 2, 3):
        gap = values["autocorrelation"][lag] - values["autocorrelation_enumeration"][lag]
        assert abs(gap) < 5 * values["autocorrelation_error"][lag]
    stored = gf.load("out")
    z = (stored["lagged_correlation"] - stored["lagged_correlation_enumeration"]) / stored["lagged_correlation_error"]
    assert float(abs(z).max()) < 6
    assert Path("out/figure.png").stat().st_size > 5000
    assert "steps" in refuse("run", "vector/relaxation", *settings(**ising(), lags=50, steps=20))


def test_asymmetry_from_the_shell() -> None:
    given = {
        "asymmetries": "[0, 1, inf]", "n": 16, "dim": 24, "samples": 2, "steps": 60, "burn_in": 30, "replicas": 4,
        "lags": 3, "beta": 1.5, "methods": '["gram"]',
    }  # fmt: skip
    answer = ask("run", "vector/asymmetry", *settings(**given), "--seed", "3", "-o", "out")
    values = answer["values"]
    assert values["symmetry"][0] == pytest.approx(1.0)
    assert values["symmetry"][2] == pytest.approx(-1.0)
    assert values["norm_of_antisymmetric_part"][0] == values["norm_of_symmetric_part"][2] == 0.0
    for name in ("alignment_of_mean", "mean_of_alignment", "magnetization_norm"):
        np.testing.assert_allclose(values[f"{name}_gram"], values[f"{name}_simulation"], atol=0.03)
    produced = values["entropy_production_simulation"]
    assert abs(produced[0]) < 1e-9 < produced[1] < produced[2]
    assert values["relaxation_angle_gram"][0] == pytest.approx(0.0, abs=1e-9)
    assert values["relaxation_angle_gram"][2] == pytest.approx(np.pi / 2)
    stored = gf.load("out")
    assert stored["alignment_of_mean"].dims == ("asymmetry", "solver")
    assert stored["autocorrelation"].sizes == {"asymmetry": 3, "solver": 2, "lag": 4}
    gap = stored["autocorrelation"].sel(solver="gram") - stored["autocorrelation"].sel(solver="simulation")
    assert float(abs(gap).max()) < 0.08
    assert Path("out/figure.png").stat().st_size > 5000
    assert "asymmetries" in refuse("run", "vector/asymmetry", *settings(asymmetries="[-1]"))

"""Your own arrays: the command line, `run`, `solve` and `simulate` are four ways to ask for the same numbers."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import ask, everything, refuse, settings, succeed

import glassformer as gf
from glassformer import _simulate
from glassformer.cli._values import jsonable

N, BETA, RADIUS = 5, 0.6, 1.2
ASKED = (
    "magnetization_sum_of_squares",
    "covariance_trace",
    "entropy_production",
    "alignment_of_mean",
    "residual",
)
THEORIES: dict[str, Any] = {
    "nmf": gf.NaiveMeanField,
    "tap": gf.TAP,
    "gram": gf.GramClosure,
    "adaptive-tap": gf.AdaptiveTAP,
    "gaussian": gf.GaussianClosure,
    "saddle-point": gf.SaddlePoint,
    "enumeration": gf.Enumeration,
}
CLOSURES = ("nmf", "tap", "gram", "gaussian")
RESPONSES = ("exact", "amos", "large_d")
CASES = [  # arrays, method, further settings
    *(("asymmetric", method, {"response": response}) for method in CLOSURES for response in RESPONSES),
    ("asymmetric", "tap", {"variant": "bal2023"}),
    *(("symmetric", "adaptive-tap", {"response": response}) for response in RESPONSES),
    ("symmetric", "saddle-point", {}),
    ("ising", "enumeration", {}),
    ("ising", "enumeration", {"update": "sequential"}),
    *(("ising", method, {"response": response}) for method in CLOSURES for response in ("exact", "amos")),
]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))  # the command line adds the working directory
    draw = np.random.default_rng(4)
    couplings = draw.normal(size=(N, N)) / N
    np.save("asymmetric.npy", couplings)
    np.save("symmetric.npy", (couplings + couplings.T) / 2)
    np.save("x4.npy", draw.normal(size=(N, 4)))
    np.save("x1.npy", draw.normal(size=(N, 1)))


def model_of(arrays: str) -> gf.VectorSpin:
    if arrays == "ising":
        return gf.VectorSpin(np.load("asymmetric.npy"), np.load("x1.npy"), radius="unit")
    return gf.VectorSpin(np.load(f"{arrays}.npy"), np.load("x4.npy"), radius=RADIUS)


def inputs(arrays: str) -> dict[str, object]:
    if arrays == "ising":
        return {"couplings": "asymmetric.npy", "fields": "x1.npy", "beta": BETA, "radius": "unit"}
    return {"couplings": f"{arrays}.npy", "fields": "x4.npy", "beta": BETA, "radius": RADIUS}


def assert_same_values(values: dict[str, Any], dataset: Any) -> None:
    """Every scalar of `dataset` is in `values`, to the last bit."""
    scalars = {str(name): jsonable(variable.values) for name, variable in dataset.items() if variable.ndim == 0}
    assert {name: values[name] for name in scalars} == scalars
    assert set(ASKED) <= set(scalars)


# ---------------------------------------------------------------- theories


@pytest.mark.parametrize(("arrays", "method", "more"), CASES)
def test_command_line_run_and_solve_give_the_same_bits(arrays: str, method: str, more: dict[str, Any]) -> None:
    given = {**inputs(arrays), "method": method, **more}
    answer = ask("run", "vector/solve", *settings(**given), "--no-figure", "-o", "shell")
    direct = gf.solve(model_of(arrays), THEORIES[method](BETA, **more))
    assert_same_values(answer["values"], direct)
    stored = gf.run("vector/solve", figure=False, directory="python", **given)
    assert_same_values(answer["values"], stored)
    np.testing.assert_array_equal(stored["magnetization"], direct["magnetization"])
    assert Path("shell/result.nc").read_bytes() == Path("python/result.nc").read_bytes()
    assert Path("shell/config.toml").read_bytes() == Path("python/config.toml").read_bytes()
    assert answer["status"] in ("converged", "ok")


@pytest.mark.parametrize(("arrays", "method", "more"), CASES)
def test_the_spins_stay_on_their_sphere_and_time_has_a_direction(
    arrays: str, method: str, more: dict[str, Any]
) -> None:
    given = {**inputs(arrays), "method": method, **more}
    values = ask("run", "vector/solve", *settings(**given), "--no-figure")["values"]
    length = 1.0 if arrays == "ising" else RADIUS
    whole = values["magnetization_sum_of_squares"] + values["covariance_trace"]
    assert whole == pytest.approx(N * length**2, rel=1e-9)
    assert 0 < values["magnetization_sum_of_squares"] < whole
    assert 0 < values["alignment_of_mean"] <= 1
    assert values["entropy_production"] == pytest.approx(N * values["entropy_production_per_spin"])
    assert 0 <= values["residual"] < 1e-9
    if arrays == "symmetric":
        assert values["entropy_production"] == pytest.approx(0.0, abs=1e-12)
    elif more.get("variant") != "bal2023":
        assert values["entropy_production"] > 1e-4


def test_the_theories_agree_where_the_couplings_are_weak_and_not_where_they_are_not() -> None:
    np.save("weak.npy", 1e-3 * np.load("symmetric.npy"))
    found: dict[str, list[float]] = {"weak.npy": [], "symmetric.npy": []}
    for couplings, values in found.items():
        for method in ("nmf", "tap", "gram", "gaussian"):
            given = {**inputs("symmetric"), "couplings": couplings, "method": method}
            answer = ask("run", "vector/solve", *settings(**given), "--no-figure")
            values.append(answer["values"]["magnetization_sum_of_squares"])
    assert np.ptp(found["weak.npy"]) < 1e-5
    assert len(set(found["symmetric.npy"])) == 4
    assert np.ptp(found["symmetric.npy"]) > 1e-4


def test_a_transient_starts_where_it_is_told_and_is_as_long_as_it_is_told() -> None:
    np.save("start.npy", np.full((N, 4), 0.1))
    given = {**inputs("asymmetric"), "method": "gram", "start": "start.npy", "steps": 7}
    answer = ask("run", "vector/solve", *settings(**given), "-o", "a")
    direct = gf.solve(model_of("asymmetric"), gf.GramClosure(BETA), start=np.load("start.npy"), steps=7)
    stored = gf.load("a")
    assert stored.sizes["time"] == 8
    np.testing.assert_array_equal(stored["magnetization"][0], np.load("start.npy"))
    np.testing.assert_array_equal(stored["magnetization"], direct["magnetization"])
    assert answer["values"]["entropy_production"] == direct["entropy_production"].values.tolist()


def test_without_fields_there_is_nothing_to_align_with() -> None:
    common = {"couplings": "asymmetric.npy", "dim": 4, "beta": BETA}
    solved = ask("run", "vector/solve", *settings(**common), "--no-figure")
    short = {"steps": 200, "replicas": 4}
    simulated = ask("run", "vector/simulate", *settings(**common, **short), "--seed", "1", "--no-figure")
    assert solved["values"]["magnetization_sum_of_squares"] == pytest.approx(0.0, abs=1e-12)
    assert solved["values"]["covariance_trace"] == pytest.approx(N * 1.0)  # R^2 = D / 2 - 1
    assert solved["values"].get("alignment_of_mean") is None  # left out, or undefined: never a number
    assert simulated["values"].get("alignment_of_mean") is None


@pytest.mark.parametrize(
    ("method", "option", "value", "fitting"),
    [
        *((method, "response", "amos", "nmf|tap|gram") for method in ("saddle-point", "enumeration")),
        *((method, "variant", "expanded", "tap") for method in ("nmf", "gram", "gaussian", "adaptive-tap")),
        *((method, "update", "parallel", "enumeration") for method in ("tap", "saddle-point")),
    ],
)
def test_an_option_that_a_method_does_not_have_is_refused_and_not_ignored(
    method: str, option: str, value: str, fitting: str
) -> None:
    arrays = "ising" if method == "enumeration" else "symmetric"
    said = refuse("run", "vector/solve", *settings(**inputs(arrays), method=method, **{option: value}))
    assert f"{option} is {value!r}, but must be left out for method={method}" in said
    assert f"method={fitting}" in said


# ---------------------------------------------------------------- simulations

MOTIONS = [
    ("asymmetric", {"dynamics": "parallel"}, gf.ParallelHeatBath(BETA)),
    ("asymmetric", {"dynamics": "sequential"}, gf.SequentialHeatBath(BETA)),
    ("symmetric", {"dynamics": "sequential", "overrelaxation": 2}, gf.SequentialHeatBath(BETA, overrelaxation=2)),
    ("ising", {"dynamics": "parallel"}, gf.ParallelHeatBath(BETA)),
]
LONG = {"steps": 400, "burn_in": 50, "replicas": 8}


@pytest.mark.parametrize(("arrays", "more", "dynamics"), MOTIONS)
def test_command_line_run_and_simulate_give_the_same_bits(arrays: str, more: dict[str, Any], dynamics: Any) -> None:
    given = {**inputs(arrays), **more, **LONG}
    answer = ask("run", "vector/simulate", *settings(**given), "--seed", "9", "--no-figure", "-o", "shell")
    direct = gf.simulate(model_of(arrays), dynamics, seed=9, **LONG)
    assert_same_values(answer["values"], direct)
    for name in ASKED:
        assert answer["values"][f"{name}_error"] > 0, name
    stored = gf.run("vector/simulate", seed=9, figure=False, directory="python", **given)
    assert_same_values(answer["values"], stored)
    np.testing.assert_array_equal(stored["spins"], direct["spins"])
    assert Path("shell/result.nc").read_bytes() == Path("python/result.nc").read_bytes()
    assert answer["parameters"]["seed"] == answer["evidence"]["seed"] == 9
    assert answer["evidence"]["averages_over"] == "8 replicas"


def test_another_seed_gives_other_numbers_within_the_errors() -> None:
    values = [
        ask("run", "vector/simulate", *settings(**inputs("asymmetric"), **LONG), "--seed", seed, "--no-figure")[
            "values"
        ]
        for seed in ("1", "2")
    ]
    for name in ("magnetization_sum_of_squares", "entropy_production", "mean_of_alignment", "energy"):
        difference = values[0][name] - values[1][name]
        assert difference != 0
        assert abs(difference) < 6 * np.hypot(values[0][f"{name}_error"], values[1][f"{name}_error"]), name


def test_exact_enumeration_lies_within_the_error_bars_of_the_simulation() -> None:
    for dynamics in ("parallel", "sequential"):
        exact = ask("run", "vector/solve", *settings(**inputs("ising"), method="enumeration", update=dynamics))
        given = {**inputs("ising"), "dynamics": dynamics, "steps": 4000, "replicas": 16}
        found = ask("run", "vector/simulate", *settings(**given), "--seed", "5", "--no-figure")["values"]
        for name in ("magnetization_sum_of_squares", "covariance_trace", "entropy_production", "energy"):
            deviation = (found[name] - exact["values"][name]) / found[f"{name}_error"]
            assert abs(deviation) < 5.5, (dynamics, name, deviation)


def test_one_thread_and_two_give_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    used: list[int] = []

    class Counted(ThreadPoolExecutor):
        def __init__(self, max_workers: int) -> None:
            used.append(max_workers)
            super().__init__(max_workers)

    monkeypatch.setattr(_simulate, "ThreadPoolExecutor", Counted)
    given = {**inputs("asymmetric"), **LONG, "replicas": 200}
    for count in (1, 2):
        monkeypatch.setattr(_simulate, "thread_count", lambda threads, count=count: count)
        ask("run", "vector/simulate", *settings(**given), "--seed", "3", "--no-figure", "-o", f"with-{count}")
    assert used == [1, 2]
    assert Path("with-1/result.nc").read_bytes() == Path("with-2/result.nc").read_bytes()


def test_one_process_and_two_give_the_same_sweep() -> None:
    given = {**inputs("asymmetric"), **LONG, "beta": [0.5, 2.0]}
    succeed("sweep", "vector/simulate", *settings(**given), "--seed", "3", "-o", "one")
    command = ["sweep", "vector/simulate", *settings(**given), "--seed", "3", "-o", "two", "--jobs", "2"]
    subprocess.run([sys.executable, "-m", "glassformer.cli", *command], check=True, capture_output=True)
    numbers = [
        {name: data for name, data in everything(Path(place)).items() if name.endswith((".nc", ".toml", ".npy"))}
        for place in ("one", "two")
    ]
    assert len(numbers[0]) == 3 + 3 + 2  # results, configurations with the study, couplings and fields
    assert numbers[0] == numbers[1]


def test_a_point_of_a_sweep_is_the_run_with_its_settings() -> None:
    given = {**inputs("asymmetric"), "method": "tap", "beta": [0.3, 0.6]}
    ask("sweep", "vector/solve", *settings(**given), "-o", "s")
    alone = ask("run", "vector/solve", *settings(**{**given, "beta": 0.6}), "--no-figure")
    whole = gf.load("s")
    for name in ASKED:
        assert float(whole[name].sel(beta=0.6)) == alone["values"][name]


# ---------------------------------------------------------------- inputs


def test_every_way_to_give_an_array_is_the_same_run(monkeypatch: pytest.MonkeyPatch) -> None:
    import xarray as xr

    couplings, fields = np.load("asymmetric.npy"), np.load("x4.npy")
    np.savez("both.npz", J=couplings, x=fields)
    np.savez("one.npz", couplings)
    np.savetxt("J.csv", couplings, delimiter=",", fmt="%.17g")
    xr.Dataset({"J": (("site", "site_"), couplings), "x": (("site", "component"), fields)}).to_netcdf("both.nc")
    xr.Dataset({"J": (("site", "site_"), couplings)}).to_netcdf("J.nc")
    nested = repr(couplings.tolist())
    ways = ["asymmetric.npy", "both.npz:J", "one.npz", "J.csv", "both.nc:J", "J.nc", nested]
    given = {**inputs("asymmetric"), "method": "nmf"}
    answers = [ask("run", "vector/solve", *settings(**{**given, "couplings": way}), "--no-figure") for way in ways]
    answers.append(ask("run", "vector/solve", *settings(**{**given, "fields": "both.npz:x"}), "--no-figure"))
    assert {answer["directory"] for answer in answers} == {answers[0]["directory"]}
    assert len(os.listdir("runs")) == 1


def test_rows_act_on_their_site_whatever_the_file() -> None:
    """Site 0 is driven by site 1 and not the other way round; a transposed reader would turn that about."""
    couplings = np.zeros((2, 2))
    couplings[0, 1] = 1.0
    np.save("J.npy", np.asfortranarray(couplings))
    Path("J.csv").write_text("0,1\n0,0\n")
    np.save("x.npy", np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 1.0]]))
    for file in ("J.npy", "J.csv", "[[0, 1], [0, 0]]"):
        given = {"couplings": file, "fields": "x.npy", "beta": 1.0, "radius": 1.0, "method": "gram"}
        directory = ask("run", "vector/solve", *settings(**given), "--no-figure")["directory"]
        lengths = np.linalg.norm(gf.load(directory)["magnetization"], axis=1)
        assert lengths[1] == pytest.approx(1 / np.tanh(1.0) - 1.0)  # one free spin in a unit field
        assert 0 < lengths[0] < lengths[1]

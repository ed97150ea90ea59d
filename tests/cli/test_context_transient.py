"""`context/transient` from the command line: numbers, files, figures, and what is refused."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from command_line import ask, call, refuse, settings, succeed

import glassformer as gf
from glassformer.plotting.context_transient import transient_figure


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_last_row_stands_beside_the_stationary_state() -> None:
    answer = ask("run", "context/transient", *settings(start="repeated", beta=1.0, steps=60), "-o", "out")
    values = answer["values"]
    assert np.allclose(values["autocorrelation"][:4], [1, 0.2086600411, -0.0000341130, -0.0092107102], atol=1e-8)
    assert np.allclose(values["autocorrelation"], values["autocorrelation_stationary"], atol=1e-8)
    assert values["loss_floor"][:3] == [None] * 3  # there is no field before step 1
    assert values["loss_floor"][-1] == pytest.approx(0.3952428106, abs=1e-9)
    assert Path("out/figure.png").stat().st_size > 10_000
    stored = gf.load("out")
    law = gf.LaggedGaussian([[0.6, 0.3, -0.1], [0.3, 0.5, 0.2], [-0.1, 0.2, 0.4]])
    same = gf.solve(law, gf.TransientDMFT(gf.TokenRule(), steps=60, start="repeated"))
    for name in ("two_time_correlation", "field_covariance", "magnetization"):
        assert np.array_equal(stored[name], same[name], equal_nan=True)
    assert "stationary" in succeed("run", "context/transient", *settings(steps=10)).out


def test_aging_stands_beside_tokens_without_a_stationary_state() -> None:
    given = {"variant": "spherical", "beta": "inf", "gamma": "[[0.7, 0.3], [0.3, 0.5]]", "steps": 170}
    answer = ask("run", "context/transient", *settings(**given), "-o", "aging")
    values = answer["values"]
    assert values["autocorrelation"][10] == pytest.approx(0.26941, abs=5e-6)
    assert values["autocorrelation_aging"][10] == pytest.approx(0.26898, abs=5e-6)
    assert values["aging_constant"] == pytest.approx(0.2307692, abs=1e-7)
    growing = ask("run", "context/transient", *settings(variant="gaussian", gamma="[[0.9, 0.5], [0.5, 0.8]]", steps=80))
    assert growing["values"]["growth_factor"] == pytest.approx(1.41604, abs=1e-5)
    transient_figure(gf.run("context/transient", variant="gaussian", gamma=((0.9, 0.5), (0.5, 0.8)), steps=80))
    flat = succeed("run", "context/transient", *settings(variant="spherical", beta="inf", steps=8, start="repeated",
                   gamma="[[0.5, 0.2, 0], [0.2, 0.5, -0.2], [0, -0.2, 0.5]]"))  # fmt: skip
    assert "C(8, 8 - lag)" in flat.out


def test_partially_symmetric_signs_have_errors_and_a_seed() -> None:
    given = {"gamma": "[[1.0]]", "transpose_gamma": "[[0.5]]", "beta": 1.2, "steps": 12, "start": "repeated"}
    answer = ask("run", "context/transient", *settings(**given, paths=4000, seed=3), "-o", "paths")
    assert answer["evidence"]["paths"] == 4000
    stored = gf.load("paths")
    assert 0.0 < float(stored["two_time_correlation_error"].max()) < 0.05
    assert np.array_equal(stored["autocorrelation_error"][1:], stored["two_time_correlation_error"].values[-1, -2:0:-1])
    table = stored.attrs["table"].splitlines()
    assert table[0].split()[-1] == "error"
    assert float(table[3].split()[2]) == pytest.approx(float(stored["autocorrelation_error"][2]), rel=1e-6)
    assert " +- " in table[-1]
    assert float(stored["two_time_correlation"].sel(time=12, time_=10)) == pytest.approx(0.355, abs=0.04)
    again = ask("run", "context/transient", *settings(**given, paths=4000, seed=3))
    assert again["values"] == answer["values"]
    exact = ask(
        "run", "context/transient", *settings(variant="gaussian", gamma="[[0.4]]", transpose_gamma="[[0.2]]", steps=120)
    )
    assert exact["values"]["autocorrelation"][2] == pytest.approx(0.92909, abs=5e-6)


def test_a_ferromagnet_and_a_file_of_overlaps() -> None:
    given = {"gamma": "[[0.5, 0.2], [0.2, 0.3]]", "mean": "[0.8, 0.6]", "field": 0.1, "beta": 1.2, "steps": 60}
    values = ask("run", "context/transient", *settings(**given, start_magnetization=0.3))["values"]
    assert values["magnetization"][-1] == pytest.approx(0.45462, abs=5e-6)
    assert values["autocorrelation"][1:4] == pytest.approx([0.3956, 0.3369, 0.3315], abs=5e-5)
    np.save("start.npy", [[1.0, 0.4], [0.4, 1.0]])
    one = ask("run", "context/transient", *settings(rank_one="[0.8, -0.5]", start="start.npy", steps=5))
    two = ask("run", "context/transient", *settings(rank_one="[0.8, -0.5]", start="[[1.0, 0.4], [0.4, 1.0]]", steps=5))
    assert one["values"] == two["values"]


def test_a_long_run_keeps_a_band() -> None:
    answer = ask("run", "context/transient", *settings(steps=7000, band=60, beta=1.0), "-o", "long")
    assert answer["values"]["autocorrelation"][1] == pytest.approx(0.2086600411, abs=1e-9)
    assert answer["values"]["band_edge"] < 1e-10
    assert gf.load("long")["banded_correlation"].sizes == {"time": 7003, "kept_lag": 61}
    assert Path("long/figure.png").stat().st_size > 10_000
    narrow = call("run", "context/transient", *settings(steps=50, band=6))
    assert narrow.code == 0
    assert "wider band" in narrow.out


def test_tokens_that_overflow_fail_with_what_was_reached() -> None:
    given = {"variant": "gaussian", "gamma": "[[9, 5], [5, 8]]", "steps": 900}
    outcome = call("run", "context/transient", *settings(**given), "-o", "grown")
    assert outcome.code == 1
    assert "nonfinite" in outcome.out
    assert outcome.err.count("\n") == 1
    assert "Warning" not in outcome.err
    figure = transient_figure(gf.run("context/transient", **{**given, "gamma": ((9.0, 5.0), (5.0, 8.0))}, throw=False))
    assert len(figure.axes) == 4


@pytest.mark.parametrize(
    ("given", "piece"),
    [
        ({"steps": 0}, "steps"),
        ({"steps": 5, "lags": 5}, "below steps = 5"),
        ({"gamma": "[[1, 2], [2, 1]]"}, "positive semidefinite"),
        ({"gamma": "[[1.0]]", "rank_one": "[1.0]"}, "gamma and rank_one"),
        ({"start": "[[1, 0], [0, 1]]"}, "the shape of start"),
        ({"start": "random"}, "start"),
        ({"start_magnetization": 2}, "from -1 to 1"),
        ({"variant": "gaussian", "paths": 1000}, "paths"),
        ({"paths": 3}, "paths"),
        ({"steps": 7000}, "pass band="),
        ({"band": 60, "field": 0.1}, "band"),
        ({"beta": -1}, "beta"),
        ({"variant": "gaussian", "beta": 2}, "beta"),
    ],
)
def test_what_has_no_answer_is_refused_before_anything_is_written(given: dict[str, object], piece: str) -> None:
    assert piece in refuse("run", "context/transient", *settings(**given), "-o", "nothing")
    assert os.listdir() == []

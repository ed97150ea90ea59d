"""`context/learn` from the command line: numbers beside the theory, floors, resumption, and what is refused."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import ask as ask_with_figure
from command_line import call, refuse, settings, succeed

import glassformer as gf
from glassformer.runs._learning import Teacher
from glassformer.runs.context_learn import LEARN

GAUSSIAN = {"variant": "gaussian", "gamma": "[[0.3, 0.15], [0.15, 0.25]]", "n": 12, "seed": 3}
ISING = {"gamma": "[[0.6, 0.2], [0.2, 0.4]]", "n": 10, "seed": 3, "repeats": 4, "test_windows": 500}


def ask(*arguments: str) -> Any:
    """Drawing takes longer than learning."""
    return ask_with_figure(*arguments, "--no-figure")


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("given", "estimator", "slack"),
    [
        ({}, gf.LeastSquares(), 0.0),
        ({"estimator": "ridge", "penalty": 4}, gf.Ridge(4.0), 0.06),
        ({"estimator": "bayes"}, gf.BayesRidge([[0.3, 0.15], [0.15, 0.25]], 1.0), 0.06),
        ({"estimator": "sgd", "rate": 0.004}, gf.OnlineSGD(0.004), 0.0),
        ({"student_context": 1}, gf.LeastSquares(), 0.0),
    ],
)
def test_gaussian_students_follow_the_theory(given: dict[str, Any], estimator: object, slack: float) -> None:
    found = ask("run", "context/learn", *settings(**GAUSSIAN, sizes="[40, 90]", repeats=24, **given))["values"]
    assert found["size"] == [40, 90]
    for value, error, exact in zip(found["excess"], found["excess_error"], found["excess_theory"]):
        assert abs(value - exact) < 4.5 * error + slack * exact
    assert found["error_floor"] == 1.0
    assert found["loss_floor"] == pytest.approx(0.5 * math.log(2 * math.pi * math.e))
    assert np.allclose(found["test_error"], np.array(found["excess"]) + 1.0)
    assert found["parameters"] == (12 if "student_context" in given else 24)
    assert (found["mismatch"] > 0) == ("student_context" in given)
    config = LEARN.config(**{**GAUSSIAN, "gamma": [[0.3, 0.15], [0.15, 0.25]]})
    curve = gf.LearningCurve(estimator, (40, 90), rule=gf.TokenRule("gaussian"), context=given.get("student_context"))
    assert np.allclose(gf.solve(config.model(), curve).excess, found["excess_theory"], rtol=1e-12)


def test_an_ising_student_and_its_figure() -> None:
    answer = call("run", "context/learn", *settings(**ISING, sizes="[30, 400, 1600]"), "-o", "ising")
    assert answer.code == 0
    assert "infinite" in answer.out  # 30 windows are separable
    assert Path("ising/figure.png").stat().st_size > 10_000
    found = gf.load("ising")
    assert np.isinf(found.excess[0])
    assert np.isinf(found.excess_theory[0])
    assert float(found.separated_share[0]) > 0.5
    assert float(found.separated_share[2]) == 0.0
    # ten sites are few: fields are not quite Gaussian
    assert np.allclose(found.excess[1:], found.excess_theory[1:], rtol=0.15)
    assert np.allclose(found.excess_asymptote, [20 / 60, 20 / 800, 20 / 3200])
    assert 2.5 < float(found.separability_threshold) < 3.5
    given = {**ISING, "n": 30, "estimator": "mean_field", "sizes": "1000"}
    mean_field = ask("run", "context/learn", *settings(**given))["values"]
    assert mean_field["excess"][0] == pytest.approx(
        mean_field["excess_theory"][0], rel=0.1
    )  # with the bias of 30 sites
    assert mean_field["fallback_share"] == [0.0]


def test_a_penalty_has_no_theory_but_an_answer_at_zero_temperature() -> None:
    given = {**ISING, "beta": "inf", "penalty": 0.1, "n": 8}
    answer = ask("run", "context/learn", *settings(**given, sizes="[50, 400]"))
    assert answer["values"]["excess"][1] < answer["values"]["excess"][0] < math.log(2)
    assert "excess_theory" not in answer["values"]
    assert "No theory" in answer["evidence"]["note"]


def test_one_sequence_is_as_good_as_windows() -> None:
    both = {}
    for mode in ("windows", "trajectory"):
        both[mode] = ask("run", "context/learn", *settings(**GAUSSIAN, sizes="[120]", repeats=24, mode=mode))["values"]
    gap = both["windows"]["excess"][0] - both["trajectory"]["excess"][0]
    assert abs(gap) < 4 * math.hypot(both["windows"]["excess_error"][0], both["trajectory"]["excess_error"][0])
    noted = call(
        "run", "context/learn", *settings(**GAUSSIAN, sizes="[120]", repeats=2, mode="trajectory"), "--no-figure"
    )
    assert "overlap" in noted.out


def test_exact_windows_and_simulated_ones_have_one_law() -> None:
    """The covariance of histories drawn from the stationary law against that of sequences that forgot their start."""
    model = gf.ExtendedContext(gf.LaggedGaussian([[0.3, 0.15], [0.15, 0.25]]).sample(n=3, seed=1))
    teacher = Teacher.of(model, gf.TokenRule("gaussian"), 3)
    drawn = teacher.windows(20_000, 1, trajectory=False)
    walked = teacher.windows(20_000, 1, trajectory=True)
    for data in (drawn, walked):
        noise = data.targets - data.features[:, :6] @ teacher.flat[:, :6].T
        assert np.allclose(noise.T @ noise / 20_000, np.eye(3), atol=0.04)
        covariance = data.features.T @ data.features / 20_000
        assert np.allclose(covariance, teacher.covariance, atol=0.12 * np.diag(teacher.covariance).max())


def test_sizes_are_parts_that_resume() -> None:
    whole = call(
        "run", "context/learn", *settings(**GAUSSIAN, sizes="40:160:log3", repeats=3), "-o", "a", "--no-figure"
    )
    assert whole.code == 0
    assert gf.load("a")["size"].values.tolist() == [40, 80, 160]
    succeed("run", "context/learn", *settings(**GAUSSIAN, sizes="[80]", repeats=3), "-o", "b", "--no-figure")
    assert float(gf.load("b").excess[0]) == float(gf.load("a").excess[1])  # a size does not depend on the others
    single = gf.load("b")
    assert single.excess.dims == ("size",)


@pytest.mark.parametrize(
    ("given", "piece"),
    [
        ({**GAUSSIAN, "estimator": "logistic"}, "one of least_squares, ridge, bayes, sgd for variant=gaussian"),
        ({**ISING, "estimator": "ridge"}, "one of logistic, mean_field for variant=ising"),
        ({"variant": "spherical", "seed": 1}, "gaussian or ising"),
        ({**GAUSSIAN, "penalty": 1}, "left out for estimator=least_squares"),
        ({**GAUSSIAN, "rate": 0.1}, "left out for estimator=least_squares"),
        ({**ISING, "field": 0.1}, "without external fields"),
        ({**GAUSSIAN, "estimator": "bayes", "student_context": 1}, "knows the law"),
        ({**GAUSSIAN, "sizes": "[0, 10]"}, "whole numbers >= 1"),
        ({**GAUSSIAN, "repeats": 1}, "repeats"),
        ({"variant": "gaussian", "gamma": "[[1.4]]", "seed": 1}, "draw others (another seed, more sites)"),
    ],
)
def test_what_cannot_be_learned_is_refused_before_anything_is_written(given: dict[str, object], piece: str) -> None:
    assert piece in refuse("run", "context/learn", *settings(**given), "-o", "nothing")
    assert os.listdir() == []

"""`vector/replicas` from the command line: on the user's files, with verdicts, warnings and refusals."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from command_line import ask, call, refuse, settings, succeed

import glassformer as gf

RUN = ("run", "vector/replicas")


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    np.save("J.npy", gf.SherringtonKirkpatrick().sample(n=24, seed=1))
    np.save("x.npy", gf.gaussian_fields(24, dim=2, seed=1, radius="unit", strength=3.0))
    np.save("asymmetric.npy", gf.Asymmetric().sample(n=5, seed=1))


def test_the_answer_is_that_of_python_and_the_figure_is_drawn():
    given = {"couplings": "J.npy", "fields": "x.npy", "radius": "unit", "betas": "[0.5,2]", "seed": 3, "replicas": 5}
    answer = ask(*RUN, *settings(**given), "-o", "out")
    model = gf.VectorSpin(np.load("J.npy"), np.load("x.npy"), radius="unit")
    direct = gf.compare_replicas(model, [0.5, 2.0], replicas=5, seed=3)
    assert answer["status"] == "ok"
    for name in ("overlap_mean", "overlap_aligned_spread", "spin_glass_susceptibility", "ultrametricity", "energy"):
        np.testing.assert_array_equal(answer["values"][name], direct[name].values)
    assert answer["values"]["verdict"] == ["replica symmetric", "replica symmetric"]
    assert Path("out/figure.png").stat().st_size > 10_000
    np.testing.assert_array_equal(gf.load("out")["overlap"].values, direct["overlap"].values)


def test_the_table_has_one_sentence_per_temperature():
    text = succeed(*RUN, *settings(couplings="J.npy", dim=1, radius="unit", betas=0.5, seed=3), "-o", "out").out
    assert text.count("Equilibrated; replica symmetric") == 1


def test_a_run_that_is_too_short_is_a_warning():
    given = {"couplings": "J.npy", "dim": 1, "radius": "unit", "betas": 20, "seed": 3}
    given |= {"sweeps": 40, "max_sweeps": 120}
    outcome = call(*RUN, *settings(**given), "-o", "out")
    assert outcome.code == 0
    assert "vector/replicas: not_equilibrated" in outcome.out
    assert "raise max_sweeps" in outcome.out
    assert outcome.err.startswith("Warning: vector/replicas: The run ended before its equilibration test passed.")


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"couplings": "asymmetric.npy"}, "symmetric"),
        ({"betas": "[-1]"}, "betas"),
        ({"betas": 0}, "betas"),
        ({"replicas": 3}, "replicas"),
        ({"max_sweeps": 300}, "max_sweeps"),
        ({"hottest": 9}, "hottest"),
    ],
)
def test_refusals(change, word):
    given = {"couplings": "J.npy", "dim": 1, "radius": "unit", "betas": 1, "seed": 3, **change}
    assert word in refuse(*RUN, *settings(**given), "-o", "out")

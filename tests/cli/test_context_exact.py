"""`context/exact` from the command line."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from command_line import ask, call, refuse, settings

import glassformer as gf


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def save_cosines(context: int, n: int) -> np.ndarray:
    lag, site, other = np.meshgrid(*[np.arange(1, m + 1) for m in (context, n, n)], indexing="ij")
    couplings = np.cos(site + 2 * other + 3 * lag) / math.sqrt(n)
    np.save("J.npy", couplings)
    return np.asarray(couplings)


def test_a_file_of_couplings_gives_the_reference_numbers_and_a_figure() -> None:
    save_cosines(2, 3)
    answer = ask("run", "context/exact", *settings(couplings="J.npy", beta=1.0, lags=4), "-o", "out")
    values = answer["values"]
    assert np.allclose(
        values["autocorrelation"][1:], [-0.0791171265, 0.0108770838, -0.2166065489, 0.0472167122], atol=5e-11
    )
    assert values["entropy_rate"] == pytest.approx(0.4801778330, abs=5e-11)
    assert values["loss_floor"] == values["entropy_rate"]
    assert values["entropy_production_per_spin"] == pytest.approx(0.2149369800, abs=5e-11)
    assert Path("out/figure.png").stat().st_size > 10_000


def test_a_draw_from_the_law_is_that_of_python() -> None:
    answer = ask(
        "run", "context/exact", *settings(rank_one="[0.9,-0.4]", n=3, beta=0.7, variant="probit"), "--seed", "5"
    )
    law = gf.LaggedGaussian.from_factors([0.9, -0.4])
    model = gf.ExtendedContext(law.sample(n=3, seed=5))
    wanted = gf.solve(model, gf.ExactContext(gf.TokenRule("probit", beta=0.7)))
    for name in ("autocorrelation", "magnetization"):
        assert np.array_equal(answer["values"][name], wanted[name])
    assert answer["values"]["entropy_production"] == float(wanted["entropy_production"])


def test_gaussian_tokens_with_a_field_of_every_site() -> None:
    couplings = 0.4 * save_cosines(2, 3)
    np.save("J.npy", couplings)
    options = settings(couplings="J.npy", variant="gaussian", sigma=0.5, fields="[0.1,0.2,-0.4]", lags=2)
    values = ask("run", "context/exact", *options)["values"]
    mean = np.linalg.solve(np.eye(3) - couplings.sum(axis=0), [0.1, 0.2, -0.4])
    assert np.allclose(values["magnetization"], mean)
    assert 0 < values["spectral_radius"] < 1


def test_infinite_beta_warns_that_it_is_not_ergodic_and_ends_with_0() -> None:
    save_cosines(2, 3)
    outcome = call("run", "context/exact", *settings(couplings="J.npy", beta="inf"), "--json")
    assert outcome.code == 0
    assert outcome.json["status"] == "out_of_range"
    assert "not ergodic" in outcome.json["evidence"]["status_sentence"]
    assert outcome.json["values"]["attractors"] == 3


def test_a_transient_is_stored_with_its_figure() -> None:
    save_cosines(2, 2)
    answer = ask("run", "context/exact", *settings(couplings="J.npy", steps=5, start="repeated"), "-o", "late")
    stored = gf.load("late")
    assert stored["two_time_correlation"].shape == (7, 7)
    assert answer["values"]["time"] == [-1, 0, 1, 2, 3, 4, 5]
    assert Path("late/figure.png").exists()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"couplings": "J.npy", "gamma": "[[1.0]]"}, "gamma is .* left out beside couplings"),
        ({"couplings": "J.npy", "n": 4}, "n is 4, but must be left out beside couplings"),
        ({"gamma": "[[1.0]]", "n": 13}, "K N <= 12 for ising tokens, not 13"),
        ({"gamma": "[[1.5]]", "variant": "gaussian", "n": 30}, "no stationary state exists"),
        ({"variant": "spherical"}, "spherical tokens have neither few states nor a linear rule"),
        ({"couplings": "J.npy", "start": "repeated"}, "start is 'repeated', but must be left out for the stationary"),
        ({"couplings": "J.npy", "fields": "[1.0]"}, "length of fields is 1"),
    ],
)
def test_what_cannot_be_solved_is_refused(options: dict[str, object], sentence: str) -> None:
    save_cosines(2, 3)
    said = refuse("run", "context/exact", *settings(**options), "--seed", "1")
    import re

    assert re.search(sentence, said), said

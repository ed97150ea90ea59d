"""`context/dmft` from the command line."""

from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np
import pytest
from command_line import ask, call, refuse, settings, succeed

import glassformer as gf
from glassformer.plotting.context import dmft_figure


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def values(**given: object) -> dict[str, object]:
    return ask("run", "context/dmft", *settings(**given))["values"]


def test_the_default_law_and_its_figure() -> None:
    answer = ask("run", "context/dmft", "-o", "out")
    found = answer["values"]
    assert answer["status"] == "converged"
    assert found["q0"] == pytest.approx(1.7086668637, abs=1e-9)
    assert np.allclose(
        found["autocorrelation"][1:5], [0.2086600411, -0.0000341130, -0.0092107102, -0.0019438870], atol=1e-9
    )
    assert found["criticality"] == pytest.approx(0.59387392, abs=1e-8)
    assert found["loss_floor"] == found["entropy_rate"] == pytest.approx(0.3952428106, abs=1e-9)
    assert found["entropy_production"] == found["entropy_production_per_spin"] == pytest.approx(0.8713401966, abs=1e-8)
    assert 0 < found["slowest_root"] < 1
    assert Path("out/figure.png").stat().st_size > 10_000
    back = gf.load("out")
    assert float(back["q0"]) == found["q0"]
    assert back["autocorrelation"].dims == ("lag",)


def test_the_command_is_what_python_gives() -> None:
    np.save("gamma.npy", [[0.8, -0.3], [-0.3, 0.5]])
    found = values(variant="probit", gamma="gamma.npy", beta=0.9, mean="[0.5,0.9]", field=-0.2, lags=10)
    law = gf.LaggedGaussian([[0.8, -0.3], [-0.3, 0.5]], mean=[0.5, 0.9])
    wanted = gf.solve(gf.ContextEnsemble(law, field=-0.2), gf.StationaryDMFT(gf.TokenRule("probit", beta=0.9), lags=10))
    assert len(found["autocorrelation"]) == 11
    for name in ("magnetization", "persistent_correlation", "loss_floor", "entropy_production", "order_root"):
        assert found[name] == float(wanted[name])
    assert np.array_equal(found["autocorrelation"], wanted["autocorrelation"])


def test_every_way_to_say_a_law() -> None:
    one = values(rank_one="[0.9,0.4]", beta="inf")
    for law in ({"factors": [[0.9], [0.4]]}, {"gamma": [[0.81, 0.36], [0.36, 0.16]]}, {"diagonal_sums": [0.97, 0.36]}):
        other = gf.run("context/dmft", beta=math.inf, **law)
        assert np.allclose(other["autocorrelation"], one["autocorrelation"], atol=1e-12)
    assert one["loss_floor"] == 0
    assert "entropy_production" not in one


def test_linear_rules_and_graded_units() -> None:
    gaussian = values(variant="gaussian", gamma="[[0.3,0.15],[0.15,0.25]]")
    assert gaussian["autocorrelation"][0] == pytest.approx(2.98142397, abs=1e-8)
    assert gaussian["slowest_root"] == pytest.approx(0.38196601, abs=1e-8)
    assert gaussian["loss_floor"] == pytest.approx(0.5 * math.log(2 * math.pi * math.e))
    assert gaussian["spectral_radius"] == pytest.approx(0.9466, abs=5e-5)
    wider = gf.run("context/dmft", variant="gaussian", gamma=[[0.3, 0.15], [0.15, 0.25]], sigma=2.0)
    assert float(wider["q0"]) == pytest.approx(4 * gaussian["q0"])
    assert float(gf.run("context/dmft", variant="spherical", beta=2.0)["multiplier"]) == pytest.approx(
        3.2980172203, abs=1e-9
    )
    assert float(gf.run("context/dmft", variant="graded", beta=0.5)["q0"]) == 0
    symmetric = gf.run("context/dmft", variant="gaussian", gamma=[[0.4]], transpose_gamma=[[0.2]])
    assert float(symmetric["autocorrelation"][2]) == pytest.approx(0.92909, abs=1e-5)


def test_a_table_and_a_warning() -> None:
    printed = succeed("run", "context/dmft", *settings(variant="graded", beta=1.5), "-o", "graded").out
    assert "deterministic" in printed
    oscillating = call("run", "context/dmft", *settings(beta=2, gamma="[[0.5]]", mean="[-3]"), "-o", "ringing")
    assert oscillating.code == 0
    assert "outside the range" in oscillating.err
    assert "oscillates" in oscillating.out


@pytest.mark.parametrize(
    ("given", "piece"),
    [
        ({"variant": "gaussian", "diagonal_sums": "[1.5,0.5,-0.1]"}, "max G(omega) is 2.3,"),
        ({"variant": "spherical", "beta": "inf"}, "they age as sqrt(t)"),
        ({"diagonal_sums": "[1,0.9]"}, "no covariance has these diagonal sums"),
        ({"gamma": "[[1,2],[2,1]]"}, "lowest eigenvalue of gamma is -1"),
        ({"gamma": "[[1,0.2],[0.1,1]]"}, "|gamma - transpose|"),
        ({"gamma": "[0.5,0.4]"}, "rank_one=[gamma_1, ...] or diagonal_sums=[g_0, ...]"),
        ({"shape": "max_det"}, "shape is 'max_det', but must be left out without diagonal_sums"),
        ({"transpose_gamma": "[[3,0,0],[0,1,0],[0,0,1]]"}, "gamma - transpose_gamma"),
        ({"gamma": "[[1,2],[2,1]]"}, "lowest eigenvalue"),
        ({"gamma": "[[1,2],[0,1]]"}, "transpose"),
        ({"gamma": "[[1]]", "rank_one": "[1]"}, "gamma and rank_one are given"),
        ({"beta": -1}, "beta"),
        ({"beta": "nan"}, "beta"),
        ({"lags": 0}, "lags"),
        ({"sigma": 2}, "sigma"),
        ({"mean": "[1]"}, "the length of mean"),
        ({"transpose_gamma": "[[0.05,0,0],[0,0.05,0],[0,0,0.05]]"}, "TransientDMFT follows it"),
    ],
)
def test_what_has_no_answer_is_refused_and_nothing_is_written(given: dict[str, object], piece: str) -> None:
    assert piece in refuse("run", "context/dmft", *settings(**given), "-o", "nothing")
    assert os.listdir() == []


def test_a_sweep_over_temperatures() -> None:
    succeed("sweep", "context/dmft", "--grid", "beta=[0.5,1,3]", "-o", "sweep")
    found = gf.load("sweep")
    assert np.allclose(found["q0"], [1.5927528728, 1.7086668637, 1.8439978141], atol=1e-9)


def test_figures_of_every_kind() -> None:
    for given in (
        {"gamma": [[0.7]]},
        {"variant": "graded", "beta": 0.3},
        {"beta": 1.2, "gamma": [[0.5, 0.2], [0.2, 0.3]], "mean": [0.8, 0.6], "field": 0.1},
        {"variant": "gaussian", "gamma": [[0.4]], "transpose_gamma": [[0.2]]},
    ):
        dataset = gf.run("context/dmft", **given)
        figure = dmft_figure(dataset)
        assert len(figure.axes) == 4
        limits = [ax for ax in figure.axes if "memory diverges" in ax.get_legend_handles_labels()[1]]
        tokens = [ax for ax in figure.axes if "c(ω) / mean" in ax.get_legend_handles_labels()[1]]
        assert len(tokens) == 1
        assert tokens[0] not in limits  # the limit is one of the couplings
        assert any(text.get_text().startswith("field variance") for ax in figure.axes for text in ax.texts)

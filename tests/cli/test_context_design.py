"""Designs from the command line: numbers, files that other commands take, figures, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from command_line import ask, call, refuse, settings, succeed

import glassformer as gf
from glassformer.plotting.context_design import design_figure, verify_figure


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_design_is_that_of_python_and_its_couplings_have_the_target() -> None:
    answer = ask("run", "context/design", *settings(target="0.6^tau", beta=9, context=3), "-o", "a")
    assert answer["status"] == "converged"
    found = answer["values"]
    expected = gf.design("0.6^tau", beta=9.0, context=3)
    assert found["feasible"] is True
    assert found["reason"] == expected.reason
    for name in ("max_error", "rms_error", "smallest_feasible_beta"):
        assert found[name] == pytest.approx(getattr(expected, name), rel=1e-6)
    assert found["margin_fields"] == pytest.approx(expected.certificate["fields"])
    assert np.allclose(found["rank_one"], expected.rank_one, atol=1e-9)
    assert np.allclose(found["diagonal_sums"], expected.diagonal_sums, atol=1e-9)
    assert Path("a/figure.png").stat().st_size > 20_000
    solved = ask("run", "context/dmft", *settings(gamma="a/result.nc:gamma", beta=9, lags=20))["values"]
    assert solved["q0"] == pytest.approx(1.0, abs=1e-10)
    assert np.abs(np.array(solved["autocorrelation"]) - found["autocorrelation"][:21]).max() < 1e-10
    assert np.abs(np.array(solved["autocorrelation"]) - 0.6 ** np.arange(21.0)).max() <= found["max_error"] + 1e-10
    filtered = ask("run", "context/dmft", *settings(rank_one="a/result.nc:rank_one", beta=9, lags=20))["values"]
    assert np.allclose(filtered["autocorrelation"], solved["autocorrelation"], atol=1e-12)


def test_an_infeasible_target_is_an_answer() -> None:
    outcome = succeed("run", "context/design", *settings(target="0.85^tau*cos(0.9*tau)", context=2), "-o", "b")
    assert "infeasible: " in outcome.out
    assert "no beta makes it feasible" in outcome.out
    dataset = gf.load("b")
    assert not bool(dataset["feasible"])
    assert float(dataset["margin_fields"]) == pytest.approx(-0.335, abs=5e-4)
    assert np.isnan(float(dataset["smallest_feasible_beta"]))
    assert "nearest feasible design" in dataset.attrs["note"]
    labels = [text.get_text() for ax in design_figure(dataset).axes for text in ax.get_legend().get_texts()]
    assert {"target", "asked for by the rule", "asked for", "no covariance"} <= set(labels)


def test_a_file_is_a_list_that_begins_at_lag_0_or_1() -> None:
    Path("acf.csv").write_text("acf\n1\n0.5\n0.2\n")
    np.save("acf.npy", [0.5, 0.2])
    first, second, third = (
        ask("run", "context/design", *settings(target=target, variant="probit", beta=4))["values"]
        for target in ("acf.csv", "acf.npy", "[0.5, 0.2]")
    )
    assert first["target"] == second["target"] == third["target"] == [1.0, 0.5, 0.2]
    assert first["exact"]
    assert first["max_error"] <= 1e-8
    covariance = ask("run", "context/design", *settings(target="acf.npy", variant="gaussian", sigma=0.3))["values"]
    assert covariance["target"] == [0.5, 0.2]
    assert covariance["context"] == 2
    assert covariance["largest_feasible_sigma"] == pytest.approx(0.3**0.5)


def test_the_noise_and_what_to_do_next_are_told() -> None:
    for options, name in (
        ({"variant": "gaussian"}, "sigma"),
        ({"variant": "spherical"}, "beta"),
        ({"variant": "graded"}, "beta"),
    ):
        answer = ask(
            "run", "context/design", *settings(target="0.4^tau", **options, context=3), "-o", f"n-{options['variant']}"
        )
        value = answer["values"][name]
        assert value == gf.design("0.4^tau", context=3, **options).noise  # type: ignore[arg-type]
        note = answer["evidence"]["note"]
        assert f"--set variant={options['variant']} --set {name}={value!r}" in note
        assert "seed is not used" in note
    outcome = succeed("run", "context/design", *settings(target="0.4^tau", variant="gaussian"), "-o", "next")
    assert "\nsigma 0.62" in outcome.out
    assert "criticality" in outcome.out
    command = outcome.out.split("Next: glassformer ")[1].split(", with")[0].split()
    solved = ask(*[word.replace("result.nc", "next/result.nc") for word in command])["values"]
    assert np.allclose(solved["autocorrelation"][:5], 0.4 ** np.arange(5.0), atol=1e-10)


def test_the_largest_error_is_in_the_table() -> None:
    target = "(1+tau)^-0.6*exp(-tau/20)"
    found = gf.design(target, context=10)
    lag = found.max_error_lag
    assert lag > 7
    assert found.max_error == abs(found.achieved[lag] - found.target[lag])
    outcome = succeed("run", "context/design", *settings(target=target, context=10))
    assert f"at lag {lag}," in outcome.out
    assert any(line.startswith(f"{lag} ") for line in outcome.out.splitlines())


def test_a_simulation_that_explodes_is_said_to() -> None:
    options = settings(target="0.7^tau", variant="gaussian", sigma=0.297, n=60, draws=4, steps=200, seed=1)
    outcome = call("run", "context/design", *options, "-o", "burst")
    assert outcome.code == 0
    assert "does not settle" in outcome.out
    assert "agrees" not in outcome.out
    assert "unstable" in outcome.out
    assert "Warning" in outcome.err
    dataset = gf.load("burst")
    assert dataset.attrs["status"] == "not_equilibrated"
    labels = [text.get_text() for text in design_figure(dataset).axes[0].get_legend().get_texts()]
    assert "simulation does not settle" in labels


def test_shapes() -> None:
    options = settings(target="0.5^tau", variant="spherical", beta=3, context=3)
    expected = gf.design("0.5^tau", variant="spherical", beta=3.0, context=3)
    for shape in ("max_det", "[[1,0,0],[0,1,0],[0,0,1]]"):
        if shape == "max_det":  # two sums that do not vanish: a covariance of two lags in three
            succeed("run", "context/design", *options, "--set", f"shape={shape}", "-o", "s")
        else:
            succeed("run", "context/design", *options, "--set", f"shape={shape}", "-o", "t")
        gamma = gf.load("s" if shape == "max_det" else "t")["gamma"].values
        assert np.trace(gamma) == pytest.approx(expected.diagonal_sums[0])
        assert np.linalg.eigvalsh(gamma)[0] > -1e-12


def test_a_simulation_stands_beside_the_design() -> None:
    name = settings(target="[0.4, 0.1]", beta=6, n=100, draws=4, steps=100, seed=5)
    found = ask("run", "context/design", *name, "-o", "v")["values"]
    assert found["simulation_agrees"]
    assert len(found["autocorrelation_simulated"]) == 3
    check = gf.design([0.4, 0.1], beta=6.0).verify(n=100, draws=4, steps=100, seed=5)
    assert np.allclose(check["autocorrelation_simulated"], found["autocorrelation_simulated"], atol=1e-12)
    assert len(verify_figure(check).axes) == 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "target is missing"),
        ({"target": "0.8^t"}, "'t'"),
        ({"target": "2*0.8^tau"}, "divide it by its value at 0"),
        ({"target": "gone.csv"}, "does not exist"),
        ({"target": "notes.txt"}, ".csv"),
        ({"target": "0.8^tau", "beta": "0"}, "beta"),
        ({"target": "0.8^tau", "context": "0"}, "context"),
        ({"target": "0.8^tau", "context": "100000"}, "context is 100000"),
        ({"target": "0.8^tau", "sigma": "0.2"}, "beta sets the noise"),
        ({"target": "0.8^tau", "variant": "spherical", "beta": "inf"}, "ages at zero temperature"),
        ({"target": "0.8^tau", "shape": "round"}, "shape"),
        ({"target": "0.8^tau", "shape": "[[1,0],[0,1]]", "context": "3"}, "K the context"),
        ({"target": "[0.5,0.2]", "lags": "7"}, "at most 2"),
    ],
)
def test_bad_input_is_one_sentence_and_nothing_is_written(options: dict[str, str], words: str) -> None:
    assert words in refuse("run", "context/design", *settings(**options), "-o", "out")

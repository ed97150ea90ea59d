"""`context/sample` from the command line: a corpus in the run directory, whatever stops or damages it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from command_line import ask, call, refuse, settings, succeed

import glassformer as gf
from glassformer._core._errors import StoreDamagedError
from glassformer.couplings._operators import TILE

SMALL = {"n": 12, "sequences": 40, "length": 30, "lags": 6}


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def sample(directory: str, *more: str, **given: object) -> dict[str, object]:
    return ask("run", "context/sample", *settings(**{**SMALL, **given}), "--seed", "3", "-o", directory, *more)


def kept(directory: str) -> dict[str, bytes]:
    files = {item.name: item.read_bytes() for item in Path(directory).iterdir() if item.is_file()}
    return {name: data for name, data in files.items() if name not in ("manifest.json", "events.jsonl")}


def test_a_corpus_stands_in_the_run_directory_with_its_numbers() -> None:
    answer = sample("c")
    corpus = gf.open_corpus("c").verify()
    assert corpus.tokens.shape == (40, 30, 12)
    assert {name: len(numbers) for name, numbers in corpus.splits.items()} == {"train": 32, "validation": 4, "test": 4}
    values = answer["values"]
    assert isinstance(values, dict)
    assert values["autocorrelation"] == corpus.record["c_empirical"]
    assert values["autocorrelation_theory"] == corpus.record["c_theory"]
    assert values["autocorrelation_theory"][1] == pytest.approx(0.2086600411, abs=1e-9)
    assert values["entropy_rate_theory"] == pytest.approx(0.3952428106, abs=1e-9)
    assert values["loss_floor"] == values["entropy_rate_exact"]  # 36 bits are too many to be listed
    assert values["entropy_production_per_spin_theory"] == pytest.approx(0.8713401966, abs=1e-9)
    assert values["q0"] == pytest.approx(1.7086668637, abs=1e-9)
    assert values["entropy_rate_exact"] == corpus.record["entropy_rate_exact"]
    assert values["entropy_production"] == pytest.approx(12 * values["entropy_production_per_spin"])
    assert values["entropy_rate_exact_error"] > 0
    files = json.loads(Path("c/manifest.json").read_text())["files"]
    for name in ("tokens.npy", "token_ids.npy", "couplings.npz", "theory.json", "corpus.json", "figure.png"):
        assert name in files, name
        if name in corpus.record["files"]:
            assert corpus.record["files"][name]["sha256"] == files[name]
    assert not Path("c/artifacts").exists()


def test_loss_floor_and_entropy_production_are_printed() -> None:
    out = succeed("run", "context/sample", *settings(**SMALL), "--seed", "3", "-o", "c").out
    assert re.search(r"entropy rate, teacher's loss +0\.395243 +0\.\d+ ± ", out)
    assert re.search(r"entropy production per spin +0\.871340 +0\.\d+ ± ", out)
    assert re.search(r"loss floor of this corpus +- +0\.\d+ ± ", out)
    assert "tokens.npy: int8 (40, 30, 12); sequences: train 32, validation 4, test 4; burn-in 30 steps" in out
    again = succeed("run", "context/sample", *settings(**SMALL), "--seed", "3", "-o", "c").out  # loaded, not computed
    assert "0.871340" in again


def test_a_small_sample_has_its_exact_numbers_beside_those_of_infinite_size() -> None:
    values = sample("c", n=3, beta=0.7)["values"]
    assert isinstance(values, dict)
    law = gf.LaggedGaussian([[0.6, 0.3, -0.1], [0.3, 0.5, 0.2], [-0.1, 0.2, 0.4]])
    model = gf.ExtendedContext(law.sample(n=3, seed=3))
    exact = gf.solve(model, gf.ExactContext(gf.TokenRule(beta=0.7), lags=6))
    assert np.allclose(values["autocorrelation_of_sample"], exact["autocorrelation"])
    assert values["loss_floor"] == values["entropy_rate_of_sample"] == float(exact["entropy_rate"])
    assert values["loss_floor"] != values["entropy_rate_theory"]


def test_jobs_do_not_change_a_byte() -> None:
    sample("one", sequences=2 * TILE + 1)
    sample("other", "--jobs", "2", sequences=2 * TILE + 1)
    assert kept("one") == kept("other")


@pytest.mark.parametrize("name", ["tokens.npy", "corpus.json"])
def test_a_damaged_file_is_found_by_status_and_verify_and_repaired_by_resume(name: str) -> None:
    sample("c")
    wanted = kept("c")
    path = Path("c") / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 2
    path.write_bytes(data)
    with pytest.raises(StoreDamagedError, match=name):
        gf.open_corpus("c").verify()
    outcome = call("status", "c")
    assert outcome.code == 1
    assert f"{name} does not match the checksum" in outcome.err
    succeed("resume", "c")
    assert kept("c") == wanted
    gf.open_corpus("c").verify()


@pytest.mark.parametrize(
    "given",
    [
        {"mode": "windows", "sequences": 64, "length": "none"},
        {"mode": "trajectory", "sequences": 1, "length": 800},
        {"variant": "gaussian", "gamma": "[[0.2,0.1],[0.1,0.2]]", "sigma": 0.5, "dtype": "float32"},
        {"variant": "spherical", "beta": 2.0},
        {"variant": "graded", "beta": 2.0},
        {"beta": "inf", "n": 30},
        {"structure": "fast_transform", "n": 64},
        {"rank_one": "[0.9,0.3]", "field": 0.2, "mean": "[0.3,0.1]"},
        {"transpose_gamma": "[[0.1,0.0],[0.0,0.1]]", "gamma": "[[0.3,0.1],[0.1,0.3]]"},
    ],
)
def test_every_mode_rule_and_structure_makes_a_corpus_with_a_figure(given: dict[str, object]) -> None:
    given = {key: value for key, value in given.items() if value != "none"}
    if given.get("mode") == "windows":
        arguments = settings(**{"n": 12, "lags": 6, **given})
        answer = ask("run", "context/sample", *arguments, "--seed", "3", "-o", "c")
    else:
        answer = sample("c", **given)
    assert answer["status"] in ("ok", "too_short", "not_equilibrated")
    corpus = gf.open_corpus("c").verify()
    if given.get("dtype") == "float32":
        assert corpus.tokens.dtype == np.float32
    assert Path("c/figure.png").stat().st_size > 10_000
    values = answer["values"]
    assert isinstance(values, dict)
    if "autocorrelation_theory" in values:
        gap = np.array(values["autocorrelation"]) - values["autocorrelation_theory"]
        assert np.abs(gap).max() < 1.0 * max(1.0, values["autocorrelation"][0])


def test_couplings_from_a_file_make_a_corpus() -> None:
    np.save("J.npy", 0.3 * np.cos(np.arange(2 * 20 * 20)).reshape(2, 20, 20))
    answer = ask(
        "run", "context/sample", *settings(couplings="J.npy", sequences=5, length=20), "--seed", "1", "-o", "c"
    )  # fmt: skip
    assert np.array_equal(gf.open_corpus("c").couplings.matrices, np.load("J.npy"))
    assert "law of the couplings is not known" in answer["evidence"]["note"]


def test_a_transient_is_compared_with_its_own_theory_and_says_so() -> None:
    outcome = call(
        "run", "context/sample", *settings(**SMALL, variant="spherical", beta="inf", burn_in=4), "--seed", "1", "--json"
    )  # fmt: skip
    assert outcome.code == 0
    answer = outcome.json
    assert answer["status"] == "not_equilibrated"
    assert "No stationary state exists" in answer["evidence"]["note"]
    assert "autocorrelation_theory" in answer["values"]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"variant": "spherical", "beta": "inf"}, "burn_in is left out, but must be given for a corpus of a transient"),
        (
            {"variant": "gaussian", "gamma": "[[1.5]]"},
            "burn_in is left out, but must be given for a corpus of a transient",
        ),
        ({"mode": "trajectory", "sequences": 2}, "sequences is 2, but must be left out for mode=trajectory"),
        ({"splits": "[0.5,0.5]"}, "splits is .* three shares"),
        ({"length": 3}, "length is 3, but must be more than the context length 3"),
        ({"structure": "sparse"}, "degree"),
        ({"dtype": "float32"}, "two-valued tokens are int8"),
        ({"gamma": "[[1.0,2.0],[2.0,1.0]]"}, "positive semidefinite"),
        ({"n": 100_000_000}, "memory.*(fewer sites|lighter)"),
        (
            {"variant": "gaussian", "rank_one": "[0.8496454,0.1425386]", "n": 400},
            "spectral radius 1[.].*another seed, more sites or a smaller covariance",
        ),
    ],
)
def test_what_cannot_be_a_corpus_is_refused_and_leaves_nothing(given: dict[str, object], sentence: str) -> None:
    said = refuse("run", "context/sample", *settings(**{**SMALL, **given}), "--seed", "1", "-o", "c")
    assert re.search(sentence, said), said


def test_lags_beyond_a_sequence_are_left_out_with_a_note() -> None:
    answer = sample("c", length=20, lags=50)
    assert len(answer["values"]["autocorrelation"]) == 20
    assert "Lags above 19 were left out: a sequence has 20 tokens." in answer["evidence"]["note"]


def test_a_sample_far_from_infinite_size_says_so() -> None:
    cold = settings(variant="spherical", beta=20.0, n=100, sequences=6, length=30, lags=6)
    near = ask("run", "context/sample", *cold, "--seed", "1", "-o", "a")  # a draw that is
    gap = np.abs(np.subtract(near["values"]["autocorrelation"], near["values"]["autocorrelation_theory"]))
    assert gap.max() > 0.3
    assert "This sample is far from infinite size" in near["evidence"]["note"]
    assert "far from infinite size" not in sample("b", n=200)["evidence"]["note"]


def test_columns_never_run_together() -> None:
    gaussian = {"variant": "gaussian", "sigma": 1e4, "n": 6, "gamma": "[[0.2]]"}
    out = succeed("run", "context/sample", *settings(**{**SMALL, **gaussian}), "--seed", "3", "-o", "c").out
    for line in out.splitlines():
        if line.startswith(("autocorrelation", "q0", "loss", "entropy")):
            assert re.search(r"\S  +\S+  +\S+  +\S+( ± \S+)?$", line), line


def test_a_file_that_is_gone_is_called_missing() -> None:
    sample("c")
    Path("c/couplings.npz").unlink()
    outcome = call("status", "c")
    assert outcome.code == 1
    assert re.search(r"couplings\.npz +missing", outcome.out)
    assert "couplings.npz is missing" in outcome.err
    succeed("resume", "c")
    assert "missing" not in succeed("status", "c").out


def test_partially_symmetric_signs_warn_of_a_short_burn_in_and_say_that_no_theory_knows() -> None:
    law = {"gamma": "[[0.5,0.2],[0.2,0.3]]", "transpose_gamma": "[[0.5,0.2],[0.2,0.3]]", "beta": 2.0}
    short = call("run", "context/sample", *settings(**{**SMALL, **law, "burn_in": 20}), "--seed", "3", "--json")
    assert short.json["status"] == "not_equilibrated"
    assert "burn_in is 20: take at least 1000 steps" in short.err
    long = sample("b", **law)
    assert "No theory says how long this system needs" in long["evidence"]["note"]
    assert long["evidence"]["burn_in"] == 1000
    assert long["values"]["loss_floor"] == long["values"]["entropy_rate_exact"]


def test_a_sweep_makes_a_corpus_at_every_point() -> None:
    succeed("sweep", "context/sample", *settings(**SMALL, beta="[0.5,1.0]"), "--seed", "1", "-o", "s")
    found = [gf.open_corpus(point).verify() for point in sorted(Path("s/points").iterdir())]
    assert sorted(corpus.record["beta"] for corpus in found) == [0.5, 1.0]


def test_a_full_disk_is_told_before_anything_is_drawn_and_the_run_goes_on_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import errno
    import os

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    command = ("run", "context/sample", *settings(**SMALL), "--seed", "3", "-o", "c")
    with monkeypatch.context() as patch:
        patch.setattr(os, "posix_fallocate", full)
        outcome = call(*command)
    assert outcome.code == 2
    assert "no space is left on the device of c" in outcome.err
    assert not list(Path("c/artifacts").iterdir())
    succeed("resume", "c")
    sample("whole")
    assert kept("c") == kept("whole")

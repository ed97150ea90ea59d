"""Attention heads, contraction and the solvers of naive mean field from the command line: the same bits as from Python."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import ask, refuse, settings, succeed

import glassformer as gf

N, D, HEADS = 6, 12, 3


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))  # the command line adds the working directory
    draw = np.random.default_rng(4)
    np.save("x.npy", draw.normal(size=(N, D)))
    np.save("context.npy", draw.normal(size=(4, D)))
    np.save("q.npy", 0.5 * draw.normal(size=(D, D)))
    np.save("k.npy", 0.5 * draw.normal(size=(D, D // HEADS)))  # one key head for three
    np.save("bias.npy", draw.normal(size=D))
    np.save("mask.npy", np.tril(np.ones((N, N)), -1) + np.eye(N))
    np.save("couplings.npy", draw.normal(size=(N, N)) / N)
    np.save("fields.npy", draw.normal(size=(N, 4)))


LAYER: dict[str, Any] = {"law": "attention", "tokens": "x.npy", "query": "q.npy", "key": "k.npy", "heads": HEADS}


def test_a_layer_of_heads_is_written_head_by_head_and_read_by_other_runs() -> None:
    more = {"rotary": "true", "mask": "causal", "query_bias": "bias.npy", "field_law": "tokens"}
    answer = ask("run", "vector/couplings", *settings(**LAYER, **more), "--seed", "1", "-o", "all")
    models = gf.attention_models(
        np.load("x.npy"), np.load("q.npy"), key=np.load("k.npy"), heads=HEADS, rotary=True, mask="causal",
        query_bias=np.load("bias.npy"),
    )  # fmt: skip
    stored = gf.load("all")
    np.testing.assert_array_equal(stored["couplings"], np.stack([model.couplings for model in models]))
    np.testing.assert_array_equal(stored["fields"], np.stack([model.fields for model in models]))
    assert len(answer["values"]["symmetry"]) == HEADS
    assert {"su2021", "ainslie2023", "bal2026"} <= set(answer["evidence"]["citations"])
    for head, model in enumerate(models):
        folder = f"head-{head}"
        succeed("run", "vector/couplings", *settings(**LAYER, **more, head=head), "--seed", "1", "-o", folder)
        arrays = {"couplings": f"{folder}/result.nc:couplings", "fields": f"{folder}/result.nc:fields"}
        solved = ask("run", "vector/solve", *settings(**arrays, beta=1.5), "--no-figure")
        direct = gf.solve(model, gf.GramClosure(1.5))
        assert solved["values"]["entropy_production"] == float(direct["entropy_production"])
    sentence = refuse("run", "vector/solve", *settings(couplings="all/result.nc:couplings", dim=4, beta=1.0))
    assert "must be 2" in sentence


def test_a_context_adds_cross_couplings_and_the_field_of_spins_that_do_not_move() -> None:
    given = {**LAYER, "head": 1, "context": "context.npy", "field_law": "tokens", "strength": 0.5}
    succeed("run", "vector/couplings", *settings(**given), "--seed", "1", "-o", "a")
    stored = gf.load("a")
    cross = gf.attention_couplings(
        np.load("x.npy"), np.load("q.npy"), key=np.load("k.npy"), heads=HEADS, context=np.load("context.npy")
    )[1]
    np.testing.assert_array_equal(stored["cross_couplings"], cross)
    blocks = [np.load(f"{name}.npy")[:, 4:8] for name in ("x", "context")]
    x, c = (block / np.linalg.norm(block, axis=1, keepdims=True) for block in blocks)
    np.testing.assert_allclose(stored["fields"], 0.5 * x + cross @ c, rtol=1e-12)  # R = 1 at four components


def test_a_mask_may_be_a_file() -> None:
    for mask in ("causal", "mask.npy"):
        succeed("run", "vector/couplings", *settings(**LAYER, head=0, mask=mask), "--seed", "1", "-o", mask + ".d")
    np.testing.assert_array_equal(gf.load("causal.d")["couplings"], gf.load("mask.npy.d")["couplings"])


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"heads": 5}, "a divisor of 12"),
        ({"head": 3}, "below the number of heads, 3"),
        ({"rotary_base": 10.0}, "left out without rotary"),
        ({"mask": "x.npy"}, "a matrix of 0 and 1"),
        ({"mask": "strictly_causal"}, "fully masked"),
        ({"query_bias": "x.npy"}, "query_bias"),
        ({"context": "fields.npy"}, "like the tokens"),
        ({"field_law": "tokens", "dim": 7}, "the components of a block"),
        ({"law": "gaussian", "n": 5}, "left out for law=gaussian"),
    ],
)
def test_what_a_layer_cannot_be_is_refused(given: dict[str, Any], words: str) -> None:
    assert words in refuse("run", "vector/couplings", *settings(**{**LAYER, **given}))


def test_tokens_as_fields_need_tokens() -> None:
    sentence = refuse("run", "vector/couplings", *settings(law="softmax", n=5, field_law="tokens"))
    assert "it has no tokens" in sentence


def test_contraction_prints_what_the_function_returns() -> None:
    given = {"couplings": "couplings.npy", "fields": "fields.npy", "beta": 2.0}
    answer = ask("run", "vector/contraction", *settings(**given), "-o", "a")
    model = gf.VectorSpin(np.load("couplings.npy"), np.load("fields.npy"))
    direct = gf.contraction(model, 2.0)
    for name in (
        "spectral_radius",
        "jacobian_spectral_radius",
        "contraction_bound",
        "critical_beta",
        "instability_beta",
    ):
        assert answer["values"][name] == float(direct[name])
    assert answer["values"]["branches"] == int(direct["branches"])
    assert answer["values"]["certified"] is bool(direct["certified"])
    assert answer["values"]["verdict"] == str(direct["verdict"].values)
    assert answer["status"] == "converged"
    assert Path("a/figure.png").stat().st_size > 10_000
    values = np.array(answer["values"]["eigenvalue_real"]) + 1j * np.array(answer["values"]["eigenvalue_imag"])
    assert np.abs(values).max() == pytest.approx(answer["values"]["spectral_radius"])
    large = ask("run", "vector/contraction", *settings(**given, response="large_d", starts=0), "--no-figure")
    assert large["values"]["contraction_bound"] == pytest.approx(2 * answer["values"]["contraction_bound"])  # D/(D-2)
    assert "radius" in refuse("run", "vector/contraction", *settings(couplings="couplings.npy", dim=2, beta=1.0))


def test_the_verdict_of_contraction_is_printed_once() -> None:
    given = {"couplings": "couplings.npy", "fields": "fields.npy", "beta": 2.0}
    text = " ".join(succeed("run", "vector/contraction", *settings(**given), "--no-figure").out.split())
    assert text.count("ertified: rho") + text.count("ertified (rho") == 1
    assert "verdict" not in text
    assert "contraction_bound" in text


@pytest.mark.parametrize("solver", ["picard", "anderson", "forward"])
def test_the_solver_of_naive_mean_field_can_be_chosen(solver: str) -> None:
    np.save("causal.npy", np.tril(np.load("couplings.npy")))
    given = {"couplings": "causal.npy", "fields": "fields.npy", "beta": 2.0, "method": "nmf", "solver": solver}
    answer = ask("run", "vector/solve", *settings(**given), "--no-figure")
    model = gf.VectorSpin(np.load("causal.npy"), np.load("fields.npy"))
    direct = gf.solve(model, gf.NaiveMeanField(2.0, solver=solver))
    assert answer["values"]["entropy_production"] == float(direct["entropy_production"])
    assert answer["evidence"]["solver"] == solver


def test_a_solver_that_does_not_apply_is_refused() -> None:
    given = {"couplings": "couplings.npy", "fields": "fields.npy", "beta": 2.0}
    sentence = refuse("run", "vector/solve", *settings(**given, method="nmf", solver="forward"))
    assert "have a loop" in sentence
    assert "method=nmf" in refuse("run", "vector/solve", *settings(**given, method="gram", solver="picard"))
    assert "'picard' for a transient" in refuse(
        "run", "vector/solve", *settings(**given, method="nmf", solver="anderson", steps=3)
    )

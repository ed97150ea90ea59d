"""`vector/ground-state` from the command line: the numbers of `solve`, the picture, what is refused."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import pytest
from command_line import ask, call, refuse, settings, succeed

import glassformer as gf
from glassformer.plotting.ground_state import ground_state_figure


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    np.save("J.npy", gf.SherringtonKirkpatrick().sample(n=30, seed=1))
    np.savetxt("x.csv", gf.sphere_fields(30, dim=4, seed=2, radius=1.7), delimiter=",")


def test_the_answer_is_that_of_solve():
    given = settings(couplings="J.npy", fields="x.csv", radius=1.7, descents=5, seed=3)
    answer = ask("run", "vector/ground-state", *given)
    model = gf.VectorSpin(np.load("J.npy"), np.loadtxt("x.csv", delimiter=","), radius=1.7)
    found = gf.solve(model, gf.GroundState(5, seed=3))
    values = answer["values"]
    assert answer["status"] == "converged"
    for name in ("energy", "energy_per_site_r2", "energy_lower_bound", "gram_rank", "descents_agreeing", "overlap_rms"):
        assert values[name] == pytest.approx(float(found[name]), rel=1e-12)
    for name in ("gram_eigenvalues", "energies", "last_move", "sweeps"):
        np.testing.assert_allclose(values[name], found[name], rtol=1e-12)
    assert answer["evidence"]["note"] == found.attrs["note"]
    stored = gf.load(answer["directory"])
    assert np.array_equal(stored["spins"], found["spins"])
    assert (Path(answer["directory"]) / "figure.png").stat().st_size > 10_000


def test_the_table_is_for_a_reader_and_one_descent_has_a_picture_too():
    given = settings(couplings="J.npy", dim=12, descents=1, seed=3)
    text = succeed("run", "vector/ground-state", *given).out
    assert "1 of 1" in text
    assert re.search(r"^rank of the Gram matrix    \d+, at most 7 expected without fields$", text, re.MULTILINE)


@pytest.mark.parametrize(("dim", "certified"), [(1, "no"), (12, "yes, it is the global minimum")])
def test_the_table_has_the_certificate_and_the_bound_in_the_units_of_the_energy(dim, certified):
    given = settings(couplings="J.npy", dim=dim, radius=1.7, descents=6, seed=3)
    text = succeed("run", "vector/ground-state", *given, "-o", "g").out
    found = gf.load("g")
    energy, bound = (
        float(re.search(rf"^{words} +(-[0-9.]+)", text, re.MULTILINE)[1])
        for words in (r"energy per spin over R\^2", "no state is below")
    )
    assert energy == pytest.approx(float(found["energy"]) / 1.7**2, abs=1e-8)
    assert bound == pytest.approx(float(found["energy_lower_bound"]) / 1.7**2, abs=1e-8)
    assert bound == pytest.approx(float(found["energy_lower_bound_per_site_r2"]), abs=1e-8)
    assert bound <= energy
    assert re.search(rf"^certified +{certified}$", text, re.MULTILINE)
    figure = ground_state_figure(found)
    for ax in figure.axes[:2]:
        low, high = ax.get_xlim()
        ticks = [tick for tick in ax.get_xticks() if low <= tick <= high]
        assert 1 <= len(ticks) <= 8
        assert all(tick == int(tick) for tick in ticks)
    assert figure.legends
    assert figure.axes[2].get_legend() is None  # it would lie on the data


def test_one_descent_notes_what_is_expected():
    given = settings(couplings="J.npy", dim=12, descents=1, seed=3)
    text = succeed("run", "vector/ground-state", *given).out
    assert "D(D+1)/2 = 78 > N = 30" in text


def test_what_has_no_ground_state_is_refused_and_what_has_not_settled_fails():
    np.save("A.npy", gf.Asymmetric().sample(n=6, seed=1))
    assert "symmetric" in refuse("run", "vector/ground-state", *settings(couplings="A.npy", dim=3))
    assert "descents" in refuse("run", "vector/ground-state", *settings(couplings="J.npy", dim=3, descents=0))
    slow = call("run", "vector/ground-state", *settings(couplings="J.npy", dim=12, max_sweeps=3), "--no-figure")
    assert slow.code == 1
    assert "tolerance" in slow.err

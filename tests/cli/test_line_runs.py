"""Phase lines from the command line: numbers, units, figures, and what is refused."""

from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np
import pytest
from command_line import ask, call, refuse, settings, succeed

import glassformer as gf
from glassformer.plotting.phases import at_line_figure, gabay_toulouse_figure


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def values(name: str, **given: object) -> dict[str, float]:
    return dict(ask("run", name, *settings(**given))["values"])


@pytest.mark.parametrize("field", ["gaussian", "sphere", "fixed"])
@pytest.mark.parametrize(("dim", "radius"), [(3, "bal"), (3, "sqrt_d"), (1, "unit"), (6, 2.2)])
def test_a_point_of_the_line_is_a_number_and_that_of_python(dim: int, radius: object, field: str) -> None:
    law = {"gaussian": "gaussian", "sphere": "sphere", "fixed": "sphere"}[field]
    glass = gf.VectorGlass(gf.SherringtonKirkpatrick(scale=1.3), dim=dim, radius=radius, field_law=law)
    t = 0.4 * glass.critical_temperature
    found = values("vector/at-line", dim=dim, radius=radius, coupling=1.3, field=field, temperature=t)
    expected = gf.solve(glass, gf.AlmeidaThouless(t))
    for name in ("field", "field_per_site", "overlap", "overlap_normalized", "critical_temperature"):
        assert found[name] == float(expected[name])
    assert found["field_per_site"] == pytest.approx(math.sqrt(dim) * found["field"], rel=1e-14)


def test_a_whole_line_has_a_figure() -> None:
    answer = ask("run", "vector/at-line", *settings(dim=3, radius="sqrt_d", temperature="0.05:0.95:50"), "-o", "line")
    line = answer["values"]
    assert np.allclose(line["temperature"], np.linspace(0.05, 0.95, 50))
    assert (np.diff(line["field"]) < 0).all()
    assert Path("line/figure.png").stat().st_size > 10_000
    middle = int(np.argmin(np.abs(np.array(line["temperature"]) - 0.5)))
    nearest = values("vector/at-line", dim=3, radius="sqrt_d", temperature=line["temperature"][middle])
    assert line["field"][middle] == nearest["field"]
    whole = values("vector/at-line", dim=32)
    assert whole["field_per_site"][0] == pytest.approx(1 / math.sqrt(2), rel=1e-12)  # T = 0, any D
    assert whole["field"][-1] == 0.0
    assert values("vector/at-line", dim=2, radius="unit")["temperature"][0] > 0.0


def test_bonds_that_count_twice_in_the_energy_are_a_stronger_coupling() -> None:
    once = values("vector/at-line", dim=4, temperature=0.1)
    twice = values("vector/at-line", dim=4, temperature=0.1 * math.sqrt(2), coupling=math.sqrt(2))
    assert twice["field"] == pytest.approx(math.sqrt(2) * once["field"], rel=1e-10)


def test_the_crossing_in_a_uniform_field() -> None:
    glass = gf.VectorGlass(dim=3, radius="sqrt_d", field_law="uniform")
    found = values("vector/gabay-toulouse", dim=3, radius="sqrt_d", field=0.5)
    assert found["temperature"] == float(gf.solve(glass, gf.GabayToulouse(0.5)).temperature)
    assert found["temperature"] == pytest.approx(0.9657, abs=5e-5)
    assert found["field"] == 0.5
    assert found["field_per_component"] == pytest.approx(0.5 / math.sqrt(3))
    several = values("vector/gabay-toulouse", dim=3, radius="sqrt_d", field="[0, 0.5, 1]")
    assert several["temperature"][0] == pytest.approx(1.0)
    assert several["temperature"][1] == found["temperature"]
    assert several["field"] == [0, 0.5, 1]


def test_the_ising_line_both_ways() -> None:
    at = values("sk/at-line", temperature=0.5)
    assert at["field"] == pytest.approx(0.5699, abs=5e-5)
    assert at["coupling_mean"] == pytest.approx(1.2204, abs=5e-5)
    assert at["coupling_mean"] * at["magnetization"] == pytest.approx(at["field"], rel=1e-12)
    back = values("sk/at-line", coupling_mean=at["coupling_mean"])
    for name in ("temperature", "field", "magnetization", "overlap"):
        assert back[name] == pytest.approx(at[name], rel=1e-9)
    scaled = values("sk/at-line", temperature=1.0, coupling=2.0)
    assert scaled["field"] == pytest.approx(2 * at["field"], rel=1e-10)
    means = values("sk/at-line", coupling_mean="[1, 1.1, 1.5]")
    assert means["coupling_mean"] == [1, 1.1, 1.5]
    assert means["temperature"][0] == 1.0
    assert (np.diff(means["temperature"]) < 0).all()
    assert len(values("sk/at-line")["field"]) == 50


@pytest.mark.parametrize("field", [0.02, 0.9, 2.7])
def test_a_field_gives_the_temperature_of_the_ising_line(field: float) -> None:
    glass = gf.VectorGlass(gf.SherringtonKirkpatrick(scale=1.4), dim=1, radius="unit", field_law="uniform", field=field)
    found = values("sk/at-line", field=field, coupling=1.4)
    expected = gf.solve(glass, gf.AlmeidaThouless())
    for name in ("temperature", "field", "overlap", "magnetization", "coupling_mean"):
        assert found[name] == float(expected[name])
    back = values("sk/at-line", temperature=found["temperature"], coupling=1.4)
    assert back["field"] == pytest.approx(field, rel=1e-8)
    several = values("sk/at-line", field=f"[0, {field}]", coupling=1.4)
    assert several["field"] == [0, field]
    assert several["temperature"] == [1.4, found["temperature"]]


def test_titles_say_which_field_and_what_the_grey_line_is() -> None:
    for field, words in (
        ("gaussian", "Gaussian field"),
        ("fixed", "field of fixed length"),
        ("sphere", "fixed length"),
    ):
        line = gf.run("vector/at-line", dim=3, field=field, temperature=(0.05, 0.1))
        assert words in at_line_figure(line).axes[0].get_title("left")
    crossing = gf.run("vector/gabay-toulouse", dim=3, field=(0.1, 0.2))
    assert any("T_c" in text.get_text() for text in gabay_toulouse_figure(crossing).axes[0].texts)


def test_the_symmetric_solution_says_where_it_breaks() -> None:
    glass = gf.VectorGlass(dim=4, field_law="sphere", field=0.3)
    found = values("vector/replica-symmetric", dim=4, field_law="sphere", field=0.3, beta=2.0)
    expected = gf.solve(glass, gf.ReplicaSymmetric(2.0))
    for name in expected.data_vars:
        assert found[name] == float(expected[name])
    assert found["field_per_site"] == pytest.approx(0.6)
    same = values("vector/replica-symmetric", dim=4, field_law="fixed", field=0.3, temperature=0.5)
    assert same["overlap"] == found["overlap"]
    cold = call("run", "vector/replica-symmetric", *settings(dim=4, temperature="0.02:0.5:9"), "-o", "cold")
    assert cold.code == 0
    assert "outside the range" in cold.err
    assert "the replicon is negative" in cold.out
    assert Path("cold/figure.png").stat().st_size > 10_000


def test_a_ferromagnet_from_the_command_line() -> None:
    found = values(
        "vector/replica-symmetric",
        dim=1,
        radius="unit",
        coupling_mean=1.5,
        field_law="uniform",
        field=0.1,
        temperature=0.9,
    )
    assert 0.5 < found["magnetization"] < 1.0


@pytest.mark.parametrize(
    ("name", "given", "piece"),
    [
        ("vector/at-line", {"dim": 3, "temperature": 0.2}, "at most T_c = J R^2 / D = 0.166667"),
        ("vector/at-line", {"dim": 3, "temperature": "[0.1, 0.2]"}, "at most T_c"),
        ("vector/at-line", {"dim": 3, "temperature": -0.1}, "temperature is -0.1"),
        ("vector/at-line", {"dim": 2, "temperature": 0.1}, "at least 3 for radius='bal'"),
        ("vector/at-line", {"dim": 2, "radius": "unit", "temperature": 0}, "infinite field"),
        ("vector/at-line", {"dim": 3, "coupling": 0}, "coupling"),
        ("vector/at-line", {"dim": 3, "field": "uniform"}, "field"),
        ("vector/at-line", {"dim": 0}, "dim"),
        ("vector/at-line", {"dim": 3, "temperature": "nan"}, "temperature"),
        ("vector/gabay-toulouse", {"dim": 1, "radius": "unit", "field": 0.1}, "dim"),
        ("vector/gabay-toulouse", {"dim": 3, "field": -1}, "field"),
        ("vector/gabay-toulouse", {"dim": 3, "field": 100}, "at most 7 J R"),
        ("vector/replica-symmetric", {"dim": 3}, "pass one of temperature=, beta="),
        ("vector/replica-symmetric", {"dim": 3, "beta": 1, "temperature": 1}, "pass one of temperature=, beta="),
        ("vector/replica-symmetric", {"dim": 3, "temperature": 0}, "a number > 0"),
        (
            "vector/replica-symmetric",
            {"dim": 3, "beta": 1, "coupling_mean": 0.5},
            "a mean of the couplings needs dim=1",
        ),
        ("sk/at-line", {"coupling_mean": 0.9}, "there is no ferromagnet"),
        ("sk/at-line", {"coupling_mean": 1.5, "temperature": 0.5}, "each follows from the other"),
        ("sk/at-line", {"field": 0.5, "temperature": 0.5}, "field is 0.5, but must be left out when temperature"),
        ("sk/at-line", {"field": 0.5, "coupling_mean": 1.5}, "field is 0.5, but must be left out when coupling_mean"),
        ("sk/at-line", {"field": -0.1}, "field is -0.1, but must be a number >= 0"),
        ("sk/at-line", {"field": 1000}, "the line is below"),
        ("sk/at-line", {"temperature": 1.2}, "at most T_c"),
        ("sk/at-line", {"temperature": 0}, "infinite field"),
    ],
)
def test_what_has_no_answer_is_refused_before_anything_is_written(
    name: str, given: dict[str, object], piece: str
) -> None:
    assert piece in refuse("run", name, *settings(**given), "-o", "nothing")
    assert os.listdir() == []


def test_a_sweep_over_dimensions() -> None:
    succeed(
        "sweep",
        "vector/at-line",
        *settings(radius="sqrt_d", temperature=0.5),
        "--grid",
        "dim=[2,3,10,32]",
        "-o",
        "sweep",
    )
    found = gf.load("sweep")
    assert found["field"].dims == ("dim",)
    assert np.allclose(found["field"], [0.4085, 0.3177, 0.1578, 0.0849], atol=6e-5)

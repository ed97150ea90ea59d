"""Every command, end to end: what it prints, what it writes, and the code it leaves with."""

from __future__ import annotations

import base64
import csv
import dataclasses
import io
import json
import math
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import toy_runs
import xarray as xr
from command_line import ask, call, everything, refuse, settings, succeed

import glassformer as gf
from glassformer.cli import _progress
from glassformer.sweeps import inspect_directory
from glassformer.sweeps._registry import NAMES
from glassformer.sweeps._spec import RunSpec

COMMANDS = ["list", "show", "run", "sweep", "status", "resume", "plot", "report", "export", "cite", "doctor"]
TOY, DRAWN, RICH = "toy_runs:TOY", "toy_runs:DRAWN", "toy_runs:RICH"


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))  # the command line adds the working directory


def toy(directory: str, *more: str, name: str = TOY) -> dict[str, Any]:
    return ask("run", name, "--seed", "3", "-o", directory, *more)


def toy_sweep(directory: str, *more: str) -> dict[str, Any]:
    axes = settings(beta="0.1:10:log3", method='["nmf", "tap"]')
    return ask("sweep", TOY, *axes, "--seed", "3", "-o", directory, *more)


# ---------------------------------------------------------------- help


def test_without_a_command_the_help_lists_every_command() -> None:
    out = succeed().out
    assert [name for name in COMMANDS if not re.search(rf"│ {name} +\w", out)] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_and_can_answer_in_json(command: str) -> None:
    out = succeed(command, "--help").out
    assert f"glassformer {command}" in out or f"{command} [OPTIONS]" in out
    assert "--json" in out


# ---------------------------------------------------------------- list, show


def test_list_shows_every_run_and_what_to_type_next() -> None:
    out = succeed("list").out
    assert all(re.search(rf"^ {re.escape(name)} +\w", out, re.MULTILINE) for name in NAMES)
    assert out.splitlines()[-1].startswith("next: glassformer show ")
    assert [run["name"] for run in ask("list")["runs"]] == list(NAMES)


@pytest.mark.parametrize("name", list(NAMES))
def test_show_describes_every_setting_of_every_run(name: str) -> None:
    from glassformer.sweeps._registry import find

    spec = find(name)
    answer = ask("show", name)
    assert [field["key"] for field in answer["settings"]] == list(spec.config.model_fields)
    assert all(field["meaning"] and field["takes"] for field in answer["settings"])
    assert set(answer["scales"]) == set(spec.scales)
    assert answer["citations"]
    out = succeed("show", name).out
    assert out.startswith(f"{name}: {spec.summary}\n")
    assert all(key in out for key in spec.config.model_fields)
    assert out.splitlines()[-1] == f"next: glassformer run {name}"


def test_show_tells_scales_expected_numbers_and_notes() -> None:
    out = succeed("show", TOY).out
    assert "--scale quick: n = 4" in out
    assert "--scale paper: n = 32" in out
    assert re.search(r"energy +1e\+09 ± 1 +paper", out)
    assert "The toy differs from nothing." in out
    assert "A few numbers that depend on every setting." in out
    seed = next(field for field in ask("show", TOY)["settings"] if field["key"] == "seed")
    assert seed["drawn"] is True


# ---------------------------------------------------------------- run


def test_run_prints_one_object_of_the_agreed_form() -> None:
    answer = toy("a", *settings(beta=2, couplings="[[0.0, 1.0], [1.0, 0.0]]"))
    assert list(answer) == ["name", "status", "parameters", "values", "evidence", "directory"]
    assert (answer["name"], answer["status"], answer["directory"]) == (TOY, "ok", "a")
    assert list(answer["parameters"]) == list(toy_runs.ToyConfig.model_fields)
    assert answer["parameters"]["beta"] == 2.0
    assert answer["parameters"]["couplings"]["shape"] == [2, 2]
    assert set(answer["values"]) == {"magnetization", "energy", "label", "undefined", "piece", "solver_wall_time"}
    assert len(answer["values"]["magnetization"]) == 4
    assert answer["values"]["undefined"] is None  # NaN is not JSON
    evidence = answer["evidence"]
    assert evidence["status_sentence"] == "The computation finished."
    assert evidence["citations"] == ["honkoop2025", "stanley1968"]
    assert evidence["seed"] == 3
    assert evidence["wall_time"] > 0
    assert {"numpy", "glassformer"} <= set(evidence["versions"])


def test_vectors_are_printed_up_to_64_entries() -> None:
    assert len(toy("a", *settings(n=64))["values"]["magnetization"]) == 64
    assert "magnetization" not in toy("b", *settings(n=65))["values"]
    assert gf.load("b").sizes["site"] == 65


def test_run_prints_a_table_the_seed_the_place_and_the_next_command() -> None:
    out = succeed("run", TOY, "--seed", "3", "-o", "a").out
    lines = out.splitlines()
    assert lines[0].startswith(f"{TOY}: ok")
    energy = float(gf.load("a")["energy"])
    assert re.search(rf"^ energy +{re.escape(f'{energy:.6g}')}", out, re.MULTILINE)
    assert re.search(r"^ undefined +undefined", out, re.MULTILINE)
    assert lines[-3:] == ["seed 3", "stored in a", "next: glassformer report a, or glassformer export a"]
    drawn = succeed("run", DRAWN, "--seed", "3", "-o", "b").out
    assert drawn.splitlines()[-1] == f"next: open {Path('b/figure.png')}, or glassformer report b"


def test_the_same_command_loads_what_it_computed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TOY_LOG", str(tmp_path / "log"))
    first = toy("a")
    assert toy("a") == first
    assert len(Path("log").read_text().splitlines()) == 1


def test_a_seed_that_was_left_out_is_drawn_printed_and_stored() -> None:
    answers = [ask("run", TOY) for _ in range(2)]
    seeds = [answer["parameters"]["seed"] for answer in answers]
    assert seeds[0] != seeds[1]
    again = ask("run", TOY, "--seed", str(seeds[0]))
    assert again["values"] == answers[0]["values"]
    assert again["directory"] == answers[0]["directory"]


def test_scales_are_settings_to_start_from() -> None:
    assert toy("quick")["parameters"]["n"] == 4
    assert toy("paper", "--scale", "paper")["parameters"]["n"] == 32
    assert toy("both", "--scale", "paper", *settings(n=5))["parameters"]["n"] == 5


def test_a_file_is_a_run_with_paths_of_its_own() -> None:
    Path("folder").mkdir()
    np.save("folder/J.npy", np.eye(3))
    np.save("J.npy", np.ones((3, 3)))
    Path("folder/my.toml").write_text(f'run = "{TOY}"\nseed = 3\nbeta = 2.0\ncouplings = "J.npy"\n')
    answer = ask("run", "folder/my.toml", "-o", "a")
    np.testing.assert_array_equal(np.load("a/inputs/couplings.npy"), np.eye(3))
    assert answer["parameters"]["beta"] == 2.0
    other = ask("run", "folder/my.toml", *settings(beta=3.0, couplings="J.npy"), "-o", "b")
    np.testing.assert_array_equal(np.load("b/inputs/couplings.npy"), np.ones((3, 3)))
    assert other["parameters"]["beta"] == 3.0
    assert ask("run", "a/config.toml", "-o", "c")["values"]["energy"] == answer["values"]["energy"]


def test_no_figure_draws_none() -> None:
    toy("with", name=DRAWN)
    toy("without", "--no-figure", name=DRAWN)
    assert Path("with/figure.png").read_bytes().startswith(b"\x89PNG")
    assert not Path("without/figure.png").exists()


def test_parts_are_spread_over_processes_to_the_same_bytes() -> None:
    many = settings(pieces=3)
    toy("one", *many, name="toy_runs:PIECES")
    toy("two", *many, "--jobs", "2", name="toy_runs:PIECES")
    assert Path("one/result.nc").read_bytes() == Path("two/result.nc").read_bytes()


@pytest.mark.parametrize(
    ("key", "typed", "meant"),
    [
        ("extended", "inf", "inf"),
        ("extended", "-inf", "-inf"),
        ("real", "1e-3", 0.001),
        ("real", ".5", 0.5),
        ("real", "2", 2.0),
        ("count", "1_000", 1000),
        ("flag", "true", True),
        ("flag", "False", False),
        ("word", "hello", "hello"),
        ("word", '"two words"', "two words"),
        ("choice", "y", "y"),
        ("maybe", "none", None),
        ("numbers", "[1, 2.5]", [1.0, 2.5]),
        ("numbers", "0:1:lin3", [0.0, 0.5, 1.0]),
        ("betas", "1:100:log3", [1.0, 10.0, 100.0]),
        ("pair", "[3, 0.5]", [3, 0.5]),
        ("table", "{a = 1.0, b = 2.0}", {"a": 1.0, "b": 2.0}),
        ("couplings", "random", "random"),
        ("vector", "[1, 2]", {"shape": [2]}),
        ("couplings", "[[0.5, 0.4], [0.4, 0.5]]", {"shape": [2, 2]}),
    ],
)
def test_settings_mean_what_they_look_like(key: str, typed: str, meant: object) -> None:
    found = ask("run", RICH, "--set", f"{key}={typed}", "-o", "a")["parameters"][key]
    if isinstance(meant, dict) and "shape" in meant:
        found.pop("sha256")
    assert found == meant
    assert type(found) is type(meant)


def test_a_dotted_key_reaches_into_a_table_and_the_last_setting_wins() -> None:
    answer = ask("run", RICH, "--set", "law.scale=2", "--set", "law.kind=peaked", "--set", "law.scale=3", "-o", "a")
    assert answer["parameters"]["law"] == {"kind": "peaked", "scale": 3.0, "weights": "none"}


def test_the_inverse_temperature_may_be_infinite_and_comes_back_as_such() -> None:
    assert toy("a", *settings(beta="inf"))["parameters"]["beta"] == "inf"
    assert tuple(gf.run(TOY, seed=3, beta=math.inf, directory="a").sizes) == ("site",)
    swept = ask("sweep", TOY, *settings(beta="[1.0, inf]"), "--seed", "3", "-o", "s")
    assert swept["parameters"]["grid"]["beta"] == [1.0, "inf"]


# ---------------------------------------------------------------- sweep


def test_a_sweep_over_ranges_is_one_answer_with_the_grid_as_dimensions() -> None:
    answer = toy_sweep("s")
    assert list(answer) == ["name", "status", "parameters", "points", "failed", "values", "evidence", "directory"]
    assert answer["parameters"]["grid"] == {"beta": [0.1, 1.0, 10.0], "method": ["nmf", "tap"]}
    assert answer["points"] == {"done": 6}
    assert answer["failed"] == []
    whole = gf.load("s")
    assert whole["energy"].dims == ("beta", "method")
    alone = toy("alone", *settings(beta=10.0, method="tap"))["values"]["energy"]
    assert float(whole["energy"].sel({"beta": 10.0, "method": "tap"})) == alone
    assert succeed("sweep", TOY, *settings(beta="0.1:10:log3"), "--seed", "3", "-o", "t").out.splitlines() == [
        "t: 3 points (3 done).",
        "next: glassformer plot t",
    ]


def test_a_field_that_takes_a_list_becomes_an_axis_with_grid() -> None:
    answer = ask("sweep", RICH, "--grid", "numbers=[[1.0], [1.0, 2.0]]", *settings(real="[1, 2]"), "-o", "s")
    assert answer["parameters"]["grid"] == {"numbers": [[1.0], [1.0, 2.0]], "real": [1.0, 2.0]}
    assert answer["points"] == {"done": 4}


def test_a_study_file_is_a_sweep() -> None:
    Path("study.toml").write_text(f'run = "{TOY}"\n[set]\nseed = 3\n[grid]\nbeta = "0.1:10:log3"\n')
    assert ask("sweep", "study.toml", "-o", "s")["points"] == {"done": 3}
    assert ask("sweep", "study.toml", *settings(beta="[1, 2]"), "-o", "t")["points"] == {"done": 2}


def test_points_that_fail_are_listed_and_the_exit_code_is_1() -> None:
    axes = settings(beta="[0.5, 1.0, 2.0]", trouble="diverge")
    outcome = call("sweep", TOY, *axes, "--seed", "3", "-o", "s", "--json")
    assert outcome.code == 1
    assert outcome.err == "Error: 2 of 3 points failed; the first is point 1 (beta = 1.0): the toy ran away.\n"
    assert [point["beta"] for point in outcome.json["failed"]] == [1.0, 2.0]
    assert outcome.json["points"] == {"done": 1, "failed": 2}
    table = call("sweep", TOY, *axes, "--seed", "3", "-o", "s").out
    assert re.search(r"^ 2 +beta = 2\.0 +error +the toy ran away\.", table, re.MULTILINE)
    assert call("status", "s").code == 1
    assert call("resume", "s").code == 1


def test_a_queue_gets_a_script_and_nothing_is_computed() -> None:
    answer = toy_sweep("s", "--executor", "slurm", "--time", "00:10:00")
    assert answer["status"] == "prepared"
    assert "#SBATCH --time=00:10:00" in Path("s/submit.sh").read_text()
    assert ask("status", "s")["counts"] == {"unfinished": 6}
    out = succeed("sweep", TOY, *settings(beta="[1, 2]"), "--seed", "3", "-o", "t", "--executor", "slurm").out
    assert "sbatch t/submit.sh" in out


# ---------------------------------------------------------------- status, resume


def test_status_knows_done_unfinished_and_damaged_runs() -> None:
    toy("a")
    answer = ask("status", "a")
    assert (answer["kind"], answer["state"], answer["status"], answer["name"]) == ("run", "done", "ok", TOY)
    assert answer["files"] == {"config.toml": "verified", "events.jsonl": "verified", "result.nc": "verified"}
    assert answer["timings"]["wall_time"] > 0
    assert succeed("status", "a").out.splitlines()[-1] == "next: glassformer plot a"
    Path("a/result.nc").write_bytes(Path("a/result.nc").read_bytes()[:-1])
    damaged = call("status", "a", "--json")
    assert damaged.code == 1
    assert damaged.json["state"] == "damaged"
    assert damaged.json["files"]["result.nc"] == "damaged"
    assert damaged.err == f"Error: {damaged.json['sentence']}\n"
    assert "result.nc does not match the checksum" in damaged.json["sentence"]
    assert call("status", "a").out.splitlines()[-1] == "next: glassformer resume a"
    Path("a/manifest.json").unlink()
    assert ask("status", "a")["state"] == "unfinished"


def test_resume_repairs_what_status_found() -> None:
    good = toy("a")
    number = Path("a/result.nc").read_bytes()
    Path("a/result.nc").write_bytes(number[:100])
    assert call("status", "a").code == 1
    again = ask("resume", "a")
    assert again["values"]["energy"] == good["values"]["energy"]
    assert Path("a/result.nc").read_bytes() == number
    assert ask("status", "a")["state"] == "done"
    assert ask("resume", "a") == again  # and once more changes nothing


def test_status_and_resume_of_a_sweep_work_point_by_point() -> None:
    toy_sweep("s", "--executor", "slurm")
    assert ask("resume", "s", "--point", "4")["points"] == {"done": 1, "unfinished": 5}
    out = succeed("resume", "s", "--point", "0:2").out
    assert out.splitlines() == ["2 of 2 points of s done.", "next: glassformer status s"]
    answer = ask("status", "s")
    assert (answer["kind"], answer["state"]) == ("sweep", "unfinished")
    assert [point["state"] == "done" for point in answer["points"]] == [True, True, False, False, True, False]
    assert answer["points"][4]["values"] == {"beta": 10.0, "method": "nmf"}
    table = succeed("status", "s").out
    assert re.search(r"^ 2 +1 +nmf +unfinished +not begun", table, re.MULTILINE)
    assert table.splitlines()[-1] == "next: glassformer resume s"
    assert ask("resume", "s")["points"] == {"done": 6}
    point = next(Path("s/points").iterdir())
    (point / "result.nc").write_bytes(b"")
    assert call("status", "s").code == 1
    assert ask("resume", "s")["status"] == "done"
    assert ask("status", point.as_posix())["state"] == "done"


def test_status_of_a_folder_lists_the_runs_in_it() -> None:
    toy("runs/a")
    toy_sweep("runs/s")
    Path("runs/notes").mkdir()
    answer = ask("status", "runs")
    assert [(run["directory"], run["state"]) for run in answer["runs"]] == [("a", "done"), ("s", "done")]
    Path("runs/a/config.toml").write_text("")
    assert call("status", "runs").code == 1


# ---------------------------------------------------------------- plot, report


@pytest.mark.parametrize(("suffix", "mark"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_plot_writes_the_format_that_the_name_says(suffix: str, mark: bytes) -> None:
    toy("a", "--no-figure", name=DRAWN)
    before = everything(Path("a"))
    assert ask("plot", "a", "-o", f"below/x.{suffix}")["figures"] == [f"below/x.{suffix}"]
    assert Path(f"below/x.{suffix}").read_bytes().startswith(mark)
    assert everything(Path("a")) == before


def test_plot_adds_the_figure_to_the_directory_and_vouches_for_it() -> None:
    toy("with", name=DRAWN)
    toy("later", "--no-figure", name=DRAWN)
    assert ask("plot", "later")["figures"] == ["later/figure.png", "later/figure.svg"]
    for name in ("figure.png", "figure.svg", "result.nc"):
        assert Path("later", name).read_bytes() == Path("with", name).read_bytes(), name
    assert ask("status", "later")["files"]["figure.svg"] == "verified"


def test_what_has_no_figure_of_its_own_is_drawn_as_curves() -> None:
    toy("a")
    toy_sweep("s")
    for directory in ("a", "s"):
        out = succeed("plot", directory).out
        assert out.splitlines() == [
            f"drawn: {directory}/figure.png and {directory}/figure.svg",
            f"next: glassformer report {directory}",
        ]
        assert inspect_directory(directory).state == "done"
    chosen = ask("plot", "s", "--variable", "energy", "-o", "energy.svg")
    assert chosen["figures"] == ["energy.svg"]
    assert Path("energy.svg").read_bytes() != Path("s/figure.svg").read_bytes()


def test_a_report_is_one_page_that_needs_nothing_else() -> None:
    toy("a", *settings(beta=2.5), name=DRAWN)
    assert ask("report", "a")["file"] == "a.html"
    page = Path("a.html").read_text()
    assert base64.b64encode(Path("a/figure.png").read_bytes()).decode() in page
    assert f"{float(gf.load('a')['energy']):.6g}" in page
    assert "beta = 2.5" in page
    assert "The computation finished." in page
    assert "Stanley" in page
    assert not re.search(r'(src|href)="(?!data:)', page)  # no pictures, scripts or styles from elsewhere
    assert page.count("<table>") == page.count("</table>") > 0
    assert ask("status", "a")["state"] == "done"


def test_a_report_compares_with_the_expected_numbers() -> None:
    toy("quick")
    toy("paper", "--scale", "paper")
    met = succeed("report", "quick", "-o", "quick.html").out
    missed = succeed("report", "paper", "-o", "paper.html").out
    assert re.search(r"^expected numbers: (\d+) of \1 met$", met, re.MULTILINE)
    assert "not met" not in met
    assert re.search(r"^expected numbers: \d+ of \d+ met$", missed, re.MULTILINE)
    assert re.search(r"^  not met: energy is .*, not 1e\+09 ± 1", missed, re.MULTILINE)
    assert "<th>verdict</th>" in Path("paper.html").read_text()
    assert "not met" not in Path("quick.html").read_text()
    assert re.search(r"energy</td><td>1e\+09 ± 1</td>.*?not met", Path("paper.html").read_text())


def test_a_report_makes_no_directories() -> None:
    toy("a")
    assert "below is not a directory" in refuse("report", "a", "-o", "below/x.html")
    assert not Path("below").exists()


def test_a_report_of_a_sweep_has_its_grid() -> None:
    toy_sweep("s")
    assert "expected numbers" not in succeed("report", "s").out
    page = Path("s.html").read_text()
    assert "data:image/png;base64," in page
    assert "[grid]" in page
    assert "All 6 points are done." in page


# ---------------------------------------------------------------- export


def same_number(text: str, value: float) -> bool:
    return (math.isnan(float(text)) and math.isnan(value)) or float(text) == value


def test_exported_numbers_are_exact_in_every_format() -> None:
    toy("a")
    stored = gf.load("a")
    for form in ("nc", "csv", "npz", "json"):
        assert ask("export", "a", "--format", form)["file"] == f"a.{form}"
    assert xr.load_dataset("a.nc", engine="h5netcdf")["magnetization"].equals(stored["magnetization"])
    with np.load("a.npz") as archive:
        assert set(archive.files) == set(map(str, stored.variables))
        np.testing.assert_array_equal(archive["magnetization"], stored["magnetization"])
    table = json.loads(Path("a.json").read_text())
    assert table["variables"]["magnetization"]["values"] == stored["magnetization"].values.tolist()
    assert table["variables"]["undefined"]["values"] is None
    assert table["evidence"]["seed"] == 3
    rows = list(csv.DictReader(io.StringIO(Path("a.csv").read_text())))
    found = [float(row["value"]) for row in rows if row["variable"] == "magnetization"]
    assert found == stored["magnetization"].values.tolist()
    assert [row["site"] for row in rows if row["variable"] == "magnetization"] == ["0", "1", "2", "3"]


def test_a_sweep_is_exported_as_a_table_with_one_row_per_point() -> None:
    toy_sweep("s")
    stored = gf.load("s")
    assert succeed("export", "s").out.splitlines() == ["written: s.csv", "next: glassformer cite s"]
    rows = list(csv.DictReader(io.StringIO(Path("s.csv").read_text())))
    assert len(rows) == 6
    for row in rows:
        place = {"beta": float(row["beta"]), "method": row["method"]}
        assert same_number(row["energy"], float(stored["energy"].sel(place)))
        assert row["point_status"] == "ok"


def test_the_name_of_the_file_says_the_format_and_variables_can_be_chosen() -> None:
    toy("a")
    succeed("export", "a", "-o", "below/x.npz", "--variable", "energy", "--variable", "label")
    with np.load("below/x.npz") as archive:
        assert sorted(archive.files) == ["energy", "label"]
    succeed("export", "a", "-o", "x.csv", "--variable", "energy")
    assert Path("x.csv").read_text().splitlines()[0] == "energy"


# ---------------------------------------------------------------- cite, doctor


def test_cite_prints_exactly_what_was_used() -> None:
    toy("a")
    answer = ask("cite", "a")
    assert [source["key"] for source in answer["citations"]] == ["honkoop2025", "stanley1968", "glassformer"]
    out = succeed("cite", "a").out
    assert re.findall(r"^@\w+\{([^,]+),$", out, re.MULTILINE) == ["honkoop2025", "stanley1968", "glassformer"]
    assert out.count("{") == out.count("}")
    assert [source["key"] for source in ask("cite", TOY)["citations"]] == ["honkoop2025", "glassformer"]


@pytest.mark.parametrize("name", list(NAMES))
def test_every_run_has_sources_to_cite(name: str) -> None:
    assert ask("cite", name)["citations"][-1]["key"] == "glassformer"


def test_doctor_finds_this_installation_sound() -> None:
    answer = ask("doctor")
    assert answer["ok"] is True
    assert len(answer["checks"]) >= 8
    assert "Philox-4x32-10 gives its known answer" in [check["detail"] for check in answer["checks"]]
    assert succeed("doctor").out.splitlines()[-1] == "next: glassformer list"
    assert os.listdir() == []


def test_doctor_finds_a_broken_generator(monkeypatch: pytest.MonkeyPatch) -> None:
    from glassformer._core import _random

    monkeypatch.setattr(_random, "philox", lambda counter, key: (0, 0, 0, 0))
    outcome = call("doctor", "--json")
    assert outcome.code == 1
    assert outcome.err == "Error: random numbers: ValueError: Philox-4x32-10 does not give its known answer\n"
    assert [check["check"] for check in outcome.json["checks"] if not check["ok"]] == ["random numbers"]


# ---------------------------------------------------------------- exit codes


def interrupted(config: Any, part: Any, context: Any) -> xr.Dataset:
    raise KeyboardInterrupt


def terminated(config: Any, part: Any, context: Any) -> xr.Dataset:
    os.kill(os.getpid(), signal.SIGTERM)
    raise AssertionError("the signal did not arrive")


@pytest.mark.parametrize(
    ("compute", "code", "said"), [(interrupted, 130, "interrupted"), (terminated, 143, "asked to stop")]
)
def test_a_stopped_run_says_how_to_go_on(monkeypatch: pytest.MonkeyPatch, compute: Any, code: int, said: str) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(toy_runs, "TOY", dataclasses.replace(toy_runs.TOY, compute=compute))
        outcome = call("run", TOY, "--seed", "3", "-o", "a")
    assert outcome.code == code
    assert outcome.err == f"Error: {said}; what was finished is kept: `glassformer resume a` continues it.\n"
    assert ask("resume", "a")["status"] == "ok"


def test_an_answer_that_cannot_be_trusted_is_stored_printed_and_exits_with_1() -> None:
    outcome = call("run", TOY, "--seed", "3", *settings(trouble="bad-status"), "-o", "a", "--json")
    assert outcome.code == 1
    assert outcome.json["status"] == "not_converged"
    assert outcome.err == (
        f"Error: {TOY}: The iteration stopped before it reached its tolerance; the result is stored in a.\n"
    )
    assert call("status", "a").code == 1
    assert call("resume", "a").code == 1
    assert gf.load("a").attrs["status"] == "not_converged"


def test_too_little_memory_is_one_sentence() -> None:
    outcome = call("run", TOY, "--seed", "3", *settings(trouble="memory"), "-o", "a")
    assert outcome.code == 1
    assert outcome.err == "Error: the computation needs more memory than there is; make it smaller.\n"


def test_a_bug_is_not_hidden() -> None:
    with pytest.raises(RuntimeError, match="a genuine bug"):
        call("run", TOY, "--seed", "3", *settings(trouble="bug"), "-o", "a")


# ---------------------------------------------------------------- progress


def test_progress_goes_to_standard_error_and_never_into_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    from contextlib import redirect_stderr, redirect_stdout

    from glassformer.cli._app import run_app

    monkeypatch.setattr(_progress, "PATIENCE", 0.0)
    monkeypatch.setattr(_progress, "EVERY", 0.0)
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = run_app(["run", TOY, "--seed", "3", *settings(delay=0.2), "-o", "a", "--json"])
    assert code == 0
    assert json.loads(out.getvalue())["status"] == "ok"
    lines = err.getvalue().splitlines()
    assert len(lines) > 3
    assert all(re.fullmatch(rf"{TOY}: \d+ % done(, about .+ left)?", line) for line in lines)
    assert any("left" in line for line in lines)


# ---------------------------------------------------------------- true processes


def shell(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_installed_command_and_the_module_are_the_same_program(monkeypatch: pytest.MonkeyPatch) -> None:
    script = Path(sys.executable).parent / "glassformer"
    monkeypatch.setenv("COLUMNS", "80")
    by_name = shell(str(script), "list", "--json")
    by_module = shell(sys.executable, "-m", "glassformer.cli", "list", "--json")
    assert by_name.returncode == by_module.returncode == 0
    assert by_name.stdout == by_module.stdout
    assert by_name.stderr == by_module.stderr == ""
    wrong = shell(str(script), "run", "no/such-run")
    assert wrong.returncode == 2
    assert wrong.stdout == ""
    assert wrong.stderr.startswith("Error: no run is called 'no/such-run'")
    assert wrong.stderr.count("\n") == 1


def test_a_reader_that_leaves_early_causes_no_complaint() -> None:
    piped = shell("/bin/sh", "-c", f"'{sys.executable}' -m glassformer.cli show vector/simulate | true")
    assert (piped.stdout, piped.stderr) == ("", "")


def test_a_run_of_your_own_is_found_beside_you() -> None:
    Path("mine.py").write_text(
        "import xarray as xr\n"
        "from glassformer.sweeps import RunConfig, RunSpec\n"
        "class Config(RunConfig):\n    x: float = 2.0\n"
        "def compute(config, part, context):\n    return xr.Dataset({'square': config.x**2})\n"
        "RUN = RunSpec(name='mine:RUN', summary='Mine.', config=Config, compute=compute)\n"
    )
    command = [sys.executable, "-m", "glassformer.cli", "run", "mine:RUN", "--set", "x=3", "--json"]
    done = shell(*command)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["values"] == {"square": 9.0}


def test_the_specification_of_every_run_is_whole() -> None:
    from glassformer.sweeps._registry import find

    for name in NAMES:
        spec = find(name)
        assert isinstance(spec, RunSpec)
        assert spec.name == name
        assert all(entry.scale in (None, *spec.scales) for entry in spec.expected)

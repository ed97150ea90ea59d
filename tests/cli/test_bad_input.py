"""What cannot be used is refused: one sentence that names it, exit code 2, and nothing written."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from command_line import ask, call, everything, refuse, settings

import glassformer as gf

SOLVE, SIMULATE = "vector/solve", "vector/simulate"


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))  # the command line adds the working directory
    write_inputs()


def write_inputs() -> None:
    """A good model, J.npy and x.npy, and every bad one."""
    draw = np.random.default_rng(8)
    couplings, fields = draw.normal(size=(4, 4)) / 4, draw.normal(size=(4, 3))
    np.save("J.npy", couplings)
    np.save("S.npy", couplings + couplings.T)
    np.save("x.npy", fields)
    np.save("wide.npy", np.zeros((4, 5)))
    np.save("flat.npy", np.zeros(4))
    np.save("deep.npy", np.zeros((4, 4, 2)))
    np.save("x5.npy", np.zeros((5, 3)))
    np.save("x2.npy", np.ones((4, 2)))
    np.save("x1.npy", np.ones((4, 1)))
    np.save("empty.npy", np.zeros((0, 0)))
    np.save("complex.npy", couplings + 1j)
    np.save("words.npy", np.array([["a", "b"], ["c", "d"]]))
    for name, value in (("nan.npy", np.nan), ("inf.npy", -np.inf)):
        bad = couplings.copy()
        bad[1, 2] = value
        np.save(name, bad)
    np.save("objects.npy", np.array([[1, None]], dtype=object), allow_pickle=True)
    np.savez("two.npz", a=couplings, b=couplings)
    whole = Path("J.npy").read_bytes()
    Path("cut.npy").write_bytes(whole[:-30])
    Path("headless.npy").write_bytes(whole[20:])
    Path("nothing.npy").write_bytes(b"")
    Path("cut.npz").write_bytes(Path("two.npz").read_bytes()[:-50])
    Path("cut.nc").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(50))
    Path("ragged.csv").write_text("1,2\n3\n")
    Path("letters.csv").write_text("1,2\n3,x\n")
    Path("nan.csv").write_text("0,1\nnan,0\n")
    Path("J.xlsx").write_bytes(whole)
    Path("folder.npy").mkdir()
    Path("start.npy").write_bytes(Path("x5.npy").read_bytes())


def solve(**changes: object) -> list[str]:
    given: dict[str, object] = {"couplings": "J.npy", "fields": "x.npy", "beta": 1.0, **changes}
    return ["run", SOLVE, *settings(**{key: value for key, value in given.items() if value is not None})]


def simulate(**changes: object) -> list[str]:
    given = {"couplings": "J.npy", "fields": "x.npy", "beta": 1.0, "steps": 10, "replicas": 2, **changes}
    return ["run", SIMULATE, *settings(**given)]


BAD_RUNS: list[tuple[list[str], list[str]]] = [
    # shapes
    (solve(couplings="wide.npy"), ["shape of couplings is (4, 5)", "square"]),
    (solve(couplings="flat.npy"), ["number of dimensions of couplings is 1", "must be 2", "(4,)"]),
    (solve(couplings="deep.npy"), ["number of dimensions of couplings is 3", "must be 2"]),
    (solve(couplings="empty.npy"), ["couplings is empty", "(0, 0)"]),
    (solve(couplings="[[0, 1], [1]]"), ["couplings is a nested list with rows of different lengths"]),
    (solve(fields="x5.npy"), ["shape of fields is (5, 3)", "(4, D)", "to fit couplings"]),
    (solve(fields="deep.npy"), ["number of dimensions of fields is 3", "1 or 2"]),
    (solve(dim=7), ["shape of fields is (4, 3)", "(4, 7)"]),
    (solve(fields=None), ["dim is None", "when there are no fields"]),
    (solve(start="start.npy"), ["start", "(5, 3)", "(4, 3)"]),
    # numbers inside
    (solve(couplings="nan.npy"), ["couplings[1, 2] is nan", "finite"]),
    (solve(couplings="inf.npy"), ["couplings[1, 2] is -inf", "finite"]),
    (solve(couplings="nan.csv", fields=None, dim=3), ["couplings[1, 0] is nan", "finite"]),
    (solve(couplings="complex.npy"), ["couplings is of type complex128", "real numbers"]),
    (solve(couplings="words.npy"), ["couplings is of type", "real numbers"]),
    # files
    (solve(couplings="no.npy"), ["couplings: the file no.npy does not exist"]),
    (solve(couplings="folder.npy"), ["couplings: the file folder.npy cannot be read"]),
    (solve(couplings="cut.npy"), ["couplings: the file cut.npy is damaged"]),
    (solve(couplings="headless.npy"), ["couplings: the file headless.npy is damaged or not a .npy file"]),
    (solve(couplings="nothing.npy"), ["couplings: the file nothing.npy is damaged"]),
    (solve(couplings="cut.npz"), ["couplings: the file cut.npz is damaged"]),
    (solve(couplings="cut.nc"), ["couplings: the file cut.nc is damaged"]),
    (solve(couplings="objects.npy"), ["couplings: the file objects.npy holds Python objects"]),
    (solve(couplings="two.npz"), ["two.npz has 2 arrays (a, b)", "two.npz:NAME"]),
    (solve(couplings="two.npz:c"), ["no array called 'c'", "a, b"]),
    (solve(couplings="ragged.csv"), ["line 2 of ragged.csv has 1 columns"]),
    (solve(couplings="letters.csv"), ["line 2, column 2 of letters.csv is 'x'"]),
    (solve(couplings="J.xlsx"), ["couplings is 'J.xlsx'", ".npy, .npz, .csv, .nc"]),
    # numbers on the command line
    (solve(beta=-1), ["beta is -1", "a number >= 0"]),
    (solve(beta="nan"), ["beta is nan", "finite"]),
    (solve(beta="inf"), ["beta is inf", "finite"]),
    (solve(beta="cold"), ["beta is 'cold'", "a number"]),
    (solve(beta="true"), ["beta is True", "a number"]),
    (solve(beta=None), ["beta is missing", "a number >= 0"]),
    (solve(beta="0.1:10:log5"), ["beta is [0.1", "a number"]),
    (solve(beta="0.1:10:0.5"), ["the range '0.1:10:0.5' is not understood", "0.1:10:log25"]),
    (solve(beta="-1:10:log5"), ["the range '-1:10:log5' is logarithmic"]),
    (solve(beta="[1, 2"), ["the value '[1, 2' is not complete TOML"]),
    (solve(steps=-1), ["steps is -1", "an integer >= 0"]),
    (solve(steps=1.5), ["steps is 1.5", "an integer"]),
    # radius
    (solve(fields="x2.npy"), ["dim", "2", "bal"]),
    (solve(fields="x1.npy"), ["dim", "1", "bal"]),
    (solve(radius=0), ["radius is 0", "> 0"]),
    (solve(radius=-1), ["radius is -1", "> 0"]),
    (solve(radius="big"), ["radius is 'big'", "'bal', 'sqrt_d', 'unit'"]),
    # methods
    (solve(method="saddle-point"), ["SaddlePoint does not solve", "asymmetric", "symmetric couplings", "GramClosure"]),
    (solve(method="adaptive-tap"), ["AdaptiveTAP does not solve", "asymmetric", "symmetric couplings", "TAP"]),
    (solve(method="enumeration"), ["Enumeration does not solve", "D = 3", "dim=1"]),
    (solve(method="gramm"), ["method is 'gramm'", "'gram'", "did you mean 'gram'?"]),
    (solve(response="fast"), ["response is 'fast'", "'exact', 'amos', 'large_d'"]),
    (solve(fields="x1.npy", radius="unit", response="large_d"), ["dim is 1", "at least 3", "large_d"]),
    (solve(start="random"), ["start is 'random'", "'paramagnet'"]),
    # simulations
    (simulate(dynamics="glauber"), ["dynamics is 'glauber'", "'parallel'", "'sequential'"]),
    (simulate(steps=0), ["steps is 0", "an integer >= "]),
    (simulate(replicas=0), ["replicas is 0", "an integer >= 1"]),
    (simulate(burn_in=-5), ["burn_in is -5", "an integer >= 0"]),
    (simulate(overrelaxation=1), ["overrelaxation is 1", "dynamics=sequential"]),
    (simulate(seed=-3), ["seed is -3", "an integer >= 0"]),
    (simulate(beta=-0.5), ["beta is -0.5", "a number >= 0"]),
    (simulate(couplings="nan.npy"), ["couplings[1, 2] is nan"]),
    ([*simulate(), "--seed", "-3"], ["seed is -3", ">= 0"]),
    ([*solve(), "--seed", "3"], ["seed is 3", "vector/solve", "takes none"]),
    # keys
    (solve(coupling="J.npy"), ["vector/solve has no key 'coupling'", "did you mean 'couplings'?"]),
    (solve(metod="gram"), ["has no key 'metod'", "did you mean 'method'?", "couplings, fields"]),
    (["run", SOLVE, "--set", "beta"], ["the setting 'beta' is not of the form key=value"]),
    (["run", SOLVE, "--set", "=3"], ["the setting '=3' is not of the form key=value"]),
    (["run", SOLVE, "--set", "beta="], ["the setting 'beta=' is not of the form key=value"]),
    (["run", SOLVE, "--set", "a..b=1"], ["the key 'a..b' has an empty part"]),
    (["run", SOLVE], ["couplings is missing", "--set couplings="]),
    # names
    (["run", "vector/slove"], ["no run is called 'vector/slove'", "did you mean 'vector/solve'?"]),
    (["run", "nowhere:RUN"], ["'nowhere'", "cannot be imported"]),
    (["run", "toy_runs:plot"], ["'toy_runs:plot' is not a RunSpec"]),
    (["run", "missing.toml"], ["the file missing.toml does not exist"]),
    ([*solve(), "--scale", "huge"], ["scale is 'huge'", "quick, paper"]),
    ([*solve(), "--jobs", "0"], ["--jobs is 0", ">= 1"]),
    ([*solve(), "-o", "J.npy"], ["J.npy is not a directory", "-o"]),
    ([*solve(), "-o", "."], ["holds files that are not a run", "-o"]),
]


@pytest.mark.parametrize(("arguments", "pieces"), BAD_RUNS, ids=[" ".join(case[0][1:]) for case in BAD_RUNS])
def test_a_run_that_cannot_be_is_refused_in_one_sentence(arguments: list[str], pieces: list[str]) -> None:
    said = refuse(*arguments)
    assert [piece for piece in pieces if piece not in said] == [], said
    assert len(said) < 400, said


def test_the_good_model_beside_all_the_bad_ones_is_accepted() -> None:
    """Otherwise the refusals above might have another reason."""
    assert ask(*solve(), "--no-figure")["status"] == "converged"
    assert ask(*solve(couplings="S.npy", method="saddle-point"), "--no-figure")["status"] == "converged"
    assert call(*simulate(), "--seed", "1", "--no-figure").code == 0
    assert ask(*solve(fields="x2.npy", radius="sqrt_d"), "--no-figure")["evidence"]["radius"] == 2**0.5


BAD_COMMANDS: list[tuple[list[str], list[str]]] = [
    (["frobnicate"], ["no such command 'frobnicate'", "--help"]),
    (["run"], ["missing argument", "--help"]),
    (["run", SOLVE, "--bogus"], ["no such option: --bogus", "--help"]),
    (["run", SOLVE, "--seed", "x"], ["invalid value for '--seed'", "integer", "--help"]),
    (["show", "vector"], ["no run is called 'vector'", "did you mean 'vector/"]),
    (["cite", "vector/solv"], ["no run is called 'vector/solv'", "did you mean 'vector/solve'?"]),
    # sweeps
    (["sweep", *solve()[1:]], ["there is no grid", "--set beta=0.1:10:log25", "`glassformer run`"]),
    (["sweep", *solve(beta="[1, -1]")[1:]], ["beta is -1", "a number >= 0"]),
    (["sweep", *solve(beta="[1, 1]")[1:]], ["the grid has beta = 1.0 twice"]),
    (["sweep", *solve(beta="[1, 2]", coupling=1)[1:]], ["has no key 'coupling'", "did you mean 'couplings'?"]),
    (["sweep", *solve(beta="[1, 2]", couplings="nan.npy")[1:]], ["couplings[1, 2] is nan"]),
    (["sweep", *solve(beta="[1, 2]")[1:], "--executor", "mpi"], ["--executor is 'mpi'", "serial, process, dask"]),
    (["sweep", *solve(beta="[1, 2]")[1:], "--scheduler", "tcp://x:1"], ["--scheduler is 'tcp://x:1'", "dask"]),
    (["sweep", *solve(beta="[1, 2]")[1:], "--jobs", "-2"], ["--jobs is -2", ">= 1"]),
    (["sweep", SOLVE, "--grid", "beta"], ["the axis 'beta' is not of the form key=values"]),
    (["sweep", *solve(beta=None)[1:], "--grid", "beta=3"], ["the grid axis beta is 3", "a list or a range"]),
    (["sweep", *solve()[1:], "--grid", "beta=[1, 2]"], ["beta is given both as a setting and as an axis of the grid"]),
    # directories
    *((["status", name], [f"{name} is not a directory"]) for name in ("nowhere", "J.npy")),
    *((["resume", name], [f"{name} is not a directory"]) for name in ("nowhere", "J.npy")),
    *(([command, "nowhere"], ["nowhere is not a directory"]) for command in ("plot", "report", "export")),
    (["status", "folder.npy"], ["folder.npy holds neither a run nor a sweep"]),
    (["resume", "folder.npy"], ["folder.npy holds no config.toml"]),
    *(([command, "folder.npy"], ["folder.npy holds no run"]) for command in ("plot", "report", "export")),
    (["resume", "nowhere", "--point", "x"], ["--point is 'x'", "a number like 3 or a range like 3:10"]),
    (["resume", "nowhere", "--point", "5:2"], ["--point is '5:2'"]),
    # outputs
    (["plot", "nowhere", "-o", "x.gif"], ["the output is 'x.gif'", ".png, .svg, .pdf"]),
    (["report", "nowhere", "-o", "x.txt"], ["the output is 'x.txt'", ".html"]),
    (["export", "nowhere", "--format", "xlsx"], ["--format is 'xlsx'", "nc, csv, npz, json"]),
]


@pytest.mark.parametrize(("arguments", "pieces"), BAD_COMMANDS, ids=[" ".join(case[0]) for case in BAD_COMMANDS])
def test_a_command_that_cannot_be_is_refused_in_one_sentence(arguments: list[str], pieces: list[str]) -> None:
    said = refuse(*arguments)
    assert [piece for piece in pieces if piece not in said] == [], said


@pytest.mark.parametrize(
    "arguments", [solve(beta=-1), ["frobnicate"], ["status", "nowhere"], ["sweep", *solve()[1:]], ["run", "no/run"]]
)
def test_with_json_the_sentence_is_an_object_on_standard_output_too(arguments: list[str]) -> None:
    plain = refuse(*arguments)
    outcome = call(*arguments, "--json")
    assert outcome.code == 2
    assert outcome.json == {"error": plain}
    assert outcome.err == f"Error: {plain}\n"


# ---------------------------------------------------------------- TOML files


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("run = [", ["bad.toml is not valid TOML"]),
        ("beta = 1.0", ["bad.toml does not say which run it is for"]),
        ('run = "vector/slove"', ["no run is called 'vector/slove'"]),
        ('run = "vector/solve"\nbeta = 1.0\ncouplings = "no.npy"', ["the file", "no.npy does not exist"]),
        ('run = "vector/solve"\n[grid]\nbeta = [1, 2]', ["bad.toml is a study with a grid", "`glassformer sweep"]),
        ('run = "vector/solve"\nbetta = 1.0\ncouplings = [[0.0]]', ["no key 'betta'", "did you mean 'beta'?"]),
    ],
)
def test_a_bad_file_is_refused_in_one_sentence(text: str, pieces: list[str]) -> None:
    Path("bad.toml").write_text(text)
    said = refuse("run", "bad.toml")
    assert [piece for piece in pieces if piece not in said] == [], said


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("[grid]\nbeta = [1.0]", ["bad.toml does not say which run it is for"]),
        ('run = "vector/solve"\nbeta = 1.0', ["has the key 'beta'", "settings go under [set]"]),
        ('run = "vector/solve"\nset = 3', ["set and grid must be tables"]),
        ('run = "vector/solve"\n[grid]\nbeta = []', ["beta", "a list or a range"]),
    ],
)
def test_a_bad_study_is_refused_in_one_sentence(text: str, pieces: list[str]) -> None:
    Path("bad.toml").write_text(text)
    said = refuse("sweep", "bad.toml")
    assert [piece for piece in pieces if piece not in said] == [], said


# ---------------------------------------------------------------- directories that are there already


def test_another_configuration_is_not_written_over() -> None:
    ask(*solve(), "--no-figure", "-o", "a")
    said = refuse(*solve(beta=2.0), "-o", "a")
    assert said.startswith("a holds another configuration: beta is 1.0 there and 2.0 here")
    assert "couplings is" in refuse(*solve(couplings="S.npy"), "-o", "a")
    assert "it is vector/solve there and vector/simulate here" in refuse(*simulate(), "--seed", "1", "-o", "a")
    assert "a holds a run, not a sweep" in refuse("sweep", *solve(beta="[1, 2]")[1:], "-o", "a")
    ask("sweep", *solve(beta="[1, 2]")[1:], "-o", "s")
    assert "s holds a sweep, not a run" in refuse(*solve(), "-o", "s")
    assert "s holds another study" in refuse("sweep", *solve(beta="[1, 3]")[1:], "-o", "s")
    assert "which has no points" in refuse("resume", "a", "--point", "0")
    assert "point is 2" in refuse("resume", "s", "--point", "2")


@pytest.mark.parametrize("name", ["result.nc", "manifest.json"])
@pytest.mark.parametrize("command", ["plot", "report", "export", "cite"])
def test_a_damaged_result_is_never_used(command: str, name: str) -> None:
    ask(*solve(), "--no-figure", "-o", "a")
    path = Path("a", name)
    middle = len(path.read_bytes()) // 2
    path.write_bytes(path.read_bytes()[:middle] + b"#" + path.read_bytes()[middle + 1 :])
    said = refuse(command, "a")
    assert name in said
    assert "damaged" in said
    assert "`glassformer resume a`" in said
    assert call("resume", "a").code == 0
    assert call(command, "a").code == 0


@pytest.mark.parametrize("command", ["plot", "report", "export", "cite"])
def test_an_unfinished_run_is_not_taken_for_a_result(command: str) -> None:
    ask(*solve(), "--no-figure", "-o", "a")
    Path("a/manifest.json").unlink()
    assert refuse(command, "a") == "a is unfinished; `glassformer resume a` continues it."


def test_variables_that_are_not_there_are_named_with_those_that_are() -> None:
    ask(*solve(), "--no-figure", "-o", "a")
    for command in ("export", "plot"):
        said = refuse(command, "a", "--variable", "magnetisation")
        assert "the variable is 'magnetisation'" in said
        assert "magnetization" in said


def test_an_array_that_changed_on_disk_is_not_taken_for_the_stored_one() -> None:
    first = ask(*solve(), "--no-figure", "-o", "a")
    before = everything(Path("a"))
    np.save("J.npy", np.load("J.npy") + 1e-9)
    assert "couplings is an array (4, 4) there and an array (4, 4) here" in refuse(*solve(), "-o", "a")
    assert everything(Path("a")) == before
    assert ask("resume", "a")["values"] == first["values"]


def test_damaged_inputs_of_a_run_are_found_before_they_are_computed_with() -> None:
    ask(*solve(), "--no-figure", "-o", "a")
    (Path("a") / "inputs/couplings.npy").write_bytes(Path("S.npy").read_bytes())
    (Path("a") / "manifest.json").unlink()
    said = refuse("resume", "a")
    assert "couplings: the file a/inputs/couplings.npy is not the one that the configuration was written with" in said
    Path("a/inputs/couplings.npy").write_bytes(Path("J.npy").read_bytes())
    assert call("resume", "a").code == 0


def test_the_python_call_raises_what_the_command_line_prints() -> None:
    for arguments in (solve(beta=-1), solve(method="saddle-point"), solve(couplings="nan.npy"), solve(fields="x2.npy")):
        said = refuse(*arguments)
        pairs = dict(text.split("=", 1) for text in arguments if "=" in text)
        given = {key: float(value) if key == "beta" else value for key, value in pairs.items()}
        with pytest.raises(gf.InvalidInputError) as caught:
            gf.run(SOLVE, directory="a", **given)
        assert str(caught.value).replace("-1.0", "-1") == said
        assert not Path("a").exists()


def test_json_errors_are_one_line_of_json() -> None:
    outcome = call("run", SOLVE, "--set", "couplings=ü\n", "--set", "beta=1", "--json")
    assert outcome.code == 2
    assert outcome.out.count("\n") == outcome.err.count("\n") == 1
    assert "couplings" in json.loads(outcome.out)["error"]

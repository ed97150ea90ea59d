"""The store: a file under its final name is complete and verified, or it is found out."""

from __future__ import annotations

import errno
import hashlib
import json
import multiprocessing
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import toy_runs
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from glassformer._core._errors import (
    InvalidInputError,
    NotConvergedError,
    StoreBusyError,
    StoreDamagedError,
    StoreError,
)
from glassformer.sweeps import Expected, inspect_directory, load, resume, run, sweep
from glassformer.sweeps import _files as files_module
from glassformer.sweeps import _run as run_module
from glassformer.sweeps._events import EventLog, read_events
from glassformer.sweeps._files import write_atomic
from glassformer.sweeps._lock import is_locked, lock_directory
from glassformer.sweeps._netcdf import from_bytes, to_bytes


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def tree(path: Path, *, numbers_only: bool = False) -> dict[str, str]:
    """Checksums of all files; with `numbers_only` without those that hold times."""
    found = {
        item.relative_to(path).as_posix(): hashlib.sha256(item.read_bytes()).hexdigest()
        for item in sorted(path.rglob("*"))
        if item.is_file()
    }
    if numbers_only:
        found = {
            name: digest for name, digest in found.items() if Path(name).name not in ("manifest.json", "events.jsonl")
        }
    return found


def manifest_of(path: Path) -> dict[str, Any]:
    return dict(json.loads((path / "manifest.json").read_text()))


# ---------------------------------------------------------------- what is stored


def test_a_result_is_returned_as_it_is_stored(tmp_path: Path) -> None:
    result = run("toy_runs:TOY", beta=2.0, seed=3, directory="a")
    assert load("a").identical(result)
    assert load("a/result.nc").identical(result)
    assert result.attrs["seed"] == 3
    assert result.attrs["directory"] == "a"
    assert sorted(os.listdir("a")) == ["config.toml", "events.jsonl", "manifest.json", "result.nc"]


def test_the_same_configuration_gives_the_same_bytes(tmp_path: Path) -> None:
    for place in ("a", "b"):
        for name in ("TOY", "PIECES", "DRAWN"):
            run(f"toy_runs:{name}", beta=0.3, seed=5, pieces=3, directory=f"{place}/{name}")
        time.sleep(1.1)  # a time stamp in seconds would differ
    assert tree(tmp_path / "a", numbers_only=True) == tree(tmp_path / "b", numbers_only=True)


def test_times_live_in_the_manifest_and_come_back() -> None:
    result = run("toy_runs:TOY", seed=5, directory="a")
    assert "wall_time" not in from_bytes(Path("a/result.nc").read_bytes()).attrs
    assert "solver_wall_time" not in from_bytes(Path("a/result.nc").read_bytes())
    assert result.attrs["wall_time"] > 0
    assert float(result["solver_wall_time"]) > 0
    assert manifest_of(Path("a"))["timings"]["wall_time"] > 0


def test_the_manifest_vouches_for_every_other_file() -> None:
    run("toy_runs:DRAWN", seed=5, couplings=[[1.0]], directory="a")
    manifest = manifest_of(Path("a"))
    everything = {name: digest for name, digest in tree(Path("a")).items() if name != "manifest.json"}
    assert manifest["files"] == everything
    assert set(everything) == {
        "config.toml",
        "inputs/couplings.npy",
        "result.nc",
        "figure.png",
        "figure.svg",
        "events.jsonl",
    }
    assert {"numpy", "glassformer", "python"} <= set(manifest["versions"])
    assert manifest["status"] == "ok"
    assert manifest["seed"] == 5


def test_a_drawn_seed_is_stored_and_the_same_command_continues_with_it() -> None:
    first = run("toy_runs:TOY", directory="a")
    second = run("toy_runs:TOY", directory="a")
    assert first.identical(second)
    assert run("toy_runs:TOY", directory="b").attrs["seed"] != first.attrs["seed"]


def test_a_finished_run_is_loaded_and_not_computed_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TOY_LOG", str(tmp_path / "log"))
    run("toy_runs:TOY", seed=1)
    run("toy_runs:TOY", seed=1)
    run("toy_runs:TOY", seed=1.0)  # type: ignore[arg-type]
    run("toy_runs:TOY", seed=1, beta=1)
    assert len((tmp_path / "log").read_text().splitlines()) == 1
    assert len(os.listdir("runs")) == 1
    assert os.listdir("runs")[0].startswith("toy_runs-TOY-")


def test_another_configuration_in_the_directory_is_refused_and_nothing_changes() -> None:
    run("toy_runs:TOY", seed=1, directory="a")
    before = tree(Path("a"))
    with pytest.raises(
        InvalidInputError, match=r"a holds another configuration: beta is 1.0 there and 2.0 here; choose"
    ):
        run("toy_runs:TOY", seed=1, beta=2.0, directory="a")
    with pytest.raises(InvalidInputError, match="it is toy_runs:TOY there and toy_runs:PIECES here"):
        run("toy_runs:PIECES", seed=1, directory="a")
    with pytest.raises(InvalidInputError, match=r"couplings is .* there and an array \(1, 1\) here"):
        run("toy_runs:TOY", seed=1, couplings=[[1.0]], directory="a")
    assert tree(Path("a")) == before


def test_a_directory_with_other_files_is_left_alone() -> None:
    Path("a").mkdir()
    Path("a/thesis.tex").write_text("precious")
    with pytest.raises(InvalidInputError, match=r"a holds files that are not a run \(thesis.tex\)"):
        run("toy_runs:TOY", seed=1, directory="a")
    Path("file").write_text("x")
    with pytest.raises(InvalidInputError, match="file is not a directory"):
        run("toy_runs:TOY", seed=1, directory="file")
    with pytest.raises(StoreError, match=r"exists and is not a directory|cannot be used"):
        run("toy_runs:TOY", seed=1, directory="file/below")
    assert os.listdir("a") == ["thesis.tex"]


@pytest.mark.parametrize("prepared", [False, True])
def test_an_invalid_input_found_while_computing_leaves_nothing(prepared: bool) -> None:
    if prepared:
        Path("deep/a").mkdir(parents=True)
    with pytest.raises(InvalidInputError, match="couplings - transpose"):
        run("toy_runs:TOY", seed=1, trouble="invalid", couplings=[[1.0]], directory="deep/a")
    assert Path("deep/a").exists() is prepared
    assert not prepared or os.listdir("deep/a") == []
    assert Path("deep").exists() is prepared


def test_a_result_that_cannot_be_trusted_is_stored_and_raised() -> None:
    for trouble in ("bad-status", "raise"):
        with pytest.raises(NotConvergedError, match="stopped before it reached its tolerance") as caught:
            run("toy_runs:TOY", seed=1, trouble=trouble, directory=trouble)
        assert caught.value.result.identical(load(trouble))
        assert run("toy_runs:TOY", seed=1, trouble=trouble, directory=trouble, throw=False).attrs["residual"] == 0.5
        assert inspect_directory(trouble).state == "failed"


def test_one_bad_part_shows_in_the_whole() -> None:
    result = run("toy_runs:PIECES", seed=1, pieces=3, trouble="bad-status", throw=False)
    assert result.attrs["status"] == "not_converged"
    assert "3 of 3 parts" in result.attrs["status_sentence"]


def test_a_bug_leaves_the_finished_parts() -> None:
    with pytest.raises(RuntimeError, match="a genuine bug"):
        run("toy_runs:TOY", seed=1, trouble="bug", directory="a")
    assert inspect_directory("a").state == "unfinished"
    assert read_events(Path("a"))[-1]["event"] == "failed"
    with pytest.raises(StoreError, match="a is unfinished; `glassformer resume a` continues it"):
        load("a")


def test_a_figure_that_cannot_be_drawn_does_not_cost_the_result() -> None:
    run("toy_runs:UNDRAWN", seed=1, directory="a")
    assert manifest_of(Path("a"))["figure_error"] == "ValueError: no ink"
    assert inspect_directory("a").state == "done"


def test_inputs_travel_with_the_run() -> None:
    couplings = np.arange(4.0).reshape(2, 2)
    np.save("J.npy", couplings)
    first = run("toy_runs:TOY", seed=1, couplings="J.npy", directory="a")
    os.remove("J.npy")
    shutil.move("a", "moved")
    Path("moved/manifest.json").unlink()
    os.remove("moved/result.nc")
    again = resume("moved")
    assert again is not None
    xr.testing.assert_equal(again.drop_vars("solver_wall_time"), first.drop_vars("solver_wall_time"))
    np.testing.assert_array_equal(np.load("moved/inputs/couplings.npy"), couplings)


def test_a_configuration_file_is_a_run_and_its_paths_start_beside_it() -> None:
    Path("study").mkdir()
    np.save("study/J.npy", np.eye(2))
    Path("study/my.toml").write_text('run = "toy_runs:TOY"\nscale = "paper"\nbeta = 3\nseed = 4\ncouplings = "J.npy"\n')
    result = run("study/my.toml", directory="a")
    assert result.sizes["site"] == 32
    assert run("study/my.toml", beta=3, scale="quick", directory="b").sizes["site"] == 4
    np.save("here.npy", 2 * np.eye(2))
    other = run("study/my.toml", couplings="here.npy", directory="c")
    np.testing.assert_array_equal(np.load("c/inputs/couplings.npy"), 2 * np.eye(2))
    assert other.attrs["identity"] != result.attrs["identity"]
    assert run("a/config.toml", directory="d").attrs["identity"] == result.attrs["identity"]


# ---------------------------------------------------------------- NetCDF

variables = st.dictionaries(
    st.sampled_from(["a", "b", "c_d", "energy"]),
    st.one_of(
        st.floats(allow_subnormal=False),
        st.integers(-(2**62), 2**62),
        st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=5),
        st.lists(st.floats(allow_subnormal=False), min_size=1, max_size=4).map(lambda x: np.array(x)),
        st.lists(st.booleans(), min_size=1, max_size=4).map(lambda x: np.array(x)),
        st.lists(st.integers(-128, 127), min_size=1, max_size=4).map(lambda x: np.array(x, dtype=np.int8)),
    ),
    min_size=1,
    max_size=4,
)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(variables)
def test_a_dataset_survives_being_written_and_read(values: dict[str, Any]) -> None:
    dataset = xr.Dataset(
        {name: value if np.ndim(value) == 0 else (f"dim_{name}", value) for name, value in values.items()},
        attrs={"note": "ü", "flag": True, "list": [1, 2], "none": None},
    )
    data = to_bytes(dataset)
    assert data == to_bytes(dataset)
    again = from_bytes(data)
    xr.testing.assert_equal(again, dataset)
    assert all(again[name].dtype == dataset[name].dtype for name in values if dataset[name].dtype.kind in "fib")
    assert again.attrs == {"note": "ü", "flag": 1, "list": "[1, 2]"}


def test_units_of_time_are_not_turned_into_dates() -> None:
    dataset = xr.Dataset(
        {"lag": ("time", [1.0, 2.0])}, coords={"time": ("time", [0, 1], {"units": "days since 2000-01-01"})}
    )
    dataset["lag"].attrs["units"] = "seconds"
    assert from_bytes(to_bytes(dataset)).identical(dataset)


def test_what_netcdf_cannot_hold_is_said_in_one_sentence() -> None:
    with pytest.raises(StoreError, match="cannot be written as NetCDF"):
        to_bytes(xr.Dataset({"a": ("x", np.array([{"b": 1}, None], dtype=object))}))


# ---------------------------------------------------------------- damage


def make_complete(path: str) -> None:
    run("toy_runs:DRAWN", seed=5, couplings=[[1.0, 2.0]], directory=path)


@pytest.mark.parametrize("damage", ["truncate", "flip", "empty", "remove"])
@pytest.mark.parametrize("name", ["result.nc", "config.toml", "figure.png", "events.jsonl", "manifest.json"])
def test_every_damage_is_found_and_repaired(name: str, damage: str) -> None:
    make_complete("good")
    make_complete("a")
    target = Path("a") / name
    data = target.read_bytes()
    if damage == "remove":
        target.unlink()
    else:
        middle = len(data) // 2
        flipped = data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]
        target.write_bytes({"truncate": data[:-7], "flip": flipped, "empty": b""}[damage])
    found = inspect_directory("a")
    if (name, damage) == ("manifest.json", "remove"):
        assert found.state == "unfinished"
    else:
        assert found.state == "damaged"
        assert name in found.sentence
        assert "`glassformer resume a`" in found.sentence
    if name == "result.nc":
        with pytest.raises(StoreDamagedError, match=r"result.nc .*`glassformer resume a`"):
            load("a")
    resume("a")
    assert inspect_directory("a").state == "done"
    assert tree(Path("a"), numbers_only=True) == tree(Path("good"), numbers_only=True)


def test_repairing_a_figure_does_not_compute_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    make_complete("a")
    monkeypatch.setenv("TOY_LOG", str(tmp_path / "log"))
    Path("a/figure.svg").write_text("<svg/>")
    resume("a")
    assert not (tmp_path / "log").exists()
    assert inspect_directory("a").state == "done"


def test_damaged_inputs_are_restored_by_the_command_that_has_them() -> None:
    make_complete("a")
    Path("a/inputs/couplings.npy").write_bytes(b"")
    assert inspect_directory("a").damaged == ("inputs/couplings.npy",)
    with pytest.raises(InvalidInputError, match="couplings"):
        resume("a")
    make_complete("a")
    assert inspect_directory("a").state == "done"


def test_a_damaged_part_is_computed_again() -> None:
    good = run("toy_runs:PIECES", seed=1, pieces=4, directory="good")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_module, "_publish", _explode)
        with pytest.raises(RuntimeError):
            run("toy_runs:PIECES", seed=1, pieces=4, directory="a")
    assert inspect_directory("a").sentence == "a is unfinished (4 parts kept); `glassformer resume a` continues it."
    Path("a/parts/00001.nc").write_bytes(b"x")
    Path("a/parts/00002.json").write_bytes(b"{")
    before = Path("a/parts/00000.nc").stat().st_mtime_ns
    assert Path("a/parts/00000.nc").stat().st_mtime_ns == before
    again = resume("a")
    assert again is not None
    xr.testing.assert_equal(again.drop_vars("solver_wall_time"), good.drop_vars("solver_wall_time"))
    assert not Path("a/parts").exists()
    assert [e["part"] for e in read_events(Path("a")) if e["event"] == "part"] == [0, 1, 2, 3, 1, 2]


def test_parts_of_another_numerical_version_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    from glassformer.sweeps import _parts

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_module, "_publish", _explode)
        patch.setattr(_parts, "NUMERICAL_VERSION", 0)
        with pytest.raises(RuntimeError):
            run("toy_runs:PIECES", seed=1, pieces=2, directory="a")
    resume("a")
    assert [e["part"] for e in read_events(Path("a")) if e["event"] == "part"] == [0, 1, 0, 1]


def _explode(*arguments: Any) -> None:
    raise RuntimeError("stopped before publishing")


def test_results_of_another_numerical_version_are_readable_but_not_taken_for_new(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from glassformer import _version

    run("toy_runs:TOY", seed=1, directory="a")
    monkeypatch.setattr(_version, "NUMERICAL_VERSION", 2)
    with pytest.raises(InvalidInputError, match="computed with numerical version 1, but this is 2"):
        run("toy_runs:TOY", seed=1, directory="a")
    assert load("a").attrs["status"] == "ok"


def test_a_store_of_a_newer_format_is_not_guessed_at() -> None:
    from glassformer.sweeps import _store

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_store, "FORMAT", 99)
        run("toy_runs:TOY", seed=1, directory="a")
    with pytest.raises(StoreError, match="written by a newer glassformer"):
        load("a")


# ---------------------------------------------------------------- full disk, read-only disk


class Disk:
    """Lets the k-th operation on the disk fail with a given error."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, number: int, fail_at: int) -> None:
        self.count = 0
        for name in ("open", "fsync", "replace"):
            monkeypatch.setattr(files_module.os, name, self._wrap(getattr(os, name), number, fail_at))

    def _wrap(self, real: Any, number: int, fail_at: int) -> Any:
        def wrapped(*arguments: Any, **keywords: Any) -> Any:
            self.count += 1
            if self.count == fail_at:
                raise OSError(number, os.strerror(number))
            return real(*arguments, **keywords)

        return wrapped


def attempt() -> str | None:
    try:
        run("toy_runs:PIECES", seed=1, pieces=2, couplings=[[1.0]], directory="a")
    except StoreError as error:
        return str(error)
    return None


def count_operations() -> int:
    with pytest.MonkeyPatch.context() as patch:
        disk = Disk(patch, 0, 10**9)
        run("toy_runs:PIECES", seed=1, pieces=2, couplings=[[1.0]], directory="counted")
    return disk.count


@pytest.mark.parametrize(
    ("number", "piece"),
    [
        (errno.ENOSPC, "no space is left on the device"),
        (errno.EROFS, "cannot be written"),
        (errno.EIO, "cannot be used"),
    ],
)
def test_a_disk_that_fails_at_any_operation_leaves_nothing_half_written(number: int, piece: str) -> None:
    total = count_operations()
    assert total > 20
    good = tree(Path("counted"), numbers_only=True)
    for fail_at in range(1, total + 1, 1 if number == errno.ENOSPC else 7):
        with pytest.MonkeyPatch.context() as patch:
            Disk(patch, number, fail_at)
            said = attempt()
        assert said is None or (piece in said and "\n" not in said), (fail_at, said)
        if Path("a").exists():
            leftovers = [item.name for item in Path("a").rglob("*") if item.name.endswith(".tmp")]
            assert not leftovers, fail_at
            assert inspect_directory("a").state in ("done", "unfinished", "empty"), fail_at
        run("toy_runs:PIECES", seed=1, pieces=2, couplings=[[1.0]], directory="a")
        assert tree(Path("a"), numbers_only=True) == good, fail_at
        shutil.rmtree("a")


def test_a_failed_write_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_atomic(tmp_path / "x", b"old")
    monkeypatch.setattr(files_module.os, "fsync", _no_space)
    with pytest.raises(StoreError, match="no space"):
        write_atomic(tmp_path / "x", b"new")
    assert os.listdir(tmp_path) == ["x"]
    assert (tmp_path / "x").read_bytes() == b"old"


def _no_space(descriptor: int) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_directory_that_cannot_be_written_is_said_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, *arguments: Any, **keywords: Any) -> None:  # root may write everywhere, so the mode would do
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(self))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(StoreError, match="locked/a cannot be written"):
        run("toy_runs:TOY", seed=1, directory="locked/a")


def test_leftovers_of_a_killed_writer_are_removed_by_the_next_one() -> None:
    run("toy_runs:TOY", seed=1, directory="good")
    Path("a").mkdir()
    Path("a/.result.nc.123-abcd.tmp").write_bytes(b"half")
    Path("a/.lock").touch()
    run("toy_runs:TOY", seed=1, directory="a")
    assert sorted(os.listdir("a")) == sorted(os.listdir("good"))


def test_an_unfinished_line_of_the_log_is_dropped(tmp_path: Path) -> None:
    log = EventLog(tmp_path)
    log.write("one")
    with open(tmp_path / "events.jsonl", "a") as stream:
        stream.write('{"event": "tw')
    assert [event["event"] for event in read_events(tmp_path)] == ["one"]
    EventLog(tmp_path).write("three")
    assert [event["event"] for event in read_events(tmp_path)] == ["one", "three"]


# ---------------------------------------------------------------- two processes


def hold(directory: str) -> None:
    with lock_directory(Path(directory)):
        Path("ready").touch()
        wait_for(Path("release"))


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def other_writer() -> Iterator[Any]:
    Path("a").mkdir()
    process = multiprocessing.get_context("spawn").Process(target=hold, args=("a",))
    process.start()
    wait_for(Path("ready"))
    yield process
    Path("release").touch()
    process.join(10)


def test_a_second_writer_is_told_who_is_there(other_writer: Any) -> None:
    path = Path("a")
    with pytest.raises(StoreBusyError, match=rf"a is being written by process {other_writer.pid} on \S+ \(since"):
        run("toy_runs:TOY", seed=1, directory=path)
    assert is_locked(path)
    Path("release").touch()
    other_writer.join(10)
    assert not is_locked(path)
    assert run("toy_runs:TOY", seed=1, directory=path).attrs["status"] == "ok"


def test_the_lock_of_a_killed_writer_is_free_at_once(other_writer: Any) -> None:
    path = Path("a")
    other_writer.kill()
    other_writer.join(10)
    assert (path / ".lock").exists()
    assert not is_locked(path)
    run("toy_runs:TOY", seed=1, directory=path)
    assert not (path / ".lock").exists()


# ---------------------------------------------------------------- sweeps as stores


def test_a_sweep_is_one_dataset_with_the_grid_as_dimensions() -> None:
    result = sweep("toy_runs:TOY", beta=[0.5, 1, 2.0], method=["nmf", "gram"], seed=1, directory="s")
    assert dict(result.sizes) == {"beta": 3, "method": 2, "site": 4}
    assert result["energy"].dims == ("beta", "method")
    assert load("s").identical(result)
    for beta in (0.5, 2.0):
        alone = run("toy_runs:TOY", beta=beta, method="gram", seed=1, directory=f"one-{beta}")
        assert float(result["energy"].sel({"beta": beta, "method": "gram"})) == float(alone["energy"])
    assert (result["point_status"] == "ok").all()
    assert len(os.listdir("s/points")) == 6
    assert load(f"s/points/{sorted(os.listdir('s/points'))[0]}").attrs["status"] == "ok"


def test_points_that_fail_do_not_stop_the_others() -> None:
    result = sweep("toy_runs:TOY", beta=[0.5, 1.0, 2.0], trouble="diverge", seed=1, directory="s")
    assert result["point_status"].values.tolist() == ["ok", "error", "error"]
    assert np.isnan(result["energy"].values).tolist() == [False, True, True]
    assert np.isnan(result["piece"].values).tolist() == [False, True, True]
    found = inspect_directory("s")
    assert found.state == "failed"
    assert found.counts == {"done": 1, "failed": 2}  # type: ignore[union-attr]
    assert found.points[1].sentence == "the toy ran away."  # type: ignore[union-attr]
    assert "2 of 3 points failed; the first is point 1: the toy ran away." in result.attrs["status_sentence"]


def test_points_that_did_not_converge_keep_their_values() -> None:
    result = sweep("toy_runs:TOY", beta=[0.5, 1.0], trouble="raise", seed=1, directory="s")
    assert result["point_status"].values.tolist() == ["ok", "not_converged"]
    assert np.isfinite(result["energy"].values).all()
    with pytest.raises(NotConvergedError, match="1 of 2 points failed"):
        sweep("toy_runs:TOY", beta=[0.5, 1.0], trouble="raise", seed=1, directory="s", throw=True)


def test_every_kind_of_trouble_in_a_point_becomes_its_sentence() -> None:
    sweep("toy_runs:TOY", trouble=["no", "invalid", "bug", "memory"], seed=1, directory="s")
    found = inspect_directory("s")
    sentences = [point.sentence for point in found.points]  # type: ignore[union-attr]
    assert sentences[1].startswith("the largest |couplings - transpose| is 0.5")
    assert sentences[2] == "RuntimeError: a genuine bug"
    assert sentences[3] == "MemoryError"
    path = Path("s") / found.points[2].name  # type: ignore[union-attr]
    assert "Traceback" in read_events(path)[-1]["traceback"]
    with pytest.raises(StoreError, match="has no result: RuntimeError: a genuine bug"):
        load(path)


def test_shapes_that_differ_between_points_stay_in_the_points() -> None:
    result = sweep("toy_runs:TOY", n=[4, 8], seed=1, directory="s")
    assert "magnetization" not in result
    assert json.loads(result.attrs["left_in_points"]) == ["magnetization"]
    assert result["energy"].dims == ("n",)


def test_an_axis_named_like_a_variable_does_not_hide_it() -> None:
    result = sweep("toy_runs:PIECES", pieces=[2], method=["nmf", "tap"], seed=1, grid={"pieces": [2]}, directory="s")
    assert result["magnetization"].dims == ("pieces", "method", "part", "site")
    other = sweep("toy_runs:RICH", real=[1.0, 2.0], directory="t")
    np.testing.assert_array_equal(other["real_of_point"], [1.0, 2.0])


def test_nested_keys_words_and_arrays_can_be_axes() -> None:
    grid: dict[str, Any] = {"law.scale": "1:2:lin2", "couplings": ["flat", [[1.0]]], "numbers": [[1.0], [2.0, 3.0]]}
    result = sweep("toy_runs:RICH", grid=grid, directory="s")
    assert result["real"].dims == ("law.scale", "couplings", "numbers")
    assert result["couplings"].values.tolist() == ["flat", "[[1.0]]"]
    assert load("s").identical(result)
    assert inspect_directory("s").state == "done"


def test_a_list_for_a_field_that_takes_lists_is_not_an_axis() -> None:
    with pytest.raises(InvalidInputError, match="there is no grid"):
        sweep("toy_runs:RICH", numbers=[1.0, 2.0], betas=[1.0, 2.0], directory="s")
    assert not Path("s").exists()


@pytest.mark.parametrize(
    ("grid", "piece"),
    [
        ({"beta": [1.0, -1.0]}, "point 1 of the grid (beta = -1.0) cannot be used: beta is -1.0"),
        ({"beta": [1, 1.0]}, "the grid has beta = 1.0 twice"),
        ({"beta": []}, "the grid axis beta is []"),
        ({"beta": 3.0}, "the grid axis beta is 3.0, but must be a list or a range"),
        ({"bta": [1.0]}, "has no key 'bta'"),
        ({"beta": "1:2:lin1000", "seed": "1:1000000:lin1001"}, "but must have at most 1000000"),
    ],
)
def test_a_grid_that_cannot_be_used_is_refused_before_anything_is_written(grid: dict[str, Any], piece: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        sweep("toy_runs:TOY", grid=grid, seed=None if "seed" in grid else 1, directory="s")
    assert piece in str(caught.value)
    assert not Path("s").exists()


def test_a_study_file_says_everything(tmp_path: Path) -> None:
    Path("deep").mkdir()
    np.save("deep/J.npy", np.eye(2))
    Path("deep/study.toml").write_text(
        'run = "toy_runs:TOY"\nscale = "paper"\n[set]\ncouplings = "J.npy"\nseed = 2\n[grid]\nbeta = "0.1:10:log3"\n'
    )
    result = sweep("deep/study.toml", directory="s")
    assert dict(result.sizes) == {"beta": 3, "site": 32}
    shutil.rmtree("deep")
    shutil.rmtree("s/points")
    os.remove("s/manifest.json")
    again = resume("s")  # self-contained, with the matrix once for all points
    assert again is not None
    xr.testing.assert_equal(again.drop_vars(["point_wall_time"]), result.drop_vars(["point_wall_time"]))
    assert sorted(os.listdir("s/inputs")) == ["couplings.npy"]
    assert not list(Path("s/points").glob("*/inputs"))
    assert sweep("s/study.toml", directory="t").attrs["identity"] == result.attrs["identity"]


def test_a_sweep_directory_holds_one_study() -> None:
    sweep("toy_runs:TOY", beta=[0.5, 1.0], seed=1, directory="s")
    with pytest.raises(InvalidInputError, match="s holds another study"):
        sweep("toy_runs:TOY", beta=[0.5, 2.0], seed=1, directory="s")
    with pytest.raises(InvalidInputError, match="s holds a sweep, not a run"):
        run("toy_runs:TOY", seed=1, directory="s")
    run("toy_runs:TOY", seed=1, directory="r")
    with pytest.raises(InvalidInputError, match="r holds a run, not a sweep"):
        sweep("toy_runs:TOY", beta=[0.5, 1.0], seed=1, directory="r")


def test_a_damaged_point_is_found_by_status_and_repaired_by_resume() -> None:
    sweep("toy_runs:TOY", beta=[0.5, 1.0, 2.0], seed=1, directory="s")
    before = tree(Path("s"), numbers_only=True)
    target = next(Path("s/points").glob("00001-*/result.nc"))
    target.write_bytes(target.read_bytes()[:-20])
    found = inspect_directory("s")
    assert found.state == "damaged"
    assert [point.state for point in found.points] == ["done", "damaged", "done"]  # type: ignore[union-attr]
    resume("s")
    assert inspect_directory("s").state == "done"
    assert tree(Path("s"), numbers_only=True) == before


@pytest.mark.parametrize("name", ["study.toml", "result.nc", "manifest.json"])
def test_a_damaged_file_of_the_sweep_itself_is_repaired(name: str) -> None:
    sweep("toy_runs:TOY", beta=[0.5, 1.0], seed=1, directory="s")
    before = tree(Path("s"), numbers_only=True)
    target = Path("s") / name
    if name == "study.toml":
        target.unlink()
    else:
        target.write_bytes(target.read_bytes()[:-20])
    resume("s")
    assert inspect_directory("s").state == "done"
    assert tree(Path("s"), numbers_only=True) == before


def test_points_that_raised_are_tried_again_and_those_with_a_result_are_not(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    sweep("toy_runs:TOY", beta=[0.5, 1.0], trouble="diverge", seed=1, directory="s")
    sweep("toy_runs:TOY", beta=[0.5, 1.0], trouble="raise", seed=1, directory="t")
    monkeypatch.setenv("TOY_LOG", str(tmp_path / "log"))
    resume("s")
    resume("t")
    assert len((tmp_path / "log").read_text().splitlines()) == 1


def test_an_old_sweep_is_read_but_not_continued_by_a_new_numerical_version() -> None:
    from glassformer.sweeps import _study, _sweep

    sweep("toy_runs:TOY", beta=[0.5, 1.0], seed=1, directory="s")
    text = Path("s/study.toml").read_text()
    assert "numerical_version = 1" in text
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_sweep, "NUMERICAL_VERSION", 2)
        patch.setattr(_study, "NUMERICAL_VERSION", 2)
        assert inspect_directory("s").state == "done"
        assert load("s").attrs["status"] == "ok"
        with pytest.raises(InvalidInputError, match="belongs to numerical version 1, but this is 2"):
            resume("s")


# ---------------------------------------------------------------- small promises


def test_what_is_not_a_run_is_named() -> None:
    with pytest.raises(StoreError, match="nowhere is not a directory"):
        load("nowhere")
    with pytest.raises(StoreError, match="nowhere is not a directory"):
        resume("nowhere")
    Path("empty").mkdir()
    with pytest.raises(StoreError, match="empty holds no run yet"):
        load("empty")


def test_expected_numbers_are_compared_with_the_result() -> None:
    dataset = xr.Dataset(
        {"x": (("method", "beta"), [[1.0, 2.0], [3.0, 4.0]])}, coords={"method": ["a", "b"], "beta": [0.1, 1.0]}
    )
    outcome = Expected("x", 4.05, 0.1, select={"method": "b", "beta": 0.99}).check(dataset)
    assert (outcome.observed, outcome.met) == (4.0, True)
    assert outcome.found == "4 at beta=1"  # not the label that was asked for
    assert Expected("x", 2.0, 0.1, select={"method": "a", "beta": 1.0}).check(dataset).found == "2"
    assert not Expected("x", 4.05, 0.01, select={"method": "b", "beta": 0.99}).check(dataset).met
    assert not Expected("y", 0.0, 1.0).check(dataset).met


def test_progress_reaches_the_caller_and_ends_at_the_end() -> None:
    seen: list[tuple[float, float]] = []
    run("toy_runs:PIECES", seed=1, pieces=4, delay=0.02, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (4, 4)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert any(done % 1 for done, _ in seen)


def test_a_run_knows_its_scale() -> None:
    assert run("toy_runs:TOY", seed=1, scale="paper").sizes["site"] == 32
    with pytest.raises(InvalidInputError, match="scale is 'big', but toy_runs:TOY has quick, paper"):
        run("toy_runs:TOY", seed=1, scale="big")


def test_a_run_without_randomness_takes_no_seed() -> None:
    from glassformer.sweeps import RunConfig, RunContext, RunSpec

    class Plain(RunConfig):
        x: float = 1.0

    def compute(config: Plain, part: dict[str, Any], context: RunContext) -> xr.Dataset:
        return xr.Dataset({"x": config.x})

    toy_runs.PLAIN = RunSpec(name="toy_runs:PLAIN", summary="", config=Plain, compute=compute)  # type: ignore[attr-defined]
    assert "seed" not in run("toy_runs:PLAIN").attrs
    with pytest.raises(InvalidInputError, match="seed is 1, but toy_runs:PLAIN is not random"):
        run("toy_runs:PLAIN", seed=1)

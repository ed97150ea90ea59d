"""Files that a run writes beside its result: complete, checksummed, found when damaged, brought back by `resume`."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import toy_runs
from command_line import everything, refuse, settings, succeed

import glassformer as gf
from glassformer._core._errors import InvalidInputError, StoreDamagedError, StoreError
from glassformer._core._random import normals
from glassformer.sweeps import RunSpec, inspect_directory, resume
from glassformer.sweeps import _run as run_module
from glassformer.sweeps import _store as store_module

NAME = "toy_runs:SHELF"
FILES = ("table.npy", "summary.txt")


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def shelf(directory: str, **more: Any) -> Any:
    return gf.run(NAME, directory=directory, seed=3, pieces=more.pop("pieces", 3), **more)


def kept(directory: str) -> dict[str, bytes | None]:
    return {
        name: data
        for name, data in everything(Path(directory)).items()
        if name not in ("manifest.json", "events.jsonl")
    }


@pytest.mark.parametrize("pieces", [1, 3])
@pytest.mark.parametrize("jobs", [1, 2])
def test_artifacts_stand_beside_the_result_with_their_checksums(pieces: int, jobs: int) -> None:
    result = shelf("a", pieces=pieces, jobs=jobs)
    table = np.load("a/table.npy")
    assert np.array_equal(table, [normals(3, f"toy/row/{k}", 4) for k in range(pieces)])
    assert np.array_equal(result["total"], table.sum(axis=1))
    files = json.loads(Path("a/manifest.json").read_text())["files"]
    assert set(FILES) <= set(files)
    assert sorted(item.name for item in Path("a").iterdir()) == sorted([*files, "manifest.json"])
    assert inspect_directory("a").state == "done"


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("how", ["bit", "missing"])
def test_a_damaged_artifact_is_found_and_computed_again_to_the_same_bytes(name: str, how: str) -> None:
    shelf("a")
    wanted = kept("a")
    target = Path("a") / name
    if how == "bit":
        data = bytearray(target.read_bytes())
        data[-1] ^= 1
        target.write_bytes(data)
    else:
        target.unlink()
    assert inspect_directory("a").damaged == (name,)
    resume("a")
    assert kept("a") == wanted
    assert inspect_directory("a").state == "done"


def test_a_damaged_figure_or_diary_does_not_bring_the_work_back(monkeypatch: pytest.MonkeyPatch) -> None:
    shelf("a")
    (Path("a") / "events.jsonl").write_text("torn")
    monkeypatch.setattr(run_module, "_compute", None)
    resume("a")
    assert inspect_directory("a").state == "done"


def test_a_refusal_erases_the_drafts_too() -> None:
    refuse("run", NAME, *settings(method="tap"), "--seed", "1", "-o", "b")
    assert not Path("b").exists()
    with pytest.raises(InvalidInputError):
        shelf("b", method="tap")
    assert not Path("b").exists()


@pytest.mark.parametrize("moment", ["parts", "finish", "moved", "result"])
def test_a_commit_cut_short_anywhere_is_completed(moment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf("whole")

    class Cut(BaseException):
        pass

    def cut(*arguments: Any, **options: Any) -> Any:
        raise Cut

    with monkeypatch.context() as patch:
        if moment == "parts":
            patch.setattr(run_module, "finish_artifacts", cut)
        elif moment == "finish":
            patch.setattr(run_module, "publish_artifacts", cut)
        elif moment == "moved":
            moves: list[Any] = []
            replace = toy_runs.os.replace

            def once(source: Any, target: Any) -> None:
                if Path(source).parent.name == store_module.ARTIFACTS:
                    if moves:
                        raise Cut
                    moves.append(target)
                replace(source, target)

            patch.setattr(toy_runs.os, "replace", once)
        else:
            patch.setattr(run_module, "write_manifest", cut)
        with pytest.raises(Cut):
            shelf("a")
    assert inspect_directory("a").state == "unfinished"
    assert not Path("a/manifest.json").exists()
    resume("a")
    assert kept("a") == kept("whole")


@pytest.mark.parametrize("harm", ["row", "gone"])
def test_a_draft_that_changed_between_two_attempts_is_computed_again(
    harm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf("whole")
    with monkeypatch.context() as patch:
        patch.setattr(run_module, "finish_artifacts", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            shelf("a")
    draft = Path("a/artifacts/table.npy")
    if harm == "row":
        table = np.lib.format.open_memmap(draft, mode="r+")
        table[1] += 1.0
        table.flush()
    else:
        draft.unlink()
    resume("a")
    assert kept("a") == kept("whole")


def test_a_disk_that_does_not_keep_what_is_written_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_module, "finish_artifacts", lambda *_: False)
    with pytest.raises(StoreDamagedError, match="is its disk sound"):
        shelf("a")


def test_every_point_of_a_sweep_has_artifacts_of_its_own() -> None:
    succeed("sweep", NAME, *settings(beta="[0.5,1.0]", pieces=2), "--seed", "2", "-o", "s")
    points = sorted(Path("s/points").iterdir())
    assert len(points) == 2
    for point in points:
        assert np.load(point / "table.npy").shape == (2, 4)
        assert not (point / "artifacts").exists()


def test_finish_without_artifacts_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="finish but no artifacts"):
        RunSpec(name="a:B", summary="", config=toy_runs.ToyConfig, compute=toy_runs.compute, finish=lambda *_: None)


def test_what_a_killed_writer_left_among_the_drafts_is_cleared(monkeypatch: pytest.MonkeyPatch) -> None:
    shelf("whole")
    with monkeypatch.context() as patch:
        patch.setattr(run_module, "finish_artifacts", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            shelf("a")
    Path("a/artifacts/.table.npy.77-ab.tmp").write_bytes(b"half")
    resume("a")
    assert kept("a") == kept("whole")


def test_a_file_that_is_not_among_the_artifacts_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    close = toy_runs.close_table

    def more(config: Any, datasets: Any, folder: Path) -> None:
        close(config, datasets, folder)
        (folder / "surprise.txt").write_text("!")

    monkeypatch.setattr(toy_runs, "SHELF", dataclasses.replace(toy_runs.SHELF, finish=more))
    with pytest.raises(StoreError, match=r"surprise\.txt.*not among its artifacts"):
        shelf("a")

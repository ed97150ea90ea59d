"""Kill the writing of a corpus at any moment: the same command, or `resume`, ends at the same bytes."""

from __future__ import annotations

import random
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from test_kill import assert_same_store, complete, finish, start, wait_for

import glassformer as gf
from glassformer.couplings._operators import TILE

# A checkpoint after every piece, pieces of 20 steps, and a note of the tile and step at which each block was taken up.
DRIVER = """
import glassformer.data._generate as generate
import glassformer.data._plan as plan

generate.CHECKPOINT_SECONDS = 0.0
plan._PIECE = plan.TILE * 150 * 20
load = generate.CheckpointFiles.load

def noted(self):
    saved = load(self)
    with open("began", "a") as stream:
        stream.write(f"{0 if saved is None else int(saved['done'])}\\n")
    return saved

generate.CheckpointFiles.load = noted

if __name__ == "__main__":
    from glassformer.cli import main

    main()
"""
SEQUENCES = 2 * TILE + 6  # three blocks
COMMAND = [
    "run",
    "context/sample",
    "--set",
    "n=150",
    "--set",
    f"sequences={SEQUENCES}",
    "--set",
    "length=140",
    "--seed",
    "5",
    "-o",
]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_corpus_killed_in_every_stage_resumes_to_the_same_bytes(tmp_path: Path) -> None:
    driver, path, draw = tmp_path / "driver.py", tmp_path / "a", random.Random(3)
    driver.write_text(DRIVER)
    complete(*COMMAND, "whole", driver=driver)
    Path("began").unlink()
    stages = [
        lambda: any(path.glob("checkpoints/00000/checkpoint-*.npz")),
        lambda: (path / "parts/00000.json").exists(),
        lambda: (path / "parts/00001.json").exists(),
    ]
    for number, stage in enumerate(stages):
        process = start(*([*COMMAND, "a"] if number % 2 == 0 else ["resume", "a"]), driver=driver)
        wait_for(process, stage)
        time.sleep(draw.uniform(0.0, 0.05))
        process.send_signal(signal.SIGKILL)
        assert finish(process)[0] == -signal.SIGKILL
        assert not (path / "tokens.npy").exists()  # only drafts until the commit
        with pytest.raises(gf.GlassformerError, match="no complete corpus"):
            gf.open_corpus(path)
    complete("resume", "a", driver=driver)
    assert_same_store(path, tmp_path / "whole")
    assert max(int(line) for line in Path("began").read_text().split()) > 0  # work was taken up, not begun again
    corpus = gf.open_corpus(path).verify()
    assert corpus.tokens.shape == (SEQUENCES, 140, 150)
    assert set(np.unique(corpus.tokens)) == {-1, 1}


def test_a_long_trajectory_is_taken_up_where_it_was_killed(tmp_path: Path) -> None:
    driver, path = tmp_path / "driver.py", tmp_path / "a"
    driver.write_text(DRIVER)
    command = [
        "run",
        "context/sample",
        "--set",
        "n=150",
        "--set",
        "mode=trajectory",
        "--set",
        "length=600",
        "--seed",
        "5",
        "-o",
    ]
    complete(*command, "whole", driver=driver)
    Path("began").unlink()
    for _ in range(2):
        seen = {item: item.stat().st_mtime_ns for item in path.glob("checkpoints/00000/*.npz")}
        process = start(*command, "a", driver=driver)
        wait_for(
            process,
            lambda seen=seen: any(  # type: ignore[misc]
                item.stat().st_mtime_ns != seen.get(item) for item in path.glob("checkpoints/00000/checkpoint-*.npz")
            ),
        )
        process.send_signal(signal.SIGKILL)
        finish(process)
    complete("resume", "a", driver=driver)
    began = [int(line) for line in Path("began").read_text().split()]
    assert began[0] == 0
    assert 0 < began[1] < began[2]
    assert_same_store(path, tmp_path / "whole")

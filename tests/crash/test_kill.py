"""Kill it, interrupt it, fill its disk: the same command, or `resume`, ends at the same bits.

Every command here is a real process, and what it leaves is compared file by file with what an undisturbed one leaves.
Three things differ between two honest runs of one configuration and are left out, by name:

* ``events.jsonl`` is the diary: it holds clock times and process numbers, and grows with every attempt;
* ``timings`` and ``volatile`` of ``manifest.json`` are clock times and durations;
* its ``sha256``, and in ``files`` the checksum of ``events.jsonl``, follow from those.
"""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from glassformer.sweeps import inspect_directory
from glassformer.sweeps._events import read_events
from glassformer.sweeps._netcdf import from_bytes
from glassformer.sweeps._sweep import SweepInspection

TESTS = Path(__file__).parents[1]
DIARY = "events.jsonl"
MANIFEST = "manifest.json"
KILLS = 20
POINTS = 24
PATIENCE = 240.0  # seconds before a test gives up; nothing here measures time


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


# ---------------------------------------------------------------- processes


def start(*arguments: str, driver: Path | None = None) -> subprocess.Popen[str]:
    """Start the command line in a process group of its own, perhaps through a `driver` that is run in its place."""
    command = [str(driver)] if driver is not None else ["-m", "glassformer.cli"]
    path = os.pathsep.join([str(TESTS), *filter(None, [os.environ.get("PYTHONPATH")])])
    return subprocess.Popen(
        [sys.executable, *command, *arguments],
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Wait until the process and all its children are gone; return exit code, output and errors."""
    try:
        out, err = process.communicate(timeout=PATIENCE)  # ends when the last of them closes its output
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)
        raise
    return process.returncode, out, err


def complete(*arguments: str, driver: Path | None = None) -> None:
    """Run a command that must succeed."""
    code, out, err = finish(start(*arguments, driver=driver))
    assert code == 0, (arguments, out, err)


def wait_for(process: subprocess.Popen[str], condition: Callable[[], bool]) -> None:
    """Wait for `condition`, which must come true while `process` still works."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.003)


def one_sentence(err: str) -> str:
    """Return the only complaint on standard error; lines of progress may precede it."""
    lines = [line for line in err.splitlines() if not re.fullmatch(r"\S+: \d+ % done(, about .+ left)?", line)]
    assert len(lines) == 1, err
    assert re.fullmatch(r"Error: [^\n]+[.]", lines[0]), err
    return lines[0].removeprefix("Error: ")


# ---------------------------------------------------------------- stores


def contents(path: Path) -> dict[str, bytes]:
    """Every file below `path`, hidden ones too, by name."""
    return {item.relative_to(path).as_posix(): item.read_bytes() for item in path.rglob("*") if item.is_file()}


def without_times(manifest: bytes) -> dict[str, Any]:
    """A manifest without what differs between two honest runs."""
    kept = {key: value for key, value in json.loads(manifest).items() if key not in ("timings", "volatile", "sha256")}
    kept["files"] = {name: digest for name, digest in kept["files"].items() if name != DIARY}
    return kept


def assert_same_store(path: Path, reference: Path) -> None:
    """The same names, temporaries and locks included, and under each name the same bytes."""
    found, wanted = contents(path), contents(reference)
    assert sorted(found) == sorted(wanted)
    for name, data in wanted.items():
        if Path(name).name == MANIFEST:
            assert without_times(found[name]) == without_times(data), name
        elif Path(name).name != DIARY:
            assert found[name] == data, name
    assert {item.name for item in path.rglob("*") if item.is_dir()} == {
        item.name for item in reference.rglob("*") if item.is_dir()
    }


def assert_nothing_half_written(path: Path, wanted: dict[str, bytes]) -> None:
    """Whatever has its final name is whole: equal to the undisturbed file, or readable where there is none."""
    for name, data in contents(path).items():
        last = Path(name).name
        if last.startswith("."):  # locks and temporaries, which the next writer removes
            continue
        if last == MANIFEST:
            assert without_times(data) == without_times(wanted[name]), name
        elif name in wanted and last != DIARY:
            assert data == wanted[name], name
        elif last.endswith(".nc"):
            from_bytes(data)
        elif last.endswith(".json"):
            json.loads(data)
    if (path / "study.toml").exists():
        inspection = inspect_directory(path)
        assert isinstance(inspection, SweepInspection)
        assert inspection.state == "unfinished"
        assert set(inspection.counts) <= {"done", "unfinished"}, inspection.sentence


# ---------------------------------------------------------------- kill -9


def sweep_command(directory: str) -> list[str]:
    """24 points of two stored parts each, over two processes."""
    settings = ["beta=0.1:10:log12", 'method=["nmf", "tap"]', "pieces=2", "delay=0.04", "n=16"]
    pairs = [piece for setting in settings for piece in ("--set", setting)]
    return ["sweep", "toy_runs:PIECES", *pairs, "--seed", "5", "--jobs", "2", "-o", directory]


def work_in(path: Path) -> set[tuple[str, int, int]]:
    """What the points hold at this moment; it changes with everything that a worker does to one of them."""
    found = set()
    for folder, _, names in os.walk(path / "points"):
        for place in (folder, *(os.path.join(folder, name) for name in names)):
            try:
                status = os.stat(place)
            except FileNotFoundError:
                continue
            found.add((place, status.st_mtime_ns, status.st_size))
    return found


def watch(process: subprocess.Popen[str], path: Path, changes: int, enough: Callable[[], bool]) -> None:
    """Return when the workers have changed their points so many times, or when `enough` says so."""
    before = work_in(path)
    deadline = time.monotonic() + PATIENCE
    while changes > 0 and not enough():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.001)
        now = work_in(path)
        changes -= now != before
        before = now


def committed(path: Path) -> int:
    return len(list(path.glob(f"points/*/{MANIFEST}")))


def test_a_sweep_killed_at_twenty_random_moments_ends_at_the_store_of_an_undisturbed_one(tmp_path: Path) -> None:
    reference, path = tmp_path / "undisturbed", tmp_path / "killed"
    complete(*sweep_command("undisturbed"))
    wanted = contents(reference)
    assert committed(reference) == POINTS
    draw = random.Random(20250101)
    hits = in_the_middle = with_parts = 0
    for kill in range(KILLS):
        again = kill % 2 == 0 or not (path / "study.toml").exists()
        process = start(*(sweep_command("killed") if again else ["resume", "killed", "--jobs", "2"]))
        most = 22 * (kill + 1) // KILLS  # so that even the last kill finds work left, however fast the machine
        if kill % 5:  # a random number of steps into the work, wherever that is on the clock
            watch(process, path, draw.randint(1, 40), lambda most=most: committed(path) >= most)  # type: ignore[misc]
            time.sleep(draw.uniform(0.0, 0.02))
        else:  # any time after the start
            time.sleep(draw.uniform(0.05, 1.2))
        alive = process.poll() is None
        if kill % 3:
            os.killpg(process.pid, signal.SIGKILL)
        else:  # only the parent; its workers must notice, and leave
            os.kill(process.pid, signal.SIGKILL)
        code, _, err = finish(process)
        assert alive, err
        hits += code == -signal.SIGKILL and committed(path) < POINTS
        in_the_middle += any((path / "points" / name / "config.toml").exists() for name in unfinished(path))
        with_parts += any(path.glob("points/*/parts/*.nc"))
        assert_nothing_half_written(path, wanted)
    assert hits == KILLS
    assert in_the_middle >= KILLS // 2
    assert with_parts >= 2
    assert committed(path) >= 4
    complete("resume", "killed", "--jobs", "2")
    assert_same_store(path, reference)
    assert sum(event["event"] == "finished" for event in read_events(path)) == 1


def unfinished(path: Path) -> list[str]:
    return [item.name for item in path.glob("points/*") if not (item / MANIFEST).exists()]


# ---------------------------------------------------------------- one long simulation

# Checkpoints after every chunk instead of every half minute, and a note of the step at which each attempt began.
CHECKPOINTS_AT_ONCE = """
import glassformer._simulate as simulate

simulate.CHECKPOINT_SECONDS = 0.0
load = simulate.CheckpointFiles.load

def noted(self):
    saved = load(self)
    with open("began", "a") as stream:
        stream.write(f"{0 if saved is None else int(saved['done'])}\\n")
    return saved

simulate.CheckpointFiles.load = noted

if __name__ == "__main__":
    from glassformer.cli import main

    main()
"""
STEPS = 20_000


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with inputs and, in ``undisturbed``, the run that nothing happened to."""
    folder = tmp_path_factory.mktemp("simulation")
    draw = np.random.default_rng(3)
    np.save(folder / "J.npy", draw.normal(size=(12, 12)) / 12**0.5)
    np.save(folder / "x.npy", draw.normal(size=(12, 4)))
    (folder / "driver.py").write_text(CHECKPOINTS_AT_ONCE)
    before = os.getcwd()
    os.chdir(folder)
    try:
        complete(*simulation(folder, "undisturbed"))
    finally:
        os.chdir(before)
    return folder


def simulation(folder: Path, directory: str) -> list[str]:
    settings = [f"couplings={folder}/J.npy", f"fields={folder}/x.npy", "beta=0.8", f"steps={STEPS}", "burn_in=1000"]
    pairs = [piece for setting in settings for piece in ("--set", setting)]
    return ["run", "vector/simulate", *pairs, "--seed", "7", "-o", directory]


def checkpoints(path: Path) -> list[int]:
    """Steps of the checkpoints that are there and whole."""
    found = []
    for item in path.glob("checkpoints/*/checkpoint-*.npz"):
        with np.load(item) as saved:
            found.append(int(saved["done"]))
    return sorted(found)


def began() -> list[int]:
    return [int(line) for line in Path("began").read_text().split()]


def test_a_simulation_killed_after_its_checkpoints_resumes_to_the_same_bits(undisturbed: Path, tmp_path: Path) -> None:
    draw = random.Random(7)
    driver, path, reached = undisturbed / "driver.py", tmp_path / "a", 0
    for kill in range(3):
        process = start(*(simulation(undisturbed, "a") if kill != 1 else ["resume", "a"]), driver=driver)
        wait_for(process, lambda reached=reached: max(checkpoints(path), default=0) > reached)  # type: ignore[misc]
        time.sleep(draw.uniform(0.0, 0.1))
        process.send_signal(signal.SIGKILL)
        assert finish(process)[0] == -signal.SIGKILL
        reached = max(checkpoints(path))
        assert 0 < reached < STEPS + 1000
        assert not (path / "result.nc").exists()
    complete("resume", "a", driver=driver)
    assert began() == sorted(set(began()))  # each attempt began later than the one before
    assert began()[0] == 0
    assert began()[-1] == reached
    assert_same_store(path, undisturbed / "undisturbed")


def test_a_checkpoint_cut_short_by_the_kill_is_passed_over(undisturbed: Path, tmp_path: Path) -> None:
    driver, path = undisturbed / "driver.py", tmp_path / "a"
    process = start(*simulation(undisturbed, "a"), driver=driver)
    wait_for(process, lambda: len(checkpoints(path)) == 2)
    process.send_signal(signal.SIGKILL)
    finish(process)
    older, newer = checkpoints(path)
    for item in path.glob("checkpoints/*/checkpoint-*.npz"):
        with np.load(item) as saved:
            damaged = int(saved["done"]) == newer
        if damaged:
            item.write_bytes(item.read_bytes()[:-100])
    (path / "checkpoints/00000/.checkpoint-abc.tmp").write_bytes(b"half")
    complete("resume", "a", driver=driver)
    assert began() == [0, older]
    assert_same_store(path, undisturbed / "undisturbed")


# ---------------------------------------------------------------- Ctrl-C


def test_ctrl_c_in_a_long_simulation_keeps_what_was_done_and_says_how_to_go_on(
    undisturbed: Path, tmp_path: Path
) -> None:
    driver, path = undisturbed / "driver.py", tmp_path / "a"
    process = start(*simulation(undisturbed, "a"), "--json", driver=driver)
    wait_for(process, lambda: bool(checkpoints(path)))
    process.send_signal(signal.SIGINT)
    code, out, err = finish(process)
    assert code == 130
    said = "interrupted; what was finished is kept: `glassformer resume a` continues it."
    assert one_sentence(err) == said
    assert json.loads(out) == {"error": said}
    assert read_events(path)[-1]["event"] == "interrupted"
    code, out, err = finish(start("status", "a"))
    assert (code, err) == (0, "")
    assert out.splitlines()[-2:] == [
        "a is unfinished; `glassformer resume a` continues it.",
        "next: glassformer resume a",
    ]
    complete("resume", "a", driver=driver)
    assert began()[1] > 0
    assert_same_store(path, undisturbed / "undisturbed")


def test_ctrl_c_at_any_moment_of_a_run_is_one_sentence_and_no_traceback(undisturbed: Path, tmp_path: Path) -> None:
    draw = random.Random(11)
    for attempt in range(4):  # while it imports, compiles, thermalises, measures
        before = len(read_events(tmp_path / "a"))
        process = start(*simulation(undisturbed, "a"))
        wait_for(process, lambda before=before: len(read_events(tmp_path / "a")) > before)  # type: ignore[misc]
        time.sleep(draw.uniform(0.0, 0.8))
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        code, out, err = finish(process)
        assert code == 130, (attempt, out, err)
        assert "`glassformer resume a` continues it" in one_sentence(err), attempt
    complete("resume", "a")
    assert_same_store(tmp_path / "a", undisturbed / "undisturbed")


def test_ctrl_c_in_a_terminal_reaches_every_process_of_a_sweep_and_is_still_one_sentence(tmp_path: Path) -> None:
    draw = random.Random(13)
    for attempt in range(3):  # while workers start, and while they work
        path = tmp_path / f"s{attempt}"
        process = start(*sweep_command(path.name))
        wait_for(process, lambda path=path: bool(read_events(path)))  # type: ignore[misc]
        time.sleep(draw.uniform(0.0, 1.0))
        assert process.poll() is None
        os.killpg(process.pid, signal.SIGINT)
        code, out, err = finish(process)
        assert code == 130, (attempt, out, err)
        assert f"`glassformer resume {path.name}` continues it" in one_sentence(err), attempt
        assert set(inspect_directory(path).counts) <= {"done", "unfinished"}  # type: ignore[union-attr]
    assert read_events(path)[-1]["event"] == "interrupted"


SLOW_TO_START = """
import time

if __name__ == "__mp_main__":  # a worker, before it can know what to do with Ctrl-C
    open("starting", "w").close()
    time.sleep(9999)

if __name__ == "__main__":
    from glassformer.cli import main

    main()
"""


def test_workers_that_are_still_starting_take_ctrl_c_in_silence(tmp_path: Path) -> None:
    driver = tmp_path / "slow.py"
    driver.write_text(SLOW_TO_START)
    process = start(*sweep_command("s"), driver=driver)
    wait_for(process, (tmp_path / "starting").exists)
    os.killpg(process.pid, signal.SIGINT)
    code, out, err = finish(process)
    assert code == 130, (out, err)
    assert one_sentence(err) == "interrupted; what was finished is kept: `glassformer resume s` continues it."


def test_ctrl_c_does_not_wait_for_the_points_that_are_being_computed(tmp_path: Path) -> None:
    hours = ["--set", "beta=[0.5, 1.0, 2.0]", "--set", "delay=9999", "--seed", "1", "--jobs", "2"]
    process = start("sweep", "toy_runs:TOY", *hours, "-o", "s")
    wait_for(process, lambda: len(list((tmp_path / "s").glob("points/*/checkpoints"))) == 2)
    os.killpg(process.pid, signal.SIGINT)
    code, _, err = finish(process)
    assert code == 130
    assert one_sentence(err).startswith("interrupted; what was finished is kept")
    assert inspect_directory("s").state == "unfinished"  # and not "running": nobody holds a lock any more


INTERRUPTED_IN_EXEC = """
import dataclasses

import toy_runs

def compute(config, part, context):
    exec("import os, signal, time; os.kill(os.getpid(), signal.SIGINT); time.sleep(9999)")

RUN = dataclasses.replace(toy_runs.TOY, name="interrupted:RUN", compute=compute)
"""


def test_the_exit_code_of_ctrl_c_is_130_even_inside_generated_code(tmp_path: Path) -> None:
    (tmp_path / "interrupted.py").write_text(INTERRUPTED_IN_EXEC)  # Python itself would die of the signal at its end
    code, _, err = finish(start("run", "interrupted:RUN", "-o", "a"))
    assert code == 130
    assert one_sentence(err).startswith("interrupted; what was finished is kept")


# ---------------------------------------------------------------- full disk

# The disk holds `SPACE` bytes; what is synced beyond them fails as a full disk does, in worker processes as well.
FULL_DISK = """
import errno
import os
import stat

left = int(os.environ["SPACE"])
fsync = os.fsync

def full(descriptor):
    global left
    status = os.fstat(descriptor)
    left -= status.st_size if stat.S_ISREG(status.st_mode) else 0
    if left < 0:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    fsync(descriptor)

os.fsync = full

if __name__ == "__main__":
    from glassformer.cli import main

    main()
"""


FULL_AT_THE_THIRD_CHECKPOINT = """
import errno
import os

fsync, large = os.fsync, []

def full(descriptor):
    if os.fstat(descriptor).st_size > 50_000:
        large.append(descriptor)
    if len(large) == 3:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    fsync(descriptor)

os.fsync = full
"""


@pytest.fixture
def full_disk(tmp_path: Path) -> Path:
    (tmp_path / "full.py").write_text(FULL_DISK)
    return tmp_path / "full.py"


@pytest.mark.parametrize(("command", "space"), [("run", 100), ("run", 12_000), ("sweep", 20_000)])
def test_a_full_disk_is_one_sentence_and_the_same_command_finishes_once_there_is_space(
    full_disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, space: int
) -> None:
    more = {"run": [], "sweep": ["--set", "beta=[0.5, 1.0, 2.0]", "--jobs", "2"]}[command]
    line = [command, "toy_runs:PIECES", "--set", "pieces=3", "--seed", "5", *more]
    complete(*line, "-o", "undisturbed")
    monkeypatch.setenv("SPACE", str(space))
    code, out, err = finish(start(*line, "-o", "a", driver=full_disk))
    assert code == 2, (out, err)
    said = one_sentence(err)
    assert said.startswith("no space is left on the device of ")
    assert "run the same command again: what was finished is kept" in said
    assert not (tmp_path / "a" / MANIFEST).exists()
    if command == "run":  # the other workers of a sweep are stopped, wherever they are
        assert not list((tmp_path / "a").rglob("*.tmp"))
    complete(*line, "-o", "a")
    assert_same_store(tmp_path / "a", tmp_path / "undisturbed")


def test_a_disk_that_fills_during_a_simulation_keeps_the_checkpoint_before(undisturbed: Path, tmp_path: Path) -> None:
    driver = tmp_path / "driver.py"
    driver.write_text(FULL_AT_THE_THIRD_CHECKPOINT + CHECKPOINTS_AT_ONCE)
    code, out, err = finish(start(*simulation(undisturbed, "a"), driver=driver))
    assert code == 2, (out, err)
    assert one_sentence(err).startswith("no space is left on the device of ")
    kept = checkpoints(tmp_path / "a")
    assert len(kept) == 2
    complete(*simulation(undisturbed, "a"), driver=undisturbed / "driver.py")
    assert began() == [0, kept[-1]]
    assert_same_store(tmp_path / "a", undisturbed / "undisturbed")

"""Where the work runs changes nothing: serial, processes, a Dask cluster and a queue give the same bytes."""

from __future__ import annotations

import hashlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import pytest
import toy_runs

from glassformer._core._errors import InvalidInputError, MissingExtraError, StoreBusyError
from glassformer.sweeps import inspect_directory, load, resume, run, sweep
from glassformer.sweeps._executors import map_tasks, open_executor
from glassformer.sweeps._lock import lock_directory
from glassformer.sweeps._slurm import write_script

TESTS = Path(toy_runs.__file__).parent
GRID: dict[str, Any] = {"beta": [0.1, 0.2, 0.5, 1.0, 2.0, 5.0]}


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(TESTS))


def numbers(path: str | Path) -> dict[str, str]:
    """Checksums of all files but those that hold times."""
    return {
        item.relative_to(path).as_posix(): hashlib.sha256(item.read_bytes()).hexdigest()
        for item in sorted(Path(path).rglob("*"))
        if item.is_file() and item.name not in ("manifest.json", "events.jsonl")
    }


def lines(path: Path) -> list[list[str]]:
    return [line.split() for line in path.read_text().splitlines()]


def test_every_executor_speaks_the_protocol_of_the_standard_library() -> None:
    for kind in ("serial", "process"):
        with open_executor(kind, jobs=1) as executor:
            assert isinstance(executor, Executor)
            assert executor.submit(abs, -3).result(timeout=60) == 3
            future = executor.submit(int, "x")
            assert isinstance(future.exception(timeout=60), ValueError)


def test_processes_give_the_bytes_of_one_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sweep("toy_runs:TOY", grid=GRID, seed=1, directory="serial")
    monkeypatch.setenv("TOY_LOG", str(tmp_path / "log"))
    sweep("toy_runs:TOY", grid=GRID, seed=1, directory="pool", jobs=2)
    assert numbers("pool") == numbers("serial")
    assert str(os.getpid()) not in {line[0] for line in lines(tmp_path / "log")}


def test_parts_are_spread_over_processes_and_combine_to_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("toy_runs:PIECES", seed=1, pieces=5, directory="serial")
    monkeypatch.setenv("TOY_LOG", str(tmp_path / "log"))
    run("toy_runs:PIECES", seed=1, pieces=5, directory="pool", jobs=2)
    assert numbers("pool") == numbers("serial")
    assert sorted(line[-1] for line in lines(tmp_path / "log")) == list("01234")
    assert str(os.getpid()) not in {line[0] for line in lines(tmp_path / "log")}


def threads_of_worker(directory: str, index: int) -> list[str | None]:
    return [os.environ.get(name) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")]


def test_each_worker_process_has_one_thread() -> None:
    seen: list[Any] = []
    before = dict(os.environ)
    map_tasks("process", threads_of_worker, [("", 0)], lambda task, result, error: seen.append(result or error))
    assert seen == [["1", "1", "1"]]
    assert dict(os.environ) == before


def test_a_worker_that_dies_costs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOY_MARK", str(tmp_path / "mark"))
    result = sweep("toy_runs:TOY", grid=GRID, trouble="die-once", seed=1, directory="s", jobs=2)
    assert (tmp_path / "mark").exists()
    assert (result["point_status"] == "ok").all()
    assert inspect_directory("s").state == "done"


def test_points_that_fail_in_workers_are_stored_with_their_sentences() -> None:
    result = sweep("toy_runs:TOY", grid=GRID, trouble="diverge", seed=1, directory="s", jobs=2)
    assert result["point_status"].values.tolist() == ["ok", "ok", "ok", "error", "error", "error"]


def test_the_orphans_of_a_killed_parent_leave(tmp_path: Path) -> None:
    log = tmp_path / "log"
    code = (
        "from glassformer.sweeps import sweep\n"
        "if __name__ == '__main__':\n"
        "    sweep('toy_runs:TOY', beta=[0.1, 0.2, 0.5], delay=30.0, seed=1, directory='s', jobs=2)\n"
    )
    (tmp_path / "script.py").write_text(code)
    process = subprocess.Popen([sys.executable, "script.py"], env={**os.environ, "TOY_LOG": str(log)})
    try:
        wait_until(lambda: len(list(Path("s").glob("points/*/.lock-owner.json"))) == 2)
        owners = [
            int(re.findall(r'"pid": (\d+)', item.read_text())[0])
            for item in Path("s").glob("points/*/.lock-owner.json")
        ]
    finally:
        process.kill()
        process.wait()
    wait_until(lambda: not any(alive(pid) for pid in owners))
    assert process.pid not in owners


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def wait_until(condition: Any, seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


# ---------------------------------------------------------------- several processes, one sweep


def resume_command(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "glassformer.cli", "resume", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_two_processes_on_one_sweep_never_compute_a_point_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from glassformer.sweeps._study import plan
    from glassformer.sweeps._sweep import prepare_sweep

    settings = {"delay": 0.1, "seed": 1}
    prepare_sweep(plan("toy_runs:TOY", settings=settings, grid=GRID), Path("s"))
    monkeypatch.setenv("TOY_LOG", str(tmp_path / "log"))
    whole = [resume_command("s") for _ in range(2)]
    tasks = [resume_command("s", "--point", "0:6"), resume_command("s", "--point", "3:6")]
    for process in (*whole, *tasks):
        _, errors = process.communicate(timeout=60)
        assert "Traceback" not in errors
        assert process.returncode in (0, 2)
        if process.returncode == 2:
            assert re.search(r"is being written by process \d+|another process may be computing the rest", errors)
    resume("s")
    computed = [line[1] for line in lines(tmp_path / "log")]
    assert sorted(computed) == sorted(set(computed))
    assert len(computed) == 6
    monkeypatch.delenv("TOY_LOG")
    sweep("toy_runs:TOY", grid=GRID, directory="alone", **settings)
    assert numbers("s") == numbers("alone")


def test_a_second_resume_of_a_sweep_is_told_who_is_there() -> None:
    sweep("toy_runs:TOY", grid=GRID, seed=1, directory="s")
    with lock_directory(Path("s")), pytest.raises(StoreBusyError, match=rf"by process {os.getpid()} on"):
        resume("s")


# ---------------------------------------------------------------- choosing


@pytest.mark.parametrize(
    ("keywords", "piece"),
    [
        ({"executor": "mpi"}, "the executor is 'mpi', but must be one of serial, process, dask"),
        ({"jobs": 0}, "jobs is 0, but must be an integer >= 1"),
        ({"executor": "process", "scheduler": "tcp://x:1"}, "only dask takes one"),
    ],
)
def test_executors_that_do_not_exist_are_refused(keywords: dict[str, Any], piece: str) -> None:
    with pytest.raises(InvalidInputError, match=piece):
        sweep("toy_runs:TOY", grid=GRID, seed=1, directory="s", **keywords)


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'glassformer\[distributed\]'"):
        sweep("toy_runs:TOY", grid=GRID, seed=1, directory="s", executor="dask")


def test_a_scheduler_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed")
    from glassformer.sweeps import _executors

    monkeypatch.setattr(_executors, "PATIENCE", 1)
    port = free_port()
    with pytest.raises(InvalidInputError, match="no Dask scheduler answers there"):
        sweep("toy_runs:TOY", grid=GRID, seed=1, directory="s", executor="dask", scheduler=f"tcp://127.0.0.1:{port}")


# ---------------------------------------------------------------- Dask


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """A scheduler and two workers as processes of their own, on loopback."""
    pytest.importorskip("distributed")
    address = f"tcp://127.0.0.1:{free_port()}"
    environment = {**os.environ, "PYTHONPATH": str(TESTS), "DASK_DISTRIBUTED__ADMIN__LOW_LEVEL_LOG_LENGTH": "0"}
    common: dict[str, Any] = {
        "env": environment,
        "stdout": subprocess.DEVNULL,
        "stderr": subprocess.DEVNULL,
        "cwd": tmp_path,
    }
    host, port = address.removeprefix("tcp://").split(":")
    scheduler = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", host, "--port", port]
    processes = [subprocess.Popen([*scheduler, "--no-dashboard", "--no-show"], **common)]
    worker = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--nthreads", "1", "--no-nanny"]
    processes += [subprocess.Popen([*worker, "--no-dashboard", "--host", "127.0.0.1"], **common) for _ in range(2)]
    try:
        from distributed import Client

        with Client(address, timeout=30, set_as_default=False) as client:
            client.wait_for_workers(2, timeout=30)
        yield address, processes[1:]
    finally:
        for process in processes:
            process.kill()
        for process in processes:
            process.wait()


def test_a_dask_worker_killed_in_the_middle_loses_nothing(
    cluster: tuple[str, list[subprocess.Popen[bytes]]], tmp_path: Path
) -> None:
    address, workers = cluster
    grid = {"beta": "0.1:10:log12"}
    sweep("toy_runs:TOY", grid=grid, delay=0.15, seed=1, directory="serial")
    killed: list[int] = []

    def progress(done: float, total: float) -> None:
        if done >= 3 and not killed:
            killed.append(workers[0].pid)
            os.kill(workers[0].pid, signal.SIGKILL)

    result = sweep(
        "toy_runs:TOY",
        grid=grid,
        delay=0.15,
        seed=1,
        directory="dask",
        executor="dask",
        scheduler=address,
        progress=progress,
    )
    assert killed
    assert workers[0].wait(10) == -signal.SIGKILL
    assert (result["point_status"] == "ok").all()
    assert inspect_directory("dask").state == "done"
    assert numbers("dask") == numbers("serial")


# ---------------------------------------------------------------- SLURM


def script_of(size: int, **options: Any) -> str:
    write_script(Path("s"), size, **options)
    return Path("s/submit.sh").read_text()


def test_the_array_script_says_what_will_happen(tmp_path: Path) -> None:
    text = script_of(24, time_limit="2-00:30:00", partition="long")
    assert text.startswith("#!/bin/bash\n")
    for line in (
        "#SBATCH --array=0-23",
        "#SBATCH --time=2-00:30:00",
        "#SBATCH --partition=long",
        "#SBATCH --cpus-per-task=1",
        "#SBATCH --requeue",
        "#SBATCH --signal=B:USR1@90",
        f'#SBATCH --output="{tmp_path}/s/logs/%a.txt"',
        "trap requeue USR1",
        f'{sys.executable} -m glassformer.cli resume {tmp_path}/s --point "$SLURM_ARRAY_TASK_ID" &',
    ):
        assert line in text.splitlines(), line
    assert "--partition" not in script_of(24)


def test_large_sweeps_get_several_points_per_task() -> None:
    text = script_of(2500)
    assert "#SBATCH --array=0-833" in text
    assert "first=$((SLURM_ARRAY_TASK_ID * 3))" in text
    assert "last=$((first + 3 < 2500 ? first + 3 : 2500))" in text
    assert '--point "$first:$last" &' in text
    assert "#SBATCH --array=0-9\n" in script_of(100, chunk=10)


@pytest.mark.parametrize(
    ("options", "piece"),
    [
        ({"time_limit": "soon"}, "--time is 'soon'"),
        ({"partition": "a; rm -rf"}, "--partition is"),
        ({"chunk": 0}, "--chunk is 0"),
    ],
)
def test_options_that_a_queue_would_not_take_are_refused(options: dict[str, Any], piece: str) -> None:
    with pytest.raises(InvalidInputError, match=re.escape(piece)):
        write_script(Path("s"), 3, **options)


@pytest.fixture
def queue(tmp_path: Path) -> dict[str, str]:
    """The environment of a task, with an `scontrol` that writes down what it is asked."""
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "scontrol").write_text(f'#!/bin/bash\necho "$@" >> {tmp_path}/asked\n')
    (tools / "scontrol").chmod(0o755)
    path = f"{tools}:{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "SLURM_ARRAY_JOB_ID": "77", "SLURM_ARRAY_TASK_ID": "1"}


def test_the_array_script_computes_its_points(queue: dict[str, str]) -> None:
    from glassformer.sweeps._study import plan
    from glassformer.sweeps._sweep import prepare_sweep

    prepare_sweep(plan("toy_runs:TOY", settings={"seed": 1}, grid=GRID), Path("s"))
    write_script(Path("s"), 6, chunk=4)
    subprocess.run(["bash", "s/submit.sh"], env=queue, check=True, timeout=60)
    states = [point.state for point in inspect_directory("s").points]  # type: ignore[union-attr]
    assert states == ["unfinished"] * 4 + ["done"] * 2
    assert not Path("asked").exists()
    resume("s")
    assert load("s").attrs["status"] == "ok"


def test_a_task_that_runs_out_of_time_goes_back_to_the_queue_and_continues(queue: dict[str, str]) -> None:
    from glassformer.sweeps._study import plan
    from glassformer.sweeps._sweep import prepare_sweep

    prepare_sweep(plan("toy_runs:PIECES", settings={"seed": 1, "pieces": 40, "delay": 0.1}, grid=GRID), Path("s"))
    write_script(Path("s"), 6)
    process = subprocess.Popen(["bash", "s/submit.sh"], env=queue, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    wait_until(lambda: len(list(Path("s").glob("points/00001-*/parts/*.json"))) >= 2)
    process.send_signal(signal.SIGUSR1)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 0, output
    assert Path("asked").read_text() == "requeue 77_1\n"
    assert b"asked to stop; what was finished is kept" in output
    kept = len(list(Path("s").glob("points/00001-*/parts/*.json")))
    assert 2 <= kept < 40
    assert inspect_directory("s").points[1].state == "unfinished"  # type: ignore[union-attr]

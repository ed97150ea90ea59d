"""The verb `sweep`: one run over a grid, every point a run directory."""

from __future__ import annotations

import functools
import os
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glassformer._core._errors import InvalidInputError, NotConvergedError, StoreDamagedError, StoreError
from glassformer._version import NUMERICAL_VERSION
from glassformer.sweeps._events import EventLog
from glassformer.sweeps._files import make_directory, storage_error, write_atomic
from glassformer.sweeps._lock import lock_directory
from glassformer.sweeps._points import Point, inspect_point, run_point
from glassformer.sweeps._prepare import slug
from glassformer.sweeps._spec import Progress
from glassformer.sweeps._store import (
    INPUTS,
    MANIFEST,
    RESULT,
    STUDY,
    clear_debris,
    is_usable,
    load_result,
    read_manifest,
    verify,
    write_manifest,
)
from glassformer.sweeps._study import Study, plan, read_study

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True)
class SweepInspection:
    """What a sweep directory holds: every point, and how many of each state."""

    path: Path
    study: Study
    points: tuple[Point, ...]
    damaged: tuple[str, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """Number of points in each state."""
        return dict(Counter(point.state for point in self.points))

    @property
    def complete(self) -> bool:
        """Whether every point is committed, well or badly."""
        return all(point.state in ("done", "failed") for point in self.points)

    @property
    def state(self) -> str:
        """``done``, ``failed``, ``damaged`` or ``unfinished``, whichever needs attention most."""
        if self.damaged or self.counts.get("damaged"):
            return "damaged"
        if not self.complete:
            return "unfinished"
        return "failed" if self.counts.get("failed") else "done"

    @property
    def sentence(self) -> str:
        """The state in words."""
        listed = ", ".join(f"{count} {state}" for state, count in sorted(self.counts.items()))
        text = f"{self.path}: {self.study.size} points ({listed})"
        if self.damaged:
            text += f"; {', '.join(self.damaged)} damaged"
        return f"{text}."


def sweep(
    name: str | os.PathLike[str],
    /,
    *,
    scale: str | None = None,
    directory: str | os.PathLike[str] | None = None,
    seed: int | None = None,
    jobs: int = 1,
    executor: str | None = None,
    scheduler: str | None = None,
    progress: Progress | None = None,
    throw: bool = False,
    grid: Mapping[str, Any] | None = None,
    **settings: Any,
) -> xr.Dataset:
    """Compute a run over a grid, point by point, and return one Dataset with the grid as dimensions.

    A sweep that was interrupted, or that another process is computing, is continued by the same call.

    Parameters
    ----------
    name : str or path
        A run, or a TOML file with ``run = "NAME"`` and the tables ``[set]`` and ``[grid]``.
    jobs : int
        Number of local processes.
    executor : {"serial", "process", "dask"}, optional
        ``process`` when `jobs` is more than one, else ``serial``.
    scheduler : str, optional
        Address of a Dask scheduler.
    progress : callable, optional
        ``progress(done, total)`` in points.
    throw : bool
        Raise `NotConvergedError` when a point failed. Failed points are stored and listed either way.
    grid : mapping, optional
        Axes by name: a list, or a range such as ``"0.1:10:log25"``.
    **settings
        Fields of the configuration. A list for a field that takes no list is an axis.

    Returns
    -------
    Dataset
        Variables have the axes first; ``point_status`` holds the status of each point.

    Examples
    --------
    >>> import glassformer as gf
    >>> gf.sweep("vector/solve", beta=[0.5, 1.0, 2.0], seed=1)["alignment_of_mean"]  # doctest: +SKIP
    """
    path = Path(directory) if directory is not None else None
    study = plan(name, scale=scale, seed=seed, settings=settings, grid=grid, directory=path)
    if path is None:
        path = default_directory(study)
    prepare_sweep(study, path)
    combined = resume_sweep(path, jobs=jobs, executor=executor, scheduler=scheduler, progress=progress, throw=throw)
    assert combined is not None, "without a choice of points a sweep is finished or raises"
    return combined


def default_directory(study: Study) -> Path:
    """Return ``runs/NAME-sweep-HASH``."""
    return Path("runs") / f"{slug(study.name)}-sweep-{study.digest[:8]}"


def prepare_sweep(study: Study, path: Path) -> None:
    """Write ``study.toml`` and the shared inputs, unless the same study is there already."""
    text, files = study.render()
    if path.exists() and not path.is_dir():
        raise InvalidInputError(f"{path} is not a directory; choose another one with -o.")
    manifest = _manifest_or_none(path)
    if not (path / STUDY).exists() and manifest is None:
        others = [item.name for item in path.iterdir() if not item.name.startswith(".")] if path.exists() else []
        if set(others) - {INPUTS}:
            raise InvalidInputError(
                f"{path} holds files that are not a sweep ({min(others)}); choose another directory with -o."
            )
        make_directory(path)
        with lock_directory(path):
            clear_debris(path, parts=False)
            if files:
                make_directory(path / INPUTS)
            for file, data in files.items():
                write_atomic(path / INPUTS / file, data)
            write_atomic(path / STUDY, text.encode())
        return
    if manifest is not None and manifest["kind"] != "sweep":
        raise InvalidInputError(f"{path} holds a run, not a sweep; choose another directory with -o.")
    present = (path / STUDY).read_bytes() if (path / STUDY).exists() else b""
    if manifest is not None and STUDY in verify(path, manifest):
        present = manifest["study"].encode()
    if present != text.encode():
        raise InvalidInputError(f"{path} holds another study ({STUDY} differs); choose another directory with -o.")


def resume_sweep(
    path: Path,
    *,
    jobs: int = 1,
    executor: str | None = None,
    scheduler: str | None = None,
    progress: Progress | None = None,
    throw: bool = False,
    points: Sequence[int] | None = None,
) -> xr.Dataset | None:
    """Finish or repair the sweep in `path`; with `points` only those, and None unless that completes it."""
    kind = executor or ("process" if jobs > 1 else "serial")
    if points is not None:
        _restore(path)
        study = _current(path)
        chosen = [index for index in points if study.values(index) is not None]
        _compute(study, path, chosen, kind, jobs, scheduler, progress, None)
        return None
    with lock_directory(path):
        clear_debris(path, parts=False)
        _restore(path)
        study = _current(path)
        finished = _finished(path, study)
        if finished is None:
            finished = _run_all(study, path, kind, jobs, scheduler, progress)
    if throw and not is_usable(finished.attrs["status"]):
        raise NotConvergedError(f"{study.name}: {finished.attrs['status_sentence']}", finished)
    return finished


def _current(path: Path) -> Study:
    """The study in `path`, refused when its points were computed by code that gives other numbers."""
    study = read_study(path)
    if study.numerical_version != NUMERICAL_VERSION:
        raise InvalidInputError(
            f"{path} belongs to numerical version {study.numerical_version}, but this is {NUMERICAL_VERSION}, whose "
            "numbers may differ; choose another directory with -o, or load it as it is."
        )
    return study


def _run_all(
    study: Study, path: Path, kind: str, jobs: int, scheduler: str | None, progress: Progress | None
) -> xr.Dataset:
    log = EventLog(path)
    inspection = inspect_sweep(path)
    todo = [point.index for point in inspection.points if point.state != "done" and not _settled(path, point)]
    log.write("started", run=study.name, points=study.size, todo=len(todo), pid=os.getpid())
    started = time.time()
    try:
        _compute(study, path, todo, kind, jobs, scheduler, progress, log)
    except KeyboardInterrupt:
        log.write("interrupted")
        raise
    inspection = inspect_sweep(path)
    if not inspection.complete:
        raise StoreError(
            f"{inspection.sentence[:-1]}; another process may be computing the rest: `glassformer resume {path}` "
            "finishes what it leaves."
        )
    return _commit(inspection, log, time.time() - started)


def _compute(
    study: Study,
    path: Path,
    todo: Sequence[int],
    kind: str,
    jobs: int,
    scheduler: str | None,
    progress: Progress | None,
    log: EventLog | None,
) -> None:
    from glassformer.sweeps._executors import map_tasks, open_executor

    total = study.size if log is not None else len(todo)
    finished = total - len(todo)

    def report(done: float) -> None:
        if progress is not None:
            progress(done, total)

    def on_done(task: tuple[str, int], state: Any, error: BaseException | None) -> None:
        nonlocal finished
        if error is not None:
            raise storage_error(error, path) if isinstance(error, OSError) else error
        finished += 1
        if log is not None:
            log.progress(finished, total)
        report(finished)

    report(finished)
    if not todo:
        with open_executor(kind if kind == "serial" else "serial", jobs=jobs):
            return
    work: Any = run_point
    if kind == "serial":  # here the progress inside a point can be seen
        work = functools.partial(run_point, progress=lambda done, of: report(finished + (done / of if of else 0.0)))
    directory = str(path.absolute())
    map_tasks(
        kind, work, [(directory, index) for index in todo], on_done, jobs=min(jobs, len(todo)), scheduler=scheduler
    )


def _settled(path: Path, point: Point) -> bool:
    """Whether a failed point has a result: computing it again would give the same. One that raised is tried again."""
    if point.state != "failed":
        return False
    manifest = read_manifest(path / point.name)
    return manifest is not None and RESULT in manifest["files"]


def _finished(path: Path, study: Study) -> xr.Dataset | None:
    """The stored result if the sweep was committed and every file in it is whole."""
    manifest = _manifest_or_none(path)
    if manifest is None or verify(path, manifest):
        return None
    inspection = inspect_sweep(path)
    if not inspection.complete or any(point.status == "error" for point in inspection.points):
        return None
    for point in inspection.points:
        _clear_point(path / point.name)
    return load_result(path, manifest)


def _commit(inspection: SweepInspection, log: EventLog, seconds: float) -> xr.Dataset:
    from glassformer.sweeps._combine import combine
    from glassformer.sweeps._netcdf import json_without_nan, split_volatile, to_bytes

    path, study = inspection.path, inspection.study
    for point in inspection.points:
        _clear_point(path / point.name)
    combined = combine(study, path, list(inspection.points))
    kept, volatile = split_volatile(combined)
    write_atomic(path / RESULT, to_bytes(kept))
    log.write("finished", status=kept.attrs["status"])
    manifest = write_manifest(
        path,
        "sweep",
        {
            "run": study.name,
            "scale": study.scale,
            "identity": study.digest,
            "status": kept.attrs["status"],
            "sentence": kept.attrs["status_sentence"],
            "seed": study.base.get("seed"),
            "timings": {"finished": time.time(), "wall_time": seconds},
            "volatile": json_without_nan(volatile),
            "study": (path / STUDY).read_text(encoding="utf-8"),
        },
    )
    return load_result(path, manifest)


def _clear_point(path: Path) -> None:
    """Remove what a killed worker left in a point that was committed."""
    from glassformer.sweeps._store import has_debris

    if has_debris(path):
        with lock_directory(path):
            clear_debris(path, parts=True)


def _restore(path: Path) -> None:
    """Write ``study.toml`` again from the manifest if it was damaged."""
    manifest = _manifest_or_none(path)
    if manifest is not None and STUDY in verify(path, manifest):
        write_atomic(path / STUDY, manifest["study"].encode())


def _manifest_or_none(path: Path) -> dict[str, Any] | None:
    try:
        return read_manifest(path)
    except StoreDamagedError:
        (path / MANIFEST).unlink(missing_ok=True)
        return None


def inspect_sweep(path: Path) -> SweepInspection:
    """Find out what every point of the sweep in `path` holds, with every checksum verified."""
    study = read_study(path)
    points = tuple(inspect_point(study, path, index)[0] for index in range(study.size))
    try:
        manifest = read_manifest(path)
        damaged = verify(path, manifest) if manifest is not None else ()
    except StoreDamagedError:
        damaged = (MANIFEST,)
    return SweepInspection(path, study, points, damaged)

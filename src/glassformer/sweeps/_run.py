"""The verb `run`: a name and settings in, a stored and verified Dataset out."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glassformer._core._errors import InvalidInputError, NotConvergedError, StoreDamagedError, StoreError
from glassformer._core._status import Status, versions
from glassformer.sweeps._artifacts import finish_artifacts, publish_artifacts, recall_artifacts
from glassformer.sweeps._config import identity
from glassformer.sweeps._events import EventLog
from glassformer.sweeps._files import (
    STORAGE_ERRORS,
    make_directory,
    remove_files,
    remove_tree,
    storage_error,
    write_atomic,
)
from glassformer.sweeps._lock import lock_directory
from glassformer.sweeps._prepare import prepare
from glassformer.sweeps._spec import Progress
from glassformer.sweeps._store import (
    ARTIFACTS,
    CHECKPOINTS,
    CONFIG,
    FIGURES,
    INPUTS,
    MANIFEST,
    PARTS,
    RESULT,
    Stored,
    clear_debris,
    has_debris,
    inspect_run,
    load_result,
    read_config,
    require_same,
    restore_config,
    write_config,
    write_manifest,
)

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True)
class Options:
    """How to compute, as opposed to what: none of this changes a number."""

    jobs: int = 1
    progress: Progress | None = None
    figure: bool = True
    inputs: str = INPUTS
    executor: str = "process"
    scheduler: str | None = None


def run(
    name: str | os.PathLike[str],
    /,
    *,
    scale: str | None = None,
    directory: str | os.PathLike[str] | None = None,
    seed: int | None = None,
    jobs: int = 1,
    progress: Progress | None = None,
    throw: bool = True,
    figure: bool = True,
    **settings: Any,
) -> xr.Dataset:
    """Compute a run, store it in a directory of its own, and return the result.

    A directory that already holds the same finished configuration is loaded instead of computed; an unfinished one is
    continued.

    Parameters
    ----------
    name : str or path
        A name of ``glassformer list``, an import path ``"module:ATTRIBUTE"`` of your own `RunSpec`, or a TOML file
        that has ``run = "NAME"`` beside its settings.
    scale : str, optional
        ``"quick"`` (the default, unless the file says otherwise) or ``"paper"``.
    directory : path, optional
        Where to store it; ``runs/NAME-HASH`` by default.
    seed : int, optional
        Root of all randomness; a fresh one is drawn, stored and returned in ``attrs["seed"]`` when left out.
    jobs : int
        Number of processes over which the parts of the run are spread.
    progress : callable, optional
        ``progress(done, total)``.
    throw : bool
        Raise `NotConvergedError`, with the result inside, when there is no answer to use. It is stored either way.
    figure : bool
        Draw the figure of the run, if it has one.
    **settings
        Fields of the configuration; ``**{"model.n": 64}`` reaches into nested tables.

    Returns
    -------
    Dataset
        With the evidence in ``attrs``, and the place in ``attrs["directory"]``.

    Raises
    ------
    InvalidInputError
        For a setting that cannot be used; nothing is written.
    NotConvergedError
        When the result cannot be trusted.
    StoreError
        When the directory cannot be used.

    Examples
    --------
    >>> import glassformer as gf
    >>> result = gf.run("vector/solve", seed=1, directory="my-first-run")  # doctest: +SKIP
    """
    prepared, path = prepare(name, scale=scale, seed=seed, settings=settings, directory=directory)
    dataset = execute(prepared, path, Options(jobs=jobs, progress=progress, figure=figure))
    status = Status(dataset.attrs["status"])
    if throw and status.failed:
        raise NotConvergedError(
            f"{prepared.name}: {dataset.attrs['status_sentence']} The result is stored in {path}; "
            "pass throw=False to get it.",
            dataset,
        )
    return dataset


def execute(stored: Stored, path: Path, options: Options) -> xr.Dataset:
    """Make `path` hold the finished run `stored` and return its result."""
    inspection = inspect_run(path)
    if inspection.state == "foreign":
        raise InvalidInputError(inspection.sentence)
    if inspection.has_result and inspection.manifest is not None and not has_debris(path):
        require_same(path, stored, inspection.manifest)
        _require_version(path, inspection.manifest)
        return load_result(path, inspection.manifest)
    fresh = inspection.state in ("absent", "empty")
    made = make_directory(path)
    try:
        with lock_directory(path):
            try:
                return _execute_locked(stored, path, options)
            except InvalidInputError:
                if fresh:  # this call began the directory, so nothing of value is in it
                    _erase(path, stored)
                raise
            except OSError as error:
                if error.errno not in STORAGE_ERRORS:
                    raise
                raise storage_error(error, path) from error
    except BaseException:
        _remove_if_empty(made)
        raise


def _execute_locked(stored: Stored, path: Path, options: Options) -> xr.Dataset:
    inspection = inspect_run(path)  # again: another process may have finished it while we waited
    manifest = inspection.manifest
    if inspection.state == "damaged" and manifest is not None and CONFIG in inspection.damaged:
        restore_config(path, manifest)
    if (path / CONFIG).exists():
        require_same(path, stored, manifest)
    if inspection.has_result and manifest is not None:
        _require_version(path, manifest)
        clear_debris(path, parts=True)
        return load_result(path, manifest)
    clear_debris(path, parts=False)
    lost = set(inspection.damaged) & {RESULT, *stored.spec.artifacts}  # what only computing brings back
    if manifest is not None and not lost and RESULT in manifest["files"]:
        return _repair(stored, path, manifest, options, inspection.damaged)
    if inspection.state in ("damaged", "failed"):
        remove_files(path, MANIFEST, RESULT, *FIGURES, *stored.spec.artifacts)
    if options.inputs == INPUTS and any(name.startswith(INPUTS) for name in inspection.damaged):
        remove_files(path, CONFIG)  # and write it with its inputs again, from the arrays in hand
    if not (path / CONFIG).exists():
        write_config(path, stored, inputs=options.inputs)
    return _compute(stored, path, options)


def _compute(stored: Stored, path: Path, options: Options) -> xr.Dataset:
    log = EventLog(path)
    log.write("started", run=stored.name, scale=stored.scale, pid=os.getpid())
    started = time.time()
    try:
        recall_artifacts(stored, path)
        dataset, computing = _compute_parts(stored, path, options, log)
    except KeyboardInterrupt:
        with suppress(StoreError):
            log.write("interrupted")
        raise
    except Exception as error:
        with suppress(StoreError):
            log.write("failed", error=f"{type(error).__name__}: {error}")
        raise
    finalize(dataset, stored)
    if len(stored.spec.part_list(stored.config)) > 1:
        dataset.attrs["wall_time"] = computing
    return _publish(stored, path, dataset, options, log, {"started": started, "wall_time": computing})


def _compute_parts(stored: Stored, path: Path, options: Options, log: EventLog) -> tuple[xr.Dataset, float]:
    """Return the result and the seconds of its parts; parts whose artifacts turn out damaged are computed once more."""
    for _ in range(2):
        parts, seconds = _all_parts(stored, path, options, log)
        if finish_artifacts(stored, path, parts):
            return parts[0] if stored.spec.combine is None else _combined(stored, parts), seconds
        log.write("damaged parts")
    raise StoreDamagedError(f"{path}: what was written there does not stay; is its disk sound?")


def _all_parts(stored: Stored, path: Path, options: Options, log: EventLog) -> tuple[list[xr.Dataset], float]:
    from glassformer.sweeps import _parts

    parts = stored.spec.part_list(stored.config)
    total = len(parts)

    def report(done: float, of: float) -> None:
        log.progress(done, of)
        if options.progress is not None:
            options.progress(done, of)

    if total == 1:  # nothing to store in between
        dataset, seconds = _parts.compute_part(stored, path, 0, parts[0], report)
        return [dataset], seconds
    todo = [index for index in range(total) if not _parts.has_part(path, index)]
    finished = total - len(todo)
    report(finished, total)
    if options.jobs > 1 and len(todo) > 1:
        from glassformer.sweeps._executors import map_tasks

        def on_done(task: tuple[str, int], result: Any, error: BaseException | None) -> None:
            nonlocal finished
            if error is not None:
                raise error
            finished += 1
            log.write("part", part=task[1])
            report(finished, total)

        tasks = [(str(path), index) for index in todo]
        jobs = min(options.jobs, len(todo))
        map_tasks(options.executor, _parts.compute_stored_part, tasks, on_done, jobs=jobs, scheduler=options.scheduler)
    else:
        for index in todo:

            def within(done: float, of: float, before: int = finished) -> None:
                report(before + (done / of if of else 0.0), total)

            dataset, wall_time = _parts.compute_part(stored, path, index, parts[index], within)
            _parts.store_part(path, index, dataset, wall_time)
            finished += 1
            log.write("part", part=index)
            report(finished, total)
    # Always from the files, so that an interrupted and an uninterrupted run combine the same arrays.
    loaded = [_parts.load_part(path, index) for index in range(total)]
    whole = [entry for entry in loaded if entry is not None]
    assert len(whole) == total, "a part vanished while the lock was held"
    return [dataset for dataset, _ in whole], sum(seconds for _, seconds in whole)


def _combined(stored: Stored, parts: list[xr.Dataset]) -> xr.Dataset:
    """Combine the parts, a single one too: its result has the same variables and dimensions as that of several."""
    assert stored.spec.combine is not None
    combined = stored.spec.combine(stored.config, parts)
    _keep_bad_status(combined, parts)
    return combined


def _keep_bad_status(combined: xr.Dataset, parts: list[xr.Dataset]) -> None:
    """A part that cannot be trusted shows in the whole, whatever `combine` does with attributes."""
    statuses = [Status(part.attrs.get("status", Status.OK.value)) for part in parts]
    bad = sorted((status for status in statuses if not status.good), key=lambda status: not status.failed)
    if bad and Status(combined.attrs.get("status", Status.OK.value)).good:
        combined.attrs["status"] = bad[0].value
    if bad:
        count = statuses.count(bad[0])
        combined.attrs["status_sentence"] = f"{count} of {len(parts)} parts: {bad[0].sentence}"


def finalize(dataset: xr.Dataset, stored: Stored) -> None:
    """Complete the evidence: status, versions, seed, name and citations."""
    import json

    attrs = dataset.attrs
    status = Status(attrs.setdefault("status", Status.OK.value))
    attrs.setdefault("status_sentence", status.sentence)
    attrs.setdefault("versions", json.dumps(versions()))
    attrs["run"] = stored.name
    attrs["scale"] = stored.scale
    attrs["identity"] = identity(stored.name, stored.config)
    seed = getattr(stored.config, "seed", None)
    if seed is not None:
        attrs["seed"] = int(seed)
    found = attrs.get("citations", "[]")
    own = json.loads(found) if isinstance(found, str) else list(found)
    attrs["citations"] = json.dumps(list(dict.fromkeys([*stored.spec.citations, *own])))


def _publish(
    stored: Stored, path: Path, dataset: xr.Dataset, options: Options, log: EventLog, timings: dict[str, float]
) -> xr.Dataset:
    from glassformer.sweeps._netcdf import split_volatile, to_bytes

    kept, volatile = split_volatile(dataset)
    publish_artifacts(stored, path)
    write_atomic(path / RESULT, to_bytes(kept))
    log.write("computed", status=kept.attrs["status"])
    return _commit(stored, path, options, log, kept.attrs, timings, volatile)


def _commit(
    stored: Stored,
    path: Path,
    options: Options,
    log: EventLog,
    attrs: Mapping[str, Any],
    timings: Mapping[str, float],
    volatile: Mapping[str, Any],
    computed_by: Mapping[str, Any] | None = None,
) -> xr.Dataset:
    from glassformer.sweeps._figure import draw_figures
    from glassformer.sweeps._netcdf import from_bytes, join_volatile, json_without_nan

    note = None
    if options.figure and stored.spec.plot is not None:
        drawn = join_volatile(from_bytes((path / RESULT).read_bytes()), volatile)
        note = draw_figures(stored.spec, drawn, path)
        if note is not None:
            log.write("figure_failed", error=note)
    log.write("finished", status=attrs["status"])
    manifest = write_manifest(
        path,
        "run",
        {
            "run": stored.name,
            "scale": stored.scale,
            "identity": identity(stored.name, stored.config),
            "status": attrs["status"],
            "sentence": attrs["status_sentence"],
            "seed": getattr(stored.config, "seed", None),
            "figure_error": note,
            "timings": {**timings, "finished": time.time()},
            "volatile": json_without_nan(volatile),
            "config": (path / CONFIG).read_text(encoding="utf-8"),
        },
        versions_of=computed_by,
    )
    clear_debris(path, parts=True)
    return load_result(path, manifest)


def _repair(
    stored: Stored, path: Path, manifest: Mapping[str, Any], options: Options, damaged: tuple[str, ...]
) -> xr.Dataset:
    """Mend what is not the result: inputs, figures, events."""
    if options.inputs == INPUTS and any(name.startswith(INPUTS) for name in damaged):
        write_config(path, stored)
    remove_files(path, *(name for name in damaged if name in FIGURES))
    log = EventLog(path)
    log.write("repaired", files=list(damaged))
    attrs = {"status": manifest["status"], "status_sentence": manifest["sentence"]}
    return _commit(stored, path, options, log, attrs, manifest["timings"], manifest["volatile"], manifest)


def resume_run(path: Path, options: Options) -> xr.Dataset:
    """Finish or repair the run directory `path`."""
    inspection = inspect_run(path)
    if inspection.manifest is not None and CONFIG in inspection.damaged:
        with lock_directory(path):
            restore_config(path, inspection.manifest)
    return execute(read_config(path), path, options)


def _require_version(path: Path, manifest: Mapping[str, Any]) -> None:
    from glassformer._version import NUMERICAL_VERSION

    if manifest["numerical_version"] != NUMERICAL_VERSION:
        raise InvalidInputError(
            f"{path} was computed with numerical version {manifest['numerical_version']}, but this is "
            f"{NUMERICAL_VERSION}, whose numbers may differ; choose another directory with -o, or load it as it is."
        )


def _erase(path: Path, stored: Stored) -> None:
    remove_files(path, CONFIG, RESULT, "events.jsonl", *FIGURES, *stored.spec.artifacts)
    for folder in (INPUTS, PARTS, CHECKPOINTS, ARTIFACTS):
        remove_tree(path / folder)


def _remove_if_empty(made: list[Path]) -> None:
    for folder in reversed(made):
        try:
            folder.rmdir()
        except OSError:
            return

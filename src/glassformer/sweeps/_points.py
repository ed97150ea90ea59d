"""Points of a sweep: computed by whoever is asked, each in a directory of its own."""

from __future__ import annotations

import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glassformer._core._errors import StoreBusyError, StoreError
from glassformer.sweeps._config import identity
from glassformer.sweeps._events import EventLog
from glassformer.sweeps._files import STORAGE_ERRORS, make_directory, remove_files
from glassformer.sweeps._lock import is_locked, lock_directory, owner_of
from glassformer.sweeps._run import Options, execute
from glassformer.sweeps._spec import Progress
from glassformer.sweeps._store import (
    CONFIG,
    FIGURES,
    INPUTS,
    RESULT,
    Inspection,
    Stored,
    clear_debris,
    inspect_run,
    is_usable,
    write_config,
    write_manifest,
)
from glassformer.sweeps._study import Study, read_study

SHARED_INPUTS = f"../../{INPUTS}"


@dataclass(frozen=True)
class Point:
    """One point and what its directory holds; ``state`` may also be ``running``."""

    index: int
    values: dict[str, Any]
    name: str
    state: str
    status: str
    sentence: str


def run_point(directory: str, index: int, progress: Progress | None = None) -> str:
    """Compute point `index` of the sweep in `directory` unless it is done; return its state.

    This is all that a worker is asked to do. A point that fails is stored as failed; one that another process is
    computing is left to it.
    """
    sweep = Path(directory)
    study = read_study(sweep)
    stored = study.stored(index)
    path = sweep / study.point_name(index)
    try:
        dataset = execute(stored, path, Options(figure=False, inputs=SHARED_INPUTS, progress=progress))
    except StoreBusyError:
        return "running"
    except StoreError:
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno in STORAGE_ERRORS:
            raise  # the disk is not the fault of a point: this stops the whole sweep
        try:
            _store_failure(stored, path, error)
        except StoreBusyError:
            return "running"
        return "failed"
    return "done" if is_usable(dataset.attrs["status"]) else "failed"


def _store_failure(stored: Stored, path: Path, error: Exception) -> None:
    """Commit a directory that says why there is no result."""
    make_directory(path)
    reason = str(error) or type(error).__name__
    sentence = " ".join(reason.split())
    if type(error).__module__ == "builtins" and str(error):
        sentence = f"{type(error).__name__}: {sentence}"
    with lock_directory(path):
        clear_debris(path, parts=True)
        remove_files(path, RESULT, *FIGURES, *stored.spec.artifacts)
        if not (path / CONFIG).exists():
            write_config(path, stored, inputs=SHARED_INPUTS)
        EventLog(path).write("failed", error=sentence, traceback=traceback.format_exc())
        write_manifest(
            path,
            "run",
            {
                "run": stored.name,
                "scale": stored.scale,
                "identity": identity(stored.name, stored.config),
                "status": "error",
                "sentence": sentence,
                "seed": getattr(stored.config, "seed", None),
                "figure_error": None,
                "timings": {"finished": time.time()},
                "volatile": {},
                "config": (path / CONFIG).read_text(encoding="utf-8"),
            },
        )


def inspect_point(study: Study, sweep: Path, index: int) -> tuple[Point, Inspection]:
    """Find out what the directory of point `index` holds."""
    name = study.point_name(index)
    inspection = inspect_run(sweep / name)
    state, sentence = str(inspection.state), inspection.sentence
    if state in ("absent", "empty", "foreign"):
        state, sentence = "unfinished", "not begun"
    if state == "unfinished" and is_locked(sweep / name):
        state, sentence = "running", f"held by {owner_of(sweep / name)}"
    status = inspection.manifest["status"] if inspection.manifest is not None else ""
    return Point(index, study.values(index), name, state, status, sentence), inspection

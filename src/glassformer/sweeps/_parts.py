"""Parts: the pieces of one run that are computed, stored and resumed one by one."""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glassformer._core._errors import NotConvergedError
from glassformer._version import NUMERICAL_VERSION
from glassformer.sweeps._files import make_directory, remove_files, remove_tree, write_atomic
from glassformer.sweeps._spec import Progress, RunContext, no_progress
from glassformer.sweeps._store import ARTIFACTS, CHECKPOINTS, PARTS, Stored, read_config

if TYPE_CHECKING:
    import xarray as xr


def compute_part(
    stored: Stored, path: Path, index: int, part: dict[str, Any], progress: Progress = no_progress
) -> tuple[xr.Dataset, float]:
    """Compute one part; return its Dataset and the wall time in seconds."""
    make_directory(path / CHECKPOINTS)
    if stored.spec.artifacts:
        make_directory(path / ARTIFACTS)
    context = RunContext(
        progress=progress,
        checkpoint=path / CHECKPOINTS / f"{index:05d}",
        seed=getattr(stored.config, "seed", None),
        part=index,
        artifacts=path / ARTIFACTS if stored.spec.artifacts else None,
    )
    started = time.perf_counter()
    try:
        dataset = stored.spec.compute(stored.config, part, context)
    except NotConvergedError as error:
        if error.result is None:
            raise
        dataset = error.result  # the status inside says what happened
    return dataset, time.perf_counter() - started


def store_part(path: Path, index: int, dataset: xr.Dataset, wall_time: float) -> None:
    """Store one part: the data first, then the small file that vouches for it."""
    from glassformer.sweeps._netcdf import split_volatile, to_bytes

    make_directory(path / PARTS)
    kept, volatile = split_volatile(dataset)
    digest = write_atomic(path / PARTS / f"{index:05d}.nc", to_bytes(kept))
    note = {"sha256": digest, "wall_time": wall_time, "numerical_version": NUMERICAL_VERSION, "volatile": volatile}
    write_atomic(path / PARTS / f"{index:05d}.json", json.dumps(note).encode())


def load_part(path: Path, index: int) -> tuple[xr.Dataset, float] | None:
    """Return a stored part and its wall time, None if it is missing or damaged."""
    from glassformer.sweeps._netcdf import from_bytes, join_volatile

    try:
        note = json.loads((path / PARTS / f"{index:05d}.json").read_bytes())
        data = (path / PARTS / f"{index:05d}.nc").read_bytes()
        if not _vouches(note, data):
            return None
        return join_volatile(from_bytes(data), note["volatile"]), float(note["wall_time"])
    except (OSError, ValueError, KeyError):
        return None


def has_part(path: Path, index: int) -> bool:
    """Whether a stored part is there and whole."""
    try:
        note = json.loads((path / PARTS / f"{index:05d}.json").read_bytes())
        data = (path / PARTS / f"{index:05d}.nc").read_bytes()
    except (OSError, ValueError):
        return False
    return _vouches(note, data)


def _vouches(note: dict[str, Any], data: bytes) -> bool:
    """Whether `data` is what `note` was written for, by code that computes the same numbers."""
    same = hashlib.sha256(data).hexdigest() == note.get("sha256")
    return same and note.get("numerical_version") == NUMERICAL_VERSION


def forget_part(path: Path, index: int) -> None:
    """Remove what is kept of a part, its checkpoint too, so that it is computed from its beginning."""
    remove_files(path / PARTS, f"{index:05d}.json", f"{index:05d}.nc")
    remove_tree(path / CHECKPOINTS / f"{index:05d}")


def compute_stored_part(directory: str, index: int) -> int:
    """Compute and store part `index` of the run directory; what a worker process does."""
    path = Path(directory)
    stored = read_config(path)
    part = stored.spec.part_list(stored.config)[index]
    dataset, wall_time = compute_part(stored, path, index, part)
    store_part(path, index, dataset, wall_time)
    return index

"""Finding out what a directory holds, and finishing it, whatever it is."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from glassformer._core._errors import InvalidInputError, StoreError
from glassformer.sweeps._run import Options, resume_run
from glassformer.sweeps._spec import Progress
from glassformer.sweeps._store import MANIFEST, STUDY, Inspection, inspect_run, read_manifest
from glassformer.sweeps._sweep import SweepInspection, inspect_sweep, resume_sweep

if TYPE_CHECKING:
    import xarray as xr


def is_sweep(path: Path) -> bool:
    """Whether `path` is a sweep directory, even one whose ``study.toml`` was lost."""
    if (path / STUDY).exists():
        return True
    if not (path / MANIFEST).exists():
        return False
    try:
        manifest = read_manifest(path)
    except StoreError:
        return False
    return manifest is not None and manifest.get("kind") == "sweep"


def inspect_directory(path: str | os.PathLike[str], /) -> Inspection | SweepInspection:
    """Return what the run or sweep directory `path` holds, with every checksum verified."""
    folder = Path(path)
    if not folder.is_dir():
        raise StoreError(f"{folder} is not a directory; give a run directory, as in runs/NAME-HASH.")
    return inspect_sweep(folder) if is_sweep(folder) else inspect_run(folder)


def resume(
    path: str | os.PathLike[str],
    /,
    *,
    jobs: int = 1,
    executor: str | None = None,
    scheduler: str | None = None,
    progress: Progress | None = None,
    points: Sequence[int] | None = None,
) -> xr.Dataset | None:
    """Finish or repair the run or sweep in `path` and return its result.

    What is finished and whole is kept; what is missing or damaged is computed again, to the same bits.

    Parameters
    ----------
    points : sequence of int, optional
        Compute only these points of a sweep, and return None.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise StoreError(f"{folder} is not a directory; give a run directory, as in runs/NAME-HASH.")
    if is_sweep(folder):
        return resume_sweep(folder, jobs=jobs, executor=executor, scheduler=scheduler, progress=progress, points=points)
    if points is not None:
        raise InvalidInputError(f"{folder} is one run, which has no points; leave --point out.")
    options = Options(jobs=jobs, executor=executor or "process", scheduler=scheduler, progress=progress)
    return resume_run(folder, options)

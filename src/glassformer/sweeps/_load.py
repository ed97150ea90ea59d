"""The verb `load`: a directory in, its verified result out."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from glassformer._core._errors import StoreError
from glassformer.sweeps._store import MANIFEST, RESULT, STUDY, load_result, read_manifest

if TYPE_CHECKING:
    import xarray as xr


def load(path: str | os.PathLike[str], /) -> xr.Dataset:
    """Return the result stored in a run or sweep directory, after verifying its checksum.

    Parameters
    ----------
    path : path
        A run directory, its ``result.nc``, or a sweep directory; a sweep gives one Dataset with the grid as
        dimensions.

    Raises
    ------
    StoreError
        When the directory is not there, not ours or not finished.
    StoreDamagedError
        When a file differs from its checksum.
    """
    folder = Path(path)
    if folder.name in (RESULT, MANIFEST, "config.toml") and folder.is_file():
        folder = folder.parent
    if not folder.is_dir():
        raise StoreError(f"{folder} is not a directory; give a run directory, as in runs/NAME-HASH.")
    if (folder / STUDY).exists():
        from glassformer.sweeps._combine import load_sweep

        return load_sweep(folder)
    manifest = read_manifest(folder)
    if manifest is None:
        from glassformer.sweeps._store import inspect_run

        raise StoreError(inspect_run(folder).sentence)
    if RESULT not in manifest["files"]:
        raise StoreError(f"{folder} has no result: {manifest['sentence']}")
    return load_result(folder, manifest)

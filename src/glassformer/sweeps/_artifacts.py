"""Files that a run writes beside its result: drafts in a folder of their own until the commit, then under their names.

A draft may be incomplete; what stands beside ``result.nc`` of a committed run is whole, and the manifest vouches for it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from glassformer._core._errors import DamagedPartsError, StoreError
from glassformer.sweeps._files import TEMPORARY, make_directory, storing, sync_directory
from glassformer.sweeps._parts import forget_part
from glassformer.sweeps._store import ARTIFACTS, Stored

if TYPE_CHECKING:
    import xarray as xr


def recall_artifacts(stored: Stored, path: Path) -> None:
    """Take back what a commit that was cut short had already moved, so that the parts find it where they left it."""
    names = [name for name in stored.spec.artifacts if (path / name).exists()]
    if names:
        make_directory(path / ARTIFACTS)
    with storing(path):
        for name in names:
            os.replace(path / name, path / ARTIFACTS / name)


def finish_artifacts(stored: Stored, path: Path, parts: list[xr.Dataset]) -> bool:
    """Complete the drafts; False if parts were damaged, which are then forgotten and must be computed again."""
    if stored.spec.finish is None:
        return True
    try:
        stored.spec.finish(stored.config, parts, path / ARTIFACTS)
    except DamagedPartsError as error:
        for index in error.parts:
            forget_part(path, index)
        return False
    return True


def publish_artifacts(stored: Stored, path: Path) -> None:
    """Give the drafts their final names; the manifest that follows is the commit."""
    with storing(path):
        for name in stored.spec.artifacts:
            draft = path / ARTIFACTS / name
            if not draft.exists():
                continue
            with open(draft, "rb") as stream:
                os.fsync(stream.fileno())
            os.replace(draft, path / name)
        sync_directory(path)
    left = [item.name for item in (path / ARTIFACTS).iterdir()] if (path / ARTIFACTS).is_dir() else []
    extra = [name for name in sorted(left) if not name.endswith(TEMPORARY)]
    if extra:
        raise StoreError(f"{stored.name} wrote {extra[0]!r}, which is not among its artifacts; name it in the RunSpec.")

"""Adding figures to a directory that is already committed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from glassformer._core._errors import StoreError
from glassformer.sweeps._files import write_atomic
from glassformer.sweeps._lock import lock_directory
from glassformer.sweeps._store import read_manifest, verify, write_manifest

_WRITTEN_ANEW = ("format", "kind", "files", "sha256", "versions", "platform", "numerical_version")


def add_figures(path: Path, images: Mapping[str, bytes]) -> None:
    """Write `images` into `path` and commit again; the numbers, and what is said about them, stay as they are."""
    with lock_directory(path):
        manifest = read_manifest(path)
        if manifest is None:  # a sweep whose points are all there, but which nobody committed
            raise StoreError(f"{path} is not committed yet; `glassformer resume {path}` does that.")
        damaged = [name for name in verify(path, manifest) if name not in images]
        if damaged:
            raise StoreError(f"{path}: {', '.join(damaged)} damaged; `glassformer resume {path}` repairs it.")
        for name, data in images.items():
            write_atomic(path / name, data)
        details = {key: value for key, value in manifest.items() if key not in _WRITTEN_ANEW}
        write_manifest(path, manifest["kind"], details, versions_of=manifest)

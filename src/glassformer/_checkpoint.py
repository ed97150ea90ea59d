"""Two rotating checkpoint files, each complete or absent; a damaged one is passed over."""

from __future__ import annotations

import contextlib
import os
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from glassformer._core._errors import invalid

_DAMAGE = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile)


class CheckpointFiles:
    """The checkpoints of one run in a directory of its own.

    Parameters
    ----------
    directory : Path
        Made when the first checkpoint is written.
    identity : str
        Hash of everything that fixes the bits of the run; files of another run are refused, not overwritten.
    """

    def __init__(self, directory: str | os.PathLike[str], identity: str) -> None:
        self.directory = Path(directory)
        self.identity = identity
        self._next = 0
        if self.directory.exists() and not self.directory.is_dir():
            raise invalid("checkpoint", str(directory), "a directory", "its two files are written inside")

    def _path(self, which: int) -> Path:
        return self.directory / f"checkpoint-{which}.npz"

    def load(self) -> dict[str, np.ndarray] | None:
        """Return the newest intact checkpoint, or None."""
        best: dict[str, np.ndarray] | None = None
        for which in range(2):
            arrays = _read(self._path(which))
            if arrays is None:
                continue
            if str(arrays["identity"]) != self.identity:
                raise invalid(
                    "checkpoint",
                    str(self.directory),
                    "a directory with checkpoints of this very run (same model, dynamics, steps, replicas, seed)",
                    "choose another directory or delete the old checkpoints",
                )
            if best is None or int(arrays["done"]) > int(best["done"]):
                best, self._next = arrays, 1 - which
        for leftover in self.directory.glob(".checkpoint-*.tmp"):  # of a process that was killed while writing
            with contextlib.suppress(OSError):
                leftover.unlink()
        return best

    def save(self, arrays: Mapping[str, np.ndarray], done: int) -> None:
        """Write a checkpoint over the older of the two, atomically."""
        self.directory.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".checkpoint-", suffix=".tmp", dir=self.directory)
        try:
            with os.fdopen(handle, "wb") as file:
                np.savez(file, identity=np.asarray(self.identity), done=np.asarray(done), **arrays)  # type: ignore[arg-type]
                file.flush()
                os.fsync(file.fileno())
            os.replace(name, self._path(self._next))
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(name)
            raise
        with contextlib.suppress(OSError):  # not every platform can open a directory
            directory = os.open(self.directory, os.O_RDONLY)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)
        self._next = 1 - self._next


def peek_seed(directory: str | os.PathLike[str]) -> int | None:
    """Return the seed of the checkpoints in a directory, if there are any: a run without a seed continues with it."""
    for which in range(2):
        arrays = _read(Path(directory) / f"checkpoint-{which}.npz")
        if arrays is not None and "seed" in arrays:
            return int(arrays["seed"])
    return None


def _read(path: Path) -> dict[str, np.ndarray] | None:
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}  # reads everything, so checksums are verified
            return arrays if {"identity", "done"} <= arrays.keys() else None
    except _DAMAGE:
        return None

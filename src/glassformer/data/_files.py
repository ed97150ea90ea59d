"""Files of a corpus: arrays that are written in place while they are drafts, and checksums."""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from glassformer._core._errors import StoreDamagedError


class Draft:
    """An array in a file that several processes write, each its own sequences; a reader's map of it beside.

    It is written with plain writes, which several hosts may do side by side, and which report a full disk.
    """

    def __init__(self, path: Path, shape: tuple[int, ...], dtype: npt.DTypeLike) -> None:
        self.path = path
        found = matching_array(path, shape, dtype)
        if found is None:
            _make(path, shape, dtype)
            found = matching_array(path, shape, dtype)
        if found is None:
            raise StoreDamagedError(f"{path} cannot be made an array of shape {shape}.")
        self.array = found
        self._first = int(found.offset)
        self._file = os.open(path, os.O_RDWR)

    def write(self, rows: slice, span: slice, values: npt.NDArray[Any]) -> None:
        """Write ``values (sequence, time, ...)`` to some sequences and times."""
        whole = np.ascontiguousarray(values, dtype=self.array.dtype)
        step = int(np.prod(self.array.shape[2:])) * self.array.dtype.itemsize
        length = self.array.shape[1]
        if span.stop - span.start == length:  # whole sequences lie one after another
            _write_all(self._file, whole.tobytes(), self._first + rows.start * length * step)
            return
        for number, row in enumerate(whole, rows.start):
            _write_all(self._file, row.tobytes(), self._first + (number * length + span.start) * step)

    def flush(self) -> None:
        """Make what was written durable."""
        os.fsync(self._file)

    def close(self) -> None:
        """Give the file back."""
        os.close(self._file)


def _write_all(file: int, data: bytes, place: int) -> None:
    view = memoryview(data)
    while view:
        count = os.pwrite(file, view[: 1 << 30], place)
        view, place = view[count:], place + count


def _make(path: Path, shape: tuple[int, ...], dtype: npt.DTypeLike) -> None:
    """Make an array of zeros under another name, and link it to its own unless another process was faster."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    try:
        np.lib.format.open_memmap(temporary, mode="w+", dtype=np.dtype(dtype), shape=shape).flush()
        _reserve(temporary)
        if path.exists():  # of another shape: left by something else
            path.unlink()
        os.link(temporary, path)
    except FileExistsError:
        pass
    finally:
        temporary.unlink(missing_ok=True)


def _reserve(path: Path) -> None:
    """Take the room on the disk now, and not when most of the work is done."""
    with open(path, "r+b") as stream:
        try:
            os.posix_fallocate(stream.fileno(), 0, path.stat().st_size)
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):
                raise


def matching_array(path: Path, shape: tuple[int, ...], dtype: npt.DTypeLike) -> np.memmap[Any, Any] | None:
    """Return the array in `path` as a read-only map, None unless it has this shape and type."""
    try:
        array = np.lib.format.open_memmap(path, mode="r")
    except (OSError, ValueError, EOFError):
        return None
    return array if array.shape == shape and array.dtype == np.dtype(dtype) else None


def digest_of(array: npt.NDArray[Any]) -> str:
    """Return the checksum of the content of an array."""
    return hashlib.blake2b(np.ascontiguousarray(array).tobytes(), digest_size=16).hexdigest()


def file_checksum(path: Path) -> str:
    """Return the sha256 of a file, read in blocks."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def write_json(path: Path, table: Mapping[str, Any], *, sealed: bool = False) -> None:
    """Write JSON that is the same for the same numbers; `sealed` adds a checksum of the rest as ``sha256``."""
    plain = as_json(table)
    if sealed:
        plain["sha256"] = seal(plain)
    path.write_text(json.dumps(plain, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def seal(table: Mapping[str, Any]) -> str:
    """Return the checksum of a table without its own ``sha256``."""
    rest = {key: value for key, value in table.items() if key != "sha256"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def as_json(value: Any) -> Any:
    """Return plain values; infinity is the word ``inf``, an undefined number null."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(key): as_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    return value


def number(value: Any) -> float:
    """Read a number that `as_json` wrote."""
    return math.nan if value is None else float(value)

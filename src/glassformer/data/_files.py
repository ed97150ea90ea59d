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


def open_draft(path: Path, shape: tuple[int, ...], dtype: npt.DTypeLike) -> np.memmap[Any, Any]:
    """Return the array in `path` for reading and writing; made of zeros if it is not there, or is another one.

    Several processes may open it at once: it is made under another name and linked to its own.
    """
    found = _matching(path, shape, dtype)
    if found is not None:
        return found
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
    found = _matching(path, shape, dtype)
    if found is None:
        raise StoreDamagedError(f"{path} cannot be made an array of shape {shape}.")
    return found


def _reserve(path: Path) -> None:
    """Take the room on the disk now: a full one found while writing through the map would kill the process."""
    with open(path, "r+b") as stream:
        try:
            os.posix_fallocate(stream.fileno(), 0, path.stat().st_size)
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):
                raise


def _matching(path: Path, shape: tuple[int, ...], dtype: npt.DTypeLike) -> np.memmap[Any, Any] | None:
    try:
        array = np.lib.format.open_memmap(path, mode="r+")
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

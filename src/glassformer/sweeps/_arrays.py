"""Arrays in configurations: given as a file, a nested list or a NumPy array; hashed by content."""

from __future__ import annotations

import hashlib
import io
import os
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from glassformer._core._errors import InvalidInputError, invalid
from glassformer._core._validation import FloatArray
from glassformer.sweeps._read_array import read_file

ALLOWED = "an array: a path to .npy, .npz, .csv or .nc, or a nested list of numbers"

# Arrays that were checked and frozen here, with their digests, so that a sweep checks each of them once.
_checked: dict[int, tuple[weakref.ref[FloatArray], str]] = {}
# Files that were read, by path and modification time: ten thousand points of a sweep share one matrix.
_read: dict[tuple[str, int, int, int | None], tuple[FloatArray, str]] = {}


class ArrayRule:
    """What pydantic does with an array field; `array_input` writes the annotation."""

    def __init__(self, ndim: int | tuple[int, ...] | None = None) -> None:
        self.ndim = (ndim,) if isinstance(ndim, int) else ndim

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_plain_validator_function(self._validate)

    def _validate(self, value: Any, info: core_schema.ValidationInfo[Any]) -> FloatArray:
        base = (info.context or {}).get("base")
        return as_array(info.field_name or "the array", value, base=base, ndim=self.ndim)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ArrayRule) and other.ndim == self.ndim

    def __hash__(self) -> int:
        return hash(self.ndim)

    @property
    def words(self) -> str:
        """What is allowed, in words."""
        if self.ndim is None:
            return ALLOWED
        return f"{ALLOWED}, with {' or '.join(str(k) for k in self.ndim)} dimension{'s' if self.ndim != (1,) else ''}"


ArrayInput = Annotated[np.ndarray, ArrayRule()]


def array_input(ndim: int | tuple[int, ...]) -> Any:
    """Return the type of an array field with `ndim` dimensions, as in ``couplings: array_input(2)``."""
    return Annotated[np.ndarray, ArrayRule(ndim)]


def as_array(name: str, value: Any, *, base: Path | None = None, ndim: tuple[int, ...] | None = None) -> FloatArray:
    """Return `value` as a finite, read-only float64 array, or raise one sentence.

    Parameters
    ----------
    value : array_like, path or mapping
        A path may end in ``:name`` to pick one array of an ``.npz`` or ``.nc`` file; a mapping has ``file`` and
        ``sha256``, as in the ``config.toml`` of a run directory.
    base : Path, optional
        Folder that relative paths start from.
    ndim : tuple of int, optional
        Allowed numbers of dimensions.
    """
    if isinstance(value, np.ndarray) and _known_digest(value) is not None:
        array = value
    elif isinstance(value, Mapping):
        array = _from_reference(name, value, base, ndim)
    elif isinstance(value, str | os.PathLike):
        array = _from_path(name, os.fspath(value), base, ndim)
    elif isinstance(value, list | tuple | np.ndarray) or hasattr(value, "__array__"):
        array = _freeze(name, _to_float(name, value))
    else:
        raise invalid(name, value, ALLOWED)
    if ndim is not None and array.ndim not in ndim:
        raise invalid(
            f"the number of dimensions of {name}",
            array.ndim,
            " or ".join(str(k) for k in ndim),
            f"its shape is {array.shape}",
        )
    return array


def array_digest(array: FloatArray) -> str:
    """Return the sha256 of shape and content (little-endian float64, without negative zeros)."""
    found = _known_digest(array)
    if found is not None:
        return found
    canonical = np.ascontiguousarray(array, dtype="<f8") + 0.0
    return hashlib.sha256(f"{array.shape}\x00".encode() + canonical.tobytes()).hexdigest()


def npy_bytes(array: FloatArray) -> bytes:
    """Return the content of the .npy file of `array`."""
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.ascontiguousarray(array, dtype="<f8"), version=(1, 0), allow_pickle=False)
    return buffer.getvalue()


def _from_reference(name: str, value: Mapping[str, Any], base: Path | None, ndim: tuple[int, ...] | None) -> FloatArray:
    if set(value) - {"file", "sha256"} or not isinstance(value.get("file"), str):
        raise invalid(name, dict(value), 'a table like {file = "couplings.npy"}')
    return _from_path(name, value["file"], base, ndim, sha256=value.get("sha256"))


def _from_path(
    name: str, text: str, base: Path | None, ndim: tuple[int, ...] | None, sha256: str | None = None
) -> FloatArray:
    path, inner = _split(text)
    if base is not None:
        path = base / path
    # One column of a table is a vector where a vector is wanted, so the rank is part of what was read.
    vector = 1 if ndim == (1,) else None
    try:
        stat = path.stat()
    except OSError:
        stat = None
    key = (f"{path.absolute()}:{inner}", stat.st_mtime_ns, stat.st_size, vector) if stat is not None else None
    if key is None or key not in _read:
        content = read_file(name, path, inner)
        if vector and content.array.ndim == 2 and 1 in content.array.shape and path.suffix.lower() == ".csv":
            content = content._replace(array=content.array.reshape(-1))
        frozen = _freeze(name, _to_float(name, content.array))
        if key is None:
            return frozen
        if len(_read) > 64:
            _read.clear()
        _read[key] = (frozen, content.sha256)
    array, found = _read[key]
    if sha256 is not None and sha256 != found:
        raise InvalidInputError(
            f"{name}: the file {path} is not the one that the configuration was written with (its sha256 is "
            f"{found[:12]}…, but {str(sha256)[:12]}… is wanted); restore the file, or start a new run with it."
        )
    return array


def _split(text: str) -> tuple[Path, str | None]:
    """Split ``file.npz:name`` unless a file of that very name exists."""
    head, colon, tail = text.rpartition(":")
    if colon and head.lower().endswith((".npz", ".nc")) and not Path(text).exists():
        return Path(head), tail
    return Path(text), None


def _to_float(name: str, value: Any) -> FloatArray:
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        raise InvalidInputError(f"{name} has masked entries, but must be complete; fill or remove them.")
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise InvalidInputError(
            f"{name} is a nested list with rows of different lengths, but must be {ALLOWED}."
        ) from error
    if array.dtype.kind not in "fiub" or array.ndim == 0:
        what = f"a single value of type {array.dtype}" if array.ndim == 0 else f"of type {array.dtype}"
        raise InvalidInputError(f"{name} is {what}, but must be an array of real numbers.")
    if array.size == 0:
        raise InvalidInputError(f"{name} is empty (shape {array.shape}), but must hold at least one number.")
    return array.astype(np.float64)  # always a copy: what the caller does to his array later changes nothing


def _freeze(name: str, array: FloatArray) -> FloatArray:
    if not np.isfinite(array).all():
        where = [int(i) for i in np.argwhere(~np.isfinite(array))[0]]
        raise invalid(f"{name}{where}", float(array[tuple(where)]), "finite", "remove NaN and infinity from the input")
    array = np.ascontiguousarray(array) + 0.0  # no negative zeros: equal arrays have equal bytes
    array.flags.writeable = False
    identity = id(array)
    digest = array_digest(array)
    _checked[identity] = (weakref.ref(array, lambda _: _checked.pop(identity, None)), digest)
    return array


def _known_digest(array: FloatArray) -> str | None:
    entry = _checked.get(id(array))
    if entry is not None and entry[0]() is array and not array.flags.writeable:
        return entry[1]
    return None

"""Reading one array from .npy, .npz, .csv or .nc, with one sentence for each way in which that can fail."""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from glassformer._core._errors import InvalidInputError, shorten

SUFFIXES = (".npy", ".npz", ".csv", ".nc")


class Content(NamedTuple):
    """What a file held, and the checksum of its bytes."""

    array: np.ndarray[Any, Any]
    sha256: str


def read_file(name: str, path: Path, inner: str | None) -> Content:
    """Return the array in `path` (the one called `inner` if the file holds several)."""
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise InvalidInputError(
            f"{name} is {str(path)!r}, but must be an array: a path that ends in {', '.join(SUFFIXES)}, "
            "or a nested list of numbers."
        )
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise InvalidInputError(f"{name}: the file {path} does not exist; check the path.") from None
    except OSError as error:
        raise InvalidInputError(f"{name}: the file {path} cannot be read ({error.strerror}).") from error
    reader = {".npy": _npy, ".npz": _npz, ".csv": _csv, ".nc": _nc}[suffix]
    try:
        array = reader(name, path, data, inner)
    except InvalidInputError:
        raise
    except Exception as error:  # whatever a reader makes of a damaged file
        raise InvalidInputError(
            f"{name}: the file {path} is damaged or not a {suffix} file ({shorten(str(error), 80)}); write it again."
        ) from error
    return Content(array, hashlib.sha256(data).hexdigest())


def _npy(name: str, path: Path, data: bytes, inner: str | None) -> np.ndarray[Any, Any]:
    if not data.startswith(b"\x93NUMPY"):  # np.load would try to unpickle it
        raise ValueError("it does not begin with the mark of a .npy file")
    try:
        return np.load(io.BytesIO(data), allow_pickle=False)
    except ValueError as error:
        if "allow_pickle" in str(error):
            raise _objects(name, path) from error
        raise


def _npz(name: str, path: Path, data: bytes, inner: str | None) -> np.ndarray[Any, Any]:
    if not zipfile.is_zipfile(io.BytesIO(data)):
        raise ValueError("it is not a complete .npz file")
    with np.load(io.BytesIO(data), allow_pickle=False) as archive:
        chosen = _choose(name, path, list(archive.files), inner)
        try:
            return archive[chosen]
        except ValueError as error:
            if "allow_pickle" in str(error):
                raise _objects(name, path) from error
            raise


def _nc(name: str, path: Path, data: bytes, inner: str | None) -> np.ndarray[Any, Any]:
    import xarray as xr

    engine = "h5netcdf" if data.startswith(b"\x89HDF") else "scipy"
    with xr.open_dataset(io.BytesIO(data), engine=engine, decode_times=False) as dataset:
        chosen = _choose(name, path, [str(key) for key in dataset.data_vars], inner)
        return np.asarray(_in_order(dataset[chosen]))


def _in_order(array: Any) -> Any:
    """Return a labelled array with the site that is acted on first, as in every result of ours."""
    if set(array.dims) in ({"site", "component"}, {"site", "site_"}):
        return array.transpose("site", ...)
    return array


def _csv(name: str, path: Path, data: bytes, inner: str | None) -> np.ndarray[Any, Any]:
    lines = data.decode("utf-8-sig").splitlines()
    kept = [(number, line.strip()) for number, line in enumerate(lines, 1)]
    kept = [(number, line) for number, line in kept if line and not line.startswith("#")]
    if not kept:
        raise InvalidInputError(f"{name}: the file {path} holds no numbers.")
    delimiter = next((mark for mark in (",", ";", "\t") if mark in kept[0][1]), None)
    rows: list[list[float]] = []
    for position, (number, line) in enumerate(kept):
        cells = [cell.strip() for cell in line.split(delimiter)]
        try:
            row = [float(cell) for cell in cells]
        except ValueError:
            if position == 0 and not any(_is_number(cell) for cell in cells):
                continue  # a header
            column = next(k for k, cell in enumerate(cells, 1) if not _is_number(cell))
            raise InvalidInputError(
                f"{name}: line {number}, column {column} of {path} is {cells[column - 1]!r}, but must be a number."
            ) from None
        if rows and len(row) != len(rows[0]):
            raise InvalidInputError(
                f"{name}: line {number} of {path} has {len(row)} columns, but the lines above have {len(rows[0])}."
            )
        rows.append(row)
    return np.array(rows)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _choose(name: str, path: Path, names: list[str], inner: str | None) -> str:
    listed = ", ".join(names) or "none"
    if inner is not None:
        if inner not in names:
            raise InvalidInputError(f"{name}: {path} has no array called {inner!r}; it has {listed}.")
        return inner
    if len(names) != 1:
        raise InvalidInputError(
            f"{name}: {path} has {len(names)} arrays ({listed}), but must have one; pick it as {path.name}:NAME."
        )
    return names[0]


def _objects(name: str, path: Path) -> InvalidInputError:
    return InvalidInputError(
        f"{name}: the file {path} holds Python objects, but must hold real numbers; save it as float64."
    )

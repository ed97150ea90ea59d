"""Datasets as NetCDF bytes that are the same for the same numbers, whenever they were computed."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from glassformer._core._errors import StoreError

if TYPE_CHECKING:
    import xarray as xr


def is_volatile(name: str) -> bool:
    """Whether the attribute or variable `name` holds a time, which differs from run to run."""
    return name == "wall_time" or name.startswith("wall_time_") or name.endswith("_wall_time")


def split_volatile(dataset: xr.Dataset) -> tuple[xr.Dataset, dict[str, Any]]:
    """Return `dataset` without its times, and the times as plain JSON values.

    Times belong to the manifest: the same configuration must give the same bytes of ``result.nc``.
    """
    attrs = {key: value for key, value in dataset.attrs.items() if is_volatile(str(key))}
    names = [name for name in dataset.data_vars if is_volatile(str(name))]
    volatile = {
        "attrs": {str(key): _plain(value) for key, value in attrs.items()},
        "variables": {
            str(name): {"dims": list(dataset[name].dims), "values": dataset[name].values.tolist()} for name in names
        },
    }
    kept = dataset.drop_vars(names)
    kept.attrs = {key: value for key, value in dataset.attrs.items() if key not in attrs}
    return kept, volatile


def join_volatile(dataset: xr.Dataset, volatile: Mapping[str, Any]) -> xr.Dataset:
    """Put the times back."""
    import numpy as np

    for name, stored in volatile.get("variables", {}).items():
        values = np.array(stored["values"], dtype=np.float64)  # None, from NaN, becomes NaN again
        dataset[name] = (tuple(stored["dims"]), values)
    dataset.attrs.update(volatile.get("attrs", {}))
    return dataset


def to_bytes(dataset: xr.Dataset) -> bytes:
    """Return the NetCDF4 file of `dataset`, composed in memory so that a full disk cannot leave half of it."""
    clean = dataset.copy(deep=False)
    clean.attrs = _storable(dataset.attrs)
    for name in clean.variables:
        clean[name].attrs = _storable(dataset[name].attrs)
        clean[name].encoding = {}
    try:
        with _own_lock():
            return bytes(clean.to_netcdf(engine="h5netcdf"))
    except (TypeError, ValueError) as error:
        raise StoreError(
            f"the result cannot be written as NetCDF ({error}); use real numbers, text and their arrays."
        ) from error


def from_bytes(data: bytes) -> xr.Dataset:
    """Read what `to_bytes` wrote; nothing is interpreted as a date."""
    import xarray as xr

    with (
        _own_lock(),
        xr.open_dataset(io.BytesIO(data), engine="h5netcdf", decode_times=False, decode_timedelta=False) as dataset,
    ):
        loaded = dataset.load()
    for name in loaded.variables:
        loaded[name].encoding = {}
    loaded.encoding = {}
    return loaded


@contextmanager
def _own_lock() -> Iterator[None]:
    """Keep xarray from asking a Dask cluster, when this process is part of one, for a lock: the file is in memory."""
    if "dask" not in sys.modules:
        yield
        return
    import dask

    with dask.config.set(scheduler="synchronous"):
        yield


def json_without_nan(value: Any) -> Any:
    """NaN has no place in JSON."""
    if isinstance(value, Mapping):
        return {key: json_without_nan(item) for key, item in value.items()}
    if isinstance(value, list):
        return [json_without_nan(item) for item in value]
    return None if isinstance(value, float) and not abs(value) < float("inf") else value


def _storable(attrs: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(key): _attribute(value) for key, value in attrs.items() if value is not None}


def _attribute(value: Any) -> Any:
    if isinstance(value, bool):
        return int(value)  # NetCDF has no boolean attribute
    if isinstance(value, Mapping | list | tuple):
        return json.dumps(value, default=_plain)
    return value


def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else value

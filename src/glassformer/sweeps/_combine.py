"""All points of a sweep as one Dataset with the grid as dimensions."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from glassformer._core._errors import StoreError
from glassformer._core._status import Status, versions
from glassformer.sweeps._netcdf import split_volatile
from glassformer.sweeps._points import Point, inspect_point
from glassformer.sweeps._store import RESULT, is_usable, load_result, read_manifest
from glassformer.sweeps._study import Study, read_study

if TYPE_CHECKING:
    import xarray as xr

# Variables whose stack over the grid would be larger stay in the points.
MAX_VALUES = 2**27


def load_sweep(directory: Path) -> xr.Dataset:
    """Return the combined result of a sweep: the stored one, or a fresh one if all points are there."""
    study = read_study(directory)
    manifest = read_manifest(directory)
    if manifest is not None and RESULT in manifest["files"]:
        return load_result(directory, manifest)
    states = [inspect_point(study, directory, index)[0] for index in range(study.size)]
    missing = [point for point in states if point.state not in ("done", "failed")]
    if missing:
        raise StoreError(
            f"{directory} has {len(missing)} of {study.size} points to go; `glassformer resume {directory}` continues it."
        )
    combined = combine(study, directory, states)
    combined.attrs["directory"] = str(directory)
    return combined


def combine(study: Study, directory: Path, points: list[Point]) -> xr.Dataset:
    """Stack the results of `points` (all of the study, in order) over the grid.

    Numbers of a point without a result are NaN, and ``point_status`` says why. Variables whose shape differs between
    points, or whose stack would be very large, stay in the points; ``attrs["left_in_points"]`` names them.
    """
    import xarray as xr

    datasets = [_load_point(directory, point) for point in points]
    present = [(index, dataset) for index, dataset in enumerate(datasets) if dataset is not None]
    axes = list(study.axes)
    renamed = {index: _avoid(dataset, axes) for index, dataset in present}
    variables: dict[str, Any] = {}
    left: list[str] = []
    names = dict.fromkeys(str(name) for dataset in renamed.values() for name in dataset.data_vars)
    for name in names:
        stacked = _stack(name, renamed, study)
        if stacked is None:
            left.append(name)
        else:
            variables[name] = stacked
    coordinates: dict[str, Any] = {key: (key, _labels(values)) for key, values in study.axes.items()}
    for name in dict.fromkeys(str(name) for dataset in renamed.values() for name in dataset.coords):
        same = [dataset.coords[name] for dataset in renamed.values() if name in dataset.coords]
        if len(same) == len(renamed) and all(same[0].variable.equals(other.variable) for other in same):
            used = {dim for dims, *_ in variables.values() for dim in dims}
            if set(same[0].dims) <= used:
                coordinates[name] = (same[0].dims, same[0].values, same[0].attrs)
    variables["point_status"] = (axes, np.array([point.status for point in points], dtype=str).reshape(study.shape))
    seconds = [_seconds(directory, point) for point in points]
    variables["point_wall_time"] = (axes, np.array(seconds).reshape(study.shape))
    combined = xr.Dataset(variables, coords=coordinates)
    combined.attrs = _common_attributes(list(renamed.values()))
    _attach(combined, study, points, left)
    return combined


def summarise(points: Iterable[Point]) -> tuple[str, str]:
    """Return the status of the whole and its sentence."""
    listed = list(points)
    bad = [point for point in listed if not is_usable(point.status)]
    if not bad:
        warned = [point for point in listed if not Status(point.status).good]
        tail = (
            f", {len(warned)} with a warning; the first is point {warned[0].index}: {warned[0].sentence}"
            if warned
            else "."
        )
        return Status.OK.value, f"All {len(listed)} points are done{tail}"
    status = bad[0].status if bad[0].status in list(Status) else Status.NOT_CONVERGED.value
    return status, f"{len(bad)} of {len(listed)} points failed; the first is point {bad[0].index}: {bad[0].sentence}"


def _load_point(directory: Path, point: Point) -> xr.Dataset | None:
    path = directory / point.name
    manifest = read_manifest(path)
    if manifest is None or RESULT not in manifest["files"]:
        return None
    kept, _ = split_volatile(load_result(path, manifest))
    return kept


def _seconds(directory: Path, point: Point) -> float:
    manifest = read_manifest(directory / point.name)
    return float(manifest["timings"].get("wall_time", np.nan)) if manifest is not None else np.nan


def _avoid(dataset: xr.Dataset, axes: list[str]) -> xr.Dataset:
    """Make room for the names of the axes."""
    clash = {name: f"{name}_of_point" for name in axes if name in dataset.variables or name in dataset.dims}
    return dataset.rename(clash) if clash else dataset


def _stack(name: str, datasets: dict[int, xr.Dataset], study: Study) -> Any:
    arrays = {index: dataset[name] for index, dataset in datasets.items() if name in dataset}
    first = next(iter(arrays.values()))
    if any(array.dims != first.dims or array.shape != first.shape for array in arrays.values()):
        return None
    if study.size * first.size > MAX_VALUES:
        return None
    kinds = {array.dtype.kind for array in arrays.values()}
    shape = (study.size, *first.shape)
    if kinds <= set("US") or kinds == {"O"}:
        whole = np.full(shape, "", dtype=object)
    elif len(arrays) == study.size and len(kinds) == 1:
        whole = np.empty(shape, dtype=np.result_type(*[array.dtype for array in arrays.values()]))
    else:
        whole = np.full(shape, np.nan)
    for index, array in arrays.items():
        whole[index] = array.values
    if whole.dtype == object:
        whole = whole.astype(str)
    return ((*study.axes, *first.dims), whole.reshape(*study.shape, *first.shape), dict(first.attrs))


def _labels(values: tuple[Any, ...]) -> Any:
    if all(isinstance(value, bool | int | float) for value in values):
        return np.array(values)
    return np.array([value if isinstance(value, str) else json.dumps(_listed(value)) for value in values], dtype=str)


def _listed(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray) else value


def _common_attributes(datasets: list[xr.Dataset]) -> dict[str, Any]:
    if not datasets:
        return {}
    first = datasets[0].attrs
    same = {key for key in first if all(str(dataset.attrs.get(key)) == str(first[key]) for dataset in datasets)}
    return {str(key): value for key, value in first.items() if key in same and key != "directory"}


def _attach(combined: xr.Dataset, study: Study, points: list[Point], left: list[str]) -> None:
    status, sentence = summarise(points)
    combined.attrs.update(run=study.name, scale=study.scale, status=status, status_sentence=sentence)
    combined.attrs["identity"] = study.digest
    combined.attrs["grid"] = json.dumps(list(study.axes))
    combined.attrs.setdefault("versions", json.dumps(versions()))
    combined.attrs.setdefault("citations", json.dumps(list(study.spec.citations)))
    if left:
        combined.attrs["left_in_points"] = json.dumps(left)

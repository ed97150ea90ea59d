"""A study: one run over a grid. Point ``i`` is a pure function of ``study.toml`` and ``i``."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import TypeAdapter, ValidationError

from glassformer._core._errors import InvalidInputError, StoreError, shorten
from glassformer._core._random import check_seed
from glassformer._version import NUMERICAL_VERSION
from glassformer.sweeps._config import RunConfig, build, identity, read_toml, split_arrays, to_table, to_toml
from glassformer.sweeps._prepare import anchored, needs_seed
from glassformer.sweeps._registry import find
from glassformer.sweeps._store import POINTS, STUDY, Stored
from glassformer.sweeps._values import is_range, merge, nest, parse_range, parse_value

if TYPE_CHECKING:
    from glassformer.sweeps._spec import RunSpec

MAX_POINTS = 1_000_000


@dataclass(frozen=True)
class Study:
    """A run, the settings that all points share, and the axes of the grid (the first one varies slowest)."""

    name: str
    spec: RunSpec
    scale: str
    base: Mapping[str, Any]
    axes: Mapping[str, tuple[Any, ...]]
    folder: Path | None = None
    numerical_version: int = NUMERICAL_VERSION
    _configs: dict[int, RunConfig] = field(default_factory=dict, compare=False, repr=False)

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of values of each axis."""
        return tuple(len(values) for values in self.axes.values())

    @property
    def size(self) -> int:
        """Number of points."""
        return math.prod(self.shape)

    def values(self, index: int) -> dict[str, Any]:
        """Return the value of each axis at point `index`."""
        if not 0 <= index < self.size:
            raise InvalidInputError(f"point is {index}, but this sweep has the points 0 to {self.size - 1}.")
        position = np.unravel_index(index, self.shape)
        return {key: values[int(k)] for (key, values), k in zip(self.axes.items(), position)}

    def stored(self, index: int) -> Stored:
        """Return the configuration of point `index`."""
        if index not in self._configs:
            settings: dict[str, Any] = {}
            merge(settings, self.base)
            merge(settings, nest(self.values(index)))
            try:
                self._configs[index] = build(self.name, self.spec.config, settings, base=self.folder)
            except InvalidInputError as error:
                where = ", ".join(f"{key} = {shorten(value)}" for key, value in self.values(index).items())
                raise InvalidInputError(f"point {index} of the grid ({where}) cannot be used: {error}") from error
        return Stored(self.name, self.spec, self._configs[index], self.scale)

    def point_name(self, index: int) -> str:
        """Return the folder of point `index`, relative to the sweep."""
        return f"{POINTS}/{index:05d}-{identity(self.name, self.stored(index).config, self.numerical_version)[:8]}"

    def render(self) -> tuple[str, dict[str, bytes]]:
        """Return the text of ``study.toml`` and the files of its inputs."""
        shared, files = split_arrays(dict(self.base))
        grid = {key: [_tomlable(value) for value in values] for key, values in self.axes.items()}
        header = {"run": self.name, "scale": self.scale, "numerical_version": self.numerical_version}
        return to_toml(header, {"set": shared, "grid": grid}), files

    @property
    def digest(self) -> str:
        """Return the sha256 of the rendered study."""
        return hashlib.sha256(self.render()[0].encode()).hexdigest()


def plan(
    source: str | os.PathLike[str],
    *,
    scale: str | None = None,
    seed: int | None = None,
    settings: Mapping[str, Any] | None = None,
    grid: Mapping[str, Any] | None = None,
    directory: Path | None = None,
) -> Study:
    """Return the validated study of a run name or a ``study.toml`` with settings laid over it; write nothing."""
    text, base_folder = os.fspath(source), None
    shared: dict[str, Any] = {}
    axes: dict[str, Any] = {}
    if text.endswith(".toml"):
        base_folder = Path(text).absolute().parent
        text, scale, shared, axes = _read_study(Path(text), scale)
    spec = find(text)
    scale = scale or "quick"
    merged = spec.scale_settings(scale)
    merge(merged, shared)
    given = anchored(nest(settings or {}), base_folder)
    chosen, plain = _flat(dict(grid or {})), _flat(given)
    for key in chosen.keys() & plain.keys():
        if not _equal(chosen[key], plain[key]):
            raise InvalidInputError(
                f"{key} is given both as a setting and as an axis of the grid; leave one of them out."
            )
    explicit = {**{key: value for key, value in _flat(axes).items() if key not in plain}, **chosen}
    merge(merged, given)
    all_axes = {**explicit, **{k: v for k, v in _flat(merged).items() if _is_axis(spec.config, k, v)}}
    for key in all_axes:
        _drop(merged, key)
    if seed is not None:
        merged["seed"] = seed
    elif (
        "seed" in spec.config.model_fields
        and "seed" not in merged
        and "seed" not in all_axes
        and needs_seed(spec.config)
    ):
        merged["seed"] = check_seed(_stored_seed(directory))
    if not all_axes:
        raise InvalidInputError(
            "there is no grid: no setting has several values; write --set beta=0.1:10:log25, or use `glassformer run`."
        )
    values = {key: tuple(_axis(key, value)) for key, value in all_axes.items()}
    draft = Study(text, spec, scale, merged, values, base_folder)
    if draft.size > MAX_POINTS:
        raise InvalidInputError(f"the grid has {draft.size} points, but must have at most {MAX_POINTS}.")
    return _resolve(draft)


def read_study(directory: Path) -> Study:
    """Return the study of the sweep directory (read once per process)."""
    path = directory / STUDY
    try:
        stat = path.stat()
    except OSError as error:
        raise StoreError(f"{directory} holds no {STUDY}, so it is not a sweep directory.") from error
    return _read_resolved(path.absolute(), stat.st_mtime_ns)


@lru_cache(maxsize=8)
def _read_resolved(path: Path, modified: int) -> Study:
    name, scale, shared, axes = _read_study(path, None)
    values = {key: tuple(value) for key, value in axes.items()}
    version = int(read_toml(path).get("numerical_version", NUMERICAL_VERSION))
    return Study(name, find(name), scale or "quick", shared, values, path.parent, version)


def _read_study(path: Path, scale: str | None) -> tuple[str, str | None, dict[str, Any], dict[str, Any]]:
    table = read_toml(path)
    unknown = set(table) - {"run", "scale", "numerical_version", "set", "grid"}
    if unknown:
        raise InvalidInputError(
            f"{path} has the key {min(unknown)!r}, but a study has run, scale, [set] and [grid]; settings go under [set]."
        )
    name = table.get("run")
    if not isinstance(name, str):
        raise InvalidInputError(f'{path} does not say which run it is for; it must have a line run = "NAME".')
    shared, axes = table.get("set", {}), table.get("grid", {})
    if not isinstance(shared, dict) or not isinstance(axes, dict):
        raise InvalidInputError(f"{path}: set and grid must be tables, as in [set] and [grid].")
    return name, scale or table.get("scale"), shared, axes


def _resolve(draft: Study) -> Study:
    """Validate every point, and write down every setting that all of them share, defaults included."""
    tables = [to_table(draft.stored(index).config) for index in range(draft.size)]
    # What a user typed as 1 may mean 1.0: the axes hold what the fields made of it.
    typed: dict[str, tuple[Any, ...]] = {}
    for axis, key in enumerate(draft.axes):
        step = math.prod(draft.shape[axis + 1 :])
        typed[key] = tuple(_lookup(tables[k * step], key) for k in range(draft.shape[axis]))
        labels = [repr(_tomlable(value)) for value in typed[key]]
        if len(set(labels)) < len(labels):
            twice = next(label for label in labels if labels.count(label) > 1)
            raise InvalidInputError(f"the grid has {key} = {twice} twice, but values of an axis must differ.")
    first = {key: value for key, value in _flat(tables[0]).items() if key not in typed}
    flat = [_flat(table) for table in tables]
    shared = {key: value for key, value in first.items() if all(_equal(table.get(key), value) for table in flat)}
    return Study(draft.name, draft.spec, draft.scale, nest(shared), typed, draft.folder)


def _is_axis(kind: type[RunConfig], key: str, value: Any) -> bool:
    """Whether `value` is a list or a range for a field that takes no list but takes each entry."""
    if is_range(value):
        value = parse_range(value)
    if not isinstance(value, list | tuple):
        return False
    adapter = _adapter(kind, key)
    if adapter is None:
        return False
    return not _accepts(adapter, value) and len(value) > 0 and any(_accepts(adapter, entry) for entry in value)


def _adapter(kind: type[RunConfig], key: str) -> TypeAdapter[Any] | None:
    *path, last = key.split(".")
    model: Any = kind
    for part in path:
        field_info = getattr(model, "model_fields", {}).get(part)
        model = field_info.annotation if field_info is not None else None
    info = getattr(model, "model_fields", {}).get(last)
    if info is None:
        return None
    from typing import Annotated

    return _cached_adapter(Annotated[(info.annotation, *info.metadata)] if info.metadata else info.annotation)


def _cached_adapter(annotation: Any) -> TypeAdapter[Any]:
    from pydantic import ConfigDict

    return TypeAdapter(annotation, config=ConfigDict(arbitrary_types_allowed=True))


def _accepts(adapter: TypeAdapter[Any], value: Any) -> bool:
    try:
        adapter.validate_python(value)
    except (ValidationError, InvalidInputError):
        return False
    return True


def _axis(key: str, value: Any) -> list[Any]:
    if isinstance(value, str):
        value = parse_value(value)
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if not isinstance(value, list | tuple) or not value:
        raise InvalidInputError(
            f"the grid axis {key} is {shorten(value)}, but must be a list or a range, as in [0.5, 1.0] or 0.1:10:log25."
        )
    return list(value)


def _flat(nested: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Turn nested tables into dotted keys; references to files stay whole."""
    flat: dict[str, Any] = {}
    for key, value in nested.items():
        if isinstance(value, Mapping) and value and "file" not in value:
            flat.update(_flat(value, f"{prefix}{key}."))
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def _drop(nested: dict[str, Any], key: str) -> None:
    *path, last = key.split(".")
    for part in path:
        inner = nested.get(part)
        if not isinstance(inner, dict):
            return
        nested = inner
    nested.pop(last, None)


def _lookup(table: Mapping[str, Any], key: str) -> Any:
    value: Any = table
    for part in key.split("."):
        value = value[part]
    return value


def _equal(first: Any, second: Any) -> bool:
    if isinstance(first, np.ndarray) or isinstance(second, np.ndarray):
        return first is second or (
            isinstance(first, np.ndarray) and isinstance(second, np.ndarray) and np.array_equal(first, second)
        )
    return type(first) is type(second) and bool(first == second)


def _tomlable(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray) else value


def _stored_seed(directory: Path | None) -> int | None:
    """The seed of a sweep that is already in `directory`, so that the same command continues it."""
    if directory is None or not (directory / STUDY).exists():
        return None
    seed = read_toml(directory / STUDY).get("set", {}).get("seed")
    return seed if isinstance(seed, int) else None

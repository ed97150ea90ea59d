"""Typed configurations: strict on input, exact on disk, equal when they mean the same."""

from __future__ import annotations

import hashlib
import json
import math
import tomllib
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
import tomli_w
from pydantic import AfterValidator, AllowInfNan, BaseModel, ConfigDict, ValidationError, model_validator

from glassformer._core._errors import InvalidInputError, invalid
from glassformer._version import NUMERICAL_VERSION
from glassformer.sweeps._arrays import array_digest, npy_bytes
from glassformer.sweeps._describe import accepts_bool, accepts_none, describe_field
from glassformer.sweeps._explain import explain

# TOML has no null; this word stands for None in the fields that allow it.
NONE_WORD = "none"


def _read_none(value: Any) -> Any:
    if isinstance(value, list):
        return [_read_none(item) for item in value]
    return None if isinstance(value, str) and value == NONE_WORD else value


def _refuse_nan(value: float) -> float:
    if math.isnan(value):
        raise ValueError("must not be NaN")
    return value


FloatOrInfinity = Annotated[float, AllowInfNan(True), AfterValidator(_refuse_nan)]
"""A number that may be infinite, as an inverse temperature at zero temperature; plain ``float`` fields are finite."""


class RunConfig(BaseModel):
    """Base of every configuration: a frozen pydantic model that refuses unknown keys and numbers that are not finite.

    Subclass it with annotated fields; the ``description`` of each field is its help text. By convention the root of
    all randomness is a field ``seed: int`` without a default, which `run` fills. Nested tables are `RunConfig` too.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        arbitrary_types_allowed=True,
        validate_default=True,
        protected_namespaces=(),
    )

    @model_validator(mode="before")
    @classmethod
    def _prepare(cls, values: Any) -> Any:
        if not isinstance(values, Mapping):
            return values
        prepared = dict(values)
        for key, value in values.items():
            field = cls.model_fields.get(key)
            if field is None:
                continue
            if isinstance(value, bool | np.bool_) and not accepts_bool(field.annotation):
                raise invalid(key, bool(value), describe_field(field))
            if isinstance(value, str | list) and accepts_none(field.annotation):
                prepared[key] = _read_none(value)
            elif isinstance(value, np.generic):
                prepared[key] = value.item()
        return prepared

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.digest() == other.digest()

    def __hash__(self) -> int:
        return hash(self.digest())

    def digest(self) -> str:
        """Return the sha256 of the canonical form: equal for configurations that mean the same."""
        text = json.dumps(_canonical(self), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return hashlib.sha256(text.encode()).hexdigest()


def identity(name: str, config: RunConfig, version: int = NUMERICAL_VERSION) -> str:
    """Return the identity of a run: its name, its configuration (with the seed) and the numerical version."""
    return hashlib.sha256(f"{name}\x00{config.digest()}\x00{version}".encode()).hexdigest()


def build(name: str, kind: type[RunConfig], values: Mapping[str, Any], *, base: Path | None = None) -> RunConfig:
    """Return the configuration of `values`, or raise one clear sentence.

    Parameters
    ----------
    name : str
        The run, for the sentence.
    base : Path, optional
        Folder that relative paths in `values` start from.
    """
    try:
        return kind.model_validate(dict(values), context={"base": base})
    except ValidationError as error:
        raise explain(error, name, kind) from error


def to_table(config: RunConfig) -> dict[str, Any]:
    """Return `config` as plain tables, lists, numbers and text; arrays stay arrays."""
    return {key: _plain(getattr(config, key)) for key in type(config).model_fields}


def to_toml(header: Mapping[str, Any], table: Mapping[str, Any]) -> str:
    """Return TOML text; every array must have been replaced already."""
    return tomli_w.dumps({**header, **table})


def read_toml(path: Path) -> dict[str, Any]:
    """Return the tables in `path`, or raise one sentence."""
    try:
        with open(path, "rb") as stream:
            return tomllib.load(stream)
    except FileNotFoundError:
        raise InvalidInputError(f"the file {path} does not exist; check the path.") from None
    except OSError as error:
        raise InvalidInputError(f"the file {path} cannot be read ({error.strerror}).") from error
    except UnicodeDecodeError as error:
        raise InvalidInputError(f"the file {path} is not UTF-8 text, so it is not TOML.") from error
    except tomllib.TOMLDecodeError as error:
        detail = str(error)
        raise InvalidInputError(f"the file {path} is not valid TOML: {detail[:1].lower()}{detail[1:]}.") from error


def split_arrays(table: Mapping[str, Any], folder: str = "inputs") -> tuple[dict[str, Any], dict[str, bytes]]:
    """Return `table` with every array replaced by a reference, and the files that the references name."""
    files: dict[str, bytes] = {}

    def replace(value: Any, path: str) -> Any:
        if isinstance(value, np.ndarray):
            data = npy_bytes(value)
            files[f"{path}.npy"] = data
            return {"file": f"{folder}/{path}.npy", "sha256": hashlib.sha256(data).hexdigest()}
        if isinstance(value, Mapping):
            return {key: replace(item, f"{path}.{key}" if path else str(key)) for key, item in value.items()}
        if isinstance(value, list):
            return [replace(item, f"{path}.{index}") for index, item in enumerate(value)]
        return value

    return replace(table, ""), files


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return {key: _plain(getattr(value, key)) for key in type(value).model_fields}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted((_plain(item) for item in value), key=repr)
    if isinstance(value, Enum):
        return _plain(value.value)
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, np.generic):
        return value.item()
    return NONE_WORD if value is None else value


def _canonical(value: Any) -> Any:
    plain = _plain(value)

    def walk(item: Any) -> Any:
        if isinstance(item, np.ndarray):
            return {"array": array_digest(item)}
        if isinstance(item, dict):
            return {key: walk(inner) for key, inner in item.items()}
        if isinstance(item, list):
            return [walk(inner) for inner in item]
        if isinstance(item, float):
            return str(item) if math.isinf(item) else item + 0.0  # -0.0 and 0.0 mean the same
        return item

    return walk(plain)

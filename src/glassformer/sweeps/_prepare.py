"""From a name and settings to a validated configuration and its directory; nothing is written here."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from glassformer._core._errors import InvalidInputError
from glassformer._core._random import check_seed
from glassformer.sweeps._config import build, identity, read_toml
from glassformer.sweeps._registry import find
from glassformer.sweeps._store import CONFIG, Stored
from glassformer.sweeps._values import merge, nest


def prepare(
    name: str | os.PathLike[str],
    *,
    scale: str | None = None,
    seed: int | None = None,
    settings: Mapping[str, Any] | None = None,
    directory: str | os.PathLike[str] | None = None,
) -> tuple[Stored, Path]:
    """Return the validated configuration and the directory it belongs to, without writing anything."""
    values: dict[str, Any] = {}
    base: Path | None = None
    text = os.fspath(name)
    if text.endswith(".toml"):
        table = read_toml(Path(text))
        base = Path(text).absolute().parent
        if "grid" in table or "set" in table:
            raise InvalidInputError(f"{text} is a study with a grid, not one run; use `glassformer sweep {text}`.")
        text = table.pop("run", None)
        if not isinstance(text, str):
            raise InvalidInputError(f'{name} does not say which run it is for; it must have a line run = "NAME".')
        scale = scale or table.pop("scale", None)
        table.pop("scale", None)
        values = table
    spec = find(text)
    scale = scale or "quick"
    merged = spec.scale_settings(scale)
    merge(merged, values)
    given = nest(settings or {})
    merge(merged, anchored(given, base))
    path = Path(directory) if directory is not None else None
    if "seed" in spec.config.model_fields:
        if seed is not None:
            merged["seed"] = seed
        elif "seed" not in merged and needs_seed(spec.config):
            merged["seed"] = _stored_seed(path) if path is not None else None
            merged["seed"] = check_seed(merged["seed"])
    elif seed is not None:
        raise InvalidInputError(f"seed is {seed}, but {text} is not random and takes none; leave it out.")
    config = build(text, spec.config, merged, base=base)
    if path is None:
        path = Path("runs") / f"{slug(text)}-{identity(text, config)[:8]}"
    return Stored(text, spec, config, scale), path


def slug(name: str) -> str:
    """Return `name` as a part of a path."""
    return "".join(letter if letter.isalnum() or letter in "._" else "-" for letter in name)


def anchored(given: dict[str, Any], base: Path | None) -> dict[str, Any]:
    """Keep paths typed on the command line relative to where they were typed, not to the TOML file."""
    if base is None:
        return given

    def walk(value: Any) -> Any:
        if isinstance(value, str) and value.partition(":")[0].lower().endswith((".npy", ".npz", ".csv", ".nc")):
            return str(Path(value).absolute())
        if isinstance(value, dict):
            return {key: walk(item) for key, item in value.items()}
        return value

    return {key: walk(value) for key, value in given.items()}


def needs_seed(config: Any) -> bool:
    field = config.model_fields["seed"]
    return bool(field.is_required() or field.default is None)


def _stored_seed(path: Path) -> int | None:
    """The seed of a run that is already in `path`, so that the same command continues it."""
    try:
        seed = read_toml(path / CONFIG).get("seed")
    except InvalidInputError:
        return None
    return seed if isinstance(seed, int) else None

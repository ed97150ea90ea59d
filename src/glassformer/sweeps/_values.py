"""What a user types after ``--set``: TOML literals, bare words, file paths and ranges."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from typing import Any

from glassformer._core._errors import InvalidInputError

_NUMBER = r"[+-]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_RANGE = re.compile(rf"({_NUMBER}):({_NUMBER}):(log|lin|)(\d+)")
_RANGE_LIKE = re.compile(rf"{_NUMBER}:{_NUMBER}(?::.*)?")
_LOOSE_NUMBER = re.compile(r"[+-]?(?:\d+\.|\.\d+|\d+\.\d*)(?:[eE][+-]?\d+)?")


def parse_value(text: str) -> Any:
    """Return the value that `text` stands for.

    >>> parse_value("0.5"), parse_value("inf"), parse_value("1e3"), parse_value("[1, 2]")
    (0.5, inf, 1000.0, [1, 2])
    >>> parse_value("gram"), parse_value("data/J.npy"), parse_value("true")
    ('gram', 'data/J.npy', True)
    >>> parse_value("0:1:lin5"), parse_value("1:100:log3")
    ([0.0, 0.25, 0.5, 0.75, 1.0], [1.0, 10.0, 100.0])
    """
    stripped = text.strip()
    if _RANGE_LIKE.fullmatch(stripped):
        return parse_range(stripped)
    try:
        parsed = tomllib.loads(f"x = {stripped}")
    except tomllib.TOMLDecodeError as error:
        if _LOOSE_NUMBER.fullmatch(stripped):  # 5. and .5, which TOML refuses
            return float(stripped)
        if stripped[:1] in ("[", "{", '"', "'"):
            raise InvalidInputError(
                f"the value {stripped!r} is not complete TOML ({str(error).split(' (')[0].lower()}); lists look like [1, 2], "
                'text in lists like ["a", "b"], and the shell needs single quotes around them.'
            ) from error
        if stripped.lower() in ("true", "false"):
            return stripped.lower() == "true"
        return stripped
    value = parsed.get("x")
    plain = isinstance(value, str | int | float | list | dict)
    return value if plain and len(parsed) == 1 else stripped  # dates are words here


def is_range(value: Any) -> bool:
    """Whether `value` is text of the form ``start:stop:logN``, ``linN`` or ``N``."""
    return isinstance(value, str) and _RANGE.fullmatch(value.strip()) is not None


def parse_range(text: str) -> list[float]:
    """Return the numbers of ``start:stop:logN`` or ``start:stop:linN``, both ends included and exact.

    Without a word, as in ``start:stop:N``, the steps are equal.

    >>> parse_range("16:64:lin4"), parse_range("0:1:3")
    ([16.0, 32.0, 48.0, 64.0], [0.0, 0.5, 1.0])
    """
    match = _RANGE.fullmatch(text.strip())
    if match is None:
        raise InvalidInputError(
            f"the range {text!r} is not understood; write start:stop:logN or start:stop:linN, as in 0.1:10:log25."
        )
    start, stop, count = float(match[1]), float(match[2]), int(match[4])
    if count < 2 or count > 1_000_000:
        raise InvalidInputError(f"the range {text!r} asks for {count} values, but must have 2 to 1000000.")
    fractions = [index / (count - 1) for index in range(count)]
    if match[3] == "log":
        if start * stop <= 0:
            raise InvalidInputError(
                f"the range {text!r} is logarithmic, so both ends must be positive or both negative; use lin instead."
            )
        inner = [start * (stop / start) ** fraction for fraction in fractions]
    else:
        inner = [start + (stop - start) * fraction for fraction in fractions]
    return [start, *inner[1:-1], stop]


def parse_settings(assignments: Iterable[str]) -> dict[str, Any]:
    """Return the nested settings of ``["beta=2", "model.n=64"]``; a later assignment wins."""
    settings: dict[str, Any] = {}
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        key = key.strip()
        if not equals or not key or not text.strip():
            raise InvalidInputError(f"the setting {assignment!r} is not of the form key=value, as in --set beta=2.0.")
        merge(settings, nest({key: parse_value(text)}))
    return settings


def nest(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Turn dotted keys into nested tables.

    >>> nest({"model.n": 64, "beta": 1.0})
    {'model': {'n': 64}, 'beta': 1.0}
    """
    nested: dict[str, Any] = {}
    for key, value in flat.items():
        *path, last = key.split(".")
        if not all([*path, last]):
            raise InvalidInputError(f"the key {key!r} has an empty part between its dots.")
        table: dict[str, Any] = {last: value}
        for name in reversed(path):
            table = {name: table}
        merge(nested, table)
    return nested


def merge(settings: dict[str, Any], more: Mapping[str, Any]) -> None:
    """Lay `more` over `settings`, table by table; anything but a table is replaced."""
    for key, value in more.items():
        present = settings.get(key)
        if isinstance(value, Mapping) and isinstance(present, dict):
            merge(present, value)
        else:
            settings[key] = dict(value) if isinstance(value, Mapping) else value

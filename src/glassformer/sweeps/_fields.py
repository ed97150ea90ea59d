"""Field types that several configurations share."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from glassformer.sweeps._config import FloatOrInfinity
from glassformer.sweeps._values import parse_range


def _as_grid(value: Any) -> Any:
    if isinstance(value, str):
        return tuple(parse_range(value))
    if isinstance(value, int | float) and not isinstance(value, bool):
        return (value,)
    return tuple(value) if hasattr(value, "__iter__") else value


FloatGrid = Annotated[tuple[float, ...], BeforeValidator(_as_grid), Field(min_length=1)]
"""One number, a list of numbers, or a range such as ``"0.1:10:log25"``; kept as a tuple."""

FloatOrInfinityGrid = Annotated[tuple[FloatOrInfinity, ...], BeforeValidator(_as_grid), Field(min_length=1)]
"""The same for numbers that may be infinite."""

"""The radius conventions of the sphere on which a vector spin lives."""

from __future__ import annotations

import math

from glassformer._core._errors import invalid
from glassformer._core._validation import as_count, as_number

Radius = str | float
LARGEST = 1e150  # of any number of a model: squares must stay finite
RADIUS_CONVENTIONS = ("bal", "sqrt_d", "unit")


def resolve_radius(radius: Radius, dim: int) -> float:
    r"""Return the radius :math:`R` for `dim` components.

    ``"bal"`` is :math:`R^2=D/2-1` (needs :math:`D\ge3`), ``"sqrt_d"`` is :math:`R^2=D`, ``"unit"`` is :math:`R=1`;
    any positive number is taken as it is.

    >>> resolve_radius("sqrt_d", 4)
    2.0
    """
    dim = as_count("dim", dim)
    if isinstance(radius, str) and radius in RADIUS_CONVENTIONS:
        if radius == "bal":
            if dim < 3:
                raise invalid(
                    "dim",
                    dim,
                    "at least 3 for radius='bal' (R^2 = D/2 - 1)",
                    "pass radius='unit', radius='sqrt_d' or a number",
                )
            return math.sqrt(dim / 2 - 1)
        return math.sqrt(dim) if radius == "sqrt_d" else 1.0
    if isinstance(radius, str):
        raise invalid("radius", radius, "'bal', 'sqrt_d', 'unit' or a number > 0")
    number = as_number(
        "radius", radius, minimum=0.0, exclusive_minimum=True, next_step="or pass 'bal', 'sqrt_d', 'unit'"
    )
    if not 1.0 / LARGEST <= number <= LARGEST:
        raise invalid("radius", number, f"between {1 / LARGEST:g} and {LARGEST:g}", "choose another unit of length")
    return number

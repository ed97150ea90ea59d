"""Checks at the boundary: entry functions call these once; kernels assume clean input."""

from __future__ import annotations

import math
import numbers
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from glassformer._core._errors import invalid

FloatArray = npt.NDArray[np.float64]
Choice = TypeVar("Choice", bound=str)


def as_float_array(name: str, value: Any, *, ndim: int | tuple[int, ...]) -> FloatArray:
    """Return `value` as a finite, C-contiguous float64 array of the allowed rank, or raise."""
    try:
        kind = np.asarray(value).dtype.kind
        if kind in "USc":
            raise TypeError(kind)  # NumPy would read numbers in quotes, and drop the imaginary part with a warning
        array = np.ascontiguousarray(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        hint = "take the real part if that is what you mean" if str(error) == "c" else ""
        raise invalid(name, value, "an array of real numbers", hint) from error
    allowed = (ndim,) if isinstance(ndim, int) else ndim
    if np.ndim(value) not in allowed:  # ascontiguousarray turns scalars into vectors
        ranks = " or ".join(str(k) for k in allowed)
        raise invalid(f"the number of dimensions of {name}", np.ndim(value), ranks, f"its shape is {np.shape(value)}")
    if not np.isfinite(array).all():
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise invalid(f"{name}{list(where)}", float(array[where]), "finite", "remove NaN and infinity from the input")
    return array


def as_square_matrix(name: str, value: Any) -> FloatArray:
    """Return `value` as a finite square float64 matrix, or raise."""
    matrix = as_float_array(name, value, ndim=2)
    if matrix.shape[0] != matrix.shape[1] or matrix.shape[0] == 0:
        raise invalid(f"the shape of {name}", matrix.shape, "square (site, site_)")
    return matrix


def require_symmetric(name: str, matrix: FloatArray, *, method: str, alternatives: str) -> None:
    """Raise unless `matrix` is symmetric to rounding, naming the methods that need no symmetry."""
    scale = float(np.abs(matrix).max(initial=0.0))
    gap = float(np.abs(matrix - matrix.T).max(initial=0.0))
    if gap > 1e-10 * max(scale, 1e-300):
        raise invalid(
            f"the largest |{name} - transpose|",
            gap,
            f"0 for {method}, which needs an equilibrium and hence symmetric couplings",
            f"symmetrise the matrix or use {alternatives}",
        )


def as_number(
    name: str,
    value: Any,
    *,
    minimum: float = -math.inf,
    maximum: float = math.inf,
    exclusive_minimum: bool = False,
    allow_infinity: bool = False,
    next_step: str = "",
) -> float:
    """Return `value` as a float in the allowed interval, or raise."""
    bound = ">" if exclusive_minimum else ">="
    wanted = "a number" if minimum == -math.inf else f"a number {bound} {minimum:g}"
    if maximum < math.inf:
        wanted += f" and <= {maximum:g}"
    if isinstance(value, bool | np.bool_) or not isinstance(value, numbers.Real):
        raise invalid(name, value, wanted, next_step)
    number = float(value)
    low = number <= minimum if exclusive_minimum else number < minimum
    if math.isnan(number) or low or number > maximum or (math.isinf(number) and not allow_infinity):
        raise invalid(name, number, wanted, next_step)
    return number


def as_count(name: str, value: Any, *, minimum: int = 1, next_step: str = "") -> int:
    """Return `value` as an integer of at least `minimum`, or raise."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < minimum:
        raise invalid(name, value, f"an integer >= {minimum}", next_step)
    return int(value)


def as_choice(name: str, value: Any, choices: tuple[Choice, ...]) -> Choice:
    """Return `value` if it is one of `choices`, or raise with the list."""
    if not isinstance(value, str) or value not in choices:
        raise invalid(name, value, "one of " + ", ".join(choices))
    return value


LARGEST_SCALE = 1e50  # of the numbers of a sequence model: products of four of them must stay finite


def check_scale(name: str, value: Any, *, power: int = 1) -> None:
    """Raise when an entry is so large that products overflow; `power` is 2 for variances."""
    largest = float(np.max(np.abs(value), initial=0.0))
    if largest > LARGEST_SCALE**power:
        raise invalid(f"the largest |{name}|", largest, f"at most {LARGEST_SCALE**power:g}", "choose another unit")

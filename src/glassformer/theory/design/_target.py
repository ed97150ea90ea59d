"""What a user may ask for: a formula in tau, a list, an array, a file, or a function."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from glassformer._core._errors import InvalidInputError, invalid
from glassformer._core._validation import FloatArray, as_float_array
from glassformer.theory.design._formula import parse_formula

LONGEST = 32768
"""Lags at which a formula is evaluated; what has not decayed by then is tapered."""
_UNIT = ("ising", "probit", "spherical")


@dataclass(frozen=True, slots=True)
class Target:
    """A sequence c_0, c_1, ... for all lags (``complete``) or for the lags of a list only.

    ``values`` ends where a complete sequence has fallen below 1e-16 of c_0, or at `LONGEST` (``tapered``).
    """

    values: FloatArray
    complete: bool
    tapered: bool
    text: str

    @property
    def lasting(self) -> float:
        """What is left at the end of a sequence that does not decay at all, as that of a constant or a wave; else 0."""
        if not self.tapered:
            return 0.0
        part = LONGEST // 32
        end = float(np.abs(self.values[-part:]).max())
        return end if end > 0.999 * float(np.abs(self.values[8 * part : 9 * part]).max()) else 0.0

    def until(self, lags: int) -> FloatArray:
        """Return c_0..c_lags, zero where a complete sequence has decayed."""
        found = self.values[: lags + 1]
        return np.concatenate([found, np.zeros(lags + 1 - len(found))])


def read_target(target: Any, variant: str) -> Target:
    """Return `target` as a sequence that begins at lag 0.

    Lists begin at lag 0 for ``gaussian`` and ``graded``. For the variants of unit variance (c_0 = 1) they begin at lag 0
    if their first entry is 1, and at lag 1 otherwise.
    """
    if isinstance(target, str | os.PathLike):
        text = os.fspath(target)
        if Path(text).suffix.lower() in (".csv", ".txt", ".npy"):
            return _from_list(_read(Path(text)), variant, Path(text).name)
        return _from_function(parse_formula(text), variant, text.strip())
    if callable(target):
        return _from_function(_vectorised(target), variant, getattr(target, "__name__", "a function"))
    return _from_list(as_float_array("target", target, ndim=1), variant, "a list")


def _from_function(function: Callable[[FloatArray], FloatArray], variant: str, text: str) -> Target:
    values = function(np.arange(LONGEST + 1, dtype=np.float64))
    if not np.isfinite(values).all():
        lag = int(np.flatnonzero(~np.isfinite(values))[0])
        raise invalid(f"the target {text!r} at tau = {lag}", float(values[lag]), "finite at tau = 0, 1, 2, ...")
    values = _check_variance(values, variant, text)
    large = np.flatnonzero(np.abs(values) > 1e-16 * values[0])
    last = int(large[-1])
    tapered = last == LONGEST and abs(values[-1]) > 1e-12 * values[0]
    return Target(values[: last + 1], True, tapered, text)


def _from_list(values: FloatArray, variant: str, text: str) -> Target:
    if values.size == 0:
        raise invalid("the length of target", 0, "at least 1")
    if variant in _UNIT and abs(values[0] - 1.0) > 1e-9:
        values = np.concatenate([[1.0], values])
    return Target(_check_variance(values.copy(), variant, text), False, False, text)


def _check_variance(values: FloatArray, variant: str, text: str) -> FloatArray:
    first = float(values[0])
    if variant in _UNIT:
        if abs(first - 1.0) > 1e-9:
            raise invalid(
                f"the target {text!r} at tau = 0",
                _shown(first),
                f"1 for variant={variant!r}, whose tokens have unit variance",
                "divide it by its value at 0; a negative number in front of ^ needs parentheses, as in (-0.8)^tau"
                if abs(first + 1.0) < 1e-9
                else "divide it by its value at 0",
            )
        values[0] = 1.0
    elif first <= 0.0 or (variant == "graded" and first > 1.0 + 1e-9):
        allowed = "a variance in (0, 1]" if variant == "graded" else "a variance > 0"
        raise invalid(f"the target {text!r} at tau = 0", _shown(first), f"{allowed} for variant={variant!r}")
    return values


def _shown(value: float) -> float:
    """Return a number for a sentence, without the rounding of its last digits."""
    return float(f"{value:.6g}") if abs(value - 1.0) > 1e-5 else value


def _vectorised(function: Callable[[Any], Any]) -> Callable[[FloatArray], FloatArray]:
    def evaluate(tau: FloatArray) -> FloatArray:
        try:
            values = np.asarray(function(tau), dtype=np.float64)
        except (TypeError, ValueError):  # a function of one number
            values = np.empty(0)
        if values.shape != tau.shape:
            found = [function(float(lag)) for lag in tau]
            try:
                values = np.array([float(value) for value in found])
            except (TypeError, ValueError) as error:
                raise invalid("the target at tau = 0", found[0], "a number at every lag") from error
        return values.copy()

    return evaluate


def _read(path: Path) -> FloatArray:
    try:
        if path.suffix.lower() == ".npy":
            values = np.load(path, allow_pickle=False)
        else:
            values = np.loadtxt(path, delimiter="," if "," in path.read_text() else None, ndmin=1)
    except FileNotFoundError:
        raise InvalidInputError(f"target: the file {path} does not exist; check the path.") from None
    except (OSError, ValueError) as error:
        raise InvalidInputError(
            f"target: the file {path} cannot be read as one column of numbers ({error}); write one number a line."
        ) from error
    if np.ndim(values) != 1 and 1 not in np.shape(values):
        raise invalid(f"the shape of {path}", np.shape(values), "one column: the autocorrelation at lags 0, 1, ...")
    return as_float_array("target", np.ravel(values), ndim=1)

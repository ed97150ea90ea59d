"""The errors that users see: one clear sentence each, and the exit code of the command line."""

from __future__ import annotations

from typing import Any


class GlassformerError(Exception):
    """Base of every error that the package raises on purpose."""

    exit_code = 1


class InvalidInputError(GlassformerError, ValueError):
    """An input that cannot be used: what, the offending value, what is allowed, what next."""

    exit_code = 2


class MethodNotApplicableError(InvalidInputError):
    """A method was applied to what it cannot treat; the message names those that can."""


class MissingExtraError(InvalidInputError, ImportError):
    """An optional dependency is not installed; the message names the extra that brings it."""


class NotConvergedError(GlassformerError):
    """An answer that cannot be trusted. The result, with its evidence, is in ``result``."""

    def __init__(self, message: str, result: Any = None) -> None:
        super().__init__(message)
        self.result = result


class StoreError(GlassformerError):
    """A run directory that cannot be read or written; nothing that was finished is lost."""

    exit_code = 2


class StoreDamagedError(StoreError):
    """A file whose checksum does not match the manifest."""


class DamagedPartsError(StoreDamagedError):
    """Parts of an unfinished run whose files do not hold what was computed; ``parts`` are their indices."""

    def __init__(self, message: str, parts: tuple[int, ...]) -> None:
        super().__init__(message)
        self.parts = parts


class StoreBusyError(StoreError):
    """Another living process writes to this directory."""


def shorten(value: Any, width: int = 60) -> str:
    """Return ``repr(value)`` on one line, cut to `width` characters; of a number as many digits as it has beyond rounding."""
    text = " ".join(repr(value).split())
    if isinstance(value, float) and len(text) > 12:  # 2.8000000000000003
        text = f"{value:.12g}"
    return text if len(text) <= width else text[: width - 1] + "…"


def invalid(what: str, value: Any, allowed: str, next_step: str = "") -> InvalidInputError:
    """Build the one sentence that every bad input gets.

    >>> str(invalid("beta", -1.0, "a number >= 0", "pass temperature as beta = 1 / T"))
    'beta is -1.0, but must be a number >= 0; pass temperature as beta = 1 / T.'
    """
    tail = f"; {next_step}." if next_step else "."
    return InvalidInputError(f"{what} is {shorten(value)}, but must be {allowed}{tail}")

"""Ctrl-C and requests to stop: told apart, because a queue wants to know."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType


class Terminated(KeyboardInterrupt):
    """A request to stop from the operating system or a queue; handled like Ctrl-C."""


@contextlib.contextmanager
def polite_termination() -> Iterator[None]:
    """Turn a request to stop into `Terminated`, so that what is under way can be left in order."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise Terminated

    try:
        before = signal.signal(signal.SIGTERM, stop)
    except ValueError:  # not in the main thread
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def was_terminated(error: BaseException | None) -> bool:
    """Whether a request to stop is what `error`, or anything that caused it, began with."""
    while error is not None:
        if isinstance(error, Terminated):
            return True
        error = error.__cause__ or error.__context__
    return False

"""Progress on standard error: a bar on a terminal, plain lines elsewhere, nothing for what is over at once."""

from __future__ import annotations

import sys
import threading
import time
from types import TracebackType
from typing import Any, TextIO

PATIENCE = 2.0  # seconds before anything is shown
EVERY = 10.0  # seconds between plain lines


class Reporter:
    """A context manager whose call ``reporter(done, total)`` shows how far a computation is and how long it takes."""

    def __init__(self, label: str, stream: TextIO | None = None) -> None:
        self._label = label
        self._stream = stream if stream is not None else sys.stderr
        self._terminal = self._stream.isatty()
        self._bar: Any = None
        self._task: Any = None
        self._timer: threading.Timer | None = None
        self._lock = threading.Lock()
        self._last = (0.0, 0.0)

    def __enter__(self) -> Reporter:
        self._started = self._printed = time.monotonic()
        self._first: float | None = None
        if self._terminal:  # also for computations that report nothing for a while
            self._timer = threading.Timer(PATIENCE, self._open)
            self._timer.daemon = True
            self._timer.start()
        return self

    def __call__(self, done: float, total: float) -> None:
        done, total = float(done), float(total)
        self._last = (done, total)
        if self._first is None:
            self._first = done  # what an earlier run had finished says nothing about speed
        if self._terminal:
            if self._bar is not None:
                self._bar.update(self._task, completed=done, total=total)
            return
        now = time.monotonic()
        if now - self._started >= PATIENCE and now - self._printed >= (EVERY if self._printed > self._started else 0):
            self._printed = now
            print(self._line(now), file=self._stream, flush=True)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()
        with self._lock:
            if self._bar is not None:
                self._bar.stop()
                self._bar = None
            self._terminal = False
            self._printed = float("inf")

    def _line(self, now: float) -> str:
        done, total = self._last
        percent = 100 * done / total if total else 0.0
        fresh = done - (self._first or 0.0)
        left = (
            f", about {duration((now - self._started) * (total - done) / fresh)} left" if fresh > 0.02 * total else ""
        )
        return f"{self._label}: {percent:.0f} % done{left}"

    def _open(self) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            Progress,
            TaskProgressColumn,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        with self._lock:
            if not self._terminal:  # over in the meantime
                return
            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                TaskProgressColumn(),
                TimeElapsedColumn(),
                TextColumn("left"),
                TimeRemainingColumn(),
            )
            bar = Progress(*columns, console=Console(file=self._stream), transient=True)
            done, total = self._last
            self._task = bar.add_task(self._label, completed=done, total=total or None)  # type: ignore[arg-type]
            bar.start()
            self._bar = bar


def duration(seconds: float) -> str:
    """Return a time span in words.

    >>> duration(42.3), duration(4000)
    ('42 s', '1 h 7 min')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"

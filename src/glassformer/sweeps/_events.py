"""``events.jsonl``: what happened in a run directory, one JSON object per line."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from glassformer.sweeps._files import storing, write_atomic

NAME = "events.jsonl"


class EventLog:
    """Appends events to the log of one directory; progress at most every few seconds."""

    def __init__(self, path: Path, every: float = 5.0) -> None:
        self._path = path / NAME
        self._every = every
        self._last = time.monotonic()
        self._mend()

    def write(self, event: str, **details: Any) -> None:
        """Append one event and make it durable."""
        line = json.dumps({"time": _now(), "event": event, **details}) + "\n"
        with storing(self._path.parent), open(self._path, "a", encoding="utf-8") as stream:
            stream.write(line)
            stream.flush()
            os.fsync(stream.fileno())

    def progress(self, done: float, total: float) -> None:
        """Append a progress event unless the last one is recent."""
        now = time.monotonic()
        if now - self._last >= self._every:
            self._last = now
            self.write("progress", done=round(float(done), 6), total=float(total))

    def _mend(self) -> None:
        """Drop a last line that a killed process left unfinished."""
        try:
            data = self._path.read_bytes()
        except OSError:
            return
        if data and not data.endswith(b"\n"):
            write_atomic(self._path, data[: data.rfind(b"\n") + 1])


def read_events(path: Path) -> list[dict[str, Any]]:
    """Return the events of the run directory `path`, oldest first; unfinished lines are left out."""
    events: list[dict[str, Any]] = []
    try:
        lines = (path / NAME).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return events
    for line in lines:
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict):
            events.append(event)
    return events


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()) + "Z"

"""One writer per directory. The lock dies with its process, so a killed run never blocks the next one."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from glassformer._core._errors import StoreBusyError
from glassformer.sweeps._files import storage_error

LOCK = ".lock"
OWNER = ".lock-owner.json"


@contextmanager
def lock_directory(path: Path) -> Iterator[None]:
    """Hold `path` for writing, or raise `StoreBusyError` at once when another process does.

    The files of the lock are removed at the end, while it is still held: a process that opened the old file sees
    that it has lost its name and starts over.
    """
    # Long enough to outlast `is_locked`, which takes the lock for an instant; short enough to say so at once.
    lock = FileLock(path / LOCK, timeout=0.5)
    try:
        lock.acquire(poll_interval=0.02)
    except Timeout:
        raise StoreBusyError(f"{path} is being written by {_owner(path)}; wait for it, or stop it first.") from None
    except OSError as error:
        raise storage_error(error, path) from error
    try:
        owner = {"host": platform.node(), "pid": os.getpid(), "since": time.strftime("%Y-%m-%dT%H:%M:%S%z")}
        try:
            (path / OWNER).write_text(json.dumps(owner))
        except OSError as error:
            raise storage_error(error, path) from error
        yield
    finally:
        with suppress(OSError):
            (path / OWNER).unlink(missing_ok=True)
        with suppress(OSError):
            (path / LOCK).unlink(missing_ok=True)
        lock.release()


def is_locked(path: Path) -> bool:
    """Whether a living process writes to `path`."""
    if not (path / LOCK).exists():
        return False
    lock = FileLock(path / LOCK, timeout=0)
    try:
        lock.acquire()
    except (Timeout, OSError):
        return True
    lock.release()
    return False


def owner_of(path: Path) -> str:
    """Return who holds `path`, in words."""
    return _owner(path)


def _owner(path: Path) -> str:
    try:
        owner = json.loads((path / OWNER).read_text())
        return f"process {owner['pid']} on {owner['host']} (since {owner['since']})"
    except (OSError, ValueError, KeyError):
        return "another process"

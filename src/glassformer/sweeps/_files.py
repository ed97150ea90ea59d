"""Files that are either complete or absent: temporary name, flush, fsync, rename, fsync of the directory."""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from glassformer._core._errors import StoreError

TEMPORARY = ".tmp"
STORAGE_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)


def write_atomic(path: Path, data: bytes) -> str:
    """Write `data` under its final name in one step and return its sha256.

    A reader sees the old file, or no file, or the whole new file, at whatever moment the machine stops.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}{TEMPORARY}")
    with storing(path.parent):
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
            with open(descriptor, "wb", closefd=True) as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(temporary, path)
            sync_directory(path.parent)
        except BaseException:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise
    return hashlib.sha256(data).hexdigest()


def sync_directory(path: Path) -> None:
    """Make the names in `path` durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:  # some network file systems cannot sync a directory; they sync on close
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def make_directory(path: Path) -> list[Path]:
    """Create `path` and its parents; return those that were new, innermost last."""
    made: list[Path] = []
    with storing(path):
        missing = [path, *path.parents]
        missing = [folder for folder in missing if not folder.exists()]
        for folder in reversed(missing):
            with suppress(FileExistsError):  # another process may be creating the same parents
                folder.mkdir()
                made.append(folder)
        if not path.is_dir():
            raise StoreError(f"{path} exists and is not a directory; choose another one with -o.")
    return made


def remove_files(path: Path, *names: str) -> None:
    """Remove files of `path` that may or may not exist."""
    with storing(path):
        for name in names:
            (path / name).unlink(missing_ok=True)


def remove_tree(path: Path) -> None:
    """Remove the directory `path` of plain files, one level deep, if it exists."""
    with storing(path):
        if path.is_dir():
            for child in list(path.iterdir()):
                if child.is_dir() and not child.is_symlink():
                    remove_tree(child)
                else:
                    child.unlink(missing_ok=True)
            path.rmdir()


def remove_stale_temporaries(path: Path) -> None:
    """Remove what killed writers left in `path`; only for the holder of its lock."""
    for leftover in path.glob(f".*{TEMPORARY}"):
        with suppress(OSError):
            leftover.unlink()


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file, read in blocks."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


@contextmanager
def storing(path: Path) -> Iterator[None]:
    """Turn errors of the operating system into one sentence about `path`."""
    try:
        yield
    except OSError as error:
        raise storage_error(error, path) from error


def storage_error(error: OSError, path: Path) -> StoreError:
    """Say what stopped the writing and what to do."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StoreError(
            f"no space is left on the device of {path}; free some, then run the same command again: "
            "what was finished is kept."
        )
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return StoreError(f"{path} cannot be written ({error.strerror}); choose another directory with -o.")
    return StoreError(f"{path} cannot be used: {error.strerror or error}.")

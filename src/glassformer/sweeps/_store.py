"""The run directory: config.toml, inputs/, result.nc, figures, events.jsonl, and manifest.json last of all.

The manifest is the commit mark. It holds the checksum of every other file, so a directory without one is unfinished
and a file that differs from it is damaged; existence is never taken for integrity.
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from glassformer._core._errors import InvalidInputError, StoreDamagedError, StoreError
from glassformer._core._status import Status, versions
from glassformer._version import NUMERICAL_VERSION
from glassformer.sweeps._config import RunConfig, build, identity, read_toml, split_arrays, to_table, to_toml
from glassformer.sweeps._files import (
    TEMPORARY,
    make_directory,
    remove_stale_temporaries,
    remove_tree,
    sha256_of,
    storing,
    write_atomic,
)
from glassformer.sweeps._lock import LOCK, OWNER
from glassformer.sweeps._registry import find

if TYPE_CHECKING:
    import xarray as xr

    from glassformer.sweeps._spec import RunSpec

FORMAT = 1
CONFIG, RESULT, MANIFEST, STUDY = "config.toml", "result.nc", "manifest.json", "study.toml"
FIGURES = ("figure.png", "figure.svg")
SCRIPT = "submit.sh"  # for a queue; written again at will, so no manifest vouches for it
INPUTS, PARTS, CHECKPOINTS, POINTS = "inputs", "parts", "checkpoints", "points"
ARTIFACTS = "artifacts"  # being written; they move beside the result just before the commit

State = Literal["absent", "empty", "unfinished", "done", "failed", "damaged", "foreign"]


@dataclass(frozen=True)
class Inspection:
    """What a directory turned out to be.

    ``state`` is ``done`` (complete and verified), ``failed`` (complete and verified, but there is no answer to use),
    ``damaged``, ``unfinished``, ``empty``, ``absent`` or ``foreign`` (files that are not ours).
    """

    path: Path
    state: State
    sentence: str
    manifest: Mapping[str, Any] | None = None
    damaged: tuple[str, ...] = ()

    @property
    def has_result(self) -> bool:
        """Whether a verified result is there."""
        return self.manifest is not None and self.state in ("done", "failed") and RESULT in self.manifest["files"]


@dataclass(frozen=True)
class Stored:
    """What ``config.toml`` says."""

    name: str
    spec: RunSpec
    config: RunConfig
    scale: str


def write_config(path: Path, stored: Stored, *, inputs: str = INPUTS) -> None:
    """Write the inputs, then ``config.toml``; a directory with a configuration is complete enough to resume.

    With another `inputs` folder (the common one of a sweep) the arrays are taken to be there already.
    """
    table, files = split_arrays(to_table(stored.config), inputs)
    if inputs == INPUTS and files:
        make_directory(path / INPUTS)
        for file, data in files.items():
            write_atomic(path / INPUTS / file, data)
    write_atomic(path / CONFIG, to_toml({"run": stored.name, "scale": stored.scale}, table).encode())


def read_config(path: Path) -> Stored:
    """Return the configuration of the run directory `path`."""
    if not (path / CONFIG).exists():
        raise StoreError(f"{path} holds no {CONFIG}, so it is not a run directory; run the command that made it again.")
    table = read_toml(path / CONFIG)
    name, scale = table.pop("run", None), table.pop("scale", "quick")
    if not isinstance(name, str):
        raise StoreError(f'{path / CONFIG} does not say which run it is for; it must begin with run = "NAME".')
    spec = find(name)
    return Stored(name, spec, build(name, spec.config, table, base=path), scale)


def write_manifest(
    path: Path, kind: str, details: Mapping[str, Any], *, versions_of: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Commit: write the manifest with the checksum of every other file.

    A directory that is committed again without computing (a figure was added) keeps the versions of `versions_of`.
    """
    with storing(path):
        files = {name: sha256_of(path / name) for name in committed_files(path)}
    manifest = {
        "format": FORMAT,
        "kind": kind,
        **details,
        "numerical_version": NUMERICAL_VERSION,
        "versions": versions(),
        "platform": f"{platform.system()} {platform.machine()}",
    }
    if versions_of is not None:
        manifest.update({key: versions_of[key] for key in ("numerical_version", "versions", "platform")})
    manifest["files"] = files
    manifest["sha256"] = _manifest_digest(manifest)
    write_atomic(path / MANIFEST, (json.dumps(manifest, indent=1, allow_nan=False) + "\n").encode())
    return manifest


def committed_files(path: Path) -> list[str]:
    """Return the names, relative to `path`, of the files that a manifest vouches for."""
    top = [item for item in path.iterdir() if item.is_file()]
    below = [item for item in (path / INPUTS).glob("*") if item.is_file()]
    skipped = {MANIFEST, LOCK, OWNER, SCRIPT}
    names = [item.relative_to(path).as_posix() for item in (*top, *below)]
    return sorted(name for name in names if name not in skipped and not name.endswith(TEMPORARY))


def read_manifest(path: Path) -> dict[str, Any] | None:
    """Return the manifest of `path`, None if there is none; raise `StoreDamagedError` if it is not whole."""
    try:
        data = (path / MANIFEST).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise StoreError(f"{path / MANIFEST} cannot be read ({error.strerror}).") from error
    try:
        manifest = json.loads(data)
        whole = manifest["sha256"] == _manifest_digest(manifest)
        newer = manifest["format"] > FORMAT
    except (ValueError, KeyError, TypeError):
        whole, newer = False, False
    if not whole:
        raise StoreDamagedError(f"{path / MANIFEST} is damaged; `glassformer resume {path}` computes the run again.")
    if newer:
        raise StoreError(
            f"{path} was written by a newer glassformer (store format {manifest['format']}, known is {FORMAT}); update."
        )
    return dict(manifest)


def verify(path: Path, manifest: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the files that are missing or differ from their checksum."""
    wrong = []
    for name, digest in manifest["files"].items():
        try:
            if sha256_of(path / name) != digest:
                wrong.append(name)
        except OSError:
            wrong.append(name)
    return tuple(wrong)


def inspect_run(path: Path) -> Inspection:
    """Find out what the directory `path` holds, with every checksum verified."""
    if not path.exists():
        return Inspection(path, "absent", f"{path} does not exist.")
    if not path.is_dir():
        return Inspection(path, "foreign", f"{path} is not a directory; choose another one with -o.")
    if (path / STUDY).exists():
        return Inspection(path, "foreign", f"{path} holds a sweep, not a run; choose another directory with -o.")
    try:
        manifest = read_manifest(path)
    except StoreDamagedError as error:
        return Inspection(path, "damaged", str(error), None, (MANIFEST,))
    if manifest is None:
        return _inspect_uncommitted(path)
    damaged = verify(path, manifest)
    if damaged:
        gone = [name for name in damaged if not (path / name).exists()]
        wrong = [name for name in damaged if name not in gone]
        faults = [f"{', '.join(gone)} {'is' if len(gone) == 1 else 'are'} missing"] if gone else []
        if wrong:
            faults.append(
                f"{', '.join(wrong)} {'does' if len(wrong) == 1 else 'do'} not match the checksum in {MANIFEST}"
            )
        return Inspection(
            path,
            "damaged",
            f"{path}: {' and '.join(faults)}; `glassformer resume {path}` repairs it.",
            manifest,
            damaged,
        )
    state: State = "done" if is_usable(manifest["status"]) else "failed"
    return Inspection(path, state, manifest["sentence"], manifest)


def _inspect_uncommitted(path: Path) -> Inspection:
    names = {item.name for item in path.iterdir() if not item.name.endswith(TEMPORARY)}
    if CONFIG in names:
        done = len(list((path / PARTS).glob("*.json"))) if PARTS in names else 0
        detail = f" ({done} part{'s' if done != 1 else ''} kept)" if done else ""
        return Inspection(
            path, "unfinished", f"{path} is unfinished{detail}; `glassformer resume {path}` continues it."
        )
    if names <= {LOCK, OWNER, INPUTS, "events.jsonl"}:  # nothing, or what a run that was killed at once leaves
        return Inspection(path, "empty", f"{path} holds no run yet.")
    return Inspection(
        path, "foreign", f"{path} holds files that are not a run ({min(names)}); choose another directory with -o."
    )


def load_result(path: Path, manifest: Mapping[str, Any]) -> xr.Dataset:
    """Return the result in `path`: exactly the bytes whose checksum was verified, with its times put back."""
    from glassformer.sweeps._netcdf import from_bytes, join_volatile

    try:
        data = (path / RESULT).read_bytes()
    except OSError as error:
        raise StoreDamagedError(
            f"{path / RESULT} is missing or cannot be read; `glassformer resume {path}` computes it again."
        ) from error
    if hashlib.sha256(data).hexdigest() != manifest["files"].get(RESULT):
        raise StoreDamagedError(
            f"{path / RESULT} does not match its checksum, so it is damaged; `glassformer resume {path}` repairs it."
        )
    dataset = join_volatile(from_bytes(data), manifest.get("volatile", {}))
    dataset.attrs["directory"] = str(path)
    return dataset


def restore_config(path: Path, manifest: Mapping[str, Any]) -> None:
    """Write ``config.toml`` again from the copy in the manifest."""
    write_atomic(path / CONFIG, manifest["config"].encode())


def clear_debris(path: Path, *, parts: bool) -> None:
    """Remove what killed writers left, and the parts too once they are in the result. Only under the lock."""
    remove_stale_temporaries(path)
    if (path / INPUTS).is_dir():
        remove_stale_temporaries(path / INPUTS)
    if parts:
        remove_tree(path / PARTS)
        remove_tree(path / CHECKPOINTS)
        remove_tree(path / ARTIFACTS)
        return
    for folder in (PARTS, ARTIFACTS):
        if (path / folder).is_dir():
            remove_stale_temporaries(path / folder)


def has_debris(path: Path) -> bool:
    """Whether a committed directory still holds what `clear_debris` removes."""
    return (
        (path / PARTS).exists()
        or (path / CHECKPOINTS).exists()
        or (path / ARTIFACTS).exists()
        or (path / LOCK).exists()
        or any(path.glob(f".*{TEMPORARY}"))
    )


def require_same(path: Path, wanted: Stored, manifest: Mapping[str, Any] | None = None) -> None:
    """Raise unless `path` holds the configuration `wanted`, naming the first key that differs."""
    if manifest is not None:  # it knows even where an input was damaged
        version = manifest["numerical_version"]
        if manifest["identity"] == identity(wanted.name, wanted.config, version):
            return
    present = read_config(path)
    if identity(present.name, present.config) == identity(wanted.name, wanted.config):
        return
    if present.name != wanted.name:
        difference = f"it is {present.name} there and {wanted.name} here"
    else:
        there, here = to_table(present.config), to_table(wanted.config)
        key = next(key for key in here if not _same(there.get(key), here[key]))
        difference = f"{key} is {_short(there.get(key))} there and {_short(here[key])} here"
    raise InvalidInputError(f"{path} holds another configuration: {difference}; choose another directory with -o.")


def is_usable(status: str) -> bool:
    """Whether `status` (a `Status` value, or ``error``) means that there are numbers to use, if with a warning."""
    return status in [member.value for member in Status if not member.failed]


def _manifest_digest(manifest: Mapping[str, Any]) -> str:
    rest = {key: value for key, value in manifest.items() if key != "sha256"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def _same(first: Any, second: Any) -> bool:
    import numpy as np

    if isinstance(first, np.ndarray) or isinstance(second, np.ndarray):
        return bool(np.array_equal(first, second))
    return bool(first == second)


def _short(value: Any) -> str:
    from glassformer._core._errors import shorten

    return f"an array {value.shape}" if hasattr(value, "shape") else shorten(value)

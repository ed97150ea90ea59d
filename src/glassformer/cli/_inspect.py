"""``status``: what a directory holds."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glassformer._core._errors import StoreError
from glassformer.cli._values import print_json, print_table
from glassformer.sweeps._lock import is_locked, owner_of
from glassformer.sweeps._resume import inspect_directory, is_sweep
from glassformer.sweeps._store import CONFIG, MANIFEST, Inspection, inspect_run
from glassformer.sweeps._sweep import SweepInspection

if TYPE_CHECKING:
    from collections.abc import Mapping

SHOWN = 40  # rows of a sweep; the rest is counted


def status_command(directory: Path, as_json: bool) -> int:
    """Print the state of a run, of a sweep, or of every run in a folder; return 1 if something needs attention."""
    if not directory.is_dir():
        raise StoreError(f"{directory} is not a directory; give a run directory, as in runs/NAME-HASH.")
    if not is_sweep(directory) and not (directory / CONFIG).exists() and not (directory / MANIFEST).exists():
        return _folder(directory, as_json)
    inspection = inspect_directory(directory)
    if isinstance(inspection, SweepInspection):
        return _sweep(inspection, as_json)
    return _run(inspection, as_json)


def _run(inspection: Inspection, as_json: bool) -> int:
    path, state, sentence = inspection.path, _live_state(inspection), inspection.sentence
    if state == "running":
        sentence = f"{path} is being written by {owner_of(path)}."
    rows = _file_rows(inspection)
    if as_json:
        manifest: Mapping[str, Any] = inspection.manifest or {}
        print_json(
            {
                "kind": "run",
                "name": manifest.get("run"),
                "state": state,
                "status": manifest.get("status"),
                "sentence": sentence,
                "files": dict(rows),
                "timings": manifest.get("timings", {}),
                "directory": str(path),
            }
        )
    else:
        print_table(f"{path}: {state}", ["file", "state"], list(rows))
        print(sentence)
        print(f"next: {_next(state, path)}")
    return _complain(state, sentence)


def _sweep(inspection: SweepInspection, as_json: bool) -> int:
    if as_json:
        print_json(
            {
                "kind": "sweep",
                "name": inspection.study.name,
                "state": inspection.state,
                "counts": inspection.counts,
                "damaged": list(inspection.damaged),
                "points": [
                    {"point": p.index, "values": p.values, "state": p.state, "status": p.status, "sentence": p.sentence}
                    for p in inspection.points
                ],
                "sentence": inspection.sentence,
                "directory": str(inspection.path),
            }
        )
    else:
        # What needs attention comes first, so that it is never among the rows left out.
        ordered = sorted(inspection.points, key=lambda p: (p.state == "done", p.index))
        rows = [
            (
                str(p.index),
                *(_cell(value) for value in p.values.values()),
                p.state,
                p.sentence if p.state != "done" else "",
            )
            for p in ordered[:SHOWN]
        ]
        print_table(str(inspection.path), ["point", *inspection.study.axes, "state", "why"], rows)
        if len(ordered) > SHOWN:
            print(f"and {len(ordered) - SHOWN} more, {ordered[SHOWN].state} from point {ordered[SHOWN].index} on")
        print(inspection.sentence)
        print(f"next: {_next(inspection.state, inspection.path)}")
    return _complain(inspection.state, inspection.sentence)


def _folder(directory: Path, as_json: bool) -> int:
    children = [child for child in sorted(directory.iterdir()) if child.is_dir()]
    rows = []
    for child in children:
        if is_sweep(child):
            inspection: Inspection | SweepInspection = inspect_directory(child)
        else:
            inspection = inspect_run(child)
        if inspection.state in ("empty", "foreign"):
            continue
        rows.append((child.name, _live_state(inspection), inspection.sentence))
    if not rows:
        raise StoreError(f"{directory} holds neither a run nor a sweep; give a directory that `glassformer run` made.")
    if as_json:
        print_json({"kind": "folder", "runs": [dict(zip(("directory", "state", "sentence"), row)) for row in rows]})
    else:
        print_table(str(directory), ["directory", "state", "in words"], list(rows))
        print(f"next: glassformer status {directory / rows[0][0]}")
    return 1 if any(state == "damaged" for _, state, _ in rows) else 0


def _file_rows(inspection: Inspection) -> list[tuple[str, str]]:
    if inspection.manifest is None:
        if inspection.state == "damaged":
            return [(MANIFEST, "damaged")]
        present = [item.name for item in inspection.path.iterdir() if item.is_file() and not item.name.startswith(".")]
        return [(name, "not committed") for name in sorted(present)]
    files = inspection.manifest["files"]

    def state(name: str) -> str:
        if name not in inspection.damaged:
            return "verified"
        return "damaged" if (inspection.path / name).exists() else "missing"

    return [(name, state(name)) for name in files]


def _live_state(inspection: Inspection | SweepInspection) -> str:
    if inspection.state == "unfinished" and is_locked(inspection.path):
        return "running"
    return inspection.state


def _complain(state: str, sentence: str) -> int:
    if state in ("damaged", "failed"):
        print(f"Error: {sentence}", file=sys.stderr)
        return 1
    return 0


def _next(state: str, path: Path) -> str:
    if state == "running":
        return f"wait, then glassformer status {path}"
    if state in ("unfinished", "damaged"):
        return f"glassformer resume {path}"
    return f"glassformer plot {path}"


def _cell(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)

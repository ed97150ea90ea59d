"""The command line inside this process: what a user would see, and what is on the disk afterwards."""

from __future__ import annotations

import contextlib
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from glassformer.cli import _progress
from glassformer.cli._app import run_app


@dataclass(frozen=True)
class Outcome:
    """Exit code, standard output and standard error of one command."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one JSON object on standard output."""
        found = json.loads(self.out)
        assert isinstance(found, dict)
        return found


def call(*arguments: str) -> Outcome:
    """Run ``glassformer`` with `arguments`; progress, which only slow machines show, is turned off."""
    out, err = io.StringIO(), io.StringIO()
    quiet = patch.object(_progress, "PATIENCE", float("inf"))
    with quiet, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run_app(list(arguments))
    return Outcome(code, out.getvalue(), err.getvalue())


def succeed(*arguments: str) -> Outcome:
    """Run a command that must succeed and complain about nothing."""
    outcome = call(*arguments)
    assert (outcome.code, outcome.err) == (0, ""), (arguments, outcome)
    return outcome


def ask(*arguments: str) -> dict[str, Any]:
    """Run a command that must succeed with ``--json`` and return its answer."""
    return succeed(*arguments, "--json").json


def refuse(*arguments: str, code: int = 2) -> str:
    """Run a command that must fail with `code`; return its sentence, the only line that it may print.

    Nothing in the working directory may change.
    """
    before = everything(Path())
    outcome = call(*arguments)
    assert outcome.code == code, (arguments, outcome)
    assert outcome.out == "", (arguments, outcome)
    lines = outcome.err.splitlines()
    assert len(lines) == 1, (arguments, outcome)
    assert lines[0].startswith("Error: "), outcome
    assert lines[0].endswith((".", "?")), outcome
    assert everything(Path()) == before, arguments
    return lines[0].removeprefix("Error: ")


def everything(path: Path) -> dict[str, bytes | None]:
    """Every file below `path` with its content, and every directory with None."""
    return {
        item.relative_to(path).as_posix(): item.read_bytes() if item.is_file() else None for item in path.rglob("*")
    }


def settings(**values: object) -> list[str]:
    """``--set key=value`` for every one of `values`."""
    return [piece for key, value in values.items() for piece in ("--set", f"{key}={value}")]

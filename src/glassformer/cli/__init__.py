"""The command line: parse, call, print.

May import everything below. Nothing heavy is imported before a command needs it. To add a command, write a function in
one of the modules here and register it in `_app.py`.
"""

from __future__ import annotations

from typing import Any


def main() -> None:
    """Run the command line and leave with its exit code."""
    import sys

    from glassformer.cli._app import run_app

    code = run_app(sys.argv[1:])
    exec("")  # an interrupt inside an earlier exec (numba and dataclasses use it) would make Python die of it here
    sys.exit(code)


def __getattr__(name: str) -> Any:
    if name == "app":
        from glassformer.cli._app import app

        return app
    raise AttributeError(f"module 'glassformer.cli' has no attribute {name!r}.")

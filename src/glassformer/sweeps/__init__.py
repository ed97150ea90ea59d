"""Typed configurations, the registry of runs, the store, grids and executors: how a computation becomes a directory.

May import everything below `runs`. A new run is a `RunSpec` (see `_spec.py`) and one line in `_registry.py`; a new
executor is one function in `_executors.py`. Everything is imported when first used, so that ``--help`` stays fast.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from glassformer.sweeps._arrays import ArrayInput as ArrayInput
    from glassformer.sweeps._arrays import array_input as array_input
    from glassformer.sweeps._config import FloatOrInfinity as FloatOrInfinity
    from glassformer.sweeps._config import RunConfig as RunConfig
    from glassformer.sweeps._fields import FloatGrid as FloatGrid
    from glassformer.sweeps._fields import FloatOrInfinityGrid as FloatOrInfinityGrid
    from glassformer.sweeps._load import load as load
    from glassformer.sweeps._registry import find as find
    from glassformer.sweeps._registry import register as register
    from glassformer.sweeps._resume import inspect_directory as inspect_directory
    from glassformer.sweeps._resume import resume as resume
    from glassformer.sweeps._run import run as run
    from glassformer.sweeps._spec import Expected as Expected
    from glassformer.sweeps._spec import RunContext as RunContext
    from glassformer.sweeps._spec import RunSpec as RunSpec
    from glassformer.sweeps._sweep import sweep as sweep

_PUBLIC = {
    "glassformer.sweeps._arrays": ("ArrayInput", "array_input"),
    "glassformer.sweeps._config": ("FloatOrInfinity", "RunConfig"),
    "glassformer.sweeps._fields": ("FloatGrid", "FloatOrInfinityGrid"),
    "glassformer.sweeps._load": ("load",),
    "glassformer.sweeps._registry": ("find", "register"),
    "glassformer.sweeps._resume": ("inspect_directory", "resume"),
    "glassformer.sweeps._run": ("run",),
    "glassformer.sweeps._spec": ("Expected", "RunContext", "RunSpec"),
    "glassformer.sweeps._sweep": ("sweep",),
}
_WHERE = {name: module for module, names in _PUBLIC.items() for name in names}

__all__ = sorted(_WHERE)


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'glassformer.sweeps' has no attribute {name!r}.")
    return getattr(import_module(_WHERE[name]), name)


def __dir__() -> list[str]:
    return list(__all__)

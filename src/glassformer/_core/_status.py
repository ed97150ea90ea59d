"""Status and evidence: what travels with every answer."""

from __future__ import annotations

import contextlib
import functools
import json
import platform
from collections.abc import Mapping, Sequence
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from glassformer._core._errors import NotConvergedError

if TYPE_CHECKING:
    import xarray as xr


class Status(StrEnum):
    """How a computation ended. The value is stored; ``sentence`` is what a user reads."""

    OK = "ok"
    CONVERGED = "converged"
    NOT_CONVERGED = "not_converged"
    NONFINITE = "nonfinite"
    TOO_SHORT = "too_short"
    NOT_EQUILIBRATED = "not_equilibrated"
    OUT_OF_RANGE = "out_of_range"
    DEGENERATE = "degenerate"
    INTERRUPTED = "interrupted"

    @property
    def good(self) -> bool:
        """Whether the values may be used without a second thought."""
        return self in (Status.OK, Status.CONVERGED)

    @property
    def failed(self) -> bool:
        """Whether there is no answer to use. What is neither good nor failed is an answer with a warning."""
        return self in (Status.NOT_CONVERGED, Status.NONFINITE, Status.INTERRUPTED)

    @property
    def sentence(self) -> str:
        """The status in words."""
        return _SENTENCES[self]


_SENTENCES = {
    Status.OK: "The computation finished.",
    Status.CONVERGED: "The iteration reached its tolerance.",
    Status.NOT_CONVERGED: "The iteration stopped before it reached its tolerance.",
    Status.NONFINITE: "A value stopped being finite; the last finite iterate is returned.",
    Status.TOO_SHORT: "The run is shorter than 50 autocorrelation times, so its error bars cannot be trusted.",
    Status.NOT_EQUILIBRATED: "The run ended before its equilibration test passed.",
    Status.OUT_OF_RANGE: "The equations are solved, but outside the range where the method holds.",
    Status.DEGENERATE: "The data do not vary, so no error can be estimated.",
    Status.INTERRUPTED: "The run was interrupted; resume it to finish.",
}

_PACKAGES = ("glassformer", "numpy", "scipy", "numba", "xarray")


def versions() -> dict[str, str]:
    """Return the versions of everything that can change a number."""
    return {"python": platform.python_version(), **{name: _version(name) for name in _PACKAGES}}


@functools.cache  # reading the metadata takes longer than solving a small system
def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:  # a source tree that was never installed
        return "unknown"


def attach_evidence(
    dataset: xr.Dataset,
    *,
    status: Status,
    method: str,
    wall_time: float,
    citations: Sequence[str],
    **extra: Any,
) -> xr.Dataset:
    """Write the evidence into ``dataset.attrs`` (plain numbers and strings, so that it survives NetCDF).

    `extra` takes what is particular to the method: ``residual``, ``iterations``, ``seed``, ``averages_over``,
    ``response``, ``note``, ... Mappings and lists are stored as JSON text.
    """
    dataset.attrs["status"] = status.value
    dataset.attrs["status_sentence"] = status.sentence
    dataset.attrs["method"] = method
    dataset.attrs["wall_time"] = float(wall_time)
    dataset.attrs["versions"] = json.dumps(versions())
    dataset.attrs["citations"] = json.dumps(list(citations))
    for key, value in extra.items():
        if value is None:
            continue
        if isinstance(value, Mapping | list | tuple):
            value = json.dumps(value)
        elif isinstance(value, bool):
            value = int(value)  # NetCDF has no boolean attribute
        dataset.attrs[key] = value
    return dataset


def evidence(dataset: xr.Dataset) -> dict[str, Any]:
    """Read back what `attach_evidence` wrote, with JSON text turned into Python values."""
    found: dict[str, Any] = {}
    for key, value in dataset.attrs.items():
        if isinstance(value, str) and value[:1] in "[{":
            with contextlib.suppress(ValueError):
                value = json.loads(value)
        elif hasattr(value, "item"):
            value = value.item()
        found[str(key)] = value
    return found


def raise_if_failed(dataset: xr.Dataset, *, throw: bool) -> xr.Dataset:
    """Return `dataset`, or raise `NotConvergedError` with it inside when there is no answer to use and `throw` is set."""
    status = Status(dataset.attrs["status"])
    if throw and status.failed:
        attrs = dataset.attrs
        detail = f" (residual {attrs['residual']:.3g})" if "residual" in attrs else ""
        raise NotConvergedError(
            f"{attrs['method']}: {attrs.get('status_sentence', status.sentence)}{detail} Pass throw=False to look at the result, "
            "or try another method or starting point.",
            dataset,
        )
    return dataset

"""What a run is: a typed configuration, a function from it to a Dataset, and what a reader should know about it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glassformer._core._errors import InvalidInputError

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

    from glassformer.sweeps._config import RunConfig

Progress = Callable[[float, float], None]

# Words that `run` and TOML files use for themselves; a configuration cannot have fields with these names.
RESERVED = frozenset(
    {"run", "scale", "directory", "jobs", "progress", "throw", "figure", "set", "grid", "executor", "scheduler"}
)


def no_progress(done: float, total: float) -> None:
    """Report to nobody."""


@dataclass(frozen=True)
class RunContext:
    """What `compute` gets beside the configuration.

    Parameters
    ----------
    progress : callable
        ``progress(done, total)``; call it as often as you like.
    checkpoint : Path or None
        Where this part may keep its own checkpoint; removed when the run is committed.
    seed : int or None
        The field ``seed`` of the configuration, if it has one.
    part : int
        Index of this part.
    artifacts : Path or None
        Folder for the artifacts of the run (`RunSpec.artifacts`), which all parts share.
    """

    progress: Progress = no_progress
    checkpoint: Path | None = None
    seed: int | None = None
    part: int = 0
    artifacts: Path | None = None


@dataclass(frozen=True)
class Outcome:
    """An expected number beside the observed one; ``nearest`` lists labels that were taken for want of the exact one."""

    expected: Expected
    observed: float
    met: bool
    nearest: Mapping[str, float] = field(default_factory=dict)

    @property
    def found(self) -> str:
        """The observed number, and where it is from if that is not quite where it was expected."""
        inside = _listed(self.nearest)
        return f"{self.observed:.6g} at {inside}" if inside else f"{self.observed:.6g}"


@dataclass(frozen=True)
class Expected:
    """A number that must come out.

    Parameters
    ----------
    variable : str
        Name of a variable of the result.
    value, tolerance : float
        The result must lie within `tolerance` of `value` (absolute).
    source : str
        Where the number is published.
    scale : str, optional
        The scale at which it holds; None means every scale.
    select : mapping, optional
        Labels that pick one entry, as in ``Dataset.sel``; numbers select the nearest label.
    when : mapping, optional
        Attributes that the result must have for the number to hold, as in ``{"mode": "legacy"}``; `combine` or
        `compute` writes the settings that matter into the attributes.
    """

    variable: str
    value: float
    tolerance: float
    source: str = ""
    scale: str | None = None
    select: Mapping[str, Any] = field(default_factory=dict)
    when: Mapping[str, Any] = field(default_factory=dict)

    @property
    def quantity(self) -> str:
        """The variable with its selection, as in ``alignment[beta=2]``."""
        inside = _listed(self.select)
        return f"{self.variable}[{inside}]" if inside else self.variable

    @property
    def label(self) -> str:
        """The quantity with its conditions, as in ``alignment[beta=2] if mode=legacy``."""
        conditions = _listed(self.when)
        return f"{self.quantity} if {conditions}" if conditions else self.quantity

    def applies(self, dataset: xr.Dataset) -> bool:
        """Whether `dataset` was made at the scale and with the settings for which the number holds."""
        attrs = dataset.attrs
        return self.scale in (None, attrs.get("scale")) and all(
            key in attrs and bool(attrs[key] == value) for key, value in self.when.items()
        )

    def check(self, dataset: xr.Dataset) -> Outcome:
        """Compare with `dataset`; a variable that is missing or not a number does not meet the expectation."""
        observed = math.nan
        nearest: dict[str, float] = {}
        if self.variable in dataset:
            chosen = dataset[self.variable]
            for key, label in self.select.items():
                near = isinstance(label, int | float) and not isinstance(label, bool)
                chosen = chosen.sel({key: label}, method="nearest" if near else None)
                if near and not math.isclose(float(chosen[key]), label):
                    nearest[key] = float(chosen[key])
            observed = float(chosen)
        return Outcome(self, observed, bool(abs(observed - self.value) <= self.tolerance), nearest)


def _listed(settings: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{key}={value:g}" if isinstance(value, float) else f"{key}={value}" for key, value in settings.items()
    )


@dataclass(frozen=True)
class RunSpec:
    """A run: what the command, the test and the docs page of one computation are made from.

    Parameters
    ----------
    name, summary : str
        As in the table of `_registry.py`.
    config : type of RunConfig
        Its fields are the settings.
    compute : callable
        ``compute(config, part, context) -> Dataset``. The only place where numbers are made. Must depend on
        nothing but its arguments: it may run in another process, and a part may be computed twice.
    scales : mapping
        Settings of each scale, laid over the defaults; usually ``"quick"`` and ``"paper"``.
    parts : callable, optional
        ``parts(config) -> sequence of dict``: pieces that are computed, stored and resumed one by one.
    combine : callable, optional
        ``combine(config, datasets) -> Dataset``, in the order of the parts; needed when there are several.
    artifacts : tuple of str
        Names of files that `compute` and `finish` may write into ``context.artifacts``; when the run is committed they
        stand beside ``result.nc``, with their checksums in the manifest. For what is too large for a Dataset. Parts that
        share a file write disjoint regions of it, and the same bytes whenever they are computed again.
    finish : callable, optional
        ``finish(config, datasets, folder)``: completes the artifacts in `folder` when all parts are there, before
        `combine`. It may be called again, and raises `DamagedPartsError` for parts whose regions are not whole; they are
        then computed anew.
    plot : str, optional
        ``"module:function"``, called with the Dataset, returns a matplotlib Figure.
    citations : tuple of str
        Keys of the bibliography, on top of those that the result itself carries.
    expected : tuple of Expected
        Numbers that must come out.
    notes : str
        Where the default differs from the publication, said neutrally.
    long_help : str
        Shown by ``glassformer show``.
    """

    name: str
    summary: str
    config: type[RunConfig]
    compute: Callable[[Any, dict[str, Any], RunContext], xr.Dataset]
    scales: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    parts: Callable[[Any], Sequence[dict[str, Any]]] | None = None
    combine: Callable[[Any, list[xr.Dataset]], xr.Dataset] | None = None
    artifacts: tuple[str, ...] = ()
    finish: Callable[[Any, list[xr.Dataset], Path], None] | None = None
    plot: str | None = None
    citations: tuple[str, ...] = ()
    expected: tuple[Expected, ...] = ()
    notes: str = ""
    long_help: str = ""

    def __post_init__(self) -> None:
        clash = RESERVED & set(self.config.model_fields)
        if clash:
            raise InvalidInputError(
                f"the configuration of {self.name} has a field {min(clash)!r}, but that word is taken by `run` itself; "
                "rename the field."
            )
        if self.finish is not None and not self.artifacts:
            raise InvalidInputError(f"{self.name} has finish but no artifacts; name the files in artifacts=(...).")
        if self.parts is not None and self.combine is None:
            raise InvalidInputError(f"{self.name} has parts but no combine; write combine(config, datasets).")

    def part_list(self, config: RunConfig) -> list[dict[str, Any]]:
        """Return the parts of `config`, at least one."""
        return [dict(part) for part in self.parts(config)] if self.parts is not None else [{}]

    def scale_settings(self, scale: str) -> dict[str, Any]:
        """Return the settings of `scale`; a run without scales takes any of the two usual words."""
        if scale in self.scales:
            return dict(self.scales[scale])
        if not self.scales and scale in ("quick", "paper"):
            return {}
        known = ", ".join(self.scales) or "quick, paper"
        raise InvalidInputError(f"scale is {scale!r}, but {self.name} has {known}.")

    def draw(self, dataset: xr.Dataset) -> Figure:
        """Return the figure of `dataset`."""
        if self.plot is None:
            raise InvalidInputError(f"{self.name} has no figure; `glassformer export` writes the numbers.")
        module, _, function = self.plot.partition(":")
        figure: Figure = getattr(import_module(module), function)(dataset)
        return figure

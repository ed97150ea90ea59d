"""What a simulation measures, as a value."""

from __future__ import annotations

from dataclasses import dataclass

from glassformer._core._errors import invalid
from glassformer._core._validation import as_count


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """Choose what `simulate` measures while it runs; means, energies and entropy production always are.

    Parameters
    ----------
    correlations : bool
        Equal-time and delayed correlations, two matrices (site, site_); about doubles the cost of a parallel step.
    every : int
        Take correlations at every so-many-th step.
    trajectory : bool
        The replica-averaged magnetisation at every step, ``magnetization_trajectory (time, site, component)``: for
        transients from a given start.
    series : bool
        ``energy_series`` and ``alignment_series`` (replica, time).
    snapshots : int
        Number of configurations to keep, equally spaced, the last one at the end.

    Raises
    ------
    InvalidInputError
        For a number that is not a count or a switch that is not a bool.

    Examples
    --------
    >>> Measure(correlations=False, snapshots=10).snapshots
    10
    """

    correlations: bool = True
    every: int = 1
    trajectory: bool = False
    series: bool = True
    snapshots: int = 0

    def __post_init__(self) -> None:
        as_count("every", self.every)
        as_count("snapshots", self.snapshots, minimum=0)
        for name in ("correlations", "trajectory", "series"):
            if not isinstance(getattr(self, name), bool):
                raise invalid(name, getattr(self, name), "True or False")

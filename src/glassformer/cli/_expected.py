"""The expected numbers of a run beside those of a result."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import xarray as xr

    from glassformer.sweeps._spec import Outcome, RunSpec


def outcomes(spec: RunSpec, dataset: xr.Dataset) -> list[Outcome]:
    """Return what came of every expected number that holds for the settings of the result; none for a sweep."""
    found = []
    for entry in spec.expected if "grid" not in dataset.attrs else ():
        if not entry.applies(dataset):
            continue
        try:
            found.append(entry.check(dataset))
        except (KeyError, ValueError, TypeError):  # the settings were changed, so this number is not there
            continue
    return found


def expected_lines(spec: RunSpec, dataset: xr.Dataset) -> list[str]:
    """Return how many expected numbers are met, and a line for each that is not; nothing when nothing is expected."""
    found = outcomes(spec, dataset)
    if not found:
        return []
    missed = [outcome for outcome in found if not outcome.met]
    lines = [f"expected numbers: {len(found) - len(missed)} of {len(found)} met"]
    for outcome in missed:
        entry = outcome.expected
        source = f" ({entry.source})" if entry.source else ""
        lines.append(f"  not met: {entry.quantity} is {outcome.found}, not {allowed(outcome)}{source}")
    return lines


def allowed(outcome: Outcome) -> str:
    """Return the expected number with its tolerance."""
    return f"{outcome.expected.value:.6g} ± {outcome.expected.tolerance:.2g}"

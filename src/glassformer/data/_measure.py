"""Estimates from the sums of all blocks of a corpus, beside theory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from glassformer._core._status import Status
from glassformer._core._validation import FloatArray
from glassformer.data._drift import halves_differ
from glassformer.data._plan import CorpusPlan
from glassformer.data._relaxation import TOLERANCE
from glassformer.data._sums import BACKWARD_LOSS, FIELD_SQUARE, LOSS, TOTAL
from glassformer.observables._context import estimate, memory

if TYPE_CHECKING:
    import xarray as xr

EXACT, MEASURED = "exact for this sample", "measured: the teacher's own loss on these tokens"
_WHOLE = "nats per step, whole system"
_PER_SPIN = "nats per spin and step"


def corpus_dataset(plan: CorpusPlan, sums: dict[str, np.ndarray[Any, Any]], theory: dict[str, Any]) -> xr.Dataset:
    """Return estimates with standard errors, the theory of infinite size, and exact numbers where the sample is small.

    `sums` hold the units of all blocks in order; `theory` is the content of ``theory.json``.
    """
    import xarray as xr

    n = plan.model.n
    variables: dict[str, Any] = {}
    infinite, exact = theory["infinite"], theory["exact"]
    over = (
        f"{plan.sequences} sequences of one draw of the couplings"
        if plan.sequences > 1
        else "blocks of time of one sequence"
    )

    def add(name: str, value: Any, error: Any, dims: tuple[str, ...] = (), units: str = "") -> None:
        variables[name] = (dims, value, {"units": units} if units else {})
        if error is not None:
            variables[f"{name}_error"] = (dims, error, {"averages_over": over})

    value, error = estimate(sums["overlap"] / n, sums["pairs"])
    add("autocorrelation", value, error, ("lag",), "s.s / N, means not subtracted")
    for name, numbers in (("theory", infinite), ("of_sample", exact)):
        if "autocorrelation" in numbers:
            variables[f"autocorrelation_{name}"] = ("lag", np.array(numbers["autocorrelation"]))

    def scalar(which: int) -> tuple[Any, Any]:
        return estimate(sums["scalars"][:, which] / n, sums["counts"][:, which])

    add("magnetization_mean", *scalar(TOTAL))
    if "q0" in infinite:
        variables["q0"] = ((), infinite["q0"])
    if "q0" in exact:
        variables["q0_of_sample"] = ((), exact["q0"])
    add("field_square", *scalar(FIELD_SQUARE), units="mean square of the field of the random couplings")
    differential = "" if plan.two_valued else ", differential"
    for name, rate in (("theory", infinite.get("loss_floor")), ("of_sample", exact.get("entropy_rate"))):
        if rate is not None:
            variables[f"entropy_rate_{name}"] = ((), rate, {"units": _PER_SPIN + differential})
    if sums["counts"][:, LOSS].any():
        add("entropy_rate_exact", *scalar(LOSS), units=_PER_SPIN + differential)
        if "entropy_rate" not in exact:
            add("loss_floor", *scalar(LOSS), units=_PER_SPIN + differential)
            variables["loss_floor"][2]["origin"] = MEASURED
    if "entropy_rate" in exact:
        attrs = {"units": _PER_SPIN + differential, "origin": EXACT}
        variables["loss_floor"] = ((), exact["entropy_rate"], attrs)
    for name, numbers in (("theory", infinite), ("of_sample", exact)):
        if "entropy_production_per_spin" in numbers:
            value = numbers["entropy_production_per_spin"]
            variables[f"entropy_production_per_spin_{name}"] = ((), value, {"units": _PER_SPIN})
    if sums["counts"][:, BACKWARD_LOSS].any():
        kept = sums["counts"][:, BACKWARD_LOSS]
        difference = (sums["scalars"][:, BACKWARD_LOSS] - sums["scalars"][:, LOSS]) / n
        value, error = estimate(difference, kept)
        add("entropy_production", n * value, None if error is None else n * error, units=_WHOLE)
        add("entropy_production_per_spin", value, error, units=_PER_SPIN)
    for name in ("correlation_time", "criticality"):
        if name in infinite:
            variables[name] = ((), infinite[name])
    ranges = plan.ranges()
    variables["sequences"] = ("split", [stop - first for first, stop in ranges.values()])
    dataset = xr.Dataset(variables, coords={"lag": np.arange(plan.lags + 1), "split": list(ranges)})
    dataset.attrs["averages_over"] = over
    return dataset


def _far_from_infinite(plan: CorpusPlan, sums: dict[str, np.ndarray[Any, Any]], wanted: FloatArray) -> list[str]:
    """Say so where finite size is more than a correction."""
    n = plan.model.n
    value, error = estimate(sums["overlap"] / n, sums["pairs"])
    gap = np.abs(value - wanted)
    if error is None or not (gap > 20.0 / n * wanted[0] + 5.0 * error).any():
        return []
    lag = int(gap.argmax())
    return [
        f"This sample is far from infinite size: {value[lag]:.3g} instead of {wanted[lag]:.3g} at lag {lag}, more than ten times "
        "2 / N; compare with theory at more sites."
    ]


def corpus_status(
    plan: CorpusPlan, theory: dict[str, Any], sums: dict[str, np.ndarray[Any, Any]] | None = None
) -> tuple[Status, list[str]]:
    """Return the status of a corpus and what a reader should know beside its numbers; `sums` as in `corpus_dataset`."""
    notes = [theory["lags_note"]] if "lags_note" in theory else []
    if "autocorrelation" in theory["infinite"]:
        notes.append(
            "autocorrelation_theory is that of infinite N; time averages of one draw of the couplings differ from it by about "
            "2 / N, more near criticality."
        )
    notes.append(f"Error bars average over {'sequences' if plan.sequences > 1 else 'blocks of time'} only.")
    status = Status.OK
    if theory["reason"]:
        notes.append("Without theory of infinite size: " + theory["reason"].rstrip(".") + ".")
    if theory["exact_reason"] and not theory["ages"]:
        notes.append("Without exact numbers of this small sample: " + theory["exact_reason"].rstrip(".") + ".")
    if theory["infinite"].get("method") == "TransientDMFT":
        notes.append("Theory is that of the transient, averaged over the times that are kept.")
    if theory["exact"].get("status") == "out_of_range":
        notes.append(
            "At beta = inf the small sample is not ergodic: sequences end in cycles that depend on their start."
        )
    if not plan.independent_entries:
        notes.append(
            "fast_transform couplings have no independent entries: statistics are right, theories of learning are not."
        )
    if sums is not None and "autocorrelation" in theory["infinite"]:
        notes += _far_from_infinite(plan, sums, np.array(theory["infinite"]["autocorrelation"]))
    if theory["ages"]:
        status = Status.NOT_EQUILIBRATED
        if plan.rule.variant == "spherical":
            notes.append("At finite N aging ends when the largest eigenvalues take over.")
        radius = theory["spectral_radius"]
        why = f" (spectral radius {radius:.5g} of this sample)" if radius is not None and radius >= 1.0 else ""
        notes.append(f"No stationary state exists{why}: averages depend on burn_in and length.")
    elif plan.burn_in < theory["needed_burn_in"] and not theory["slow"]:
        status = Status.NOT_EQUILIBRATED
        notes.append(
            f"burn_in is {plan.burn_in}, but it takes {theory['needed_burn_in']} steps until correlations are stationary to "
            f"{TOLERANCE}: the start is remembered."
        )
    elif theory["slow"]:
        status = Status.NOT_EQUILIBRATED
        notes.append("This small sample is so cold that a sequence remembers its start for longer than the burn-in.")
    if status.good and sums is not None:
        drift = halves_differ(plan, sums, theory)
        if drift:
            status = Status.NOT_EQUILIBRATED
            notes.append(drift)
        elif theory["unknown"] and plan.burn_in < theory["recommended_burn_in"]:
            status = Status.NOT_EQUILIBRATED
            notes.append(
                f"No theory says how long this system needs to forget its start, and burn_in is {plan.burn_in}: take at least "
                f"{theory['recommended_burn_in']} steps."
            )
        elif theory["unknown"]:
            notes.append(
                f"No theory says how long this system needs to forget its start; after {plan.burn_in} steps "
                "the two halves of the sequences do not tell a drift, which slow aging would not show either."
            )
    time = max(theory["infinite"].get("correlation_time", 0.0) or 0.0, 1.0)
    if sums is not None:
        value, _ = estimate(sums["overlap"] / plan.model.n, sums["pairs"])
        time = max(time, memory(value, float(theory["infinite"].get("persistent_correlation", 0.0) or 0.0)))
    if status.good and plan.sequences == 1 and plan.length < 50 * time:
        status = Status.TOO_SHORT
        notes.append(f"One sequence of {plan.length} tokens with a memory of {time:.3g}: its error bars are too small.")
    return status, notes

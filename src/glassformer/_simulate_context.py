"""`simulate` for extended-context models: sequences of tokens, tile after tile, measured while they run."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from glassformer._checkpoint import peek_seed
from glassformer._context_result import dataset_of
from glassformer._context_run import ContextRun
from glassformer._core._errors import invalid
from glassformer._core._random import check_seed, derived_seed
from glassformer._core._status import Status, attach_evidence, evidence, raise_if_failed
from glassformer._core._validation import as_count
from glassformer.couplings import LaggedGaussian
from glassformer.dynamics._motion import check_steps
from glassformer.models import ContextEnsemble, ExtendedContext, TokenRule
from glassformer.observables._context import ContextMeasure, memory

if TYPE_CHECKING:
    import xarray as xr

Progress = Callable[[float, float], None]
_LAW = (
    "one draw of the couplings differs from the infinite-size limit by O(1/n) in time-averaged correlations (about 2/n, "
    "more near criticality) and by O(n^-1/2) in a single snapshot"
)


_SPHERE = ("wood1994", "marsaglia2000")


def simulate_context(
    model: Any,
    rule: Any,
    *,
    steps: int,
    replicas: int,
    burn_in: int,
    seed: int | None,
    start: str | npt.ArrayLike | None,
    measure: Any,
    lags: int | None,
    n: int | None,
    draws: int | None,
    precision: str,
    threads: int | None,
    progress: Progress | None,
    checkpoint: str | os.PathLike[str] | None,
    throw: bool,
) -> xr.Dataset:
    """Check the arguments of `simulate` and run one sample, or several draws of an ensemble."""
    if not isinstance(rule, TokenRule):
        raise invalid("the dynamics", rule, "a TokenRule for an extended-context model", "for example gf.TokenRule()")
    steps, replicas = as_count("steps", steps), as_count("replicas", replicas)
    burn_in = as_count("burn_in", burn_in, minimum=0)
    check_steps(burn_in + steps)
    measure = ContextMeasure() if measure is None else measure
    if not isinstance(measure, ContextMeasure):
        raise invalid("measure", measure, "a ContextMeasure", "for example gf.ContextMeasure(two_time=True)")
    if seed is None and checkpoint is not None:
        if not isinstance(model, ExtendedContext):
            raise invalid(
                "seed", seed, "given when several draws keep checkpoints", "each draw has a seed made from it"
            )
        seed = peek_seed(checkpoint)
    seed = check_seed(seed)
    options: dict[str, Any] = {
        "steps": steps,
        "replicas": replicas,
        "burn_in": burn_in,
        "start": start,
        "measure": measure,
        "precision": precision,
        "threads": threads,
    }
    if isinstance(model, LaggedGaussian):
        model = ContextEnsemble(model)
    if isinstance(model, ContextEnsemble):
        return _simulate_draws(
            model, rule, lags=lags, n=n, draws=draws, seed=seed, progress=progress, checkpoint=checkpoint, throw=throw,
            options=options,
        )  # fmt: skip
    if not isinstance(model, ExtendedContext):
        raise invalid("the model", type(model).__name__, "an ExtendedContext or a ContextEnsemble for a TokenRule")
    for name, value in (("n", n), ("draws", draws)):
        if value is not None:
            raise invalid(name, value, "left out for one sample", "give a ContextEnsemble to average over its draws")
    if lags is None:
        lags = min(steps - 1, max(10, 2 * model.context))
    lags = as_count("lags", lags, minimum=0)
    if lags >= steps:
        raise invalid("lags", lags, f"below the number of steps, {steps}")
    began = time.perf_counter()
    run = ContextRun(model, rule, lags=lags, seed=seed, checkpoint=checkpoint, **options)
    finite = run.go(progress)
    dataset = dataset_of(run) if finite else _broken(run)
    growing = finite and run.sums.growing and not measure.two_time
    note = run.note(growing=growing, finite=finite)
    status = Status.NONFINITE if not finite else Status.NOT_EQUILIBRATED if growing else Status.OK
    if status.good and replicas == 1 and run.sums.units > 1 and steps < 50.0 * (length := _memory(dataset)):
        status = Status.TOO_SHORT
        short = f"a single sequence of {steps} steps with a memory of {length:.3g}: errors from blocks of time are too small"
        note = f"{note}; {short}" if note else short
    attach_evidence(
        dataset,
        status=status,
        method="TokenRule",
        wall_time=time.perf_counter() - began,
        citations=[*rule.citations, *(_SPHERE if rule.variant == "spherical" else ()), "salmon2011"],
        model=model.digest,
        process="extended_context",
        dynamics=repr(rule),
        beta=None if rule.variant == "gaussian" else float(rule.beta),
        seed=seed,
        steps=steps,
        burn_in=burn_in,
        replicas=replicas,
        n=model.n,
        context=model.context,
        structure=run.motion.operator.structure,
        precision=run.motion.operator.precision,
        start=start if isinstance(start, str) else "independent" if start is None else "given",
        averages_over=run.averages_over,
        finite_size_law=_LAW,
        note=note,
    )
    return raise_if_failed(dataset, throw=throw)


def _memory(dataset: xr.Dataset) -> float:
    """Return for how long the tokens of one sequence are correlated."""
    noise = dataset["magnetization_error"].values if "magnetization_error" in dataset else 0.0
    persistent = float(np.mean(dataset["magnetization"].values ** 2 - noise**2))
    return memory(dataset["autocorrelation"].values, persistent)


def _broken(run: ContextRun) -> xr.Dataset:
    """Return what is known of a run whose tokens stopped being finite."""
    import xarray as xr

    return xr.Dataset({"last_finite_step": ((), run.last_finite)})


def _simulate_draws(
    ensemble: ContextEnsemble,
    rule: TokenRule,
    *,
    lags: int | None,
    n: int | None,
    draws: int | None,
    seed: int,
    progress: Progress | None,
    checkpoint: str | os.PathLike[str] | None,
    throw: bool,
    options: dict[str, Any],
) -> xr.Dataset:
    """Simulate independent draws of the couplings and average over them."""
    import xarray as xr

    began = time.perf_counter()
    n = as_count("n", n, next_step="the law of the couplings is sampled at this number of sites")
    draws = as_count("draws", 8 if draws is None else draws)
    if options["measure"].tokens:
        raise invalid("tokens", True, "False for several draws", "simulate one sample")
    results = []
    for draw in range(draws):
        tell = None if progress is None else _shifted(progress, draw, draws)
        results.append(
            simulate_context(
                _draw(ensemble, n, derived_seed(seed, f"draw/{draw}/couplings"), options["precision"]),
                rule,
                lags=lags,
                n=None,
                draws=None,
                seed=derived_seed(seed, f"draw/{draw}/dynamics"),
                progress=tell,
                checkpoint=None if checkpoint is None else Path(checkpoint) / f"draw-{draw}",
                throw=throw,
                **options,
            )
        )
        if Status(results[-1].attrs["status"]).failed:
            return results[-1]
    dataset = xr.Dataset(coords=results[0].coords)
    attrs = results[0].attrs
    for name in results[0].data_vars:
        if (
            str(name).endswith("_error") or "site" in results[0][name].dims
        ):  # sites of different draws have no common law
            continue
        stacked = np.stack([result[name].values for result in results])
        dims = results[0][name].dims
        dataset[name] = (dims, stacked.mean(axis=0), results[0][name].attrs)
        if draws > 1:
            over = {"averages_over": f"{draws} draws of the couplings"}
            spread = stacked.std(axis=0, ddof=1)
            spread = np.where(
                spread <= 1e-14 * np.abs(stacked.mean(axis=0)), 0.0, spread
            )  # a constant, but for rounding
            dataset[f"{name}_error"] = (dims, spread / math.sqrt(draws), over)
    if draws > 1:
        error = dataset["autocorrelation_error"].values
        dataset["autocorrelation_tolerance"] = (
            ("lag",),
            4.0 * np.sqrt(error**2 + (2.0 / n) ** 2),
            {"meaning": "4 sqrt(var / draws + (2 / n)^2): how far the infinite-size limit may lie"},
        )
    # errors are over draws, so it does not matter that each of them is short
    statuses = [Status(result.attrs["status"]) for result in results]
    status = next((bad for bad in statuses if not bad.good and (draws == 1 or bad is not Status.TOO_SHORT)), Status.OK)
    found = evidence(results[0])
    kept = (
        "process",
        "dynamics",
        "beta",
        "steps",
        "burn_in",
        "replicas",
        "context",
        "structure",
        "precision",
        "start",
        "note",
    )
    attach_evidence(
        dataset,
        status=status,
        method="TokenRule",
        wall_time=time.perf_counter() - began,
        citations=found["citations"],
        seed=seed,
        n=n,
        draws=draws,
        averages_over=f"{draws} draws of the couplings" if draws > 1 else attrs["averages_over"],
        finite_size_law=_LAW,
        **{key: attrs[key] for key in kept if key in attrs},
    )
    return dataset


def _draw(ensemble: ContextEnsemble, n: int, seed: int, precision: str) -> ExtendedContext:
    couplings = ensemble.law.sample(n=n, seed=seed, precision=precision)
    return ExtendedContext(couplings, fields=float(ensemble.field))


def _shifted(progress: Progress, draw: int, draws: int) -> Progress:
    return lambda done, total: progress(draw + done / total, draws)

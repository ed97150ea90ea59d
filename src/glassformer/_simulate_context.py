"""`simulate` for extended-context models: sequences of tokens, tile after tile, measured while they run."""

from __future__ import annotations

import hashlib
import math
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from glassformer._checkpoint import CheckpointFiles, peek_seed
from glassformer._core._errors import invalid
from glassformer._core._random import check_seed, derived_seed
from glassformer._core._status import Status, attach_evidence, evidence, raise_if_failed
from glassformer._core._validation import as_count
from glassformer.couplings import LaggedGaussian
from glassformer.dynamics._motion import check_steps, one_blas_thread, thread_count
from glassformer.dynamics.context._motion import ContextMotion, ContextTile, tile_ranges
from glassformer.dynamics.context._workers import Workers
from glassformer.models import ContextEnsemble, ExtendedContext, TokenRule
from glassformer.observables._context import (
    BACKWARD_LOSS,
    ENTROPY,
    FIELD_SQUARE,
    FLUSH,
    LOSS,
    PAIRED_LOSS,
    TOTAL,
    ContextMeasure,
    ContextSums,
    SphereScores,
    estimate,
)

if TYPE_CHECKING:
    import xarray as xr

Progress = Callable[[float, float], None]
_FORMAT = "context-1"  # changes whenever the bits of a run would
_PROGRESS_SECONDS, _CHECKPOINT_SECONDS = 0.1, 30.0
_LARGEST_PATH = 2**31  # bytes of tokens that may be kept
_LARGEST_TIMES = 4096
_LARGEST_SUM = 1e140  # beyond it the square of a sum over sites is about to overflow
_LAW = (
    "one draw of the couplings differs from the infinite-size limit by O(1/n) in time-averaged correlations (about 2/n, "
    "more near criticality) and by O(n^-1/2) in a single snapshot"
)


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
        seed = peek_seed(Path(checkpoint) / "draw-0") if draws is not None else peek_seed(checkpoint)
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
    run = _Run(model, rule, lags=lags, seed=seed, checkpoint=checkpoint, **options)
    finite = run.go(progress)
    dataset = run.dataset() if finite else _broken(run)
    growing = finite and run.sums.growing and not measure.two_time
    status = Status.NONFINITE if not finite else Status.NOT_EQUILIBRATED if growing else Status.OK
    attach_evidence(
        dataset,
        status=status,
        method="TokenRule",
        wall_time=time.perf_counter() - began,
        citations=[*rule.citations, "salmon2011"],
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
        precision=precision,
        start=start if isinstance(start, str) else "independent" if start is None else "given",
        averages_over=run.averages_over,
        finite_size_law=_LAW,
        note=run.note(growing=growing, finite=finite),
    )
    return raise_if_failed(dataset, throw=throw)


class _Run:
    """One simulation under way."""

    def __init__(
        self,
        model: ExtendedContext,
        rule: TokenRule,
        *,
        steps: int,
        replicas: int,
        burn_in: int,
        seed: int,
        start: str | npt.ArrayLike | None,
        measure: ContextMeasure,
        lags: int,
        precision: str,
        threads: int | None,
        checkpoint: str | os.PathLike[str] | None,
    ) -> None:
        self.motion = ContextMotion(model, rule, seed=seed, precision=precision)
        self.steps, self.replicas, self.burn_in, self.seed = steps, replicas, burn_in, seed
        self.measure, self.lags, self.threads = measure, lags, thread_count(threads)
        self.start = self.motion.check_start(start)
        if not isinstance(self.start, str) and self.start.ndim == 3 and self.start.shape[0] != replicas:
            raise invalid(
                "the number of initial histories in start", self.start.shape[0], f"{replicas} replicas or one"
            )
        self.files = None
        if checkpoint is not None:
            self.files = CheckpointFiles(checkpoint, self._identity(model, rule, precision))
        self.tiles = tile_ranges(range(replicas))
        self.sums = ContextSums(
            n=model.n,
            context=model.context,
            delay=self.motion.delay,
            replicas=replicas,
            steps=steps,
            lags=lags,
            measure=measure,
        )
        self._check_memory()
        self.tokens = np.zeros((replicas, steps, model.n), self.motion.dtype) if measure.tokens else None
        self.done_tiles, self.done_steps = 0, 0
        self.last_finite = burn_in + steps
        self.saved_at = self.told_at = time.monotonic()

    def _check_memory(self) -> None:
        keeps = self.measure.two_time or self.measure.tokens
        times = self.steps + self.motion.context
        size = times * self.motion.n * self.motion.dtype.itemsize * min(self.replicas, self.tiles[0][1])
        if self.measure.tokens:
            size += self.steps * self.motion.n * self.motion.dtype.itemsize * self.replicas
        if keeps and size > _LARGEST_PATH:
            raise invalid(
                "the size of the tokens to keep", f"{size:.2g} bytes", f"at most {_LARGEST_PATH:.2g}",
                "take fewer steps, or stream them with token_stream",
            )  # fmt: skip
        if self.measure.two_time and times > _LARGEST_TIMES:
            raise invalid("the number of times for two_time", times, f"at most {_LARGEST_TIMES}", "measure fewer steps")

    def _identity(self, model: ExtendedContext, rule: TokenRule, precision: str) -> str:
        digest = hashlib.blake2b(digest_size=16)
        facts = (
            _FORMAT,
            model.digest,
            rule,
            self.steps,
            self.replicas,
            self.burn_in,
            self.seed,
            self.measure,
            self.lags,
        )
        digest.update(repr((*facts, precision)).encode())
        digest.update(self.start.encode() if isinstance(self.start, str) else self.start.tobytes())
        return digest.hexdigest()

    @property
    def averages_over(self) -> str:
        """What the error bars average over."""
        if self.replicas > 1:
            return f"{self.replicas} replicas of one draw of the couplings"
        blocks = self.sums.units
        return f"{blocks} blocks of time of one sequence" if blocks > 1 else "nothing: one step of one sequence"

    def note(self, *, growing: bool, finite: bool) -> str | None:
        """Return what a reader should be warned of."""
        if not finite:
            return (
                f"tokens grew beyond what can be squared after step {self.last_finite}: the linear dynamics is unstable"
            )
        if growing:
            return "tokens kept growing: the dynamics is unstable or has not forgotten its start"
        if self.burn_in < 10 * self.motion.context and not self.measure.two_time:
            return "burn_in is below 10 K steps, so averages contain the transient"
        return None

    def go(self, progress: Progress | None) -> bool:
        """Run to the end; return whether everything stayed finite."""
        saved = self.files.load() if self.files is not None else None
        opened: np.ndarray | None = None
        sites: np.ndarray | None = None
        if saved is not None:
            self.done_tiles, self.done_steps = int(saved["tiles"]), int(saved["tile_steps"])
            self.sums.load(saved)
            if self.tokens is not None:
                self.tokens = saved["tokens"]
            if self.done_steps:
                opened, sites = saved["history"], saved["sites"]
        with one_blas_thread(), Workers(self.threads) as workers:
            while self.done_tiles < len(self.tiles):
                first, count = self.tiles[self.done_tiles]
                if opened is None:
                    history = self.motion.history(self.start, first, count)
                    sites = np.zeros((count, self.motion.n))
                else:
                    history = opened
                assert sites is not None
                depth = max(self.lags, self.motion.needs)
                tile = self.motion.open(history, first, workers, step=self.done_steps, depth=depth)
                opened = None
                if not self._run_tile(tile, sites, progress):
                    return False
                self.done_tiles += 1
                self.done_steps = 0
                self._save(None, sites, force=self.done_tiles == len(self.tiles))
        return True

    def _run_tile(self, tile: ContextTile, sites: np.ndarray, progress: Progress | None) -> bool:
        from glassformer.dynamics._kernels import _context as kernels

        motion, sums, steps, context = self.motion, self.sums, self.steps, self.motion.context
        vector = motion.rule.variant == "spherical"
        scored = not vector and motion.rule.variant != "graded"
        if motion.rule.variant == "graded":
            scored = motion.code == kernels.SIGN
        sphere = SphereScores(sums, motion.beta, tile.first_replica, tile.replicas) if vector else None
        real = motion.dtype != np.int8
        overlaps = np.zeros((tile.replicas, kernels.block_count(motion.n), self.lags + 1))
        whole_overlaps = np.zeros((tile.replicas, self.lags + 1))
        path = self._path(tile) if self.measure.two_time or self.measure.tokens else None
        total = self.burn_in + steps
        while tile.step < total:
            time_now = tile.step - self.burn_in  # of the token that is about to be drawn, from 0
            recording = time_now >= 0
            scored_time = time_now - motion.delay
            backward = motion.has_reversal and scored_time >= 0
            tile.advance(recording=recording, backward=backward)
            self.done_steps = tile.step
            # "Not below" rather than "above", for NaN.
            if not (np.abs(tile.sums[:, [kernels.TOTAL, kernels.FIELD_SQUARE]]) < _LARGEST_SUM).all():
                self.last_finite = tile.step - 1
                return False
            if recording:
                units = sums.unit(time_now, tile.first_replica, tile.replicas)
                for which, column in ((FIELD_SQUARE, kernels.FIELD_SQUARE), (TOTAL, kernels.TOTAL)):
                    sums.add(which, units, tile.sums[:, column])
                if scored:
                    sums.add(LOSS, units, tile.sums[:, kernels.LOSS])
                    sums.add(ENTROPY, units, tile.sums[:, kernels.ENTROPY])
                    if time_now < sums.paired_steps and motion.has_reversal:
                        sums.add(PAIRED_LOSS, units, tile.sums[:, kernels.LOSS])
                    if backward:
                        earlier = sums.unit(scored_time, tile.first_replica, tile.replicas)
                        sums.add(BACKWARD_LOSS, earlier, tile.sums[:, kernels.BACKWARD_LOSS])
                if sphere is not None and motion.has_reversal:
                    sphere.add(time_now, backward=False, projection=tile.vectors[0], square=tile.vectors[1])
                    if backward:
                        sphere.add(
                            scored_time,
                            backward=True,
                            projection=tile.sums[:, kernels.LOSS],
                            square=tile.sums[:, kernels.BACKWARD_LOSS],
                        )
                    if (time_now + 1) % FLUSH == 0 or time_now + 1 == steps:
                        sphere.flush()
                known = min(self.lags, time_now) + 1
                self._measure_overlaps(tile, known, overlaps[:, :, :known], sites, real)
                kernels.add_blocks(overlaps[:, :, :known], whole_overlaps[:, :known])
                sums.add_overlaps(time_now, units, whole_overlaps[:, :known])
                if path is not None:
                    path[:, time_now + context] = tile.tokens
                if self.replicas == 1 and sums.ends_unit(time_now):
                    sums.add_sites(sites, self._unit_length(time_now))
                    sites[:] = 0.0
            elif time_now == -1 and path is not None:
                path[:, :context] = tile.past(context)[:, ::-1]
            at_pause = time_now < 0 or (time_now + 1) % FLUSH == 0
            if at_pause:
                self._tell(progress)
                if path is None and tile.step < total:
                    self._save(tile, sites)
        if self.replicas > 1:
            sums.add_sites(sites, steps)
        if path is not None:
            self._keep(tile, path)
        self._tell(progress, force=tile.first_replica + tile.replicas == self.replicas)
        return True

    def _unit_length(self, time_now: int) -> int:
        first = next(t for t in range(time_now, -1, -1) if t == 0 or self.sums.ends_unit(t - 1))
        return time_now + 1 - first

    def _measure_overlaps(
        self, tile: ContextTile, known: int, overlaps: np.ndarray, sites: np.ndarray, real: bool
    ) -> None:
        from glassformer.dynamics._kernels._context import overlap_cells

        slots = tile.slots(known)
        tile.over_cells(lambda first, last: overlap_cells(tile.store, slots, overlaps, sites, real, first, last))

    def _path(self, tile: ContextTile) -> np.ndarray:
        path = np.zeros((tile.replicas, self.steps + self.motion.context, self.motion.n), self.motion.dtype)
        if tile.step == self.burn_in:
            path[:, : self.motion.context] = tile.past(self.motion.context)[:, ::-1]
        return path

    def _keep(self, tile: ContextTile, path: np.ndarray) -> None:
        if self.measure.two_time:
            for own in path:
                self.sums.add_two_time(own)
        if self.tokens is not None:
            self.tokens[tile.first_replica : tile.first_replica + tile.replicas] = path[:, self.motion.context :]

    def _tell(self, progress: Progress | None, *, force: bool = False) -> None:
        if progress is None:
            return
        now = time.monotonic()
        if force or now - self.told_at >= _PROGRESS_SECONDS:
            self.told_at = now
            total = self.burn_in + self.steps
            progress(self.done_tiles * total + self.done_steps, len(self.tiles) * total)

    def _save(self, tile: ContextTile | None, sites: np.ndarray, *, force: bool = False) -> None:
        if self.files is None or not (force or time.monotonic() - self.saved_at >= _CHECKPOINT_SECONDS):
            return
        arrays = {
            **self.sums.arrays,
            "seed": np.asarray(self.seed),
            "tiles": np.asarray(self.done_tiles),
            "tile_steps": np.asarray(self.done_steps),
            "sites": sites,
        }
        if tile is not None:
            arrays["history"] = tile.past(min(tile.depth, tile.step + self.motion.context))
        if self.tokens is not None:
            arrays["tokens"] = self.tokens
        self.files.save(arrays, self.done_tiles * (self.burn_in + self.steps) + self.done_steps)
        self.saved_at = time.monotonic()

    def dataset(self) -> xr.Dataset:
        """Return everything that was measured, labelled."""
        import xarray as xr

        n, sums, arrays = self.motion.n, self.sums, self.sums.arrays
        variables: dict[str, Any] = {}

        def add(name: str, value: Any, error: Any, dims: tuple[str, ...] = (), **attrs: Any) -> None:
            variables[name] = (dims, value, attrs)
            if error is not None:
                variables[f"{name}_error"] = (dims, error, {"averages_over": self.averages_over})

        value, error = estimate(arrays["overlap"] / n, arrays["pairs"])
        add("autocorrelation", value, error, ("lag",), units="s.s / n, means not subtracted", finite_size_error=2.0 / n)
        mean = arrays["site"] / (self.replicas * self.steps)
        site_error: np.ndarray | None = None
        if sums.units > 1:
            spread = np.maximum(arrays["site_square"] / sums.units - mean**2, 0.0)
            site_error = np.sqrt(spread / (sums.units - 1))
        add("magnetization", mean, site_error, ("site",))

        def scalar(which: int) -> tuple[Any, Any]:
            return estimate(arrays["scalars"][:, which] / n, arrays["counts"][:, which])

        add("magnetization_mean", *scalar(TOTAL))
        add("q0", *scalar(FIELD_SQUARE), units="mean square of the field from the random couplings")
        if arrays["counts"][:, LOSS].any():
            units = "nats per step and spin" + ("" if self.motion.dtype == np.int8 else ", differential")
            add("loss", *scalar(LOSS), units=units)
            add("entropy_rate", *scalar(ENTROPY), units=units)
        if arrays["counts"][:, BACKWARD_LOSS].any():
            kept = arrays["counts"][:, BACKWARD_LOSS]
            difference = (arrays["scalars"][:, BACKWARD_LOSS] - arrays["scalars"][:, PAIRED_LOSS]) / n
            value, error = estimate(difference, kept)
            add(
                "entropy_production",
                n * value,
                None if error is None else n * error,
                units="nats per step of the whole system",
            )
            add("entropy_production_per_spin", value, error, units="nats per step and spin")
        coordinates: dict[str, Any] = {"lag": np.arange(self.lags + 1)}
        if self.measure.two_time:
            times = np.arange(self.burn_in + 1 - self.motion.context, self.burn_in + self.steps + 1)
            coordinates |= {"time": times, "time_": times}
            snapshot = {"finite_size_error": 1.0 / math.sqrt(n)}
            for name, key, dims in (
                ("two_time_correlation", "two_time", ("time", "time_")),
                ("magnetization_trajectory", "trajectory", ("time",)),
            ):
                total, square = arrays[key]
                mean = total / self.replicas
                deviation: np.ndarray | None = None
                if self.replicas > 1:
                    deviation = np.sqrt(np.maximum(square / self.replicas - mean**2, 0.0) / (self.replicas - 1))
                add(name, mean, deviation, dims, **snapshot)
        if self.tokens is not None:
            variables["tokens"] = (("replica", "step", "site"), self.tokens)
            coordinates["step"] = np.arange(self.burn_in + 1, self.burn_in + self.steps + 1)
        return xr.Dataset(variables, coords=coordinates)


def _broken(run: _Run) -> xr.Dataset:
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
                ensemble.sample(n=n, seed=derived_seed(seed, f"draw/{draw}/couplings")),
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
            dataset[f"{name}_error"] = (dims, stacked.std(axis=0, ddof=1) / math.sqrt(draws), over)
    if draws > 1:
        error = dataset["autocorrelation_error"].values
        dataset["autocorrelation_tolerance"] = (
            ("lag",),
            4.0 * np.sqrt(error**2 + (2.0 / n) ** 2),
            {"meaning": "4 sqrt(var / draws + (2 / n)^2): how far the infinite-size limit may lie"},
        )
    statuses = [Status(result.attrs["status"]) for result in results]
    status = next((bad for bad in statuses if not bad.good), Status.OK)
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


def _shifted(progress: Progress, draw: int, draws: int) -> Progress:
    return lambda done, total: progress(draw + done / total, draws)

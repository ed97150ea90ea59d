"""`vector/quench`: change the fields of the user's own model, let it relax, and count the entropy of every step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import Field

from glassformer._core._errors import invalid
from glassformer.dynamics._motion import one_blas_thread
from glassformer.runs.vector import THEORIES, VectorConfig, Vectors
from glassformer.sweeps import RunContext, RunSpec
from glassformer.sweeps._arrays import ArrayRule

if TYPE_CHECKING:
    import xarray as xr

    from glassformer.models import VectorSpin
    from glassformer.theory import Quench

_REPLICAS = 4096
_RARE = 1000.0  # replicas per e^total entropy, below which rare paths decide


class QuenchConfig(VectorConfig):
    """Fields that change at once, and K steps of relaxation after each change."""

    drive: Annotated[
        Annotated[np.ndarray, ArrayRule((1, 2, 3))] | None,
        Field(
            description="fields after the change, (site, component), or (cycle, site, component) for several in turn"
        ),
    ] = None
    method: Annotated[
        Literal["nmf", "tap", "gram", "gaussian", "enumeration"],
        Field(description="the theory; enumeration is exact, for dim = 1 and up to 10 spins"),
    ] = "gram"
    response: Annotated[
        Literal["exact", "amos", "large_d"] | None,
        Field(description="response of one spin (exact if left out); not for enumeration"),
    ] = None
    start: Annotated[
        Literal["steady", "paramagnet", "fields"] | Vectors,
        Field(description="before the change: steady under fields, no magnetisation, or an array (site, component)"),
    ] = "steady"
    steps: Annotated[int, Field(ge=1, description="steps of relaxation per cycle")] = 10
    replicas: Annotated[
        int | None,
        Field(ge=2, description="enumeration only: simulated copies that check the fluctuation theorem (4096)"),
    ] = None
    seed: Annotated[int, Field(ge=0, description="root seed; generated and stored if left out")]


def _quench(config: QuenchConfig, part: dict[str, Any], context: RunContext) -> xr.Dataset:
    import glassformer as gf

    kind = THEORIES[config.method][0]
    exact = config.method == "enumeration"
    for name, given, allowed in (("response", config.response, not exact), ("replicas", config.replicas, exact)):
        if given is not None and not allowed:
            raise invalid(name, given, f"left out for method={config.method}")
    model = config.build()
    start: Any = config.start
    if isinstance(start, str):
        start = {"steady": None, "paramagnet": np.zeros_like(model.fields), "fields": "fields"}[start]
    options = {} if config.response is None else {"response": config.response}
    question = gf.Quench(kind(config.beta, **options), config.drive)
    dataset = gf.solve(model, question, start=start, steps=config.steps, throw=False)
    if exact:
        with one_blas_thread():  # the same bits whatever the number of threads
            _simulate(config, model, question, start, dataset, context)
    dataset.attrs["table"] = _table(dataset)
    return dataset


def _simulate(
    config: QuenchConfig, model: VectorSpin, question: Quench, start: Any, dataset: xr.Dataset, context: RunContext
) -> None:
    """Add averages over simulated paths of the same quench, and their deviations from the exact ones."""
    import glassformer as gf
    from glassformer._core._random import uniforms
    from glassformer.theory.driven._chain import KINDS, state_numbers

    replicas = config.replicas or _REPLICAS
    chain = question.cycles(model, start=start, steps=config.steps)
    ladder = np.cumsum(chain[0].laws[0])
    picked = np.searchsorted(ladder, ladder[-1] * uniforms(config.seed, "quench/start", replicas), side="right")
    spins = chain[0].space.states[np.minimum(picked, ladder.size - 1)][..., None]
    totals = {kind: np.zeros(replicas) for kind in KINDS}
    for cycle, (after, own) in enumerate(zip(question.models(model), chain)):
        context.progress(cycle, len(chain))
        simulation = gf.simulate(
            after, gf.ParallelHeatBath(config.beta), steps=config.steps, replicas=replicas, seed=config.seed + cycle,
            start=spins, measure=gf.Measure(correlations=False, series=False, snapshots=config.steps), throw=False,
        )  # fmt: skip
        path = np.concatenate([spins[None], simulation["snapshots"].values])
        spins = path[-1]
        for kind in KINDS:
            totals[kind] += own.path_entropy(kind, state_numbers(path).T)
    for kind in KINDS:
        end = "" if kind == "total" else f"_{kind}"
        exact_mean = float(dataset["entropy_production" if kind == "total" else f"{kind}_entropy_production"].sum())
        for name, values, expected in (
            (f"fluctuation_theorem{end}_sampled", np.exp(-totals[kind]), float(dataset[f"fluctuation_theorem{end}"])),
            (f"entropy_sampled{end}", totals[kind], exact_mean),
        ):
            error = float(values.std(ddof=1) / np.sqrt(replicas))
            dataset[name], dataset[f"{name}_error"] = float(values.mean()), error
            away = float(values.mean()) - expected
            dataset[f"{name}_deviation"] = away / error if error > 0 else 0.0
            if name.startswith("fluctuation") and _decided_by_rare_paths(totals[kind]):
                dataset[f"{name}_deviation"] = np.nan  # a standard error of the paths that were seen says nothing
            dataset[f"{name}_deviation"].attrs["units"] = "standard errors from the exact value"
    dataset.attrs["averages_over"] = f"{replicas} simulated paths (x_sampled)"
    rare = [kind for kind in KINDS if _decided_by_rare_paths(totals[kind])]
    if rare:
        means = ", ".join(f"{float(totals[kind].mean()):.3g} ({kind})" for kind in rare)
        dataset.attrs["note"] += (
            f" The mean entropy of a path is {means} nats: exp(-entropy) is decided by paths that {replicas} copies hardly "
            "ever take, so its sampled mean and error are not reliable, and no deviation is given; the exact sums are."
        )


def _decided_by_rare_paths(entropies: np.ndarray) -> bool:
    return bool(entropies.size < _RARE * np.exp(min(float(entropies.mean()), 500.0)))


def _table(dataset: xr.Dataset) -> str:
    cycles = [dataset.isel(cycle=k) for k in range(dataset.sizes["cycle"])] if "cycle" in dataset.dims else [dataset]
    names = {
        "mismatch": "mismatch", "housekeeping_entropy_production": "housekeeping", "nonadiabatic_entropy_production":
        "nonadiabatic", "entropy_production": "total", "environment_entropy_production": "environment",
    }  # fmt: skip
    lines = []
    for number, cycle in enumerate(cycles):
        lines.append(f"cycle {number}" if len(cycles) > 1 else "nats of the whole system")
        lines.append(f"{'step':>6}" + "".join(f"{head:>15}" for head in names.values()))
        for k in range(cycle.sizes["time"]):
            cells = [cycle[name].values for name in names]
            shown = [f"{values[k]:15.6g}" if k < len(values) else f"{'':15}" for values in cells]
            lines.append((f"{k:>6}" + "".join(shown)).rstrip())
        lines.append(
            f"budget {float(cycle['entropy_budget']):.6g} = housekeeping {float(cycle['housekeeping_total']):.6g} + mismatch "
            f"{float(cycle['mismatch'][0]):.6g} - {float(cycle['mismatch'][-1]):.6g}; steady entropy production "
            f"{float(cycle['steady_entropy_production']):.6g} per step"
        )
    for kind in ("", "_housekeeping", "_nonadiabatic"):
        name = f"fluctuation_theorem{kind}"
        if name not in dataset:
            continue
        text = f"<exp(-entropy)>{kind.replace('_', ', ')}: {float(dataset[name]):.12g} exactly"
        if f"{name}_sampled" in dataset:
            value, error = float(dataset[f"{name}_sampled"]), float(dataset[f"{name}_sampled_error"])
            away = float(dataset[f"{name}_sampled_deviation"])
            told = f"{away:+.1f} s.e." if np.isfinite(away) else "not reliable: rare paths decide"
            text += f", {value:.4g} ± {error:.1g} sampled ({told})"
        lines.append(text)
    return "\n".join(lines)


QUENCH = RunSpec(
    name="vector/quench",
    summary="Change the fields of your model, let it relax, and count the entropy of every step.",
    config=QuenchConfig,
    compute=_quench,
    plot="glassformer.plotting.thermodynamics:quench_figure",
    citations=("esposito2010", "bal2026", "glassformer"),
)

"""Tiny runs for the tests of the store, the sweeps and the command line; named by their import path."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import xarray as xr
from pydantic import Field

from glassformer._core._errors import DamagedPartsError, NotConvergedError, invalid
from glassformer._core._random import normals
from glassformer._core._status import Status, attach_evidence
from glassformer.sweeps import (
    ArrayInput,
    Expected,
    FloatGrid,
    FloatOrInfinity,
    RunConfig,
    RunContext,
    RunSpec,
    array_input,
)


class ToyConfig(RunConfig):
    """A chain of numbers with every kind of field."""

    beta: Annotated[FloatOrInfinity, Field(ge=0, description="inverse temperature")] = 1.0
    n: Annotated[int, Field(ge=1, description="number of sites")] = 8
    method: Annotated[Literal["nmf", "tap", "gram"], Field(description="approximation")] = "gram"
    couplings: Annotated[ArrayInput | None, Field(description="matrix (site, site_)")] = None
    pieces: Annotated[int, Field(ge=1, description="number of parts")] = 1
    delay: Annotated[float, Field(ge=0, description="seconds to sleep in each part")] = 0.0
    trouble: Annotated[
        Literal["no", "invalid", "diverge", "raise", "bug", "memory", "bad-status", "die-once"],
        Field(description="what to do wrong"),
    ] = "no"
    seed: Annotated[int, Field(ge=0, description="root of all randomness")]


def compute(config: ToyConfig, part: dict[str, Any], context: RunContext) -> xr.Dataset:
    """Return a few numbers that depend on every setting."""
    started = time.perf_counter()
    steps = max(1, round(config.delay / 0.01))
    for step in range(steps):
        context.progress(step, steps)
        time.sleep(config.delay / steps)
    if config.trouble == "invalid":
        raise invalid("the largest |couplings - transpose|", 0.5, "0 for tap")
    if config.trouble == "bug":
        raise RuntimeError("a genuine bug")
    if config.trouble == "memory":
        raise MemoryError
    if config.trouble == "die-once" and config.beta >= 1.0:
        mark = Path(os.environ["TOY_MARK"])
        if not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
    log = os.environ.get("TOY_LOG")  # which process computed which point how often
    if log:
        with open(log, "a", encoding="utf-8") as stream:
            stream.write(f"{os.getpid()} {config.beta!r} {config.method} {context.part}\n")
    state = normals(config.seed, f"toy/{part.get('piece', 0)}", config.n)
    if config.couplings is not None:
        state = state + config.couplings.sum()
    bad = config.trouble in ("diverge", "raise", "bad-status") and config.beta >= 1.0
    dataset = xr.Dataset(
        {
            "magnetization": ("site", np.tanh(min(config.beta, 1e6) * state)),
            "energy": float(np.mean(state) * min(config.beta, 1e6)),
            "label": config.method,
            "undefined": float("nan"),
            "piece": part.get("piece", 0),
            "solver_wall_time": time.perf_counter() - started,
        }
    )
    attach_evidence(
        dataset,
        status=Status.NOT_CONVERGED if bad else Status.OK,
        method="toy",
        wall_time=time.perf_counter() - started,
        citations=["stanley1968"],
        residual=0.5,
        seed=config.seed,
    )
    if bad and config.trouble == "raise":
        raise NotConvergedError("the toy did not converge.", dataset)
    if bad and config.trouble == "diverge":
        raise NotConvergedError("the toy ran away.")
    return dataset


def parts(config: ToyConfig) -> list[dict[str, Any]]:
    """One part per piece."""
    return [{"piece": piece} for piece in range(config.pieces)]


def combine(config: ToyConfig, datasets: list[xr.Dataset]) -> xr.Dataset:
    """Stack the pieces."""
    return xr.concat(datasets, "part", combine_attrs="drop_conflicts")


def plot(dataset: xr.Dataset) -> Any:
    """Draw the magnetisation."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3, 2))
    figure.subplots().plot(np.atleast_2d(dataset["magnetization"].values).T)
    return figure


def broken_plot(dataset: xr.Dataset) -> Any:
    """Fail."""
    raise ValueError("no ink")


SCALES = {"quick": {"n": 4}, "paper": {"n": 32}}
TOY = RunSpec(
    name="toy_runs:TOY",
    summary="A toy.",
    config=ToyConfig,
    compute=compute,
    scales=SCALES,
    citations=("honkoop2025",),
    expected=(Expected("energy", 0.0, 100.0, source="nowhere"), Expected("energy", 1e9, 1.0, scale="paper")),
    notes="The toy differs from nothing.",
    long_help="A few numbers that depend on every setting.",
)
PIECES = RunSpec(
    name="toy_runs:PIECES",
    summary="A toy in pieces.",
    config=ToyConfig,
    compute=compute,
    scales=SCALES,
    parts=parts,
    combine=combine,
)
DRAWN = RunSpec(
    name="toy_runs:DRAWN", summary="A toy with a figure.", config=ToyConfig, compute=compute, plot="toy_runs:plot"
)
UNDRAWN = RunSpec(
    name="toy_runs:UNDRAWN",
    summary="A toy whose figure fails.",
    config=ToyConfig,
    compute=compute,
    plot="toy_runs:broken_plot",
)

TABLE, SUMMARY = "table.npy", "summary.txt"


def write_rows(config: ToyConfig, part: dict[str, Any], context: RunContext) -> xr.Dataset:
    """Write one row of a table that all parts share, and return its sum."""
    assert context.artifacts is not None
    dataset = compute(config, part, context)
    path = context.artifacts / TABLE
    if not path.exists():
        np.save(path, np.zeros((config.pieces, config.n)))
    row = normals(config.seed, f"toy/row/{context.part}", config.n)
    table = np.lib.format.open_memmap(path, mode="r+")
    table[context.part] = row
    table.flush()
    if config.method == "tap":
        raise invalid("method", "tap", "another, for a table")
    return dataset.assign(total=row.sum())


def close_table(config: ToyConfig, datasets: list[xr.Dataset], folder: Path) -> None:
    """Write the summary, unless a row is not what its part wrote."""
    table = np.load(folder / TABLE) if (folder / TABLE).exists() else np.zeros((config.pieces, config.n))
    wrong = [k for k, part in enumerate(datasets) if table[k].sum() != float(part["total"])]
    if wrong:
        raise DamagedPartsError("the table is damaged.", tuple(wrong))
    (folder / SUMMARY).write_text(f"{table.shape}")


SHELF = RunSpec(
    name="toy_runs:SHELF",
    summary="A toy that leaves a table beside its result.",
    config=ToyConfig,
    compute=write_rows,
    scales=SCALES,
    parts=parts,
    combine=combine,
    artifacts=(TABLE, SUMMARY),
    finish=close_table,
)


class Law(RunConfig):
    """A nested table."""

    kind: Literal["flat", "peaked"] = "flat"
    scale: Annotated[float, Field(gt=0)] = 1.0
    weights: ArrayInput | None = None


class RichConfig(RunConfig):
    """One field of every kind that a configuration may have."""

    flag: bool = False
    count: int = 3
    real: float = 0.5
    extended: FloatOrInfinity = 1.0
    word: str = "a"
    choice: Literal["x", "y"] = "x"
    maybe: float | None = 0.5
    nothing: int | None = None
    numbers: list[float] = [1.0]  # noqa: RUF012
    holes: list[float | None] = []  # noqa: RUF012
    levels: list[Annotated[int, Field(ge=0)]] = [1, 2]  # noqa: RUF012
    pair: tuple[int, float] = (1, 2.0)
    betas: FloatGrid = (1.0, 2.0)
    table: dict[str, float] = {}  # noqa: RUF012
    law: Law = Law()
    couplings: Literal["flat", "random"] | ArrayInput = "flat"
    vector: array_input(1) | None = None  # type: ignore[valid-type]
    seed: int = 7


def rich_compute(config: RichConfig, part: dict[str, Any], context: RunContext) -> xr.Dataset:
    """Return one number."""
    return xr.Dataset({"real": config.real})


RICH = RunSpec(name="toy_runs:RICH", summary="Every kind of field.", config=RichConfig, compute=rich_compute)

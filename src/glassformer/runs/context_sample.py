"""`context/sample`: a corpus of token sequences on disk, with all that is known of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import Field, model_validator

from glassformer._core._errors import invalid
from glassformer._core._memory import machine_memory
from glassformer.runs._context_model import ContextModelConfig
from glassformer.runs.context import Vector
from glassformer.sweeps import RunContext, RunSpec
from glassformer.sweeps._config import identity

if TYPE_CHECKING:
    import xarray as xr

    from glassformer.data._generate import Block
    from glassformer.data._plan import CorpusPlan

NAME = "context/sample"
FILES = ("tokens.npy", "token_ids.npy", "couplings.npz", "theory.json", "corpus.json")


class CorpusConfig(ContextModelConfig):
    """A corpus: law and rule, number and length of the sequences, splits."""

    n: Annotated[int | None, Field(ge=1, description="sites of a draw from the law (100 if left out)")] = None
    mode: Annotated[
        Literal["batch", "trajectory", "windows"],
        Field(description="batch: sequences of one length; trajectory: one; windows: independent ones of K + 1 tokens"),
    ] = "batch"
    sequences: Annotated[
        int | None, Field(ge=1, description="number of sequences (64; windows: 4096; trajectory: 1)")
    ] = None
    length: Annotated[
        int | None, Field(ge=2, description="tokens of a sequence (256; trajectory: 16384; windows: K + 1)")
    ] = None
    splits: Annotated[
        Vector | None,
        Field(description="shares of train, validation, test, by whole sequences (0.8, 0.1, 0.1; all train below 3)"),
    ] = None
    structure: Annotated[
        Literal["gaussian", "rademacher", "sparse", "fast_transform"],
        Field(description="how couplings are drawn; the last three hold little memory"),
    ] = "gaussian"
    degree: Annotated[int | None, Field(ge=1, description="entries in a row of sparse couplings")] = None
    precision: Annotated[
        Literal["double", "single"], Field(description="of gaussian couplings and the products with them")
    ] = "double"
    burn_in: Annotated[
        int | None,
        Field(ge=0, description="steps before the first token (by default until the start is forgotten)"),
    ] = None
    start: Annotated[Literal["independent", "repeated"], Field(description="the K tokens before the burn-in")] = (
        "independent"
    )
    dtype: Annotated[
        Literal["default", "float32"], Field(description="default: int8 for two-valued tokens, else float64")
    ] = "default"
    lags: Annotated[
        int | None, Field(ge=0, description="largest lag of the autocorrelation that is measured (16, or length - 1)")
    ] = None

    @model_validator(mode="after")
    def _fits(self) -> CorpusConfig:
        """Refuse dense couplings that no memory holds before anything is written."""
        if self.couplings is None and self.n is not None:
            law = self.law()
            matrices = law.rank if law.transpose_covariance is None else law.context
            row = (4.0 if self.precision == "single" else 8.0) * self.n if self.structure == "gaussian" else 1.0
            needed = self.n * matrices * (row + 8.0 * law.context)  # matrices, and the products of one sequence
            if needed > (memory := machine_memory()):
                raise invalid(
                    "n", self.n, f"small enough for {memory:.3g} bytes of memory (this takes {needed:.3g})",
                    "take fewer sites, a covariance of lower rank, or structure=rademacher, sparse or fast_transform",
                )  # fmt: skip
        return self

    def plan(self) -> tuple[CorpusPlan, dict[str, Any]]:
        """Return the plan and the theory; the last one is kept, since every part asks for it."""
        key = identity(NAME, self)
        if key not in _plans:
            _plans.clear()
            _plans[key] = self._plan()
        return _plans[key]

    def _plan(self) -> tuple[CorpusPlan, dict[str, Any]]:
        from glassformer.data._write import plan_corpus

        if self.couplings is not None and (self.structure != "gaussian" or self.degree is not None):
            raise invalid("structure", self.structure, "left out beside couplings", "couplings are the whole model")
        model = self.sample(100, precision=self.precision, structure=self.structure, degree=self.degree)
        return plan_corpus(
            model, self.rule(), mode=self.mode, sequences=self.sequences, length=self.length, burn_in=self.burn_in,
            start=self.start, seed=self.seed, dtype=self.dtype, lags=self.lags, splits=self.splits,
            precision=self.precision,
        )  # fmt: skip


_plans: dict[str, tuple[CorpusPlan, dict[str, Any]]] = {}


def _parts(config: CorpusConfig) -> list[dict[str, Any]]:
    from glassformer.data._plan import block_ranges, check_shape

    sequences, _ = check_shape(config.mode, config.sequences, config.length, config.context)
    return [{"first": block.start, "stop": block.stop} for block in block_ranges(sequences)]


def _write(config: CorpusConfig, part: dict[str, Any], context: RunContext) -> xr.Dataset:
    import xarray as xr

    from glassformer.data._generate import write_block
    from glassformer.data._sums import KEPT

    assert context.artifacts is not None
    plan, _ = config.plan()
    block = write_block(
        plan, context.artifacts, range(part["first"], part["stop"]),
        progress=context.progress, checkpoint=context.checkpoint,
    )  # fmt: skip
    dims = {name: ("unit", "sum" if name in ("scalars", "counts") else "lag") for name in KEPT}
    digests = np.array([list(bytes.fromhex(digest)) for digest in block.digests], dtype=np.uint8)
    return xr.Dataset(
        {**{name: (dims[name], block.sums[name]) for name in dims}, "digests": (("piece", "byte"), digests)}
    )


def _blocks(config: CorpusConfig, parts: list[xr.Dataset]) -> list[Block]:
    from glassformer.data._generate import Block
    from glassformer.data._sums import KEPT

    return [
        Block(
            range(part["first"], part["stop"]),
            {name: found[name].values for name in KEPT},
            [bytes(row.tolist()).hex() for row in found["digests"].values],
        )
        for part, found in zip(_parts(config), parts)
    ]


def _finish(config: CorpusConfig, parts: list[xr.Dataset], folder: Path) -> None:
    from glassformer.data._write import close_corpus

    plan, theory = config.plan()
    close_corpus(plan, folder, _blocks(config, parts), theory)


def _combine(config: CorpusConfig, parts: list[xr.Dataset]) -> xr.Dataset:
    import glassformer as gf
    from glassformer._core._status import attach_evidence
    from glassformer.data._measure import corpus_dataset, corpus_status
    from glassformer.data._write import joined

    plan, theory = config.plan()
    sums = joined(_blocks(config, parts))
    dataset = corpus_dataset(plan, sums, theory)
    status, notes = corpus_status(plan, theory, sums)
    attach_evidence(
        dataset, status=status, method="TokenRule", wall_time=0.0, citations=theory["citations"], note=" ".join(notes),
        mode=plan.mode, variant=plan.rule.variant, n=plan.model.n, context=plan.model.context, length=plan.length,
        burn_in=plan.burn_in, needed_burn_in=theory["needed_burn_in"], start=plan.start,
        beta=None if plan.rule.variant == "gaussian" else float(plan.rule.beta),
        sigma=float(plan.rule.sigma) if plan.rule.variant == "gaussian" else None,
        loss_floor_is=dataset["loss_floor"].attrs["origin"] if "loss_floor" in dataset else None, dtype=plan.dtype.name, structure=plan.backend["structure"],
        precision=plan.precision, theory=theory["infinite"].get("method"), averages_over=dataset.attrs["averages_over"],
    )  # fmt: skip
    if status is gf.Status.NOT_EQUILIBRATED:
        dataset.attrs["status_sentence"] = notes[-1]
    dataset.attrs["table"] = _table(plan, dataset)
    _plans.clear()  # the couplings of a long-lived process need not stay
    return dataset


_ROWS = (
    ("entropy rate, teacher's loss", "entropy_rate"),
    ("entropy production per spin", "entropy_production_per_spin"),
)


def _table(plan: CorpusPlan, dataset: xr.Dataset) -> str:
    from glassformer.data._measure import EXACT

    def cell(name: str, lag: int | None = None) -> str:
        if name not in dataset:
            return "-"
        pick = (lambda found: found) if lag is None else (lambda found: found[lag])
        value = float(pick(dataset[name]))
        text = f"{value:.6f}" if abs(value) < 1e5 and not 0.0 < abs(value) < 1e-4 else f"{value:.6g}"
        error = dataset.get(f"{name}_error")
        return text if error is None else f"{text} ± {float(pick(error)):.1g}"

    exact = any(str(name).endswith("_of_sample") for name in dataset)
    heads = ["N = infinity", *(["sample, exact"] if exact else []), "corpus, measured"]
    lines = [f"{'':30}" + "".join(f"  {head:>22}" for head in heads)]

    def row(label: str, cells: list[str]) -> None:
        lines.append(f"{label:30}" + "".join(f"  {text:>22}" for text in cells))

    middle = ["_of_sample"] if exact else []
    for label, name in _ROWS:
        own = "entropy_rate_exact" if name == "entropy_rate" else name
        row(label, [cell(f"{name}_theory"), *(cell(f"{name}{end}") for end in middle), cell(own)])
    for lag in range(min(plan.lags, 8) + 1):
        ends = ["_theory", *middle, ""]
        row(f"autocorrelation, lag {lag}", [cell(f"autocorrelation{end}", lag) for end in ends])
    if "loss_floor" in dataset:
        known = dataset["loss_floor"].attrs["origin"] == EXACT
        row(
            "loss floor of this corpus",
            ["-", cell("loss_floor"), "-"] if known else ["-", *"-" * exact, cell("loss_floor")],
        )
    row("q0", [cell("q0"), *(cell(f"q0{end}") for end in middle), cell("field_square")])
    shares = ", ".join(f"{name} {stop - first}" for name, (first, stop) in plan.ranges().items())
    sequences, length, n = plan.shape
    lines.append(
        f"\ntokens.npy: {plan.dtype.name} ({sequences}, {length}, {n}); sequences: {shares}; burn-in {plan.burn_in} steps"
    )
    return "\n".join(lines)


SAMPLE = RunSpec(
    name=NAME,
    summary="Write a corpus: token sequences, couplings, loss floor and theory, splits, checksums.",
    config=CorpusConfig,
    compute=_write,
    parts=_parts,
    combine=_combine,
    artifacts=FILES,
    finish=_finish,
    plot="glassformer.plotting.corpora:corpus_figure",
    citations=("zavatone2025", "glassformer"),
    long_help="Beside the result the run directory holds tokens.npy (sequence, time, site), couplings.npz or their key, "
    "theory.json, token_ids.npy (two-valued tokens of at most 16 sites) and corpus.json; gf.open_corpus(DIR) reads them. "
    "A run that was stopped continues with `glassformer resume DIR`.",
)

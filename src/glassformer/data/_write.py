"""Writing a corpus: plan, blocks, and the record that closes it."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from glassformer._core._errors import DamagedPartsError, InvalidInputError, StoreError, invalid
from glassformer._core._memory import require_memory
from glassformer._core._random import check_seed
from glassformer._core._validation import as_choice, as_count
from glassformer._version import NUMERICAL_VERSION, __version__
from glassformer.data._files import file_checksum, write_json
from glassformer.data._generate import Block, damaged_pieces, write_block
from glassformer.data._measure import corpus_dataset
from glassformer.data._plan import (
    COUPLINGS,
    DTYPES,
    FILES,
    RECORD,
    STARTS,
    THEORY,
    TOKEN_IDS,
    TOKENS,
    CorpusPlan,
    check_shape,
    check_splits,
    default_burn_in,
    drawn_in_single,
)
from glassformer.data._theory import (
    LONGEST_BURN_IN,
    CorpusTheory,
    has_transient_theory,
    stationary_theory,
    transient_theory,
)
from glassformer.dynamics._motion import check_steps
from glassformer.models import ContextEnsemble, ExtendedContext, TokenRule

FORMAT = 1
_WITHOUT_THEORY = 1000  # steps of a burn-in where nothing says how long it should be
_LARGEST_CORPUS = 1e14  # bytes; no file system of today takes more in one file
_LARGEST_COUPLINGS = 2**26  # numbers of couplings that are written out; beyond, their key alone


def plan_corpus(
    model: ExtendedContext,
    rule: TokenRule,
    *,
    mode: str = "batch",
    sequences: int | None = None,
    length: int | None = None,
    burn_in: int | None = None,
    start: str = "independent",
    seed: int,
    dtype: str = "default",
    lags: int | None = None,
    splits: npt.ArrayLike | None = None,
    precision: str = "double",
    ensemble: ContextEnsemble | None = None,
) -> tuple[CorpusPlan, dict[str, Any]]:
    """Check every argument of `write_corpus`; return the plan and the content of ``theory.json``."""
    if not isinstance(model, ExtendedContext) or not isinstance(rule, TokenRule):
        raise invalid(
            "the model and rule", (type(model).__name__, type(rule).__name__), "ExtendedContext and TokenRule"
        )
    count, steps = check_shape(mode, sequences, length, model.context)
    as_choice("start", start, STARTS)
    if as_choice("dtype", dtype, DTYPES) == "float32" and rule.variant in ("ising", "probit"):
        raise invalid("dtype", dtype, f"default for variant={rule.variant}", "two-valued tokens are int8")
    wanted_lags = 16 if lags is None else as_count("lags", lags, minimum=0)
    kept_lags = min(wanted_lags, steps - 1)
    law = model.couplings.law
    if ensemble is None and law is not None and np.all(model.fields == model.fields[0]):
        ensemble = ContextEnsemble(law, field=float(model.fields[0]))
    found = stationary_theory(ensemble, model, rule, kept_lags, start)
    unknown = not found.infinite and not found.ages and "status" not in found.exact
    relaxes = (found.relaxation.steps, found.mixing, _WITHOUT_THEORY if unknown else 0)
    wanted = default_burn_in(model.context, found.correlation_time, *relaxes)
    if found.ages and burn_in is None:
        raise InvalidInputError(
            f"burn_in is left out, but must be given for a corpus of a transient (0, say): {found.reason.rstrip('.')}."
        )
    plan = CorpusPlan(
        model=model, rule=rule, mode=mode, sequences=count, length=steps,
        burn_in=min(wanted, LONGEST_BURN_IN) if burn_in is None else as_count("burn_in", burn_in, minimum=0), start=start, seed=check_seed(seed),
        single=dtype == "float32", lags=kept_lags, splits=check_splits(splits), precision=precision, ensemble=ensemble,
    )  # fmt: skip
    plan.ranges()
    check_steps(plan.burn_in + steps)
    require_memory(f"the sums of {count} sequences", 16.0 * count * (kept_lags + 20), "take fewer sequences")
    size = float(count) * steps * model.n * (1 if rule.variant in ("ising", "probit") else 4 if plan.single else 8)
    if size > _LARGEST_CORPUS:
        raise invalid(
            "the size of the tokens",
            f"{size:.3g} bytes",
            f"at most {_LARGEST_CORPUS:.0e}",
            "take fewer or shorter sequences",
        )
    theory = _theory_table(plan, found, wanted, unknown=unknown)
    if lags is not None and kept_lags < wanted_lags:
        theory["lags_note"] = f"Lags above {kept_lags} were left out: a sequence has {steps} tokens."
    return plan, theory


def _theory_table(plan: CorpusPlan, found: CorpusTheory, wanted: int, *, unknown: bool) -> dict[str, Any]:
    infinite, reason = found.infinite, found.reason
    # where the transient was followed it decides; rules of thumb are for what was not
    needed = max(found.relaxation.steps, found.mixing) if found.relaxation.followed else wanted
    if unknown:  # the corpus itself must tell
        needed = 0
    early = plan.burn_in < needed or found.ages
    if early and has_transient_theory(plan.ensemble, plan.burn_in + plan.length):
        assert plan.ensemble is not None
        infinite = transient_theory(
            plan.ensemble, plan.rule, start=plan.start, burn_in=plan.burn_in, length=plan.length, lags=plan.lags
        )
        reason = "" if infinite else "tokens grow until numbers overflow"
    return {
        "infinite": infinite,
        "exact": {key: found.exact[key] for key in ("method", "entropy_rate") if key in found.exact}
        if early and plan.rule.variant == "gaussian"  # its loss floor holds at any time
        else {}
        if early
        else found.exact,
        "reason": reason,
        "exact_reason": found.exact_reason,
        "ages": found.ages,
        "slow": found.slow,
        "unknown": unknown,
        "spectral_radius": found.radius,
        "recommended_burn_in": wanted,
        "needed_burn_in": needed,
        "citations": list(found.citations),
    }


def write_corpus(
    directory: str | os.PathLike[str],
    model: ExtendedContext,
    rule: TokenRule,
    *,
    seed: int | None = None,
    progress: Callable[[float, float], None] | None = None,
    threads: int | None = None,
    **settings: Any,
) -> Path:
    """Draw a corpus of `model` into `directory`, which `open_corpus` then opens.

    Parameters
    ----------
    directory : path
        New or empty. ``gf.run("context/sample", directory=...)`` does the same and can be resumed.
    model, rule : ExtendedContext, TokenRule
    seed : int, optional
        Root of the sequences; a fresh one is drawn and recorded.
    progress : callable, optional
        ``progress(done, total)``.
    threads : int, optional
        All processors if left out; the bytes do not depend on it.
    **settings
        ``mode`` ("batch", "trajectory", "windows"), ``sequences``, ``length``, ``burn_in`` (if left out the largest of 10 K, 20
        correlation times, and the steps after which the transient is stationary to 0.001), ``start`` ("independent", "repeated"), ``dtype`` ("default": int8 or float64, or "float32"),
        ``lags``, ``splits`` (shares of train, validation, test), ``precision``.

    Raises
    ------
    InvalidInputError
        For settings that cannot be used, or where no stationary state exists and no ``burn_in`` is given.

    Examples
    --------
    >>> import tempfile, glassformer as gf
    >>> model = gf.ExtendedContext(gf.LaggedGaussian([[0.5, 0.4], [0.4, 0.5]]).sample(n=8, seed=1))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     corpus = gf.open_corpus(write_corpus(folder, model, gf.TokenRule(), sequences=4, length=20, seed=2))
    ...     corpus.tokens.shape, corpus.splits["test"]
    ((4, 20, 8), range(3, 4))
    """
    plan, theory = plan_corpus(model, rule, seed=check_seed(seed), **settings)
    folder = Path(directory)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise StoreError(f"{folder} is not an empty directory; choose another one.")
    folder.mkdir(parents=True, exist_ok=True)
    numbers = plan.blocks

    def report(index: int) -> Callable[[float, float], None] | None:
        if progress is None:
            return None
        return lambda done, total: progress(index + done / total, len(numbers))

    try:
        blocks = [
            write_block(plan, folder, block, progress=report(index), threads=threads)
            for index, block in enumerate(numbers)
        ]
        close_corpus(plan, folder, blocks, theory)
    except InvalidInputError:  # nothing of value was written
        for name in FILES:
            (folder / name).unlink(missing_ok=True)
        folder.rmdir()
        raise
    return folder


def close_corpus(plan: CorpusPlan, folder: Path, blocks: Sequence[Block], theory: dict[str, Any]) -> None:
    """Check every piece, and write couplings, theory and, last, the record with the checksums of all files.

    Raises
    ------
    DamagedPartsError
        With the indices of blocks whose pieces are not what was drawn.
    """
    damaged = tuple(
        index for index, block in enumerate(blocks) if damaged_pieces(plan, folder, block.numbers, block.digests)
    )
    if damaged:
        raise DamagedPartsError(f"{folder / TOKENS}: sequences are not what was drawn.", damaged)
    written = write_couplings(plan, folder)
    write_json(folder / THEORY, theory)
    record = record_of(plan, blocks, theory, written=written)
    names = [name for name in FILES if name != RECORD and (folder / name).exists()]
    record["files"] = {
        name: {"sha256": file_checksum(folder / name), "bytes": (folder / name).stat().st_size} for name in names
    }
    write_json(folder / RECORD, record, sealed=True)


def joined(blocks: Sequence[Block]) -> dict[str, npt.NDArray[np.float64]]:
    """Return the sums of all blocks, unit after unit."""
    return {name: np.concatenate([block.sums[name] for block in blocks]) for name in blocks[0].sums}


def write_couplings(plan: CorpusPlan, folder: Path) -> bool:
    """Write the couplings as arrays, unless they are light structures or too large, whose key is enough."""
    couplings = plan.model.couplings
    light = couplings.law is not None and couplings.law.structure != "gaussian"
    if light or couplings.factors.shape[1] * plan.model.n**2 > _LARGEST_COUPLINGS:
        (folder / COUPLINGS).unlink(missing_ok=True)
        if uniform_fields(plan):
            return False
        np.savez(folder / COUPLINGS, fields=plan.model.fields)
        return True
    np.savez(
        folder / COUPLINGS,
        factors=couplings.factors,
        blocks=np.asarray(couplings.blocks.dense(), dtype=np.float64),
        mean=couplings.mean,
        fields=plan.model.fields,
    )
    return True


def uniform_fields(plan: CorpusPlan) -> bool:
    """Whether all sites have one external field, which the record holds."""
    return bool(np.all(plan.model.fields == plan.model.fields[0]))


def coupling_key(plan: CorpusPlan) -> dict[str, Any] | None:
    """Return what redraws the couplings to the same bits, None for a user's own."""
    couplings = plan.model.couplings
    law = couplings.law
    if law is None or couplings.seed is None:
        return None
    return {
        "covariance": law.covariance,
        "mean": law.mean,
        "transpose_covariance": law.transpose_covariance,
        "self_coupling": law.self_coupling,
        "structure": law.structure,
        "degree": law.degree,
        "n": plan.model.n,
        "seed": couplings.seed,
        "precision": "single" if drawn_in_single(plan.model) else "double",
    }


def record_of(plan: CorpusPlan, blocks: Sequence[Block], theory: dict[str, Any], *, written: bool) -> dict[str, Any]:
    """Return ``corpus.json`` without its checksums."""
    model, rule, law = plan.model, plan.rule, plan.model.couplings.law
    key = coupling_key(plan)
    if key is None and not written:
        raise invalid(
            "the number of couplings", model.couplings.factors.shape[1] * model.n**2,
            f"at most {_LARGEST_COUPLINGS} for couplings without a law", "draw them from a law, whose key is enough",
        )  # fmt: skip
    measured = corpus_dataset(plan, joined(blocks), theory)

    def value(name: str) -> Any:
        return measured[name].values if name in measured else None

    uniform = uniform_fields(plan)
    return {
        "format": FORMAT,
        "library": "glassformer",
        "library_version": __version__,
        "numerical_version": NUMERICAL_VERSION,
        "mode": plan.mode,
        "sequences": plan.sequences,
        "length": plan.length,
        "n": model.n,
        "context": model.context,
        "variant": rule.variant,
        "beta": None if rule.variant == "gaussian" else float(rule.beta),
        "sigma": float(rule.sigma) if rule.variant == "gaussian" else None,
        "field": float(model.fields[0]) if uniform else None,
        "coupling_mean": model.couplings.mean,
        "gamma": None if law is None else law.covariance,
        "diagonal_sums": None if law is None else law.diagonal_sums,
        "dtype": plan.dtype.name,
        "seed": plan.seed,
        "burn_in": plan.burn_in,
        "start": plan.start,
        "backend": plan.backend,
        "independent_entries": plan.independent_entries,
        "splits": plan.ranges(),
        "couplings": {"file": COUPLINGS if written else None, "key": key},
        "token_ids": TOKEN_IDS if plan.has_ids else None,
        "c_theory": theory["infinite"].get("autocorrelation"),
        "c_empirical": value("autocorrelation"),
        "c_empirical_error": value("autocorrelation_error"),
        "loss_floor": value("loss_floor"),
        "loss_floor_error": value("loss_floor_error"),
        "loss_floor_is": measured["loss_floor"].attrs["origin"] if "loss_floor" in measured else None,
        "entropy_rate_theory": theory["infinite"].get("loss_floor"),
        "entropy_rate_exact": value("entropy_rate_exact"),
        "entropy_rate_exact_error": value("entropy_rate_exact_error"),
        "entropy_production": value("entropy_production"),
        "entropy_production_error": value("entropy_production_error"),
        "entropy_production_per_spin": value("entropy_production_per_spin"),
        "entropy_production_per_spin_theory": theory["infinite"].get("entropy_production_per_spin"),
        "theory": THEORY,
        "citations": theory["citations"],
    }

"""Reading a corpus: tokens as a memory map, splits, streams for learners, and what is known of it."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from glassformer._core._errors import StoreDamagedError, StoreError, invalid, shorten
from glassformer._core._random import check_seed, uniforms
from glassformer._core._validation import FloatArray, as_choice, as_count, as_float_array
from glassformer.couplings import LaggedCouplings, LaggedGaussian
from glassformer.couplings._lagged import DenseBlocks
from glassformer.data._files import file_checksum, seal
from glassformer.data._plan import LARGEST_VOCABULARY, RECORD, SPLITS, TOKEN_IDS, TOKENS, TWO_VALUED
from glassformer.data._write import FORMAT
from glassformer.models import ExtendedContext, TokenRule

Tokens = npt.NDArray[Any]


def open_corpus(directory: str | os.PathLike[str], /) -> Corpus:
    """Open the corpus in a directory, as ``context/sample`` or `write_corpus` left it.

    Nothing is read but the record; tokens are a memory map. ``corpus.verify()`` reads everything.

    Parameters
    ----------
    directory : path

    Returns
    -------
    Corpus

    Raises
    ------
    StoreError
        When there is no corpus, or it is of a newer format.
    StoreDamagedError
        When the record or the length of a file is not what it should be.

    Examples
    --------
    >>> import glassformer as gf
    >>> corpus = gf.open_corpus("my-corpus")  # doctest: +SKIP
    """
    try:
        folder = Path(directory)
    except TypeError as error:
        raise invalid("directory", directory, "a path") from error
    path = folder / RECORD
    try:
        data = path.read_bytes()
    except OSError:
        hint = "`glassformer resume` completes a run that was stopped" if folder.is_dir() else "check the path"
        raise StoreError(f"{folder} holds no {RECORD}, so it is no complete corpus; {hint}.") from None
    try:
        record = json.loads(data)
        whole = record["sha256"] == seal(record)
    except (ValueError, KeyError, TypeError):
        whole = False
    if not whole:
        raise StoreDamagedError(f"{path} is damaged; `glassformer resume {folder}` repairs it.")
    if record["format"] > FORMAT:
        raise StoreError(f"{folder} was written by a newer glassformer (corpus format {record['format']}); update.")
    corpus = Corpus(folder, record)
    wrong = [name for name, file in record["files"].items() if _size(folder / name) != file["bytes"]]
    if wrong:
        raise _damaged(folder, wrong)
    return corpus


@dataclass(frozen=True, eq=False)
class Corpus:
    r"""Sequences of tokens on disk, with the couplings that made them and the loss of their teacher.

    Parameters
    ----------
    directory : Path
    record : mapping
        The content of ``corpus.json``: variant, beta, seed, splits, theory beside measured numbers, checksums.

    Notes
    -----
    ``tokens (sequence, time, site)`` is a memory map, int8 for two-valued tokens. Splits are made of whole sequences, and
    histories have the **most recent token first**, as everywhere. What `batches` yields is a function of its seed and
    epoch, in any process.

    Examples
    --------
    >>> import tempfile, glassformer as gf
    >>> from glassformer.data import write_corpus
    >>> model = gf.ExtendedContext(gf.LaggedGaussian([[0.5, 0.4], [0.4, 0.5]]).sample(n=8, seed=1))
    >>> folder = tempfile.TemporaryDirectory()
    >>> corpus = gf.open_corpus(write_corpus(folder.name, model, gf.TokenRule(), sequences=6, length=20, seed=2))
    >>> corpus.split("train").shape, [batch.shape for batch in corpus.batches(batch_size=8, length=5, seed=1)]
    ((4, 20, 8), [(8, 5, 8), (8, 5, 8)])
    >>> history, following = next(corpus.windows("train", batch_size=32))
    >>> history.shape, following.shape
    ((32, 2, 8), (32, 8))
    >>> corpus.next_token_probabilities(history[:3]).shape
    (3, 256)
    >>> folder.cleanup()
    """

    directory: Path
    record: Mapping[str, Any]

    def __repr__(self) -> str:
        r = self.record
        strength = f"beta={r['beta']}" if r["beta"] is not None else f"sigma={r['sigma']}"
        return (
            f"Corpus({str(self.directory)!r}, {r['variant']}, {strength}, N={r['n']}, K={r['context']}, "
            f"{r['sequences']} sequences of {r['length']} tokens)"
        )

    def __str__(self) -> str:
        """Say what a learner should know first: the loss floor and where it is from, the teacher's loss, entropy production."""
        r = self.record
        lines = [repr(self)]
        for label, name in (
            ("loss floor", "loss_floor"),
            ("teacher's own loss", "entropy_rate_exact"),
            ("entropy rate, N infinite", "entropy_rate_theory"),
            ("entropy production", "entropy_production_per_spin"),
            ("the same at infinite size", "entropy_production_per_spin_theory"),
        ):
            if r[name] is not None:
                error = "" if r.get(f"{name}_error") is None else f" ± {r[f'{name}_error']:.1g}"
                origin = f" ({r.get('loss_floor_is')})" if name == "loss_floor" and r.get("loss_floor_is") else ""
                lines.append(f"  {label:26} {r[name]:.6f}{error} nats per spin and step{origin}")
        return "\n".join(lines)

    def __len__(self) -> int:
        return int(self.record["sequences"])

    @property
    def n(self) -> int:
        """Number of sites N."""
        return int(self.record["n"])

    @property
    def context(self) -> int:
        """Context length K."""
        return int(self.record["context"])

    @cached_property
    def tokens(self) -> Tokens:
        """All tokens (sequence, time, site), a read-only memory map."""
        return self._map(TOKENS)

    @cached_property
    def token_ids(self) -> Tokens:
        """Ids (sequence, time) of two-valued tokens of at most 16 sites, bit i for site i: an ordinary vocabulary."""
        if TOKEN_IDS not in self.record["files"]:
            raise invalid(
                "the corpus", f"{self.record['variant']}, N = {self.n}",
                f"two-valued with at most {LARGEST_VOCABULARY} sites to have token ids", "use tokens",
            )  # fmt: skip
        return self._map(TOKEN_IDS)

    @property
    def splits(self) -> dict[str, range]:
        """Numbers of the sequences of every split."""
        return {name: range(*self.record["splits"][name]) for name in SPLITS}

    @cached_property
    def theory(self) -> dict[str, Any]:
        """The content of ``theory.json``: numbers of infinite size (``infinite``) and, for small samples, exact ones."""
        name = self.record["theory"]
        if file_checksum(self.directory / name) != self.record["files"][name]["sha256"]:
            raise _damaged(self.directory, [name])
        return dict(json.loads((self.directory / name).read_text(encoding="utf-8")))

    @property
    def rule(self) -> TokenRule:
        """The rule by which tokens were drawn."""
        variant = self.record["variant"]
        if variant == "gaussian":
            return TokenRule(variant, sigma=float(self.record["sigma"]))
        return TokenRule(variant, beta=float(self.record["beta"]))

    @cached_property
    def couplings(self) -> LaggedCouplings:
        """The couplings, drawn again from their key, or read."""
        key = self.record["couplings"]["key"]
        if key is not None:
            draw = {name: key[name] for name in ("n", "seed", "precision")}
            options = {name: value for name, value in key.items() if name not in (*draw, "covariance")}
            return LaggedGaussian(np.array(key["covariance"]), **options).sample(**draw)
        arrays = self._arrays()
        return LaggedCouplings(arrays["factors"], DenseBlocks(arrays["blocks"]), arrays["mean"])

    @cached_property
    def model(self) -> ExtendedContext:
        """The model that made the corpus: the teacher."""
        field = self.record["field"]
        return ExtendedContext(self.couplings, fields=self._arrays()["fields"] if field is None else float(field))

    def split(self, name: str) -> Tokens:
        """Return the tokens of ``"train"``, ``"validation"`` or ``"test"``, a view of the memory map."""
        numbers = self.splits[as_choice("split", name, SPLITS)]
        return self.tokens[numbers.start : numbers.stop]

    def windows(
        self, split: str = "train", *, context: int | None = None, batch_size: int = 1024
    ) -> Iterator[tuple[Tokens, Tokens]]:
        """Yield ``(history (pair, lag, site), next (pair, site))`` for every token of a split with `context` predecessors.

        The context is that of the teacher by default; sequence after sequence, in order of time.
        """
        tokens = self._nonempty(split)
        lags = as_count("context", self.context if context is None else context)
        size = as_count("batch_size", batch_size)
        each = tokens.shape[1] - lags
        if each < 1:
            raise invalid("context", lags, f"below the length of the sequences, {tokens.shape[1]}")
        return _windows(tokens, lags, size, each)

    def batches(
        self, *, batch_size: int, length: int | None = None, split: str = "train", seed: int = 0, epoch: int = 0
    ) -> Iterator[Tokens]:
        """Yield ``tokens (batch, time, site)``: one pass over a split cut into pieces of `length`, in random order.

        The order is a function of (`seed`, `epoch`). Sequences are cut from their beginning; ends shorter than `length`,
        and a last batch smaller than `batch_size`, are left out.
        """
        tokens = self._nonempty(split)
        steps = as_count("length", tokens.shape[1] if length is None else length)
        size, seed = as_count("batch_size", batch_size), check_seed(seed)
        if steps > tokens.shape[1]:
            raise invalid("length", steps, f"at most the length of the sequences, {tokens.shape[1]}")
        pieces = tokens.shape[1] // steps
        count = pieces * tokens.shape[0]
        if size > count:
            raise invalid("batch_size", size, f"at most the number of pieces in this split, {count}")
        draws = uniforms(seed, f"corpus/batches/{as_count('epoch', epoch, minimum=0)}", count)
        order = np.argsort(draws, kind="stable")
        return _batches(tokens, order, size, pieces, steps)

    def next_token_probabilities(self, history: npt.ArrayLike) -> FloatArray:
        """Return the exact law of the next token id ``(..., 2^N)`` after a history ``(..., lag, site)``, N up to 16.

        Two-valued tokens only: a product of N Bernoulli factors, so the optimal loss of this vocabulary is known.
        """
        if self.record["variant"] not in TWO_VALUED or self.n > LARGEST_VOCABULARY:
            raise invalid(
                "the corpus", f"{self.record['variant']}, N = {self.n}",
                f"two-valued with at most {LARGEST_VOCABULARY} sites", "use model.local_fields(history)",
            )  # fmt: skip
        past = as_float_array("history", history, ndim=(2, 3, 4, 5))
        if not np.all(np.abs(past) == 1.0):
            raise invalid("history", float(past[np.abs(past) != 1.0][0]), "tokens -1 and 1 (..., lag, site)")
        up = self._up_probabilities(past)
        law = np.ones((*up.shape[:-1], 1))
        for site in range(self.n - 1, -1, -1):  # the last site is the most significant bit
            both = np.stack([1.0 - up[..., site], up[..., site]], axis=-1)
            law = (law[..., :, None] * both[..., None, :]).reshape(*up.shape[:-1], -1)
        return law

    def verify(self) -> Corpus:
        """Compare every file with its checksum; return the corpus, or raise `StoreDamagedError` with the names."""
        wrong = []
        for name, file in self.record["files"].items():
            try:
                same = file_checksum(self.directory / name) == file["sha256"]
            except OSError:
                same = False
            if not same:
                wrong.append(name)
        if wrong:
            raise _damaged(self.directory, wrong)
        return self

    def _up_probabilities(self, past: FloatArray) -> FloatArray:
        rule, fields = self.rule, self.model.local_fields(past)
        if math.isinf(rule.beta):  # a field that is rounding beside its terms is a tie, and a tie a fair coin
            couplings = self.couplings
            products = np.abs(couplings.blocks.apply(past)).max(axis=-1)  # (factor, ..., lag)
            terms = np.einsum("ka,a...k->...", np.abs(couplings.factors), products) + np.abs(couplings.mean).sum()
            tie = np.abs(fields) <= 1e-14 * (np.abs(self.model.fields) + terms[..., None])
            return np.where(tie, 0.5, 0.5 * (1.0 + np.sign(fields)))
        if rule.variant == "probit":
            from scipy.special import ndtr

            return np.asarray(ndtr(rule.beta * fields))
        decay = np.exp(-2.0 * rule.beta * np.abs(fields))
        return np.where(fields >= 0.0, 1.0, decay) / (1.0 + decay)

    def _map(self, name: str) -> Tokens:
        try:
            return np.asanyarray(np.load(self.directory / name, mmap_mode="r", allow_pickle=False))
        except (OSError, ValueError) as error:
            raise StoreDamagedError(
                f"{self.directory / name} cannot be read ({shorten(str(error))}); `glassformer resume` repairs it."
            ) from error

    def _arrays(self) -> dict[str, FloatArray]:
        with np.load(self.directory / self.record["couplings"]["file"], allow_pickle=False) as file:
            return {name: file[name] for name in file.files}

    def _nonempty(self, split: str) -> Tokens:
        tokens = self.split(split)
        if tokens.shape[0] == 0:
            kept = ", ".join(name for name, numbers in self.splits.items() if numbers)
            raise invalid("split", split, f"one that has sequences: {kept}")
        return tokens


def _windows(tokens: Tokens, lags: int, size: int, each: int) -> Iterator[tuple[Tokens, Tokens]]:
    back = np.arange(1, lags + 1)
    total = tokens.shape[0] * each
    for low in range(0, total, size):
        pair = np.arange(low, min(low + size, total))
        sequence, time = pair // each, lags + pair % each
        yield np.asarray(tokens[sequence[:, None], time[:, None] - back]), np.asarray(tokens[sequence, time])


def _batches(tokens: Tokens, order: npt.NDArray[np.int64], size: int, pieces: int, steps: int) -> Iterator[Tokens]:
    for low in range(0, order.size - size + 1, size):
        chosen = order[low : low + size]
        yield np.stack([tokens[one // pieces, one % pieces * steps : (one % pieces + 1) * steps] for one in chosen])


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1


def _damaged(folder: Path, names: list[str]) -> StoreDamagedError:
    listed = ", ".join(names)
    verb = "does" if len(names) == 1 else "do"
    return StoreDamagedError(
        f"{folder}: {listed} {verb} not match the checksum in {RECORD}; `glassformer resume {folder}` repairs a run."
    )

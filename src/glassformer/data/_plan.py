"""What a corpus will be, before a token of it is drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from glassformer._core._errors import invalid
from glassformer._core._validation import as_choice, as_count, as_float_array, as_number
from glassformer.couplings._operators import TILE
from glassformer.models import ContextEnsemble, ExtendedContext, TokenRule

MODES = ("batch", "trajectory", "windows")
SPLITS = ("train", "validation", "test")
DTYPES = ("default", "float32")
STARTS = ("independent", "repeated")
TWO_VALUED = ("ising", "probit")
LARGEST_VOCABULARY = 16  # sites whose tokens get ids
TOKENS, TOKEN_IDS, COUPLINGS, THEORY, RECORD = (
    "tokens.npy",
    "token_ids.npy",
    "couplings.npz",
    "theory.json",
    "corpus.json",
)
FILES = (TOKENS, TOKEN_IDS, COUPLINGS, THEORY, RECORD)
_DEFAULTS = {"batch": (64, 256), "trajectory": (1, 16384), "windows": (4096, None)}
_PIECE = 2**24  # bytes of one piece of one tile
_BLOCKS = 16


@dataclass(frozen=True, slots=True, eq=False)
class CorpusPlan:
    """Everything that the bytes of a corpus depend on."""

    model: ExtendedContext
    rule: TokenRule
    mode: str
    sequences: int
    length: int
    burn_in: int
    start: str
    seed: int
    single: bool  # float32 tokens
    lags: int
    splits: tuple[float, float, float] | None
    precision: str
    ensemble: ContextEnsemble | None  # the law that the model was drawn from, if it is known

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of the tokens, (sequence, time, site)."""
        return self.sequences, self.length, self.model.n

    @property
    def two_valued(self) -> bool:
        """Whether tokens are -1 or 1."""
        return self.rule.variant in TWO_VALUED

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the tokens on disk."""
        return np.dtype(np.int8 if self.two_valued else np.float32 if self.single else np.float64)

    @property
    def has_ids(self) -> bool:
        """Whether tokens are few enough to be numbered."""
        return self.two_valued and self.model.n <= LARGEST_VOCABULARY

    @property
    def chunk(self) -> int:
        """Steps of one piece."""
        return int(np.clip(_PIECE // (TILE * self.model.n * self.dtype.itemsize), 1, self.length))

    @property
    def blocks(self) -> list[range]:
        """Numbers of the sequences of each block."""
        return block_ranges(self.sequences)

    @property
    def backend(self) -> dict[str, Any]:
        """How the couplings were drawn and multiplied."""
        law = self.model.couplings.law
        structure, degree = ("given", None) if law is None else (law.structure, law.degree)
        single = self.precision == "single" or drawn_in_single(self.model)
        return {"structure": structure, "degree": degree, "precision": "single" if single else "double"}

    @property
    def independent_entries(self) -> bool:
        """Whether the couplings have independent entries, as theories of learning assume."""
        return self.backend["structure"] != "fast_transform"

    def ranges(self) -> dict[str, list[int]]:
        """Return first and last-but-one sequence of every split: whole sequences, never pieces of time."""
        return split_ranges(self.sequences, self.splits)


def drawn_in_single(model: ExtendedContext) -> bool:
    """Whether the couplings of a model are kept in single precision."""
    return getattr(getattr(model.couplings.blocks, "matrices", None), "dtype", None) == np.float32


def block_ranges(sequences: int) -> list[range]:
    """Cut sequences into at most 16 blocks of whole tiles, which are written and resumed one by one.

    >>> block_ranges(3), len(block_ranges(1_000_000))
    ([range(0, 3)], 16)
    """
    tiles = -(-sequences // TILE)
    width = TILE * -(-tiles // _BLOCKS)
    return [range(low, min(low + width, sequences)) for low in range(0, sequences, width)]


def split_ranges(sequences: int, fractions: tuple[float, float, float] | None) -> dict[str, list[int]]:
    """Return ``[first, stop]`` of every split; one that has a fraction gets at least one sequence.

    >>> split_ranges(10, None)
    {'train': [0, 8], 'validation': [8, 9], 'test': [9, 10]}
    >>> split_ranges(1, None)
    {'train': [0, 1], 'validation': [1, 1], 'test': [1, 1]}
    """
    if fractions is None:
        fractions = (0.8, 0.1, 0.1) if sequences >= 3 else (1.0, 0.0, 0.0)
    shares = np.array(fractions)
    if sequences < np.count_nonzero(shares):
        raise invalid(
            "sequences", sequences, f"enough for splits={list(fractions)}",
            "splits are made of whole sequences: take more of them, or splits=[1, 0, 0]",
        )  # fmt: skip
    counts = np.where(shares > 0.0, np.maximum(1, np.floor(shares * sequences + 0.5)), 0.0).astype(int)
    while (excess := int(counts.sum()) - sequences) != 0:  # rounding: give and take where the share is largest
        counts[int(np.argmax(counts))] -= 1 if excess > 0 else -1
    edges = np.concatenate([[0], np.cumsum(counts)])
    return {name: [int(edges[k]), int(edges[k + 1])] for k, name in enumerate(SPLITS)}


def check_shape(mode: str, sequences: int | None, length: int | None, context: int) -> tuple[int, int]:
    """Return the number and length of the sequences of a mode, defaults filled in."""
    as_choice("mode", mode, MODES)
    count, steps = _DEFAULTS[mode]
    if mode == "trajectory" and sequences not in (None, 1):
        raise invalid(
            "sequences", sequences, "left out for mode=trajectory, which is one", "use mode=batch for several"
        )
    if mode == "windows" and length not in (None, context + 1):
        raise invalid(
            "length", length, f"left out for mode=windows: K + 1 = {context + 1} tokens each", "use mode=batch"
        )
    count = as_count("sequences", count if sequences is None else sequences)
    steps = context + 1 if steps is None else steps
    steps = as_count("length", steps if length is None else length)
    if steps <= context:
        raise invalid("length", steps, f"more than the context length {context}", "shorter ones hold no next token")
    return count, steps


def check_splits(splits: npt.ArrayLike | None) -> tuple[float, float, float] | None:
    """Return the shares of train, validation and test."""
    if splits is None:
        return None
    shares = as_float_array("splits", splits, ndim=1)
    if shares.size != 3 or shares.min() < 0.0 or abs(shares.sum() - 1.0) > 1e-9:
        raise invalid("splits", shares.tolist(), "three shares of sequences that add up to 1: train, validation, test")
    train, validation, test = (float(share) for share in shares)
    return train, validation, test


def default_burn_in(context: int, correlation_time: float, *relaxation: int) -> int:
    """Return the largest of 10 K, 20 correlation times, and the steps that starts need to be forgotten."""
    memory = int(np.ceil(20.0 * as_number("the correlation time", correlation_time, minimum=0.0)))
    return max(10 * context, memory, *relaxation)

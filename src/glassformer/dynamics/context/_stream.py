"""Tokens as they come, for files and learners."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from glassformer._core._errors import invalid
from glassformer._core._random import check_seed
from glassformer._core._validation import as_count
from glassformer.dynamics._motion import check_steps, one_blas_thread, thread_count
from glassformer.dynamics.context._motion import ContextMotion, tile_ranges
from glassformer.dynamics.context._workers import Workers
from glassformer.models import ExtendedContext, TokenRule


def token_stream(
    model: ExtendedContext,
    rule: TokenRule,
    *,
    seed: int,
    sequences: range | int,
    steps: int,
    burn_in: int = 0,
    start: str | npt.ArrayLike | None = None,
    chunk: int = 256,
    threads: int | None = None,
    precision: str = "double",
) -> Iterator[tuple[int, npt.NDArray[Any]]]:
    """Yield ``(first_step, tokens (sequence, time, site))`` for consecutive pieces of at most `chunk` steps.

    Parameters
    ----------
    model, rule : ExtendedContext, TokenRule
    seed : int
        Root seed. Sequence number k is a function of (seed, k): any range of sequences, any `chunk` and any number of
        threads give the same bits.
    sequences : range or int
        Numbers of the sequences (step 1); an int counts from 0.
    steps : int
        Steps to yield; ``first_step`` of the first piece is 0.
    burn_in : int
        Steps to take before.
    start : {"independent", "repeated"} or array, optional
        As in `simulate`; an array (replica, lag, site) is indexed by the number of the sequence.
    chunk : int
        Steps in a piece; (sequences x chunk x sites) bytes for two-valued tokens, eight times that for real ones.
    threads : int, optional
        All processors if left out.
    precision : {"double", "single"}
        Arithmetic of the matrix products of couplings that are written out.

    Yields
    ------
    (int, array)
        int8 for two-valued tokens, float64 otherwise; a new array each time.

    Raises
    ------
    InvalidInputError
        For arguments that cannot be used.

    Examples
    --------
    >>> import glassformer as gf
    >>> model = gf.ExtendedContext(gf.LaggedGaussian([[0.5, 0.4], [0.4, 0.5]]).sample(n=8, seed=1))
    >>> [(t, s.shape) for t, s in token_stream(model, gf.TokenRule(), seed=1, sequences=3, steps=5, chunk=4)]
    [(0, (3, 4, 8)), (4, (3, 1, 8))]
    """
    if not isinstance(model, ExtendedContext) or not isinstance(rule, TokenRule):
        raise invalid(
            "the model and rule", (type(model).__name__, type(rule).__name__), "ExtendedContext and TokenRule"
        )
    steps, chunk = as_count("steps", steps), as_count("chunk", chunk)
    burn_in = as_count("burn_in", burn_in, minimum=0)
    check_steps(burn_in + steps)
    numbers = sequences if isinstance(sequences, range) else range(as_count("sequences", sequences))
    if not numbers or numbers.step != 1 or numbers.start < 0 or numbers.stop > 2**32:
        raise invalid("sequences", sequences, "a count or a range of consecutive numbers from 0 to 2**32 - 1")
    motion = ContextMotion(model, rule, seed=check_seed(seed), precision=precision)
    given = motion.check_start(start)
    if not isinstance(given, str) and given.ndim == 3 and given.shape[0] < numbers.stop:
        raise invalid("the number of initial histories", given.shape[0], f"at least {numbers.stop}")
    return _pieces(motion, given, numbers, steps, burn_in, chunk, thread_count(threads))


def _pieces(
    motion: ContextMotion, start: Any, numbers: range, steps: int, burn_in: int, chunk: int, threads: int
) -> Iterator[tuple[int, npt.NDArray[Any]]]:
    with Workers(threads) as workers:
        tiles = []
        for first, count in tile_ranges(numbers, motion.tile_width()):
            with one_blas_thread():
                tiles.append(motion.open(motion.history(start, first, count), first, workers))
                for _ in range(burn_in):
                    tiles[-1].advance()
        for done in range(0, steps, chunk):
            length = min(chunk, steps - done)
            out = np.empty((len(numbers), length, motion.n), motion.dtype)
            with one_blas_thread():
                for tile in tiles:
                    low = tile.first_replica - numbers.start
                    for t in range(length):
                        tile.advance()
                        out[low : low + tile.replicas, t] = tile.tokens
            yield done, out

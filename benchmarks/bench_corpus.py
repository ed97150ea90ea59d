"""Writing a corpus beside drawing the same tokens and throwing them away; reading it beside reading the bare file.

Each reference is measured in the same run, on one thread, in time of the processor. Exit code 1 when a claim fails.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

import glassformer as gf
from glassformer.data import write_corpus
from glassformer.dynamics.context import token_stream

SEQUENCES, LENGTH, N = 64, 400, 1000
RULE = gf.TokenRule(beta=1.0)


def best(function: Callable[[], object], repeats: int = 3) -> float:
    """Return the shortest of some times of the processor, in seconds."""
    times = []
    for _ in range(repeats):
        clock = time.process_time()
        function()
        times.append(time.process_time() - clock)
    return min(times)


def main() -> int:
    """Print every ratio beside its claim; return 1 if one is missed."""
    law = gf.LaggedGaussian([[0.6, 0.3, -0.1], [0.3, 0.5, 0.2], [-0.1, 0.2, 0.4]])
    model = gf.ExtendedContext(law.sample(n=N, seed=1))
    folder = tempfile.TemporaryDirectory()
    places = iter(range(100))

    def draw() -> None:
        for _ in token_stream(model, RULE, seed=2, sequences=SEQUENCES, steps=LENGTH, burn_in=30, threads=1):
            pass

    def write() -> None:
        place = Path(folder.name, str(next(places)))
        write_corpus(place, model, RULE, sequences=SEQUENCES, length=LENGTH, seed=2, burn_in=30, threads=1)

    write()
    corpus = gf.open_corpus(Path(folder.name, "0"))

    def read() -> None:
        for piece in np.split(np.load(corpus.directory / "tokens.npy", mmap_mode="r"), 8):
            piece.sum(dtype=np.int64)

    def stream() -> None:
        for batch in corpus.batches(batch_size=5, length=100):
            batch.sum(dtype=np.int64)

    failed = False
    for text, ratio, limit in (
        ("writing, with correlations of 16 lags, losses, checksums / drawing alone", best(write) / best(draw), 1.6),
        ("shuffled batches of the training split / reading the whole file in order", best(stream) / best(read), 2.0),
    ):
        failed |= ratio > limit
        print(f"{text}: {ratio:.2f} (claim: at most {limit:g})")
    folder.cleanup()
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())

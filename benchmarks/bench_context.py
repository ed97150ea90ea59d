"""Sequences with a context: what a simulated step costs beside the bare products with the couplings.

The limits are the matrix product (dense), the memory stream (bits), and the transforms themselves. Each reference is measured
in the same run, on one thread. A step includes the draws, correlations of ten lags, the exact loss and the entropy
production; it is the difference of two run lengths, so that drawing and starting do not count. Exit code 1 when a claim fails.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import partial

import numpy as np
from scipy.fft import dct

import glassformer as gf
from glassformer.couplings._lagged import DenseBlocks, LaggedCouplings
from glassformer.dynamics._motion import one_blas_thread

GAMMA = [[0.6, 0.3, -0.1], [0.3, 0.5, 0.2], [-0.1, 0.2, 0.4]]
BATCH, RULE = 64, gf.TokenRule(beta=1.0)


def best(function: Callable[[], object], repeats: int = 5) -> float:
    """Return the shortest of some times of the processor, in seconds: other work on the machine does not count."""
    times = []
    for _ in range(repeats):
        clock = time.process_time()
        function()
        times.append(time.process_time() - clock)
    return min(times)


def per_step(model: gf.ExtendedContext, *, replicas: int, steps: int, repeats: int = 3) -> float:
    """Return the seconds that one more step takes."""

    def run(length: int) -> Callable[[], object]:
        return lambda: gf.simulate(model, RULE, steps=length, replicas=replicas, seed=1, threads=1)

    run(12)()
    return (best(run(12 + steps), repeats) - best(run(12), repeats)) / steps


def dense_model(n: int, context: int) -> gf.ExtendedContext:
    """Return rank-one couplings whose matrix is drawn fast; its law plays no part in the time."""
    matrix = np.random.default_rng(1).standard_normal((1, n, n)) / np.sqrt(n)
    factors = np.full((context, 1), context**-0.5)
    law = gf.LaggedGaussian.from_factors(factors)
    return gf.ExtendedContext(LaggedCouplings(factors, DenseBlocks(matrix), np.zeros(context), law, 1))


def main() -> int:
    """Print every ratio beside its claim; return 1 if one is missed."""
    failed = False

    def claim(text: str, ratio: float, limit: float) -> None:
        nonlocal failed
        failed |= ratio > limit
        print(f"  {text}: {ratio:.2f} (claim: at most {limit:g})")

    for n in (2000, 4000):
        tokens = np.where(np.random.default_rng(2).random((BATCH, n)) < 0.5, -1.0, 1.0)
        short, long = dense_model(n, 1), dense_model(n, 64)
        matrix, out = short.couplings.blocks.matrices[0], np.empty((BATCH, n))
        with one_blas_thread():
            bare = best(partial(np.matmul, tokens, matrix.T, out=out), 10)
        one, many = per_step(short, replicas=BATCH, steps=16), per_step(long, replicas=BATCH, steps=16)
        print(
            f"dense, N = {n}, {BATCH} sequences: product {1e3 * bare:.1f} ms, K = 1 {1e3 * one:.1f}, K = 64 {1e3 * many:.1f}"
        )
        claim("K = 1 over the bare product", one / bare, 1.5)
        claim("K = 64 over K = 1, both of rank one", many / one, 1.4)

    n = 8192
    dense = per_step(dense_model(n, 1), replicas=1, steps=8)
    packed_model = gf.ExtendedContext(gf.LaggedGaussian([[1.0]], structure="rademacher").sample(n=n, seed=1))
    packed = per_step(packed_model, replicas=1, steps=40)
    print(
        f"one sequence, N = {n}: dense {1e3 * dense:.1f} ms, random signs as bits {1e3 * packed:.2f} ms, 1/64 of the memory"
    )
    claim("bits over dense", packed / dense, 0.1)

    for n, steps in ((65536, 200), (1_000_000, 16), (1 << 20, 16)):
        model = gf.ExtendedContext(gf.LaggedGaussian(GAMMA, structure="fast_transform").sample(n=n, seed=1))
        gf.simulate(model, RULE, steps=2, seed=1, threads=1)
        clock = time.process_time()
        found = gf.simulate(model, RULE, steps=steps, burn_in=10, seed=1, threads=1)
        seconds = time.process_time() - clock
        vector = np.random.default_rng(3).standard_normal(n)
        reference = best(partial(dct, vector, norm="ortho")) * 6 * (steps + 10)
        c = float(found.autocorrelation[1])
        print(f"fast transforms, N = {n}, r = 3, {steps + 10} steps: {seconds:.2f} s, c_1 = {c:.4f} (limit 0.2087)")
        claim("over as many cosine transforms alone", seconds / reference, 3.0)
        if n == 65536:
            claim("seconds", seconds, 3.0)

    print(f"claims: {'MISSED' if failed else 'met'}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())

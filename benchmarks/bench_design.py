"""Designs: spectral factorisation beside roots, exact slopes beside differences, largest determinant beside its naive Hessian.

Each reference is measured in the same run, on one thread. Exit code 1 when a claim fails.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from functools import partial

import numpy as np
from scipy.optimize import least_squares

import glassformer as gf
from glassformer.couplings._realisations import _hessian, max_det, rank_one
from glassformer.dynamics._motion import one_blas_thread
from glassformer.theory.design._link import Link
from glassformer.theory.design._normalised import shape_correlation, shape_derivative


def best(function: Callable[[], object], repeats: int = 5) -> float:
    """Return the shortest of some times of the processor, in seconds: other work on the machine does not count."""
    times = []
    for _ in range(repeats):
        clock = time.process_time()
        function()
        times.append(time.process_time() - clock)
    return min(times)


def sums_of(gamma: np.ndarray) -> np.ndarray:
    """Return the diagonal sums of the outer product of a filter with itself."""
    return np.correlate(gamma, gamma, "full")[len(gamma) - 1 :]


def by_roots(sums: np.ndarray) -> np.ndarray:
    """Return the minimum-phase filter from the roots of the whole polynomial: the obvious way."""
    roots = np.roots(np.concatenate([sums[:0:-1], sums]))
    gamma = np.poly(roots[np.argsort(np.abs(roots))[: len(sums) - 1]]).real
    return gamma * math.sqrt(sums[0] / np.sum(gamma**2))


def naive_hessian(inverse: np.ndarray) -> np.ndarray:
    """Return tr(S E_a S E_b) entry by entry."""
    size = len(inverse)
    basis = [np.eye(size)] + [np.eye(size, k=d) + np.eye(size, k=-d) for d in range(1, size)]
    products = [inverse @ one for one in basis]
    return np.array([[np.sum(a * b.T) for b in products] for a in products])


def main() -> int:
    """Print every ratio beside its claim; return 1 if one is missed."""
    failed = False

    def claim(text: str, ratio: float, limit: float) -> None:
        nonlocal failed
        failed |= not ratio <= limit
        print(f"  {text}: {ratio:.3g} (claim: at most {limit:g})")

    draw = np.random.default_rng(1)
    for size, limit in ((64, 1.5), (256, 0.3)):
        sums = sums_of(draw.normal(size=size))
        newton, roots = best(partial(rank_one, sums)), best(partial(by_roots, sums), 2)
        error = float(np.abs(sums_of(rank_one(sums)) - sums).max() / sums[0])
        other = float(np.abs(sums_of(by_roots(sums)) - sums).max() / sums[0])
        print(
            f"rank_one, K = {size}: {1e3 * newton:.2f} ms, roots {1e3 * roots:.1f} ms; errors {error:.1e} and {other:.1e}"
        )
        claim("time over roots", newton / roots, limit)
        claim("error", error, 1e-12)

    size = 60
    matrix = draw.normal(size=(size, size))
    inverse = matrix @ matrix.T
    fast, slow = best(lambda: _hessian(inverse)), best(lambda: naive_hessian(inverse), 2)
    print(f"Hessian of the determinant, K = {size}: {1e3 * fast:.2f} ms, entry by entry {1e3 * slow:.0f} ms")
    claim("time over entry by entry", fast / slow, 0.05)
    for size in (100, 200):
        sums = sums_of(draw.normal(size=size))
        sums[0] *= 1.1
        print(f"max_det, K = {size}: {best(partial(max_det, sums), 2):.2f} s")

    link, lags = Link(gf.TokenRule(beta=4.0)), np.arange(31)
    target = 0.6 ** np.arange(31.0)
    start = rank_one(0.5 ** np.arange(8.0))

    def residual(gamma: np.ndarray) -> np.ndarray:
        return shape_correlation(sums_of(gamma), link, 0.6 ** np.arange(129.0))[0][lags] - target

    def slopes(gamma: np.ndarray) -> np.ndarray:
        shape = sums_of(gamma)
        c, _ = shape_correlation(shape, link, 0.6 ** np.arange(129.0))
        by_gamma = np.array(
            [
                [(gamma[k + d] if k + d < 8 else 0.0) + (gamma[k - d] if k >= d else 0.0) for k in range(8)]
                for d in range(8)
            ]
        )
        by_gamma[0] = 2.0 * gamma
        return (shape_derivative(shape, link, c) @ by_gamma)[lags]

    options = {"method": "trf", "max_nfev": 15}
    with one_blas_thread():
        exact = best(lambda: least_squares(residual, start, jac=slopes, **options), 2)
        differences = best(lambda: least_squares(residual, start, **options), 2)
    print(f"fit of K = 8 at beta = 4: exact slopes {exact:.2f} s, differences {differences:.2f} s")
    claim("time over differences", exact / differences, 0.6)
    print(f"claims: {'MISSED' if failed else 'met'}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())

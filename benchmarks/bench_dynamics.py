"""Site updates per second of the heat baths, beside what limits them and beside a plain NumPy loop, in the same run.

Claims: parallel heat bath at N = D = 64 makes at least 1e6 site updates per second and core in double precision,
sequential at N = 64, D = 32 at least 1e6. Exit code 1 when a claim fails. Single-core numbers use processor time, so that
other work on the machine does not enter; two-core numbers use the clock on the wall.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np
from numba import njit

import glassformer as gf
from glassformer._core._philox import fill_normals, fill_uniforms, split_key
from glassformer._core._random import stream_key
from glassformer.dynamics._kernels._vmf import FIRST_UNIFORM_BLOCK, workspace
from glassformer.dynamics._motion import one_blas_thread

BETA, REPLICAS = 2.0, 4
CLAIMS = {"ParallelHeatBath": 1e6, "SequentialHeatBath": 1e6}


def best(function: Callable[[], object], clock: Callable[[], float] = time.process_time, repeats: int = 5) -> float:
    """Return the shortest of a few timings, the first call being compilation."""
    function()
    times = []
    for _ in range(repeats):
        start = clock()
        function()
        times.append(clock() - start)
    return min(times)


def system(n: int, dim: int) -> gf.VectorSpin:
    return gf.VectorSpin(gf.Asymmetric().sample(n=n, seed=1), gf.sphere_fields(n, dim=dim, seed=2))


def advance(model: gf.VectorSpin, dynamics, steps: int, threads: int, replicas: int = REPLICAS) -> Callable[[], object]:
    motion = dynamics.prepare(model, seed=1)
    state = motion.start(model.random_spins(replicas=replicas, seed=1))
    return lambda: motion.advance(state, steps, threads=threads)


@njit
def products(couplings, spins, out, count):
    for _ in range(count):
        np.dot(couplings, spins, out)


@njit
def random_numbers(uniforms, normals, blocks, sites, n, dim, count, key0, key1):
    per_site = (dim + 1) // 2
    run = blocks.size // per_site
    for t in range(count):
        fill_uniforms(uniforms, n, FIRST_UNIFORM_BLOCK, np.uint64(0), np.uint64(t), np.uint64(0), key0, key1)
        for start in range(0, n, run):
            number = min(run, n - start) * per_site
            fill_normals(normals, number, blocks, sites, np.uint64(start), np.uint64(t), np.uint64(0), key0, key1)


@njit
def row_updates(fields, rows, change, count):
    for t in range(count):
        row = rows[t % rows.shape[0]]
        for k in range(fields.shape[0]):
            component, step = fields[k], change[k]
            for j in range(row.size):
                component[j] += row[j] * step


def limits(n: int, dim: int) -> tuple[float, float, float]:
    """Return seconds per site of the bare product, the bare random numbers and the bare update of the fields."""
    rng = np.random.default_rng(1)
    width = max(64, dim)
    couplings, spins, out = rng.normal(size=(n, n)), rng.normal(size=(n, width)), np.empty((n, width))
    count = 1 + 100_000_000 // (n * n * width)
    with one_blas_thread():
        product = best(lambda: products(couplings, spins, out, count)) / count / n * dim / width
    work, key = workspace(n, dim), split_key(stream_key(1, "benchmark"))
    count = 1 + 2_000_000 // (n * dim)
    numbers = best(lambda: random_numbers(*work, n, dim, count, *key)) / count / n
    fields, change = rng.normal(size=(dim, n)), 1e-9 * rng.normal(size=dim)
    count = 1 + 100_000_000 // (n * dim)
    update = best(lambda: row_updates(fields, couplings, change, count)) / count
    return product, numbers, update


# --- plain NumPy ------------------------------------------------------------------------------------------------------


def numpy_draws(h: np.ndarray, beta: float, radius: float, rng: np.random.Generator) -> np.ndarray:
    """Draw spins in fields (site, component) by Wood's method with a shrinking set of rejected sites."""
    n, dim = h.shape
    norm = np.linalg.norm(h, axis=1)
    kappa, spread = beta * radius * norm, dim - 1.0
    b = spread / (2 * kappa + np.sqrt(4 * kappa**2 + spread**2))
    x0 = (1 - b) / (1 + b)
    c = kappa * x0 + spread * np.log(1 - x0**2)
    w, left = np.empty(n), np.arange(n)
    while left.size:
        z = rng.beta(spread / 2, spread / 2, size=left.size)
        proposal = (1 - (1 + b[left]) * z) / (1 - (1 - b[left]) * z)
        accepted = kappa[left] * proposal + spread * np.log(1 - x0[left] * proposal) - c[left] >= np.log(
            rng.random(left.size)
        )
        w[left[accepted]] = proposal[accepted]
        left = left[~accepted]
    unit = h / norm[:, None]
    tangent = rng.normal(size=h.shape)
    tangent -= (tangent * unit).sum(1, keepdims=True) * unit
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    return radius * (w[:, None] * unit + np.sqrt(1 - w**2)[:, None] * tangent)


def numpy_parallel(model: gf.VectorSpin, steps: int) -> Callable[[], object]:
    def run() -> None:
        rng, spins = np.random.default_rng(1), model.random_spins(replicas=1, seed=1)[0]
        for _ in range(steps):
            spins = numpy_draws(model.fields + model.couplings @ spins, BETA, model.r, rng)

    return run


def numpy_sequential(model: gf.VectorSpin, sweeps: int) -> Callable[[], object]:
    """All local fields from scratch before every move."""
    bonds = model.couplings - np.diag(np.diag(model.couplings))

    def run() -> None:
        rng, spins = np.random.default_rng(1), model.random_spins(replicas=1, seed=1)[0]
        for _ in range(sweeps):
            for i in range(model.n):
                fields = model.fields + bonds @ spins
                spins[i] = numpy_draws(fields[i : i + 1], BETA, model.r, rng)[0]

    return run


def main() -> int:
    failed = False
    for dynamics, n, dim in ((gf.ParallelHeatBath(BETA), 64, 64), (gf.SequentialHeatBath(BETA), 64, 32)):
        name, model = type(dynamics).__name__, system(n, dim)
        steps = 4_000_000 // (n * dim * REPLICAS)
        updates = n * steps * REPLICAS
        one = updates / best(advance(model, dynamics, steps, 1))
        two = updates / best(advance(model, dynamics, steps, 2), time.perf_counter)
        wall = updates / best(advance(model, dynamics, steps, 1), time.perf_counter)
        long = 8 * steps  # so that the final evaluation does not count
        measured = (8 * updates) / best(
            lambda m=model, d=dynamics, s=long: gf.simulate(m, d, steps=s, replicas=REPLICAS, seed=1, threads=1),
            repeats=3,
        )
        plain_steps = 200 if name == "ParallelHeatBath" else 3
        plain_run = (numpy_parallel if name == "ParallelHeatBath" else numpy_sequential)(model, plain_steps)
        plain = n * plain_steps / best(plain_run, repeats=3)
        product, numbers, update = limits(n, dim)
        work = product if name == "ParallelHeatBath" else update
        print(f"{name} at N = {n}, D = {dim}, beta = {BETA}, double precision")
        print(f"  one core                  {one:9.3g} site updates/s  ({1e9 / one:.0f} ns each)")
        print(f"  two cores, wall clock     {two:9.3g} site updates/s  ({two / wall:.2f} times one core)")
        print(f"  one core, all measured    {measured:9.3g} site updates/s  (means, two correlation matrices, series)")
        print(f"  plain NumPy               {plain:9.3g} site updates/s  (ratio {one / plain:.0f})")
        label = "matrix product" if name == "ParallelHeatBath" else "row update    "
        print(f"  bare {label}       {1e9 * work:9.0f} ns per site  ({work * one:.0%} of an update)")
        print(f"  bare random numbers       {1e9 * numbers:9.0f} ns per site  ({numbers * one:.0%} of an update)")
        missed = one < CLAIMS[name]
        failed |= missed
        print(f"  claim: at least {CLAIMS[name]:.0e} on one core: {'MISSED' if missed else 'met'}")
    print("growth of the cost per site update, one core")
    for dynamics, dim, replicas in (
        (gf.ParallelHeatBath(BETA), 64, 4),
        (gf.SequentialHeatBath(BETA), 32, 4),
        (gf.ParallelHeatBath(BETA), 1, 64),
    ):
        cells = []
        for n in (64, 256):
            model = system_of_signs(n) if dim == 1 else system(n, dim)
            steps = max(2, 200_000_000 // (n * n * dim * replicas))
            cells.append(best(advance(model, dynamics, steps, 1, replicas)) / (n * steps * replicas))
        print(
            f"  {type(dynamics).__name__}, D = {dim}: {1e9 * cells[0]:.0f} ns at N = 64, {1e9 * cells[1]:.0f} ns at N = 256"
            f"  (ratio {cells[1] / cells[0]:.2f}; N alone would give 4)"
        )
    return int(failed)


def system_of_signs(n: int) -> gf.VectorSpin:
    return gf.VectorSpin(gf.Asymmetric().sample(n=n, seed=1), dim=1, radius="unit")


if __name__ == "__main__":
    sys.exit(main())

"""Parallel tempering: the cost of a ladder beside that of as many separate heat baths, in the same run.

Claim: swaps and bookkeeping add at most a quarter to the sweeps. Exit code 1 when it fails. One core, processor time.
"""

from __future__ import annotations

import sys

from bench_dynamics import best

import glassformer as gf

LEVELS, REPLICAS, STEPS, CLAIM = 8, 2, 400, 1.25


def main() -> int:
    failed = False
    for n, dim in ((64, 32), (64, 3)):
        model = gf.VectorSpin(gf.SherringtonKirkpatrick().sample(n=n, seed=1), dim=dim)
        betas = gf.geometric_ladder(0.5, 4.0, LEVELS)
        ladder = gf.ParallelTempering(betas).prepare(model, seed=1)
        together = ladder.start(model.random_spins(replicas=REPLICAS * LEVELS, seed=1))
        baths = [gf.SequentialHeatBath(beta).prepare(model, seed=1) for beta in betas]
        apart = [bath.start(model.random_spins(replicas=REPLICAS, seed=1)) for bath in baths]
        swapping = best(lambda m=ladder, s=together: m.advance(s, STEPS, threads=1))
        separate = best(lambda m=baths, s=apart: [b.advance(x, STEPS, threads=1) for b, x in zip(m, s)])
        updates = n * STEPS * REPLICAS * LEVELS
        print(f"ladder of {LEVELS} temperatures at N = {n}, D = {dim}")
        print(f"  tempering                 {updates / swapping:9.3g} site updates/s")
        print(
            f"  separate heat baths       {updates / separate:9.3g} site updates/s  (ratio {swapping / separate:.2f})"
        )
        missed = swapping > CLAIM * separate
        failed |= missed
        print(f"  claim: at most {CLAIM} times the separate baths: {'MISSED' if missed else 'met'}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())

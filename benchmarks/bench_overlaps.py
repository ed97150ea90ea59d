"""Equilibrated replicas: what the test of equilibrium and the overlaps cost beside the bare sweeps of the same ladder.

The limit is the heat-bath sweeps themselves (N^2 D per sweep and temperature). The reference takes the same sweeps of the same
ladder and nothing else, in this same run. Claims: at most twice the bare sweeps, and the 36 cells of Honkoop 2025, Fig. 4.2,
in 15 minutes on two cores. Exit code 1 when one fails.
"""

from __future__ import annotations

import sys
import time

import glassformer as gf
from glassformer.dynamics import ParallelTempering

BETAS = (1000.0, 5.0, 2.5, 1.67, 1.25, 1.0)
ROWS, MINUTES, RATIO = 6, 15.0, 2.0  # of the phase diagram; claims


def main() -> int:
    """Time one row of the phase diagram (six cells of one field) and two other systems; return 1 if a claim fails."""
    failed = False
    print(f"{'N':>5}{'D':>4}{'replicas':>9}{'levels':>7}{'sweeps':>8}{'seconds':>9}{'bare sweeps':>12}{'ratio':>7}")
    for n, dim, radius, betas in ((64, 32, "bal", BETAS), (32, 32, "bal", BETAS), (128, 1, "unit", (3.3, 2.0, 1.0))):
        couplings = gf.SherringtonKirkpatrick(scale=2**0.5 if dim > 1 else 1.0).sample(n=n, seed=1)
        model = gf.VectorSpin(couplings, dim=dim, radius=radius)
        gf.compare_replicas(model, betas, replicas=4, sweeps=40, max_sweeps=120, seed=1)  # compile
        clock = time.perf_counter()
        found = gf.compare_replicas(model, betas, replicas=5, sweeps=200, max_sweeps=600, seed=1)
        whole = time.perf_counter() - clock
        ladder = gf.tempering_ladder(model, betas)
        motion = ParallelTempering(ladder, 1).prepare(model, seed=1)
        state = motion.start(model.random_spins(replicas=5 * len(ladder), seed=1))
        clock = time.perf_counter()
        motion.advance(state, 600)
        bare = time.perf_counter() - clock
        sweeps = found.attrs["sweeps"]
        print(f"{n:>5}{dim:>4}{5:>9}{len(ladder):>7}{sweeps:>8}{whole:>9.2f}{bare:>12.2f}{whole / bare:>7.2f}")
        failed |= whole > RATIO * bare
        if (n, dim) == (64, 32):
            # the first stages of a row; rows that need two more stages take up to 2800 / 600 times as long
            total = ROWS * whole * 2800 / sweeps / 60
            failed |= total > MINUTES
            print(f"  36 cells, all rows with two more stages: {total:.1f} minutes (claim: at most {MINUTES:g})")
    print(f"claims: {'MISSED' if failed else 'met'}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())

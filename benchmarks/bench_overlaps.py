"""Equilibrated replicas: what the test of equilibrium and the overlaps cost beside the bare sweeps of the same ladder.

The limit is the heat-bath sweeps themselves (N^2 D per sweep and temperature). The reference takes the same sweeps of the same
ladder and nothing else, in this same run.
"""

from __future__ import annotations

import time

import glassformer as gf
from glassformer.dynamics import ParallelTempering

BETAS = (1000.0, 5.0, 2.5, 1.67, 1.25, 1.0)


def main() -> None:
    """Print the time of one column of the phase diagram of Honkoop 2025, Fig. 4.2 (six cells), and its ratio to the limit."""
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


if __name__ == "__main__":
    main()

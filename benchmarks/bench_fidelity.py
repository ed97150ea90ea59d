"""The fidelity grid of Bal 2026 at its published size, from one cell of each D, beside what limits a cell, in the same run.

Claim: all 196 cells within 15 minutes on two cores. Exit code 1 when it fails. One core, processor time.
"""

from __future__ import annotations

import sys
import time

from bench_dynamics import limits

from glassformer.papers.bal2026 import FIDELITY
from glassformer.sweeps import RunContext

CLAIM = 15 * 60.0
CORES = 2


def main() -> int:
    settings = {**FIDELITY.scales["paper"], "seed": 1}
    config = FIDELITY.config(**settings)
    cells_of_one = len(settings["drives"]) * len(settings["betas"])
    steps = config.replicates * config.chains * (config.steps + config.burn_in)
    FIDELITY.compute(config, {"dim": 3, "drive": 1.0, "beta": 1.0}, RunContext())  # compilation
    total = 0.0
    print(
        f"a cell: N = {config.n}, {config.replicates} x {config.chains} chains, {config.steps} + {config.burn_in} steps"
    )
    for dim in settings["dims"]:
        seconds = []
        for drive, beta in ((1.0, 1.0), (0.25, 4.0)):  # a usual cell, and the one whose fixed points are slowest
            start = time.process_time()
            FIDELITY.compute(config, {"dim": dim, "drive": drive, "beta": beta}, RunContext())
            seconds.append(time.process_time() - start)
        product, numbers, _ = limits(config.n, dim)
        # one product a step, and one more for each of the two correlation matrices while measuring
        products = config.n * product * steps * (1 + 2 * config.steps / (config.steps + config.burn_in))
        bare = products + config.n * numbers * steps
        print(
            f"  D = {dim:3d}: {seconds[0]:5.2f} s, slowest {seconds[1]:5.2f} s; bare products {products:5.2f} s "
            f"(ratio {seconds[0] / products:.1f}), products and random numbers {bare:5.2f} s (ratio {seconds[0] / bare:.1f})"
        )
        total += cells_of_one * (6 * seconds[0] + seconds[1]) / 7  # a seventh of the cells is as cold
    missed = total > CLAIM * CORES
    print(f"  all {cells_of_one * len(settings['dims'])} cells: {total / 60:.1f} minutes of one core")
    print(f"  claim: at most {CLAIM / 60:g} minutes on {CORES} cores: {'MISSED' if missed else 'met'}")
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())

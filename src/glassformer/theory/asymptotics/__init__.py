"""Limits of infinite size, where closed forms exist.

May import everything below `theory`. To add a limit, extend `solve_ensemble`, which answers ``solve(law, method)``.
"""

from glassformer.theory.asymptotics._large_limit import LargeLimit as LargeLimit
from glassformer.theory.asymptotics._large_limit import solve_ensemble as solve_ensemble

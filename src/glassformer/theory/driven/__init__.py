"""How a steady state answers: relaxation modes and lagged correlations, and the thermodynamics of a changing drive.

May import everything below `theory`, and the methods of `closures` and `exact`, which the nouns here wrap. To add one, write
a frozen dataclass with a field ``method`` and ``solve(model, *, start, steps)``.
"""

from glassformer.theory.driven._quench import Quench as Quench
from glassformer.theory.driven._relaxation import Relaxation as Relaxation

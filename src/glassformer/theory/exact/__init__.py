"""References that are exact up to rounding: enumeration of small systems, trees, one site, pairs.

May import everything below `theory`. To add one, write a frozen dataclass with ``beta``, ``citations`` and
``solve(model, *, start, steps)`` that raises `MethodNotApplicableError` for every model it is not exact for.
"""

from glassformer.theory.exact._context import ExactContext as ExactContext
from glassformer.theory.exact._enumeration import Enumeration as Enumeration
from glassformer.theory.exact._pair import CollinearPair as CollinearPair
from glassformer.theory.exact._single_site import SelfCoupledSpin as SelfCoupledSpin
from glassformer.theory.exact._stationary import stationary_law as stationary_law
from glassformer.theory.exact._tree import ZeroFieldTree as ZeroFieldTree

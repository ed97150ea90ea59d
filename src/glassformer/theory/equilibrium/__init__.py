"""Theories of the Boltzmann law of one sample with symmetric couplings.

May import everything below `theory`. To add one, write a frozen dataclass with ``beta``, ``citations`` and
``solve(model, *, start, steps)``; ignore the diagonal of J and refuse couplings that are not symmetric.
"""

from glassformer.theory.equilibrium._adaptive_tap import AdaptiveTAP as AdaptiveTAP
from glassformer.theory.equilibrium._ground_state import GroundState as GroundState
from glassformer.theory.equilibrium._saddle_point import SaddlePoint as SaddlePoint

"""Dynamical mean-field theory of extended-context models: stationary and transient correlations of infinite systems.

May import everything below `theory`. To add a theory, write a frozen dataclass with ``citations`` and
``solve(model)``, export it here and give it a row in `_methods.py`.
"""

from glassformer.theory.dmft._aging import Aging as Aging
from glassformer.theory.dmft._stationary import StationaryDMFT as StationaryDMFT
from glassformer.theory.dmft._transient import TransientDMFT as TransientDMFT

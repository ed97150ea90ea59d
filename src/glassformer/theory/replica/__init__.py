"""Replica theory of a whole law: infinitely many spins of a finite number of components.

May import everything below `theory`. To add a method, write a frozen dataclass with ``citations`` and
``solve_glass(glass)``, export it here and give it a row in `_methods.py`.
"""

from glassformer.theory.replica._almeida_thouless import AlmeidaThouless as AlmeidaThouless
from glassformer.theory.replica._gabay_toulouse import GabayToulouse as GabayToulouse
from glassformer.theory.replica._solve_glass import solve_glass as solve_glass
from glassformer.theory.replica._symmetric import ReplicaSymmetric as ReplicaSymmetric

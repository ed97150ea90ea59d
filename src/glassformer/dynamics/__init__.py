"""How a model moves at random: one file per update rule, compiled loops in `_kernels`.

May import `_core`, `couplings` and `models`, never `observables`. To add a dynamics, write a frozen dataclass that holds
parameters only and has ``citations`` and ``prepare(model, *, seed)``, which checks the model and returns an
`AbstractMotion` (`_motion.py`): how many replicas make a tile, and how a tile takes steps and records them. `simulate`
does the rest: burn-in, threads over tiles, measuring, checkpoints. A motion at several temperatures (tempering) has that
many configurations per replica and records one level for each.
"""

from glassformer.dynamics._legacy import LegacyLossMetropolis as LegacyLossMetropolis
from glassformer.dynamics._legacy import legacy_run as legacy_run
from glassformer.dynamics._motion import AbstractMotion as AbstractMotion
from glassformer.dynamics._motion import AbstractTile as AbstractTile
from glassformer.dynamics._motion import Dynamics as Dynamics
from glassformer.dynamics._motion import Recording as Recording
from glassformer.dynamics._motion import SpinState as SpinState
from glassformer.dynamics._parallel import ParallelHeatBath as ParallelHeatBath
from glassformer.dynamics._sample import sample_von_mises_fisher as sample_von_mises_fisher
from glassformer.dynamics._sequential import Overrelaxation as Overrelaxation
from glassformer.dynamics._sequential import SequentialHeatBath as SequentialHeatBath
from glassformer.dynamics._tempering import ParallelTempering as ParallelTempering
from glassformer.dynamics._tempering import equalised_ladder as equalised_ladder
from glassformer.dynamics._tempering import geometric_ladder as geometric_ladder
from glassformer.dynamics._tempering import tempering_ladder as tempering_ladder
from glassformer.dynamics.context import token_stream as token_stream

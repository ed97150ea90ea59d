"""What needs no sampling: closures of one sample, exact enumeration, and the limits of infinite size.

May import everything below it (`_core`, `couplings`, `models`, `dynamics`, `observables`). To add a theory, write a frozen
dataclass with ``citations`` and ``solve(model, *, start, steps)``, export it here and give it a row in `_methods.py`.
"""

from glassformer.theory._contraction import contraction as contraction
from glassformer.theory._methods import methods as methods
from glassformer.theory._solve import solve as solve
from glassformer.theory.asymptotics import LargeLimit as LargeLimit
from glassformer.theory.closures import TAP as TAP
from glassformer.theory.closures import GaussianClosure as GaussianClosure
from glassformer.theory.closures import GramClosure as GramClosure
from glassformer.theory.closures import NaiveMeanField as NaiveMeanField
from glassformer.theory.dmft import Aging as Aging
from glassformer.theory.dmft import StationaryDMFT as StationaryDMFT
from glassformer.theory.dmft import TransientDMFT as TransientDMFT
from glassformer.theory.driven import Quench as Quench
from glassformer.theory.driven import Relaxation as Relaxation
from glassformer.theory.equilibrium import AdaptiveTAP as AdaptiveTAP
from glassformer.theory.equilibrium import GroundState as GroundState
from glassformer.theory.equilibrium import SaddlePoint as SaddlePoint
from glassformer.theory.exact import Enumeration as Enumeration
from glassformer.theory.exact import ExactContext as ExactContext
from glassformer.theory.learning import GradientFlow as GradientFlow
from glassformer.theory.learning import LearningCurve as LearningCurve
from glassformer.theory.learning import separability_threshold as separability_threshold
from glassformer.theory.replica import AlmeidaThouless as AlmeidaThouless
from glassformer.theory.replica import GabayToulouse as GabayToulouse
from glassformer.theory.replica import ReplicaSymmetric as ReplicaSymmetric

"""Statistical physics of transformers and sequence models: simulate, solve, compare.

Verbs act on nouns; everything is imported when it is first used, so that importing the package costs nothing.

>>> import glassformer as gf
>>> model = gf.VectorSpin(gf.Asymmetric().sample(n=16, seed=1), gf.sphere_fields(16, dim=8, seed=2))
>>> answer = gf.solve(model, gf.GramClosure(beta=2.0))
>>> answer.attrs["status"]
'converged'
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from glassformer._version import __version__ as __version__

if TYPE_CHECKING:
    from glassformer._compare import Comparison as Comparison
    from glassformer._compare import compare as compare
    from glassformer._core._bessel import bessel_ratio as bessel_ratio
    from glassformer._core._errors import GlassformerError as GlassformerError
    from glassformer._core._errors import InvalidInputError as InvalidInputError
    from glassformer._core._errors import NotConvergedError as NotConvergedError
    from glassformer._core._responses import response as response
    from glassformer._core._status import Status as Status
    from glassformer._core._status import evidence as evidence
    from glassformer._replicas import compare_replicas as compare_replicas
    from glassformer._simulate import simulate as simulate
    from glassformer.couplings import Asymmetric as Asymmetric
    from glassformer.couplings import LaggedCouplings as LaggedCouplings
    from glassformer.couplings import LaggedGaussian as LaggedGaussian
    from glassformer.couplings import SherringtonKirkpatrick as SherringtonKirkpatrick
    from glassformer.couplings import SoftmaxGaussian as SoftmaxGaussian
    from glassformer.couplings import attention_couplings as attention_couplings
    from glassformer.couplings import gaussian_fields as gaussian_fields
    from glassformer.couplings import sphere_fields as sphere_fields
    from glassformer.data import Corpus as Corpus
    from glassformer.data import open_corpus as open_corpus
    from glassformer.dynamics import LegacyLossMetropolis as LegacyLossMetropolis
    from glassformer.dynamics import Overrelaxation as Overrelaxation
    from glassformer.dynamics import ParallelHeatBath as ParallelHeatBath
    from glassformer.dynamics import ParallelTempering as ParallelTempering
    from glassformer.dynamics import SequentialHeatBath as SequentialHeatBath
    from glassformer.dynamics import geometric_ladder as geometric_ladder
    from glassformer.dynamics import legacy_run as legacy_run
    from glassformer.dynamics import sample_von_mises_fisher as sample_von_mises_fisher
    from glassformer.dynamics import tempering_ladder as tempering_ladder
    from glassformer.dynamics import token_stream as token_stream
    from glassformer.inference import BayesRidge as BayesRidge
    from glassformer.inference import LeastSquares as LeastSquares
    from glassformer.inference import LogisticLikelihood as LogisticLikelihood
    from glassformer.inference import MeanFieldInversion as MeanFieldInversion
    from glassformer.inference import OnlineSGD as OnlineSGD
    from glassformer.inference import Ridge as Ridge
    from glassformer.inference import Windows as Windows
    from glassformer.inference import infer as infer
    from glassformer.inference import windows as windows
    from glassformer.models import ContextEnsemble as ContextEnsemble
    from glassformer.models import ExtendedContext as ExtendedContext
    from glassformer.models import TokenRule as TokenRule
    from glassformer.models import VectorGlass as VectorGlass
    from glassformer.models import VectorSpin as VectorSpin
    from glassformer.models import attention_models as attention_models
    from glassformer.observables import ContextMeasure as ContextMeasure
    from glassformer.observables import Measure as Measure
    from glassformer.sweeps import load as load
    from glassformer.sweeps import run as run
    from glassformer.sweeps import sweep as sweep
    from glassformer.theory import TAP as TAP
    from glassformer.theory import AdaptiveTAP as AdaptiveTAP
    from glassformer.theory import Aging as Aging
    from glassformer.theory import AlmeidaThouless as AlmeidaThouless
    from glassformer.theory import Enumeration as Enumeration
    from glassformer.theory import ExactContext as ExactContext
    from glassformer.theory import GabayToulouse as GabayToulouse
    from glassformer.theory import GaussianClosure as GaussianClosure
    from glassformer.theory import GradientFlow as GradientFlow
    from glassformer.theory import GramClosure as GramClosure
    from glassformer.theory import GroundState as GroundState
    from glassformer.theory import LargeLimit as LargeLimit
    from glassformer.theory import LearningCurve as LearningCurve
    from glassformer.theory import NaiveMeanField as NaiveMeanField
    from glassformer.theory import Quench as Quench
    from glassformer.theory import Relaxation as Relaxation
    from glassformer.theory import ReplicaSymmetric as ReplicaSymmetric
    from glassformer.theory import SaddlePoint as SaddlePoint
    from glassformer.theory import StationaryDMFT as StationaryDMFT
    from glassformer.theory import TransientDMFT as TransientDMFT
    from glassformer.theory import contraction as contraction
    from glassformer.theory import methods as methods
    from glassformer.theory import separability_threshold as separability_threshold
    from glassformer.theory import solve as solve
    from glassformer.theory.design import Design as Design
    from glassformer.theory.design import design as design

_PUBLIC = {
    "glassformer._compare": ("Comparison", "compare"),
    "glassformer._core._bessel": ("bessel_ratio",),
    "glassformer._core._errors": ("GlassformerError", "InvalidInputError", "NotConvergedError"),
    "glassformer._core._responses": ("response",),
    "glassformer._core._status": ("Status", "evidence"),
    "glassformer._replicas": ("compare_replicas",),
    "glassformer._simulate": ("simulate",),
    "glassformer.couplings": (
        "Asymmetric",
        "LaggedCouplings",
        "LaggedGaussian",
        "SherringtonKirkpatrick",
        "SoftmaxGaussian",
        "attention_couplings",
        "gaussian_fields",
        "sphere_fields",
    ),
    "glassformer.data": ("Corpus", "open_corpus"),
    "glassformer.dynamics": (
        "LegacyLossMetropolis",
        "Overrelaxation",
        "ParallelHeatBath",
        "ParallelTempering",
        "SequentialHeatBath",
        "geometric_ladder",
        "token_stream",
        "legacy_run",
        "sample_von_mises_fisher",
        "tempering_ladder",
    ),
    "glassformer.inference": (
        "BayesRidge",
        "LeastSquares",
        "LogisticLikelihood",
        "MeanFieldInversion",
        "OnlineSGD",
        "Ridge",
        "Windows",
        "infer",
        "windows",
    ),
    "glassformer.models": (
        "ContextEnsemble",
        "ExtendedContext",
        "TokenRule",
        "VectorGlass",
        "VectorSpin",
        "attention_models",
    ),
    "glassformer.observables": ("ContextMeasure", "Measure"),
    "glassformer.sweeps": ("load", "run", "sweep"),
    "glassformer.theory": (
        "TAP",
        "AdaptiveTAP",
        "Aging",
        "AlmeidaThouless",
        "Enumeration",
        "ExactContext",
        "GabayToulouse",
        "GaussianClosure",
        "GradientFlow",
        "GramClosure",
        "GroundState",
        "LargeLimit",
        "LearningCurve",
        "NaiveMeanField",
        "Quench",
        "Relaxation",
        "ReplicaSymmetric",
        "SaddlePoint",
        "StationaryDMFT",
        "TransientDMFT",
        "contraction",
        "methods",
        "separability_threshold",
        "solve",
    ),
    "glassformer.theory.design": ("Design", "design"),
}
_WHERE = {name: module for module, names in _PUBLIC.items() for name in names}

__all__ = ["__version__", *sorted(_WHERE)]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(
            f"module 'glassformer' has no attribute {name!r}; dir(glassformer) lists the public names."
        )
    return getattr(import_module(_WHERE[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)

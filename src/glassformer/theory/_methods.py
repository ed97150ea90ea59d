"""The verb `methods`: what can simulate or solve a thing, at what cost, and where it holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from glassformer._core._errors import invalid
from glassformer.couplings import LaggedGaussian
from glassformer.models import ContextEnsemble, ExtendedContext, VectorGlass

Need = Callable[[Any], str]


@dataclass(frozen=True, slots=True)
class Method:
    """One row of the table; ``need(model)`` is empty when the method applies, and else says what is missing."""

    name: str
    verb: str
    cost: str
    validity: str
    need: Need
    for_glass: bool = False


@dataclass(frozen=True, slots=True)
class MethodTable:
    """What `methods` returns: print it, iterate over its rows, or ask ``"TAP" in table``."""

    subject: str
    rows: tuple[Method, ...]

    @property
    def solvers(self) -> tuple[str, ...]:
        """Names of the theories that apply."""
        return tuple(row.name for row in self.rows if row.verb == "solve")

    @property
    def simulators(self) -> tuple[str, ...]:
        """Names of the dynamics that apply."""
        return tuple(row.name for row in self.rows if row.verb == "simulate")

    def __contains__(self, name: object) -> bool:
        return any(row.name == name for row in self.rows)

    def __iter__(self) -> Iterator[Method]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __str__(self) -> str:
        lines = [("verb", "method", "cost", "valid for"), *((r.verb, r.name, r.cost, r.validity) for r in self.rows)]
        widths = [max(len(line[column]) for line in lines) for column in range(4)]
        text = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines]
        return "\n".join([f"Methods for {self.subject}", text[0], "-" * max(map(len, text)), *text[1:]])

    __repr__ = __str__


def _any(model: Any) -> str:
    return ""


def _symmetric(model: Any) -> str:
    return "" if model.symmetric else "it needs an equilibrium, hence symmetric couplings"


def _enumerable(model: Any) -> str:
    from glassformer.theory.exact._enumeration import LARGEST, LARGEST_SYMMETRIC

    largest = LARGEST_SYMMETRIC if model.symmetric else LARGEST
    return "" if model.dim == 1 and model.n <= largest else f"it needs dim=1 and at most {largest} spins"


def _symmetric_law(law: Any) -> str:
    return (
        "" if getattr(law, "symmetry", None) == 1.0 else "it needs an equilibrium, hence a law of symmetric couplings"
    )


def _one_parameter(glass: Any) -> str:
    """Say what the replica-symmetric solution of one overlap does not cover."""
    if not isinstance(glass, VectorGlass):
        return _NEEDS_GLASS
    if glass.dim > 1 and glass.law.mean:
        return f"a mean of the couplings needs dim=1, not {glass.dim}"
    return ""


def _random_line(glass: Any) -> str:
    if not isinstance(glass, VectorGlass):
        return _NEEDS_GLASS
    if glass.dim > 1 and glass.field_law == "uniform":
        return "the line of a uniform field for more than one component is that of Gabay and Toulouse"
    if glass.law.mean and not (glass.dim == 1 and glass.field_law == "uniform"):
        return "a mean of the couplings needs dim=1 and field_law='uniform'"
    return ""


def _uniform_line(glass: Any) -> str:
    if not isinstance(glass, VectorGlass):
        return _NEEDS_GLASS
    if glass.dim == 1 or glass.field_law != "uniform":
        return "it needs field_law='uniform' and at least 2 components"
    if glass.law.mean:
        return "it needs couplings of mean 0"
    return "the field is its own argument, so the glass must have field=0" if glass.field else ""


def _small_context(model: Any) -> str:
    from glassformer.theory.exact._context import LARGEST_LINEAR

    if not isinstance(model, ExtendedContext):
        return "it needs one sample of an ExtendedContext"
    size = model.context * model.n
    return "" if size <= LARGEST_LINEAR else f"it needs K N <= {LARGEST_LINEAR}, not {size}"


def _ages(law: Any) -> str:
    if not is_context_law(law):
        return "it needs a law of couplings to past states, such as LaggedGaussian(...)"
    couplings = getattr(law, "law", law)
    if couplings.transpose_covariance is not None or couplings.mean.any() or getattr(law, "field", 0.0):
        return "it needs couplings of mean zero without transpose_covariance, and no field"
    return ""


def _any_context_law(law: Any) -> str:
    return "" if is_context_law(law) else "it needs a law of couplings to past states, such as LaggedGaussian(...)"


def _learnable(model: Any) -> str:
    if not isinstance(model, ExtendedContext):
        return "it needs one sample of an ExtendedContext"
    law = model.couplings.law
    if law is not None and law.structure == "fast_transform":
        return "it needs independent couplings, and those of structure='fast_transform' are not"
    return "it needs a teacher without external fields" if np.any(model.fields) else ""


_NEEDS_GLASS = "it needs the law of a whole glass, VectorGlass(law, dim=...)"

_FOR_MODELS = (
    Method("ParallelHeatBath", "simulate", "N^2 D per step", "any couplings; the process that the closures describe", _any),
    Method("SequentialHeatBath", "simulate", "N^2 D per sweep", "Boltzmann law if symmetric, else a driven steady state", _any),
    Method("ParallelTempering", "simulate", "N^2 D per sweep and temperature", "Boltzmann law at many temperatures, cold glasses", _symmetric),
    Method("NaiveMeanField", "solve", "N^2 D per step", "weak couplings; error of order J^2", _any),
    Method("TAP", "solve", "N^2 D per step", "weak couplings; error of order J^3; status out_of_range when they are strong", _any),
    Method("GramClosure", "solve", "N^3 + N^2 D per step", "many components, at any N, J and temperature; error of order 1/D", _any),
    Method("GaussianClosure", "solve", "N^3 D^2 per step", "few components and many neighbours", _any),
    Method("AdaptiveTAP", "solve", "N^3 per iteration", "Boltzmann law; no assumption on the law of the couplings", _symmetric),
    Method("SaddlePoint", "solve", "N^3 per iteration", "Boltzmann law, many components; error of order 1/D", _symmetric),
    Method("GroundState", "solve", "N^2 D per sweep", "states of least energy, with a certificate where many components allow one", _symmetric),
    Method("Enumeration", "solve", "4^N", "exact, for one component and N up to 12 (16 if symmetric)", _enumerable),
)  # fmt: skip

_FOR_LAWS = (
    Method("NaiveMeanField", "solve", "one equation", "N and D to infinity; weak couplings", _any),
    Method("TAP", "solve", "one equation", "N and D to infinity; weak couplings", _any),
    Method("GramClosure", "solve", "one equation", "N and D to infinity; exact at any asymmetry", _any),
    Method("SaddlePoint", "solve", "one equation", "N and D to infinity; exact for symmetric couplings", _symmetric_law),
    Method("AdaptiveTAP", "solve", "one equation", "N and D to infinity; exact for symmetric couplings", _symmetric_law),
)  # fmt: skip

_FOR_GLASSES = (
    Method("ReplicaSymmetric", "solve", "one equation", "N to infinity at the actual D; exact where its replicon is positive", _one_parameter, True),
    Method("AlmeidaThouless", "solve", "one or two equations", "N to infinity; where replica symmetry breaks in a random field", _random_line, True),
    Method("GabayToulouse", "solve", "three equations", "N to infinity; where the transverse components freeze in a uniform field", _uniform_line, True),
)  # fmt: skip


_FOR_CONTEXTS = (
    Method("TokenRule", "simulate", "r N^2 per step, less for light structures", "every rule, any N; exact loss and entropy production of one draw", _any),
    Method("ExactContext", "solve", "8^(K N), or (K N)^3 for gaussian tokens", "exact, for K N up to 12 two-valued or 4096 gaussian sites", _small_context),
    Method("LearningCurve", "solve", "(K N)^3", "test error of a student; exact or for many couplings, gaussian and ising teachers", _learnable),
    Method("LeastSquares", "infer", "P d^2 + d^3 for d = K N", "couplings from P windows of its tokens, with errors", _any),
    Method("Ridge", "infer", "P d^2 + d^3", "couplings from few windows, too", _any),
    Method("BayesRidge", "infer", "P (r N)^2 + (r N)^3", "gaussian tokens, when the law of the couplings is known", _any),
    Method("LogisticLikelihood", "infer", "100 P d N, errors P d^2 N", "tokens of -1 and 1; maximum likelihood", _any),
    Method("MeanFieldInversion", "infer", "P d^2 + d^3", "tokens of -1 and 1, many sites", _any),
    Method("OnlineSGD", "infer", "P d N", "one pass over a stream, without a matrix to invert", _any),
)  # fmt: skip

_FOR_CONTEXT_LAWS: tuple[Method, ...] = (
    Method("TokenRule", "simulate", "r N^2 per step and draw", "every rule at finite n, averaged over draws of the couplings", _any_context_law),
    Method("StationaryDMFT", "solve", "M K^2 for M lags", "stationary correlations, loss floor and entropy production, every rule; exact as N grows", _any_context_law, True),
    Method("TransientDMFT", "solve", "r K T^2 for T steps", "two-time correlations from any start, every rule; exact as N grows", _any_context_law, True),
    Method("Aging", "solve", "one maximum", "late times of spherical tokens at zero temperature and of growing gaussian ones", _ages, True),
)  # fmt: skip


def is_context_law(thing: Any) -> bool:
    """Whether `thing` is the law of an extended-context model."""
    return isinstance(thing, LaggedGaussian | ContextEnsemble)


def is_model(thing: Any) -> bool:
    """Whether `thing` is a model (arrays bound to a kind of spin) rather than a law."""
    if isinstance(thing, ExtendedContext):
        return True
    return isinstance(getattr(thing, "couplings", None), np.ndarray) and hasattr(thing, "n")


def known(name: str) -> Method | None:
    """Return the row of a method by name, whatever it applies to."""
    return next(
        (row for row in (*_FOR_MODELS, *_FOR_GLASSES, *_FOR_CONTEXTS, *_FOR_CONTEXT_LAWS) if row.name == name), None
    )


def methods(model: Any) -> MethodTable:
    """Say what can simulate or solve `model`, with cost and validity.

    Parameters
    ----------
    model : model or law of couplings

    Returns
    -------
    MethodTable
        Prints as a table; iterate for the rows.

    Examples
    --------
    >>> import glassformer as gf
    >>> table = gf.methods(gf.VectorSpin([[0.0, 1.0], [0.5, 0.0]], dim=3))
    >>> "GramClosure" in table, "SaddlePoint" in table  # the second needs symmetric couplings
    (True, False)
    """
    if isinstance(model, ExtendedContext):
        size = f"ExtendedContext with N = {model.n}, K = {model.context}"
        return MethodTable(size, tuple(row for row in _FOR_CONTEXTS if not row.need(model)))
    if is_context_law(model):
        law = getattr(model, "law", model)
        size = f"the law of extended-context models with K = {law.context}, as N goes to infinity"
        return MethodTable(size, tuple(row for row in _FOR_CONTEXT_LAWS if not row.need(model)))
    if is_model(model):
        size = f"{type(model).__name__} with N = {model.n}, D = {model.dim}"
        kind = "symmetric" if model.symmetric else "asymmetric"
        return MethodTable(f"{size}, {kind} couplings", tuple(row for row in _FOR_MODELS if not row.need(model)))
    if isinstance(model, VectorGlass):
        rows = tuple(row for row in _FOR_GLASSES if not row.need(model))
        return MethodTable(f"VectorGlass with D = {model.dim}, {model.field_law} fields, as N goes to infinity", rows)
    if isinstance(model, type) or not (hasattr(model, "sample") or hasattr(model, "law")):
        raise invalid("the thing to solve", model, "a model such as VectorSpin(...) or a law such as Asymmetric()")
    rows = tuple(row for row in _FOR_LAWS if not row.need(model))
    return MethodTable(f"the law {type(model).__name__} as N goes to infinity", rows)

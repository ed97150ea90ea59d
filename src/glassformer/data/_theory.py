"""What theory says of a corpus before it is drawn: at infinite size, and exactly where the sample is small."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from glassformer._core._errors import InvalidInputError, MethodNotApplicableError
from glassformer._core._status import Status
from glassformer._core._validation import FloatArray
from glassformer.data._relaxation import Relaxation, decay_steps, relaxation
from glassformer.models import ContextEnsemble, ExtendedContext, TokenRule
from glassformer.theory.exact._context import ExactContext, need
from glassformer.theory.exact._context_gaussian import spectral_radius

if TYPE_CHECKING:
    import xarray as xr

_LARGEST_GAUSSIAN = 1024  # K N of an exact solution that takes a moment
_LONGEST_TRANSIENT = 2000  # steps of the transient theory
LONGEST_BURN_IN, _MIXING_WORK = 100_000, 1e9  # steps, and multiplications
_MIXED = 1e-4  # total variation


@dataclass(frozen=True, slots=True)
class CorpusTheory:
    """Numbers for the record: ``infinite`` (names as in `StationaryDMFT`), ``exact`` (as in `ExactContext`).

    ``correlation_time``, ``relaxation`` (of infinite size) and ``mixing`` (of this sample), in steps, set the default
    burn-in; ``radius`` is that of the companion matrix of gaussian couplings. ``reason`` says why ``infinite`` is empty,
    ``exact_reason`` why a small sample has no exact numbers; ``ages`` whether it is because there is no stationary state,
    ``slow`` whether the sample remembers its start for longer than anyone waits.
    """

    infinite: dict[str, Any] = field(default_factory=dict)
    exact: dict[str, Any] = field(default_factory=dict)
    correlation_time: float = 0.0
    relaxation: Relaxation = field(default_factory=Relaxation)
    mixing: int = 0
    radius: float | None = None
    reason: str = ""
    exact_reason: str = ""
    ages: bool = False
    slow: bool = False
    citations: tuple[str, ...] = ()


def stationary_theory(
    ensemble: ContextEnsemble | None, model: ExtendedContext, rule: TokenRule, lags: int, start: str = "independent"
) -> CorpusTheory:
    """Return what is known of the stationary state of a sample, and of the law it was drawn from."""
    import json

    from glassformer.theory.dmft import StationaryDMFT

    infinite: dict[str, Any] = {}
    reason, exact_reason, citations = "the law of the couplings is not known", "", []
    ages, slow, time, mixing = False, False, 0.0, 0.0
    relaxes = Relaxation()
    if ensemble is not None:
        try:
            found = StationaryDMFT(rule, lags=max(1, lags, model.context)).solve(ensemble)
            infinite, reason = _numbers(found, lags), ""
            infinite["method"] = "StationaryDMFT"
            time = float(found["correlation_time"]) if "correlation_time" in found else 0.0
            citations += json.loads(found.attrs["citations"])
            relaxes = relaxation(ensemble, rule, found, start, n=model.n)
        except MethodNotApplicableError as error:
            reason = str(error)
        except InvalidInputError as error:
            reason, ages = str(error), True
    exact: dict[str, Any] = {}
    radius = spectral_radius(model.couplings) if rule.variant == "gaussian" else None
    if rule.variant == "gaussian":  # whatever the couplings
        exact = {"method": "closed form", "entropy_rate": 0.5 * math.log(2.0 * math.pi * math.e * rule.sigma**2)}
    if radius is not None and radius >= 1.0 and not ages:  # of this very sample, whatever the law says
        infinite, ages = {}, True
        reason = (
            f"The companion matrix of these couplings has spectral radius {radius:.6g}, so the gaussian tokens of this sample "
            "grow without bound and no stationary state exists; take another seed, more sites or a smaller covariance"
        )
    small = rule.variant != "gaussian" or model.context * model.n <= _LARGEST_GAUSSIAN
    if small and not (radius is not None and radius >= 1.0) and not need(model, rule):
        try:
            method = ExactContext(rule, lags=lags)
            found = method.solve(model)
            exact = _numbers(found, lags)
            exact["method"], exact["status"] = "ExactContext", found.attrs["status"]
            mixing = 0.0 if rule.variant == "gaussian" else _mixing_steps(method, model, found)
            citations += json.loads(found.attrs["citations"])
        except InvalidInputError as error:
            exact_reason = str(error)
    if radius is not None and not ages:
        mixing = decay_steps(radius, float(np.mean(infinite.get("autocorrelation", [1.0])[:1])))
    slow = mixing > LONGEST_BURN_IN
    return CorpusTheory(
        infinite, exact, time, relaxes, math.ceil(min(mixing, LONGEST_BURN_IN)), radius, reason, exact_reason, ages, slow,
        tuple(dict.fromkeys(citations)),
    )  # fmt: skip


def transient_theory(
    ensemble: ContextEnsemble, rule: TokenRule, *, start: str, burn_in: int, length: int, lags: int
) -> dict[str, Any]:
    """Return the numbers of `StationaryDMFT` averaged over the times that are kept; none if they overflow."""
    from glassformer.theory.dmft import TransientDMFT

    context = ensemble.law.context
    found = TransientDMFT(rule, steps=burn_in + length, start=start).solve(ensemble)
    if Status(found.attrs["status"]).failed:
        return {}
    times = slice(burn_in + 1, burn_in + length)
    pairs = found["two_time_correlation"].sel(time=times, time_=times).values
    correlation = [float(np.mean(np.diagonal(pairs, offset=lag))) for lag in range(lags + 1)]
    numbers: dict[str, Any] = {"method": "TransientDMFT", "autocorrelation": correlation}
    if rule.variant in ("gaussian", "graded"):
        numbers["square"] = np.diagonal(pairs).tolist()
    if "loss_floor" in found:
        values = found["loss_floor"].sel(time=slice(burn_in + 1 + context, burn_in + length)).values
        numbers["loss_floor"] = float(values.mean())
    fields = found["field_covariance"].sel(time=times, time_=times).values
    numbers["q0"] = float(np.diagonal(fields).mean())
    return numbers


def has_transient_theory(ensemble: ContextEnsemble | None, steps: int) -> bool:
    """Whether `transient_theory` can follow so many steps of this law."""
    return ensemble is not None and ensemble.law.transpose_covariance is None and steps <= _LONGEST_TRANSIENT


def _numbers(found: xr.Dataset, lags: int) -> dict[str, Any]:
    """Return every scalar, and the vectors that a reader of a corpus asks for."""
    numbers: dict[str, Any] = {}
    for name, variable in found.data_vars.items():
        if variable.ndim == 0:
            numbers[str(name)] = float(variable)
        elif name in ("autocorrelation", "field_autocorrelation", "diagonal_sums", "magnetization"):
            numbers[str(name)] = variable.values[: lags + 1 if "lag" in variable.dims else None].tolist()
    return numbers


def _mixing_steps(method: ExactContext, model: ExtendedContext, found: xr.Dataset) -> float:
    """Return the steps after which independent starts have forgotten themselves, in total variation."""
    if math.isinf(method.rule.beta):
        return 0.0  # a map: cycles are reached, not forgotten
    chain = method.chain(model)
    final: FloatArray = found["stationary_law"].values
    law = np.full(final.size, 1.0 / final.size)
    distances = []
    for step in range(int(min(LONGEST_BURN_IN, 50 + _MIXING_WORK / chain.conditional.size))):
        distances.append(0.5 * float(np.abs(law - final).sum()))
        if distances[-1] < _MIXED:
            return step
        law = chain.advance(law)
    # the rest of the way at the rate of the second half
    half = len(distances) // 2
    rate = math.log(distances[half] / distances[-1]) / (len(distances) - 1 - half)
    return math.inf if rate <= 0.0 else len(distances) + math.log(distances[-1] / _MIXED) / rate

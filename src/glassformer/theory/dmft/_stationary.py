"""Stationary correlations of extended-context models in the limit of infinite size: the noun and its labelled result."""

from __future__ import annotations

import math
import time
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from glassformer._core._errors import invalid
from glassformer._core._status import attach_evidence
from glassformer._core._validation import FloatArray, as_count
from glassformer.couplings import LaggedGaussian
from glassformer.couplings._lag_covariance import spectrum
from glassformer.dynamics._motion import one_blas_thread
from glassformer.models import ContextEnsemble, TokenRule
from glassformer.theory.dmft._ensemble import as_ensemble
from glassformer.theory.dmft._information import entropy_production, entropy_rate
from glassformer.theory.dmft._nonlinear import LONGEST
from glassformer.theory.dmft._solution import Stationary, solve_stationary
from glassformer.theory.dmft._tail import order_root, spectral_radius

if TYPE_CHECKING:
    import xarray as xr

_FREQUENCIES = 257


@dataclass(frozen=True, slots=True)
class StationaryDMFT:
    r"""The stationary correlation :math:`c_\tau=\frac1N\langle s_{t+\tau}\cdot s_t\rangle` as :math:`N\to\infty`, with what it implies.

    :math:`\Gamma` enters through its diagonal sums :math:`g_d=\sum_k\Gamma_{k,k+d}` alone. With
    :math:`Q_\tau=\sum_dg_dc_{\tau-d}` and :math:`G(\omega)=\sum_dg_de^{-i\omega d}` (means zero),

    ==================  ==========================================================================================
    variant             equation
    ==================  ==========================================================================================
    ising, probit       :math:`c_0=1`, :math:`c_\tau=\Phi(Q_\tau;Q_0,Q_0)=E[f(h_{t+\tau})f(h_t)]`
    graded              the same at every lag; at rest unless :math:`\beta^2\max G>1`
    gaussian            :math:`c(\omega)=\sigma^2/(1-G(\omega))`, for :math:`\max G<1`
    spherical           :math:`c(\omega)=1/\lambda(1-xG(\omega))`, :math:`\sqrt x\lambda=\beta`, :math:`c_0=1`
    ==================  ==========================================================================================

    The tail is :math:`r^\tau` with r the largest root of :math:`\chi\sum_dg_dz^{-d}=1` inside the unit circle
    (:math:`\chi=a^2`, 1 or x). Means of the couplings and a field :math:`\theta` (of a `ContextEnsemble`) add
    :math:`m`, :math:`\mu=m\sum_kJ^0_k+\theta` and a persistent correlation :math:`c_\infty`.

    Parameters
    ----------
    rule : TokenRule
    lags : int
        Lags 0..lags are returned; the solution itself takes as many as its tail needs.

    Notes
    -----
    ``solve(law, StationaryDMFT(rule))`` for a `LaggedGaussian` or a `ContextEnsemble` returns ``q0`` (:math:`Q_0`, the
    variance of the field), ``autocorrelation (lag)``, ``field_autocorrelation (lag)``, ``diagonal_sums (distance)``,
    ``slowest_root`` (modulus of r) and ``slowest_root_angle``, ``correlation_time`` :math:`-1/\ln|r|`, ``criticality``
    (:math:`\chi\max G`, :math:`\max G`, :math:`x\max G`), ``gain`` :math:`a=Ef'` (:math:`\beta/\lambda` if spherical),
    ``entropy_rate`` = ``loss_floor`` (nats per site; differential for continuous tokens), ``entropy_production`` and
    ``entropy_production_per_spin`` (nats per step and site), ``coupling_spectrum (frequency)`` G and
    ``token_spectrum (frequency)`` :math:`c(\omega)`. Gaussian tokens add ``own_past_error``, the squared error of the best
    prediction of a site from its own past, and ``spectral_radius`` of the linear dynamics; spherical ones ``multiplier``
    :math:`\lambda`. With a mean or a field: ``magnetization``, ``field_mean``, ``persistent_correlation``, ``order_root``
    (largest root of :math:`1=a\sum_kJ^0_kz^{-k}`; above 1 the mean grows) and ``order_root_at_zero``, the same at m = 0.

    Raises
    ------
    InvalidInputError
        Where no stationary state exists: gaussian tokens with :math:`\max G\ge1`, spherical ones at :math:`\beta=\infty`.

    References
    ----------
    Zavatone-Veth and Pehlevan 2025, arXiv:2507.18461; derived here.

    Examples
    --------
    >>> import glassformer as gf
    >>> law = gf.LaggedGaussian([[0.6, 0.3, -0.1], [0.3, 0.5, 0.2], [-0.1, 0.2, 0.4]])
    >>> found = gf.solve(law, gf.StationaryDMFT(gf.TokenRule("ising", beta=1.0)))
    >>> round(float(found["autocorrelation"][1]), 8), round(float(found["loss_floor"]), 8)
    (0.20866004, 0.39524281)
    """

    rule: TokenRule
    _: KW_ONLY
    lags: int = 32

    citations: ClassVar[tuple[str, ...]] = ("zavatone2025", "glassformer")

    def __post_init__(self) -> None:
        if not isinstance(self.rule, TokenRule):
            raise invalid("rule", self.rule, "a TokenRule", "write StationaryDMFT(TokenRule('ising', beta=...))")
        if as_count("lags", self.lags) > LONGEST:
            raise invalid("lags", self.lags, f"at most {LONGEST}", "at long lags correlations follow slowest_root**lag")

    def solve(self, model: LaggedGaussian | ContextEnsemble) -> xr.Dataset:
        """Return the stationary state of a law of couplings, or of a whole model with its field."""
        ensemble = as_ensemble(model, self)
        with one_blas_thread():
            if ensemble.law.transpose_covariance is not None:
                from glassformer.theory.dmft._partially_gaussian import partially_symmetric_result

                return partially_symmetric_result(self, ensemble)
            return self._solve(ensemble)

    def _solve(self, ensemble: ContextEnsemble) -> xr.Dataset:
        clock = time.perf_counter()
        law, rule = ensemble.law, self.rule
        found = solve_stationary(law.diagonal_sums, rule, lags=self.lags, mean=law.mean, field=float(ensemble.field))
        dataset, notes = labelled(found, ensemble, self.lags)
        return attach_evidence(
            dataset,
            status=found.status,
            method="StationaryDMFT",
            wall_time=time.perf_counter() - clock,
            citations=tuple(dict.fromkeys((*self.citations, *ensemble.citations))),
            variant=rule.variant,
            beta=None if rule.variant == "gaussian" else float(rule.beta),
            sigma=float(rule.sigma) if rule.variant == "gaussian" else None,
            residual=found.residual,
            iterations=found.iterations,
            solved_lags=found.correlation.size - 1,
            note=" ".join(notes) or None,
        )


def labelled(found: Stationary, ensemble: ContextEnsemble, lags: int) -> tuple[xr.Dataset, list[str]]:
    """Return the Dataset of a solution, and the sentences that a reader needs beside it."""
    import xarray as xr

    law, rule = ensemble.law, found.rule
    notes = [found.note] if found.note else []
    correlation = found.lags(lags)
    field_correlation = found.field_covariance()[: lags + 1]
    frequency = np.linspace(0.0, math.pi, _FREQUENCIES)
    values: dict[str, Any] = {
        "q0": (found.field_variance, "energy^2"),
        "gain": (found.gain, "1 / energy"),
        "slowest_root": (abs(found.root), "modulus, per lag"),
        "slowest_root_angle": (float(np.angle(found.root)), "radians per lag"),
        "correlation_time": (found.correlation_time, "steps"),
        "criticality": (found.criticality, "1; memory diverges at 1"),
    }
    entropy, production = entropy_rate(found), entropy_production(law.covariance, found)
    if entropy is not None:
        kind = "nats per site" if rule.variant in ("ising", "probit") else "nats per site, differential"
        values |= {"entropy_rate": (entropy, kind), "loss_floor": (entropy, kind)}
    if production is not None:
        units = "nats per step and site"
        values |= {"entropy_production": (production, units), "entropy_production_per_spin": (production, units)}
    notes += _left_out(rule, found)
    if rule.variant == "gaussian":
        values["own_past_error"] = (found.own_past_error, "squared error of a site predicted from its own past")
        values["spectral_radius"] = (spectral_radius(law.covariance), "modulus, growth per step")
    if rule.variant == "spherical":
        values["multiplier"] = (found.multiplier, "1")
    if np.any(law.mean) or ensemble.field:
        values |= _means(found, ensemble)
    arrays = {
        "autocorrelation": ("lag", correlation, {"units": "s.s / N, means not subtracted"}),
        "field_autocorrelation": ("lag", field_correlation, {"units": "energy^2"}),
        "diagonal_sums": ("distance", found.diagonal_sums, {"units": "energy^2"}),
        "coupling_spectrum": ("frequency", spectrum(found.diagonal_sums, frequency), {"units": "energy^2"}),
        "token_spectrum": ("frequency", _token_spectrum(found, frequency), {"units": "s.s / N, without c_infinity"}),
    }
    coordinates = {
        "lag": np.arange(lags + 1),
        "distance": np.arange(found.diagonal_sums.size),
        "frequency": ("frequency", frequency, {"units": "radians per step"}),
    }
    variables = {name: ((), value, {"units": units}) for name, (value, units) in values.items()}
    return xr.Dataset({**variables, **arrays}, coords=coordinates), notes


def _means(found: Stationary, ensemble: ContextEnsemble) -> dict[str, Any]:
    values: dict[str, Any] = {
        "magnetization": (found.magnetization, "mean of a token"),
        "field_mean": (found.field_mean, "energy"),
        "persistent_correlation": (found.persistent, "s.s / N at long lags"),
        "order_root": (abs(found.growth), "modulus, growth of a small change of the mean per step"),
    }
    decided = found.diagonal_sums[0] > 0.0 or not math.isinf(found.rule.beta)
    if ensemble.field == 0.0 and found.rule.variant != "gaussian" and decided:
        rest = found if found.magnetization == 0.0 else solve_stationary(found.diagonal_sums, found.rule)
        growth = order_root(np.asarray(ensemble.law.mean), rest.gain)
        values["order_root_at_zero"] = (abs(growth), "modulus, the same at magnetization 0")
    return values


def _left_out(rule: TokenRule, found: Stationary) -> list[str]:
    """Say why a number that other rules have is missing."""
    notes = []
    if rule.variant == "graded":
        notes.append("Graded units are deterministic: no entropy rate, and entropy production is infinite.")
    elif rule.deterministic:
        notes.append("Without noise the next token is known, and entropy production is infinite.")
    if (
        not np.any(found.diagonal_sums[1:])
        and found.correlation[0] > 0.0
        and not found.persistent
        and found.status.good
    ):
        notes.append("All g_d with d >= 1 vanish, so tokens are uncorrelated once a transient is over.")
    return notes


def _token_spectrum(found: Stationary, frequency: FloatArray) -> FloatArray:
    if found.rule.variant == "gaussian":
        return np.asarray(found.rule.sigma**2 / (1.0 - spectrum(found.diagonal_sums, frequency)))
    if found.rule.variant == "spherical":
        if math.isinf(found.multiplier):  # a flat spectrum at zero temperature
            return np.ones_like(frequency)
        return np.asarray(1.0 / (found.multiplier * (1.0 - found.slope * spectrum(found.diagonal_sums, frequency))))
    return found.spectrum(frequency)

"""Aging: what two-time correlations do for late times where no stationary state exists."""

from __future__ import annotations

import math
import time
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from glassformer._core._errors import MethodNotApplicableError, invalid
from glassformer._core._status import Status, attach_evidence
from glassformer._core._validation import FloatArray, as_count, as_float_array
from glassformer.couplings import LaggedGaussian
from glassformer.couplings._lag_covariance import diagonal_sums, extreme_spectrum, spectrum
from glassformer.models import ContextEnsemble, TokenRule
from glassformer.theory.dmft._ensemble import as_ensemble

if TYPE_CHECKING:
    import xarray as xr

_EQUAL = 1e-9  # maxima of G that differ by less, per g_0, count as equal
_WAITING = (100, 300, 1000, 3000, 10000)


@dataclass(frozen=True, slots=True)
class Aging:
    r"""Late times of tokens without a stationary state: spherical ones at zero temperature, Gaussian ones that grow.

    Spherical tokens at :math:`\beta=\infty` select the frequency :math:`\omega^*` at which :math:`G(\omega)` is largest,
    ever more sharply, so their memory grows with their age as :math:`\sqrt{t_w}`:

    .. math:: C(t_w+\tau,t_w)\simeq\cos(\omega^*\tau)\exp\Big[-\frac{\tau^2}{2D(t_w+\tau/2)}\Big],\qquad
              D=\frac{-G''(\omega^*)}{\sum_{kk'}\Gamma_{kk'}\cos(\omega^*(k-k'))\frac{k+k'}2} .

    Gaussian tokens beyond their instability grow as :math:`C_{tt}\sim\rho^{2t}/\sqrt t` with :math:`\rho` the largest
    :math:`\lvert z\rvert` at which :math:`\sum_{kk'}\Gamma_{kk'}z^{-k}\bar z^{-k'}=1`, and :math:`C_{tt'}/\sqrt{C_{tt}C_{t't'}}`
    has the same form with :math:`\Gamma_{kk'}\rho^{-k-k'}` in place of :math:`\Gamma`. (Spherical tokens are normalised one
    by one, which is not the same: their weights are not tilted.)

    Parameters
    ----------
    rule : TokenRule
        ``TokenRule("spherical", beta=inf)`` or a ``gaussian`` rule.
    waiting_times : tuple of int
        :math:`t_w`.
    lags : int
        Largest :math:`\tau`.

    Notes
    -----
    ``solve(law, Aging(...))`` returns ``two_time_correlation (waiting_time, lag)`` (normalised to 1 at lag 0),
    ``frequency`` :math:`\omega^*`, ``aging_constant`` D, ``aging_exponent`` 1/2 and ``growth_factor`` :math:`\rho` (1 for
    spherical tokens). It needs zero means and a unique, quadratic maximum of G on :math:`[0,\pi]`. Corrections fall as
    1/t_w; they are small (:math:`10^{-3}` at t_w = 100) where G is symmetric about :math:`\omega^*`, and large elsewhere.

    References
    ----------
    Derived here, and compared with the exact recursion of `TransientDMFT`.

    Examples
    --------
    >>> import glassformer as gf
    >>> law = gf.LaggedGaussian([[0.7, 0.3], [0.3, 0.5]])
    >>> found = gf.solve(law, gf.Aging(gf.TokenRule("spherical", beta=float("inf")), waiting_times=(160,), lags=10))
    >>> round(float(found["aging_constant"]), 7), round(float(found["two_time_correlation"].sel(waiting_time=160, lag=10)), 5)
    (0.2307692, 0.26898)
    """

    rule: TokenRule
    _: KW_ONLY
    waiting_times: Any = _WAITING
    lags: int = 200

    citations: ClassVar[tuple[str, ...]] = ("glassformer", "zavatone2025")

    def __post_init__(self) -> None:
        if not isinstance(self.rule, TokenRule):
            raise invalid("rule", self.rule, "a TokenRule", "write Aging(TokenRule('spherical', beta=inf))")
        as_count("lags", self.lags)
        times = as_float_array("waiting_times", np.atleast_1d(self.waiting_times), ndim=1)
        if times.size == 0 or times.min() < 1.0 or (times != np.round(times)).any():
            raise invalid("waiting_times", self.waiting_times, "integers >= 1", "times are steps since the start")
        object.__setattr__(self, "waiting_times", tuple(int(t) for t in times))

    def solve(self, model: LaggedGaussian | ContextEnsemble) -> xr.Dataset:
        """Return the scaling form for a law of couplings."""
        import xarray as xr

        clock = time.perf_counter()
        ensemble = as_ensemble(model, self)
        self._check(ensemble)
        law, growth = ensemble.law, 1.0
        gamma = law.covariance
        if self.rule.variant == "gaussian":
            growth = growth_factor(law)
            if growth <= 1.0:
                raise MethodNotApplicableError(
                    f"Gaussian tokens do not grow here: the largest |z| with Gamma(z) = 1 is {growth:.6g}; "
                    "StationaryDMFT has their stationary state."
                )
            lag = np.arange(1, law.context + 1)
            gamma = gamma * growth ** -(lag[:, None] + lag).astype(float)
        omega, constant = aging_constants(gamma)
        tau, age = np.arange(self.lags + 1), np.array(self.waiting_times)
        shape = np.exp(-(tau**2) / (2.0 * constant * (age[:, None] + 0.5 * tau)))
        dataset = xr.Dataset(
            {
                "two_time_correlation": (("waiting_time", "lag"), np.cos(omega * tau) * shape, {"units": "normalised"}),
                "frequency": ((), omega, {"units": "radians per step"}),
                "aging_constant": ((), constant, {"units": "steps"}),
                "aging_exponent": ((), 0.5, {"units": "power of the age with which memory grows"}),
                "growth_factor": ((), growth, {"units": "of the length of a token, per step"}),
            },
            coords={"waiting_time": age, "lag": tau},
        )
        note = "Asymptotic in the waiting time; exact two-time correlations are those of TransientDMFT."
        if not _symmetric_about(gamma, omega):
            note += " G is not symmetric about its maximum, so the phase settles slowly, as 1 / t_w."
        return attach_evidence(
            dataset,
            status=Status.OK,
            method="Aging",
            wall_time=time.perf_counter() - clock,
            citations=tuple(dict.fromkeys((*self.citations, *law.citations))),
            variant=self.rule.variant,
            note=note,
        )

    def _check(self, ensemble: ContextEnsemble) -> None:
        rule, law = self.rule, ensemble.law
        if rule.variant != "gaussian" and not (rule.variant == "spherical" and math.isinf(rule.beta)):
            raise MethodNotApplicableError(
                f"{rule} has a stationary state; StationaryDMFT gives it. Aging is for spherical tokens at beta=inf and for "
                "gaussian tokens that grow."
            )
        if ensemble.field != 0.0 or np.any(law.mean) or law.transpose_covariance is not None:
            raise MethodNotApplicableError(
                "Aging needs couplings of mean zero without transpose_covariance, and no field; TransientDMFT solves the rest."
            )


def growth_factor(law: LaggedGaussian) -> float:
    r"""Return the largest :math:`|z|` at which :math:`\sum_{kk'}\Gamma_{kk'}z^{-k}\bar z^{-k'}=1`, 0 without couplings.

    It is the spectral radius of the linear dynamics :math:`s_t=\sum_kJ_ks_{t-k}` as :math:`N\to\infty`: tokens grow by this
    factor a step when it is above 1.

    >>> from glassformer import LaggedGaussian
    >>> round(growth_factor(LaggedGaussian([[0.30, 0.15], [0.15, 0.25]])), 4)
    0.9466
    """
    from scipy.optimize import brentq

    lag = np.arange(1, law.context + 1)
    powers = (lag[:, None] + lag).astype(float)

    def excess(log_radius: float) -> float:
        sums = diagonal_sums(law.covariance * np.exp(-log_radius * powers))
        return math.log(extreme_spectrum(sums).maximum)

    if not law.covariance.any():
        return 0.0
    total = float(np.abs(law.covariance).sum())
    # on |z| = r, Gamma is at most total / r^2 (r > 1), and its average over the circle is at least trace / r^(2K) or so
    top = max(0.0, 0.5 * math.log(total)) + 1e-9
    bottom = top
    while excess(bottom) < 0.0:
        bottom -= 1.0
    return math.exp(top if bottom == top else brentq(excess, bottom, top, xtol=1e-14))


def aging_constants(gamma: FloatArray) -> tuple[float, float]:
    r"""Return :math:`\omega^*` and D of a covariance, or raise when the maximum of G is not unique or not quadratic."""
    sums = diagonal_sums(gamma)
    scale = float(sums[0])
    if scale <= 0.0:
        raise MethodNotApplicableError("Without couplings tokens are independent at once; there is nothing that ages.")
    if np.abs(sums[1:]).max(initial=0.0) <= _EQUAL * scale:
        raise MethodNotApplicableError(
            "G is constant (all diagonal sums g_d with d >= 1 vanish), so no frequency is selected and nothing ages: from "
            "independent tokens (and always for K = 1) the correlation is zero at every lag, and what another start puts in "
            "is kept for ever; TransientDMFT gives it."
        )
    places = _maxima(sums)
    clocks = np.array([_clock(gamma, omega) for omega in places])
    if len(places) > 1:
        listed = ", ".join(f"{omega:.6g}" for omega in places)
        fate = (
            "all of them stay, with weights that the start decides"
            if np.ptp(clocks) <= _EQUAL * clocks.max()
            else f"omega = {places[int(clocks.argmin())]:.6g} wins, but only as a power of time"
        )
        raise MethodNotApplicableError(
            f"G has {len(places)} equal maxima, at omega = {listed}: {fate}; TransientDMFT gives the correlations."
        )
    d = np.arange(1, sums.size)
    bend = 2.0 * float(np.cos(places[0] * d) @ (d**2 * sums[1:]))  # -G''
    if bend <= 1e-6 * float(d**2 @ np.abs(sums[1:])):
        raise MethodNotApplicableError(
            f"the maximum of G at omega = {places[0]:.6g} is flatter than a parabola (G'' = {-bend:.3g}), so memory does not "
            "grow as the square root of the age; TransientDMFT gives the correlations."
        )
    return places[0], bend / float(clocks[0])


def _clock(gamma: FloatArray, omega: float) -> float:
    r"""Return :math:`\sum\Gamma_{kk'}\cos(\omega(k-k'))(k+k')/2`: steps a mode takes, on average, to act, times G."""
    lag = np.arange(1, gamma.shape[0] + 1)
    return float(np.sum(gamma * np.cos(omega * (lag[:, None] - lag)) * (lag[:, None] + lag)) / 2.0)


def _maxima(sums: FloatArray) -> list[float]:
    """Return every frequency in [0, pi] at which G is largest."""
    from scipy.optimize import minimize_scalar

    best = extreme_spectrum(sums)
    grid = np.linspace(0.0, math.pi, 64 * sums.size + 1)
    values = spectrum(sums, grid)
    around = np.concatenate([[values[1]], values, [values[-2]]])
    step = grid[1]
    found = [best.maximum_at]
    for start in grid[(values >= around[:-2]) & (values >= around[2:])]:
        low, high = max(0.0, start - step), min(math.pi, start + step)
        inner = minimize_scalar(
            lambda w: -float(spectrum(sums, w)), bounds=(low, high), method="bounded", options={"xatol": 1e-12}
        )
        candidates = sorted((-float(spectrum(sums, w)), float(w)) for w in (inner.x, start))
        value, omega = -candidates[0][0], candidates[0][1]
        if value > best.maximum - _EQUAL * sums[0] and min(abs(omega - other) for other in found) > 2.0 * step:
            found.append(omega)
    return sorted(found)


def _symmetric_about(gamma: FloatArray, omega: float) -> bool:
    offset = np.linspace(0.1, math.pi, 29)
    sums = diagonal_sums(gamma)
    gap = np.abs(spectrum(sums, omega + offset) - spectrum(sums, omega - offset)).max()
    return bool(gap <= 1e-9 * sums[0])

"""What a stationary solution holds, for every rule."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from glassformer._core._errors import InvalidInputError
from glassformer._core._status import Status
from glassformer._core._validation import FloatArray
from glassformer.couplings._lag_covariance import extreme_spectrum
from glassformer.models import TokenRule
from glassformer.theory.dmft._convolve import convolve
from glassformer.theory.dmft._tail import correlation_time

RINGING = "The stationary state is unstable: its mean oscillates and grows by {:.6g} per step."


@dataclass(frozen=True, slots=True)
class Stationary:
    r"""A stationary solution.

    Parameters
    ----------
    rule : TokenRule
    diagonal_sums : array (lag,)
        g_0..g_{K-1}.
    correlation : array (lag,)
        The raw c_0..c_M.
    field_variance : float
        Q_0.
    slope : float
        What multiplies G in the equation of the tail: :math:`\chi`, 1 (gaussian) or x (spherical).
    gain : float
        a: the mean slope of the rule (1 for gaussian, :math:`\beta/\lambda` for spherical).
    root : complex
        The slowest root of the tail.
    magnetization, persistent, field_mean : float
        m, :math:`c_\infty` and :math:`\mu`.
    multiplier : float
        :math:`\lambda` of the spherical rule, else NaN.
    own_past_error : float
        Error of the best prediction of a site from its own past (linear rules), else NaN.
    iterations, residual, status, note
        How it was found.
    growth : complex
        The largest root of :math:`1=a\sum_kJ^0_kz^{-k}`; a perturbation of the mean grows where its modulus exceeds 1.
    """

    rule: TokenRule
    diagonal_sums: FloatArray
    correlation: FloatArray
    field_variance: float
    slope: float
    gain: float
    root: complex
    magnetization: float = 0.0
    persistent: float = 0.0
    field_mean: float = 0.0
    multiplier: float = math.nan
    own_past_error: float = math.nan
    iterations: int = 0
    residual: float = 0.0
    status: Status = Status.CONVERGED
    note: str = ""
    growth: complex = 0j

    @property
    def correlation_time(self) -> float:
        r"""Return :math:`-1/\ln|r|`, 0 without memory."""
        return correlation_time(self.root)

    @property
    def criticality(self) -> float:
        r"""Return :math:`\chi\max G` (or :math:`\max G`, :math:`x\max G`): below 1, and close to 1 where memory is long."""
        if math.isinf(self.slope):
            return 0.0
        return self.slope * max(extreme_spectrum(self.diagonal_sums).maximum, 0.0)

    def lags(self, count: int) -> FloatArray:
        """Return c_0..c_count, of which those beyond the solution have decayed to the persistent correlation."""
        out = np.full(count + 1, self.persistent)
        kept = min(count + 1, self.correlation.size)
        out[:kept] = self.correlation[:kept]
        return out

    def field_covariance(self) -> FloatArray:
        r"""Return Q_0..Q_M, :math:`Q_\tau=\sum_dg_dc_{\tau-d}`."""
        return convolve(self.diagonal_sums, self.correlation, self.persistent)

    def spectrum(self, frequencies: npt.ArrayLike) -> FloatArray:
        r"""Return :math:`c(\omega)` of the part that decays, :math:`c_\tau-c_\infty`, for frequencies of any shape."""
        omega = np.asarray(frequencies, dtype=np.float64)
        connected = self.correlation - self.persistent
        lags = np.arange(1, connected.size)
        return np.asarray(connected[0] + 2.0 * np.cos(omega[..., None] * lags) @ connected[1:])

    def derivative(self) -> FloatArray:
        r"""Return :math:`\partial c_\tau/\partial g_d`, shape (M + 1, K), by implicit differentiation; means must be zero."""
        if self.magnetization or self.field_mean or self.persistent:
            raise InvalidInputError(
                "The derivative of a stationary correlation is known for mean 0 only; leave out mean and field."
            )
        from glassformer.theory.dmft._derivative import derivative

        return derivative(self)

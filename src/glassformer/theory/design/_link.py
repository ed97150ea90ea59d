r"""From correlations of tokens to correlations of fields and back, in units where the field variance is 1.

For the sigmoid variants :math:`c_\tau=\varphi(\rho_\tau)`, with :math:`\rho_\tau=Q_\tau/Q_0` and :math:`\varphi` one increasing
function on [-1, 1] for each :math:`\beta\sqrt{Q_0}`.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from glassformer._core._arcsine_mixture import bivariate_average, bivariate_slopes
from glassformer._core._validation import FloatArray
from glassformer.models import TokenRule

_TABLE = 1025
_POLISHED = 0.5  # the table is good to 1.5e-14 up to this part of the largest correlation


@dataclass(frozen=True)
class Link:
    r"""The function :math:`\varphi` of a rule at unit field variance."""

    rule: TokenRule

    @functools.cached_property
    def top(self) -> float:
        r""":math:`\varphi(1)`, which is :math:`E\tanh^2\beta z` for the logistic law: no correlation can be larger."""
        return float(self.forward(np.ones(1))[0])

    @property
    def variance(self) -> float:
        """c_0."""
        return self.top if self.rule.variant == "graded" else 1.0

    def forward(self, rho: FloatArray) -> FloatArray:
        r"""Return :math:`\varphi(\rho)`."""
        return bivariate_average(np.clip(rho, -1.0, 1.0), 1.0, 1.0, self.rule.noise)

    def slope(self, rho: FloatArray) -> FloatArray:
        r"""Return :math:`\varphi'(\rho)`; for the sign rule it is infinite at 1 and -1."""
        return bivariate_slopes(np.clip(rho, -1.0, 1.0), 1.0, 1.0, self.rule.noise)[0]

    def inverse(self, c: FloatArray) -> FloatArray:
        r"""Return :math:`\rho` with :math:`\varphi(\rho)=c`; c beyond the largest value gives 1 (or -1)."""
        if self.top == 0.0:
            return np.zeros_like(c)
        size = np.minimum(np.abs(c), self.top)
        if len(self.rule.noise.variances) == 1:
            rho = np.sin(0.5 * math.pi * size) / math.sin(0.5 * math.pi * self.top)
        else:
            rho = np.clip(self._table(size), 0.0, 1.0)
            wanted = size > _POLISHED * self.top
            change = (self.forward(rho[wanted]) - size[wanted]) / self.slope(rho[wanted])
            rho[wanted] = np.clip(rho[wanted] - change, 0.0, 1.0)
        return np.asarray(np.where(size == self.top, 1.0, rho) * np.sign(c))

    @functools.cached_property
    def _table(self) -> Any:
        from scipy.interpolate import CubicHermiteSpline

        rho = np.sin(np.linspace(0.0, 0.5 * math.pi, _TABLE))
        return CubicHermiteSpline(self.forward(rho), rho, 1.0 / self.slope(rho))


def strength_of_variance(variance: float) -> float:
    r"""Return the :math:`\beta\sqrt{Q_0}` at which graded units have the given variance :math:`E\tanh^2`, in (0, 1)."""
    from scipy.optimize import brentq

    def gap(exponent: float) -> float:
        return Link(TokenRule("graded", beta=math.exp(exponent))).top - variance

    return math.exp(float(brentq(gap, -20.0, 30.0, xtol=1e-15, rtol=1e-15)))

r"""The replica-symmetric solution of several components in a uniform field: only the component along it has an overlap.

With :math:`y=q_L/R^2`, :math:`c=(p_L-q_L)/R^2`, :math:`t=p_T/R^2=(1-y-c)/(D-1)` and :math:`\sigma=\beta^2J^2R^4`,

.. math:: -\beta f=-\tfrac\sigma4[(y+c)^2+(D-1)t^2-y^2]+\tfrac\sigma2t+E\log z,\qquad
          \beta u=-\tfrac\sigma2[(y+c)^2+(D-1)t^2-y^2]-\beta hm .

It is stable above the line of Gabay and Toulouse, where :math:`1-\sigma E[t^2]` (t before the average) is positive.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq

from glassformer._core._validation import FloatArray
from glassformer.theory.replica._longitudinal import Longitudinal, longitudinal
from glassformer.theory.replica._site import _TOLERANCE


class UniformSolution(NamedTuple):
    """Order parameters y and c, averages, beta u, beta f, and the stability of the transverse components."""

    overlap: float
    variance: float
    found: Longitudinal
    energy: float
    free_energy: float
    replicon: float
    residual: float


class UniformSite(NamedTuple):
    r"""The single-site problem: D, :math:`\tau=T_c/T`, and :math:`\beta Rh`."""

    dim: int
    tau: float
    pull: float

    def averages(self, y: float, a: float) -> Longitudinal:
        """Return the averages at an overlap and a quadrupolar term."""
        return longitudinal(self.dim, self.pull, (self.dim * self.tau) ** 2 * y, a)

    def quadrupole(self, rest: float, variance: float) -> float:
        """Return a of :math:`e^{-ax^2}`."""
        return 0.5 * (self.dim * self.tau) ** 2 * (rest / (self.dim - 1) - variance)

    def overlap(self, a: float) -> float:
        """Solve for y at a given quadrupolar term; the right side over y falls with y, as for random fields."""

        def gap(x: float) -> float:
            return math.log(max(self.averages(math.exp(x), a).overlap, 1e-300)) - x

        low = math.log(max(self.averages(0.0, a).overlap, 1e-300))
        while gap(low) < 0.0:
            low -= 0.5
        return math.exp(brentq(gap, low, 0.0, **_TOLERANCE)) if gap(0.0) < 0.0 else 1.0

    def energies(self, y: float, found: Longitudinal, variance: float) -> tuple[float, float]:
        r"""Return :math:`\beta u` and :math:`\beta f`."""
        rest = 1.0 - y - variance
        strength = (self.dim * self.tau) ** 2
        squares = variance * (2.0 * y + variance) + rest**2 / (self.dim - 1)
        free = 0.25 * strength * squares - 0.5 * strength * rest / (self.dim - 1) - found.log_normalizer
        return -0.5 * strength * squares - self.pull * found.mean, free

    def solve(self) -> UniformSolution:
        """Solve for y and c."""

        def gap(a: float) -> float:
            found = self.averages(self.overlap(a), a)
            return self.quadrupole(found.rest, found.variance) - a

        largest = 0.5 * (self.dim * self.tau) ** 2 / (self.dim - 1)
        a = float(brentq(gap, 0.0, largest, xtol=1e-14 * largest, rtol=1e-14)) if gap(0.0) > 0.0 else 0.0
        y = self.overlap(a)
        found = self.averages(y, a)
        residual = max(abs(found.overlap - y), abs(self.quadrupole(found.rest, found.variance) - a) / max(largest, 1.0))
        replicon = 1.0 - (self.dim * self.tau) ** 2 * found.transverse
        return UniformSolution(y, found.variance, found, *self.energies(y, found, found.variance), replicon, residual)

    def evaluate(self, factor: float, orders: FloatArray) -> FloatArray:
        r"""Return :math:`\beta u` and the right sides of the equations of y and c, at `factor` times :math:`\beta`."""
        here = UniformSite(self.dim, factor * self.tau, factor * self.pull)
        y, variance = float(orders[0]), float(orders[1])
        found = here.averages(y, here.quadrupole(1.0 - y - variance, variance))
        return np.array([here.energies(y, found, variance)[0], found.overlap, found.variance])

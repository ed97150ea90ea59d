r"""One spin in the random field that the replica-symmetric theory gives it, and the equations of the order parameters.

Everything is a function of :math:`\kappa=\beta R\lVert\mathbf H\rVert`, where :math:`\beta R\mathbf H` has a mean and
the variance v per component:

.. math:: \hat q=E[A^2(\kappa)],\qquad v=D\tau^2\hat q+b^2,\qquad \tau=\frac{\beta JR^2}D=\frac{T_c}T,

:math:`\hat q=qD/R^2` between 0 and 1, b the root mean square of a Gaussian field times :math:`\beta R`. A field of fixed
length k (over :math:`1/\beta R`) is the mean; for D = 1 the ferromagnetic mean of the couplings adds
:math:`\tau_0\mu`, :math:`\tau_0=\beta J_0R^2`, :math:`\mu=m/R`. With these numbers no convention of R is left.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq

from glassformer._core._bessel import bessel_ratio, entropy, log_normalizer, ratio_values
from glassformer._core._gaussian_averages import _WITHOUT_NOISE, radial_rule
from glassformer._core._validation import FloatArray

_TOLERANCE = {"xtol": 1e-15, "rtol": 4 * np.finfo(float).eps}
_TINY = 1e-300


class Nodes(NamedTuple):
    r"""Nodes of :math:`\kappa`, weights that sum to 1, and the mean cosine between field and its mean, each (node,)."""

    kappa: FloatArray
    weight: FloatArray
    cosine: FloatArray


def nodes(dim: int, mean: float, variance: float) -> Nodes:
    r"""Return nodes for averages over :math:`\kappa=\lVert\mathrm{mean}\,\hat g+\sqrt{\mathrm{variance}}\,\boldsymbol\xi\rVert`."""
    size, sign = abs(mean), math.copysign(1.0, mean)
    spread = math.sqrt(variance)
    if spread == 0.0 or size >= _WITHOUT_NOISE * spread:
        return Nodes(np.array([size]), np.ones(1), np.array([sign]))
    ratio = np.array([size / spread])
    rho, weight = radial_rule(ratio, np.array([spread]), dim)
    return Nodes(spread * rho[0], weight[0], sign * bessel_ratio(ratio[0] * rho[0], dim))


class Moments(NamedTuple):
    r"""Averages over the field: :math:`E[A^2]`, :math:`E[1-A^2]`, :math:`E[Ac]`, :math:`\sum k\,E[Ac]` of the fixed
    fields, and the stiffness :math:`E[A'^2+(D-1)(A/\kappa)^2]`."""

    square: float
    complement: float
    mean: float
    work: float
    stiffness: float


def moments(dim: int, mean: float, variance: float, pull: float = 0.0) -> Moments:
    """Return the averages for one mean; `pull` is the part of it that comes from the external field."""
    kappa, weight, cosine = nodes(dim, mean, variance)
    values = ratio_values(kappa, dim)
    along, across = values.derivative, (dim - 1) * values.over_kappa
    magnetization = float(weight @ (values.ratio * cosine))
    return Moments(
        float(weight @ values.ratio**2),
        float(weight @ (along + across)),  # 1 - A^2 = A' + (D - 1) A / kappa, without a difference
        magnetization,
        pull * magnetization,
        float(weight @ (along**2 + across * values.over_kappa)),
    )


def square(dim: int, mean: float, variance: float) -> float:
    r"""Return :math:`E[A^2]` alone, the cheap half of `moments`."""
    kappa, weight, _ = nodes(dim, mean, variance)
    return float(weight @ bessel_ratio(kappa, dim) ** 2)


@dataclass(frozen=True, slots=True)
class Site:
    r"""The single-site problem: D, :math:`\tau`, :math:`\tau_0`, b, and the fixed fields k with their probabilities."""

    dim: int
    tau: float
    drive: float = 0.0
    noise: float = 0.0
    pulls: tuple[tuple[float, float], ...] = ((1.0, 0.0),)

    def scaled(self, factor: float) -> Site:
        """Return the problem at `factor` times the inverse temperature."""
        pulls = tuple((weight, factor * pull) for weight, pull in self.pulls)
        return Site(self.dim, factor * self.tau, factor * self.drive, factor * self.noise, pulls)

    def variance(self, overlap: float) -> float:
        """Return v."""
        return self.dim * self.tau**2 * overlap + self.noise**2

    def moments(self, overlap: float, magnetization: float = 0.0) -> Moments:
        """Return the averages at given order parameters."""
        found = [
            (weight, moments(self.dim, self.drive * magnetization + pull, self.variance(overlap), pull))
            for weight, pull in self.pulls
        ]
        return Moments(*(sum(weight * one[k] for weight, one in found) for k in range(len(Moments._fields))))

    def square(self, overlap: float, magnetization: float = 0.0) -> float:
        """Return the right side of the equation of the overlap."""
        variance = self.variance(overlap)
        return sum(w * square(self.dim, self.drive * magnetization + pull, variance) for w, pull in self.pulls)

    def _average(
        self, function: Callable[[FloatArray, int], FloatArray], overlap: float, magnetization: float
    ) -> float:
        total = 0.0
        for probability, pull in self.pulls:
            kappa, weight, _ = nodes(self.dim, self.drive * magnetization + pull, self.variance(overlap))
            total += probability * float(weight @ function(kappa, self.dim))
        return total

    def replicon(self, found: Moments) -> float:
        r"""Return :math:`1-D\tau^2E[A'^2+(D-1)(A/\kappa)^2]`; negative where replica symmetry is unstable."""
        return 1.0 - self.dim * self.tau**2 * found.stiffness

    def scaled_energy(self, overlap: float, magnetization: float, found: Moments) -> float:
        r"""Return :math:`\beta u`."""
        # (1 - q)(1 + q) with 1 - q from the average keeps its digits in the cold
        interaction = 0.5 * self.dim * self.tau**2 * found.complement * (1.0 + overlap)
        field = self.noise**2 * found.complement + found.work
        return -(interaction + field + 0.5 * self.drive * magnetization**2)

    def scaled_free_energy(self, overlap: float, magnetization: float, complement: float) -> float:
        r"""Return :math:`\beta f`, relative to independent spins without field."""
        interaction = 0.25 * self.dim * self.tau**2 * complement**2 - 0.5 * self.drive * magnetization**2
        return -(interaction + self._average(log_normalizer, overlap, magnetization))

    def entropy(self, overlap: float, magnetization: float, complement: float) -> float:
        r"""Return :math:`E[\ell_D-\kappa A]-\frac{D\tau^2}4(1-\hat q)^2`: no difference of two large numbers when cold."""
        return self._average(entropy, overlap, magnetization) - 0.25 * self.dim * self.tau**2 * complement**2

    def overlap(self, magnetization: float = 0.0) -> float:
        r"""Solve :math:`\hat q=E[A^2]` at a given magnetisation; the largest root.

        The right side divided by :math:`\hat q` falls with :math:`\hat q`, so the root of the logarithm is unique.
        """
        least = self.square(0.0, magnetization)
        if least == 0.0 and self.tau <= 1.0 + 1e-13:
            return 0.0

        def gap(x: float) -> float:
            return math.log(max(self.square(math.exp(x), magnetization), _TINY)) - x

        # Without a field the slope of E[A^2] at zero is tau^2 > 1. In a strong one the noise can lower E[A^2].
        low = math.log(max(least, _TINY) if least else 1e-3 * (1.0 - 1.0 / self.tau**2))
        while gap(low) < 0.0:
            low -= 0.5
        if gap(0.0) >= 0.0:
            return 1.0
        return math.exp(brentq(gap, low, 0.0, **_TOLERANCE))

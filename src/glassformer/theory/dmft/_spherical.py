r"""Tokens of fixed length: :math:`c(\omega)=1/\lambda(1-xG)` with one scalar x fixed by :math:`c_0=1`.

With :math:`s=a h+\xi/\sqrt\lambda`, :math:`a=\beta/\lambda=\sqrt x`, means m and a persistent correlation,

.. math:: c_\infty=\frac{m^2}{1-xG(0)},\qquad m=\frac{\sqrt x\,\theta}{1-\sqrt xJ^0},\qquad
          1=c_\infty+\frac{\sqrt x}\beta\int\frac{d\omega}{2\pi}\frac1{1-xG(\omega)},\qquad J^0=\sum_kJ^0_k .

Without field the mean vanishes, unless :math:`x` would pass :math:`1/(J^0)^2`: there it stops, and what is missing to 1 is
:math:`c_\infty`.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from glassformer._core._errors import invalid
from glassformer._core._validation import FloatArray
from glassformer.couplings._lag_covariance import extreme_spectrum
from glassformer.theory.dmft._gaussian import Autoregression, SpectralGrid
from glassformer.theory.dmft._gaussian import process as solve_process

_WIDEST = 44.0  # the distance to the edge is at least exp(-44), so beta at most about 1e9


class SphericalPoint(NamedTuple):
    """The solution: x, the multiplier, the process without its mean, and the order parameters."""

    x: float
    multiplier: float
    process: Autoregression | SpectralGrid
    magnetization: float
    persistent: float
    residual: float


def spherical_point(sums: FloatArray, beta: float, *, feedback: float = 0.0, field: float = 0.0) -> SphericalPoint:
    """Solve for x by bracketing; `beta` finite."""
    from scipy.optimize import brentq

    total = float(sums[0] + 2.0 * sums[1:].sum())
    top = max(extreme_spectrum(sums).maximum, 0.0)
    if beta * max(math.sqrt(top), abs(feedback), abs(field)) < 1e-140:
        return SphericalPoint(beta * beta, 1.0, solve_process(0.0 * sums), 0.0, 0.0, 0.0)
    ceiling = min(1.0 / top if top > 0.0 else math.inf, feedback**-2 if feedback > 0.0 else math.inf)
    if math.isinf(ceiling):  # c_0 = x theta^2 / (1 - sqrt(x) J0)^2 + sqrt(x) / beta <= 1
        ceiling = 1.01 * beta**2

    def at(u: float) -> tuple[float, float]:
        """Return x and how far it is from the ceiling, in units of the ceiling."""
        return ceiling / (1.0 + math.exp(-u)), 1.0 / (1.0 + math.exp(u))

    def mean_at(x: float) -> float:
        return math.sqrt(x) * field / (1.0 - math.sqrt(x) * feedback) if field else 0.0

    def process_at(u: float) -> Autoregression | SpectralGrid:
        x, left = at(u)
        return solve_process(x * sums, left if top > 0.0 and ceiling == 1.0 / top else 1.0 - x * top)

    def excess(u: float) -> float:
        x, _ = at(u)
        frozen = mean_at(x) ** 2 / (1.0 - x * total) if field else 0.0
        return math.log(frozen + math.sqrt(x) / beta * float(process_at(u).head[0]))

    low = 2.0 * math.log(beta) - math.log(ceiling) - 1.0
    low = min(low, 0.0)
    while excess(low) > 0.0:
        low -= 4.0
    high = low + 2.0
    while high < _WIDEST and excess(high) < 0.0:
        high += 2.0
    high = min(high, _WIDEST)
    if excess(high) >= 0.0:
        u = float(brentq(excess, low, high, xtol=1e-15, rtol=4.0 * np.finfo(float).eps))
        x, _ = at(u)
        process = process_at(u)
        mean = mean_at(x)
        persistent = mean * mean / (1.0 - x * total)
        residual = abs(math.expm1(excess(u)))
    elif feedback <= 0.0 or feedback**-2 > ceiling:
        raise invalid(
            "beta",
            beta,
            f"below about {1e9 / math.sqrt(top):.3g} for variant='spherical' with these couplings, since memory grows like beta",
            "at beta=inf the tokens age: use TransientDMFT",
        )
    else:
        # the mean condenses: x stays at 1 / J0^2
        x = ceiling
        process = solve_process(x * sums)
        persistent = 1.0 - math.sqrt(x) / beta * float(process.head[0])
        mean = math.sqrt(max(persistent * (1.0 - x * total), 0.0))
        residual = 0.0
    return SphericalPoint(x, beta / math.sqrt(x), process, mean, persistent, max(residual, process.residual))

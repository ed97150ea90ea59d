"""Naive mean field and TAP for infinitely many spins of infinitely many components."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy.optimize import brentq

_RATIO = 1.02  # successive values of b on the way down in temperature


def mean_field_square(
    b: float, scale: float, strength: float, *, reaction: bool, symmetry: float
) -> tuple[float, int, str]:
    r"""Solve the fixed point of naive mean field or TAP for couplings of correlation :math:`\eta` with their transpose.

    The gain :math:`a=m/|\mathbf x+J\mathbf m|` is the same at all sites, and :math:`\mathbf m=(1-aJ)^{-1}a\mathbf x`. The
    resolvent of the elliptic law gives

    .. math:: Y+r\frac{J^2}Y=S+\eta\frac{J^2}S,\qquad Y=\frac2{b(1-q)},\quad S=\frac{\sqrt{h^2+J^2q}}{\sqrt q},

    r = 0 for naive mean field and 1 for TAP. For :math:`\eta=1` TAP has the root Y = S, the exact answer. Returns q on the
    branch that grows out of high temperature, the number of solutions, and what there is to say. Naive mean field has
    one solution (in a field). TAP may have three: for strong fields (:math:`h>\sqrt3J` at :math:`\eta=0`) the branch
    saturates and two more appear when it is cold; for weaker ones it turns around and falls, an artefact of truncation.
    """
    if b == 0.0:
        return 0.0, 1, ""
    if strength == 0.0:  # S = J
        ordered = not reaction and b * scale * (1.0 + symmetry) > 2.0
        return (1.0 - 2.0 / (b * scale * (1.0 + symmetry)), 2, "") if ordered else (0.0, 1, "")

    def gap(x: float, at: float = b) -> float:  # q = t / (1 + t), t = e^x: no digits lost as q approaches 1
        odds = math.exp(x)
        q, rest = odds / (1.0 + odds), 1.0 / (1.0 + odds)
        y, s = 2.0 / (at * rest), math.sqrt(strength**2 / q + scale**2)
        # S^2 + eta J^2 without a difference at eta = -1, from S^2 - J^2 = h^2 / q
        right = ((1.0 + symmetry) * s * s - symmetry * strength**2 / q) / s
        return math.log(y + reaction * scale**2 / y) - math.log(right)

    roots = _roots(gap, b, strength)
    note = ""
    if not reaction:
        x = roots[0]
    else:
        note = "The branch that grows out of high temperature; a truncated series, wrong beyond beta of about 2."
        x, end = _follow(gap, b, scale, strength)
        if end:
            x = min(roots, key=lambda root: abs(root - x))
            note = f"The branch that grows out of high temperature ends at {end / b:.3g} times this beta; another is given."
        if len(roots) > 1:
            note += f" There are {len(roots)} solutions."
    odds = math.exp(x)
    return odds / (1.0 + odds), len(roots), note


def replica_symmetric_square(b: float, scale: float, strength: float) -> float:
    """Return q of symmetric couplings: Y = S, which is the formula of naive mean field for independent couplings."""
    return mean_field_square(b, scale, strength, reaction=False, symmetry=0.0)[0]


def _roots(gap: Callable[[float], float], b: float, strength: float) -> list[float]:
    reach = 6.0 + 2.0 * abs(math.log(b)) + 2.0 * abs(math.log(strength))
    while gap(-reach) > 0.0 or gap(reach) < 0.0:
        reach *= 1.5
    grid = np.linspace(-reach, reach, 4001)
    values = [gap(float(x)) for x in grid]
    return [
        float(brentq(gap, grid[k], grid[k + 1], xtol=1e-15, rtol=1e-15))
        for k in range(len(grid) - 1)
        if values[k] < 0.0 <= values[k + 1] or values[k] >= 0.0 > values[k + 1]
    ]


def _follow(gap: Callable[..., float], b: float, scale: float, strength: float) -> tuple[float, float]:
    """Return the root reached continuously from b = 0, and the b at which the branch ended (0 if it did not)."""
    at = min(b, 0.05 / (scale + strength))
    x = 2.0 * math.log(0.5 * at * strength)  # q = (b h / 2)^2
    while True:
        for _ in range(50):
            slope = (gap(x + 1e-6, at) - gap(x - 1e-6, at)) / 2e-6
            step = -gap(x, at) / slope if slope else math.inf
            if abs(step) > 1.0:
                return x, at
            x += step
            if abs(step) < 1e-11:
                break
        else:
            return x, at
        if at == b:
            return x, 0.0
        at = min(b, at * _RATIO)

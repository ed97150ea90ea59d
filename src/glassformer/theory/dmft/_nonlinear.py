r"""Stationary correlations of sigmoid rules: Newton's method on a banded system with a border of four scalars.

With means, the raw correlation is :math:`c_\tau=c_\infty+e_\tau` with :math:`e_\tau\to0`. The unknowns are
:math:`e_1,\dots,e_M` and the scalars :math:`m,c_\infty,c_0,Q_0`:

.. math:: e_\tau+c_\infty=\Phi(Q_\tau;Q_0,Q_0),\quad m=Ef(\mu+\sqrt{Q_0}z),\quad c_\infty=\Phi(Gc_\infty;Q_0,Q_0),\quad
          Q_\tau=\sum_dg_dc_{\tau-d},

with :math:`\mu=m\sum_kJ^0_k+\theta`, :math:`G=G(0)`, and :math:`c_0=1` for spins or :math:`\Phi(Q_0;Q_0,Q_0)` for graded units.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from glassformer._core._arcsine_mixture import NoiseMixture, mean_response, mean_slope
from glassformer._core._status import Status
from glassformer._core._validation import FloatArray
from glassformer.theory.dmft._convolve import convolve, solve_banded
from glassformer.theory.dmft._tail import lags_needed, slowest_root

LONGEST = 1 << 17  # lags; a memory that needs more is reported as not converged
LONGEST_WITH_MEAN = 1 << 13  # with means every lag costs an integral for each pair of nodes
_SWEEPS = 6  # plain sweeps before Newton starts
_RESCUE = 60  # plain sweeps after a Newton step that made things worse
_RESCUES = 9  # with means 4
_STEPS = 120
_SATURATED = 1.0 - 1e-9  # a mean beyond which 1 - c is no longer resolved


@dataclass(frozen=True, slots=True)
class Equations:
    """What the solution depends on: sums, rule as a mixture, whether c_0 is free, sum of J0, field."""

    sums: FloatArray
    noise: NoiseMixture
    graded: bool = False
    feedback: float = 0.0
    field: float = 0.0

    @property
    def centred(self) -> bool:
        """Whether nothing breaks the symmetry."""
        return self.feedback == 0.0 and self.field == 0.0


@dataclass(frozen=True, slots=True)
class State:
    """A point of the iteration: e_1..e_M and the scalars."""

    connected: FloatArray
    mean: float
    persistent: float
    equal: float  # c_0
    variance: float  # Q_0

    @property
    def correlation(self) -> FloatArray:
        """The raw c_0..c_M."""
        return np.concatenate([[self.equal], self.connected + self.persistent])


class Averages(NamedTuple):
    """Phi and its slopes by Q, Q_0 and the mean of the field."""

    value: FloatArray
    by_q: FloatArray
    by_variance: FloatArray
    by_mean: FloatArray


class Solved(NamedTuple):
    """A solution with what it took."""

    state: State
    slope: float  # the slope of Phi at the end of the tail, chi
    root: complex
    iterations: int
    residual: float
    status: Status


def averages(q: FloatArray, variance: float, mean: float, noise: NoiseMixture) -> Averages:
    """Return Phi(q; variance, variance) with its slopes."""
    from glassformer._core._arcsine_mixture import _angles
    from glassformer.theory.dmft import _kernels

    found = Averages(*(np.zeros(q.size) for _ in range(4)))
    if mean == 0.0:
        _kernels.centred(q, variance, *noise, found.value, found.by_q, found.by_variance)
    else:
        _kernels.shifted(q, variance, mean, *noise, *_angles(), *found)
    return found


def uncorrelated(equations: Equations, lags: int, mean: float = 0.0, *, frozen: bool = False) -> State:
    """Return the state that plain sweeps start from: without memory, or `frozen`, as graded units at rest are."""
    sums = equations.sums
    persistent = 1.0 if frozen else 0.0
    total = float(sums[0] + 2.0 * sums[1:].sum())
    return State(np.zeros(lags), mean, persistent, 1.0, total * persistent + sums[0] * (1.0 - persistent))


def solve(
    equations: Equations, start: State, *, lags: int, tolerance: float, steps: int = _STEPS, sweeps: int = _SWEEPS
) -> Solved:
    """Solve from `start`, with more lags until the tail that is left out is below `tolerance`."""
    state = _resized(start, max(lags, start.connected.size))
    iterations = 0
    while True:
        found = _newton(equations, state, tolerance=tolerance, steps=steps, sweeps=sweeps)
        iterations += found.iterations
        needed = lags_needed(found.root, tolerance) + equations.sums.size
        size = found.state.connected.size
        if found.status is not Status.CONVERGED or needed <= size:
            good = found.status is not Status.CONVERGED or not equations.centred or _positive(found.state)
            status = found.status if good else Status.NOT_CONVERGED
            return found._replace(iterations=iterations, status=status)
        longest = LONGEST if equations.centred else LONGEST_WITH_MEAN
        if needed > longest and 4 * size > longest:
            left = abs(found.root) ** size
            residual = max(found.residual, left)
            return found._replace(iterations=iterations, status=Status.NOT_CONVERGED, residual=residual)
        # too short a memory can look endless, so ask again with a longer one
        size = 4 * size if needed > longest else math.ceil(1.1 * needed)
        state, sweeps = _resized(found.state, min(longest, size)), 0


def _positive(state: State) -> bool:
    """Whether c has a positive spectrum, as what a process reaches has; at zero temperature periodic ones exist too."""
    correlation = state.correlation
    padded = np.zeros(2 * correlation.size)
    padded[: correlation.size] = correlation
    values = 2.0 * np.fft.rfft(padded).real - correlation[0]
    return bool(values.min() >= -1e-6 * correlation[0])


def _resized(state: State, size: int) -> State:
    connected = np.zeros(size)
    kept = min(size, state.connected.size)
    connected[:kept] = state.connected[:kept]
    return replace(state, connected=connected)


class _Point(NamedTuple):
    """Residuals at a state, and the averages they came from: at lags 1..M, at infinity and at lag 0."""

    by_lag: FloatArray
    scalars: FloatArray
    lagged: Averages
    ends: Averages
    bare: FloatArray  # Q of the connected part

    @property
    def size(self) -> float:
        return max(float(np.abs(self.by_lag).max(initial=0.0)), float(np.abs(self.scalars).max()))


def _evaluate(equations: Equations, state: State) -> _Point:
    sums, noise = equations.sums, equations.noise
    q = convolve(sums, state.correlation, state.persistent)
    total = float(sums[0] + 2.0 * sums[1:].sum())
    field = equations.feedback * state.mean + equations.field
    lagged = averages(q[1:], state.variance, field, noise)
    ends = averages(np.array([total * state.persistent, state.variance]), state.variance, field, noise)
    by_lag = state.connected + state.persistent - lagged.value
    response = float(mean_response(field, state.variance, noise)) if not equations.centred else 0.0
    scalars = np.array(
        [
            state.mean - response,
            state.persistent - ends.value[0],
            state.equal - (ends.value[1] if equations.graded else 1.0),
            (state.variance - q[0]) / max(sums[0], 1e-300),
        ]
    )
    return _Point(by_lag, scalars, lagged, ends, q)


def _swept(equations: Equations, state: State) -> State:
    """Return the state after one plain sweep."""
    point = _evaluate(equations, state)
    if equations.feedback < 0.0:  # plain iteration of the mean would ring
        mean = _mean_against_itself(equations, state.variance)
    else:
        mean = state.mean - float(point.scalars[0])
    persistent, equal = state.persistent - point.scalars[1], state.equal - point.scalars[2]
    connected = state.connected + state.persistent - point.by_lag - persistent
    after = State(connected, float(mean), float(persistent), float(equal), 1.0)
    return replace(after, variance=float(convolve(equations.sums, after.correlation, after.persistent)[0]))


def _mean_against_itself(equations: Equations, variance: float) -> float:
    r"""Return the one root of :math:`m=Ef(J^0m+\theta+\sqrt{Q_0}z)` for negative :math:`J^0`."""
    from scipy.optimize import brentq

    def excess(mean: float) -> float:
        return mean - float(mean_response(equations.feedback * mean + equations.field, variance, equations.noise))

    return float(brentq(excess, -1.0, 1.0, xtol=1e-15))


def _columns(equations: Equations, point: _Point) -> tuple[FloatArray, FloatArray]:
    """Return the derivatives of the lagged residuals by the scalars (M, 4), and of the scalars by the scalars (4, 4).

    The scalars are m, c_infinity, c_0 and Q_0.
    """
    sums = equations.sums
    total = float(sums[0] + 2.0 * sums[1:].sum())
    size = point.by_lag.size
    shifted = np.zeros(size)
    shifted[: min(size, sums.size - 1)] = sums[1 : size + 1]
    by_q, by_variance, by_mean = point.lagged.by_q, point.lagged.by_variance, point.lagged.by_mean
    columns = np.stack(
        [-by_mean * equations.feedback, 1.0 - by_q * (total - shifted), -by_q * shifted, -by_variance], axis=1
    )
    unit = max(sums[0], 1e-300)
    ends, square = point.ends, np.eye(4)
    square[1] = [-ends.by_mean[0] * equations.feedback, 1.0 - ends.by_q[0] * total, 0.0, -ends.by_variance[0]]
    if equations.graded:
        square[2] = [-ends.by_mean[1] * equations.feedback, 0.0, 1.0, -(ends.by_q[1] + ends.by_variance[1])]
    square[3] = [0.0, -(total - sums[0]) / unit, -sums[0] / unit, 1.0 / unit]
    return columns, square


def _mean_row(equations: Equations, state: State) -> FloatArray:
    """Return the derivatives of m - E f by m and Q_0."""
    field = equations.feedback * state.mean + equations.field
    noise = equations.noise
    if equations.centred:
        return np.array([1.0, 0.0, 0.0, 0.0])
    spread = state.variance + noise.variances
    # E f'' / 2: the heat equation turns the slope by the variance into one by the mean
    by_variance = -math.sqrt(0.5 / math.pi) * float(
        noise.weights @ (field * spread**-1.5 * np.exp(-0.5 * field * field / spread))
    )
    return np.array(
        [1.0 - float(mean_slope(state.variance, noise, field)) * equations.feedback, 0.0, 0.0, -by_variance]
    )


def _step(equations: Equations, state: State, point: _Point) -> State:
    columns, square = _columns(equations, point)
    square[0] = _mean_row(equations, state)
    sums, size = equations.sums, point.by_lag.size
    solved = solve_banded(sums, point.lagged.by_q, np.column_stack([point.by_lag, columns]))
    weights = np.zeros(size)
    weights[: min(size, sums.size - 1)] = -2.0 * sums[1 : size + 1] / max(sums[0], 1e-300)
    right = -point.scalars
    right[3] += weights @ solved[:, 0]
    square[3] -= weights @ solved[:, 1:]
    change = np.linalg.solve(square, right)
    connected = state.connected - solved[:, 0] - solved[:, 1:] @ change
    mean, persistent, equal, variance = np.array([state.mean, state.persistent, state.equal, state.variance]) + change
    return State(connected, float(mean), float(persistent), float(equal), float(variance))


def _newton(equations: Equations, state: State, *, tolerance: float, steps: int, sweeps: int) -> Solved:
    iterations = 0
    if not _sane(state):
        state = uncorrelated(equations, state.connected.size)
    for _ in range(sweeps):
        state, iterations = _swept(equations, state), iterations + 1
    point = _evaluate(equations, state)
    best, best_point = state, point
    rescues = 0
    for _ in range(steps):
        if point.size <= 0.01 * tolerance:
            break
        trial = trial_point = None
        try:
            trial = _step(equations, state, point)
        except (np.linalg.LinAlgError, ValueError):
            trial = None
        iterations += 1
        if trial is not None and _sane(trial):
            trial_point = _evaluate(equations, trial)
        if trial_point is not None and trial is not None and trial_point.size < 0.99 * point.size:
            state, point = trial, trial_point
        elif point.size <= tolerance:
            break  # rounding is all that is left
        elif rescues == (_RESCUES if equations.centred else 4):
            break
        else:
            rescues += 1
            for _ in range(_RESCUE * rescues):
                state, iterations = _swept(equations, state), iterations + 1
            point = _evaluate(equations, state)
        if point.size < best_point.size:
            best, best_point = state, point
    slope = float(best_point.ends.by_q[0])
    root = slowest_root(equations.sums, slope)
    total = float(equations.sums[0] + 2.0 * equations.sums[1:].sum())
    status = Status.CONVERGED if best_point.size <= tolerance else Status.NOT_CONVERGED
    if not np.isfinite(best_point.size):
        status = Status.NONFINITE
    elif slope * total >= 1.0 + 1e-9:
        if abs(best.mean) > _SATURATED and best_point.size <= tolerance:  # what still moves is below rounding
            return Solved(best, 0.0, 0j, iterations, best_point.size, Status.CONVERGED)
        status = Status.NOT_CONVERGED  # a persistent correlation would grow: no solution that a process reaches
    return Solved(best, slope, root, iterations, best_point.size, status)


def _sane(state: State) -> bool:
    scalars = (state.mean, state.persistent, state.equal, state.variance)
    return (
        bool(np.isfinite(state.connected).all() and np.isfinite(scalars).all())
        and state.variance > 0.0
        and abs(state.mean) <= 1.0 + 1e-9
        and float(np.abs(state.connected).max(initial=0.0)) <= 2.0
    )

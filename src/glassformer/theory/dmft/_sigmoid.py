"""Stationary states of the rules with a sigmoid: ising, probit, graded; where to start, and which branch to take."""

from __future__ import annotations

import functools
import math
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from glassformer._core._arcsine_mixture import NoiseMixture, mean_response, mean_slope
from glassformer._core._errors import invalid
from glassformer._core._status import Status
from glassformer._core._validation import FloatArray, as_float_array
from glassformer.couplings._lag_covariance import extreme_spectrum
from glassformer.models import TokenRule
from glassformer.theory.dmft import _nonlinear
from glassformer.theory.dmft._convolve import convolve
from glassformer.theory.dmft._nonlinear import Equations, Solved, State
from glassformer.theory.dmft._state import RINGING, Stationary
from glassformer.theory.dmft._tail import correlation_time, lags_needed, order_root, slowest_root

_WEAKEST = 1e-140  # of beta sqrt(g_0): below it correlations underflow, above its inverse the rule is the sign
_NEAR_ONSET = 1.6  # graded units: below this gain Newton needs a warm start


def solve_sigmoid(
    sums: FloatArray,
    rule: TokenRule,
    lags: int | None,
    tolerance: float,
    start: Stationary | npt.ArrayLike | None,
    drift: FloatArray,
    theta: float,
    noise: NoiseMixture | None,
) -> Stationary:
    """Solve in units in which g_0 = 1, so that no scale of the couplings or of beta leaves the range of numbers."""
    size = max(lags or 0, 2 * sums.size + 2, 32)
    power = float(sums[0])
    unit = math.sqrt(power)
    beta = float(rule.beta) * unit if unit > 0.0 else 0.0  # all that matters beside shapes
    if beta < _WEAKEST:
        if rule.beta > 0.0 and (drift.sum() or theta):
            return _only_a_mean(sums, rule, size, drift, theta)
        return _without_memory(sums, rule, size, theta)
    bare = TokenRule(rule.variant, beta=math.inf if beta > 1.0 / _WEAKEST else beta)
    mixture = bare.noise if noise is None else NoiseMixture(noise.variances / power, noise.weights)
    found = _solve_scaled(sums / power, bare, size, tolerance, start, drift / unit, theta / unit, mixture)
    return replace(
        found,
        rule=rule,
        diagonal_sums=sums,
        field_variance=found.field_variance * power,
        field_mean=found.field_mean * unit,
        gain=found.gain / unit,
        slope=found.slope / power,
    )


def _solve_scaled(
    sums: FloatArray,
    rule: TokenRule,
    size: int,
    tolerance: float,
    start: Stationary | npt.ArrayLike | None,
    drift: FloatArray,
    theta: float,
    noise: NoiseMixture,
) -> Stationary:
    graded = rule.variant == "graded" and not math.isinf(rule.beta)
    equations = Equations(sums, noise, graded, float(drift.sum()), theta)
    run = functools.partial(_patient, lags=size, tolerance=tolerance)
    centred = Equations(sums, noise, graded)
    if theta == 0.0:
        quiet = graded and rule.beta**2 * extreme_spectrum(sums).maximum <= 1.0
        if quiet:
            solved = _quiet(rule, size)
        elif start is not None:
            solved = run(centred, _warm(start, centred, size), sweeps=0)
            if solved.status is not Status.CONVERGED:
                solved = run(centred, _nonlinear.uncorrelated(centred, size))
        elif graded:
            solved = _graded(centred, rule, run, size)
        else:
            solved = run(centred, _nonlinear.uncorrelated(centred, size))
        gain = rule.beta if quiet else float(mean_slope(solved.state.variance, noise))
        if gain * drift.sum() <= 1.0:
            note = ""
            if quiet:
                note = "Below the onset at beta^2 max G = 1 all units are at rest."
            return _as_stationary(centred, rule, solved, drift, note)
    # a mean: from the polarised state down, along which the iteration is monotone
    sign = 0.0 if drift.sum() < 0.0 else math.copysign(1.0, theta)
    polarised = _nonlinear.uncorrelated(equations, size, sign)
    solved = run(equations, polarised, sweeps=40)
    if graded and solved.status is not Status.CONVERGED:
        solved = run(equations, _nonlinear.uncorrelated(equations, size, sign, frozen=True), sweeps=40)
    if graded and solved.status is not Status.CONVERGED:
        solved = _descended(equations, size, tolerance, sign)
    if theta == 0.0 and abs(solved.state.mean) < 1e-6:
        solved = run(equations, polarised, sweeps=2000)
    return _as_stationary(equations, rule, solved, drift, "")


def _descended(equations: Equations, size: int, tolerance: float, sign: float) -> Solved:
    """Start units that move although they have a mean from couplings twice as strong: near the onset memory is long."""

    def at(scale: float) -> Equations:
        return replace(equations, sums=equations.sums * scale)

    scale, ratio = 2.0, 0.7
    start = _nonlinear.uncorrelated(at(scale), size, sign)
    solved = _nonlinear.solve(at(scale), start, lags=size, tolerance=tolerance, sweeps=60)
    iterations = solved.iterations
    while scale > 1.0 and ratio < 0.99 and solved.status is Status.CONVERGED:
        following = 1.0 + ratio * (scale - 1.0)
        following = 1.0 if following < 1.001 else following
        trial = _nonlinear.solve(at(following), solved.state, lags=size, tolerance=tolerance, sweeps=0, steps=30)
        iterations += trial.iterations
        moving = trial.state.equal - trial.state.persistent > 0.2 * (solved.state.equal - solved.state.persistent)
        if trial.status is Status.CONVERGED and moving:
            solved, scale = trial, following
        else:
            ratio = math.sqrt(ratio)
    status = solved.status if scale == 1.0 else Status.NOT_CONVERGED
    return solved._replace(iterations=iterations, status=status)


def _patient(equations: Equations, start: State, *, lags: int, tolerance: float, **options: int) -> Solved:
    """Solve, and where Newton left the basin of what plain sweeps reach, sweep longer with more lags."""
    solved = _nonlinear.solve(equations, start, lags=lags, tolerance=tolerance, **options)
    for more, sweeps in ((8, 300), (32, 3000)):
        if solved.status is Status.CONVERGED or not equations.centred or options.get("sweeps") == 0:
            break
        if solved.state.connected.size > _nonlinear.LONGEST // 8:
            break  # the memory itself is the trouble
        fresh = _nonlinear.uncorrelated(equations, more * lags)
        trial = _nonlinear.solve(equations, fresh, lags=more * lags, tolerance=tolerance, sweeps=sweeps)
        solved = trial._replace(iterations=solved.iterations + trial.iterations)
    return solved


def _without_memory(sums: FloatArray, rule: TokenRule, size: int, theta: float) -> Stationary:
    """Return the answer without couplings (or at beta = 0): tokens are independent coin tosses, or at rest."""
    if math.isinf(rule.beta):
        raise invalid("diagonal_sums[0]", 0.0, "> 0 at beta=inf", "the sign of a field that is always 0 is undecided")
    correlation = np.zeros(size + 1)
    correlation[0] = 0.0 if rule.variant == "graded" else 1.0
    gain = math.sqrt(2.0 / math.pi) * rule.beta if rule.variant == "probit" else rule.beta
    variance = float(sums[0]) * correlation[0]
    return Stationary(rule, sums, correlation, variance, gain**2, gain, 0j, field_mean=theta)


def _only_a_mean(sums: FloatArray, rule: TokenRule, size: int, drift: FloatArray, theta: float) -> Stationary:
    r"""Return the answer when couplings have a mean but no spread: :math:`m=f(J^0m+\theta)` at every site."""
    from scipy.optimize import brentq

    total, noise, graded = float(drift.sum()), rule.noise, rule.variant == "graded"
    if math.isinf(rule.beta) and total < 0.0:
        raise invalid("diagonal_sums[0]", 0.0, "> 0 at beta=inf with couplings of negative mean", "the signs alternate")

    def excess(mean: float) -> float:
        return mean - float(mean_response(total * mean + theta, 0.0, noise))

    if theta == 0.0 and float(mean_slope(0.0, noise)) * total <= 1.0:
        mean = 0.0
    elif total <= 0.0:
        mean = float(brentq(excess, -1.0, 1.0, xtol=1e-16))
    else:
        sign = math.copysign(1.0, theta)
        mean = sign if excess(sign) == 0.0 else float(brentq(excess, 1e-12 * sign, sign, xtol=1e-16))
    correlation = np.full(size + 1, mean * mean)
    if not graded:
        correlation[0] = 1.0
    field = total * mean + theta
    gain = float(mean_slope(0.0, noise, field))
    growth = order_root(drift, gain)
    return Stationary(
        rule, sums, correlation, 0.0, gain**2, gain, 0j, mean, mean * mean, field,
        status=Status.CONVERGED if abs(growth) < 1.0 else Status.OUT_OF_RANGE,
        note="" if abs(growth) < 1.0 else RINGING.format(abs(growth)), growth=growth,
    )  # fmt: skip


def _quiet(rule: TokenRule, size: int) -> Solved:
    return Solved(State(np.zeros(size), 0.0, 0.0, 0.0, 0.0), rule.beta**2, 0j, 0, 0.0, Status.CONVERGED)


def _graded(equations: Equations, rule: TokenRule, run: functools.partial[Solved], size: int) -> Solved:
    """Start graded units far above the onset and come down: Newton does not converge from afar near the onset."""
    excess = rule.beta**2 * extreme_spectrum(equations.sums).maximum - 1.0
    scale = max(1.0, _NEAR_ONSET / (1.0 + excess))

    def at(factor: float) -> Equations:
        return Equations(equations.sums * factor, equations.noise, True)

    solved = run(at(scale), _nonlinear.uncorrelated(at(scale), size), sweeps=50)
    ratio, now = 0.7, scale * (1.0 + excess) - 1.0
    iterations = solved.iterations
    while now > excess and ratio < 0.999 and solved.status is Status.CONVERGED:
        following = max(excess, now * ratio)
        factor = (1.0 + following) / (1.0 + excess)
        state = _predicted(solved.state, following / now)
        trial = run(at(factor), state, sweeps=0, steps=30)
        iterations += trial.iterations
        if trial.status is Status.CONVERGED and trial.state.equal > 0.3 * solved.state.equal * following / now:
            solved, now = trial, following
        elif trial.state.connected.size > _nonlinear.LONGEST // 8:
            return trial._replace(status=Status.NOT_CONVERGED)
        else:
            ratio = math.sqrt(ratio)
    if now > excess:
        solved = solved._replace(status=Status.NOT_CONVERGED)
    return solved._replace(iterations=iterations)


def _predicted(state: State, ratio: float) -> State:
    """Return a guess closer to the onset, where the correlation vanishes in proportion to the distance."""
    return State(state.connected * ratio, 0.0, 0.0, state.equal * ratio, state.variance * ratio)


def _warm(start: Stationary | npt.ArrayLike, equations: Equations, size: int) -> State:
    correlation = start.correlation if isinstance(start, Stationary) else as_float_array("start", start, ndim=1)
    known = np.zeros(max(size + 1, correlation.size))
    known[: correlation.size] = correlation
    if not equations.graded:
        known[0] = 1.0
    return State(known[1:], 0.0, 0.0, float(known[0]), float(convolve(equations.sums, known)[0]))


def _as_stationary(equations: Equations, rule: TokenRule, solved: Solved, drift: FloatArray, note: str) -> Stationary:
    state = solved.state
    mean = equations.feedback * state.mean + equations.field
    if state.variance == 0.0:
        gain = rule.beta  # to all digits, where the mixture has eleven
    else:
        gain = float(mean_slope(state.variance, equations.noise, mean))
    status, growth = solved.status, order_root(drift, gain)
    root = solved.root
    if state.variance == 0.0:
        root = slowest_root(equations.sums, solved.slope)
    if status is Status.CONVERGED and abs(growth) >= 1.0:
        status = Status.OUT_OF_RANGE
        note = RINGING.format(abs(growth))
    longest = _nonlinear.LONGEST if equations.centred else _nonlinear.LONGEST_WITH_MEAN
    if status is Status.NOT_CONVERGED and lags_needed(root, 1e-13) > longest:
        note = f"The memory is longer than {longest} lags (correlation time {correlation_time(root):.4g})."
    return Stationary(
        rule,
        equations.sums,
        state.correlation,
        state.variance,
        solved.slope,
        gain,
        root,
        magnetization=state.mean,
        persistent=state.persistent,
        field_mean=mean,
        iterations=solved.iterations,
        residual=solved.residual,
        status=status,
        note=note,
        growth=growth,
    )

r"""The stationary solution of every variant: correlations of infinitely many sites, from the diagonal sums alone."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from glassformer._core._arcsine_mixture import NoiseMixture, mean_response, mean_slope
from glassformer._core._errors import InvalidInputError, invalid
from glassformer._core._status import Status
from glassformer._core._validation import FloatArray, as_count, as_float_array, as_number
from glassformer.couplings._lag_covariance import check_diagonal_sums, extreme_spectrum
from glassformer.models import TokenRule
from glassformer.theory.dmft import _nonlinear
from glassformer.theory.dmft._convolve import convolve, solve_banded
from glassformer.theory.dmft._gaussian import process as solve_process
from glassformer.theory.dmft._nonlinear import Equations, Solved, State
from glassformer.theory.dmft._spherical import spherical_point
from glassformer.theory.dmft._tail import correlation_time, lags_needed, order_root, slowest_root

_LONGEST_LINEAR = 1 << 16  # entries that are kept of a linear rule; the rest follows from the recursion
_LOOSEST = 1e-8  # the residual of a linear rule beyond which it counts as not solved
_TOO_LONG = "The memory is too long for a context of this length."
_RINGING = "The stationary state is unstable: its mean oscillates and grows by {:.6g} per step."
_WEAKEST = 1e-140  # of beta sqrt(g_0): below it correlations underflow, above its inverse the rule is the sign
_NEAR_ONSET = 1.6  # graded units: below this gain Newton needs a warm start


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
        return _derivative(self)


def solve_stationary(
    diagonal_sums: npt.ArrayLike,
    rule: TokenRule,
    *,
    lags: int | None = None,
    tolerance: float = 1e-13,
    start: Stationary | npt.ArrayLike | None = None,
    mean: npt.ArrayLike | None = None,
    field: float = 0.0,
    noise: NoiseMixture | None = None,
) -> Stationary:
    r"""Return the stationary solution of :math:`c(\omega),\ Q(\omega)=G(\omega)c(\omega)` for any rule.

    Parameters
    ----------
    diagonal_sums : array (lag,)
        :math:`g_0..g_{K-1}` of a covariance (:math:`G(\omega)\ge0`).
    rule : TokenRule
    lags : int, optional
        At least this many lags; more are used where the tail :math:`|r|^M` would exceed `tolerance`.
    tolerance : float
        Largest residual of the equations.
    start : Stationary or array (lag,), optional
        A neighbouring solution (or c_0..c_M) to start from; sigmoid rules with mean zero.
    mean : array (lag,), optional
        :math:`J^0_k`.
    field : float
        :math:`\theta`.
    noise : NoiseMixture, optional
        In place of ``rule.noise``, as with more nodes.

    Raises
    ------
    InvalidInputError
        For sums of no covariance, and where no stationary state exists: an unstable gaussian model, or a spherical one at
        :math:`\beta=\infty`.

    Examples
    --------
    >>> found = solve_stationary([1.5, 0.5, -0.1], TokenRule("ising", beta=1.0))
    >>> found.correlation[1:3].round(8), found.status.value
    (array([ 2.0866004e-01, -3.4110000e-05]), 'converged')
    """
    sums = check_diagonal_sums(diagonal_sums)
    if lags is not None:
        as_count("lags", lags)
    as_number("field", field)
    drift = np.zeros(sums.size) if mean is None else as_float_array("mean", mean, ndim=1)
    if rule.variant == "gaussian":
        return _solve_gaussian(sums, rule, lags, drift, float(field))
    if rule.variant == "spherical":
        return _solve_spherical(sums, rule, lags, drift, float(field))
    return _solve_sigmoid(sums, rule, lags, tolerance, start, drift, float(field), noise)


# --- sigmoid rules ----------------------------------------------------------------------------------------------------


def _solve_sigmoid(
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
    run = functools.partial(_nonlinear.solve, lags=size, tolerance=tolerance)
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
    if theta == 0.0 and abs(solved.state.mean) < 1e-6:
        solved = run(equations, polarised, sweeps=2000)
    return _as_stationary(equations, rule, solved, drift, "")


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
        note="" if abs(growth) < 1.0 else _RINGING.format(abs(growth)), growth=growth,
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
        elif lags_needed(trial.root, 1e-13) > _nonlinear.LONGEST:
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
        note = _RINGING.format(abs(growth))
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


# --- linear rules -----------------------------------------------------------------------------------------------------


def _length(sums: FloatArray, lags: int | None, root: complex) -> int:
    whole = min(lags_needed(root, 1e-16), _LONGEST_LINEAR)
    return int(max(lags or 0, 2 * sums.size + 2, 32, whole))


def _solve_gaussian(sums: FloatArray, rule: TokenRule, lags: int | None, drift: FloatArray, theta: float) -> Stationary:
    found = extreme_spectrum(sums)
    if found.maximum >= 1.0:
        raise invalid(
            "max G(omega)",
            found.maximum,
            f"below 1 for variant='gaussian', since tokens grow without bound otherwise (omega = {found.maximum_at:.6g})",
            f"divide the covariance by more than {found.maximum:.6g}, or look at the growth with TransientDMFT",
        )
    growth = order_root(drift, 1.0)
    if abs(growth) >= 1.0:
        raise invalid(
            "the largest root of 1 = sum_k J0_k z^-k",
            abs(growth),
            "below 1 in modulus for variant='gaussian', since the mean grows without bound otherwise",
            "lower the mean of the couplings",
        )
    process = solve_process(sums, 1.0 - found.maximum)
    power = rule.sigma**2
    mean = theta / (1.0 - float(drift.sum()))
    total = float(sums[0] + 2.0 * sums[1:].sum())
    persistent = mean * mean / (1.0 - total)
    correlation = power * process.correlation(_length(sums, lags, process.root)) + persistent
    residual = max(process.residual, _linear_residual(sums, correlation - persistent, power, 1.0))
    return Stationary(
        rule,
        sums,
        correlation,
        float(convolve(sums, correlation, persistent)[0]),
        1.0,
        1.0,
        process.root,
        magnetization=mean,
        persistent=persistent,
        field_mean=mean,
        own_past_error=power * process.innovation,
        residual=residual,
        status=Status.CONVERGED if residual < _LOOSEST else Status.NOT_CONVERGED,
        note="" if residual < _LOOSEST else _TOO_LONG,
        growth=growth,
    )


def _solve_spherical(
    sums: FloatArray, rule: TokenRule, lags: int | None, drift: FloatArray, theta: float
) -> Stationary:
    beta = float(rule.beta)
    if math.isinf(beta) and not np.any(sums[1:]) and sums[0] > 0.0 and not np.any(drift) and theta == 0.0:
        # a flat G has no frequency to condense at: tokens stay uncorrelated down to zero temperature
        correlation = np.zeros(_length(sums, lags, 0j) + 1)
        correlation[0] = 1.0
        x = 1.0 / float(sums[0])
        start = "From independent tokens; at zero temperature a flat G keeps whatever correlation another start has."
        note = start if sums.size > 1 else ""
        return Stationary(rule, sums, correlation, float(sums[0]), x, math.sqrt(x), 0j, multiplier=math.inf, note=note)
    if math.isinf(beta):
        raise invalid(
            "beta",
            beta,
            "finite for variant='spherical': at zero temperature correlations never become stationary, they age as "
            "sqrt(t)",
            "Aging gives their form at late times, TransientDMFT (context/transient) the correlation of any two times",
        )
    point = spherical_point(sums, beta, feedback=float(drift.sum()), field=theta)
    process = point.process
    gain = math.sqrt(point.x)
    scale = (1.0 - point.persistent) / float(process.head[0])
    correlation = scale * process.correlation(_length(sums, lags, process.root)) + point.persistent
    growth = order_root(drift, gain)
    mean = float(drift.sum()) * point.magnetization + theta
    status, note = (Status.CONVERGED, "") if point.residual < _LOOSEST else (Status.NOT_CONVERGED, _TOO_LONG)
    condensed = theta == 0.0 and point.magnetization != 0.0
    if abs(growth) >= 1.0 + (1e-9 if condensed else 0.0):
        status = Status.OUT_OF_RANGE
        note = _RINGING.format(abs(growth))
    return Stationary(
        rule,
        sums,
        correlation,
        float(convolve(sums, correlation, point.persistent)[0]),
        point.x,
        gain,
        process.root,
        magnetization=point.magnetization,
        persistent=point.persistent,
        field_mean=mean,
        multiplier=point.multiplier,
        own_past_error=process.innovation * scale,
        residual=point.residual,
        status=status,
        note=note,
        growth=growth,
    )


def _linear_residual(sums: FloatArray, connected: FloatArray, power: float, slope: float) -> float:
    size = connected.size - sums.size  # the last ones reach beyond the end
    right = slope * convolve(sums, connected)
    right[0] += power
    return float(np.abs(connected - right)[:size].max()) / float(connected[0])


# --- derivatives ------------------------------------------------------------------------------------------------------


def _derivative(found: Stationary) -> FloatArray:
    sums, rule, correlation = found.diagonal_sums, found.rule, found.correlation
    lags, context = correlation.size - 1, sums.size
    by_sums = _shifted(correlation, context)  # of Q_tau, at fixed c
    if correlation[0] == 0.0 or found.slope == 0.0:
        return np.zeros((lags + 1, context))
    if abs(found.root) ** lags > 1e-10:
        raise InvalidInputError(
            f"The memory ends after {lags_needed(found.root, 1e-13):.3g} lags, but only {lags} are known; "
            "the derivative needs all of them."
        )
    tail = np.zeros(lags)
    tail[: min(lags, context - 1)] = sums[1 : lags + 1]
    row = np.zeros(lags)
    row[: min(lags, context - 1)] = 2.0 * sums[1 : lags + 1]
    q = found.field_covariance()
    if rule.variant in ("gaussian", "spherical"):
        slope = found.slope
        # c_0 (gaussian) or x (spherical) is the one unknown beside the lags
        column = -slope * tail if rule.variant == "gaussian" else -q[1:]
        solved = solve_banded(sums, np.full(lags, slope), np.column_stack([column, -slope * by_sums[1:]]))
        if rule.variant == "gaussian":
            corner, right = 1.0 - sums[0], -by_sums[0]
            row = -row
        else:
            corner, right = -(q[0] + 0.5 / (rule.beta * math.sqrt(slope))), -slope * by_sums[0]
            row = -slope * row
    else:
        noise = rule.noise
        inner = _nonlinear.averages(q[1:], q[0], 0.0, noise)
        graded = rule.variant == "graded" and not math.isinf(rule.beta)
        at = _nonlinear.averages(np.array([q[0]]), q[0], 0.0, noise) if graded else None
        by_equal = float(at.by_q[0] + at.by_variance[0]) if at is not None else 0.0
        # unknown beside the lags: Q_0, with c_0 = Phi(Q_0; Q_0, Q_0) or 1
        column = -inner.by_variance - inner.by_q * tail * by_equal
        right_lags = -inner.by_q[:, None] * by_sums[1:]
        solved = solve_banded(sums, inner.by_q, np.column_stack([column, right_lags]))
        corner, right = 1.0 - sums[0] * by_equal, -by_sums[0]
        row = -row
    scalar = -(right - row @ solved[:, 1:]) / (corner - row @ solved[:, 0])
    out = np.zeros((lags + 1, context))
    out[1:] = -solved[:, 1:] - np.outer(solved[:, 0], scalar)
    if rule.variant == "gaussian":
        out[0] = scalar
    elif rule.variant != "spherical":
        out[0] = by_equal * scalar
    return out


def _shifted(correlation: FloatArray, context: int) -> FloatArray:
    r"""Return :math:`c_{\tau-d}+c_{\tau+d}` (c for d = 0), shape (M + 1, K)."""
    lags = correlation.size
    padded = np.concatenate([correlation, np.zeros(context)])
    tau, d = np.arange(lags)[:, None], np.arange(context)[None, :]
    out = padded[np.abs(tau - d)] + padded[tau + d]
    out[:, 0] = correlation
    return np.asarray(out)

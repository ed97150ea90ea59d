"""From a wanted autocorrelation to the law of couplings that has it, with a certificate of what is possible."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np

from glassformer._core._errors import invalid
from glassformer._core._validation import FloatArray, as_choice, as_count, as_float_array, as_number
from glassformer.couplings._lag_covariance import spectrum
from glassformer.couplings._realisations import max_det, nearest, rank_one, toeplitz
from glassformer.dynamics._motion import one_blas_thread
from glassformer.models import TokenRule
from glassformer.models._token_rule import VARIANTS
from glassformer.theory.design._fields import Fields, largest_strength, linear_fields, sigmoid_fields, smallest_strength
from glassformer.theory.design._fit import deconvolve, distance, fixed_context, nearest_context, smallest_context
from glassformer.theory.design._forward import Forward, LinearForward, SigmoidForward, until
from glassformer.theory.design._link import Link, strength_of_variance
from glassformer.theory.design._result import FREQUENCIES, Design
from glassformer.theory.design._sequences import longest_entropy, lowest, lowest_eigenvalue, taper
from glassformer.theory.design._target import LONGEST, Target, read_target
from glassformer.theory.dmft._solution import solve_stationary

SHAPES = ("rank_one", "max_det", "toeplitz")
_CRITICAL = 0.93  # above, the note on finite size
_SHOWN = 2e-3  # the target counts, when lags are left out, up to where it has fallen below this
_FEWEST, _MOST = 30, 512
_FEW = 64
_LONGEST_CONTEXT = 1024  # factorisations take its cube
_NOISE = 0.9  # of the largest feasible: the rest keeps G > 0


def design(
    target: Any,
    *,
    variant: str = "ising",
    beta: float | None = None,
    sigma: float | None = None,
    context: int | None = None,
    shape: str | FloatArray = "rank_one",
    lags: int | None = None,
    tolerance: float = 1e-8,
) -> Design:
    r"""Return the law of couplings whose stationary autocorrelation is `target`, or comes closest to it.

    The field correlation :math:`\rho_\tau=Q_\tau/Q_0` behind the target is :math:`\varphi^{-1}(c_\tau)` for the sigmoid variants
    (:math:`\sin(\pi c_\tau/2)` at :math:`\beta=\infty`) and :math:`c_\tau` less the noise for the linear ones; then

    .. math:: G(\omega)=\sum_dg_de^{-i\omega d}=\frac{Q(\omega)}{c(\omega)} ,

    and any covariance with the diagonal sums :math:`g_d` will do. The target is feasible exactly if the field correlation is
    positive definite; nothing else is needed, since :math:`G\ge0` follows. At a finite context the sums are the exact ones
    where those end in time (autoregressive targets of linear variants), and otherwise those of least squares over the lags.

    Parameters
    ----------
    target : str, array_like, path or callable
        A formula in ``tau`` (``"0.8^tau"``, ``"(1+tau)^-0.5*exp(-tau/20)"``); numbers, or a file with one a line (.csv, .txt,
        .npy): lags 0, 1, ... where the first is 1 or the variance is free, else lags 1, 2, ...; or a function of tau. A
        formula or a function is the whole sequence. Numbers fix their own lags only: beyond, the fields continue with the
        largest entropy. c_0 is 1; any c_0 > 0 for ``gaussian`` (a covariance); for ``graded``, 1 stands for a sequence per
        c_0 and a smaller number is :math:`c_0=E\tanh^2\beta h` itself, which fixes :math:`\beta\sqrt{Q_0}`.
    variant : {"ising", "probit", "graded", "gaussian", "spherical"}
        The update rule.
    beta : float, optional
        Inverse temperature in units where the field variance :math:`Q_0` is 1, so that it is :math:`\beta\sqrt{Q_0}` and fixes
        the loss floor. Left out: infinite (ising, probit), 1 (graded), and where the noise is 0.9 of the largest
        feasible (spherical).
    sigma : float, optional
        Noise of ``gaussian``; left out, 0.9 of the largest feasible variance. The criticality is 1 less the noise over the
        largest value of the target's spectrum, so that the largest noise is the least critical; the tenth keeps G > 0.
    context : int, optional
        K, up to 1024. Left out, the smallest up to 64 whose sums, cut off, reach `tolerance`; for a list of L < 64 lags also
        a fit with K = L + 1, which is often exact; for an infeasible target fits of 4, 8, 16, ... lags until that helps no more.
    shape : {"rank_one", "max_det", "toeplitz"} or array (K, K)
        Which covariance has the sums; with an array, the one nearest to it.
    lags : int, optional
        Errors count (and are minimised) at lags 1..lags. Left out: up to where the target falls below 0.002, from 30 to 512;
        for numbers, as many as there are.
    tolerance : float
        Largest error at which the search for the context ends.

    Returns
    -------
    Design
        With ``feasible=False``, a reason and the nearest feasible design where the target is infeasible.

    Raises
    ------
    InvalidInputError
        For a target that cannot be read, and for options that exclude each other; never because a target is infeasible.

    References
    ----------
    Derived here; the models are those of Zavatone-Veth and Pehlevan 2025, arXiv:2507.18461.

    Examples
    --------
    >>> import glassformer as gf
    >>> found = gf.design("0.8^tau", context=12)
    >>> found.feasible, round(found.smallest_feasible_beta, 4), found.max_error < 3e-4
    (True, 15.3362, True)
    >>> gf.design("0.85^tau*cos(0.9*tau)").feasible
    False
    """
    with one_blas_thread():  # the same bits for any number of threads
        return _design(target, variant, beta, sigma, context, shape, lags, tolerance)


def _design(
    target: Any,
    variant: str,
    beta: float | None,
    sigma: float | None,
    context: int | None,
    shape: str | FloatArray,
    lags: int | None,
    tolerance: float,
) -> Design:
    clock = time.perf_counter()
    as_choice("variant", variant, VARIANTS)
    matrix = None if isinstance(shape, str) else as_float_array("shape", shape, ndim=2)
    if isinstance(shape, str):
        as_choice("shape", shape, SHAPES)
    if matrix is not None:
        if matrix.shape[0] != matrix.shape[1] or context not in (None, matrix.shape[0]):
            raise invalid("the shape of the matrix", matrix.shape, "(K, K) with K the context")
        context = matrix.shape[0]
    if context is not None:
        as_count("context", context)
        if context > _LONGEST_CONTEXT:
            raise invalid("context", context, f"an integer from 1 to {_LONGEST_CONTEXT}", "pass a shorter one")
    as_number("tolerance", tolerance, minimum=0.0, exclusive_minimum=True)
    wanted = read_target(target, variant)
    count = _lags(wanted, lags)
    problem = _linear if variant in ("gaussian", "spherical") else _sigmoid
    rule, fields, forward, sequence, limits = problem(wanted, variant, beta, sigma, count)
    sums = deconvolve(fields.tokens, fields.fields)
    aim = until(sequence, count)
    if context is None:
        fit = smallest_context(forward, sums, fields.tokens, count, tolerance)
        exact = distance(fit.correlation, aim, count) <= tolerance
        if not wanted.complete and fields.feasible and count < _FEW and not (exact and len(fit.sums) <= count + 1):
            # as many free numbers as lags: often enough, and much shorter than the continuation
            short = fixed_context(forward, sums, fields.tokens, aim, count + 1)
            if distance(short.correlation, aim, count) <= max(tolerance, distance(fit.correlation, aim, count)):
                fit = short
        elif not fields.feasible:
            fit = nearest_context(forward, sums, fields.tokens, aim, fit)
    else:
        fit = fixed_context(forward, sums, fields.tokens, aim, context)
    g = fit.sums
    filtered = rank_one(g) if matrix is None and shape == "rank_one" else None
    if filtered is not None:
        gamma = np.outer(filtered, filtered)
    elif matrix is not None:
        gamma = nearest(g, matrix)
    else:
        gamma = max_det(g) if shape == "max_det" else toeplitz(g)
    solution = solve_stationary(g, rule, lags=max(count, 1))
    if not solution.status.good:  # from no memory the longest ones are not always reached
        solution = solve_stationary(g, rule, lags=max(count, 1), start=fit.correlation)
    return Design(
        target=aim,
        text=wanted.text,
        rule=rule,
        feasible=fields.feasible,
        reason=_reason(fields, limits, variant),
        certificate=dict(fields.margins),
        smallest_feasible_beta=limits.get("smallest_feasible_beta"),
        largest_feasible_beta=limits.get("largest_feasible_beta"),
        largest_feasible_sigma=limits.get("largest_feasible_sigma"),
        diagonal_sums=g,
        covariance=gamma,
        rank_one=filtered,
        shape="nearest" if matrix is not None else str(shape),
        achieved=solution.lags(count),
        fields=until(fields.fields, count) * forward.scale,
        inverted=until(fields.inverted, count) * forward.scale,
        inverted_spectrum=_inverted_spectrum(wanted, sequence, fields) * forward.scale,
        whole_sums=sums * forward.scale,
        fitted=fit.fitted,
        solution=solution,
        note=_note(wanted, fields, solution.correlation_time, fit.fitted, solution.criticality, variant),
        wall_time=time.perf_counter() - clock,
    )


Problem = tuple[TokenRule, Fields, Forward, FloatArray, dict[str, float | None]]


def _sigmoid(target: Target, variant: str, beta: float | None, sigma: float | None, lags: int) -> Problem:
    if sigma is not None:
        raise invalid("sigma", sigma, f"left out for variant={variant!r}", "beta sets the noise")
    free = float(target.values[0])
    shape = target.values / free
    variance = 1.0
    if variant == "graded" and free < 1.0:
        strength = strength_of_variance(free)
        beta = strength if beta is None else _checked(beta, allow_infinity=False)
        variance = (strength / beta) ** 2
        link = Link(TokenRule(variant, beta=strength))
    else:
        beta = (1.0 if variant == "graded" else math.inf) if beta is None else _checked(beta)
        link = Link(TokenRule(variant, beta=beta))
    sequence = shape * link.variance
    fields = sigmoid_fields(target, sequence, link)
    limits: dict[str, float | None] = {}
    if variant == "graded":
        limits["largest_feasible_beta"] = largest_strength(target, shape, link.rule)
    else:
        limits["smallest_feasible_beta"] = smallest_strength(target, shape, link.rule)
    return TokenRule(variant, beta=beta), fields, SigmoidForward(link, variance, lags, fields.tokens), sequence, limits


def _linear(target: Target, variant: str, beta: float | None, sigma: float | None, lags: int) -> Problem:
    low = lowest(target.values)[0] if target.complete else lowest_eigenvalue(target.values)
    low = 0.0 if target.lasting else max(low, 0.0)
    if variant == "gaussian":
        if beta is not None:
            raise invalid("beta", beta, "left out for variant='gaussian'", "sigma sets the noise")
        if sigma is None:
            room = _room(target, low)
            sigma = math.sqrt(_NOISE * room if room > 0.0 else 0.5 * float(target.values[0]))
        rule = TokenRule(variant, sigma=as_number("sigma", sigma, minimum=0.0, exclusive_minimum=True))
        noise, slope = rule.sigma**2, 1.0
        limits: dict[str, float | None] = {"largest_feasible_sigma": math.sqrt(low)}
    else:
        if sigma is not None:
            raise invalid("sigma", sigma, "left out for variant='spherical'", "beta sets the noise")
        least = _strength(low) if 0.0 < low < 1.0 else (0.0 if low >= 1.0 else None)
        if beta is None:
            room = _room(target, low)
            beta = _strength(_NOISE * room) if least and room > 0.0 else 1.0
        beta = _checked(beta, allow_infinity=True)
        if math.isinf(beta):
            raise invalid(
                "beta",
                beta,
                "finite for variant='spherical', which ages at zero temperature instead of becoming stationary",
                "pass a number" + (f" >= {least:.6g}, the smallest feasible" if least is not None else ""),
            )
        rule = TokenRule(variant, beta=beta)
        multiplier = 0.5 * (1.0 + math.sqrt(1.0 + 4.0 * beta**2))
        noise, slope = 1.0 / multiplier, (beta / multiplier) ** 2
        limits = {"smallest_feasible_beta": least}
    fields = linear_fields(target, noise)
    forward = LinearForward(noise, slope, variant == "spherical", lags)
    return rule, fields, forward, target.values, limits


def _room(target: Target, low: float) -> float:
    """Return the most noise under which a target is autoregressive: `low`, or for a list what its continuation allows."""
    if target.complete or low <= 0.0:
        return low
    whole = longest_entropy(target.values)
    return low if whole is None else min(low, max(lowest(whole)[0], 0.0)) or low


def _strength(noise: float) -> float:
    r"""Return the beta of the spherical rule whose noise is :math:`1/\lambda`."""
    return math.sqrt(1.0 / noise * (1.0 / noise - 1.0))


def _checked(beta: float, *, allow_infinity: bool = True) -> float:
    return as_number("beta", beta, minimum=0.0, exclusive_minimum=True, allow_infinity=allow_infinity)


def _lags(target: Target, lags: int | None) -> int:
    if lags is not None:
        as_count("lags", lags)
        if not target.complete and lags > len(target.values) - 1:
            raise invalid("lags", lags, f"at most {len(target.values) - 1}, the last lag of the target")
        if lags > LONGEST:
            raise invalid("lags", lags, f"at most {LONGEST}")
        return int(lags)
    if not target.complete:
        return max(1, len(target.values) - 1)
    large = np.flatnonzero(np.abs(target.values) > _SHOWN * target.values[0])
    return int(min(max(int(large[-1]), _FEWEST), _MOST))


def _inverted_spectrum(target: Target, sequence: FloatArray, fields: Fields) -> FloatArray:
    """Return Q / c as the inversion asks for, at `FREQUENCIES` frequencies; empty for a list or where c has no spectrum."""
    if not target.complete or fields.margins["spectrum"] <= 0.0:
        return np.zeros(0)
    frequency = np.linspace(0.0, math.pi, FREQUENCIES)
    window = taper(len(sequence) - 1) if target.tapered else 1.0
    return spectrum(fields.inverted, frequency) / spectrum(sequence * window, frequency)


def _reason(fields: Fields, limits: dict[str, float | None], variant: str) -> str:
    if fields.feasible:
        return fields.reason + "."
    tail = "no beta makes it feasible"
    if variant == "gaussian":
        largest = limits["largest_feasible_sigma"]
        tail = f"it is feasible for sigma <= {largest:.6g}" if largest else "no sigma makes it feasible"
    elif variant == "graded":
        if (most := limits["largest_feasible_beta"]) is not None:
            tail = f"it is feasible for beta <= {most:.6g}, in units where Q_0 is 1"
    elif (least := limits["smallest_feasible_beta"]) is not None:
        tail = f"it is feasible for beta >= {least:.6g}, in units where Q_0 is 1"
    sentence = f"{fields.reason}; {tail}."
    return sentence[0].upper() + sentence[1:]


def _note(target: Target, fields: Fields, memory: float, fitted: bool, criticality: float, variant: str) -> str:
    notes = []
    if not fields.feasible:
        notes.append("The target is infeasible: this is the nearest feasible design, not the target.")
    if target.tapered:
        notes.append(
            f"The target is still {float(target.values[-1]):.3g} at lag {LONGEST}; it was tapered to zero there, and a finite "
            f"context ends exponentially, here with a correlation time of {memory:.4g} steps."
        )
    if fitted:
        notes.append("The diagonal sums are a least-squares fit at this context.")
    return " ".join([*notes, *_edge(criticality, variant)])


def _edge(criticality: float, variant: str) -> list[str]:
    """Return the sentence on finite size near criticality 1.

    At 4 / (1 - criticality)^2 sites the spread of the largest eigenvalue, n^(-1/2), is half of what is left to criticality.
    """
    room = 1.0 - criticality
    if criticality < _CRITICAL or room <= 0.0:
        return []
    what = "samples may be unstable" if variant == "gaussian" else "samples differ"
    return [
        f"The criticality is 1 - {room:.3g}: finite-size effects are large and {what} unless n >> 4 / (1 - criticality)^2 = "
        f"{4.0 / room**2:.2g}."
    ]

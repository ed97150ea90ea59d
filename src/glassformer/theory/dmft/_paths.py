r"""Transients of signs with partially symmetric couplings: many sampled paths of one site (Eissfeller and Opper 1992).

.. math:: h_t=\mu_t+\eta_t+\sum_wM_{tw}s_w,\qquad M_{tw}=\sum_{kk'}\tilde\Gamma_{kk'}R_{t-k,w+k'}

needs C and R at earlier times only, so the paths advance together, step by step, and their averages are C and R. The
response needs no derivative: the field of step u enters through :math:`p(s_u|h_u)` alone, so

.. math:: R_{tu}=\Big\langle s_t\,\frac{\partial\log p(s_u|h_u)}{\partial h_u}\Big\rangle
          =\beta\big\langle s_t(s_u-\tanh\beta h_u)\big\rangle\quad\text{for logistic signs}.

Tokens without noise have no such score; there Stein's lemma for the Gaussian field, written with its independent
increments :math:`\eta=Lz`, gives :math:`\langle s_tz_u\rangle=\sum_{v\ge u}R_{tv}L_{vu}`.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from scipy.special import erf, expit, log_ndtr, ndtr

from glassformer._core._errors import invalid
from glassformer._core._random import normals, uniforms
from glassformer._core._validation import FloatArray
from glassformer.models import ContextEnsemble, TokenRule
from glassformer.theory.dmft._linear_memory import covariance_row, mean_field_row, memory_row
from glassformer.theory.dmft._path_information import log_cosh_entropy, probit_entropy
from glassformer.theory.dmft._two_time import TwoTime

BATCHES = 8


def sample_paths(
    ensemble: ContextEnsemble,
    rule: TokenRule,
    steps: int,
    overlaps: FloatArray,
    means: FloatArray,
    *,
    paths: int,
    seed: int,
) -> TwoTime:
    """Return the averages over independent batches with their standard errors; arguments as for `linear_memory`."""
    check_start(overlaps, means)
    found = [
        _batch(
            ensemble, rule, steps, overlaps, means, paths // BATCHES + (b < paths % BATCHES), seed, f"dmft/paths/{b}"
        )
        for b in range(BATCHES)
    ]

    def pooled(name: str) -> tuple[FloatArray, FloatArray]:
        values = np.stack([getattr(one, name) for one in found])
        return values.mean(axis=0), values.std(axis=0, ddof=1) / math.sqrt(BATCHES)

    names = {"correlation": "two_time_correlation", "mean": "magnetization", "response": "response"}
    values, errors = {}, {}
    for name, label in names.items():
        values[name], errors[label] = pooled(name)
    entropy = None
    if found[0].entropy is not None:
        entropy, errors["loss_floor"] = pooled("entropy")
    covariance, field_mean = pooled("covariance")[0], pooled("field_mean")[0]
    return TwoTime(values["correlation"], values["mean"], covariance, field_mean, values["response"], errors, entropy)


class _Token(NamedTuple):
    """One step of all paths."""

    spins: FloatArray
    average: FloatArray  # of the spin given the field (and, without noise, given all but the last increment)
    score: FloatArray | None
    response: float  # R_tt
    entropy: float


def _batch(
    ensemble: ContextEnsemble,
    rule: TokenRule,
    steps: int,
    overlaps: FloatArray,
    means: FloatArray,
    count: int,
    seed: int,
    stream: str,
) -> TwoTime:
    law = ensemble.law
    context = law.context
    size = context + steps
    partner = law.transpose_covariance
    partner = np.zeros((context, context)) if partner is None else np.asarray(partner)
    correlation, mean = np.zeros((size, size)), np.zeros(size)
    correlation[:context, :context], mean[:context] = overlaps[::-1, ::-1], means[::-1]
    covariance, response, lower = (np.zeros((steps, steps)) for _ in range(3))
    field_mean, entropy = np.zeros(steps), np.zeros(steps)
    spins, scores = np.empty((size, count)), np.empty((steps, count))
    spins[:context] = _initial(overlaps, means, count, seed, f"{stream}/start")[::-1]
    increments = normals(seed, f"{stream}/field", (steps, count))
    chances = uniforms(seed, f"{stream}/noise", (steps, count))
    symmetric = not (means.any() or np.any(law.mean) or ensemble.field)  # under a change of all signs
    for t in range(steps):
        i = context + t
        row = covariance_row(law, correlation, t)
        covariance[t, : t + 1] = covariance[: t + 1, t] = row
        cholesky_row(lower, row, t)
        mu = field_mean[t] = mean_field_row(ensemble, mean, t)
        memory = memory_row(partner, response, t)
        before = mu + lower[t, :t] @ increments[:t] + memory @ spins[:i]
        token = _draw(rule, before, lower[t, t], increments[t], chances[t])
        spins[i] = token.spins
        mean[i] = 0.0 if symmetric else token.average.mean()
        correlation[i, :i] = correlation[:i, i] = spins[:i] @ token.average / count
        correlation[i, i] = np.mean(token.spins**2)
        response[t, t], entropy[t] = token.response, token.entropy
        if token.score is not None:
            scores[t] = token.score
            response[t, :t] = scores[:t] @ token.average / count
        else:
            moments = increments[:t] @ token.average / count - token.response * lower[t, :t]
            back_substitute(lower, moments, response[t, :t])
    known = None if rule.variant == "graded" else entropy
    return TwoTime(correlation, mean, covariance, field_mean, response, None, known)


def _draw(rule: TokenRule, before: FloatArray, pivot: float, increment: FloatArray, chance: FloatArray) -> _Token:
    beta = float(rule.beta)
    h = before + pivot * increment
    if math.isinf(beta):
        spins = np.where(h > 0.0, 1.0, np.where(h < 0.0, -1.0, np.where(chance < 0.5, 1.0, -1.0)))
        if pivot == 0.0:  # the field is known; its sign has no slope but at 0
            return _Token(spins, np.sign(h), None, 0.0, float(np.mean(h == 0.0)) * math.log(2.0))
        scaled = before / pivot
        slope = math.sqrt(2.0 / math.pi) / pivot * float(np.mean(np.exp(-0.5 * scaled**2)))
        return _Token(spins, erf(scaled * math.sqrt(0.5)), None, slope, 0.0)
    if rule.variant == "graded":
        f = np.tanh(beta * h)
        return _Token(f, f, None, beta * float(np.mean(1.0 - f**2)), 0.0)
    if rule.variant == "probit":
        spins = np.where(chance < ndtr(beta * h), 1.0, -1.0)
        log_density = -0.5 * (beta * h) ** 2 - 0.5 * math.log(2.0 * math.pi)
        score = beta * spins * np.exp(log_density - log_ndtr(spins * beta * h))
        slope = 2.0 * beta * float(np.mean(np.exp(log_density)))
        return _Token(spins, erf(beta * h * math.sqrt(0.5)), score, slope, float(np.mean(probit_entropy(beta * h))))
    f = np.tanh(beta * h)
    spins = np.where(chance < expit(2.0 * beta * h), 1.0, -1.0)
    slope = beta * float(np.mean(1.0 - f**2))
    return _Token(spins, f, beta * (spins - f), slope, float(np.mean(log_cosh_entropy(beta * h))))


def check_start(overlaps: FloatArray, means: FloatArray) -> None:
    """Refuse initial overlaps for which there is no simple law of signs: single sites need more than second moments."""
    context = overlaps.shape[0]
    deviation = np.sqrt(np.diag(overlaps))
    independent = np.allclose(overlaps, np.outer(means, means) + np.diag(1.0 - means**2), atol=1e-12)
    if independent or np.allclose(overlaps, 1.0, atol=1e-12):
        return
    if means.any():
        raise invalid(
            "start_magnetization", means, "0 for sampled paths from an array of overlaps",
            "start='independent' and 'repeated' may have a mean",
        )  # fmt: skip
    inner = np.sin(0.5 * math.pi * overlaps / np.maximum(np.outer(deviation, deviation), 1e-300))
    lowest = float(np.linalg.eigvalsh(inner)[0])
    if lowest < -1e-9 * context:
        raise invalid(
            "the lowest eigenvalue of sin(pi start / 2)", lowest,
            ">= 0 for sampled paths, whose initial tokens are signs of Gaussian variables",
        )  # fmt: skip


def _initial(overlaps: FloatArray, means: FloatArray, count: int, seed: int, stream: str) -> FloatArray:
    """Draw the initial tokens (lag, path), most recent first."""
    context = overlaps.shape[0]
    threshold = 0.5 * (1.0 + means[:, None])
    if np.allclose(overlaps, np.outer(means, means) + np.diag(1.0 - means**2), atol=1e-12):
        return np.where(uniforms(seed, stream, (context, count)) < threshold, 1.0, -1.0)
    if np.allclose(overlaps, 1.0, atol=1e-12):
        return np.where(uniforms(seed, stream, (1, count)) < threshold, 1.0, -1.0)
    deviation = np.sqrt(np.diag(overlaps))
    inner = np.sin(0.5 * math.pi * overlaps / np.maximum(np.outer(deviation, deviation), 1e-300))
    values, vectors = np.linalg.eigh(inner)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    return deviation[:, None] * np.where(root @ normals(seed, stream, (context, count)) >= 0.0, 1.0, -1.0)


@njit(cache=True, nogil=True, error_model="numpy")
def cholesky_row(lower: FloatArray, row: FloatArray, t: int) -> None:
    """Write row t of the Cholesky factor of a covariance whose rows before are done; rounding below 0 is cut."""
    for u in range(t):
        if lower[u, u] > 0.0:
            total = row[u]
            for v in range(u):
                total -= lower[t, v] * lower[u, v]
            lower[t, u] = total / lower[u, u]
    left = row[t]
    for v in range(t):
        left -= lower[t, v] ** 2
    lower[t, t] = math.sqrt(left) if left > 1e-12 * row[t] else 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def back_substitute(lower: FloatArray, moments: FloatArray, out: FloatArray) -> None:
    """Solve out @ lower = moments for the leading block; increments that do not act have no response."""
    for u in range(moments.size - 1, -1, -1):
        total = moments[u]
        for v in range(u + 1, moments.size):
            total -= out[v] * lower[v, u]
        out[u] = total / lower[u, u] if lower[u, u] > 0.0 else 0.0

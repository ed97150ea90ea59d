"""Exact two-time correlations of a small extended-context model from a given start."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from glassformer._core._errors import invalid
from glassformer._core._validation import FloatArray, as_choice, as_float_array
from glassformer.theory.exact._context_chain import TokenChain

if TYPE_CHECKING:
    import xarray as xr

STARTS = ("independent", "repeated")
_LARGEST = 2**27  # numbers in the covariance of a whole gaussian path: a gigabyte


def transient(
    couplings: FloatArray, fields: FloatArray, rule: Any, start: str | npt.ArrayLike | None, steps: int
) -> xr.Dataset:
    """Return the moments of times 1 - K to `steps`; tokens at times up to 0 are the history, time 1 is the first drawn."""
    import xarray as xr

    context, n = couplings.shape[:2]
    history = None
    if start is None or isinstance(start, str):
        start = as_choice("start", "independent" if start is None else start, STARTS)
    else:
        history = as_float_array("start", start, ndim=2)
        if history.shape != (context, n):
            raise invalid(
                "the shape of start", history.shape, f"({context}, {n}): (lag, site), most recent token first"
            )
        start = "history"
    solver = _linear if rule.variant == "gaussian" else _listed
    mean, correlation = solver(couplings, fields, rule, start, history, steps)
    time = np.arange(1 - context, steps + 1)
    dataset = xr.Dataset(coords={"time": time, "time_": time})
    dataset["two_time_correlation"] = (("time", "time_"), correlation)
    dataset["magnetization"] = (("time", "site"), mean)
    dataset["residual"] = 0.0
    return dataset


def _listed(
    couplings: FloatArray, fields: FloatArray, rule: Any, start: str, history: FloatArray | None, steps: int
) -> tuple[FloatArray, FloatArray]:
    chain = TokenChain.of(couplings, fields, rule)
    context, n = couplings.shape[:2]
    law = _start_law(chain, start, history)
    total = context + steps
    mean = np.empty((total, n))
    correlation = np.empty((total, total))
    newest = chain.token_at(1)
    ahead = [newest]  # the expected token so many steps ahead of the newest one, in every state
    for _ in range(steps):
        ahead.append(chain.expect(ahead[-1]))
    for early in range(total):
        lag = max(1, context - early)  # of the early token in the window at time `now`
        now = max(early, context - 1)
        if early >= context:
            law = chain.advance(law)
        token = chain.token_at(lag)
        mean[early] = law @ token
        for late in range(early, total):
            later = ahead[late - now] if late >= now else chain.token_at(context - late)
            correlation[early, late] = correlation[late, early] = float(law @ (token * later).mean(axis=1))
    return mean, correlation


def _start_law(chain: TokenChain, start: str, history: FloatArray | None) -> FloatArray:
    size, context = chain.tokens.shape[0], chain.context
    if history is not None:
        if not np.all(np.abs(history) == 1.0):
            raise invalid(
                "the largest ||start| - 1|", float(np.abs(np.abs(history) - 1.0).max()), "0 for two-valued tokens"
            )
        ids = (history > 0) @ (2 ** np.arange(history.shape[1]))
        law = np.zeros((size,) * context)
        law[tuple(int(one) for one in ids)] = 1.0
        return law.reshape(-1)
    if start == "independent":
        return np.full(chain.states, 1.0 / chain.states)
    law = np.zeros((size,) * context)
    every = np.arange(size)
    law[(every,) * context] = 1.0 / size
    return law.reshape(-1)


def _linear(
    couplings: FloatArray, fields: FloatArray, rule: Any, start: str, history: FloatArray | None, steps: int
) -> tuple[FloatArray, FloatArray]:
    context, n = couplings.shape[:2]
    total = context + steps
    if total**2 * n**2 > _LARGEST:
        raise invalid(
            "steps", steps, f"at most {int(np.sqrt(_LARGEST) / n) - context} for N = {n}, whose paths must fit memory"
        )
    mean = np.zeros((total, n))
    if history is not None:
        mean[:context] = history[::-1]
    covariance = np.zeros((total, total, n, n))
    if start != "history":
        same = np.eye(context) if start == "independent" else np.ones((context, context))
        covariance[:context, :context] = same[:, :, None, None] * np.eye(n)
    for now in range(context, total):
        past = [now - k - 1 for k in range(context)]
        mean[now] = fields + sum(couplings[k] @ mean[t] for k, t in enumerate(past))
        for early in range(now):
            covariance[now, early] = sum(couplings[k] @ covariance[t, early] for k, t in enumerate(past))
            covariance[early, now] = covariance[now, early].T
        covariance[now, now] = rule.sigma**2 * np.eye(n)
        covariance[now, now] += sum(couplings[k] @ covariance[t, now] for k, t in enumerate(past))
    correlation = (np.trace(covariance, axis1=2, axis2=3) + mean @ mean.T) / n
    return mean, correlation

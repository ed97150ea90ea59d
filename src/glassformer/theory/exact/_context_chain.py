r"""The chain of the last K tokens of few two-valued sites, with all its states listed.

The id of a token is :math:`\sum_i2^i[s_i=1]` (bit i is site i). A state is K tokens, the newest first, and its number
has the newest token in the most significant place, so that a law over states is an array with one axis per lag.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from glassformer._core._validation import FloatArray

_TIE = 16 * np.finfo(np.float64).eps


def token_values(n: int) -> FloatArray:
    """Return all tokens of `n` sites, ``(token, site)``, in the order of their ids.

    >>> token_values(2).tolist()
    [[-1.0, -1.0], [1.0, -1.0], [-1.0, 1.0], [1.0, 1.0]]
    """
    return np.asarray(2.0 * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1) - 1.0)


@dataclass(frozen=True, slots=True, eq=False)
class TokenChain:
    """States ``(2^N,) * K`` flattened; `conditional` is ``P(next | state)`` with the oldest token apart."""

    context: int
    tokens: FloatArray  # (token, site)
    fields: FloatArray  # (state, site), the external field included
    log_up: FloatArray  # (state, site), log P(s_i = +1 | state)
    log_down: FloatArray
    conditional: FloatArray  # (newer tokens, oldest token, next token)

    @staticmethod
    def of(couplings: FloatArray, fields: FloatArray, rule: Any) -> TokenChain:
        """List the states of couplings ``(lag, site, site_)`` under a rule with two-valued tokens."""
        context, n = couplings.shape[:2]
        tokens = token_values(n)
        size = tokens.shape[0]
        local = np.zeros((*(size,) * context, n)) + fields
        for lag in range(context):
            shape = (*(1,) * lag, size, *(1,) * (context - lag - 1), n)
            local = local + (tokens @ couplings[lag].T).reshape(shape)
        local = local.reshape(-1, n)
        if math.isinf(rule.beta):  # a field that is rounding beside its terms is a tie, and a tie is a fair coin
            terms = np.abs(couplings).sum(axis=(0, 2)) + np.abs(fields)
            local[np.abs(local) <= _TIE * terms] = 0.0
        up, down = _log_probability(local, rule), _log_probability(-local, rule)
        conditional = np.ones((local.shape[0], 1))
        for site in range(n - 1, -1, -1):  # the last site is the most significant bit
            both = np.exp(np.stack([down[:, site], up[:, site]], axis=-1))
            conditional = (conditional[:, :, None] * both[:, None, :]).reshape(local.shape[0], -1)
        return TokenChain(context, tokens, local, up, down, conditional.reshape(-1, size, size))

    @property
    def states(self) -> int:
        """Number of states, :math:`2^{KN}`."""
        return self.fields.shape[0]

    @property
    def symmetric(self) -> bool:
        """Whether the negative of every state has the negative fields."""
        return bool(np.array_equal(self.fields, -self.fields[::-1]))

    def token_at(self, lag: int) -> FloatArray:
        """Return the token that is `lag` steps old (1 is the newest) in every state, ``(state, site)``."""
        size = self.tokens.shape[0]
        index = (np.arange(self.states) // size ** (self.context - lag)) % size
        return self.tokens[index]

    def advance(self, law: FloatArray) -> FloatArray:
        """Return the law ``(state,)`` one step later."""
        newer, oldest, _ = self.conditional.shape
        later = (law.reshape(newer, 1, oldest) @ self.conditional)[:, 0]  # (newer tokens, next)
        return np.ascontiguousarray(later.T).reshape(-1)

    def expect(self, values: FloatArray) -> FloatArray:
        """Return the expectation one step later of functions ``(state, ...)`` of the state."""
        newer, _, size = self.conditional.shape
        ahead = values.reshape(size, newer, -1).transpose(1, 0, 2)
        return np.asarray((self.conditional @ ahead).reshape(values.shape))

    def transition(self) -> FloatArray:
        """Return the dense transition matrix ``(state, state)``."""
        newer, oldest, size = self.conditional.shape
        dense = np.zeros((newer, oldest, size, newer))
        every = np.arange(newer)
        dense[every, :, :, every] = self.conditional
        return dense.reshape(self.states, self.states)

    def loss(self) -> FloatArray:
        """Return the entropy of the next token in every state, in nats of all sites, ``(state,)``."""
        return np.asarray(-(_times_log(self.log_up) + _times_log(self.log_down)).sum(axis=-1))

    def reversed_loss(self, law: FloatArray) -> float:
        r"""Return :math:`-\langle\log P(s_t|s_{t+1},\dots,s_{t+K})\rangle`: the past told from the future by the same rule."""
        newer, oldest, size = self.conditional.shape
        flow = law.reshape(newer, oldest, 1) * self.conditional  # of (newer, dropped, next)
        up = np.einsum("uws,wi->sui", flow, 0.5 * (1.0 + self.tokens), optimize=True).reshape(self.states, -1)
        down = np.einsum("uws,wi->sui", flow, 0.5 * (1.0 - self.tokens), optimize=True).reshape(self.states, -1)
        backwards = np.arange(self.states).reshape((size,) * self.context).T.reshape(-1)
        total = _weighted(up, self.log_up[backwards]) + _weighted(down, self.log_down[backwards])
        return -total


def _log_probability(field: FloatArray, rule: Any) -> FloatArray:
    """Return log P(s = +1 | field)."""
    if math.isinf(rule.beta):
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(0.5 * (1.0 + np.sign(field))))
    if rule.variant == "probit":
        from scipy.special import log_ndtr

        return np.asarray(log_ndtr(rule.beta * field))
    return np.asarray(-np.logaddexp(0.0, -2.0 * rule.beta * field))


def _times_log(log_probability: FloatArray) -> FloatArray:
    """Return p log p, 0 at p = 0."""
    p = np.exp(log_probability)
    return np.where(p > 0, p * np.where(p > 0, log_probability, 0.0), 0.0)


def _weighted(weight: FloatArray, log_probability: FloatArray) -> float:
    """Return the sum of weight times log probability, where a weight of 0 counts nothing."""
    held = weight > 0
    return float(np.sum(weight[held] * log_probability[held]))

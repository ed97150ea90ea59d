"""All states of N two-valued spins, and the elementary moves of their laws."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from glassformer._core._bessel import log_normalizer
from glassformer._core._validation import FloatArray
from glassformer.models import VectorSpin


@dataclass(frozen=True, slots=True, eq=False)
class IsingSpace:
    r"""The :math:`2^N` states of a model with ``dim=1``; site 0 is the most significant bit, bit 1 is :math:`+R`."""

    model: VectorSpin
    beta: float
    states: FloatArray  # (state, site), values -R and R
    fields: FloatArray  # (state, site), h_i with J_ii
    cavity_fields: FloatArray  # (state, site), h_i without J_ii

    @staticmethod
    def of(model: VectorSpin, beta: float) -> IsingSpace:
        """Enumerate the states of `model`."""
        n = model.n
        bits = (np.arange(2**n)[:, None] >> np.arange(n - 1, -1, -1)) & 1
        states = np.asarray(model.r * (2.0 * bits - 1.0), dtype=np.float64)
        fields = states @ model.couplings.T + model.fields[:, 0]
        return IsingSpace(model, beta, states, fields, fields - states * np.diag(model.couplings))

    @property
    def scale(self) -> float:
        r""":math:`\beta R`."""
        return self.beta * self.model.r

    def up_probabilities(self, fields: FloatArray) -> FloatArray:
        r"""Return :math:`P(s_i=+R)=1/(1+e^{-2\beta Rh_i})` without overflow."""
        z = 2.0 * self.scale * fields
        decay = np.exp(-np.abs(z))
        return np.where(z >= 0, 1.0, decay) / (1.0 + decay)

    def conditional_means(self, fields: FloatArray) -> FloatArray:
        r"""Return :math:`R\tanh(\beta Rh_i)`."""
        return self.model.r * np.tanh(self.scale * fields)

    def product_law(self, down: FloatArray, up: FloatArray) -> FloatArray:
        """Return the law of independent spins with the given probabilities ``(site,)`` of :math:`-R` and :math:`+R`."""
        law = np.ones(1)
        for pair in zip(down, up):
            law = (law[:, None] * np.array(pair)).ravel()
        return law

    def parallel_transition(self) -> FloatArray:
        r"""Return :math:`P_{ss'}=\prod_iP(s'_i|s)`, a dense ``(state, state)`` array."""
        z = 2.0 * self.scale * self.fields
        decay = np.exp(-np.abs(z))
        likely, unlikely = 1.0 / (1.0 + decay), decay / (1.0 + decay)
        both = np.where(z[..., None] >= 0, np.stack([unlikely, likely], -1), np.stack([likely, unlikely], -1))
        transition = np.ones((self.states.shape[0], 1))
        for site in range(self.model.n):
            transition = (transition[:, :, None] * both[:, site, None, :]).reshape(self.states.shape[0], -1)
        return transition

    def _conditional(self, site: int) -> FloatArray:
        """Return P(s_site | others) as an array with one axis of length 2 per site."""
        shape = (2,) * self.model.n
        z = 2.0 * self.scale * self.cavity_fields[:, site] * np.sign(self.states[:, site])
        decay = np.exp(-np.abs(z))
        return (np.where(z >= 0, 1.0, decay) / (1.0 + decay)).reshape(shape)

    def update_law(self, law: FloatArray, site: int) -> FloatArray:
        """Return the law after a heat-bath update of `site`; leading axes of `law` are a batch."""
        batch = law.reshape(*law.shape[:-1], *(2,) * self.model.n)
        marginal = batch.sum(axis=site - self.model.n, keepdims=True)
        return (marginal * self._conditional(site)).reshape(law.shape)

    def update_function(self, values: FloatArray, site: int) -> FloatArray:
        """Return the expected `values` (state, ...) after a heat-bath update of `site`."""
        n = self.model.n
        shaped = values.reshape(*(2,) * n, -1)
        mean = (shaped * self._conditional(site)[..., None]).sum(axis=site, keepdims=True)
        return np.broadcast_to(mean, shaped.shape).reshape(values.shape)

    def local_heat(self, law: FloatArray, site: int) -> float:
        r"""Return :math:`\beta\langle\Delta s_ih_i\rangle` of a heat-bath update of `site` from `law`."""
        h = self.cavity_fields[:, site]
        move = self.model.r * np.tanh(self.scale * h) - self.states[:, site]
        return float(self.beta * (law @ (move * h)))

    def boltzmann(self) -> tuple[FloatArray, float]:
        r"""Return the law :math:`\propto e^{-\beta E}` and :math:`\log\langle e^{-\beta E}\rangle_{\rm uniform}`."""
        return _normalize(-self.beta * self.model.n * self.model.energy(self.states[..., None]))

    def peretto(self) -> tuple[FloatArray, float]:
        r"""Return the law :math:`\propto e^{\beta\sum x_is_i}\prod_i\cosh(\beta Rh_i(s))` and its normaliser."""
        weight = self.beta * (self.states @ self.model.fields[:, 0])
        return _normalize(weight + log_normalizer(self.scale * np.abs(self.fields), 1).sum(axis=1))


def _normalize(log_weight: FloatArray) -> tuple[FloatArray, float]:
    top = log_weight.max()
    weight = np.exp(log_weight - top)
    return weight / weight.sum(), float(top + np.log(weight.mean()))


def relative_entropy(law: FloatArray, reference: FloatArray) -> float:
    r"""Return :math:`\sum p\log(p/q)`, infinite where q vanishes and p does not."""
    held = law > 0
    if np.any(reference[held] == 0):
        return float("inf")
    return float(max(0.0, np.sum(law[held] * np.log(law[held] / reference[held]))))


def entropy_of(law: FloatArray) -> float:
    r"""Return the Shannon entropy relative to the uniform law, :math:`-\sum p\log(Sp)\le0`."""
    held = law[law > 0]
    return float(-np.sum(held * np.log(held * law.size)))

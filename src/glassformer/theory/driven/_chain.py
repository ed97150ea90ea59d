r"""The entropies of a driven Markov chain of two-valued spins, without approximation.

With the law :math:`p_k` of step k, and P and :math:`\pi` of the fields that act, a step from s to s' produces

.. math:: \Sigma=\log\frac{p_k(s)P(s'|s)}{p_{k+1}(s')P(s|s')},\quad
          \Sigma_{hk}=\log\frac{\pi(s)P(s'|s)}{\pi(s')P(s|s')},\quad
          \Sigma_{na}=\log\frac{p_k(s)\pi(s')}{p_{k+1}(s')\pi(s)},\qquad\Sigma=\Sigma_{hk}+\Sigma_{na} .

Each obeys :math:`\langle e^{-\Sigma}\rangle=1` over whole paths, and is not negative on average.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from glassformer._core._bessel import log_normalizer
from glassformer._core._errors import invalid
from glassformer._core._validation import FloatArray
from glassformer.models import VectorSpin
from glassformer.theory.exact import Enumeration
from glassformer.theory.exact._ising_space import IsingSpace, relative_entropy

KINDS = ("total", "housekeeping", "nonadiabatic")


@dataclass(frozen=True, eq=False)
class DrivenCycle:
    """One cycle: fields that do not change, K steps, and the laws on the way.

    Parameters
    ----------
    space : IsingSpace
    laws : array (time, state)
        :math:`p_0..p_K`.
    stationary : array (state,)
        :math:`\\pi` of these fields.
    """

    space: IsingSpace
    laws: FloatArray
    stationary: FloatArray

    @staticmethod
    def run(method: Enumeration, model: VectorSpin, law: FloatArray, steps: int) -> DrivenCycle:
        """Move `law` by `steps` parallel steps under the fields of `model`."""
        space = IsingSpace.of(model, method.beta)
        stationary = method.stationary_law(model)
        if stationary.min() <= 0.0:
            raise invalid(
                "the smallest stationary probability", float(stationary.min()), "above 0 to rounding", "lower beta"
            )
        transition = space.parallel_transition()
        laws = [law]
        for _ in range(steps):
            laws.append(laws[-1] @ transition)
        return DrivenCycle(space, np.stack(laws), stationary)

    @property
    def log_transition(self) -> FloatArray:
        r"""Return :math:`\log P(s'|s)`, (state, state)."""
        space = self.space
        norm = space.model.n * np.log(2.0) + log_normalizer(space.scale * np.abs(space.fields), 1).sum(axis=1)
        return np.asarray(space.beta * (space.fields @ space.states.T) - norm[:, None])

    def mismatch(self) -> FloatArray:
        r"""Return :math:`\Delta_k=D_{KL}(p_k\Vert\pi)`, (time,)."""
        return np.array([relative_entropy(law, self.stationary) for law in self.laws])

    def entropies(self) -> dict[str, FloatArray]:
        """Return the mean total, housekeeping and nonadiabatic entropy of every step, (step,) each."""
        log_ratio = self.log_transition
        log_ratio = log_ratio - log_ratio.T
        later = np.exp(self.log_transition)
        environment = np.array([law @ np.einsum("st,st->s", later, log_ratio) for law in self.laws[:-1]])
        weights = self.laws @ np.log(self.stationary)
        housekeeping = environment + weights[:-1] - weights[1:]
        mismatch = self.mismatch()
        nonadiabatic = mismatch[:-1] - mismatch[1:]
        return {
            "total": housekeeping + nonadiabatic,
            "housekeeping": housekeeping,
            "nonadiabatic": nonadiabatic,
            "environment": environment,
        }

    def step_entropy(self, kind: str, step: int, log_transition: FloatArray) -> FloatArray:
        r"""Return :math:`\Sigma(s,s')` of one step, (state, state); the total and its parts are `KINDS`."""
        log_pi = np.log(self.stationary)
        with np.errstate(divide="ignore"):  # a start may leave states out
            now, later = np.log(self.laws[step]), np.log(self.laws[step + 1])
        reversal = log_transition - log_transition.T
        if kind == "total":
            return np.asarray(now[:, None] - later + reversal)
        if kind == "housekeeping":
            return np.asarray(log_pi[:, None] - log_pi + reversal)
        return np.asarray((now - log_pi)[:, None] - (later - log_pi))

    def path_entropy(self, kind: str, paths: np.ndarray) -> FloatArray:
        """Return the entropy of given paths, integers (replica, time) that number the states: (replica,)."""
        log_transition = self.log_transition
        total = np.zeros(paths.shape[0])
        for step in range(paths.shape[1] - 1):
            total += self.step_entropy(kind, step, log_transition)[paths[:, step], paths[:, step + 1]]
        return total


def fluctuation_theorem(cycles: Sequence[DrivenCycle], kind: str) -> float:
    r"""Return :math:`\langle e^{-\Sigma}\rangle` over all paths through all cycles, by exact summation step by step.

    1 for each kind; smaller for the total when the start leaves states out, by the weight of reversed paths that end there.
    """
    weight = cycles[0].laws[0].copy()
    held = weight > 0
    for cycle in cycles:
        log_transition = cycle.log_transition
        for step in range(len(cycle.laws) - 1):
            exponent = log_transition - cycle.step_entropy(kind, step, log_transition)
            weight = weight[held] @ np.exp(exponent[held])
            held = weight > 0
    return float(weight.sum())


def state_numbers(spins: FloatArray) -> np.ndarray:
    """Return the numbers of configurations ``(..., site, 1)`` in the order of the states: site 0 is the highest bit."""
    n = spins.shape[-2]
    return np.asarray((spins[..., 0] > 0) @ (1 << np.arange(n - 1, -1, -1)))

"""Where relaxation of naive mean field ends: one start followed to its end, and the distinct ends of random starts."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from glassformer._core._random import directions, uniforms
from glassformer._core._responses import Response
from glassformer._core._status import Status
from glassformer._core._validation import FloatArray
from glassformer.models import VectorSpin
from glassformer.theory._fixed_point import FixedPoint
from glassformer.theory.closures import NaiveMeanField
from glassformer.theory.closures._common import directions_of, largest_change, law_in_fields
from glassformer.theory.closures._stability import MARGINAL, jacobian_eigenvalue

_FIRST = 100  # steps of relaxation before the first guess where it goes; the number doubles from guess to guess
_ACCELERATED = 300
_DAMPED = (
    1000  # steps for a random start whose relaxation swings; what damping finds is mostly unstable, and not counted
)
_NEARER = 0.7  # a guess is right if relaxation has come nearer to it by this factor
_SAME = 1e-4  # fixed points whose invariants differ by less, in units of R, are one


class Branch(NamedTuple):
    """A fixed point at which relaxation ends."""

    invariants: FloatArray
    length: float  # root mean square of |m| / R over the sites


@dataclass
class Branches:
    """The distinct fixed points at which relaxation ends, and how many starts ended at none.

    An end that relaxation would leave (local radius above 1: a saddle, or what only damped steps reach) is none.
    """

    model: VectorSpin
    method: NaiveMeanField
    respond: Response
    without_loops: bool
    found: list[Branch] = field(default_factory=list)
    unconverged: int = 0
    _left: list[FloatArray] = field(default_factory=list)

    def search(self, starts: int, seed: int) -> None:
        """Relax `starts` random states: independent directions and one common direction in turn."""
        model = self.model
        drawn = directions(seed, "contraction/starts", (starts, model.n, model.dim))
        drawn[1::2] = drawn[1::2, :1]
        # Unequal lengths, lest signs cancel and a start lie exactly on a border between two basins.
        drawn *= 0.5 + 0.5 * uniforms(seed, "contraction/lengths", (starts, model.n, 1))
        for spins in drawn:
            end, reached = self.follow(model.r * spins, damped=_DAMPED)
            if not (reached and self.add(end.state[0])):
                self.unconverged += 1

    def follow(self, means: FloatArray, *, damped: int | None = None) -> tuple[FixedPoint, bool]:
        """Return where relaxation from `means` ends, and whether it is known to end there.

        Where relaxation is slow Anderson's method guesses the end. A guess is believed only if relaxation returns to it and has
        come nearer by a third since it was made; otherwise the last guess is returned, with False. `damped` limits the steps that
        are tried where the map overshoots.
        """
        model, method = self.model, self.method
        state, steps, chunk = means, 0, _FIRST
        last: FixedPoint | None = None
        guess: FixedPoint | None = None
        first = nearest = math.inf  # distances from the guess: when it was made, and since
        while True:
            chunk = min(chunk, method.max_iterations - steps)
            walked = replace(method, max_iterations=chunk).fixed_point(model, state)
            if walked.mixing < 1.0 and walked.status is Status.NOT_CONVERGED:  # no path; damping may still find a point
                walked = replace(method, max_iterations=damped or method.max_iterations).fixed_point(model, state)
                return walked, walked.status is Status.CONVERGED
            steps, state = steps + walked.iterations, walked.state[0]
            if walked.status is not Status.NOT_CONVERGED:
                return replace(walked, iterations=steps), walked.status is Status.CONVERGED
            if guess is not None:
                distance = largest_change(model.r, guess.state[0], state)
                if distance < _NEARER * first:
                    return replace(guess, iterations=steps), True
                guess, nearest = (guess, distance) if distance < nearest else (None, math.inf)
            if guess is None:
                quick = replace(method, solver="anderson", max_iterations=_ACCELERATED).fixed_point(model, state)
                if quick.status is Status.CONVERGED:
                    last = quick
                    if self.stable(quick.state[0]):
                        guess, first = quick, largest_change(model.r, quick.state[0], state)
                        nearest = first
            if steps >= method.max_iterations:
                return replace(last or walked, iterations=steps), False
            chunk = 2 * chunk

    def stable(self, means: FloatArray) -> bool:
        """Return whether relaxation returns to the fixed point `means`, or at least does not leave it."""
        own = self._invariants(means)
        if not self._is_new(own):
            return True
        if any(np.abs(own - other).max() <= _SAME for other in self._left):
            return False
        model, beta = self.model, self.method.beta
        law = law_in_fields(self.respond, model.fields + model.couplings @ means, beta, model.r)
        if jacobian_eigenvalue(model, beta, law, without_loops=self.without_loops).radius <= MARGINAL:
            return True
        self._left.append(own)
        return False

    def add(self, means: FloatArray) -> bool:
        """Count `means` unless it is known; return whether it is a branch at all."""
        if not self.stable(means):
            return False
        own = self._invariants(means)
        if self._is_new(own):
            length = float(np.sqrt(np.mean(np.sum(means**2, axis=1)))) / self.model.r
            self.found.append(Branch(own, length))
        return True

    def has(self, means: FloatArray) -> bool:
        """Return whether `means` is one of those that were counted."""
        return not self._is_new(self._invariants(means))

    def _is_new(self, own: FloatArray) -> bool:
        return all(np.abs(own - other.invariants).max() > _SAME for other in self.found)

    def _invariants(self, means: FloatArray) -> FloatArray:
        r"""Return :math:`\mathbf m_i\cdot\mathbf m_j/R^2` and :math:`\mathbf m_i\cdot\hat{\mathbf x}_j/R`.

        Both are equal for states that a rotation or reflection relates which leaves the fields alone.
        """
        model, scaled = self.model, means / self.model.r
        slope = self.method.beta * model.r * float(self.respond.ratio_over_kappa(0.0))
        # Fields that turn the spins by less than the tolerance in a step cannot be told from none.
        if model.dim > 1 and slope * float(np.abs(model.fields).max()) <= 10 * self.method.tolerance:
            return np.asarray(scaled @ scaled.T)
        return np.hstack([scaled @ scaled.T, scaled @ directions_of(model.fields).T])

"""Windows of a teacher and the test error of a student, for `context/learn`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from glassformer._core._random import derived_seed, normals
from glassformer._core._validation import FloatArray

if TYPE_CHECKING:
    from glassformer.inference import Windows
    from glassformer.models import ExtendedContext, TokenRule


@dataclass(frozen=True, slots=True, eq=False)
class Teacher:
    """A model with its rule, and what its windows need: the context that is kept and the steps until it is stationary."""

    model: ExtendedContext
    rule: TokenRule
    context: int  # of the windows, at least that of the model
    burn_in: int
    covariance: FloatArray | None  # of gaussian histories

    @staticmethod
    def of(model: ExtendedContext, rule: TokenRule, student: int) -> Teacher:
        """Prepare the teacher of a student with `student` lags; refuse when there is no stationary state."""
        from glassformer.theory.learning._teacher import model_matrices, stationary_covariance

        context = max(model.context, student)
        if rule.variant == "gaussian":
            matrices = model_matrices(model)
            covariance = stationary_covariance(matrices, float(rule.sigma), context)
            radius = _spectral_radius(matrices)
            burn_in = 10 * context + math.ceil(40.0 / -math.log(radius)) if radius > 0.0 else 10 * context
            return Teacher(model, rule, context, burn_in, covariance)
        return Teacher(model, rule, context, _ising_burn_in(model, rule), None)

    @property
    def flat(self) -> FloatArray:
        """The couplings as (site, lag * site), zero beyond the lags of the teacher."""
        n = self.model.n
        rows = np.zeros((n, self.context * n))
        matrices = np.asarray(self.model.couplings.matrices, dtype=np.float64)
        rows[:, : self.model.context * n] = matrices.transpose(1, 0, 2).reshape(n, -1)
        return rows

    def windows(self, pairs: int, seed: int, *, trajectory: bool) -> Windows:
        """Return `pairs` windows: independent ones, or those of one sequence."""
        from glassformer.dynamics.context._stream import token_stream
        from glassformer.inference import Windows, windows

        n = self.model.n
        if self.covariance is not None and not trajectory:  # a stationary history is a Gaussian vector
            root = np.linalg.cholesky(self.covariance)
            history = normals(derived_seed(seed, "history"), "learn/history", (pairs, self.context * n)) @ root.T
            noise = normals(derived_seed(seed, "noise"), "learn/noise", (pairs, n))
            return Windows(history.reshape(pairs, self.context, n), history @ self.flat.T + self.rule.sigma * noise)
        sequences, steps = (1, pairs + self.context) if trajectory else (pairs, self.context + 1)
        pieces = token_stream(
            self.model, self.rule, seed=seed, sequences=sequences, steps=steps, burn_in=self.burn_in, chunk=steps
        )
        return windows(next(pieces)[1], self.context)

    def excess(self, couplings: FloatArray, fields: FloatArray, test: Windows | None) -> float:
        """Return the error of a student above that of the teacher: exactly (gaussian), or on the windows of `test`."""
        lags, n = couplings.shape[0], self.model.n
        rows = np.zeros((n, self.context * n))
        rows[:, : lags * n] = couplings.transpose(1, 0, 2).reshape(n, -1)
        if self.covariance is not None:
            wrong = rows - self.flat
            return float(np.sum((wrong @ self.covariance) * wrong) / n + np.mean(fields**2))
        assert test is not None
        features = test.features
        true, student = self.rule.beta * (features @ self.flat.T), features @ rows.T + fields
        with np.errstate(invalid="ignore"):
            up = np.where(true > 0.0, 1.0, 0.0) if math.isinf(self.rule.beta) else 0.5 * (1.0 + np.tanh(true))
        # relative entropy of two coins: no noise of drawn tokens
        gap = up * np.logaddexp(0.0, -2.0 * student) + (1.0 - up) * np.logaddexp(0.0, 2.0 * student)
        if not math.isinf(self.rule.beta):
            gap -= up * np.logaddexp(0.0, -2.0 * true) + (1.0 - up) * np.logaddexp(0.0, 2.0 * true)
        return float(gap.mean())


def _spectral_radius(matrices: FloatArray) -> float:
    from glassformer.theory.exact._context_gaussian import companion

    return float(np.abs(np.linalg.eigvals(companion(matrices))).max())


def _ising_burn_in(model: Any, rule: Any) -> int:
    from glassformer.couplings import LaggedGaussian
    from glassformer.theory.dmft._solution import solve_stationary

    matrices = np.asarray(model.couplings.matrices, dtype=np.float64)
    law = LaggedGaussian(np.einsum("kij,lij->kl", matrices, matrices) / model.n)
    found = solve_stationary(law.diagonal_sums, rule)
    return max(50, 10 * model.context, math.ceil(20.0 * found.correlation_time))

"""Settings that the `context/...` runs share: the law of the couplings and the update rule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import Field, model_validator

from glassformer._core._errors import InvalidInputError, invalid
from glassformer.sweeps import RunConfig
from glassformer.sweeps._arrays import ArrayRule
from glassformer.sweeps._config import FloatOrInfinity

if TYPE_CHECKING:
    from glassformer.couplings import LaggedGaussian
    from glassformer.models import ContextEnsemble, TokenRule

Vector = Annotated[np.ndarray, ArrayRule(1)]
Matrix = Annotated[np.ndarray, ArrayRule(2)]
Covariance = Annotated[np.ndarray, ArrayRule((1, 2))]

EXAMPLE = ((0.6, 0.3, -0.1), (0.3, 0.5, 0.2), (-0.1, 0.2, 0.4))
"""The three-lag covariance of the examples, with diagonal sums (1.5, 0.5, -0.1)."""

GAUSSIAN_SCALE = 0.25
"""What the example is multiplied with for Gaussian tokens: they would grow without bound, and small samples do at 0.4."""

_WAYS = ("gamma", "rank_one", "diagonal_sums", "factors")


class RuleConfig(RunConfig):
    """The update rule."""

    variant: Annotated[
        Literal["ising", "probit", "graded", "gaussian", "spherical"],
        Field(description="how the next token follows from the fields"),
    ] = "ising"
    beta: Annotated[FloatOrInfinity, Field(ge=0, description="inverse temperature; inf for none. Not for gaussian")] = (
        1.0
    )
    sigma: Annotated[float, Field(gt=0, description="standard deviation of the noise, gaussian only")] = 1.0

    def rule(self) -> TokenRule:
        """Return the rule as a noun."""
        from glassformer.models import TokenRule

        return TokenRule(self.variant, beta=self.beta, sigma=self.sigma)


class LawConfig(RuleConfig):
    """The update rule and the law of the couplings."""

    gamma: Annotated[
        Covariance | None,
        Field(
            description="covariance (lag, lag_) of the couplings; a three-lag example (a quarter of it for gaussian) if nothing is given"
        ),
    ] = None
    rank_one: Annotated[
        Vector | None, Field(description="instead of gamma: gamma_k of the rank-one covariance gamma_k gamma_k'")
    ] = None
    diagonal_sums: Annotated[
        Vector | None, Field(description="instead of gamma: g_0, g_1, ..., all that stationary states depend on")
    ] = None
    factors: Annotated[Matrix | None, Field(description="instead of gamma: L (lag, factor) with gamma = L L^T")] = None
    shape: Annotated[
        Literal["rank_one", "max_det", "toeplitz", "diagonal"] | None,
        Field(description="with diagonal_sums: which covariance has them (rank_one if left out)"),
    ] = None
    mean: Annotated[Vector | None, Field(description="J0 (lag): the couplings have mean J0 / n")] = None
    transpose_gamma: Annotated[
        Matrix | None, Field(description="covariance of J_ij with J_ji (lag, lag_): partially symmetric couplings")
    ] = None
    field: Annotated[float, Field(description="external field at every site")] = 0.0

    @model_validator(mode="after")
    def _one_way(self) -> LawConfig:
        given = [name for name in _WAYS if getattr(self, name) is not None]
        if len(given) > 1:
            raise InvalidInputError(
                f"{' and '.join(given)} are given, but must be one of {', '.join(_WAYS)}: each is the whole law."
            )
        if self.shape is not None and self.diagonal_sums is None:
            raise invalid("shape", self.shape, "left out without diagonal_sums", "gamma, rank_one and factors have one")
        self.rule()
        self.law()  # refuse a law that is none before anything is written
        return self

    def law(self, **options: Any) -> LaggedGaussian:
        """Return the law of the couplings; `options` such as ``structure`` go to `LaggedGaussian`."""
        from glassformer.couplings import LaggedGaussian
        from glassformer.couplings._lag_covariance import check_covariance

        options = {"mean": self.mean, "transpose_covariance": self.transpose_gamma, **options}
        if self.rank_one is not None:
            return LaggedGaussian.from_factors(self.rank_one, **options)
        if self.factors is not None:
            return LaggedGaussian.from_factors(self.factors, **options)
        if self.diagonal_sums is not None:
            return LaggedGaussian.from_diagonal_sums(self.diagonal_sums, shape=self.shape or "rank_one", **options)
        gamma = self._default() if self.gamma is None else self.gamma
        if gamma.ndim == 1 and gamma.size > 1:
            raise invalid(
                "gamma",
                gamma.tolist(),
                "a matrix (lag, lag_)",
                "a vector is rank_one=[gamma_1, ...] or diagonal_sums=[g_0, ...]",
            )
        gamma = check_covariance("gamma", gamma.reshape(1, 1) if gamma.ndim == 1 else gamma)
        if self.transpose_gamma is not None and self.transpose_gamma.shape == gamma.shape:
            for sign, word in ((1.0, "gamma + transpose_gamma"), (-1.0, "gamma - transpose_gamma")):
                check_covariance(word, gamma + sign * self.transpose_gamma)
        return LaggedGaussian(gamma, **options)

    def _default(self) -> np.ndarray:
        """Return the example, weak enough for Gaussian tokens to have a stationary state."""
        return np.array(EXAMPLE) * (GAUSSIAN_SCALE if self.variant == "gaussian" else 1.0)

    def ensemble(self, **options: Any) -> ContextEnsemble:
        """Return the law of the whole model."""
        from glassformer.models import ContextEnsemble

        return ContextEnsemble(self.law(**options), field=self.field)

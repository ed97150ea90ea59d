"""What the outputs share: the three-lag law of the examples, and one simulation per draw of the couplings."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from glassformer.runs.context import EXAMPLE

if TYPE_CHECKING:
    from glassformer.couplings import LaggedGaussian
    from glassformer.models import TokenRule

GAUSSIAN_SCALE = 0.4  # the example is unstable for the Gaussian rule; this much of it has max G = 0.92


def example(scale: float = 1.0) -> LaggedGaussian:
    """Return the law with the three-lag covariance, times `scale`."""
    import glassformer as gf

    return gf.LaggedGaussian(scale * np.array(EXAMPLE))


def case_law(variant: str) -> LaggedGaussian:
    """Return the law that goes with an update rule."""
    return example(GAUSSIAN_SCALE if variant == "gaussian" else 1.0)


def case_rule(variant: str, beta: float) -> TokenRule:
    """Return the rule; only the Gaussian one has no temperature."""
    import glassformer as gf

    return gf.TokenRule(variant) if variant == "gaussian" else gf.TokenRule(variant, beta=beta)


def beta_label(beta: float) -> str:
    """Return the label of an inverse temperature, as in ``beta=0.5``."""
    return f"beta={'inf' if math.isinf(beta) else format(beta, 'g')}"


def scaled_deviation(gap: Any, error: Any, n: int) -> Any:
    """Return a gap in units of its error bar and the shift 2/N that one size has."""
    return np.abs(gap) / np.sqrt(np.square(error) + (2.0 / n) ** 2)

"""What a theory of extended-context models is given: a law of couplings, or of a whole model."""

from __future__ import annotations

from typing import Any

from glassformer._core._errors import MethodNotApplicableError
from glassformer.couplings import LaggedGaussian
from glassformer.models import ContextEnsemble


def as_ensemble(model: Any, method: Any) -> ContextEnsemble:
    """Return the law of a whole model, with zero field for the law of its couplings, or raise."""
    if isinstance(model, ContextEnsemble):
        return model
    if isinstance(model, LaggedGaussian):
        return ContextEnsemble(model)
    raise MethodNotApplicableError(
        f"{type(method).__name__} needs a law, LaggedGaussian(...) or ContextEnsemble(...), not {type(model).__name__}; "
        "ExactContext solves one small sample."
    )

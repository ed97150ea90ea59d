"""Whether relaxation returns to a mean-field fixed point: the leading eigenvalue of its Jacobian."""

from __future__ import annotations

import numpy as np

from glassformer._core._validation import FloatArray
from glassformer.models import VectorSpin
from glassformer.theory._spectra import Leading, leading_eigenvalue
from glassformer.theory.closures._common import SiteLaw

MARGINAL = 1.0 + 1e-6  # local radius up to which relaxation does not leave a fixed point


def jacobian_eigenvalue(model: VectorSpin, beta: float, law: SiteLaw, *, without_loops: bool) -> Leading:
    r"""Return the leading eigenvalue of :math:`\beta V_iJ_{ij}`, applied at cost :math:`N^2D` and never formed.

    Without loops J is triangular in some order, and every site has the eigenvalues of :math:`\beta V_iJ_{ii}`.
    """
    perp = law.perp if model.dim > 1 else law.parallel
    if without_loops:
        return largest_of(beta * np.maximum(law.parallel, perp) * np.diag(model.couplings))
    extra = (law.parallel - perp)[:, None] * law.direction

    def apply(vector: FloatArray) -> FloatArray:
        change = model.couplings @ vector.reshape(model.n, model.dim)
        along = np.einsum("ia,ia->i", law.direction, change)
        return np.asarray(beta * (perp[:, None] * change + along[:, None] * extra)).reshape(-1)

    return leading_eigenvalue(apply, model.n * model.dim)


def largest_of(values: FloatArray) -> Leading:
    """Return the entry of largest modulus as a leading eigenvalue."""
    return Leading(complex(values[np.argmax(np.abs(values))]), True)

"""What the equilibrium theories share: the couplings they accept, positive definite inverses, the labelled result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.linalg.lapack import dpotrf, dpotri

from glassformer._core._errors import MethodNotApplicableError, invalid
from glassformer._core._status import Status, attach_evidence
from glassformer._core._validation import FloatArray, as_count, as_number, require_symmetric
from glassformer.models import VectorSpin

if TYPE_CHECKING:
    import xarray as xr

ALTERNATIVES = "GramClosure, GaussianClosure or ParallelHeatBath"


def check_parameters(beta: float, tolerance: float, max_iterations: int) -> None:
    """Check the parameters that every equilibrium theory has."""
    as_number("beta", beta, minimum=0.0, next_step="pass a temperature T as beta = 1 / T")
    as_number("tolerance", tolerance, minimum=0.0, exclusive_minimum=True)
    as_count("max_iterations", max_iterations)


def symmetric_couplings(model: Any, method: Any, steps: int | None) -> FloatArray:
    """Return the couplings without their diagonal, or raise when there is no equilibrium to solve for."""
    name = type(method).__name__
    if not isinstance(model, VectorSpin):
        raise MethodNotApplicableError(
            f"{name} solves a VectorSpin, not a {type(model).__name__}; gf.methods(...) prints what applies."
        )
    if steps is not None:
        raise invalid("steps", steps, f"left out for {name}, which has no dynamics", "use GramClosure for transients")
    require_symmetric("couplings", model.couplings, method=name, alternatives=ALTERNATIVES)
    couplings = model.couplings.copy()
    np.fill_diagonal(couplings, 0.0)
    return couplings


def inverse_and_log_det(matrix: FloatArray) -> tuple[FloatArray, float] | None:
    """Return inverse and log determinant of a positive definite matrix, or None if it is not positive definite."""
    factor, failed = dpotrf(matrix, lower=True, clean=True)
    diagonal = np.diag(factor)
    if failed or not np.isfinite(diagonal).all():
        return None
    inverse, failed = dpotri(factor, lower=True)  # fills the lower triangle
    if failed or not np.isfinite(inverse).all():
        return None
    below = np.tril(inverse, -1)
    return below + below.T + np.diag(np.diag(inverse)), float(2.0 * np.log(diagonal).sum())


def equilibrium_dataset(
    model: VectorSpin,
    method: Any,
    *,
    magnetization: FloatArray,
    correlation: FloatArray,
    log_z: float,
    specific_heat: float | None,
    status: Status,
    residual: float,
    iterations: int,
    wall_time: float,
    note: str,
    **extra: Any,
) -> xr.Dataset:
    r"""Label an equilibrium; `log_z` is :math:`\log\langle e^{-\beta E}\rangle` over the uniform law, of all spins."""
    from glassformer.observables._summary import moments_dataset

    dataset = moments_dataset(
        model,
        beta=method.beta,
        magnetization=magnetization,
        correlation=correlation,
        delayed_correlation=None,
        entropy_production=0.0,
    )
    beta, n = method.beta, model.n
    dataset["free_energy"] = -log_z / (beta * n) if beta > 0 else 0.0
    dataset["entropy"] = log_z / n + beta * float(dataset["energy"])
    if specific_heat is not None:
        dataset["specific_heat"] = specific_heat
    dataset["residual"] = residual
    return attach_evidence(
        dataset,
        status=status,
        method=type(method).__name__,
        wall_time=wall_time,
        citations=tuple(dict.fromkeys((*model.citations, *method.citations))),
        model=model.digest,
        process="boltzmann",
        beta=float(beta),
        residual=float(residual),
        iterations=iterations,
        tolerance=method.tolerance,
        note=f"{note} free_energy and entropy are per spin, relative to the uniform law.".strip(),
        **extra,
    )

"""What the special exact solutions share: refusals, a grid of polar angles, evidence."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import betaln

from glassformer._core._errors import MethodNotApplicableError, invalid
from glassformer._core._status import Status, attach_evidence
from glassformer._core._validation import FloatArray
from glassformer.models import VectorSpin

if TYPE_CHECKING:
    import xarray as xr


def require(condition: bool, method: Any, needs: str, alternatives: str) -> None:
    """Raise `MethodNotApplicableError` unless `condition` holds."""
    if not condition:
        raise MethodNotApplicableError(f"{type(method).__name__} is exact only for {needs}; use {alternatives}.")


def refuse_path(method: Any, start: Any, steps: int | None) -> None:
    """Raise when a transient or a starting point is asked of a method that knows the steady state only."""
    for name, value in (("start", start), ("steps", steps)):
        if value is not None:
            raise invalid(name, value, f"left out for {type(method).__name__}, which gives the steady state only")


def polar_grid(dim: int, nodes: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    r"""Return :math:`\cos\theta`, :math:`\sin\theta` and log weights of the uniform law on the sphere in D dimensions.

    The weight is :math:`\sin^{D-2}\theta\,d\theta`, with Gauss-Legendre nodes in the angle: smooth for every D >= 2.
    For D = 1 the two points :math:`\theta=0,\pi`.
    """
    if dim == 1:
        return np.array([1.0, -1.0]), np.zeros(2), np.full(2, -np.log(2.0))
    x, weights = np.polynomial.legendre.leggauss(nodes)
    theta = 0.5 * np.pi * (1.0 + x)
    log_weight = np.log(0.5 * np.pi * weights) + (dim - 2) * np.log(np.sin(theta)) - betaln(0.5, 0.5 * (dim - 1))
    return np.cos(theta), np.sin(theta), log_weight


def attach(
    dataset: xr.Dataset,
    model: VectorSpin,
    method: Any,
    *,
    clock: float,
    residual: float,
    note: str,
    citations: Sequence[str] = (),
    tolerance: float = 1e-9,
) -> xr.Dataset:
    """Attach the evidence; the status follows from the residual."""
    dataset["residual"] = residual
    return attach_evidence(
        dataset,
        status=Status.CONVERGED if residual <= tolerance else Status.NOT_CONVERGED,
        method=type(method).__name__,
        wall_time=time.perf_counter() - clock,
        citations=tuple(dict.fromkeys((*model.citations, *method.citations, *citations))),
        beta=float(method.beta),
        residual=float(residual),
        note=note,
    )

"""How contracting the mean-field map of a model is: certificate, local stability, number of fixed points."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from glassformer._core._random import check_seed, directions, uniforms
from glassformer._core._responses import Response
from glassformer._core._responses import response as make_response
from glassformer._core._status import Status, attach_evidence, raise_if_failed
from glassformer._core._validation import FloatArray, as_count
from glassformer.dynamics._motion import one_blas_thread
from glassformer.models import VectorSpin
from glassformer.theory._causality import causal_order
from glassformer.theory._spectra import Leading, leading_eigenvalue
from glassformer.theory.closures import NaiveMeanField
from glassformer.theory.closures._common import (
    Start,
    directions_of,
    law_in_fields,
    require_vector_spin,
    starting_means,
)
from glassformer.theory.closures._stability import MARGINAL, jacobian_eigenvalue, largest_of

if TYPE_CHECKING:
    import xarray as xr

    from glassformer.theory._fixed_point import FixedPoint

_RELAXED = 100  # steps that bring a start into the basin that relaxation leads to, before acceleration
_ACCELERATED = 1000
_SAME = 1e-4  # fixed points whose invariants differ by less, in units of R, are one


def contraction(
    model: VectorSpin,
    beta: float,
    *,
    response: str = "exact",
    start: Start = None,
    starts: int = 8,
    seed: int = 0,
    throw: bool = True,
) -> xr.Dataset:
    r"""Say whether relaxation to the naive mean-field fixed point contracts: everywhere, near that point, and to how many.

    The map :math:`\mathbf m_i\mapsto\varphi(\mathbf x_i+\sum_jJ_{ij}\mathbf m_j)` has the Jacobian :math:`\beta V_iJ_{ij}`, and
    :math:`\beta V\le\beta R^2/D` everywhere. So it contracts, and has one fixed point, which every start reaches, if

    .. math:: \rho=\frac{\beta R^2}D\min(\lVert J\rVert_\infty,\lVert J\rVert_2)<1 .

    The condition is sufficient, not necessary. For a row-stochastic J it reads :math:`\beta<\beta_c=D/R^2`, which is
    :math:`2D/(D-2)` in the convention ``"bal"``, and there it is also where order sets in without fields.

    Couplings without loops need no contraction: if they are strictly causal the Jacobian is nilpotent (spectral radius 0)
    and N steps are exact. With self-couplings each site decides for itself: the radius is :math:`\max_i\beta V_i|J_{ii}|`,
    V being the larger eigenvalue of :math:`V_i` (:math:`V_\perp` for D > 1).

    Parameters
    ----------
    model : VectorSpin
    beta : float
        Inverse temperature, at least 0.
    response : {"exact", "amos", "large_d"}
    start : None, "fields" or array (site, component)
        Where relaxation to the fixed point begins at which the Jacobian is taken.
    starts : int
        Random starts for the number of fixed points: independent directions and one common direction in turn.
    seed : int
        Seed of these starts.
    throw : bool
        Whether to raise when there is no fixed point, or no eigenvalue, to speak of.

    Returns
    -------
    Dataset
        ``spectral_radius`` and ``leading_eigenvalue_real``, ``_imag`` of J; ``jacobian_spectral_radius`` and
        ``jacobian_eigenvalue_real``, ``_imag``; ``contraction_bound`` :math:`\rho`, ``critical_beta`` where it reaches 1,
        ``instability_beta`` where a state without magnetisation in no field turns unstable, ``certified``; ``branches``, the
        distinct fixed points at which relaxation ends (up to rotations that leave the fields as they are), ``multistable``,
        ``unconverged_starts``; ``structure`` (loops, causal, strictly_causal); ``verdict``, all of it in a sentence;
        ``magnetization`` and ``residual`` of the fixed point.

    Raises
    ------
    NotConvergedError
        When relaxation finds no fixed point, or Arnoldi's method no eigenvalue.

    Notes
    -----
    The Jacobian is applied, never formed: :math:`O(N^2D)` for each of a few dozen vectors.

    References
    ----------
    Bal 2026, Nonequilibrium Dynamics in Spin-Model Transformers; Lehoucq, Sorensen and Yang 1998.

    Examples
    --------
    >>> import glassformer as gf
    >>> model = gf.VectorSpin(gf.SoftmaxGaussian().sample(n=16, seed=1), gf.sphere_fields(16, dim=64, seed=2))
    >>> found = gf.contraction(model, 1.0)
    >>> round(float(found.contraction_bound), 4), bool(found.certified), int(found.branches)
    (0.4844, True, 1)
    >>> round(float(found.critical_beta), 4)  # 2D / (D - 2)
    2.0645
    """
    import xarray as xr

    clock = time.perf_counter()
    method = NaiveMeanField(beta, response=response)
    model = require_vector_spin(model, contraction)
    starts, seed = as_count("starts", starts, minimum=0), check_seed(seed)
    respond = make_response(response, model.dim)
    with one_blas_thread():  # the same bits whatever the number of threads
        means = starting_means(model, start, respond, beta)
        order = causal_order(model.couplings)
        found = _settle(model, method, means, patience=method.max_iterations)
        law = law_in_fields(respond, model.fields + model.couplings @ found.state[0], beta, model.r)
        bounds = _Bounds.of(model, respond, beta, order is not None)
        alone = _eigenvalue_of(model.couplings, order is not None)
        local = jacobian_eigenvalue(model, beta, law, without_loops=order is not None)
        points, unconverged = _branches(model, method, starts, seed)
        settled = found.status is Status.CONVERGED
        others = len(points)
        if settled:
            others -= not _is_new(points, _invariants(model, found.state[0]))
        if settled and (local.radius <= MARGINAL or not points):  # what relaxation leaves is not where starts end
            _add_point(points, model, found.state[0])
    reached = starts - unconverged if starts else None
    verdict = _verdict(bounds, local, len(points), reached, settled, others)
    strength = float(respond.ratio_over_kappa(0.0)) * model.r**2
    dataset = xr.Dataset(
        {
            "spectral_radius": alone.radius,
            "leading_eigenvalue_real": alone.value.real,
            "leading_eigenvalue_imag": alone.value.imag,
            "jacobian_spectral_radius": local.radius,
            "jacobian_eigenvalue_real": local.value.real,
            "jacobian_eigenvalue_imag": local.value.imag,
            "coupling_norm_inf": bounds.norm_inf,
            "coupling_norm_2": bounds.norm_2,
            "contraction_bound": bounds.whole,
            "critical_beta": _inverse(strength * min(bounds.norm_inf, bounds.norm_2)),
            "instability_beta": _inverse(strength * alone.radius),
            "certified": bounds.certified,
            "branches": len(points),
            "multistable": len(points) > 1,
            "unconverged_starts": unconverged,
            "structure": bounds.structure,
            "verdict": verdict,
            "magnetization": (("site", "component"), found.state[0]),
            "residual": found.residual,
        }
    )
    done = settled and alone.converged and local.converged
    attach_evidence(
        dataset,
        status=Status.CONVERGED if done else Status.NOT_CONVERGED,
        method="contraction",
        wall_time=time.perf_counter() - clock,
        citations=tuple(dict.fromkeys((*method.citations, "bal2026", "lehoucq1998", "anderson1965"))),
        model=model.digest,
        beta=float(beta),
        response=response,
        residual=found.residual,
        iterations=found.iterations,
        starts=starts,
        seed=seed,
        note=verdict,
    )
    return raise_if_failed(dataset, throw=throw)


def _inverse(value: float) -> float:
    return 1.0 / value if value > 0 else math.inf


class _Bounds(NamedTuple):
    """The certificate: ``whole`` is :math:`\\rho`, ``site`` the same for the diagonal alone (couplings without loops)."""

    norm_inf: float
    norm_2: float
    whole: float
    site: float
    structure: str

    @classmethod
    def of(cls, model: VectorSpin, response: Response, beta: float, without_loops: bool) -> _Bounds:
        slope = beta * model.r**2 * float(response.ratio_over_kappa(0.0))  # the largest beta V, at zero field
        own = float(np.abs(np.diag(model.couplings)).max())
        norm_inf = float(np.linalg.norm(model.couplings, np.inf))
        norm_2 = float(np.linalg.norm(model.couplings, 2))
        structure = "loops" if not without_loops else "causal" if own > 0 else "strictly_causal"
        return cls(norm_inf, norm_2, slope * min(norm_inf, norm_2), slope * own, structure)

    @property
    def certified(self) -> bool:
        return self.whole < 1.0 or (self.structure != "loops" and self.site < 1.0)


def _eigenvalue_of(couplings: FloatArray, without_loops: bool) -> Leading:
    if without_loops:  # triangular in some order
        return largest_of(np.diag(couplings))
    return leading_eigenvalue(lambda vector: couplings @ vector, len(couplings))


def _settle(model: VectorSpin, method: NaiveMeanField, means: FloatArray, *, patience: int) -> FixedPoint:
    """Return the fixed point that relaxation of `patience` steps leads to, or acceleration from where they end."""
    found = replace(method, max_iterations=patience).fixed_point(model, means)
    if found.status is Status.CONVERGED:
        return found
    return replace(method, solver="anderson", max_iterations=_ACCELERATED).fixed_point(model, found.state[0])


def _branches(model: VectorSpin, method: NaiveMeanField, starts: int, seed: int) -> tuple[list[FloatArray], int]:
    """Return the invariants of the distinct fixed points of random starts, and how many starts found none."""
    drawn = directions(seed, "contraction/starts", (starts, model.n, model.dim))
    drawn[1::2] = drawn[1::2, :1]
    # Unequal lengths, lest signs cancel and a start lie exactly on a border between two basins.
    drawn *= 0.5 + 0.5 * uniforms(seed, "contraction/lengths", (starts, model.n, 1))
    points: list[FloatArray] = []
    unconverged = 0
    for spins in drawn:
        found = _settle(model, method, model.r * spins, patience=_RELAXED)
        if found.status is Status.CONVERGED:
            _add_point(points, model, found.state[0])
        else:
            unconverged += 1
    return points, unconverged


def _add_point(points: list[FloatArray], model: VectorSpin, means: FloatArray) -> None:
    own = _invariants(model, means)
    if _is_new(points, own):
        points.append(own)


def _is_new(points: list[FloatArray], own: FloatArray) -> bool:
    return all(np.abs(own - other).max() > _SAME for other in points)


def _invariants(model: VectorSpin, means: FloatArray) -> npt.NDArray[np.float64]:
    r"""Return :math:`\mathbf m_i\cdot\mathbf m_j/R^2` and :math:`\mathbf m_i\cdot\hat{\mathbf x}_j/R`: equal for states that a rotation relates."""
    scaled = means / model.r
    return np.hstack([scaled @ scaled.T, scaled @ directions_of(model.fields).T])


def _verdict(bounds: _Bounds, local: Leading, branches: int, reached: int | None, settled: bool, others: int) -> str:
    if bounds.structure == "strictly_causal":
        return (
            "Certified: the couplings have no loops and no self-coupling (strictly causal), so the Jacobian is nilpotent "
            "and relaxation is exact after at most N steps at any temperature."
        )
    if bounds.structure == "causal" and bounds.certified and bounds.whole >= 1.0:
        return (
            f"Certified: the couplings have no loops and every self-coupling contracts ({bounds.site:.3g} < 1), so every "
            "start reaches the one fixed point."
        )
    if bounds.certified:
        return f"Certified: rho = {bounds.whole:.3g} < 1, so relaxation contracts from every start to one fixed point."
    told = f"Not certified (rho = {bounds.whole:.3g})"
    if not settled:
        return f"{told}, and neither relaxation nor acceleration found a fixed point."
    if local.radius > MARGINAL:
        told += f"; relaxation leaves the fixed point that was found (local radius {local.radius:.3g} > 1)"
    elif local.radius > 1.0 - 1e-6:
        told += "; the fixed point that was found is marginal (local radius 1), as where a direction is free"
    else:
        told += f", but relaxation returns to the fixed point that was found (local radius {local.radius:.3g} < 1)"
    if branches > 1:
        return f"{told}; multistable: {branches} distinct fixed points."
    if reached is None:  # nobody asked for random starts
        return f"{told}."
    if reached == 0:
        return f"{told}; no random start reached a fixed point."
    return f"{told}; {reached} random starts reached {'another' if others else 'no other'}."

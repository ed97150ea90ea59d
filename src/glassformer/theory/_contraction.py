"""How contracting the mean-field map of a model is: certificate, local stability, number of fixed points."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from glassformer._core._random import check_seed
from glassformer._core._responses import Response
from glassformer._core._responses import response as make_response
from glassformer._core._status import Status, attach_evidence, raise_if_failed
from glassformer._core._validation import FloatArray, as_count
from glassformer.dynamics._motion import one_blas_thread
from glassformer.models import VectorSpin
from glassformer.theory._branches import Branch, Branches
from glassformer.theory._causality import causal_order
from glassformer.theory._spectra import Leading, leading_eigenvalue
from glassformer.theory.closures import NaiveMeanField
from glassformer.theory.closures._common import (
    Start,
    law_in_fields,
    require_vector_spin,
    starting_means,
)
from glassformer.theory.closures._stability import MARGINAL, jacobian_eigenvalue, largest_of

if TYPE_CHECKING:
    import xarray as xr


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
        distinct fixed points at which relaxation ends (never a saddle; one for all that a rotation or reflection which leaves
        the fields as they are relates, without fields any in O(D)), ``multistable``, ``unconverged_starts``, those that settle
        at none; ``structure`` (loops, causal, strictly_causal); ``verdict``, all of it in a sentence;
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
        branches = Branches(model, method, respond, order is not None)
        found, reached = branches.follow(means)
        law = law_in_fields(respond, model.fields + model.couplings @ found.state[0], beta, model.r)
        bounds = _Bounds.of(model, respond, beta, order is not None)
        alone = _eigenvalue_of(model.couplings, order is not None)
        local = jacobian_eigenvalue(model, beta, law, without_loops=order is not None)
        branches.search(starts, seed)
        settled = found.status is Status.CONVERGED
        elsewhere = len(branches.found) - (settled and branches.has(found.state[0]))
        if settled and reached:  # a point that relaxation leaves is not counted
            branches.add(found.state[0])
    empty = not found.state[0].any()
    verdict = _verdict(bounds, local, branches, starts, settled, empty, elsewhere > 0)
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
            "branches": len(branches.found),
            "multistable": len(branches.found) > 1,
            "unconverged_starts": branches.unconverged,
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


def _beside_one(value: float) -> str:
    """Return `value` with as many digits as it takes to see on which side of 1 it lies."""
    texts = (f"{value:.{digits}g}" for digits in range(3, 18))
    return next((text for text in texts if value == 1.0 or float(text) != 1.0), "1")


def _verdict(
    bounds: _Bounds, local: Leading, branches: Branches, starts: int, settled: bool, empty: bool, elsewhere: bool
) -> str:
    if bounds.structure == "strictly_causal":
        return (
            "Certified: the couplings have no loops and no self-coupling (strictly causal), so the Jacobian is nilpotent "
            "and relaxation is exact after at most N steps at any temperature."
        )
    if bounds.structure == "causal" and bounds.certified and bounds.whole >= 1.0:
        return (
            f"Certified: the couplings have no loops and every self-coupling contracts ({_beside_one(bounds.site)} < 1), so "
            "every start reaches the one fixed point."
        )
    rho = _beside_one(bounds.whole)
    if bounds.certified:
        return f"Certified: rho = {rho} < 1, so relaxation contracts from every start to one fixed point."
    told = f"Not certified (rho = {rho})"
    if not settled:
        told += "; neither relaxation nor acceleration found a fixed point from the given start"
    else:
        told += _stability(
            _beside_one(local.radius), local.radius, "m = 0" if empty else "the fixed point that was found"
        )
    return f"{told}{_ends(branches, starts, settled, elsewhere)}."


def _stability(shown: str, radius: float, point: str) -> str:
    if radius > MARGINAL:
        return f"; relaxation leaves {point} (local radius {shown} > 1)"
    if radius > 1.0 - 1e-6:
        return f"; {point} is marginal (local radius 1), as where a direction is free"
    return f", but relaxation returns to {point} (local radius {shown} < 1)"


def _ends(branches: Branches, starts: int, settled: bool, elsewhere: bool) -> str:
    """Say where the random starts ended."""
    if not starts:  # nobody asked for them
        return ""
    reached = starts - branches.unconverged
    if not reached:
        return f"; none of {starts} random starts settled at a fixed point"
    some = f"{reached} random start{'s' if reached > 1 else ''}"
    if len(branches.found) > 1:
        told = f"; multistable: {len(branches.found)} distinct fixed points, {_lengths(branches.found)}"
    elif elsewhere:
        other = "another" if settled else "one"
        told = f"; {some} end{'' if reached > 1 else 's'} at {other} fixed point, {_lengths(branches.found)}"
    else:
        told = f"; {some} reached no other"
    return told + (f"; {branches.unconverged} did not settle" if branches.unconverged else "")


def _lengths(found: list[Branch]) -> str:
    shown = ", ".join(f"{branch.length:.3g}" for branch in found[:4])
    return f"with |m|/R = {shown}{', ...' if len(found) > 4 else ''}"

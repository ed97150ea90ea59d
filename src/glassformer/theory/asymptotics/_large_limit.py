"""Infinite size: N and D to infinity, Gaussian couplings of any asymmetry, fields of one length."""

from __future__ import annotations

import math
import time
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from glassformer._core._errors import MethodNotApplicableError, invalid
from glassformer._core._status import Status, attach_evidence
from glassformer._core._validation import as_choice, as_number
from glassformer.couplings import Asymmetric, SherringtonKirkpatrick
from glassformer.theory.asymptotics._elliptic import elliptic_steady_state
from glassformer.theory.asymptotics._mean_field import mean_field_square, replica_symmetric_square

if TYPE_CHECKING:
    import xarray as xr

_SPREAD = {"bal": 0.5, "sqrt_d": 1.0}  # R^2 / D
_EQUILIBRIUM = ("SaddlePoint", "AdaptiveTAP")


@dataclass(frozen=True, slots=True)
class LargeLimit:
    r"""The limit :math:`N,D\to\infty` of a Gaussian law of couplings with fields :math:`\lVert\mathbf x_i\rVert=hR`.

    With J the scale of the couplings, :math:`b=2\beta R^2/D` (:math:`b=\beta` for ``radius="bal"``) and
    :math:`\hat q=m^2/R^2`, independent couplings (``asymmetry=1``) obey exactly

    .. math:: a=\frac b{1+\sqrt{1+b^2(h^2+J^2)}},\qquad \hat q=\frac{a^2h^2}{1-a^2J^2},\qquad
              \frac\sigma{ND}=\frac{baJ^2}2(1-\hat q),\qquad \langle\cos(\mathbf s,\mathbf x)\rangle=ah .

    ``GramClosure`` gives this, and the exact answer at any other ``asymmetry`` from the resolvent of the elliptic law.
    Naive mean field and TAP (r = 0 and 1) replace the equation of :math:`\hat q` by

    .. math:: Y+r\frac{J^2}Y=S+\eta\frac{J^2}S,\qquad Y=\frac2{b(1-\hat q)},\qquad S=\sqrt{\frac{h^2+J^2\hat q}{\hat q}},

    :math:`\eta` being 0 for independent and 1 for symmetric couplings. For symmetric couplings the exact,
    replica-symmetric answer is Y = S: the equation that naive mean field has for *independent* couplings, here with the
    reaction of the neighbours inside the cavity field. ``GramClosure``, ``TAP``, ``SaddlePoint`` and ``AdaptiveTAP``
    return it; ``NaiveMeanField`` returns what it gives on a large symmetric sample, which is not exact.

    Parameters
    ----------
    law : Asymmetric or SherringtonKirkpatrick
        With mean 0.
    strength : float
        h.
    radius : {"bal", "sqrt_d"}
        The convention of R, which fixes :math:`R^2/D=\frac12` or 1 and with it the scale of temperature.

    References
    ----------
    Bal 2023 and Honkoop 2025 (mean field); Sommers et al. 1988, Phys. Rev. Lett. 60, 1895 (elliptic law); this package.

    Examples
    --------
    >>> import glassformer as gf
    >>> limit = gf.solve(gf.LargeLimit(gf.Asymmetric()), gf.GramClosure(beta=2.0))
    >>> round(float(limit.magnetization_norm), 4), round(float(limit.alignment_of_mean), 4)
    (0.5774, 0.866)
    """

    law: Any
    strength: float = 1.0
    _: KW_ONLY
    radius: str = "bal"

    citations: ClassVar[tuple[str, ...]] = ("glassformer", "bal2023", "honkoop2025")

    def __post_init__(self) -> None:
        as_number("strength", self.strength, minimum=0.0)
        if not isinstance(self.law, Asymmetric | SherringtonKirkpatrick):
            raise invalid(
                "law", self.law, "Asymmetric or SherringtonKirkpatrick", "sample the law and solve the sample"
            )
        as_choice("radius", self.radius, tuple(_SPREAD))

    @property
    def symmetry(self) -> float:
        r"""The correlation :math:`\eta` of :math:`J_{ij}` with :math:`J_{ji}`."""
        return float(self.law.symmetry)


def solve_ensemble(ensemble: Any, method: Any) -> xr.Dataset:
    r"""Return the limit of infinite size of a law (or `LargeLimit`) under a theory, as scalars.

    Variables: ``magnetization_norm`` (:math:`|\mathbf m|/R`), ``alignment_of_mean`` :math:`\cos(\mathbf m,\mathbf x)`,
    ``mean_of_alignment`` :math:`\langle\cos(\mathbf s,\mathbf x)\rangle` and
    ``entropy_production_per_spin_and_component``. The alignments are left out without a field. ``GramClosure`` adds
    ``relaxation_rate`` (per step) and ``relaxation_angle`` of the slowest modes, the tips of the ellipse of eigenvalues of
    aJ; independent couplings have a disc, whose slowest modes turn by any angle (NaN).

    Raises
    ------
    MethodNotApplicableError
        When the method has no closed form for this law; the message names those that have.
    """
    import xarray as xr

    clock = time.perf_counter()
    limit = ensemble if isinstance(ensemble, LargeLimit) else _as_limit(ensemble)
    law, name, symmetric = limit.law, type(method).__name__, limit.symmetry == 1.0
    _check(limit, method)
    spread = _SPREAD[limit.radius]
    b, scale, strength = 2.0 * spread * float(method.beta), float(law.scale), float(limit.strength)
    production, branches, note = 0.0, 1, ""
    thermal: dict[str, float] = {}
    found = elliptic_steady_state(b, scale, strength, limit.symmetry) if name == "GramClosure" else None
    if symmetric and name != "NaiveMeanField":
        square = replica_symmetric_square(b, scale, strength)
        thermal = _thermal(float(method.beta), spread, scale, strength, square)
        note = "The exact replica-symmetric answer: the cavity field contains the reaction of the neighbours."
    elif name == "GramClosure":
        if found is None:
            raise MethodNotApplicableError(
                f"GramClosure has no homogeneous steady state for {limit} at beta = {method.beta:g}: collective modes "
                "condense; raise the temperature or the strength, or sample the law and solve the sample."
            )
        square, production = found.square, found.production
        note = "Exact as N and D grow."
    else:
        square, branches, note = mean_field_square(b, scale, strength, reaction=name == "TAP", symmetry=limit.symmetry)
        # first-order Plefka, sigma / (N D) = (beta J V)^2 (1 - eta) with V = R^2 (1 - q) / D
        production = (1.0 - limit.symmetry) * (0.5 * b * scale * (1.0 - square)) ** 2
    norm = math.sqrt(square)
    variables = {"magnetization_norm": norm, "entropy_production_per_spin_and_component": production, **thermal}
    if strength > 0.0:
        variables |= _alignments(limit, norm)
    if found is not None:
        rate, angle = found.slowest_mode(limit.symmetry)
        variables |= {"relaxation_rate": rate, "relaxation_angle": angle}
    variables["residual"] = 0.0
    citations = (*limit.citations, *law.citations, *method.citations)
    return attach_evidence(
        xr.Dataset(variables),
        status=Status.CONVERGED,
        method=name,
        wall_time=time.perf_counter() - clock,
        citations=tuple(dict.fromkeys(citations)),
        beta=float(method.beta),
        branches=branches,
        residual=0.0,
        note=note or None,
    )


def _thermal(beta: float, spread: float, scale: float, strength: float, square: float) -> dict[str, float]:
    r"""Return overlap, energy and specific heat; :math:`d\hat q/d\beta` is that of Y = S."""
    slope = 0.0
    if square > 0.0:
        pinning = strength**2 / (square * (strength**2 + scale**2 * square))
        slope = 2.0 * (1.0 - square) / (beta * (2.0 + pinning * (1.0 - square)))
    interaction, field = 0.5 * beta * (scale * spread) ** 2, beta * (strength * spread) ** 2
    energy = -(interaction * (1.0 + square) + field) * (1.0 - square)
    by_square = 2.0 * interaction * square + field
    return {
        "overlap_normalized": square,
        "energy_per_spin_and_component": energy,
        "specific_heat_per_spin_and_component": -beta * energy - beta**2 * by_square * slope,
    }


def _alignments(limit: LargeLimit, norm: float) -> dict[str, float]:
    r"""Return both alignments of :math:`\mathbf m=a(1-aJ)^{-1}\mathbf x`.

    With g the resolvent of the elliptic law at 1/a (per unit J), :math:`\mathbf m\cdot\mathbf x\propto g` and
    :math:`m^2\propto g^2/(1-g^2)`, so that the cosine is :math:`\sqrt{1-g^2}=h/\sqrt{h^2+J^2\hat q}` at every asymmetry.
    """
    strength = float(limit.strength)
    cosine = strength / math.hypot(strength, float(limit.law.scale) * norm)
    return {"alignment_of_mean": cosine, "mean_of_alignment": norm * cosine}


def _as_limit(ensemble: Any) -> LargeLimit:
    if not isinstance(ensemble, Asymmetric | SherringtonKirkpatrick):
        raise MethodNotApplicableError(
            f"The limit of infinite size is known for Asymmetric and SherringtonKirkpatrick, not for "
            f"{type(ensemble).__name__}; sample the law and solve the sample."
        )
    return LargeLimit(ensemble)


def _check(limit: LargeLimit, method: Any) -> None:
    name, law = type(method).__name__, limit.law
    allowed = ("GramClosure", "NaiveMeanField", "TAP", *(_EQUILIBRIUM if limit.symmetry == 1.0 else ()))
    if law.mean != 0.0 or getattr(law, "self_coupling", False):
        # one more order parameter, and one more branch, that nobody has asked for yet
        raise MethodNotApplicableError(
            f"The limits need couplings of mean 0 without self-coupling, not {law}; sample the law and solve the sample."
        )
    if name not in allowed:
        raise MethodNotApplicableError(
            f"{name} has no closed form for {law}; {', '.join(allowed)} have one, or sample the law and solve the sample."
        )
    if name == "TAP" and getattr(method, "variant", "expanded") != "expanded":
        raise MethodNotApplicableError(
            f"TAP with variant={method.variant!r} has no closed form; variant='expanded' has one, or sample the law "
            "and solve the sample."
        )

"""The mean-field fixed point of couplings without loops, site after site."""

from __future__ import annotations

import numpy as np

from glassformer._core._errors import MethodNotApplicableError
from glassformer._core._responses import Response
from glassformer._core._validation import FloatArray
from glassformer.models import VectorSpin
from glassformer.theory._causality import causal_order

_ROUNDS = 200


def forward_substitution(model: VectorSpin, response: Response, beta: float) -> FloatArray:
    r"""Return the solution of :math:`\mathbf m_i=\varphi(\mathbf x_i+\sum_jJ_{ij}\mathbf m_j)` by one pass over the sites.

    With self-coupling the field :math:`\mathbf h=h\hat b` of a site in the drive :math:`\mathbf b` of the earlier ones solves
    :math:`h=b+J_{ii}RA(\beta Rh)`, whose one solution of positive h is taken (0 where the drive is 0).

    Raises
    ------
    MethodNotApplicableError
        For couplings with a loop.
    """
    order = causal_order(model.couplings)
    if order is None:
        raise MethodNotApplicableError(
            "solver is 'forward', but the couplings have a loop: forward substitution needs sites that act on later "
            "ones only, as under a causal mask; use solver='anderson' or solver='picard'."
        )
    means = np.zeros((model.n, model.dim))
    own = np.diag(model.couplings).copy()
    couplings = model.couplings.copy()
    np.fill_diagonal(couplings, 0.0)
    for place, site in enumerate(order):
        earlier = order[:place]
        drive = model.fields[site] + couplings[site, earlier] @ means[earlier]
        largest = float(np.abs(drive).max())
        if largest == 0.0:
            continue
        size = largest * float(np.linalg.norm(drive / largest))
        field = size if own[site] == 0.0 else _field_on_itself(size, float(own[site]), response, beta, model.r)
        gain = beta * model.r**2 * float(response.ratio_over_kappa(beta * model.r * field))
        means[site] = (gain * (field / size)) * drive
    return means


def _field_on_itself(drive: float, coupling: float, response: Response, beta: float, radius: float) -> float:
    """Return the positive root h of ``h - coupling R A(beta R h) = drive`` by Newton inside a shrinking bracket.

    A is concave, so the left side is convex or increasing: there is exactly one root.
    """
    low, high = max(0.0, drive + min(coupling, 0.0) * radius), drive + max(coupling, 0.0) * radius
    field = high
    for _ in range(_ROUNDS):
        values = response.evaluate(beta * radius * field)
        excess = field - coupling * radius * float(values.ratio) - drive
        if excess > 0:
            high = field
        else:
            low = field
        slope = 1.0 - coupling * beta * radius**2 * float(values.derivative)
        proposal = field - excess / slope if slope > 0 else 0.5 * (low + high)
        if not low <= proposal <= high:
            proposal = 0.5 * (low + high)
        if abs(proposal - field) <= 1e-16 * high:
            return proposal
        field = proposal
    return field

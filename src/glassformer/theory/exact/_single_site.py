"""One spin that sees its own past."""

from __future__ import annotations

import time
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from glassformer._core import _bessel
from glassformer._core._validation import as_count, as_number
from glassformer.models import VectorSpin
from glassformer.theory.exact._reference import attach, polar_grid, refuse_path, require

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True, slots=True)
class SelfCoupledSpin:
    r"""One spin under parallel dynamics with a self-coupling: :math:`\mathbf s'\sim e^{\beta\mathbf s'\cdot(\mathbf x+J_{11}\mathbf s)}`.

    The Peretto law :math:`\pi(\mathbf s)\propto e^{\beta\mathbf x\cdot\mathbf s+\ell_D(\beta R\lVert\mathbf x+J_{11}\mathbf s\rVert)}`
    depends on the angle to the field only, so all moments are integrals over one angle. ``residual`` is
    :math:`|\langle\varphi(\mathbf x+J_{11}\mathbf s)\rangle-\langle\mathbf s\rangle|/R`, which vanishes only if the law is
    stationary *and* the quadrature has converged.

    Parameters
    ----------
    beta : float
        Inverse temperature, at least 0.
    nodes : int
        Gauss-Legendre nodes in the angle.

    References
    ----------
    Peretto 1984, Biol. Cybern. 50, 51.

    Examples
    --------
    >>> import glassformer as gf
    >>> model = gf.VectorSpin([[0.5]], [[0.0, 1.0, 0.0]], radius="unit")
    >>> gf.solve(model, SelfCoupledSpin(beta=2.0))["magnetization"].values.round(4).tolist()
    [[0.0, 0.6124, 0.0]]
    """

    beta: float
    _: KW_ONLY
    nodes: int = 256

    citations: ClassVar[tuple[str, ...]] = ("peretto1984",)

    def __post_init__(self) -> None:
        as_number("beta", self.beta, minimum=0.0, next_step="pass a temperature T as beta = 1 / T")
        as_count("nodes", self.nodes, minimum=8)

    def solve(self, model: VectorSpin, *, start: Any = None, steps: int | None = None) -> xr.Dataset:
        """Return the moments of the steady state."""
        from glassformer.observables._summary import moments_dataset

        require(isinstance(model, VectorSpin) and model.n == 1, self, "one spin", "GramClosure or ParallelHeatBath")
        refuse_path(self, start, steps)
        clock = time.perf_counter()
        radius, coupling = model.r, float(model.couplings[0, 0])
        strength = float(np.linalg.norm(model.fields))
        axis = model.fields[0] / strength if strength > 0 else np.eye(model.dim)[0]
        w, sine, log_weight = polar_grid(model.dim, self.nodes)
        along = strength + coupling * radius * w
        kappa = self.beta * radius * np.hypot(along, coupling * radius * sine)
        log_law = log_weight + self.beta * radius * strength * w + _bessel.log_normalizer(kappa, model.dim)
        law = np.exp(log_law - log_law.max())
        law /= law.sum()
        gain = self.beta * radius**2 * _bessel.bessel_ratio_over_kappa(kappa, model.dim)
        mean = radius * float(law @ w)
        later = float(law @ (gain * along))
        delayed = float(law @ (gain * radius * (strength * w + coupling * radius)))
        dataset = moments_dataset(
            model,
            beta=self.beta,
            magnetization=mean * axis[None],
            correlation=np.array([[radius**2 - mean**2]]),
            delayed_correlation=np.array([[delayed - mean**2]]),
            entropy_production=0.0,
        )
        note = "Exact up to quadrature; one spin obeys detailed balance."
        return attach(dataset, model, self, clock=clock, residual=abs(later - mean) / radius, note=note)

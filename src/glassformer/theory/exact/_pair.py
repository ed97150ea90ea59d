"""Two spins whose fields lie on one line: a driven vector-spin steady state known to rounding."""

from __future__ import annotations

import time
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from glassformer._core import _bessel
from glassformer._core._validation import FloatArray, as_choice, as_count, as_number
from glassformer.models import VectorSpin
from glassformer.theory.exact._reference import attach, polar_grid, refuse_path, require
from glassformer.theory.exact._stationary import stationary_law

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True, slots=True)
class CollinearPair:
    r"""Two spins of D >= 2 components with :math:`\mathbf x_1\parallel\mathbf x_2`, any :math:`J_{12}` and :math:`J_{21}`.

    In parallel dynamics :math:`\mathbf s_1(t)\to\mathbf s_2(t+1)\to\mathbf s_1(t+2)` is a chain of its own, so spins at
    equal times are independent. Averaged over the azimuth, the step from :math:`w=\cos\theta` of one spin to that of the
    other has the kernel

    .. math:: K(w'|w)\,dw'=\exp\!\big[\beta Rw'(x+JRw)+\ell_{D-1}(\beta R^2|J|\sin\theta\sin\theta')-\ell_D(\kappa(w))\big]\,d\mu_D(w'),

    with :math:`\kappa(w)=\beta R\lVert\mathbf x+J\mathbf s\rVert` and :math:`\mu_D` the uniform law. Its stationary law is
    computed on Gauss-Legendre nodes. ``residual`` is the largest departure of the row sums of K from 1 under that law.

    Parameters
    ----------
    beta : float
        Inverse temperature, at least 0.
    update : {"parallel", "sequential"}
        The steady state of parallel dynamics (with its delayed correlations and entropy production), or the Boltzmann
        law (needs :math:`J_{12}=J_{21}`).
    nodes : int
        Nodes in the angle; 256 resolve concentrations up to about 5000.

    References
    ----------
    Peretto 1984, Biol. Cybern. 50, 51 (the parallel law of symmetric couplings).

    Examples
    --------
    >>> import glassformer as gf
    >>> model = gf.VectorSpin([[0.0, 2.0], [-1.0, 0.0]], [[0.5, 0.0, 0.0], [1.0, 0.0, 0.0]], radius="unit")
    >>> exact = gf.solve(model, CollinearPair(beta=1.0))
    >>> exact["magnetization"].values[:, 0].round(4).tolist(), round(float(exact["entropy_production"]), 4)
    ([0.2342, 0.2238], 2.3187)
    """

    beta: float
    _: KW_ONLY
    update: str = "parallel"
    nodes: int = 256

    citations: ClassVar[tuple[str, ...]] = ("peretto1984",)

    def __post_init__(self) -> None:
        as_number("beta", self.beta, minimum=0.0, next_step="pass a temperature T as beta = 1 / T")
        as_choice("update", self.update, ("parallel", "sequential"))
        as_count("nodes", self.nodes, minimum=8)

    def solve(self, model: VectorSpin, *, start: Any = None, steps: int | None = None) -> xr.Dataset:
        """Return the moments of the steady state."""
        from glassformer.observables._summary import moments_dataset

        needs = "two spins of at least 2 components with collinear fields"
        others = "Enumeration (D = 1), GramClosure, GaussianClosure or a simulation"
        require(isinstance(model, VectorSpin) and model.n == 2 and model.dim > 1, self, needs, others)
        lengths = np.linalg.norm(model.fields, axis=1)
        strongest = int(np.argmax(lengths))
        axis = model.fields[strongest] / lengths[strongest] if lengths.any() else np.eye(model.dim)[0]
        signed = model.fields @ axis
        across = np.linalg.norm(model.fields - np.outer(signed, axis))
        require(across <= 1e-12 * max(lengths.max(), 1e-300), self, needs, others)
        if self.update == "parallel":
            require(not np.diag(model.couplings).any(), self, needs + " and no self-coupling", others)
        else:
            require(model.symmetric, self, needs + " and symmetric couplings (Boltzmann law)", others)
        refuse_path(self, start, steps)
        clock = time.perf_counter()

        onto = [self._step(model, signed, site) for site in (0, 1)]  # onto[0]: from the angle of spin 1 to that of 0
        first = stationary_law(_rows_to_one(onto[1][0]) @ _rows_to_one(onto[0][0]))
        second = first @ onto[1][0]
        laws = (first, second)
        cosines = polar_grid(model.dim, self.nodes)[0]
        mean = model.r * np.array([law @ cosines for law in laws])
        raw = np.zeros((2, 2))  # <s_i(t+1) . s_j(t)>
        raw[0, 1], raw[1, 0] = laws[1] @ onto[0][1], laws[0] @ onto[1][1]
        residual = max(float(law @ np.abs(step[0].sum(axis=1) - 1.0)) for law, step in zip(laws[::-1], onto))
        delayed = raw - np.outer(mean, mean)
        np.fill_diagonal(delayed, 0.0)
        correlation = np.diag(model.r**2 - mean**2)
        if self.update == "sequential":
            correlation[0, 1] = correlation[1, 0] = delayed[1, 0]
        dataset = moments_dataset(
            model,
            beta=self.beta,
            magnetization=np.outer(mean, axis),
            correlation=correlation,
            delayed_correlation=delayed if self.update == "parallel" else None,
        )
        return attach(dataset, model, self, clock=clock, residual=residual, note="Exact up to quadrature.")

    def _step(self, model: VectorSpin, signed: FloatArray, site: int) -> tuple[FloatArray, FloatArray]:
        """Return the kernel (old angle, new angle) onto `site`, and the expected s'.s at each old angle."""
        coupling, field, radius = float(model.couplings[site, 1 - site]), float(signed[site]), model.r
        w, sine, log_weight = polar_grid(model.dim, self.nodes)
        along = field + coupling * radius * w
        kappa = self.beta * radius * np.hypot(along, coupling * radius * sine)
        swing = self.beta * radius**2 * abs(coupling) * np.outer(sine, sine)
        log_kernel = self.beta * radius * np.outer(along, w) + _bessel.log_normalizer(swing, model.dim - 1)
        log_kernel += log_weight - _bessel.log_normalizer(kappa, model.dim)[:, None]
        gain = self.beta * radius**2 * _bessel.bessel_ratio_over_kappa(kappa, model.dim)
        return np.exp(log_kernel), gain * radius * (field * w + coupling * radius)


def _rows_to_one(kernel: FloatArray) -> FloatArray:
    return kernel / kernel.sum(axis=1, keepdims=True)

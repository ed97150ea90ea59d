"""Open chains and trees without fields, exact in every dimension."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from glassformer._core import _bessel
from glassformer._core._validation import FloatArray, as_number, require_symmetric
from glassformer.models import VectorSpin
from glassformer.theory.exact._reference import attach, refuse_path, require

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True, slots=True)
class ZeroFieldTree:
    r"""The Boltzmann law of couplings without loops and without fields, at any D and R.

    Every bond is independent of the others. With :math:`\kappa_e=\beta R^2J_e` (A odd, :math:`\ell` even)

    .. math:: \langle\mathbf s_i\cdot\mathbf s_j\rangle=R^2\!\!\prod_{e\in{\rm path}(i,j)}\!\!A_D(\kappa_e),\quad
              \log Z=\sum_e\ell_D(\kappa_e),\quad u=-\frac{R^2}N\sum_eJ_eA_D(\kappa_e),\quad
              c=\frac1N\sum_e\kappa_e^2A_D'(\kappa_e).

    It is what `SequentialHeatBath` and `ParallelTempering` sample; the diagonal of J is ignored.

    Parameters
    ----------
    beta : float
        Inverse temperature, at least 0.

    References
    ----------
    Stanley 1969, Phys. Rev. 179, 570 (open chain of D-component spins).

    Examples
    --------
    >>> import glassformer as gf, numpy as np
    >>> chain = gf.VectorSpin(np.diag([1.0, -2.0], 1) + np.diag([1.0, -2.0], -1), dim=3, radius="unit")
    >>> gf.solve(chain, ZeroFieldTree(beta=1.0))["correlation"].values[0].round(4).tolist()
    [1.0, 0.313, -0.1682]
    """

    beta: float

    citations: ClassVar[tuple[str, ...]] = ("stanley1969",)

    def __post_init__(self) -> None:
        as_number("beta", self.beta, minimum=0.0, next_step="pass a temperature T as beta = 1 / T")

    def solve(self, model: VectorSpin, *, start: Any = None, steps: int | None = None) -> xr.Dataset:
        """Return the moments and the thermodynamics."""
        from glassformer.observables._summary import moments_dataset

        needs = "a VectorSpin with symmetric couplings without loops and without fields"
        alternatives = "AdaptiveTAP, SaddlePoint or SequentialHeatBath"
        require(isinstance(model, VectorSpin) and not model.fields.any(), self, needs, alternatives)
        require_symmetric("couplings", model.couplings, method="ZeroFieldTree", alternatives="GramClosure")
        refuse_path(self, start, steps)
        clock = time.perf_counter()
        first, second = np.nonzero(np.triu(model.couplings, 1))
        bonds = model.couplings[first, second]
        kappa = self.beta * model.r**2 * np.abs(bonds)
        gain = np.sign(bonds) * _bessel.bessel_ratio(kappa, model.dim)
        correlation = self._correlation(model.n, first, second, gain)
        require(correlation is not None, self, needs, alternatives)
        assert correlation is not None
        dataset = moments_dataset(
            model,
            beta=self.beta,
            magnetization=np.zeros((model.n, model.dim)),
            correlation=model.r**2 * correlation,
            delayed_correlation=None,
        )
        slope = _bessel.bessel_ratio_derivative(kappa, model.dim)
        log_z = float(_bessel.log_normalizer(kappa, model.dim).sum()) / model.n
        dataset["free_energy"] = -log_z / self.beta if self.beta > 0 else 0.0
        dataset["entropy"] = float(_bessel.entropy(kappa, model.dim).sum()) / model.n
        dataset["specific_heat"] = float((kappa**2 * slope).sum()) / model.n
        note = "Exact. entropy and free_energy are per spin, relative to the uniform law."
        return attach(dataset, model, self, clock=clock, residual=0.0, note=note)

    @staticmethod
    def _correlation(n: int, first: Any, second: Any, gain: FloatArray) -> FloatArray | None:
        """Return the products of `gain` along paths, or None when there is a loop."""
        correlation = np.eye(n)
        group = np.arange(n)
        for i, j, value in zip(first, second, gain):
            if group[i] == group[j]:
                return None
            left, right = group == group[i], group == group[j]
            joined = value * np.outer(correlation[left][:, i], correlation[j, right])
            correlation[np.ix_(left, right)] = joined
            correlation[np.ix_(right, left)] = joined.T
            group[right] = group[i]
        return correlation

"""Relaxation of a steady state: modes, lagged correlations, response to a pulse of the fields."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from glassformer._core._errors import MethodNotApplicableError
from glassformer._core._random import normals
from glassformer._core._status import Status, attach_evidence, evidence
from glassformer._core._validation import FloatArray, as_count
from glassformer.models import VectorSpin
from glassformer.observables._relaxation import Modes
from glassformer.theory.closures import GramClosure
from glassformer.theory.closures._common import MATRICES_UP_TO, require_vector_spin
from glassformer.theory.exact import Enumeration

if TYPE_CHECKING:
    import xarray as xr

_LAGS = 16
_DENSE = 512  # states; larger chains give their leading modes by Arnoldi iteration


@dataclass(frozen=True, slots=True)
class Relaxation:
    r"""How the steady state that `method` finds relaxes, fluctuates and responds.

    In the Gram closure fluctuations move linearly, with :math:`M=\mathrm{diag}(a)J`:

    .. math:: C(\tau)=M^\tau C,\qquad
              R(\tau)=\frac{\partial\mathbf m(t+\tau)}{\partial\mathbf x(t)}\Big|_\perp=M^\tau\mathrm{diag}(a),

    and the eigenvalues :math:`\lambda` of M are the relaxation modes. By enumeration (one component), with the transition
    matrix P, :math:`C_{ij}(\tau)=\mathrm{Cov}[(P^\tau s_i)s_j]`, the modes are the eigenvalues of P other than 1, and

    .. math:: R_{ij}(\tau)=\beta\big\{C_{ij}(\tau)-\mathrm{Cov}[(P^{\tau+1}s_i)(Ps_j)]\big\}

    for parallel updates.

    Parameters
    ----------
    method : GramClosure or Enumeration

    Notes
    -----
    ``solve(model, Relaxation(method), steps=K)`` returns lags 0 to K (16 if left out): ``mode_rate (mode)``,
    :math:`-\log|\lambda|` per step, slowest first, and ``mode_angle (mode)``, :math:`\arg\lambda`, for the N slowest
    modes; ``relaxation_rate`` and ``relaxation_angle`` of the slowest; ``autocorrelation (lag)``,
    :math:`\mathrm{Tr}C(\tau)/\mathrm{Tr}C(0)`; up to 256 spins ``lagged_correlation (lag, site, site_)``, first index later,
    summed over components; ``response (lag, site, site_)``, where a field at lag 0 acts on the draw of that time. The
    response of the Gram closure is that across the mean; strictly causal couplings have no mode at all (infinite rates):
    everything is over after N steps.

    References
    ----------
    Gram closure: this package. Agarwal 1972, Z. Physik 252, 25 (response of a Markov process out of equilibrium).

    Examples
    --------
    >>> import glassformer as gf
    >>> model = gf.VectorSpin([[0.0, 0.6], [-0.6, 0.0]], dim=4)
    >>> answer = gf.solve(model, Relaxation(gf.GramClosure(beta=1.0)), steps=2)
    >>> answer["mode_angle"].values.round(4).tolist(), float(answer["autocorrelation"][2]) < 0
    ([1.5708, -1.5708], True)
    """

    method: Any

    citations: ClassVar[tuple[str, ...]] = ("glassformer", "agarwal1972")

    def __post_init__(self) -> None:
        if not isinstance(self.method, GramClosure | Enumeration):
            raise MethodNotApplicableError(
                f"Relaxation needs GramClosure(beta=...) or Enumeration(beta=...), not {self.method!r}; the modes that any "
                "pair of correlations shows are in glassformer.observables.relaxation_modes."
            )

    def solve(
        self, model: VectorSpin, *, start: str | npt.ArrayLike | None = None, steps: int | None = None
    ) -> xr.Dataset:
        """Return modes, lagged correlations and response of the steady state reached from `start`, for `steps` lags."""
        import xarray as xr

        model = require_vector_spin(model, self)
        lags = _LAGS if steps is None else as_count("steps", steps, minimum=0)
        clock = time.perf_counter()
        steady = self.method.solve(model, start=start, steps=None)
        of = _of_gram if isinstance(self.method, GramClosure) else _of_enumeration
        found = of(self.method, model, steady, lags)
        modes = found.modes
        variables: dict[str, Any] = {
            "mode_rate": ("mode", modes.rate),
            "mode_angle": ("mode", modes.angle),
            "relaxation_rate": float(modes.rate[0]),
            "relaxation_angle": abs(float(modes.angle[0])),
            "autocorrelation": ("lag", found.autocorrelation),
            "residual": float(steady["residual"]),
        }
        dims = ("lag", "site", "site_")
        if found.lagged is not None:
            variables["lagged_correlation"] = (dims, found.lagged)
        if found.response is not None:
            variables["response"] = (dims, found.response)
        dataset = xr.Dataset(variables, coords={"lag": np.arange(lags + 1)})
        for name in ("mode_rate", "relaxation_rate"):
            dataset[name].attrs["units"] = "per step"
        for name in ("mode_angle", "relaxation_angle"):
            dataset[name].attrs["units"] = "radians per step"
        told = evidence(steady)
        return attach_evidence(
            dataset,
            status=Status(told["status"]),
            method=f"Relaxation({told['method']})",
            wall_time=time.perf_counter() - clock,
            citations=tuple(dict.fromkeys((*told["citations"], *self.citations))),
            **{key: told.get(key) for key in ("model", "process", "beta", "response", "residual", "note")},
        )


class _Found(NamedTuple):
    modes: Modes
    autocorrelation: FloatArray
    lagged: FloatArray | None
    response: FloatArray | None


def _of_gram(method: GramClosure, model: VectorSpin, steady: xr.Dataset, lags: int) -> _Found:
    gain = steady["gain"].values
    propagator = gain[:, None] * model.couplings
    lagged, pulse = steady["correlation"].values, np.diag(gain)
    matrices = model.n <= MATRICES_UP_TO
    traces, all_lagged, all_pulses = [], [], []
    for lag in range(lags + 1):
        traces.append(float(np.trace(lagged)))
        if matrices:
            all_lagged.append(lagged)
            all_pulses.append(pulse)
            pulse = propagator @ pulse
        if lag < lags:
            lagged = propagator @ lagged
    modes = Modes.of(np.linalg.eigvals(propagator).astype(np.complex128))
    stacked = (np.stack(all_lagged), np.stack(all_pulses)) if matrices else (None, None)
    return _Found(modes, _normalized(traces), *stacked)


def _of_enumeration(method: Enumeration, model: VectorSpin, steady: xr.Dataset, lags: int) -> _Found:
    transition, law, states = method.transition_matrix(model), method.stationary_law(model), method.states(model)
    mean = law @ states
    observable, earlier = states - mean, law[:, None] * (states - mean)
    before = transition @ observable  # the mean of a spin given the step before
    lagged, pulses = [], []
    for _ in range(lags + 1):
        later = transition @ observable
        lagged.append(observable.T @ earlier)
        pulses.append(method.beta * (lagged[-1] - later.T @ (law[:, None] * before)))
        observable = later
    modes = Modes.of(_leading(transition, model.n))
    traces = [float(np.trace(matrix)) for matrix in lagged]
    parallel = method.update == "parallel"  # one draw per spin and step, on which a pulse acts
    return _Found(modes, _normalized(traces), np.stack(lagged), np.stack(pulses) if parallel else None)


def _normalized(traces: list[float]) -> FloatArray:
    if traces[0] <= 0.0:  # every spin is definite
        return np.where(np.arange(len(traces)) > 0, 0.0, 1.0)
    return np.array(traces) / traces[0]


def _leading(transition: FloatArray, count: int) -> npt.NDArray[np.complex128]:
    """Return the `count` eigenvalues of largest modulus, without the one of the stationary law."""
    size = transition.shape[0]
    if size <= _DENSE:
        values = np.linalg.eigvals(transition).astype(np.complex128)
    else:
        from scipy.sparse.linalg import eigs

        start = normals(0, "relaxation/arnoldi", size)
        values = eigs(transition, k=count + 2, v0=start, return_eigenvectors=False)
    values = np.delete(values, int(np.argmin(np.abs(values - 1.0))))
    return values[np.argsort(-np.abs(values), kind="stable")][:count]

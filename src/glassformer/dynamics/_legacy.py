"""The published Metropolis sampler of H25, for reproduction only: it does not sample the model."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from glassformer._core._errors import invalid
from glassformer._core._random import check_seed, stream_key
from glassformer._core._status import Status, attach_evidence, raise_if_failed
from glassformer._core._validation import FloatArray, as_choice, as_count, as_float_array, as_number
from glassformer.models import VectorSpin

if TYPE_CHECKING:
    import xarray as xr

RATIOS = ("stationary", "kinetic_previous", "kinetic_reversed")
REFRESH_EVERY = 100_000  # moves; the incremental fields are recomputed then
_SERIES = ("field_cosine", "target_cosine", "norm", "cost")


@dataclass(frozen=True, slots=True)
class LegacyLossMetropolis:
    r"""Metropolis on the squared loss of H25, with spins of free length (legacy: not a sampler of the model).

    .. math:: E(\mathbf a|\mathbf b)=\tfrac12\sum_i\lVert\mathbf a_i-R\hat u_i(\mathbf b)\rVert^2,\qquad
              \hat u_i(\mathbf b)=\frac{\mathbf x_i+\sum_jJ_{ij}\mathbf b_j}{\lVert\cdot\rVert}.

    A move adds a Gaussian of width ``step_size`` per component to one random spin, :math:`\mathbf s\to\mathbf s'`, and is
    accepted with probability :math:`\min(1,e^{-\beta\Delta})`:

    * ``stationary``: :math:`\Delta=E(\mathbf s'|\mathbf s')-E(\mathbf s|\mathbf s)`;
    * ``kinetic_previous``: :math:`\Delta=E(\mathbf s'|\mathbf s_t)-E(\mathbf s_t|\mathbf s_{t-1})`;
    * ``kinetic_reversed``: :math:`\Delta=E(\mathbf s'|\mathbf s_t)-E(\mathbf s_t|\mathbf s')`.

    Parameters
    ----------
    beta : float
        Multiplies the loss; not the inverse temperature of the model.
    step_size : float, optional
        By default :math:`1/(N\sqrt D)`, as published.
    ratio : {"stationary", "kinetic_previous", "kinetic_reversed"}

    References
    ----------
    Honkoop 2025, sections 3 and A.2.

    Examples
    --------
    >>> LegacyLossMetropolis(2.0).ratio
    'stationary'
    """

    beta: float
    step_size: float | None = None
    ratio: str = "stationary"

    citations: ClassVar[tuple[str, ...]] = ("honkoop2025",)

    def __post_init__(self) -> None:
        as_number("beta", self.beta, minimum=0.0)
        if self.step_size is not None:
            as_number("step_size", self.step_size, minimum=0.0, exclusive_minimum=True)
        as_choice("ratio", self.ratio, RATIOS)


def legacy_run(
    model: VectorSpin,
    dynamics: LegacyLossMetropolis,
    *,
    moves: int,
    records: int = 100,
    spacing: str = "linear",
    burn_in: int = 0,
    burn_in_step: float | None = None,
    replicas: int = 1,
    seed: int | None = None,
    start: FloatArray | None = None,
    progress: Callable[[float, float], None] | None = None,
    throw: bool = True,
) -> xr.Dataset:
    r"""Run the legacy sampler and record it at chosen numbers of single-site moves.

    Parameters
    ----------
    moves, records : int
        Number of moves, and of records among them.
    spacing : {"linear", "log"}
        How the records are spread.
    burn_in : int
        Moves before the first recorded one; not counted in `moves`.
    burn_in_step : float, optional
        Step of the burn-in. The law of the ratio ``stationary`` does not depend on the step, so that wide steps
        (see `wide_step`) reach it hundreds of times sooner than the published one. By default the step of `dynamics`.
    replicas : int
        Independent chains; all start from the same published state unless `start` says otherwise.
    start : array (site, component), optional
        By default :math:`1/\sqrt D` in every component, as published.

    Returns
    -------
    Dataset
        With dims ``(replica, move)``: ``field_cosine`` (mean of :math:`\cos(\mathbf s_i,\mathbf x_i)`),
        ``target_cosine`` (one global cosine between the spins and :math:`R\hat u(\mathbf s)`), ``norm`` (mean length),
        ``cost`` (per spin); ``acceptance (replica)`` and ``magnetization (site, component)``, the mean over records,
        and ``spins (replica, site, component)``, the last configurations.

    Examples
    --------
    >>> import glassformer as gf
    >>> model = gf.VectorSpin(gf.Asymmetric().sample(n=8, seed=1), gf.sphere_fields(8, dim=4, seed=2))
    >>> legacy_run(model, LegacyLossMetropolis(5.0), moves=1000, records=10, seed=3)["norm"].dims
    ('replica', 'move')
    """
    import xarray as xr

    from glassformer._core._philox import split_key
    from glassformer.dynamics._kernels._legacy import advance, refresh

    moves, records = as_count("moves", moves), as_count("records", records)
    burn_in, replicas, seed = as_count("burn_in", burn_in, minimum=0), as_count("replicas", replicas), check_seed(seed)
    as_choice("spacing", spacing, ("linear", "log"))
    clock = time.perf_counter()
    spins = _start(model, start)
    spread = np.geomspace(1, moves, records) if spacing == "log" else np.linspace(moves / records, moves, records)
    at = np.unique(np.rint(spread).astype(np.int64))
    n, dim = spins.shape
    step_size = dynamics.step_size or 1.0 / (n * math.sqrt(dim))
    first_step = step_size if burn_in_step is None else as_number("burn_in_step", burn_in_step, minimum=0.0)
    couplings_t, fields_t = np.ascontiguousarray(model.couplings.T), np.ascontiguousarray(model.fields.T)
    key = split_key(stream_key(seed, f"dynamics/legacy/{dynamics.ratio}"))
    series = {name: np.empty((replicas, len(at))) for name in _SERIES}
    accepted = np.zeros(replicas)
    mean = np.zeros((n, dim))
    last = np.empty((replicas, n, dim))
    finite = True
    for replica in range(replicas):
        state = np.empty((dim, 2 * n))
        state[:, n:] = spins.T
        square, product, cosine = np.empty(n), np.empty(n), np.empty(n)
        refresh(state, couplings_t, fields_t, square, product, cosine)
        gap, done = 0.0, 0
        for index, target in enumerate([burn_in, *(burn_in + at)]):
            while done < target:
                count = min(int(target) - done, REFRESH_EVERY)
                number, gap = advance(
                    state, couplings_t, fields_t, square, product, cosine, gap, done, count, REFRESH_EVERY,
                    float(dynamics.beta), model.r, step_size if index else first_step, RATIOS.index(dynamics.ratio),
                    np.uint64(replica), *key,
                )  # fmt: skip
                accepted[replica] += number if index else 0
                done += count
                if progress is not None:
                    progress(replica * (burn_in + moves) + done, replicas * (burn_in + moves))
            if index:
                now = state[:, n:].T
                for name, value in _record(model, now, state[:, :n].T).items():
                    series[name][replica, index - 1] = value
                mean += now / (replicas * len(at))
        last[replica] = state[:, n:].T
        finite = finite and bool(np.isfinite(state).all())
    dataset = xr.Dataset(
        {
            **{name: (("replica", "move"), values) for name, values in series.items()},
            "acceptance": ("replica", accepted / moves),
            "magnetization": (("site", "component"), mean),
            "spins": (("replica", "site", "component"), last),
        },
        coords={"move": at},
    )
    attach_evidence(
        dataset,
        status=Status.OK if finite else Status.NONFINITE,
        method="LegacyLossMetropolis",
        wall_time=time.perf_counter() - clock,
        citations=(*model.citations, *dynamics.citations, "salmon2011"),
        seed=seed,
        averages_over="records of each chain",
        note="legacy: samples a squared loss with spins of free length, not the model",
    )
    return raise_if_failed(dataset, throw=throw)


def wide_step(beta: float, dim: int) -> float:
    r"""Return a step of which about a quarter is accepted, :math:`2/\sqrt{\beta D}`, at most 1.

    At a given target a spin is Gaussian with variance :math:`1/\beta` per component.
    """
    return min(1.0, 2.0 / math.sqrt(max(beta, 1e-300) * dim))


def _start(model: VectorSpin, start: FloatArray | None) -> FloatArray:
    shape = (model.n, model.dim)
    if start is None:
        return np.full(shape, 1.0 / math.sqrt(model.dim))
    spins = as_float_array("start", start, ndim=2)
    if spins.shape != shape:
        raise invalid("the shape of start", spins.shape, f"{shape}, which is (site, component)")
    return spins


def _record(model: VectorSpin, spins: FloatArray, fields: FloatArray) -> dict[str, float]:
    """Return what is recorded of one state; sites without a field have no target, and no cosine with it."""
    length, pull, drive = (np.linalg.norm(a, axis=1) for a in (spins, fields, model.fields))
    has_target, has_cosine = pull > 0, drive * length > 0
    along = np.einsum("ia,ia->i", spins, fields) / np.where(has_target, pull, 1.0)
    cosines = np.einsum("ia,ia->i", spins, model.fields)[has_cosine] / (drive * length)[has_cosine]
    whole = math.sqrt(float(np.sum(length**2)) * int(has_target.sum()))
    return {
        "field_cosine": float(cosines.sum()) / max(len(cosines), 1),
        "target_cosine": float(along.sum()) / whole if whole > 0 else 0.0,
        "norm": float(length.mean()),
        "cost": 0.5 * float(np.mean(length**2 + model.r**2 * has_target - 2.0 * model.r * along)),
    }

"""The published Metropolis sampler of H25, for reproduction only: it does not sample the model."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from glassformer._core._random import check_seed, stream_key
from glassformer._core._status import Status, attach_evidence, raise_if_failed
from glassformer._core._validation import FloatArray, as_choice, as_count, as_number
from glassformer.models import VectorSpin

if TYPE_CHECKING:
    import xarray as xr

RATIOS = ("stationary", "kinetic_previous", "kinetic_reversed")
REFRESH_EVERY = 100_000  # moves; the incremental fields are recomputed then


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
    replicas : int
        Independent chains; all start from the same published state unless `start` says otherwise.
    start : array (site, component), optional
        By default :math:`1/\sqrt D` in every component, as published.

    Returns
    -------
    Dataset
        With dims ``(replica, move)``: ``field_cosine`` (mean of :math:`\cos(\mathbf s_i,\mathbf x_i)`),
        ``target_cosine`` (one global cosine between the spins and :math:`R\hat u(\mathbf s)`), ``norm`` (mean length),
        ``cost`` (per spin); ``acceptance (replica)`` and ``magnetization (site, component)``, the mean over records.

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
    replicas, seed = as_count("replicas", replicas), check_seed(seed)
    as_choice("spacing", spacing, ("linear", "log"))
    clock = time.perf_counter()
    n, dim = model.n, model.dim
    spread = np.geomspace(1, moves, records) if spacing == "log" else np.linspace(moves / records, moves, records)
    at = np.unique(np.rint(spread).astype(np.int64))
    step_size = dynamics.step_size or 1.0 / (n * math.sqrt(dim))
    spins = np.full((n, dim), 1.0 / math.sqrt(dim)) if start is None else np.asarray(start, dtype=np.float64)
    couplings_t, fields_t = np.ascontiguousarray(model.couplings.T), np.ascontiguousarray(model.fields.T)
    field_norm = np.linalg.norm(model.fields, axis=1)
    key = split_key(stream_key(seed, f"dynamics/legacy/{dynamics.ratio}"))
    names = ("field_cosine", "target_cosine", "norm", "cost")
    series = {name: np.empty((replicas, len(at))) for name in names}
    accepted = np.zeros(replicas)
    mean = np.zeros((n, dim))
    finite = True
    for replica in range(replicas):
        state = np.empty((dim, 2 * n))
        state[:, n:] = spins.T
        square, product, cosine = np.empty(n), np.empty(n), np.empty(n)
        refresh(state, couplings_t, fields_t, square, product, cosine)
        gap, done = 0.0, 0
        for index, target in enumerate(at):
            while done < target:
                count = min(int(target) - done, REFRESH_EVERY)
                number, gap = advance(
                    state, couplings_t, fields_t, square, product, cosine, gap, done, count, REFRESH_EVERY,
                    float(dynamics.beta), model.r, step_size, RATIOS.index(dynamics.ratio), np.uint64(replica), *key,
                )  # fmt: skip
                accepted[replica] += number
                done += count
                if progress is not None:
                    progress(replica * moves + done, replicas * moves)
            now, fields = state[:, n:].T, state[:, :n].T
            length, pull = np.linalg.norm(now, axis=1), np.linalg.norm(fields, axis=1)
            has_target = pull > 0
            unit = fields / np.where(has_target, pull, 1.0)[:, None]
            along = np.einsum("ia,ia->i", now, unit)
            scale = field_norm * length
            kept = scale > 0
            series["field_cosine"][replica, index] = np.sum(
                np.einsum("ia,ia->i", now, model.fields)[kept] / scale[kept]
            ) / max(int(kept.sum()), 1)
            total = math.sqrt(float(np.sum(length**2)) * max(int(has_target.sum()), 1))
            series["target_cosine"][replica, index] = float(along.sum()) / total if total > 0 else 0.0
            series["norm"][replica, index] = length.mean()
            series["cost"][replica, index] = 0.5 * float(
                np.mean(length**2 + model.r**2 * has_target - 2.0 * model.r * along)
            )
            mean += now / (replicas * len(at))
        finite = finite and bool(np.isfinite(state).all())
    dataset = xr.Dataset(
        {
            **{name: (("replica", "move"), values) for name, values in series.items()},
            "acceptance": ("replica", accepted / moves),
            "magnetization": (("site", "component"), mean),
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

"""States of least energy of one sample, by descents from random starts, with a certificate where there is one."""

from __future__ import annotations

import math
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from scipy.linalg import eigvalsh

from glassformer._core._errors import invalid
from glassformer._core._random import check_seed
from glassformer._core._status import Status, attach_evidence
from glassformer._core._validation import FloatArray, as_count
from glassformer.dynamics._motion import thread_count
from glassformer.models import VectorSpin
from glassformer.observables import aligned_overlaps, invariant_overlaps, off_diagonal, raw_overlaps
from glassformer.theory.equilibrium._common import symmetric_couplings

if TYPE_CHECKING:
    import xarray as xr

TOLERANCE = 1e-10  # largest move of a component in the last sweep, in units of R
AGREEMENT = 1e-8  # of the scale of the energy: descents this close to the best have found the same energy
RANK_THRESHOLD = 1e-4  # of N R^2: what counts as an eigenvalue of the Gram matrix


@dataclass(frozen=True, slots=True)
class GroundState:
    r"""Turn one spin after another into its local field, from random starts, until nothing moves:

    .. math:: \mathbf s_i\leftarrow R\,\frac{\mathbf h_i}{\lVert\mathbf h_i\rVert},\qquad
              \mathbf h_i=\mathbf x_i+\sum_{j\ne i}J_{ij}\mathbf s_j ,

    which never raises :math:`E=-\frac12\sum_{i\ne j}J_{ij}\mathbf s_i\cdot\mathbf s_j-\sum_i\mathbf x_i\cdot\mathbf s_i`. It
    needs symmetric couplings and ignores their diagonal. A descent ends when no component has moved by more than
    :math:`10^{-10}R` in a sweep. A spin whose field vanishes has no preferred direction and stays where it is.

    Every descent ends in a local minimum. With :math:`T=\mathrm{diag}(\lVert\mathbf h_i\rVert/R)` and :math:`\lambda` the
    smallest eigenvalue of :math:`T-J`, no state at all has an energy per spin below

    .. math:: E/N-\tfrac12R^2\max(0,-\lambda)\quad(\text{without fields}),\qquad
              E/N-2R^2\max(0,-\lambda)\quad(\text{with fields}),

    so that :math:`\lambda\ge0` certifies the global minimum. Without fields :math:`D(D+1)/2>N` makes spurious local
    minima exceptional: all descents reach the same state, up to one rotation of all spins.

    Parameters
    ----------
    descents : int
        Number of random starts.
    seed : int, optional
        Root seed of the starts; more descents leave the first unchanged.
    max_sweeps : int
        A descent that is longer has not converged.

    Notes
    -----
    Variables: ``energy`` (per spin, the best), ``energies (replica)``, ``energy_per_site_r2`` (the best over
    :math:`NR^2`), ``energy_lower_bound`` and ``energy_lower_bound_per_site_r2`` (of any state, in the units of the two
    energies), ``descents_agreeing`` (those within :math:`10^{-8}` of the best, relative to the mean
    :math:`R(\lVert\mathbf h_i\rVert+\lVert\mathbf x_i\rVert)`), ``gram_eigenvalues (mode)`` of
    :math:`\mathbf s_i\cdot\mathbf s_j/NR^2` and ``gram_rank`` (how many exceed :math:`10^{-4}`) of the best,
    ``gram_rank_bound`` (:math:`\sqrt{2N}`, for zero field), ``gram_ranks``, ``sweeps``, ``last_move`` (over R) and
    ``free_spins`` (replica), the overlaps between descents, and ``spins``.

    Cost :math:`N^2D` per sweep. Once moves are below :math:`10^{-2}R` and shrink slowly they are lengthened by successive
    over-relaxation, which does not raise the energy either and needs a few times fewer sweeps; the last sweep is always
    plain, from fields computed afresh.

    References
    ----------
    Boumal, Voroninski and Bandeira 2016 (no spurious minima); Aspelmeier and Moore 2004, Hastings 2000 (rank); Young
    1954, Trans. Am. Math. Soc. 76, 92 (over-relaxation).

    Examples
    --------
    >>> import glassformer as gf
    >>> model = gf.VectorSpin(gf.SherringtonKirkpatrick().sample(n=32, seed=1), dim=16)
    >>> found = gf.solve(model, GroundState(descents=4, seed=2))
    >>> int(found.descents_agreeing), int(found.gram_rank), found.attrs["certified"]
    (4, 3, 1)
    """

    descents: int = 8
    _: KW_ONLY
    seed: int | None = None
    max_sweeps: int = 50_000

    citations: ClassVar[tuple[str, ...]] = ("boumal2016", "aspelmeier2004", "hastings2000", "young1954", "salmon2011")

    def __post_init__(self) -> None:
        as_count("descents", self.descents)
        as_count("max_sweeps", self.max_sweeps)
        if self.seed is not None:
            check_seed(self.seed)

    def solve(self, model: VectorSpin, *, start: Any = None, steps: int | None = None) -> xr.Dataset:
        """Return the best state and how the descents compare; `start` and `steps` are refused."""
        import xarray as xr

        couplings = symmetric_couplings(model, self, steps)
        if start is not None:
            raise invalid(
                "start", start, "left out for GroundState", "it starts from random spins; pass descents and seed"
            )
        clock = time.perf_counter()
        couplings = 0.5 * (couplings + couplings.T)  # they may differ by rounding
        seed = check_seed(self.seed)
        # Spins of length 1, fields of order 1: no square can overflow or vanish, whatever the units of the user.
        unit = max(model.r * float(np.abs(couplings).max()), float(np.abs(model.fields).max())) or 1.0
        rows, drive = couplings * (model.r / unit), model.fields / unit
        spins, sweeps, moves, free = self._descend(
            rows, drive, model.r, model.random_spins(replicas=self.descents, seed=seed)
        )
        energies = model.energy(spins) + 0.0  # no negative zero
        best = int(np.argmin(energies))
        lengths = np.linalg.norm(drive + rows @ (spins[best] / model.r), axis=1)
        # E = -1/2 sum s.(h + x): the size of the terms that cancel in it
        scale = model.r * unit * float(np.mean(lengths + np.linalg.norm(drive, axis=1)))
        curvature = float(eigvalsh(np.diag(lengths) - rows, subset_by_index=[0, 0])[0])
        gap = (2.0 if model.fields.any() else 0.5) * model.r * unit * max(0.0, -curvature)
        values = np.linalg.svd(spins / (model.r * math.sqrt(model.n)), compute_uv=False) ** 2
        agreeing = int(np.sum(energies - energies[best] <= AGREEMENT * scale))
        certified = bool(gap <= AGREEMENT * scale and moves[best] <= TOLERANCE)
        ranks = np.sum(values > RANK_THRESHOLD, axis=1)
        dataset = xr.Dataset(
            {
                "energy": energies[best],
                "energy_per_site_r2": energies[best] / model.r**2,
                "energy_lower_bound": energies[best] - gap,
                "energy_lower_bound_per_site_r2": (energies[best] - gap) / model.r**2,
                "descents_agreeing": agreeing,
                "gram_rank": ranks[best],
                "gram_rank_bound": math.sqrt(2.0 * model.n),
                "gram_eigenvalues": ("mode", values[best]),
                "energies": ("replica", energies),
                "gram_ranks": ("replica", ranks),
                "sweeps": ("replica", sweeps),
                "last_move": ("replica", moves),
                "free_spins": ("replica", free),
                "spins": (("replica", "site", "component"), spins),
                **self._overlaps(model, spins),
            }
        )
        for name in ("energy", "energies", "energy_lower_bound"):
            dataset[name].attrs["units"] = "energy per spin, convention half"
        unfinished = int(np.sum(moves > TOLERANCE))
        return attach_evidence(
            dataset,
            status=Status.NOT_CONVERGED if unfinished else Status.CONVERGED,
            method="GroundState",
            wall_time=time.perf_counter() - clock,
            citations=tuple(dict.fromkeys((*model.citations, *self.citations))),
            model=model.digest,
            process="boltzmann",
            seed=seed,
            residual=float(moves.max()),
            iterations=int(sweeps.max()),
            tolerance=TOLERANCE,
            certified=certified,
            averages_over="nothing: the best of the descents",
            note=_describe(model, self.descents, agreeing, certified, unfinished),
        )

    def _descend(
        self, rows: FloatArray, fields: FloatArray, radius: float, starts: FloatArray
    ) -> tuple[FloatArray, np.ndarray, FloatArray, np.ndarray]:
        """Return the spins (replica, site, component) that each descent ends in, its sweeps, last move, free spins."""
        from glassformer.dynamics._kernels._descent import descend

        drive = np.ascontiguousarray(fields.T)
        terms = np.abs(rows).sum(axis=1) + np.linalg.norm(drive, axis=0)

        def one(start: FloatArray) -> tuple[FloatArray, int, float, int]:
            state = np.array(start.T / radius, order="C")
            ended = descend(rows, drive, state, terms, TOLERANCE, self.max_sweeps)
            return (state / np.linalg.norm(state, axis=0)).T * radius, *ended

        with ThreadPoolExecutor(min(thread_count(None), len(starts))) as pool:
            spins, sweeps, moves, free = zip(*pool.map(one, starts))
        return np.stack(spins), np.array(sweeps), np.array(moves), np.array(free)

    def _overlaps(self, model: VectorSpin, spins: FloatArray) -> dict[str, Any]:
        if self.descents < 2:
            return {}
        pairs = ("replica", "replica_")
        found = {
            "overlap": raw_overlaps(spins, radius=model.r),
            "overlap_invariant": invariant_overlaps(spins),
            "overlap_aligned": aligned_overlaps(spins, radius=model.r),
        }
        return {name: (pairs, matrix) for name, matrix in found.items()} | {
            "overlap_rms": float(np.sqrt(np.mean(off_diagonal(found["overlap"]) ** 2))),
            "overlap_invariant_least": float(off_diagonal(found["overlap_invariant"]).min()),
        }


def _describe(model: VectorSpin, descents: int, agreeing: int, certified: bool, unfinished: int) -> str:
    pairs = model.dim * (model.dim + 1) // 2
    compared = f"D(D+1)/2 = {pairs} {'>' if pairs > model.n else '<='} N = {model.n}"
    if model.fields.any():
        minima = f"With fields no number of components excludes spurious local minima in general ({compared})"
    elif pairs > model.n:
        minima = f"{compared}: without fields spurious local minima are exceptional"
    else:
        minima = f"{compared}: several local minima are expected"
    proven = "no state has less" if certified else "there may be lower states"
    tail = f" {unfinished} descents reached max_sweeps before they settled; raise it." if unfinished else ""
    return f"{minima}; {agreeing} of {descents} descents reached the least energy found, and {proven}.{tail}"

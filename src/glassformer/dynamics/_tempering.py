"""Parallel tempering: one ladder of temperatures per replica, for symmetric couplings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from glassformer._core._errors import invalid
from glassformer._core._random import check_seed, stream_key
from glassformer._core._validation import FloatArray, as_count, as_float_array
from glassformer.dynamics._motion import (
    AbstractMotion,
    AbstractTile,
    PerThread,
    Recording,
    SpinState,
    check_beta,
    unit_drive,
)
from glassformer.dynamics._sequential import check_drift, require_energy, sources_by_row
from glassformer.models import VectorSpin

_TUNINGS = 8
_SWAP_DISTANCE = 1.2  # of neighbours in a ladder, in widths of the energy: a swap rate of erfc(0.6), about 0.4
MIN_TUNING = 20  # sweeps between two adjustments of the ladder


@dataclass(frozen=True, slots=True)
class ParallelTempering:
    r"""Configurations at several temperatures that change places, so that cold ones escape through hot ones.

    Every replica holds one configuration per temperature. A step is one heat-bath sweep of each (as
    `SequentialHeatBath`), then a round of swaps between neighbours, alternately of the even and the odd pairs, with

    .. math:: P(\text{swap})=\min\big\{1,\,e^{(\beta_{k+1}-\beta_k)(E_{k+1}-E_k)}\big\},

    E the energy of the whole system. It leaves the product of the Boltzmann laws invariant and needs symmetric couplings.
    A swap exchanges temperatures; measurements belong to temperatures.

    Parameters
    ----------
    betas : sequence of float
        Inverse temperatures, strictly increasing; `geometric_ladder` makes a good first one.
    overrelaxation : int
        Sweeps of `Overrelaxation` after each heat-bath sweep.
    tune : bool
        Move the inner temperatures during the first half of burn-in until all swap rates are equal; the ends stay. The
        ladder that was used is the coordinate ``beta`` of the result.

    Raises
    ------
    InvalidInputError
        For a ladder that does not increase, and for couplings that are not symmetric.

    Notes
    -----
    Beside what every simulation returns, with ``beta`` as the first dimension: ``swap_rate (pair)``, the mean acceptance
    of the swap of neighbours, and ``round_trips (replica)``, how often a configuration went from the hottest temperature
    to the coldest and back. Without round trips the cold end has learned nothing from the hot one.

    References
    ----------
    Swendsen and Wang 1986, Phys. Rev. Lett. 57, 2607; Hukushima and Nemoto 1996, J. Phys. Soc. Jpn. 65, 1604.

    Examples
    --------
    >>> import glassformer as gf
    >>> model = gf.VectorSpin(gf.SherringtonKirkpatrick().sample(n=16, seed=1), dim=3, radius="sqrt_d")
    >>> ladder = gf.ParallelTempering(gf.geometric_ladder(0.4, 2.0, 8), overrelaxation=2)
    >>> sim = gf.simulate(model, ladder, steps=300, burn_in=100, replicas=4, seed=2)
    >>> sim.energy.dims, bool((sim.energy.diff("beta") < 0).all()), bool(sim.swap_rate.min() > 0.2)
    (('beta',), True, True)
    """

    betas: Sequence[float]
    overrelaxation: int = 0
    tune: bool = False

    citations: ClassVar[tuple[str, ...]] = ("swendsen1986", "hukushima1996", "wood1994", "creutz1987", "salmon2011")

    def __post_init__(self) -> None:
        ladder = as_float_array("betas", self.betas, ndim=1)
        if ladder.size < 2 or (np.diff(ladder) <= 0).any():
            raise invalid(
                "betas",
                ladder.tolist(),
                "at least two inverse temperatures, increasing",
                "list the hottest first; SequentialHeatBath moves at one temperature",
            )
        object.__setattr__(self, "betas", tuple(check_beta(float(beta)) for beta in ladder))
        as_count("overrelaxation", self.overrelaxation, minimum=0)
        if not isinstance(self.tune, bool):
            raise invalid("tune", self.tune, "True or False")

    def prepare(self, model: VectorSpin, *, seed: int) -> TemperingMotion:
        """Bind to a model and a stream of random numbers."""
        require_energy(model, "ParallelTempering")
        return TemperingMotion(model, self, seed)


def geometric_ladder(hottest: float, coldest: float, levels: int) -> tuple[float, ...]:
    r"""Return `levels` inverse temperatures with a constant ratio, :math:`\beta_k=\beta_1(\beta_K/\beta_1)^{k/(K-1)}`.

    Equal ratios give equal swap rates where the specific heat does not depend on temperature. About
    :math:`\sqrt{NC}\log(\beta_K/\beta_1)` levels are needed, C the specific heat per spin.

    >>> [round(beta, 3) for beta in geometric_ladder(0.5, 2.0, 3)]
    [0.5, 1.0, 2.0]
    """
    levels = as_count("levels", levels, minimum=2)
    hottest, coldest = check_beta(hottest), check_beta(coldest)
    if not 0.0 < hottest < coldest:
        raise invalid("hottest, coldest", (hottest, coldest), "two inverse temperatures with 0 < hottest < coldest")
    return tuple(float(beta) for beta in np.geomspace(hottest, coldest, levels))


def tempering_ladder(model: VectorSpin, betas: npt.ArrayLike, *, hottest: float | None = None) -> tuple[float, ...]:
    r"""Return a ladder that contains `betas` and is fine enough for configurations to wander between them.

    Neighbours a distance :math:`\Delta\beta` apart exchange at the rate :math:`\mathrm{erfc}(\tfrac12\Delta\beta\,\sigma_E)`,
    :math:`\sigma_E=\sqrt{NC}/\beta`. The ladder has :math:`\Delta\beta\,\sigma_E\le1.2` (a rate of about 0.4) with the specific
    heat of the spherical limit,

    .. math:: C=\min\Big[\frac D2,\ \frac D2(\beta T_c)^2+\frac{\beta^2R^2}{ND}\sum_i|\mathbf x_i|^2\Big],\qquad
              T_c=\frac{R^2}D\Big[\frac1N\sum_{ij}J_{ij}^2\Big]^{1/2},

    and for D=1, whose specific heat vanishes at low temperature, :math:`T/T_c` times that below :math:`T_c`.

    Parameters
    ----------
    model : VectorSpin
    betas : array (level,)
        Inverse temperatures that must be in the ladder, positive.
    hottest : float, optional
        The hot end, where nothing freezes; :math:`1/(2T_c)`, or the smallest of `betas` if that is smaller.

    Examples
    --------
    >>> import glassformer as gf
    >>> model = gf.VectorSpin(gf.SherringtonKirkpatrick().sample(n=64, seed=1), dim=3, radius="sqrt_d")
    >>> ladder = tempering_ladder(model, [2.0])
    >>> 0.4 < ladder[0] < 0.6, ladder[-1], 10 < len(ladder) < 20
    (True, 2.0, True)
    """
    wanted = np.unique(as_float_array("betas", betas, ndim=1))
    if wanted.size == 0 or wanted[0] <= 0.0 or not np.isfinite(wanted).all():
        raise invalid("betas", wanted.tolist(), "positive inverse temperatures", "for infinite temperature pass 1e-6")
    off_diagonal = model.couplings - np.diag(np.diag(model.couplings))
    share = model.r**2 / model.dim
    critical = share * _length(off_diagonal) / float(np.sqrt(model.n))
    drive = (
        float(np.sqrt(share)) * _length(model.fields) / float(np.sqrt(model.n))
    )  # spread of the field energy of a spin
    if hottest is None:
        scale = max(critical, drive)
        hottest = min(0.5 / scale, float(wanted[0])) if scale > 0 else float(wanted[0])
    hottest = check_beta(hottest)
    if not 0.0 < hottest <= wanted[0]:
        raise invalid("hottest", hottest, f"positive and at most the smallest of betas, {wanted[0]:g}")
    fixed = np.unique(np.concatenate([[hottest], wanted]))

    def density(log_beta: npt.ArrayLike) -> FloatArray:  # levels per unit of log beta
        beta = np.exp(log_beta)
        # Beyond these bounds each part alone reaches the limit D/2, so nothing is lost, and no square overflows.
        own, driven = np.minimum(beta * critical, 1.0), np.minimum(beta * drive, np.sqrt(model.dim))
        heat = np.minimum(0.5 * model.dim, 0.5 * model.dim * own**2 + driven**2)
        if model.dim == 1:
            heat = heat / np.maximum(1.0, beta * critical)
        return np.sqrt(model.n * heat) / _SWAP_DISTANCE

    ladder: list[float] = [float(fixed[0])]
    for low, high in pairwise(fixed):
        fine = np.linspace(np.log(low), np.log(high), 257)
        along = np.concatenate([[0.0], np.cumsum(0.5 * (density(fine[1:]) + density(fine[:-1])) * np.diff(fine))])
        pieces = max(1, int(np.ceil(along[-1])))
        inner = np.interp(np.linspace(0.0, along[-1], pieces + 1)[1:-1], along, fine)
        ladder += [float(beta) for beta in np.exp(inner)] + [float(high)]
    if len(ladder) == 1:  # a swap needs two
        ladder = [0.5 * ladder[0], *ladder]
    return tuple(ladder)


def _length(values: FloatArray) -> float:
    """Return the root of the sum of squares, which neither overflow nor vanish whatever the units."""
    largest = float(np.abs(values).max())
    return largest * float(np.linalg.norm(values / largest)) if largest > 0 else 0.0


def equalised_ladder(betas: npt.ArrayLike, rates: npt.ArrayLike) -> FloatArray:
    r"""Return a ladder with the same ends and, as far as `rates` of the old one tell, equal swap rates.

    A swap between levels a distance d apart, in units of the width of the energy, is accepted at the rate erfc(d). So the
    distances of the old ladder are :math:`\mathrm{erfc}^{-1}` of its rates, and the new levels are evenly spaced in the
    distance from the hot end, which is interpolated linearly in :math:`\beta`.

    >>> equalised_ladder([0.0, 1.0, 3.0], [0.3, 0.3]).tolist()
    [0.0, 1.0, 3.0]
    """
    from scipy.special import erfcinv

    old = np.asarray(betas, dtype=np.float64)
    distance = erfcinv(np.clip(np.asarray(rates, dtype=np.float64), 1e-4, 0.999))
    along = np.concatenate([[0.0], np.cumsum(distance)])
    new = np.interp(np.linspace(0.0, along[-1], old.size), along, old)
    new[[0, -1]] = old[[0, -1]]
    return np.asarray(new)


class TemperingMotion(AbstractMotion):
    """A tile is one replica: a configuration for every temperature."""

    lanes = 1
    self_coupling = False
    synchronous = False
    step_name = "sweep"

    def __init__(self, model: VectorSpin, ladder: ParallelTempering, seed: int) -> None:
        from glassformer._core._philox import split_key
        from glassformer.dynamics._kernels._sequential import sweep_buffers

        self.model = model
        self.betas = np.array(ladder.betas)
        self.overrelaxations, self.tune = ladder.overrelaxation, ladder.tune
        seed = check_seed(seed)
        self.key = split_key(stream_key(seed, "dynamics/tempering"))
        self.swap_key = split_key(stream_key(seed, "dynamics/tempering/swaps"))
        self.rows = sources_by_row(model)
        self.drive = np.ascontiguousarray(model.fields.T)
        self.unit_drive = np.ascontiguousarray(unit_drive(model).T)
        self.scratch = PerThread(lambda: sweep_buffers(model.n, model.dim))
        self.unrecorded = np.zeros((1, 1, 1, 1)), np.zeros((1, 1, 1, 1))

    def open(self, spins: FloatArray, fields: FloatArray | None, first_replica: int, step: int) -> LadderTile:
        """Return a tile whose configurations, ``spins (level, site, component)``, are in the order of temperatures."""
        return LadderTile(self, spins, fields, first_replica, step)

    def start(self, spins: FloatArray, step: int = 0) -> SpinState:
        """Return the state of given spins (replica * level, site, component), the levels of one replica together."""
        return self.close([self.open(part, None, k, step) for k, part in enumerate(self._split(spins))], step)

    def tiles(self, state: SpinState) -> list[AbstractTile]:
        """Open all tiles of a state, and take over the ladder that it carries."""
        self.betas[:] = state.extra["betas"]
        parts = zip(self._split(state.spins), self._split(state.fields))
        tiles = [self.open(spins, fields, k, state.step) for k, (spins, fields) in enumerate(parts)]
        for k, tile in enumerate(tiles):
            tile.load({name: state.extra[name][k] for name in LadderTile.CARRIED})
        return list(tiles)

    def close(self, tiles: Sequence[AbstractTile], step: int) -> SpinState:
        """Return the state that the tiles have reached."""
        ladders = [tile for tile in tiles if isinstance(tile, LadderTile)]
        parts = [tile.read() for tile in ladders]
        extra = {name: np.stack([getattr(tile, name) for tile in ladders]) for name in LadderTile.CARRIED}
        spins, fields = (np.concatenate([part[k] for part in parts]) for k in range(2))
        return SpinState(spins, fields, step, {"betas": self.betas.copy(), **extra})

    def by_level(self, state: SpinState) -> FloatArray:
        """Return the spins of a state as (level, replica, site, component)."""
        chain_at = np.argsort(state.extra["level"], axis=1)
        spins = np.take_along_axis(self._split(state.spins), chain_at[:, :, None, None], axis=1)
        return np.ascontiguousarray(spins.swapaxes(0, 1))

    def extra_results(self, state: SpinState) -> Mapping[str, tuple[tuple[str, ...], np.ndarray]]:
        """Return how well the ladder exchanged since burn-in."""
        attempts, accepted = state.extra["accepted"].sum(axis=0)
        rates = np.divide(accepted, attempts, out=np.full_like(accepted, np.nan), where=attempts > 0)
        return {
            "swap_rate": (("pair",), rates),
            "round_trips": (("replica",), state.extra["round_trips"].sum(axis=1)),
        }

    def note(self, state: SpinState) -> str:
        """Return a warning when some replica never carried a configuration through the whole ladder."""
        trips = state.extra["round_trips"].sum(axis=1)
        stuck = int((trips == 0).sum())
        if not stuck:
            return ""
        return (
            f"In {stuck} of {trips.size} replicas no configuration went from the hottest temperature to the coldest and "
            "back, so the cold end may not have equilibrated: run longer, tune the ladder, or add temperatures where "
            "swap_rate is small."
        )

    def _split(self, array: FloatArray) -> FloatArray:
        return array.reshape(-1, self.levels, *array.shape[1:])

    def pauses(self, burn_in: int) -> Sequence[int]:
        """Return when the ladder is adjusted, in the first half of burn-in, and the end of burn-in."""
        if not self.tune:
            return (burn_in,)
        if burn_in < 2 * _TUNINGS * MIN_TUNING:
            raise invalid(
                "burn_in", burn_in, f"at least {2 * _TUNINGS * MIN_TUNING} to tune the ladder", "or set tune=False"
            )
        return (*(burn_in * k // (2 * _TUNINGS) for k in range(1, _TUNINGS + 1)), burn_in)

    def pause(self, tiles: Sequence[AbstractTile], step: int, burn_in: int) -> None:
        """Adjust the ladder to the swaps since the last pause, and begin counting again."""
        ladders = [tile for tile in tiles if isinstance(tile, LadderTile)]
        if self.tune and step < burn_in:
            attempts, accepted = np.sum([tile.accepted for tile in ladders], axis=0)
            if attempts.size and (attempts > 0).all():
                self.betas[:] = equalised_ladder(self.betas, accepted / attempts)
        for tile in ladders:
            tile.accepted[:] = 0.0
            tile.round_trips[:] = 0


class LadderTile(AbstractTile):
    """Arrays are (chain, component, site); a chain keeps its spins while its level changes."""

    CARRIED: ClassVar[tuple[str, ...]] = ("level", "accepted", "heading", "round_trips")
    active = 1

    def __init__(
        self, motion: TemperingMotion, spins: FloatArray, fields: FloatArray | None, first_replica: int, step: int
    ) -> None:
        from glassformer.dynamics._kernels._sequential import fields_from_scratch

        self.motion = motion
        self.first_replica, self.step = first_replica, step
        self.spins = spins.transpose(0, 2, 1).copy()
        self.fields = (
            np.stack([fields_from_scratch(motion.rows, motion.drive, own) for own in self.spins])
            if fields is None
            else fields.transpose(0, 2, 1).copy()
        )
        levels = motion.levels
        self.level = np.arange(levels)
        self.accepted = np.zeros((2, max(levels - 1, 0)))  # attempts, and the sum of their probabilities
        self.heading = np.zeros(levels, dtype=np.int64)  # 1 from the hot end, -1 from the cold end, 0 from neither yet
        self.round_trips = np.zeros(levels, dtype=np.int64)

    def load(self, arrays: dict[str, np.ndarray]) -> None:
        """Continue with what a state carried."""
        for name, array in arrays.items():
            setattr(self, name, np.array(array))

    def advance(self, steps: int, recording: Recording | None = None) -> None:
        """Take `steps` sweeps with swaps in place; raise when carried fields have drifted from the true ones."""
        from glassformer.dynamics._kernels._tempering import advance as compiled

        motion = self.motion
        path, scalars = motion.unrecorded if recording is None else (recording.path, recording.scalars)
        kernel: Callable[..., Any] = compiled
        drift = kernel(
            motion.rows, motion.drive, motion.unit_drive, self.spins, self.fields, self.level, motion.betas, steps,
            self.step, self.first_replica, motion.overrelaxations, motion.model.r, *motion.key, *motion.swap_key,
            self.accepted, self.heading, self.round_trips, *motion.scratch(), recording is not None, path, scalars,
        )  # fmt: skip
        self.step += steps
        check_drift(drift)

    def read(self) -> tuple[FloatArray, FloatArray]:
        """Return (spins, fields), each (chain, site, component), in the order of chains."""
        return self.spins.transpose(0, 2, 1).copy(), self.fields.transpose(0, 2, 1).copy()

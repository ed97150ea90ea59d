"""Sequential heat bath and overrelaxation: one spin after another, local fields carried along."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from glassformer._core._errors import NotConvergedError
from glassformer._core._random import check_seed, stream_key
from glassformer._core._validation import FloatArray, as_choice, as_count, require_symmetric
from glassformer.dynamics._motion import AbstractMotion, AbstractTile, PerThread, Recording, check_beta, unit_drive
from glassformer.models import VectorSpin

MAX_DRIFT = 1e-8  # relative; rounding alone stays near 1e-13


@dataclass(frozen=True, slots=True)
class SequentialHeatBath:
    r"""Draw one spin at a time from its law given all others, with :math:`J_{ii}` left out:

    .. math:: p(\mathbf s_i|\mathbf s_{\ne i})\propto\exp\Big[\beta\,\mathbf s_i\cdot\Big(\mathbf x_i+\sum_{j\ne i}J_{ij}\mathbf s_j\Big)\Big].

    One step is a sweep of N draws. For symmetric J it leaves the Boltzmann law of the energy (convention ``half``)
    invariant, without rejections; in fixed order it is not reversible (its time reversal is the sweep in opposite
    order). For asymmetric J it has a steady state of its own, different from that of the parallel process.

    Parameters
    ----------
    beta : float
        Inverse temperature.
    order : {"fixed", "random"}
        Sites 0 to N-1 in turn, or N sites drawn with replacement.
    overrelaxation : int
        Sweeps of `Overrelaxation` after each heat-bath sweep; needs symmetric J.

    Raises
    ------
    InvalidInputError
        For a bad beta or order, and for overrelaxation with couplings that are not symmetric.

    References
    ----------
    Creutz 1987 (overrelaxation); Wood 1994, Best and Fisher 1979 (single spins).

    Examples
    --------
    >>> import numpy as np
    >>> model = VectorSpin(np.array([[0.0, 1.0], [1.0, 0.0]]), dim=3, radius="unit")
    >>> motion = SequentialHeatBath(beta=1.0).prepare(model, seed=1)
    >>> motion.advance(motion.start(model.random_spins(replicas=2, seed=1)), 5).step
    5
    """

    beta: float
    order: Literal["fixed", "random"] = "fixed"
    overrelaxation: int = 0

    citations: ClassVar[tuple[str, ...]] = ("wood1994", "best1979", "marsaglia2000", "creutz1987", "salmon2011")

    def __post_init__(self) -> None:
        object.__setattr__(self, "beta", check_beta(self.beta))
        as_choice("order", self.order, ("fixed", "random"))
        as_count("overrelaxation", self.overrelaxation, minimum=0)

    def prepare(self, model: VectorSpin, *, seed: int) -> SequentialMotion:
        """Bind to a model and a stream of random numbers."""
        if self.overrelaxation:
            require_energy(model, "overrelaxation")
        return SequentialMotion(
            model, self.beta, seed, heat_bath=True, overrelaxations=self.overrelaxation, random=self.order == "random"
        )


@dataclass(frozen=True, slots=True)
class Overrelaxation:
    r"""Reflect one spin after another about its local field,

    .. math:: \mathbf s_i\to2(\mathbf s_i\cdot\hat{\mathbf h}_i)\,\hat{\mathbf h}_i-\mathbf s_i .

    The energy stays exactly; the motion is deterministic and far faster across the energy surface than a heat bath. Alone
    it samples nothing: mix it with a heat bath (``SequentialHeatBath(beta, overrelaxation=5)``). With one component it
    does nothing. Needs symmetric J.

    References
    ----------
    Creutz 1987, Phys. Rev. D 36, 515.

    Examples
    --------
    >>> import numpy as np
    >>> model = VectorSpin(np.array([[0.0, 1.0], [1.0, 0.0]]), [[1.0, 0.0], [0.0, 1.0]], radius="unit")
    >>> motion = Overrelaxation().prepare(model, seed=1)
    >>> start = motion.start(model.random_spins(replicas=1, seed=1))
    >>> bool(np.allclose(model.energy(motion.advance(start, 7).spins), model.energy(start.spins), rtol=0, atol=1e-14))
    True
    """

    citations: ClassVar[tuple[str, ...]] = ("creutz1987",)

    def prepare(self, model: VectorSpin, *, seed: int) -> SequentialMotion:
        """Bind to a model; the seed plays no role."""
        require_energy(model, "Overrelaxation")
        return SequentialMotion(model, 0.0, seed, heat_bath=False, overrelaxations=1, random=False)


def sources_by_row(model: VectorSpin) -> FloatArray:
    """Return couplings whose row i is what a change of spin i adds to every other field; its own is left out."""
    rows = model.couplings.T.copy()
    np.fill_diagonal(rows, 0.0)
    return rows


def check_drift(drift: float) -> None:
    """Raise when carried local fields have drifted from the true ones by more than rounding."""
    if not drift <= MAX_DRIFT:  # catches NaN too
        raise NotConvergedError(
            f"The carried local fields have drifted by {drift:.3g} of their size (at most {MAX_DRIFT:g} is rounding). "
            "Rescale couplings and fields so that they are of comparable size."
        )


def require_energy(model: VectorSpin, method: str) -> None:
    off_diagonal = model.couplings - np.diag(np.diag(model.couplings))
    require_symmetric(
        "couplings", off_diagonal, method=method, alternatives="SequentialHeatBath without overrelaxation"
    )


class SequentialMotion(AbstractMotion):
    """A tile is one replica."""

    lanes = 1
    self_coupling = False
    synchronous = False
    step_name = "sweep"

    def __init__(
        self, model: VectorSpin, beta: float, seed: int, *, heat_bath: bool, overrelaxations: int, random: bool
    ) -> None:
        from glassformer._core._philox import split_key
        from glassformer.dynamics._kernels._sequential import sweep_buffers

        self.model = model
        self.betas = np.array([beta])
        self.heat_bath, self.overrelaxations, self.random = heat_bath, overrelaxations, random
        self.key = split_key(stream_key(check_seed(seed), "dynamics/sequential"))
        self.rows = sources_by_row(model)
        self.drive = np.ascontiguousarray(model.fields.T)
        self.unit_drive = np.ascontiguousarray(unit_drive(model).T)
        self.scratch = PerThread(lambda: sweep_buffers(model.n, model.dim))
        self.unrecorded = np.zeros((1, 1, 1)), np.zeros((1, 1, 1))

    def open(self, spins: FloatArray, fields: FloatArray | None, first_replica: int, step: int) -> SequentialTile:
        """Return a tile of one replica."""
        return SequentialTile(self, spins, fields, first_replica, step)


class SequentialTile(AbstractTile):
    """Arrays are (component, site)."""

    active = 1

    def __init__(
        self, motion: SequentialMotion, spins: FloatArray, fields: FloatArray | None, first_replica: int, step: int
    ) -> None:
        from glassformer.dynamics._kernels._sequential import fields_from_scratch

        self.motion = motion
        self.first_replica, self.step = first_replica, step
        self.spins = spins[0].T.copy()
        self.fields = (
            fields_from_scratch(motion.rows, motion.drive, self.spins) if fields is None else fields[0].T.copy()
        )

    def advance(self, steps: int, recording: Recording | None = None) -> None:
        """Take `steps` sweeps in place; raise when the carried fields have drifted from the true ones."""
        from glassformer.dynamics._kernels._sequential import advance as compiled

        motion = self.motion
        path, scalars = motion.unrecorded if recording is None else (recording.path[0], recording.scalars[0])
        kernel: Callable[..., Any] = compiled
        drift = kernel(
            motion.rows, motion.drive, motion.unit_drive, self.spins, self.fields, steps, self.step,
            self.first_replica, motion.heat_bath, motion.overrelaxations, motion.random, motion.betas[0], motion.model.r,
            *motion.key, *motion.scratch(), recording is not None, path, scalars,
        )  # fmt: skip
        self.step += steps
        check_drift(drift)

    def read(self) -> tuple[FloatArray, FloatArray]:
        """Return (spins, fields), each (1, site, component)."""
        return self.spins.T.copy()[None], self.fields.T.copy()[None]

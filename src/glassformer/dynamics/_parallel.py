"""Parallel heat bath: all spins at once from the law of their local fields."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from glassformer._core._random import check_seed, stream_key
from glassformer._core._validation import FloatArray
from glassformer.dynamics._motion import AbstractMotion, AbstractTile, PerThread, Recording, check_beta, unit_drive
from glassformer.models import VectorSpin

_TILE_WIDTH = 64  # columns of the matrix product that one tile fills at least


@dataclass(frozen=True, slots=True)
class ParallelHeatBath:
    r"""Draw every spin anew from the fields of the configuration before:

    .. math:: P(\mathbf s'|\mathbf s)=\prod_i\frac{e^{\beta\mathbf s'_i\cdot\mathbf h_i(\mathbf s)}}{Z(\beta\lVert\mathbf h_i(\mathbf s)\rVert)},
        \qquad \mathbf h_i(\mathbf s)=\mathbf x_i+\sum_jJ_{ij}\mathbf s_j .

    The process whose means the kinetic theories approximate. It has one stationary law for every J and finite beta. For
    symmetric J that law is reversible but **not** Boltzmann (Peretto 1984), and at low temperature it admits two-cycles.
    :math:`J_{ii}` acts.

    Parameters
    ----------
    beta : float
        Inverse temperature, 0 to any finite number (one over the unit of energy).

    Raises
    ------
    InvalidInputError
        For a beta that is negative, infinite or not a number.

    References
    ----------
    Peretto 1984; Bal 2023; sampling of single spins: Wood 1994, Best and Fisher 1979.

    Examples
    --------
    >>> import numpy as np
    >>> model = VectorSpin(np.zeros((2, 2)), [[1.0, 0.0, 0.0]] * 2, radius="unit")
    >>> motion = ParallelHeatBath(beta=2.0).prepare(model, seed=1)
    >>> state = motion.advance(motion.start(model.random_spins(replicas=3, seed=1)), 10)
    >>> state.spins.shape, state.step
    ((3, 2, 3), 10)
    """

    beta: float

    citations: ClassVar[tuple[str, ...]] = (
        "peretto1984",
        "bal2023",
        "wood1994",
        "best1979",
        "marsaglia2000",
        "salmon2011",
    )

    def __post_init__(self) -> None:
        object.__setattr__(self, "beta", check_beta(self.beta))

    def prepare(self, model: VectorSpin, *, seed: int) -> ParallelMotion:
        """Bind to a model and a stream of random numbers."""
        return ParallelMotion(model, self.beta, seed)


class ParallelMotion(AbstractMotion):
    """A tile holds as many replicas as fill one matrix product."""

    self_coupling = True
    synchronous = True
    step_name = "step"

    def __init__(self, model: VectorSpin, beta: float, seed: int) -> None:
        from glassformer._core._philox import split_key
        from glassformer.dynamics._kernels._vmf import workspace

        self.model = model
        self.betas = np.array([beta])
        self.key = split_key(stream_key(check_seed(seed), "dynamics/parallel"))
        self.lanes = 1
        while self.lanes * model.dim < _TILE_WIDTH:
            self.lanes *= 2
        self.unit_drive = unit_drive(model)
        shape = (model.n, self.lanes * model.dim)
        self.scratch = PerThread(lambda: (np.zeros(shape), np.zeros(shape), *workspace(model.n, model.dim)))
        self.unrecorded = np.zeros((1, 1, 1)), np.zeros((1, 1, 1))

    def open(self, spins: FloatArray, fields: FloatArray | None, first_replica: int, step: int) -> ParallelTile:
        """Return a tile; missing replicas are padded with zeros, so that the product always has one shape."""
        return ParallelTile(self, spins, fields, first_replica, step)


class ParallelTile(AbstractTile):
    """Arrays are (site, lane * component)."""

    def __init__(
        self, motion: ParallelMotion, spins: FloatArray, fields: FloatArray | None, first_replica: int, step: int
    ) -> None:
        from glassformer.dynamics._kernels._parallel import local_fields

        model, lanes = motion.model, motion.lanes
        self.motion = motion
        self.first_replica, self.active, self.step = first_replica, spins.shape[0], step
        self.spins = self._pack(spins)
        self.fields = np.zeros_like(self.spins)
        if fields is None:
            local_fields(model.couplings, model.fields, self.spins, self.fields, lanes, model.dim)
        else:
            self.fields = self._pack(fields)

    def _pack(self, array: FloatArray) -> FloatArray:
        model, lanes = self.motion.model, self.motion.lanes
        packed = np.zeros((model.n, lanes, model.dim))
        packed[:, : self.active] = array.transpose(1, 0, 2)
        return packed.reshape(model.n, lanes * model.dim)

    def _unpack(self, array: FloatArray) -> FloatArray:
        model, lanes = self.motion.model, self.motion.lanes
        return array.reshape(model.n, lanes, model.dim)[:, : self.active].transpose(1, 0, 2).copy()

    def advance(self, steps: int, recording: Recording | None = None) -> None:
        """Take `steps` steps in place."""
        from glassformer.dynamics._kernels._parallel import advance as compiled

        motion, model = self.motion, self.motion.model
        path, scalars = motion.unrecorded if recording is None else (recording.path[0], recording.scalars[0])
        kernel: Callable[..., Any] = compiled
        spare_spins, spare_fields, *work = motion.scratch()
        spare_spins[:, self.active * model.dim :] = 0.0  # padding; another tile may have left spins there
        kernel(
            model.couplings, model.fields, motion.unit_drive, self.spins, self.fields, spare_spins, spare_fields,
            steps, self.step, self.first_replica, self.active, motion.lanes, model.dim, motion.betas[0], model.r,
            *motion.key, *work, recording is not None, path, scalars,
        )  # fmt: skip
        self.step += steps

    def read(self) -> tuple[FloatArray, FloatArray]:
        """Return (spins, fields), each (replica, site, component)."""
        return self._unpack(self.spins), self._unpack(self.fields)

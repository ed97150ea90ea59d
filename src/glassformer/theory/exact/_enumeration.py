"""Exact answers for few two-valued spins, by listing all states."""

from __future__ import annotations

import time
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt

from glassformer._core._bessel import log_normalizer
from glassformer._core._errors import MethodNotApplicableError, invalid
from glassformer._core._status import Status, attach_evidence
from glassformer._core._validation import FloatArray, as_choice, as_count, as_float_array, as_number
from glassformer.models import VectorSpin
from glassformer.theory.exact._ising_space import IsingSpace, entropy_of, relative_entropy
from glassformer.theory.exact._stationary import stationary_law

if TYPE_CHECKING:
    import xarray as xr

LARGEST = 12  # a dense transition matrix of 4096 states fills 128 MB
LARGEST_SYMMETRIC = 16  # symmetric couplings have closed stationary laws and need no matrix


@dataclass(frozen=True, slots=True)
class Enumeration:
    r"""Exact moments of N two-valued spins, for any couplings, fields and temperature.

    ``update="parallel"``: all spins move at once,

    .. math:: P(s'|s)=\prod_i\frac{e^{\beta s_i'h_i(s)}}{2\cosh\beta Rh_i(s)},\qquad h_i=x_i+\sum_jJ_{ij}s_j .

    ``update="sequential"``: one spin at a time is drawn given the others, without :math:`J_{ii}`; a step is a sweep of N
    updates, in the order of the sites (``order="fixed"``) or of N sites drawn with replacement (``"random"``).

    The stationary law is the Boltzmann law (sequential) or the Peretto law (parallel) when the couplings are symmetric,
    and comes from the full transition matrix otherwise, with every probability right to rounding however slowly the
    process mixes. ``entropy_production`` compares each update with its reversal and is 0 exactly when detailed balance
    holds (with the Boltzmann law, in fixed order too).

    Parameters
    ----------
    beta : float
        Inverse temperature, at least 0.
    update : {"parallel", "sequential"}
    order : {"fixed", "random"}
        Of sequential updates.

    Raises
    ------
    MethodNotApplicableError
        Unless ``dim`` is 1 and N is at most 12 (16 for the steady state of symmetric couplings).

    Notes
    -----
    Cost :math:`2^{3N}` for the stationary law of asymmetric couplings (some seconds at N = 12),
    :math:`N2^{2N}` per parallel step of a transient, :math:`N^22^N` otherwise.

    References
    ----------
    Peretto 1984, Biol. Cybern. 50, 51; Grassmann, Taksar and Heyman 1985, Oper. Res. 33, 1107.

    Examples
    --------
    >>> import glassformer as gf
    >>> model = gf.VectorSpin([[0.0, 1.0], [-1.0, 0.0]], [0.5, 0.0], dim=1, radius="unit")
    >>> exact = gf.solve(model, Enumeration(beta=1.0))
    >>> exact["magnetization"].values.ravel().round(4).tolist()
    [0.1457, -0.1109]
    >>> round(float(exact["entropy_production"]), 4)
    2.8413
    """

    beta: float
    _: KW_ONLY
    update: str = "parallel"
    order: str = "fixed"

    citations: ClassVar[tuple[str, ...]] = ("peretto1984", "grassmann1985")

    def __post_init__(self) -> None:
        as_number("beta", self.beta, minimum=0.0, next_step="pass a temperature T as beta = 1 / T")
        as_choice("update", self.update, ("parallel", "sequential"))
        as_choice("order", self.order, ("fixed", "random"))

    def states(self, model: VectorSpin) -> FloatArray:
        """Return all states ``(state, site)`` in the order that laws and transition matrices use."""
        return self._space(model, LARGEST_SYMMETRIC).states

    def transition_matrix(self, model: VectorSpin) -> FloatArray:
        r"""Return :math:`P_{ss'}=P(s'|s)` of one step, ``(state, state)``; rows sum to 1."""
        space = self._space(model, LARGEST)
        if self.update == "parallel":
            return space.parallel_transition()
        single = self._one_update(space) if self.order == "random" else None
        if single is not None:
            return np.linalg.matrix_power(single, model.n)
        transition = np.eye(space.states.shape[0])
        for site in range(model.n):
            transition = space.update_law(transition, site)
        return transition

    def stationary_law(self, model: VectorSpin) -> FloatArray:
        """Return the stationary probability of every state, ``(state,)``."""
        space = self._space(model, LARGEST_SYMMETRIC if _solvable(model) else LARGEST)
        return self._stationary(space)

    def start_law(self, model: VectorSpin, start: str | npt.ArrayLike | None = None) -> FloatArray:
        """Return the probability of every state for independent spins with the means `start`, as `solve` takes it."""
        return self._start_law(self._space(model, LARGEST), start)

    def solve(
        self, model: VectorSpin, *, start: str | npt.ArrayLike | None = None, steps: int | None = None
    ) -> xr.Dataset:
        """Return the moments of the stationary law, or of every time from a product law with the means `start`.

        A transient starts from the uniform law by default. Its ``entropy_production`` at a time is that of the step
        that starts there, the change of the Shannon entropy included, so that it is never negative;
        ``divergence_from_stationary`` is :math:`D_{KL}(p_t\\Vert\\pi)`, in nats, and never increases.
        """
        space = self._space(model, LARGEST_SYMMETRIC if steps is None and _solvable(model) else LARGEST)
        clock = time.perf_counter()
        if steps is None:
            if start is not None:
                raise invalid("start", start, "left out for the stationary law, which is unique", "or pass steps=...")
            dataset = self._steady(space)
        else:
            law = self._start_law(space, start)
            dataset = self._transient(space, law, as_count("steps", steps, minimum=0))
        dataset["residual"] = 0.0
        return attach_evidence(
            dataset,
            status=Status.OK,
            method="Enumeration",
            wall_time=time.perf_counter() - clock,
            citations=tuple(dict.fromkeys((*model.citations, *self.citations))),
            model=model.digest,
            process="parallel" if self.update == "parallel" else "boltzmann" if model.symmetric else "sequential",
            beta=float(self.beta),
            update=self.update,
            order=self.order if self.update == "sequential" else None,
            residual=0.0,
            note=_NOTES[self.update],
        )

    def _space(self, model: VectorSpin, largest: int) -> IsingSpace:
        if not isinstance(model, VectorSpin) or model.dim != 1 or model.n > largest:
            subject = f"{type(model).__name__} with " + (
                f"N = {model.n}, D = {model.dim}" if isinstance(model, VectorSpin) else "states that cannot be listed"
            )
            raise MethodNotApplicableError(
                f"Enumeration lists the states of VectorSpin models with dim=1 and N <= {LARGEST} "
                f"({LARGEST_SYMMETRIC} for the steady state of symmetric couplings), not of {subject}; "
                "use GramClosure, GaussianClosure, AdaptiveTAP (symmetric couplings) or a simulation."
            )
        return IsingSpace.of(model, self.beta)

    def _start_law(self, space: IsingSpace, start: str | npt.ArrayLike | None) -> FloatArray:
        model = space.model
        if isinstance(start, str):
            as_choice("start", start, ("fields",))
            fields = model.fields[
                :, 0
            ]  # both probabilities from the field: a mean near R has forgotten the smaller one
            return space.product_law(space.up_probabilities(-fields), space.up_probabilities(fields))
        given = np.zeros(model.n) if start is None else start
        means = as_float_array("start", given, ndim=(1, 2)).reshape(-1)
        if means.size != model.n:
            raise invalid("the shape of start", np.shape(given), f"({model.n}, 1) (site, component)")
        if np.abs(means).max() > model.r * (1 + 1e-9):
            raise invalid("the largest |start|", float(np.abs(means).max()), f"at most R = {model.r:g}")
        up = 0.5 * (1.0 + np.clip(means, -model.r, model.r) / model.r)
        return space.product_law(1.0 - up, up)

    def _one_update(self, space: IsingSpace) -> FloatArray:
        identity = np.eye(space.states.shape[0])
        return np.asarray(sum(space.update_law(identity, i) for i in range(space.model.n)) / space.model.n)

    def _stationary(self, space: IsingSpace) -> FloatArray:
        if _solvable(space.model):
            return (space.peretto() if self.update == "parallel" else space.boltzmann())[0]
        if self.update == "sequential" and self.order == "random":
            return stationary_law(self._one_update(space))
        return stationary_law(self.transition_matrix(space.model))

    def _step(self, space: IsingSpace, law: FloatArray) -> tuple[FloatArray, float]:
        """Return the law one step later and the log ratio of forward and reversed moves on the way."""
        n, model = space.model.n, space.model
        if self.update == "parallel":
            later = np.zeros_like(law)
            rows = max(1, 2**22 // law.size)  # a slice of the matrix at a time
            for low in range(0, law.size, rows):
                part = IsingSpace(model, self.beta, space.states[low : low + rows], space.fields[low : low + rows], space.cavity_fields)  # fmt: skip
                later += law[low : low + rows] @ part.parallel_transition()
            forward, mean, later_mean = self._delayed(space, law), law @ space.states, later @ space.states
            free = log_normalizer(space.scale * np.abs(space.fields), 1).sum(axis=1)
            heat = self.beta * float(np.sum((model.couplings - model.couplings.T) * forward))
            heat += self.beta * float(model.fields[:, 0] @ (later_mean - mean)) + float((later - law) @ free)
            return later, heat
        heat = 0.0
        for site in range(n):
            if self.order == "fixed":
                heat += space.local_heat(law, site)
                law = space.update_law(law, site)
            else:
                heat += sum(space.local_heat(law, i) for i in range(n)) / n
                law = np.asarray(sum(space.update_law(law, i) for i in range(n)) / n)
        return law, heat

    def _delayed(self, space: IsingSpace, law: FloatArray) -> FloatArray:
        r"""Return :math:`\langle s_i(t+1)s_j(t)\rangle`, not connected."""
        if self.update == "parallel":
            expected = space.conditional_means(space.fields)
        else:
            expected, n = space.states, space.model.n
            for site in range(n - 1, -1, -1):  # functions move backwards: the last update acts first
                if self.order == "fixed":
                    expected = space.update_function(expected, site)
                else:
                    expected = np.asarray(sum(space.update_function(expected, i) for i in range(n)) / n)
        return (expected * law[:, None]).T @ space.states

    def _steady(self, space: IsingSpace) -> xr.Dataset:
        from glassformer.observables._summary import moments_dataset

        model, law = space.model, self._stationary(space)
        mean = law @ space.states
        raw = (space.states * law[:, None]).T @ space.states
        reversible = _solvable(model)
        heat = 0.0 if reversible else self._step(space, law)[1]
        dataset = moments_dataset(
            model,
            beta=self.beta,
            magnetization=mean[:, None],
            correlation=raw - np.outer(mean, mean),
            delayed_correlation=self._delayed(space, law) - np.outer(mean, mean),
            # the telescoping parts are 0 in the steady state up to rounding
            entropy_production=max(0.0, heat),
        )
        dataset["entropy"] = entropy_of(law) / model.n
        energies = model.n * model.energy(space.states[..., None])
        if reversible and self.update == "sequential":
            mean_energy = law @ energies
            log_z = space.boltzmann()[1]
            # beta -> 0: the uniform mean of the energy, which is 0
            dataset["free_energy"] = -log_z / (self.beta * model.n) if self.beta > 0 else 0.0
            dataset["specific_heat"] = float(self.beta**2 * (law @ (energies - mean_energy) ** 2) / model.n)
        return dataset

    def _transient(self, space: IsingSpace, law: FloatArray, steps: int) -> xr.Dataset:
        import xarray as xr

        from glassformer.observables._summary import moments_dataset

        final = self._stationary(space)
        frames, entropies, divergences = [], [], []
        for _ in range(steps + 1):
            later, heat = self._step(space, law)
            mean = law @ space.states
            raw = (space.states * law[:, None]).T @ space.states
            frame = moments_dataset(
                space.model,
                beta=self.beta,
                magnetization=mean[:, None],
                correlation=raw - np.outer(mean, mean),
                delayed_correlation=self._delayed(space, law) - np.outer(later @ space.states, mean),
                entropy_production=max(0.0, heat + entropy_of(later) - entropy_of(law)),
            )
            frames.append(frame)
            entropies.append(entropy_of(law) / space.model.n)
            divergences.append(relative_entropy(law, final))
            law = later
        dataset = xr.concat(frames, dim="time", combine_attrs="override").assign_coords(time=np.arange(steps + 1))
        dataset["entropy"] = ("time", np.array(entropies))
        dataset["divergence_from_stationary"] = ("time", np.array(divergences))
        dataset["divergence_from_stationary"].attrs["units"] = "nats of the whole system"
        return dataset


_NOTES = {
    "parallel": "Exact. entropy is per spin, relative to the uniform law.",
    "sequential": "Exact. A step is a sweep; entropy_production sums the updates of one sweep. "
    "entropy and free_energy are per spin, relative to the uniform law.",
}


def _solvable(model: VectorSpin) -> bool:
    """Whether the stationary law is known in closed form."""
    return model.symmetric

"""The thermodynamics of a system whose fields change and which relaxes under the new ones."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np

from glassformer._core._errors import MethodNotApplicableError, invalid
from glassformer._core._responses import Response, kl_divergence
from glassformer._core._responses import response as make_response
from glassformer._core._status import Status, attach_evidence
from glassformer._core._validation import FloatArray, as_count, as_float_array
from glassformer.models import VectorSpin
from glassformer.theory.closures._common import Start, directions_of, require_vector_spin, starting_means
from glassformer.theory.driven._carried import Carrier, Steady
from glassformer.theory.driven._chain import KINDS, DrivenCycle, fluctuation_theorem
from glassformer.theory.exact import Enumeration
from glassformer.theory.exact._ising_space import entropy_of

if TYPE_CHECKING:
    import xarray as xr

LARGEST = 10  # spins by enumeration: every step needs a few matrices of 1024 x 1024 states
_STEPS = 10


@dataclass(frozen=True, slots=True, eq=False)
class Quench:
    r"""Change the fields of a steady system at once, let it relax for K parallel steps, and count the entropy.

    With :math:`p_k` the law after k steps and :math:`\pi` the steady state under the new fields, the mismatch
    :math:`\Delta_k=D_{KL}(p_k\Vert\pi)` is what relaxation has still to dissipate, and the entropy produced in a step is

    .. math:: \sigma_k=\sigma_{hk,k}+\Delta_k-\Delta_{k+1},\qquad
              \sigma_{hk,k}=\Big\langle\log\frac{\pi(s)P(s'|s)}{\pi(s')P(s|s')}\Big\rangle,\qquad
              \sum_k\sigma_k=\sum_k\sigma_{hk,k}+\Delta_0-\Delta_K :

    housekeeping, which keeps the system out of equilibrium even when it is steady, and the nonadiabatic rest, which is
    what the change cost. `Enumeration` computes these as they stand: both parts are at least 0 and :math:`\Delta_k` never
    increases. Closures use the laws of single spins,

    .. math:: \Delta_k\approx\sum_iD_{KL}(\boldsymbol\theta_i(k)\Vert\boldsymbol\theta_i^*),\qquad
              \sigma_{hk,k}\approx\beta\sum_{ij}(J_{ij}-J_{ji})\big[L_{ij}(k)
              +(\mathbf m_i(k{+}1)-\mathbf m_i^*)\cdot(\mathbf m_j(k)-\mathbf m_j^*)\big],

    where :math:`\boldsymbol\theta_i` is the field in which a lone spin has the mean :math:`\mathbf m_i`, a star marks the
    steady state, and L is the connected delayed correlation of the step. Symmetric couplings have no housekeeping.

    Parameters
    ----------
    method : NaiveMeanField, TAP, GramClosure, GaussianClosure or Enumeration
        Holds the temperature. Enumeration: parallel updates, one component, at most 10 spins.
    drive : array (site, component) or (cycle, site, component), optional
        The fields after the change; a vector ``(site,)`` is allowed for one component. With several cycles each set acts
        for K steps and the state is carried on. Left out, the fields stay those of the model, and `start` of `solve` says
        from where it relaxes.

    Notes
    -----
    ``solve(model, Quench(method, drive), start=..., steps=K)``: K = 10 if left out; ``start`` is the steady state under the
    fields of `model` if left out, else as in the method. Returns, per cycle if there is a cycle axis,
    ``mismatch (time)``, ``housekeeping_entropy_production``, ``nonadiabatic_entropy_production``, their sum
    ``entropy_production`` and ``environment_entropy_production`` (the sum less the change of ``entropy``), all ``(step)``
    and in nats of the whole system; ``entropy_budget``, the sum of ``entropy_production`` over the cycle;
    ``steady_entropy_production``; ``field_mismatch (time)``, the same divergence between the mean local fields
    :math:`\mathbf x+J\mathbf m`, which runs one step ahead; the magnetisation and its alignments; and with Enumeration
    ``fluctuation_theorem``, ``..._housekeeping`` and ``..._nonadiabatic``, :math:`\langle e^{-\Sigma}\rangle` over all
    paths, which are 1. Closures need not obey the inequalities: a negative number says that they have failed.

    References
    ----------
    Esposito and Van den Broeck 2010, arXiv:0911.2666; Bal 2026, Nonequilibrium Dynamics in Spin-Model Transformers.

    Examples
    --------
    >>> import glassformer as gf
    >>> model = gf.VectorSpin([[0.0, 0.5], [-0.5, 0.0]], [0.3, 0.1], dim=1, radius="unit")
    >>> after = gf.solve(model, Quench(gf.Enumeration(beta=1.0), [[-0.8], [0.4]]), steps=3)
    >>> bool((after["mismatch"].diff("time") <= 0).all()), round(float(after["fluctuation_theorem"]), 12)
    (True, 1.0)
    """

    method: Any
    drive: FloatArray | None = field(default=None)

    citations: ClassVar[tuple[str, ...]] = ("esposito2010", "bal2026", "glassformer")

    def __post_init__(self) -> None:
        if not hasattr(self.method, "beta"):
            raise MethodNotApplicableError(
                f"Quench needs a theory such as GramClosure(beta=...) or Enumeration(beta=...), not {self.method!r}."
            )
        if self.drive is None:
            return
        drive = as_float_array("drive", self.drive, ndim=(1, 2, 3)).copy()
        if drive.ndim == 1:
            drive = drive[:, None]
        if drive.size == 0:
            raise invalid("the shape of drive", drive.shape, "(site, component) or (cycle, site, component)")
        drive.flags.writeable = False
        object.__setattr__(self, "drive", drive)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Quench):
            return NotImplemented
        return self.method == other.method and self._key() == other._key()

    def __hash__(self) -> int:
        return hash((self.method, self._key()))

    def _key(self) -> tuple[Any, ...]:
        return () if self.drive is None else (self.drive.shape, self.drive.tobytes())

    def models(self, model: VectorSpin) -> list[VectorSpin]:
        """Return `model` under the fields of every cycle."""
        if self.drive is None:
            return [model]
        drive = self.drive if self.drive.ndim == 3 else self.drive[None]
        if drive.shape[1:] != model.fields.shape:
            one, many = model.fields.shape, ("cycle", *model.fields.shape)
            raise invalid("the shape of drive", self.drive.shape, f"{one} or {many}".replace("'", ""))
        return [VectorSpin(model.couplings, fields, radius=model.r) for fields in drive]

    def cycles(self, model: VectorSpin, *, start: Start = None, steps: int = _STEPS) -> list[DrivenCycle]:
        """Return the laws of every cycle by enumeration, for what `solve` does not return, such as single paths."""
        method = self.method
        if not isinstance(method, Enumeration) or method.update != "parallel":
            raise MethodNotApplicableError(
                "The laws of a quench are known by Enumeration(beta, update='parallel') only."
            )
        if not isinstance(model, VectorSpin) or model.dim != 1 or model.n > LARGEST:
            raise MethodNotApplicableError(
                f"Quench by Enumeration needs dim=1 and at most {LARGEST} spins; use GramClosure or GaussianClosure."
            )
        self._check_start(start)
        law = method.stationary_law(model) if start is None else method.start_law(model, start)
        found: list[DrivenCycle] = []
        for after in self.models(model):
            found.append(DrivenCycle.run(method, after, law, steps))
            law = found[-1].laws[-1]
        return found

    def solve(self, model: VectorSpin, *, start: Start = None, steps: int | None = None) -> xr.Dataset:
        """Return the thermodynamics of `steps` steps per cycle."""
        import xarray as xr

        model = require_vector_spin(model, self)
        steps = _STEPS if steps is None else as_count("steps", steps)
        clock = time.perf_counter()
        solve = self._exactly if isinstance(self.method, Enumeration) else self._by_closure
        cycles, states, extra = solve(model, start, steps)
        parts = [_labelled(after, cycle, self.method.beta) for after, cycle in zip(self.models(model), cycles)]
        dataset = parts[0] if self.drive is None or self.drive.ndim == 2 else xr.concat(parts, dim="cycle")
        for name, value in extra.items():
            dataset[name] = value
        worst = max((state.residual for state in states), default=0.0)
        dataset["residual"] = worst
        status = next((s.status for s in states if s.status.failed), None)
        status = status or next((s.status for s in states if not s.status.good), Status.OK)
        exact = isinstance(self.method, Enumeration)
        notes = dict.fromkeys(state.note for state in states if state.note)
        return attach_evidence(
            dataset,
            status=status,
            method=f"Quench({type(self.method).__name__})",
            wall_time=time.perf_counter() - clock,
            citations=tuple(dict.fromkeys((*model.citations, *self.method.citations, *self.citations))),
            model=model.digest,
            process="parallel",
            beta=float(self.method.beta),
            response=getattr(self.method, "response", None),
            residual=worst,
            note=" ".join((_EXACT if exact else _CLOSED, *notes)),
        )

    def _check_start(self, start: Start) -> None:
        if self.drive is None and start is None:
            raise invalid(
                "drive", None, "fields after the change", "or pass start=... to relax under the fields of the model"
            )

    def _by_closure(
        self, model: VectorSpin, start: Start, steps: int
    ) -> tuple[list[_Cycle], list[Steady], dict[str, float]]:
        self._check_start(start)
        carrier = Carrier(self.method, model)
        found: list[Steady] = []
        if start is None:
            found.append(carrier.steady(model, None))
            state = found[-1].state
        else:
            state = carrier.begin(model, starting_means(model, start, carrier.respond, self.method.beta))
        antisymmetric = model.couplings - model.couplings.T
        cycles = []
        for after in self.models(model):
            step = carrier.stepper(after)
            means, connected = [state[0]], []
            for k in range(steps):
                state, delayed, status = step(state)
                means.append(state[0])
                connected.append(self.method.beta * float(np.vdot(antisymmetric, delayed)))
                if not status.good:
                    found.append(Steady(state, status, 0.0, f"Step {k + 1} of a cycle has no answer."))
            target = carrier.steady(after, means[-1])
            found.append(target)
            steady = self.method.beta * float(np.vdot(antisymmetric, carrier.stepper(after)(target.state)[1]))
            path, final = np.stack(means), target.state[0]
            away = path - final
            # L around the steady means: what the boundary terms of the environment entropy leave, to first order in J - J^T
            drift = self.method.beta * np.einsum("kia,ij,kja->k", away[1:], antisymmetric, away[:-1], optimize=True)
            housekeeping = np.array(connected) + drift
            alone = independent_mismatch(carrier.respond, path, final, model.r)
            # of independent spins, mismatch plus entropy is linear in the means; both are infinite for a definite spin
            environment = housekeeping + np.einsum("ia,kia->k", alone.pointed, np.diff(path, axis=0)) / model.r
            cycles.append(
                _Cycle(
                    path, final, alone.mismatch, housekeeping, environment, alone.entropy, steady, carrier.respond
                )
            )  # fmt: skip
        return cycles, found, {}

    def _exactly(
        self, model: VectorSpin, start: Start, steps: int
    ) -> tuple[list[_Cycle], list[Steady], dict[str, float]]:
        chain = self.cycles(model, start=start, steps=steps)
        respond = make_response("exact", 1)
        cycles = []
        for cycle in chain:
            states, laws = cycle.space.states, cycle.laws
            means, target = (laws @ states)[..., None], (cycle.stationary @ states)[:, None]
            own = cycle.entropies()
            steady = DrivenCycle(cycle.space, np.stack([cycle.stationary] * 2), cycle.stationary).entropies()
            entropy = np.array([entropy_of(law) for law in laws])
            cycles.append(
                _Cycle(
                    means, target, cycle.mismatch(), own["housekeeping"], own["environment"], entropy,
                    max(0.0, float(steady["housekeeping"][0])), respond,
                )
            )  # fmt: skip
        extra = {
            "fluctuation_theorem" + ("" if kind == "total" else f"_{kind}"): fluctuation_theorem(chain, kind)
            for kind in KINDS
        }
        return cycles, [], extra


_EXACT = "Exact. entropy is per spin, relative to the uniform law."
_CLOSED = (
    "mismatch and entropy are those of independent spins with the means of the closure; housekeeping_entropy_production uses "
    "delayed correlations around the steady means."
)


class _Cycle(NamedTuple):
    means: FloatArray  # (time, site, component)
    steady: FloatArray  # (site, component)
    mismatch: FloatArray  # (time,)
    housekeeping: FloatArray  # (step,)
    environment: FloatArray  # (step,)
    entropy: FloatArray  # (time,), whole system
    steady_production: float
    respond: Response


class IndependentMismatch(NamedTuple):
    """What `independent_mismatch` returns."""

    mismatch: FloatArray  # (time,)
    entropy: FloatArray  # (time,), relative to the uniform law
    pointed: FloatArray  # (site, component): the steady fields in units of the concentration


def independent_mismatch(
    respond: Response, means: FloatArray, steady: FloatArray, radius: float
) -> IndependentMismatch:
    r"""Return :math:`\sum_iD_{KL}(\boldsymbol\theta_i\Vert\boldsymbol\theta_i^*)` and the entropy of independent spins.

    `means` (time, site, component). A definite spin has an infinite mismatch, except that with one component, where it is
    minus the log of its probability.
    """
    ratio = np.linalg.norm(means, axis=-1) / radius
    definite = ratio > 1.0 - 1e-12
    kappa = respond.inverse(np.where(definite, 0.0, ratio))
    target = np.linalg.norm(steady, axis=-1) / radius
    kappa_steady = respond.inverse(np.minimum(target, 1.0 - 1e-15))
    pointed = kappa_steady[:, None] * directions_of(steady)
    # in units of the concentration kappa, so that beta = 0 is like any other temperature
    each = kl_divergence(respond, kappa[..., None] * directions_of(means), pointed, beta=1.0, radius=1.0)
    entropy = respond.entropy(kappa)
    if definite.any():
        one = means.shape[-1] == 1
        along = np.einsum("tia,ia->ti", means, pointed) / radius
        point = np.log(2.0) + respond.log_normalizer(kappa_steady) - along if one else np.full(ratio.shape, np.inf)
        each = np.where(definite, point, each)
        entropy = np.where(definite, -np.log(2.0) if one else -np.inf, entropy)
    return IndependentMismatch(each.sum(axis=-1), entropy.sum(axis=-1), pointed)


def _labelled(after: VectorSpin, cycle: _Cycle, beta: float) -> xr.Dataset:
    import xarray as xr

    from glassformer.observables._summary import label, mean_cosine, mean_instantaneous_cosine

    means, mismatch, entropy = cycle.means, cycle.mismatch, cycle.entropy
    drop = mismatch[:-1] - mismatch[1:]
    total = cycle.housekeeping + drop
    fields, steady_fields = after.fields + after.couplings @ means, after.fields + after.couplings @ cycle.steady
    ahead = kl_divergence(cycle.respond, fields, steady_fields, beta=beta, radius=after.r).sum(axis=-1)
    when, step = ("time",), ("step",)
    variables: dict[str, Any] = {
        "mismatch": (when, mismatch),
        "field_mismatch": (when, ahead),
        "housekeeping_entropy_production": (step, cycle.housekeeping),
        "nonadiabatic_entropy_production": (step, drop),
        "entropy_production": (step, total),
        "entropy_production_per_spin": (step, total / after.n),
        "environment_entropy_production": (step, cycle.environment),
        "entropy": (when, entropy / after.n),
        "entropy_budget": float(cycle.housekeeping.sum() + mismatch[0] - mismatch[-1]),
        "housekeeping_total": float(cycle.housekeeping.sum()),
        "steady_entropy_production": cycle.steady_production,
        "magnetization": (("time", "site", "component"), means),
        "magnetization_sum_of_squares": (when, np.einsum("tia,tia->t", means, means)),
        "alignment_of_mean": (when, np.array([mean_cosine(m, after.fields) for m in means])),
        "mean_of_alignment": (when, np.array([mean_instantaneous_cosine(m, after.fields, after.r) for m in means])),
        "steady_magnetization": (("site", "component"), cycle.steady),
    }
    dataset = label(xr.Dataset(variables, coords={"time": np.arange(len(means)), "step": np.arange(len(means) - 1)}))
    step_units = "nats per step of the whole system"
    for name in ("housekeeping", "nonadiabatic", "environment", "steady"):
        dataset[f"{name}_entropy_production"].attrs["units"] = step_units
    for name in ("mismatch", "field_mismatch", "entropy_budget", "housekeeping_total"):
        dataset[name].attrs["units"] = "nats of the whole system"
    dataset["entropy"].attrs["units"] = "nats per spin, relative to the uniform law"
    return dataset

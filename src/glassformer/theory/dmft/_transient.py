"""Transients of extended-context models in the limit of infinite size: the correlation of any two times."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from glassformer._core._arcsine_mixture import REFERENCE_NODES, NoiseMixture, _angles
from glassformer._core._errors import MethodNotApplicableError, invalid
from glassformer._core._random import check_seed
from glassformer._core._status import Status, attach_evidence
from glassformer._core._validation import FloatArray, as_count, as_float_array
from glassformer.couplings import LaggedGaussian
from glassformer.dynamics._motion import one_blas_thread
from glassformer.models import ContextEnsemble, TokenRule
from glassformer.models._token_rule import SIGMOID
from glassformer.theory.dmft._ensemble import as_ensemble
from glassformer.theory.dmft._path_information import loss_floor, step_entropy_production
from glassformer.theory.dmft._start import STARTS, initial_overlaps
from glassformer.theory.dmft._two_time import Banded, TwoTime

if TYPE_CHECKING:
    import xarray as xr

LARGEST = 6000  # steps: matrices of 300 megabytes
LARGEST_BAND = 2**27  # steps times lags: a gigabyte
EDGE = 1e-10  # correlation at the end of a band, per square of a token, beyond which what is left out matters
LARGEST_WITH_MEMORY = 3000  # steps, of the order of T^3 operations
LARGEST_SAMPLE = 2**28  # paths times steps: a gigabyte a batch
PATHS = 20000


@dataclass(frozen=True, slots=True)
class TransientDMFT:
    r"""The correlation :math:`C_{tt'}=\frac1N\langle s_t\cdot s_{t'}\rangle` of any two times, from any start, as :math:`N\to\infty`.

    Every site sees an independent Gaussian field with the covariance that the tokens themselves have,

    .. math:: h_t=\mu_t+\eta_t,\qquad \mu_t=\sum_kJ^0_km_{t-k}+\theta,\qquad
              \langle\eta_t\eta_{t'}\rangle=Q_{tt'}=\sum_{kk'}\Gamma_{kk'}C_{t-k,t'-k'},

    so C follows row by row without iteration. With :math:`\Phi=E[f(h_t)f(h_{t'})]` (all means zero here):

    ==================  =============================================  ==================
    variant             :math:`C_{tt'}`, :math:`t\ne t'`                :math:`C_{tt}`
    ==================  =============================================  ==================
    ising, probit       :math:`\Phi(Q_{tt'};Q_{tt},Q_{t't'})`          1
    graded              the same                                       :math:`\Phi(Q_{tt};Q_{tt},Q_{tt})`
    gaussian            :math:`Q_{tt'}`                                :math:`Q_{tt}+\sigma^2`
    spherical           :math:`a_ta_{t'}Q_{tt'}`                       1
    ==================  =============================================  ==================

    :math:`a_t=2\beta/(1+\sqrt{1+4\beta^2Q_{tt}})`. With means C is the raw correlation, and
    :math:`C_{tt_0}=m_tm_{t_0}` for initial tokens :math:`t_0\le0`. Partially symmetric couplings
    (``transpose_covariance``) add a memory of the site's own past: gaussian and spherical tokens stay exact, signs are
    sampled path by path (Eissfeller and Opper), with standard errors.

    Parameters
    ----------
    rule : TokenRule
    steps : int
        T, the steps after the initial tokens.
    start : "independent", "repeated" or array (lag, lag_)
        The K initial tokens :math:`s_0,s_{-1},\dots`: independent of each other, one token K times, or their overlaps.
    start_magnetization : float or array (lag,)
        Means of the initial tokens, most recent first; a ferromagnet keeps them.
    paths : int, optional
        Sampled paths, in eight independent batches; for partially symmetric signs (20000 if left out), or to check the
        recursion of other signs.
    seed : int, optional
        Root of the random numbers of `paths`.
    band : int, optional
        Largest lag that is kept, for runs too long for all pairs of times: memory and time grow as steps times band.

    Notes
    -----
    ``solve(law, TransientDMFT(...))`` for a `LaggedGaussian` or a `ContextEnsemble` (which has a field) returns
    ``two_time_correlation (time, time_)`` for times 1-K..T, ``field_covariance (time, time_)`` (NaN before step 1, where
    there is no field), ``magnetization (time)``, ``square (time)`` :math:`=C_{tt}`, ``autocorrelation (lag)``, the last
    row :math:`C_{T,T-\tau}`, ``loss_floor (time)`` (nats per site, the entropy of the next token given the past) and
    ``entropy_production (time)`` (nats per site; the log-ratio of a step to its reverse, for steps with K successors).
    With `band` the two matrices are replaced by ``banded_correlation (time, lag)`` :math:`=C_{t,t-\tau}`, and
    ``band_edge`` is the largest :math:`|C|` at its last lag; beyond :math:`10^{-10}` the status is ``out_of_range``.
    Exact as :math:`N\to\infty` except for sampled paths. Cost :math:`O(rKT^2)`, memory :math:`O(T^2)`.
    Tokens that grow without bound until numbers overflow end with status ``nonfinite`` and the rows before.

    References
    ----------
    Zavatone-Veth and Pehlevan 2025, arXiv:2507.18461; Eissfeller and Opper 1992, Phys. Rev. Lett. 68, 2094 (paths);
    derived here.

    Examples
    --------
    >>> import glassformer as gf
    >>> law = gf.LaggedGaussian([[0.6, 0.3, -0.1], [0.3, 0.5, 0.2], [-0.1, 0.2, 0.4]])
    >>> found = gf.solve(law, gf.TransientDMFT(gf.TokenRule("ising", beta=1.0), steps=60, start="repeated"))
    >>> round(float(found["two_time_correlation"].sel(time=60, time_=59)), 8)
    0.20866004
    """

    rule: TokenRule
    _: KW_ONLY
    steps: int = 100
    start: Any = "independent"
    start_magnetization: Any = 0.0
    paths: int | None = None
    seed: int | None = None
    band: int | None = None

    citations: ClassVar[tuple[str, ...]] = ("zavatone2025", "glassformer")

    def __post_init__(self) -> None:
        if not isinstance(self.rule, TokenRule):
            raise invalid(
                "rule", self.rule, "a TokenRule", "write TransientDMFT(TokenRule('ising', beta=...), steps=...)"
            )
        if as_count("steps", self.steps) > LARGEST and self.band is None:
            raise invalid(
                "steps",
                self.steps,
                f"at most {LARGEST}: the result holds all pairs of times",
                "pass band= to keep few lags",
            )
        if self.band is not None and as_count("band", self.band) * self.steps > LARGEST_BAND:
            raise invalid("steps times band", self.band * self.steps, f"at most {LARGEST_BAND}", "lower one of them")
        if not isinstance(self.start, str):
            array = as_float_array("start", self.start, ndim=2)
            object.__setattr__(self, "start", tuple(tuple(float(x) for x in row) for row in array))
        elif self.start not in STARTS:
            raise invalid("start", self.start, "'independent', 'repeated' or an array (lag, lag_) of overlaps")
        means = as_float_array("start_magnetization", self.start_magnetization, ndim=(0, 1))
        value = float(means.item()) if np.ndim(self.start_magnetization) == 0 else tuple(float(x) for x in means)
        object.__setattr__(self, "start_magnetization", value)
        if self.paths is not None:
            as_count("paths", self.paths, minimum=64, next_step="they are split into eight batches")
            if self.rule.variant not in SIGMOID:
                raise invalid("paths", self.paths, f"left out for variant={self.rule.variant!r}", "its theory is exact")
        if self.seed is not None:
            check_seed(self.seed)

    def solve(self, model: LaggedGaussian | ContextEnsemble) -> xr.Dataset:
        """Return the transient of a law of couplings, or of a whole model with its field."""
        ensemble = as_ensemble(model, self)
        with one_blas_thread():  # the same bits whatever the number of threads
            return self._solve(ensemble)

    def _solve(self, ensemble: ContextEnsemble) -> xr.Dataset:
        clock = time.perf_counter()
        law, rule = ensemble.law, self.rule
        self._check_size(law, float(ensemble.field))
        overlaps, means = initial_overlaps(rule, law.context, self.start, self.start_magnetization)
        sampled = rule.variant in SIGMOID and (self.paths is not None or law.transpose_covariance is not None)
        seed = check_seed(self.seed) if sampled else None
        extra: dict[str, Any] = {}
        found: TwoTime | Banded
        entropy, production = None, None
        if sampled:
            from glassformer.theory.dmft._paths import BATCHES, sample_paths

            paths = self.paths or PATHS
            found = sample_paths(ensemble, rule, self.steps, overlaps, means, paths=paths, seed=int(seed or 0))
            extra = {"seed": seed, "paths": paths, "averages_over": f"paths ({BATCHES} independent batches)"}
            note = "Sampled paths; errors fall as paths^(-1/2), and each batch has a bias of the order of 1/paths."
        elif law.transpose_covariance is not None:
            from glassformer.theory.dmft._linear_memory import linear_memory

            found = linear_memory(ensemble, rule, self.steps, overlaps, means)
            note = "Exact as N grows, with the memory that partially symmetric couplings leave."
        else:
            rows = solve_two_time(ensemble, rule, self.steps, overlaps, means, lags=self.band)
            found = rows if self.band is not None else rows.whole()
            production = step_entropy_production(law, float(ensemble.field), rule, rows.correlation, rows.mean)
            entropy = loss_floor(rule, rows.field_mean, rows.covariance[:, 0])
            note = "Exact as N grows."
        dataset = self._labelled(ensemble, found, entropy, production)
        finite = found.covariance.shape[0] == self.steps
        status = Status.OK if finite else Status.NONFINITE
        if "band_edge" in dataset and not float(dataset["band_edge"]) <= EDGE * float(dataset["square"].max()):
            status = Status.OUT_OF_RANGE if finite else status
            note += f" Lags beyond {self.band} still matter; take a wider band."
        if not finite:
            note += f" Tokens exceed 1e145 at step {found.covariance.shape[0] + 1}; the rows before are returned."
        citations = (*self.citations, *ensemble.citations, *(("eissfeller1992",) if sampled else ()))
        return attach_evidence(
            dataset,
            status=status,
            method="TransientDMFT",
            wall_time=time.perf_counter() - clock,
            citations=tuple(dict.fromkeys(citations)),
            variant=rule.variant,
            beta=None if rule.variant == "gaussian" else float(rule.beta),
            sigma=float(rule.sigma) if rule.variant == "gaussian" else None,
            start=self.start if isinstance(self.start, str) else "overlaps",
            note=note,
            **extra,
        )

    def _check_size(self, law: LaggedGaussian, field: float) -> None:
        if law.transpose_covariance is not None and self.steps > LARGEST_WITH_MEMORY:
            raise invalid(
                "steps", self.steps, f"at most {LARGEST_WITH_MEMORY} for partially symmetric couplings",
                "every step looks back at all others",
            )  # fmt: skip
        if self.band is not None:
            if law.transpose_covariance is not None or self.paths is not None or np.any(law.mean) or field:
                raise invalid(
                    "band", self.band, "left out with means, a field, paths or a transpose_covariance",
                    "their correlations do not end",
                )  # fmt: skip
            if self.band < 2 * law.context:
                raise invalid("band", self.band, f"at least twice the context length, {2 * law.context}")
        sample = (self.paths or 0) * self.steps
        if sample > LARGEST_SAMPLE:
            raise invalid("paths times steps", sample, f"at most {LARGEST_SAMPLE}", "lower one of them")

    def _labelled(
        self,
        ensemble: ContextEnsemble,
        found: TwoTime | Banded,
        entropy: FloatArray | None,
        production: FloatArray | None,
    ) -> xr.Dataset:
        import xarray as xr

        context, steps = ensemble.law.context, found.covariance.shape[0]
        times = np.arange(1 - context, steps + 1)
        both = ("time", "time_")

        def padded(values: FloatArray, after: int = 0) -> FloatArray:
            return np.pad(values, [(context, after)] * values.ndim, constant_values=np.nan)

        coordinates = {"time": times}
        if isinstance(found, Banded):
            square, last = (
                found.correlation[:, 0].copy(),
                found.correlation[-1, : min(found.correlation.shape[1], steps)],
            )
            ages = np.arange(times.size)[:, None] - np.arange(last.size)
            kept = np.where(ages >= 0, found.correlation[:, : last.size], np.nan)
            edge = np.abs(found.correlation[context + last.size - 1 :, last.size - 1]).max(initial=0.0)
            variables: dict[str, Any] = {
                "banded_correlation": (("time", "lag"), kept, {"units": "s.s / N; NaN before the first token"}),
                "field_variance": ("time", padded(found.covariance[:, 0]), {"units": "energy^2; NaN before step 1"}),
                "band_edge": ((), float(edge), {"units": "s.s / N at the last lag that is kept"}),
            }
        else:
            square, last = np.diagonal(found.correlation).copy(), found.correlation[-1, ::-1][:steps]
            coordinates["time_"] = times
            variables = {
                "two_time_correlation": (both, found.correlation, {"units": "s.s / N, means not subtracted"}),
                "field_covariance": (both, padded(found.covariance), {"units": "energy^2; NaN before step 1"}),
            }
            entropy = found.entropy if entropy is None else entropy
        variables |= {
            "magnetization": ("time", found.mean, {"units": "mean of a token"}),
            "square": ("time", square, {"units": "s.s / N at one time"}),
            "autocorrelation": ("lag", last.copy(), {"units": "s.s / N between the last time and lag steps before"}),
        }
        if entropy is not None:
            variables["loss_floor"] = ("time", padded(entropy), {"units": "nats per site; NaN before step 1"})
        if production is not None:
            units = "nats per step and site; NaN before step 1 and in the last K steps, whose successors are unknown"
            for name in ("entropy_production", "entropy_production_per_spin"):
                variables[name] = ("time", padded(production, context), {"units": units})
        if isinstance(found, TwoTime):
            variables |= self._response(found, times.size, padded)
        return xr.Dataset(variables, coords={**coordinates, "lag": np.arange(last.size)})

    def _response(self, found: TwoTime, size: int, padded: Callable[[FloatArray], FloatArray]) -> dict[str, Any]:
        """Return the response of a site with memory, and the errors of sampled paths."""
        variables: dict[str, Any] = {}
        if found.response is not None:
            units = "mean of ds_t / dtheta_t', the field acting in its own step; NaN before step 1"
            variables["response"] = (("time", "time_"), padded(found.response), {"units": units})
        for name, error in (found.errors or {}).items():
            dims = ("time", "time_") if error.ndim == 2 else "time"
            values = error if error.shape[0] == size else padded(error)
            variables[f"{name}_error"] = (dims, values, {"units": "standard error over batches"})
        return variables


def solve_two_time(
    ensemble: ContextEnsemble,
    rule: TokenRule,
    steps: int,
    overlaps: FloatArray,
    means: FloatArray,
    *,
    lags: int | None = None,
) -> Banded:
    """Run the recursion for couplings without symmetry; `overlaps` and `means` of the initial tokens, most recent first.

    `lags` is the largest lag that is kept; all of them if left out.
    """
    from glassformer.theory.dmft._transient_kernels import GAUSSIAN, SIGMOID, SPHERICAL, recursion

    law = ensemble.law
    if law.transpose_covariance is not None:
        raise MethodNotApplicableError("Couplings with a transpose_covariance have a memory; use TransientDMFT.")
    context = law.context
    width = context + steps if lags is None else min(lags + 1, context + steps)
    correlation, mean = np.zeros((context + steps, width)), np.zeros(context + steps)
    for i in range(context):
        before = min(i + 1, width)
        correlation[i, :before] = overlaps[context - 1 - i, context - 1 - i : context - 1 - i + before]
    mean[:context] = means[::-1]
    covariance, field_mean = np.zeros((steps, min(width, steps))), np.zeros(steps)
    kind = {"gaussian": GAUSSIAN, "spherical": SPHERICAL}.get(rule.variant, SIGMOID)
    noise = rule.noise_with(REFERENCE_NODES) if kind == SIGMOID else NoiseMixture(np.zeros(1), np.ones(1))
    graded = rule.variant == "graded"
    done = recursion(
        correlation, mean, covariance, field_mean, law.factors, np.asarray(law.mean), float(ensemble.field),
        kind, graded, float(rule.beta), float(rule.sigma), *noise, *_angles(),
    )  # fmt: skip
    if done < steps:
        whole = context + done
        return Banded(correlation[:whole], mean[:whole], covariance[:done], field_mean[:done])
    return Banded(correlation, mean, covariance, field_mean)

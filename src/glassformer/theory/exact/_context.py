"""Exact answers for small extended-context models: listed states for two-valued tokens, linear algebra for gaussian ones."""

from __future__ import annotations

import math
import time
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from glassformer._core._errors import MethodNotApplicableError, invalid
from glassformer._core._status import Status, attach_evidence
from glassformer._core._validation import FloatArray, as_count
from glassformer.models import ExtendedContext, TokenRule
from glassformer.theory.exact._context_chain import TokenChain
from glassformer.theory.exact._context_gaussian import LinearContext
from glassformer.theory.exact._recurrence import Attractors, attractors
from glassformer.theory.exact._stationary import stationary_law

if TYPE_CHECKING:
    import xarray as xr

LARGEST_STATES = 12  # bits, K N: the elimination is 4096^3 operations
LARGEST_LINEAR = 4096  # K N
_LISTED = ("ising", "probit")


@dataclass(frozen=True, slots=True)
class ExactContext:
    r"""Exact moments of one small extended-context model under a `TokenRule`, at any coupling, field and temperature.

    ``ising`` and ``probit``: the last K tokens are a Markov chain on :math:`2^{KN}` states, whose stationary law
    :math:`\pi` comes from its full transition matrix with every probability right to rounding. ``gaussian``: the
    covariance of the last K tokens solves :math:`\Sigma=A\Sigma A^T+\sigma^2E`, A being the block companion matrix. Then

    .. math:: c_\tau=\frac1N\langle s_{t+\tau}\cdot s_t\rangle,\qquad
              S=-\frac1N\langle\log P(s_t|s_{t-1},\dots,s_{t-K})\rangle,\qquad
              \dot\Sigma=\Big\langle\log\frac{P(s_t|s_{t-1},\dots,s_{t-K})}{P(s_t|s_{t+1},\dots,s_{t+K})}\Big\rangle,

    the last comparing every path with its reversal under the same rule.

    At :math:`\beta=\infty` the two-valued tokens follow a map (where no field vanishes; a field of 0 is a fair coin),
    which ends in cycles. Averages are then over time and over the cycles, each weighted by its basin among independent
    symmetric starts; with more than one cycle the status is ``out_of_range``, because no average is the right one for
    every start.

    Parameters
    ----------
    rule : TokenRule
        ``ising``, ``probit`` or ``gaussian``.
    lags : int
        Largest lag of the correlations.

    Raises
    ------
    MethodNotApplicableError
        For other variants, and for :math:`KN>12` (two-valued) or :math:`KN>4096` (gaussian).
    InvalidInputError
        When no stationary state exists (gaussian couplings of spectral radius 1 or more), or a beta so large that the
        stationary law is not unique to rounding.

    Notes
    -----
    Cost :math:`2^{3KN}` (two seconds at :math:`KN=12`), or :math:`(KN)^3` per doubling for gaussian tokens. Dataset:
    ``autocorrelation (lag)`` :math:`c_\tau`, not connected; ``lagged_correlation (lag, site, site_)``, connected, the
    first index later; ``magnetization (site)``; ``q0``, the mean square over time and sites of the field from the
    random part of the couplings, :math:`h_i-\theta_i-\sum_kJ^0_k\bar s_{t-k}`, as everywhere;
    ``entropy_rate`` per spin (equal to ``loss_floor``), ``entropy_production`` of the whole system.
    With ``steps``: ``two_time_correlation (time, time_)`` from the history at times :math:`1-K..0` on, and
    ``magnetization (time, site)``.

    References
    ----------
    Zavatone-Veth and Pehlevan 2025, arXiv:2507.18461; Grassmann, Taksar and Heyman 1985, Oper. Res. 33, 1107.

    Examples
    --------
    >>> import numpy as np, glassformer as gf
    >>> lag, site, other = np.meshgrid([1, 2], [1, 2, 3], [1, 2, 3], indexing="ij")
    >>> model = gf.ExtendedContext(np.cos(site + 2 * other + 3 * lag) / np.sqrt(3))
    >>> exact = gf.solve(model, gf.ExactContext(gf.TokenRule("ising", beta=1.0)))
    >>> exact["autocorrelation"].values[1:3].round(10).tolist()
    [-0.0791171265, 0.0108770838]
    >>> round(float(exact["entropy_rate"]), 10), round(float(exact["entropy_production_per_spin"]), 10)
    (0.480177833, 0.21493698)
    """

    rule: TokenRule
    _: KW_ONLY
    lags: int = 16

    citations: ClassVar[tuple[str, ...]] = ("grassmann1985",)

    def __post_init__(self) -> None:
        if not isinstance(self.rule, TokenRule):
            raise invalid("rule", self.rule, "a TokenRule", "for example TokenRule('ising', beta=1.0)")
        as_count("lags", self.lags, minimum=0)

    def stationary_law(self, model: ExtendedContext) -> FloatArray:
        """Return the stationary probability of every state of the last K tokens, ``(state,)``, two-valued tokens only.

        The number of a state is :math:`\\sum_k2^{N(K-k)}` times the id of the token k steps back, so the newest token
        counts most; the id of a token is :math:`\\sum_i2^i[s_i=1]`.
        """
        self.require(model)
        if self.rule.variant not in _LISTED:
            raise invalid("variant", self.rule.variant, " or ".join(_LISTED), "gaussian tokens have a density")
        return self._stationary(self.chain(model))[0]

    def solve(
        self, model: ExtendedContext, *, start: str | npt.ArrayLike | None = None, steps: int | None = None
    ) -> xr.Dataset:
        """Return the stationary moments, or with `steps` those of a transient.

        `start` is ``"independent"`` (the default: K independent tokens of independent sites with mean 0 and variance 1),
        ``"repeated"`` (one such token K times) or a definite history ``(lag, site)``, most recent token first.
        """
        self.require(model)
        clock = time.perf_counter()
        if steps is None and start is not None:
            raise invalid("start", start, "left out for the stationary state", "or pass steps=...")
        extra: dict[str, Any] = {}
        if steps is not None:
            from glassformer.theory.exact._context_transient import transient

            dataset = transient(self._matrices(model), model.fields, self.rule, start, as_count("steps", steps))
        elif self.rule.variant == "gaussian":
            dataset = self._linear(model)
        else:
            dataset, extra = self._listed(model)
        return attach_evidence(
            dataset,
            **{
                "status": Status.OK,
                "method": "ExactContext",
                "wall_time": time.perf_counter() - clock,
                "citations": tuple(dict.fromkeys((*model.citations, *self.citations))),
                "model": model.digest,
                "variant": self.rule.variant,
                "beta": float(self.rule.beta) if self.rule.variant != "gaussian" else None,
                "sigma": float(self.rule.sigma) if self.rule.variant == "gaussian" else None,
                "n": model.n,
                "context": model.context,
                "residual": float(dataset["residual"]),
                "note": "Exact.",
                **extra,
            },
        )

    def require(self, model: Any) -> None:
        """Raise unless `model` is an extended-context model that this method can treat."""
        what = need(model, self.rule)
        if what:
            raise MethodNotApplicableError(
                f"ExactContext does not solve {type(model).__name__}: {what}; use gf.simulate, or StationaryDMFT for the law."
            )

    def _matrices(self, model: ExtendedContext) -> FloatArray:
        return np.asarray(model.couplings.matrices, dtype=np.float64)

    def chain(self, model: ExtendedContext) -> TokenChain:
        """Return the chain of the last K two-valued tokens, with its states and transitions."""
        return TokenChain.of(self._matrices(model), model.fields, self.rule)

    def _stationary(self, chain: TokenChain) -> tuple[FloatArray, Attractors | None]:
        if math.isinf(self.rule.beta):
            found = attractors(chain.transition(), np.full(chain.states, 1.0 / chain.states))
            return found.law, found
        if not chain.symmetric:
            return stationary_law(chain.transition()), None
        # without a field a state and its negative, which has the complementary number, are as likely
        half = chain.states // 2
        rows = chain.transition()[:half]
        law = 0.5 * stationary_law(rows[:, :half] + rows[:, : half - 1 : -1])
        return np.concatenate([law, law[::-1]]), None

    def _listed(self, model: ExtendedContext) -> tuple[xr.Dataset, dict[str, Any]]:
        chain = self.chain(model)
        law, ends = self._stationary(chain)
        newest, n = chain.token_at(1), model.n
        mean = law @ newest
        ahead, lagged = newest, np.empty((self.lags + 1, n, n))
        for lag in range(self.lags + 1):
            lagged[lag] = (ahead * law[:, None]).T @ newest - np.outer(mean, mean)
            ahead = chain.expect(ahead)
        local = chain.fields - model.fields - self._from_mean(model, chain)[:, None]
        loss = float(law @ chain.loss())
        backwards = chain.reversed_loss(law)
        dataset = self._dataset(
            lagged,
            mean,
            q0=float(law @ (local**2).mean(axis=1)),
            entropy_rate=loss / n,
            entropy_production=max(0.0, backwards - loss),  # 0 up to rounding where the chain is reversible
        )
        dataset["stationary_law"] = ("state", law)
        dataset["residual"] = float(np.abs(chain.advance(law) - law).max())
        if ends is None:
            return dataset, {}
        dataset["attractors"] = ends.size.size
        dataset["attractor_size"] = ("attractor", ends.size)
        dataset["basin"] = ("attractor", ends.basin)
        return dataset, _infinite_beta(chain, ends)

    def _from_mean(self, model: ExtendedContext, chain: TokenChain) -> FloatArray:
        """Return the part of the fields that the mean of the couplings makes, ``(state,)``."""
        means = np.asarray(model.couplings.mean)
        total = np.zeros(chain.states)
        for lag in np.flatnonzero(means):
            total += means[lag] * chain.token_at(int(lag) + 1).mean(axis=1)
        return total

    def _linear(self, model: ExtendedContext) -> xr.Dataset:
        sigma = float(self.rule.sigma)
        found = LinearContext.of(self._matrices(model), model.fields, sigma)
        mean = np.asarray(model.couplings.mean)
        local = found.mean - model.fields - float(mean.sum() * found.mean.mean())
        dataset = self._dataset(
            found.lagged(self.lags),
            found.mean,
            q0=float(found.field_variance(mean).mean() + np.mean(local**2)),
            entropy_rate=0.5 * math.log(2.0 * math.pi * math.e * sigma**2),
            entropy_production=found.entropy_production(sigma),
        )
        dataset["spectral_radius"] = found.spectral_radius
        dataset["residual"] = found.residual
        return dataset

    def _dataset(self, lagged: FloatArray, mean: FloatArray, **numbers: float) -> xr.Dataset:
        import xarray as xr

        n = mean.size
        dataset = xr.Dataset(coords={"lag": np.arange(lagged.shape[0])})
        dataset["autocorrelation"] = ("lag", np.trace(lagged, axis1=1, axis2=2) / n + float(mean @ mean) / n)
        dataset["magnetization"] = ("site", mean)
        dataset["q0"] = numbers["q0"]
        dataset["entropy_rate"] = numbers["entropy_rate"]
        dataset["loss_floor"] = numbers["entropy_rate"]
        dataset["entropy_production"] = numbers["entropy_production"]
        dataset["entropy_production_per_spin"] = numbers["entropy_production"] / n
        dataset["lagged_correlation"] = (("lag", "site", "site_"), lagged)
        for name in ("entropy_rate", "loss_floor", "entropy_production_per_spin"):
            dataset[name].attrs["units"] = "nats per spin and step"
        dataset["entropy_production"].attrs["units"] = "nats per step, whole system"
        return dataset


def need(model: Any, rule: TokenRule) -> str:
    """Return what is missing for `ExactContext` to treat `model` under `rule`, empty if nothing is."""
    if not isinstance(model, ExtendedContext):
        return "it needs one sample of an ExtendedContext"
    if rule.variant != "gaussian" and rule.variant not in _LISTED:
        return f"{rule.variant} tokens have neither few states nor a linear rule (ising, probit and gaussian ones do)"
    largest = LARGEST_LINEAR if rule.variant == "gaussian" else LARGEST_STATES
    size = model.context * model.n
    return f"it needs K N <= {largest} for {rule.variant} tokens, not {size}" if size > largest else ""


def _infinite_beta(chain: TokenChain, ends: Attractors) -> dict[str, Any]:
    """Say what averages mean for a map."""
    coins = bool(np.any(chain.fields == 0.0))
    kind = "closed classes of states" if coins else "cycles"
    if ends.size.size == 1:
        one = "one closed class" if coins else f"one cycle of {ends.size[0]} states"
        return {"note": f"Exact. At beta = inf every start ends in {one}; averages are over time."}
    sentence = (
        f"At beta = inf the process is not ergodic: it ends in one of {ends.size.size} {kind}, which the start decides; "
        "averages weigh each by its basin among independent symmetric starts."
    )
    return {"status": Status.OUT_OF_RANGE, "status_sentence": sentence, "note": sentence}

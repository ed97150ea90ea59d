"""What `design` returns."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from glassformer._core._status import attach_evidence
from glassformer._core._validation import FloatArray
from glassformer.couplings import LaggedGaussian
from glassformer.couplings._lag_covariance import extreme_spectrum, spectrum
from glassformer.models import ContextEnsemble, ExtendedContext, TokenRule
from glassformer.theory.design._forward import until

if TYPE_CHECKING:
    import xarray as xr

    from glassformer.theory.dmft._solution import Stationary

FREQUENCIES = 257
_EXACT = 1e-8


@dataclass(frozen=True, slots=True, eq=False)
class Design:
    r"""A law of couplings with a prescribed stationary autocorrelation, and what is known about it.

    Parameters
    ----------
    target, achieved : array (lag,)
        What was asked for, and what the law gives in the limit of infinite size, at lags 0, 1, ...
    text : str
        The target in words.
    rule : TokenRule
        The update rule; with ``law``, all that a simulation needs.
    feasible : bool
        Whether some context, however long, gives the target exactly. ``exact`` says whether this one does.
    reason : str
        Which condition decides.
    certificate : dict
        The margin of each condition, negative where it fails. Sigmoid rules: ``correlation`` (the largest possible minus
        the largest wanted), ``spectrum`` (lowest value of the target's spectrum) and ``fields`` (of that of the fields, per
        Q_0). Linear rules: ``spectrum`` and ``noise`` (the same less the noise). For a list, lowest eigenvalues of Toeplitz
        matrices stand in place of spectra.
    smallest_feasible_beta, largest_feasible_beta, largest_feasible_sigma : float or None
        Where the target becomes feasible, in units where Q_0 is 1; None where it never does, or does not apply.
    diagonal_sums, covariance, rank_one : arrays
        :math:`g_d`, :math:`\Gamma` and, for shape ``rank_one``, :math:`\gamma` with :math:`\Gamma=\gamma\gamma^\top`.
    fields, whole_sums : arrays
        The field correlation and the diagonal sums without a limit of the context, of the nearest feasible target.
    inverted, inverted_spectrum : arrays
        The field correlation that the rule asks for, possible or not, and the G behind it at 257 frequencies from 0 to pi
        (empty for a list).
    fitted : bool
        Whether the sums are a least-squares fit.
    solution : object
        The stationary solution of the law.

    References
    ----------
    Derived here.

    Examples
    --------
    >>> import glassformer as gf
    >>> found = gf.design("0.5^tau", variant="gaussian", sigma=0.5)
    >>> found.exact, found.context, found.diagonal_sums.round(4).tolist()
    (True, 2, [0.5833, 0.1667])
    >>> found.sample(n=16, seed=1).context
    2
    """

    target: FloatArray
    text: str
    rule: TokenRule
    feasible: bool
    reason: str
    certificate: dict[str, float]
    smallest_feasible_beta: float | None
    largest_feasible_beta: float | None
    largest_feasible_sigma: float | None
    diagonal_sums: FloatArray
    covariance: FloatArray
    rank_one: FloatArray | None
    shape: str
    achieved: FloatArray
    fields: FloatArray
    inverted: FloatArray
    inverted_spectrum: FloatArray
    whole_sums: FloatArray
    fitted: bool
    solution: Stationary = field(repr=False)
    note: str = ""
    wall_time: float = 0.0

    citations: ClassVar[tuple[str, ...]] = ("zavatone2025", "glassformer")

    def __repr__(self) -> str:
        known = {
            "target": repr(self.text),
            "variant": repr(self.rule.variant),
            self.noise_name: f"{self.noise:.6g}",
            "feasible": str(self.feasible),
            "exact": str(self.exact),
            "context": str(self.context),
            "max_error": f"{self.max_error:.3g}",
            "criticality": f"{self.solution.criticality:.6g}",
        }
        for name in ("smallest_feasible_beta", "largest_feasible_beta", "largest_feasible_sigma"):
            if (value := getattr(self, name)) is not None:
                known[name] = f"{value:.6g}"
        known["reason"] = repr(self.reason)
        return f"Design({', '.join(f'{name}={value}' for name, value in known.items())})"

    @property
    def noise_name(self) -> str:
        """``sigma`` for ``gaussian``, ``beta`` for the other rules."""
        return "sigma" if self.rule.variant == "gaussian" else "beta"

    @property
    def noise(self) -> float:
        """The sigma or the beta of the rule."""
        return float(getattr(self.rule, self.noise_name))

    @property
    def law(self) -> LaggedGaussian:
        """The law of the couplings."""
        return LaggedGaussian(self.covariance)

    @property
    def ensemble(self) -> ContextEnsemble:
        """The law of the whole model."""
        return ContextEnsemble(self.law)

    @property
    def context(self) -> int:
        """K."""
        return len(self.diagonal_sums)

    @property
    def max_error(self) -> float:
        """The largest |achieved - target| over the lags."""
        return float(np.abs(self.achieved - self.target).max())

    @property
    def max_error_lag(self) -> int:
        """The lag of the largest error."""
        return int(np.abs(self.achieved - self.target).argmax())

    @property
    def rms_error(self) -> float:
        """The root mean square of achieved - target at lags 1, 2, ..."""
        gap = (self.achieved - self.target)[1:]
        return float(np.sqrt(np.mean(gap**2))) if gap.size else 0.0

    @property
    def exact(self) -> bool:
        """Whether the law gives a feasible target to 1e-8."""
        return self.feasible and self.max_error <= _EXACT

    def sample(self, *, n: int, seed: int | None = None) -> ExtendedContext:
        """Draw a model of n sites. Of an infeasible target it is the nearest feasible design; ``note`` says so."""
        return self.ensemble.sample(n=n, seed=seed)

    def verify(
        self, *, n: int = 1000, draws: int = 8, steps: int = 2000, seed: int | None = None, replicas: int = 1
    ) -> xr.Dataset:
        """Simulate `draws` models of n sites and put their autocorrelation beside target and theory.

        ``verdict`` is "agrees", "deviates" or "does not settle" (the ``note`` says why), where ``largest_deviation`` is inf.
        """
        from glassformer.theory.design._verify import verify_design

        return verify_design(self, n=n, draws=draws, steps=steps, seed=seed, replicas=replicas)

    def to_dataset(self) -> xr.Dataset:
        """Return everything as labelled arrays with evidence."""
        import xarray as xr

        lags, context = len(self.target) - 1, self.context
        frequency = np.linspace(0.0, math.pi, FREQUENCIES)
        low, where, high, _ = extreme_spectrum(self.diagonal_sums)
        whole = self.whole_sums
        kept = max(context, min(len(whole), 64))
        reach = {
            "smallest_feasible_beta": (self.smallest_feasible_beta, "units where Q_0 is 1; NaN if no beta is feasible"),
            "largest_feasible_beta": (self.largest_feasible_beta, "units where Q_0 is 1; NaN if no beta is feasible"),
            "largest_feasible_sigma": (self.largest_feasible_sigma, "standard deviation"),
        }
        variant = self.rule.variant
        names = {"gaussian": "largest_feasible_sigma", "graded": "largest_feasible_beta"}
        limit = names.get(variant, "smallest_feasible_beta")
        value, units = reach[limit]
        scalars: dict[str, tuple[Any, str]] = {
            "feasible": (self.feasible, "whether some context gives the target exactly"),
            "exact": (self.exact, "whether this context gives the target to 1e-8"),
            "reason": (self.reason, ""),
            self.noise_name: (
                self.noise,
                "standard deviation of the noise" if variant == "gaussian" else "units where Q_0 is 1",
            ),
            limit: (math.nan if value is None else value, units),
            "max_error": (self.max_error, "largest |achieved - target| over the lags"),
            "max_error_lag": (self.max_error_lag, "lag of the largest error"),
            "rms_error": (self.rms_error, "root mean square of achieved - target at lags >= 1"),
            **{f"margin_{name}": (margin, "negative where it fails") for name, margin in self.certificate.items()},
            "context": (context, "lags K"),
            "q0": (self.solution.field_variance, "energy^2"),
            "lowest_coupling_spectrum": (low, "min G, energy^2"),
            "lowest_coupling_spectrum_at": (where, "radians per step"),
            "highest_coupling_spectrum": (high, "max G, energy^2"),
            "criticality": (self.solution.criticality, "1; memory diverges at 1"),
            "slowest_root": (abs(self.solution.root), "modulus, per lag"),
            "correlation_time": (self.solution.correlation_time, "steps"),
        }
        arrays: dict[str, Any] = {
            "target": ("lag", self.target, {"units": "s.s / N"}),
            "autocorrelation": ("lag", self.achieved, {"units": "s.s / N"}),
            "field_target": ("lag", self.fields, {"units": "Q_tau behind the target, energy^2"}),
            "inverted_field": (
                "lag",
                self.inverted,
                {"units": "Q_tau that the rule asks for, possible or not, energy^2"},
            ),
            "diagonal_sums": ("distance", self.diagonal_sums, {"units": "energy^2"}),
            "gamma": (("coupling_lag", "coupling_lag_"), self.covariance, {"units": "energy^2"}),
            "whole_diagonal_sums": ("whole_distance", until(whole, kept - 1), {"units": "g_d without a limit of K"}),
            "coupling_spectrum": ("frequency", spectrum(self.diagonal_sums, frequency), {"units": "G, energy^2"}),
            "whole_coupling_spectrum": ("frequency", spectrum(whole, frequency), {"units": "G without a limit of K"}),
        }
        if self.rank_one is not None:
            arrays["rank_one"] = ("coupling_lag", self.rank_one, {"units": "energy"})
        if self.inverted_spectrum.size:
            words = "G that the rule asks for, possible or not"
            arrays["inverted_coupling_spectrum"] = ("frequency", self.inverted_spectrum, {"units": words})
        step = np.arange(1, context + 1)
        coordinates = {
            "lag": np.arange(lags + 1),
            "distance": np.arange(context),
            "whole_distance": np.arange(kept),
            "coupling_lag": step,
            "coupling_lag_": step,
            "frequency": ("frequency", frequency, {"units": "radians per step"}),
        }
        variables = {name: ((), one, {"units": words}) for name, (one, words) in scalars.items()}
        return attach_evidence(
            xr.Dataset({**variables, **arrays}, coords=coordinates),
            status=self.solution.status,  # that a target is infeasible is an answer
            method="design",
            wall_time=self.wall_time,
            citations=self.citations,
            variant=variant,
            beta=None if variant == "gaussian" else float(self.rule.beta),
            sigma=float(self.rule.sigma) if variant == "gaussian" else None,
            shape=self.shape,
            target_text=self.text,
            residual=self.solution.residual,
            note=self.note or None,
        )

"""The noun `LearningCurve`: test error of an estimator against the number of windows, for one teacher."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from glassformer._core._errors import MethodNotApplicableError, invalid
from glassformer._core._status import Status, attach_evidence
from glassformer._core._validation import as_count, as_float_array
from glassformer.models import ExtendedContext, TokenRule
from glassformer.theory.learning._descent import OnlineCourse, flow_excess
from glassformer.theory.learning._logistic import (
    gain,
    likelihood_limit,
    logistic_excess,
    loss_floor,
    separability_threshold,
)
from glassformer.theory.learning._ridge import least_squares_excess, ridge_excess
from glassformer.theory.learning._teacher import Task, gaussian_task, model_matrices

if TYPE_CHECKING:
    import xarray as xr

GAUSSIAN = ("LeastSquares", "Ridge", "BayesRidge", "OnlineSGD", "GradientFlow")
LOGISTIC = ("LogisticLikelihood", "MeanFieldInversion")
_EXACT = {
    "LeastSquares": "Exact for independent windows at every size above d + 1; below d - 1 the limit of many features.",
    "Ridge": "The limit of many features and windows.",
    "BayesRidge": "The limit of many features and windows.",
    "OnlineSGD": "The exact mean over independent windows.",
    "GradientFlow": "Exact; size is the time.",
    "LogisticLikelihood": "The limit of many couplings and windows with Gaussian fields.",
    "MeanFieldInversion": "The limit of many couplings and windows with Gaussian fields.",
}


@dataclass(frozen=True, slots=True)
class LearningCurve:
    r"""Test error of a student of an extended-context teacher against the number of independent windows that it sees.

    Gaussian teachers. With :math:`e_j,V` the eigenpairs of the exact covariance of the history (not its large-size limit: given
    the couplings the spectrum is broad), :math:`b_j=\frac1N\sum_i(\mathbf JV)_{ij}^2` and :math:`d=K'N`, the excess
    :math:`\varepsilon=\frac1N\operatorname{tr}(\hat{\mathbf J}-\mathbf J)\Sigma(\hat{\mathbf J}-\mathbf J)^T` of the squared error is

    .. math:: \frac{\sigma^2d}{P-d-1},\qquad
              \frac{\kappa^2\sum_jb_je_j/(e_j+\kappa)^2+\sigma^2q}{1-q},\qquad \sum_jb_je_je^{-2\eta e_jt}

    for `LeastSquares` (exact), `Ridge` (many features; :math:`\kappa` and q as on the page of the method) and `GradientFlow`.
    `BayesRidge` is the ridge on filtered tokens, `OnlineSGD` a linear recursion of the :math:`b_j` (exact). A student whose
    context or rank is too small sees the best linear predictor with more noise: ``mismatch`` is that noise (block Yule-Walker),
    and part of ``excess``.

    Ising teachers (`LogisticLikelihood`, `MeanFieldInversion`): excess log loss per site in the limit of many couplings with
    Gaussian fields (Sur and Candes 2019; for the mean field derived here), with the classical asymptote
    :math:`\frac d{2P}`, times :math:`(1-V)/\alpha` for the mean field, as ``excess_asymptote``. Below
    ``separability_threshold`` windows per coupling the likelihood has no maximum and the excess is infinite.

    Parameters
    ----------
    estimator : object
        One of the above, with its parameters.
    sizes : sequence of numbers
        Numbers of windows P; steps for `OnlineSGD`, times for `GradientFlow`.
    rule : TokenRule
        How the teacher draws tokens: ``gaussian``, or ``ising`` for the last two.
    context : int, optional
        :math:`K'` of the student; that of the teacher if left out.

    References
    ----------
    Hastie et al. 2022, Ann. Statist. 50, 949 (ridge); Candes and Sur 2020, Ann. Statist. 48, 27; Sur and Candes 2019, PNAS 116,
    14516 (logistic); Zavatone-Veth and Pehlevan 2025, arXiv:2507.18461 (teachers).

    Examples
    --------
    >>> import glassformer as gf
    >>> model = gf.ExtendedContext(gf.LaggedGaussian([[0.3, 0.15], [0.15, 0.25]]).sample(n=30, seed=1))
    >>> curve = gf.LearningCurve(gf.LeastSquares(), (90, 120, 240, 600), rule=gf.TokenRule("gaussian"))
    >>> gf.solve(model, curve).excess.values.round(4)
    array([2.069 , 1.0169, 0.3352, 0.1113])
    """

    estimator: Any
    sizes: Any
    _: KW_ONLY
    rule: TokenRule
    context: int | None = None

    citations: ClassVar[tuple[str, ...]] = ("zavatone2025", "hastie2022", "sur2019", "glassformer")

    def __post_init__(self) -> None:
        name = type(self.estimator).__name__
        if name not in (*GAUSSIAN, *LOGISTIC):
            raise invalid("estimator", self.estimator, "an instance of " + ", ".join((*GAUSSIAN, *LOGISTIC)))
        if not isinstance(self.rule, TokenRule):
            raise invalid("rule", self.rule, "a TokenRule, that of the teacher")
        needed = "gaussian" if name in GAUSSIAN else "ising"
        if self.rule.variant != needed:
            others = GAUSSIAN if self.rule.variant == "gaussian" else LOGISTIC
            raise MethodNotApplicableError(
                f"the learning curve of {name} is known for {needed} tokens, not for {self.rule.variant}"
                + (f"; those of {', '.join(others)} are known." if self.rule.variant in ("gaussian", "ising") else ".")
            )
        least = 0.0 if name in ("OnlineSGD", "GradientFlow") else 1.0
        sizes = as_float_array("sizes", np.atleast_1d(self.sizes), ndim=1)
        if sizes.size == 0 or sizes.min() < least:
            raise invalid("sizes", self.sizes, f"numbers >= {least:g}")
        object.__setattr__(self, "sizes", tuple(float(size) for size in sizes))
        if self.context is not None:
            as_count("context", self.context)
        if name == "LogisticLikelihood" and self.estimator.penalty > 0.0:
            raise MethodNotApplicableError(
                "the learning curve of a penalised likelihood is not known here; take penalty=0, or measure it."
            )

    def solve(self, model: Any, *, start: Any = None, steps: int | None = None) -> xr.Dataset:
        """Return the curve; see `glassformer.solve`."""
        clock = time.perf_counter()
        for given, value in (("start", start), ("steps", steps)):
            if value is not None:
                raise invalid(given, value, "left out for a learning curve")
        if not isinstance(model, ExtendedContext):
            raise invalid(
                "the teacher", type(model).__name__, "an ExtendedContext", "sample the law: law.sample(n=...)"
            )
        gaussian = type(self.estimator).__name__ in GAUSSIAN
        _check_teacher(model)
        if not gaussian:
            _check_independent(model)
        dataset, status, sentence = self._gaussian(model) if gaussian else self._logistic(model)
        dataset["excess"].attrs["units"] = "squared token, per site" if gaussian else "nats per site"
        dataset["loss_floor"].attrs["units"] = "nats per spin and step"
        attach_evidence(
            dataset,
            status=status,
            method="LearningCurve",
            wall_time=time.perf_counter() - clock,
            citations=tuple(dict.fromkeys((*self.citations, *self.estimator.citations))),
            estimator=type(self.estimator).__name__,
            note=_EXACT[type(self.estimator).__name__],
        )
        if sentence:
            dataset.attrs["status_sentence"] = sentence
        return dataset

    def _gaussian(self, model: ExtendedContext) -> tuple[xr.Dataset, Status, str]:
        import xarray as xr

        estimator, sigma = self.estimator, float(self.rule.sigma)
        name = type(estimator).__name__
        context = model.context if self.context is None else int(self.context)
        factors = None
        if name == "BayesRidge":
            factors = estimator.factors
            if factors.shape[0] != context:
                raise invalid("the shape of covariance", estimator.covariance.shape, f"({context}, {context})")
        task = gaussian_task(model_matrices(model), sigma, context, factors)
        excess, extra = _gaussian_curve(task, estimator, model.n)
        values = np.array([excess(size) + task.mismatch for size in self.sizes])
        dataset = xr.Dataset(
            {
                "excess": ("size", values),
                "test_error": ("size", values + sigma**2),
                "mismatch": task.mismatch,
                "error_floor": sigma**2,
                "loss_floor": 0.5 * math.log(2.0 * math.pi * math.e * sigma**2),
                "parameters": context * model.n if factors is None else factors.shape[1] * model.n,
                **extra,
            },
            coords={"size": np.array(self.sizes)},
        )
        if name == "OnlineSGD" and not extra["stable"]:
            sentence = "The descent is unstable at this rate: its error grows without bound; take a smaller rate."
            return dataset, Status.OUT_OF_RANGE, sentence
        return dataset, Status.OK, ""

    def _logistic(self, model: ExtendedContext) -> tuple[xr.Dataset, Status, str]:
        import xarray as xr

        if self.context not in (None, model.context):
            raise MethodNotApplicableError(
                "the learning curve of a logistic student with another context than its teacher is not known; measure it."
            )
        signal, parameters = _signal(model, self.rule), model.context * model.n
        ratios = parameters / np.array(self.sizes)
        infinite = math.isinf(signal)
        floor, slope = (0.0, 0.0) if infinite else (loss_floor(signal**2), gain(signal**2))
        explained = 2.0 / math.pi if infinite else signal**2 * slope**2
        threshold = separability_threshold(signal)
        values = np.full(ratios.size, math.inf)
        asymptote = ratios / 2.0
        if type(self.estimator).__name__ == "LogisticLikelihood":
            order = np.argsort(ratios)
            for index, found in zip(order, likelihood_limit(signal, ratios[order])):
                if found is not None:
                    values[index] = logistic_excess(signal, *found)
        elif not infinite:
            asymptote = asymptote * (1.0 - explained) / slope
            for index, size in enumerate(self.sizes):
                if size > parameters + 1:
                    noise = (1.0 - explained) / slope**2 * parameters / (size - parameters - 1)
                    values[index] = logistic_excess(signal, 1.0, noise)
        if infinite:
            asymptote = np.full(ratios.size, math.inf)
        dataset = xr.Dataset(
            {
                "excess": ("size", values),
                "excess_asymptote": ("size", asymptote),
                "test_error": ("size", values + floor),
                "mismatch": 0.0,
                "loss_floor": floor,
                "separability_threshold": threshold,
                "signal": signal,
                "parameters": parameters,
            },
            coords={"size": np.array(self.sizes)},
        )
        dataset["separability_threshold"].attrs["units"] = "windows per coupling of a site"
        dataset["signal"].attrs["units"] = "standard deviation of beta h"
        return dataset, Status.OK, ""


def _gaussian_curve(task: Task, estimator: Any, n: int) -> tuple[Callable[[float], float], dict[str, Any]]:
    name = type(estimator).__name__
    if name == "LeastSquares":
        return lambda pairs: least_squares_excess(task, pairs), {}
    if name == "Ridge":
        if estimator.penalty == 0.0:
            return lambda pairs: least_squares_excess(task, pairs), {}
        return lambda pairs: ridge_excess(task, pairs, float(estimator.penalty)), {}
    if name == "BayesRidge":
        return lambda pairs: ridge_excess(task, pairs, float(estimator.sigma) ** 2 * n), {}
    if name == "GradientFlow":
        return lambda time_: flow_excess(task, time_, float(estimator.rate)), {}
    course = OnlineCourse(task, float(estimator.rate))
    extra = {
        "stable": course.stable,
        "step_bound": course.step_bound,
        "noise_bound": course.noise_bound,
        "excess_limit": course.limit() + task.mismatch,
    }
    return course.excess, extra


def _check_teacher(model: ExtendedContext) -> None:
    law = model.couplings.law
    if law is not None and law.structure == "fast_transform":
        raise MethodNotApplicableError(
            "couplings of structure='fast_transform' are not independent entries, so no learning curve holds for them; sample "
            "the law with structure='gaussian'."
        )
    if np.any(model.fields):
        raise MethodNotApplicableError("learning curves are known for teachers without external fields; take fields=0.")


def _check_independent(model: ExtendedContext) -> None:
    """Refuse Ising teachers whose stationary state is not that of independent couplings of mean zero."""
    law = model.couplings.law
    if law is not None:
        means = law.mean is not None and bool(np.any(law.mean))
        symmetric = law.transpose_covariance is not None and bool(np.any(law.transpose_covariance))
    else:  # six standard errors of what independent entries of mean zero would give
        matrices = model_matrices(model)
        means = bool(np.any(np.abs(matrices.sum(axis=(1, 2))) > 6.0 * np.sqrt((matrices**2).sum(axis=(1, 2)))))
        off = matrices * (1.0 - np.eye(model.n))
        products = np.einsum("kij,lji->kl", off, off)
        spread = np.sqrt(2.0 * np.einsum("kij,lji->kl", off**2, off**2))
        symmetric = bool(np.any(np.abs(products) > 6.0 * spread)) and model.n > 2
    if means or symmetric:
        why = "couplings of mean zero" if means else "independent J_ij and J_ji"
        raise MethodNotApplicableError(
            f"learning curves of ising teachers are known for {why}, not for these couplings; measure the curve with gf.infer "
            "on simulated windows."
        )


def _signal(model: ExtendedContext, rule: TokenRule) -> float:
    r"""Return :math:`\beta\sqrt{Q_0}` of stationary states, with the variances that the sample has instead of those of its law."""
    from glassformer.couplings import LaggedGaussian
    from glassformer.theory.dmft._solution import solve_stationary

    matrices = model_matrices(model)
    if rule.beta == 0.0 or not matrices.any():
        return 0.0
    if math.isinf(rule.beta):
        return math.inf
    law = LaggedGaussian(np.einsum("kij,lij->kl", matrices, matrices) / model.n)
    found = solve_stationary(law.diagonal_sums, rule)
    return float(rule.beta) * math.sqrt(found.field_variance)

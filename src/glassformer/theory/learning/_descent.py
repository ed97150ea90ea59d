r"""Test error along gradient descent: on the exact loss (gradient flow), and on one fresh Gaussian window at a time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from glassformer._core._validation import as_number
from glassformer.theory.learning._teacher import Task


@dataclass(frozen=True, slots=True)
class GradientFlow:
    r"""Gradient flow on the population loss :math:`\frac12E\lVert s-\hat{\mathbf J}x\rVert^2` from zero: learning with all the data.

    .. math:: \varepsilon(t)=\sum_jb_je_je^{-2\eta e_jt}

    An estimator for `LearningCurve` only, whose sizes are then times; no data are drawn.

    Parameters
    ----------
    rate : float
        :math:`\eta`.

    References
    ----------
    Zavatone-Veth and Pehlevan 2025, arXiv:2507.18461 (the teachers); derived here.

    Examples
    --------
    >>> import glassformer as gf
    >>> model = gf.ExtendedContext(gf.LaggedGaussian([[0.5]]).sample(n=20, seed=1))
    >>> curve = gf.LearningCurve(gf.GradientFlow(rate=0.1), (0, 10, 100), rule=gf.TokenRule("gaussian"))
    >>> bool((gf.solve(model, curve).excess.diff("size") < 0).all())
    True
    """

    rate: float

    citations: ClassVar[tuple[str, ...]] = ("glassformer",)

    def __post_init__(self) -> None:
        as_number("rate", self.rate, minimum=0.0, exclusive_minimum=True)


def flow_excess(task: Task, time: float, rate: float) -> float:
    """Return the error of gradient flow at `time`."""
    return float(task.signal @ (task.eigenvalues * np.exp(-2.0 * rate * time * task.eigenvalues)))


class OnlineCourse:
    r"""The exact mean course of online descent on independent Gaussian windows.

    .. math:: b_j\leftarrow b_j(1-2\eta e_j+2\eta^2e_j^2)+\eta^2e_j\Big(\sum_le_lb_l+\sigma^2\Big)

    is one symmetric linear map for all modes, so that any number of steps is a power of its eigenvalues.
    """

    def __init__(self, task: Task, rate: float) -> None:
        e = task.eigenvalues
        self.eigenvalues = e
        self.step_bound = rate * float(e.max(initial=0.0))  # below 1
        with np.errstate(divide="ignore"):
            terms = np.where(rate * e < 1.0, rate * e / (2.0 - 2.0 * rate * e), math.inf)
        self.noise_bound = float(terms.sum())  # below 1
        matrix = np.diag(1.0 - 2.0 * rate * e + 2.0 * (rate * e) ** 2) + np.outer(rate * e, rate * e)
        self.powers, vectors = np.linalg.eigh(matrix)
        self.start = vectors.T @ task.signal
        self.drive = vectors.T @ (rate**2 * task.noise * e)
        self.reading = vectors.T @ e

    @property
    def stable(self) -> bool:
        """Whether the error stays bounded for ever."""
        return self.step_bound < 1.0 and self.noise_bound < 1.0

    def excess(self, steps: float) -> float:
        """Return the mean error after `steps` windows."""
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            power = self.powers**steps
            gap = 1.0 - self.powers
            summed = np.where(np.abs(gap) > 1e-9, (1.0 - power) / gap, float(steps))
            total = float(self.reading @ (power * self.start + summed * self.drive))
        return total if math.isfinite(total) else math.inf

    def limit(self) -> float:
        """Return the error after infinitely many windows."""
        if not self.stable:
            return math.inf
        varying = self.powers < 1.0 - 1e-15
        return float(np.sum(self.reading[varying] * self.drive[varying] / (1.0 - self.powers[varying])))

r"""Test error of least squares (exact at every size) and of the ridge (many features and windows), for Gaussian features."""

from __future__ import annotations

import math

import numpy as np

from glassformer._core._validation import FloatArray
from glassformer.theory.learning._teacher import Task


def least_squares_excess(task: Task, pairs: float) -> float:
    r"""Return the expected :math:`\sigma^2d/(P-d-1)`; the limit of the ridge without penalty when there are fewer windows.

    Between d - 1 and d + 1 windows the expectation is infinite.
    """
    if pairs > task.size + 1:
        return task.noise * task.size / (pairs - task.size - 1)
    return math.inf if pairs >= task.size - 1 else ridge_excess(task, pairs, 0.0)


def ridge_excess(task: Task, pairs: float, penalty: float) -> float:
    r"""Return :math:`\varepsilon=\big[\kappa^2\sum_jb_je_j/(e_j+\kappa)^2+\sigma^2q\big]/(1-q)`.

    .. math:: \kappa=\frac\lambda P+\frac\kappa P\sum_j\frac{e_j}{e_j+\kappa},\qquad
              q=\frac1P\sum_j\frac{e_j^2}{(e_j+\kappa)^2}
    """
    kappa = effective_penalty(task.eigenvalues, pairs, penalty)
    shrunk = np.divide(
        task.eigenvalues, task.eigenvalues + kappa, out=np.zeros_like(task.eigenvalues), where=task.eigenvalues > 0
    )
    # 1 - q, with the fixed point inside where q is close to 1: lambda / (P kappa) + (1/P) sum e kappa / (e + kappa)^2
    left = _left(task.eigenvalues, shrunk, pairs, penalty, kappa)
    if left <= 0.0:
        return math.inf
    bias = float(task.signal @ (task.eigenvalues * (1.0 - shrunk) ** 2))
    return (bias + task.noise * float(shrunk @ shrunk) / pairs) / left


def _left(eigenvalues: FloatArray, shrunk: FloatArray, pairs: float, penalty: float, kappa: float) -> float:
    if kappa == 0.0:
        return 1.0 - float(np.sum(eigenvalues > 0.0)) / pairs
    return penalty / (pairs * kappa) + float(shrunk @ (1.0 - shrunk)) / pairs


def effective_penalty(eigenvalues: FloatArray, pairs: float, penalty: float) -> float:
    r"""Return :math:`\kappa`, the penalty that the random spectrum of the data turns :math:`\lambda` into.

    It is the root of :math:`1-\frac1P\sum_j\frac{e_j}{e_j+\kappa}-\frac\lambda{P\kappa}`, which grows with :math:`\kappa`. Without
    penalty it is zero when the windows outnumber the features that vary.

    >>> round(effective_penalty(np.ones(100), 50.0, 0.0), 12)  # 100 / (1 + kappa) = 50
    1.0
    """
    from scipy.optimize import brentq

    positive = eigenvalues[eigenvalues > 0.0]
    if positive.size == 0 or (penalty == 0.0 and pairs >= positive.size):
        return penalty / pairs

    def excess(logarithm: float) -> float:
        kappa = math.exp(logarithm)
        return 1.0 - float(np.sum(positive / (positive + kappa))) / pairs - penalty / (pairs * kappa)

    high = math.log((penalty + float(positive.sum())) / pairs) + 1e-9
    low = high - 1.0
    while excess(low) > 0.0:
        low -= 2.0 * (high - low)
    found = float(brentq(excess, low, high, xtol=1e-14, rtol=4 * np.finfo(float).eps, maxiter=500))
    return math.exp(found)

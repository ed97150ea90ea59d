"""The stationary solution of every variant: correlations of infinitely many sites, from the diagonal sums alone."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from glassformer._core._arcsine_mixture import NoiseMixture
from glassformer._core._validation import as_count, as_float_array, as_number
from glassformer.couplings._lag_covariance import check_diagonal_sums
from glassformer.models import TokenRule
from glassformer.theory.dmft._linear import solve_gaussian, solve_spherical
from glassformer.theory.dmft._sigmoid import solve_sigmoid
from glassformer.theory.dmft._state import Stationary as Stationary


def solve_stationary(
    diagonal_sums: npt.ArrayLike,
    rule: TokenRule,
    *,
    lags: int | None = None,
    tolerance: float = 1e-13,
    start: Stationary | npt.ArrayLike | None = None,
    mean: npt.ArrayLike | None = None,
    field: float = 0.0,
    noise: NoiseMixture | None = None,
) -> Stationary:
    r"""Return the stationary solution of :math:`c(\omega),\ Q(\omega)=G(\omega)c(\omega)` for any rule.

    Parameters
    ----------
    diagonal_sums : array (lag,)
        :math:`g_0..g_{K-1}` of a covariance (:math:`G(\omega)\ge0`).
    rule : TokenRule
    lags : int, optional
        At least this many lags; more are used where the tail :math:`|r|^M` would exceed `tolerance`.
    tolerance : float
        Largest residual of the equations.
    start : Stationary or array (lag,), optional
        A neighbouring solution (or c_0..c_M) to start from; sigmoid rules with mean zero.
    mean : array (lag,), optional
        :math:`J^0_k`.
    field : float
        :math:`\theta`.
    noise : NoiseMixture, optional
        In place of ``rule.noise``, as with more nodes.

    Raises
    ------
    InvalidInputError
        For sums of no covariance, and where no stationary state exists: an unstable gaussian model, or a spherical one at
        :math:`\beta=\infty`.

    Examples
    --------
    >>> found = solve_stationary([1.5, 0.5, -0.1], TokenRule("ising", beta=1.0))
    >>> found.correlation[1:3].round(8), found.status.value
    (array([ 2.0866004e-01, -3.4110000e-05]), 'converged')
    """
    sums = check_diagonal_sums(diagonal_sums)
    if lags is not None:
        as_count("lags", lags)
    as_number("field", field)
    drift = np.zeros(sums.size) if mean is None else as_float_array("mean", mean, ndim=1)
    if rule.variant == "gaussian":
        return solve_gaussian(sums, rule, lags, drift, float(field))
    if rule.variant == "spherical":
        return solve_spherical(sums, rule, lags, drift, float(field))
    return solve_sigmoid(sums, rule, lags, tolerance, start, drift, float(field), noise)

r"""How a steady state forgets: modes of the linear regression of one step on the step before, and lagged correlations.

The best linear prediction of :math:`\delta\mathbf s(t+1)` from :math:`\delta\mathbf s(t)` is the matrix

.. math:: M=LC^{-1},\qquad C(\tau)\approx M^\tau C,

with the equal-time and delayed correlations C and L (first index later). Its eigenvalues :math:`\lambda` are the relaxation
modes that pair correlations show: :math:`-\log|\lambda|` is a rate per step, :math:`\arg\lambda` an angle per step. In the
Gram closure :math:`M=\mathrm{diag}(a)J` and the prediction is exact.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from glassformer._core._errors import invalid
from glassformer._core._validation import FloatArray, as_count, as_float_array, as_square_matrix

CITATIONS = ("hasselmann1988",)


class Modes(NamedTuple):
    """Relaxation modes, slowest first: ``rate`` per step (infinite for a mode that is gone after one) and ``angle``."""

    rate: FloatArray
    angle: FloatArray

    @classmethod
    def of(cls, eigenvalues: npt.NDArray[np.complex128]) -> Modes:
        """Order eigenvalues of the map of one step; of a complex pair the positive angle comes first."""
        modulus = np.abs(eigenvalues)
        # a zero that rounding has moved is still a zero
        modulus = np.where(modulus > 1e-14 * max(1.0, float(modulus.max(initial=0.0))), modulus, 0.0)
        angle = np.where(modulus > 0, np.angle(eigenvalues), 0.0)
        angle = np.where(np.abs(angle) > np.pi * (1 - 1e-14), np.pi, angle)  # -1 is half a turn, never minus half
        order = np.lexsort((-angle, -np.round(modulus, 12)))
        with np.errstate(divide="ignore"):
            rate = -np.log(modulus[order])
        return cls(rate + 0.0, angle[order])


def relaxation_modes(correlation: npt.ArrayLike, delayed: npt.ArrayLike) -> Modes:
    r"""Return rates and angles of the eigenvalues of :math:`M=LC^{-1}`, slowest first.

    Parameters
    ----------
    correlation, delayed : arrays (site, site_)
        Connected :math:`C_{ij}` and :math:`L_{ij}`, first index later, from a simulation or a theory.

    Returns
    -------
    Modes
        ``rate (mode)`` per step and ``angle (mode)`` in radians per step, between :math:`-\pi` and :math:`\pi`.

    Raises
    ------
    InvalidInputError
        When C is not positive definite to rounding: spins that do not fluctuate have no relaxation.

    Notes
    -----
    A simulation adds noise of about :math:`\sqrt N` times the error of one entry of M to the modulus of every mode.

    References
    ----------
    Hasselmann 1988, J. Geophys. Res. 93, 11015 (principal oscillation patterns).

    Examples
    --------
    >>> modes = relaxation_modes([[1.0, 0.0], [0.0, 1.0]], [[0.0, 0.5], [-0.5, 0.0]])
    >>> modes.rate.round(4).tolist(), modes.angle.round(4).tolist()
    ([0.6931, 0.6931], [1.5708, -1.5708])
    """
    c, later = as_square_matrix("correlation", correlation), as_square_matrix("delayed", delayed)
    if c.shape != later.shape:
        raise invalid("the shape of delayed", later.shape, f"{c.shape} like correlation")
    c = 0.5 * (c + c.T)
    smallest = float(np.linalg.eigvalsh(c)[0])
    if smallest <= 1e-12 * float(np.abs(c).max()):
        raise invalid(
            "the smallest eigenvalue of correlation",
            smallest,
            "above 0",
            "a longer simulation resolves it, or beta is so large that some spins do not fluctuate",
        )
    return Modes.of(np.linalg.eigvals(np.linalg.solve(c, later.T).T).astype(np.complex128))


class LaggedCorrelation(NamedTuple):
    """Lagged correlations of a simulation; ``error`` is the standard error over replicas, None for a single one."""

    value: FloatArray
    error: FloatArray | None


def lagged_correlation(spins: npt.ArrayLike, max_lag: int) -> LaggedCorrelation:
    r"""Return :math:`C_{ij}(\tau)=\langle\mathbf s_i(t+\tau)\cdot\mathbf s_j(t)\rangle_c` for lags 0..max_lag from stored paths.

    Parameters
    ----------
    spins : array (replica, time, site, component)
        Stationary paths at successive steps.
    max_lag : int

    Returns
    -------
    LaggedCorrelation
        ``value`` and ``error``, arrays (lag, site, site_), first index later.

    Notes
    -----
    The product of the means is taken from distinct replicas, so that sampling noise in the means cancels on average.
    A single replica is centred on its own means.

    Examples
    --------
    >>> import numpy as np
    >>> path = np.array([[[[1.0]], [[-1.0]], [[1.0]], [[-1.0]]]])
    >>> lagged_correlation(path, 1).value.ravel().tolist()
    [1.0, -1.0]
    """
    s, lags = _paths(spins, max_lag)
    replicas, length, n, _ = s.shape
    rows = s.transpose(0, 2, 1, 3)  # (replica, site, time, component)
    raw = np.empty((replicas, lags + 1, n, n))
    for replica, row in enumerate(rows):
        for lag in range(lags + 1):
            later, earlier = row[:, lag:].reshape(n, -1), row[:, : length - lag].reshape(n, -1)
            raw[replica, lag] = later @ earlier.T / (length - lag)
    means = s.mean(axis=1)
    return _connected(raw, np.einsum("ria,rja->rij", means, means), np.einsum("ria,qja->rqij", means, means).sum(1))


def spin_autocorrelation(spins: npt.ArrayLike, max_lag: int) -> LaggedCorrelation:
    r"""Return :math:`\sum_iC_{ii}(\tau)/\sum_iC_{ii}(0)` for lags 0..max_lag, arrays (lag,), at cost linear in N.

    `spins` as in `lagged_correlation`.

    Examples
    --------
    >>> import numpy as np
    >>> path = np.array([[[[1.0]], [[-1.0]], [[1.0]], [[-1.0]]]])
    >>> spin_autocorrelation(path, 1).value.tolist()
    [1.0, -1.0]
    """
    s, lags = _paths(spins, max_lag)
    length = s.shape[1]
    raw = np.empty((s.shape[0], lags + 1))
    for replica, path in enumerate(s):
        whole = np.ascontiguousarray(path)
        for lag in range(lags + 1):
            raw[replica, lag] = np.vdot(whole[lag:], whole[: length - lag]) / (length - lag)
    means = s.mean(axis=1).reshape(s.shape[0], -1)
    total = means.sum(axis=0)
    found = _connected(raw, np.einsum("rx,rx->r", means, means), means @ total)
    size = float(found.value[0])
    if size <= 0.0:
        raise invalid("the variance of the spins", size, "above 0", "what does not fluctuate has no autocorrelation")
    # the error of lag 0 is common to numerator and denominator, and left out
    error = None if found.error is None else np.where(np.arange(lags + 1) > 0, found.error, 0.0) / size
    return LaggedCorrelation(found.value / size, error)


def _paths(spins: npt.ArrayLike, max_lag: int) -> tuple[FloatArray, int]:
    s = as_float_array("spins", spins, ndim=(4,))
    lags = as_count("max_lag", max_lag, minimum=0)
    if lags >= s.shape[1]:
        raise invalid("max_lag", lags, f"below the {s.shape[1]} steps of the path")
    return s, lags


def _connected(raw: FloatArray, own: FloatArray, crossed: FloatArray) -> LaggedCorrelation:
    """Subtract products of means from ``raw (replica, lag, ...)``; `crossed` sums over both replicas of the product."""
    count = raw.shape[0]
    if count == 1:
        return LaggedCorrelation(raw[0] - own[0], None)
    # leaving out the products of a replica with itself; each replica gets its half of the products with the others
    crossed = 0.5 * (crossed + np.swapaxes(crossed, -1, -2)) if crossed.ndim == 3 else crossed
    square = (crossed.sum(axis=0) - own.sum(axis=0)) / (count * (count - 1))
    value = raw.mean(axis=0) - square
    # linear part of the jackknife: raw_r - 2 m_r . mean of the others
    share = raw - 2.0 * ((crossed - own) / (count - 1))[:, None]
    return LaggedCorrelation(value, share.std(axis=0, ddof=1) / np.sqrt(count))

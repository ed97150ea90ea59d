r"""The Bessel ratio :math:`A_D(\kappa)=I_{D/2}(\kappa)/I_{D/2-1}(\kappa)` of one spin in a field, and what follows from it.

Two separately computed Bessel functions underflow at large order and small argument, so the ratio is never formed
from them. Below :math:`\kappa=\max(100,D^2)` everything comes from downward recurrences in
:math:`r_D=A_D/\kappa`, :math:`d_D=r_D-r_{D+2}` and :math:`A_D'`,

.. math:: r_D=\frac1{D+\kappa^2r_{D+2}},\qquad d_D=r_Dr_{D+2}(2-\kappa^2d_{D+2}),\qquad
          A_D'=r_D^2(D-\kappa^2A_{D+2}'),

which contract errors by :math:`A^2<1` per level and contain no cancelling difference (the identities
:math:`\delta=A_D-A_{D+2}` and :math:`A'=A(1/\kappa-\delta)` lose :math:`\kappa^2/D` digits when evaluated directly).
Above, the asymptotic series in :math:`1/\kappa` is exact to rounding.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln

from glassformer._core._errors import invalid
from glassformer._core._validation import FloatArray, as_count

_SERIES_ORDER = 12
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(32)
_EPS = float(np.finfo(np.float64).eps)


class RatioValues(NamedTuple):
    r"""The ratio and its relatives at the same :math:`\kappa`, each of the shape of `kappa`."""

    ratio: FloatArray
    over_kappa: FloatArray
    derivative: FloatArray
    delta: FloatArray


def check_kappa(kappa: npt.ArrayLike) -> FloatArray:
    """Return `kappa` as a float64 array of values >= 0 (infinity is allowed), or raise."""
    array = np.asarray(kappa, dtype=np.float64)
    bad = ~(array >= 0.0)  # also catches NaN
    if bad.any():
        raise invalid("kappa", float(array[bad].flat[0]), "a number >= 0", "kappa = beta * radius * |field|")
    return array


def series_start(dim: int) -> float:
    """Return the concentration from which the asymptotic series is exact to rounding."""
    return max(100.0, float(dim) ** 2)


@lru_cache(maxsize=256)
def series_coefficients(dim: int) -> tuple[float, ...]:
    r"""Return :math:`a_0..a_{12}` of :math:`A=\sum_ka_k\kappa^{-k}`."""
    a = [1.0]
    for k in range(1, _SERIES_ORDER + 1):
        a.append(0.5 * ((k - dim) * a[k - 1] - sum(a[i] * a[k - i] for i in range(1, k))))
    return tuple(a)


def amos_lower_over_kappa(kappa2: FloatArray, dim: float) -> FloatArray:
    """Return the Amos (1974) lower bound of the ratio, divided by kappa; takes the square of kappa."""
    return 1.0 / (0.5 * (dim - 1) + np.sqrt(0.25 * (dim + 1) ** 2 + kappa2))


def _amos_upper_over_kappa(kappa2: FloatArray, dim: float) -> FloatArray:
    return 1.0 / (0.5 * (dim - 1) + np.sqrt(0.25 * (dim - 1) ** 2 + kappa2))


def _levels(kappa: FloatArray, dim: int) -> npt.NDArray[np.int64]:
    """Return how many levels the recurrence needs for each kappa: the product of A^2 then falls below 1e-17."""
    return (16 + np.ceil(0.5 * (np.sqrt(dim**2 + 160.0 * kappa) - dim))).astype(np.int64)


class _Ladder:
    """Concentrations sorted by the number of levels they need, so that one huge value slows only itself."""

    def __init__(self, kappa: FloatArray, dim: int) -> None:
        need = _levels(kappa, dim)
        self.order = np.argsort(-need, kind="stable")
        self.kappa2 = kappa[self.order] ** 2
        need = need[self.order]
        # active[k] = how many of the sorted values take part at level k (the state "A_{D+2k}" is known for them)
        self.top = int(need[0]) if need.size else 0
        self.active = np.searchsorted(-need, -np.arange(self.top + 1), side="right")

    def unsort(self, values: FloatArray) -> FloatArray:
        out = np.empty_like(values)
        out[self.order] = values
        return out


def _recur_ratio(kappa: FloatArray, dim: int, start: str) -> FloatArray:
    """Return r = A/kappa by the recurrence, started from the ``lower`` or ``upper`` bound of the result."""
    ladder = _Ladder(kappa, dim)
    r = np.empty_like(ladder.kappa2)
    begin = 0
    for level in range(ladder.top, -1, -1):
        end = ladder.active[level]
        running = r[:begin]
        if begin:
            running *= ladder.kappa2[:begin]
            running += dim + 2 * level
            np.reciprocal(running, out=running)
        if end > begin:
            # A_D decreases in A_{D+2}: the bounds swap roles at every level below the start
            bound = amos_lower_over_kappa if (level % 2 == 0) == (start == "lower") else _amos_upper_over_kappa
            r[begin:end] = bound(ladder.kappa2[begin:end], dim + 2 * level)
            begin = end
    return ladder.unsort(r)


def _recur_all(kappa: FloatArray, dim: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return (A/kappa, A', (A_D - A_{D+2})/kappa) by the recurrences."""
    ladder = _Ladder(kappa, dim)
    size = ladder.kappa2.size
    r, derivative, gap = np.empty(size), np.empty(size), np.empty(size)
    begin = 0
    for level in range(ladder.top, -1, -1):
        end = ladder.active[level]
        bottom = dim + 2 * level
        if begin:
            k2 = ladder.kappa2[:begin]
            fresh = 1.0 / (bottom + k2 * r[:begin])
            gap[:begin] = fresh * r[:begin] * (2.0 - k2 * gap[:begin])
            derivative[:begin] = fresh**2 * (bottom - k2 * derivative[:begin])
            r[:begin] = fresh
        if end > begin:
            k2 = ladder.kappa2[begin:end]
            a, b2 = 0.5 * (bottom - 1), 0.25 * (bottom + 1) ** 2
            s = np.sqrt(b2 + k2)
            r[begin:end] = 1.0 / (a + s)
            gap[begin:end] = 1.0 / (s * (a + s))
            derivative[begin:end] = (a * s + b2) / (s * (a + s) ** 2)
            begin = end
    return ladder.unsort(r), ladder.unsort(derivative), ladder.unsort(gap)


def _polynomial(x: FloatArray, coefficients: Sequence[float]) -> FloatArray:
    return np.asarray(np.polynomial.polynomial.polyval(x, coefficients), dtype=np.float64)


def _series_ratio(kappa: FloatArray, dim: int) -> FloatArray:
    return _polynomial(1.0 / kappa, series_coefficients(dim))


def _series_derivative(kappa: FloatArray, dim: int) -> FloatArray:
    coefficients = series_coefficients(dim)
    inverse = 1.0 / kappa
    tail = [-k * coefficients[k] for k in range(1, _SERIES_ORDER + 1)]
    return inverse**2 * _polynomial(inverse, tail)


def ratio_values(kappa: npt.ArrayLike, dim: int) -> RatioValues:
    r"""Evaluate :math:`A`, :math:`A/\kappa`, :math:`A'` and :math:`\delta=A_D-A_{D+2}` in one pass.

    Parameters
    ----------
    kappa : array (...)
        Concentrations >= 0; infinity is allowed.
    dim : int
        Number of components D >= 1.

    Returns
    -------
    RatioValues
        Four arrays of the shape of `kappa`.

    Examples
    --------
    >>> values = ratio_values(0.0, 4)
    >>> float(values.ratio), float(values.over_kappa), float(values.derivative), float(values.delta)
    (0.0, 0.25, 0.25, 0.0)
    """
    dim = as_count("dim", dim)
    shaped = check_kappa(kappa)
    flat = np.atleast_1d(shaped).ravel()
    ratio, over, derivative, delta = (np.empty_like(flat) for _ in range(4))
    far = flat >= series_start(dim)
    if far.any():
        k = flat[far]
        ratio[far] = _series_ratio(k, dim)
        over[far] = ratio[far] / k
        derivative[far] = _series_derivative(k, dim)
        delta[far] = 1.0 / k - derivative[far] / ratio[far]
    near = ~far
    if near.any():
        k = flat[near]
        over[near], derivative[near], gap = _recur_all(k, dim)
        ratio[near] = k * over[near]
        delta[near] = k * gap
    if dim == 1:  # the recurrence and the series lose the exponentially small tails
        ratio = np.tanh(flat)
        derivative = _sech_squared(flat)
    return RatioValues(*(array.reshape(shaped.shape) for array in (ratio, over, derivative, delta)))


def _sech_squared(kappa: FloatArray) -> FloatArray:
    decay = np.exp(-2.0 * kappa)
    return 4.0 * decay / (1.0 + decay) ** 2


def bessel_ratio_over_kappa(kappa: npt.ArrayLike, dim: int) -> FloatArray:
    r"""Return :math:`A_D(\kappa)/\kappa`, which is :math:`1/D` at :math:`\kappa=0`.

    >>> float(bessel_ratio_over_kappa(0.0, 8))
    0.125
    """
    dim = as_count("dim", dim)
    shaped = check_kappa(kappa)
    flat = np.atleast_1d(shaped).ravel()
    out = np.empty_like(flat)
    if dim == 1:
        closed = flat > 0.0
        out[closed] = np.tanh(flat[closed]) / flat[closed]
        out[~closed] = 1.0
        return out.reshape(shaped.shape)
    # coth(kappa) - 1/kappa cancels below, and needs no ladder above
    closed = flat >= (2.0 if dim == 3 else series_start(dim))
    if closed.any():
        k = flat[closed]
        value = 1.0 / np.tanh(k) - 1.0 / k if dim == 3 else _series_ratio(k, dim)
        out[closed] = value / k
    if not closed.all():
        out[~closed] = _recur_ratio(flat[~closed], dim, "lower")
    return out.reshape(shaped.shape)


def bessel_ratio(kappa: npt.ArrayLike, dim: int) -> FloatArray:
    r"""Return :math:`A_D(\kappa)=I_{D/2}(\kappa)/I_{D/2-1}(\kappa)`, the mean alignment of a spin with its field.

    Parameters
    ----------
    kappa : array (...)
        Concentration :math:`\kappa=\beta R\lVert\mathbf h\rVert\ge0`; infinity gives 1.
    dim : int
        Number of components D >= 1 (D = 1 is :math:`\tanh\kappa`, D = 3 the Langevin function).

    Returns
    -------
    array (...)
        Values in [0, 1], to a few units of rounding for every D and kappa.

    Raises
    ------
    InvalidInputError
        For a negative or NaN concentration, or D < 1.

    References
    ----------
    Amos 1974, Math. Comp. 28, 239.

    Examples
    --------
    >>> bessel_ratio([0.0, 1.0, 1e12], 3).round(6).tolist()
    [0.0, 0.313035, 1.0]
    """
    if dim == 1:
        return np.tanh(check_kappa(kappa))
    shaped = check_kappa(kappa)
    finite = np.isfinite(shaped)
    over = bessel_ratio_over_kappa(np.where(finite, shaped, 0.0), dim)
    return np.where(finite, np.where(finite, shaped, 0.0) * over, 1.0)


def bessel_ratio_with_error(kappa: npt.ArrayLike, dim: int) -> tuple[FloatArray, FloatArray]:
    r"""Return the ratio and a rigorous bound on its error.

    The recurrence is run from both Amos bounds; the two runs bracket the answer, and half their distance (plus four
    units of rounding) is the certificate. In the range of the series the bound is the first neglected term.

    Returns
    -------
    value, half_width : arrays (...)

    Examples
    --------
    >>> value, half_width = bessel_ratio_with_error(50.0, 32)
    >>> bool(half_width < 1e-15)
    True
    """
    dim = as_count("dim", dim)
    shaped = check_kappa(kappa)
    flat = np.atleast_1d(shaped).ravel()
    value, width = np.empty_like(flat), np.empty_like(flat)
    far = flat >= series_start(dim)
    if far.any():
        k = flat[far]
        value[far] = np.tanh(k) if dim == 1 else _series_ratio(k, dim)
        a = series_coefficients(dim)
        neglected = 0.5 * abs((13 - dim) * a[12] - sum(a[i] * a[13 - i] for i in range(1, 13)))
        width[far] = neglected / k**13
    near = ~far
    if near.any():
        k = flat[near]
        low, high = _recur_ratio(k, dim, "lower"), _recur_ratio(k, dim, "upper")
        value[near] = np.tanh(k) if dim == 1 else k * 0.5 * (low + high)
        width[near] = k * 0.5 * np.abs(high - low)
    width += 4.0 * _EPS * value
    return value.reshape(shaped.shape), width.reshape(shaped.shape)


def bessel_ratio_derivative(kappa: npt.ArrayLike, dim: int) -> FloatArray:
    r"""Return :math:`A_D'(\kappa)=1-A^2-\frac{D-1}\kappa A` without its cancellation; :math:`1/D` at 0.

    >>> float(bessel_ratio_derivative(1e6, 3) * 1e12)
    1.0
    """
    if dim == 1:
        return _sech_squared(check_kappa(kappa))
    return ratio_values(kappa, dim).derivative


def bessel_ratio_gap(kappa: npt.ArrayLike, dim: int) -> FloatArray:
    r"""Return :math:`\delta=A_D(\kappa)-A_{D+2}(\kappa)=1/\kappa-A'/A>0`; :math:`2\kappa/(D(D+2))` at small kappa.

    >>> float(bessel_ratio_gap(1e-8, 2) * 1e8)
    0.25
    """
    return ratio_values(kappa, dim).delta


@lru_cache(maxsize=256)
def _decade_integrals(dim: int) -> tuple[float, ...]:
    """Return the integrals of A from 0 to D 10^j, for every j below the range of the series."""
    total = _first_panel(np.array([float(dim)]), dim)
    totals = [float(total[0])]
    edge = float(dim)
    while edge < series_start(dim):
        totals.append(totals[-1] + float(_log_panel(np.array([edge]), np.array([10.0 * edge]), dim)[0]))
        edge *= 10.0
    return tuple(totals)


def _first_panel(kappa: FloatArray, dim: int) -> FloatArray:
    half = 0.5 * kappa[:, None]
    nodes = half * (1.0 + _NODES)
    return ((nodes * bessel_ratio_over_kappa(nodes, dim)) @ _WEIGHTS) * half[:, 0]


def _log_panel(low: FloatArray, high: FloatArray, dim: int) -> FloatArray:
    # In the logarithm of kappa the zeros of I_nu stay a distance pi/2 away, whatever the panel.
    half = 0.5 * np.log(high / low)[:, None]
    nodes = low[:, None] * np.exp(half * (1.0 + _NODES))
    return ((nodes**2 * bessel_ratio_over_kappa(nodes, dim)) @ _WEIGHTS) * half[:, 0]


def _log_normalizer_minus_kappa_far(kappa: FloatArray, dim: int) -> FloatArray:
    r"""Return :math:`\ell_D(\kappa)-\kappa` from the series."""
    a = series_coefficients(dim)
    nu = 0.5 * dim - 1.0
    constant = float(gammaln(nu + 1.0)) + nu * np.log(2.0) - 0.5 * np.log(2.0 * np.pi)
    inverse = 1.0 / kappa
    tail = [0.0] + [-a[k] / (k - 1) for k in range(2, _SERIES_ORDER + 1)]
    return constant + a[1] * np.log(kappa) + _polynomial(inverse, tail)


def log_normalizer(kappa: npt.ArrayLike, dim: int) -> FloatArray:
    r"""Return :math:`\ell_D(\kappa)=\int_0^\kappa A_D=\log[\Gamma(\nu+1)(2/\kappa)^\nu I_\nu(\kappa)]`, :math:`\nu=D/2-1`.

    This is the logarithm of the normaliser of :math:`e^{\kappa w}` relative to the uniform law on the sphere.
    Gauss-Legendre panels (linear up to D, one per decade above), the integrated series beyond :math:`\max(100,D^2)`.

    Examples
    --------
    >>> import numpy as np
    >>> bool(np.isclose(log_normalizer(2.0, 1), np.log(np.cosh(2.0)), rtol=1e-14))
    True
    """
    dim = as_count("dim", dim)
    shaped = check_kappa(kappa)
    flat = np.atleast_1d(shaped).ravel()
    if dim == 1:
        # log cosh cancels below: use 2 sinh^2(kappa/2) = cosh(kappa) - 1
        small = np.minimum(flat, 1.0)
        value = np.where(
            flat < 1.0, np.log1p(2.0 * np.sinh(0.5 * small) ** 2), flat + np.log1p(np.exp(-2.0 * flat)) - np.log(2.0)
        )
        return value.reshape(shaped.shape)
    out = np.empty_like(flat)
    far = flat >= series_start(dim)
    if far.any():
        out[far] = flat[far]
        finite = far & np.isfinite(flat)
        out[finite] += _log_normalizer_minus_kappa_far(flat[finite], dim)
    near = flat < dim
    if near.any():
        out[near] = _first_panel(flat[near], dim)
    middle = ~far & ~near
    if middle.any():
        k = flat[middle]
        decade = np.minimum(np.floor(np.log10(k / dim)).astype(np.int64), len(_decade_integrals(dim)) - 1)
        low = dim * 10.0**decade
        out[middle] = np.asarray(_decade_integrals(dim))[decade] + _log_panel(low, k, dim)
    return out.reshape(shaped.shape)


def entropy(kappa: npt.ArrayLike, dim: int) -> FloatArray:
    r"""Return the entropy :math:`\ell(\kappa)-\kappa A(\kappa)\le0` relative to the uniform law on the sphere.

    >>> float(entropy(0.0, 5)), bool(entropy(1e12, 5) > -60)
    (0.0, True)
    """
    dim = as_count("dim", dim)
    shaped = check_kappa(kappa)
    flat = np.atleast_1d(shaped).ravel()
    out = np.empty_like(flat)
    if dim == 1:
        decay = np.exp(-2.0 * flat)
        bounded = np.where(np.isfinite(flat), flat, 0.0)
        large = np.log1p(decay) - np.log(2.0) + 2.0 * bounded * decay / (1.0 + decay)
        out = np.where(flat < 1.0, log_normalizer(flat, 1) - bounded * np.tanh(flat), large)
        return out.reshape(shaped.shape)
    far = flat >= series_start(dim)
    if far.any():
        # kappa (1 - A) from the series, so that the two large numbers never meet
        a = series_coefficients(dim)
        remainder = -_polynomial(1.0 / flat[far], a[1:])
        out[far] = _log_normalizer_minus_kappa_far(flat[far], dim) + remainder
    if not far.all():
        k = flat[~far]
        out[~far] = log_normalizer(k, dim) - k * bessel_ratio(k, dim)
    return out.reshape(shaped.shape)


def check_ratio(ratio: npt.ArrayLike) -> FloatArray:
    """Return `ratio` as a float64 array of values in [0, 1), or raise."""
    array = np.asarray(ratio, dtype=np.float64)
    bad = ~((array >= 0.0) & (array < 1.0))
    if bad.any():
        raise invalid("ratio", float(array[bad].flat[0]), "at least 0 and below 1", "ratio = |magnetization| / radius")
    return array


def inverse_bessel_ratio(ratio: npt.ArrayLike, dim: int) -> FloatArray:
    r"""Return :math:`\kappa` with :math:`A_D(\kappa)=` `ratio`, for 0 <= ratio < 1.

    Newton's method from the inverse of the Amos bound; A is concave, so after the first step the iterates rise
    monotonically to the answer. D = 1 is :math:`\mathrm{artanh}`.

    Examples
    --------
    >>> float(inverse_bessel_ratio(bessel_ratio(7.0, 5), 5).round(10))
    7.0
    """
    dim = as_count("dim", dim)
    target = check_ratio(ratio)
    if dim == 1:
        return np.arctanh(target)
    flat = np.atleast_1d(target).ravel()
    a = 0.5 * (dim - 1)
    complement = (1.0 - flat) * (1.0 + flat)
    kappa = flat * (a + np.sqrt(a**2 + dim * complement)) / complement
    running = np.flatnonzero(flat > 0.0)
    for _ in range(30):
        if running.size == 0:
            break
        k = kappa[running]
        values = ratio_values(k, dim)
        step = (values.ratio - flat[running]) / values.derivative
        fresh = np.where(k - step > 0.0, k - step, 0.5 * k)
        kappa[running] = fresh
        # the ratio itself is known to a few eps, which bounds how well kappa can be
        floor = 4.0 * _EPS * (k + flat[running] / values.derivative)
        running = running[np.abs(fresh - k) > floor]
    return kappa.reshape(target.shape)

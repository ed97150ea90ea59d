r"""The response of one spin to its field: exact, or one of two closed forms, behind one interface.

A spin on the sphere of radius R in the field :math:`\mathbf h` has, with :math:`\kappa=\beta R\lVert\mathbf h\rVert`,

.. math:: \mathbf m=RA(\kappa)\hat h,\qquad V_\parallel=R^2A'(\kappa),\qquad V_\perp=R^2A(\kappa)/\kappa .

`response` names the function A: ``"exact"`` (Bessel ratio), ``"amos"`` (its lower bound, right at both ends, maximal
relative error about 0.09/D) and ``"large_d"`` (leading uniform expansion, error 2/(D-2); needs D >= 3).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from glassformer._core import _bessel
from glassformer._core._bessel import RatioValues, check_kappa, check_ratio
from glassformer._core._errors import invalid
from glassformer._core._validation import FloatArray, as_choice, as_count

RESPONSES = ("exact", "amos", "large_d")
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(32)


class Response(ABC):
    r"""The function :math:`A(\kappa)` and everything that follows from it, vectorised over :math:`\kappa\ge0`."""

    __slots__ = ()
    name: str
    dim: int

    @abstractmethod
    def evaluate(self, kappa: npt.ArrayLike) -> RatioValues:
        r"""Return :math:`A`, :math:`A/\kappa`, :math:`A'` and :math:`\delta=1/\kappa-A'/A` in one pass."""

    @abstractmethod
    def ratio(self, kappa: npt.ArrayLike) -> FloatArray:
        r"""Return :math:`A(\kappa)`, between 0 and 1."""

    @abstractmethod
    def ratio_over_kappa(self, kappa: npt.ArrayLike) -> FloatArray:
        r"""Return :math:`A/\kappa`, finite at :math:`\kappa=0`."""

    @abstractmethod
    def ratio_derivative(self, kappa: npt.ArrayLike) -> FloatArray:
        r"""Return :math:`A'(\kappa)`."""

    @abstractmethod
    def delta(self, kappa: npt.ArrayLike) -> FloatArray:
        r"""Return :math:`\delta=1/\kappa-A'/A`, without cancellation."""

    @abstractmethod
    def log_normalizer(self, kappa: npt.ArrayLike) -> FloatArray:
        r"""Return :math:`\ell(\kappa)=\int_0^\kappa A`."""

    @abstractmethod
    def entropy(self, kappa: npt.ArrayLike) -> FloatArray:
        r"""Return :math:`\ell(\kappa)-\kappa A(\kappa)\le0`, relative to the uniform law."""

    @abstractmethod
    def inverse(self, ratio: npt.ArrayLike) -> FloatArray:
        r"""Return :math:`\kappa` with :math:`A(\kappa)=` `ratio`, for 0 <= ratio < 1."""


@dataclass(frozen=True, slots=True)
class ExactResponse(Response):
    r"""The Bessel ratio itself, :math:`A=I_{D/2}/I_{D/2-1}`, to rounding.

    >>> ExactResponse(dim=1).ratio(1.0).round(6).tolist()
    0.761594
    """

    dim: int

    @property
    def name(self) -> str:  # type: ignore[override]
        """``"exact"``."""
        return "exact"

    def evaluate(self, kappa: npt.ArrayLike) -> RatioValues:
        return _bessel.ratio_values(kappa, self.dim)

    def ratio(self, kappa: npt.ArrayLike) -> FloatArray:
        return _bessel.bessel_ratio(kappa, self.dim)

    def ratio_over_kappa(self, kappa: npt.ArrayLike) -> FloatArray:
        return _bessel.bessel_ratio_over_kappa(kappa, self.dim)

    def ratio_derivative(self, kappa: npt.ArrayLike) -> FloatArray:
        return _bessel.bessel_ratio_derivative(kappa, self.dim)

    def delta(self, kappa: npt.ArrayLike) -> FloatArray:
        return _bessel.bessel_ratio_gap(kappa, self.dim)

    def log_normalizer(self, kappa: npt.ArrayLike) -> FloatArray:
        return _bessel.log_normalizer(kappa, self.dim)

    def entropy(self, kappa: npt.ArrayLike) -> FloatArray:
        return _bessel.entropy(kappa, self.dim)

    def inverse(self, ratio: npt.ArrayLike) -> FloatArray:
        return _bessel.inverse_bessel_ratio(ratio, self.dim)


@dataclass(frozen=True, slots=True)
class ClosedFormResponse(Response):
    r"""The responses :math:`A=\kappa/(a+s)`, :math:`s=\sqrt{b^2+\kappa^2}`.

    ``"amos"`` has :math:`a=\frac{D-1}2,\ b=\frac{D+1}2`; ``"large_d"`` has :math:`a=b=\frac D2-1`. Then

    .. math:: A'=\frac{as+b^2}{s(a+s)^2},\quad \delta=\frac As,\quad
              \ell=(s-b)-a\log\frac{a+s}{a+b},\quad
              \kappa=\frac{A[a+\sqrt{a^2+(b^2-a^2)(1-A^2)}]}{1-A^2}.

    >>> ClosedFormResponse(name="large_d", dim=4).ratio(0.0).tolist()
    0.0
    """

    name: str
    dim: int

    def __post_init__(self) -> None:
        as_choice("name", self.name, ("amos", "large_d"))
        as_count("dim", self.dim)
        if self.name == "large_d" and self.dim < 3:
            raise invalid("dim", self.dim, "at least 3 for the response 'large_d'", "use 'exact' or 'amos'")

    @property
    def _a(self) -> float:
        return 0.5 * (self.dim - 1) if self.name == "amos" else 0.5 * self.dim - 1.0

    @property
    def _b(self) -> float:
        return 0.5 * (self.dim + 1) if self.name == "amos" else 0.5 * self.dim - 1.0

    def evaluate(self, kappa: npt.ArrayLike) -> RatioValues:
        k = check_kappa(kappa)
        a, b = self._a, self._b
        s = np.hypot(b, k)
        over = 1.0 / (a + s)
        ratio = self._ratio(k, s)
        # b^2/s rather than b^2 alone keeps infinity out of the quotient
        return RatioValues(ratio, over, (a + b * (b / s)) * over**2, ratio / s)

    def _ratio(self, k: FloatArray, s: FloatArray) -> FloatArray:
        finite = np.isfinite(k)
        return np.where(finite, np.where(finite, k, 0.0) / (self._a + s), 1.0)

    def ratio(self, kappa: npt.ArrayLike) -> FloatArray:
        k = check_kappa(kappa)
        return self._ratio(k, np.hypot(self._b, k))

    def ratio_over_kappa(self, kappa: npt.ArrayLike) -> FloatArray:
        return 1.0 / (self._a + np.hypot(self._b, check_kappa(kappa)))

    def ratio_derivative(self, kappa: npt.ArrayLike) -> FloatArray:
        return self.evaluate(kappa).derivative

    def delta(self, kappa: npt.ArrayLike) -> FloatArray:
        return self.evaluate(kappa).delta

    def _rise(self, k: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return s and s - b, the second without cancellation."""
        s = np.hypot(self._b, k)
        finite = np.isfinite(k)
        return s, np.where(finite, np.where(finite, k, 0.0) * (np.where(finite, k, 0.0) / (s + self._b)), np.inf)

    def log_normalizer(self, kappa: npt.ArrayLike) -> FloatArray:
        k = check_kappa(kappa)
        rise = self._rise(k)[1]
        finite = np.isfinite(rise)
        return np.where(finite, rise, np.inf) - self._a * np.where(
            finite, np.log1p(np.where(finite, rise, 0.0) / (self._a + self._b)), 0.0
        )

    def entropy(self, kappa: npt.ArrayLike) -> FloatArray:
        k = check_kappa(kappa)
        a, b = self._a, self._b
        s, rise = self._rise(k)
        finite = np.isfinite(rise)
        share = np.where(finite, np.where(finite, rise, 0.0) / (a + s), 1.0)
        return share * (a - b) - a * np.log1p(rise / (a + b)) if a > 0 else share * (a - b)

    def inverse(self, ratio: npt.ArrayLike) -> FloatArray:
        target = check_ratio(ratio)
        a, b = self._a, self._b
        complement = (1.0 - target) * (1.0 + target)
        return target * (a + np.sqrt(a**2 + (b**2 - a**2) * complement)) / complement


def response(name: str, dim: int) -> Response:
    r"""Return the response called `name` for spins of `dim` components.

    Parameters
    ----------
    name : {"exact", "amos", "large_d"}
    dim : int
        Number of components D >= 1 (``"large_d"``: D >= 3).

    Raises
    ------
    InvalidInputError
        For an unknown name, D < 1, or ``"large_d"`` with D < 3.

    References
    ----------
    Amos 1974, Math. Comp. 28, 239; Bal 2023, Spin-Model Transformers.

    Examples
    --------
    >>> response("amos", 32).ratio(16.0).round(4).tolist()
    0.4158
    """
    as_choice("response", name, RESPONSES)
    dim = as_count("dim", dim)
    return ExactResponse(dim) if name == "exact" else ClosedFormResponse(name, dim)


def mean_and_stiffness(
    response: Response, theta: npt.ArrayLike, beta: float, radius: float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    r"""Return mean and covariance of spins in the fields `theta`.

    .. math:: \mathbf m=RA\hat\theta,\quad V_\parallel=R^2A',\quad V_\perp=R^2A/\kappa,\qquad\kappa=\beta R\lVert\theta\rVert .

    Parameters
    ----------
    response : Response
    theta : array (..., component)
        Fields (an energy per length).
    beta, radius : float

    Returns
    -------
    m : array (..., component)
    v_parallel, v_perp : arrays (...)
        Variances of one component along and across the field; equal at zero field.

    Examples
    --------
    >>> m, along, across = mean_and_stiffness(response("exact", 2), [0.0, 0.0], beta=1.0, radius=1.0)
    >>> m.tolist(), float(along), float(across)
    ([0.0, 0.0], 0.5, 0.5)
    """
    fields = np.asarray(theta, dtype=np.float64)
    values = response.evaluate(beta * radius * np.linalg.norm(fields, axis=-1))
    # R A h/|h| = beta R^2 (A/kappa) h has no division by a vanishing norm
    mean = (beta * radius**2) * values.over_kappa[..., None] * fields
    return mean, radius**2 * values.derivative, radius**2 * values.over_kappa


def field_of_mean(response: Response, mean: npt.ArrayLike, beta: float, radius: float) -> FloatArray:
    r"""Return the field :math:`\theta=\varphi^{-1}(\mathbf m)` in which a spin has the mean `mean` (norm below R).

    Examples
    --------
    >>> r = response("amos", 4)
    >>> m, _, _ = mean_and_stiffness(r, [1.0, 2.0, 0.0, 0.0], beta=0.5, radius=1.0)
    >>> field_of_mean(r, m, beta=0.5, radius=1.0).round(12).tolist()
    [1.0, 2.0, 0.0, 0.0]
    """
    m = np.asarray(mean, dtype=np.float64)
    kappa = response.inverse(np.linalg.norm(m, axis=-1) / radius)
    return m / (beta * radius**2 * response.ratio_over_kappa(kappa))[..., None]


def kl_divergence(
    response: Response, theta_a: npt.ArrayLike, theta_b: npt.ArrayLike, *, beta: float, radius: float
) -> FloatArray:
    r"""Return :math:`D_{KL}(a\Vert b)` between the laws of one spin in two fields, in nats.

    .. math:: D_{KL}=\ell(\kappa_b)-\ell(\kappa_a)+\beta(\mathbf h_a-\mathbf h_b)\cdot\varphi(\mathbf h_a)
              =\int_{\kappa_a}^{\kappa_b}(\kappa_b-k)A'(k)\,dk+\kappa_bA(\kappa_a)(1-\hat h_a\cdot\hat h_b).

    The second form is used: both terms are non-negative, so close fields and strong fields lose no digits.

    Parameters
    ----------
    response : Response
    theta_a, theta_b : arrays (..., component)

    Returns
    -------
    array (...)

    Examples
    --------
    >>> float(kl_divergence(response("exact", 3), [1.0, 0.0, 0.0], [1.0, 0.0, 0.0], beta=2.0, radius=1.0))
    0.0
    """
    a, b = np.broadcast_arrays(np.asarray(theta_a, dtype=np.float64), np.asarray(theta_b, dtype=np.float64))
    norm_a, norm_b = np.linalg.norm(a, axis=-1), np.linalg.norm(b, axis=-1)
    kappa_a, kappa_b = beta * radius * norm_a, beta * radius * norm_b
    unit_a = a / np.where(norm_a > 0, norm_a, 1.0)[..., None]
    unit_b = b / np.where(norm_b > 0, norm_b, 1.0)[..., None]
    turn = 0.5 * np.sum((unit_a - unit_b) ** 2, axis=-1)  # 1 - cos, exact for small angles
    turn = np.where((norm_a > 0) & (norm_b > 0), turn, 0.0)
    return _bregman(response, kappa_a, kappa_b) + kappa_b * response.ratio(kappa_a) * turn


def _bregman(response: Response, kappa_a: FloatArray, kappa_b: FloatArray) -> FloatArray:
    r"""Return :math:`\int_{\kappa_a}^{\kappa_b}(\kappa_b-k)A'(k)dk`, panels of equal length in asinh(k/D)."""
    low, high = np.arcsinh(kappa_a / response.dim), np.arcsinh(kappa_b / response.dim)
    # A' has its poles at |Im asinh(k/D)| > 0.5; 32 nodes on a length of 1.5 then reach rounding
    panels = max(1, int(np.ceil(np.max(np.abs(high - low), initial=0.0) / 1.5)))
    total = np.zeros(np.shape(kappa_a))
    half = 0.5 * (high - low)[..., None] / panels
    for panel in range(panels):
        u = low[..., None] + half * (2 * panel + 1.0 + _NODES)
        k = response.dim * np.sinh(u)
        # kappa_b - k as a product, so that the last digits of close fields survive
        gap = 2.0 * response.dim * np.cosh(0.5 * (high[..., None] + u)) * np.sinh(0.5 * (high[..., None] - u))
        slope = response.ratio_derivative(np.abs(k)) * response.dim * np.cosh(u)
        total += (gap * slope) @ _WEIGHTS * half[..., 0]
    return total

"""Couplings in the shape of attention: row-stochastic matrices from Gaussian logits or from tokens."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from glassformer._core._errors import invalid
from glassformer._core._random import check_seed, normals
from glassformer._core._validation import FloatArray, as_choice, as_count, as_float_array, as_number

Mask = str | npt.ArrayLike | None
MASKS = ("none", "causal", "strictly_causal")
SCALINGS = ("vanilla", "unit", "qk_norm")


def resolve_mask(mask: Mask, n: int) -> npt.NDArray[np.bool_]:
    """Return a boolean ``(site, site_)`` array, True where site attends to site_."""
    if mask is None or (isinstance(mask, str) and mask == "none"):
        return np.ones((n, n), dtype=bool)
    if isinstance(mask, str):
        as_choice("mask", mask, MASKS)
        return np.tril(np.ones((n, n), dtype=bool), 0 if mask == "causal" else -1)
    array = np.asarray(mask)
    if array.dtype != bool or array.shape != (n, n):
        raise invalid(
            "mask",
            f"{array.dtype} array of shape {array.shape}",
            f"'none', 'causal', 'strictly_causal' or a boolean array of shape {(n, n)}",
        )
    return array


def masked_softmax(logits: FloatArray, mask: npt.NDArray[np.bool_], *, empty_rows: str = "error") -> FloatArray:
    """Return the softmax of each row of `logits` over the entries that `mask` allows.

    A row without an allowed entry has no softmax: with ``empty_rows="error"`` it raises, with ``"zero"`` the site
    feels no other (the first token under a strictly causal mask).
    """
    as_choice("empty_rows", empty_rows, ("error", "zero"))
    empty = ~mask.any(axis=1)
    if empty.any() and empty_rows == "error":
        raise invalid(
            f"row {int(np.argmax(empty))} of the mask",
            "fully masked",
            "at least one allowed entry",
            "use mask='causal' to keep the diagonal, or empty_rows='zero' to leave such a site uncoupled",
        )
    shifted = np.where(mask, logits, -np.inf)
    shifted -= np.where(empty, 0.0, shifted.max(axis=1))[:, None]
    weights = np.exp(shifted)
    return weights / np.where(empty, 1.0, weights.sum(axis=1))[:, None]


@dataclass(frozen=True, slots=True, kw_only=True)
class SoftmaxGaussian:
    r"""Row-wise softmax of independent standard normal logits: random attention.

    .. math:: J_{ij} = \frac{e^{\ell_{ij}}}{\sum_{k}e^{\ell_{ik}}},\qquad \ell_{ij}\sim N(0,1),

    with sums over the entries that the mask allows. Each row sums to 1.

    Parameters
    ----------
    mask : {"none", "causal", "strictly_causal"} or boolean array (site, site_)
        True where site attends to site_; an array fixes N.
    empty_rows : {"error", "zero"}
        What to do with a row that the mask empties, as in `attention_couplings`.

    References
    ----------
    Bal 2026, Nonequilibrium Dynamics in Spin-Model Transformers.

    Examples
    --------
    >>> couplings = SoftmaxGaussian(mask="causal").sample(n=4, seed=1)
    >>> bool(abs(couplings.sum(axis=1) - 1).max() < 1e-15), bool(couplings[0, 1] == 0)
    (True, True)
    """

    mask: Mask = "none"
    empty_rows: str = "error"

    citations: ClassVar[tuple[str, ...]] = ("bal2026",)

    def __post_init__(self) -> None:
        if self.mask is None or isinstance(self.mask, str):
            as_choice("mask", self.mask or "none", MASKS)
        else:
            mask = np.asarray(self.mask)
            resolve_mask(mask, mask.shape[0] if mask.ndim else 0)
            object.__setattr__(self, "mask", tuple(map(tuple, mask.tolist())))  # a value, like the words
        as_choice("empty_rows", self.empty_rows, ("error", "zero"))

    def sample(self, *, n: int, seed: int | None = None) -> FloatArray:
        """Draw one row-stochastic matrix ``(site, site_)``."""
        n = as_count("n", n)
        logits = normals(check_seed(seed), "couplings/softmax", (n, n))
        return masked_softmax(logits, resolve_mask(self.mask, n), empty_rows=self.empty_rows)


def attention_couplings(
    tokens: npt.ArrayLike,
    query: npt.ArrayLike,
    *,
    key: npt.ArrayLike,
    scaling: str = "vanilla",
    mask: Mask = None,
    temperature_factor: float | None = None,
    empty_rows: str = "error",
) -> FloatArray:
    r"""Return the attention matrix of `tokens` as couplings.

    With :math:`\mathbf q_i=\mathbf x_iW_Q` and :math:`\mathbf k_j=\mathbf x_jW_K`,

    .. math:: J_{ij}=\operatorname{softmax}_j\ell_{ij},\qquad \ell_{ij}=
        \begin{cases}\mathbf q_i\cdot\mathbf k_j/\sqrt{D} & \text{vanilla}\\ \mathbf q_i\cdot\mathbf k_j & \text{unit}\\
        \tau\cos(\mathbf q_i,\mathbf k_j) & \text{qk\_norm}\end{cases}

    Parameters
    ----------
    tokens : array (site, component)
        The vectors :math:`\mathbf x_i`.
    query, key : array (component, head_component)
        The matrices :math:`W_Q` and :math:`W_K`.
    scaling : {"vanilla", "unit", "qk_norm"}
        In ``vanilla``, D is the number of columns of `query`.
    mask : {"none", "causal", "strictly_causal"} or boolean array (site, site_)
        Applied before the softmax; True where site attends to site_.
    temperature_factor : float, optional
        :math:`\tau>0` of ``qk_norm``; the default is the square root of the number of columns of `query`.
    empty_rows : {"error", "zero"}
        What to do with a row that the mask empties.

    Returns
    -------
    array (site, site_)
        Non-negative; each row sums to 1.

    Raises
    ------
    InvalidInputError
        For shapes that do not fit, a fully masked row, or a zero query or key under ``qk_norm``.

    References
    ----------
    Bal 2023, Spin-Model Transformers; Bal 2026.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.eye(3)
    >>> attention_couplings(x, np.zeros((3, 2)), key=np.zeros((3, 2)), mask="causal")[1].tolist()
    [0.5, 0.5, 0.0]
    """
    x = as_float_array("tokens", tokens, ndim=2)
    w_q, w_k = as_float_array("query", query, ndim=2), as_float_array("key", key, ndim=2)
    as_choice("scaling", scaling, SCALINGS)
    for name, matrix in (("query", w_q), ("key", w_k)):
        if matrix.shape[0] != x.shape[1] or matrix.shape[1] != w_q.shape[1]:
            raise invalid(
                f"the shape of {name}",
                matrix.shape,
                f"({x.shape[1]}, {w_q.shape[1]}) to fit tokens and query",
            )
    if temperature_factor is not None and scaling != "qk_norm":
        raise invalid(
            "temperature_factor",
            temperature_factor,
            f"left out for scaling='{scaling}'",
            "it belongs to 'qk_norm'",
        )
    q, k = x @ w_q, x @ w_k
    head = w_q.shape[1]
    if scaling == "qk_norm":
        tau = (
            math.sqrt(head)
            if temperature_factor is None
            else as_number("temperature_factor", temperature_factor, minimum=0.0, exclusive_minimum=True)
        )
        for name, vectors in (("query", q), ("key", k)):
            norms = np.linalg.norm(vectors, axis=1, keepdims=True)
            if (norms == 0).any():
                raise invalid(
                    f"the {name} vector of site {int(np.argmin(norms))}",
                    0.0,
                    "of non-zero length for qk_norm",
                )
            vectors /= norms
        logits = tau * (q @ k.T)
    else:
        logits = q @ k.T
        if scaling == "vanilla":
            logits /= math.sqrt(head)
    return masked_softmax(logits, resolve_mask(mask, x.shape[0]), empty_rows=empty_rows)

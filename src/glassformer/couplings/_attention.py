"""Couplings in the shape of attention: row-stochastic matrices from Gaussian logits or from tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from glassformer._core._errors import invalid
from glassformer._core._random import check_seed, normals
from glassformer._core._validation import FloatArray, as_choice, as_count
from glassformer.couplings._attention_logits import ROTARY_BASE, attention_logits

Mask = str | npt.ArrayLike | None
MASKS = ("none", "causal", "strictly_causal")


def resolve_mask(mask: Mask, n: int, keys: int | None = None) -> npt.NDArray[np.bool_]:
    """Return a boolean ``(site, site_)`` array, True where site attends to site_; there are `keys` site_ (n if left out)."""
    shape = (n, n if keys is None else keys)
    if mask is None or (isinstance(mask, str) and mask == "none"):
        return np.ones(shape, dtype=bool)
    if isinstance(mask, str):
        as_choice("mask", mask, MASKS)
        if keys is not None:
            raise invalid(
                "mask", mask, f"'none' or a boolean array of shape {shape} with a context", "a context has no past"
            )
        return np.tril(np.ones(shape, dtype=bool), 0 if mask == "causal" else -1)
    array = np.asarray(mask)
    if array.dtype != bool or array.shape != shape:
        raise invalid(
            "mask",
            f"{array.dtype} array of shape {array.shape}",
            f"'none', 'causal', 'strictly_causal' or a boolean array of shape {shape}",
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
    heads: int = 1,
    rotary: bool = False,
    rotary_base: float = ROTARY_BASE,
    positions: npt.ArrayLike | None = None,
    query_bias: npt.ArrayLike | None = None,
    key_bias: npt.ArrayLike | None = None,
    context: npt.ArrayLike | None = None,
) -> FloatArray:
    r"""Return the attention matrix of `tokens` as couplings, one for every head.

    With :math:`\mathbf q_i=\mathbf x_iW_Q+\mathbf b_Q` and :math:`\mathbf k_j=\mathbf x_jW_K+\mathbf b_K`, split into heads
    of d components,

    .. math:: J_{ij}=\operatorname{softmax}_j\ell_{ij},\qquad \ell_{ij}=
        \begin{cases}\mathbf q_i\cdot\mathbf k_j/\sqrt{d} & \text{vanilla}\\ \mathbf q_i\cdot\mathbf k_j & \text{unit}\\
        \tau\cos(\mathbf q_i,\mathbf k_j) & \text{qk\_norm}\end{cases}

    Parameters
    ----------
    tokens : array (site, component)
        The vectors :math:`\mathbf x_i`; every head sees all of their components.
    query, key : array (component, head_component)
        The matrices :math:`W_Q` and :math:`W_K`. Their columns are the heads side by side, :math:`d` columns each, where d is
        the number of columns of `query` over `heads`. `key` may have fewer heads than `query`, if their number divides
        `heads`: then neighbouring query heads share one (grouped keys).
    scaling : {"vanilla", "unit", "qk_norm"}
    mask : {"none", "causal", "strictly_causal"} or boolean array (site, site_)
        Applied before the softmax; True where site attends to site_. The same for all heads.
    temperature_factor : float, optional
        :math:`\tau>0` of ``qk_norm``; :math:`\sqrt d` if left out.
    empty_rows : {"error", "zero"}
        What to do with a row that the mask empties.
    heads : int
        Number of query heads H.
    rotary : bool
        Turn queries and keys by their positions, each head alike: components :math:`2k` and :math:`2k+1` by the angle
        :math:`p_i\,b^{-2k/d}`. Then logits depend on the difference of positions only. d must be even.
    rotary_base : float
        The base b.
    positions : array (site,), optional
        :math:`p_i`; 0, 1, 2, ... if left out. For `rotary` only.
    query_bias, key_bias : array (head_component,), optional
        :math:`\mathbf b_Q,\mathbf b_K`, as long as the matrices are wide: couplings that persist at zero tokens.
    context : array (context_site, component), optional
        Other vectors, from which the keys are taken: cross-couplings from the context to the sites. Their product with
        context spins that do not move is one more external field. Not with `rotary`, since the two have no common
        positions.

    Returns
    -------
    array (site, site_), with more heads (head, site, site_); with a context, site_ counts its vectors
        Non-negative; each row sums to 1.

    Raises
    ------
    InvalidInputError
        For shapes that do not fit, a fully masked row, or a zero query or key under ``qk_norm``.

    References
    ----------
    Bal 2023, Spin-Model Transformers; Bal 2026; rotary positions: Su et al. 2021; grouped keys: Ainslie et al. 2023.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.eye(3)
    >>> attention_couplings(x, np.zeros((3, 2)), key=np.zeros((3, 2)), mask="causal")[1].tolist()
    [0.5, 0.5, 0.0]
    >>> attention_couplings(x, np.ones((3, 8)), key=np.ones((3, 4)), heads=4).shape  # two key heads for four
    (4, 3, 3)
    """
    logits = attention_logits(
        tokens,
        query,
        key=key,
        scaling=scaling,
        temperature_factor=temperature_factor,
        heads=heads,
        rotary=rotary,
        rotary_base=rotary_base,
        positions=positions,
        query_bias=query_bias,
        key_bias=key_bias,
        context=context,
    )
    _, n, keys = logits.shape
    allowed = resolve_mask(mask, n, None if context is None else keys)
    couplings = np.stack([masked_softmax(own, allowed, empty_rows=empty_rows) for own in logits])
    return couplings[0] if heads == 1 else couplings

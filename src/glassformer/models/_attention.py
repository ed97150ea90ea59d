"""Attention heads as models: every head of a layer is a spin system of its own."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from glassformer._core._errors import invalid
from glassformer._core._validation import FloatArray, as_count, as_float_array, as_number
from glassformer.couplings import attention_couplings
from glassformer.couplings._radius import Radius, resolve_radius
from glassformer.models._vector_spin import VectorSpin


def head_fields(
    tokens: npt.ArrayLike, *, heads: int, radius: Radius = "bal", strength: float | None = 1.0
) -> FloatArray:
    """Return the blocks of `tokens` as fields ``(head, site, component)``; parameters as in `attention_models`."""
    x = as_float_array("tokens", tokens, ndim=2)
    heads = as_count("heads", heads)
    if x.shape[1] == 0 or x.shape[1] % heads:
        raise invalid("heads", heads, f"a divisor of {x.shape[1]}, the number of components of the tokens")
    blocks = np.ascontiguousarray(x.reshape(len(x), heads, -1).transpose(1, 0, 2))
    if strength is None:
        return blocks
    length = as_number("strength", strength, minimum=0.0) * resolve_radius(radius, blocks.shape[2])
    # Dividing by the largest component first keeps the squares of tiny tokens from underflowing.
    largest = np.abs(blocks).max(axis=-1, keepdims=True)
    if (largest == 0).any():
        head, site = (int(index) for index in np.argwhere(largest[..., 0] == 0)[0])
        raise invalid(f"the block of token {site} in head {head}", 0.0, "of non-zero length", "or pass strength=None")
    scaled = blocks / largest
    return np.asarray(length * scaled / np.linalg.norm(scaled, axis=-1, keepdims=True))


def attention_models(
    tokens: npt.ArrayLike,
    query: npt.ArrayLike,
    *,
    key: npt.ArrayLike,
    heads: int = 1,
    radius: Radius = "bal",
    strength: float | None = 1.0,
    **attention: Any,
) -> list[VectorSpin]:
    r"""Return the spin systems of an attention layer, one for every head.

    Tokens of D components are split into H blocks of :math:`D_h=D/H`. Head h is a system of spins of :math:`D_h` components
    and radius :math:`R_h` (``"bal"``: :math:`R_h^2=D_h/2-1`) with the couplings of `attention_couplings` and, as fields, block
    h of the tokens: the residual stream drives, attention couples. :math:`D_h`, not D, decides how good the theories of many
    components are.

    Parameters
    ----------
    tokens : array (site, component)
    query, key : array (component, head_component)
        The heads side by side; both see all components of the tokens.
    heads : int
        A divisor of the components of the tokens and of the columns of `query`.
    radius : {"bal", "sqrt_d", "unit"} or float
        Radius of the spins of a head; ``"bal"`` needs :math:`D_h\ge3`.
    strength : float or None
        Fields have length ``strength`` times :math:`R_h`; None takes the blocks as they are.
    **attention
        ``scaling``, ``mask``, ``rotary``, ... of `attention_couplings`, but for ``context``.

    Returns
    -------
    list of VectorSpin

    Raises
    ------
    InvalidInputError
        For shapes that do not fit, and for a zero block that has no direction.

    References
    ----------
    Bal 2026, Nonequilibrium Dynamics in Spin-Model Transformers.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.sin(np.arange(60.0)).reshape(5, 12)
    >>> layer = attention_models(x, np.eye(12), key=np.eye(12), heads=2, mask="causal")
    >>> [(model.n, model.dim, round(model.r**2, 12)) for model in layer]
    [(5, 6, 2.0), (5, 6, 2.0)]
    """
    if "context" in attention:
        raise invalid(
            "context",
            "given",
            "left out here",
            "add attention_couplings(..., context=c) @ c to the fields of the model",
        )
    fields = head_fields(tokens, heads=heads, radius=radius, strength=strength)
    couplings = attention_couplings(tokens, query, key=key, heads=heads, **attention)
    matrices = couplings[None] if couplings.ndim == 2 else couplings
    return [VectorSpin(own, field, radius=radius) for own, field in zip(matrices, fields)]

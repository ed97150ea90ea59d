"""Logits of attention heads: projections, biases, rotary positions, grouped keys and the three scalings."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from glassformer._core._errors import invalid
from glassformer._core._validation import FloatArray, as_choice, as_count, as_float_array, as_number

SCALINGS = ("vanilla", "unit", "qk_norm")
ROTARY_BASE = 10_000.0


def attention_logits(
    tokens: npt.ArrayLike,
    query: npt.ArrayLike,
    *,
    key: npt.ArrayLike,
    scaling: str,
    temperature_factor: float | None,
    heads: int,
    rotary: bool,
    rotary_base: float,
    positions: npt.ArrayLike | None,
    query_bias: npt.ArrayLike | None,
    key_bias: npt.ArrayLike | None,
    context: npt.ArrayLike | None,
) -> FloatArray:
    """Return the logits ``(head, site, site_)``; the arguments are those of `attention_couplings`."""
    x = as_float_array("tokens", tokens, ndim=2)
    if x.size == 0:
        raise invalid("the shape of tokens", x.shape, "(site, component) with at least one of each")
    w_q, w_k = as_float_array("query", query, ndim=2), as_float_array("key", key, ndim=2)
    as_choice("scaling", scaling, SCALINGS)
    heads = as_count("heads", heads)
    width = _head_width(w_q, w_k, heads)
    source = x
    if context is not None:
        source = as_float_array("context", context, ndim=2)
        if source.shape[1] != x.shape[1] or source.shape[0] == 0:
            raise invalid("the shape of context", source.shape, f"(context_site, {x.shape[1]}) like the tokens")
    for name, matrix in (("query", w_q), ("key", w_k)):
        if matrix.shape[0] != x.shape[1]:
            raise invalid(f"the shape of {name}", matrix.shape, f"({x.shape[1]}, columns) to fit tokens")
    if temperature_factor is not None and scaling != "qk_norm":
        raise invalid(
            "temperature_factor",
            temperature_factor,
            f"left out for scaling='{scaling}'",
            "it belongs to 'qk_norm'",
        )
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows is refused below
        q = _split(_project(x, w_q, "query_bias", query_bias), width)
        k = _split(_project(source, w_k, "key_bias", key_bias), width)
        q, k = _turned(q, k, rotary, rotary_base, positions, crossed=context is not None)
    if scaling == "qk_norm":
        tau = (
            math.sqrt(width)
            if temperature_factor is None
            else as_number("temperature_factor", temperature_factor, minimum=0.0, exclusive_minimum=True)
        )
        q, k = _unit("query", q), _unit("key", k)
    group = heads // len(k)
    with np.errstate(over="ignore", invalid="ignore"):
        logits = np.stack([q[head] @ k[head // group].T for head in range(heads)])
    if not np.isfinite(logits).all():
        raise invalid("the largest logit", float(np.abs(logits).max()), "finite", "rescale tokens, query or key")
    if scaling == "qk_norm":
        logits *= tau
    elif scaling == "vanilla":
        logits /= math.sqrt(width)
    return logits


def _head_width(query: FloatArray, key: FloatArray, heads: int) -> int:
    """Return the components d of one head; the columns of `query` are `heads` times d, those of `key` a divisor times d."""
    columns = query.shape[1]
    if columns == 0 or columns % heads:
        raise invalid("heads", heads, f"a divisor of {columns}, the number of columns of query")
    width = columns // heads
    groups, rest = divmod(key.shape[1], width)
    if rest or groups == 0 or heads % groups:
        fitting = ", ".join(str(width * count) for count in range(1, heads + 1) if heads % count == 0)
        raise invalid("the number of columns of key", key.shape[1], f"one of {fitting} to fit query and {heads} heads")
    return width


def _project(vectors: FloatArray, matrix: FloatArray, name: str, bias: npt.ArrayLike | None) -> FloatArray:
    projected = vectors @ matrix
    if bias is not None:
        offset = as_float_array(name, bias, ndim=1)
        if offset.shape != (matrix.shape[1],):
            raise invalid(f"the shape of {name}", offset.shape, f"({matrix.shape[1]},), one entry a column")
        projected = projected + offset
    return np.asarray(projected)


def _split(projected: FloatArray, width: int) -> FloatArray:
    """Return ``(head, site, component)``."""
    return np.ascontiguousarray(projected.reshape(len(projected), -1, width).transpose(1, 0, 2))


def _unit(name: str, vectors: FloatArray) -> FloatArray:
    norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
    if (norms == 0).any():
        head, site = (int(index) for index in np.argwhere(norms[..., 0] == 0)[0])
        where = f"site {site}" + (f" in head {head}" if len(vectors) > 1 else "")
        raise invalid(f"the {name} vector of {where}", 0.0, "of non-zero length for qk_norm")
    return np.asarray(vectors / norms)


def _turned(
    q: FloatArray,
    k: FloatArray,
    rotary: bool,
    base: float,
    positions: npt.ArrayLike | None,
    *,
    crossed: bool,
) -> tuple[FloatArray, FloatArray]:
    """Return queries and keys turned by their positions, or as they are."""
    if not isinstance(rotary, bool):
        raise invalid("rotary", rotary, "True or False")
    if not rotary:
        if positions is not None:
            raise invalid("positions", positions, "left out without rotary", "pass rotary=True")
        return q, k
    if crossed:
        raise invalid("rotary", True, "False with a context", "sites and context have no common positions")
    _, n, width = q.shape
    if width % 2:
        raise invalid("the number of components of a head", width, "even for rotary positions", "or pass rotary=False")
    base = as_number("rotary_base", base, minimum=0.0, exclusive_minimum=True)
    where = np.arange(n, dtype=np.float64) if positions is None else as_float_array("positions", positions, ndim=1)
    if where.shape != (n,):
        raise invalid("the shape of positions", where.shape, f"({n},), one a site")
    angles = where[:, None] * base ** (-np.arange(0, width, 2) / width)
    turn = np.exp(1j * angles)

    def turned(vectors: FloatArray) -> FloatArray:
        # Components 2k and 2k+1 are the real and the imaginary part of one complex number.
        return (np.ascontiguousarray(vectors).view(np.complex128) * turn).view(np.float64)

    return turned(q), turned(k)

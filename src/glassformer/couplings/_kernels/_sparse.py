"""Directed random graphs of fixed in-degree with normal weights, and their products with vectors."""

from __future__ import annotations

import numpy as np
from numba import njit

from glassformer._core._philox import normals_at, uniforms_at

_SOURCE_STEP, _WEIGHT_STEP = np.uint64(0), np.uint64(1)  # the second word of the address says what is drawn


@njit(cache=True, nogil=True, error_model="numpy")
def draw_graph(sources, weights, n, self_coupling, key0, key1):
    """Fill ``sources (site, edge)`` with distinct sites in rising order and ``weights`` with normals of variance 1/degree."""
    degree = sources.shape[1]
    others = n if self_coupling else n - 1
    order = np.arange(others).astype(np.int32)  # a row shuffles its first entries and puts them back
    chosen = np.empty(degree, np.int64)
    scale = 1.0 / np.sqrt(np.float64(degree))
    for i in range(n):
        for k in range(degree):
            first, second = uniforms_at(np.uint64(k >> 1), _SOURCE_STEP, np.uint64(i), np.uint64(0), key0, key1)
            j = k + np.int64((second if k & 1 else first) * (others - k))
            chosen[k] = j
            order[k], order[j] = order[j], order[k]
        row = sources[i]
        for k in range(degree):
            j = order[k]
            row[k] = j + 1 if not self_coupling and j >= i else j
        for k in range(degree - 1, -1, -1):
            j = chosen[k]
            order[k], order[j] = order[j], order[k]
        row.sort()
        for k in range(degree):
            first, second = normals_at(np.uint64(k >> 1), _WEIGHT_STEP, np.uint64(i), np.uint64(0), key0, key1)
            weights[i, k] = scale * (second if k & 1 else first)


@njit(cache=True, nogil=True, error_model="numpy")
def graph_products(sources, weights, tokens, out, low, high):
    """Write rows `low` to `high` of the products with ``tokens (site, replica)`` to ``out (replica, site)``.

    Every sum runs over the edges in their order, so its bits do not depend on the number of replicas.
    """
    replicas = tokens.shape[1]
    sums = np.empty(replicas)
    for i in range(low, high):
        if replicas == 1:
            total = 0.0
            for k in range(sources.shape[1]):
                total += weights[i, k] * tokens[sources[i, k], 0]
            out[0, i] = total
            continue
        sums[:] = 0.0
        for k in range(sources.shape[1]):
            weight, source = weights[i, k], tokens[sources[i, k]]
            for b in range(replicas):
                sums[b] += weight * source[b]
        for b in range(replicas):
            out[b, i] = sums[b]

"""Couplings without loops: an order of the sites in which each depends on earlier ones and itself only."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from glassformer._core._validation import FloatArray


def causal_order(couplings: FloatArray) -> npt.NDArray[np.intp] | None:
    """Return an order of the sites in which :math:`J` is lower triangular, or None if its graph has a loop.

    The diagonal does not count as a loop. The order of the sites themselves is returned when it will do.

    >>> causal_order(np.array([[0.5, 1.0], [0.0, 0.0]])).tolist()
    [1, 0]
    >>> causal_order(np.array([[0.0, 1.0], [1.0, 0.0]])) is None
    True
    """
    acts = couplings != 0.0
    np.fill_diagonal(acts, False)
    n = len(acts)
    if not np.triu(acts, 1).any():
        return np.arange(n)
    order: list[int] = []
    waiting = acts.sum(axis=1)  # how many sites that act on it a site still waits for
    ready = [int(site) for site in np.flatnonzero(waiting == 0)]
    while ready:
        site = ready.pop()
        order.append(site)
        followers = np.flatnonzero(acts[:, site])
        waiting[followers] -= 1
        ready += [int(follower) for follower in followers[waiting[followers] == 0]]
    return np.array(order) if len(order) == n else None

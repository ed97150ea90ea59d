"""Where a finite chain ends: its closed classes, how often each is reached, and the law within each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from glassformer._core._validation import FloatArray
from glassformer.theory.exact._stationary import stationary_law


@dataclass(frozen=True, slots=True, eq=False)
class Attractors:
    """The closed classes of a chain, the largest basin first.

    ``size`` counts the states of each class: the length of the cycle where the chain is a deterministic map.
    ``basin`` is the probability of ending there from the start law. ``law`` is the mean law over a long time, which is
    stationary.
    """

    size: npt.NDArray[np.int64]
    basin: FloatArray
    law: FloatArray


def attractors(transition: FloatArray, start: FloatArray) -> Attractors:
    """Return the closed classes of `transition` ``(state, state)`` as reached from the law `start`.

    >>> found = attractors(np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.5, 0.0, 0.5]]), np.ones(3) / 3)
    >>> found.size.tolist(), found.law.tolist()
    ([2], [0.5, 0.5, 0.0])
    """
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import connected_components

    graph = csr_matrix(transition > 0)
    count, label = connected_components(graph, directed=True, connection="strong")
    rows, columns = graph.nonzero()
    leaks = np.unique(label[rows[label[rows] != label[columns]]])
    closed = np.setdiff1d(np.arange(count), leaks)
    recurrent = np.isin(label, closed)
    entered = start.copy()  # where the chain first meets a closed class
    if not recurrent.all():
        within = np.flatnonzero(~recurrent)
        system = np.eye(within.size) - transition[np.ix_(within, within)].T
        visits = np.linalg.solve(system, start[within])
        entered[within] = 0.0
        entered[recurrent] += visits @ transition[np.ix_(within, np.flatnonzero(recurrent))]
    basin = np.bincount(label, weights=entered, minlength=count)[closed]
    law = np.zeros(start.size)
    size = np.zeros(closed.size, dtype=np.int64)
    for index, one in enumerate(closed):
        members = np.flatnonzero(label == one)
        size[index] = members.size
        law[members] = basin[index] * stationary_law(transition[np.ix_(members, members)])
    order = np.lexsort((size, -basin))
    return Attractors(size[order], basin[order], law)

"""The stationary law of a finite Markov chain, with every probability to rounding."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from glassformer._core._errors import invalid
from glassformer._core._validation import FloatArray, as_square_matrix

_BLOCK = 64


def stationary_law(transition: npt.ArrayLike) -> FloatArray:
    r"""Return :math:`\pi` with :math:`\pi P=\pi` by the elimination of Grassmann, Taksar and Heyman.

    States are eliminated one after another, each time replacing the chain by the chain watched on the remaining
    states. Nothing is ever subtracted, so that each probability is right to about :math:`S\epsilon` *relative* error,
    however slowly the chain mixes; a linear solver loses as many digits as the relaxation time has.

    Parameters
    ----------
    transition : array (state, state)
        :math:`P_{ss'}=P(s'|s)\ge0`, rows summing to 1.

    Returns
    -------
    array (state,)

    Raises
    ------
    InvalidInputError
        When a row does not sum to 1, or states are not connected to rounding.

    References
    ----------
    Grassmann, Taksar and Heyman 1985, Operations Research 33, 1107.

    Examples
    --------
    >>> stationary_law([[0.0, 1.0], [0.5, 0.5]]).round(12).tolist()
    [0.333333333333, 0.666666666667]
    """
    p = as_square_matrix("transition", transition).copy()
    if p.min() < 0.0:
        raise invalid("the smallest entry of transition", float(p.min()), "at least 0")
    sums = p.sum(axis=1)
    worst = int(np.argmax(np.abs(sums - 1.0)))
    if abs(sums[worst] - 1.0) > 1e-9:
        raise invalid(f"the sum of row {worst} of transition", float(sums[worst]), "1")
    high = p.shape[0]
    # Blocks turn most of the elimination into matrix products.
    while high > 1:
        low = max(1, high - _BLOCK)
        for k in range(high - 1, low - 1, -1):
            leaving = p[k, :k].sum()
            if leaving <= 0.0:
                raise invalid(
                    "the probability of leaving a group of states",
                    float(leaving),
                    "above 0, or the stationary law is not unique to rounding",
                    "lower beta",
                )
            p[:k, k] /= leaving
            p[low:k, :k] += np.outer(p[low:k, k], p[k, :k])
            p[:low, low:k] += np.outer(p[:low, k], p[k, low:k])
        p[:low, :low] += p[:low, low:high] @ p[low:high, :low]
        high = low
    law = np.zeros(p.shape[0])
    law[0] = 1.0
    for k in range(1, law.size):
        law[k] = law[:k] @ p[:k, k]
        if law[k] > 1e200:  # only ratios matter: rescale before they overflow
            law[: k + 1] /= law[k]
    return law / law.sum()

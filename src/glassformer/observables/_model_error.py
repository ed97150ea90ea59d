"""How far a model is from the truth when the truth is known only through noisy replicates."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from glassformer._core._errors import invalid


class ModelError(NamedTuple):
    """A relative error with the noise of the replicates removed, and the floor below which it means nothing."""

    error: float
    floor: float

    @property
    def reported(self) -> float:
        """The larger of the two: what may be printed."""
        return max(self.error, self.floor)


def model_error(prediction: npt.ArrayLike, replicates: npt.ArrayLike) -> ModelError:
    r"""Return the relative error of a prediction against r independent noisy measurements of the same array.

    .. math::

        \epsilon^2=\frac{\overline{\langle M-a_p,M-a_q\rangle}_{p<q}}{\overline{\langle a_p,a_q\rangle}_{p<q}},
        \qquad
        \epsilon_{\rm floor}^2=\frac{\frac1{r(r-1)}\sum_p\lVert a_p-\bar a\rVert^2}{\overline{\langle a_p,a_q\rangle}_{p<q}} .

    Products of *different* replicates have independent noise, so their mean is unbiased; clipped at 0. The floor is
    the standard error of the mean replicate, relative to the signal.

    Parameters
    ----------
    prediction : array (...)
    replicates : array (replicate, ...)
        At least 2 independent measurements, each shaped like `prediction`.

    Returns
    -------
    ModelError
        ``(error, floor)``; report ``.reported``, the larger of the two.

    Raises
    ------
    InvalidInputError
        For shapes that do not fit, values that are not finite, and replicates that share no signal.

    Notes
    -----
    All pairs cost :math:`O(r)` array passes, because :math:`\sum_{p\ne q}\langle a_p,a_q\rangle=\lVert\sum a_p\rVert^2-\sum\lVert a_p\rVert^2`.

    Examples
    --------
    >>> import numpy as np
    >>> truth = np.ones(1000)
    >>> noisy = truth + np.random.default_rng(0).normal(size=(8, 1000))
    >>> error, floor = model_error(1.3 * truth, noisy)
    >>> 0.25 < error < 0.35, floor < 0.4
    (True, True)
    """
    a = np.asarray(replicates, dtype=np.float64)
    m = np.asarray(prediction, dtype=np.float64)
    if a.ndim == 0 or a.shape[0] < 2 or a.shape[1:] != m.shape or m.size == 0:
        raise invalid("the shape of replicates", a.shape, f"(replicate, *{m.shape}) with at least 2 replicates")
    if not (np.isfinite(a).all() and np.isfinite(m).all()):
        raise invalid("prediction or replicates", "not finite", "finite", "find out where the run broke down")
    count = a.shape[0]
    a, m = a.reshape(count, -1), m.reshape(-1)
    signal = _mean_product_of_pairs(a)
    if not signal > 0.0:
        raise invalid(
            "the mean product of different replicates", signal, "> 0", "the replicates are all noise: run them longer"
        )
    square = _mean_product_of_pairs(m - a) / signal
    noise = float(np.sum((a - a.mean(axis=0)) ** 2)) / (count * (count - 1)) / signal
    return ModelError(math.sqrt(max(square, 0.0)), math.sqrt(noise))


def _mean_product_of_pairs(rows: npt.NDArray[np.float64]) -> float:
    count = rows.shape[0]
    total = rows.sum(axis=0)
    return float((total @ total - np.sum(rows**2)) / (count * (count - 1)))

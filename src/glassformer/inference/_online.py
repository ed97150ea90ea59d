"""Online stochastic gradient descent: every window is used once, in the order of the data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from glassformer._core._status import Status
from glassformer._core._validation import as_number
from glassformer.inference._fit import Fit
from glassformer.inference._windows import Windows


@dataclass(frozen=True, slots=True)
class OnlineSGD:
    r"""One pass of stochastic gradient descent on the squared error of the next token, from zero.

    .. math:: \hat{\mathbf J}\leftarrow\hat{\mathbf J}+\eta\,(s_t-\hat{\mathbf J}x_t)\,x_t^T

    Each window is seen once, in the order of the data. With windows that are independent and Gaussian, with covariance
    eigenvalues :math:`e_j`, the error stays bounded if and only if :math:`\eta e_{max}<1` and
    :math:`\sum_j\eta e_j/(2-2\eta e_j)<1`; `LearningCurve` has its whole course.

    The result adds ``online_error``, the mean squared error of predicting each token before learning from it.

    Parameters
    ----------
    rate : float
        :math:`\eta`.

    References
    ----------
    Robbins and Monro 1951, Ann. Math. Statist. 22, 400; Widrow and Hoff 1960.

    Examples
    --------
    >>> import glassformer as gf
    >>> import numpy as np
    >>> fit = gf.infer(np.ones((1, 4, 1)), gf.OnlineSGD(rate=0.5), context=1)
    >>> fit.couplings.item()  # 1 - 1 / 2**3
    0.875
    """

    rate: float

    citations: ClassVar[tuple[str, ...]] = ("robbins1951", "glassformer")

    def __post_init__(self) -> None:
        as_number("rate", self.rate, minimum=0.0, exclusive_minimum=True)

    def fit(self, windows: Windows, *, fields: bool) -> Fit:
        """Return the estimate; see `infer`."""
        n, rate = windows.n, float(self.rate)
        features, targets = windows.features, windows.targets
        if fields:
            features = np.concatenate([features, np.ones((windows.pairs, 1))], axis=1)
        weights = np.zeros((n, features.shape[1]))
        total, status = 0.0, Status.OK
        for x, s in zip(features, targets):
            error = s - weights @ x
            size = float(error @ error)
            if not size < 1e200:  # the last finite weights are kept
                status = Status.NONFINITE
                break
            total += size
            weights += np.outer(rate * error, x)
        field = weights[:, -1].copy() if fields else np.zeros(n)
        couplings = weights[:, : windows.context * n].copy()
        return Fit(
            couplings,
            field,
            "none",
            variables={"online_error": total / (windows.pairs * n)},
            status=status,
            sentence="The descent is unstable: the weights grow without bound; pass a smaller rate."
            if status.failed
            else "",
        )

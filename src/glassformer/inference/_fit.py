"""What an estimator hands to `infer`: rows of weights, and what it knows about their errors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from glassformer._core._status import Status
from glassformer._core._validation import FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """The estimate of every site.

    Parameters
    ----------
    weights : array (site, feature)
        One row of couplings per site, the features in the order (lag, site).
    fields : array (site,)
        External fields, zero when they were not fitted.
    law : {"gaussian", "logistic", "none"}
        The law of the next token given its field, by which the estimate is scored.
    scale : float or array (site,)
        Variance of the noise (gaussian) or inverse temperature (logistic).
    weight_errors, field_errors : array or None
        Standard errors.
    variables : mapping
        More variables of the result, as xarray takes them.
    status, sentence : Status, str
        How it ended; a sentence of its own when that of the status does not say it.
    note : str
    iterations : int or None
    """

    weights: FloatArray
    fields: FloatArray
    law: str
    scale: Any = 1.0
    weight_errors: FloatArray | None = None
    field_errors: FloatArray | None = None
    variables: Mapping[str, Any] = field(default_factory=dict)
    status: Status = Status.OK
    sentence: str = ""
    note: str = ""
    iterations: int | None = None

    def predict(self, features: FloatArray) -> FloatArray:
        """Return the fields (pair, site) that the estimate gives the next tokens."""
        return np.asarray(features @ self.weights.T + self.fields)


def log_likelihood(fit: Fit, fields: FloatArray, targets: FloatArray) -> float:
    """Return the mean log-likelihood in nats per token and site of `targets` in `fields`."""
    if fit.law == "gaussian":
        variance = np.broadcast_to(fit.scale, targets.shape[1:])
        return float(-0.5 * np.mean((targets - fields) ** 2 / variance + np.log(2.0 * np.pi * variance)))
    return float(-np.mean(np.logaddexp(0.0, -2.0 * fit.scale * targets * fields)))

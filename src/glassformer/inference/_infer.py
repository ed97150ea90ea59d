"""The verb `infer`: from data to couplings, by one method, as one labelled result."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from glassformer._core._errors import MethodNotApplicableError, invalid
from glassformer._core._status import attach_evidence, raise_if_failed
from glassformer.dynamics._motion import one_blas_thread
from glassformer.inference._fit import Fit, log_likelihood
from glassformer.inference._windows import Windows, windows

if TYPE_CHECKING:
    import xarray as xr

METHODS = ("LeastSquares", "Ridge", "BayesRidge", "LogisticLikelihood", "MeanFieldInversion", "OnlineSGD")


def infer(
    data: Any,
    method: Any,
    *,
    context: int | None = None,
    held_out: Any = None,
    fields: bool = False,
    throw: bool = True,
) -> xr.Dataset:
    r"""Estimate the couplings :math:`J_1,\dots,J_K` of an extended-context model from what it wrote.

    Parameters
    ----------
    data : Windows, array of tokens (sequence, time, site) or (time, site), or a corpus with ``.tokens``
        Tokens are cut into windows with `context`. A corpus is fitted on its train split.
    method : object
        `LeastSquares`, `Ridge`, `BayesRidge` and `OnlineSGD` (linear prediction, hence Gaussian tokens);
        `LogisticLikelihood` and `MeanFieldInversion` for tokens of -1 and 1.
    context : int, optional
        K of the student; needed with tokens, that of the teacher if left out with a corpus, and shortens windows. It may
        differ from that of the teacher.
    held_out : like `data`, optional
        Data that were not fitted, to score the estimate on; a corpus gives its test split. Split other data by sequence:
        windows of one sequence overlap.
    fields : bool
        Whether to fit an external field at every site too; otherwise it is zero.
    throw : bool
        Whether an answer that cannot be trusted raises instead of returning with a bad status.

    Returns
    -------
    Dataset
        ``couplings (lag, site, site_)`` (row i acts on site i, lag 1 first), ``fields (site)``, their standard errors
        ``*_error`` where the method has them, ``log_likelihood`` (nats per token and site, on the data that were fitted;
        not where the method has no law), ``mean_squared_error`` of the predicted mean, both again as ``*_held_out``,
        what the method adds, and the evidence in ``attrs``.

    Raises
    ------
    InvalidInputError
        For data of the wrong shape or kind.
    NotConvergedError
        When the method found no solution; the result is in its ``result``.

    Examples
    --------
    >>> import glassformer as gf
    >>> import numpy as np
    >>> sequence = np.cumprod(np.full((1, 40, 1), -0.5), axis=1)  # s_t = -s_{t-1} / 2
    >>> round(gf.infer(sequence, gf.Ridge(1e-9), context=1).couplings.item(), 6)
    -0.5
    """
    import xarray as xr

    clock = time.perf_counter()
    if isinstance(method, type) or not hasattr(method, "fit"):
        name = method.__name__ if isinstance(method, type) else type(method).__name__
        raise MethodNotApplicableError(f"{name} does not infer couplings; instances of these do: {', '.join(METHODS)}.")
    seen = as_windows("data", data, context)
    unseen = None if held_out is None else as_windows("held_out", held_out, seen.context)
    if unseen is not None and unseen.n != seen.n:
        raise invalid("the number of sites of held_out", unseen.n, f"{seen.n}, that of data")
    with one_blas_thread():  # the same bits whatever the number of threads
        fit: Fit = method.fit(seen, fields=bool(fields))
    n, lags = seen.n, seen.context
    shape, dims = (n, lags, n), ("lag", "site", "site_")

    def cube(rows: Any) -> Any:
        return dims, np.ascontiguousarray(rows.reshape(shape).swapaxes(0, 1))

    variables: dict[str, Any] = {"couplings": cube(fit.weights), "fields": ("site", fit.fields)}
    if fit.weight_errors is not None:
        variables["couplings_error"] = cube(fit.weight_errors)
    if fit.field_errors is not None:
        variables["fields_error"] = ("site", fit.field_errors)
    for end, part in (("", seen), ("_held_out", unseen)):
        if part is not None:
            variables |= {name + end: value for name, value in _scores(fit, part).items()}
    dataset = xr.Dataset({**variables, **fit.variables}, coords={"lag": np.arange(1, lags + 1)})
    if "lag_" in dataset.dims:
        dataset = dataset.assign_coords(lag_=np.arange(1, lags + 1))
    dataset["mean_squared_error"].attrs["units"] = "squared token, per site"
    if "log_likelihood" in dataset:
        dataset["log_likelihood"].attrs["units"] = "nats per token and site"
    attach_evidence(
        dataset,
        status=fit.status,
        method=type(method).__name__,
        wall_time=time.perf_counter() - clock,
        citations=method.citations,
        pairs=seen.pairs,
        averages_over=f"{seen.pairs} windows",
        iterations=fit.iterations,
        note=fit.note or None,
    )
    if fit.sentence:
        dataset.attrs["status_sentence"] = fit.sentence
    return raise_if_failed(dataset, throw=throw)


def as_windows(name: str, data: Any, context: int | None) -> Windows:
    """Return `data` as windows of `context` lags."""
    if isinstance(data, Windows):
        return data if context is None else data.recent(context)
    if isinstance(data, tuple) and len(data) == 2:
        raise invalid(name, data, "Windows or tokens", "write gf.Windows(history, next)")
    if context is None:
        context = getattr(data, "context", None)  # a corpus knows that of its teacher
    if hasattr(data, "split"):  # fit what is there to be fitted, score on what is not
        data = data.split("test" if name == "held_out" else "train")
    if context is None:
        raise invalid("context", None, f"an integer >= 1 when {name} are tokens", "it is the number of lags to fit")
    return windows(data, context)


def _scores(fit: Fit, part: Windows) -> dict[str, float]:
    fields, targets = fit.predict(part.features), part.targets
    mean = np.tanh(fit.scale * fields) if fit.law == "logistic" else fields
    found = {"mean_squared_error": float(np.mean((targets - mean) ** 2))}
    if fit.law == "logistic" or (fit.law == "gaussian" and fit.scale is not None):
        found["log_likelihood"] = log_likelihood(fit, fields, targets)
    return found

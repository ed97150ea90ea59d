"""The verb `solve`: one sample or one law, one method, one labelled result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from glassformer._core._errors import MethodNotApplicableError, invalid
from glassformer._core._status import raise_if_failed
from glassformer.dynamics._motion import one_blas_thread
from glassformer.models import VectorGlass
from glassformer.theory._methods import Method, MethodTable, is_context_law, is_model, known, methods

if TYPE_CHECKING:
    import xarray as xr


def solve(
    model: Any,
    method: Any,
    *,
    start: str | npt.ArrayLike | None = None,
    steps: int | None = None,
    throw: bool = True,
) -> xr.Dataset:
    r"""Solve a model, or the limit of a law, by a theory that needs no sampling.

    Parameters
    ----------
    model : model or law of couplings
        A model (`VectorSpin`) is solved as it is. A law is solved for :math:`N\to\infty`: `VectorGlass` at its own
        number of components, `Asymmetric`, `SherringtonKirkpatrick` (or `LargeLimit` with a law of fields) for
        :math:`D\to\infty` too.
    method : object
        A theory: `NaiveMeanField`, `TAP`, `GramClosure`, `GaussianClosure`, `AdaptiveTAP`, `SaddlePoint`,
        `Enumeration`; for a `VectorGlass` `ReplicaSymmetric`, `AlmeidaThouless`, `GabayToulouse`. ``gf.methods(model)``
        prints those that apply. `Relaxation` and `Quench` wrap a theory of a sample and ask how its steady state relaxes,
        and what a change of the fields costs.
    start : None, "fields" or array (site, component)
        Where to begin: the paramagnet (mean 0, full variance), :math:`\mathbf m=\varphi(\mathbf x)`, or given means; a
        vector of length R is a definite state.
    steps : int, optional
        Left out: the fixed point. Otherwise the transient, with leading dimension ``time`` from 0 to `steps`.
    throw : bool
        Whether an answer that cannot be trusted raises instead of returning with a bad status.

    Returns
    -------
    Dataset
        The variables that `simulate` returns too, ``residual``, and the evidence in ``attrs``.

    Raises
    ------
    NotConvergedError
        When the method found no solution; the result is in its ``result``.
    MethodNotApplicableError
        When the method cannot treat this model; the message names those that can.

    Examples
    --------
    >>> import glassformer as gf
    >>> model = gf.VectorSpin(gf.Asymmetric().sample(n=16, seed=1), gf.sphere_fields(16, dim=8, seed=2))
    >>> answer = gf.solve(model, gf.GramClosure(beta=1.0))
    >>> answer.attrs["status"], float(answer["residual"]) < 1e-12
    ('converged', True)
    """
    table = methods(model)
    if isinstance(method, type):
        raise invalid("method", method.__name__, "an instance", f"write {method.__name__}(beta=...)")
    name = type(method).__name__
    row = known(name)
    if row is not None and (name not in table or row.verb != "solve"):
        raise MethodNotApplicableError(_explain(row, model, table))
    if is_model(model):
        if not hasattr(method, "solve"):
            raise invalid(
                "method",
                name,
                "one of " + (", ".join(table.solvers) or "none"),
                "gf.methods(...) says where each holds",
            )
        with one_blas_thread():  # the same bits whatever the number of threads
            dataset = method.solve(model, start=start, steps=steps)
    else:
        for given, value in (("start", start), ("steps", steps)):
            if value is not None:
                raise invalid(given, value, "left out for a law", "sample the law and solve the sample")
        if is_context_law(model):
            if not hasattr(method, "solve"):
                raise invalid("method", name, "one of " + ", ".join(table.solvers))
            dataset = method.solve(model)
        elif isinstance(model, VectorGlass):
            from glassformer.theory.replica import solve_glass

            dataset = solve_glass(model, method)
        else:
            from glassformer.theory.asymptotics import solve_ensemble

            dataset = solve_ensemble(model, method)
    return raise_if_failed(dataset, throw=throw)


def _explain(row: Method, model: Any, table: MethodTable) -> str:
    if row.verb == "infer":
        why = "it estimates couplings from data, so use gf.infer"
    elif row.verb == "simulate":
        why = "it moves spins, so use gf.simulate" if is_model(model) else "sample the law and simulate the sample"
    else:
        why = (
            row.need(model)
            if is_model(model) or row.for_glass
            else "it needs one sample, as law.sample(n=...) draws it"
        )
    others = f"; these do: {', '.join(table.solvers)}" if table.solvers else ""
    return f"{row.name} does not solve {table.subject}: {why}{others}."

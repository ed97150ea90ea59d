"""What a closure carries from one step to the next when the fields change under it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from glassformer._core._errors import MethodNotApplicableError
from glassformer._core._responses import Response
from glassformer._core._responses import response as make_response
from glassformer._core._status import Status
from glassformer._core._validation import FloatArray
from glassformer.models import VectorSpin
from glassformer.theory.closures import TAP, GaussianClosure, GramClosure, NaiveMeanField
from glassformer.theory.closures._common import (
    SiteLaw,
    first_order_delayed,
    free_variance,
    law_in_fields,
    law_of_means,
)
from glassformer.theory.closures._gaussian import GaussianStep, independent_blocks, unphysical
from glassformer.theory.closures._gram import GramStep
from glassformer.theory.closures._tap import ExpandedTAP
from glassformer.theory.closures._tap_bal2023 import PublishedTAP

State = tuple[Any, ...]  # the means come first
Step = Callable[[State], tuple[State, FloatArray, Status]]


@dataclass(frozen=True)
class Steady:
    """A steady state, and how the method found it."""

    state: State
    status: Status
    residual: float
    note: str = ""


class Carrier:
    """Starts a closure, finds its steady states, and moves it by steps that keep everything it knows."""

    def __init__(self, method: Any, model: VectorSpin) -> None:
        if not isinstance(method, NaiveMeanField | TAP | GramClosure | GaussianClosure):
            raise MethodNotApplicableError(
                f"Quench needs NaiveMeanField, TAP, GramClosure, GaussianClosure or Enumeration, with beta, not {method!r}."
            )
        self.method = method
        self.respond: Response = make_response(method.response, model.dim)
        if isinstance(method, GaussianClosure):
            method.check_memory(model)

    def begin(self, model: VectorSpin, means: FloatArray) -> State:
        """Return the state of independent spins."""
        if isinstance(self.method, GramClosure):
            return means, np.diag(free_variance(model, means))
        if isinstance(self.method, GaussianClosure):
            return means, independent_blocks(model, means)
        return means, law_of_means(self.respond, means, model.r)

    def steady(self, model: VectorSpin, means: FloatArray | None) -> Steady:
        """Return the steady state reached from independent spins with these means; None is the paramagnet."""
        if isinstance(self.method, GaussianClosure):
            first = np.zeros((model.n, model.dim)) if means is None else means
            found = self.method.steady_state(
                GaussianStep(model, self.respond, self.method.beta), *self.begin(model, first)
            )
            return Steady(found.state, found.status, found.residual, found.note)
        dataset = self.method.solve(model, start=means)
        mean = dataset["magnetization"].values
        state: State = (mean, law_of_means(self.respond, mean, model.r))
        if isinstance(self.method, GramClosure):
            state = (mean, dataset["correlation"].values / model.dim)
        attrs = dataset.attrs
        return Steady(state, Status(attrs["status"]), float(dataset["residual"]), str(attrs.get("note", "")))

    def stepper(self, model: VectorSpin) -> Step:
        """Return the map of one step: the next state, the connected L of the step, and a status."""
        method, respond, beta = self.method, self.respond, self.method.beta
        if isinstance(method, GramClosure | GaussianClosure):
            kind = GramStep if isinstance(method, GramClosure) else GaussianStep
            update = kind(model, respond, beta)

            def closure(state: State) -> tuple[State, FloatArray, Status]:
                after = update(*state)
                broken = isinstance(method, GaussianClosure) and unphysical(model, after[1])
                return after, update.delayed, Status.NONFINITE if broken else Status.OK

            return closure

        if isinstance(method, TAP):
            published = method.variant == "bal2023"
            equations = PublishedTAP(model, beta) if published else ExpandedTAP(model, respond, beta)

            def tap(state: State) -> tuple[State, FloatArray, Status]:
                found, later = equations.next(
                    state[1], tolerance=method.tolerance, max_iterations=equations.inner_iterations
                )
                return _law_step(beta, model, state[1], later, found.status)

            return tap

        def naive(state: State) -> tuple[State, FloatArray, Status]:
            later = law_in_fields(respond, model.fields + model.couplings @ state[0], beta, model.r)
            return _law_step(beta, model, state[1], later, Status.OK)

        return naive


def _law_step(
    beta: float, model: VectorSpin, before: SiteLaw, later: SiteLaw, status: Status
) -> tuple[State, FloatArray, Status]:
    return (later.mean, later), first_order_delayed(beta, model.couplings, later, before), status

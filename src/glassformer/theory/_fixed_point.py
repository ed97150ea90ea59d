"""Fixed points of maps between tuples of arrays: Picard with damping when it helps, Anderson where a source used it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from glassformer._core._status import Status
from glassformer._core._validation import FloatArray

State = tuple[FloatArray, ...]
Distance = Callable[[State, State], float]
Mix = Callable[[State, State, float], State]

WINDOW = 64
_SMALLEST_MIXING = 2.0**-10
_PATIENCE = 10


@dataclass(frozen=True, slots=True)
class FixedPoint:
    """What a solver returns: ``residual`` is the distance of ``F(state)`` from exactly this ``state``."""

    state: State
    status: Status
    residual: float
    iterations: int
    mixing: float = 1.0
    note: str = ""


def _finite(state: State) -> bool:
    return all(bool(np.isfinite(part).all()) for part in state)


def interpolate(old: State, new: State, mixing: float) -> State:
    """Return the point `mixing` of the way from `old` to `new`."""
    return tuple(a + mixing * (b - a) for a, b in zip(old, new))


def _difference(new: State, old: State) -> State:
    return tuple(a - b for a, b in zip(new, old))


def _cosine(first: State, second: State) -> float:
    dot = sum(float(np.vdot(a, b)) for a, b in zip(first, second))
    norms = math.prod(math.sqrt(sum(float(np.vdot(a, a)) for a in state)) for state in (first, second))
    return dot / norms if norms > 0 else 0.0


def picard(
    step: Callable[[State], State],
    start: State,
    *,
    distance: Distance,
    tolerance: float,
    max_iterations: int,
    mix: Mix = interpolate,
) -> FixedPoint:
    r"""Iterate :math:`y\leftarrow y+\alpha[F(y)-y]` from :math:`\alpha=1` until :math:`d(F(y),y)\le` `tolerance`.

    The mixing :math:`\alpha` is halved when a window of 64 steps brings no progress and successive steps do not point
    the same way: then the map overshoots (a 2-cycle, a spiral, chaos) and damping can help. Steps that do point the
    same way are slow convergence or an escape from an unstable point, which damping would only prolong.

    Parameters
    ----------
    step : callable
        The map F, from a tuple of arrays to one of the same shapes.
    start : tuple of arrays
    distance : callable
        ``distance(new, old)``, scaled so that it means the same for every input; infinite where `new` makes no sense.
    mix : callable
        ``mix(old, new, mixing)``, for states between which a straight line makes no sense.

    Examples
    --------
    >>> import numpy as np
    >>> found = picard(lambda y: (-2.0 * np.tanh(y[0]) + 1.0,), (np.zeros(1),), tolerance=1e-13, max_iterations=10_000,
    ...                distance=lambda new, old: float(abs(new[0] - old[0]).max()))
    >>> found.status.value, found.mixing, found.note
    ('converged', 0.5, 'The undamped map alternates between two states; steps of 0.5 found the fixed point.')
    """
    state, mixing, alternates = start, 1.0, False
    best_before, best, stalled = math.inf, math.inf, 0
    residual, iteration, previous = math.inf, 0, None
    status = Status.NOT_CONVERGED
    for iteration in range(1, max_iterations + 1):
        with np.errstate(over="ignore", invalid="ignore"):  # a map that diverges is reported by the status
            new = step(state)
            residual = distance(new, state) if _finite(new) else math.inf
        if not math.isfinite(residual):
            status = Status.NONFINITE
            break
        if residual <= tolerance:
            status = Status.CONVERGED
            break
        best = min(best, residual)
        place = iteration % WINDOW
        if place == WINDOW - 1:
            previous = _difference(new, state)
        elif place == 0 and previous is not None:
            if best > 0.9 * best_before:
                cosine = _cosine(previous, _difference(new, state))
                if cosine < 0.9:
                    alternates = alternates or (mixing == 1.0 and cosine < -0.9)
                    if mixing > _SMALLEST_MIXING:
                        mixing *= 0.5
                        best = math.inf
                    else:
                        stalled += 1
                        if stalled == _PATIENCE:
                            break
            else:
                stalled = 0
            best_before, best, previous = best, math.inf, None
        if iteration < max_iterations:  # otherwise the residual would belong to the state before
            state = new if mixing == 1.0 else mix(state, new, mixing)
    return FixedPoint(state, status, residual, iteration, mixing, _describe(status, mixing, alternates))


def _describe(status: Status, mixing: float, alternates: bool) -> str:
    found = status is Status.CONVERGED
    if alternates:
        end = f"steps of {mixing:g} found the fixed point." if found else "damping did not find a fixed point."
        return f"The undamped map alternates between two states; {end}"
    if mixing < 1.0:
        return f"The undamped map made no progress; steps of {mixing:g} {'converged' if found else 'did not either'}."
    return ""


def anderson(
    step: Callable[[FloatArray], FloatArray],
    start: FloatArray,
    *,
    distance: Distance,
    tolerance: float,
    max_iterations: int,
    memory: int = 5,
    ridge: float = 1e-10,
    keep_inside: Callable[[FloatArray], FloatArray] = lambda state: state,
) -> FixedPoint:
    """Accelerate ``state <- step(state)`` by Anderson's method (memory 5, ridge scaled by the Gram diagonal).

    Its iterates are not a relaxation path. ``keep_inside`` maps every iterate back into the domain of `step`.
    """
    state, residual, iteration, status = start, math.inf, 0, Status.NOT_CONVERGED
    states: list[FloatArray] = []
    defects: list[FloatArray] = []
    for iteration in range(1, max_iterations + 1):
        new = step(state)
        if not _finite((new,)):
            status, residual = Status.NONFINITE, math.inf
            break
        residual = distance((new,), (state,))
        if residual <= tolerance:
            status = Status.CONVERGED
            break
        if iteration == max_iterations:
            break
        states, defects = [*states, state][-memory - 1 :], [*defects, new - state][-memory - 1 :]
        proposal = new
        if len(states) > 1:
            d_defect = np.stack([(defects[k + 1] - defects[k]).ravel() for k in range(len(defects) - 1)])
            d_state = np.stack([(states[k + 1] - states[k]).ravel() for k in range(len(states) - 1)])
            gram = d_defect @ d_defect.T
            gram[np.diag_indices_from(gram)] += ridge * np.diag(gram) + 1e-300
            try:
                weights = np.linalg.solve(gram, d_defect @ defects[-1].ravel())
            except np.linalg.LinAlgError:  # the history has collapsed to one direction
                weights = np.zeros(len(gram))
            proposal = new - (weights @ (d_state + d_defect)).reshape(state.shape)
        proposal = keep_inside(proposal)
        if not _finite((proposal,)):
            status = Status.NONFINITE
            break
        state = proposal
    return FixedPoint((state,), status, residual, iteration)

r"""Sequences of an extended-context model that move together.

The products :math:`u_a(t)=W_as_t` of the last K tokens are kept in a ring, so that
:math:`h_t=\sum_{ka}L_{ka}u_a(t-k)+\ldots` costs r products a step whatever K is, and the field of the reversed sequence
(needed for the entropy production) costs none.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from glassformer._core._errors import invalid
from glassformer._core._memory import machine_memory, require_memory
from glassformer._core._random import stream_key
from glassformer._core._validation import FloatArray, as_float_array
from glassformer.couplings._operators import TILE, Operator, operator_of
from glassformer.dynamics.context._workers import Workers
from glassformer.models import ExtendedContext, TokenRule

_NOTHING = np.zeros((2, 1, 1))
STARTS = ("independent", "repeated")
_WORTH = 2**15  # sites times replicas from which threads pay
_LONG = 16
_LARGEST_TILE = 2**31  # bytes
_LARGEST_SUM = 1e140  # beyond it the square of a sum over sites is about to overflow
Tokens = npt.NDArray[np.int8] | FloatArray


class ContextMotion:
    """One model, one rule and one stream of random numbers; opens tiles of sequences."""

    def __init__(self, model: ExtendedContext, rule: TokenRule, *, seed: int, precision: str = "double") -> None:
        from glassformer._core._philox import split_key
        from glassformer.dynamics._kernels import _context as kernels

        couplings = model.couplings
        self.model, self.rule, self.seed = model, rule, seed
        self.operator: Operator = operator_of(couplings, precision=precision)
        self.weights = np.ascontiguousarray(couplings.factors, dtype=np.float64)
        self.means = np.ascontiguousarray(couplings.mean, dtype=np.float64)
        self.fields = np.ascontiguousarray(model.fields)
        self.key = split_key(stream_key(seed, "dynamics/context"))
        self.start_key = split_key(stream_key(seed, "initial/context"))
        cold = rule.variant != "gaussian" and math.isinf(rule.beta)
        if rule.variant == "spherical":
            self.code = kernels.FIELD_ONLY
        elif cold:
            self.code = kernels.SIGN
        else:
            self.code = {
                "ising": kernels.LOGISTIC,
                "probit": kernels.PROBIT,
                "graded": kernels.GRADED,
                "gaussian": kernels.GAUSSIAN,
            }[rule.variant]
        self.dtype = np.dtype(np.int8 if self.code in (kernels.SIGN, kernels.LOGISTIC, kernels.PROBIT) else np.float64)
        self.has_reversal = rule.variant != "graded" and not cold
        # From this context on, reading the ring would cost more than the products.
        self.ahead = kernels.AHEAD if self.context >= _LONG else 0
        self.scores_tokens = rule.variant != "spherical" and (rule.variant != "graded" or cold)
        self.delay = self.context + max(1, self.ahead)  # steps until the reversed law of a token can be scored
        self.beta = 0.0 if cold or rule.variant == "gaussian" else float(rule.beta)

    @property
    def n(self) -> int:
        """Number of sites."""
        return self.model.n

    @property
    def context(self) -> int:
        """Context length K."""
        return self.model.context

    def check_start(self, start: str | npt.ArrayLike | None) -> str | Tokens:
        """Return the name of a preset, or an initial history (lag, site) or (replica, lag, site) of legal tokens."""
        if start is None:
            return "independent"
        if isinstance(start, str):
            if start not in STARTS:
                raise invalid("start", start, "independent, repeated or an array (lag, site) or (replica, lag, site)")
            return start
        history = as_float_array("start", start, ndim=(2, 3))
        if history.shape[-2:] != (self.context, self.n):
            raise invalid(
                "the shape of start",
                history.shape,
                f"(..., {self.context}, {self.n}): (lag, site), most recent first, or with replicas in front",
            )
        if self.rule.variant == "spherical":
            norms = np.linalg.norm(history, axis=-1, keepdims=True)
            worst = float(norms.flat[np.abs(norms - math.sqrt(self.n)).argmax()])
            if abs(worst - math.sqrt(self.n)) > 1e-6 * math.sqrt(self.n):
                raise invalid("the length of a token in start", worst, f"sqrt(n) = {math.sqrt(self.n):.12g}")
            return np.asarray(history * (math.sqrt(self.n) / norms))
        if self.dtype == np.int8 and not (np.abs(history) == 1.0).all():
            bad = float(history.flat[int(np.argmax(np.abs(np.abs(history) - 1.0)))])
            raise invalid("an entry of start", bad, f"+1 or -1 for variant={self.rule.variant!r}")
        if self.rule.variant == "graded" and (np.abs(history) > 1.0).any():
            raise invalid("an entry of start", float(np.abs(history).max()), "from -1 to 1 for variant='graded'")
        return np.asarray(history.astype(self.dtype))

    def history(self, start: str | Tokens, first_replica: int, replicas: int) -> Tokens:
        """Return the initial history (replica, lag, site), most recent first, of a range of replicas.

        ``independent`` draws the K tokens independently, ``repeated`` one that stands K times: signs, or vectors of
        length sqrt(n) for real tokens.
        """
        from glassformer.dynamics._kernels._context import random_directions, random_signs

        shape = (replicas, self.context, self.n)
        if not isinstance(start, str):
            chosen = start if start.ndim == 2 else start[first_replica : first_replica + replicas]
            return np.array(np.broadcast_to(chosen, shape))
        out = np.empty(shape, self.dtype)
        vectors = self.rule.variant in ("gaussian", "spherical")
        draw = random_directions if vectors else random_signs
        token = np.empty((replicas, self.n), self.dtype)
        for lag in range(self.context):
            if lag == 0 or start == "independent":
                draw(token, lag, first_replica, *self.start_key)
            out[:, lag] = token
        return out

    def tile_width(self, depth: int = 0) -> int:
        """Return how many sequences move together: as many as share a product, fewer where memory is short."""
        products = (self.context + 2 * self.ahead) * max(1, self.operator.factors)
        stored = self.dtype.itemsize * (max(depth, self.needs) + 1)
        each = self.n * (8 * (products + 2 * self.ahead + 2) + stored)
        require_memory("one sequence", each, "take fewer sites, a shorter context or couplings of lower rank")
        width = TILE
        while width > 1 and width * each > min(_LARGEST_TILE, machine_memory() / 4):
            width //= 2
        return width

    @property
    def needs(self) -> int:
        """Number of past tokens that fix the next ones and what is summed of them, to the bit."""
        return self.delay + self.ahead

    def open(
        self, history: Tokens, first_replica: int, workers: Workers, *, step: int = 0, depth: int = 0
    ) -> ContextTile:
        """Return a tile that has taken `step` steps and whose last tokens are ``history (replica, lag, site)``.

        It remembers at least `depth` tokens beside the one it draws; `needs` says how many a history must hold to go on.
        """
        return ContextTile(self, history, first_replica, workers, step, depth)


class ContextTile:
    """A few sequences under way. After `advance`, ``tokens`` are those of ``step``, and ``sums`` what was summed of them."""

    def __init__(
        self, motion: ContextMotion, history: Tokens, first_replica: int, workers: Workers, step: int, depth: int
    ) -> None:
        from glassformer.dynamics._kernels._context import SUMS, block_count

        self.motion, self.first_replica, self.workers, self.step = motion, first_replica, workers, step
        self.replicas = history.shape[0]
        lags, n, replicas = motion.context, motion.n, self.replicas
        self.depth = max(motion.needs, depth) + 1
        self.store = np.zeros((self.depth, replicas, n), motion.dtype)
        self.products = lags + 2 * motion.ahead  # that are kept
        self.ring = np.zeros((self.products, motion.operator.factors, replicas, n))
        self.prepared = np.zeros((2, motion.ahead, replicas, n))
        self.means = np.zeros((self.products, replicas))  # of the sites of these tokens
        blocks = block_count(n)
        self.cells = replicas * blocks
        self.block_sums = np.zeros((replicas, blocks, SUMS))
        self.sums = np.zeros((replicas, SUMS))
        vector = motion.rule.variant == "spherical"
        self.whole_fields = np.zeros((replicas, n) if vector else (1, 1))
        self.vectors = np.zeros((3, replicas))  # s.h, h.h and the total of s
        self.worth = replicas * n >= _WORTH
        self.known = min(history.shape[1], self.depth)
        for lag in range(self.known - 1, -1, -1):
            self.store[(step - lag) % self.depth] = history[:, lag]
        for lag in range(min(self.known, self.products) - 1, -1, -1):
            self._remember(step - lag)
        if motion.ahead and step % motion.ahead:
            self._prepare(step - step % motion.ahead)

    @property
    def tokens(self) -> Tokens:
        """The tokens (replica, site) of the last step; overwritten later."""
        return np.asarray(self.store[self.step % self.depth])

    @property
    def bounded(self) -> bool:
        """Whether tokens and fields are finite, and small enough to be squared."""
        from glassformer.dynamics._kernels._context import FIELD_SQUARE, TOTAL

        # "Below" rather than "not above", for NaN.
        return bool((np.abs(self.sums[:, [TOTAL, FIELD_SQUARE]]) < _LARGEST_SUM).all())

    def past(self, count: int) -> Tokens:
        """Return a copy of the last `count` tokens, (replica, lag, site), the most recent first."""
        return np.stack([self.store[(self.step - lag) % self.depth] for lag in range(count)], axis=1)

    def slots(self, count: int) -> npt.NDArray[np.int64]:
        """Return where in ``store`` the last `count` tokens stand, the most recent first."""
        return (self.step - np.arange(count)) % self.depth

    def _remember(self, step: int) -> None:
        """Keep the products with the tokens of `step`, and their means."""
        from glassformer.dynamics._kernels._context import token_totals

        motion = self.motion
        slot = step % self.products
        tokens = self.store[step % self.depth]
        if motion.means.any():
            token_totals(tokens, self.means[slot])
            self.means[slot] /= motion.n
        worth = self.worth or motion.n >= 512
        lane = self.first_replica % TILE
        self.workers.run(motion.operator.pieces(tokens, self.ring[slot], lane=lane), worth=worth)

    def _shift(self, slots: npt.NDArray[np.int64]) -> FloatArray:
        """Return what the means of the couplings add to the fields, summed lag by lag.

        The order of the sums of a matrix product would depend on how many replicas stand side by side.
        """
        total = np.zeros(self.means.shape[1])
        if self.motion.means.any():
            for weight, slot in zip(self.motion.means, slots):
                total += weight * self.means[slot]
        return total

    def advance(self, *, recording: bool = False, backward: bool = False) -> None:
        """Take one step; with `recording`, sum what is measured of it, with `backward` also of the token ``delay`` before."""
        from glassformer.dynamics._kernels._context import TOTAL, add_blocks, advance_cells

        motion, lags = self.motion, self.motion.context
        done = self.step % motion.ahead if motion.ahead else -1  # steps since fields were prepared
        if done == 0:
            self._prepare(self.step)
        ahead, behind = self.prepared[:, max(done, 0)] if motion.ahead else _NOTHING
        self.step += 1
        step = self.step
        order = (step - 1 - np.arange(lags)) % self.products
        shift = self._shift(order)
        shift_back = self._shift((step - motion.delay + 1 + np.arange(lags)) % self.products)
        tokens = self.store[step % self.depth]
        past = self.store[(step - motion.delay) % self.depth]

        def cells(first: int, last: int) -> None:
            advance_cells(
                self.ring, order, motion.weights, motion.fields, shift, shift_back, done, ahead, behind, tokens, past,
                self.whole_fields, self.block_sums, motion.code, motion.beta, float(motion.rule.sigma), np.uint64(step),
                self.first_replica, *motion.key, recording, backward, first, last,
            )  # fmt: skip

        self.over_cells(cells)
        add_blocks(self.block_sums, self.sums)
        if motion.rule.variant == "spherical":
            self._draw_vectors(tokens)
            self.sums[:, TOTAL] = self.vectors[2]
        self._remember(step)

    def over_cells(self, work: Callable[[int, int], None]) -> None:
        """Call ``work(first, last)`` for ranges that make up all cells, on threads where that pays."""
        if not self.worth or self.workers.threads == 1:
            work(0, self.cells)
            return
        edges = [self.cells * k // self.workers.threads for k in range(self.workers.threads + 1)]
        self.workers.run([_bound(work, first, last) for first, last in pairwise(edges)])

    def _prepare(self, step: int) -> None:
        """Prepare fields of the steps after `step`."""
        from glassformer.dynamics._kernels._context import prepare_cells

        blocks = self.block_sums.shape[1]
        self.over_cells(
            lambda first, last: prepare_cells(
                self.ring, step, self.motion.weights, self.prepared[0], self.prepared[1], blocks, first, last
            )
        )

    def _draw_vectors(self, tokens: npt.NDArray[np.float64]) -> None:
        """Draw tokens on the sphere from the fields that the pass has written."""
        from glassformer.dynamics._kernels._context import random_directions, vector_sums
        from glassformer.dynamics._kernels._vmf import draw_lane, workspace

        motion, n = self.motion, self.motion.n
        cold = math.isinf(motion.rule.beta)

        def draw(b: int) -> None:
            h, out = self.whole_fields[b], tokens[b]
            if cold:
                largest = float(np.abs(h).max())
                if largest > 0.0:
                    out[:] = h / largest
                    out *= math.sqrt(n / float(vector_sums(out, out)[1]))
                else:
                    random_directions(out[None], self.step, self.first_replica + b, *motion.key)
            else:
                draw_lane(
                    h, n, 0, out, 1, n, motion.beta, math.sqrt(n), np.uint64(self.step),
                    np.uint64(self.first_replica + b), *motion.key, *workspace(1, n),
                )  # fmt: skip
            self.vectors[:, b] = vector_sums(h, out)

        self.workers.run([_bound(draw, b) for b in range(self.replicas)], worth=n >= 2048)


def tile_ranges(numbers: range, width: int = TILE) -> list[tuple[int, int]]:
    """Cut consecutive sequence numbers at multiples of `width`: (first, count); each keeps its column of a product."""
    edges = [numbers.start, *range((numbers.start // width + 1) * width, numbers.stop, width), numbers.stop]
    return [(low, high - low) for low, high in pairwise(edges)]


def _bound(function, *arguments):  # type: ignore[no-untyped-def]
    return lambda: function(*arguments)

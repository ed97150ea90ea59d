"""Windows: pairs of a history of K tokens and the token that came next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from glassformer._core._errors import invalid
from glassformer._core._validation import LARGEST_SCALE, FloatArray, as_count


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    r"""P pairs of a history and the next token, the form of data that estimators of couplings take.

    Parameters
    ----------
    history : array (pair, lag, site)
        :math:`s_{t-1},\dots,s_{t-K}`: **most recent first**.
    next : array (pair, site)
        :math:`s_t`.

    Raises
    ------
    InvalidInputError
        For shapes that do not fit, or values that are not finite.

    Examples
    --------
    >>> import numpy as np
    >>> data = Windows(np.zeros((5, 2, 3)), np.ones((5, 3)))
    >>> data.pairs, data.context, data.n, data.features.shape
    (5, 2, 3, (5, 6))
    """

    history: npt.NDArray[Any]
    next: npt.NDArray[Any]

    def __post_init__(self) -> None:
        history, following = _as_tokens("history", self.history, 3), _as_tokens("next", self.next, 2)
        if following.shape != (history.shape[0], history.shape[2]):
            wanted = f"({history.shape[0]}, {history.shape[2]}) (pair, site) to fit history"
            raise invalid("the shape of next", following.shape, wanted, f"that of history is {history.shape}")
        object.__setattr__(self, "history", history)
        object.__setattr__(self, "next", following)

    @property
    def pairs(self) -> int:
        """Number of windows P."""
        return int(self.history.shape[0])

    @property
    def context(self) -> int:
        """Number of tokens of a history K."""
        return int(self.history.shape[1])

    @property
    def n(self) -> int:
        """Number of sites N."""
        return int(self.history.shape[2])

    @property
    def features(self) -> FloatArray:
        """The histories as rows (pair, lag * site), lag 1 first."""
        return np.asarray(self.history.reshape(self.pairs, -1), dtype=np.float64)

    @property
    def targets(self) -> FloatArray:
        """The next tokens as double-precision numbers (pair, site)."""
        return np.asarray(self.next, dtype=np.float64)

    @property
    def binary(self) -> bool:
        """Whether every next token is -1 or 1."""
        return bool((np.abs(self.next) == 1).all())

    def first(self, pairs: int) -> Windows:
        """Return the first `pairs` windows."""
        return Windows(self.history[:pairs], self.next[:pairs])

    def recent(self, context: int) -> Windows:
        """Return the same windows with the last `context` tokens of each history only: what a shorter student sees."""
        if not 1 <= as_count("context", context) <= self.context:
            raise invalid("context", context, f"an integer from 1 to {self.context}, the tokens of a history")
        return Windows(self.history[:, :context], self.next)


def windows(tokens: Any, context: int) -> Windows:
    r"""Cut sequences into windows: every token with the `context` tokens before it, most recent first.

    Parameters
    ----------
    tokens : array (sequence, time, site) or (time, site), or anything with ``.tokens`` of that shape
        In order of time. Windows never reach from one sequence into another.
    context : int
        K, the number of lags.

    Returns
    -------
    Windows
        :math:`(T-K)` pairs of each sequence, sequence by sequence in order of time.

    Raises
    ------
    InvalidInputError
        When no sequence is longer than the context.

    Examples
    --------
    >>> import glassformer as gf
    >>> import numpy as np
    >>> data = gf.windows(np.array([[[0.0], [1.0], [2.0], [3.0]]]), context=2)
    >>> data.history[:, :, 0].tolist(), data.next[:, 0].tolist()
    ([[1.0, 0.0], [2.0, 1.0]], [2.0, 3.0])
    """
    array = _to_array("tokens", getattr(tokens, "tokens", tokens))
    if array.ndim == 2:
        array = array[None]
    if array.ndim != 3 or 0 in array.shape:
        raise invalid("the shape of tokens", array.shape, "(sequence, time, site) or (time, site), none of them empty")
    lags = as_count("context", context)
    sequences, steps, n = array.shape
    if steps <= lags:
        raise invalid("the length of the sequences", steps, f"more than the context, {lags}", "pass a smaller context")
    # [sequence, start, site, place] -> places in reverse, so that lag 1 comes first
    slid = np.lib.stride_tricks.sliding_window_view(array[:, :-1], lags, axis=1)[..., ::-1]
    history = np.moveaxis(slid, -1, 2).reshape(sequences * (steps - lags), lags, n)
    return Windows(history, array[:, lags:].reshape(-1, n))


def _as_tokens(name: str, value: Any, ndim: int) -> npt.NDArray[Any]:
    array = _to_array(name, value)
    if array.ndim != ndim or 0 in array.shape:
        dims = "(pair, lag, site)" if ndim == 3 else "(pair, site)"
        raise invalid(f"the shape of {name}", array.shape, f"{dims}, none of them empty")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise invalid(name, "not finite", "finite numbers", "remove NaN and infinity from the data")
    largest = float(np.max(np.abs(array), initial=0.0))
    if array.dtype.kind == "f" and largest > 0.0 and not 1.0 / LARGEST_SCALE <= largest <= LARGEST_SCALE:
        allowed = f"between {1.0 / LARGEST_SCALE:g} and {LARGEST_SCALE:g}"
        raise invalid(f"the largest |{name}|", largest, allowed, "choose another unit for the data")
    return array  # integers stay small


def _to_array(name: str, value: Any) -> npt.NDArray[Any]:
    try:
        array = np.asarray(value)
    except ValueError as error:  # rows of different lengths
        raise invalid(name, value, "an array of real numbers") from error
    if array.dtype.kind not in "iuf":
        raise invalid(name, value, "an array of real numbers")
    return array

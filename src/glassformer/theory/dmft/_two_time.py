"""What every solver of a transient returns."""

from __future__ import annotations

from typing import NamedTuple

from glassformer._core._validation import FloatArray

LARGEST_SQUARE = 1e290
"""Tokens that grow beyond this end the recursion: sums of a few such numbers still do not overflow."""


class TwoTime(NamedTuple):
    """A transient: K initial rows, then one row a step."""

    correlation: FloatArray  # (K + T, K + T), earliest first
    mean: FloatArray  # (K + T,)
    covariance: FloatArray  # (T, T), of the Gaussian part of the field
    field_mean: FloatArray  # (T,)
    response: FloatArray | None = None  # (T, T)
    errors: dict[str, FloatArray] | None = None
    entropy: FloatArray | None = None  # (T,), of the next token


class Banded(NamedTuple):
    """The same by lag: ``correlation[K + t, l]`` is C between step t + 1 and l steps earlier; later lags count as 0."""

    correlation: FloatArray  # (K + T, W)
    mean: FloatArray  # (K + T,)
    covariance: FloatArray  # (T, min(W, T))
    field_mean: FloatArray  # (T,)

    def whole(self) -> TwoTime:
        """Return the matrices."""
        from glassformer.theory.dmft._transient_kernels import square_matrix

        return TwoTime(square_matrix(self.correlation), self.mean, square_matrix(self.covariance), self.field_mean)

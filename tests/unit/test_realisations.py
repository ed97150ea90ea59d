"""Covariances with given diagonal sums: each is checked against the sums, and against what singles it out."""

from __future__ import annotations

import itertools
from math import comb

import numpy as np
import pytest

from glassformer import InvalidInputError, NotConvergedError
from glassformer.couplings._lag_covariance import diagonal_sums, spectrum
from glassformer.couplings._realisations import _hessian, diagonal, max_det, rank_one, toeplitz

RNG = np.random.default_rng(7)
LENGTHS = [1, 2, 3, 5, 12, 30, 31, 64, 300]


def sums_of(gamma: np.ndarray) -> np.ndarray:
    return np.array([float(gamma[: len(gamma) - d] @ gamma[d:]) for d in range(len(gamma))])


def random_sums(size: int) -> np.ndarray:
    return sums_of(RNG.normal(size=size))


@pytest.mark.parametrize("size", LENGTHS)
def test_rank_one_has_the_sums_and_its_zeros_inside_the_circle(size: int) -> None:
    g = random_sums(size)
    gamma = rank_one(g)
    assert np.abs(sums_of(gamma) - g).max() <= 1e-12 * g[0]
    # minimum phase: the energy comes as early as in no other filter with these sums
    assert gamma[0] >= max(abs(rank_one(g, phase="max")[0]), 0.0)
    if 1 < size <= 30:
        assert np.abs(np.roots(gamma)).max() <= 1.0 + 1e-9
    assert np.array_equal(rank_one(g, phase="max"), gamma[::-1])


def test_the_reference_filter_and_its_reversal() -> None:
    assert np.allclose(rank_one([1.5, 0.5, -0.1]), [1.12132874, 0.48442627, -0.08917991], atol=5e-9, rtol=0)


@pytest.mark.parametrize("size", [2, 4, 7])
def test_every_choice_of_zeros_has_the_same_sums(size: int) -> None:
    g = random_sums(size)
    zeros = np.roots(rank_one(g))
    count = int(np.sum(zeros.imag >= 0.0))
    filters = [rank_one(g, phase=list(flags)) for flags in itertools.product([False, True], repeat=count)]
    for gamma in filters:
        assert np.abs(sums_of(gamma) - g).max() <= 1e-12 * g[0]
    assert len({tuple(np.round(gamma, 6)) for gamma in filters}) == 2**count
    assert np.allclose(filters[0], rank_one(g))
    assert np.allclose(np.abs(filters[-1]), np.abs(rank_one(g, phase="max")))
    with pytest.raises(InvalidInputError, match="one for each zero"):
        rank_one(g, phase=[True] * (count + 1))


@pytest.mark.parametrize(
    ("g", "gamma"),
    [
        ([1.0, 0.5], [0.5**0.5, 0.5**0.5]),
        ([1.0, -0.5], [0.5**0.5, -(0.5**0.5)]),
        ([6.0, 4.0, 1.0], [1.0, 2.0, 1.0]),
        ([20.0, 15.0, 6.0, 1.0], [1.0, 3.0, 3.0, 1.0]),
        ([2.0, 0.0, 0.0, 1.0], [1.0, 0.0, 0.0, 1.0]),
        ([2.0, 0.0, 0.0], [2.0**0.5, 0.0, 0.0]),
        ([0.0, 0.0], [0.0, 0.0]),
        ([3.0, 2.0, 1.0], [1.0, 1.0, 1.0]),
        ([30.0, -20.0, 5.0], None),
    ],
)
def test_zeros_on_the_circle_lose_no_digits(g: list[float], gamma: list[float] | None) -> None:
    found = rank_one(g)
    assert np.abs(sums_of(found) - g).max() <= 1e-12 * max(g[0], 1e-300)
    if gamma is not None:
        assert np.allclose(found, gamma, atol=1e-8)


@pytest.mark.parametrize("size", [10, 50, 200])
def test_a_filter_of_equal_weights_has_all_zeros_on_the_circle(size: int) -> None:
    g = (size - np.arange(size)) / size
    gamma = rank_one(g)
    assert np.abs(sums_of(gamma) - g).max() <= 1e-12
    assert np.allclose(gamma, size**-0.5, rtol=1e-4)


def test_a_zero_of_very_high_order_is_refused_or_right() -> None:
    for order in (4, 6, 9, 12):
        g = np.array([comb(2 * order, order - d) for d in range(order + 1)], dtype=float)
        try:
            gamma = rank_one(g)
        except NotConvergedError as error:
            assert "1e-12" in str(error)  # noqa: PT017
        else:
            assert np.abs(sums_of(gamma) - g).max() <= 1e-12 * g[0]


@pytest.mark.parametrize("realise", [rank_one, max_det, toeplitz, diagonal])
def test_sums_of_no_covariance_are_refused_with_place_and_amount(realise) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InvalidInputError, match=r"-0\.2, .*omega = 3\.14159.*add at least 0\.2 to g_0"):
        realise([1.0, 0.6])
    with pytest.raises(InvalidInputError, match="phase"):
        rank_one([1.0, 0.2], phase="middle")


def test_the_largest_determinant_of_the_reference() -> None:
    found = max_det([1.5, 0.5, -0.1])
    expected = [[0.462132, 0.25, -0.1], [0.25, 0.575736, 0.25], [-0.1, 0.25, 0.462132]]
    assert np.allclose(found, expected, atol=5e-7)


@pytest.mark.parametrize("size", [1, 2, 3, 8, 40, 150])
def test_the_largest_determinant_has_a_toeplitz_inverse(size: int) -> None:
    g = random_sums(size)
    g[0] *= 1.1
    found = max_det(g)
    assert np.abs(diagonal_sums(found) - g).max() <= 1e-12 * g[0]
    assert np.linalg.eigvalsh(found)[0] > 0.0
    inverse = np.linalg.inv(found)
    assert max(np.ptp(np.diag(inverse, d)) for d in range(size)) <= 1e-9 * np.abs(inverse).max()
    if size > 1:
        other = np.outer(rank_one(g), rank_one(g))
        mixed = 0.9 * found + 0.1 * other  # the same sums, a smaller determinant
        assert np.linalg.slogdet(mixed)[1] < np.linalg.slogdet(found)[1]


def test_the_hessian_of_the_determinant_against_traces() -> None:
    size = 5
    draw = RNG.normal(size=(size, size))
    inverse = draw @ draw.T
    basis = [np.eye(size)] + [np.eye(size, k=d) + np.eye(size, k=-d) for d in range(1, size)]
    naive = [[np.trace(inverse @ a @ inverse @ b) for b in basis] for a in basis]
    assert np.allclose(_hessian(inverse), naive, rtol=1e-12)


def test_close_to_singular_sums_say_what_exists() -> None:
    with pytest.raises(InvalidInputError, match="use rank_one"):
        max_det([1.0, 0.5])
    near = max_det([1.0, 0.49999])
    assert np.abs(diagonal_sums(near) - [1.0, 0.49999]).max() <= 1e-12


def test_toeplitz_and_diagonal() -> None:
    assert np.allclose(toeplitz([1.5, 0.5, -0.1]), [[0.5, 0.25, -0.1], [0.25, 0.5, 0.25], [-0.1, 0.25, 0.5]])
    gamma = np.array([1.0, 0.1, 1.0])  # G is feasible, its even spread is not
    g = sums_of(gamma)
    assert spectrum(g, np.linspace(0.0, np.pi, 999)).min() > -1e-12
    with pytest.raises(InvalidInputError, match="use rank_one or max_det"):
        toeplitz(g)
    assert np.allclose(diagonal([0.9, 0.0, 0.0]), 0.3 * np.eye(3))
    with pytest.raises(InvalidInputError, match="g_2 is 0.1"):
        diagonal([0.9, 0.0, 0.1])

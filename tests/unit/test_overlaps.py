"""Overlaps against obvious loops, their symmetries, and the values that random replicas must have."""

from __future__ import annotations

import numpy as np
import pytest

from glassformer._core._errors import InvalidInputError
from glassformer._core._random import directions
from glassformer.observables import (
    aligned_overlaps,
    aligning_rotation,
    binder_ratio,
    clustering_order,
    invariant_overlaps,
    off_diagonal,
    overlap_tensors,
    raw_overlaps,
    spin_glass_susceptibility,
    squared_overlaps,
)

SHAPES = [(3, 12, 1), (4, 9, 2), (3, 30, 3), (2, 6, 11)]


def spins_of(shape: tuple[int, ...], radius: float, seed: int = 1) -> np.ndarray:
    return radius * directions(seed, "test/spins", shape)


def random_rotations(count: int, dim: int, seed: int) -> np.ndarray:
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(count, dim, dim)))[0]


@pytest.mark.parametrize("shape", SHAPES)
def test_overlaps_are_the_obvious_loops(shape: tuple[int, ...]) -> None:
    radius = 1.7
    a, b = spins_of(shape, radius, 1), spins_of((2, *shape[1:]), radius, 2)
    n = shape[1]
    for p, s in enumerate(a):
        for r, t in enumerate(b):
            raw = sum(s[i] @ t[i] for i in range(n)) / (n * radius**2)
            tensor = sum(np.outer(s[i], t[i]) for i in range(n)) / n
            square = sum((s[i] @ s[j]) * (t[i] @ t[j]) for i in range(n) for j in range(n)) / n**2
            own = [sum((u[i] @ u[j]) ** 2 for i in range(n) for j in range(n)) / n**2 for u in (s, t)]
            assert np.isclose(raw_overlaps(a, b, radius=radius)[p, r], raw, rtol=1e-12)
            assert np.allclose(overlap_tensors(a, b)[p, r], tensor, rtol=1e-12)
            assert np.isclose(squared_overlaps(a, b)[p, r], square, rtol=1e-12)
            assert np.isclose((tensor**2).sum(), square, rtol=1e-12)
            assert np.isclose(invariant_overlaps(a, b)[p, r], square / np.sqrt(own[0] * own[1]), rtol=1e-12)
            nuclear = np.linalg.svd(tensor)[1].sum() / radius**2
            assert np.isclose(aligned_overlaps(a, b, radius=radius)[p, r], nuclear, rtol=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
def test_rotating_every_replica_leaves_only_the_raw_overlap_changed(shape: tuple[int, ...]) -> None:
    spins = spins_of(shape, 2.0)
    turned = spins @ random_rotations(shape[0], shape[2], 5)
    assert np.allclose(invariant_overlaps(spins), invariant_overlaps(turned), rtol=1e-12)
    assert np.allclose(aligned_overlaps(spins, radius=2.0), aligned_overlaps(turned, radius=2.0), rtol=1e-12)
    if shape[2] > 1:
        assert not np.allclose(raw_overlaps(spins, radius=2.0), raw_overlaps(turned, radius=2.0), atol=1e-3)
    # The diagonal: a replica is like itself, and the alignment of a replica with its turned copy is perfect.
    assert np.allclose(np.diag(invariant_overlaps(spins, turned)), 1.0, rtol=1e-12)
    assert np.allclose(np.diag(aligned_overlaps(spins, turned, radius=2.0)), 1.0, rtol=1e-12)


def test_one_component_gives_the_modulus_and_the_square() -> None:
    spins = spins_of((5, 20, 1), 3.0)
    raw = raw_overlaps(spins, radius=3.0)
    assert np.allclose(aligned_overlaps(spins, radius=3.0), np.abs(raw), rtol=1e-14)
    assert np.allclose(invariant_overlaps(spins), raw**2, rtol=1e-12)


@pytest.mark.parametrize("dim", [1, 3, 7])
def test_aligned_overlap_is_the_best_over_rotations(dim: int) -> None:
    spins = spins_of((2, 15, dim), 1.0)
    best = aligned_overlaps(spins, radius=1.0)[0, 1]
    turned = spins[:1] @ aligning_rotation(spins[0], spins[1])
    assert np.isclose(raw_overlaps(turned, spins[1:], radius=1.0)[0, 0], best, rtol=1e-12)
    others = spins[:1] @ random_rotations(200, dim, 3)
    assert (raw_overlaps(others, spins[1:], radius=1.0) <= best + 1e-12).all()


@pytest.mark.parametrize(("n", "dim"), [(40, 1), (60, 3), (64, 32), (20, 50)])
def test_random_replicas_have_the_stated_baseline(n: int, dim: int) -> None:
    spins = spins_of((200, n, dim), 1.0, seed=4)
    square = squared_overlaps(spins[:100], spins[100:])
    chi = n * square  # 1 on average at infinite temperature
    # Rows share replicas; the row means are independent given the columns, a fair scale for the error.
    error = chi.mean(1).std(ddof=1) / 10 + chi.mean(0).std(ddof=1) / 10
    assert abs(chi.mean() - 1) < 6 * error
    ratio = invariant_overlaps(spins[:100], spins[100:]).mean()
    assert abs(ratio / (dim / (dim + n - 1)) - 1) < 0.1


def test_susceptibility_is_one_for_random_spins_with_and_without_subtraction() -> None:
    n, dim, pairs = 30, 2, 4000
    spins = spins_of((pairs, 2, n, dim), 1.3, seed=6)
    q = np.einsum("pim,pin->pmn", spins[:, 0], spins[:, 1]) / n
    for connected in (True, False):
        chi = spin_glass_susceptibility(q, n=n, radius=1.3, connected=connected)
        assert abs(chi - 1) < 6 * np.sqrt(2 / (pairs * dim**2))
    shifted = q + 0.1 * np.eye(dim)
    assert abs(spin_glass_susceptibility(shifted, n=n, radius=1.3) - 1) < 6 * np.sqrt(2 / (pairs * dim**2))
    assert spin_glass_susceptibility(shifted, n=n, radius=1.3, connected=False) > 1.1


@pytest.mark.parametrize("dim", [1, 3])
def test_binder_ratio_is_zero_for_gaussian_overlaps_and_one_for_a_single_value(dim: int) -> None:
    q = np.random.default_rng(3).normal(size=(200_000, dim, dim))
    assert abs(binder_ratio((q**2).sum((1, 2)), dim=dim)) < 0.03
    assert np.isclose(binder_ratio(np.full(7, 0.3), dim=dim), 1.0)


def test_clustering_puts_alike_replicas_side_by_side() -> None:
    group = np.array([0, 1, 2, 0, 1, 2, 0, 1, 2])
    order = clustering_order((group[:, None] == group) * 0.8 + 0.2 * np.eye(9))
    assert sorted(order) == list(range(9))
    assert np.count_nonzero(np.diff(group[order])) == 2
    assert off_diagonal(np.eye(4)).shape == (6,)


def test_wrong_input_is_named() -> None:
    with pytest.raises(InvalidInputError, match="shape of others"):
        raw_overlaps(np.ones((2, 3, 1)), np.ones((2, 4, 1)), radius=1.0)
    with pytest.raises(InvalidInputError, match="finite"):
        invariant_overlaps(np.full((2, 3, 1), np.nan))
    with pytest.raises(InvalidInputError, match="length of all spins"):
        invariant_overlaps(np.zeros((2, 3, 1)))

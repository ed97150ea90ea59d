"""Addressed randomness: known answers, independence of streams, prefixes, moments."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from glassformer._core._errors import InvalidInputError
from glassformer._core._random import check_seed, directions, normals, philox, stream_key, uniforms

KNOWN = [
    ((0, 0, 0, 0), 0, "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ((0xFFFFFFFF,) * 4, 2**64 - 1, "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        0xA4093822 | 0x299F31D0 << 32,
        "d16cfe09 94fdcceb 5001e420 24126ea1",
    ),
]


@pytest.mark.parametrize(("counter", "key", "words"), KNOWN)
def test_philox_gives_the_published_known_answers(counter, key, words):
    assert " ".join(f"{int(word):08x}" for word in philox(counter, key)) == words


def test_a_longer_array_begins_with_the_shorter_one():
    assert np.array_equal(normals(3, "a", 101)[:7], normals(3, "a", 7))
    assert np.array_equal(uniforms(3, "a", (5, 3)).ravel()[:4], uniforms(3, "a", 4))


def test_streams_and_seeds_are_independent():
    draws = np.stack([normals(seed, name, 4000) for seed in (0, 1) for name in ("couplings", "fields")])
    correlation = np.corrcoef(draws) - np.eye(4)
    assert np.abs(correlation).max() < 5.5 / np.sqrt(4000)
    assert stream_key(1, "a") != stream_key(1, "b") != stream_key(2, "b")


@pytest.mark.parametrize(("draw", "law"), [(normals, stats.norm), (uniforms, stats.uniform)])
def test_draws_follow_their_law(draw, law):
    sample = draw(11, "law", 200_000)
    assert stats.kstest(sample, law.cdf).pvalue > 1e-6
    assert stats.kstest(1.01 * sample, law.cdf).pvalue < 1e-6 or draw is normals
    assert stats.kstest(sample + 0.02, law.cdf).pvalue < 1e-6  # the test can fail


@pytest.mark.parametrize("dim", [1, 2, 5])
def test_directions_are_unit_vectors_without_a_preferred_axis(dim):
    vectors = directions(5, "directions", (20_000, dim))
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-14)
    second = vectors.T @ vectors / len(vectors)
    assert np.abs(second - np.eye(dim) / dim).max() < 5.5 / np.sqrt(20_000)
    assert np.abs(vectors.mean(axis=0)).max() < 5.5 / np.sqrt(20_000)


@pytest.mark.parametrize("seed", [-1, 2**63, 1.5, "one", True])
def test_a_bad_seed_gets_one_sentence(seed):
    with pytest.raises(InvalidInputError, match="seed is .* must be an integer from 0"):
        check_seed(seed)


def test_a_missing_seed_is_generated_fresh_and_exact_in_a_double():
    first, second = check_seed(None), check_seed(None)
    assert first != second
    assert int(float(first)) == first

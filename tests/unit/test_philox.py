"""The compiled generator gives the words of the array form, and numbers that depend on their address only."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from glassformer._core import _philox as compiled
from glassformer._core import _random as arrays

U = np.uint64
ONES = 0xFFFFFFFF
KNOWN = [
    ((0, 0, 0, 0), (0, 0), "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ((ONES,) * 4, (ONES,) * 2, "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        "d16cfe09 94fdcceb 5001e420 24126ea1",
    ),
]


def addresses(count: int, per_site: int) -> tuple[np.ndarray, np.ndarray]:
    sites, blocks = np.divmod(np.arange(count, dtype=np.uint64), U(per_site))
    return blocks, sites


@pytest.mark.parametrize(("counter", "key", "words"), KNOWN)
def test_known_answers(counter: tuple[int, ...], key: tuple[int, ...], words: str) -> None:
    found = compiled.philox_words(*map(U, counter), *map(U, key))
    assert " ".join(f"{int(w):08x}" for w in found) == words


def test_compiled_and_array_form_give_the_same_words() -> None:
    counters = np.random.default_rng(5).integers(0, 2**32, size=(4, 300), dtype=np.uint64)
    key = 0x9E3779B97F4A7C15
    expected = np.stack(arrays.philox(list(counters), key))
    found = np.array([compiled.philox_words(*c, *compiled.split_key(key)) for c in counters.T]).T
    assert (found == expected).all()


def test_compiled_and_array_form_give_the_same_uniforms() -> None:
    key = arrays.stream_key(11, "any")
    out = np.empty(2 * 37)
    compiled.fill_uniforms(out, 37, U(3), U(100), U(7), U(2), *compiled.split_key(key))
    words = arrays.philox([3, 7, np.arange(100, 137), 2], key)
    expected = np.stack([arrays._to_uniform(words[0], words[1]), arrays._to_uniform(words[2], words[3])], axis=-1)
    assert (out == expected.ravel()).all()


def test_compiled_normals_are_box_muller_of_the_words_to_rounding() -> None:
    key = arrays.stream_key(3, "any")
    blocks, sites = addresses(500, 7)
    out = np.empty(1000)
    compiled.fill_normals(out, 500, blocks, sites, U(4), U(9), U(1), *compiled.split_key(key))
    words = arrays.philox([blocks, 9, sites + U(4), 1], key)
    radius = np.sqrt(-2 * np.log1p(-arrays._to_uniform(words[0], words[1])))
    # The angle starts at -pi/4: the top two bits choose the quarter, the others run from -pi/4 to pi/4 inside it.
    angle = 2 * np.pi * arrays._to_uniform(words[2], words[3]) - np.pi / 4
    expected = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=-1)
    np.testing.assert_allclose(out.reshape(-1, 2), expected, rtol=0, atol=3e-15)


@pytest.mark.parametrize("count", [1, 2, 7, 8, 9, 31, 33, 64, 100])
def test_a_normal_does_not_depend_on_the_length_of_the_run_that_made_it(count: int) -> None:
    """Vector part and remainder of the compiled loop round alike."""
    blocks, sites = addresses(128, 5)
    key = compiled.split_key(arrays.stream_key(1, "any"))
    whole, part = np.empty(256), np.empty(256)
    compiled.fill_normals(whole, 128, blocks, sites, U(0), U(2), U(3), *key)
    compiled.fill_normals(part, count, blocks, sites, U(0), U(2), U(3), *key)
    assert (part[: 2 * count] == whole[: 2 * count]).all()
    single = [compiled.normals_at(b, U(2), s, U(3), *key) for b, s in zip(blocks[:count], sites[:count])]
    assert (np.ravel(single) == whole[: 2 * count]).all()


def test_every_word_of_the_address_and_both_of_the_key_matter() -> None:
    base = [U(1), U(2), U(3), U(4), U(5), U(6)]
    reference = compiled.normals_at(*base)
    for k in range(6):
        changed = list(base)
        changed[k] += U(1)
        assert compiled.normals_at(*changed) != reference


def many_normals(count: int, seed: int) -> np.ndarray:
    blocks, sites = addresses(count // 2, 16)
    out = np.empty(count)
    key = compiled.split_key(arrays.stream_key(seed, "test"))
    compiled.fill_normals(out, count // 2, blocks, sites, U(0), U(1), U(0), *key)
    return out


def test_normals_are_normal_far_into_the_tail() -> None:
    draws = many_normals(2_000_000, 1)
    # Level 1e-6 each, two-sided. The edges put about 57 draws beyond 4.
    edges = np.array([-4.0, -3, -2, -1, -0.3, 0, 0.3, 1, 2, 3, 4])
    probabilities = np.diff(np.concatenate([[0], stats.norm.cdf(edges), [1]]))
    counts = np.bincount(np.searchsorted(edges, draws), minlength=12)
    assert stats.chisquare(counts, probabilities * draws.size).pvalue > 1e-6
    assert stats.kstest(draws[:200_000], "norm").pvalue > 1e-6
    # The two normals of a block, and neighbouring blocks, are uncorrelated, and so are their squares.
    pairs = draws.reshape(-1, 2)
    for a, b in ((pairs[:, 0], pairs[:, 1]), (pairs[:-1, 1], pairs[1:, 0])):
        for f in (lambda x: x, lambda x: x**2 - 1):
            z = np.mean(f(a) * f(b)) / np.std(f(a) * f(b)) * np.sqrt(a.size)
            assert abs(z) < 5


def test_the_test_of_normals_would_catch_a_wrong_scale() -> None:
    draws = 1.005 * many_normals(2_000_000, 1)
    edges = np.array([-4.0, -3, -2, -1, -0.3, 0, 0.3, 1, 2, 3, 4])
    probabilities = np.diff(np.concatenate([[0], stats.norm.cdf(edges), [1]]))
    counts = np.bincount(np.searchsorted(edges, draws), minlength=12)
    assert stats.chisquare(counts, probabilities * draws.size).pvalue < 1e-6


def test_vector_exponential_is_exact_to_rounding_and_never_overflows() -> None:
    from numba import njit

    exp = compiled.vector_exp

    @njit
    def apply(x, out):
        for k in range(x.size):
            out[k] = exp(x[k])

    x = np.concatenate([np.linspace(-699, 699, 100_001), np.geomspace(1e-300, 1, 1000), [0.0, -0.0]])
    out = np.empty_like(x)
    apply(x, out)
    np.testing.assert_allclose(out, np.exp(x), rtol=5e-16)
    hostile = np.array([1e308, -1e308, np.inf, -np.inf])
    out = np.empty(4)
    apply(hostile, out)
    assert np.isfinite(out).all()
    assert (out[[0, 2]] > 1e300).all()
    assert (out[[1, 3]] < 1e-300).all()

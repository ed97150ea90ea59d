"""Laws of couplings and fields."""

from __future__ import annotations

import numpy as np
import pytest

import glassformer as gf
from glassformer._core._errors import InvalidInputError
from glassformer.couplings import resolve_radius


@pytest.mark.parametrize("asymmetry", [0.0, 0.4, 1.0, 2.5, np.inf])
@pytest.mark.parametrize("scale", [1.0, 0.3])
def test_the_variance_does_not_depend_on_the_asymmetry(asymmetry, scale):
    n = 300
    law = gf.Asymmetric(scale=scale, asymmetry=asymmetry)
    couplings = law.sample(n=n, seed=4)
    pairs = n * (n - 1) / 2
    off = couplings[~np.eye(n, dtype=bool)]
    # At worst (k = 0, inf) only half of the entries are independent.
    assert abs(off.var() * n / scale**2 - 1) < 5.5 * np.sqrt(2 / pairs)
    eta = np.sum(couplings * couplings.T) / np.sum(couplings**2)
    assert abs(eta - law.symmetry) < 5.5 / np.sqrt(pairs)
    assert not np.diag(couplings).any()


def test_symmetric_and_antisymmetric_limits_are_exact():
    assert np.array_equal(*(lambda j: (j, j.T))(gf.Asymmetric(asymmetry=0).sample(n=20, seed=1)))
    assert np.array_equal(*(lambda j: (j, -j.T))(gf.Asymmetric(asymmetry=np.inf).sample(n=20, seed=1)))


def test_the_mean_is_divided_by_the_number_of_sites():
    couplings = gf.SherringtonKirkpatrick(mean=3.0, scale=0.0).sample(n=10, seed=1)
    assert np.allclose(couplings, 0.3 * (1 - np.eye(10)))


def test_self_coupling_fills_the_diagonal_with_the_same_variance():
    n = 2000
    diagonal = np.diag(gf.Asymmetric(self_coupling=True, mean=2.0).sample(n=n, seed=9))
    assert abs((diagonal.var() * n) - 1) < 5.5 * np.sqrt(2 / n)
    assert abs(diagonal.mean() * n - 2.0) < 5.5


@pytest.mark.parametrize("mask", ["none", "causal"])
def test_softmax_rows_sum_to_one_and_respect_the_mask(mask):
    couplings = gf.SoftmaxGaussian(mask=mask).sample(n=30, seed=2)
    assert np.allclose(couplings.sum(axis=1), 1, atol=1e-14)
    assert (couplings >= 0).all()
    if mask == "causal":
        assert not np.triu(couplings, 1).any()


def test_a_strictly_causal_mask_leaves_the_first_row_empty_and_says_so():
    with pytest.raises(InvalidInputError, match=r"row 0 of the mask is 'fully masked'.*empty_rows='zero'"):
        gf.SoftmaxGaussian(mask="strictly_causal").sample(n=5, seed=1)
    couplings = gf.SoftmaxGaussian(mask="strictly_causal", empty_rows="zero").sample(n=5, seed=1)
    assert not couplings[0].any()
    assert np.allclose(couplings[1:].sum(axis=1), 1)
    assert not np.diag(couplings).any()


def naive_attention(x, w_q, w_k, scaling, mask, tau):
    n = len(x)
    out = np.zeros((n, n))
    for i in range(n):
        logits = []
        for j in range(n):
            q, k = x[i] @ w_q, x[j] @ w_k
            if scaling == "vanilla":
                logits.append(q @ k / np.sqrt(len(q)))
            elif scaling == "unit":
                logits.append(q @ k)
            else:
                logits.append(tau * (q @ k) / np.linalg.norm(q) / np.linalg.norm(k))
        weights = [np.exp(value) if mask[i, j] else 0.0 for j, value in enumerate(logits)]
        out[i] = np.array(weights) / sum(weights)
    return out


@pytest.mark.parametrize("scaling", ["vanilla", "unit", "qk_norm"])
@pytest.mark.parametrize("mask", ["none", "causal", "array"])
def test_attention_equals_the_naive_loop(scaling, mask):
    rng = np.random.default_rng(1)
    x, w_q, w_k = rng.normal(size=(6, 5)), rng.normal(size=(5, 3)), rng.normal(size=(5, 3))
    allowed = {"none": np.ones((6, 6), bool), "causal": np.tril(np.ones((6, 6), bool))}.get(mask)
    if allowed is None:
        allowed = rng.random((6, 6)) < 0.5
        allowed[:, 2] = True
    argument = allowed if mask == "array" else mask
    tau = 2.5 if scaling == "qk_norm" else None
    couplings = gf.attention_couplings(x, w_q, key=w_k, scaling=scaling, mask=argument, temperature_factor=tau)
    assert np.allclose(couplings, naive_attention(x, w_q, w_k, scaling, allowed, tau), atol=1e-14)


def test_attention_survives_huge_logits():
    x = 1e4 * np.eye(3)
    couplings = gf.attention_couplings(x, np.eye(3), key=np.eye(3), scaling="unit")
    assert np.array_equal(couplings, np.eye(3))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"key": np.ones((4, 3))}, "shape of key"),
        ({"scaling": "loud"}, "one of vanilla, unit, qk_norm"),
        ({"mask": "diagonal"}, "one of none, causal, strictly_causal"),
        ({"mask": np.ones((2, 2))}, "boolean array of shape"),
        ({"mask": "strictly_causal"}, "fully masked"),
        ({"temperature_factor": 1.0}, "left out for scaling='vanilla'"),
        ({"scaling": "qk_norm", "temperature_factor": -1.0}, "a number > 0"),
        ({"scaling": "qk_norm", "query": np.zeros((5, 3))}, "non-zero length"),
    ],
)
def test_bad_attention_input_gets_one_sentence(changes, message):
    arguments = {"tokens": np.ones((4, 5)), "query": np.ones((5, 3)), "key": np.ones((5, 3)), **changes}
    tokens, query = arguments.pop("tokens"), arguments.pop("query")
    with pytest.raises(InvalidInputError, match=message):
        gf.attention_couplings(tokens, query, **arguments)


@pytest.mark.parametrize(
    ("radius", "dim", "value"), [("bal", 32, 15**0.5), ("sqrt_d", 7, 7**0.5), ("unit", 2, 1), (1.7, 1, 1.7)]
)
def test_radius_conventions(radius, dim, value):
    assert resolve_radius(radius, dim) == pytest.approx(value, rel=1e-15)


@pytest.mark.parametrize("radius", ["bal", "big", 0.0, -1.0, np.nan, np.inf, True])
def test_a_radius_that_does_not_exist_is_refused(radius):
    with pytest.raises(InvalidInputError, match=r"dim is 2, but must be at least 3|radius is"):
        resolve_radius(radius, 2)


@pytest.mark.parametrize("dim", [1, 3, 20])
def test_sphere_fields_have_exact_norm_and_gaussian_fields_have_it_on_average(dim):
    sphere = gf.sphere_fields(500, dim=dim, seed=3, radius="sqrt_d", strength=0.5)
    assert np.allclose(np.linalg.norm(sphere, axis=1), 0.5 * np.sqrt(dim), rtol=1e-14)
    gauss = gf.gaussian_fields(5000, dim=dim, seed=3, radius="sqrt_d", strength=0.5)
    assert abs(gauss.var() / 0.25 - 1) < 5.5 * np.sqrt(2 / gauss.size)


@pytest.mark.parametrize("changes", [{"scale": -1.0}, {"asymmetry": -0.1}, {"mean": np.nan}, {"scale": "a"}])
def test_a_law_refuses_parameters_out_of_range(changes):
    with pytest.raises(InvalidInputError, match=next(iter(changes))):
        gf.Asymmetric(**changes)


def test_random_attention_takes_any_mask():
    mask = np.array([[True, False, True], [False, True, False], [True, True, True]])
    law = gf.SoftmaxGaussian(mask=mask)
    couplings = law.sample(n=3, seed=1)
    assert (couplings[~mask] == 0).all()
    assert np.allclose(couplings.sum(axis=1), 1.0)
    assert law == gf.SoftmaxGaussian(mask=mask.copy())  # a value, as every law
    with pytest.raises(InvalidInputError, match="a boolean array of shape"):
        law.sample(n=4, seed=1)
    with pytest.raises(InvalidInputError, match="a boolean array of shape"):
        gf.SoftmaxGaussian(mask=np.ones((2, 2)))

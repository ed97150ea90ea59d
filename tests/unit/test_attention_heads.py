"""Attention heads as couplings: against a loop over heads and pairs, and what symmetry and causality demand."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import glassformer as gf
from glassformer._core._errors import InvalidInputError

N, D = 7, 12


def naive(x, w_q, w_k, *, heads, groups, scaling="vanilla", allowed=None, tau=None, rotary=False, base=1e4,
          positions=None, b_q=0.0, b_k=0.0, source=None):  # fmt: skip
    """Return couplings (head, site, site_) by loops."""
    source = x if source is None else source
    positions = np.arange(len(x)) if positions is None else positions
    d = w_q.shape[1] // heads

    def turn(vector, position):
        out = vector.copy()
        for k in range(d // 2):
            angle = position * base ** (-2 * k / d)
            a, b = vector[2 * k], vector[2 * k + 1]
            out[2 * k] = a * np.cos(angle) - b * np.sin(angle)
            out[2 * k + 1] = a * np.sin(angle) + b * np.cos(angle)
        return out

    out = np.zeros((heads, len(x), len(source)))
    for h, i in itertools.product(range(heads), range(len(x))):
        g = h // (heads // groups)
        q = (x[i] @ w_q + b_q)[h * d : (h + 1) * d]
        logits = []
        for j in range(len(source)):
            k = (source[j] @ w_k + b_k)[g * d : (g + 1) * d]
            one, two = (turn(q, positions[i]), turn(k, positions[j])) if rotary else (q, k)
            value = one @ two
            if scaling == "vanilla":
                value /= np.sqrt(d)
            elif scaling == "qk_norm":
                value *= (np.sqrt(d) if tau is None else tau) / np.linalg.norm(q) / np.linalg.norm(k)
            logits.append(value)
        weights = np.array([np.exp(v) if allowed is None or allowed[i, j] else 0.0 for j, v in enumerate(logits)])
        out[h, i] = weights / weights.sum()
    return out


def draw(heads, groups, width=4, seed=1, n=N):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, D))
    return x, 0.4 * rng.normal(size=(D, heads * width)), 0.4 * rng.normal(size=(D, groups * width)), rng


@pytest.mark.parametrize(("heads", "groups"), [(1, 1), (2, 2), (3, 1), (4, 2), (6, 6), (6, 2)])
@pytest.mark.parametrize("scaling", ["vanilla", "unit", "qk_norm"])
@pytest.mark.parametrize("rotary", [False, True])
def test_every_head_equals_the_naive_loop(heads, groups, scaling, rotary):
    x, w_q, w_k, rng = draw(heads, groups, seed=heads + groups)
    b_q, b_k = rng.normal(size=w_q.shape[1]), rng.normal(size=w_k.shape[1])
    allowed = rng.random((N, N)) < 0.6
    allowed[:, 3] = True
    tau = 1.7 if scaling == "qk_norm" else None
    found = gf.attention_couplings(
        x, w_q, key=w_k, heads=heads, scaling=scaling, rotary=rotary, rotary_base=30.0, query_bias=b_q, key_bias=b_k,
        mask=allowed, temperature_factor=tau,
    )  # fmt: skip
    expected = naive(
        x, w_q, w_k, heads=heads, groups=groups, scaling=scaling, allowed=allowed, tau=tau, rotary=rotary, base=30.0,
        b_q=b_q, b_k=b_k,
    )  # fmt: skip
    assert found.shape == ((N, N) if heads == 1 else (heads, N, N))
    assert np.allclose(found, expected[0] if heads == 1 else expected, atol=1e-14)
    assert np.abs(found.sum(axis=-1) - 1).max() < 1e-14
    assert (found[..., ~allowed] == 0).all()


def test_one_of_several_heads_is_attention_with_its_columns():
    x, w_q, w_k, _ = draw(3, 3)
    whole = gf.attention_couplings(x, w_q, key=w_k, heads=3, mask="causal", rotary=True)
    for head in range(3):
        mine = slice(4 * head, 4 * head + 4)
        one = gf.attention_couplings(x, w_q[:, mine], key=w_k[:, mine], mask="causal", rotary=True)
        assert np.allclose(whole[head], one, rtol=1e-13)


def test_with_rotary_positions_only_their_differences_matter():
    x, w_q, w_k, _ = draw(2, 1)
    options = {"key": w_k, "heads": 2, "rotary": True}
    usual = gf.attention_couplings(x, w_q, **options)
    shifted = gf.attention_couplings(x, w_q, **options, positions=np.arange(N) + 1234.0)
    assert np.allclose(usual, shifted, atol=1e-12)
    assert not np.allclose(usual, gf.attention_couplings(x, w_q, **options, positions=2.0 * np.arange(N)), atol=1e-3)
    assert not np.allclose(usual, gf.attention_couplings(x, w_q, key=w_k, heads=2), atol=1e-3)
    same = gf.attention_couplings(x, w_q, **options, positions=np.full(N, 5.0))
    assert np.allclose(same, gf.attention_couplings(x, w_q, key=w_k, heads=2), atol=1e-13)
    # Equal tokens: the logit is a function of i - j alone, so ratios within a row are those of the row below.
    alike = gf.attention_couplings(np.repeat(x[:1], N, axis=0), w_q, **options)
    ratios = np.log(alike[:, :, 1:] / alike[:, :, :-1])
    assert np.allclose(ratios[:, 1:, 1:], ratios[:, :-1, :-1], atol=1e-10)
    assert np.ptp(ratios, axis=-1).min() > 1e-3


@pytest.mark.parametrize("scaling", ["vanilla", "unit", "qk_norm"])
def test_permuting_tokens_permutes_the_couplings(scaling):
    x, w_q, w_k, rng = draw(4, 2)
    order = rng.permutation(N)
    options = {"key": w_k, "heads": 4, "scaling": scaling}
    usual = gf.attention_couplings(x, w_q, **options)
    assert np.allclose(gf.attention_couplings(x[order], w_q, **options), usual[:, order][:, :, order], atol=1e-14)
    turned = gf.attention_couplings(x, w_q, **options, rotary=True)
    moved = gf.attention_couplings(x[order], w_q, **options, rotary=True, positions=order)
    assert np.allclose(moved, turned[:, order][:, :, order], atol=1e-14)


@pytest.mark.parametrize("mask", ["causal", "strictly_causal"])
def test_a_causal_prefix_does_not_know_its_suffix(mask):
    x, w_q, w_k, rng = draw(2, 2)
    options = {"key": w_k, "heads": 2, "mask": mask, "rotary": True, "empty_rows": "zero"}
    usual = gf.attention_couplings(x, w_q, **options)
    other = x.copy()
    other[4:] = rng.normal(size=(N - 4, D))
    assert np.array_equal(gf.attention_couplings(other, w_q, **options)[:, :4], usual[:, :4])
    assert np.allclose(gf.attention_couplings(x[:4], w_q, **options), usual[:, :4, :4], atol=1e-15)
    assert np.triu(usual[0], 1 if mask == "causal" else 0).any() == False  # noqa: E712
    # A state that relaxes in these couplings keeps the property.
    models = [gf.VectorSpin(usual[0], rng.normal(size=(N, 3)))]
    models.append(gf.VectorSpin(usual[0, :4, :4], models[0].fields[:4]))
    long, short = (gf.solve(one, gf.GramClosure(2.0), steps=6)["magnetization"].values for one in models)
    assert np.allclose(long[:, :4], short, atol=1e-14)


def test_biases_couple_where_there_are_no_tokens():
    _, w_q, w_k, rng = draw(2, 2)
    nothing = np.zeros((N, D))
    flat = gf.attention_couplings(nothing, w_q, key=w_k, heads=2)
    assert np.allclose(flat, 1 / N)
    b_q, b_k = rng.normal(size=8), rng.normal(size=8)
    options = {"key": w_k, "heads": 2, "query_bias": b_q, "key_bias": b_k}
    assert np.allclose(gf.attention_couplings(nothing, w_q, **options), 1 / N)  # the same for all pairs
    turned = gf.attention_couplings(nothing, w_q, **options, rotary=True)
    assert np.abs(turned - 1 / N).max() > 1e-2


def test_cross_couplings_take_their_keys_from_the_context():
    x, w_q, w_k, rng = draw(4, 2)
    context = rng.normal(size=(5, D))
    found = gf.attention_couplings(x, w_q, key=w_k, heads=4, context=context)
    assert np.allclose(found, naive(x, w_q, w_k, heads=4, groups=2, source=context), atol=1e-14)
    itself = gf.attention_couplings(x, w_q, key=w_k, heads=4, context=x)
    assert np.array_equal(itself, gf.attention_couplings(x, w_q, key=w_k, heads=4))
    mask = np.zeros((N, 5), bool)
    mask[:, 1] = True
    alone = gf.attention_couplings(x, w_q, key=w_k, heads=4, context=context, mask=mask)
    assert np.array_equal(alone, np.broadcast_to(mask.astype(float), (4, N, 5)))


def test_an_empty_row_is_an_error_unless_it_may_be_zero():
    x, w_q, w_k, _ = draw(2, 2)
    with pytest.raises(InvalidInputError, match="fully masked"):
        gf.attention_couplings(x, w_q, key=w_k, heads=2, mask="strictly_causal")
    found = gf.attention_couplings(x, w_q, key=w_k, heads=2, mask="strictly_causal", empty_rows="zero")
    assert not found[:, 0].any()
    assert np.allclose(found[:, 1:].sum(axis=-1), 1.0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"heads": 3}, "a divisor of 8"),
        ({"heads": 0}, "heads is 0"),
        ({"key": np.ones((D, 6))}, "one of 4, 8 to fit query and 2 heads"),
        ({"key": np.ones((D, 2))}, "one of 4, 8"),
        ({"query": np.ones((D, 6)), "key": np.ones((D, 6)), "rotary": True}, "even for rotary positions"),
        ({"rotary": 1}, "True or False"),
        ({"rotary": True, "rotary_base": 0.0}, "rotary_base is 0.0"),
        ({"positions": np.arange(N)}, "left out without rotary"),
        ({"rotary": True, "positions": np.arange(3)}, "one a site"),
        ({"query_bias": np.ones(3)}, "one entry a column"),
        ({"key_bias": np.full(8, np.nan)}, "finite"),
        ({"context": np.ones((3, 4))}, "like the tokens"),
        ({"context": np.ones((3, D)), "mask": "causal"}, "a context has no past"),
        ({"context": np.ones((3, D)), "rotary": True}, "no common positions"),
        ({"tokens": 1e300 * np.ones((N, D))}, "largest logit"),
        ({"scaling": "qk_norm", "key": np.vstack([np.eye(8)[:4], np.zeros((8, 8))])}, "site 0 in head 1"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_sentence(changes, message):
    arguments = {"tokens": np.ones((N, D)), "query": np.ones((D, 8)), "key": np.ones((D, 8)), "heads": 2, **changes}
    tokens, query = arguments.pop("tokens"), arguments.pop("query")
    with pytest.raises(InvalidInputError, match=message):
        gf.attention_couplings(tokens, query, **arguments)


def test_every_head_is_a_spin_system_with_its_block_of_the_tokens_as_fields():
    x, w_q, w_k, _ = draw(3, 1)
    layer = gf.attention_models(x, w_q, key=w_k, heads=3, mask="causal", strength=0.7)
    couplings = gf.attention_couplings(x, w_q, key=w_k, heads=3, mask="causal")
    for head, model in enumerate(layer):
        block = x[:, 4 * head : 4 * head + 4]
        assert (model.n, model.dim) == (N, 4)
        assert model.r**2 == pytest.approx(1.0)
        assert np.array_equal(model.couplings, couplings[head])
        assert np.allclose(model.fields, 0.7 * block / np.linalg.norm(block, axis=1)[:, None])
        assert gf.solve(model, gf.GramClosure(1.0)).attrs["status"] == "converged"
    raw = gf.attention_models(x, w_q, key=w_k, heads=3, radius="unit", strength=None)
    assert np.array_equal(np.hstack([model.fields for model in raw]), x)
    (whole,) = gf.attention_models(x, w_q, key=np.tile(w_k, 3))
    assert whole.dim == D


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"heads": 5}, "a divisor of 12"),
        ({"heads": 6}, "at least 3 for radius='bal'"),
        ({"context": np.ones((2, D))}, "context is 'given'"),
        ({"heads": 3, "tokens": np.eye(N, D)}, "of non-zero length"),
        ({"strength": -1.0}, "strength"),
    ],
)
def test_a_layer_that_does_not_fit_is_refused(options, message):
    tokens = options.pop("tokens", np.ones((N, D)))
    heads = options.get("heads", 1)
    with pytest.raises(InvalidInputError, match=message):
        gf.attention_models(tokens, np.ones((D, 2 * heads)), key=np.ones((D, 2 * heads)), **options)

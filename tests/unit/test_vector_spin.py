"""The vector-spin model: fields, energies, refusals."""

from __future__ import annotations

import numpy as np
import pytest

import glassformer as gf
from glassformer._core._errors import InvalidInputError


def build(n=7, dim=4, seed=0):
    rng = np.random.default_rng(seed)
    return gf.VectorSpin(rng.normal(size=(n, n)), rng.normal(size=(n, dim)), radius="sqrt_d")


@pytest.mark.parametrize(("n", "dim"), [(1, 1), (2, 3), (7, 4)])
def test_local_fields_and_energies_equal_the_naive_sums(n, dim):
    model = build(n, dim)
    s = model.random_spins(replicas=3, seed=1)
    for a in range(3):
        h, half, full = np.zeros((n, dim)), 0.0, 0.0
        for i in range(n):
            h[i] = model.fields[i]
            half -= model.fields[i] @ s[a, i]
            full -= model.fields[i] @ s[a, i]
            for j in range(n):
                h[i] += model.couplings[i, j] * s[a, j]
                full -= model.couplings[i, j] * s[a, i] @ s[a, j]
                if i != j:
                    half -= 0.5 * model.couplings[i, j] * s[a, i] @ s[a, j]
        assert np.allclose(model.local_fields(s)[a], h, atol=1e-12)
        without = h - np.diag(model.couplings)[:, None] * s[a]
        assert np.allclose(model.local_fields(s, self_coupling=False)[a], without, atol=1e-12)
        assert model.energy(s)[a] == pytest.approx(half / n, abs=1e-12)
        assert model.energy(s, convention="full")[a] == pytest.approx(full / n, abs=1e-12)


def test_the_full_energy_is_the_half_energy_of_twice_the_symmetric_part():
    model = build()
    j = model.couplings - np.diag(np.diag(model.couplings))
    plain = gf.VectorSpin(j, model.fields, radius="sqrt_d")
    doubled = gf.VectorSpin(j + j.T, model.fields, radius="sqrt_d")
    s = model.random_spins(replicas=2, seed=3)
    assert np.allclose(plain.energy(s, convention="full"), doubled.energy(s), atol=1e-12)


def test_random_spins_lie_on_the_sphere_and_more_replicas_keep_the_first():
    model = build()
    spins = model.random_spins(replicas=5, seed=2)
    assert np.allclose(np.linalg.norm(spins, axis=-1), 2.0, rtol=1e-14)
    assert np.array_equal(model.random_spins(replicas=2, seed=2), spins[:2])


def test_the_arrays_of_a_model_cannot_be_changed_behind_its_back():
    couplings = np.zeros((2, 2))
    model = gf.VectorSpin(couplings, dim=3)
    couplings[0, 1] = 7.0
    assert not model.couplings.any()
    with pytest.raises(ValueError, match="read-only"):
        model.couplings[0, 0] = 1.0


def test_one_component_accepts_a_vector_of_fields():
    model = gf.VectorSpin(np.zeros((3, 3)), [1.0, 2.0, 3.0], radius="unit")
    assert model.dim == 1
    assert model.fields.shape == (3, 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (((np.zeros((2, 3)),), {"dim": 3}), "shape of couplings is .2, 3., but must be square"),
        (((np.zeros(4),), {"dim": 3}), "number of dimensions of couplings is 1"),
        (((np.full((2, 2), np.nan),), {"dim": 3}), r"couplings\[0, 0\] is nan, but must be finite"),
        (((np.zeros((2, 2)), np.zeros((3, 3))), {}), "shape of fields is .3, 3., but must be .2, D."),
        (((np.zeros((2, 2)), np.zeros((2, 3)), 4), {}), "must be .2, 4."),
        (((np.zeros((2, 2)), np.full((2, 3), np.inf)), {}), r"fields\[0, 0\] is inf"),
        (((np.zeros((2, 2)),), {}), "dim is None"),
        (((np.zeros((2, 2)),), {"dim": 2}), "at least 3 for radius='bal'"),
        (((np.zeros((2, 2)),), {"dim": 3, "radius": -1}), "radius is -1"),
        (((np.zeros((2, 2)),), {"dim": 0}), "dim is 0"),
        (((np.full((2, 2), 1e200),), {"dim": 3}), r"largest .couplings. is 1e.200, but must be at most 1e.150"),
        (((np.zeros((2, 2)), np.full((2, 3), -1e200)), {}), r"largest .fields. is 1e.200"),
        (((np.zeros((2, 2)),), {"dim": 3, "radius": 1e200}), r"radius is 1e.200, but must be between"),
        (((np.zeros((2, 2)),), {"dim": 3, "radius": 1e-200}), "radius is 1e-200"),
        (((np.zeros((0, 0)),), {"dim": 3}), "square"),
        ((("text",), {"dim": 3}), "couplings is 'text', but must be an array of real numbers"),
    ],
)
def test_bad_input_gets_one_sentence(arguments, message):
    positional, keywords = arguments
    with pytest.raises(InvalidInputError, match=message) as caught:
        gf.VectorSpin(*positional, **keywords)
    assert "\n" not in str(caught.value)


def test_complex_arrays_and_numbers_in_quotes_are_refused_not_converted():
    with pytest.raises(InvalidInputError, match="an array of real numbers; take the real part"):
        gf.VectorSpin(np.eye(2) + 0j, dim=3)
    with pytest.raises(InvalidInputError, match="beta is '2.0', but must be a number"):
        gf.NaiveMeanField("2.0")  # type: ignore[arg-type]


def test_equal_systems_have_equal_digests():
    rng = np.random.default_rng(0)
    couplings, fields = rng.normal(size=(3, 3)), rng.normal(size=(3, 4))
    model = gf.VectorSpin(couplings, fields, radius="unit")
    assert model.digest == gf.VectorSpin(couplings.copy(), fields.copy(), radius=1.0).digest
    for other in (
        gf.VectorSpin(couplings.T, fields, radius="unit"),
        gf.VectorSpin(couplings, -fields, radius="unit"),
        gf.VectorSpin(couplings, fields, radius=1.1),
    ):
        assert other.digest != model.digest

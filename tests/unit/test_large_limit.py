"""Closed forms of infinite size, against the published table, the equations themselves and large samples."""

from __future__ import annotations

import decimal
import math

import numpy as np
import pytest

import glassformer as gf
from glassformer._core._errors import InvalidInputError

TABLE = {  # beta: Gram m/R, alignment, inst.; nMF m/R, alignment; TAP m/R, alignment (J = h = 1)
    0.5: (0.2306, 0.9744, 0.2247, 0.2421, 0.9719, 0.2301, 0.9745),
    1.0: (0.3933, 0.9306, 0.3660, 0.4404, 0.9152, 0.3862, 0.9329),
    2.0: (0.5774, 0.8660, 0.5000, 0.6671, 0.8319, 0.5362, 0.8813),
    4.0: (0.7366, 0.8052, 0.5931, 0.8256, 0.7711, 0.5309, 0.8832),
    8.0: (0.8494, 0.7622, 0.6474, 0.9119, 0.7389, 0.2581, 0.9683),
}


@pytest.mark.parametrize("beta", TABLE)
def test_the_published_table_comes_out(beta):
    law = gf.Asymmetric()
    gram, nmf, tap = (gf.solve(law, method(beta)) for method in (gf.GramClosure, gf.NaiveMeanField, gf.TAP))
    found = [
        float(gram.magnetization_norm), float(gram.alignment_of_mean), float(gram.mean_of_alignment),
        float(nmf.magnetization_norm), float(nmf.alignment_of_mean),
        float(tap.magnetization_norm), float(tap.alignment_of_mean),
    ]  # fmt: skip
    assert np.allclose(found, TABLE[beta], atol=6e-5)


@pytest.mark.parametrize(("beta", "scale", "strength"), [(0.3, 1.7, 0.4), (3.0, 0.6, 1.3), (25.0, 1.0, 0.5)])
@pytest.mark.parametrize("reaction", [0.0, 1.0])
def test_mean_field_roots_satisfy_their_equation_at_any_scale(beta, scale, strength, reaction):
    method = gf.TAP(beta) if reaction else gf.NaiveMeanField(beta)
    m = float(gf.solve(gf.LargeLimit(gf.Asymmetric(scale=scale), strength=strength), method).magnetization_norm)
    q = m * m
    left = m * (2 / (beta * (1 - q)) + 0.5 * reaction * beta * scale**2 * (1 - q))
    assert left == pytest.approx(math.hypot(strength, scale * m), rel=1e-9)


@pytest.mark.parametrize(("beta", "scale", "strength"), [(1.5, 1.0, 1.0), (3.0, 0.7, 0.6)])
def test_a_large_sample_reaches_the_limit_of_the_gram_closure(beta, scale, strength):
    n = dim = 500
    law = gf.Asymmetric(scale=scale)
    model = gf.VectorSpin(law.sample(n=n, seed=2), gf.sphere_fields(n, dim=dim, seed=3, strength=strength))
    sample = gf.solve(model, gf.GramClosure(beta, response="large_d"))
    limit = gf.solve(gf.LargeLimit(law, strength=strength), gf.GramClosure(beta))
    # Self-averaging: fluctuations of order 1/sqrt(N) per site average over N sites; corrections are O(1/N).
    for name in ("alignment_of_mean", "mean_of_alignment"):
        assert float(sample[name]) == pytest.approx(float(limit[name]), abs=6.0 / n)
    sigma = float(sample.entropy_production) / (n * dim)
    assert sigma == pytest.approx(float(limit.entropy_production_per_spin_and_component), rel=20.0 / n)


def test_at_zero_temperature_all_alignments_are_one_over_root_two():
    for method in (gf.GramClosure, gf.NaiveMeanField):
        assert float(gf.solve(gf.Asymmetric(), method(1e6)).alignment_of_mean) == pytest.approx(2**-0.5, abs=1e-5)
    symmetric = gf.solve(gf.LargeLimit(gf.SherringtonKirkpatrick(scale=0.5**0.5)), gf.NaiveMeanField(1e6))
    assert float(symmetric.alignment_of_mean) == pytest.approx(1.5**-0.5, abs=1e-5)


@pytest.mark.parametrize(
    ("asymmetry", "beta", "scale", "strength"), [(0.0, 2.0, 1.0, 1.0), (0.4, 1.7, 0.8, 1.3), (2.5, 3.0, 1.2, 0.7)]
)
def test_a_large_sample_reaches_the_limit_at_any_asymmetry(asymmetry, beta, scale, strength):
    n = dim = 400
    law = gf.Asymmetric(scale=scale, asymmetry=asymmetry)
    model = gf.VectorSpin(law.sample(n=n, seed=5), gf.sphere_fields(n, dim=dim, seed=6, strength=strength))
    for method in (gf.GramClosure(beta, response="large_d"), gf.NaiveMeanField(beta, response="large_d")):
        sample = gf.solve(model, method)
        limit = gf.solve(gf.LargeLimit(law, strength=strength), method)
        for name in ("alignment_of_mean", "mean_of_alignment"):
            assert float(sample[name]) == pytest.approx(float(limit[name]), abs=6.0 / n)
        sigma = float(sample.entropy_production) / (n * dim)
        expected = float(limit.entropy_production_per_spin_and_component)
        assert sigma == pytest.approx(expected, rel=20.0 / n, abs=1e-9)


def test_alignment_grows_with_asymmetry_by_the_published_amounts():
    for asymmetry, published in ((0.0, 0.832), (1.0, 0.866), (math.inf, 0.914)):
        limit = gf.solve(gf.Asymmetric(asymmetry=asymmetry), gf.GramClosure(2.0))
        assert float(limit.alignment_of_mean) == pytest.approx(published, abs=1.5e-3)


def test_symmetric_couplings_have_one_answer_by_every_exact_route():
    law = gf.LargeLimit(gf.SherringtonKirkpatrick(scale=0.9), strength=0.8)
    found = {
        type(method).__name__: float(gf.solve(law, method).magnetization_norm)
        for method in (gf.GramClosure(1.6), gf.SaddlePoint(1.6), gf.AdaptiveTAP(1.6), gf.NaiveMeanField(1.6))
    }
    assert found["GramClosure"] == found["SaddlePoint"] == found["AdaptiveTAP"]
    assert abs(found["NaiveMeanField"] - found["GramClosure"]) > 0.01  # it is not exact, and does not pretend to be


def test_a_law_without_closed_form_says_what_to_do():
    for law in (gf.SoftmaxGaussian(), gf.SherringtonKirkpatrick(mean=0.5), gf.Asymmetric(self_coupling=True)):
        with pytest.raises(InvalidInputError, match="sample the law and solve the sample"):
            gf.solve(law, gf.GramClosure(1.0))
    with pytest.raises(InvalidInputError, match="does not solve the law Asymmetric"):
        gf.solve(gf.Asymmetric(), gf.GaussianClosure(1.0))


@pytest.mark.parametrize(("beta", "scale"), [(2.0, 1e8), (1e6, 1e6), (1e6, 1e12)])
def test_strong_independent_couplings_lose_no_digits(beta: float, scale: float) -> None:
    with decimal.localcontext(prec=80):
        b, j = decimal.Decimal(beta), decimal.Decimal(scale)  # R^2 / D = 1/2 and |x| = R
        gain = b / (1 + (1 + b * b * (1 + j * j)).sqrt())
        norm = float((gain * gain / (1 - gain * gain * j * j)).sqrt())
    found = gf.solve(gf.LargeLimit(gf.Asymmetric(scale=scale)), gf.GramClosure(beta))
    assert float(found["magnetization_norm"]) == pytest.approx(norm, rel=1e-12)
    assert float(found["alignment_of_mean"]) == pytest.approx(1 / math.hypot(1, scale * norm), rel=1e-12)


@pytest.mark.parametrize(("beta", "scale"), [(1e6, 1e12), (2.0, 1e30)])
def test_spins_that_are_definite_to_rounding_have_the_heat_of_the_ground_state(beta: float, scale: float) -> None:
    found = gf.solve(gf.LargeLimit(gf.Asymmetric(scale=scale, asymmetry=0.0)), gf.GramClosure(beta))
    assert float(found["magnetization_norm"]) == pytest.approx(1.0)
    assert np.isfinite(found["specific_heat_per_spin_and_component"])


@pytest.mark.parametrize(
    ("beta", "asymmetry", "strength"), [(200.0, 0.5, 0.0), (300.0, 2.0, 0.01), (1.995, math.inf, 1e-6)]
)
def test_cold_weakly_driven_couplings_satisfy_their_equation_on_a_dense_grid(
    beta: float, asymmetry: float, strength: float
) -> None:
    limit = gf.LargeLimit(gf.Asymmetric(asymmetry=asymmetry), strength=strength)
    found = gf.solve(limit, gf.GramClosure(beta))
    gain = math.exp(-float(found["relaxation_rate"])) / (1 + abs(limit.symmetry))
    z = np.exp(-1j * np.pi * (np.arange(2**20) + 0.5) / 2**20) / gain  # the other half is its mirror image
    root = np.sqrt(z * z - 4 * limit.symmetry)
    modulus = 4 / np.maximum(np.abs(z + root), np.abs(z - root)) ** 2
    total = float(np.mean(modulus / (gain**2 * (1 - modulus))))
    square = float(found["magnetization_norm"]) ** 2
    assert (1 - square) / total == pytest.approx(2 * gain / beta, rel=1e-6)

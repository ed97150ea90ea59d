"""Certificates and radii of the mean-field map, against dense Jacobians, finite differences and power iteration."""

from __future__ import annotations

import numpy as np
import pytest

import glassformer as gf
from glassformer._core._errors import InvalidInputError
from glassformer.theory import _spectra
from glassformer.theory._spectra import leading_eigenvalue

SYSTEMS = [(6, 1, "unit"), (7, 2, 0.8), (5, 3, "bal"), (6, 7, "sqrt_d")]


def response(model, beta, means):
    """The mean-field map by a loop over sites."""
    out = np.empty_like(means)
    for i in range(model.n):
        h = model.fields[i] + sum(model.couplings[i, j] * means[j] for j in range(model.n))
        size = np.linalg.norm(h)
        out[i] = model.r * float(gf.bessel_ratio(beta * model.r * size, model.dim)) * h / size
    return out


def dense_jacobian(model, beta, means):
    size, step = means.size, 1e-6
    out = np.empty((size, size))
    for k in range(size):
        change = np.zeros(size)
        change[k] = step
        up, down = (response(model, beta, means + sign * change.reshape(means.shape)) for sign in (1, -1))
        out[:, k] = (up - down).ravel() / (2 * step)
    return out


def geometric_mean_of_growth(apply, size, *, steps=4000, seed=0):
    vector = np.random.default_rng(seed).normal(size=size)
    growth = []
    for _ in range(steps):
        vector = apply(vector)
        growth.append(np.linalg.norm(vector))
        vector = vector / growth[-1]
    return float(np.exp(np.mean(np.log(growth[steps // 4 :])))), np.ptp(growth[-50:])


@pytest.mark.parametrize(("n", "dim", "radius"), SYSTEMS)
@pytest.mark.parametrize("law", [gf.Asymmetric(), gf.SherringtonKirkpatrick(), gf.SoftmaxGaussian()])
def test_both_radii_are_those_of_the_matrices(n, dim, radius, law):
    model = gf.VectorSpin(
        law.sample(n=n, seed=3), gf.sphere_fields(n, dim=dim, seed=4, radius=radius, strength=0.6), radius=radius
    )
    found = gf.contraction(model, 1.7)
    assert float(found["spectral_radius"]) == pytest.approx(np.abs(np.linalg.eigvals(model.couplings)).max(), rel=1e-9)
    means = gf.solve(model, gf.NaiveMeanField(1.7))["magnetization"].values
    assert np.allclose(found["magnetization"], means, atol=1e-9)
    values = np.linalg.eigvals(dense_jacobian(model, 1.7, means))
    assert float(found["jacobian_spectral_radius"]) == pytest.approx(np.abs(values).max(), rel=1e-6)
    leading = complex(found["jacobian_eigenvalue_real"], found["jacobian_eigenvalue_imag"])
    assert np.abs(values - leading).min() < 1e-6 * abs(leading)
    assert leading.imag >= 0
    # Locally as well as globally, the bound bounds.
    assert float(found["jacobian_spectral_radius"]) <= float(found["contraction_bound"]) + 1e-12


@pytest.mark.parametrize(("n", "dim"), [(80, 12), (40, 33)])
def test_large_jacobians_converge_for_complex_pairs_and_agree_with_dense_and_power_iteration(n, dim, monkeypatch):
    model = gf.VectorSpin(gf.Asymmetric(asymmetry=3.0).sample(n=n, seed=5), gf.sphere_fields(n, dim=dim, seed=6))
    found = gf.contraction(model, 3.0, starts=0)
    leading = complex(found["jacobian_eigenvalue_real"], found["jacobian_eigenvalue_imag"])
    assert leading.imag > 0.2 * abs(leading)  # a pair, mostly imaginary for nearly antisymmetric couplings
    monkeypatch.setattr(_spectra, "DENSE_UP_TO", 10**6)
    dense = gf.contraction(model, 3.0, starts=0)
    assert float(found["jacobian_spectral_radius"]) == pytest.approx(float(dense["jacobian_spectral_radius"]), rel=1e-9)


def test_crowds_of_nearly_equal_eigenvalues_do_not_hide_the_largest():
    """A weak drive splits every eigenvalue of J into as many nearly equal ones as there are components."""
    for seed, law, dim in ((1, gf.Asymmetric(), 20), (2, gf.SherringtonKirkpatrick(), 16)):
        model = gf.VectorSpin(law.sample(n=60, seed=seed), gf.sphere_fields(60, dim=dim, seed=seed, strength=0.3))
        found = gf.contraction(model, 1.0, starts=0)
        fields = model.local_fields(found["magnetization"].values)
        kappa = model.r * np.linalg.norm(fields, axis=1)
        values = gf.response("exact", dim).evaluate(kappa)
        hats = fields / np.linalg.norm(fields, axis=1, keepdims=True)
        parallel, perp = (model.r**2 * v for v in (values.derivative, values.over_kappa))
        local = perp[:, None, None] * np.eye(dim) + np.einsum("i,ia,ib->iab", parallel - perp, hats, hats)
        jacobian = np.einsum("iab,ij->iajb", local, model.couplings).reshape(60 * dim, 60 * dim)
        exact = np.abs(np.linalg.eigvals(jacobian)).max()
        assert float(found["jacobian_spectral_radius"]) == pytest.approx(exact, rel=1e-10)


def test_the_ratio_of_norms_does_not_converge_and_its_geometric_mean_does():
    matrix = np.random.default_rng(1).normal(size=(500, 500)) / np.sqrt(500)
    found = leading_eigenvalue(lambda v: matrix @ v, 500)
    exact = np.abs(np.linalg.eigvals(matrix)).max()
    assert found.converged
    assert found.radius == pytest.approx(exact, rel=1e-10)
    turning = np.kron(np.diag([1.0, 0.3]), np.array([[0.9, -2.0], [0.4, 0.8]]))  # eigenvalues 0.85 +- 0.893i
    mean, spread = geometric_mean_of_growth(lambda v: turning @ v, 4)
    small = leading_eigenvalue(lambda v: turning @ v, 4)
    assert mean == pytest.approx(small.radius, rel=1e-3)
    assert spread > 0.1 * small.radius


@pytest.mark.parametrize("dim", [3, 16, 64, 200])
def test_softmax_couplings_have_the_published_threshold(dim):
    model = gf.VectorSpin(gf.SoftmaxGaussian().sample(n=20, seed=1), gf.sphere_fields(20, dim=dim, seed=2))
    exact = gf.contraction(model, 1.0, starts=1)
    assert float(exact["spectral_radius"]) == pytest.approx(1.0, abs=1e-12)
    assert float(exact["critical_beta"]) == pytest.approx(2 * dim / (dim - 2), rel=1e-12)
    assert float(exact["instability_beta"]) == pytest.approx(2 * dim / (dim - 2), rel=1e-12)
    assert float(exact["contraction_bound"]) == pytest.approx((dim - 2) / (2 * dim), rel=1e-12)
    large = gf.contraction(model, 1.0, response="large_d", starts=1)
    assert float(large["contraction_bound"]) == pytest.approx(0.5, rel=1e-12)  # beta / 2


@pytest.mark.parametrize(("n", "dim", "radius"), SYSTEMS)
def test_a_certificate_is_kept(n, dim, radius):
    couplings = gf.Asymmetric().sample(n=n, seed=7)
    model = gf.VectorSpin(couplings, gf.sphere_fields(n, dim=dim, seed=8, radius=radius, strength=0.1), radius=radius)
    threshold = float(gf.contraction(model, 1.0, starts=0)["critical_beta"])
    assert threshold == pytest.approx(
        dim / model.r**2 / min(np.abs(couplings).sum(axis=1).max(), np.linalg.norm(couplings, 2))
    )
    found = gf.contraction(model, 0.99 * threshold)
    assert bool(found["certified"])
    assert int(found["branches"]) == 1
    assert "Certified" in str(found["verdict"].values)
    rho = float(found["contraction_bound"])
    assert rho == pytest.approx(0.99)
    # Two states come closer by at least rho a step, in the norm that the bound is for.
    order = 2 if np.linalg.norm(couplings, 2) < np.abs(couplings).sum(axis=1).max() else np.inf
    paths = [
        gf.solve(model, gf.NaiveMeanField(0.99 * threshold), start=spins, steps=5)["magnetization"].values
        for spins in model.random_spins(replicas=2, seed=1)
    ]
    gap = np.linalg.norm(np.linalg.norm(paths[0] - paths[1], axis=2), ord=order, axis=1)
    assert (gap[1:] <= rho * gap[:-1] * (1 + 1e-9)).all()
    above = gf.contraction(model, 1.01 * threshold, starts=1)
    assert not bool(above["certified"])
    assert "Not certified" in str(above["verdict"].values)


def test_strictly_causal_couplings_are_certified_at_any_temperature():
    couplings = gf.SoftmaxGaussian(mask="strictly_causal", empty_rows="zero").sample(n=30, seed=1)
    model = gf.VectorSpin(couplings, gf.sphere_fields(30, dim=9, seed=2))
    found = gf.contraction(model, 500.0, starts=3)
    assert float(found["spectral_radius"]) == float(found["jacobian_spectral_radius"]) == 0.0
    assert bool(found["certified"])
    assert float(found["contraction_bound"]) > 1
    assert "nilpotent" in str(found["verdict"].values)
    assert str(found["structure"].values) == "strictly_causal"
    assert int(found["branches"]) == 1
    assert float(found["instability_beta"]) == np.inf


@pytest.mark.parametrize(("dim", "radius"), [(1, "unit"), (2, 1.0), (6, "bal")])
def test_causal_couplings_are_stable_or_not_site_by_site(dim, radius):
    """The radius is that of the dense Jacobian; across the field it is V_perp, the larger one, that counts."""
    couplings = gf.SoftmaxGaussian(mask="causal").sample(n=8, seed=1)
    model = gf.VectorSpin(couplings, gf.sphere_fields(8, dim=dim, seed=2, radius=radius), radius=radius)
    found = gf.contraction(model, 1.5)
    means = found["magnetization"].values
    dense = np.abs(np.linalg.eigvals(dense_jacobian(model, 1.5, means))).max()
    assert float(found["jacobian_spectral_radius"]) == pytest.approx(dense, rel=1e-3)  # defective: the root of rounding
    fields = np.linalg.norm(model.fields + couplings @ means, axis=1)
    stiffness = np.linalg.norm(means, axis=1) / fields  # beta V_perp
    if dim == 1:
        stiffness = 1.5 * (1 - means[:, 0] ** 2)
    assert float(found["jacobian_spectral_radius"]) == pytest.approx((stiffness * np.diag(couplings)).max(), rel=1e-9)
    assert float(found["spectral_radius"]) == pytest.approx(np.diag(couplings).max())
    assert str(found["structure"].values) == "causal"


def test_branches_are_counted_up_to_rotations_that_nobody_can_see():
    ferromagnet = np.full((6, 6), 1 / 6)
    # One component in a weak field: magnetised along it or, at low temperature, against it.
    weak = gf.contraction(gf.VectorSpin(ferromagnet, np.full((6, 1), 0.02), radius="unit"), 2.0)
    assert int(weak["branches"]) == 2
    assert bool(weak["multistable"])
    assert "multistable: 2" in str(weak["verdict"].values)
    strong = gf.contraction(gf.VectorSpin(ferromagnet, np.full((6, 1), 1.0), radius="unit"), 2.0)
    assert int(strong["branches"]) == 1
    # Without a field all directions are one state; the paramagnet, which relaxation leaves, is none.
    for dim in (1, 2, 5):
        free = gf.contraction(gf.VectorSpin(ferromagnet, dim=dim, radius="unit"), 1.5 * dim)
        assert float(free["jacobian_spectral_radius"]) == pytest.approx(1.5)
        assert int(free["branches"]) == 1
        assert np.abs(free["magnetization"]).max() == 0
        ordered = gf.contraction(
            gf.VectorSpin(ferromagnet, dim=dim, radius="unit"), 1.5 * dim, start=np.eye(1, dim).repeat(6, 0)
        )
        radius = float(ordered["jacobian_spectral_radius"])
        assert radius < 1 if dim == 1 else radius == pytest.approx(1.0, abs=1e-9)  # turning costs nothing
        # In a field along one axis the rest of the sphere is still free.
        field = np.zeros((6, dim))
        field[:, 0] = 0.3
        assert int(gf.contraction(gf.VectorSpin(ferromagnet, field, radius="unit"), 1.5 * dim)["branches"]) in (1, 2)


def test_no_couplings_and_no_temperature_are_fine():
    model = gf.VectorSpin(np.zeros((4, 4)), gf.sphere_fields(4, dim=3, seed=1))
    found = gf.contraction(model, 2.0)
    assert float(found["contraction_bound"]) == 0.0
    assert float(found["critical_beta"]) == np.inf
    hot = gf.contraction(gf.VectorSpin(gf.Asymmetric().sample(n=4, seed=1), dim=3), 0.0)
    assert float(hot["jacobian_spectral_radius"]) == 0.0
    assert bool(hot["certified"])
    wide = gf.contraction(gf.VectorSpin(gf.Asymmetric().sample(n=50, seed=1), dim=30), 0.0)  # matrix-free
    assert float(wide["jacobian_spectral_radius"]) == 0.0


def test_the_same_question_has_the_same_answer_and_bad_ones_are_refused():
    model = gf.VectorSpin(gf.Asymmetric().sample(n=30, seed=1), gf.sphere_fields(30, dim=20, seed=2))
    first, second = gf.contraction(model, 2.5), gf.contraction(model, 2.5)
    assert first.drop_vars("verdict").equals(second.drop_vars("verdict"))
    assert first.attrs["status"] == "converged"
    assert {"bal2026", "lehoucq1998"} <= set(gf.evidence(first)["citations"])
    with pytest.raises(InvalidInputError, match="beta"):
        gf.contraction(model, -1.0)
    with pytest.raises(InvalidInputError, match="starts"):
        gf.contraction(model, 1.0, starts=-1)
    with pytest.raises(InvalidInputError, match="VectorSpin"):
        gf.contraction(gf.Asymmetric(), 1.0)


def test_turning_and_permuting_changes_nothing():
    model = gf.VectorSpin(gf.Asymmetric().sample(n=8, seed=1), gf.sphere_fields(8, dim=4, seed=2))
    rng = np.random.default_rng(1)
    order, rotation = rng.permutation(8), np.linalg.qr(rng.normal(size=(4, 4)))[0]
    other = gf.VectorSpin(model.couplings[np.ix_(order, order)], model.fields[order] @ rotation)
    first, second = gf.contraction(model, 2.0), gf.contraction(other, 2.0)
    for name in ("spectral_radius", "jacobian_spectral_radius", "contraction_bound", "critical_beta"):
        assert float(first[name]) == pytest.approx(float(second[name]), rel=1e-9)


def test_the_verdict_tells_whether_random_starts_reached_the_point_that_was_found() -> None:
    ferromagnet = gf.VectorSpin(np.full((4, 4), 0.5), dim=2, radius=0.7)
    told = gf.contraction(ferromagnet, 10.0).verdict.item()
    assert "relaxation leaves m = 0 " in told
    assert "8 random starts end at another fixed point, with |m|/R = 0.944." in told
    assert (
        "8 random starts reached no other."
        in gf.contraction(ferromagnet, 10.0, start=np.full((4, 2), 0.4)).verdict.item()
    )
    assert "random start" not in gf.contraction(ferromagnet, 10.0, starts=0).verdict.item()
    turning = gf.VectorSpin(gf.Asymmetric(asymmetry=np.inf).sample(n=6, seed=1), dim=3)
    found = gf.contraction(turning, 50.0)
    if int(found.unconverged_starts) == 8:
        assert "none of 8 random starts settled" in found.verdict.item()
    assert "0 random starts" not in found.verdict.item()
    assert "random start" not in gf.contraction(turning, 0.1).verdict.item()


def weakly_driven(strength: float) -> gf.VectorSpin:
    fields = np.zeros((32, 16))
    fields[:, 0] = strength
    return gf.VectorSpin(gf.SoftmaxGaussian().sample(n=32, seed=1), fields)


def test_a_saddle_at_which_relaxation_does_not_end_is_no_branch() -> None:
    """Against a weak field there is a fixed point, local radius 1.006, to which acceleration is drawn."""
    model = weakly_driven(0.01)
    found = gf.contraction(model, 4.0, starts=2, seed=1)
    start = model.r * np.eye(1, 16, 3).repeat(32, 0)
    relaxed = gf.solve(model, gf.NaiveMeanField(4.0), start=start)
    assert np.allclose(relaxed.magnetization, found.magnetization, atol=1e-8)
    assert (int(found.branches), bool(found.multistable), int(found.unconverged_starts)) == (1, False, 0)
    # Acceleration from the saddle finds nothing else, and neither is counted without random starts.
    alone = gf.contraction(model, 4.0, starts=0, start=-found.magnetization.values)
    assert int(alone.branches) <= 1


def test_an_unstable_fixed_point_is_never_counted() -> None:
    for dim, beta in ((1, 2.0), (3, 9.0)):
        free = gf.contraction(gf.VectorSpin(np.full((6, 6), 1 / 6), dim=dim, radius="unit"), beta, starts=0)
        assert float(free.jacobian_spectral_radius) > 1
        assert int(free.branches) == 0
    # An alternating map: damped steps find m = 0, which relaxation leaves for a cycle of two states.
    swing = gf.contraction(gf.VectorSpin(np.full((6, 6), -1 / 6), dim=1, radius="unit"), 2.0)
    assert (int(swing.branches), int(swing.unconverged_starts)) == (0, 8)
    assert "none of 8 random starts settled" in swing.verdict.item()


def test_rotated_copies_in_no_field_or_an_invisible_one_are_one_fixed_point() -> None:
    for strength in (0.0, 1e-13):
        found = gf.contraction(weakly_driven(strength), 4.0, starts=4)
        assert (int(found.branches), int(found.unconverged_starts)) == (1, 0)
        assert "4 random starts end at another fixed point, with |m|/R = 0.671." in found.verdict.item()


def test_a_comparison_with_one_is_true_of_the_digits_that_are_shown() -> None:
    told = gf.contraction(weakly_driven(1e-4), 4.0, starts=0).verdict.item()
    assert "(local radius 0.9999 < 1)" in told
    model = gf.VectorSpin(np.full((4, 4), 0.25), dim=1, radius="unit")
    assert "rho = 0.99999 < 1" in gf.contraction(model, 0.99999).verdict.item()
    assert "rho = 1.00001)" in gf.contraction(model, 1.00001, starts=0).verdict.item()

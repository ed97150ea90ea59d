"""Ground states: loops, enumeration, closed forms, symmetries, the certificate, and the geometry of the vector glass."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import glassformer as gf
from glassformer._core._errors import InvalidInputError, MethodNotApplicableError, NotConvergedError


def glass(n, dim, *, seed=1, strength=0.0, radius="sqrt_d"):
    fields = gf.sphere_fields(n, dim=dim, seed=seed, radius=radius, strength=strength) if strength else None
    return gf.VectorSpin(gf.SherringtonKirkpatrick().sample(n=n, seed=seed), fields, dim, radius=radius)


def descend_by_loops(model, spins, sweeps=20_000):
    """Turn one spin after another into its field, computed afresh each time; return the spins and all energies."""
    spins, energies = spins.copy(), []
    for _ in range(sweeps):
        moved = 0.0
        for i in range(model.n):
            field = model.fields[i].copy()
            for j in range(model.n):
                if j != i:
                    field += model.couplings[i, j] * spins[j]
            new = model.r * field / np.linalg.norm(field)
            moved = max(moved, np.abs(new - spins[i]).max())
            spins[i] = new
        energies.append(float(model.energy(spins)))
        if moved <= 1e-10 * model.r:
            break
    return spins, np.array(energies)


@pytest.mark.parametrize(
    ("n", "dim", "strength"), [(10, 1, 0.0), (10, 1, 0.4), (14, 2, 0.3), (12, 3, 0.0), (9, 7, 0.8)]
)
def test_every_descent_ends_where_plain_sweeps_end(n, dim, strength):
    model = glass(n, dim, strength=strength)
    found = gf.solve(model, gf.GroundState(4, seed=7))
    starts = model.random_spins(replicas=4, seed=7)
    for start, end, energy in zip(starts, found["spins"].values, found["energies"].values):
        spins, energies = descend_by_loops(model, start)
        assert (np.diff(energies) <= 1e-12).all()
        assert energy == pytest.approx(energies[-1], abs=1e-10)
        # Without fields the end may be turned, all spins together
        np.testing.assert_allclose(end @ end.T, spins @ spins.T, atol=1e-5 * model.r**2)


@pytest.mark.parametrize(
    ("n", "dim", "strength", "radius"), [(30, 1, 0.5, 0.7), (40, 2, 0.0, "unit"), (25, 5, 1.3, "bal")]
)
def test_every_spin_is_parallel_to_its_field_and_has_its_length(n, dim, strength, radius):
    model = glass(n, dim, strength=strength, radius=radius)
    found = gf.solve(model, gf.GroundState(3, seed=1))
    spins = found["spins"].values
    fields = model.local_fields(spins, self_coupling=False)
    np.testing.assert_allclose(spins, model.r * fields / np.linalg.norm(fields, axis=-1, keepdims=True), atol=1e-9)
    np.testing.assert_allclose(np.linalg.norm(spins, axis=-1), model.r, rtol=1e-14)
    assert found["last_move"].max() <= 1e-10
    assert float(found["energy"]) == pytest.approx(model.energy(spins).min(), abs=1e-14)
    assert found["gram_eigenvalues"].sum() == pytest.approx(1.0)
    assert found["gram_eigenvalues"].size == min(n, dim)
    assert (found["gram_eigenvalues"].diff("mode") <= 0).all()


def test_lengthened_sweeps_never_raise_the_energy():
    from glassformer.dynamics._kernels._descent import descent_sweep
    from glassformer.dynamics._kernels._sequential import fields_from_scratch

    model = glass(40, 3, strength=0.2)
    drive = np.ascontiguousarray(model.fields.T)
    for stretch in (1.0, 1.5, 1.98):
        spins = np.ascontiguousarray(model.random_spins(replicas=1, seed=3)[0].T) / model.r
        rows = model.couplings * model.r
        fields, energies = fields_from_scratch(rows, drive, spins), []
        for _ in range(300):
            descent_sweep(rows, drive, spins, fields, np.ones(40), stretch, np.empty(3), np.empty(3))
            energies.append(float(model.energy(model.r * spins.T)))
        assert (np.diff(energies) <= 1e-13).all()
        assert energies[-1] < energies[0] - 0.1
        np.testing.assert_allclose(fields, fields_from_scratch(rows, drive, spins), atol=1e-12)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("strength", [0.0, 0.6])
def test_some_descent_finds_the_ground_state_of_two_valued_spins(seed, strength):
    model = glass(13, 1, seed=seed, strength=strength, radius=0.8)
    states = 0.8 * np.array(list(itertools.product((-1.0, 1.0), repeat=13)))
    energies = model.energy(states[:, :, None])
    found = gf.solve(model, gf.GroundState(200, seed=seed))
    assert float(found["energy"]) == pytest.approx(energies.min(), abs=1e-13)
    assert float(found["energy_lower_bound"]) <= energies.min() + 1e-12
    assert found["energies"].max() > energies.min() + 1e-3  # local minima are no failure
    assert 0 < int(found["descents_agreeing"]) < 200
    for energy in np.unique(found["energies"].values.round(10)):  # and every end is a state that no flip improves
        assert np.abs(energies - energy).min() < 1e-9


@pytest.mark.parametrize("dim", [1, 2, 3, 9])
@pytest.mark.parametrize("coupling", [1.7, -0.6])
def test_two_spins_are_parallel_or_antiparallel(dim, coupling):
    model = gf.VectorSpin([[0.3, coupling], [coupling, -2.0]], dim=dim, radius=1.3)  # the diagonal plays no role
    found = gf.solve(model, gf.GroundState(3, seed=1))
    assert float(found["energy"]) == pytest.approx(-abs(coupling) * 1.3**2 / 2, rel=1e-12)
    assert int(found["gram_rank"]) == 1
    assert int(found["descents_agreeing"]) == 3
    assert found.attrs["certified"] == 1


@pytest.mark.parametrize("dim", [1, 3, 8])
def test_trees_have_the_sum_of_all_couplings_and_fields_pull(dim):
    n = 12
    couplings = np.zeros((n, n))
    for i in range(1, n):
        couplings[i, (i - 1) // 2] = couplings[(i - 1) // 2, i] = 0.3 + 0.1 * i
    model = gf.VectorSpin(couplings, dim=dim, radius="sqrt_d")
    found = gf.solve(model, gf.GroundState(40, seed=2))
    assert float(found["energy_per_site_r2"]) == pytest.approx(-couplings.sum() / 2 / n, rel=1e-10)
    assert found.attrs["certified"] == 1
    free = gf.VectorSpin(np.zeros((n, n)), gf.sphere_fields(n, dim=dim, seed=1, radius=2.0), radius=1.5)
    pulled = gf.solve(free, gf.GroundState(2, seed=2))
    np.testing.assert_allclose(pulled["spins"][0], free.fields * 0.75, rtol=1e-12)
    assert float(pulled["energy"]) == pytest.approx(-3.0, rel=1e-12)


def test_a_frustrated_triangle_opens_to_120_degrees():
    couplings = -(np.ones((3, 3)) - np.eye(3))
    for dim, energy in ((1, -1 / 3), (2, -0.5), (5, -0.5)):
        found = gf.solve(gf.VectorSpin(couplings, dim=dim, radius="unit"), gf.GroundState(6, seed=1))
        assert float(found["energy"]) == pytest.approx(energy, rel=1e-9)
        bound = float(found["energy_lower_bound"])
        assert bound == pytest.approx(-0.5, abs=1e-9) if dim > 1 else bound < -0.5
        assert found.attrs["certified"] == (dim > 1)
        assert int(found["gram_rank"]) == min(dim, 2)


def test_rotating_the_fields_rotates_the_answer_and_permuting_the_sites_permutes_it():
    model = glass(20, 4, strength=1.5)
    rng = np.random.default_rng(0)
    rotation, order = np.linalg.qr(rng.normal(size=(4, 4)))[0], rng.permutation(20)
    found = gf.solve(model, gf.GroundState(6, seed=1))
    best = found["spins"].values[int(found["energies"].values.argmin())]
    turned = gf.solve(
        gf.VectorSpin(model.couplings, model.fields @ rotation, radius=model.r), gf.GroundState(6, seed=1)
    )
    np.testing.assert_allclose(turned["spins"][int(turned["energies"].values.argmin())], best @ rotation, atol=1e-7)
    permuted = gf.VectorSpin(model.couplings[np.ix_(order, order)], model.fields[order], radius=model.r)
    again = gf.solve(permuted, gf.GroundState(6, seed=1))
    np.testing.assert_allclose(again["spins"][int(again["energies"].values.argmin())], best[order], atol=1e-7)


@pytest.mark.parametrize("factor", [1e-290, 1e-150, 37.0, 1e120])
def test_units_and_the_radius_only_scale_the_energy(factor):
    couplings = gf.SherringtonKirkpatrick().sample(n=20, seed=3)
    base = gf.solve(gf.VectorSpin(couplings, dim=6, radius="unit"), gf.GroundState(2, seed=1))
    scaled = gf.solve(gf.VectorSpin(factor * couplings, dim=6, radius="unit"), gf.GroundState(2, seed=1))
    assert float(scaled["energy"]) == pytest.approx(factor * float(base["energy"]), rel=1e-10, abs=0)
    assert int(scaled["descents_agreeing"]) == 2
    assert scaled.attrs["certified"] == 1
    wide = gf.solve(gf.VectorSpin(couplings, dim=6, radius=2.5), gf.GroundState(2, seed=1))
    assert float(wide["energy"]) == pytest.approx(2.5**2 * float(base["energy"]), rel=1e-10)
    assert float(wide["energy_per_site_r2"]) == pytest.approx(float(base["energy_per_site_r2"]), rel=1e-10)


@pytest.mark.parametrize(("n", "dim", "ranks"), [(32, 20, {3, 4}), (64, 32, {4, 5, 6}), (128, 24, {6, 7, 8})])
def test_many_components_have_one_ground_state_up_to_a_rotation(n, dim, ranks):
    for seed in range(3):
        model = glass(n, dim, seed=seed, radius="bal")
        found = gf.solve(model, gf.GroundState(3, seed=100 + seed))
        assert int(found["descents_agreeing"]) == 3
        assert found.attrs["certified"] == 1
        assert int(found["gram_rank"]) in ranks
        assert int(found["gram_rank"]) * (int(found["gram_rank"]) + 1) / 2 <= n  # of extreme points of the relaxation
        assert float(found["overlap_invariant_least"]) > 1 - 1e-9
        assert float(found["overlap_aligned"].min()) > 1 - 1e-9
        assert float(found["overlap_rms"]) < 0.3
        assert ">" in found.attrs["note"]
        edge = np.linalg.eigvalsh(model.couplings)[-1]
        assert -edge / 2 <= float(found["energy_per_site_r2"]) < -0.72


def test_more_components_lower_the_energy_until_the_rank_is_reached():
    energies = [
        float(gf.solve(glass(40, dim), gf.GroundState(30, seed=1))["energy_per_site_r2"]) for dim in (1, 2, 3, 8, 20)
    ]
    assert (np.diff(energies[:3]) < -1e-3).all()
    assert energies[3] == pytest.approx(energies[4], abs=1e-10)


def test_the_energy_tends_to_that_of_the_spherical_limit():
    sizes, means = (24, 72, 216), []
    for n in sizes:
        means.append(
            np.mean(
                [
                    float(gf.solve(glass(n, 32, seed=seed), gf.GroundState(1, seed=1))["energy_per_site_r2"])
                    for seed in range(4)
                ]
            )
        )
    missing = 1 + np.array(means)
    assert (missing > 0).all()
    slopes = np.diff(np.log(missing)) / np.diff(np.log(sizes))
    assert (slopes > -0.67).all()
    assert (slopes < -0.25).all()


def test_a_cold_heat_bath_fluctuates_about_the_ground_state():
    """Half a temperature for each of the D - 1 directions of every spin."""
    model, beta = glass(24, 3, strength=1.0), 400.0
    found = gf.solve(model, gf.GroundState(10, seed=1))
    best = found["spins"].values[int(found["energies"].values.argmin())]
    sim = gf.simulate(model, gf.SequentialHeatBath(beta), steps=2000, burn_in=200, replicas=8, seed=1, start=best)
    gap = float(sim["energy"] - found["energy"]) * beta
    assert gap == pytest.approx(1.0, abs=5 * beta * float(sim["energy_error"]) + 0.01)


def test_spins_without_a_field_stay_where_they_are():
    couplings = np.zeros((4, 4))
    couplings[0, 1] = couplings[1, 0] = 1.0
    model = gf.VectorSpin(couplings, dim=3, radius="unit")
    found = gf.solve(model, gf.GroundState(2, seed=4))
    start = model.random_spins(replicas=2, seed=4)
    np.testing.assert_allclose(found["spins"][:, 2:], start[:, 2:], atol=1e-14)
    assert found["free_spins"].values.tolist() == [2, 2]
    assert float(found["energy"]) == pytest.approx(-0.25)
    nothing = gf.solve(gf.VectorSpin(np.zeros((3, 3)), dim=1, radius="unit"), gf.GroundState(2, seed=4))
    assert float(nothing["energy"]) == 0.0
    assert nothing.attrs["status"] == "converged"
    # fields that cancel leave rounding, which is no direction either
    chain = np.zeros((3, 3))
    chain[0, 1] = chain[1, 0] = chain[1, 2] = chain[2, 1] = 0.1
    pinned = gf.VectorSpin(chain, np.array([[30.1], [0.0], [-30.1]]), radius="unit")
    assert gf.solve(pinned, gf.GroundState(3, seed=1))["free_spins"].values.tolist() == [1, 1, 1]


def test_the_same_bits_for_any_number_of_threads_and_more_descents(monkeypatch):
    model = glass(40, 3, strength=0.4)
    several = gf.solve(model, gf.GroundState(5, seed=3))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    alone = gf.solve(model, gf.GroundState(5, seed=3))
    assert np.array_equal(several["spins"], alone["spins"])
    fewer = gf.solve(model, gf.GroundState(2, seed=3))
    assert np.array_equal(several["spins"][:2], fewer["spins"])
    assert "overlap" not in gf.solve(model, gf.GroundState(1, seed=3))


def test_a_descent_that_has_not_settled_is_no_answer():
    with pytest.raises(NotConvergedError) as caught:
        gf.solve(glass(30, 12), gf.GroundState(2, seed=1, max_sweeps=5))
    result = caught.value.result
    assert result.attrs["status"] == "not_converged"
    assert result["last_move"].max() > 1e-10
    assert result.attrs["certified"] == 0


def test_what_has_no_energy_or_no_meaning_is_refused():
    with pytest.raises(MethodNotApplicableError, match="symmetric"):
        gf.solve(gf.VectorSpin(gf.Asymmetric().sample(n=4, seed=1), dim=3), gf.GroundState())
    model = glass(4, 3)
    with pytest.raises(InvalidInputError, match="start"):
        gf.solve(model, gf.GroundState(), start="fields")
    with pytest.raises(InvalidInputError, match="steps"):
        gf.solve(model, gf.GroundState(), steps=3)
    for bad in ({"descents": 0}, {"seed": -1}, {"max_sweeps": 0}, {"descents": 2.5}):
        with pytest.raises(InvalidInputError, match=next(iter(bad))):
            gf.GroundState(**bad)

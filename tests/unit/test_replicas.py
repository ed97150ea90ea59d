"""Replicas: estimators against obvious loops, tempering against enumeration and closed forms, verdicts in known phases."""

import itertools

import numpy as np
import pytest
from scipy import integrate

import glassformer as gf
from glassformer import observables as obs


def _random_spins(shape, seed=0):
    s = np.random.default_rng(seed).normal(size=shape)
    return s / np.linalg.norm(s, axis=-1, keepdims=True)


def _glass(n, dim, *, seed=1, strength=0.0, radius="sqrt_d", scale=1.0):
    couplings = gf.SherringtonKirkpatrick(scale=scale).sample(n=n, seed=seed)
    fields = gf.gaussian_fields(n, dim=dim, seed=seed, radius=radius, strength=strength) if strength else None
    return gf.VectorSpin(couplings, fields, dim, radius=radius)


@pytest.mark.parametrize(("replicas", "n", "dim"), [(4, 5, 1), (5, 4, 2), (6, 3, 5)])
def test_susceptibilities_are_the_averages_over_different_replicas(replicas, n, dim):
    spins = _random_spins((3, replicas, n, dim)) + 0.3
    same, shared, apart = [], [], []
    for now in spins:
        q = np.einsum("aim,bin->abmn", now, now) / n
        for a, b, c, d in itertools.permutations(range(replicas), 4):
            same.append(np.sum(q[a, b] ** 2))
            shared.append(np.sum(q[a, b] * q[a, c]))
            shared.append(np.sum(q[b, a] * q[c, a]))
            apart.append(np.sum(q[a, b] * q[c, d]))
    x, y, z = np.mean(same), np.mean(shared), np.mean(apart)
    plain, replicon = obs.susceptibilities(spins, radius=1.5)
    np.testing.assert_allclose(plain, n / 1.5**4 * (x - z), rtol=1e-10)
    np.testing.assert_allclose(replicon, n / 1.5**4 * (x - 2 * y + z), rtol=1e-10)
    np.testing.assert_allclose(obs.susceptibilities(spins, radius=1.5, connected=False), n / 1.5**4 * x, rtol=1e-10)


def test_pair_jackknife_is_delete_one_replica():
    rng = np.random.default_rng(0)
    m = rng.normal(size=(6, 6))
    m = m + m.T
    own = rng.normal(size=6)

    def value(kept):
        pairs = [m[a, b] for a in kept for b in kept if a < b]
        return np.mean(pairs) - np.mean(own[kept])

    left = np.array([value([k for k in range(6) if k != gone]) for gone in range(6)])
    mean, error = obs.pair_jackknife(m, own)
    assert mean == pytest.approx(value(list(range(6))))
    assert error == pytest.approx(np.sqrt(5 / 6 * np.sum((left - left.mean()) ** 2)))


@pytest.mark.parametrize(("n", "dim"), [(7, 2), (3, 8)])
def test_lagged_overlaps_compare_a_replica_with_its_own_past(n, dim):
    spins = _random_spins((6, 4, n, dim))
    raw, invariant = obs.lagged_overlaps(spins, radius=1.0)
    for r in range(4):
        pairs = [(spins[s, r], spins[s + 3, r]) for s in range(3)]
        assert raw[r] == pytest.approx(np.mean([np.sum(a * b) / n for a, b in pairs]))
        expected = [obs.invariant_overlaps(a[None], b[None])[0, 0] for a, b in pairs]
        assert invariant[r] == pytest.approx(np.mean(expected))


@pytest.mark.parametrize("dim", [1, 2, 5])
def test_aligned_overlaps_of_one_set_are_those_of_two(dim):
    spins = _random_spins((4, 6, dim))
    np.testing.assert_allclose(
        obs.aligned_overlaps(spins, radius=1.0), obs.aligned_overlaps(spins, spins.copy(), radius=1.0), atol=1e-12
    )


def test_ultrametricity_tells_trees_from_noise():
    levels = np.array([[(a ^ b).bit_length() for b in range(8)] for a in range(8)])  # to the common ancestor
    assert obs.ultrametricity(1.0 - 0.3 * levels) == 0.0
    noise = np.random.default_rng(0).uniform(size=(200, 5, 5))
    noise = np.triu(noise, 1) + np.triu(noise, 1).swapaxes(1, 2)
    assert 0.45 < obs.ultrametricity(noise) < 0.55
    assert obs.ultrametricity(np.ones((4, 4))) == 0.0


def test_density_has_unit_area_and_keeps_everything():
    q = np.random.default_rng(1).uniform(-1, 1, 1000)
    q[0] = 1.0 + 1e-12  # rounding
    centres, heights = obs.overlap_density(q, bins=20)
    assert np.sum(heights) * (centres[1] - centres[0]) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("susceptibility", "aligned", "kind"),
    [
        (1.3, [0.1, 0.2, 0.05], "replica symmetric"),
        (400.0, [0.9, 0.2, 0.5, 0.8], "broken"),
        (400.0, [0.90, 0.91, 0.9], "global rotation only"),
        (30.0, [0.3, 0.2, 0.4, 0.35], "undecided"),
    ],
)
def test_verdicts(susceptibility, aligned, kind):
    verdict = obs.classify(n=512, dim=1, susceptibility=susceptibility, aligned=aligned)
    assert verdict.kind == kind
    assert verdict.reason


@pytest.mark.parametrize(
    ("dim", "beta", "coupling", "radius"), [(1, 1.3, 1.0, 1.0), (2, 0.7, 1.4, 1.2), (5, 2.0, 0.6, 1.5)]
)
def test_identity_of_equilibrium_holds_for_one_gaussian_bond(dim, beta, coupling, radius):
    """N = 2: u = -J R^2 A / 2, and the bracket is R^4 Var(cos) / 2, both functions of the bond alone."""
    law = gf.response("exact", dim)
    width = coupling / np.sqrt(2)

    def average(f):
        weight = lambda j: np.exp(-0.5 * (j / width) ** 2) / np.sqrt(2 * np.pi) / width  # noqa: E731
        return integrate.quad(lambda j: weight(j) * f(j), -12 * width, 12 * width, limit=200)[0]

    def ratio(j):
        return np.sign(j) * float(law.ratio(beta * abs(j) * radius**2))

    def slope(j):
        return float(law.ratio_derivative(beta * abs(j) * radius**2))

    u = average(lambda j: -0.5 * j * radius**2 * ratio(j))
    own = radius**4 * (0.5 + 0.5 * average(lambda j: slope(j) + ratio(j) ** 2))
    cross = radius**4 * (0.5 + 0.5 * average(lambda j: ratio(j) ** 2))
    gap, _ = obs.equilibrium_identity([u, u], [own, own], [cross, cross], beta=beta, coupling=coupling)
    assert abs(gap) < 1e-8
    wrong, _ = obs.equilibrium_identity([u, u], [own, own], [cross, cross], beta=beta, coupling=1.1 * coupling)
    assert abs(wrong) > 1e-3


def test_identity_of_equilibrium_holds_in_simulation_and_catches_a_wrong_temperature():
    dim, beta, n = 2, 1.5, 8
    rows = []
    for sample in range(60):
        found = gf.compare_replicas(_glass(n, dim, seed=sample, strength=0.3), beta, replicas=4, sweeps=40, seed=sample)
        rows.append([float(found[k][0]) for k in ("internal_energy", "self_overlap_squared", "overlap_squared")])
    gap, error = obs.equilibrium_identity(*np.array(rows).T, beta=beta)
    assert abs(gap) < 5 * error
    wrong, error = obs.equilibrium_identity(*np.array(rows).T, beta=1.3 * beta)
    assert abs(wrong) > 5 * error


@pytest.mark.parametrize("strength", [0.0, 0.4])
def test_tempered_replicas_agree_with_enumeration(strength):
    n, beta = 9, 1.7
    model = _glass(n, 1, seed=5, strength=strength)
    states = np.array(list(itertools.product([-1.0, 1.0], repeat=n)))
    energy = np.array([float(model.energy(s[:, None])) * n for s in states])
    weight = np.exp(-beta * (energy - energy.min()))
    weight /= weight.sum()
    pairs = np.einsum("s,si,sj->ij", weight, states, states)
    mean = weight @ states
    found = gf.compare_replicas(model, [0.5, beta], replicas=24, sweeps=400, snapshots=100, seed=3).sel(beta=beta)
    assert abs(float(found.energy) - weight @ energy / n) < 5 * float(found.energy_error)
    assert abs(float(found.overlap_invariant_mean) - np.sum(pairs**2) / n**2) < 5 * float(
        found.overlap_invariant_mean_error
    )
    if strength:
        assert abs(float(found.overlap_mean) - np.mean(mean**2)) < 5 * float(found.overlap_mean_error)
        connected = (pairs - np.outer(mean, mean)) ** 2
        # four standard errors of a susceptibility of this many replicas, measured over seeds
        assert float(found.replicon_susceptibility) == pytest.approx(connected.sum() / n, abs=0.25)
    assert found.equilibrated


@pytest.mark.parametrize(("dim", "temperature"), [(1, 2.0), (3, 1.7)])
def test_susceptibility_above_the_transition(dim, temperature):
    """1 / (1 - T_c^2 / T^2); 1/N corrections and the spread of 4 samples are below 10 %."""
    found = [
        float(gf.compare_replicas(_glass(160, dim, seed=s), 1 / temperature, seed=s).spin_glass_susceptibility[0])
        for s in range(4)
    ]
    assert np.mean(found) == pytest.approx(1 / (1 - temperature**-2), rel=0.1)


def test_verdicts_in_known_phases():
    cold = gf.compare_replicas(_glass(128, 1, seed=1), [1 / 1.5, 1 / 0.3], seed=101)
    assert [str(v) for v in cold.verdict.values] == ["replica symmetric", "broken"]
    assert cold.attrs["status"] == "ok"
    driven = gf.compare_replicas(_glass(128, 1, strength=2.0), 1 / 0.3, seed=1)
    assert driven.verdict[0] == "replica symmetric"
    assert float(driven.overlap_mean[0]) > 0.5
    many = gf.compare_replicas(_glass(32, 16, radius="bal"), [2.0, 200.0], seed=1)
    assert many.verdict.sel(beta=200.0) == "global rotation only"
    assert float(many.overlap_invariant_mean.sel(beta=200.0)) > 0.99  # one state up to a rotation
    assert abs(float(many.overlap_mean.sel(beta=200.0))) < 0.1


def test_a_run_that_is_too_short_says_so():
    short = gf.compare_replicas(_glass(128, 1), 1 / 0.15, sweeps=40, max_sweeps=120, seed=1)
    assert short.attrs["status"] == "not_equilibrated"
    assert short.verdict[0] == "not equilibrated"
    assert "max_sweeps" in short.attrs["note"]


def test_bits_do_not_depend_on_threads_or_interruptions(tmp_path):
    model = _glass(24, 2, strength=0.2)
    ask = {"replicas": 5, "sweeps": 60, "max_sweeps": 500, "seed": 4}
    whole = gf.compare_replicas(model, [0.5, 3.0], threads=1, **ask)

    calls = []

    def interrupt(done, total):
        calls.append(done)
        if len(calls) == 50:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        gf.compare_replicas(model, [0.5, 3.0], checkpoint=tmp_path, progress=interrupt, **ask)
    again = gf.compare_replicas(model, [0.5, 3.0], checkpoint=tmp_path, threads=2, **ask)
    for name in whole.data_vars:
        assert np.array_equal(whole[name].values, again[name].values), name
    with pytest.raises(gf.InvalidInputError, match="checkpoint"):
        gf.compare_replicas(model, [0.5, 2.9], checkpoint=tmp_path, **ask)


@pytest.mark.parametrize("dim", [1, 2, 7])
def test_the_ladder_holds_what_was_asked_for_and_swaps(dim):
    model = _glass(40, dim, strength=0.3)
    ladder = gf.tempering_ladder(model, [5.0, 0.9])
    assert {0.9, 5.0} <= set(ladder)
    assert list(ladder) == sorted(ladder)
    found = gf.compare_replicas(model, [0.9, 5.0], seed=1)
    assert float(found.swap_rate.min()) > 0.15


def test_a_single_hot_temperature_still_has_a_ladder():
    assert len(gf.tempering_ladder(_glass(8, 1), [0.01])) == 2
    empty = gf.VectorSpin(np.zeros((6, 6)), dim=2, radius="unit")
    found = gf.compare_replicas(empty, [1.0], seed=1)
    assert found.verdict[0] == "replica symmetric"
    assert float(found.spin_glass_susceptibility[0]) == pytest.approx(1.0, abs=0.2)


@pytest.mark.parametrize("unit", [2.0**-660, 2.0**480])
def test_ladder_and_test_know_no_unit_of_energy(unit):
    model = _glass(12, 1, strength=0.4)
    scaled = gf.VectorSpin(unit * model.couplings, unit * model.fields, radius=model.radius)
    ladder = gf.tempering_ladder(model, [5.0])
    assert len(ladder) > 3
    assert np.array(gf.tempering_ladder(scaled, [5.0 / unit])) * unit == pytest.approx(np.array(ladder), rel=1e-9)
    assert gf.tempering_ladder(model, [1e300])[-1] == 1e300
    ask = {"sweeps": 40, "max_sweeps": 120, "seed": 3}
    found, other = gf.compare_replicas(model, 5.0, **ask), gf.compare_replicas(scaled, 5.0 / unit, **ask)
    assert 0.3 < float(other.energy_drift_error[0] / found.energy_drift_error[0]) < 3.0
    noise = np.hypot(found.energy_error[0], other.energy_error[0] / unit)
    assert abs(float(other.energy[0] / unit - found.energy[0])) < 5 * float(noise)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"betas": [0.0, 1.0]}, "betas"),
        ({"betas": [-1.0]}, "betas"),
        ({"betas": [np.inf]}, "betas"),
        ({"replicas": 3}, "replicas"),
        ({"max_sweeps": 100}, "max_sweeps"),
        ({"snapshots": 300}, "sweeps"),
        ({"hottest": 5.0}, "hottest"),
    ],
)
def test_bad_input(change, message):
    with pytest.raises(gf.InvalidInputError, match=message):
        gf.compare_replicas(_glass(8, 1), **{"betas": [1.0], "seed": 1, **change})


def test_asymmetric_couplings_have_no_equilibrium_to_compare_in():
    with pytest.raises(gf.GlassformerError, match="symmetric"):
        gf.compare_replicas(gf.VectorSpin(gf.Asymmetric().sample(n=6, seed=1), dim=3), 1.0)


def test_density_of_ising_overlaps_has_no_pattern_of_its_own():
    """Every value of q = -1 + 2k/N once, the ends included: all full bins are equally high."""
    for n in (40, 64, 100, 7):
        q = -1.0 + 2.0 * np.arange(n + 1) / n
        centres, heights = obs.overlap_density(q, quantum=2.0 / n)
        assert len(centres) <= 52
        assert np.ptp(heights[:-1]) < 1e-9  # the last bin may reach beyond 1
        assert np.sum(heights) * (centres[1] - centres[0]) == pytest.approx(1.0)


def test_a_small_cold_sample_is_undecided_rather_than_one_state():
    """Aligned overlaps that spread almost as far as the limit of many states."""
    aligned = np.concatenate([np.full(60, 0.85), np.full(20, 0.38)])
    assert 0.19 < aligned.std() < 0.21
    assert obs.classify(n=40, dim=1, susceptibility=0.6 * 40, aligned=aligned).kind == "undecided"
    flipped = obs.classify(n=40, dim=1, susceptibility=40.0, aligned=np.full(9, 1.0))
    assert "flipped" in flipped.reason

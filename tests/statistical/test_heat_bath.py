"""The heat baths move by their exact laws, and what is measured on the way is what enumeration says.

Level 1e-6 per test, two-sided, Bonferroni where many numbers are compared; injected bugs show what that level catches.
"""

from __future__ import annotations

import numpy as np
import pytest
from naive import ising_steady_state_by_loops
from scipy import integrate, special, stats

import glassformer as gf
from glassformer._core._bessel import bessel_ratio, bessel_ratio_derivative

LEVEL = 1e-6
QUIET = gf.Measure(correlations=False, series=False)


def ising(
    n: int, *, seed: int, asymmetry: float = 1.0, radius: float = 1.0, self_coupling: bool = True
) -> gf.VectorSpin:
    couplings = gf.Asymmetric(asymmetry=asymmetry, self_coupling=self_coupling).sample(n=n, seed=seed)
    fields = 0.4 * np.random.default_rng(seed).normal(size=n)
    return gf.VectorSpin(couplings, fields, dim=1, radius=radius)


def codes(spins: np.ndarray) -> np.ndarray:
    """Return the number of every state (replica, site, 1), as `ising_steady_state_by_loops` counts them."""
    up = (spins[..., 0] > 0).astype(int)
    return up @ (1 << np.arange(up.shape[-1])[::-1])


def g_test(states: np.ndarray, probabilities: np.ndarray) -> float:
    counts = np.bincount(states, minlength=probabilities.size)
    order = np.argsort(probabilities)
    # States that are expected fewer than five times are pooled.
    small = order[: np.searchsorted(np.cumsum(probabilities[order]) * states.size, 5.0, side="right")]
    kept = np.setdiff1d(order, small)
    observed, expected = counts[kept].astype(float), probabilities[kept] * states.size
    if small.size:
        observed, expected = (
            np.append(observed, counts[small].sum()),
            np.append(expected, probabilities[small].sum() * states.size),
        )
    keep = expected > 0
    assert (observed[~keep] == 0).all()
    return float(
        stats.power_divergence(observed[keep], expected[keep] * observed.sum() / expected.sum(), lambda_=0).pvalue
    )


def agrees(sim, name: str, expected, *, units: int, level: float = LEVEL) -> bool:
    """Whether all numbers of a variable are within their error bars of what is expected, at the level together."""
    value, error = np.asarray(sim[name]), np.asarray(sim[f"{name}_error"])
    expected = np.broadcast_to(expected, value.shape)
    exact = error < 1e-14
    assert np.allclose(value[exact], expected[exact], atol=1e-9)
    t = (value - expected)[~exact] / error[~exact]
    return bool((np.abs(t) < stats.t.isf(level / 2 / max(1, t.size), units - 1)).all()) if t.size else True


def after(model, dynamics, start, *, steps: int, replicas: int, seed: int) -> np.ndarray:
    motion = dynamics.prepare(model, seed=seed)
    return motion.advance(motion.start(np.broadcast_to(start, (replicas, *start.shape[-2:])).copy()), steps).spins


# --- one component: enumeration ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "beta", "radius"), [(3, 0.7, 1.0), (5, 1.9, 0.6)])
def test_one_parallel_step_follows_the_row_of_the_transition_matrix(n: int, beta: float, radius: float) -> None:
    model = ising(n, seed=n, radius=radius)
    states, transition, _, _ = ising_steady_state_by_loops(model.couplings, model.fields[:, 0], beta, radius)
    for row in (0, 2**n - 2):
        start = states[row][:, None]
        spins = after(model, gf.ParallelHeatBath(beta), start, steps=1, replicas=200_000, seed=row)
        assert g_test(codes(spins), transition[row]) > LEVEL
        wrong = after(model, gf.ParallelHeatBath(1.05 * beta), start, steps=1, replicas=200_000, seed=row)
        assert g_test(codes(wrong), transition[row]) < LEVEL  # injected bug


@pytest.mark.parametrize("order", ["fixed", "random"])
def test_one_sequential_sweep_follows_the_row_of_the_transition_matrix(order: str) -> None:
    n, beta = 4, 1.3
    model = ising(n, seed=7)
    if order == "fixed":
        states, transition, _, _ = ising_steady_state_by_loops(
            model.couplings, model.fields[:, 0], beta, 1.0, sites=list(range(n))
        )
    else:
        singles = [
            ising_steady_state_by_loops(model.couplings, model.fields[:, 0], beta, 1.0, sites=[i]) for i in range(n)
        ]
        states = singles[0][0]
        transition = np.linalg.matrix_power(sum(s[1] for s in singles) / n, n)
    spins = after(
        model, gf.SequentialHeatBath(beta, order=order), states[5][:, None], steps=1, replicas=30_000, seed=3
    )  # fmt: skip
    assert g_test(codes(spins), transition[5]) > LEVEL
    spins = after(
        model, gf.SequentialHeatBath(1.2 * beta, order=order), states[5][:, None], steps=1, replicas=30_000, seed=3
    )  # fmt: skip
    assert g_test(codes(spins), transition[5]) < LEVEL  # injected bug


def test_the_stationary_law_of_the_parallel_process_is_that_of_the_matrix() -> None:
    n, beta = 4, 1.1
    model = ising(n, seed=12)
    states, _, law, _ = ising_steady_state_by_loops(model.couplings, model.fields[:, 0], beta, 1.0)
    spins = after(model, gf.ParallelHeatBath(beta), states[0][:, None], steps=80, replicas=100_000, seed=1)
    assert g_test(codes(spins), law) > LEVEL


def test_symmetric_couplings_give_the_peretto_law_in_parallel_and_boltzmann_in_sequence() -> None:
    n, beta = 4, 0.9
    model = ising(n, seed=5, asymmetry=0.0)
    states, _, _, _ = ising_steady_state_by_loops(model.couplings, model.fields[:, 0], beta, 1.0)
    x, j = model.fields[:, 0], model.couplings
    weights = np.exp(beta * states @ x) * np.cosh(beta * (states @ j.T + x)).prod(axis=1)
    peretto = weights / weights.sum()
    bonds = j - np.diag(np.diag(j))
    weights = np.exp(beta * (0.5 * np.einsum("si,ij,sj->s", states, bonds, states) + states @ x))
    boltzmann = weights / weights.sum()
    parallel = after(model, gf.ParallelHeatBath(beta), states[3][:, None], steps=60, replicas=60_000, seed=1)
    sequence = after(model, gf.SequentialHeatBath(beta), states[3][:, None], steps=40, replicas=20_000, seed=2)
    assert g_test(codes(parallel), peretto) > LEVEL
    assert g_test(codes(parallel), boltzmann) < LEVEL  # the two laws differ, and the test sees it
    assert g_test(codes(sequence), boltzmann) > LEVEL


@pytest.mark.parametrize(("n", "beta", "radius"), [(5, 0.8, 1.0), (4, 2.0, 0.7)])
@pytest.mark.parametrize("replicas", [1, 40])
def test_measured_moments_are_those_of_enumeration(n: int, beta: float, radius: float, replicas: int) -> None:
    model = ising(n, seed=21 + n, radius=radius)
    states, transition, law, production = ising_steady_state_by_loops(model.couplings, model.fields[:, 0], beta, radius)
    m = law @ states
    equal = states.T @ (law[:, None] * states) - np.outer(m, m)
    delayed = states.T @ transition.T @ (law[:, None] * states) - np.outer(m, m)
    energies = model.energy(states[:, :, None])
    mean_energy = law @ energies
    steps = 400_000 // replicas
    sim = gf.simulate(model, gf.ParallelHeatBath(beta), steps=steps, replicas=replicas, burn_in=200, seed=8)
    units = 16 if replicas == 1 else replicas
    groups = 16 if replicas == 1 else 20
    assert agrees(sim, "magnetization", m[:, None], units=units)
    assert agrees(sim, "correlation", equal, units=groups)
    assert agrees(sim, "delayed_correlation", delayed, units=groups)
    assert agrees(sim, "entropy_production", production, units=units)
    assert agrees(sim, "entropy_production_path", production, units=units)
    assert agrees(sim, "entropy_production_per_spin", production / n, units=units)
    assert agrees(sim, "magnetization_sum_of_squares", (m**2).sum(), units=units)
    assert agrees(sim, "covariance_trace", np.trace(equal), units=units)
    assert agrees(sim, "energy", mean_energy, units=units)
    assert agrees(sim, "energy_full", law @ model.energy(states[:, :, None], convention="full"), units=units)
    assert agrees(sim, "specific_heat", beta**2 * n * (law @ (energies - mean_energy) ** 2), units=units)
    cosines = np.sign(model.fields[:, 0])
    alignments = states @ cosines / (n * radius)
    assert agrees(sim, "mean_of_alignment", law @ alignments, units=units)
    assert agrees(sim, "alignment_variance", law @ (alignments - law @ alignments) ** 2, units=units)
    # With one component the mean points along its field or against it.
    assert float(sim.alignment_of_mean) == pytest.approx(np.mean(np.sign(m) * cosines), abs=1e-6)
    assert not agrees(sim, "delayed_correlation", delayed.T, units=groups)  # injected bug: the first index earlier


@pytest.mark.parametrize("order", ["fixed", "random"])
def test_measured_moments_of_sequential_dynamics_are_those_of_enumeration(order: str) -> None:
    n, beta = 4, 1.2
    model = ising(n, seed=31)
    x, j = model.fields[:, 0], model.couplings
    if order == "fixed":
        states, transition, law, production = ising_steady_state_by_loops(j, x, beta, 1.0, sites=list(range(n)))
    else:
        moves = [ising_steady_state_by_loops(j, x, beta, 1.0, sites=[i])[1] for i in range(n)]
        states = ising_steady_state_by_loops(j, x, beta, 1.0, sites=[0])[0]
        transition = np.linalg.matrix_power(sum(moves) / n, n)
        law = np.linalg.matrix_power(transition, 200)[0]
        production = sum(law @ special.xlogy(move, move / np.where(move > 0, move.T, 1)).sum(1) for move in moves)
    m = law @ states
    weighted = law[:, None] * states
    exact = {
        "magnetization": m[:, None],
        "energy": law @ model.energy(states[:, :, None]),
        "entropy_production": production,
        "correlation": states.T @ weighted - np.outer(m, m),
        "delayed_correlation": states.T @ transition.T @ weighted - np.outer(m, m),
    }
    sim = gf.simulate(model, gf.SequentialHeatBath(beta, order=order), steps=10_000, replicas=30, burn_in=100, seed=8)
    for name in ("magnetization", "energy", "entropy_production"):
        assert agrees(sim, name, np.asarray(exact[name]), units=30), name
    for name in ("correlation", "delayed_correlation"):
        assert agrees(sim, name, np.asarray(exact[name]), units=15), name


# --- vectors: closed forms --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("dim", "radius"), [(2, 1.3), (3, 1.0), (5, 0.8), (12, "bal")])
@pytest.mark.parametrize("options", [{}, {"order": "random"}, {"overrelaxation": 2}])
def test_an_open_chain_correlates_by_a_product_of_bessel_ratios(dim: int, radius: float | str, options: dict) -> None:
    bonds = np.array([0.9, -0.7, 1.4, 0.5])
    couplings = np.diag(bonds, 1) + np.diag(bonds, -1)
    model = gf.VectorSpin(couplings, dim=dim, radius=radius)
    beta = 2.0 / model.r**2
    kappas = beta * np.abs(bonds) * model.r**2
    ratios = np.sign(bonds) * bessel_ratio(kappas, dim)
    expected = np.array([[np.prod(ratios[min(i, j) : max(i, j)]) for j in range(5)] for i in range(5)]) * model.r**2
    sim = gf.simulate(
        model, gf.SequentialHeatBath(beta, **options), steps=4000, replicas=30, burn_in=200, seed=dim
    )  # fmt: skip
    assert agrees(sim, "correlation", expected, units=15)
    assert agrees(sim, "energy", -(bonds * ratios).sum() * model.r**2 / 5, units=30)
    variance = ((beta * bonds * model.r**2) ** 2 * bessel_ratio_derivative(kappas, dim)).sum() / 5
    assert agrees(sim, "specific_heat", variance, units=30)
    assert np.isnan(sim.alignment_of_mean)  # there is no field to align with


def test_the_chain_test_would_catch_two_percent_in_beta() -> None:
    couplings = np.diag([0.9, 1.4], 1) + np.diag([0.9, 1.4], -1)
    model = gf.VectorSpin(couplings, dim=3, radius="unit")
    ratios = bessel_ratio(np.array([1.8, 2.8]), 3)
    sim = gf.simulate(model, gf.SequentialHeatBath(1.02 * 2.0), steps=4000, replicas=30, burn_in=100, seed=1)
    assert not agrees(sim, "energy", -(np.array([0.9, 1.4]) * ratios).sum() / 3, units=30)


@pytest.mark.parametrize(("dim", "coupling", "beta"), [(2, 0.8, 1.5), (3, -0.6, 2.0), (7, 1.1, 1.0)])
def test_one_spin_that_feels_itself_in_parallel_has_the_law_of_a_quadrature(dim, coupling, beta) -> None:
    field = 0.7
    model = gf.VectorSpin([[coupling]], np.eye(dim)[:1] * field, radius="unit")

    def weight(w: float) -> float:
        length = np.sqrt(field**2 + coupling**2 + 2 * field * coupling * w)
        kappa, nu = beta * length, dim / 2 - 1
        return np.exp(beta * field * w) * special.ive(nu, kappa) * np.exp(kappa) / kappa**nu

    # The angle as variable: sin^(D-2) has no singularity in it.
    moments = [
        integrate.quad(lambda a, k=k: np.cos(a) ** k * weight(np.cos(a)) * np.sin(a) ** (dim - 2), 0, np.pi)[0]
        for k in (0, 1)
    ]
    sim = gf.simulate(model, gf.ParallelHeatBath(beta), steps=3000, replicas=64, burn_in=100, seed=1)
    assert agrees(sim, "mean_of_alignment", moments[1] / moments[0], units=64)
    free = gf.simulate(model, gf.SequentialHeatBath(beta), steps=3000, replicas=64, burn_in=10, seed=1)
    assert agrees(free, "mean_of_alignment", bessel_ratio(beta * field, dim), units=64)  # there it is left out


@pytest.mark.parametrize("dim", [1, 2, 3, 6])
def test_symmetric_couplings_obey_detailed_balance_with_the_peretto_law(dim: int) -> None:
    """On random pairs, with the normaliser from scipy's Bessel functions: to machine precision."""
    rng = np.random.default_rng(dim)
    j = rng.normal(size=(5, 5))
    model = gf.VectorSpin(j + j.T, rng.normal(size=(5, dim)), radius=0.9)
    beta, nu = 0.7, dim / 2 - 1

    def log_z(spins):
        kappa = beta * model.r * np.linalg.norm(model.local_fields(spins), axis=-1)
        return (np.log(special.ive(nu, kappa)) + kappa - nu * np.log(kappa)).sum(-1)

    def log_step(before, later):
        return beta * (later * model.local_fields(before)).sum((-1, -2)) - log_z(before)

    def log_law(spins):
        return beta * (spins * model.fields).sum((-1, -2)) + log_z(spins)

    a, b = model.random_spins(replicas=50, seed=1), model.random_spins(replicas=50, seed=2)
    gap = log_law(a) + log_step(a, b) - log_law(b) - log_step(b, a)
    assert np.abs(gap).max() < 1e-11
    from glassformer.observables import log_transition_density

    ours = log_transition_density(model, beta, a, b) - log_transition_density(model, beta, b, a)
    assert np.abs(ours - (log_step(a, b) - log_step(b, a))).max() < 1e-11


@pytest.mark.parametrize(("dim", "replicas"), [(1, 64), (4, 40), (9, 1)])
def test_symmetric_couplings_produce_no_entropy(dim: int, replicas: int) -> None:
    couplings = gf.SherringtonKirkpatrick().sample(n=12, seed=3)
    model = gf.VectorSpin(couplings, gf.sphere_fields(12, dim=dim, seed=4, radius="unit"), radius="sqrt_d")
    sim = gf.simulate(model, gf.ParallelHeatBath(1.0), steps=40_000 // replicas, replicas=replicas, burn_in=100, seed=5)
    assert agrees(sim, "entropy_production", 0.0, units=max(16, replicas))
    driven = gf.VectorSpin(np.triu(couplings), model.fields, radius="sqrt_d")
    sim = gf.simulate(
        driven, gf.ParallelHeatBath(1.0), steps=40_000 // replicas, replicas=replicas, burn_in=100, seed=5
    )
    assert not agrees(sim, "entropy_production", 0.0, units=max(16, replicas))


def test_rotating_the_fields_and_the_start_rotates_the_means() -> None:
    rng = np.random.default_rng(8)
    rotation = np.linalg.qr(rng.normal(size=(5, 5)))[0]
    couplings = gf.Asymmetric().sample(n=9, seed=1)
    fields = gf.sphere_fields(9, dim=5, seed=2)
    start = gf.VectorSpin(couplings, fields).random_spins(replicas=1, seed=3)[0]
    plain = gf.VectorSpin(couplings, fields)
    turned = gf.VectorSpin(couplings, fields @ rotation.T)
    options = {"steps": 1500, "replicas": 40, "burn_in": 20}
    for dynamics in (gf.ParallelHeatBath(1.5), gf.SequentialHeatBath(1.5)):
        a = gf.simulate(plain, dynamics, start=start, seed=1, **options)
        b = gf.simulate(turned, dynamics, start=start @ rotation.T, seed=2, **options)
        for name in ("correlation", "delayed_correlation", "energy", "entropy_production"):
            error = np.hypot(np.asarray(a[f"{name}_error"]), np.asarray(b[f"{name}_error"]))
            gap = np.abs(np.asarray(a[name]) - np.asarray(b[name]))
            assert (gap <= stats.t.isf(LEVEL / 2 / gap.size, 19) * error + 1e-12).all(), name
        gap = np.asarray(b.magnetization) - np.asarray(a.magnetization) @ rotation.T
        # The error of a rotated mean is at most the root of the summed squares.
        bound = np.sqrt((np.asarray(a.magnetization_error) ** 2).sum(-1))[:, None] + np.asarray(b.magnetization_error)
        assert (np.abs(gap) < stats.t.isf(LEVEL / 2 / gap.size, 39) * bound).all()


def test_permuting_the_sites_permutes_the_means() -> None:
    model = ising(6, seed=2)
    order = np.array([3, 1, 5, 0, 4, 2])
    other = gf.VectorSpin(model.couplings[np.ix_(order, order)], model.fields[order], radius=1.0)
    a = gf.simulate(model, gf.ParallelHeatBath(1.0), steps=2000, replicas=40, burn_in=20, seed=1)
    b = gf.simulate(other, gf.ParallelHeatBath(1.0), steps=2000, replicas=40, burn_in=20, seed=2)
    gap = np.asarray(b.magnetization) - np.asarray(a.magnetization)[order]
    error = np.hypot(np.asarray(b.magnetization_error), np.asarray(a.magnetization_error)[order])
    assert (np.abs(gap) < stats.t.isf(LEVEL / 12, 39) * error).all()


# --- the exact rank test ----------------------------------------------------------------------------------------------


def rank_test(
    model, exact_draw, *, beta: float, bug: float, states: int, repetitions: int, gap: int, seed: int
) -> float:
    """Return the p-value of Besag and Clifford's test (1989): the rank of an exact draw inside a run through it is uniform.

    The adjoint of a sweep in fixed order is the sweep in the opposite order: the same kernel on reversed sites.
    """
    rng = np.random.default_rng(seed)
    backward_model = gf.VectorSpin(model.couplings[::-1, ::-1], model.fields[::-1], radius=model.r)
    ranks = []
    for place in range(states):
        count = repetitions // states
        start = exact_draw(rng, count)
        values = [model.energy(start)[:, None]]
        for length, system, flip in ((states - 1 - place, model, False), (place, backward_model, True)):
            if length:
                path = gf.simulate(
                    system, gf.SequentialHeatBath(bug * beta), steps=gap * length, replicas=count,
                    seed=seed + 2 * place + flip, start=start[:, ::-1] if flip else start,
                    measure=gf.Measure(correlations=False, series=False, snapshots=length),
                )["snapshots"].values  # fmt: skip
                values.append(system.energy(path).T)
        energies = np.round(np.concatenate(values, axis=1), 10)  # equal energies differ in the last bits
        order = energies + 0.0
        ties = rng.random(order.shape)
        below = (order < order[:, :1]) | ((order == order[:, :1]) & (ties < ties[:, :1]))
        ranks.append(below.sum(axis=1))
    counts = np.bincount(np.concatenate(ranks), minlength=states)
    return float(stats.chisquare(counts).pvalue)


def test_the_exact_rank_test_accepts_signs_and_rejects_five_percent_in_beta() -> None:
    beta = 1.0
    model = ising(8, seed=4, asymmetry=0.0)
    states = np.array(np.meshgrid(*[[-1.0, 1.0]] * 8, indexing="ij")).reshape(8, -1).T[:, :, None]
    weights = np.exp(-beta * 8 * model.energy(states))

    def exact(rng, count):
        return states[rng.choice(256, size=count, p=weights / weights.sum())]

    options = {"beta": beta, "states": 4, "repetitions": 16_000, "gap": 4}
    assert rank_test(model, exact, bug=1.0, seed=1, **options) > LEVEL
    assert rank_test(model, exact, bug=1.05, seed=1, **options) < LEVEL


def test_the_exact_rank_test_accepts_vectors_and_rejects_five_percent_in_beta() -> None:
    """An open chain can be drawn exactly: each spin given the one before is a von Mises-Fisher draw."""
    bonds = np.array([1.5, 0.8, 2.0, 1.2, 1.0, 1.7, 0.6])
    beta, dim = 1.0, 4
    model = gf.VectorSpin(np.diag(bonds, 1) + np.diag(bonds, -1), dim=dim, radius="sqrt_d")

    def exact(rng, count):
        spins = np.empty((count, 8, dim))
        first = rng.normal(size=(count, dim))
        spins[:, 0] = model.r * first / np.linalg.norm(first, axis=1)[:, None]
        for k, bond in enumerate(bonds):
            seed = int(rng.integers(2**40))
            spins[:, k + 1] = gf.sample_von_mises_fisher(bond * spins[:, k], beta, radius="sqrt_d", seed=seed)[0]
        return spins

    options = {"beta": beta, "states": 4, "repetitions": 16_000, "gap": 1}
    assert rank_test(model, exact, bug=1.0, seed=2, **options) > LEVEL
    assert rank_test(model, exact, bug=1.05, seed=2, **options) < LEVEL

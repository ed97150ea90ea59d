"""The replica-symmetric solution against dense grids, closed forms, its own derivatives and a simulation."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy.special import gammaln, ive

import glassformer as gf
from glassformer._core._errors import InvalidInputError

GLASSES = [
    pytest.param(dim, radius, law, field, id=f"D{dim}-{law}-{field:g}")
    for dim, radius in ((1, 0.8), (2, 1.1), (3, "bal"), (11, "sqrt_d"))
    for law in ("gaussian", "sphere")
    for field in (0.0, 0.35)
]
FERROMAGNETS = [
    (mean, law, field) for mean in (-0.7, 0.5, 1.6) for law in ("gaussian", "sphere", "uniform") for field in (0.0, 0.3)
]


def glass(dim: int, radius: Any = "sqrt_d", *, scale: float = 1.0, mean: float = 0.0, **options: Any) -> gf.VectorGlass:
    return gf.VectorGlass(gf.SherringtonKirkpatrick(scale=scale, mean=mean), dim=dim, radius=radius, **options)


def solve(law: gf.VectorGlass, beta: float) -> dict[str, float]:
    found = gf.solve(law, gf.ReplicaSymmetric(beta), throw=False)
    assert found.attrs["status"] == ("converged" if float(found.replicon) > -1e-9 else "out_of_range")
    return {str(name): float(value) for name, value in found.items()}


class Grid:
    """Fields J sqrt(q) z + (h, 0, ..): the component along h times the length of the rest, both on dense even grids."""

    def __init__(self, law: gf.VectorGlass, beta: float, q: float, m: float = 0.0) -> None:
        scale, h = float(law.law.scale), law.field
        noise = scale * math.sqrt(q)
        shift = float(law.law.mean) * m
        signs = [0.0]
        if law.field_law == "gaussian":
            noise = math.hypot(noise, h)
        elif law.field_law == "uniform":
            shift += math.sqrt(law.dim) * h
        else:
            signs = [1.0, -1.0] if law.law.mean else [1.0]  # alike without a mean
        z = np.linspace(-9.5, 9.5, 20_001 if law.dim == 1 else 401)
        along_weight = np.exp(-0.5 * z**2)
        along_weight /= along_weight.sum()
        if law.dim == 1:
            u, across_weight = np.zeros(1), np.ones(1)
        else:
            nodes, gauss = np.polynomial.legendre.leggauss(240)
            u = 6.5 * (1 + nodes)
            across_weight = gauss * u ** (law.dim - 2) * np.exp(-0.5 * u**2)
            across_weight /= across_weight.sum()
        pieces = [(noise * z + shift + s * math.sqrt(law.dim) * h) for s in signs]
        self.along = np.stack(pieces)[:, :, None]
        self.weight = (along_weight[:, None] * across_weight / len(signs))[None]
        size = np.hypot(self.along, noise * u)
        self.cosine = self.along / np.maximum(size, 1e-300)
        self.kappa = np.maximum(beta * law.r * size, 1e-12)
        nu = law.dim / 2 - 1
        if law.dim == 1:
            self.a = np.tanh(self.kappa)
            self.log_z = np.logaddexp(self.kappa, -self.kappa) - math.log(2)
        else:
            self.a = ive(nu + 1, self.kappa) / ive(nu, self.kappa)
            self.log_z = gammaln(nu + 1) + nu * np.log(2 / self.kappa) + np.log(ive(nu, self.kappa)) + self.kappa
        self.slope = 1 - self.a**2 - (law.dim - 1) / self.kappa * self.a

    def mean(self, values: np.ndarray) -> float:
        return float((self.weight * values).sum())


@pytest.mark.parametrize(("dim", "radius", "law", "field"), GLASSES)
@pytest.mark.parametrize("reduced", [0.45, 1.3])
def test_the_equations_hold_on_a_dense_grid(dim: int, radius: Any, law: str, field: float, reduced: float) -> None:
    system = glass(dim, radius, scale=1.3, field_law=law, field=field)
    r, d, scale = system.r, dim, 1.3
    beta = 1.0 / (reduced * system.critical_temperature)
    found = solve(system, beta)
    grid = Grid(system, beta, found["overlap"])
    q = found["overlap"]
    assert grid.mean(r * r * grid.a**2) / d == pytest.approx(q, rel=1e-5, abs=1e-12)
    free = -((beta * scale) ** 2 * d / 4 * (r * r / d - q) ** 2 + grid.mean(grid.log_z)) / beta
    assert found["free_energy"] == pytest.approx(free, rel=1e-5)
    stiff = grid.mean((beta * r * r * grid.slope) ** 2 + (d - 1) * (beta * r * r * grid.a / grid.kappa) ** 2)
    assert found["replicon"] == pytest.approx(1 - scale**2 / d * stiff, abs=2e-5)
    assert found["overlap_normalized"] == pytest.approx(q * d / r**2, rel=1e-12)
    assert (q == 0.0) == (field == 0.0 and reduced > 1)


@pytest.mark.parametrize(("mean", "law", "field"), FERROMAGNETS)
def test_the_ferromagnet_solves_its_equations_and_no_solution_is_lower(mean: float, law: str, field: float) -> None:
    system, beta = glass(1, 0.9, mean=mean, field_law=law, field=field), 1.9
    found = solve(system, beta)
    grid = Grid(system, beta, found["overlap"], found["magnetization"])
    assert 0.81 * grid.mean(grid.a**2) == pytest.approx(found["overlap"], abs=1e-9)
    assert 0.9 * grid.mean(grid.a * grid.cosine) == pytest.approx(
        found["magnetization"] if mean or law == "uniform" else 0, abs=1e-9
    )
    ordered = mean == 1.6 or (law == "uniform" and field > 0)
    assert (found["magnetization"] > 1e-3) == ordered
    if mean == 1.6 and law != "uniform":
        paramagnet = glass(1, 0.9, field_law=law, field=field)  # the branch m = 0 does not know the mean
        assert found["free_energy"] < solve(paramagnet, beta)["free_energy"]


@pytest.mark.parametrize(
    "system",
    [
        glass(3, "bal", scale=1.3, field=0.2),
        glass(7, "sqrt_d", field_law="sphere", field=0.4),
        glass(2, 1.2),
        glass(1, 0.8, mean=1.6, field_law="sphere", field=0.3),
        glass(1, 0.8, mean=0.4, field_law="uniform", field=0.2),
        glass(1, 0.8, mean=2.1),
        glass(2, 1.1, scale=1.2, field_law="uniform", field=0.3),
        glass(9, "bal", field_law="uniform", field=0.8),
    ],
    ids=str,
)
@pytest.mark.parametrize("beta", [0.4, 2.0, 9.0])
def test_energy_entropy_and_specific_heat_are_derivatives_of_the_free_energy(
    system: gf.VectorGlass, beta: float
) -> None:
    step = 1e-3 * beta
    at = {k: solve(system, beta + k * step) for k in (-2, -1, 0, 1, 2)}

    def derivative(function: Any) -> float:
        value = {k: function(beta + k * step, one) for k, one in at.items()}
        return (8 * (value[1] - value[-1]) - (value[2] - value[-2])) / (12 * step)

    assert derivative(lambda b, one: b * one["free_energy"]) == pytest.approx(at[0]["energy"], rel=1e-8)
    assert -(beta**2) * derivative(lambda b, one: one["energy"]) == pytest.approx(at[0]["specific_heat"], rel=1e-6)
    assert beta * (at[0]["energy"] - at[0]["free_energy"]) == pytest.approx(at[0]["entropy"], rel=1e-9)
    assert at[0]["entropy"] <= 0.0


@pytest.mark.parametrize("dim", [1, 2, 3, 5, 64, 300])
def test_without_field_it_is_a_paramagnet_above_the_critical_temperature(dim: int) -> None:
    system = glass(dim, 1.7, scale=0.6)
    r, beta = 1.7, 1 / (1.25 * system.critical_temperature)
    assert system.critical_temperature == pytest.approx(0.6 * r * r / dim)
    found = solve(system, beta)
    assert found["overlap"] == 0.0
    assert found["energy"] == pytest.approx(-(beta * 0.36 * r**4) / (2 * dim), rel=1e-12)
    assert found["replicon"] == pytest.approx(1 - 1.25**-2, rel=1e-12)
    assert found["specific_heat"] == pytest.approx(beta**2 * 0.36 * r**4 / (2 * dim), rel=1e-9)
    cold = solve(system, 1 / (0.999 * system.critical_temperature))
    assert cold["replicon"] < 0.0 < cold["overlap_normalized"] < 2e-3


@pytest.mark.parametrize("dim", [1, 2, 3, 8, 40])
@pytest.mark.parametrize("law", ["gaussian", "sphere"])
def test_cold_spins_have_half_a_unit_of_heat_per_direction(dim: int, law: str) -> None:
    found = solve(glass(dim, 1.3, field_law=law, field=0.7), 1e5)
    assert found["specific_heat"] == pytest.approx(0.5 * (dim - 1), rel=1e-4, abs=2e-4)
    assert found["overlap_normalized"] == pytest.approx(1.0, abs=1e-4)


def test_known_values_of_the_ising_glass() -> None:
    cold = solve(glass(1, "unit"), 1e7)
    assert cold["energy"] == pytest.approx(-math.sqrt(2 / math.pi), abs=1e-6)  # Sherrington and Kirkpatrick 1975
    assert cold["entropy"] == pytest.approx(-math.log(2) - 1 / (2 * math.pi), abs=1e-6)
    free_spins = solve(glass(1, "unit", scale=0.0, mean=1.5), 1.0)  # Curie-Weiss: m = tanh(1.5 m)
    assert free_spins["magnetization"] == pytest.approx(math.tanh(1.5 * free_spins["magnetization"]), rel=1e-12)
    assert free_spins["magnetization"] > 0.8
    one = solve(glass(3, 1.4, scale=0.0, field_law="sphere", field=0.5), 2.0)  # Langevin
    kappa = 2.0 * 1.4 * 0.5 * math.sqrt(3)
    assert one["overlap"] == pytest.approx((1.4 * (1 / math.tanh(kappa) - 1 / kappa)) ** 2 / 3, rel=1e-10)


@pytest.mark.parametrize("reduced", [0.3, 0.9, 1.2])
@pytest.mark.parametrize("strength", [0.0, 0.5])
def test_many_components_are_the_large_limit(reduced: float, strength: float) -> None:
    gaps = []
    for dim in (64, 512):
        system = glass(dim, "sqrt_d", scale=1.3, field_law="sphere", field=strength)
        beta = 1 / (reduced * system.critical_temperature)
        found = solve(system, beta)
        limit = gf.solve(gf.LargeLimit(system.law, strength, radius="sqrt_d"), gf.SaddlePoint(beta))
        gaps.append(
            [
                found["overlap_normalized"] - float(limit.overlap_normalized),
                found["energy"] / dim - float(limit.energy_per_spin_and_component),
                found["specific_heat"] / dim - float(limit.specific_heat_per_spin_and_component),
            ]
        )
    assert np.abs(gaps[0]).max() < 0.02
    assert np.abs(gaps[1]).max() < 0.15 * np.abs(gaps[0]).max() + 1e-12


@pytest.mark.parametrize("temperature", [0.2, 0.7, 1.4])
@pytest.mark.parametrize("radius", ["bal", "sqrt_d"])
def test_the_spherical_limit_without_field(temperature: float, radius: str) -> None:
    r2, scale = {"bal": 0.5, "sqrt_d": 1.0}[radius], 1.7
    limit = gf.LargeLimit(gf.SherringtonKirkpatrick(scale=scale), strength=0.0, radius=radius)
    critical = scale * r2
    t = temperature * critical
    found = gf.solve(limit, gf.SaddlePoint(1 / t))
    cold = temperature < 1
    assert float(found.overlap_normalized) == pytest.approx(max(1 - temperature, 0.0), abs=1e-14)
    energy = -scale * r2 + t / 2 if cold else -((scale * r2) ** 2) / (2 * t)
    assert float(found.energy_per_spin_and_component) == pytest.approx(energy, rel=1e-12)
    assert float(found.specific_heat_per_spin_and_component) == pytest.approx(
        0.5 if cold else 0.5 / temperature**2, rel=1e-12
    )


@pytest.mark.parametrize(("reduced", "tolerance"), [(0.6, 1.2 * 300**-0.4), (1.5, 0.01)])
def test_a_large_sample_tends_to_the_spherical_limit(reduced: float, tolerance: float) -> None:
    """Of one sample as D grows; below T_c about N^(2/5) modes condense, and the energy is off by N^(-2/5)."""
    n, dim = 300, 300
    law = gf.SherringtonKirkpatrick()
    limit = gf.solve(gf.LargeLimit(law, 0.0, radius="sqrt_d"), gf.SaddlePoint(1 / reduced))
    sample = gf.VectorSpin(law.sample(n=n, seed=5), dim=dim, radius="sqrt_d")
    found = gf.solve(sample, gf.SaddlePoint(1 / reduced))
    assert float(found.energy) / dim == pytest.approx(float(limit.energy_per_spin_and_component), abs=tolerance)


@pytest.mark.parametrize(("dim", "radius", "field"), [(2, 1.3, 0.2), (3, "bal", 0.5), (8, 0.9, 0.4)])
def test_a_uniform_field_orders_one_component_and_the_transverse_freeze_on_their_line(
    dim: int, radius: Any, field: float
) -> None:
    system = glass(dim, radius, scale=1.2, field_law="uniform", field=field)
    line = gf.solve(glass(dim, radius, scale=1.2, field_law="uniform"), gf.GabayToulouse(system.field_per_site))
    t = float(line.temperature)
    at = solve(system, 1 / t)
    assert at["replicon"] == pytest.approx(0.0, abs=1e-9)
    assert at["magnetization"] == pytest.approx(float(line.magnetization), rel=1e-9)
    assert at["overlap"] == pytest.approx(float(line.overlap_longitudinal) / dim, rel=1e-9)
    assert at["square_transverse"] == pytest.approx(float(line.square_transverse), rel=1e-9)
    assert solve(system, 1.1 / t)["replicon"] < 0.0 < solve(system, 0.9 / t)["replicon"]
    # a vanishing field leaves the paramagnet
    beta = 0.7 / system.critical_temperature
    hot = solve(glass(dim, radius, scale=1.2, field_law="uniform", field=1e-7), beta)
    isotropic = solve(glass(dim, radius, scale=1.2), beta)
    for name in ("energy", "free_energy", "entropy", "replicon", "specific_heat"):
        assert hot[name] == pytest.approx(isotropic[name], rel=1e-6)


@pytest.mark.parametrize(
    ("dim", "law", "field"),
    [(1, "gaussian", 0.6), (3, "gaussian", 0.5), (3, "sphere", 0.5), (6, "sphere", 0.3), (3, "uniform", 0.6)],
)
def test_a_simulation_in_a_field_agrees(dim: int, law: str, field: float) -> None:
    n, samples = 200, 6
    system = glass(dim, "sqrt_d", field_law=law, field=field)
    beta = 0.9 if law == "uniform" else 1.6  # above the line
    theory = solve(system, beta)
    assert theory["replicon"] > 0.0
    rows = []
    for seed in range(samples):
        found = gf.simulate(
            system.sample(n=n, seed=seed),
            gf.SequentialHeatBath(beta),
            steps=600,
            burn_in=200,
            replicas=4,
            seed=seed + 50,
            measure=gf.Measure(correlations=False),
        )
        rows.append((float(found.energy), float(found.magnetization_sum_of_squares) / (n * dim)))
    mean, error = np.mean(rows, axis=0), np.std(rows, axis=0, ddof=1) / math.sqrt(samples)
    expected = np.array([theory["energy"], theory["overlap"]])
    # finite size shifts intensive quantities by O(1/N); 6 standard errors of 6 samples
    assert (np.abs(mean - expected) < 6 * error + 3.0 * np.abs(expected) / n).all(), (mean, expected, error)


def test_extreme_temperatures_and_fields_stay_finite_and_consistent() -> None:
    for system in (
        glass(1, 1.0, field_law="uniform", field=1e8),
        glass(64, "bal", field_law="sphere", field=0.01),
        glass(3, 2.0, field=1e-9),
        glass(4, "bal", scale=0.0),
        glass(2, 0.1, mean=0.0, field=3.0),
    ):
        for beta in (0.0, 1e-9, 1.0, 1e4, 1e8):
            found = solve(system, beta)
            assert all(math.isfinite(value) for value in found.values())
            assert found["residual"] < 1e-9
            assert 0.0 <= found["overlap_normalized"] <= 1.0
            assert found["specific_heat"] + 1e-4 * (beta > 1e3) >= -1e-12


def test_sampling_a_glass_draws_what_the_law_says() -> None:
    n, dim, h = 1200, 3, 0.7
    for law in ("gaussian", "sphere", "uniform"):
        system = gf.VectorGlass(dim=dim, radius=0.4, field_law=law, field=h)
        fields = system.sample(n=n, seed=1).fields if law != "gaussian" else None
        if fields is None:
            fields = gf.VectorGlass(dim=dim, radius=2.0, field=h).sample(n=n, seed=1).fields
            assert np.abs(fields.std(axis=0) - h).max() < 5 * h / math.sqrt(2 * n)
            assert np.abs(fields.mean(axis=0)).max() < 5 * h / math.sqrt(n)
            continue
        assert np.allclose(np.linalg.norm(fields, axis=1), system.field_per_site, rtol=1e-12)
        assert (np.ptp(fields, axis=0).max() == 0.0) == (law == "uniform")
    ising = gf.VectorGlass(dim=1, radius=1, field_law="uniform", field=0.3).sample(n=5, seed=2)
    assert np.array_equal(ising.fields, np.full((5, 1), 0.3))
    first, again = (gf.VectorGlass(dim=2, radius=1, field=0.3).sample(n=6, seed=9) for _ in range(2))
    assert np.array_equal(first.couplings, again.couplings)
    assert np.array_equal(first.fields, again.fields)


@pytest.mark.parametrize(
    ("system", "method", "piece"),
    [
        (gf.VectorGlass(dim=3), gf.TAP(1.0), "it needs one sample"),
        (gf.VectorGlass(dim=3), gf.Measure(), "ReplicaSymmetric, AlmeidaThouless do"),
        (gf.SherringtonKirkpatrick(), gf.ReplicaSymmetric(1.0), "VectorGlass(law, dim=...)"),
        (gf.VectorGlass(dim=3).sample(n=4, seed=1), gf.ReplicaSymmetric(1.0), "VectorGlass(law, dim=...)"),
        (glass(3, mean=0.5), gf.ReplicaSymmetric(1.0), "a mean of the couplings needs dim=1"),
    ],
)
def test_what_a_method_cannot_treat_is_refused(system: Any, method: Any, piece: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        gf.solve(system, method)
    assert piece in str(caught.value)


@pytest.mark.parametrize(
    ("options", "piece"),
    [
        ({"dim": 2}, "at least 3 for radius='bal'"),
        ({"dim": 3, "field": -0.1}, "field is -0.1"),
        ({"dim": 3, "field": float("nan")}, "field is nan"),
        ({"dim": 3, "field_law": "cauchy"}, "one of gaussian, sphere, uniform"),
        ({"dim": 3, "law": gf.Asymmetric()}, "symmetric couplings"),
        ({"dim": 0}, "dim is 0"),
    ],
)
def test_a_glass_that_cannot_be_is_refused(options: dict[str, Any], piece: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        gf.VectorGlass(**options)
    assert piece in str(caught.value)


def test_start_and_steps_mean_nothing_for_a_law() -> None:
    with pytest.raises(InvalidInputError, match="left out for a law"):
        gf.solve(gf.VectorGlass(dim=3), gf.ReplicaSymmetric(1.0), steps=3)

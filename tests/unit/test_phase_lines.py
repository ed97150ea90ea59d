"""The lines of Almeida-Thouless and Gabay-Toulouse: published values, limits, identities and dense integrals."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.special import gammaln, ive

import glassformer as gf
from glassformer._core._errors import InvalidInputError


def glass(dim: int, radius: Any = "sqrt_d", *, scale: float = 1.0, mean: float = 0.0, **options: Any) -> gf.VectorGlass:
    return gf.VectorGlass(gf.SherringtonKirkpatrick(scale=scale, mean=mean), dim=dim, radius=radius, **options)


def line(law: gf.VectorGlass, temperature: float | None = None) -> dict[str, float]:
    found = gf.solve(law, gf.AlmeidaThouless(temperature))
    assert float(found.residual) < 1e-11
    return {str(name): float(value) for name, value in found.items()}


def crossing(law: gf.VectorGlass, field: float) -> dict[str, float]:
    found = gf.solve(law, gf.GabayToulouse(field))
    assert float(found.residual) < 1e-8
    return {str(name): float(value) for name, value in found.items()}


# The line of Almeida and Thouless


@pytest.mark.parametrize(
    ("dim", "temperature", "field"),
    [
        (2, 0.5, 0.4085),
        (2, 0.8, 0.0937),
        (3, 0.1, 0.7965),
        (3, 0.5, 0.3177),
        (3, 0.8, 0.0798),
        (10, 0.5, 0.1578),
        (32, 0.1, 0.1639),
        (32, 0.5, 0.0849),
    ],
)
def test_values_in_a_gaussian_field(dim: int, temperature: float, field: float) -> None:
    assert line(glass(dim), temperature)["field"] == pytest.approx(field, abs=6e-5)


@pytest.mark.parametrize(
    ("temperature", "field"),
    [(0.2, 1.3819), (0.4, 0.7945), (0.5, 0.5699), (0.6, 0.3827), (0.8, 0.1176), (0.9, 0.0388)],
)
def test_values_of_the_ising_glass(temperature: float, field: float) -> None:
    for law in ("uniform", "sphere"):
        assert line(glass(1, "unit", field_law=law), temperature)["field"] == pytest.approx(field, abs=6e-5)


def _dense(dim: int, temperature: float, field: float, law: str) -> tuple[float, float]:
    """Return q and the field on the line at R^2 = D, J = 1 by nested adaptive integrals; D = 1 with a fixed field."""
    beta, r = 1.0 / temperature, math.sqrt(dim)

    def average(function: Any, spread: float, shift: float) -> float:
        if dim == 1:
            weight = lambda z: math.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)  # noqa: E731
            kink = -shift / spread
            points = sorted(p for p in (kink - 3 / (beta * spread), kink, kink + 3 / (beta * spread)) if abs(p) < 10)
            return quad(lambda z: weight(z) * function(abs(spread * z + shift)), -10, 10, points=points, limit=400)[0]
        log_norm = (dim / 2 - 1) * math.log(2) + gammaln(dim / 2)
        weight = lambda z: math.exp((dim - 1) * math.log(z) - 0.5 * z * z - log_norm)  # noqa: E731
        return quad(lambda z: weight(z) * function(spread * z), 1e-12, math.sqrt(dim) + 12, limit=400)[0]

    def ratio(h: float) -> float:
        kappa = max(beta * r * h, 1e-9)
        return math.tanh(kappa) if dim == 1 else float(ive(dim / 2, kappa) / ive(dim / 2 - 1, kappa))

    def stiffness(h: float) -> float:
        kappa = max(beta * r * h, 1e-6)
        a = ratio(h)
        slope = 1 - a * a - (dim - 1) / kappa * a
        return (beta * r * r * slope) ** 2 + (dim - 1) * (beta * r * r * a / kappa) ** 2

    def split(q: float) -> tuple[float, float]:
        return (math.sqrt(q + field**2), 0.0) if law == "gaussian" else (math.sqrt(q), field)

    q = brentq(lambda q: average(lambda h: ratio(h) ** 2, *split(q)) * r * r / dim - q, 1e-6, r * r / dim, xtol=1e-13)
    return q, average(stiffness, *split(q)) / dim


@pytest.mark.parametrize(
    ("dim", "temperature", "law"),
    [(1, 0.37, "gaussian"), (1, 0.03, "uniform"), (2, 0.07, "gaussian"), (5, 0.63, "gaussian"), (24, 0.21, "gaussian")],
)
def test_the_line_by_adaptive_integration(dim: int, temperature: float, law: str) -> None:
    found = line(glass(dim, field_law=law), temperature)
    q, stiffness = _dense(dim, temperature, found["field"], law)
    assert found["overlap"] == pytest.approx(q, rel=1e-8)
    assert stiffness == pytest.approx(1.0, abs=1e-7)


@pytest.mark.parametrize("dim", [1, 2, 3, 7, 32, 200])
@pytest.mark.parametrize("law", ["gaussian", "sphere"])
def test_the_replicon_of_the_symmetric_solution_vanishes_on_the_line_and_changes_sign(dim: int, law: str) -> None:
    for reduced in (0.02, 0.45, 0.93):
        empty = glass(dim, 1.4, scale=0.7, field_law=law)
        t = reduced * empty.critical_temperature
        found = line(empty, t)

        at, below, above = (
            gf.solve(
                glass(dim, 1.4, scale=0.7, field_law=law, field=factor * found["field"]),
                gf.ReplicaSymmetric(1 / t),
            )
            for factor in (1.0, 0.9, 1.1)
        )
        assert float(at.replicon) == pytest.approx(0.0, abs=1e-9)
        assert float(at.overlap) == pytest.approx(found["overlap"], rel=1e-9)
        assert float(below.replicon) < 0.0 < float(above.replicon)


@pytest.mark.parametrize("dim", [1, 2, 3, 10, 100, 512])
def test_small_fields(dim: int) -> None:
    """h^2 = 4 (1 - T)^3 / (D + 2) near T_c, for every law of the field."""
    for law in ("gaussian", "sphere"):
        for gap, tolerance in ((1e-2, 0.03), (1e-3, 0.003)):
            found = line(glass(dim, field_law=law), 1 - gap)
            assert found["field"] ** 2 == pytest.approx(4 / (dim + 2) * gap**3, rel=tolerance)


@pytest.mark.parametrize("dim", [3, 4, 9, 64, 512])
def test_zero_temperature(dim: int) -> None:
    radius, scale = 1.7, 0.6
    found = line(glass(dim, radius, scale=scale), 0.0)
    assert found["field"] == pytest.approx(scale * radius / math.sqrt(dim * (dim - 2)), rel=1e-13)
    cold = line(glass(dim, radius, scale=scale), 1e-4 * scale * radius**2 / dim)
    assert cold["field"] == pytest.approx(found["field"], rel=1e-3)
    fixed = line(glass(dim, radius, scale=scale, field_law="sphere"), 0.0)
    near = line(glass(dim, radius, scale=scale, field_law="sphere"), 1e-4 * scale * radius**2 / dim)
    assert near["field"] == pytest.approx(fixed["field"], rel=1e-3)
    assert 0.8 < fixed["field"] / found["field"] < 1.0
    # a Gaussian field of the same mean square is the same thing when there are many components
    assert fixed["field"] / found["field"] == pytest.approx(1.0, abs=0.5 / dim)


@pytest.mark.parametrize("dim", [3, 4, 8, 32, 100])
def test_in_the_bal_convention_the_cold_field_at_a_site_does_not_depend_on_the_number_of_components(dim: int) -> None:
    assert line(glass(dim, "bal", scale=1.3), 0.0)["field_per_site"] == pytest.approx(1.3 / math.sqrt(2), rel=1e-13)


def test_for_one_and_two_components_the_line_goes_to_infinity() -> None:
    for dim in (1, 2):
        for law in ("gaussian", "sphere"):
            fields = [line(glass(dim, 1, field_law=law), t)["field"] for t in (1e-1, 1e-3, 1e-6)]
            assert fields[0] < fields[1] < fields[2]
            with pytest.raises(InvalidInputError, match="infinite field"):
                gf.solve(glass(dim, 1, field_law=law), gf.AlmeidaThouless(0.0))
    # D = 1: E sech^4 is dominated by fields within T of zero
    t = 1e-6
    assert line(glass(1), t)["field"] == pytest.approx(4 / (3 * math.sqrt(2 * math.pi) * t), rel=1e-4)


@pytest.mark.parametrize("dim", [3, 16])
@pytest.mark.parametrize("law", ["gaussian", "sphere"])
def test_radius_conventions_are_units(dim: int, law: str) -> None:
    reference = line(glass(dim, field_law=law), 0.4)
    for radius, scale in (("bal", 1.0), ("unit", 2.5), (3.3, 0.2)):
        other = glass(dim, radius, scale=scale, field_law=law)
        found = line(other, 0.4 * scale * other.r**2 / dim)
        assert found["field"] == pytest.approx(scale * other.r / math.sqrt(dim) * reference["field"], rel=1e-10)
        assert found["overlap_normalized"] == pytest.approx(reference["overlap_normalized"], rel=1e-10)
        assert found["field_per_site"] == pytest.approx(math.sqrt(dim) * found["field"], rel=1e-14)


def test_at_the_critical_temperature_the_field_is_zero_and_above_there_is_no_line() -> None:
    for dim, radius in ((1, "unit"), (3, "sqrt_d"), (5, "bal")):
        system = glass(dim, radius)
        assert line(system, system.critical_temperature)["field"] == 0.0
        with pytest.raises(InvalidInputError, match="at most T_c"):
            gf.solve(system, gf.AlmeidaThouless(1.001 * system.critical_temperature))


@pytest.mark.parametrize(
    ("dim", "law"), [(1, "uniform"), (1, "gaussian"), (2, "sphere"), (3, "gaussian"), (6, "sphere")]
)
@pytest.mark.parametrize("reduced", [0.08, 0.6, 0.99])
def test_the_temperature_at_a_field_is_the_inverse_of_the_field_at_a_temperature(
    dim: int, law: str, reduced: float
) -> None:
    empty = glass(dim, 1.2, scale=1.4, field_law=law)
    t = reduced * empty.critical_temperature
    field = line(empty, t)["field"]
    back = line(glass(dim, 1.2, scale=1.4, field_law=law, field=field))
    assert back["temperature"] == pytest.approx(t, rel=1e-9)
    assert back["field"] == field


@pytest.mark.parametrize(("temperature", "mean", "m", "q"), [(0.5, 1.2204, 0.467, 0.641), (0.9, 1.0094, None, None)])
def test_the_line_inside_the_ferromagnet(temperature: float, mean: float, m: float | None, q: float | None) -> None:
    found = line(glass(1, "unit", field_law="uniform"), temperature)
    assert found["coupling_mean"] == pytest.approx(mean, abs=6e-5)
    if m is not None and q is not None:
        assert found["magnetization"] == pytest.approx(m, abs=6e-4)
        assert found["overlap"] == pytest.approx(q, abs=6e-4)
    ferromagnet = glass(1, "unit", mean=found["coupling_mean"], field_law="uniform")
    solved = gf.solve(ferromagnet, gf.ReplicaSymmetric(1 / temperature))
    assert float(solved.replicon) == pytest.approx(0.0, abs=1e-10)
    assert float(solved.overlap) == pytest.approx(found["overlap"], rel=1e-9)  # J_0 m = H and the same q
    assert found["coupling_mean"] * float(solved.magnetization) == pytest.approx(found["field"], rel=1e-9)
    assert line(ferromagnet)["temperature"] == pytest.approx(temperature, rel=1e-9)


def test_a_mean_and_a_field_together() -> None:
    system = glass(1, 0.8, scale=1.3, mean=0.5, field_law="uniform", field=0.2)
    t = line(system)["temperature"]
    assert float(gf.solve(system, gf.ReplicaSymmetric(1 / t)).replicon) == pytest.approx(0.0, abs=1e-10)
    empty = glass(1, 0.8, scale=1.3, mean=0.5, field_law="uniform")
    assert line(empty, t)["field"] == pytest.approx(0.2, rel=1e-9)
    assert line(empty)["temperature"] == empty.critical_temperature  # J_0 < J: the glass borders the paramagnet


@pytest.mark.parametrize(
    ("system", "method", "piece"),
    [
        (glass(3, field_law="uniform"), gf.AlmeidaThouless(0.5), "Gabay and Toulouse"),
        (glass(3, mean=0.4), gf.AlmeidaThouless(0.5), "dim=1 and field_law='uniform'"),
        (glass(3, field=0.1), gf.AlmeidaThouless(0.5), "leave the temperature out"),
        (glass(3, field=1.01), gf.AlmeidaThouless(), "replica symmetry never breaks"),
        (glass(1, "unit", mean=11.0, field_law="uniform"), gf.AlmeidaThouless(), "the mean of the couplings is 11.0"),
        (glass(1, "unit", mean=2.0, field_law="uniform"), gf.AlmeidaThouless(0.5), "the ferromagnet is stable"),
        (glass(3, scale=0.0), gf.AlmeidaThouless(0.0), "> 0 for a glass"),
        (glass(3), gf.AlmeidaThouless(1e-30), "0 or at least"),
        (glass(3), gf.GabayToulouse(0.5), "field_law='uniform' and at least 2 components"),
        (glass(1, "unit", field_law="uniform"), gf.GabayToulouse(0.5), "at least 2 components"),
        (glass(3, field_law="uniform", field=0.5), gf.GabayToulouse(0.5), "must have field=0"),
        (glass(3, mean=0.3, field_law="uniform"), gf.GabayToulouse(0.5), "mean 0"),
        (glass(3, field_law="uniform"), gf.GabayToulouse(100.0), "at most 7 J R"),
    ],
)
def test_what_has_no_line_is_refused(system: gf.VectorGlass, method: Any, piece: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        gf.solve(system, method)
    assert piece in str(caught.value)


@pytest.mark.parametrize(
    "make",
    [
        lambda: gf.AlmeidaThouless(-0.1),
        lambda: gf.AlmeidaThouless(float("nan")),
        lambda: gf.AlmeidaThouless("0.5"),  # type: ignore[arg-type]
        lambda: gf.GabayToulouse(-0.1),
        lambda: gf.GabayToulouse(float("inf")),
    ],
)
def test_arguments_that_are_no_temperature_or_field_are_refused(make: Any) -> None:
    with pytest.raises(InvalidInputError):
        make()


# The line of Gabay and Toulouse


def _sphere_moments(
    dim: int, beta: float, field: np.ndarray, quadrupole: float, r: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return <S_L> and <S_L^2> by one Gauss rule in the angle."""
    nodes, gauss = np.polynomial.legendre.leggauss(500)
    theta = 0.5 * np.pi * (1 + nodes)
    along = r * np.cos(theta)
    log = beta * field[:, None] * along + quadrupole * along**2 + (dim - 2) * np.log(np.sin(theta))
    weight = np.exp(log - log.max(axis=1, keepdims=True)) * gauss
    total = weight.sum(1)
    return weight @ along / total, weight @ along**2 / total


@pytest.mark.parametrize(
    ("dim", "radius", "scale", "field"),
    [
        (2, 1.0, 1.0, 0.4),
        (2, 1.3, 0.8, 2.4),
        (3, "sqrt_d", 1.0, 0.5),
        (3, "bal", 1.7, 1.0),
        (9, 1.9, 0.6, 1.5),
        (40, "bal", 1.0, 3.0),
    ],
)
def test_the_equations_of_the_crossing_on_a_dense_grid(dim: int, radius: Any, scale: float, field: float) -> None:
    system = glass(dim, radius, scale=scale, field_law="uniform")
    found = crossing(system, field)
    r, beta, q, p = system.r, 1 / found["temperature"], found["overlap_longitudinal"], found["square_longitudinal"]
    transverse = (r * r - p) / (dim - 1)
    z = np.linspace(-9, 9, 901)
    weight = np.exp(-0.5 * z**2)
    weight /= weight.sum()
    quadrupole = 0.5 * (beta * scale) ** 2 * (p - q - transverse)
    first, second = _sphere_moments(dim, beta, scale * math.sqrt(q) * z + field, quadrupole, r)
    assert weight @ first**2 == pytest.approx(q, rel=1e-8)
    assert weight @ second == pytest.approx(p, rel=1e-8)
    assert weight @ first == pytest.approx(found["magnetization"], rel=1e-8)
    assert (beta * scale) ** 2 * (weight @ ((r * r - second) / (dim - 1)) ** 2) == pytest.approx(1.0, abs=1e-7)
    assert found["square_transverse"] == pytest.approx(transverse, rel=1e-12)
    assert quadrupole < 0.0


@pytest.mark.parametrize("dim", [2, 3, 5, 20])
def test_weak_uniform_fields(dim: int) -> None:
    coefficient = (dim**2 + 4 * dim + 2) / (4 * (dim + 2) ** 2)
    # corrections are of relative order D h: extrapolate from two fields
    small, smaller = (
        (1 - crossing(glass(dim, field_law="uniform"), h)["temperature"]) / h**2 for h in (0.06 / dim, 0.03 / dim)
    )
    assert 2 * smaller - small == pytest.approx(coefficient, rel=2e-3)
    assert smaller == pytest.approx(coefficient, rel=0.05)


@pytest.mark.parametrize("dim", [2, 3, 12, 300])
def test_the_crossing_falls_with_the_field_and_starts_at_the_critical_temperature(dim: int) -> None:
    system = glass(dim, 1.3, scale=0.7, field_law="uniform")
    fields = [0.0, 0.01, 0.3, 0.9, 2.0]
    temperatures = [crossing(system, h)["temperature"] for h in fields]
    assert temperatures[0] == pytest.approx(system.critical_temperature, rel=1e-14)
    assert (np.diff(temperatures) < 0).all()


def test_the_crossing_in_other_conventions_is_the_same_in_units() -> None:
    reference = crossing(glass(4, field_law="uniform"), 0.8)
    for radius, scale in (("bal", 1.0), ("unit", 2.5), (3.3, 0.2)):
        other = glass(4, radius, scale=scale, field_law="uniform")
        found = crossing(other, 0.8 * scale * other.r / 2.0)
        assert found["temperature"] == pytest.approx(scale * other.r**2 / 4 * reference["temperature"], rel=1e-10)


def test_strong_uniform_fields_still_leave_a_crossing() -> None:
    """Spins whose fields nearly cancel freeze at any h: T falls as exp(-h^2 / 4 J^2 R^2) up to powers of h."""
    system = glass(3, 1.0, field_law="uniform")
    logs = [math.log(crossing(system, h)["temperature"]) for h in (5.0, 6.0, 7.0)]
    assert logs[0] - logs[1] == pytest.approx((36 - 25) / 4, rel=0.3)
    assert logs[1] - logs[2] == pytest.approx((49 - 36) / 4, rel=0.3)

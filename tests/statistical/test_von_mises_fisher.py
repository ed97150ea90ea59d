"""Single spins follow the von Mises-Fisher law at every dimension and concentration.

Level 1e-6 per test, two-sided; the injected bugs at the end show what that level catches.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import glassformer as gf
from glassformer._core._bessel import bessel_ratio, bessel_ratio_derivative

DIMS = (1, 2, 3, 4, 7, 32)
KAPPAS = (0.0, 1e-8, 0.3, 2.0, 17.0, 400.0, 1e5, 1e10)
Z = stats.norm.isf(5e-7)
DRAWS = 100_000


def draw(dim: int, kappa: float, *, seed: int, draws: int = DRAWS) -> tuple[np.ndarray, np.ndarray]:
    """Return (unit field, spins of length 1.7 over 1.7) for a field of any length in a generic direction."""
    direction = np.random.default_rng(dim).normal(size=dim)
    direction /= np.linalg.norm(direction)
    length, radius = 0.6, 1.7
    spins = gf.sample_von_mises_fisher(
        [length * direction], kappa / (length * radius), radius=radius, draws=draws, seed=seed
    )[:, 0]
    np.testing.assert_allclose(np.linalg.norm(spins, axis=1), radius, rtol=1e-14)
    return direction, spins / radius


def gaps(direction: np.ndarray, spins: np.ndarray) -> np.ndarray:
    """Return 1 - cos, from the chord, which keeps its digits at high concentration."""
    return 0.5 * ((spins - direction) ** 2).sum(axis=1)


def angle_law(dim: int, kappa: float):
    """Return the distribution function of the angle to the field, by quadrature on a fine grid (D >= 2)."""
    top = min(np.pi, 12 * np.sqrt((dim + 10) / max(kappa, 1e-9)))
    grid = np.linspace(0, top, 40_001)
    log_density = -2 * kappa * np.sin(grid / 2) ** 2
    if dim > 2:
        with np.errstate(divide="ignore"):
            log_density += (dim - 2) * np.log(np.sin(grid))
    density = np.exp(log_density - log_density.max())
    cumulative = np.concatenate([[0], np.cumsum(0.5 * (density[1:] + density[:-1]))])
    return lambda angle: np.interp(angle, grid, cumulative / cumulative[-1])


def z_of_mean(gap: np.ndarray, dim: int, kappa: float) -> float:
    # 1 - A directly where the difference would cancel.
    expected = 1 - bessel_ratio(kappa, dim) if kappa < 1e5 else (dim - 1) / (2 * kappa)
    return float((gap.mean() - expected) / (gap.std() / np.sqrt(gap.size)))


@pytest.mark.parametrize("kappa", KAPPAS)
@pytest.mark.parametrize("dim", [d for d in DIMS if d > 1])
def test_mean_and_variance_of_the_cosine_are_the_bessel_ratio_and_its_derivative(dim: int, kappa: float) -> None:
    direction, spins = draw(dim, kappa, seed=1)
    gap = gaps(direction, spins)
    expected = float(bessel_ratio_derivative(kappa, dim)) if kappa < 1e5 else (dim - 1) / (2 * kappa**2)
    deviation = (gap - gap.mean()) ** 2
    z = (deviation.mean() - expected) / (deviation.std() / np.sqrt(gap.size))
    assert abs(z_of_mean(gap, dim, kappa)) < Z
    assert abs(z) < Z


@pytest.mark.parametrize("kappa", KAPPAS)
def test_one_component_is_a_biased_coin(kappa: float) -> None:
    direction, spins = draw(1, kappa, seed=2)
    up = int((spins[:, 0] == direction[0]).sum())
    assert stats.binomtest(up, DRAWS, 1 / (1 + np.exp(-2 * kappa))).pvalue > 1e-6


@pytest.mark.parametrize("kappa", KAPPAS)
@pytest.mark.parametrize("dim", [d for d in DIMS if d > 1])
def test_the_angle_follows_its_law(dim: int, kappa: float) -> None:
    direction, spins = draw(dim, kappa, seed=3)
    angle = 2 * np.arcsin(np.sqrt(np.minimum(gaps(direction, spins) / 2, 1)))
    assert stats.kstest(angle, angle_law(dim, kappa)).pvalue > 1e-6


@pytest.mark.parametrize("kappa", [0.0, 2.0, 400.0, 1e10])
@pytest.mark.parametrize("dim", [2, 3, 4, 7, 32])
def test_the_tangent_is_uniform_and_independent_of_the_angle(dim: int, kappa: float) -> None:
    """The sampler takes the length of a Gaussian tangent for the angle and its direction for the tangent."""
    direction, spins = draw(dim, kappa, seed=4)
    tangent = (spins - direction) + gaps(direction, spins)[:, None] * direction
    tangent /= np.linalg.norm(tangent, axis=1)[:, None]
    frame = np.linalg.svd(direction[None])[2][1:]  # an orthonormal basis across the field
    along = tangent @ frame.T
    # A sum over D - 1 components of squared z-values of the mean: chi-square.
    chi2 = DRAWS * (dim - 1) * (along.mean(axis=0) ** 2).sum()
    assert stats.chi2.sf(chi2, dim - 1) > 1e-6
    gap = gaps(direction, spins)
    if dim == 2:
        assert np.allclose(np.abs(along), 1)
        squares = along[:, 0]  # the side
    else:
        squares = along[:, 0] ** 2
        assert stats.kstest(squares, stats.beta(0.5, (dim - 2) / 2).cdf).pvalue > 1e-6
    ranks = stats.rankdata(gap) / gap.size - 0.5
    z = np.corrcoef(ranks, squares)[0, 1] * np.sqrt(gap.size)
    assert abs(z) < Z


def test_two_directions_of_the_field_give_the_same_law() -> None:
    for dim in (2, 3, 5):
        fields = np.zeros((2, dim))
        fields[0, 0], fields[1, -1] = 3.0, -3.0
        spins = gf.sample_von_mises_fisher(fields, 1.0, draws=50_000, seed=7)
        first, second = spins[:, 0, 0], -spins[:, 1, -1]
        assert stats.ks_2samp(first, second).pvalue > 1e-6


@pytest.mark.parametrize("dim", [1, 2, 3, 4, 9])
def test_a_zero_field_gives_uniform_directions(dim: int) -> None:
    spins = gf.sample_von_mises_fisher(np.zeros((1, dim)), 1e6, draws=50_000, seed=3)[:, 0]
    chi2 = 50_000 * dim * (spins.mean(axis=0) ** 2).sum()
    assert stats.chi2.sf(chi2, dim) > 1e-6
    np.testing.assert_allclose(np.linalg.norm(spins, axis=1), 1, rtol=1e-14)


@pytest.mark.parametrize("kappa", [1e12, 1e30, 1e150])
@pytest.mark.parametrize("dim", [1, 2, 3, 4, 64])
def test_enormous_concentrations_keep_their_digits(dim: int, kappa: float) -> None:
    direction, spins = draw(dim, kappa, seed=5, draws=4000)
    assert np.isfinite(spins).all()
    assert np.abs(spins - direction).max() < 20 * np.sqrt(dim / kappa) + 1e-15


def test_more_draws_and_more_sites_leave_the_first_unchanged() -> None:
    fields = np.random.default_rng(0).normal(size=(40, 6))
    few = gf.sample_von_mises_fisher(fields[:11], 2.0, draws=3, seed=1)
    many = gf.sample_von_mises_fisher(fields, 2.0, draws=9, seed=1)
    assert (many[:3, :11] == few).all()


# --- injected bugs ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("dim", "kappa"), [(2, 2.0), (3, 2.0), (7, 17.0), (32, 17.0)])
def test_two_percent_in_the_concentration_are_caught(dim: int, kappa: float) -> None:
    direction, spins = draw(dim, 1.02 * kappa, seed=1)
    gap = gaps(direction, spins)
    angle = 2 * np.arcsin(np.sqrt(gap / 2))
    by_mean = abs(z_of_mean(gap, dim, kappa)) > Z
    by_law = stats.kstest(angle, angle_law(dim, kappa)).pvalue < 1e-6
    assert by_mean or by_law


def test_the_law_of_the_next_dimension_is_caught() -> None:
    direction, spins = draw(7, 2.0, seed=1)
    angle = 2 * np.arcsin(np.sqrt(gaps(direction, spins) / 2))
    assert stats.kstest(angle, angle_law(8, 2.0)).pvalue < 1e-6


def test_a_tangent_that_leans_is_caught() -> None:
    direction, spins = draw(4, 2.0, seed=4)
    tangent = (spins - direction) + gaps(direction, spins)[:, None] * direction
    tangent /= np.linalg.norm(tangent, axis=1)[:, None]
    frame = np.linalg.svd(direction[None])[2][1:]
    along = tangent @ frame.T + [0.02, 0, 0]
    assert stats.chi2.sf(DRAWS * 3 * (along.mean(axis=0) ** 2).sum(), 3) < 1e-6

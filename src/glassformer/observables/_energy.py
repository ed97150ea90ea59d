"""Fluctuations of the energy, and reweighting of runs at several temperatures to any temperature between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from glassformer._core._errors import NotConvergedError, invalid
from glassformer._core._validation import FloatArray, as_count, as_float_array, as_number
from glassformer.observables._statistics import ErrorEstimate, block_means, integrated_autocorrelation_time, jackknife

# Leave-one-block-out needs few blocks, each much longer than the correlations.
_BLOCKS = 20
_BLOCK_TIMES = 10.0


def specific_heat(energies: npt.ArrayLike, *, beta: float, n: int) -> tuple[float, ErrorEstimate]:
    r"""Return the specific heat per spin, :math:`C=\beta^2\mathrm{Var}(E)/N`, and its error.

    Parameters
    ----------
    energies : array (..., time)
        Energy *per spin*, chains in front; the variance is around the mean of all.
    beta : float
    n : int
        Number of spins: :math:`\mathrm{Var}(E)/N=N\,\mathrm{Var}(u)`.

    Returns
    -------
    value : float
    estimate : ErrorEstimate
        From leaving out one of 20 blocks of time at a time. Unreliable when a block is shorter than 10 autocorrelation
        times of :math:`(u-\bar u)^2`.

    Notes
    -----
    The unit of temperature is the energy over Boltzmann's constant, so C is a pure number.

    Examples
    --------
    >>> import numpy as np
    >>> energies = np.random.default_rng(0).normal(scale=0.1, size=20000)
    >>> value, estimate = specific_heat(energies, beta=2.0, n=50)
    >>> abs(value - 4 * 50 * 0.01) < 5 * estimate.error, estimate.reliable
    (True, True)
    """
    beta = as_number("beta", beta, minimum=0.0)
    n = as_count("n", n)
    return _scaled_variance(energies, beta**2 * n)


def alignment_variance(alignments: npt.ArrayLike) -> tuple[float, ErrorEstimate]:
    r"""Return the variance over time of an alignment, and its error (as in `specific_heat`).

    This is what Honkoop 2025 calls a specific heat: a normalised alignment in place of the energy, and no
    :math:`\beta^2`. It obeys no fluctuation relation; kept under its own name for comparison.

    Parameters
    ----------
    alignments : array (..., time)
        Chains in front are pooled.
    """
    return _scaled_variance(alignments, 1.0)


def _scaled_variance(series: npt.ArrayLike, scale: float) -> tuple[float, ErrorEstimate]:
    array = np.asarray(series, dtype=np.float64)
    if array.ndim == 0 or array.shape[-1] < 2 * _BLOCKS:
        raise invalid("the shape of the series", array.shape, f"(..., time) with at least {2 * _BLOCKS} times")
    chains = array.reshape(-1, array.shape[-1])
    centred = chains - chains.mean()  # before squaring, so that a large mean costs no digits
    time = integrated_autocorrelation_time(centred**2)  # also refuses NaN
    length = chains.shape[1] // _BLOCKS
    first = block_means(centred, length).mean(axis=0)
    second = block_means(centred**2, length).mean(axis=0)

    def variance(mean: FloatArray, square: FloatArray) -> float:
        return float(scale * (square.mean() - mean.mean() ** 2))

    _, error = jackknife(variance, (first, second))
    value = scale * float(np.mean(centred**2))
    reliable = time.reliable and length >= _BLOCK_TIMES * time.tau
    return value, ErrorEstimate(float(error), bool(reliable), length)


@dataclass(frozen=True, slots=True, eq=False)
class MultiHistogram:
    r"""Equilibrium runs at several temperatures, combined into one estimate for every temperature between them.

    The weights of all samples together follow from the free energies :math:`f_k=-\log Z(\beta_k)` that solve

    .. math:: e^{-f_k}=\sum_n\frac{c_n\,e^{-\beta_kE_n}}{\sum_lM_l\,e^{f_l-\beta_lE_n}},\qquad M_l=\sum_{n\in l}c_n,

    (multistate Bennett acceptance ratio), with :math:`c_n=1/(2\tau_l)` so that correlated runs count less. Build it with
    `multi_histogram`.

    Attributes
    ----------
    betas : array (beta,)
    free_energies : array (beta,)
        :math:`f_k-f_0`, of the whole system.
    energies : array (sample,)
        Total energy :math:`E_n` of every sample.
    log_weights : array (sample,)
        Logarithm of the unnormalised weight at :math:`\beta=0`.
    n : int

    References
    ----------
    Shirts and Chodera 2008, J. Chem. Phys. 129, 124105.
    """

    betas: FloatArray
    free_energies: FloatArray
    energies: FloatArray
    log_weights: FloatArray
    n: int

    citations: ClassVar[tuple[str, ...]] = ("shirts2008",)

    def weights(self, beta: float) -> FloatArray:
        """Return normalised weights (sample,) at `beta`, which must lie within the simulated range."""
        low, high = float(self.betas.min()), float(self.betas.max())
        beta = as_number("beta", beta)
        if not low * (1 - 1e-12) <= beta <= high * (1 + 1e-12):
            raise invalid("beta", beta, f"within the simulated range {low:g} to {high:g}", "simulate a wider ladder")
        log = self.log_weights - beta * self.energies
        weight = np.exp(log - log.max())
        return np.asarray(weight / weight.sum())

    def log_partition(self, beta: float) -> float:
        r"""Return :math:`\log Z(\beta)-\log Z(\beta_0)` of the whole system, :math:`\beta_0` the first temperature."""
        self.weights(beta)  # the range check
        log = self.log_weights - beta * self.energies
        return float(np.logaddexp.reduce(log))

    def energy(self, beta: float) -> float:
        """Return the energy per spin."""
        return float(self.weights(beta) @ self.energies) / self.n

    def specific_heat(self, beta: float) -> float:
        r"""Return :math:`\beta^2\mathrm{Var}(E)/N`."""
        weight = self.weights(beta)
        centred = self.energies - weight @ self.energies
        return float(beta**2 * (weight @ centred**2)) / self.n

    def effective_samples(self, beta: float) -> float:
        """Return how many equally weighted samples would serve as well: small where the ladder has a gap."""
        return 1.0 / float(np.sum(self.weights(beta) ** 2))


def multi_histogram(
    energies: npt.ArrayLike, betas: npt.ArrayLike, *, n: int, autocorrelation_times: npt.ArrayLike | None = None
) -> MultiHistogram:
    """Combine energies sampled at several temperatures.

    Parameters
    ----------
    energies : array (beta, ..., time)
        Energy per spin; replicas may stand between.
    betas : array (beta,)
    n : int
        Number of spins.
    autocorrelation_times : array (beta,), optional
        Integrated autocorrelation times; estimated from the energies if left out.

    Raises
    ------
    InvalidInputError
        For shapes that do not fit and values that are not finite.
    NotConvergedError
        When neighbouring energies overlap so little that the free energies cannot be found.

    Examples
    --------
    >>> import numpy as np
    >>> betas = np.array([0.5, 1.0])
    >>> noise = np.random.default_rng(0).normal(size=(2, 4000))
    >>> combined = multi_histogram((noise - betas[:, None]) / 10, betas, n=10)  # E is Gaussian with mean -beta
    >>> abs(combined.energy(0.75) + 0.075) < 0.01
    True
    """
    n = as_count("n", n)
    beta = as_float_array("betas", betas, ndim=1)
    array = as_float_array("energies", energies, ndim=tuple(range(2, 9)))
    if array.shape[0] != beta.size or array.shape[-1] < 2 or beta.size < 1:
        raise invalid("the shape of energies", array.shape, f"({beta.size}, ..., time) to fit betas")
    if autocorrelation_times is None:
        times = np.array([integrated_autocorrelation_time(series).tau for series in array])
    else:
        times = as_float_array("autocorrelation_times", autocorrelation_times, ndim=1)
        if times.shape != beta.shape or not (times > 0).all():
            raise invalid("autocorrelation_times", times, "one number > 0 for every beta")
    total = array.reshape(beta.size, -1) * n
    counts = np.repeat(1.0 / (2.0 * np.maximum(times, 0.5)), total.shape[1])
    return _solve(beta, total, counts, n)


def reweight(
    energies: npt.ArrayLike, betas: npt.ArrayLike, at: npt.ArrayLike, *, n: int
) -> dict[str, tuple[FloatArray, FloatArray]]:
    """Return energy, specific heat and log partition function at any temperatures between, with their errors.

    Parameters
    ----------
    energies : array (beta, ..., time)
        Energy per spin of equilibrium runs, as in `multi_histogram`.
    betas : array (beta,)
    at : array (point,)
        Inverse temperatures within the range of `betas`.
    n : int

    Returns
    -------
    dict
        ``energy``, ``specific_heat`` (per spin) and ``log_partition`` (whole system, relative to the first of `betas`),
        each ``(value, error)`` with shape (point,). Errors are from leaving out one of 20 blocks of time.
    """
    points = as_float_array("at", at, ndim=1)
    array = as_float_array("energies", energies, ndim=tuple(range(2, 9)))
    beta = as_float_array("betas", betas, ndim=1)
    full = multi_histogram(array, beta, n=n)
    length = array.shape[-1] // _BLOCKS
    if length < 2:
        raise invalid("the number of times of energies", array.shape[-1], f"at least {2 * _BLOCKS} for error bars")
    times = np.array([integrated_autocorrelation_time(series).tau for series in array])
    kept = array[..., array.shape[-1] - length * _BLOCKS :]
    blocks = np.moveaxis(kept.reshape(*array.shape[:-1], _BLOCKS, length), -2, 0)

    def table(combined: MultiHistogram) -> FloatArray:
        rows = [(combined.energy(b), combined.specific_heat(b), combined.log_partition(b)) for b in points]
        return np.array(rows).T.reshape(3, points.size)

    def estimate(chosen: FloatArray) -> FloatArray:
        joined = np.moveaxis(chosen, 0, -2).reshape(beta.size, -1)
        return table(multi_histogram(joined, beta, n=n, autocorrelation_times=times))

    _, error = jackknife(estimate, blocks)
    value = table(full)
    return {name: (value[k], error[k]) for k, name in enumerate(("energy", "specific_heat", "log_partition"))}


def _solve(beta: FloatArray, total: FloatArray, counts: FloatArray, n: int) -> MultiHistogram:
    """Minimise the convex MBAR objective, the gauge being f_0 = 0, by damped Newton steps."""
    flat = total.reshape(-1)
    shift = float(flat.mean())  # energies of order N: keep the exponents small
    sizes = counts.reshape(total.shape).sum(axis=1)
    log_sizes = np.log(sizes)
    exponent = -np.outer(flat - shift, beta)  # (sample, beta)

    def occupation(f: FloatArray) -> tuple[FloatArray, FloatArray]:
        terms = exponent + (f + log_sizes)
        top = terms.max(axis=1, keepdims=True)
        np.exp(terms - top, out=terms)
        norm = terms.sum(axis=1, keepdims=True)
        return terms / norm, np.asarray((top + np.log(norm))[:, 0])

    # Thermodynamic integration of the mean energies starts Newton close to the answer.
    order = np.argsort(beta)
    mean = total.mean(axis=1)[order] - shift
    f = np.empty_like(beta)
    f[order] = np.concatenate([[0.0], np.cumsum(np.diff(beta[order]) * 0.5 * (mean[1:] + mean[:-1]))])
    f -= f[0]
    scale = float(sizes.sum())
    share, log_norm = occupation(f)
    objective = float(counts @ log_norm - sizes @ f)
    for _ in range(100):
        gradient = counts @ share - sizes
        if np.abs(gradient).max() <= 1e-10 * scale:
            break
        hessian = np.diag(counts @ share) - (share * counts[:, None]).T @ share
        step = np.zeros_like(f)
        step[1:] = np.linalg.lstsq(hessian[1:, 1:], -gradient[1:], rcond=None)[0]
        slope, damping = float(gradient @ step), 1.0
        while True:
            trial, trial_norm = occupation(f + damping * step)
            value = float(counts @ trial_norm - sizes @ (f + damping * step))
            if value <= objective + 1e-4 * damping * slope + 1e-13 * abs(objective) or damping < 1e-6:
                break
            damping *= 0.5
        f, share, log_norm, objective = f + damping * step, trial, trial_norm, value
    residual = float(np.abs(counts @ share - sizes).max()) / scale
    # The overlap matrix says how often a sample could come from another temperature; its largest eigenvalue is 1, and
    # when the second is 1 too, the ladder falls into parts whose free energies are not tied together by any data.
    root = np.sqrt(sizes)
    overlap = (share * counts[:, None]).T @ share / np.outer(root, root)
    gap = 1.0 - float(np.sort(np.linalg.eigvalsh(overlap))[-2]) if beta.size > 1 else 1.0
    if not residual <= 1e-6 or gap * scale < 10:
        raise NotConvergedError(
            f"multi_histogram: the free energies are not determined (residual {residual:.3g}, gap {gap:.3g}); "
            "the energies of neighbouring temperatures hardly overlap, use a denser ladder."
        )
    log_weights = np.log(counts) - log_norm
    log_weights -= np.logaddexp.reduce(log_weights + exponent[:, 0])  # log Z is measured from the first temperature
    # Back to energies without the shift: log Z(beta) = logsumexp(log_weights - beta E).
    return MultiHistogram(beta, f + (beta - beta[0]) * shift, flat, log_weights + beta[0] * shift, n)

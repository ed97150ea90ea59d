r"""Entropy production of the parallel process, four ways, and where it comes from.

One parallel step from :math:`\mathbf s` to :math:`\mathbf s'` produces the environment entropy

.. math::

    \log\frac{P(\mathbf s'|\mathbf s)}{P(\mathbf s|\mathbf s')}=\beta\sum_{ij}(J_{ij}-J_{ji})\mathbf s'_i\cdot\mathbf s_j
    +\beta\sum_i\mathbf x_i\cdot(\mathbf s_i'-\mathbf s_i)+\sum_i[\ell(\kappa_i(\mathbf s'))-\ell(\kappa_i(\mathbf s))].

In the steady state the last two sums average to zero, and :math:`\sigma=\beta\sum_{ij}(J_{ij}-J_{ji})L_{ij}`. Everything
here is for that process: sequential updates have another :math:`\sigma`, never to be compared with this one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from glassformer._core._bessel import log_normalizer
from glassformer._core._errors import invalid
from glassformer._core._validation import FloatArray, as_float_array, as_number, as_square_matrix
from glassformer.models import VectorSpin

if TYPE_CHECKING:
    from glassformer._core._responses import Response

CITATIONS = ("bal2026", "esposito2010")


def _beta_and_pair(
    beta: float, couplings: npt.ArrayLike, delayed: npt.ArrayLike
) -> tuple[float, FloatArray, FloatArray]:
    beta = as_number("beta", beta, minimum=0.0)
    j, later = as_square_matrix("couplings", couplings), as_square_matrix("delayed", delayed)
    if j.shape != later.shape:
        raise invalid("the shape of delayed", later.shape, f"{j.shape} like couplings")
    return beta, j, later


def entropy_production(beta: float, couplings: npt.ArrayLike, delayed: npt.ArrayLike) -> float:
    r"""Return :math:`\sigma=\beta\sum_{ij}(J_{ij}-J_{ji})L_{ij}`, nats per step of the whole system.

    Parameters
    ----------
    delayed : array (site, site_)
        :math:`L_{ij}=\langle\mathbf s_i(t+1)\cdot\mathbf s_j(t)\rangle`, first index later. Connected or not: only the
        antisymmetric part of L enters, and the product of stationary means is symmetric.

    References
    ----------
    Bal 2026, Nonequilibrium Dynamics in Spin-Model Transformers.

    Examples
    --------
    >>> round(entropy_production(2.0, [[0.0, 1.0], [0.0, 0.0]], [[0.5, 0.3], [0.1, 0.5]]), 12)
    0.4
    """
    beta, j, later = _beta_and_pair(beta, couplings, delayed)
    return float(beta * np.sum((j - j.T) * later))


def pair_entropy_production(beta: float, couplings: npt.ArrayLike, delayed: npt.ArrayLike) -> FloatArray:
    r"""Return :math:`\sigma_{ij}=\beta(J_{ij}-J_{ji})(L_{ij}-L_{ji})`, shape (site, site_), symmetric.

    Each unordered pair is one contribution: the total is the sum over :math:`i<j`, half the sum of the matrix.
    """
    beta, j, later = _beta_and_pair(beta, couplings, delayed)
    return np.asarray(beta * (j - j.T) * (later - later.T))


def site_entropy_production(beta: float, couplings: npt.ArrayLike, delayed: npt.ArrayLike) -> FloatArray:
    r"""Return :math:`\sigma_i=\frac12\sum_j\sigma_{ij}`, shape (site,): half of each pair to each partner, summing to σ."""
    return np.asarray(0.5 * pair_entropy_production(beta, couplings, delayed).sum(axis=1))


def circulation(delayed: npt.ArrayLike) -> FloatArray:
    r"""Return :math:`L_{ij}-L_{ji}`, shape (site, site_): how much more i follows j than j follows i."""
    later = as_square_matrix("delayed", delayed)
    return np.asarray(later - later.T)


def log_transition_density(model: VectorSpin, beta: float, before: npt.ArrayLike, after: npt.ArrayLike) -> FloatArray:
    r"""Return :math:`\log P(\mathbf s'|\mathbf s)` of one parallel step, relative to uniform spins.

    .. math:: \log P(\mathbf s'|\mathbf s)=\sum_i\big[\beta\,\mathbf s_i'\cdot\mathbf h_i(\mathbf s)-\ell_D(\kappa_i(\mathbf s))\big]

    `before` and `after` are (..., site, component); the self-coupling is part of the parallel process.
    """
    beta = as_number("beta", beta, minimum=0.0)
    s, later = _spins(model, "before", before), _spins(model, "after", after)
    h = model.local_fields(s)
    kappa = beta * model.r * np.linalg.norm(h, axis=-1)
    return np.asarray(beta * np.einsum("...ia,...ia->...", later, h) - log_normalizer(kappa, model.dim).sum(-1))


def _spins(model: VectorSpin, name: str, spins: npt.ArrayLike) -> FloatArray:
    s = as_float_array(name, spins, ndim=tuple(range(2, 9)))
    if s.shape[-2:] != (model.n, model.dim):
        raise invalid(f"the shape of {name}", s.shape, f"(..., {model.n}, {model.dim})")
    return s


def path_entropy_production(model: VectorSpin, beta: float, before: npt.ArrayLike, after: npt.ArrayLike) -> FloatArray:
    r"""Return :math:`\log P(\mathbf s'|\mathbf s)-\log P(\mathbf s|\mathbf s')` of each given step, in nats.

    Parameters
    ----------
    before, after : array (..., site, component)
        Spins at t and t+1. For a stored path pass ``path[:-1]`` and ``path[1:]``.

    Returns
    -------
    array (...)
        Along one path its mean differs from `entropy_production` of the uncentred delayed correlation only by
        `path_boundary` at the two ends, divided by the number of steps. It therefore tests the code, but is no
        independent estimate: take error bars from independent chains.

    Notes
    -----
    Single steps are negative at times; averages in the steady state are not.

    Examples
    --------
    >>> import numpy as np
    >>> model = VectorSpin(np.array([[0.0, 1.0], [1.0, 0.0]]), dim=3, radius="unit")
    >>> spins = model.random_spins(replicas=2, seed=1)
    >>> there = path_entropy_production(model, 1.5, spins[0], spins[1])
    >>> bool(np.isclose(there, -path_entropy_production(model, 1.5, spins[1], spins[0])))
    True
    """
    forward = log_transition_density(model, beta, before, after)
    return np.asarray(forward - log_transition_density(model, beta, after, before))


def path_boundary(model: VectorSpin, beta: float, spins: npt.ArrayLike) -> FloatArray:
    r"""Return :math:`\beta\sum_i\mathbf x_i\cdot\mathbf s_i+\sum_i\ell(\kappa_i(\mathbf s))`, whose difference telescopes.

    For symmetric couplings this is the log weight of the stationary (Peretto) law.
    """
    beta = as_number("beta", beta, minimum=0.0)
    s = _spins(model, "spins", spins)
    kappa = beta * model.r * np.linalg.norm(model.local_fields(s), axis=-1)
    drive = np.einsum("...ia,ia->...", s, model.fields)
    return np.asarray(beta * drive + log_normalizer(kappa, model.dim).sum(-1))


def plefka_entropy_production(
    model: VectorSpin, beta: float, local_fields: npt.ArrayLike, *, response: str | Response = "exact"
) -> float:
    r"""Return the first-order Plefka estimate from mean local fields, nats per step of the whole system.

    .. math:: \sigma\approx\frac{\beta^2}2\sum_{ij}(J_{ij}-J_{ji})^2\,\mathrm{Tr}(V_iV_j)

    Parameters
    ----------
    local_fields : array (site, component)
        :math:`\mathbf x_i+\sum_jJ_{ij}\mathbf m_j` at the *naive mean-field* magnetisations: that is the estimator of
        Bal 2026. Better magnetisations give another number, not a better one.
    response : {"exact", "amos", "large_d"}
        The single-spin response that gives the covariances :math:`V_i`.

    Notes
    -----
    Costs :math:`O(N^2D)`. For independent Gaussian couplings at D=32 it is 4 % high at :math:`\beta=0.5`, 20 % low at 4 and
    32 % low at 8; closures do better.

    References
    ----------
    Bal 2026, Nonequilibrium Dynamics in Spin-Model Transformers.
    """
    from glassformer._core._responses import mean_and_stiffness
    from glassformer._core._responses import response as make_response

    beta = as_number("beta", beta, minimum=0.0)
    theta = _spins(model, "local_fields", local_fields)
    chosen = make_response(response, model.dim) if isinstance(response, str) else response
    _, parallel, transverse = mean_and_stiffness(chosen, theta, beta, model.r)
    size = np.linalg.norm(theta, axis=-1, keepdims=True)
    direction = np.divide(theta, size, out=np.zeros_like(theta), where=size > 0)  # where h=0 the two V agree
    cosine = direction @ direction.T
    extra = parallel - transverse
    trace = (
        model.dim * np.outer(transverse, transverse)
        + np.outer(transverse, extra)
        + np.outer(extra, transverse)
        + np.outer(extra, extra) * cosine**2
    )
    return float(0.5 * beta**2 * np.sum((model.couplings - model.couplings.T) ** 2 * trace))

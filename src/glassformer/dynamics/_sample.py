"""Draws of single spins in given fields, without any model."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from glassformer._core._random import check_seed, stream_key
from glassformer._core._validation import FloatArray, as_count, as_float_array
from glassformer.couplings._radius import Radius, resolve_radius
from glassformer.dynamics._motion import check_beta


def sample_von_mises_fisher(
    fields: npt.ArrayLike,
    beta: float = 1.0,
    *,
    radius: Radius = "unit",
    draws: int = 1,
    seed: int | None = None,
) -> FloatArray:
    r"""Draw from the von Mises-Fisher laws :math:`p(\mathbf s_i)\propto e^{\beta\mathbf h_i\cdot\mathbf s_i}`, :math:`\lVert\mathbf s_i\rVert=R`.

    Parameters
    ----------
    fields : array (site, component)
        :math:`\mathbf h_i`, any number of components D >= 1; a zero field gives a uniform direction.
    beta : float
        Inverse temperature; the concentration is :math:`\kappa=\beta R\lVert\mathbf h_i\rVert`.
    radius : {"unit", "sqrt_d", "bal"} or float
        The length R.
    draws : int
        Independent draws of every site; more draws leave the first ones unchanged.
    seed : int, optional
        Root seed; a fresh one if left out.

    Returns
    -------
    array (draw, site, component)

    Raises
    ------
    InvalidInputError
        For fields that are not a finite matrix, a bad beta, radius, number of draws, or seed.

    Notes
    -----
    Exact for every D and every concentration: a biased coin (D = 1), Best and Fisher 1979 (D = 2), inversion (D = 3), and
    Wood 1994 (D >= 4), written in :math:`1-w` so that no digits are lost at any concentration.

    References
    ----------
    Wood 1994, Commun. Stat. Simul. Comput. 23, 157; Best and Fisher 1979, Appl. Stat. 28, 152.

    Examples
    --------
    >>> spins = sample_von_mises_fisher([[0.0, 0.0, 2.0]], beta=10.0, draws=1000, seed=1)
    >>> spins.shape, bool(abs(spins[:, 0, 2].mean() - 0.95) < 0.01)
    ((1000, 1, 3), True)
    """
    from glassformer._core._philox import split_key
    from glassformer.dynamics._kernels._vmf import draw_replicas, workspace

    h = as_float_array("fields", fields, ndim=2)
    n, dim = h.shape
    n, dim = as_count("the number of sites", n), as_count("the number of components", dim)
    beta = check_beta(beta)
    draws = as_count("draws", draws)
    key = split_key(stream_key(check_seed(seed), "dynamics/sample"))
    spins = np.empty((draws, n, dim))
    draw_replicas(
        h.reshape(-1), spins.reshape(draws, -1), n, dim, beta, resolve_radius(radius, dim), *key, *workspace(n, dim)
    )
    return spins

"""External fields (drives) of vector spins."""

from __future__ import annotations

import math

from glassformer._core._random import check_seed, directions, normals
from glassformer._core._validation import FloatArray, as_count, as_number
from glassformer.couplings._radius import Radius, resolve_radius


def sphere_fields(
    n: int, *, dim: int, seed: int | None = None, radius: Radius = "bal", strength: float = 1.0
) -> FloatArray:
    r"""Draw fields of exact norm :math:`\lVert\mathbf x_i\rVert=hR` and uniform direction, ``(site, component)``.

    Parameters
    ----------
    n, dim : int
        Number of sites N and of components D.
    seed : int, optional
        Root seed; a fresh one if left out.
    radius : {"bal", "sqrt_d", "unit"} or float
        The radius R of the spins.
    strength : float
        The multiplier h.

    Examples
    --------
    >>> import numpy as np
    >>> float(np.linalg.norm(sphere_fields(2, dim=4, seed=1), axis=1)[0].round(12))
    1.0
    """
    n, dim = as_count("n", n), as_count("dim", dim)
    strength = as_number("strength", strength, minimum=0.0)
    return strength * resolve_radius(radius, dim) * directions(check_seed(seed), "fields/sphere", (n, dim))


def gaussian_fields(
    n: int, *, dim: int, seed: int | None = None, radius: Radius = "bal", strength: float = 1.0
) -> FloatArray:
    r"""Draw Gaussian fields of variance :math:`h^2R^2/D` per component, ``(site, component)``.

    Parameters as in `sphere_fields`.

    Examples
    --------
    >>> gaussian_fields(3, dim=5, seed=1).shape
    (3, 5)
    """
    n, dim = as_count("n", n), as_count("dim", dim)
    strength = as_number("strength", strength, minimum=0.0)
    scale = strength * resolve_radius(radius, dim) / math.sqrt(dim)
    return scale * normals(check_seed(seed), "fields/gaussian", (n, dim))

"""Leading eigenvalues of matrices that are known by what they do to a vector."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from glassformer._core._random import normals
from glassformer._core._validation import FloatArray

DENSE_UP_TO = 400  # rows; below, all eigenvalues cost less than the overhead of an iteration


class Leading(NamedTuple):
    """The eigenvalue of largest modulus (of a complex pair the one with positive imaginary part), and whether it is found."""

    value: complex
    converged: bool

    @property
    def radius(self) -> float:
        """Its modulus, the spectral radius."""
        return abs(self.value)


def leading_eigenvalue(apply: Callable[[FloatArray], FloatArray], size: int) -> Leading:
    r"""Return the eigenvalue of largest modulus of the real linear map `apply` of vectors ``(size,)``.

    Small maps are written out and diagonalised. Large ones go through Arnoldi's method with restarts, which converges
    for complex pairs; the ratio of successive norms in a power iteration does not, because the vector keeps turning in
    the plane of the pair.

    References
    ----------
    Lehoucq, Sorensen and Yang 1998, ARPACK users' guide.

    Examples
    --------
    >>> turn = np.array([[0.0, -2.0], [2.0, 0.0]])
    >>> found = leading_eigenvalue(lambda v: turn @ v, 2)
    >>> round(found.radius, 12), found.value.imag > 0
    (2.0, True)
    """
    if size <= DENSE_UP_TO:
        matrix = np.stack([apply(unit) for unit in np.eye(size)], axis=1)
        return Leading(_upper(np.linalg.eigvals(matrix)), True)
    from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigs

    start = normals(0, "theory/arnoldi", size)
    if not apply(start).any():
        return Leading(0.0 + 0.0j, True)
    operator = LinearOperator((size, size), matvec=apply, dtype=np.float64)
    found = np.empty(0, dtype=complex)
    # Far more values than the one that is wanted: those of a Jacobian come in crowds of nearly equal ones, one for each
    # component, and an iteration that keeps only a few settles on members of the crowd that are not the largest.
    for wanted, vectors in ((12, 80), (40, 240)):
        try:
            values = eigs(
                operator,
                k=wanted,
                ncv=vectors,
                v0=start,
                which="LM",
                return_eigenvectors=False,
                tol=1e-10,
            )
            return Leading(_upper(values), True)
        except ArpackNoConvergence as error:
            found = np.concatenate([found, error.eigenvalues])
    return Leading(_upper(found) if found.size else complex(np.nan, np.nan), False)


def _upper(values: np.ndarray) -> complex:
    """Return the value of largest modulus; rounding does not decide between the members of a pair."""
    modulus = np.abs(values)
    near = values[modulus >= modulus.max() * (1.0 - 1e-10)]
    return complex(max(near, key=lambda value: (value.imag, value.real)))

r"""How alike replicas are: raw, rotation-invariant and aligned overlaps, and what is read off them.

With the overlap tensor :math:`Q^{ab}_{\mu\nu}=\frac1N\sum_is^a_{i\mu}s^b_{i\nu}`, the raw overlap is its trace over
:math:`R^2`. Without a field the energy does not change when all spins of a replica turn together, so only the
invariants of :math:`Q^{ab}` mean anything; for D=1 they are :math:`|q|` and :math:`q^2`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from glassformer._core._errors import invalid
from glassformer._core._validation import FloatArray, as_float_array, as_number


def _pair(spins: npt.ArrayLike, others: npt.ArrayLike | None) -> tuple[FloatArray, FloatArray]:
    a = as_float_array("spins", spins, ndim=3)
    b = a if others is None else as_float_array("others", others, ndim=3)
    if a.shape[1:] != b.shape[1:] or a.size == 0:
        raise invalid("the shape of others", b.shape, f"(replica_, {a.shape[1]}, {a.shape[2]}) to fit spins")
    return a, b


def overlap_tensors(spins: npt.ArrayLike, others: npt.ArrayLike | None = None) -> FloatArray:
    r"""Return :math:`Q^{ab}_{\mu\nu}=\frac1N\sum_is^a_{i\mu}s^b_{i\nu}`, shape (replica, replica_, component, component_).

    `spins` and `others` are (replica, site, component); without `others` every pair within `spins` is taken.
    """
    a, b = _pair(spins, others)
    return np.asarray(np.einsum("aim,bin->abmn", a, b, optimize=True) / a.shape[1])


def raw_overlaps(spins: npt.ArrayLike, others: npt.ArrayLike | None = None, *, radius: float) -> FloatArray:
    r"""Return :math:`q_{ab}=\frac1{NR^2}\sum_i\mathbf s^a_i\cdot\mathbf s^b_i`, shape (replica, replica_).

    Parameters
    ----------
    spins : array (replica, site, component)
    others : array (replica_, site, component), optional
        A second set of replicas; `spins` again if left out.
    radius : float
        R, so that a replica has overlap 1 with itself.

    Examples
    --------
    >>> import numpy as np
    >>> spins = np.array([[[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [0.0, 1.0]]])
    >>> raw_overlaps(spins, radius=1.0)
    array([[1. , 0.5],
           [0.5, 1. ]])
    """
    a, b = _pair(spins, others)
    radius = as_number("radius", radius, minimum=0.0, exclusive_minimum=True)
    return np.asarray(a.reshape(len(a), -1) @ b.reshape(len(b), -1).T / (a.shape[1] * radius**2))


def squared_overlaps(spins: npt.ArrayLike, others: npt.ArrayLike | None = None) -> FloatArray:
    r"""Return :math:`\lVert Q^{ab}\rVert_F^2=\frac1{N^2}\sum_{ij}(\mathbf s_i^a\cdot\mathbf s_j^a)(\mathbf s_i^b\cdot\mathbf s_j^b)`.

    Shape (replica, replica_). The cheaper of two routes is taken: the tensors, :math:`O(ND^2)` per pair, or the Gram
    matrices, :math:`O(N^2)` per pair.
    """
    a, b = _pair(spins, others)
    n, dim = a.shape[1:]
    if dim * dim <= n:
        return np.asarray((overlap_tensors(a, b) ** 2).sum((-2, -1)))
    gram_a = (a @ a.transpose(0, 2, 1)).reshape(len(a), -1)
    gram_b = gram_a if others is None else (b @ b.transpose(0, 2, 1)).reshape(len(b), -1)
    return np.asarray(gram_a @ gram_b.T / n**2)


def invariant_overlaps(spins: npt.ArrayLike, others: npt.ArrayLike | None = None) -> FloatArray:
    r"""Return the rotation-invariant overlap, from 0 to 1, shape (replica, replica_).

    .. math:: \frac{\lVert Q^{ab}\rVert_F^2}{\sqrt{\lVert Q^{aa}\rVert_F^2\,\lVert Q^{bb}\rVert_F^2}},

    the cosine between the Gram matrices of two replicas: 1 if and only if one is the other turned (or mirrored). For
    D=1 it is :math:`q^2`. It does not vanish for unrelated replicas: random spins have about
    :math:`D/(D+N-1)`, which is the value to compare with.

    Raises
    ------
    InvalidInputError
        For shapes that do not fit, values that are not finite, and replicas whose spins all vanish.

    Examples
    --------
    >>> import numpy as np
    >>> spins = np.random.default_rng(0).normal(size=(1, 20, 3))
    >>> rotation = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]
    >>> bool(np.isclose(invariant_overlaps(spins, spins @ rotation)[0, 0], 1.0))
    True
    """
    a, b = _pair(spins, others)
    own_a = _own_squared(a)
    own_b = own_a if others is None else _own_squared(b)
    if min(own_a.min(), own_b.min()) == 0.0:
        raise invalid("the length of all spins of a replica", 0.0, "> 0")
    return np.asarray(squared_overlaps(a, None if others is None else b) / np.sqrt(np.outer(own_a, own_b)))


def _own_squared(spins: FloatArray) -> FloatArray:
    """Return the diagonal of `squared_overlaps`, one entry per replica."""
    n, dim = spins.shape[1:]
    product = spins.transpose(0, 2, 1) @ spins if dim <= n else spins @ spins.transpose(0, 2, 1)
    return np.asarray((product**2).sum((-2, -1)) / n**2)


def aligned_overlaps(spins: npt.ArrayLike, others: npt.ArrayLike | None = None, *, radius: float) -> FloatArray:
    r"""Return the largest raw overlap over all rotations and reflections of one replica, shape (replica, replica_).

    .. math:: \max_{O\in O(D)}\frac1{NR^2}\sum_i\mathbf s_i^a\cdot O\mathbf s_i^b=\lVert Q^{ab}\rVert_*/R^2,

    the sum of the singular values; :math:`|q|` for D=1. Costs :math:`O(ND^2+D^3)` per pair. Like the invariant overlap
    it stays above 0 for unrelated replicas (of order :math:`\sqrt{D/N}`).

    Examples
    --------
    >>> import numpy as np
    >>> spins = np.array([[[1.0], [-1.0], [1.0]]])
    >>> bool(np.isclose(aligned_overlaps(spins, -spins, radius=1.0)[0, 0], 1.0))
    True
    """
    a, b = _pair(spins, others)
    radius = as_number("radius", radius, minimum=0.0, exclusive_minimum=True)
    if a.shape[2] == 1:
        return np.abs(raw_overlaps(a, b, radius=radius))
    if others is not None:
        return np.asarray(np.linalg.svd(overlap_tensors(a, b), compute_uv=False).sum(-1) / radius**2)
    first, second = np.triu_indices(len(a))  # the matrix is symmetric
    tensors = a[first].transpose(0, 2, 1) @ a[second] / a.shape[1]
    aligned = np.empty((len(a), len(a)))
    aligned[first, second] = np.linalg.svd(tensors, compute_uv=False).sum(-1) / radius**2
    aligned[second, first] = aligned[first, second]
    return aligned


def aligning_rotation(spins: npt.ArrayLike, target: npt.ArrayLike) -> FloatArray:
    r"""Return the orthogonal matrix O (component, component_) for which ``spins @ O`` is closest to `target`.

    Both are (site, component). Use it to lay replicas on top of each other before showing them.

    >>> import numpy as np
    >>> spins = np.random.default_rng(0).normal(size=(10, 3))
    >>> turned = spins[:, [1, 2, 0]]
    >>> bool(np.allclose(spins @ aligning_rotation(spins, turned), turned))
    True
    """
    a = as_float_array("spins", spins, ndim=2)
    b = as_float_array("target", target, ndim=2)
    if a.shape != b.shape:
        raise invalid("the shape of target", b.shape, f"{a.shape} like spins")
    left, _, right = np.linalg.svd(a.T @ b)
    return np.asarray(left @ right)


def off_diagonal(overlaps: npt.ArrayLike) -> FloatArray:
    """Return the overlaps of different replicas, each pair once, as a vector.

    >>> off_diagonal([[1.0, 0.2, 0.3], [0.2, 1.0, 0.4], [0.3, 0.4, 1.0]])
    array([0.2, 0.3, 0.4])
    """
    matrix = as_float_array("overlaps", overlaps, ndim=2)
    if matrix.shape[0] != matrix.shape[1] or matrix.shape[0] < 2:
        raise invalid("the shape of overlaps", matrix.shape, "(replica, replica_) with at least 2 replicas")
    return np.asarray(matrix[np.triu_indices(matrix.shape[0], 1)])


def binder_ratio(squared: npt.ArrayLike, *, dim: int) -> float:
    r"""Return the Binder ratio of the overlap tensor, 0 for Gaussian fluctuations and 1 for a single value.

    .. math:: g=\tfrac12\Big[D^2+2-D^2\frac{\langle\lVert Q\rVert^4\rangle}{\langle\lVert Q\rVert^2\rangle^2}\Big]

    Parameters
    ----------
    squared : array (sample,)
        :math:`\lVert Q^{ab}\rVert_F^2` of independent pairs of replicas (`squared_overlaps`).
    dim : int
        D; for D=1 this is the usual :math:`\frac12(3-\langle q^4\rangle/\langle q^2\rangle^2)`.

    Examples
    --------
    >>> binder_ratio([0.25, 0.25], dim=1)
    1.0
    """
    values = as_float_array("squared", squared, ndim=1)
    mean = float(values.mean()) if values.size else 0.0
    if not mean > 0.0:
        raise invalid("the mean of squared", mean, "> 0")
    return float(0.5 * (dim**2 + 2 - dim**2 * float((values**2).mean()) / mean**2))


def spin_glass_susceptibility(tensors: npt.ArrayLike, *, n: int, radius: float, connected: bool = True) -> float:
    r"""Return :math:`\chi_{SG}=\frac N{R^4}\sum_{\mu\nu}\langle Q_{\mu\nu}^2\rangle_c`, 1 at infinite temperature.

    Parameters
    ----------
    tensors : array (sample, component, component_)
        Overlap tensors of independent pairs: no replica may appear in two of them when `connected` is set.
    connected : bool
        Subtract the square of the mean (unbiased). Without a field the mean is zero by symmetry; set False.

    Examples
    --------
    >>> import numpy as np
    >>> signs = np.random.default_rng(0).choice([-1.0, 1.0], size=(4000, 2, 30, 1))
    >>> q = np.einsum("pim,pin->pmn", signs[:, 0], signs[:, 1]) / 30
    >>> 0.9 < spin_glass_susceptibility(q, n=30, radius=1.0) < 1.1
    True
    """
    q = as_float_array("tensors", tensors, ndim=3)
    if q.shape[0] < 2 or q.shape[1] != q.shape[2]:
        raise invalid("the shape of tensors", q.shape, "(sample, component, component_) with at least 2 samples")
    variance = q.var(axis=0, ddof=1) if connected else (q**2).mean(axis=0)
    return float(n / radius**4 * variance.sum())


def clustering_order(overlaps: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Return the order of replicas that puts alike ones side by side (average linkage, optimal leaf order).

    Use it for display only. `overlaps` is a symmetric matrix (replica, replica_), largest on the diagonal.

    >>> [int(k) for k in clustering_order([[1, 0, 0.9, 0], [0, 1, 0, 0.8], [0.9, 0, 1, 0], [0, 0.8, 0, 1]])]
    [0, 2, 3, 1]
    """
    from scipy.cluster.hierarchy import leaves_list, linkage

    matrix = as_float_array("overlaps", overlaps, ndim=2)
    pairs = off_diagonal(matrix)  # also checks the shape
    if matrix.shape[0] == 2:
        return np.arange(2)
    return np.asarray(leaves_list(linkage(pairs.max() - pairs, "average", optimal_ordering=True)), dtype=np.int64)

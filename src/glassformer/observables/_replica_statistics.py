r"""What a handful of independent replicas says about one system: has it equilibrated, and what kind of order is there?

Everything takes snapshots of independent replicas at one temperature, ``(snapshot, replica, site, component)``. Error bars
come from the replicas (jackknife), never from the snapshots of one of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from glassformer._core._errors import invalid
from glassformer._core._validation import FloatArray, as_float_array, as_number
from glassformer.observables._overlaps import invariant_overlaps, overlap_tensors

STANDARD_ERRORS = 4.0
LARGEST_DRIFT = 0.05
NEGLIGIBLE = 0.005
SMALLEST_REPLICAS = 4


def pair_jackknife(pairs: npt.ArrayLike, singles: npt.ArrayLike | None = None) -> tuple[float, float]:
    r"""Return the mean over pairs of replicas (minus that over replicas) and its jackknife error.

    Parameters
    ----------
    pairs : array (replica, replica_)
        Symmetric; the diagonal is not used.
    singles : array (replica,), optional
        Subtracted, replica by replica, before errors are made.

    Examples
    --------
    >>> pair_jackknife([[9.0, 1.0, 1.0], [1.0, 9.0, 1.0], [1.0, 1.0, 9.0]])
    (1.0, 0.0)
    """
    matrix = as_float_array("pairs", pairs, ndim=2)
    count = matrix.shape[0]
    if matrix.shape[1] != count or count < 3:
        raise invalid("the shape of pairs", matrix.shape, "(replica, replica_) with at least 3 replicas")
    off = matrix - np.diag(np.diag(matrix))
    total, rows = off.sum(), off.sum(axis=1)
    whole = total / (count * (count - 1))
    left = (total - 2.0 * rows) / ((count - 1) * (count - 2))
    if singles is not None:
        own = as_float_array("singles", singles, ndim=1)
        whole -= own.mean()
        left = left - (own.sum() - own) / (count - 1)
    error = np.sqrt((count - 1) / count * np.sum((left - left.mean()) ** 2))
    return float(whole), float(error)


def mean_pair_overlaps(snapshots: npt.ArrayLike, *, radius: float) -> tuple[FloatArray, FloatArray]:
    """Return raw and invariant overlaps of replicas at equal times, averaged over snapshots: two (replica, replica_)."""
    spins = _snapshots(snapshots)
    count, replicas, n, _ = spins.shape
    raw = np.zeros((replicas, replicas))
    invariant = np.zeros((replicas, replicas))
    for now in spins:
        flat = now.reshape(replicas, -1)
        raw += flat @ flat.T / (n * radius**2)
        invariant += invariant_overlaps(now)
    return raw / count, invariant / count


def lagged_overlaps(snapshots: npt.ArrayLike, *, radius: float) -> tuple[FloatArray, FloatArray]:
    """Return raw and invariant overlaps of each replica with itself half the snapshots later: two (replica,)."""
    spins = _snapshots(snapshots)
    count, _, n, dim = spins.shape
    half = count // 2
    if half == 0:
        raise invalid("the number of snapshots", count, "at least 2")
    early, late = spins[:half], spins[count - half :]
    raw = np.einsum("sria,sria->r", early, late) / (half * n * radius**2)
    if dim <= n:
        crossed = np.einsum("srim,srin->srmn", early, late, optimize=True)
        own = [np.einsum("srim,srin->srmn", s, s, optimize=True) for s in (early, late)]
        top = np.sum(crossed**2, axis=(-2, -1))
    else:
        own = [s @ s.swapaxes(-1, -2) for s in (early, late)]
        top = np.sum(own[0] * own[1], axis=(-2, -1))
    norms = np.sqrt(np.sum(own[0] ** 2, axis=(-2, -1)) * np.sum(own[1] ** 2, axis=(-2, -1)))
    return np.asarray(raw), np.asarray((top / norms).mean(axis=0))


@dataclass(frozen=True, slots=True)
class EquilibrationTest:
    """Differences that vanish in equilibrium, all in units in which the largest possible value is of order 1.

    Parameters
    ----------
    differences, errors : mapping of str to float
        ``energy_drift`` and ``overlap_drift`` between the two halves of the whole run in logarithmic time, and
        ``overlap_gap``, replicas among each other against a replica and its own past.
    """

    differences: dict[str, float]
    errors: dict[str, float]

    @property
    def passed(self) -> bool:
        """Whether every difference is small, resolved, and no larger than its noise."""
        return all(
            abs(gap) <= max(STANDARD_ERRORS * self.errors[name], NEGLIGIBLE)
            and abs(gap) <= LARGEST_DRIFT
            and self.errors[name] <= LARGEST_DRIFT
            for name, gap in self.differences.items()
        )

    @property
    def worst(self) -> tuple[str, float, float]:
        """Name, size and error of the difference that is furthest from passing."""

        def excess(name: str) -> float:
            gap, error = abs(self.differences[name]), self.errors[name]
            return max(gap / max(STANDARD_ERRORS * error, NEGLIGIBLE), gap / LARGEST_DRIFT, error / LARGEST_DRIFT)

        name = max(self.differences, key=excess)
        return name, self.differences[name], self.errors[name]


def equilibration_test(
    energies: npt.ArrayLike,
    earlier_energies: npt.ArrayLike,
    snapshots: npt.ArrayLike,
    earlier_snapshots: npt.ArrayLike,
    *,
    radius: float,
    fields: bool,
) -> EquilibrationTest:
    r"""Test whether replicas from independent random starts have reached equilibrium at one temperature.

    Compared are a stage of the run and the one before, half as long. In equilibrium (1) the energy and (2) the overlap
    between replicas have stopped drifting; (3) two replicas overlap as much as one replica and its own past: the first
    rises from 0, the second falls from 1, and they meet (Bhatt and Young). Overlaps are the rotation-invariant ones, and
    with `fields` the raw ones too. All differences must be below 4 jackknife errors (or 0.005), and both the difference and
    its error below 0.05.

    Parameters
    ----------
    energies, earlier_energies : array (snapshot, replica)
        Per spin, in units of an energy that makes them of order 1.
    snapshots, earlier_snapshots : array (snapshot, replica, site, component)

    References
    ----------
    Bhatt and Young 1988, Phys. Rev. B 37, 5606.
    """
    now = mean_pair_overlaps(snapshots, radius=radius)
    before = mean_pair_overlaps(earlier_snapshots, radius=radius)
    lagged = lagged_overlaps(snapshots, radius=radius)
    drift = np.asarray(energies).mean(axis=0) - np.asarray(earlier_energies).mean(axis=0)
    differences = {"energy_drift": float(drift.mean())}
    errors = {"energy_drift": float(drift.std(ddof=1) / np.sqrt(drift.size))}
    for which, name in ((1, "overlap"), (0, "raw_overlap")):
        if name == "raw_overlap" and not fields:  # without a field a common rotation means nothing
            continue
        for label, found in (
            ("drift", pair_jackknife(now[which] - before[which])),
            ("gap", pair_jackknife(now[which], lagged[which])),
        ):
            differences[f"{name}_{label}"], errors[f"{name}_{label}"] = found
    return EquilibrationTest(differences, errors)


def susceptibilities(snapshots: npt.ArrayLike, *, radius: float, connected: bool = True) -> tuple[float, float]:
    r"""Return the spin-glass susceptibility and its replicon part, both free of the bias of few replicas.

    .. math:: \chi_{SG}=\frac N{R^4}\big[\langle Q^{ab}\!:\!Q^{ab}\rangle-\langle Q^{ab}\!:\!Q^{cd}\rangle\big],\qquad
       \chi_R=\frac N{R^4}\big[\langle Q^{ab}\!:\!Q^{ab}\rangle-2\langle Q^{ab}\!:\!Q^{ac}\rangle+\langle Q^{ab}\!:\!Q^{cd}\rangle\big],

    over different replicas a, b, c, d, with :math:`A\!:\!B=\sum_{\mu\nu}A_{\mu\nu}B_{\mu\nu}`. Without a field the last two
    averages vanish by symmetry: pass ``connected=False``, which leaves out their noise. The replicon part diverges on the
    de Almeida-Thouless line.
    """
    spins = _snapshots(snapshots)
    count, replicas, n, dim = spins.shape
    if replicas < SMALLEST_REPLICAS:
        raise invalid("the number of replicas", replicas, f"at least {SMALLEST_REPLICAS}")
    same = shared = apart = 0.0
    for now in spins:
        # Sums over classes of indices need only sums over replicas, never all pairs of pairs.
        q = overlap_tensors(now).reshape(replicas, replicas, dim * dim)
        q[np.arange(replicas), np.arange(replicas)] = 0.0
        squares = np.sum(q**2)
        rows = q.sum(axis=1)  # over the second replica
        columns = q.sum(axis=0)
        whole = q.sum(axis=(0, 1))
        first = np.sum(rows**2) - squares  # a shared in first place, b and c different
        second = np.sum(columns**2) - squares
        crossed = float(np.sum(q * q.transpose(1, 0, 2)))  # Q^{ab} : Q^{ba}
        mixed = np.sum(rows * columns) - crossed  # a first in one and second in the other
        pairs = replicas * (replicas - 1)
        same += squares / pairs
        shared += (first + second) / (2 * pairs * (replicas - 2))
        apart += (np.sum(whole**2) - squares - crossed - first - second - 2 * mixed) / (
            pairs * (replicas - 2) * (replicas - 3)
        )
    scale = n / radius**4 / count
    if not connected:
        return float(scale * same), float(scale * same)
    return float(scale * (same - apart)), float(scale * (same - 2.0 * shared + apart))


def ultrametricity(overlaps: npt.ArrayLike) -> float:
    r"""Return how far triangles of replicas are from isosceles with a short base: 0 ultrametric, 1/2 for unrelated sides.

    With the distances :math:`d_{ab}=1-q_{ab}` of a triangle sorted, :math:`d_1\ge d_2\ge d_3`, it is
    :math:`\sum(d_1-d_2)/\sum(d_1-d_3)` over all triangles: ultrametricity demands :math:`d_1=d_2`. It is 0 when all sides
    are equal. It means something only when the overlaps spread by more than their thermal noise.

    Parameters
    ----------
    overlaps : array (replica, replica_) or (snapshot, replica, replica_)

    Examples
    --------
    >>> tree = [[1.0, 0.8, 0.2], [0.8, 1.0, 0.2], [0.2, 0.2, 1.0]]
    >>> ultrametricity(tree)
    0.0
    """
    matrices = as_float_array("overlaps", overlaps, ndim=(2, 3))
    matrices = matrices[None] if matrices.ndim == 2 else matrices
    replicas = matrices.shape[-1]
    if matrices.shape[-2] != replicas or replicas < 3:
        raise invalid("the shape of overlaps", matrices.shape, "(replica, replica_) with at least 3 replicas")
    a, b, c = (np.array(index) for index in zip(*_triangles(replicas)))
    sides = np.sort(np.stack([matrices[:, a, b], matrices[:, b, c], matrices[:, a, c]]), axis=0)
    spread = float(np.sum(sides[2] - sides[0]))
    # the smallest overlap is the longest side
    return float(np.sum(sides[1] - sides[0]) / spread) if spread > 1e-12 * sides[0].size else 0.0


def _triangles(replicas: int) -> list[tuple[int, int, int]]:
    return [(a, b, c) for a in range(replicas) for b in range(a + 1, replicas) for c in range(b + 1, replicas)]


def overlap_density(
    overlaps: npt.ArrayLike, *, bins: int = 50, low: float = -1.0, quantum: float | None = None
) -> tuple[FloatArray, FloatArray]:
    """Return the centres and heights of the histogram P(q) on [`low`, 1], of unit area.

    Overlaps of N Ising spins come in steps of 2 / N; with that as `quantum` every bin holds equally many of them (and there
    may be fewer than `bins`), so that the bins leave no pattern of their own.

    >>> centres, heights = overlap_density([0.1, 0.3], bins=4)
    >>> heights.tolist()
    [0.0, 0.0, 2.0, 0.0]
    """
    values = as_float_array("overlaps", np.ravel(overlaps), ndim=1)
    if quantum is None:
        edges = np.linspace(low, 1.0, bins + 1)
    else:
        width = quantum * np.ceil((1.0 - low) / (bins * quantum))
        count = int(np.ceil((1.0 - low + quantum) / width))
        edges = low - 0.5 * quantum + width * np.arange(count + 1)
    inside = np.clip(values, edges[0], np.nextafter(edges[-1], 0.0))  # rounding may leave [-1, 1]
    counts, _ = np.histogram(inside, edges)
    return 0.5 * (edges[1:] + edges[:-1]), counts / (values.size * np.diff(edges))


def equilibrium_identity(
    internal_energy: npt.ArrayLike,
    self_overlap_squared: npt.ArrayLike,
    overlap_squared: npt.ArrayLike,
    *,
    beta: float,
    coupling: float = 1.0,
) -> tuple[float, float]:
    r"""Return the mean over samples, and its error, of what vanishes in equilibrium for Gaussian couplings at any N:

    .. math:: u_J+\frac{\beta J^2}2\Big[\langle\lVert Q^{aa}\rVert_F^2\rangle-\langle\lVert Q^{ab}\rVert_F^2\rangle\Big],

    :math:`u_J` the energy of the couplings per spin (convention ``half``, without the field, whose law is free), a and b
    independent replicas. The energy comes from above and the bracket from below as runs lengthen, so a positive value
    means that the run was too short. Integration by parts over the couplings; one value per sample of variance
    :math:`J^2/N`.

    Parameters
    ----------
    internal_energy, self_overlap_squared, overlap_squared : array (sample,)
    beta, coupling : float
        Inverse temperature and J.

    References
    ----------
    Katzgraber, Palassini and Young 2001, Phys. Rev. B 63, 184422.

    Examples
    --------
    >>> equilibrium_identity([-0.5, -0.5], [1.0, 1.0], [0.0, 0.0], beta=1.0)
    (0.0, 0.0)
    """
    beta = as_number("beta", beta, minimum=0.0)
    coupling = as_number("coupling", coupling, minimum=0.0)
    u = as_float_array("internal_energy", internal_energy, ndim=1)
    own = as_float_array("self_overlap_squared", self_overlap_squared, ndim=1)
    cross = as_float_array("overlap_squared", overlap_squared, ndim=1)
    if u.size < 2 or own.shape != u.shape or cross.shape != u.shape:
        raise invalid("the number of samples", (u.size, own.size, cross.size), "at least 2, the same for all three")
    gaps = u + 0.5 * beta * coupling**2 * (own - cross)
    return float(gaps.mean()), float(gaps.std(ddof=1) / np.sqrt(gaps.size))


@dataclass(frozen=True, slots=True)
class Verdict:
    """What kind of order equilibrated replicas show, with the numbers that decide.

    Parameters
    ----------
    kind : str
        ``"replica symmetric"``, ``"broken"``, ``"global rotation only"`` or ``"undecided"``.
    fluctuation, spread : float
        f, the square root of the spin-glass susceptibility over N, and the standard deviation of the aligned overlaps.
    one_state, many_states : float
        The limits of the two.
    moved : str
        What a global rotation is called: ``"flipped"`` for D=1.
    """

    kind: str
    fluctuation: float
    spread: float
    one_state: float
    many_states: float
    moved: str = "turned"

    @property
    def reason(self) -> str:
        """One clause that says why."""
        f, s = f"{self.fluctuation:.2g}", f"{self.spread:.2g}"
        if self.kind == "replica symmetric":
            return f"overlaps fluctuate by {f}, as one state of this size may (up to {self.one_state:.2g})"
        if self.kind == "broken":
            return f"aligned overlaps spread by {s}, more than one state of this size allows ({self.many_states:.2g})"
        if self.kind == "global rotation only":
            return f"overlaps fluctuate by {f}, but once aligned only by {s}: replicas are one state, {self.moved}"
        return f"aligned overlaps spread by {s}, as near a transition: compare a larger system"


def classify(*, n: int, dim: int, susceptibility: float, aligned: npt.ArrayLike) -> Verdict:
    r"""Tell one state, many states, and one state up to a global rotation apart, for equilibrated replicas.

    Overlaps fluctuate by :math:`O(N^{-1/2})` in one state, by :math:`O(N^{-1/3})` at a transition, and by O(1) where there
    are many states or where all spins may turn together. With :math:`f=\sqrt{\chi_{SG}/N}` the fluctuation of the overlap
    tensor and s the standard deviation of the overlaps *aligned* by the best rotation of one replica (for D=1 a
    reflection), the answer is

    * ``replica symmetric`` if :math:`f\le N^{-1/3}`; else
    * ``broken`` if :math:`s>\tfrac34N^{-1/3}/\sqrt D`: even aligned, replicas differ by more than they would at a transition;
    * ``global rotation only`` if :math:`s<0.3f/\sqrt D` and s is below half the limit of ``broken``: aligned, they hardly
      differ;
    * ``undecided`` otherwise, which is typical of the neighbourhood of a transition.

    An overlap tensor with Gaussian entries, as at a transition, has :math:`s\approx0.6f/\sqrt D`. One sample of one size
    cannot say more: confirm a ``broken`` by a larger N, where s must stay.

    Parameters
    ----------
    n, dim : int
        Numbers of spins N and of components D.
    susceptibility : float
        :math:`\chi_{SG}`.
    aligned : array (value,)
        Aligned overlaps of different replicas.

    Examples
    --------
    >>> classify(n=512, dim=3, susceptibility=300.0, aligned=[0.7, 0.71, 0.7]).kind
    'global rotation only'
    """
    limit = float(n) ** (-1.0 / 3.0)
    fluctuation = float(np.sqrt(max(susceptibility, 0.0) / n))
    spread = float(np.std(as_float_array("aligned", aligned, ndim=1)))
    many = 0.75 * limit / float(np.sqrt(dim))
    if fluctuation <= limit:
        kind = "replica symmetric"
    elif spread > many:
        kind = "broken"
    else:
        few = min(0.3 * fluctuation / float(np.sqrt(dim)), 0.5 * many)
        kind = "global rotation only" if spread < few else "undecided"
    return Verdict(kind, fluctuation, spread, limit, many, "flipped" if dim == 1 else "turned")


def _snapshots(snapshots: npt.ArrayLike) -> FloatArray:
    spins = as_float_array("snapshots", snapshots, ndim=4)
    if spins.size == 0:
        raise invalid("the shape of snapshots", spins.shape, "(snapshot, replica, site, component)")
    return spins

"""What the closures share: the law of one site, starting points, and the labelled result."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from glassformer._core._errors import MethodNotApplicableError, invalid
from glassformer._core._responses import RESPONSES, Response
from glassformer._core._status import Status, attach_evidence
from glassformer._core._validation import FloatArray, as_choice, as_count, as_float_array, as_number
from glassformer.models import VectorSpin

if TYPE_CHECKING:
    import xarray as xr

    from glassformer.theory._fixed_point import FixedPoint

Start = None | str | npt.ArrayLike
MATRICES_UP_TO = 256  # sites; a transient of larger systems stores no correlation matrices


def check_parameters(beta: float, response: str, tolerance: float, max_iterations: int) -> None:
    """Check the parameters that every closure has."""
    as_number("beta", beta, minimum=0.0, next_step="pass a temperature T as beta = 1 / T")
    as_choice("response", response, RESPONSES)
    as_number("tolerance", tolerance, minimum=0.0, exclusive_minimum=True)
    as_count("max_iterations", max_iterations)


def require_vector_spin(model: Any, method: object) -> VectorSpin:
    """Return `model` if it is a `VectorSpin`, or raise."""
    if not isinstance(model, VectorSpin):
        raise MethodNotApplicableError(
            f"{type(method).__name__} solves a VectorSpin, not a {type(model).__name__}; "
            "gf.methods(...) prints what applies."
        )
    return model


class SiteLaw(NamedTuple):
    """Mean and covariance of every spin on its own; ``direction`` is zero where there is no field."""

    mean: FloatArray  # (site, component)
    direction: FloatArray  # (site, component)
    parallel: FloatArray  # (site,)
    perp: FloatArray  # (site,)


def directions_of(vectors: FloatArray) -> FloatArray:
    """Return unit vectors; zero where the vector is zero."""
    # Dividing by the largest component first keeps norms of tiny vectors from underflowing.
    scale = np.abs(vectors).max(axis=-1, keepdims=True)
    scaled = vectors / np.where(scale > 0, scale, 1.0)
    return scaled / np.where(scale > 0, np.linalg.norm(scaled, axis=-1, keepdims=True), 1.0)


def law_in_fields(response: Response, fields: FloatArray, beta: float, radius: float) -> SiteLaw:
    """Return the law of independent spins in the fields `fields` (site, component)."""
    values = response.evaluate(beta * radius * np.linalg.norm(fields, axis=-1))
    mean = (beta * radius**2) * values.over_kappa[:, None] * fields
    return SiteLaw(mean, directions_of(fields), radius**2 * values.derivative, radius**2 * values.over_kappa)


def law_of_means(response: Response, means: FloatArray, radius: float) -> SiteLaw:
    """Return the law of independent spins with the means `means`; a spin of length R has no variance."""
    ratio = np.linalg.norm(means, axis=-1) / radius
    definite = ratio > 1.0 - 1e-12
    values = response.evaluate(response.inverse(np.where(definite, 0.0, ratio)))
    parallel, perp = (np.where(definite, 0.0, radius**2 * v) for v in (values.derivative, values.over_kappa))
    return SiteLaw(means, directions_of(means), parallel, perp)


def starting_means(model: VectorSpin, start: Start, response: Response, beta: float) -> FloatArray:
    r"""Return :math:`\mathbf m(0)`: zero, :math:`\varphi(\mathbf x)`, or the array that was given."""
    if start is None:
        return np.zeros((model.n, model.dim))
    if isinstance(start, str):
        as_choice("start", start, ("fields",))
        return law_in_fields(response, model.fields, beta, model.r).mean
    means = as_float_array("start", start, ndim=(1, 2))
    if means.ndim == 1:
        means = means[:, None]
    if means.shape != (model.n, model.dim):
        raise invalid("the shape of start", np.shape(start), f"{(model.n, model.dim)} (site, component)")
    norms = np.linalg.norm(means, axis=-1) / model.r
    if norms.max() > 1.0 + 1e-9:
        raise invalid(
            f"the length of start[{int(np.argmax(norms))}]", float(norms.max() * model.r), f"at most R = {model.r:g}"
        )
    return means / np.maximum(norms, 1.0)[:, None]


def inside_sphere(means: FloatArray, radius: float) -> FloatArray:
    """Return the means with those that are longer than R shortened to it."""
    norms = np.linalg.norm(means, axis=-1, keepdims=True) / radius
    return means / np.maximum(norms, 1.0)


def symmetry_note(model: VectorSpin, means: FloatArray) -> str:
    """Return a warning when the mean is zero only because nothing has broken the symmetry."""
    if model.fields.any() or means.any():
        return ""
    return "Without fields a mean of zero stays zero, whether it is stable or not; pass start=... to look for order."


def free_variance(model: VectorSpin, means: FloatArray) -> FloatArray:
    r"""Return :math:`(R^2-m_i^2)/D`, what the sphere leaves for each component; 0 for a definite state."""
    room = model.r**2 - np.einsum("ia,ia->i", means, means)
    return np.where(room > 1e-12 * model.r**2, room, 0.0) / model.dim


def first_order_delayed(beta: float, couplings: FloatArray, later: SiteLaw, earlier: SiteLaw) -> FloatArray:
    r"""Return :math:`L_{ij}=\beta J_{ij}\mathrm{Tr}(V_iV_j)`, first index later, at cost :math:`N^2D`."""
    dim = later.mean.shape[1]
    gram = later.direction @ earlier.direction.T
    extra_later, extra_earlier = later.parallel - later.perp, earlier.parallel - earlier.perp
    trace = dim * np.outer(later.perp, earlier.perp)
    trace += np.outer(later.perp, extra_earlier) + np.outer(extra_later, earlier.perp)
    trace += np.outer(extra_later, extra_earlier) * gram**2
    return beta * couplings * trace


def expansion_parameter(beta: float, couplings: FloatArray, delayed: FloatArray, dim: int) -> float:
    r"""Return :math:`\frac{\beta^2}{ND}\sum_{ij}J_{ij}^2\,\mathrm{Tr}(V_iV_j)` from the first-order delayed correlation.

    Plefka's expansion converges while it is below 1 (Plefka 1982, for one component and couplings of one size:
    :math:`\beta^2J^2\,[(1-m^2)^2]<1`); it is the square of the size of successive terms.
    """
    return beta * float(np.vdot(couplings, delayed)) / (couplings.shape[0] * dim)


def largest_change(radius: float, new: FloatArray, old: FloatArray) -> float:
    """Return the largest change of a mean, in units of R."""
    return float(np.linalg.norm(new - old, axis=-1).max()) / radius


def fixed_point_dataset(
    model: VectorSpin,
    method: Any,
    found: FixedPoint,
    *,
    magnetization: FloatArray,
    correlation: FloatArray,
    delayed: FloatArray,
    wall_time: float,
    note: Sequence[str] = (),
    **extra: Any,
) -> xr.Dataset:
    """Label a fixed point and attach its evidence."""
    from glassformer.observables._summary import moments_dataset

    dataset = moments_dataset(
        model,
        beta=method.beta,
        magnetization=magnetization,
        correlation=correlation,
        delayed_correlation=delayed,
    )
    dataset["residual"] = found.residual
    return _attach(
        dataset,
        model,
        method,
        status=found.status,
        wall_time=wall_time,
        note=(found.note, *note),
        residual=found.residual,
        iterations=found.iterations,
        mixing=found.mixing,
        tolerance=method.tolerance,
        **extra,
    )


def _attach(
    dataset: xr.Dataset,
    model: VectorSpin,
    method: Any,
    *,
    status: Status,
    wall_time: float,
    note: Sequence[str],
    cite: Sequence[str] = (),
    **extra: Any,
) -> xr.Dataset:
    return attach_evidence(
        dataset,
        status=status,
        method=type(method).__name__,
        wall_time=wall_time,
        citations=tuple(dict.fromkeys((*model.citations, *method.citations, *cite))),
        model=model.digest,
        process="parallel",
        beta=float(method.beta),
        response=method.response,
        note=" ".join(part for part in note if part) or None,
        **extra,
    )


class Recorder:
    """Collects a transient, time 0 included; ``matrices`` says whether correlation matrices are wanted."""

    def __init__(self, model: VectorSpin, beta: float) -> None:
        self.model, self.beta = model, beta
        self.matrices = model.n <= MATRICES_UP_TO
        self._antisymmetric = model.couplings - model.couplings.T
        self._means: list[FloatArray] = []
        self._sigma: list[float] = []
        self._correlations: list[FloatArray] = []
        self._delayed: list[FloatArray] = []

    def add(self, means: FloatArray, correlation: FloatArray | None, delayed: FloatArray) -> None:
        """Record one time; `delayed` belongs to the step that starts there and is not kept by reference."""
        self._means.append(means)
        self._sigma.append(self.beta * float(np.vdot(self._antisymmetric, delayed)))
        if self.matrices and correlation is not None:
            self._correlations.append(correlation)
            self._delayed.append(delayed.copy())

    def dataset(
        self,
        method: Any,
        *,
        status: Status,
        wall_time: float,
        note: Sequence[str] = (),
        residual: float = 0.0,
        **extra: Any,
    ) -> xr.Dataset:
        """Label the transient and attach its evidence; `residual` is that of the equations solved at every step."""
        import xarray as xr

        from glassformer.observables._summary import label, mean_cosine, mean_instantaneous_cosine

        model, means, sigma = self.model, np.stack(self._means), np.array(self._sigma)
        squares = np.einsum("tia,tia->t", means, means)
        time = ("time",)
        variables: dict[str, object] = {
            "magnetization": (("time", "site", "component"), means),
            "magnetization_sum_of_squares": (time, squares),
            "covariance_trace": (time, model.n * model.r**2 - squares),
            "alignment_of_mean": (time, np.array([mean_cosine(m, model.fields) for m in means])),
            "mean_of_alignment": (
                time,
                np.array([mean_instantaneous_cosine(m, model.fields, model.r) for m in means]),
            ),
            "entropy_production": (time, sigma),
            "entropy_production_per_spin": (time, sigma / model.n),
        }
        if self._correlations:
            dims = ("time", "site", "site_")
            variables["correlation"] = (dims, np.stack(self._correlations))
            variables["delayed_correlation"] = (dims, np.stack(self._delayed))
        variables["residual"] = residual
        dataset = label(xr.Dataset(variables, coords={"time": np.arange(len(means))}))
        told = (
            "delayed_correlation and entropy_production at a time belong to the step that starts there.",
            "Away from stationarity entropy_production, beta sum (J - J^T) L, is not the total.",
        )
        return _attach(
            dataset,
            model,
            method,
            status=status,
            wall_time=wall_time,
            note=(*note, *told),
            residual=residual,
            steps=len(means) - 1,
            **extra,
        )

"""From moments to the labelled Dataset that simulation and theory share."""

from __future__ import annotations

import numpy as np
import xarray as xr

from glassformer._core._validation import FloatArray
from glassformer.models import VectorSpin

UNITS = {
    "entropy_production": "nats per step of the whole system",
    "entropy_production_per_spin": "nats per step and spin",
    "energy": "energy per spin, convention half",
    "magnetization_sum_of_squares": "squared spin length, summed over sites",
    "covariance_trace": "squared spin length, summed over sites and components",
}


def mean_cosine(vectors: FloatArray, targets: FloatArray) -> float:
    r"""Return :math:`\frac1N\sum_i\cos(\mathbf v_i,\mathbf y_i)`; sites where either vector vanishes are left out.

    NaN when no site is left: the angle to a zero vector does not exist.
    """
    norms = np.linalg.norm(vectors, axis=-1) * np.linalg.norm(targets, axis=-1)
    kept = norms > 0
    if not kept.any():
        return float("nan")
    return float(np.mean(np.einsum("...a,...a->...", vectors, targets)[kept] / norms[kept]))


def mean_instantaneous_cosine(magnetization: FloatArray, targets: FloatArray, radius: float) -> float:
    r"""Return :math:`\langle\frac1N\sum_i\cos(\mathbf s_i,\mathbf y_i)\rangle=\frac1N\sum_i\mathbf m_i\cdot\hat{\mathbf y}_i/R`."""
    norms = np.linalg.norm(targets, axis=-1)
    kept = norms > 0
    if not kept.any():
        return float("nan")
    return float(np.mean(np.einsum("ia,ia->i", magnetization, targets)[kept] / norms[kept]) / radius)


def antisymmetric_entropy_production(beta: float, couplings: FloatArray, delayed: FloatArray) -> float:
    r"""Return :math:`\sigma=\beta\sum_{ij}(J_{ij}-J_{ji})L_{ij}`, nats per parallel step of the whole system."""
    return float(beta * np.sum((couplings - couplings.T) * delayed))


def energy_from_moments(model: VectorSpin, magnetization: FloatArray, correlation: FloatArray) -> float:
    r"""Return the energy per spin (convention ``half``) from :math:`\mathbf m` and the connected :math:`\langle\mathbf s_i\cdot\mathbf s_j\rangle_c`."""
    raw = correlation + magnetization @ magnetization.T
    np.fill_diagonal(raw, 0.0)
    return float(-(0.5 * np.sum(model.couplings * raw) + np.sum(model.fields * magnetization)) / model.n)


def moments_dataset(
    model: VectorSpin,
    *,
    beta: float,
    magnetization: FloatArray,
    correlation: FloatArray,
    delayed_correlation: FloatArray | None,
    entropy_production: float | None = None,
) -> xr.Dataset:
    """Label the moments of one steady state and derive every scalar that follows from them.

    Parameters
    ----------
    magnetization : array (site, component)
    correlation : array (site, site_)
        Connected equal-time :math:`\\langle\\mathbf s_i\\cdot\\mathbf s_j\\rangle_c`, summed over components.
    delayed_correlation : array (site, site_), optional
        Connected :math:`\\langle\\mathbf s_i(t+1)\\cdot\\mathbf s_j(t)\\rangle_c`, first index later.
    entropy_production : float, optional
        Taken from the delayed correlation if left out (0 without one).
    """
    square = float(np.sum(magnetization**2))
    if entropy_production is None:
        entropy_production = (
            0.0
            if delayed_correlation is None
            else antisymmetric_entropy_production(beta, model.couplings, delayed_correlation)
        )
    variables: dict[str, object] = {
        "magnetization": (("site", "component"), magnetization),
        "correlation": (("site", "site_"), correlation),
        "magnetization_sum_of_squares": square,
        # On the sphere the trace of the covariance is what the mean leaves of R^2, whatever the approximation.
        "covariance_trace": model.n * model.r**2 - square,
        "alignment_of_mean": mean_cosine(magnetization, model.fields),
        "mean_of_alignment": mean_instantaneous_cosine(magnetization, model.fields, model.r),
        "energy": energy_from_moments(model, magnetization, correlation.copy()),
        "entropy_production": entropy_production,
        "entropy_production_per_spin": entropy_production / model.n,
    }
    if delayed_correlation is not None:
        variables["delayed_correlation"] = (("site", "site_"), delayed_correlation)
    dataset = xr.Dataset(variables)
    return label(dataset)


def label(dataset: xr.Dataset) -> xr.Dataset:
    """Write the units of the variables that have any."""
    for name, unit in UNITS.items():
        for variable in (name, f"{name}_error"):
            if variable in dataset:
                dataset[variable].attrs["units"] = unit
    return dataset

"""`vector/entropy-production`: every estimator of the entropy production of the user's own couplings in one table."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from glassformer._core._errors import InvalidInputError
from glassformer.runs.vector import ParallelConfig, run_simulation
from glassformer.sweeps import RunContext, RunSpec

if TYPE_CHECKING:
    import xarray as xr

    from glassformer.models import VectorSpin

GAUSSIAN_UP_TO = 16  # components: beyond them the Gram closure is as good
_MAPS = ("pair_entropy_production", "site_entropy_production", "circulation")


class EntropyProductionConfig(ParallelConfig):
    """The entropy production of the parallel process, estimated in every way that this package has."""


def _estimate(config: EntropyProductionConfig, part: dict[str, Any], context: RunContext) -> xr.Dataset:
    import xarray as xr

    import glassformer as gf
    from glassformer.observables import circulation, pair_entropy_production, site_entropy_production

    model = config.build()
    solved, unresolved = {}, ""
    for name, method in _theories(config.beta, model).items():
        try:
            solved[name] = gf.solve(model, method, throw=False)
        except InvalidInputError as error:
            if name != "enumeration":
                raise
            unresolved = f"Enumeration is left out: {error} "  # at low temperature; the others still have an answer
    simulation = run_simulation(config, gf.ParallelHeatBath(config.beta), context)
    values = {"correlations": float(simulation["entropy_production"])}
    errors = {"correlations": float(simulation["entropy_production_error"])}
    values["path"] = float(simulation["entropy_production_path"])
    errors["path"] = float(simulation["entropy_production_path_error"])
    statuses = dict.fromkeys(values, simulation.attrs["status"])
    for name, found in solved.items():
        failed = gf.Status(found.attrs["status"]).failed
        values[name] = math.nan if failed else float(found["entropy_production"])
        errors[name] = math.nan
        statuses[name] = found.attrs["status"]
    reference, noise = values["correlations"], errors["correlations"]
    size = np.array(list(values.values()))
    with np.errstate(divide="ignore", invalid="ignore"):
        # reversible couplings give exactly 0 on both sides
        deviation = np.where(size == reference, 0.0, (size - reference) / noise)
        relative = np.where(size == reference, 0.0, size / reference - 1.0)
    deviation[0] = relative[0] = math.nan
    sources = {"": simulation, **{f"_{name}": found for name, found in solved.items()}}
    pair = ("site", "site_")
    variables: dict[str, Any] = {
        "entropy_production": ("estimator", size),
        "entropy_production_error": ("estimator", list(errors.values())),
        "entropy_production_per_spin": ("estimator", size / model.n),
        "entropy_production_per_spin_and_component": ("estimator", size / (model.n * model.dim)),
        "deviation": ("estimator", deviation),
        "relative_difference": ("estimator", relative),
        "estimator_status": ("estimator", list(statuses.values())),
    }
    for end, source in sources.items():
        delayed = source["delayed_correlation"].values
        variables[f"pair_entropy_production{end}"] = (
            pair,
            pair_entropy_production(config.beta, model.couplings, delayed),
        )
        variables[f"site_entropy_production{end}"] = (
            "site",
            site_entropy_production(config.beta, model.couplings, delayed),
        )
        variables[f"circulation{end}"] = (pair, circulation(delayed))
    variables |= _reciprocity(model)
    dataset = xr.Dataset(variables, coords={"estimator": list(values)}, attrs=simulation.attrs)
    for name in ("entropy_production", "pair_entropy_production", "site_entropy_production"):
        dataset[name].attrs["units"] = "nats per step" + (
            " of the whole system" if name == "entropy_production" else ""
        )
    dataset["deviation"].attrs["units"] = "standard errors of the estimate from correlations"
    citations = [*gf.evidence(simulation)["citations"], "esposito2010", "bal2026"]
    for found in solved.values():
        citations += gf.evidence(found)["citations"]
    dataset.attrs["citations"] = list(dict.fromkeys(citations))
    dataset.attrs["table"] = _table(dataset)
    dataset.attrs["note"] = unresolved + _note(dataset)
    return dataset


def _theories(beta: float, model: VectorSpin) -> dict[str, Any]:
    """Return the theories that apply; naive mean field gives the first-order estimate from its own stationary fields."""
    import glassformer as gf

    found: dict[str, Any] = {"plefka": gf.NaiveMeanField(beta), "gram": gf.GramClosure(beta)}
    gaussian = gf.GaussianClosure(beta)
    if model.dim <= GAUSSIAN_UP_TO and gaussian.memory(model) <= gaussian.memory_limit:
        found["gaussian"] = gaussian
    exact = gf.Enumeration(beta)
    if "Enumeration" in gf.methods(model):
        found["enumeration"] = exact
    return found


def _reciprocity(model: VectorSpin) -> dict[str, float]:
    """Return how reciprocal the couplings are."""
    couplings = model.couplings
    total, product = float(np.sum(couplings**2)), couplings * couplings.T
    between = ~np.eye(model.n, dtype=bool)
    return {
        "symmetry": float(np.sum(product)) / total if total > 0 else math.nan,
        "norm_of_symmetric_part": float(np.linalg.norm(couplings + couplings.T)) / 2,
        "norm_of_antisymmetric_part": float(np.linalg.norm(couplings - couplings.T)) / 2,
        "one_way": float(bool(couplings[between].any()) and not product[between].any()),
    }


def _note(dataset: xr.Dataset) -> str:
    told = (
        "This is the entropy production of the parallel process; sequential updates have another, never to be compared with it. "
        "path differs from correlations by the two ends of each chain only: it checks the code, not the statistics."
    )
    if bool(dataset["one_way"]):
        return (
            "No two sites act on each other (as under a strictly causal mask), so every pair is as nonreciprocal as it "
            "can be: here entropy production measures how strong and how concentrated the couplings are, weighted by how "
            f"freely the spins respond, and not how asymmetric they were made or learned. {told}"
        )
    return told


def _table(dataset: xr.Dataset) -> str:
    lines = [f"{'estimator':14}{'entropy production':>24}{'relative':>11}{'deviation':>12}  status"]
    for name in dataset["estimator"].values:
        row = dataset.sel(estimator=name)
        value, error = float(row["entropy_production"]), float(row["entropy_production_error"])
        text = f"{value:.6g}" if math.isfinite(value) else "undefined"
        text += f" ± {error:.1g}" if math.isfinite(error) else ""
        relative, deviation = float(row["relative_difference"]), float(row["deviation"])
        shown = f"{100 * relative:+.2f} %" if math.isfinite(relative) else ""
        away = f"{deviation:+.1f} s.e." if math.isfinite(deviation) else ""
        lines.append(f"{name!s:14}{text:>24}{shown:>11}{away:>12}  {row['estimator_status'].item()}")
    best = np.argsort(dataset["site_entropy_production"].values)[::-1][:5]
    lines.append("sites that produce most: " + ", ".join(
        f"{site} ({float(dataset['site_entropy_production'][site]):.3g})" for site in best
    ))  # fmt: skip
    return "\n".join(lines)


ENTROPY_PRODUCTION = RunSpec(
    name="vector/entropy-production",
    summary="Entropy production of your couplings by every estimator, per pair and per site.",
    config=EntropyProductionConfig,
    compute=_estimate,
    plot="glassformer.plotting.thermodynamics:entropy_production_figure",
    citations=("esposito2010", "bal2026", "glassformer"),
)

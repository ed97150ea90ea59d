"""`vector/asymmetry`: what asymmetry does at constant strength of the couplings, by simulation, theories and at infinite size."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import Field, field_validator

from glassformer._core._errors import InvalidInputError, MethodNotApplicableError, invalid
from glassformer._core._status import Status
from glassformer.dynamics._motion import one_blas_thread
from glassformer.runs.vector import THEORIES
from glassformer.sweeps import Expected, FloatOrInfinityGrid, RunConfig, RunContext, RunSpec

if TYPE_CHECKING:
    import xarray as xr

    from glassformer.models import VectorSpin

_PATH_NUMBERS = 4_000_000  # of stored spins, from which lagged correlations are taken
# name: unit
_SCALARS = {
    "alignment_of_mean": "",
    "mean_of_alignment": "",
    "magnetization_norm": "root mean square length of the mean spin, over R",
    "correlation_rms": "of connected pair correlations between sites, over R^2",
    "delayed_correlation_rms": "of connected delayed correlations between sites, over R^2",
    "relaxation_rate": "per step, of the slowest mode",
    "relaxation_angle": "radians per step of the slowest mode, from the nearer of 0 and pi",
    "entropy_production": "nats per step of the whole system",
    "entropy_production_per_spin": "nats per step and spin",
    "entropy_production_per_spin_and_component": "nats per step, spin and component",
}


class AsymmetryConfig(RunConfig):
    """Gaussian couplings of one variance and several asymmetries: the same strength, less and less reciprocal."""

    asymmetries: FloatOrInfinityGrid = Field(
        (0.0, 0.5, 1.0, 2.0, math.inf),
        description="k of J = (S + k B) / sqrt(1 + k^2): 0 symmetric, 1 independent, inf antisymmetric",
    )
    beta: Annotated[float, Field(ge=0, description="inverse temperature")] = 2.0
    n: Annotated[int, Field(ge=2, description="number of spins")] = 64
    dim: Annotated[int, Field(ge=1, description="components per spin")] = 32
    radius: Annotated[
        Literal["bal", "sqrt_d", "unit"] | float, Field(description="R^2 = D/2 - 1, R^2 = D, R = 1, or the number R")
    ] = "bal"
    coupling_scale: Annotated[float, Field(ge=0, description="J: couplings have the variance J^2 / n")] = 1.0
    strength: Annotated[float, Field(ge=0, description="field strength h: |x_i| = h R")] = 1.0
    samples: Annotated[int, Field(ge=1, description="disorder samples; error bars are over them")] = 4
    methods: Annotated[
        tuple[Literal["nmf", "tap", "gram", "gaussian"], ...], Field(min_length=1, description="theories")
    ] = ("nmf", "tap", "gram")
    lags: Annotated[int, Field(ge=1, description="lags of the autocorrelation")] = 8
    steps: Annotated[int, Field(ge=2, description="measured parallel steps of the simulation")] = 400
    burn_in: Annotated[int, Field(ge=0, description="steps before measuring")] = 100
    replicas: Annotated[int, Field(ge=2, description="independent copies")] = 16
    seed: Annotated[int, Field(ge=0, description="root seed; generated and stored if left out")]

    @field_validator("asymmetries")
    @classmethod
    def _from_zero(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if min(value) < 0.0:
            raise invalid("the smallest of asymmetries", min(value), "at least 0 (k and -k have the same law)")
        return value

    def sample(self, asymmetry: float, sample: int) -> VectorSpin:
        """Draw one sample; the same sample number has the same S, B and fields at every asymmetry."""
        import glassformer as gf
        from glassformer._core._random import stream_key

        own = stream_key(self.seed, f"sample/{sample}") % 2**63
        law = gf.Asymmetric(scale=self.coupling_scale, asymmetry=asymmetry)
        fields = gf.sphere_fields(self.n, dim=self.dim, seed=own, radius=self.radius, strength=self.strength)
        return gf.VectorSpin(law.sample(n=self.n, seed=own), fields, radius=self.radius)


def _parts(config: AsymmetryConfig) -> list[dict[str, Any]]:
    return [{"asymmetry": k, "sample": sample} for k in config.asymmetries for sample in range(config.samples)]


def _part(config: AsymmetryConfig, part: dict[str, Any], context: RunContext) -> xr.Dataset:
    import xarray as xr

    import glassformer as gf

    model = config.sample(part["asymmetry"], part["sample"])
    simulation = gf.simulate(
        model, gf.ParallelHeatBath(config.beta), steps=config.steps, burn_in=config.burn_in, replicas=config.replicas,
        seed=config.seed + part["sample"], progress=context.progress, checkpoint=context.checkpoint, throw=False,
    )  # fmt: skip
    results = {"simulation": simulation}
    for name in dict.fromkeys(config.methods):
        results[name] = gf.solve(model, THEORIES[name][0](config.beta), throw=False)
    with one_blas_thread():  # the same bits whatever the number of threads
        rows = [_row(model, result) for result in results.values()]
        lagged = [_simulated_lags(config, model, simulation)]
        lagged += [_linear_lags(result, config.lags) for result in list(results.values())[1:]]
    for row, result in zip(rows, results.values()):
        if Status(result.attrs["status"]).failed:
            row.update(dict.fromkeys(row, math.nan))
    couplings = model.couplings
    total = float(np.sum(couplings**2))
    dataset = xr.Dataset(
        {
            **{name: ("solver", [row[name] for row in rows]) for name in _SCALARS},
            "autocorrelation": (("solver", "lag"), lagged),
            "solver_status": ("solver", [result.attrs["status"] for result in results.values()]),
            "symmetry": float(np.sum(couplings * couplings.T)) / total if total > 0 else math.nan,
            "norm_of_symmetric_part": float(np.linalg.norm(couplings + couplings.T)) / 2,
            "norm_of_antisymmetric_part": float(np.linalg.norm(couplings - couplings.T)) / 2,
        },
        coords={"solver": list(results), "lag": np.arange(config.lags + 1)},
        attrs={key: simulation.attrs[key] for key in ("status", "status_sentence")},
    )
    return dataset


def _row(model: VectorSpin, result: xr.Dataset) -> dict[str, float]:
    """Return the scalars of one solver; correlations of a simulation without their noise."""
    from glassformer.observables import relaxation_modes

    found = {name: float(result[name]) for name in _SCALARS if name in result}
    found["magnetization_norm"] = math.sqrt(max(0.0, float(result["magnetization_sum_of_squares"])) / model.n) / model.r
    for name in ("correlation", "delayed_correlation"):
        noise = result[f"{name}_error"].values if f"{name}_error" in result else np.zeros((model.n, model.n))
        square = (result[name].values ** 2 - noise**2)[~np.eye(model.n, dtype=bool)]
        found[f"{name}_rms"] = math.sqrt(max(0.0, float(square.mean()))) / model.r**2
    if result.attrs["method"] in ("NaiveMeanField", "TAP"):  # they say nothing about equal times
        found["correlation_rms"] = math.nan
    try:
        modes = relaxation_modes(result["correlation"], result["delayed_correlation"])
        turn = abs(float(modes.angle[0]))  # symmetric couplings are as slow at 0 as at pi
        found |= {"relaxation_rate": float(modes.rate[0]), "relaxation_angle": min(turn, math.pi - turn)}
    except InvalidInputError:  # spins that do not fluctuate
        found |= {"relaxation_rate": math.nan, "relaxation_angle": math.nan}
    found["entropy_production_per_spin_and_component"] = found["entropy_production_per_spin"] / model.dim
    return found


def _simulated_lags(config: AsymmetryConfig, model: VectorSpin, simulation: xr.Dataset) -> np.ndarray:
    """Return the autocorrelation from paths that continue the simulation."""
    import glassformer as gf
    from glassformer.observables import spin_autocorrelation

    affordable = _PATH_NUMBERS // (config.replicas * model.n * model.dim)
    steps = min(config.steps, max(4 * config.lags, affordable)) + config.lags
    # Every sample needs its own: noise in common would be missing from the error over samples.
    seed = int(simulation.attrs["seed"]) + 1_000_003
    more = gf.simulate(
        model, gf.ParallelHeatBath(config.beta), steps=steps, replicas=config.replicas, seed=seed,
        start=simulation["spins"].values,
        measure=gf.Measure(correlations=False, series=False, snapshots=steps), throw=False,
    )  # fmt: skip
    paths = more["snapshots"].values.transpose(1, 0, 2, 3)
    try:
        return spin_autocorrelation(paths, config.lags).value
    except InvalidInputError:  # spins that do not fluctuate
        return np.full(config.lags + 1, math.nan)


def _linear_lags(result: xr.Dataset, lags: int) -> np.ndarray:
    r"""Return :math:`\mathrm{Tr}(M^\tau C)/\mathrm{Tr}C` with :math:`M=LC^{-1}`, which in the Gram closure is its own law."""
    equal, delayed = result["correlation"].values, result["delayed_correlation"].values
    if not np.trace(equal) > 0:
        return np.full(lags + 1, math.nan)
    traces, moved = [np.trace(equal)], delayed
    propagator = np.linalg.lstsq(equal.T, delayed.T, rcond=None)[0].T
    for _ in range(lags):
        traces.append(np.trace(moved))
        moved = propagator @ moved
    return np.array(traces) / traces[0]


def _combine(config: AsymmetryConfig, parts: list[xr.Dataset]) -> xr.Dataset:
    import xarray as xr

    kinds = xr.DataArray(list(config.asymmetries), dims="asymmetry", name="asymmetry")
    own = config.samples
    groups = [xr.concat(parts[k * own : (k + 1) * own], dim="sample") for k in range(len(config.asymmetries))]
    every = xr.concat(groups, dim=kinds)
    dataset = xr.Dataset(coords=every.coords)
    for name in (*_SCALARS, "autocorrelation"):
        values = every[name]
        _mean_over_samples(dataset, name, values)
        # sample by sample, so that what samples have in common drops out
        with np.errstate(invalid="ignore"):
            difference = values - values.sel(solver="simulation", drop=True)
        _mean_over_samples(dataset, f"{name}_difference", difference)
        for own_name in (name, f"{name}_difference"):
            dataset[own_name].attrs["units"] = _SCALARS.get(name, "")
    for name in _SCALARS:  # one vector per solver as well: what `run --json` prints
        for solver in dataset["solver"].values:
            for end in ("", "_error") if f"{name}_error" in dataset else ("",):
                dataset[f"{name}_{solver}{end}"] = dataset[f"{name}{end}"].sel(solver=solver, drop=True)
    for name in ("symmetry", "norm_of_symmetric_part", "norm_of_antisymmetric_part"):
        _mean_over_samples(dataset, name, every[name])
    bad = every["solver_status"].isin([status.value for status in Status if not status.good])
    dataset["samples_with_warning"] = bad.sum("sample")
    _add_limit(config, dataset)
    dataset.attrs.update({key: getattr(config, key) for key in ("n", "dim", "beta", "strength", "coupling_scale")})
    dataset.attrs["radius"] = str(config.radius)
    dataset.attrs["averages_over"] = f"{config.samples} disorder samples"
    dataset.attrs["table"] = _table(dataset)
    dataset.attrs["note"] = (
        "x_difference is the mean over samples of (theory - simulation). The modes are eigenvalues of L C^-1, the "
        "regression of a step on the step before; noise adds to those of the simulation."
    )
    return dataset


def _mean_over_samples(dataset: xr.Dataset, name: str, values: xr.DataArray) -> None:
    count = values.notnull().sum("sample")
    with np.errstate(invalid="ignore"):  # rates without couplings are infinite
        dataset[name] = values.mean("sample")  # failed theories are NaN and left out
        if values.sizes["sample"] > 1:
            dataset[f"{name}_error"] = values.std("sample", ddof=1) / np.sqrt(count.where(count > 1))


def _add_limit(config: AsymmetryConfig, dataset: xr.Dataset) -> None:
    """Add what infinitely many spins with infinitely many components do, at the same R^2 / D unless the convention has a limit."""
    import glassformer as gf

    names = (
        "alignment_of_mean", "mean_of_alignment", "magnetization_norm", "relaxation_rate", "relaxation_angle",
        "entropy_production_per_spin_and_component",
    )  # fmt: skip
    convention, beta = config.radius, config.beta
    if convention not in ("bal", "sqrt_d"):
        from glassformer.couplings._radius import resolve_radius

        # in units of R only beta R^2 / D matters
        convention, beta = "sqrt_d", config.beta * resolve_radius(config.radius, config.dim) ** 2 / config.dim
    rows: list[dict[str, float]] = []
    for k in config.asymmetries:
        law = gf.Asymmetric(scale=config.coupling_scale, asymmetry=k)
        limit = gf.LargeLimit(law, strength=config.strength, radius=str(convention))
        try:
            found = gf.solve(limit, gf.GramClosure(beta))
        except MethodNotApplicableError:  # collective modes condense
            rows.append({})
            continue
        rows.append({name: float(found[name]) for name in names if name in found})
    for name in names:
        dataset[f"{name}_limit"] = ("asymmetry", [row.get(name, math.nan) for row in rows])


def _table(dataset: xr.Dataset) -> str:
    """Return one block per quantity: asymmetries down, solvers across."""

    def cell(name: str, place: dict[str, Any]) -> str:
        value, error = float(dataset[name][place]), dataset.get(f"{name}_error")
        text = f"{value:.4g}" if math.isfinite(value) or math.isinf(value) else "undefined"
        shown = error is not None and math.isfinite(float(error[place]))
        return text + (f" ± {float(error[place]):.1g}" if shown and error is not None else "")

    solvers = [str(name) for name in dataset["solver"].values]
    lines = []
    for name in _SCALARS:
        if name in ("entropy_production", "entropy_production_per_spin"):
            continue
        limit = f"{name}_limit" in dataset
        lines.append(f"{name}")
        head = ["asymmetry", "symmetry", *solvers, *(["infinite size"] if limit else [])]
        lines.append("  " + "".join(f"{word:>20}" for word in head))
        for k, asymmetry in enumerate(dataset["asymmetry"].values):
            cells = [f"{asymmetry:g}", f"{float(dataset['symmetry'][k]):.3f}"]
            cells += [cell(name, {"asymmetry": k, "solver": s}) for s in range(len(solvers))]
            cells += [cell(f"{name}_limit", {"asymmetry": k})] if limit else []
            lines.append("  " + "".join(f"{text:>20}" for text in cells))
    return "\n".join(lines)


# Tolerances: finite size shifts alignments by 0.02 at N = 64, and a sample differs from another by 0.015.
_AT_TWO: dict[str, Any] = {"beta": 2.0, "strength": 1.0, "coupling_scale": 1.0, "radius": "bal"}

ASYMMETRY = RunSpec(
    name="vector/asymmetry",
    summary="Means, correlations, relaxation and entropy production against the asymmetry of couplings of one variance.",
    config=AsymmetryConfig,
    scales={"quick": {}, "paper": {"n": 256, "dim": 64, "samples": 8, "replicas": 32}},
    parts=_parts,
    compute=_part,
    combine=_combine,
    plot="glassformer.plotting.thermodynamics:asymmetry_figure",
    citations=("crisanti1987", "glassformer"),
    expected=tuple(
        Expected(name, value, tolerance, "closed form", None, {"asymmetry": k}, _AT_TWO)
        for name, k, value, tolerance in (
            ("alignment_of_mean_limit", 0.0, 0.8319, 0.0005),
            ("alignment_of_mean_limit", 1.0, 0.8660, 0.0005),
        )
    ),
    long_help="The variance of the couplings is the same at every asymmetry, so nothing changes but their reciprocity.",
)

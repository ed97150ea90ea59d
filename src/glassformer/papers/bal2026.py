"""M. Bal, Nonequilibrium Dynamics in Spin-Model Transformers, 2026: fidelity of mean-field theory, the large-D response."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import AfterValidator, Field

from glassformer.sweeps import Expected, FloatGrid, RunConfig, RunContext, RunSpec

if TYPE_CHECKING:
    import xarray as xr

    from glassformer.models import VectorSpin


def _above_zero(values: tuple[float, ...]) -> tuple[float, ...]:
    if min(values) <= 0:
        raise ValueError("every value must be > 0")
    return values


Dim = Annotated[int, Field(ge=3)]  # R^2 = D / 2 - 1 > 0
Positive = Annotated[FloatGrid, AfterValidator(_above_zero)]
SOLVERS = ("nmf", "nmf_large_d", "gram")
QUANTITIES = ("magnetization", "delayed_correlation", "entropy_production")
_CITED = ("bal2026", "glassformer")


class FidelityConfig(RunConfig):
    """Mean-field theory and Gram closure against simulation, over strength of the drive, temperature and dimension."""

    n: int = Field(64, ge=2, description="number of spins")
    dims: tuple[Dim, ...] = Field((3, 64), min_length=1, description="components per spin")
    drives: Positive = Field((0.5, 1.0, 2.0), description="u = beta |x| / R")
    betas: Positive = Field((0.5, 1.0, 2.0), description="inverse temperatures")
    replicates: int = Field(5, ge=3, description="independent simulations of one system; their noise is taken out")
    chains: int = Field(10, ge=2, description="chains in each of them")
    steps: int = Field(200, ge=2, description="measured steps")
    burn_in: int = Field(60, ge=0, description="steps before measuring")
    starts: int = Field(4, ge=0, description="random starts for the number of fixed points")
    seed: int = Field(1, ge=0, description="root seed of couplings, fields and dynamics")


def _model(config: Any, dim: int, drive: float, beta: float) -> VectorSpin:
    """Return the system of one cell: all cells share the couplings, those of one dimension the directions of the fields."""
    import glassformer as gf

    couplings = gf.SoftmaxGaussian().sample(n=config.n, seed=config.seed)
    return gf.VectorSpin(couplings, gf.sphere_fields(config.n, dim=dim, seed=config.seed, strength=drive / beta))


def _fidelity_parts(config: FidelityConfig) -> list[dict[str, Any]]:
    return [
        {"dim": dim, "drive": drive, "beta": beta}
        for dim in config.dims
        for drive in config.drives
        for beta in config.betas
    ]


def _fidelity_part(config: FidelityConfig, part: dict[str, Any], context: RunContext) -> xr.Dataset:
    import xarray as xr

    import glassformer as gf
    from glassformer._core._random import stream_key

    dim, drive, beta = int(part["dim"]), float(part["drive"]), float(part["beta"])
    model = _model(config, dim, drive, beta)
    measured: dict[str, list[np.ndarray]] = {name: [] for name in QUANTITIES}
    for replicate in range(config.replicates):
        context.progress(replicate, config.replicates)
        simulation = gf.simulate(
            model,
            gf.ParallelHeatBath(beta),
            steps=config.steps,
            burn_in=config.burn_in,
            replicas=config.chains,
            # Streams of their own: noise that cells share would look like a trend.
            seed=stream_key(config.seed, f"fidelity/{dim}/{drive!r}/{beta!r}/{replicate}") >> 11,
            measure=gf.Measure(series=False),
        )
        for name in QUANTITIES:
            measured[name].append(simulation[name].values)
    theories = {
        "nmf": gf.NaiveMeanField(beta),
        "nmf_large_d": gf.NaiveMeanField(beta, response="large_d"),
        "gram": gf.GramClosure(beta),
    }
    answers = [gf.solve(model, theory, throw=False) for theory in theories.values()]
    variables: dict[str, Any] = {"solver_status": ("solver", [answer.attrs["status"] for answer in answers])}
    for name in QUANTITIES:
        truth = np.stack(measured[name])
        found = [deviation(answer[name].values, truth) for answer in answers]
        variables[f"{name}_rms_difference"] = ("solver", [error for error, _, _ in found])
        variables[f"{name}_rms_difference_error"] = ("solver", [spread for _, spread, _ in found])
        variables[f"{name}_floor"] = found[0][2]
    certificate = gf.contraction(model, beta, starts=config.starts, seed=config.seed, throw=False)
    for name in ("contraction_bound", "critical_beta", "jacobian_spectral_radius", "branches"):
        variables[name] = float(certificate[name])
    return xr.Dataset(variables, coords={"solver": list(theories)})


def deviation(prediction: np.ndarray, replicates: np.ndarray) -> tuple[float, float, float]:
    r"""Return the noise-corrected relative error of a prediction, its standard error, and the floor of `model_error`.

    The standard error is that of the square before it is clipped at 0: from leaving out one of the replicates
    ``(replicate, ...)`` at a time, or from the scatter of their pairs where that is larger (it is where nothing but noise is
    left, and the pairs are independent). NaN where the replicates share no signal.
    """
    from glassformer._core._errors import InvalidInputError
    from glassformer.observables import model_error

    try:
        error, floor = model_error(prediction, replicates)
    except InvalidInputError:
        return math.nan, math.nan, math.inf
    count = len(replicates)
    rows = replicates.reshape(count, -1)
    gaps = prediction.reshape(-1) - rows
    signal = _pairs(rows)
    left = np.array([_pairs(np.delete(gaps, k, axis=0)) for k in range(count)]) / signal
    products = (gaps @ gaps.T)[np.triu_indices(count, 1)] / signal
    spread = max(
        math.sqrt((count - 1) / count * float(np.sum((left - left.mean()) ** 2))),
        float(products.std(ddof=1)) / math.sqrt(products.size),
    )
    # The root turns an error of the square into spread / (2 error), and into its root where nothing is resolved.
    return error, min(math.sqrt(spread), spread / (2 * error) if error > 0 else math.inf), floor


def _pairs(rows: np.ndarray) -> float:
    """Return the mean product of different rows."""
    total, count = rows.sum(axis=0), len(rows)
    return float((total @ total - np.sum(rows**2)) / (count * (count - 1)))


def _fidelity_combine(config: FidelityConfig, parts: list[xr.Dataset]) -> xr.Dataset:
    import xarray as xr

    shape = (len(config.dims), len(config.drives), len(config.betas))
    grid = ("dim", "drive", "beta")
    variables: dict[str, Any] = {}
    for name, variable in parts[0].data_vars.items():
        values = np.stack([part[name].values for part in parts])
        values = values.reshape(*shape, *variable.shape)
        own = tuple(str(dim) for dim in variable.dims)
        variables[str(name)] = ((*own, *grid), np.moveaxis(values, -1, 0) if own else values)
    dataset = xr.Dataset(
        variables,
        coords={
            "solver": list(SOLVERS),
            "dim": list(config.dims),
            "drive": list(config.drives),
            "beta": list(config.betas),
        },
    )
    dataset["critical_beta"] = dataset["critical_beta"].isel(drive=0, beta=0, drop=True)
    for name in QUANTITIES:
        dataset[f"{name}_rms_difference"].attrs["units"] = "relative to the simulation, its noise taken out"
        dataset[f"{name}_floor"].attrs["units"] = "relative error of the mean of the simulations"
        error = dataset[f"{name}_rms_difference"]
        dataset[f"{name}_reported"] = error.where(error > dataset[f"{name}_floor"], dataset[f"{name}_floor"])
    dataset["multistable_cells"] = int((dataset["branches"] > 1).sum())
    dataset["doubtful_solutions"] = int((dataset["solver_status"] != "converged").sum())
    dataset.attrs.update(n=config.n, replicates=config.replicates, chains=config.chains, steps=config.steps)
    dataset.attrs["table"] = _fidelity_table(dataset)
    return dataset


def _fidelity_table(dataset: xr.Dataset) -> str:
    """Lay out the errors at the cell nearest to u = 1, beta = 1."""
    cell = dataset.sel(drive=1.0, beta=1.0, method="nearest")
    lines = [f"relative error in percent at u = {float(cell.drive):g}, beta = {float(cell.beta):g} (± standard error)"]
    lines.append(f"{'D':>5}  {'solver':12}" + "".join(f"{name:>24}" for name in QUANTITIES))
    for dim in dataset["dim"].values:
        for solver in SOLVERS:
            one = cell.sel(dim=dim, solver=solver)
            numbers = [
                f"{100 * float(one[f'{name}_rms_difference']):.2f} ± "
                f"{100 * float(one[f'{name}_rms_difference_error']):.2f}"
                for name in QUANTITIES
            ]
            lines.append(f"{dim:>5}  {solver:12}" + "".join(f"{number:>24}" for number in numbers))
    return "\n".join(lines)


class LargeDConfig(RunConfig):
    """The closed form of large D against the exact response: one spin, and the mean-field state of coupled ones."""

    n: int = Field(32, ge=2, description="number of spins")
    dims: tuple[Dim, ...] = Field((3, 16, 128), min_length=2, description="components per spin, at least 3")
    drives: Positive = Field("0.25:4:log5", description="u = beta |x| / R", validate_default=True)
    betas: Positive = Field("0.25:4:log5", description="inverse temperatures", validate_default=True)
    seed: int = Field(1, ge=0, description="root seed of couplings and fields")


KINDS = ("large_d", "amos")


def _large_d_parts(config: LargeDConfig) -> list[dict[str, Any]]:
    return [{"dim": dim} for dim in config.dims]


def _large_d_part(config: LargeDConfig, part: dict[str, Any], context: RunContext) -> xr.Dataset:
    import xarray as xr

    import glassformer as gf

    dim = int(part["dim"])
    drives, betas = np.array(config.drives), np.array(config.betas)
    kappa = drives * (dim / 2 - 1)  # beta R |x| in the convention R^2 = D / 2 - 1
    exact = gf.response("exact", dim).ratio(kappa)
    alone = [np.abs(gf.response(kind, dim).ratio(kappa) / exact - 1) for kind in KINDS]
    together = np.empty((len(KINDS), len(drives), len(betas)))
    failed = 0
    for i, drive in enumerate(drives):
        context.progress(i, len(drives))
        for j, beta in enumerate(betas):
            model = _model(config, dim, float(drive), float(beta))
            means = {}
            for kind in ("exact", *KINDS):
                answer = gf.solve(model, gf.NaiveMeanField(float(beta), response=kind), start="fields", throw=False)
                failed += answer.attrs["status"] != "converged"
                means[kind] = answer["magnetization"].values
            size = np.linalg.norm(means["exact"])
            together[:, i, j] = [np.linalg.norm(means[kind] - means["exact"]) / size for kind in KINDS]
    return xr.Dataset(
        {
            "response_rms_difference": (("kind", "drive"), alone),
            "magnetization_rms_difference": (("kind", "drive", "beta"), together),
            "doubtful_solutions": failed,
        },
        coords={"kind": list(KINDS), "drive": drives, "beta": betas},
    )


def _large_d_combine(config: LargeDConfig, parts: list[xr.Dataset]) -> xr.Dataset:
    import xarray as xr

    dims = np.array(config.dims)
    dataset = xr.concat(parts, dim=xr.DataArray(dims, dims="dim", name="dim"))
    dataset["doubtful_solutions"] = int(dataset["doubtful_solutions"].sum())
    grid = dataset["magnetization_rms_difference"]
    dataset["magnetization_rms_difference_median"] = grid.median(("drive", "beta"))
    dataset["magnetization_rms_difference_worst"] = grid.max(("drive", "beta"))
    dataset["response_rms_difference_worst"] = dataset["response_rms_difference"].max("drive")
    # 2 / (D - 2) is what the closed form has at weak fields; it falls as 1 / D
    large = dims >= 16
    if large.sum() >= 2:
        worst = dataset["response_rms_difference_worst"].values[large]
        slopes = [np.polyfit(np.log(dims[large]), np.log(worst[:, k]), 1)[0] for k in range(len(KINDS))]
        dataset["response_slope"] = ("kind", slopes)
        dataset["response_slope"].attrs["units"] = (
            "d log(error) / d log(D) from D = 16 on; -1 for an error of order 1/D"
        )
    return dataset.assign_attrs(n=config.n)


def _cell(quantity: str, solver: str, beta: float, value: float, tolerance: float, source: str) -> Expected:
    select = {"solver": solver, "dim": 64, "drive": 1.0, "beta": beta}
    return Expected(f"{quantity}_rms_difference", value, tolerance, source, None, select, {"n": 64})


FIDELITY = RunSpec(
    name="bal2026/fidelity",
    summary="Fidelity of first-order mean-field theory, and of the Gram closure, against simulation of softmax couplings",
    config=FidelityConfig,
    scales={
        "quick": {},
        "paper": {
            "dims": (3, 16, 64, 128),
            "drives": (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 4.0),
            "betas": (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 4.0),
            "replicates": 5,
            "chains": 32,
            "steps": 300,
            "burn_in": 120,
        },
    },
    parts=_fidelity_parts,
    compute=_fidelity_part,
    combine=_fidelity_combine,
    plot="glassformer.plotting.fidelity:fidelity_figure",
    citations=_CITED,
    expected=(
        # seeds of the couplings and the noise of the quick scale move these by 0.01 at most
        _cell("magnetization", "nmf", 1.0, 0.006, 0.01, "percent level"),
        _cell("delayed_correlation", "nmf", 1.0, 0.11, 0.02, "text"),
        _cell("delayed_correlation", "nmf", 2.0, 0.51, 0.03, "derived here"),
        _cell("entropy_production", "nmf", 1.0, 0.005, 0.015, "accurate"),
        _cell("magnetization", "gram", 1.0, 0.0, 0.01, "exact as D grows"),
        _cell("delayed_correlation", "gram", 1.0, 0.006, 0.02, "derived here"),
        _cell("delayed_correlation", "gram", 2.0, 0.014, 0.015, "derived here"),
        _cell("entropy_production", "gram", 1.0, 0.0, 0.015, "exact as D grows"),
        Expected("critical_beta", 128 / 62, 1e-9, "2D / (D - 2)", None, {"dim": 64}),
    ),
    notes="The exact response of D components is the default, and the closed form of large D stands beside it "
    "(nmf_large_d). Errors have the noise of the simulation taken out and carry their own standard error; *_reported "
    "is the larger of error and floor, as published.",
    long_help="Every cell is a part, so that an interrupted grid resumes where it stopped; -j 2 computes two at a time.",
)
LARGE_D = RunSpec(
    name="bal2026/large-d",
    summary="The closed-form response of large D against the exact one: error of order 1/D, useless at D = 3",
    config=LargeDConfig,
    scales={
        "quick": {},
        "paper": {
            "n": 64,
            "dims": (3, 4, 8, 16, 32, 64, 128, 256),
            "drives": "0.25:4:log13",
            "betas": "0.25:4:log13",
        },
    },
    parts=_large_d_parts,
    compute=_large_d_part,
    combine=_large_d_combine,
    plot="glassformer.plotting.fidelity:large_d_figure",
    citations=_CITED,
    expected=(
        Expected("response_slope", -1.0, 0.1, "error of order 1/D", None, {"kind": "large_d"}),
        Expected("response_slope", -1.0, 0.1, "derived here", None, {"kind": "amos"}),
        Expected("response_rms_difference_worst", 2 / 126, 0.001, "about 1 %", None, {"kind": "large_d", "dim": 128}),
        Expected("response_rms_difference_worst", 2.0, 0.1, "useless", None, {"kind": "large_d", "dim": 3}),
        Expected("response_rms_difference_worst", 0.03, 0.005, "derived here", None, {"kind": "amos", "dim": 3}),
        Expected(
            "magnetization_rms_difference_median", 0.01, 0.006, "about 1 %", None, {"kind": "large_d", "dim": 128}
        ),
    ),
    notes="The curve of Amos' lower bound, which costs the same and is right at both ends, is added.",
)

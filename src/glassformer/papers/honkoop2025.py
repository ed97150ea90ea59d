"""B. Honkoop, Statistical Physics of Transformers, MSc thesis, Leiden 2025: Figs. 4.1, B.3.1, B.3.2, A.2.1."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field

from glassformer.sweeps import Expected, FloatGrid, RunConfig, RunContext, RunSpec

if TYPE_CHECKING:
    import xarray as xr

    from glassformer.models import VectorSpin


class SystemConfig(RunConfig):
    """The system of the thesis: iid couplings, fields on the sphere."""

    n: int = Field(64, ge=1, description="number of spins")
    dim: int = Field(32, ge=3, description="components per spin (radius convention bal needs 3)")
    strength: float = Field(1.0, gt=0, description="field strength: |x_i| = strength * R")
    symmetrize: bool = Field(False, description="use (J + J^T) / 2 in place of J")
    seed: int = Field(1, ge=0, description="root seed of couplings, fields and dynamics")

    def build(self) -> VectorSpin:
        """Draw the couplings and the fields."""
        import glassformer as gf

        couplings = gf.Asymmetric(self_coupling=True).sample(n=self.n, seed=self.seed)
        if self.symmetrize:
            couplings = 0.5 * (couplings + couplings.T)
        fields = gf.sphere_fields(self.n, dim=self.dim, seed=self.seed, strength=self.strength)
        return gf.VectorSpin(couplings, fields)


class AlignmentConfig(SystemConfig):
    """Fig. 4.1: alignment with the drive against inverse temperature."""

    mode: Literal["correct", "legacy"] = Field("correct", description="exact dynamics, or what was published")
    betas: FloatGrid = Field(tuple(np.geomspace(0.1, 1000, 25)), description="inverse temperatures")
    replicas: int = Field(16, ge=2, description="correct: independent copies")
    steps: int = Field(400, ge=2, description="correct: measured parallel steps")
    burn_in: int = Field(100, ge=0, description="correct: steps before measuring")
    records: int = Field(100, ge=2, description="legacy: Monte Carlo records")
    moves_per_record: int = Field(10_000, ge=1, description="legacy: single-site moves per record")
    iterations: int = Field(100, ge=2, description="legacy: naive mean-field steps, the first quarter dropped")
    tap_iterations: int = Field(150, ge=3, description="legacy: TAP steps, the first third dropped")


def _alignment_parts(config: AlignmentConfig) -> list[dict[str, Any]]:
    return [{"beta": beta} for beta in config.betas]


def _alignment_part(config: AlignmentConfig, part: dict[str, Any], context: RunContext) -> xr.Dataset:
    compute = _legacy_point if config.mode == "legacy" else _correct_point
    return compute(config, float(part["beta"]), context)


def _correct_point(config: AlignmentConfig, beta: float, context: RunContext) -> xr.Dataset:
    import xarray as xr

    import glassformer as gf

    model = config.build()
    results = {
        "nmf": gf.solve(model, gf.NaiveMeanField(beta), throw=False),
        "tap": gf.solve(model, gf.TAP(beta), throw=False),
        "gram": gf.solve(model, gf.GramClosure(beta), throw=False),
        "simulation": gf.simulate(
            model,
            gf.ParallelHeatBath(beta),
            steps=config.steps,
            burn_in=config.burn_in,
            replicas=config.replicas,
            seed=config.seed,
            measure=gf.Measure(correlations=False),
            progress=context.progress,
            checkpoint=context.checkpoint,
        ),
    }
    names = ("alignment_of_mean", "mean_of_alignment", "magnetization_sum_of_squares", "entropy_production")
    variables: dict[str, Any] = {
        name: ("solver", [float(result[name]) for result in results.values()]) for name in names
    }
    for name in names:
        errors = [float(result.get(f"{name}_error", np.nan)) for result in results.values()]
        variables[f"{name}_error"] = ("solver", errors)
    variables["solver_status"] = ("solver", [result.attrs["status"] for result in results.values()])
    if config.symmetrize:  # naive mean field is then the exact replica-symmetric answer
        limit = gf.LargeLimit(gf.SherringtonKirkpatrick(scale=np.sqrt(0.5)), strength=config.strength)
        exact = gf.solve(limit, gf.NaiveMeanField(beta))
    else:
        exact = gf.solve(gf.LargeLimit(gf.Asymmetric(), strength=config.strength), gf.GramClosure(beta))
    for name in ("alignment_of_mean", "mean_of_alignment"):
        variables[f"{name}_limit"] = float(exact[name])
    return xr.Dataset(variables, coords={"solver": list(results)})


def _legacy_point(config: AlignmentConfig, beta: float, context: RunContext) -> xr.Dataset:
    import xarray as xr

    import glassformer as gf
    from glassformer.dynamics import legacy_run

    model = config.build()
    start = np.full((config.n, config.dim), 1 / np.sqrt(config.dim))
    nmf = gf.solve(model, gf.NaiveMeanField(beta, response="large_d"), start=start, steps=config.iterations)
    tap_method = gf.TAP(beta, response="large_d", variant="bal2023")
    tap = gf.solve(model, tap_method, start=start, steps=config.tap_iterations, throw=False)
    monte_carlo = legacy_run(
        model,
        gf.LegacyLossMetropolis(beta),
        moves=config.records * config.moves_per_record,
        records=config.records,
        seed=config.seed,
        progress=context.progress,
    )
    kept_tap = tap["alignment_of_mean"].values[config.tap_iterations // 3 :]
    late = tap["magnetization"].values[config.tap_iterations // 3 :]
    norms = np.linalg.norm(late, axis=-1) * np.linalg.norm(model.fields, axis=-1)
    site_cosines = np.einsum("tia,ia->ti", late, model.fields) / np.where(norms > 0, norms, 1.0)
    series = {
        "nmf": nmf["alignment_of_mean"].values[config.iterations // 4 :],
        "tap": kept_tap,
        "tap_absolute": np.abs(site_cosines).mean(axis=-1),
        "simulation": monte_carlo["field_cosine"].values.ravel(),
    }
    return xr.Dataset(
        {
            "alignment": ("solver", [float(np.nanmean(v)) for v in series.values()]),
            "alignment_low": ("solver", [float(np.nanmin(v)) for v in series.values()]),
            "alignment_high": ("solver", [float(np.nanmax(v)) for v in series.values()]),
        },
        coords={"solver": list(series)},
    )


def _alignment_combine(config: AlignmentConfig, parts: list[xr.Dataset]) -> xr.Dataset:
    import xarray as xr

    dataset = xr.concat(parts, dim=xr.DataArray(list(config.betas), dims="beta", name="beta"))
    dataset.attrs.update(
        mode=config.mode, n=config.n, dim=config.dim, strength=config.strength, symmetrize=int(config.symmetrize)
    )
    dataset.attrs["averages_over"] = (
        "replicas and time" if config.mode == "correct" else "time (bands: least, greatest)"
    )
    return dataset


_PAPER_BETAS = tuple(np.geomspace(0.1, 1000, 100))
_ALIGNMENT: dict[str, Any] = {
    "config": AlignmentConfig,
    "parts": _alignment_parts,
    "compute": _alignment_part,
    "combine": _alignment_combine,
    "plot": "glassformer.plotting.alignment:alignment_figure",
    "citations": ("honkoop2025", "bal2023", "glassformer"),
}

ALIGNMENT = RunSpec(
    name="honkoop2025/alignment",
    summary="Fig. 4.1: alignment with the drive against inverse temperature (legacy or correct)",
    scales={"quick": {"tap_iterations": 45}, "paper": {"betas": _PAPER_BETAS, "replicas": 64, "steps": 2000}},
    expected=(
        Expected("alignment_of_mean", 0.71, 0.05, "Fig. 4.1", select={"solver": "nmf", "beta": 1000.0}),
        Expected("alignment_of_mean_limit", 2**-0.5, 0.001, "closed form", select={"beta": 1000.0}),
    ),
    notes=(
        "The publication plots the mean of the alignment for Monte Carlo against the alignment of the mean for the "
        "theories, and samples a squared loss with free spin length; mode=correct shows both alignments for every "
        "method and samples the model itself."
    ),
    **_ALIGNMENT,
)

ALIGNMENT_SYMMETRIC = RunSpec(
    name="honkoop2025/alignment-symmetric",
    summary="Fig. B.3.2: the same with symmetrised couplings (J + J^T) / 2",
    scales={
        "quick": {"symmetrize": True, "tap_iterations": 45},
        "paper": {"symmetrize": True, "betas": _PAPER_BETAS, "replicas": 64, "steps": 2000},
    },
    expected=(Expected("alignment_of_mean", 0.84, 0.03, "Fig. B.3.2", select={"solver": "nmf", "beta": 1000.0}),),
    notes="Symmetrising halves the variance of the couplings; the limit of infinite size at T = 0 is 1/sqrt(1.5).",
    **_ALIGNMENT,
)


class ConvergenceConfig(SystemConfig):
    """Fig. B.3.1: convergence of the legacy sampler to its attention target."""

    betas: FloatGrid = Field(
        (1000.0, 100.0, 50.0, 30.0, 10.0, 7.0, 4.0, 3.0, 1.0, 0.7, 0.4, 0.1, 0.01), description="inverse temperatures"
    )
    moves: int = Field(1_000_000, ge=1, description="single-site moves")
    records: int = Field(60, ge=2, description="records, evenly spaced in the logarithm of the move")


def _convergence_part(config: ConvergenceConfig, part: dict[str, Any], context: RunContext) -> xr.Dataset:
    import glassformer as gf
    from glassformer.dynamics import legacy_run

    return legacy_run(
        config.build(),
        gf.LegacyLossMetropolis(float(part["beta"])),
        moves=config.moves,
        records=config.records,
        spacing="log",
        seed=config.seed,
        progress=context.progress,
    )[["target_cosine", "field_cosine", "acceptance"]].isel(replica=0)


def _convergence_combine(config: ConvergenceConfig, parts: list[xr.Dataset]) -> xr.Dataset:
    import xarray as xr

    dataset = xr.concat(parts, dim=xr.DataArray(list(config.betas), dims="beta", name="beta"))
    dataset["target_cosine_final"] = dataset["target_cosine"].isel(move=-1)
    return dataset


class KineticRatiosConfig(SystemConfig):
    """Fig. A.2.1: three acceptance ratios at low temperature."""

    beta: float = Field(1000.0, gt=0, description="inverse temperature")
    moves: int = Field(1_000_000, ge=1, description="single-site moves")
    records: int = Field(60, ge=2, description="records, evenly spaced in the logarithm of the move")


_RATIOS = ("stationary", "kinetic_previous", "kinetic_reversed")


def _kinetic_part(config: KineticRatiosConfig, part: dict[str, Any], context: RunContext) -> xr.Dataset:
    import glassformer as gf
    from glassformer.dynamics import legacy_run

    return legacy_run(
        config.build(),
        gf.LegacyLossMetropolis(config.beta, ratio=part["ratio"]),
        moves=config.moves,
        records=config.records,
        spacing="log",
        seed=config.seed,
        progress=context.progress,
    )[["target_cosine", "field_cosine", "acceptance"]].isel(replica=0)


def _kinetic_combine(config: KineticRatiosConfig, parts: list[xr.Dataset]) -> xr.Dataset:
    import xarray as xr

    dataset = xr.concat(parts, dim=xr.DataArray(list(_RATIOS), dims="ratio", name="ratio"))
    dataset["target_cosine_final"] = dataset["target_cosine"].isel(move=-1)
    dataset.attrs["beta"] = config.beta
    return dataset


CONVERGENCE = RunSpec(
    name="honkoop2025/convergence",
    summary="Fig. B.3.1: convergence of the legacy sampler against the number of moves",
    config=ConvergenceConfig,
    scales={"quick": {}, "paper": {"moves": 96_000_000}},
    parts=_alignment_parts,
    compute=_convergence_part,
    combine=_convergence_combine,
    plot="glassformer.plotting.curves:convergence_figure",
    citations=("honkoop2025", "glassformer"),
    expected=(Expected("target_cosine_final", 1.0, 0.02, "Fig. B.3.1", scale="paper", select={"beta": 1000.0}),),
    notes="The target moves with the spins, and a step of length 1/N needs (RN)^2 moves: slow at every temperature.",
)
KINETIC_RATIOS = RunSpec(
    name="honkoop2025/kinetic-ratios",
    summary="Fig. A.2.1: three acceptance ratios of the legacy sampler at low temperature",
    config=KineticRatiosConfig,
    scales={"quick": {}, "paper": {"moves": 96_000_000}},
    parts=lambda config: [{"ratio": ratio} for ratio in _RATIOS],
    compute=_kinetic_part,
    combine=_kinetic_combine,
    plot="glassformer.plotting.curves:kinetic_ratios_figure",
    citations=("honkoop2025", "glassformer"),
    notes="None of the kinetic ratios samples the kinetic model; they are kept as a negative example.",
)

"""B. Honkoop, Statistical Physics of Transformers, MSc thesis, Leiden 2025: Fig. 4.2, overlaps over field and temperature."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field

from glassformer._core._errors import invalid
from glassformer.sweeps import Expected, FloatGrid, RunConfig, RunContext, RunSpec

if TYPE_CHECKING:
    import xarray as xr

    from glassformer.models import VectorGlass, VectorSpin

_RECORD_SWEEPS = 1000  # between two records of the published stopping rule
_RECORDS = 40
_LINE = 25  # temperatures of the line that is drawn
_STILL = 0.005  # largest standard deviation of the mean norm over these records
_KEPT = (
    "overlap", "overlap_invariant", "overlap_aligned", "cluster_order", "verdict", "verdict_sentence", "equilibrated",
    "overlap_mean", "overlap_mean_error", "overlap_spread", "overlap_invariant_mean", "overlap_invariant_spread",
    "overlap_aligned_mean", "overlap_aligned_spread",
    "spin_glass_susceptibility", "replicon_susceptibility", "binder_ratio", "ultrametricity", "energy", "energy_error",
    "internal_energy", "overlap_squared", "self_overlap_squared",
)  # fmt: skip


class PhaseDiagramConfig(RunConfig):
    """Fig. 4.2: overlap matrices over field strength and inverse temperature."""

    mode: Literal["correct", "legacy", "few-components"] = Field(
        "correct",
        description="equilibrium of the thesis' system; its own sampler; or D = 1, 2, 3, where breaking is real",
    )
    n: int = Field(64, ge=2, description="correct, legacy: number of spins")
    dim: int = Field(32, ge=3, description="correct, legacy: components per spin")
    panel_n: int = Field(128, ge=2, description="few-components: number of spins")
    dims: tuple[int, ...] = Field((1, 2, 3), min_length=1, description="few-components: components per spin")
    strengths: FloatGrid | None = Field(
        None, description="|x| in units of R (2.5 to 0); for few-components in units of J R / sqrt(D) (1 to 0)"
    )
    betas: FloatGrid | None = Field(
        None, description="inverse temperatures (1000 to 1); for few-components in units of 1/T_c (4 to 0.8)"
    )
    replicas: int | None = Field(None, ge=4, description="independent replicas (5; for few-components 8)")
    samples: int = Field(1, ge=1, description="few-components: samples of the couplings; errors need 2")
    sweeps: int = Field(200, ge=40, description="correct, few-components: sweeps of the first stage")
    max_sweeps: int = Field(20_000, ge=120, description="correct, few-components: sweeps at most")
    moves: int = Field(32_000_000, ge=1, description="legacy: single-site moves at most")
    seed: int = Field(1, ge=0, description="root seed of couplings, fields and dynamics")

    @property
    def size(self) -> int:
        """N of the mode."""
        return self.panel_n if self.mode == "few-components" else self.n

    @property
    def copies(self) -> int:
        """Number of replicas, by default that of the mode."""
        return self.replicas or (8 if self.mode == "few-components" else 5)

    @property
    def grid(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Field strengths from strong to none, inverse temperatures from cold to hot."""
        few = self.mode == "few-components"
        strengths = self.strengths or ((1.0, 0.5, 0.2, 0.0) if few else (2.5, 2.0, 1.5, 1.0, 0.5, 0.0))
        betas = self.betas or ((4.0, 3.0, 2.0, 1.25, 0.8) if few else (1000.0, 5.0, 2.5, 1.67, 1.25, 1.0))
        if min(strengths) < 0 or min(betas) <= 0:
            raise invalid("strengths, betas", (strengths, betas), "strengths >= 0 and betas > 0")
        return tuple(sorted(set(strengths), reverse=True)), tuple(sorted(set(betas), reverse=True))

    def build(self, strength: float, *, symmetric: bool) -> VectorSpin:
        """Return the system of the thesis; `symmetric` is what its energy Tr[s (x + J s)^T] makes of iid couplings."""
        import glassformer as gf

        couplings = gf.Asymmetric(self_coupling=True).sample(n=self.size, seed=self.seed)
        if symmetric:
            couplings = couplings + couplings.T
        return gf.VectorSpin(couplings, gf.sphere_fields(self.size, dim=self.dim, seed=self.seed, strength=strength))

    def glass(self, dim: int, strength: float) -> VectorGlass:
        """Return the law: that of the thesis (correct), or one with :math:`R^2=D` and :math:`T_c=J=1` for every D."""
        import glassformer as gf

        if self.mode == "few-components":
            return gf.VectorGlass(dim=dim, radius="sqrt_d", field=strength)
        both = gf.SherringtonKirkpatrick(scale=2.0**0.5)  # J + J^T has twice the variance
        free = gf.VectorGlass(both, dim=dim, field_law="sphere")
        return gf.VectorGlass(both, dim=dim, field_law="sphere", field=strength * free.r / dim**0.5)


def _parts(config: PhaseDiagramConfig) -> list[dict[str, Any]]:
    strengths, betas = config.grid
    if config.mode == "legacy":
        return [{"strength": strength, "beta": beta} for strength in strengths for beta in betas]
    if config.mode == "correct":
        return [{"strength": strength} for strength in strengths]
    return [
        {"dim": dim, "strength": strength, "sample": sample}
        for dim in dict.fromkeys(config.dims)
        for strength in strengths
        for sample in range(config.samples)
    ]


def _part(config: PhaseDiagramConfig, part: dict[str, Any], context: RunContext) -> xr.Dataset:
    if config.mode == "legacy":
        return _legacy_cell(config, float(part["strength"]), float(part["beta"]), context)
    betas = config.grid[1]
    if config.mode == "correct":
        model = config.build(float(part["strength"]), symmetric=True)
        seed = config.seed
    else:
        seed = config.seed + 1000 * int(part["sample"])
        model = config.glass(int(part["dim"]), float(part["strength"])).sample(n=config.size, seed=seed)
    return tempered(model, betas, config, config.copies, seed, context)


def tempered(
    model: VectorSpin,
    betas: Any,
    config: Any,
    replicas: int,
    seed: int,
    context: RunContext,
    more: tuple[str, ...] = (),
) -> xr.Dataset:
    """Return what the figures need of `compare_replicas`, cold temperatures first."""
    import glassformer as gf

    found = gf.compare_replicas(
        model, betas, replicas=replicas, sweeps=config.sweeps, max_sweeps=config.max_sweeps, seed=seed,
        progress=context.progress, checkpoint=context.checkpoint,
    )  # fmt: skip
    return found[[*_KEPT, *more]].sortby("beta", ascending=False)


def _legacy_cell(config: PhaseDiagramConfig, strength: float, beta: float, context: RunContext) -> xr.Dataset:
    """Run the published protocol: all replicas from one state, until the mean norm of each is still."""
    import xarray as xr

    import glassformer as gf
    from glassformer._core._random import derived_seed
    from glassformer.observables import invariant_overlaps, off_diagonal, raw_overlaps

    model = config.build(strength, symmetric=False)
    step, most = _RECORD_SWEEPS * model.n, max(config.moves // (_RECORD_SWEEPS * model.n), 1)
    spins, done = [], []
    for replica in range(config.copies):
        state, norms = None, np.empty(0)
        while norms.size < most and not (norms.size >= _RECORDS and norms[-_RECORDS:].std() < _STILL):
            count = min(_RECORDS // 4, most - norms.size)
            piece = gf.legacy_run(
                model, gf.LegacyLossMetropolis(beta), moves=count * step, records=count, start=state,
                seed=derived_seed(config.seed, f"legacy/{replica}/{norms.size}"),
            )  # fmt: skip
            state = piece["spins"].values[0]
            norms = np.concatenate([norms, piece["norm"].values[0]])
            context.progress(replica * most + norms.size, config.copies * most)
        spins.append(state)
        done.append(norms.size * step)
    stack = np.asarray(spins)
    raw = raw_overlaps(stack, radius=model.r)
    lengths = np.sqrt(np.diag(raw))
    cosine = raw / np.outer(lengths, lengths)  # spins have free lengths
    invariant = invariant_overlaps(stack)
    return xr.Dataset(
        {
            "overlap": (("replica", "replica_"), cosine),
            "overlap_invariant": (("replica", "replica_"), invariant),
            "overlap_mean": off_diagonal(cosine).mean(),
            "overlap_spread": off_diagonal(cosine).std(),
            "overlap_invariant_mean": off_diagonal(invariant).mean(),
            "mean_norm": np.linalg.norm(stack, axis=-1).mean(),
            "moves": float(np.mean(done)),
        }
    )


def _combine(config: PhaseDiagramConfig, parts: list[xr.Dataset]) -> xr.Dataset:
    import xarray as xr

    strengths, betas = config.grid

    def along(name: str, labels: Any, pieces: list[xr.Dataset]) -> xr.Dataset:
        return xr.concat(pieces, dim=xr.DataArray(list(labels), dims=name, name=name), combine_attrs="drop")

    if config.mode == "legacy":
        rows = [along("beta", betas, parts[k : k + len(betas)]) for k in range(0, len(parts), len(betas))]
        dataset = along("strength", strengths, rows)
    elif config.mode == "correct":
        dataset = along("strength", strengths, parts)
    else:
        size = config.samples
        cells = [along("sample", range(size), parts[k : k + size]) for k in range(0, len(parts), size)]
        rows = [
            along("strength", strengths, cells[k : k + len(strengths)]) for k in range(0, len(cells), len(strengths))
        ]
        dataset = _over_samples(along("dim", list(dict.fromkeys(config.dims)), rows))
    if config.mode != "legacy":
        for kind in ("broken", "replica symmetric", "global rotation only", "undecided", "not equilibrated"):
            dataset[f"cells_{kind.replace(' ', '_')}"] = (dataset["verdict"] == kind).sum().astype(float)
        _add_theory(dataset, config)
    dataset.attrs["table"] = _table(dataset)
    dataset.attrs.update(
        mode=config.mode, n=config.n, dim=config.dim, panel_n=config.panel_n, averages_over="pairs of replicas and time"
    )
    return dataset


def _table(dataset: xr.Dataset) -> str:
    """Return the grid of cells in words: raw overlap, invariant overlap, and the verdict where there is one."""
    words = {"replica symmetric": "RS", "global rotation only": "rotation", "not equilibrated": "not eq."}
    lines = []
    for dim in dataset["dim"].values if "dim" in dataset.dims else [None]:
        own = dataset if dim is None else dataset.sel(dim=dim).isel(sample=0)
        if dim is not None:
            lines.append(f"D = {dim}, sample 0 (strength of the field, inverse temperature):")
        lines.append(f"{'':>8}" + "".join(f"{'beta ' + format(float(beta), '.4g'):>24}" for beta in own["beta"]))
        for strength in own["strength"].values:
            row = own.sel(strength=strength)
            cells = [
                f"{float(cell['overlap_mean']):6.3f} {float(cell['overlap_invariant_mean']):.3f} "
                + (words.get(str(cell["verdict"].item()), str(cell["verdict"].item())) if "verdict" in cell else "")
                for cell in (row.sel(beta=beta) for beta in row["beta"].values)
            ]
            lines.append(f"{strength:8.4g}" + "".join(f"{cell:>24}" for cell in cells))
    return "\n".join([*lines, "(raw overlap, rotation-invariant overlap, verdict: means over pairs of replicas)"])


def _over_samples(dataset: xr.Dataset) -> xr.Dataset:
    """Add what only several samples can tell: the fraction that is broken, and the identity of equilibrium."""
    from glassformer.observables import equilibrium_identity

    for name in ("overlap_aligned_spread", "spin_glass_susceptibility"):
        dataset[f"{name}_mean"] = dataset[name].mean("sample")
    dataset["broken_fraction"] = (dataset["verdict"] == "broken").mean("sample")
    dataset["overlap_sample_spread"] = dataset["overlap_aligned_mean"].std("sample")
    if dataset.sizes["sample"] > 1:
        names = ("internal_energy", "self_overlap_squared", "overlap_squared")
        cells = dataset[list(names)].stack(cell=("dim", "strength", "beta")).transpose("cell", "sample")
        found = [
            equilibrium_identity(*(cells[name].values[k] for name in names), beta=float(cells["beta"][k]))
            for k in range(cells.sizes["cell"])
        ]
        shape = (dataset.sizes["dim"], dataset.sizes["strength"], dataset.sizes["beta"])
        dims = ("dim", "strength", "beta")
        dataset["identity_gap"] = (dims, np.array([gap for gap, _ in found]).reshape(shape))
        dataset["identity_gap_error"] = (dims, np.array([error for _, error in found]).reshape(shape))
    return dataset


def _add_theory(dataset: xr.Dataset, config: PhaseDiagramConfig) -> None:
    """Add what infinite size predicts in the units of the figure: the de Almeida-Thouless line and the overlap."""
    import xarray as xr

    import glassformer as gf

    betas, strengths = dataset["beta"].values, dataset["strength"].values
    few = config.mode == "few-components"
    dims = list(dict.fromkeys(config.dims)) if few else [config.dim]
    glasses = [[config.glass(dim, float(strength)) for strength in strengths] for dim in dims]
    critical = config.glass(dims[0], 0.0).critical_temperature
    coldest = max(min(1.0 / float(betas.max()), 0.5 * critical), 1e-3 * critical)
    temperatures = np.linspace(coldest, critical, _LINE)

    def on_line(dim: int, temperature: float) -> float:
        if temperature >= critical:
            return 0.0
        glass = config.glass(dim, 0.0)
        return float(gf.solve(glass, gf.AlmeidaThouless(temperature))["field"]) * dim**0.5 / glass.r

    def overlap(glass: VectorGlass, beta: float) -> float:
        return float(gf.solve(glass, gf.ReplicaSymmetric(beta))["overlap_normalized"])

    found = {
        "line_strength": [[on_line(dim, t) for t in temperatures] for dim in dims],
        "almeida_thouless_strength": [[on_line(dim, 1.0 / beta) for beta in betas] for dim in dims],
        "overlap_replica_symmetric": [[[overlap(glass, b) for b in betas] for glass in own] for own in glasses],
    }
    axes = {"line_strength": ("point",), "almeida_thouless_strength": ("beta",)}
    dataset["line_temperature"] = (("point",), temperatures)
    for name, values in found.items():
        array = xr.DataArray(np.array(values), dims=("dim", *axes.get(name, ("strength", "beta"))))
        dataset[name] = array if few else array.isel(dim=0)
    if not few:
        gap = abs(dataset["overlap_mean"] - dataset["overlap_replica_symmetric"])
        dataset["replica_symmetric_gap"] = gap.where(dataset["strength"] >= 1.5).max()


_CORRECT = {"mode": "correct", "n": 64, "dim": 32}
_LEGACY = {"mode": "legacy", "n": 64, "dim": 32}
_FEW = {"mode": "few-components", "panel_n": 128}


def _expect(variable: str, value: float, tolerance: float, *, strength: float, beta: float) -> Expected:
    return Expected(variable, value, tolerance, "one state", None, {"strength": strength, "beta": beta}, _CORRECT)


def _expect_few(variable: str, value: float, tolerance: float, *, beta: float) -> Expected:
    return Expected(
        variable,
        value,
        tolerance,
        "Sherrington-Kirkpatrick model",
        None,
        {"dim": 1, "strength": 0.0, "beta": beta},
        _FEW,
    )


PHASE_DIAGRAM = RunSpec(
    name="honkoop2025/phase-diagram",
    summary="Fig. 4.2: overlap matrices over field and temperature (correct, legacy, or D = 1, 2, 3)",
    config=PhaseDiagramConfig,
    scales={
        "quick": {"moves": 512_000, "sweeps": 40, "max_sweeps": 13_000},
        "paper": {"samples": 4, "max_sweeps": 60_000},
    },
    parts=_parts,
    compute=_part,
    combine=_combine,
    plot="glassformer.plotting.overlaps:phase_diagram_figure",
    citations=("honkoop2025", "glassformer"),
    expected=(
        # one state in a field, and one state up to rotations without: exact at zero temperature
        _expect("overlap_mean", 1.0, 0.003, strength=2.5, beta=1000.0),
        _expect("overlap_invariant_mean", 1.0, 0.003, strength=2.5, beta=1000.0),
        _expect("overlap_invariant_mean", 1.0, 0.003, strength=0.0, beta=1000.0),
        # raw overlaps of turned replicas have a standard deviation of 1 / sqrt(rank * D) = 0.1
        _expect("overlap_mean", 0.0, 0.12, strength=0.0, beta=1000.0),
        Expected("cells_broken", 0.0, 0.0, "one state for many components", when=_CORRECT),
        # at |x| >= 1.5 R, where 64 spins are as good as infinitely many
        Expected("replica_symmetric_gap", 0.0, 0.03, "replica-symmetric solution", when=_CORRECT),
        Expected("overlap_mean", 1.0, 0.03, "Fig. 4.2", select={"strength": 2.5, "beta": 1000.0}, when=_LEGACY),
        Expected("overlap_mean", 0.0, 0.25, "Fig. 4.2", "paper", {"strength": 0.0, "beta": 1.0}, _LEGACY),
        _expect_few("overlap_aligned_spread_mean", 0.22, 0.16, beta=3.0),
        _expect_few("spin_glass_susceptibility_mean", 1 / (1 - 0.8**2), 1.3, beta=0.8),
    ),
    notes=(
        "The published matrices come from a sampler of another law, five chains from one common start, and raw overlaps. "
        "In equilibrium every cell with a field is replica symmetric, and without a field replicas are one state up to a "
        "global rotation: what looks like breaking in the raw overlaps is rotational freedom. The line drawn in the "
        "publication is that of Ising spins with T_c = J; for 32 components in its own conventions T_c = 0.66 J."
    ),
)

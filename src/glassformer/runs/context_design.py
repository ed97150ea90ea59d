"""`context/design`: the law of couplings whose stationary autocorrelation is a given one."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import Field, field_validator

from glassformer._core._errors import invalid
from glassformer._core._status import Status
from glassformer.runs.context import Matrix, Vector
from glassformer.sweeps import FloatOrInfinity, RunConfig, RunContext, RunSpec

if TYPE_CHECKING:
    import xarray as xr
    from pydantic import ValidationInfo

_FILES = (".csv", ".npy", ".npz", ".nc", ".txt")


def _is_file(text: str) -> bool:
    head = text.rpartition(":")[0] if ".npz:" in text or ".nc:" in text else text
    return Path(head).suffix.lower() in _FILES


class ContextDesignConfig(RunConfig):
    """What autocorrelation is wanted, of which tokens."""

    target: Annotated[
        str | Vector,
        Field(
            description="formula in tau such as 0.8^tau, list, or one-column file (.csv, .npy, .npz, .nc); a list begins at lag "
            "0 if it begins with 1 (always for gaussian and graded), else at lag 1"
        ),
    ]
    variant: Annotated[
        Literal["ising", "probit", "graded", "gaussian", "spherical"],
        Field(description="how the next token follows from the fields"),
    ] = "ising"
    beta: Annotated[
        FloatOrInfinity | None,
        Field(
            gt=0,
            description="inverse temperature in units where the field variance q0 is 1; left out: inf (ising, probit), 1 "
            "(graded), where the noise is 0.9 of the largest feasible (spherical)",
        ),
    ] = None
    sigma: Annotated[
        float | None,
        Field(
            gt=0, description="standard deviation of the noise, gaussian only; left out, 0.95 of the largest feasible"
        ),
    ] = None
    context: Annotated[
        int | None,
        Field(
            ge=1, le=1024, description="lags K of the couplings; left out, the smallest up to 64 that reaches tolerance"
        ),
    ] = None
    shape: Annotated[
        Literal["rank_one", "max_det", "toeplitz"] | Matrix,
        Field(description="which covariance has the diagonal sums; with a matrix (lag, lag_), the one nearest to it"),
    ] = "rank_one"
    lags: Annotated[
        int | None,
        Field(
            ge=1,
            description="errors count at lags 1 to this; left out, as far as the target is above 0.002 (30 to 512)",
        ),
    ] = None
    tolerance: Annotated[float, Field(gt=0, description="largest error at which the search for the context ends")] = (
        1e-8
    )
    n: Annotated[
        int | None, Field(ge=2, description="sites of a simulation that verifies the design; left out, none")
    ] = None
    draws: Annotated[
        int, Field(ge=2, description="draws of the couplings in the simulation; error bars are over them")
    ] = 8
    steps: Annotated[int, Field(ge=8, description="measured steps of the simulation")] = 1000
    seed: Annotated[int, Field(ge=0, description="root seed of the simulation; not used without n")]

    @field_validator("target", mode="before")
    @classmethod
    def _read_file(cls, value: Any, info: ValidationInfo) -> Any:
        """Read files as every array is read; a formula stays text, and what looks like a list is one."""
        if isinstance(value, os.PathLike):
            value = os.fspath(value)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return str(value)  # a constant is a formula too
        if not isinstance(value, str):
            return value
        if _is_file(value):
            return _column(value, (info.context or {}).get("base"))
        if value.lstrip().startswith("["):
            try:
                return json.loads(value)
            except ValueError:
                return value
        return value

    def design(self) -> Any:
        """Return the design."""
        import glassformer as gf

        return gf.design(
            self.target, variant=self.variant, beta=self.beta, sigma=self.sigma, context=self.context, shape=self.shape,
            lags=self.lags, tolerance=self.tolerance,
        )  # fmt: skip


def _column(path: str, base: Path | None) -> np.ndarray[Any, Any]:
    from glassformer.sweeps._arrays import as_array

    if path.lower().endswith(".txt"):
        raise invalid(
            "target", path, "a file that ends in .csv, .npy, .npz or .nc", "rename it: one number a line is .csv"
        )
    array = as_array("target", path, base=base)
    if array.ndim != 1 and max(array.shape) != array.size:
        raise invalid(
            "the shape of target", array.shape, "one column: the autocorrelation at lags 0, 1, ... or 1, 2, ..."
        )
    return as_array("target", np.ravel(array))


def _design(config: ContextDesignConfig, part: dict[str, Any], context: RunContext) -> xr.Dataset:
    found = config.design()
    dataset: xr.Dataset = found.to_dataset()
    if config.n is not None:
        from glassformer.theory.design._verify import verify_design

        check = verify_design(
            found,
            n=config.n,
            draws=config.draws,
            steps=config.steps,
            seed=config.seed,
            replicas=1,
            progress=context.progress,
        )
        for name in (
            "autocorrelation_simulated", "autocorrelation_simulated_error", "autocorrelation_tolerance",
            "largest_deviation", "simulation_agrees", "verdict",
        ):  # fmt: skip
            dataset[name] = check[name]  # lags beyond the simulation are NaN
        dataset.attrs |= {key: check.attrs[key] for key in ("seed", "averages_over") if key in check.attrs}
        notes = [dataset.attrs.get("note"), check.attrs.get("note")]
        dataset.attrs["note"] = " ".join(note for note in notes if note)
        if not Status(check.attrs["status"]).good:
            dataset.attrs |= {key: check.attrs[key] for key in ("status", "status_sentence")}
        dataset.attrs |= {"n": config.n, "draws": config.draws, "burn_in": check.attrs["burn_in"]}
    name = found.noise_name
    after = [] if config.n is not None else ["The seed is not used, since nothing is simulated without n."]
    after.append(
        f"Next: glassformer run context/dmft --set gamma=result.nc:gamma --set variant={config.variant} "
        f"--set {name}={found.noise!r}, with result.nc in the directory of this run."
    )
    dataset.attrs["note"] = " ".join(note for note in (dataset.attrs.get("note"), *after) if note)
    dataset.attrs["table"] = _table(dataset)
    return dataset


def _table(dataset: xr.Dataset) -> str:
    value = {str(name): dataset[name].item() for name in dataset.data_vars if dataset[name].ndim == 0}
    limit = next(name for name in value if name.startswith(("smallest_feasible", "largest_feasible")))
    noise = "sigma" if "sigma" in value else "beta"
    lines = [
        f"{'feasible' if value['feasible'] else 'infeasible'}: {value['reason']}",
        f"{noise} {value[noise]:.8g}, criticality {value['criticality']:.6g}",
        f"context {value['context']}, max_error {value['max_error']:.4g} at lag {value['max_error_lag']}, rms_error {value['rms_error']:.4g}"
        + (" (exact)" if value["exact"] else ""),
        f"{limit} {value[limit]:.8g}" if value[limit] == value[limit] else f"{limit}: none",
        "margins " + ", ".join(f"{name[7:]} {one:.6g}" for name, one in value.items() if name.startswith("margin_")),
        f"{'lag':<5}{'target':>14}{'autocorrelation':>18}",
    ]
    simulated = "autocorrelation_simulated" in dataset
    if simulated:
        lines[-1] += f"{'simulated':>14}{'error':>12}"
    shown = list(range(min(8, dataset.sizes["lag"])))
    if value["max_error_lag"] not in shown:  # a table that ends before the largest error would hide it
        shown.append(value["max_error_lag"])
    for lag in shown:
        row = f"{lag:<5}{float(dataset['target'][lag]):14.8f}{float(dataset['autocorrelation'][lag]):18.8f}"
        if simulated:
            row += _column_of(float(dataset["autocorrelation_simulated"][lag]), 14)
            row += _column_of(float(dataset["autocorrelation_simulated_error"][lag]), 12)
        lines.append(row)
    if simulated:
        lines.append(_verdict(value))
    name = "rank_one" if "rank_one" in dataset else "diagonal_sums"
    numbers = " ".join(f"{one:.7g}" for one in dataset[name].values[:8])
    lines.append(f"{name} {numbers}{' ...' if dataset[name].size > 8 else ''}")
    return "\n".join(lines)


def _column_of(number: float, width: int) -> str:
    return f"{number:{width}.5f}" if abs(number) < 1e4 else f"{number:{width}.3e}"


def _verdict(value: dict[str, Any]) -> str:
    if value["verdict"] == "does not settle":
        return "simulation does not settle, so that it says nothing about theory: see the note"
    words = "agrees with" if value["simulation_agrees"] else "deviates from"
    return f"simulation {words} theory: largest deviation {value['largest_deviation']:.3g} of the tolerance"


DESIGN = RunSpec(
    name="context/design",
    summary="Couplings whose stationary autocorrelation is a given one: feasibility, covariance, achieved correlation.",
    config=ContextDesignConfig,
    compute=_design,
    plot="glassformer.plotting.context_design:design_figure",
    citations=("zavatone2025", "glassformer"),
    long_help="feasible says whether some context, however long, gives the target exactly; max_error is what this context "
    "leaves. An infeasible target still has a design, the nearest one. Use the result with context/dmft or context/sample: "
    "--set gamma=DIR/result.nc:gamma, with the beta (or sigma) of the design. With n the design is simulated too.",
)

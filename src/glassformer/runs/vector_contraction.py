"""`vector/contraction`: whether relaxation in the user's couplings contracts, and to how many fixed points."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import Field

from glassformer.runs.vector import VectorConfig, Vectors
from glassformer.sweeps import RunContext, RunSpec

if TYPE_CHECKING:
    import xarray as xr

_SPECTRUM_UP_TO = 1024  # sites; all eigenvalues of larger couplings cost more than everything else


class ContractionConfig(VectorConfig):
    """Certificate, local stability and number of the fixed points of naive mean field."""

    response: Annotated[Literal["exact", "amos", "large_d"], Field(description="response of one spin to its field")] = (
        "exact"
    )
    start: Annotated[
        Literal["paramagnet", "fields"] | Vectors,
        Field(description="where relaxation begins: no magnetisation, spins in their fields, or an array"),
    ] = "paramagnet"
    starts: Annotated[int, Field(ge=0, description="random starts for the number of fixed points")] = 8
    seed: Annotated[int, Field(ge=0, description="root seed of the random starts")] = 0


def _contraction(config: ContractionConfig, part: dict[str, Any], context: RunContext) -> xr.Dataset:
    import glassformer as gf

    start: Any = config.start
    if isinstance(start, str):
        start = None if start == "paramagnet" else start
    model = config.build()
    dataset = gf.contraction(
        model,
        config.beta,
        response=config.response,
        start=start,
        starts=config.starts,
        seed=config.seed,
        throw=False,
    )
    if model.n <= _SPECTRUM_UP_TO:
        spectrum = np.linalg.eigvals(model.couplings)
        spectrum = spectrum[np.lexsort((spectrum.imag, -np.abs(spectrum)))]
        dataset["eigenvalue_real"] = ("mode", spectrum.real)
        dataset["eigenvalue_imag"] = ("mode", spectrum.imag)
    dataset.attrs["radius"] = model.r
    dataset.attrs["table"] = _table(dataset)
    return dataset


def _table(dataset: xr.Dataset) -> str:
    """Return every number on a line; the verdict, a sentence, is the note below the table."""
    rows = {str(name): own.item() for name, own in dataset.data_vars.items() if own.ndim == 0 and name != "verdict"}
    head = max(map(len, rows))
    lines = [
        f"{name:{head}}  {value:.6g}" if isinstance(value, float) else f"{name:{head}}  {value}"
        for name, value in rows.items()
    ]
    lengths = np.linalg.norm(dataset["magnetization"].values, axis=-1) / dataset.attrs["radius"]
    return "\n".join([*lines, f"{'|m| / R over sites':{head}}  {lengths.min():.4g} to {lengths.max():.4g}"])


CONTRACTION = RunSpec(
    name="vector/contraction",
    summary="Say whether relaxation in your couplings contracts, and how many fixed points it has.",
    config=ContractionConfig,
    compute=_contraction,
    plot="glassformer.plotting.vector:contraction_figure",
    citations=("glassformer",),
)

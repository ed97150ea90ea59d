"""`vector/couplings`: draw couplings and fields of a law, or make couplings of the user's tokens, for other runs to read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import Field

from glassformer._core._errors import invalid
from glassformer.runs.vector import Matrix
from glassformer.sweeps import FloatOrInfinity, RunConfig, RunContext, RunSpec

if TYPE_CHECKING:
    import xarray as xr

_OWN = {
    "gaussian": {"coupling_scale", "coupling_mean", "asymmetry", "self_coupling"},
    "symmetric": {"coupling_scale", "coupling_mean"},
    "softmax": {"mask", "empty_rows"},
    "attention": {"mask", "empty_rows", "tokens", "query", "key", "scaling", "temperature_factor"},
}


class CouplingsConfig(RunConfig):
    """One matrix of couplings and one array of fields."""

    law: Annotated[Literal["gaussian", "symmetric", "softmax", "attention"], Field(description="law of the couplings")]
    n: Annotated[int | None, Field(ge=1, description="number of spins; for attention, that of the tokens")] = None
    dim: Annotated[int | None, Field(ge=1, description="components of the fields; none for no fields")] = None
    coupling_scale: Annotated[
        float | None, Field(ge=0, description="gaussian, symmetric: J0, variance J0^2 / n (1)")
    ] = None
    coupling_mean: Annotated[
        float | None, Field(description="gaussian, symmetric: mean of the couplings is mean / n (0)")
    ] = None
    asymmetry: Annotated[
        FloatOrInfinity | None,
        Field(ge=0, description="gaussian: k of J = (S + k B) / sqrt(1 + k^2); 0 symmetric, 1 independent (1), inf"),
    ] = None
    self_coupling: Annotated[bool | None, Field(description="gaussian: whether to draw the diagonal (false)")] = None
    mask: Annotated[
        Literal["none", "causal", "strictly_causal"] | None,
        Field(description="softmax, attention: who sees whom (none)"),
    ] = None
    empty_rows: Annotated[
        Literal["error", "zero"] | None, Field(description="softmax, attention: a row that the mask empties (error)")
    ] = None
    tokens: Annotated[Matrix | None, Field(description="attention: vectors (site, component)")] = None
    query: Annotated[Matrix | None, Field(description="attention: W_Q (component, head_component)")] = None
    key: Annotated[Matrix | None, Field(description="attention: W_K (component, head_component)")] = None
    scaling: Annotated[
        Literal["vanilla", "unit", "qk_norm"] | None, Field(description="attention: scale of the logits (vanilla)")
    ] = None
    temperature_factor: Annotated[float | None, Field(gt=0, description="attention with qk_norm: tau")] = None
    field_law: Annotated[Literal["sphere", "gaussian"], Field(description="law of the fields")] = "sphere"
    strength: Annotated[float, Field(ge=0, description="field strength h: |x_i| = h R")] = 1.0
    radius: Annotated[
        Literal["bal", "sqrt_d", "unit"] | float, Field(description="R of the fields, as in the other runs")
    ] = "bal"
    seed: Annotated[int, Field(ge=0, description="root seed; generated and stored if left out")]

    def draw(self) -> np.ndarray:
        """Return the couplings; an option that the law does not have is refused, not ignored."""
        import glassformer as gf

        given = {
            name: value for name in sorted(set().union(*_OWN.values())) if (value := getattr(self, name)) is not None
        }
        for name, value in given.items():
            if name not in _OWN[self.law]:
                fitting = "|".join(law for law, own in _OWN.items() if name in own)
                raise invalid(name, value, f"left out for law={self.law}", f"it belongs to law={fitting}")
        if self.law == "attention":
            for name in ("tokens", "query", "key"):
                if name not in given:
                    raise invalid(name, None, "an array for law=attention", f"pass {name}=FILE")
            couplings = gf.attention_couplings(given.pop("tokens"), given.pop("query"), **given)
            if self.n not in (None, len(couplings)):
                raise invalid("n", self.n, f"{len(couplings)}, the number of tokens", "leave it out")
            return couplings
        if self.n is None:
            raise invalid("n", None, f"a number of spins for law={self.law}", "pass n=64, say")
        kinds = {"gaussian": gf.Asymmetric, "symmetric": gf.SherringtonKirkpatrick, "softmax": gf.SoftmaxGaussian}
        law: Any = kinds[self.law](**{name.removeprefix("coupling_"): value for name, value in given.items()})
        return np.asarray(law.sample(n=self.n, seed=self.seed))


def _draw(config: CouplingsConfig, part: dict[str, Any], context: RunContext) -> xr.Dataset:
    import xarray as xr

    import glassformer as gf

    couplings = config.draw()
    symmetric, antisymmetric = 0.5 * (couplings + couplings.T), 0.5 * (couplings - couplings.T)
    total = float(np.sum(couplings**2))
    dataset = xr.Dataset(
        {
            "couplings": (("site", "site_"), couplings),
            "symmetry": float(np.sum(couplings * couplings.T)) / total if total > 0 else np.nan,
            "norm_of_symmetric_part": float(np.linalg.norm(symmetric)),
            "norm_of_antisymmetric_part": float(np.linalg.norm(antisymmetric)),
        }
    )
    dataset["symmetry"].attrs["units"] = "sum J_ij J_ji / sum J_ij^2: 1 symmetric, 0 independent, -1 antisymmetric"
    if config.dim is not None:
        draw = gf.sphere_fields if config.field_law == "sphere" else gf.gaussian_fields
        fields = draw(
            len(couplings), dim=config.dim, seed=config.seed, radius=config.radius, strength=config.strength
        )  # fmt: skip
        dataset["fields"] = (("site", "component"), fields)
    return dataset


COUPLINGS = RunSpec(
    name="vector/couplings",
    summary="Draw couplings and fields of a law, or make couplings of your tokens, for the other runs to read.",
    config=CouplingsConfig,
    compute=_draw,
    plot="glassformer.plotting.vector:couplings_figure",
    citations=("glassformer",),
    long_help="Other runs read the result as couplings=DIR/result.nc:couplings and fields=DIR/result.nc:fields.",
)

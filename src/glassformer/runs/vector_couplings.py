"""`vector/couplings`: draw couplings and fields of a law, or make couplings of the user's tokens, for other runs to read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import Field

from glassformer._core._errors import invalid
from glassformer.runs.vector import Matrix
from glassformer.sweeps import FloatOrInfinity, RunConfig, RunContext, RunSpec
from glassformer.sweeps._arrays import ArrayRule

if TYPE_CHECKING:
    import xarray as xr

Vector = Annotated[np.ndarray, ArrayRule(1)]

_OWN = {
    "gaussian": {"coupling_scale", "coupling_mean", "asymmetry", "self_coupling"},
    "symmetric": {"coupling_scale", "coupling_mean"},
    "softmax": {"mask", "empty_rows"},
    "attention": {
        *("mask", "empty_rows", "tokens", "query", "key", "scaling", "temperature_factor"),
        *("heads", "head", "rotary", "rotary_base", "query_bias", "key_bias", "context"),
    },
}


class CouplingsConfig(RunConfig):
    """One matrix of couplings and one array of fields; with several heads of attention, one of each for a head."""

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
        Literal["none", "causal", "strictly_causal"] | Matrix | None,
        Field(description="softmax, attention: who sees whom (none); or a matrix of 0 and 1 (site, site_)"),
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
    heads: Annotated[
        int | None, Field(ge=1, description="attention: heads side by side in the columns of query (1)")
    ] = None
    head: Annotated[
        int | None, Field(ge=0, description="attention: the head to keep, from 0; left out, all: (head, site, site_)")
    ] = None
    rotary: Annotated[bool | None, Field(description="attention: turn queries and keys by position (false)")] = None
    rotary_base: Annotated[float | None, Field(gt=0, description="attention with rotary: base of the angles (1e4)")] = (
        None
    )
    query_bias: Annotated[Vector | None, Field(description="attention: bias of the queries (head_component)")] = None
    key_bias: Annotated[Vector | None, Field(description="attention: bias of the keys (head_component)")] = None
    context: Annotated[
        Matrix | None,
        Field(
            description="attention: other vectors (context_site, component), for cross_couplings (site, context_site)"
        ),
    ] = None
    field_law: Annotated[
        Literal["sphere", "gaussian", "tokens"],
        Field(
            description="law of the fields; tokens: the block of the tokens that belongs to the head, plus the context"
        ),
    ] = "sphere"
    strength: Annotated[float, Field(ge=0, description="field strength h: |x_i| = h R")] = 1.0
    radius: Annotated[
        Literal["bal", "sqrt_d", "unit"] | float, Field(description="R of the fields, as in the other runs")
    ] = "bal"
    seed: Annotated[int, Field(ge=0, description="root seed; generated and stored if left out")]

    def options(self) -> dict[str, Any]:
        """Return the settings of the law; one that it does not have is refused, not ignored."""
        given = {
            name: value for name in sorted(set().union(*_OWN.values())) if (value := getattr(self, name)) is not None
        }
        for name, value in given.items():
            if name not in _OWN[self.law]:
                fitting = "|".join(law for law, own in _OWN.items() if name in own)
                raise invalid(name, value, f"left out for law={self.law}", f"it belongs to law={fitting}")
        if self.rotary_base is not None and not self.rotary:
            raise invalid("rotary_base", self.rotary_base, "left out without rotary", "pass rotary=true")
        if isinstance(self.mask, np.ndarray):
            if not np.isin(self.mask, (0.0, 1.0)).all():
                raise invalid("mask", self.mask, "a matrix of 0 and 1", "1 where site attends to site_")
            given["mask"] = self.mask.astype(bool)
        return given

    def draw(self) -> np.ndarray:
        """Return the couplings of a law without tokens."""
        import glassformer as gf

        given = self.options()
        if self.field_law == "tokens":
            raise invalid("field_law", self.field_law, f"sphere or gaussian for law={self.law}", "it has no tokens")
        if self.n is None:
            raise invalid("n", None, f"a number of spins for law={self.law}", "pass n=64, say")
        kinds = {"gaussian": gf.Asymmetric, "symmetric": gf.SherringtonKirkpatrick, "softmax": gf.SoftmaxGaussian}
        law: Any = kinds[self.law](**{name.removeprefix("coupling_"): value for name, value in given.items()})
        return np.asarray(law.sample(n=self.n, seed=self.seed))


class _Attention:
    """Couplings, cross-couplings and fields of the tokens, each with the heads in front."""

    def __init__(self, config: CouplingsConfig) -> None:
        import glassformer as gf

        given = config.options()
        for name in ("tokens", "query", "key"):
            if name not in given:
                raise invalid(name, None, "an array for law=attention", f"pass {name}=FILE")
        context, head = given.pop("context", None), given.pop("head", None)
        self.heads = given.get("heads", 1)
        if head is not None and head >= self.heads:
            raise invalid("head", head, f"below the number of heads, {self.heads}")
        self.kept = slice(None) if head is None else slice(head, head + 1)
        arrays = given["tokens"], given["query"]
        self.citations = ["bal2023", "bal2026"]
        if given.get("rotary"):
            self.citations.append("su2021")
        if given["key"].shape[1] != given["query"].shape[1]:
            self.citations.append("ainslie2023")
        options = {name: value for name, value in given.items() if name not in ("tokens", "query")}
        self.couplings = self._stack(gf.attention_couplings(*arrays, **options))
        if config.n not in (None, self.couplings.shape[1]):
            raise invalid("n", config.n, f"{self.couplings.shape[1]}, the number of tokens", "leave it out")
        self.cross: np.ndarray | None = None
        if context is not None:
            for name in ("mask", "empty_rows", "rotary", "rotary_base"):  # they are about the past of the tokens
                options.pop(name, None)
            self.cross = self._stack(gf.attention_couplings(*arrays, **options, context=context))
        self.fields = self._fields(config, context) if config.field_law == "tokens" else None

    def _stack(self, couplings: np.ndarray) -> np.ndarray:
        return (couplings[None] if self.heads == 1 else couplings)[self.kept]

    def _fields(self, config: CouplingsConfig, context: np.ndarray | None) -> np.ndarray:
        from glassformer.models._attention import head_fields

        assert config.tokens is not None
        blocks = {"heads": self.heads, "radius": config.radius}
        fields = head_fields(config.tokens, **blocks, strength=config.strength)[self.kept]
        if config.dim not in (None, fields.shape[2]):
            raise invalid("dim", config.dim, f"{fields.shape[2]}, the components of a block", "leave it out")
        if context is not None and self.cross is not None:  # spins of the context that do not move
            fields = fields + self.cross @ head_fields(context, **blocks)[self.kept]
        return fields


def _draw(config: CouplingsConfig, part: dict[str, Any], context: RunContext) -> xr.Dataset:
    import xarray as xr

    import glassformer as gf

    attention = _Attention(config) if config.law == "attention" else None
    stacked = config.draw()[None] if attention is None else attention.couplings
    single = len(stacked) == 1  # one matrix needs no dimension of heads
    outer = () if single else ("head",)

    def unstack(values: np.ndarray) -> np.ndarray:
        return values[0] if single else values

    symmetry = []
    norms: dict[str, list[float]] = {"norm_of_symmetric_part": [], "norm_of_antisymmetric_part": []}
    for matrix in stacked:
        total = float(np.sum(matrix**2))
        symmetry.append(float(np.sum(matrix * matrix.T)) / total if total > 0 else np.nan)
        norms["norm_of_symmetric_part"].append(float(np.linalg.norm(0.5 * (matrix + matrix.T))))
        norms["norm_of_antisymmetric_part"].append(float(np.linalg.norm(0.5 * (matrix - matrix.T))))
    dataset = xr.Dataset(
        {
            "couplings": ((*outer, "site", "site_"), unstack(stacked)),
            "symmetry": (outer, unstack(np.array(symmetry))),
            **{name: (outer, unstack(np.array(norm))) for name, norm in norms.items()},
        }
    )
    dataset["symmetry"].attrs["units"] = "sum J_ij J_ji / sum J_ij^2: 1 symmetric, 0 independent, -1 antisymmetric"
    if attention is not None:
        dataset.attrs["citations"] = attention.citations
        if attention.cross is not None:
            dataset["cross_couplings"] = ((*outer, "site", "context_site"), unstack(attention.cross))
        if attention.fields is not None:
            dataset["fields"] = ((*outer, "site", "component"), unstack(attention.fields))
            return dataset
    if config.dim is not None:
        draw = gf.gaussian_fields if config.field_law == "gaussian" else gf.sphere_fields
        fields = draw(
            stacked.shape[1], dim=config.dim, seed=config.seed, radius=config.radius, strength=config.strength
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
    long_help="Other runs read the result as couplings=DIR/result.nc:couplings and fields=DIR/result.nc:fields; of several "
    "heads pick one by head=K.",
)

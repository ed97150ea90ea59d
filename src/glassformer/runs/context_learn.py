"""`context/learn`: how a student learns an extended-context teacher, measured beside the exact curve."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import Field, model_validator

from glassformer._core._errors import MethodNotApplicableError, invalid
from glassformer._core._random import derived_seed
from glassformer._core._status import Status
from glassformer.runs.context import LawConfig
from glassformer.sweeps import FloatGrid, RunContext, RunSpec

if TYPE_CHECKING:
    import xarray as xr

    from glassformer.models import ExtendedContext
    from glassformer.runs._learning import Teacher

_CURVE = 121  # points of the theory line
_FITTING = {
    "gaussian": ("least_squares", "ridge", "bayes", "sgd"),
    "ising": ("logistic", "mean_field"),
}


class LearnConfig(LawConfig):
    """A teacher, a student, and the numbers of windows it sees."""

    n: Annotated[int, Field(ge=1, description="number of sites")] = 30
    sizes: Annotated[
        FloatGrid, Field(description="numbers of windows P: a list, or a range such as 100:4000:log6; rounded")
    ] = (
        500.0,
        1000.0,
        2000.0,
        4000.0,
    )
    estimator: Annotated[
        Literal["least_squares", "ridge", "bayes", "sgd", "logistic", "mean_field"] | None,
        Field(
            description="the student: least_squares, ridge, bayes (knows the law) and sgd for variant=gaussian, logistic and "
            "mean_field for ising; the first of each if left out"
        ),
    ] = None
    penalty: Annotated[
        float | None,
        Field(ge=0, description="lambda of ridge (1 if left out) and logistic (0), in the units of a sum over windows"),
    ] = None
    rate: Annotated[float | None, Field(gt=0, description="learning rate of sgd (0.001 if left out)")] = None
    student_context: Annotated[
        int | None, Field(ge=1, description="lags that the student sees; those of the teacher if left out")
    ] = None
    mode: Annotated[
        Literal["windows", "trajectory"],
        Field(description="independent windows (where the theory holds), or the windows of one sequence"),
    ] = "windows"
    repeats: Annotated[int, Field(ge=2, description="independent data sets of each size; error bars are over them")] = 8
    test_windows: Annotated[
        int, Field(ge=1, description="ising: windows that the excess loss is averaged over (gaussian is exact)")
    ] = 4000
    seed: Annotated[int, Field(ge=0, description="root seed; generated and stored if left out")]

    @model_validator(mode="after")
    def _student_fits(self) -> LearnConfig:
        known = _FITTING.get(self.variant)
        if known is None:
            raise invalid("variant", self.variant, "gaussian or ising", "learning curves are known for these")
        if self.estimator is not None and self.estimator not in known:
            raise invalid("estimator", self.estimator, f"one of {', '.join(known)} for variant={self.variant}")
        if self.penalty is not None and self.student not in ("ridge", "logistic"):
            raise invalid(
                "penalty", self.penalty, f"left out for estimator={self.student}", "ridge and logistic have one"
            )
        if self.rate is not None and self.student != "sgd":
            raise invalid("rate", self.rate, f"left out for estimator={self.student}", "sgd has one")
        if self.field:
            raise invalid("field", self.field, "0", "learning curves are known for teachers without external fields")
        if min(self.sizes) < 1:
            raise invalid("sizes", min(self.sizes), "whole numbers >= 1")
        if self.student == "bayes" and self.student_context not in (None, self.law().context):
            raise invalid("student_context", self.student_context, "left out for estimator=bayes, which knows the law")
        return self

    @property
    def student(self) -> str:
        """The estimator, with the default of the variant."""
        return self.estimator or _FITTING[self.variant][0]

    def method(self) -> Any:
        """Return the estimator as a noun."""
        import glassformer as gf

        if self.student == "ridge":
            return gf.Ridge(1.0 if self.penalty is None else self.penalty)
        if self.student == "bayes":
            return gf.BayesRidge(self.law().covariance, sigma=self.sigma)
        if self.student == "sgd":
            return gf.OnlineSGD(0.001 if self.rate is None else self.rate)
        if self.student == "logistic":
            return gf.LogisticLikelihood(penalty=self.penalty or 0.0, errors=False)
        return gf.MeanFieldInversion() if self.student == "mean_field" else gf.LeastSquares()

    def pairs(self) -> list[int]:
        """Return the sizes as whole numbers, growing."""
        return sorted({round(size) for size in self.sizes})

    def model(self) -> ExtendedContext:
        """Draw the teacher."""
        from glassformer.models import ExtendedContext

        return ExtendedContext(self.law().sample(n=self.n, seed=derived_seed(self.seed, "learn/teacher")))

    def teacher(self) -> Teacher:
        """Return the teacher, ready to give windows."""
        from glassformer.runs._learning import Teacher

        model = self.model()
        return Teacher.of(model, self.rule(), self.student_context or model.context)


def _parts(config: LearnConfig) -> list[dict[str, Any]]:
    return [{"kind": "theory"}, *({"kind": "data", "size": size} for size in config.pairs())]


def _part(config: LearnConfig, part: dict[str, Any], context: RunContext) -> xr.Dataset:
    if part["kind"] == "theory":
        return _theory(config)
    return _measure(config, int(part["size"]), context)


def _theory(config: LearnConfig) -> xr.Dataset:
    """Solve for the curve at the sizes that are measured, and on a fine grid for the figure."""
    import xarray as xr

    import glassformer as gf

    model, rule, sizes = config.model(), config.rule(), config.pairs()
    try:
        fine = np.unique(np.geomspace(sizes[0], sizes[-1], _CURVE)) if len(sizes) > 1 else np.array(sizes, dtype=float)
        both = np.unique(np.concatenate([fine, sizes]))
        curve = gf.LearningCurve(config.method(), tuple(both), rule=rule, context=config.student_context)
        found = gf.solve(model, curve, throw=False)
    except MethodNotApplicableError as error:
        return xr.Dataset(attrs={"missing": str(error)})
    asked = np.isin(both, sizes)
    dataset = found.drop_dims("size").assign_attrs(found.attrs)
    for name in ("excess", "excess_asymptote"):
        if name in found:
            dataset[f"{name}_theory" if name == "excess" else name] = ("size", found[name].values[asked])
    dataset["excess_curve"] = ("curve_size", found["excess"].values)
    return dataset.assign_coords(size=both[asked], curve_size=both)


def _measure(config: LearnConfig, size: int, context: RunContext) -> xr.Dataset:
    """Fit `repeats` data sets of one size."""
    import xarray as xr

    import glassformer as gf
    from glassformer.dynamics._motion import one_blas_thread

    teacher, method = config.teacher(), config.method()
    trajectory = config.mode == "trajectory"
    test = None
    if teacher.covariance is None:
        test = teacher.windows(config.test_windows, derived_seed(config.seed, "learn/test"), trajectory=False)
    excess, lost = np.empty(config.repeats), np.zeros(config.repeats)
    for repeat in range(config.repeats):
        seed = derived_seed(config.seed, f"learn/data/{size}/{repeat}")
        data = teacher.windows(size, seed, trajectory=trajectory)
        fit = gf.infer(data, method, context=config.student_context, throw=False)
        with one_blas_thread():  # the same bits whatever the number of threads
            excess[repeat] = teacher.excess(fit["couplings"].values, fit["fields"].values, test)
        lost[repeat] = _share_without_answer(fit)
        if (lost[repeat] and "separated" in fit) or Status(fit.attrs["status"]).failed:
            excess[repeat] = math.inf  # the likelihood has no maximum, or the descent runs away
        context.progress(repeat + 1, config.repeats)
    finite = np.isfinite(excess).all()
    error = excess.std(ddof=1) / math.sqrt(config.repeats) if finite else math.inf
    return xr.Dataset(
        {"excess": ("size", [excess.mean()]), "excess_error": ("size", [error]), "flagged": ("size", [lost.mean()])},
        coords={"size": [float(size)]},
    )


def _share_without_answer(fit: xr.Dataset) -> float:
    for name in ("separated", "fallback"):
        if name in fit:
            return float(fit[name].mean())
    return 0.0


def _combine(config: LearnConfig, parts: list[xr.Dataset]) -> xr.Dataset:
    import xarray as xr

    theory, measured = parts[0], xr.concat(parts[1:], dim="size")
    dataset = measured.merge(theory, combine_attrs="drop")
    if config.student not in ("logistic", "mean_field"):
        dataset = dataset.drop_vars("flagged")
    else:
        name = "separated_share" if config.student == "logistic" else "fallback_share"
        dataset = dataset.rename(flagged=name)
        dataset[name].attrs["units"] = "of all sites and data sets"
    units = "squared token, per site" if config.variant == "gaussian" else "nats per site"
    dataset["size"].attrs["units"] = "windows"
    for name in ("excess", "excess_error", "excess_theory", "excess_curve", "excess_asymptote"):
        if name in dataset:
            dataset[name].attrs["units"] = units
    if "loss_floor" in dataset:
        dataset["test_error"] = dataset["excess"] + (
            dataset["error_floor"] if "error_floor" in dataset else dataset["loss_floor"]
        )
        dataset["test_error"].attrs["units"] = units
    attrs = {key: theory.attrs[key] for key in ("status", "status_sentence", "citations") if key in theory.attrs}
    notes = [theory.attrs["note"]] if "note" in theory.attrs else [f"No theory: {theory.attrs.get('missing', '')}"]
    if config.mode == "trajectory":
        notes.append("The theory is that of independent windows; those of one sequence overlap.")
    dataset.attrs = {
        **attrs,
        "note": " ".join(notes),
        "estimator": config.student,
        "variant": config.variant,
        "mode": config.mode,
        "n": config.n,
        "averages_over": f"{config.repeats} data sets of one teacher",
    }
    dataset.attrs["table"] = _table(dataset)
    return dataset


def _table(dataset: xr.Dataset) -> str:
    """Return one line per size, and the floors."""
    solved = "excess_theory" in dataset
    lines = [f"{'windows':>8}  {'excess':>22}" + (f"  {'theory':>12}  {'difference / error':>18}" if solved else "")]
    for k, size in enumerate(dataset["size"].values):
        value, error = float(dataset["excess"][k]), float(dataset["excess_error"][k])
        text = f"{value:.6g} ± {error:.2g}" if math.isfinite(value) else "infinite"
        line = f"{size:8.0f}  {text:>22}"
        if solved:
            exact = float(dataset["excess_theory"][k])
            line += f"  {exact:12.6g}" if math.isfinite(exact) else f"  {'infinite':>12}"
            if math.isfinite(exact) and math.isfinite(error) and error > 0.0:
                line += f"  {(value - exact) / error:18.4g}"
        share = float(dataset["separated_share"][k]) if "separated_share" in dataset else 0.0
        if share > 0.0:
            line += f"   {100 * share:.3g} % of the sites have no maximum: pass a penalty, or more windows"
        lines.append(line)
    lines.append("")
    words = {
        "parameters": "couplings of a site that the student fits",
        "error_floor": "squared error of the teacher, per site",
        "loss_floor": "log loss of the teacher, nats per site",
        "mismatch": "error that the student cannot learn away",
        "separability_threshold": "windows per coupling below which the likelihood has no maximum",
    }
    lines += [f"{float(dataset[name]):12.6g}  {word}" for name, word in words.items() if name in dataset]
    return "\n".join(lines)


LEARN = RunSpec(
    name="context/learn",
    summary="A student learns the couplings of an extended-context teacher: test error against windows, beside the theory.",
    config=LearnConfig,
    scales={"quick": {}, "paper": {"n": 60, "repeats": 32}},
    parts=_parts,
    compute=_part,
    combine=_combine,
    plot="glassformer.plotting.context_learn:learning_figure",
    citations=("zavatone2025", "glassformer"),
    long_help=(
        "excess is the error above that of the teacher, which is the floor: squared error per site for gaussian tokens, log loss "
        "per site for ising ones. Independent gaussian windows are drawn exactly from their stationary law; others come from "
        "sequences of their own that have forgotten their start."
    ),
)

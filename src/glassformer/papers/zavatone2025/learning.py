"""Extended-context kinetic models: how students learn a teacher, exact learning curves beside runs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from glassformer.runs._learning import Teacher
from glassformer.sweeps import Expected, FloatGrid, RunConfig, RunContext, RunSpec

if TYPE_CHECKING:
    import xarray as xr

SHAPES = ("max_det", "rank_one")
_GAUSSIAN = (0.4, 0.12)  # diagonal sums of the Gaussian teachers, stable at small sizes too
_ISING = (1.0, 0.5)  # of the Ising teachers: equal couplings to both lags
_CONTEXT = 2
_HELD_OUT = 600  # windows that score an Ising student
_CURVE = 81  # points of a theoretical curve


class LearningConfig(RunConfig):
    """Teachers with two lags; students see independent windows, each from a sequence of its own."""

    n: int = Field(30, ge=4, description="sites; a student has d = 2 n couplings a site")
    teachers: int = Field(4, ge=2, description="draws of the couplings, each with its own windows")
    linear_ratios: FloatGrid = Field(
        (0.25, 0.5, 0.75, 0.9, 1.0, 1.1, 1.25, 1.5, 2.0, 3.0, 5.0, 10.0), description="windows per coupling, Gaussian"
    )
    logistic_ratios: FloatGrid = Field((4.5, 6.0, 8.0, 12.0, 20.0, 40.0), description="windows per coupling, Ising")
    penalty: float = Field(1.0, gt=0, description="lambda of the ridge")
    rate: float = Field(0.004, gt=0, description="learning rate of the online descent")
    steps: int = Field(600, ge=8, description="steps of the online descent")
    beta: float = Field(1.0, gt=0, description="inverse temperature of the Ising teachers")
    seed: int = Field(1, ge=0, description="root seed of teachers and windows")


def _parts(config: LearningConfig) -> list[dict[str, Any]]:
    return [{"task": task, "teacher": k} for task in (*SHAPES, "ising") for k in range(config.teachers)]


def _part(config: LearningConfig, part: dict[str, Any], context: RunContext) -> xr.Dataset:
    import glassformer as gf
    from glassformer._core._random import derived_seed

    task, number = str(part["task"]), int(part["teacher"])
    sums, shape = (_ISING, "rank_one") if task == "ising" else (_GAUSSIAN, task)
    law = gf.LaggedGaussian.from_diagonal_sums(sums, shape=shape)
    model = gf.ExtendedContext(law.sample(n=config.n, seed=derived_seed(config.seed, f"teacher/{number}")))
    rule = gf.TokenRule("ising", beta=config.beta) if task == "ising" else gf.TokenRule("gaussian")
    seed = derived_seed(config.seed, f"windows/{task}/{number}")
    compute = _logistic if task == "ising" else _linear
    return compute(config, Teacher.of(model, rule, _CONTEXT), seed, context)


def _linear(config: LearningConfig, teacher: Teacher, seed: int, context: RunContext) -> xr.Dataset:
    import xarray as xr

    import glassformer as gf

    sizes = _sizes(config, config.linear_ratios)
    steps = np.unique(np.geomspace(1, config.steps, 12).round().astype(int))
    seen = teacher.windows(max(*sizes, config.steps), seed, trajectory=False)

    fine = np.geomspace(min(config.linear_ratios), max(config.linear_ratios), _CURVE)

    def excess(student: Any, pairs: int) -> float:
        fit = gf.infer(seen.first(pairs), student, throw=False)
        return teacher.excess(fit["couplings"].values, fit["fields"].values, None)

    def theory(student: Any, pairs: Any) -> Any:
        curve = gf.LearningCurve(student, tuple(pairs), rule=teacher.rule)
        return gf.solve(teacher.model, curve, throw=False)["excess"].values

    students = {
        "least squares": gf.LeastSquares(),
        "ridge": gf.Ridge(config.penalty),
        "Bayes": gf.BayesRidge(teacher.model.couplings.law.covariance, sigma=1.0),
    }
    descent = gf.OnlineSGD(config.rate)
    return xr.Dataset(
        {
            "excess": (("student", "ratio"), [[excess(one, size) for size in sizes] for one in students.values()]),
            "excess_theory": (("student", "ratio"), [theory(one, sizes) for one in students.values()]),
            "excess_curve": (
                ("student", "curve_ratio"),
                [theory(one, fine * seen.n * _CONTEXT) for one in students.values()],
            ),
            "excess_online": ("step", [excess(descent, int(step)) for step in steps]),
            "excess_online_theory": ("step", theory(descent, steps)),
        },
        coords={"student": list(students), "ratio": list(config.linear_ratios), "curve_ratio": fine, "step": steps},
    )


def _logistic(config: LearningConfig, teacher: Teacher, seed: int, context: RunContext) -> xr.Dataset:
    import xarray as xr

    import glassformer as gf

    sizes = _sizes(config, config.logistic_ratios)
    drawn = teacher.windows(max(sizes) + _HELD_OUT, seed, trajectory=False)
    unseen = gf.Windows(drawn.history[max(sizes) :], drawn.next[max(sizes) :])
    measured, theory, smooth, separated = [], [], [], []
    fine = np.geomspace(0.7 * min(config.logistic_ratios), max(config.logistic_ratios), _CURVE // 2)
    students = {"likelihood": gf.LogisticLikelihood(errors=False), "mean field": gf.MeanFieldInversion()}
    for student in students.values():
        fits = [gf.infer(drawn.first(size), student, throw=False) for size in sizes]
        measured.append([teacher.excess(fit["couplings"].values, fit["fields"].values, unseen) for fit in fits])
        separated.append([float(fit["separated"].mean()) if "separated" in fit else 0.0 for fit in fits])
        pairs = [*sizes, *(fine * _CONTEXT * config.n)]
        curve = gf.solve(teacher.model, gf.LearningCurve(student, tuple(pairs), rule=teacher.rule), throw=False)
        theory.append(curve["excess"].values[: len(sizes)])
        smooth.append(curve["excess"].values[len(sizes) :])
        context.progress(len(measured), len(students))
    return xr.Dataset(
        {
            "excess": (("student", "ratio"), measured),
            "excess_theory": (("student", "ratio"), theory),
            "excess_curve": (("student", "ising_curve_ratio"), smooth),
            "separated": (("student", "ratio"), separated),
            "separability_threshold": float(curve["separability_threshold"]),
            "loss_floor": float(curve["loss_floor"]),
        },
        coords={"student": list(students), "ratio": list(config.logistic_ratios), "ising_curve_ratio": fine},
    )


def _sizes(config: LearningConfig, ratios: tuple[float, ...]) -> list[int]:
    return [max(2, round(ratio * _CONTEXT * config.n)) for ratio in ratios]


def _combine(config: LearningConfig, parts: list[xr.Dataset]) -> xr.Dataset:
    import xarray as xr

    draws = config.teachers
    dataset = xr.Dataset()
    for k, task in enumerate((*SHAPES, "ising")):
        group = xr.concat(parts[k * draws : (k + 1) * draws], dim="teacher")
        mean = group.mean("teacher")
        for name in ("excess", "excess_online"):
            if name in group:
                mean[f"{name}_error"] = group[name].std("teacher", ddof=1) / math.sqrt(draws)
        if task == "ising":
            mean = mean.rename(student="ising_student", ratio="ising_ratio")
        dataset = dataset.assign({f"{task}_{name}": values for name, values in mean.items()})
    dataset["ising_excess_asymptote"] = 0.5 / dataset["ising_ratio"]
    dataset["ising_test_loss"] = dataset["ising_excess"] + dataset["ising_loss_floor"]
    for task in (*SHAPES, "ising"):
        dataset[f"{task}_gap"] = dataset[f"{task}_excess"] / dataset[f"{task}_excess_theory"] - 1.0
    whole = dataset["ising_separated"] == 0.0  # in a small system some sites are separable above the threshold
    dataset["ising_gap"] = dataset["ising_gap"].where(whole)
    for task in SHAPES:
        gap = dataset[f"{task}_excess_online"] / dataset[f"{task}_excess_online_theory"] - 1.0
        dataset[f"{task}_online_gap"] = np.abs(gap).max()
    ratio = dataset["rank_one_excess"] / dataset["max_det_excess"]
    dataset["rank_gain"] = ratio.sel(student="Bayes", ratio=config.linear_ratios[-1], drop=True)
    for key in map(str, dataset.data_vars):
        if "_excess" in key or key in ("ising_loss_floor", "ising_test_loss"):
            dataset[key].attrs["units"] = "nats per site" if key.startswith("ising") else "squared token, per site"
        elif key.endswith("_gap"):
            dataset[key].attrs["units"] = "relative to theory"
    kept = ("n", "teachers", "rate", "beta", "penalty")
    return dataset.assign_attrs(
        averages_over=f"{draws} teachers",
        parameters=_CONTEXT * config.n,
        **{name: getattr(config, name) for name in kept},
    )


_LAW = "theory"


def _gap(task: str, student: str, ratio: float, tolerance: float, value: float = 0.0) -> Expected:
    key = "ising_" if task == "ising" else ""
    when = {"beta": 1.0} if task == "ising" else {}
    return Expected(
        f"{task}_gap", value, tolerance, _LAW, select={f"{key}student": student, f"{key}ratio": ratio}, when=when
    )


LEARNING = RunSpec(
    name="zavatone2025/learning",
    summary="Learning curves: least squares, ridge, Bayes, logistic likelihood, online descent, theory beside runs",
    config=LearningConfig,
    compute=_part,
    parts=_parts,
    combine=_combine,
    scales={
        "quick": {},
        "paper": {
            "n": 80,
            "teachers": 8,
            "linear_ratios": (0.25, 0.5, 0.7, 0.8, 0.9, 0.95, 1.0, 1.05, 1.1, 1.2, 1.35, 1.5, 2.0, 3.0, 5.0, 10.0),
            "logistic_ratios": (4.0, 4.5, 6.0, 8.0, 12.0, 20.0, 40.0, 80.0),
            "rate": 0.002,
            "steps": 2000,
        },
    },
    plot="glassformer.plotting.zavatone_learning:learning_figure",
    citations=("zavatone2025", "glassformer"),
    # Relative errors: four times those of four teachers of 30 sites; ridge, Bayes and likelihood are theories of many sites.
    expected=(
        *(_gap(task, "least squares", ratio, 0.12) for task in SHAPES for ratio in (2.0, 5.0, 10.0)),
        *(_gap(task, "ridge", 1.0, 0.2) for task in SHAPES),
        *(_gap(task, "Bayes", ratio, 0.15) for task in SHAPES for ratio in (1.0, 5.0)),
        Expected("max_det_online_gap", 0.0, 0.12, _LAW),
        Expected("rank_one_online_gap", 0.0, 0.12, _LAW),
        *(_gap("ising", "likelihood", ratio, 0.12) for ratio in (8.0, 12.0, 20.0, 40.0)),
        Expected("ising_separability_threshold", 3.11, 0.15, "Candes and Sur 2020", when={"beta": 1.0}),
        Expected("ising_loss_floor", 0.4336861477, 0.02, "infinite size", when={"beta": 1.0}),
        Expected("rank_gain", 0.57, 0.08, "half the coefficients, less what the prior knows"),
    ),
    notes=(
        "Derived here, except for the limits of ridge and logistic regression, which are known. Students see independent "
        "windows; the fine structure at P = d depends on few small eigenvalues."
    ),
)

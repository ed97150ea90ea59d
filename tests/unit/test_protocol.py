"""Every public noun keeps the promises of its kind: a value, documented with equation and source, checked, citable."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
from typing import Any

import numpy as np
import pytest

import glassformer as gf
from glassformer._core._citations import cite
from glassformer._core._errors import InvalidInputError

DYNAMICS: list[Any] = [
    gf.ParallelHeatBath(1.3),
    gf.SequentialHeatBath(1.3, overrelaxation=1),
    gf.Overrelaxation(),
    gf.ParallelTempering((0.4, 1.3)),
]
THEORIES: list[Any] = [
    gf.NaiveMeanField(1.3),
    gf.NaiveMeanField(1.3, solver="anderson"),
    gf.TAP(1.3),
    gf.GramClosure(1.3),
    gf.GaussianClosure(1.3),
    gf.AdaptiveTAP(1.3),
    gf.SaddlePoint(1.3),
    gf.Enumeration(1.3),
]
QUESTIONS: list[Any] = [gf.Relaxation(gf.GramClosure(1.3)), gf.Quench(gf.GramClosure(1.3), np.ones((5, 3)))]
REPLICA: list[Any] = [gf.ReplicaSymmetric(1.3), gf.AlmeidaThouless(0.2), gf.GabayToulouse(0.2)]
COLD: list[Any] = [gf.GroundState(2, seed=1)]  # theories without a temperature
CONTEXT: list[Any] = [
    gf.ExactContext(gf.TokenRule()),
    gf.StationaryDMFT(gf.TokenRule()),
    gf.TransientDMFT(gf.TokenRule(), start=np.eye(2)),
    gf.Aging(gf.TokenRule("gaussian")),
]  # theories of extended-context models
ESTIMATORS: list[Any] = [
    gf.LeastSquares(),
    gf.Ridge(0.3),
    gf.BayesRidge([[0.5, 0.2], [0.2, 0.3]], sigma=0.7),
    gf.LogisticLikelihood(beta=0.5, penalty=0.1),
    gf.MeanFieldInversion(),
    gf.OnlineSGD(0.01),
]
LEARNING: list[Any] = [
    gf.GradientFlow(0.1),
    gf.LearningCurve(gf.Ridge(0.3), (10, 20), rule=gf.TokenRule("gaussian")),
]
LAWS: list[Any] = [gf.Asymmetric(), gf.SherringtonKirkpatrick(), gf.SoftmaxGaussian(), gf.VectorGlass(dim=4)]
NOUNS = [
    *DYNAMICS,
    *THEORIES,
    *QUESTIONS,
    *REPLICA,
    *COLD,
    *CONTEXT,
    *ESTIMATORS,
    *LEARNING,
    *LAWS,
    gf.LegacyLossMetropolis(1.3),
    gf.LargeLimit(gf.Asymmetric()),
    gf.Measure(),
    gf.ContextMeasure(two_time=True),
    gf.TokenRule("probit", beta=0.7),
    gf.LaggedGaussian([[0.5, 0.2], [0.2, 0.3]], mean=[0.1, 0.2]),
    gf.ContextEnsemble(gf.LaggedGaussian([[0.5, 0.2], [0.2, 0.3]]), field=0.1),
]


def name_of(thing: Any) -> str:
    return type(thing).__name__


def model(*, dim: int) -> gf.VectorSpin:
    couplings = gf.SherringtonKirkpatrick().sample(n=5, seed=1)
    return gf.VectorSpin(couplings, gf.sphere_fields(5, dim=dim, seed=2, radius=0.9), radius=0.9)


@pytest.mark.parametrize("noun", NOUNS, ids=name_of)
def test_a_noun_is_a_value(noun: Any) -> None:
    assert dataclasses.is_dataclass(noun)
    assert pickle.loads(pickle.dumps(noun)) == noun
    assert copy.deepcopy(noun) == noun
    assert hash(noun) == hash(copy.deepcopy(noun))
    assert repr(noun).startswith(name_of(noun))
    for field in dataclasses.fields(noun):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(noun, field.name, None)


@pytest.mark.parametrize(
    "noun", [*DYNAMICS, *THEORIES, *QUESTIONS, *REPLICA, *COLD, *CONTEXT, *ESTIMATORS, *LEARNING, *LAWS], ids=name_of
)
def test_a_noun_is_documented_with_equation_source_and_example(noun: Any) -> None:
    text = inspect.getdoc(type(noun)) or ""
    own = [field.name for field in dataclasses.fields(noun) if field.init and not field.name.startswith("_")]
    assert ".. math::" in text or "`" in text
    assert "References\n----------" in text
    assert ">>>" in text
    for name in own:
        assert name in text, f"{name_of(noun)} does not explain {name}"
    assert all(source.text for source in cite(noun.citations))


@pytest.mark.parametrize("noun", [*DYNAMICS, *THEORIES], ids=name_of)
def test_a_negative_or_undefined_temperature_is_refused_by_name(noun: Any) -> None:
    kind = type(noun)
    if kind is gf.Overrelaxation:  # has no temperature
        assert not dataclasses.fields(kind)
        return
    for bad in (-1.0, float("nan"), "1") if kind is gf.ParallelTempering else (-1.0, float("nan"), True, "1"):
        with pytest.raises(InvalidInputError, match="beta"):
            kind((bad, 2.0) if kind is gf.ParallelTempering else bad)


@pytest.mark.parametrize("dynamics", DYNAMICS, ids=name_of)
@pytest.mark.parametrize("dim", [1, 3, 6])
def test_every_dynamics_moves_measures_and_repeats(dynamics: Any, dim: int) -> None:
    options = {"steps": 12, "burn_in": 5, "replicas": 3, "seed": 4}
    first, again = (gf.simulate(model(dim=dim), dynamics, **options) for _ in range(2))
    for name in first.variables:
        assert np.array_equal(first[name], again[name], equal_nan=first[name].dtype.kind == "f")
    assert {"energy", "magnetization", "entropy_production", "autocorrelation_time", "spins"} <= set(first)
    assert {"status", "method", "seed", "versions", "citations", "wall_time", "averages_over"} <= set(first.attrs)
    assert first.attrs["method"] == name_of(dynamics)
    lengths = np.linalg.norm(first["spins"], axis=-1)
    assert np.allclose(lengths, 0.9, rtol=1e-12)
    motion = dynamics.prepare(model(dim=dim), seed=4)
    start = motion.start(model(dim=dim).random_spins(replicas=2 * motion.levels, seed=1))
    before = start.spins.copy()
    whole = motion.advance(start, 7)
    assert np.array_equal(start.spins, before)  # a state is not changed by moving on from it
    assert np.array_equal(motion.advance(motion.advance(start, 3), 4, threads=1).spins, whole.spins)


@pytest.mark.parametrize("theory", THEORIES, ids=name_of)
@pytest.mark.parametrize("dim", [1, 3, 6])
def test_every_theory_returns_the_shared_names_and_its_evidence(theory: Any, dim: int) -> None:
    if isinstance(theory, gf.Enumeration) and dim > 1:
        with pytest.raises(InvalidInputError, match="dim=1"):
            gf.solve(model(dim=dim), theory)
        return
    found = gf.solve(model(dim=dim), theory)
    shared = {
        "magnetization": ("site", "component"),
        "correlation": ("site", "site_"),
        "energy": (),
        "entropy_production": (),
        "entropy_production_per_spin": (),
        "alignment_of_mean": (),
        "mean_of_alignment": (),
        "magnetization_sum_of_squares": (),
        "covariance_trace": (),
        "residual": (),
    }
    for name, dims in shared.items():
        assert found[name].dims == dims
        assert np.isfinite(found[name]).all()
    assert {"status", "method", "versions", "citations", "wall_time", "beta", "model"} <= set(found.attrs)
    assert gf.Status(found.attrs["status"]).good
    assert np.linalg.norm(found["magnetization"], axis=-1).max() <= 0.9


@pytest.mark.parametrize("thing", [gf.VectorSpin(np.eye(2), dim=3), *LAWS], ids=name_of)
def test_everything_in_the_table_of_methods_can_be_called(thing: Any) -> None:
    table = gf.methods(thing)
    assert len(table) > 0
    for row in table:
        assert row.name in dir(gf)
        assert row.verb in ("simulate", "solve")
        assert row.cost
        assert row.validity


def test_every_public_name_is_documented() -> None:
    missing = [name for name in gf.__all__ if name != "__version__" and not inspect.getdoc(getattr(gf, name))]
    assert not missing


def test_the_list_of_dynamics_and_theories_here_is_complete() -> None:
    rows = {row.name for row in gf.methods(model(dim=1))}
    tested = {name_of(noun) for noun in [*DYNAMICS, *THEORIES, *COLD]}
    assert rows <= tested
    assert tested - rows == {"Overrelaxation"}  # alone it samples nothing


def test_the_list_of_replica_theories_here_is_complete() -> None:
    glasses = [gf.VectorGlass(dim=4, field_law=law) for law in ("gaussian", "uniform")]
    assert {row.name for glass in glasses for row in gf.methods(glass)} == {name_of(noun) for noun in REPLICA}

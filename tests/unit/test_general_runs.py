"""The general runs on a user's arrays: the same numbers by every route, and options that do not apply are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import glassformer as gf
from glassformer._core._errors import InvalidInputError

GUARANTEED = (
    "magnetization_sum_of_squares",
    "covariance_trace",
    "entropy_production",
    "alignment_of_mean",
    "residual",
)
RESPONSES = {"nmf", "tap", "gram", "gaussian", "adaptive-tap"}


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def arrays(n: int = 7, dim: int = 3, *, symmetric: bool = False, seed: int = 0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    couplings = rng.normal(size=(n, n)) / np.sqrt(n)
    if symmetric:
        couplings = (couplings + couplings.T) / np.sqrt(2)
    return {"couplings": couplings, "fields": rng.normal(size=(n, dim)), "radius": 0.9, "beta": 1.1}


@pytest.mark.parametrize("response", ["exact", "amos", "large_d"])
@pytest.mark.parametrize("method", sorted(RESPONSES))
def test_every_method_takes_every_response_and_gives_the_guaranteed_names(method: str, response: str) -> None:
    settings = arrays(symmetric=method == "adaptive-tap")
    result = gf.run("vector/solve", method=method, response=response, **settings)
    nouns = {
        "nmf": gf.NaiveMeanField,
        "tap": gf.TAP,
        "gram": gf.GramClosure,
        "gaussian": gf.GaussianClosure,
        "adaptive-tap": gf.AdaptiveTAP,
    }
    beta = settings.pop("beta")
    direct = gf.solve(gf.VectorSpin(**settings), nouns[method](beta, response=response))
    for name in GUARANTEED:
        assert np.isfinite(result[name])
        assert float(result[name]) == float(direct[name])


@pytest.mark.parametrize("steps", [None, 3])
@pytest.mark.parametrize("method", ["nmf", "tap", "gram", "gaussian", "enumeration"])
def test_steady_states_and_transients_have_the_guaranteed_names(method: str, steps: int | None) -> None:
    start = {} if steps is None else {"start": "fields"} if method != "enumeration" else {"start": 0.3 * np.ones(5)}
    result = gf.run("vector/solve", method=method, steps=steps, **start, **arrays(n=5, dim=1))
    for name in GUARANTEED:
        assert np.isfinite(result[name]).all()
        assert result[name].dims == (("time",) if steps and name != "residual" else ())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"method": "saddle-point", "response": "amos"}, "response is 'amos', but must be left out"),
        ({"method": "gram", "variant": "bal2023"}, "variant is 'bal2023', but must be left out for method=gram"),
        ({"method": "nmf", "update": "sequential"}, "update is 'sequential', but must be left out for method=nmf"),
        ({"method": "saddle-point"}, "symmetric"),
        ({"method": "adaptive-tap"}, "symmetric"),
        ({"method": "enumeration"}, "dim=1"),
        ({"method": "tap", "variant": "bal2023", "response": "exact"}, "large_d"),
    ],
)
def test_options_and_methods_that_do_not_apply_are_refused_and_leave_nothing(settings: dict, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        gf.run("vector/solve", **arrays(), **settings)
    assert not list(Path("runs").glob("*")) if Path("runs").exists() else True


def test_the_published_tap_needs_no_word_about_its_response() -> None:
    result = gf.run("vector/solve", method="tap", variant="bal2023", **{**arrays(dim=8), "beta": 0.3})
    assert result.attrs["response"] == "large_d"


def test_a_transposed_netcdf_file_is_read_by_the_names_of_its_dimensions() -> None:
    settings = arrays(n=4, dim=4)
    xr.Dataset({"x": (("component", "site"), settings["fields"].T)}).to_netcdf("x.nc", engine="h5netcdf")
    xr.Dataset({"J": (("site_", "site"), settings["couplings"].T)}).to_netcdf("J.nc", engine="h5netcdf")
    plain = gf.run("vector/solve", method="gram", **settings)
    read = gf.run("vector/solve", method="gram", **{**settings, "fields": "x.nc", "couplings": "J.nc"})
    assert np.array_equal(plain["magnetization"], read["magnetization"])


# --- compare ----------------------------------------------------------------------------------------------------------


def test_comparing_from_a_configuration_is_comparing_in_python() -> None:
    settings = arrays(n=10, dim=6)
    options = {"steps": 200, "burn_in": 20, "replicas": 6}
    result = gf.run("vector/compare", methods=["nmf", "gram"], seed=3, **options, **settings)
    beta = settings.pop("beta")
    model = gf.VectorSpin(**settings)
    sim = gf.simulate(model, gf.ParallelHeatBath(beta), seed=3, **options)
    table = gf.compare(sim, gf.solve(model, gf.NaiveMeanField(beta)), gf.solve(model, gf.GramClosure(beta))).dataset
    assert list(result["solver"].values) == ["ParallelHeatBath", "NaiveMeanField", "GramClosure"]
    for quantity in ("entropy_production", "mean_of_alignment"):
        row = table.sel(quantity=quantity)
        assert np.array_equal(result[quantity], row["value"])
        assert np.array_equal(result[f"{quantity}_deviation"], row["deviation"], equal_nan=True)
    assert "GramClosure" in result.attrs["table"]
    for key in ("plefka1982", "wood1994"):  # sources of both sides
        assert key in gf.evidence(result)["citations"]


# --- tempering --------------------------------------------------------------------------------------------------------


def test_tempering_from_a_configuration_is_tempering_in_python() -> None:
    settings = arrays(symmetric=True)
    settings.pop("beta")
    options = {"steps": 100, "burn_in": 50, "replicas": 3}
    result = gf.run("vector/temper", betas="0.5:2:log4", overrelaxation=1, seed=3, **options, **settings)
    ladder = gf.ParallelTempering(gf.geometric_ladder(0.5, 2.0, 4), 1)
    direct = gf.simulate(gf.VectorSpin(**settings), ladder, seed=3, **options)
    for name in ("energy", "specific_heat", "swap_rate", "correlation"):
        assert np.array_equal(result[name], direct[name])
    assert np.allclose(result["beta"], np.geomspace(0.5, 2.0, 4))


def test_tempering_refuses_asymmetric_couplings() -> None:
    settings = arrays()
    settings.pop("beta")
    with pytest.raises(InvalidInputError, match="symmetric"):
        gf.run("vector/temper", betas=[0.5, 1.0], seed=1, **settings)


# --- couplings --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "law"),
    [
        ({"law": "gaussian", "asymmetry": 0.3, "coupling_scale": 1.4}, gf.Asymmetric(asymmetry=0.3, scale=1.4)),
        ({"law": "gaussian", "asymmetry": "inf"}, gf.Asymmetric(asymmetry=np.inf)),
        ({"law": "symmetric", "coupling_mean": 0.5}, gf.SherringtonKirkpatrick(mean=0.5)),
        ({"law": "softmax", "mask": "causal"}, gf.SoftmaxGaussian(mask="causal")),
    ],
)
def test_couplings_from_a_configuration_are_those_of_the_law(settings: dict[str, Any], law: Any) -> None:
    if settings.get("asymmetry") == "inf":
        settings = {**settings, "asymmetry": np.inf}
    result = gf.run("vector/couplings", n=9, dim=4, seed=5, directory="c", **settings)
    expected = law.sample(n=9, seed=5)
    assert np.array_equal(result["couplings"], expected)
    assert np.array_equal(result["fields"], gf.sphere_fields(9, dim=4, seed=5))
    assert float(result["symmetry"]) == pytest.approx(np.sum(expected * expected.T) / np.sum(expected**2))
    total = float(result["norm_of_symmetric_part"]) ** 2 + float(result["norm_of_antisymmetric_part"]) ** 2
    assert total == pytest.approx(np.sum(expected**2))
    solved = gf.run("vector/solve", couplings="c/result.nc:couplings", fields="c/result.nc:fields", beta=0.8)
    direct = gf.solve(gf.VectorSpin(expected, gf.sphere_fields(9, dim=4, seed=5)), gf.GramClosure(0.8))
    assert np.array_equal(solved["magnetization"], direct["magnetization"])


def test_attention_from_files_of_tokens_is_the_function() -> None:
    rng = np.random.default_rng(1)
    tokens, query, key = rng.normal(size=(6, 5)), rng.normal(size=(5, 3)), rng.normal(size=(5, 3))
    for name, array in (("tokens", tokens), ("query", query), ("key", key)):
        np.save(f"{name}.npy", array)
    files = {"tokens": "tokens.npy", "query": "query.npy", "key": "key.npy"}
    for scaling in ("vanilla", "unit", "qk_norm"):
        result = gf.run("vector/couplings", law="attention", scaling=scaling, mask="causal", seed=1, **files)
        expected = gf.attention_couplings(tokens, query, key=key, scaling=scaling, mask="causal")
        assert np.array_equal(result["couplings"], expected)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"law": "softmax", "n": 5, "coupling_scale": 2.0}, "coupling_scale is 2.0, but must be left out"),
        ({"law": "gaussian"}, "n is None, but must be a number of spins"),
        ({"law": "attention"}, "tokens is None, but must be an array"),
        ({"law": "softmax", "n": 5, "mask": "strictly_causal"}, "row 0 of the mask"),
        ({"law": "gaussian", "n": 5, "dim": 2}, "dim is 2, but must be at least 3 for radius='bal'"),
    ],
)
def test_a_law_that_cannot_be_drawn_gets_one_sentence(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        gf.run("vector/couplings", seed=1, **settings)

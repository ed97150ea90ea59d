"""The comparison of simulation and theories."""

from __future__ import annotations

import numpy as np
import pytest

import glassformer as gf
from glassformer._core._errors import InvalidInputError


@pytest.fixture(scope="module")
def results():
    model = gf.VectorSpin(gf.Asymmetric().sample(n=12, seed=3), gf.sphere_fields(12, dim=20, seed=4))
    sim = gf.simulate(model, gf.ParallelHeatBath(2.0), steps=200, burn_in=30, replicas=8, seed=5)
    return sim, gf.solve(model, gf.NaiveMeanField(2.0)), gf.solve(model, gf.GramClosure(2.0))


def test_deviations_are_differences_in_standard_errors_of_the_reference(results):
    sim, nmf, gram = results
    table = gf.compare(sim, nmf, gram).dataset
    for result, name in ((nmf, "NaiveMeanField"), (gram, "GramClosure")):
        line = table.sel(quantity="mean_of_alignment", solver=name)
        expected = (float(result.mean_of_alignment) - float(sim.mean_of_alignment)) / float(sim.mean_of_alignment_error)
        assert float(line["deviation"]) == pytest.approx(expected, rel=1e-12)


def test_the_gram_closure_is_closer_to_the_simulation_than_naive_mean_field(results):
    table = gf.compare(*results).dataset["value"]
    rms = table.sel(quantity="magnetization_rms_difference")
    assert float(rms.sel(solver="GramClosure")) < 0.3 * float(rms.sel(solver="NaiveMeanField"))


def test_the_printed_table_has_a_row_per_quantity_and_a_column_per_method(results):
    comparison = gf.compare(*results)
    lines = str(comparison).splitlines()
    assert lines[0].split("  ")[0] == "quantity"
    assert "±" in lines[2]
    assert "GramClosure" in lines[0]
    assert len(lines) == 2 + comparison.dataset.sizes["quantity"]
    assert "nan" not in str(comparison)


def test_the_same_method_twice_keeps_two_columns(results):
    names = gf.compare(results[0], results[1], results[1]).dataset["solver"].values
    assert list(names) == ["ParallelHeatBath", "NaiveMeanField", "NaiveMeanField #2"]


def test_what_cannot_be_compared_gets_one_sentence(results):
    with pytest.raises(InvalidInputError, match="results to compare is 1"):
        gf.compare(results[0])
    with pytest.raises(InvalidInputError, match="variable to compare is 'magnetisation'"):
        gf.compare(*results, variables=["magnetisation"])
    sim = results[0]
    model = gf.VectorSpin(gf.Asymmetric().sample(n=12, seed=3), gf.sphere_fields(12, dim=20, seed=4))
    with pytest.raises(InvalidInputError, match=r"beta of GramClosure is 3.0, but must be 2.0"):
        gf.compare(sim, gf.solve(model, gf.GramClosure(3.0)))
    flipped = gf.VectorSpin(-model.couplings, model.fields)
    with pytest.raises(InvalidInputError, match="the model of GramClosure"):
        gf.compare(sim, gf.solve(flipped, gf.GramClosure(2.0)))
    other = gf.solve(gf.VectorSpin(np.zeros((3, 3)), dim=20), gf.GramClosure(1.0))
    with pytest.raises(InvalidInputError, match="length of 'site' is 3"):
        gf.compare(results[0], other)


def test_the_errors_of_both_sides_enter_a_deviation(results):
    sim, _, gram = results
    model = gf.VectorSpin(gf.Asymmetric().sample(n=12, seed=3), gf.sphere_fields(12, dim=20, seed=4))
    short = gf.simulate(model, gf.ParallelHeatBath(2.0), steps=10, burn_in=30, replicas=8, seed=99)
    line = gf.compare(sim, short).dataset.sel(quantity="energy").isel(solver=1)
    noise = np.hypot(float(sim.energy_error), float(short.energy_error))
    assert float(line["deviation"]) == pytest.approx((float(short.energy) - float(sim.energy)) / noise, rel=1e-12)
    backwards = gf.compare(gram, sim).dataset.sel(quantity="energy").isel(solver=1)
    forwards = gf.compare(sim, gram).dataset.sel(quantity="energy").isel(solver=1)
    assert float(backwards["deviation"]) == pytest.approx(-float(forwards["deviation"]), rel=1e-12)


def test_a_warning_stands_below_the_table(results):
    model = gf.VectorSpin(gf.Asymmetric().sample(n=32, seed=3), gf.sphere_fields(32, dim=20, seed=4))
    gram, tap = gf.solve(model, gf.GramClosure(6.0)), gf.solve(model, gf.TAP(6.0))
    assert str(gf.compare(gram, tap)).splitlines()[-1].startswith("TAP: out_of_range.")


def test_one_level_of_a_ladder_is_compared_at_its_own_temperature():
    model = gf.VectorSpin(gf.SherringtonKirkpatrick().sample(n=8, seed=3), gf.sphere_fields(8, dim=20, seed=4))
    sim = gf.simulate(model, gf.ParallelTempering((1.0, 2.0)), steps=100, replicas=4, seed=1)
    assert gf.compare(sim.isel(beta=1), gf.solve(model, gf.SaddlePoint(2.0))).dataset.sizes["solver"] == 2
    with pytest.raises(InvalidInputError, match=r"beta of SaddlePoint is 2.0, but must be 1.0"):
        gf.compare(sim.isel(beta=0), gf.solve(model, gf.SaddlePoint(2.0)))


def test_another_process_gets_a_note_and_no_deviation_but_for_means():
    model = gf.VectorSpin(gf.SherringtonKirkpatrick().sample(n=8, seed=3), 0.3 * np.ones(8), dim=1, radius="unit")
    sim = gf.simulate(model, gf.SequentialHeatBath(0.8), steps=500, burn_in=50, replicas=8, seed=1)
    table = gf.compare(
        sim, gf.solve(model, gf.GramClosure(0.8)), gf.solve(model, gf.Enumeration(0.8, update="sequential"))
    )
    data = table.dataset
    assert np.isnan(data["deviation"].sel(quantity="energy", solver="GramClosure"))
    assert np.isfinite(data["deviation"].sel(quantity="mean_of_alignment", solver="GramClosure"))
    assert abs(float(data["deviation"].sel(quantity="energy", solver="Enumeration"))) < 6
    assert (
        str(table)
        .splitlines()[-1]
        .startswith("GramClosure describes the parallel process, SequentialHeatBath the Boltz")
    )
    assert len(data.attrs["notes"]) == 1


def test_a_theory_without_correlations_is_undefined_there_and_noise_is_not_a_reference():
    model = gf.VectorSpin(gf.SherringtonKirkpatrick().sample(n=8, seed=3), dim=3, radius="sqrt_d")
    sim = gf.simulate(model, gf.ParallelHeatBath(0.8), steps=500, burn_in=50, replicas=8, seed=1)
    data = gf.compare(sim, gf.solve(model, gf.NaiveMeanField(0.8)), gf.solve(model, gf.GramClosure(0.8))).dataset
    assert "magnetization_rms_difference" not in data["quantity"]  # nothing but noise without fields
    row = data["value"].sel(quantity="correlation_rms_difference")
    assert np.isnan(row.sel(solver="NaiveMeanField"))
    assert 0 < float(row.sel(solver="GramClosure")) < 1

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
    assert "± error" in lines[0]
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
    other = gf.solve(gf.VectorSpin(np.zeros((3, 3)), dim=20), gf.GramClosure(1.0))
    with pytest.raises(InvalidInputError, match="length of 'site' is 3"):
        gf.compare(results[0], other)

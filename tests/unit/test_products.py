"""Theories give the same bits for any number of threads: products are cut by their shapes, not by who computes them."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

import glassformer as gf
from glassformer.sweeps import sweep
from glassformer.theory._products import product, symmetric_product


@pytest.mark.parametrize(("rows", "inner", "columns"), [(1, 3, 2), (97, 64, 31), (300, 300, 300), (1030, 40, 7)])
def test_a_product_in_strips_is_the_product(rows: int, inner: int, columns: int) -> None:
    rng = np.random.default_rng(rows)
    left, right = rng.normal(size=(rows, inner)), rng.normal(size=(inner, columns))
    found = product(left, right, out=np.full((rows, columns), np.nan))
    assert np.allclose(found, left @ right, rtol=0, atol=1e-13 * inner)
    square = left @ left.T
    out = np.full((rows, rows), np.nan)
    symmetric_product(left, left, out=out)
    assert np.array_equal(out, out.T)
    assert np.allclose(out, square, rtol=0, atol=1e-12 * np.abs(square).max())


def system(n: int, dim: int, *, symmetric: bool) -> gf.VectorSpin:
    law = gf.SherringtonKirkpatrick() if symmetric else gf.Asymmetric(self_coupling=True)
    return gf.VectorSpin(law.sample(n=n, seed=n), gf.sphere_fields(n, dim=dim, seed=2))


@pytest.mark.parametrize(
    ("method", "n", "dim"),
    [
        (gf.NaiveMeanField(1.2), 97, 64),
        (gf.TAP(1.2), 97, 64),
        (gf.TAP(0.8, variant="bal2023"), 97, 64),
        (gf.GramClosure(1.2), 97, 64),
        (gf.GramClosure(1.2), 400, 33),
        (gf.GaussianClosure(1.2), 130, 3),
        (gf.SaddlePoint(1.2), 97, 64),
        (gf.AdaptiveTAP(1.2), 97, 64),
    ],
    ids=lambda value: type(value).__name__ if hasattr(value, "beta") else str(value),
)
def test_threads_never_change_a_bit_of_a_theory(method, n: int, dim: int, monkeypatch: pytest.MonkeyPatch) -> None:
    model = system(n, dim, symmetric=isinstance(method, gf.SaddlePoint | gf.AdaptiveTAP))
    found = []
    for threads in (1, 2):
        monkeypatch.setenv("OMP_NUM_THREADS", str(threads))
        with threadpool_limits(threads, user_api="blas"):
            found.append(gf.solve(model, method))
    for name in found[0].variables:
        assert np.array_equal(found[0][name], found[1][name]), name


def test_serial_and_spread_sweeps_of_a_theory_give_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    model = system(97, 64, symmetric=True)
    settings = {"couplings": model.couplings, "fields": model.fields, "method": "saddle-point"}
    digests = []
    for jobs in (1, 2):
        sweep("vector/solve", grid={"beta": [0.5, 1.5, 4.0]}, directory=f"jobs-{jobs}", jobs=jobs, **settings)
        results = sorted(Path(f"jobs-{jobs}").rglob("result.nc"))
        assert len(results) == 4
        digests.append([hashlib.sha256(path.read_bytes()).hexdigest() for path in results])
    assert digests[0] == digests[1]

"""Simulation of extended-context models: products, steps and sums against obvious loops; bits; bad input."""

from __future__ import annotations

import math

import naive
import numpy as np
import pytest

import glassformer as gf
from glassformer import _context_record, _context_run
from glassformer._core._errors import InvalidInputError, NotConvergedError
from glassformer._core._random import normals, philox, stream_key
from glassformer.couplings._dense_draw import dense_normals
from glassformer.couplings._operators import TILE, DenseOperator, build_operator, operator_of
from glassformer.dynamics.context import token_stream
from glassformer.dynamics.context._motion import ContextMotion, tile_ranges
from glassformer.dynamics.context._workers import Workers

GAMMA = np.array([[0.6, 0.3, -0.1], [0.3, 0.5, 0.2], [-0.1, 0.2, 0.4]])
RULES = [
    gf.TokenRule("ising", beta=0.8),
    gf.TokenRule("ising", beta=math.inf),
    gf.TokenRule("ising", beta=0.0),
    gf.TokenRule("probit", beta=1.3),
    gf.TokenRule("graded", beta=1.7),
    gf.TokenRule("graded", beta=math.inf),
    gf.TokenRule("gaussian", sigma=0.7),
    gf.TokenRule("spherical", beta=1.4),
    gf.TokenRule("spherical", beta=math.inf),
]
STRUCTURES = [("rademacher", {}), ("sparse", {"degree": 5}), ("fast_transform", {})]


def law(structure="gaussian", covariance=GAMMA, **options):
    return gf.LaggedGaussian(covariance, structure=structure, **options)


def model_of(n=11, seed=4, fields=0.15, **options):
    return gf.ExtendedContext(law(**options).sample(n=n, seed=seed), fields=fields)


def tokens_of(rule, model, *, replicas, steps, seed=9, **options):
    return np.concatenate(
        [piece for _, piece in token_stream(model, rule, seed=seed, sequences=replicas, steps=steps, **options)], axis=1
    )


# --- products ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("structure", "options"), STRUCTURES)
@pytest.mark.parametrize("n", [6, 8, 64, 71, 150])
def test_products_are_those_of_the_matrices(structure, options, n):
    operator = build_operator(law(structure, **options), n, 3)
    matrices = operator.dense()
    rng = np.random.default_rng(0)
    signs = rng.choice([-1, 1], (5, n)).astype(np.int8)
    numbers = rng.standard_normal((TILE + 3, n))
    for tokens in (signs, numbers, numbers[0]):
        assert np.allclose(operator.apply(tokens), np.einsum("aij,...j->a...i", matrices, tokens), atol=1e-12)
    assert np.array_equal(operator.apply(numbers)[:, :2], operator.apply(numbers[:2]))  # whatever the company


def test_signs_are_balanced_and_independent_of_the_diagonal_option():
    with_diagonal = build_operator(law("rademacher"), 130, 3).dense()
    without = build_operator(law("rademacher", self_coupling=False), 130, 3).dense()
    assert np.allclose(np.abs(with_diagonal), 130**-0.5, atol=1e-15)
    total = np.sign(with_diagonal).sum()
    assert abs(total) < 5 * math.sqrt(with_diagonal.size)
    between = (np.sign(with_diagonal[0]) * np.sign(with_diagonal[1])).sum()
    assert abs(between) < 5 * 130
    off = ~np.eye(130, dtype=bool)
    assert np.array_equal(without[:, off], with_diagonal[:, off])
    assert np.array_equal(np.diagonal(without, axis1=1, axis2=2), np.zeros((3, 130)))


@pytest.mark.parametrize("self_coupling", [True, False])
def test_a_sparse_row_has_distinct_sources_and_the_stated_variance(self_coupling):
    operator = build_operator(law("sparse", degree=7, self_coupling=self_coupling), 400, 3)
    assert all(np.unique(row).size == 7 for row in operator.sources.reshape(-1, 7))
    assert abs(operator.weights.var() * 7 - 1) < 5 * math.sqrt(2 / operator.weights.size)
    counts = np.bincount(operator.sources.ravel(), minlength=400)  # every site is heard alike
    assert (counts - 21).var() < 21 * (1 + 6 / math.sqrt(200))
    own = (operator.sources == np.arange(400)[None, :, None]).any()
    assert own == self_coupling


@pytest.mark.parametrize("n", [1, 2, 4, 64, 60, 97])
def test_fast_transforms_are_orthogonal(n):
    for matrix in build_operator(law("fast_transform"), n, 3).dense():
        assert np.allclose(matrix @ matrix.T, np.eye(n), atol=1e-12)  # hence of squared Frobenius norm n


def test_structures_keep_their_promise_of_memory():
    assert build_operator(law("rademacher", [[1.0]]), 6400, 3).nbytes == 6400**2 // 8
    assert build_operator(law("sparse", [[1.0]], degree=5), 640, 3).nbytes == 12 * 5 * 640
    assert build_operator(law("fast_transform", [[1.0]]), 640, 3).nbytes == 7 * 640


def test_dense_products_do_not_depend_on_company_or_column():
    blocks = np.random.default_rng(1).standard_normal((2, 300, 300))
    tokens = np.random.default_rng(2).standard_normal((TILE + 9, 300))
    for precision in ("double", "single"):
        operator = DenseOperator(blocks, precision=precision)
        whole = operator.apply(tokens)
        assert np.allclose(
            whole, np.einsum("aij,bj->abi", blocks, tokens), atol=1e-10 if precision == "double" else 1e-3
        )
        for low, high in ((0, 1), (5, 6), (3, 19), (TILE + 2, TILE + 5)):
            out = np.empty((2, high - low, 300))
            for piece in operator.pieces(tokens[low:high], out, lane=low % TILE):
                piece()
            assert np.array_equal(out, whole[:, low:high])


@pytest.mark.parametrize("n", [1, 3, 200, 301])
def test_dense_draws_are_those_of_the_array_generator(n):
    assert np.array_equal(dense_normals(4, "some/stream", n), normals(4, "some/stream", (n, n)))
    assert dense_normals(4, "some/stream", n, precision="single").dtype == np.float32


# --- one step after another -------------------------------------------------------------------------------------------


def addressed(motion, step, replica):
    """Return the uniforms and normals of one step, from the words of the generator."""
    pairs = np.arange((motion.n + 1) // 2, dtype=np.uint64)
    words = philox((0, step, pairs, replica), stream_key(motion.seed, "dynamics/context"))
    first, second = (((words[k] << np.uint64(21)) ^ (words[k + 1] >> np.uint64(11))) * 2.0**-53 for k in (0, 2))
    radius, angle = np.sqrt(-2 * np.log1p(-first)), 2 * np.pi * second
    # the compiled generator turns by the quarter that the top two bits name, then by an angle from -pi/4 to pi/4
    quarter, inside = np.floor(4 * second), 4 * second - np.floor(4 * second) - 0.5
    angle = 0.5 * np.pi * (quarter + inside)
    gaussians = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=-1).ravel()[: motion.n]
    return np.stack([first, second], axis=-1).ravel()[: motion.n], gaussians


@pytest.mark.parametrize("rule", [r for r in RULES if r.variant != "spherical" or math.isinf(r.beta)], ids=str)
@pytest.mark.parametrize("context", [1, 3, 17])
def test_steps_are_those_of_a_naive_loop(rule, context):
    covariance = naive.random_covariance(context, seed=context)
    means = np.linspace(0.5, -0.3, context) / context
    model = model_of(n=9, covariance=0.4 * covariance, mean=means)
    motion = ContextMotion(model, rule, seed=21)
    start = motion.history("independent", 0, 2)
    path = [list(start[b, ::-1].astype(float)) for b in range(2)]
    with Workers(1) as workers:
        tile = motion.open(start, 0, workers)
        for step in range(1, 28):
            tile.advance()
            for b in range(2):
                uniforms, gaussians = addressed(motion, step, b)
                h = naive.context_field(model.couplings.matrices, model.fields, path[b])
                expected = naive.context_token(rule, h, uniforms, gaussians)
                assert np.allclose(tile.tokens[b], expected, rtol=1e-9, atol=1e-9), step
                path[b].append(tile.tokens[b].astype(float))


@pytest.mark.parametrize("rule", RULES, ids=str)
@pytest.mark.parametrize(("context", "replicas"), [(1, 2), (3, 1), (3, 70), (18, 2)])
def test_sums_are_those_of_the_tokens(rule, context, replicas):
    covariance = 0.5 * naive.random_covariance(context, seed=5)
    model = model_of(n=7, covariance=covariance, mean=np.full(context, 0.2 / context), self_coupling=False)
    steps = 45 if replicas < 70 else 9
    found = gf.simulate(
        model, rule, steps=steps, replicas=replicas, burn_in=2, seed=6, lags=4, start="repeated",
        measure=gf.ContextMeasure(tokens=True, two_time=True),
    )  # fmt: skip
    tokens = found.tokens.values.astype(float)
    start = ContextMotion(model, rule, seed=6).history("repeated", 0, replicas)[:, ::-1].astype(float)
    before = tokens_of(rule, model, replicas=replicas, steps=2, seed=6, start="repeated").astype(float)
    expected = naive.context_averages(model, rule, np.concatenate([start, before], axis=1), tokens, lags=4)
    if context >= 16:
        expected.pop("entropy_production", None)  # scored on fewer steps, see below
    for name, value in expected.items():
        assert np.allclose(found[name], value, rtol=1e-9, atol=1e-9), name
    whole = np.concatenate([start, before, tokens], axis=1)[:, -steps - context :]
    assert np.allclose(found.two_time_correlation, np.einsum("bti,bui->tu", whole, whole) / (7 * replicas))
    assert np.allclose(found.magnetization_trajectory, whole.mean(axis=(0, 2)))
    assert np.allclose(found.magnetization, tokens.mean(axis=(0, 1)))
    assert found.time.values.tolist() == list(range(3 - context, steps + 3))
    if replicas == 70:
        per_replica = (tokens**2).sum(axis=(1, 2)) / (7 * steps)
        assert found.autocorrelation_error[0] == pytest.approx(per_replica.std(ddof=1) / math.sqrt(70), abs=1e-12)
        site = tokens.mean(axis=1)
        assert np.allclose(found.magnetization_error, site.std(axis=0, ddof=1) / math.sqrt(70), atol=1e-9)


@pytest.mark.parametrize("context", [3, 20])
def test_reversed_losses_of_long_contexts_are_scored_step_by_step(context):
    model = model_of(n=6, covariance=naive.random_covariance(context, seed=2), fields=0.0)
    rule = gf.TokenRule("ising", beta=0.6)
    found = gf.simulate(model, rule, steps=60, seed=6, replicas=2, measure=gf.ContextMeasure(tokens=True))
    tokens = found.tokens.values.astype(float)
    start = ContextMotion(model, rule, seed=6).history("independent", 0, 2)[:, ::-1].astype(float)
    delay = context + (1 if context < 16 else 8)
    assert ContextMotion(model, rule, seed=6).delay == delay
    expected = naive.context_averages(model, rule, start, tokens, lags=1, delay=delay)
    assert float(found.entropy_production) == pytest.approx(expected["entropy_production"], rel=1e-10)
    assert float(found.entropy_production_per_spin) == pytest.approx(expected["entropy_production"] / 6, rel=1e-10)


@pytest.mark.parametrize(("structure", "options"), STRUCTURES)
def test_light_structures_move_like_their_matrices(structure, options):
    light = model_of(n=40, structure=structure, **options)
    dense = gf.ExtendedContext(light.couplings.matrices, fields=light.fields)
    rule = gf.TokenRule("ising", beta=1.2)
    assert np.array_equal(tokens_of(rule, light, replicas=3, steps=20), tokens_of(rule, dense, replicas=3, steps=20))
    real = gf.TokenRule("gaussian", sigma=0.5)
    assert np.allclose(
        tokens_of(real, light, replicas=3, steps=20), tokens_of(real, dense, replicas=3, steps=20), rtol=1e-9, atol=1e-7
    )


def test_ties_are_broken_at_random_and_count_one_bit():
    model = gf.ExtendedContext(np.zeros((2, 500, 500)))
    found = gf.simulate(model, gf.TokenRule(beta=math.inf), steps=50, seed=1)
    assert abs(float(found.autocorrelation[1])) < 5 / math.sqrt(500 * 49)
    assert float(found.loss) == pytest.approx(math.log(2), rel=1e-12)
    # discrete couplings whose products cancel up to rounding: agreements 2 and -1 and -1 over a third each
    matrix = np.ones((1, 3, 3)) / 3.0
    matrix[:, :, 0] = -2 / 3.0
    start = np.ones((1, 3))
    found = gf.simulate(
        gf.ExtendedContext(matrix), gf.TokenRule(beta=math.inf), steps=1, replicas=400, seed=1, start=start,
        measure=gf.ContextMeasure(tokens=True),
    )  # fmt: skip
    assert abs(found.tokens.values.mean()) < 5 / math.sqrt(1200)


def test_couplings_without_variance_and_graded_silence():
    model = gf.ExtendedContext(gf.LaggedGaussian(np.zeros((2, 2))).sample(n=30, seed=1))
    found = gf.simulate(model, gf.TokenRule(beta=5.0), steps=40, replicas=2, seed=1)
    assert float(found.loss) == pytest.approx(math.log(2), rel=1e-12)
    assert float(found.entropy_production) == pytest.approx(0.0, abs=1e-12)
    quiet = gf.simulate(model, gf.TokenRule("graded"), steps=40, replicas=2, seed=1, start=np.zeros((2, 30)))
    assert not quiet.autocorrelation.values.any()
    assert "loss" not in quiet


# --- bits -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", [RULES[0], RULES[6], RULES[7]], ids=str)
@pytest.mark.parametrize(("structure", "options"), [("gaussian", {}), *STRUCTURES])
def test_a_sequence_does_not_depend_on_company_chunks_or_threads(rule, structure, options):
    model = model_of(n=530, structure=structure, **options)
    whole = tokens_of(rule, model, replicas=TILE + 6, steps=6, threads=2, chunk=4)
    for numbers, chunk in ((range(1, 3), 1), (range(TILE - 1, TILE + 2), 6)):
        pieces = token_stream(model, rule, seed=9, sequences=numbers, steps=6, threads=1, chunk=chunk)
        alone = np.concatenate([piece for _, piece in pieces], axis=1)
        assert np.array_equal(alone, whole[numbers.start : numbers.stop])
    assert np.array_equal(tokens_of(rule, model, replicas=2, steps=4, burn_in=2), whole[:2, 2:])


@pytest.mark.parametrize("context", [1, 3, 4, 8, 17])
def test_means_of_couplings_do_not_depend_on_company(context):
    # a matrix product sums over lags in an order that depends on how many replicas stand side by side
    factors = np.sin(np.arange(1.0, context + 1.0)) / (2.0 * math.sqrt(context))
    law = gf.LaggedGaussian.from_factors(factors, mean=np.cos(np.arange(context)) / (2.0 * context))
    model = gf.ExtendedContext(law.sample(n=40, seed=2))
    rule = gf.TokenRule("gaussian")
    whole = np.concatenate([t for _, t in token_stream(model, rule, seed=9, sequences=TILE + 2, steps=30)], axis=1)
    for numbers in (range(1), range(3, 5), range(TILE - 1, TILE + 2)):
        alone = np.concatenate([t for _, t in token_stream(model, rule, seed=9, sequences=numbers, steps=30)], axis=1)
        assert np.array_equal(alone, whole[numbers.start : numbers.stop])


@pytest.mark.parametrize("rule", [RULES[0], RULES[6], RULES[7]], ids=str)
def test_results_do_not_depend_on_threads(rule):
    model = model_of(n=700)
    one, two = (
        gf.simulate(model, rule, steps=12, replicas=TILE + 1, seed=3, threads=threads, lags=3) for threads in (1, 2)
    )
    for name in one:
        assert np.array_equal(one[name], two[name]), name


class Stop(Exception):
    pass


@pytest.mark.parametrize("rule", RULES, ids=str)
@pytest.mark.parametrize(("context", "replicas"), [(3, 1), (3, TILE + 2), (17, 2)])
def test_an_interrupted_run_continues_to_the_same_bits(rule, context, replicas, tmp_path, monkeypatch):
    monkeypatch.setattr(_context_run, "_CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr(_context_run, "_PROGRESS_SECONDS", 0.0)
    monkeypatch.setattr(_context_run, "FLUSH", 4)
    monkeypatch.setattr(_context_record, "FLUSH", 4)
    model = model_of(
        n=9, covariance=0.5 * naive.random_covariance(context, seed=1), mean=np.full(context, 0.1 / context)
    )

    def run(stop_after, checkpoint):
        calls = 0

        def progress(done, total):
            nonlocal calls
            calls += 1
            if calls == stop_after:
                raise Stop

        return gf.simulate(
            model,
            rule,
            steps=50,
            burn_in=7,
            replicas=replicas,
            seed=5,
            lags=20,
            progress=progress,
            checkpoint=checkpoint,
        )

    whole = run(0, None)
    for stop_after in (3, 18, 21):
        with pytest.raises(Stop):
            run(stop_after, tmp_path)
    resumed = run(0, tmp_path)
    for name in whole:
        assert np.array_equal(whole[name], resumed[name]), name
    with pytest.raises(InvalidInputError, match="checkpoint"):
        gf.simulate(model, rule, steps=51, burn_in=7, replicas=replicas, seed=5, checkpoint=tmp_path)


def test_kept_tokens_survive_an_interruption(tmp_path, monkeypatch):
    monkeypatch.setattr(_context_run, "_CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr(_context_run, "_PROGRESS_SECONDS", 0.0)
    model, rule, keep = model_of(n=5), gf.TokenRule(), gf.ContextMeasure(two_time=True, tokens=True)
    calls = []

    def progress(done, total):
        calls.append(done)
        if done > total * 0.7:
            raise Stop

    options = {"steps": 60, "replicas": TILE + 3, "seed": 5, "measure": keep}
    with pytest.raises(Stop):
        gf.simulate(model, rule, **options, progress=progress, checkpoint=tmp_path)
    resumed, whole = gf.simulate(model, rule, **options, checkpoint=tmp_path), gf.simulate(model, rule, **options)
    for name in whole:
        assert np.array_equal(whole[name], resumed[name]), name
    assert whole.tokens.dtype == np.int8


@pytest.mark.parametrize("rule", [RULES[0], RULES[6]], ids=str)
def test_narrow_tiles_for_want_of_memory_change_no_bit(rule, monkeypatch):
    model = model_of(n=150)
    whole = tokens_of(rule, model, replicas=TILE + 3, steps=5)
    wide = gf.simulate(model, rule, steps=5, replicas=TILE + 3, seed=9)
    monkeypatch.setattr("glassformer.dynamics.context._motion._LARGEST_TILE", 150 * 8 * 100)
    assert ContextMotion(model, rule, seed=1).tile_width() < 16
    assert np.array_equal(tokens_of(rule, model, replicas=TILE + 3, steps=5), whole)
    assert np.allclose(gf.simulate(model, rule, steps=5, replicas=TILE + 3, seed=9).loss, wide.loss, rtol=1e-12)
    monkeypatch.setattr("glassformer._core._memory.machine_memory", lambda: 1000.0)
    with pytest.raises(InvalidInputError, match="memory of one sequence"):
        gf.simulate(model, rule, steps=5, seed=9)


def test_a_single_short_sequence_warns_and_several_draws_of_one_do_not():
    law_of_long_memory = gf.LaggedGaussian.from_factors([0.48, 0.48])
    rule = gf.TokenRule("gaussian")
    short = gf.simulate(
        gf.ExtendedContext(law_of_long_memory.sample(n=60, seed=1)), rule, steps=200, burn_in=300, seed=1
    )
    assert short.attrs["status"] == "too_short"
    assert "errors from blocks of time are too small" in short.attrs["note"]
    for options, status in (({"steps": 5000}, "ok"), ({"steps": 200, "replicas": 4}, "ok")):
        model = gf.ExtendedContext(law_of_long_memory.sample(n=60, seed=1))
        assert gf.simulate(model, rule, burn_in=300, seed=1, **options).attrs["status"] == status
    several = gf.simulate(gf.LaggedGaussian([[0.5]]), gf.TokenRule(), n=30, draws=3, steps=20, burn_in=20, seed=1)
    assert several.attrs["status"] == "ok"


def test_random_numbers_are_common_to_all_temperatures():
    model = gf.ExtendedContext(np.zeros((1, 400, 400)), fields=np.linspace(-1, 1, 400))
    cold, warm = (tokens_of(gf.TokenRule(beta=beta), model, replicas=1, steps=1)[0, 0] for beta in (2.0, 1.5))
    up = np.linspace(-1, 1, 400) > 0
    assert (cold[up] >= warm[up]).all()
    assert (cold[~up] <= warm[~up]).all()


def test_single_precision_is_said_and_close():
    model = model_of(n=300)
    rule = gf.TokenRule("gaussian", sigma=0.2)
    double, single = (
        gf.simulate(model, rule, steps=3, replicas=2, seed=1, precision=precision) for precision in ("double", "single")
    )
    assert (double.attrs["precision"], single.attrs["precision"]) == ("double", "single")
    gap = abs(float(double.q0) - float(single.q0))
    assert 0.0 < gap < 1e-5 * float(double.q0)
    sample = law().sample(n=300, seed=4, precision="single")
    assert sample.blocks.matrices.dtype == np.float32
    assert np.allclose(sample.matrices, model.couplings.matrices, atol=1e-7)
    drawn = gf.simulate(gf.ExtendedContext(sample, fields=0.15), rule, steps=3, replicas=2, seed=1)
    assert drawn.attrs["precision"] == "single"
    assert abs(float(drawn.q0 - double.q0)) < 1e-5 * float(double.q0)
    several = gf.simulate(law(), rule, n=20, draws=2, steps=3, seed=1, precision="single")
    assert several.attrs["precision"] == "single"
    with pytest.raises(InvalidInputError, match="precision"):
        law("sparse", degree=3).sample(n=8, seed=1, precision="single")
    with pytest.raises(InvalidInputError, match="precision"):
        operator_of(model_of(n=8, structure="rademacher").couplings, precision="single")


# --- results and refusals ---------------------------------------------------------------------------------------------


def test_growth_is_reported_and_overflow_raises():
    model = gf.ExtendedContext(1.2 * np.eye(20)[None])
    rule = gf.TokenRule("gaussian")
    assert gf.simulate(model, rule, steps=40, seed=1).attrs["status"] == "not_equilibrated"
    with pytest.raises(NotConvergedError) as caught:
        gf.simulate(model, rule, steps=4000, seed=1)
    assert gf.simulate(model, rule, steps=1, burn_in=4000, seed=1, throw=False).attrs["status"] == "nonfinite"
    assert caught.value.result.attrs["status"] == "nonfinite"
    assert 800 < int(caught.value.result.last_finite_step) < 900
    assert "unstable" in caught.value.result.attrs["note"]


def test_an_ensemble_is_averaged_over_its_draws(tmp_path):
    ensemble = gf.ContextEnsemble(law(), field=0.1)
    rule = gf.TokenRule(beta=0.7)
    found = gf.simulate(ensemble, rule, n=30, draws=3, steps=40, replicas=2, burn_in=30, seed=2, checkpoint=tmp_path)
    again = gf.simulate(ensemble, rule, n=30, draws=3, steps=40, replicas=2, burn_in=30, seed=2, threads=2)
    singles = gf.simulate(ensemble, rule, n=30, draws=1, steps=40, replicas=2, burn_in=30, seed=2)
    assert found.attrs["averages_over"] == "3 draws of the couplings"
    for name in found:
        assert np.array_equal(found[name], again[name]), name
    assert not np.array_equal(found.autocorrelation, singles.autocorrelation)
    tolerance = 4 * np.sqrt(found.autocorrelation_error.values**2 + (2 / 30) ** 2)
    assert np.allclose(found.autocorrelation_tolerance, tolerance)
    assert found.autocorrelation.attrs["finite_size_error"] == pytest.approx(2 / 30)
    assert "autocorrelation_error" not in singles
    law_only = gf.simulate(law(), rule, n=30, draws=2, steps=5, seed=2)
    assert law_only.attrs["draws"] == 2


def test_bad_input_is_one_sentence():
    model, rule = model_of(), gf.TokenRule()
    spins = gf.VectorSpin([[0.0]], [[1.0, 0.0, 0.0]], radius="unit")
    bath = gf.ParallelHeatBath(1.0)
    cases = [
        ({"model": spins}, "the model"),
        ({"dynamics": bath}, "the dynamics"),
        ({"steps": 0}, "steps"),
        ({"replicas": 0}, "replicas"),
        ({"lags": 5}, "lags"),
        ({"lags": -1}, "lags"),
        ({"start": "frozen"}, "start"),
        ({"start": np.ones((2, 11))}, "the shape of start"),
        ({"start": np.ones((4, 3, 11))}, "the number of initial histories"),
        ({"start": np.full((3, 11), 0.5)}, "an entry of start"),
        ({"start": np.full((3, 11), 2.0), "dynamics": gf.TokenRule("graded")}, "an entry of start"),
        ({"start": np.full((3, 11), 2.0), "dynamics": gf.TokenRule("spherical")}, "the length of a token"),
        ({"measure": gf.Measure()}, "measure"),
        ({"n": 5}, "n is 5"),
        ({"draws": 5}, "draws is 5"),
        ({"precision": "half"}, "precision"),
        ({"model": law()}, "n is None"),
        ({"model": law(), "n": 5, "draws": 0}, "draws is 0"),
        ({"model": law(), "n": 5, "measure": gf.ContextMeasure(tokens=True)}, "tokens is True"),
        ({"steps": 5000, "measure": gf.ContextMeasure(two_time=True)}, "the number of times"),
        ({"model": spins, "dynamics": bath, "lags": 3}, "lags is 3"),
        ({"model": spins, "dynamics": bath, "start": "repeated"}, "start is"),
    ]
    for changes, message in cases:
        arguments = {"model": model, "dynamics": rule, "steps": 5, **changes}
        with pytest.raises(InvalidInputError, match=message):
            gf.simulate(**arguments)
    for sequences in (range(0), range(0, 4, 2), 0, range(3, 2**33)):
        with pytest.raises(InvalidInputError, match="sequences"):
            token_stream(model, rule, seed=1, sequences=sequences, steps=3)
    with pytest.raises(InvalidInputError, match="seed is None"):
        gf.simulate(law(), rule, n=5, draws=2, steps=5, checkpoint="unused")
    with pytest.raises(InvalidInputError, match="True or False"):
        gf.ContextMeasure(tokens=1)


def test_tiles_are_cut_at_fixed_places():
    assert tile_ranges(range(3, 5)) == [(3, 2)]
    assert tile_ranges(range(0, TILE)) == [(0, TILE)]
    assert tile_ranges(range(3, 9), 4) == [(3, 1), (4, 4), (8, 1)]
    assert tile_ranges(range(TILE - 1, 2 * TILE + 1)) == [(TILE - 1, 1), (TILE, TILE), (2 * TILE, 1)]

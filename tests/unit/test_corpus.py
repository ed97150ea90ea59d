"""Corpora: what is on disk, read without the library, is what the record says and what the teacher drew."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import glassformer as gf
from glassformer._core._errors import InvalidInputError, StoreDamagedError, StoreError
from glassformer.couplings._operators import TILE
from glassformer.data import _generate, write_corpus
from glassformer.data._plan import block_ranges, split_ranges
from glassformer.dynamics.context import token_stream

GAMMA = np.array([[0.6, 0.3, -0.1], [0.3, 0.5, 0.2], [-0.1, 0.2, 0.4]])


def sample(n: int = 12, scale: float = 1.0, **options: Any) -> gf.ExtendedContext:
    field = options.pop("field", 0.0)
    return gf.ExtendedContext(gf.LaggedGaussian(scale * GAMMA, **options).sample(n=n, seed=1), fields=field)


def rule_of(variant: str) -> gf.TokenRule:
    return gf.TokenRule(variant, sigma=0.8) if variant == "gaussian" else gf.TokenRule(variant, beta=1.4)


def written(folder: Path, variant: str = "ising", model: Any = None, **settings: Any) -> gf.Corpus:
    model = sample(scale=0.2 if variant == "gaussian" else 1.0) if model is None else model
    settings = {"sequences": 6, "length": 40, "seed": 2, **settings}
    return gf.open_corpus(write_corpus(folder / "corpus", model, rule_of(variant), **settings))


def sphere_area_by_recursion(dim: int) -> float:
    """Return the logarithm of the area of the unit sphere, from 2 and 2 pi upwards."""
    area = {1: math.log(2.0), 2: math.log(2.0 * math.pi)}
    for d in range(3, dim + 1):
        area[d] = area[d - 2] + math.log(2.0 * math.pi / (d - 2))
    return area[dim]


def log_probability(token: np.ndarray, history: np.ndarray, couplings: np.ndarray, rule: gf.TokenRule) -> float:
    """Return log P of one token after K others, most recent first, by the definition of the rule."""
    n = token.size
    field = sum(couplings[k] @ history[k].astype(float) for k in range(len(couplings)))
    if rule.variant == "ising":
        return float(np.sum(rule.beta * token * field - np.log(2 * np.cosh(rule.beta * field))))
    if rule.variant == "probit":
        return sum(math.log(0.5 * math.erfc(-rule.beta * s * h / math.sqrt(2))) for s, h in zip(token, field))
    if rule.variant == "gaussian":
        return float(np.sum(-0.5 * ((token - field) / rule.sigma) ** 2 - 0.5 * math.log(2 * math.pi * rule.sigma**2)))
    # on the sphere of radius sqrt(n): integrate the density over the angle to the field
    kappa = rule.beta * math.sqrt(n) * float(np.linalg.norm(field))
    angle = np.linspace(0.0, math.pi, 200_001)
    weight = np.exp(kappa * (np.cos(angle) - 1.0)) * np.sin(angle) ** (n - 2)
    norm = math.log(float(np.trapezoid(weight, angle))) + kappa + sphere_area_by_recursion(n - 1)
    return rule.beta * float(token @ field) - norm - 0.5 * (n - 1) * math.log(n)


# ---------------------------------------------------------------- the files, read without the library


def test_the_files_are_read_without_the_library(tmp_path: Path) -> None:
    corpus = written(tmp_path)
    folder = tmp_path / "corpus"
    record = json.loads((folder / "corpus.json").read_text())
    tokens = np.load(folder / "tokens.npy", mmap_mode="r")
    assert tokens.dtype == np.int8
    assert tokens.shape == (6, 40, 12) == (record["sequences"], record["length"], record["n"])
    assert set(np.unique(tokens)) == {-1, 1}
    assert set(record["files"]) == {"tokens.npy", "token_ids.npy", "couplings.npz", "theory.json"}
    for name, file in record["files"].items():
        data = (folder / name).read_bytes()
        assert (hashlib.sha256(data).hexdigest(), len(data)) == (file["sha256"], file["bytes"])
    arrays = np.load(folder / "couplings.npz")
    couplings = np.einsum("ka,aij->kij", arrays["factors"], arrays["blocks"]) + arrays["mean"][:, None, None] / 12
    assert np.allclose(couplings, sample().couplings.matrices, atol=1e-14)
    assert np.allclose(np.array(record["gamma"]), GAMMA)
    assert np.allclose(record["diagonal_sums"], [1.5, 0.5, -0.1])
    for key in ("variant", "beta", "seed", "burn_in", "start", "backend", "library_version", "c_theory", "splits"):
        assert record[key] is not None, key
    ids = np.load(folder / "token_ids.npy")
    assert np.array_equal(ids, ((tokens == 1) * 2 ** np.arange(12)).sum(axis=-1))
    theory = json.loads((folder / "theory.json").read_text())
    assert theory["infinite"]["autocorrelation"][1] == record["c_theory"][1]
    assert corpus.theory == theory
    assert f"loss floor                 {record['loss_floor']:.6f} ± {record['loss_floor_error']:.1g} nats" in str(
        corpus
    )
    assert "entropy production" in str(corpus)
    assert str(corpus).startswith(repr(corpus))
    assert len(corpus) == 6


@pytest.mark.parametrize("variant", ["ising", "probit", "gaussian", "spherical", "graded"])
def test_tokens_are_those_of_the_stream_with_the_same_seed(tmp_path: Path, variant: str) -> None:
    corpus = written(tmp_path, variant, sequences=35, length=9, burn_in=31)
    pieces = token_stream(corpus.model, corpus.rule, seed=2, sequences=35, steps=9, burn_in=31)
    drawn = np.concatenate([tokens for _, tokens in pieces], axis=1)
    assert np.array_equal(corpus.tokens, drawn)
    assert corpus.tokens.dtype == drawn.dtype


@pytest.mark.parametrize("variant", ["ising", "probit", "gaussian", "spherical"])
@pytest.mark.parametrize("shape", [(5, 17), (1, 60), (3, 4)])
def test_loss_entropy_production_and_correlations_are_those_of_the_tokens_on_disk(
    tmp_path: Path, variant: str, shape: tuple[int, int]
) -> None:
    sequences, length = shape
    corpus = written(tmp_path, variant, sequences=sequences, length=length, lags=5)
    record, rule, couplings = corpus.record, corpus.rule, corpus.couplings.matrices
    tokens = np.asarray(corpus.tokens, dtype=float)
    loss, production = [], []
    for sequence in tokens:
        for t in range(3, length):
            forward = log_probability(sequence[t], sequence[t - 3 : t][::-1], couplings, rule)
            backward = log_probability(sequence[t - 3], sequence[t - 2 : t + 1], couplings, rule)
            loss.append(-forward / 12)
            production.append((forward - backward) / 12)
    assert record["entropy_rate_exact"] == pytest.approx(np.mean(loss), rel=1e-6)
    assert record["entropy_production_per_spin"] == pytest.approx(np.mean(production), rel=1e-6, abs=1e-9)
    assert record["entropy_production"] == pytest.approx(12 * record["entropy_production_per_spin"])
    for lag, value in enumerate(record["c_empirical"]):
        assert value == pytest.approx(np.mean(tokens[:, lag:] * tokens[:, : length - lag]), rel=1e-12), lag
    assert len(record["c_empirical"]) == min(5, length - 1) + 1


def test_error_bars_cover_the_exact_values_of_a_small_sample(tmp_path: Path) -> None:
    model = sample(n=3)
    corpus = written(tmp_path, model=model, sequences=64, length=400, lags=6)
    exact = gf.solve(model, gf.ExactContext(corpus.rule, lags=6))
    record = corpus.record
    deviations = (np.array(record["c_empirical"]) - exact["autocorrelation"].values)[1:] / record["c_empirical_error"][
        1:
    ]
    assert np.abs(deviations).max() < 5.0
    assert record["loss_floor"] == float(exact["entropy_rate"])  # exact for this very sample
    assert abs(record["entropy_rate_exact"] - record["loss_floor"]) < 5 * record["entropy_rate_exact_error"]
    production = float(exact["entropy_production"])
    assert abs(record["entropy_production"] - production) < 5 * record["entropy_production_error"]
    assert np.allclose(corpus.theory["exact"]["autocorrelation"], exact["autocorrelation"])


def test_a_large_corpus_agrees_with_infinite_size(tmp_path: Path) -> None:
    corpus = written(tmp_path, model=sample(n=400), sequences=32, length=100, lags=4)
    gap = np.array(corpus.record["c_empirical"]) - np.array(corpus.record["c_theory"])
    assert np.abs(gap).max() < 4 * math.hypot(0.002, 5.0 / 400)
    assert corpus.record["entropy_rate_exact"] == pytest.approx(corpus.record["loss_floor"], abs=0.01)
    assert "token_ids.npy" not in corpus.record["files"]


# ---------------------------------------------------------------- modes, splits, streams


def test_windows_are_independent_pairs_of_a_history_and_a_token(tmp_path: Path) -> None:
    corpus = written(tmp_path, mode="windows", sequences=50, length=None)
    assert corpus.tokens.shape == (50, 4, 12)
    pairs = list(corpus.windows("train", batch_size=16))
    assert [history.shape for history, _ in pairs] == [(16, 3, 12), (16, 3, 12), (8, 3, 12)]
    history, following = pairs[1]
    assert np.array_equal(history, corpus.tokens[16:32, 2::-1])
    assert np.array_equal(following, corpus.tokens[16:32, 3])


def test_windows_of_long_sequences_are_those_of_inference(tmp_path: Path) -> None:
    corpus = written(tmp_path)
    for context in (1, 3, 5):
        pairs = list(corpus.windows("train", context=context, batch_size=7))
        wanted = gf.windows(corpus.split("train"), context)
        assert np.array_equal(np.concatenate([history for history, _ in pairs]), wanted.history)
        assert np.array_equal(np.concatenate([following for _, following in pairs]), wanted.next)
    with pytest.raises(InvalidInputError, match="context is 40, but must be below the length"):
        corpus.windows(context=40)


def test_batches_are_a_shuffled_pass_that_is_a_function_of_seed_and_epoch(tmp_path: Path) -> None:
    corpus = written(tmp_path, sequences=10, length=23)
    first, again, other, epoch = (
        np.concatenate(list(corpus.batches(batch_size=4, length=5, seed=seed, epoch=epoch)))
        for seed, epoch in ((1, 0), (1, 0), (2, 0), (1, 1))
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert not np.array_equal(first, epoch)
    train = corpus.split("train")
    pieces = {train[b, 5 * k : 5 * k + 5].tobytes() for b in range(8) for k in range(4)}
    assert {piece.tobytes() for piece in first} == pieces  # every piece once: 8 sequences, 4 pieces each
    assert len(first) == 32
    assert {piece.tobytes() for piece in epoch} == pieces
    with pytest.raises(InvalidInputError, match="batch_size is 33"):
        corpus.batches(batch_size=33, length=5)


def test_splits_are_whole_sequences(tmp_path: Path) -> None:
    corpus = written(tmp_path, sequences=10, splits=[0.5, 0.2, 0.3])
    assert {name: list(numbers) for name, numbers in corpus.splits.items()} == {
        "train": [0, 1, 2, 3, 4], "validation": [5, 6], "test": [7, 8, 9],
    }  # fmt: skip
    assert np.array_equal(corpus.split("test"), corpus.tokens[7:])
    alone = written(tmp_path / "b", sequences=1)
    assert len(alone.splits["train"]) == 1
    with pytest.raises(InvalidInputError, match="split is 'test', but must be one that has sequences: train"):
        alone.windows("test")


@pytest.mark.parametrize("sequences", [3, 4, 7, 100, 4097])
@pytest.mark.parametrize(
    "shares", [None, (0.8, 0.1, 0.1), (1.0, 0.0, 0.0), (0.0, 0.5, 0.5), (0.5, 0.5, 0.0), (0.98, 0.01, 0.01)]
)
def test_splits_cover_every_sequence_once(sequences: int, shares: Any) -> None:
    ranges = split_ranges(sequences, shares)
    assert [number for first, stop in ranges.values() for number in range(first, stop)] == list(range(sequences))
    for share, (first, stop) in zip(shares or (0.8, 0.1, 0.1), ranges.values()):
        assert (stop > first) == (share > 0)


@pytest.mark.parametrize("sequences", [1, 31, 32, 33, 2048, 2049, 100_000])
def test_blocks_cover_every_sequence_once_and_are_few(sequences: int) -> None:
    blocks = block_ranges(sequences)
    assert [k for block in blocks for k in block] == list(range(sequences))
    assert len(blocks) <= 16
    assert all(block.start % TILE == 0 for block in blocks)


# ---------------------------------------------------------------- teachers


@pytest.mark.parametrize("variant", ["ising", "probit"])
def test_next_token_probabilities_are_the_exact_law_of_the_vocabulary(tmp_path: Path, variant: str) -> None:
    corpus = written(tmp_path, variant, model=sample(n=3, field=0.2))
    history, following = next(corpus.windows("train", batch_size=20))
    law = corpus.next_token_probabilities(history)
    assert law.shape == (20, 8)
    assert np.allclose(law.sum(axis=1), 1.0)
    fields = corpus.model.local_fields(history)
    for b in range(20):
        for token in range(8):
            signs = np.array([1 if token >> i & 1 else -1 for i in range(3)])
            if variant == "ising":
                p = np.prod(1 / (1 + np.exp(-2 * 1.4 * signs * fields[b])))
            else:
                p = np.prod([0.5 * math.erfc(-1.4 * s * h / math.sqrt(2)) for s, h in zip(signs, fields[b])])
            assert law[b, token] == pytest.approx(p, rel=1e-12)
    ids = np.asarray(corpus.token_ids)[0, 3:23]
    assert np.array_equal(ids, ((following > 0) * [1, 2, 4]).sum(axis=1))


@pytest.mark.parametrize("structure", ["gaussian", "rademacher", "sparse", "fast_transform"])
def test_couplings_come_back_from_their_key(tmp_path: Path, structure: str) -> None:
    options = {"degree": 3} if structure == "sparse" else {}
    model = sample(n=16, structure=structure, mean=[0.1, 0.0, 0.2], field=0.3, **options)
    corpus = written(tmp_path, model=model)
    assert (corpus.record["couplings"]["file"] is None) == (structure != "gaussian")
    assert np.array_equal(corpus.couplings.matrices, model.couplings.matrices)
    assert np.array_equal(corpus.model.fields, model.fields)
    assert corpus.model.digest == model.digest
    assert corpus.record["independent_entries"] == (structure != "fast_transform")


def test_couplings_in_single_precision_come_back_in_it(tmp_path: Path) -> None:
    law = gf.LaggedGaussian(GAMMA)
    model = gf.ExtendedContext(law.sample(n=16, seed=1, precision="single"))
    corpus = written(tmp_path, model=model)
    assert corpus.record["backend"]["precision"] == "single"
    assert corpus.couplings.blocks.matrices.dtype == np.float32
    assert corpus.model.digest == model.digest
    assert np.array_equal(corpus.couplings.matrices, model.couplings.matrices)


def test_couplings_of_ones_own_come_back_from_their_file(tmp_path: Path) -> None:
    matrices = np.cos(np.arange(2 * 5 * 5)).reshape(2, 5, 5)
    model = gf.ExtendedContext(matrices, fields=[0.1, 0.2, 0.0, 0.0, -0.5])
    corpus = written(tmp_path, model=model)
    assert corpus.record["couplings"]["key"] is None
    assert np.array_equal(corpus.couplings.matrices, model.couplings.matrices)
    assert np.array_equal(corpus.model.fields, model.fields)
    assert corpus.record["c_theory"] is None  # no law
    assert corpus.theory["exact"]["method"] == "ExactContext"  # but 10 bits


def test_inference_finds_the_teacher(tmp_path: Path) -> None:
    corpus = written(tmp_path, "gaussian", sequences=10, length=400)
    found = gf.infer(gf.windows(corpus.split("train"), corpus.context), gf.LeastSquares())
    assert np.allclose(found["couplings"], corpus.couplings.matrices, atol=0.12)


# ---------------------------------------------------------------- burn-in and what has no stationary state


def test_burn_in_lasts_until_the_sample_has_forgotten_its_start(tmp_path: Path) -> None:
    assert written(tmp_path / "a").record["burn_in"] == 30
    near = gf.ExtendedContext(gf.LaggedGaussian([[0.3, 0.15], [0.15, 0.25]]).sample(n=60, seed=1))
    slow = written(tmp_path / "b", "gaussian", model=near)
    radius = float(gf.solve(near, gf.ExactContext(rule_of("gaussian")))["spectral_radius"])
    assert radius > 0.9  # the sample remembers longer than the law says
    c_0 = slow.record["c_theory"][0]
    excess = max(1.0, abs(1.0 - c_0) / c_0)
    assert slow.record["burn_in"] == math.ceil(math.log(1000.0 * excess) / (-2.0 * math.log(radius)))
    assert slow.theory["spectral_radius"] == pytest.approx(radius)
    assert slow.record["loss_floor"] == pytest.approx(0.5 * math.log(2.0 * math.pi * math.e * 0.64))


@pytest.mark.parametrize(
    ("variant", "gamma", "strength"),
    [
        ("gaussian", [[0.62, 0.13], [0.13, 0.1]], 0.3),
        ("gaussian", [[0.3, 0.15], [0.15, 0.25]], 0.03),  # starts are a thousand times the stationary variance
        ("spherical", [[0.6, 0.3], [0.3, 0.5]], 3.0),
        ("spherical", [[0.9]], 6.0),
        ("ising", [[0.6, 0.3], [0.3, 0.5]], 1.7),
        ("graded", [[2.0, -0.5], [-0.5, 0.8]], 1.2),
    ],
)
@pytest.mark.parametrize("start", ["independent", "repeated"])
def test_the_default_burn_in_ends_where_the_transient_is_stationary(
    variant: str, gamma: list[list[float]], strength: float, start: str
) -> None:
    from glassformer.data._relaxation import TOLERANCE, decay_steps, relaxation

    rule = gf.TokenRule(variant, **{"sigma" if variant == "gaussian" else "beta": strength})
    ensemble = gf.ContextEnsemble(gf.LaggedGaussian(gamma))
    found = gf.solve(ensemble, gf.StationaryDMFT(rule, lags=8))
    steps, followed = relaxation(ensemble, rule, found, start, n=100)
    assert followed
    pairs = gf.solve(ensemble, gf.TransientDMFT(rule, steps=2 * steps + 20, start=start))["two_time_correlation"].values
    size = len(gamma)
    gap = np.zeros(2 * steps + 20)  # of step 1, 2, ...
    for time in range(gap.size):
        row = size + time
        gap[time] = max(
            abs(pairs[row, row - lag] - float(found["autocorrelation"][lag])) for lag in range(min(size, row) + 1)
        )
    allowed = TOLERANCE * float(found["autocorrelation"][0])
    assert (gap[steps:] <= allowed).all()  # every token that is kept
    assert steps == 0 or gap[steps - 1] > allowed
    if variant == "gaussian":  # the rate is that of the spectral radius
        assert (
            0.5 * steps
            <= decay_steps(float(found["spectral_radius"]), float(found["autocorrelation"][0]))
            <= 2 * steps + 20
        )


def test_a_slow_gaussian_law_is_not_taken_for_stationary_after_its_short_correlation_time() -> None:
    from glassformer.data._measure import corpus_status
    from glassformer.data._write import plan_corpus

    law = gf.LaggedGaussian.from_factors([0.8496454, 0.1425386])  # c_tau = 0.7^tau: 2.8 steps; spectral radius 0.993
    rule, plenty = gf.TokenRule("gaussian", sigma=0.29704426), {"sequences": 4, "length": 30, "seed": 1}
    model = gf.ExtendedContext(law.sample(n=100, seed=3))  # of spectral radius 0.93 itself
    plan, theory = plan_corpus(model, rule, **plenty)
    assert theory["spectral_radius"] < 1.0
    assert plan.burn_in > 250
    assert corpus_status(plan, theory)[0] is gf.Status.OK
    plan, theory = plan_corpus(model, rule, burn_in=57, **plenty)  # twenty correlation times
    assert theory["infinite"]["method"] == "TransientDMFT"
    assert 0.8 < theory["infinite"]["autocorrelation"][0] < 0.92
    assert corpus_status(plan, theory)[0] is gf.Status.NOT_EQUILIBRATED


def test_a_short_burn_in_is_long_enough_where_the_transient_says_so() -> None:
    from glassformer.data._measure import corpus_status
    from glassformer.data._write import plan_corpus

    law = gf.LaggedGaussian(0.05 * np.eye(3))
    plan, theory = plan_corpus(
        gf.ExtendedContext(law.sample(n=50, seed=1)), gf.TokenRule(beta=1.0), burn_in=6, sequences=4, length=9, seed=1
    )
    assert plan.burn_in < theory["recommended_burn_in"]
    assert theory["infinite"]["method"] == "StationaryDMFT"
    assert corpus_status(plan, theory)[0] is gf.Status.OK


@pytest.mark.parametrize("structure", ["gaussian", "fast_transform"])
def test_the_spectral_radius_of_a_large_sample_is_that_of_its_eigenvalues(structure: str) -> None:
    from glassformer.theory.exact._context_gaussian import companion, spectral_radius

    law = gf.LaggedGaussian(
        [[0.3, 0.1, 0.0], [0.1, 0.2, 0.05], [0.0, 0.05, 0.1]], mean=[0.0, 0.4, 0.0], structure=structure
    )
    couplings = law.sample(n=256, seed=4)
    wanted = np.abs(np.linalg.eigvals(companion(couplings.matrices))).max()
    assert spectral_radius(couplings) == pytest.approx(wanted, rel=1e-4)


def test_a_large_sample_whose_tokens_explode_is_refused(tmp_path: Path) -> None:
    law = gf.LaggedGaussian.from_factors([0.8496454, 0.1425386])  # stable at infinite size
    model = gf.ExtendedContext(law.sample(n=600, seed=2))  # but not this draw
    rule = gf.TokenRule("gaussian", sigma=0.3)
    with pytest.raises(
        InvalidInputError, match=r"spectral radius 1\.05.*another seed, more sites or a smaller covariance"
    ):
        write_corpus(tmp_path / "a", model, rule, sequences=3, length=20, seed=1)
    assert not (tmp_path / "a").exists()


def test_tokens_that_grow_are_noticed_where_no_spectral_radius_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from glassformer.data import _theory
    from glassformer.data._generate import write_block
    from glassformer.data._measure import corpus_status
    from glassformer.data._write import plan_corpus

    monkeypatch.setattr(_theory, "spectral_radius", lambda couplings: None)
    law = gf.LaggedGaussian.from_factors([0.8496454, 0.1425386])
    model = gf.ExtendedContext(law.sample(n=600, seed=2))
    plan, theory = plan_corpus(model, gf.TokenRule("gaussian", sigma=0.3), sequences=4, length=20, seed=1, burn_in=500)
    sums = write_block(plan, tmp_path, range(4)).sums
    status, notes = corpus_status(plan, theory, sums)
    assert status is gf.Status.NOT_EQUILIBRATED
    assert "could not be computed: it may be unstable" in " ".join(notes)


def test_signs_that_age_are_noticed_without_theory(tmp_path: Path) -> None:
    from glassformer.data._generate import write_block
    from glassformer.data._measure import corpus_status
    from glassformer.data._write import plan_corpus

    gamma = np.array([[0.5, 0.2], [0.2, 0.3]])
    model = gf.ExtendedContext(gf.LaggedGaussian(gamma, transpose_covariance=gamma).sample(n=100, seed=1))
    settings = {"sequences": 64, "length": 64, "seed": 2}
    plan, _ = plan_corpus(model, gf.TokenRule(beta=2.0), **settings)
    assert plan.burn_in == 1000  # nothing says how long it should be
    plan, theory = plan_corpus(model, gf.TokenRule(beta=2.0), burn_in=2, **settings)
    sums = write_block(plan, tmp_path, range(64)).sums
    status, notes = corpus_status(plan, theory, sums)
    assert status is gf.Status.NOT_EQUILIBRATED
    assert not theory["infinite"]
    assert "No theory says how long this system needs. The autocorrelation at lag" in " ".join(notes)


def test_halves_of_stationary_corpora_agree(tmp_path: Path) -> None:
    from glassformer.data._drift import halves_differ
    from glassformer.data._generate import write_block
    from glassformer.data._write import plan_corpus

    for seed in range(12):
        plan, theory = plan_corpus(sample(n=30), gf.TokenRule(beta=1.0), sequences=5 + 6 * seed, length=40, seed=seed)
        (tmp_path / str(seed)).mkdir()
        sums = write_block(plan, tmp_path / str(seed), range(plan.sequences)).sums
        assert halves_differ(plan, sums, theory) == ""


def test_the_loss_floor_is_exact_or_the_loss_of_the_teacher(tmp_path: Path) -> None:
    record = written(tmp_path / "a", model=sample(n=12), sequences=20).record
    assert record["loss_floor"] == record["entropy_rate_exact"]
    assert record["loss_floor_error"] == record["entropy_rate_exact_error"] > 0.0
    assert record["loss_floor_is"].startswith("measured")
    assert record["loss_floor"] != record["entropy_rate_theory"]
    record = written(tmp_path / "b", model=sample(n=3)).record
    assert record["loss_floor_is"] == "exact for this sample"
    assert record["loss_floor_error"] is None


def test_a_burn_in_too_short_compares_with_the_transient(tmp_path: Path) -> None:
    model = sample(n=600)
    corpus = written(tmp_path, model=model, burn_in=0, start="repeated", sequences=32, length=8, lags=3)
    transient = gf.solve(model.couplings.law, gf.TransientDMFT(corpus.rule, steps=8, start="repeated"))
    pairs = transient["two_time_correlation"].sel(time=slice(1, 8), time_=slice(1, 8)).values
    wanted = [np.mean(np.diagonal(pairs, lag)) for lag in range(4)]
    assert corpus.theory["infinite"]["method"] == "TransientDMFT"
    assert np.allclose(corpus.record["c_theory"], wanted)
    assert np.allclose(corpus.record["c_empirical"], wanted, atol=4 * math.hypot(2.0 / 600, 0.01))


def test_tokens_that_overflow_are_refused_and_leave_nothing(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="tokens overflow at step"):
        written(tmp_path, "gaussian", model=sample(n=20, scale=4.0), burn_in=0, length=2000)
    assert not (tmp_path / "corpus").exists()


def test_a_sample_too_cold_to_forget_its_start_says_so(tmp_path: Path) -> None:
    from glassformer.data._measure import corpus_status
    from glassformer.data._write import plan_corpus

    model = gf.ExtendedContext(np.array([[[0.0, 1.0], [1.0, 0.0]]]), fields=[0.3, 0.0])
    plan, theory = plan_corpus(model, gf.TokenRule(beta=12.0), sequences=3, length=5, seed=1)
    assert theory["slow"]
    assert plan.burn_in == 100_000
    status, notes = corpus_status(plan, theory)
    assert status is gf.Status.NOT_EQUILIBRATED
    assert "so cold" in notes[-1]
    _, warm = plan_corpus(model, gf.TokenRule(beta=0.5), sequences=3, length=5, seed=1)
    assert not warm["slow"]
    _, coldest = plan_corpus(model, gf.TokenRule(beta=1e4), sequences=3, length=5, seed=1)
    assert "not unique to rounding" in coldest["exact_reason"]


@pytest.mark.parametrize("variant", ["spherical", "gaussian"])
def test_without_a_stationary_state_a_burn_in_must_be_named(tmp_path: Path, variant: str) -> None:
    rule = gf.TokenRule("spherical", beta=math.inf) if variant == "spherical" else gf.TokenRule("gaussian")
    with pytest.raises(InvalidInputError, match="burn_in is left out, but must be given for a corpus of a transient"):
        write_corpus(tmp_path / "a", sample(n=20), rule, sequences=3, length=20, seed=1)
    assert not (tmp_path / "a").exists()
    corpus = gf.open_corpus(write_corpus(tmp_path / "a", sample(n=20), rule, sequences=3, length=20, seed=1, burn_in=5))
    assert corpus.theory["ages"]
    assert corpus.record["c_theory"] is not None


# ---------------------------------------------------------------- damage and refusal


@pytest.mark.parametrize("name", ["tokens.npy", "token_ids.npy", "couplings.npz", "theory.json"])
def test_a_damaged_file_is_found(tmp_path: Path, name: str) -> None:
    corpus = written(tmp_path)
    assert corpus.verify() is corpus
    path = tmp_path / "corpus" / name
    data = bytearray(path.read_bytes())
    data[-3] ^= 4
    path.write_bytes(data)
    with pytest.raises(StoreDamagedError, match=name):
        gf.open_corpus(tmp_path / "corpus").verify()
    path.write_bytes(data[:-1])
    with pytest.raises(StoreDamagedError, match=name):
        gf.open_corpus(tmp_path / "corpus")


def test_a_damaged_or_missing_record_is_told(tmp_path: Path) -> None:
    written(tmp_path)
    path = tmp_path / "corpus" / "corpus.json"
    path.write_text(path.read_text().replace('"seed": 2', '"seed": 3'))
    with pytest.raises(StoreDamagedError, match=r"corpus\.json is damaged"):
        gf.open_corpus(tmp_path / "corpus")
    path.unlink()
    with pytest.raises(StoreError, match="no complete corpus"):
        gf.open_corpus(tmp_path / "corpus")
    with pytest.raises(StoreError, match="check the path"):
        gf.open_corpus(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"mode": "trajectory", "sequences": 2}, "sequences is 2, but must be left out for mode=trajectory"),
        ({"mode": "windows", "length": 9}, "length is 9, but must be left out for mode=windows"),
        ({"length": 3}, "length is 3, but must be more than the context length 3"),
        ({"splits": [0.5, 0.6, 0.1]}, "splits is .* three shares"),
        ({"sequences": 2, "splits": [0.8, 0.1, 0.1]}, "sequences is 2, but must be enough for splits"),
        ({"dtype": "float32"}, "dtype is 'float32', but must be default for variant=ising"),
        ({"burn_in": -1}, "burn_in is -1"),
        ({"start": "cold"}, "start is 'cold'"),
        ({"mode": "stream"}, "mode is 'stream'"),
    ],
)
def test_settings_that_cannot_be_used_are_refused_before_anything_is_written(
    tmp_path: Path, settings: dict[str, Any], sentence: str
) -> None:
    settings.setdefault("length", None)
    if "mode" not in settings:
        settings = {"length": 20, **{k: v for k, v in settings.items() if v is not None}}
    with pytest.raises(InvalidInputError, match=sentence):
        written(tmp_path, **{"sequences": None, **settings})
    assert not (tmp_path / "corpus").exists()


def test_a_directory_in_use_is_left_alone(tmp_path: Path) -> None:
    written(tmp_path)
    with pytest.raises(StoreError, match="not an empty directory"):
        written(tmp_path)
    with pytest.raises(InvalidInputError, match="at most 16 sites to have token ids"):
        written(tmp_path / "b", model=sample(n=17)).token_ids  # noqa: B018


# ---------------------------------------------------------------- interruption


@pytest.mark.parametrize("variant", ["ising", "gaussian", "spherical"])
def test_a_block_stopped_anywhere_goes_on_to_the_same_bytes_and_sums(
    tmp_path: Path, variant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from glassformer.data._write import plan_corpus

    monkeypatch.setattr(_generate, "CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr(
        "glassformer.data._plan._PIECE", TILE * 12 * 7 * (1 if variant == "ising" else 8)
    )  # pieces of 7 steps
    plan, _ = plan_corpus(
        sample(scale=0.2 if variant == "gaussian" else 1.0),
        rule_of(variant),
        sequences=TILE + 3,
        length=120,
        seed=4,
        dtype="default",
    )
    (tmp_path / "whole").mkdir()
    whole = [_generate.write_block(plan, tmp_path / "whole", block) for block in plan.blocks]

    class Stop(Exception):
        pass

    folder = tmp_path / "stopped"
    folder.mkdir()
    keep = _generate._Writer._keep
    for index, block in enumerate(plan.blocks):
        for stop in (1, 2):
            calls = []

            def kept(self: Any, *arguments: Any, stop: int = stop, calls: list[int] = calls) -> None:
                keep(self, *arguments)
                calls.append(1)
                if len(calls) > stop:
                    raise Stop

            with monkeypatch.context() as patch:
                patch.setattr(_generate._Writer, "_keep", kept)
                with pytest.raises(Stop):
                    _generate.write_block(plan, folder, block, checkpoint=tmp_path / f"checkpoint-{index}")
        found = _generate.write_block(plan, folder, block, checkpoint=tmp_path / f"checkpoint-{index}")
        assert found.digests == whole[index].digests
        for name, values in found.sums.items():
            assert np.array_equal(values, whole[index].sums[name]), name
    assert (folder / "tokens.npy").read_bytes() == (tmp_path / "whole" / "tokens.npy").read_bytes()


def test_a_draft_that_was_lost_is_drawn_again_in_spite_of_its_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from glassformer.data._write import plan_corpus

    monkeypatch.setattr(_generate, "CHECKPOINT_SECONDS", 0.0)
    plan, _ = plan_corpus(sample(), rule_of("ising"), sequences=4, length=50, seed=4)
    first = _generate.write_block(plan, tmp_path, plan.blocks[0], checkpoint=tmp_path / "checkpoint")
    data = (tmp_path / "tokens.npy").read_bytes()
    (tmp_path / "tokens.npy").unlink()
    again = _generate.write_block(plan, tmp_path, plan.blocks[0], checkpoint=tmp_path / "checkpoint")
    assert (tmp_path / "tokens.npy").read_bytes() == data
    assert again.digests == first.digests


def test_a_draft_is_written_piece_by_piece_by_several_hands(tmp_path: Path) -> None:
    from glassformer.data._files import Draft, matching_array

    path = tmp_path / "a.npy"
    wanted = np.arange(5 * 7 * 3, dtype=np.float32).reshape(5, 7, 3)
    first, second = Draft(path, (5, 7, 3), np.float32), Draft(path, (5, 7, 3), np.float32)
    first.write(slice(0, 2), slice(0, 7), wanted[:2])
    second.write(slice(2, 5), slice(0, 4), wanted[2:, :4])
    first.write(slice(2, 5), slice(4, 7), wanted[2:, 4:])
    for draft in (first, second):
        draft.flush()
        draft.close()
        assert np.array_equal(draft.array, wanted)
    assert np.array_equal(np.load(path), wanted)
    assert matching_array(path, (5, 7, 4), np.float32) is None
    other = Draft(path, (5, 7), np.uint16)  # of another shape: made anew
    assert not other.array.any()
    other.close()
    assert [item.name for item in tmp_path.iterdir()] == ["a.npy"]


@pytest.mark.parametrize("structure", ["gaussian", "rademacher", "fast_transform"])
def test_fields_that_differ_between_sites_come_back_whatever_the_couplings(structure, tmp_path):
    fields = np.arange(7.0) / 7.0
    model = gf.ExtendedContext(gf.LaggedGaussian([[1.0]], structure=structure).sample(n=7, seed=4), fields=fields)
    corpus = gf.open_corpus(
        write_corpus(tmp_path / "c", model, gf.TokenRule(), sequences=4, length=20, seed=1)
    ).verify()
    assert np.array_equal(corpus.model.fields, fields)
    np.testing.assert_allclose(corpus.model.couplings.matrices, model.couplings.matrices, atol=1e-14)


@pytest.mark.parametrize("seed", range(8))
def test_ties_at_zero_temperature_are_fair_coins_for_a_reader_too(seed, tmp_path):
    # fields of two signs cancel up to rounding, which depends on the order of the sum
    law = gf.LaggedGaussian.from_factors([0.3, 0.3], structure="rademacher")
    model, rule = gf.ExtendedContext(law.sample(n=6, seed=seed)), gf.TokenRule(beta=np.inf)
    corpus = gf.open_corpus(write_corpus(tmp_path / "c", model, rule, sequences=10, length=30, seed=1))
    losses = []
    for history, following in corpus.windows("train"):
        law_of_next = corpus.next_token_probabilities(history)
        ids = ((following + 1) // 2) @ (1 << np.arange(6))
        losses.append(-np.log(law_of_next[np.arange(ids.size), ids]))
    assert np.isfinite(np.concatenate(losses)).all()


def test_what_is_no_history_or_no_corpus_is_refused(tmp_path):
    model = gf.ExtendedContext(gf.LaggedGaussian([[1.0]]).sample(n=4, seed=4))
    folder = write_corpus(tmp_path / "c", model, gf.TokenRule(), sequences=4, length=20, seed=1)
    corpus = gf.open_corpus(folder)
    for bad in (np.full((1, 4), np.nan), np.full((1, 4), 7.0)):
        with pytest.raises(gf.InvalidInputError, match="history"):
            corpus.next_token_probabilities(bad)
    with pytest.raises(gf.InvalidInputError, match="directory is 3"):
        gf.open_corpus(3)
    text = (folder / "theory.json").read_text()
    (folder / "theory.json").write_text(text.replace("1", "2", 1))
    with pytest.raises(StoreDamagedError, match="theory"):
        _ = gf.open_corpus(folder).theory
    for size, word in (
        ({"length": 10**14}, "steps"),
        ({"length": 10**9, "sequences": 10**6}, "size of the tokens"),
        ({"sequences": 10**13}, "memory of"),
        ({"burn_in": 10**18}, "steps"),
    ):
        with pytest.raises(gf.InvalidInputError, match=word):
            write_corpus(tmp_path / "d", model, gf.TokenRule(), seed=1, **size)
    assert not (tmp_path / "d").exists()


def test_one_sequence_of_couplings_of_ones_own_that_is_short_beside_its_memory_warns(tmp_path):
    matrices = gf.LaggedGaussian.from_factors([0.48, 0.48]).sample(n=60, seed=1).matrices
    found = gf.run(
        "context/sample",
        couplings=matrices,
        variant="gaussian",
        mode="trajectory",
        length=300,
        seed=1,
        directory=tmp_path / "r",
    )
    assert found.attrs["status"] == "too_short"

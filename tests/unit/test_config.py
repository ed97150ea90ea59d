"""Configurations: what means the same is equal, what is written is read back, what is wrong is said in one sentence."""

from __future__ import annotations

import io
import math
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import toy_runs
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from glassformer._core._errors import InvalidInputError
from glassformer.sweeps._arrays import array_digest, as_array
from glassformer.sweeps._config import build, identity, split_arrays, to_table, to_toml
from glassformer.sweeps._describe import describe_field
from glassformer.sweeps._registry import NAMES, entries, find
from glassformer.sweeps._spec import RunSpec
from glassformer.sweeps._store import Stored, read_config, write_config
from glassformer.sweeps._values import merge, nest, parse_range, parse_settings, parse_value

finite = st.floats(allow_nan=False, allow_infinity=False)
text = st.text(st.characters(exclude_categories=("Cs",)), max_size=8).filter(lambda word: word != "none")
small_arrays = arrays(np.float64, array_shapes(max_dims=3, max_side=4), elements=finite)
laws = st.fixed_dictionaries(
    {},
    optional={
        "kind": st.sampled_from(["flat", "peaked"]),
        "scale": st.floats(1e-300, 1e300),
        "weights": st.none() | small_arrays,
    },
)
rich_settings = st.fixed_dictionaries(
    {},
    optional={
        "flag": st.booleans(),
        "count": st.integers(-(2**70), 2**70),
        "real": finite,
        "extended": st.floats(allow_nan=False),
        "word": text,
        "choice": st.sampled_from(["x", "y"]),
        "maybe": st.none() | finite,
        "nothing": st.none() | st.integers(),
        "numbers": st.lists(finite, max_size=4),
        "holes": st.lists(st.none() | finite, max_size=4),
        "levels": st.lists(st.integers(0, 9), max_size=4),
        "pair": st.tuples(st.integers(), finite),
        "betas": st.lists(finite, min_size=1, max_size=4),
        "table": st.dictionaries(text, finite, max_size=3),
        "law": laws,
        "couplings": st.sampled_from(["flat", "random"]) | small_arrays,
        "vector": st.none() | arrays(np.float64, st.integers(1, 5), elements=finite),
    },
)


def rich(**values: Any) -> toy_runs.RichConfig:
    config = build("toy_runs:RICH", toy_runs.RichConfig, values)
    assert isinstance(config, toy_runs.RichConfig)
    return config


def toy(**values: Any) -> toy_runs.ToyConfig:
    config = build("toy_runs:TOY", toy_runs.ToyConfig, {"seed": 1, **values})
    assert isinstance(config, toy_runs.ToyConfig)
    return config


def sentence(**values: Any) -> str:
    with pytest.raises(InvalidInputError) as caught:
        rich(**values)
    message = str(caught.value)
    assert "\n" not in message
    assert message.endswith((".", "?"))
    assert caught.value.exit_code == 2
    return message


# ---------------------------------------------------------------- round trips


@settings(max_examples=150, deadline=None, derandomize=True)
@given(rich_settings)
def test_toml_gives_back_every_configuration_exactly(values: dict[str, Any]) -> None:
    config = rich(**values)
    table, files = split_arrays(to_table(config))

    def load(value: Any) -> Any:
        if isinstance(value, dict) and set(value) == {"file", "sha256"}:
            return np.load(io.BytesIO(files[value["file"].removeprefix("inputs/")]))
        return {key: load(item) for key, item in value.items()} if isinstance(value, dict) else value

    again = rich(**load(tomllib.loads(to_toml({}, table))))
    assert again == config
    assert split_arrays(to_table(again)) == (table, files)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(rich_settings)
def test_a_run_directory_gives_back_its_configuration(values: dict[str, Any]) -> None:
    import tempfile

    config = rich(**values)
    with tempfile.TemporaryDirectory() as folder:
        stored = Stored("toy_runs:RICH", toy_runs.RICH, config, "quick")
        write_config(Path(folder), stored)
        again = read_config(Path(folder))
    assert again.config == config
    assert (again.name, again.scale) == ("toy_runs:RICH", "quick")


# ---------------------------------------------------------------- identity


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"real": 1}, {"real": 1.0}),
        ({"real": 0.0}, {"real": -0.0}),
        ({"count": 3.0}, {"count": 3}),
        ({"numbers": [1, -0.0]}, {"numbers": (1.0, 0)}),
        ({"betas": "0:1:lin3"}, {"betas": [0, 0.5, 1]}),
        ({"law": {}}, {}),
        ({"couplings": [[1, 2], [3, 4]]}, {"couplings": np.array([[1, 2], [3, 4]], dtype=np.int8)}),
        ({"couplings": np.zeros((2, 2))}, {"couplings": -np.zeros((2, 2))}),
        ({"couplings": np.arange(6.0).reshape(2, 3)}, {"couplings": np.asfortranarray(np.arange(6.0).reshape(2, 3))}),
        ({"nothing": "none"}, {"nothing": None}),
        ({"real": np.float64(0.25)}, {"real": 0.25}),
    ],
)
def test_settings_that_mean_the_same_are_equal(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert rich(**one).digest() == rich(**other).digest()
    assert rich(**one) == rich(**other)
    assert hash(rich(**one)) == hash(rich(**other))


@pytest.mark.parametrize(
    "change",
    [
        {"flag": True},
        {"count": 4},
        {"real": np.nextafter(0.5, 1)},
        {"extended": math.inf},
        {"extended": -math.inf},
        {"word": "b"},
        {"choice": "y"},
        {"maybe": None},
        {"nothing": 0},
        {"numbers": [1.0, 1.0]},
        {"pair": (1, 3.0)},
        {"betas": [2.0, 1.0]},
        {"table": {"a": 1.0}},
        {"law": {"scale": 2.0}},
        {"couplings": [[1.0]]},
        {"couplings": [1.0]},
        {"vector": [1.0]},
        {"seed": 8},
    ],
)
def test_every_setting_is_part_of_the_identity(change: dict[str, Any]) -> None:
    assert rich(**change).digest() != rich().digest()
    assert rich(**change) != rich()


def test_name_and_numerical_version_are_part_of_the_identity() -> None:
    config = rich()
    assert len({identity("a", config), identity("b", config), identity("a", config, version=2)}) == 3


def test_the_identity_is_the_same_in_another_process(tmp_path: Path) -> None:
    np.save(tmp_path / "J.npy", np.arange(9.0).reshape(3, 3))
    code = (
        "import toy_runs; from glassformer.sweeps._config import build;"
        "print(build('r', toy_runs.RichConfig, {'couplings': 'J.npy', 'table': {'b': 1.0, 'a': 2.0}}).digest())"
    )
    path = str(Path(toy_runs.__file__).parent)
    out = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": path, "PYTHONHASHSEED": "5"},
        capture_output=True,
        text=True,
        check=True,
    )
    here = rich(couplings=np.arange(9.0).reshape(3, 3), table={"a": 2.0, "b": 1.0}).digest()
    assert out.stdout.strip() == here


def test_a_configuration_cannot_be_changed() -> None:
    from pydantic import ValidationError

    config = rich(couplings=[[1.0]])
    with pytest.raises(ValidationError):
        config.real = 2.0
    assert isinstance(config.couplings, np.ndarray)
    with pytest.raises(ValueError, match="read-only"):
        config.couplings[0, 0] = 5.0


def test_changing_the_callers_array_changes_nothing() -> None:
    array = np.ones((2, 2))
    config = rich(couplings=array)
    before = config.digest()
    array[0, 0] = 9.0
    assert config.digest() == before
    assert rich(couplings=array).digest() != before


# ---------------------------------------------------------------- sentences


@pytest.mark.parametrize(
    ("values", "pieces"),
    [
        ({"rael": 1.0}, ["toy_runs:RICH has no key 'rael'", "given as 1.0", "did you mean 'real'?", "flag, count"]),
        ({"law": {"scael": 1.0}}, ["law has no key 'scael'", "did you mean 'scale'?", "its keys are kind, scale"]),
        ({"real": "abc"}, ["real is 'abc', but must be a number", "`glassformer show toy_runs:RICH`"]),
        ({"real": math.inf}, ["real is inf, but must be a finite number"]),
        ({"real": math.nan}, ["real is nan, but must be a finite number"]),
        ({"extended": math.nan}, ["extended is nan", "inf is allowed", "must not be NaN"]),
        ({"real": True}, ["real is True, but must be a number"]),
        ({"count": 1.5}, ["count is 1.5, but must be an integer"]),
        ({"count": True}, ["count is True, but must be an integer"]),
        ({"choice": "z"}, ["choice is 'z', but must be one of 'x', 'y'"]),
        ({"law": {"kind": "peeked"}}, ["law.kind is 'peeked'", "did you mean 'peaked'?"]),
        ({"law": {"scale": 0}}, ["law.scale is 0, but must be a number > 0"]),
        ({"law": 3}, ["law is 3, but must be a table with kind, scale, weights"]),
        ({"levels": [1, -2]}, ["levels[1] is -2, but must be an entry of a list (each an integer >= 0)"]),
        ({"pair": [1]}, ["pair", "a list of 2: an integer, a number"]),
        ({"numbers": 3.0}, ["numbers is 3.0, but must be a list (each a number)"]),
        ({"maybe": "x"}, ["maybe is 'x', but must be a number or none"]),
        ({"couplings": "rondom"}, ["couplings is 'rondom'", "'flat' or 'random'", "did you mean 'random'?"]),
        ({"couplings": "no/such.npy"}, ["couplings: the file no/such.npy does not exist"]),
        ({"couplings": [[1, 2], [3]]}, ["couplings is a nested list with rows of different lengths"]),
        ({"couplings": [[1, math.nan]]}, ["couplings[0, 1] is nan, but must be finite"]),
        ({"couplings": [["a"]]}, ["couplings is of type", "must be an array of real numbers"]),
        ({"couplings": np.array([1j])}, ["couplings is of type complex128"]),
        ({"couplings": np.array(3.0)}, ["couplings is a single value"]),
        ({"couplings": np.zeros((0, 2))}, ["couplings is empty (shape (0, 2))"]),
        ({"couplings": 3.0}, ["couplings is 3.0, but must be an array"]),
        ({"vector": [[1.0]]}, ["the number of dimensions of vector is 2, but must be 1", "its shape is (1, 1)"]),
        ({"couplings": {"path": "J.npy"}}, ["couplings is {'path': 'J.npy'}"]),
    ],
)
def test_a_bad_setting_gets_one_sentence(values: dict[str, Any], pieces: list[str]) -> None:
    message = sentence(**values)
    for piece in pieces:
        assert piece in message


def test_a_missing_key_is_named_with_what_it_takes() -> None:
    with pytest.raises(
        InvalidInputError, match=r"seed is missing, but toy_runs:TOY needs it: an integer >= 0; add --set"
    ):
        build("toy_runs:TOY", toy_runs.ToyConfig, {})


def test_an_unknown_key_is_reported_before_the_key_that_it_hides() -> None:
    with pytest.raises(InvalidInputError, match=r"has no key 'sed'.*did you mean 'seed'"):
        build("toy_runs:TOY", toy_runs.ToyConfig, {"sed": 1})


def test_a_sentence_raised_by_a_configuration_itself_is_kept() -> None:
    from pydantic import model_validator

    from glassformer._core._errors import invalid
    from glassformer.sweeps import RunConfig

    class Picky(RunConfig):
        n: int = 1

        @model_validator(mode="after")
        def _check(self) -> Picky:
            if self.n > 1:
                raise invalid("n", self.n, "1 here", "take one")
            return self

    with pytest.raises(InvalidInputError, match=r"^n is 2, but must be 1 here; take one\.$"):
        build("picky", Picky, {"n": 2})


def test_reserved_words_cannot_be_fields() -> None:
    from glassformer.sweeps import RunConfig

    class Clash(RunConfig):
        scale: float = 1.0

    with pytest.raises(InvalidInputError, match="a field 'scale', but that word is taken"):
        RunSpec(name="clash", summary="", config=Clash, compute=toy_runs.compute)


def test_types_are_described_in_words() -> None:
    fields = toy_runs.RichConfig.model_fields
    assert describe_field(fields["flag"]) == "true or false"
    assert describe_field(fields["maybe"]) == "a number or none"
    assert describe_field(fields["choice"]) == "one of 'x', 'y'"
    assert describe_field(fields["extended"]) == "a number (inf is allowed)"
    assert describe_field(fields["betas"]) == "a list (each a number) with at least 1 entries"
    assert describe_field(toy_runs.ToyConfig.model_fields["beta"]) == "a number >= 0 (inf is allowed)"


# ---------------------------------------------------------------- arrays from files

MATRIX = np.array([[0.0, 1.5, -2.25], [3.0, 4e-300, 1e300]])


def write_all(folder: Path) -> list[str]:
    np.save(folder / "J.npy", MATRIX)
    np.save(folder / "fortran.npy", np.asfortranarray(MATRIX))
    np.savez(folder / "one.npz", MATRIX)
    np.savez(folder / "many.npz", J=MATRIX, other=MATRIX[0])
    xr.Dataset({"J": (("site", "site_"), MATRIX)}).to_netcdf(folder / "J.nc", engine="h5netcdf")
    xr.Dataset({"J": (("site", "site_"), MATRIX), "x": 1.0}).to_netcdf(folder / "many.nc", engine="h5netcdf")
    rows = [[repr(float(value)) for value in row] for row in MATRIX]
    (folder / "J.csv").write_text("# a comment\na,b,c\n" + "\n".join(",".join(row) for row in rows) + "\n")
    (folder / "space.csv").write_text("\n".join("  ".join(row) for row in rows))
    (folder / "semi.csv").write_text("\ufeff" + "\r\n".join("; ".join(row) for row in rows), encoding="utf-8")
    return [
        "J.npy",
        "fortran.npy",
        "one.npz",
        "many.npz:J",
        "J.nc",
        "J.nc:J",
        "many.nc:J",
        "J.csv",
        "space.csv",
        "semi.csv",
    ]


def test_every_format_gives_the_same_array(tmp_path: Path) -> None:
    for name in write_all(tmp_path):
        array = as_array("J", name, base=tmp_path)
        np.testing.assert_array_equal(array, MATRIX, err_msg=name)
        assert array_digest(array) == array_digest(MATRIX)


def test_old_netcdf_is_read_too(tmp_path: Path) -> None:
    xr.Dataset({"J": (("a", "b"), MATRIX)}).to_netcdf(tmp_path / "J.nc", engine="scipy")
    np.testing.assert_array_equal(as_array("J", "J.nc", base=tmp_path), MATRIX)


def test_one_column_is_a_vector_where_a_vector_is_wanted(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("1\n2\n3\n")
    assert as_array("x", "x.csv", base=tmp_path).shape == (3, 1)
    assert as_array("x", "x.csv", base=tmp_path, ndim=(1,)).shape == (3,)


def test_a_file_that_changed_is_read_again(tmp_path: Path) -> None:
    np.save(tmp_path / "J.npy", np.zeros(3))
    assert as_array("J", tmp_path / "J.npy").sum() == 0
    np.save(tmp_path / "J.npy", np.ones(4))
    assert as_array("J", tmp_path / "J.npy").sum() == 4


def broken_files(folder: Path) -> dict[str, str]:
    write_all(folder)
    (folder / "cut.npy").write_bytes((folder / "J.npy").read_bytes()[:100])
    (folder / "cut.npz").write_bytes((folder / "one.npz").read_bytes()[:120])
    (folder / "cut.nc").write_bytes((folder / "J.nc").read_bytes()[:600])
    (folder / "text.npy").write_text("hello")
    (folder / "empty.npy").write_bytes(b"")
    np.save(folder / "objects.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    np.save(folder / "words.npy", np.array(["a", "b"]))
    np.save(folder / "complex.npy", np.array([1j]))
    np.save(folder / "nan.npy", np.array([1.0, np.nan]))
    np.save(folder / "inf.npy", np.array([1.0, -np.inf]))
    (folder / "ragged.csv").write_text("1,2\n3\n")
    (folder / "word.csv").write_text("1,2\n3,x\n")
    (folder / "head.csv").write_text("a,b\n")
    (folder / "binary.csv").write_bytes(b"\xff\xfe\x00")
    (folder / "J.txt").write_text("1")
    (folder / "folder.npy").mkdir()
    return {
        "cut.npy": "cut.npy is damaged or not a .npy file",
        "cut.npz": "cut.npz is damaged or not a .npz file",
        "cut.nc": "cut.nc is damaged or not a .nc file",
        "text.npy": "text.npy is damaged or not a .npy file",
        "empty.npy": "empty.npy is damaged or not a .npy file",
        "objects.npy": "holds Python objects",
        "words.npy": "of type <U1, but must be an array of real numbers",
        "complex.npy": "of type complex128",
        "nan.npy": "J[1] is nan, but must be finite",
        "inf.npy": "J[1] is -inf, but must be finite",
        "ragged.csv": "line 2 of",
        "word.csv": "line 2, column 2",
        "head.csv": "J is empty",
        "binary.csv": "binary.csv is damaged or not a .csv file",
        "J.txt": "a path that ends in .npy, .npz, .csv, .nc",
        "folder.npy": "cannot be read",
        "missing.npy": "does not exist",
        "many.npz": "has 2 arrays (J, other), but must have one; pick it as many.npz:NAME",
        "many.npz:K": "has no array called 'K'; it has J, other",
        "many.nc": "has 2 arrays (J, x), but must have one",
    }


def test_every_broken_file_gets_one_sentence_that_names_the_field(tmp_path: Path) -> None:
    for name, piece in broken_files(tmp_path).items():
        with pytest.raises(InvalidInputError) as caught:
            as_array("J", name, base=tmp_path)
        message = str(caught.value)
        assert piece in message, name
        assert message.startswith("J"), name
        assert "\n" not in message, name


def test_pickles_are_never_opened(tmp_path: Path) -> None:
    import pickle

    class Trap:
        def __reduce__(self) -> Any:
            return (Path(tmp_path / "sprung").touch, ())

    (tmp_path / "trap.npy").write_bytes(pickle.dumps(Trap()))
    with pytest.raises(InvalidInputError):
        as_array("J", "trap.npy", base=tmp_path)
    assert not (tmp_path / "sprung").exists()


def test_an_input_that_is_not_the_one_written_down_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "J.npy", MATRIX)
    with pytest.raises(InvalidInputError, match="is not the one that the configuration was written with"):
        as_array("J", {"file": "J.npy", "sha256": "0" * 64}, base=tmp_path)


# ---------------------------------------------------------------- --set


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        ("1", 1),
        ("1e3", 1000.0),
        ("-0.5", -0.5),
        (".5", 0.5),
        ("5.", 5.0),
        ("inf", math.inf),
        ("-inf", -math.inf),
        ("true", True),
        ("False", False),
        ("gram", "gram"),
        ("data/J.npy", "data/J.npy"),
        ("1.npy", "1.npy"),
        ("a.npz:J", "a.npz:J"),
        ('"quoted text"', "quoted text"),
        ("'0.5'", "0.5"),
        ("[[0.5, 0.4], [0.4, 0.5]]", [[0.5, 0.4], [0.4, 0.5]]),
        ('["nmf","gram"]', ["nmf", "gram"]),
        ("{scale = 2.0}", {"scale": 2.0}),
        ("2024-01-01", "2024-01-01"),
        ("a#b", "a#b"),
        ("C:\\data\\J.npy", "C:\\data\\J.npy"),
        ("x\ny = 2", "x\ny = 2"),
        ("1:3:lin3", [1.0, 2.0, 3.0]),
        ("1e-2:1e2:log3", [0.01, 1.0, 100.0]),
    ],
)
def test_values_are_read_as_a_user_means_them(typed: str, value: Any) -> None:
    parsed = parse_value(typed)
    assert parsed == value
    assert type(parsed) is type(value)


@pytest.mark.parametrize(
    ("typed", "piece"),
    [
        ("[1, 2", "is not complete TOML"),
        ("[a, b]", "lists look like [1, 2]"),
        ("0.1:10", "write start:stop:logN or start:stop:linN"),
        ("0.1:10:geo5", "is not understood"),
        ("0:10:log5", "both ends must be positive or both negative"),
        ("1:10:lin1", "asks for 1 values, but must have 2 to 1000000"),
        ("1:10:lin99999999", "must have 2 to 1000000"),
    ],
)
def test_values_that_cannot_be_read_get_one_sentence(typed: str, piece: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        parse_value(typed)
    assert piece in str(caught.value)
    assert "\n" not in str(caught.value)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.floats(1e-6, 1e6), st.floats(1e-6, 1e6), st.integers(2, 40), st.sampled_from(["lin", "log", ""]))
def test_ranges_include_both_ends_exactly_and_are_even(start: float, stop: float, count: int, kind: str) -> None:
    values = parse_range(f"{start!r}:{stop!r}:{kind}{count}")
    assert (values[0], values[-1], len(values)) == (start, stop, count)
    reference = np.geomspace(start, stop, count) if kind == "log" else np.linspace(start, stop, count)
    np.testing.assert_allclose(values, reference, rtol=1e-12)


def test_dotted_keys_reach_into_tables_and_later_settings_win() -> None:
    assert parse_settings(["law.scale=2", "law.kind=peaked", "real=1", "real=2"]) == {
        "law": {"scale": 2, "kind": "peaked"},
        "real": 2,
    }
    base = {"law": {"scale": 1.0, "kind": "flat"}, "numbers": [1, 2]}
    merge(base, nest({"law.scale": 3.0, "numbers": [5]}))
    assert base == {"law": {"scale": 3.0, "kind": "flat"}, "numbers": [5]}


@pytest.mark.parametrize("typed", ["beta", "=1", "beta=", "a..b=1", ".a=1"])
def test_settings_that_are_not_assignments_are_refused(typed: str) -> None:
    with pytest.raises(InvalidInputError):
        parse_settings([typed])


# ---------------------------------------------------------------- the table of runs


def test_an_unknown_run_gets_its_nearest_neighbour() -> None:
    with pytest.raises(InvalidInputError, match=r"no run is called 'vector/slove'; did you mean 'vector/solve'\?"):
        find("vector/slove")
    with pytest.raises(InvalidInputError, match="the module 'nowhere', which cannot be imported"):
        find("nowhere:RUN")
    with pytest.raises(InvalidInputError, match="is not a RunSpec"):
        find("toy_runs:compute")


def test_every_line_of_the_table_has_a_summary_of_one_line() -> None:
    for name, summary in entries().items():
        assert 10 < len(summary) < 120, name
        assert "\n" not in summary
    assert set(entries()) == set(NAMES)

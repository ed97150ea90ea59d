"""What is not imported costs nothing: counted in modules, not in seconds."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = ("numba", "matplotlib", "pandas", "xarray", "scipy", "h5py", "distributed")


def imported_by(code: str) -> set[str]:
    """Top-level packages that a fresh process has imported after `code`."""
    tail = "\nimport json, sys\nsys.stderr.write(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    done = subprocess.run([sys.executable, "-c", code + tail], capture_output=True, text=True, check=True)
    found = set(json.loads(done.stderr))
    assert "glassformer" in found
    return found


def command(*arguments: str) -> str:
    return f"from glassformer.cli._app import run_app\nassert run_app({list(arguments)!r}) == 0"


def test_importing_the_package_imports_nothing_heavy() -> None:
    found = imported_by("import glassformer")
    assert not found & {*HEAVY, "numpy", "pydantic", "typer", "rich"}


def test_looking_at_the_public_names_imports_nothing_heavy() -> None:
    assert not imported_by("import glassformer\nassert 'simulate' in dir(glassformer)") & set(HEAVY)


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["list"], ["list", "--json"]])
def test_help_and_list_import_nothing_heavy(arguments: list[str]) -> None:
    assert not imported_by(command(*arguments)) & set(HEAVY)


def test_a_wrong_command_is_refused_without_importing_anything_heavy() -> None:
    code = "from glassformer.cli._app import run_app\nimport io, sys\nkept, sys.stderr = sys.stderr, io.StringIO()\n"
    found = imported_by(code + "assert run_app(['runn']) == 2\nsys.stderr = kept")
    assert not found & set(HEAVY)


def test_drawing_waits_until_something_is_drawn() -> None:
    code = "import glassformer as gf\nmodel = gf.VectorSpin([[0.0, 1.0], [1.0, 0.0]], dim=3)\n"
    found = imported_by(code + "gf.solve(model, gf.NaiveMeanField(beta=0.5))")
    assert "xarray" in found
    assert not found & {"matplotlib", "typer", "rich"}


def test_every_public_name_can_be_imported() -> None:
    import glassformer

    for name in glassformer.__all__:
        assert getattr(glassformer, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'simulat'; dir"):
        _ = glassformer.simulat  # type: ignore[attr-defined]

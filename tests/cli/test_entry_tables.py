"""What a finished run prints: one row per entry of a shared coordinate, and how many expected numbers are met."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from command_line import ask, settings, succeed

from glassformer.cli._entries import entry_table
from glassformer.cli._values import print_table

LINE = settings(dim=3, radius="sqrt_d", temperature="0.1:0.9:7")


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def rows_of(text: str, head: str) -> list[list[str]]:
    lines = text.splitlines()
    start = next(k for k, line in enumerate(lines) if line.split()[:1] == [head])
    return [lines[start].split(), *(line.split() for line in lines[start + 2 :] if re.match(r" ?-?\d", line))]


def test_a_line_is_printed_with_one_row_per_temperature() -> None:
    values = ask("run", "vector/at-line", *LINE, "--no-figure")["values"]
    text = succeed("run", "vector/at-line", *LINE, "--no-figure").out
    head, *rows = rows_of(text, "temperature")
    assert head[:3] == ["temperature", "field", "field_per_site"]
    assert len(rows) == 7
    for name, column in zip(head, np.array(rows, dtype=float).T):
        np.testing.assert_allclose(column, values[name], rtol=1e-5)
    assert re.search(r"^ critical_temperature +1 ", text, re.MULTILINE)  # has no temperature: summary
    assert "field: energy / length, per component" in text
    assert "(temperature 7)" not in text


def test_one_number_per_quantity_and_long_lines_keep_the_summary() -> None:
    one = succeed("run", "vector/at-line", *settings(dim=3, temperature=0.1), "--no-figure").out
    assert re.search(r"^ field +0\.\d+ ", one, re.MULTILINE)
    long = succeed("run", "vector/at-line", *settings(dim=3, temperature="0.01:0.1:61"), "--no-figure").out
    assert "(temperature 61)" in long


def dataset(count: int = 5, values: int = 9) -> xr.Dataset:
    x = np.linspace(0.0, 1.0, count)
    found = xr.Dataset(coords={"beta": x, "kind": ["a", "b"]})
    for k in range(values):
        found[f"value{k}_error"] = ("beta", 0.01234 * x)
        found[f"value{k}"] = ("beta", np.pi * x, {"units": "energy" if k else "1"})
    found["both"] = (("beta", "kind"), np.zeros((count, 2)))
    found["lonely_error"] = ("kind", [1.0, 2.0])
    found["scalar"] = 3.0
    return found


@pytest.mark.parametrize("width", [20, 47, 80, 120])
def test_errors_come_last_and_what_does_not_fit_is_named(width: int, capsys: pytest.CaptureFixture[str]) -> None:
    table = entry_table(dataset(), width)
    assert table is not None
    order = ["beta", *(f"value{k}" for k in range(9)), *(f"value{k}_error" for k in range(9))]
    assert table.head + table.left_out == order
    assert len(table.head) >= 2
    print_table("", table.head, table.rows)
    assert max(len(line) for line in capsys.readouterr().out.splitlines()) <= width
    assert "value0" not in table.units
    assert table.units.get("value1", "energy") == "energy"


def test_numbers_of_errors_are_short_and_undefined_is_said() -> None:
    found = dataset(3, 1)
    found["value0"][1] = np.nan
    table = entry_table(found, 80)
    assert table is not None
    assert table.rows[1] == ("0.5", "undefined", "0.0062")


def test_without_a_coordinate_of_its_own_nothing_is_tabulated() -> None:
    assert entry_table(xr.Dataset({"energy": 1.0, "spins": ("site", np.zeros(4))}), 80) is None
    assert entry_table(dataset(1).drop_vars("lonely_error"), 80) is None
    assert entry_table(dataset(61).drop_vars("lonely_error"), 80) is None


def test_run_and_report_count_the_expected_numbers() -> None:
    line = r"^expected numbers: (\d+) of \1 met$"
    assert re.search(line, succeed("run", "bal2023/bessel", "-o", "b", "--no-figure").out, re.MULTILINE)
    assert re.search(line, succeed("report", "b").out, re.MULTILINE)

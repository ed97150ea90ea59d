"""Every Python block of the documentation runs, page by page, and every link inside it leads somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])
FENCE = re.compile(r"^```(\w+)[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?://|#)([^)#]+)(?:#[^)]*)?\)")


def blocks(page: Path, language: str) -> list[str]:
    return [code for tag, code in FENCE.findall(page.read_text()) if tag == language]


@pytest.mark.parametrize("page", [p for p in PAGES if blocks(p, "python")], ids=lambda p: str(p.relative_to(ROOT)))
def test_the_examples_of_a_page_run_from_top_to_bottom(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "example"}
    for number, code in enumerate(blocks(page, "python"), start=1):
        exec(compile(code, f"{page.name}, block {number}", "exec", dont_inherit=True), names)
    assert "__builtins__" in names  # the blocks ran in this namespace


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_relative_link_leads_to_a_file(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    missing = [target for target in LINK.findall(text) if not (page.parent / target).exists()]
    assert not missing


def test_every_command_of_the_documentation_exists() -> None:
    """`glassformer NAME` in a shell block names a command, and `glassformer run NAME` a run."""
    from typer.main import get_command

    from glassformer.cli import app
    from glassformer.sweeps._registry import NAMES

    commands = set(get_command(app).commands)  # type: ignore[attr-defined]
    unknown = []
    for page in PAGES:
        for tag in ("bash", "sh", "console"):
            for code in blocks(page, tag):
                for command, argument in re.findall(r"^\$?\s*glassformer (\S+)(?: +(\S+))?", code, re.MULTILINE):
                    if command.startswith("-"):
                        continue
                    if command not in commands:
                        unknown.append(f"{page.name}: {command}")
                    is_name = re.fullmatch(r"[a-z0-9]+/[a-z0-9-]+", argument or "")
                    if command in ("run", "show") and is_name and argument not in NAMES:
                        unknown.append(f"{page.name}: {argument}")
    assert not unknown

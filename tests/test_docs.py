"""What is documented is there, and what is there is documented: commands, settings, codes, links."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from bot.cli import app
from bot.domain.codes import Code
from bot.domain.commands import USAGE
from bot.settings import reference
from bot.settings.table import markdown
from tests.sources import ROOT, files

PAGES = sorted(path for path in files() if path.suffix == ".md" and "__snapshots__" not in path.parts)
README = (ROOT / "README.md").read_text(encoding="utf-8")
_LINK = re.compile(r"\[[^\]]*\]\((?P<to>[^)\s]+)\)")
_FENCE = re.compile(r"(?ms)^```.*?^```$")


def commands(command: Any, *path: str) -> Iterator[tuple[str, ...]]:
    """Every command that somebody may type, groups that do something by themselves too."""
    inner = getattr(command, "commands", {})
    if path and (not inner or command.invoke_without_command):
        yield path
    for name, each in sorted(inner.items()):
        yield from commands(each, *path, name)


def anchors(page: Path) -> set[str]:
    """GitHub's anchors of a page's headings: https://docs.github.com/get-started/writing-on-github"""
    found = set()
    for line in _FENCE.sub("", page.read_text(encoding="utf-8")).splitlines():
        if line.startswith("#"):
            title = line.lstrip("#").strip().lower()
            found.add(re.sub(r"[^\w\- ]", "", title).replace(" ", "-"))
    return found


@pytest.mark.parametrize("path", list(commands(typer.main.get_command(app))), ids=" ".join)
def test_every_command_of_the_command_line_stands_in_the_readme(path: tuple[str, ...]) -> None:
    assert f"`miso {' '.join(path)}`" in README


def test_every_setting_is_described() -> None:
    page = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    assert page == markdown(), "run `python -m bot.settings > docs/configuration.md`"
    for setting in reference():
        assert f"| `{setting.name}` |" in page
        assert setting.meaning, setting.name


def test_no_page_names_a_setting_that_does_not_exist() -> None:
    known = {setting.name for setting in reference()}
    variables = {"MISO_APPLICATION_ID", "MISO_SUBSCRIPTION_ID", "MISO_ENVIRONMENT_ID"}
    for page in PAGES:
        named = set(re.findall(r"\bMISO_[A-Z0-9_]*[A-Z0-9]\b", page.read_text(encoding="utf-8")))
        assert named <= known | variables, page.name


def test_every_reason_code_is_described_under_its_own_heading() -> None:
    assert anchors(ROOT / "docs" / "reason-codes.md") - {"reason-codes"} == {code.value for code in Code}


def test_every_comment_command_is_described_in_the_same_words() -> None:
    page = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    for usage in USAGE.values():
        row = next(line for line in page.splitlines() if line.startswith(f"| `{usage}` |"))
        assert row in README.splitlines()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    for match in _LINK.finditer(_FENCE.sub("", page.read_text(encoding="utf-8"))):
        to, _, anchor = match["to"].partition("#")
        if to.startswith(("https://", "http://", "mailto:")):
            continue
        target = (page.parent / to).resolve() if to else page
        assert target.exists(), match["to"]
        assert not anchor or anchor in anchors(target), match["to"]


@pytest.mark.parametrize("page", [ROOT / "README.md", ROOT / "docs" / "design.md"], ids=lambda page: page.name)
def test_every_path_that_is_named_exists(page: Path) -> None:
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    named = set(re.findall(r"`((?:bot|handlers|tests|config|docs|\.ci)/[\w./-]*)`", text)) - {"docs/benchmarks.md"}
    assert named
    assert not {name for name in named if not (ROOT / name).exists()}


def test_the_changelog_knows_this_version() -> None:
    version = re.search(r'(?m)^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert version is not None
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.findall(r"(?m)^## \[(.+?)\]", text)[:2] == ["Unreleased", version[1]]

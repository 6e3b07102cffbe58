"""Every reason code can be reached: a test that is not about words alone names it, and something in Miso gives it."""

from __future__ import annotations

import re

from bot.domain.codes import Code
from tests.sources import modules

WORDS = re.compile(r"tests/domain/(?:test_messages_\w+|pages|stories|given|typed)\.py|tests/(?:test_)?docs_pages\.py")
"""Tests that go through the whole table of codes, or tell what one would look like."""
TABLES = re.compile(r"bot/domain/(?:codes|model|messages/(?:table_\w+|__init__))\.py")


NAMED = re.compile(r"\bCode\.(?P<name>[A-Z_]+)|[\"'`](?P<value>[a-z_]+)[\"'`]")
"""By name, or by value as a word of its own: `frozen` alone would be any dataclass."""


def unnamed(texts: list[str]) -> list[str]:
    """Codes that stand in none of these texts."""
    found = {match["name"] or match["value"] for text in texts for match in NAMED.finditer(text)}
    return [code.value for code in Code if not {code.value, code.name} & found]


def test_every_code_is_reached_by_a_test() -> None:
    here = "tests/test_codes_reached.py"
    assert unnamed([m.text for m in modules("tests") if not WORDS.fullmatch(m.name) and m.name != here]) == []


def test_every_code_is_given_by_something() -> None:
    assert unnamed([m.text for m in modules("bot", "handlers") if not TABLES.fullmatch(m.name)]) == []

"""The table of settings is whole, and the page that is written from it is current."""

from __future__ import annotations

from pathlib import Path

from bot.settings import Settings, reference
from bot.settings.table import markdown

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"


def test_every_setting_is_explained() -> None:
    rows = reference()
    assert len(rows) == len(Settings.model_fields)
    for row in rows:
        assert row.meaning.endswith("."), row.name
        assert row.form, row.name
        assert row.group, row.name
        assert not (row.required and row.default), row.name


def test_secrets_are_marked() -> None:
    assert {row.name for row in reference() if row.secret} == {"MISO_WEBHOOK_SECRET", "MISO_WEBHOOK_SECRET_PREVIOUS"}


def test_the_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == markdown(), "python -m bot.settings > docs/configuration.md"

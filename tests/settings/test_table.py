"""The table of settings is whole, and the page that is written from it is current."""

from __future__ import annotations

from pathlib import Path

from bot.domain.policy_keys import Override, PolicyKeys
from bot.domain.tightness import KEYS, SET_KEYS
from bot.settings import Settings, policy_page, reference, roles_page
from bot.settings.table import markdown

DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "configuration.md"


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


def test_the_page_of_the_policy_is_current() -> None:
    page = (DOCS / "policy.md").read_text(encoding="utf-8")
    assert page == policy_page.markdown(), "python -m bot.settings policy > docs/policy.md"


def test_the_page_of_roles_is_current() -> None:
    page = (DOCS / "roles.md").read_text(encoding="utf-8")
    assert page == roles_page.markdown(), "python -m bot.settings roles > docs/roles.md"


def test_every_key_of_the_policy_is_explained_with_what_is_tighter() -> None:
    directions = {key.name.split(".")[0] for key in (*KEYS, *SET_KEYS)}
    assert directions == {*Override.model_fields, *PolicyKeys.model_fields} - {"stages", "environments"}
    for model in (Override, PolicyKeys):
        for name, field in model.model_fields.items():
            assert (field.description or "").endswith("."), name

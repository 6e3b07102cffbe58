"""The pages of the documentation that are made from tables say what the tables say."""

from __future__ import annotations

import pytest

from tests.docs_pages import DOCS, PAGES


@pytest.mark.parametrize("name", list(PAGES))
def test_the_page_is_current(name: str) -> None:
    assert (DOCS / name).read_text(encoding="utf-8") == PAGES[name], "run `python -m tests.docs_pages`"

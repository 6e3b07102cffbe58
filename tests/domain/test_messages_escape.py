"""Rule 14: foreign text in our Markdown is shown and never acts. Judged by rendering it as GitHub would."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from bot.domain.messages import bare, plain, quote, vouched

RENDER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
LIVE = re.compile(r"@\w|#\d|GH-\d|://|www\.|<|:\w+:", re.IGNORECASE)
"""What GitHub would act on in text outside of code."""
NASTY = [
    "@everyone", "fixes #123", "GH-1", "acme/shop#1", "https://evil.example/?q=`", "www.evil.example", "<img src=x>",
    "<script>alert(1)</script>", "![x](http://y)", "[x](javascript:alert(1))", "`` ` ``", "\\`", "a|b|c", "<!-- x -->",
    "\x1b[31mred\x1b[0m", "\x1b]8;;http://evil\x07link\x1b]8;;\x07", "\x9b31m", "\u202egnp.exe", "a\u200bb", "\ud800",
    "line\r\nother\u2028third", "\u3164", "Z\u0351\u036b\u0343\u036a\u0302\u036b", "&lt;b&gt; &#64;x", "---", "# x",
    "```\nx", "    x", "| a |\n|---|", "</details>", "*x* _y_ ~~z~~", ":tada:", "`", "``", "a`b``c", "\u2800", "",
]  # fmt: skip
texts = st.text() | st.text(alphabet="`\\|<>@#![]()*_~&;:/.w \n\r\t\x1b\u200b\u202eab1") | st.sampled_from(NASTY)


def rendered(markdown: str) -> list[tuple[str, str]]:
    """(type, content) of everything inside the paragraphs, cells and items of a text."""
    return [
        (child.type, child.content)
        for token in RENDER.parse(markdown)
        if token.type == "inline"
        for child in token.children or []
    ]


@given(text=texts)
@pytest.mark.parametrize("around", ["{}", "He said {} and left.", "- {}", "**Why:** {}", "> {}", "({})"])
def test_rule_14_quoted_text_is_code_and_nothing_else(around: str, text: str) -> None:
    for kind, content in rendered(around.format(quote(text))):
        assert kind in ("text", "code_inline", "strong_open", "strong_close")
        if kind == "text":
            assert content in around.replace("**", "").replace("{}", "|") or content in ("He said ", " and left.")


@given(text=texts)
def test_rule_14_quoted_text_stays_in_its_table_cell(text: str) -> None:
    tokens = RENDER.parse(f"| a | b |\n|---|---|\n| {quote(text)} | end |")
    cells = [t.children for t in tokens if t.type == "inline"]
    assert len(cells) == 4
    assert [c.type for c in cells[2] or []] == ["code_inline"]
    assert [c.content for c in cells[3] or []] == ["end"]


@given(text=texts, limit=st.integers(1, 300))
def test_rule_14_what_is_shown_is_one_short_visible_line(text: str, limit: int) -> None:
    for shown in (plain(text, limit), quote(text, limit)[1:-1]):
        assert len(shown) <= max(limit, len("(empty)"))
        assert len(shown.splitlines()) <= 1
        assert not [c for c in shown if unicodedata.category(c)[0] == "C" or (c != " " and c.isspace())]
        shown.encode()


@given(text=texts)
@example(text="@anna approved it")
@example(text="see https://evil.example")
@example(text="**bold** `code` words")
def test_rule_14_a_sentence_from_the_journal_is_ours_or_quoted(text: str) -> None:
    for kind, content in rendered(vouched(text)):
        assert kind in ("text", "code_inline", "em_open", "em_close", "strong_open", "strong_close", "text_special")
        if kind == "text":
            assert not LIVE.search(content)


def test_our_own_sentences_pass_unchanged() -> None:
    ours = "The release of `0123456789ab` is held until a person says that it may **try again**."
    assert vouched(ours) == ours
    assert bare(ours) == "The release of 0123456789ab is held until a person says that it may try again."


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("fix the `cart` for @anna", "`fix the 'cart' for @anna`"),
        ("a | b", "`a ¦ b`"),
        ("\x1b[1;31mred\x1b[0m text", "`red text`"),
        ("one\r\ntwo\tthree", "`one two three`"),
        ("pay\u200bpal \u202egpj", "`paypal gpj`"),
        ("e\u0301te\u0301", "`e\u0301te\u0301`"),
        ("日本語", "`日本語`"),
        (" \u3164\u2800 ", "`(empty)`"),
    ],
)
def test_how_foreign_text_looks(text: str, shown: str) -> None:
    assert quote(text) == shown


def test_long_text_is_cut_with_a_sign() -> None:
    assert quote("x" * 300, 10) == "`" + "x" * 9 + "…`"

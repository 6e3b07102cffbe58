"""Foreign text, made harmless: what somebody outside wrote must neither act nor deceive where we print it (rule 14),
and a token that stands in it is not repeated (rule 17).

Called by every other module here, and by nothing that wants the text itself. `quote` is for Markdown that GitHub
renders, `plain` for places that show characters as they are. Neither ever fails, whatever the text.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.token import Token

from bot.domain.stray_tokens import without_tokens

# ECMA-48 control sequences (CSI), operating system commands (OSC) and the other strings, then single escapes.
_ANSI: Final = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|(?:\x1b[\]PX^_]|[\x90\x98\x9d\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"
    r"|\x1b[ -/]*[0-~]?"
)
_INVISIBLE: Final = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
"""Characters that show nothing and are not of category Cf: fillers, joiners and variation selectors."""
_MARKS: Final = re.compile(r"(?<=[^\W\d_])[\u0300-\u036f]{2}[\u0300-\u036f]+")
"""Letters under a heap of accents reach into the lines above and below."""
_LIVE: Final = re.compile(
    r"[<$~]|@[\w-]|#\d|\bGH-\d|\b[0-9a-f]{7,40}\b|://|\bwww\.|\bmailto:|\S@\S|:[a-z0-9_+-]+:", re.IGNORECASE
)
"""What GitHub turns into something live in running text, but never inside a code span:
https://docs.github.com/en/get-started/writing-on-github/working-with-advanced-formatting/autolinked-references-and-urls
"""
_MARKDOWN: Final = MarkdownIt("commonmark").enable("strikethrough")


def plain(text: str, limit: int = 200) -> str:
    """One line of visible characters, at most `limit` of them, without tokens. Not safe as Markdown or HTML."""
    line = _MARKS.sub(lambda match: match[0][:2], _INVISIBLE.sub("", _ANSI.sub("", text)))
    line = "".join(_visible(character) for character in line)
    line = without_tokens(" ".join(line.split()))
    return line if len(line) <= limit else line[: max(limit - 1, 0)].rstrip() + "…"


def quote(text: str, limit: int = 200) -> str:
    """Foreign text as a Markdown code span: shown, never acted on. Fits in a sentence, a list and a table cell.

    Inside a code span GitHub makes no mention, reference, link, picture or HTML of anything, and the reader sees that
    the words are not ours. A backtick would end the span and a bar the table cell: both become a look-alike.
    """
    line = plain(text.replace("`", "'").replace("|", "¦"), limit)
    return f"`{line}`" if line else "`(empty)`"


def vouched(sentence: str, limit: int = 600) -> str:
    """A sentence that should be ours, as Markdown: unchanged when it is words and code spans, else quoted as foreign.

    For sentences that come back from the journal, so that one window's carelessness cannot speak in Miso's name.
    """
    if len(sentence) <= limit and sentence == plain(sentence, limit) and "|" not in sentence and _harmless(sentence):
        return sentence
    return quote(sentence, limit)


def bare(markdown: str, limit: int = 200) -> str:
    """One of our own sentences for a place that shows no Markdown: the same words without backticks and stars."""
    return plain(markdown.replace("`", "").replace("**", ""), limit)


def _visible(character: str) -> str:
    if character.isspace():
        return " "
    return "" if unicodedata.category(character)[0] == "C" else character


def _harmless(sentence: str) -> bool:
    tokens = _MARKDOWN.parse(sentence)
    if [token.type for token in tokens] != ["paragraph_open", "inline", "paragraph_close"]:
        return False
    children: list[Token] = tokens[1].children or []
    if any(child.type not in ("text", "code_inline", "em_open", "em_close", "strong_open", "strong_close")
           for child in children):  # fmt: skip
        return False
    return not any(child.type == "text" and _LIVE.search(child.content) for child in children)

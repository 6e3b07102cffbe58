"""What a comment asks of Miso: at most one command, found the way a reader would see it.

Called by the `issue_comment` door with the body of a new comment. It reads Markdown, because `/promote production` in
a quotation, a code block or an HTML comment is talk about a command and not a command (security rule 8). A command is
the first line of a paragraph at top level, made of plain ASCII words. What looks like a command to a person but is
not one exactly is a `CommandFault` with a suggestion; it is never guessed and run. Nothing here decides who may do
what, and nothing here raises: every text has an answer.

Markdown: https://spec.commonmark.org/0.31.2/ and the tables of https://github.github.com/gfm/.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from enum import StrEnum

from markdown_it import MarkdownIt

from bot.domain.codes import Code
from bot.domain.model import STAGE_ALIASES, Stage, Untrusted


class Verb(StrEnum):
    """What can be asked for in a comment. `USAGE` says how."""

    PROMOTE = "promote"
    APPROVE = "approve"
    REJECT = "reject"
    ROLLBACK = "rollback"
    CLEAR = "clear"
    STATUS = "status"
    WHY = "why"
    HELP = "help"


USAGE: Mapping[Verb, str] = {
    Verb.PROMOTE: "/promote <environment> [@sha]",
    Verb.APPROVE: "/approve",
    Verb.REJECT: "/reject [reason]",
    Verb.ROLLBACK: "/rollback <environment> [to @sha]",
    Verb.CLEAR: "/clear @sha <reason>",
    Verb.STATUS: "/status",
    Verb.WHY: "/why <environment>",
    Verb.HELP: "/help",
}
"""How each command is written. Angle brackets: needed; square brackets: may be left out."""

REASON_LIMIT = 500
"""Characters of a reason that are kept."""

_SHA = re.compile(r"@[0-9a-f]{12,40}")
_BARE_SHA = re.compile(r"[0-9a-f]{7,64}")
_VISIBLE_ASCII = re.compile(r"[!-~]+")
_MISO = re.compile(r"miso(?:[-:/_](?P<rest>.*))?")
_CLOSE = 0.82
"""How alike a word must be before we say "did you mean": other Apps own /clean, /close, /start, /project, /state."""
_SLASHES = "/\uff0f\u2044\u2215\u29f8\u2571\u27cb"
"""A slash, and what a reader takes for one."""
_LOOKALIKES: Mapping[int, str] = {
    0x0430: "a", 0x0432: "b", 0x0435: "e", 0x043A: "k", 0x043C: "m", 0x043D: "h", 0x043E: "o", 0x0440: "p",
    0x0441: "c", 0x0442: "t", 0x0443: "y", 0x0445: "x", 0x0455: "s", 0x0456: "i", 0x04BB: "h", 0x04CF: "l",
    0x0501: "d", 0x051D: "w", 0x0131: "i", 0x0261: "g", 0x03B1: "a", 0x03B9: "i", 0x03BA: "k", 0x03BD: "v",
    0x03BF: "o", 0x03C1: "p", 0x03C4: "t", 0x03C5: "u",
}  # fmt: skip
"""Cyrillic, Greek and phonetic letters that a reader takes for the Latin ones in our verbs; NFKD finds the rest."""
_CONTAINERS = re.compile(
    "blockquote|code|dd|del|details|div|dl|dt|kbd|li|ol|pre|s|samp|script|section|span|strike|style|table|td|template|"
    "textarea|th|title|tr|ul"
)
"""HTML elements that quote, fold, strike or hide what stands in them."""
_TAG = re.compile(r"<(/?)([a-z][a-z0-9-]*)(?=[\s/>])", re.IGNORECASE)
_BLOCKS = MarkdownIt("commonmark").enable("table").disable("inline")
"""Blocks only: a line that begins with a slash begins with text, whatever inline markup follows. Fast on any input."""
_INLINE = MarkdownIt("commonmark")


@dataclass(frozen=True)
class NoCommand:
    """The comment asks nothing of Miso; it is not answered."""


@dataclass(frozen=True, kw_only=True)
class Command:
    """One well-formed command. `str()` gives its canonical line, which parses to an equal command."""

    verb: Verb
    stage: Stage | None = None
    """Given for promote, rollback and why; None for the others."""
    sha: str = ""
    """12 to 40 lower-case hex digits, or empty. Always given for clear."""
    reason: Untrusted = field(default=Untrusted(""))
    """One line of at most `REASON_LIMIT` characters. Always given for clear, perhaps for reject."""

    def __str__(self) -> str:
        sha = f"@{self.sha}" if self.sha else ""
        if sha and self.verb is Verb.ROLLBACK:
            sha = f"to {sha}"
        return " ".join(word for word in (f"/{self.verb}", self.stage or "", sha, self.reason) if word)


@dataclass(frozen=True, kw_only=True)
class CommandFault:
    """A comment that means to be a command and is not one. Answered once, with the reason."""

    code: Code
    values: Mapping[str, Untrusted] = field(default_factory=dict)
    """What the sentence of the code quotes, e.g. `word`."""
    suggestion: str = ""
    """A line to type instead, made of our own vocabulary; empty when we have no good guess."""


Parsed = NoCommand | Command | CommandFault
_NOTHING = NoCommand()


def parse(body: str) -> Parsed:
    """Read a comment. Never raises, whatever the text; takes milliseconds for GitHub's longest comment."""
    text = body.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "\ufffd")
    if not any(slash in text for slash in _SLASHES):
        return _NOTHING
    found: Command | CommandFault | None = None
    for first, rest in _paragraphs(text):
        read = _line(first)
        if isinstance(read, NoCommand):
            continue
        if found is not None or any(not isinstance(_line(other), NoCommand) for other in rest):
            return CommandFault(code=Code.COMMAND_TWICE)
        found = read
    return found or _NOTHING


def _paragraphs(text: str) -> Iterator[tuple[str, list[str]]]:
    """First line and further lines of every paragraph at top level that no HTML element quotes, folds or hides."""
    source = text.split("\n")
    inside: list[str] = []
    for token in _BLOCKS.parse(text):
        if token.type == "html_block":
            _track(_without_comments(token.content), inside)
        elif token.type == "paragraph_open" and token.level == 0 and token.map:
            lines = source[token.map[0] : token.map[1]]
            if not inside:
                yield lines[0], lines[1:]
            paragraph = "\n".join(lines)
            if _TAG.search(paragraph):
                children = _INLINE.parseInline(paragraph)[0].children or ()
                _track("".join(child.content for child in children if child.type == "html_inline"), inside)


def _track(html: str, inside: list[str]) -> None:
    """Note which of `_CONTAINERS` this HTML opens and closes. A self-closing form does not exist for them."""
    for closing, name in _TAG.findall(html):
        tag = name.lower()
        if not closing and _CONTAINERS.fullmatch(tag):
            inside.append(tag)
        elif closing and tag in inside:
            while inside.pop() != tag:
                pass


def _without_comments(html: str) -> str:
    kept, at = [], 0
    while (start := html.find("<!--", at)) >= 0:
        kept.append(html[at:start])
        end = html.find("-->", start)
        at = end + 3 if end >= 0 else len(html)
    return "".join((*kept, html[at:]))


def _line(line: str) -> Parsed:
    """What one line at the beginning of a paragraph asks for."""
    words = [word for word in re.split(r"[ \t]+", line) if word]
    if not words:
        return _NOTHING
    first = words[0]
    if not _VISIBLE_ASCII.fullmatch(first):
        return _lookalike(first)
    if not first.startswith("/"):
        return _NOTHING
    word = first[1:].lower()
    if word in set(Verb):
        return _arguments(Verb(word), words[1:])
    miso = _MISO.fullmatch(word)
    if not miso:
        return _unknown(first, word, cutoff=_CLOSE) if _close(word, _CLOSE) else _NOTHING
    if miso["rest"] is not None:
        return _unknown(first, miso["rest"], cutoff=0.6)
    if not words[1:]:
        return Command(verb=Verb.HELP)
    if not _VISIBLE_ASCII.fullmatch(words[1]):
        return _not_ascii(words[1], USAGE[Verb.HELP])
    if words[1].lower() in set(Verb):
        return _arguments(Verb(words[1].lower()), words[2:])
    return _unknown(words[1], words[1].lower().lstrip("/"), cutoff=0.6)


def _close(word: str, cutoff: float) -> str:
    return next(iter(get_close_matches(word, list(Verb), n=1, cutoff=cutoff)), "")


def _unknown(typed: str, word: str, *, cutoff: float) -> CommandFault:
    close = _close(word, cutoff)
    suggestion = USAGE[Verb(close)] if close else USAGE[Verb.HELP]
    return CommandFault(code=Code.COMMAND_UNKNOWN, values={"word": Untrusted(typed)}, suggestion=suggestion)


def _lookalike(first: str) -> Parsed:
    """A word that holds more than visible ASCII: a fault where a reader would see one of our verbs, else nothing."""
    seen = "".join(c for c in unicodedata.normalize("NFKD", first.lower()) if unicodedata.category(c)[0] in "LNPS")
    seen = seen.translate(_LOOKALIKES)
    if not seen or seen[0] not in _SLASHES:
        return _NOTHING
    close = _close(seen[1:], 0.7)
    if not close and not _MISO.fullmatch(seen[1:]):
        return _NOTHING
    suggestion = USAGE[Verb(close)] if close else USAGE[Verb.HELP]
    return _not_ascii(first, suggestion)


def _not_ascii(word: str, suggestion: str) -> CommandFault:
    return CommandFault(code=Code.COMMAND_NOT_ASCII, values={"word": Untrusted(word)}, suggestion=suggestion)


def _arguments(verb: Verb, words: list[str]) -> Command | CommandFault:
    match verb:
        case Verb.REJECT:
            return Command(verb=verb, reason=_reason(words))
        case Verb.CLEAR:
            return _clear(words)
    strange = next((word for word in words if not _VISIBLE_ASCII.fullmatch(word)), None)
    if strange is not None:
        return _not_ascii(strange, USAGE[verb])
    if verb in (Verb.PROMOTE, Verb.ROLLBACK, Verb.WHY):
        return _with_stage(verb, words)
    return _extra(Command(verb=verb), words[0]) if words else Command(verb=verb)


def _with_stage(verb: Verb, words: list[str]) -> Command | CommandFault:
    if not words:
        return CommandFault(code=Code.COMMAND_ARGUMENTS, suggestion=USAGE[verb])
    stage = STAGE_ALIASES.get(words[0].lower())
    if stage is None:
        close = get_close_matches(words[0].lower(), list(STAGE_ALIASES), n=1, cutoff=0.6)
        suggestion = str(Command(verb=verb, stage=STAGE_ALIASES[close[0]])) if close else USAGE[verb]
        return CommandFault(code=Code.STAGE_UNKNOWN, values={"word": Untrusted(words[0])}, suggestion=suggestion)
    command, rest = Command(verb=verb, stage=stage), words[1:]
    if not rest:
        return command
    if verb is Verb.WHY:
        return _extra(command, rest[0])
    to = verb is Verb.ROLLBACK
    if to and rest[0].lower() == "to" and len(rest) > 1:
        to, rest = False, rest[1:]
    sha = _sha(rest[0])
    if isinstance(sha, Code):
        return _not_a_sha(command, rest[0]) if sha is Code.SHA_MALFORMED else _extra(command, rest[0])
    command = replace(command, sha=sha)
    return _extra(command, rest[1] if rest[1:] else rest[0]) if to or rest[1:] else command


def _clear(words: list[str]) -> Command | CommandFault:
    if not words:
        return CommandFault(code=Code.COMMAND_ARGUMENTS, suggestion=USAGE[Verb.CLEAR])
    if not _VISIBLE_ASCII.fullmatch(words[0]):
        return _not_ascii(words[0], USAGE[Verb.CLEAR])
    sha = _sha(words[0])
    if sha is Code.SHA_MALFORMED:
        return _not_a_sha(Command(verb=Verb.CLEAR, reason=Untrusted("<reason>")), words[0])
    if isinstance(sha, Code):
        return CommandFault(code=Code.COMMAND_ARGUMENTS, suggestion=USAGE[Verb.CLEAR])
    reason = _reason(words[1:])
    if not reason:
        return CommandFault(code=Code.REASON_MISSING, suggestion=f"/clear @{sha} <reason>")
    return Command(verb=Verb.CLEAR, sha=sha, reason=reason)


def _sha(word: str) -> str | Code:
    """The hex digits of `@…`; SHA_MALFORMED for what means to be a commit and is none, else COMMAND_ARGUMENTS."""
    lowered = word.lower()
    if _SHA.fullmatch(lowered):
        return lowered[1:]
    return Code.SHA_MALFORMED if word.startswith("@") or _BARE_SHA.fullmatch(lowered) else Code.COMMAND_ARGUMENTS


def _not_a_sha(command: Command, word: str) -> CommandFault:
    meant = _SHA.fullmatch(f"@{word.lower()}")
    suggestion = str(replace(command, sha=word.lower())) if meant else USAGE[command.verb]
    return CommandFault(code=Code.SHA_MALFORMED, values={"word": Untrusted(word)}, suggestion=suggestion)


def _extra(command: Command, word: str) -> CommandFault:
    return CommandFault(code=Code.COMMAND_ARGUMENTS, values={"word": Untrusted(word)}, suggestion=str(command))


def _reason(words: list[str]) -> Untrusted:
    """One line, as it was typed but for its blanks. Cut rather than refused: a rejection must never wait for style."""
    line = " ".join(" ".join(words).split())
    return Untrusted(line if len(line) <= REASON_LIMIT else line[: REASON_LIMIT - 1].rstrip() + "…")

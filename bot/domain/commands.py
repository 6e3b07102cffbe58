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
from typing import Literal

from markdown_it import MarkdownIt

from bot.domain.codes import Code
from bot.domain.model import STAGE_ALIASES, Stage, Untrusted
from bot.domain.stray_tokens import without_tokens


class Verb(StrEnum):
    """What can be asked for in a comment. `USAGE` says how."""

    PROMOTE = "promote"
    APPROVE = "approve"
    REVOKE = "revoke"
    REJECT = "reject"
    CANCEL = "cancel"
    ROLLBACK = "rollback"
    CLEAR = "clear"
    LOCK = "lock"
    UNLOCK = "unlock"
    WHY = "why"
    POLICY = "policy"
    LINK = "link"
    STATUS = "status"
    HELP = "help"


USAGE: Mapping[Verb, str] = {
    Verb.PROMOTE: "/promote <environment> [@sha] [--break-glass <reason>]",
    Verb.APPROVE: "/approve [@sha]",
    Verb.REVOKE: "/revoke",
    Verb.REJECT: "/reject [@sha] [reason]",
    Verb.CANCEL: "/cancel [reason]",
    Verb.ROLLBACK: "/rollback <environment> [to @sha]",
    Verb.CLEAR: "/clear @sha <reason>",
    Verb.LOCK: "/lock <environment> [for <time>] <reason>",
    Verb.UNLOCK: "/unlock <environment> [reason]",
    Verb.WHY: "/why <environment> [@sha]",
    Verb.POLICY: "/policy [accept <hash>]",
    Verb.LINK: "/link <code>",
    Verb.STATUS: "/status",
    Verb.HELP: "/help",
}
"""How each command is written. Angle brackets: needed; square brackets: may be left out."""

BREAK_GLASS = "--break-glass"
"""The only flag there is."""
LONGEST_LOCK_SECONDS = 30 * 86_400
REASON_LIMIT = 500
"""Characters of a reason that are kept."""

_SHA = re.compile(r"@[0-9a-f]{12,40}")
_BARE_SHA = re.compile(r"[0-9a-f]{7,64}")
_VISIBLE_ASCII = re.compile(r"[!-~]+")
_HASH = re.compile(r"[0-9a-f]{12,64}")
_CODE = re.compile(r"([A-Z]{4})-?([A-Z]{4})-?([A-Z]{4})")
"""A link code, however it was copied. What is wrong with one is never quoted: it may be another's."""
_DURATION = re.compile(r"([0-9]{1,5})([mhd])")
_UNITS: Mapping[str, int] = {"d": 86_400, "h": 3_600, "m": 60}
_MISO = re.compile(r"miso(?:[-:/_](?P<rest>.*))?")
_CLOSE = 0.82
"""How alike a word must be before we say "did you mean": other Apps own /clean, /close, /start, /project, /state."""
_OTHERS = frozenset({"block", "unblock"})
"""Words of other Apps that are as close as that to one of ours."""
_SLASHES = "/\uff0f\u2044\u2215\u29f8\u2571\u27cb"
"""A slash, and what a reader takes for one."""
_LOOKALIKES: Mapping[int, str] = {
    0x0430: "a", 0x0432: "b", 0x0435: "e", 0x043A: "k", 0x043C: "m", 0x043D: "h", 0x043E: "o", 0x0440: "p",
    0x0441: "c", 0x0442: "t", 0x0443: "y", 0x0445: "x", 0x0455: "s", 0x0456: "i", 0x0458: "j", 0x0475: "v", 0x04BB: "h",
    0x04CF: "l", 0x0501: "d", 0x051D: "w", 0x0131: "i", 0x0261: "g", 0x03B1: "a", 0x03B9: "i", 0x03BA: "k",
    0x03BD: "v", 0x03BF: "o", 0x03C1: "p", 0x03C4: "t", 0x03C5: "u",
}  # fmt: skip
"""Cyrillic, Greek and phonetic letters that a reader takes for the Latin ones in our verbs; NFKD finds the rest."""
_FILLERS = "\u115f\u1160\u2800\u3164\uffa0"
"""Letters and symbols that show nothing."""
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
    """Given for promote, rollback, lock, unlock and why; None for the others."""
    sha: str = ""
    """12 to 40 lower-case hex digits, or empty. Always given for clear; with reject it is a ban."""
    reason: Untrusted = field(default=Untrusted(""))
    """One line of at most `REASON_LIMIT` characters. Always given for clear, lock, a ban and break-glass."""
    break_glass: bool = False
    """Promote only: go past the rules that two people may go past."""
    seconds: int = 0
    """Lock only: how long it holds, in whole minutes; 0: until it is taken off."""
    word: Literal["", "accept", "reject"] = ""
    """Policy only: what is to be done with the proposed one; empty: it is to be shown."""
    hash: str = ""
    """Policy only: 12 to 64 lower-case hex digits of the proposal."""
    code: str = field(default="", repr=False)
    """Link only: `XXXX-XXXX-XXXX`."""

    def __str__(self) -> str:
        sha = f"@{self.sha}" if self.sha else ""
        if sha and self.verb is Verb.ROLLBACK:
            sha = f"to {sha}"
        flag = BREAK_GLASS if self.break_glass else ""
        lasts = f"for {_written(self.seconds)}" if self.seconds else ""
        words = (f"/{self.verb}", self.stage or "", sha, flag, lasts, self.word, self.hash, self.code, self.reason)
        return " ".join(word for word in words if word)


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
    if word in _OTHERS:
        return ""
    return next(iter(get_close_matches(word, list(Verb), n=1, cutoff=cutoff)), "")


def _unknown(typed: str, word: str, *, cutoff: float) -> CommandFault:
    close = _close(word, cutoff)
    suggestion = USAGE[Verb(close)] if close else USAGE[Verb.HELP]
    return CommandFault(code=Code.COMMAND_UNKNOWN, values={"word": Untrusted(typed)}, suggestion=suggestion)


def _seen(word: str) -> str:
    """What a reader takes a word for."""
    seen = "".join(c for c in unicodedata.normalize("NFKD", word.lower()) if unicodedata.category(c)[0] in "LNPS")
    return seen.translate(_LOOKALIKES)


def _lookalike(first: str) -> Parsed:
    """A word that holds more than visible ASCII: a fault where a reader would see one of our verbs, else nothing."""
    seen = _seen(first)
    if not seen or seen[0] not in _SLASHES:
        return _NOTHING
    close = _close(seen[1:], 0.7)
    if not close and not _MISO.fullmatch(seen[1:]):
        return _NOTHING
    suggestion = USAGE[Verb(close)] if close else USAGE[Verb.HELP]
    return _not_ascii(first, suggestion)


def _not_ascii(word: str, suggestion: str) -> CommandFault:
    return CommandFault(code=Code.COMMAND_NOT_ASCII, values={"word": Untrusted(word)}, suggestion=suggestion)


def _strange(words: list[str]) -> str:
    return next((word for word in words if not _VISIBLE_ASCII.fullmatch(word)), "")


def _arguments(verb: Verb, words: list[str]) -> Command | CommandFault:
    match verb:
        case Verb.CANCEL:
            return Command(verb=verb, reason=_reason(words))
        case Verb.CLEAR:
            return _sha_and_reason(verb, words)
        case Verb.REJECT:
            # A rejection must never wait for style: whatever is not meant as a commit is its reason.
            return _sha_and_reason(verb, words) if words and _means_a_commit(words[0]) else _rejection(words)
        case Verb.LOCK | Verb.UNLOCK:
            return _locking(verb, words)
        case Verb.PROMOTE:
            return _promotion(words)
        case Verb.LINK:
            return _linking(words)
    strange = _strange(words)
    if strange:
        return _not_ascii(strange, USAGE[verb])
    match verb:
        case Verb.ROLLBACK | Verb.WHY:
            return _with_stage(verb, words)
        case Verb.APPROVE:
            return _with_sha(Command(verb=verb), words)
        case Verb.POLICY:
            return _policy(words)
    return _extra(Command(verb=verb), words[0]) if words else Command(verb=verb)


def _promotion(words: list[str]) -> Command | CommandFault:
    """`/promote <environment> [@sha] [--break-glass <reason>]`. What stands behind the flag is the reason, whole."""
    flags = [place for place, word in enumerate(words) if word.lower() == BREAK_GLASS]
    asked, said = (words[: flags[0]], words[flags[0] + 1 :]) if flags else (words, [])
    strange = _strange(asked)
    if strange:
        before = _with_stage(Verb.PROMOTE, asked[: asked.index(strange)])
        known = isinstance(before, Command) and _means_break_glass(strange)
        return _not_ascii(strange, f"{before} {BREAK_GLASS} <reason>" if known else USAGE[Verb.PROMOTE])
    command = _with_stage(Verb.PROMOTE, asked)
    if not flags or not isinstance(command, Command):
        return command
    suggestion = f"{command} {BREAK_GLASS} <reason>"
    if said and _means_a_commit(said[0]):
        # Behind the flag it would be part of the reason, and another release than the one that was meant would go.
        suggestion = suggestion if command.sha else f"/promote {command.stage} @sha {BREAK_GLASS} <reason>"
        return CommandFault(code=Code.COMMAND_ARGUMENTS, values={"word": Untrusted(said[0])}, suggestion=suggestion)
    reason = _reason(said)
    if not reason:
        return CommandFault(code=Code.REASON_MISSING, suggestion=suggestion)
    return replace(command, break_glass=True, reason=reason)


def _with_stage(verb: Verb, words: list[str]) -> Command | CommandFault:
    if not words:
        return CommandFault(code=Code.COMMAND_ARGUMENTS, suggestion=USAGE[verb])
    stage = STAGE_ALIASES.get(words[0].lower())
    if stage is None:
        if words[0].startswith("-"):
            return CommandFault(code=Code.FLAG_UNKNOWN, values={"word": Untrusted(words[0])}, suggestion=USAGE[verb])
        close = get_close_matches(words[0].lower(), list(STAGE_ALIASES), n=1, cutoff=0.6)
        meant = str(Command(verb=verb, stage=STAGE_ALIASES[close[0]])) if close else ""
        suggestion = f"{meant} <reason>" if meant and verb is Verb.LOCK else meant or USAGE[verb]
        return CommandFault(code=Code.STAGE_UNKNOWN, values={"word": Untrusted(words[0])}, suggestion=suggestion)
    return _with_sha(Command(verb=verb, stage=stage), words[1:])


def _with_sha(command: Command, rest: list[str]) -> Command | CommandFault:
    """The command with the commit that may follow: `@sha`, or `to @sha` for a rollback. Nothing stands behind it."""
    if not rest:
        return command
    to = command.verb is Verb.ROLLBACK
    if to and rest[0].lower() == "to" and len(rest) > 1:
        to, rest = False, rest[1:]
    sha = _sha(rest[0])
    if isinstance(sha, Code):
        return _not_a_sha(command, rest[0]) if sha is Code.SHA_MALFORMED else _extra(command, rest[0])
    command = replace(command, sha=sha)
    return _extra(command, rest[1] if rest[1:] else rest[0]) if to or rest[1:] else command


def _locking(verb: Verb, words: list[str]) -> Command | CommandFault:
    """`/lock <environment> [for <time>] <reason>` and `/unlock <environment> [reason]`."""
    if words and _strange(words[:1]):
        return _not_ascii(words[0], USAGE[verb])
    command = _with_stage(verb, words[:1])
    if not isinstance(command, Command):
        return command
    rest = words[1:]
    if verb is Verb.LOCK and rest:
        if rest[0].lower() == "for":
            seconds = _seconds(rest[1]) if rest[1:] else 0
            if not seconds:
                return _not_a_time(command, rest[1] if rest[1:] else rest[0])
            command, rest = replace(command, seconds=seconds), rest[2:]
        elif _seen(rest[0]) == "for":
            return _not_ascii(rest[0], f"{command} for 2h <reason>")
        elif _DURATION.fullmatch(rest[0].lower()):
            # Without `for` it would be part of the reason, and the lock would have no end.
            return _not_a_time(command, rest[0])
    if rest and rest[0].startswith("--"):
        return _extra(command, rest[0])
    reason = _reason(rest)
    if verb is Verb.LOCK and not reason:
        return CommandFault(code=Code.REASON_MISSING, suggestion=f"{command} <reason>")
    return replace(command, reason=reason)


def _seconds(word: str) -> int:
    """Of `30m`, `2h` or `3d`; 0 for what is no such time, or no time at all, or too long."""
    match = _DURATION.fullmatch(word.lower())
    seconds = int(match[1]) * _UNITS[match[2]] if match else 0
    return seconds if seconds <= LONGEST_LOCK_SECONDS else 0


def _written(seconds: int) -> str:
    unit = next((name for name, size in _UNITS.items() if seconds % size == 0), "m")
    return f"{seconds // _UNITS[unit]}{unit}"


def _not_a_time(command: Command, word: str) -> CommandFault:
    lasts = _written(_seconds(word) or 7_200)
    return CommandFault(
        code=Code.DURATION_MALFORMED, values={"word": Untrusted(word)}, suggestion=f"{command} for {lasts} <reason>"
    )


def _rejection(words: list[str]) -> Command:
    return Command(verb=Verb.REJECT, reason=_reason(words))


def _means_a_commit(word: str) -> bool:
    """Whether a word at the place of a commit is meant as one, well written or not, and not as a word of a reason."""
    if unicodedata.normalize("NFKC", word).startswith("@"):
        return True
    lowered = word.lower()
    return bool(_BARE_SHA.fullmatch(lowered)) and any(character.isdigit() for character in lowered)


def _sha_and_reason(verb: Verb, words: list[str]) -> Command | CommandFault:
    """`/clear @sha <reason>` and `/reject @sha <reason>`."""
    usage = f"/{verb} @sha <reason>"
    if not words:
        return CommandFault(code=Code.COMMAND_ARGUMENTS, suggestion=usage)
    if _strange(words[:1]):
        return _not_ascii(words[0], usage)
    sha = _sha(words[0])
    if sha is Code.SHA_MALFORMED:
        found = _not_a_sha(Command(verb=verb, reason=Untrusted("<reason>")), words[0])
        return replace(found, suggestion=found.suggestion if found.suggestion != USAGE[verb] else usage)
    if isinstance(sha, Code):
        return CommandFault(code=Code.COMMAND_ARGUMENTS, values={"word": Untrusted(words[0])}, suggestion=usage)
    reason = _reason(words[1:])
    if not reason:
        return CommandFault(code=Code.REASON_MISSING, suggestion=f"/{verb} @{sha} <reason>")
    return Command(verb=verb, sha=sha, reason=reason)


def _policy(words: list[str]) -> Command | CommandFault:
    """`/policy`, `/policy accept <hash>` and `/policy reject <hash>`."""
    if not words:
        return Command(verb=Verb.POLICY)
    match words[0].lower():
        case "accept" | "reject" as word:
            digits = words[1].lower() if words[1:] else ""
            if not _HASH.fullmatch(digits):
                return CommandFault(
                    code=Code.COMMAND_ARGUMENTS,
                    values={"word": Untrusted(words[1] if words[1:] else words[0])},
                    suggestion=f"/policy {word} <hash>",
                )
            command = Command(verb=Verb.POLICY, word=word, hash=digits)
            return _extra(command, words[2]) if words[2:] else command
    return _extra(Command(verb=Verb.POLICY), words[0])


def _linking(words: list[str]) -> Command | CommandFault:
    """`/link <code>`, and nothing behind it."""
    code = _CODE.fullmatch(words[0].upper()) if len(words) == 1 else None
    if code is None:
        return CommandFault(code=Code.COMMAND_ARGUMENTS, suggestion=USAGE[Verb.LINK])
    return Command(verb=Verb.LINK, code="-".join(code.groups()))


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
    """A word too many, or a flag that does not exist."""
    suggestion = f"{command} <reason>" if command.verb is Verb.LOCK else str(command)
    if not word.startswith("-"):
        return CommandFault(code=Code.COMMAND_ARGUMENTS, values={"word": Untrusted(word)}, suggestion=suggestion)
    if command.verb is Verb.PROMOTE and _means_break_glass(word):
        suggestion = f"{command} {BREAK_GLASS} <reason>"
    return CommandFault(code=Code.FLAG_UNKNOWN, values={"word": Untrusted(word)}, suggestion=suggestion)


def _means_break_glass(word: str) -> bool:
    """Whether a reader sees the flag in it: other dashes, one too few, a letter too many, a `=`."""
    name = "".join("-" if unicodedata.category(c) == "Pd" or c == "\u2212" else c for c in word.lower())
    return bool(get_close_matches(name.strip("-").partition("=")[0], [BREAK_GLASS.strip("-")], cutoff=0.75))


def _reason(words: list[str]) -> Untrusted:
    """One line, as it was typed but for blanks and tokens. Cut rather than refused; empty where nothing can be seen."""
    line = without_tokens(" ".join(" ".join(words).split()))
    if not any(unicodedata.category(character)[0] in "LNPS" for character in line if character not in _FILLERS):
        return Untrusted("")
    return Untrusted(line if len(line) <= REASON_LIMIT else line[: REASON_LIMIT - 1].rstrip() + "…")

"""One row of the table of reason codes, and the words that its sentences may leave open.

Used by the parts of the table and by `bot.domain.messages.refusals`. A placeholder has a phrase for when nobody
gives a value, so that every sentence can be said with what is known; and a writer, so that every value is escaped in
exactly one place.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from bot.domain.decision import Fixer
from bot.domain.messages.escape import quote
from bot.domain.model import PERMISSION_RANK, Stage


@dataclass(frozen=True)
class Entry:
    """What is said for one code. Sentence and hint are Markdown; `{name}` is one of `PLACEHOLDERS`."""

    title: str
    """A few words for a headline, without full stop."""
    sentence: str
    """What was refused or went wrong, and why."""
    hint: str
    """What to do next; empty when there is nothing to do."""
    who: Fixer
    command: str = "/help"
    """The `{command}` of the hint when nobody gives one."""


Value = str | int


def commit(value: Value) -> str:
    """A commit's first twelve digits: the shortest form that commands take back."""
    text = str(value).lower()
    return f"`{text[:12]}`" if re.fullmatch(r"[0-9a-f]{7,40}", text) else quote(str(value), 60)


def digest(value: Value) -> str:
    """An image digest, shortened for reading."""
    text = str(value)
    return f"`{text[:19]}…`" if re.fullmatch(r"sha256:[0-9a-f]{64}", text) else quote(text, 60)


def _word_of(words: Mapping[str, object]) -> Callable[[Value], str]:
    return lambda value: str(value) if str(value) in words else quote(str(value), 60)


def _number(one: str, many: str) -> Callable[[Value], str]:
    def write(value: Value) -> str:
        text = str(value)
        if not re.fullmatch(r"\d{1,9}", text, re.ASCII):
            return quote(text, 60)
        return f"{text} {one if text == '1' else many}"

    return write


def moment(at_us: int) -> str:
    """A time as people write it, in UTC."""
    return datetime.fromtimestamp(at_us // 1_000_000, tz=UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def end(at_us: int) -> str:
    """When something is over: the next full minute in UTC, so that it really is over then."""
    minute = -(-at_us // 60_000_000) * 60
    return datetime.fromtimestamp(minute, tz=UTC).strftime("%Y-%m-%d %H:%M UTC")


def _until(value: Value) -> str:
    """Microseconds, as the end of "until …"; 0 has no end."""
    text = str(value)
    if not re.fullmatch(r"\d{1,18}", text, re.ASCII):
        return quote(text, 60)
    return end(int(text)) if int(text) else "somebody takes it off"


def minutes(value: Value) -> str:
    """A number of minutes in the two largest units that fit."""
    text = str(value)
    if not re.fullmatch(r"\d{1,7}", text, re.ASCII):
        return quote(text, 60)
    hours, rest = divmod(int(text), 60)
    days, hours = divmod(hours, 24)
    counted = ((days, "day"), (hours, "hour"), (rest, "minute"))
    told = [f"{count} {unit}{'' if count == 1 else 's'}" for count, unit in counted if count]
    return " ".join(told[:2]) or "0 minutes"


def _hash(value: Value) -> str:
    """The first digits of a hash, as many as commands want."""
    text = str(value).lower()
    return f"`{text[:12]}`" if re.fullmatch(r"[0-9a-f]{7,64}", text) else quote(str(value), 60)


_ANSWERS: Mapping[str, str] = {
    "timeout": "it did not answer in time",
    "refused": "it refused the connection",
    "reset": "it broke the connection off",
    "tls": "its certificate could not be verified",
    "dns": "its name could not be resolved",
    "redirect": "it answered with a redirect",
    "too_large": "its answer was too large",
    "address_refused": "its address must not be asked",
    "no_host": "Azure gave no host name to ask",
}


def _answer(value: Value) -> str:
    text = str(value)
    status = re.fullmatch(r"status_(\d{3})", text, re.ASCII)
    return f"it answered with HTTP {status[1]}" if status else _ANSWERS.get(text) or quote(text, 60)


@dataclass(frozen=True)
class Placeholder:
    default: str
    """The phrase when no value is given."""
    write: Callable[[Value], str]
    """Makes the phrase from a value; escapes whatever is not of our own vocabulary."""


_STAGES = {stage.value: stage for stage in Stage}

PLACEHOLDERS: Mapping[str, Placeholder] = {
    "stage": Placeholder("this environment", _word_of(_STAGES)),
    "commit": Placeholder("this commit", commit),
    "running": Placeholder("the commit that runs there", commit),
    "digest": Placeholder("another image", digest),
    "role": Placeholder("more", _word_of(PERMISSION_RANK)),
    "needs": Placeholder("one more approval", _number("more approval", "more approvals")),
    "hours": Placeholder("the time that its policy gives", _number("hour", "hours")),
    "seconds": Placeholder("the time that it has", _number("second", "seconds")),
    "limit": Placeholder("the agreed number", _number("command", "commands")),
    "why": Placeholder("it did not answer as it should", _answer),
    "word": Placeholder("That", lambda value: quote(str(value), 60)),
    "command": Placeholder("`/help`", lambda value: quote(str(value), 120)),
    "image": Placeholder("The image", lambda value: quote(str(value))),
    "host": Placeholder("the registry of this image", lambda value: quote(str(value), 100)),
    "environment": Placeholder("This environment", lambda value: quote(str(value), 100)),
    "path": Placeholder("`.github/miso.yml`", lambda value: quote(str(value), 100)),
    "step": Placeholder("the present step", lambda value: quote(str(value), 60)),
    "status": Placeholder("an error", lambda value: quote(f"HTTP {value}", 20)),
    "check": Placeholder("a required check", lambda value: quote(str(value), 100)),
    "branch": Placeholder("this branch or pull request", lambda value: quote(str(value), 100)),
    "minutes": Placeholder("some time", minutes),
    "until": Placeholder("it ends", _until),
    "who": Placeholder("somebody", lambda value: quote(str(value), 120)),
    "team": Placeholder("the people whom the policy names", lambda value: quote(str(value), 80)),
    "instances": Placeholder("more instances", _number("instance", "instances")),
    "zones": Placeholder("more zones", _number("zone", "zones")),
    "key": Placeholder("one of its keys", lambda value: quote(str(value), 80)),
    "part": Placeholder("a part of it", lambda value: quote(str(value), 40)),
    "version": Placeholder("the accepted version", lambda value: quote(f"version {value}", 40)),
    "hash": Placeholder("with that hash", _hash),
    # These three stand at the end of a sentence and say nothing when nothing is known.
    "reason": Placeholder("", lambda value: f": {quote(str(value), 300)}"),
    "was": Placeholder("", lambda value: f": it was {quote(str(value), 80)}"),
    "now": Placeholder("", lambda value: f", and is {quote(str(value), 80)} now"),
}
"""Every name that a sentence may leave open. Values under any other name are ignored."""

"""How the values of a policy are written: durations, hosts, branches, days, people. Text in, checked values out.

Used by `bot.domain.policy_keys` only. A ValueError says what is wrong, in words that follow the key.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from bot.domain.catalog import parse_guid
from bot.domain.model import STAGE_ALIASES, Stage
from bot.domain.rules import PUBLIC

_HOST = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?(?::[0-9]{1,5})?", re.ASCII)
# https://git-scm.com/docs/git-check-ref-format, without what only looks like another name.
_BRANCH = re.compile(r"(?!.*(?:\.\.|//|@\{))[^\s\x00-\x20\x7f~^:?*\[\\/][^\s\x00-\x20\x7f~^:?*\[\\]*(?<![./])(?:/\*)?")
_DURATION = re.compile(r"(0|[1-9][0-9]{0,5})([mhd])", re.ASCII)
_NAMED = re.compile(r"[!-~]{1,200}", re.ASCII)
_MINUTES = {"m": 1, "h": 60, "d": 1440}
HOUR = 60


def duration(text: object) -> int:
    """Minutes of `90m`, `2h` or `3d`. Raises ValueError with what is wrong."""
    if isinstance(text, int) and not isinstance(text, bool):
        raise ValueError(f"must have a unit, like {text}m, {text}h or {text}d")
    match = _DURATION.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError("must be a duration with one unit, like 90m, 2h or 3d")
    return int(match[1]) * _MINUTES[match[2]]


def lasting(least: str, most: str, unit: int = 1) -> BeforeValidator:
    """A duration between two others, in minutes, or in whole hours with `unit=60`."""
    low, high = duration(least), duration(most)

    def read(value: object) -> int:
        minutes = duration(value)
        if not low <= minutes <= high or minutes % unit:
            raise ValueError(f"must lie between {least} and {most}" + (", in whole hours" if unit == HOUR else ""))
        return minutes // unit

    return BeforeValidator(read, json_schema_input_type=Annotated[str, Field(pattern=f"^{_DURATION.pattern}$")])


def _registry(value: str) -> str:
    if value != PUBLIC and not (_HOST.fullmatch(value) and set(".:") & set(value)):
        raise ValueError(f"must be a host in lower case, like example.azurecr.io, or {PUBLIC}")
    return value


def _branch(value: str) -> str:
    if not _BRANCH.fullmatch(value):
        raise ValueError("must be a branch, or release/* for all below release/")
    return value


def _day(value: str) -> str:
    try:
        return date.fromisoformat(value).isoformat()
    except ValueError:
        raise ValueError("must be a day, like 2026-12-25") from None


def _guid(value: str) -> str:
    guid = parse_guid(value)
    if guid is None:
        raise ValueError("must be the environment's GUID")
    return guid


def _named(value: str) -> str:
    if not _NAMED.fullmatch(value):
        raise ValueError("must be an id or a value, without blanks")
    return parse_guid(value) or value


def role_alone(value: object) -> object:
    return {"role": value} if isinstance(value, str) else value


def distinct(what: Callable[[Any], object], name: str) -> AfterValidator:
    def check(items: tuple[Any, ...]) -> tuple[Any, ...]:
        seen: set[object] = set()
        for item in items:
            if what(item) in seen:
                raise ValueError(f"holds {name} {what(item)} twice")
            seen.add(what(item))
        return items

    return AfterValidator(check)


# Strict models take no list for a tuple, and only a tuple stays as it is.
LIST = BeforeValidator(lambda value: tuple(value) if isinstance(value, list) else value)

Role = Literal["write", "maintain", "admin"]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9](?:[A-Za-z0-9 ._-]{0,58}[A-Za-z0-9])?$")]
Registry = Annotated[str, AfterValidator(_registry)]
Branch = Annotated[str, Field(max_length=200), AfterValidator(_branch)]
Day = Annotated[str, AfterValidator(_day)]
Guid = Annotated[str, AfterValidator(_guid)]
StageWord = Annotated[
    Stage, BeforeValidator(lambda value: STAGE_ALIASES.get(value, value) if isinstance(value, str) else value)
]
Ids = Annotated[
    tuple[Annotated[int, Field(gt=0, lt=2**63)], ...], Field(max_length=50), LIST, distinct(lambda id_: id_, "id")
]
Named = Annotated[
    tuple[Annotated[str, AfterValidator(_named)], ...], Field(max_length=50), LIST, distinct(lambda name: name, "name")
]
"""What another service calls a group or a role: ids and values, never what people are shown."""

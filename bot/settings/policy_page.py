"""The page about the policy, `docs/policy.md`: every key with its meaning, its default, and what is tighter.

Written from the models by `python -m bot.settings policy`; a test holds the file current. Reads no file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from bot.domain.policy_keys import Override, PolicyKeys
from bot.domain.policy_parts import AvailabilityKeys, CheckKeys, FreezeKeys, GroupKeys, RoleKeys, WhoKeys
from bot.domain.repository_config import PATH
from bot.domain.tightness import KEYS, SET_KEYS

_HEAD = f"""# The policy

<!-- Written by `python -m bot.settings policy`; change `policy_keys.py` or `tightness.py` instead. -->

`policy.yml` in `MISO_CONFIG_DIR` says who may do what in each stage. All faults are told at once, each with its line;
[its JSON Schema](../config/schemas/policy.yml.schema.json) lets an editor tell them earlier. An unknown fact never
satisfies any of it.

What counts is not the file but the newest version that the ledger accepted. A controller offers its file when it
starts. It is accepted at once unless it allows more in production, or changes who watches over production; then two
administrators must agree with `/policy accept`. An approval is bound to the policy: when that changes, it is asked for
anew.

A repository may make the policy tighter, stage by stage, under `policy:` in `{PATH}` on its default branch.
For each key the tighter value counts; in the tables, *tighter* says which one that is. What is looser is told on the
pull request that says it, and does not count. Lists of demands (groups, checks, freezes) add up.

Durations have one unit: `90m`, `2h`, `3d`. Teams, accounts and Apps are named by their numeric ids, because names can
be taken over.
"""

_PARTS: tuple[tuple[str, str, type[BaseModel]], ...] = (
    (
        "People",
        "`request`, `approve`, `rollback` and `operators` are written as a role alone (`approve: maintain`), or with"
        " these keys. The role is a floor for everybody; teams and users, where given, are the only ones beside it.",
        WhoKeys,
    ),
    ("Groups", "Each of `groups` has a name, and people as above.", GroupKeys),
    ("Checks", "Each of `checks`. The newest check run of that name and App counts.", CheckKeys),
    (
        "Freezes",
        "Each of `freezes`, in wall clock of its zone: 60 hours from Friday 18:00 end on Monday at 06:00, also when the"
        " clocks change in between. `repeats` takes what recurs by days or slower. A freeze is looked at again before"
        " the first write.",
        FreezeKeys,
    ),
    ("Availability", "", AvailabilityKeys),
    (
        "Roles",
        "Each of `roles`, by its name. What a role may do stands in [the table of roles](roles.md).",
        RoleKeys,
    ),
)
_TIGHTER = {key.name: key.tighter for key in (*KEYS, *SET_KEYS)}


def markdown() -> str:
    """The whole page."""
    out = [_HEAD, "## The whole file", "", *_table(PolicyKeys, tighter=True)]
    out += ["", "## A stage", "", "Below `stages:`, one of these for each stage. Every key may be left out."]
    out += ["", *_table(Override, tighter=True)]
    out += [
        "",
        "## An environment",
        "",
        "Below `environments:`, by its GUID: `stage`, which must be the one that it is registered with, and the keys"
        " that differ from that stage's.",
    ]
    for title, text, model in _PARTS:
        out += ["", f"## {title}", "", *([text, ""] if text else []), *_table(model, tighter=False)]
    return "\n".join(out) + "\n"


def _table(model: type[BaseModel], *, tighter: bool) -> Iterator[str]:
    yield "| Key | Default | Meaning |" + (" Tighter is |" if tighter else "")
    yield "|---|---|---|" + ("---|" if tighter else "")
    for name, field in model.model_fields.items():
        key = field.alias or name
        row = f"| `{key}` | {_default(field)} | {_meaning(field)} |"
        yield row + (f" {_tighter(key)} |" if tighter else "")


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "**required**"
    default: Any = field.get_default(call_default_factory=True, validated_data={})
    if default is PydanticUndefined or isinstance(default, dict):
        return "–"
    if isinstance(default, BaseModel):
        default = default.model_dump()
    return f"`{_written(default)}`" if default not in ((), "") else "–"


def _meaning(field: FieldInfo) -> str:
    said = field.description or ""
    examples = [_written(example) for example in field.examples or []]
    return " ".join([said, *(f"E.g. `{example}`." for example in examples)]).strip() or "–"


def _written(value: Any) -> str:
    """A value as YAML on one line."""
    match value:
        case bool():
            return str(value).lower()
        case dict():
            return "{" + ", ".join(f"{key}: {_written(inner)}" for key, inner in value.items()) + "}"
        case list() | tuple():
            return "[" + ", ".join(map(_written, value)) + "]"
        case str():
            return json.dumps(value) if set(value) & set("{}[],:#") and "T" not in value else value
        case _:
            return str(value)


def _tighter(key: str) -> str:
    parts = [f"{name}: {text}" for name, text in _TIGHTER.items() if name.startswith(f"{key}.")]
    return _TIGHTER.get(key) or "; ".join(part.removeprefix(f"{key}.") for part in parts) or "–"

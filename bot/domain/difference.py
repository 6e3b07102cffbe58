"""What would change if one plan followed another, in short phrases for the card that an approver reads.

Called by the verbs that show a plan. Settings are told by name, never by value; the rest is the operator's registry.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bot.domain.model import Plan, TargetKind
from bot.domain.plan import digest, shape

_SHOWN = 19
"""`sha256:` and twelve digits: enough to compare by eye."""


def difference(old: Plan | None, new: Plan) -> tuple[str, ...]:
    """Phrases in a fixed order: image, settings, other properties, then what that does to what runs.

    Empty when nothing would change. The values come from the registry and from `.github/miso.yml`: escape them.
    """
    if old is None:
        return (f"image {digest(new)[:_SHOWN]}", "first deployment here")
    if old.hash == new.hash:
        return ()
    if old.target is not new.target:
        return (f"image {digest(new)[:_SHOWN]}", f"moves from {old.target} to {new.target}")
    found: list[str] = []
    if digest(old) != digest(new):
        found.append(f"image {digest(old)[:_SHOWN]} → {digest(new)[:_SHOWN]}")
    found += _of_settings(_settings(old), _settings(new))
    found += _of_properties(dict(_leaves(_rest(old))), dict(_leaves(_rest(new))))
    return (*found, _effect(old, new))


def _effect(old: Plan, new: Plan) -> str:
    if new.target is TargetKind.WEB_APP:
        return "enters the slot, then swaps with production"
    if shape(old.body) != shape(new.body):
        return "the container group is deleted and created again"
    return "all containers restart"


def _of_settings(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[str]:
    for name in sorted(old.keys() | new.keys()):
        if name not in old:
            yield f"setting {name} added"
        elif name not in new:
            yield f"setting {name} removed"
        elif old[name] != new[name]:
            yield f"setting {name} changed"


def _of_properties(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    for path in sorted(old.keys() | new.keys()):
        if old.get(path) != new.get(path):
            yield f"{path} {old.get(path, 'unset')} → {new.get(path, 'unset')}"


def _settings(plan: Plan) -> Mapping[str, str]:
    if plan.target is TargetKind.WEB_APP:
        return dict(plan.body["settings"])
    container = plan.body["properties"]["containers"][0]["properties"]
    return {v["name"]: v["value"] for v in container.get("environmentVariables", ())}


def _rest(plan: Plan) -> Any:
    return plan.body["slot"] if plan.target is TargetKind.WEB_APP else plan.body


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every property but image and settings, which are told on their own."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if name not in ("image", "linuxFxVersion", "environmentVariables"):
                # ARM wraps everything in "properties"; a reader gains nothing from the word.
                yield from _leaves(inner, path if name == "properties" else f"{path}.{name}".lstrip("."))
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for at, inner in enumerate(value):
            yield from _leaves(inner, f"{path}[{at}]")
    else:
        yield path, value

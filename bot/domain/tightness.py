"""Which of two policies allows more, key by key: one table says for each key what is tighter.

Used where a repository may only tighten (`tighten`, `ignored`), where a policy is accepted into the ledger
(`loosens_production`, `difference`), and for the page about the keys. It decides nothing about a release.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from bot.domain import narrower
from bot.domain.identity import Role
from bot.domain.model import ProbeKind, Stage
from bot.domain.narrower import NO_BRANCH, NO_HOST, NOBODY
from bot.domain.policy_keys import Override
from bot.domain.rules import Concurrency, Members, Policy, PolicySet, Who


@dataclass(frozen=True, kw_only=True)
class Key:
    """One key of a policy, as it is written, and which of two values allows less."""

    name: str
    attribute: str
    within: Callable[[Any, Any], bool]
    """`within(base, other)`: `other` allows nothing that `base` does not."""
    meet: Callable[[Any, Any], Any]
    """`meet(base, other)`: the tighter of both, or what both allow."""
    show: Callable[[Any], str]
    tighter: str
    """In a word, for people."""
    adds: bool = False
    """A list of demands: what is said counts beside what is there."""


def looser(base: Policy, other: Policy) -> tuple[str, ...]:
    """The keys in which `other` allows something that `base` does not."""
    return tuple(key.name for key in KEYS if not key.within(*_both(key, base, other)))


def tighten(base: Policy, override: Override) -> Policy:
    """The tighter of both in every key. Never looser than `base`, whatever the override says."""
    said = override.changes()
    found = {
        key.attribute: key.meet(getattr(base, key.attribute), said[key.attribute])
        for key in KEYS
        if key.attribute in said
    }
    if "groups" in found:
        # So many of a group cannot approve where fewer approvals end the question.
        enough = max((group.count for group in found["groups"]), default=0)
        found["approvals"] = max(found.get("approvals", base.approvals), enough)
    return replace(base, **found)


def ignored(base: Policy, override: Override) -> tuple[tuple[str, str], ...]:
    """The keys of an override that are looser than `base`, each with what counts instead."""
    said, result = override.changes(), tighten(base, override)
    found = []
    for key in KEYS:
        if key.name.split(".")[0] not in override.said or key.attribute not in said or key.adds:
            continue
        wanted, standing = said[key.attribute], getattr(base, key.attribute)
        if isinstance(wanted, Who):
            wanted = _who_said(wanted, getattr(override, key.name).model_fields_set, standing)
        if not key.within(standing, wanted):
            found.append((key.name, key.show(getattr(result, key.attribute))))
    return tuple(found)


def difference(old: PolicySet | None, new: PolicySet) -> tuple[str, ...]:
    """What changed, in plain phrases: `production.approvals 1 → 2`. With no `old`: what the new one asks for."""
    found: list[str] = []
    for stage in Stage:
        was, now = old.stages.get(stage) if old else None, new.stages.get(stage)
        if was is not None and now is None:
            found.append(f"{stage} has no policy any more, and nothing is allowed there")
        elif now is not None:
            found += _changed(stage, was, now, KEYS)
    for guid in sorted({*(old.environments if old else ()), *new.environments}):
        found += _environment_changed(guid, old, new)
    return (*found, *_changed("", old, new, SET_KEYS))


def loosens_production(old: PolicySet, new: PolicySet) -> tuple[str, ...]:
    """The keys that allow more in production, or change who watches over it. Empty: it may count at once."""
    found = [key.name for key in SET_KEYS if not key.within(*_both(key, old, new))]
    places = {Stage.PRODUCTION.value: ""} | {
        f"environments.{guid}": guid for guid in sorted({*old.environments, *new.environments})
    }
    for name, guid in places.items():
        # An entry for another stage never counted in production; what counts there without it is the stage's.
        was = old.at(guid, Stage.PRODUCTION) or old.stages.get(Stage.PRODUCTION)
        now = new.at(guid, Stage.PRODUCTION)
        if now is None:
            continue
        found += [name] if was is None else [f"{name}.{key}" for key in looser(was, now)]
    return tuple(found)


# --- the table -------------------------------------------------------------------------------------------------------


def _ranked(name: str, tighter: str, rank: Callable[[Any], float], attribute: str = "", show: Any = str) -> Key:
    """A key whose values stand in one order; the higher rank is the tighter value."""
    return Key(
        name=name,
        attribute=attribute or name,
        within=lambda base, other: rank(other) >= rank(base),
        meet=lambda base, other: max(base, other, key=rank),
        show=show,
        tighter=tighter,
    )


def _people(name: str) -> Key:
    tighter = "a higher role; teams or users where none were named; fewer of those named"
    return Key(
        name=name,
        attribute=name,
        within=narrower.who_within,
        meet=narrower.who_meet,
        show=_who,
        tighter=tighter,
    )


def _demands(name: str, covers: Callable[[Any, Any], bool], show: Callable[[Any], str]) -> Key:
    return Key(
        name=name,
        attribute=name,
        within=narrower.demands_within(covers),
        meet=narrower.demands_meet(covers),
        show=lambda items: ", ".join(map(show, items)) or "none",
        tighter="more; what is said counts beside what is there",
        adds=True,
    )


def _listed(name: str, within: Any, meet: Any, nothing: str, everything: str) -> Key:
    return Key(
        name=name,
        attribute=name,
        within=within,
        meet=meet,
        show=lambda items: "none" if set(items) == {nothing} else ", ".join(items) or everything,
        tighter="fewer, or a list where there was none" if name == "registries" else "fewer",
    )


def _flag(name: str, tight: bool) -> Key:
    return _ranked(name, str(tight).lower(), lambda value: value is tight, show=lambda value: str(value).lower())


def _who(who: Who) -> str:
    if set(who.users) == {NOBODY} and not who.teams:
        return "nobody"
    parts = [f"teams {', '.join(map(str, who.teams))}"] if who.teams else []
    parts += [f"users {', '.join(map(str, who.users))}"] if who.users else []
    return f"{who.role} ({' or '.join(parts)})" if parts else who.role


def _roles(roles: Mapping[Role, Members]) -> str:
    return "; ".join(f"{role}: {_members(roles[role])}" for role in Role if role in roles) or "none"


def _members(members: Members) -> str:
    said = {
        "teams": members.teams,
        "users": members.users,
        "groups": members.groups,
        "app roles": members.app_roles,
    }
    return " or ".join(f"{name} {', '.join(map(str, some))}" for name, some in said.items() if some)


def _lasting(minutes: int) -> str:
    unit, size = next((u, s) for u, s in (("d", 1440), ("h", 60), ("m", 1)) if minutes % s == 0)
    return f"{minutes // size}{unit}" if minutes else "0m"


def _hours(hours: int) -> str:
    return f"{hours}h"


KEYS: tuple[Key, ...] = (
    _ranked("approvals", "more", lambda count: count),
    _demands("groups", narrower.group_covers, lambda group: f"{group.count} of {group.name}: {_who(group.who)}"),
    _people("request"),
    _people("approve"),
    _people("rollback"),
    _ranked("approval_hours", "fewer", lambda hours: -hours),
    _ranked("unknown_author_needs", "more; -1 is tightest", lambda count: 1000 if count < 0 else count),
    _listed("registries", narrower.hosts_within, narrower.hosts_meet, NO_HOST, "any host of the installation"),
    _demands("checks", narrower.check_covers, lambda check: f"{check.name} (app {check.app_id})"),
    _ranked("soak", "longer", lambda minutes: minutes, "soak_minutes", _lasting),
    _listed("branches", narrower.branches_within, narrower.branches_meet, NO_BRANCH, "the default branch"),
    _flag("open_pull_requests", False),
    _demands("freezes", narrower.freeze_covers, lambda freeze: str(freeze.name)),
    _ranked("concurrency", "supersede", lambda value: value is Concurrency.SUPERSEDE),
    _ranked("wait", "shorter", lambda hours: -hours, "wait_hours", _hours),
    _ranked("remind", "shorter", lambda hours: -hours, "remind_hours", _hours),
    _ranked("availability.instances", "more", lambda count: count, "min_instances"),
    _ranked("availability.zones", "more", lambda count: count, "min_zones"),
    _flag("auto_promote", False),
    _ranked("probe", "http", lambda kind: kind is ProbeKind.HTTP),
    _flag("keep_on_identical", False),
    _flag("break_glass", False),
    _flag("device_approvals", False),
)
"""Every field of `Policy`."""


def _same_watch(base: tuple[int, ...], other: tuple[int, ...]) -> bool:
    """Whoever may agree to loosen production changes only by agreement, once there are two who could agree."""
    return len(set(base)) < 2 or set(base) == set(other)


SET_KEYS: tuple[Key, ...] = (
    Key(
        name="administrators",
        attribute="administrators",
        within=_same_watch,
        meet=lambda base, other: base,
        show=lambda ids: ", ".join(map(str, ids)) or "none",
        tighter="any change counts as looser while two or more are named",
    ),
    _people("operators"),
    _ranked("clear_people", "more", lambda count: count),
    _ranked("break_glass_minutes", "fewer", lambda minutes: -minutes),
    Key(
        name="roles",
        attribute="roles",
        within=narrower.roles_within,
        meet=lambda base, other: base,
        show=_roles,
        tighter="fewer; further viewers, developers and auditors may come at any time",
    ),
)
"""Every field of `PolicySet` beside the policies themselves."""


# --- phrases ---------------------------------------------------------------------------------------------------------

_ALWAYS = {"approvals", "request", "approve", "administrators", "operators", "clear_people", "break_glass_minutes"}
"""Keys that a policy is described with even where they say what they would say by themselves."""


def _changed(
    place: str, was: Policy | PolicySet | None, now: Policy | PolicySet, keys: tuple[Key, ...]
) -> Iterator[str]:
    for key in keys:
        name, new = f"{place}.{key.name}" if place else key.name, getattr(now, key.attribute)
        old = getattr(was if was is not None else type(now)(), key.attribute)
        if was is None:
            if key.name in _ALWAYS or new != old:
                yield f"{name} {key.show(new)}"
        elif new != old:
            shown, shows = key.show(old), key.show(new)
            yield f"{name} {shown} → {shows}" if shown != shows else f"{name} {shows}: changed in its details"


def _environment_changed(guid: str, old: PolicySet | None, new: PolicySet) -> Iterator[str]:
    place = f"environments.{guid}"
    was, now = old.environments.get(guid) if old else None, new.environments.get(guid)
    stage, before = new.environment_stages.get(guid), old.environment_stages.get(guid) if old else None
    if now is None:
        yield f"{place} removed"
    elif was is None:
        yield f"{place} added" + (f" for {stage}" if stage else "")
        yield from _changed(place, new.stages.get(stage) if stage else None, now, KEYS)
    else:
        if stage != before:
            yield f"{place}.stage {before} → {stage}"
        yield from _changed(place, was, now, KEYS)


def _both(key: Key, base: object, other: object) -> tuple[Any, Any]:
    return getattr(base, key.attribute), getattr(other, key.attribute)


def _who_said(wanted: Who, parts: set[str], standing: Who) -> Who:
    """A part that was left out says nothing against what stands."""
    named = wanted if wanted.named else standing
    return Who(role=wanted.role if "role" in parts else standing.role, teams=named.teams, users=named.users)

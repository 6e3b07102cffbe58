"""What is narrower than what: people, hosts, branches, and lists of demands, where one allows no more than the other.

Used by `bot.domain.tightness`, one pair of functions for each kind of value: `…_within(base, other)` says that `other`
allows nothing that `base` does not; `…_meet(a, b)` gives what both allow. Where two have nothing in common the answer
allows nothing at all: an empty list would mean "no limit".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from bot.domain.identity import Role
from bot.domain.model import PERMISSION_RANK
from bot.domain.rules import PUBLIC, PUBLIC_REGISTRIES, Freeze, Group, Members, RequiredCheck, Who

ItemT = TypeVar("ItemT")

NOBODY = -1
"""In `Who.users`: no account has this number, and no actor of ours either."""
NO_HOST = "none.invalid"
"""In `Policy.registries`: a name that never leads anywhere. https://www.rfc-editor.org/rfc/rfc2606#section-2"""
NO_BRANCH = "/"
"""In `Policy.branches`: no branch may be called so. https://git-scm.com/docs/git-check-ref-format"""


def who_within(base: Who, other: Who) -> bool:
    if PERMISSION_RANK[other.role] < PERMISSION_RANK[base.role]:
        return False
    named = set(other.users) - {NOBODY} <= set(base.users) and set(other.teams) <= set(base.teams)
    return not base.named or (other.named and named)


def who_meet(a: Who, b: Who) -> Who:
    """People of a team and people by number are not known to be the same ones, so they have nobody in common."""
    role = max(a.role, b.role, key=lambda role: PERMISSION_RANK[role])
    if not (a.named and b.named):
        named = a if a.named else b
        return Who(role=role, teams=tuple(sorted(named.teams)), users=tuple(sorted(named.users)))
    teams = tuple(sorted(set(a.teams) & set(b.teams)))
    users = tuple(sorted(set(a.users) & set(b.users)))
    return Who(role=role, teams=teams, users=users if teams or users else (NOBODY,))


RELEASING = frozenset({Role.DEPLOYER, Role.APPROVER, Role.OPERATOR, Role.ADMINISTRATOR})
"""Roles with which something moves beyond dev, or whoever watches over it is made another."""


def roles_within(base: Mapping[Role, Members], other: Mapping[Role, Members]) -> bool:
    """Whether nobody gets a role that releases anything."""
    nobody = Members()
    return all(
        set(now) <= set(was)
        for role in RELEASING
        for was, now in zip(_members(base.get(role, nobody)), _members(other.get(role, nobody)), strict=True)
    )


def _members(members: Members) -> tuple[tuple[int | str, ...], ...]:
    return members.teams, members.users, members.groups, members.app_roles


def hosts_within(base: tuple[str, ...], other: tuple[str, ...]) -> bool:
    return not base or (bool(other) and _hosts(other) <= _hosts(base))


def hosts_meet(a: tuple[str, ...], b: tuple[str, ...]) -> tuple[str, ...]:
    if hosts_within(a, b):
        return b if not hosts_within(b, a) else min(a, b)
    return a if hosts_within(b, a) else tuple(sorted(_hosts(a) & _hosts(b))) or (NO_HOST,)


def branches_within(base: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """None named is the default branch, whose name is not known here: it is neither within a list nor around one."""
    if set(other) == {NO_BRANCH}:
        return True
    if not base or not other:
        return not base and not other
    return all(_below_any(pattern, base) for pattern in other)


def branches_meet(base: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    """Where one names branches and the other means the default branch, `base` counts."""
    if not base or not other:
        return base
    both = {pattern for pattern in other if _below_any(pattern, base)}
    both |= {pattern for pattern in base if _below_any(pattern, other)}
    return tuple(sorted(both - {NO_BRANCH})) or (NO_BRANCH,)


def demands_within(covers: Callable[[ItemT, ItemT], bool]) -> Callable[[tuple[ItemT, ...], tuple[ItemT, ...]], bool]:
    """Each demand of `base` is covered by one of `other`."""

    def within(base: tuple[ItemT, ...], other: tuple[ItemT, ...]) -> bool:
        return all(any(covers(new, old) for new in other) for old in base)

    return within


def demands_meet(
    covers: Callable[[ItemT, ItemT], bool],
) -> Callable[[tuple[ItemT, ...], tuple[ItemT, ...]], tuple[ItemT, ...]]:
    """The demands of both, without those that another one covers."""

    def meet(a: tuple[ItemT, ...], b: tuple[ItemT, ...]) -> tuple[ItemT, ...]:
        kept: list[ItemT] = []
        for item in (*a, *b):
            if any(covers(other, item) for other in kept):
                continue
            kept = [other for other in kept if not covers(item, other)]
            kept.append(item)
        return tuple(kept)

    return meet


def group_covers(new: Group, old: Group) -> bool:
    """Whatever satisfies `new` satisfies `old`."""
    return new.count >= old.count and who_within(old.who, new.who)


def check_covers(new: RequiredCheck, old: RequiredCheck) -> bool:
    return new == old


def freeze_covers(new: Freeze, old: Freeze) -> bool:
    """Only what plainly lasts longer; whether two rules mean the same days is not worked out."""
    alike = (new.starts, new.zone, new.repeats) == (old.starts, old.zone, old.repeats)
    return alike and new.minutes >= old.minutes and set(new.exceptions) <= set(old.exceptions)


def _hosts(registries: tuple[str, ...]) -> frozenset[str]:
    public = PUBLIC_REGISTRIES if PUBLIC in registries else frozenset()
    return (frozenset(registries) | public) - {PUBLIC, NO_HOST}


def _below_any(pattern: str, patterns: tuple[str, ...]) -> bool:
    return any(pattern == wide or (wide.endswith("/*") and pattern.startswith(wide[:-1])) for wide in patterns)

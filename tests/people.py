"""Who stands at a door in tests, and a repository as it was just bound for them: nobody is asked outside."""

from __future__ import annotations

from typing import Any, cast

from bot.domain.identity import Door, Principal
from bot.domain.model import Actor, ActorKind, Permission, RepositoryFacts
from bot.services.access import Place


def person(number: int, login: str = "") -> Actor:
    return Actor(kind=ActorKind.PERSON, id=number, login=login)


def at(actor: Actor, door: Door = Door.COMMENT) -> Principal:
    """Somebody known by GitHub's own word."""
    return Principal(actor=actor, door=door)


def with_role(actor: Actor, role: str, binding: Any = None) -> Place:
    """The repository, with this account's role in it. Whoever asks anything else of it finds nothing there."""
    legacy = {"maintain": "write", "triage": "read"}.get(role, role)
    return Place(
        repository=cast(Any, None),
        installation_id=1,
        identity=RepositoryFacts(id=1, full_name="contoso/shop", owner_id=2, default_branch="main"),
        binding=binding,
        person=actor,
        permission=Permission(user_id=actor.id, role_name=role, permission=legacy),
    )

"""Who has an account with a pretend provider, and who sits in front of the browser: the verbs that say so.

Everything takes effect at once: whoever loses a group has lost it in the next token, not in one that was given before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal
from uuid import NAMESPACE_URL, uuid5

from bot.sim.github.problems import Misused
from bot.sim.issuers.codes import Codes
from bot.sim.issuers.keyring import Keyring

MOST_GROUPS = 200
"""More do not fit into a token; https://learn.microsoft.com/security/zero-trust/develop/configure-tokens-group-claims-app-roles"""
Overage = Literal["claim_names", "hasgroups"]


@dataclass(frozen=True, kw_only=True)
class Person:
    """One account. `groups` are object ids, `app_roles` the values that the application declares."""

    name: str
    oid: str
    tenant_id: str | None
    groups: tuple[str, ...] = ()
    app_roles: tuple[str, ...] = ()
    overage: Overage | None = None
    enabled: bool = True

    @property
    def login(self) -> str:
        return f"{self.name}@contoso.example"


@dataclass(frozen=True, kw_only=True)
class Mistake:
    """What the next id_tokens get wrong."""

    claims: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, Any] = field(default_factory=dict)
    algorithm: str = "RS256"
    foreign_key: bool = False


class Directory:
    """`name` is the provider's, by which its keys are called."""

    def __init__(self, name: str, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._people: dict[str, Person] = {}
        self._keys, self._strangers = Keyring(name), Keyring(f"not-{name}")
        self._codes = Codes(clock)
        self._chosen: str | None = None
        self._declines = False
        self._mistake = Mistake()

    def person(
        self,
        name: str,
        *,
        oid: str | None = None,
        tenant_id: str | None = None,
        groups: Sequence[str] = (),
        app_roles: Sequence[str] = (),
        overage: Overage | None = None,
    ) -> str:
        """Somebody with an account; gives its object id. `tenant_id`: of another tenant, so they are nobody here."""
        number = oid or str(uuid5(NAMESPACE_URL, f"https://entra.example/{name}"))
        self._people[name] = Person(
            name=name,
            oid=number,
            tenant_id=tenant_id.lower() if tenant_id else None,
            groups=tuple(groups),
            app_roles=tuple(app_roles),
            overage=overage,
        )
        return number

    def change_person(
        self,
        name: str,
        *,
        groups: Sequence[str] | None = None,
        app_roles: Sequence[str] | None = None,
        overage: Overage | None = None,
        enabled: bool | None = None,
    ) -> None:
        """What is named changes; the rest stays. `enabled=False` is somebody who left the company."""
        person = self._known(name)
        self._people[name] = replace(
            person,
            groups=person.groups if groups is None else tuple(groups),
            app_roles=person.app_roles if app_roles is None else tuple(app_roles),
            overage=person.overage if overage is None else overage,
            enabled=person.enabled if enabled is None else enabled,
        )

    def signs_in(self, person: str | None, *, declines: bool = False) -> None:
        """Who sits in front of the browser from now on; None: whoever presses a button on the page."""
        self._chosen = self._known(person).name if person is not None else None
        self._declines = declines

    def rotate_key(self, *, forget: bool = False) -> str:
        """Sign id_tokens with a new key from now on. `forget` also withdraws the old ones. Gives the new key's id."""
        return self._keys.rotate(forget=forget)

    def mistaken(
        self,
        *,
        claims: Mapping[str, Any] | None = None,
        headers: Mapping[str, Any] | None = None,
        algorithm: str = "RS256",
        foreign_key: bool = False,
    ) -> None:
        """Lay these over the id_tokens from now on (None removes one); without arguments, all is well again."""
        self._mistake = Mistake(
            claims=claims or {}, headers=headers or {}, algorithm=algorithm, foreign_key=foreign_key
        )

    def _signed(self, claims: Mapping[str, Any]) -> str:
        """An id_token, with whatever is to be wrong about it."""
        mistake = self._mistake
        kept = {name: value for name, value in {**claims, **mistake.claims}.items() if value is not None}
        ring, headers = self._keys, dict(mistake.headers)
        if mistake.foreign_key:
            ring, headers = self._strangers, {"kid": self._keys.published()[0]["kid"], **headers}
        return ring.sign(kept, headers=headers, algorithm=mistake.algorithm)

    def _known(self, name: str) -> Person:
        if name not in self._people:
            raise Misused(f"nobody here is called {name}")
        return self._people[name]

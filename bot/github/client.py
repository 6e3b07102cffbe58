"""The window to GitHub that `bot.app` puts into the hall (`bot.context.GitHub`).

It hands out doors to repositories, each with the least that its job needs, and asks the few questions that only the App
itself may ask. It never decides; what it raises is `Refused` or `Transient`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import aiohttp

from bot.domain.model import Account
from bot.domain.permissions import READ_FACTS, READ_TEAMS
from bot.github import faults, shapes
from bot.github.door import PAGE, App, Names, query
from bot.github.facts import Facts
from bot.github.faults import Answer
from bot.github.flight import Flights
from bot.github.reporter import Reporter
from bot.github.tokens import AppKey, Scope, Tokens
from bot.github.transport import Api, Line

NOT_COVERED = (403, 404, 422)
"""What GitHub answers when a token is asked for that the installation cannot give: suspended, gone, not selected."""
MOST_INSTALLATION_PAGES = 50
MOST_TEAM_PAGES = 50


class RepositoryWindow(Facts, Reporter):
    """One repository through one scoped installation token (`bot.context.Repository`)."""


class GitHubWindow:
    """One GitHub, one App, one session. Made once by `bot.app`; `close` when the process ends."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        *,
        app_id: int,
        private_key_pem: bytes,
        api_url: str,
        user_agent: str,
        now_us: Callable[[], int],
        sleep: Callable[[float], Awaitable[None]],
        write_spacing: float,
    ) -> None:
        """`api_url`: `https://api.github.com`, or `https://HOST/api/v3` of an Enterprise Server. `write_spacing`:
        seconds between writes of one installation. Raises `ConfigError` for a key that cannot be used."""
        line = Line(session=session, api_url=api_url.rstrip("/"), user_agent=user_agent, now_us=now_us, sleep=sleep)
        self._now_us = now_us
        self._tokens = Tokens(line, AppKey(app_id, private_key_pem, now_us), write_spacing=write_spacing)
        self._names = Names()
        self._us = App(app_id, self._login)
        self._own_login = ""
        self._installations: dict[int, int] = {}
        self._flights: Flights[dict[int, int]] = Flights()

    def at(self, installation_id: int, repository_id: int, permissions: Mapping[str, str]) -> RepositoryWindow:
        """A door to one repository with exactly these permissions (`bot.domain.permissions`). Asks nothing yet."""
        scope = Scope.of(installation_id, repository_id, permissions)
        return RepositoryWindow(self._tokens, self._names, scope, self._us, self._now_us)

    async def covers(self, installation_id: int, repository_id: int) -> bool:
        """Whether this installation really sees this repository, by GitHub's own word (rule 20).

        GitHub gives no token limited to a repository that an installation does not cover. The token that is asked for
        is the one that the facts are read with next, so a warm one costs nothing.
        """
        for permissions in (READ_FACTS, {"metadata": "read"}):
            try:
                await self._tokens.api(Scope.of(installation_id, repository_id, permissions))
            except Answer as answer:
                # An installation that has not granted everything yet refuses the first set, and covers it all the same.
                if answer.status not in NOT_COVERED:
                    raise
            else:
                return True
        return False

    async def installation_of(self, repository_id: int, owner_id: int) -> int | None:
        """The installation through which our App sees this repository of this owner, by ids alone.

        An App is installed at most once on an account. https://docs.github.com/en/rest/apps/apps#list-installations-for-the-authenticated-app
        """
        known = self._installations.get(owner_id)
        if known is not None and await self.covers(known, repository_id):
            return known
        self._installations = await self._flights.join("all", self._list_installations)
        found = self._installations.get(owner_id)
        if found is None or found == known or not await self.covers(found, repository_id):
            return None
        return found

    async def _list_installations(self) -> dict[int, int]:
        found: dict[int, int] = {}
        for page in range(1, MOST_INSTALLATION_PAGES + 1):
            listed = await self._tokens.app.read(f"/app/installations?per_page=100&page={page}")
            try:
                found |= {int(each["account"]["id"]): int(each["id"]) for each in listed if each["account"]}
            except (KeyError, TypeError, ValueError):
                raise faults.unavailable("GitHub's list of installations was not understood") from None
            if len(listed) < 100:
                break
        return found

    async def team(self, installation_id: int, owner_id: int, team_id: int) -> Sequence[Account] | None:
        """Members of a team of this organisation and of its child teams, by ids alone; None: there is no such team.

        A name can be given to another team; the route by ids stands in a note of the one by names. A token that is
        refused raises, also with 404: only the team itself may be absent.
        https://docs.github.com/en/rest/teams/members#list-team-members
        """
        path = f"/organizations/{int(owner_id)}/team/{int(team_id)}/members"

        async def members(api: Api) -> Sequence[Account] | None:
            try:
                return await _members(api, path)
            except Answer as answer:
                if answer.status != 404:
                    raise
                return None

        return await self._tokens.using(Scope.of(installation_id, None, READ_TEAMS), members)

    async def app(self) -> Mapping[str, Any]:
        """`GET /app`: slug, permissions, events. https://docs.github.com/en/rest/apps/apps#get-the-authenticated-app"""
        data = await self._tokens.app.read("/app")
        if not isinstance(data, dict):
            raise faults.unavailable("GitHub's answer about our App was not understood")
        return data

    async def forget(self, installation_id: int) -> None:
        """Revoke and forget what was given for an installation that was suspended, removed or changed (rule 35)."""
        self._installations = {k: v for k, v in self._installations.items() if v != installation_id}
        await self._tokens.forget(installation_id)

    async def close(self) -> None:
        """Revoke every token before the session closes (rule 35)."""
        await self._tokens.close()

    async def _login(self) -> str:
        """Login of our bot account, `<slug>[bot]`; asked once."""
        if not self._own_login:
            slug = (await self.app()).get("slug")
            if not isinstance(slug, str):
                raise faults.unavailable("GitHub's answer about our App was not understood")
            self._own_login = f"{slug}[bot]"
        return self._own_login


async def _members(api: Api, path: str) -> Sequence[Account]:
    """All of them, or `Transient`: of a team that was not read whole nobody can be said to be outside."""
    found: dict[int, Account] = {}
    for page in range(1, MOST_TEAM_PAGES + 1):
        listed = await api.read(path + query(per_page=PAGE, page=page))
        try:
            found |= {who.id: who for who in map(shapes.person, listed)}
        except (KeyError, TypeError, ValueError):
            raise faults.unavailable("GitHub's list of a team's members was not understood") from None
        if len(listed) < PAGE:
            return tuple(found.values())
    raise faults.unavailable("GitHub's list is longer than we read")

"""Verbs about teams of an organisation, and about Apps beside the guest."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bot.sim.github.problems import Misused
from bot.sim.github.scenario.ground import Ground, Identified
from bot.sim.github.state import Team


class Teams(Ground):
    def create_team(self, org: str, name: str, *, members: Sequence[str] = (), parent: str | None = None) -> Identified:
        """A team with these members. Members of a team below `parent` are members of `parent` too."""
        state, organization = self.github.state, self.person(org)
        if organization.kind != "Organization":
            raise Misused(f"{org} is no organization")
        slug = re.sub(r"[^a-z0-9]+", "-", name.casefold()).strip("-")
        if any((team.organization_id, team.slug) == (organization.id, slug) for team in state.teams.values()):
            raise Misused(f"{org} has a team {slug}")
        above = None if parent is None else self._team(org, parent).id
        team = Team(state.next_id(), organization.id, name, slug, above)
        state.teams[team.id] = team
        for login in members:
            self.add_team_member(org, name, login)
        return {"id": team.id}

    def add_team_member(self, org: str, name: str, login: str) -> None:
        self._team(org, name).members[self.person(login).id] = "member"

    def remove_team_member(self, org: str, name: str, login: str) -> None:
        self._team(org, name).members.pop(self.person(login).id, None)

    def delete_team(self, org: str, name: str) -> None:
        del self.github.state.teams[self._team(org, name).id]

    def create_app(self, slug: str) -> Identified:
        """Another App, which may then report check runs. One is made by its first check run, too."""
        return {"id": self.github.state.app_id(slug)}

    def _team(self, org: str, name: str) -> Team:
        organization = self.person(org)
        for team in self.github.state.teams.values():
            if team.organization_id == organization.id and name.casefold() in (team.name.casefold(), team.slug):
                return team
        raise Misused(f"{org} has no team {name}")

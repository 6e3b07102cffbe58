"""Teams of an organisation, by name and by ids, for an App that may read members.

https://docs.github.com/en/rest/teams/members
"""

from __future__ import annotations

from typing import Any

from bot.sim.github.problems import Problem
from bot.sim.github.routing import Call, Routes
from bot.sim.github.shapes import places
from bot.sim.github.state import State, Team

routes = Routes()


def members_of(state: State, team: Team) -> dict[int, tuple[str, bool]]:
    """User id → role, and whether it comes from a child team alone."""
    found = {number: (role, False) for number, role in team.members.items()}
    for child in state.teams.values():
        if child.parent_id == team.id:
            for number in members_of(state, child):
                found.setdefault(number, ("member", True))
    return found


@routes("GET", "/organizations/{org_id}/team/{team_id}/members", "members:read")
def list_members_by_id(call: Call) -> Any:
    return _members(call, call.state.teams.get(call.number("team_id")), call.number("org_id"))


@routes("GET", "/orgs/{org}/teams/{team_slug}/members", "members:read")
def list_members(call: Call) -> Any:
    organization = call.state.user(call.name("org"))
    wanted = call.name("team_slug").casefold()
    named = (team for team in call.state.teams.values() if team.slug == wanted)
    team = next((team for team in named if team.organization_id == organization.id), None)
    return _members(call, team, organization.id)


def _members(call: Call, team: Team | None, organization_id: int) -> Any:
    """An installation sees teams of its own organisation; all else is absent to it."""
    state, role = call.state, call.request.query.get("role", "all")
    ours = None if call.token is None else state.installations[call.token.installation_id].account_id
    if team is None or team.organization_id != organization_id or organization_id != ours:
        raise Problem(404, "Not Found")
    found = [
        places.user(state, number) | {"role": held, "inherited": inherited}
        for number, (held, inherited) in members_of(state, team).items()
        if role in ("all", held)
    ]
    return call.page(found)

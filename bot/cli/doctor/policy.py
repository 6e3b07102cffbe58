"""Checks of the policy: which one is in force, whether this controller's file is the same, and who could never approve.

It puts nothing in force and asks GitHub for people and teams only.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

from bot.cli.doctor.finding import Finding, fail, failed, ok, warn
from bot.cli.policy.linting import UNREAD, said
from bot.cli.screen import moment
from bot.context import Miso
from bot.domain import policy_story, tightness
from bot.domain.codes import Code
from bot.domain.model import Environment
from bot.domain.policy_story import PEOPLE, Story
from bot.domain.satisfiable import Finding as Impossible
from bot.errors import MisoError
from bot.services import lint, policies
from bot.settings import Settings

AREA = "policy"
SHORT = 12
MEMBERS = "The App needs the permission `members: read`, and the owner of the installation must accept it; else correct"
MEMBERS += " the number of the team in the policy."


async def checks(miso: Miso, settings: Settings) -> AsyncIterator[Finding]:
    """What is in force first, then each application under it."""
    try:
        story = await policies.story(miso)
        for finding in _in_force(story):
            yield finding
        if story.newer:
            return
        yield _file(story, settings)
        if story.accepted is None:
            return
        environments = {each.id: each for each in await miso.store.environments()}
        for application in await miso.store.applications():
            found = await lint.of_application(miso, application)
            for each in found:
                yield _lint(application.name, each, environments.get(each.environment_id))
            if not found:
                yield ok(application.name, AREA, "every environment can be reached and approved")
    except MisoError as fault:
        yield failed(AREA, AREA, fault)


def _in_force(story: Story) -> Iterator[Finding]:
    accepted, proposal = story.accepted, story.proposal
    if story.newer:
        found = "a newer version of Miso wrote the policy; this one cannot read it and allows nothing"
        yield fail(AREA, "in force", found, "Run the same version of Miso everywhere.")
        return
    if accepted is None:
        yield warn(AREA, "in force", "none yet: nothing is allowed", "`miso serve` accepts its policy.yml at start.")
        return
    told = f"version {accepted.version} ({accepted.hash[:SHORT]}), since {moment(accepted.at_us)}"
    yield ok(AREA, "in force", told)
    if proposal is not None:
        missing = PEOPLE - len(proposal.agreed)
        found = f"{proposal.hash[:SHORT]} would make production looser: {', '.join(proposal.loosens)}"
        following = f"{missing} more of the administrators must type `/policy accept {proposal.hash[:SHORT]}` on a pull"
        yield warn(AREA, "waits", found, f"{following} request; or take it back out of the file.")


def _file(story: Story, settings: Settings) -> Finding:
    """Whether this controller's file says what is in force. Nothing is decided by the file."""
    file, hash_ = str(settings.config_dir / "policy.yml"), policy_story.hash_of(settings.policies)
    accepted, proposal = story.accepted, story.proposal
    if accepted is None:
        return ok(AREA, "file", f"{file}: in order")
    if accepted.hash == hash_:
        return ok(AREA, "file", f"{file}: the same as in force")
    changes = "; ".join(tightness.difference(accepted.policies, settings.policies)[:5]) or "the way it is written"
    if proposal is not None and proposal.hash == hash_:
        return warn(AREA, "file", f"{file}: waits for administrators: {changes}", "See above.")
    if story.rejected == hash_:
        following = "Change the file; as it is, it is not brought up again."
        return warn(AREA, "file", f"{file}: an administrator rejected it: {changes}", following)
    return warn(AREA, "file", f"{file}: differs from what is in force: {changes}", "It is judged when Miso starts.")


def _lint(area: str, found: Impossible, environment: Environment | None) -> Finding:
    sentence, hint = said(found)
    check = f"{AREA} for {environment.stage}" if environment else AREA
    if found.code is Code.TEAM_UNKNOWN:
        return fail(area, check, f"{sentence} ({found.code})", MEMBERS)
    make = fail if found.level == "error" or found.code in UNREAD else warn
    return make(area, check, f"{sentence} ({found.code})", hint)

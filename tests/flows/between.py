"""Words for stories that happen between an approval and the effect: GitHub does not give the comment again meanwhile.

Also what the card of a promotion shows in the meantime and afterwards.
"""

from __future__ import annotations

from typing import Any

from bot.domain.model import Status
from bot.sim.scenarios import REPOSITORY
from tests.flows.stage import Stage
from tests.flows.words import waiting


async def held_up(stage: Stage, number: int, who: str, text: str, *, where: str = "production") -> int:
    """Somebody's last word falls, and the effect cannot begin: the comment is read once and then no more.

    Gives the comment. Whatever else goes on is not disturbed.
    """
    made = await stage.sim.comment(REPOSITORY, number, who, text)
    route = f"^github GET .*/issues/comments/{made['id']}$"
    await stage.sim.add_fault(route, "status", status=500, times=None, skip=1)
    await stage.world.delivered()
    await stage.running.worker.settle()
    latest = await stage.latest(where)
    assert latest.status is Status.APPROVED, (latest.code, latest.sentence)
    return int(made["id"])


async def approved_but_waiting(stage: Stage, title: str) -> int:
    """Approved by Bob, while GitHub's silence keeps the effect from beginning. Gives the pull request."""
    pull = await waiting(stage, title)
    await held_up(stage, pull["number"], "bob", "/approve")
    return int(pull["number"])


async def goes_on(stage: Stage) -> None:
    """The outside answers again, and whatever waited for it is due."""
    await stage.sim.clear_faults()
    stage.clock.pass_(601)
    await stage.settle()


async def refused(stage: Stage, code: str) -> None:
    """Production was not touched, and this is why."""
    latest = await stage.latest("production")
    assert (latest.status, latest.code) == (Status.REFUSED, code), await stage.story("production")
    assert stage.effects("swap") == []


async def card(stage: Stage, where: str = "production") -> str:
    """Everything that the check run of an environment's newest promotion shows."""
    stream = (await stage.latest(where)).stream
    [check] = [c for c in (await stage.state())["checks"] if c["external_id"] == stream]
    return f"{check['title']}\n{check['summary']}\n{check['text'] or ''}"


async def sticky(stage: Stage, number: int) -> str:
    """Miso's one comment on a pull request."""
    [body] = [c["body"] for c in await stage.comments(number) if c["via_app"] and "miso:reply" not in c["body"]]
    return str(body)


async def more_people(stage: Stage, *logins: str, role: str = "write") -> dict[str, int]:
    """Colleagues who are no authors of anything. Gives their numeric ids."""
    for login in logins:
        await stage.sim.create_user(login)
        await stage.sim.set_collaborator(REPOSITORY, login, role)
    people: dict[str, int] = await stage.sim.people(REPOSITORY)
    return people


async def checked(stage: Stage, commit: str, *, name: str = "trivy", app: str = "scanner", **how: Any) -> int:
    """A check run of another App on a commit. Gives the App's id."""
    made = await stage.sim.foreign_check(REPOSITORY, name, commit, app=app, **how)
    return int(made["app_id"])

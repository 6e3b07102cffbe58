"""The chapters about decisions: what a change would do, why not, what undoes a yes, and who may lift what stands.

Called by the list of chapters, each with the story so far. As everywhere in the story, people act and GitHub is
watched.
"""

from __future__ import annotations

import json
import re
from typing import Any

from bot.cli.demo.decided import SETTING
from bot.cli.demo.people import Release, View
from bot.cli.demo.story import Story, first_line
from bot.sim.scenarios import REPOSITORY


async def preview(story: Story) -> None:
    """An open pull request tells what it would do, before anything is merged or built."""
    with story.teller.line("ann opens a pull request; its check run tells what each environment would get") as seen:
        pull = await story.ground.sim.open_pull_request(
            REPOSITORY, "ann", "Gift wrapping", {"gift.py": "print('wrapped')\n"}
        )
        story.opened_pull = pull["head_sha"]
        check = await story.people.until(
            "a plan of the open pull request", lambda view: _ended(view, "miso / plan", story.opened_pull)
        )
        seen.shows = f"{check['title']}: {_of(check['summary'], 'production')}"


async def why(story: Story) -> None:
    """The release is held: the comment and the shell give the same reasons."""
    bad = story.people.releases["bad"]
    with story.teller.line("ann types /why production") as seen:
        story.answers["why"] = answer = await story.people.say("ann", "/why production", on=bad)
        seen.shows = first_line(answer)
    with story.teller.line("the operator asks at a shell: miso why shop production --as ann --json") as seen:
        told = await story.ground.controller.run(
            *("why", "shop", "production", "--commit", bad.commit, "--as", "ann", "--json"), codes=(0, 1)
        )
        story.explained = json.loads(told)
        seen.shows = ", ".join(each["code"] for each in story.explained["rules"] if each["code"]) or "no reason"


async def cleared(story: Story) -> None:
    """Two operators lift a hold; one alone does not."""
    bad = story.people.releases["bad"]
    typed = f"/clear @{bad.commit[:12]} the timeout was the database's"
    with story.teller.line("bob types /clear; one operator is not enough") as seen:
        story.answers["clear_once"] = answer = await story.people.say("bob", typed, on=bad)
        seen.shows = first_line(answer)
    with story.teller.line("olga types /clear as well, and it may try again") as seen:
        story.answers["clear_twice"] = answer = await story.people.say("olga", typed, on=bad)
        seen.shows = first_line(answer)


async def frozen(story: Story) -> None:
    """A freeze refuses; a second person may let it pass, and that stays visible."""
    release = story.people.releases["recovered"]
    with story.teller.line("bob types /promote test; the policy that came with the restart froze it") as seen:
        story.answers["frozen"] = answer = await story.people.say("bob", "/promote test", on=release)
        seen.shows = first_line(answer)
    with story.teller.line("bob breaks the glass, with a reason; it waits for a second person") as seen:
        answer = await story.people.say("bob", "/promote test --break-glass baskets are lost", on=release)
        seen.shows = first_line(answer)
    with story.teller.line("olga types /approve; test runs it, and the comment says how it came there") as seen:
        await story.people.say("olga", "/approve", on=release)
        await story.people.runs(release, "test")
        seen.shows = await story.card(release, "test")


async def voided(story: Story) -> None:
    """Somebody approved one plan; another plan is registered; the approval is void."""
    release = story.people.releases["recovered"]
    with story.teller.line("bob types /promote production, ann approves: 1 of 2") as seen:
        await story.people.say("bob", "/promote production", on=release)
        seen.shows = first_line(await story.people.say("ann", "/approve", on=release))
    with story.teller.line("the operator registers one more setting for production") as seen:
        await story.ground.controller.run("register", "-", given=_with_setting(story.registration))
        seen.shows = f"+ {SETTING}"
    with story.teller.line("olga types /approve, and is refused: it is not what ann approved") as seen:
        story.answers["plan_changed"] = answer = await story.people.say("olga", "/approve", on=release)
        seen.shows = next((line for line in answer.splitlines() if "no longer" in line), first_line(answer))
    with story.teller.line("the pull request shows ann's approval as void, and what differs") as seen:
        seen.shows = await story.people.until("a void approval", lambda view: _void(view, release))


async def agreed(story: Story) -> None:
    """The operator takes the stricter rules out of the file again. That alone changes nothing."""
    release, controller = story.people.releases["recovered"], story.ground.controller
    with story.teller.line("the operator puts the old policy file back and restarts the controller") as seen:
        await controller.stop()
        story.ground.policy(administrators=story.administrators)
        await controller.start()
        answer = await story.people.say("bob", "/policy", on=release)
        seen.shows = next((line for line in answer.splitlines() if "looser" in line), first_line(answer))
    typed = next(iter(re.findall(r"/policy accept [0-9a-f]+", answer)), "/policy")
    with story.teller.line("bob agrees; that is one administrator") as seen:
        story.answers["policy_once"] = answer = await story.people.say("bob", typed, on=release)
        story.wanted.append(await _approvals(story, release))
        seen.shows = first_line(answer)
    with story.teller.line("olga agrees as well, and it counts") as seen:
        story.answers["policy_twice"] = answer = await story.people.say("olga", typed, on=release)
        story.wanted.append(await _approvals(story, release))
        seen.shows = first_line(answer)


async def _approvals(story: Story, release: Release) -> int:
    """How many approvals production wants for a release, as an operator reads it at a shell."""
    asked = ("why", "shop", "production", "--commit", release.commit, "--as", "bob", "--json")
    return int(json.loads(await story.ground.controller.run(*asked, codes=(0, 1)))["approvals_needed"])


def _ended(view: View, name: str, sha: str) -> dict[str, Any]:
    check = view.check(name, sha)
    return check if check and check["status"] == "completed" else {}


def _of(markdown: str, environment: str) -> str:
    """The row of an environment in a preview's table."""
    rows = [line for line in markdown.splitlines() if line.startswith(f"| {environment} ")]
    return ", ".join(cell.strip() for cell in rows[0].split("|")[2:] if cell.strip()) if rows else ""


def _void(view: View, release: Release) -> str:
    return next((line for line in view.card(release.pull).splitlines() if "no longer counts" in line), "")


def _with_setting(registration: str) -> str:
    return registration.replace("slot: staging", f"slot: staging\n    settings: {{{SETTING}: '40'}}")

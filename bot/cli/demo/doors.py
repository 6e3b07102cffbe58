"""The chapters about who comes in: a workflow by its ID token, people by a code, and what neither is good for.

Called by the list of chapters, each with the story so far. Nobody has a secret of Azure's or of Miso's at any time;
what opens something for a while is remembered here only to look, at the end, that it was written down nowhere.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from bot.cli.demo import leaks
from bot.cli.demo.browser import browsing
from bot.cli.demo.job import Job
from bot.cli.demo.machine import Machine
from bot.cli.demo.people import Missed, Release
from bot.cli.demo.story import DEPLOY_WORKFLOW, Story, first_line
from bot.sim import scenarios
from bot.sim.scenarios import REPOSITORY


async def workflow(story: Story) -> None:
    """A workflow builds and deploys by itself: its ID token is exchanged for leave to deploy this commit to dev."""
    with story.teller.line("ann merges a change; its workflow pushes the image and is still under way") as seen:
        built, run = await _built(story, "token", "Wishlist", author="ann")
        story.deploy_run, story.people.releases["token"] = run, built
        seen.shows = f"run {run}"
    async with _job(story, run) as job:
        with story.teller.line(
            "its next job runs the action: ID token, exchange, promotion, and the end of it"
        ) as seen:
            story.remembered["status"] = seen.shows = await job.deploys("dev", story.ground.directory)
    with story.teller.line("dev runs it; the end of the workflow deploys nothing a second time") as seen:
        await story.people.runs(built, "dev")
        seen.shows = await story.card(built, "dev")


async def tricks(story: Story) -> None:
    """What such a token does not open, and what gets none; and the keys are changed on the way."""
    async with _job(story, story.deploy_run) as job:
        with story.teller.line("the token for dev is tried on production") as seen:
            id_token = await job.id_token("dev")
            token = str((await job.exchange(id_token, "dev")).body.get("access_token", ""))
            story.refusals["production"] = seen.shows = (await job.asks(token, "production")).code
        with story.teller.line("the ID token is exchanged a second time") as seen:
            story.refusals["replay"] = seen.shows = (await job.exchange(id_token, "dev")).code
        with story.teller.line("a job without `environment:` asks for a token") as seen:
            told = await job.exchange(await job.id_token(None), "dev")
            story.refusals["environment"] = seen.shows = told.code
        with story.teller.line("the operator changes every key: miso keys rotate --now") as seen:
            asked = await job.asks(token, "dev")
            story.old_token, story.old_promotion = token, str(asked.body.get("id", ""))
            rotated = await story.ground.controller.run("keys", "rotate", "--now")
            seen.shows = f"{rotated.count('✓')} keys, while everything goes on"
    await story.ground.sim.complete_run(REPOSITORY, story.deploy_run)
    await _rejected(story)


async def _rejected(story: Story) -> None:
    unwanted, run = await _built(story, "unwanted", "Blinking prices", author="bob")
    story.remembered["unwanted"] = unwanted.commit
    async with _job(story, run) as job:
        with story.teller.line("bob's workflow deploys his change to dev; olga does not want it: /reject") as seen:
            token = await job.token("dev")
            await job.asks(token, "dev")
            await story.people.until("his change in dev", lambda view: "success" in view.states("dev", unwanted.commit))
            typed = f"/reject @{unwanted.commit[:12]} it blinks"
            seen.shows = first_line(await story.people.say("olga", typed, on=unwanted))
        with story.teller.line("the workflow's token is good for minutes yet, and deploys nothing any more") as seen:
            told = await job.asks(token, "dev")
            story.refusals["rejected"] = seen.shows = told.code


async def person(story: Story) -> None:
    """Somebody signs in at their own machine. Until GitHub says who they are, they are nobody."""
    release = story.people.releases["token"]
    async with _machine(story, "ann") as ann, _machine(story, "bob") as bob:
        with story.teller.line(
            "ann and bob type miso login, each at a machine of their own, and the code in a browser"
        ) as seen:
            asked, _ = await asyncio.gather(ann.signs_in(), bob.signs_in())
            seen.shows = f"the page asked ann: {asked}"
        with story.teller.line("ann types miso promote test: nobody knows which GitHub account she is") as seen:
            ran = await ann.types("promote", "test", release.commit)
            story.refusals["stranger"] = ran.refused
            seen.shows = f"exit code {ran.code}, {ran.refused}"
        with story.teller.line("both type /link with a code of their account page, as themselves, on GitHub") as seen:
            for machine in (ann, bob):
                typed = await machine.link_code()
                answer = await story.people.say(machine.browser.person, typed, on=release)
                # It stands on GitHub, where it was typed; it is good for nothing any more.
                story.secrets[f"{machine.browser.person}'s code for linking"] = typed.removeprefix("/link ")
            seen.shows = first_line(answer)
        await _to_production(story, release, ann, bob)
        for machine in (ann, bob):
            story.secrets |= machine.secrets


async def _to_production(story: Story, release: Release, ann: Machine, bob: Machine) -> None:
    with story.teller.line("ann types miso promote test --watch") as seen:
        ran = await ann.types("promote", "test", release.commit, "--watch")
        await story.people.runs(release, "test")
        seen.shows = ran.out.strip().splitlines()[-1] if ran.code == 0 else ran.err
    with story.teller.line("ann types miso promote production, then miso approve: it is her own work") as seen:
        asked = (await ann.types("promote", "production", "--json")).document
        yes = str(asked.get("evidence", ""))[:12]
        ran = await ann.types("approve", "production", "--yes", yes)
        story.refusals["own"] = seen.shows = ran.refused
    with story.teller.line("bob types miso show production, reads what he would sign, and approves it") as seen:
        shown = await bob.types("show", "production")
        ran = await bob.types("approve", "production", "--yes", yes, "--json")
        story.remembered["signed"] = "shown" if yes and yes in shown.out and "slot" in shown.out else shown.err
        seen.shows = str(ran.document.get("says") or ran.err)
    with story.teller.line("production runs it; the ledger names both by their numbers at GitHub") as seen:
        await story.people.runs(release, "production")
        story.ledger = tuple(leaks.ledger(_data(story), str(asked.get("id", ""))))
        seen.shows = ", ".join(f"{kind} by {number}" for kind, who, number in story.ledger if who == "person")


async def keys(story: Story) -> None:
    """The keys that were changed on the way sign now; what the old ones signed still counts until it runs out."""
    commit = story.people.releases["recovered"].commit
    with story.teller.line("a workflow that somebody started by hand gets a token; another key signed it") as seen:
        run = await story.ground.sim.run_workflow(
            REPOSITORY, head_sha=commit, path=DEPLOY_WORKFLOW, event="workflow_dispatch", actor="bob", conclusion=None
        )
        async with _job(story, int(run["id"])) as job:
            before, after = _key_of(story.old_token), _key_of(await job.token("dev"))
            told = await job.looks(story.old_token, story.old_promotion)
        story.remembered["keys"] = f"{'the same' if after == before else 'another'} key, the old token: {told.status}"
        seen.shows = f"{before[:12]} → {after[:12]}; a token of the old one is still believed"


async def scanned(story: Story) -> None:
    """Everything that ever opened something is looked for where it must not be."""
    with story.teller.line("database, log and everything on GitHub are searched for whatever opened something") as seen:
        await story.ground.sim.delivered()
        data, log = _data(story), story.ground.controller.log
        typed = {name: secret for name, secret in story.secrets.items() if "linking" in name}
        others = {name: secret for name, secret in story.secrets.items() if name not in typed}
        others["the webhook secret"] = story.ground.controller.settings["MISO_WEBHOOK_SECRET"]
        others["the App's key"] = _inside(Path(story.ground.controller.settings["MISO_APP_PRIVATE_KEY_FILE"]))
        state = await story.ground.sim.state(REPOSITORY)
        story.leaks = (*leaks.leaks(others, data, log, state), *leaks.leaks(typed, data, log, {}))
        story.remembered["searched"] = str(len(others) + len(typed))
        seen.shows = f"{len(others) + len(typed)} secrets, {len(story.leaks)} of them found"


# --- what is there for a while ---------------------------------------------------------------------------------------


@asynccontextmanager
async def _job(story: Story, run: int) -> AsyncIterator[Job]:
    """A job of this run; its tokens are remembered."""
    async with aiohttp.ClientSession() as http:
        job = Job(sim=story.ground.sim, miso=story.ground.controller.url, http=http, run=run)
        try:
            yield job
        finally:
            story.secrets |= {f"a token of run {run} ({token[-6:]})": token for token in job.secrets}


@asynccontextmanager
async def _machine(story: Story, who: str) -> AsyncIterator[Machine]:
    folder = story.ground.directory / f"{who}'s machine"
    async with browsing(who, story.ground.controller.url, story.ground.world["ca_file"]) as browser:
        yield Machine(browser=browser, folder=folder)


async def _built(story: Story, name: str, title: str, *, author: str) -> tuple[Release, int]:
    """A change that was merged, and whose workflow has pushed its image and goes on. Gives the run as well."""
    sim = story.ground.sim
    pull = await scenarios.merge_change(sim, title, author=author)
    commit = str(pull["merge_commit_sha"])
    digest = str(await sim.call("registry.push", repository="shop", tag=commit, text=f"shop at {commit}"))
    await sim.call("arm.mark", digest=digest, mark="healthy")
    run = await sim.run_workflow(REPOSITORY, head_sha=commit, conclusion=None)
    made = Release(
        name=name,
        title=title,
        author=author,
        pull=pull["number"],
        commit=commit,
        digest=digest,
        url=str(pull["url"]),
    )
    return made, int(run["id"])


def _key_of(token: str) -> str:
    """Name of the key that signed it: https://www.rfc-editor.org/rfc/rfc7515#section-4.1.4"""
    head = token.partition(".")[0]
    try:
        return str(json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))["kid"])
    except (ValueError, KeyError):
        raise Missed("a signed token", "none") from None


def _data(story: Story) -> Path:
    return Path(story.ground.controller.settings["MISO_DATA_DIR"])


def _inside(key: Path) -> str:
    """A line from the middle of a PEM file."""
    lines = key.read_text("utf-8").splitlines()
    return lines[len(lines) // 2]

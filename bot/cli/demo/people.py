"""The people of the story, and how they are watched: somebody does something, then GitHub is looked at until it shows.

Used by the story and by the little commands of `miso demo`. Everything goes over the wire to the pretend world; what
the controller thinks of itself is never asked.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from bot.sim import scenarios
from bot.sim.client import SimClient
from bot.sim.scenarios import REPOSITORY

T = TypeVar("T")
PATIENCE = 30.0
"""Seconds after which something that should show on GitHub is missed."""
Json = dict[str, Any]


class Missed(Exception):
    """Something that the story claims did not happen in time."""

    def __init__(self, expected: str, found: str) -> None:
        super().__init__(f"expected {expected}; found {found}")
        self.expected = expected
        self.found = found


@dataclass(frozen=True)
class View:
    """One look at a repository on GitHub, as `Scenario.state` gives it."""

    state: Json

    def pull(self, number: int) -> Json:
        return next(pull for pull in self.state["pulls"] if pull["number"] == number)

    def deployments(self, environment: str, sha: str) -> list[Json]:
        """Those that Miso made; a workflow's own at a gate is another thing."""
        return [
            d
            for d in self.state["deployments"]
            if (d["environment"], d["sha"]) == (environment, sha) and d["creator"] == "miso[bot]"
        ]

    def states(self, environment: str, sha: str) -> list[str]:
        """Every state that the newest deployment of a commit into an environment went through."""
        found = self.deployments(environment, sha)
        return [status["state"] for status in found[-1]["statuses"]] if found else []

    def check(self, name: str, sha: str) -> Json | None:
        found = [c for c in self.state["checks"] if (c["name"], c["head_sha"]) == (name, sha)]
        return found[-1] if found else None

    def card(self, number: int) -> str:
        """The one comment that is kept up to date; "" before there is one."""
        ours = [c["body"] for c in self.pull(number)["comments"] if "### Miso" in c["body"]]
        return str(ours[0]) if ours else ""

    def replies(self, number: int, after: int) -> list[str]:
        """What was answered behind a comment."""
        return [c["body"] for c in self.pull(number)["comments"] if c["id"] > after and "miso:reply" in c["body"]]

    def gate(self, run_id: int) -> Json | None:
        return next((gate for gate in self.state["gates"] if gate["run_id"] == run_id), None)


@dataclass(frozen=True, kw_only=True)
class Release:
    """One change that was merged and built."""

    name: str
    title: str
    author: str
    pull: int
    commit: str
    digest: str
    url: str


@dataclass
class People:
    """Whoever acts in the story, and the releases that came of it."""

    sim: SimClient
    releases: dict[str, Release] = field(default_factory=dict)

    async def look(self, repository: str = REPOSITORY) -> View:
        return View(await self.sim.state(repository))

    async def until(
        self, expected: str, found: Callable[[View], T], *, repository: str = REPOSITORY, patience: float = PATIENCE
    ) -> T:
        """Look until `found` gives something true. Raises Missed, with what was there instead."""
        over = time.monotonic() + patience
        while True:
            view = await self.look(repository)
            seen = found(view)
            if seen:
                return seen
            if time.monotonic() > over:
                raise Missed(expected, _summary(view))
            await asyncio.sleep(0.1)

    async def ship(self, name: str, title: str, *, author: str) -> Release:
        """A change is merged, its build is green."""
        pull = await scenarios.merge_change(self.sim, title, author=author)
        commit = str(pull["merge_commit_sha"])
        digest = await scenarios.build(self.sim, commit)
        made = Release(
            name=name,
            title=title,
            author=author,
            pull=pull["number"],
            commit=commit,
            digest=digest,
            url=str(pull["url"]),
        )
        self.releases[name] = made
        return made

    async def say(self, who: str, text: str, *, on: Release) -> str:
        """Type a comment and wait for the answer. Gives the answer."""
        said = await self.sim.comment(REPOSITORY, on.pull, who, text)
        replies = await self.until(f"an answer to {who}'s {text}", lambda view: view.replies(on.pull, said["id"]))
        return replies[0]

    async def press(self, who: str, label: str, *, on: Release, environment: str) -> None:
        """Press a button of a check run, as soon as it is shown."""

        def button(view: View) -> tuple[int, str] | None:
            check = view.check(f"miso / {environment}", on.commit)
            actions = [a for a in (check or {}).get("actions", ()) if a["label"] == label]
            return (check["id"], actions[0]["identifier"]) if check and actions else None

        shown = await self.until(f"a button {label!r}", button)
        assert shown is not None  # `until` gives only what is true
        await self.sim.click(REPOSITORY, shown[0], shown[1], who)

    async def runs(self, release: Release, environment: str, *, ends: str = "success") -> View:
        """Wait until the deployment of a release ended as GitHub words it, and its check run as well."""

        def ended(view: View) -> View | None:
            check = view.check(f"miso / {environment}", release.commit)
            done = check is not None and check["status"] == "completed" and check["conclusion"] == ends
            states = view.states(environment, release.commit)
            return view if done and ends in states else None

        found = await self.until(f"{release.name} to end as {ends} in {environment}", ended)
        assert found is not None  # `until` gives only what is true
        return found

    async def arm_polled(self, digest: str) -> None:
        """Wait until the controller asks after the operation that its PUT of an image began."""
        over = time.monotonic() + PATIENCE
        while time.monotonic() < over:
            asked = await self.sim.exchanges(server="arm", path="containerGroups/|/operations/")
            put = [at for at, each in enumerate(asked) if each["method"] == "PUT" and digest in str(each["request"])]
            if put and any("/operations/" in each["path"] for each in asked[put[-1] :]):
                return
            await asyncio.sleep(0.1)
        raise Missed("the controller to follow an operation in Azure", "none")


def _summary(view: View) -> str:
    """What there is instead, in a line or two."""
    deployed = [
        f"{d['environment']} {d['sha'][:8]} {'→'.join(s['state'] for s in d['statuses'])}"
        for d in view.state["deployments"][-4:]
    ]
    checks = [
        f"{c['name']} {c['head_sha'][:8]} {c['conclusion'] or c['status']}: {c['title']}"
        for c in view.state["checks"][-4:]
    ]
    comments = [c["body"][-160:] for pull in view.state["pulls"][-1:] for c in pull["comments"][-2:]]
    return "; ".join([*deployed, *checks, *comments]) or "nothing"

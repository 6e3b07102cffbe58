"""What the end of the story is judged by: what people remember of it, and the pretend world as it is then.

`look` reads the world once; the claims compare. The controller is not asked, and nothing that was printed on the way
counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot.cli.demo.people import Release, View
from bot.sim.client import SimClient
from bot.sim.scenarios import REPOSITORY, RESOURCE_GROUP, SITE, SUBSCRIPTION_ID

_GROUP = f"/subscriptions/{SUBSCRIPTION_ID}/resourceGroups/{RESOURCE_GROUP}/providers"
RESOURCES: Mapping[str, str] = {
    "dev": f"{_GROUP}/Microsoft.ContainerInstance/containerGroups/shop-dev",
    "test": f"{_GROUP}/Microsoft.ContainerInstance/containerGroups/shop-test",
    "production": f"{_GROUP}/Microsoft.Web/sites/{SITE}",
    "staging slot": f"{_GROUP}/Microsoft.Web/sites/{SITE}/slots/staging",
}
WRITES = ("POST", "PUT", "PATCH", "DELETE")


@dataclass(frozen=True, kw_only=True)
class Ends:
    """What the story has to remember for its end."""

    releases: Mapping[str, Release]
    gate_run: int
    meanwhile: int
    """The comment that was written while the controller was dead."""
    foreign_commit: str
    foreign_digest: str
    opened_pull: str
    """Head of the pull request that stays open."""
    explained: Mapping[str, Any]
    """What `miso why --json` said of the release that is held."""
    wanted: tuple[int, ...]
    """Approvals that production wants by `miso why`, before and after the looser policy was agreed to."""
    answers: Mapping[str, str]
    refusals: Mapping[str, str]
    """Codes of what workflows and people at their machines must be refused, by what they tried."""
    remembered: Mapping[str, str]
    """What was seen at those doors otherwise."""
    ledger: tuple[tuple[str, str, int], ...]
    """Kind, kind of actor and number of actor: of the promotion that was asked for and approved at machines."""
    people: Mapping[str, int]
    """Numbers at GitHub by login."""
    leaks: tuple[str, ...]
    """What opened something and was found where it must not be."""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """The pretend world when the story is over."""

    shop: View
    foreign: View
    images: Mapping[str, str]
    """Image that each resource runs, by the names of `RESOURCES`."""
    effects: Sequence[Mapping[str, Any]]
    arm: Sequence[Mapping[str, Any]]
    """Every request that ARM got."""
    github_writes: int
    deliveries: Sequence[Mapping[str, Any]]

    @property
    def azure_writes(self) -> int:
        return sum(each["method"] in WRITES for each in self.arm)


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One claim. It holds when both sides are equal."""

    text: str
    expected: object
    found: object

    @property
    def holds(self) -> bool:
        return self.expected == self.found


async def look(sim: SimClient, foreign: str) -> Seen:
    """Read the world once, when it has nothing more to send."""
    await sim.delivered()
    github = await sim.exchanges(server="github")
    return Seen(
        shop=View(await sim.state(REPOSITORY)),
        foreign=View(await sim.state(foreign)),
        images={name: str(await sim.call("arm.image_of", resource=r) or "") for name, r in RESOURCES.items()},
        effects=await sim.call("arm.effects_of"),
        arm=await sim.exchanges(server="arm"),
        github_writes=sum(each["method"] in WRITES and not each["path"].endswith("/access_tokens") for each in github),
        deliveries=await sim.deliveries(),
    )

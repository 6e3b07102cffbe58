"""From a webhook to Azure and back to GitHub: how soon, in how many waves of requests, with how many writes.

Two companies: a quick one, whose Azure answers at once, for times; and one at the pace of life, with Miso's own default
pauses and an Azure that takes seconds, for the number of writes, because there every state in between can be seen.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench import company
from tests.bench.company import Company, Request
from tests.bench.figures import Figure, median, milliseconds, percentile


@dataclass
class Seen:
    """Samples of the quick company."""

    to_arm: list[float] = field(default_factory=list)
    to_status: list[float] = field(default_factory=list)
    waves: list[int] = field(default_factory=list)
    calls: list[int] = field(default_factory=list)
    starts: list[float] = field(default_factory=list)
    alone: list[float] = field(default_factory=list)
    writes: int = 0
    promotions: int = 0
    resident: float = 0.0
    at_start: float = 0.0


async def quick(*, builds: int, through: int, say: Callable[[str], None]) -> list[Figure]:
    """`builds` reach dev; `through` of them go on to test and production."""
    seen = Seen()
    with tempfile.TemporaryDirectory(prefix="miso-bench-") as folder:
        async with company.running(Path(folder)) as shop:
            seen.at_start = shop.controller.resident()
            for number in range(3):
                await _story(shop, f"Warm {number}", onward=number == 0)
            for number in range(builds):
                say(f"promotions, build {number + 1} of {builds}")
                first = len(shop.requests)
                sent = await _story(shop, f"Change {number}", onward=number < through)
                _take(seen, shop, shop.requests[first:], sent)
                seen.promotions += 3 if number < through else 1
                seen.writes += len(writes(shop, shop.requests[first:]))
            seen.resident = shop.controller.resident()
        for start in await company.starts(Path(folder) / "data" / "miso.sqlite"):
            seen.starts.append(start.begun - start.asked)
            seen.alone.append(start.alone(shop.requests))
    return _figures(seen)


async def at_the_pace_of_life(*, pulls: int, say: Callable[[str], None]) -> list[Figure]:
    """Writes to GitHub where nothing is quick: `pulls` pull requests go through all three environments."""
    pace = {"GITHUB_WRITE_SPACING": "1", "AZURE_POLL_SECONDS": "2", "PROBE_INTERVAL": "3"}
    with tempfile.TemporaryDirectory(prefix="miso-bench-") as folder:
        async with company.running(Path(folder), **pace) as shop:
            await shop.sim.call("arm.poll_times", times=3)
            shop.calm = 1.5  # longer than the pause between two writes
            firsts = []
            for number in range(pulls):
                say(f"promotions at the pace of life, pull request {number + 1} of {pulls}")
                before = len(shop.requests)
                sent = await _story(shop, f"Change {number}", onward=True)
                firsts.append(first_status(shop, shop.requests[before:]) - sent)
            spent = len(writes(shop, shop.requests)) / (3 * pulls)
    return [
        Figure(
            group="Writes to GitHub",
            what="a promotion, where Azure takes seconds and GitHub gets its pauses",
            value=f"{spent:.1f}",
            against="deployment, statuses, check, comment, reactions and replies together",
            wish="≤ 12",
            met=spent <= 12,
        ),
        Figure(
            group="Writes to GitHub",
            what="webhook → first deployment status, with GitHub's pause of 1 s between writes",
            value=milliseconds(firsts[-1]),
            against="the deployment that it belongs to is the write before it",
        ),
    ]


async def _story(shop: Company, title: str, *, onward: bool) -> float:
    """One change to dev, perhaps on to production. Gives the moment when its webhook was sent."""
    await shop.quiet()
    since = len(shop.requests)
    number, sent = await shop.build(title)
    await shop.until(since, "success")
    if onward:
        await shop.quiet()
        since = len(shop.requests)
        await shop.says("ann", "/promote test", on=number)
        await shop.until(since, "success")
        await shop.quiet()
        since = len(shop.requests)
        await shop.says("ann", "/promote production", on=number)
        await shop.until(since, "queued")
        await shop.quiet()
        await shop.says("bob", "/approve", on=number)
        await shop.until(since, "success")
    await shop.quiet()
    return sent


def _take(seen: Seen, shop: Company, requests: Sequence[Request], sent: float) -> None:
    begun = next(request for request in requests if request.host == shop.arm)
    before = [request for request in requests if sent <= request.begun < begun.begun and request.host != shop.arm]
    before = [request for request in before if request.method in ("GET", "HEAD")]
    seen.to_arm.append(begun.sent - sent)
    seen.to_status.append(first_status(shop, requests) - sent)
    seen.waves.append(waves(before))
    seen.calls.append(len(before))


def first_status(shop: Company, requests: Sequence[Request]) -> float:
    """When the first deployment status left."""
    return next(request.sent for request in requests if request.host == shop.github and request.state)


def waves(requests: Sequence[Request]) -> int:
    """The longest chain of requests each of which began after the one before had ended."""
    chain, free = 0, 0.0
    for request in sorted(requests, key=lambda each: each.ended):
        if request.begun >= free:
            chain, free = chain + 1, request.ended
    return chain


def writes(shop: Company, requests: Sequence[Request]) -> list[Request]:
    """What counts against GitHub's limits on content: not tokens, which are asked for as the App."""
    tokens = ("/access_tokens", "/installation/token")
    return [r for r in requests if r.host == shop.github and r.method != "GET" and not r.path.endswith(tokens)]


def _figures(seen: Seen) -> list[Figure]:
    group = "A green build, the world idle and tokens warm"
    arm, status, start = (percentile(each, 0.5) for each in (seen.to_arm, seen.to_status, seen.starts))
    late = [milliseconds(percentile(each, 0.99)) for each in (seen.to_arm, seen.to_status, seen.starts)]
    return [
        Figure(
            group=group,
            what="webhook → first request to Azure, p50",
            value=milliseconds(arm),
            against=f"p99 {late[0]}; {median(seen.calls):.0f} questions outside before it, in"
            f" {median(seen.waves):.0f} waves",
            wish="< 50 ms",
            met=arm < 0.05,
        ),
        Figure(
            group=group,
            what="webhook → first deployment status on GitHub, p50",
            value=milliseconds(status),
            against=f"p99 {late[1]}",
        ),
        Figure(
            group=group,
            what="row written → deployment begun, p50",
            value=milliseconds(start),
            against=f"p99 {late[2]}; in between all facts are asked again outside, as security rule 5 wants it",
            wish="< 10 ms",
            met=start < 0.01,
        ),
        Figure(
            group=group,
            what="the same without the time in which a question was under way, p50",
            value=milliseconds(percentile(seen.alone, 0.5)),
            against="Miso's own part of it",
        ),
        Figure(
            group="Writes to GitHub",
            what="a promotion, where Azure is done at once",
            value=f"{seen.writes / seen.promotions:.1f}",
            against="of the quick company above",
            wish="≤ 12",
            met=seen.writes <= 12 * seen.promotions,
        ),
        Figure(
            group="The controller's process",
            what=f"resident memory after {seen.promotions} promotions",
            value=f"{seen.resident:.0f} MiB",
            against=f"{seen.at_start:.0f} MiB when it had just started",
            wish="< 130 MiB",
            met=seen.resident < 130,
        ),
    ]

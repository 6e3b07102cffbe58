"""The end of the story: what runs where with its links, what it cost, and every claim with its verdict.

Everything shown is what the pretend world held when it was asked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from bot.cli.demo.findings import RESOURCES, Claim, Ends, Seen
from bot.cli.demo.people import Release
from bot.cli.screen import table
from bot.sim.scenarios import REPOSITORY


def show(console: Console, ends: Ends, seen: Seen, *, world: Mapping[str, Any], seconds: float) -> None:
    """The table of places and the figures."""
    by_digest: dict[str, Release] = {release.digest: release for release in ends.releases.values()}
    places = table("application", "environment", "runs", "digest", "pull request")
    for name in RESOURCES:
        digest = seen.images[name].rpartition("@")[2]
        release = by_digest.get(digest)
        places.add_row(
            REPOSITORY,
            name,
            f"{release.title} ({release.commit[:12]})" if release else "nothing",
            digest.removeprefix("sha256:")[:12],
            Text(release.url, style=f"link {release.url}") if release else "",
        )
    console.print()
    console.print(places)
    promotions = len(seen.shop.state["deployments"])
    figures = table("figure", "value")
    for figure, value in (
        ("promotions, from request to end", promotions),
        ("webhooks taken", len(seen.deliveries)),
        ("writes to Azure", seen.azure_writes),
        ("swaps of production", sum(each["verb"] == "swap" for each in seen.effects)),
        ("writes to GitHub", f"{seen.github_writes} ({seen.github_writes / max(promotions, 1):.1f} a promotion)"),
        ("seconds", f"{seconds:.0f}"),
    ):
        figures.add_row(figure, str(value))
    console.print()
    console.print(figures)
    console.print()
    console.print(Text(f"Deployments: {world['web']}/{REPOSITORY}/deployments", style="dim"))


def verdict(console: Console, claims: Sequence[Claim]) -> bool:
    """Say which claims hold; those that do not with both sides. True when all do."""
    broken = [claim for claim in claims if not claim.holds]
    for claim in broken:
        console.print(Text.assemble(("✗ ", "red"), claim.text))
        console.print(Text(f"    expected {claim.expected!r}"))
        console.print(Text(f"    found    {claim.found!r}"))
    if broken:
        console.print(Text(f"{len(broken)} of {len(claims)} claims do not hold.", style="bold red"))
    else:
        console.print(Text(f"✓ All {len(claims)} claims hold against the pretend world.", style="bold green"))
    return not broken

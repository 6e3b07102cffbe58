"""What the story claims of those who came in: workflows by a token of their own, people by a code, and no secret kept.

Called by `claims`. Pure: it compares what the story remembers with what the pretend world shows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bot.cli.demo.findings import Claim, Ends, Seen

REFUSED: Mapping[str, tuple[str, str]] = {
    "production": ("a deploy token for dev is refused in production", "token_scope"),
    "replay": ("an ID token is exchanged once", "token_replayed"),
    "environment": ("a job without an environment gets no token", "trust_environment_missing"),
    "rejected": ("a token deploys nothing once its release was rejected", "release_rejected"),
    "stranger": ("whoever signed in and is not linked may not promote", "not_linked"),
    "own": ("nobody approves their own work from the command line either", "author_is_approver"),
}
"""What was tried, what is claimed of it, and the code of the refusal."""


def claims(ends: Ends, seen: Seen) -> Iterator[Claim]:
    """Every claim about doors."""
    for tried, (text, code) in REFUSED.items():
        yield Claim(text=text, expected=code, found=ends.refusals.get(tried))
    yield Claim(
        text="the workflow's own job saw its deployment live", expected="live", found=ends.remembered.get("status")
    )
    yield Claim(
        text="the keys were changed on the way, and what the old one had signed still counted",
        expected="another key, the old token: 200",
        found=ends.remembered.get("keys"),
    )
    yield Claim(
        text="bob was shown what he signed before he did", expected="shown", found=ends.remembered.get("signed")
    )
    people = [(kind, number) for kind, who, number in ends.ledger if who == "person"]
    yield Claim(
        text="the ledger names whoever asked and approved at a shell by their numbers at GitHub",
        expected=[("promotion.requested", ends.people.get("ann")), ("promotion.approved", ends.people.get("bob"))],
        found=people,
    )
    unwanted = [
        each["environment"] for each in seen.shop.state["deployments"] if each["sha"] == ends.remembered.get("unwanted")
    ]
    yield Claim(text="the release that was rejected went no further than dev", expected=["dev"], found=unwanted)
    yield Claim(
        text="no token, cookie, code or key stands in database, log or on GitHub", expected=(), found=ends.leaks
    )

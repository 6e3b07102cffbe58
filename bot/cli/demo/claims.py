"""What the story claims, held against the pretend world when it is over: expected beside found.

`judge` is pure, so that a test can break one claim after the other. What was decided is claimed in `decided`,
who came in in `admitted`.
"""

from __future__ import annotations

from collections.abc import Iterator

from bot.cli.demo import admitted, decided
from bot.cli.demo.findings import RESOURCES, Claim, Ends, Seen
from bot.sim.scenarios import APPLICATION_ID, PLACES, RESOURCE_GROUP, SITE, SUBSCRIPTION_ID, TENANT_ID

OURS = ("contoso", RESOURCE_GROUP + "-", SITE, TENANT_ID, SUBSCRIPTION_ID, APPLICATION_ID, *(p.id for p in PLACES))
"""Words that would tell a stranger whose GUIDs he copied."""


def judge(ends: Ends, seen: Seen) -> tuple[Claim, ...]:
    """Every claim of the story with what was found."""
    return (
        *_github(ends, seen),
        *_refusals(ends, seen),
        *_azure(ends, seen),
        *decided.claims(ends, seen),
        *admitted.claims(ends, seen),
    )


def _github(ends: Ends, seen: Seen) -> Iterator[Claim]:
    shop = seen.shop
    for release in ends.releases.values():
        yield Claim(
            text=f"#{release.pull} ({release.name}) has one deployment to dev, and it succeeded",
            expected=(1, True),
            found=(len(shop.deployments("dev", release.commit)), "success" in shop.states("dev", release.commit)),
        )
        yield Claim(
            text=f"#{release.pull} has one comment of Miso that is kept up to date, not several",
            expected=1,
            found=sum("### Miso" in comment["body"] for comment in shop.pull(release.pull)["comments"]),
        )
        yield Claim(
            text=f"#{release.pull} has one deployment to test, and it succeeded",
            expected=(1, True),
            found=(len(shop.deployments("test", release.commit)), "success" in shop.states("test", release.commit)),
        )
    last = {"first": "inactive", "second": "inactive", "bad": "failure", "gated": "inactive", "token": "success"}
    conclusion = dict.fromkeys(last, "success") | {"bad": "failure"}
    for name, state in last.items():
        release = ends.releases[name]
        states = shop.states("production", release.commit)
        yield Claim(
            text=f"the production deployment of #{release.pull} ({name}) ends as {state}",
            expected=(1, state),
            found=(len(shop.deployments("production", release.commit)), states[-1] if states else ""),
        )
        check = shop.check("miso / production", release.commit) or {}
        yield Claim(
            text=f"the check run of #{release.pull} in production says {conclusion[name]}",
            expected=conclusion[name],
            found=check.get("conclusion"),
        )
    yield Claim(
        text="nothing is shown as having gone around Miso",
        expected=[],
        found=[check["name"] for check in shop.state["checks"] if "out of band" in check["name"]],
    )
    gate = shop.gate(ends.gate_run) or {"state": "", "comments": []}
    yield Claim(text="the gate of the waiting workflow is open", expected="approved", found=gate["state"])
    yield Claim(
        text="the gate was told who can act before it opened",
        expected=True,
        found=len(gate["comments"]) > 1 and "gate_no_decision" in gate["comments"][0],
    )


def _refusals(ends: Ends, seen: Seen) -> Iterator[Claim]:
    for code in ("author_is_approver", "release_held"):
        yield Claim(text=f"a command was refused as {code}", expected=True, found=code in ends.answers.get(code, ""))
    check = seen.foreign.check("miso / build", ends.foreign_commit) or {}
    words = " ".join(str(check.get(part) or "") for part in ("title", "summary", "text"))
    yield Claim(
        text="the stranger's build is refused as guid_not_bound",
        expected=("failure", True),
        found=(check.get("conclusion"), "guid_not_bound" in words),
    )
    yield Claim(
        text="the stranger is told nothing about whose GUIDs these are",
        expected=[],
        found=[word for word in OURS if word.lower() in words.lower()],
    )
    yield Claim(text="the stranger has no deployment", expected=0, found=len(seen.foreign.state["deployments"]))
    yield Claim(
        text="the stranger's image never reached Azure",
        expected=0,
        found=sum(ends.foreign_digest in str(each["request"]) for each in seen.arm),
    )


def _azure(ends: Ends, seen: Seen) -> Iterator[Claim]:
    first, second, bad, gated, token, recovered = (
        ends.releases[name] for name in ("first", "second", "bad", "gated", "token", "recovered")
    )
    runs = {"dev": recovered, "test": recovered, "production": token, "staging slot": gated}
    for place, release in runs.items():
        yield Claim(
            text=f"{place} runs the image of #{release.pull}, pinned by its digest",
            expected=release.digest,
            found=seen.images[place].rpartition("@")[2],
        )
    short = {release.digest: name for name, release in ends.releases.items()}
    yield Claim(
        text="the slots were swapped once for each good release, and there and back for the bad one",
        expected=[first.name, second.name, bad.name, second.name, gated.name, token.name],
        found=[
            # After a swap the target runs what the source ran before it.
            short.get(str(each["detail"]["target"]).rpartition("@")[2], "?")
            for each in seen.effects
            if each["verb"] == "swap"
        ],
    )
    puts = [each for each in seen.arm if each["method"] == "PUT" and each["path"].lower() == RESOURCES["dev"].lower()]
    for release in ends.releases.values():
        yield Claim(
            text=f"Azure was asked once, and not again, to run #{release.pull} in dev"
            + (", although the controller was killed meanwhile" if release is recovered else ""),
            expected=1,
            found=sum(release.digest in str(each["request"]) for each in puts),
        )
    comments = seen.shop.pull(recovered.pull)["comments"]
    yield Claim(
        text="the command that was typed while the controller was dead got one answer, as did each one after it",
        expected=sum(each["id"] >= ends.meanwhile and each["body"].startswith("/") for each in comments),
        found=len(seen.shop.replies(recovered.pull, ends.meanwhile)),
    )
    taken = {each["guid"] for each in seen.deliveries if each["status_code"] == 202}
    yield Claim(
        text="every webhook was taken, if not at once then when it was sent again",
        expected=[],
        found=[f"{d['event']} {d['status_code']}" for d in seen.deliveries if d["guid"] not in taken],
    )

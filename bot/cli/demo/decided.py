"""What the story claims of decisions: what was shown before, what was refused with which reason, who lifted what.

Called by `claims`. Pure: it reads what GitHub and Azure showed when the story was over, and what people were answered.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.cli.demo.findings import Claim, Ends, Seen

SETTING = "BASKET_SIZE"
"""Name of the setting that is registered between two approvals."""
_CODE = re.compile(r"<sub>`([a-z_]+)`</sub>")
_PLAN = re.compile(r"Plan `([0-9a-f]{12})`")


def claims(ends: Ends, seen: Seen) -> Iterator[Claim]:
    """Every claim about decisions."""
    yield from _previews(ends, seen)
    yield from _reasons(ends, seen)
    yield from _held(ends, seen)
    yield from _recovered(ends, seen)
    yield from _agreed(ends)


def _previews(ends: Ends, seen: Seen) -> Iterator[Claim]:
    check = seen.shop.check("miso / plan", ends.opened_pull) or {}
    summary = str(check.get("summary") or "")
    yield Claim(
        text="the open pull request shows what each environment would get, and how",
        expected=("success", ["dev", "test", "production"], True, True),
        found=(
            check.get("conclusion"),
            re.findall(r"^\| (dev|test|production) ", summary, re.MULTILINE),
            "containers restart" in summary and "swapped in by the slot" in summary,
            "→ the one that this change's build makes" in summary,
        ),
    )
    yield Claim(
        text="the open pull request went nowhere",
        expected=[],
        found=[each["environment"] for each in seen.shop.state["deployments"] if each["sha"] == ends.opened_pull],
    )
    shown = _PLAN.findall(ends.answers.get("preview", ""))
    yield Claim(
        text="the plan that was shown before the first approval for production is the one that was carried out",
        expected=(1, True),
        found=(len(shown), all(f"| Plan | `{hash_}` |" in _production(ends, seen) for hash_ in shown)),
    )


def _production(ends: Ends, seen: Seen) -> str:
    """What the first release's comment tells of production."""
    return seen.shop.card(ends.releases["first"].pull).rpartition("<summary>production")[2]


def _reasons(ends: Ends, seen: Seen) -> Iterator[Claim]:
    for where, codes in (
        ("the comment", set(_CODE.findall(ends.answers.get("why", "")))),
        ("miso why", {rule["code"] for rule in ends.explained.get("rules", ()) if rule["code"]}),
    ):
        yield Claim(
            text=f"{where} gives release_held as the one reason why not", expected={"release_held"}, found=codes
        )


def _held(ends: Ends, seen: Seen) -> Iterator[Claim]:
    yield Claim(
        text="one operator alone did not lift the hold, two did",
        expected=(["clear_needs_second"], [], True),
        found=(
            _CODE.findall(ends.answers.get("clear_once", "")),
            _CODE.findall(ends.answers.get("clear_twice", "")),
            "`bob` and `olga` let" in ends.answers.get("clear_twice", ""),
        ),
    )
    bad = ends.releases["bad"]
    yield Claim(
        text=f"#{bad.pull} is no longer shown as held",
        expected=False,
        found="✋" in seen.shop.card(bad.pull),
    )


def _recovered(ends: Ends, seen: Seen) -> Iterator[Claim]:
    """The last release: into test past a freeze, and not into production."""
    release = ends.releases["recovered"]
    card = seen.shop.card(release.pull)
    for code in ("frozen", "plan_changed"):
        yield Claim(
            text=f"a command was refused as {code}", expected=[code], found=_CODE.findall(ends.answers.get(code, ""))
        )
    yield Claim(
        text=f"#{release.pull} is marked as having come to test by breaking the glass, with what was skipped",
        expected=(True, True),
        found=(
            any(line.startswith("| test |") and "⚠ break-glass" in line for line in card.splitlines()),
            "⚠ Skipped: " in card and "<sub>`frozen`</sub>" in card,
        ),
    )
    yield Claim(
        text="ann's approval is shown as void, beside the plan that was and the plan that is",
        expected=(True, True),
        found=(
            any(line.startswith("| `ann` |") and "no longer counts" in line for line in card.splitlines()),
            any(re.match(r"\| plan \|.*`[0-9a-f]{12}.*`[0-9a-f]{12}", line) for line in card.splitlines()),
        ),
    )
    states = seen.shop.states("production", release.commit)
    yield Claim(
        text=f"#{release.pull} was asked for in production, and nothing of it began",
        expected=["queued", "error"],
        found=states,
    )
    yield Claim(
        text="the setting that nobody approved never reached Azure",
        expected=0,
        found=sum(SETTING in str(each["request"]) for each in seen.arm),
    )


def _agreed(ends: Ends) -> Iterator[Claim]:
    once, twice = (ends.answers.get(which, "") for which in ("policy_once", "policy_twice"))
    yield Claim(
        text="a looser policy did not count when one administrator had agreed, and counts since two have",
        expected=(True, True),
        found=("Until then nothing changes" in once, "`bob` and `olga` agreed: version 3" in twice),
    )
    yield Claim(
        text="production wanted two approvals until both had agreed, and one afterwards",
        expected=(2, 1),
        found=ends.wanted,
    )

"""How a promotion is told at a shell: what it is, what an approver signs, rule by rule what stands in the way.

Used by `acting` over what the API said. Every text is somebody else's until it is printed harmlessly (rule 14).
"""

from __future__ import annotations

from typing import Any

from pydantic import Field
from rich.text import Text

from bot.cli import screen
from bot.cli.calling import Outside
from bot.domain.messages import plain
from bot.domain.model import Status

GOOD = frozenset({Status.LIVE})
STYLES = {"fail": ("✗", "red"), "unknown": ("?", "yellow"), "skipped": ("⚠", "yellow"), "pass": ("✓", "green")}
_WAITS, _BAD = frozenset({Status.REQUESTED, Status.APPROVED}), frozenset({Status.UNHEALTHY, Status.STUCK})


class Account(Outside):
    """Somebody, by number; the name is for showing."""

    kind: str = "person"
    id: int = 0
    login: str = ""

    def shown(self) -> Text:
        if self.kind != "person" and not self.login:
            return screen.foreign(self.kind)
        return Text.assemble(screen.foreign(self.login or "account", limit=60), (f" (id {self.id})", "dim"))


class Given(Outside):
    """An approval that counts."""

    by: Account
    at: str | None = None


class Rule(Outside):
    """One rule of a decision."""

    rule: str = ""
    state: str = ""
    title: str = ""
    text: str = ""
    who: str = ""
    code: str = ""


class Part(Outside):
    """A part of what an approver signs."""

    part: str
    text: str


class Promotion(Outside):
    """A promotion as the API shows it."""

    id: str
    version: int = 0
    status: str
    says: str = ""
    open: bool
    application: str = ""
    application_id: str
    environment_id: str
    environment: str
    stage: str
    commit: str = Field(pattern=r"^[0-9a-f]{40}$")
    image: str = ""
    rollback: bool = False
    pull_request: int | None = None
    requester: Account
    deadline: str | None = None
    evidence: str = Field(pattern=r"^[0-9a-f]{0,64}$")
    signs: tuple[Part, ...] = ()
    plan: tuple[str, ...] = ()
    approvals_needed: int = 0
    approvals: tuple[Given, ...] = ()
    who_approves: str = ""
    next: str = ""
    code: str = ""
    detail: str = ""
    hint: str = ""
    rules: tuple[Rule, ...] = ()

    @property
    def well(self) -> bool:
        """It ended as whoever asked for it wished."""
        return self.status in GOOD

    @property
    def where(self) -> str:
        return f"{self.application} / {self.stage}" if self.application else self.stage


def card(now: Promotion) -> None:
    """All that somebody wants to know who may act on it."""
    console = screen.out()
    console.print(Text.assemble(screen.foreign(now.where, "bold"), "  ", _status(now), (f"  {now.id}", "dim")))
    rows = _rows(now)
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        console.print(Text.assemble((f"  {name:<{width}}  ", "dim"), value))
    for line in now.plan:
        console.print(Text.assemble("    ", screen.foreign(line, limit=600)))
    rules(now.rules)
    if now.detail and not now.open:
        console.print(Text.assemble("  ", screen.foreign(now.detail, limit=800), (f" ({now.code})", "dim")))
    for more in (now.hint if not now.open else "", now.next):
        if more:
            console.print(Text.assemble("  ", screen.foreign(more, "dim", limit=600)))


def line(now: Promotion) -> None:
    """How it stands, in one line."""
    text = Text.assemble(_status(now), f" {now.commit[:12]} ", screen.foreign(now.where), (f"  {now.id}", "dim"))
    screen.out().print(text)
    if now.open and now.next:
        screen.out().print(Text.assemble("  ", screen.foreign(now.next, "dim", limit=600)))


def rules(told: tuple[Rule, ...], *, to_errors: bool = False) -> None:
    """Each rule, what stands in the way first, as `/why` tells it."""
    console = screen.err() if to_errors else screen.out()
    for each in told:
        code = (f" ({screen.foreign(each.code, limit=60)})" if each.code else "", "dim")
        mark, style = STYLES.get(each.state, ("?", "yellow"))
        console.print(
            Text.assemble("  ", (f"{mark} ", style), screen.foreign(each.title or each.rule, limit=300), code)
        )
        if each.text:
            console.print(Text.assemble("      ", screen.foreign(each.text, limit=800)))
        if each.who:
            console.print(Text.assemble("      ", screen.foreign(f"Who can change it: {each.who}", "dim", limit=300)))


def _rows(now: Promotion) -> list[tuple[str, Text]]:
    back = " (a rollback)" if now.rollback else ""
    pull = f", pull request #{now.pull_request}" if now.pull_request else ""
    rows = [
        ("commit", Text.assemble((now.commit, "bold"), pull, back)),
        ("image", screen.foreign(now.image, limit=400)),
        ("environment", Text.assemble(screen.foreign(now.environment), (f"  {now.environment_id}", "dim"))),
        ("asked by", now.requester.shown()),
    ]
    if now.approvals_needed:
        people = Text(", ").join(each.by.shown() for each in now.approvals)
        count = f"{len(now.approvals)} of {now.approvals_needed}{': ' if now.approvals else ''}"
        rows.append(("approvals", Text.assemble(count, people)))
        rows.append(("by whom", screen.foreign(now.who_approves, limit=500)))
    if now.deadline and now.open:
        rows.append(("until", screen.foreign(now.deadline)))
    rows += [
        (plain(each.part, 40).lower(), screen.foreign(each.text, limit=600))
        for each in now.signs
        if each.part != "Evidence"
    ]
    rows.append(("evidence", Text(now.evidence, "bold")))
    if now.plan:
        rows.append(("plan", Text("what would change")))
    return rows


def _status(now: Promotion) -> Text:
    style = "green" if now.well else "yellow" if now.status in _WAITS else "cyan" if now.open else "red"
    if now.status in _BAD:
        style = "red"
    return screen.foreign(now.says or now.status, style, limit=200)


def document_rules(document: Any) -> tuple[Rule, ...]:
    """The rules in a refusal, as far as there are any."""
    told = document.get("rules") if isinstance(document, dict) else None
    return tuple(Rule.model_validate(each) for each in told if isinstance(each, dict)) if isinstance(told, list) else ()

"""A promotion in every state that it can have, made of the rows that lead there, for the tests of what is shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.domain.codes import Code
from bot.domain.decision import Fixer, RuleResult, RuleState
from bot.domain.messages import refusal
from bot.domain.model import (
    Actor,
    ActorKind,
    Application,
    Environment,
    EnvironmentState,
    Plan,
    Row,
    Stage,
    TargetKind,
)
from bot.domain.promotion import Promotion, fold, request_as_body, rules_as_body
from bot.domain.rules import Group, Policy, Who
from tests.domain import given

PLAN = Plan(target=TargetKind.WEB_APP, body={}, hash="d" * 64)
SECOND = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Place:
    """What the verbs gather of an environment; the shape that `messages.Standing` asks for."""

    application: Application = given.APPLICATION
    environment: Environment
    running: Promotion | None = None
    latest: Promotion | None = None
    own: EnvironmentState | None = None

    @property
    def state(self) -> EnvironmentState:
        return self.own or EnvironmentState(environment_id=self.environment.id)


def tell(*rows: Row, **request: Any) -> Promotion:
    """Rows behind the request, a second apart and numbered."""
    made = given.request(**{"plan": PLAN, "previous_plan": PLAN, "policy_hash": "e" * 64, **request})
    first = given.row("promotion.requested", 1, actor=made.requester, **request_as_body(made))
    return fold([first, *(_at(row, place) for place, row in enumerate(rows, 1))])


def _at(row: Row, place: int) -> Row:
    return Row(**{**vars(row), "seq": place + 1, "at_us": given.NOW + place * SECOND})


def _no(kind: str, code: Code, **values: Any) -> Row:
    no = refusal(code)
    return given.row(kind, code=no.code, sentence=no.sentence, hint=no.hint, **values)


APPROVED = given.approved()
STARTED = given.row("deploy.started", attempt=1)
STEPS = (
    given.row("step.begun", step="slot.put", before={}),
    given.row("step.done", step="slot.put", after={}),
    given.row("step.begun", step="swap", before={}),
)
SWAPPED = given.row("step.done", step="swap", after={})
DEPLOYED = given.row("deploy.done", host="shop.azurewebsites.net", digest=given.NEW_DIGEST, evidence="")
HEALTHY = given.row("probe.passed", evidence="http")
BY_WORD = given.row("probe.passed", evidence="platform")
SICK = _no("probe.failed", Code.PROBE_UNHEALTHY, evidence="http")
FAILED = _no("deploy.failed", Code.AZURE_QUOTA, step="slot.put")
BACK = given.row("rollback.started", attempt=1)
DONE = given.row("rollback.done", running="old", how="swap")
STUCK = _no("rollback.failed", Code.AZURE_TIMEOUT)
TO_DEPLOYED = (APPROVED, STARTED, *STEPS, SWAPPED, DEPLOYED)
WORKFLOW = Actor(kind=ActorKind.WORKFLOW, id=77, login=".github/workflows/build.yml")

DEADLINE = given.NOW + 72 * given.HOUR
STRICT = Policy(
    approvals=2,
    approval_hours=24,
    approve=Who(role="maintain", teams=(42, 43), users=(1001,)),
    groups=(Group(name="security", count=1, who=Who(teams=(42,))),),
)
SIGNED = {
    "where": {"application": "a", "environment": "e", "repository": 42},
    "release": {"commit": given.NEW, "image": "registry.example/shop"},
    "plan": "d" * 64,
    "policy": "e" * 64,
    "checks": [["trivy", 15368, 7, "success"]],
    "soak": [given.NOW - given.HOUR, "promotion-test"],
    "commits": {"running": given.OLD, "commits": [given.NEW, "c" * 40]},
    "skipped": [],
}
CHANGES = [
    {"part": "checks", "was": "trivy: success (7)", "now": "trivy: failure (8)"},
    {"part": "skipped", "was": "none", "now": "`@everyone` <b>"},
]
MET = tuple(RuleResult(rule=rule, state=RuleState.PASS) for rule in ("requester", "identity", "release", "order"))
FAILING = RuleResult(
    rule="checks", state=RuleState.FAIL, code=Code.CHECK_FAILED, fixer=Fixer.WRITER,
    values={"check": "trivy", "commit": given.NEW[:12], "stage": "production"},
)  # fmt: skip
FROZEN = RuleResult(
    rule="freeze", state=RuleState.FAIL, code=Code.FROZEN, fixer=Fixer.WAIT, skipped=True,
    values={"stage": "production", "until": given.NOW + 9 * given.HOUR, "reason": "nobody is on call"},
)  # fmt: skip
GLASS: Mapping[str, Any] = {
    "break_glass": "the shop is down, @everyone",
    "skipped": ("freeze", "soak"),
    "rules": (*MET, FROZEN),
    "deadline_us": given.NOW + given.HOUR,
}
REVOKED = given.row("promotion.revoked", cause="comment:9")
VOIDED = given.row("promotion.voided", approver=given.OTHER.id, code="edited_comment")

STORIES: Mapping[str, Promotion] = {
    "requested": tell(),
    "requested, one of two": tell(APPROVED, approvals_needed=2),
    "requested, nobody asked": tell(approvals_needed=0, requester=WORKFLOW, pull_request=0, previous=None),
    "approved": tell(APPROVED),
    "deploying": tell(APPROVED, STARTED, *STEPS),
    "deploying, paused": tell(
        APPROVED, STARTED, *STEPS[:1], _no("deploy.paused", Code.AZURE_THROTTLED, until_us=given.NOW + given.HOUR)
    ),
    "deployed": tell(*TO_DEPLOYED),
    "unhealthy": tell(*TO_DEPLOYED, SICK),
    "unhealthy, first release": tell(*TO_DEPLOYED, SICK, previous=None),
    "failed": tell(APPROVED, STARTED, *STEPS[:1], FAILED),
    "failed, first release": tell(APPROVED, STARTED, *STEPS[:1], FAILED, previous=None),
    "rolling_back": tell(*TO_DEPLOYED, SICK, BACK, STEPS[2]),
    "live": tell(*TO_DEPLOYED, HEALTHY),
    "live, by Azure's word": tell(*TO_DEPLOYED, BY_WORD),
    "live, as a rollback": tell(*TO_DEPLOYED, HEALTHY, rollback=True),
    "rolled_back": tell(*TO_DEPLOYED, SICK, BACK, STEPS[2], SWAPPED, DONE),
    "rolled_back, cleared": tell(
        *TO_DEPLOYED, SICK, BACK, STEPS[2], SWAPPED, DONE, given.row("hold.cleared", reason="it was the disk")
    ),
    "stuck": tell(*TO_DEPLOYED, SICK, BACK, STEPS[2], STUCK),
    "rejected": tell(given.row("promotion.rejected", reason="@everyone see <b>#1</b>")),
    "rejected, no reason": tell(given.row("promotion.rejected", reason="")),
    "refused": tell(APPROVED, _no("promotion.refused", Code.ARTIFACT_MOVED)),
    "requested, of a strict policy": tell(
        approvals_needed=2, policy=STRICT, policy_version=3, evidence=SIGNED, deadline_us=DEADLINE, rules=MET
    ),
    "requested, taken back": tell(APPROVED, REVOKED, approvals_needed=2),
    "requested, comment edited": tell(APPROVED, VOIDED),
    "requested, by break-glass": tell(**GLASS),
    "live, by break-glass": tell(*TO_DEPLOYED, HEALTHY, **GLASS),
    "approved, carried over": tell(given.row("promotion.approved", evidence="", kept_from="promotion-before")),
    "cancelled": tell(given.row("promotion.cancelled", reason="a better way was found")),
    "refused, the evidence changed": tell(
        APPROVED,
        _no("promotion.refused", Code.CHECKS_CHANGED, changes=CHANGES, rules=rules_as_body((*MET, FAILING))),
        evidence=SIGNED,
        rules=MET,
    ),
    "refused, nobody decided": tell(_no("promotion.refused", Code.WAIT_EXPIRED), deadline_us=DEADLINE),
    "superseded": tell(given.row("promotion.superseded", by="another")),
    "newer_than_this_version": tell(given.row("something.new")),
}


def pull_request_places() -> tuple[Place, ...]:
    """A pull request on its way: live in dev and test, waiting for production."""
    old = tell(*TO_DEPLOYED, HEALTHY, release=given.release(given.OLD, given.OLD_DIGEST), previous=None, pull_request=4)
    live = STORIES["live"]
    return (
        Place(environment=given.environment(Stage.DEV), running=live, latest=live),
        Place(environment=given.environment(Stage.TEST), running=live, latest=live),
        Place(environment=given.environment(Stage.PRODUCTION), running=old, latest=STORIES["requested"]),
    )

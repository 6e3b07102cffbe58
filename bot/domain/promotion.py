"""The life of a promotion: `state = fold(rows)`, `action = next_action(state, lease_over)`.

A promotion is a short append-only journal. This module says what its rows mean and what comes next; it never says how.
Rows of an unknown kind or a newer version fold to `Status.NEWER`, whose action is None: an older replica leaves the
work of a newer one alone.

| kind                   | body                                                                     |
|------------------------|--------------------------------------------------------------------------|
| promotion.requested    | `Request.as_body()`: release, previous, plan, evidence, who may not approve |
| promotion.approved     | evidence, login, cause, comment, comment_hash; kept_from, at_us where it carried over |
| promotion.revoked      | login, cause: its giver takes the approval back                          |
| promotion.voided       | approver, code: an approval that no longer counts, and why               |
| promotion.rejected     | reason                                                                   |
| promotion.cancelled    | reason, login: the requester, or an operator, wants it no more           |
| promotion.reminded     | whoever can act was told once more that it waits                         |
| promotion.refused      | code, sentence, hint, changes: a rule that held at request no longer holds at the effect |
| promotion.superseded   | by (stream)                                                              |
| deploy.started         | attempt; at the first one what was last verified here: previous, previous_plan |
| step.begun             | step, before (what Azure showed)                                         |
| step.done              | step, after                                                              |
| deploy.done            | host, digest, evidence                                                   |
| deploy.failed          | code, sentence, hint, step                                               |
| deploy.paused          | code, sentence, until_us: the outside said "later"; the lease is given back |
| probe.started          | attempt: somebody died between the deployment and its proof of health    |
| probe.passed           | evidence                                                                 |
| probe.failed           | code, sentence, evidence                                                 |
| rollback.started       | attempt                                                                  |
| rollback.done          | running, how                                                             |
| rollback.failed        | code, sentence, hint                                                     |
| hold.cleared           | reason, login                                                            |
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from pydantic import TypeAdapter

from bot.domain.decision import RuleResult
from bot.domain.model import (
    Actor,
    ActorKind,
    Plan,
    PromotionRow,
    Release,
    Row,
    Status,
    TargetKind,
)
from bot.domain.rules import Policy, policy_as_body, policy_from_body

VERSION = 2
"""Rows of version 2 carry their policy and their evidence: a controller that does not know them leaves them alone."""
NEVER_US = 2**62
"""When the advance loop looks at a promotion that waits for a person: an approval wakes it, not the clock."""


class Kind(StrEnum):
    """Every kind of row that a promotion's stream may hold."""

    REQUESTED = "promotion.requested"
    APPROVED = "promotion.approved"
    REVOKED = "promotion.revoked"
    VOIDED = "promotion.voided"
    REJECTED = "promotion.rejected"
    CANCELLED = "promotion.cancelled"
    REMINDED = "promotion.reminded"
    REFUSED = "promotion.refused"
    SUPERSEDED = "promotion.superseded"
    DEPLOY_STARTED = "deploy.started"
    STEP_BEGUN = "step.begun"
    STEP_DONE = "step.done"
    DEPLOY_DONE = "deploy.done"
    DEPLOY_FAILED = "deploy.failed"
    PAUSED = "deploy.paused"
    PROBE_STARTED = "probe.started"
    PROBE_PASSED = "probe.passed"
    PROBE_FAILED = "probe.failed"
    ROLLBACK_STARTED = "rollback.started"
    ROLLBACK_DONE = "rollback.done"
    ROLLBACK_FAILED = "rollback.failed"
    HOLD_CLEARED = "hold.cleared"


class Action(StrEnum):
    DEPLOY = "deploy"
    PROBE = "probe"
    ROLL_BACK = "roll_back"


@dataclass(frozen=True, kw_only=True)
class Request:
    """What was asked, with everything that an approver is shown. Written once, never changed."""

    cause: str
    """What brought it about: `build:<run>:<attempt>`, `comment:<id>`, `click:<check run>:<identifier>`."""
    rollback: bool
    """Asked as a rollback: goes to a state verified here before, skips the order of stages."""
    release: Release
    previous: Release | None
    """What was last verified in this environment: where an automatic rollback goes."""
    previous_plan: Plan | None
    plan: Plan
    policy_hash: str
    evidence_hash: str
    """One hash over commit, digest, plan and policy: what an approval binds to."""
    approvals_needed: int
    excluded: tuple[int, ...]
    """Numeric ids of accounts whose approval does not count (rule 9)."""
    requester: Actor
    installation_id: int
    pull_request: int
    comment_id: int
    comment_hash: str = ""
    """SHA-256 of the comment as it was heard; at the effect it must still say the same (rule 4)."""
    evidence: Mapping[str, Any] = field(default_factory=dict)
    """What `evidence_hash` covers, part by part, so that a change can be told by name (`bot.domain.evidence`)."""
    policy: Policy = field(default_factory=Policy)
    """The policy that it was asked under."""
    policy_version: int = 0
    """Version of the accepted policy in the ledger."""
    tree: str = ""
    """Hash of what the release's commit contains; empty when it was not known."""
    break_glass: str = ""
    """Why rules were gone past; empty: none was."""
    skipped: tuple[str, ...] = ()
    """Rules that did not pass at the request and were gone past."""
    rules: tuple[RuleResult, ...] = ()
    """Every rule of the decision that let it be asked for, so that all doors can show the same answer."""
    deadline_us: int = 0
    """When the request ends if it still waits; 0: never (asked before requests had a deadline)."""


@dataclass(frozen=True, kw_only=True)
class Approval:
    actor: Actor
    at_us: int
    evidence_hash: str
    cause: str = ""
    """What brought it, so that a delivery that comes twice is not told "you have approved already"."""
    comment_id: int = 0
    comment_hash: str = ""
    """SHA-256 of the comment that said so; at the effect it must still say the same (rule 4)."""
    subject: str = ""
    """Who gave it, where they signed in elsewhere: it counts while that identity is this account."""
    kept_from: str = ""
    """Stream of the earlier request that it was given to, where the policy lets it carry over."""
    void: str = ""
    """Code of why it no longer counts; only in `Promotion.voided`."""


@dataclass(frozen=True, kw_only=True)
class StepState:
    step: str
    begun_us: int
    done_us: int = 0
    before: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Promotion:
    """State of one promotion after its rows."""

    stream: str
    status: Status
    head_seq: int
    application_id: str
    environment_id: str
    request: Request
    requested_us: int
    changed_us: int
    approvals: tuple[Approval, ...] = ()
    """Those that count."""
    voided: tuple[Approval, ...] = ()
    """Those that counted once, each with the code of why it no longer does."""
    rules: tuple[RuleResult, ...] = ()
    """Every rule of the newest decision on it: that of the request, or the one that refused it at the effect."""
    changes: tuple[Mapping[str, str], ...] = ()
    """What differs from what was approved: `part`, `was`, `now`."""
    reminders: int = 0
    reminded_us: int = 0
    verified_us: int = 0
    """When it was seen healthy."""
    steps: tuple[StepState, ...] = ()
    """Steps of the present attempt (deployment, then rollback), in order."""
    epoch: int = 0
    attempt: int = 0
    rollback_attempt: int = 0
    host: str = ""
    seen_digest: str = ""
    evidence: str = ""
    """How health was judged, in one word for the reader: "http", "platform"."""
    code: str = ""
    sentence: str = ""
    hint: str = ""
    """Why it failed, was refused or rejected."""
    actor: Actor | None = None
    """Who rejected it, or cleared its hold."""
    superseded_by: str = ""
    held: bool = False
    """Something waits for `/clear`: this release, or after a rollback by command the one that it went back from."""
    pauses: int = 0
    paused_until_us: int = 0
    """The advance loop leaves it alone until then; 0: not paused."""

    @property
    def approved(self) -> bool:
        return len(self.approvals) >= self.request.approvals_needed

    @property
    def touched(self) -> bool:
        """Whether anything in Azure may have been changed. Asking a slot for its health changes nothing."""
        return any(step.step != "slot.probed" for step in self.steps)

    def step(self, name: str) -> StepState | None:
        return next((s for s in reversed(self.steps) if s.step == name), None)


ENDED = frozenset(
    {
        Status.LIVE,
        Status.ROLLED_BACK,
        Status.STUCK,
        Status.REJECTED,
        Status.CANCELLED,
        Status.REFUSED,
        Status.SUPERSEDED,
        Status.NEWER,
    }
)
"""Nothing more happens by itself. FAILED and UNHEALTHY end too where there is nothing to roll back to."""


def next_action(promotion: Promotion, lease_over: bool) -> Action | None:
    """What the advance loop should do. `lease_over`: nobody holds the environment's lease now."""
    match promotion.status:
        case Status.REQUESTED:
            return Action.DEPLOY if promotion.approved else None
        case Status.APPROVED:
            return Action.DEPLOY
        case Status.DEPLOYING:
            return Action.DEPLOY if lease_over else None
        case Status.DEPLOYED:
            return Action.PROBE if lease_over else None
        case Status.UNHEALTHY | Status.FAILED:
            return Action.ROLL_BACK if rolls_back(promotion) else None
        case Status.ROLLING_BACK:
            return Action.ROLL_BACK if lease_over else None
        case _:
            return None


def left_behind(promotion: Promotion) -> Release | None:
    """What a rollback by command goes back from, once it is live; None for anything else."""
    request = promotion.request
    if not request.rollback or request.previous is None or request.previous.digest == request.release.digest:
        return None
    return request.previous


def is_open(promotion: Promotion) -> bool:
    """Whether the advance loop or a person may still move it on."""
    if promotion.status in ENDED:
        return False
    return promotion.status not in (Status.FAILED, Status.UNHEALTHY) or rolls_back(promotion)


def rolls_back(promotion: Promotion) -> bool:
    """Whether a failure is to be undone: there is something to go back to, and something was changed at all."""
    if promotion.request.previous is None:
        return False
    return promotion.status is Status.UNHEALTHY or promotion.touched


def fold(rows: Sequence[Row]) -> Promotion:
    """The state after these rows of one stream, in order. The first must be `promotion.requested`.

    Raises ValueError for an empty stream or one that begins with something else.
    """
    if not rows or rows[0].kind != Kind.REQUESTED:
        raise ValueError("a promotion's stream begins with promotion.requested")
    first = rows[0]
    state = Promotion(
        stream=first.stream,
        status=Status.REQUESTED,
        head_seq=first.seq,
        application_id=first.application_id,
        environment_id=first.environment_id,
        request=request_from_body(first.body),
        requested_us=first.at_us,
        changed_us=first.at_us,
    )
    state = replace(state, rules=state.request.rules)
    if first.v > VERSION:
        state = replace(state, status=Status.NEWER)
    elif state.approved:
        # Nobody has to agree; it may begin at once.
        state = replace(state, status=Status.APPROVED)
    for row in rows[1:]:
        state = apply(state, row)
    return state


def apply(state: Promotion, row: Row) -> Promotion:
    """The state after one more row."""
    state = replace(state, head_seq=row.seq, changed_us=row.at_us)
    if state.status is Status.NEWER or row.v > VERSION or row.kind not in set(Kind):
        return replace(state, status=Status.NEWER)
    return _APPLY[Kind(row.kind)](state, row)


def _requested(state: Promotion, row: Row) -> Promotion:
    return state


def _approved(state: Promotion, row: Row) -> Promotion:
    actor = _actor(row)
    if state.status is not Status.REQUESTED or any(a.actor == actor for a in state.approvals):
        return state
    body = row.body
    approval = Approval(
        actor=actor,
        # One that carried over is as old as it was when it was given.
        at_us=int(body.get("at_us", row.at_us)),
        evidence_hash=str(body.get("evidence", "")),
        cause=str(body.get("cause", "")),
        comment_id=int(body.get("comment", 0)),
        comment_hash=str(body.get("comment_hash", "")),
        subject=str(body.get("subject", "")),
        kept_from=str(body.get("kept_from", "")),
    )
    state = replace(state, approvals=(*state.approvals, approval))
    return replace(state, status=Status.APPROVED) if state.approved else state


def _revoked(state: Promotion, row: Row) -> Promotion:
    return _void(state, lambda a: a.actor == _actor(row), "approval_revoked")


def _voided(state: Promotion, row: Row) -> Promotion:
    approver, code = int(row.body.get("approver", 0)), str(row.body.get("code", ""))
    return _void(state, lambda a: a.actor.id == approver, code)


def _void(state: Promotion, gone: Callable[[Approval], bool], code: str) -> Promotion:
    """Take approvals out of the count, for good: what has begun is not undone by it."""
    if state.status not in (Status.REQUESTED, Status.APPROVED):
        return state
    void = tuple(replace(a, void=code) for a in state.approvals if gone(a))
    kept = tuple(a for a in state.approvals if not gone(a))
    state = replace(state, approvals=kept, voided=(*state.voided, *void))
    return state if state.approved else replace(state, status=Status.REQUESTED)


def _cancelled(state: Promotion, row: Row) -> Promotion:
    if state.status not in (Status.REQUESTED, Status.APPROVED):
        return state
    return replace(state, status=Status.CANCELLED, sentence=str(row.body.get("reason", "")), actor=_actor(row))


def _reminded(state: Promotion, row: Row) -> Promotion:
    return replace(state, reminders=state.reminders + 1, reminded_us=row.at_us)


def _rejected(state: Promotion, row: Row) -> Promotion:
    if state.status not in (Status.REQUESTED, Status.APPROVED):
        return state
    return replace(state, status=Status.REJECTED, sentence=str(row.body.get("reason", "")), actor=_actor(row))


def _refused(state: Promotion, row: Row) -> Promotion:
    code = str(row.body.get("code", ""))
    if row.body.get("changes"):
        # What was approved is no longer what would happen: no approval survives it.
        void = tuple(replace(a, void=code) for a in state.approvals)
        changes = tuple(dict(change) for change in row.body["changes"])
        state = replace(state, approvals=(), voided=(*state.voided, *void), changes=changes)
    if row.body.get("rules"):
        state = replace(state, rules=rules_from_body(row.body["rules"]))
    return _why(replace(state, status=Status.REFUSED), row)


def _superseded(state: Promotion, row: Row) -> Promotion:
    if state.status not in (Status.REQUESTED, Status.APPROVED):
        return state
    return replace(state, status=Status.SUPERSEDED, superseded_by=str(row.body.get("by", "")))


def _deploy_started(state: Promotion, row: Row) -> Promotion:
    steps = state.steps if state.status is Status.DEPLOYING else ()
    request = state.request
    if "previous" in row.body:
        request = replace(
            request,
            previous=_release_or_none(row.body["previous"]),
            previous_plan=_plan_or_none(row.body["previous_plan"]),
        )
    return replace(
        state,
        request=request,
        status=Status.DEPLOYING,
        epoch=row.epoch,
        attempt=state.attempt + 1,
        steps=steps,
        code="",
        sentence="",
        hint="",
        paused_until_us=0,
    )


def _step_begun(state: Promotion, row: Row) -> Promotion:
    step = StepState(step=str(row.body["step"]), begun_us=row.at_us, before=row.body.get("before", {}))
    return replace(state, steps=(*state.steps, step))


def _step_done(state: Promotion, row: Row) -> Promotion:
    steps = list(state.steps)
    for at in range(len(steps) - 1, -1, -1):
        if steps[at].step == row.body["step"] and not steps[at].done_us:
            steps[at] = replace(steps[at], done_us=row.at_us, after=row.body.get("after", {}))
            break
    return replace(state, steps=tuple(steps))


def _deploy_done(state: Promotion, row: Row) -> Promotion:
    host, digest = str(row.body.get("host", "")), str(row.body.get("digest", ""))
    return replace(state, status=Status.DEPLOYED, host=host, seen_digest=digest)


def _deploy_failed(state: Promotion, row: Row) -> Promotion:
    # A refusal before the first write is the environment's fault, not the release's: nothing to undo, nothing to hold.
    return _why(replace(state, status=Status.FAILED, held=state.touched, paused_until_us=0), row)


def _paused(state: Promotion, row: Row) -> Promotion:
    until = int(row.body.get("until_us", 0))
    return _why(replace(state, paused_until_us=until, pauses=state.pauses + 1), row)


def _probe_started(state: Promotion, row: Row) -> Promotion:
    return replace(state, epoch=row.epoch, attempt=state.attempt + 1, paused_until_us=0)


def _probe_passed(state: Promotion, row: Row) -> Promotion:
    held = left_behind(state) is not None
    evidence = str(row.body.get("evidence", ""))
    return replace(state, status=Status.LIVE, evidence=evidence, held=held, verified_us=row.at_us)


def _probe_failed(state: Promotion, row: Row) -> Promotion:
    return _why(replace(state, status=Status.UNHEALTHY, held=True, evidence=str(row.body.get("evidence", ""))), row)


def _rollback_started(state: Promotion, row: Row) -> Promotion:
    steps = state.steps if state.status is Status.ROLLING_BACK else ()
    attempt = state.rollback_attempt + 1
    return replace(
        state, status=Status.ROLLING_BACK, epoch=row.epoch, rollback_attempt=attempt, steps=steps, paused_until_us=0
    )


def _rollback_done(state: Promotion, row: Row) -> Promotion:
    return replace(state, status=Status.ROLLED_BACK)


def _rollback_failed(state: Promotion, row: Row) -> Promotion:
    return _why(replace(state, status=Status.STUCK, paused_until_us=0), row)


def _hold_cleared(state: Promotion, row: Row) -> Promotion:
    return replace(state, held=False, actor=_actor(row))


_APPLY = {
    Kind.REQUESTED: _requested,
    Kind.APPROVED: _approved,
    Kind.REVOKED: _revoked,
    Kind.VOIDED: _voided,
    Kind.REJECTED: _rejected,
    Kind.CANCELLED: _cancelled,
    Kind.REMINDED: _reminded,
    Kind.REFUSED: _refused,
    Kind.SUPERSEDED: _superseded,
    Kind.DEPLOY_STARTED: _deploy_started,
    Kind.STEP_BEGUN: _step_begun,
    Kind.STEP_DONE: _step_done,
    Kind.DEPLOY_DONE: _deploy_done,
    Kind.DEPLOY_FAILED: _deploy_failed,
    Kind.PAUSED: _paused,
    Kind.PROBE_STARTED: _probe_started,
    Kind.PROBE_PASSED: _probe_passed,
    Kind.PROBE_FAILED: _probe_failed,
    Kind.ROLLBACK_STARTED: _rollback_started,
    Kind.ROLLBACK_DONE: _rollback_done,
    Kind.ROLLBACK_FAILED: _rollback_failed,
    Kind.HOLD_CLEARED: _hold_cleared,
}


def _why(state: Promotion, row: Row) -> Promotion:
    body = row.body
    return replace(
        state,
        code=str(body.get("code", "")),
        sentence=str(body.get("sentence", "")),
        hint=str(body.get("hint", "")),
    )


def _actor(row: Row) -> Actor:
    return Actor(kind=ActorKind(row.actor_kind), id=row.actor_id, login=str(row.body.get("login", "")))


def project(state: Promotion) -> PromotionRow:
    """The projection of a state, written beside the rows that made it."""
    release = state.request.release
    return PromotionRow(
        stream=state.stream,
        status=state.status,
        open=is_open(state),
        head_seq=state.head_seq,
        application_id=state.application_id,
        environment_id=state.environment_id,
        repository_id=release.repository_id,
        commit=release.commit,
        digest=release.digest,
        verified=state.status is Status.LIVE,
        pull_request=state.request.pull_request,
        requested_us=state.requested_us,
        wake_at_us=next_look_us(state) if state.status is Status.REQUESTED else state.paused_until_us,
        verified_us=state.verified_us if state.status is Status.LIVE else 0,
    )


def next_look_us(state: Promotion) -> int:
    """When something is due for a request that waits for people: a reminder, or its end."""
    if not state.request.deadline_us:
        return NEVER_US
    reminder = max(state.requested_us, state.reminded_us) + state.request.policy.remind_hours * 3_600_000_000
    return min(reminder, state.request.deadline_us)


def request_as_body(request: Request) -> dict[str, Any]:
    """Canonical form for the journal."""
    return {
        "cause": request.cause,
        "rollback": request.rollback,
        "release": release_as_body(request.release),
        **previous_as_body(request.previous, request.previous_plan),
        "plan": _plan_as_body(request.plan),
        "policy": request.policy_hash,
        "evidence": request.evidence_hash,
        "approvals_needed": request.approvals_needed,
        "excluded": list(request.excluded),
        "requester": {"kind": request.requester.kind, "id": request.requester.id, "login": request.requester.login},
        "installation": request.installation_id,
        "pull_request": request.pull_request,
        "comment": request.comment_id,
        "comment_hash": request.comment_hash,
        "evidence_parts": dict(request.evidence),
        "policy_document": policy_as_body(request.policy),
        "policy_version": request.policy_version,
        "tree": request.tree,
        "break_glass": request.break_glass,
        "skipped": list(request.skipped),
        "rules": rules_as_body(request.rules),
        "deadline_us": request.deadline_us,
    }


def request_from_body(body: Mapping[str, Any]) -> Request:
    requester = body["requester"]
    return Request(
        cause=body["cause"],
        rollback=body["rollback"],
        release=release_from_body(body["release"]),
        previous=_release_or_none(body["previous"]),
        previous_plan=_plan_or_none(body["previous_plan"]),
        plan=_plan_from_body(body["plan"]),
        policy_hash=body["policy"],
        evidence_hash=body["evidence"],
        approvals_needed=body["approvals_needed"],
        excluded=tuple(body["excluded"]),
        requester=Actor(kind=ActorKind(requester["kind"]), id=requester["id"], login=requester["login"]),
        installation_id=body["installation"],
        pull_request=body["pull_request"],
        comment_id=body["comment"],
        comment_hash=body.get("comment_hash", ""),
        evidence=body.get("evidence_parts", {}),
        policy=policy_from_body(body["policy_document"]) if "policy_document" in body else Policy(),
        policy_version=body.get("policy_version", 0),
        tree=body.get("tree", ""),
        break_glass=body.get("break_glass", ""),
        skipped=tuple(body.get("skipped", ())),
        rules=rules_from_body(body.get("rules", ())),
        deadline_us=body.get("deadline_us", 0),
    )


_RULES = TypeAdapter(tuple[RuleResult, ...])


def rules_as_body(rules: tuple[RuleResult, ...]) -> list[Any]:
    return list(_RULES.dump_python(rules, mode="json"))


def rules_from_body(body: Sequence[Any]) -> tuple[RuleResult, ...]:
    return _RULES.validate_python(tuple(body))


def release_as_body(release: Release) -> dict[str, Any]:
    return {
        "application_id": release.application_id,
        "repository_id": release.repository_id,
        "commit": release.commit,
        "image": release.image,
        "digest": release.digest,
        "run_id": release.run_id,
        "run_attempt": release.run_attempt,
        "tag": release.tag,
        "port": release.port,
        "health_path": release.health_path,
        "config_commit": release.config_commit,
        "branch": release.branch,
        "open_pull_request": release.open_pull_request,
    }


def release_from_body(body: Mapping[str, Any]) -> Release:
    return Release(**body)


def previous_as_body(previous: Release | None, previous_plan: Plan | None) -> dict[str, Any]:
    """Where a rollback would go, as `promotion.requested` and `deploy.started` carry it."""
    return {
        "previous": release_as_body(previous) if previous else None,
        "previous_plan": _plan_as_body(previous_plan) if previous_plan else None,
    }


def _release_or_none(body: Mapping[str, Any] | None) -> Release | None:
    return release_from_body(body) if body else None


def _plan_or_none(body: Mapping[str, Any] | None) -> Plan | None:
    return _plan_from_body(body) if body else None


def _plan_as_body(plan: Plan) -> dict[str, Any]:
    return {"target": plan.target, "body": plan.body, "hash": plan.hash}


def _plan_from_body(body: Mapping[str, Any]) -> Plan:
    return Plan(target=TargetKind(body["target"]), body=body["body"], hash=body["hash"])

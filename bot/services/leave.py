"""May this run deploy this commit here? The one answer behind the token exchange and what a deploy token opens.

Called by `bot.services.tokens` before it issues anything, and again for every use that reaches Azure. It makes no
rules: a promotion that people agreed to is judged as before its first effect, one that has begun or is live by what
still stands in the way today, anything else as a request by the workflow itself. Whatever is not a yes is `Undecided`,
with every rule; what GitHub shows at a gate only mirrors it (security rules 29 and 31).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from bot.context import Miso
from bot.domain import policy
from bot.domain.catalog import Bound
from bot.domain.codes import Code
from bot.domain.decision import Decision, RuleResult, RuleState, Verdict
from bot.domain.identity import Door, Grant, Principal
from bot.domain.messages import refusal, refusal_of
from bot.domain.model import Actor, ActorKind, Release, WorkflowRun
from bot.domain.promotion import Promotion
from bot.errors import Refused
from bot.services import access, admitting, choosing, journal, knowledge, promotions, releases, whereabouts
from bot.services.access import Origin, Place
from bot.services.promotions import Ask, Outcome

STILL = frozenset({"identity", "registry", "source", "holds", "freeze", "lock"})
"""Rules that say something about today. The others are about asking, and that was answered when it began."""


class Undecided(Refused):
    """No decision lets it in: every rule that was asked, for whoever must do something about it."""

    def __init__(self, no: Refused, rules: Sequence[RuleResult] = ()) -> None:
        super().__init__(no.code, no.sentence, no.hint)
        self.rules = tuple(rules)

    @property
    def final(self) -> bool:
        """Whether something is known to stand in the way; otherwise asking again may be all that is needed."""
        standing = [rule for rule in self.rules if not rule.passed and not rule.skipped]
        return not standing or any(rule.state is RuleState.FAIL for rule in standing)


@dataclass(frozen=True, kw_only=True)
class Leave:
    """A yes: the promotion that carries the commit here, or the release that the workflow may ask for by itself."""

    release: Release
    promotion: Promotion | None = None


@dataclass(frozen=True, kw_only=True)
class Running:
    """Whoever wants to deploy: a run of a workflow, by what was verified about it."""

    commit: str
    run_id: int
    run_attempt: int
    actor: Actor
    seen: WorkflowRun | None = None
    """By GitHub's word of now; None for a run that is none of GitHub's."""

    @property
    def principal(self) -> Principal:
        return Principal(actor=self.actor, door=Door.API)


def starter(actor_id: int) -> Actor:
    """Who stands behind a token: a workflow, by the numeric account that started it."""
    return Actor(kind=ActorKind.WORKFLOW, id=actor_id)


async def run_of(place: Place, *, commit: str, run_id: int, run_attempt: int) -> WorkflowRun:
    """The run by GitHub's word: of this repository and commit, under way, and this very attempt (rules 7 and 31)."""
    run = await place.repository.workflow_run(run_id)
    if run is None or run.repository_id != place.identity.id:
        raise refusal(Code.TRUST_RUN)
    if run.head_sha != commit:
        raise refusal(Code.TRUST_COMMIT)
    if run.head_repository_id != run.repository_id:
        raise refusal(Code.FORK_REFUSED)
    if run.attempt > run_attempt:
        raise refusal(Code.TRUST_ATTEMPT)
    if run.conclusion or run.attempt != run_attempt:
        raise refusal(Code.TRUST_RUN)
    return run


async def to_deploy(miso: Miso, place: Place, bound: Bound, running: Running) -> Leave:
    """The yes for exactly this application, environment, commit and run, or `Undecided`."""
    carrying = await _carrying(miso, bound, running.commit)
    if carrying is not None:
        return await _carried(miso, place, bound, carrying, running)
    release, missing = await _release(miso, place, bound, running)
    ask = Ask(cause="exchange", principal=running.principal, origin=place.origin, release=release)
    decision = await promotions.explain(miso, ask, place, bound.application, bound.environment)
    if not decision.allowed or release is None:
        carrying = await _carrying(miso, bound, running.commit)
        if carrying is not None:
            # Somebody asked for the very same while this was decided: it stands in its own way.
            return await _carried(miso, place, bound, carrying, running)
        held = await whereabouts.held(miso, bound, running.commit)
        raise Undecided(held or missing or _why(decision, bound), decision.rules)
    return Leave(release=release)


async def _carried(miso: Miso, place: Place, bound: Bound, carrying: Promotion, running: Running) -> Leave:
    """By the promotion that carries it, which people or the policy have let in."""
    decision = await _of_promotion(miso, place, bound, carrying, running)
    if not decision.allowed:
        raise Undecided(await whereabouts.held(miso, bound, running.commit) or refusal_of(decision), decision.rules)
    return Leave(release=carrying.request.release, promotion=carrying)


async def promote(miso: Miso, principal: Principal, place: Place, bound: Bound, running: Running) -> Outcome:
    """The promotion that carries it: the one that is there, or a new one in the name of the token's workflow.

    A build that deploys itself and the webhook of its end tell one story, so that neither is refused for the other.
    """
    leave = await to_deploy(miso, place, bound, running)
    if leave.promotion is not None:
        return Outcome(promotion=leave.promotion)
    release, repository = leave.release, place.identity.id
    own = (release.run_id, release.run_attempt) == (running.run_id, running.run_attempt)
    cause = f"{'build' if own else 'workflow'}:{repository}:{running.run_id}:{running.run_attempt}"
    pull = await releases.pull_request_of(place, release.commit)
    ask = Ask(cause=cause, principal=principal, origin=place.origin, release=release, pull_request=pull)
    return await promotions.request(miso, ask, place, bound.application, bound.environment)


async def of_grant(miso: Miso, grant: Grant, actor: Actor) -> tuple[Place, Bound, Running]:
    """Where a deploy token leads, everything asked anew. Refused once its run has ended or its environment is gone."""
    place, bound = await where(miso, grant.application_id, grant.environment_id)
    running = Running(commit=grant.commit, run_id=grant.run_id, run_attempt=grant.run_attempt, actor=actor)
    if not grant.at_github:
        return place, bound, running
    seen = await run_of(place, commit=grant.commit, run_id=grant.run_id, run_attempt=grant.run_attempt)
    return place, bound, replace(running, seen=seen)


async def where(miso: Miso, application_id: str, environment_id: str) -> tuple[Place, Bound]:
    """The registry's rows and the repository as GitHub shows it now, by numeric ids. One answer for all that is not
    bound so, whether it exists or not (rule 20)."""
    application, environment = await asyncio.gather(
        miso.store.application(application_id), miso.store.environment(environment_id)
    )
    if application is None or environment is None or environment.application_id != application.id:
        raise refusal(Code.GUID_NOT_BOUND)
    bound = Bound(application=application, environment=environment)
    return await place_of(miso, bound), bound


async def place_of(miso: Miso, bound: Bound) -> Place:
    """The repository of these rows as GitHub shows it now."""
    application = bound.application
    installation = await miso.github.installation_of(application.repository_id, application.owner_id)
    if installation is None:
        raise refusal(Code.INSTALLATION_MISMATCH)
    origin = Origin(installation_id=installation, repository_id=application.repository_id)
    return await access.bind(miso, origin, bound.environment.stage)


async def _carrying(miso: Miso, bound: Bound, commit: str) -> Promotion | None:
    """The promotion of exactly this commit into exactly this environment that waits, is under way, or runs there."""
    newest = await whereabouts.newest(miso, bound.environment, commit)
    if newest is not None and (newest.status in promotions.OPEN or await whereabouts.goes(miso, newest)):
        return newest
    state = await miso.store.environment_state(bound.environment.id)
    runs = await journal.load(miso, state.running) if state.running else None
    return (
        runs
        if runs is not None and runs.request.release.commit == commit and await whereabouts.goes(miso, runs)
        else None
    )


async def _of_promotion(miso: Miso, place: Place, bound: Bound, promotion: Promotion, running: Running) -> Decision:
    if promotion.status in promotions.OPEN:
        return await admitting.judged(miso, promotion, bound.environment)
    # Whoever asked for it may have locked the environment since, and the workflow is somebody else.
    asked = replace(await promotions.asked_again(miso, promotion, bound.environment), requester=running.actor)
    known = await knowledge.gather(miso, asked, place.repository, access.ready(place))
    agreed = promotion.request.skipped
    still = (rule for rule in known.decide(miso, asked, miso.clock.now_us()).rules if rule.rule in STILL)
    # Two people agreed to go past certain rules and no others: what closed since then counts.
    rules = tuple(_unskipped(rule) if rule.skipped and rule.rule not in agreed else rule for rule in still)
    return policy.judge(rules, approvals_needed=0)


def _unskipped(rule: RuleResult) -> RuleResult:
    return replace(rule, skipped=False)


async def _release(miso: Miso, place: Place, bound: Bound, running: Running) -> tuple[Release | None, Refused | None]:
    """What was built of the commit: asked for before, written down, or just pushed by the run itself. Or why not."""
    stage = bound.environment.stage
    found = await choosing.find_release(miso, bound.application, running.commit, stage)
    found = found or await releases.recorded(miso, place, bound.application, running.commit)
    if found is not None or stage.before is not None or running.seen is None:
        return found, None
    try:
        return await releases.under_way(miso, place, running.seen), None
    except Refused as no:
        return None, no


def _why(decision: Decision, bound: Bound) -> Refused:
    """Beyond the first stage people ask, and then the workflow follows: that is what must be told first."""
    stage = bound.environment.stage
    if stage.before is not None and decision.verdict is Verdict.REFUSE and decision.rules:
        return refusal(Code.NO_DECISION, stage=stage, command=f"/promote {stage}")
    return refusal_of(decision)

"""What each decision was taken over, kept so that a changed policy can be tried on it: `miso policy test`.

`remember` is called by `bot.services.promotions` with every request, refused or not; `replay` decides the same anew
under another policy, at the recorded time. It changes nothing and asks nothing outside, so what the policy of that day
did not ask for is unknown in a replay, and told as such. Texts of people and values of settings are not kept.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace

from pydantic import TypeAdapter

from bot.context import Miso
from bot.domain import policy
from bot.domain.catalog import Bound
from bot.domain.codes import Code
from bot.domain.decision import Asked, Decision, Facts, RuleState, Verdict
from bot.domain.model import Account, Commit, Environment, Plan, Row, Status, Untrusted
from bot.domain.rules import Policy, PolicySet, policy_as_body, policy_from_body
from bot.services import journal, notes
from bot.services.notes import Note
from bot.services.own_file import parsed
from bot.services.policies import Effective, tightened

PAGE = 200
NOTHING = Untrusted("")
_ASKED, _FACTS = TypeAdapter(Asked), TypeAdapter(Facts)


@dataclass(frozen=True, kw_only=True)
class Taken:
    """A decision in short."""

    verdict: Verdict
    codes: tuple[Code, ...]
    """Of every rule that stood in the way."""
    approvals_needed: int


@dataclass(frozen=True, kw_only=True)
class Replayed:
    """One decision as it was taken, and as another policy would have taken it."""

    stream: str
    """Of the promotion, where one came of it."""
    at_us: int
    asked: Asked
    then: Taken
    now: Taken
    untold: tuple[Code, ...]
    """Why it cannot be told: what the other policy asks for and nobody established that day."""
    approvals: tuple[Account, ...]
    """Who approved then."""
    status: Status | None
    """What became of it; None: it was refused."""

    @property
    def differs(self) -> bool:
        return self.then != self.now


async def remember(
    miso: Miso, asked: Asked, facts: Facts, decision: Decision, effective: Effective, now_us: int
) -> None:
    """Write down what a decision was taken over, once for each request: one that is delivered twice is one."""
    tightens = effective.settings is not None and asked.environment.stage in effective.settings.policy
    taken = _taken(decision)
    body = {
        "request": asked.stream,
        "at_us": now_us,
        "asked": _ASKED.dump_python(replace(asked, environment=_bare(asked.environment)), mode="json"),
        "facts": _FACTS.dump_python(_slim(facts), mode="json"),
        "policy": policy_as_body(effective.policy) if effective.policy else None,
        "own_file": effective.text if tightens else "",
        "version": effective.version,
        "verdict": taken.verdict,
        "codes": list(taken.codes),
        "approvals_needed": taken.approvals_needed,
    }
    await notes.write(
        miso,
        journal.stream_id("decision", asked.stream),
        (),
        Note.DECISION_TAKEN,
        asked.requester,
        body,
        application_id=asked.application.id,
        environment_id=asked.environment.id,
        show=False,
    )


async def replay(miso: Miso, policies: PolicySet, *, since_us: int = 0, limit: int = 1000) -> AsyncIterator[Replayed]:
    """The newest decisions since then, the oldest of them first, each taken anew under `policies`."""
    for row in await _recorded(miso, since_us, limit):
        yield await _again(miso, row, policies)


async def _recorded(miso: Miso, since_us: int, limit: int) -> Sequence[Row]:
    kept: deque[Row] = deque(maxlen=limit)
    after = 0
    while page := await miso.store.ledger(kinds=[Note.DECISION_TAKEN], after=after, limit=PAGE):
        kept.extend(row for row in page if row.at_us >= since_us)
        after = page[-1].position
    return kept


async def _again(miso: Miso, row: Row, policies: PolicySet) -> Replayed:
    body = row.body
    asked = _ASKED.validate_python(body["asked"])
    # What its repository tightened that day is none of the other policy's business: it counts again.
    own = parsed(body["own_file"]) if body["own_file"] else None
    demanded = tightened(policies, asked.environment, own.policy if own else {})
    before = policy_from_body(body["policy"]) if body["policy"] else None
    facts = _as_far_as_asked(_FACTS.validate_python(body["facts"]), before, demanded)
    decision = policy.decide(asked, facts, demanded, miso.rules, int(body["at_us"]), policies)
    then = Taken(
        verdict=Verdict(body["verdict"]),
        codes=tuple(Code(code) for code in body["codes"]),
        approvals_needed=int(body["approvals_needed"]),
    )
    promotion = await journal.load(miso, str(body["request"]))
    approvals = promotion.approvals if promotion else ()
    return Replayed(
        stream=promotion.stream if promotion else "",
        at_us=int(body["at_us"]),
        asked=asked,
        then=then,
        now=_taken(decision),
        untold=_untold(decision, then),
        approvals=tuple(Account(id=each.actor.id, login=each.actor.login) for each in approvals),
        status=promotion.status if promotion else None,
    )


def _as_far_as_asked(facts: Facts, before: Policy | None, demanded: Policy | None) -> Facts:
    """Without what was never asked: "no such check was seen" means nothing where nobody looked for one."""
    if demanded is None:
        return facts
    looked = {check.name for check in before.checks} if before else set()
    if not {check.name for check in demanded.checks} <= looked:
        facts = replace(facts, checks=None)
    named = set(policy.teams_named(before)) if before else set()
    if not set(policy.teams_named(demanded)) <= named:
        facts = replace(facts, teams=None)
    return facts


def _untold(decision: Decision, then: Taken) -> tuple[Code, ...]:
    """Why it cannot be told how it would have ended: what stands in the way now and did not then is all unknown."""
    new = [rule for rule in decision.obstacles if rule.code is not None and rule.code not in then.codes]
    if not new or any(rule.state is RuleState.FAIL for rule in new):
        return ()
    return tuple(rule.code for rule in new if rule.code is not None)


def _taken(decision: Decision) -> Taken:
    codes = tuple(rule.code for rule in decision.obstacles if rule.code is not None)
    if decision.refused and not codes and decision.code is not None:
        codes = (decision.code,)
    needed = 0 if decision.refused else decision.approvals_needed
    return Taken(verdict=decision.verdict, codes=codes, approvals_needed=needed)


# --- what is not kept ------------------------------------------------------------------------------------------------


def _slim(facts: Facts) -> Facts:
    """The same for every rule, without texts of people, values of settings and whole plans: their hash is compared."""
    between = facts.range
    if between is not None:
        between = replace(between, commits=tuple(_wordless(commit) for commit in between.commits))
    pulls = facts.pull_requests
    if pulls is not None:
        pulls = {sha: tuple(replace(pull, title=NOTHING) for pull in some) for sha, some in pulls.items()}
    binding = facts.binding
    if isinstance(binding, Bound):
        binding = replace(binding, environment=_bare(binding.environment))
    environments = facts.environments
    if environments is not None:
        environments = tuple(_bare(environment) for environment in environments)
    return replace(
        facts,
        range=between,
        commit=_wordless(facts.commit) if facts.commit else None,
        pull_requests=pulls,
        binding=binding,
        environments=environments,
        plan=_hashed(facts.plan),
        running_plan=_hashed(facts.running_plan),
        bans=None if facts.bans is None else tuple(replace(ban, reason=NOTHING) for ban in facts.bans),
    )


def _bare(environment: Environment) -> Environment:
    return replace(environment, settings=())


def _wordless(commit: Commit) -> Commit:
    return replace(commit, message=NOTHING)


def _hashed(plan: Plan | None) -> Plan | None:
    return replace(plan, body={}) if plan else None

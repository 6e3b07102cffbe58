"""The rules about a release and a place, one small function each; `bot.domain.policy` collects their results.

Every function answers one `RuleResult` and looks at nothing but its arguments. A missing fact is `unknown`, which
counts like `fail`. What a policy asks for beyond that stands in `bot.domain.demands`, what closes an environment or a
release in `bot.domain.closures`, the rules about approvals in `bot.domain.consent`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache

from bot.domain.authors import Authors, is_signed, nothing_runs
from bot.domain.catalog import Bound
from bot.domain.codes import Code
from bot.domain.decision import Asked, Facts, Fixer, RuleResult, RuleState, Standing
from bot.domain.model import PERMISSION_RANK, SYSTEM, Actor, ActorKind, Permission, PromotionRow, Release, Stage
from bot.domain.rules import Policy, Rules, Who

_COMMIT = re.compile(r"[0-9a-f]{40}", re.ASCII)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)
_LEGACY_RANK = {"none": 0, "read": 1, "write": 3, "admin": 5}


@cache
def passed(rule: str) -> RuleResult:
    return RuleResult(rule=rule, state=RuleState.PASS)


def failed(rule: str, code: Code, fixer: Fixer, command: str = "", /, **values: str | int) -> RuleResult:
    said = {**values, "command": command} if command else values
    return RuleResult(rule=rule, state=RuleState.FAIL, code=code, fixer=fixer, command=command, values=said)


def unknown(rule: str, code: Code, fixer: Fixer = Fixer.WAIT, /, **values: str | int) -> RuleResult:
    return RuleResult(rule=rule, state=RuleState.UNKNOWN, code=code, fixer=fixer, values=values)


def no_release(rule: str) -> RuleResult:
    return unknown(rule, Code.RELEASE_UNKNOWN, Fixer.REQUESTER)


def short(commit: str) -> str:
    """The shortest form that commands take back (rule 1)."""
    return commit[:12]


# --- who asks --------------------------------------------------------------------------------------------------------


def requester_may(request: Asked, facts: Facts, policy: Policy, rules: Rules) -> RuleResult:
    """Rules 5, 6 and 12. A person needs every right that the request uses; others reach only what is theirs.

    A rollback needs no second person, so it has a right of its own; who goes past rules needs the right to approve. An
    App of the operator's list speaks for nobody, so it gets nowhere where the policy names people. A build reaches the
    first stage, and Miso itself the next one where the policy says so.
    """
    actor, stage = request.requester, request.environment.stage
    if actor.kind is ActorKind.PERSON:
        rights = [policy.request]
        if request.rollback:
            rights.append(policy.rollback)
        if request.break_glass:
            rights.append(policy.approve)
        standing = Standing(permission=facts.permission, teams=facts.teams)
        return person_may("requester", actor, standing, *rights, stage=stage.value)
    if request.rollback or request.break_glass:
        return failed("requester", Code.BOT_REFUSED, Fixer.WRITER, stage=stage.value)
    if actor.kind is ActorKind.APP:
        if actor.id in rules.bots_that_may_request and not policy.request.named:
            return passed("requester")
        return failed("requester", Code.BOT_REFUSED, Fixer.OPERATOR, stage=stage.value)
    by_itself = policy.auto_promote and stage is Stage.TEST and actor == SYSTEM
    if stage.before is None or by_itself:
        return passed("requester")
    return failed("requester", Code.BOT_REFUSED, Fixer.WRITER, f"/promote {stage}", stage=stage.value)


def person_may(rule: str, actor: Actor, standing: Standing, *rights: Who, **values: str | int) -> RuleResult:
    """Whether this very person is one of each of these sets of people, by GitHub's answer of this moment.

    `values` are said with a refusal. Only the first right that is missing is told; one that is known to be missing
    comes before one that could not be established.
    """
    if actor.kind is not ActorKind.PERSON:
        return failed(rule, Code.BOT_REFUSED, Fixer.APPROVER, **values)
    results = [_one_of(rule, actor, standing, who, values) for who in rights]
    missing = [result for result in results if not result.passed]
    return min(missing, key=lambda result: result.state is RuleState.UNKNOWN, default=passed(rule))


def _one_of(rule: str, actor: Actor, standing: Standing, who: Who, values: Mapping[str, str | int]) -> RuleResult:
    permission = standing.permission
    if permission is None:
        return unknown(rule, Code.PERMISSION_UNKNOWN, role=who.role, **values)
    # A login may have been renamed and taken by another account between comment and question: ids decide (rule 9).
    if permission.user_id != actor.id or rank(permission) < rank_needed(who.role):
        return failed(rule, Code.PERMISSION_DENIED, Fixer.MAINTAINER, role=who.role, **values)
    if not who.named or actor.id in who.users:
        return passed(rule)
    if who.teams and standing.teams is None:
        return unknown(rule, Code.TEAM_UNKNOWN, **values)
    if standing.teams and standing.teams & set(who.teams):
        return passed(rule)
    return failed(rule, Code.NOT_IN_TEAM, Fixer.OPERATOR, **values)


def rank(permission: Permission) -> int:
    """Of a repository role, or of the base of a custom role."""
    known = PERMISSION_RANK.get(permission.role_name)
    return known if known is not None else _LEGACY_RANK.get(permission.permission, 0)


def rank_needed(role: str) -> int:
    """An unknown word in the policy is a role that nobody has."""
    return PERMISSION_RANK.get(role, 99)


# --- whose repository ------------------------------------------------------------------------------------------------


def identity_holds(request: Asked, facts: Facts) -> RuleResult:
    """Rule 20: the repository is the one in the registry, and its variables select exactly these rows."""
    application, environment, seen = request.application, request.environment, facts.identity
    if environment.application_id != application.id:
        return failed("identity", Code.GUID_NOT_BOUND, Fixer.MAINTAINER)
    if seen is None or facts.binding is None:
        return unknown("identity", Code.GITHUB_UNAVAILABLE)
    if seen.id != application.repository_id:
        return failed("identity", Code.GUID_NOT_BOUND, Fixer.MAINTAINER)
    if seen.owner_id != application.owner_id:
        return failed("identity", Code.REPOSITORY_TRANSFERRED, Fixer.OPERATOR)
    if not isinstance(facts.binding, Bound):
        return failed("identity", facts.binding, Fixer.MAINTAINER)
    if facts.binding.application.id != application.id or facts.binding.environment.id != environment.id:
        return failed("identity", Code.GUID_NOT_BOUND, Fixer.MAINTAINER)
    return passed("identity")


# --- the artifact ----------------------------------------------------------------------------------------------------


def release_known(request: Asked) -> RuleResult:
    """Rules 2 and 13: a release of this very application and repository, by full commit and full digest."""
    release, application = request.release, request.application
    well_formed = (
        release is not None
        and release.application_id == application.id
        and release.repository_id == application.repository_id
        and _COMMIT.fullmatch(release.commit)
        and _DIGEST.fullmatch(release.digest)
    )
    return passed("release") if well_formed else failed("release", Code.RELEASE_UNKNOWN, Fixer.REQUESTER)


def registry_allowed(request: Asked, rules: Rules) -> RuleResult:
    """The image's host stands on the operator's list, and is the environment's own where that names one."""
    if request.release is None:
        return no_release("registry")
    host, slash, _ = request.release.image.partition("/")
    own = request.environment.registry
    if slash and host in rules.registries and own in ("", host):
        return passed("registry")
    return failed("registry", Code.IMAGE_HOST_NOT_ALLOWED, Fixer.OPERATOR, host=host)


def image_exists(request: Asked, facts: Facts) -> RuleResult:
    """Rule 13: the digest itself can still be fetched."""
    if request.release is None:
        return no_release("image")
    if facts.image_exists is None:
        return unknown("image", Code.REGISTRY_UNAVAILABLE)
    if facts.image_exists:
        return passed("image")
    return failed("image", Code.ARTIFACT_GONE, Fixer.WRITER, commit=short(request.release.commit))


def tag_holds(request: Asked, facts: Facts) -> RuleResult:
    """Rule 13: the tag that the build pushed still points to the digest, and production takes commit-named tags only.

    A tag that is gone points nowhere else: the digest is what is deployed, and `image_exists` asks for it.
    """
    release = request.release
    if release is None:
        return no_release("tag")
    values = {"commit": short(release.commit)}
    if request.environment.stage is Stage.PRODUCTION and release.tag and release.commit not in release.tag:
        return failed("tag", Code.MOVING_TAG, Fixer.WRITER, **values)
    # A rollback's target was resolved, approved and seen healthy by digest; where its tag points now changes nothing.
    if not release.tag or request.rollback:
        return passed("tag")
    if facts.tag_digest is None:
        return unknown("tag", Code.REGISTRY_UNAVAILABLE)
    if facts.tag_digest in ("", release.digest):
        return passed("tag")
    return failed("tag", Code.ARTIFACT_MOVED, Fixer.WRITER, **values)


# --- the order of things ---------------------------------------------------------------------------------------------


def verified_before(request: Asked, facts: Facts) -> RuleResult:
    """The exact digest was seen healthy in the application's environment one stage earlier; the first has none."""
    stage = request.environment.stage.before
    if stage is None:
        return passed("order")
    if request.release is None:
        return no_release("order")
    if facts.environments is None or facts.verified is None:
        return unknown("order", Code.STATE_UNKNOWN)
    if any(verified_in(places_of(stage, request, facts), request.release, facts.verified)):
        return passed("order")
    commit = short(request.release.commit)
    command = f"/promote {stage} @{commit}"
    return failed("order", Code.NOT_VERIFIED_BEFORE, Fixer.WRITER, command, stage=stage.value, commit=commit)


def verified_here(request: Asked, facts: Facts) -> RuleResult:
    """Rule 12: a rollback goes only to a digest that was seen healthy in this very environment."""
    if request.release is None:
        return no_release("target")
    if facts.verified is None:
        return unknown("target", Code.STATE_UNKNOWN)
    if any(verified_in({request.environment.id}, request.release, facts.verified)):
        return passed("target")
    return failed(
        "target",
        Code.ROLLBACK_TARGET_NOT_VERIFIED,
        Fixer.REQUESTER,
        "/status",
        stage=request.environment.stage.value,
        commit=short(request.release.commit),
    )


def places_of(stage: Stage, request: Asked, facts: Facts) -> set[str]:
    """Ids of the application's environments of one stage; `facts.environments` must be known."""
    own = request.application.id
    return {e.id for e in facts.environments or () if e.stage is stage and e.application_id == own}


def verified_in(places: set[str], release: Release, rows: Iterable[PromotionRow]) -> Iterator[PromotionRow]:
    """Promotions after which this very release was seen healthy in one of these environments."""
    return (
        row
        for row in rows
        if row.verified
        and row.environment_id in places
        and row.digest == release.digest
        and row.commit == release.commit
        and row.application_id == release.application_id
        and row.repository_id == release.repository_id
    )


def not_older(request: Asked, facts: Facts, policy: Policy) -> RuleResult:
    """The release descends from what runs, so that a late build or click never takes work back.

    Builds of open pull requests stand beside one another, so in dev, and only where the policy takes them, one need
    not descend from the other. What is plainly older is refused there too.
    """
    if request.rollback:
        return passed("fence")
    if request.release is None:
        return no_release("fence")
    empty = nothing_runs(request, facts)
    if empty:
        return passed("fence")
    if empty is None or facts.running is None:
        return unknown("fence", Code.STATE_UNKNOWN)
    if facts.running.commit == request.release.commit:
        return passed("fence")
    status = facts.range.status if facts.range is not None else "unknown"
    if status == "unknown":
        return unknown("fence", Code.ANCESTRY_UNKNOWN)
    aside = facts.running.open_pull_request or request.release.open_pull_request
    beside = request.environment.stage is Stage.DEV and policy.open_pull_requests and bool(aside)
    if status in ("ahead", "identical") or (status == "diverged" and beside):
        return passed("fence")
    stage, commit = request.environment.stage.value, short(request.release.commit)
    return failed(
        "fence",
        Code.OLDER_COMMIT,
        Fixer.WRITER,
        f"/rollback {stage} to @{commit}",
        stage=stage,
        commit=commit,
        running=short(facts.running.commit),
    )


def authors_known(request: Asked, authors: Authors, policy: Policy) -> RuleResult:
    """Rule 9: where approvals count, everybody whose work it is must be known, or the policy's price be payable."""
    if not is_signed(request, policy) or authors.known or policy.unknown_author_needs >= 0:
        return passed("authors")
    return failed("authors", Code.UNKNOWN_AUTHOR, Fixer.WRITER, stage=request.environment.stage.value)

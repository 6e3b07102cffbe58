"""The rules about a release and a place, one small function each; `bot.domain.policy` collects their results.

Every function answers one `RuleResult` and looks at nothing but its arguments. A missing fact is `unknown`, which
counts like `fail`. The rules about approvals stand in `bot.domain.consent`.
"""

from __future__ import annotations

import re

from bot.domain.authors import Authors, nothing_runs
from bot.domain.catalog import Bound
from bot.domain.codes import Code
from bot.domain.decision import Asked, Facts, Fixer, RuleResult, RuleState
from bot.domain.model import PERMISSION_RANK, Actor, ActorKind, Permission, Release, Stage
from bot.domain.rules import Rules, Policy

_COMMIT = re.compile(r"[0-9a-f]{40}", re.ASCII)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)
_LEGACY_RANK = {"none": 0, "read": 1, "write": 3, "admin": 5}


def passed(rule: str) -> RuleResult:
    return RuleResult(rule=rule, state=RuleState.PASS)


def failed(rule: str, code: Code, fixer: Fixer, command: str = "", **values: str | int) -> RuleResult:
    said = {**values, "command": command} if command else values
    return RuleResult(rule=rule, state=RuleState.FAIL, code=code, fixer=fixer, command=command, values=said)


def unknown(rule: str, code: Code, fixer: Fixer = Fixer.WAIT, **values: str | int) -> RuleResult:
    return RuleResult(rule=rule, state=RuleState.UNKNOWN, code=code, fixer=fixer, values=values)


def no_release(rule: str) -> RuleResult:
    return unknown(rule, Code.RELEASE_UNKNOWN, Fixer.REQUESTER)


def short(commit: str) -> str:
    """The shortest form that commands take back (rule 1)."""
    return commit[:12]


# --- who asks --------------------------------------------------------------------------------------------------------


def requester_may(request: Asked, facts: Facts, policy: Policy, rules: Rules) -> RuleResult:
    """Rules 5, 6 and 12. Miso's own request from a build goes to the first stage only; Apps need the operator's list.

    A rollback needs no second person, so its requester needs the right to approve as well.
    """
    actor, stage = request.requester, request.environment.stage
    if actor.kind is ActorKind.PERSON:
        role = policy.request_permission
        if request.rollback and rank_needed(policy.approve_permission) > rank_needed(role):
            role = policy.approve_permission
        return person_may("requester", actor, facts.permission, role)
    if request.rollback:
        return failed("requester", Code.BOT_REFUSED, Fixer.WRITER, stage=stage.value)
    if actor.kind is ActorKind.APP:
        if actor.id in rules.bots_that_may_request:
            return passed("requester")
        return failed("requester", Code.BOT_REFUSED, Fixer.OPERATOR, stage=stage.value)
    if stage.before is None:
        return passed("requester")
    return failed("requester", Code.BOT_REFUSED, Fixer.WRITER, f"/promote {stage}", stage=stage.value)


def person_may(rule: str, actor: Actor, permission: Permission | None, role: str) -> RuleResult:
    """Whether GitHub's answer of this moment gives this very account at least the role."""
    if permission is None:
        return unknown(rule, Code.PERMISSION_UNKNOWN, role=role)
    # A login may have been renamed and taken by another account between comment and question: ids decide (rule 9).
    if permission.user_id == actor.id and rank(permission) >= rank_needed(role):
        return passed(rule)
    return failed(rule, Code.PERMISSION_DENIED, Fixer.MAINTAINER, role=role)


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
    places = {e.id for e in facts.environments if e.stage is stage and e.application_id == request.application.id}
    if _verified_in(places, request.release, facts):
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
    if _verified_in({request.environment.id}, request.release, facts):
        return passed("target")
    return failed(
        "target",
        Code.ROLLBACK_TARGET_NOT_VERIFIED,
        Fixer.REQUESTER,
        "/status",
        stage=request.environment.stage.value,
        commit=short(request.release.commit),
    )


def _verified_in(places: set[str], release: Release, facts: Facts) -> bool:
    return any(
        row.verified
        and row.environment_id in places
        and row.digest == release.digest
        and row.commit == release.commit
        and row.application_id == release.application_id
        and row.repository_id == release.repository_id
        for row in facts.verified or ()
    )


def not_held(request: Asked, facts: Facts) -> RuleResult:
    """No environment of the application was rolled back from this commit or digest without being cleared since."""
    release = request.release
    if release is None:
        return no_release("holds")
    if facts.environments is None or facts.states is None:
        return unknown("holds", Code.STATE_UNKNOWN)
    places = {e.id: e.stage for e in (*facts.environments, request.environment)}
    if not places.keys() <= facts.states.keys():
        return unknown("holds", Code.STATE_UNKNOWN)
    commit = short(release.commit)
    for place, stage in places.items():
        if any(h.digest == release.digest or h.commit == release.commit for h in facts.states[place].held):
            command = f"/clear @{commit} <reason>"
            return failed("holds", Code.RELEASE_HELD, Fixer.WRITER, command, stage=stage.value, commit=commit)
    return passed("holds")


def not_older(request: Asked, facts: Facts) -> RuleResult:
    """The release descends from what runs, so that a late build or click never takes work back."""
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
    if status in ("ahead", "identical"):
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
    if request.rollback or policy.approvals <= 0 or authors.known or policy.unknown_author_needs >= 0:
        return passed("authors")
    return failed("authors", Code.UNKNOWN_AUTHOR, Fixer.WRITER, stage=request.environment.stage.value)

"""A small world of values for the tests of the domain: one application, three environments, one release."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bot.domain import evidence
from bot.domain import plan as plans
from bot.domain.authors import people_needed
from bot.domain.catalog import Bound
from bot.domain.decision import Asked, Facts
from bot.domain.model import (
    Actor,
    ActorKind,
    Application,
    Commit,
    CommitRange,
    Environment,
    EnvironmentState,
    Permission,
    PromotionRow,
    PullRequest,
    Release,
    RepositoryFacts,
    Row,
    Stage,
    Status,
    TargetKind,
    Untrusted,
)
from bot.domain.policy import evidence_of, policy_hash
from bot.domain.promotion import Promotion, Request, fold, request_as_body
from bot.domain.rules import Policy, Rules

AUTHOR = Actor(kind=ActorKind.PERSON, id=11, login="ada")
ASKER = Actor(kind=ActorKind.PERSON, id=12, login="bob")
MERGER = Actor(kind=ActorKind.PERSON, id=13, login="cyd")
OTHER = Actor(kind=ActorKind.PERSON, id=14, login="dee")
OLD, NEW = "a" * 40, "b" * 40
OLD_DIGEST, NEW_DIGEST = "sha256:" + "1" * 64, "sha256:" + "2" * 64
NOW = 1_700_000_000_000_000
HOUR = 3_600_000_000

APPLICATION = Application(id="10000000-0000-4000-8000-000000000001", name="shop", repository_id=42, owner_id=7)
IDENTITY = RepositoryFacts(id=42, full_name="acme/shop", owner_id=7, default_branch="main")


def environment(
    stage: Stage = Stage.PRODUCTION, target: TargetKind = TargetKind.WEB_APP, **changes: Any
) -> Environment:
    number = {Stage.DEV: 1, Stage.TEST: 2, Stage.PRODUCTION: 3}[stage]
    made = Environment(
        id=f"20000000-0000-4000-8000-00000000000{number}",
        application_id=APPLICATION.id,
        github_name=stage.value,
        stage=stage,
        tenant_id="30000000-0000-4000-8000-000000000001",
        client_id="40000000-0000-4000-8000-000000000001",
        subscription_id="50000000-0000-4000-8000-000000000001",
        resource_group="shop-rg",
        location="westeurope",
        target=target,
        name=f"shop-{stage.value}",
        plan="shop-plan" if target is TargetKind.WEB_APP else "",
        dns_label="" if target is TargetKind.WEB_APP else f"shop-{stage.value}",
    )
    return replace(made, **changes)


DEV, TEST, PRODUCTION = environment(Stage.DEV), environment(Stage.TEST), environment(Stage.PRODUCTION)
RULES = Rules(controller="miso-test", app_id=99, registries=("registry.example",))
POLICY = Policy(approvals=1, approval_hours=24, unknown_author_needs=-1)


def release(commit: str = NEW, digest: str = NEW_DIGEST, **changes: Any) -> Release:
    made = Release(
        application_id=APPLICATION.id,
        repository_id=APPLICATION.repository_id,
        commit=commit,
        image="registry.example/shop",
        digest=digest,
        run_id=1,
        tag=commit,
    )
    return replace(made, **changes)


def commit(sha: str = NEW, **changes: Any) -> Commit:
    """A squash merge as GitHub makes it: the author's, committed by web-flow."""
    made = Commit(sha=sha, author_id=AUTHOR.id, committer_id=None, committer_is_web_flow=True, coauthors_unknown=False)
    return replace(made, **changes)


def pull_request(sha: str = NEW, **changes: Any) -> PullRequest:
    made = PullRequest(
        number=5,
        author_id=AUTHOR.id,
        title=Untrusted("Faster"),
        merged=True,
        open=False,
        merge_commit_sha=sha,
        merged_by_id=MERGER.id,
        head_sha="c" * 40,
        head_repository_id=42,
        base_repository_id=42,
        base_branch="main",
    )
    return replace(made, **changes)


def promoted(where: Environment, **changes: Any) -> PromotionRow:
    made = PromotionRow(
        stream=f"promotion-{where.stage}",
        status=Status.LIVE,
        open=False,
        head_seq=5,
        application_id=APPLICATION.id,
        environment_id=where.id,
        repository_id=APPLICATION.repository_id,
        commit=NEW,
        digest=NEW_DIGEST,
        verified=True,
        pull_request=5,
        requested_us=1,
        wake_at_us=0,
        verified_us=NOW - 24 * HOUR,
    )
    return replace(made, **changes)


def asked(**changes: Any) -> Asked:
    made = Asked(
        requester=ASKER, application=APPLICATION, environment=PRODUCTION, release=release(), stream="promotion-now"
    )
    return replace(made, **changes)


def facts(where: Environment = PRODUCTION, **changes: Any) -> Facts:
    """Everything is known and as it should be: the old release runs, the new one was verified in test."""
    places = (DEV, TEST, where if where.stage is Stage.PRODUCTION else PRODUCTION)
    states = {e.id: EnvironmentState(environment_id=e.id) for e in (*places, where)}
    verified = f"promotion-{Stage.TEST}"
    states[TEST.id] = EnvironmentState(environment_id=TEST.id, version=2, running=verified, last_verified=verified)
    states[where.id] = EnvironmentState(environment_id=where.id, version=3, running="old", last_verified="old")
    made = Facts(
        identity=IDENTITY,
        binding=Bound(application=APPLICATION, environment=where),
        permission=Permission(user_id=ASKER.id, role_name="write", permission="write"),
        config=None,
        default_branch="main",
        checks=(),
        bans=(),
        image_exists=True,
        tag_digest=NEW_DIGEST,
        environments=places,
        states=states,
        running=release(OLD, OLD_DIGEST),
        running_plan=plans.build(where, release(OLD, OLD_DIGEST), controller=RULES.controller),
        verified=(promoted(TEST),),
        open=(),
        plan=plans.build(where, release(), controller=RULES.controller),
        range=CommitRange(status="ahead", commits=(commit(),), complete=True),
        commit=commit(),
        pull_requests={NEW: (pull_request(),)},
        pushers={},
    )
    return replace(made, **changes)


def row(kind: str, seq: int = 2, *, actor: Actor = OTHER, at_us: int = NOW, v: int = 1, **body: Any) -> Row:
    return Row(
        position=seq,
        stream="promotion-now",
        seq=seq,
        kind=kind,
        v=v,
        at_us=at_us,
        actor_kind=actor.kind.value,
        actor_id=actor.id,
        application_id=APPLICATION.id,
        environment_id=PRODUCTION.id,
        epoch=1,
        body={"login": actor.login, **body},
        prev="",
        hash="",
    )


def request(
    where: Environment = PRODUCTION,
    policy: Policy = POLICY,
    found: Mapping[str, Any] | None = None,
    **changes: Any,
) -> Request:
    """What was asked, bound to what was shown: `found` are changes of the facts of that moment.

    Other `changes` are made after that, so the hash knows nothing of them, but for break-glass and what it skips.
    """
    seen, reason = facts(where, **(found or {})), str(changes.get("break_glass", ""))
    skipped = changes.get("skipped", ())
    parts = evidence_of(asked(environment=where, break_glass=reason), seen, policy, RULES, skipped) or {}
    assert seen.plan is not None
    made = Request(
        cause="comment:1",
        rollback=False,
        release=release(),
        previous=release(OLD, OLD_DIGEST),
        previous_plan=plans.build(where, release(OLD, OLD_DIGEST), controller=RULES.controller),
        plan=seen.plan,
        policy_hash=policy_hash(policy, RULES),
        evidence=parts,
        evidence_hash=evidence.hash_of(parts),
        policy=policy,
        approvals_needed=max(people_needed(policy), 1 if reason else 0),
        excluded=(AUTHOR.id, ASKER.id, MERGER.id),
        requester=ASKER,
        installation_id=1,
        pull_request=5,
        comment_id=1,
    )
    return replace(made, **changes)


def requested(made: Request | None = None, **changes: Any) -> Row:
    body = request_as_body(made or request(**changes))
    return row("promotion.requested", 1, actor=ASKER, **body)


def approved(by: Actor = OTHER, seq: int = 2, *, at_us: int = NOW, evidence: str | None = None) -> Row:
    return row("promotion.approved", seq, actor=by, at_us=at_us, evidence=evidence or request().evidence_hash)


def promotion(*rows: Row, first: Row | None = None) -> Promotion:
    return fold([first or requested(), *rows])

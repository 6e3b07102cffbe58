"""What the API shows of a promotion, a token and a principal, as JSON. It fetches nothing and decides nothing.

Used by `bot.web.api` and `bot.web.api_access`. Texts are bare of Markdown; what people and repositories wrote is
theirs, and JSON carries it as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from bot.domain import preview as previews
from bot.domain.identity import Principal
from bot.domain.messages import bare, headline, next_step, who_approves
from bot.domain.messages import preview as previewing
from bot.domain.messages.approvals import evidence_rows
from bot.domain.messages.report import address
from bot.domain.model import Actor, ActorKind, Environment
from bot.domain.promotion import Promotion, is_open
from bot.services.asking import Overview, Seen
from bot.services.overview import Standing
from bot.services.tokens import Listed
from bot.web.problems import rules_shown

PROMOTIONS = "/api/v1/promotions"


def promotion(seen: Seen, *, public_url: str, now_us: int) -> dict[str, Any]:
    """Everything that somebody who waits for it, or may act on it, wants to know."""
    now, environment = seen.promotion, seen.environment
    asked, release = now.request, now.request.release
    here = f"{public_url}{PROMOTIONS}/{now.stream}"
    opened = is_open(now)
    links = {"self": here}
    if opened and not now.steps:
        links |= {deed: f"{here}/{deed}" for deed in ("approve", "reject", "revoke", "cancel")}
    return {
        "id": now.stream,
        "version": now.head_seq,
        "status": now.status.value,
        "says": headline(now, now_us=now_us),
        "open": opened,
        "application": seen.application.name,
        "application_id": now.application_id,
        "environment_id": now.environment_id,
        "environment": environment.github_name,
        "stage": environment.stage.value,
        "commit": release.commit,
        "image": release.reference,
        "digest": release.digest,
        "rollback": asked.rollback,
        "pull_request": asked.pull_request or None,
        "requester": actor(asked.requester),
        "requested_at": moment(now.requested_us),
        "deadline": moment(asked.deadline_us),
        "evidence": asked.evidence_hash,
        "policy": asked.policy_hash,
        "signs": [{"part": name, "text": bare(text, 600)} for name, text in evidence_rows(asked)],
        "plan": _plan(now, environment),
        "approvals_needed": asked.approvals_needed,
        "approvals": [{"by": actor(each.actor), "at": moment(each.at_us)} for each in now.approvals],
        "who_approves": bare(who_approves(asked.policy), 500) if asked.approvals_needed else "",
        "next": bare(next_step(now, environment), 500),
        "url": address(now, environment) or None,
        "code": now.code,
        "detail": bare(now.sentence, 800),
        "hint": bare(now.hint, 800),
        "rules": rules_shown(now.rules),
        "links": links,
    }


def application(each: Overview) -> dict[str, Any]:
    """An application, what runs in its environments, and ids of what is open there."""
    places = [
        {
            "id": standing.environment.id,
            "environment": standing.environment.github_name,
            "stage": standing.environment.stage.value,
            "running": _running(standing),
            "waiting": list(waiting),
        }
        for standing, waiting in each.places
    ]
    return {"id": each.application.id, "name": each.application.name, "environments": places}


def _running(standing: Standing) -> dict[str, Any] | None:
    if standing.running is None:
        return None
    release = standing.running.request.release
    return {"promotion": standing.running.stream, "commit": release.commit, "digest": release.digest}


def _plan(now: Promotion, environment: Environment) -> list[str]:
    """What it would change, line by line."""
    preview = previews.of(environment, now.request.previous_plan, now.request.plan)
    return [bare(line.removeprefix("- "), 600) for line in previewing.lines(preview).splitlines()]


def token(each: Listed) -> dict[str, Any]:
    """A token without the token."""
    times = {name: moment(getattr(each, f"{name}_us")) for name in ("issued", "expires", "revoked")}
    plain = {name: value for name, value in asdict(each).items() if not name.endswith("_us")}
    return {**plain, **{f"{name}_at": at for name, at in times.items()}}


def me(principal: Principal, *, name: str = "", ends_us: int = 0) -> dict[str, Any]:
    """Whoever asks, as Miso knows them; of somebody who signed in also their name and when that ends."""
    known: dict[str, Any] = {
        "kind": principal.actor.kind.value,
        "subject": principal.subject,
        "github": actor(principal.actor) if _is_account(principal) else None,
        "linked": principal.linked,
        "name": name or None,
        "roles": sorted(role.value for role in principal.roles),
        "roles_at": moment(principal.roles_us),
        "ends_at": moment(ends_us),
        "door": principal.door.value,
        "device": principal.device,
    }
    if principal.grant is not None:
        grant = principal.grant
        known["grant"] = {
            "application_id": grant.application_id,
            "environment_id": grant.environment_id,
            "repository_id": grant.repository_id,
            "commit": grant.commit,
            "run_id": grant.run_id,
            "run_attempt": grant.run_attempt,
            "expires_at": moment(grant.expires_us),
        }
    return known


def actor(who: Actor) -> Mapping[str, Any]:
    return {"kind": who.kind.value, "id": who.id, "login": who.login}


def moment(at_us: int) -> str | None:
    """RFC 3339 in UTC; None for a time that is none."""
    return datetime.fromtimestamp(at_us // 1_000_000, tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if at_us else None


def _is_account(principal: Principal) -> bool:
    return principal.actor.kind is ActorKind.PERSON and principal.actor.id > 0

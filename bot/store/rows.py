"""What stands in a column: canonical JSON, clean text, the hash of a row, and domain values from database rows.

Called by every unit of the store. Pure: nothing here runs a statement or knows the time. Functions named `*_from` take
the columns in the order in which `statements` lists them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from bot.domain.canonical import canonical as spell
from bot.domain.model import (
    Actor,
    ActorKind,
    Application,
    Delivery,
    DeliveryState,
    Drift,
    Environment,
    EnvironmentState,
    Hold,
    Lock,
    Operation,
    ProbeKind,
    PromotionRow,
    Row,
    Stage,
    Status,
    Surface,
    TargetKind,
    Untrusted,
)

Columns = Sequence[Any]


def text(value: str) -> str:
    """`value` as both engines can keep it.

    PostgreSQL refuses NUL in TEXT (https://www.postgresql.org/docs/current/datatype-character.html) and neither takes
    half of a surrogate pair, which JSON may well spell (https://www.rfc-editor.org/rfc/rfc8259#section-8.2).
    """
    if "\0" in value:
        value = value.replace("\0", "")
    try:
        value.encode()
    except UnicodeEncodeError:
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return value


def canonical(value: Any) -> str:
    """The one spelling of a JSON value, in text that both engines can keep; equal values give equal bytes.

    Raises ValueError for NaN and infinities, TypeError for what JSON cannot say.
    """
    return spell(_clean(value))


def _clean(value: Any) -> Any:
    match value:
        case str():
            return text(value)
        case Mapping():
            return {text(key) if isinstance(key, str) else key: _clean(item) for key, item in value.items()}
        case list() | tuple():
            return [_clean(item) for item in value]
        case _:
            return value


def digest(*columns: Any) -> str:
    """64 hex digits over columns. A JSON array keeps them apart, so that no two different rows spell alike."""
    # `default` serves verification alone: a forged column may hold bytes, and that shall be a finding, not a fault.
    spelled = json.dumps(columns, separators=(",", ":"), ensure_ascii=False, default=repr)
    return hashlib.sha256(spelled.encode("utf-8", "surrogatepass")).hexdigest()


def row_hash(columns: Mapping[str, Any]) -> str:
    """Hash of a journal row: every column but `position` (given by the engine) and `hash` itself; `prev` is in it."""
    return digest(*(columns[name] for name in HASHED))


HASHED = (
    "stream",
    "seq",
    "kind",
    "v",
    "at_us",
    "actor_kind",
    "actor_id",
    "application_id",
    "environment_id",
    "epoch",
    "body",
    "prev",
)


def row_from(columns: Columns) -> Row:
    *before, body, prev, hash_ = columns
    names = ("position", *HASHED[:-2])
    return Row(**dict(zip(names, before, strict=True)), body=json.loads(body), prev=prev, hash=hash_)


def delivery_from(columns: Columns) -> Delivery:
    guid, event, body, state, received_us, done_us, attempts, replay_of, code, note, hook_target_id = columns
    return Delivery(
        guid=guid,
        event=event,
        body=bytes(body),
        state=DeliveryState(state),
        received_us=received_us,
        done_us=done_us,
        attempts=attempts,
        replay_of=replay_of,
        code=code,
        note=note,
        hook_target_id=hook_target_id,
    )


def promotion_columns(promotion: PromotionRow) -> dict[str, Any]:
    return {
        "stream": promotion.stream,
        "status": promotion.status.value,
        "is_open": int(promotion.open),
        "head_seq": promotion.head_seq,
        "application_id": promotion.application_id,
        "environment_id": promotion.environment_id,
        "repository_id": promotion.repository_id,
        "commit_sha": promotion.commit,
        "digest": promotion.digest,
        "verified": int(promotion.verified),
        "pull_request": promotion.pull_request,
        "requested_us": promotion.requested_us,
        "wake_at_us": promotion.wake_at_us,
        "verified_us": promotion.verified_us,
    }


def promotion_from(columns: Columns) -> PromotionRow:
    values = dict(zip(PROMOTION_NAMES, columns, strict=True))
    return PromotionRow(
        **{
            **values,
            "status": Status(values["status"]),
            "open": bool(values["open"]),
            "verified": bool(values["verified"]),
        }
    )


PROMOTION_NAMES = (
    "stream",
    "status",
    "open",
    "head_seq",
    "application_id",
    "environment_id",
    "repository_id",
    "commit",
    "digest",
    "verified",
    "pull_request",
    "requested_us",
    "wake_at_us",
    "verified_us",
)


def state_columns(state: EnvironmentState) -> dict[str, Any]:
    held = [
        {"commit": hold.commit, "digest": hold.digest, "stream": hold.stream, "since_us": hold.since_us}
        for hold in state.held
    ]
    return {
        "environment_id": state.environment_id,
        "version": state.version,
        "running": state.running,
        "last_verified": state.last_verified,
        "held": canonical(held),
        "busy": state.busy,
        "lock_body": canonical(lock_as_body(state.lock)) if state.lock else "",
        "drift_body": canonical(asdict(state.drift)) if state.drift else "",
    }


def state_from(columns: Columns) -> EnvironmentState:
    environment_id, version, running, last_verified, held, busy, lock, drift = columns
    return EnvironmentState(
        environment_id=environment_id,
        version=version,
        running=running,
        last_verified=last_verified,
        held=tuple(Hold(**hold) for hold in json.loads(held)),
        busy=busy,
        lock=lock_from_body(json.loads(lock)) if lock else None,
        drift=Drift(**json.loads(drift)) if drift else None,
    )


def lock_as_body(lock: Lock) -> dict[str, Any]:
    return asdict(lock)


def lock_from_body(body: Mapping[str, Any]) -> Lock:
    owner = body["owner"]
    actor = Actor(kind=ActorKind(owner["kind"]), id=owner["id"], login=owner["login"])
    return Lock(owner=actor, reason=Untrusted(body["reason"]), since_us=body["since_us"], until_us=body["until_us"])


def operation_from(columns: Columns) -> Operation:
    stream, step, epoch, continuation, started_us = columns
    return Operation(stream=stream, step=step, epoch=epoch, continuation=continuation, started_us=started_us)


def surface_from(columns: Columns) -> Surface:
    stream, surface, remote_id, shown_seq, body_hash = columns
    return Surface(stream=stream, surface=surface, remote_id=remote_id, shown_seq=shown_seq, body_hash=body_hash)


def application_columns(application: Application) -> dict[str, Any]:
    names = ("id", "name", "repository_id", "owner_id", "origin")
    return {name: getattr(application, name) for name in names}


def application_from(columns: Columns) -> Application:
    id_, name, repository_id, owner_id, origin = columns
    return Application(id=id_, name=name, repository_id=repository_id, owner_id=owner_id, origin=origin)


def environment_columns(environment: Environment) -> dict[str, Any]:
    columns = {name: getattr(environment, name) for name in ENVIRONMENT_NAMES}
    return {
        **columns,
        "stage": environment.stage.value,
        "target": environment.target.value,
        "probe": environment.probe.value,
        "settings": canonical(environment.settings),
    }


def environment_from(columns: Columns) -> Environment:
    values = dict(zip(ENVIRONMENT_NAMES, columns, strict=True))
    return Environment(
        **{
            **values,
            "stage": Stage(values["stage"]),
            "target": TargetKind(values["target"]),
            "probe": ProbeKind(values["probe"]),
            "settings": tuple((name, value) for name, value in json.loads(values["settings"])),
        }
    )


ENVIRONMENT_NAMES = (
    "id",
    "application_id",
    "github_name",
    "stage",
    "tenant_id",
    "client_id",
    "subscription_id",
    "resource_group",
    "location",
    "target",
    "name",
    "plan",
    "slot",
    "dns_label",
    "registry",
    "pull_identity",
    "pull_identity_resource_id",
    "cpu",
    "memory_gb",
    "probe",
    "settings",
    "origin",
)

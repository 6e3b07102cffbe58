"""Small values for the store's tests: rows, promotions, registry entries, and a clock that is turned by hand."""

from __future__ import annotations

from bot.domain.model import (
    Actor,
    ActorKind,
    Append,
    Application,
    Claim,
    Environment,
    EnvironmentState,
    Fence,
    NewDelivery,
    NewRow,
    PromotionRow,
    Stage,
    Status,
    TargetKind,
)

SECOND = 1_000_000
APP = "11111111-1111-4111-8111-111111111111"
ENV = "22222222-2222-4222-8222-222222222222"
ALICE = Actor(kind=ActorKind.PERSON, id=7, login="alice")


class Clock:
    """Microseconds that move only when told to."""

    def __init__(self, now_us: int = 1_700_000_000_000_000) -> None:
        self.now_us = now_us

    def __call__(self) -> int:
        return self.now_us

    def pass_(self, seconds: float) -> None:
        self.now_us += int(seconds * SECOND)


def delivery(guid: str, body: bytes = b"", *, received_us: int = 1) -> NewDelivery:
    return NewDelivery(guid=guid, event="push", body=body or guid.encode(), received_us=received_us)


def row(kind: str = "promotion.approved", *, environment_id: str = ENV, **body: object) -> NewRow:
    return NewRow(kind=kind, actor=ALICE, application_id=APP, environment_id=environment_id, body=body)


def append(
    stream: str = "p1",
    seq: int = 1,
    *rows: NewRow,
    promotion: PromotionRow | None = None,
    environment: EnvironmentState | None = None,
    claim: Claim | None = None,
    fence: Fence | None = None,
    free: bool = False,
    forget: tuple[str, ...] = (),
) -> Append:
    return Append(
        stream=stream,
        seq=seq,
        rows=rows or (row(),),
        promotion=promotion,
        environment=environment,
        claim=claim,
        fence=fence,
        free=free,
        forget=forget,
    )


def claim(holder: str = "worker-1", *, resource: str = "app/env", seconds: float = 10) -> Claim:
    return Claim(resource=resource, holder=holder, ttl_us=int(seconds * SECOND))


def fence(epoch: int, *, resource: str = "app/env") -> Fence:
    return Fence(resource=resource, epoch=epoch)


def promotion(
    stream: str = "p1",
    head_seq: int = 1,
    *,
    status: Status = Status.REQUESTED,
    is_open: bool = True,
    application_id: str = APP,
    environment_id: str = ENV,
    repository_id: int = 42,
    commit: str = "a" * 40,
    verified: bool = False,
    pull_request: int = 0,
    wake_at_us: int = 0,
    verified_us: int = 0,
) -> PromotionRow:
    return PromotionRow(
        stream=stream,
        status=status,
        open=is_open,
        head_seq=head_seq,
        application_id=application_id,
        environment_id=environment_id,
        repository_id=repository_id,
        commit=commit,
        digest="sha256:" + "d" * 64,
        verified=verified,
        pull_request=pull_request,
        requested_us=0,
        wake_at_us=wake_at_us,
        verified_us=verified_us,
    )


def application(id_: str = APP, *, name: str = "shop", repository_id: int = 42) -> Application:
    return Application(id=id_, name=name, repository_id=repository_id, owner_id=9)


def environment(id_: str = ENV, application_id: str = APP, *, location: str = "westeurope") -> Environment:
    return Environment(
        id=id_,
        application_id=application_id,
        github_name="dev",
        stage=Stage.DEV,
        tenant_id="33333333-3333-4333-8333-333333333333",
        client_id="44444444-4444-4444-8444-444444444444",
        subscription_id="55555555-5555-4555-8555-555555555555",
        resource_group="shop-dev",
        location=location,
        target=TargetKind.WEB_APP,
        name="shop",
        cpu=0.5,
        settings=(("GREETING", "hej ✓"), ("A", "1")),
    )

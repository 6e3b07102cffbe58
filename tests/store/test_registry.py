"""The registry keeps what was registered, and the journal tells each change once."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest

from bot.context import Store
from bot.domain.model import Environment, ProbeKind, Row, Stage, TargetKind
from bot.errors import Refused
from tests.store.builders import APP, ENV, application, environment

OTHER = "99999999-9999-4999-8999-999999999999"


async def told(store: Store, application_id: str = APP) -> list[Row]:
    return list(await store.stream(f"registry:{application_id}"))


async def test_what_was_registered_is_found(store: Store) -> None:
    await store.register(application(), [environment()])
    assert await store.application(APP) == application()
    assert await store.environment(ENV) == environment()
    assert await store.applications() == [application()]
    assert await store.environments() == [environment()]
    assert await store.environments(APP) == [environment()]
    assert await store.application(ENV) is None
    assert await store.environment(APP) is None
    assert await store.environments(OTHER) == []


async def test_every_field_of_an_environment_is_kept(store: Store) -> None:
    text: dict[str, Any] = {field.name: f"<{field.name}>" for field in fields(Environment)}
    others = {
        "application_id": APP,
        "stage": Stage.PRODUCTION,
        "target": TargetKind.CONTAINER_INSTANCE,
        "probe": ProbeKind.PLATFORM,
        "cpu": 2.5,
        "memory_gb": 3.0,
        "settings": (("NAME", "å ✓"), ("A", "")),
    }
    whole = Environment(**{**text, **others})
    await store.register(application(), [whole])
    assert await store.environment("<id>") == whole


async def test_several_applications_may_share_a_repository(store: Store) -> None:
    second = application(OTHER, name="admin")
    await store.register(application(), [])
    await store.register(second, [])
    assert await store.application_of(42) == [second, application()]
    assert await store.application_of(43) == []


async def test_a_change_is_told_by_the_names_of_its_fields(store: Store) -> None:
    await store.register(application(), [environment()])
    await store.register(replace(application(), owner_id=10), [environment(location="northeurope")])
    first, second = await told(store)
    assert (first.kind, first.application_id, first.actor_kind) == ("registry.changed", APP, "system")
    assert set(first.body["application"]) == {field.name for field in fields(application())}
    assert set(first.body["environments"][ENV]) == {field.name for field in fields(environment())}
    assert second.body == {"application": ["owner_id"], "environments": {ENV: ["location"]}}
    assert (await store.environments(APP))[0].location == "northeurope"
    assert await store.verify() == []


async def test_nothing_changed_is_nothing_told(store: Store) -> None:
    for _ in range(2):
        await store.register(application(), [environment()])
    await store.register(application(), [])
    assert len(await told(store)) == 1
    assert await store.environments(APP) == [environment()]


async def test_rule_20_an_environment_never_moves_to_another_application(store: Store) -> None:
    await store.register(application(), [environment()])
    with pytest.raises(Refused) as refused:
        await store.register(application(OTHER), [environment(application_id=OTHER)])
    assert refused.value.code == "guid_not_bound"
    assert APP not in str(refused.value)
    assert await store.application(OTHER) is None
    assert await told(store, OTHER) == []
    assert await store.environment(ENV) == environment()


async def test_an_environment_of_another_application_is_a_fault_of_the_caller(store: Store) -> None:
    with pytest.raises(ValueError, match="another application"):
        await store.register(application(), [environment(application_id=OTHER)])

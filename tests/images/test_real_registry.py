"""The window to registries against a real one."""

from __future__ import annotations

from aiohttp import ClientSession

from tests import registry
from tests.images.scripted import OTHER, window

COMMIT = "0123456789abcdef0123456789abcdef01234567"


async def test_a_tag_names_its_digest(real: str, session: ClientSession) -> None:
    digest = registry.push_image(real, "team/shop", COMMIT, "one")
    assert await window(session, real).digest(f"{real}/team/shop", COMMIT, None) == digest


async def test_a_moved_tag_names_the_new_digest_and_the_old_stays(real: str, session: ClientSession) -> None:
    images = window(session, real)
    first = registry.push_image(real, "moved", "v1", "one")
    second = registry.push_image(real, "moved", "v1", "two")
    assert first != second == await images.digest(f"{real}/moved", "v1", None)
    assert await images.exists(f"{real}/moved", first, None)


async def test_what_is_not_there_is_none(real: str, session: ClientSession) -> None:
    images = window(session, real)
    registry.push_image(real, "some", "v1", "one")
    assert await images.digest(f"{real}/some", "v2", None) is None
    assert await images.digest(f"{real}/none", "v1", None) is None
    assert not await images.exists(f"{real}/some", OTHER, None)


async def test_rule_13_a_deleted_digest_is_gone(real: str, session: ClientSession) -> None:
    digest = registry.push_image(real, "gone", "v1", "one")
    registry.delete_image(real, "gone", digest)
    assert not await window(session, real).exists(f"{real}/gone", digest, None)


async def test_a_multi_arch_image_is_named_by_its_index(real: str, session: ClientSession) -> None:
    amd = registry.push_image(real, "multi", "amd64", "amd")
    arm = registry.push_image(real, "multi", "arm64", "arm")
    index = registry.push_index(real, "multi", "v1", {"amd64": amd, "arm64": arm})
    assert index not in (amd, arm)
    assert await window(session, real).digest(f"{real}/multi", "v1", None) == index

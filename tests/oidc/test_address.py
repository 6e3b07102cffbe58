"""The address under which keys issue is written down once, and changes only by a word of an operator."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.errors import ConfigError
from bot.oidc import address
from bot.oidc.address import Former
from tests.oidc.ground import ISSUER, Time, put, rings_in

ANOTHER = "https://elsewhere.example"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "keys"


async def test_the_first_start_writes_it_down(directory: Path, time: Time) -> None:
    assert address.recorded(directory) is None
    await rings_in(directory, time)
    found = address.recorded(directory)
    assert found is not None
    assert (found.issuer, found.since_us, found.history) == (ISSUER, time.us, ())


async def test_keys_from_before_it_was_written_down_take_the_present_one(directory: Path, time: Time) -> None:
    before = await rings_in(directory, time)
    (directory / address.FILE).unlink()
    after = await rings_in(directory, time)
    assert after.jwks() == before.jwks()
    assert address.recorded(directory) is not None


@pytest.mark.parametrize("other", [ANOTHER, ISSUER + "/", ISSUER.upper(), "http://miso.example"])
async def test_another_one_is_refused_with_what_to_do(directory: Path, time: Time, other: str) -> None:
    await rings_in(directory, time)
    with pytest.raises(ConfigError, match="miso keys migrate"):
        await rings_in(directory, time, issuer=other)
    assert await rings_in(directory, time)


async def test_after_a_migration_the_new_one_counts_and_the_old_one_is_remembered(directory: Path, time: Time) -> None:
    keys = (await rings_in(directory, time)).jwks()
    began = time.us
    time.us += 5
    address.migrate(directory, ANOTHER, time.us)
    assert (await rings_in(directory, time, issuer=ANOTHER)).jwks() == keys
    with pytest.raises(ConfigError, match="elsewhere"):
        await rings_in(directory, time)
    found = address.recorded(directory)
    assert found is not None
    assert found.history == (Former(issuer=ISSUER, since_us=began, until_us=time.us),)


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"issuer": 1, "since_us": 2}', b"\xff"])
def test_a_record_that_cannot_be_read_is_not_replaced(directory: Path, content: bytes) -> None:
    file = put(directory, content, address.FILE)
    with pytest.raises(ConfigError, match="backup"):
        address.hold(directory, ISSUER, 1)
    assert file.read_bytes() == content


def test_of_two_first_starts_with_two_addresses_one_is_refused(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address.hold(directory, ISSUER, 1)
    looked = iter([None, address.recorded(directory)])
    monkeypatch.setattr(address, "recorded", lambda _: next(looked))
    with pytest.raises(ConfigError):
        address.hold(directory, ANOTHER, 1)

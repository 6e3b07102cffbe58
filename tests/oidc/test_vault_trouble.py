"""A vault that is away, forbids, or talks nonsense: told in our words, and no request fails that need not."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.errors import ConfigError, Refused, Transient
from bot.oidc import vault
from bot.sim.wire import Fault
from tests.oidc.ground import ENVIRONMENT, HOUR, MINUTE
from tests.oidc.host import Host
from tests.oidc.tokens import deploy


@pytest.mark.parametrize("trouble", ["^vault ", "^vault POST .*/sign", "^vault (GET|POST)"])
async def test_a_vault_that_is_away_fails_no_look_and_no_verification(host: Host, trouble: str) -> None:
    issuer = await host.issuer()
    await issuer.warm([ENVIRONMENT])
    token = await issuer.issue(deploy(host.time))
    keys = issuer.jwks()
    host.world.wire.faults.append(Fault(trouble, "status", status=503, times=None))
    host.time.us += 5 * MINUTE
    await issuer.tend()
    assert issuer.jwks() == keys
    assert issuer.read_own(token)
    assert issuer.assertion(ENVIRONMENT)
    with pytest.raises(Transient) as later:
        await issuer.issue(deploy(host.time))
    assert later.value.code == "key_vault_unavailable"
    host.world.wire.faults.clear()
    assert await issuer.issue(deploy(host.time))


async def test_whom_the_vault_forbids_is_told_so(host: Host) -> None:
    issuer = await host.issuer()
    host.world.vault.allow()
    with pytest.raises(Refused) as no:
        await issuer.issue(deploy(host.time))
    assert no.value.code == "key_vault_forbidden"
    with pytest.raises(Refused) as never:
        await host.rings()
    assert never.value.code == "key_vault_forbidden"


async def test_a_host_without_an_identity_is_told_so(host: Host) -> None:
    host.world.identity.withdraw()
    with pytest.raises(Refused) as no:
        await host.rings()
    assert no.value.code == "key_vault_forbidden"


async def test_an_identity_service_that_does_not_answer_is_asked_again_later(
    host: Host, monkeypatch: pytest.MonkeyPatch, unused_tcp_port: int
) -> None:
    monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", f"http://127.0.0.1:{unused_tcp_port}")
    with pytest.raises(Transient) as later:
        await host.rings()
    assert later.value.code == "key_vault_unavailable"


async def test_a_host_with_several_identities_uses_the_one_that_is_named(host: Host) -> None:
    named = "7d0f3a52-0000-4000-8000-00000000cafe"
    host.world.identity.assign(named)
    host.world.vault.allow(named)
    with pytest.raises(Refused):
        await host.rings()
    assert await host.rings(vault=await host.vault(identity=named))


async def test_a_version_that_somebody_else_made_is_left_alone(host: Host) -> None:
    """Key Vault can rotate by itself; nobody would know a key that it made."""
    rings = await host.rings()
    client = (await host.vault()).client
    before = rings.token.current.kid
    await client.create_ec_key("miso-token", curve="P-256")
    await client.create_ec_key("miso-token", curve="P-256", tags={"miso-made": "soon", "miso-signs": "1"})
    tags = {"miso-made": "1", "miso-signs": str(host.time.us)}
    await client.create_rsa_key("miso-token", size=2048, tags=tags)
    host.time.us += HOUR
    await rings.tend()
    assert rings.token.current.kid == before
    assert len(rings.token.standing()) == 1


async def test_what_is_no_wrapped_key_is_refused_not_replaced(host: Host) -> None:
    await host.rings()
    file = host.directory / "seal.0001.wrapped"
    for content in (b"", b"{}", b'{"version": "../x", "value": "AAAA"}'):
        replace(file, content)
        with pytest.raises(ConfigError, match="backup"):
            await host.rings()
        assert contents_of(file) == content
    short = await (await host.vault()).wrap(b"short")
    replace(file, short)
    with pytest.raises(ConfigError, match="32 bytes"):
        await host.rings()


def replace(file: Path, content: bytes) -> None:
    file.write_bytes(content)


def contents_of(file: Path) -> bytes:
    return file.read_bytes()


async def test_an_address_that_is_no_vault_is_a_fault_of_configuration(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The SDK hands no token to a host that asks for one of somebody else; on loopback alone it is told not to look."""
    monkeypatch.setattr(vault, "is_loopback_url", lambda _: False)
    with pytest.raises(ConfigError, match="MISO_KEY_VAULT_URL"):
        await host.rings()


@pytest.mark.parametrize(
    "fault",
    [
        Fault("^vault ", "drop", times=None),
        Fault("^vault ", "garbage", times=None),
        Fault("^vault ", "status", status=200, body={}, times=None),
        Fault("^vault ", "status", status=200, body=[], times=None),
        Fault("^vault ", "status", status=404, times=None),
    ],
    ids=["hangs up", "a page", "nothing", "a list", "not there"],
)
async def test_nonsense_from_a_vault_is_trouble_and_no_crash(host: Host, fault: Fault) -> None:
    issuer = await host.issuer()
    await issuer.warm([ENVIRONMENT])
    keys = issuer.jwks()
    host.world.wire.faults.append(fault)
    with pytest.raises(Transient) as later:
        await issuer.issue(deploy(host.time))
    assert later.value.code == "key_vault_unavailable"
    for _ in range(3):
        host.time.us += MINUTE
        await issuer.tend()
    assert issuer.jwks() == keys
    assert issuer.assertion(ENVIRONMENT)


async def test_a_busy_vault_is_not_waited_for_but_asked_later(host: Host) -> None:
    issuer = await host.issuer()
    host.world.wire.faults.append(Fault("^vault ", "status", status=429, headers={"Retry-After": "7"}, times=None))
    with pytest.raises(Transient) as later:
        await issuer.issue(deploy(host.time))
    assert (later.value.code, later.value.retry_after) == ("key_vault_unavailable", 7)


async def test_a_vault_that_does_not_answer_is_waited_for_no_longer_than_the_deadline(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    issuer = await host.issuer()
    monkeypatch.setattr(vault, "DEADLINE_S", 0.05)
    host.world.wire.faults.append(Fault("^vault ", "delay", seconds=0.5, times=None))
    with pytest.raises(Transient):
        await issuer.issue(deploy(host.time))

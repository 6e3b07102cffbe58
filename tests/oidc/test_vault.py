"""Keys in a vault, through the real SDK on the wire: they sign there, only the host's identity opens it, and trouble
with it fails no request that need not fail."""

from __future__ import annotations

import ast
import inspect
import json
import ssl
import time as real
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from joserfc import jwt as jose
from joserfc.jwk import KeySet

from bot.domain.key_life import State
from bot.errors import ConfigError, Refused, Transient
from bot.oidc import vault, vault_faults, vault_shapes
from bot.oidc.issue import LIFE_S, SECOND, Issuer
from bot.oidc.rings import Rings
from bot.oidc.vault import KeyVault
from bot.sim.wire import Fault
from bot.sim.world import Options, World
from tests.oidc.ground import DAY, ENVIRONMENT, HOUR, ISSUER, MINUTE, OTHER, Time, claims, header, rings_in
from tests.oidc.tokens import deploy


@dataclass
class Host:
    """Where Miso runs: its clock, its directory, and the vault that its identity opens."""

    world: World
    time: Time
    directory: Path
    stack: AsyncExitStack

    async def vault(self, **changes: Any) -> KeyVault:
        context = ssl.create_default_context(cafile=self.world.addresses.ca_file)
        connector = aiohttp.TCPConnector(ssl=context)
        session = await self.stack.enter_async_context(
            aiohttp.ClientSession(connector=connector, auto_decompress=False)
        )
        opened = KeyVault(changes.pop("url", self.world.addresses.vault), session, **changes)
        self.stack.push_async_callback(opened.close)
        return opened

    async def rings(self, **changes: Any) -> Rings:
        given = {"vault": await self.vault()} | changes
        return await rings_in(self.directory, self.time, **given)

    async def issuer(self, **changes: Any) -> Issuer:
        return Issuer(ISSUER, await self.rings(**changes), self.time.now_us, client_id="miso")

    def asked(self, server: str = "vault") -> list[str]:
        return [f"{e.method} {e.path}" for e in self.world.wire.exchanges if e.server == server and e.status != 401]

    def versions(self, name: str) -> list[dict[str, Any]]:
        return self.world.vault.listing()[name]


@pytest.fixture
async def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Host]:
    time = Time()
    async with World.running(Options(clock=lambda: time.us / SECOND)) as world, AsyncExitStack() as stack:
        world.identity._clock = real.time  # the SDK keeps tokens by the clock of the machine
        monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", world.addresses.identity)
        yield Host(world, time, tmp_path / "keys", stack)


async def test_what_a_vault_signs_standard_libraries_believe(host: Host) -> None:
    issuer = await host.issuer(client=True)
    await issuer.warm([ENVIRONMENT])
    keys = KeySet.import_key_set(json.loads(json.dumps(issuer.jwks())))
    for token, algorithm, kind in [
        (await issuer.issue(deploy(host.time)), "ES256", "at+jwt"),
        (issuer.assertion(ENVIRONMENT), "RS256", "JWT"),
        (await issuer.workflow_assertion(ENVIRONMENT), "RS256", "JWT"),
        (await issuer.client_assertion("https://sign-in.example/token"), "RS256", "JWT"),
    ]:
        assert jose.decode(token, keys, algorithms=[algorithm]).header["typ"] == kind
    for _ in range(8):  # half of all signatures come back in their higher form
        assert issuer.read_own(await issuer.issue(deploy(host.time)))


async def test_rule_17_no_private_part_leaves_the_vault_or_lies_here(host: Host) -> None:
    rings = await host.rings(client=True)
    assert {name.partition(".")[0] for name in names(host.directory)} == {"issuer", "seal", "cookie"}
    bodies = [e.response_body for e in host.world.wire.exchanges if e.server == "vault"]
    assert bodies
    assert not [body for body in bodies if b'"d"' in body]
    lying = contents(host.directory)
    for ring in (rings.seal, rings.cookie):
        assert not [text for text in lying if ring.current.secret in text]
    sent = [e.request_body for e in host.world.wire.exchanges]
    assert not [body for body in sent if rings.seal.current.secret in body]


def names(directory: Path) -> set[str]:
    return {file.name for file in directory.iterdir()}


def contents(directory: Path) -> list[bytes]:
    return [file.read_bytes() for file in directory.iterdir()]


async def test_a_restart_and_a_second_replica_find_the_same_keys(host: Host) -> None:
    one, two = await host.rings(), await host.rings()
    assert one.jwks() == two.jwks()
    assert one.seal.current == two.seal.current
    assert one.cookie.current.secret == two.cookie.current.secret
    assert host.asked().count("POST /keys/miso-assertion/create") == 1


async def test_symmetric_keys_are_unwrapped_once(host: Host) -> None:
    rings = await host.rings()
    before = len([each for each in host.asked() if each.endswith("unwrapkey")])
    for _ in range(5):
        host.time.us += MINUTE
        await rings.tend()
    assert len([each for each in host.asked() if each.endswith("unwrapkey")]) == before


async def test_keys_that_lay_here_move_into_the_vaults_care(host: Host) -> None:
    """What was sealed before the vault was switched on can still be opened."""
    before = await rings_in(host.directory, host.time)
    assert "seal.0001.key" in names(host.directory)
    after = await host.rings()
    assert after.seal.current == before.seal.current
    assert {"seal.0001.wrapped", "cookie.0001.wrapped"} <= names(host.directory)
    assert not [name for name in names(host.directory) if name.endswith(".key")]


async def test_an_assertion_is_signed_ahead_and_is_a_look_from_then_on(host: Host) -> None:
    issuer = await host.issuer()
    with pytest.raises(Transient) as later:
        issuer.assertion(ENVIRONMENT)
    assert later.value.code == "key_vault_unavailable"
    await issuer.tend()
    first = issuer.assertion(ENVIRONMENT)
    asked = len(host.asked())
    host.time.us += LIFE_S * SECOND // 2 - 1
    await issuer.tend()
    assert issuer.assertion(ENVIRONMENT) == first
    assert not [each for each in host.asked()[asked:] if each.endswith("/sign")]
    host.time.us += 1
    assert issuer.assertion(ENVIRONMENT) == first, "until the next one is there"
    await issuer.tend()
    second = issuer.assertion(ENVIRONMENT)
    assert claims(second)["exp"] - host.time.us // SECOND == LIFE_S


async def test_an_assertion_that_is_nearly_over_is_not_given_out(host: Host) -> None:
    issuer = await host.issuer()
    await issuer.warm([ENVIRONMENT, OTHER], sign_in=True)
    assert claims(issuer.sign_in_assertion())["sub"] == "miso:signin"
    host.time.us += (LIFE_S - 60) * SECOND - 1
    assert issuer.assertion(ENVIRONMENT)
    host.time.us += 1
    with pytest.raises(Transient):
        issuer.assertion(ENVIRONMENT)


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


async def test_our_own_assertion_never_opens_the_vault(host: Host) -> None:
    """Neither by the code, which knows no assertion, nor on the wire, where Entra is never asked."""
    issuer = await host.issuer()
    await issuer.warm([ENVIRONMENT])
    await issuer.issue(deploy(host.time))
    assert host.asked("identity")
    assert host.asked("entra") == []
    assert list(inspect.signature(KeyVault).parameters) == ["url", "session", "identity"]
    for module in (vault, vault_faults, vault_shapes):
        tree = ast.parse(inspect.getsource(module))
        imported = {
            f"{node.module}.{each.name}"
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom)
            for each in node.names
        }
        identities = {name for name in imported if name.startswith("azure.identity")}
        assert identities <= {
            "azure.identity.aio.ManagedIdentityCredential",
            "azure.identity.CredentialUnavailableError",
        }
        assert not [name for name in imported if name.startswith(("bot.oidc.issue", "bot.oidc.rings", "bot.azure"))]


async def test_rotation_is_kept_by_the_vault_too(host: Host) -> None:
    """A successor cannot sign early, and a retired key not for long, even for somebody who is the host."""
    rings = await host.rings()
    made = await rings.token.rotate()
    assert made.state is State.PUBLISHED
    first, second = host.versions("miso-token")
    assert second["nbf"] == made.life.signs_us // SECOND - 300
    with pytest.raises(Refused):
        await rings.token._keys[made.life.name].sign(b"too early")
    host.time.us = made.life.signs_us
    assert rings.token.current.kid == made.kid
    await rings.tend()
    first, second = host.versions("miso-token")
    assert first["exp"] == made.life.signs_us // SECOND + 2 * 24 * 3600
    assert "exp" not in second
    host.time.us += 2 * DAY
    await rings.tend()
    first, second = host.versions("miso-token")
    assert (first["enabled"], second["enabled"]) == (False, True)
    assert [line.kid for line in rings.token.standing()] == [made.kid]


async def test_a_running_controller_notices_what_another_made(host: Host) -> None:
    issuer = await host.issuer()
    operator = await host.rings()
    await issuer.warm([ENVIRONMENT])
    made = await operator.assertion.rotate(at_once=True)
    host.time.us += MINUTE
    await issuer.tend()
    assert header(issuer.assertion(ENVIRONMENT))["kid"] == made.kid


async def test_a_withdrawn_key_signs_nothing_more_in_the_vault_either(host: Host) -> None:
    rings = await host.rings()
    leaked = rings.token.current
    host.time.us += HOUR
    await rings.token.rotate(at_once=True)
    gone = await rings.token.withdraw(leaked.kid)
    assert gone.state is State.WITHDRAWN
    assert leaked.kid not in {key["kid"] for key in rings.jwks()["keys"]}
    with pytest.raises(Refused):
        await leaked.sign(b"x")


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

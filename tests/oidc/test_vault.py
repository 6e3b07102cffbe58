"""Keys in a vault, through the real SDK on the wire: they sign there, live as others do, and only the host opens it."""

from __future__ import annotations

import ast
import asyncio
import inspect
import json
from contextlib import suppress
from pathlib import Path

import pytest
from joserfc import jwt as jose
from joserfc.jwk import KeySet

from bot.domain.key_life import State
from bot.errors import Refused, Transient
from bot.oidc import vault, vault_faults, vault_shapes
from bot.oidc.issue import LIFE_S, SECOND, Issuer
from bot.oidc.vault import KeyVault
from tests.oidc.ground import DAY, ENVIRONMENT, HOUR, MINUTE, OTHER, claims, header, rings_in
from tests.oidc.host import Host
from tests.oidc.tokens import deploy


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
    await host.rings(make=False)
    assert "seal.0001.key" in names(host.directory), "looking changes nothing"
    after = await host.rings()
    assert after.seal.current == before.seal.current
    assert {"seal.0001.wrapped", "cookie.0001.wrapped"} <= names(host.directory)
    assert not [name for name in names(host.directory) if name.endswith(".key")]


async def begun(issuer: Issuer) -> str:
    """The assertion that was begun when somebody asked for it in vain."""
    async with asyncio.timeout(5):
        while True:
            await asyncio.sleep(0.01)
            with suppress(Transient):
                return issuer.assertion(ENVIRONMENT)


async def test_an_assertion_is_signed_ahead_and_is_a_look_from_then_on(host: Host) -> None:
    issuer = await host.issuer()
    with pytest.raises(Transient) as later:
        issuer.assertion(ENVIRONMENT)
    assert later.value.code == "key_vault_unavailable"
    with pytest.raises(Transient):
        issuer.assertion(ENVIRONMENT)
    first = await begun(issuer)
    assert len([each for each in host.asked() if each.endswith("/sign")]) == 1, "one for all who ask"
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


async def test_what_is_being_signed_when_the_controller_ends_is_let_go(host: Host) -> None:
    issuer = await host.issuer()
    with pytest.raises(Transient):
        issuer.assertion(ENVIRONMENT)
    await issuer.close()
    with pytest.raises(Transient):
        issuer.assertion(ENVIRONMENT)
    await issuer.close()


async def test_what_nobody_asks_for_any_more_is_not_signed_for_ever(host: Host) -> None:
    issuer = await host.issuer()
    await issuer.warm([ENVIRONMENT, OTHER])
    for _ in range(24):
        host.time.us += HOUR
        await issuer.tend()
        assert issuer.assertion(ENVIRONMENT)
    asked = len(host.asked())
    host.time.us += HOUR
    await issuer.tend()
    assert len([each for each in host.asked()[asked:] if each.endswith("/sign")]) == 1


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

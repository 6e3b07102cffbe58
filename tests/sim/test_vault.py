"""The pretend vault answers the real SDK, and opens to the host's managed identity alone."""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
from azure.core.credentials import AccessToken, AccessTokenInfo
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ResourceNotFoundError
from azure.core.pipeline.transport import AioHttpTransport
from azure.identity import CredentialUnavailableError
from azure.identity.aio import ManagedIdentityCredential
from azure.keyvault.keys.aio import KeyClient
from azure.keyvault.keys.crypto import KeyWrapAlgorithm, SignatureAlgorithm
from azure.keyvault.keys.crypto.aio import CryptographyClient

from bot.sim.vault.identity import CLIENT_ID
from bot.sim.wire import Fault
from bot.sim.world import World
from tests.contracts import vault

DIGEST = hashlib.sha256(b"header.payload").digest()


@dataclass
class Host:
    """A process on the host: its credential, and clients of the vault made with it."""

    world: World
    session: aiohttp.ClientSession
    credential: ManagedIdentityCredential

    def transport(self) -> AioHttpTransport:
        return AioHttpTransport(session=self.session, session_owner=False)

    def client(self, credential: Any = None) -> KeyClient:
        return KeyClient(
            self.world.addresses.vault,
            credential or self.credential,
            transport=self.transport(),
            verify_challenge_resource=False,
        )

    def crypto(self, key: Any) -> CryptographyClient:
        return CryptographyClient(key, self.credential, transport=self.transport(), verify_challenge_resource=False)


@pytest.fixture
async def host(world: World, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Host]:
    """Every answer of the vault is held to the SDK's models, as those of GitHub to its description."""
    world.wire.observers.append(vault.check)
    monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", world.addresses.identity)
    context = ssl.create_default_context(cafile=world.addresses.ca_file)
    connector = aiohttp.TCPConnector(ssl=context)
    async with aiohttp.ClientSession(connector=connector, auto_decompress=False) as session:
        transport = AioHttpTransport(session=session, session_owner=False)
        async with ManagedIdentityCredential(transport=transport) as credential:
            yield Host(world, session, credential)


async def test_an_ec_key_signs_without_leaving_the_vault(host: Host) -> None:
    made = await host.client().create_ec_key("issuer", curve="P-256")
    crypto = host.crypto(made.id)
    signed = await crypto.sign(SignatureAlgorithm.es256, DIGEST)
    assert len(signed.signature) == 64
    assert (await crypto.verify(SignatureAlgorithm.es256, DIGEST, signed.signature)).is_valid
    other = hashlib.sha256(b"other").digest()
    assert not (await crypto.verify(SignatureAlgorithm.es256, other, signed.signature)).is_valid
    seen = [entry for entry in host.world.wire.exchanges if entry.server == "vault"]
    assert seen[0].status == 401
    assert "authorization=" in seen[0].response_headers["www-authenticate"]
    assert not any(b'"d"' in entry.response_body for entry in seen)


async def test_an_rsa_key_signs_and_wraps(host: Host) -> None:
    crypto = host.crypto((await host.client().create_rsa_key("box", size=2048)).id)
    signed = await crypto.sign(SignatureAlgorithm.rs256, DIGEST)
    assert (await crypto.verify(SignatureAlgorithm.rs256, DIGEST, signed.signature)).is_valid
    wrapped = await crypto.wrap_key(KeyWrapAlgorithm.rsa_oaep_256, b"k" * 32)
    assert (await crypto.unwrap_key(KeyWrapAlgorithm.rsa_oaep_256, wrapped.encrypted_key)).key == b"k" * 32
    with pytest.raises(HttpResponseError):
        await crypto.sign(SignatureAlgorithm.es256, DIGEST)


async def test_versions_are_kept_listed_and_rotated(host: Host) -> None:
    client = host.client()
    first = await client.create_ec_key("issuer", tags={"miso": "yes"})
    second = await client.rotate_key("issuer")
    third = await client.create_ec_key("issuer")
    latest = await client.get_key("issuer")
    assert latest.properties.version == third.properties.version
    assert (await client.get_key("issuer", first.properties.version)).properties.tags == {"miso": "yes"}
    listed = [each.version async for each in client.list_properties_of_key_versions("issuer")]
    assert listed == [each.properties.version for each in (first, second, third)]
    assert [each.name async for each in client.list_properties_of_keys()] == ["issuer"]
    for _ in range(30):
        await client.rotate_key("issuer")
    assert len([each async for each in client.list_properties_of_key_versions("issuer")]) == 33
    with pytest.raises(ResourceNotFoundError):
        await client.get_key("nobody")
    assert len(host.world.vault.listing()["issuer"]) == 33


async def test_a_key_signs_only_while_it_is_enabled_and_in_its_time(host: Host) -> None:
    client, now = host.client(), datetime.now(UTC)
    made = await client.create_ec_key("issuer", not_before=now + timedelta(hours=24))
    version = made.properties.version
    crypto = host.crypto(made.id)
    with pytest.raises(HttpResponseError, match="not yet valid"):
        await remote_sign(host, made.id)
    await client.update_key_properties("issuer", version, not_before=now, expires_on=now + timedelta(hours=1))
    await crypto.sign(SignatureAlgorithm.es256, DIGEST)
    changed = await client.update_key_properties("issuer", version, enabled=False, tags={"retired": "yes"})
    assert (changed.properties.enabled, changed.properties.tags) == (False, {"retired": "yes"})
    with pytest.raises(HttpResponseError, match="disabled key") as caught:
        await remote_sign(host, made.id)
    assert caught.value.status_code == 403


async def remote_sign(host: Host, key_id: str | None) -> bytes:
    """By a client that does not know the key's attributes, so that the vault is who judges."""
    return (await host.crypto(key_id).sign(SignatureAlgorithm.es256, DIGEST)).signature


class Stranger:
    """A credential that brings some other token."""

    def __init__(self, token: str) -> None:
        self._token = token

    async def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        return AccessToken(self._token, 4102444800)

    async def get_token_info(self, *scopes: str, **_: Any) -> AccessTokenInfo:
        return AccessTokenInfo(self._token, 4102444800)

    async def close(self) -> None:
        pass

    async def __aenter__(self) -> Stranger:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass


async def test_nobody_elses_token_opens_the_vault(host: Host) -> None:
    arm = (await host.credential.get_token("https://management.azure.com/.default")).token
    for token in ("pretend-entra-token", arm):
        with pytest.raises(ClientAuthenticationError):
            await host.client(Stranger(token)).create_ec_key("issuer")
    assert host.world.vault.listing() == {}


async def test_identity_without_a_role_is_refused_and_one_that_is_gone_has_no_token(host: Host) -> None:
    host.world.vault.allow()
    with pytest.raises(HttpResponseError, match="not authorized") as caught:
        await host.client().create_ec_key("issuer")
    assert caught.value.status_code == 403
    host.world.vault.allow(CLIENT_ID)
    await host.client().create_ec_key("issuer")
    host.world.identity.withdraw()
    with pytest.raises(CredentialUnavailableError):
        await host.credential.get_token("https://management.azure.com/.default")


async def test_a_busy_vault_is_asked_again(host: Host) -> None:
    busy = Fault("vault POST .*/create", "status", status=429, headers={"Retry-After": "0"})
    host.world.wire.faults.append(busy)
    await host.client().create_ec_key("issuer")
    assert busy.struck == 1
    assert len(host.world.vault.listing()["issuer"]) == 1


async def test_metadata_is_not_given_to_a_forwarded_request(host: Host) -> None:
    url = f"{host.world.addresses.identity}/metadata/identity/oauth2/token?api-version=2018-02-01&resource=x"
    for headers in ({}, {"Metadata": "true", "X-Forwarded-For": "10.0.0.1"}):
        async with host.session.get(url, headers=headers) as answer:
            assert answer.status == 400
    async with host.session.get(url + "&client_id=other", headers={"Metadata": "true"}) as answer:
        assert answer.status == 400


async def test_an_app_service_asks_by_its_own_header(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"{host.world.addresses.identity}/msi/token")
    for header, good in ((host.world.addresses.identity_header, True), ("other", False)):
        monkeypatch.setenv("IDENTITY_HEADER", header)
        async with ManagedIdentityCredential(transport=host.transport()) as credential:
            if good:
                token = await credential.get_token("https://vault.azure.net/.default")
                assert host.world.identity.holder(token.token) is not None
            else:
                with pytest.raises(ClientAuthenticationError):
                    await credential.get_token("https://vault.azure.net/.default")

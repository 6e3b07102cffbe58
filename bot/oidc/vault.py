"""Keys in Azure Key Vault: they sign there and never leave it. For `bot.oidc.rings`, opened by `bot.app`.

The vault is opened by the managed identity of the host and by nothing else: it holds the keys of our assertions, so an
assertion must never be what opens it. Keys are named `miso-<use>`; a version is a key, and its tags say its life.
https://learn.microsoft.com/azure/key-vault/keys/about-keys-details
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import aiohttp
from azure.core.exceptions import AzureError, ResourceNotFoundError
from azure.core.pipeline import PipelineResponse
from azure.core.pipeline.policies import AsyncRetryPolicy
from azure.core.pipeline.transport import AioHttpTransport
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bot import telemetry
from bot.domain.key_life import KeyLife
from bot.errors import ConfigError
from bot.oidc.keys import RSA_BITS, TERMS, Public, Use, public_jwk
from bot.oidc.vault_faults import classified
from bot.oidc.vault_shapes import public_of
from bot.settings.forms import is_loopback_url

if TYPE_CHECKING:
    from azure.keyvault.keys import KeyProperties
    from azure.keyvault.keys.aio import KeyClient

log = telemetry.logger("vault")
T = TypeVar("T")

WRAP_NAME = "miso-wrap"
DEADLINE_S = 15.0
"""Longest that anything may take that a vault is asked for, the token of the identity included."""
SKEW_US = 300_000_000
"""The vault's clock may be behind ours by so much and still sign when we think that it may."""


class Tags(BaseModel):
    """What the tags of a version say of its life. Microseconds."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    made: int = Field(alias="miso-made")
    signs: int = Field(alias="miso-signs")
    withdrawn: int = Field(0, alias="miso-withdrawn")


class WrappedValue(BaseModel):
    """What lies in a file: a value, and the version of the key that unwraps it."""

    model_config = ConfigDict(frozen=True, ser_json_bytes="base64", val_json_bytes="base64")

    version: str = Field(pattern=r"^[0-9a-f]{1,64}$")
    value: bytes


@dataclass(frozen=True, kw_only=True)
class VaultKey:
    """A key whose private part is in the vault. It signs, but not at once."""

    use: Use
    kid: str
    jwk: Mapping[str, str]
    public: Public = field(repr=False)
    _sign: Callable[[bytes], Awaitable[bytes]] = field(repr=False)

    @property
    def at_hand(self) -> bool:
        return False

    def sign_now(self, data: bytes) -> bytes:
        raise ValueError("a key in a vault cannot sign at once")

    async def sign(self, data: bytes) -> bytes:
        return await self._sign(data)


class Quick(AsyncRetryPolicy[Any, Any]):
    """One more try, soon. Who is asked to wait longer than that is told so, and asks again when it is needed."""

    def get_retry_after(self, response: PipelineResponse[Any, Any]) -> float | None:
        asked = super().get_retry_after(response)
        return None if asked is None else min(asked, 0.5)


class KeyVault:
    """One vault. `session` must have `auto_decompress=False`; it is never closed here."""

    def __init__(self, url: str, session: aiohttp.ClientSession, *, identity: str = "") -> None:
        """`identity` is the client id of the host's managed identity, where it has several."""
        from azure.identity.aio import ManagedIdentityCredential
        from azure.keyvault.keys.aio import KeyClient

        def transport() -> AioHttpTransport:
            return AioHttpTransport(
                session=session, session_owner=False, use_env_settings=False, connection_timeout=3, read_timeout=10
            )

        retries: dict[str, Any] = {
            "retry_total": 1,
            "retry_status": 1,
            "retry_backoff_factor": 0.1,
            "retry_backoff_max": 2,
        }
        self._credential = ManagedIdentityCredential(client_id=identity or None, transport=transport(), **retries)
        self._client: KeyClient = KeyClient(
            url,
            self._credential,
            transport=transport(),
            # A vault in Azure proves by its name that it may have the token; one on loopback has no such name.
            verify_challenge_resource=not is_loopback_url(url),
            retry_policy=Quick(**retries),
        )

    @property
    def client(self) -> KeyClient:
        return self._client

    def place(self, use: Use) -> VaultPlace:
        """Where the keys of one use are kept."""
        return VaultPlace(self, use)

    async def wrap(self, value: bytes) -> bytes:
        """The value as only this vault can read it, with the name of the key that it takes."""
        from azure.keyvault.keys import KeyOperation
        from azure.keyvault.keys.crypto import KeyWrapAlgorithm

        async def wrapped() -> WrappedValue:
            try:
                key = await self._client.get_key(WRAP_NAME)
            except ResourceNotFoundError:
                both: list[str | KeyOperation] = [KeyOperation.wrap_key, KeyOperation.unwrap_key]
                key = await self._client.create_rsa_key(WRAP_NAME, size=RSA_BITS, key_operations=both)
            crypto = self._client.get_cryptography_client(WRAP_NAME, key_version=key.properties.version)
            done = await crypto.wrap_key(KeyWrapAlgorithm.rsa_oaep_256, value)
            return WrappedValue(version=str(key.properties.version), value=done.encrypted_key)

        return (await self.asked(wrapped)).model_dump_json().encode()

    async def unwrap(self, wrapped: bytes) -> bytes:
        """What `wrap` was given. Asked for once in the life of the process. Raises ConfigError for anything else."""
        from azure.keyvault.keys.crypto import KeyWrapAlgorithm

        try:
            known = WrappedValue.model_validate_json(wrapped)
        except ValidationError:
            raise ConfigError(["a wrapped key is no such thing: restore it from a backup"]) from None
        crypto = self._client.get_cryptography_client(WRAP_NAME, key_version=known.version)

        async def unwrapped() -> bytes:
            return bytes((await crypto.unwrap_key(KeyWrapAlgorithm.rsa_oaep_256, known.value)).key)

        return await self.asked(unwrapped)

    async def asked(self, ask: Callable[[], Awaitable[T]]) -> T:
        """What the vault answers, within the deadline. Raises Transient and Refused instead of the SDK's errors."""
        try:
            async with asyncio.timeout(DEADLINE_S):
                return await ask()
        except (AzureError, TimeoutError, ValueError, TypeError, AttributeError, KeyError) as fault:
            # The last four: the SDK reads an answer that is none of a vault's.
            raise classified(fault) from fault

    async def close(self) -> None:
        await self._client.close()
        await self._credential.close()


class VaultPlace:
    """The keys of one use in a vault, as `bot.oidc.rings.Place`. Versions that Miso did not make are left alone."""

    def __init__(self, vault: KeyVault, use: Use) -> None:
        self._vault = vault
        self._use = use
        self._name = f"miso-{use}"
        self._keys: dict[str, VaultKey] = {}
        self._expires: dict[str, datetime | None] = {}

    def next_name(self, names: Mapping[str, object]) -> str:
        """The vault names its versions itself."""
        return ""

    async def look(self) -> Mapping[str, tuple[KeyLife, VaultKey]]:
        """Every version of ours that may be used."""
        listed = await self._vault.asked(self._versions)
        found: dict[str, tuple[KeyLife, VaultKey]] = {}
        for each in listed:
            life = _life(each)
            if life is None or not each.enabled:
                continue
            key = self._keys.get(life.name) or await self._vault.asked(partial(self._load, life.name))
            if key is None:
                log.warning("key of another kind", use=self._use, version=life.name)
                continue
            self._keys[life.name] = key
            self._expires[life.name] = each.expires_on
            found[life.name] = (life, key)
        return found

    async def make(self, life: KeyLife) -> None:
        """A new version. Two replicas may make one each at the same time: both are published, and sign in turn."""
        from azure.keyvault.keys import KeyCurveName, KeyOperation

        told: dict[str, Any] = {
            "key_operations": [KeyOperation.sign, KeyOperation.verify],
            "not_before": _not_before(life),
            "tags": _tags(life),
        }
        client = self._vault.client
        if TERMS[self._use].algorithm == "ES256":
            await self._vault.asked(lambda: client.create_ec_key(self._name, curve=KeyCurveName.p_256, **told))
        else:
            await self._vault.asked(lambda: client.create_rsa_key(self._name, size=RSA_BITS, **told))

    async def change(self, life: KeyLife) -> None:
        """Another life for a version that is there. One that is withdrawn signs nothing more in the vault either."""
        expires = {"expires_on": _moment(life.withdrawn_us)} if life.withdrawn_us else {}
        await self._update(life.name, not_before=_not_before(life), tags=_tags(life), **expires)

    async def retire(self, life: KeyLife, until_us: int) -> None:
        """From then on the vault itself refuses to sign with it."""
        if self._expires.get(life.name) is None:
            await self._update(life.name, expires_on=_moment(until_us))

    async def remove(self, name: str) -> None:
        """A version cannot be deleted alone; it is switched off."""
        await self._update(name, enabled=False)
        self._keys.pop(name, None)

    async def _update(self, version: str, **changes: Any) -> None:
        client = self._vault.client
        await self._vault.asked(lambda: client.update_key_properties(self._name, version, **changes))

    async def _versions(self) -> list[KeyProperties]:
        try:
            return [each async for each in self._vault.client.list_properties_of_key_versions(self._name)]
        except ResourceNotFoundError:
            return []

    async def _load(self, version: str) -> VaultKey | None:
        found = await self._vault.client.get_key(self._name, version)
        public = public_of(self._use, found.key)
        if public is None:
            return None
        jwk = public_jwk(self._use, public)
        return VaultKey(use=self._use, kid=jwk["kid"], jwk=jwk, public=public, _sign=self._signer(version))

    def _signer(self, version: str) -> Callable[[bytes], Awaitable[bytes]]:
        from azure.keyvault.keys.crypto import SignatureAlgorithm

        crypto = self._vault.client.get_cryptography_client(self._name, key_version=version)
        algorithm = SignatureAlgorithm(TERMS[self._use].algorithm)

        async def signed(digest: bytes) -> bytes:
            return bytes((await crypto.sign(algorithm, digest)).signature)

        async def sign(data: bytes) -> bytes:
            return await self._vault.asked(lambda: signed(hashlib.sha256(data).digest()))

        return sign


def _life(each: KeyProperties) -> KeyLife | None:
    """None for a version that Miso did not make, as Key Vault's own rotation does: it was never published."""
    try:
        tags = Tags.model_validate(each.tags or {})
    except ValidationError:
        return None
    return KeyLife(name=str(each.version), made_us=tags.made, signs_us=tags.signs, withdrawn_us=tags.withdrawn)


def _tags(life: KeyLife) -> Mapping[str, str]:
    told = {"miso-made": str(life.made_us), "miso-signs": str(life.signs_us)}
    return told | ({"miso-withdrawn": str(life.withdrawn_us)} if life.withdrawn_us else {})


def _not_before(life: KeyLife) -> datetime:
    return _moment(life.signs_us - SKEW_US)


def _moment(at_us: int) -> datetime:
    return datetime.fromtimestamp(at_us // 1_000_000, tz=UTC)

"""Who Miso is in Azure: one credential an environment, by federated assertion, never by a secret.

Used by `bot.azure.transport`. The assertion is minted elsewhere and handed in as a plain synchronous callable, because
the SDK calls it on the event loop. No tenant but the environment's own is ever allowed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Any

from azure.core.credentials import AccessToken
from azure.core.pipeline.policies import ContentDecodePolicy, RequestIdPolicy, UserAgentPolicy
from azure.core.pipeline.transport import AioHttpTransport
from azure.identity.aio import ClientAssertionCredential

from bot.azure.policies import Capped

Assertion = Callable[[str], str]
"""environment id → signed assertion, minted and fresh."""


class SingleFlight:
    """A credential that asks Entra once however many ask it at the same time.

    The SDK has no lock of its own across clients: twenty cold calls would be twenty token requests.
    """

    def __init__(self, inner: ClientAssertionCredential) -> None:
        self._inner = inner
        self._lock = asyncio.Lock()

    async def get_token(
        self,
        *scopes: str,
        claims: str | None = None,
        tenant_id: str | None = None,
        enable_cae: bool = False,
        **kwargs: Any,
    ) -> AccessToken:
        """A token for the scopes, from memory while one is good. Raises `ClientAuthenticationError`."""
        async with self._lock:
            return await self._inner.get_token(
                *scopes, claims=claims, tenant_id=tenant_id, enable_cae=enable_cae, **kwargs
            )

    async def close(self) -> None:
        await self._inner.close()

    async def __aenter__(self) -> SingleFlight:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await self.close()


def credential(
    *,
    authority: str,
    tenant_id: str,
    client_id: str,
    environment_id: str,
    assertion: Assertion,
    transport: AioHttpTransport,
) -> SingleFlight:
    """The credential of one environment. `authority` is https; its token endpoint is the only thing that is asked.

    The policies are our own list: none of them follows a redirect, reads proxies, or can log a body.
    """
    policies = [RequestIdPolicy(), UserAgentPolicy("miso-controller"), ContentDecodePolicy(), Capped(post=True)]
    inner = ClientAssertionCredential(
        tenant_id,
        client_id,
        lambda: assertion(environment_id),
        authority=authority,
        transport=transport,
        policies=policies,
    )
    return SingleFlight(inner)

"""SDK clients, one a set (tenant, subscription, client, environment), all over the one session that `bot.app` made.

Used by the targets. Our own list of policies replaces the SDK's: bounded retries without POST, no redirects followed
with a token, no automatic registration of resource providers, and nothing that `logging_enable` could switch on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aiohttp
from azure.core.pipeline.policies import ContentDecodePolicy, HeadersPolicy, RequestIdPolicy, UserAgentPolicy
from azure.core.pipeline.transport import AioHttpTransport
from azure.mgmt.core import AsyncARMPipelineClient
from azure.mgmt.core.policies import AsyncARMChallengeAuthenticationPolicy

from bot.azure.credentials import Assertion, SingleFlight, credential
from bot.azure.policies import Capped, Timeouts, Told
from bot.domain.model import Environment

if TYPE_CHECKING:
    from azure.mgmt.containerinstance.aio import ContainerInstanceManagementClient
    from azure.mgmt.web.aio import WebSiteManagementClient

SCOPE = "https://management.azure.com/.default"
Key = tuple[str, str, str, str]


class Clients:
    """Makes and keeps clients. `session` must have `auto_decompress=False`; it is never closed here."""

    def __init__(
        self,
        *,
        session: aiohttp.ClientSession,
        authority: str,
        arm_url: str,
        assertion: Assertion,
        poll_seconds: float,
        timeouts: Timeouts,
    ) -> None:
        self.arm_url = arm_url.rstrip("/")
        self._session = session
        self._authority = authority
        self._assertion = assertion
        self._poll_seconds = poll_seconds
        self._timeouts = timeouts
        self._credentials: dict[Key, SingleFlight] = {}
        self._aci: dict[Key, ContainerInstanceManagementClient] = {}
        self._web: dict[Key, WebSiteManagementClient] = {}
        self._arm: dict[Key, AsyncARMPipelineClient[Any, Any]] = {}

    @staticmethod
    def _key(environment: Environment) -> Key:
        # The environment is part of it: its federated credential is its own, even where two share a client id.
        return (environment.tenant_id, environment.subscription_id, environment.client_id, environment.id)

    def _transport(self) -> AioHttpTransport:
        # The timeouts belong to the transport: given to a client that has one, they would be ignored.
        return AioHttpTransport(
            session=self._session,
            session_owner=False,
            use_env_settings=False,
            connection_timeout=self._timeouts.connect,
            read_timeout=self._timeouts.read,
        )

    def credential(self, environment: Environment) -> SingleFlight:
        """The environment's credential; also what a registry's token exchange needs."""
        key = self._key(environment)
        if key not in self._credentials:
            self._credentials[key] = credential(
                authority=self._authority,
                tenant_id=environment.tenant_id,
                client_id=environment.client_id,
                environment_id=environment.id,
                assertion=self._assertion,
                transport=self._transport(),
            )
        return self._credentials[key]

    def _policies(self, environment: Environment) -> list[Any]:
        return [
            RequestIdPolicy(),
            HeadersPolicy(),
            UserAgentPolicy("miso-controller"),
            ContentDecodePolicy(),
            Capped(),
            AsyncARMChallengeAuthenticationPolicy(self.credential(environment), SCOPE),
            Told(),
        ]

    def _shared(self, environment: Environment) -> dict[str, Any]:
        return {
            "base_url": self.arm_url,
            "credential_scopes": [SCOPE],
            "policies": self._policies(environment),
            "transport": self._transport(),
            "polling_interval": self._poll_seconds,
        }

    def aci(self, environment: Environment) -> ContainerInstanceManagementClient:
        from azure.mgmt.containerinstance.aio import ContainerInstanceManagementClient

        key = self._key(environment)
        if key not in self._aci:
            shared = self._shared(environment)
            made = ContainerInstanceManagementClient(
                self.credential(environment), environment.subscription_id, **shared
            )
            self._aci[key] = made
        return self._aci[key]

    def web(self, environment: Environment) -> WebSiteManagementClient:
        # Imported late: 25 MiB and .15 s that an installation without web apps never pays.
        from azure.mgmt.web.aio import WebSiteManagementClient

        key = self._key(environment)
        if key not in self._web:
            shared = self._shared(environment)
            self._web[key] = WebSiteManagementClient(
                self.credential(environment), environment.subscription_id, **shared
            )
        return self._web[key]

    def arm(self, environment: Environment) -> AsyncARMPipelineClient[Any, Any]:
        """For what no installed SDK covers: resource groups."""
        key = self._key(environment)
        if key not in self._arm:
            shared = self._shared(environment)
            self._arm[key] = AsyncARMPipelineClient(
                base_url=self.arm_url, policies=shared["policies"], transport=shared["transport"]
            )
        return self._arm[key]

    async def close(self) -> None:
        """Let go of every client. The session is another's and stays open."""
        clients: list[Any] = [*self._aci.values(), *self._web.values(), *self._arm.values()]
        for client in [*clients, *self._credentials.values()]:
            await client.close()
        self._aci.clear()
        self._web.clear()
        self._arm.clear()
        self._credentials.clear()

    def forget(self, environment: Environment) -> None:
        """Drop the environment's clients and token: the next call asks Entra anew."""
        key = self._key(environment)
        self._credentials.pop(key, None)
        self._aci.pop(key, None)
        self._web.pop(key, None)
        self._arm.pop(key, None)

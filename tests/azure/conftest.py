"""A pretend Azure and the window that looks at it, with an environment of each kind."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from bot.azure import AzureWindow
from bot.azure.policies import Timeouts
from bot.domain.model import Environment, Observed, Plan, Stage, Step, TargetKind
from tests.azure.cloud import CLIENT, ENVIRONMENT, GROUP, SUBSCRIPTION, TENANT, Cloud

GROUP_ENV = Environment(
    id=ENVIRONMENT,
    application_id="00000000-0000-4000-8000-0000000000dd",
    github_name="dev",
    stage=Stage.DEV,
    tenant_id=TENANT,
    client_id=CLIENT,
    subscription_id=SUBSCRIPTION,
    resource_group=GROUP,
    location="westeurope",
    target=TargetKind.CONTAINER_INSTANCE,
    name="shop",
    dns_label="shop",
)
SITE_ENV = replace(GROUP_ENV, target=TargetKind.WEB_APP, plan="plan", dns_label="", stage=Stage.PRODUCTION)
OWNER = "miso-test"
STREAM = "promotion/1"
IDENTITY = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.ManagedIdentity/x"
TAGS = {"miso-owner": OWNER, "miso-env": ENVIRONMENT}
SITE = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.Web/sites/shop"
SLOT = f"{SITE}/slots/staging"
CONTAINERS = (
    f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.ContainerInstance/containerGroups/shop"
)


def group_plan(image: str, *, cpu: float = 1.0, label: str = "shop", **properties: Any) -> Plan:
    container = {
        "image": image,
        "ports": [{"port": 8080, "protocol": "TCP"}],
        "resources": {"requests": {"cpu": cpu, "memoryInGB": 1.5}},
        "environmentVariables": [{"name": "MODE", "value": "test"}],
    }
    address: dict[str, Any] = {"type": "Public", "ports": [{"port": 8080, "protocol": "TCP"}]}
    if label:
        address["dnsNameLabel"] = label
    body = {
        "location": "westeurope",
        "tags": {"team": "shop"},
        "properties": {
            "osType": "Linux",
            "restartPolicy": "Always",
            "ipAddress": address,
            "containers": [{"name": "shop", "properties": container}],
            **properties,
        },
    }
    return Plan(target=TargetKind.CONTAINER_INSTANCE, body=body, hash="h")


def site_plan(image: str, **settings: str) -> Plan:
    plan = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.Web/serverfarms/plan"

    def site(**config: Any) -> dict[str, Any]:
        properties = {"serverFarmId": plan, "reserved": True, "siteConfig": config}
        return {"location": "westeurope", "kind": "app,linux,container", "properties": properties}

    slot = site(linuxFxVersion=f"DOCKER|{image}", healthCheckPath="/healthz")
    body = {"site": site(), "slot": slot, "settings": {"WEBSITES_PORT": "8080", **settings}}
    return Plan(target=TargetKind.WEB_APP, body=body, hash="h")


@dataclass
class Desk:
    """The window, what it wrote down, and short forms of its two calls."""

    cloud: Cloud
    window: AzureWindow
    tokens: list[str] = field(default_factory=list)

    async def keep(self) -> None:
        """Nobody else wants the environment here."""

    async def saved(self, token: str) -> None:
        self.tokens.append(token)

    async def observe(self, environment: Environment) -> Observed:
        return await self.window.observe(environment, request_id="look")

    async def apply(
        self,
        environment: Environment,
        step: Step,
        plan: Plan,
        *,
        deadline: float = 10.0,
        resume: str = "",
        saved: Callable[[str], Awaitable[None]] | None = None,
    ) -> None:
        await self.window.apply(
            environment,
            step,
            plan,
            stream=STREAM,
            deadline=deadline,
            request_id="write-1",
            resume=resume,
            saved=saved or self.saved,
            keep=self.keep,
        )

    def another(self) -> AzureWindow:
        """A new window on the same cloud, as after a restart."""
        return window_of(self.cloud)


def window_of(cloud: Cloud, **changes: Any) -> AzureWindow:
    given: dict[str, Any] = {
        "owner": OWNER,
        "session": cloud.session,
        "authority": cloud.entra_url,
        "arm_url": cloud.arm_url,
        "assertion": cloud.issuer.assertion,
        "poll_seconds": 0.001,
        "timeouts": Timeouts(connect=2.0, read=2.0),
    }
    return AzureWindow(**{**given, **changes})


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with Cloud.running() as cloud:
        yield Desk(cloud, window_of(cloud))

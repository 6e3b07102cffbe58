"""Web apps with a slot: a release enters the slot, is proved there, and reaches production by one swap.

Used by `bot.azure.window`. A swap is its own inverse, so it is decided each time from the images that both sides show
and is never sent again because of an error. https://learn.microsoft.com/azure/app-service/deploy-staging-slots
"""

from __future__ import annotations

import asyncio
import copy
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from azure.core.exceptions import ResourceNotFoundError
from azure.core.polling import AsyncLROPoller

from bot.azure.faults import MISSING_GROUP, error_code
from bot.azure.target import DEPLOYMENT, ENVIRONMENT, OWNER, Write, body_of, digest_of, pinned, tag, tags
from bot.azure.transport import Clients
from bot.domain.codes import Code
from bot.domain.messages import refusal
from bot.domain.model import Capacity, Environment, Json, Observed, Place, Step

if TYPE_CHECKING:
    from azure.mgmt.web.models import Site

DOCKER = "DOCKER|"
ZONES = 3
"""Zones of a region that has any. A zone redundant plan spreads its instances evenly over them, so it is in as many as
it has instances, up to all; any other plan is in one, and nobody knows which.
https://learn.microsoft.com/azure/reliability/reliability-app-service"""
PLAN_ID = re.compile(
    r"/subscriptions/(?P<subscription>[^/]+)/resourceGroups/(?P<group>[^/]+)"
    r"/providers/Microsoft\.Web/server[fF]arms/(?P<name>[^/]+)",
    re.IGNORECASE,
)
WARMUP_PATH, WARMUP_STATUSES = "WEBSITE_SWAP_WARMUP_PING_PATH", "WEBSITE_SWAP_WARMUP_PING_STATUSES"


class WebApps:
    """Satisfies `bot.azure.target.Target`."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    async def observe(self, environment: Environment, request_id: str) -> Observed:
        main, slot = await asyncio.gather(
            self._get(environment, request_id, slot=False), self._get(environment, request_id, slot=True)
        )
        status = main.properties.slot_swap_status if main is not None and main.properties is not None else None
        # The raw text, not the SDK's datetime: it is compared, never computed with.
        swapped_at = str(status["timestampUtc"]) if status is not None and "timestampUtc" in status else ""
        return Observed(main=_place(main), slot=_place(slot), swapped_at=swapped_at)

    async def _get(self, environment: Environment, request_id: str, *, slot: bool) -> Site | None:
        apps = self._clients.web(environment).web_apps
        where = (environment.resource_group, environment.name)
        try:
            if slot:
                return await apps.get_slot(*where, environment.slot, request_id=request_id)
            return await apps.get(*where, request_id=request_id)
        except ResourceNotFoundError as fault:
            if error_code(fault).lower() in MISSING_GROUP:
                raise
            return None

    async def capacity(self, environment: Environment, request_id: str) -> Capacity:
        """What the plan of the site gives it; before there is a site, what its plan will."""
        site = await self._get(environment, request_id, slot=False)
        properties = site.properties if site is not None else None
        farm = (properties.server_farm_id if properties is not None else None) or environment.plan
        plans = self._clients.web(environment).app_service_plans
        plan = await plans.get(*_plan_at(farm, environment), request_id=request_id)
        # Elastic and consumption plans say what they have now, which may be none: then there is none to count on.
        instances = (plan.sku.capacity if plan.sku is not None else None) or 0
        details = plan.properties
        if details is not None and details.per_site_scaling and properties is not None:
            # https://learn.microsoft.com/azure/app-service/manage-scale-per-app
            config = properties.site_config
            instances = min(instances, (config.number_of_workers if config is not None else None) or 0)
        redundant = details is not None and bool(details.zone_redundant)
        return Capacity(instances=instances, zones=max(1, min(instances, ZONES)) if redundant else 1)

    async def begin(self, environment: Environment, write: Write, seen: Observed) -> AsyncLROPoller[Any] | None:
        if write.step is Step.SITE_PUT:
            return await self._put(environment, write, slot=False)
        if write.step is Step.SLOT_PUT:
            return await self._put(environment, write, slot=True)
        if write.step is Step.SWAP:
            return await self._swap(environment, write)
        raise ValueError(f"{write.step} is no step of a web app")

    async def _put(self, environment: Environment, write: Write, *, slot: bool) -> AsyncLROPoller[Any]:
        """One PUT that carries image, configuration and settings together, so that the container starts once."""
        apps = self._clients.web(environment).web_apps
        where = (environment.resource_group, environment.name)
        extra: dict[str, Any] = {"request_id": write.request_id}
        if write.resume:
            extra["continuation_token"] = write.resume
            body: Json = {}
        else:
            existing = await self._get(environment, write.request_id, slot=slot)
            settings = await self._settings(environment, write.request_id, slot=slot) if existing is not None else {}
            body = self._body(environment, write, existing, settings, slot=slot)
        if slot:
            return await apps.begin_create_or_update_slot(*where, environment.slot, body_of(body), **extra)
        return await apps.begin_create_or_update(*where, body_of(body), **extra)

    async def _settings(self, environment: Environment, request_id: str, *, slot: bool) -> dict[str, str]:
        apps = self._clients.web(environment).web_apps
        where = (environment.resource_group, environment.name)
        if slot:
            found = await apps.list_application_settings_slot(*where, environment.slot, request_id=request_id)
        else:
            found = await apps.list_application_settings(*where, request_id=request_id)
        return dict(found.properties or {})

    def _body(
        self, environment: Environment, write: Write, existing: Site | None, settings: Mapping[str, str], *, slot: bool
    ) -> dict[str, Any]:
        """The site to PUT. Settings replace all others there, so those of other people are written back with ours."""
        body: dict[str, Any] = copy.deepcopy(dict(write.plan.body["slot" if slot else "site"]))
        properties = body.setdefault("properties", {})
        properties.setdefault("httpsOnly", True)
        config = properties.setdefault("siteConfig", {})
        if slot:
            pinned(str(config.get("linuxFxVersion", "")).removeprefix(DOCKER))
        elif existing is not None:
            # What production runs changes by a swap alone.
            config.pop("linuxFxVersion", None)
        elif config.get("linuxFxVersion"):
            pinned(str(config["linuxFxVersion"]).removeprefix(DOCKER))
        if body.get("identity"):
            config.setdefault("acrUseManagedIdentityCreds", True)
        wanted = {
            WARMUP_STATUSES: "200",
            WARMUP_PATH: str(config.get("healthCheckPath") or "/"),
            **{str(name): str(value) for name, value in (write.plan.body.get("settings") or {}).items()},
        }
        merged = {**settings, **wanted}
        if merged != dict(settings):
            config["appSettings"] = [{"name": name, "value": merged[name]} for name in sorted(merged)]
        body["tags"] = tags(dict(existing.tags or {}) if existing is not None else {}, body, environment, write)
        return body

    async def _swap(self, environment: Environment, write: Write) -> AsyncLROPoller[Any] | None:
        """At most one POST, and only while the slot holds the wanted image and production does not."""
        from azure.mgmt.web.models import CsmSlotEntity

        apps = self._clients.web(environment).web_apps
        where = (environment.resource_group, environment.name, environment.slot)
        entity = CsmSlotEntity(target_slot="production", preserve_vnet=True)
        extra: dict[str, Any] = {"request_id": write.request_id}
        if write.resume:
            return await apps.begin_swap_slot(*where, entity, continuation_token=write.resume, **extra)
        seen = await self.observe(environment, write.request_id)
        wanted = wanted_digest(write.plan.body)
        if seen.main.digest == wanted:
            return None
        if seen.slot is None or seen.slot.digest != wanted:
            raise refusal(Code.DIGEST_MISMATCH)
        return await apps.begin_swap_slot(*where, entity, **extra)

    async def logs(self, environment: Environment, *, lines: int, request_id: str) -> str:
        """The last lines of production's container log: text of strangers."""
        apps = self._clients.web(environment).web_apps
        found = await apps.get_web_site_container_logs(
            environment.resource_group, environment.name, request_id=request_id
        )
        if found is None:
            return ""
        data = b"".join([part async for part in found])
        return "\n".join(data.decode(errors="replace").splitlines()[-lines:])


def wanted_digest(body: Json) -> str:
    """The digest that the plan puts into the slot, and that production shall run after the swap."""
    config = body["slot"]["properties"]["siteConfig"]
    return digest_of(pinned(str(config.get("linuxFxVersion", "")).removeprefix(DOCKER)))


def _plan_at(farm: str, environment: Environment) -> tuple[str, str]:
    """Resource group and name of a plan, given by its name alone (then it is the environment's group) or by its id.

    Raises Refused for one of another subscription: there our identity has no access to look.
    """
    if not farm.startswith("/"):
        return environment.resource_group, farm
    found = PLAN_ID.fullmatch(farm)
    if found is None or found["subscription"].lower() != environment.subscription_id.lower():
        raise refusal(Code.AZURE_MISSING)
    return found["group"], found["name"]


def _place(site: Site | None) -> Place:
    properties = site.properties if site is not None else None
    if site is None or properties is None:
        return Place(exists=False)
    config = properties.site_config
    version = (config.linux_fx_version if config is not None else None) or ""
    return Place(
        exists=True,
        digest=digest_of(version.removeprefix(DOCKER)),
        host=properties.default_host_name or "",
        provisioning="InProgress" if properties.in_progress_operation_id else "Succeeded",
        running=properties.state == "Running" and properties.availability_state in (None, "Normal"),
        deployment=tag(site.tags, DEPLOYMENT),
        owner=tag(site.tags, OWNER),
        environment_id=tag(site.tags, ENVIRONMENT),
    )

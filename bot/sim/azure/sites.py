"""Web apps and slots of the pretend ARM (Microsoft.Web 2025-05-01): sites, slots, plans, restart, logs.

Configuration is in `siteconfig`, the swap in `swap`. A new site or slot answers 202 and is polled; an update 200.
https://learn.microsoft.com/rest/api/appservice/web-apps
"""

from __future__ import annotations

import copy
from typing import Any

from aiohttp import web

from bot.sim.azure.call import Call, answer
from bot.sim.azure.instance_view import PLACEHOLDER
from bot.sim.azure.operations import Operation, Operations
from bot.sim.azure.state import ArmError, Json, Plan, Site, State

NEW_CONFIG: Json = {
    "numberOfWorkers": 1,
    "linuxFxVersion": "",
    "acrUseManagedIdentityCreds": False,
    "alwaysOn": False,
    "http20Enabled": True,
    "minTlsVersion": "1.2",
    "ftpsState": "FtpsOnly",
}


def site_id(call: Call) -> str:
    slot = f"/slots/{call.values['slot']}" if call.values.get("slot") else ""
    return f"{call.group.id}/providers/Microsoft.Web/sites/{call.values['name']}{slot}"


def site_json(site: Site, group: str) -> Json:
    """A site as GET answers it. Application settings are never among it."""
    config = {key: value for key, value in site.config.items() if key != "appSettings"}
    properties: Json = {
        "state": site.state,
        "hostNames": [site.host],
        "enabledHostNames": [site.host, site.host.replace(".azurewebsites.net", ".scm.azurewebsites.net")],
        "usageState": "Normal",
        "enabled": True,
        "availabilityState": "Normal",
        "serverFarmId": site.plan,
        "reserved": True,
        "httpsOnly": False,
        "resourceGroup": group,
        "defaultHostName": site.host,
        "clientAffinityEnabled": True,
        **{k: v for k, v in site.properties.items() if k not in ("siteConfig", "serverFarmId")},
        "siteConfig": {**config, "appSettings": None},
        "slotSwapStatus": site.swap_status,
    }
    shown: Json = {
        "id": site.id,
        "name": f"{site.name}/{site.slot}" if site.slot else site.name,
        "type": "Microsoft.Web/sites/slots" if site.slot else "Microsoft.Web/sites",
        "kind": site.kind,
        "location": site.location,
        "tags": site.tags,
        "properties": properties,
    }
    if site.identity:
        shown["identity"] = site.identity
    return shown


class Sites:
    """The resource provider's sites, slots and plans."""

    def __init__(self, state: State, operations: Operations) -> None:
        self._state = state
        self._operations = operations

    def find(self, call: Call) -> Site:
        found = self._state.sites.get(site_id(call).lower())
        if found is None:
            kind = "sites/slots" if call.values.get("slot") else "sites"
            name = "/".join(filter(None, (call.values["name"], call.values.get("slot"))))
            raise ArmError(
                404,
                "ResourceNotFound",
                f"The Resource 'Microsoft.Web/{kind}/{name}' under resource group '{call.group.name}' was not found."
                " For more details please go to https://aka.ms/ARMResourceNotFoundFix",
            )
        return found

    def refuse_while_busy(self, call: Call) -> None:
        """App Service takes one operation at a time for a site with all its slots."""
        root = f"{call.group.id}/providers/Microsoft.Web/sites/{call.values['name']}".lower()
        for resource in [root, *(r for r in self._state.sites if r.startswith(root + "/"))]:
            operation = self._operations.on(resource)
            if operation:
                raise ArmError(
                    409,
                    "Conflict",
                    "Cannot modify this site because another operation is in progress. Details: Id:"
                    f" {operation.id}, OperationName: {operation.name}, CreatedTime: {operation.started}, SiteName:"
                    f" {call.values['name']}",
                    style="web",
                )

    async def look(self, call: Call) -> None:
        """Whatever is under way on the app or one of its slots moves on."""
        root = f"{call.group.id}/providers/Microsoft.Web/sites/{call.values['name']}".lower()
        for resource in [root, *[r for r in self._state.sites if r.startswith(root + "/")]]:
            await self._operations.look_at(resource)

    async def get(self, call: Call) -> web.Response:
        await self.look(call)
        return answer(call, 200, site_json(self.find(call), call.group.name))

    async def list(self, call: Call) -> web.Response:
        prefix = f"{call.group.id}/providers/Microsoft.Web/sites/".lower()
        slots_of = f"{prefix}{call.values['name'].lower()}/slots/" if "name" in call.values else ""
        found = [
            site
            for resource, site in self._state.sites.items()
            if (resource.startswith(slots_of) if slots_of else resource.startswith(prefix) and site.slot is None)
        ]
        return answer(call, 200, {"value": [site_json(site, call.group.name) for site in found]})

    async def put(self, call: Call) -> web.Response:
        body = call.json()
        await self.look(call)
        self.refuse_while_busy(call)
        if not body.get("location"):
            raise ArmError(400, "LocationRequired", "The location property is required for this definition.")
        resource = site_id(call)
        known = self._state.sites.get(resource.lower())
        plan = self._plan_for(call, body, known)
        created = known is None
        site = known or Site(
            id=resource,
            name=call.values["name"],
            slot=call.values.get("slot"),
            location=body["location"],
            plan=plan.id,
            config=copy.deepcopy(NEW_CONFIG),
        )
        self._write(site, body, plan)
        self._state.sites[resource.lower()] = site
        self._state.changed("put", resource, image=site.image, tags=site.tags, created=created)
        shown = site_json(site, call.group.name)
        if not created and not self._operations.will_stick(call.name):
            return answer(call, 200, shown)

        async def done() -> None:
            return None

        operation = self._operations.begin(resource, "CreateOrUpdateSite", request=call.name, finish=done)
        return answer(call, 202, shown, Location=self.result_link(call, site, operation))

    def _plan_for(self, call: Call, body: Json, known: Site | None) -> Plan:
        """The plan of the request, of the site as it is, or of the slot's app; slots need Standard or better."""
        app = self._state.sites.get(f"{call.group.id}/providers/Microsoft.Web/sites/{call.values['name']}".lower())
        if call.values.get("slot") and app is None:
            raise ArmError(404, "ResourceNotFound", f"The parent site '{call.values['name']}' was not found.")
        asked = (body.get("properties") or {}).get("serverFarmId") or (known and known.plan) or (app and app.plan)
        plan = self._state.plans.get(str(asked).lower())
        if plan is None:
            raise ArmError(404, "NotFound", f"Cannot find ServerFarm with name {asked}.", style="web")
        if call.values.get("slot") and not plan.allows_slots:
            raise ArmError(
                409,
                "Conflict",
                f"Cannot complete the operation because the site will exceed the number of slots allowed for the"
                f" '{plan.tier}' SKU.",
                style="web",
            )
        return plan

    def _write(self, site: Site, body: Json, plan: Plan) -> None:
        """What is given replaces; of `siteConfig` only the given members. Settings given inside it replace all."""
        properties = copy.deepcopy(body.get("properties") or {})
        config = properties.pop("siteConfig", None) or {}
        settings = config.pop("appSettings", None)
        site.kind = body.get("kind", site.kind)
        site.plan = plan.id
        site.tags = dict(body.get("tags") or {})
        if "identity" in body:
            site.identity = _with_ids(body["identity"])
        site.properties = {**site.properties, **properties}
        site.config.update(config)
        if settings is not None:
            site.settings = {pair["name"]: pair["value"] for pair in settings}

    def result_link(self, call: Call, site: Site, operation: Operation) -> str:
        return call.link(f"{site.id}/operationresults/{operation.id}")

    async def operation_result(self, call: Call) -> web.Response:
        """202, empty, with the same Location until it ended; then the site, or the failure."""
        operation = self._operations.get(call.values["operation"])
        if operation is None:
            raise ArmError(404, "NotFound", "The operation was not found.", style="web")
        await self._operations.look(operation)
        site = self.find(call)
        if operation.running:
            return answer(call, 202, Location=self.result_link(call, site, operation))
        if operation.failure and operation.status == "Failed":
            code, message = operation.failure
            raise ArmError(417 if code == "ExpectationFailed" else 409, code, message, style="web")
        return answer(call, 200, site_json(site, call.group.name))

    async def delete(self, call: Call) -> web.Response:
        resource = site_id(call).lower()
        if resource not in self._state.sites:
            return answer(call, 204)
        self.refuse_while_busy(call)
        for gone in [r for r in self._state.sites if r == resource or r.startswith(resource + "/slots/")]:
            del self._state.sites[gone]
        self._state.changed("delete", site_id(call))
        return answer(call, 200)

    async def restart(self, call: Call) -> web.Response:
        self._state.changed("restart", self.find(call).id)
        return answer(call, 200)

    async def logs(self, call: Call) -> web.Response:
        site = self.find(call)
        if not site.image:
            return answer(call, 204)
        return web.Response(text=f"{self._state.now()} INFO Pulling image {site.image}\n")

    async def plan(self, call: Call) -> web.Response:
        resource = f"{call.group.id}/providers/Microsoft.Web/serverfarms/{call.values['name']}"
        plan = self._state.plans.get(resource.lower())
        if plan is None:
            raise ArmError(
                404,
                "ResourceNotFound",
                f"The Resource 'Microsoft.Web/serverFarms/{call.values['name']}' under resource group"
                f" '{call.group.name}' was not found.",
            )
        return answer(call, 200, _plan_json(plan, call.group.name))


def _plan_json(plan: Plan, group: str) -> Json:
    return {
        "id": plan.id,
        "name": plan.name,
        "type": "Microsoft.Web/serverfarms",
        "kind": "linux",
        "location": plan.location,
        "tags": plan.tags,
        "sku": {
            "name": plan.sku,
            "tier": plan.tier,
            "size": plan.sku,
            "family": plan.sku[:1],
            "capacity": plan.capacity,
        },
        "properties": {
            "status": "Ready",
            "reserved": True,
            "maximumNumberOfWorkers": 10,
            "numberOfWorkers": plan.capacity,
            "perSiteScaling": plan.per_site_scaling,
            "zoneRedundant": plan.zone_redundant,
            "numberOfSites": 1,
            "resourceGroup": group,
            "provisioningState": "Succeeded",
        },
    }


def _with_ids(identity: Any) -> Json | None:
    shown: Json | None = copy.deepcopy(identity)
    for held in ((shown or {}).get("userAssignedIdentities") or {}).values():
        held.update(principalId=PLACEHOLDER, clientId=PLACEHOLDER)
    return shown

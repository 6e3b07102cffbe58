"""The slot swap of the pretend web apps: 202, polled, and its own inverse, so that a repeated one would undo it.

Before it exchanges anything it warms the source up, as the real one: any HTTP answer will do, unless the settings
WEBSITE_SWAP_WARMUP_PING_PATH and _STATUSES ask for more. https://learn.microsoft.com/azure/app-service/deploy-staging-slots
"""

from __future__ import annotations

from aiohttp import web

from bot.sim.azure.call import Call, answer
from bot.sim.azure.containers import Pull
from bot.sim.azure.operations import Operations
from bot.sim.azure.sites import Sites
from bot.sim.azure.state import ArmError, Site, State

STAYS = ("alwaysOn", "numberOfWorkers", "ipSecurityRestrictions", "vnetName", "managedServiceIdentityId")
"""Members of the configuration that stay with their slot; all others travel."""


class Swap:
    def __init__(self, state: State, sites: Sites, operations: Operations, pull: Pull) -> None:
        self._state = state
        self._sites = sites
        self._operations = operations
        self._pull = pull

    async def post(self, call: Call) -> web.Response:
        source = self._sites.find(call)
        target = self._target(call, source)
        await self._sites.look(call)
        self._sites.refuse_while_busy(call)
        if target is source:
            raise ArmError(400, "BadRequest", "Source and target slot of a swap must differ.", style="web")

        async def finish() -> tuple[str, str] | None:
            refusal = await self._warm_up(source, target)
            if refusal is None:
                self._exchange(source, target)
            return refusal

        operation = self._operations.begin(source.id, "SwapSiteSlots", request=call.name, finish=finish)
        return answer(call, 202, Location=self._sites.result_link(call, source, operation))

    def _target(self, call: Call, source: Site) -> Site:
        name = str(call.json().get("targetSlot") or "")
        if not name:
            raise ArmError(400, "BadRequest", "The parameter targetSlot has an invalid value.", style="web")
        root = f"{call.group.id}/providers/Microsoft.Web/sites/{source.name}"
        resource = root if name.lower() == "production" else f"{root}/slots/{name}"
        found = self._state.sites.get(resource.lower())
        if found is None:
            raise ArmError(404, "NotFound", f"Cannot find slot with name '{name}'.", style="web")
        return found

    async def _warm_up(self, source: Site, target: Site) -> tuple[str, str] | None:
        behaviour = self._state.behaviour(source.image, production=False)
        identity = (
            source.config.get("acrUserManagedIdentityID") if source.config.get("acrUseManagedIdentityCreds") else None
        )
        answers = bool(source.image) and await self._pull(source.image, identity) is not None and behaviour != "crash"
        strict = target.settings.get("WEBSITE_SWAP_WARMUP_PING_STATUSES") or source.settings.get(
            "WEBSITE_SWAP_WARMUP_PING_STATUSES"
        )
        if answers and not (strict and behaviour in ("unhealthy", "redirect")):
            return None
        return (
            "ExpectationFailed",
            f"Cannot swap site slots for site '{source.name}' because the '{source.slot or 'production'}' slot did not"
            " respond to http ping.",
        )

    def _exchange(self, source: Site, target: Site) -> None:
        """Configuration and settings travel; hosts, identities, tags and sticky settings stay."""
        app = target if target.slot is None else source
        sticky = set(app.sticky)
        kept = {
            site.id: {name: site.config.get(name) for name in STAYS if name in site.config} for site in (source, target)
        }
        bound = {site.id: {k: v for k, v in site.settings.items() if k in sticky} for site in (source, target)}
        free = {site.id: {k: v for k, v in site.settings.items() if k not in sticky} for site in (source, target)}
        source.config, target.config = target.config, source.config
        for site, other in ((source, target), (target, source)):
            site.config = {**{k: v for k, v in site.config.items() if k not in STAYS}, **kept[site.id]}
            site.settings = {**free[other.id], **bound[site.id]}
        status = {
            "timestampUtc": self._state.now(),
            "sourceSlotName": source.slot or "Production",
            "destinationSlotName": target.slot or "Production",
        }
        source.swap_status = target.swap_status = status
        self._state.changed("swap", target.id, source=source.image, target=target.image)

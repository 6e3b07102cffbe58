"""Configuration of the pretend web apps: `config/web`, application settings, and which settings stay with a slot."""

from __future__ import annotations

import copy

from aiohttp import web

from bot.sim.azure.call import Call, answer
from bot.sim.azure.sites import Sites, site_id
from bot.sim.azure.state import Json, Site, State


class SiteConfig:
    """One method an operation of the SDK."""

    def __init__(self, state: State, sites: Sites) -> None:
        self._state = state
        self._sites = sites

    @staticmethod
    def _shown(call: Call, site: Site, kind: str, properties: Json) -> Json:
        return {
            "id": f"{site.id}/config/{kind}",
            "name": f"{site.name}/{site.slot}" if site.slot and kind == "web" else kind,
            "type": "Microsoft.Web/sites/config",
            "properties": properties,
        }

    async def get_web(self, call: Call) -> web.Response:
        site = self._sites.find(call)
        return answer(call, 200, self._shown(call, site, "web", {**site.config, "appSettings": None}))

    async def patch_web(self, call: Call) -> web.Response:
        """Only the given members change; `appSettings` among them replaces all settings."""
        site = self._sites.find(call)
        await self._sites.look(call)
        self._sites.refuse_while_busy(call)
        given = copy.deepcopy(call.json().get("properties") or {})
        settings = given.pop("appSettings", None)
        site.config.update(given)
        if settings is not None:
            site.settings = {pair["name"]: pair["value"] for pair in settings}
        self._state.changed("config", site_id(call), image=site.image, members=sorted(given))
        return answer(call, 200, self._shown(call, site, "web", {**site.config, "appSettings": None}))

    async def list_settings(self, call: Call) -> web.Response:
        site = self._sites.find(call)
        return answer(call, 200, self._shown(call, site, "appsettings", dict(site.settings)))

    async def put_settings(self, call: Call) -> web.Response:
        """Replaces all of them."""
        site = self._sites.find(call)
        await self._sites.look(call)
        self._sites.refuse_while_busy(call)
        wanted = {name: str(value) for name, value in (call.json().get("properties") or {}).items()}
        if wanted != site.settings:
            self._state.changed("settings", site_id(call), names=sorted(wanted))
        site.settings = wanted
        return answer(call, 200, self._shown(call, site, "appsettings", dict(wanted)))

    async def get_sticky(self, call: Call) -> web.Response:
        site = self._sites.find(call)
        return answer(call, 200, self._shown(call, site, "slotConfigNames", self._names(site)))

    async def put_sticky(self, call: Call) -> web.Response:
        site = self._sites.find(call)
        names = (call.json().get("properties") or {}).get("appSettingNames") or []
        if names != site.sticky:
            self._state.changed("sticky", site.id, names=names)
        site.sticky = list(names)
        return answer(call, 200, self._shown(call, site, "slotConfigNames", self._names(site)))

    @staticmethod
    def _names(site: Site) -> Json:
        return {"connectionStringNames": None, "appSettingNames": site.sticky, "azureStorageConfigNames": None}

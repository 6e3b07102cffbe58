"""The pretend ARM's front: TLS app, bearer tokens, role assignments, case-insensitive routes, operations, error bodies.

`bot.sim.world` constructs it and tests arrange it by its verbs (`add_*`, `assign`, `mark`, `fail`, `unstick`).
https://learn.microsoft.com/azure/azure-resource-manager/management/async-operations
"""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable
from uuid import uuid4

from aiohttp import web

from bot.sim.azure.arrange import Arrange
from bot.sim.azure.call import Call, answer
from bot.sim.azure.containers import Containers, Pull
from bot.sim.azure.operations import Operations
from bot.sim.azure.siteconfig import SiteConfig
from bot.sim.azure.sites import Sites
from bot.sim.azure.state import ArmError, Json, ResourceGroup, State
from bot.sim.azure.swap import Swap
from bot.sim.entra import Principal
from bot.sim.wire import Wire

VERSIONS = {"microsoft.containerinstance": ("2023-05-01",), "microsoft.web": ("2025-05-01",)}
AUDIENCES = ("https://management.azure.com", "https://management.core.windows.net")

Answer = Callable[[Call], Awaitable[web.Response]]
_GROUP = "/subscriptions/(?P<subscription>[^/]+)/resourceGroups/(?P<group>[^/]+)"
_ACI = "/providers/Microsoft.ContainerInstance/containerGroups"
_SITE = "/providers/Microsoft.Web/sites/(?P<name>[^/]+)(?:/slots/(?P<slot>[^/]+))?"


class Arm(Arrange):
    """`tokens` says whom a bearer token speaks for; `pull` gives the digest of an image, or None when there is none."""

    def __init__(
        self,
        wire: Wire,
        *,
        tokens: Callable[[str], Principal | None],
        pull: Pull,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._wire = wire
        self._tokens = tokens
        state = State(clock=clock)
        super().__init__(state, Operations(wire, now=state.now))
        self.pull = pull
        self._routes = [(method, re.compile(path + "/?", re.IGNORECASE), act) for method, path, act in self._table()]
        self._operation_path = re.compile(
            "/subscriptions/(?P<subscription>[^/]+)/providers/Microsoft.ContainerInstance/locations/[^/]+"
            "/operations/(?P<operation>[^/]+)",
            re.IGNORECASE,
        )

    def _table(self) -> list[tuple[str, str, Answer]]:
        """Every route. The first that matches the whole path answers."""
        state = self.state
        containers = Containers(self._wire, state, self.operations, self.pull)
        sites = Sites(state, self.operations)
        config = SiteConfig(state, sites)
        swap = Swap(state, sites, self.operations, self.pull)
        return [
            ("GET", _GROUP, self._group),
            ("GET", _GROUP + _ACI, containers.list),
            ("GET", _GROUP + _ACI + "/(?P<name>[^/]+)", containers.get),
            ("PUT", _GROUP + _ACI + "/(?P<name>[^/]+)", containers.put),
            ("PATCH", _GROUP + _ACI + "/(?P<name>[^/]+)", containers.patch),
            ("DELETE", _GROUP + _ACI + "/(?P<name>[^/]+)", containers.delete),
            ("POST", _GROUP + _ACI + "/(?P<name>[^/]+)/restart", containers.restart),
            ("POST", _GROUP + _ACI + "/(?P<name>[^/]+)/stop", containers.stop),
            ("POST", _GROUP + _ACI + "/(?P<name>[^/]+)/start", containers.start),
            ("GET", _GROUP + _ACI + "/(?P<name>[^/]+)/containers/(?P<container>[^/]+)/logs", containers.logs),
            ("GET", _GROUP + "/providers/Microsoft.Web/sites", sites.list),
            ("GET", _GROUP + "/providers/Microsoft.Web/sites/(?P<name>[^/]+)/slots", sites.list),
            ("GET", _GROUP + "/providers/Microsoft.Web/serverfarms/(?P<name>[^/]+)", sites.plan),
            ("GET", _GROUP + _SITE, sites.get),
            ("PUT", _GROUP + _SITE, sites.put),
            ("DELETE", _GROUP + _SITE, sites.delete),
            ("POST", _GROUP + _SITE + "/restart", sites.restart),
            ("POST", _GROUP + _SITE + "/containerlogs", sites.logs),
            ("POST", _GROUP + _SITE + "/slotsswap", swap.post),
            ("GET", _GROUP + _SITE + "/operationresults/(?P<operation>[^/]+)", sites.operation_result),
            ("GET", _GROUP + _SITE + "/config/web", config.get_web),
            ("PATCH", _GROUP + _SITE + "/config/web", config.patch_web),
            ("POST", _GROUP + _SITE + "/config/appsettings/list", config.list_settings),
            ("PUT", _GROUP + _SITE + "/config/appsettings", config.put_settings),
            ("GET", _GROUP + _SITE + "/config/slotConfigNames", config.get_sticky),
            ("PUT", _GROUP + _SITE + "/config/slotConfigNames", config.put_sticky),
        ]

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self._wire.middleware("arm")], client_max_size=4 * 1024 * 1024)
        app.router.add_route("*", "/{path:.*}", self._serve)
        return app

    async def _serve(self, request: web.Request) -> web.Response:
        try:
            return await self._dispatch(request)
        except ArmError as refused:
            headers = {**refused.headers, "x-ms-request-id": str(uuid4())}
            return web.json_response(refused.body(), status=refused.status, headers=headers)

    async def _dispatch(self, request: web.Request) -> web.Response:
        principal = self._authenticate(request)
        version = request.query.get("api-version", "")
        if not version:
            raise ArmError(
                400,
                "MissingApiVersionParameter",
                "The api-version query parameter is required for all requests.",
            )
        polled = self._operation_path.fullmatch(request.path)
        if polled and request.method == "GET":
            return await self._operation(polled["subscription"], polled["operation"], principal)
        for method, path, act in self._routes:
            found = path.fullmatch(request.path)
            if method == request.method and found:
                self._judge_version(request.path, version)
                values = {key: value for key, value in found.groupdict().items() if value is not None}
                self._authorize(request, principal, values)
                return await act(await self._call(request, version, values))
        raise ArmError(
            404, "InvalidResourceType", f"No route of the pretend ARM answers {request.method} {request.path}."
        )

    async def _call(self, request: web.Request, version: str, values: dict[str, str]) -> Call:
        return Call(
            name=f"arm {request.method} {request.path}",
            method=request.method,
            path=request.path,
            origin=str(request.url.origin()),
            api_version=version,
            values=values,
            query=dict(request.query),
            body=await request.read(),
            group=self._group_of(values["subscription"], values["group"]),
            correlation=request.headers.get("x-ms-correlation-request-id") or str(uuid4()),
        )

    def _authenticate(self, request: web.Request) -> Principal:
        scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not bearer:
            raise ArmError(
                401,
                "AuthenticationFailed",
                "Authentication failed. The 'Authorization' header is missing.",
                headers={"WWW-Authenticate": 'Bearer authorization_uri="https://login.windows.net/"'},
            )
        principal = self._tokens(bearer)
        if principal is None or principal.resource.rstrip("/") not in AUDIENCES:
            message = "The access token is invalid, has expired or is for another audience."
            challenge = 'Bearer error="invalid_token"'
            raise ArmError(401, "InvalidAuthenticationToken", message, headers={"WWW-Authenticate": challenge})
        return principal

    def _authorize(self, request: web.Request, principal: Principal, values: dict[str, str]) -> None:
        group = self.state.groups.get((values["subscription"].lower(), values["group"].lower()))
        if group and group.tenant and group.tenant.lower() != principal.tenant_id.lower():
            raise ArmError(
                401,
                "InvalidAuthenticationTokenTenant",
                "The access token is from the wrong issuer. It must match the tenant of the subscription.",
            )
        if not self.allowed(principal.client_id, values["subscription"], values["group"]):
            verb = {"GET": "read", "DELETE": "delete", "POST": "action"}.get(request.method, "write")
            raise ArmError(
                403,
                "AuthorizationFailed",
                f"The client '{principal.client_id}' with object id '{principal.client_id}' does not have"
                f" authorization to perform action '{verb}' over scope '{request.path}' or the scope is invalid."
                " If access was recently granted, please refresh your credentials.",
            )

    @staticmethod
    def _judge_version(path: str, version: str) -> None:
        for provider, known in VERSIONS.items():
            if f"/providers/{provider}/" in path.lower() and version not in known:
                raise ArmError(
                    400,
                    "NoRegisteredProviderFound",
                    f"No registered resource provider found for API version '{version}'. The supported api-versions are"
                    f" '{', '.join(known)}'.",
                )

    def _group_of(self, subscription: str, name: str) -> ResourceGroup:
        found = self.state.groups.get((subscription.lower(), name.lower()))
        if found is None:
            raise ArmError(404, "ResourceGroupNotFound", f"Resource group '{name}' could not be found.")
        return found

    async def _group(self, call: Call) -> web.Response:
        body: Json = {
            "id": call.group.id,
            "name": call.group.name,
            "type": "Microsoft.Resources/resourceGroups",
            "location": call.group.location,
            "properties": {"provisioningState": "Succeeded"},
        }
        return answer(call, 200, body)

    async def _operation(self, subscription: str, operation_id: str, principal: Principal) -> web.Response:
        """`azure-asyncoperation` of container groups: 200 with a status, and the events once it ended."""
        operation = self.operations.get(operation_id)
        if operation is None or f"/subscriptions/{subscription}/".lower() not in operation.resource:
            raise ArmError(404, "OperationNotFound", "The operation was not found.")
        group = operation.resource.split("/")[4]
        if not self.allowed(principal.client_id, subscription, group):
            raise ArmError(403, "AuthorizationFailed", "The client does not have authorization to read the operation.")
        await self.operations.look(operation)
        body: Json = {"id": operation.resource, "status": operation.status, "startTime": operation.started}
        body["properties"] = {"events": operation.events() if operation.status == "Succeeded" else []}
        if operation.failure and operation.status == "Failed":
            body["error"] = {"code": operation.failure[0], "message": operation.failure[1]}
        return web.json_response(body)

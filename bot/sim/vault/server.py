"""The pretend Key Vault on the wire: the challenge, who may come in, and one route for each operation on keys.

https://learn.microsoft.com/azure/key-vault/general/authentication-requests-and-responses. It believes tokens of the
host's managed identity for `https://vault.azure.net` and no others: no token of Entra's, whatever it was changed for.
"""

from __future__ import annotations

import base64
import binascii
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from bot.sim.vault.identity import HostIdentity
from bot.sim.vault.keys import Keys, VaultError, Version
from bot.sim.wire import Wire

RESOURCE = "https://vault.azure.net"
PAGE = 25
Route = Callable[[web.Request], Awaitable[web.Response]]


class Vault:
    """One vault. `authority`: URL of the tenant that its challenge names."""

    def __init__(self, wire: Wire, identity: HostIdentity, *, clock: Callable[[], float] = time.time) -> None:
        self.url, self.authority = "", ""
        self._wire, self._identity, self._clock = wire, identity, clock
        self._keys = Keys(clock)
        self._allowed: set[str] | None = None

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self._wire.middleware("vault")])
        name, version = "/keys/{name}", "/keys/{name}/{version}"
        app.router.add_get("/keys", self._open(self._list))
        app.router.add_post(f"{name}/create", self._open(self._create))
        app.router.add_post(f"{name}/rotate", self._open(self._rotate))
        app.router.add_get(f"{name}/versions", self._open(self._list_versions))
        for path in (name, f"{name}/", version):
            app.router.add_get(path, self._open(self._get))
            app.router.add_patch(path, self._open(self._update))
        app.router.add_post(f"{version}/{{operation}}", self._open(self._operate))
        app.router.add_post(f"{name}//{{operation}}", self._open(self._operate))
        return app

    def allow(self, *client_ids: str) -> None:
        """Only these identities may use the keys; with none, nobody. Until it is said, every one of the host's may."""
        self._allowed = set(client_ids)

    def listing(self) -> dict[str, list[dict[str, Any]]]:
        """Every key's versions, oldest first, without a private part."""
        return {
            name: [{"id": each.id, **each.attributes(), "tags": each.tags} for each in self._keys.versions(name)]
            for name in self._keys.names()
        }

    def _open(self, route: Route) -> Route:
        async def judged(request: web.Request) -> web.Response:
            try:
                return self._challenge(request) or await route(request)
            except VaultError as error:
                told: dict[str, Any] = {"code": error.code, "message": error.message}
                told |= {"innererror": {"code": error.inner}} if error.inner else {}
                return web.json_response({"error": told}, status=error.status)

        return judged

    def _challenge(self, request: web.Request) -> web.Response | None:
        """None for who may come in."""
        given = request.headers.get("Authorization", "")
        held = self._identity.holder(given.removeprefix("Bearer "))
        if held is None or held.resource != RESOURCE:
            said = "AKV10000: Request is missing a Bearer or PoP token."
            extra = ""
            if given:
                said = "AKV10022: Invalid audience or issuer of the token."
                extra = f', error="invalid_token", error_description="{said}"'
            challenge = f'Bearer authorization="{self.authority}", resource="{RESOURCE}"{extra}'
            body = {"error": {"code": "Unauthorized", "message": said}}
            return web.json_response(body, status=401, headers={"WWW-Authenticate": challenge})
        if self._allowed is not None and held.client_id not in self._allowed:
            message = "Caller is not authorized to perform action on resource."
            raise VaultError(403, "Forbidden", message, inner="ForbiddenByRbac")
        return None

    async def _create(self, request: web.Request) -> web.Response:
        return self._bundle(self._keys.create(request.match_info["name"], await _body(request)))

    async def _rotate(self, request: web.Request) -> web.Response:
        return self._bundle(self._keys.rotate(request.match_info["name"]))

    async def _get(self, request: web.Request) -> web.Response:
        return self._bundle(self._found(request))

    async def _update(self, request: web.Request) -> web.Response:
        found = self._found(request)
        found.change(await _body(request), int(self._clock()))
        return self._bundle(found)

    async def _list(self, request: web.Request) -> web.Response:
        latest = [self._keys.get(name) for name in self._keys.names()]
        return self._page(request, [self._item(each, f"keys/{each.name}") for each in latest])

    async def _list_versions(self, request: web.Request) -> web.Response:
        found = self._keys.versions(request.match_info["name"])
        return self._page(request, [self._item(each, f"keys/{each.name}/{each.id}") for each in found])

    async def _operate(self, request: web.Request) -> web.Response:
        key, body = self._found(request), await _body(request)
        operation = request.match_info["operation"].replace("wrapkey", "wrapKey")
        algorithm, now = str(body.get("alg")), self._clock()
        if operation == "verify":
            key.judge(operation, now)
            good = key.verify(algorithm, _bytes(body, "digest"), _bytes(body, "value"))
            return web.json_response({"value": good})
        act = {"sign": key.sign, "wrapKey": key.wrap, "encrypt": key.wrap}
        act |= {"unwrapKey": key.unwrap, "decrypt": key.unwrap}
        if operation not in act:
            raise VaultError(404, "NotFound", f"The pretend vault does not know {operation}.")
        key.judge(operation, now)
        value = act[operation](algorithm, _bytes(body, "value"))
        return web.json_response({"kid": key.jwk(self.url)["kid"], "value": _text(value)})

    def _found(self, request: web.Request) -> Version:
        return self._keys.get(request.match_info["name"], request.match_info.get("version", ""))

    def _bundle(self, key: Version) -> web.Response:
        shown = {"key": key.jwk(self.url), "attributes": key.attributes(), "tags": key.tags}
        return web.json_response(shown)

    def _item(self, key: Version, path: str) -> dict[str, Any]:
        return {"kid": f"{self.url}/{path}", "attributes": key.attributes(), "tags": key.tags}

    def _page(self, request: web.Request, items: list[dict[str, Any]]) -> web.Response:
        size = min(int(request.query.get("maxresults", PAGE)), PAGE)
        first = int(request.query.get("$skiptoken", 0))
        link = None
        if first + size < len(items):
            link = f"{self.url}{request.path}?api-version={request.query['api-version']}"
            link += f"&$skiptoken={first + size}&maxresults={size}"
        return web.json_response({"value": items[first : first + size], "nextLink": link})


async def _body(request: web.Request) -> dict[str, Any]:
    try:
        body = json.loads(await request.read())
    except ValueError as fault:
        raise VaultError(400, "BadParameter", "The request body is not JSON.") from fault
    if not isinstance(body, dict):
        raise VaultError(400, "BadParameter", "The request body is not an object.")
    return body


def _bytes(body: dict[str, Any], name: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(str(body[name]) + "==")
    except (KeyError, binascii.Error) as fault:
        raise VaultError(400, "BadParameter", f"Invalid value for '{name}'.") from fault


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

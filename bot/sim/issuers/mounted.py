"""Any number of pretend OpenID issuers on one server, each below a path of its own and with keys of its own.

`""` is the issuer at the root, `/enterprise-slug` one below it. Faults of the wire make them slow, wrong or silent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from bot.sim.github.problems import Misused
from bot.sim.issuers.keyring import Keyring
from bot.sim.wire import Wire

DISCOVERY = "/.well-known/openid-configuration"


class MountedIssuers:
    """`server` is its name on the wire; `jwks` the path of the keys below each issuer."""

    def __init__(self, wire: Wire, server: str, *, jwks: str = "/.well-known/jwks") -> None:
        self.url = ""
        self._wire, self._server, self._jwks_path = wire, server, jwks
        self._rings: dict[str, Keyring] = {}
        self._fetched: dict[str, int] = {}

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self._wire.middleware(self._server)])
        for path in ("", "/{below:.+}"):
            app.router.add_get(path + DISCOVERY, self._discovery)
            app.router.add_get(path + self._jwks_path, self._jwks)
        return app

    def _mount(self, path: str) -> str:
        """The issuer's URL; its keys are made with the first call."""
        if path and (not path.startswith("/") or path.endswith("/")):
            raise Misused("the path of an issuer begins with a slash and ends without")
        if path not in self._rings:
            self._rings[path] = Keyring(f"{self._server}{path.replace('/', '-')}")
        return self.url + path

    def _rotate(self, path: str, forget: bool) -> str:
        self._mount(path)
        return self._rings[path].rotate(forget=forget)

    def _sign(
        self,
        path: str,
        claims: Mapping[str, Any],
        *,
        over: Mapping[str, Any] | None = None,
        headers: Mapping[str, Any] | None = None,
        algorithm: str = "RS256",
    ) -> str:
        """`over` is laid over the claims; None removes one."""
        whole = {"iss": self._mount(path)} | dict(claims) | dict(over or {})
        kept = {name: value for name, value in whole.items() if value is not None}
        return self._rings[path].sign(kept, headers=headers, algorithm=algorithm)

    def _document(self, issuer: str) -> dict[str, Any]:
        """The discovery document."""
        return {
            "issuer": issuer,
            "jwks_uri": f"{issuer}{self._jwks_path}",
            "subject_types_supported": ["public", "pairwise"],
            "response_types_supported": ["id_token"],
            "claims_supported": ["sub", "aud", "exp", "iat", "iss", "jti", "nbf"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "scopes_supported": ["openid"],
        }

    def _path(self, request: web.Request) -> str:
        below = request.match_info.get("below", "")
        path = f"/{below}" if below else ""
        if path and path not in self._rings:
            raise web.HTTPNotFound
        self._mount(path)
        return path

    async def _discovery(self, request: web.Request) -> web.Response:
        return web.json_response(self._document(self.url + self._path(request)))

    async def _jwks(self, request: web.Request) -> web.Response:
        path = self._path(request)
        self._fetched[path] = self._fetched.get(path, 0) + 1
        return web.json_response({"keys": self._rings[path].published()})

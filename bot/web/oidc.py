"""Discovery document and key set of our issuer, which Entra fetches before it believes an assertion.

Public by design: only public keys, nothing that depends on the caller. `bot.app` mounts `routes` at the root of the
issuer's address.
"""

from __future__ import annotations

from aiohttp import web

from bot.context import Oidc

# Entra keeps keys for hours whatever we say; proxies in between should see a new key within minutes.
_CACHED = {"Cache-Control": "public, max-age=300"}


def routes(oidc: Oidc) -> list[web.RouteDef]:
    """GET (and HEAD) of `/.well-known/openid-configuration` and of the `jwks_uri` that it names."""

    async def discovery(request: web.Request) -> web.Response:
        return web.json_response(dict(oidc.discovery()), headers=_CACHED)

    async def jwks(request: web.Request) -> web.Response:
        return web.json_response(dict(oidc.jwks()), headers=_CACHED)

    return [
        web.get("/.well-known/openid-configuration", discovery),
        web.get("/.well-known/jwks", jwks),
    ]

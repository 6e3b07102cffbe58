"""The pretend OCI registry: manifests by tag and digest, anonymous or behind a Bearer token realm, as ACR and others.

Only what a deployment needs to look at: no blobs are served. Images come from code (`push`), never over the wire.
https://github.com/opencontainers/distribution-spec/blob/main/spec.md · https://distribution.github.io/distribution/spec/auth/token/
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable
from typing import Any

from aiohttp import web

from bot.sim.entra import Principal
from bot.sim.wire import Wire

MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"


def _digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def _error(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> web.Response:
    return web.json_response({"errors": [{"code": code, "message": message}]}, status=status, headers=headers)


class Registry:
    """Repositories with manifests and tags. `pull` is what the pretend Azure asks before it runs an image."""

    def __init__(self, wire: Wire, *, tokens: Callable[[str], Principal | None] = lambda _: None) -> None:
        self.private: set[str] = set()
        """Repositories that need a token got for an Entra token (ACR's exchange), or a pull identity."""
        self.hosts: set[str] = set()
        """Host names that image references may carry; empty: any."""
        self.challenge = True
        """Whether public repositories, too, are reached through the token realm, as most registries do."""
        self._wire = wire
        self._tokens = tokens
        self._manifests: dict[str, dict[str, bytes]] = {}
        self._tags: dict[str, dict[str, str]] = {}
        self._refresh: dict[str, Principal] = {}
        self._access: dict[str, set[str]] = {}

    def push(self, repository: str, tag: str, *, text: str = "") -> str:
        """A minimal image, under that tag. The same text gives the same digest. Returns `sha256:…`."""
        config = json.dumps(
            {"architecture": "amd64", "os": "linux", "config": {"Labels": {"text": text or tag}}}
        ).encode()
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": {"mediaType": CONFIG_TYPE, "digest": _digest(config), "size": len(config)},
            "layers": [],
        }
        data = json.dumps(manifest, separators=(",", ":")).encode()
        digest = _digest(data)
        self._manifests.setdefault(repository, {})[digest] = data
        self._tags.setdefault(repository, {})[tag] = digest
        return digest

    def tag(self, repository: str, tag: str, digest: str) -> None:
        """Move (or make) a tag."""
        if digest not in self._manifests.get(repository, {}):
            raise KeyError(digest)
        self._tags[repository][tag] = digest

    def delete(self, repository: str, digest: str) -> None:
        """Remove an image and every tag that names it."""
        self._manifests[repository].pop(digest, None)
        self._tags[repository] = {tag: d for tag, d in self._tags[repository].items() if d != digest}

    def close_off(self, repository: str) -> None:
        """From now on only an identity sees it."""
        self.private.add(repository)

    def digest(self, repository: str, reference: str) -> str | None:
        """The digest that a tag or digest names in a repository; None when there is none."""
        found = self._tags.get(repository, {}).get(reference, reference)
        return found if found in self._manifests.get(repository, {}) else None

    async def pull(self, reference: str, identity: str | None = None) -> str | None:
        """The digest of `host/repository[:tag][@digest]`; None when there is none, or none without an identity."""
        host, _, rest = reference.partition("/")
        if self.hosts and host not in self.hosts:
            return None
        name, _, digest = rest.partition("@")
        repository, _, tag = name.partition(":")
        if repository in self.private and not identity:
            return None
        return self.digest(repository, digest or tag or "latest")

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self._wire.middleware("registry")])
        app.router.add_get("/v2/", self._root)
        app.router.add_get("/v2/{repository:.+}/manifests/{reference}", self._manifest)
        app.router.add_get("/v2/{repository:.+}/tags/list", self._list_tags)
        app.router.add_get("/token", self._anonymous_token)
        app.router.add_post("/oauth2/exchange", self._exchange)
        app.router.add_post("/oauth2/token", self._access_token)
        return app

    def _may_read(self, request: web.Request, repository: str) -> bool:
        if repository not in self.private and not self.challenge:
            return True
        scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
        return scheme.lower() == "bearer" and repository in self._access.get(bearer, set())

    def _ask_for_token(self, request: web.Request, repository: str = "") -> web.Response:
        path = "oauth2/token" if repository in self.private else "token"
        realm = f"{request.url.origin()}/{path}"
        scope = f',scope="repository:{repository}:pull"' if repository else ""
        challenge = f'Bearer realm="{realm}",service="{request.host}"{scope}'
        return _error(401, "UNAUTHORIZED", "authentication required", {"WWW-Authenticate": challenge})

    async def _root(self, request: web.Request) -> web.Response:
        return self._ask_for_token(request) if self.challenge else web.json_response({})

    async def _manifest(self, request: web.Request) -> web.Response:
        repository, reference = request.match_info["repository"], request.match_info["reference"]
        if not self._may_read(request, repository):
            return self._ask_for_token(request, repository)
        digest = self.digest(repository, reference)
        if digest is None:
            return _error(404, "MANIFEST_UNKNOWN", "manifest unknown")
        headers = {
            "Docker-Content-Digest": digest,
            "Content-Type": MANIFEST_TYPE,
            "Docker-Distribution-Api-Version": "registry/2.0",
        }
        return web.Response(body=self._manifests[repository][digest], headers=headers)

    async def _list_tags(self, request: web.Request) -> web.Response:
        repository = request.match_info["repository"]
        if not self._may_read(request, repository):
            return self._ask_for_token(request, repository)
        if repository not in self._tags:
            return _error(404, "NAME_UNKNOWN", "repository name not known to registry")
        return web.json_response({"name": repository, "tags": sorted(self._tags[repository])})

    def _grant(self, scopes: list[str], known: Principal | None) -> dict[str, Any]:
        token = "pretend-registry-" + secrets.token_urlsafe(24)
        asked = {scope.split(":")[1] for scope in scopes if scope.count(":") == 2 and scope.startswith("repository:")}
        self._access[token] = {name for name in asked if name not in self.private or known is not None}
        return {"token": token, "access_token": token, "expires_in": 300}

    async def _anonymous_token(self, request: web.Request) -> web.Response:
        """The realm of the challenge. Anonymous; a private repository is simply left out of what the token may do."""
        return web.json_response(self._grant(request.query.getall("scope", []), None))

    async def _exchange(self, request: web.Request) -> web.Response:
        """ACR: an Entra access token becomes a refresh token of the registry."""
        form = await request.post()
        known = self._tokens(str(form.get("access_token", "")))
        if form.get("grant_type") != "access_token" or known is None:
            return _error(401, "UNAUTHORIZED", "the Entra token is not valid here")
        refresh = "pretend-refresh-" + secrets.token_urlsafe(24)
        self._refresh[refresh] = known
        return web.json_response({"refresh_token": refresh})

    async def _access_token(self, request: web.Request) -> web.Response:
        """ACR: the refresh token becomes an access token for the scope that is asked."""
        form = await request.post()
        known = self._refresh.get(str(form.get("refresh_token", "")))
        if form.get("grant_type") != "refresh_token" or known is None:
            return _error(401, "UNAUTHORIZED", "the refresh token is not valid")
        return web.json_response(self._grant(str(form.get("scope", "")).split(" "), known))

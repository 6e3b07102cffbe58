"""The App itself: who it is, where it is installed, its tokens, its delivery log, and how much it may still ask.

https://docs.github.com/en/rest/apps
"""

from __future__ import annotations

import base64
import json
import secrets
from typing import Any

from bot.sim.github.credentials import LEVELS, counter
from bot.sim.github.guest import Installation, Token
from bot.sim.github.problems import Problem
from bot.sim.github.routing import JWT, Answer, Call, Routes, invalid
from bot.sim.github.shapes import places
from bot.sim.github.state import State
from bot.sim.github.webhooks import Delivery

routes = Routes()
TOKEN_LIFE = 3600.0
"""Seconds that an installation token lives."""


@routes("GET", "/app", JWT)
def get_app(call: Call) -> Any:
    return places.app(call.state, call.state.app.slug) | {"installations_count": len(call.state.installations)}


@routes("GET", "/app/installations", JWT)
def list_installations(call: Call) -> Any:
    found = call.page(list(call.state.installations.values()))
    return [places.installation(call.state, installation) for installation in found]


def _installation(call: Call) -> Installation:
    found = call.state.installations.get(call.number("installation_id"))
    if found is None:
        raise Problem(404, "Not Found")
    return found


@routes("GET", "/app/installations/{installation_id}", JWT)
def get_installation(call: Call) -> Any:
    return places.installation(call.state, _installation(call))


@routes("POST", "/app/installations/{installation_id}/access_tokens", JWT)
def create_token(call: Call) -> Any:
    """A token within the installation: fewer repositories and fewer permissions can be asked for, never more."""
    installation = _installation(call)
    if installation.suspended is not None:
        raise Problem(403, "This installation has been suspended")
    state = call.state
    mine = {
        repository.id: repository
        for repository in state.repositories.values()
        if repository.owner_id == installation.account_id
        and (installation.selected is None or repository.id in installation.selected)
    }
    wanted = call.body.get("repository_ids")
    if wanted is not None and (not isinstance(wanted, list) or not set(wanted) <= set(mine) or len(wanted) > 500):
        raise Problem(422, "There is at least one repository that does not exist or is not accessible.")
    permissions = call.body.get("permissions")
    if permissions is None:
        permissions = dict(installation.permissions)
    for name, level in permissions.items():
        if LEVELS.get(installation.permissions.get(name, ""), 0) < LEVELS.get(level, 9):
            raise Problem(422, "The permissions requested are not granted to this installation.")
    permissions.setdefault("metadata", "read")
    token = Token(
        value=_opaque(state, installation),
        installation_id=installation.id,
        repositories=None if wanted is None else frozenset(wanted),
        permissions=permissions,
        expires=state.clock() + TOKEN_LIFE,
    )
    state.tokens[token.value] = token
    data: dict[str, Any] = {
        "token": token.value,
        "expires_at": places.when(token.expires),
        "permissions": permissions,
        "repository_selection": "selected" if wanted is not None or installation.selected is not None else "all",
    }
    if wanted is not None:
        data["repositories"] = [places.repository(state, mine[number]) for number in wanted]
    return Answer(201, data)


def _opaque(state: State, installation: Installation) -> str:
    """Looks like the stateless tokens of 2026: `ghs_<app id>_` and something with two dots, several hundred long."""

    def part(data: bytes) -> str:
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    header = part(json.dumps({"alg": "ES256", "typ": "JWT", "kid": secrets.token_hex(8)}).encode())
    claims = part(json.dumps({"iid": installation.id, "jti": secrets.token_hex(64)}).encode())
    return f"ghs_{state.app.id}_{header}.{claims}.{part(secrets.token_bytes(64))}"


@routes("DELETE", "/installation/token")
def revoke_token(call: Call) -> Any:
    if call.token is not None:
        del call.state.tokens[call.token.value]
    return Answer(204)


@routes("GET", "/installation/repositories", "metadata:read")
def list_repositories(call: Call) -> Any:
    found = call.page(call.installation_repositories)
    return {
        "total_count": len(call.installation_repositories),
        "repositories": [places.repository(call.state, repository) for repository in found],
        "repository_selection": "all" if call.token is None or call.token.repositories is None else "selected",
    }


@routes("GET", "/repos/{owner}/{repo}/installation", JWT)
def repository_installation(call: Call) -> Any:
    found = call.state.installation_for(call.repository)
    if found is None:
        raise Problem(404, "Not Found")
    return places.installation(call.state, found)


@routes("GET", "/app/hook/config", JWT)
def hook_config(call: Call) -> Any:
    return {
        "content_type": "json",
        "insecure_ssl": "0",
        "secret": "********",
        "url": call.github.webhooks.url or "",
    }


def _delivery(delivery: Delivery) -> dict[str, Any]:
    return {
        "id": delivery.id,
        "guid": delivery.guid,
        "delivered_at": places.when(delivery.delivered_at),
        "redelivery": delivery.redelivery,
        "duration": delivery.duration,
        "status": delivery.status,
        "status_code": delivery.status_code,
        "event": delivery.event,
        "action": delivery.action,
        "installation_id": delivery.installation_id,
        "repository_id": delivery.repository_id,
        "throttled_at": None,
    }


@routes("GET", "/app/hook/deliveries", JWT)
def list_deliveries(call: Call) -> Any:
    """Newest first. `cursor` is the id of the last row seen; the Link header carries the next one."""
    query = call.request.query
    found = list(reversed(call.github.webhooks.log))
    if query.get("status") in ("success", "failure"):
        found = [delivery for delivery in found if (delivery.status == "OK") == (query["status"] == "success")]
    if query.get("cursor"):
        seen = next((place for place, entry in enumerate(found) if str(entry.id) == query["cursor"]), None)
        if seen is None:
            raise invalid("cursor")
        found = found[seen + 1 :]
    size = min(100, max(1, int(query.get("per_page", 30))))
    shown = found[:size]
    if len(found) > size:
        link = f"{call.state.api_url}/app/hook/deliveries?per_page={size}&cursor={shown[-1].id}"
        call.headers["Link"] = f'<{link}>; rel="next"'
    return [_delivery(delivery) for delivery in shown]


@routes("GET", "/app/hook/deliveries/{delivery_id}", JWT)
def get_delivery(call: Call) -> Any:
    number = call.number("delivery_id")
    for delivery in call.github.webhooks.log:
        if delivery.id == number:
            return _delivery(delivery) | {
                "url": call.github.webhooks.url or "",
                "request": {"headers": delivery.request_headers, "payload": json.loads(delivery.body)},
                "response": {"headers": delivery.response_headers, "payload": delivery.response_body},
            }
    raise Problem(404, "Not Found")


@routes("POST", "/app/hook/deliveries/{delivery_id}/attempts", JWT)
def attempt_delivery(call: Call) -> Any:
    try:
        call.github.webhooks.redeliver(call.number("delivery_id"))
    except LookupError:
        raise Problem(404, "Not Found") from None
    return Answer(202, {})


@routes("GET", "/rate_limit")
def rate_limit(call: Call) -> Any:
    used = call.state.used.get(counter(call.token), 0)
    core = {
        "limit": call.state.rate_limit,
        "remaining": max(0, call.state.rate_limit - used),
        "reset": (int(call.state.clock()) // 3600 + 1) * 3600,
        "used": used,
    }
    return {"resources": {"core": core, "search": core | {"limit": 30, "remaining": 30, "used": 0}}, "rate": core}


@routes("GET", "/users/{username}")
def get_user(call: Call) -> Any:
    return places.public_user(call.state, call.state.user(call.name("username")))

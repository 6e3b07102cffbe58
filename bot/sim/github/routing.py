"""How a request reaches a route of the pretend GitHub: credentials, scope, permission, rate, paging, ETag, JSON.

A route says in one line which permission it needs, as https://docs.github.com/en/rest/authentication/permissions-required-for-github-apps
does; it is a plain function from a `Call` to data. What is not routed answers 501, so that a test notices the gap.
"""

from __future__ import annotations

import hashlib
import json
import math
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from aiohttp import web

from bot.sim.github.credentials import check_jwt, check_token, count, counter, granted, reachable
from bot.sim.github.events import Events
from bot.sim.github.guest import Token
from bot.sim.github.problems import Problem
from bot.sim.github.shapes.places import repo_url
from bot.sim.github.state import Repository, State
from bot.sim.github.webhooks import Webhooks

API_VERSION = "2022-11-28"
COMPRESSED_FROM = 1024
JWT = "app jwt"
_DOCS = "https://docs.github.com/rest"

Item = TypeVar("Item")


@dataclass(frozen=True)
class GitHub:
    """What every route works on."""

    state: State
    events: Events
    webhooks: Webhooks


@dataclass(frozen=True)
class Answer:
    """Data with a status of its own; `data` None means an empty body."""

    status: int
    data: Any = None


@dataclass
class Call:
    """One authorised request. `repository` is set wherever the path names one."""

    github: GitHub
    request: web.Request
    token: Token | None
    installation_repositories: Sequence[Repository]
    body: dict[str, Any]
    repo: Repository | None = None
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def state(self) -> State:
        return self.github.state

    @property
    def repository(self) -> Repository:
        if self.repo is None:
            raise LookupError("this route names no repository")
        return self.repo

    def name(self, key: str) -> str:
        return self.request.match_info[key]

    def number(self, key: str) -> int:
        value = self.request.match_info[key]
        if not value.isascii() or not value.isdigit():
            raise Problem(404, "Not Found")
        return int(value)

    def page(self, items: Sequence[Item], default: int = 30, most: int = 100) -> list[Item]:
        """The asked page, with the Link header that leads to the others."""
        size = min(most, max(1, self._asked("per_page", default)))
        page = max(1, self._asked("page", 1))
        last = max(1, math.ceil(len(items) / size))
        links = []
        for name, target in (("prev", page - 1), ("next", page + 1), ("last", last), ("first", 1)):
            if (name in ("next", "last") and page < last) or (name in ("prev", "first") and page > 1):
                url = f"{self.state.api_url}{self.request.path}"
                query = {**self.request.query, "page": str(target)}
                links.append(f'<{url}?{"&".join(f"{k}={v}" for k, v in query.items())}>; rel="{name}"')
        if links:
            self.headers["Link"] = ", ".join(links)
        return list(items[(page - 1) * size : page * size])

    def _asked(self, key: str, default: int) -> int:
        value = self.request.query.get(key, "")
        return int(value) if value.isascii() and value.isdigit() else default

    def text(self, key: str, *, most: int | None = None, default: str | None = None) -> str:
        """A string of the body. Missing, of another type or too long is a 422, as GitHub words it."""
        value = self.body.get(key, default)
        if not isinstance(value, str):
            raise invalid(key, "missing_field" if value is None else "invalid")
        if most is not None and len(value) > most:
            raise invalid(key, "custom", f"{key} is too long (maximum is {most} characters)")
        return value

    def maybe(self, key: str, *, most: int | None = None) -> str | None:
        return None if self.body.get(key) is None else self.text(key, most=most)

    def flag(self, key: str, default: bool) -> bool:
        value = self.body.get(key, default)
        if not isinstance(value, bool):
            raise invalid(key, "invalid")
        return value


def invalid(key: str, code: str = "invalid", message: str | None = None) -> Problem:
    """A 422 about one field."""
    error = {"resource": "Request", "field": key, "code": code} | ({} if message is None else {"message": message})
    return Problem(422, "Validation Failed", [error])


Handler = Callable[[Call], Any]


@dataclass(frozen=True)
class Route:
    method: str
    path: str
    needs: tuple[str, ...]
    handler: Handler


class Routes(list[Route]):
    """The table of one concern. `needs`: "checks:write", several of which one suffices, or `JWT`."""

    def __call__(self, method: str, path: str, *needs: str) -> Callable[[Handler], Handler]:
        def add(handler: Handler) -> Handler:
            self.append(Route(method, path, needs, handler))
            return handler

        return add


def serve(github: GitHub, route: Route) -> Callable[[web.Request], Any]:
    """An aiohttp handler for one route."""

    async def handle(request: web.Request) -> web.Response:
        headers: dict[str, str] = {
            "X-GitHub-Api-Version-Selected": API_VERSION,
            "X-GitHub-Media-Type": "github.v3; format=json",
            "X-GitHub-Request-Id": secrets.token_hex(8).upper(),
        }
        try:
            call = _authorised(github, route, request, await request.read(), headers)
            result = route.handler(call)
        except Problem as problem:
            return _refusal(problem, headers)
        answer = result if isinstance(result, Answer) else Answer(200, result)
        response = _answer(request, answer, headers | call.headers)
        if response.status == 304:
            # https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api: a 304 is free.
            github.state.used[counter(call.token)] -= 1
        return response

    return handle


def _refusal(problem: Problem, headers: dict[str, str]) -> web.Response:
    body: dict[str, Any] = {
        "message": problem.message,
        "documentation_url": _DOCS,
        "status": str(problem.status),
    }
    if problem.errors is not None:
        body["errors"] = problem.errors
    if problem.status in (301, 307):
        headers = headers | {"Location": problem.message}
        body = {"message": "Moved Permanently", "url": problem.message, "documentation_url": _DOCS}
    return web.json_response(body, status=problem.status, headers=headers)


def _answer(request: web.Request, answer: Answer, headers: dict[str, str]) -> web.Response:
    if answer.data is None:
        return web.Response(status=answer.status, headers=headers)
    text = json.dumps(answer.data)
    if request.method == "GET" and answer.status == 200:
        # The tag depends on the credential too: a new token finds nothing cached.
        seed = text + request.headers.get("Authorization", "")
        tag = f'W/"{hashlib.sha256(seed.encode()).hexdigest()}"'
        headers = headers | {"ETag": tag, "Cache-Control": "private, max-age=60, s-maxage=60"}
        if request.headers.get("If-None-Match") == tag:
            return web.Response(status=304, headers=headers)
    response = web.Response(text=text, status=answer.status, headers=headers, content_type="application/json")
    if len(text) > COMPRESSED_FROM:
        response.enable_compression()  # for clients that say they can; GitHub does the same
    return response


def _authorised(github: GitHub, route: Route, request: web.Request, raw: bytes, headers: dict[str, str]) -> Call:
    if request.headers.get("X-GitHub-Api-Version", API_VERSION) != API_VERSION:
        raise Problem(400, f"This pretend GitHub speaks API version {API_VERSION} only.")
    scheme, _, credential = request.headers.get("Authorization", "").partition(" ")
    if scheme.casefold() not in ("bearer", "token") or not credential:
        raise Problem(401, "Requires authentication")
    token = None
    if route.needs == (JWT,):
        check_jwt(github.state, credential)
    else:
        token = check_token(github.state, credential)
    count(github.state, counter(token), request, headers)
    call = Call(github, request, token, reachable(github.state, token), _body(raw))
    if "owner" in request.match_info:
        call.repo = _repository(call)
    elif "repository_id" in request.match_info:
        call.repo = github.state.repositories.get(call.number("repository_id"))
        if call.repo not in call.installation_repositories:
            raise Problem(404, "Not Found")
    if token is not None and route.needs and not any(granted(token, need) for need in route.needs):
        headers["X-Accepted-GitHub-Permissions"] = "; ".join(need.replace(":", "=") for need in route.needs)
        raise Problem(403, "Resource not accessible by integration")
    return call


def _body(raw: bytes) -> dict[str, Any]:
    if not raw:
        return {}
    try:
        body = json.loads(raw)
    except ValueError:
        raise Problem(400, "Problems parsing JSON") from None
    if not isinstance(body, dict):
        raise Problem(400, "Body should be a JSON object")
    return body


def _repository(call: Call) -> Repository:
    """The repository of the path within the token's scope; a former name redirects to the id's address."""
    full_name = f"{call.name('owner')}/{call.name('repo')}"
    found = call.state.by_name(full_name)
    if found is None:
        moved = call.state.moved_to(full_name)
        if moved is not None and moved in call.installation_repositories:
            rest = call.request.path.removeprefix(f"/repos/{full_name}")
            query = f"?{call.request.query_string}" if call.request.query_string else ""
            base = repo_url(call.state, moved).partition("/repos/")[0]
            status = 301 if call.request.method == "GET" else 307
            raise Problem(status, f"{base}/repositories/{moved.id}{rest}{query}")
    if found is None or found not in call.installation_repositories:
        raise Problem(404, "Not Found")
    return found

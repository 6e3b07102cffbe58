"""The REST server of the pretend GitHub: every concern's routes as one aiohttp application."""

from __future__ import annotations

from aiohttp import web

from bot.sim.github import actions, apps, checks, conversation, deployments, repositories, teams
from bot.sim.github.routing import GitHub, serve
from bot.sim.wire import Wire

ROUTES = (
    *apps.routes,
    *repositories.routes,
    *conversation.routes,
    *deployments.routes,
    *checks.routes,
    *actions.routes,
    *teams.routes,
)
_BY_NAME, _BY_ID = "/repos/{owner}/{repo}", "/repositories/{repository_id}"


async def _unrouted(request: web.Request) -> web.Response:
    message = f"The pretend GitHub does not know {request.method} {request.path}"
    return web.json_response({"message": message}, status=501)


def application(github: GitHub, wire: Wire) -> web.Application:
    """Each repository route also stands under the repository's id, which is where a rename redirects to."""
    app = web.Application(middlewares=[wire.middleware("github")], client_max_size=32 * 1024 * 1024)
    for route in ROUTES:
        app.router.add_route(route.method, route.path, serve(github, route))
        if route.path.startswith(_BY_NAME + "/"):
            app.router.add_route(route.method, route.path.replace(_BY_NAME, _BY_ID), serve(github, route))
    app.router.add_route("*", "/{rest:.*}", _unrouted)
    return app

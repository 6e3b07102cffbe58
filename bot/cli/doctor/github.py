"""Checks of GitHub: who we are there, what we may do and hear, where we are installed, and what repositories say."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import yaml

from bot.cli.doctor.finding import Finding, by_stage, fail, failed, ok, warn
from bot.context import Miso
from bot.domain.catalog import Bound
from bot.domain.messages import bare, explain
from bot.domain.model import Application, Environment
from bot.domain.permissions import JOBS, missing, surplus, union
from bot.errors import MisoError
from bot.services import access
from bot.services.access import Origin
from bot.settings import Settings
from bot.settings.fields import default_config_dir


async def checks(miso: Miso, settings: Settings) -> AsyncIterator[Finding]:
    """Everything about GitHub, the App first."""
    try:
        app = await miso.github.app()
    except MisoError as fault:
        yield failed("github", "reachable", fault)
        return
    yield ok("github", "reachable", f"{settings.github_api_url}, as App {settings.app_id} ({app.get('slug')})")
    for finding in _app(app, settings):
        yield finding
    for application in await miso.store.applications():
        async for finding in _application(miso, application):
            yield finding


def _app(app: Mapping[str, Any], settings: Settings) -> Iterator[Finding]:
    if app.get("slug") != settings.app_slug:
        following = f"Set MISO_APP_SLUG={app.get('slug')}."
        yield fail("github", "slug", f"GitHub calls the App '{app.get('slug')}', not '{settings.app_slug}'", following)
    granted: Mapping[str, str] = app.get("permissions") or {}
    wanted = union(*JOBS.values())
    lacking, more = missing(granted, wanted), surplus(granted, wanted)
    if lacking:
        yield fail("github", "permissions", f"missing: {_levels(lacking)}", "Grant them on the App's settings page.")
    else:
        yield ok("github", "permissions", f"all {len(wanted)} that are needed")
    if more:
        yield warn(
            "github", "permissions", f"not needed: {_levels(more)}", "Take them away: each is a risk without use."
        )
    heard, needed = set(app.get("events") or ()), set(needed_events())
    if needed - heard:
        told = ", ".join(sorted(needed - heard))
        yield fail("github", "events", f"not subscribed to: {told}", "Subscribe on the App's settings page.")
    else:
        yield ok("github", "events", f"all {len(needed)} that are needed")


def needed_events() -> tuple[str, ...]:
    """The events of `app.yml`, which stands beside `config/` in a checkout and inside it in a package."""
    config = default_config_dir()
    file = next(path for path in (config / "app.yml", config.parent / "app.yml") if path.is_file())
    return tuple(yaml.safe_load(file.read_text(encoding="utf-8"))["default_events"])


async def _application(miso: Miso, application: Application) -> AsyncIterator[Finding]:
    try:
        installation = await miso.github.installation_of(application.repository_id, application.owner_id)
    except MisoError as fault:
        yield failed(application.name, "installation", fault)
        return
    if installation is None:
        yield fail(
            application.name,
            "installation",
            f"the App does not see repository {application.repository_id}",
            "Its owner installs the App on it. If it was transferred, register it with its new owner.",
        )
        return
    yield ok(application.name, "installation", f"{installation}, for repository {application.repository_id}")
    for environment in by_stage(await miso.store.environments(application.id)):
        yield await _bound(miso, application, environment, installation)


async def _bound(miso: Miso, application: Application, environment: Environment, installation: int) -> Finding:
    """The three variables, asked for as a deployment would ask."""
    origin = Origin(installation_id=installation, repository_id=application.repository_id)
    check = f"variables for {environment.github_name}"
    try:
        place = await access.bind(miso, origin, environment.stage)
    except MisoError as fault:
        return failed(application.name, check, fault)
    if isinstance(place.binding, Bound):
        return ok(application.name, check, f"{place.identity.full_name} names environment {environment.id}")
    said = explain(place.binding, stage=environment.stage)
    return fail(application.name, check, f"{bare(said.sentence, 400)} ({said.code})", bare(said.hint, 400))


def _levels(permissions: Mapping[str, str]) -> str:
    return ", ".join(f"{name}: {level}" for name, level in permissions.items())

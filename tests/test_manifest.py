"""`app.yml` asks for what the code uses, and for nothing else: permissions by job, events by door."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from gidgethub.routing import Router

from bot.domain.permissions import JOBS, READ_FACTS, union
from handlers import router

MANIFEST = Path(__file__).parent.parent / "app.yml"

UNASKED = {"installation", "installation_repositories", "github_app_authorization"}
"""Every App gets these: https://docs.github.com/en/webhooks/webhook-events-and-payloads#installation"""

HEARD_WITH = {
    "check_run": "checks",
    "check_suite": "checks",
    "deployment": "deployments",
    "deployment_protection_rule": "deployments",
    "deployment_review": "deployments",
    "deployment_status": "deployments",
    "issue_comment": "issues",
    "pull_request": "pull_requests",
    "pull_request_review": "pull_requests",
    "push": "contents",
    "release": "contents",
    "repository": "metadata",
    "status": "statuses",
    "workflow_run": "actions",
}
"""The permission without which GitHub does not let an App subscribe to an event:
https://docs.github.com/en/webhooks/webhook-events-and-payloads"""


@pytest.fixture(scope="module")
def manifest() -> Any:
    return yaml.safe_load(MANIFEST.read_text(encoding="utf-8"))


def events_of(table: Router) -> set[str]:
    """Events that some door waits for. gidgethub has no public way to ask a router for its table."""
    return {event for routes in (table._shallow_routes, table._deep_routes) for event, doors in routes.items() if doors}


def test_rule_35_the_app_asks_for_what_its_jobs_need_and_no_more(manifest: Any) -> None:
    assert manifest["default_permissions"] == union(*JOBS.values())


def test_the_app_hears_what_a_door_waits_for_and_no_more(manifest: Any) -> None:
    assert set(manifest["default_events"]) == events_of(router) - UNASKED
    assert manifest["default_events"] == sorted(set(manifest["default_events"]))


def test_each_event_comes_with_a_permission_that_the_app_has(manifest: Any) -> None:
    granted = manifest["default_permissions"]
    assert not {event for event in manifest["default_events"] if HEARD_WITH[event] not in granted}


def test_the_app_is_private_and_its_hook_is_on(manifest: Any) -> None:
    assert manifest["public"] is False
    assert manifest["hook_attributes"]["active"] is True
    assert manifest["hook_attributes"]["url"].endswith("/github/webhooks")


def test_a_key_that_github_does_not_know_would_be_dropped_in_silence(manifest: Any) -> None:
    """https://docs.github.com/en/apps/sharing-github-apps/registering-a-github-app-from-a-manifest"""
    known = {
        "name",
        "url",
        "hook_attributes",
        "redirect_url",
        "callback_urls",
        "setup_url",
        "description",
        "public",
        "default_events",
        "default_permissions",
        "request_oauth_on_install",
        "setup_on_update",
    }
    assert set(manifest) <= known


def test_reading_writes_nothing() -> None:
    assert set(READ_FACTS.values()) == {"read"}

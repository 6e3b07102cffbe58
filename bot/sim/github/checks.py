"""Check runs: created and changed only by their App, with at most three buttons of limited length.

https://docs.github.com/en/rest/checks/runs
"""

from __future__ import annotations

from typing import Any

from bot.sim.github.problems import Problem
from bot.sim.github.routing import Answer, Call, Routes, invalid
from bot.sim.github.shapes import work
from bot.sim.github.state import CheckRun

routes = Routes()
STATUSES = ("queued", "in_progress", "completed")
CONCLUSIONS = ("action_required", "cancelled", "failure", "neutral", "success", "skipped", "timed_out")
OUTPUT_LIMIT = 65535
ANNOTATION_LIMIT = 50
ANNOTATION_LEVELS = ("notice", "warning", "failure")
_ANNOTATION_KEYS = ("path", "start_line", "end_line", "annotation_level", "message")
_ACTION_LIMITS = {"label": 20, "description": 40, "identifier": 20}


def _check(call: Call) -> CheckRun:
    found = call.repository.checks.get(call.number("check_run_id"))
    if found is None:
        raise Problem(404, "Not Found")
    return found


def _actions(call: Call) -> list[dict[str, str]]:
    actions = call.body.get("actions", [])
    if not isinstance(actions, list) or len(actions) > 3:
        raise invalid("actions", "custom", "No more than 3 items are allowed")
    for action in actions:
        for key, most in _ACTION_LIMITS.items():
            value = action.get(key) if isinstance(action, dict) else None
            if not isinstance(value, str) or not value or len(value) > most:
                raise invalid(
                    f"actions.{key}", "custom", f"Only {most} characters are allowed; {value!r} was supplied."
                )
    return actions


def _output(call: Call) -> dict[str, Any] | None:
    output = call.body.get("output")
    if output is None:
        return None
    if not isinstance(output, dict) or not isinstance(output.get("summary"), str):
        raise invalid("output.summary", "missing_field")
    for key in ("summary", "text"):
        if len(output.get(key) or "") > OUTPUT_LIMIT:
            raise invalid(f"output.{key}", "custom", f"Only {OUTPUT_LIMIT} characters are allowed")
    annotations = output.get("annotations") or []
    if len(annotations) > ANNOTATION_LIMIT:
        raise invalid("output.annotations", "custom", f"No more than {ANNOTATION_LIMIT} items are allowed")
    for annotation in annotations:
        missing = [key for key in _ANNOTATION_KEYS if not annotation.get(key)]
        if missing:
            raise invalid(f"output.annotations.{missing[0]}", "missing_field")
        if annotation["annotation_level"] not in ANNOTATION_LEVELS or annotation["end_line"] < annotation["start_line"]:
            raise invalid("output.annotations")
    return output


def _apply(call: Call, check: CheckRun) -> None:
    """Lay the body's fields over the run. A conclusion completes it; completing needs a conclusion."""
    conclusion = call.maybe("conclusion")
    if conclusion is not None and conclusion not in CONCLUSIONS:
        raise invalid("conclusion")
    status = call.text("status", default="completed" if conclusion else check.status)
    if status not in STATUSES:
        raise invalid("status")
    if status == "completed" and conclusion is None and check.conclusion is None:
        raise invalid("conclusion", "missing_field")
    output, actions = _output(call), _actions(call)
    check.name = call.text("name", default=check.name)
    check.external_id = call.text("external_id", default=check.external_id)
    check.details_url = call.maybe("details_url") or check.details_url
    check.status = status
    if status == "completed":
        check.conclusion = conclusion or check.conclusion
        check.completed = check.completed or call.state.clock()
    else:
        check.conclusion = check.completed = None
    if output is not None:
        # Annotations are added to those that are there; everything else is replaced.
        check.annotations += output.pop("annotations", None) or []
        check.output = check.output | output
    if "actions" in call.body:
        check.actions = actions


@routes("POST", "/repos/{owner}/{repo}/check-runs", "checks:write")
def create_check(call: Call) -> Any:
    state, repo = call.state, call.repository
    head = call.text("head_sha")
    if head not in repo.commits:
        raise Problem(422, f"No commit found for SHA: {head}")
    check = CheckRun(
        id=state.next_id(),
        name=call.text("name"),
        head_sha=head,
        app=state.app.slug,
        external_id="",
        details_url=None,
        status="queued",
        conclusion=None,
        started=state.clock(),
        completed=None,
        output={},
    )
    _apply(call, check)
    repo.checks[check.id] = check
    call.github.events.check_run(repo, check, "created", state.bot.id)
    if check.status == "completed":
        call.github.events.check_run(repo, check, "completed", state.bot.id)
    return Answer(201, work.check_run(state, repo, check))


@routes("GET", "/repos/{owner}/{repo}/check-runs/{check_run_id}", "checks:read")
def get_check(call: Call) -> Any:
    return work.check_run(call.state, call.repository, _check(call))


@routes("PATCH", "/repos/{owner}/{repo}/check-runs/{check_run_id}", "checks:write")
def update_check(call: Call) -> Any:
    check = _check(call)
    if check.app != call.state.app.slug:
        raise Problem(403, "Invalid app_id: only the App that created a check run may change it.")
    before = check.status
    _apply(call, check)
    if check.status == "completed" and before != "completed":
        call.github.events.check_run(call.repository, check, "completed", call.state.bot.id)
    return work.check_run(call.state, call.repository, check)


@routes("GET", "/repos/{owner}/{repo}/check-runs/{check_run_id}/annotations", "checks:read")
def list_annotations(call: Call) -> Any:
    check = _check(call)
    found = call.page(check.annotations)
    return [work.annotation(call.state, call.repository, check, entry) for entry in found]


@routes("GET", "/repos/{owner}/{repo}/commits/{ref}/check-runs", "checks:read")
def list_checks(call: Call) -> Any:
    """Newest first; by name, status, App, and by default only the latest of each name and App."""
    repo, query = call.repository, call.request.query
    try:
        sha = repo.resolve(call.name("ref"))
    except Problem:
        raise Problem(422, f"No commit found for SHA: {call.name('ref')}") from None
    found = [check for check in reversed(repo.checks.values()) if check.head_sha == sha]
    if query.get("filter", "latest") == "latest":
        found = list({(check.app, check.name): check for check in reversed(found)}.values())[::-1]
    found = [
        check
        for check in found
        if query.get("check_name") in (None, check.name)
        and query.get("status") in (None, check.status)
        and query.get("app_id") in (None, str(call.state.app_id(check.app)))
    ]
    return {
        "total_count": len(found),
        "check_runs": [work.check_run(call.state, repo, check) for check in call.page(found)],
    }

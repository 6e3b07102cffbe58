"""What GitHub shall show: deployments, statuses, check runs, comments, reactions, and answers to protection rules.

Called by the report loop's verbs through `bot.context.Repository`. Texts arrive finished; only GitHub's limits are kept
here. Each create has a `find_…` beside it that looks for our own marker, for the caller whose create had no known end.
Nothing is decided and nothing is worded here.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from bot.domain.codes import Code
from bot.domain.messages import refusal
from bot.domain.model import Annotation, CheckRun, DeploymentStatus
from bot.github.door import Door, query
from bot.github.facts import full_sha
from bot.github.faults import Answer
from bot.github.limits import characters, document

LONGEST_DESCRIPTION = 140
LONGEST_CHECK_TEXT = 65_535
LONGEST_COMMENT = 65_536
LONGEST_REVIEW = 1_024
MOST_BUTTONS = 3
MOST_ANNOTATIONS = 50
LONGEST_ANNOTATION = 64 * 1024
LONGEST_IDENTIFIER = 20
MOST_COMMENT_PAGES = 10
MOST_ANNOTATION_PAGES = 10
LOOKED_BACK = 10
"""Older deployments that are looked at: each that was replaced before is inactive already."""


class Reporter(Door):
    """The writing half of `bot.context.Repository`."""

    async def create_deployment(
        self, *, sha: str, environment: str, production: bool, description: str, marker: str
    ) -> int:
        """A deployment of exactly this commit; its id. Refuses (deployment_sha_mismatch) any other answer (rule 2).

        Without `auto_merge: false` GitHub may merge the default branch first, without `required_contexts: []` it may
        refuse for checks that are none of its business here.
        https://docs.github.com/en/rest/deployments/deployments#create-a-deployment
        """
        data = await self._write(
            "POST",
            "/deployments",
            {
                "ref": full_sha(sha),
                "task": "deploy",
                "auto_merge": False,
                "required_contexts": [],
                "payload": {"miso": marker},
                "environment": environment,
                "description": characters(description, LONGEST_DESCRIPTION),
                "transient_environment": False,
                "production_environment": production,
            },
        )
        if not isinstance(data, dict) or data.get("sha") != sha or "id" not in data:
            raise refusal(Code.DEPLOYMENT_SHA_MISMATCH, commit=sha)
        return self._understood(lambda made: int(made["id"]), data)

    async def find_deployment(self, *, sha: str, environment: str, marker: str) -> int | None:
        """Our own App's deployment whose payload holds `marker`."""
        listed = await self._pages("/deployments", sha=full_sha(sha), environment=environment)
        for each in listed:
            if self._understood(_marker_of, each) == marker and await self._app.wrote(each, "creator"):
                return self._understood(lambda found: int(found["id"]), each)
        return None

    async def deployment_status(self, deployment_id: int, status: DeploymentStatus) -> None:
        """https://docs.github.com/en/rest/deployments/statuses#create-a-deployment-status

        GitHub never makes older production deployments inactive: those are found by `older_deployments`.
        """
        body: dict[str, Any] = {
            "state": status.state,
            "description": characters(status.description, LONGEST_DESCRIPTION),
            "environment": status.environment,
            "auto_inactive": status.retires_older,
        }
        if status.environment_url:
            body["environment_url"] = status.environment_url
        if status.log_url:
            body["log_url"] = status.log_url
        await self._write("POST", f"/deployments/{int(deployment_id)}/statuses", body)

    async def older_deployments(self, environment: str, before_id: int) -> Sequence[int]:
        """Deployments of our own App there, older than `before_id`, whose last status is success; newest first.

        Stops at one that is inactive: whoever made it so looked at what was older still.
        """
        listed = await self._pages("/deployments", environment=environment, most=1)
        by_id = self._understood(lambda found: {int(each["id"]): each for each in found}, listed)
        ours = [number for number, each in by_id.items() if await self._app.wrote(each, "creator")]
        alive: list[int] = []
        for number in sorted((number for number in ours if number < before_id), reverse=True)[:LOOKED_BACK]:
            state = await self._last_state(number)
            if state == "inactive":
                break
            if state == "success":
                alive.append(number)
        return alive

    async def _last_state(self, deployment_id: int) -> str:
        data = await self._read(f"/deployments/{deployment_id}/statuses" + query(per_page=1))
        return self._understood(lambda found: str(found[0]["state"]) if found else "", data)

    async def create_check(self, check: CheckRun) -> int:
        """https://docs.github.com/en/rest/checks/runs#create-a-check-run"""
        data = await self._write("POST", "/check-runs", _check(check) | {"head_sha": full_sha(check.head_sha)})
        return self._understood(lambda made: int(made["id"]), data)

    async def update_check(self, check_id: int, check: CheckRun) -> None:
        """The whole face anew; buttons that are not named any more go away.

        Annotations are the one thing that GitHub adds to what is there: those that it has are not sent again, and none
        can be taken back. https://docs.github.com/en/rest/checks/runs#update-a-check-run
        """
        body = _check(check)
        if check.annotations:
            there = await self._pages(f"/check-runs/{int(check_id)}/annotations", most=MOST_ANNOTATION_PAGES)
            body["output"]["annotations"] = _beside(body["output"].pop("annotations"), there)
        await self._write("PATCH", f"/check-runs/{int(check_id)}", body)

    async def find_check(self, *, sha: str, name: str, external_id: str) -> int | None:
        """https://docs.github.com/en/rest/checks/runs#list-check-runs-for-a-git-reference"""
        tail = f"/commits/{full_sha(sha)}/check-runs"
        listed = await self._pages(tail, key="check_runs", check_name=name, app_id=self._app.id, filter="all")

        def ours(found: Sequence[Any]) -> list[int]:
            return [
                int(each["id"])
                for each in found
                if each["external_id"] == external_id and (each["app"] or {}).get("id") == self._app.id
            ]

        matches = self._understood(ours, listed)
        return max(matches, default=None)

    async def create_comment(self, number: int, body: str) -> int:
        """https://docs.github.com/en/rest/issues/comments#create-an-issue-comment"""
        data = await self._write("POST", f"/issues/{int(number)}/comments", {"body": document(body, LONGEST_COMMENT)})
        return self._understood(lambda made: int(made["id"]), data)

    async def update_comment(self, comment_id: int, body: str) -> bool:
        """False when it is gone. https://docs.github.com/en/rest/issues/comments#update-an-issue-comment"""
        try:
            await self._write("PATCH", f"/issues/comments/{int(comment_id)}", {"body": document(body, LONGEST_COMMENT)})
        except Answer as answer:
            if answer.status in (404, 410):
                return False
            raise
        return True

    async def find_comment(self, number: int, marker: str) -> int | None:
        """Our own App's first comment that holds the hidden marker: anybody may copy the marker itself.

        https://docs.github.com/en/rest/issues/comments#list-issue-comments
        """
        for each in await self._pages(f"/issues/{int(number)}/comments", most=MOST_COMMENT_PAGES):
            if marker in str(each.get("body") or "") and await self._app.wrote(each, "user"):
                return self._understood(lambda found: int(found["id"]), each)
        return None

    async def react(self, comment_id: int, content: str) -> None:
        """`content`: "+1", "-1", "eyes", "confused", "rocket", …; the same one twice is one reaction.

        https://docs.github.com/en/rest/reactions/reactions#create-reaction-for-an-issue-comment
        """
        await self._write("POST", f"/issues/comments/{int(comment_id)}/reactions", {"content": content})

    async def answer_gate(self, run_id: int, environment: str, *, state: str | None, comment: str) -> None:
        """Answer our protection rule of a run, or only say something on it (`state` None).

        The address is built from our own API base and the numeric run id; `deployment_callback_url` is never asked
        (rule 27). Any other word than "approved" and "rejected" is refused here: it must not be guessed at there.
        https://docs.github.com/en/rest/actions/workflow-runs#review-custom-deployment-protection-rules-for-a-workflow-run
        """
        if state not in (None, "approved", "rejected"):
            raise refusal(Code.GATE_NO_DECISION)
        body = {"environment_name": environment, "comment": characters(comment, LONGEST_REVIEW)}
        if state is not None:
            body["state"] = state
        await self._write("POST", f"/actions/runs/{int(run_id)}/deployment_protection_rule", body)


def _check(check: CheckRun) -> dict[str, Any]:
    if any(len(each.identifier) > LONGEST_IDENTIFIER for each in check.actions):
        # Cut short it would be another button's identifier, or nobody's: ours to mend, not a person's.
        raise ValueError("the identifier of a button is longer than GitHub takes")
    output: dict[str, Any] = {
        "title": characters(check.title, 255),
        "summary": document(check.summary, LONGEST_CHECK_TEXT),
    }
    if check.text:
        output["text"] = document(check.text, LONGEST_CHECK_TEXT)
    if check.annotations:
        output["annotations"] = [_annotation(each) for each in check.annotations[:MOST_ANNOTATIONS]]
    body: dict[str, Any] = {
        "name": check.name,
        "external_id": check.external_id,
        "status": check.status,
        "output": output,
        "actions": [
            {
                "label": characters(each.label, 20),
                "description": characters(each.description, 40),
                "identifier": each.identifier,
            }
            for each in check.actions[:MOST_BUTTONS]
        ],
    }
    if check.conclusion:
        body["conclusion"] = check.conclusion
    if check.details_url:
        body["details_url"] = check.details_url
    return body


def _annotation(annotation: Annotation) -> dict[str, Any]:
    body: dict[str, Any] = {
        "path": annotation.path,
        "start_line": annotation.line,
        "end_line": annotation.line,
        "annotation_level": annotation.level,
        "message": document(annotation.message, LONGEST_ANNOTATION),
    }
    if annotation.title:
        body["title"] = characters(annotation.title, 255)
    return body


def _beside(wanted: list[dict[str, Any]], there: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those that are not there yet, by place and words."""
    known = {(each.get("path"), each.get("start_line"), each.get("message")) for each in there}
    return [each for each in wanted if (each["path"], each["start_line"], each["message"]) not in known]


def _marker_of(deployment: Any) -> str:
    """`payload.miso`; GitHub gives a payload back as it was sent, an object or the text of one."""
    payload = deployment["payload"]
    if isinstance(payload, str) and payload.startswith("{"):
        payload = json.loads(payload)
    return str(payload.get("miso", "")) if isinstance(payload, dict) else ""

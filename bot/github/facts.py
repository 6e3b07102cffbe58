"""What is so on GitHub: one method for each fact that a decision needs. Reads only; nothing is decided here.

Called by verbs through `bot.context.Repository`. Absence is None; all else that is not an answer raises `Refused` or
`Transient`. Who may do what is asked anew each time, never remembered (rule 5).
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Literal

from bot.domain.codes import Code
from bot.domain.messages import refusal
from bot.domain.model import (
    CheckSeen,
    Collaborator,
    Comment,
    Commit,
    CommitRange,
    Permission,
    PullRequest,
    WorkflowRun,
)
from bot.github import faults, shapes
from bot.github.door import PAGE, Door, query, segment, segments

LARGEST_FILE = 256 * 1024
MOST_COMMIT_PAGES = 10
"""A range of more than a thousand commits is told as incomplete; then its authors count as unknown (rule 9)."""
VARIABLES_PAGE = 30
MOST_VARIABLE_PAGES = 17
"""The most that these listings give at once, and enough for the 500 variables that a repository may have.

https://docs.github.com/en/rest/actions/variables"""
MOST_PULL_REQUESTS = 10
MOST_CHECK_PAGES = 10
MOST_COLLABORATOR_PAGES = 50
MOST_FILE_PAGES = 30
"""GitHub lists 3,000 files of a pull request and no more.

https://docs.github.com/en/rest/pulls/pulls#list-pull-requests-files"""

_HEX = re.compile(r"[0-9a-f]{7,40}")
_SHA = re.compile(r"[0-9a-f]{40}")
_STATUSES: Mapping[str, Literal["ahead", "behind", "identical", "diverged"]] = {
    "ahead": "ahead",
    "behind": "behind",
    "identical": "identical",
    "diverged": "diverged",
}


def full_sha(sha: str) -> str:
    """The commit id itself. Anything shorter or other could name a branch (rule 2): refused."""
    if not _SHA.fullmatch(sha):
        raise refusal(Code.SHA_MALFORMED, word=sha)
    return sha


class Facts(Door):
    """The reading half of `bot.context.Repository`."""

    async def variables(self) -> Mapping[str, str]:
        """https://docs.github.com/en/rest/actions/variables#list-repository-variables"""
        return await self._variables("/actions/variables")

    async def environment_variables(self, environment: str) -> Mapping[str, str] | None:
        """https://docs.github.com/en/rest/actions/variables#list-environment-variables"""
        tail = f"/environments/{segment(environment)}/variables"
        try:
            return await self._variables(tail)
        except faults.Answer as answer:
            if answer.status == 404:
                return None
            raise

    async def _variables(self, tail: str) -> Mapping[str, str]:
        items = await self._pages(tail, key="variables", size=VARIABLES_PAGE, most=MOST_VARIABLE_PAGES)
        return self._understood(lambda found: {str(item["name"]): str(item["value"]) for item in found}, items)

    async def file(self, path: str, ref: str) -> str | None:
        """Text of a file at a commit. A directory, a link, a binary or more than 256 KiB is refused (config_invalid).

        https://docs.github.com/en/rest/repos/contents#get-repository-content
        """
        data = await self._find(f"/contents/{segments(path)}" + query(ref=full_sha(ref)))
        if data is None:
            return None
        text = self._understood(lambda found: shapes.text_of(found, LARGEST_FILE), data)
        if text is None:
            raise refusal(Code.CONFIG_INVALID, path=path)
        return text

    async def head(self, branch: str) -> str:
        """40-hex commit of a branch. https://docs.github.com/en/rest/branches/branches#get-a-branch"""
        data = await self._read(f"/branches/{segments(branch)}")
        name, sha = self._understood(lambda found: (found["name"], str(found["commit"]["sha"])), data)
        if name != branch or not _SHA.fullmatch(sha):
            raise faults.unavailable("GitHub answered for another branch")
        return sha

    async def commit(self, sha: str) -> Commit | None:
        """A commit by 7 to 40 lower-case hex digits; None when there is none, or more than one.

        GitHub answers 422 for an id that no commit has, and would take the name of a branch as well: the answer's id
        must begin with what was asked. https://docs.github.com/en/rest/commits/commits#get-a-commit
        """
        if not _HEX.fullmatch(sha):
            return None
        data = await self._find(f"/commits/{sha}" + query(per_page=1), absent=(404, 422))
        if data is None:
            return None
        found = self._understood(shapes.commit, data)
        return found if found.sha.startswith(sha) else None

    async def pull_request(self, number: int) -> PullRequest | None:
        """https://docs.github.com/en/rest/pulls/pulls#get-a-pull-request"""
        data = await self._find(f"/pulls/{int(number)}")
        if data is None:
            return None
        found = self._understood(shapes.pull_request, data)
        self._ours(found.base_repository_id)
        return found

    async def pull_requests_of(self, sha: str) -> Sequence[PullRequest]:
        """Pull requests of this repository that hold a commit, whole (the listing does not say who merged).

        https://docs.github.com/en/rest/commits/commits#list-pull-requests-associated-with-a-commit
        """
        tail = f"/commits/{full_sha(sha)}/pulls" + query(per_page=MOST_PULL_REQUESTS)
        data = await self._find(tail, absent=(404, 409, 422))
        numbers = self._understood(
            lambda found: [int(p["number"]) for p in found if int(p["base"]["repo"]["id"]) == self._repository_id],
            data or [],
        )
        found = await asyncio.gather(*(self.pull_request(number) for number in numbers))
        return [pull for pull in found if pull is not None]

    async def comment(self, comment_id: int) -> Comment | None:
        """https://docs.github.com/en/rest/issues/comments#get-an-issue-comment"""
        data = await self._find(f"/issues/comments/{int(comment_id)}")
        return None if data is None else self._understood(shapes.comment, data)

    async def permission(self, login: str) -> Permission | None:
        """https://docs.github.com/en/rest/collaborators/collaborators#get-repository-permissions-for-a-user"""
        data = await self._find(f"/collaborators/{segment(login)}/permission")
        return None if data is None else self._understood(shapes.permission, data)

    async def compare(self, base: str, head: str) -> CommitRange:
        """Commits of `head` that `base` does not have, oldest first; `complete` only when every one was read.

        https://docs.github.com/en/rest/commits/commits#compare-two-commits
        """
        tail = f"/compare/{full_sha(base)}...{full_sha(head)}"
        commits: dict[str, Commit] = {}
        status, total = "", 0
        for page in range(1, MOST_COMMIT_PAGES + 1):
            data = await self._find(tail + query(per_page=PAGE, page=page))
            if data is None:
                return CommitRange(status="unknown")
            said = self._understood(lambda found: (str(found["status"]), int(found["total_commits"])), data)
            if page > 1 and said != (status, total):
                return CommitRange(status="unknown")
            status, total = said
            read = self._understood(lambda found: [shapes.commit(each) for each in found["commits"]], data)
            commits |= {each.sha: each for each in read}
            if not read or len(commits) >= total:
                break
        if status not in _STATUSES:
            return CommitRange(status="unknown")
        listed = tuple(commits.values())
        return CommitRange(status=_STATUSES[status], commits=listed, complete=len(listed) == total)

    async def workflow_run(self, run_id: int) -> WorkflowRun | None:
        """https://docs.github.com/en/rest/actions/workflow-runs#get-a-workflow-run"""
        data = await self._find(f"/actions/runs/{int(run_id)}" + query(exclude_pull_requests="true"))
        if data is None:
            return None
        found = self._understood(shapes.workflow_run, data)
        self._ours(found.repository_id)
        return found

    async def checks(self, sha: str, names: Collection[str]) -> Sequence[CheckSeen]:
        """The newest check run of each name and App on a commit, of these names alone.

        A run that is made again has a higher id, and counts from its first moment: it is not completed yet. More than
        a thousand runs on one commit are unknown (`Transient`): what was not read might be the one that failed.
        https://docs.github.com/en/rest/checks/runs#list-check-runs-for-a-git-reference
        """
        tail = f"/commits/{full_sha(sha)}/check-runs"
        if not names:
            return ()
        listed = await self._pages(tail, key="check_runs", most=MOST_CHECK_PAGES, whole=True, filter="latest")
        seen = self._understood(lambda found: [shapes.check_seen(each) for each in found], listed)
        wanted = sorted((each for each in seen if each.name in names), key=lambda each: each.id)
        return tuple({(each.name, each.app_id): each for each in wanted}.values())

    async def collaborators(self) -> Sequence[Collaborator]:
        """https://docs.github.com/en/rest/collaborators/collaborators#list-repository-collaborators"""
        listed = await self._pages("/collaborators", most=MOST_COLLABORATOR_PAGES, whole=True)
        return self._understood(lambda found: tuple(shapes.collaborator(each) for each in found), listed)

    async def changed_files(self, number: int) -> Sequence[str]:
        """Paths that a pull request changes, each once. https://docs.github.com/en/rest/pulls/pulls#list-pull-requests-files"""
        listed = await self._pages(f"/pulls/{int(number)}/files", most=MOST_FILE_PAGES)
        paths = self._understood(lambda found: [path for each in found for path in shapes.changed_paths(each)], listed)
        return tuple(dict.fromkeys(paths))

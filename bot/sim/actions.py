"""The pretend GitHub Actions as an OpenID provider: discovery, keys, and the tokens that jobs get.

Claims as https://docs.github.com/en/actions/reference/security/oidc lists them; every id is a string. `actions_token`
mints one; `actions_job` gives what a job's environment holds, so that a composite action or plain curl can ask for its
token as on a real runner. Issuers: github.com at the root, an enterprise's at `/<slug>`, GHES at `/_services/token`.
"""

from __future__ import annotations

import hmac
import secrets
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypedDict

from aiohttp import web

from bot.sim.github.problems import Misused
from bot.sim.github.scenario import Scenario
from bot.sim.github.state import Repository, Run
from bot.sim.issuers.mounted import MountedIssuers
from bot.sim.wire import Wire

LIFETIME_S = 300
GHES = "/_services/token"
"""https://docs.github.com/en/enterprise-server@3.17/actions/reference/security/oidc"""


class Minted(TypedDict):
    token: str


class JobEnvironment(TypedDict):
    """Two variables by their names, and which run the job belongs to."""

    ACTIONS_ID_TOKEN_REQUEST_URL: str
    ACTIONS_ID_TOKEN_REQUEST_TOKEN: str
    run_id: int
    run_attempt: int


@dataclass(frozen=True, kw_only=True)
class Job:
    """What is known of a job before it asks for a token. None: as its run says, or as an ordinary push."""

    repository: str
    issuer: str = ""
    environment: str | None = None
    event: str | None = None
    ref: str | None = None
    sha: str | None = None
    run_id: int | None = None
    run_attempt: int | None = None
    workflow: str | None = None
    actor: str | None = None
    claims: Mapping[str, Any] | None = None


class ActionsIssuer(MountedIssuers):
    """Signs RS256 with one key at a time for each issuer; `rotate_actions_key` keeps publishing the old one."""

    def __init__(self, wire: Wire, scenario: Scenario) -> None:
        super().__init__(wire, "actions")
        self._scenario = scenario
        self._jobs: dict[str, tuple[str, Job]] = {}

    def app(self) -> web.Application:
        app = super().app()
        app.router.add_get("/idtoken/{plan}/{job}", self._id_token)
        return app

    def actions_issuer(self, path: str = "") -> str:
        """The URL of the issuer below this path, which exists from now on."""
        return self._mount(path)

    def rotate_actions_key(self, *, forget: bool = False, issuer: str = "") -> str:
        """Sign with a new key from now on. `forget` also withdraws the old ones. Gives the new key's id."""
        return self._rotate(issuer, forget)

    def actions_fetches(self, issuer: str = "") -> int:
        """How often this issuer's keys were asked for, faults left out."""
        return self._fetched.get(issuer, 0)

    def actions_token(
        self,
        repository: str,
        *,
        audience: str,
        environment: str | None = None,
        event: str | None = None,
        ref: str | None = None,
        sha: str | None = None,
        run_id: int | None = None,
        run_attempt: int | None = None,
        workflow: str | None = None,
        actor: str | None = None,
        claims: Mapping[str, Any] | None = None,
        issuer: str = "",
        headers: Mapping[str, Any] | None = None,
        algorithm: str = "RS256",
    ) -> Minted:
        """The ID token of a job. `claims` and `headers` are laid over the rest; None removes one."""
        job = Job(
            repository=repository,
            issuer=issuer,
            environment=environment,
            event=event,
            ref=ref,
            sha=sha,
            run_id=run_id,
            run_attempt=run_attempt,
            workflow=workflow,
            actor=actor,
            claims=claims,
        )
        return {"token": self._token(job, audience, headers=headers, algorithm=algorithm)}

    def actions_job(
        self,
        repository: str,
        *,
        run_id: int | None = None,
        environment: str | None = None,
        workflow: str = ".github/workflows/build.yml",
        event: str = "push",
        branch: str | None = None,
        sha: str | None = None,
        actor: str | None = None,
        issuer: str = "",
        claims: Mapping[str, Any] | None = None,
    ) -> JobEnvironment:
        """A job with `id-token: write`, of this run or of a new one that is left running."""
        number = run_id
        if number is None:
            started = self._scenario.run_workflow(
                repository, path=workflow, event=event, branch=branch, head_sha=sha, actor=actor, conclusion=None
            )
            number = started["id"]
        run = self._scenario.repo(repository).runs.get(number)
        if run is None:
            raise Misused(f"no run {number}")
        job = Job(repository=repository, issuer=issuer, environment=environment, run_id=number, claims=claims)
        key, bearer = str(uuid.uuid4()), secrets.token_urlsafe(48)
        self._jobs[key] = (bearer, job)
        return {
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"{self.url}/idtoken/{uuid.uuid4()}/{key}?api-version=2.0",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": bearer,
            "run_id": number,
            "run_attempt": run.attempt,
        }

    async def _id_token(self, request: web.Request) -> web.Response:
        """The runner's endpoint: `{"count": …, "value": <token>}`; without an audience, the owner's URL is meant."""
        bearer, job = self._jobs.get(request.match_info["job"], ("", None))
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        if job is None or scheme.lower() != "bearer" or not hmac.compare_digest(given.encode(), bearer.encode()):
            return web.json_response({"message": "The user is not authorized to access this resource."}, status=401)
        if "api-version" not in request.query:
            return web.json_response({"message": "No api-version was supplied for the request."}, status=400)
        owner = job.repository.partition("/")[0]
        audience = request.query.get("audience") or f"{self._scenario.github.state.web_url}/{owner}"
        token = self._token(job, audience)
        return web.json_response({"count": len(token), "value": token})

    def _token(
        self, job: Job, audience: str, *, headers: Mapping[str, Any] | None = None, algorithm: str = "RS256"
    ) -> str:
        repo = self._scenario.repo(job.repository)
        whole = self._claims(repo, job) | {"aud": audience}
        return self._sign(job.issuer, whole, over=job.claims, headers=headers, algorithm=algorithm)

    def _claims(self, repo: Repository, job: Job) -> dict[str, Any]:
        state = self._scenario.github.state
        owner, run = state.users[repo.owner_id], repo.runs.get(job.run_id or 0)
        person = owner if run is None else state.users[run.actor_id]
        if job.actor is not None:
            person = self._scenario.person(job.actor)
        commit = job.sha or (run.head_sha if run is not None else repo.branches[repo.default_branch])
        event = job.event or (run.event if run is not None else "push")
        workflow = job.workflow or (run.path if run is not None else ".github/workflows/build.yml")
        ref, head_ref, base_ref = _refs(repo, run, event, job.ref)
        full_name, now = state.full_name(repo), int(state.clock())
        where = f"{full_name}/{workflow}@{ref}"
        return {
            "sub": _subject(repo, owner.login, job, ref),
            "iat": now,
            "nbf": now - 60,
            "exp": now + LIFETIME_S,
            "jti": str(uuid.uuid4()),
            "actor": person.login,
            "actor_id": str(person.id),
            "base_ref": base_ref,
            "check_run_id": str(state.next_id()),
            **_enterprise(job.issuer),
            "environment": job.environment,
            "event_name": event,
            "head_ref": head_ref,
            "job_workflow_ref": where,
            "job_workflow_sha": commit,
            "ref": ref,
            "ref_protected": "false",
            "ref_type": "tag" if ref.startswith("refs/tags/") else "branch",
            "repository": full_name,
            "repository_id": str(repo.id),
            "repository_owner": owner.login,
            "repository_owner_id": str(owner.id),
            "repository_visibility": "private" if repo.private else "public",
            "run_attempt": str(job.run_attempt or (1 if run is None else run.attempt)),
            "run_id": str(job.run_id or state.next_id()),
            "run_number": str(1 if run is None else run.number),
            "runner_environment": "github-hosted",
            "sha": commit,
            "workflow": workflow.rpartition("/")[2].partition(".")[0],
            "workflow_ref": where,
            "workflow_sha": commit,
        }

    def _document(self, issuer: str) -> dict[str, Any]:
        claims = ["sub", "aud", "exp", "iat", "iss", "jti", "nbf", "ref", "repository", "repository_id", "sha"]
        return super()._document(issuer) | {"claims_supported": claims}


def _refs(repo: Repository, run: Run | None, event: str, ref: str | None) -> tuple[str, str, str]:
    """`ref`, `head_ref`, `base_ref`. A run of a pull request stands on its merge reference."""
    if ref is None and run is not None and event == "pull_request":
        for pull in repo.pulls.values():
            if pull.head_sha == run.head_sha and pull.head_ref == run.head_branch:
                return f"refs/pull/{pull.number}/merge", pull.head_ref, pull.base_ref
    return ref or f"refs/heads/{repo.default_branch if run is None else run.head_branch}", "", ""


def _subject(repo: Repository, owner: str, job: Job, ref: str) -> str:
    """With ids in it since July 2026, but not on GHES."""
    context = f"environment:{job.environment}" if job.environment else f"ref:{ref}"
    if job.issuer == GHES:
        return f"repo:{owner}/{repo.name}:{context}"
    return f"repo:{owner}@{repo.owner_id}/{repo.name}@{repo.id}:{context}"


def _enterprise(issuer: str) -> dict[str, Any]:
    if issuer in ("", GHES):
        return {}
    return {"enterprise": issuer.strip("/"), "enterprise_id": "77"}

"""The pretend GitHub Actions as an OpenID provider: discovery, keys, and the token a job would get.

Claims as https://docs.github.com/en/actions/reference/security/oidc lists them; every id is a string. The verb
`actions_token` mints; the deployment controller reads discovery and keys over HTTP like anybody else.
"""

from __future__ import annotations

import base64
import uuid
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, TypedDict

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa

from bot.sim.github.scenario import Scenario
from bot.sim.github.state import Repository
from bot.sim.wire import Wire

LIFETIME_S = 300


class Minted(TypedDict):
    token: str


@lru_cache(maxsize=4)
def signing_key(name: str) -> rsa.RSAPrivateKey:
    """A key by name, made once a process: making one takes longer than most tests."""
    del name
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _base64url(number: int) -> str:
    data = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class ActionsIssuer:
    """Signs RS256 with one key at a time; `rotate` takes a fresh one and keeps publishing the old."""

    def __init__(self, wire: Wire, scenario: Scenario) -> None:
        self.url = ""
        self._wire, self._scenario = wire, scenario
        self._keys = [("actions-1", signing_key("actions-1"))]

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self._wire.middleware("actions")])
        app.router.add_get("/.well-known/openid-configuration", self._discovery)
        app.router.add_get("/.well-known/jwks", self._jwks)
        return app

    def rotate_actions_key(self, *, forget: bool = False) -> None:
        """Sign with a new key from now on. `forget` also withdraws the old ones."""
        name = f"actions-{uuid.uuid4().hex[:8]}"
        self._keys = [(name, signing_key(name))] + ([] if forget else self._keys)

    def actions_token(
        self,
        repository: str,
        *,
        audience: str,
        environment: str | None = None,
        event: str = "push",
        ref: str = "refs/heads/main",
        sha: str | None = None,
        run_id: int | None = None,
        run_attempt: int = 1,
        workflow: str = ".github/workflows/build.yml",
        actor: str | None = None,
        claims: Mapping[str, Any] | None = None,
    ) -> Minted:
        """The ID token of a job. `claims` are laid over the rest; None removes one."""
        repo = self._scenario.repo(repository)
        whole = self._claims(repo, environment, event, ref, sha, run_id, run_attempt, workflow, actor)
        whole |= {"aud": audience, **(claims or {})}
        kept = {name: value for name, value in whole.items() if value is not None}
        kid, key = self._keys[0]
        return {"token": jwt.encode(kept, key, algorithm="RS256", headers={"kid": kid})}

    def _claims(
        self,
        repo: Repository,
        environment: str | None,
        event: str,
        ref: str,
        sha: str | None,
        run_id: int | None,
        run_attempt: int,
        workflow: str,
        actor: str | None,
    ) -> dict[str, Any]:
        state = self._scenario.github.state
        owner = state.users[repo.owner_id]
        person = owner if actor is None else self._scenario.person(actor)
        run = repo.runs.get(run_id or 0)
        commit = sha or (run.head_sha if run is not None else repo.branches[repo.default_branch])
        full_name, now = state.full_name(repo), int(state.clock())
        where = f"{full_name}/{workflow}@{ref}"
        context = f"environment:{environment}" if environment else f"ref:{ref}"
        return {
            "iss": self.url,
            "sub": f"repo:{owner.login}@{owner.id}/{repo.name}@{repo.id}:{context}",
            "iat": now,
            "nbf": now - 60,
            "exp": now + LIFETIME_S,
            "jti": str(uuid.uuid4()),
            "actor": person.login,
            "actor_id": str(person.id),
            "base_ref": "",
            "check_run_id": str(state.next_id()),
            "environment": environment,
            "event_name": event,
            "head_ref": "",
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
            "run_attempt": str(run_attempt if run is None else run.attempt),
            "run_id": str(run_id or state.next_id()),
            "run_number": str(1 if run is None else run.number),
            "runner_environment": "github-hosted",
            "sha": commit,
            "workflow": workflow.rpartition("/")[2].partition(".")[0],
            "workflow_ref": where,
            "workflow_sha": commit,
        }

    async def _discovery(self, _: web.Request) -> web.Response:
        return web.json_response(
            {
                "issuer": self.url,
                "jwks_uri": f"{self.url}/.well-known/jwks",
                "subject_types_supported": ["public", "pairwise"],
                "response_types_supported": ["id_token"],
                "claims_supported": ["sub", "aud", "exp", "iat", "iss", "jti", "nbf", "ref", "repository_id"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "scopes_supported": ["openid"],
            }
        )

    async def _jwks(self, _: web.Request) -> web.Response:
        keys = []
        for kid, key in self._keys:
            public = key.public_key().public_numbers()
            keys.append(
                {
                    "kty": "RSA",
                    "alg": "RS256",
                    "use": "sig",
                    "kid": kid,
                    "n": _base64url(public.n),
                    "e": _base64url(public.e),
                }
            )
        return web.json_response({"keys": keys})

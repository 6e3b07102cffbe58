"""The pretend GitLab as an OpenID issuer: the ID token that `id_tokens` puts into a job, for the audience it names.

After the vendor's page (https://docs.gitlab.com/ci/secrets/id_token_authentication), not seen live. Ids and truths are
strings, but for `runner_id`; `ref` has no prefix, `ref_path` has.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from bot.sim.issuers.mounted import MountedIssuers
from bot.sim.wire import Wire

LIFETIME_S = 3600


class GitLab(MountedIssuers):
    def __init__(self, wire: Wire, *, clock: Callable[[], float] = time.time) -> None:
        super().__init__(wire, "gitlab", jwks="/oauth/discovery/keys")
        self._clock = clock
        self._jobs = 300

    def issuer(self) -> str:
        return self._mount("")

    def rotate_key(self, *, forget: bool = False) -> str:
        return self._rotate("", forget)

    def fetches(self) -> int:
        """How often the keys were asked for, faults left out."""
        return self._fetched.get("", 0)

    def token(
        self,
        *,
        audience: str,
        sha: str,
        project_id: int = 20,
        project: str = "contoso/shop",
        namespace_id: int = 72,
        ref: str = "main",
        ref_type: str = "branch",
        ref_protected: bool = True,
        environment: str | None = None,
        environment_protected: bool = True,
        pipeline_id: int | None = None,
        pipeline_source: str = "push",
        user_id: int = 1,
        user: str = "ann",
        config: str = ".gitlab-ci.yml",
        claims: Mapping[str, Any] | None = None,
        headers: Mapping[str, Any] | None = None,
    ) -> dict[str, str]:
        """The job's token. `claims` and `headers` are laid over the rest; None removes one.

        In a merge request from a fork, `project_id` is the fork's and `job_project_id` is where the job runs.
        """
        now = int(self._clock())
        self._jobs += 2
        prefix = {"branch": "refs/heads/", "tag": "refs/tags/"}.get(ref_type, "refs/")
        whole = {
            "sub": f"project_path:{project}:ref_type:{ref_type}:ref:{ref}",
            "aud": audience,
            "jti": str(uuid.uuid4()),
            "iat": now,
            "nbf": now - 5,
            "exp": now + LIFETIME_S,
            **_project(project, project_id, namespace_id),
            **_user(user, user_id),
            "pipeline_id": str(pipeline_id or self._jobs),
            "pipeline_source": pipeline_source,
            "job_id": str(self._jobs + 1),
            **_ref(ref, ref_type, f"{prefix}{ref}", ref_protected),
            **({} if environment is None else _place(environment, environment_protected)),
            "runner_id": 1,
            "runner_environment": "gitlab-hosted",
            "sha": sha,
            "ci_config_sha": sha,
            "ci_config_ref_uri": f"{self.url.partition('://')[2]}/{project}//{config}@{prefix}{ref}",
        }
        return {"token": self._sign("", whole, over=claims, headers=headers)}


def _project(path: str, number: int, namespace_id: int) -> dict[str, str]:
    """Whose project it is, and, the same but for a fork's merge request, where the job runs."""
    one = {
        "namespace_id": str(namespace_id),
        "namespace_path": path.rpartition("/")[0],
        "project_id": str(number),
        "project_path": path,
    }
    return {**one, **{f"job_{name}": value for name, value in one.items()}, "project_visibility": "private"}


def _ref(name: str, kind: str, path: str, protected: bool) -> dict[str, str]:
    return {"ref": name, "ref_type": kind, "ref_path": path, "ref_protected": _truth(protected)}


def _user(login: str, number: int) -> dict[str, str]:
    return {
        "user_id": str(number),
        "user_login": login,
        "user_email": f"{login}@contoso.example",
        "user_access_level": "developer",
    }


def _place(environment: str, protected: bool) -> dict[str, str]:
    return {
        "environment": environment,
        "environment_protected": _truth(protected),
        "deployment_tier": environment,
        "environment_action": "start",
    }


def _truth(value: bool) -> str:
    return "true" if value else "false"

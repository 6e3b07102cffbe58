"""The pretend Azure DevOps as an OpenID issuer, one below each organisation's id, and the token of a pipeline's job.

After the vendor's pages (https://learn.microsoft.com/rest/api/azure/devops/distributedtask/oidctoken/create and
https://learn.microsoft.com/azure/devops/pipelines/release/configure-workload-identity), not seen live. The audience is
fixed: no job can ask for another.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from bot.sim.issuers.mounted import MountedIssuers
from bot.sim.wire import Wire

AUDIENCE = "api://AzureADTokenExchange"
ORGANISATION_ID = "0a9d0000-0000-4000-8000-000000000001"
PROJECT_ID = "0a9d0000-0000-4000-8000-000000000002"
REPOSITORY_ID = "0a9d0000-0000-4000-8000-000000000003"
LIFETIME_S = 600


class AzureDevOps(MountedIssuers):
    def __init__(self, wire: Wire, *, clock: Callable[[], float] = time.time) -> None:
        super().__init__(wire, "devops")
        self._clock = clock
        self._runs = 100

    def issuer(self, organisation_id: str = ORGANISATION_ID) -> str:
        """The URL of an organisation's issuer, which exists from now on."""
        return self._mount(f"/{organisation_id}")

    def rotate_key(self, organisation_id: str = ORGANISATION_ID, *, forget: bool = False) -> str:
        return self._rotate(f"/{organisation_id}", forget)

    def fetches(self, organisation_id: str = ORGANISATION_ID) -> int:
        """How often the keys were asked for, faults left out."""
        return self._fetched.get(f"/{organisation_id}", 0)

    def token(
        self,
        *,
        sha: str,
        organisation_id: str = ORGANISATION_ID,
        organisation: str = "contoso",
        project_id: str = PROJECT_ID,
        project: str = "shop",
        definition_id: int = 12,
        pipeline: str = "shop-ci",
        service_connection: str | None = None,
        repository_id: str = REPOSITORY_ID,
        repository_uri: str = "https://dev.azure.com/contoso/shop/_git/shop",
        ref: str = "refs/heads/main",
        run_id: int | None = None,
        claims: Mapping[str, Any] | None = None,
        headers: Mapping[str, Any] | None = None,
    ) -> dict[str, str]:
        """The job's token. Its subject names the pipeline, or the service connection that it was asked through.

        `claims` and `headers` are laid over the rest; None removes one. A pipeline that builds a GitHub repository has
        `owner/name` for its `repository_id`.
        """
        now = int(self._clock())
        self._runs += 1
        subject = f"p://{organisation}/{project}/{pipeline}"
        if service_connection is not None:
            subject = f"sc://{organisation}/{project}/{service_connection}"
        whole = {
            "sub": subject,
            "aud": AUDIENCE,
            "jti": str(uuid.uuid4()),
            "org_id": organisation_id,
            "prj_id": project_id,
            "def_id": str(definition_id),
            "rpo_id": repository_id,
            "rpo_uri": repository_uri,
            "rpo_ver": sha,
            "rpo_ref": ref,
            "run_id": str(run_id or self._runs),
            "iat": now,
            "nbf": now - LIFETIME_S,
            "exp": now + LIFETIME_S,
        }
        return {"token": self._sign(f"/{organisation_id}", whole, over=claims, headers=headers)}

"""A workflow at Miso's doors: its ID token from the pretend GitHub Actions, the exchange, and what the token opens.

Everything goes over loopback to the controller of the stage, as `curl` in a job would do it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from bot.domain.model import Row
from bot.services.notes import Note
from bot.sim import scenarios
from bot.sim.scenarios import APPLICATION_ID, REPOSITORY, SUBSCRIPTION_ID
from tests.flows.stage import Stage

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ID_TOKEN = "urn:ietf:params:oauth:token-type:id_token"


@dataclass(frozen=True)
class Answer:
    """What a door said."""

    status: int
    body: Any
    headers: Mapping[str, str]

    @property
    def code(self) -> str:
        return str(self.body.get("code", ""))

    def failing(self) -> list[str]:
        """Rules that stand in the way, by the codes that they give."""
        return [rule["code"] for rule in self.body["rules"] if rule["state"] in ("fail", "unknown")]


@dataclass
class Workflow:
    """Jobs of the shop's repository."""

    stage: Stage
    http: aiohttp.ClientSession
    tokens: list[str] = field(default_factory=list)
    """Every token that was ever at hand: what must be written down nowhere."""

    async def builds(self, title: str, *, mark: str = "healthy") -> Any:
        """A change is merged and its build has pushed the image, but not ended. Gives the pull request and `run`."""
        pull = await scenarios.merge_change(self.stage.sim, title)
        commit = pull["merge_commit_sha"]
        digest = await self.stage.sim.call("registry.push", repository="shop", tag=commit, text=f"shop at {commit}")
        await self.stage.sim.call("arm.mark", digest=digest, mark=mark)
        run = await self.stage.sim.run_workflow(REPOSITORY, head_sha=commit, conclusion=None)
        await self.stage.settle()
        return {**pull, "digest": digest, "run": run["id"]}

    async def starts(self, commit: str, *, path: str = ".github/workflows/deploy.yml", who: str = "ann") -> int:
        """A workflow of its own for a commit that was built before. Gives the run's id; it is under way."""
        run = await self.stage.sim.run_workflow(
            REPOSITORY, head_sha=commit, path=path, event="workflow_dispatch", actor=who, conclusion=None
        )
        await self.stage.settle()
        return int(run["id"])

    async def id_token(self, environment: str | None, run_id: int | None = None, **more: Any) -> str:
        """The ID token of a job of this run."""
        given = {"audience": self.stage.url, "environment": environment, "run_id": run_id, **more}
        repository = given.pop("repository", REPOSITORY)
        token = str((await self.stage.sim.actions_token(repository, **given))["token"])
        self.tokens.append(token)
        return token

    async def exchange(self, id_token: str, environment: str = "dev", **changes: Any) -> Answer:
        """`POST /oidc/token` for one of the shop's environments. `changes`: other fields; None leaves one out."""
        form = {
            "grant_type": EXCHANGE,
            "subject_token": id_token,
            "subject_token_type": ID_TOKEN,
            "application_id": APPLICATION_ID,
            "subscription_id": SUBSCRIPTION_ID,
            "environment_id": self.stage.environments[environment],
            **changes,
        }
        answer = await self.post("/oidc/token", {name: value for name, value in form.items() if value is not None})
        if answer.status == 200:
            self.tokens.append(answer.body["access_token"])
        return answer

    async def token(self, environment: str, run_id: int) -> str:
        """A deploy token; the test fails where none is given."""
        answer = await self.exchange(await self.id_token(environment, run_id), environment)
        assert answer.status == 200, answer.body
        return str(answer.body["access_token"])

    async def post(self, path: str, form: Mapping[str, str], *, token: str = "") -> Answer:
        return await self._ask("POST", path, token=token, data=dict(form))

    async def call(self, method: str, path: str, body: Any = None, *, token: str = "", **headers: str) -> Answer:
        """A question to the API."""
        return await self._ask(method, path, token=token, headers=headers, **({} if body is None else {"json": body}))

    async def promotes(self, token: str, environment: str = "dev", **more: Any) -> Answer:
        body = {"application_id": APPLICATION_ID, "environment_id": self.stage.environments[environment], **more}
        return await self.call("POST", "/api/v1/promotions", body, token=token)

    async def _ask(self, method: str, path: str, *, token: str, headers: Any = None, **more: Any) -> Answer:
        sent = {**(headers or {}), **({"Authorization": f"Bearer {token}"} if token else {})}
        async with self.http.request(method, f"{self.stage.url}{path}", headers=sent, **more) as answer:
            text = await answer.text()
            body = await answer.json(content_type=None) if text else {}
            return Answer(status=answer.status, body=body, headers=answer.headers)

    async def rows(self, *kinds: Note) -> list[Row]:
        """The ledger's rows about tokens."""
        return list(await self.stage.miso.store.ledger(kinds=kinds, limit=200))


@asynccontextmanager
async def working(stage: Stage) -> AsyncIterator[Workflow]:
    async with aiohttp.ClientSession() as http:
        yield Workflow(stage=stage, http=http)

"""A controller on the wire with something to win: a release in dev and test, and one that waits for production."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jwt

from bot.domain.model import Row
from bot.sim.scenarios import APPLICATION_ID, REPOSITORY, SUBSCRIPTION_ID
from tests.flows.signed_in import browses, signs_in
from tests.flows.stage import Stage, staged
from tests.flows.workflow import EXCHANGE, ID_TOKEN, Answer, Workflow, working
from tests.hostile.bytes import Headers, Reply, send
from tests.hostile.forge import Forge

FORM = ("Content-Type", "application/x-www-form-urlencoded")
JSON = ("Content-Type", "application/json")


@dataclass
class Ground:
    stage: Stage
    workflow: Workflow
    forge: Forge
    commit: str
    run: int
    stream: str
    """Of the request that waits for production."""
    deployed: str
    """Of what runs in dev."""
    token: str
    """A deploy token for dev."""
    other: str
    """A second one."""
    revoked: str
    ids: Mapping[str, str]
    """The three GUIDs for dev, as a form has them."""
    people: dict[str, str] = field(default_factory=dict)
    """Tokens of the command line, by login."""
    browsers: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return self.stage.url

    @property
    def secrets(self) -> list[str]:
        """What must stand nowhere."""
        cookies = [held["Cookie"].partition("=")[2] for held in self.browsers.values()]
        return [*self.workflow.tokens, *self.people.values(), *cookies]

    async def raw(self, line: str, *headers: tuple[str, str | bytes], body: bytes | str = b"", host: str = "") -> Reply:
        sent: Headers = headers
        return await send(self.url, line, sent, body.encode() if isinstance(body, str) else body, host=host)

    async def api(self, method: str, path: str, body: Any = None, *, token: str = "", **headers: str) -> Answer:
        return await self.workflow.call(method, f"/api/v1{path}", body, token=token, **headers)

    async def exchanges(self, **changes: Any) -> Answer:
        """An honest token of this very run, and a form with these changes."""
        return await self.workflow.exchange(await self.workflow.id_token("dev", self.run), "dev", **changes)

    def form(self, subject_token: str = "a.b.c", **more: str) -> dict[str, str]:
        return {
            "grant_type": EXCHANGE,
            "subject_token": subject_token,
            "subject_token_type": ID_TOKEN,
            **self.ids,
            **more,
        }

    def resigned(self, key: Any, algorithm: str, *, header: Mapping[str, Any] | None = None, **changes: Any) -> str:
        """The deploy token with other claims, signed by somebody else."""
        claims = {**jwt.decode(self.token, options={"verify_signature": False}), **changes}
        head = {**jwt.get_unverified_header(self.token), "alg": algorithm, **(header or {})}
        return self.forge.signed(head, claims, algorithm=algorithm, key=key)

    async def rows_since(self, position: int) -> list[Row]:
        found: list[Row] = []
        after = position
        while page := await self.stage.miso.store.ledger(after=after, limit=500):
            found += page
            after = page[-1].position
        return found


@asynccontextmanager
async def grounds(directory: Path, **settings: Any) -> AsyncIterator[Ground]:
    plenty: dict[str, Any] = {f"MISO_{kind}_REQUESTS_PER_MINUTE": "100000" for kind in ("TOKEN", "SIGN_IN", "API")}
    async with staged(directory, judged=False, **plenty, **settings) as stage, working(stage) as workflow:
        pull = await stage.ships("Add cart")
        await stage.says("bob", "/promote test", on=pull["number"])
        await stage.says("ann", "/promote production", on=pull["number"])
        commit = str(pull["merge_commit_sha"])
        run = await workflow.starts(commit)
        audience = settings.get("MISO_TOKEN_AUDIENCE", stage.url)
        token, other, revoked = [await _token(workflow, run, audience) for _ in range(3)]
        await workflow.post("/oidc/revoke", {"token": revoked})
        names = ("ann", "bob", "eve")
        yield Ground(
            stage=stage,
            workflow=workflow,
            forge=Forge.at(stage.world, REPOSITORY, audience=audience, environment="production", run_id=run),
            commit=commit,
            run=run,
            stream=(await stage.latest("production")).stream,
            deployed=(await stage.latest("dev")).stream,
            token=token,
            other=other,
            revoked=revoked,
            ids={
                "application_id": APPLICATION_ID,
                "subscription_id": SUBSCRIPTION_ID,
                "environment_id": stage.environments["dev"],
            },
            people={name: await signs_in(stage, name) for name in names},
            browsers={name: await browses(stage, name) for name in names},
        )


async def _token(workflow: Workflow, run: int, audience: str) -> str:
    answer = await workflow.exchange(await workflow.id_token("dev", run, audience=audience), "dev")
    assert answer.status == 200, answer.body
    return str(answer.body["access_token"])

"""A job of a workflow in the pretend GitHub Actions, and what it does at Miso's doors.

Used by the story. `deploys` runs the very script of `.github/actions/deploy`; the rest asks one question at a time, for
what the script would never do. It knows what a job knows: the two variables of the runner and public GUIDs.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from bot.cli.demo.people import Missed
from bot.sim.client import SimClient
from bot.sim.scenarios import APPLICATION_ID, PLACES, REPOSITORY, SUBSCRIPTION_ID

SCRIPT = Path(__file__).parents[3] / ".github" / "actions" / "deploy" / "deploy.sh"
"""In a checkout. What was installed as a package has no workflows, and asks by itself."""
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
SUBJECT_TYPE = "urn:ietf:params:oauth:token-type:id_token"
SECONDS = 60
GUIDS = {place.stage: place.id for place in PLACES}


@dataclass(frozen=True)
class Told:
    """An answer of Miso."""

    status: int
    body: Mapping[str, Any]

    @property
    def code(self) -> str:
        return str(self.body.get("code", ""))


@dataclass
class Job:
    """One job. `secrets`: every token that it ever held."""

    sim: SimClient
    miso: str
    http: aiohttp.ClientSession
    run: int
    secrets: set[str] = field(default_factory=set)

    async def deploys(self, place: str, directory: Path) -> str:
        """Everything that the action does. Gives how it stood at the end; raises Missed when it did not deploy."""
        if not SCRIPT.is_file() or not shutil.which("curl") or not shutil.which("bash"):
            return await self._deploys_by_hand(place)
        output, temporary = directory / f"{self.run}.output", directory / f"{self.run}.runner"
        temporary.mkdir(mode=0o700)
        output.touch()
        known = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        variables = {
            **known,
            **await self._runner(place),
            "GITHUB_OUTPUT": str(output),
            "RUNNER_TEMP": str(temporary),
            "MISO_URL": self.miso,
            "MISO_APPLICATION_ID": APPLICATION_ID,
            "MISO_SUBSCRIPTION_ID": SUBSCRIPTION_ID,
            "MISO_ENVIRONMENT_ID": GUIDS[place],
            "MISO_AUDIENCE": "",
            "MISO_WAIT": "true",
            "MISO_TIMEOUT": str(SECONDS),
        }
        child = await asyncio.create_subprocess_exec("bash", str(SCRIPT), env=variables, stdout=PIPE, stderr=STDOUT)
        told = (await child.communicate())[0].decode()
        self.secrets.update(re.findall(r"(?m)^::add-mask::(\S+)$", told))
        if child.returncode != 0:
            raise Missed(f"the action to deploy to {place}", re.sub(r"(?m)^::add-mask::.*$", "", told)[-800:])
        return dict(line.split("=", 1) for line in output.read_text().splitlines() if "=" in line)["status"]

    async def id_token(self, place: str | None) -> str:
        """As the runner gives it: https://docs.github.com/actions/reference/security/oidc"""
        runner = await self._runner(place)
        headers = {"Authorization": f"bearer {runner['ACTIONS_ID_TOKEN_REQUEST_TOKEN']}"}
        url = f"{runner['ACTIONS_ID_TOKEN_REQUEST_URL']}&audience={self.miso}"
        async with self.http.get(url, headers=headers) as answer:
            token = str((await answer.json())["value"])
        self.secrets.add(token)
        return token

    async def exchange(self, id_token: str, place: str) -> Told:
        """https://www.rfc-editor.org/rfc/rfc8693#section-2.1"""
        form = {
            "grant_type": EXCHANGE,
            "subject_token": id_token,
            "subject_token_type": SUBJECT_TYPE,
            "application_id": APPLICATION_ID,
            "subscription_id": SUBSCRIPTION_ID,
            "environment_id": GUIDS[place],
        }
        async with self.http.post(f"{self.miso}/oidc/token", data=form) as answer:
            told = Told(answer.status, await answer.json())
        self.secrets.update({str(told.body["access_token"])} if "access_token" in told.body else ())
        return told

    async def token(self, place: str) -> str:
        """A deploy token. Raises Missed when none was given."""
        told = await self.exchange(await self.id_token(place), place)
        if told.status != 200:
            raise Missed(f"a token for {place}", f"{told.status} {told.code}")
        return str(told.body["access_token"])

    async def asks(self, token: str, place: str) -> Told:
        """To deploy there with a token."""
        body = {"application_id": APPLICATION_ID, "environment_id": GUIDS[place]}
        headers = {"Authorization": f"Bearer {token}"}
        async with self.http.post(f"{self.miso}/api/v1/promotions", json=body, headers=headers) as answer:
            return Told(answer.status, await answer.json())

    async def looks(self, token: str, promotion: str, *, wait: int = 0) -> Told:
        """How a promotion stands."""
        headers, query = {"Authorization": f"Bearer {token}"}, f"?wait={wait}" if wait else ""
        async with self.http.get(f"{self.miso}/api/v1/promotions/{promotion}{query}", headers=headers) as answer:
            return Told(answer.status, await answer.json())

    async def _deploys_by_hand(self, place: str) -> str:
        token = await self.token(place)
        told = await self.asks(token, place)
        while told.body.get("open"):
            told = await self.looks(token, str(told.body["id"]), wait=20)
        if told.body.get("status") != "live":
            raise Missed(f"the workflow to deploy to {place}", f"{told.status} {told.code}")
        return str(told.body["status"])

    async def _runner(self, place: str | None) -> dict[str, str]:
        """What the runner puts into the job's environment."""
        given = await self.sim.actions_job(REPOSITORY, run_id=self.run, environment=place)
        return {
            "ACTIONS_ID_TOKEN_REQUEST_URL": given["ACTIONS_ID_TOKEN_REQUEST_URL"],
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": given["ACTIONS_ID_TOKEN_REQUEST_TOKEN"],
        }

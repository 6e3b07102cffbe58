"""`docs/tokens.md` is true: its curl is run as it stands there, and its tables name what there is."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from pathlib import Path

import jwt
import yaml

from bot.sim.scenarios import APPLICATION_ID, REPOSITORY, SUBSCRIPTION_ID
from tests.flows.stage import Stage
from tests.flows.workflow import working
from tests.sources import ROOT

PAGE = (ROOT / "docs" / "tokens.md").read_text("utf-8")


def block(kind: str, holding: str) -> str:
    [found] = [each for each in re.findall(rf"(?ms)^```{kind}\n(.*?)^```$", PAGE) if holding in each]
    return str(found)


async def test_the_curl_of_the_page_deploys(stage: Stage) -> None:
    async with working(stage) as workflow:
        built = await workflow.builds("Add cart")
        job = await stage.sim.actions_job(REPOSITORY, run_id=built["run"], environment="dev")
        process = await asyncio.create_subprocess_exec(
            *("bash", "-euo", "pipefail", "-c", block("bash", "subject_token=")),
            env={
                "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
                "MISO": stage.url,
                "MISO_APPLICATION_ID": APPLICATION_ID,
                "MISO_SUBSCRIPTION_ID": SUBSCRIPTION_ID,
                "MISO_ENVIRONMENT_ID": stage.environments["dev"],
                "ACTIONS_ID_TOKEN_REQUEST_URL": job["ACTIONS_ID_TOKEN_REQUEST_URL"],
                "ACTIONS_ID_TOKEN_REQUEST_TOKEN": job["ACTIONS_ID_TOKEN_REQUEST_TOKEN"],
            },
            stdout=asyncio.subprocess.PIPE,
        )
        said = (await process.communicate())[0].decode()
        assert process.returncode == 0, said
        asked = json.loads(said.splitlines()[-1])
        await stage.settle()
        assert asked["id"] == (await stage.latest("dev")).stream
        assert await stage.runs("dev") == built["digest"]


async def test_the_claims_are_those_of_the_page(stage: Stage) -> None:
    async with working(stage) as workflow:
        built = await workflow.builds("Add cart")
        token = await workflow.token("dev", built["run"])
        claims = jwt.decode(token, options={"verify_signature": False})
        table = PAGE.partition("| Claim | |")[2].partition("\n\n")[0]
        named = [row.split("|")[1] for row in table.splitlines() if row.startswith("| `")]
        assert {name for cell in named for name in re.findall(r"`(\w+)`", cell)} == set(claims)
        assert jwt.get_unverified_header(token)["typ"] == "at+jwt"


async def test_the_error_is_that_of_the_page(stage: Stage) -> None:
    async with working(stage) as workflow:
        pull = await stage.ships("Add cart")
        run = await workflow.starts(pull["merge_commit_sha"])
        no = await workflow.exchange(await workflow.id_token("production", run), "production")
        shown = json.loads(block("json", "no_decision"))
        assert {name: no.body[name] for name in shown if name != "rules"} == {
            name: value for name, value in shown.items() if name != "rules"
        }
        assert shown["rules"][0].keys() == no.body["rules"][0].keys()


def test_the_inputs_of_the_page_are_those_of_the_action() -> None:
    used = yaml.safe_load(block("yaml", "actions/deploy@").replace("…", ""))["jobs"]["deploy"]["steps"][0]["with"]
    action = yaml.safe_load((ROOT / ".github" / "actions" / "deploy" / "action.yml").read_text("utf-8"))
    assert set(used) == {name for name, each in action["inputs"].items() if each.get("required")}
    assert all(f"`{name}`" in PAGE for name in action["outputs"])

"""The composite action, by its very script: bash and curl against the runner's endpoint and a real controller."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.services.notes import Note
from bot.sim.scenarios import APPLICATION_ID, REPOSITORY, SUBSCRIPTION_ID
from tests.flows.stage import Stage
from tests.flows.workflow import Workflow, working
from tests.sources import ROOT

ACTION = ROOT / ".github" / "actions" / "deploy"
WORKFLOW = ROOT / ".github" / "workflows" / "deploy.yml"


@pytest.fixture
async def workflow(stage: Stage) -> AsyncIterator[Workflow]:
    async with working(stage) as ready:
        yield ready


@dataclass(frozen=True)
class Ran:
    """What a step left behind."""

    code: int
    log: str
    outputs: Mapping[str, str]

    def masked(self) -> list[str]:
        return re.findall(r"(?m)^::add-mask::(\S+)$", self.log)


async def step(
    workflow: Workflow,
    directory: Path,
    place: str,
    run_id: int,
    inputs: Mapping[str, str] | None = None,
    *,
    first: Callable[[], Awaitable[bool]] | None = None,
) -> Ran:
    """The action's one step in a job of this run, while the controller does its work, once `first` is so."""
    stage = workflow.stage
    job = await stage.sim.actions_job(REPOSITORY, run_id=run_id, environment=place)
    output, temporary = directory / "output", directory / "temporary"
    output.write_text("")
    temporary.mkdir(exist_ok=True)
    given = {
        "miso-url": stage.url,
        "application-id": APPLICATION_ID,
        "subscription-id": SUBSCRIPTION_ID,
        "environment-id": stage.environments[place],
        **(inputs or {}),
    }
    variables = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "GITHUB_OUTPUT": str(output),
        "RUNNER_TEMP": str(temporary),
        "ACTIONS_ID_TOKEN_REQUEST_URL": job["ACTIONS_ID_TOKEN_REQUEST_URL"],
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": job["ACTIONS_ID_TOKEN_REQUEST_TOKEN"],
    }
    [declared] = action()["runs"]["steps"]
    for name, value in declared["env"].items():
        variables[name] = _expression(value, given)
    process = await asyncio.create_subprocess_exec(
        *("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", declared["run"]),
        env=variables,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    telling = asyncio.ensure_future(process.communicate())
    while not telling.done():
        if first is None or await first():
            first = None
            await stage.settle()
        await asyncio.wait([telling], timeout=0.05)
    said = telling.result()[0].decode()
    assert list(temporary.iterdir()) == [], "nothing is left behind"
    lines = (line.partition("=") for line in output.read_text().splitlines())
    return Ran(code=process.returncode or 0, log=said, outputs={name: value for name, _, value in lines})


def action() -> Any:
    return yaml.safe_load((ACTION / "action.yml").read_text("utf-8"))


def _expression(text: str, given: Mapping[str, str]) -> str:
    """As the runner fills in what stands in `env`."""
    found = re.fullmatch(r"\$\{\{ (?:inputs\.([a-z-]+)|github\.action_path) \}\}", text)
    assert found is not None, text
    if found[1] is None:
        return str(ACTION)
    declared = action()["inputs"][found[1]]
    return given.get(found[1], str(declared.get("default", "")))


async def test_a_job_builds_and_deploys_itself(workflow: Workflow, tmp_path: Path) -> None:
    built = await workflow.builds("Add cart")
    ran = await step(workflow, tmp_path, "dev", built["run"])
    assert ran.code == 0, ran.log
    latest = await workflow.stage.latest("dev")
    assert dict(ran.outputs) == {"promotion": latest.stream, "status": "live", "url": ran.outputs["url"]}
    assert ran.outputs["url"].startswith("http://contoso-shop-dev.")
    assert await workflow.stage.runs("dev") == built["digest"]
    tokens = ran.masked()
    assert len(tokens) == 2
    unmasked = re.sub(r"(?m)^::add-mask::.*$", "", ran.log)
    assert not [token for token in tokens if token in unmasked]
    assert "> Live and healthy" in ran.log


async def test_what_stands_in_the_way_is_told_rule_by_rule(workflow: Workflow, tmp_path: Path) -> None:
    stage = workflow.stage
    pull = await stage.ships("Add cart")
    run = await workflow.starts(pull["merge_commit_sha"])
    ran = await step(workflow, tmp_path, "production", run)
    assert ran.code == 1
    assert "::error title=Miso::Miso gave no token: no_decision" in ran.log
    assert "✗" in ran.log
    assert "(not_verified_before)" in ran.log
    assert "> Ask for it with /promote production on the pull request" in ran.log
    assert ran.outputs == {}


async def test_what_does_not_become_healthy_fails_the_step(workflow: Workflow, tmp_path: Path) -> None:
    await workflow.stage.ships("First")
    built = await workflow.builds("Add cart", mark="unhealthy")
    ran = await step(workflow, tmp_path, "dev", built["run"])
    assert ran.code == 1
    assert ran.outputs["status"] == "rolled_back"
    assert "::error title=Miso::It is not live" in ran.log


async def test_a_token_that_runs_out_meanwhile_is_replaced(workflow: Workflow, tmp_path: Path) -> None:
    stage, built = workflow.stage, await workflow.builds("Add cart")

    async def asks_how_it_stands() -> bool:
        if len(await workflow.rows(Note.TOKEN_USED)) < 2:
            return False
        stage.clock.pass_(700)
        return True

    ran = await step(workflow, tmp_path, "dev", built["run"], first=asks_how_it_stands)
    assert ran.code == 0, ran.log
    assert len(await workflow.rows(Note.TOKEN_ISSUED)) == 2
    assert ran.outputs["status"] == "live"


async def test_without_waiting_it_ends_when_it_was_taken(workflow: Workflow, tmp_path: Path) -> None:
    built = await workflow.builds("Add cart")
    ran = await step(workflow, tmp_path, "dev", built["run"], {"wait": "false"})
    assert (ran.code, ran.outputs["promotion"][:10]) == (0, "promotion-")


@pytest.mark.parametrize(
    ("inputs", "told"),
    [
        ({"miso-url": "http://miso.example.com"}, "miso-url must be an https address."),
        ({"miso-url": "https://x.example.com'; touch pwned; '"}, "miso-url must be an https address."),
        ({"timeout": "$(touch pwned)"}, "timeout must be a number of seconds."),
        ({"environment-id": '"; touch pwned; "$(touch pwned)`touch pwned`'}, "request_malformed"),
    ],
)
async def test_an_input_is_never_more_than_text(
    workflow: Workflow, tmp_path: Path, inputs: dict[str, str], told: str
) -> None:
    built = await workflow.builds("Add cart")
    ran = await step(workflow, tmp_path, "dev", built["run"], inputs)
    assert ran.code == 1
    assert told in ran.log
    assert not list(Path.cwd().glob("pwned"))


def test_no_expression_stands_where_a_shell_would_run_it() -> None:
    for steps in (action()["runs"]["steps"], yaml.safe_load(WORKFLOW.read_text("utf-8"))["jobs"]["deploy"]["steps"]):
        assert all("${{" not in each["run"] for each in steps)
    assert "${{" not in (ACTION / "deploy.sh").read_text("utf-8")


def test_the_reusable_workflow_is_the_action_and_nothing_else() -> None:
    whole = yaml.safe_load(WORKFLOW.read_text("utf-8"))
    job = whole["jobs"]["deploy"]
    assert whole["permissions"] == {}
    assert job["permissions"] == {"id-token": "write"}
    assert job["environment"]["name"] == "${{ inputs.environment }}"
    [only] = job["steps"]
    assert only["run"] == (ACTION / "deploy.sh").read_text("utf-8")
    assert set(only["env"]) == set(action()["runs"]["steps"][0]["env"]) - {"MISO_ACTION"}

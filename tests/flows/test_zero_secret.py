"""Rule 17, held over whole stories: no secret stands anywhere but with whom it is for.

First a working day in which every kind of credential there is gets used, then a day on which people and providers put
tokens where none belong. Each time every byte on disk, every log line, every request of ours and, where it is not the
answer that hands a token out, everything that our doors say is searched while the controller still runs.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import io
import json
import re
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.cli.demo.browser import Browser, browsing
from bot.domain.model import Status
from bot.sim.scenarios import APPLICATION_ID, PLACES, REPOSITORY
from tests.flows.searching import Day, Places, day, json_in_base64, logged
from tests.flows.words import live, waiting


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    with logged() as stream:
        yield stream


async def signs_in(today: Day, browser: Browser, on: int) -> None:
    """In the browser, then the command line by a code, then the account on GitHub."""
    page = await browser.open("/account")
    secrets = today.secrets
    begun = (await today.workflow.post("/oidc/device_authorization", {"client_id": "miso-cli"})).body
    secrets.add("device codes", begun["device_code"], begun["user_code"], begun["user_code"].replace("-", ""))
    page = await browser.press(await browser.open("/device"), "Go on", code=begun["user_code"])
    assert (await browser.press(page, "Yes, let it")).heading == "The command line is signed in"
    page = await browser.press(await browser.open("/account"), "Get a code")
    [code] = re.findall(r"/link ([A-Z-]+)", page.text)
    secrets.add("link codes", code, code.replace("-", ""))
    secrets.add("sessions", *(cookie.value for cookie in browser.http.cookie_jar if cookie.key == "miso"))
    secrets.add("forms", *(form.fields["csrf"] for form in page.forms if "csrf" in form.fields))
    await today.stage.says(browser.person, f"/link {code}", on=on)
    today.stage.clock.pass_(10)
    form = {
        "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
        "device_code": begun["device_code"],
        "client_id": "miso-cli",
    }
    given = (await today.workflow.post("/oidc/token", form)).body
    form = {"grant_type": "refresh_token", "refresh_token": given["refresh_token"], "client_id": "miso-cli"}
    renewed = (await today.workflow.post("/oidc/token", form)).body
    for tokens in (given, renewed):
        secrets.add("tokens of people", tokens["access_token"], tokens["refresh_token"])
    shown = (await browser.open("/account")).text
    today.said.append(re.sub(r'name="csrf" value="[^"]*"', "", shown))


async def works(today: Day, browser: Browser) -> None:
    """What a company does in a day, some of it on bad lines."""
    stage, workflow = today.stage, today.workflow
    await live(stage, "Good")
    await stage.sim.add_fault("^github (POST|GET) .*/(check-runs|permission)", "drop", times=3)
    await stage.sim.add_fault("^arm PUT", "act_then_drop", times=1)
    await stage.sim.add_fault("^entra ", "status", status=500, times=1)
    bad = await waiting(stage, "Bad", mark="production_only")
    await stage.says("bob", "/approve", on=bad["number"])
    run = await stage.sim.run_workflow(REPOSITORY, path=".github/workflows/d.yml", conclusion=None)
    await stage.sim.request_gate(REPOSITORY, run["id"], "production")
    await stage.settle()
    await stage.sim.clear_faults()
    built = await workflow.builds("Add cart")
    token = await workflow.token("dev", built["run"])
    assert (await workflow.promotes(token)).status == 202
    again = await workflow.exchange(workflow.tokens[0])
    assert again.code == "token_replayed"
    await workflow.post("/oidc/introspect", {"token": token}, token=token)
    await workflow.post("/oidc/revoke", {"token": token}, token=token)
    assert await today.asks("GET", "/api/v1/me", token=token) == 401
    await signs_in(today, browser, bad["number"])
    [person] = [value for value in today.secrets.found["tokens of people"] if value.startswith("misoa_")][-1:]
    await today.asks("GET", "/api/v1/me", token=person)
    await today.asks("GET", "/api/v1/tokens", token=person)
    await stage.settle()


@pytest.mark.full
async def test_rule_17_after_a_working_day_no_credential_stands_where_it_does_not_belong(
    tmp_path: Path, log: io.StringIO
) -> None:
    async with day(tmp_path) as today:
        here = today.stage.world.addresses
        async with browsing("ann", today.stage.url, here.ca_file) as browser:
            await works(today, browser)
        secrets = today.gather()
        kinds = {
            *("webhook secret", "keys", "GitHub credentials", "installation tokens", "Azure tokens", "continuations"),
            *("sign-in and federation", "given by Entra", "tokens of workflows", "tokens of people"),
            *("device codes", "link codes", "sessions", "forms"),
        }
        assert {kind for kind, values in secrets.items() if values} == kinds
        now = Places.read(today.stage, log, today.said)
        assert now.holding(secrets) == []
    then = Places.read(today.stage, log)
    for places in (now, then):
        for place, text in places.texts.items():
            assert "PRIVATE KEY" not in text, place
            assert not re.search(r"gh[pousr]_[A-Za-z0-9]{16}|misoa_|misor_", text), place
            assert not json_in_base64(text), place
    assert then.holding(secrets) == []
    assert all(len(now.texts[place]) > 1000 for place in ("miso.sqlite on disk", "the log", "what was sent"))


# --- tokens where none belong ----------------------------------------------------------------------------------------

LETTERS = st.text("ABCDEFGHJKLMNPQRSTUVWXYZabcdefghjkmnpqrstuvwxyz23456789", min_size=43, max_size=60)
FORMS = {
    "an installation token": "ghs_{}",
    "a personal token": "ghp_{}",
    "a fine-grained token": "github_pat_{}",
    "a stateless token": "ghs_4242_eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiI0MjQyIn0.{}",
    "a JWT": "eyJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJodHRwczovL21hbmFnZW1lbnQuYXp1cmUuY29tLyJ9.{}",
    "an access token of ours": "misoa_{}",
    "a refresh token of ours": "misor_{}",
}
PLANTED = st.fixed_dictionaries(dict.fromkeys(FORMS, LETTERS))


COMMANDS = (
    "/promote {}",
    "/promote test {}",
    "/{}",
    "/promot {}",
    "/link {}",
    "/approve @{}",
    "/lock dev for {} because",
    "/lock dev for 1h it leaked: {}",
    "/unlock dev {}",
    "/promote dev --break-glass because of {}",
    "/why {}",
    "/clear @@ {}",
    "/rollback production {}",
)


async def comments(today: Day, planted: list[str]) -> None:
    """In every place of a command, by who may and who may not."""
    stage = today.stage
    pull = await waiting(stage, f"Rotate {planted[0]}")
    for number, command in enumerate(COMMANDS):
        text = command.replace("@@", f"@{pull['merge_commit_sha'][:12]}").format(planted[number % len(planted)])
        await stage.says(("ann", "olga", "eve")[number % 3], text, on=pull["number"])
    await stage.says("bob", f"/reject production it holds {planted[0]}", on=pull["number"])


async def repository(today: Day, planted: list[str]) -> None:
    """In what the repository says of itself."""
    stage = today.stage
    for secret in planted[:3]:
        config = f"image: {secret}\n{secret}: 1\nhealth: {secret}\n"
        await stage.sim.open_pull_request(REPOSITORY, "ann", f"Use {secret}", {".github/miso.yml": config})
        await stage.settle()
    await stage.sim.set_environment_variable(REPOSITORY, "dev", "MISO_ENVIRONMENT_ID", planted[3])
    await stage.ships(f"Rotate {planted[4]}")
    await stage.sim.set_environment_variable(REPOSITORY, "dev", "MISO_ENVIRONMENT_ID", PLACES[0].id)


async def providers(today: Day, planted: list[str]) -> None:
    """In what others say when something goes wrong."""
    stage = today.stage
    for number, secret in enumerate(planted[:4]):
        arm = {"error": {"code": "Conflict", "message": f"Authorization: Bearer {secret} is not good"}}
        entra = {"error": "invalid_client", "error_description": f"AADSTS700016: {secret}", "error_codes": [700016]}
        await stage.sim.add_fault("^arm (PUT|POST)", "status", status=409 if number % 2 else 403, body=arm, times=2)
        await stage.sim.add_fault("^entra ", "status", status=401, body=entra, times=1)
        await stage.sim.add_fault("^registry ", "status", status=500, body={"errors": [{"message": secret}]}, times=1)
        await stage.sim.add_fault("^github .*check-runs", "status", status=422, body={"message": secret}, times=2)
        await stage.ships(f"Change {number}")
        stage.clock.pass_(400)
        await stage.settle()
        await stage.sim.clear_faults()


async def doors(today: Day, planted: list[str]) -> None:
    """In every field and header of every door."""
    stage, workflow = today.stage, today.workflow
    pull = await waiting(stage, "Shopping list")
    async with browsing("bob", stage.url, stage.world.addresses.ca_file) as browser:
        await signs_in(today, browser, pull["number"])
    person = max(token for token in today.secrets.found["tokens of people"] if token.startswith("misoa_"))
    waits = (await stage.latest("production")).stream
    wanted = {"application_id": APPLICATION_ID, "environment_id": stage.environments["dev"]}
    for secret in planted:
        for token in (secret, workflow.tokens[-1], person):
            urgent = {**wanted, "break_glass": True, "commit": pull["merge_commit_sha"], "reason": secret}
            await today.asks("POST", "/api/v1/promotions", token=token, json=urgent)
            await today.asks("POST", "/api/v1/promotions", token=token, json={**wanted, secret: secret})
            await today.asks("GET", f"/api/v1/promotions/{secret}", token=token)
            await today.asks("POST", f"/api/v1/promotions/{waits}/reject", token=token, json={"reason": secret})
        for grant in ("urn:ietf:params:oauth:grant-type:token-exchange", "refresh_token", secret):
            form = dict.fromkeys(("subject_token", "refresh_token", "scope", "audience", "application_id"), secret)
            await today.asks("POST", "/oidc/token", data={"grant_type": grant, **form})
        for path in ("/oidc/introspect", "/oidc/revoke", "/oidc/device_authorization", "/device", "/sign-out"):
            await today.asks("POST", path, data={"token": secret, "client_id": secret, "user_code": secret})
        for path in ("sign-in/callback?code={0}&state={0}", "sign-in/callback?error={0}&error_description={0}"):
            await today.asks("GET", f"/{path.format(secret)}", headers={"Cookie": f"miso={secret}"})
        for path in ("sign-in?to=/{0}", "device?user_code={0}", "account?{0}", "{0}", ".well-known/{0}"):
            headers = {"Cookie": f"__Host-miso={secret}", "Referer": f"http://x/{secret}", "User-Agent": secret}
            await today.asks("GET", f"/{path.format(secret)}", headers=headers)
    assert (await stage.latest("production")).status is Status.REJECTED, "somebody was heard"


async def webhooks(today: Day, planted: list[str]) -> None:
    """In signed bodies that lead nowhere, in headers, and in what is not signed at all."""
    stage = today.stage
    key = stage.world.addresses.webhook_secret.encode()
    for number, secret in enumerate(planted):
        for event, body in (
            ("issue_comment", {"action": "created", "comment": {"body": secret}}),
            ("star", {"action": "created", "sender": {"login": secret}}),
            ("workflow_run", {"action": "completed", "workflow_run": secret, "repository": secret}),
        ):
            raw = json.dumps(body).encode()
            signature = "sha256=" + hmac.new(key, raw, hashlib.sha256).hexdigest()
            for proof, guid in ((signature, f"{number:08}-{event}"), (secret, "unsigned"), (signature, secret)):
                sent = {"X-GitHub-Event": event, "X-GitHub-Delivery": guid, "X-Hub-Signature-256": proof}
                sent["Content-Type"] = "application/json"
                await today.asks("POST", "/github/webhooks", data=raw, headers=sent)
    await stage.settle()


Plant = Callable[[Day, list[str]], Awaitable[None]]


async def found(directory: Path, log: io.StringIO, plant: Plant, cores: dict[str, str]) -> list[str]:
    """Where what was planted stands afterwards."""
    async with day(directory) as today:
        built = await today.workflow.builds("First")
        await today.workflow.token("dev", built["run"])
        await plant(today, [FORMS[name].format(core) for name, core in cores.items()])
        # The random part alone, so that a cut or a changed prefix hides nothing.
        parts = {name: [core[:24], core[-24:]] for name, core in cores.items()}
        return Places.read(today.stage, log, today.said).holding(parts)


@pytest.mark.parametrize(
    "plant",
    [repository, webhooks, comments, providers, doors],
    ids=lambda each: each.__name__,
)
async def test_rule_17_a_token_that_is_put_where_none_belongs_is_neither_kept_nor_repeated(
    tmp_path: Path, log: io.StringIO, plant: Plant
) -> None:
    cores = {name: hashlib.sha256(name.encode()).hexdigest()[:48] for name in FORMS}
    assert await found(tmp_path, log, plant, cores) == []


@pytest.mark.full
@settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
@given(PLANTED, st.sampled_from([comments, repository, providers, doors, webhooks]))
def test_rule_17_whatever_the_token_looks_like(cores: dict[str, str], plant: Plant) -> None:
    with tempfile.TemporaryDirectory() as directory, logged() as log:
        assert asyncio.run(found(Path(directory), log, plant, cores)) == []

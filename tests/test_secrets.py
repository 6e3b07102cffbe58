"""Rules 17 and 35: whole stories are lived, and no secret stands anywhere but in the request that needs it.

The secrets are those that really were used: keys and settings, and every token that was given out on the wire.
"""

from __future__ import annotations

import io
import json
import logging
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from bot import telemetry
from bot.domain.permissions import JOBS
from bot.sim.scenarios import REPOSITORY
from bot.sim.wire import Exchange
from tests.flows.stage import Stage, staged
from tests.flows.words import live, waiting


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Everything that this process logs at debug level, through the formatter of the controller."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    telemetry.configure(level="debug", form="json", stream=stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)


def bearer(exchange: Exchange) -> str:
    return exchange.request_headers.get("authorization", "").partition(" ")[2]


def given_out(stage: Stage, data: Path) -> dict[str, set[str]]:
    """Every secret of the story, by what it is."""
    found: dict[str, set[str]] = {
        "webhook secret": {stage.world.addresses.webhook_secret},
        "keys": set(),
        "installation tokens": set(),
        "App tokens": set(),
        "Azure tokens": set(),
        "assertions": set(),
        "continuations": set(),
    }
    key_files = [Path(stage.world.addresses.app_key_file), *sorted((data / "keys").rglob("*"))]
    for file in key_files:
        if file.is_file():
            lines = file.read_text(errors="ignore").splitlines()
            found["keys"] |= {line.strip() for line in lines if len(line.strip()) >= 60 and "-----" not in line}
    for exchange in stage.world.wire.exchanges:
        if exchange.server == "github" and "/access_tokens" in exchange.path:
            found["App tokens"].add(bearer(exchange))
            if exchange.status == 201:
                found["installation tokens"].add(exchange.response_json()["token"])
        if exchange.server == "entra" and exchange.method == "POST":
            found["assertions"] |= set(parse_qs(exchange.request_body.decode())["client_assertion"])
            found["Azure tokens"].add(exchange.response_json()["access_token"])
        if exchange.server == "arm":
            links = (exchange.response_headers.get(name, "") for name in ("location", "azure-asyncoperation"))
            # ARM signs these addresses in their query; without it the path is no secret.
            found["continuations"] |= {link for link in links if link}
    return found


def places(stage: Stage, data: Path, log: io.StringIO, state: Any) -> dict[str, str]:
    """Where nothing secret may stand: by name, as text."""
    files = {p.name: p.read_bytes() for p in data.iterdir() if p.is_file()}
    sent = [e for e in stage.world.wire.exchanges if e.server in ("github", "arm", "registry")]
    return {
        "the database": "\n".join(content.decode("latin-1") for content in files.values()),
        "the log": log.getvalue(),
        "what GitHub shows": json.dumps(state),
        "bodies and addresses of requests": "\n".join(
            f"{e.path}?{e.query} {e.request_body.decode('latin-1')}" for e in sent
        ),
    }


async def test_rule_17_no_secret_stands_anywhere_after_a_whole_story(tmp_path: Path, log: io.StringIO) -> None:
    async with staged(tmp_path) as stage:
        await live(stage, "Good")
        await stage.sim.add_fault("^github (POST|GET) .*/(check-runs|permission)", "drop", times=3)
        await stage.sim.add_fault("^arm PUT", "act_then_drop", times=1)
        await stage.sim.add_fault("^entra ", "status", status=500, times=1)
        bad = await waiting(stage, "Bad", mark="production_only")
        await stage.says("bob", "/approve", on=bad["number"])
        run = await stage.sim.run_workflow(REPOSITORY, path=".github/workflows/d.yml", conclusion=None)
        await stage.sim.request_gate(REPOSITORY, run["id"], "production")
        await stage.settle()
        secrets = given_out(stage, tmp_path / "data")
        assert all(secrets.values()), {kind: len(values) for kind, values in secrets.items()}
        assert all(token.startswith("ghs_") for token in secrets["installation tokens"])
        state = await stage.state()
    # After the end: while it runs, SQLite's log of changes still holds what was deleted a moment ago.
    for place, text in places(stage, tmp_path / "data", log, state).items():
        assert len(text) > 1000, f"{place} was not read"
        for kind, values in secrets.items():
            for value in values:
                assert value not in text, f"{kind} in {place}"
        assert "PRIVATE KEY" not in text, place
        assert not re.search(r"\bgh[pousr]_[A-Za-z0-9]{16}", text), place
        # A JWT, or a continuation token of the SDK: base64 of a JSON object.
        assert not re.search(r"\beyJ[A-Za-z0-9_+/=.-]{100}", text), place


async def test_rule_17_each_credential_is_shown_to_its_own_side_alone(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        await live(stage, "Good")
        secrets = given_out(stage, tmp_path / "data")
        sides = {"installation tokens": "github", "App tokens": "github", "Azure tokens": "arm"}
        for kind, side in sides.items():
            shown = {e.server for e in stage.world.wire.exchanges if bearer(e) in secrets[kind]}
            assert shown == {side}, kind
        for exchange in stage.world.wire.exchanges:
            if exchange.server in ("apps_http", "apps_https", "registry"):
                assert "authorization" not in exchange.request_headers or not any(
                    bearer(exchange) in values for values in secrets.values()
                )


async def test_rule_17_a_planted_token_does_not_reach_a_log(log: io.StringIO) -> None:
    """Every form, in a message, a value, an exception and a library's line."""
    jwt = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiI0MjQyIn0.c2lnbmF0dXJlLWJ5dGVzLW9mLXRoZS1rZXk"
    forms = [
        "ghs_" + "16C7e42F292c6912E7710c838347Ae178B4a",
        f"ghs_4242_{jwt}",
        "github_pat_11ABCDEFG0abcdefghijkl_mnopqrstuvwxyz0123456789",
        jwt,
    ]
    for form in forms:
        telemetry.logger("planted").warning("event", value=form, nested={"deep": [form]})
        logging.getLogger("library").debug("GET https://example.com/?access_token=%s", form)
        try:
            raise RuntimeError(f"Authorization: Bearer {form}")
        except RuntimeError:
            logging.getLogger("library").exception("failed with %s", form)
    written = log.getvalue()
    assert written.count("planted") >= len(forms)
    for form in forms:
        assert form not in written
        assert form[-20:] not in written


async def test_rule_35_each_token_is_for_one_repository_and_one_job_and_is_used_for_its_hour(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        await live(stage, "Good")
        asked = [e for e in stage.world.wire.exchanges if e.server == "github" and re.search("/access_tokens$", e.path)]
        jobs = [dict(job) for job in JOBS.values()]
        minted: Counter[str] = Counter()
        for exchange in asked:
            body = exchange.request_json()
            assert body["repository_ids"] == [stage.shop.repository_id]
            assert body["permissions"] in jobs
            minted[json.dumps(body, sort_keys=True)] += 1
        # The story took a few minutes: one token for each job that was done, two jobs in all.
        assert set(minted.values()) == {1}
        assert len(minted) == 2
        tokens = {e.response_json()["token"] for e in asked}
    ended = [e for e in stage.world.wire.exchanges if (e.method, e.path) == ("DELETE", "/installation/token")]
    assert {bearer(e) for e in ended} == tokens, "handed back when the controller stops"


async def test_rule_35_tokens_end_with_the_installation(tmp_path: Path) -> None:
    async with staged(tmp_path, judged=False) as stage:
        pull = await stage.ships("Before")
        await stage.sim.suspend("contoso")
        await stage.settle()
        before = len(stage.world.wire.exchanges)
        await stage.sim.comment(REPOSITORY, pull["number"], "ann", "/promote test")
        await stage.settle()
        later = stage.world.wire.exchanges[before:]
        assert not [e for e in later if e.server == "github" and e.method != "GET" and e.status < 300]
        assert await stage.runs("test") == ""

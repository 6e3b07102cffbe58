"""Logs: one form for every library, ids on every line, and no token on any (rule 17)."""

from __future__ import annotations

import io
import json
import logging
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from bot import telemetry

# Built here, so that no scanner takes this file for a leak.
INSTALLATION = "ghs_" + "a1B2" * 9
STATELESS = "ghs_" + "12345_" + "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJnaXRodWIifQ." + "Zm9v_-" * 40
PERSONAL = "github_pat_" + "A1b2C3" * 10
JWT = "eyJhbGciOiJSUzI1NiIsImtpZCI6IjEifQ.eyJzdWIiOiJtaXNvOmVudjoxIn0." + "c2ln" * 20
PEM = (
    ec.generate_private_key(ec.SECP256R1())
    .private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    .decode()
)
SECRET = 'a "quoted" secret\\with ünïcode'
BEARER = "Bearer " + "opaque~token/" * 3 + "=="
CONTINUATION = "eyJ" + "abcDEF123+/" * 30 + "=="
PLANTED = (INSTALLATION, STATELESS, PERSONAL, JWT, PEM, SECRET, BEARER, CONTINUATION)


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Logging is of the whole process: give the next test what was there."""
    root, hooks = logging.getLogger(), (sys.excepthook, threading.excepthook)
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    sys.excepthook, threading.excepthook = hooks
    logging.captureWarnings(False)
    structlog.reset_defaults()


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def configured(form: telemetry.Format = "json", level: telemetry.Level = "debug") -> io.StringIO:
    stream = io.StringIO()
    telemetry.configure(level=level, form=form, stream=stream)
    return stream


def leak(value: str) -> None:
    """Say it in every way that code of ours or of a library could."""
    log = telemetry.logger("bot.leaky")
    log.info("kept as a value", token=value, deep={"headers": [("Authorization", value)]}, raw=value.encode())
    log.info(f"in the event {value}")
    log.warning("by position %s", value)
    logging.getLogger("azure.identity").warning("Authorization: %s", value)
    logging.getLogger("aiohttp.client").error("header %r", {"x": value})
    logging.getLogger("gidgethub").critical("extra", extra={"body": value})
    with telemetry.context(request_id=value):
        log.info("as an id")
    try:
        raise RuntimeError(f"refused {value}")
    except RuntimeError as fault:
        log.exception("with a traceback")
        logging.getLogger("asyncio").error("from the loop", exc_info=fault)
        telemetry_hook = sys.excepthook
        telemetry_hook(type(fault), fault, fault.__traceback__)


@pytest.mark.parametrize("form", ["json", "console"])
@pytest.mark.parametrize("value", PLANTED, ids=range(len(PLANTED)))
def test_rule_17_no_planted_token_reaches_a_log(form: telemetry.Format, value: str) -> None:
    telemetry.hide(SECRET)
    stream = configured(form)
    leak(value)
    text = stream.getvalue()
    assert text.count(telemetry.HIDDEN) >= 10
    parts = PEM.splitlines()[1:-1] if value == PEM else [value, value.removeprefix("ghs_"), value[-20:]]
    for part in parts:
        assert part not in text
        assert json.dumps(part)[1:-1] not in text
    assert "quoted" not in text
    if form == "json":
        assert len(lines(stream)) >= 10


@pytest.mark.parametrize("cut", [60, 120, 180])
def test_rule_17_a_key_that_was_cut_off_is_hidden(cut: int) -> None:
    hidden = telemetry.redact(f"bad key: {PEM[:cut]}")
    assert hidden == f"bad key: {telemetry.HIDDEN}"


def test_rule_17_a_secret_in_an_address_is_hidden() -> None:
    told = telemetry.redact("GET https://x.example/a?api-version=1&sig=abcdefgh%3D&code=12345678&d=e")
    assert told == "GET https://x.example/a?api-version=1&sig=[hidden]&code=[hidden]&d=e"


def test_short_values_are_not_hidden_one_by_one() -> None:
    telemetry.hide("deploy")
    assert telemetry.redact("deploy started") == "deploy started"


@pytest.mark.parametrize(
    "text",
    [
        "promotion 0b7c1c1e-7f6a-4d0e-9a53-0a7d3c1f2b10 of sha256:" + "ab" * 32,
        "commit " + "0123456789" * 4,
        "https://shop.azurewebsites.net/healthz?code=200",
        "the bearer of bad news, basic needs",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert telemetry.redact(text) == text


def test_every_line_carries_the_ids_of_its_task() -> None:
    stream = configured()
    with telemetry.context(delivery="d-1", stream="s-1"):
        telemetry.logger("bot.worker").info("taken", attempt=2)
        logging.getLogger("azure.core").warning("slow")
    telemetry.logger("bot.worker").info("idle")
    taken, slow, idle = lines(stream)
    assert taken["event"] == "taken"
    assert (taken["delivery"], taken["stream"], taken["attempt"], taken["level"]) == ("d-1", "s-1", 2, "info")
    assert taken["logger"] == "bot.worker"
    assert taken["timestamp"].endswith("Z")
    assert (slow["event"], slow["delivery"], slow["logger"]) == ("slow", "d-1", "azure.core")
    assert "delivery" not in idle


def test_a_traceback_shows_no_local_variables() -> None:
    stream = configured()

    def fails() -> None:
        password = "hunter2" + "hunter2"
        raise ValueError(f"{len(password)} characters")

    try:
        fails()
    except ValueError:
        telemetry.logger("bot").exception("failed")
    (line,) = lines(stream)
    assert line["exception"][0]["exc_value"] == "14 characters"
    assert "hunter2" not in stream.getvalue()


def test_uncaught_exceptions_of_threads_are_logged() -> None:
    stream = configured()

    def fails() -> None:
        raise RuntimeError("in a thread")

    thread = threading.Thread(target=fails)
    thread.start()
    thread.join()
    (line,) = lines(stream)
    assert (line["event"], line["level"]) == ("uncaught exception", "critical")


def test_levels_hold_for_libraries_too() -> None:
    stream = configured(level="info")
    telemetry.logger("bot").debug("no")
    logging.getLogger("aiohttp.server").debug("no")
    logging.getLogger("azure.core.pipeline.policies.http_logging_policy").info("Request URL")
    logging.getLogger("aiohttp.access").info("GET /")
    telemetry.logger("bot").info("yes")
    assert [line["event"] for line in lines(stream)] == ["yes"]


def test_auto_is_json_where_nobody_looks() -> None:
    stream = configured("auto")
    telemetry.logger("bot").info("started")
    assert lines(stream)[0]["event"] == "started"


def test_configured_again_it_replaces_what_was() -> None:
    log = telemetry.logger("bot")
    first, second = configured(), configured("console")
    log.info("once")
    assert first.getvalue() == ""
    assert second.getvalue().count("once") == 1

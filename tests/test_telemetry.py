"""Logs: one form for every library, ids on every line, and no token on any (rule 17)."""

from __future__ import annotations

import io
import json
import logging
import sys
import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
import structlog
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from bot import telemetry
from bot.domain.stray_tokens import HIDDEN

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
ACCESS, REFRESH = "misoa_" + "aB3_" * 10 + "xyz", "misor_" + "-9Zq" * 10 + "xyz"
VALUE = "Qw3rTy-0pAsD_fGh.JkL~zXc"
"""One without a form of its own: only what stands before it tells that it is secret."""
NAMED = (
    "access_token",
    "refresh_token",
    "id_token",
    "subject_token",
    "actor_token",
    "client_assertion",
    "client_secret",
    "code_verifier",
    "device_code",
    "user_code",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
)
PLANTED = (
    *(INSTALLATION, STATELESS, PERSONAL, JWT, PEM, SECRET, BEARER, CONTINUATION, ACCESS, REFRESH),
    *(f"{name}={VALUE}" for name in (*NAMED, "token", "code", "state", "nonce")),
    f"Cookie: a=b; __Host-miso={VALUE}; last={VALUE}",
    f"Set-Cookie: miso={VALUE}; Path=/; HttpOnly",
)


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
    assert text.count(HIDDEN) >= 10
    parts = [value, value.removeprefix("ghs_"), VALUE if VALUE in value else value[-20:]]
    if value == PEM:
        parts = PEM.splitlines()[1:-1]
    for part in parts:
        assert part not in text
        assert json.dumps(part)[1:-1] not in text
    assert "quoted" not in text
    if form == "json":
        assert len(lines(stream)) >= 10


@pytest.mark.parametrize("cut", [60, 120, 180])
def test_rule_17_a_key_that_was_cut_off_is_hidden(cut: int) -> None:
    hidden = telemetry.redact(f"bad key: {PEM[:cut]}")
    assert hidden == f"bad key: {HIDDEN}"


def test_rule_17_a_secret_in_an_address_is_hidden() -> None:
    told = telemetry.redact("GET https://x.example/a?api-version=1&sig=abcdefgh%3D&code=12345678&d=e")
    assert told == "GET https://x.example/a?api-version=1&sig=[hidden]&code=[hidden]&d=e"


SPELLINGS = (
    '{{"{name}": "{value}"}}',
    "{{'{name}': '{value}'}}",
    "{{b'{name}': b'{value}'}}",
    "[('{name}', '{value}'), (b'{name}', b'{value}')]",
    '"{{\\"{name}\\": \\"{value}\\"}}"',
    "grant_type=x&{name}={value}&y=z",
    "https%3A%2F%2Fx.example%2F%3F{name}%3D{value}%26y%3Dz",
    "{name} = {value}",
    '{name}: "{value}"',
    "\x1b[36m{name}\x1b[0m=\x1b[35m{value}\x1b[0m",
)


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("name", [*NAMED, "Cookie", "set-cookie", "code", "token", "nonce", "csrf"])
def test_rule_17_what_is_secret_by_its_name_is_hidden_however_it_is_spelled(name: str, spelling: str) -> None:
    told = telemetry.redact(spelling.format(name=name, value=VALUE))
    assert VALUE not in told
    assert name in told


@pytest.mark.parametrize("token", [INSTALLATION, PERSONAL, JWT, ACCESS, REFRESH, BEARER])
@pytest.mark.parametrize("around", ["%3D{}%26", "x{}", "'{}'", "b'{}'", "\\n{}\\n", "{}&a=b", "\x1b[35m{}\x1b[0m"])
def test_rule_17_a_token_is_hidden_whatever_it_touches(token: str, around: str) -> None:
    told = telemetry.redact(
        around.format(token.replace(" ", "%20") if "%" in around else f" {token}"[around != "x{}" :])
    )
    assert token[-16:] not in told


@pytest.mark.parametrize("end", ["\n", "\r\n", "\\n", "'\n '", "\n    "])
@pytest.mark.parametrize("token", [JWT, STATELESS, CONTINUATION])
def test_rule_17_a_token_that_was_broken_into_lines_is_hidden_whole(token: str, end: str) -> None:
    lines_ = [token[at : at + 76] for at in range(0, len(token), 76)]
    told = telemetry.redact(f"header: {end.join(lines_)}{end}next line")
    assert not [line for line in lines_ if line in told]


@given(st.text(min_size=telemetry.SHORTEST, max_size=40))
def test_rule_17_a_registered_value_is_hidden_as_anybody_may_write_it(value: str) -> None:
    before = dict(telemetry._hidden)
    try:
        telemetry.hide(value)
        for written in (value, quote(value, safe=""), quote_plus(value), b64encode(value.encode()).decode()):
            assert telemetry.redact(f"<{written}>").rstrip("=>") == f"<{HIDDEN}"
        assert HIDDEN in telemetry.redact(json.dumps({"a": value}))
        assert HIDDEN in telemetry.redact(repr(value.encode()))
    finally:
        telemetry._hidden.clear()
        telemetry._hidden.update(before)


def test_rule_17_the_private_part_of_a_key_is_hidden_and_the_public_one_stays() -> None:
    jwk = {"kty": "EC", "kid": "k" * 43, "x": "x" * 43, "d": "d" * 43}
    for text in (json.dumps(jwk), repr(jwk), json.dumps(json.dumps(jwk))):
        told = telemetry.redact(text)
        assert "d" * 32 not in told
        assert "k" * 43 in told
        assert "x" * 43 in told


def test_rule_17_a_code_that_links_an_account_is_hidden() -> None:
    assert telemetry.redact("said '/link WXYZ-2345-ABCD'") == "said '/link [hidden]'"


@pytest.mark.parametrize(
    "piece", ["ghs_", "eyJ", "\\", "\\n", '"d"', "cookie: ", "device_code", "%22", "bearer ", "\x1b[0m"]
)
def test_hiding_takes_no_longer_than_reading(piece: str) -> None:
    """Lines hold what strangers wrote."""
    began = time.perf_counter()
    telemetry.redact(piece * (200_000 // len(piece)))
    assert time.perf_counter() - began < 2


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
        "delivery.parked code=event_shape token=abc state=rolled_back",
        '{"code": "device_code", "state": "verified_before_that", "token": "0123456789ab", "status": "x"}',
        '{"error": {"code": "InvalidAuthenticationToken", "codes": [90002]}, "code": 50034000}',
        "the cookie was refused; a device_code that ran out",
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
    logging.getLogger("msal.application").debug("what came back")
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

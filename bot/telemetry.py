"""What Miso writes about itself: structured logs on stderr, with ids by contextvar and with secrets taken out.

`bot.app` calls `configure` once, before anything else can log; everybody gets loggers from `logger`. Every line of
every library passes the same formatter, which hides tokens in the finished text, tracebacks included (rule 17). It
takes plain arguments, reads no environment, and never sends anything anywhere.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import threading
from base64 import b64encode, urlsafe_b64encode
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Final, Literal, TextIO, cast
from urllib.parse import quote, quote_plus

import structlog
from structlog.tracebacks import ExceptionDictTransformer
from structlog.typing import FilteringBoundLogger, Processor

from bot.domain.stray_tokens import FORMS, HIDDEN

Format = Literal["auto", "json", "console"]
Level = Literal["debug", "info", "warning", "error"]

SHORTEST: Final = 8
"""Values shorter than this are not hidden one by one: they would blot out ordinary words."""

# Where a word begins, behind an escape too.
_BEGIN = r"(?:\b|(?<=%[0-9A-Fa-f]{2})|(?<=[0-9]m)|(?<=\\[nrt]))"
# How a value may stand behind its name: `name=value`, `"name": "value"`, quotes escaped, `('name', b'value')`, in an
# address, or between the colours of a terminal.
_COLOUR = r"\x1b\[[0-9;]*m"
_EDGE = rf"(?:{_COLOUR}|%22|[\"'\\])*"
_IS = rf"{_EDGE}\s*(?:=|:|%3[Dd]|%3[Aa])\s*(?:\bb(?=[\"']))?{_EDGE}"
_OR_NEXT = rf"(?:{_IS}|[\"']\s*,\s*b?[\"'])"
_WORD, _OVER = r"[A-Za-z]+(?:_[a-z]+)*", r"(?![A-Za-z0-9._~%+/-])"
_VALUE = r"[^&\s\"'\\,;}\x1b]"


_PATTERNS: Final = (
    # Cookies whole, whatever is in them; and our own by its name (`bot.web.auth`).
    (re.compile(rf"(?i){_BEGIN}((?:set-)?cookie2?{_OR_NEXT})[^\r\n\"'\\\x1b]{{4,}}"), rf"\1{HIDDEN}"),
    (re.compile(rf"{_BEGIN}((?:__Host-)?miso(?:=|%3[Dd]))[A-Za-z0-9_.~%-]{{16,}}"), rf"\1{HIDDEN}"),
    *FORMS,
    # Private parts of a JWK: https://www.rfc-editor.org/rfc/rfc7518#section-6
    (re.compile(r"([\"'](?:d|k|p|q|dp|dq|qi)\\*[\"']\s*:\s*\\*[\"'])[A-Za-z0-9_-]{32,}"), rf"\1{HIDDEN}"),
    (re.compile(rf"(?i){_BEGIN}(bearer|basic|dpop)((?:\s|%20|\+)+)[A-Za-z0-9._~+/=%-]{{16,}}"), rf"\1\2{HIDDEN}"),
    # Forms of OAuth and what stands beside them, by name: https://www.iana.org/assignments/oauth-parameters
    (
        re.compile(
            r"(?i)((?:access_token|refresh_token|id_token|subject_token|actor_token|client_assertion|client_secret"
            r"|code_verifier|device_code|user_code|csrf_token|ACTIONS_ID_TOKEN_REQUEST_TOKEN)"
            rf"{_OR_NEXT}){_VALUE}{{8,}}"
        ),
        rf"\1{HIDDEN}",
    ),
    # These words have other uses too: what is a word itself (a reason code, a state, an error of Azure's), a number or
    # the beginning of a hash stays, unless it stands in a form or an address.
    (
        re.compile(
            rf"{_BEGIN}((?i:token|code|sig|state|nonce|assertion|csrf)(?:{_COLOUR})*(?:=|%3D)(?:{_COLOUR})*)"
            rf"(?!{_WORD}{_OVER}){_VALUE}{{8,}}"
        ),
        rf"\1{HIDDEN}",
    ),
    (
        re.compile(
            rf"{_BEGIN}((?i:token|code|state|nonce|assertion|csrf){_OR_NEXT})"
            rf"(?!(?:{_WORD}|[0-9]+|[0-9a-f]{{12,16}}){_OVER}){_VALUE}{{8,}}"
        ),
        rf"\1{HIDDEN}",
    ),
    # A code that proves an account, typed into a comment.
    (re.compile(r"(/link(?:\s|%20|\+|\\n)+)[A-Za-z0-9-]{6,}"), rf"\1{HIDDEN}"),
)

_hidden: dict[str, None] = {}
"""Values registered by `hide`, longest first, each also as JSON, Python, an address or base64 would write it."""


def hide(value: str) -> None:
    """From now on this value never stands in a log line. For secrets that have no form of their own."""
    if len(value) < SHORTEST:
        return
    forms = {value, repr(value)[1:-1], repr(value.encode())[2:-1], quote(value, safe=""), quote_plus(value)}
    forms |= {write(value.encode()).decode().rstrip("=") for write in (b64encode, urlsafe_b64encode)}
    forms |= {json.dumps(form, ensure_ascii=ascii_)[1:-1] for form in forms for ascii_ in (True, False)}
    known = sorted({*_hidden, *forms}, key=len, reverse=True)
    _hidden.clear()
    _hidden.update(dict.fromkeys(known))


def redact(text: str) -> str:
    """The text without registered values, tokens, JWTs and private keys."""
    for value in tuple(_hidden):
        text = text.replace(value, HIDDEN)
    for pattern, instead in _PATTERNS:
        text = pattern.sub(instead, text)
    return text


def logger(name: str) -> FilteringBoundLogger:
    """A logger: `logger(__name__).info("delivery parked", code="event_shape")`. Events are constant texts."""
    return cast(FilteringBoundLogger, structlog.stdlib.get_logger(name))


def context(**ids: str | int) -> AbstractContextManager[None]:
    """Ids that every line inside carries, in this task and those it starts: `delivery`, `stream`, `request_id`."""
    return structlog.contextvars.bound_contextvars(**ids)


class _Redacting(structlog.stdlib.ProcessorFormatter):
    """The last hand on each line. On the finished text, so that no nesting, traceback or library escapes it."""

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


def configure(*, level: Level = "info", form: Format = "auto", stream: TextIO | None = None) -> None:
    """Set up all logging of the process; called again, it replaces what was.

    `auto` is for people on a terminal and JSON, one object a line, everywhere else. `stream` is stderr unless given.
    """
    out = stream or sys.stderr
    console = form == "console" or (form == "auto" and out.isatty())
    # What every line gets, whether structlog or a library's stdlib logger wrote it.
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        _Redacting(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_rendering(console, out)],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # The Azure SDK tells every request at INFO, MSAL at DEBUG what came back from a sign-in, and markdown-it every rule
    # that it tries on a line; failures reach us as exceptions.
    for library in ("azure", "msal", "aiohttp.access", "markdown_it"):
        logging.getLogger(library).setLevel(logging.WARNING)
    logging.captureWarnings(True)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        # Loggers made at import time must follow a later `configure`.
        cache_logger_on_first_use=False,
    )
    # A traceback that nobody caught goes past `logging` otherwise.
    sys.excepthook = _uncaught
    threading.excepthook = lambda args: _uncaught(args.exc_type, args.exc_value, args.exc_traceback)


def _rendering(console: bool, out: TextIO) -> list[Processor]:
    if console:
        # The plain traceback: pretty ones print local variables, and colours would cut tokens in two.
        plain = structlog.dev.plain_traceback
        return [structlog.dev.ConsoleRenderer(colors=out.isatty(), exception_formatter=plain)]
    return [
        structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False)),
        structlog.processors.JSONRenderer(ensure_ascii=False),
    ]


def _uncaught(kind: type[BaseException], value: BaseException | None, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt) or value is None:
        return
    logging.getLogger("bot").critical("uncaught exception", exc_info=(kind, value, trace))

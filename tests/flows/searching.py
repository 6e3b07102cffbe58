"""Every secret of a story by what it is, and every place where none may stand: for reading whole stories afterwards.

Secrets are those that really were used: keys, settings, and what was given out or typed on the wire. Places are read as
bytes, not through anything that could hide them.
"""

from __future__ import annotations

import io
import json
import logging
import re
from base64 import b64decode
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from bot import telemetry
from bot.sim.scenarios import SIGN_IN_CLIENT_ID, TENANT_ID
from bot.sim.wire import Exchange
from tests.flows.stage import Stage, staged
from tests.flows.workflow import Workflow, working

SHORTEST = 8
THEIRS = ("entra", "provider", "identity", "vault", "webhook")
"""Servers whose business is credentials, and what GitHub sent us. The others get one in its own header or none."""
FORM_SECRETS = ("code", "code_verifier", "client_assertion", "state", "nonce", "subject_token", "device_code", "token")
ANSWERED = ("access_token", "refresh_token", "id_token", "device_code", "user_code")
SIGN_IN: dict[str, Any] = {
    "MISO_SIGN_IN": "entra",
    "MISO_SIGN_IN_TENANT": TENANT_ID,
    "MISO_SIGN_IN_CLIENT_ID": SIGN_IN_CLIENT_ID,
    "MISO_TOKEN_REQUESTS_PER_MINUTE": "10000",
    "MISO_SIGN_IN_REQUESTS_PER_MINUTE": "10000",
}


@dataclass
class Secrets:
    """By what they are."""

    found: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def add(self, kind: str, *values: str) -> None:
        self.found[kind] |= {value for value in values if len(value) >= SHORTEST}

    def of_files(self, *files: Path) -> None:
        """Lines of keys; of a key that is no text, the bytes as hexadecimal digits."""
        for file in files:
            if file.is_file():
                content = file.read_bytes()
                lines = content.decode("latin-1").splitlines()
                self.add("keys", content.hex(), *(line.strip() for line in lines if len(line.strip()) >= 40))
        self.found["keys"] = {line for line in self.found["keys"] if "-----" not in line}

    def of_wire(self, exchanges: Iterable[Exchange]) -> None:
        """What the controller got from the world, and what it proved itself with."""
        for sent in exchanges:
            shown = sent.request_headers.get("authorization", "").partition(" ")[2]
            if sent.server == "github":
                self.add("GitHub credentials", shown)
                if "/access_tokens" in sent.path and sent.status == 201:
                    self.add("installation tokens", sent.response_json()["token"])
            if sent.server == "arm":
                self.add("Azure tokens", shown)
                links = (sent.response_headers.get(name, "") for name in ("location", "azure-asyncoperation"))
                # ARM signs these addresses in their query; without it the path is no secret.
                self.add("continuations", *(urlsplit(link).query for link in links))
            if sent.server == "entra":
                self.of_form("sign-in and federation", sent.request_body, sent.query)
                if sent.method == "POST" and sent.response_body[:1] == b"{":
                    answer = sent.response_json()
                    self.add("given by Entra", *(str(answer[name]) for name in ANSWERED if name in answer))

    def of_form(self, kind: str, body: bytes, query: Mapping[str, str]) -> None:
        fields = [*parse_qsl(body.decode("latin-1")), *query.items()]
        self.add(kind, *(value for name, value in fields if name in FORM_SECRETS))


@dataclass
class Places:
    """Where nothing secret may stand: by name, as text."""

    texts: dict[str, str]

    @classmethod
    def read(cls, stage: Stage, log: io.StringIO, said: Iterable[str] = ()) -> Places:
        """`said`: what our own doors answered, where it is to be read too."""
        return cls(
            {
                **stored(stage.settings.data_dir),
                "the log": log.getvalue(),
                "what was sent": "\n".join(outbound(sent) for sent in stage.world.wire.exchanges),
                "what our doors answered": "\n".join(said),
            }
        )

    def holding(self, secrets: Mapping[str, Iterable[str]]) -> list[str]:
        """Each finding, without the secret itself."""
        return [
            f"{kind} in {place}: …{text[max(0, text.find(form) - 120) : text.find(form)]}"
            for place, text in self.texts.items()
            for kind, values in secrets.items()
            for value in values
            for form in {value, quote(value, safe=""), unquote(value), json.dumps(value)[1:-1]}
            if form in text
        ]


def json_in_base64(text: str) -> list[str]:
    """JWTs, and continuation tokens of the SDK. What is sealed may begin so by chance, and does not read on."""
    begun = re.findall(r"eyJ[A-Za-z0-9_+/-]{61}", text)
    return [found for found in begun if all(32 <= byte < 127 for byte in b64decode(found, altchars=_other(found)))]


def _other(text: str) -> bytes:
    return b"-_" if set(text) & set("-_") else b"+/"


def stored(data: Path) -> dict[str, str]:
    """Every byte that the controller keeps, the log of changes included, but for the keys themselves."""
    files = (file for file in data.rglob("*") if file.is_file() and file.parent.name != "keys")
    return {f"{file.name} on disk": file.read_bytes().decode("latin-1") for file in files if file.name != "seal.key"}


def outbound(sent: Exchange) -> str:
    """Address, headers and body of a request of ours, without the header that a credential belongs into."""
    if sent.server in THEIRS:
        return ""
    headers = {name: value for name, value in sent.request_headers.items() if name.lower() != "authorization"}
    return f"{sent.method} {sent.path} {sent.query} {headers} {sent.request_body.decode('latin-1')}"


@contextmanager
def logged() -> Iterator[io.StringIO]:
    """Everything that this process logs at debug level, through the formatter of the controller."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    telemetry.configure(level="debug", form="json", stream=(stream := io.StringIO()))
    try:
        yield stream
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)


@dataclass
class Day:
    """A story, and every secret that was seen in it."""

    stage: Stage
    workflow: Workflow
    secrets: Secrets = field(default_factory=Secrets)
    said: list[str] = field(default_factory=list)
    """What our doors answered, where nothing secret was asked for."""

    async def asks(self, method: str, path: str, *, token: str = "", **more: Any) -> int:
        """The status of the answer, whose text and headers are searched later."""
        headers = {**more.pop("headers", {}), **({"Authorization": f"Bearer {token}"} if token else {})}
        url = f"{self.stage.url}{path}"
        async with self.workflow.http.request(method, url, headers=headers, allow_redirects=False, **more) as answer:
            self.said.append(f"{answer.status} {await answer.text()} {dict(answer.headers)}")
            return answer.status

    def gather(self) -> dict[str, set[str]]:
        here = self.stage.world.addresses
        self.secrets.add("webhook secret", here.webhook_secret)
        self.secrets.of_files(Path(here.app_key_file), *sorted((self.stage.settings.data_dir / "keys").rglob("*")))
        self.secrets.of_wire(self.stage.world.wire.exchanges)
        self.secrets.add("tokens of workflows", *self.workflow.tokens)
        return dict(self.secrets.found)


@asynccontextmanager
async def day(directory: Path) -> AsyncIterator[Day]:
    async with staged(directory, **SIGN_IN) as stage, working(stage) as workflow:
        yield Day(stage, workflow)

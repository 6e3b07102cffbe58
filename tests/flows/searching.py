"""Every secret of a story by what it is, and every place where none may stand: for reading whole stories afterwards.

Secrets are those that really were used: keys, settings, and what was given out or typed on the wire. Places are read as
bytes, not through anything that could hide them.
"""

from __future__ import annotations

import io
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from bot.sim.wire import Exchange
from tests.flows.stage import Stage

SHORTEST = 8
THEIRS = ("entra", "provider", "identity", "vault", "webhook")
"""Servers whose business is credentials, and what GitHub sent us. The others get one in its own header or none."""
FORM_SECRETS = ("code", "code_verifier", "client_assertion", "state", "nonce", "subject_token", "device_code", "token")
ANSWERED = ("access_token", "refresh_token", "id_token", "device_code", "user_code")


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

"""What every kind of target offers to the window, and what all of them share: digests, tags, ownership.

Implemented by `bot.azure.aci` and `bot.azure.webapp`. Never decides which step comes next.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Any, Protocol, cast

from azure.core.polling import AsyncLROPoller

from bot.domain.codes import Code
from bot.domain.messages import refusal
from bot.domain.model import Capacity, Environment, Json, Observed, Plan, Step

OWNER, ENVIRONMENT, DEPLOYMENT = "miso-owner", "miso-env", "miso-deployment"
PINNED = re.compile(r"[^\s@|]+@(sha256:[0-9a-f]{64})")
MOST_TAGS = 50
"""https://learn.microsoft.com/azure/azure-resource-manager/management/tag-resources"""


@dataclass(frozen=True, kw_only=True)
class Write:
    """One step as the window asks a target for it."""

    step: Step
    plan: Plan
    stream: str
    owner: str
    request_id: str
    resume: str = ""
    """A continuation token, already judged to be ours."""


class Target(Protocol):
    """One kind of resource. Methods raise what the SDK raises; the window turns it into our errors."""

    async def observe(self, environment: Environment, request_id: str) -> Observed: ...
    async def capacity(self, environment: Environment, request_id: str) -> Capacity: ...

    async def begin(self, environment: Environment, write: Write, seen: Observed) -> AsyncLROPoller[Any] | None:
        """Send the one request (or continue it); None when Azure already shows what is wanted."""
        ...


def digest_of(reference: str) -> str:
    """`sha256:…` of a digest-pinned image reference, else empty."""
    found = PINNED.fullmatch(reference.strip())
    return found[1] if found else ""


def pinned(reference: object) -> str:
    """The reference, if it names its image by digest. Raises Refused otherwise: nothing else ever runs (rule 13)."""
    if not isinstance(reference, str) or not digest_of(reference):
        raise refusal(Code.MOVING_TAG)
    return reference


def tag(tags: Mapping[str, str] | None, name: str) -> str:
    """The value of a tag, whatever the case of its name (ARM ignores it); empty when there is none."""
    return next((str(value) for key, value in (tags or {}).items() if key.lower() == name), "")


def tags(existing: Mapping[str, str], wanted: Json, environment: Environment, write: Write) -> dict[str, str]:
    """Tags for a PUT, which replaces all: what others set is kept, the plan's and ours stand above it."""
    ours = {OWNER: write.owner, ENVIRONMENT: environment.id, DEPLOYMENT: write.stream}
    taken = {key.lower() for key in ours}
    kept = {key: value for key, value in existing.items() if key.lower() not in taken}
    merged = {**kept, **{str(k): str(v) for k, v in (wanted.get("tags") or {}).items()}, **ours}
    if len(merged) > MOST_TAGS:
        raise refusal(Code.AZURE_REFUSED)
    return merged


def body_of(value: Json) -> IO[bytes]:
    """The exact bytes that are sent. The SDKs take bytes where their signatures say a stream."""
    return cast(IO[bytes], json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode())

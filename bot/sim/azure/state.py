"""What the pretend Azure remembers: resource groups, container groups, plans, sites and slots, and what was changed.

Plain data and the naming rules of ARM; the requests that change it are in the neighbouring modules.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

Json = dict[str, Any]
Mark = Literal["healthy", "crash", "unhealthy", "production_only", "slow", "redirect", "huge"]
"""How an image behaves. crash: exits at once. unhealthy: runs, answers 503. production_only: fine everywhere but in a
web app's production slot. slow, redirect, huge: runs, and answers in that way."""


class ArmError(Exception):
    """An answer with an error body. `style` is "arm" (`{"error": {…}}`) or "web" (App Service's own capitals)."""

    def __init__(
        self, status: int, code: str, message: str, *, style: str = "arm", headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.style = style
        self.headers = headers or {}

    def body(self) -> Json:
        if self.style == "arm":
            return {"error": {"code": self.code, "message": self.message}}
        details = [
            {"Message": self.message},
            {"Code": self.code},
            {"ErrorEntity": {"Code": self.code, "Message": self.message}},
        ]
        return {"Code": self.code, "Message": self.message, "Target": None, "Details": details, "Innererror": None}


@dataclass(frozen=True)
class Effect:
    """Something that really changed, in order.

    `verb`: put, delete, swap, restart, tags, config, settings, "by hand", "deleted by hand".
    """

    order: int
    at: float
    verb: str
    resource: str
    detail: Json


@dataclass
class ResourceGroup:
    subscription: str
    name: str
    location: str
    tenant: str | None

    @property
    def id(self) -> str:
        return f"/subscriptions/{self.subscription}/resourceGroups/{self.name}"


@dataclass
class ContainerGroup:
    """`wanted` is the body that was PUT; what runs is in `running` (image per container) once its operation ended."""

    id: str
    name: str
    wanted: Json
    provisioning: str = "Pending"
    state: str = "Pending"
    running: dict[str, str] = field(default_factory=dict)
    pulled: dict[str, str] = field(default_factory=dict)
    restarts: int = 0
    ip: str = "20.50.0.1"
    started: str = ""

    @property
    def location(self) -> str:
        return str(self.wanted["location"])

    @property
    def label(self) -> str | None:
        found = self.wanted["properties"].get("ipAddress", {}).get("dnsNameLabel")
        return str(found) if found else None

    @property
    def fqdn(self) -> str | None:
        return f"{self.label}.{self.location}.azurecontainer.io" if self.label else None


@dataclass
class Plan:
    id: str
    name: str
    location: str
    sku: str
    capacity: int = 1
    zone_redundant: bool = False
    per_site_scaling: bool = False
    tags: Json = field(default_factory=dict)

    @property
    def tier(self) -> str:
        tiers = {"F": "Free", "B": "Basic", "S": "Standard", "P": "PremiumV3", "D": "Shared"}
        return tiers.get(self.sku[:1], "Standard")

    @property
    def allows_slots(self) -> bool:
        return self.tier in ("Standard", "PremiumV3")


@dataclass
class Site:
    """A web app, or one of its slots (`slot` is then its name)."""

    id: str
    name: str
    slot: str | None
    location: str
    plan: str
    kind: str = "app,linux,container"
    tags: Json = field(default_factory=dict)
    identity: Json | None = None
    properties: Json = field(default_factory=dict)
    config: Json = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)
    sticky: list[str] = field(default_factory=list)
    swap_status: Json | None = None
    state: str = "Running"

    @property
    def host(self) -> str:
        return f"{self.name}-{self.slot}.azurewebsites.net" if self.slot else f"{self.name}.azurewebsites.net"

    @property
    def image(self) -> str:
        """Image reference of `linuxFxVersion`, without its `DOCKER|`."""
        kind, _, image = str(self.config.get("linuxFxVersion", "")).partition("|")
        return image if kind.upper() == "DOCKER" else ""


@dataclass(frozen=True)
class Running:
    """What answers under a host name: an image, and how it behaves there."""

    resource: str
    name: str
    slot: str | None
    image: str
    digest: str
    behaviour: Mark
    https_only: bool = False


@dataclass
class State:
    """Everything of one pretend cloud. Ids are kept by their lower-case form, as ARM compares them."""

    clock: Callable[[], float]
    groups: dict[tuple[str, str], ResourceGroup] = field(default_factory=dict)
    containers: dict[str, ContainerGroup] = field(default_factory=dict)
    plans: dict[str, Plan] = field(default_factory=dict)
    sites: dict[str, Site] = field(default_factory=dict)
    marks: dict[str, Mark] = field(default_factory=dict)
    effects: list[Effect] = field(default_factory=list)

    def changed(self, verb: str, resource: str, **detail: Any) -> None:
        effect = Effect(len(self.effects) + 1, self.clock(), verb, resource, copy.deepcopy(detail))
        self.effects.append(effect)

    def now(self) -> str:
        return datetime.fromtimestamp(self.clock(), UTC).isoformat().replace("+00:00", "Z")

    def behaviour(self, image: str, *, production: bool) -> Mark:
        mark = self.marks.get(digest_of(image), "healthy")
        if mark == "production_only":
            return "unhealthy" if production else "healthy"
        return mark


def digest_of(image: str) -> str:
    """`sha256:…` of a digest-pinned reference, else empty."""
    return image.partition("@")[2]

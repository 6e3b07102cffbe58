"""What would change if one plan followed another: image, settings by name, properties, and what that does to what runs.

Called by the verbs that show a plan, before a promotion and on a pull request, and for a rollback the other way round.
`bot.domain.messages.preview` has the words. It never holds the value of a setting, and decides nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

# The module and not its names: plans speak in messages, and messages show previews.
from bot.domain import plan as plans
from bot.domain.model import Environment, Plan, TargetKind


class Effect(StrEnum):
    """What the writes do to what runs."""

    NOTHING = "nothing"
    """Azure runs this image already and would not be written to; changed settings travel with a new image."""
    CREATE = "create"
    RESTART = "restart"
    """Container groups: all containers are replaced in place."""
    RECREATE = "recreate"
    """Container groups: deleted and created again, because Azure changes this property no other way."""
    SLOT_SWAP = "slot-swap"
    """Web apps: the release starts in the slot, and the slot is swapped with production."""


class Address(StrEnum):
    """What becomes of the address under which the application answers."""

    STAYS = "stays"
    NEW = "new"
    """There was none, or what answers is another resource from now on."""
    IP = "ip"
    """The IP address may change; the DNS name stays."""
    NAME = "name"
    """The DNS name changes, and the IP address with it."""


class Lasting(StrEnum):
    """What going back to the release before could not undo."""

    DATA = "data"
    """What the release did to data and schemas while it ran."""
    FILES = "files"
    """What the containers wrote into their own file systems."""
    IP = "ip"
    """The IP address of a deleted container group."""
    NAME = "name"
    """A DNS name that was given up: others may take it."""
    BY_HAND = "by_hand"
    """What somebody set on the resource by hand: a container group is written whole."""
    ADDED_SETTINGS = "added_settings"
    """Web apps keep settings that no later plan names."""
    SLOT_SETTINGS = "slot_settings"
    """Web apps: settings that are marked to stick to a slot are not swapped."""
    RESOURCE = "resource"
    """What ran before is another resource, which Miso does not go back to."""


@dataclass(frozen=True, kw_only=True)
class Downtime:
    """So many seconds without answers are to be expected, from the least to the most."""

    least: int = 0
    most: int = 0


@dataclass(frozen=True, kw_only=True)
class Property:
    """A property that differs. The values are the registry's or `.github/miso.yml`'s: not secret, but foreign text."""

    path: str
    was: str | None
    """None: not set."""
    now: str | None


@dataclass(frozen=True, kw_only=True)
class Changes:
    """What differs between two plans."""

    image_from: str = ""
    """Digest; empty: nothing runs."""
    image_to: str = ""
    """Digest; empty: the image that the build of this very change makes."""
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    """Names of settings. Their values are nobody's business who reads a pull request."""
    properties: tuple[Property, ...] = ()

    @property
    def image(self) -> bool:
        """Whether another image would run."""
        return not self.image_to or self.image_from != self.image_to

    @property
    def settings(self) -> int:
        return len(self.added) + len(self.removed) + len(self.changed)


@dataclass(frozen=True, kw_only=True)
class Preview:
    """What a person is shown of a plan before saying yes to it."""

    plan_hash: str
    """Hash that is shown, approved and executed; empty while the image is still to be built."""
    target: TargetKind
    first: bool
    """Nothing of ours runs there yet."""
    moved: bool
    """Another kind of resource, or one of another name, takes over."""
    changes: Changes
    effect: Effect
    address: Address
    downtime: Downtime
    slot: str
    """Slot that the release enters first; empty where there is none."""
    irreversible: tuple[Lasting, ...]

    @property
    def quiet(self) -> bool:
        """Nobody who uses the application would notice: nothing is interrupted and no address changes."""
        return not self.downtime.most and self.address in (Address.STAYS, Address.NEW) and not self.moved


_DOWNTIME: Mapping[Effect, Downtime] = {
    # All containers of the group are replaced at its one address:
    # https://learn.microsoft.com/azure/container-instances/container-instances-update
    Effect.RESTART: Downtime(least=10, most=60),
    Effect.RECREATE: Downtime(least=30, most=180),
    # The slot is warmed up before it is swapped:
    # https://learn.microsoft.com/azure/app-service/deploy-staging-slots#what-happens-during-a-swap
    Effect.SLOT_SWAP: Downtime(),
    Effect.CREATE: Downtime(),
    Effect.NOTHING: Downtime(),
}


def of(environment: Environment, old: Plan | None, new: Plan) -> Preview:
    """What happens in this environment if `new` follows `old`, the plan that runs there; None: nothing runs.

    A plan whose image has no digest yet stands for the build of a change that is still to be merged.
    """
    found = changes(old, new)
    moved = old is not None and (old.target is not new.target or _name(old) != _name(new))
    effect = _effect(old, new, found, moved=moved)
    address = _address(old, new, effect)
    return Preview(
        plan_hash=new.hash if found.image_to else "",
        target=new.target,
        first=old is None,
        moved=moved,
        changes=found,
        effect=effect,
        address=address,
        downtime=_DOWNTIME[effect],
        slot=environment.slot if effect is Effect.SLOT_SWAP else "",
        irreversible=tuple(_irreversible(effect, address, found, moved=moved)),
    )


def changes(old: Plan | None, new: Plan) -> Changes:
    """What differs, in a fixed order. Properties of another kind of resource cannot be compared and are left out."""
    image = plans.digest(new)
    if old is None:
        return Changes(image_to=image)
    if old.target is not new.target:
        return Changes(image_from=plans.digest(old), image_to=image)
    was, now = _settings(old), _settings(new)
    return Changes(
        image_from=plans.digest(old),
        image_to=image,
        added=tuple(sorted(now.keys() - was.keys())),
        removed=tuple(sorted(was.keys() - now.keys())),
        changed=tuple(sorted(name for name in was.keys() & now.keys() if was[name] != now[name])),
        properties=tuple(_of_properties(_properties(old), _properties(new))),
    )


def _effect(old: Plan | None, new: Plan, found: Changes, *, moved: bool) -> Effect:
    """As `plan.steps` would answer for a resource that is as the old plan left it."""
    if old is None or moved:
        return Effect.CREATE
    if new.target is TargetKind.CONTAINER_INSTANCE and plans.shape(old.body) != plans.shape(new.body):
        return Effect.RECREATE
    if not found.image:
        return Effect.NOTHING
    return Effect.SLOT_SWAP if new.target is TargetKind.WEB_APP else Effect.RESTART


def _address(old: Plan | None, new: Plan, effect: Effect) -> Address:
    if effect is Effect.CREATE:
        return Address.NEW
    if effect is not Effect.RECREATE or old is None:
        return Address.STAYS
    return Address.IP if _host(old) == _host(new) else Address.NAME


def _irreversible(effect: Effect, address: Address, found: Changes, *, moved: bool) -> Iterator[Lasting]:
    if effect is Effect.NOTHING:
        return
    yield Lasting.DATA
    if moved:
        yield Lasting.RESOURCE
    if effect in (Effect.RESTART, Effect.RECREATE):
        yield Lasting.FILES
        yield Lasting.BY_HAND
    if effect is Effect.SLOT_SWAP:
        if found.added:
            yield Lasting.ADDED_SETTINGS
        yield Lasting.SLOT_SETTINGS
    if address in (Address.IP, Address.NAME):
        yield Lasting.IP
    if address is Address.NAME:
        yield Lasting.NAME


def _name(plan: Plan) -> str:
    """Name of the resource, where the plan holds it: the one container is called like its group."""
    return str(plan.body["properties"]["containers"][0]["name"]) if plan.target is TargetKind.CONTAINER_INSTANCE else ""


def _host(plan: Plan) -> tuple[str, str]:
    """What the DNS name of a container group is made of: `{label}.{region}.azurecontainer.io`."""
    return str(plan.body["properties"]["ipAddress"]["dnsNameLabel"]), str(plan.body["location"])


def _settings(plan: Plan) -> Mapping[str, str]:
    if plan.target is TargetKind.WEB_APP:
        return dict(plan.body["settings"])
    container = plan.body["properties"]["containers"][0]["properties"]
    return {v["name"]: v["value"] for v in container.get("environmentVariables", ())}


def _of_properties(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[Property]:
    for path in sorted(old.keys() | new.keys()):
        if old.get(path) != new.get(path):
            yield Property(path=path, was=old.get(path), now=new.get(path))


def _properties(plan: Plan) -> dict[str, str]:
    """Every property by its path. Of the image the name alone: its digest is told on its own."""
    body = plan.body["slot"] if plan.target is TargetKind.WEB_APP else plan.body
    return {"image": plans.image(plan).partition("@")[0], **dict(_leaves(body))}


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every property but image and settings, which are told on their own."""
    if isinstance(value, Mapping) and value:
        for name, inner in value.items():
            if name not in ("image", "linuxFxVersion", "environmentVariables"):
                # ARM wraps everything in "properties"; a reader gains nothing from the word.
                yield from _leaves(inner, path if name == "properties" else f"{path}.{name}".lstrip("."))
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for at, inner in enumerate(value):
            yield from _leaves(inner, f"{path}[{at}]")
    else:
        yield path, value if isinstance(value, str) else json.dumps(value)

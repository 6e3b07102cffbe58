"""The words for a plan preview: what a person reads before saying yes, and what differs when a plan no longer fits.

Used by replies, cards and the check on a pull request. Settings are told by name alone; every name and value of a plan
is foreign text and is quoted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from bot.domain import preview as previews
from bot.domain.messages.entry import digest
from bot.domain.messages.escape import quote
from bot.domain.model import Plan, TargetKind
from bot.domain.preview import Address, Changes, Effect, Lasting, Preview, Property

_NAMES, _PROPERTIES, _DIFFERENCES = 30, 20, 4
"""So many are told one by one; a longer list is no longer read."""
_VALUE = 120

_TO_BE_BUILT = "the one that this change's build makes"

_EFFECTS: Mapping[tuple[Effect, TargetKind], str] = {
    (Effect.NOTHING, TargetKind.CONTAINER_INSTANCE): "Azure runs this image already: nothing would be written.",
    (Effect.NOTHING, TargetKind.WEB_APP): "Azure runs this image already: nothing would be written.",
    (Effect.CREATE, TargetKind.CONTAINER_INSTANCE): "The container group is created.",
    (Effect.CREATE, TargetKind.WEB_APP): "The web app is created; one that was handed over is entered by its slot.",
    (Effect.RESTART, TargetKind.CONTAINER_INSTANCE): "All containers restart in place.",
    (Effect.RECREATE, TargetKind.CONTAINER_INSTANCE): "The container group is deleted and created again.",
    (Effect.SLOT_SWAP, TargetKind.WEB_APP): "It starts in the slot {slot}, then the slot is swapped with production.",
}
_BRIEFLY: Mapping[Effect, str] = {
    Effect.NOTHING: "nothing would be written",
    Effect.CREATE: "created anew",
    Effect.RESTART: "all containers restart",
    Effect.RECREATE: "deleted and created again",
    Effect.SLOT_SWAP: "swapped in by the slot {slot}",
}
_WITHOUT_BREAK: Mapping[Effect, str] = {
    Effect.NOTHING: "",
    Effect.CREATE: "Nobody is served there yet, so nothing is interrupted.",
    Effect.SLOT_SWAP: "No interruption is expected: the release warms up in the slot first.",
}
_ADDRESSES: Mapping[Address, str] = {
    Address.STAYS: "",
    Address.NEW: "",
    Address.IP: "Its IP address may change; its DNS name stays.",
    Address.NAME: "Its address changes: it gets another DNS name, and another IP address with it.",
}
_LASTING: Mapping[Lasting, str] = {
    Lasting.DATA: "what the release did to data and schemas while it ran",
    Lasting.FILES: "files that were written inside the containers",
    Lasting.IP: "the IP address that the container group had",
    Lasting.NAME: "the DNS name that is given up, which others may take meanwhile",
    Lasting.BY_HAND: "what somebody set on the container group by hand",
    Lasting.ADDED_SETTINGS: "the added settings, which the web app keeps",
    Lasting.SLOT_SETTINGS: "settings that are marked to stick to a slot, which no swap moves",
    Lasting.RESOURCE: "the move itself: what ran before is another resource, to which Miso does not go back",
}


def lines(preview: Preview) -> str:
    """A short Markdown list: what changes, what it does to what runs, and what stays done."""
    changes = preview.changes
    told = [f"Image: {_image(preview)}"]
    if changes.settings:
        told.append(f"Settings, by name: {_settings(preview)}")
    told += [_property(each) for each in changes.properties[:_PROPERTIES]]
    told += _more(len(changes.properties) - _PROPERTIES, "property", "properties")
    told.append(_what_happens(preview))
    told.append(_after(preview))
    if preview.plan_hash:
        told.append(f"Plan {quote(preview.plan_hash[:12], 12)}")
    return "\n".join(f"- {line}" for line in told if line)


def brief(preview: Preview) -> str:
    """The same in one line, as Markdown without full stop."""
    changes = preview.changes
    image = f"first release here, image {_to(changes)}" if preview.first else f"image {_image(preview)}"
    return f"{image}, {consequence(preview)}"


def consequence(preview: Preview) -> str:
    """What it does to what runs, in one line, whatever the image is."""
    changes, effect = preview.changes, _BRIEFLY[preview.effect].format(slot=quote(preview.slot, 60))
    counts = (
        *_count(changes.settings, "setting", "settings"),
        *_count(len(changes.properties), "property", "properties"),
    )
    return ", ".join((*counts, effect + _seconds(preview, ", {} without answers")))


def refused_difference(approved: Plan, now: Plan) -> str:
    """What differs between the plan that was approved and the plan as it would be now, as part of a sentence."""
    if approved.hash == now.hash:
        return "nothing"
    if approved.target is not now.target:
        return f"it would go to a {now.target} instead of a {approved.target}"
    found = previews.changes(approved, now)
    told = [f"image {digest(found.image_from)} → {_to(found)}"] if found.image else []
    told += [f"setting {quote(name, 60)} {word}" for name, word in _named(found)]
    told += [_property(each, limit=40) for each in found.properties]
    left = len(told) - _DIFFERENCES
    # Only tags and the like are left when no part has a name of its own.
    return "; ".join((*told[:_DIFFERENCES], *_more(left, "difference", "differences"))) or "its form"


def _image(preview: Preview) -> str:
    changes = preview.changes
    if preview.first or not changes.image_from:
        return f"{_to(changes)}, the first one here"
    if not changes.image:
        return f"{digest(changes.image_from)}, as now"
    return f"{digest(changes.image_from)} → {_to(changes)}"


def _to(changes: Changes) -> str:
    return digest(changes.image_to) if changes.image_to else _TO_BE_BUILT


def _named(changes: Changes) -> Iterator[tuple[str, str]]:
    words = ((changes.added, "added"), (changes.changed, "changed"), (changes.removed, "removed"))
    yield from sorted((name, word) for names, word in words for name in names)


def _settings(preview: Preview) -> str:
    named = list(_named(preview.changes))
    # A web app's other settings are written back as they are, so what a plan no longer names is left alone.
    removed = "no longer set, kept by the web app" if preview.target is TargetKind.WEB_APP else "removed"
    told = [f"{quote(name, 60)} {removed if word == 'removed' else word}" for name, word in named[:_NAMES]]
    return ", ".join((*told, *_more(len(named) - _NAMES, "setting", "settings")))


def _property(each: Property, limit: int = _VALUE) -> str:
    was, now = (quote(value, limit) if value is not None else "not set" for value in (each.was, each.now))
    return f"{quote(each.path, _VALUE)}: {was} → {now}"


def _what_happens(preview: Preview) -> str:
    text = _EFFECTS[preview.effect, preview.target].format(slot=quote(preview.slot, 60))
    travels = preview.effect is Effect.NOTHING and (preview.changes.settings or preview.changes.properties)
    parts = (
        text,
        "Changed settings travel with a new image." if travels else "",
        "What ran here before is another resource and is left as it is." if preview.moved else "",
        _seconds(preview, "Expect {} without answers.") or ("" if preview.moved else _WITHOUT_BREAK[preview.effect]),
        _ADDRESSES[preview.address],
    )
    return " ".join(part for part in parts if part)


def _after(preview: Preview) -> str:
    if preview.first:
        return "Nothing of Miso's ran here before, so there is nothing to go back to."
    if not preview.irreversible:
        return ""
    return "A rollback would not undo: " + "; ".join(_LASTING[each] for each in preview.irreversible) + "."


def _seconds(preview: Preview, frame: str) -> str:
    downtime = preview.downtime
    return frame.format(f"{downtime.least} to {downtime.most} seconds") if downtime.most else ""


def _count(count: int, one: str, many: str) -> Sequence[str]:
    return [f"{count} {one if count == 1 else many} changed"] if count > 0 else []


def _more(count: int, one: str, many: str) -> Sequence[str]:
    return [f"and {count} more {one if count == 1 else many}"] if count > 0 else []

"""What would change if one plan followed another: for each kind of target, each effect, and the way back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain import preview
from bot.domain.model import Environment, Plan, TargetKind
from bot.domain.preview import Address, Changes, Downtime, Effect, Lasting, Preview, Property
from tests.domain import given
from tests.domain.test_plan import GROUP, SITE, build

OLD = given.release(given.OLD, given.OLD_DIGEST, health_path="/healthz", port=3000)
NEW = given.release(given.NEW, given.NEW_DIGEST, health_path="/healthz", port=3000)
UNBUILT = replace(NEW, digest="")


def group(old: Plan | None, new: Plan) -> Preview:
    return preview.of(GROUP, old, new)


def test_what_changes_is_told_by_name_and_path() -> None:
    found = group(build(GROUP, OLD), build(replace(GROUP, cpu=2.0, settings=(("AREA", "us"), ("LEVEL", "9"))), NEW))
    assert found.changes == Changes(
        image_from=given.OLD_DIGEST,
        image_to=given.NEW_DIGEST,
        added=("LEVEL",),
        removed=("MODE",),
        changed=("AREA",),
        properties=(Property(path="containers[0].resources.requests.cpu", was="1.0", now="2.0"),),
    )
    assert found.plan_hash == build(replace(GROUP, cpu=2.0, settings=(("AREA", "us"), ("LEVEL", "9"))), NEW).hash


@pytest.mark.parametrize(
    ("where", "effect", "downtime", "address"),
    [
        (GROUP, Effect.RESTART, Downtime(least=10, most=60), Address.STAYS),
        (replace(GROUP, settings=()), Effect.RESTART, Downtime(least=10, most=60), Address.STAYS),
        (replace(GROUP, cpu=2.0), Effect.RECREATE, Downtime(least=30, most=180), Address.IP),
        (replace(GROUP, memory_gb=3.0), Effect.RECREATE, Downtime(least=30, most=180), Address.IP),
        (replace(GROUP, dns_label="other"), Effect.RECREATE, Downtime(least=30, most=180), Address.NAME),
        (replace(GROUP, name="other"), Effect.CREATE, Downtime(), Address.NEW),
        (SITE, Effect.CREATE, Downtime(), Address.NEW),
    ],
)
def test_what_a_new_image_does_to_a_container_group(
    where: Environment, effect: Effect, downtime: Downtime, address: Address
) -> None:
    found = preview.of(where, build(GROUP, OLD), build(where, NEW))
    assert (found.effect, found.downtime, found.address) == (effect, downtime, address)
    assert found.moved == (effect is Effect.CREATE)
    assert not found.first
    assert not found.slot
    assert not found.quiet


def test_a_new_image_enters_a_web_app_by_its_slot_and_interrupts_nothing() -> None:
    blue = replace(SITE, slot="blue")
    found = preview.of(blue, build(SITE, OLD), build(blue, NEW))
    assert (found.effect, found.slot, found.downtime) == (Effect.SLOT_SWAP, "blue", Downtime())
    assert (found.address, found.quiet) == (Address.STAYS, True)


@pytest.mark.parametrize("where", [GROUP, SITE])
def test_the_first_release_of_a_place(where: Environment) -> None:
    found = preview.of(where, None, build(where, NEW))
    assert (found.first, found.effect, found.address) == (True, Effect.CREATE, Address.NEW)
    assert (found.downtime, found.moved, found.quiet) == (Downtime(), False, True)
    assert found.changes == Changes(image_to=given.NEW_DIGEST)


@pytest.mark.parametrize("where", [GROUP, SITE])
def test_the_same_plan_again_writes_nothing(where: Environment) -> None:
    found = preview.of(where, build(where, NEW), build(where, NEW))
    assert found.effect is Effect.NOTHING
    assert found.changes == Changes(image_from=given.NEW_DIGEST, image_to=given.NEW_DIGEST)
    assert found.irreversible == ()


@pytest.mark.parametrize("where", [GROUP, SITE])
def test_settings_alone_reach_azure_with_the_next_image(where: Environment) -> None:
    """As `plan.steps` has it: what Azure runs is compared by image, and by shape where that needs a new group."""
    found = preview.of(where, build(where, NEW), build(replace(where, settings=(("MODE", "c"),)), NEW))
    assert found.effect is Effect.NOTHING
    assert found.changes.changed == ("MODE",)


def test_another_shape_recreates_a_group_with_the_same_image() -> None:
    assert group(build(GROUP, NEW), build(replace(GROUP, cpu=2.0), NEW)).effect is Effect.RECREATE


@pytest.mark.parametrize(("where", "effect"), [(GROUP, Effect.RESTART), (SITE, Effect.SLOT_SWAP)])
def test_an_image_that_is_still_to_be_built_is_always_another_one(where: Environment, effect: Effect) -> None:
    found = preview.of(where, build(where, NEW), build(where, UNBUILT))
    assert found.effect is effect
    assert found.changes.image
    assert found.changes.image_to == ""
    assert found.plan_hash == "", "a plan without an image is nothing to agree to"


@pytest.mark.parametrize(
    ("where", "then", "lasting"),
    [
        (GROUP, GROUP, {Lasting.DATA, Lasting.FILES, Lasting.BY_HAND}),
        (GROUP, replace(GROUP, cpu=2.0), {Lasting.DATA, Lasting.FILES, Lasting.BY_HAND, Lasting.IP}),
        (
            GROUP,
            replace(GROUP, dns_label="other"),
            {Lasting.DATA, Lasting.FILES, Lasting.BY_HAND, Lasting.IP, Lasting.NAME},
        ),
        (GROUP, SITE, {Lasting.DATA, Lasting.RESOURCE}),
        (SITE, SITE, {Lasting.DATA, Lasting.SLOT_SETTINGS}),
        (
            SITE,
            replace(SITE, settings=(*SITE.settings, ("NEW", "1"))),
            {Lasting.DATA, Lasting.SLOT_SETTINGS, Lasting.ADDED_SETTINGS},
        ),
    ],
)
def test_what_going_back_could_not_undo(where: Environment, then: Environment, lasting: set[Lasting]) -> None:
    assert set(preview.of(then, build(where, OLD), build(then, NEW)).irreversible) == lasting


def test_a_rollback_is_the_same_the_other_way_round() -> None:
    wider = replace(GROUP, settings=(*GROUP.settings, ("LEVEL", "9")))
    there = group(build(GROUP, OLD), build(wider, NEW)).changes
    back = group(build(wider, NEW), build(GROUP, OLD)).changes
    assert (back.image_from, back.image_to) == (there.image_to, there.image_from)
    assert (back.added, back.removed) == (there.removed, there.added) == ((), ("LEVEL",))


def test_another_image_name_and_an_identity_are_properties() -> None:
    moved = build(GROUP, replace(NEW, image="registry.example/other"))
    assert (
        Property(path="image", was="registry.example/shop", now="registry.example/other")
        in group(build(GROUP, OLD), moved).changes.properties
    )
    without = group(build(GROUP, OLD), build(replace(GROUP, pull_identity=""), NEW)).changes.properties
    assert [each.path for each in without if each.path.startswith("identity.userAssignedIdentities")]


def test_another_kind_of_resource_is_not_compared_line_by_line() -> None:
    found = preview.of(SITE, build(GROUP, OLD), build(SITE, NEW))
    assert found.target is TargetKind.WEB_APP
    assert found.changes == Changes(image_from=given.OLD_DIGEST, image_to=given.NEW_DIGEST)

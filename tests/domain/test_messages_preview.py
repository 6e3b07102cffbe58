"""A plan preview as people read it: every page once, names of settings and never their values."""

from __future__ import annotations

import string
from dataclasses import replace

import pytest
from hypothesis import given as given_that
from hypothesis import strategies as st
from syrupy.assertion import SnapshotAssertion

from bot.domain import preview
from bot.domain.messages import vouched
from bot.domain.messages.preview import brief, lines, refused_difference
from bot.domain.model import Environment, Plan
from tests.domain.pages import Page
from tests.domain.test_plan import GROUP, SITE, build
from tests.domain.test_preview import NEW, OLD, UNBUILT

STORIES: dict[str, tuple[Environment, Plan | None, Plan]] = {
    "first_group": (GROUP, None, build(GROUP, NEW)),
    "first_site": (SITE, None, build(SITE, NEW)),
    "restart": (GROUP, build(GROUP, OLD), build(GROUP, NEW)),
    "restart_with_settings": (
        GROUP,
        build(GROUP, OLD),
        build(replace(GROUP, settings=(("AREA", "us"), ("LEVEL", "9"))), NEW),
    ),
    "recreate": (GROUP, build(GROUP, OLD), build(replace(GROUP, cpu=2.0), NEW)),
    "another_name": (GROUP, build(GROUP, OLD), build(replace(GROUP, dns_label="shop-new"), NEW)),
    "slot_swap": (SITE, build(SITE, OLD), build(replace(SITE, settings=(("LEVEL", "9"),)), NEW)),
    "slot_swap_of_what_is_not_built": (SITE, build(SITE, OLD), build(SITE, replace(UNBUILT, health_path="/ready"))),
    "moved": (SITE, build(GROUP, OLD), build(SITE, NEW)),
    "nothing": (GROUP, build(GROUP, NEW), build(GROUP, NEW)),
    "settings_alone": (SITE, build(SITE, NEW), build(replace(SITE, settings=()), NEW)),
    "rollback": (GROUP, build(replace(GROUP, cpu=2.0), NEW), build(GROUP, OLD)),
}


def test_the_pages_of_a_preview(snapshot: SnapshotAssertion) -> None:
    told = []
    for name, (where, old, new) in STORIES.items():
        found = preview.of(where, old, new)
        told.append(f"## {name}\n\n{lines(found)}\n\nIn brief: {brief(found)}")
    assert "\n\n".join(told) + "\n" == snapshot(extension_class=Page)


@pytest.mark.parametrize("name", list(STORIES))
def test_every_line_is_one_line(name: str) -> None:
    where, old, new = STORIES[name]
    found = preview.of(where, old, new)
    assert all(line.startswith("- ") for line in lines(found).splitlines())
    assert "\n" not in brief(found)
    assert not brief(found).endswith(".")


def test_what_no_longer_fits_is_told_part_by_part() -> None:
    approved = build(GROUP, NEW)
    assert refused_difference(approved, approved) == "nothing"
    assert refused_difference(approved, build(SITE, NEW)) == (
        "it would go to a web-app instead of a container-instance"
    )
    assert refused_difference(approved, build(replace(GROUP, cpu=2.0, settings=(("MODE", "c"),)), NEW)) == (
        "setting `AREA` removed; setting `MODE` changed; `containers[0].resources.requests.cpu`: `1.0` → `2.0`"
    )
    assert refused_difference(build(GROUP, OLD), approved) == "image `sha256:111111111111…` → `sha256:222222222222…`"


def test_a_long_difference_is_cut_and_says_so() -> None:
    many = replace(GROUP, settings=tuple((f"NAME_{n}", "x") for n in range(40)))
    told = refused_difference(build(GROUP, NEW), build(many, NEW))
    assert told.endswith("and 38 more differences")
    assert vouched(told) == told
    assert "and 12 more settings" in lines(preview.of(many, build(GROUP, OLD), build(many, NEW)))


def test_rule_14_names_and_values_of_a_plan_stay_text() -> None:
    nasty = "x`](https://evil.example) @everyone <img src=x> | #1\n- done"
    there = replace(GROUP, settings=((nasty, "v"),))
    release = replace(NEW, health_path="/`@everyone|<b>")
    text = lines(preview.of(there, build(GROUP, OLD), build(there, release)))
    outside = "".join(text.split("`")[0::2])
    assert not any(live in outside for live in ("evil", "@everyone", "<img", "<b>", "|", "#1"))
    assert text.count("\n") == len([line for line in text.splitlines() if line.startswith("- ")]) - 1


_names = st.text(string.ascii_uppercase + "_", min_size=1, max_size=12)
_values = st.text(string.ascii_lowercase + string.digits, max_size=24).map(lambda tail: f"zq{tail}qz")
_settings = st.dictionaries(_names, _values, max_size=5).map(lambda found: tuple(found.items()))


@given_that(where=st.sampled_from([GROUP, SITE]), was=_settings, now=_settings, cpu=st.sampled_from([1.0, 2.0]))
def test_no_value_of_a_setting_is_ever_part_of_a_preview(
    where: Environment, was: tuple[tuple[str, str], ...], now: tuple[tuple[str, str], ...], cpu: float
) -> None:
    before, after = replace(where, settings=was), replace(where, settings=now, cpu=cpu)
    pages = [
        text
        for old, new in (
            (build(before, OLD), build(after, NEW)),
            (build(before, NEW), build(after, NEW)),
            (None, build(after, UNBUILT)),
            (build(before, OLD), build(GROUP if where is SITE else SITE, NEW)),
        )
        for found in (preview.of(where, old, new),)
        for text in (lines(found), brief(found), repr(found), refused_difference(old or new, new))
    ]
    for _, value in (*was, *now):
        assert not any(value in page for page in pages)

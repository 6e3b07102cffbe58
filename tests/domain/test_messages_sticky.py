"""The one comment on a pull request, and the table of what runs where."""

from __future__ import annotations

from dataclasses import replace

import pytest
from markdown_it import MarkdownIt
from syrupy.assertion import SnapshotAssertion

from bot.domain.commands import Command, parse
from bot.domain.freezes import Frozen
from bot.domain.messages import report, sticky_comment, sticky_marker
from bot.domain.model import Ban, Drift, EnvironmentState, Hold, Lock, Stage, Untrusted
from bot.domain.rules import Freeze
from tests.domain import given
from tests.domain.pages import Page
from tests.domain.stories import STORIES, Place, pull_request_places


def comment(places: tuple[Place, ...], sections: dict[str, str] | None = None) -> str:
    return sticky_comment(given.APPLICATION, places, pull_request=5, sections=sections, now_us=given.NOW)


def test_the_comment_of_a_pull_request(snapshot: SnapshotAssertion) -> None:
    places = pull_request_places()
    sections = {
        place.environment.id: report(
            place.latest, application=given.APPLICATION, environment=place.environment,
            now_us=given.NOW,
        ).section
        for place in places
        if place.latest
    }  # fmt: skip
    assert comment(places, sections) + "\n" == snapshot(extension_class=Page)


@pytest.mark.parametrize("name", list(STORIES))
def test_the_row_of_every_state(name: str, snapshot: SnapshotAssertion) -> None:
    dev, test, production = pull_request_places()
    text = comment((dev, test, replace(production, latest=STORIES[name])))
    assert text + "\n" == snapshot(extension_class=Page)


def test_the_next_line_leads_from_stage_to_stage() -> None:
    dev, test, production = pull_request_places()
    fresh = comment((replace(dev, running=None, latest=None), *(replace(p, running=None, latest=None)
                                                                for p in (test, production))))  # fmt: skip
    assert "It comes here by itself" in fresh
    assert "First it must be healthy in dev." in fresh
    after_dev = comment((dev, replace(test, latest=None), replace(production, latest=None)))
    assert "`/promote test @bbbbbbbbbbbb` brings it here." in after_dev
    assert "First it must be healthy in test." in after_dev
    after_test = comment((dev, test, replace(production, latest=None)))
    assert "`/promote production @bbbbbbbbbbbb` brings it here." in after_test


def test_every_line_to_paste_is_a_command_that_we_understand() -> None:
    for story in STORIES.values():
        dev, test, production = pull_request_places()
        table = comment((dev, test, replace(production, latest=story)))
        pieces = [piece for piece in table.split("`") if piece.startswith("/")]
        for piece in pieces:
            assert isinstance(parse(piece.replace("<reason>", "because")), Command), piece


def test_what_keeps_an_environment_as_it_is_stands_in_its_row(snapshot: SnapshotAssertion) -> None:
    dev, test, production = pull_request_places()
    nasty = Untrusted("`</table>` @everyone | <b>")
    held = (Hold(commit=given.OLD, digest=given.OLD_DIGEST, stream="s", since_us=1),)
    lock = Lock(owner=given.OTHER, reason=nasty, since_us=given.NOW, until_us=given.NOW + given.HOUR)
    drift = Drift(expected=given.NEW_DIGEST, found="", since_us=given.NOW)
    places = (
        replace(dev, own=EnvironmentState(environment_id=dev.environment.id, drift=drift)),
        replace(test, own=EnvironmentState(environment_id=test.environment.id, lock=lock, held=held)),
        replace(production, own=EnvironmentState(environment_id="", lock=replace(lock, until_us=given.NOW - 1))),
    )
    freeze = Freeze(name="weekend", starts="2026-01-02T18:00", minutes=60, reason=nasty)
    ban = Ban(commit=given.NEW, digest=given.NEW_DIGEST, reason=nasty, by=given.OTHER, since_us=1)
    text = sticky_comment(
        given.APPLICATION, places, pull_request=5, now_us=given.NOW, bans=(ban,),
        frozen={production.environment.id: Frozen(freeze=freeze, until_us=given.NOW + given.HOUR)},
    )  # fmt: skip
    assert text + "\n" == snapshot(extension_class=Page)


def test_a_release_that_was_replaced_is_not_called_live() -> None:
    dev, test, production = pull_request_places()
    other = replace(STORIES["live"], stream="another")
    assert "Was live; another release runs now" in comment((replace(dev, running=other), test, production))


def test_it_never_grows_too_long_for_github() -> None:
    places = pull_request_places() * 200
    long = comment(places, {place.environment.id: "ä" * 9_000 for place in places})
    assert len(long.encode()) < 65_000
    assert "More is left out here" in long
    one = comment(pull_request_places(), {pull_request_places()[0].environment.id: "ä" * 40_000})
    assert len(one.encode()) < 65_000
    assert one.count("\n| ") == 4


def test_the_marker_is_hidden_and_cannot_be_left() -> None:
    assert sticky_marker(given.APPLICATION.id, 5) == f"<!-- miso:{given.APPLICATION.id}:5 -->"
    assert "-->" not in sticky_marker("x--><b>", 5)[:-3]
    first = MarkdownIt("commonmark").parse(comment(pull_request_places()))[0]
    assert first.type == "html_block"
    assert first.content.startswith("<!-- miso:")


def test_rule_14_a_name_cannot_break_the_table() -> None:
    text = sticky_comment(replace(given.APPLICATION, name="x | `y`\n| @everyone"), (), pull_request=5)
    assert "### Miso · `x ¦ 'y' ¦ @everyone`" in text
    assert "No environment is registered yet." in text


def test_stages_that_are_named_alike_are_told_apart_by_application() -> None:
    dev, test, production = pull_request_places()
    foreign = replace(test, application=replace(given.APPLICATION, id="other"))
    text = comment((dev, foreign, replace(production, latest=None)))
    assert f"First it must be healthy in {Stage.TEST}." in text

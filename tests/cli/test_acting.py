"""People act from a shell as whoever signed in: the same verbs as comments and buttons, through HTTP alone.

On the wire: the pretend Entra, the pretend GitHub, and a controller whose store no command here ever opens.
"""

from __future__ import annotations

import asyncio
import json
import os
import pty
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from bot.cli.calling import Server
from bot.domain.codes import Code
from bot.sim.scenarios import AUDITORS
from tests.cli.conftest import Arrives, Desk

pytestmark = pytest.mark.full


async def test_somebody_signs_in_is_nobody_until_linked_and_then_acts_as_their_github_account(
    registered: Desk, arrives: Arrives
) -> None:
    number = await registered.ships("Add a basket")
    ann = await arrives("ann")
    known = await ann.types("whoami")
    assert "Ann" in known.output
    assert "none is linked" in known.output
    assert "/link CODE" in known.output

    nobody = await ann.types("promote", "test")
    assert nobody.exit_code == 1
    assert Code.NOT_LINKED in nobody.output

    await ann.links(on=number)
    asked = await ann.types("promote", "test", "--json")
    assert asked.exit_code == 0, asked.output
    document = json.loads(asked.output)
    assert document["requester"]["login"] == "ann"
    assert document["requester"]["id"] == registered.shop.people["ann"]
    await registered.settle()
    shown = await ann.types("show", document["id"], "--watch")
    assert shown.exit_code == 0, shown.output
    assert "live" in shown.output.lower()


async def test_following_what_ends_badly_tells_each_step_and_says_so_by_its_exit_code(
    registered: Desk, arrives: Arrives
) -> None:
    number = await registered.ships("Add a basket")
    ann = await arrives("ann")
    await ann.links(on=number)
    digest = json.loads((await ann.types("show", "dev", "--json")).output)["digest"]
    await registered.sim.call("arm.mark", digest=digest, mark="unhealthy")
    working = asyncio.create_task(registered.running.worker.run())
    try:
        done = await ann.types("promote", "test", "--watch")
    finally:
        working.cancel()
        with suppress(asyncio.CancelledError):
            await working
    assert done.exit_code == 1, done.output
    assert len(done.stdout.splitlines()) > 1
    assert "✗" in done.output


async def test_what_is_signed_is_shown_before_and_a_sign_in_by_code_signs_nothing_for_production_unless_it_may(
    registered: Desk, arrives: Arrives
) -> None:
    number = await registered.ships("Add a basket")
    ann, bob = await arrives("ann"), await arrives("bob")
    for who in (ann, bob):
        await who.links(on=number)
    await ann.types("promote", "test")
    await registered.settle()
    asked = await ann.types("promote", "production")
    assert asked.exit_code == 0, asked.output
    assert "approval" in asked.output

    card = await bob.types("show", "production")
    document = json.loads((await bob.types("show", "production", "--json")).output)
    for part in (document["commit"], document["evidence"], document["image"], "slot", "0 of 1", "Plan"):
        assert part in card.output
    assert card.exit_code == 0

    unseen = await bob.types("approve", "production")
    assert unseen.exit_code == 2
    assert "--yes" in unseen.output
    other = await bob.types("approve", "production", "--yes", "0123456789")
    assert (other.exit_code, Code.PLAN_CHANGED in other.output) == (1, True)
    short = await bob.types("approve", "production", "--yes", document["evidence"][:7])
    assert short.exit_code == 1

    no = await bob.types("approve", "production", "--yes", document["evidence"][:8], "--json")
    assert no.exit_code == 1
    assert json.loads(no.stdout)["code"] == Code.DEVICE_MAY_NOT_APPROVE


@pytest.mark.parametrize("production", [{"device_approvals": True}])
async def test_rule_9_four_eyes_compare_people_through_this_door_too(registered: Desk, arrives: Arrives) -> None:
    number = await registered.ships("Add a basket")
    ann, bob = await arrives("ann"), await arrives("bob")
    for who in (ann, bob):
        await who.links(on=number)
    await ann.types("promote", "test")
    await registered.settle()
    asked = json.loads((await ann.types("promote", "production", "--json")).output)
    yes = ("--yes", asked["evidence"][:8])
    own = await ann.types("approve", asked["id"], *yes)
    assert own.exit_code == 1
    assert Code.AUTHOR_IS_APPROVER in own.output
    again = await bob.types("approve", "production", *yes)
    assert again.exit_code == 0, again.output
    back = await bob.types("revoke", "production", "--json")
    assert json.loads(back.output)["approvals"] == []
    await bob.types("approve", "production", *yes)
    await registered.settle()
    done = await bob.types("show", asked["id"], "--watch", "--json")
    assert done.exit_code == 0, done.output
    document = json.loads(done.output)
    assert [each["by"]["id"] for each in document["approvals"]] == [registered.shop.people["bob"]]


async def test_what_waits_can_be_taken_back_and_rejected(registered: Desk, arrives: Arrives) -> None:
    number = await registered.ships("Add a basket")
    ann, bob = await arrives("ann"), await arrives("bob")
    for who in (ann, bob):
        await who.links(on=number)
    assert (await ann.types("approve", "test")).exit_code == 1
    await ann.types("promote", "test")
    await registered.settle()
    await ann.types("promote", "production")
    done = await ann.types("cancel", "production", "--reason", "not today", "--json")
    assert json.loads(done.output)["status"] == "cancelled"
    await ann.types("promote", "production")
    done = await bob.types("reject", "production", "--reason", "the fair is on")
    assert done.exit_code == 0, done.output
    nothing = await bob.types("reject", "production")
    assert nothing.exit_code == 1
    assert Code.NOTHING_TO_REJECT in nothing.output


async def test_what_is_refused_is_told_rule_by_rule_as_on_github(registered: Desk, arrives: Arrives) -> None:
    number = await registered.ships("Add a basket")
    ann = await arrives("ann")
    await ann.links(on=number)
    commit = json.loads((await ann.types("show", "dev", "--json")).output)["commit"]
    done = await ann.types("promote", "production", commit)
    assert done.exit_code == 1
    assert "✗" in done.output
    assert "The release has not been healthy in test yet" in done.output or Code.NOT_VERIFIED_BEFORE in done.output


@pytest.mark.parametrize(
    ("command", "code", "word"),
    [
        (("promote", "moon"), 1, Code.STAGE_UNKNOWN),
        (("promote", "test", "abc"), 1, Code.SHA_MALFORMED),
        (("promote", "dev"), 2, "name it"),
        (("promote", "test", "--application", "fair"), 2, "shop"),
        (("show", "promotion-" + "0" * 24), 1, Code.NOT_FOUND),
    ],
    ids=str,
)
async def test_what_cannot_be_meant_is_said(
    registered: Desk, arrives: Arrives, command: tuple[str, ...], code: int, word: str
) -> None:
    ann = await arrives("ann")
    done = await ann.types(*command)
    assert done.exit_code == code, done.output
    assert word in done.output


@pytest.mark.parametrize(
    "command",
    [("promote", "test"), ("approve", "test"), ("show", "test"), ("whoami",), ("people", "unlink", "entra:a:b")],
    ids=" ".join,
)
async def test_nobody_acts_who_did_not_sign_in(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    """Not with all of the controller's settings at hand either: access to a shell is no identity."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    done = await desk.miso(*command)
    assert done.exit_code == 1
    assert Code.NOT_SIGNED_IN in done.output


@pytest.mark.parametrize("production", [{"device_approvals": True}])
async def test_links_are_for_administrators(registered: Desk, arrives: Arrives) -> None:
    number = await registered.ships("Add a basket")
    ann = await arrives("ann")
    await ann.links(on=number)
    for command in (("link", "entra:a:b", "11", "ann"), ("unlink", "entra:a:b")):
        done = await ann.types("people", *command)
        assert done.exit_code == 1
        assert Code.ROLE_MISSING in done.output


@pytest.mark.parametrize("roles", [{"administrator": {"groups": [AUDITORS]}}])
async def test_who_somebody_is_cannot_be_said_by_a_code_that_was_typed(registered: Desk, arrives: Arrives) -> None:
    """It would be a way round: link one's own second identity to a colleague, and approve as them in a browser."""
    number = await registered.ships("Add a basket")
    eve = await arrives("eve")
    await eve.links(on=number)
    done = await eve.types("people", "link", "entra:a:b", str(registered.shop.people["ann"]), "ann")
    assert done.exit_code == 1
    assert Code.DEVICE_MAY_NOT_APPROVE in done.output


@pytest.mark.parametrize("production", [{"device_approvals": True}])
@pytest.mark.parametrize("roles", [{"administrator": {"groups": [AUDITORS]}}])
async def test_an_administrator_says_who_somebody_is_and_takes_it_back(registered: Desk, arrives: Arrives) -> None:
    number = await registered.ships("Add a basket")
    ann, eve = await arrives("ann"), await arrives("eve")
    await eve.links(on=number)
    subject = json.loads((await ann.types("whoami", "--json")).output)["subject"]
    done = await eve.types("people", "link", subject, str(registered.shop.people["ann"]), "ann")
    assert done.exit_code == 0, done.output
    await ann.signs_in()  # whoever became somebody else is signed out everywhere
    assert json.loads((await ann.types("whoami", "--json")).output)["github"]["id"] == registered.shop.people["ann"]
    assert (await eve.types("people", "unlink", subject)).exit_code == 0
    gone = await ann.types("whoami")
    assert gone.exit_code == 1
    assert "✗" in gone.output


async def test_no_command_of_a_person_opens_the_store(
    registered: Desk, arrives: Arrives, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = await arrives("ann")
    opened: list[str] = []

    def load() -> None:
        opened.append("settings")
        raise AssertionError("a command of a person read the controller's settings")

    monkeypatch.setattr("bot.settings.load", load)
    for command in (("whoami",), ("show", "dev"), ("promote", "test"), ("logout",)):
        await ann.types(*command)
    assert opened == []


async def test_the_same_invocation_sent_twice_is_done_once(
    registered: Desk, arrives: Arrives, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy that repeats a request, or an answer that was lost: one key, one promotion."""
    number = await registered.ships("Add a basket")
    ann = await arrives("ann")
    await ann.links(on=number)
    asked: list[str] = []

    async def twice(there: Server, method: str, path: str, body: Any = None, *, key: str = "") -> Any:
        answers = [await once(there, method, path, body, key=key) for _ in range(2 if key else 1)]
        asked.extend(each["id"] for each in answers if key)
        return answers[-1]

    once = Server.call
    monkeypatch.setattr(Server, "call", twice)
    assert (await ann.types("promote", "test")).exit_code == 0
    assert len(asked) == 2
    assert len(set(asked)) == 1


def test_a_person_at_a_terminal_is_asked_and_no_is_the_answer_without_a_word() -> None:
    """In a process of its own, at a terminal: what is signed is on the screen before the question."""
    lines = (
        "from bot.cli import acting",
        "from bot.cli.promotion import Account, Promotion",
        "now = Promotion(id='promotion-1', status='requested', open=True, application='shop', application_id='a',",
        "    environment_id='e', environment='prod', stage='production', commit='b' * 40, evidence='e' * 64,",
        "    requester=Account(id=11, login='ann'), plan=('Image: x → y',))",
        "acting._agreed(now, '', False)",
    )
    for typed, good in (("\n", False), ("n\n", False), ("y\n", True)):
        ours, theirs = pty.openpty()
        with subprocess.Popen(
            [sys.executable, "-c", "\n".join(lines)], stdin=theirs, stdout=theirs, stderr=theirs
        ) as it:
            os.write(ours, typed.encode())
            code = it.wait(timeout=60)
        seen = os.read(ours, 100_000).decode()
        assert (code == 0) is good, seen
        assert seen.index("Image: x → y") < seen.index("Approve bbbbbbbbbbbb for shop / production?")
        os.close(ours)
        os.close(theirs)

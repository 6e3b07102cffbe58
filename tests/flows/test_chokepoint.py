"""Rule 16: whatever changes something passes one question. With the question answered no, nothing moves by any door.

Every mutating route of the built application, every verb of the grammar and every button stands in a table here; a new
one that does not fails. Then each is used on the wire while `authorize` refuses all but a look: what it asked for is
compared with the table, and the journal with what it was.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bot.domain import authorization
from bot.domain.codes import Code
from bot.domain.commands import Verb
from bot.domain.identity import Deed, Door, Principal, SignedIn
from bot.domain.messages.buttons import Button
from bot.domain.model import Actor, ActorKind
from bot.services import links, people, sessions
from bot.services.bearer import fresh, key_of
from bot.services.notes import Note
from bot.services.sessions import Session
from bot.sim.scenarios import APPLICATION_ID
from bot.web import auth
from tests.flows.stage import Stage, staged
from tests.flows.test_buttons import card, presses
from tests.flows.test_gate import at_the_gate, looks_again, state_of
from tests.flows.words import live, waiting
from tests.flows.workflow import Answer, Workflow, working

ONE = "/api/v1/promotions/{id}/{word}"
ROUTES = {
    "POST /api/v1/promotions": Deed.PROMOTE,
    "POST /api/v1/promotions rollback": Deed.ROLL_BACK,
    f"POST {ONE} approve": Deed.APPROVE,
    f"POST {ONE} reject": Deed.REJECT,
    f"POST {ONE} revoke": Deed.REVOKE,
    f"POST {ONE} cancel": Deed.CANCEL_OTHERS,
    "POST /api/v1/tokens/{sha256}/revoke": Deed.REVOKE_TOKENS,
    "POST /api/v1/links": Deed.LINK_OTHERS,
    "DELETE /api/v1/links": Deed.LINK_OTHERS,
    "POST /account/link": Deed.LINK,
    "POST /account/people": Deed.LINK_OTHERS,
    "POST /oidc/token": Deed.EXCHANGE,
    "POST /oidc/introspect": Deed.READ_TOKENS,
    "POST /oidc/assertion": Deed.PROMOTE,
}
"""What each mutating route asks for. A word behind the path tells uses of one route apart."""
EXEMPT = {
    "POST /github/webhooks": "a signed delivery; the verbs that it leads to ask",
    "POST /oidc/revoke": "whoever holds a token may end it (RFC 7009), and nothing else",
    "POST /oidc/device_authorization": "begins a sign-in; nobody is anybody yet",
    "POST /device": "somebody's own sign-in: it gives a second one to the same person, who may no more than before",
    "POST /sign-out": "ends one's own sessions",
}
VERBS = {
    Verb.PROMOTE: ("/promote test @{commit}", Deed.PROMOTE),
    Verb.APPROVE: ("/approve", Deed.APPROVE),
    Verb.REVOKE: ("/revoke", Deed.REVOKE),
    Verb.REJECT: ("/reject", Deed.REJECT),
    Verb.CANCEL: ("/cancel", Deed.CANCEL_OTHERS),
    Verb.ROLLBACK: ("/rollback dev", Deed.ROLL_BACK),
    Verb.CLEAR: ("/clear @{commit} why not", Deed.CLEAR),
    Verb.LOCK: ("/lock dev a fair", Deed.LOCK),
    Verb.UNLOCK: ("/unlock dev", Deed.UNLOCK),
    Verb.WHY: ("/why production", Deed.LOOK),
    Verb.POLICY: ("/policy", Deed.LOOK),
    Verb.LINK: ("/link BBBB-BBBB-BBBB", Deed.LINK),
    Verb.STATUS: ("/status", Deed.LOOK),
    Verb.HELP: ("/help", Deed.LOOK),
}
MORE = [
    ("/reject @{commit} it leaks", Deed.BAN),
    ("/policy accept 0123456789ab", Deed.DECIDE_POLICY),
    ("/policy reject 0123456789ab", Deed.DECIDE_POLICY),
    ("/promote production @{commit} --break-glass now", Deed.PROMOTE),
]
"""Further meanings of the same verbs."""
BUTTONS = {Button.APPROVE: Deed.APPROVE, Button.REJECT: Deed.REJECT, Button.ROLLBACK: Deed.ROLL_BACK}
SAID = {Note.COMMAND_SEEN, Note.COMMAND_ANSWERED, Note.COMMAND_REFUSED, Note.DOOR_REFUSED, Note.EXCHANGE_REFUSED}
"""Rows that a refusal leaves behind."""


@contextmanager
def shut(monkeypatch: pytest.MonkeyPatch, *, but: frozenset[Deed] = frozenset({Deed.LOOK})) -> Iterator[list[Deed]]:
    """Whatever asks is refused, but for these deeds. Gives what was asked for."""
    asked: list[Deed] = []
    honest = authorization.barred

    def barred(principal: Principal, deed: Deed, *more: Any) -> Code | None:
        asked.append(deed)
        return honest(principal, deed, *more) if deed in but else Code.ROLE_MISSING

    with monkeypatch.context() as patched:
        patched.setattr(authorization, "barred", barred)
        yield asked


async def kinds(stage: Stage) -> list[str]:
    """Everything in the ledger but what a refusal leaves."""
    found, after = [], 0
    while page := await stage.miso.store.ledger(after=after, limit=500):
        found += [row.kind for row in page if row.kind not in SAID]
        after = page[-1].position
    return found


# --- the tables are whole --------------------------------------------------------------------------------------------


def mutating(stage: Stage) -> set[str]:
    found = set()
    for route in stage.running.web.router.routes():
        if route.method not in ("GET", "HEAD", "OPTIONS"):
            path = route.resource.canonical if route.resource is not None else "?"
            found.add(f"{route.method} {path}")
    return found


async def test_rule_16_every_mutating_route_is_known_here(stage: Stage) -> None:
    known = {" ".join(name.split(" ")[:2]) for name in ROUTES}
    assert not known & EXEMPT.keys()
    assert mutating(stage) == known | EXEMPT.keys()


def test_rule_16_every_verb_and_every_button_is_known_here() -> None:
    assert VERBS.keys() == set(Verb)
    assert BUTTONS.keys() == set(Button)


def test_every_deed_of_a_door_is_tried_here() -> None:
    tried = {*ROUTES.values(), *(deed for _, deed in VERBS.values()), *(deed for _, deed in MORE), *BUTTONS.values()}
    # One's own request by the author; another's lock once one's own is asked for; two that only look.
    beside = {Deed.CANCEL, Deed.TAKE_LOCK, Deed.READ_LEDGER}
    assert tried | beside == set(Deed)


# --- comments, buttons, the gate -------------------------------------------------------------------------------------


@pytest.mark.full
async def test_rule_16_no_command_moves_anything_while_the_question_is_answered_no(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stage.ships("First")
    pull = await waiting(stage, "Second")
    before = await kinds(stage)
    for line, deed in [*VERBS.values(), *MORE]:
        text = line.format(commit=pull["merge_commit_sha"][:12])
        but = frozenset({Deed.LOOK}) - {deed}
        with shut(monkeypatch, but=but) as asked:
            told = await stage.says("bob", text, on=pull["number"])
        assert deed in asked, text
        assert "role_missing" in told["replies"][0] or "not_yours" in told["replies"][0], (text, told["replies"])
        assert await kinds(stage) == before, text


async def test_rule_16_no_button_does_either(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    await live(stage, "First")
    await live(stage, "Second")
    running = await card(stage)
    await waiting(stage, "Third")
    shown = await card(stage)
    before = await kinds(stage)
    for check, label, deed in (
        (shown, "Approve", BUTTONS[Button.APPROVE]),
        (shown, "Reject", BUTTONS[Button.REJECT]),
        (running, "Roll back", BUTTONS[Button.ROLLBACK]),
    ):
        with shut(monkeypatch) as asked:
            await presses(stage, "bob", check, label)
        assert deed in asked, label
        assert await kinds(stage) == before, label


async def test_rule_16_and_26_no_gate_opens_either(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    pull = await live(stage, "Live")
    with shut(monkeypatch, but=frozenset()) as asked:
        run = await at_the_gate(stage, pull["merge_commit_sha"])
        assert Deed.LOOK in asked
        assert await state_of(stage, run) == "pending"
    await looks_again(stage)
    assert await state_of(stage, run) == "approved", "the same gate, once the question is answered"


# --- routes ----------------------------------------------------------------------------------------------------------


@pytest.fixture
async def caller(stage: Stage) -> AsyncIterator[Workflow]:
    async with working(stage) as ready:
        yield ready


async def browser_of(stage: Stage, login: str) -> dict[str, str]:
    """Headers of a browser in which somebody is signed in, linked to the GitHub account of that name."""
    subject, secret, now = f"entra:tenant:{login}", fresh(), stage.clock.now_us()
    number = stage.world.github.person(login).id
    at_github = Principal(actor=Actor(kind=ActorKind.PERSON, id=number, login=login), door=Door.COMMENT)
    guest = Principal(actor=Actor(kind=ActorKind.PERSON, id=0), door=Door.PORTAL, subject=subject)
    await links.prove(stage.miso, at_github, await links.begin(stage.miso, guest), f"link:{login}")
    signed = SignedIn(subject=subject, name=login, groups=frozenset())
    session = Session(
        subject=subject, account=number, agent="a browser", began_us=now, seen_us=now, ends_us=now + 3_600_000_000
    )
    kept = sessions.keep(stage.miso, key_of(secret), session)
    assert await stage.miso.store.keep(people.news(stage.miso, signed, None), kept)
    who = await sessions.of_cookie(stage.miso, secret)
    assert who is not None
    return {
        "Cookie": f"miso={secret}",
        auth.CSRF_HEADER: auth.csrf_of(stage.miso, who),
        "Origin": stage.url,
        "Sec-Fetch-Site": "same-origin",
    }


async def asks(caller: Workflow, method: str, path: str, **more: Any) -> int:
    async with caller.http.request(method, f"{caller.stage.url}{path}", **more) as answer:
        return answer.status


async def test_rule_16_no_route_moves_anything_either(
    stage: Stage, caller: Workflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stage.ships("First")
    await waiting(stage, "Second")
    stream, commit = (await stage.latest("production")).stream, (await stage.latest("test")).request.release.commit
    browser = await browser_of(stage, "bob")
    there = {"application_id": APPLICATION_ID, "environment_id": stage.environments["dev"]}
    link = {"subject": "entra:tenant:eve", "github_id": 1, "login": "eve"}
    bodies: dict[str, Any] = {
        "POST /api/v1/promotions": {**there, "commit": commit},
        "POST /api/v1/promotions rollback": {**there, "rollback": True},
        "POST /api/v1/links": link,
        "DELETE /api/v1/links": {"subject": "entra:tenant:bob"},
    }
    by_browser = [name for name in ROUTES if "/oidc/" not in name]
    before = await kinds(stage)
    for name in by_browser:
        method, path, *word = name.split(" ")
        path = path.format(id=stream, word=(word or [""])[0], sha256="0" * 64)
        with shut(monkeypatch) as asked:
            status = await asks(caller, method, path, headers=browser, json=bodies.get(name))
        assert ROUTES[name] in asked, name
        assert status == 403, (name, status)
        assert await kinds(stage) == before, name


async def test_rule_16_no_token_is_given_and_none_opens_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with staged(tmp_path, MISO_WORKFLOW_ASSERTIONS="true") as stage, working(stage) as caller:
        built = await caller.builds("Built")
        token = await caller.token("dev", built["run"])
        another = await caller.id_token("dev", built["run"])
        browser = await browser_of(stage, "bob")
        before = await kinds(stage)
        asking: dict[str, Callable[[], Awaitable[Answer]]] = {
            "POST /oidc/token": lambda: caller.exchange(another),
            "POST /oidc/assertion": lambda: caller.post("/oidc/assertion", {}, token=token),
            "POST /api/v1/promotions": lambda: caller.promotes(token),
        }
        for name, ask in asking.items():
            with shut(monkeypatch) as asked:
                answer = await ask()
            assert ROUTES[name] in asked, name
            assert answer.status in (400, 403), (name, answer)
        with shut(monkeypatch) as asked:
            assert await asks(caller, "POST", "/oidc/introspect", headers=browser, data={"token": token}) == 200
        assert ROUTES["POST /oidc/introspect"] in asked
        # That a token was shown is written down before anything else.
        assert [kind for kind in await kinds(stage) if kind != Note.TOKEN_USED] == before
        assert await stage.runs("dev") == ""

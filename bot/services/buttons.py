"""A button pressed on a check run: the same verbs as a typed command, with the identifier of the card as proof of age.

Called by the `check_run` door. A click on a card that has since changed is answered "out of date" (rule 21); the
answer goes to the pull request's conversation where there is one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from bot.context import Miso
from bot.domain import messages
from bot.domain.catalog import Bound
from bot.domain.codes import Code
from bot.domain.identity import Door, Principal
from bot.domain.messages import refusal
from bot.domain.messages.buttons import Button, is_current, parse_button
from bot.domain.model import Actor, ActorKind, Environment
from bot.domain.promotion import Promotion
from bot.errors import Refused
from bot.services import access, approvals, choosing, journal, notes, promotions
from bot.services.access import Origin
from bot.services.notes import Note
from bot.services.promotions import Ask, Word


@dataclass(frozen=True, kw_only=True)
class Click:
    """What a webhook said of a click. `stream` is the check run's external id."""

    check_id: int
    stream: str
    identifier: str
    login: str
    user_id: int
    is_bot: bool


async def pressed(miso: Miso, origin: Origin, click: Click) -> None:
    """Do what the button says, as the person who pressed it; answer where the promotion was asked for."""
    # A check run that tells of something else than a promotion has no buttons.
    promotion = await journal.load(miso, click.stream) if click.stream.startswith("promotion-") else None
    if promotion is None or promotion.request.release.repository_id != origin.repository_id:
        return
    environment = await miso.store.environment(promotion.environment_id)
    if environment is None:
        return
    stream = journal.stream_id("command", "click", click.check_id, click.identifier, click.user_id)
    rows = await miso.store.stream(stream)
    if rows:
        return
    kind = ActorKind.APP if click.is_bot else ActorKind.PERSON
    actor = Actor(kind=kind, id=click.user_id, login=click.login)
    code = ""
    try:
        principal = Principal(actor=actor, door=Door.BUTTON)
        markdown, code = await _do(miso, origin, click, promotion, environment, principal)
    except Refused as no:
        markdown, code = messages.reply_refused(no), no.code
    body = {
        "installation": origin.installation_id,
        "repository": origin.repository_id,
        "pull_request": promotion.request.pull_request,
        "comment": 0,
        "login": click.login,
        "verb": click.identifier.partition(":")[0],
        "markdown": markdown,
        "code": code,
    }
    # A click that worked shows on the card itself; only one that did not needs words of its own. Whoever may not
    # write is not answered at all (rule 15).
    show = bool(code) and code != Code.PERMISSION_DENIED and promotion.request.pull_request > 0
    await notes.write(miso, stream, rows, Note.COMMAND_ANSWERED, actor, body, inbox_done=origin.delivery, show=show)


async def _do(
    miso: Miso, origin: Origin, click: Click, promotion: Promotion, environment: Environment, principal: Principal
) -> tuple[str, str]:
    role = await access.permission(access.facts_of(miso, origin), click.login, click.user_id)
    if not role.can_write:
        raise refusal(Code.PERMISSION_DENIED)
    button = parse_button(click.identifier)
    cause = f"click:{click.check_id}:{click.identifier}"
    if button is None or not is_current(click.identifier, promotion):
        if any(approval.cause == cause for approval in promotion.approvals):
            return "", ""
        raise refusal(Code.CARD_OUT_OF_DATE)
    word = Word(principal=principal, cause=cause)
    if button is Button.APPROVE:
        outcome = await approvals.approve(miso, promotion.stream, word, origin)
    elif button is Button.REJECT:
        outcome = await promotions.reject(miso, promotion.stream, word, origin, "")
    else:
        outcome = await _roll_back(miso, origin, promotion, environment, word)
    if outcome.decision is not None and outcome.decision.refused:
        code = outcome.decision.code or Code.NO_RULES
        return messages.reply_decision(outcome.decision, environment), code
    return "", ""


async def _roll_back(
    miso: Miso, origin: Origin, promotion: Promotion, environment: Environment, word: Word
) -> promotions.Outcome:
    place = await access.bind(miso, origin, environment.stage, word.actor)
    if not isinstance(place.binding, Bound):
        raise refusal(place.binding)
    target = await choosing.rollback_target(miso, place.binding.application, environment, "")
    ask = Ask(
        cause=word.cause,
        principal=word.principal,
        origin=replace(origin, delivery=""),
        release=target,
        rollback=True,
        pull_request=promotion.request.pull_request,
    )
    return await promotions.request(miso, ask, place, place.binding.application, environment)

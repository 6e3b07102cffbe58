"""A command typed on a pull request: from the comment to its one answer (path B).

Called by the `issue_comment` door. It finds out who typed and whether they may be heard, shows 👀 by a first row, has
`bot.services.answering` do what the command says, and records the answer; the report loop posts it. Somebody without
write access costs one 😕 and one row (rule 15), unless a code that somebody waits for is all that they type.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from enum import Enum
from typing import Any

from bot.context import Miso
from bot.domain import commands as grammar
from bot.domain import messages
from bot.domain.codes import Code
from bot.domain.commands import Command, CommandFault, NoCommand, Verb
from bot.domain.identity import Door, Principal
from bot.domain.messages import refusal
from bot.domain.model import Actor, ActorKind, Permission, Row
from bot.errors import Refused
from bot.services import access, answering, journal, links, notes
from bot.services.access import Origin
from bot.services.answering import Answer, Job, Written
from bot.services.notes import Note
from bot.services.promotions import text_hash

HOUR_US = 3_600_000_000
FOR_APPS = frozenset({Verb.PROMOTE, Verb.STATUS, Verb.WHY, Verb.POLICY, Verb.HELP})
"""What an App on the operator's list may say: ask, and nothing that counts as a person's word (rule 6)."""


async def written(miso: Miso, origin: Origin, comment: Written) -> None:
    """Hear a comment out. Ends with one answer, one 😕, or nothing when it was no command."""
    parsed = grammar.parse(comment.text)
    linking = isinstance(parsed, Command) and parsed.verb is Verb.LINK
    if isinstance(parsed, NoCommand) or (comment.on_issue and not linking):
        return
    pull = stream_of_pull(origin.repository_id, comment.pull_request)
    stream = journal.stream_id(pull, comment.comment_id, "edited" if comment.edited else "")
    rows = await miso.store.stream(stream)
    if notes.last(rows, Note.COMMAND_ANSWERED) or notes.last(rows, Note.COMMAND_REFUSED):
        return
    actor = Actor(
        kind=ActorKind.APP if comment.is_bot else ActorKind.PERSON,
        id=comment.app_id if comment.is_bot else comment.user_id,
        login=comment.login,
    )
    body = {
        "installation": origin.installation_id,
        "repository": origin.repository_id,
        "pull_request": comment.pull_request,
        "comment": comment.comment_id,
        "login": comment.login,
        "verb": parsed.verb if isinstance(parsed, Command) else "",
        "text": text_hash(comment.text),
    }
    heard: Permission | None = None
    if not rows:
        no, heard = await _unheard(miso, origin, comment, actor, parsed)
        if no is Unheard.IN_SILENCE:
            return
        kind = Note.COMMAND_REFUSED if no else Note.COMMAND_SEEN
        # On an issue the App may read and no more.
        show = no in ("", Code.PERMISSION_DENIED) and not comment.on_issue
        body = {**body, "code": no} if no else body
        done = origin.delivery if no else ""
        if not await notes.write(miso, stream, rows, kind, actor, body, inbox_done=done, show=show) or no:
            return
        rows = await miso.store.stream(stream)
    answer = await _answer(miso, origin, comment, Principal(actor=actor, door=Door.COMMENT), parsed, heard)
    told = {"markdown": answer.markdown, "code": answer.code}
    show = not comment.on_issue
    await notes.write(miso, stream, rows, Note.COMMAND_ANSWERED, actor, told, inbox_done=origin.delivery, show=show)


def stream_of_pull(repository_id: int, number: int | None = None) -> str:
    """How the names of the streams of all commands in a repository, or on one of its pull requests, begin."""
    return f"command-{repository_id}-" if number is None else f"command-{repository_id}-{number}"


class Unheard(Enum):
    """Beside the codes: not even a row is written."""

    IN_SILENCE = "in silence"


async def _unheard(
    miso: Miso, origin: Origin, comment: Written, actor: Actor, parsed: Command | CommandFault
) -> tuple[str | Unheard, Permission | None]:
    """Why this account is not listened to, as a code; "" when it is, with what GitHub said of it. One row says that
    the limit was reached."""
    since, limit = miso.clock.now_us() - HOUR_US, miso.rules.commands_per_hour
    here = stream_of_pull(origin.repository_id)
    said = [
        await miso.store.count(kind, since, actor_id=actor.id, stream_prefix=here)
        for kind in (Note.COMMAND_SEEN, Note.COMMAND_REFUSED)
    ]
    if sum(said) >= limit:
        return Code.COMMAND_LIMIT if sum(said) == limit else Unheard.IN_SILENCE, None
    pull = f"{stream_of_pull(origin.repository_id, comment.pull_request)}-"
    heard = await miso.store.count(Note.COMMAND_SEEN, since, stream_prefix=pull)
    if heard >= miso.rules.pull_request_commands_per_hour:
        return Code.COMMAND_LIMIT, None
    if actor.kind is ActorKind.APP:
        return "" if actor.id in miso.rules.bots_that_may_request else Code.BOT_REFUSED, None
    role = await access.permission(access.facts_of(miso, origin), comment.login, comment.user_id)
    if role.can_write:
        return "", role
    # Whoever signed in elsewhere may prove here who they are, though they may only read.
    code = parsed.code if isinstance(parsed, Command) else ""
    proves = bool(code) and await links.waits(miso, actor.id, code)
    return "" if proves else Code.PERMISSION_DENIED, role


async def _answer(
    miso: Miso,
    origin: Origin,
    comment: Written,
    principal: Principal,
    parsed: Command | CommandFault,
    heard: Permission | None,
) -> Answer:
    try:
        if comment.edited:
            raise refusal(Code.EDITED_COMMENT)
        if isinstance(parsed, CommandFault):
            raise messages.fault(parsed)
        now = await access.facts_of(miso, origin).comment(comment.comment_id)
        if now is None or now.user_id != comment.user_id or text_hash(now.body) != text_hash(comment.text):
            raise refusal(Code.EDITED_COMMENT)
        more = parsed.break_glass or parsed.word
        if principal.actor.kind is not ActorKind.PERSON and (more or parsed.verb not in FOR_APPS):
            raise refusal(Code.BOT_REFUSED)
        cause = f"comment:{origin.repository_id}:{comment.comment_id}"
        job = Job(
            miso=miso,
            origin=replace(origin, delivery=""),
            comment=comment,
            cause=cause,
            principal=principal,
            command=parsed,
            heard=heard,
        )
        return await answering.DO[parsed.verb](job)
    except Refused as no:
        return Answer(markdown=messages.reply_refused(no), code=no.code)


def where(rows: Sequence[Row]) -> dict[str, Any]:
    """Installation, repository, pull request and comment of a command's stream."""
    return dict(rows[0].body)

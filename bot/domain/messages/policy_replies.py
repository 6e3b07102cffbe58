"""Answers about the policy itself: which one counts, what waits for agreement, and what administrators said to it.

Called by the verb of `/policy`. A difference is told in the words of `bot.domain.tightness`; it holds names that
operators chose, so it is quoted like anything else.
"""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain.codes import Code
from bot.domain.messages.entry import moment
from bot.domain.messages.escape import quote
from bot.domain.messages.words import person
from bot.domain.model import Account, Actor, ActorKind

_MOST = 60
"""So many differences are told one by one."""


def reply_policy(
    version: int,
    policy_hash: str,
    when_us: int,
    *,
    pending: str = "",
    difference: Sequence[str] = (),
    loosens: Sequence[str] = (),
    given: Sequence[Account] = (),
    needed: int = 2,
) -> str:
    """The accepted policy, and the looser one that waits. Version 0: none was accepted yet."""
    now = (
        f"Version {version} of the policy counts: {_hash(policy_hash)}, accepted {moment(when_us)}."
        if version
        else "No policy was accepted yet, so nothing is allowed."
    )
    if not pending:
        return f"{now} Nothing else waits for agreement."
    agreed = f"{_people(given)} agreed already. " if given else ""
    return "\n\n".join(
        (
            now,
            f"**A looser one waits: {_hash(pending)}.** It makes production, or who decides about it, looser in "
            f"{_listed(loosens)}; until it is accepted, the one above counts.",
            _difference(difference),
            f"{agreed}{_still(needed - len(given))} `/policy accept {_typed(pending)}` or "
            f"`/policy reject {_typed(pending)}`.",
        )
    )


def reply_policy_counted(policy_hash: str, given: Sequence[Account], needed: int = 2) -> str:
    """One administrator agreed; another one must."""
    return (
        f"{_people(given)} agreed to the policy {_hash(policy_hash)}. {_still(needed - len(given))} "
        f"`/policy accept {_typed(policy_hash)}`. Until then nothing changes.\n\n"
        f"<sub>{quote(Code.POLICY_WAITS, 60)}</sub>"
    )


def reply_policy_accepted(
    version: int, policy_hash: str, given: Sequence[Account], difference: Sequence[str] = ()
) -> str:
    """Enough administrators agreed."""
    agreed = f"{_people(given)} agreed: " if given else ""
    what = f"{agreed}version {version} of the policy, {_hash(policy_hash)}, counts from now on."
    void = "What was approved under the one before has to be asked for again."
    return "\n\n".join(part for part in (f"{what[0].upper()}{what[1:]} {void}", _difference(difference)) if part)


def reply_policy_rejected(policy_hash: str, actor: Actor) -> str:
    """One administrator said no."""
    return (
        f"{person(actor)} rejected the policy {_hash(policy_hash)}. The accepted one stays in force; the same file is "
        "not proposed again until it changes."
    )


def _still(number: int) -> str:
    return "One more administrator types" if number == 1 else f"{max(number, 0)} administrators type"


def _people(given: Sequence[Account]) -> str:
    actors = (Actor(kind=ActorKind.PERSON, id=account.id, login=account.login) for account in given[:10])
    return " and ".join(person(actor) for actor in actors) or "Nobody"


def _listed(keys: Sequence[str]) -> str:
    return ", ".join(quote(key, 100) for key in keys[:_MOST]) or "something"


def _difference(difference: Sequence[str]) -> str:
    more = [f"- and {len(difference) - _MOST} more"] if len(difference) > _MOST else []
    return "\n".join([f"- {quote(each, 200)}" for each in difference[:_MOST]] + more)


def _hash(value: str) -> str:
    return quote(value[:12], 12)


def _typed(value: str) -> str:
    digits = value[:12].lower()
    return digits if digits and all(digit in "0123456789abcdef" for digit in digits) else "<hash>"

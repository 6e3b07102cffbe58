"""The page about roles, `docs/roles.md`: what each may do, through which door, and where it comes from.

Written from `bot.domain.authorization` by `python -m bot.settings roles`; a test holds the file current.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bot.domain.authorization import ALLOWS, AT_GITHUB, BY_NUMBER, FOR_APPS, FOR_WORKFLOWS, THROUGH, UNLINKED
from bot.domain.identity import Deed, Door, Role

_HEAD = """# Roles

<!-- Written by `python -m bot.settings roles`; change `bot/domain/authorization.py` or `roles_page.py` instead. -->

Whoever wants something to change passes one question, whichever door they came through. What is not in these tables is
refused. A role is no more than a beginning: [the policy](policy.md) says for each environment who may ask, approve and
go back, and rule by rule what must hold.

## Where roles come from

| From | Roles |
|---|---|
| read access to the repository, by GitHub's word at that moment | viewer |
| write access to it | viewer, developer, deployer, approver |
| being one of the policy's `operators` | operator |
| being one of the policy's `administrators` | administrator |
| `roles:` in the policy, by GitHub team, GitHub account, or group or app role of the sign-in | the one it names |
| being signed in | viewer |

What a sign-in said about groups counts for `MISO_ROLES_MINUTES`. Whatever is marked "write access" below needs that
access for the linked GitHub account, asked at that moment as for a comment; a group gives nobody access to a
repository. An identity that is linked to no GitHub account may look, and link itself; that is all.

## What they may do
"""

_WHAT: Mapping[Deed, str] = {
    Deed.LOOK: "See what runs where, and why",
    Deed.PROMOTE: "Ask for a promotion",
    Deed.ROLL_BACK: "Go back to an earlier release",
    Deed.APPROVE: "Approve",
    Deed.REVOKE: "Take one's own approval back",
    Deed.REJECT: "Reject a request",
    Deed.CANCEL: "Cancel one's own request",
    Deed.CANCEL_OTHERS: "Cancel somebody else's request",
    Deed.BAN: "Reject a release for good",
    Deed.CLEAR: "Clear a held or rejected release",
    Deed.LOCK: "Lock an environment",
    Deed.UNLOCK: "Take one's own lock off",
    Deed.TAKE_LOCK: "Take somebody else's lock off",
    Deed.DECIDE_POLICY: "Agree to a policy, or reject it",
    Deed.LINK: "Link oneself to a GitHub account",
    Deed.LINK_OTHERS: "Link somebody else, or end a link",
    Deed.EXCHANGE: "Get a deploy token",
    Deed.REVOKE_TOKENS: "Revoke somebody else's token",
    Deed.READ_TOKENS: "List tokens",
    Deed.READ_LEDGER: "Read the ledger",
}

_DOORS: Mapping[Door, str] = {
    Door.COMMENT: "comment",
    Door.BUTTON: "button",
    Door.PORTAL: "pages",
    Door.API: "API",
    Door.CLI: "command line",
}
"""Those for people and tokens. A gate only mirrors what was decided."""


def markdown() -> str:
    """The whole page."""
    out = [_HEAD, "| To | takes | and | through |", "|---|---|---|---|", *_deeds()]
    out += ["", "A developer asks for promotions to dev, and nowhere else.", "", "## Others than people", ""]
    out += [
        "| Who | May |",
        "|---|---|",
        f"| an App on the list `MISO_BOTS_THAT_MAY_REQUEST`, by comment | {_listed(FOR_APPS)} |",
        f"| a workflow, for the one environment and commit of its token | {_listed(FOR_WORKFLOWS)} |",
        f"| somebody signed in and not linked | {_listed(UNLINKED)} |",
        f"| Miso itself, for builds and automatic promotions | {_listed(THROUGH[Door.INSIDE])} |",
    ]
    return "\n".join(out) + "\n"


def _deeds() -> Iterator[str]:
    for deed in Deed:
        doors = ", ".join(name for door, name in _DOORS.items() if deed in THROUGH[door])
        yield f"| {_WHAT[deed]} | {_roles(deed)} | {_beside(deed)} | {doors} |"


def _roles(deed: Deed) -> str:
    roles = ALLOWS[deed]
    if deed is Deed.LINK:
        return "nothing"
    if roles == frozenset(Role):
        return "any role"
    return " or ".join(role for role in Role if role in roles) or "a workflow's ID token"


def _beside(deed: Deed) -> str:
    if deed in AT_GITHUB:
        return "write access"
    return "being named in `administrators`" if deed in BY_NUMBER else "–"


def _listed(deeds: frozenset[Deed]) -> str:
    return "; ".join(_WHAT[deed][0].lower() + _WHAT[deed][1:] for deed in Deed if deed in deeds)

"""The pages of `docs/` that are made from tables: reason codes and commands. `python -m tests.docs_pages` writes them.

`tests/test_docs_pages.py` holds that they are current.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bot.domain.codes import Code
from bot.domain.commands import USAGE, Verb
from bot.domain.messages import HELP, WHO, explain
from bot.domain.model import STAGE_ALIASES, Stage

DOCS = Path(__file__).parents[1] / "docs"

_CODES = """\
# Reason codes

Whatever Miso refuses, or could not do, has one of these codes. It stands in small print below an answer, in check
runs, in `miso deliveries` and in the answers that scripts read. A code is never renamed; new ones may come. Made from
the table in `bot/domain/messages` by `python -m tests.docs_pages`.
"""

_COMMANDS = """\
# Commands

Written in a comment on a pull request, as the first line of a paragraph. Made from the tables in
`bot/domain/commands.py` by `python -m tests.docs_pages`.

| Command | What it does |
|---|---|
{commands}

## How they are read

- One command in a comment. Two are none: both may be meant, and nobody should have to guess which came first.
- The first line of a paragraph at top level counts. Quotations, code, HTML comments, folded `<details>`, headings,
  lists, tables and links do not: there a command is only talked about.
- Plain ASCII letters only. A letter that is invisible or only looks like another one is refused, never guessed.
- Capital letters do not matter in the command, the environment and the commit.
- A comment counts as it was first written. An edited one is answered `edited_comment`.
- `/miso promote test` is the same as `/promote test`, for repositories where another App listens to the short form.
- What other Apps listen to (`/assign`, `/retest`, …) is left alone. A word that is nearly one of ours is answered with
  the one that was probably meant.
- A reason is one line; what is longer than 500 characters is cut. Where one is needed, it must be something to read.
- What means to be a command and is none is answered with the line to type. It is never guessed and run: a dash that a
  keyboard made long (`—break-glass`), a bare commit without `@`, a time without `for`.

## Environments

| Environment | May be written as |
|---|---|
{stages}

## Commits

`@` and 12 to 40 hexadecimal digits. Without one, a command is about the release that was built from the pull request's
merge commit. `/approve @sha` counts only while exactly that commit waits, so an approval never falls on a release that
was put in the place of the one that was looked at.

## Approvals

What an approver is shown (commit, image by digest, plan, checks, health one stage earlier, the commits that go along,
the policy) has one hash, and the approval carries it. When any of it changes before the first write, the approval no
longer counts; check run and comment say which part changed, what it was and what it is. An approval is never deleted:
one that was taken back with `/revoke`, that ran out, or whose comment was edited stands there with its reason.

`/reject` stops what waits. `/cancel` is for whoever asked for it, and for operators. Whoever can act is reminded while
something waits; what nobody decides ends, and says so.

## Locks

`/lock production for 2h the fair is on` keeps an environment as it is. The time is `30m`, `2h` or `3d`, from one minute
to 30 days; without `for`, the lock stays until somebody takes it off. Its owner may still promote; nobody else may,
and no rollback begins either. What has begun is finished. `/unlock production` takes one's own lock off; somebody
else's takes a reason, and an operator. Locking again changes the reason and the end of one's own lock.

## Rejected releases

`/reject @sha <reason>` rejects a release for good: neither that commit nor its image goes to any environment. A release
that was rolled back is held in the same way. `/clear @sha <reason>` lifts both. It is for the operators whom the policy
names, and it takes as many of them as `clear_people` says, each with a reason, within 24 hours.

## Break-glass

`/promote production --break-glass <reason>` goes past rules that do not pass: a freeze, a lock, the time of soaking,
required checks, the order of stages, the demanded availability and probe, the branch. It never goes past the identity
of the repository, a held or rejected release, an older commit, an image that moved, or the second person: somebody else
who may approve must type `/approve` within the time that the policy gives. Every rule that was skipped is listed when
it is asked for, and what went this way is marked with ⚠ for ever. `/rollback` needs none of it during a freeze.

## The policy

`/policy` shows which version counts, and the difference of one that waits. A policy that makes production looser waits
until two of its administrators type `/policy accept <hash>`; `/policy reject <hash>` by one of them ends it. The hash
is at least 12 digits of it, so nobody accepts what they did not look at.

## Linking

Whoever signs in to Miso may look; to ask for anything or to approve, they must be known as a GitHub account. The
account page shows a code, for ten minutes and once. Typed as `/link <code>` by that account, on any pull request or
issue that Miso sees, it proves the two to be one person; an account needs no write access for it. An account has five
tries in an hour, and on an issue there is no answer: the account page tells. Type no code that somebody else gave you:
they would act as you.

## Why not?

`/why production` evaluates every rule as a request would, and asks for nothing. The same text stands in the check run,
in the comment of a gate and in the answer of `miso why`: what is not met, what is not known (that never passes), who
can change it, and the line to type.
"""


def reason_codes() -> str:
    """`docs/reason-codes.md`, whole."""
    parts = [_CODES]
    for code in Code:
        said = explain(code)
        hint = f"\n\n**What to do:** {said.hint}" if said.hint else ""
        who = f"**Who can fix it:** {WHO[said.who]}."
        parts.append(f"## `{code}`\n\n**{said.title}.** {said.sentence}{hint}\n\n{who}\n")
    return "\n".join(parts)


def commands() -> str:
    """`docs/commands.md`, whole."""
    words = {stage: [f"`{word}`" for word, meant in STAGE_ALIASES.items() if meant is stage] for stage in Stage}
    return _COMMANDS.format(
        commands="\n".join(f"| `{USAGE[verb]}` | {HELP[verb]} |" for verb in Verb),
        stages="\n".join(f"| {stage} | {', '.join(words[stage])} |" for stage in Stage),
    )


PAGES: Mapping[str, str] = {"reason-codes.md": reason_codes(), "commands.md": commands()}
"""File name in `docs/` and what it must hold."""

if __name__ == "__main__":
    for name, text in PAGES.items():
        (DOCS / name).write_text(text, encoding="utf-8")
        print(f"wrote docs/{name}")

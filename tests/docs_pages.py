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
- A reason is one line; what is longer than 500 characters is cut.

## Environments

| Environment | May be written as |
|---|---|
{stages}

## Commits

`@` and 12 to 40 hexadecimal digits. Without one, a command is about the release that was built from the pull request's
merge commit.
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

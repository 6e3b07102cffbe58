"""The chapters of the story, in the order in which it is told.

Called by the run of the demo; adds nothing of its own.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from bot.cli.demo import decisions, doors
from bot.cli.demo.story import Story

Chapter = tuple[str, Callable[[Story], Awaitable[None]]]
CHAPTERS: tuple[Chapter, ...] = (
    ("The stage", Story.opened),
    ("1 · A merge reaches dev", Story.dev),
    ("2 · A comment carries it to test", Story.test),
    ("3 · Production needs a second person", Story.production),
    ("4 · The next release, approved with a button", Story.second),
    ("5 · A bad release is undone by itself", Story.bad),
    ("6 · Why not", decisions.why),
    ("7 · Two operators lift the hold", decisions.cleared),
    ("8 · GitHub's environment gate", Story.gate),
    ("9 · An open pull request tells what it would do", decisions.preview),
    ("10 · A workflow deploys by its own ID token", doors.workflow),
    ("11 · What such a token does not open", doors.tricks),
    ("12 · People sign in at their own machines", doors.person),
    ("13 · A stranger copies the variables", Story.foreign),
    ("14 · kill -9 in the middle of a deployment", Story.killed),
    ("15 · The keys have changed, and nobody noticed", doors.keys),
    ("16 · A freeze, and breaking the glass", decisions.frozen),
    ("17 · An approval of something else is void", decisions.voided),
    ("18 · A looser policy needs two administrators", decisions.agreed),
    ("19 · No secret was written down", doors.scanned),
)

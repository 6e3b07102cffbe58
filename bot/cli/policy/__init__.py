"""`miso policy`: what is in force, what would be found wrong with a policy, and what a changed one would have decided.

It reads and arranges. A policy is accepted by administrators on GitHub (`/policy accept <hash>`) and never here: access
to a shell is no identity.
"""

from __future__ import annotations

import typer

from bot.cli.policy.linting import lint
from bot.cli.policy.showing import history, show
from bot.cli.policy.trying import try_on

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Show the policy in force; lint a file; try it on recorded decisions.")
app.command()(show)
app.command()(lint)
app.command("test")(try_on)
app.command()(history)

"""All commands in one tree, and the one place where a fault becomes words and an exit code.

Called by `bot.cli.main` and by tests. A fault of the user or of the outside world is told in a sentence with what to do
next; a traceback means a fault of ours.
"""

from __future__ import annotations

import os
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from bot import telemetry
from bot.cli import (
    acting,
    deliveries,
    demo,
    doctor,
    keys,
    login,
    people,
    policy,
    registering,
    serving,
    standing,
    tokens,
    why,
)
from bot.cli.screen import faults, refused
from bot.errors import ConfigError, Refused, Transient

WRONG, USAGE, LATER, INTERRUPTED = 1, 2, 75, 130
"""Exit codes. 75 is EX_TEMPFAIL of sysexits.h: the same command may succeed later."""


class Commands(TyperGroup):
    """The tree of commands, with our own errors told as an operator needs them."""

    def invoke(self, ctx: Any) -> Any:
        """Run what was asked for."""
        try:
            return super().invoke(ctx)
        except ConfigError as wrong:
            faults(wrong.faults)
            code = USAGE
        except Refused as no:
            refused(no.sentence, no.hint, no.code)
            code = WRONG
        except Transient as later:
            refused(later.sentence, "The same command may succeed later.", later.code)
            code = LATER
        except KeyboardInterrupt:
            code = INTERRUPTED
        except BrokenPipeError:
            # Whoever read us has had enough (`miso status | head`); the interpreter must not flush into it at the end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = WRONG
        raise typer.Exit(code)


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def configured(
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Tell on stderr what is done on the way.")] = False,
) -> None:
    """Miso carries builds to Azure and shows every step on GitHub."""
    telemetry.configure(level="debug" if verbose else "error")


app.command("serve")(serving.serve)
app.command("register")(registering.register)
app.command("status")(standing.status)
app.command("why")(why.why)
app.add_typer(policy.app, name="policy")
app.add_typer(deliveries.app, name="deliveries")
app.add_typer(keys.app, name="keys")
app.command("doctor")(doctor.doctor)
app.add_typer(demo.app, name="demo")

YOU = "As the person who signed in"
app.command("login", rich_help_panel=YOU)(login.login)
app.command("logout", rich_help_panel=YOU)(login.logout)
app.command("whoami", rich_help_panel=YOU)(login.whoami)
app.command("promote", rich_help_panel=YOU)(acting.promote)
app.command("rollback", rich_help_panel=YOU)(acting.rollback)
app.command("approve", rich_help_panel=YOU)(acting.approve)
app.command("reject", rich_help_panel=YOU)(acting.reject)
app.command("revoke", rich_help_panel=YOU)(acting.revoke)
app.command("cancel", rich_help_panel=YOU)(acting.cancel)
app.command("show", rich_help_panel=YOU)(acting.show)
app.add_typer(people.app, name="people", rich_help_panel=YOU)
app.add_typer(tokens.app, name="tokens", rich_help_panel=YOU)

"""The command line: `miso serve`, `register`, `status`, `why`, `policy`, `deliveries`, `doctor`, `demo`.

The top floor. One module a group of commands; each imports what it needs when it runs, so that `miso --help` answers
at once. It reads and arranges; nothing here acts for a person, because access to a shell is no identity.

Exit codes: 0 well, 1 something is wrong or was refused, 2 wrong usage or configuration, 75 try again later, 130 Ctrl-C.
"""

from __future__ import annotations

from bot.cli.commands import app

__all__ = ["app", "main"]


def main() -> None:
    """The script `miso`."""
    app(prog_name="miso")

"""The command line, in two halves: for whoever runs Miso, and for whoever signed in.

The top floor. One module a group of commands; each imports what it needs when it runs, so that `miso --help` answers
at once. `serve`, `register`, `status`, `why`, `policy`, `deliveries`, `doctor` and `demo` use the controller's settings
and its store; they read and arrange, and act for nobody, because access to a shell is no identity. `login`, `logout`,
`whoami`, `promote`, `rollback`, `approve`, `reject`, `revoke`, `cancel`, `show` and `people` need neither: they go
over HTTP as the person who signed in.

Exit codes: 0 well, 1 something is wrong or was refused, 2 wrong usage or configuration, 75 try again later, 130 Ctrl-C.
"""

from __future__ import annotations

from bot.cli.commands import app

__all__ = ["app", "main"]


def main() -> None:
    """The script `miso`."""
    app(prog_name="miso")

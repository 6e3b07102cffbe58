"""The operator's decisions: environment and `config/` in, one frozen `Settings` out, or every fault at once.

`bot.app` and the command line call `load`; windows take plain arguments that come from it. Nothing here opens a
connection, makes a file or keeps a secret in a log.
"""

from bot.settings.fields import Settings
from bot.settings.loading import load
from bot.settings.table import Setting, reference

__all__ = ["Setting", "Settings", "load", "reference"]

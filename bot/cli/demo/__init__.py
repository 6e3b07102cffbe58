"""`miso demo`: a whole story on one machine, with a pretend GitHub and a pretend Azure.

The only part of Miso that knows the pretend world, and it imports it when it runs. The controller in it is
`miso serve`, a process of its own with ordinary settings.
"""

from bot.cli.demo.commands import app

__all__ = ["app"]

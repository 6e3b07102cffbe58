"""`python -m bot.settings` writes the page `docs/configuration.md` to standard output."""

import sys

from bot.settings.table import markdown

sys.stdout.write(markdown())

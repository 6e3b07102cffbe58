"""`miso doctor`: is everything in order, and if not, who has to do what? Reads; changes nothing outside."""

from bot.cli.doctor.command import doctor

__all__ = ["doctor"]

"""What people do in the pretend GitHub: one class of verbs a theme, joined in `Scenario`.

Called in-process by tests and by `bot.sim.control` on the wire. Verbs are synchronous: the state changes at once and
webhooks are queued. They take and give plain JSON values, so that both ways in look the same.
"""

from __future__ import annotations

from bot.sim.github.scenario.gates import Gates
from bot.sim.github.scenario.places import Places
from bot.sim.github.scenario.pulls import Pulls
from bot.sim.github.scenario.runs import Runs
from bot.sim.github.scenario.seen import Seen
from bot.sim.github.scenario.talk import Talk
from bot.sim.github.scenario.teams import Teams


class Scenario(Places, Teams, Pulls, Talk, Runs, Gates, Seen):
    """Every verb of the pretend GitHub."""


__all__ = ["Scenario"]

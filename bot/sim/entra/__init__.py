"""The pretend Entra ID: tokens for workloads by federated assertions, and people who sign in."""

from bot.sim.entra.federation import AUDIENCE, Fetch, Principal
from bot.sim.entra.server import Entra

__all__ = ["AUDIENCE", "Entra", "Fetch", "Principal"]

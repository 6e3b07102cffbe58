"""The pretend Key Vault, and the managed identity of the host that alone may open it."""

from bot.sim.vault.identity import HostIdentity
from bot.sim.vault.server import Vault

__all__ = ["HostIdentity", "Vault"]

"""The pretend Azure Resource Manager: container instances and web apps with slots, as far as a deployment meets them.

State moves on only when somebody looks (a poll of an operation, a GET of the resource): no timers, no sleeping.
"""

from bot.sim.azure.arm import Arm
from bot.sim.azure.state import Effect, Mark, Running

__all__ = ["Arm", "Effect", "Mark", "Running"]

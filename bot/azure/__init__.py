"""The window to Azure: reads one environment and changes it in single steps, through the real SDKs.

`bot.app` makes an `AzureWindow` and puts it into the hall. It never decides what to do, never looks at GitHub or the
store, and never repeats a write whose outcome is unknown.
"""

from bot.azure.window import AzureWindow

__all__ = ["AzureWindow"]

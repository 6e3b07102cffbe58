"""The store: one durable place for the inbox, the journal, its projections, leases and the registry.

`bot.app` opens a `SqliteStore` and puts it into the hall; verbs see only the `Store` Protocol of `bot.context`. Every
call is one whole unit of work, and no transaction is ever open while somebody awaits something else. Nothing here
decides about promotions, speaks to GitHub or Azure, or reads a clock other than the one it was given.
"""

from bot.store.sqlite import SqliteStore

__all__ = ["SqliteStore"]

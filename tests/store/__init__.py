"""The contract of `bot.context.Store`, asked of every engine, and what SQLite alone must keep."""

"""The pretend GitHub: REST with state, signed webhooks, pages to look at, and verbs by which people act.

`state` remembers, `shapes` writes JSON, `events` tells the App, one module a concern holds the routes, `scenario` is
what people do. Only `bot.sim.world` puts it together.
"""

"""The pretend world: GitHub, Entra, ARM, a vault, other issuers, a registry and deployed apps on loopback, on the wire.

The controller never imports this package; it talks to it by HTTP as it talks to the real ones. `miso demo` and the
tests start it. It imports nothing else of `bot`, so that a mistake in the controller cannot hide in its counterpart.
"""

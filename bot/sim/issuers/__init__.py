"""What the pretend OpenID issuers share: keys that rotate, discovery and keys below a path, and the CI vendors' own.

GitHub Actions has its issuer in `bot.sim.actions`, because its tokens speak of the pretend GitHub's runs.
"""

"""Doors for GitHub."""

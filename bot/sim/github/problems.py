"""The two ways of saying no: GitHub's answers to a client, and the world's answer to whoever plays with it."""

from __future__ import annotations

from typing import Any


class Problem(Exception):
    """An answer other than success, in GitHub's words: status, message, and the list `errors` of a 422."""

    def __init__(self, status: int, message: str, errors: list[Any] | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.errors = status, message, errors


class Misused(Exception):
    """A scenario verb was asked for something that makes no sense in this world."""

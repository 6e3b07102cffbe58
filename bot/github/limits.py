"""GitHub's limits on lengths: texts are cut where a person can still read them, and say that they were cut.

Pure; called by `bot.github.reporter`.
"""

from __future__ import annotations

CUT = "\n\n… *(shortened: GitHub shows no more)*"


def characters(text: str, most: int) -> str:
    """At most so many characters, counted as GitHub does in a single line: astral ones are two (UTF-16 units)."""
    units = text.encode("utf-16-le")
    if len(units) <= 2 * most:
        return text
    return units[: 2 * (most - 1)].decode("utf-16-le", "ignore") + "…"


def document(text: str, most: int) -> str:
    """At most so many bytes of UTF-8, never a broken character; what was cut ends with a note.

    An open code fence is closed, so that the note is not swallowed by it.
    """
    content = text.encode("utf-8")
    if len(content) <= most:
        return text
    room = most - len(CUT.encode()) - len("\n```")
    kept = content[:room].decode("utf-8", "ignore")
    fence = "\n```" if sum(line.startswith("```") for line in kept.splitlines()) % 2 else ""
    return kept + fence + CUT

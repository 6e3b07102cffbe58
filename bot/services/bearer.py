"""Secrets that Miso hands out: made here, and kept nowhere but as what `key_of` makes of them.

Called by the verbs that make sessions, codes and tokens of people. A secret goes to whoever it is for, once; the store
gets its SHA-256, which is enough to find it again and useless to whoever reads the database.
"""

from __future__ import annotations

import hashlib
import re
from secrets import choice, token_urlsafe  # noqa: TID251 - what opens something must derive from nothing
from typing import Final

BITS: Final = 256
FORM: Final = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
"""256 bits as URL-safe base64 without padding."""
LETTERS: Final = "BCDFGHJKLMNPQRSTVWXZ"
"""For codes that people type: no vowels, so no words, and nothing that looks like a digit.
https://www.rfc-editor.org/rfc/rfc8628#section-6.1"""


def fresh(prefix: str = "") -> str:
    """A new secret of 256 bits behind `prefix`."""
    return prefix + token_urlsafe(BITS // 8)


def typed(length: int = 8) -> str:
    """A new code for people, `XXXX-XXXX`."""
    letters = "".join(choice(LETTERS) for _ in range(length))
    return "-".join(letters[at : at + 4] for at in range(0, length, 4))


def key_of(secret: str) -> str:
    """Under what the store keeps it."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


def well_formed(secret: str, prefix: str = "") -> bool:
    """Whether it could be one of ours, so that nobody asks the store for something else."""
    return secret.startswith(prefix) and FORM.fullmatch(secret[len(prefix) :]) is not None

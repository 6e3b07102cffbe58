"""Tokens that are known by how they begin, wherever they stand in somebody's text, and the text without them.

Used for everything that outsiders wrote and that is shown or kept, and for every line of the log. A token in a title or
a comment is a mistake of whoever wrote it; we neither repeat it nor keep it. What has no form of its own cannot be told
from other words here. Nothing here knows a secret.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

HIDDEN: Final = "[hidden]"


def _token(prefix: str, characters: str, least: int) -> re.Pattern[str]:
    """Also where something broke it into lines as long as in a mail."""
    broken = r"[\"']?(?:\\+[rn]|[\r\n])+[ \t]*[\"']?"
    more = rf"(?:(?:{broken}[{characters}]{{40,}})+(?:{broken}[{characters}]+)?)?"
    return re.compile(rf"({prefix})[{characters}]{{{least},}}{more}")


FORMS: Final[Sequence[tuple[re.Pattern[str], str]]] = (
    # Installation, user and app tokens, `ghs_APPID_JWT` among them:
    # https://docs.github.com/authentication/keeping-your-account-and-data-secure/about-authentication-to-github
    (_token("gh[psour]_", "A-Za-z0-9._-", 36), rf"\1{HIDDEN}"),
    (_token("github_pat_", "A-Za-z0-9_", 22), rf"\1{HIDDEN}"),
    # Tokens that we give to people: for access and for renewing it.
    (_token("miso[ar]_", "A-Za-z0-9_-", 16), rf"\1{HIDDEN}"),
    # Any JWT, and whatever else is base64 of a JSON object: Azure's continuation tokens carry signed addresses.
    (_token("eyJ", "A-Za-z0-9_+/=%.-", 20), HIDDEN),
    # PEM of private keys, with real or escaped line ends, also when cut off.
    (
        re.compile(
            r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----"
            r"(?:(?!-----END)(?:\\+[nr]|[A-Za-z0-9+/=\s:,-]))*"
            r"(?:-----END [A-Z0-9 ]*PRIVATE KEY-----)?"
        ),
        HIDDEN,
    ),
)
_LIKELY: Final = re.compile(r"gh[psour]_|github_pat_|miso[ar]_|eyJ|PRIVATE KEY")


def without_tokens(text: str) -> str:
    """The text with what is unmistakably a credential replaced. What holds none costs one search."""
    if not _LIKELY.search(text):
        return text
    for form, instead in FORMS:
        text = form.sub(instead, text)
    return text

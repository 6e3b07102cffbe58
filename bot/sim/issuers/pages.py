"""The few pages of a pretend sign-in, without a script: who are you, back to the application, and what went wrong."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from urllib.parse import urlencode, urlsplit, urlunsplit

from aiohttp import web


def _page(title: str, body: str, *, status: int = 200) -> web.Response:
    text = (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title><style>body{{font:16px/1.5 system-ui,sans-serif;margin:4rem auto;"
        f"max-width:30rem;padding:1rem}}button{{font:inherit;padding:.4rem .9rem;margin:.25rem}}</style>"
        f"<h1>{escape(title)}</h1>{body}"
    )
    return web.Response(text=text, content_type="text/html", status=status, headers={"Cache-Control": "no-store"})


def choose(title: str, action: str, people: Mapping[str, str]) -> web.Response:
    """One button for each person, by name and what is shown of them; it posts back to `action`."""
    buttons = "".join(
        f'<p><button name="person" value="{escape(name)}">{escape(shown)}</button>' for name, shown in people.items()
    )
    return _page(title, f'<form method="post" action="{escape(action)}">{buttons or "<p>Nobody lives here."}</form>')


def went_wrong(title: str, message: str, *, status: int = 400) -> web.Response:
    """For what must not be sent back, because the address to send it to is not to be trusted."""
    return _page(title, f"<p>{escape(message)}", status=status)


def go_back(redirect_uri: str, mode: str, values: Mapping[str, str | None]) -> web.Response:
    """To the application, by a redirect or, for `form_post`, by a form (the real ones press its button by script)."""
    kept = {name: value for name, value in values.items() if value is not None}
    if mode == "form_post":
        fields = "".join(
            f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">' for name, value in kept.items()
        )
        form = f'<form method="post" action="{escape(redirect_uri)}">{fields}<button>Continue</button></form>'
        return _page("Back to the application", form)
    parts = urlsplit(redirect_uri)
    query = "&".join(part for part in (parts.query, urlencode(kept)) if part)
    return web.Response(
        status=302, headers={"Location": urlunsplit(parts._replace(query=query)), "Cache-Control": "no-store"}
    )

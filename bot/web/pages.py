"""Pages for people: templates with escaping always on, one stylesheet, no script.

Called by the doors that show something and by `bot.web.answers`. It says nothing of its own and decides nothing. What
somebody outside wrote is stripped to visible characters (`visible`) and escaped by the template.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import resources
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from bot.domain.messages import plain

_SHEET = (resources.files("bot.web") / "static" / "miso.css").read_bytes()
STYLE = f"/static/{hashlib.sha256(_SHEET).hexdigest()[:16]}.css"
"""Named after what it says, so that a browser may keep it for ever."""
CSRF_FIELD = "csrf"


@dataclass(frozen=True, kw_only=True)
class Viewer:
    """Who looks at a page, as far as it is shown on every one."""

    name: str
    csrf: str
    """What forms of this session must carry."""


def routes() -> list[web.RouteDef]:
    """The stylesheet."""

    async def style(request: web.Request) -> web.Response:
        kept = {"Cache-Control": "public, max-age=31536000, immutable"}
        return web.Response(body=_SHEET, content_type="text/css", charset="utf-8", headers=kept)

    return [web.get(STYLE, style)]


def page(
    name: str, public_url: str, /, *, viewer: Viewer | None = None, status: int = 200, **values: Any
) -> web.Response:
    """A template of `bot/web/templates` as an answer."""
    text = _templates.get_template(f"{name}.html").render(
        root=urlsplit(public_url).path, style=STYLE, viewer=viewer, hidden=lambda: _hidden(viewer), **values
    )
    return web.Response(text=text, status=status, content_type="text/html")


def _hidden(viewer: Viewer | None) -> Markup:
    """The field that shows that a form is ours. A page without a viewer has no form."""
    if viewer is None:
        raise ValueError("a form needs somebody who is signed in")
    return Markup('<input type="hidden" name="{}" value="{}">').format(CSRF_FIELD, viewer.csrf)


def _said(sentence: str) -> Markup:
    """One of our sentences: words and code spans."""
    parts = re.split(r"`([^`]*)`", sentence)
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if at % 2 else escape(part) for at, part in enumerate(parts)
    )


def _when(at_us: int) -> Markup:
    at = datetime.fromtimestamp(at_us // 1_000_000, UTC)
    return Markup('<time datetime="{}">{}</time>').format(
        at.isoformat().replace("+00:00", "Z"), f"{at:%Y-%m-%d %H:%M} UTC"
    )


def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("bot.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"said": _said, "visible": plain, "when": _when}
    return made


_templates = _environment()

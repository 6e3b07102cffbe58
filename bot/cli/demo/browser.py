"""A browser of the pretend world's people: it follows links, keeps cookies and fills in forms, as anybody's does.

Used by the story. It knows no more of Miso's pages than what stands on them: a form is found by what its button says.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import aiohttp

from bot.cli.demo.people import Missed


@dataclass
class Form:
    """One form: where it goes, its fields as they stand there, and what its button says."""

    action: str
    fields: dict[str, str] = field(default_factory=dict)
    button: str = ""


@dataclass(frozen=True)
class Page:
    """What the browser shows."""

    url: str
    status: int
    text: str
    forms: tuple[Form, ...]

    @property
    def heading(self) -> str:
        """The first big line."""
        return self.text.partition("<h1>")[2].partition("</h1>")[0]


@dataclass
class Browser:
    """One person's, with their cookies."""

    person: str
    miso: str
    http: aiohttp.ClientSession

    async def open(self, path: str) -> Page:
        """A page of Miso; where it asks to sign in, the person does so."""
        page = await self._read("GET", urljoin(self.miso, path))
        if page.status != 401:
            return page
        return await self.signs_in(path)

    async def signs_in(self, to: str) -> Page:
        """By the sign-in service, and back to a page of Miso."""
        page = await self._read("GET", f"{self.miso}/sign-in?to={to}")
        if urlsplit(page.url).netloc != urlsplit(self.miso).netloc:
            page = await self._read("POST", page.url, {"person": self.person})
        if urlsplit(page.url).path != to:
            raise Missed(f"{self.person} to be signed in", f"{page.status} {page.heading} at {page.url}")
        return page

    async def press(self, page: Page, button: str, **typed: str) -> Page:
        """Fill in the form of this button and send it."""
        form = next((form for form in page.forms if form.button == button), None)
        if form is None:
            raise Missed(f"a button {button!r}", ", ".join(form.button for form in page.forms) or page.heading)
        return await self._read("POST", urljoin(page.url, form.action), {**form.fields, **typed})

    async def _read(self, method: str, url: str, form: Mapping[str, str] | None = None) -> Page:
        # A browser says where a form comes from; the form to the sign-in service comes from its own page.
        parts = urlsplit(url)
        origin = {"Origin": f"{parts.scheme}://{parts.netloc}"} if form is not None else {}
        async with self.http.request(method, url, data=form, headers=origin) as answer:
            text = await answer.text()
            reading = _Forms()
            reading.feed(text)
            return Page(url=str(answer.url), status=answer.status, text=text, forms=tuple(reading.forms))


@asynccontextmanager
async def browsing(person: str, miso: str, ca_file: str | Path) -> AsyncIterator[Browser]:
    """A browser that nobody has used yet. `ca_file`: authorities of the pretend world."""
    # Everything is on loopback, where names are numbers: a jar that keeps cookies of those must be asked for.
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=ca_file)),
        cookie_jar=aiohttp.CookieJar(unsafe=True),
        headers={"User-Agent": f"{person}'s browser"},
    ) as http:
        yield Browser(person=person, miso=miso, http=http)


class _Forms(HTMLParser):
    """Forms of a page with their fields and the words on their buttons."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._in_button = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form(action=given.get("action", "")))
        elif tag == "input" and self.forms and given.get("name"):
            self.forms[-1].fields[given["name"]] = given.get("value", "")
        self._in_button = tag == "button" and bool(self.forms)

    def handle_endtag(self, tag: str) -> None:
        self._in_button = self._in_button and tag != "button"

    def handle_data(self, data: str) -> None:
        if self._in_button:
            self.forms[-1].button += data.strip()

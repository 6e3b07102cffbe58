"""`miso login`, `logout` and `whoami`: a person signs in by a code that they type in a browser themselves.

https://www.rfc-editor.org/rfc/rfc8628. The code is shown here and typed there; no link carries it, because a link with
a code is what a thief would send. Nothing here needs the controller's settings.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer
from pydantic import Field
from rich.align import Align
from rich.console import Console
from rich.panel import Panel
from rich.text import Text

from bot.cli import screen, session
from bot.cli.calling import DEVICE, REVOKE, TOKEN, Denied, Outside, Server, Tokens, server, signed_in, understood
from bot.cli.session import Session
from bot.domain.codes import Code
from bot.domain.messages import refusal
from bot.errors import ConfigError, Refused, Transient

GRANT = "urn:ietf:params:oauth:grant-type:device_code"
SLOWER = 5.0
"""Seconds that every `slow_down` adds, for good: RFC 8628, section 3.5."""
SLOWEST = 60.0
FIRST = 2.0
"""Seconds before the first question; the interval is what lies between two."""
Sleep = Callable[[float], Awaitable[None]]


class Begun(Outside):
    """https://www.rfc-editor.org/rfc/rfc8628#section-3.2"""

    device_code: str = Field(repr=False, min_length=16, max_length=1024)
    user_code: str = Field(pattern=r"^[A-Z0-9]{2,8}(-[A-Z0-9]{2,8}){0,3}$")
    verification_uri: str
    expires_in: float = Field(gt=0, le=3600)
    interval: float = Field(5.0, ge=0, le=300)


def login(
    url: Annotated[str, typer.Option(help="Address of the Miso; left out: where you were signed in last.")] = "",
) -> None:
    """Sign in on this machine, by a code that you type in a browser."""
    asyncio.run(sign_in(url))


def logout(
    forget: Annotated[
        bool, typer.Option("--forget", help="Forget the sign-in here even if the server cannot be told.")
    ] = False,
) -> None:
    """Sign out: end this machine's sign-in at the server, and forget it here."""
    asyncio.run(_logout(forget))


def whoami(as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False) -> None:
    """Show who you are to Miso: your GitHub account, your roles, and when the sign-in ends."""
    asyncio.run(_whoami(as_json))


async def sign_in(url: str, *, sleep: Sleep = asyncio.sleep) -> None:
    """The whole of `miso login`."""
    before = session.read()
    async with server(_address(url, before)) as there:
        begun = understood(Begun, await there.form(DEVICE, {}))
        _same_place(begun.verification_uri, there.url)
        console = screen.err()
        _show(console, begun)
        asked = time.time()
        tokens = await _wait(there, begun, console, sleep)
        async with session.locked():
            session.write(tokens.session(there.url, asked=asked))
        me = await there.call("GET", "/api/v1/me")
        subject = str(me.get("subject") or "")
        async with session.locked():
            kept = session.read()
            if kept is not None:
                session.write(kept.model_copy(update={"subject": subject[:500]}))
        if before is not None:
            with suppress(Refused, Transient):  # the one before ends by itself as well
                await _revoke(before)
    screen.out().print(Text.assemble(("✓ ", "green"), "You are signed in as ", _name(me), f" at {there.url}."))
    if not me.get("github"):
        screen.out().print(how_to_link(there.url))


def _address(url: str, before: Session | None) -> str:
    if not url and before is None:
        raise ConfigError(["the address is missing: `miso login --url https://…` once; it is remembered"])
    try:
        return session.address(url) if url else before.url if before else ""
    except ValueError as fault:
        raise ConfigError([f"--url: {fault}"]) from None


def _same_place(verification: str, url: str) -> None:
    """The page is the server's own: a person is never sent elsewhere to sign in."""
    if urlsplit(verification)[:2] != urlsplit(url)[:2] or urlsplit(verification).query:
        raise Transient("not_understood", "The server names a page for the code that is not its own.")


def _show(console: Console, begun: Begun) -> None:
    page = screen.foreign(begun.verification_uri, style="bold", limit=300)
    console.print(Text.assemble("Open ", page, " in a browser and type this code there:"))
    code = Text(begun.user_code, style="bold")
    console.print(
        Panel(Align.center(code), width=min(40, console.width), padding=(1, 2)) if console.is_terminal else code
    )
    console.print("Type it yourself. Nobody from Miso will ever send you a code, or ask you for one.", style="dim")


async def _wait(there: Server, begun: Begun, console: Console, sleep: Sleep) -> Tokens:
    """Ask until somebody has said yes or no, never faster than agreed (RFC 8628, section 3.5)."""
    over, interval = time.monotonic() + begun.expires_in, max(begun.interval, 1.0)
    pause = min(FIRST, interval)
    fields = {"grant_type": GRANT, "device_code": begun.device_code}
    with console.status("") as status:
        while time.monotonic() < over:
            left = over - time.monotonic()
            status.update(Text(f"Waiting for the browser; the code is good for {_minutes(left)}. Ctrl-C ends it."))
            await sleep(min(pause, left))
            try:
                return understood(Tokens, await there.form(TOKEN, fields))
            except Denied as no:
                said = str(no.document.get("error", ""))
                if said == "slow_down":
                    interval = min(interval + SLOWER, SLOWEST)
                elif said != "authorization_pending":
                    raise
            except Transient as later:
                # What cannot be reached for a moment is asked more rarely, and no less patiently.
                interval = min(max(later.retry_after or 0.0, interval * 2), SLOWEST)
            pause = interval
    raise refusal(Code.DEVICE_CODE)


async def _logout(forget: bool) -> None:
    async with session.locked():
        kept = session.read()
        if kept is None:
            screen.out().print("Nobody is signed in on this machine.")
            return
        try:
            await _revoke(kept)
        except (Refused, Transient):
            if not forget:
                raise
        session.remove()
    screen.out().print(Text.assemble(("✓ ", "green"), f"You are signed out of {kept.url}."))


async def _revoke(kept: Session) -> None:
    """https://www.rfc-editor.org/rfc/rfc7009#section-2.1: with a refresh token, all of its sign-in ends."""
    async with server(kept.url) as there:
        await there.form(REVOKE, {"token": kept.refresh, "token_type_hint": "refresh_token"})


async def _whoami(as_json: bool) -> None:
    async with signed_in() as there:
        me = await there.call("GET", "/api/v1/me")
    if as_json:
        screen.print_json({**me, "url": there.url})
        return
    _tell(me, there.url)


def _tell(me: dict[str, Any], url: str) -> None:
    github, roles = me.get("github") or {}, me.get("roles") or ()
    account = Text.assemble(screen.foreign(str(github.get("login", ""))), (f" (id {github.get('id')})", "dim"))
    shown = screen.table("you", "")
    shown.add_row("signed in at", url)
    shown.add_row("name", _name(me))
    shown.add_row("identity", screen.foreign(str(me.get("subject") or ""), limit=300))
    shown.add_row("GitHub account", account if github else Text("none is linked", "yellow"))
    shown.add_row("roles by groups", screen.foreign(", ".join(map(str, roles)) or "none", limit=300))
    shown.add_row("groups asked for", screen.foreign(str(me.get("roles_at") or "")))
    shown.add_row("ends", screen.foreign(str(me.get("ends_at") or "")))
    screen.out().print(shown)
    if not github:
        screen.out().print(how_to_link(url))


def how_to_link(url: str) -> Text:
    """What somebody does whose GitHub account is not known."""
    return Text(
        f"No GitHub account is linked, so you may look and no more: get a code at {url}/account and type"
        " `/link CODE` on a pull request as yourself.",
        "yellow",
    )


def _name(me: dict[str, Any]) -> Text:
    return screen.foreign(str(me.get("name") or me.get("subject") or "somebody"), style="bold", limit=200)


def _minutes(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"

"""`miso keys`: the signing keys and where each is in its life, changing one by hand, and moving to another address.

It works beside a running `miso serve`, which notices within a minute. No private part is shown, and nothing is asked of
anybody but the place that keeps the keys. Whoever may run this can read the keys on disk anyway.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from bot.cli import screen
from bot.domain.key_life import State, Use
from bot.domain.model import Application, Environment
from bot.errors import ConfigError

if TYPE_CHECKING:
    from bot.oidc.rings import Ring, Rings, Standing
    from bot.settings import Settings

app = typer.Typer(no_args_is_help=True, help="Show the signing keys; change one; move to another address.")
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document.")]
STYLES = {State.SIGNING: "green", State.PUBLISHED: "cyan", State.WITHDRAWN: "red"}
NEXT = {
    State.PUBLISHED: "signs",
    State.SIGNING: "replaced",
    State.RETIRED: "removed",
    State.WITHDRAWN: "removed",
    State.REMOVED: "",
}
SOON = "A running controller notices within a minute."


@app.command("list")
def list_keys(as_json: AsJson = False) -> None:
    """List every key: what it is for, where it is in its life, and what happens to it next."""
    asyncio.run(_list(as_json))


@app.command()
def rotate(
    use: Annotated[Use | None, typer.Argument(help="Only the keys of this use; all of them without it.")] = None,
    now: Annotated[
        bool, typer.Option("--now", help="For emergencies: sign with the new key at once, before others know it.")
    ] = False,
) -> None:
    """Make a new key. It is published now, and signs when it has been published long enough."""
    asyncio.run(_rotate(use, now))


@app.command()
def withdraw(
    use: Annotated[Use, typer.Argument(help="What the key is for.")],
    key: Annotated[str, typer.Argument(help="Its id, as the list shows it.")],
) -> None:
    """Believe nothing more that a key signed, because it leaked. First `miso keys rotate <use> --now`."""
    asyncio.run(_withdraw(use, key))


@app.command()
def migrate(
    yes: Annotated[bool, typer.Option("--yes", help="Every federated credential below is there; change it.")] = False,
) -> None:
    """Issue under the address that MISO_PUBLIC_URL has now. Tells first what must be there in Azure."""
    asyncio.run(_migrate(yes))


@asynccontextmanager
async def _opened(settings: Settings, *, make: bool) -> AsyncIterator[Rings]:
    import aiohttp

    from bot.app import key_rings, tls
    from bot.clock import SystemClock

    async with AsyncExitStack() as stack:
        connector = aiohttp.TCPConnector(ssl=tls(settings))
        session = await stack.enter_async_context(aiohttp.ClientSession(connector=connector, auto_decompress=False))
        yield await key_rings(settings, session, SystemClock(), stack, make=make)


def _settings() -> Settings:
    """Raises ConfigError where there are no keys: looking must not make any."""
    from bot.settings import load

    settings = load()
    if not settings.keys_dir.is_dir():
        raise ConfigError(
            [f"there are no keys in '{settings.keys_dir}': set MISO_DATA_DIR to the controller's, or `miso serve`"]
        )
    return settings


async def _list(as_json: bool) -> None:
    async with _opened(_settings(), make=False) as rings:
        lines = [line for ring in rings.all for line in ring.standing()]
    if as_json:
        screen.print_json([_document(line) for line in lines])
        return
    table = screen.table("use", "key", "state", "since", "next change")
    for line in lines:
        following = f"{NEXT[line.state]} {screen.moment(line.next_change_us)}" if line.next_change_us else ""
        state = Text(line.state, STYLES.get(line.state, ""))
        table.add_row(line.use, line.kid, state, screen.moment(line.since_us), following)
    screen.out().print(table)


def _document(line: Standing) -> dict[str, Any]:
    return {
        "use": line.use,
        "key": line.kid,
        "state": line.state,
        "since": screen.moment(line.since_us),
        "next_change": screen.moment(line.next_change_us) if line.next_change_us else None,
    }


async def _rotate(use: Use | None, now: bool) -> None:
    async with _opened(_settings(), make=True) as rings:
        chosen = [ring for ring in rings.all if use is None or ring.use is use] or [_ring(rings, use)]
        made = [await ring.rotate(at_once=now) for ring in chosen]
    console = screen.out()
    for line in made:
        what = "signs now" if line.state is State.SIGNING else f"signs from {screen.moment(line.life.signs_us)}"
        console.print(Text.assemble(("✓ ", "green"), (f"{line.use}: ", "bold"), f"{line.kid} is published and {what}"))
    console.print(Text(SOON, "dim"))
    if now:
        cost = (
            "Whoever keeps a copy of the published keys refuses what the new ones sign until they look again: Entra"
            " may do so for hours, and deployments fail as long. The old keys are still believed; one that leaked"
            " must be withdrawn with `miso keys withdraw`."
        )
        console.print(screen.said(cost, "yellow"))


async def _withdraw(use: Use, key: str) -> None:
    async with _opened(_settings(), make=True) as rings:
        gone = await _ring(rings, use).withdraw(key)
    console = screen.out()
    console.print(Text.assemble(("✓ ", "green"), f"{gone.kid} is published no more, and nothing of it is believed."))
    console.print(Text(SOON, "dim"))


def _ring(rings: Rings, use: Use | None) -> Ring[Any]:
    found = next((ring for ring in rings.all if ring.use is use), None)
    if found is None:
        raise ConfigError([f"there are no keys for '{use}' here: no sign-in service asks for them (MISO_SIGN_IN)"])
    return found


async def _migrate(yes: bool) -> None:
    from bot.app import building
    from bot.clock import SystemClock
    from bot.oidc import address

    settings = _settings()
    found = address.recorded(settings.keys_dir)
    if found is None or found.issuer == settings.public_url:
        screen.out().print(Text(f"The keys issue as {settings.public_url}. There is nothing to change.", "dim"))
        return
    before = settings.model_copy(update={"public_url": found.issuer})
    async with building(before, adopts=False) as running:
        store = running.miso.store
        known = [(each, await store.environments(each.id)) for each in await store.applications()]
    console = screen.out()
    console.print(Text.assemble("From ", (found.issuer, "bold"), " to ", (settings.public_url, "bold")))
    console.print("In Azure each of these federated credentials must be there, beside the present one:")
    console.print(_credentials(settings, known))
    if not yes:
        told = "Nothing was changed. When they are there, stop the controller and repeat this with `--yes`."
        console.print(screen.said(told, "yellow"))
        return
    address.migrate(settings.keys_dir, settings.public_url, SystemClock().now_us())
    console.print(Text.assemble(("✓ ", "green"), f"The keys issue as {settings.public_url} from the next start."))
    console.print(screen.said("When deployments work, the credentials with the old issuer can be deleted.", "dim"))


def _credentials(settings: Settings, known: Sequence[tuple[Application, Sequence[Environment]]]) -> Any:
    from bot.oidc.issue import SIGN_IN_SUBJECT, subject, workflow_subject
    from bot.oidc.keys import TERMS

    table = screen.table("for", "issuer", "subject", "audience")
    audience = TERMS[Use.ASSERTION].audience
    for application, environments in known:
        for each in environments:
            name = screen.foreign(f"{application.name} / {each.stage}")
            table.add_row(name, settings.public_url, subject(each.id), audience)
            if settings.workflow_assertions and each.stage != "production":
                table.add_row(name, settings.public_url, workflow_subject(each.id), audience)
    if settings.sign_in == "entra":
        table.add_row("sign-in of people", settings.public_url, SIGN_IN_SUBJECT, audience)
    return table

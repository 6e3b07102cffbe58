"""`miso deliveries`: webhooks as they were received, what came of them, and another try for those that were parked."""

from __future__ import annotations

import asyncio
import json
from typing import Annotated, Any

import typer
from rich.text import Text

from bot.cli import screen
from bot.context import Miso
from bot.domain.codes import Code
from bot.domain.messages import explain, refusal
from bot.domain.model import Delivery, DeliveryState
from bot.errors import Refused

app = typer.Typer(invoke_without_command=True, help="List webhook deliveries; show or retry one.")
Guid = Annotated[str, typer.Argument(help="X-GitHub-Delivery of the webhook, as the list shows it.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document.")]
STYLES = {DeliveryState.PARKED: "red", DeliveryState.WAITING: "yellow", DeliveryState.DONE: "green"}


@app.callback()
def deliveries(
    context: typer.Context,
    state: Annotated[DeliveryState | None, typer.Option(help="Only those in this state.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many, the newest.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List webhook deliveries, the newest first."""
    if context.invoked_subcommand is None:
        asyncio.run(_list(state, limit, as_json))


@app.command()
def show(guid: Guid, as_json: AsJson = False) -> None:
    """Show one delivery, with its body unless that is erased."""
    asyncio.run(_show(guid, as_json))


@app.command()
def retry(guid: Guid) -> None:
    """Open a parked delivery again; a running controller takes it up at once."""
    asyncio.run(_retry(guid))


async def _list(state: DeliveryState | None, limit: int, as_json: bool) -> None:
    from bot.cli.opening import opened

    async with opened() as miso:
        found = await miso.store.deliveries(state=state, limit=limit)
        now = miso.clock.now_us()
    if as_json:
        screen.print_json([_document(each) for each in found])
        return
    table = screen.table("delivery", "event", "state", "tries", "age", "code", "note")
    for each in found:
        table.add_row(
            screen.foreign(each.guid, limit=80),
            screen.foreign(each.event, limit=40),
            Text(each.state, STYLES[each.state]),
            str(each.attempts),
            screen.age(each.received_us, now),
            each.code,
            Text.assemble(screen.foreign(each.note), *_remarks(each)),
        )
    screen.out().print(table if found else Text("No delivery is there.", "dim"))


async def _show(guid: str, as_json: bool) -> None:
    from bot.cli.opening import opened

    async with opened() as miso:
        found = await _one(miso, guid)
    body = _body(found) if found.body else None
    if as_json:
        screen.print_json({**_document(found), "body": body})
        return
    console = screen.out()
    for name, value in _document(found).items():
        console.print(Text.assemble((f"{name:<14}", "bold"), screen.foreign(str(value if value is not None else "–"))))
    if found.code in set(Code):
        said = explain(Code(found.code))
        console.print(screen.said(f"{said.sentence} {said.hint}", "yellow"))
    console.print()
    if not found.body:
        console.print(screen.said("The body is erased." if _erased(found) else "The body cannot be shown.", "dim"))
        return
    shown = json.dumps(body, indent=2) if isinstance(body, dict) else str(body)
    for line in shown.splitlines()[:2000]:
        console.print(Text(line[: len(line) - len(line.lstrip())]).append_text(screen.foreign(line, limit=2000)))


async def _retry(guid: str) -> None:
    from bot.cli.opening import opened

    async with opened() as miso:
        found = await _one(miso, guid)
        if not await miso.store.reopen_delivery(guid):
            if found.state is DeliveryState.PARKED:
                raise refusal(Code.BODY_ERASED)
            raise Refused(
                "not_parked",
                f"That delivery is {found.state}, not parked, so there is nothing to try again.",
                "`miso deliveries --state parked` lists those that can be.",
            )
    screen.out().print(
        Text.assemble(("✓ ", "green"), "It is open again; `miso deliveries show` tells what comes of it.")
    )


async def _one(miso: Miso, guid: str) -> Delivery:
    found = await miso.store.delivery(guid)
    if found is None:
        raise Refused("delivery_unknown", "There is no delivery with that id.", "`miso deliveries` lists them.")
    return found


def _document(each: Delivery) -> dict[str, Any]:
    return {
        "guid": each.guid,
        "event": each.event,
        "state": each.state,
        "received": screen.moment(each.received_us),
        "done": screen.moment(each.done_us) or None,
        "attempts": each.attempts,
        "code": each.code or None,
        "note": each.note or None,
        "replay_of": each.replay_of or None,
        "erased": _erased(each),
    }


def _remarks(each: Delivery) -> tuple[Text, ...]:
    """What is done is always erased, and needs no word."""
    said = [Text(f" same body as {each.replay_of}", "dim")] if each.replay_of else []
    if each.state is DeliveryState.PARKED and _erased(each):
        said.append(Text(" erased", "dim"))
    return tuple(said)


def _erased(each: Delivery) -> bool:
    """A body that no key opens is not shown either, but it is there."""
    return not each.body and each.code != Code.BODY_SEALED


def _body(each: Delivery) -> Any:
    """The body as JSON where it is JSON, else as the text that it is."""
    try:
        return json.loads(each.body)
    except (ValueError, RecursionError):
        return each.body.decode(errors="replace")

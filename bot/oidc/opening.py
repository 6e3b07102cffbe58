"""Opens all rings at a start: where each is kept, how long its keys live, and under which address they issue.

`bot.app` calls `open_rings` once, the command line for its own looks. With a vault the keys that sign are there, and
the symmetric ones lie here, wrapped by a key of the vault.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from bot.domain.key_life import DAY_US, HOUR_US, Spans
from bot.oidc import address
from bot.oidc.disk import DiskPlace, Pem, Plain, Wrapped, moved_in
from bot.oidc.files import closed_directory
from bot.oidc.keys import SecretKey, SigningKey, Use
from bot.oidc.rings import Place, Ring, Rings

SEALED_US = 9 * DAY_US
"""Bodies are kept for seven days at most, and what was sealed must be readable as long."""


class Vault(Protocol):
    """As far as rings need one; `bot.oidc.vault.KeyVault` is it."""

    def place(self, use: Use) -> Place[SigningKey]: ...
    async def wrap(self, value: bytes) -> bytes: ...
    async def unwrap(self, wrapped: bytes) -> bytes: ...


async def open_rings(
    directory: Path,
    *,
    issuer: str,
    now_us: Callable[[], int],
    key_days: float = 90.0,
    publish_hours: float = 24.0,
    keep_hours: float = 48.0,
    session_hours: float = 12.0,
    client: bool = False,
    vault: Vault | None = None,
    make: bool = True,
) -> Rings:
    """Every ring, looked at, each with a first key where there was none (unless `make` is False).

    `client`: whether Miso must be known to another sign-in service. Takes up to a second at the first start: call it
    before serving. Several processes may do so at once and get the same keys. Raises ConfigError for another issuer
    than the recorded one, and when directory or files are not ours alone or hold no such keys; with a vault Transient
    (`key_vault_unavailable`) and Refused (`key_vault_forbidden`).
    """
    await asyncio.to_thread(closed_directory, directory)
    if make:
        await asyncio.to_thread(address.hold, directory, issuer, now_us())
    spans = Spans(
        life_us=int(key_days * DAY_US), publish_us=int(publish_hours * HOUR_US), keep_us=int(keep_hours * HOUR_US)
    )

    def signing(use: Use) -> Ring[SigningKey]:
        place: Place[SigningKey] = DiskPlace(directory, use, Pem(use)) if vault is None else vault.place(use)
        return Ring(use, place, spans, now_us)

    async def secret(use: Use, least_us: int) -> Ring[SecretKey]:
        form: Plain | Wrapped = Plain(use)
        if vault is not None:
            form = Wrapped(use, vault.wrap, vault.unwrap)
            if make:
                await moved_in(directory, use, form)
        kept = replace(spans, keep_us=max(spans.keep_us, least_us))
        return Ring(use, DiskPlace(directory, use, form), kept, now_us)

    rings = Rings(
        assertion=signing(Use.ASSERTION),
        token=signing(Use.TOKEN),
        client=signing(Use.CLIENT) if client else None,
        seal=await secret(Use.SEAL, SEALED_US),
        cookie=await secret(Use.COOKIE, int(session_hours * HOUR_US) + HOUR_US),
    )
    await rings.open(make=make)
    return rings

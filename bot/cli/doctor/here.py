"""Checks of this machine: the key files and the store."""

from __future__ import annotations

import stat
from collections.abc import AsyncIterator
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from bot.cli.doctor.finding import Finding, fail, failed, ok, warn
from bot.clock import SystemClock
from bot.context import Miso
from bot.domain.key_life import State
from bot.domain.model import DeliveryState
from bot.errors import ConfigError, MisoError
from bot.oidc.opening import open_rings
from bot.settings import Settings

MANY = 10_000


async def keys(settings: Settings) -> AsyncIterator[Finding]:
    """The App's key and our own signing keys, with their modes. Makes none."""
    file = settings.app_private_key_file
    try:
        key = serialization.load_pem_private_key(file.read_bytes(), password=None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if isinstance(key, rsa.RSAPrivateKey):
        yield ok("keys", "App's private key", f"{file} (mode {_mode(file)}), RSA {key.key_size}")
    else:
        yield fail(
            "keys",
            "App's private key",
            f"'{file}' holds no unencrypted RSA key",
            "Make a new private key on the App's settings page and store it there with mode 600.",
        )
    if not settings.keys_dir.is_dir():
        yield warn("keys", "signing keys", "there are none yet", "`miso serve` makes one at its first start.")
        return
    if settings.key_vault_url:
        yield ok("keys", "signing keys", f"in the vault at {settings.key_vault_url}; `miso keys list` shows them")
        return
    clock = SystemClock()
    try:
        rings = await open_rings(settings.keys_dir, issuer=settings.public_url, now_us=clock.now_us, make=False)
    except ConfigError as wrong:
        for fault in wrong.faults:
            yield fail("keys", "signing keys", fault, "Restore the directory from a backup, or correct its modes.")
        return
    signing = [line for ring in rings.all for line in ring.standing() if line.state is State.SIGNING]
    told = ", ".join(f"{line.use} {line.kid}" for line in signing)
    yield ok("keys", "signing keys", f"{settings.keys_dir} (mode {_mode(settings.keys_dir)}): {told}")


async def store(miso: Miso, settings: Settings) -> AsyncIterator[Finding]:
    """Whether it takes a write, whether its journal is as it was written, and what it could not do."""
    try:
        # Ends no delivery, because none has this name; but it needs the writer, the lock and the disk.
        await miso.store.delivery_done("miso doctor")
        yield ok("store", "writable", str(settings.store_path))
        faults = await miso.store.verify()
        for fault in faults[:20]:
            yield fail("store", "journal", fault, "Somebody changed the database: compare it with a backup.")
        if not faults:
            yield ok("store", "journal", "every row is as it was written")
        parked = await miso.store.deliveries(state=DeliveryState.PARKED, limit=MANY)
    except MisoError as fault:
        yield failed("store", "store", fault)
        return
    if parked:
        told = f"{len(parked)}{'+' if len(parked) == MANY else ''} could not be worked through"
        yield warn("store", "deliveries", told, "`miso deliveries --state parked` shows why.")
    else:
        yield ok("store", "deliveries", "none is parked")


def _mode(path: Path) -> str:
    return f"{stat.S_IMODE(path.stat().st_mode):o}"

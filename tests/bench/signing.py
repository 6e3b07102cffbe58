"""Assertions a second, against what the same key can do at most: `openssl speed`, and `cryptography` without a JWT."""

from __future__ import annotations

import asyncio
import re
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

from bot.clock import SystemClock
from bot.oidc.issue import Issuer
from bot.oidc.opening import open_rings
from tests.bench.figures import Figure, median

_SIGNS = re.compile(r"^rsa\s+2048 bits\s.*?(\d+\.\d)\s+\d+\.\d", re.M)


async def measure(*, rounds: int, seconds: float, say: Callable[[str], None]) -> list[Figure]:
    """`seconds` for each of the three in each round."""
    raw_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    with tempfile.TemporaryDirectory(prefix="miso-bench-") as folder:
        address, now_us = "https://miso.example", SystemClock().now_us
        issuer = Issuer(address, await open_rings(Path(folder) / "keys", issuer=address, now_us=now_us), now_us)
    next_environment = iter(range(2**62))

    def assertion() -> None:
        # Another environment each time: an assertion is kept for half its life, and only a new one is signed.
        issuer.assertion(str(UUID(int=next(next_environment))))

    def raw() -> None:
        raw_key.sign(b"the same bytes each time", padding.PKCS1v15(), SHA256())

    ours, bare, openssl = [], [], []
    for number in range(rounds):
        say(f"assertion signing, round {number + 1} of {rounds}")
        ours.append(_rate(assertion, seconds))
        bare.append(_rate(raw, seconds))
        found = await _openssl(seconds)
        if found:
            openssl.append(found)
    return _figures(ours, bare, openssl)


def _rate(act: Callable[[], None], seconds: float) -> float:
    began, many = time.perf_counter(), 0
    while (spent := time.perf_counter() - began) < seconds:
        act()
        many += 1
    return many / spent


async def _openssl(seconds: float) -> float | None:
    """Signatures a second by `openssl speed`; None where it is not installed."""
    program = shutil.which("openssl")
    if program is None:
        return None
    process = await asyncio.create_subprocess_exec(
        program,
        "speed",
        "-seconds",
        str(max(1, round(seconds))),
        "rsa2048",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    out, _ = await process.communicate()
    found = _SIGNS.search(out.decode())
    return float(found[1]) if found else None


def _figures(ours: list[float], bare: list[float], openssl: list[float]) -> list[Figure]:
    group = "Assertions for Entra (RS256, 2048 bits)"
    rate = median(ours)
    lines = [
        Figure(
            group=group,
            what="signed a second",
            value=f"{median([a / b for a, b in zip(ours, bare, strict=True)]):.2f}",
            against=f"of `cryptography` alone ({rate:,.0f} to {median(bare):,.0f})",
        )
    ]
    if openssl:
        ratio = median([a / b for a, b in zip(ours, openssl, strict=True)])
        against = f"of `openssl speed rsa2048` ({rate:,.0f} to {median(openssl):,.0f})"
        lines.append(Figure(group=group, what="signed a second", value=f"{ratio:.2f}", against=against))
    return lines
